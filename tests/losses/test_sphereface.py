from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from gaitway.losses import SphereFaceLoss
from gaitway.training.checkpoint import checkpoint_path, read_trainer
from gaitway.training.recipe import resolve
from tests.conftest import MakeStore
from tests.training.tiny import tiny_session, tiny_store, tiny_values


def psi(angle: float, margin: int) -> float:
    turns = min(math.floor(margin * angle / math.pi), margin - 1)
    return float((-1) ** turns * math.cos(margin * angle) - 2 * turns)


@pytest.mark.parametrize("margin", [1, 2, 3, 4])
def test_equals_the_formula(margin: int) -> None:
    loss = SphereFaceLoss(num_classes=3, num_parts=2, in_features=4, margin=margin).double()
    embeddings = torch.randn(20, 2, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.arange(20) % 3
    loss(embeddings, labels)
    scores, mixed = loss.scores(embeddings, labels).detach(), 1000 / 1.12
    for i, label in enumerate(labels.tolist()):
        for part in range(2):
            x, weight = embeddings[i, part], loss.classifier.detach()[part]
            for k in range(3):
                cosine = float(x @ weight[:, k] / x.norm() / weight[:, k].norm())
                expected = cosine
                if k == label:
                    expected = (mixed * cosine + psi(math.acos(cosine), margin)) / (mixed + 1)
                assert float(scores[i, part, k]) == pytest.approx(float(x.norm()) * expected)


def test_the_margin_grows_with_training_only() -> None:
    loss = SphereFaceLoss(num_classes=2, num_parts=1, in_features=2)
    embeddings, labels = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]]), torch.tensor([0, 1])
    for _ in range(2):
        loss(embeddings, labels)
    assert float(loss.share_of_cosine) == pytest.approx(1000 / 1.24)
    loss.eval()
    loss(embeddings, labels)
    assert loss.steps == 2
    loss.steps.fill_(10**6)
    assert float(loss.share_of_cosine) == 5


def test_gradients_are_finite_where_the_angle_is_0_or_pi() -> None:
    loss = SphereFaceLoss(num_classes=2, num_parts=1, in_features=2)
    embeddings = loss.classifier.detach()[0].T[[0, 0], None].clone()
    embeddings[1] *= -1
    embeddings.requires_grad_()
    values, _ = loss(embeddings, torch.tensor([0, 0]))
    gradients = torch.autograd.grad(values.sum(), (embeddings, loss.classifier))
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_wrong_arguments_and_embeddings_are_named() -> None:
    loss = SphereFaceLoss(num_classes=2, num_parts=16, in_features=8)
    with pytest.raises(ValueError, match="for embeddings of 16 parts × 8, the model gives 31 × 4"):
        loss(torch.zeros(3, 31, 4), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="margin is 0"):
        SphereFaceLoss(num_classes=2, num_parts=1, in_features=8, margin=0)


def test_a_run_trains_and_saves_its_classifier(make_store: MakeStore, tmp_path: Path) -> None:
    values = tiny_values(tmp_path)
    values["losses"]["sphere"] = {"name": "SphereFaceLoss", "num_parts": 14, "in_features": 8}
    recipe, store = resolve(values), tiny_store(make_store)
    session = tiny_session(store, recipe)
    fresh = {name: value.clone() for name, value in session.losses.state_dict().items()}
    assert fresh["sphere.classifier"].shape == (14, 8, 4)
    batch = session.loader.batch(0)
    total, figures = session.objective(batch.frames, batch.lengths, batch.labels)
    session.fabric.backward(total)
    session.updates.step()
    session.step = 1
    session.save(tmp_path)
    trained = session.losses.state_dict()
    assert "sphere/accuracy" in figures
    assert not torch.equal(trained["sphere.classifier"], fresh["sphere.classifier"])

    other = tiny_session(store, recipe)
    other.resume(checkpoint_path(tmp_path, 1))
    assert read_trainer(checkpoint_path(tmp_path, 1))["losses"].keys() == trained.keys()
    for name, value in other.losses.state_dict().items():
        assert torch.equal(value, trained[name])
