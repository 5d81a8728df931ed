"""The triangles of a volume's surface, with colours and instances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8

from s3d_splat.export.volume import SIDE, SurfaceVolume, block_origin

_REGION = 8  # blocks along the edge of what is looked at in one go
_SPECK = 30  # triangles: smaller pieces of surface are taken for dust
_CORNERS = np.stack(np.meshgrid((0, 1), (0, 1), (0, 1), indexing="ij"), axis=-1).reshape(-1, 3)


@dataclass(frozen=True)
class Surface:
    """Triangles, counterclockwise from outside; row i of `colours` belongs to vertex i, of `instances` to triangle i."""

    vertices: Float[np.ndarray, "v 3"]  # metres
    triangles: Int[np.ndarray, "f 3"]
    colours: UInt8[np.ndarray, "v 3"]
    instances: Int[np.ndarray, " f"]  # 0 = none

    def of(self, id: int) -> Surface:
        """The triangles of one instance, and their vertices alone."""
        return self.rows(self.instances == id)

    def without_specks(self) -> Surface:
        """Without connected pieces of a few triangles."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        count = len(self.vertices)
        first, second = self.triangles[:, [0, 1]].ravel(), self.triangles[:, [1, 2]].ravel()
        links = coo_matrix((np.ones(len(first), bool), (first, second)), shape=(count, count))
        piece = connected_components(links, directed=False)[1][self.triangles[:, 0]] if len(self.triangles) else first
        return self.rows(np.bincount(piece)[piece] >= _SPECK if len(piece) else np.zeros(0, bool))

    def rows(self, kept: Bool[np.ndarray, " f"]) -> Surface:
        """Some of the triangles, and their vertices alone."""
        used, renumbered = np.unique(self.triangles[kept], return_inverse=True)
        triangles = renumbered.reshape(-1, 3)
        return Surface(self.vertices[used], triangles, self.colours[used], self.instances[kept])


@dataclass(frozen=True)
class _Part:
    """The surface of a region, and for each vertex the edge of the grid that it lies on: lowest voxel, axis."""

    surface: Surface
    edges: Int[np.ndarray, "v 4"]


def extract(volume: SurfaceVolume) -> Surface:
    """The zero crossing of a volume by marching cubes (Lewiner et al., 2003), only where all corners of a cell are known."""
    parts = [part for region in _regions(volume) if (part := _part(volume, region)) is not None]
    if not parts:
        return Surface(np.zeros((0, 3)), np.zeros((0, 3), np.int64), np.zeros((0, 3), np.uint8), np.zeros(0, np.int32))
    shift = np.cumsum([0] + [len(part.edges) for part in parts[:-1]])
    triangles = np.concatenate([part.surface.triangles + first for part, first in zip(parts, shift, strict=True)])
    _, first, number = np.unique(  # one vertex where regions meet
        np.concatenate([part.edges for part in parts]), axis=0, return_index=True, return_inverse=True
    )
    joined = Surface(
        np.concatenate([part.surface.vertices for part in parts])[first],
        number.reshape(-1)[triangles],
        np.concatenate([part.surface.colours for part in parts])[first],
        np.concatenate([part.surface.instances for part in parts]),
    )
    return joined.rows(np.ones(len(triangles), bool))


def _regions(volume: SurfaceVolume) -> Iterator[Int[np.ndarray, " 3"]]:
    """The lowest voxel of every cube of blocks in which there is one, or that touches one from below."""
    origins = block_origin(volume.keys).numpy()
    edge = _REGION * SIDE
    yield from np.unique(origins // edge * edge, axis=0)


def _part(volume: SurfaceVolume, origin: Int[np.ndarray, " 3"]) -> _Part | None:
    from skimage.measure import marching_cubes

    distance, weight, colour, instance = _dense(volume, origin)
    known = weight > 0
    if not (distance[known] < 0).any() or not (distance[known] > 0).any():
        return None
    vertices, triangles, _, _ = marching_cubes(distance, level=0.0, gradient_direction="descent", allow_degenerate=False)
    whole = np.ones(np.array(known.shape) - 1, bool)  # cells with all corners known
    for x, y, z in _CORNERS:
        whole &= known[x : x + whole.shape[0], y : y + whole.shape[1], z : z + whole.shape[2]]
    cell = np.minimum(vertices[triangles].mean(axis=1).astype(int), np.array(whole.shape) - 1)
    triangles = triangles[whole[cell[:, 0], cell[:, 1], cell[:, 2]]].astype(np.int64)
    low, high = np.floor(vertices).astype(int), np.ceil(vertices).astype(int)  # the two ends of a vertex's edge
    share = (vertices - low).sum(axis=1)[:, None]
    painted = (1 - share) * colour[tuple(low.T)] + share * colour[tuple(high.T)]
    nearer = np.where(share < 0.5, low, high)
    surface = Surface(
        (vertices.astype(np.float64) + origin + 0.5) * volume.voxel,
        triangles,
        (painted.clip(0, 1) * 255).round().astype(np.uint8),
        _majority(instance[tuple(nearer.T)][triangles]),
    )
    return _Part(surface, np.column_stack((low + origin, (high > low).argmax(axis=1))))


def _dense(volume: SurfaceVolume, origin: Int[np.ndarray, " 3"]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Distances (1 where unknown), weights, colours and instances of a region, and one voxel beyond its upper sides."""
    edge = _REGION * SIDE
    size = edge + SIDE
    origins = block_origin(volume.keys).numpy() - origin
    rows = np.flatnonzero(((origins >= 0) & (origins < size)).all(axis=1))
    voxels, slots = volume.voxels, volume.order[torch.from_numpy(rows)].numpy()
    values = [np.ones((size,) * 3, np.float32), np.zeros((size,) * 3, np.float32)]
    values += [np.zeros((size, size, size, 3), np.float32), np.zeros((size,) * 3, np.int32)]
    columns = (voxels.distance, voxels.weight, voxels.colour, voxels.instance)
    for array, column in zip(values, columns, strict=True):
        blocks = column.reshape(-1, SIDE, SIDE, SIDE, *column.shape[1:]).numpy()
        for (x, y, z), slot in zip(origins[rows], slots, strict=True):
            array[x : x + SIDE, y : y + SIDE, z : z + SIDE] = blocks[slot]
    distance, weight, colour, instance = (array[: edge + 1, : edge + 1, : edge + 1] for array in values)
    return np.where(weight > 0, distance, 1.0), weight, colour, instance


def _majority(labels: Int[np.ndarray, "f 3"]) -> Int[np.ndarray, " f"]:
    """What two of three corners say; the first one where all differ."""
    return np.where(labels[:, 1] == labels[:, 2], labels[:, 1], labels[:, 0])
