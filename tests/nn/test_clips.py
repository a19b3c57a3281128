from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gaitway.nn import Clips, side_by_side

LENGTHS = [3, 5, 1]
Reduce = Callable[[Clips, Tensor], Tensor]


def clips() -> Clips:
    return Clips(5, torch.tensor(LENGTHS))


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last_3d)


def as_strips(x: Tensor) -> Tensor:
    """`(n, c, t, h, w)` to `(n, c, t, num, rows, w)`, in memory strip by strip and with channels last."""
    strips = torch.unflatten(x, 3, (2, -1)).permute(0, 3, 2, 4, 5, 1).contiguous()
    return strips.permute(0, 5, 2, 1, 3, 4)


def test_what_lies_beyond_a_sequence_is_set() -> None:
    x = torch.randn(3, 2, 5, 4, 4, requires_grad=True)
    for value, filled in ((0.0, clips().clear(x)), (7.0, clips().fill(x, 7.0))):
        for i, length in enumerate(LENGTHS):
            assert torch.equal(filled[i, :, :length], x[i, :, :length])
            assert (filled[i, :, length:] == value).all()
    (gradient,) = torch.autograd.grad(clips().clear(x).sum(), x)
    assert torch.equal(gradient, clips().clear(torch.ones_like(x)))


def test_clearing_also_stops_what_is_not_finite() -> None:
    x = torch.full((3, 1, 5), torch.nan)
    assert torch.equal(clips().clear(x)[2, 0, 1:], torch.zeros(4))


def test_clearing_keeps_the_order_in_memory() -> None:
    x = channels_last(torch.randn(3, 2, 5, 4, 4))
    assert clips().clear(x).stride() == x.stride()


def test_with_equal_lengths_nothing_is_done() -> None:
    x = torch.randn(3, 2, 5, 4)
    assert Clips(5).clear(x) is x


@pytest.mark.parametrize("layout", [torch.Tensor.contiguous, channels_last, as_strips])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_maximum_equals_a_loop_over_sequences(
    layout: Callable[[Tensor], Tensor], training: bool, lengths: list[int] | None
) -> None:
    x = layout(torch.randn(3, 2, 5, 4, 3)).requires_grad_(training)
    time = Clips(5) if lengths is None else clips()
    found = time.max(x)
    expected = torch.stack([x[i, :, :length].amax(1) for i, length in enumerate(lengths or [5] * 3)])
    assert torch.equal(found, expected)
    if training:
        weights = torch.randn_like(found)
        (gradient,) = torch.autograd.grad(found, x, weights)
        (wanted,) = torch.autograd.grad(expected, x, weights)
        assert torch.equal(gradient, wanted)


@pytest.mark.parametrize("layout", [torch.Tensor.contiguous, channels_last])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_mean_equals_a_loop_over_sequences(layout: Callable[[Tensor], Tensor], lengths: list[int] | None) -> None:
    x = layout(torch.randn(3, 2, 5, 4, 3)).requires_grad_()
    time = Clips(5) if lengths is None else clips()
    found = time.mean(x)
    expected = torch.stack([x[i, :, :length].mean(1, keepdim=True) for i, length in enumerate(lengths or [5] * 3)])
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(found)
    gradient, wanted = (torch.autograd.grad(y, x, weights)[0] for y in (found, expected))
    torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize("reduce", [Clips.max, Clips.mean])
def test_reductions_take_any_number_of_axes(reduce: Reduce) -> None:
    x = torch.randn(3, 2, 5)
    deep = reduce(clips(), x[..., None, None].expand(-1, -1, -1, 4, 3))
    torch.testing.assert_close(deep, reduce(clips(), x)[..., None, None].expand_as(deep))


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_layers_of_single_frames_see_every_frame_once_and_no_other(lengths: list[int] | None) -> None:
    x = torch.randn(3, 2, 5, 4, 3, requires_grad=True)
    time = Clips(5) if lengths is None else clips()
    norm = nn.BatchNorm2d(2)
    found = time.frame_wise(norm, x)
    frames = torch.cat([x[i, :, :length].transpose(0, 1) for i, length in enumerate(lengths or [5] * 3)])
    expected = nn.BatchNorm2d(2)(frames)
    for i, normed in enumerate(torch.split(expected, lengths or [5] * 3)):
        torch.testing.assert_close(found[i, :, : len(normed)].transpose(0, 1), normed)
        assert not found[i, :, len(normed) :].any()
    torch.testing.assert_close(norm.running_mean, frames.mean((0, 2, 3)) * 0.1)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_rows_are_the_frames_of_all_sequences_and_maps_are_made_of_them(lengths: list[int] | None) -> None:
    x = torch.randn(3, 2, 5, 4).contiguous(memory_format=torch.channels_last).requires_grad_()
    time = Clips(5) if lengths is None else clips()
    rows = time.rows(x)
    frames = [x[i, :, :length].permute(1, 2, 0) for i, length in enumerate(lengths or [5] * 3)]  # (length, 4, c)
    assert torch.equal(rows, torch.cat(frames))
    maps = time.maps(rows)
    assert torch.equal(maps, time.clear(x))
    assert maps.stride() == x.stride()
    (gradient,) = torch.autograd.grad(maps.sum(), x)
    assert torch.equal(gradient, time.clear(torch.ones_like(x)))


def test_rows_of_sequences_of_equal_length_are_a_view() -> None:
    x = torch.randn(3, 2, 5, 4).contiguous(memory_format=torch.channels_last)
    assert Clips(5).rows(x).data_ptr() == x.data_ptr()


