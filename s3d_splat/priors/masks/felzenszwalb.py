"""Regions of even colour and depth: masks without any learned weights, one frame at a time.

Source: P. Felzenszwalb and D. Huttenlocher, "Efficient graph-based image segmentation", IJCV 2004 (scikit-image).
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.priors.masks.base import Load, Save
from s3d_splat.priors.masks.options import FelzenszwalbOptions
from s3d_splat.types import Capture, ClassInfo, Frame, InstanceInfo, PosedCluster

SEGMENT = ClassInfo(1, "segment", is_thing=True)
"""The class of every region: nothing is known of what it shows."""
_LARGEST_ID = 65535  # 16 bits
# Measured on a kitchen at 320 and 640 pixels wide: as many regions, that fit its objects as well, if only the blur grows.
_SCALE = 300.0  # skimage's
_BLUR_AT_320 = 0.8  # pixels, for an image 320 pixels wide; it grows with the root of the width
_CLEAR_STEP = 0.05  # of the depth, between neighbouring pixels
_ON_A_STEP = 0.5
_THIN_AT_320 = 1.5  # pixels from the rim to the middle, for an image 320 pixels wide


class FelzenszwalbMasks:
    """Cuts every frame for itself; a region has one id, and no id occurs in two frames."""

    name = "felzenszwalb"
    title = "felzenszwalb (no learned weights: regions of even colour, not objects)"

    def __init__(self, options: FelzenszwalbOptions) -> None:
        self._options = options

    def check(self, capture: Capture) -> None:
        """scikit-image must be installed. Raises S3DError."""
        if importlib.util.find_spec("skimage") is None:
            raise S3DError(
                "masks cannot be made from colours",
                why="the package scikit-image is not installed",
                fix="pip install scikit-image, or add instance images to the capture",
            )

    def segment(
        self, cluster: PosedCluster, work: Path, load: Load, save: Save, advance: Advance | None = None
    ) -> PosedCluster:
        """Write a mask for every frame, in `work`, called like the image (its suffix included) with `.png` behind.

        The frames of a cluster share the 16 bits of its ids evenly: a frame that has more regions than its share (65535 /
        frames) keeps the largest, and the rest is unlabelled.

        Raises:
            S3DError: an image cannot be read, a mask cannot be written, or there are over 65535 frames.
        """
        frames = cluster.frames
        share = _LARGEST_ID // max(1, len(frames))
        if share == 0:
            raise S3DError(
                f"a cluster of {len(frames)} frames is too large for 16-bit ids",
                why="every frame needs ids of its own",
                fix=f"make clusters of at most {_LARGEST_ID} frames",
            )
        masked, table = [], []
        for index, regions in enumerate(self._regions(frames, load, share)):
            path = work / f"{Path(frames[index].file_path).name}.png"
            save(path, torch.from_numpy(np.where(regions > 0, regions + index * share, 0).astype(np.int32)))
            masked.append(replace(frames[index], instance_path=path))
            ids = range(index * share + 1, index * share + int(regions.max()) + 1)
            table += [InstanceInfo(id, SEGMENT.id, SEGMENT.name, SEGMENT.is_thing, score=1.0) for id in ids]
            if advance is not None:
                advance(index + 1, len(frames))
        return replace(cluster, frames=tuple(masked), instances=tuple(table))

    def _regions(self, frames: tuple[Frame, ...], load: Load, limit: int) -> Iterator[Int[np.ndarray, "h w"]]:
        """The regions of every frame, in order, as the stored image shows them; a few frames are worked on at once."""

        def job(frame: Frame) -> Int[np.ndarray, "h w"]:
            seen = load(replace(frame, lens=None, instance_path=None))
            depth = None if seen.depth is None else seen.depth.numpy()
            return largest_first(regions(seen.image.numpy(), depth, self._options), limit)

        threads = max(1, self._options.threads)
        with ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(frames), threads):
                with warnings.catch_warnings():  # skimage is told about the fourth channel, and still wonders
                    warnings.simplefilter("ignore", RuntimeWarning)
                    done = list(pool.map(job, frames[start : start + threads]))
                yield from done


def regions(
    image: UInt8[np.ndarray, "h w 3"], depth: Float[np.ndarray, "h w"] | None, options: FelzenszwalbOptions
) -> Int[np.ndarray, "h w"]:
    """Regions (numbers from 0, with gaps) of an image that border on each other where colour or depth changes.

    Args:
        depth: any unit, 0 = none; only its relative steps count.
    """
    steps = np.zeros(image.shape[:2])
    channels = image.astype(np.float64) / 255
    if depth is not None and depth.any() and options.depth_weight > 0:
        steps = depth_steps(depth)
        channels = np.dstack([channels, options.depth_weight * steps])
    found = _segmented(channels, options)
    # Pixels along a step or an edge that the blur has widened would be regions of their own.
    return nearest(found, (steps < _ON_A_STEP) & ~is_thin(found, _THIN_AT_320 * image.shape[1] / 320))


def is_thin(regions: Int[np.ndarray, "h w"], radius: float) -> Bool[np.ndarray, "h w"]:
    """Which pixels belong to a region without any pixel further than `radius` pixels from its rim."""
    from scipy.ndimage import distance_transform_edt, maximum

    padded = np.pad(regions, 1, mode="edge")
    inner = padded[1:-1, 1:-1]
    is_rim = np.zeros(regions.shape, bool)
    for neighbour in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        is_rim |= neighbour != inner
    depth_inside = distance_transform_edt(~is_rim) if is_rim.any() else np.full(regions.shape, np.inf)
    return (maximum(depth_inside, regions, np.arange(regions.max() + 1)) <= radius)[regions]


def _segmented(channels: Float[np.ndarray, "h w c"], options: FelzenszwalbOptions) -> Int[np.ndarray, "h w"]:
    from skimage.segmentation import felzenszwalb

    height, width, _ = channels.shape
    return felzenszwalb(
        channels,
        scale=_SCALE * options.scale,
        sigma=_BLUR_AT_320 * (width / 320) ** 0.5,
        min_size=max(1, round(options.smallest * height * width)),
        channel_axis=-1,
    )


def depth_steps(depth: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """How far a depth image (any unit, 0 = none) departs from a plane: 0 on any plane, however slanted, 1 at a clear step.

    The inverse depth of a plane is linear in pixels, so that its second difference sees steps and creases only. Holes take
    the depth of the nearest pixel that has one.
    """
    from scipy.ndimage import median_filter

    inverse = 1 / median_filter(nearest(depth, depth > 0).astype(np.float64), 3)
    padded = np.pad(inverse, 1, mode="reflect", reflect_type="odd")  # goes on straight beyond the border
    down = padded[2:, 1:-1] - 2 * inverse + padded[:-2, 1:-1]
    across = padded[1:-1, 2:] - 2 * inverse + padded[1:-1, :-2]
    return np.clip(np.maximum(np.abs(down), np.abs(across)) / inverse / _CLEAR_STEP, 0, 1)


def nearest(values: Shaped[np.ndarray, "h w"], is_sound: Bool[np.ndarray, "h w"]) -> Shaped[np.ndarray, "h w"]:
    """The values, each that is not sound replaced by the nearest sound one; as they are if none is."""
    from scipy.ndimage import distance_transform_edt

    if not is_sound.any():
        return values
    return values[tuple(distance_transform_edt(~is_sound, return_distances=False, return_indices=True))]


def largest_first(regions: Int[np.ndarray, "h w"], limit: int) -> Int[np.ndarray, "h w"]:
    """Regions numbered 1, 2, ... by falling size; those beyond `limit` become 0."""
    order = np.argsort(-np.bincount(regions.ravel()), kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    return np.where(rank <= limit, rank, 0)[regions]
