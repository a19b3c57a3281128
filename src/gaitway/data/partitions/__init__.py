"""Which subjects train and which test: the published splits, one JSON file each in this folder."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gaitway.data.sampling import Ints
from gaitway.data.store import Store

OPENGAIT_KEYS = {"TRAIN_SET": "train", "TEST_SET": "test", "PROBE_SET": "probe", "GALLERY_SET": "gallery"}


@dataclass(frozen=True)
class Partition:
    """A split of a data set.

    Args:
        name: What it was loaded by.
        dataset: Name of the data set.
        train: Names of the training subjects.
        test: Names of the test subjects.
        views: All views of the data set, where the split names them.
        types: All conditions of the data set, where the split names them.
        probe: Names (`subject-condition-view`) of the probe sequences, where the split lists sequences.
        gallery: Likewise of the gallery sequences.
        protocols: Which conditions form probe and gallery, as the file says it.
    """

    name: str
    dataset: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    views: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    probe: tuple[str, ...] = ()
    gallery: tuple[str, ...] = ()
    protocols: Mapping[str, Any] = field(default_factory=dict)

    def rows(self, store: Store, part: Literal["train", "test"], modalities: Sequence[str] = ("silhouettes",)) -> Ints:
        """Rows of a part's sequences in the store that have the modalities, in the order of the index.

        Without modalities these are all of the part's sequences; `usable_rows` says which of them lack something.
        Subjects that the store does not have are passed over, as the published code does.

        Raises:
            ValueError: when there is no such sequence.
        """
        index = store.index
        subjects: tuple[str, ...] = getattr(self, part)
        of_part = index.rows_of(frozenset(subjects))
        if not len(of_part):
            have, wanted = sorted(set(index.subjects.tolist())), subjects or ("none",)
            raise ValueError(
                f"no {part} subject of partition {self.name} is in {store.path}: it has {_some(have)} of "
                f"{store.manifest.dataset}, the partition lists {_some(wanted)} of {self.dataset}; "
                "use the partition of this data set"
            )
        counts = [
            np.zeros(len(index), np.int64) if m not in index.num_frames else index.num_frames[m] for m in modalities
        ]
        rows = of_part[np.all([np.ones(len(of_part), bool), *(count[of_part] > 0 for count in counts)], axis=0)]
        if not len(rows):
            raise ValueError(
                f"none of the {len(of_part)} {part} sequences in {store.path} has {' and '.join(modalities)}; "
                f"the store has {', '.join(store.manifest.modalities)}"
            )
        return rows


def list_partitions() -> list[str]:
    """Names of the partitions that ship with Gaitway."""
    folder = files(__name__)
    return sorted(file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json"))


def load_partition(name: str | Path) -> Partition:
    """Read a partition.

    Args:
        name: One that ships with Gaitway, such as `casia-b`, or the path of a JSON file with our keys (`train`,
            `test`, …) or OpenGait's (`TRAIN_SET`, `TEST_SET`, `PROBE_SET`, `GALLERY_SET`).

    Raises:
        ValueError: when there is no such partition (names the nearest one), or the file is not one.
    """
    if str(name) in list_partitions():
        text = (files(__name__) / f"{name}.json").read_text()
    elif Path(name).is_file():
        text = Path(name).read_text()
    else:
        near = difflib.get_close_matches(str(name), list_partitions(), n=1, cutoff=0.4)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(
            f"no partition {str(name)!r}: neither a file nor one that ships with Gaitway{hint}; "
            f"known are {', '.join(list_partitions())}"
        )
    try:
        return _parse(str(name), json.loads(text))
    except (json.JSONDecodeError, ValueError) as error:
        raise ValueError(f"partition {name}: {error}") from error


def _parse(name: str, values: Any) -> Partition:
    if not isinstance(values, dict):
        raise ValueError(f"expected a JSON object with train and test, found a {type(values).__name__}")
    values = {OPENGAIT_KEYS.get(key, key): value for key, value in values.items()}
    lists: dict[str, tuple[str, ...]] = {}
    for key in ("train", "test", "views", "types", "probe", "gallery"):
        names = values.get(key, [])
        if not isinstance(names, list) or not all(isinstance(entry, str) for entry in names):
            raise ValueError(f'{key} must be a list of names in quotes, such as "001"')
        lists[key] = tuple(names)
    if "train" not in values or "test" not in values:
        raise ValueError(f"expected lists train and test (or TRAIN_SET and TEST_SET), found {', '.join(values)}")
    return Partition(
        name=name, dataset=values.get("dataset", Path(name).stem), protocols=values.get("protocols", {}), **lists
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]}, {names[1]}, … {names[-1]} ({len(names)})"
