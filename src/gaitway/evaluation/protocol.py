"""Protocols as data: which sequences are probes, which gallery, which pairs are left out, which figures are reported.

A protocol is a YAML file in `protocols/`; its path there without `.yaml` is its name. `casia-b.yaml`:

    dataset: casia-b
    measures: One sentence that says what the figures mean.
    gallery: {conditions: [nm-01, nm-02, nm-03, nm-04]}
    probes:
      NM: {conditions: [nm-05, nm-06]}
    probes_by: view
    gallery_by: view
    exclude: [view]
    ranks: [1, 5, 10]
    decimals: 2
    without_match: error
    complete_design: true

Where every probe set has a gallery of its own, `gallery` has the names of the sets as keys (`ccpg.yaml`). Where the
partition of the data set lists sequences, one side says `listed: probe` and the other `others: true` (`gait3d.yaml`).
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import yaml

from gaitway.evaluation.re_ranking import ReRanking
from gaitway.evaluation.submission_format import FORMATS

WithoutMatch = Literal["error", "miss", "skip"]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

LISTS = ("exclude", "ranks", "without_views", "extra_subjects")
"""Keys of a protocol that are written as lists."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which sequences belong to a probe set or a gallery: those to which everything given here applies.

    Args:
        conditions: Condition names, or shell patterns of them (`*-nm-*`); one must fit.
        subjects: Likewise of subject names.
        listed: Names `subject-condition-view`; None: whatever the name.
        others: Take what the other side (all probe sets, or all galleries) does not take.
    """

    conditions: tuple[str, ...] = ("*",)
    subjects: tuple[str, ...] = ("*",)
    listed: frozenset[str] | None = None
    others: bool = False

    def member(self, subjects: Sequence[str], conditions: Sequence[str], views: Sequence[str]) -> Bools:
        """Which of n sequences belong, `(n,)`; `others` is not looked at."""
        chosen = _fitting(conditions, self.conditions) & _fitting(subjects, self.subjects)
        if self.listed is not None:
            names = map("-".join, zip(subjects, conditions, views, strict=True))
            chosen &= np.fromiter((name in self.listed for name in names), np.bool_, len(chosen))
        return chosen

    def expected(self, conditions: Sequence[str]) -> set[str]:
        """The conditions that a complete data set has: those named outright and those found for a pattern."""
        found = np.array(conditions)[_fitting(conditions, self.conditions)]
        return {c for c in self.conditions if not set(c) & set("*?[")} | set(found.tolist())

    def __str__(self) -> str:
        """In words, for messages."""
        parts = [f"{len(self.listed)} listed sequences"] if self.listed is not None else []
        parts += [f"subjects {', '.join(self.subjects)}"] * (self.subjects != ("*",))
        parts += [f"conditions {', '.join(self.conditions)}"] * (self.conditions != ("*",))
        return " of ".join(parts) or ("all others" if self.others else "all sequences")


def _fitting(names: Sequence[str], patterns: tuple[str, ...]) -> Bools:
    """Which of the names fit one of the patterns."""
    distinct, place = np.unique(np.asarray(names, dtype=np.str_), return_inverse=True)
    fits = np.array([any(fnmatchcase(name, pattern) for pattern in patterns) for name in distinct.tolist()], np.bool_)
    fitting: Bools = fits[place]
    return fitting


@dataclass(frozen=True, slots=True)
class Protocol:
    """How embeddings become figures, or a file for a test server.

    Args:
        name: By which the protocol is loaded and named in every output.
        dataset: The data set whose conditions it names.
        measures: One sentence: what the figures mean.
        gallery: The sequences of known subjects: for all probe sets together, or by probe set.
        probes: The sequences to identify, as named sets.
        probes_by: `view`: the table has a row per probe view, and figures are means over the rows. None: one row.
        gallery_by: `view`: a column per gallery view, each searched alone ("single-view gallery"). None: one gallery of
            all views together ("cross-view gallery").
        exclude: Pairs that count for no published figure: those that agree in all of these (`subject`, `view`). With a
            single-view gallery, `[view]` leaves out the cells with identical views.
        without_views: Views whose sequences are neither probe nor gallery.
        extra_subjects: Subjects beyond the test subjects whose sequences it needs (distractors).
        view_until: View names are compared up to this character only (CCPG: the camera stands before the `_`).
        ranks: The k of the rank-k figures.
        decimals: Cells are rounded to so many decimals before they are averaged, as published; None: not rounded.
        without_match: What becomes of a probe without a sequence of its subject that it may be compared with: `error`
            (a mistake in the data), `miss` (counts as a miss in rank-k, as published for OUMVLP) or `skip` (left out of
            all figures, as published for Gait3D). A subject that is missing in one gallery view only is always a miss
            there.
        complete_design: Whether every subject walks in every condition and view, so that absent ones are missing.
        rerank: Re-rank every search; None: leave the distances as they are.
        submission: The format of the file that a test server takes, where the probes' subjects are not known; such a
            protocol gives no figures.

    Raises:
        ValueError: when the values contradict each other.
    """

    name: str
    dataset: str
    measures: str
    gallery: Selection | Mapping[str, Selection]
    probes: Mapping[str, Selection]
    probes_by: Literal["view"] | None = None
    gallery_by: Literal["view"] | None = None
    exclude: tuple[str, ...] = ()
    without_views: tuple[str, ...] = ()
    extra_subjects: tuple[str, ...] = ()
    view_until: str | None = None
    ranks: tuple[int, ...] = (1, 5, 10)
    decimals: int | None = None
    without_match: WithoutMatch = "error"
    complete_design: bool = False
    rerank: ReRanking | None = None
    submission: str | None = None

    def __post_init__(self) -> None:
        allowed: dict[str, tuple[object, ...]] = {
            "probes_by": (None, "view"),
            "gallery_by": (None, "view"),
            "without_match": get_args(WithoutMatch),
            "exclude": ((), ("view",)) if self.gallery_by else ((), ("view",), ("subject", "view")),
            "submission": (None, *FORMATS),
        }
        for key, values in allowed.items():
            if getattr(self, key) not in values:
                known = ", ".join(str(value) for value in values)
                raise ValueError(f"protocol {self.name}: {key} is {getattr(self, key)!r}, expected one of {known}")
        if self.gallery_by and not self.probes_by:
            raise ValueError(f"protocol {self.name}: gallery_by: view needs probes_by: view")
        if not self.probes or not self.ranks or min(self.ranks) < 1:
            raise ValueError(f"protocol {self.name}: it needs at least one probe set and ranks from 1 on")
        if not isinstance(self.gallery, Selection) and (self.gallery.keys() != self.probes.keys() or self.submission):
            raise ValueError(
                f"protocol {self.name}: gallery has the sets {', '.join(self.gallery)}, probes has "
                f"{', '.join(self.probes)}; a gallery of its own for each probe set needs the same names, and a "
                "submission has one gallery"
            )
        if any(s.others for s in self.galleries.values()) and any(s.others for s in self.probes.values()):
            raise ValueError(f"protocol {self.name}: gallery and probes cannot both be what the other side leaves")

    @property
    def galleries(self) -> dict[str, Selection]:
        """The gallery of each probe set."""
        return {
            name: self.gallery if isinstance(self.gallery, Selection) else self.gallery[name] for name in self.probes
        }

    def select(
        self, subjects: Sequence[str], conditions: Sequence[str], views: Sequence[str]
    ) -> tuple[dict[str, Ints], dict[str, Ints]]:
        """The positions of the gallery and of the probes of each set among n sequences, given by their names."""
        names = subjects, conditions, views
        used = ~np.isin(np.asarray(views, dtype=np.str_), self.without_views)
        sides = self.galleries, self.probes
        taken = [
            np.any([s.member(*names) & (not s.others) for s in side.values()], axis=0) for side in sides
        ]  # by each side, without what it leaves to the other
        galleries, probes = (
            {
                name: np.flatnonzero(used & selection.member(*names) & ~(selection.others & of_others))
                for name, selection in side.items()
            }
            for side, of_others in zip(sides, reversed(taken), strict=True)
        )
        return galleries, probes

    def view_names(self, views: Iterable[str]) -> list[str]:
        """The names by which views are compared."""
        return [view if self.view_until is None else view.partition(self.view_until)[0] for view in views]


def list_protocols(dataset: str | None = None) -> list[str]:
    """Names of the shipped protocols, or of those of one data set, the one that papers quote first.

    A data set of a year (`hid2022`) has those of all years (`hid`) too.
    """
    wanted = None if dataset is None else {dataset, re.sub(r"20\d\d$", "", dataset)}
    folder = Path(str(files("gaitway.evaluation"))) / "protocols"
    names = sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))
    return [name for name in names if wanted is None or name.split("/")[0] in wanted]


def load_protocol(name: str | Path, lists: Mapping[str, Sequence[str]] | None = None) -> Protocol:
    """The shipped protocol of this name, or that of a YAML file of one's own.

    Args:
        name: `casia-b`, or the path of a file.
        lists: The sequences that a partition lists, `probe` and `gallery`, for protocols that go by such lists. What is
            absent or empty is taken from the partition of the protocol's data set that ships with Gaitway.

    Raises:
        ValueError: when there is no such protocol, the file is not one, or a list is missing.
    """
    known = list_protocols()
    path = Path(str(files("gaitway.evaluation"))) / "protocols" / f"{name}.yaml"
    if str(name) not in known:
        path = Path(name)
        if path.suffix not in (".yaml", ".yml") or not path.is_file():
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ValueError(f"no protocol {name}; {hint}Known: {', '.join(known)}, or the path of a .yaml file")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not a YAML file: {error}") from error
    return _parse(str(name) if str(name) in known else path.stem, values, path, lists or {})


def _parse(name: str, values: Any, path: Path, lists: Mapping[str, Sequence[str]]) -> Protocol:
    known = {field.name for field in fields(Protocol)} - {"name"}
    required = {"dataset", "measures", "gallery", "probes"}
    if not isinstance(values, dict) or not required <= values.keys() <= known:
        found = ", ".join(map(str, values)) if isinstance(values, dict) else repr(values)
        raise ValueError(
            f"{path} is not a protocol: it has {found}; it needs {', '.join(sorted(required))} "
            f"and may have {', '.join(sorted(known - required))}"
        )

    def selection(found: Any, where: str) -> Selection:
        return _selection(found, f"{path}: {where}", str(values["dataset"]), lists)

    def by_set(key: str) -> dict[str, Selection]:
        return {str(name): selection(found, f"{key}: {name}") for name, found in values[key].items()}

    changed: dict[str, Any] = {key: tuple(values[key]) for key in LISTS if key in values}
    if values.get("rerank"):
        changed["rerank"] = ReRanking.parse(values["rerank"])
    probes = by_set("probes")
    own_galleries = isinstance(values["gallery"], dict) and values["gallery"].keys() & probes.keys()
    gallery = by_set("gallery") if own_galleries else selection(values["gallery"], "gallery")
    return Protocol(**values | changed | {"name": name, "gallery": gallery, "probes": probes})


def _selection(values: Any, where: str, dataset: str, lists: Mapping[str, Sequence[str]]) -> Selection:
    known = {field.name for field in fields(Selection)}
    if not isinstance(values, dict) or not values or not values.keys() <= known:
        raise ValueError(
            f"{where} is {values!r}, expected {{conditions: [names or patterns]}}, subjects likewise, "
            "{listed: probe or gallery} or {others: true}"
        )
    conditions, subjects = (tuple(map(str, values.get(key, ["*"]))) for key in ("conditions", "subjects"))
    if "listed" in values:
        key = str(values["listed"])
        listed = lists.get(key) or _shipped_list(dataset, key)
        if not listed:
            raise ValueError(
                f"{where} goes by the partition's list {key!r}, but neither the partition in use nor the one that "
                f"ships for {dataset} has it; give a partition with such a list"
            )
        return Selection(conditions, subjects, frozenset(listed))
    return Selection(conditions, subjects, others=bool(values.get("others", False)))


def _shipped_list(dataset: str, key: str) -> Sequence[str]:
    """A list of sequences of the partition that ships for a data set; empty where there is none."""
    path = Path(str(files("gaitway"))) / "data" / "partitions" / f"{dataset}.json"
    found: Sequence[str] = json.loads(path.read_text(encoding="utf-8")).get(key, ()) if path.is_file() else ()
    return found
