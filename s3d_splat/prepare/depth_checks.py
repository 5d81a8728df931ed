"""Do given poses and given depth belong together? Depth is carried into other images, as given and as mistakes have it.

Whoever writes poses in other axes, or depth in another unit, gets a scene that agrees with itself in no two images. Of each
cluster a few images are compared with others: a point of depth d behind a pixel of one image, seen from another, must lie at
the depth that the other image has there. What counts is how many points agree, for the poses as given, for the poses under
each usual mistake, and for a range of factors on the depth. A small factor between two depth images is not held against
them: scales of estimated depth wander from image to image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from s3d_splat.errors import S3DError
from s3d_splat.geometry.cameras import opengl_from_opencv, project, ray_directions
from s3d_splat.types import Frame, PosedCluster

LoadDepth = Callable[[Frame], Float[Tensor, "h w"] | None]

NOISE = 0.01  # of the depth: a point that is off by this agrees by half, apart from
_COMMON = 0.15  # what the scales of two depth images may differ by
_REFERENCES = 4  # images of a cluster whose depth is carried over
_STEPS = (2, 6, 16)  # how many images on the one is that it is compared with
_SAMPLES = 300  # points of an image
_FACTORS = tuple(10 ** (step / 4) for step in range(-16, 17))  # 0.0001 to 10000
_CLEARLY = 1.3  # so many times the agreement, and
_ENOUGH = 0.08  # so large a share of all points, before the given values are called wrong
_EMPTY = 4.0  # so many times, if depth is to be far larger: too small a depth agrees nowhere, a huge one along every wall
_NEARLY = 0.8  # of the highest agreement: near enough for a simpler explanation
_UNIT = 5.0  # a smaller factor is noise or drift, not a unit
_COARSE = 20  # a median depth of fewer counts is stored too coarsely for any use


@dataclass(frozen=True)
class Reading:
    """One way to read a pose."""

    name: str  # for messages; how the poses seem to be written, if this is the reading that fits
    apply: Callable[[Float[Tensor, "4 4"]], Float[Tensor, "4 4"]]


@dataclass(frozen=True)
class Agreement:
    """How well depth and poses of a cluster agree, as shares of the points that were compared."""

    given: float
    best: float
    reading: str  # the best reading of the poses; "": as given
    factor: float  # the best factor on the depth

    @property
    def is_clear(self) -> bool:
        """Whether the best reading is so much better that the given one must be wrong."""
        clearly = _EMPTY if not self.reading and self.factor > _UNIT else _CLEARLY
        return self.best > _ENOUGH and self.best > clearly * self.given


@dataclass(frozen=True)
class _Pair:
    """Points of one image with depth, and the image that they are looked up in."""

    frame: Frame
    other: Frame
    rays: Float[Tensor, "n 3"]  # through the points, in the axes of the camera, one unit of depth long
    depth: Float[Tensor, " n"]
    other_depth: Float[Tensor, "h w"]


def check_depth(cluster: PosedCluster, number: int, format: str, load_depth: LoadDepth) -> Agreement | None:
    """Check the poses of a cluster against its depth.

    Args:
        number: of the cluster, for messages.
        format: the reader, which decides what the axes of the file should have been.
        load_depth: undistorted depth of a frame in units of the gauge, 0 = none; None where a frame has none.

    Returns:
        What was found, None where there is nothing to compare.

    Raises:
        S3DError: the depth is stored too coarsely; the poses agree with the depth in other axes, or inverted, and not as
            they are; or the depth has another unit than the poses.
    """
    pairs = list(_pairs(cluster, number, load_depth))
    if not pairs:
        return None
    found = agreement(pairs, readings(format))
    if found.is_clear and found.reading:
        raise _wrong_axes(number, found, format)
    if found.is_clear and not 1 / _UNIT < found.factor < _UNIT:
        raise _wrong_unit(number, found)
    return found


def readings(format: str) -> tuple[Reading, ...]:
    """The usual mistakes with poses. A turn or mirror of the whole world changes nothing, which leaves three."""
    wanted, other = ("OpenGL", "OpenCV") if _is_opengl(format) else ("OpenCV", "OpenGL")
    return (
        Reading("", lambda pose: pose),
        Reading(f"camera to world with {other} axes instead of {wanted} axes", opengl_from_opencv),
        Reading("world to camera with OpenCV axes", torch.linalg.inv),
        Reading("world to camera with OpenGL axes", lambda pose: opengl_from_opencv(torch.linalg.inv(pose))),
    )


def agreement(pairs: list[_Pair], candidates: tuple[Reading, ...]) -> Agreement:
    """The share of points that agree as given, and under the best of the candidates and factors."""
    total = sum(len(pair.depth) for pair in pairs)
    shares = {
        (reading.name, factor): sum(_agreeing(pair, reading, factor) for pair in pairs) / total
        for reading in candidates
        for factor in _FACTORS
    }
    enough = _NEARLY * max(shares.values())
    simplest = min((key for key in shares if shares[key] >= enough), key=lambda key: (_simplicity(key), -shares[key]))
    return Agreement(shares["", 1.0], shares[simplest], *simplest)


def _simplicity(key: tuple[str, float]) -> int:
    """Of explanations that do nearly as well, the simplest is believed: as given, another unit, other axes, both."""
    reading, factor = key
    return 2 * (reading != "") + (factor != 1.0)


def _pairs(cluster: PosedCluster, number: int, load_depth: LoadDepth) -> Iterator[_Pair]:
    frames = [frame for frame in cluster.frames if frame.depth_path is not None]
    places = sorted({round(i * (len(frames) - 1) / _REFERENCES) for i in range(_REFERENCES)}) if len(frames) > 1 else []
    for place in places:
        frame = frames[place]
        depth = load_depth(frame)
        if depth is None or not bool((depth > 0).any()):
            continue
        _check_counts(frame, depth, number)
        rays, values = _sampled(frame, depth)
        for other in (frames[place + step] for step in _STEPS if place + step < len(frames)):
            other_depth = load_depth(other)
            if other_depth is not None:
                yield _Pair(frame, other, rays, values, other_depth.double())


def _sampled(frame: Frame, depth: Float[Tensor, "h w"]) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"]]:
    identity = torch.eye(4, dtype=torch.float64)
    rays = ray_directions(replace(frame.camera, T_world_camera=identity))
    known = torch.nonzero(depth.reshape(-1) > 0).squeeze(1)
    chosen = known[:: max(1, len(known) // _SAMPLES)]
    return rays.reshape(-1, 3)[chosen], depth.reshape(-1)[chosen].double()


def _agreeing(pair: _Pair, reading: Reading, factor: float) -> float:
    """How many points agree; one that is off by the noise counts half."""
    pose = reading.apply(pair.frame.camera.T_world_camera.double())
    other_pose = reading.apply(pair.other.camera.T_world_camera.double())
    points = (factor * pair.depth)[:, None] * pair.rays @ pose[:3, :3].T + pose[:3, 3]
    pixels, z = project(points, replace(pair.other.camera, T_world_camera=other_pose))
    height, width = pair.other_depth.shape
    inside = (z > 0) & (pixels >= 0).all(1) & (pixels[:, 0] < width) & (pixels[:, 1] < height)
    column, row = pixels[inside].long().unbind(1)
    there = factor * pair.other_depth[row, column]
    ratio = z[inside][there > 0] / there[there > 0]
    if len(ratio) == 0:
        return 0.0
    common = ratio.median().clamp(1 / (1 + _COMMON), 1 + _COMMON)
    return float((1 / (1 + ((ratio / common - 1) / NOISE) ** 2)).sum())


def _check_counts(frame: Frame, depth: Float[Tensor, "h w"], number: int) -> None:
    counts = float(depth[depth > 0].median()) / frame.depth_scale
    if round(counts) < _COARSE:
        raise S3DError(
            f"cluster {number}, {frame.file_path}: half of the depth is at or below {counts:.0f} counts",
            why="depth images hold whole numbers: written in metres, nearly everything is rounded away",
            fix="write depth in millimetres (uint16) again, from the original values",
        )


def _wrong_axes(number: int, found: Agreement, format: str) -> S3DError:
    wanted = "OpenGL axes: x right, y up, z backward" if _is_opengl(format) else "OpenCV axes: x right, y down, z forward"
    steps = []
    if "world to camera" in found.reading:
        steps.append("invert the matrices")
    if ("OpenCV" if _is_opengl(format) else "OpenGL") in found.reading.split(" instead ")[0]:
        steps.append("negate the second and third column of the camera-to-world matrices")
    unit = "" if 1 / _UNIT < found.factor < _UNIT else f" (and with the depth multiplied by {factor_text(found.factor)})"
    return S3DError(
        f"the poses of cluster {number} are in the wrong axes: they fit as {found.reading}{unit}",
        why=f"carried into neighbouring images, {found.given:.0%} of the depth agrees with the poses as given, and"
        f" {found.best:.0%} if they are read like that",
        fix=f"write them as camera to world with {wanted}: {', then '.join(steps)}",
    )


def _wrong_unit(number: int, found: Agreement) -> S3DError:
    factor = factor_text(found.factor)
    return S3DError(
        f"the depth of cluster {number} is in the wrong unit: it fits the poses when multiplied by about {factor}",
        why=f"carried into neighbouring images, {found.given:.0%} of the depth agrees as given, and {found.best:.0%} with"
        " that factor",
        fix=f"multiply depth_scale (raw capture) or depth_unit_scale_factor (nerfstudio) by {factor}, or write the depth"
        " images or the poses again in the other's unit",
    )


def factor_text(factor: float) -> str:
    """A factor for people: usual ones are named exactly."""
    for usual in (0.001, 0.01, 0.1, 10.0, 100.0, 1000.0):
        if 1 / 1.8 < factor / usual < 1.8:
            return f"{usual:g}"
    return f"{factor:.2g}"


def _is_opengl(format: str) -> bool:
    return format in ("raw", "nerfstudio")
