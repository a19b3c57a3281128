"""Recipes: what to train on what and how, as YAML whose keys are constructor arguments.

A component is written `{name: Class, **arguments}`; every argument is checked against the constructor's signature,
and the resolved recipe holds all of them, so that it keeps its meaning when a default changes.
"""

from __future__ import annotations

import dataclasses
import difflib
from argparse import ArgumentError
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
import yaml
from jsonargparse import ArgumentParser
from torch import nn

from gaitway.data.frame_sampling import FrameSampling
from gaitway.data.held_out import split
from gaitway.data.partitions import Partition, load_partition
from gaitway.data.sampling import SAMPLERS
from gaitway.data.transforms import TRANSFORMS
from gaitway.losses import LOSSES
from gaitway.models import MODELS

OPTIMIZERS: dict[str, Callable[..., Any]] = {
    name: found
    for name, found in vars(torch.optim).items()
    if isinstance(found, type) and issubclass(found, torch.optim.Optimizer) and found is not torch.optim.Optimizer
}
SCHEDULES: dict[str, Callable[..., Any]] = {
    name: found
    for name, found in vars(torch.optim.lr_scheduler).items()
    if isinstance(found, type) and issubclass(found, torch.optim.lr_scheduler.LRScheduler) and not name.startswith("_")
}
GIVEN_LATER = {"num_classes", "params", "optimizer", "last_epoch"}
"""Arguments that a recipe does not hold, since the run supplies them."""

CUTTING = ("CutColumns", "CutParsing")
"""Transforms that drop columns on both sides of square frames."""

NUM_POSE_VALUES = 3
"""x, y and confidence, the last axis of poses."""

Precision = Literal["32", "bf16", "fp16"]
IdleGradients = Literal["none", "zero"]
T = TypeVar("T")


@dataclass(frozen=True)
class Component:
    """Something to build: a name in a registry and its constructor's arguments."""

    name: str
    arguments: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """As it is written in YAML."""
        return {"name": self.name, **self.arguments}


@dataclass(frozen=True)
class Data:
    """Which data set, split and frames a recipe is for.

    `frame_shape` is that of stored frames: (h, w) of silhouettes, (v, 3) of poses. Sequences of fewer than `min_frames`
    frames are left out, in training and in testing. `first_subjects` takes the first so many training subjects of the
    partition only, None all of them. `held_out` is the share of these that is not trained on, so that an architecture
    search can measure on it.
    """

    dataset: str
    partition: str
    frame_shape: Sequence[int] = (64, 64)
    min_frames: int = 1
    first_subjects: int | None = None
    held_out: float = 0.0

    def __post_init__(self) -> None:
        if self.min_frames < 1:
            raise ValueError(f"data.min_frames is {self.min_frames}, expected at least 1")

    def load_partition(self) -> Partition:
        """The partition, with those training subjects that the recipe trains on.

        Raises:
            ValueError: when there is no such partition, or it has too few training subjects.
        """
        partition, train = self._subjects()
        return dataclasses.replace(partition, train=split(train, self.held_out)[0] if self.held_out else train)

    def held_out_subjects(self) -> tuple[str, ...]:
        """The training subjects that are held out, by name.

        Raises:
            ValueError: as for `load_partition`.
        """
        return split(self._subjects()[1], self.held_out)[1] if self.held_out else ()

    def _subjects(self) -> tuple[Partition, tuple[str, ...]]:
        """The partition, and those of its training subjects that may be trained on or held out."""
        partition = load_partition(self.partition)
        found, wanted = len(partition.train), self.first_subjects
        if wanted is not None and not 2 <= wanted <= found:
            raise ValueError(
                f"data.first_subjects is {wanted}, partition {self.partition} has {found} training subjects; take 2 to "
                f"{found} of them"
            )
        return partition, partition.train[:wanted]


