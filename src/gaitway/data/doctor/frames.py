"""Checks of the frames themselves: how many, how large, where the person is, which values; joints of poses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from gaitway.data.datasets.facts import Facts
from gaitway.data.datasets.poses import FIRST
from gaitway.data.doctor.findings import Finding, Severity, judge
from gaitway.data.measures import Measures, PoseMeasures, SilhouetteMeasures
from gaitway.data.store import Store

FRAME_SIZES = ((64, 64), (128, 128), (64, 44), (128, 88))  # what published recipes take
FEW_FRAMES, SHORT_FRAMES = 5, 15
NEARLY_ALL = 0.99
MOST_CONFIDENT = 1.5  # peaks of heat maps are a little over 1 now and then
JUMP = 0.5  # of the person's height, between two frames


def examine_frames(store: Store, measures: Measures, facts: Facts | None) -> Iterator[Finding]:
    """Say what the measures of all frames mean."""
    yield from _lengths(store)
    sizes = facts.frame_sizes if facts and facts.frame_sizes else FRAME_SIZES
    for modality, silhouettes in measures.silhouettes.items():
        yield from _silhouettes(store, modality, silhouettes, sizes)
    for modality, poses in measures.poses.items():
        yield from _poses(store, modality, poses)


def longest(store: Store) -> npt.NDArray[np.int64]:
    """Frames per sequence in the modality that has most."""
    counts: npt.NDArray[np.int64] = np.stack(list(store.index.num_frames.values())).max(axis=0)
    return counts


def _lengths(store: Store) -> Iterator[Finding]:
    lengths, names = longest(store), [info.name for info in store.index]
    for limit, means in (
        (FEW_FRAMES, "They are kept, as published; a probe of so few frames is mostly misidentified."),
        (SHORT_FRAMES, "Training repeats frames of a short sequence to fill a clip of 30, which teaches less motion."),
    ):
        short = np.flatnonzero(lengths < limit)
        share = len(short) / max(1, len(lengths))
        yield judge(
            f"sequences of fewer than {limit} frames",
            not len(short),
            Severity.NOTE if share < 0.01 else Severity.WARNING,
            f"{len(short):,} ({share:.2%})" if len(short) else "0",
            "0",
            means,
            [names[row] for row in short],
        )
    if len(store.manifest.modalities) > 1:
        counts = np.stack(list(store.index.num_frames.values()))
        lacking = np.flatnonzero((counts == 0).any(axis=0))
        different = np.flatnonzero((counts != counts[0]).any(axis=0) & (counts > 0).all(axis=0))
        yield judge(
            "modalities per sequence",
            not len(lacking),
            Severity.WARNING,
            f"{len(lacking)} sequences lack one" if len(lacking) else "all",
            ", ".join(store.manifest.modalities),
            "A model that takes several modalities can't use these sequences.",
            [names[row] for row in lacking],
        )
        yield judge(
            "lengths of modalities",
            not len(different),
            Severity.WARNING,
            f"{len(different)} sequences with unequal lengths" if len(different) else "equal",
            "equal",
            "Frame 10 of one modality is not frame 10 of the other: models that fuse them frame by frame learn noise.",
            [names[row] for row in different],
        )


def _silhouettes(
    store: Store, modality: str, measures: SilhouetteMeasures, sizes: Sequence[tuple[int, int]]
) -> Iterator[Finding]:
    shape = store.frame_format(modality).shape
    yield judge(
        f"size of {modality}",
        shape in sizes,
        Severity.WARNING,
        "×".join(map(str, shape)),
        ", ".join("×".join(map(str, size)) for size in sizes),
        "Published recipes cut and divide frames of these sizes; others need a recipe of their own.",
    )
    if measures.brightest <= 1:
        values, means = "0 to 1", "Models divide by 255, so these silhouettes are nearly black: multiply by 255."
    elif measures.brightest < 128:
        values = f"0 to {measures.brightest}"
        means = "Such values are labels (of body parts) or dim images, not silhouettes: the figures will be poor."
    else:
        values, means = f"0 to {measures.brightest}", ""
    kind = f", {measures.grey:.1%} of the person grey" if measures.grey else ", black and white"
    yield judge(f"values of {modality}", not means, Severity.SERIOUS, values + kind, "0 to 255", means)

    has_person = measures.area > 0
    empty = np.flatnonzero(~has_person)
    names = _names_of_frames(store, modality, empty)
    yield judge(
        f"empty frames in {modality}",
        not len(empty),
        Severity.WARNING,
        f"{len(empty):,} in {len(names):,} sequences" if len(empty) else "0",
        "0",
        "The published preparation drops frames without a person; left in, they dilute models that average over time.",
        names,
    )
    if not has_person.any():
        return
    area = float(np.median(measures.area[has_person]))
    yield judge(
        f"size of the person in {modality}",
        0.03 < area < 0.6,
        Severity.SERIOUS,
        f"{area:.0%} of the frame (median)",
        "3 % to 60 %",
        "Black and white are swapped: the models see the background."
        if area >= 0.6
        else "The person is a speck: the frames are not cropped, so most of each is background.",
    )
    for check, good, expected, means in (
        (
            "person's height",
            measures.height >= 0.95,
            "the person fills the height",
            "Body parts lie at other rows than the model's horizontal strips expect: the figures drop sharply; prepare "
            "from the raw frames.",
        ),
        (
            "person's place",
            np.abs(measures.offset) <= 0.05,
            "half of the person on each side of the middle",
            "The sides are cut off when columns are cut, and the person drifts within the strips: prepare again from "
            "the raw frames.",
        ),
    ):
        share = float(good[has_person].mean())
        odd = np.flatnonzero(has_person & ~good)
        yield judge(
            f"{check} in {modality}",
            share >= NEARLY_ALL,
            Severity.SERIOUS if share < 0.5 else Severity.WARNING,
            f"{share:.2%} of the frames",
            expected,
            means,
            _names_of_frames(store, modality, odd),
        )


def _poses(store: Store, modality: str, measures: PoseMeasures) -> Iterator[Finding]:
    broken = np.flatnonzero(~measures.finite)
    yield judge(
        f"numbers in {modality}",
        not len(broken),
        Severity.SERIOUS,
        f"{len(broken):,} frames with NaN or infinite numbers" if len(broken) else "finite",
        "finite",
        "One such frame turns the loss of its whole batch into NaN.",
        _names_of_frames(store, modality, broken),
    )
    missing, lost = float(measures.missing.mean()), np.flatnonzero(measures.missing >= 1)
    yield judge(
        f"joints found in {modality}",
        missing <= 0.05 and not len(lost),
        Severity.WARNING,
        f"{1 - missing:.1%}" + (f", {len(lost):,} frames without any" if len(lost) else ""),
        "95 % or more, in every frame some",
        "Joints that were not found lie at the origin, and models take them for motion unless a transform fills them.",
        _names_of_frames(store, modality, lost),
    )
    if not np.isfinite(measures.height).any():
        return
    height = float(np.nanmedian(measures.height))
    yield judge(
        f"size of the person in {modality}",
        height >= 10,
        Severity.SERIOUS,
        f"{height:.3g} pixels high (median)",
        "10 or more",
        "These are no pixels but scaled coordinates: noise and shifts of the published transforms, which are in "
        "pixels, drown them.",
    )
    yield from _confidences(modality, measures)
    yield from _person(store, modality, measures)


def _confidences(modality: str, measures: PoseMeasures) -> Iterator[Finding]:
    if not np.isfinite(measures.most).any():
        return
    least, most = float(np.nanmin(measures.least)), float(np.nanmax(measures.most))
    outside = least < 0 or most > MOST_CONFIDENT
    yield judge(
        f"confidences in {modality}",
        not outside and least < most,
        Severity.WARNING if outside else Severity.NOTE,
        f"{least:.3g} to {most:.3g}" if least < most else f"{least:.3g} for every joint",
        "between 0 and 1",
        "Models that take the confidence as a channel or a weight were trained on 0 to 1."
        if outside
        else "The files gave no confidences: models that take them as a channel or a weight learn nothing from them.",
    )


def _person(store: Store, modality: str, measures: PoseMeasures) -> Iterator[Finding]:
    """Whether all frames of a sequence show the same person."""
    if (person := store.manifest.made.get("person")) is not None:
        yield judge(
            f"person in {modality}",
            person != FIRST,
            Severity.NOTE,
            str(person),
            "by the silhouettes",
            "The first person in a frame is not always the same one. Published figures of OUMVLP up to mid 2025 were "
            "taken so.",
        )
    step = np.hypot(*(measures.middle[1:] - measures.middle[:-1]).T)
    far: npt.NDArray[np.bool_] = step > JUMP * np.maximum(measures.height[1:], measures.height[:-1])
    counts, first = store.index.num_frames[modality], store.index.first[modality]
    far[first[(counts > 0) & (first > 0)] - 1] = False  # from one sequence to the next
    jumps = np.flatnonzero(far) + 1
    names = _names_of_frames(store, modality, jumps)
    yield judge(
        f"jumps in {modality}",
        not len(jumps),
        Severity.WARNING,
        f"{len(jumps):,} in {len(names):,} sequences" if len(jumps) else "none",
        "none",
        "The person moves by more than half the height from one frame to the next: frames are missing, or show "
        "somebody else.",
        names,
    )


def _names_of_frames(store: Store, modality: str, frames: npt.NDArray[np.int64]) -> list[str]:
    """Names of the sequences to which the frames at these positions belong, in the order of the index."""
    first, count = store.index.first[modality], store.index.num_frames[modality]
    rows_with = np.flatnonzero(count)
    by_first = rows_with[np.argsort(first[rows_with])]
    rows = by_first[np.searchsorted(first[by_first], frames, side="right") - 1]
    return [store.index[int(row)].name for row in np.unique(rows)]
