"""What is GaitGraph2's own; `test_all_models.py`, `test_direct.py` and `test_resgcn.py` cover the rest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from gaitway.data.transforms import GaitGraphStreams
from gaitway.models import GaitGraph2, gaitgraph2_casiab, gaitgraph2_grew, gaitgraph2_oumvlp
from gaitway.models.poses import as_joint_maps
from gaitway.skeletons import COCO17
from tests.models.examples import settle

LENGTHS = [7, 1, 4, 2]


def small(*, tta: bool = True) -> GaitGraph2:
    torch.manual_seed(0)
    model = GaitGraph2(branch_channels=(8, 4), channels=(8, 16), reduction=2, embedding_dim=6, tta=tta)
    settle(model)
    return model.double().eval()


def embed(model: GaitGraph2, poses: Tensor, lengths: Tensor | None = None) -> Tensor:
    with torch.no_grad():
        embeddings: Tensor = model(poses, lengths).embeddings
    return embeddings


def streams(sequences: list[Tensor]) -> Tensor:
    """Streams `(frames, v, 3, 5)` of sequences `(t, v, 3)`, as the data transform makes them."""
    counts = np.array([len(sequence) for sequence in sequences])
    return GaitGraphStreams()(torch.cat(sequences), counts, {})


def dense(poses: Tensor) -> Tensor:
    """Streams `(n, t, v, 3, 5)` of sequences of one length."""
    return torch.unflatten(streams(list(poses)), 0, poses.shape[:2])


def poses_of(n: int, t: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return 100 * torch.rand(n, t, 17, 3, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(
    ("build", "parameters", "num_joints"),
    [(gaitgraph2_casiab, 350_822, 17), (gaitgraph2_grew, 763_178, 17), (gaitgraph2_oumvlp, 765_278, 18)],
)
def test_published_sizes(build: Callable[[], GaitGraph2], parameters: int, num_joints: int) -> None:
    model = build().eval()
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert model.frame_shape == (num_joints, 3, 5)
    poses = torch.rand(2, 5, num_joints, 3, 5)
    assert embed(model, poses).shape == (2, 1, 384)
    model.tta = False
    assert embed(model, poses).shape == (2, 1, 128)


def test_evaluation_embeds_three_views_beside_each_other() -> None:
    """Of sequences of unequal length, very short ones among them, each reversed at its own end."""
    sequences = list(torch.split(poses_of(1, sum(LENGTHS))[0], LENGTHS))
    lengths, one_way = torch.tensor(LENGTHS), small(tta=False)
    swapped = [sequence[:, list(COCO17.mirrored)] for sequence in sequences]
    views = (sequences, [sequence.flip(0) for sequence in sequences], swapped)
    expected = torch.cat([embed(one_way, streams(view), lengths) for view in views], 2)
    found = embed(small(), streams(sequences), lengths)
    torch.testing.assert_close(found, expected)
    assert len({tuple(piece.flatten().tolist()) for piece in found.chunk(3, 2)}) == 3
    for i, sequence in enumerate(sequences):
        torch.testing.assert_close(embed(small(), streams([sequence]).unsqueeze(0))[0], found[i])


def test_the_views_are_bitwise_those_of_the_data_transform() -> None:
    """In float32, as poses come."""
    sequences = list(torch.split(poses_of(1, sum(LENGTHS))[0].float(), LENGTHS))
    maps, clips = as_joint_maps(streams(sequences), torch.tensor(LENGTHS), joints=17, features=(3, 5))
    found = torch.unflatten(clips.repeated(2).rows(small().other_views(maps, clips)), 2, (3, 5))
    reversals = [sequence.flip(0) for sequence in sequences]
    swapped = [sequence[:, list(COCO17.mirrored)] for sequence in sequences]
    assert torch.equal(found, torch.cat((streams(reversals), streams(swapped))))


def test_the_exchanged_view_is_no_mirror_image() -> None:
    poses = poses_of(2, 6)
    exchanged = embed(small(), dense(poses))[..., 12:]
    mirrored = poses[:, :, list(COCO17.mirrored)].clone()
    mirrored[..., 0] = 100 - mirrored[..., 0]
    assert not torch.allclose(exchanged, embed(small(tta=False), dense(mirrored)))


def test_training_embeds_the_sequence_alone() -> None:
    poses = dense(poses_of(4, 6))
    model = small().train()
    embeddings = model(poses).embeddings
    assert embeddings.shape == (4, 1, 6)
    assert not torch.allclose(embeddings.norm(dim=2), torch.ones(4, 1, dtype=torch.float64)), "the loss normalises"


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="no skeleton 'alphapose'; known are coco12, coco17, openpose18"):
        GaitGraph2(skeleton="alphapose")
    with pytest.raises(ValueError, match=r"poses of shape \(2, 5, 17, 3\), expected \(n, t, 17, 3, 5\)"):
        small()(torch.rand(2, 5, 17, 3))
