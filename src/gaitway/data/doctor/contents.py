"""Checks of who and what is in a store: subjects, conditions, views, listed sequences, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product

from gaitway.data.datasets.facts import Facts
from gaitway.data.datasets.grew import NOT_SUBJECTS
from gaitway.data.doctor.findings import Finding, Severity, judge
from gaitway.data.doctor.frames import SHORT_FRAMES, longest
from gaitway.data.partitions import Partition
from gaitway.data.store import Store


def examine_contents(store: Store, partition: Partition | None, facts: Facts | None) -> Iterator[Finding]:
    """Compare who and what is in a store with its data set's partition and with what is known of it."""
    yield from _names(store)
    if store.manifest.dataset.lower() == "grew":
        yield from _grew(store)
    if partition:
        yield from _subjects(store, partition, facts)
        yield from _listed(store, partition)
    yield from _grid(store, partition)
    if partition and facts:
        yield from _counts(store, partition, facts)
    if facts:
        yield from _known(store, facts)


def _names(store: Store) -> Iterator[Finding]:
    times = Counter(info.name for info in store.index)
    twice = [name for name, count in times.items() if count > 1]
    yield judge(
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
    yield judge(
        "sequences per subject",
        not single,
        Severity.WARNING,
        f"{len(single)} subjects with a single sequence" if single else f"at least {min(per_subject.values())}",
        "2 or more",
        "Such a subject has no positive pair: it can't teach the triplet loss, and as a probe it has no right answer.",
        single,
    )


def _subjects(store: Store, partition: Partition, facts: Facts | None) -> Iterator[Finding]:
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
        yield judge(
            f"{part} subjects",
            not missing,
            severity,
            f"{len(subjects) - len(missing)} of {len(subjects)}",
            str(len(subjects)),
            means,
            missing,
        )
    unknown = sorted(present - {*partition.train, *partition.test, *(facts.extra_subjects if facts else ())})
    yield judge(
        "other subjects",
        not unknown,
        Severity.NOTE,
        str(len(unknown)),
        "0",
        "They are in neither part of the partition: neither training nor evaluation uses them.",
        unknown,
    )


def _grew(store: Store) -> Iterator[Finding]:
    """Whether GREW was rearranged, and its gallery numbered."""
    index = store.index
    wrong = sorted(NOT_SUBJECTS.intersection(index.subjects.tolist()))
    yield judge(
        "arrangement",
        not wrong,
        Severity.SERIOUS,
        f"subjects {', '.join(wrong)}" if wrong else "rearranged",
        "rearranged to 00001train-00, 00001-01, 00001-02 and probe-03",
        "These are folders of GREW as distributed, not people: training and evaluation find none of theirs. Prepare it "
        "by `gaitway prepare grew`, which rearranges it.",
        [info.name for info in index if info.subject in wrong],
    )
    numbers = Counter(zip(index.subjects.tolist(), index.conditions.tolist(), strict=True))
    odd = sorted(
        subject
        for subject in {subject for subject, condition in numbers if condition in ("01", "02")}
        if numbers[subject, "01"] != 1 or numbers[subject, "02"] != 1
    )
    yield judge(
        "gallery videos per subject",
        not odd,
        Severity.WARNING,
        f"{len(odd)} subjects without one 01 and one 02" if odd else "one 01, one 02",
        "one 01, one 02",
        "The local protocol takes 01 as gallery and 02 as probe: other subjects count twice or not at all.",
        odd,
    )


def _listed(store: Store, partition: Partition) -> Iterator[Finding]:
    """Whether the sequences that a partition lists by name are there."""
    present = {info.name for info in store.index}
    for part, names in (("probe", partition.probe), ("gallery", partition.gallery)):
        missing = [name for name in names if name not in present]
        if names:
            yield judge(
                f"listed {part} sequences",
                not missing,
                Severity.SERIOUS,
                f"{len(names) - len(missing):,} of {len(names):,}",
                f"{len(names):,}",
                f"The {part} list of {partition.dataset} doesn't match this store: what is missing isn't evaluated, "
                "and where it is there under another name it is taken for something else. Prepare the data set as "
                "distributed, all of it.",
                missing,
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
            yield judge(
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
    if not designed and (partition or len(index) < nominal / 2):
        return  # recorded in the wild: conditions and views are names of clips, not a design
    present = {info.name for info in index}
    missing = ["-".join(key) for key in product(subjects, conditions, views) if "-".join(key) not in present]
    yield judge(
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
    """Whether there are as many sequences of silhouettes as elsewhere; of poses nothing is known."""
    num_silhouettes = store.index.num_frames.get("silhouettes")
    if num_silhouettes is None:
        return
    for part, expected in facts.num_prepared.items():
        subjects: tuple[str, ...] = getattr(partition, part)
        found = int((num_silhouettes[store.index.rows_of(frozenset(subjects))] > 0).sum())
        nominal = len(subjects) * len(partition.types) * len(partition.views)
        difference = abs(found - expected) / expected
        recorded = f", of {nominal:,} recorded" if nominal else ""
        is_near = difference < 0.01
        yield judge(
            f"{part} sequences",
            found == expected,
            Severity.WARNING if is_near or not facts.is_certain else Severity.SERIOUS,
            f"{found:,}",
            f"{expected:,} with valid frames{recorded}" if facts.is_certain else f"about {expected:,}",
            "Other probes and gallery sequences than in published results: figures may differ by tenths of a percent."
            if is_near
            else "Much is missing or added: the figures can't be compared with published ones.",
        )


def _known(store: Store, facts: Facts) -> Iterator[Finding]:
    """What is known to be poor or odd."""
    subjects = store.index.subjects
    for subject, gap in facts.gaps.items():
        num = int((subjects == subject).sum())
        if num:
            short = int((longest(store)[subjects == subject] < SHORT_FRAMES).sum())
            yield Finding(
                f"subject {subject}",
                Severity.NOTE,
                f"{num} sequences, {short} with fewer than {SHORT_FRAMES} frames",
                "known to be poor",
                f"{gap[0].upper()}{gap[1:]}; the published split keeps it.",
            )
    for number, problem in enumerate(facts.problems, start=1):
        yield Finding(f"known of this data set ({number})", Severity.NOTE, "", "", problem)


def _concentrated(missing: list[str]) -> str:
    """Which subjects lack most, in words."""
    if not missing:
        return ""
    most = Counter(name.split("-")[0] for name in missing).most_common(3)
    return " (most of " + ", ".join(f"{subject}: {count}" for subject, count in most) + ")"
