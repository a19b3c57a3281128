"""A small test set whose embeddings are good but not perfect, with a store of its silhouettes."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from gaitway.data.store import FrameFormat, Store
from gaitway.data.store_writer import StoreWriter
from gaitway.evaluation import EmbeddingSet, Protocol, evaluate, load_protocol
from gaitway.report import Contents

SUBJECTS = ("001", "002", "003", "004", "005")
CONDITIONS = ("nm-01", "nm-02", "nm-03", "nm-04", "nm-05", "nm-06", "bg-01", "bg-02", "cl-01", "cl-02")
VIEWS = ("000", "054", "090")
NAMES = tuple(product(SUBJECTS, CONDITIONS, VIEWS))


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A bar per subject, as wide as its number, that moves."""
    out: Path = tmp_path_factory.mktemp("report") / "store"
    with StoreWriter(
        out, dataset="casia-b", modalities={"silhouettes": FrameFormat((64, 64))}, made={"by": "tests <&>"}
    ) as writer:
        for subject, condition, view in NAMES:
            frames = np.zeros((12, 64, 64), np.uint8)
            for t in range(12):
                frames[t, 4:60, 20 + t : 21 + t + int(subject)] = 255
            writer.add(subject, condition, view, {"silhouettes": frames})
    return Store(out)


@pytest.fixture(scope="session")
def embeddings() -> EmbeddingSet:
    """Two parts of 8 numbers: the subject's place and noise that grows from nm to bg to cl."""
    generator = torch.Generator().manual_seed(3)
    centres = {subject: torch.randn(2, 8, generator=generator) for subject in SUBJECTS}
    noise = {"nm": 0.6, "bg": 1.0, "cl": 1.5}
    vectors = [
        centres[subject] + noise[condition[:2]] * torch.randn(2, 8, generator=generator)
        for subject, condition, _ in NAMES
    ]
    subjects, conditions, views = zip(*NAMES, strict=True)
    return EmbeddingSet(torch.stack(vectors), subjects, conditions, views)


@pytest.fixture(scope="session")
def protocol() -> Protocol:
    return load_protocol("casia-b")


@pytest.fixture(scope="session")
def contents(store: Store, embeddings: EmbeddingSet, protocol: Protocol) -> Contents:
    weak = EmbeddingSet(
        embeddings.embeddings[:, :1, :2].contiguous(), embeddings.subjects, embeddings.conditions, embeddings.views
    )
    metrics: list[dict[str, object]] = [
        {"step": step, "loss": 1 / step, "triplet/loss": 1 / step, "triplet/active": 0.5, "lr": 0.1}
        for step in (100, 200, 300)
    ]
    metrics += [
        {"step": step, "evaluation": {"protocol": "casia-b", "NM/rank-1": 50.0 + step / 10}} for step in (100, 200)
    ]
    return Contents(
        recipe_name="casia-b/gaitset",
        recipe_yaml="description: a <test>\n",
        description="A <test> of the report.",
        step=300,
        published={"source": "the zoo", "rank1": {"NM": 95.8, "BG": 90.0, "CL": 75.4}},
        published_steps=40000,
        results=[evaluate(embeddings, protocol), evaluate(embeddings, load_protocol("casia-b/cross-view"))],
        comparisons={"gait energy image": evaluate(weak, protocol)},
        protocol=protocol,
        embeddings=embeddings,
        store=store,
        metrics=metrics,
        circumstances={"precision": "32"},
    )
