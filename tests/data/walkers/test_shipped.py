"""The set that ships: it must be there, be small, be as hard as real data, and survive what happens to caches."""

import lzma
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gaitway.cli import main
from gaitway.data import Store, open_store
from gaitway.data.partitions import load_partition
from gaitway.data.store_writer import StoreWriter
from gaitway.data.walkers import CONDITIONS, body, load
from gaitway.data.walkers.packed import pack, unpack
from gaitway.data.walkers.shipped import SHIPPED
from gaitway.data.walkers.writing import MODALITIES
from gaitway.skeletons import COCO_JOINTS

VIEWS = [f"{angle:03d}" for angle in range(0, 181, 18)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return unpack(SHIPPED, tmp_path_factory.mktemp("walkers") / "store")


def test_holds_what_was_promised_in_at_most_20_megabytes(store: Store) -> None:
    assert SHIPPED.stat().st_size <= 20e6
    index = store.index
    assert store.manifest.num_subjects == 48
    assert [info.name for info in index] == [
        f"{subject:03d}-{condition}-{view}" for subject in range(1, 49) for condition in CONDITIONS for view in VIEWS
    ]
    for modality in ("silhouettes", "poses"):
        assert index.num_frames[modality].min() >= 24
    assert store.frame_format("poses").joints == COCO_JOINTS
    frames = store.frames("silhouettes", 0)
    assert frames.shape == (24, 64, 64)
    assert frames.any(axis=(1, 2)).all()
    poses = np.asarray(store.stored("poses"))
    assert 0 <= poses[..., 2].min() <= poses[..., 2].max() <= 1
    assert 0.85 < np.median(poses[..., 2]) < 1


def test_the_partition_splits_its_subjects(store: Store) -> None:
    partition = load_partition("walkers")
    assert (len(partition.train), len(partition.test)) == (30, 18)
    assert set(partition.train) | set(partition.test) == set(store.index.subjects.tolist())
    assert not set(partition.train) & set(partition.test)
    assert list(partition.views) == VIEWS
    assert sorted(partition.types) == list(CONDITIONS)


def rank_1(energy: NDArray[np.float32], probes: list[str]) -> tuple[float, float]:
    """Rank-1 in per cent of nearest neighbours among images `(subjects, conditions, views, pixels)`.

    Returns the mean over pairs of equal views, and over pairs of different views.
    """
    subjects = len(energy)
    gallery = energy[:, [CONDITIONS.index(f"nm-0{k}") for k in range(1, 5)]]
    probe = energy[:, [CONDITIONS.index(name) for name in probes]]
    right = np.zeros((11, 11))
    for v in range(11):
        for w in range(11):
            p, g = probe[:, :, v].reshape(-1, energy.shape[-1]), gallery[:, :, w].reshape(-1, energy.shape[-1])
            nearest = ((g**2).sum(axis=1) - 2 * p @ g.T).argmin(axis=1)
            right[v, w] = 100 * (nearest // 4 == np.arange(2 * subjects) // 2).mean()
    same = float(right.diagonal().mean())
    return same, float((right.sum() - right.trace()) / 110)


def test_is_as_hard_as_real_data(store: Store) -> None:
    """Gait energy images do well in the same view only, and NM is easier than BG, BG than CL, as on CASIA-B."""
    test = np.isin(store.index.subjects, load_partition("walkers").test)
    bits = np.unpackbits(np.asarray(store.stored("silhouettes")).reshape(len(test), 24, -1)[test], axis=2)
    images = bits.reshape(-1, 24, 64, 64)[..., 10:54].mean(axis=1, dtype=np.float32)
    energy = images.reshape(18, len(CONDITIONS), len(VIEWS), -1)
    same: dict[str, float] = {}
    across: dict[str, float] = {}
    for name in ("nm", "bg", "cl"):
        conditions = ["nm-05", "nm-06"] if name == "nm" else [f"{name}-01", f"{name}-02"]
        same[name], across[name] = rank_1(energy, conditions)
    assert same["nm"] > 90
    assert same["nm"] > same["bg"] + 15 > same["cl"] + 30
    assert same["cl"] > 100 / 18  # chance
    assert across["nm"] < 60
    assert across["nm"] > across["bg"] > across["cl"]


def test_packing_keeps_silhouettes_whole_and_joints_to_an_eighth_of_a_pixel(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with StoreWriter(tmp_path / "store", dataset="walkers", modalities=MODALITIES, made={"seed": 1}) as writer:
        for view in ("000", "018"):
            silhouettes = (rng.random((3, 64, 64)) < 0.5).astype(np.uint8) * np.uint8(255)
            poses = rng.uniform([0, 0, 0], [320, 240, 1], (3, 17, 3)).astype(np.float32)
            writer.add("001", "nm-01", view, {"silhouettes": silhouettes, "poses": poses})
    store = Store(tmp_path / "store")
    pack(store, tmp_path / "packed")
    again = unpack(tmp_path / "packed", tmp_path / "again")
    np.testing.assert_array_equal(again.stored("silhouettes"), store.stored("silhouettes"))
    error = np.abs(np.asarray(again.stored("poses")) - np.asarray(store.stored("poses")))
    assert error[..., :2].max() <= 1 / 16 + 1e-4
    assert error[..., 2].max() <= 1 / 100 + 1e-6
    assert again.manifest.made["seed"] == 1


def test_a_damaged_packed_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "cut").write_bytes(lzma.compress(bytes(1000))[:-20])
    with pytest.raises(ValueError, match="cut is damaged"):
        unpack(tmp_path / "cut", tmp_path / "out")


def test_unequal_lengths_cannot_be_packed(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "store", dataset="walkers", modalities=MODALITIES, made={}) as writer:
        for t, view in ((2, "000"), (3, "018")):
            silhouettes, poses = np.zeros((t, 64, 64), np.uint8), np.zeros((t, 17, 3), np.float32)
            writer.add("001", "nm-01", view, {"silhouettes": silhouettes, "poses": poses})
    with pytest.raises(ValueError, match="2 to 3 frames"):
        pack(Store(tmp_path / "store"), tmp_path / "packed")


def test_loads_from_the_cache_and_mends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAITWAY_CACHE", str(tmp_path / "cache"))
    first = open_store("walkers")
    assert first.path.parent == tmp_path / "cache"
    stamp = (first.path / "manifest.json").stat().st_mtime_ns
    assert (load().path / "manifest.json").stat().st_mtime_ns == stamp  # the second time nothing is unpacked

    poses = first.frames_file("poses")
    whole = poses.read_bytes()
    poses.write_bytes(bytes(8) + whole[8:])
    assert load().frames_file("poses").read_bytes() == whole
    poses.unlink()
    assert load().frames_file("poses").read_bytes() == whole
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == [first.path.name]


@pytest.mark.parametrize("raw", [[], ["--raw", "casia-b"]])
def test_a_missing_anny_is_named_and_nothing_is_left_behind(
    raw: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "anny", None)
    body._anny.cache_clear()
    assert main(["data", "walkers", str(tmp_path / "out"), "--identities", "1", *raw]) == 2
    assert "pip install 'gaitway[walkers]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_loading_does_not_import_anny() -> None:
    code = "import sys; from gaitway.data import walkers; walkers.load; sys.exit('anny' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
