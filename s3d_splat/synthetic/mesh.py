"""Triangle meshes of simple solids, with texture coordinates in metres; finely cut, because light is kept per vertex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Real = float | int
Vector = tuple[Real, Real, Real]


@dataclass(frozen=True)
class Mesh:
    """Triangles with a unit normal and a texture coordinate (metres along the surface) at every vertex."""

    vertices: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    uv: Float[np.ndarray, "n 2"]
    faces: Int[np.ndarray, "m 3"]


def join(*meshes: Mesh) -> Mesh:
    """All triangles of several meshes in one."""
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.uv for mesh in meshes]),
        np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=True)]),
    )


def moved(mesh: Mesh, rotation: Float[np.ndarray, "3 3"], translation: Float[np.ndarray, " 3"]) -> Mesh:
    """The mesh after `x -> rotation x + translation`; mirror images are allowed as rotation."""
    return Mesh(mesh.vertices @ rotation.T + translation, mesh.normals @ rotation.T, mesh.uv, mesh.faces)


def placed(mesh: Mesh, x: Real, y: Real, z: Real = 0.0, *, yaw: Real = 0.0, pitch: float = 0.0) -> Mesh:
    """The mesh tilted by `pitch` about x, turned by `yaw` about the vertical (radians), then shifted."""
    return moved(mesh, rotation_z(yaw) @ rotation_x(pitch), np.array([x, y, z], dtype=float))


def rotation_z(angle: float) -> Float[np.ndarray, "3 3"]:
    """Rotation by `angle` (radians) about z."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def rotation_x(angle: float) -> Float[np.ndarray, "3 3"]:
    """Rotation by `angle` (radians) about x."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def _grid_faces(rows: int, columns: int) -> Int[np.ndarray, "m 3"]:
    """Two triangles for each cell of a grid of `rows` x `columns` vertices."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    right, up, across = corner + 1, corner + columns, corner + columns + 1
    return np.concatenate([np.stack([corner, right, across], 1), np.stack([corner, across, up], 1)])


def patch(
    origin: Vector,
    along: Vector,
    up: Vector,
    step: float = 0.06,
    uv_origin: tuple[Real, Real] = (0.0, 0.0),
) -> Mesh:
    """A flat rectangle from `origin` with edges `along` and `up` (metres), normal along x up, cut every `step` metres."""
    edge_u, edge_v = np.array(along, dtype=float), np.array(up, dtype=float)
    length_u, length_v = float(np.linalg.norm(edge_u)), float(np.linalg.norm(edge_v))
    columns = max(2, int(np.ceil(length_u / step)) + 1)
    rows = max(2, int(np.ceil(length_v / step)) + 1)
    v, u = (grid.ravel() for grid in np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij"))
    vertices = np.array(origin, dtype=float) + u[:, None] * edge_u + v[:, None] * edge_v
    normal = np.cross(edge_u, edge_v) / (length_u * length_v)
    uv = np.stack([u * length_u + uv_origin[0], v * length_v + uv_origin[1]], 1)
    return Mesh(vertices, np.broadcast_to(normal, vertices.shape).copy(), uv, _grid_faces(rows, columns))


def box(
    size: Vector,
    at: Vector = (0.0, 0.0, 0.0),
    step: float = 0.06,
    sides: str = "-x+x-y+y-z+z",
) -> Mesh:
    """An upright box of the given size whose base is centred at `at`; `sides` names the faces that are built."""
    sx, sy, sz = size
    x0, y0, z0 = at[0] - sx / 2, at[1] - sy / 2, at[2]
    x1, y1, z1 = x0 + sx, y0 + sy, z0 + sz
    faces = {
        "-y": ((x0, y0, z0), (sx, 0, 0), (0, 0, sz)),
        "+x": ((x1, y0, z0), (0, sy, 0), (0, 0, sz)),
        "+y": ((x1, y1, z0), (-sx, 0, 0), (0, 0, sz)),
        "-x": ((x0, y1, z0), (0, -sy, 0), (0, 0, sz)),
        "+z": ((x0, y0, z1), (sx, 0, 0), (0, sy, 0)),
        "-z": ((x0, y1, z0), (sx, 0, 0), (0, -sy, 0)),
    }
    return join(*(patch(*faces[name], step) for name in faces if name in sides))


def surface(points: Float[np.ndarray, "r c 3"], uv: Float[np.ndarray, "r c 2"]) -> Mesh:
    """A smooth sheet through a grid of points; normals from its differences."""
    down, across = np.gradient(points, axis=0), np.gradient(points, axis=1)
    normals = np.cross(across, down).reshape(-1, 3)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    rows, columns = points.shape[:2]
    return Mesh(points.reshape(-1, 3).copy(), normals, uv.reshape(-1, 2).copy(), _grid_faces(rows, columns))


def lathe(profile: list[tuple[Real, Real]], segments: int = 24) -> Mesh:
    """The solid of revolution of a profile of (radius, z) about the z axis; u runs round it at its largest radius."""
    radius, z = np.array(profile, dtype=float).T
    angle = np.linspace(0, 2 * np.pi, segments + 1)
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(radius), np.diff(z)))])
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    points = np.concatenate([radius[:, None, None] * ring, np.broadcast_to(z[:, None, None], (len(z), segments + 1, 1))], 2)
    slope = np.stack([np.gradient(z), -np.gradient(radius)], 1)
    slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-12)
    normals = np.concatenate([slope[:, :1, None] * ring, np.broadcast_to(slope[:, 1:, None], (len(z), segments + 1, 1))], 2)
    uv = np.stack(np.broadcast_arrays(angle[None] * radius.max(), arc[:, None]), 2)
    return Mesh(points.reshape(-1, 3), normals.reshape(-1, 3), uv.reshape(-1, 2), _grid_faces(len(z), segments + 1))


