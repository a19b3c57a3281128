from __future__ import annotations

import numpy as np
import pytest
import torch

from gaitway.data.transforms import TRANSFORMS, Chain, CutColumns, RandomHorizontalFlip, RandomRotate, chains


def test_transforms_are_applied_in_their_order() -> None:
    chain = Chain([CutColumns(columns=2), RandomHorizontalFlip(p=1)])
    frames = torch.arange(8, dtype=torch.uint8).expand(3, 4, 8)
    counts = np.array([1, 2])
    found, after = chain(frames, counts, chain.draw(counts, np.random.default_rng(0)))
    assert after.tolist() == [1, 2]
    assert torch.equal(found[0, 0], torch.tensor([5, 4, 3, 2]) / 255)


def test_processes_draw_the_same_and_keep_their_share() -> None:
    chain = Chain([RandomHorizontalFlip(), RandomRotate()])
    counts = np.full(6, 5)
    (flips, turns) = chain.draw(counts, np.random.default_rng(3))
    for rank in range(2):
        own_flips, own_turns = chain.draw(counts, np.random.default_rng(3), rank=rank, world_size=2)
        assert own_flips["fires"].tolist() == flips["fires"][rank::2].tolist()
        assert own_turns["angle"].tolist() == turns["angle"][rank::2].tolist()


def test_a_bare_list_is_for_the_only_modality() -> None:
    cut = CutColumns()
    assert chains([cut], ["silhouettes"])["silhouettes"].transforms == (cut,)
    by_modality = chains({"silhouettes": [cut]}, ["poses", "silhouettes"])
    assert list(by_modality) == ["poses", "silhouettes"]
    assert by_modality["poses"].transforms == ()
    with pytest.raises(ValueError, match="one list of transforms for 2 modalities"):
        chains([cut], ["poses", "silhouettes"])
    with pytest.raises(ValueError, match="transforms for parsing, but the model takes silhouettes"):
        chains({"parsing": [cut]}, ["silhouettes"])


def test_registry_knows_transforms_by_name() -> None:
    assert {"CutColumns", "RandomErasing", "RandomPerspective", "Scale"} <= set(TRANSFORMS)
    assert TRANSFORMS["CutColumns"] is CutColumns
