"""DyGait with every stage, in evaluation and training."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from gaitway.interop.checkpoints import to_ours
from gaitway.models.dygait import DyGait, published_names
from tests.parity import hstldygait_shared as shared
from tests.parity.case import Case, Results
from tests.parity.every_model import recorded, to_arrays


def run_eval(case: Case) -> Results:
    """The evaluation-mode forward with the outputs of all stages and the pooling."""
    model = imported(case)
    published = {"conv3d": "conv3d.0.conv3d.", "LTA": "LTA.0.conv3d."}
    steps_of = case.hyperparameters["map_slices"]
    stages = {name: position(model, published.get(name, f"{name}.conv1g.")) for name in steps_of}
    with recorded(model, {*stages.values(), "pooling"}) as calls:
        output, scalars = shared.embed(case, model)
    assert output.logits is not None
    outputs = {"embeddings": output.embeddings, "softmax/logits": output.logits}
    for name, stage in stages.items():
        x, _ = calls[stage][0][1]
        outputs[f"map/{name}"] = x[tuple(slice(None, None, step) for step in steps_of[name])]
    outputs["pooled/HPP"] = calls["pooling"][0][1].transpose(1, 2)
    return to_arrays(outputs), scalars


def position(model: DyGait, published: str) -> str:
    """The stage (`stages.<number>`) that holds a published tensor."""
    ours = to_ours(published, published_names(model))
    assert ours is not None, f"{published} is nothing of ours"
    return ".".join(ours.split(".")[:2])


def run_varlen(case: Case) -> Results:
    """Sequences of unequal length."""
    return shared.embed_lengths(case, imported(case))


def run_train(case: Case) -> Results:
    """A training-mode forward and three steps."""
    model = imported(case)
    names = published_names(model)

    def pick(tensors: Mapping[str, Tensor], name: str) -> Tensor:
        ours = to_ours(name, names)
        assert ours is not None, f"{name} is nothing of ours"
        return tensors[ours]

    return shared.train(case, model, pick)


def imported(case: Case) -> DyGait:
    settings = case.hyperparameters
    width = settings["channels"][-1]
    neck = {"class_num": settings["class_num"], "in_channels": width, "parts_num": settings["parts"]}
    model = shared.imported(case, {"model": "Dygait", "channels": settings["channels"], "SeparateBNNecks": neck})
    assert isinstance(model, DyGait)
    return model


RUNNERS = {"dygait_*_varlen": run_varlen, "dygait_*_train": run_train, "dygait_*": run_eval}
