"""`gaitway nas train` and `gaitway nas retrain`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gaitway.cli import main
from gaitway.models import SPOSGait
from gaitway.nas.results import Evaluation, SearchResults
from gaitway.training.checkpoint import checkpoint_path, find_checkpoint, load_model, read_weights
from gaitway.training.logging import read_metrics
from gaitway.training.recipe import Recipe, load_recipe
from tests.cli.test_train import GAITWAY, finish, start
from tests.conftest import MakeStore
from tests.nas.tiny import tiny_recipe, tiny_run, tiny_store


@pytest.fixture
def data(make_store: MakeStore) -> str:
    return str(tiny_store(make_store).path)


def recipe_file(folder: Path, *, model: dict[str, Any] | None = None, **training: Any) -> str:
    """A supernet's recipe, which leaves out nobody by itself."""
    recipe = tiny_recipe(folder, bn_neck=True, **model or {})
    values = replace(recipe, training=replace(recipe.training, **training)).as_dict()
    values["data"]["held_out"] = 0.0
    values["losses"]["softmax"] = {"name": "CrossEntropyLoss"}
    path = folder / "supernet.yaml"
    path.write_text(yaml.safe_dump(values))
    return str(path)


class TestTrain:
    def test_a_fifth_of_the_subjects_is_left_out(
        self, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run = tmp_path / "run"
        assert main(["nas", "train", recipe_file(tmp_path), "--data", data, "--run", str(run), "steps=2"]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "4 subjects, 80 sequences; 2 subjects held out" in said
        assert f"gaitway nas search {run}" in said
        recipe = load_recipe(str(run / "recipe.yaml"))
        assert recipe.data.held_out == 0.2
        assert len(recipe.data.held_out_subjects()) == 2
        assert read_weights(find_checkpoint(run))["neck.classifier.weight"].shape[-1] == 4
        assert main(["train", "--resume", str(run), "--data", data, "steps=3"]) == 0
        assert checkpoint_path(run, 3).is_dir()

    def test_all_of_them(self, data: str, tmp_path: Path) -> None:
        run = tmp_path / "run"
        words = ["nas", "train", recipe_file(tmp_path), "--data", data, "--run", str(run), "--held-out", "0", "steps=1"]
        assert main(words) == 0
        assert load_recipe(str(run / "recipe.yaml")).data.held_out == 0
        assert read_weights(find_checkpoint(run))["neck.classifier.weight"].shape[-1] == 6

    def test_two_processes_train_as_one(self, data: str, tmp_path: Path) -> None:
        """Each leaves most weights unused, and both the same."""
        recipe = recipe_file(tmp_path, steps=4, log_every=1, sync_batch_norm=True, idle_gradients="zero")
        runs = tmp_path / "one", tmp_path / "two"
        words = ["nas", "train", recipe, "--data", data, "lr=0.001"]  # rounding errors grow with the rate
        process = start((*GAITWAY, "nas"), *words[2:], "--run", runs[1], "--devices", "2")
        assert main([*words, "--run", str(runs[0])]) == 0
        said = finish(process)
        assert process.returncode == 0, said
        assert "in 2 processes" in said
        one, two = (read_metrics(run) for run in runs)
        assert [row["loss"] for row in two] == pytest.approx([row["loss"] for row in one], rel=1e-4)
        first, second = (read_weights(find_checkpoint(run)) for run in runs)
        for name in first:
            torch.testing.assert_close(second[name], first[name], rtol=1e-4, atol=1e-4, msg=name)
        moved = [name for name in first if name.endswith("num_batches_tracked") and first[name] > 0]
        assert 4 < len(moved) < 20, "several paths, not all blocks"

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["walkers/gaitset"], "walkers/gaitset is the recipe of one network, there are no paths to search"),
            (["grew/sposgait-small-500"], "is the recipe of one network"),
            (["SUPERNET", "--held-out", "1.5"], "a held-out share of 1.5; expected more than 0 and less than 1"),
            (["SUPERNET", "--held-out", "0.9"], "at least two must be left on either side"),
            (["steps=3"], "name the recipe of a supernet"),
        ],
    )
    def test_bad_input(
        self, data: str, tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        supernet, run = recipe_file(tmp_path), tmp_path / "run"
        words = [supernet if word == "SUPERNET" else word for word in words]
        assert main(["nas", "train", *words, "--data", data, "--run", str(run)]) == 2
        assert message in capsys.readouterr().err
        assert not run.exists()

    def test_a_supernet_has_no_embeddings(self, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = tmp_path / "embeddings.safetensors"
        assert main(["embed", str(tiny_run(tmp_path)), "--data", data, "--out", str(out)]) == 2
        assert not out.exists()
        assert "a supernet has no embeddings of its own, only its paths have" in capsys.readouterr().err


def write_search(run: Path, name: str = "evolution") -> Path:
    paths = {(0, 1, 2, 3): 50.0, (0, 5, 5, 4): 70.0, (0, 0, 0, 0): 60.0}
    found = tuple(
        Evaluation(path, 0, i, {"rank-1": figure, "macs": 1000 - i}) for i, (path, figure) in enumerate(paths.items())
    )
    folder = run / "searches" / name
    SearchResults(name, ("rank-1",), {}, found).save(folder)
    return folder


class TestRetrain:
    @pytest.mark.parametrize(
        ("of", "asked", "path"),
        [
            ("run", "best", (0, 5, 5, 4)),
            ("run", "3", (0, 1, 2, 3)),
            ("search", "2", (0, 0, 0, 0)),
            ("run", "[0, 3, 4, 5]", (0, 3, 4, 5)),
        ],
    )
    def test_a_path_is_trained_by_the_recipe_of_the_supernet(
        self, data: str, tmp_path: Path, of: str, asked: str, path: tuple[int, ...]
    ) -> None:
        run = tiny_run(tmp_path)
        search = write_search(run)
        given = str(run if of == "run" else search)
        assert main(["nas", "retrain", given, "--architecture", asked, "--data", data, "--steps", "4"]) == 0
        retrained = tmp_path / f"supernet-{'-'.join(map(str, path))}"
        recipe, before = (load_recipe(str(folder / "recipe.yaml")) for folder in (retrained, run))
        assert recipe.model.arguments == before.model.arguments | {"architecture": list(path)}
        assert (recipe.training.steps, recipe.schedule.arguments["milestones"]) == (4, [3])
        assert recipe.data == replace(before.data, held_out=0.0)
        assert recipe.losses == before.losses
        model = load_model(retrained)
        assert isinstance(model, SPOSGait)
        assert model.architecture == path
        assert main(["train", "--resume", str(retrained), "--data", data, "steps=5"]) == 0

    def test_weights_can_come_from_the_supernet(
        self, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run, out = tiny_run(tmp_path, bn_neck=True), tmp_path / "out"
        words = ["nas", "retrain", str(run), "--architecture", "0-5-5-4", "--data", data, "--run", str(out)]
        assert main([*words, "--from-supernet", "lr=0.0", "steps=1"]) == 0
        # there are more subjects now
        assert "neck.classifier.weight is missing" in " ".join(capsys.readouterr().out.split())
        supernet, path = read_weights(find_checkpoint(run)), read_weights(find_checkpoint(out))
        learnt = [name for name in path if "running" not in name and "num_batches" not in name]
        assert {"blocks.20/5.convolutions.1.weight", "shortcuts.4.0.weight", "head.weight"} <= set(learnt)
        assert [name for name in learnt if not torch.equal(path[name], supernet.get(name, torch.empty(0)))] == [
            "neck.classifier.weight"
        ]

    def test_by_another_recipe(self, data: str, tmp_path: Path) -> None:
        run, out = tiny_run(tmp_path), tmp_path / "out"
        other = recipe_file(tmp_path, model={"channels": [3, 4, 5]}, steps=1)
        words = ["nas", "retrain", str(run), "--architecture", "0,5,5,4", "--data", data, "--run", str(out)]
        assert main([*words, "--recipe", other]) == 0
        recipe: Recipe = load_recipe(str(out / "recipe.yaml"))
        assert recipe.model.arguments["channels"] == [3, 4, 5]
        assert set(recipe.losses) == {"triplet", "softmax"}

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--architecture", "best"], "holds no search"),
            (["--architecture", "0,5,5"], "has 3 entries, the search space 4 layers"),
            (["--architecture", "0,5,5,6"], "has block 6 in layer 3 (from 0), which has blocks 0 to 5"),
            (["--architecture", "x"], "'x' is no architecture; write a block number per layer, such as 0,5,5,4"),
            (["--architecture", "0,5,5,4", "--recipe", "casia-b/gaitset"], "the recipe's model is GaitSet"),
        ],
    )
    def test_bad_input(
        self, data: str, tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run, out = tiny_run(tmp_path), tmp_path / "out"
        assert main(["nas", "retrain", str(run), *words, "--data", data, "--run", str(out)]) == 2
        assert message in capsys.readouterr().err
        assert not out.exists()

    def test_bad_input_about_the_supernet(self, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run = tiny_run(tmp_path)
        for name in ("first", "second"):
            write_search(run, name)

        def error(*words: str | Path) -> str:
            assert main(["nas", "retrain", *map(str, words), "--data", data, "--run", str(tmp_path / "out")]) == 2
            return capsys.readouterr().err

        assert "no architecture '4' in search first" in error(run / "searches" / "first", "--architecture", "4")
        assert "has 2 searches; name one of" in error(run, "--architecture", "best")
        other = recipe_file(tmp_path, model={"channels": [3, 4, 5]}, steps=1)
        words = (run, "--architecture", "0,5,5,4", "--recipe", other, "--from-supernet")
        assert "are of other sizes than the recipe's network" in error(*words)
        checkpoint = find_checkpoint(run)
        (run / "recipe.yaml").unlink()
        assert "does not say how it was trained" in error(checkpoint, "--architecture", "0,5,5,4")
        assert not (tmp_path / "out").exists()
