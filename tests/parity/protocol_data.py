"""Runs the cases `data_*` of the family `protocol`: from files to sequences."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gaitway.data.datasets.ccpg import CCPG
from gaitway.data.datasets.grew import grew
from gaitway.data.datasets.people import BySilhouette, frame_of
from gaitway.data.datasets.pose_files import read_people
from gaitway.data.datasets.poses import pose_sequence
from gaitway.data.datasets.silhouettes import RawSilhouettes, align_sequence
from gaitway.data.datasets.tree import class_label, find_sequences
from gaitway.data.pretreatment import DropReason, align_silhouette
from gaitway.skeletons import COCO17, OPENPOSE18
from tests.parity.case import Array, Case, Results


def silhouette_pretreatment(case: Case) -> Results:
    """Which frames survive, and the survivors, at every size."""
    outputs: dict[str, Array] = {}
    for size in (int(name.removeprefix("kept_")) for name in case.outputs if name.startswith("kept_")):
        aligned = [align_silhouette(case.inputs[name], size) for name in case.hyperparameters["frames"]]
        outputs[f"kept_{size}"] = np.array([not isinstance(result, DropReason) for result in aligned])
        outputs[f"sequence_{size}"] = np.stack([result for result in aligned if not isinstance(result, DropReason)])
    return outputs, {}


def silhouette_pretreatment_grew(case: Case) -> Results:
    """Frames as files, through the preparation of GREW."""
    files = {f"{number:05}.png": _png(frame) for number, frame in enumerate(case.inputs["frames"])}
    return {"sequence": _prepared(files, grew(), 64)}, {}


def ccpg_alignment(case: Case) -> Results:
    """Frames as files, through the preparation of CCPG."""
    files = {f"{n:02}.png": _png(case.inputs[name]) for n, name in enumerate(case.hyperparameters["frames"])}
    return {"aligned": _prepared(files, CCPG, 64)}, {}


def _prepared(files: Mapping[str, bytes], kind: RawSilhouettes, size: int) -> Array:
    return align_sequence(("a", "b", "c"), files, kind=kind, size=size).frames["silhouettes"]


def _png(frame: Array) -> bytes:
    return bytes(cv2.imencode(".png", frame)[1])


def sequence_index(case: Case) -> Results:
    """The rows of a tree's index and the set of labels, per setting."""
    outputs: dict[str, Array] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in case.hyperparameters["tree"]:
            path = root / name
            (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
            if not name.endswith("/"):
                path.touch()
        for number, setting in enumerate(case.hyperparameters["settings"]):
            rows, labels = _rows(root, case.hyperparameters["partition"], setting)
            outputs[f"{number}/rows"] = np.array(rows)
            outputs[f"{number}/label_set"] = np.array(sorted(labels))
    return outputs, {}


def pose_txt(case: Case) -> Results:
    """Text files, through the preparation of GREW."""
    files = {name: text.encode() for name, text in case.hyperparameters["files"].items()}
    return {"sequence": pose_sequence(("a", "b", "c"), files, target=COCO17).frames["poses"]}, {}


def oumvlp_pose_selection(case: Case) -> Results:
    """JSON files, through the preparation of OUMVLP-Pose, by the silhouette and without."""
    key = ("00001", "00", "000")
    files = {name: text.encode() for name, text in case.hyperparameters["files"].items()}
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "Silhouette_000-00" / "00001"
        raw.mkdir(parents=True)
        for name, silhouette in zip(case.hyperparameters["silhouette_names"], case.inputs["silhouettes"], strict=True):
            (raw / name).write_bytes(_png(silhouette))
        choose = BySilhouette(Path(folder))
        people = {name: read_people(name, content)[0] for name, content in sorted(files.items())}
        crowded = [name for name, found in people.items() if len(found) > 1]
        outputs: dict[str, Array] = {
            "index_frames": np.array([frame_of(name) for name in crowded]),
            "index_person": np.array([choose(key, name, people[name]) for name in crowded]),
            "sequence": pose_sequence(key, files, target=OPENPOSE18, choose=choose).frames["poses"],
            "first_person": pose_sequence(key, files, target=OPENPOSE18).frames["poses"],
        }
    return outputs, {}


def _rows(root: Path, partition: Mapping[str, list[str]], setting: Mapping[str, Any]) -> tuple[list[str], set[str]]:
    dataset, training = setting.get("dataset_name", "CASIA-B"), setting["training"]
    subjects = partition["TRAIN_SET" if training else "TEST_SET"]
    rows, labels = [], set()
    for sequence in find_sequences(root, dataset=dataset, subjects=subjects, data_in_use=setting.get("data_in_use")):
        label = class_label(
            sequence, dataset=dataset, training=training, self_supervised=setting.get("self_supervised", False)
        )
        if sequence.files:
            files = ",".join(file.name for file in sequence.files)
            rows.append("|".join((label, sequence.condition, sequence.view, files)))
            labels.add(label)
    return rows, labels


RUNNERS = {
    "data_ccpg_alignment": ccpg_alignment,
    "data_oumvlp_pose_selection": oumvlp_pose_selection,
    "data_pose_txt": pose_txt,
    "data_sequence_index": sequence_index,
    "data_silhouette_pretreatment": silhouette_pretreatment,
    "data_silhouette_pretreatment_grew": silhouette_pretreatment_grew,
}
