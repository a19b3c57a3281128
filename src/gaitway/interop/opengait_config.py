"""Configuration files of OpenGait and its descendants: what they say once defaults and dropped arguments are applied.

FastPoseGait, SPOSGait, HSTL and DyGait use the same format with other defaults and signatures; each is a dialect.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
import yaml

Config = dict[str, Any]

FRAME_KEYS = (
    *("sample_type", "frames_num_fixed", "frames_num_min", "frames_num_max"),
    *("frames_skip_num", "frames_all_limit", "points_in_use"),
)
"""Keys of a sampler's section that choose frames; its class takes the others."""


@dataclass(frozen=True)
class Part:
    """A configured class or function: the arguments that it accepts, and those that the published code drops."""

    name: str
    arguments: Config
    dropped: Config


@dataclass(frozen=True)
class Effective:
    """What a configuration comes down to."""

    optimizer: Part
    scheduler: Part
    train_sampler: Part
    train_frames: Config
    test_sampler: Part
    test_frames: Config
    losses: dict[str, Part]
    train_transforms: list[Part]
    test_transforms: list[Part]
    evaluation: Part


@dataclass(frozen=True)
class PublishedConfig:
    """A configuration as written and as merged over the defaults of its dialect."""

    path: Path
    dialect: str
    reason: str
    given: Config
    merged: Config

    @property
    def model_cfg(self) -> Config:
        """The model's section, with what SPOSGait's files say beside it: the path, and the numbers of blocks."""
        beside = {key: self.merged[key] for key in ("retrain", "choice_max_num") if key in self.merged}
        return {**self.merged["model_cfg"], **beside}

    def effective(self) -> Effective:
        """Filter all arguments by the signatures of the dialect."""
        return effective(self.merged, self.dialect)


