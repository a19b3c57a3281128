"""The building blocks of the silhouette models, each alone, with its tensors loaded from a published file."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gaitway.interop import read_checkpoint
from gaitway.interop.batch_norm_order import part_to_channel_major
from gaitway.interop.checkpoints import load_published
from gaitway.interop.published import Neck
from gaitway.interop.published.gaitpart import convert
from gaitway.models.gaitgl import GlobalLocalConvolution, add_maps
from gaitway.models.gaitpart import TemporalAggregator, gaitpart_casiab, published_names
from gaitway.nn import (
    BatchNormNeck,
    FocalConvolution,
    GeneralisedMeanPooling,
    HorizontalPyramidPooling,
    PartLinear,
    PlainBackbone,
    TimeAxis,
    leaky_relu,
)
from tests.parity.case import Case, Results
from tests.parity.every_model import check_size, checkpoint_file, to_arrays


def run_plain(case: Case) -> Results:
    settings = case.hyperparameters
    block = PlainBackbone(layers=settings["layers_cfg"], in_channels=settings["in_channels"])
    names, position = {}, 0
    for i, pool in enumerate(block.pools):
        names[f"forward_block.feature.{position}.conv."] = f"convolutions.{i}."
        position += 3 if pool else 2
    load(block, case, names)
    x = torch.from_numpy(case.inputs["x"]).transpose(1, 2)  # (n, t, c, h, w)
    time = TimeAxis(x, None)
    y = torch.unflatten(leaky_relu(block(time.folded)), 0, x.shape[:2])
    return to_arrays({"y": y.transpose(1, 2)}), {}


def run_focal(case: Case) -> Results:
    settings = case.hyperparameters
    block = FocalConvolution(
        in_channels=settings["in_channels"],
        out_channels=settings["out_channels"],
        kernel_size=settings["kernel_size"],
        halvings=settings["halving"],
    )
    load(block, case, {"conv.": ""})
    return to_arrays({"y": block(torch.from_numpy(case.inputs["x"]))}), {}


def run_global_local(case: Case) -> Results:
    settings = case.hyperparameters
    block = GlobalLocalConvolution(
        in_channels=settings["in_channels"], out_channels=settings["out_channels"], halvings=settings["halving"]
    )
    load(block, case, {"global_conv3d.conv3d.": "whole.", "local_conv3d.conv3d.": "strips."})
    whole, strips = block(torch.from_numpy(case.inputs["x"]))
    one_above_the_other = leaky_relu(torch.cat((whole, strips.flatten(3, 4)), 3))
    return to_arrays({"y": one_above_the_other if settings["fm_sign"] else add_maps(whole, strips)}), {}


def run_generalised_mean(case: Case) -> Results:
    (num_parts,) = case.hyperparameters["bin_num"]
    block = GeneralisedMeanPooling(levels=[[1] * num_parts])
    load(block, case, {"p": "exponent"})
    found = {name.replace("x", "y"): block(torch.from_numpy(x)).transpose(1, 2) for name, x in case.inputs.items()}
    return to_arrays(found), {}


def run_pyramid(case: Case) -> Results:
    found = {
        f"parts_{i}": HorizontalPyramidPooling(bins=bins)(torch.from_numpy(case.inputs[f"x_{i}"])).transpose(1, 2)
        for i, bins in enumerate(case.hyperparameters["bins"])
    }
    return to_arrays(found), {}


def run_linear(case: Case) -> Results:
    settings = case.hyperparameters
    block = PartLinear(
        num_parts=settings["parts_num"],
        in_features=settings["in_channels"],
        out_features=settings["out_channels"],
        normalise=settings["norm"],
    )
    load(block, case, {"fc_bin": "weight"})
    x = torch.from_numpy(case.inputs["x"]).transpose(1, 2)
    return to_arrays({"y": block(x).transpose(1, 2)}), {}


def run_temporal_aggregator(case: Case) -> Results:
    """The published tensors are those of GaitPart without the beginning of their names."""
    settings = case.hyperparameters
    block = TemporalAggregator(
        num_parts=settings["parts_num"], num_channels=settings["in_channels"], squeeze=settings["squeeze"]
    )
    with checkpoint_file(case) as file:
        state = {f"TFA.pooling_func.{name}": tensor for name, tensor in read_checkpoint(file).state.items()}
    names = {theirs: ours.removeprefix("temporal.") for theirs, ours in published_names(gaitpart_casiab()).items()}
    load_published(block, convert(state, "channel-major"), names=names, necks=(), bn_order="channel-major")
    check_size(case, block)
    x = torch.from_numpy(case.inputs["x"]).permute(0, 2, 3, 1)  # (n, t, p, c)
    with torch.no_grad():
        y = block(x) if case.lengths is None else block(x[0], torch.tensor(case.lengths))
    return to_arrays({"y": y.transpose(1, 2)}), {}


def run_neck(case: Case) -> Results:
    """Features, logits and, in training, the gradient of the sum of squared logits and the statistics afterwards."""
    settings = case.hyperparameters
    num_parts = settings["parts_num"]
    block = BatchNormNeck(
        num_parts=num_parts,
        in_features=settings["in_channels"],
        num_classes=settings["class_num"],
        normalise=settings["norm"],
    )
    load(block, case, {"fc_bin": "classifier.weight", "bn1d.": "bn."}, necks=(Neck("", None),))
    block.train(settings["training"])
    x = torch.from_numpy(case.inputs["x"]).requires_grad_()  # (n, c, p)
    feature, logits = block(x.transpose(1, 2))
    found = {"feature": feature.transpose(1, 2), "logits": logits.transpose(1, 2)}
    if settings["training"]:
        logits.square().sum().backward()
        assert x.grad is not None
        found |= {"x_grad": x.grad, **statistics(block, settings["checkpoint_layout"], settings["parallel_BN1d"])}
    return to_arrays(found), {}


def statistics(block: BatchNormNeck, layout: str, parallel: bool) -> dict[str, Tensor]:
    """The running statistics in the order and under the names of the published file."""
    num_parts, num_channels, _ = block.classifier.weight.shape
    state = block.state_dict()
    if layout == "part-major":  # the two orders are each other's transpose
        state = part_to_channel_major(state, prefix="", num_parts=num_channels)
    fields = {name: state[f"bn.{name}"] for name in ("running_mean", "running_var")}
    if parallel:
        return {f"after/bn1d.{name}": values for name, values in fields.items()}
    return {
        f"after/bn1d.{i}.{name}": values.reshape(num_channels, num_parts)[:, i]
        for name, values in fields.items()
        for i in range(num_parts)
    }


def load(block: nn.Module, case: Case, names: dict[str, str], necks: tuple[Neck, ...] = ()) -> None:
    """Load the state of the case from a published file, as models do."""
    check_size(case, block)
    with checkpoint_file(case) as file:
        state = read_checkpoint(file).state
    order = case.hyperparameters.get("checkpoint_layout", "channel-major")
    load_published(block, state, names=names, necks=necks, bn_order=order)
    block.eval()


RUNNERS = {
    "block_plain": run_plain,
    "block_focal_conv*": run_focal,
    "block_gem_hpp": run_generalised_mean,
    "block_glconv*": run_global_local,
    "block_hpp": run_pyramid,
    "block_tfa*": run_temporal_aggregator,
    "block_separate_fcs*": run_linear,
    "block_bnnecks*": run_neck,
}
