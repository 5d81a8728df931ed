"""What editing made of anchors: the identity changes no bit, rotations are a group, and a state carries it."""

import math

import pytest
import torch

from s3d_splat.raster.reference import ReferenceRasterizer
from s3d_splat.scaffold.field import AnchorField, field_from_state
from s3d_splat.scaffold.placement import (
    Placement,
    placement_rows,
    quaternion_product,
    trained_directions,
    untouched,
)
from s3d_splat.types import Camera, Gaussians
from tests.scaffold.test_field import camera, field

QUARTER = math.sqrt(0.5)


def trained(**columns) -> AnchorField:
    """A field whose heads say something."""
    made = field(**columns)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for head in (made.heads.opacity, made.heads.shape, made.heads.colour):
            head[2].weight.normal_(0.0, 0.3, generator=generator)
    return made


def placed(made: AnchorField, **columns) -> AnchorField:
    """The field with a placement that changes nothing but the given columns."""
    anchors, children = made.offsets.shape[:2]
    return made.edited(made.anchors, Placement(**{**vars(untouched(anchors, children, made.positions)), **columns}))


def assert_same_bits(a: Gaussians, b: Gaussians) -> None:
    for name in ("means", "log_scales", "quaternions", "opacities", "colours", "features"):
        assert torch.equal(getattr(a, name), getattr(b, name)), name


def test_a_placement_that_changes_nothing_changes_no_bit():
    made = trained()
    assert made.placement is None
    assert_same_bits(placed(made).decode(camera()), made.decode(camera()))


def test_an_edited_field_shares_its_tensors():
    made = trained()
    other = placed(made)
    assert other.embedding.data_ptr() == made.embedding.data_ptr()
    assert other.heads is made.heads
    assert made.placement is None


def test_a_state_carries_the_placement():
    made = trained()
    turn = torch.tensor([QUARTER, 0.0, 0.0, QUARTER]).repeat(made.anchor_count, 1)
    turned = placed(made, rotation=turn)
    again = field_from_state(turned.state_dict(), made.options)
    assert_same_bits(again.decode(camera()), turned.decode(camera()))
    assert not any(name.startswith("placement") for name in made.state_dict())


def test_a_quarter_turn_about_z_takes_x_to_y():
    made = trained()
    count = made.anchor_count
    turned = placed(made, rotation=torch.tensor([QUARTER, 0.0, 0.0, QUARTER]).repeat(count, 1)).decode(camera())
    positions = made.positions.repeat_interleave(made.offsets.shape[1], 0)
    local = made.decode(camera()).means - positions
    expected = torch.stack((-local[:, 1], local[:, 0], local[:, 2]), 1)
    torch.testing.assert_close(turned.means - positions, expected, atol=1e-6, rtol=0)


def test_scale_shrink_opacity_and_colour_are_factors_of_their_own():
    made = trained()
    anchors, children = made.offsets.shape[:2]
    plain = made.decode(camera())
    swap = torch.tensor([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 2.0]]).repeat(anchors, 1, 1)
    got = placed(
        made,
        scale=torch.full((anchors,), 2.0),
        shrink=torch.full((anchors, children), 0.25),
        opacity=torch.full((anchors, children), 0.5),
        colour=swap,
    ).decode(camera())
    positions = made.positions.repeat_interleave(children, 0)
    torch.testing.assert_close(got.means - positions, 2 * (plain.means - positions), atol=1e-6, rtol=0)
    torch.testing.assert_close(got.log_scales, plain.log_scales + math.log(2 * 0.25))
    torch.testing.assert_close(got.opacities, plain.opacities / 2)
    ones = torch.ones_like(plain.opacities)
    torch.testing.assert_close(got.colours, torch.stack((plain.colours[:, 1], plain.colours[:, 0], ones), 1))


def test_some_anchors_decode_as_they_do_among_all():
    made = trained()
    generator = torch.Generator().manual_seed(2)
    turn = torch.nn.functional.normalize(torch.randn(made.anchor_count, 4, generator=generator), dim=1)
    edited, index = placed(made, rotation=turn), torch.tensor([7, 3, 11])
    few, every = edited.decode(camera(), index), edited.decode(camera())
    rows = (index[:, None] * made.offsets.shape[1] + torch.arange(made.offsets.shape[1])).reshape(-1)
    torch.testing.assert_close(few.means, every.means[rows])
    torch.testing.assert_close(few.colours, every.colours[rows])
    assert torch.equal(placement_rows(edited.placement, index).rotation, turn[index])


def test_quaternion_products_are_those_of_rotations():
    from s3d_splat.geometry.rotations import rotation_matrices

    generator = torch.Generator().manual_seed(3)
    a, b, c = torch.nn.functional.normalize(torch.randn(3, 20, 4, generator=generator, dtype=torch.float64), dim=-1)
    torch.testing.assert_close(
        rotation_matrices(quaternion_product(a, b)), rotation_matrices(a) @ rotation_matrices(b), atol=1e-12, rtol=0
    )
    torch.testing.assert_close(
        quaternion_product(quaternion_product(a, b), c), quaternion_product(a, quaternion_product(b, c)), atol=1e-12, rtol=0
    )
    inverse = a * torch.tensor([1.0, -1, -1, -1], dtype=torch.float64)
    one = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64).expand(20, 4)
    torch.testing.assert_close(quaternion_product(a, inverse), one, atol=1e-12, rtol=0)


def test_directions_are_taken_back():
    turned = placed(trained(), rotation=torch.tensor([QUARTER, 0.0, 0.0, QUARTER]).repeat(field().anchor_count, 1))
    along_y = torch.tensor([0.0, 1.0, 0.0]).repeat(turned.anchor_count, 1)
    expected = torch.tensor([1.0, 0.0, 0.0]).repeat(turned.anchor_count, 1)
    torch.testing.assert_close(trained_directions(turned.placement, along_y), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("axis", [(0.0, 0.0, 1.0), (1.0, 2.0, -0.5)])
def test_the_whole_scene_turned_with_the_camera_gives_the_same_picture(axis: tuple[float, float, float]):
    made = trained().double()
    half = math.radians(40) / 2
    direction = torch.nn.functional.normalize(torch.tensor(axis, dtype=torch.float64), dim=0)
    turn = torch.cat([torch.tensor([math.cos(half)], dtype=torch.float64), math.sin(half) * direction])
    from s3d_splat.geometry.rotations import rotation_matrices

    matrix, shift = rotation_matrices(turn), torch.tensor([0.3, -0.2, 0.7], dtype=torch.float64)
    placement = placed(made, rotation=turn.repeat(made.anchor_count, 1)).placement
    from dataclasses import replace

    turned = made.edited(replace(made.anchors, positions=made.positions @ matrix.T + shift), placement)
    here = Camera(torch.eye(4, dtype=torch.float64), fx=40.0, fy=40.0, cx=16.0, cy=12.0, width=32, height=24)
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3], pose[:3, 3] = matrix, shift
    with torch.no_grad():
        before = ReferenceRasterizer().render(made.decode(here), here)
        there = replace(here, T_world_camera=pose)
        after = ReferenceRasterizer().render(turned.decode(there), there)
    torch.testing.assert_close(after.colour, before.colour, atol=1e-9, rtol=0)
    torch.testing.assert_close(after.depth, before.depth, atol=1e-9, rtol=0)
