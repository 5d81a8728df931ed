"""From clusters that each know only themselves to the cameras of one world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float

from s3d_splat.alignment.matches import Measured, depth_at
from s3d_splat.alignment.options import PoseOptions
from s3d_splat.alignment.pose_graph import Meeting, components, settle
from s3d_splat.alignment.registration import members, overlap_edges, pose_of
from s3d_splat.alignment.values import Alignment, Edge
from s3d_splat.alignment.world import is_one_gauge, upright, world_frames
from s3d_splat.errors import S3DError
from s3d_splat.geometry.similarity import moved_pose, scale_of, similarity
from s3d_splat.types import PosedCluster

Advance = Callable[[int, int], None]
Table = Mapping[str, Measured]


def align(
    clusters: Sequence[PosedCluster],
    names: Sequence[str],
    options: PoseOptions,
    seed: int,
    advance: Advance | None = None,
) -> Alignment:
    """Bring all clusters into one world.

    One cluster, or clusters that share one gauge already, are kept as they are, to the last bit. Otherwise the world has the
    geometric mean of the clusters' units, the mean upright of the cameras as +z, and the mean camera centre as its origin.

    Args:
        names: file names of all images of the capture, in the order of time.
        seed: of everything drawn at random.
        advance: called with (done, total).

    Raises:
        S3DError: clusters that nothing connects; no image has a pose; a file is missing or unreadable.
    """
    tables = [members(cluster) for cluster in clusters]
    if not any(tables):
        raise S3DError(
            "no image of the capture could be posed",
            why="a scene is built from images whose cameras are known",
            fix="take sharper images that overlap more, or give poses with the capture",
        )
    rng = np.random.default_rng(seed)
    if not options.loops:
        _require_shared_images(tables)
    edges = overlap_edges(clusters, rng, advance)
    units = [_unit(table) for table in tables]
    if len(components(len(clusters), edges)) == 1 and _given_world(edges, units):
        identity = tuple(torch.eye(4, dtype=torch.float64) for _ in clusters)
        return Alignment(world_frames(names, tables, None, [1.0] * len(clusters)), identity, edges)
    meetings = [Meeting(edge, _anchor(tables[edge.second], edge.frames[1], units[edge.second])) for edge in edges]
    gauges, edges = settle(len(clusters), meetings)
    _require_connected(tables, edges, options.loops)
    return _in_new_world(tables, names, gauges, edges)


def _in_new_world(
    tables: Sequence[Table], names: Sequence[str], gauges: Sequence[Float[np.ndarray, "4 4"]], edges: tuple[Edge, ...]
) -> Alignment:
    poses: dict[str, np.ndarray] = {}
    for frame in world_frames(names, tables, None, [1.0] * len(tables)):
        source = frame.sources[0]
        poses[frame.name] = moved_pose(gauges[source.cluster], pose_of(tables[source.cluster][frame.name]))
    scales = np.array([float(scale_of(gauge)) for gauge in gauges])
    change = upright(np.stack(list(poses.values())), scales)
    poses = {name: moved_pose(change, pose) for name, pose in poses.items()}
    gauges = [change @ gauge for gauge in gauges]
    frames = world_frames(names, tables, poses, [float(scale_of(gauge)) for gauge in gauges])
    return Alignment(frames, tuple(torch.from_numpy(gauge) for gauge in gauges), edges)


def _given_world(edges: Sequence[Edge], units: Sequence[float]) -> bool:
    kept = [edge for edge in edges if edge.accepted]
    return is_one_gauge([edge.T_first_second.numpy() for edge in kept], [units[edge.first] for edge in kept])


def _anchor(table: Table, name: str, unit: float) -> Float[np.ndarray, "4 4"]:
    pose = pose_of(table[name])
    return similarity(unit, pose[:3, :3], pose[:3, 3])


def _unit(table: Table) -> float:
    """The median depth of three images of a cluster; how far its cameras are spread, where there is no depth."""
    order = list(table.values())
    depths = []
    for place in sorted({0, len(order) // 2, len(order) - 1} if order else set()):
        camera = order[place].frame.camera
        x, y = np.meshgrid((np.arange(16) + 0.5) / 16 * camera.width, (np.arange(16) + 0.5) / 16 * camera.height)
        pixels = np.stack([x.ravel(), y.ravel()], axis=1)
        sparse = order[place].sparse
        if sparse is not None and order[place].frame.depth_path is None:
            pixels = sparse.pixels.double().numpy()
        depths.append(depth_at(order[place], pixels)[0])
    known = np.concatenate(depths) if depths else np.zeros(0)
    if (known > 0).any():
        return float(np.median(known[known > 0]))
    centres = np.stack([pose_of(measured)[:3, 3] for measured in order]) if order else np.zeros((1, 3))
    return float(np.linalg.norm(np.ptp(centres, axis=0))) or 1.0


def _require_shared_images(tables: Sequence[Table]) -> None:
    holders: dict[str, int] = {}
    group = list(range(len(tables)))
    for number, table in enumerate(tables):
        for name in table:
            other = group[holders.setdefault(name, number)]
            group = [group[number] if g == other else g for g in group]
    pieces = [[k for k, g in enumerate(group) if g == name] for name in dict.fromkeys(group)]
    if len(pieces) > 1:
        raise _disconnected(tables, pieces, "share no images, and places that were seen again are not looked for")


def _require_connected(tables: Sequence[Table], edges: Sequence[Edge], loops: bool) -> None:
    pieces = components(len(tables), edges)
    if len(pieces) > 1:
        rejected = next((f"; {e.first} and {e.second}: {e.reason}" for e in edges if not e.accepted), "")
        looked = "no place was found that was seen in both" if loops else "places that were seen again were not looked for"
        raise _disconnected(tables, pieces, f"have no images in common that agree, and {looked}{rejected}")


def _disconnected(tables: Sequence[Table], pieces: Sequence[Sequence[int]], why: str) -> S3DError:
    parts = " and ".join(f"{_numbers(piece)} (from {next(iter(tables[piece[0]]), 'no image')})" for piece in pieces)
    return S3DError(
        f"the clusters {parts} cannot be joined",
        why=f"they {why}",
        fix="let neighbouring clusters share at least 5 images that show the same things"
        " (--alignment.clusters.overlap for a capture in one piece), or prepare the parts one by one",
    )


def _numbers(piece: Sequence[int]) -> str:
    """Cluster numbers, runs of them shortened."""
    runs: list[list[int]] = []
    for number in sorted(piece):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
