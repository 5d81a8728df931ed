"""Surface points are uniform by area, and only what a camera sees is kept."""

import numpy as np

from s3d_splat.synthetic.furniture import Part
from s3d_splat.synthetic.layout import Thing
from s3d_splat.synthetic.mesh import box, patch
from s3d_splat.synthetic.points import DENSITY, VisibilityFilter, surface_points
from s3d_splat.synthetic.render import Pinhole
from s3d_splat.synthetic.shell import Building
from s3d_splat.synthetic.textures import Texture
from s3d_splat.synthetic.world import RayCaster, World, assemble

PAINT = Texture("plain", ((0.5, 0.5, 0.5),))


def _world() -> World:
    """A floor of 1 m2 with a cube of 20 cm in its middle."""
    floor = Thing("floor", "floor", (Part(patch((-0.5, -0.5, 0), (1, 0, 0), (0, 1, 0)), PAINT),))
    cube = Thing("cube", "box", (Part(box((0.2, 0.2, 0.2), sides="-x+x-y+y+z"), PAINT),))
    return assemble(Building((), (), (floor, cube)))


def test_each_surface_gets_its_share_by_area() -> None:
    world = _world()
    points = surface_points(world, np.random.default_rng(0))
    instance = world.face_instance[points.face]
    assert DENSITY >= 10_000  # one per cm2
    assert abs((instance == 1).sum() - DENSITY * 1.0) <= 1
    assert abs((instance == 2).sum() - DENSITY * 5 * 0.2 * 0.2) <= 1
    top = (points.xyz[:, 2] > 0.1999) & (instance == 2)
    assert abs(top.sum() - DENSITY * 0.04) <= 2
    quarters, _, _ = np.histogram2d(*points.xyz[instance == 1, :2].T, bins=2)
    np.testing.assert_allclose(quarters, DENSITY / 4, rtol=0.05)


def test_points_lie_on_their_faces() -> None:
    world = _world()
    points = surface_points(world, np.random.default_rng(0))
    a, b, c = (world.vertices[world.faces[points.face, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    np.testing.assert_allclose(((points.xyz - a) * normal).sum(1), 0.0, atol=1e-12)


def test_a_camera_above_sees_the_top_and_the_floor_around_but_nothing_else() -> None:
    world = _world()
    caster = RayCaster(world)
    points = surface_points(world, np.random.default_rng(0))
    camera = Pinhole(fx=50.0, fy=50.0, cx=50.0, cy=50.0, width=100, height=100)
    pose = np.diag([1.0, -1.0, -1.0, 1.0])  # looks down
    pose[2, 3] = 1.2
    seen_filter = VisibilityFilter(world, points, camera, caster)
    seen_filter.add_view(pose, np.full((100, 100), 1.2, dtype=np.float32))
    seen = np.zeros(len(points.xyz), dtype=bool)
    seen[seen_filter.seen()] = True
    instance, (x, y, z) = world.face_instance[points.face], points.xyz.T
    reach = np.maximum(np.abs(x), np.abs(y))
    # the cube's top edge at 0.1 m from the axis, 1 m below the camera, hides the floor up to 0.1 * 1.2 = 0.12 m
    assert seen[(instance == 1) & (reach > 0.121)].all()
    assert not seen[(instance == 1) & (reach < 0.119)].any()
    assert seen[(instance == 2) & (z > 0.1999)].all()
    assert not seen[(instance == 2) & (z < 0.195)].any()
