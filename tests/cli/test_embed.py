"""`gaitway embed`: the file, what --fold says, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gaitway.cli import main
from gaitway.evaluation import EmbeddingSet
from gaitway.training.checkpoint import model_config, save_checkpoint
from gaitway.training.recipe import Component
from tests.conftest import MakeStore
from tests.training.tiny import CONDITIONS, SIZE, tiny_recipe, tiny_store

GAITBASE = {"channels": [4, 4, 8, 8], "layers": [1, 1, 1, 1], "bins": [2], "embedding_dim": 8}


def make_checkpoint(folder: Path, *, residual: bool) -> Path:
    """A model with fresh weights, in a run's folder: GaitBase, or GaitSet, which has no batch norm."""
    torch.manual_seed(0)
    recipe = tiny_recipe(folder, baseline=residual)
    if residual:
        recipe = replace(recipe, model=Component("GaitBase", GAITBASE))
    weights = recipe.build_model(num_classes=4).state_dict()
    checkpoint = folder / "run" / "checkpoints" / "0000007"
    save_checkpoint(checkpoint, weights=weights, config=model_config(recipe, recipe_name="tiny", num_classes=4, step=7))
    return checkpoint


@pytest.fixture
def data(make_store: MakeStore) -> str:
    return str(tiny_store(make_store).path)


def test_the_test_subjects_as_evaluate_embeds_them(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_checkpoint(tmp_path, residual=False)
    run, out, other = tmp_path / "run", tmp_path / "new" / "x.safetensors", tmp_path / "y.safetensors"
    assert main(["embed", str(run), "--data", data, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "recipe tiny, step 7" in said
    assert re.search(rf"Wrote .*x\.safetensors: {8 * len(CONDITIONS)} sequences of 4 subjects, 14 × 8 each", said)
    words = ["--protocol", "casia-b", "--save-embeddings", str(other)]
    assert main(["evaluate", str(run), "--data", data, *words]) == 0
    found, expected = EmbeddingSet.load(out), EmbeddingSet.load(other)
    assert found.names == expected.names
    assert torch.equal(found.embeddings, expected.embeddings)


@pytest.mark.parametrize(
    ("sequences", "subjects"),
    [("train", {"001", "002", "003", "004"}), ("all", {f"00{subject}" for subject in range(1, 9)})],
)
def test_other_sequences(data: str, tmp_path: Path, sequences: str, subjects: set[str]) -> None:
    checkpoint, out = make_checkpoint(tmp_path, residual=False), tmp_path / "x.safetensors"
    assert main(["embed", str(checkpoint), "--data", data, "--out", str(out), "--sequences", sequences]) == 0
    assert set(EmbeddingSet.load(out).subjects) == subjects


def test_folding_changes_the_embeddings_by_rounding_and_says_so(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = make_checkpoint(tmp_path, residual=True)
    found = {}
    for words in ([], ["--fold"]):
        out = tmp_path / f"{len(words)}.safetensors"
        assert main(["embed", str(checkpoint), "--data", data, "--out", str(out), *words]) == 0
        found[len(words)] = EmbeddingSet.load(out)
    said = re.search(r"Folded: \d+ sequences in \S+ s instead of .* differ by at most (\S+),", capsys.readouterr().out)
    assert said is not None
    assert 0 < float(said[1]) < 1e-5
    assert found[0].names == found[1].names
    torch.testing.assert_close(found[1].embeddings, found[0].embeddings, rtol=1e-4, atol=1e-6)
    assert not torch.equal(found[1].embeddings, found[0].embeddings)


def test_a_model_with_nothing_to_fold_says_so(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint, out = make_checkpoint(tmp_path, residual=False), tmp_path / "x.safetensors"
    assert main(["embed", str(checkpoint), "--data", data, "--out", str(out), "--fold"]) == 0
    assert "GaitSet has no batch normalisation after a convolution" in capsys.readouterr().out
    assert len(EmbeddingSet.load(out)) == 8 * len(CONDITIONS)


def test_a_file_that_exists_stays(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint, out = make_checkpoint(tmp_path, residual=False), tmp_path / "x.safetensors"
    out.write_text("mine")
    assert main(["embed", str(checkpoint), "--data", data, "--out", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert out.read_text() == "mine"


def test_mistakes_leave_no_file(make_store: MakeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint, out = make_checkpoint(tmp_path, residual=False), tmp_path / "x.safetensors"
    store = make_store(num_subjects=8, shape=(32, 24), dataset="casia-b")
    assert main(["embed", str(checkpoint), "--data", str(store.path), "--out", str(out)]) == 2
    assert f"trained on silhouettes of {SIZE} × {SIZE}" in capsys.readouterr().err
    assert not list(tmp_path.glob("x.safetensors*"))
