"""The folder of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaitway.training.run import check_new, default_run, resumed_recipe, write_recipe
from tests.training.tiny import tiny_recipe


@pytest.mark.parametrize(
    ("recipe", "run"),
    [("casia-b/gaitset", "runs/casia-b-gaitset"), ("mine.yaml", "runs/mine"), ("../x/y.yml", "runs/x-y")],
)
def test_default_names(recipe: str, run: str) -> None:
    assert default_run(recipe) == Path(run)


def test_the_recipe_comes_back(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path)
    write_recipe(tmp_path / "run", recipe)
    assert resumed_recipe(tmp_path / "run") == recipe
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["recipe.yaml"]


def test_what_may_change_on_resuming(tmp_path: Path) -> None:
    write_recipe(tmp_path / "run", tiny_recipe(tmp_path))
    changed = resumed_recipe(tmp_path / "run", ["steps=50", "training.save_every=5", "evaluate_every=7", "log_every=2"])
    assert (changed.training.steps, changed.training.save_every) == (50, 5)
    for override in ("lr=0.5", "training.seed=1", "frames.num=3"):
        with pytest.raises(ValueError, match=f"{override}: a resumed run goes on by its own recipe"):
            resumed_recipe(tmp_path / "run", [override])


def test_no_run_and_an_existing_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a run"):
        resumed_recipe(tmp_path)
    check_new(tmp_path / "new")
    with pytest.raises(FileExistsError, match="go on with it by `gaitway train --resume"):
        check_new(tmp_path)
