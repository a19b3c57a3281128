"""The form in which walkers ship: a store of equally long sequences in one small file.

The file is an xz-compressed `.npz`. Silhouettes are bits, as in a compact store; joints are eighths of a pixel, each
as its difference from the frame before; confidences are fiftieths. The joints lose that much, nothing else is lost.
"""

from __future__ import annotations

import io
import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaitway.data.store import Store
from gaitway.data.store_writer import StoreWriter
from gaitway.data.walkers.writing import MODALITIES

_STEPS_PER_PIXEL, _STEPS_OF_CONFIDENCE = 8, 50


def pack(store: Store, file: str | Path) -> None:
    """Pack a store of walkers whose sequences are all equally long.

    Args:
        store: As `write_store` makes it.
        file: The packed file; overwritten.

    Raises:
        ValueError: when the sequences differ in length.
    """
    index = store.index
    lengths = np.unique(np.concatenate([index.num_frames[name] for name in MODALITIES]))
    if len(lengths) != 1:
        raise ValueError(
            f"{store.path} has sequences of {lengths[0]} to {lengths[-1]} frames, expected equally long ones; "
            "make the store with `gaitway data walkers`"
        )
    n, t = len(index), int(lengths[0])
    poses = np.asarray(store.stored("poses")).reshape(n, t, -1, 3).transpose(0, 2, 3, 1)  # (n, v, c, t)
    places = np.round(poses[:, :, :2] * _STEPS_PER_PIXEL).astype("<i2")
    buffer = io.BytesIO()
    np.savez(
        buffer,
        made=np.array(json.dumps(dict(store.manifest.made))),
        sequences=np.stack([index.subjects, index.conditions, index.views], axis=1),
        silhouettes=np.asarray(store.stored("silhouettes")).reshape(n, t, -1),
        places=np.diff(places, axis=3, prepend=np.int16(0)),
        confidences=np.round(poses[:, :, 2] * _STEPS_OF_CONFIDENCE).astype(np.uint8),
    )
    Path(file).write_bytes(lzma.compress(buffer.getvalue(), preset=9))


def unpack(file: Path, out: str | Path) -> Store:
    """Unpack a packed file into a store.

    Args:
        file: From `pack`.
        out: Folder of the store; must not exist.

    Raises:
        ValueError: when the file is damaged.
        OSError: when the disk is full.
    """
    try:
        with np.load(io.BytesIO(lzma.decompress(file.read_bytes())), allow_pickle=False) as arrays:
            packed: dict[str, NDArray[Any]] = dict(arrays)
    except (lzma.LZMAError, EOFError) as error:
        raise ValueError(f"{file} is damaged ({error}); install gaitway again") from error
    places = np.cumsum(packed["places"], axis=3, dtype=np.int16) / np.float32(_STEPS_PER_PIXEL)
    confidences = packed["confidences"][:, :, None] / np.float32(_STEPS_OF_CONFIDENCE)
    poses = np.concatenate([places, confidences], axis=2).transpose(0, 3, 1, 2).astype(np.float32)
    silhouettes = MODALITIES["silhouettes"]
    with StoreWriter(
        out, dataset="walkers", modalities=MODALITIES, made={"from": file.name, **json.loads(str(packed["made"]))}
    ) as writer:
        for row, (subject, condition, view) in enumerate(packed["sequences"].tolist()):
            frames = {"silhouettes": silhouettes.unpack(packed["silhouettes"][row]), "poses": poses[row]}
            writer.add(subject, condition, view, frames)
    return Store(out)
