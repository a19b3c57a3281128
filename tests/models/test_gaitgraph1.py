"""What is GaitGraph1's own; `test_all_models.py`, `test_direct.py` and `test_resgcn.py` cover the rest."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gaitway.models import GaitGraph1, gaitgraph1_casiab, gaitgraph1_grew, gaitgraph1_oumvlp
from tests.models.examples import settle

LENGTHS = [7, 1, 4]


def small(*, tta: bool = True) -> GaitGraph1:
    torch.manual_seed(0)
    model = GaitGraph1(branch_channels=(8, 4), channels=(8, 16), reduction=2, embedding_dim=6, tta=tta)
    settle(model)
    return model.double().eval()


def embed(model: GaitGraph1, poses: Tensor, lengths: Tensor | None = None) -> Tensor:
    with torch.no_grad():
        embeddings: Tensor = model(poses, lengths).embeddings
    return embeddings


def poses_of(n: int, t: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return 100 * torch.rand(n, t, 17, 3, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(
    ("build", "parameters", "num_joints", "width"),
    [
        (gaitgraph1_casiab, 319_530, 17, 128),
        (gaitgraph1_grew, 352_426, 17, 256),
        (gaitgraph1_oumvlp, 353_406, 18, 256),
    ],
)
def test_published_sizes(build: Callable[[], GaitGraph1], parameters: int, num_joints: int, width: int) -> None:
    model = build().eval()
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert model.frame_shape == (num_joints, 3)
    assert embed(model, torch.rand(2, 5, num_joints, 3)).shape == (2, 1, width)


def test_evaluation_embeds_the_mean_of_a_sequence_and_its_reversal() -> None:
    poses = poses_of(3, 7)
    one_way = small(tta=False)
    forth, back = embed(one_way, poses), embed(one_way, poses.flip(1))
    for embeddings in (forth, back):
        torch.testing.assert_close(embeddings.norm(dim=2), torch.ones(3, 1, dtype=torch.float64))
    both = embed(small(), poses)
    torch.testing.assert_close(both, (forth + back) / 2)
    assert (both.norm(dim=2) < 0.9999).all(), "a mean of two directions, not normalised again"
    torch.testing.assert_close(embed(small(), poses.flip(1)), both)


def test_each_sequence_is_reversed_at_its_own_end() -> None:
    model, sequences = small(), torch.split(poses_of(1, sum(LENGTHS))[0], LENGTHS)
    together = embed(model, torch.cat(sequences), torch.tensor(LENGTHS))
    for found, sequence in zip(together, sequences, strict=True):
        torch.testing.assert_close(found, embed(model, sequence.unsqueeze(0))[0])
    backwards = torch.cat([sequence.flip(0) for sequence in sequences])
    torch.testing.assert_close(embed(model, backwards, torch.tensor(LENGTHS)), together)


def test_training_embeds_every_view_once() -> None:
    model, views = small().train(), poses_of(8, 5)
    embeddings = model(views).embeddings
    assert embeddings.shape == (8, 1, 6)
    torch.testing.assert_close(embeddings.norm(dim=2), torch.ones(8, 1, dtype=torch.float64))
    assert not torch.allclose(model(views.flip(1)).embeddings, embeddings), "no mean of both directions"


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="no skeleton 'coco'; known are coco12, coco17, openpose18"):
        GaitGraph1(skeleton="coco")
    with pytest.raises(ValueError, match=r"poses of shape \(2, 5, 18, 3\), expected \(n, t, 17, 3\)"):
        small()(torch.rand(2, 5, 18, 3))
    with pytest.raises(ValueError, match="lengths add up to 4 with a shortest of 1, but there are 5 frames"):
        small()(torch.rand(5, 17, 3), torch.tensor([3, 1]))
