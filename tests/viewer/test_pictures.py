"""From a state to a picture, and from a place in it to an object."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from s3d_splat.geometry.cameras import scaled
from s3d_splat.types import Camera
from s3d_splat.viewer.cameras import BrowserCamera, pixel_camera, rendering_camera, start_view, vertical_fov
from s3d_splat.viewer.document import Document
from s3d_splat.viewer.picking import object_at, object_card, object_cards, same_view
from s3d_splat.viewer.pictures import depth_picture, heat_picture, take_picture
from s3d_splat.viewer.state import MODES, ViewState
from tests.scene_fixtures import HEIGHT, WIDTH, tiny_camera


@pytest.fixture(scope="module")
def document(tiny_run: Path) -> Document:
    return Document(tiny_run)


@pytest.fixture
def camera() -> Camera:
    return scaled(tiny_camera(2), 2.0)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_a_picture_of_the_right_size(document: Document, camera: Camera, mode: str):
    picture = take_picture(document.scene, ViewState(mode=mode), camera, with_ids=True)
    assert picture.colour.shape == (2 * HEIGHT, 2 * WIDTH, 3)
    assert picture.colour.std() > 5  # it shows something
    assert set(picture.ids.unique().tolist()) >= {1, 2, 3}


def test_hiding_an_object_changes_nothing_where_it_does_not_show(document: Document, camera: Camera):
    whole = take_picture(document.scene, ViewState(), camera, with_ids=True)
    id = object_cards(document.scene, "chair")[0].id
    less = take_picture(document.scene, ViewState(hidden=frozenset({id})), camera, with_ids=True)
    assert id not in less.ids
    only = take_picture(document.scene, ViewState(solo=frozenset({id})), camera, with_ids=True)
    assert set(only.ids.unique().tolist()) <= {0, id}
    changed = (less.colour != whole.colour).any(axis=2)
    assert changed[(whole.ids == id).numpy()].mean() > 0.9
    assert not changed[(only.depth == 0).numpy()].any()  # where the object alone leaves no trace at all


def test_hidden_wins_over_solo():
    state = ViewState(hidden=frozenset({1}), solo=frozenset({1, 2}))
    assert [state.shows(id) for id in (0, 1, 2, 3)] == [False, False, True, False]
    assert ViewState(hidden=frozenset({1})).shows(0)


def test_the_selected_object_is_outlined_in_orange(document: Document, camera: Camera):
    whole = take_picture(document.scene, ViewState(), camera, with_ids=True)
    id = object_cards(document.scene, "chair")[0].id
    outlined = take_picture(document.scene, ViewState(selected=id), camera, with_ids=False)
    changed = (outlined.colour != whole.colour).any(axis=2)
    assert not changed[(whole.ids == id).numpy()].any()  # the object itself can be seen
    orange = (outlined.colour == np.array([255, 140, 0])).all(axis=2)
    assert orange.sum() >= 30
    assert np.array_equal(changed, orange)


def test_depth_has_the_same_colours_everywhere():
    depth = torch.tensor([[0.0, 1.0, 4.0, 9.0]])
    picture = depth_picture(depth, far=4.0)
    assert picture[0, 0].tolist() == [0, 0, 0]
    assert torch.equal(picture[0, 2], picture[0, 3])  # far, and beyond
    assert picture[0, 1, 0] > picture[0, 1, 2]  # near is red
    assert torch.equal(depth_picture(depth[:, 1:3], far=4.0), picture[:, 1:3])


def test_heat_is_where_the_hits_are():
    ids, colour = torch.tensor([[0, 1, 2]]), torch.full((1, 3, 3), 0.5)
    picture = heat_picture(ids, {1: 1.0, 2: 0.1}, colour)
    assert picture[0, 0].tolist() == [0.5, 0.5, 0.5]
    assert picture[0, 1, 0] > picture[0, 1, 2] + 0.2  # warm
    assert picture[0, 2, 2] > picture[0, 2, 0]  # cool


def test_a_click_is_answered_alike_from_the_picture_and_from_the_one_pixel(document: Document, camera: Camera):
    picture = take_picture(document.scene, ViewState(), camera, with_ids=True)
    agree, places = 0, [(x / 16, y / 12) for x in range(1, 16) for y in range(1, 12)]
    for x, y in places:
        remembered = object_at(picture, document.scene, ViewState(), camera, x, y)
        assert remembered == int(picture.ids[int(y * 2 * HEIGHT), int(x * 2 * WIDTH)])
        agree += remembered == object_at(None, document.scene, ViewState(), camera, x, y)
    assert agree == len(places)
    moved = replace(camera, T_world_camera=tiny_camera(5).T_world_camera)
    expected = take_picture(document.scene, ViewState(), moved, with_ids=True).ids
    assert object_at(picture, document.scene, ViewState(), moved, 0.8, 0.5) == int(expected[HEIGHT, int(0.8 * 2 * WIDTH)])


@pytest.mark.parametrize(
    ("x", "y", "pixel"), [(0.0, 0.0, (0, 0)), (1.0, 1.0, (47, 63)), (0.5, 0.25, (12, 32)), (-1.0, 2.0, (47, 0))]
)
def test_the_camera_of_one_pixel(camera: Camera, x: float, y: float, pixel: tuple[int, int]):
    one = pixel_camera(camera, x, y)
    assert (one.width, one.height) == (1, 1)
    assert (one.cy, one.cx) == (camera.cy - pixel[0], camera.cx - pixel[1])


def test_a_card_says_what_the_scene_is_made_of(document: Document):
    cards = object_cards(document.scene)
    assert [card.name for card in cards] == ["chair", "chair", "wall"]
    assert [card.is_thing for card in cards] == [True, True, False]
    chair = object_card(document.scene, cards[0].id)
    assert sorted(chair.size)[1:] == pytest.approx([0.75, 0.75], abs=0.2)
    assert 0 < chair.score <= 1
    assert object_card(document.scene, 99) is None
    assert [card.name for card in object_cards(document.scene, " WALL ")] == ["wall"]
    assert object_cards(document.scene, "elephant") == []


def test_views_are_counted_once_the_masks_have_been_read(tiny_run: Path):
    document = Document(tiny_run)
    child = document.scene.instances.child_instance
    assert document.evidence.views_that_see(child, 1) is None
    document.evidence.gather()
    assert [document.evidence.views_that_see(child, id) for id in (1, 2, 99)] == [5, 5, 0]


def test_a_browsers_camera_renders_square_pixels_through_the_middle():
    seen = BrowserCamera((1.0, 0.0, 0.0, 0.0), (1.0, 2.0, 3.0), fov=np.pi / 2, aspect=1.5)
    camera = rendering_camera(seen, 100)
    assert (camera.width, camera.height, camera.cx, camera.cy) == (150, 100, 75, 50)
    assert camera.fx == camera.fy == pytest.approx(50)  # half the height over tan 45 degrees
    assert camera.T_world_camera[:3, 3].tolist() == [1, 2, 3]
    assert vertical_fov(camera) == pytest.approx(np.pi / 2)
    assert same_view(camera, rendering_camera(seen, 50))
    assert not same_view(camera, rendering_camera(replace(seen, position=(1.0, 2.0, 3.1)), 100))
    assert rendering_camera(replace(seen, aspect=float("nan")), 10).width == 10


def test_browsers_begin_where_the_first_training_image_was_taken(document: Document):
    start = start_view(document.run.scene)
    assert start.position == pytest.approx((-0.25, 0, 0))
    assert start.look_at[2] > 0.5  # ahead
    assert start.up == pytest.approx((0, -1, 0))
    assert start.fov == pytest.approx(2 * np.arctan(12 / 28))