@dataclass(frozen=True)
class Training:
    """How long to train and how; all counts are in steps.

    `save_every` 0 saves at the end only, `evaluate_every` 0 does not evaluate while training. Gradients whose norm
    over all weights is more than `clip_gradient_norm` are scaled down to it; or each of their elements is limited to
    plus or minus `clip_gradient_value`. `idle_gradients` is about weights that a step does not use, as most of a
    supernet's in every step: with `none` they stay as they are, with `zero` weight decay and momentum go on once they
    have been used (as under PyTorch before 2.0). `starts_from` names the recipe whose weights this one starts from, for
    training in phases.
    """

    steps: int
    seed: int = 0
    starts_from: str | None = None
    clip_gradient_norm: float | None = None
    clip_gradient_value: float | None = None
    idle_gradients: IdleGradients = "none"
    precision: Precision = "32"
    sync_batch_norm: bool = False
    frozen_batch_norm: bool = False
    log_every: int = 100
    save_every: int = 0
    evaluate_every: int = 0

    def __post_init__(self) -> None:
        if self.clip_gradient_norm is not None and self.clip_gradient_value is not None:
            raise ValueError(
                f"training.clip_gradient_norm {self.clip_gradient_norm} and training.clip_gradient_value "
                f"{self.clip_gradient_value}: gradients are clipped in one way; set the other to null"
            )


@dataclass(frozen=True)
class Evaluation:
    """How test sequences are embedded and compared.

    `rerank` is k1, k2 and lambda of re-ranking; None: as the protocol says, an empty list: none.
    """

    protocol: str
    distance: Literal["euclidean", "cosine"] = "euclidean"
    rerank: Sequence[float] | None = None
    transforms: Sequence[dict[str, Any]] = ()
    batch_size: int = 16
    max_frames: int = 720
    precision: Precision = "32"


@dataclass(frozen=True)
class Published:
    """What the recipe gave where it was published, in percent, and the number of parameters.

    `rank1` is by probe set, `figures` are other figures by name (`rank-5`, `mAP`) and probe set. They are by the
    recipe's protocol, or by the one that `protocol` names.
    """

    source: str
    rank1: dict[str, float] = field(default_factory=dict)
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    protocol: str | None = None
    parameters: str = ""


@dataclass(frozen=True)
class Recipe:
    """A resolved recipe; see the module for its YAML."""

    description: str
    model: Component
    losses: dict[str, Component]
    data: Data
    sampler: Component
    frames: FrameSampling
    transforms: tuple[Component, ...]
    optimizer: Component
    schedule: Component
    training: Training
    evaluation: Evaluation
    published: Published | None = None

    def build_model(self, num_classes: int) -> nn.Module:
        """The model with fresh weights, for `num_classes` training subjects."""
        return build_model(self.model, num_classes)

    def build_losses(self, num_classes: int) -> dict[str, nn.Module]:
        """The losses by name, with fresh weights where one has a classifier of its own."""
        return {name: _build_for(num_classes, LOSSES[part.name], part) for name, part in self.losses.items()}

    def build_sampler(self) -> Any:
        """The sampler of batches."""
        return SAMPLERS[self.sampler.name](**self.sampler.arguments)

    def build_transforms(self) -> list[Any]:
        """The training transforms, in order."""
        return [TRANSFORMS[part.name](**part.arguments) for part in self.transforms]

    def build_evaluation_transforms(self) -> list[Any]:
        """The transforms of evaluation, in order."""
        return build_transforms(self.evaluation.transforms)

    def as_dict(self) -> dict[str, Any]:
        """The recipe as plain values, as it is written in YAML."""
        values: dict[str, Any] = {}
        for entry in dataclasses.fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, Component):
                values[entry.name] = value.as_dict()
            elif entry.name == "losses":
                values["losses"] = {name: part.as_dict() for name, part in value.items()}
            elif entry.name == "transforms":
                values["transforms"] = [part.as_dict() for part in value]
            elif dataclasses.is_dataclass(value) and not isinstance(value, type):
                values[entry.name] = dataclasses.asdict(value)
            elif isinstance(value, FrameSampling):
                values[entry.name] = _arguments_of(value)
            elif value is not None:
                values[entry.name] = value
        plain: dict[str, Any] = _plain(values)
        return plain

    def to_yaml(self) -> str:
        """The complete recipe as YAML; `load_recipe` reads it back to the same recipe."""
        return yaml.safe_dump(self.as_dict(), sort_keys=False, width=120)


def build_model(part: Component, num_classes: int) -> nn.Module:
    """Build a recipe's or checkpoint's model, for `num_classes` training subjects where it has a classifier."""
    return _build_for(num_classes, MODELS[part.name], part)


