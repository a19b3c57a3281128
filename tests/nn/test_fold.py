from __future__ import annotations

import pytest
import torch
from torch import nn

from gaitway.models import DeepGaitV2, GaitSet
from gaitway.nn import fold_batch_norm, has_foldable_batch_norm
from gaitway.nn.residual import MODES, Mode


@pytest.mark.parametrize("lengths", [None, torch.tensor([2, 3, 1])], ids=["dense", "ragged"])
@pytest.mark.parametrize("mode", MODES)
def test_folding_changes_embeddings_by_rounding_alone(mode: Mode, lengths: torch.Tensor | None) -> None:
    torch.manual_seed(0)
    model = DeepGaitV2(num_classes=3, mode=mode, layers=(1, 2, 1, 1), channels=(4, 6, 6, 8), embedding_dim=8)
    silhouettes = torch.rand(3, 2, 64, 44)
    model.train()(silhouettes)  # statistics that are not the ones of the start
    model = model.eval().double()
    silhouettes = silhouettes.double() if lengths is None else silhouettes.double().flatten(0, 1)
    folded = fold_batch_norm(model)
    kept = [name for name, layer in folded.named_modules() if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d))]
    assert kept == ["neck.bn"]
    assert not any(parameter.requires_grad for parameter in folded.parameters())
    with torch.no_grad():
        found, expected = folded(silhouettes, lengths).embeddings, model(silhouettes, lengths).embeddings
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules()), "the model itself stays as it is"


def test_a_model_without_batch_norm_after_a_convolution() -> None:
    model = GaitSet(channels=(2, 2, 2))
    assert not has_foldable_batch_norm(model)
    with pytest.raises(ValueError, match="GaitSet has no batch normalisation"):
        fold_batch_norm(model)
