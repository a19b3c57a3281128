"""The direct forms, against which the speed of our models is measured, give the numbers of the cases as well."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from benchmarks.direct import DIRECT
from tests.parity import every_model, fastposegait_gaitheat, fastposegait_models, hstldygait_dygait, hstldygait_hstl
from tests.parity.case import Case, load_case, measure
from tests.parity.every_model import frames_and_lengths
from tests.parity.running import find_cases

CASES = [
    path
    for path in find_cases(Path(__file__).parent / "cases")
    if path.stem.endswith(("_eval", "_eval_single"))
    and not path.stem.startswith(("baseline", "block", "gaitbase_hid"))
    and path.parent.name != "sposgait"  # plain convolutions: there is no other form to write out
]


def model_of(case: Case) -> nn.Module:
    own = {"hstl": hstldygait_hstl.imported, "dygait": hstldygait_dygait.imported}
    return own.get(case.name.partition("_")[0], every_model.imported)(case)


def dense(case: Case) -> tuple[Tensor, ...]:
    """Frames of sequences of one length, as the model gets them, of each modality."""
    if case.name.startswith("gaitheat"):
        return fastposegait_gaitheat.dense(case)
    if case.family == "fastposegait":
        chain, _ = fastposegait_models.published_chain(case)
        poses = fastposegait_models.dense(chain, case.inputs["poses"])
        return (poses.double() if case.float64 else poses,)
    silhouettes, lengths = frames_and_lengths(case)
    if lengths is None:
        return (silhouettes,)
    assert len(lengths) == 1
    return (silhouettes.unsqueeze(0),)


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_the_direct_form_meets_the_case(path: Path) -> None:
    case = load_case(path)
    model = model_of(case)
    with torch.no_grad():
        embeddings = DIRECT[type(model).__name__](model, *dense(case)).embeddings
    published = embeddings if case.family == "hstl-dygait" else embeddings.transpose(1, 2)
    figures = measure(case, {"embeddings": published.numpy()}, {})
    (figure,) = [figure for figure in figures if figure.name == "embeddings"]
    assert figure.share <= 1, str(figure)


def test_every_direct_form_is_checked() -> None:
    called = {"GPGaitPlusPlus": "gpgaitpp"}
    assert {path.stem.partition("_")[0] for path in CASES} == {called.get(name, name.lower()) for name in DIRECT}
