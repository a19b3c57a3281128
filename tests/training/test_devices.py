"""Devices, precisions, signals and processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from lightning_fabric.strategies.ddp import DDPStrategy

from gaitway.training.devices import (
    StopSignals,
    agreed,
    averaged,
    create_fabric,
    device_kind,
    launched,
    loss_scaler,
    precision_for,
)
from gaitway.training.recipe import Precision

needs_no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without CUDA")


@needs_no_cuda
def test_auto_is_the_cpu_without_cuda() -> None:
    assert device_kind("auto") == "cpu"
    with pytest.raises(ValueError, match="finds no CUDA device; use cpu"):
        create_fabric(accelerator="cuda")


@pytest.mark.parametrize("precision", ["32", "bf16", "fp16"])
def test_precisions(precision: Precision) -> None:
    fabric = create_fabric(accelerator="cpu", precision=precision)
    plugin = fabric.strategy.precision
    assert isinstance(plugin, MixedPrecision) == (precision != "32")
    assert (loss_scaler(fabric) is not None) == (precision == "fp16")
    with plugin.forward_context():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == {"32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


@pytest.mark.parametrize(
    ("asked", "recipe", "kind", "amx", "expected"),
    [
        (None, "fp16", "cuda", True, "fp16"),
        (None, "fp16", "cpu", True, "bf16"),
        (None, "fp16", "cpu", False, "32"),
        (None, "32", "cpu", True, "32"),
        ("fp16", "32", "cpu", False, "fp16"),
    ],
)
def test_a_recipes_fp16_on_a_cpu(
    monkeypatch: pytest.MonkeyPatch,
    asked: Precision | None,
    recipe: Precision,
    kind: str,
    amx: bool,
    expected: Precision,
) -> None:
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: amx)
    assert precision_for(asked, recipe, "cuda" if kind == "cuda" else "cpu") == expected


def test_several_processes_are_ddp() -> None:
    strategy = create_fabric(accelerator="cpu", devices=2).strategy
    assert isinstance(strategy, DDPStrategy)
    assert strategy.num_processes == 2


def test_torchrun_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "6"}.items():
        monkeypatch.setenv(name, value)
    for name, value in {"GROUP_RANK": "2", "LOCAL_RANK": "1", "RANK": "5"}.items():
        monkeypatch.setenv(name, value)
    fabric = create_fabric(accelerator="cpu")
    assert (fabric.world_size, fabric.global_rank) == (6, 5)
    with pytest.raises(ValueError, match="torchrun decides the number of processes"):
        create_fabric(accelerator="cpu", devices=2)


@pytest.mark.parametrize(("devices", "nodes"), [(0, 1), (1, 0)])
def test_no_devices(devices: int, nodes: int) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        create_fabric(accelerator="cpu", devices=devices, nodes=nodes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopSignals() as stop:
        assert stop.received is None
        os.kill(os.getpid(), number)
        assert stop.received == number
    assert signal.getsignal(number) is before


def test_another_ctrl_c_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with StopSignals() as stop:
        signal.raise_signal(signal.SIGINT)
        now += 1
        signal.raise_signal(signal.SIGINT)  # the same Ctrl-C, passed on by a launcher
        assert stop.received == signal.SIGINT
        now += 2
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_alone_one_agrees_with_oneself() -> None:
    fabric = create_fabric(accelerator="cpu")
    assert agreed(fabric, 0, 15, torch.tensor(True), ~torch.isfinite(torch.tensor(torch.nan))) == [0, 15, 1, 1]
    assert averaged(fabric, torch.tensor([1.0, 2.0])).tolist() == [1.0, 2.0]


class Children:
    """Stands for a launcher that has started a process."""

    def __init__(self) -> None:
        self.procs = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])]


def fabric_with_child(monkeypatch: pytest.MonkeyPatch) -> tuple[Fabric, subprocess.Popen[bytes]]:
    fabric, children = create_fabric(accelerator="cpu"), Children()
    monkeypatch.setattr(fabric, "launch", lambda: None)
    monkeypatch.setattr(type(fabric.strategy), "launcher", children)
    return fabric, children.procs[0]


def test_after_an_error_the_other_processes_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    fabric, child = fabric_with_child(monkeypatch)
    with pytest.raises(OSError, match="disk full"), launched(fabric):
        raise OSError("disk full")
    assert child.returncode == -signal.SIGKILL


def test_the_other_processes_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fabric, child = fabric_with_child(monkeypatch)
    with launched(fabric):
        child.terminate()
    assert child.returncode == -signal.SIGTERM
