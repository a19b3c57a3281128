"""Reading checkpoint files of others without running anything that is in them."""

from __future__ import annotations

import collections
import pickle
import types
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor


@dataclass(frozen=True)
class CheckpointFile:
    """The weights in a published file, without the prefix that wrappers add, and how long they were trained."""

    path: Path
    state: dict[str, Tensor]
    iteration: int


def read_checkpoint(path: Path) -> CheckpointFile:
    """Read a published checkpoint: `{model, optimizer, scheduler, iteration}`, a bare state dict or safetensors.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is damaged, no checkpoint, or would run code.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file; give the .pt or .safetensors file of a published model")
    try:
        values = load_file(path) if path.suffix == ".safetensors" else _load(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or no safetensors file ({error}); download it again") from error
    iteration = 0
    if isinstance(values, dict) and "model" in values:
        found = values.get("iteration")
        iteration = found if isinstance(found, int) else 0
        values = values["model"]
    if not isinstance(values, dict) or not values or not all(isinstance(value, Tensor) for value in values.values()):
        what = (
            f"a dict of {', '.join(map(str, list(values)[:8]))}" if isinstance(values, dict) else type(values).__name__
        )
        raise ValueError(f"{path} holds {what}, not weights; expected tensors by name, or such a dict under 'model'")
    prefix = "module." if all(name.startswith("module.") for name in values) else ""
    return CheckpointFile(path, {name.removeprefix(prefix): tensor for name, tensor in values.items()}, iteration)


def _load(path: Path) -> Any:
    _check_kind(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes can lead torch.load to almost any error
        if not isinstance(error, pickle.UnpicklingError):
            raise _damaged(path, error) from error
    try:  # schedules that older PyTorch wrote hold functions, which `weights_only` refuses
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=_RESTRICTED)
    except _RefusedError as error:
        raise ValueError(
            f"{path} asks for {error} when it is opened, which could run code and which weights do not need; "
            "nothing was run. Don't use this file, or have its weights alone saved where it is trusted"
        ) from error
    except Exception as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ValueError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ValueError(f"{path} is damaged or no checkpoint ({reason}); download it again, or give another file")


def _check_kind(path: Path) -> None:
    """Say plainly what a file is that is often taken for a checkpoint."""
    with path.open("rb") as file:
        start = file.read(256)
    if not start:
        raise ValueError(f"{path} is empty; download it again")
    if start.lstrip()[:1] == b"<":
        raise ValueError(f"{path} is a web page, not a checkpoint; download the file itself")
    if not start.startswith(b"PK"):
        return
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is truncated: a checkpoint whose end is missing; download it again")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if not any(name.endswith("data.pkl") for name in names):
        inside = [name for name in names if name.endswith((".pt", ".pth", ".safetensors"))]
        raise ValueError(f"{path} is an archive, not a checkpoint; unpack it and give one of {inside or names[:8]}")


class _RefusedError(pickle.UnpicklingError):
    """Names what a pickle asked for."""


class _Ignored:
    """Stands for an optimiser's or schedule's object: takes everything, does nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Ignored:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...


_ALLOWED = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
    **{
        ("torch", kind): getattr(torch, kind)
        for kind in ("FloatStorage", "HalfStorage", "DoubleStorage", "LongStorage")
    },
}
_IGNORED = {
    *(("builtins", name) for name in ("getattr", "object", "dict")),
    *(("__builtin__", name) for name in ("getattr", "object", "dict")),
    *(("copyreg", "_reconstructor"), ("copy_reg", "_reconstructor"), ("collections", "defaultdict")),
}


class _Unpickler(pickle.Unpickler):
    """Knows tensors, ignores what belongs to `torch.optim`, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        """What the pickle's name stands for; nothing of it can run code."""
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        if (module, name) in _IGNORED or module == "torch.optim" or module.startswith("torch.optim."):
            return _Ignored
        raise _RefusedError(f"{module}.{name}")


_RESTRICTED = types.SimpleNamespace(
    __name__="gaitway restricted pickle",
    Unpickler=_Unpickler,
    load=lambda file, **kwargs: _Unpickler(file, **kwargs).load(),
)
