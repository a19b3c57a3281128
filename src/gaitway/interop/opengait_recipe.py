"""From a published configuration to a Gaitway recipe, with a note on everything that is not simply carried over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast, get_args

from gaitway.data.partitions import list_partitions
from gaitway.interop.opengait_config import FRAME_KEYS, Effective, Part, PublishedConfig
from gaitway.interop.opengait_transforms import ONLY_LAYOUT, TRANSFORMS, WITH_JOINTS, WITHOUT_EFFECT, Component
from gaitway.interop.published import PUBLISHED_MODELS, model_from_config
from gaitway.interop.published.gaittr import SKELETONS as JOINT_FORMATS
from gaitway.models import MODELS
from gaitway.skeletons import COCO17, Skeleton, skeleton

Kind = Literal["dialect", "not carried over", "to fill in", "kept", "different here", "renamed", "dropped", "default"]


@dataclass(frozen=True)
class Note:
    """Something that a reader of an imported recipe should know.

    Args:
        kind: `kept`: surprising, but published so; `different here`: Gaitway has another way; `dropped`: the published
            code ignores it too; `default`: filled in from the defaults of the dialect.
        key: Where in the published file.
        text: What became of it.
    """

    kind: Kind
    key: str
    text: str


def to_recipe(config: PublishedConfig) -> tuple[dict[str, Any], list[Note]]:
    """Turn a published configuration into the values of a recipe.

    Returns:
        The recipe, and the notes, the important ones first.

    Raises:
        UnknownModelError: when Gaitway does not have the model.
        ValueError: when the configuration is contradictory or asks for something that cannot be left out.
    """
    try:
        return _convert(_Reading(config))
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{config.path}: a section lacks or misspells something: {error!r}") from error
    except ValueError as error:
        raise type(error)(f"{config.path}: {error}") from error


class _Reading:
    """Reads a merged configuration, remembers what was read, and collects notes."""

    def __init__(self, config: PublishedConfig) -> None:
        self.config = config
        self.given = dict(_leaves(config.given))
        self.read: dict[str, Any] = {}
        self.notes: list[Note] = []

    def __call__(self, key: str) -> Any:
        """The value of a key such as `trainer_cfg.total_iter`."""
        value: Any = self.config.merged
        for part in key.split("."):
            value = value[part]
        self.read[key] = value
        return value

    def arguments(self, where: str, part: Part) -> dict[str, Any]:
        """All arguments that a class accepts; a note on those that it drops."""
        self.read |= {f"{where}.{key}": value for key, value in part.arguments.items()}
        for key in part.dropped:
            self.read[f"{where}.{key}"] = None
            if f"{where}.{key}" in self.given:
                self.note_dropped(f"{where}.{key}", part)
        return dict(part.arguments)

    def note(self, kind: Kind, key: str, text: str) -> None:
        """Collect a note."""
        self.notes.append(Note(kind, key, text))

    def note_dropped(self, key: str, part: Part) -> None:
        """Collect a note on an argument that the published code drops."""
        self.note("dropped", key, f"{part.name} has no such argument; the published code ignores it too")

    def all_notes(self) -> list[Note]:
        """The notes, with those on keys that were not read and on defaults that were."""
        for key in self.given:
            if key in ELSEWHERE:
                self.note("different here", key, ELSEWHERE[key])
            elif key not in self.read and key.partition(".")[0] not in ("model_cfg", "loss_cfg"):
                if key.rpartition(".")[2] in FRAME_KEYS:
                    self.note("dropped", key, "not used with this sample_type")
                else:
                    self.note("not carried over", key, "a recipe has nothing for it")
        for key, value in self.read.items():
            if key not in self.given and value is not None and key not in ELSEWHERE:
                self.note("default", key, f"{value!r}, the default of {self.config.dialect}")
        return sorted(self.notes, key=lambda note: get_args(Kind).index(note.kind))


ELSEWHERE = {
    "data_cfg.dataset_root": "give the prepared data set as --data STORE",
    "data_cfg.num_workers": "frames come from a store, without worker processes",
    "data_cfg.cache": "--residency says where frames are kept",
    "data_cfg.remove_no_gallery": "the published code ignores it too",
    "trainer_cfg.restore_hint": "--resume goes on with a run, --init starts from weights",
    "trainer_cfg.restore_ckpt_strict": "--resume goes on with a run, --init starts from weights",
    "trainer_cfg.optimizer_reset": "--resume keeps the optimiser, --init starts a new one",
    "trainer_cfg.scheduler_reset": "--resume keeps the schedule, --init starts a new one",
    "trainer_cfg.save_name": "a run's folder is named when it is started",
    "trainer_cfg.find_unused_parameters": "Gaitway knows which models leave parameters unused",
    "evaluator_cfg.restore_hint": "gaitway evaluate takes a run or a checkpoint",
    "evaluator_cfg.restore_ckpt_strict": "gaitway evaluate takes a run or a checkpoint",
    "evaluator_cfg.save_name": "gaitway evaluate takes a run or a checkpoint",
    "evaluator_cfg.sampler.type": "every test sequence is embedded once",
    "evaluator_cfg.sampler.batch_size": "any number of sequences at once gives the same embeddings",
}
"""Keys that have no place in a recipe, and what stands in for them."""


def _convert(reading: _Reading) -> tuple[dict[str, Any], list[Note]]:
    config = reading.config
    reading.note("dialect", "", f"{config.dialect}: {config.reason}")
    model = model_from_config(config.model_cfg, _dataset_name(config))
    reading.read |= {
        key: reading.given[key] for key in ("retrain.search_network", "choice_max_num") if key in reading.given
    }
    num_classes = model.pop("num_classes", None)
    if num_classes is not None:
        text = f"{num_classes}; Gaitway counts the training subjects in the store"
        reading.note("different here", "model_cfg.SeparateBNNecks.class_num", text)
    if isinstance(config.merged["data_cfg"], list):
        raise ValueError(f"data_cfg lists several training sets; Gaitway trains {model['name']} on one")

    effective = config.effective()
    losses = convert_losses(effective.losses, has_classifier=num_classes is not None)
    published = PUBLISHED_MODELS[model["name"]]
    for prefix, loss in losses.items():
        output = published.output_of(model, prefix, effective.losses[prefix].name)
        losses[prefix] = loss | ({} if output is None else {"on": output})
    _note_on_losses(effective.losses, losses, reading)
    if not losses:
        raise ValueError(f"none of the losses {', '.join(effective.losses)} can be carried over")
    if model.get("bn_neck") and all(loss["name"] == "TripletLoss" for loss in losses.values()):
        model["bn_neck"] = False
        text = "left out, as by the published code where the triplet loss is the only one"
        reading.note("different here", "model_cfg.SeparateBNNecks", text)
    dataset = str(reading("data_cfg.dataset_name"))
    poses = _skeleton(model)
    evaluation = _evaluation(effective.evaluation, reading)
    recipe = {
        "description": f"{model['name']} on {dataset}, from {config.path.name}.",
        "model": model,
        "losses": losses,
        "data": {
            "dataset": _dataset(dataset),
            "partition": _partition(reading),
            **_frame_shape(poses, dataset, reading),
            **_min_frames(reading),
            **_first_subjects(reading),
        },
        "sampler": _sampler(effective.train_sampler, reading),
        "frames": _frames(effective.train_frames, reading),
        "transforms": [
            *map(dict, published.beforehand),
            *_transforms(effective.train_transforms, "trainer_cfg.transform", poses, reading),
        ],
        "optimizer": {
            "name": reading("optimizer_cfg.solver"),
            **reading.arguments("optimizer_cfg", effective.optimizer),
        },
        "schedule": {
            "name": reading("scheduler_cfg.scheduler"),
            **reading.arguments("scheduler_cfg", effective.scheduler),
        },
        "training": {
            "steps": reading("trainer_cfg.total_iter"),
            "precision": "fp16" if reading("trainer_cfg.enable_float16") else "32",
            **_clipping(reading),
            **_idle_gradients(model, reading),
            "sync_batch_norm": reading("trainer_cfg.sync_BN"),
            "frozen_batch_norm": reading("trainer_cfg.fix_BN"),
            "log_every": reading("trainer_cfg.log_iter"),
            "save_every": reading("trainer_cfg.save_iter"),
            "evaluate_every": _evaluate_every(evaluation["protocol"], reading),
        },
        "evaluation": {
            **evaluation,
            "transforms": [
                *map(dict, published.beforehand),
                *_test_transforms(effective, poses, reading),
            ],
            "precision": "fp16" if reading("evaluator_cfg.enable_float16") else "32",
            **_test_frames(effective.test_sampler, effective.test_frames, reading),
        },
    }
    return recipe, reading.all_notes()


def _skeleton(model: Component) -> Skeleton | None:
    """The skeleton that a model takes poses of, if it takes poses."""
    if cast(Any, MODELS[model["name"]]).modalities != ("poses",):
        return None
    return skeleton(model.get("skeleton", COCO17.name))


def _frame_shape(poses: Skeleton | None, dataset: str, reading: _Reading) -> Component:
    if poses is None:
        text = "data.frame_shape: the file does not say how large stored frames are; 64×64 assumed"
        reading.note("to fill in", "", text)
        return {}
    if poses is COCO17 and _dataset(dataset).startswith("oumvlp"):
        text = (
            "data.frame_shape: 17 joints, which the published code expects in converted files; prepare OUMVLP-Pose, "
            "which has 18, with --joints coco17"
        )
        reading.note("to fill in", "", text)
    return {"frame_shape": [poses.num_joints, 3]}


def _min_frames(reading: _Reading) -> Component:
    """Which sequences are too short to be used at all; OpenGait's files have the key, but its code does not read it."""
    if "frame_threshold" not in reading.config.merged["data_cfg"]:
        return {}
    threshold = reading("data_cfg.frame_threshold") or 0
    if reading.config.dialect != "fastposegait":
        reading.note("dropped", "data_cfg.frame_threshold", "the published code ignores it too")
        return {}
    if threshold <= 0:
        return {}
    text = f"data.min_frames = {threshold + 1}: shorter sequences are left out, in training and in testing"
    reading.note("renamed", "data_cfg.frame_threshold", text)
    return {"min_frames": threshold + 1}


