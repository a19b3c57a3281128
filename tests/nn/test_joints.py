from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from gaitway.nn import JointBatchNorm, JointConvolution, initialise_poses


def test_every_channel_of_every_joint_is_normalised_by_itself() -> None:
    layer = JointBatchNorm(num_joints=3, channels=2)
    nn.init.uniform_(layer.bn.weight)
    nn.init.uniform_(layer.bn.bias)
    x = torch.randn(20, 3, 2) * torch.arange(1.0, 7).view(3, 2) + 5
    found = layer(x)
    for joint in range(3):
        for channel in range(2):
            i = joint * 2 + channel
            values = x[:, joint, channel]
            expected = (values - values.mean()) / (values.var(correction=0) + 1e-5).sqrt()
            torch.testing.assert_close(found[:, joint, channel], expected * layer.bn.weight[i] + layer.bn.bias[i])
            assert layer.bn.running_mean is not None
            torch.testing.assert_close(layer.bn.running_mean[i], 0.1 * values.mean())


def test_a_convolution_of_joints_is_a_convolution() -> None:
    layer = JointConvolution(in_channels=4, out_channels=6)
    x = torch.randn(5, 3, 4)
    maps = x.permute(2, 0, 1).unsqueeze(0)  # (1, c, frames, v)
    expected = F.conv2d(maps, layer.weight, layer.bias).squeeze(0).permute(1, 2, 0)
    torch.testing.assert_close(layer(x), expected)


def test_it_starts_as_a_convolution_does() -> None:
    layer = JointConvolution(in_channels=40, out_channels=60)
    initialise_poses(layer)
    bound = (6 / 100) ** 0.5
    assert 0.95 * bound < layer.weight.abs().max() <= bound
    assert layer.bias is not None
    assert not layer.bias.any()
