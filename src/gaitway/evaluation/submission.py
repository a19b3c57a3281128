"""Files for test servers that alone know who the probes are: made from embeddings, written whole, checked."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gaitway.evaluation.design import select, some
from gaitway.evaluation.distance import PROBES_PER_BLOCK, distance_to
from gaitway.evaluation.embeddings import EmbeddingSet
from gaitway.evaluation.evaluator import check_finite, re_ranked
from gaitway.evaluation.protocol import Ints, Protocol
from gaitway.evaluation.submission_format import FORMATS, SubmissionFormat

GALLERY_PER_BLOCK = 1 << 14  # gallery sequences on the device at once
NO_VIEW = "default"  # view name of HID 2022, where the name of a probe is its condition


@dataclass(frozen=True, slots=True)
class Expected:
    """What a submission must be like for a test set: its format, the probes' names in order, the gallery's subjects."""

    protocol: str
    format: SubmissionFormat
    probes: tuple[str, ...]
    subjects: frozenset[str]


def expected_submission(
    protocol: Protocol, subjects: Sequence[str], conditions: Sequence[str], views: Sequence[str]
) -> tuple[Expected, Ints, Ints]:
    """What a submission by this protocol must be like for n sequences, and the rows of probes and gallery.

    Raises:
        ValueError: when the protocol writes no submission, probes or gallery are missing, two probes have one name, the
            gallery is smaller than a row of the file, or a subject's name does not fit the file.
    """
    if protocol.submission is None:
        raise ValueError(f"protocol {protocol.name} writes no submission; it gives figures")
    file_format = FORMATS[protocol.submission]
    galleries, sets = select(protocol, subjects, conditions, views)
    (probes,), gallery = sets.values(), next(iter(galleries.values()))
    names = tuple(str(conditions[row] if views[row] == NO_VIEW else views[row]) for row in probes)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"protocol {protocol.name}: {len(twice)} names belong to several probes: {some(twice)}")
    if len(gallery) < file_format.num_ranks:
        raise ValueError(
            f"protocol {protocol.name}: a row of the file names {file_format.num_ranks} gallery sequences, but there "
            f"are only {len(gallery)}; add the gallery"
        )
    known = frozenset(file_format.subject(subject) for subject in {str(subjects[row]) for row in gallery})
    return Expected(protocol.name, file_format, names, known), probes, gallery


@torch.inference_mode()
def make_submission(
    embeddings: EmbeddingSet,
    protocol: Protocol,
    *,
    distance: str = "euclidean",
    device: torch.device | str | None = None,
) -> str:
    """The text of the file that the test server takes: a row per probe, in the order of the embeddings.

    Args:
        embeddings: Of the test set.
        protocol: One that has a `submission`.
        distance: `euclidean` or `cosine`, in float32; re-ranked where the protocol says so.
        device: Where distances are computed; None: where the embeddings are.

    Raises:
        ValueError: when embeddings are not finite, or as `expected_submission` says.
    """
    names = embeddings.subjects, embeddings.conditions, embeddings.views
    expected, probes, gallery = expected_submission(protocol, *names)
    check_finite(embeddings)
    device = torch.device(device) if device is not None else embeddings.embeddings.device
    vectors, count = embeddings.embeddings, expected.format.num_ranks
    if protocol.rerank is None:
        nearest = _nearest(vectors[probes], vectors[gallery], count, distance, device)
    else:
        search = re_ranked(vectors, probes, gallery, distance, protocol.rerank, device)
        blocks = (slice(start, start + PROBES_PER_BLOCK) for start in range(0, len(probes), PROBES_PER_BLOCK))
        nearest = torch.cat([search(block).topk(count, dim=1, largest=False).indices.cpu() for block in blocks])
    subjects = [expected.format.subject(embeddings.subjects[row]) for row in gallery]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(expected.format.header)
    table.writerows(
        (name, *(subjects[i] for i in row)) for name, row in zip(expected.probes, nearest.tolist(), strict=True)
    )
    return text.getvalue()


def _nearest(probes: Tensor, gallery: Tensor, count: int, distance: str, device: torch.device) -> Tensor:
    """Numbers of the nearest gallery sequences `(n, count)`; the gallery, which may be large, comes in parts."""
    distances = torch.full((len(probes), count), torch.inf)
    nearest = torch.zeros(len(probes), count, dtype=torch.int64)
    for first in range(0, len(gallery), GALLERY_PER_BLOCK):
        to_gallery = distance_to(gallery[first : first + GALLERY_PER_BLOCK].to(device), distance)
        for start in range(0, len(probes), PROBES_PER_BLOCK):
            rows = slice(start, start + PROBES_PER_BLOCK)
            found = to_gallery(probes[rows].to(device))
            found, places = found.topk(min(count, found.shape[1]), dim=1, largest=False)
            both = torch.cat((distances[rows], found.cpu()), 1)
            numbers = torch.cat((nearest[rows], places.cpu() + first), 1)
            distances[rows], order = both.topk(count, dim=1, largest=False)
            nearest[rows] = numbers.gather(1, order)
    return nearest


def check_submission(text: str, expected: Expected) -> int:
    """Check a submission's text and return the number of its probes.

    Raises:
        ValueError: when the test server would refuse the file or misread it; says all that is wrong.
    """
    problems = list(_problems(list(csv.reader(io.StringIO(text))), expected))
    if problems:
        raise ValueError(f"not a submission for protocol {expected.protocol}: {'; '.join(problems)}")
    return len(expected.probes)


def _problems(lines: list[list[str]], expected: Expected) -> Iterator[str]:
    header, rows = (tuple(lines[0]), lines[1:]) if lines else ((), [])
    if header != expected.format.header:
        yield f"the header is {','.join(header)!r}, expected {','.join(expected.format.header)!r}"
    if len(rows) != len(expected.probes):
        yield f"it has {len(rows)} rows, expected one for each of the {len(expected.probes)} probes"
    short = [str(number) for number, row in enumerate(rows, 2) if len(row) != len(expected.format.header)]
    if short:
        yield f"lines {some(short)} do not have {len(expected.format.header)} columns"
    counts = Counter(row[0] for row in rows if row)
    wrong = {
        "come more than once": [name for name, count in counts.items() if count > 1],
        "are no probes": sorted(counts.keys() - set(expected.probes)),
        "are missing": sorted(set(expected.probes) - counts.keys()),
    }
    for what, names in wrong.items():
        if names:
            yield f"{len(names)} probe names {what}: {some(names)}"
    unknown = sorted({subject for row in rows for subject in row[1:]} - expected.subjects)
    if unknown:
        form = " (subjects are numbers without leading zeros)" if expected.format.integers else ""
        yield f"{len(unknown)} subjects are not in the gallery: {some(unknown)}{form}"


def write_submission(text: str, path: Path, expected: Expected) -> None:
    """Check a submission and write it, whole or not at all.

    Raises:
        FileExistsError: when there is something at `path` already.
        ValueError: when the text is no such submission.
    """
    refuse_existing(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    try:
        check_submission(partial.read_text(encoding="utf-8"), expected)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def refuse_existing(path: Path) -> None:
    """Raise a FileExistsError where a submission would overwrite something."""
    if path.exists():
        raise FileExistsError(f"{path} exists already; a submission is never overwritten: give another name")
