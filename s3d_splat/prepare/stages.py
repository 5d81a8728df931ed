"""The stages from a capture to a scene folder, in order; each is kept until the scene is complete."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import closing
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
from s3d_splat.executors.registry import make_executor
from s3d_splat.io.readers.registry import read_capture
from s3d_splat.io.scene_writer import check_new_scene
from s3d_splat.prepare.capture_checks import (
    CheckedCapture,
    check_capture,
    listed,
)
from s3d_splat.prepare.cluster_stages import choose_priors, dense_clusters, masked_clusters, posed_clusters
from s3d_splat.prepare.ego import MaskedClusters, Rig, with_ego_masks
from s3d_splat.prepare.findings import Findings
from s3d_splat.prepare.options import PrepareOptions
from s3d_splat.prepare.page import report_html
from s3d_splat.prepare.scene import SceneContent, write_scene
from s3d_splat.prepare.splits import with_splits
from s3d_splat.prepare.workspace import Workspace, capture_fingerprint, open_workspace, work_folder
from s3d_splat.prepare.world_unit import check_unit
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
        geometry, masks = choose_priors(checked.capture, options)
        seen = _seen(work, _clusters(work, checked.capture, options), options)
        with closing(make_executor(options.executor, options.ray)) as executor:
            posed = posed_clusters(work, checked.capture, seen.clusters, geometry, options, executor)
            dense = dense_clusters(work, checked.capture, posed, options, executor)
            masked = masked_clusters(work, dense, masks, options, executor)
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
