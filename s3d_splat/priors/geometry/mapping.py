"""COLMAP's pipeline on the images of one cluster: features, matches, incremental mapping.

Source: J. Schönberger and J.-M. Frahm, "Structure-from-motion revisited", CVPR 2016 (pycolmap).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image  # noqa: F401 before pycolmap: see features.py
import pycolmap
from jaxtyping import Float

from s3d_splat.priors.geometry.features import SiftExtractor, Sighting, extracted, fill_database, name_of
from s3d_splat.priors.geometry.options import ColmapOptions
from s3d_splat.priors.geometry.pairs import candidate_pairs
from s3d_splat.priors.geometry.sparse_model import SparseModel

_PAIRS_AT_ONCE = 100  # between two reports of progress
_SMALLEST_MODEL = 3  # images

Report = Callable[[float], None]
"""Takes the share that is done, 0..1."""


def map_images(
    folder: Path,
    cameras: Sequence[Any],
    is_known: Sequence[bool],
    read: Callable[[int], Sighting],
    options: ColmapOptions,
    report: Report,
) -> SparseModel | None:
    """The largest model that the images allow; None if no two of them fit together. The same seed gives the same model.

    Args:
        folder: an empty one, for the database.
        cameras: one pycolmap.Camera for each image; images of one camera share the object. Its parameters are the start.
        is_known: which cameras are kept as they are.
        read: gives the pixels of an image and its mask by its number.
    """
    count = len(cameras)
    with _quiet():
        database = _matched(folder, cameras, read, options, lambda share: report(2 * share / 3))
        model = _map(database, folder, is_known, options, _counter(lambda done: report((2 + min(1, done / count)) / 3)))
    return None if model is None else _arrays(model, count)


def triangulate_images(
    folder: Path,
    cameras: Sequence[Any],
    T_model_camera: Float[np.ndarray, "n 4 4"],
    read: Callable[[int], Sighting],
    options: ColmapOptions,
    report: Report,
) -> SparseModel:
    """The points that images of known cameras have in common, none if they do not fit together; the poses are kept.

    Args:
        folder: an empty one, for the database.
        cameras: one pycolmap.Camera for each image, kept as it is; images of one camera share the object.
        T_model_camera: the pose of each image.
        read: gives the pixels of an image and its mask by its number.
    """
    with _quiet():
        database = _matched(folder, cameras, read, options, report)
        settings = pycolmap.IncrementalPipelineOptions(num_threads=1, random_seed=options.seed, extract_colors=False)
        model = pycolmap.triangulate_points(_posed(database, T_model_camera), database, folder, folder, options=settings)
    return _arrays(model, len(cameras))


def _posed(database: Path, T_model_camera: Float[np.ndarray, "n 4 4"]) -> Any:
    """The images of a database with their poses, as a model without points."""
    model = pycolmap.Reconstruction()
    with pycolmap.Database.open(database) as opened:
        images = opened.read_all_images()
        for camera in opened.read_all_cameras():
            model.add_camera(camera)
        for rig in opened.read_all_rigs():
            model.add_rig(rig)
        number = {image.frame_id: int(image.name) for image in images}
        for frame in opened.read_all_frames():
            frame.rig_from_world = pycolmap.Rigid3d(np.linalg.inv(T_model_camera[number[frame.frame_id]])[:3])
            model.add_frame(frame)
    for image in images:
        model.add_image(image)
    return model


def _matched(
    folder: Path, cameras: Sequence[Any], read: Callable[[int], Sighting], options: ColmapOptions, report: Report
) -> Path:
    """The database with features and verified matches."""
    count, database = len(cameras), folder / "database.db"
    images = extracted(count, read, SiftExtractor(options), options.threads)
    descriptors = fill_database(database, cameras, _reported(images, lambda done: report(done / count / 2)))
    pairs = candidate_pairs(descriptors, options)
    _match(database, pairs, folder, options, lambda share: report((1 + share) / 2))
    return database


def _match(database: Path, pairs: Sequence[tuple[int, int]], folder: Path, options: ColmapOptions, report: Report) -> None:
    matching = pycolmap.FeatureMatchingOptions(num_threads=options.threads)
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = options.seed
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        part = pairs[start : start + _PAIRS_AT_ONCE]
        path = folder / "pairs.txt"
        path.write_text("".join(f"{name_of(first)} {name_of(second)}\n" for first, second in part))
        pycolmap.match_image_pairs(
            database,
            matching_options=matching,
            pairing_options=pycolmap.ImportedPairingOptions(match_list_path=path),
            verification_options=verification,
            device=pycolmap.Device.cpu,
        )
        report((start + len(part)) / len(pairs))


def _map(
    database: Path, folder: Path, is_known: Sequence[bool], options: ColmapOptions, registered: Callable[[], None]
) -> Any | None:
    settings = pycolmap.IncrementalPipelineOptions(
        num_threads=1,  # with more, the same seed does not always give the same model, and little time is saved
        random_seed=options.seed,
        min_model_size=min(_SMALLEST_MODEL, len(is_known)),
        extract_colors=False,
        # A global adjustment after every 40 % more images and twice at most: a third of the time at the same accuracy.
        ba_global_frames_ratio=1.4,
        ba_global_points_ratio=1.4,
        ba_global_max_refinements=2,
        ba_local_max_refinements=1,
    )
    with pycolmap.Database.open(database) as opened:
        cameras = {image.camera_id: is_known[int(image.name)] for image in opened.read_all_images()}
    settings.constant_cameras = {camera for camera, known in cameras.items() if known}
    models = pycolmap.incremental_mapping(
        database, folder, folder / "models", settings, next_image_callback=registered, initial_image_pair_callback=registered
    )
    return max(models.values(), key=lambda model: model.num_reg_images(), default=None)


def _arrays(model: Any, count: int) -> SparseModel:
    poses, is_posed, lenses = np.tile(np.eye(4), (count, 1, 1)), np.zeros(count, bool), np.zeros((count, 5))
    rows = {identifier: row for row, identifier in enumerate(sorted(model.points3D))}
    views, points, directions = [], [], []
    for image in sorted((image for image in model.images.values() if image.has_pose), key=lambda image: image.name):
        index, camera = int(image.name), image.camera
        poses[index, :3] = image.cam_from_world().inverse().matrix()
        is_posed[index] = True
        lenses[index] = _lens(camera)
        seen = [observed for observed in image.points2D if observed.has_point3D()]
        points.append(np.array([rows[observed.point3D_id] for observed in seen], np.int64))
        views.append(np.full(len(seen), index, np.int64))
        directions.append(camera.cam_from_img(np.array([observed.xy for observed in seen]).reshape(-1, 2)))
    return SparseModel(
        T_model_camera=poses,
        is_posed=is_posed,
        lens=lenses,
        points=np.array([model.points3D[identifier].xyz for identifier in rows]).reshape(-1, 3),
        view=np.concatenate(views),
        point=np.concatenate(points),
        direction=np.concatenate(directions),
    )


def _lens(camera: Any) -> list[float]:
    bend = float(camera.params[camera.extra_params_idxs()[0]]) if len(camera.extra_params_idxs()) else 0.0
    return [camera.focal_length_x, camera.focal_length_y, camera.principal_point_x, camera.principal_point_y, bend]


def _reported(images: Iterator[Any], done: Callable[[int], None]) -> Iterator[Any]:
    for number, image in enumerate(images, start=1):
        yield image
        done(number)


def _counter(done: Callable[[int], None]) -> Callable[[], None]:
    calls = iter(range(1, 1 << 30))
    return lambda: done(next(calls))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the log of COLMAP on standard error, except for errors."""
    before = pycolmap.logging.minloglevel
    pycolmap.logging.minloglevel = int(pycolmap.logging.Level.ERROR)
    try:
        yield
    finally:
        pycolmap.logging.minloglevel = before
