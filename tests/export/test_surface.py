"""Surfaces from depth images: where they lie, what colour they have, whose they are."""

import numpy as np
import pytest
import torch

from s3d_splat.export.surface import Surface, extract
from s3d_splat.export.volume import SIDE, DepthView, SurfaceVolume, block_origin
from s3d_splat.geometry.cameras import ray_directions
from s3d_splat.geometry.paths import look_at
from s3d_splat.geometry.voxels import voxel_keys
from s3d_splat.types import Camera

RADIUS = 0.5


def around(count: int) -> list[Camera]:
    """Cameras around a ball at (1, 2, 3), 2 m from its middle."""
    generator = torch.Generator().manual_seed(0)
    middle = torch.tensor([1.0, 2.0, 3.0])
    places = middle + 2 * torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)
    poses = [look_at(place, middle, torch.tensor([0.0, 0.0, 1.0])) for place in places]
    return [Camera(pose, 90.0, 90.0, 32.0, 32.0, 64, 64) for pose in poses]


def ball(camera: Camera) -> DepthView:
    """A ball whose upper half (z > 3) is red and object 7, whose lower half is green and object 9."""
    centre, rays = camera.T_world_camera[:3, 3], ray_directions(camera)
    offset = centre - torch.tensor([1.0, 2.0, 3.0])
    a, b, c = (rays * rays).sum(-1), 2 * (rays * offset).sum(-1), (offset * offset).sum() - RADIUS**2
    root = b * b - 4 * a * c
    depth = torch.where(root > 0, (-b - root.clamp(min=0).sqrt()) / (2 * a), 0.0)
    upper = (centre + depth[..., None] * rays)[..., 2] > 3
    colour = torch.where(upper[..., None], torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]))
    instances = torch.where(depth > 0, torch.where(upper, 7, 9), 0).int()
    return DepthView(camera, depth, colour, instances)


@pytest.fixture(scope="module")
def surface() -> Surface:
    volume = SurfaceVolume(0.04, 10_000)
    for camera in around(80):
        volume.add(ball(camera))
    return extract(volume).without_specks()


def test_it_lies_where_the_depths_are(surface: Surface):
    distance = np.linalg.norm(surface.vertices - [1, 2, 3], axis=1)
    assert np.abs(distance - RADIUS).mean() < 0.005
    assert np.abs(distance - RADIUS).max() < 0.04  # a voxel
    extent = surface.vertices.max(axis=0) - surface.vertices.min(axis=0)
    assert extent == pytest.approx([1, 1, 1], abs=0.04)


def test_it_is_closed_and_looks_outwards(surface: Surface):
    corners = surface.vertices[surface.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outwards = ((corners.mean(axis=1) - [1, 2, 3]) * normals).sum(axis=1)
    assert (outwards > 0).mean() > 0.999
    volume = (corners[:, 0] * np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.03)
    edges = np.sort(surface.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()  # so that regions are sewn together


def test_colours_and_objects_are_those_of_the_views(surface: Surface):
    height = surface.vertices[:, 2] - 3
    assert (surface.colours[height > 0.06] == [255, 0, 0]).mean() > 0.99
    assert (surface.colours[height < -0.06] == [0, 255, 0]).mean() > 0.99
    middle = surface.vertices[surface.triangles].mean(axis=1)[:, 2] - 3
    assert (surface.instances[middle > 0.05] == 7).all()
    assert (surface.instances[middle < -0.05] == 9).all()


def test_an_object_is_its_triangles_and_no_vertex_more(surface: Surface):
    upper = surface.of(7)
    assert upper.vertices[:, 2].min() > 3 - 0.05
    assert set(np.unique(upper.triangles)) == set(range(len(upper.vertices)))
    assert len(upper.triangles) + len(surface.of(9).triangles) == len(surface.triangles)
    assert len(surface.of(8).triangles) == 0


def test_one_wrong_view_does_not_change_whose_it_is():
    volume = SurfaceVolume(0.04, 10_000)
    views = [ball(camera) for camera in around(40)]
    for i, view in enumerate(views):
        wrong = torch.full_like(view.instances, 5)
        volume.add(DepthView(view.camera, view.depth, view.colour, wrong if i == 3 else view.instances))
    found = extract(volume).without_specks()
    assert (found.instances == 5).mean() < 0.05


def test_dust_is_swept_away(surface: Surface):
    speck = Surface(
        np.concatenate((surface.vertices, np.eye(3))),
        np.concatenate((surface.triangles, len(surface.vertices) + np.arange(3)[None])),
        np.concatenate((surface.colours, np.zeros((3, 3), np.uint8))),
        np.concatenate((surface.instances, [1])),
    )
    assert len(speck.without_specks().triangles) == len(surface.triangles)


def test_steps_in_depth_make_no_surface_between():
    """A square before a wall: nothing lies between them."""
    camera = Camera(torch.eye(4), 60.0, 60.0, 32.0, 32.0, 64, 64)
    depth = torch.full((64, 64), 2.0)
    depth[20:44, 20:44] = 1.0
    volume = SurfaceVolume(0.03, 10_000)
    volume.add(DepthView(camera, depth, torch.zeros(64, 64, 3), torch.zeros(64, 64, dtype=torch.int32)))
    z = extract(volume).vertices[:, 2]
    assert ((np.abs(z - 1) < 0.03) | (np.abs(z - 2) < 0.03)).all()
    assert (np.abs(z - 1) < 0.03).any()


def test_more_blocks_than_allowed_are_refused():
    with pytest.raises(OverflowError):
        SurfaceVolume(0.04, 10).add(ball(around(1)[0]))


def test_nothing_seen_is_no_surface():
    empty = extract(SurfaceVolume(0.1, 10))
    assert (len(empty.vertices), len(empty.triangles), len(empty.without_specks().triangles)) == (0, 0, 0)


def test_blocks_start_where_their_keys_say():
    points = torch.tensor([[0.1, -0.1, 5.0], [-7.3, 0.0, 0.9]])
    expected = torch.floor(points / (SIDE * 0.1)).long() * SIDE
    assert torch.equal(block_origin(voxel_keys(points, SIDE * 0.1)), expected)