def _build_for(num_classes: int, build: Callable[..., nn.Module], part: Component) -> nn.Module:
    needs_classes = "num_classes" in _parser(build, given_later=frozenset())[1]
    return build(**part.arguments, **({"num_classes": num_classes} if needs_classes else {}))


def build_transforms(parts: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Build transforms that are written as `{name: Class, **arguments}`."""
    components = (_component("transforms", part, TRANSFORMS) for part in parts)
    return [TRANSFORMS[part.name](**part.arguments) for part in components]


def list_recipes() -> list[str]:
    """Names of the recipes that ship with Gaitway, `<dataset>/<model>`."""
    root = files("gaitway") / "recipes"
    return sorted(
        f"{folder.name}/{file.name.removesuffix('.yaml')}"
        for folder in root.iterdir()
        if folder.is_dir()
        for file in folder.iterdir()
        if file.name.endswith(".yaml")
    )


def recipe_text(name: str) -> str:
    """The YAML of a shipped recipe or of a file.

    Raises:
        ValueError: when there is neither; names the nearest shipped recipe.
    """
    if Path(name).is_file():
        return Path(name).read_text()
    if name not in list_recipes():
        raise ValueError(
            f"no recipe {name!r}: neither a file nor one that ships with Gaitway"
            f"{_nearest(name, list_recipes())}; `gaitway recipes ls` lists them"
        )
    return (files("gaitway") / "recipes" / f"{name}.yaml").read_text()


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a shipped recipe or a file, and change some of its values.

    Args:
        name: A shipped recipe, `casia-b/gaitset`, or the path of a YAML file.
        overrides: `key=value` each. The key is a path such as `training.steps`, or its last part where that is
            unique (`steps`); the value is YAML.

    Raises:
        ValueError: on an unknown key (names the nearest known one), a value of the wrong type, or no such recipe.
    """
    try:
        values = yaml.safe_load(recipe_text(name))
    except yaml.YAMLError as error:
        raise ValueError(f"recipe {name} is not valid YAML: {error}") from error
    try:
        recipe = resolve(values)
        if overrides:
            changed = recipe.as_dict()
            for override in overrides:
                _override(changed, override)
            recipe = resolve(changed)
    except ValueError as error:
        raise ValueError(f"recipe {name}: {error}") from error
    return recipe


def resolve(values: Any) -> Recipe:
    """Check a recipe's values and fill in the defaults.

    Raises:
        ValueError: on an unknown key (names the nearest known one), a missing key or a value of the wrong type.
    """
    if not isinstance(values, dict):
        raise ValueError(f"a recipe is a mapping of sections, found {type(values).__name__}")
    known = {entry.name: entry for entry in dataclasses.fields(Recipe)}
    _check_keys("", values, known)
    required = [key for key, entry in known.items() if entry.default is dataclasses.MISSING]
    missing = [key for key in required if key not in values]
    if missing:
        raise ValueError(f"section {missing[0]!r} is missing; a recipe has {', '.join(required)}")
    if not isinstance(values["losses"], dict) or not values["losses"]:
        raise ValueError("losses must be a mapping of at least one name to {name: Class, …}")
    evaluation = _section("evaluation", values["evaluation"], Evaluation)
    checked = [_component("evaluation.transforms", part, TRANSFORMS).as_dict() for part in evaluation.transforms]
    transforms = tuple(_component("transforms", part, TRANSFORMS) for part in values["transforms"])
    data = _section("data", values["data"], Data)
    _check_cutting(data, [part.as_dict() for part in transforms] + checked)
    schedule = _component("schedule", values["schedule"], SCHEDULES)
    training = _section("training", values["training"], Training)
    _check_schedule(schedule, training)
    published = values.get("published")
    return Recipe(
        description=str(values["description"]),
        model=_component("model", values["model"], MODELS),
        losses={name: _component(f"losses.{name}", part, LOSSES) for name, part in values["losses"].items()},
        data=data,
        sampler=_component("sampler", values["sampler"], SAMPLERS),
        frames=_section("frames", values["frames"], FrameSampling),
        transforms=transforms,
        optimizer=_component("optimizer", values["optimizer"], OPTIMIZERS),
        schedule=schedule,
        training=training,
        evaluation=dataclasses.replace(evaluation, transforms=checked),
        published=None if published is None else _section("published", published, Published),
    )


def _component(where: str, value: Any, registry: Mapping[str, Callable[..., Any]]) -> Component:
    if not isinstance(value, Mapping) or "name" not in value:
        raise ValueError(f"{where} must be {{name: Class, **arguments}}, found {value!r}")
    name = value["name"]
    if name not in registry:
        raise ValueError(
            f"{where}.name: no {name!r}{_nearest(str(name), registry)}; known are {', '.join(sorted(registry))}"
        )
    arguments = {key: argument for key, argument in value.items() if key != "name"}
    return Component(name, _checked(where, registry[name], arguments))


def _check_cutting(data: Data, transforms: Iterable[Mapping[str, Any]]) -> None:
    """Frames are square until their columns are cut, so those that are higher than wide have been cut already."""
    if data.frame_shape[-1] == NUM_POSE_VALUES:
        return  # poses, which are drawn as square frames first
    for part in transforms:
        if part["name"] in CUTTING and data.frame_shape[-1] < data.frame_shape[0]:
            raise ValueError(
                f"frames of {' × '.join(map(str, data.frame_shape))} (data.frame_shape) are cut already, and "
                f"{part['name']} would cut them again; use Scale in its place, in transforms and "
                "evaluation.transforms, or prepare square frames"
            )


def _check_schedule(schedule: Component, training: Training) -> None:
    """Schedules of a known length can't go on after it."""
    length = schedule.arguments.get("total_steps")
    if length is not None and training.steps > length:
        raise ValueError(
            f"training.steps is {training.steps}, but {schedule.name} ends after schedule.total_steps = {length}; "
            f"set both, such as training.steps={training.steps} schedule.total_steps={training.steps}"
        )


def _section(where: str, value: Any, section: Callable[..., T]) -> T:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} must be a mapping, found {value!r}")
    return section(**_checked(where, section, value))


