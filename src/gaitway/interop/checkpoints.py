"""Published checkpoints, loaded into Gaitway's models."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gaitway.interop.batch_norm_order import Order, guess_order, join_parts, part_to_channel_major
from gaitway.interop.checkpoint_file import CheckpointFile, read_checkpoint
from gaitway.interop.published import PUBLISHED_MODELS, Neck, PublishedModel, Shapes, class_count
from gaitway.models import MODELS, create_model

SHOWN = 8  # tensors that a message lists


@dataclass(frozen=True)
class ImportedModel:
    """A model with published weights, and what there is to tell.

    Args:
        model: In evaluation mode.
        num_classes: Of its classifier; 0: it has none.
        iteration: Steps of training.
        statements: What was assumed, a sentence each.
        changes: Constructor arguments that the file says otherwise than the component did.
    """

    model: nn.Module
    num_classes: int
    iteration: int
    statements: tuple[str, ...]
    changes: Mapping[str, Any] = field(default_factory=dict)


def import_model(
    file: Path, component: Mapping[str, Any], *, bn_order: Order = "auto", num_subjects: int | None = None
) -> ImportedModel:
    """Build a model and give it the weights of a published checkpoint.

    Args:
        file: The published file.
        component: `name` and constructor arguments, as a recipe or a published configuration describes the model.
            Where `num_classes` is not among them, the file says it.
        bn_order: How the file orders the channels of BN necks.
        num_subjects: How many training subjects the recipe's data set has; another class count is pointed out.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is no checkpoint, would run code, or does not fit the model; then the message names what is
            missing, what is left over and which shapes differ.
    """
    found = read_checkpoint(file)
    shapes = _shapes(found.state)
    in_file = class_count(shapes)
    arguments = dict(component)
    build = arguments.pop("name")
    if "num_classes" in inspect.signature(MODELS[build]).parameters:
        arguments.setdefault("num_classes", in_file or num_subjects or 1)
    with torch.device("meta"):
        outline = create_model(build, **arguments)
    name = type(outline).__name__
    if name not in PUBLISHED_MODELS:
        raise ValueError(f"no published files of {name} are known; known are those of {', '.join(PUBLISHED_MODELS)}")
    published = PUBLISHED_MODELS[name]
    changes, told = _adapted(published, outline, found)
    model = create_model(build, **arguments | changes)
    names = published.names(model)
    class_note = ""
    if in_file is not None and num_subjects not in (None, in_file):
        class_note = f"classes {in_file} in the file, {num_subjects} training subjects in the recipe's partition"
    try:
        order = published.bn_order if bn_order == "auto" else bn_order
        state = published.convert(found.state, order) if published.convert else found.state
        unused = tuple(published.unused(model)) if published.unused else ()
        built = published.built(model) if published.built else {}
        left_out = {name for name in state if name in built or (unused and name.startswith(unused))}
        given = {name: tensor for name, tensor in state.items() if name not in left_out}
        statements = load_published(model, given, names=names, necks=published.necks, bn_order=order)
        statements += _differing(state, built)
    except ValueError as error:
        expected = {to_published(ours, names): tuple(tensor.shape) for ours, tensor in model.state_dict().items()}
        what = "; ".join(filter(None, (_difference(published, name, shapes, expected), class_note)))
        raise ValueError(f"{file} is no checkpoint of this {name}: {what}. {error}") from error
    if class_note:
        statements.append(f"Mind: {class_note}. Embeddings are not affected.")
    return ImportedModel(model.eval(), in_file or 0, found.iteration, (*told, *statements), changes)


def _adapted(published: PublishedModel, outline: nn.Module, found: CheckpointFile) -> tuple[dict[str, Any], list[str]]:
    if published.adapted is None:
        return {}, []
    try:
        return published.adapted(outline, found.state)
    except ValueError as error:
        raise ValueError(f"{found.path}: {error}") from error


def load_published(
    model: nn.Module, state: Mapping[str, Tensor], *, names: Mapping[str, str], necks: Sequence[Neck], bn_order: Order
) -> list[str]:
    """Load a published state dict into a model or a layer of ours.

    Args:
        model: Changed in place.
        state: By published names.
        names: Published names, or beginnings of them, → ours.
        necks: The BN necks in the model; those that this variant of it lacks are passed over.
        bn_order: How their channels are ordered in `state`.

    Returns:
        What was assumed, a sentence each.

    Raises:
        ValueError: when the state does not fit; the model is unchanged then.
    """
    renamed = {to_ours(name, names) or name: tensor for name, tensor in state.items()}
    expected = model.state_dict()
    necks = [neck for neck in necks if f"{neck.prefix}classifier.weight" in expected]
    num_parts = {neck: expected[neck.linear or f"{neck.prefix}classifier.weight"].shape[0] for neck in necks}
    for neck in necks:
        renamed = join_parts(renamed, prefix=neck.prefix, num_parts=num_parts[neck])
    _check(renamed, expected, names)

    statements = []
    for neck in necks:
        order: Order = bn_order
        if bn_order == "auto":
            order, why = guess_order(renamed, prefix=neck.prefix, linear=neck.linear)
            statements.append(f"Channels of the BN neck: {why}.")
        if order == "part-major":
            renamed = part_to_channel_major(renamed, prefix=neck.prefix, num_parts=num_parts[neck], after=neck.after)
    model.load_state_dict(renamed)
    return statements


def _differing(state: Mapping[str, Tensor], built: Mapping[str, Tensor]) -> list[str]:
    """A sentence for what a file holds otherwise than the model builds it."""
    other = [name for name, tensor in built.items() if name in state and not _equal(state[name], tensor)]
    if not other:
        return []
    return [f"Mind: {_some(other)} in the file differs from what the model builds itself, and uses; it is left out."]


def _equal(stored: Tensor, built: Tensor) -> bool:
    return stored.shape == built.shape and torch.allclose(stored.to(built), built, rtol=1e-5, atol=1e-7)


def to_ours(name: str, names: Mapping[str, str]) -> str | None:
    """Our name of a published tensor, if it has one."""
    return next((ours + name[len(theirs) :] for theirs, ours in names.items() if name.startswith(theirs)), None)


def to_published(name: str, names: Mapping[str, str]) -> str:
    """The published name of one of our tensors."""
    return next((theirs + name[len(ours) :] for theirs, ours in names.items() if name.startswith(ours)), name)


def _check(renamed: Mapping[str, Tensor], expected: Mapping[str, Tensor], names: Mapping[str, str]) -> None:
    missing = [to_published(name, names) for name in expected if name not in renamed]
    left_over = [to_published(name, names) for name in renamed if name not in expected]
    misshapen = [
        f"{to_published(name, names)} is {_size(tensor)}, expected {_size(expected[name])}"
        for name, tensor in renamed.items()
        if name in expected and tensor.shape != expected[name].shape
    ]
    problems = {"missing": missing, "left over": left_over, "other shapes": misshapen}
    if any(problems.values()):
        raise ValueError("; ".join(f"{what}: {_some(found)}" for what, found in problems.items() if found))


def _difference(published: PublishedModel, name: str, found: Shapes, expected: Shapes) -> str:
    """What a file is, in words: another model, or the same one with other widths or classes."""
    for other, candidate in PUBLISHED_MODELS.items():
        if other != name and not any(value in (None, []) for value in candidate.facts(found).values()):
            return f"it holds a {other}; give the recipe of that model"
    in_file, wanted = published.facts(found), published.facts(expected)
    different = [
        f"{fact} {in_file.get(fact) or 'none'} in the file, {wanted[fact]} expected"
        for fact in wanted
        if in_file.get(fact) != wanted[fact]
    ]
    return "; ".join(different) or "its tensors differ"


def _shapes(state: Mapping[str, Tensor]) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _size(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a single number"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
