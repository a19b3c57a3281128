"""One parity case: what goes in, what must come out, how far off it may be, and the comparison."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Results = tuple[Mapping[str, Array], Mapping[str, float]]  # outputs and scalars, by their names in the case


@dataclass(frozen=True)
class Tolerance:
    """`|found - expected| <= atol + rtol * |expected|` for all but a `fraction`; `mean_abs` bounds the mean error."""

    atol: float
    rtol: float
    mean_abs: float | None = None
    fraction: float = 0.0

    @classmethod
    def parse(cls, entry: Mapping[str, Any]) -> Tolerance:
        """From an entry of a case's `tolerance` that has numbers; what the entry does not name is not granted."""
        return cls(
            atol=entry.get("atol", 0.0),
            rtol=entry.get("rtol", 0.0),
            mean_abs=entry.get("mean_abs"),
            fraction=entry.get("fraction", entry.get("pixels_off", 0.0)),
        )


GENERAL = Tolerance(atol=1e-4, rtol=1e-4)
AFTER_SEVERAL_STEPS = Tolerance(atol=1e-3, rtol=1e-3)
EXACT = Tolerance(atol=0.0, rtol=0.0)
ROUNDED = Tolerance(atol=1e-6, rtol=0.0)  # figures rounded to two decimals must be the same hundredth


WARPED = Tolerance(atol=0.1, rtol=0.0, mean_abs=0.004, fraction=0.01)
DRAWN = Tolerance(atol=1.0, rtol=0.0, mean_abs=0.03)  # one level apart at most, and that on 3 % of the pixels
IN_WORDS = {"silhouette_augment": {"rotate": WARPED, "perspective": WARPED, "affine": WARPED, "*": EXACT}} | {
    f"skeletongait_maps_{poses}": {"maps": DRAWN, "canvas_*": DRAWN}
    for poses in ("coco17", "coco18", "missing", "always_missing")
}
"""Tolerances that a case gives in words only, by case and output (names or patterns)."""


@dataclass(frozen=True)
class Expected:
    """The expected values of one output; of every axis only each `stride`-th element is stored."""

    values: Array
    stride: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Case:
    """A case as `NAME.json` and `NAME.npz` describe it (the fields are those of `parity/README.md`).

    `state` and `inputs` are drawn when they are first asked for.
    """

    name: str
    family: str
    spec: str
    mode: str
    seed: int
    hyperparameters: dict[str, Any]
    outputs: dict[str, Expected]
    scalars: dict[str, float]
    parameters: int | None
    lengths: list[int] | None
    tolerance: dict[str, Any]
    state_recipe: dict[str, dict[str, Any]] = field(repr=False)
    input_recipe: dict[str, dict[str, Any]] = field(repr=False)
    stored: dict[str, Array] = field(repr=False)
    sequences: dict[str, list[str]] = field(default_factory=dict, repr=False)
    """Names of subjects, conditions and views, by `labels`, `types` and `views`, where the case lists them."""

    @cached_property
    def state(self) -> dict[str, Array]:
        """The published `state_dict`, in its order."""
        return {
            name: self._draw(recipe, key=name, stored=f"state/{name}") for name, recipe in self.state_recipe.items()
        }

    @cached_property
    def inputs(self) -> dict[str, Array]:
        """The input arrays."""
        return {
            name: self._draw(recipe, key=f"input/{name}", stored=f"input/{name}")
            for name, recipe in self.input_recipe.items()
        }

    @property
    def float64(self) -> bool:
        """Whether the case is run in float64, losses included."""
        return "float64" in self.tolerance or self.tolerance.get("dtype") == "float64"

    def tolerance_of(self, name: str, expected: Array | float) -> Tolerance | None:
        """The tolerance of one output or scalar; None where the case says that it can't be checked.

        An entry of the very name comes before a pattern, a pattern before the case's general tolerance. Entries in
        words grant what `IN_WORDS` says of them.
        """
        if "float64" in self.tolerance:
            return Tolerance.parse(self.tolerance["float64"])
        entries = {**self.tolerance, **self.tolerance.get("outputs", {})}
        entries = {pattern: entry for pattern, entry in entries.items() if isinstance(entry, dict)}
        entry = entries.get(name) or next((e for pattern, e in entries.items() if fnmatchcase(name, pattern)), None)
        if entry is not None:
            return None if entry.get("atol", 0.0) is None else Tolerance.parse(entry)
        in_words = IN_WORDS.get(self.name, {})
        if in_words:
            return next(granted for pattern, granted in in_words.items() if fnmatchcase(name, pattern))
        if "atol" in self.tolerance or "rtol" in self.tolerance:
            return Tolerance.parse(self.tolerance)
        if not np.issubdtype(np.asarray(expected).dtype, np.floating):
            return EXACT
        if self.name.startswith("eval_") and np.array_equal(np.round(expected, 2), expected):
            return ROUNDED
        if self.mode == "train" and name.startswith("loss_after_") and not name.endswith("_1_step"):
            return AFTER_SEVERAL_STEPS
        return GENERAL

    def _draw(self, recipe: dict[str, Any], *, key: str, stored: str) -> Array:
        kind, *arguments = recipe["init"]
        shape, dtype = tuple(recipe["shape"]), np.dtype(recipe["dtype"])
        rng = np.random.default_rng([zlib.crc32(key.encode()), self.seed])
        match kind:
            case "array":
                drawn = self.stored[stored]
                assert drawn.shape == shape, f"{self.name}: {stored} has shape {drawn.shape}, the case says {shape}"
            case "normal":
                drawn = arguments[0] + arguments[1] * rng.standard_normal(shape)
            case "uniform":
                drawn = arguments[0] + (arguments[1] - arguments[0]) * rng.random(shape)
            case "integers":
                drawn = rng.integers(arguments[0], arguments[1], shape)
            case "constant":
                drawn = np.full(shape, arguments[0])
            case _:
                raise ValueError(f"{self.name}: {key} is drawn by the unknown rule {kind!r}")
        return np.asarray(drawn).astype(dtype)