def _checked(where: str, target: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a constructor, checked against its signature and completed by its defaults."""
    parser, known = _parser(target)
    _check_keys(where, arguments, known)
    try:
        checked: dict[str, Any] = _plain(parser.parse_object(dict(arguments)).as_dict())
    except (ArgumentError, TypeError) as error:
        raise ValueError(f"{where}: {' '.join(str(error).split())}") from error
    return checked


@cache  # making one takes longer than using it
def _parser(
    target: Callable[..., Any], given_later: frozenset[str] = frozenset(GIVEN_LATER)
) -> tuple[ArgumentParser, list[str]]:
    parser = ArgumentParser(exit_on_error=False)
    add = parser.add_class_arguments if isinstance(target, type) else parser.add_function_arguments
    return parser, add(target, skip=set(given_later))


def _check_keys(where: str, found: Iterable[Any], known: Collection[str]) -> None:
    for key in found:
        if key not in known:
            place = f"{where}.{key}" if where else str(key)
            raise ValueError(f"unknown key {place!r}{_nearest(str(key), known)}; known are {', '.join(sorted(known))}")


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _override(values: dict[str, Any], override: str) -> None:
    """Apply `key=value` to a resolved recipe's values, in place."""
    key, equals, text = override.partition("=")
    if not equals:
        raise ValueError(f"{override!r} is no override; write key=value, such as training.steps=500")
    paths = dict.fromkeys(_paths(values))
    matches = [key] if key in paths else [path for path in paths if path.endswith("." + key)]
    if len(matches) != 1:
        short = [path.rpartition(".")[2] for path in paths]
        problem = f"is ambiguous: {', '.join(matches)}" if matches else f"is unknown{_nearest(key, [*paths, *short])}"
        raise ValueError(f"override {override!r}: key {key!r} {problem}")
    *parents, last = matches[0].split(".")
    section = values
    for parent in parents:
        section = section[parent]
    section[last] = yaml.safe_load(text)


def _paths(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        yield f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{key}.")


def _arguments_of(built: Any) -> dict[str, Any]:
    """The constructor arguments of an object that keeps them as attributes of the same names."""
    constructor: Callable[..., Any] = type(built)
    return {name: getattr(built, name) for name in _parser(constructor)[1]}


def _plain(value: Any) -> Any:
    """The same values with lists and dictionaries only, as YAML and JSON know them."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value
