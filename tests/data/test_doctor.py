from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gaitway.data import Store
from gaitway.data.datasets.facts import FACTS
from gaitway.data.doctor import Diagnosis, Finding, Severity, examine
from gaitway.data.partitions import load_partition
from gaitway.data.store import FrameFormat, LeftOut
from gaitway.data.store_writer import StoreWriter

Names = tuple[str, str, str]
CASIA_B = load_partition("casia-b")


def person(names: Names, num_frames: int = 16, size: int = 8) -> npt.NDArray[np.uint8]:
    """A tiny aligned silhouette, its own for every name."""
    frames = np.zeros((num_frames, size, size), np.uint8)
    frames[:, :, size // 2 - 2 : size // 2 + 2] = 255
    code = np.frombuffer("-".join(names).encode().ljust(size * 2, b"x")[: size * 2], np.uint8)
    frames[0, :, size // 2 - 1 : size // 2 + 1] = 128 + code.reshape(size, 2) % 128
    return frames


def casia_b_names() -> Iterable[Names]:
    """Names like those of a prepared CASIA-B: 8,107 train and 5,485 test sequences."""
    to_lack = {"train": 33, "test": 15}
    for part, subjects in (("train", CASIA_B.train), ("test", CASIA_B.test)):
        for names in product(subjects, CASIA_B.types, CASIA_B.views):
            if names[1] == "cl-02" and names[2] == "090" and to_lack[part]:
                to_lack[part] -= 1
            else:
                yield names


@dataclass
class Made:
    """A store to be, easily changed for the worse."""

    dataset: str = "made-up"
    frames: dict[Names, dict[str, npt.NDArray[Any]]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    num: int = 0

    def add(self, names: Iterable[Names]) -> Made:
        self.frames |= {key: {"silhouettes": person(key)} for key in names}
        return self

    def examine(self, folder: Path) -> Diagnosis:
        return examine(self.write(folder))

    def write(self, folder: Path) -> Store:
        formats = {
            name: FrameFormat(array.shape[1:], str(array.dtype))
            for arrays in self.frames.values()
            for name, array in arrays.items()
        }
        with StoreWriter(folder / "store", dataset=self.dataset, modalities=formats, made={}) as writer:
            for number, (names, frames) in enumerate(self.frames.items()):
                writer.add(*names, frames, self.left_out if number == 0 else [])
        return Store(folder / "store")


@pytest.fixture
def made() -> Made:
    return Made().add(product(("a", "b"), ("nm", "bg"), ("000", "090")))


def finding(diagnosis: Diagnosis, check: str) -> Finding:
    (found,) = (finding for finding in diagnosis.findings if finding.check == check)
    return found


def problems(diagnosis: Diagnosis) -> dict[str, Severity]:
    return {found.check: found.severity for found in diagnosis.findings if found.severity is not Severity.FINE}


SIZE = "size of silhouettes"  # the tiny frames of these tests are no published size


def test_a_sound_store_of_an_unknown_data_set(made: Made, tmp_path: Path) -> None:
    diagnosis = made.examine(tmp_path)
    assert problems(diagnosis) == {SIZE: Severity.WARNING}
    assert diagnosis.is_sound
    assert "nothing is known of 'made-up'" in diagnosis.known_as
    assert finding(diagnosis, "subject × condition × view").found == "8 sequences, 0 missing"
    assert all(bool(found.means) == (found.severity is not Severity.FINE) for found in diagnosis.findings)


def test_json_holds_every_finding(made: Made, tmp_path: Path) -> None:
    diagnosis = made.examine(tmp_path)
    values = json.loads(diagnosis.to_json())
    assert values["dataset"] == "made-up"
    assert [entry["check"] for entry in values["findings"]] == [found.check for found in diagnosis.findings]
    assert {entry["severity"] for entry in values["findings"]} == {"fine", "warning"}


@pytest.fixture(scope="module")
def casia_b(tmp_path_factory: pytest.TempPathFactory) -> Diagnosis:
    return Made("CASIA-B").add(casia_b_names()).examine(tmp_path_factory.mktemp("casia-b"))


def test_casia_b_with_its_known_gaps_is_sound(casia_b: Diagnosis) -> None:
    assert casia_b.is_sound
    assert casia_b.known_as == FACTS["casia-b"].title
    assert problems(casia_b) == {
        SIZE: Severity.WARNING,
        "subject × condition × view": Severity.NOTE,
        "subject 005": Severity.NOTE,
    }
    grid = finding(casia_b, "subject × condition × view")
    assert (grid.found[:30], grid.expected) == ("13,592 sequences, 48 missing (", "13,640")
    assert len(grid.examples) == 48
    assert finding(casia_b, "test sequences").found == "5,485"
    assert finding(casia_b, "test sequences").expected == "5,485 with valid frames, of 5,500 recorded"
    assert finding(casia_b, "train subjects").found == "74 of 74"


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        (lambda names: names[0] != "080", {"test subjects": "serious", "test sequences": "serious"}),
        (lambda names: names[0] != "010", {"train subjects": "warning", "train sequences": "serious"}),
        (lambda names: names != ("080", "nm-01", "000"), {"test sequences": "warning"}),
        (
            lambda names: names[2] != "036",
            {"views": "serious", "test sequences": "serious", "train sequences": "serious"},
        ),
    ],
    ids=["test subject", "train subject", "one sequence", "view"],
)
def test_casia_b_with_something_missing(
    tmp_path: Path, casia_b: Diagnosis, keep: Callable[[Names], bool], expected: dict[str, str]
) -> None:
    diagnosis = Made("casia-b").add(filter(keep, casia_b_names())).examine(tmp_path)
    new = {check: severity for check, severity in problems(diagnosis).items() if check not in problems(casia_b)}
    assert new == expected
    assert diagnosis.is_sound == ("serious" not in expected.values())


def test_unknown_subjects_and_conditions_of_casia_b(tmp_path: Path) -> None:
    names = [*casia_b_names(), ("README", "nm-01", "000"), ("001", "xx-01", "000")]
    diagnosis = Made("casia-b").add(names).examine(tmp_path)
    assert finding(diagnosis, "other subjects").examples == ("README",)
    assert finding(diagnosis, "sequences per subject").examples == ("README",)
    conditions = finding(diagnosis, "conditions")
    assert (conditions.severity, conditions.examples) == (Severity.WARNING, ("xx-01",))


def change(made: Made, function: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]], every: int = 1) -> None:
    """Apply a function to the silhouettes of every so-manieth sequence."""
    for frames in list(made.frames.values())[::every]:
        frames["silhouettes"] = function(frames["silhouettes"])


