"""The whole building as one triangle soup that rays can be cast into."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from s3d_splat.errors import S3DError
from s3d_splat.synthetic.classes import CLASS_IDS
from s3d_splat.synthetic.shell import Building
from s3d_splat.synthetic.textures import Texture


@dataclass(frozen=True)
class World:
    """Triangles with what is needed where a ray hits one; instance ids are 1..K in the order of `names`."""

    vertices: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    uv: Float[np.ndarray, "n 2"]
    faces: Int[np.ndarray, "m 3"]
    face_texture: Int[np.ndarray, " m"]
    face_instance: Int[np.ndarray, " m"]
    textures: tuple[Texture, ...]
    names: tuple[str, ...]  # of instance k + 1
    class_names: tuple[str, ...]  # of instance k + 1

    @property
    def instance_class(self) -> Int[np.ndarray, " k"]:
        """The class id of each instance id; entry 0 is 0."""
        return np.array([0, *(CLASS_IDS[name] for name in self.class_names)], dtype=np.int32)


def assemble(building: Building) -> World:
    """All parts of all things in one mesh."""
    parts = [(k + 1, part) for k, thing in enumerate(building.things) for part in thing.parts]
    vertex_start = np.cumsum([0, *(len(part.mesh.vertices) for _, part in parts)])
    sizes = [len(part.mesh.faces) for _, part in parts]
    textures = list(dict.fromkeys(part.texture for _, part in parts))
    number = {texture: k for k, texture in enumerate(textures)}
    return World(
        vertices=np.concatenate([part.mesh.vertices for _, part in parts]),
        normals=np.concatenate([part.mesh.normals for _, part in parts]),
        uv=np.concatenate([part.mesh.uv for _, part in parts]),
        faces=np.concatenate(
            [part.mesh.faces + start for (_, part), start in zip(parts, vertex_start, strict=False)]
        ).astype(np.int32),
        face_texture=np.repeat([number[part.texture] for _, part in parts], sizes).astype(np.int16),
        face_instance=np.repeat([instance for instance, _ in parts], sizes).astype(np.int32),
        textures=tuple(textures),
        names=tuple(thing.name for thing in building.things),
        class_names=tuple(thing.class_name for thing in building.things),
    )


def without_instances(world: World, ids: Collection[int]) -> World:
    """The world as if some instances had never stood there; the others keep their ids."""
    kept = ~np.isin(world.face_instance, list(ids))
    return replace(
        world,
        faces=world.faces[kept],
        face_texture=world.face_texture[kept],
        face_instance=world.face_instance[kept],
    )


@dataclass(frozen=True)
class Hits:
    """What rays met first: the face (-1: nothing), the distance in lengths of the ray's direction, and where in the face."""

    face: Int[np.ndarray, " n"]
    distance: Float[np.ndarray, " n"]
    barycentric: Float[np.ndarray, "n 2"]  # weights of the face's second and third corner


class RayCaster:
    """First hits of rays on a world, by Embree (embreex), which releases Python's lock: threads may share one."""

    def __init__(self, world: World) -> None:
        """Raises S3DError where embreex has no build for this machine."""
        try:
            from embreex import mesh_construction, rtcore_scene
        except ImportError:
            raise S3DError(
                "The ray caster embreex is not installed.",
                why="The built-in room is ray-cast with it; it is installed by itself on x86-64 machines only.",
                fix="Run `pip install embreex`, or make the scene on another machine and copy the folder.",
            ) from None
        self._scene: Any = rtcore_scene.EmbreeScene(robust=True)
        mesh_construction.TriangleMesh(self._scene, world.vertices.astype(np.float32), world.faces)

    def cast(self, origins: Float[np.ndarray, "n 3"], directions: Float[np.ndarray, "n 3"]) -> Hits:
        """The first hit along each ray `origin + distance * direction`."""
        found = self._scene.run(
            np.ascontiguousarray(origins, dtype=np.float32),
            np.ascontiguousarray(directions, dtype=np.float32),
            query="INTERSECT",
            output=True,
        )
        return Hits(found["primID"], found["tfar"], np.stack([found["u"], found["v"]], 1))

    def distances(self, origins: Float[np.ndarray, "n 3"], directions: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """The distance of the first hit along each ray, infinite where there is none."""
        hits = self.cast(origins, directions)
        return np.where(hits.face >= 0, hits.distance, np.float32(np.inf))
