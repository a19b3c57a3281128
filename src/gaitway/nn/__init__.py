"""Layers with no opinion about the model that they are used in."""

from gaitway.nn.clips import Clips, side_by_side
from gaitway.nn.convolution import ConvPair, FocalConvolution, PlainBackbone, leaky_relu, leaky_relu_
from gaitway.nn.convolution3d import StripConvolution3d, convolution3d, lay_channels_last_3d
from gaitway.nn.initialise import initialise
from gaitway.nn.parts import BatchNormNeck, PartLinear
from gaitway.nn.pooling import GeneralisedMeanPooling, HorizontalPyramidPooling
from gaitway.nn.ragged import TimeAxis

__all__ = [
    "BatchNormNeck",
    "Clips",
    "ConvPair",
    "FocalConvolution",
    "GeneralisedMeanPooling",
    "HorizontalPyramidPooling",
    "PartLinear",
    "PlainBackbone",
    "StripConvolution3d",
    "TimeAxis",
    "convolution3d",
    "initialise",
    "lay_channels_last_3d",
    "leaky_relu",
    "leaky_relu_",
    "side_by_side",
]
