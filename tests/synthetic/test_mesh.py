"""Solids have the size, area and outward normals that their formulas give."""

import numpy as np
import pytest

from s3d_splat.synthetic.mesh import Mesh, ball, box, join, lathe, leaf, moved, patch, pillow, placed, rotation_z, tube


def _area(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def test_a_box_has_its_area_and_stands_on_its_base() -> None:
    mesh = box((0.4, 0.6, 0.2), (1.0, 2.0, 3.0))
    assert _area(mesh) == pytest.approx(2 * (0.4 * 0.6 + 0.4 * 0.2 + 0.6 * 0.2))
    np.testing.assert_allclose(mesh.vertices.min(0), [0.8, 1.7, 3.0])
    np.testing.assert_allclose(mesh.vertices.max(0), [1.2, 2.3, 3.2])


def test_a_box_builds_only_the_sides_asked_for() -> None:
    assert _area(box((1.0, 1.0, 1.0), sides="+z-y")) == pytest.approx(2.0)


@pytest.mark.parametrize("mesh", [box((0.4, 0.6, 0.2), (0, 0, -0.1)), moved(ball(0.5), np.eye(3), np.array([0, 0, -0.5]))])
def test_normals_point_outwards_with_length_one(mesh: Mesh) -> None:
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1.0, atol=1e-9)
    assert ((mesh.normals * mesh.vertices).sum(1) > -1e-9).all()


def test_a_ball_has_nearly_the_area_of_a_sphere() -> None:
    assert _area(ball(0.5, 64)) == pytest.approx(np.pi, rel=0.01)


def test_a_lathed_cylinder_has_the_area_of_its_mantle() -> None:
    assert _area(lathe([(0.3, 0.0), (0.3, 2.0)], 96)) == pytest.approx(2 * np.pi * 0.3 * 2.0, rel=0.01)


def test_a_tube_has_the_area_of_its_mantle() -> None:
    path = np.array([[0, 0, z] for z in np.linspace(0, 1, 5)])
    assert _area(tube(path, 0.05, 48)) == pytest.approx(2 * np.pi * 0.05, rel=0.01)


def test_texture_coordinates_are_metres() -> None:
    mesh = patch((1, 1, 1), (2, 0, 0), (0, 0, 0.5), uv_origin=(3.0, 0.0))
    np.testing.assert_allclose(mesh.uv.min(0), [3.0, 0.0])
    np.testing.assert_allclose(mesh.uv.max(0), [5.0, 0.5])


def test_a_patch_is_cut_as_finely_as_asked() -> None:
    mesh = patch((0, 0, 0), (1, 0, 0), (0, 1, 0), step=0.1)
    assert len(mesh.vertices) == 11 * 11
    assert len(mesh.faces) == 2 * 10 * 10


def test_soft_shapes_stay_within_their_size() -> None:
    np.testing.assert_allclose(np.ptp(pillow(0.4, 0.3, 0.1).vertices, axis=0), [0.4, 0.1, 0.3], atol=1e-9)
    assert leaf(0.3, 0.1, 0.05).vertices[:, 0].max() == pytest.approx(0.3)


def test_placing_tilts_then_turns_then_shifts() -> None:
    mesh = placed(patch((0, 0, 0), (1, 0, 0), (0, 1, 0), step=1.0), 5, 6, 7, yaw=np.pi / 2, pitch=np.pi / 2)
    # (1, 0, 0) turns to (0, 1, 0); (0, 1, 0) is tilted up to (0, 0, 1), which turning leaves as it is
    np.testing.assert_allclose(mesh.vertices, [[5, 6, 7], [5, 7, 7], [5, 6, 8], [5, 7, 8]], atol=1e-12)


def test_joining_keeps_every_triangle() -> None:
    one, two = box((1, 1, 1)), placed(box((1, 1, 1)), 3, 0, yaw=0.3)
    both = join(one, two)
    assert _area(both) == pytest.approx(12.0)
    assert both.faces.max() == len(both.vertices) - 1
    np.testing.assert_allclose(rotation_z(0.3) @ rotation_z(-0.3), np.eye(3), atol=1e-12)
