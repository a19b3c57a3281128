from __future__ import annotations

import pytest
import torch

from gaitway.data.memory import empty, free_host_memory


def test_free_host_memory_is_part_of_the_machines() -> None:
    assert 2**20 < free_host_memory() < 2**50


@pytest.mark.parametrize("shape", [(3, 5, 7), (0, 4), (2,)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_empty_is_a_writable_tensor_of_the_shape(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    found = empty(shape, dtype, torch.device("cpu"))
    assert (found.shape, found.dtype) == (torch.Size(shape), dtype)
    assert found.is_contiguous()
    assert (found.fill_(7) == 7).all()
