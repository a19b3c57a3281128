"""The folder of a run: how it is made, and how its recipe is read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gaitway.training.recipe import Recipe, load_recipe

RECIPE = "recipe.yaml"
FREE = ("steps", "log_every", "save_every", "evaluate_every")
"""What may change in the `training` section when a run is resumed; everything else makes its steps what they are."""


def default_run(recipe_name: str) -> Path:
    """Where a run of a recipe lies when no place is named."""
    return Path("runs") / recipe_name.removesuffix(".yaml").removesuffix(".yml").replace("/", "-").strip("-.")


def check_new(run: Path) -> None:
    """Make sure that a run of this name can be made.

    Raises:
        FileExistsError: when there is something already.
    """
    if run.exists():
        raise FileExistsError(
            f"{run} exists already; go on with it by `gaitway train --resume {run}`, or name another by --run"
        )


def write_recipe(run: Path, recipe: Recipe) -> None:
    """Write the complete recipe into a run's folder, which is made if need be."""
    run.mkdir(parents=True, exist_ok=True)
    partial = run / f"{RECIPE}.partial"
    partial.write_text(recipe.to_yaml())
    partial.replace(run / RECIPE)


def resumed_recipe(run: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of a run, with changes that leave the steps it has done as they are.

    Raises:
        FileNotFoundError: when there is no run.
        ValueError: when an override would change what the run has done.
    """
    path = run / RECIPE
    if not path.is_file():
        raise FileNotFoundError(
            f"{run} is not a run (no {RECIPE} in it); `gaitway train RECIPE` without --resume makes one"
        )
    before, after = load_recipe(str(path)), load_recipe(str(path), overrides)
    kept = {key: getattr(before.training, key) for key in FREE}
    if replace(after, training=replace(after.training, **kept)) != before:
        raise ValueError(
            f"{' '.join(overrides)}: a resumed run goes on by its own recipe, of which only training.{', '.join(FREE)} "
            "can be changed; for other changes start a new run from its weights by --init"
        )
    return after
