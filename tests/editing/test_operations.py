"""Each operation does what it says to its own Gaussians, and nothing to others."""

import math
from dataclasses import replace

import pytest
import torch

from s3d_splat.editing.apply import apply, check_all
from s3d_splat.editing.history import History
from s3d_splat.editing.operations import Duplicate, Extract, Move, Operation, Recolour, Remove, Rotate, Scale
from s3d_splat.editing.rows import decoded, without_empty_anchors
from s3d_splat.editing.values import EditableScene
from s3d_splat.errors import S3DError
from s3d_splat.types import Gaussians
from tests.editing.rooms import BALL, BOX, FLOOR, around, camera, room

PLAIN: tuple[Operation, ...] = (
    Move((BOX,), (0.3, 0.1, 0.2)),
    Rotate((BOX,), (0.0, 0.0, 1.0), 30.0),
    Scale((BOX,), 1.5),
    Recolour((BOX,), (0.2, 0.9, 0.1)),
    Duplicate((BOX,), (0.0, 0.0, 1.0)),
)
NAMES = ("means", "log_scales", "quaternions", "opacities", "colours")


def labels(scene: EditableScene) -> torch.Tensor:
    return scene.instances.child_instance.reshape(-1)


def of(scene: EditableScene, id: int) -> Gaussians:
    gaussians, own = decoded(scene.field, camera(10.0, 1.5, 1.0)), labels(scene) == id
    return Gaussians(**{name: getattr(gaussians, name)[own].detach() for name in NAMES})


def double(scene: EditableScene) -> EditableScene:
    return replace(scene, field=scene.field.double())


def with_shared_anchor() -> EditableScene:
    """The room, with one anchor of the floor whose second child belongs to the box."""
    scene = room(looks=1.0)
    child = scene.instances.child_instance.clone()
    child[0, 1] = BOX
    size = scene.instances.size + torch.tensor([-1, 1, 0], dtype=torch.int32)
    return replace(scene, instances=replace(scene.instances, child_instance=child, size=size))


@pytest.mark.parametrize("operation", PLAIN, ids=lambda operation: type(operation).__name__)
@pytest.mark.parametrize("make", [lambda: room(looks=1.0), with_shared_anchor])
def test_nothing_else_changes(operation, make):
    before = make()
    kept = {name: value.clone() for name, value in before.field.state_dict().items()}
    result = apply(before, operation, around())
    assert len(result.changed) == 0
    for id in (FLOOR, BALL):
        for name in NAMES:
            torch.testing.assert_close(getattr(of(result.scene, id), name), getattr(of(before, id), name), atol=1e-6, rtol=0)
    for name, value in kept.items():
        assert torch.equal(before.field.state_dict()[name], value), "an argument is never changed"
    others = before.instances.instance_id != BOX
    for name in ("size", "aabb", "score", "class_id"):
        now, then = getattr(result.scene.instances, name), getattr(before.instances, name)
        assert torch.equal(now[: len(then)][others], then[others])


def test_an_object_moves_with_all_its_gaussians_and_no_other():
    before = with_shared_anchor()
    after = apply(before, Move((BOX,), (0.3, 0.1, 0.2)), around()).scene
    torch.testing.assert_close(
        of(after, BOX).means.sort(0)[0], (of(before, BOX).means + torch.tensor([0.3, 0.1, 0.2])).sort(0)[0]
    )
    assert after.field.anchor_count == before.field.anchor_count + 1  # the shared anchor, once for each
    assert after.instances.size.tolist() == before.instances.size.tolist()
    last = after.instances.child_instance[-1].tolist()
    assert last == [0, BOX]
    assert decoded(after.field).opacities.view(-1, 2)[-1, 0] == 0


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (Move((BOX,), (0.3, -0.7, 0.2)), Move((BOX,), (-0.3, 0.7, -0.2))),
        (Rotate((BOX,), (1.0, 2.0, -0.3), 50.0), Rotate((BOX,), (1.0, 2.0, -0.3), -50.0)),
        (Scale((BOX,), 1.6), Scale((BOX,), 1 / 1.6)),
    ],
)
def test_there_and_back_is_the_identity(there, back):
    before = double(room(looks=1.0))
    after = apply(apply(before, there, around()).scene, back, around()).scene
    for name in NAMES:
        torch.testing.assert_close(getattr(of(after, BOX), name), getattr(of(before, BOX), name), atol=1e-6, rtol=0)


def test_turns_about_one_axis_add_up():
    before = double(room(looks=1.0))
    thrice = before
    for _ in range(3):
        thrice = apply(thrice, Rotate((BOX,), (0.0, 1.0, 1.0), 40.0), around()).scene
    once = apply(before, Rotate((BOX,), (0.0, 1.0, 1.0), 120.0), around()).scene
    for name in ("means", "quaternions", "colours"):
        torch.testing.assert_close(getattr(of(thrice, BOX), name), getattr(of(once, BOX), name), atol=1e-6, rtol=0)


def test_a_turned_cube_keeps_its_middle_and_its_size():
    before = room()
    after = apply(before, Rotate((BOX,), (0.0, 0.0, 1.0), 90.0), around()).scene
    row = before.instances.instance_id == BOX
    torch.testing.assert_close(after.instances.aabb[row], before.instances.aabb[row], atol=1e-5, rtol=0)


