"""The nouns of the library: one recorded sequence, a batch of them, and what a model makes of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # so that what only reads and writes stores starts without torch
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class SequenceInfo:
    """One row of a store's index: who walked, how, and seen from where.

    `subject`, `condition` and `view` are the names of the published folder tree (`001/nm-01/090`);
    `num_frames` gives the length in frames of each modality that the sequence has.
    """

    subject: str
    condition: str
    view: str
    num_frames: Mapping[str, int]

    @property
    def name(self) -> str:
        """The name `subject-condition-view` by which partitions and protocols list sequences."""
        return f"{self.subject}-{self.condition}-{self.view}"


@dataclass(slots=True)
class Batch:
    """The frames of n sequences, per modality, and who they show.

    Args:
        frames: Per modality a tensor `(n, t, ...)` when all sequences have t frames, else the sequences one after
            the other along the first axis, `(sum of lengths, ...)`. With r views of each sequence, `(r·n, t, ...)`:
            first views of all, then second ones.
        lengths: None for a dense batch; else `(n,)` or `(r·n,)` int64, frames per sequence.
        labels: `(n,)` int64 class indices (positions of the subjects in the sorted list of training subjects), or
            None where the subjects are not classes (evaluation).
        subjects: n subject names.
        conditions: n condition names.
        views: n view names.
        rows: n row numbers in the store's index.

    Raises:
        ValueError: when the shapes do not fit each other.
    """

    frames: dict[str, Tensor]
    lengths: Tensor | None
    labels: Tensor | None
    subjects: tuple[str, ...]
    conditions: tuple[str, ...]
    views: tuple[str, ...]
    rows: tuple[int, ...]

    def __post_init__(self) -> None:
        n = len(self.rows)
        for what, names in (("subjects", self.subjects), ("conditions", self.conditions), ("views", self.views)):
            if len(names) != n:
                raise ValueError(f"a batch of {n} rows has {len(names)} {what}; give one per row")
        if self.labels is not None and self.labels.shape != (n,):
            raise ValueError(f"a batch of {n} sequences has labels of shape {tuple(self.labels.shape)}, not ({n},)")
        if self.lengths is not None and (self.lengths.ndim != 1 or len(self.lengths) % n):
            raise ValueError(f"a batch of {n} sequences has lengths of shape {tuple(self.lengths.shape)}, not ({n},)")
        for modality, frames in self.frames.items():
            if self.lengths is None and frames.shape[0] % n:
                raise ValueError(f"{modality}: a dense batch of {n} sequences has frames {tuple(frames.shape)}")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def device(self) -> torch.device:
        """Where the frames are."""
        return next(iter(self.frames.values())).device


@dataclass(slots=True)
class Output:
    """What a model returns.

    Args:
        embeddings: `(n, p, d)`, one vector per sequence and part; what evaluation compares.
        logits: `(n, p, k)`, class scores per part, where the model has a classifier and was asked for them.
        features: Further named tensors that losses may ask for.
    """

    embeddings: Tensor
    logits: Tensor | None = None
    features: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 3:
            raise ValueError(f"embeddings must be (n, p, d), found shape {tuple(self.embeddings.shape)}")

    def __getitem__(self, name: str) -> Tensor:
        """The tensor called `name`: `embeddings`, `logits` or one of the features."""
        found = {"embeddings": self.embeddings, "logits": self.logits, **self.features}.get(name)
        if found is None:
            have = ["embeddings"] + ["logits"] * (self.logits is not None) + sorted(self.features)
            raise ValueError(f"the model gives no {name!r}; it gives {', '.join(have)}")
        return found