def _dataset_name(config: PublishedConfig) -> str:
    data = config.merged["data_cfg"]
    return "" if isinstance(data, list) else str(data["dataset_name"])


SUPERVISED_CONTRASTIVE = {"SupConLoss_Re": "SupConLoss", "SupConLoss_Lp": "SupConDistanceLoss"}

OF_LOGITS = ("ArcFaceLoss", "CrossEntropyLoss")
"""Published losses that a model without a classifier cannot feed."""


def convert_losses(losses: Mapping[str, Part], *, has_classifier: bool) -> dict[str, Component]:
    """The losses that Gaitway has and the model can feed, by their `log_prefix`.

    Args:
        losses: As configured.
        has_classifier: Whether the model gives logits.
    """
    converted: dict[str, Component] = {}
    for prefix, part in losses.items():
        given = part.arguments
        weight = float(given.get("loss_term_weight", 1.0))
        if part.name == "TripletLoss":
            hinge = {"margin": given.get("margin", 0.2), "hard": given.get("is_hard_loss", False)}
            converted[prefix] = {"name": "TripletLoss", **hinge, "weight": weight}
        elif part.name in OF_LOGITS and has_classifier:
            smoothing = given.get("eps", 0.1) if given.get("label_smooth", True) else 0.0
            softmax = {"scale": float(given.get("scale", 16)), "label_smoothing": smoothing}
            margin = {"margin": given.get("margin", 0.5), "monotonic": False} if part.name == "ArcFaceLoss" else {}
            converted[prefix] = {"name": part.name, **margin, **softmax, "weight": weight}
        elif part.name in SUPERVISED_CONTRASTIVE:  # published without a weight
            loss = {"name": SUPERVISED_CONTRASTIVE[part.name], "temperature": given.get("temperature", 0.01)}
            converted[prefix] = {**loss, "weight": 1.0}
    return converted


