"""A protocol applied to a test set: which of its sequences are compared, in which groups, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gaitway.evaluation.protocol import Protocol

ALL = "all"  # name of the only group where a protocol does not split by view

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Design:
    """The comparisons that a protocol asks for, as positions in a test set of n sequences.

    Args:
        subjects: `(n,)`, the number of the subject of each sequence.
        views: `(n,)`, the number of its view.
        probe_groups: Names of the groups of probes (views, or `all`): the rows of the result's tables.
        gallery_groups: Names of the groups of gallery sequences: the columns.
        probes: Positions of all probes, of whichever set, ascending.
        probe_group: `(probes,)`, the group of each.
        sets: Per probe set its places in `probes`.
        gallery: Positions of the gallery, group after group.
        group_sizes: `(gallery groups,)`.
        num_candidates: `(probes, gallery groups)`, gallery sequences that the probe is ranked against.
        excluded_cells: `(probe groups, gallery groups)`, cells that count for no published figure.
        missing_gallery: Gallery sequences that this test set lacks, when every subject should walk in every condition
            and view; 0 where views are no part of the protocol.
        missing_probes: The same per probe set.
    """

    subjects: Ints
    views: Ints
    probe_groups: tuple[str, ...]
    gallery_groups: tuple[str, ...]
    probes: Ints
    probe_group: Ints
    sets: Mapping[str, Ints]
    gallery: Ints
    group_sizes: Ints
    num_candidates: Ints
    excluded_cells: Bools
    missing_gallery: int
    missing_probes: Mapping[str, int]


def apply_protocol(
    protocol: Protocol, subjects: Sequence[str], conditions: Sequence[str], views: Sequence[str]
) -> Design:
    """Find probes and gallery among n sequences, given by the names of their subjects, conditions and views.

    Raises:
        ValueError: when the protocol's figures would be undefined or wrong: no gallery; a set or a view without
            probes; a view without gallery; probes whose subject is not in the gallery; only one view where different
            views are compared; a rank beyond the gallery.
    """
    gallery, sets = _select(protocol, conditions)
    sets = _drop_unmatched(protocol, sets, gallery, np.asarray(subjects))
    probes = np.unique(np.concatenate(list(sets.values())))
    used = np.union1d(probes, gallery)

    _, subject = np.unique(subjects, return_inverse=True)
    view_names = tuple(sorted({views[row] for row in used}))
    view_number = {name: number for number, name in enumerate(view_names)}
    view = np.array([view_number.get(name, -1) for name in views], dtype=np.int64)  # -1: of unused sequences only

    one_group = np.zeros_like(view)
    probe_groups, probe_group = (view_names, view) if protocol.probes_by else ((ALL,), one_group)
    gallery_groups, gallery_group = (view_names, view) if protocol.gallery_by else ((ALL,), one_group)
    for name, rows in sets.items():
        _check_groups(protocol, f"probes of {name}", probe_groups, probe_group[rows])
    _check_groups(protocol, "gallery sequences", gallery_groups, gallery_group[gallery])
    gallery = gallery[np.argsort(gallery_group[gallery], kind="stable")]
    group_sizes = np.bincount(gallery_group[gallery])

    num_candidates = np.tile(group_sizes, (len(probes), 1))
    if not protocol.gallery_by and protocol.exclude:
        alike = view + len(view_names) * (subject if "subject" in protocol.exclude else 0)
        num_candidates[:, 0] -= np.bincount(alike[gallery], minlength=alike[used].max() + 1)[alike[probes]]
    _check_ranks(protocol, num_candidates, gallery_groups)

    complete = len(np.unique(subject[used])) * len(view_names) if protocol.probes_by else 0  # per condition
    return Design(
        subjects=subject,
        views=view,
        probe_groups=probe_groups,
        gallery_groups=gallery_groups,
        probes=probes,
        probe_group=probe_group[probes],
        sets={name: np.searchsorted(probes, rows) for name, rows in sets.items()},
        gallery=gallery,
        group_sizes=group_sizes,
        num_candidates=num_candidates,
        excluded_cells=_excluded_cells(protocol, probe_groups, gallery_groups),
        missing_gallery=max(0, complete * len(protocol.gallery.expected(conditions)) - len(gallery)),
        missing_probes={
            name: max(0, complete * len(protocol.probes[name].expected(conditions)) - len(rows))
            for name, rows in sets.items()
        },
    )


def _select(protocol: Protocol, conditions: Sequence[str]) -> tuple[Ints, dict[str, Ints]]:
    """Rows of the gallery and of each probe set; none may be empty."""
    gallery = protocol.gallery.rows(conditions)
    sets = {name: selection.rows(conditions) for name, selection in protocol.probes.items()}
    wanted = {f"probe set {name}": selection for name, selection in protocol.probes.items()}
    for what, selection in {"gallery": protocol.gallery, **wanted}.items():
        if not selection.names(conditions):
            raise ValueError(
                f"protocol {protocol.name}: no sequence is of the {what} ({', '.join(selection.conditions)}); the "
                f"{len(conditions)} sequences are of the conditions {some(sorted(set(conditions)))}. Choose the "
                "protocol of this data set, or add the sequences"
            )
    return gallery, sets


def _drop_unmatched(
    protocol: Protocol, sets: Mapping[str, Ints], gallery: Ints, subjects: npt.NDArray[np.str_]
) -> dict[str, Ints]:
    """Probes whose subject is nowhere in the gallery: an error, kept, or dropped, as the protocol says."""
    known = {name: np.isin(subjects[rows], subjects[gallery]) for name, rows in sets.items()}
    unknown = sorted({str(s) for name, rows in sets.items() for s in subjects[rows[~known[name]]]})
    if unknown and protocol.without_match == "error":
        raise ValueError(
            f"protocol {protocol.name}: the gallery ({', '.join(protocol.gallery.conditions)}) has no sequence of "
            f"{len(unknown)} subjects that the probes show: {some(unknown)}. They could never be identified; add "
            "their gallery sequences, or leave these subjects out"
        )
    for name in sets:
        if not known[name].any():
            raise ValueError(
                f"protocol {protocol.name}: the gallery has no sequence of any subject of probe set {name}; "
                "probes and gallery must show the same people"
            )
    if protocol.without_match == "skip":
        return {name: rows[known[name]] for name, rows in sets.items()}
    return dict(sets)


def _check_groups(protocol: Protocol, what: str, groups: tuple[str, ...], group: Ints) -> None:
    empty = [name for name, size in zip(groups, np.bincount(group, minlength=len(groups)), strict=True) if not size]
    if empty:
        raise ValueError(
            f"protocol {protocol.name} needs {what} in every view, there are none in view {some(empty)} "
            f"(views of the test set: {some(groups)}); add them, or leave these views out"
        )


def _check_ranks(protocol: Protocol, num_candidates: Ints, gallery_groups: tuple[str, ...]) -> None:
    smallest, most = num_candidates.min(0), max(protocol.ranks)
    if smallest.min() < most:
        where = "" if gallery_groups == (ALL,) else f" of view {gallery_groups[smallest.argmin()]}"
        raise ValueError(
            f"protocol {protocol.name} reports rank-{most}, but the gallery{where} has only {smallest.min()} sequences "
            "to rank; leave such ranks out of the protocol's `ranks`, or add gallery sequences"
        )


def _excluded_cells(protocol: Protocol, probe_groups: tuple[str, ...], gallery_groups: tuple[str, ...]) -> Bools:
    excluded = np.zeros((len(probe_groups), len(gallery_groups)), dtype=np.bool_)
    if protocol.gallery_by and protocol.exclude:
        np.fill_diagonal(excluded, True)
    if excluded.all():
        raise ValueError(
            f"protocol {protocol.name} compares different views, but all sequences are of view {probe_groups[0]}; add "
            "other views, or use a protocol without `exclude: [view]`"
        )
    return excluded


def some(names: Iterable[str]) -> str:
    """The first names of a list that may be long."""
    names = list(names)
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
