"""Embedding and evaluating the sequences of a store with a model, as a recipe says and on a run's devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import nn

from gaitway.data.loader import evaluation_batches
from gaitway.data.partitions import Partition
from gaitway.data.reader import Residency
from gaitway.data.store import Store
from gaitway.evaluation import EmbeddingSet, Result, embed, evaluate, load_protocol
from gaitway.training.recipe import Evaluation, Precision, build_transforms

AUTOCAST: dict[Precision, torch.dtype | None] = {"32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def embed_test_subjects(
    fabric: Fabric,
    model: nn.Module,
    store: Store,
    partition: Partition,
    evaluation: Evaluation,
    *,
    residency: Residency = "auto",
    progress: Callable[[int, int], object] | None = None,
) -> EmbeddingSet:
    """The embeddings of all sequences of a partition's test subjects.

    Args:
        fabric: Launched; every process embeds its share and gets the embeddings of all.
        model: On the device of `fabric`.
        store: The data set.
        partition: Says who the test subjects are.
        evaluation: Transforms, batch size, most frames per sequence, and the precision to compute in.
        residency: Where the frames are kept.
        progress: Called with how many sequences this process has done and how many it has to do.
    """
    modalities = cast(tuple[str, ...], model.modalities)
    rows = partition.rows(store, "test", modalities)
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
        modalities=modalities,
        batch_size=evaluation.batch_size,
        max_frames=evaluation.max_frames,
        rank=fabric.global_rank,
        world_size=fabric.world_size,
        device=fabric.device,
        residency=residency,
    )
    return embed(model, batches, autocast=AUTOCAST[evaluation.precision], progress=count)


def evaluate_embeddings(
    fabric: Fabric, embeddings: EmbeddingSet, protocols: Sequence[str], *, distance: str
) -> list[Result]:
    """The result by each protocol, on the first process; the others get none."""
    if not fabric.is_global_zero:
        return []
    loaded = [load_protocol(name) for name in protocols]
    return [evaluate(embeddings, protocol, distance=distance, device=fabric.device) for protocol in loaded]
