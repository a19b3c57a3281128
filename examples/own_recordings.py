"""Turn your own silhouettes (a picture per frame, white on black) into a store.

python examples/own_recordings.py RAW STORE        RAW/<person>/<walk>/<camera>/*.png
"""

import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from gaitway import Store, StoreWriter
from gaitway.data.pretreatment import DropReason, align_silhouette
from gaitway.data.store import FrameFormat, LeftOut


def main(raw: Path, out: Path) -> None:
    modalities = {"silhouettes": FrameFormat((64, 64))}
    with StoreWriter(out, dataset="mine", modalities=modalities, made={"raw": str(raw)}) as writer:
        for folder in sorted(path for path in raw.glob("*/*/*") if path.is_dir()):
            person, walk, camera = folder.relative_to(raw).parts
            if f"{person}-{walk}-{camera}" in writer:
                continue
            frames: list[np.ndarray] = []
            dropped: Counter[str] = Counter()
            for file in sorted(folder.glob("*.png")):
                picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
                aligned = align_silhouette(np.asarray(picture, np.uint8), 64)
                if isinstance(aligned, DropReason):
                    dropped[aligned] += 1
                else:
                    frames.append(aligned)
            stacked = np.stack(frames) if frames else np.zeros((0, 64, 64), np.uint8)
            writer.add(
                person, walk, camera, {"silhouettes": stacked}, [LeftOut("frames", *item) for item in dropped.items()]
            )
    print(f"{len(Store(out).index)} sequences in {out}; look at them: gaitway data show {out} --sheet sheet.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
