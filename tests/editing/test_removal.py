"""A box is taken off a striped floor: nothing of it stays, the stripes go on, and all else is as it was."""

from dataclasses import replace

import pytest
import torch

from s3d_splat.editing.apply import apply
from s3d_splat.editing.operations import Remove
from s3d_splat.editing.rows import decoded, without_empty_anchors
from s3d_splat.editing.values import EditableScene, EditResult
from s3d_splat.metrics.image import psnr
from tests.editing.rooms import BALL, BOX, FLOOR, around, camera, floor_colour, room, scene_of_points

NAMES = ("means", "log_scales", "quaternions", "opacities", "colours")


@pytest.fixture(scope="module")
def removed() -> tuple[EditableScene, EditResult]:
    before = room()
    return before, apply(before, Remove((BOX,)), around())


def picture(scene: EditableScene) -> torch.Tensor:
    view = camera(17.0, 1.5, 1.4)
    with torch.no_grad():
        return around().rasterizer.render(decoded(scene.field, view), view).colour


def test_the_hole_shows_the_floor_that_goes_on_there(removed):
    truth, before, after = (
        picture(scene) for scene in (room(with_box=False, whole_floor=True), removed[0], removed[1].scene)
    )
    region = (before - truth).abs().sum(2) > 0.05
    assert region.sum() > 800
    assert psnr(before[region], truth[region]) < 12
    assert psnr(after[region], truth[region]) > 22
    across = [(image[:, 1:] - image[:, :-1])[region[:, 1:] & region[:, :-1]].square().sum() for image in (after, truth)]
    assert across[0] / across[1] == pytest.approx(1, abs=0.3)


def test_without_filling_the_hole_is_empty():
    result = apply(room(), Remove((BOX,), fill=False), around())
    view = camera(17.0, 1.5, 1.4)
    with torch.no_grad():
        alpha = around().rasterizer.render(decoded(result.scene.field, view), view).alpha
    assert alpha[46:50, 61:67].max() < 0.1
    assert "fill" not in result.summary


def test_nothing_else_moves_changes_or_disappears(removed):
    before, result = removed
    count = before.instances.child_instance.numel()
    listed = torch.zeros(count, dtype=torch.bool)
    listed[result.changed] = True
    others = before.instances.child_instance.reshape(-1) != BOX
    then, now = decoded(before.field), decoded(result.scene.field)
    for name in NAMES:
        same = getattr(now, name)[:count] == getattr(then, name)
        assert same.view(count, -1).all(1)[others & ~listed].all(), name
    kept = result.scene.instances.child_instance.reshape(-1)[:count]
    assert torch.equal(kept[others & ~listed], before.instances.child_instance.reshape(-1)[others & ~listed])
    ball = (before.instances.instance_id == BALL, result.scene.instances.instance_id == BALL)
    assert torch.equal(result.scene.instances.aabb[ball[1]], before.instances.aabb[ball[0]])
    assert len(result.changed) < 0.01 * int(others.sum())


def test_what_is_filled_belongs_to_the_floor(removed):
    before, result = removed
    added = result.scene.instances.child_instance[before.field.anchor_count :]
    assert set(added.unique().tolist()) <= {0, FLOOR}
    assert (decoded(result.scene.field).opacities.view(-1, 2)[before.field.anchor_count :][added == FLOOR] > 0.9).all()
    assert result.scene.instances.instance_id.tolist() == [FLOOR, BALL]
    assert int(result.scene.instances.size[0]) == int((result.scene.instances.child_instance == FLOOR).sum())
    assert result.summary.startswith("removed object 2: 320 Gaussians")


def test_the_same_removal_gives_the_same_bits(removed):
    again = apply(removed[0], Remove((BOX,)), around()).scene
    for name, value in removed[1].scene.field.state_dict().items():
        assert torch.equal(again.field.state_dict()[name], value), name


def test_dropping_empty_anchors_changes_no_picture(removed):
    small = without_empty_anchors(removed[1].scene)
    assert small.field.anchor_count == removed[1].scene.field.anchor_count - 160
    torch.testing.assert_close(picture(small), picture(removed[1].scene), atol=1e-6, rtol=0)


def test_what_bled_into_the_object_goes_with_it():
    """Gaussians inside the box that carry the floor's id were never seen, and would float where it stood."""
    inside = 0.1 * (torch.rand(8, 3, generator=torch.Generator().manual_seed(0)) - 0.5) + torch.tensor([0.0, 0.0, 0.25])
    whole = room()
    means = torch.cat([decoded(whole.field).means.detach(), inside])
    child = torch.cat([whole.instances.child_instance, torch.full((4, 2), FLOOR, dtype=torch.int32)])
    colours = torch.cat([decoded(whole.field).colours.detach(), torch.full((8, 3), 0.05)])
    before = scene_of_points(means, colours, child)
    result = apply(before, Remove((BOX,)), around())
    first = whole.instances.child_instance.numel()
    assert set(range(first, first + 8)) & set(result.changed.tolist())
    alive = decoded(result.scene.field).opacities[first : first + 8] > 0
    shown = decoded(result.scene.field).means[first : first + 8][alive]
    assert len(shown) <= 2  # what is left weighs less than a pixel in every view


def test_an_object_that_no_view_shows_is_removed_all_the_same():
    before = room()
    away = replace(around(), cameras=())
    result = apply(before, Remove((BOX,)), away)
    assert result.scene.instances.instance_id.tolist() == [FLOOR, BALL]
    assert result.scene.field.anchor_count == before.field.anchor_count


def test_the_stripes_are_as_the_room_says():
    assert floor_colour(torch.tensor([0.1, 0.3])).tolist() == [
        pytest.approx([0.8, 0.7, 0.5]),
        pytest.approx([0.4, 0.3, 0.2]),
    ]
