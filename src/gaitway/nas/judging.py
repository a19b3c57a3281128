"""How good a path is: the accuracy that it reaches with the supernet's weights, and how long it takes."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from gaitway.data.held_out import split
from gaitway.data.loader import TrainLoader
from gaitway.data.reader import Residency
from gaitway.data.sampling import Ints
from gaitway.data.store import Store
from gaitway.data.transforms import chains
from gaitway.data.usable import usable_rows
from gaitway.evaluation import Protocol, Result, Selection, apply_protocol, evaluate, list_protocols, load_protocol
from gaitway.models.sposgait import Architecture, SPOSGait
from gaitway.nas.objectives import ACCURACIES
from gaitway.nas.recalibration import recalibrated
from gaitway.training.evaluating import AUTOCAST, check_protocol, embed_rows, load_protocols, sequences_to_embed
from gaitway.training.recipe import Data, Evaluation, Recipe, build_transforms

RANKS = (1, 5)
TIMED_RUNS = 7
SHARE = 0.2
"""Of the training subjects that paths are judged by, where the supernet was trained on all of them."""

Batches = Callable[[], Iterable[tuple[Tensor, Tensor | None]]]
"""The batches of a recalibration, the same ones at every call."""


@dataclass(frozen=True)
class Jury:
    """By whom paths are judged.

    Args:
        rows: `(N,)`, the rows of the store that are embedded.
        protocol: Which of them are probes, which gallery.
        who: In words.
        num_subjects: How many subjects they show.
        warning: What is wrong with the choice; empty where nothing is.
    """

    rows: Ints
    protocol: Protocol
    who: str
    num_subjects: int
    warning: str = ""


def held_out_jury(data: Data, store: Store, evaluation: Evaluation, share: float | None = None) -> Jury:
    """Training subjects that the supernet was not trained on, or, where it left out none, a share of those it was.

    They are compared by the recipe's protocol where it says how: where it is about the conditions of test subjects or
    lists their sequences, every second sequence of a subject searches among the others.

    Args:
        data: Of the supernet's recipe.
        store: The data set.
        evaluation: Of the supernet's recipe.
        share: Held out; None: the recipe's, or `SHARE`.

    Raises:
        ValueError: when the supernet left out another share, or the subjects are too few.
    """
    subjects, warning = data.held_out_subjects(), ""
    if subjects and share not in (None, data.held_out):
        raise ValueError(
            f"the supernet was trained without {data.held_out} of its subjects, and paths are judged by exactly these; "
            f"leave out --held-out {share}, or train a supernet by `gaitway nas train --held-out {share}`"
        )
    if not subjects:
        share = SHARE if share is None else share
        subjects = split(data.load_partition().train, share)[1]
        warning = (
            "the supernet was trained on the subjects that paths are judged by here, so the figures are higher than "
            "for people it has not seen; `gaitway nas train` leaves some out"
        )
    rows = store.index.rows_of(frozenset(subjects))
    if not len(rows):
        raise ValueError(f"{store.path} has none of the {len(subjects)} held-out subjects, such as {subjects[0]}")
    rows = usable_rows(store, rows, SPOSGait.modalities, data.min_frames).rows
    (protocol,) = load_protocols([_protocol_with_figures(evaluation, store)], data.load_partition(), [])
    protocol = replace(protocol, ranks=RANKS)
    try:
        check_protocol(protocol, store, rows)
    except ValueError:
        protocol = _every_second(store, rows)
    return _jury(store, rows, protocol, "held-out training subjects", warning)


def published_jury(data: Data, store: Store, evaluation: Evaluation) -> Jury:
    """The test subjects, as published.

    Raises:
        ValueError: when the data set's protocol can't be carried out on the store.
    """
    partition = data.load_partition()
    (protocol,) = load_protocols([_protocol_with_figures(evaluation, store)], partition, [])
    protocol = replace(protocol, ranks=RANKS)
    rows = sequences_to_embed(store, partition, SPOSGait.modalities, [protocol], data.min_frames).rows
    check_protocol(protocol, store, rows)
    warning = (
        "paths are judged by the test subjects, the published choice: what is chosen has seen the test set, and its "
        "figures there are too good"
    )
    return _jury(store, rows, protocol, "test subjects (published)", warning)


def _protocol_with_figures(evaluation: Evaluation, store: Store) -> str:
    """The recipe's protocol, or one of the data set's that gives figures where that is for a test server."""
    for name in (evaluation.protocol, *list_protocols(store.manifest.dataset)):
        if not load_protocol(name).submission:
            return name
    raise ValueError(
        f"only a test server knows the figures of protocol {evaluation.protocol}; judge by held-out subjects"
    )


def _every_second(store: Store, rows: Ints) -> Protocol:
    subjects = store.index.subjects[rows]
    probes = np.concatenate([rows[subjects == subject][1::2] for subject in np.unique(subjects)])
    listed = frozenset(store.index[int(row)].name for row in probes)
    return Protocol(
        name="every second sequence",
        dataset=store.manifest.dataset,
        measures="How often the nearest of a half of the sequences shows the subject of one of the other half.",
        gallery=Selection(others=True),
        probes={"all": Selection(listed=listed)},
        ranks=RANKS,
        decimals=2,
        without_match="skip",
    )


def _jury(store: Store, rows: Ints, protocol: Protocol, who: str, warning: str) -> Jury:
    """A jury of those rows that the protocol uses."""
    index = store.index
    names = (index.subjects[rows].tolist(), index.conditions[rows].tolist(), index.views[rows].tolist())
    designs = apply_protocol(protocol, *names)
    used = rows[np.unique(np.concatenate([part for design in designs for part in (design.gallery, design.probes)]))]
    return Jury(used, protocol, who, len(np.unique(index.subjects[used])), warning)


def frame_size(evaluation: Evaluation, frame_shape: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of a frame as the model gets it, of those in a store of this shape."""
    chain = chains(build_transforms(evaluation.transforms), SPOSGait.modalities)["silhouettes"]
    one = np.ones(1, np.int64)
    frame = torch.zeros(1, *frame_shape, dtype=torch.uint8)
    transformed, _ = chain(frame, one, chain.draw(one, np.random.default_rng(0)))
    height, width = transformed.shape[1:]
    return height, width


