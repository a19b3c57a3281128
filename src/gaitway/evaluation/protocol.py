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
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import yaml

WithoutMatch = Literal["error", "miss", "skip"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which sequences belong to a probe set or a gallery.

    Args:
        conditions: Condition names, or shell patterns of them (`*-nm-*`); a sequence belongs when one fits.
    """

    conditions: tuple[str, ...]

    def rows(self, conditions: Sequence[str]) -> npt.NDArray[np.int64]:
        """The positions in `conditions`, one entry per sequence, that belong to the selection."""
        chosen = set(self.names(conditions))
        return np.flatnonzero([condition in chosen for condition in conditions])

    def names(self, conditions: Sequence[str]) -> list[str]:
        """The distinct conditions that belong to the selection, sorted."""
        distinct = sorted(set(conditions))
        return [name for name in distinct if any(fnmatchcase(name, pattern) for pattern in self.conditions)]

    def expected(self, conditions: Sequence[str]) -> set[str]:
        """The conditions that a complete data set has: those named outright and those found for a pattern."""
        return {c for c in self.conditions if not set(c) & set("*?[")} | set(self.names(conditions))


@dataclass(frozen=True, slots=True)
class Protocol:
    """How embeddings become figures.

    Args:
        name: By which the protocol is loaded and named in every output.
        dataset: The data set whose conditions it names.
        measures: One sentence: what the figures mean.
        gallery: The sequences of known subjects.
        probes: The sequences to identify, as named sets.
        probes_by: `view`: the table has a row per probe view, and figures are means over the rows. None: one row.
        gallery_by: `view`: a column per gallery view, each searched alone ("single-view gallery"). None: one gallery of
            all views together ("cross-view gallery").
        exclude: Pairs that count for no published figure: those that agree in all of these (`subject`, `view`). With a
            single-view gallery, `[view]` leaves out the cells with identical views.
        ranks: The k of the rank-k figures.
        decimals: Cells are rounded to so many decimals before they are averaged, as published; None: not rounded.
        without_match: What becomes of a probe whose subject has no sequence in the whole gallery: `error` (a mistake in
            the data), `miss` (counts as a miss in rank-k, as published for OUMVLP) or `skip` (left out of all figures,
            as published for Gait3D). A subject that is missing in one gallery view only is always a miss there.

    Raises:
        ValueError: when the values contradict each other.
    """

    name: str
    dataset: str
    measures: str
    gallery: Selection
    probes: Mapping[str, Selection]
    probes_by: Literal["view"] | None = None
    gallery_by: Literal["view"] | None = None
    exclude: tuple[str, ...] = ()
    ranks: tuple[int, ...] = (1, 5, 10)
    decimals: int | None = None
    without_match: WithoutMatch = "error"

    def __post_init__(self) -> None:
        allowed: dict[str, tuple[object, ...]] = {
            "probes_by": (None, "view"),
            "gallery_by": (None, "view"),
            "without_match": get_args(WithoutMatch),
            "exclude": ((), ("view",)) if self.gallery_by else ((), ("view",), ("subject", "view")),
        }
        for key, values in allowed.items():
            if getattr(self, key) not in values:
                known = ", ".join(str(value) for value in values)
                raise ValueError(f"protocol {self.name}: {key} is {getattr(self, key)!r}, expected one of {known}")
        if self.gallery_by and not self.probes_by:
            raise ValueError(f"protocol {self.name}: gallery_by: view needs probes_by: view")
        if not self.probes or not self.ranks or min(self.ranks) < 1:
            raise ValueError(f"protocol {self.name}: it needs at least one probe set and ranks from 1 on")


def list_protocols(dataset: str | None = None) -> list[str]:
    """Names of the shipped protocols, or of those of one data set, the one that papers quote first."""
    folder = Path(str(files("gaitway.evaluation"))) / "protocols"
    names = sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))
    return [name for name in names if dataset is None or name.split("/")[0] == dataset]


def load_protocol(name: str | Path) -> Protocol:
    """The shipped protocol of this name, or that of a YAML file of one's own.

    Raises:
        ValueError: when there is no such protocol or the file is not one.
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
    return _parse(str(name) if str(name) in known else path.stem, values, path)


def _parse(name: str, values: Any, path: Path) -> Protocol:
    known = {field.name for field in fields(Protocol)} - {"name"}
    required = {"dataset", "measures", "gallery", "probes"}
    if not isinstance(values, dict) or not required <= values.keys() <= known:
        found = ", ".join(map(str, values)) if isinstance(values, dict) else repr(values)
        raise ValueError(
            f"{path} is not a protocol: it has {found}; it needs {', '.join(sorted(required))} "
            f"and may have {', '.join(sorted(known - required))}"
        )
    lists = {key: tuple(values[key]) for key in ("exclude", "ranks") if key in values}
    return Protocol(
        **values
        | lists
        | {
            "name": name,
            "gallery": _selection(values["gallery"], f"{path}: gallery"),
            "probes": {key: _selection(found, f"{path}: probes: {key}") for key, found in values["probes"].items()},
        }
    )


def _selection(values: Any, where: str) -> Selection:
    if not isinstance(values, dict) or values.keys() != {"conditions"}:
        raise ValueError(f"{where} is {values!r}, expected {{conditions: [names or patterns]}}")
    return Selection(tuple(str(condition) for condition in values["conditions"]))
