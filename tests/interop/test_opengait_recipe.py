from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from gaitway.interop import Note, UnknownModelError, read_config, to_recipe
from gaitway.training.recipe import load_recipe, resolve
from tests.interop.files import GAITSET_CFG, baseline_cfg

TRIPLET = {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2, "loss_term_weight": 1.0}
SOFTMAX = {"type": "CrossEntropyLoss", "log_prefix": "softmax", "scale": 16, "loss_term_weight": 0.1}


def convert(folder: Path, **sections: Any) -> tuple[dict[str, Any], list[Note]]:
    path = folder / "published.yaml"
    path.write_text(yaml.safe_dump({"model_cfg": GAITSET_CFG, **sections}))
    recipe, notes = to_recipe(read_config(path))
    resolve(recipe)  # every recipe that comes out is a valid one
    return recipe, notes


def texts(notes: list[Note], kind: str) -> dict[str, str]:
    return {note.key: note.text for note in notes if note.kind == kind}


def test_the_published_gaitset_becomes_the_shipped_recipe(tmp_path: Path) -> None:
    wide = {"in_channels": 128, "out_channels": 256, "parts_num": 62}
    cfg = {"model": "GaitSet", "in_channels": [1, 32, 64, 128], "SeparateFCs": wide, "bin_num": [16, 8, 4, 2, 1]}
    recipe, _ = convert(
        tmp_path,
        model_cfg=cfg,
        scheduler_cfg={"milestones": [10000, 20000, 30000]},
        trainer_cfg={"total_iter": 40000, "save_iter": 10000},
    )
    found, shipped = resolve(recipe).as_dict(), load_recipe("casia-b/gaitset").as_dict()
    for values in (found, shipped):
        values.pop("description")
        values.pop("published", None)
    assert found == shipped


def test_the_published_baseline_becomes_the_shipped_recipe(tmp_path: Path) -> None:
    layers = ["BC-64", "BC-64", "M", "BC-128", "BC-128", "M", "BC-256", "BC-256"]
    cfg = {
        "model": "Baseline",
        "backbone_cfg": {"type": "Plain", "in_channels": 1, "layers_cfg": layers},
        "SeparateFCs": {"in_channels": 256, "out_channels": 256, "parts_num": 31},
        "SeparateBNNecks": {"class_num": 74, "in_channels": 256, "parts_num": 31},
        "bin_num": [16, 8, 4, 2, 1],
    }
    sampler = {"batch_shuffle": True}
    recipe, notes = convert(
        tmp_path,
        model_cfg=cfg,
        loss_cfg=[TRIPLET, SOFTMAX],
        scheduler_cfg={"milestones": [20000, 40000]},
        trainer_cfg={"total_iter": 60000, "save_iter": 10000, "sync_BN": True, "fix_BN": True, "sampler": sampler},
        evaluator_cfg={"enable_float16": True, "sampler": {"frames_all_limit": 720}},
    )
    found, shipped = resolve(recipe).as_dict(), load_recipe("casia-b/baseline").as_dict()
    for values in (found, shipped):
        values.pop("description")
        values.pop("published", None)
    assert found == shipped
    assert "74" in texts(notes, "different here")["model_cfg.SeparateBNNecks.class_num"]


