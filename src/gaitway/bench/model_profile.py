"""What a model costs: parameters, multiply-adds, time per sequence."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from gaitway.bench.made_up import meta_frames, meta_model, random_frames
from gaitway.bench.measure import in_turns
from gaitway.data.partitions import load_partition
from gaitway.training.recipe import Recipe
from gaitway.types import Output

NUM_FRAMES = 30
"""Frames of the sequence that is timed."""
BATCH_SIZES = (1, 8)
REPEATS = 5


@dataclass(frozen=True)
class Work:
    """What a model or a part of it costs.

    A multiply-add is a multiplication with its addition, in convolutions and matrix products; the rest is not counted.
    `per_frame` is the work that grows with the length of a sequence, `per_sequence` what is done once.
    """

    parameters: int
    per_frame: int
    per_sequence: int


@dataclass(frozen=True)
class ModelCosts:
    """What a recipe's model costs, counted without running it.

    Args:
        model: Its name.
        frame_shape: Of one frame as the model gets it.
        num_classes: Identities of the classifier, where it has one.
        total: With the classifier.
        embedding: What an embedding needs: without the classifier and its batch normalisation.
        blocks: The parts of `total`.
        published: The number of parameters where the recipe was published, if it says.
    """

    model: str
    frame_shape: tuple[int, ...]
    num_classes: int
    total: Work
    embedding: Work
    blocks: dict[str, Work]
    published: str


def count_costs(recipe: Recipe, *, num_classes: int | None = None) -> ModelCosts:
    """Count a recipe's parameters and multiply-adds.

    Args:
        recipe: The recipe.
        num_classes: Identities of the classifier; None: the training subjects of the recipe's partition.

    Raises:
        ValueError: when the model cannot work on the recipe's frames.
    """
    if num_classes is None:
        num_classes = len(load_partition(recipe.data.partition).train)
    model = meta_model(recipe, num_classes)
    total, blocks = _work(model, recipe, logits=True)
    embedding, _ = _work(model, recipe, logits=False)
    return ModelCosts(
        model=recipe.model.name,
        frame_shape=tuple(meta_frames(recipe, 1, 1)[0].shape[2:]),
        num_classes=num_classes,
        total=total,
        embedding=replace(embedding, parameters=_needed_parameters(model, recipe)),
        blocks=blocks,
        published=recipe.published.parameters if recipe.published else "",
    )


def time_sequences(
    recipe: Recipe, *, device: torch.device, done: Callable[[int, int], None] | None = None
) -> dict[str, float]:
    """Milliseconds to embed a sequence of `NUM_FRAMES` frames.

    Args:
        recipe: The recipe; its weights are random.
        device: Where to compute.
        done: Told after each run how many are done and how many there are.

    Returns:
        Medians of runs in turns, by precision and batch size, such as `32, batches of 8`; bf16 where the device
        multiplies in it.
    """
    model = recipe.build_model(num_classes=1).eval().to(device)
    precisions: dict[str, torch.dtype | None] = {"32": None}
    if device.type == "cuda" or torch.cpu._is_amx_tile_supported():
        precisions["bf16"] = torch.bfloat16
    batches = {n: random_frames(recipe, n, NUM_FRAMES, device) for n in BATCH_SIZES}
    ways = {
        f"{name}, {'alone' if n == 1 else f'batches of {n}'}": (dtype, n)
        for name, dtype in precisions.items()
        for n in BATCH_SIZES
    }
    variants = {way: partial(_embed, model, batches[n], dtype) for way, (dtype, n) in ways.items()}
    times = in_turns(variants, repeats=REPEATS, device=device, done=done)
    return {way: 1000 * statistics.median(times[way].seconds) / n for way, (_, n) in ways.items()}


@torch.inference_mode()
def _embed(model: nn.Module, frames: list[Tensor], precision: torch.dtype | None) -> None:
    with torch.autocast(frames[0].device.type, precision, enabled=precision is not None):
        model(*frames, logits=False)


def _work(model: nn.Module, recipe: Recipe, *, logits: bool) -> tuple[Work, dict[str, Work]]:
    """The work of a model on the meta device, whole and by the layers and blocks that it is made of."""
    once, twice = (_flops(model, meta_frames(recipe, 1, t), logits=logits) for t in (NUM_FRAMES, 2 * NUM_FRAMES))

    def work(name: str, parameters: int) -> Work:
        first, second = _of_block(once, name), _of_block(twice, name)
        growth = second - first
        return Work(parameters, growth // 2 // NUM_FRAMES, (first - growth) // 2)

    blocks = {name: work(name, _num_parameters(block)) for name, block in model.named_children()}
    blocks = {name: part for name, part in blocks.items() if part.parameters or part.per_frame or part.per_sequence}
    return work("", _num_parameters(model)), blocks


def _flops(model: nn.Module, frames: list[Tensor], *, logits: bool) -> dict[str, int]:
    """Floating-point operations by the name of the block that does them; `""` is the whole model."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(*frames, logits=logits)
    root = type(model).__name__
    return {
        "" if name in ("Global", root) else name.removeprefix(f"{root}."): sum(counts.values())
        for name, counts in counter.get_flop_counts().items()
    }


def _of_block(flops: dict[str, int], name: str) -> int:
    """The operations of a block; of a list of blocks, which is never called itself, those of what is in it."""
    if name in flops:
        return flops[name]
    inside = {other: count for other, count in flops.items() if other.startswith(f"{name}.")}
    return sum(count for other, count in inside.items() if not any(other.startswith(f"{block}.") for block in inside))


def _needed_parameters(model: nn.Module, recipe: Recipe) -> int:
    """How many parameters an embedding depends on."""
    output: Output = model(*meta_frames(recipe, 1, 2), logits=False)
    parameters = list(model.parameters())
    if not parameters:
        return 0
    gradients = torch.autograd.grad(output.embeddings.sum(), parameters, allow_unused=True)
    return sum(p.numel() for p, gradient in zip(parameters, gradients, strict=True) if gradient is not None)


def _num_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
