"""What an evaluation found: figures per probe set, with the protocol that they belong to.

All figures are percentages. A figure is computed per cell of a table (probe view × gallery view, or probe view × the
whole gallery) and then averaged over cells; `published` follows the published arithmetic, in which every cell is
rounded before the mean is taken.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FORMAT_VERSION = 2
MEANS = ("published", "unrounded", "including_identical", "identical_only")
HEADER = ("protocol", "distance", "rerank", "set", "num_probes", "num_gallery", "figure", *MEANS)
"""Columns of `Result.rows` and of the CSV file."""

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of merit in percent, as a table and as means over its cells.

    Args:
        published: Mean of the rounded cells, without those that the protocol excludes: the number that papers print.
        unrounded: The same mean of the cells before rounding.
        including_identical: Mean of all rounded cells, identical views included; None where the protocol has no
            such cells (a gallery of all views together).
        identical_only: Mean of the rounded cells with identical views; None as before.
        cells: The rounded table: a row per probe group, a column per gallery group (`Result.probe_groups`,
            `Result.gallery_groups`). None where no probe of the cell has a match, so that nothing can be averaged.
    """

    published: float
    unrounded: float
    including_identical: float | None
    identical_only: float | None
    cells: tuple[tuple[float | None, ...], ...]

    def matrix(self) -> npt.NDArray[np.float64]:
        """The cells as an array `(probe groups, gallery groups)`, NaN for None."""
        return np.array(self.cells, dtype=np.float64)

    def per_probe_group(self) -> npt.NDArray[np.float64]:
        """Mean of each row of the table, `(probe groups,)`, without the cell of identical views; NaN for none."""
        cells = self.matrix()
        if self.identical_only is not None:
            np.fill_diagonal(cells, np.nan)
        means: npt.NDArray[np.float64] = np.ma.masked_invalid(cells).mean(1).filled(np.nan)
        return means


@dataclass(frozen=True, slots=True)
class SetResult:
    """The figures of one probe set (of CASIA-B: NM, BG or CL).

    Args:
        num_probes: Sequences of the set that were compared.
        num_gallery: Sequences of the set's gallery.
        num_missing: Sequences that the protocol expects (subjects × conditions × views, or a list) and the data set
            lacks.
        num_unmatched: Searches (a probe in one gallery group) whose gallery does not hold the probe's subject. Each
            counts as a miss in the rank figures, as published, and is left out of mAP and mINP.
        chance: Rank-1 of guessing.
        figures: `rank-1`, `rank-5`, ... (the protocol's ranks), `mAP` and `mINP`.
        equal_error_rate: Of verifying all valid probe-gallery pairs with one threshold
            (`gaitway.evaluation.equal_error_rate`); None where there are no matching or no other pairs.
        cmc: Cumulative match characteristic: rank-1, rank-2, ... unrounded, excluded cells left out.
    """

    num_probes: int
    num_gallery: int
    num_missing: int
    num_unmatched: int
    chance: float
    figures: Mapping[str, Figure]
    equal_error_rate: float | None
    cmc: tuple[float, ...]

    @property
    def ranks(self) -> dict[int, float]:
        """The published rank-k figures by k."""
        prefix = "rank-"
        return {int(k.removeprefix(prefix)): f.published for k, f in self.figures.items() if k.startswith(prefix)}


