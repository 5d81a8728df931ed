"""What is fixed before the first frame is written: the lit building, the camera and its path."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from s3d_splat.synthetic.classes import CLASS_IDS, STUFF
from s3d_splat.synthetic.layout import draw_room
from s3d_splat.synthetic.lighting import bake, lamp_positions
from s3d_splat.synthetic.options import SynthOptions
from s3d_splat.synthetic.path import walk
from s3d_splat.synthetic.render import Pinhole, Renderer
from s3d_splat.synthetic.shell import build
from s3d_splat.synthetic.world import RayCaster, World, assemble, without_instances
from s3d_splat.types import ClassInfo


@dataclass(frozen=True)
class Stage:
    """The world, who looks at it, and from where."""

    world: World
    caster: RayCaster
    renderer: Renderer
    camera: Pinhole
    poses: Float[np.ndarray, "f 4 4"]  # true camera-to-world poses, OpenCV axes, metres


def stream(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """Random numbers for one purpose, whatever else is drawn."""
    return np.random.default_rng([seed, index, *purpose.encode()])


def make_stage(options: SynthOptions, absent: Collection[int] = ()) -> Stage:
    """Layout, light, camera and path of the options.

    The instances `absent` (ids) are left out, together with the shadows that they would cast; layout, ids, camera and path
    are those of the room with everything in it.
    """
    layout = stream(options.seed, "layout")
    building = build(tuple(draw_room(layout) for _ in range(options.rooms)))
    focal = 0.85 * options.width
    camera = Pinhole(focal, focal, options.width / 2, options.height / 2, options.width, options.height)
    world = without_instances(assemble(building), absent)
    caster = RayCaster(world)
    renderer = Renderer(world, bake(world, building, caster), lamp_positions(building), camera, caster)
    return Stage(world, caster, renderer, camera, walk(building, options.frames, stream(options.seed, "path")))


def class_table(world: World) -> tuple[ClassInfo, ...]:
    """The classes that occur, ascending by id."""
    rows = (ClassInfo(CLASS_IDS[name], name, name not in STUFF) for name in set(world.class_names))
    return tuple(sorted(rows, key=lambda row: row.id))
