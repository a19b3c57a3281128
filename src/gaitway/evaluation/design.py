"""A protocol applied to a test set: which of its sequences are compared, in which groups, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gaitway.evaluation.protocol import Bools, Ints, Protocol, Selection

ALL = "all"  # name of the only group where a protocol does not split by view


@dataclass(frozen=True, slots=True)
class Design:
    """The comparisons of probes with one gallery that a protocol asks for, as positions in a test set of n sequences.

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
        missing_gallery: Gallery sequences that this test set lacks, of those that the protocol lists or, where every
            subject should walk in every condition and view, of those.
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
) -> list[Design]:
    """Find probes and gallery among n sequences, given by the names of their subjects, conditions and views.

    Returns:
        A design for each gallery; with re-ranking, where a set's probes bear on each other's distances, for each set.

    Raises:
        ValueError: when the protocol's figures would be undefined or wrong: it gives no figures; no gallery; a set or a
            view without probes; a view without gallery; listed sequences that most are not there; probes whose subject
            is not in the gallery; only one view where different views are compared; a rank beyond the gallery.
    """
    if protocol.submission:
        raise ValueError(
            f"protocol {protocol.name} gives no figures, since the subjects of its probes are not known here: "
            "`gaitway evaluate … --submission FILE` writes the file that the test server takes"
        )
    galleries, sets = select(protocol, subjects, conditions, views)
    names = np.asarray(subjects, dtype=np.str_), np.asarray(protocol.view_names(views), dtype=np.str_)
    sets = {name: _keep_matched(protocol, name, rows, galleries[name], *names) for name, rows in sets.items()}
    used = np.unique(np.concatenate([*galleries.values(), *sets.values()]))
    view_names, used_views = np.unique(names[1][used], return_inverse=True)
    view = np.full(len(subjects), -1)
    view[used] = used_views
    _, subject = np.unique(names[0], return_inverse=True)

    together: dict[Selection | str, list[str]] = {}  # sets with the same gallery
    for name, selection in protocol.galleries.items():
        together.setdefault(name if protocol.rerank else selection, []).append(name)
    complete = len(np.unique(subject[used])) * len(view_names) if protocol.complete_design else 0  # per condition

    def missing(selection: Selection, found: Ints) -> int:
        expected = complete * len(selection.expected(conditions))
        if selection.listed is not None:
            expected = len(_listed_of(selection.listed, subjects))
        return max(0, expected - len(found))

    return [
        _design(
            protocol,
            subject,
            view,
            tuple(view_names.tolist()),
            galleries[members[0]],
            {name: sets[name] for name in members},
            missing_gallery=missing(protocol.galleries[members[0]], galleries[members[0]]),
            missing_probes={name: missing(protocol.probes[name], sets[name]) for name in members},
        )
        for members in together.values()
    ]


def _design(
    protocol: Protocol,
    subject: Ints,
    view: Ints,
    view_names: tuple[str, ...],
    gallery: Ints,
    sets: Mapping[str, Ints],
    *,
    missing_gallery: int,
    missing_probes: Mapping[str, int],
) -> Design:
    probes = np.unique(np.concatenate(list(sets.values())))
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
        num_candidates[:, 0] -= _counts(alike[gallery], alike[probes])
    _check_ranks(protocol, num_candidates, gallery_groups)
    excluded = _excluded_cells(protocol, probe_groups, gallery_groups)
    _check_matches(protocol, sets, gallery, subject, view)
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
        excluded_cells=excluded,
        missing_gallery=missing_gallery,
        missing_probes=missing_probes,
    )