class _Loader(yaml.SafeLoader):
    """YAML 1.1 without code, which also takes `1e-4` for a number."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+"), list("-+0123456789")
)


def read_config(path: Path) -> PublishedConfig:
    """Read a published configuration and merge it over the defaults of its dialect.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: when it is not such a configuration.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file; give the YAML of a published configuration")
    try:
        given = parse(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(given, dict) or "model_cfg" not in given:
        found = ", ".join(map(str, given)) if isinstance(given, dict) else type(given).__name__
        raise ValueError(
            f"{path} is not an OpenGait-style configuration: it has no section model_cfg (found: {found}); "
            "Gaitway's own recipes need no import"
        )
    for section, default in defaults("opengait").items():
        value = given.get(section, default)
        if not isinstance(value, (dict, list) if section in ("data_cfg", "loss_cfg") else dict):
            raise ValueError(f"{path}: section {section} must be a mapping, found {value!r}")
    dialect, reason = detect_dialect(given, path)
    return PublishedConfig(path, dialect, reason, given, merge(defaults(dialect), given))


def parse(text: str) -> Any:
    """The values of a YAML 1.1 text; no tag can run code."""
    return yaml.load(text, _Loader)


def merge(default: Mapping[str, Any], given: Mapping[str, Any]) -> Config:
    """Values given over defaults: mappings key by key, anything else (lists too) as a whole."""
    merged = dict(default)
    for key, value in given.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def defaults(dialect: str) -> Config:
    """The default configuration of a dialect."""
    known = _published()["defaults"]
    return merge(known["opengait"], known[dialect])


def detect_dialect(given: Mapping[str, Any], path: Path) -> tuple[str, str]:
    """Which code base a configuration is for, and by what that was recognised."""
    for part in reversed(path.resolve().parts):
        for dialect in _published()["defaults"]:
            if re.fullmatch(rf"{dialect}([-_.].*)?", part, re.IGNORECASE):
                return dialect, f"the path contains {part!r}"
    model = str(given["model_cfg"].get("model", ""))
    words = set(_words(given))
    hints = {
        "fastposegait": {word for word in words if word.endswith("_MultiInput")}
        | ({model} & {"gpgait", "GPGait_PlusPlus", "GaitHeat"})
        | (words & {"RandomTripletSampler"})
        # OpenGait's GaitGraph1 ends with GaitGraph1Input instead, which does the same
        | (words & {"SkeletonInput"} if model == "GaitGraph1" else set()),
        "sposgait": (words & {"retrain", "num_train", "choice_max_num"}) | _starting("SPOSGait", model),
        "dygait": _starting("Dygait", model),
        "hstl": _starting("HSTL", model),
    }
    for dialect, found in hints.items():
        if found:
            return dialect, f"it says {sorted(found)[0]!r}"
    return "opengait", "nothing in it belongs to another code base"


def effective(merged: Config, dialect: str = "opengait") -> Effective:
    """What a merged configuration comes down to once every class has dropped the arguments that it does not take.

    Raises:
        ValueError: on a class that the code base does not have.
    """
    known = _published()["arguments"]
    signatures = merge(known["opengait"], known[dialect])
    trainer, evaluator = merged["trainer_cfg"], merged["evaluator_cfg"]
    losses = merged["loss_cfg"] if isinstance(merged["loss_cfg"], list) else [merged["loss_cfg"]]
    optimizer, scheduler = dict(merged["optimizer_cfg"]), dict(merged["scheduler_cfg"])
    return Effective(
        optimizer=_torch_part(torch.optim, optimizer.pop("solver"), optimizer),
        scheduler=_torch_part(torch.optim.lr_scheduler, scheduler.pop("scheduler"), scheduler),
        train_sampler=_sampler(trainer["sampler"], signatures["samplers"]),
        train_frames={key: trainer["sampler"][key] for key in FRAME_KEYS if key in trainer["sampler"]},
        test_sampler=_sampler(evaluator["sampler"], signatures["samplers"]),
        test_frames={key: evaluator["sampler"][key] for key in FRAME_KEYS if key in evaluator["sampler"]},
        losses={
            entry.get("log_prefix", entry["type"]): _part(entry, signatures["losses"], besides=("log_prefix",))
            for entry in losses
        },
        train_transforms=list(_transforms(trainer["transform"], signatures["transforms"])),
        test_transforms=list(_transforms(evaluator["transform"], signatures["transforms"])),
        evaluation=_filtered(
            evaluator["eval_func"],
            {key: evaluator[key] for key in ("metric", "cross_view_gallery", "rerank") if key in evaluator},
            signatures["evaluations"].get(evaluator["eval_func"], ["metric"]),
        ),
    )


@cache
def _published() -> Config:
    text = (files("gaitway.interop") / "published.yaml").read_text(encoding="utf-8")
    values: Config = yaml.safe_load(text)
    return values


def _filtered(name: str, given: Mapping[str, Any], accepted: Collection[str]) -> Part:
    return Part(
        name,
        {key: value for key, value in given.items() if key in accepted},
        {key: value for key, value in given.items() if key not in accepted},
    )


def _part(entry: Mapping[str, Any], signatures: Mapping[str, Collection[str]], besides: Collection[str] = ()) -> Part:
    """An entry `{type: Class, **arguments}`; a class without a known signature keeps all arguments."""
    if not isinstance(entry, Mapping) or "type" not in entry:
        raise ValueError(f"expected a mapping with a type, found {entry!r}")
    given = {key: value for key, value in entry.items() if key != "type" and key not in besides}
    return _filtered(entry["type"], given, signatures.get(entry["type"], given))


def _sampler(entry: Mapping[str, Any], signatures: Mapping[str, Collection[str]]) -> Part:
    return _part(entry, signatures, besides=FRAME_KEYS)


def _torch_part(module: Any, name: str, given: Mapping[str, Any]) -> Part:
    found = getattr(module, name, None)
    if found is None:
        raise ValueError(f"{module.__name__} has no {name!r}; the configuration must name one of its classes")
    parameters = inspect.signature(found).parameters.values()
    return _filtered(name, given, [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD])


def _transforms(section: Any, signatures: Mapping[str, Collection[str]]) -> Iterator[Part]:
    """The transforms of the first modality in one row; a mapping stands for a list of one.

    `Compose` is what it holds, `TwoView` itself before what it holds.
    """
    entries = section if isinstance(section, list) else [section]
    for entry in _unfolded(entries[0]):
        yield _part(entry, signatures)


def _unfolded(entry: Any) -> Iterator[Any]:
    nested = isinstance(entry, Mapping) and entry.get("type") in ("Compose", "TwoView")
    if not nested or entry["type"] == "TwoView":
        yield {key: value for key, value in entry.items() if key != "trf_cfg"} if nested else entry
    if nested:
        for part in entry["trf_cfg"]:
            yield from _unfolded(part)


def _words(value: Any) -> Iterator[str]:
    """All keys and all texts."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield str(key)
            yield from _words(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _words(entry)
    elif isinstance(value, str):
        yield value


def _starting(prefix: str, model: str) -> set[str]:
    return {model} if model.startswith(prefix) else set()
