"""Poses from the images alone, by structure from motion with COLMAP on the CPU."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.priors.geometry.base import Load
from s3d_splat.priors.geometry.options import ColmapOptions
from s3d_splat.priors.geometry.readout import posed_cluster
from s3d_splat.priors.geometry.sparse_model import SparseModel, read_model, write_model
from s3d_splat.types import Capture, CaptureCluster, CaptureView, PosedCluster

_LOG = logging.getLogger("s3d_splat")
_MIN_IMAGES = 3
_SEARCH_SHARE = 0.9  # of the time; the rest reads depths or colours


class ColmapGeometry:
    """Structure from motion, a cluster at a time.

    Known intrinsics are kept; where they are unknown, all images of one size share a camera with one focal length and one
    radial term, which is estimated. Depth images give the model its unit. Images that do not register are left out, and the
    log says how many.
    """

    name = "colmap"

    def __init__(self, options: ColmapOptions) -> None:
        self._options = options

    def check(self, capture: Capture) -> None:
        """pycolmap must be installed, and every cluster needs three images. Raises S3DError."""
        if importlib.util.find_spec("pycolmap") is None:
            raise S3DError(
                "structure from motion is not available",
                why="the package pycolmap is not installed",
                fix="pip install 's3d-splat[colmap]', or give poses with the capture",
            )
        for number, cluster in enumerate(capture.clusters):
            _enough(cluster, f"{capture.root}, cluster {number}")

    def pose(self, cluster: CaptureCluster, work: Path, load: Load, advance: Advance | None = None) -> PosedCluster:
        """Cameras of the largest model, in its gauge: the unit of the depth images, else one of no meaning.

        Where a posed image has no depth, the result carries the model's coloured points and `sparse` depths. The finished
        model is kept as `work/structure.npz`; a call with the same images and options takes it from there.

        Raises:
            S3DError: fewer than three images fit together, an image cannot be read, or the depth images are empty.
        """
        where = _enough(cluster, f"the {len(cluster.views)} images from {_first(cluster)}")
        steps = _Steps(advance, 10 * len(cluster.views))
        made_from = _fingerprint(cluster.views, self._options)
        model = read_model(work / "structure.npz", made_from)
        if model is None:
            with _writing(work):
                model = self._search(cluster.views, work, load, steps)
                write_model(work / "structure.npz", model, made_from)
        _report(cluster.views, model, where)
        return posed_cluster(
            cluster, model, load, lambda share: steps.at(_SEARCH_SHARE + (1 - _SEARCH_SHARE) * share), where
        )

    def _search(self, views: Sequence[CaptureView], work: Path, load: Load, steps: _Steps) -> SparseModel:
        from s3d_splat.priors.geometry.cameras import cameras_of, searched, sighting
        from s3d_splat.priors.geometry.mapping import map_images

        seen = [searched(view) for view in views]
        folder = work / ".partial-structure"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            cameras, is_known = cameras_of(views, seen, load), [view.lens is not None for view in views]
            model = map_images(
                folder,
                cameras,
                is_known,
                lambda index: sighting(seen[index], load),
                self._options,
                lambda share: steps.at(_SEARCH_SHARE * share),
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if model is None or model.is_posed.sum() < _MIN_IMAGES:
            raise S3DError(
                f"structure from motion found no common view in {len(views)} images ({views[0].name} to {views[-1].name})",
                why="neighbouring images must show the same textured things from different places, sharp and not black",
                fix="leave out blurred, black or blank images, take more images in between, or give poses with the capture",
            )
        return model


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Tells the user of a folder that cannot be written to; COLMAP's database does so by a RuntimeError."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "database" not in str(error).lower() and "sqlite" not in str(error).lower():
            raise
        raise S3DError(
            f"structure from motion cannot write to {folder}",
            why=str(error),
            fix="free disk space (about 2 MB an image) or choose another folder, and check that you may write there",
        ) from error


class _Steps:
    """Progress as whole steps."""

    def __init__(self, advance: Advance | None, total: int) -> None:
        self._advance, self._total = advance, total

    def at(self, share: float) -> None:
        if self._advance is not None:
            self._advance(min(self._total, int(share * self._total)), self._total)


def _first(cluster: CaptureCluster) -> str:
    return f"{cluster.views[0].name} to {cluster.views[-1].name}" if cluster.views else "an empty cluster"


def _enough(cluster: CaptureCluster, where: str) -> str:
    if len(cluster.views) < _MIN_IMAGES:
        raise S3DError(
            f"{where}: {len(cluster.views)} images are too few for structure from motion",
            why="poses follow from seeing the same points from several places",
            fix=f"give at least {_MIN_IMAGES} images (20 or more are better), or poses with the capture",
        )
    return where


def _fingerprint(views: Sequence[CaptureView], options: ColmapOptions) -> str:
    """A name for everything that the model depends on."""
    text = [repr(options)]
    for view in views:
        changed = os.stat(view.image_path) if view.image_path.exists() else None  # the loader says which file is missing
        state = None if changed is None else (changed.st_size, changed.st_mtime_ns)
        text.append(repr((view.name, view.width, view.height, view.lens, state, _mask_state(view.mask_path))))
    return hashlib.sha256("\n".join(text).encode()).hexdigest()


def _mask_state(path: Path | None) -> str | None:
    return None if path is None or not path.exists() else hashlib.sha256(path.read_bytes()).hexdigest()


def _report(views: Sequence[CaptureView], model: SparseModel, where: str) -> None:
    left_out = [view.name for view, posed in zip(views, model.is_posed, strict=True) if not posed]
    _LOG.info("colmap: posed %d of %s by %d points.", len(views) - len(left_out), where, len(model.points))
    if left_out:
        _LOG.warning("colmap: %d of %s are left out: %s", len(left_out), where, ", ".join(left_out))
