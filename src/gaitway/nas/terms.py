"""What makes a search this one and no other, and a path's figures what they are: plain values by section."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gaitway.data.store import Store
from gaitway.nas.evolution import EvolutionSettings
from gaitway.nas.judging import Jury
from gaitway.nas.space import Constraints, Space
from gaitway.nas.strategies import Strategy
from gaitway.training.checkpoint import WEIGHTS
from gaitway.training.recipe import Evaluation

JUDGED = ("search space", "supernet", "data set", "judging")
"""The sections that a path's figures depend on: two searches that agree in these share their figures."""


def search_terms(
    *,
    space: Space,
    checkpoint: Path,
    store: Store,
    jury: Jury,
    evaluation: Evaluation,
    num_batches: int,
    objectives: Sequence[str],
    constraints: Constraints,
    strategy: Strategy,
    settings: EvolutionSettings,
) -> dict[str, Any]:
    """The terms of a search; the number of generations is none, so that a search can be given more of them.

    Args:
        space: Of the supernet.
        checkpoint: The supernet's.
        store: The data set.
        jury: By whom paths are judged.
        evaluation: How.
        num_batches: Of a path's recalibration.
        objectives: What it aims for.
        constraints: Which paths are searched.
        strategy: How paths are chosen.
        settings: Likewise.
    """
    chosen_by = asdict(settings)
    del chosen_by["generations"]
    with (checkpoint / WEIGHTS).open("rb") as file:
        weights = hashlib.file_digest(file, "sha256").hexdigest()
    terms = {
        "search space": space.as_dict(),
        "supernet": {"weights": weights},
        "data set": {"name": store.manifest.dataset, **store.manifest.checksums},
        "judging": {
            "by": f"{jury.num_subjects} {jury.who}",
            "sequences": f"{len(jury.rows)} ({digest([store.index[int(row)].name for row in jury.rows])[:16]})",
            "protocol": jury.protocol.name,
            "distance": evaluation.distance,
            "precision": evaluation.precision,
            "max_frames": evaluation.max_frames,
            "transforms": list(evaluation.transforms),
            "recalibration batches": num_batches,
        },
        "aim": {"objectives": list(objectives), "constraints": str(constraints)},
        "strategy": {"name": strategy, **chosen_by},
    }
    plain: dict[str, Any] = json.loads(json.dumps(terms))
    return plain


def check_terms(kept: Mapping[str, Any], wanted: Mapping[str, Any], name: str) -> None:
    """Make sure that a study holds the search that is wanted.

    Raises:
        ValueError: when it holds another; says in what they differ.
    """
    for section, ours in wanted.items():
        theirs = kept.get(section, {})
        differing = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
        if differing:
            before, now = (", ".join(f"{key} {side.get(key)}" for key in differing) for side in (theirs, ours))
            raise ValueError(
                f"search {name} differs in its {section}: it was begun with {before}, asked for is {now}. Go on with "
                "it by the command that began it, or begin another by --study NAME"
            )


def digest(values: Any) -> str:
    """SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
