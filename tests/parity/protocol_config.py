"""Published configurations: `config_merge`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from gaitway.interop.opengait_config import Part, defaults, effective, merge, parse
from tests.parity.case import Array, Case, Results


def _text(values: dict[str, Any]) -> Array:
    return np.array([json.dumps(values, sort_keys=True)])


def _with_weight(loss: Part) -> dict[str, Any]:
    arguments = dict(loss.arguments)
    return {"weight_in_force": float(arguments.pop("loss_term_weight", 1.0)), **arguments}


def run_config_merge(case: Case) -> Results:
    assert defaults("opengait") == case.hyperparameters["default"]
    merged = merge(defaults("opengait"), parse(case.hyperparameters["yaml"]))
    found = effective(merged)
    outputs = {
        "merged": _text(merged),
        "effective/optimizer": _text(found.optimizer.arguments),
        "effective/scheduler": _text(found.scheduler.arguments),
        "effective/trainer_cfg.sampler": _text(found.train_sampler.arguments),
        "effective/evaluator_cfg.sampler": _text(found.test_sampler.arguments),
        "effective/eval": _text(found.evaluation.arguments),
    }
    outputs |= {f"effective/loss.{name}": _text(_with_weight(loss)) for name, loss in found.losses.items()}
    return outputs, {}


RUNNERS = {"config_merge": run_config_merge}
