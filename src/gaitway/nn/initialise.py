"""The published start of the weights."""

from torch import nn


def initialise(model: nn.Module) -> None:
    """Start a model as the published silhouette code bases do, in place.

    Convolutions and linear layers: Xavier uniform, bias 0; batch normalisation: weight from N(1, 0.02), bias 0.
    Parameters that belong to other layers keep the start that their own module gives them. A model on the meta device
    has no values to start from; drawing them there would import PyTorch's compiler, which takes seconds.
    """
    for layer in model.modules():
        if any(parameter.is_meta for parameter in layer.parameters(recurse=False)):
            continue
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            nn.init.normal_(layer.weight, 1.0, 0.02)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def initialise_poses(model: nn.Module) -> None:
    """Start a model as FastPoseGait does, in place.

    Convolutions: Xavier uniform, bias 0; linear layers: weight from N(0, 0.001), bias 0; batch normalisation: weight 1,
    bias 0. Parameters that belong to other layers keep the start that their own module gives them.
    """
    for layer in model.modules():
        if any(parameter.is_meta for parameter in layer.parameters(recurse=False)):
            continue
        if isinstance(layer, (nn.Conv1d, nn.Conv2d)):
            nn.init.xavier_uniform_(layer.weight)
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.001)
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.ones_(layer.weight)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
