"""The weights of one path, taken out of a supernet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from gaitway.models.sposgait import check_architecture


def path_weights(supernet: Mapping[str, Tensor], architecture: Sequence[int]) -> dict[str, Tensor]:
    """The weights of the network of a path: those of its blocks, and all that paths share.

    Args:
        supernet: State of a `SPOSGait` with all blocks, by name.
        architecture: Block of each layer.

    Raises:
        ValueError: when the weights are not a supernet's, or the architecture is not one of its paths.
    """
    blocks = sorted({_block(name) for name in supernet} - {""})
    layers = sorted({block.partition("/")[0] for block in blocks})
    num_choices = [sum(block.startswith(f"{layer}/") for block in blocks) for layer in layers]
    if not blocks or max(num_choices) == 1:
        raise ValueError(
            "these are the weights of one network, not of a supernet; start from them as they are by --init"
        )
    path = check_architecture(architecture, num_choices)
    kept = {"", *(f"{layer}/{kind}" for layer, kind in zip(layers, path, strict=True))}
    return {name: tensor for name, tensor in supernet.items() if _block(name) in kept}


def _block(name: str) -> str:
    """The block that a tensor is of, `layer/kind`; empty for what paths share."""
    section, _, rest = name.partition(".")
    return rest.partition(".")[0] if section == "blocks" else ""