def test_shortened_clips_lose_the_rest() -> None:
    shorter = Clips(11, torch.tensor([3, 11, 5])).shortened(3)
    assert shorter.num_frames == 3
    assert shorter.lengths is not None
    assert shorter.lengths.tolist() == [1, 3, 1]
    x = torch.arange(1.0, 10).reshape(3, 1, 3)
    assert shorter.clear(x).tolist() == [[[1, 0, 0]], [[4, 5, 6]], [[7, 0, 0]]]
    dense = Clips(11).shortened(3)
    assert (dense.num_frames, dense.lengths) == (3, None)


@pytest.mark.parametrize("num_frames", [1, 2, 5, 8])
def test_strided_clips_are_as_long_as_a_strided_convolution_makes_them(num_frames: int) -> None:
    lengths = list(range(1, num_frames + 1))
    convolution = nn.Conv1d(1, 1, 9, stride=2, padding=4)
    longest = convolution(torch.zeros(1, 1, num_frames)).shape[2]
    found = Clips(num_frames, torch.tensor(lengths)).strided(2)
    assert found.num_frames == longest
    assert found.lengths is not None
    assert found.lengths.tolist() == [convolution(torch.zeros(1, 1, length)).shape[2] for length in lengths]
    dense = Clips(num_frames).strided(2)
    assert (dense.num_frames, dense.lengths) == (longest, None)


def test_a_stride_of_one_changes_nothing() -> None:
    time = clips()
    assert time.strided(1) is time


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_sequences_are_reversed_each_by_itself(lengths: list[int] | None) -> None:
    time = Clips(5) if lengths is None else clips()
    x = time.clear(torch.randn(3, 2, 5, 4))
    found = time.reversed(x)
    for i, length in enumerate(lengths or [5] * 3):
        assert torch.equal(found[i, :, :length], x[i, :, :length].flip(1))
        assert not found[i, :, length:].any()


def test_how_many_frames_follow() -> None:
    x = torch.zeros(3, 2, 5)
    left = [[2, 1, 0, -1, -2], [4, 3, 2, 1, 0], [0, -1, -2, -3, -4]]
    assert clips().frames_left(x).tolist() == left
    assert Clips(5).frames_left(x).tolist() == [left[1]] * 3


def test_repeated_clips_are_those_of_all_sequences_again() -> None:
    repeated = clips().repeated(2)
    x = torch.randn(3, 2, 5)
    assert torch.equal(repeated.clear(torch.cat((x, x))), torch.cat((clips().clear(x),) * 2))
    assert (Clips(5).repeated(2).num_frames, Clips(5).repeated(2).lengths) == (5, None)


def test_convolutions_over_cleared_clips_equal_those_of_each_sequence_alone() -> None:
    first, second = nn.Conv1d(2, 3, 3, padding=1), nn.Conv1d(3, 2, 3, padding=1)  # with bias, which fills the rest
    frames = torch.randn(sum(LENGTHS), 2)
    filled, time = side_by_side(frames, torch.tensor(LENGTHS))
    found = second(time.clear(first(filled.transpose(1, 2))))
    for i, sequence in enumerate(torch.split(frames, LENGTHS)):
        alone = second(first(sequence.T[None]))[0]
        torch.testing.assert_close(found[i, :, : len(sequence)], alone)


def test_sequences_side_by_side() -> None:
    frames = torch.arange(1.0, 10).reshape(9, 1)
    filled, time = side_by_side(frames, torch.tensor(LENGTHS))
    assert filled[..., 0].tolist() == [[1, 2, 3, 0, 0], [4, 5, 6, 7, 8], [9, 0, 0, 0, 0]]
    assert time.num_frames == 5
    assert time.lengths is not None
    assert time.lengths.tolist() == LENGTHS


def test_short_sequences_are_repeated_as_a_whole() -> None:
    frames = torch.arange(1.0, 7).reshape(6, 1)
    filled, time = side_by_side(frames, torch.tensor([2, 1, 3]), at_least=3)
    assert filled[..., 0].tolist() == [[1, 2, 1, 2], [3, 3, 3, 0], [4, 5, 6, 0]]
    assert time.lengths is not None
    assert time.lengths.tolist() == [4, 3, 3]


@pytest.mark.parametrize(("num_frames", "expected"), [(1, [0, 0, 0]), (2, [0, 1, 0, 1]), (3, [0, 1, 2])])
def test_short_dense_sequences_are_repeated_too(num_frames: int, expected: list[int]) -> None:
    frames = torch.arange(num_frames).expand(2, -1)
    filled, time = side_by_side(frames, None, at_least=3)
    assert filled.tolist() == [expected] * 2
    assert (time.num_frames, time.lengths) == (len(expected), None)


def test_the_gradient_of_a_repeated_frame_is_the_sum() -> None:
    frames = torch.randn(6, 2, requires_grad=True)
    filled, _ = side_by_side(frames, torch.tensor([2, 1, 3]), at_least=3)
    (gradient,) = torch.autograd.grad(filled.sum(), frames)
    assert gradient[:, 0].tolist() == [2, 2, 3, 1, 1, 1]


@pytest.mark.parametrize("lengths", [[3, 4], [3, 6], [9, 0], [10, -1]])
def test_lengths_that_do_not_fit_are_refused(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match=rf"lengths add up to {sum(lengths)} with a shortest of {min(lengths)}, but"):
        side_by_side(torch.zeros(9 if min(lengths) < 1 else 8, 2), torch.tensor(lengths))


def test_sequences_without_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="sequences of 0 frames"):
        side_by_side(torch.zeros(2, 0, 4), None, at_least=3)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_what_belongs_to_a_sequence_is_given_to_each_of_its_frames(lengths: list[int] | None) -> None:
    x = torch.randn(3, 2, 4)
    spread = Clips(5, None if lengths is None else torch.tensor(lengths)).spread(x)
    assert torch.equal(spread, x.repeat_interleave(torch.tensor(lengths or [5] * 3), 0))
