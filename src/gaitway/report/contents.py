"""What a report is made from."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from gaitway.data.store import Store
from gaitway.evaluation import EmbeddingSet, Protocol, Result


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a report is made from; what is None or empty is left out of it, or the report says how to add it.

    Args:
        recipe_name: Name or file of the recipe.
        recipe_yaml: The complete recipe.
        description: What the recipe is, in a sentence.
        step: Training steps that the model has behind it.
        published: The recipe's published figures: `source`, `rank1` by probe set, `figures` by figure and probe set;
            empty where there are none, or where they are not for the first protocol.
        published_steps: Training steps behind the published figures.
        results: By each protocol; the first is the one that the report is about.
        comparisons: Other methods' results of the first protocol, by the method's name.
        protocol: The first protocol.
        embeddings: Of the test set.
        store: The data set.
        modalities: What the model takes; sequences are drawn so.
        metrics: Lines of `metrics.jsonl`.
        circumstances: What else a reader should know of how the figures came about, by name.
    """

    recipe_name: str
    recipe_yaml: str
    description: str
    step: int
    published: Mapping[str, Any] = field(default_factory=dict)
    published_steps: int | None = None
    results: Sequence[Result]
    comparisons: Mapping[str, Result] = field(default_factory=dict)
    protocol: Protocol | None = None
    embeddings: EmbeddingSet | None = None
    store: Store | None = None
    modalities: Sequence[str] = ("silhouettes",)
    metrics: Sequence[Mapping[str, Any]] = ()
    circumstances: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """A method's rank-1 by probe set in percent, across views and in the probe's own view."""

    method: str
    across: Mapping[str, float]
    same_view: Mapping[str, float]


def comparison(contents: Contents) -> list[Row]:
    """The rank-1 of this run, as published, of the other methods and of guessing, by the first protocol."""
    result = contents.results[0]
    rows = [_row(f"this run, {contents.step:,} steps", result)]
    if contents.published.get("rank1"):
        steps = f", {contents.published_steps:,} steps" if contents.published_steps else ""
        rows.append(Row(f"published{steps}", contents.published["rank1"], {}))
    rows += [_row(name, other) for name, other in contents.comparisons.items()]
    chance = {name: found.chance for name, found in result.sets.items()}
    return [*rows, Row("chance", chance, chance if rows[0].same_view else {})]


def _row(method: str, result: Result) -> Row:
    firsts = {name: found.figures["rank-1"] for name, found in result.sets.items()}
    same_view = {name: first.identical_only for name, first in firsts.items() if first.identical_only is not None}
    return Row(method, {name: first.published for name, first in firsts.items()}, same_view)


def versions() -> dict[str, str]:
    """Versions that figures may depend on."""
    packages = {name: version(name) for name in ("gaitway", "torch", "numpy")}
    return packages | {"python": sys.version.split()[0], "platform": platform.platform()}