def ball(radius: float, segments: int = 24) -> Mesh:
    """A sphere that rests on the origin."""
    polar = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1)
    return lathe([(radius * max(np.cos(a), 0.0), radius * (1 + np.sin(a))) for a in polar], segments)


def pillow(width: float, height: float, thickness: float) -> Mesh:
    """A cushion in the x-z plane: a rounded square, thickest (along y) in the middle, standing on the origin."""
    t = np.linspace(-1, 1, 15)
    a, b = np.meshgrid(t, t)
    bulge = ((1 - a**4) * (1 - b**4)) ** 0.5 * thickness / 2
    x, z = a * width / 2, (b + 1) * height / 2
    uv = np.stack([(a + 1) * width / 2, (b + 1) * height / 2], 2)
    return join(surface(np.stack([x, -bulge, z], 2), uv), surface(np.stack([-x, bulge, z], 2), uv))


def tube(path: Float[np.ndarray, "n 3"], radius: float, segments: int = 8) -> Mesh:
    """A thin round bar along a path of points (metres)."""
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    helper = np.where(np.abs(tangent[:, 2:]) > 0.9, np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 1.0]]))
    side = np.cross(tangent, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(side, tangent)
    angle = np.linspace(0, 2 * np.pi, segments + 1)[None, :, None]
    outward = side[:, None] * np.cos(angle) + other[:, None] * np.sin(angle)
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    uv = np.stack(np.broadcast_arrays(angle[..., 0] * radius, arc[:, None]), 2)
    points = path[:, None] + radius * outward
    return Mesh(points.reshape(-1, 3), outward.reshape(-1, 3), uv.reshape(-1, 2), _grid_faces(len(path), segments + 1))


def leaf(length: float, width: float, droop: float) -> Mesh:
    """A bent leaf from the origin along +x, pointing up and falling by `droop` (metres) at its tip."""
    s = np.linspace(0, 1, 9)[:, None]
    across = np.linspace(-1, 1, 5)[None]
    half = width / 2 * np.sin(np.pi * np.clip(0.06 + 0.94 * s, 0, 1)) ** 0.8
    x = np.broadcast_to(length * s, (9, 5))
    y = -across * half
    z = 0.5 * length * s - (droop + 0.5 * length) * s**2 + 0.15 * np.abs(y)
    uv = np.stack([x, y], 2)
    return surface(np.stack([x, y, z], 2), uv)
