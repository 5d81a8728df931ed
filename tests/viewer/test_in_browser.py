"""The viewer as a user has it: a page in a browser, a click, a question, an edit, a step back."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("viser")
pytest.importorskip("websockets")

from s3d_splat.ask.run import LateSearch
from s3d_splat.errors import S3DError
from s3d_splat.priors.text.options import TextOptions
from s3d_splat.query.options import QueryOptions
from s3d_splat.query.picture_options import PictureOptions
from s3d_splat.query.search import Answer
from s3d_splat.types import Camera
from s3d_splat.viewer.cameras import start_view
from s3d_splat.viewer.options import ViewOptions
from s3d_splat.viewer.scene import ShownScene
from s3d_splat.viewer.server import Viewer
from s3d_splat.viewer.session import Session
from tests.scenario.chairs import ColourWords, own_copy
from tests.viewer.browser import Browser, Page, needs_chromium, wait_until
from tests.viewer.test_guard import free_port

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def viewer(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    """The tiny run, shown; its encoder knows colours."""
    patch = pytest.MonkeyPatch()
    patch.setattr("s3d_splat.ask.run.make_text_encoder", lambda options: ColourWords())
    run = own_copy(tiny_run, tmp_path_factory.mktemp("shown"))
    options = ViewOptions(port=free_port(), height=240)
    viewer = Viewer(run, options, lambda: LateSearch(TextOptions(), PictureOptions()), QueryOptions())
    yield viewer
    viewer.stop()
    patch.undo()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def page(viewer: Viewer, browser: Browser) -> Iterator[Page]:
    """A new page that shows its first full picture, with its panels."""
    wait_until(lambda: not viewer.sessions, what="the end of the pages before")  # a session must be that of its page
    page = browser.open(viewer.url)
    page.session = new_session(viewer, page, [])
    wait_until(lambda: page.shows("Edit", "[role=tab]"), what="the panels")
    yield page
    page.close()


def new_session(viewer: Viewer, page: Page, known: Sequence[Session]) -> Session:
    """The session of a page that has just been opened, once it has the picture that it will keep."""

    def found() -> Session | None:
        new = [session for session in list(viewer.sessions.values()) if session not in known]
        return new[-1] if new and at_start(new[-1], page) else None

    return wait_until(found, what="a session with a picture from where browsers begin")


def at_start(session: Session, page: Page) -> bool:
    """Whether the last full picture was taken from where browsers begin, and has the shape of the 3D view."""
    if session.picture is None:
        return False
    _, _, width, height = page.canvas()
    start = torch.tensor(start_view(session.document.run.scene).position)
    shape = session.picture.camera.width / session.picture.camera.height
    now = session.picture.camera.T_world_camera[:3, 3]
    return torch.allclose(now, start, atol=1e-4) and abs(shape - width / height) < 0.01


def settled(viewer: Viewer, page: Page) -> np.ndarray:
    """The picture that the page has been given once nothing more is on its way, and the camera rests."""

    def arrived() -> np.ndarray | None:
        seen = page.session.camera()
        time.sleep(0.3)
        given, exact = page.given_picture(), page.session.picture.colour
        rests = viewer.is_idle() and seen == page.session.camera()
        return given if rests and given is not None and np.array_equal(given, exact) else None

    return wait_until(arrived, what="the last picture")


def place_of_object(session: Session, id: int) -> tuple[float, float]:
    """Where in the picture an object certainly is: the middle of its pixels, as shares of width and height."""
    ids = session.picture.ids
    rows, columns = torch.nonzero(ids == id).double().add(0.5).mean(0).tolist()
    assert ids[int(rows), int(columns)] == id
    return columns / ids.shape[1], rows / ids.shape[0]


def click_object(page: Page, id: int) -> None:
    x, y, width, height = page.canvas()
    column, row = place_of_object(page.session, id)
    place = x + column * width, y + row * height
    wait_until(lambda: page.can_be_clicked(*place) or None, what="something to click")
    page.click(*place)


def ask(viewer: Viewer, page: Page, text: str) -> None:
    """Type a question and press the button, once the last letter has arrived."""
    page.fill("Look for", text)
    field = viewer.sidebars[page.session.client.client_id].find.question
    wait_until(lambda: field.value == text, what="the last letter")
    page.press("Find", "button:not([role=tab])")


def red_chair(viewer: Viewer) -> int:
    """The object whose box is at the left (x = -0.6, as the scene is built)."""
    instances = viewer.document.scene.instances
    left = (instances.aabb.mean(1)[:, 0] + 0.6).abs() + 10 * (1 - instances.is_thing)
    return int(instances.instance_id[left.argmin()])


def changed_places(before: ShownScene, after: ShownScene, camera: Camera) -> torch.Tensor:
    """Pixels in which a Gaussian shows, before or after, that an edit has touched or added, however faintly."""
    old, new = (scene.field.decode(camera, with_features=False) for scene in (before, after))
    same = torch.zeros(len(new.means), dtype=torch.bool)
    parts = [(getattr(old, name), getattr(new, name)) for name in ("means", "log_scales", "opacities", "colours")]
    same[: len(old.means)] = torch.stack([(a == b[: len(a)]).reshape(len(a), -1).all(1) for a, b in parts]).all(0)
    weights = []
    for scene, gaussians in ((before, old), (after, new)):
        touched = (~same[: len(gaussians.means)]).float()[:, None].expand(-1, 3).contiguous()
        weights.append(scene.rasterizer.render(replace(gaussians, colours=touched), camera).colour[..., 0])
    return weights[0] + weights[1] > 0


def test_the_page_shows_the_picture(viewer: Viewer, page: Page):
    given = settled(viewer, page)
    x, y, width, height = page.canvas()
    assert given.shape[0] == 240
    assert given.shape[1] == pytest.approx(240 * width / height, abs=2)
    column, row = place_of_object(page.session, red_chair(viewer))
    sent = given[int(row * 240), int(column * given.shape[1])].astype(int)
    assert sent[0] > sent[1] + 60

    def shown() -> bool:
        pixel = page.screenshot()[int(y + row * height), int(x + column * width)].astype(int)
        return np.abs(pixel - sent).max() <= 12  # a flat red square, scaled to the window

    wait_until(shown, what="the picture in the window")


def test_a_click_selects_the_object_there(viewer: Viewer, page: Page):
    id = red_chair(viewer)

    def selected() -> bool | None:
        """Clicks that come while the page still loads are lost: a user clicks again."""
        click_object(page, id)
        with contextlib.suppress(AssertionError):
            return wait_until(lambda: page.session.state.selected == id, seconds=5.0)
        return None

    wait_until(selected, what="the selection")
    wait_until(lambda: f"chair {id}" in page.js("document.body.innerText"), what="its card")
    wait_until(lambda: "Seen in training views: 5 of 5" in page.js("document.body.innerText"), what="the number of views")
    assert "Confidence" in page.js("document.body.innerText")
    size = page.js("document.body.innerText").split("Size ")[1].split(" m")[0]
    assert sorted(float(length) for length in size.split(" × "))[1:] == pytest.approx([0.7, 0.7], abs=0.15)


def test_a_question_finds_it(viewer: Viewer, page: Page):
    page.press("Find", "[role=tab]")
    ask(viewer, page, "red chair")
    wait_until(lambda: bool(page.session.state.scores), what="an answer")
    assert page.session.state.selected == red_chair(viewer)
    assert list(page.session.state.scores) == [red_chair(viewer)]
    wait_until(lambda: "Understood as: chair, colour red" in page.js("document.body.innerText"), what="the answer")


def test_a_removal_changes_the_picture_there_and_nowhere_else_and_undo_brings_every_bit_back(viewer: Viewer, page: Page):
    id = red_chair(viewer)
    page.press("Edit", "[role=tab]")
    page.session.refresh()
    before, trained, ids = settled(viewer, page), viewer.document.scene, page.session.picture.ids
    click_object(page, id)
    wait_until(lambda: page.session.state.selected == id, what="the selection")
    page.press("Remove")
    wait_until(lambda: bool(viewer.document.steps) and not page.session.state.selected, what="the removal")
    after = settled(viewer, page)
    changed = torch.from_numpy((after != before).any(axis=2))
    strongly = np.abs(after.astype(int) - before).max(axis=2) > 40
    assert strongly[(ids == id).numpy()].mean() > 0.9
    with torch.no_grad():
        places = changed_places(trained, viewer.document.scene, page.session.picture.camera)
    assert places.double().mean() < 0.5
    assert not (changed & ~places).any()
    page.press("Undo")
    wait_until(lambda: not viewer.document.steps, what="the step back")
    assert np.array_equal(settled(viewer, page), before)


def test_browsers_have_their_own_choices_and_share_the_edits(viewer: Viewer, browser: Browser, page: Page):
    sessions = list(viewer.sessions.values())
    other = browser.open(viewer.url)
    try:
        other.session = new_session(viewer, other, sessions)
        before = settled(viewer, other)
        id = red_chair(viewer)
        page.session.update(mode="instances", selected=id)
        assert (other.session.state.mode, other.session.state.selected) == ("colour", 0)
        page.to_front()
        page.press("Edit", "[role=tab]")
        page.press("Recolour")
        wait_until(lambda: bool(viewer.document.steps), what="the edit")
        other.to_front()
        assert not np.array_equal(settled(viewer, other), before)
        viewer.document.undo()
        assert np.array_equal(settled(viewer, other), before)
    finally:
        other.close()


def test_moving_shows_coarse_pictures_and_then_a_full_one(viewer: Viewer, page: Page):
    x, y = page.canvas()[:2]
    first = page.session.picture
    sent = page.session.frames
    page.press_at(x + 300, y + 200)
    columns = count(301)

    def sent_while_moving() -> bool | None:
        page.move_pressed(x + next(columns), y + 205)
        return page.session.frames >= sent + 2 or None

    def taken_from_elsewhere() -> bool | None:
        return not torch.equal(page.session.picture.camera.T_world_camera, first.camera.T_world_camera) or None

    wait_until(sent_while_moving, what="pictures while the camera moves")
    page.release_at(x + next(columns), y + 205)
    wait_until(taken_from_elsewhere, what="a full picture after the movement")
    assert page.session.picture.colour.shape[0] == 240
    assert page.session.state.selected == 0  # a drag is no click


def test_a_question_that_cannot_be_answered_says_how_to_mend_it(viewer: Viewer, page: Page, monkeypatch: pytest.MonkeyPatch):
    def refuse(text: str) -> Answer:
        raise S3DError("the weights of *ViT* are not here", why="an encoder needs them", fix="name the file")

    monkeypatch.setattr(viewer.questions, "ask", refuse)
    page.press("Find", "[role=tab]")
    page.press("Find", "button:not([role=tab])")
    text = "the weights of *ViT* are not here\nwhy: an encoder needs them\nfix: name the file"
    wait_until(lambda: text in page.js("document.body.innerText"), what="the message")


def test_thresholds_are_tried_at_once(viewer: Viewer, page: Page):
    page.press("Tune", "[role=tab]")
    page.tick("Ask the masks")
    wait_until(lambda: "2 things and 1 kinds of stuff" in page.js("document.body.innerText"), what="the result")
    assert viewer.document.is_regrouped
    page.press("Find", "[role=tab]")
    ask(viewer, page, "red chair")
    wait_until(lambda: "not those of the run folder" in page.js("document.body.innerText"), what="the refusal")


def test_a_film_leads_from_view_to_view(viewer: Viewer, page: Page):
    film = viewer.sidebars[page.session.client.client_id].film
    film.seconds.value = 1
    page.press("Film", "[role=tab]")
    page.press("Add this view")
    x, y = page.canvas()[:2]
    page.drag((x + 300, y + 200), (x + 340, y + 210), steps=4, pause=0.05)
    wait_until(lambda: len(film.views) == 1, what="the first view")
    page.press("Add this view")
    page.press("Record")
    films = viewer.document.root / "films"
    wait_until(lambda: films.exists() and bool(list(films.glob("film-1*"))), what="a film")
    assert film.views[0].wxyz != film.views[1].wxyz
