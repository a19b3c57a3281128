"""The processes and devices of a run, on lightning-fabric: one or many, here or under torchrun or SLURM."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Literal, Self

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from lightning_fabric.strategies.ddp import DDPStrategy
from torch.amp.grad_scaler import GradScaler

from gaitway.training.recipe import Precision

Accelerator = Literal["auto", "cpu", "cuda"]
PATIENCE = 2.0
"""Seconds after which another Ctrl-C is another wish."""


def create_fabric(
    *,
    accelerator: Accelerator = "auto",
    devices: int = 1,
    nodes: int = 1,
    precision: Precision = "32",
    some_unused: bool = False,
) -> Fabric:
    """What a run goes through for everything that depends on devices; nothing is started yet.

    Under torchrun its numbers of processes and nodes are taken, and `devices` and `nodes` must be left at 1.

    Args:
        accelerator: `auto` is CUDA where there is a GPU.
        devices: Processes on this machine, each with a device of its own (on the CPU: a share of its cores).
        nodes: Machines; each runs the same command.
        precision: `32`, or autocast to `bf16` or, with a loss scaler, `fp16`.
        some_unused: Whether a step may leave parameters unused, as a supernet's do.

    Raises:
        ValueError: when the devices are not there.
    """
    kind = device_kind(accelerator)
    if "TORCHELASTIC_RUN_ID" in os.environ:
        if (devices, nodes) != (1, 1):
            raise ValueError(f"torchrun decides the number of processes; leave out --devices {devices} --nodes {nodes}")
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    if kind == "cuda" and devices > torch.cuda.device_count():
        raise ValueError(f"{devices} devices asked for, this machine has {torch.cuda.device_count()} CUDA devices")
    if devices < 1 or nodes < 1:
        raise ValueError(f"--devices {devices} --nodes {nodes}: both must be at least 1")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    plugins: list[Any] = []
    if precision == "bf16":
        plugins.append(MixedPrecision("bf16-mixed", kind))
    elif precision == "fp16":
        plugins.append(MixedPrecision("16-mixed", kind, GradScaler(kind)))
    strategy = DDPStrategy(find_unused_parameters=some_unused) if devices * nodes > 1 else "auto"
    return Fabric(accelerator=kind, strategy=strategy, devices=devices, num_nodes=nodes, plugins=plugins)


def device_kind(accelerator: Accelerator) -> Literal["cpu", "cuda"]:
    """Where a run will be.

    Raises:
        ValueError: when CUDA is asked for and not there.
    """
    if accelerator == "cuda" and not torch.cuda.is_available():
        raise ValueError("--accelerator cuda, but PyTorch finds no CUDA device; use cpu, or a CUDA build of PyTorch")
    if accelerator == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return accelerator


def precision_for(asked: Precision | None, recipe: Precision, kind: Literal["cpu", "cuda"]) -> Precision:
    """The precision asked for, else that of the recipe where the device computes in it.

    A recipe's fp16 becomes bf16 on a CPU that multiplies in bf16, and 32 on one that does not.
    """
    if asked is not None:
        return asked
    if recipe != "fp16" or kind == "cuda":
        return recipe
    return "bf16" if torch.cpu._is_amx_tile_supported() else "32"


def loss_scaler(fabric: Fabric) -> GradScaler | None:
    """The loss scaler of fp16, None for other precisions."""
    precision = fabric.strategy.precision
    return precision.scaler if isinstance(precision, MixedPrecision) else None


class StopSignals:
    """While the block runs, notes SIGINT and SIGTERM in `received` instead of ending the process.

    Another SIGINT after some seconds ends it at once, for someone who does not want to wait. Not sooner: launchers
    pass a Ctrl-C on to processes that the terminal has told already.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._noted_at = 0.0

    def __enter__(self) -> Self:
        self._before: dict[int, Any] = {n: signal.signal(n, self._note) for n in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received, self._noted_at = signal.Signals(number), time.monotonic()
        elif number == signal.SIGINT and time.monotonic() > self._noted_at + PATIENCE:
            raise KeyboardInterrupt


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """While the block runs, SIGTERM raises `KeyboardInterrupt` as Ctrl-C does, so that the block can tidy up."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def launched(fabric: Fabric) -> Iterator[None]:
    """Start the other processes of a run; at the end of the block they end together, after an error they are ended."""
    children = getattr(fabric.strategy.launcher, "procs", ())  # those that this process starts, filled by the launch
    try:
        fabric.launch()
        yield
        fabric.barrier()
    except BaseException:
        for child in children:
            child.kill()  # it may hang in a collective, where it would not hear anything else
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
        for child in children:
            _wait(child)


def _wait(child: subprocess.Popen[bytes]) -> None:
    """Wait for a process that has nothing left to do but to end."""
    try:
        child.wait(timeout=30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def averaged(fabric: Fabric, tensor: torch.Tensor) -> torch.Tensor:
    """The mean of all processes' tensors."""
    mean = fabric.all_reduce(tensor, reduce_op="mean")
    assert isinstance(mean, torch.Tensor), "a tensor stays one"
    return mean


def agreed(fabric: Fabric, *wishes: int | torch.Tensor) -> list[int]:
    """The largest value of each wish over all processes, so that they do the same."""
    stacked = torch.stack([torch.as_tensor(wish, device=fabric.device).to(torch.int64) for wish in wishes])
    if fabric.world_size > 1:
        dist.all_reduce(stacked, dist.ReduceOp.MAX)
    values: list[int] = stacked.tolist()
    return values
