"""The embeddings of a test set: how a model makes them, on any number of processes, and how they are kept on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch import distributed as dist

from gaitway.types import Batch, Output

Progress = Callable[[int], object]
"""Called with the number of sequences that were done since the last call."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingSet:
    """Embeddings with the names of the sequences that they describe.

    Args:
        embeddings: `(n, p, d)` float32.
        subjects: n subject names.
        conditions: n condition names.
        views: n view names.

    Raises:
        ValueError: when these do not fit each other.
    """

    embeddings: Tensor
    subjects: tuple[str, ...]
    conditions: tuple[str, ...]
    views: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 3 or self.embeddings.dtype != torch.float32:
            raise ValueError(
                f"embeddings must be (n, p, d) float32, found {tuple(self.embeddings.shape)} {self.embeddings.dtype}; "
                "convert with .float()"
            )
        counts = {len(self.embeddings), len(self.subjects), len(self.conditions), len(self.views)}
        if len(counts) > 1:
            raise ValueError(
                f"{len(self.embeddings)} embeddings with {len(self.subjects)} subjects, {len(self.conditions)} "
                f"conditions and {len(self.views)} views; give one of each per embedding"
            )

    def __len__(self) -> int:
        return len(self.subjects)

    @property
    def names(self) -> tuple[str, ...]:
        """The names `subject-condition-view`."""
        return tuple(map("-".join, zip(self.subjects, self.conditions, self.views, strict=True)))

    def save(self, path: str | Path) -> None:
        """Write one safetensors file: the tensor `embeddings`, and the names as JSON in its metadata."""
        path = Path(path)
        names = {key: json.dumps(getattr(self, key)) for key in ("subjects", "conditions", "views")}
        partial = path.with_name(path.name + ".partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"embeddings": self.embeddings.contiguous()}, partial, names)
        partial.replace(path)

    @classmethod
    def load(cls, path: str | Path) -> EmbeddingSet:
        """Read a file that `save` wrote.

        Raises:
            FileNotFoundError: when there is no such file.
            ValueError: when the file is damaged or holds something else.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path} is not a file; `gaitway evaluate --save-embeddings` writes embeddings")
        try:
            with safe_open(path, framework="pt") as file:
                names = {key: tuple(json.loads(text)) for key, text in file.metadata().items() if key != "format"}
                return cls(file.get_tensor("embeddings"), **names)
        except (SafetensorError, AttributeError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} does not hold embeddings as Gaitway saves them ({error}); embed again") from error


def embed(
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    autocast: torch.dtype | None = None,
    progress: Progress | None = None,
) -> EmbeddingSet:
    """The embeddings of all sequences in `batches`, in the order of their rows.

    With `torch.distributed` initialised, every process gives its own batches and gets the embeddings of all; a row that
    came more than once (samplers pad) is kept once. The model is in evaluation mode meanwhile.

    Args:
        model: Takes frames (one tensor per modality that its `modalities` name) and `lengths`, gives an `Output`.
        batches: On the model's device.
        autocast: Compute in this type where autocast allows it; None: as the model's weights are.
        progress: Called after each batch with the number of its sequences.

    Raises:
        ValueError: when there is not one sequence.
    """
    modalities = cast(tuple[str, ...], model.modalities)
    done: list[_Embedded] = []
    with torch.inference_mode(), _evaluation_mode(model):
        for batch in batches:
            with torch.autocast(batch.device.type, autocast, enabled=autocast is not None):
                frames = (batch.frames[name] for name in modalities)
                output: Output = model(*frames, lengths=batch.lengths, logits=False)
            names = zip(batch.subjects, batch.conditions, batch.views, strict=True)
            done.append(_Embedded(batch.rows, tuple(names), output.embeddings.float().cpu()))
            if progress is not None:
                progress(len(batch))
    return _in_row_order(_from_all_processes(done))


@dataclass(frozen=True, slots=True)
class _Embedded:
    """A batch that is done: store rows, (subject, condition, view) names, embeddings."""

    rows: tuple[int, ...]
    names: tuple[tuple[str, str, str], ...]
    embeddings: Tensor


def _from_all_processes(done: list[_Embedded]) -> list[_Embedded]:
    if not dist.is_initialized():
        return done
    gathered: list[list[_Embedded]] = [[] for _ in range(dist.get_world_size())]
    dist.all_gather_object(gathered, done)
    return [batch for process in gathered for batch in process]


def _in_row_order(done: list[_Embedded]) -> EmbeddingSet:
    if not done:
        raise ValueError("there are no sequences to embed; check the partition's test subjects against the store")
    names = {row: name for batch in done for row, name in zip(batch.rows, batch.names, strict=True)}
    rows = sorted(names)
    embeddings = done[0].embeddings.new_empty(len(rows), *done[0].embeddings.shape[1:])
    for batch in done:
        embeddings[np.searchsorted(rows, batch.rows)] = batch.embeddings
    subjects, conditions, views = zip(*(names[row] for row in rows), strict=True)
    return EmbeddingSet(embeddings, subjects, conditions, views)


@contextmanager
def _evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode within; then every module has its own mode back (frozen layers stay frozen)."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training
