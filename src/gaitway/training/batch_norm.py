"""Batch normalisation over several processes, and batch normalisation that is frozen."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm  # the one class of all, PyTorch has no public name for it


def freeze_batch_norm(model: nn.Module) -> None:
    """Keep the running statistics of all batch normalisation as they are; weight and bias still train.

    `model.train()` undoes it.
    """
    for layer in model.modules():
        if isinstance(layer, _BatchNorm):
            layer.eval()


def synchronise_batch_norm(model: nn.Module, device: torch.device) -> nn.Module:
    """Make all batch normalisation normalise over the batches of all processes.

    On CUDA by PyTorch's own layer, elsewhere, where that one does not run, by `SynchronisedBatchNorm`. Names in the
    state dict stay as they are.
    """
    if device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return converted
    for module in list(model.modules()):
        for name, layer in module.named_children():
            if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
                setattr(module, name, SynchronisedBatchNorm.of(layer))
    return model


class SynchronisedBatchNorm(_BatchNorm):
    """Batch normalisation with the statistics of all processes, on any device and `torch.distributed` backend.

    Shapes: `(n, c, ...)` to the same; n may differ between processes.
    """

    @classmethod
    def of(cls, layer: _BatchNorm) -> SynchronisedBatchNorm:
        """A layer with the parameters, statistics and settings of `layer`."""
        self = cls(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
        self.weight, self.bias = layer.weight, layer.bias
        self.running_mean, self.running_var = layer.running_mean, layer.running_var
        self.num_batches_tracked = layer.num_batches_tracked
        return self.train(layer.training)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel; see the class for shapes."""
        if not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        reduced = [axis for axis in range(x.ndim) if axis != 1]
        y = x.to(torch.promote_types(x.dtype, torch.float32))
        count = torch.full((1,), x.numel() / x.shape[1], device=x.device, dtype=y.dtype)
        total = sum_over_processes(torch.cat((y.sum(reduced), count)))  # (c + 1,)
        count = total[-1]
        y = y - _per_channel(total[:-1] / count, x)
        var = sum_over_processes(y.square().sum(reduced)) / count  # (c,)
        y = y * _per_channel(torch.rsqrt(var + self.eps), x)
        if self.affine:
            y = y * _per_channel(self.weight, x) + _per_channel(self.bias, x)
        self._update((total[:-1] / count).detach(), (var * count / (count - 1)).detach())
        return y.to(x.dtype)

    @torch.no_grad()
    def _update(self, mean: Tensor, unbiased_var: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(unbiased_var.to(self.running_var.dtype), share)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of axes will do."""


def _per_channel(values: Tensor, x: Tensor) -> Tensor:
    """`(c,)` as `(1, c, 1, ...)`, to combine with x."""
    return values.view(1, -1, *[1] * (x.ndim - 2))


def sum_over_processes(tensor: Tensor) -> Tensor:
    """The sum of all processes' tensors, differentiable."""
    summed: Tensor = _SumOverProcesses.apply(tensor)  # type: ignore[no-untyped-call]
    return summed


class _SumOverProcesses(torch.autograd.Function):
    # every process's loss depends on every process's tensor, so the gradients are summed as well

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return _summed(tensor)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _summed(grads[0])


def _summed(tensor: Tensor) -> Tensor:
    summed = tensor.clone(memory_format=torch.contiguous_format)
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(summed)
    return summed
