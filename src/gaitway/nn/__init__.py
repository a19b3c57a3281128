"""Layers with no opinion about the model that they are used in."""

from gaitway.nn.activation import mish
from gaitway.nn.batch_norm import BatchNorm2d, BatchNorm3d
from gaitway.nn.clips import Clips, side_by_side
from gaitway.nn.convolution import (
    ConvPair,
    FocalConvolution,
    PlainBackbone,
    convolution2d,
    lay_channels_last,
    leaky_relu,
    leaky_relu_,
)
from gaitway.nn.convolution3d import StemConvolution3d, StripConvolution3d, conv3d, convolution3d, lay_channels_last_3d
from gaitway.nn.fold import fold_batch_norm, has_foldable_batch_norm
from gaitway.nn.graph import adjacency, hop_distances, same_part
from gaitway.nn.initialise import initialise, initialise_poses
from gaitway.nn.joints import JointBatchNorm, JointConvolution, LinearNorm, folded, linear_norm, normalise
from gaitway.nn.parts import BatchNormNeck, PartLinear
from gaitway.nn.pooling import GeneralisedMeanPooling, HorizontalPyramidPooling
from gaitway.nn.ragged import TimeAxis
from gaitway.nn.residual import ConvNorm, ResidualBlock, ResidualNetwork, ResidualStage, TemporalConvNorm
from gaitway.nn.row_batch_norm import RowBatchNorm

__all__ = [
    "BatchNorm2d",
    "BatchNorm3d",
    "BatchNormNeck",
    "Clips",
    "ConvNorm",
    "ConvPair",
    "FocalConvolution",
    "GeneralisedMeanPooling",
    "HorizontalPyramidPooling",
    "JointBatchNorm",
    "JointConvolution",
    "LinearNorm",
    "PartLinear",
    "PlainBackbone",
    "ResidualBlock",
    "ResidualNetwork",
    "ResidualStage",
    "RowBatchNorm",
    "StemConvolution3d",
    "StripConvolution3d",
    "TemporalConvNorm",
    "TimeAxis",
    "adjacency",
    "conv3d",
    "convolution2d",
    "convolution3d",
    "fold_batch_norm",
    "folded",
    "has_foldable_batch_norm",
    "hop_distances",
    "initialise",
    "initialise_poses",
    "lay_channels_last",
    "lay_channels_last_3d",
    "leaky_relu",
    "leaky_relu_",
    "linear_norm",
    "mish",
    "normalise",
    "same_part",
    "side_by_side",
]
