"""How fast sequences become embeddings: whole test sequences through the real evaluation loader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch

from gaitway.bench.measure import PeakMemory, synchronise
from gaitway.data.loader import evaluation_batches
from gaitway.data.reader import Residency
from gaitway.data.store import Store
from gaitway.evaluation import embed
from gaitway.training.evaluating import AUTOCAST
from gaitway.training.recipe import Recipe
from gaitway.training.session import check_store, modalities_of


@dataclass(frozen=True)
class EmbeddingSpeed:
    """Throughput of embedding.

    Args:
        num_sequences: How many were embedded.
        num_frames: Their frames.
        seconds: For all of them, loading included.
        sequences_per_second: Sequences.
        frames_per_second: Frames.
        test_set_seconds: What all test sequences of the store would take at this speed.
        peak_memory: Bytes; see `PeakMemory`.
    """

    num_sequences: int
    num_frames: int
    seconds: float
    sequences_per_second: float
    frames_per_second: float
    test_set_seconds: float
    peak_memory: int


def bench_embedding(
    recipe: Recipe,
    store: Store,
    *,
    num_sequences: int,
    device: torch.device,
    residency: Residency = "auto",
    compile_model: bool = False,
    done: Callable[[int, int], None] | None = None,
) -> EmbeddingSpeed:
    """Embed test sequences as `gaitway evaluate` does, in the precision of the recipe's evaluation, and measure.

    Args:
        recipe: Says model, transforms, batch size and precision.
        store: The data set.
        num_sequences: At most so many, spread evenly over the test sequences.
        device: Where to compute.
        residency: Where the frames are kept.
        compile_model: Whether `torch.compile` makes the model's kernels.
        done: Told after each batch how many sequences are done and how many there are.

    Raises:
        ValueError: when recipe and store do not go together.
    """
    modalities = modalities_of(recipe)
    check_store(recipe, store, modalities[0])
    partition = recipe.data.load_partition()
    of_test = partition.rows(store, "test", modalities)
    places = np.unique(np.linspace(0, len(of_test) - 1, min(num_sequences, len(of_test))).astype(np.int64))
    rows = of_test[places]
    lengths = np.minimum(store.index.num_frames[modalities[0]], recipe.evaluation.max_frames)
    model = recipe.build_model(len(partition.train)).to(device)
    if compile_model:
        model.compile()

    def embed_rows(of_rows: np.ndarray[tuple[int], np.dtype[np.int64]], show: Callable[[int], None] | None) -> None:
        batches = evaluation_batches(
            store,
            of_rows,
            recipe.build_evaluation_transforms(),
            modalities=modalities,
            batch_size=recipe.evaluation.batch_size,
            max_frames=recipe.evaluation.max_frames,
            device=device,
            residency=residency,
        )
        embed(model, batches, autocast=AUTOCAST[recipe.evaluation.precision], progress=show)
        synchronise(device)

    num_done = 0

    def show(num: int) -> None:
        nonlocal num_done
        num_done += num
        if done is not None:
            done(num_done, len(rows))

    embed_rows(rows[: recipe.evaluation.batch_size], None)  # kernels are chosen and memory is taken
    with PeakMemory(device) as memory:
        begun = perf_counter()
        embed_rows(rows, show)
        seconds = perf_counter() - begun
    num_frames = int(lengths[rows].sum())
    return EmbeddingSpeed(
        num_sequences=len(rows),
        num_frames=num_frames,
        seconds=seconds,
        sequences_per_second=len(rows) / seconds,
        frames_per_second=num_frames / seconds,
        test_set_seconds=seconds * int(lengths[of_test].sum()) / num_frames,
        peak_memory=memory.bytes,
    )
