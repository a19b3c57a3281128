from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gaitway.data.transforms import (
    CutColumns,
    CutParsing,
    RandomAffine,
    RandomErasing,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomRotate,
    Scale,
    Transform,
)
from gaitway.data.transforms.silhouette import erased_rectangles
from tests.parity.case import load_case, measure
from tests.parity.protocol_transforms import silhouette_basic

COUNTS = np.array([3, 1, 2])  # three sequences of unequal length
SEQUENCE = np.repeat(np.arange(3), COUNTS)
RANDOM = (RandomAffine, RandomErasing, RandomHorizontalFlip, RandomPerspective, RandomRotate)


def silhouettes(height: int = 64, width: int = 64) -> Tensor:
    """Frames of the three sequences, each with its own pixels."""
    return torch.rand(6, height, width, generator=torch.Generator().manual_seed(0))


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_silhouette_outputs_of_the_parity_case_are_met() -> None:
    case = load_case(Path(__file__).with_name("transform_silhouette_basic.json"))
    outputs = silhouette_basic(case)
    figures = [figure for figure in measure(case, outputs, {}) if figure.name in outputs]
    assert len(figures) == 10
    assert [str(figure) for figure in figures if figure.share > 1] == []


@pytest.mark.parametrize(("width", "kept"), [(44, 44), (63, 63), (64, 44), (88, 68), (128, 88), (200, 140)])
def test_default_cut_depends_on_the_width(width: int, kept: int) -> None:
    frames = torch.arange(width, dtype=torch.uint8).expand(2, 3, width)
    cut = CutColumns()(frames, np.array([2]), {})
    assert cut.shape == (2, 3, kept)
    assert cut.dtype == torch.float32
    assert torch.equal(cut[0, 0], torch.arange((width - kept) // 2, (width + kept) // 2) / 255)


def test_cut_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="cuts 22 columns on each side of frames that are 44 wide"):
        CutColumns(columns=22)(torch.zeros(1, 64, 44, dtype=torch.uint8), np.array([1]), {})


@pytest.mark.parametrize("transform", [CutColumns(), Scale()])
def test_scaling_twice_is_refused(transform: Transform) -> None:
    scaled = Scale()(torch.full((1, 64, 64), 255, dtype=torch.uint8), np.array([1]), {})
    assert (scaled == 1).all()
    with pytest.raises(ValueError, match="use only one of CutColumns and Scale"):
        transform(scaled, np.array([1]), {})


def test_flip_mirrors_all_frames_of_the_chosen_sequences() -> None:
    frames = silhouettes()
    flipped = RandomHorizontalFlip()(frames, COUNTS, {"fires": np.array([True, False, True])})
    for frame, number in enumerate(SEQUENCE):
        assert torch.equal(flipped[frame], frames[frame] if number == 1 else frames[frame].flip(-1))


@pytest.mark.parametrize("transform", [kind(p=0.3) for kind in RANDOM])
def test_random_transforms_fire_with_their_probability(transform: Transform) -> None:
    fires = transform.draw(np.ones(20_000, np.int64), generator())["fires"]
    assert fires.shape == (20_000,)
    assert abs(fires.mean() - 0.3) < 0.02


@pytest.mark.parametrize("transform", [kind(p=0) for kind in RANDOM])
def test_probability_0_leaves_frames_alone(transform: Transform) -> None:
    frames = silhouettes()
    assert torch.equal(transform(frames, COUNTS, transform.draw(COUNTS, generator())), frames)


@pytest.mark.parametrize("transform", [*(kind(p=1) for kind in RANDOM), RandomErasing(p=1, per_frame=True)])
def test_a_sequence_gets_the_same_alone_as_in_a_batch(transform: Transform) -> None:
    frames = silhouettes()
    draws = transform.draw(COUNTS, generator())
    together = transform(frames, COUNTS, draws)
    for number in range(3):
        mine = number == SEQUENCE
        own = {name: values[number : number + 1] for name, values in draws.items()}
        alone = transform(frames[mine], COUNTS[number : number + 1], own)
        assert torch.allclose(alone, together[mine], atol=1e-5)
        assert not torch.allclose(alone, frames[mine], atol=0.1)


@pytest.mark.parametrize("transform", [kind(p=1) for kind in RANDOM])
def test_transforms_do_not_write_into_their_input(transform: Transform) -> None:
    frames = silhouettes()
    before = frames.clone()
    transform(frames, COUNTS, transform.draw(COUNTS, generator()))
    assert torch.equal(frames, before)


def test_labels_of_parsing_are_kept_and_silhouettes_scaled() -> None:
    labels = torch.arange(12, dtype=torch.uint8).repeat(1, 64, 6)[..., :64]
    assert torch.equal(CutParsing()(labels, np.array([1]), {}), labels[..., 10:54].float())
    silhouette = torch.where(labels > 5, 255, 0).to(torch.uint8)
    assert torch.equal(CutParsing()(silhouette, np.array([1]), {}), CutColumns()(silhouette, np.array([1]), {}))
    with pytest.raises(ValueError, match="CutParsing cuts 40 columns"):
        CutParsing(columns=40)(labels, np.array([1]), {})


def test_frames_are_erased_by_themselves_where_asked_for() -> None:
    counts = np.array([200, 100])
    erasing = RandomErasing(p=0.4, per_frame=True)
    erased = erasing(torch.ones(300, 64, 44), counts, erasing.draw(counts, generator())) == 0
    hit = erased.any(dim=(1, 2))
    assert 0.3 < float(hit.float().mean()) < 0.5
    assert len({tuple(frame.nonzero()[0].tolist()) for frame in erased[hit]}) > 80


def test_erased_rectangle_is_the_same_in_all_frames_of_a_sequence() -> None:
    erasing = RandomErasing(p=1)
    erased = erasing(torch.ones(6, 64, 44), COUNTS, erasing.draw(COUNTS, generator())) == 0
    for number in range(3):
        of_sequence = erased[number == SEQUENCE]
        assert (of_sequence == of_sequence[0]).all()
        rows, columns = of_sequence[0].nonzero(as_tuple=True)
        height, width = int(rows.max() - rows.min() + 1), int(columns.max() - columns.min() + 1)
        assert int(of_sequence[0].sum()) == height * width  # a rectangle


def test_erased_area_and_place_are_as_asked_for() -> None:
    erasing = RandomErasing()
    draws = erasing.draw(np.ones(4_000, np.int64), generator())
    draws.pop("fires")
    top, left, tall, wide = erased_rectangles(**draws, height=64, width=44).T
    share = tall * wide / (64 * 44)
    aspect = tall / wide
    assert 0.04 < share.min() < 0.06
    assert 0.19 < share.max() < 0.22
    assert 0.25 < aspect.min() < 0.35
    assert 2.9 < aspect.max() < 3.7
    assert (top.min(), left.min()) == (0, 0)  # both ends are possible
    assert ((top + tall).max(), (left + wide).max()) == (64, 44)


def test_rectangle_that_never_fits_erases_nothing() -> None:
    area, aspect, half = np.full((1, 5), 0.9), np.full((1, 5), 3.0), np.full(1, 0.5)
    assert erased_rectangles(area, aspect, half, half, 64, 44).tolist() == [[0, 0, 0, 0]]
    frames = torch.ones(1, 64, 44)
    draws = {"fires": np.array([True]), "area": area, "aspect": aspect, "top": half, "left": half}
    assert torch.equal(RandomErasing()(frames, np.array([1]), draws), frames)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="RandomHorizontalFlip: p is 1.5, expected a probability"):
        RandomHorizontalFlip(p=1.5)
    with pytest.raises(ValueError, match="RandomErasing: areas 0.3 to 0.2"):
        RandomErasing(min_area=0.3)
    with pytest.raises(ValueError, match="CutColumns: columns is -1"):
        CutColumns(columns=-1)


def test_several_maps_of_a_frame_are_treated_as_each_alone() -> None:
    frames = torch.randint(256, (5, 2, 64, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    counts, random = np.array([2, 3]), np.random.default_rng(0)
    for transform in (CutColumns(), RandomHorizontalFlip(p=1), RandomErasing(p=1), RandomErasing(p=1, per_frame=True)):
        draws = transform.draw(counts, random)
        together = transform(frames, counts, draws)
        alone = [transform(frames[:, i], counts, draws) for i in range(2)]
        assert torch.equal(together, torch.stack(alone, 1))
        assert not torch.equal(together, frames)