def _note_on_losses(losses: Mapping[str, Part], converted: Mapping[str, Component], reading: _Reading) -> None:
    for prefix, part in losses.items():
        key = f"loss_cfg.{prefix}"
        if prefix not in converted and part.name in OF_LOGITS:
            reading.note("dropped", key, "the model has no classifier, so that the published code never computes it")
        elif prefix not in converted:
            reading.note("not carried over", key, f"{part.name}: Gaitway does not have it yet; the loss is left out")
        for dropped in part.dropped:
            if "loss_cfg" in reading.given or f"loss_cfg.{dropped}" in reading.given:
                reading.note_dropped(f"{key}.{dropped}", part)
        if "loss_term_weights" in part.dropped and prefix in converted:
            text = (
                f"losses.{prefix}.weight: 1.0 as in today's code, which ignores loss_term_weights; code from before "
                f"December 2021 trained with {part.dropped['loss_term_weights']}"
            )
            reading.note("to fill in", key, text)


def _sampler(part: Part, reading: _Reading) -> Component:
    given = reading.arguments("trainer_cfg.sampler", part)
    shuffle = given.get("batch_shuffle", False)
    match reading("trainer_cfg.sampler.type"):
        case "TripletSampler":
            num_subjects, num_sequences = given["batch_size"]
            sizes = {"num_subjects": num_subjects, "num_sequences": num_sequences}
            return {"name": "TripletSampler", **sizes, "shuffle": shuffle}
        case "RandomTripletSampler":
            limits = {"max_subjects": given.get("P_max") or None, "max_sequences": given.get("K_max") or None}
            return {"name": "RandomTripletSampler", "batch_size": given["batch_size"], **limits, "shuffle": shuffle}
        case "CommonSampler":
            reading.note("renamed", "trainer_cfg.sampler.type", "CommonSampler is RandomSampler here")
            return {"name": "RandomSampler", "batch_size": given["batch_size"]}
    raise ValueError(f"trainer_cfg.sampler.type {part.name!r}: Gaitway does not have this sampler yet")


