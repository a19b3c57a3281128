"""`gaitway evaluate`: tables, files, and what it refuses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from gaitway.cli import main
from gaitway.data.store import FrameFormat
from gaitway.data.store_writer import StoreWriter
from gaitway.evaluation import EmbeddingSet, Result, evaluate, load_protocol
from gaitway.training.checkpoint import model_config, save_checkpoint
from gaitway.training.recipe import resolve
from tests.conftest import MakeStore
from tests.training.tiny import CONDITIONS, SIZE, tiny_recipe, tiny_store, tiny_values


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A model with fresh weights, in a run's folder."""
    torch.manual_seed(0)
    recipe = tiny_recipe(tmp_path)
    folder = tmp_path / "run" / "checkpoints" / "0000007"
    weights = recipe.build_model(num_classes=4).state_dict()
    save_checkpoint(folder, weights=weights, config=model_config(recipe, recipe_name="tiny", num_classes=4, step=7))
    return folder


@pytest.fixture
def data(make_store: MakeStore) -> str:
    return str(tiny_store(make_store).path)


def read(path: Path) -> Result:
    return Result.from_json(path.read_text())


def test_both_protocols_on_terminal_and_disk(
    checkpoint: Path, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embeddings = tmp_path / "embeddings.safetensors"
    run = tmp_path / "run"
    assert main(["evaluate", str(run), "--data", data, "--save-embeddings", str(embeddings)]) == 0
    said = capsys.readouterr().out
    assert "recipe tiny, step 7" in said
    for expected in ("protocol casia-b, euclidean", "protocol casia-b/cross-view", "rank-1", "mAP", "equal-error rate"):
        assert expected in said
    assert " 50.5 " in said  # the published figure
    out = run / "evaluation"
    assert {path.name for path in out.iterdir()} == {
        "casia-b.json",
        "casia-b.csv",
        "casia-b-cross-view.json",
        "casia-b-cross-view.csv",
        "circumstances.yaml",
    }
    circumstances = yaml.safe_load((out / "circumstances.yaml").read_text())
    assert (circumstances["checkpoint"], circumstances["step"]) == (str(checkpoint), 7)
    saved = EmbeddingSet.load(embeddings)
    assert set(saved.subjects) == {"005", "006", "007", "008"}
    assert len(saved) == 4 * len(CONDITIONS) * 2
    assert evaluate(saved, load_protocol("casia-b")) == read(out / "casia-b.json")


def test_the_gait_energy_image_beside_it(
    checkpoint: Path, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["evaluate", str(checkpoint), "--data", data, "--out", str(out), "--protocol", "casia-b"]
    assert main([*words, "--baseline", "gei"]) == 0
    assert "gait energy image" in capsys.readouterr().out
    assert read(out / "gait-energy-image" / "casia-b.json").sets["NM"].ranks[1] == 100  # the subjects are that easy
    assert not (out / "casia-b-cross-view.json").exists()


def test_two_processes_give_the_same_figures(checkpoint: Path, data: str, tmp_path: Path) -> None:
    words = ["evaluate", str(checkpoint), "--data", data]
    assert main([*words, "--out", str(tmp_path / "one")]) == 0
    command = [sys.executable, "-m", "gaitway", *words, "--out", str(tmp_path / "two"), "--devices", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("protocol casia-b, euclidean") == 1
    for name in ("casia-b.json", "casia-b-cross-view.json"):
        assert read(tmp_path / "two" / name) == read(tmp_path / "one" / name)


def test_fewer_frames_give_other_embeddings(checkpoint: Path, data: str, tmp_path: Path) -> None:
    found = {}
    for frames in ("2", "720"):
        file = tmp_path / f"{frames}.safetensors"
        words = ["--data", data, "--max-frames", frames, "--save-embeddings", str(file), "--protocol", "casia-b"]
        assert main(["evaluate", str(checkpoint), *words]) == 0
        found[frames] = EmbeddingSet.load(file).embeddings
    assert found["2"].shape == found["720"].shape
    assert not torch.allclose(found["2"], found["720"])


def test_another_data_set_is_evaluated_by_its_own_protocols(
    checkpoint: Path, make_store: MakeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(num_subjects=8, conditions=CONDITIONS, shape=(16, 16), dataset="walkers")
    partition = tmp_path / "partition.json"  # the recipe's file has the same subjects
    assert main(["evaluate", str(checkpoint), "--data", str(store.path), "--partition", str(partition)]) == 0
    said = capsys.readouterr().out
    assert "trained on casia-b, evaluated on walkers" in said
    assert "protocol walkers, euclidean" in said
    assert "50.5" not in said  # published for another data set


@pytest.mark.parametrize(
    ("shape", "words", "message"),
    [
        ((32, 24), [], "trained on silhouettes of 16 × 16, .* holds 32 × 24"),
        ((16, 16), ["--protocol", "casia-x"], "no protocol casia-x"),
        ((16, 16), ["--partition", "casia-x"], "no partition 'casia-x'"),
    ],
)
def test_mistakes_are_named(
    checkpoint: Path,
    make_store: MakeStore,
    capsys: pytest.CaptureFixture[str],
    shape: tuple[int, int],
    words: list[str],
    message: str,
) -> None:
    store = make_store(num_subjects=8, shape=shape, dataset="casia-b")
    assert main(["evaluate", str(checkpoint), "--data", str(store.path), *words]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_gallery_without_the_probes_subject(
    checkpoint: Path, make_store: MakeStore, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(num_subjects=8, conditions=("nm-05", "bg-01", "cl-01"), shape=(16, 16), dataset="casia-b")
    assert main(["evaluate", str(checkpoint), "--data", str(store.path), "--protocol", "casia-b"]) == 2
    assert "gallery" in capsys.readouterr().err


def write_store(path: Path, dataset: str, names: Iterable[tuple[str, str, str]]) -> str:
    """A store of noise with these sequences."""
    rng = np.random.default_rng(0)
    formats = {"silhouettes": FrameFormat((SIZE, SIZE))}
    with StoreWriter(path, dataset=dataset, modalities=formats, made={"by": "a test"}) as writer:
        for subject, condition, view in names:
            frames = rng.integers(0, 2, (3, SIZE, SIZE), dtype=np.uint8) * np.uint8(255)
            writer.add(subject, condition, view, {"silhouettes": frames})
    return str(path)


def checkpoint_for(tmp_path: Path, dataset: str, protocol: str, published: dict[str, object]) -> str:
    """A model with fresh weights of a recipe for another data set."""
    values = tiny_values(tmp_path) | {"published": {"source": "a paper", **published}}
    values["data"] = {"dataset": dataset, "partition": dataset, "frame_shape": [SIZE, SIZE]}
    values["evaluation"] = {"protocol": protocol, "transforms": [{"name": "CutColumns"}]}
    recipe = resolve(values)
    folder = tmp_path / "other" / "checkpoints" / "0000007"
    weights = recipe.build_model(num_classes=4).state_dict()
    save_checkpoint(folder, weights=weights, config=model_config(recipe, recipe_name="other", num_classes=4, step=7))
    return str(folder)


GREW = [
    *((f"{s:05}", f"0{g}", f"g{s:02}{g}") for s in range(1, 23) for g in (1, 2)),
    *(("probe", "03", f"p{i}x") for i in range(5)),
    *(("99999", "04", f"d{i}") for i in range(30)),
]


@pytest.fixture
def grew(tmp_path: Path) -> str:
    """A store with GREW's names: 22 subjects, 5 probes, 30 distractors."""
    return write_store(tmp_path / "grew", "grew", GREW)


@pytest.fixture
def grew_checkpoint(tmp_path: Path) -> str:
    return checkpoint_for(tmp_path, "grew", "grew", {"rank1": {"all": 60.1}})


def never(*_: object, **__: object) -> None:
    raise AssertionError("embedded all the same")


def test_a_submission_and_its_check(
    grew: str, grew_checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "submissions" / "grew.csv"
    assert main(["evaluate", grew_checkpoint, "--data", grew, "--submission", str(file)]) == 0
    said = capsys.readouterr().out
    assert "5 probes by protocol grew, checked" in said
    assert "protocol grew/local, euclidean" in said  # the local figures beside it
    lines = file.read_text().splitlines()
    assert len(lines) == 6
    assert {name for line in lines[1:] for name in line.split(",")[1:]} <= {str(s) for s in range(1, 23)}
    assert main(["evaluate", "--check-submission", str(file), "--data", grew]) == 0
    assert "submission for protocol grew: 5 probes, all in order" in capsys.readouterr().out
    file.write_text("".join(f"{line}\n" for line in lines[:-1]))
    assert main(["evaluate", "--check-submission", str(file), "--data", grew]) == 2
    assert "1 probe names are missing: p4x" in capsys.readouterr().err


def test_distractors_when_they_are_asked_for(grew: str, grew_checkpoint: str, tmp_path: Path) -> None:
    file = tmp_path / "grew.csv"
    words = ["--submission", str(file), "--protocol", "grew/distractors"]
    assert main(["evaluate", grew_checkpoint, "--data", grew, *words]) == 0
    assert ",99999" in file.read_text()


def test_an_existing_file_is_refused_before_embedding(
    grew: str, grew_checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gaitway.training.evaluating.embed_test_subjects", never)
    file = tmp_path / "grew.csv"
    file.write_text("mine")
    assert main(["evaluate", grew_checkpoint, "--data", grew, "--submission", str(file)]) == 2
    assert "exists already; a submission is never overwritten" in capsys.readouterr().err
    assert file.read_text() == "mine"


def test_what_is_published_by_the_server_is_not_put_beside_the_local_figures(
    grew: str, grew_checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", grew_checkpoint, "--data", grew, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "only the test server knows who its probes are" in said
    assert "Published by it: rank-1 60.1 %, with which no figure below can be compared" in said
    assert not re.search(r"published .* 60\.1", said)


GAIT3D = sorted(load_protocol("gait3d").probes["all"].listed or ())[:12]


def gait3d_store(path: Path, view: str) -> str:
    """Listed probes, under their names where `view` is `{}`, and two other sequences of each subject."""
    probes = [tuple(name.split("-")) for name in GAIT3D]
    names = [(subject, camera, view.format(seq)) for subject, camera, seq in probes]
    return write_store(
        path, "gait3d", [*names, *((s, f"camid{i}_videoid1", "seq9") for s, *_ in probes for i in (1, 2))]
    )


def test_published_figures_beyond_rank_1_and_re_ranking(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published = {"rank1": {"all": 64.6}, "figures": {"rank-5": {"all": 81.5}, "mAP": {"all": 55.3}}}
    checkpoint = checkpoint_for(tmp_path, "gait3d", "gait3d", published)
    data, out = gait3d_store(tmp_path / "gait3d", "{}"), tmp_path / "out"
    words = ["evaluate", checkpoint, "--data", data, "--out", str(out)]
    assert main([*words, "--rerank", "3,2,0.5"]) == 0
    said = capsys.readouterr().out
    assert "protocol gait3d, euclidean distance re-ranked with k1=3, k2=2, lambda=0.5" in said
    for figure, value in (("rank-1", "64.6"), ("rank-5", "81.5"), ("mAP", "55.3")):
        assert re.search(rf"{figure} +[\d.]+ *\n +published +{value}", said), figure
    result = read(out / "gait3d.json")
    assert (result.sets["all"].num_probes, result.num_gallery) == (12, 24)
    report = (out / "report.html").read_text()
    assert "re-ranked with k1=3" in report
    assert "55.3" in report
    assert main(words) == 0
    assert read(out / "gait3d.json").rerank == ""


@pytest.mark.parametrize(
    ("view", "words", "message"),
    [
        ("{}.pkl", [], "a list that does not match this data set: 0 of the 12 listed sequences"),
        ("{}", ["--protocol", "grew"], "protocol grew gives no figures"),
        ("{}", ["--protocol", "casia-b"], "no sequence is of the gallery"),
        ("{}", ["--submission", "file.csv"], "no protocol here writes a submission .the store holds gait3d"),
        ("{}", ["--rerank", "6,6"], "re-ranking '6,6' is not K1,K2,LAMBDA"),
        ("{}", ["--partition", "casia-b"], "no test subject of partition casia-b"),
    ],
)
def test_what_cannot_work_is_said_before_embedding(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    view: str,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.setattr("gaitway.training.evaluating.embed_test_subjects", never)
    monkeypatch.chdir(tmp_path)
    checkpoint = checkpoint_for(tmp_path, "gait3d", "gait3d", {})
    data = gait3d_store(tmp_path / "gait3d", view)
    assert main(["evaluate", checkpoint, "--data", data, *words]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_rank_beyond_the_gallery_is_said_before_embedding(
    checkpoint: Path, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gaitway.training.evaluating.embed_test_subjects", never)
    store = make_store(num_subjects=6, conditions=CONDITIONS, shape=(SIZE, SIZE), dataset="casia-b")
    assert main(["evaluate", str(checkpoint), "--data", str(store.path), "--protocol", "casia-b"]) == 2
    assert "reports rank-10, but the gallery of view 000 has only 8" in capsys.readouterr().err


def test_a_probe_list_of_ones_own(tmp_path: Path) -> None:
    checkpoint = checkpoint_for(tmp_path, "gait3d", "gait3d", {})
    data, partition = gait3d_store(tmp_path / "gait3d", "{}"), tmp_path / "own.json"
    subjects = [name.split("-")[0] for name in GAIT3D]
    partition.write_text(json.dumps({"TRAIN_SET": [], "TEST_SET": subjects, "PROBE_SET": GAIT3D[:7]}))
    out = tmp_path / "out"
    assert main(["evaluate", checkpoint, "--data", data, "--partition", str(partition), "--out", str(out)]) == 0
    result = read(out / "gait3d.json")
    assert (result.sets["all"].num_probes, result.num_gallery) == (7, 29)


def test_a_run_or_checkpoint_is_needed(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--data", data]) == 2
    assert "name the run or checkpoint" in capsys.readouterr().err


def test_a_protocol_of_ones_own(checkpoint: Path, data: str, tmp_path: Path) -> None:
    """The report finds it again."""
    own = tmp_path / "own" / "mine.yaml"
    own.parent.mkdir()
    sides = {"gallery": {"conditions": ["nm-01"]}, "probes": {"all": {"conditions": ["bg-*"]}}}
    own.write_text(yaml.safe_dump({"dataset": "casia-b", "measures": "Mine.", "ranks": [1], **sides}))
    assert main(["evaluate", str(checkpoint), "--data", data, "--protocol", str(own)]) == 0
    run = tmp_path / "run"
    assert read(run / "evaluation" / "mine.json").sets["all"].num_probes == 16
    assert main(["report", str(run)]) == 0
    assert "Mine." in (run / "report.html").read_text()
