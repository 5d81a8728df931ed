"""The stages from a capture to a scene folder, in order; each is kept until the scene is complete."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from s3d_splat.alignment.align import align
from s3d_splat.alignment.clusters import cut
from s3d_splat.alignment.depth_scales import correct_depth
from s3d_splat.alignment.fusion import fuse
from s3d_splat.alignment.identity.assign import assign_ids
from s3d_splat.alignment.identity.values import Identities, ObjectTrack, Rejection
from s3d_splat.alignment.options import FusionOptions
from s3d_splat.alignment.values import Alignment, Edge, Source, WorldFrame
from s3d_splat.console import Advance, progress
from s3d_splat.errors import S3DError
from s3d_splat.io.images import write_image
from s3d_splat.io.observations import load_depth, load_observation
from s3d_splat.io.readers.registry import read_capture
from s3d_splat.io.results import write_id_png
from s3d_splat.io.scene_writer import check_new_scene
from s3d_splat.prepare.capture_checks import (
    CheckedCapture,
    check_capture,
    check_masks,
    check_surfaces,
    listed,
    tell_unused_poses,
)
from s3d_splat.prepare.depth_checks import check_depth
from s3d_splat.prepare.ego import MaskedClusters, Rig, with_ego_masks
from s3d_splat.prepare.findings import Findings
from s3d_splat.prepare.options import PrepareOptions
from s3d_splat.prepare.page import report_html
from s3d_splat.prepare.scene import SceneContent, write_scene
from s3d_splat.prepare.splits import with_splits
from s3d_splat.prepare.workspace import Workspace, capture_fingerprint, open_workspace, work_folder
from s3d_splat.prepare.world_unit import check_unit, fits_millimetres
from s3d_splat.priors.geometry.base import GeometryPrior
from s3d_splat.priors.geometry.dense.densify import densify
from s3d_splat.priors.geometry.dense.triangulation import can_triangulate, triangulated
from s3d_splat.priors.geometry.options import GeometryOptions
from s3d_splat.priors.geometry.registry import make_geometry_prior
from s3d_splat.priors.masks.base import MaskPrior
from s3d_splat.priors.masks.options import MaskOptions
from s3d_splat.priors.masks.registry import make_mask_prior
from s3d_splat.types import (
    Camera,
    Capture,
    CaptureCluster,
    CaptureView,
    ClassInfo,
    Frame,
    InstanceInfo,
    Lens,
    PosedCluster,
    ProxyGeometry,
    SparseDepth,
)

log = logging.getLogger("s3d_splat")

_KEPT = (
    Alignment, Camera, Capture, CaptureCluster, CaptureView, CheckedCapture, ClassInfo, Edge, Frame, Identities,
    InstanceInfo, Lens, MaskedClusters, ObjectTrack, PosedCluster, ProxyGeometry, Rejection, Rig, Source,
    SparseDepth, WorldFrame,
)  # fmt: skip


@dataclass(frozen=True)
class _Aligned:
    """What the stages after the priors found."""

    alignment: Alignment
    frames: tuple[WorldFrame, ...]  # with corrected depth
    proxy: ProxyGeometry
    identities: Identities
    masks: Path  # folder of the masks with one id per object


def prepare(capture_folder: Path, scene: Path, options: PrepareOptions) -> dict[str, Any]:
    """Make a scene folder of a capture; goes on where an earlier call with the same options stopped.

    Returns:
        Counts and seconds, for people and programs.

    Raises:
        S3DError: the scene exists, the capture is not sound, a prior cannot work on it, or the file system refuses.
    """
    check_new_scene(scene)
    root = capture_folder.absolute()  # what is kept must hold for a call from another folder
    fingerprint = capture_fingerprint(root, without=(scene, work_folder(scene)))
    with open_workspace(scene, fingerprint, _KEPT) as work:
        checked = _read(work, root, options)
        geometry, masks = _choose_priors(checked.capture, options)
        seen = _seen(work, _clusters(work, checked.capture, options), options)
        posed = _posed(work, checked.capture, seen.clusters, geometry, options)
        dense = _dense(work, checked.capture, posed, options)
        masked = _masked(work, dense, masks, options)
        aligned = _aligned(work, checked.capture, masked, options)
        findings = _findings(work, scene, checked, seen, masked, aligned, (geometry.name, masks.name))
        content = SceneContent(
            frames=aligned.frames,
            proxy=replace(aligned.proxy, instances=aligned.identities.point_instances),
            instances=aligned.identities.instances,
            classes=aligned.identities.classes,
            masks=aligned.masks,
            truth=checked.capture.truth,
            rigs=tuple(rig.mask for rig in seen.rigs),
        )
        start = time.monotonic()
        with progress("writing the scene") as advance:
            write_scene(scene, content, report_html(findings), work.scratch("scene"), advance)
        seconds = findings.seconds | {"write": time.monotonic() - start}
    return replace(findings, seconds=seconds).summary()


def _read(work: Workspace, folder: Path, options: PrepareOptions) -> CheckedCapture:
    with progress("reading the capture") as advance:

        def make(files: Path) -> Capture:
            return read_capture(folder, files, options.format, advance, options.choice)

        capture = work.stage("read", [options.format, options.choice], make, resumes=True)
    with progress("checking the images") as advance:
        return work.stage("check", None, lambda files: check_capture(capture, advance))


def _choose_priors(capture: Capture, options: PrepareOptions) -> tuple[GeometryPrior, MaskPrior]:
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


def _clusters(work: Workspace, capture: Capture, options: PrepareOptions) -> tuple[CaptureCluster, ...]:
    def make(files: Path) -> tuple[CaptureCluster, ...]:
        return with_splits(cut(capture, options.alignment.clusters), capture.names, options.test_every)

    return work.stage("clusters", [options.alignment.clusters, options.test_every], make)


def _seen(work: Workspace, clusters: tuple[CaptureCluster, ...], options: PrepareOptions) -> MaskedClusters:
    """The clusters with masks over what carries the camera."""
    if not options.ego_mask:
        return MaskedClusters(clusters, ())
    with progress("looking for what carries the camera") as advance:
        return work.stage("ego", None, lambda files: with_ego_masks(clusters, files, advance))


def _posed(
    work: Workspace,
    capture: Capture,
    clusters: Sequence[CaptureCluster],
    prior: GeometryPrior,
    options: PrepareOptions,
) -> tuple[PosedCluster, ...]:
    """Every cluster with cameras; those of which no image could be posed are left out."""
    posed = []
    for number, cluster in enumerate(clusters):
        with progress(f"cameras, cluster {number + 1} of {len(clusters)}") as advance:

            def make(files: Path) -> PosedCluster:
                found = prior.pose(cluster, files, load_observation, advance)  # noqa: B023 called at once
                if prior.name == "given":
                    check_depth(found, number, capture.format, load_depth)  # noqa: B023
                return found

            posed.append(work.stage("geometry", _chosen(prior, options), make, part=f"-{number}"))
    kept = tuple(cluster for cluster in posed if cluster.frames)
    if not kept:
        raise S3DError(
            f"no image of {capture.root} could be posed",
            why="without cameras there is no scene",
            fix="take more images, with more overlap and less blur",
        )
    return kept


def _wants_depth(capture: Capture, options: PrepareOptions) -> bool:
    """Whether depth is to be found from the images: no image of the capture has any, and nothing stands in the way."""
    if not options.dense.enabled or any(view.depth_path for cluster in capture.clusters for view in cluster.views):
        return False
    return can_triangulate()


def _dense(
    work: Workspace, capture: Capture, clusters: Sequence[PosedCluster], options: PrepareOptions
) -> tuple[PosedCluster, ...]:
    """The clusters with depth images, those of a capture without any."""
    has_depth = any(frame.depth_path for cluster in clusters for frame in cluster.frames)  # from the prior
    if has_depth or not _wants_depth(capture, options):
        return tuple(clusters)
    log.info("depth: found in the images, by a plane sweep")
    dense = []
    for number, cluster in enumerate(clusters):
        known = cluster if cluster.sparse is not None else _with_points(work, cluster, (number, len(clusters)), options)
        if not fits_millimetres(known.sparse or ()):
            log.warning("cluster %d is not in metres, which depth is written in: it gets points, but no depth", number)
            dense.append(known)
            continue
        with progress(f"depth, cluster {number + 1} of {len(clusters)}") as advance:

            def make(files: Path) -> PosedCluster:
                return densify(known, files, load_observation, write_image, options.dense, advance)  # noqa: B023 called at once

            dense.append(work.stage("dense", options.dense, make, part=f"-{number}"))
    return tuple(dense)


def _with_points(work: Workspace, cluster: PosedCluster, place: tuple[int, int], options: PrepareOptions) -> PosedCluster:
    """A cluster that came with poses alone."""
    number, count = place
    with progress(f"points, cluster {number + 1} of {count}") as advance:
        return work.stage(
            "points",
            options.colmap,
            lambda files: triangulated(cluster, files, load_observation, options.colmap, advance),
            part=f"-{number}",
        )


def _masked(
    work: Workspace, clusters: Sequence[PosedCluster], prior: MaskPrior, options: PrepareOptions
) -> tuple[PosedCluster, ...]:
    masked = []
    for number, cluster in enumerate(clusters):
        with progress(f"masks, cluster {number + 1} of {len(clusters)}") as advance:

            def make(files: Path) -> PosedCluster:
                return prior.segment(cluster, files, load_observation, write_id_png, advance)  # noqa: B023 called at once

            masked.append(work.stage("masks", _chosen(prior, options), make, part=f"-{number}", resumes=True))
    return tuple(masked)


def _aligned(work: Workspace, capture: Capture, clusters: Sequence[PosedCluster], options: PrepareOptions) -> _Aligned:
    chosen, seed = options.alignment, options.alignment.seed
    with progress("aligning the clusters") as advance:
        alignment = work.stage(
            "align", [chosen.poses, seed], lambda files: align(clusters, capture.names, chosen.poses, seed, advance)
        )
    check_unit(alignment.frames)
    with progress("correcting the depth") as advance:
        frames = work.stage("depth", None, lambda files: correct_depth(alignment.frames, advance))
    with progress("fusing the depth") as advance:
        proxy = work.stage("fuse", chosen.fusion, lambda files: _fused(frames, capture, chosen.fusion, advance))
    tables = [cluster.instances for cluster in clusters]
    with progress("one id per object") as advance:
        identities, masks = work.stage(
            "identify",
            [chosen.identity, seed],
            lambda files: (assign_ids(frames, tables, proxy, files, chosen.identity, seed, advance), files),
        )
    return _Aligned(alignment, frames, proxy, identities, masks)


def _fused(frames: Sequence[WorldFrame], capture: Capture, options: FusionOptions, advance: Advance) -> ProxyGeometry:
    """The depth of all images as one cloud; the cloud of the capture where no image has depth."""
    has_depth = any(source.frame.depth_path or source.sparse for frame in frames for source in frame.sources)
    if not has_depth and capture.points is not None:
        return capture.points
    return fuse(frames, options, advance)


def _findings(
    work: Workspace,
    scene: Path,
    checked: CheckedCapture,
    seen: MaskedClusters,
    clusters: Sequence[PosedCluster],
    aligned: _Aligned,
    priors: tuple[str, str],
) -> Findings:
    names, tried = checked.capture.names, {view.name for cluster in seen.clusters for view in cluster.views}
    posed = {frame.name for frame in aligned.frames}
    missing = tuple(name for name in names if name in tried - posed)
    if missing:
        log.warning("%d images could not be placed and are left out: %s", len(missing), listed(missing))
    return Findings(
        scene=scene,
        capture=checked.capture,
        geometry=priors[0],
        masks=priors[1],
        black=checked.black,
        missing=missing,
        unused=tuple(name for name in names if name not in tried),
        clusters=tuple(clusters),
        alignment=aligned.alignment,
        frames=aligned.frames,
        proxy=aligned.proxy,
        identities=aligned.identities,
        seconds=dict(work.seconds),
        rigs=seen.rigs,
    )
