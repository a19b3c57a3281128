"""Embedding and evaluating the sequences of a store with a model, as a recipe says and on a run's devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from gaitway.data.loader import evaluation_batches
from gaitway.data.partitions import Partition
from gaitway.data.reader import Residency
from gaitway.data.sampling import Ints
from gaitway.data.store import Store
from gaitway.data.usable import Usable, usable_rows
from gaitway.evaluation import (
    EmbeddingSet,
    Protocol,
    ReRanking,
    Result,
    apply_protocol,
    embed,
    evaluate,
    expected_submission,
    load_protocol,
)
from gaitway.training.recipe import Evaluation, Precision, build_transforms

AUTOCAST: dict[Precision, torch.dtype | None] = {"32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def load_protocols(
    names: Sequence[str], partition: Partition, rerank: str | Sequence[float] | None = None
) -> list[Protocol]:
    """Load protocols, with the sequences that a partition lists.

    Args:
        names: Shipped ones or files.
        partition: The one that says who the test subjects are.
        rerank: k1, k2 and lambda of re-ranking; None: as each protocol says, empty: none.

    Raises:
        ValueError: when there is no such protocol, or re-ranking is not three numbers.
    """
    lists = {"probe": partition.probe, "gallery": partition.gallery}
    loaded = [load_protocol(name, lists) for name in names]
    if rerank is None:
        return loaded
    settings = ReRanking.parse(rerank) if rerank else None
    return [replace(protocol, rerank=settings) for protocol in loaded]


def sequences_to_embed(
    store: Store,
    partition: Partition,
    modalities: Sequence[str],
    protocols: Sequence[Protocol] = (),
    min_frames: int = 1,
) -> Usable:
    """Rows of all sequences of a partition's test subjects, and of those that the protocols need beyond them.

    Sequences without the modalities or with fewer than `min_frames` frames are left out.

    Raises:
        ValueError: when the store has none of the test subjects.
    """
    more = frozenset(subject for protocol in protocols for subject in protocol.extra_subjects)
    rows = np.union1d(partition.rows(store, "test", ()), store.index.rows_of(more))
    return usable_rows(store, rows, modalities, min_frames)


def check_protocol(protocol: Protocol, store: Store, rows: Ints, *, submission: bool = False) -> None:
    """Make sure that a protocol gives figures, or a submission, for these rows of a store, before anything is embedded.

    Raises:
        ValueError: when it can't, with the reason.
    """
    index = store.index
    names = index.subjects[rows].tolist(), index.conditions[rows].tolist(), index.views[rows].tolist()
    check = expected_submission if submission else apply_protocol
    check(protocol, *names)


def published_figures(config: Mapping[str, Any], protocol: str) -> dict[str, dict[str, float]]:
    """The published figures of a checkpoint's recipe that are by this protocol, by figure and probe set.

    Args:
        config: The checkpoint's `config.json`.
        protocol: Name of the protocol.
    """
    published = config.get("published") or {}
    if protocol != (published.get("protocol") or config["evaluation"]["protocol"]):
        return {}
    figures = {"rank-1": published.get("rank1", {}), **published.get("figures", {})}
    return {key: dict(by_set) for key, by_set in figures.items() if by_set}


def embed_test_subjects(
    fabric: Fabric,
    model: nn.Module,
    store: Store,
    partition: Partition,
    evaluation: Evaluation,
    *,
    protocols: Sequence[Protocol] = (),
    min_frames: int = 1,
    residency: Residency = "auto",
    progress: Callable[[int, int], object] | None = None,
) -> EmbeddingSet:
    """The embeddings of the sequences of a partition's test subjects that the model can take.

    Args:
        fabric: Launched; every process embeds its share and gets the embeddings of all.
        model: On the device of `fabric`.
        store: The data set.
        partition: Says who the test subjects are.
        evaluation: Transforms, batch size, most frames per sequence, and the precision to compute in.
        protocols: What they need beyond the test subjects (distractors) is embedded too.
        min_frames: Sequences of fewer frames are left out.
        residency: Where the frames are kept.
        progress: Called with how many sequences this process has done and how many it has to do.
    """
    modalities = cast(tuple[str, ...], model.modalities)
    rows = sequences_to_embed(store, partition, modalities, protocols, min_frames).rows
    return embed_rows(fabric, model, store, rows, evaluation, residency=residency, progress=progress)


def embed_rows(
    fabric: Fabric,
    model: nn.Module,
    store: Store,
    rows: Ints,
    evaluation: Evaluation,
    *,
    residency: Residency = "auto",
    progress: Callable[[int, int], object] | None = None,
) -> EmbeddingSet:
    """The embeddings of these rows of a store; the other arguments are those of `embed_test_subjects`."""
    done, share = 0, len(rows[fabric.global_rank :: fabric.world_size])

    def count(num: int) -> None:
        nonlocal done
        done += num
        if progress is not None:
            progress(done, share)

    batches = evaluation_batches(
        store,
        rows,
        build_transforms(evaluation.transforms),
        modalities=cast(tuple[str, ...], model.modalities),
        batch_size=evaluation.batch_size,
        max_frames=evaluation.max_frames,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
        device=fabric.device,
        residency=residency,
    )
    return embed(model, batches, autocast=AUTOCAST[evaluation.precision], progress=count)


def evaluate_embeddings(
    fabric: Fabric, embeddings: EmbeddingSet, protocols: Sequence[Protocol], *, distance: str
) -> list[Result]:
    """The result by each protocol, on the first process; the others get none."""
    if not fabric.is_global_zero:
        return []
    return [evaluate(embeddings, protocol, distance=distance, device=fabric.device) for protocol in protocols]
