"""How long the evaluation of a whole test set takes, from made-up embeddings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from time import perf_counter, process_time

import torch

from gaitway.bench.made_up import meta_frames, meta_model
from gaitway.bench.measure import PeakMemory, synchronise
from gaitway.evaluation import EmbeddingSet, evaluate, load_protocol
from gaitway.training.recipe import Recipe
from gaitway.types import Output


@dataclass(frozen=True)
class EvaluationSpeed:
    """What an evaluation takes.

    Args:
        protocol: Its name.
        num_embeddings: Probes and gallery together.
        embedding_shape: Parts and width of an embedding.
        seconds: From the embeddings to all figures.
        cpu_seconds: Of the processor, all threads together.
        peak_memory: Bytes of the whole process or device; see `PeakMemory`.
        embedding_memory: Bytes of the embeddings, which are part of it.
    """

    protocol: str
    num_embeddings: int
    embedding_shape: tuple[int, int]
    seconds: float
    cpu_seconds: float
    peak_memory: int
    embedding_memory: int


def bench_evaluation(
    recipe: Recipe,
    *,
    num_sequences: int,
    device: torch.device,
    done: Callable[[int, int], None] | None = None,
) -> EvaluationSpeed:
    """Evaluate random embeddings of the recipe's model by its protocol.

    Args:
        recipe: Says model, protocol and distance.
        num_sequences: At most so many, of whole subjects of the partition's test set.
        device: Where distances are computed; the embeddings lie there.
        done: Told after each block of probes how many are done and how many there are.

    Raises:
        ValueError: when the recipe's partition does not name conditions and views.
    """
    partition = recipe.data.load_partition()
    if not partition.types or not partition.views:
        raise ValueError(
            f"partition {partition.name} does not list the conditions and views of {partition.dataset}, so its test "
            "set cannot be made up; measure on a recipe for casia-b, oumvlp or walkers"
        )
    num_subjects = max(1, num_sequences // (len(partition.types) * len(partition.views)))
    names = list(product(partition.test[:num_subjects], partition.types, partition.views))
    output: Output = meta_model(recipe, num_classes=1)(*meta_frames(recipe, 1, 1), logits=False)
    parts, width = output.embeddings.shape[1:]
    torch.manual_seed(0)
    subjects, conditions, views = zip(*names, strict=True)
    centres = torch.randn(len(partition.test), parts, width, device=device)  # a subject's embeddings lie together
    of_subject = {subject: i for i, subject in enumerate(partition.test)}
    embeddings = centres[torch.tensor([of_subject[subject] for subject in subjects], device=device)]
    embeddings += 3 * torch.randn_like(embeddings)
    embedding_set = EmbeddingSet(embeddings, subjects, conditions, views)
    protocol = load_protocol(recipe.evaluation.protocol)
    num_done, num_probes = 0, sum(map(len, protocol.select(subjects, conditions, views)[1].values()))

    def show(num: int) -> None:
        nonlocal num_done
        num_done += num
        if done is not None:
            done(num_done, num_probes)

    with PeakMemory(device) as memory:
        begun, cpu_begun = perf_counter(), process_time()
        evaluate(
            embedding_set,
            protocol,
            distance=recipe.evaluation.distance,
            device=device,
            progress=show,
        )
        synchronise(device)
        seconds, cpu_seconds = perf_counter() - begun, process_time() - cpu_begun
    return EvaluationSpeed(
        protocol=recipe.evaluation.protocol,
        num_embeddings=len(names),
        embedding_shape=(parts, width),
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        peak_memory=memory.bytes,
        embedding_memory=embeddings.numel() * embeddings.element_size(),
    )
