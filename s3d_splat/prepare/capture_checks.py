"""What is wrong with a capture before any long work: too few or black images, clusters that nothing joins, empty masks."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.io.images import brightness, read_counts
from s3d_splat.io.transforms import frame_name
from s3d_splat.types import Capture, CaptureCluster, CaptureView

log = logging.getLogger("s3d_splat")

BLACK = 16.0  # of 255: an image whose brighter parts are not above it shows nothing
_MOST = 0.5  # share of black images at which something is wrong with the camera, not with some images
_LISTED = 5  # names in a message
_READERS = 4  # decoding releases Python's lock


@dataclass(frozen=True)
class CheckedCapture:
    """A capture that can be worked on, and the images that were left out of it."""

    capture: Capture
    black: tuple[str, ...]


def check_capture(capture: Capture, advance: Advance | None = None) -> CheckedCapture:
    """Check the images of a capture and how its clusters hang together; black images are left out.

    Raises:
        S3DError: fewer than two images, two of one name, most of them black, or clusters that share no image with the rest.
    """
    held = {view.name for view in _views(capture)}
    _check_count(capture, len(held), "one image only")
    _check_names(capture)
    idle = [name for name in capture.names if name not in held]
    if idle:
        log.warning("%d images are in no cluster and are left out: %s", len(idle), listed(idle))
    black = _black_images(capture, advance)
    if len(black) > _MOST * len(held):
        raise S3DError(
            f"{len(black)} of the {len(held)} images of {capture.root} are black: {listed(black)}",
            why="nothing can be seen in them",
            fix="check the lens cap, the exposure and how the images were converted, then write them again",
        )
    if black:
        log.warning("%d black images are left out: %s", len(black), listed(black))
    checked = _without(capture, frozenset(black))
    _check_count(capture, len(held) - len(black), "one image that is not black")
    check_overlap(checked.clusters)
    return CheckedCapture(checked, black)


def check_overlap(clusters: Sequence[CaptureCluster]) -> None:
    """Check that a chain of shared images leads from the first cluster to every other.

    Raises:
        S3DError: it does not; names the clusters that are cut off.
    """
    names = [{view.name for view in cluster.views} for cluster in clusters]
    reached, border = {0}, [0]
    while border:
        here = border.pop()
        near = {other for other in range(len(names)) if other not in reached and names[other] & names[here]}
        reached |= near
        border += near
    cut_off = [index for index in range(len(clusters)) if index not in reached]
    if cut_off:
        joined = f"cluster {min(reached)}" if len(reached) == 1 else f"the other {len(reached)} clusters"
        raise S3DError(
            f"{_cluster_list(clusters, cut_off)}: no image in common with {joined}",
            why="clusters find their place by the images that they share",
            fix="let neighbouring clusters share some images (10, say), or prepare the parts as scenes of their own",
        )


def check_masks(capture: Capture) -> None:
    """Check that the masks of a capture that has some show something, reading as few as it takes.

    Raises:
        S3DError: all are empty.
    """
    paths = list(dict.fromkeys(path for view in _views(capture) if (path := view.instance_path) is not None))
    if not any(read_counts(path, "instances", where=path.name).any() for path in paths):
        raise S3DError(
            f"the {len(paths)} instance masks of {capture.root} are all empty (id 0 everywhere)",
            why="without masks there are no objects to find",
            fix="--masks felzenszwalb finds regions of even colour in the images themselves; or add masks to the capture",
        )


def check_surfaces(capture: Capture) -> None:
    """Check that a capture whose poses are taken as they are says where surfaces lie.

    Raises:
        S3DError: it has neither depth images nor points.
    """
    if capture.points is None and not any(view.depth_path for view in _views(capture)):
        raise S3DError(
            f"{capture.root} has poses, but neither depth images nor points",
            why="training starts from points on the surfaces",
            fix="--geometry colmap finds cameras and points from the images; or add depth images",
        )


def tell_unused_poses(capture: Capture) -> None:
    """Warn whoever gave poses that others are searched for, and why."""
    views = list(_views(capture))
    bare = list(dict.fromkeys(view.name for view in views if view.T_cluster_camera is None))
    if any(view.T_cluster_camera is not None for view in views):
        why = (
            f"{len(bare)} of {len(capture.names)} images have none: {listed(bare)}" if bare else "--geometry asks for others"
        )
        log.warning("the poses of the capture are not used: %s", why)


def listed(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _check_count(capture: Capture, count: int, one: str) -> None:
    if count < 2:
        raise S3DError(
            f"{capture.root} has {one if count else 'no image'}",
            why="a scene is put together from several views",
            fix="walk around with the camera, and give some dozens of overlapping images",
        )


def _check_names(capture: Capture) -> None:
    first: dict[str, str] = {}
    for name in capture.names:
        other = first.setdefault(frame_name(f"images/{name}"), name)
        if other != name:
            raise S3DError(
                f"{capture.root}: {other} and {name} differ in nothing but their suffix",
                why="depth, masks and renders of both would have one name",
                fix="rename one of the images, or remove it",
            )


def _black_images(capture: Capture, advance: Advance | None) -> tuple[str, ...]:
    paths: dict[str, Path] = {}
    for view in _views(capture):
        paths.setdefault(view.name, view.image_path)
    black = []
    with ThreadPoolExecutor(_READERS) as readers:
        values = readers.map(lambda item: brightness(item[1], where=item[0]), paths.items())
        for index, (name, value) in enumerate(zip(paths, values, strict=True)):
            if value <= BLACK:
                black.append(name)
            if advance is not None:
                advance(index + 1, len(paths))
    return tuple(sorted(black, key=capture.names.index))


def _without(capture: Capture, names: frozenset[str]) -> Capture:
    if not names:
        return capture
    clusters = [
        replace(cluster, views=tuple(view for view in cluster.views if view.name not in names))
        for cluster in capture.clusters
    ]
    return replace(
        capture,
        names=tuple(name for name in capture.names if name not in names),
        clusters=tuple(cluster for cluster in clusters if cluster.views),
    )


def _cluster_list(clusters: Sequence[CaptureCluster], indices: Sequence[int]) -> str:
    shown = ", ".join(
        f"{index} ({clusters[index].views[0].name} to {clusters[index].views[-1].name})" for index in indices[:_LISTED]
    )
    more = f" and {len(indices) - _LISTED} more" if len(indices) > _LISTED else ""
    return f"{'cluster' if len(indices) == 1 else 'clusters'} {shown}{more}"


def _views(capture: Capture) -> Iterable[CaptureView]:
    return (view for cluster in capture.clusters for view in cluster.views)