def test_every_key_of_the_file_is_accounted_for(tmp_path: Path) -> None:
    sections = {
        "data_cfg": {"dataset_name": "OUMVLP", "num_workers": 8, "dataset_partition": "./misc/partitions/OUMVLP.json"},
        "trainer_cfg": {"T_max_iter": 7, "restore_hint": 0, "sampler": {"frames_num_max": 40, "P_max": 3}},
        "evaluator_cfg": {"rerank": True, "sampler": {"batch_shuffle": False, "batch_size": 16}},
        "optimizer_cfg": {"solver": "Adam", "lr": 1e-4, "weight_decay": 0, "momentum": 0.9},
        "scheduler_cfg": {"max_lr": 0.1},
        "my_cfg": {"mine": [1, 2]},
    }
    recipe, notes = convert(tmp_path, **sections)
    assert texts(notes, "not carried over") == {
        "trainer_cfg.T_max_iter": "a recipe has nothing for it",
        "my_cfg.mine": "a recipe has nothing for it",
    }
    dropped = texts(notes, "dropped")
    assert dropped.keys() == {
        "trainer_cfg.sampler.frames_num_max",
        "trainer_cfg.sampler.P_max",
        "evaluator_cfg.rerank",
        "evaluator_cfg.sampler.batch_shuffle",
        "optimizer_cfg.momentum",
        "scheduler_cfg.max_lr",
    }
    assert dropped["optimizer_cfg.momentum"].startswith("Adam has no such argument")
    elsewhere = texts(notes, "different here")
    assert {"data_cfg.num_workers", "trainer_cfg.restore_hint", "evaluator_cfg.sampler.batch_size"} <= elsewhere.keys()
    defaults = texts(notes, "default")
    assert defaults["data_cfg.test_dataset_name"] == "'CASIA-B', the default of opengait"
    assert "optimizer_cfg.lr" not in defaults
    assert recipe["optimizer"] == {"name": "Adam", "lr": 1e-4, "weight_decay": 0}
    assert recipe["data"] == {"dataset": "oumvlp", "partition": "oumvlp"}
    assert recipe["evaluation"]["protocol"] == "casia-b"  # inherited, as published


def test_notes_come_with_the_important_ones_first(tmp_path: Path) -> None:
    _, notes = convert(tmp_path, my_cfg={"a": 1}, data_cfg={"num_workers": 1})
    assert [notes[0].kind, notes[1].kind, notes[-1].kind] == ["dialect", "not carried over", "default"]
    assert notes[0].text == "opengait: nothing in it belongs to another code base"


def test_frames(tmp_path: Path) -> None:
    def frames(**sampler: Any) -> tuple[dict[str, Any], list[Note]]:
        recipe, notes = convert(tmp_path, trainer_cfg={"sampler": sampler})
        return recipe["frames"], notes

    assert frames()[0] == {"count": "fixed", "order": "unordered", "num": 30}
    ordered = frames(sample_type="fixed_ordered", frames_skip_num=4, frames_num_fixed=20)[0]
    assert ordered == {"count": "fixed", "order": "ordered", "num": 20, "skip": 4}
    unfixed = frames(sample_type="unfixed_unordered")[0]
    assert unfixed == {"count": "unfixed", "order": "unordered", "min_num": 25, "max_num": 50}
    assert frames(sample_type="all_ordered", frames_all_limit=9)[0] == {"count": "all", "order": "ordered", "limit": 9}
    kept, notes = frames(sample_type="fixed_allordered")
    assert kept["order"] == "allordered"
    assert "does not sort" in texts(notes, "kept")["trainer_cfg.sampler.sample_type"]
    with pytest.raises(ValueError, match="expected such as fixed_unordered"):
        frames(sample_type="some_ordered")


def test_samplers(tmp_path: Path) -> None:
    def sampler(**given: Any) -> dict[str, Any]:
        found: dict[str, Any] = convert(tmp_path, trainer_cfg={"sampler": given})[0]["sampler"]
        return found

    sizes = {"num_subjects": 32, "num_sequences": 4}
    assert sampler(batch_size=[32, 4]) == {"name": "TripletSampler", **sizes, "shuffle": False}
    assert sampler(type="CommonSampler", batch_size=12) == {"name": "RandomSampler", "batch_size": 12}
    with pytest.raises(ValueError, match="published.yaml: trainer_cfg.sampler.type 'BilateralSampler'"):
        sampler(type="BilateralSampler")