FRAME_COUNTS = {
    "fixed": {"frames_num_fixed": "num"},
    "unfixed": {"frames_num_min": "min_num", "frames_num_max": "max_num"},
    "all": {"frames_all_limit": "limit"},
}
"""First half of a sample_type → the keys that it uses, published → ours."""


def _frames(given: Mapping[str, Any], reading: _Reading) -> Component:
    count, _, order = str(given["sample_type"]).partition("_")
    if count not in FRAME_COUNTS or order not in ("ordered", "unordered", "allordered"):
        raise ValueError(f"trainer_cfg.sampler.sample_type {given['sample_type']!r}: expected such as fixed_unordered")
    if order == "allordered" and count != "all":
        text = "the published code does not sort these frames, and the recipe does not either"
        reading.note("kept", "trainer_cfg.sampler.sample_type", text)
    names = FRAME_COUNTS[count] | ({"frames_skip_num": "skip"} if order == "ordered" and count != "all" else {})
    used = ["sample_type", *(key for key in names if key in given)]
    reading.read |= {f"trainer_cfg.sampler.{key}": given[key] for key in used}
    return {"count": count, "order": order} | {names[key]: given[key] for key in used[1:]}


def _test_transforms(effective: Effective, poses: Skeleton | None, reading: _Reading) -> list[Component]:
    """The transforms of test sequences, from the window of frames that the published code tests."""
    transforms = _transforms(effective.test_transforms, "evaluator_cfg.transform", poses, reading)
    if not _tests_a_window(effective.test_frames):
        return transforms
    if any(transform["name"] == "SelectSequenceCenter" for transform in transforms):
        return transforms  # the middle of the middle
    return [{"name": "SelectSequenceCenter", "num": effective.test_frames["frames_num_fixed"]}, *transforms]