@dataclass(frozen=True, slots=True)
class Result:
    """What an evaluation found.

    Args:
        protocol: The protocol's name.
        measures: One sentence: what the protocol measures.
        dataset: The protocol's data set.
        distance: `euclidean` or `cosine`.
        rerank: The settings of re-ranking in words; empty without re-ranking. Figures with and without it are not to be
            compared.
        num_gallery: Sequences of the gallery, of all sets together where each has its own.
        num_subjects: Subjects of the gallery.
        num_missing: Gallery sequences that the protocol expects and the data set lacks.
        num_unused: Sequences that the protocol uses neither as probe nor in the gallery.
        probe_groups: Names of the table rows: probe views.
        gallery_groups: Names of the table columns: gallery views, or `all` for one gallery of all views.
        sets: The figures of each probe set by its name.
    """

    protocol: str
    measures: str
    dataset: str
    distance: str
    rerank: str
    num_gallery: int
    num_subjects: int
    num_missing: int
    num_unused: int
    probe_groups: tuple[str, ...]
    gallery_groups: tuple[str, ...]
    sets: Mapping[str, SetResult]

    @property
    def how(self) -> str:
        """How sequences were compared, in words."""
        return f"{self.distance} distance" + (f" re-ranked with {self.rerank}" if self.rerank else "")

    def figures(self) -> dict[str, float]:
        """The published figures as one flat table: `NM/rank-1`, ..., `NM/mAP`, `NM/mINP`, `NM/EER`, `BG/rank-1`, ..."""
        flat = {f"{name}/{key}": figure.published for name, s in self.sets.items() for key, figure in s.figures.items()}
        flat |= {f"{name}/EER": s.equal_error_rate for name, s in self.sets.items() if s.equal_error_rate is not None}
        return flat

    def notes(self) -> list[str]:
        """What a reader must know about the counts behind the figures, in sentences; often empty."""
        notes = []
        missing = self.num_missing + sum(s.num_missing for s in self.sets.values())
        if missing:
            found = self.num_gallery + sum(s.num_probes for s in self.sets.values())
            notes.append(f"{missing} of the {found + missing} sequences that the protocol expects are missing.")
        for name, s in self.sets.items():
            if s.num_unmatched:
                notes.append(
                    f"{name}: in {s.num_unmatched} searches the gallery does not hold the probe's subject; as "
                    "published, they count as misses in rank-k and are left out of mAP and mINP."
                )
        return notes

    def rows(self) -> list[dict[str, Cell]]:
        """The figures as rows of a table, one per set and figure; see `HEADER`."""
        rows: list[dict[str, Cell]] = []
        for name, s in self.sets.items():
            same: dict[str, Cell] = {
                "protocol": self.protocol,
                "distance": self.distance,
                "rerank": self.rerank,
                "set": name,
                "num_probes": s.num_probes,
                "num_gallery": s.num_gallery,
            }
            for key, figure in s.figures.items():
                means = {mean: getattr(figure, mean) for mean in MEANS}
                rows.append(same | {"figure": key} | means)
            rows.append(same | {"figure": "EER", "published": s.equal_error_rate, "unrounded": s.equal_error_rate})
        return rows

    def to_json(self) -> str:
        """The whole result as JSON text; `from_json` reads it."""
        return json.dumps({"format": FORMAT_VERSION} | asdict(self), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Read the text that `to_json` wrote.

        Raises:
            ValueError: when the text is not that of a result, or of another format version.
        """
        try:
            values = json.loads(text)
            if values.pop("format") != FORMAT_VERSION:
                raise ValueError(f"not an evaluation result of format {FORMAT_VERSION}; evaluate again to write one")
            values["sets"] = {name: _set_from_json(found) for name, found in values["sets"].items()}
            values["probe_groups"] = tuple(values["probe_groups"])
            values["gallery_groups"] = tuple(values["gallery_groups"])
            return cls(**values)
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an evaluation result ({error!r}); evaluate again to write one") from error

    def save(self, folder: str | Path) -> Path:
        """Write `<protocol>.json` (everything) and `<protocol>.csv` (`rows`) into `folder`; `/` becomes `-`.

        Returns:
            The path of the JSON file.
        """
        path = Path(folder) / (self.protocol.replace("/", "-") + ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        text = io.StringIO()
        table = csv.DictWriter(text, HEADER, lineterminator="\n")
        table.writeheader()
        table.writerows(self.rows())
        _write(path.with_suffix(".csv"), text.getvalue())
        _write(path, self.to_json())
        return path


def _set_from_json(values: Mapping[str, Any]) -> SetResult:
    figures = {
        key: Figure(**{**figure, "cells": tuple(map(tuple, figure["cells"]))})
        for key, figure in values["figures"].items()
    }
    return SetResult(**{**values, "figures": figures, "cmc": tuple(values["cmc"])})


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
