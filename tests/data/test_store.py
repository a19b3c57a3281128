from __future__ import annotations

import errno
import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from gaitway.data import Store, open_store
from gaitway.data.store import FrameFormat, LeftOut, partial_path
from gaitway.data.store_writer import StoreWriter
from tests.conftest import MakeStore
from tests.data.datasets.raw import contents

FORMATS = {
    "silhouettes": FrameFormat((4, 6), compact=True),
    "poses": FrameFormat((3, 2), "float32", joints=("a", "b", "c")),
}
RNG = np.random.default_rng(0)
SEQUENCES = [
    (f"{number:03}", RNG.integers(0, 2, (number + 1, 4, 6), np.uint8) * 255, RNG.random((number + 2, 3, 2), np.float32))
    for number in range(4)
]


def writer(out: Path, **made: str) -> StoreWriter:
    return StoreWriter(out, dataset="made-up", modalities=FORMATS, made=made)


def write(store: StoreWriter, numbers: range = range(4)) -> None:
    for subject, silhouettes, poses in (SEQUENCES[number] for number in numbers):
        if f"{subject}-nm-01-090" not in store:
            store.add(subject, "nm-01", "090", {"silhouettes": silhouettes, "poses": poses})


def uninterrupted(out: Path) -> dict[str, bytes]:
    with writer(out) as store:
        write(store)
    return contents(out)


def interrupt(out: Path, *, after: int) -> None:
    with suppress(KeyboardInterrupt), writer(out) as store:
        write(store, range(after))
        raise KeyboardInterrupt


def test_gives_back_what_was_written(tmp_path: Path) -> None:
    with writer(tmp_path / "new" / "store", by="a test") as store:
        write(store)
        store.leave_out("009", "nm-01", "090", "no frame left")
    found = Store(tmp_path / "new" / "store")
    assert not partial_path(found.path).exists()
    assert (found.manifest.dataset, found.manifest.num_sequences, found.manifest.num_subjects) == ("made-up", 4, 4)
    assert found.manifest.modalities == FORMATS
    assert found.manifest.num_frames == {"silhouettes": 10, "poses": 14}
    assert found.manifest.made["by"] == "a test"
    assert found.manifest.left_out == {"sequence: no frame left": 1}
    assert found.left_out == (("009-nm-01-090", LeftOut("sequence", "no frame left")),)
    for row, (subject, silhouettes, poses) in enumerate(SEQUENCES):
        info = found.index[row]
        assert info.name == f"{subject}-nm-01-090"
        assert info.num_frames == {"silhouettes": len(silhouettes), "poses": len(poses)}
        np.testing.assert_array_equal(found.frames("silhouettes", row), silhouettes)
        np.testing.assert_array_equal(found.frames("poses", row), poses)
    for modality in FORMATS:
        found.verify(modality)


def test_the_frames_can_be_read_without_this_library(tmp_path: Path) -> None:
    uninterrupted(tmp_path / "store")
    bits = np.unpackbits(np.fromfile(tmp_path / "store" / "silhouettes.bin", np.uint8)).reshape(-1, 4, 6)
    np.testing.assert_array_equal(bits * 255, np.concatenate([silhouettes for _, silhouettes, _ in SEQUENCES]))
    floats = np.fromfile(tmp_path / "store" / "poses.bin", "<f4").reshape(-1, 3, 2)
    np.testing.assert_array_equal(floats, np.concatenate([poses for _, _, poses in SEQUENCES]))


def test_a_sequence_may_lack_a_modality(tmp_path: Path) -> None:
    with writer(tmp_path / "store") as store:
        store.add("001", "nm-01", "000", {"poses": SEQUENCES[0][2]})
        store.add("002", "nm-01", "000", {"silhouettes": SEQUENCES[0][1]})
    found = Store(tmp_path / "store")
    assert [info.num_frames for info in found.index] == [{"poses": 2}, {"silhouettes": 1}]
    assert found.frames("silhouettes", 0).shape == (0, 4, 6)


def test_an_interrupted_writer_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    expected = uninterrupted(tmp_path / "expected")
    interrupt(tmp_path / "store", after=2)
    with pytest.raises(FileNotFoundError, match=r"store\.partial is an unfinished one: run the same command again"):
        Store(tmp_path / "store")
    with writer(tmp_path / "store") as store:
        assert list(store) == ["000-nm-01-090", "001-nm-01-090"]
        write(store)
    assert contents(tmp_path / "store") == expected


@pytest.mark.parametrize(
    ("file", "kept_bytes", "still_whole"),
    [("journal.jsonl", -5, 2), ("poses.bin", -4, 2), ("silhouettes.bin", 3, 1), ("journal.jsonl", 0, 0)],
)
def test_what_was_cut_off_is_written_again(tmp_path: Path, file: str, kept_bytes: int, still_whole: int) -> None:
    expected = uninterrupted(tmp_path / "expected")
    interrupt(tmp_path / "store", after=3)
    cut = partial_path(tmp_path / "store") / file
    cut.write_bytes(cut.read_bytes()[:kept_bytes])
    with writer(tmp_path / "store") as store:
        assert len(store) == still_whole
        write(store)
    assert contents(tmp_path / "store") == expected