def _test_frames(sampler: Part, given: Mapping[str, Any], reading: _Reading) -> Component:
    key = "evaluator_cfg.sampler"
    reading.arguments(key, sampler)
    reading.read[f"{key}.sample_type"] = given["sample_type"]
    limit = reading.read[f"{key}.frames_all_limit"] = given.get("frames_all_limit")
    if _tests_a_window(given):
        reading.read |= {f"{key}.{name}": given[name] for name in ("frames_num_fixed", "frames_skip_num")}
        text = (
            f"{given['frames_num_fixed']} frames from a random place, so that published results vary from run to run; "
            "Gaitway takes those in the middle of a sequence"
        )
        reading.note("different here", f"{key}.sample_type", text)
        return {}
    if not str(given["sample_type"]).startswith("all"):
        text = f"{given['sample_type']} tests random frames of a sequence; Gaitway tests whole sequences"
        reading.note("not carried over", f"{key}.sample_type", text)
    if limit is not None:
        return {"max_frames": limit}
    text = "not given, which means all frames; Gaitway takes the first 720 of a sequence"
    reading.note("different here", f"{key}.frames_all_limit", text)
    return {}


def _tests_a_window(given: Mapping[str, Any]) -> bool:
    """Whether a fixed number of consecutive frames is tested."""
    return bool(given["sample_type"] == "fixed_ordered" and given["frames_skip_num"] == 0)


def _transforms(parts: list[Part], key: str, poses: Skeleton | None, reading: _Reading) -> list[Component]:
    reading(key)
    converted = []
    for part in parts:
        for dropped in part.dropped:
            reading.note_dropped(f"{key}.{dropped}", part)
        if part.name in ONLY_LAYOUT:
            continue
        if part.name not in TRANSFORMS:
            reading.note(
                "not carried over", key, f"{part.name}: Gaitway does not have it yet; the transform is left out"
            )
            continue
        ours = TRANSFORMS[part.name](part.arguments)
        converted += ours
        names = " and ".join(component["name"] for component in ours)
        if names != part.name:
            reading.note("renamed", key, f"{part.name} is {names} here")
        form = part.arguments.get("joint_format", "coco")
        if poses is not None and part.name in WITH_JOINTS and JOINT_FORMATS[form] != poses.name:
            text = f"{part.name} takes {form} joints, the model {poses.name}; Gaitway goes by the number of joints"
            reading.note("different here", key, text)
        for name, harmless in WITHOUT_EFFECT.items():
            if part.arguments.get(name, harmless) != harmless:
                text = f"{part.name}.{name} = {part.arguments[name]}: Gaitway's {names} has no such option"
                reading.note("not carried over", key, text)
    return converted


def _dataset(name: str) -> str:
    """Our name of a data set; variants like `CASIA-B*` and `Gait3D-Parsing` share splits and protocol."""
    return name.lower().rstrip("*").replace("_", "-").removesuffix("-parsing")


def _partition(reading: _Reading) -> str:
    path = str(reading("data_cfg.dataset_partition"))
    name = _dataset(PurePosixPath(path).name.removesuffix(".json"))
    if name in list_partitions():
        reading.note("renamed", "data_cfg.dataset_partition", f"{path} is {name!r} here, which ships with Gaitway")
        return name
    if not Path(path).is_file():
        reading.note("to fill in", "data_cfg.dataset_partition", f"data.partition: give the path of {path}")
    return path