def only(shape: tuple[int, ...], keep: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """1 for the frames, rows or columns to keep, else 0."""
    return keep.reshape(shape).astype(np.uint8)


@pytest.mark.parametrize(
    ("function", "check", "severity", "means"),
    [
        (lambda f: f // 128, "values of", "serious", "multiply by 255"),
        (lambda f: f // 25, "values of", "serious", "labels"),
        (lambda f: 255 - f // 2, "size of the person in", "serious", "swapped"),
        (lambda f: f * only((1, 8, 8), np.arange(64) == 4), "size of the person in", "serious", "speck"),
        (lambda f: f * only((1, 8, 1), np.arange(8) < 5), "person's height in", "serious", "rows"),
        (lambda f: np.roll(f, 2, axis=2), "person's place in", "serious", "columns"),
        (lambda f: f * only((16, 1, 1), np.arange(16) != 3), "empty frames in", "warning", "dilute"),
        (lambda f: f[:4], "sequences of fewer than 5 frames", "warning", "misidentified"),
        (lambda f: f[:14], "sequences of fewer than 15 frames", "warning", "30"),
    ],
)
def test_says_what_is_wrong_with_silhouettes(
    made: Made, tmp_path: Path, function: Callable[[Any], Any], check: str, severity: str, means: str
) -> None:
    change(made, function)
    found = finding(made.examine(tmp_path), check if check.endswith("frames") else f"{check} silhouettes")
    assert found.severity == severity
    assert means in found.means


def test_names_the_sequences_that_are_concerned(made: Made, tmp_path: Path) -> None:
    change(made, lambda frames: frames * (np.arange(16) != 3)[:, None, None].astype(np.uint8), every=5)
    diagnosis = made.examine(tmp_path)
    assert finding(diagnosis, "empty frames in silhouettes").examples == ("a-nm-000", "b-nm-090")
    assert finding(diagnosis, "empty frames in silhouettes").found == "2 in 2 sequences"


def test_a_few_noisy_frames_are_no_matter(tmp_path: Path) -> None:
    made = Made().add(product(map(str, range(7)), ("nm",), ("000", "090")))
    made.frames["0", "nm", "000"]["silhouettes"][1, 5:] = 0  # 1 of 224 frames
    assert finding(made.examine(tmp_path), "person's height in silhouettes").severity is Severity.FINE


def test_duplicates_across_people_are_serious(made: Made, tmp_path: Path) -> None:
    made.frames["a", "nm", "090"] = made.frames["a", "bg", "090"]
    found = finding(made.examine(tmp_path), "same silhouettes twice")
    assert (found.severity, found.examples) == (Severity.WARNING, ("a-nm-090 = a-bg-090",))
    made.frames["b", "nm", "000"] = made.frames["a", "nm", "000"]
    (tmp_path / "again").mkdir()
    found = finding(made.examine(tmp_path / "again"), "same silhouettes twice")
    assert found.severity is Severity.SERIOUS
    assert "a-nm-000 = b-nm-000" in found.examples


def test_a_changed_byte_is_serious(made: Made, tmp_path: Path) -> None:
    store = made.write(tmp_path)
    frames = bytearray(store.frames_file("silhouettes").read_bytes())
    frames[5000] ^= 1
    store.frames_file("silhouettes").write_bytes(frames)
    diagnosis = examine(Store(store.path))
    assert finding(diagnosis, "checksum of silhouettes").severity is Severity.SERIOUS
    assert not diagnosis.is_sound


def test_lists_what_was_left_out(made: Made, tmp_path: Path) -> None:
    made.left_out = [LeftOut("frames", "no data", 3), LeftOut("sequence", "damaged", detail="x.pkl")]
    found = finding(made.examine(tmp_path), "left out when prepared")
    assert (found.severity, found.found) == (Severity.NOTE, "3 frames: no data; 1 sequence: damaged")
    assert found.examples == ("a-nm-000",)


def test_a_missing_combination_is_noted_only_where_there_is_a_design(made: Made, tmp_path: Path) -> None:
    del made.frames["a", "nm", "090"]
    found = finding(made.examine(tmp_path), "subject × condition × view")
    assert (found.severity, found.examples) == (Severity.NOTE, ("a-nm-090",))
    wild = Made().add((str(number), f"cam{number}", "seq0") for number in range(5))
    (tmp_path / "wild").mkdir()
    assert "subject × condition × view" not in {found.check for found in wild.examine(tmp_path / "wild").findings}


def test_poses(made: Made, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for frames in made.frames.values():
        frames["poses"] = (rng.random((16, 17, 3)) * [50, 100, 1] + [100, 50, 0]).astype(np.float32)
    sound = made.examine(tmp_path)
    assert problems(sound) == {SIZE: Severity.WARNING}

    made.frames["a", "nm", "000"]["poses"][3, 5, 0] = np.nan
    made.frames["a", "nm", "090"]["poses"][3, :, :2] = 0
    made.frames["b", "nm", "000"]["poses"] = made.frames["b", "nm", "000"]["poses"][:15]
    del made.frames["b", "nm", "090"]["poses"]
    (tmp_path / "bad").mkdir()
    bad = made.examine(tmp_path / "bad")
    assert problems(bad) == {
        SIZE: Severity.WARNING,
        "modalities per sequence": Severity.WARNING,
        "lengths of modalities": Severity.WARNING,
        "numbers in poses": Severity.SERIOUS,
        "joints found in poses": Severity.WARNING,
    }
    assert finding(bad, "numbers in poses").examples == ("a-nm-000",)
    assert finding(bad, "joints found in poses").examples == ("a-nm-090",)
    assert finding(bad, "lengths of modalities").examples == ("b-nm-000",)
    assert finding(bad, "modalities per sequence").examples == ("b-nm-090",)


def test_poses_of_another_kind(made: Made, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for frames in made.frames.values():
        frames["poses"] = rng.random((16, 17, 3)).astype(np.float32)
        frames["poses"][..., 2] = 1
    diagnosis = made.examine(tmp_path)
    assert problems(diagnosis) == {
        SIZE: Severity.WARNING,
        "size of the person in poses": Severity.SERIOUS,
        "confidences in poses": Severity.NOTE,
    }
    assert finding(diagnosis, "confidences in poses").found == "1 for every joint"
    for frames in made.frames.values():
        frames["poses"] *= [100, 100, 7]
    made.frames["a", "nm", "090"]["poses"][7:9, :, 0] += 200  # somebody else
    (tmp_path / "other").mkdir()
    diagnosis = made.examine(tmp_path / "other")
    assert problems(diagnosis) == {
        SIZE: Severity.WARNING,
        "confidences in poses": Severity.WARNING,
        "jumps in poses": Severity.WARNING,
    }
    jumps = finding(diagnosis, "jumps in poses")
    assert (jumps.found, jumps.examples) == ("2 in 1 sequences", ("a-nm-090",))


def test_silhouettes_are_counted_apart_from_poses(tmp_path: Path) -> None:
    """What is known of CASIA-B is how many silhouettes there are."""
    only_poses = Made("casia-b")
    only_poses.frames["001", "nm-01", "000"] = {"poses": np.ones((16, 17, 3), np.float32)}
    assert "train sequences" not in problems(only_poses.examine(tmp_path))
    mixed = Made("casia-b").add([("001", "nm-01", "000")])
    mixed.frames["002", "nm-01", "000"] = {"poses": np.ones((16, 17, 3), np.float32)}
    (tmp_path / "mixed").mkdir()
    assert finding(mixed.examine(tmp_path / "mixed"), "train sequences").found == "1"
