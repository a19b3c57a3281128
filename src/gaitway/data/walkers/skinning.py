"""From a pose to the places of a body's surface points: linear blend skinning as one matrix product."""

import numpy as np
import torch
from numpy.typing import NDArray

from gaitway.data.walkers.body import Body
from gaitway.data.walkers.skeleton import Pose


class Skin:
    """A body, ready to be posed many times."""

    def __init__(self, body: Body) -> None:
        homogeneous = np.concatenate([body.points, np.ones((len(body.points), 1))], axis=1)
        basis = np.einsum("ms,mj->sjm", body.weights, homogeneous).reshape(-1, len(body.points))
        self._basis = torch.from_numpy(basis.astype(np.float32))
        self._joints = body.joints

    def place(self, pose: Pose) -> NDArray[np.float32]:
        """Surface points `(3, t, m)` of t poses, in metres."""
        t, s = pose.joints.shape[:2]
        transforms = np.empty((3, t, s, 4), np.float32)
        transforms[..., :3] = pose.rotations.transpose(2, 0, 1, 3)
        offsets = pose.joints - np.einsum("tsij,sj->tsi", pose.rotations, self._joints)
        transforms[..., 3] = offsets.transpose(2, 0, 1)
        placed: NDArray[np.float32] = (torch.from_numpy(transforms.reshape(3 * t, -1)) @ self._basis).numpy()
        return placed.reshape(3, t, -1)
