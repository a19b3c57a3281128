"""Comparing a store with what is known of its data set, and with what training and evaluation need.

Every check says what was found, what was expected and what the difference means for results.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import product

import numpy as np
import numpy.typing as npt

from gaitway.data.datasets.facts import FACTS, Facts
from gaitway.data.measures import Measures, PoseMeasures, SilhouetteMeasures, measure
from gaitway.data.partitions import Partition, list_partitions, load_partition
from gaitway.data.store import Store

FRAME_SIZES = ((64, 64), (128, 128), (64, 44), (128, 88))  # what published recipes take
FEW_FRAMES, SHORT_FRAMES = 5, 15
NEARLY_ALL = 0.99


class Severity(StrEnum):
    """How much a finding matters."""

    FINE = "fine"
    NOTE = "note"
    WARNING = "warning"
    SERIOUS = "serious"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of an examination.

    Args:
        check: What was looked at.
        severity: How much it matters.
        found: What the store has.
        expected: What it should have.
        means: What the difference means for results, in a sentence; empty when all is fine.
        examples: Names of all subjects or sequences that are concerned.
    """

    check: str
    severity: Severity
    found: str
    expected: str
    means: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings on a store.

    Args:
        store: The store's folder.
        dataset: Name of the data set.
        known_as: What the store was compared with, in words.
        findings: In the order of the checks.
    """

    store: str
    dataset: str
    known_as: str
    findings: tuple[Finding, ...]

    def count(self, severity: Severity) -> int:
        """How many findings have this severity."""
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def is_sound(self) -> bool:
        """Whether nothing serious was found."""
        return self.count(Severity.SERIOUS) == 0

    def to_json(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"


def examine(store: Store, progress: Callable[[int, int], None] | None = None) -> Diagnosis:
    """Examine a store: every frame is read once.

    Args:
        store: The store.
        progress: Told how many frames of how many are done.
    """
    dataset = store.manifest.dataset.lower()
    facts = FACTS.get(dataset)
    partition = load_partition(dataset) if dataset in list_partitions() else None
    measures = measure(store, progress)
    findings = [*_files(store, measures), *_names(store)]
    if partition:
        findings += _subjects(store, partition)
    findings += _grid(store, partition)
    if partition and facts:
        findings += _counts(store, partition, facts)
    findings += _lengths(store)
    for modality, silhouettes in measures.silhouettes.items():
        findings += _silhouettes(store, modality, silhouettes)
    for modality, poses in measures.poses.items():
        findings += _poses(store, modality, poses)
    findings += [*_duplicates(store, measures, partition), *_left_out(store)]
    title = facts.title if facts else f"the partition {partition.name}" if partition else ""
    return Diagnosis(
        store=str(store.path),
        dataset=store.manifest.dataset,
        known_as=title or f"nothing is known of {store.manifest.dataset!r}: only the checks for any data set were made",
        findings=tuple(findings),
    )


def _judge(
    check: str, is_fine: bool, severity: Severity, found: str, expected: str, means: str, examples: Sequence[str] = ()
) -> Finding:
    """A finding whose meaning is told only where something is wrong."""
    return Finding(
        check, Severity.FINE if is_fine else severity, found, expected, "" if is_fine else means, tuple(examples)
    )


def _files(store: Store, measures: Measures) -> Iterator[Finding]:
    for modality, checksum in measures.checksums.items():
        expected = store.manifest.checksums[store.frames_file(modality).name]
        yield _judge(
            f"checksum of {modality}",
            checksum == expected,
            Severity.SERIOUS,
            f"SHA-256 {checksum[:12]}…",
            f"{expected[:12]}…",
            "The frames are not those that were prepared: no result from this store can be trusted; copy or prepare it "
            "again.",
        )


def _names(store: Store) -> Iterator[Finding]:
    times = Counter(info.name for info in store.index)
    twice = [name for name, count in times.items() if count > 1]
    yield _judge(
        "names of sequences",
        not twice,
        Severity.SERIOUS,
        f"{len(twice)} names occur more than once" if twice else "all different",
        "all different",
        "A sequence would be compared with itself under another row, which counts as a right answer.",
        twice,
    )
    per_subject = Counter(store.index.subjects.tolist())
    single = sorted(subject for subject, count in per_subject.items() if count == 1)
    yield _judge(
        "sequences per subject",
        not single,
        Severity.WARNING,
        f"{len(single)} subjects with a single sequence" if single else f"at least {min(per_subject.values())}",
        "2 or more",
        "Such a subject has no positive pair: it can't teach the triplet loss, and as a probe it has no right answer.",
        single,
    )


def _subjects(store: Store, partition: Partition) -> Iterator[Finding]:
    present = set(store.index.subjects.tolist())
    for part, subjects, severity, means in (
        ("train", partition.train, Severity.WARNING, "Training sees fewer people than the published results did."),
        (
            "test",
            partition.test,
            Severity.SERIOUS,
            "The gallery is smaller than the published one, which makes the task easier: don't compare the figures.",
        ),
    ):
        missing = [subject for subject in subjects if subject not in present]
        yield _judge(
            f"{part} subjects",
            not missing,
            severity,
            f"{len(subjects) - len(missing)} of {len(subjects)}",
            str(len(subjects)),
            means,
            missing,
        )
    unknown = sorted(present - {*partition.train, *partition.test})
    yield _judge(
        "other subjects",
        not unknown,
        Severity.NOTE,
        str(len(unknown)),
        "0",
        "They are in neither part of the partition: neither training nor evaluation uses them.",
        unknown,
    )


def _grid(store: Store, partition: Partition | None) -> Iterator[Finding]:
    """Whether every subject was recorded in every condition from every view, where the data set has such a design."""
    index = store.index
    conditions, views = sorted(set(index.conditions.tolist())), sorted(set(index.views.tolist()))
    designed = partition is not None and bool(partition.types and partition.views)
    if partition and designed:
        for what, have, wanted in (("conditions", conditions, partition.types), ("views", views, partition.views)):
            missing = [name for name in wanted if name not in have]
            extra = [name for name in have if name not in wanted]
            yield _judge(
                what,
                not missing and not extra,
                Severity.SERIOUS if missing else Severity.WARNING,
                f"{len(have)}" + (f", without {', '.join(missing)}" if missing else ""),
                str(len(wanted)),
                "Whole cells of the published table can't be computed."
                if missing
                else "Unknown names belong to no probe or gallery set, so evaluation does not use them.",
                missing + extra,
            )
        conditions, views = list(partition.types), list(partition.views)
    subjects = sorted(set(index.subjects.tolist()))
    nominal = len(subjects) * len(conditions) * len(views)
    if not designed and len(index) < nominal / 2:
        return  # recorded in the wild: conditions and views are names of clips, not a design
    present = {info.name for info in index}
    missing = ["-".join(key) for key in product(subjects, conditions, views) if "-".join(key) not in present]
    yield _judge(
        "subject × condition × view",
        not missing,
        Severity.NOTE,
        f"{nominal - len(missing):,} sequences, {len(missing):,} missing" + _concentrated(missing),
        f"{nominal:,}",
        "A missing probe is not counted and a missing gallery sequence can't be found, so every cell of a table "
        "averages over slightly different people.",
        missing,
    )


def _counts(store: Store, partition: Partition, facts: Facts) -> Iterator[Finding]:
    index = store.index
    for part, expected in facts.num_prepared.items():
        subjects: tuple[str, ...] = getattr(partition, part)
        rows = index.rows_of(frozenset(subjects))
        nominal = len(subjects) * len(partition.types) * len(partition.views)
        difference = abs(len(rows) - expected) / expected
        yield _judge(
            f"{part} sequences",
            len(rows) == expected,
            Severity.WARNING if difference < 0.01 else Severity.SERIOUS,
            f"{len(rows):,}",
            f"{expected:,} with valid frames, of {nominal:,} recorded",
            "Other probes and gallery sequences than in published results: figures may differ by tenths of a percent."
            if difference < 0.01
            else "Much is missing or added: the figures can't be compared with published ones.",
        )
    for subject, gap in facts.gaps.items():
        num = int((index.subjects == subject).sum())
        if num:
            short = int((_longest(store)[index.subjects == subject] < SHORT_FRAMES).sum())
            yield Finding(
                f"subject {subject}",
                Severity.NOTE,
                f"{num} sequences, {short} with fewer than {SHORT_FRAMES} frames",
                "known to be poor",
                f"{gap[0].upper()}{gap[1:]}; the published split keeps it.",
            )


def _lengths(store: Store) -> Iterator[Finding]:
    longest, names = _longest(store), [info.name for info in store.index]
    for limit, means in (
        (FEW_FRAMES, "They are kept, as published; a probe of so few frames is mostly misidentified."),
        (SHORT_FRAMES, "Training repeats frames of a short sequence to fill a clip of 30, which teaches less motion."),
    ):
        short = np.flatnonzero(longest < limit)
        share = len(short) / max(1, len(longest))
        yield _judge(
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
        yield _judge(
            "modalities per sequence",
            not len(lacking),
            Severity.WARNING,
            f"{len(lacking)} sequences lack one" if len(lacking) else "all",
            ", ".join(store.manifest.modalities),
            "A model that takes several modalities can't use these sequences.",
            [names[row] for row in lacking],
        )
        yield _judge(
            "lengths of modalities",
            not len(different),
            Severity.WARNING,
            f"{len(different)} sequences with unequal lengths" if len(different) else "equal",
            "equal",
            "Frame 10 of one modality is not frame 10 of the other: models that fuse them frame by frame learn noise.",
            [names[row] for row in different],
        )


def _silhouettes(store: Store, modality: str, measures: SilhouetteMeasures) -> Iterator[Finding]:
    shape = store.frame_format(modality).shape
    yield _judge(
        f"size of {modality}",
        shape in FRAME_SIZES,
        Severity.WARNING,
        "×".join(map(str, shape)),
        ", ".join("×".join(map(str, size)) for size in FRAME_SIZES),
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
    yield _judge(f"values of {modality}", not means, Severity.SERIOUS, values + kind, "0 to 255", means)

    has_person = measures.area > 0
    empty = np.flatnonzero(~has_person)
    names = _names_of_frames(store, modality, empty)
    yield _judge(
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
    yield _judge(
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
        yield _judge(
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
    yield _judge(
        f"numbers in {modality}",
        not len(broken),
        Severity.SERIOUS,
        f"{len(broken):,} frames with NaN or infinite numbers" if len(broken) else "finite",
        "finite",
        "One such frame turns the loss of its whole batch into NaN.",
        _names_of_frames(store, modality, broken),
    )
    missing, lost = float(measures.missing.mean()), np.flatnonzero(measures.missing >= 1)
    yield _judge(
        f"joints found in {modality}",
        missing <= 0.05 and not len(lost),
        Severity.WARNING,
        f"{1 - missing:.1%}" + (f", {len(lost):,} frames without any" if len(lost) else ""),
        "95 % or more, in every frame some",
        "Joints that were not found lie at the origin, and models take them for motion unless a transform fills them.",
        _names_of_frames(store, modality, lost),
    )


def _duplicates(store: Store, measures: Measures, partition: Partition | None) -> Iterator[Finding]:
    index = store.index
    train = set(partition.train) if partition else set()
    for modality, groups in measures.duplicates.items():
        across = [rows for rows in groups if len({index.subjects[row] for row in rows}) > 1]
        leaking = [rows for rows in groups if len({index.subjects[row] in train for row in rows}) > 1]
        means = "The same recording counts as two sequences, which makes one an easy match for the other."
        if across:
            means = "One person's frames are filed under another's name: training and figures are wrong for both."
        if leaking:
            means += " Some are in both the training and the test part."
        yield _judge(
            f"same {modality} twice",
            not groups,
            Severity.SERIOUS if across else Severity.WARNING,
            f"{len(groups)} groups of equal sequences, {len(across)} across subjects" if groups else "none",
            "none",
            means,
            [" = ".join(index[row].name for row in rows) for rows in groups],
        )


def _left_out(store: Store) -> Iterator[Finding]:
    left_out = store.manifest.left_out
    yield _judge(
        "left out when prepared",
        not left_out,
        Severity.NOTE,
        "; ".join(f"{count:,} {reason}" for reason, count in left_out.items()) or "nothing",
        "nothing",
        "left_out.csv in the store lists each; frames without a person are dropped by the published rule too.",
        sorted({name for name, missing in store.left_out if missing.what == "sequence"}),
    )


def _longest(store: Store) -> npt.NDArray[np.int64]:
    """Frames per sequence in the modality that has most."""
    counts: npt.NDArray[np.int64] = np.stack(list(store.index.num_frames.values())).max(axis=0)
    return counts


def _names_of_frames(store: Store, modality: str, frames: npt.NDArray[np.int64]) -> list[str]:
    """Names of the sequences to which the frames at these positions belong, in the order of the index."""
    first, count = store.index.first[modality], store.index.num_frames[modality]
    rows_with = np.flatnonzero(count)
    by_first = rows_with[np.argsort(first[rows_with])]
    rows = by_first[np.searchsorted(first[by_first], frames, side="right") - 1]
    return [store.index[int(row)].name for row in np.unique(rows)]


def _concentrated(missing: list[str]) -> str:
    """Which subjects lack most, in words."""
    if not missing:
        return ""
    most = Counter(name.split("-")[0] for name in missing).most_common(3)
    return " (most of " + ", ".join(f"{subject}: {count}" for subject, count in most) + ")"