def training_batches(recipe: Recipe, store: Store, count: int, device: torch.device, residency: Residency) -> Batches:
    """The first batches of a supernet's training, as often as they are wanted.

    Args:
        recipe: Of the supernet.
        store: The data set.
        count: How many.
        device: Where they are wanted.
        residency: Where the frames are kept.
    """
    rows = recipe.data.load_partition().rows(store, "train", SPOSGait.modalities)
    _, labels = np.unique(store.index.subjects[rows], return_inverse=True)
    loader = TrainLoader(
        store,
        rows,
        labels,
        recipe.build_sampler(),
        recipe.frames,
        recipe.build_transforms(),
        seed=recipe.training.seed,
        device=device,
        residency=residency,
    )

    def batches() -> Iterator[tuple[Tensor, Tensor | None]]:
        for step in range(count):
            batch = loader.batch(step)
            yield batch.frames["silhouettes"], batch.lengths

    return batches


class Judge:
    """Judges paths of a supernet, each whatever was judged before; the supernet stays as it is.

    Args:
        fabric: Launched, of this process alone.
        model: The supernet, in evaluation mode on the device of `fabric`.
        store: The data set.
        jury: By whom.
        evaluation: Transforms, batch size, distance and precision.
        residency: Where the frames are kept.
        batches: Of training, to recalibrate batch normalisation for every path; None: as published, not at all.
    """

    def __init__(
        self,
        fabric: Fabric,
        model: SPOSGait,
        store: Store,
        jury: Jury,
        evaluation: Evaluation,
        *,
        residency: Residency = "auto",
        batches: Batches | None = None,
    ) -> None:
        self.fabric, self.model, self.store, self.jury = fabric, model, store, jury
        self.evaluation, self.residency, self.batches = evaluation, residency, batches

    def accuracies(self, path: Architecture, progress: Callable[[int, int], object] | None = None) -> dict[str, float]:
        """Rank-1, rank-5 and mAP in percent: means over the probe sets.

        Args:
            path: Block of each layer.
            progress: Called with how many sequences are embedded, and how many there are.

        Raises:
            ValueError: when its embeddings are not finite.
        """
        fresh = nullcontext() if self.batches is None else recalibrated(self.model, path, self.batches())
        self.model.path = path
        with fresh:
            embeddings = embed_rows(
                self.fabric,
                self.model,
                self.store,
                self.jury.rows,
                self.evaluation,
                residency=self.residency,
                progress=progress,
            )
        try:
            result = evaluate(
                embeddings, self.jury.protocol, distance=self.evaluation.distance, device=self.fabric.device
            )
        except ValueError as error:
            raise ValueError(f"path {list(path)}: {error}") from error
        return mean_figures(result)

    @torch.inference_mode()
    def latency(self, path: Architecture, frame: tuple[int, int], num_frames: int) -> float:
        """Milliseconds to embed one clip, the median of some runs on this device.

        Args:
            path: Block of each layer.
            frame: Rows and columns.
            num_frames: Of the clip.
        """
        device, precision = self.fabric.device, AUTOCAST[self.evaluation.precision]
        clip = torch.rand(1, num_frames, *frame, generator=torch.Generator().manual_seed(0)).to(device)
        seconds = []
        for _ in range(TIMED_RUNS + 1):
            begun = perf_counter()
            with torch.autocast(device.type, precision, enabled=precision is not None):
                self.model(clip, logits=False, path=path)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds.append(perf_counter() - begun)
        return 1000 * statistics.median(seconds[1:])


def mean_figures(result: Result) -> dict[str, float]:
    """The published figures as means over the probe sets (of CASIA-B: NM, BG, CL)."""
    return {
        name: statistics.fmean(found.figures[name].published for found in result.sets.values()) for name in ACCURACIES
    }
