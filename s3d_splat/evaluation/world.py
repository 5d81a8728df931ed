"""Where the truth lies in a scene's world: a scene made from a capture has its own origin, axes and unit of length."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from s3d_splat.evaluation.geometry_files import read_poses
from s3d_splat.geometry.similarity import scale_of, similarity, transformed
from s3d_splat.geometry.similarity_fit import least_squares
from s3d_splat.metrics.trajectory import PoseAccuracy

_SAME = 1e-5  # metres, and parts of a rotation matrix: what rounding to 32 bits leaves of equal poses
_LINE = 0.02  # cameras on a line: they spread across it by less than this share of their spread along it
_PLACE = 1e-6  # cameras at one place: they spread by less than this share of their distance from the origin


@dataclass(frozen=True)
class TrueCameras:
    """The cameras of the truth, in its own order, with what the scene has of them; any one convention of camera axes."""

    truth: Float[np.ndarray, "n 4 4"]  # T_truth_camera
    scene: Float[np.ndarray, "n 4 4"]  # T_scene_camera
    is_posed: Bool[np.ndarray, " n"]  # the others are not in the scene


@dataclass(frozen=True)
class TruthPlacement:
    """How to bring the truth into the scene's world."""

    T_scene_truth: Float[np.ndarray, "4 4"] | None  # Sim(3); None: nobody knows
    reason: str = ""  # why nobody knows

    @property
    def is_same(self) -> bool:
        """Whether the truth is in the scene's world already."""
        return self.T_scene_truth is not None and np.array_equal(self.T_scene_truth, np.eye(4))

    @property
    def scale(self) -> float:
        """Units of the scene's world for one of the truth's."""
        return 1.0 if self.T_scene_truth is None or self.is_same else float(scale_of(self.T_scene_truth))

    def place(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Points of the truth in the scene's world, in their own type; the very same array where the worlds are one.

        Raises ValueError where nobody knows the way.
        """
        if self.T_scene_truth is None:
            raise ValueError(self.reason)
        if self.is_same:
            return points
        return transformed(self.T_scene_truth, points.astype(np.float64)).astype(points.dtype)


def true_cameras(root: Path) -> TrueCameras | None:
    """The cameras of `root/truth/transforms.json` and, matched by `file_path`, of `root/transforms.json`.

    Returns None where the scene has no true cameras.

    Raises:
        S3DError: a file is malformed, a pose is not finite or not rigid, a frame is there twice.
    """
    path = root / "truth" / "transforms.json"
    if not path.exists():
        return None
    truth, scene = read_poses(path), read_poses(root / "transforms.json")
    poses = np.stack([scene.get(name, np.eye(4)) for name in truth])
    return TrueCameras(np.stack(list(truth.values())), poses, np.array([name in scene for name in truth]))


def camera_metrics(cameras: TrueCameras | None) -> dict[str, float | None]:
    """`auc5 auc10 auc30 ate` of the scene's cameras (see `PoseAccuracy`); None without true cameras."""
    accuracy = PoseAccuracy()
    if cameras is not None:
        accuracy.update(cameras.scene, cameras.truth, cameras.is_posed)
    return accuracy.compute()


def truth_placement(cameras: TrueCameras | None) -> TruthPlacement:
    """The similarity from the truth to the scene, by least squares over the centres of the cameras of both.

    A scene without true cameras, and one whose poses are those of the truth, has the world of the truth. Cameras on one line
    leave the turn about it open: then the rotation is the mean of those between the cameras, and their centres give scale
    and shift. Cameras at one place leave the scale open: nobody knows.
    """
    if cameras is None:
        return TruthPlacement(np.eye(4))
    truth, scene = cameras.truth[cameras.is_posed], cameras.scene[cameras.is_posed]
    if len(truth) and np.abs(truth - scene).max() <= _SAME:
        return TruthPlacement(np.eye(4))
    if len(truth) == 0:
        return TruthPlacement(
            None, "no camera of truth/transforms.json is in the scene, so nobody knows where the truth lies"
        )
    source, target = truth[:, :3, 3], scene[:, :3, 3]
    if min(_spread(source)[0], _spread(target)[0]) <= _PLACE * max(1.0, np.abs(source).max(), np.abs(target).max()):
        many = f"all {len(truth)} cameras" if len(truth) > 1 else "the only camera"
        return TruthPlacement(
            None, f"{many} shared with truth/transforms.json stand at one place, which leaves the scale of the truth open"
        )
    along, across = _spread(source)[:2]
    if across > _LINE * along:
        return TruthPlacement(least_squares(source, target))
    return TruthPlacement(_along_line(truth, scene))


def _spread(centres: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " 3"]:
    """Standard deviations along the axes of most, of middle and of least spread."""
    offsets = centres - centres.mean(axis=0)
    return np.sqrt(np.maximum(np.linalg.eigvalsh(offsets.T @ offsets / len(centres))[::-1], 0.0))


def _along_line(truth: Float[np.ndarray, "n 4 4"], scene: Float[np.ndarray, "n 4 4"]) -> Float[np.ndarray, "4 4"]:
    """The similarity whose rotation is the chordal mean of those between the cameras (R. Hartley et al., "Rotation
    averaging", IJCV 2013, section 5.3)."""
    left, _, right = np.linalg.svd(np.einsum("nij,nkj->ik", scene[:, :3, :3], truth[:, :3, :3]))
    rotation = (left * [1.0, 1.0, np.sign(np.linalg.det(left @ right))]) @ right
    source, target = truth[:, :3, 3], scene[:, :3, 3]
    moved = (source - source.mean(axis=0)) @ rotation.T
    scale = float(np.sum(moved * (target - target.mean(axis=0))) / np.square(moved).sum())
    return similarity(scale, rotation, target.mean(axis=0) - scale * rotation @ source.mean(axis=0))
