"""SIFT features of the images of a cluster, in a COLMAP database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image  # noqa: F401 before pycolmap, which brings a zlib that Pillow must not bind to: writing a PNG would crash
import pycolmap
from jaxtyping import Bool, Float, UInt8

from s3d_splat.priors.geometry.options import ColmapOptions

_FINE_BELOW = 600  # pixels: images with a shorter longer side are searched at twice their size
_PEAK_THRESHOLD = 0.003  # under half of SIFT's default, for the faint texture of rooms
PREVIEW = 128  # features of an image that tell whether it looks like another
_PATIENCE = 4  # images that wait, extracted, for the database

Pixels = UInt8[np.ndarray, "h w 3"]
Sighting = tuple[Pixels, Bool[np.ndarray, "h w"] | None]  # an image, and its pixels that count (None: all)


@dataclass(frozen=True)
class Features:
    """Where an image has features, in its own pixels (first pixel centred at 0.5), and what they look like."""

    keypoints: Float[np.ndarray, "k 4"]  # x, y, scale, orientation
    descriptors: UInt8[np.ndarray, "k 128"]


class SiftExtractor:
    """Finds features; one extractor for each thread."""

    def __init__(self, options: ColmapOptions) -> None:
        self._options = options
        self._local = threading.local()

    def extract(self, image: Pixels, mask: Bool[np.ndarray, "h w"] | None = None) -> Features:
        """Features of an image, the largest first; those whose middle the mask leaves out are left out."""
        import cv2

        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        height, width = grey.shape
        shrink = min(1.0, self._options.max_image_size / max(height, width))
        if shrink < 1:
            size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        extractor = self._extractor(fine=max(grey.shape) < _FINE_BELOW)
        found, descriptors = extractor.extract(pycolmap.Bitmap.from_array(grey))
        keypoints = pycolmap.keypoints_to_matrix(found)[:, :4].astype(np.float32)
        ratio = np.array([width / grey.shape[1], height / grey.shape[0]])
        keypoints[:, :2] *= ratio
        keypoints[:, 2] *= ratio.mean()
        order = np.argsort(-keypoints[:, 2], kind="stable")
        if mask is not None:
            column, row = keypoints[order, :2].astype(np.int64).T
            order = order[mask[row.clip(0, height - 1), column.clip(0, width - 1)]]
        return Features(np.ascontiguousarray(keypoints[order]), np.ascontiguousarray(descriptors.data[order]))

    def _extractor(self, *, fine: bool) -> Any:
        """The extractor of this thread for small (`fine`) or large images."""
        name = "fine" if fine else "coarse"
        if not hasattr(self._local, name):
            options = pycolmap.FeatureExtractionOptions(num_threads=1)
            options.sift.first_octave = -1 if fine else 0
            options.sift.peak_threshold = _PEAK_THRESHOLD
            options.sift.max_num_features = self._options.max_features
            setattr(self._local, name, pycolmap.FeatureExtractor.create(options, pycolmap.Device.cpu))
        return getattr(self._local, name)


def extracted(
    count: int, read: Callable[[int], Sighting], extractor: SiftExtractor, threads: int
) -> Iterator[tuple[int, Features]]:
    """The features of images 0..count-1 in order, while others are being searched; few images are in memory at once."""

    def job(index: int) -> Features:
        return extractor.extract(*read(index))

    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, count, _PATIENCE):
            block = range(start, min(count, start + _PATIENCE))
            yield from zip(block, pool.map(job, block), strict=True)


def fill_database(
    path: Path, cameras: Sequence[Any], images: Iterator[tuple[int, Features]]
) -> list[UInt8[np.ndarray, "_ 128"]]:
    """Write cameras (one for each image; equal ones are shared) and features; image i is called `name_of(i)`.

    Returns:
        The descriptors of the `PREVIEW` largest features of every image, for finding images that look alike.
    """
    previews = []
    with pycolmap.Database.open(path) as database:
        rigs: dict[int, tuple[int, Any, int]] = {}
        for index, features in images:
            key = id(cameras[index])
            if key not in rigs:
                rigs[key] = _write_camera(database, cameras[index])
            camera_id, camera, rig_id = rigs[key]
            image_id = database.write_image(pycolmap.Image(name=name_of(index), camera_id=camera_id))
            database.write_keypoints(image_id, features.keypoints)
            database.write_descriptors(
                image_id, pycolmap.FeatureDescriptors(pycolmap.FeatureExtractorType.SIFT, features.descriptors)
            )
            frame = pycolmap.Frame(rig_id=rig_id)
            frame.add_data_id(pycolmap.data_t(camera.sensor_id, image_id))
            database.write_frame(frame)
            previews.append(features.descriptors[:PREVIEW])
    return previews


def name_of(index: int) -> str:
    """The name of an image in the database: lists of pairs are separated by spaces, which file names may hold."""
    return f"{index:06d}"


def _write_camera(database: Any, camera: Any) -> tuple[int, Any, int]:
    camera_id = database.write_camera(camera)
    stored = database.read_camera(camera_id)
    rig = pycolmap.Rig()
    rig.add_ref_sensor(stored.sensor_id)
    return camera_id, stored, database.write_rig(rig)
