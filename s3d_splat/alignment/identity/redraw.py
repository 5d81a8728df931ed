"""Masks drawn again: every image asks its neighbours which object they see at each of its surface points.

The surface behind a pixel is projected into a neighbouring image; where the depth there agrees, the neighbour's label is a
vote. Many masks of one object, each wrong at its border in its own way, make a better one, and one that dropped out comes
back. What the neighbours do not see (occluded, or outside) gets no vote from them, so nothing is drawn through a surface.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int, UInt16

from s3d_splat.types import Camera

_NEIGHBOURS = 64  # images that are asked
_REACH = 60  # images on either side that may be asked
_HELD = 400_000_000  # bytes of images that are held for that; large images ask fewer
_PROBES = 300  # surface points that tell how much of an image another one sees
_SEEN = 0.05  # of an image must be visible in another one for its votes
_DEPTH_TOLERANCE = 0.04  # of the depth: two looks at one surface
_POSE_NOISE = 0.1  # variance of the error of a projection, of that of a mask's border in the same image
_FARTHEST = 0.1  # times nearer: what is farther still has no less weight
_OWN_WEIGHT = 1.5  # votes of the image's own mask, which needs no projection
_VOID_WEIGHT = 0.1  # of a look that found no label: masks drop out more often than they appear from nothing
_SURE = 0.8  # of the votes for one label: the pixel is not contested
_ROUNDS = 4  # of weighing labels until their areas fit their votes
_GAIN = 1.6  # weight that a label may win or lose in that
_DENSE = 0.2  # of the pixels have depth; where few have, single pixels would be voted out of the masks around them
_FILL_SIZE = 3  # pixels: holes in the depth are filled over such a square


@dataclass(frozen=True)
class Look:
    """One image: its camera, its surface, and the labels (global ids, 0 = none) that each source gives."""

    index: int
    camera: Camera
    depth: Float[np.ndarray, "h w"]  # float32, 0 = none
    labels: tuple[UInt16[np.ndarray, " p"], ...]  # row-major
    is_test: bool = False
    names: Int[np.ndarray, " i"] = field(init=False)  # ids that occur

    def __post_init__(self) -> None:
        found = [np.flatnonzero(np.bincount(labels)) for labels in self.labels]
        object.__setattr__(self, "names", np.unique(np.concatenate([np.zeros(0, np.int64), *found])))


def reach(camera: Camera) -> int:
    """How many images of such a camera are held on either side of the one that is drawn."""
    each = camera.width * camera.height * (np.dtype(np.float32).itemsize + 2 * np.dtype(np.uint16).itemsize)
    return int(min(_REACH, max(1, _HELD // (2 * each))))


class Reprojection:
    """Carries pixels of one camera, with their depths, into another."""

    def __init__(self, camera: Camera, depth: Float[np.ndarray, " p"], pixels: Int[np.ndarray, " p"]) -> None:
        row, column = np.divmod(pixels, camera.width)
        self._pose = camera.T_world_camera.double().numpy()
        depth = depth.astype(np.float32)
        x = ((column + 0.5 - camera.cx) / camera.fx).astype(np.float32) * depth
        y = ((row + 0.5 - camera.cy) / camera.fy).astype(np.float32) * depth
        self._points = np.stack([x, y, depth])

    def agreeing(self, other: Look) -> tuple[Int[np.ndarray, " q"], Int[np.ndarray, " q"], Float[np.ndarray, " q"]]:
        """Which of the pixels (their places) the other image sees, the row-major pixels where it sees them, and how many
        times nearer it is."""
        camera = other.camera
        T_other_own = np.linalg.inv(camera.T_world_camera.double().numpy()) @ self._pose
        intrinsics = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1.0]])
        matrix = (intrinsics @ T_other_own[:3]).astype(np.float32)
        x, y, z = matrix[:, :3] @ self._points + matrix[:, 3:]
        scale = 1 / np.maximum(z, 1e-6)  # what is behind the camera lands far outside the image, or has the wrong depth
        column = np.floor(np.clip(x * scale, -1, camera.width)).astype(np.int32)
        row = np.floor(np.clip(y * scale, -1, camera.height)).astype(np.int32)
        # As unsigned numbers negative ones are too large.
        inside = (column.view(np.uint32) < camera.width) & (row.view(np.uint32) < camera.height)
        place = np.flatnonzero(inside)
        pixel = (row * np.int32(camera.width) + column)[place]
        nearer = z[place]
        agrees = np.abs(other.depth.ravel()[pixel] - nearer) < _DEPTH_TOLERANCE * nearer
        place = place[agrees]
        return place, pixel[agrees], self._points[2, place] * scale[place]


def redrawn(look: Look, others: list[Look]) -> Int[np.ndarray, "h w"]:
    """The labels (global ids, int32, 0 = none) of an image after the vote of itself and its neighbours; its own where it has
    no depth to ask them by."""
    shape = look.depth.shape
    depth = filled_holes(look.depth).ravel()
    known = np.flatnonzero(depth > 0)
    chosen = _neighbours(look, depth, known, others)
    own = _own_labels(look)
    if not chosen or _DENSE * look.depth.size > len(known):
        return own.reshape(shape)
    names = np.unique(np.concatenate([[0], *(item.names for item in [look, *chosen])]))
    compact = np.zeros(int(names[-1]) + 1, dtype=np.int64)
    compact[names] = np.arange(len(names))
    votes = np.zeros((len(names), len(known)), dtype=np.float32)
    ballot = votes.ravel()
    start = compact * len(known)  # of each label's row
    for labels in look.labels:
        ballot[start[labels[known]] + np.arange(len(known))] += _OWN_WEIGHT / len(look.labels)
    warp = Reprojection(look.camera, depth[known], known)
    for other in chosen:
        place, pixel, nearness = warp.agreeing(other)
        weight = _weight(nearness) / np.float32(len(other.labels))
        for labels in other.labels:
            ballot[start[labels[pixel]] + place] += weight
    votes[0] *= _VOID_WEIGHT
    result = own.copy()
    result[known] = names[_elected(votes)]
    return result.reshape(shape)


def _elected(votes: Float[np.ndarray, "k p"]) -> Int[np.ndarray, " p"]:
    """The label (row) of each pixel, such that labels cover about as many pixels as they have votes for.

    The border of a mask is wrong in its own way in every image, so that a thin object has no majority anywhere, though it
    has its area in every image. Where pixels are contested, the votes of labels that come out too small gain weight, and
    of those that come out too large lose it.
    """
    total = np.maximum(votes.sum(axis=0), 1e-6)
    first = votes.argmax(axis=0)
    contested = np.flatnonzero(votes[first, np.arange(len(first))] < _SURE * total)
    shares = votes[:, contested] / total[contested]
    mass = shares.sum(axis=1)
    gain = np.ones(len(votes), dtype=np.float32)
    winners = first[contested]
    for _ in range(_ROUNDS):
        area = np.bincount(winners, minlength=len(votes))
        gain = np.clip(gain * np.sqrt((mass + 1) / (area + 1)), 1 / _GAIN, _GAIN)
        winners = (shares * gain[:, None]).argmax(axis=0)
    first[contested] = winners
    return first


def filled_holes(depth: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Depth in which a pixel without any takes the mean of the known ones around it, if they are at least four of eight."""
    import cv2

    known = (depth > 0).astype(np.float32)
    count = cv2.boxFilter(known, -1, (_FILL_SIZE, _FILL_SIZE), normalize=False)
    total = cv2.boxFilter(depth, -1, (_FILL_SIZE, _FILL_SIZE), normalize=False)
    enough = (known == 0) & (count >= 4)
    return np.where(enough, total / np.maximum(count, 1), depth)