def test_frames_without_a_journal_line_are_forgotten(tmp_path: Path) -> None:
    expected = uninterrupted(tmp_path / "expected")
    interrupt(tmp_path / "store", after=2)
    with (partial_path(tmp_path / "store") / "poses.bin").open("ab") as frames:
        frames.write(b"half a frame")
    with writer(tmp_path / "store") as store:
        write(store)
    assert contents(tmp_path / "store") == expected


def test_a_refused_sequence_leaves_no_trace(tmp_path: Path) -> None:
    expected = uninterrupted(tmp_path / "expected")
    with writer(tmp_path / "store") as store:
        write(store, range(2))
        with pytest.raises(ValueError, match=r"sequence 7-nm-01-090: poses frames are \(4, 2\), expected \(3, 2\)"):
            store.add("7", "nm-01", "090", {"silhouettes": SEQUENCES[0][1], "poses": np.zeros((1, 4, 2), np.float32)})
        with pytest.raises(ValueError, match="001-nm-01-090 comes twice"):
            store.add("001", "nm-01", "090", {"silhouettes": SEQUENCES[0][1]})
        write(store)
    assert contents(tmp_path / "store") == expected


def test_other_settings_do_not_go_on_with_a_partial_store(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), writer(tmp_path / "store", size="64"):
        raise KeyboardInterrupt
    with (
        pytest.raises(ValueError, match=r"begun with other settings \(made: size '64', now '128'\)"),
        writer(tmp_path / "store", size="128"),
    ):
        pass


def test_does_not_write_over_a_store(tmp_path: Path) -> None:
    before = uninterrupted(tmp_path / "store")
    with pytest.raises(FileExistsError, match="choose another name"):
        writer(tmp_path / "store")
    assert contents(tmp_path / "store") == before


def test_a_full_disk_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = uninterrupted(tmp_path / "expected")

    def no_space(_: Path) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("gaitway.data.store_writer.file_checksum", no_space)
    with pytest.raises(OSError, match="the disk is full: 4 sequences are written to .*make room"):
        uninterrupted(tmp_path / "store")
    monkeypatch.undo()
    with writer(tmp_path / "store"):
        pass
    assert contents(tmp_path / "store") == expected


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("silhouettes.bin", r"silhouettes\.bin has 1 bytes, expected 30: the store is damaged"),
        ("index.csv", r"index\.csv is damaged: its SHA-256 is"),
        ("manifest.json", r"manifest\.json is not the manifest of a store"),
    ],
)
def test_a_damaged_store_is_not_opened(tmp_path: Path, file: str, message: str) -> None:
    uninterrupted(tmp_path / "store")
    (tmp_path / "store" / file).write_bytes(b"x")
    with pytest.raises(ValueError, match=message):
        Store(tmp_path / "store")


def test_a_missing_file_is_damage(tmp_path: Path) -> None:
    uninterrupted(tmp_path / "store")
    (tmp_path / "store" / "poses.bin").unlink()
    with pytest.raises(ValueError, match=r"poses\.bin has 0 bytes, expected 336"):
        Store(tmp_path / "store")


def test_verify_finds_a_changed_byte(tmp_path: Path) -> None:
    uninterrupted(tmp_path / "store")
    frames = tmp_path / "store" / "poses.bin"
    frames.write_bytes(b"x" + frames.read_bytes()[1:])
    store = Store(tmp_path / "store")
    store.verify("silhouettes")
    with pytest.raises(ValueError, match=r"poses\.bin is damaged: its SHA-256 is"):
        store.verify("poses")


def test_another_format_version_is_refused(tmp_path: Path) -> None:
    uninterrupted(tmp_path / "store")
    manifest = tmp_path / "store" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 99}))
    with pytest.raises(ValueError, match="store format 99, this Gaitway reads format 1"):
        Store(tmp_path / "store")


def test_what_is_no_store_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a store.*make one with `gaitway prepare`"):
        open_store(tmp_path)


def test_asks_for_a_modality_by_name(make_store: MakeStore) -> None:
    with pytest.raises(ValueError, match="has no 'poses', it has silhouettes"):
        make_store().frame_format("poses")


def test_compact_needs_whole_bytes() -> None:
    with pytest.raises(ValueError, match=r"multiple of 8 pixels, found uint8 \(3, 3\)"):
        FrameFormat((3, 3), compact=True)


def test_compact_is_white_from_128_on() -> None:
    fmt = FrameFormat((1, 8), compact=True)
    frames = np.array([[[0, 1, 127, 128, 129, 255, 0, 200]]], np.uint8)
    assert fmt.pack(frames).tolist() == [[0b00011101]]
    assert fmt.unpack(fmt.pack(frames)).tolist() == [[[0, 0, 0, 255, 255, 255, 0, 255]]]


def test_index_by_subject(make_store: MakeStore) -> None:
    index = make_store(num_subjects=3, conditions=("nm-01",), views=("000", "090")).index
    assert index.rows_of({"003", "001", "999"}).tolist() == [0, 1, 4, 5]
    assert [info.subject for info in index] == ["001", "001", "002", "002", "003", "003"]