def select(
    protocol: Protocol, subjects: Sequence[str], conditions: Sequence[str], views: Sequence[str]
) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """Rows of the gallery and of the probes of each set; see `Protocol.select`.

    Raises:
        ValueError: when one of them is empty, or most of the sequences that the protocol lists are not there.
    """
    galleries, sets = protocol.select(subjects, conditions, views)
    sides = (("gallery", protocol.galleries, galleries), ("probe set", protocol.probes, sets))
    for side, selections, found in sides:
        for name, selection in selections.items():
            what = side if side == "gallery" and isinstance(protocol.gallery, Selection) else f"{side} {name}"
            if selection.listed is not None:
                _check_list(protocol, what, selection.listed, found[name], subjects, conditions, views)
            if not len(found[name]):
                raise ValueError(
                    f"protocol {protocol.name}: no sequence is of the {what} ({selection}); the {len(conditions)} "
                    f"sequences are of the conditions {some(sorted(set(conditions)))}. Choose the protocol of this "
                    "data set, or add the sequences"
                )
    return galleries, sets


def _check_list(
    protocol: Protocol,
    what: str,
    listed: frozenset[str],
    found: Ints,
    subjects: Sequence[str],
    conditions: Sequence[str],
    views: Sequence[str],
) -> None:
    """A test set may lack a few of the listed sequences; when most are missing, list and names do not fit."""
    expected = _listed_of(listed, subjects)
    if 2 * len(found) > len(expected):
        return
    found_names = {"-".join((subjects[row], conditions[row], views[row])) for row in found}
    absent = sorted((expected or listed) - found_names)
    names = sorted(map("-".join, zip(subjects, conditions, views, strict=True)))
    raise ValueError(
        f"protocol {protocol.name}: the {what} is a list that does not match this data set: {len(found)} of the "
        f"{len(expected)} listed sequences of its subjects are there. Listed is for example {absent[0]}, there is for "
        f"example {names[0]}. Prepare the data set in its published layout, or give the partition that belongs to it"
    )


def _listed_of(listed: frozenset[str], subjects: Sequence[str]) -> set[str]:
    """The listed sequences `subject-condition-view` of the subjects that are there."""
    there = set(subjects)
    return {name for name in listed if name.partition("-")[0] in there}


def _keep_matched(
    protocol: Protocol,
    name: str,
    rows: Ints,
    gallery: Ints,
    subjects: npt.NDArray[np.str_],
    views: npt.NDArray[np.str_],
) -> Ints:
    """Probes without a sequence of their subject to be compared with: an error, kept, or left out."""
    known = np.isin(subjects[rows], subjects[gallery])
    unknown = sorted(set(subjects[rows[~known]].tolist()))
    if unknown and protocol.without_match == "error":
        raise ValueError(
            f"protocol {protocol.name}: the gallery ({protocol.galleries[name]}) has no sequence of {len(unknown)} "
            f"subjects that the probes show: {some(unknown)}. They could never be identified; add their gallery "
            "sequences, or leave these subjects out"
        )
    if not known.any():
        raise ValueError(
            f"protocol {protocol.name}: the gallery has no sequence of any subject of probe set {name}; probes and "
            "gallery must show the same people"
        )
    if protocol.without_match != "skip":
        return rows
    if protocol.exclude and not protocol.gallery_by:
        _, subject = np.unique(subjects, return_inverse=True)
        distinct, view = np.unique(views, return_inverse=True)
        both = subject * len(distinct) + view
        known = _counts(subject[gallery], subject[rows]) > _counts(both[gallery], both[rows])
    return rows[known]


def _check_matches(protocol: Protocol, sets: Mapping[str, Ints], gallery: Ints, subject: Ints, view: Ints) -> None:
    """Every set needs a probe with a match among the sequences that it is compared with."""
    distinct = int(view.max()) + 1
    both = subject * distinct + view
    for name, rows in sets.items():
        matches = _counts(subject[gallery], subject[rows])
        if protocol.exclude:  # of the same view, be it a cell or pairs that count for nothing
            matches = matches - _counts(both[gallery], both[rows])
        if not matches.any():
            raise ValueError(
                f"protocol {protocol.name}: no probe of set {name} has a match among the sequences that it is compared "
                "with; add gallery sequences of these subjects in other views"
            )


def _counts(values: Ints, wanted: Ints) -> Ints:
    """How often each of the wanted numbers is among the values."""
    return np.bincount(values, minlength=int(wanted.max(initial=0)) + 1)[wanted]


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
