from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gaitway.data import Store, reader
from gaitway.data.reader import FrameReader, Residency, choose_residency, shared_reader, unpack_bits
from gaitway.data.store import FrameFormat
from gaitway.data.store_writer import StoreWriter
from tests.conftest import MakeStore

RESIDENCIES: list[Residency] = ["device", "host", "disk"]


@pytest.mark.parametrize("residency", RESIDENCIES)
@pytest.mark.parametrize("compact", [False, True])
def test_gathers_the_frames_at_the_positions(make_store: MakeStore, residency: Residency, compact: bool) -> None:
    store = make_store(compact=compact, shape=(64, 44))
    found = FrameReader(store, "silhouettes", residency=residency)
    assert found.residency == residency
    rows = [5, 0, 5]
    first = [int(store.index.first["silhouettes"][row]) + offset for offset, row in enumerate(rows)]
    frames = found.gather(np.array(first))
    expected = np.stack([store.frames("silhouettes", row)[offset] for offset, row in enumerate(rows)])
    assert frames.dtype == torch.uint8
    assert np.array_equal(frames.numpy(), expected)


@pytest.mark.parametrize("residency", RESIDENCIES)
def test_gathers_floats(make_store: MakeStore, residency: Residency) -> None:
    store = make_store(modalities=["poses"])
    frames = FrameReader(store, "poses", residency=residency).gather(np.array([3]))
    assert frames.dtype == torch.float32
    assert np.array_equal(frames[0].numpy(), store.frames("poses", 0)[3])


@pytest.mark.parametrize("shape", [(8, 8), (4, 6), (2, 3, 4)])
def test_unpacked_bits_are_those_of_numpy(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 2, (7, *shape), dtype=np.uint8)
    stored = np.packbits(pixels.reshape(7, -1), axis=1)
    assert np.array_equal(unpack_bits(torch.from_numpy(stored), shape).numpy(), pixels * 255)


@pytest.mark.parametrize("residency", ["device", "host"])
def test_damage_is_found_when_frames_are_read_into_memory(make_store: MakeStore, residency: Residency) -> None:
    store = make_store()
    with store.frames_file("silhouettes").open("r+b") as file:
        file.seek(1000)
        file.write(b"x")
    with pytest.raises(ValueError, match=r"silhouettes.bin is damaged: its SHA-256 .* copy the store again"):
        FrameReader(store, "silhouettes", residency=residency)


def test_unknown_modality_and_residency_are_refused(make_store: MakeStore) -> None:
    store = make_store()
    with pytest.raises(ValueError, match="has no 'poses', it has silhouettes"):
        FrameReader(store, "poses")
    wrong: Any = "cloud"
    with pytest.raises(ValueError, match="residency 'cloud'; expected auto, device, host or disk"):
        FrameReader(store, "silhouettes", residency=wrong)


def test_auto_takes_host_memory_if_half_of_it_holds_the_frames(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store()
    size = store.frames_file("silhouettes").stat().st_size
    cpu = torch.device("cpu")
    monkeypatch.setattr(reader, "free_host_memory", lambda: 2 * size)
    assert choose_residency(store, "silhouettes", cpu) == "host"
    assert FrameReader(store, "silhouettes").residency == "host"
    monkeypatch.setattr(reader, "free_host_memory", lambda: 2 * size - 1)
    assert choose_residency(store, "silhouettes", cpu) == "disk"
    assert FrameReader(store, "silhouettes").residency == "disk"


def test_auto_counts_the_copies_of_all_processes_of_the_machine(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store()
    size = store.frames_file("silhouettes").stat().st_size
    monkeypatch.setattr(reader, "free_host_memory", lambda: 6 * size)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert choose_residency(store, "silhouettes", torch.device("cpu")) == "host"
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert choose_residency(store, "silhouettes", torch.device("cpu")) == "disk"


def test_auto_takes_an_accelerator_if_half_of_it_holds_the_frames(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store()
    size = store.frames_file("silhouettes").stat().st_size
    accelerator = torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * size, 10 * size))
    assert choose_residency(store, "silhouettes", accelerator) == "device"
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * size - 1, 10 * size))
    assert choose_residency(store, "silhouettes", accelerator) == "host"


def test_readers_are_shared_while_the_store_is_open(make_store: MakeStore) -> None:
    store = make_store()
    found = shared_reader(store, "silhouettes", residency="host")
    assert shared_reader(store, "silhouettes", residency="host") is found
    assert shared_reader(store, "silhouettes", residency="disk") is not found
    assert shared_reader(Store(store.path), "silhouettes", residency="host") is not found
    before = len(reader._readers)
    del store, found
    gc.collect()
    assert len(reader._readers) < before


def test_store_without_frames_can_be_opened(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "empty", dataset="none", modalities={"silhouettes": FrameFormat((8, 8))}, made={}):
        pass
    found = FrameReader(Store(tmp_path / "empty"), "silhouettes", residency="host")
    assert found.gather(np.zeros(0, np.int64)).shape == (0, 8, 8)
