"""What the tests of all models and of the direct forms give to a model."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm  # the one class of all, PyTorch has no public name for it


def example(model: nn.Module, n: int, t: int) -> list[Tensor]:
    """A dense batch `(n, t, ...)` per modality of the model. Give a new modality its example here."""
    modalities = model.modalities
    assert isinstance(modalities, tuple)
    generator = torch.Generator().manual_seed(n * t)
    if modalities == ("heatmaps", "poses"):
        return [heatmaps(n, t, generator), matrices(n, t, generator)]
    return [poses(model, n, t, generator) if name == "poses" else silhouettes(n, t, generator) for name in modalities]


def silhouettes(n: int, t: int, generator: torch.Generator) -> Tensor:
    """Blobs with grey edges: noise, smoothed and sharpened."""
    noise = torch.rand(n * t, 64, 44, generator=generator)
    return torch.unflatten(F.avg_pool2d(noise, 9, 1, padding=4).sub(0.5).mul(20).clamp(0, 1), 0, (n, t))


def poses(model: nn.Module, n: int, t: int, generator: torch.Generator) -> Tensor:
    """Joints spread over a hundred pixels, which stay where they are but for a few pixels."""
    shape = model.frame_shape
    assert isinstance(shape, tuple)
    return 100 * torch.rand(n, 1, *shape, generator=generator) + 3 * torch.randn(n, t, *shape, generator=generator)


def heatmaps(n: int, t: int, generator: torch.Generator) -> Tensor:
    """Blobs for two parts of the body, GaitHeat's frames."""
    noise = torch.rand(n, t * 2, 64, 48, generator=generator)
    return torch.unflatten(F.avg_pool2d(noise, 9, 1, padding=4).sub(0.5).mul(20).clamp(0, 1), 1, (t, 2))


def matrices(n: int, t: int, generator: torch.Generator) -> Tensor:
    """Maps of the plane that leave it where it is but for a little, as poses become for GaitHeat."""
    return torch.eye(2, 3) + 0.05 * torch.randn(n, t, 2, 2, 3, generator=generator)


def settle(model: nn.Module) -> nn.Module:
    """The model as after some training: nothing switched off, and batch norms that know the poses they normalise.

    Some published models start with branches whose last batch norm has weight 0. Values of a hundred, not normalised,
    would leave every attention with a single joint.
    """
    norms = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
    for layer in norms:
        if layer.affine and not layer.weight.any():
            nn.init.ones_(layer.weight)
    if model.modalities == ("poses",):
        momenta = [layer.momentum for layer in norms]
        for layer in norms:
            layer.momentum = 1.0
        with torch.no_grad():
            model.train()(*example(model, 8, 4))
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
    return model
