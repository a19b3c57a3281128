"""Running statistics for one path of a supernet.

The supernet's own were gathered over all paths, and fit none of them well. The original one-shot search measures them
again for each path: "Single Path One-Shot Neural Architecture Search with Uniform Sampling", Guo et al., ECCV 2020,
arXiv 1904.00420. SPOSGait's search does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # the one class of all, PyTorch has no public name for it

from gaitway.models.sposgait import Architecture, SPOSGait


@contextmanager
def recalibrated(
    model: SPOSGait, path: Architecture, batches: Iterable[tuple[Tensor, Tensor | None]]
) -> Iterator[None]:
    """While it lasts, the batch norms on a path have the statistics of some training batches for this path.

    These are the plain means over the batches of each batch's mean and unbiased variance. Afterwards all is bit for bit
    as it was before, so that no path's figure depends on those that were measured earlier.

    Args:
        model: A supernet, or the network of the path, in evaluation mode.
        path: Block of each layer.
        batches: Silhouettes and lengths, as the model takes them.

    Raises:
        ValueError: when there are no batches.
    """
    assert not model.training, "in training mode other layers than these would change too"
    norms = norms_on_path(model, path)
    before = [(norm.momentum, [buffer.clone() for buffer in norm.buffers()]) for norm in norms]
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a mean of all batches
            norm.train()
        with torch.no_grad():
            for silhouettes, lengths in batches:
                model(silhouettes, lengths, logits=False, path=path)
        if not norms[0].num_batches_tracked:
            raise ValueError("no batches to recalibrate batch normalisation by; give at least one")
        for norm in norms:
            norm.eval()
        yield
    finally:
        for norm, (momentum, buffers) in zip(norms, before, strict=True):
            norm.eval()
            norm.momentum = momentum
            for buffer, copy in zip(norm.buffers(), buffers, strict=True):
                buffer.copy_(copy)


def norms_on_path(model: SPOSGait, path: Architecture) -> list[_BatchNorm]:
    """The batch norms that an embedding by a path goes through, those of the shortcuts included."""
    blocks = [model.block(layer.name, kind) for layer, kind in zip(model.layers, model.checked(path), strict=True)]
    parts: list[nn.Module] = [*blocks, model.shortcuts]
    return [layer for part in parts for layer in part.modules() if isinstance(layer, _BatchNorm)]
