"""Batch normalisation folded into the convolutions before it: the same numbers in less time, for inference."""

from __future__ import annotations

from copy import deepcopy

from torch import nn

from gaitway.nn.residual import ConvNorm, TemporalConvNorm

FOLDABLE = (ConvNorm, TemporalConvNorm)
"""Layers that can fold themselves."""


def has_foldable_batch_norm(model: nn.Module) -> bool:
    """Whether `fold_batch_norm` would change anything."""
    return any(isinstance(layer, FOLDABLE) for layer in model.modules())


def fold_batch_norm(model: nn.Module) -> nn.Module:
    """A copy for inference in which every batch normalisation right after a convolution is part of it.

    The embeddings differ by rounding alone. The copy is in evaluation mode, cannot be trained, and its state dict is
    no longer that of the model.

    Raises:
        ValueError: when there is no batch normalisation to fold.
    """
    if not has_foldable_batch_norm(model):
        raise ValueError(f"{type(model).__name__} has no batch normalisation after a convolution, nothing to fold")
    folded = deepcopy(model).eval().requires_grad_(False)
    for layer in list(folded.modules()):
        if isinstance(layer, FOLDABLE):
            layer.fold()
    return folded.requires_grad_(False)
