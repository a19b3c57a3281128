"""Reading pickled arrays without running what a pickle says.

A pickle is a program: loading one from a stranger with `pickle.load` or `numpy.load` may do anything. The unpickler
here knows the few names by which NumPy arrays are pickled (protocols 0 to 5, NumPy 1 and 2) and puts harmless stand-ins
of this file in their place; not even NumPy's own functions are called by the pickle. Any other name is refused.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_LIST_DEPTH = 4


class RefusedError(ValueError):
    """A pickle that holds something else than arrays of numbers."""


def read_pickled_array(path: Path) -> npt.NDArray[Any]:
    """The array of numbers in a pickle file; a list of equal arrays or of numbers becomes one array.

    Args:
        path: File with one pickled array, as OpenGait's preparation writes.

    Returns:
        The array; read-only, it shares memory with the bytes of the file.

    Raises:
        ValueError: when the file is cut off, is no pickle or holds anything but numbers; the message names it.
    """
    return unpickle_array(path.read_bytes(), str(path))


def unpickle_array(content: bytes, name: str) -> npt.NDArray[Any]:
    """The array in the bytes of a pickle file that messages call `name`; otherwise as `read_pickled_array`."""
    try:
        _check_lengths(content)
        return _as_array(_ArrayUnpickler(io.BytesIO(content)).load(), _Budget(len(content)))
    except RefusedError as error:
        raise ValueError(f"{name} is not read: {error}") from error
    except Exception as error:  # a damaged pickle makes the unpickler raise nearly anything
        reason = str(error).strip("'\"") or type(error).__name__
        raise ValueError(
            f"{name} is damaged or no pickle of an array ({len(content)} bytes; {reason}); copy the file again"
        ) from error


class _DType:
    """Stands in for `numpy.dtype`: plain numbers only."""

    def __init__(self, code: str, *_: object) -> None:
        if np.dtype(code).kind not in "biuf" or np.dtype(code).fields is not None:
            raise RefusedError(f"it holds an array of {code!r}, expected an array of numbers")
        self.value = np.dtype(code)

    def __setstate__(self, state: tuple[object, ...]) -> None:
        if state[2:5] != (None, None, None):
            raise RefusedError("it holds a structured array, expected an array of numbers")
        if state[1] in ("<", ">"):
            self.value = self.value.newbyteorder("<" if state[1] == "<" else ">")


class _Array:
    """Stands in for `numpy.ndarray`: its shape and bytes, once they are read."""

    value: npt.NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, is_fortran, data = state
        self.value = _from_bytes(data, dtype, shape, "F" if is_fortran else "C").value


def _reconstruct(kind: type[_Array], *_: object) -> _Array:
    if kind is not _Array:
        raise RefusedError("it holds an object that is no plain array")
    return _Array()


def _from_bytes(data: bytes, dtype: _DType, shape: tuple[int, ...], order: Any) -> _Array:
    array = _Array()
    array.value = np.frombuffer(data, _checked(dtype)).reshape(shape, order=order)
    return array


def _scalar(dtype: _DType, data: bytes) -> _Array:
    return _from_bytes(data, dtype, (), "C")


def _checked(dtype: _DType) -> np.dtype[Any]:
    if not isinstance(dtype, _DType):
        raise RefusedError("it holds an array without a type")
    return dtype.value


def _latin1(text: str, encoding: str) -> bytes:
    """Bytes before protocol 3 are text to be encoded."""
    if encoding != "latin1":
        raise RefusedError(f"it wants to encode text as {encoding}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """The empty bytes before protocol 3."""
    return b""


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _latin1,
    ("__builtin__", "bytes"): _no_bytes,
    ("builtins", "bytes"): _no_bytes,
    **{
        (f"numpy.{core}.{module}", name): stand_in
        for core in ("core", "_core")
        for module, name, stand_in in (
            ("multiarray", "_reconstruct", _reconstruct),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_bytes),
        )
    },
}


def _check_lengths(content: bytes) -> None:
    """Go through a pickle without loading it: the unpickler reserves as much memory as a length or position says."""
    for opcode, argument, _ in pickletools.genops(content):  # raises ValueError when a length goes beyond the end
        if "PUT" in opcode.name and isinstance(argument, int) and argument > len(content):
            raise ValueError("a position beyond the end of the file")


class _ArrayUnpickler(pickle.Unpickler):
    """Refuses every name that is not in the table above."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise RefusedError(
                f"it asks for {module}.{name}, and Gaitway reads only arrays of numbers from pickles because others "
                "can run any program; if you trust the file, load it yourself and save a NumPy array"
            )
        return _KNOWN[module, name]


class _Budget:
    """Ends the reading of lists that contain each other many times: an honest list has no more items than bytes."""

    def __init__(self, items: int) -> None:
        self.items = items

    def spend(self, items: int) -> None:
        self.items -= items
        if self.items < 0:
            raise RefusedError("its lists have more items than the file has bytes")


def _as_array(value: Any, budget: _Budget, depth: int = 0) -> npt.NDArray[Any]:
    match value:
        case _Array(value=np.ndarray() as array):
            return array
        case bool() | int() | float():
            return np.array(value)
        case list() | tuple() if depth < MAX_LIST_DEPTH:
            budget.spend(len(value))
            items = [_as_array(item, budget, depth + 1) for item in value]
            if len({item.shape for item in items}) > 1:
                shapes = ", ".join(sorted({str(item.shape) for item in items})[:4])
                raise RefusedError(f"it holds a list of arrays of different shapes ({shapes}), expected one shape")
            return np.stack(items) if items else np.zeros(0)
    raise RefusedError(f"it holds a {type(value).__name__.strip('_')}, expected an array of numbers")