def load_case(path: Path) -> Case:
    """The case of a `NAME.json`, with the `NAME.npz` beside it.

    Raises:
        ValueError: when the file is not a case.
    """
    recipe = json.loads(path.read_text(encoding="utf-8"))
    if not {"name", "family", "mode", "outputs", "scalars"} <= recipe.keys():
        raise ValueError(f"{path} is not a parity case: it lacks name, family, mode, outputs or scalars")
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as archive:
        stored = {name: archive[name] for name in archive.files}
    outputs = {
        name: Expected(stored[f"output/{name}"], tuple(output["stride"]) if "stride" in output else None)
        for name, output in recipe["outputs"].items()
    }
    return Case(
        name=recipe["name"],
        family=recipe["family"],
        spec=recipe["spec"],
        mode=recipe["mode"],
        seed=recipe["seed"],
        hyperparameters=recipe["hyperparameters"],
        outputs=outputs,
        scalars=recipe["scalars"],
        parameters=recipe.get("parameters"),
        lengths=recipe.get("lengths"),
        tolerance=recipe.get("tolerance", {}),
        state_recipe=recipe["state"],
        input_recipe=recipe["inputs"],
        stored=stored,
        sequences={key: recipe[key] for key in ("labels", "types", "views") if key in recipe},
    )


@dataclass(frozen=True)
class Figure:
    """One compared output or scalar: how much of the tolerance its error takes (above 1: too far off), in words."""

    name: str
    share: float
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


def measure(case: Case, outputs: Mapping[str, Array], scalars: Mapping[str, float]) -> list[Figure]:
    """Every figure that the case expects, beside what was found; those that can't be checked are left out."""
    expected: dict[str, Expected] = {**case.outputs, **{n: Expected(np.asarray(v)) for n, v in case.scalars.items()}}
    found: dict[str, Any] = {**outputs, **scalars}
    figures = []
    for name, wanted in expected.items():
        tolerance = case.tolerance_of(name, wanted.values)
        if tolerance is None:
            continue
        if name not in found:
            figures.append(Figure(name, np.inf, "expected, but not computed"))
            continue
        figures.append(_measure_one(name, np.asarray(found[name]), wanted, tolerance))
    return figures


def compare(case: Case, outputs: Mapping[str, Array], scalars: Mapping[str, float]) -> list[str]:
    """The problems: a line for every expected figure that is missing or too far off. An empty list: the case is met."""
    return [str(figure) for figure in measure(case, outputs, scalars) if figure.share > 1]


def _measure_one(name: str, found: Array, wanted: Expected, tolerance: Tolerance) -> Figure:
    if wanted.stride is not None:
        found = found[tuple(slice(None, None, step) for step in wanted.stride)]
    expected = wanted.values
    if found.shape != expected.shape:
        return Figure(name, np.inf, f"shape {found.shape} instead of {expected.shape}")
    if expected.dtype.kind in "US":
        different = np.flatnonzero(np.ravel(found != expected))
        if not len(different):
            return Figure(name, 0.0, "equal")
        first = different[0]
        text = (
            f"{len(different)} of {expected.size} differ, first {found.flat[first]} instead of {expected.flat[first]}"
        )
        return Figure(name, np.inf, text)
    if expected.size == 0:
        return Figure(name, 0.0, "equal (empty)")

    found, expected = found.astype(np.float64), expected.astype(np.float64)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))  # infinities and agreed NaNs
    with np.errstate(invalid="ignore"):
        error = np.where(same, 0.0, np.abs(found - expected))
    error[np.isnan(error)] = np.inf
    allowed = tolerance.atol + tolerance.rtol * np.abs(expected)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.select([error == 0, np.isinf(error)], [0.0, np.inf], error / allowed)
    worst = int(np.argmax(shares))
    text = f"{found.flat[worst]:.8g} instead of {expected.flat[worst]:.8g}"
    share = float(shares.flat[worst])
    if expected.size > 1:
        text += f" at {tuple(map(int, np.unravel_index(worst, expected.shape)))}"
    if tolerance.fraction:
        off = float(np.mean(shares > 1))
        share, text = off / tolerance.fraction, f"{off:.2%} of the elements are off, worst {text}"
    if tolerance.mean_abs is not None and error.mean() > share * tolerance.mean_abs:
        share, text = float(error.mean() / tolerance.mean_abs), f"mean error {error.mean():.3g}, worst {text}"
    return Figure(name, share, text)
