"""Which of several people in a frame a sequence is of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from gaitway.data.datasets.pose_files import Joints, People
from gaitway.data.datasets.sources import SequenceKey

NUMBER_AT_END, FOUR_DIGITS = re.compile(r"(\d+)\.json$"), re.compile(r"\d{4}")


@dataclass(frozen=True, slots=True)
class BySilhouette:
    """Chooses the person whose joints lie on the silhouette (ShiqiYu/OpenGait issue 280; FastPoseGait issue 18).

    Args:
        silhouettes: Raw silhouettes of OUMVLP in the pixels of the poses, `Silhouette_000-00/00001/0001.png` or
            `00001/00/000/0001.png`.
    """

    silhouettes: Path

    def __post_init__(self) -> None:
        if not self.silhouettes.is_dir():
            raise FileNotFoundError(
                f"there is no folder {self.silhouettes}; give that of Silhouette_000-00 and its neighbours, unpacked"
            )

    def __call__(self, key: SequenceKey, name: str, people: People) -> int | None:
        """The place of the person in the list; None when there is no silhouette of the frame.

        Args:
            key: Subject, condition (sequence), view.
            name: Path of the frame's poses.
            people: Those in the frame, `(v, c)` each.

        Raises:
            ValueError: when the silhouette is damaged.
        """
        subject, sequence, view = key
        frame = f"{frame_of(name)}.png"
        for folder in (f"Silhouette_{view}-{sequence}/{subject}", f"{subject}/{sequence}/{view}"):
            file = self.silhouettes / folder / frame
            if file.is_file():
                silhouette = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
                if silhouette is None:
                    raise ValueError(f"{file} is damaged or no PNG ({file.stat().st_size} bytes)")
                return int(np.argmax([overlap(person, silhouette) for person in people]))
        return None


def frame_of(name: str) -> str:
    """The number of a frame of OUMVLP-Pose: `0021` of `0021_keypoints.json` and of `00001_0021.json`."""
    file = name.rpartition("/")[2]
    found = NUMBER_AT_END.search(file)
    if found:
        return found[1]
    four = FOUR_DIGITS.search(file)
    return four[0] if four else ""


def overlap(person: Joints, silhouette: npt.NDArray[np.generic]) -> float:
    """The sum of the grey values `(h, w)` under the joints `(v, c)`; minus infinity when one lies outside."""
    if not np.isfinite(person[:, :2]).all():
        return -np.inf
    x, y = np.trunc(person[:, :2]).astype(np.int64).T
    height, width = silhouette.shape
    if not ((x >= 0) & (x < width) & (y >= 0) & (y < height)).all():
        return -np.inf
    return float(silhouette[y, x].sum(dtype=np.float64))