def _weight(nearness: Float[np.ndarray, " q"]) -> Float[np.ndarray, " q"]:
    """Of a look from so many times nearer: the inverse of its variance in pixels here.

    An error of some pixels at the border of a mask there is so many times smaller here; what poses add is not.
    """
    return 1 / (1 / np.maximum(nearness, _FARTHEST) ** 2 + _POSE_NOISE)


def _own_labels(look: Look) -> Int[np.ndarray, " p"]:
    """The labels of the first source that has one, pixel by pixel."""
    result = np.zeros(look.depth.size, dtype=np.int32)
    for labels in look.labels:
        result = np.where(result == 0, labels, result)
    return result


def _neighbours(look: Look, depth: Float[np.ndarray, " p"], known: Int[np.ndarray, " k"], others: list[Look]) -> list[Look]:
    """The images that see most of this one's surface, and see it from near."""
    probes = known[:: max(1, len(known) // _PROBES)]
    if not len(probes):
        return []
    warp = Reprojection(look.camera, depth[probes], probes)
    shares = [float(_weight(warp.agreeing(other)[2]).sum()) / len(probes) if len(other.names) else 0.0 for other in others]
    order = sorted(range(len(others)), key=lambda k: (-shares[k], abs(others[k].index - look.index)))
    return [others[k] for k in order[:_NEIGHBOURS] if shares[k] >= _SEEN]
