from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from gaitway.interop.opengait_config import defaults, detect_dialect, effective, merge, parse, read_config


def configured(**sections: Any) -> dict[str, Any]:
    return merge(defaults("opengait"), {"model_cfg": {"model": "Baseline"}, **sections})


def write(folder: Path, values: Any) -> Path:
    path = folder / "config.yaml"
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return path


def test_numbers_are_numbers() -> None:
    found = parse("a: 1e-4\nb: 1.e-4\nc: 1.0e-4\nd: 5E+2\ne: -1e-4\nf: e4\ng: 2022\nh: 1e\n")
    assert found == {"a": 1e-4, "b": 1e-4, "c": 1e-4, "d": 500.0, "e": -1e-4, "f": "e4", "g": 2022, "h": "1e"}


def test_anchors_and_yaml_1_1_words() -> None:
    assert parse("a: &n 74\nb: *n\nc: yes\n") == {"a": 74, "b": 74, "c": True}


def test_a_tag_cannot_run_code(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not valid YAML: could not determine a constructor"):
        read_config(write(tmp_path, "model_cfg: !!python/object/apply:os.system ['false']"))


def test_mappings_merge_and_everything_else_replaces() -> None:
    merged = merge({"a": {"x": 1, "y": [1, 2]}, "b": {"x": 1}, "c": 1}, {"a": {"y": [3]}, "b": [4], "d": 5})
    assert merged == {"a": {"x": 1, "y": [3]}, "b": [4], "c": 1, "d": 5}


def test_a_mapping_of_a_loss_is_completed_and_a_list_is_not() -> None:
    (loss,) = effective(configured(loss_cfg={"margin": 0.3})).losses.values()
    assert loss.arguments == {"loss_term_weight": 1.0, "margin": 0.3}
    losses = effective(configured(loss_cfg=[{"type": "TripletLoss", "log_prefix": "hinge"}])).losses
    assert losses["hinge"].arguments == {}


def test_defaults_that_surprise() -> None:
    found = effective(configured(optimizer_cfg={"solver": "Adam", "lr": 1e-3}))
    assert found.optimizer.arguments == {"lr": 1e-3, "weight_decay": 0.0005}  # weight decay comes from the default
    assert found.optimizer.dropped == {"momentum": 0.9}
    one_cycle = configured(scheduler_cfg={"scheduler": "OneCycleLR", "max_lr": 0.01, "total_steps": 5})
    assert effective(one_cycle).scheduler.dropped == {"milestones": [20000, 40000, 60000], "gamma": 0.1}
    assert found.evaluation.name == "evaluate_indoor_dataset"
    assert [part.name for part in found.train_transforms + found.test_transforms] == ["BaseSilCuttingTransform"] * 2


def test_what_the_published_code_drops() -> None:
    supcon = {"type": "SupConLoss_Lp", "log_prefix": "supcon", "loss_term_weight": 3.0}
    sampler = {"sampler": {"batch_shuffle": True, "points_in_use": {}}}
    cut = {"type": "BaseSilCuttingTransform", "img_w": 128}
    found = effective(
        configured(
            loss_cfg=[supcon],
            evaluator_cfg={**sampler, "eval_func": "GREW_submission", "cross_view_gallery": True},
            trainer_cfg={"transform": [{"type": "Compose", "trf_cfg": [cut]}]},
        )
    )
    assert found.losses["supcon"].dropped == {"loss_term_weight": 3.0}
    assert found.test_sampler.dropped == {"batch_shuffle": True}
    assert "points_in_use" in found.test_frames
    assert found.evaluation.dropped == {"cross_view_gallery": True}
    assert found.train_transforms[0].dropped == {"img_w": 128}


def test_dialects_have_other_signatures_and_defaults() -> None:
    loss = {"type": "TripletLoss", "log_prefix": "triplet", "is_hard_loss": True}
    merged = configured(loss_cfg=[loss])
    assert effective(merged, "opengait").losses["triplet"].dropped == {"is_hard_loss": True}
    assert effective(merged, "fastposegait").losses["triplet"].arguments == {"is_hard_loss": True}
    cut = configured(trainer_cfg={"transform": [{"type": "BaseSilCuttingTransform", "img_w": 128}]})
    assert effective(cut, "sposgait").train_transforms[0].arguments == {"img_w": 128}
    assert defaults("fastposegait")["scheduler_cfg"]["scheduler"] == "OneCycleLR"
    assert defaults("fastposegait")["trainer_cfg"]["sync_BN"] is True
    assert defaults("sposgait")["evaluator_cfg"]["eval_func"] == "identification"


@pytest.mark.parametrize(
    ("path", "given", "dialect"),
    [
        ("config.yaml", {"model_cfg": {"model": "GaitSet"}}, "opengait"),
        ("FastPoseGait-main/configs/x.yaml", {"model_cfg": {"model": "GaitTR"}}, "fastposegait"),
        ("x.yaml", {"model_cfg": {"model": "GaitTR"}, "t": [{"type": "GaitTR_MultiInput"}]}, "fastposegait"),
        ("x.yaml", {"model_cfg": {"model": "gpgait"}}, "fastposegait"),
        ("x.yaml", {"model_cfg": {"model": "GaitGraph1"}, "t": [{"type": "SkeletonInput"}]}, "fastposegait"),
        ("x.yaml", {"model_cfg": {"model": "GaitGraph1"}, "t": [{"type": "GaitGraph1Input"}]}, "opengait"),
        ("x.yaml", {"model_cfg": {"model": "GaitTR"}, "t": [{"type": "SkeletonInput"}]}, "opengait"),
        ("x.yaml", {"model_cfg": {"model": "GaitGraph1"}, "s": {"type": "RandomTripletSampler"}}, "fastposegait"),
        ("x.yaml", {"model_cfg": {"model": "SPOSGait_small"}}, "sposgait"),
        ("x.yaml", {"model_cfg": {"model": "X"}, "data_cfg": {"num_train": 5}}, "sposgait"),
        ("x.yaml", {"model_cfg": {"model": "Dygait"}}, "dygait"),
        ("x.yaml", {"model_cfg": {"model": "HSTL_OU"}}, "hstl"),
    ],
)
def test_dialects_are_recognised(tmp_path: Path, path: str, given: dict[str, Any], dialect: str) -> None:
    assert detect_dialect(given, Path("/data") / path)[0] == dialect


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("a: [", "not valid YAML"),
        ("- 1", "no section model_cfg"),
        ({"model": {"name": "GaitSet"}}, "no section model_cfg .found: model.; Gaitway's own recipes need no import"),
        ({"model_cfg": "GaitSet"}, "section model_cfg must be a mapping, found 'GaitSet'"),
        ({"model_cfg": {}, "trainer_cfg": None}, "section trainer_cfg must be a mapping"),
    ],
)
def test_what_is_no_configuration(tmp_path: Path, values: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_config(write(tmp_path, values))


def test_classes_that_pytorch_lacks() -> None:
    with pytest.raises(ValueError, match=r"torch.optim has no 'Adan'"):
        effective(configured(optimizer_cfg={"solver": "Adan"}))