def test_transforms(tmp_path: Path) -> None:
    chain = [
        {"type": "RandomPartBlur", "prob": 0.2},
        {"type": "RandomPerspective", "prob": 0.2},
        {"type": "BaseSilCuttingTransform", "img_w": 64, "cutting": 5, "divsor": 1.0},
        {"type": "RandomErasing", "prob": 0.3, "sl": 0.1, "per_frame": True},
        {"type": "RandomRotate", "prob": 0.3, "degree": 5},
        {"type": "RandomHorizontalFlip", "prob": 0.1},
    ]
    transform = [{"type": "Compose", "trf_cfg": chain}]
    recipe, notes = convert(
        tmp_path, trainer_cfg={"transform": transform}, evaluator_cfg={"transform": [{"type": "BaseSilTransform"}]}
    )
    assert recipe["transforms"] == [
        {"name": "RandomPerspective", "p": 0.2},
        {"name": "CutColumns", "columns": 5},
        {"name": "RandomErasing", "p": 0.3, "min_area": 0.1, "per_frame": True},
        {"name": "RandomRotate", "p": 0.3, "degree": 5},
        {"name": "RandomHorizontalFlip", "p": 0.1},
    ]
    assert recipe["evaluation"]["transforms"] == [{"name": "Scale"}]
    lost = [note.text for note in notes if note.kind == "not carried over"]
    assert lost == [
        "RandomPartBlur: Gaitway does not have it yet; the transform is left out",
        "BaseSilCuttingTransform.divsor = 1.0: Gaitway's CutColumns has no such option",
    ]
    assert "trainer_cfg.transform.img_w" in texts(notes, "dropped")


def test_a_transform_that_cuts_too_becomes_two(tmp_path: Path) -> None:
    transform = [{"type": "RandomRotateFlipTransform", "img_w": 64}]
    recipe, notes = convert(tmp_path, trainer_cfg={"transform": transform}, retrain={"search_network": [0]})
    assert notes[0].text.startswith("sposgait: ")
    assert recipe["transforms"] == [{"name": "CutColumns"}, {"name": "RotateFlip"}]
    assert "RandomRotateFlipTransform is CutColumns and RotateFlip here" in [note.text for note in notes]
    _, notes = convert(tmp_path, trainer_cfg={"transform": [{"type": "RandomRotateFlipTransform", "img_w": 44}]})
    assert "RandomRotateFlipTransform.img_w = 44: Gaitway's CutColumns and RotateFlip has no such option" in [
        note.text for note in notes if note.kind == "not carried over"
    ]


def test_losses(tmp_path: Path) -> None:
    edges = {"type": "BinaryCrossEntropyLoss", "log_prefix": "edges"}
    recipe, notes = convert(tmp_path, loss_cfg=[TRIPLET, {**SOFTMAX, "label_smooth": False}, edges])
    assert recipe["losses"].keys() == {"triplet"}
    assert "never computes it" in texts(notes, "dropped")["loss_cfg.softmax"]
    assert "Gaitway does not have it yet" in texts(notes, "not carried over")["loss_cfg.edges"]
    recipe = convert(tmp_path, model_cfg=baseline_cfg(), loss_cfg=[{**SOFTMAX, "label_smooth": False}])[0]
    expected = {"name": "CrossEntropyLoss", "scale": 16.0, "label_smoothing": 0.0, "weight": 0.1}
    assert recipe["losses"]["softmax"] == expected
    arcface = {"type": "ArcFaceLoss", "log_prefix": "arcface", "scale": 32, "loss_term_weight": 0.5}
    recipe = convert(tmp_path, model_cfg=baseline_cfg(), loss_cfg=[TRIPLET, arcface])[0]
    as_published = {"margin": 0.5, "monotonic": False, "scale": 32.0, "label_smoothing": 0.1}
    assert recipe["losses"]["arcface"] == {"name": "ArcFaceLoss", **as_published, "weight": 0.5}
    _, notes = convert(tmp_path, loss_cfg=[TRIPLET, arcface])
    assert "never computes it" in texts(notes, "dropped")["loss_cfg.arcface"]
    with pytest.raises(ValueError, match="none of the losses edges can be carried over"):
        convert(tmp_path, loss_cfg=[edges])


@pytest.mark.parametrize(
    ("published", "ours"), [("SupConLoss_Re", "SupConLoss"), ("SupConLoss_Lp", "SupConDistanceLoss")]
)
def test_a_weight_of_contrastive_losses_is_ignored(tmp_path: Path, published: str, ours: str) -> None:
    loss = {"type": published, "log_prefix": "supcon", "temperature": 0.07, "loss_term_weight": 3.0}
    recipe, notes = convert(tmp_path, loss_cfg=[loss])
    assert recipe["losses"] == {"supcon": {"name": ours, "temperature": 0.07, "weight": 1.0}}
    assert texts(notes, "dropped")["loss_cfg.supcon.loss_term_weight"].startswith(f"{published} has no such argument")


