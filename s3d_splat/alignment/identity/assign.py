"""One id for every object of a capture: the whole way from masks per cluster to masks with one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from s3d_splat.alignment.identity.drawing import Drawing
from s3d_splat.alignment.identity.joining import Collector, objects
from s3d_splat.alignment.identity.lifting import lift
from s3d_splat.alignment.identity.tables import TrackTable, instance_rows, numbered
from s3d_splat.alignment.identity.values import Identities
from s3d_splat.alignment.options import IdentityOptions
from s3d_splat.alignment.pixels import cell_size
from s3d_splat.alignment.values import WorldFrame
from s3d_splat.errors import S3DError
from s3d_splat.types import InstanceInfo, ProxyGeometry

Advance = Callable[[int, int], None]


def assign_ids(
    frames: Sequence[WorldFrame],
    tables: Sequence[Sequence[InstanceInfo]],
    proxy: ProxyGeometry,
    folder: Path,
    options: IdentityOptions,
    seed: int = 0,
    advance: Advance | None = None,
) -> Identities:
    """Give every object one id over the whole capture, and draw its masks again in every image.

    The masks are lifted into space, joined to tracks within their clusters, and the tracks to objects (`joining`); then
    every image is drawn from its own masks and those of its neighbours (`redraw`). Two passes over the files; memory follows
    the surface that was seen, with small records per image. Test images only follow: their masks get ids by the evidence of
    all images, but have no vote on masks of others, on classes, scores or points.

    Args:
        frames: in the order of time.
        tables: per cluster, what its ids mean.
        proxy: whose points get ids too.
        folder: receives NAME-stem.png (uint16 ids) for every image that shows a mask, its own or its neighbours'.
        advance: called with (images done, images in all); every image is done twice.

    Raises:
        S3DError: no image has a mask, a file cannot be read or written, clusters disagree about a class.
    """
    if not any(source.frame.instance_path for frame in frames for source in frame.sources):
        raise S3DError(
            "no image of the capture has a mask",
            why="objects are what masks of several images have in common",
            fix="add instances/NAME.png to the clusters, or let a mask prior find segments",
        )
    size = cell_size([frame for frame in frames if not frame.is_test] or frames, options.cell)
    collector = Collector(options, TrackTable(tables))
    for done, frame in enumerate(frames):
        collector.add(lift(frame, size))
        if advance is not None:
            advance(done + 1, 2 * len(frames))
    table = collector.table
    weight = np.array([collector.sizes[track] for track in range(len(table))], dtype=np.int64)
    ids = numbered(objects(collector), weight)
    drawing = Drawing(collector.frames, ids, size / 2, folder)
    for done, _ in enumerate(drawing.draw(frames)):
        if advance is not None:
            advance(len(frames) + done + 1, 2 * len(frames))
    tracks, scores, rejected = drawing.tracks()
    # An object that test images alone show has their word for its class.
    ballots = np.where(np.isin(ids, ids[weight > 0]), weight, 1)
    instances, classes = instance_rows(ids, table, ballots, scores)
    return Identities(instances, classes, drawing.point_ids(proxy), tracks, rejected)
