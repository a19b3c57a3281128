"""Memory for frames: how much of it is free, buffers that are quick to fill, and copies that nobody waits for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def free_host_memory() -> int:
    """Bytes of memory that programs can still take on this machine or in this container."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():  # not Linux
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and used.exists() and limit.read_text().strip() != "max":
        free = min(free, int(limit.read_text()) - int(used.read_text()))
    return free


def empty(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """A tensor of arbitrary content, like `torch.empty`, but for the CPU on huge pages where Linux has them.

    With torch's pages of 4 KiB, page faults in a fresh buffer of megabytes take longer than filling it.
    """
    if device.type != "cpu":
        return torch.empty(tuple(shape), dtype=dtype, device=device)
    numpy_dtype = torch.empty(0, dtype=dtype).numpy().dtype
    return torch.from_numpy(np.empty(tuple(shape), numpy_dtype))  # numpy asks for huge pages


def on_device(values: npt.NDArray[Any], device: torch.device) -> Tensor:
    """An array as a tensor on the device, without waiting for work that the device still has to do."""
    tensor = torch.from_numpy(values)
    if device.type == "cuda":
        tensor = tensor.pin_memory()  # CUDA copies other memory in step with the program
    return tensor.to(device, non_blocking=True)
