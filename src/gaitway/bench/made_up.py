"""Models and frames in the shapes of a recipe, without a data set."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from gaitway.data.transforms import chains
from gaitway.data.transforms.chain import Resampling
from gaitway.training.recipe import Recipe
from gaitway.training.session import modalities_of


def meta_model(recipe: Recipe, num_classes: int) -> nn.Module:
    """A recipe's model in evaluation mode with shapes but no values: no memory, no time, however large it is."""
    with torch.device("meta"):
        return recipe.build_model(num_classes).eval()


def random_frames(recipe: Recipe, n: int, t: int, device: torch.device) -> list[Tensor]:
    """Random frames as the recipe's transforms give them to the model: `(n, t, ...)` per modality.

    Transforms that choose frames are left out, so that there are t.
    """
    counts, generator = np.full(n, t), np.random.default_rng(0)
    transforms = [step for step in recipe.build_evaluation_transforms() if not isinstance(step, Resampling)]
    frames = []
    for modality, steps in chains(transforms, modalities_of(recipe)).items():
        shape = (n * t, *recipe.data.frame_shape)
        stored = torch.randint(256, shape, dtype=torch.uint8) if modality == "silhouettes" else torch.randn(shape)
        transformed, _ = steps(stored.to(device), counts, steps.draw(counts, generator))
        frames.append(torch.unflatten(transformed, 0, (n, t)))
    return frames


def meta_frames(recipe: Recipe, n: int, t: int) -> list[Tensor]:
    """Frames with shapes but no values, as the recipe's transforms give them to the model."""
    shapes = [frames.shape[2:] for frames in random_frames(recipe, 1, 1, torch.device("cpu"))]
    return [torch.empty(n, t, *shape, device="meta") for shape in shapes]
