"""Checkpoints: a folder with the weights, what is needed to rebuild the model, and what is needed to train on.

    model.safetensors   the weights
    config.json         the model and how it is evaluated
    trainer.pt          optimiser, schedule, loss scaler, random states; absent where there is nothing to resume

A checkpoint is written under a temporary name and renamed, so that it is there whole or not at all.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gaitway.training.recipe import Component, Recipe, build_model

WEIGHTS, CONFIG, TRAINER = "model.safetensors", "config.json", "trainer.pt"
CHECKPOINTS = "checkpoints"
FORMAT_VERSION = 1


def model_config(recipe: Recipe, *, recipe_name: str, num_classes: int, step: int) -> dict[str, Any]:
    """What `config.json` says: enough to rebuild the model and to evaluate it as its recipe does."""
    values = recipe.as_dict()
    kept = ("model", "data", "evaluation", "published")
    parts: dict[str, Any] = {part: values[part] for part in kept if part in values}
    return {"format": FORMAT_VERSION, "recipe": recipe_name, "step": step, "num_classes": num_classes, **parts}


def save_checkpoint(
    folder: Path, *, weights: Mapping[str, Tensor], config: Mapping[str, Any], trainer: Mapping[str, Any] | None = None
) -> None:
    """Write a checkpoint.

    Args:
        folder: Does not exist yet.
        weights: The model's state dict.
        config: From `model_config`.
        trainer: What training goes on from.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed while it wrote
    partial.mkdir(parents=True)
    # every tensor its own memory: safetensors refuses tensors that share it
    save_file({name: tensor.detach().cpu().clone().contiguous() for name, tensor in weights.items()}, partial / WEIGHTS)
    (partial / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
    if trainer is not None:
        torch.save(dict(trainer), partial / TRAINER)
    partial.rename(folder)


def checkpoint_path(run: Path, step: int) -> Path:
    """Where a run keeps its checkpoint of a step."""
    return run / CHECKPOINTS / f"{step:07d}"


def find_checkpoint(path: str | Path) -> Path:
    """The checkpoint that `path` is, or the latest one of the run that it is.

    Raises:
        FileNotFoundError: when it is neither.
    """
    path = Path(path)
    if (path / CONFIG).is_file():
        return path
    steps = [entry for entry in (path / CHECKPOINTS).glob("*") if entry.name.isdecimal() and (entry / CONFIG).is_file()]
    if steps:
        return max(steps, key=lambda entry: int(entry.name))
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; give a checkpoint's folder or a run's folder")
    raise FileNotFoundError(
        f"{path} is neither a checkpoint (no {CONFIG} in it) nor a run with one (none in {path / CHECKPOINTS}); "
        "a checkpoint of another code base becomes one by `gaitway import checkpoint`"
    )


def run_of(checkpoint: Path) -> Path:
    """The folder of the run that a checkpoint belongs to; the checkpoint itself where it belongs to none."""
    return checkpoint.parent.parent if checkpoint.parent.name == CHECKPOINTS else checkpoint


def read_config(checkpoint: Path) -> dict[str, Any]:
    """The `config.json` of a checkpoint's folder.

    Raises:
        ValueError: when it is damaged or of another format.
    """
    path = checkpoint / CONFIG
    try:
        config = json.loads(path.read_text())
        if config["format"] != FORMAT_VERSION:
            raise ValueError(f"{path}: checkpoint format {config['format']}, this Gaitway reads {FORMAT_VERSION}")
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error!r}); use another checkpoint") from error
    return dict(config)


def read_weights(checkpoint: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint's folder, on the CPU.

    Raises:
        ValueError: when the file is damaged.
    """
    path = checkpoint / WEIGHTS
    try:
        weights: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be read ({error}); use another checkpoint") from error
    return weights


def read_trainer(checkpoint: Path) -> dict[str, Any]:
    """What training goes on from; read without executing anything in it.

    Raises:
        FileNotFoundError: when the checkpoint is one of weights alone.
        ValueError: when the file is damaged.
    """
    path = checkpoint / TRAINER
    if not path.is_file():
        raise FileNotFoundError(
            f"{checkpoint} holds weights alone, no {TRAINER} to resume from; start from it by --init"
        )
    try:
        trainer: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever the damaged bytes lead it to
        raise ValueError(f"{path} cannot be read ({error}); use another checkpoint") from error
    return trainer


def load_model(path: str | Path) -> nn.Module:
    """Rebuild a trained model, in evaluation mode on the CPU.

    Args:
        path: A checkpoint's folder, or a run's folder, whose latest checkpoint is taken.

    Raises:
        FileNotFoundError: when there is no checkpoint.
        ValueError: when it is damaged or does not fit its own description.
    """
    checkpoint = find_checkpoint(path)
    config = read_config(checkpoint)
    arguments = dict(config["model"])
    model = build_model(Component(arguments.pop("name"), arguments), config["num_classes"])
    load_weights(model, read_weights(checkpoint), source=str(checkpoint))
    return model.eval()


def load_weights(
    model: nn.Module,
    weights: Mapping[str, Tensor],
    *,
    source: str,
    partial: bool = False,
    may_lack: Sequence[str] = (),
) -> list[str]:
    """Load weights into a model, all of them or, with `partial`, those that fit by name and shape.

    Args:
        model: Changed in place.
        weights: By name.
        source: Where they are from, for messages.
        partial: Leave what does not fit as it is.
        may_lack: Beginnings of the names of tensors that stay as they are if there are no weights for them.

    Returns:
        What did not fit or was lacking, a sentence each.

    Raises:
        ValueError: when something does not fit and not `partial`, or when nothing fits.
    """
    own = model.state_dict()
    missing = [name for name in own if name not in weights]
    lacking = [f"{name} is missing" for name in missing if name.startswith(tuple(may_lack))]
    misfits = [f"{name} is missing" for name in missing if not name.startswith(tuple(may_lack))]
    misfits += [f"{name} is left over" for name in weights if name not in own]
    fitting = {}
    for name, tensor in weights.items():
        if name in own and tensor.shape == own[name].shape:
            fitting[name] = tensor
        elif name in own:
            misfits.append(f"{name} is {tuple(tensor.shape)}, the model has {tuple(own[name].shape)}")
    if misfits and (not partial or not fitting):
        shown = "; ".join(misfits[:6]) + (f"; and {len(misfits) - 6} more" if len(misfits) > 6 else "")
        hint = " Take what fits by --init-partial." if fitting else " It is of another model."
        raise ValueError(f"{source} does not fit {type(model).__name__}: {shown}.{hint}")
    model.load_state_dict(fitting, strict=False)
    return lacking + misfits