def _first_subjects(reading: _Reading) -> Component:
    """SPOSGait's first training subjects of a partition."""
    if "data_cfg.num_train" not in reading.given:
        return {}
    count = reading("data_cfg.num_train")
    reading.note("renamed", "data_cfg.num_train", f"data.first_subjects: the first {count} training subjects")
    return {"first_subjects": count}


def _clipping(reading: _Reading) -> Component:
    """SPOSGait's limit on gradients: on the norm of all, or on each element."""
    given = reading.config.merged["trainer_cfg"].get("clip_grad_cfg")
    if given is None:
        return {}
    reading("trainer_cfg.clip_grad_cfg")
    reading.read |= {f"trainer_cfg.clip_grad_cfg.{key}": value for key, value in given.items()}
    match given.get("type"):
        case "value":
            return {"clip_gradient_value": float(given.get("clip_value", 0.1))}
        case "norm" if given.get("norm_type", 2) == 2:
            return {"clip_gradient_norm": float(given.get("max_norm", 35))}
    raise ValueError(f"trainer_cfg.clip_grad_cfg {given}: expected type value, or type norm with norm_type 2")


def _idle_gradients(model: Component, reading: _Reading) -> Component:
    """What a supernet's weights do in steps that do not use them."""
    if "architecture" not in model or model["architecture"] is not None:
        return {}
    text = "training.idle_gradients: zero, as PyTorch before 2.0 had it, which this code base was written for"
    reading.note("kept", "optimizer_cfg", text)
    return {"idle_gradients": "zero"}


OWN_PROTOCOLS = {
    "GREW_submission": "grew",
    "identification_GREW_submission": "grew",
    "HID_submission": "hid",
    "evaluate_HID": "hid",
    "evaluate_Gait3D": "gait3d",
    "evaluation_Gait3D": "gait3d",
    "evaluate_CCPG": "ccpg",
    "evaluate_FreeGait": "freegait",
    "evaluate_CCGR_MINI": "ccgr-mini",
}
"""Published evaluation functions of one data set, and our protocols; the others go by the name of the data set."""

REAL_SCENE = {"grew": "grew/local", "0001-1000": "hid2021", "0001-1000-test": "hid2021/test"}
"""Data sets as `evaluate_real_scene` names them, and our protocols where they have other names."""

FOR_A_SERVER = ("grew", "hid")
"""Protocols that write a file for a test server and give no figures."""


def _evaluation(evaluation: Part, reading: _Reading) -> Component:
    """Protocol, distance and re-ranking."""
    reading.arguments("evaluator_cfg", evaluation)
    dataset = _dataset(str(reading("data_cfg.test_dataset_name")))
    function = str(reading("evaluator_cfg.eval_func"))
    if function in ("evaluate_real_scene", "identification_real_scene"):
        name = REAL_SCENE.get(dataset, dataset)
    else:
        name = OWN_PROTOCOLS.get(function, dataset)
    if evaluation.arguments.get("cross_view_gallery"):
        name += "/cross-view"
    reading.note("renamed", "evaluator_cfg.eval_func", f"{function} is the protocol {name!r}")
    found: Component = {
        "protocol": name,
        "distance": {"euc": "euclidean", "cos": "cosine"}[evaluation.arguments.get("metric", "euc")],
    }
    if name == "hid" and not evaluation.arguments.get("rerank", True):
        found["rerank"] = []  # the protocol re-ranks, as published by default
    return found


def _evaluate_every(protocol: str, reading: _Reading) -> int:
    save_every: int = reading("trainer_cfg.save_iter")
    if not reading("trainer_cfg.with_test"):
        return 0
    if protocol in FOR_A_SERVER:
        text = f"the protocol {protocol!r} gives no figures; `gaitway evaluate --submission FILE` writes its file"
        reading.note("different here", "trainer_cfg.with_test", text)
        return 0
    return save_every


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and their values; lists are values."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
