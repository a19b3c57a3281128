"""GaitHeat: what is its own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from gaitway.models import GaitHeat, gaitheat_casiab
from gaitway.models.gaitheat import aligned
from tests.models.examples import example

SMALL: dict[str, Any] = {"num_classes": 3, "channels": (4, 6, 6, 8), "embedding_dim": 8}


def small() -> GaitHeat:
    torch.manual_seed(0)
    return GaitHeat(**SMALL)


def test_parameters_as_configured() -> None:
    with torch.device("meta"):
        model = gaitheat_casiab()
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    assert round(sum(sizes.values()) / 1e6, 3) == 16.945
    assert round(sum(size for name, size in sizes.items() if ".classifier." in name) / 1e6, 3) == 0.909


def test_every_branch_has_embeddings_and_logits_in_training() -> None:
    model = small().train()
    output = model(*example(model, 3, 2))
    for name in ("part", "global", "fusion", "embeddings"):
        assert output[name].shape == (3, 16, 8)
    for name in ("part_logits", "global_logits", "logits"):
        assert output[name].shape == (3, 16, 3)
    torch.testing.assert_close(output.embeddings.norm(dim=2), torch.ones(3, 16))
    features, _ = model.necks["fusion"](output["fusion"])
    assert torch.equal(output.embeddings, features)
    assert not model.eval()(*example(model, 3, 2)).features


def test_the_whole_is_the_maximum_of_all_maps_and_the_parts_are_the_first_two() -> None:
    model = small().eval()
    maps, matrices = example(model, 1, 2)
    more = torch.cat((maps, torch.rand(1, 2, 1, 64, 48)), 2)
    given = {name: model(x, matrices, logits=True) for name, x in (("two", maps), ("three", more))}
    assert torch.equal(given["two"]["part"], given["three"]["part"])
    assert not torch.allclose(given["two"]["global"], given["three"]["global"])
    swapped = model(maps.flip(2), matrices, logits=True)
    torch.testing.assert_close(swapped["part"], given["two"]["part"])
    torch.testing.assert_close(swapped.embeddings, given["two"].embeddings)


def test_the_identity_leaves_the_maps_and_a_shift_repeats_the_border() -> None:
    maps = torch.rand(2, 3, 64, 48)
    identity = torch.eye(2, 3).expand(2, 2, 2, 3)
    torch.testing.assert_close(aligned(maps, identity), maps)
    left = identity.clone()
    left[:, 1, 0, 2] = 2 * 5 / 48  # five pixels
    found = aligned(maps, left)
    torch.testing.assert_close(found[..., :-5], maps[..., 5:], rtol=0, atol=1e-4)
    torch.testing.assert_close(found[..., -5:], maps[..., -1:].expand(2, 3, 64, 5), rtol=0, atol=1e-4)


def test_places_are_exact_under_autocast() -> None:
    maps = torch.rand(2, 2, 64, 48)
    matrices = torch.eye(2, 3) + 0.05 * torch.randn(2, 2, 2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        found = aligned(maps, matrices)
    assert torch.equal(found, aligned(maps, matrices))


@pytest.mark.parametrize(
    ("heatmaps", "matrices"),
    [
        (torch.rand(2, 3, 1, 64, 48), torch.rand(2, 3, 2, 2, 3)),
        (torch.rand(2, 3, 64, 48), torch.rand(2, 3, 2, 2, 3)),
        (torch.rand(2, 3, 2, 64, 48), torch.rand(2, 3, 17, 3)),
        (torch.rand(2, 3, 2, 64, 48), torch.rand(2, 4, 2, 2, 3)),
    ],
)
def test_other_frames_are_refused(heatmaps: Tensor, matrices: Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected \(n, t, c, h, w\) of at least two maps c and \(n, t, 2, 2, 3\)"):
        small()(heatmaps, matrices)


def test_maps_of_whole_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="floats in"):
        small()(torch.zeros(1, 1, 2, 64, 48, dtype=torch.uint8), torch.rand(1, 1, 2, 2, 3))
