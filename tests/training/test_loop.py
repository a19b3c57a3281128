"""The loop, in this process: what it logs, saves, evaluates, and how it stops."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gaitway.evaluation import Result
from gaitway.losses import TripletLoss
from gaitway.training.checkpoint import checkpoint_path, read_weights
from gaitway.training.devices import StopSignals
from gaitway.training.loop import fit
from gaitway.training.non_finite import REPORT, NonFiniteError
from gaitway.training.recipe import Precision, resolve
from gaitway.training.session import Session
from tests.conftest import MakeStore
from tests.training.tiny import tiny_recipe, tiny_session, tiny_store, tiny_values


@dataclass
class Notes:
    """A listener that remembers, and calls `at[step]` after that step."""

    steps: list[int] = field(default_factory=list)
    figures: dict[int, Mapping[str, float]] = field(default_factory=dict)
    results: dict[int, Sequence[Result]] = field(default_factory=dict)

    def stepped(self, step: int) -> None:
        self.steps.append(step)

    def logged(self, step: int, figures: Mapping[str, float]) -> None:
        self.figures[step] = figures

    def evaluated(self, step: int, results: Sequence[Result]) -> None:
        self.results[step] = results


def same_weights(first: Path, second: Path) -> bool:
    """Bit for bit."""
    a, b = read_weights(first), read_weights(second)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_run_logs_evaluates_and_saves_as_asked(make_store: MakeStore, tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path, baseline=True, log_every=3, save_every=4, evaluate_every=5)
    session, notes, run = tiny_session(tiny_store(make_store), recipe), Notes(), tmp_path / "run"
    outcome = fit(session, run, stop=StopSignals(), listeners=[notes])
    assert (outcome.step, outcome.checkpoint, outcome.stopped_by) == (8, checkpoint_path(run, 8), None)
    assert notes.steps == list(range(1, 9))
    assert list(notes.figures) == [3, 6, 8]  # the last step as well
    assert {"loss", "triplet/loss", "triplet/active", "softmax/accuracy", "steps_per_second", "data_wait", "lr"} <= set(
        notes.figures[3]
    )
    assert [notes.figures[step]["lr"] for step in (3, 6, 8)] == pytest.approx([0.05, 0.05, 0.005])
    assert list(notes.results) == [5]
    assert set(notes.results[5][0].sets) == {"NM", "BG", "CL"}
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["0000004", "0000008"]


def test_training_learns(make_store: MakeStore, tmp_path: Path) -> None:
    values = tiny_values(tmp_path, steps=40, log_every=20)
    values["optimizer"]["lr"], values["schedule"]["milestones"] = 0.1, []
    notes = Notes()
    session = tiny_session(tiny_store(make_store), resolve(values))
    fit(session, tmp_path / "run", stop=StopSignals(), listeners=[notes])
    assert notes.figures[40]["triplet/active"] < 0.5 * notes.figures[20]["triplet/active"]


@pytest.mark.parametrize("precision", ["32", "bf16", "fp16"])
def test_a_resumed_run_is_the_same_bit_for_bit(make_store: MakeStore, tmp_path: Path, precision: Precision) -> None:
    store, recipe = tiny_store(make_store), tiny_recipe(tmp_path, baseline=True, save_every=3)
    whole = fit(tiny_session(store, recipe, precision), tmp_path / "whole", stop=StopSignals())
    session = tiny_session(store, recipe, precision)
    session.resume(checkpoint_path(tmp_path / "whole", 3))
    resumed = fit(session, tmp_path / "resumed", stop=StopSignals())
    assert same_weights(whole.checkpoint, resumed.checkpoint)
    assert not same_weights(whole.checkpoint, checkpoint_path(tmp_path / "whole", 6))


def test_a_finished_run_stays_as_it_is(make_store: MakeStore, tmp_path: Path) -> None:
    session = tiny_session(tiny_store(make_store), tiny_recipe(tmp_path))
    first = fit(session, tmp_path / "run", stop=StopSignals())
    assert fit(session, tmp_path / "run", stop=StopSignals()) == first


def test_a_signal_stops_after_the_step_with_a_checkpoint(make_store: MakeStore, tmp_path: Path) -> None:
    session = tiny_session(tiny_store(make_store), tiny_recipe(tmp_path, steps=1000))
    with StopSignals() as stop:

        class Stopper(Notes):
            def stepped(self, step: int) -> None:
                if step == 3:
                    signal.raise_signal(signal.SIGTERM)

        outcome = fit(session, tmp_path / "run", stop=stop, listeners=[Stopper()])
    assert outcome.stopped_by == signal.SIGTERM
    assert outcome.step == 4  # the one that was begun
    assert (outcome.checkpoint / "trainer.pt").is_file()


def break_the_loss(session: Session, at: int) -> None:
    """Make the triplet loss NaN in the given call."""
    calls = 0
    forward = TripletLoss.forward

    def broken(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        nonlocal calls
        calls += 1
        loss = session.losses["triplet"]
        assert isinstance(loss, TripletLoss)
        values, figures = forward(loss, embeddings, labels)
        if calls == at:
            return values * math.nan, {**figures, "loss": figures["loss"] * math.nan}
        return values, figures

    session.losses["triplet"].forward = broken


def test_a_loss_that_is_not_finite_stops_the_run(make_store: MakeStore, tmp_path: Path) -> None:
    store, recipe, run = tiny_store(make_store), tiny_recipe(tmp_path, baseline=True, save_every=2), tmp_path / "run"
    session = tiny_session(store, recipe)
    break_the_loss(session, at=4)
    with pytest.raises(NonFiniteError, match=r"step 4: triplet/loss = nan is not finite. .*checkpoints/0000003") as e:
        fit(session, run, stop=StopSignals())
    report = json.loads((run / REPORT).read_text())
    batch = session.loader.batch(3)
    names = [f"{s}-{c}-{v}" for s, c, v in zip(batch.subjects, batch.conditions, batch.views, strict=True)]
    assert (report["step"], report["losses"], report["sequences"]) == (4, ["triplet/loss"], names)
    assert names[0] in str(e.value)
    # weights and running statistics are those of step 3
    sound = tiny_session(store, tiny_recipe(tmp_path, baseline=True, steps=3))
    fit(sound, tmp_path / "sound", stop=StopSignals())
    assert same_weights(checkpoint_path(run, 3), checkpoint_path(tmp_path / "sound", 3))


def test_a_gradient_that_is_not_finite_stops_the_run(make_store: MakeStore, tmp_path: Path) -> None:
    session = tiny_session(tiny_store(make_store), tiny_recipe(tmp_path))
    next(session.model.parameters()).register_hook(lambda gradient: gradient * math.inf)  # type: ignore[no-untyped-call]
    with pytest.raises(NonFiniteError, match="step 1: the gradient, though no loss, is not finite"):
        fit(session, tmp_path / "run", stop=StopSignals())
    assert checkpoint_path(tmp_path / "run", 0).is_dir()


def test_fp16_tries_a_batch_again_with_a_smaller_scale(make_store: MakeStore, tmp_path: Path) -> None:
    store, recipe = tiny_store(make_store), tiny_recipe(tmp_path, baseline=True, steps=3)
    session, notes = tiny_session(store, recipe, "fp16"), Notes()
    assert session.updates.scaler is not None
    session.updates.scaler.load_state_dict({**session.updates.scaler.state_dict(), "scale": 2.0**40})
    fit(session, tmp_path / "run", stop=StopSignals(), listeners=[notes])
    assert notes.steps == [1, 2, 3]
    assert session.updates.scaler.get_scale() < 2.0**40
    counts = [b for name, b in session.model.named_buffers() if name.endswith("num_batches_tracked")]
    assert all(count == 3 for count in counts)  # a skipped update leaves no trace in the statistics


def test_fp16_gives_up_when_no_scale_helps(make_store: MakeStore, tmp_path: Path) -> None:
    session = tiny_session(tiny_store(make_store), tiny_recipe(tmp_path), "fp16")
    assert session.updates.scaler is not None
    session.updates.scaler.load_state_dict({**session.updates.scaler.state_dict(), "scale": 2.0**-7})
    next(session.model.parameters()).register_hook(lambda gradient: gradient * math.inf)  # type: ignore[no-untyped-call]
    with pytest.raises(NonFiniteError, match="step 1: the gradient"):
        fit(session, tmp_path / "run", stop=StopSignals())


@pytest.mark.parametrize("precision", ["32", "fp16"])
def test_gradients_are_clipped_to_the_norm_asked_for(
    make_store: MakeStore, tmp_path: Path, precision: Precision
) -> None:
    recipe = tiny_recipe(tmp_path, steps=1, clip_gradient_norm=1e-3)
    session = tiny_session(tiny_store(make_store), recipe, precision)
    before = [parameter.detach().clone() for parameter in session.model.parameters()]
    fit(session, tmp_path / "run", stop=StopSignals())
    change = [after - early for after, early in zip(session.model.parameters(), before, strict=True)]
    # the first update of SGD is the learning rate times the gradient
    assert float(torch.nn.utils.get_total_norm(change)) == pytest.approx(0.05 * 1e-3, rel=1e-2)
