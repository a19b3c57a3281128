"""Time, memory and the machine that they were measured on.

Machines are shared and noisy. What is to be compared runs in turns, and the ratio of two variants is the median of the
ratios of neighbouring runs, by the clock and by processor time, which other programs hardly lengthen.
"""

from __future__ import annotations

import platform
import resource
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time
from types import TracebackType
from typing import Any, Self

import torch

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@dataclass(frozen=True)
class Times:
    """What runs of one variant took: by the clock, and of the processor (all threads of this process together)."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)


def in_turns(
    variants: Mapping[str, Callable[[], object]],
    *,
    repeats: int,
    device: torch.device,
    done: Callable[[int, int], None] | None = None,
) -> dict[str, Times]:
    """Time `repeats` runs of each variant, after one run of each that does not count.

    Args:
        variants: What to run, by name.
        repeats: Runs that count, at least 1.
        device: Where they compute.
        done: Told after each run how many are done and how many there are.
    """
    times = {name: Times() for name in variants}
    num_done = 0
    for repeat in range(repeats + 1):
        for name, variant in variants.items():
            synchronise(device)
            begun, cpu_begun = perf_counter(), process_time()
            variant()
            synchronise(device)
            if repeat:
                times[name].seconds.append(perf_counter() - begun)
                times[name].cpu_seconds.append(process_time() - cpu_begun)
            num_done += 1
            if done is not None:
                done(num_done, (repeats + 1) * len(variants))
    return times


Comparison = dict[str, dict[str, float]]
"""Per variant the medians `seconds` and `cpu_seconds`, and how many times as fast as the baseline it is by each clock:
`speedup` and `cpu_speedup`."""


def compare(times: Mapping[str, Times], baseline: str) -> Comparison:
    """Compare variants that ran in turns with one of them."""
    slow = times[baseline]
    return {
        name: {
            "seconds": statistics.median(fast.seconds),
            "cpu_seconds": statistics.median(fast.cpu_seconds),
            "speedup": _median_ratio(slow.seconds, fast.seconds),
            "cpu_speedup": _median_ratio(slow.cpu_seconds, fast.cpu_seconds),
        }
        for name, fast in times.items()
    }


def _median_ratio(numerators: list[float], denominators: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(numerators, denominators, strict=True))


class PeakMemory:
    """The most memory that was in use while the block ran: `bytes`, afterwards.

    On CUDA what PyTorch allocated on the device, else what the process had resident, libraries included. Only Linux can
    forget an earlier, higher peak; elsewhere it is the peak of the process since its start.

    Args:
        device: Where the block computes.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.bytes = device, 0

    def __enter__(self) -> Self:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        elif CLEAR_REFS.exists():
            CLEAR_REFS.write_text("5")  # resets VmHWM
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.device.type == "cuda":
            self.bytes = torch.cuda.max_memory_allocated(self.device)
        elif STATUS.exists():
            (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
            self.bytes = int(line.split()[1]) * 1024
        else:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            self.bytes = peak if sys.platform == "darwin" else peak * 1024


def machine(device: torch.device) -> dict[str, Any]:
    """What figures must be read with: processor, threads, device, versions."""
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "bf16 matrix unit": torch.cpu._is_amx_tile_supported(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "torch": torch.__version__,
        "gaitway": version("gaitway"),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} × {names[0]}" if names else platform.processor() or platform.machine()
