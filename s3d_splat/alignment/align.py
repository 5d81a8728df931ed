"""From clusters that each know only themselves to the cameras of one world."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float

from s3d_splat.alignment.bending import Bent, Given, bend, fitted_gauges, unbent
from s3d_splat.alignment.connection import pieces, require_connected, require_shared_images
from s3d_splat.alignment.contact import touching
from s3d_splat.alignment.keyframes import Keyframe, choose, read_keyframe, signatures
from s3d_splat.alignment.loops import RECENT, alike, in_sequence, measured, together
from s3d_splat.alignment.matches import Measured, depth_at
from s3d_splat.alignment.options import PoseOptions
from s3d_splat.alignment.pair import PairEdge
from s3d_splat.alignment.pose_graph import Meeting, settle
from s3d_splat.alignment.registration import members, overlap_edges, pose_of
from s3d_splat.alignment.revisits import anchored, judged, revisits
from s3d_splat.alignment.values import Alignment, Edge
from s3d_splat.alignment.world import is_one_gauge, upright, world_frames
from s3d_splat.errors import S3DError
from s3d_splat.geometry.similarity import moved_pose, scale_of
from s3d_splat.types import PosedCluster

Advance = Callable[[int, int], None]
Table = Mapping[str, Measured]

# of the work, of 1000
_PARTS = {"overlaps": (0, 100), "keyframes": (100, 500), "pairs": (500, 750), "again": (750, 800), "contact": (800, 1000)}


def align(
    clusters: Sequence[PosedCluster],
    names: Sequence[str],
    options: PoseOptions,
    seed: int,
    advance: Advance | None = None,
) -> Alignment:
    """Bring all clusters into one world.

    One cluster, or clusters that share one gauge already, are kept as they are, to the last bit. Otherwise the world has the
    geometric mean of the clusters' units, the mean upright of the cameras as +z, and the mean camera centre as its origin;
    every image has one pose there, and clusters are bent where their own poses drifted.

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
    if not options.loops:
        require_shared_images(tables)
    rng = np.random.default_rng(seed)
    edges = overlap_edges(clusters, rng, _part(advance, "overlaps"))
    units = [_unit(table) for table in tables] if len(tables) > 1 else [1.0]
    if _is_given_world(tables, edges, units):
        identity = tuple(torch.eye(4, dtype=torch.float64) for _ in clusters)
        return Alignment(world_frames(names, tables, None, [1.0] * len(clusters)), identity, edges)
    central = world_frames(names, tables, None, [1.0] * len(tables))
    posed, trusted = [frame.name for frame in central], [frame.sources[0].cluster for frame in central]
    given = Given(tables, units, posed, trusted, edges)
    bent, edges = _joined(given, options, rng, advance)
    return _upright_world(given, names, bent, edges)


def _joined(
    given: Given, options: PoseOptions, rng: np.random.Generator, advance: Advance | None
) -> tuple[Bent, tuple[Edge, ...]]:
    """Poses of all images in one world, after looking at keyframes thrice: before anything is known, with good poses, and at
    their surfaces with better ones."""
    gauges, edges = settle(len(given.tables), _meetings(given, given.edges))
    keyframes = _keyframes(given, gauges, edges, _part(advance, "keyframes"))
    looks = signatures(keyframes, rng)
    candidates = in_sequence(len(keyframes)) + (alike(looks) if options.loops else [])
    pairs = measured(candidates, keyframes, rng, _part(advance, "pairs"))
    found = revisits(pairs, keyframes, given.tables, given.units)
    gauges, edges = settle(len(given.tables), _meetings(given, (*edges, *(revisit.edge for revisit in found))))
    require_connected(given.tables, edges, options.loops)
    rejected = {edge.frames for edge in edges if not edge.accepted and edge.kind == "loop"}
    pairs = [pair for pair in pairs if _frames(pair, keyframes) not in rejected]
    given = dataclasses.replace(given, edges=edges)
    bent, errors = bend(given, unbent(given, gauges), keyframes, pairs)
    if options.loops:
        unit = float(np.median([unit * scale for unit, scale in zip(given.units, bent.scales, strict=True)]))
        again = together(bent.poses[[keyframe.image for keyframe in keyframes]], looks, unit, candidates)
        new = measured(again, keyframes, rng, _part(advance, "again"))
        pairs = [*pairs, *new]
        edges = (*edges, *(revisit.edge for revisit in revisits(new, keyframes, given.tables, given.units)))
        bent, errors = bend(given, bent, keyframes, pairs)
    contact = touching(
        keyframes, _sized(given, bent, keyframes), None if options.loops else RECENT, _part(advance, "contact")
    )
    bent, errors = bend(given, bent, keyframes, [*pairs, *contact])
    errors = errors[: len(pairs)]
    by_names = {_frames(pair, keyframes): float(error) for pair, error in zip(pairs, errors, strict=True)}
    return bent, judged(edges, by_names)


