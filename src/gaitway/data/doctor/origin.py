"""Checks of how a store came about: whole files, the same recording twice, what was left out."""

from __future__ import annotations

from collections.abc import Iterator

from gaitway.data.doctor.findings import Finding, Severity, judge
from gaitway.data.measures import Measures
from gaitway.data.partitions import Partition
from gaitway.data.store import Store

IN_SEQUENCES = ("frames", "joints", "people", "confidences")  # left out of sequences that stay


def examine_files(store: Store, measures: Measures) -> Iterator[Finding]:
    """Compare the checksums of the frames with the manifest."""
    for modality, checksum in measures.checksums.items():
        expected = store.manifest.checksums[store.frames_file(modality).name]
        yield judge(
            f"checksum of {modality}",
            checksum == expected,
            Severity.SERIOUS,
            f"SHA-256 {checksum[:12]}…",
            f"{expected[:12]}…",
            "The frames are not those that were prepared: no result from this store can be trusted; copy or prepare it "
            "again.",
        )


def examine_duplicates(store: Store, measures: Measures, partition: Partition | None) -> Iterator[Finding]:
    """Find equal sequences under different names."""
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
        yield judge(
            f"same {modality} twice",
            not groups,
            Severity.SERIOUS if across else Severity.WARNING,
            f"{len(groups)} groups of equal sequences, {len(across)} across subjects" if groups else "none",
            "none",
            means,
            [" = ".join(index[row].name for row in rows) for rows in groups],
        )


def examine_left_out(store: Store) -> Iterator[Finding]:
    """Repeat what the preparation left out."""
    left_out = store.manifest.left_out
    yield judge(
        "left out when prepared",
        not left_out,
        Severity.NOTE,
        "; ".join(f"{count:,} {reason}" for reason, count in left_out.items()) or "nothing",
        "nothing",
        "left_out.csv in the store lists each; frames without a person are dropped by the published rule too.",
        sorted({name for name, missing in store.left_out if missing.what not in IN_SEQUENCES}),
    )
