"""Layers with no opinion about the model that they are used in."""

from gaitway.nn.convolution import ConvPair, FocalConvolution, PlainBackbone, leaky_relu, leaky_relu_
from gaitway.nn.initialise import initialise
from gaitway.nn.parts import BatchNormNeck, PartLinear
from gaitway.nn.pooling import HorizontalPyramidPooling
from gaitway.nn.ragged import TimeAxis

__all__ = [
    "BatchNormNeck",
    "ConvPair",
    "FocalConvolution",
    "HorizontalPyramidPooling",
    "PartLinear",
    "PlainBackbone",
    "TimeAxis",
    "initialise",
    "leaky_relu",
    "leaky_relu_",
]
