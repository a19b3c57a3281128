"""Batch normalisation over processes, and frozen."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gaitway.training.batch_norm import SynchronisedBatchNorm, freeze_batch_norm, synchronise_batch_norm
from tests.processes import in_processes

N = 10


def one_process(flat: Tensor) -> dict[str, Tensor]:
    """Outputs, gradients and statistics of a small network on this process's share of the batch, float64."""
    rank, world_size = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    torch.manual_seed(0)
    layer = nn.BatchNorm2d(3)
    nn.init.uniform_(layer.weight)
    network: nn.Module = nn.Sequential(nn.Conv2d(2, 3, 1), layer, nn.Flatten(), nn.BatchNorm1d(12)).double()
    if dist.is_initialized():
        network = synchronise_batch_norm(network, torch.device("cpu"))
    share = [0, 4, N] if world_size == 2 else [0, N]  # unequal shares
    mine = slice(share[rank], share[rank + 1])
    x = flat.view(N, 2, 2, 2)[mine].clone().requires_grad_()
    y = network(x)
    loss = (y * flat.view(N, 8).sum(1)[mine, None]).pow(3).sum()  # a sum over sequences
    gradients = torch.autograd.grad(loss, [x, *network.parameters()])
    found = {"x": gradients[0], "y": y.detach()}
    found |= {f"gradient/{i}": gradient for i, gradient in enumerate(gradients[1:])}
    return found | {f"buffer/{name}": buffer for name, buffer in network.named_buffers()}


def test_two_processes_compute_what_one_does() -> None:
    flat = torch.randn(N * 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    alone, pair = one_process(flat), in_processes(one_process, flat)
    for name, expected in alone.items():
        if name in ("x", "y"):
            found = torch.cat([share[name] for share in pair])
        elif name.startswith("gradient"):
            found = pair[0][name] + pair[1][name]
        else:
            found = pair[1][name]
        assert torch.allclose(found, expected, rtol=1e-9, atol=1e-9), name


def test_alone_it_is_pytorchs_layer() -> None:
    layer, x = nn.BatchNorm1d(5, momentum=None), torch.randn(6, 5, 4)
    nn.init.normal_(layer.weight)
    ours = SynchronisedBatchNorm.of(layer)
    ours.running_mean, ours.running_var = torch.zeros(5), torch.ones(5)
    ours.num_batches_tracked = torch.tensor(0)
    for _ in range(2):
        torch.testing.assert_close(ours(x), layer(x))
    for name, buffer in layer.named_buffers():
        torch.testing.assert_close(dict(ours.named_buffers())[name], buffer)
    torch.testing.assert_close(ours.eval()(x), layer.eval()(x))
    with torch.autocast("cpu", torch.bfloat16):
        assert ours.train()(x.bfloat16()).dtype == torch.bfloat16


def test_names_and_parameters_stay() -> None:
    network = nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3))
    before = network.state_dict()
    after = synchronise_batch_norm(network, torch.device("cpu")).state_dict()
    assert list(after) == list(before)
    assert all(after[name].data_ptr() == before[name].data_ptr() for name in before)


def test_frozen_statistics_stay_while_weights_train() -> None:
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(), SynchronisedBatchNorm(3))
    freeze_batch_norm(network.train())
    before = [buffer.clone() for buffer in network.buffers()]
    network(torch.randn(4, 3)).sum().backward()
    assert all(torch.equal(*pair) for pair in zip(before, network.buffers(), strict=True))
    assert network[1].training
    assert all(parameter.grad is not None for parameter in network.parameters())
