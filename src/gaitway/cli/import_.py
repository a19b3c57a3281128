"""Take over checkpoints and configurations of OpenGait and the code bases that descend from it.

gaitway import checkpoint GaitSet-40000.pt --recipe casia-b/gaitset runs/gaitset-published
gaitway import checkpoint Baseline-60000.pt --recipe baseline.yaml runs/baseline-published
gaitway import recipe gaitset.yaml my-gaitset.yaml
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gaitway.interop import Note
    from gaitway.training.recipe import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True)
    checkpoint = actions.add_parser("checkpoint", help="turn a published checkpoint into one of Gaitway's")
    checkpoint.add_argument("file", metavar="FILE", help="the published .pt or .safetensors file")
    checkpoint.add_argument(
        "--recipe",
        required=True,
        metavar="R",
        help="a shipped recipe, a recipe file, or the published YAML of the model",
    )
    checkpoint.add_argument(
        "--bn-order",
        choices=("auto", "channel-major", "part-major"),
        default="auto",
        help="how the file orders the channels of BN necks: part-major in OpenGait's releases 1.0 and 1.1 (before July "
        "2022), channel-major since; auto (default) infers it from the statistics and says so",
    )
    checkpoint.add_argument("out", metavar="OUT", help="the folder to write; must not exist")
    recipe = actions.add_parser("recipe", help="turn an OpenGait-style YAML into a recipe")
    recipe.add_argument("file", metavar="FILE.yaml", help="the published configuration")
    recipe.add_argument("out", metavar="OUT.yaml", help="the recipe to write; must not exist")


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    return {"checkpoint": _checkpoint, "recipe": _recipe}[args.action](args)


def _checkpoint(args: argparse.Namespace) -> int:
    from dataclasses import replace
    from pathlib import Path

    from gaitway.interop import import_model
    from gaitway.training.checkpoint import model_config, save_checkpoint
    from gaitway.training.recipe import Component
    from gaitway.training.session import is_supernet

    out = _new(Path(args.out))
    recipe, component = _recipe_and_model(args.recipe)
    num_subjects = None if "num_classes" in component else _num_subjects(recipe)
    imported = import_model(Path(args.file), component, bn_order=args.bn_order, num_subjects=num_subjects)
    recipe = replace(recipe, model=Component(recipe.model.name, recipe.model.arguments | dict(imported.changes)))
    config = model_config(recipe, recipe_name=args.recipe, num_classes=imported.num_classes, step=imported.iteration)
    save_checkpoint(out, weights=imported.model.state_dict(), config=config)
    for statement in imported.statements:
        print(statement)
    size = sum(parameter.numel() for parameter in imported.model.parameters())
    classes = f", {imported.num_classes} classes" if imported.num_classes else ""
    print(f"Imported {recipe.model.name} with {size:,} parameters{classes} into {out}.")
    following = "nas search" if is_supernet(recipe) else "evaluate"
    print(f"Next: gaitway {following} {out} --data STORE")
    return 0


def _recipe(args: argparse.Namespace) -> int:
    from pathlib import Path

    from gaitway.interop import read_config, to_recipe
    from gaitway.training.recipe import resolve

    out = _new(Path(args.out))
    values, notes = to_recipe(read_config(Path(args.file)))
    recipe = resolve(values)
    _print_notes([*notes, *_missing_protocol(recipe)])
    partial = out.with_name(out.name + ".partial")
    partial.write_text(recipe.to_yaml())
    partial.rename(out)
    print(f"Wrote {out}. Next: gaitway train {out} --data STORE")
    return 0


def _recipe_and_model(name: str) -> tuple[Recipe, dict[str, object]]:
    """A recipe, ours or made from a published YAML, and its model with the class count where the YAML gives one."""
    from pathlib import Path

    import yaml

    from gaitway.interop import model_from_config, read_config, to_recipe
    from gaitway.training.recipe import load_recipe, recipe_text, resolve

    try:
        published = "model_cfg" in (yaml.safe_load(recipe_text(name)) or ())
    except yaml.YAMLError as error:
        raise ValueError(f"{name} is not valid YAML: {' '.join(str(error).split())}") from error
    if not published:
        recipe = load_recipe(name)
        return recipe, recipe.model.as_dict()
    config = read_config(Path(name))
    values, notes = to_recipe(config)
    _print_notes([note for note in notes if note.kind in ("not carried over", "to fill in", "kept")])
    dataset = str(config.merged["data_cfg"]["dataset_name"])
    return resolve(values), model_from_config(config.model_cfg, dataset)


def _num_subjects(recipe: Recipe) -> int | None:
    """How many training subjects the partition of a recipe has, where it can be read."""
    try:
        return len(recipe.data.load_partition().train)
    except ValueError:
        return None


def _missing_protocol(recipe: Recipe) -> Sequence[Note]:
    from gaitway.evaluation.protocol import list_protocols
    from gaitway.interop import Note

    name = recipe.evaluation.protocol
    if name in list_protocols():
        return ()
    text = f"Gaitway has no protocol {name!r} yet: training works, evaluation needs evaluation.protocol to be changed"
    return (Note("not carried over", "evaluator_cfg.eval_func", text),)


def _print_notes(notes: Sequence[Note]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "in the file", "in the recipe", box=None, pad_edge=False)
    table.columns[1].overflow = "fold"
    for note in notes:
        table.add_row(note.kind, note.key, note.text)
    Console().print(table)


def _new(path: Path) -> Path:
    if path.exists():
        raise FileExistsError(f"{path} exists already; choose another name or remove it")
    return path
