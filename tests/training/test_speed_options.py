"""What makes training faster gives what float32, contiguous and eager gives."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gaitway.training.devices import create_fabric
from gaitway.training.recipe import Precision, resolve
from gaitway.training.session import Session
from tests.conftest import MakeStore
from tests.training.tiny import tiny_recipe, tiny_session, tiny_store, tiny_values


def loss_and_gradients(session: Session) -> tuple[Tensor, list[Tensor]]:
    """Of the first batch."""
    session.train_mode()
    batch = session.loader.batch(0)
    total, _ = session.objective(batch.frames, batch.lengths, batch.labels)
    session.fabric.backward(total)
    scale = session.updates.scaler.get_scale() if session.updates.scaler else 1.0
    return total.detach(), [p.grad / scale for p in session.model.parameters() if p.grad is not None]


def test_channels_last(make_store: MakeStore, tmp_path: Path) -> None:
    store, recipe = tiny_store(make_store), tiny_recipe(tmp_path, baseline=True)
    total, gradients = loss_and_gradients(tiny_session(store, recipe))
    session = tiny_session(store, recipe)
    for layer in session.model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.contiguous_format)
    plain, plain_gradients = loss_and_gradients(session)
    torch.testing.assert_close(total, plain)
    torch.testing.assert_close(gradients, plain_gradients)


@pytest.mark.parametrize(("precision", "tolerance"), [("bf16", 2**-7), ("fp16", 2**-9)])
def test_autocast(make_store: MakeStore, tmp_path: Path, precision: Precision, tolerance: float) -> None:
    store, recipe = tiny_store(make_store), tiny_recipe(tmp_path, baseline=True)
    total, gradients = loss_and_gradients(tiny_session(store, recipe, precision))
    exact, exact_gradients = loss_and_gradients(tiny_session(store, recipe))
    torch.testing.assert_close(total, exact, rtol=2 * tolerance, atol=0)
    for gradient, expected in zip(gradients, exact_gradients, strict=True):
        assert gradient.dtype == torch.float32
        assert (gradient - expected).norm() <= 0.01 + 20 * tolerance * expected.norm()


@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")  # the compiler's own doing
def test_compile(make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch._inductor.config.compile_threads", 1)  # starts no worker processes
    values: dict[str, Any] = tiny_values(tmp_path, baseline=True)
    values["model"] |= {"layers": ["BC-4"], "bins": [1]}  # compiling takes long, so little of it
    store, recipe = tiny_store(make_store), resolve(values)
    fabric = create_fabric(accelerator="cpu")
    fabric.launch()
    compiled = Session(fabric, recipe, store, recipe_name="tiny", compile_model=True)
    total, gradients = loss_and_gradients(compiled)
    eager = tiny_session(store, recipe)
    eager_total, eager_gradients = loss_and_gradients(eager)
    torch.testing.assert_close(total, eager_total)
    for gradient, expected in zip(gradients, eager_gradients, strict=True):
        assert (gradient - expected).norm() <= 1e-3 * expected.norm()
    assert list(compiled.model.state_dict()) == list(eager.model.state_dict())
