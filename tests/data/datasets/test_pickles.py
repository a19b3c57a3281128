from __future__ import annotations

import os
import pickle
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gaitway.data.datasets.pickles import read_pickled_array
from tests.data.datasets.raw import write_pickle

RNG = np.random.default_rng(0)
ARRAYS: dict[str, npt.NDArray[Any]] = {
    "silhouettes": RNG.integers(0, 256, (5, 16, 16), np.uint8),
    "poses": RNG.random((4, 17, 3)),
    "big-endian": RNG.random((4, 17, 3)).astype(">f4"),
    "columns first": np.asfortranarray(RNG.random((3, 4, 5))),
    "not contiguous": RNG.random((6, 8))[::2],
    "masks": RNG.random((2, 4, 4)) > 0.5,
    "empty": np.zeros((0, 64, 64), np.uint8),
    "one number": np.array(3.5),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ARRAYS)
def test_reads_arrays_of_every_protocol(tmp_path: Path, name: str, protocol: int) -> None:
    found = read_pickled_array(write_pickle(tmp_path / "a.pkl", ARRAYS[name], protocol))
    assert (found.shape, found.dtype) == (ARRAYS[name].shape, ARRAYS[name].dtype)
    np.testing.assert_array_equal(found, ARRAYS[name])


def body(value: Any) -> bytes:
    """A pickle of protocol 3 without its first two bytes and its end, to be put into another one."""
    return pickle.dumps(value, 3)[2:-1]


@pytest.mark.parametrize("core", [b"numpy.core", b"numpy._core"])
def test_knows_the_names_of_numpy_1_and_2(tmp_path: Path, core: bytes) -> None:
    file, expected = tmp_path / "a.pkl", np.array([[1, 2], [3, 4]], np.uint8)
    file.write_bytes(re.sub(rb"numpy\._?core", core, pickle.dumps(expected, 3)))
    np.testing.assert_array_equal(read_pickled_array(file), expected)
    call = b"c" + core + b".numeric\n_frombuffer\n"
    arguments = body(expected.tobytes()) + body(expected.dtype) + body((2, 2)) + body("C")
    file.write_bytes(b"\x80\x03" + call + b"(" + arguments + b"tR.")
    np.testing.assert_array_equal(read_pickled_array(file), expected)
    call = b"c" + core + b".multiarray\nscalar\n"
    file.write_bytes(b"\x80\x03" + call + b"(" + body(np.dtype("<u2")) + body(b"\x01\x01") + b"tR.")
    assert read_pickled_array(file) == 257


@pytest.mark.parametrize(
    "value",
    [[np.ones((2, 3), np.uint8), np.zeros((2, 3), np.uint8)], ([1, 2, 3], [4, 5, 6]), [np.float64(1), np.float64(2)]],
)
def test_a_list_becomes_one_array(tmp_path: Path, value: Any) -> None:
    found = read_pickled_array(write_pickle(tmp_path / "a.pkl", value))
    np.testing.assert_array_equal(found, np.array(value))


class RunsCode:
    """A pickle that would make a file when it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_never_runs_a_pickle(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "ran"
    for value in (RunsCode(trace), [np.zeros(2), RunsCode(trace)], np.array([RunsCode(trace)], dtype=object)):
        file = write_pickle(tmp_path / "bad.pkl", value, protocol)
        with pytest.raises(ValueError, match=r"bad\.pkl is not read: it (asks for \w+\.mkdir|holds an array of 'O8')"):
            read_pickled_array(file)
    assert not trace.exists()
    pickle.loads(file.read_bytes())
    assert trace.exists(), "the test is worth nothing when the pickle is harmless"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": 1}, "it holds a dict, expected an array of numbers"),
        (None, "it holds a NoneType"),
        ("text", "it holds a str"),
        (np.array(["text"]), "it holds an array of 'U4'"),
        (np.zeros(2, [("x", "u1")]), "it holds an array of 'V1'"),
        (np.zeros(2, "datetime64[s]"), "it holds an array of 'M8'"),
        (np.ma.zeros(3), "it asks for numpy.ma.core._mareconstruct"),
        ([np.zeros(2), np.zeros(3)], r"arrays of different shapes \(\(2,\), \(3,\)\)"),
        ([[[[[1]]]]], "it holds a list, expected"),
    ],
)
def test_says_what_else_a_pickle_holds(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.pkl is not read: .*{message}"):
        read_pickled_array(write_pickle(tmp_path / "a.pkl", value))


def test_lists_within_lists_do_not_fill_the_memory(tmp_path: Path) -> None:
    bomb: list[Any] = [0] * 100
    for _ in range(3):
        bomb = [bomb] * 100  # 10^8 numbers in a few hundred bytes
    with pytest.raises(ValueError, match="more items than the file has bytes"):
        read_pickled_array(write_pickle(tmp_path / "a.pkl", bomb))


@pytest.mark.parametrize("protocol", [0, 4, 5])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_names_a_file_that_is_cut_off(tmp_path: Path, protocol: int, share: float) -> None:
    content = pickle.dumps(ARRAYS["silhouettes"], protocol)
    file = tmp_path / "cut.pkl"
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"cut\.pkl is damaged or no pickle of an array .*copy the file again"):
        read_pickled_array(file)


def test_survives_any_damage(tmp_path: Path) -> None:
    file, rng, outcomes = tmp_path / "a.pkl", np.random.default_rng(0), Counter[bool]()
    for protocol in range(6):
        content = pickle.dumps(RNG.integers(0, 256, (1, 8, 8), np.uint8), protocol)
        for _ in range(100):
            damaged = bytearray(content)
            for position in rng.integers(0, len(content), 3):
                damaged[position] = rng.integers(0, 256)
            file.write_bytes(damaged)
            try:
                outcomes[read_pickled_array(file).dtype.kind in "biuf"] += 1
            except ValueError as error:
                outcomes[str(file) in str(error)] += 1
    assert outcomes == {True: 600}
