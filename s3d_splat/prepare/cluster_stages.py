"""The stages that work on each cluster by itself: cameras, depth and masks, wherever an executor runs them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.executors.base import Executor
from s3d_splat.io.images import write_image
from s3d_splat.io.observations import load_depth, load_observation
from s3d_splat.io.results import write_id_png
from s3d_splat.prepare.capture_checks import check_masks, check_surfaces, tell_unused_poses
from s3d_splat.prepare.depth_checks import check_depth
from s3d_splat.prepare.options import PrepareOptions
from s3d_splat.prepare.parts import Part
from s3d_splat.prepare.workspace import Workspace
from s3d_splat.prepare.world_unit import fits_millimetres
from s3d_splat.priors.geometry.base import GeometryPrior
from s3d_splat.priors.geometry.dense.densify import densify
from s3d_splat.priors.geometry.dense.triangulation import can_triangulate, triangulated
from s3d_splat.priors.geometry.options import GeometryOptions
from s3d_splat.priors.geometry.registry import make_geometry_prior
from s3d_splat.priors.masks.base import MaskPrior
from s3d_splat.priors.masks.options import MaskOptions
from s3d_splat.priors.masks.registry import make_mask_prior
from s3d_splat.types import Capture, CaptureCluster, PosedCluster

log = logging.getLogger("s3d_splat")


def choose_priors(capture: Capture, options: PrepareOptions) -> tuple[GeometryPrior, MaskPrior]:
    """Where cameras and masks come from: what the options say, or what the capture brings.

    Raises:
        S3DError: a prior cannot work on the capture, or its weights or its package are missing.
    """
    geometry = make_geometry_prior(_geometry_options(options), capture)
    masks = make_mask_prior(_mask_options(options), capture)
    log.info("geometry: %s", geometry.name)
    log.info("masks: %s", masks.title)
    if geometry.name == "given" and not _wants_depth(capture, options):
        check_surfaces(capture)
    else:
        tell_unused_poses(capture)
    if masks.name == "given":
        check_masks(capture)
    return geometry, masks


def posed_clusters(
    work: Workspace,
    capture: Capture,
    clusters: Sequence[CaptureCluster],
    prior: GeometryPrior,
    options: PrepareOptions,
    executor: Executor,
) -> tuple[PosedCluster, ...]:
    """Every cluster with cameras; those of which no image could be posed are left out."""
    chosen = _chosen(prior, options)
    parts = [
        Part(_title("cameras", number, clusters), chosen, partial(_pose, prior, cluster, number, capture.format))
        for number, cluster in enumerate(clusters)
    ]
    posed = work.parts("geometry", parts, executor)
    kept = tuple(cluster for cluster in posed if cluster.frames)
    if not kept:
        raise S3DError(
            f"no image of {capture.root} could be posed",
            why="without cameras there is no scene",
            fix="take more images, with more overlap and less blur",
        )
    return kept


def dense_clusters(
    work: Workspace, capture: Capture, clusters: Sequence[PosedCluster], options: PrepareOptions, executor: Executor
) -> tuple[PosedCluster, ...]:
    """The clusters with depth images; for a capture without any, they are found in the images."""
    has_depth = any(frame.depth_path for cluster in clusters for frame in cluster.frames)  # from the prior
    if has_depth or not _wants_depth(capture, options):
        return tuple(clusters)
    log.info("depth: found in the images, by a plane sweep")
    known = list(clusters)
    bare = [number for number, cluster in enumerate(clusters) if cluster.sparse is None]  # came with poses alone
    parts = [
        Part(_title("points", number, clusters), options.colmap, partial(_find_points, clusters[number], options))
        for number in bare
    ]
    for number, cluster in zip(bare, work.parts("points", parts, executor), strict=True):
        known[number] = cluster
    metric = [number for number, cluster in enumerate(known) if fits_millimetres(cluster.sparse or ())]
    for number in sorted(set(range(len(known))) - set(metric)):
        log.warning("cluster %d is not in metres, which depth is written in: it gets points, but no depth", number)
    parts = [
        Part(_title("depth", number, clusters), options.dense, partial(_densify, known[number], options))
        for number in metric
    ]
    for number, cluster in zip(metric, work.parts("dense", parts, executor), strict=True):
        known[number] = cluster
    return tuple(known)


def masked_clusters(
    work: Workspace, clusters: Sequence[PosedCluster], prior: MaskPrior, options: PrepareOptions, executor: Executor
) -> tuple[PosedCluster, ...]:
    """The clusters with instance masks."""
    chosen = _chosen(prior, options)
    parts = [
        Part(_title("masks", number, clusters), chosen, partial(_segment, prior, cluster))
        for number, cluster in enumerate(clusters)
    ]
    return tuple(work.parts("masks", parts, executor, resumes=True))


def _geometry_options(options: PrepareOptions) -> GeometryOptions:
    return GeometryOptions(options.geometry, options.colmap, options.depth_anything3, options.accept_licence)


def _mask_options(options: PrepareOptions) -> MaskOptions:
    return MaskOptions(
        prior=options.masks,
        felzenszwalb=options.felzenszwalb,
        sam2=options.sam2,
        sam3=options.sam3,
        mask2former=options.mask2former,
        eomt=options.eomt,
        accept_licence=options.accept_licence,
    )


def _chosen(prior: GeometryPrior | MaskPrior, options: PrepareOptions) -> list[object]:
    """What a prior's result depends on; every prior has its options under its own name."""
    return [prior.name, getattr(options, prior.name, None)]


def _title(what: str, number: int, clusters: Sequence[object]) -> str:
    return f"{what}, cluster {number + 1} of {len(clusters)}"


def _wants_depth(capture: Capture, options: PrepareOptions) -> bool:
    """Whether depth is to be found from the images: no image of the capture has any, and nothing stands in the way."""
    if not options.dense.enabled or any(view.depth_path for cluster in capture.clusters for view in cluster.views):
        return False
    return can_triangulate()


def _pose(
    prior: GeometryPrior, cluster: CaptureCluster, number: int, format: str, files: Path, advance: Advance
) -> PosedCluster:
    found = prior.pose(cluster, files, load_observation, advance)
    if prior.name == "given":
        check_depth(found, number, format, load_depth)
    return found


def _find_points(cluster: PosedCluster, options: PrepareOptions, files: Path, advance: Advance) -> PosedCluster:
    return triangulated(cluster, files, load_observation, options.colmap, advance)


def _densify(cluster: PosedCluster, options: PrepareOptions, files: Path, advance: Advance) -> PosedCluster:
    return densify(cluster, files, load_observation, write_image, options.dense, advance)


def _segment(prior: MaskPrior, cluster: PosedCluster, files: Path, advance: Advance) -> PosedCluster:
    return prior.segment(cluster, files, load_observation, write_id_png, advance)
