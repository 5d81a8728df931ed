"""Images that are looked at for places seen again: their corners, with depth, one vector to find them by, and their surface.

Sources: D. Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004; R. Arandjelovic and A. Zisserman,
"Three things everyone should know to improve object retrieval", CVPR 2012 (RootSIFT); H. Jegou et al., "Aggregating local
descriptors into a compact image representation", CVPR 2010 (VLAD).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from scipy.cluster.vq import kmeans2

from s3d_splat.alignment.matches import Measured, depth_at, unprojected
from s3d_splat.alignment.surfaces import Surface, surface_of
from s3d_splat.geometry.similarity import rotation_vectors
from s3d_splat.io.observations import load_colours
from s3d_splat.types import Camera

Advance = Callable[[int, int], None]

_CORNERS = 500  # most of an image
_TURN, _STEP = np.deg2rad(10.0), 0.1  # to the next keyframe: radians, or a share of the depth
_WORDS = 32  # of the vocabulary
_SAMPLED = 10_000  # descriptors that the vocabulary is made from


@dataclass(frozen=True)
class Keyframe:
    """One image: corners that have depth, in the axes of its camera and the unit of its cluster's gauge."""

    name: str
    image: int  # place among the posed images
    cluster: int  # whose depth it is
    camera: Camera
    pixels: Float[np.ndarray, "n 2"]
    points: Float[np.ndarray, "n 3"]
    descriptors: UInt8[np.ndarray, "n 128"]  # RootSIFT, 0..1 in 255 steps
    surface: Surface | None = None  # None: no dense depth


def choose(poses: Float[np.ndarray, "n 4 4"], unit: float) -> list[int]:
    """The images, in their order, that stand a tenth of the depth or 10 degrees from the last one chosen; and both ends.

    Args:
        poses: T_world_camera as far as they are known.
        unit: the median depth.
    """
    chosen = [0]
    for place in range(1, len(poses)):
        last, pose = poses[chosen[-1]], poses[place]
        turn = np.linalg.norm(rotation_vectors(last[:3, :3].T @ pose[:3, :3]))
        if turn > _TURN or np.linalg.norm(pose[:3, 3] - last[:3, 3]) > _STEP * unit or place == len(poses) - 1:
            chosen.append(place)
    return chosen


def read_keyframe(name: str, image: int, cluster: int, measured: Measured) -> Keyframe:
    """Corners and surface of one image.

    Raises:
        S3DError: a file is missing, unreadable, or of another size than the camera.
    """
    import cv2

    grey = cv2.cvtColor(load_colours(measured.frame).numpy(), cv2.COLOR_RGB2GRAY)
    detector = cv2.SIFT_create(nfeatures=_CORNERS, contrastThreshold=0.02)  # type: ignore[attr-defined] # not in its stubs
    corners, found = detector.detectAndCompute(grey, None)
    surface = surface_of(measured.frame)
    if found is None:
        return Keyframe(name, image, cluster, measured.frame.camera, *_nothing(), surface)
    pixels = np.array([corner.pt for corner in corners]) + 0.5  # pixel centres at +0.5
    root = np.sqrt(found / np.maximum(found.sum(1, keepdims=True), 1e-12))
    depth, confidence = depth_at(measured, pixels)
    kept = np.flatnonzero((depth > 0) & (confidence > 0.2))
    points = unprojected(measured.frame.camera, pixels[kept], depth[kept])
    descriptors = np.rint(root[kept] * 255).astype(np.uint8)
    return Keyframe(name, image, cluster, measured.frame.camera, pixels[kept], points, descriptors, surface)


def signatures(keyframes: Sequence[Keyframe], rng: np.random.Generator) -> Float[np.ndarray, "k d"]:
    """One unit vector for every keyframe, such that images of one place have a large inner product."""
    counts = np.array([len(keyframe.descriptors) for keyframe in keyframes])
    dimension = _WORDS * 128
    if counts.sum() < 2 * _WORDS:
        return np.zeros((len(keyframes), dimension), np.float32)
    each = max(1, _SAMPLED // max(int((counts > 0).sum()), 1))
    sampled = [
        frame.descriptors[rng.choice(len(frame.descriptors), min(each, len(frame.descriptors)), replace=False)]
        for frame in keyframes
        if len(frame.descriptors)
    ]
    data = np.concatenate(sampled).astype(np.float32) / 255
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a word that no descriptor is nearest to does no harm
        words, _ = kmeans2(data, _WORDS, iter=8, minit="++", seed=rng)
    return np.stack([_vlad(frame.descriptors.astype(np.float32) / 255, words) for frame in keyframes])


def _vlad(descriptors: Float[np.ndarray, "n 128"], words: Float[np.ndarray, "w 128"]) -> Float[np.ndarray, " d"]:
    vector = np.zeros_like(words)
    if len(descriptors):
        nearest = (descriptors @ words.T - 0.5 * np.square(words).sum(1)).argmax(1)
        np.add.at(vector, nearest, descriptors - words[nearest])
        vector /= np.maximum(np.linalg.norm(vector, axis=1, keepdims=True), 1e-12)  # each word counts alike
    flat = vector.ravel()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-12), np.float32)


def _nothing() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros((0, 2)), np.zeros((0, 3)), np.zeros((0, 128), np.uint8)