def _sized(given: Given, bent: Bent, keyframes: Sequence[Keyframe]) -> Float[np.ndarray, "k 4 4"]:
    """Poses of keyframes as Sim(3), whose scale is that of the cluster whose depth they have."""
    poses = bent.poses[[keyframe.image for keyframe in keyframes]].copy()
    poses[:, :3, :3] *= bent.scales[[keyframe.cluster for keyframe in keyframes]][:, None, None]
    return poses


def _upright_world(given: Given, names: Sequence[str], bent: Bent, edges: tuple[Edge, ...]) -> Alignment:
    held = [k for k, table in enumerate(given.tables) if table]
    change = upright(bent.poses, bent.scales[held])
    bent = Bent(moved_pose(change, bent.poses), bent.scales * float(scale_of(change)))
    poses = dict(zip(given.names, bent.poses, strict=True))
    frames = world_frames(names, given.tables, poses, [float(scale) for scale in bent.scales])
    return Alignment(frames, tuple(torch.from_numpy(gauge) for gauge in fitted_gauges(given, bent)), edges)


def _keyframes(
    given: Given, gauges: Sequence[Float[np.ndarray, "4 4"]], edges: Sequence[Edge], advance: Advance | None
) -> list[Keyframe]:
    """Chosen within each group of connected clusters, whose images alone can be compared, then read one by one."""
    poses = unbent(given, gauges).poses
    chosen: list[int] = []
    for part in pieces(given.tables, edges):
        places = [place for place, cluster in enumerate(given.trusted) if cluster in part]
        unit = float(np.median([given.units[k] * float(scale_of(gauges[k])) for k in part]))
        chosen += [places[k] for k in choose(poses[places], unit)] if places else []
    keyframes = []
    for done, place in enumerate(sorted(chosen)):
        name, cluster = given.names[place], given.trusted[place]
        keyframes.append(read_keyframe(name, place, cluster, given.tables[cluster][name]))
        if advance is not None:
            advance(done + 1, len(chosen))
    return keyframes


def _meetings(given: Given, edges: Sequence[Edge]) -> list[Meeting]:
    ends = ((edge, given.tables[edge.second], given.units[edge.second]) for edge in edges)
    return [Meeting(edge, anchored(table, edge.frames[1], unit)) for edge, table, unit in ends]


def _frames(pair: PairEdge, keyframes: Sequence[Keyframe]) -> tuple[str, str]:
    return keyframes[pair.first].name, keyframes[pair.second].name


def _is_given_world(tables: Sequence[Table], edges: Sequence[Edge], units: Sequence[float]) -> bool:
    """Whether all clusters are in one gauge already: they share images, and have the same cameras for them."""
    kept = [edge for edge in edges if edge.accepted]
    return len(pieces(tables, kept)) == 1 and all(
        is_one_gauge(tables[edge.first], tables[edge.second], edge.T_first_second.numpy(), units[edge.first])
        for edge in kept
    )


def _unit(table: Table) -> float:
    """The median depth of three images of a cluster; how far its cameras are spread, where there is no depth."""
    order = list(table.values())
    depths = []
    for place in sorted({0, len(order) // 2, len(order) - 1} if order else set()):
        camera, sparse = order[place].frame.camera, order[place].sparse
        x, y = np.meshgrid((np.arange(16) + 0.5) / 16 * camera.width, (np.arange(16) + 0.5) / 16 * camera.height)
        pixels = np.stack([x.ravel(), y.ravel()], axis=1)
        if sparse is not None and order[place].frame.depth_path is None:
            pixels = sparse.pixels.double().numpy()
        depths.append(depth_at(order[place], pixels)[0])
    known = np.concatenate(depths) if depths else np.zeros(0)
    if (known > 0).any():
        return float(np.median(known[known > 0]))
    centres = np.stack([pose_of(measured)[:3, 3] for measured in order]) if order else np.zeros((1, 3))
    return float(np.linalg.norm(np.ptp(centres, axis=0))) or 1.0


def _part(advance: Advance | None, name: str) -> Advance | None:
    """Progress of one part of the work as progress of the whole."""
    if advance is None:
        return None
    start, stop = _PARTS[name]
    return lambda done, total: advance(start + (stop - start) * done // max(total, 1), 1000)