def test_scaling_scales_the_box_and_the_gaussians():
    before = room()
    after = apply(before, Scale((BOX,), 2.0), around()).scene
    row = before.instances.instance_id == BOX
    extent = [(scene.instances.aabb[row][0, 1] - scene.instances.aabb[row][0, 0]) for scene in (before, after)]
    torch.testing.assert_close(extent[1], 2 * extent[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(of(after, BOX).log_scales, of(before, BOX).log_scales + math.log(2.0))


def test_copies_get_ids_of_their_own_and_the_scores_and_classes_of_what_they_copy():
    before = room()
    result = apply(before, Duplicate((BALL, BOX), (0.0, 0.0, 1.0)), around())
    assert result.moved_to == (4, 5)
    table = result.scene.instances
    assert table.instance_id.tolist() == [1, 2, 3, 4, 5]
    assert table.class_id.tolist()[3:] == [BALL, BOX]
    assert table.size.tolist()[3:] == [int(before.instances.size[2]), int(before.instances.size[1])]
    torch.testing.assert_close(table.aabb[4], before.instances.aabb[1] + torch.tensor([0.0, 0.0, 1.0]), atol=1e-5, rtol=0)
    shift = torch.tensor([0.0, 0.0, 1.0])
    torch.testing.assert_close(of(result.scene, 5).means, of(before, BOX).means + shift, atol=1e-6, rtol=0)


def test_a_new_colour_is_seen():
    before = room()
    after = apply(before, Recolour((BOX,), (0.2, 0.9, 0.1)), around()).scene
    expected = torch.tensor([0.2, 0.9, 0.1]).expand_as(of(after, BOX).colours)
    torch.testing.assert_close(of(after, BOX).colours, expected, atol=1e-3, rtol=0)
    half = apply(before, Recolour((BOX,), (0.2, 0.9, 0.1), 0.5), around()).scene
    torch.testing.assert_close(
        of(half, BOX).colours, (of(before, BOX).colours + of(after, BOX).colours) / 2, atol=1e-3, rtol=0
    )


def test_extracting_keeps_the_objects_alone():
    result = apply(room(), Extract((BALL,)), around()).scene
    gaussians = decoded(result.field)
    assert torch.equal(gaussians.opacities > 0, labels(result) == BALL)
    assert result.instances.instance_id.tolist() == [BALL]
    small = without_empty_anchors(result)
    assert small.field.anchor_count == int(result.instances.size) / 2
    assert (small.instances.child_instance == BALL).all()


def test_undo_gives_the_very_same_tensors_and_redo_what_was_undone():
    scene = room()
    history = History(scene)
    assert not history.can_undo
    assert not history.can_redo
    first = history.do(Move((BOX,), (1.0, 0.0, 0.0)), around()).scene
    second = history.do(Recolour((BALL,), (0.0, 0.0, 1.0)), around()).scene
    assert history.present is second
    assert len(history.steps) == 2
    assert history.undo() is first
    assert history.undo() is scene
    assert history.undo() is scene  # nothing left to undo
    assert history.redo() is first
    third = history.do(Scale((BALL,), 2.0), around()).scene  # what was undone is gone
    assert not history.can_redo
    assert history.redo() is third
    assert [type(step).__name__ for step in history.steps] == ["Move", "Scale"]
    with pytest.raises(S3DError):
        history.do(Scale((99,), 2.0), around())
    assert history.present is third


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (Move((7,), (0.0, 0.0, 1.0)), "there is no object 7 to move"),
        (Move((), (0.0, 0.0, 1.0)), "move names no object"),
        (Remove((BOX, BOX)), "remove names an object twice"),
        (Remove((FLOOR, BOX, BALL)), "nothing would be left"),
        (Scale((BOX,), 0.0), "scale with 0 makes no sense"),
        (Scale((BOX,), float("nan")), "scale with nan makes no sense"),
        (Rotate((BOX,), (0.0, 0.0, 0.0), 10.0), "rotate with 0, 0, 0, 10 makes no sense"),
        (Rotate((BOX,), (1e-300, 0.0, 0.0), 10.0), "rotate with 1e-300, 0, 0, 10 makes no sense"),
        (Move((BOX,), (1e300, 0.0, 0.0)), r"move with 1e\+300, 0, 0 makes no sense"),
        (Move((BOX,), (float("inf"), 0.0, 0.0)), "move with inf, 0, 0 makes no sense"),
        (Recolour((BOX,), (2.0, 0.0, 0.0)), "recolour with 2, 0, 0, 1 makes no sense"),
        (Recolour((BOX,), (1.0, 0.0, 0.0), -1.0), "recolour with 1, 0, 0, -1 makes no sense"),
    ],
)
def test_what_cannot_be_done_is_said(operation, message):
    with pytest.raises(S3DError, match=message) as caught:
        apply(room(), operation, around())
    assert caught.value.why
    assert caught.value.fix
    if "there is no object" in message:
        assert caught.value.why == "the scene has objects 1..3"


def test_several_steps_are_checked_one_after_the_other():
    check_all((Duplicate((2,), (0.0, 0.0, 1.0)), Remove((4,)), Extract((1,))), [1, 2, 3])
    with pytest.raises(S3DError, match="there is no object 2 to move"):
        check_all((Remove((2,)), Move((2,), (0.0, 0.0, 1.0))), [1, 2, 3])
    with pytest.raises(S3DError, match="nothing would be left"):
        check_all((Extract((1,)), Remove((1,))), [1, 2, 3])
