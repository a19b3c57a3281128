from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gaitway.nn import TimeAxis

LENGTHS = (3, 1, 5)


def random_maps(dtype: torch.dtype, *, channels_last: bool, num: int = sum(LENGTHS)) -> Tensor:
    maps = torch.randn(num, 4, 6, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    return maps.contiguous(memory_format=torch.channels_last) if channels_last else maps


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("training", [False, True])
def test_ragged_reductions_equal_a_loop_over_sequences(dtype: torch.dtype, channels_last: bool, training: bool) -> None:
    x = random_maps(dtype, channels_last=channels_last).requires_grad_(training)
    time = TimeAxis(x, torch.tensor(LENGTHS))
    parts = torch.split(x, list(LENGTHS))
    assert torch.equal(time.max(x), torch.stack([part.amax(0) for part in parts]))
    tolerance = 2**-7 if dtype == torch.bfloat16 else 1e-6
    torch.testing.assert_close(
        time.mean(x), torch.stack([part.mean(0) for part in parts]), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_dense_reductions_equal_a_loop_over_sequences(channels_last: bool, training: bool) -> None:
    x = random_maps(torch.float32, channels_last=channels_last, num=12).requires_grad_(training)
    time = TimeAxis(torch.zeros(3, 4, 1), None)
    assert torch.equal(time.max(x), torch.stack([part.amax(0) for part in torch.split(x, 4)]))
    torch.testing.assert_close(time.mean(x), torch.stack([part.mean(0) for part in torch.split(x, 4)]))


def test_channels_last_maps_stay_channels_last() -> None:
    x = random_maps(torch.float32, channels_last=True)
    for time in (TimeAxis(x, torch.tensor(LENGTHS)), TimeAxis(torch.zeros(3, 3, 1), None)):
        assert time.max(x).is_contiguous(memory_format=torch.channels_last)
        assert time.mean(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("how", ["max", "mean"])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("channels_last", [False, True])
def test_gradients(how: str, lengths: tuple[int, ...] | None, channels_last: bool) -> None:
    x = random_maps(torch.float64, channels_last=channels_last)[:, :2, :2, :2].requires_grad_()
    time = TimeAxis(x, torch.tensor(lengths)) if lengths else TimeAxis(torch.zeros(3, 3, 1), None)
    assert torch.autograd.gradcheck(getattr(time, how), x)


@pytest.mark.parametrize("lengths", [None, torch.tensor([2, 4])])
def test_the_gradient_of_a_maximum_is_neither_lost_nor_doubled_by_ties(lengths: Tensor | None) -> None:
    x = torch.zeros(6, 3, requires_grad=True)
    time = TimeAxis(torch.zeros(2, 3) if lengths is None else x, lengths)
    (grad,) = torch.autograd.grad(time.max(x).sum(), x)
    split = [2, 4] if lengths is not None else [3, 3]
    torch.testing.assert_close(torch.stack([part.sum(0) for part in torch.split(grad, split)]), torch.ones(2, 3))


def test_folding_keeps_the_order_of_frames() -> None:
    frames = torch.arange(6).view(2, 3, 1)
    assert TimeAxis(frames, None).folded.flatten().tolist() == list(range(6))
    assert TimeAxis(frames.flatten(0, 1), torch.tensor([2, 4])).folded.flatten().tolist() == list(range(6))


@pytest.mark.parametrize("lengths", [[3, 3], [3, 5], [-1, 8], [7, 0]])
def test_lengths_that_do_not_fit_are_refused(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match=rf"add up to {sum(lengths)} .* 7 frames"):
        TimeAxis(torch.zeros(7, 2, 2), torch.tensor(lengths))


def test_sequences_without_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="0 frames"):
        TimeAxis(torch.zeros(2, 0, 4, 4), None)


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["dense", "ragged"])
def test_a_convolution_of_clips_sees_one_sequence_at_a_time(lengths: tuple[int, ...] | None) -> None:
    x = random_maps(torch.float64, channels_last=True)
    time = TimeAxis(x, torch.tensor(lengths)) if lengths else TimeAxis(torch.zeros(3, 3, 1), None)
    kernel = torch.randn(7, 4, 3, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = time.together(F.conv3d(time.apart(x), kernel, padding=1))
    parts = torch.split(x, list(lengths or (3, 3, 3)))
    alone = [F.conv3d(part.transpose(0, 1), kernel, padding=1).transpose(0, 1) for part in parts]
    torch.testing.assert_close(found, torch.cat(alone))
    assert torch.equal(time.together(time.apart(x)), x)
    assert time.apart(x).is_contiguous(memory_format=torch.channels_last_3d)
    assert time.together(time.apart(x)).is_contiguous(memory_format=torch.channels_last)
