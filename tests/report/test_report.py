"""The page as a whole: complete, honest about what is missing, and safe with any string."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from s3d_splat.errors import S3DError
from s3d_splat.io.scene import load_scene
from s3d_splat.io.transforms import frame_name
from s3d_splat.report.html import write_report
from s3d_splat.types import Scene
from tests.report.fabricated import METRICS, write_fabricated_run, write_renders
from tests.scene_fixtures import write_tiny_scene

VOID_TAGS = {"meta", "img", "link", "br", "hr", "input", "line", "circle", "polygon", "polyline"}
HOSTILE = "<script>alert(1)</script>\"'&"


class Page(HTMLParser):
    """The tags of a page; fails on a closing tag that closes nothing."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return load_scene(write_tiny_scene(tmp_path_factory.mktemp("scene")))


def read(path: Path) -> Page:
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == []
    return page


def test_a_complete_run_shows_everything(tmp_path: Path, scene: Scene) -> None:
    run = write_fabricated_run(tmp_path / "run", scene)
    path = write_report(run.root, scene)
    assert path == run.report
    page = read(path)
    for value in ("31.26", "0.900", "0.250", "0.625", "0.667", "0.800", "512", "3.5"):
        assert value in page.text
    assert "not measured" not in page.text.lower()
    assert "is not there" not in page.text
    assert "2 of 3 true objects are found and 1 prediction matches none" in page.text
    assert "s3d-splat train a scene" in page.text
    assert "over-segmentation" in page.text
    assert page.count("article") == 1
    assert sum(tag == "img" and (attrs.get("src") or "").startswith("data:image/") for tag, attrs in page.tags) == 4 * 3


def test_the_page_needs_nothing_from_outside(tmp_path: Path, scene: Scene) -> None:
    text = write_report(write_fabricated_run(tmp_path / "run", scene).root, scene).read_text(encoding="utf-8")
    assert "http:" not in text
    assert "https:" not in text
    assert not re.search(r"<link|@import|url\(|<script [^>]*src", text)


def test_missed_objects_come_first_and_surplus_predictions_are_listed(tmp_path: Path, scene: Scene) -> None:
    page = read(write_report(write_fabricated_run(tmp_path / "run", scene).root, scene))
    rows = [attrs["class"] for tag, attrs in page.tags if tag == "tr" and attrs.get("class")]
    assert rows == ["missed", "found", "found", "surplus"]
    assert "the best for chair 3 (IoU 0.30)" in page.text
    assert "red chair" in page.text  # the scene's own name of object 2


def test_names_are_left_out_where_the_masks_are_numbered_otherwise(tmp_path: Path, scene: Scene) -> None:
    swapped = [{**row, "truth_id": {1: 2, 2: 1, 3: 3}[row["truth_id"]]} for row in METRICS["per_object"]]
    run = write_fabricated_run(tmp_path / "run", scene, {**METRICS, "per_object": swapped})
    assert "red chair" not in read(write_report(run.root, scene)).text


def test_an_empty_run_folder_is_described_as_such(tmp_path: Path, scene: Scene) -> None:
    page = read(write_report(tmp_path, scene))
    for missing in ("run.json is not there", "metrics.json is not there", "instances.npz", "no training log"):
        assert missing in page.text
    assert "renders/test/colour/0003.png is not there" in page.text
    assert "Nothing was measured." in page.text
    assert page.text.count("not measured") >= 18
    assert "needs labelled points" not in page.text  # the scene may have them: nobody looked


def test_unmeasured_numbers_say_what_they_need(tmp_path: Path, scene: Scene) -> None:
    metrics = {**METRICS, "ap": None, "ap50": None, "fps": None, "per_object": [], "per_image": None, "per_class": {}}
    page = read(write_report(write_fabricated_run(tmp_path / "run", scene, metrics).root, scene))
    assert "Not measured: AP50 and AP (needs labelled points: SCENE/truth/points.npz)." in page.text
    assert "Not measured: rendering speed (was not recorded)." in page.text
    assert "objects were not matched" in page.text
    assert "there are no scores of single views" in page.text


def test_masked_pixels_are_mentioned_where_there_are_any(tmp_path: Path, scene: Scene) -> None:
    for share, said in ((0.163, True), (0.0, False)):
        run = write_fabricated_run(tmp_path / str(said), scene, {**METRICS, "masked_share": share})
        assert ("Masked: 16.3% of the pixels of the test views" in read(write_report(run.root, scene)).text) == said


def test_points_that_could_not_be_placed_say_why(tmp_path: Path, scene: Scene) -> None:
    metrics = {**METRICS, "ap": None, "ap50": None, "per_object": [], "points_remark": "the only camera stands still"}
    page = read(write_report(write_fabricated_run(tmp_path / "run", scene, metrics).root, scene))
    assert "Not measured: AP50 and AP (the only camera stands still)." in page.text


def test_damaged_files_are_named(tmp_path: Path, scene: Scene) -> None:
    run = write_fabricated_run(tmp_path / "run", scene)
    run.metrics.write_text('{"psnr": 3')
    run.instances.write_bytes(b"PK")
    (run.renders("test", "colour") / "0003.png").write_bytes(b"nothing")
    page = read(write_report(run.root, scene))
    assert "metrics.json cannot be read" in page.text
    assert "instances.npz cannot be read" in page.text
    assert "renders/test/colour/0003.png cannot be read" in page.text


def test_strings_of_files_cannot_become_markup(tmp_path: Path, scene: Scene) -> None:
    rows = [{**row, "class_name": HOSTILE} for row in METRICS["per_object"]]
    classes = [{**row, "name": HOSTILE} for row in METRICS["per_class"]]
    frames = tuple(
        dataclasses.replace(frame, file_path=f"images/{HOSTILE.replace('/', '|')}.png") if frame.split == "test" else frame
        for frame in scene.frames
    )
    name = frame_name(next(frame.file_path for frame in frames if frame.split == "test"))
    hostile_scene = dataclasses.replace(
        scene,
        frames=frames,
        classes=tuple(dataclasses.replace(entry, name=HOSTILE) for entry in scene.classes),
        instances=tuple(dataclasses.replace(entry, name=HOSTILE, class_name=HOSTILE) for entry in scene.instances),
    )
    metrics = {**METRICS, "per_object": rows, "per_class": classes, "per_image": [{"name": name, "psnr": 3.0, "pq": 0.1}]}
    run = write_fabricated_run(tmp_path / "<b>&", scene, metrics, stage=HOSTILE)
    write_renders(run, scene, name)
    info = json.loads((run.root / "run.json").read_text())
    for key, value in (("command", [HOSTILE]), ("versions", {HOSTILE: HOSTILE}), ("configuration", {HOSTILE: HOSTILE})):
        info[key] = value
    (run.root / "run.json").write_text(json.dumps(info))
    page = read(write_report(run.root, hostile_scene))
    assert page.count("script") == 1
    assert page.text.count("<script>alert(1)") >= 8
    assert f"view-{name}" in {attrs.get("id") for _, attrs in page.tags}


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, scene: Scene) -> None:
    with pytest.raises(S3DError, match="is no folder"):
        write_report(tmp_path / "nowhere", scene)
