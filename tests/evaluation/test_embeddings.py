from __future__ import annotations

import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch import distributed as dist

from gaitway.evaluation import EmbeddingSet, embed
from gaitway.models import GaitEnergyImage, GaitSet
from gaitway.types import Batch, Output


def example() -> EmbeddingSet:
    embeddings = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0))
    return EmbeddingSet(embeddings, ("001", "001", "Zoë"), ("nm-01", "nm-02", "nm-01"), ("000", "018", "000"))


def test_a_file_gives_the_same_set_back(tmp_path: Path) -> None:
    example().save(tmp_path / "new" / "embeddings.safetensors")
    loaded = EmbeddingSet.load(tmp_path / "new" / "embeddings.safetensors")
    assert torch.equal(loaded.embeddings, example().embeddings)
    assert loaded.names == example().names == ("001-nm-01-000", "001-nm-02-018", "Zoë-nm-01-000")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["embeddings.safetensors"]


def test_other_files_are_refused_and_not_unpickled(tmp_path: Path) -> None:
    (tmp_path / "pickle").write_bytes(pickle.dumps(example().embeddings))
    (tmp_path / "empty").touch()
    for name in ("pickle", "empty"):
        with pytest.raises(ValueError, match="does not hold embeddings as Gaitway saves them"):
            EmbeddingSet.load(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="--save-embeddings"):
        EmbeddingSet.load(tmp_path / "none")


def test_a_truncated_file_and_weights_are_refused(tmp_path: Path) -> None:
    example().save(tmp_path / "whole")
    (tmp_path / "half").write_bytes((tmp_path / "whole").read_bytes()[:-8])
    save_file({"weight": torch.zeros(2)}, tmp_path / "weights")
    for name in ("half", "weights"):
        with pytest.raises(ValueError, match="does not hold embeddings"):
            EmbeddingSet.load(tmp_path / name)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \(n, p, d\) float32, found \(3, 4\)"):
        EmbeddingSet(torch.zeros(3, 4), ("a",) * 3, ("b",) * 3, ("c",) * 3)
    with pytest.raises(ValueError, match=r"found \(3, 2, 4\) torch.float16"):
        EmbeddingSet(torch.zeros(3, 2, 4).half(), ("a",) * 3, ("b",) * 3, ("c",) * 3)
    with pytest.raises(ValueError, match="3 embeddings with 3 subjects, 2 conditions and 3 views"):
        EmbeddingSet(torch.zeros(3, 2, 4), ("a",) * 3, ("b",) * 2, ("c",) * 3)


def sequence(row: int) -> Tensor:
    """The silhouettes of made-up sequence `row`; lengths differ."""
    return torch.rand(4 + row % 3, 8, 6, generator=torch.Generator().manual_seed(row))


def batch_of(*rows: int) -> Batch:
    frames = [sequence(row) for row in rows]
    lengths = torch.tensor([len(one) for one in frames])
    dense = len(set(lengths.tolist())) == 1
    return Batch(
        frames={"silhouettes": torch.stack(frames) if dense else torch.cat(frames)},
        lengths=None if dense else lengths,
        labels=None,
        subjects=tuple(f"{row // 4:03}" for row in rows),
        conditions=tuple(f"nm-{row % 4:02}" for row in rows),
        views=("000",) * len(rows),
        rows=rows,
    )


def means_of(rows: range) -> Tensor:
    return torch.stack([sequence(row).mean(0).flatten() for row in rows]).unsqueeze(1)


def test_embeddings_come_in_row_order_each_row_once() -> None:
    done: list[int] = []
    found = embed(GaitEnergyImage(), [batch_of(5, 2), batch_of(0, 3, 1), batch_of(4, 0)], progress=done.append)
    torch.testing.assert_close(found.embeddings, means_of(range(6)))
    assert found.names == tuple(f"{row // 4:03}-nm-{row % 4:02}-000" for row in range(6))
    assert done == [2, 3, 2]


class Training(nn.Module):
    """Notes the mode it is called in, and fails when told to."""

    modalities = ("silhouettes",)

    def __init__(self) -> None:
        super().__init__()
        self.frozen, self.active = nn.Dropout(), nn.Dropout()
        self.fails = False
        self.called_with: list[tuple[bool, bool, bool | None]] = []

    def forward(self, frames: Tensor, lengths: Tensor | None = None, *, logits: bool | None = None) -> Output:
        if self.fails:
            raise RuntimeError("out of memory")
        self.called_with.append((self.active.training, torch.is_inference_mode_enabled(), logits))
        return Output(self.active(frames.flatten(1)[:, None, :5]))


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_in_evaluation_mode_and_then_as_it_was(fails: bool) -> None:
    model = Training().train()
    model.frozen.eval()
    model.fails = fails
    if fails:
        with pytest.raises(RuntimeError, match="out of memory"):
            embed(model, [batch_of(0, 3)])
    else:
        found = embed(model, [batch_of(0, 3)])
        assert model.called_with == [(False, True, False)]
        assert not found.embeddings.is_inference()  # can be used anywhere
    assert (model.training, model.active.training, model.frozen.training) == (True, True, False)


def test_autocast_changes_the_computation_and_not_the_type() -> None:
    torch.manual_seed(0)
    model = GaitSet(channels=(4, 4, 8), bins=(2, 1), embedding_dim=6)
    frames = torch.rand(2, 3, 64, 44)
    batch = Batch({"silhouettes": frames}, None, None, ("a", "b"), ("c", "d"), ("e", "f"), (0, 1))
    plain, reduced = embed(model, [batch]), embed(model, [batch], autocast=torch.bfloat16)
    assert reduced.embeddings.dtype == torch.float32
    assert not torch.equal(plain.embeddings, reduced.embeddings)
    torch.testing.assert_close(plain.embeddings, reduced.embeddings, rtol=0.1, atol=0.05)


def test_no_sequences_is_an_error() -> None:
    with pytest.raises(ValueError, match="no sequences to embed"):
        embed(GaitEnergyImage(), [])


def batches_of_process(rank: int) -> Iterator[Batch]:
    """Rows 0 to 8 over two processes, unevenly, row 0 twice (as samplers pad)."""
    yield from ([batch_of(8, 1), batch_of(4), batch_of(0, 6)], [batch_of(2, 3, 5), batch_of(7, 0)])[rank]


def embed_in_process(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=2)
    try:
        embed(GaitEnergyImage(), batches_of_process(rank)).save(folder / f"{rank}.safetensors")
    finally:
        dist.destroy_process_group()


def test_two_processes_get_the_same_set_as_one(tmp_path: Path) -> None:
    alone = embed(GaitEnergyImage(), [batch for rank in range(2) for batch in batches_of_process(rank)])
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        list(processes.map(embed_in_process, range(2), [tmp_path] * 2))
    for rank in range(2):
        found = EmbeddingSet.load(tmp_path / f"{rank}.safetensors")
        assert torch.equal(found.embeddings, alone.embeddings)
        assert found.names == alone.names
    torch.testing.assert_close(alone.embeddings, means_of(range(9)))
