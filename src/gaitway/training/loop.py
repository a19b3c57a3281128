"""The training loop."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from gaitway.training.devices import StopSignals, agreed
from gaitway.training.logging import Listener, Window
from gaitway.training.non_finite import non_finite_error
from gaitway.training.objective import Figures
from gaitway.training.session import Session
from gaitway.types import Batch


@dataclass(frozen=True)
class Outcome:
    """How training ended: after how many updates, the checkpoint of that moment, and the signal that stopped it."""

    step: int
    checkpoint: Path
    stopped_by: signal.Signals | None


def fit(session: Session, run: Path, *, stop: StopSignals, listeners: Sequence[Listener] = ()) -> Outcome:
    """Train a session to the last step of its recipe, or until a signal asks to stop.

    Args:
        session: Fresh or resumed; its `step` moves on.
        run: The run's folder, for checkpoints.
        stop: Notes the signals of this process; all processes stop when one of them is asked to.
        listeners: Are told how it goes; on the first process only.

    Raises:
        NonFiniteError: when a loss or a gradient is not finite; the run has a checkpoint from before that step.
    """
    fabric, training, updates = session.fabric, session.recipe.training, session.updates
    window = Window()
    stopping = 0
    session.train_mode()
    for batch in islice(session.loader.batches(session.step), max(training.steps - session.step, 0)):
        learning_rate = updates.learning_rate
        figures, stopping = update(session, batch, run, stop)
        session.step += 1
        window.add(figures)
        for listener in listeners:
            listener.stepped(session.step)

        if session.step % training.log_every == 0 or session.step == training.steps:
            means = window.close(fabric, waited=session.loader.wait_seconds) | {"lr": learning_rate}
            for listener in listeners:
                listener.logged(session.step, means)

        if training.save_every and session.step % training.save_every == 0:
            with window.paused():
                session.save(run)

        if training.evaluate_every and session.step % training.evaluate_every == 0:
            with window.paused():
                results = session.evaluate()
            for listener in listeners:
                listener.evaluated(session.step, results)

        if stopping:
            break
    return Outcome(session.step, session.save(run), signal.Signals(stopping) if stopping else None)


def update(session: Session, batch: Batch, run: Path, stop: StopSignals) -> tuple[Figures, int]:
    """Make one counted update of the weights; return the figures and the number of a signal that asks to stop.

    Under fp16 the same batch is tried again with a smaller loss scale until its gradients do not overflow.
    """
    assert batch.labels is not None, "training batches have labels"
    session.begin_step()
    while True:
        buffers = session.copy_buffers()
        total, figures = session.objective(batch.frames, batch.lengths, batch.labels)
        session.fabric.backward(total)
        bad_loss, bad_gradients, stopping = agreed(
            session.fabric,
            ~torch.isfinite(total.detach()),
            session.updates.gradients_are_hopeless(),
            stop.received or 0,
        )
        if bad_loss or bad_gradients:
            session.restore_buffers(buffers)
            raise non_finite_error(
                session.fabric, batch, figures, step=session.step + 1, run=run, checkpoint=session.save(run)
            )
        session.clip_gradients()
        if session.updates.step():
            return figures, stopping
        session.restore_buffers(buffers)
