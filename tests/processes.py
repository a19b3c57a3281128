"""Functions run by several processes of one gloo group."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn


def in_processes(function: Callable[..., Any], *arguments: Any, num_processes: int = 2) -> list[Any]:
    """What `function(*arguments)` returns in each of the processes, in rank order.

    The function must be importable, and arguments and results tensors, arrays or plain values.
    """
    with tempfile.TemporaryDirectory() as folder:
        spawn(_run, (num_processes, folder, function, arguments), nprocs=num_processes)  # type: ignore[no-untyped-call]
        return [torch.load(Path(folder) / str(rank), weights_only=True) for rank in range(num_processes)]


def _run(rank: int, num_processes: int, folder: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=num_processes)
    torch.save(function(*arguments), Path(folder) / str(rank))
    dist.destroy_process_group()