def test_the_old_spelling_of_a_weight_is_pointed_out(tmp_path: Path) -> None:
    """Today's code ignores `loss_term_weights`; release 1.0 trained the baseline with it."""
    old = {"type": "CrossEntropyLoss", "log_prefix": "softmax", "loss_term_weights": 0.1}
    recipe, notes = convert(tmp_path, model_cfg=baseline_cfg(), loss_cfg=[TRIPLET, old])
    assert recipe["losses"]["softmax"]["weight"] == 1.0
    text = texts(notes, "to fill in")["loss_cfg.softmax"]
    assert text.startswith("losses.softmax.weight: 1.0 as in today's code")
    assert text.endswith("December 2021 trained with 0.1")


def test_the_protocol(tmp_path: Path) -> None:
    def evaluation(dataset: str, **evaluator: Any) -> dict[str, Any]:
        data = {"test_dataset_name": dataset}
        found: dict[str, Any] = convert(tmp_path, data_cfg=data, evaluator_cfg=evaluator)[0]["evaluation"]
        return found

    assert evaluation("CASIA-B*", metric="cos")["protocol"] == "casia-b"
    assert evaluation("CASIA-B", metric="cos")["distance"] == "cosine"
    assert evaluation("OUMVLP", cross_view_gallery=True)["protocol"] == "oumvlp/cross-view"
    assert evaluation("Gait3D-Parsing", eval_func="evaluate_Gait3D")["protocol"] == "gait3d"
    assert evaluation("GREW", eval_func="evaluate_real_scene")["protocol"] == "grew/local"
    assert evaluation("TTG-200", eval_func="evaluate_real_scene")["protocol"] == "ttg-200"
    assert evaluation("0001-1000", eval_func="evaluate_real_scene")["protocol"] == "hid2021"
    assert evaluation("GREW", eval_func="GREW_submission")["protocol"] == "grew"
    assert evaluation("CCPG", eval_func="evaluate_CCPG")["protocol"] == "ccpg"
    assert "rerank" not in evaluation("HID", eval_func="HID_submission")
    assert evaluation("HID", eval_func="HID_submission", rerank=False)["rerank"] == []


def test_a_protocol_without_figures_is_not_evaluated_while_training(tmp_path: Path) -> None:
    trainer = {"with_test": True, "save_iter": 100}

    def converted(function: str) -> tuple[int, dict[str, str]]:
        sections = {"data_cfg": {"test_dataset_name": "GREW"}, "evaluator_cfg": {"eval_func": function}}
        recipe, notes = convert(tmp_path, trainer_cfg=trainer, **sections)
        return recipe["training"]["evaluate_every"], texts(notes, "different here")

    every, notes = converted("GREW_submission")
    assert every == 0
    assert "gives no figures" in notes["trainer_cfg.with_test"]
    every, notes = converted("evaluate_real_scene")
    assert every == 100
    assert "trainer_cfg.with_test" not in notes


def test_a_partition_that_does_not_ship(tmp_path: Path) -> None:
    recipe, notes = convert(tmp_path, data_cfg={"dataset_partition": "./mine/split.json"})
    assert recipe["data"]["partition"] == "./mine/split.json"
    assert (
        texts(notes, "to fill in")["data_cfg.dataset_partition"] == "data.partition: give the path of ./mine/split.json"
    )


def test_models_that_gaitway_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(
        UnknownModelError, match="published.yaml: Gaitway has no 'SwinGait' yet; it imports .*Baseline.*GaitSet"
    ):
        convert(tmp_path, model_cfg={"model": "SwinGait"})


def test_several_training_sets(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="several training sets"):
        convert(tmp_path, data_cfg=[{"dataset_name": "A"}, {"dataset_name": "B"}])


def test_a_section_that_lacks_something(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="published.yaml: expected a mapping with a type, found 'cut'"):
        convert(tmp_path, trainer_cfg={"transform": ["cut"]})
    with pytest.raises(ValueError, match="published.yaml: a section lacks or misspells something"):
        convert(tmp_path, trainer_cfg={"transform": []})
