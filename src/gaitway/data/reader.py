"""Frames of many sequences at once, from wherever the store's frames are kept."""

from __future__ import annotations

import os
import warnings
from functools import cache
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from gaitway.data.memory import empty, free_host_memory, on_device
from gaitway.data.sampling import Ints
from gaitway.data.store import Store

Residency = Literal["auto", "device", "host", "disk"]
_CPU = torch.device("cpu")
SPARE_SHARE = 0.5  # of the free memory, frames may take this much; the rest is for the model and its training


class FrameReader:
    """Gathers frames of a modality by their positions in the store's flat array.

    Frames are kept as the store holds them (uint8, or bits if compact) on the device, in host memory or in the
    memory-mapped file; compact frames become 0 and 255 after the gather, on the device.

    Args:
        store: The store.
        modality: Which frames.
        residency: Where frames are kept. `auto` takes the device's memory if that is an accelerator and half of what
            it has free holds them, else host memory by the same rule, else the file.
        device: Where gathered frames are wanted.

    Raises:
        ValueError: when the frames are damaged; the checksum is verified whenever all of them are read into memory.
    """

    def __init__(
        self, store: Store, modality: str, *, residency: Residency = "auto", device: str | torch.device = "cpu"
    ) -> None:
        self.device = torch.device(device)
        self.format = store.frame_format(modality)
        self.residency = choose_residency(store, modality, self.device) if residency == "auto" else residency
        if self.residency == "disk":
            with warnings.catch_warnings(action="ignore", category=UserWarning):  # the file is never written to
                self._frames = torch.from_numpy(np.asarray(store.stored(modality)))
        elif self.residency in ("host", "device"):
            store.verify(modality)
            frames = np.fromfile(store.frames_file(modality), self.format.stored_dtype)
            frames = frames.reshape(-1, *self.format.stored_shape)
            self._frames = torch.from_numpy(frames).to(self.device if self.residency == "device" else "cpu")
        else:
            raise ValueError(f"residency {residency!r}; expected auto, device, host or disk")

    def gather(self, positions: Ints) -> Tensor:
        """The frames `(m, *shape)` on the device.

        Args:
            positions: `(m,)` int64, positions in the modality's flat array.
        """
        if self.residency == "device":
            stored = self._frames.index_select(0, on_device(positions, self.device))
        else:
            shape, dtype = (len(positions), *self._frames.shape[1:]), self._frames.dtype
            pinned = self.device.type == "cuda"
            on_host = torch.empty(shape, dtype=dtype, pin_memory=True) if pinned else empty(shape, dtype, _CPU)
            torch.index_select(self._frames, 0, torch.from_numpy(positions), out=on_host)
            stored = on_host.to(self.device, non_blocking=True)
        return unpack_bits(stored, self.format.shape) if self.format.compact else stored


_readers: WeakKeyDictionary[Store, dict[tuple[str, str, torch.device], FrameReader]] = WeakKeyDictionary()


def shared_reader(
    store: Store, modality: str, *, residency: Residency = "auto", device: str | torch.device = "cpu"
) -> FrameReader:
    """The reader of an open store's modality, made once, so that training and evaluation share the frames in memory."""
    of_store = _readers.setdefault(store, {})
    key = (modality, residency, torch.device(device))
    if key not in of_store:
        of_store[key] = FrameReader(store, modality, residency=residency, device=device)
    return of_store[key]


def choose_residency(store: Store, modality: str, device: torch.device) -> Literal["device", "host", "disk"]:
    """Where a modality's frames are kept best: the fastest memory that holds them with room to spare."""
    size = store.manifest.num_frames[modality] * store.frame_format(modality).bytes_per_frame
    if device.type == "cuda" and size <= SPARE_SHARE * torch.cuda.mem_get_info(device)[0]:
        return "device"
    # torchrun says how many processes of the run share this machine; each keeps its own copy
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return "host" if size * processes <= SPARE_SHARE * free_host_memory() else "disk"


def unpack_bits(stored: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Compact frames `(m, bytes)` as `(m, *shape)` uint8 of 0 and 255, on their device.

    A table gives the 8 pixels of a byte as one 8-byte number, so that unpacking is one gather.
    """
    table = _pixels_of_bytes(stored.device)
    return table.index_select(0, stored.flatten().int()).view(torch.uint8).view(-1, *shape)


@cache
def _pixels_of_bytes(device: torch.device) -> Tensor:
    pixels = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1) * np.uint8(255)  # (256, 8)
    return on_device(pixels.view(np.int64).squeeze(1), device)
