"""Rendered depth, labels and colour agree with the geometry that they show."""

from dataclasses import replace

import numpy as np
import pytest

from s3d_splat.synthetic.furniture import Part
from s3d_splat.synthetic.layout import Thing
from s3d_splat.synthetic.lighting import BakedLight
from s3d_splat.synthetic.mesh import patch
from s3d_splat.synthetic.render import Pinhole, Renderer
from s3d_splat.synthetic.shell import Building
from s3d_splat.synthetic.stage import Stage
from s3d_splat.synthetic.textures import Texture
from s3d_splat.synthetic.world import RayCaster, assemble

CAMERA = Pinhole(fx=8.0, fy=8.0, cx=8.0, cy=6.0, width=16, height=12)


def _one_wall(texture: Texture) -> tuple[Renderer, np.ndarray]:
    """A wall in the plane y = 2 under even light 1, and the pose of a camera at the origin that looks along +y."""
    wall = Thing("wall", "wall", (Part(patch((-9, 2, -9), (18, 0, 0), (0, 0, 18), 1.0), texture),))
    world = assemble(Building((), (), (wall,)))
    light = BakedLight(np.ones((len(world.vertices), 3)), np.ones(len(world.vertices)))
    pose = np.eye(4)
    pose[:3, :3] = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])  # columns: right = +x, down = -z, forward = +y
    return Renderer(world, light, np.array([[0.0, -5.0, 0.0]]), CAMERA, RayCaster(world)), pose


def test_a_wall_is_flat_in_depth_and_evenly_coloured() -> None:
    renderer, pose = _one_wall(Texture("plain", ((0.5, 0.25, 1.0),)))
    frame = renderer.render(pose)
    np.testing.assert_allclose(frame.depth, 2.0, rtol=1e-6)
    assert (frame.instances == 1).all()
    expected = np.rint(np.array([0.5, 0.25, 1.0]) ** (1 / 2.2) * 255)
    np.testing.assert_array_equal(frame.image, np.broadcast_to(expected, (12, 16, 3)))


def test_colours_at_a_border_are_mixed_in_linear_light() -> None:
    # stripes 2 m wide from the wall's edge at -9: a border at x = -1, where pixel column u = 8 - 8 / 2 = 4 begins
    renderer, pose = _one_wall(Texture("checker", ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), scale=2.0))
    inside, shifted = renderer.render(pose).image, pose.copy()
    shifted[0, 3] = 0.125  # half a pixel to the right at depth 2: the border now runs through pixel column 3
    mixed = renderer.render(shifted).image
    assert set(np.unique(inside)) == {0, 255}
    assert round(0.5 ** (1 / 2.2) * 255) in np.unique(mixed[:, 3])


def test_light_that_a_surface_sends_out_adds_to_what_it_reflects() -> None:
    plain = Texture("plain", ((0.2, 0.2, 0.2),))
    dark, pose = _one_wall(plain)
    bright, _ = _one_wall(replace(plain, glow=1.0))
    a, b = (renderer.render(pose).image[0, 0, 0] / 255 for renderer in (dark, bright))
    assert (b / a) ** 2.2 == pytest.approx(2.0, rel=0.02)


def test_a_glossy_wall_is_brightest_where_it_mirrors_the_lamp() -> None:
    renderer, pose = _one_wall(Texture("plain", ((0.1, 0.1, 0.1),), gloss=0.5))
    image = renderer.render(pose).image[..., 0].astype(float)
    # lamp and camera both lie on the normal through the image's centre
    assert np.unravel_index(image.argmax(), image.shape) in {(5, 7), (5, 8), (6, 7), (6, 8)}
    assert image[5, 7] > image[0, 0] + 20


def test_depth_unprojects_onto_the_surface_of_the_labelled_instance(default_stage: Stage) -> None:
    camera, pose = default_stage.camera, default_stage.poses[33]
    depth, instances = default_stage.renderer.measure(pose)
    rows, columns = np.mgrid[0 : camera.height : 16, 0 : camera.width : 16].reshape(2, -1)
    z = depth[rows, columns].astype(float)
    local = np.stack([(columns + 0.5 - camera.cx) / camera.fx * z, (rows + 0.5 - camera.cy) / camera.fy * z, z], 1)
    points = local @ pose[:3, :3].T + pose[:3, 3]
    floor = instances[rows, columns] == 1 + default_stage.world.names.index("floor")
    assert floor.any()
    np.testing.assert_allclose(points[floor, 2], 0.0, atol=1e-4)
    assert (points[:, 2] > -1e-4).all()
    assert (points[:, 2] < 2.5 + 1e-4).all()


def test_the_same_pose_gives_the_same_bits(default_stage: Stage) -> None:
    first, second = (default_stage.renderer.render(default_stage.poses[7]) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.depth, second.depth)
