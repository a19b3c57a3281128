"""Optimisers and learning-rate schedules of PyTorch by name, with checked arguments."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


def create_optimizer(parameters: Iterable[nn.Parameter], name: str, **arguments: Any) -> Optimizer:
    """Build the class `name` of `torch.optim`.

    Raises:
        ValueError: on an unknown name or argument; names the nearest known one.
    """
    kind = _find(torch.optim, Optimizer, name, "optimiser")
    _check_arguments(kind, arguments)
    optimizer: Optimizer = kind(parameters, **arguments)
    return optimizer


def create_schedule(optimizer: Optimizer, name: str, **arguments: Any) -> LRScheduler:
    """Build the class `name` of `torch.optim.lr_scheduler`, to be stepped once after every counted update.

    Raises:
        ValueError: on an unknown name or argument; names the nearest known one.
    """
    kind = _find(torch.optim.lr_scheduler, LRScheduler, name, "schedule")
    _check_arguments(kind, arguments)
    schedule: LRScheduler = kind(optimizer, **arguments)
    return schedule


def _find(module: ModuleType, base: type, name: str, what: str) -> type:
    known = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, base) and value is not base and not key.startswith("_")
    }
    if name not in known:
        raise ValueError(f"no {what} {name!r} in {module.__name__}{_nearest(name, known)}; known: {', '.join(known)}")
    return known[name]


def _check_arguments(kind: type, arguments: Mapping[str, Any]) -> None:
    known = list(inspect.signature(kind).parameters)[1:]  # without the parameters or the optimiser
    for argument in arguments:
        if argument not in known:
            raise ValueError(
                f"{kind.__name__} has no argument {argument!r}{_nearest(argument, known)}; it has {', '.join(known)}"
            )


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {near[0]!r}?" if near else ""
