"""HSTL with every stage and pooling, in evaluation and training."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn

from gaitway.interop.checkpoints import to_ours
from gaitway.interop.published.hstl import PIECE
from gaitway.models.hstl import HSTL, published_names
from tests.parity import hstldygait_shared as shared
from tests.parity.case import Case, Results
from tests.parity.every_model import recorded, to_arrays

NAMES = {"config/hstl.yaml": "HSTL", "config/hstl_oumvlp.yaml": "HSTL_OU", "config/hstl_gait3d.yaml": "HSTL_Gait3D"}
"""Published configuration → the model that it names."""


def run_eval(case: Case) -> Results:
    """The evaluation-mode forward with the outputs of all stages and poolings."""
    model = imported(case)
    levels = [f"levels.{i}" for i in range(len(model.levels))]
    poolings = [f"poolings.{i}" for i in range(len(model.poolings))]
    with recorded(model, {*levels, "aggregation", *poolings}) as calls:
        output, scalars = shared.embed(case, model)
    assert output.logits is not None
    outputs = {"embeddings": output.embeddings, "softmax/logits": output.logits}
    ((_, aggregated),) = calls["aggregation"]
    stages: dict[str, Tensor] = {"fta": aggregated} | {
        f"arme{number}": calls[level][0][1] for number, level in enumerate(levels, 1)
    }
    for stage, steps in case.hyperparameters["map_slices"].items():
        outputs[f"map/{stage}"] = stages[stage][tuple(slice(None, None, step) for step in steps)]
    names = ["astp1", "astp2", "astp2_fta", *(f"astp{number}" for number in range(3, len(levels) + 1)), "HPP"]
    for name, pooling in zip(names, poolings, strict=True):
        outputs[f"pooled/{name}"] = calls[pooling][0][1].transpose(1, 2)
    return to_arrays(outputs), scalars


def run_varlen(case: Case) -> Results:
    """Sequences of unequal length."""
    return shared.embed_lengths(case, imported(case))


def run_train(case: Case) -> Results:
    """A training-mode forward and three steps."""
    model = imported(case)
    names = published_names(model)

    def pick(tensors: Mapping[str, Tensor], name: str) -> Tensor:
        stacked = PIECE.fullmatch(name) is not None
        ours = to_ours(re.sub(r"\.\d+", ".*", name) if stacked else name, names)
        assert ours is not None, f"{name} is nothing of ours"
        numbers = tuple(map(int, re.findall(r"\.(\d+)", name))) if stacked else ()
        return tensors[ours][numbers]

    return shared.train(case, model, pick)


def imported(case: Case) -> HSTL:
    settings = case.hyperparameters
    model_cfg = {
        "model": NAMES[settings["config"]],
        "channels": settings["channels"],
        "class_num": settings["class_num"],
    }
    model: nn.Module = shared.imported(case, model_cfg)
    assert isinstance(model, HSTL)
    return model


RUNNERS = {"hstl_*_varlen": run_varlen, "hstl_*_train": run_train, "hstl_*": run_eval}
