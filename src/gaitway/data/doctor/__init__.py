"""Comparing a store with what is known of its data set, and with what training and evaluation need.

Every check says what was found, what was expected and what the difference means for results.
"""

from __future__ import annotations

from collections.abc import Callable

from gaitway.data.datasets.facts import FACTS
from gaitway.data.doctor.contents import examine_contents
from gaitway.data.doctor.findings import Diagnosis, Finding, Severity
from gaitway.data.doctor.frames import examine_frames
from gaitway.data.doctor.origin import examine_duplicates, examine_files, examine_left_out
from gaitway.data.measures import measure
from gaitway.data.partitions import list_partitions, load_partition
from gaitway.data.store import Store

__all__ = ["Diagnosis", "Finding", "Severity", "examine"]


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
    findings = [
        *examine_files(store, measures),
        *examine_contents(store, partition, facts),
        *examine_frames(store, measures, facts),
        *examine_duplicates(store, measures, partition),
        *examine_left_out(store),
    ]
    title = facts.title if facts else f"the partition {partition.name}" if partition else ""
    return Diagnosis(
        store=str(store.path),
        dataset=store.manifest.dataset,
        known_as=title or f"nothing is known of {store.manifest.dataset!r}: only the checks for any data set were made",
        findings=tuple(findings),
    )
