"""What a run writes down, and what it shows."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

from gaitway.training.devices import create_fabric
from gaitway.training.logging import METRICS, RunLog, Window, read_metrics
from gaitway.training.progress import Display, in_words

FIGURES = {"loss": 0.5, "triplet/active": 0.25, "steps_per_second": 2.0, "data_wait": 0.125}


def test_a_window_gives_means_and_begins_again() -> None:
    fabric, window = create_fabric(accelerator="cpu"), Window()
    for values in ([1.0, 3.0], [5.0]):
        for value in values:
            window.add({"loss": torch.tensor(value), "accuracy": torch.tensor(value, dtype=torch.float64)})
        means = window.close(fabric, waited=0.0)
        assert means["loss"] == means["accuracy"] == sum(values) / len(values)


def test_a_window_measures_speed_without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 1.0, 11.0, 15.0, 15.0, 17.0, 17.0])  # begin, pause, on, close, begin, close, begin
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    fabric, window = create_fabric(accelerator="cpu"), Window()
    with window.paused():
        pass
    for _ in range(10):
        window.add({"loss": torch.tensor(1.0)})
    figures = window.close(fabric, waited=0.5)
    assert (figures["steps_per_second"], figures["data_wait"]) == (10 / 5, 0.5 / 5)
    window.add({"loss": torch.tensor(1.0)})
    figures = window.close(fabric, waited=0.5)
    assert (figures["steps_per_second"], figures["data_wait"]) == (1 / 2, 0)  # of this window only


def test_metrics_and_events(tmp_path: Path) -> None:
    with RunLog(tmp_path, 0) as log:
        log.logged(10, FIGURES)
        log.logged(20, FIGURES)
    assert read_metrics(tmp_path) == [{"step": 10, **FIGURES}, {"step": 20, **FIGURES}]
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(10, 0.5), (20, 0.5)]


def test_a_resumed_log_drops_what_comes_again(tmp_path: Path) -> None:
    with RunLog(tmp_path, 0) as log:
        for step in (10, 20, 30):
            log.logged(step, FIGURES)
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 40, "lo')  # the process was killed while it wrote
    with RunLog(tmp_path, 20) as log:
        log.logged(30, {**FIGURES, "loss": 7.0})
    assert [line["step"] for line in read_metrics(tmp_path)] == [10, 20, 30]
    assert read_metrics(tmp_path)[-1]["loss"] == 7.0
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.value for event in events.Scalars("loss")] == [0.5, 0.5, 7.0]


def test_every_line_is_on_disk_at_once(tmp_path: Path) -> None:
    with RunLog(tmp_path, 0) as log:
        log.logged(1, FIGURES)
        assert json.loads((tmp_path / METRICS).read_text())["step"] == 1


def test_figures_in_words() -> None:
    assert in_words(FIGURES) == "loss 0.5000  active 25.0%  2.00 steps/s  waiting for data 12.5%"
    assert "active" not in in_words({"loss": 1.0, "steps_per_second": 1.0, "data_wait": 0.0})


@pytest.mark.parametrize("terminal", [True, False])
def test_the_display_shows_the_figures(terminal: bool) -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=160)
    with Display(console, step=90, steps=100) as display:
        display.stepped(91)
        display.logged(91, FIGURES)
    assert "loss 0.5000" in text.getvalue()
    assert "91/100" in text.getvalue()
    if not terminal:
        assert text.getvalue().count("\n") == 1  # a line per log step
        assert "0:00:05 left" in text.getvalue()
