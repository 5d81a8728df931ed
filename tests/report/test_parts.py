"""The parts of a report with their exact values: what is read, chosen, painted and drawn."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s3d_splat.io.scene import load_scene
from s3d_splat.panoptic.palette import instance_colours
from s3d_splat.report.collect import ViewScore, collect, number
from s3d_splat.report.curves import Curve, curve_svg, scores_svg, stage_marks, training_curves
from s3d_splat.report.pictures import (
    HATCH,
    UNLABELLED,
    compare,
    encode,
    matched_labels,
    paint_depth,
)
from s3d_splat.report.views import View, scored_views, spread, worst
from s3d_splat.types import Scene
from tests.report.fabricated import SURPLUS, write_fabricated_run
from tests.scene_fixtures import HEIGHT, WIDTH, write_tiny_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return load_scene(write_tiny_scene(tmp_path_factory.mktemp("scene")))


def views_with(scene: Scene, psnr: list[float | None], pq: list[float | None]) -> list[View]:
    scores = [ViewScore(str(i), a, None, b) for i, (a, b) in enumerate(zip(psnr, pq, strict=True))]
    return [View(frame, score) for frame, score in zip(scene.frames, scores, strict=False)]


def decoded(uri: str | None) -> np.ndarray:
    assert uri is not None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB"))


@pytest.mark.parametrize(
    ("value", "expected"), [(2, 2.0), (0.5, 0.5), (None, None), (True, None), ("3", None), (float("nan"), None)]
)
def test_only_finite_numbers_count(value: object, expected: float | None) -> None:
    assert number(value) == expected


def test_matches_and_surplus(tmp_path: Path, scene: Scene) -> None:
    findings = collect(write_fabricated_run(tmp_path / "run", scene).root, scene)
    assert findings.matches == {1: 4, 2: 7, 3: 0}
    assert [entry.id for entry in findings.surplus] == [SURPLUS]
    assert [entry.id for entry in findings.objects] == [3, 2, 1]  # by IoU: .3, .8, .95
    assert findings.predictions[0].extent == (4.0, 2.0, 0.0)
    assert findings.remarks == ()


def test_a_torn_line_is_skipped_and_a_repeated_step_counts_once(tmp_path: Path, scene: Scene) -> None:
    run = write_fabricated_run(tmp_path / "run", scene)
    lines = [{"step": 0, "loss": 4.0}, {"step": 10, "loss": 3.0}, {"step": 10, "loss": 2.0}]
    run.log.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 20, "lo')
    assert [entry["loss"] for entry in collect(run.root, scene).log] == [4.0, 2.0]


def test_spread_takes_both_ends(scene: Scene) -> None:
    views = views_with(scene, [None] * 6, [None] * 6)
    assert [view.score.name for view in spread(views, 3)] == ["0", "2", "5"]
    assert len(spread(views, 9)) == 6


def test_worst_views_name_their_reasons(scene: Scene) -> None:
    views = views_with(scene, [30.0, 20.0, None, 25.0, 28.0, 29.0], [0.9, 0.2, 0.8, None, 0.1, 0.7])
    found = {entry.view.score.name: entry.reasons for entry in worst(views, 2)}
    assert found == {"1": ("lowest PSNR", "second lowest PQ"), "3": ("second lowest PSNR",), "4": ("lowest PQ",)}


def test_scores_belong_to_the_test_frames_of_the_scene(scene: Scene) -> None:
    (view,) = scored_views(scene, [ViewScore("0000", 1.0, None, None), ViewScore("0003", 2.0, None, None)])
    assert view.name == "0003"
    assert view.score.psnr == 2.0


def test_stage_marks_and_curves() -> None:
    log = [{"step": s, "stage": "a" if s < 20 else "b", "loss": 2.0, "psnr": 9.0, "seconds": 1.0} for s in (0, 10, 20)]
    log[2] = {**log[2], "push": 1.0}
    assert [(mark.x, mark.label) for mark in stage_marks(log)] == [(0, "a"), (20, "b")]
    assert [curve.name for curve in training_curves(log)] == ["psnr", "loss"]  # push has one value: no curve


def test_a_curve_spans_the_plot() -> None:
    svg = curve_svg(Curve("loss", np.array([0.0, 100.0]), np.array([1.0, 3.0])), (), "loss", (0.0, 100.0))
    # x from 46 to 420 - 8; y from 190 - 22 up to 24, 5 % of the 2.0 between lowest and highest left free at both ends
    low, high = 24 + (3.1 - 1.0) / 2.2 * 144, 24 + (3.1 - 3.0) / 2.2 * 144
    assert f'class="line" points="46.0,{low:.1f} 412.0,{high:.1f}"' in svg


@pytest.mark.parametrize(("lowest", "logarithmic"), [(0.001, True), (0.9, False), (-1.0, False)])
def test_a_wide_positive_curve_has_a_logarithmic_axis(lowest: float, logarithmic: bool) -> None:
    svg = curve_svg(Curve("x", np.array([0.0, 1.0]), np.array([lowest, 1.0])), (), "x", (0.0, 1.0))
    assert ("logarithmic" in svg) == logarithmic


def test_a_flat_curve_can_be_drawn() -> None:
    assert "nan" not in curve_svg(Curve("x", np.array([5.0, 5.0]), np.array([0.0, 0.0])), (), "x", (5.0, 5.0))


def test_the_worst_view_of_a_chart_is_marked() -> None:
    views = [ViewScore("a", 30.0, None, None), ViewScore("b", None, None, None), ViewScore("c", 20.0, None, None)]
    svg = scores_svg(views, lambda view: view.psnr, "PSNR")
    assert '<g class="worst"><title>c: 20.000</title>' in svg
    assert svg.count("<circle") == 2
    assert scores_svg(views[:2], lambda view: view.psnr, "PSNR") == ""


def test_depth_colours_are_those_of_viridis() -> None:
    painted = paint_depth(np.array([[1.0, 3.0, 0.0]]), 1.0, 3.0)
    np.testing.assert_allclose(painted[0], [[68, 1, 84], [253, 231, 37], [128, 128, 128]], atol=2)


def test_truth_is_painted_as_what_matches_it() -> None:
    assert matched_labels(np.array([[0, 1, 2, 3]]), {1: 4, 2: 7, 3: 0}).tolist() == [[0, 4, 7, 0]]


def test_large_pictures_are_made_smaller() -> None:
    assert decoded(encode(np.zeros((100, 960, 3), np.uint8), flat=True)).shape == (50, 480, 3)


def test_the_pictures_of_a_view(tmp_path: Path, scene: Scene) -> None:
    run = write_fabricated_run(tmp_path / "run", scene)
    (view,) = scored_views(scene, [])
    colour, depth, instances, panoptic = compare(view, scene.root, run, {1: 4, 2: 7, 3: 0})
    assert decoded(colour.difference.uri).shape == (HEIGHT, WIDTH, 3)
    assert decoded(depth.difference.uri).max() < 12  # inferno begins at black: the depths agree
    truth, rendered, wrong = (decoded(p.uri) for p in (instances.truth, instances.rendered, instances.difference))
    ids = np.asarray(Image.open(scene.root / "instances" / "0003.png"))
    assert (truth[ids == 2] == instance_colours(torch.tensor([7]))[0].numpy()).all()
    assert (rendered[ids == 2] == truth[ids == 2]).all()
    assert {tuple(pixel) for pixel in truth[ids == 3].tolist()} == set(HATCH)
    assert (wrong[ids == 3] == UNLABELLED).all()
    assert not (wrong[ids == 2] == UNLABELLED).all(axis=-1).any()
    assert (decoded(panoptic.difference.uri)[ids == 3] == UNLABELLED).all()


def test_a_picture_of_another_size_is_not_compared(tmp_path: Path, scene: Scene) -> None:
    run = write_fabricated_run(tmp_path / "run", scene)
    Image.new("RGB", (5, 5)).save(run.renders("test", "colour") / "0003.png")
    (view,) = scored_views(scene, [])
    colour = compare(view, scene.root, run, {})[0]
    assert colour.rendered.uri is None
    assert colour.rendered.note == "renders/test/colour/0003.png has another size than the camera"
    assert colour.difference.uri is None


def test_the_exact_depth_of_a_scene_goes_first(tmp_path: Path) -> None:
    scene = load_scene(write_tiny_scene(tmp_path / "scene", truth=True))
    run = write_fabricated_run(tmp_path / "run", scene)
    (view,) = scored_views(scene, [])
    depth = np.asarray(Image.open(scene.root / "truth" / "depth" / "0003.png")).astype(np.uint16)
    Image.fromarray(depth + np.uint16(5000)).save(scene.root / "truth" / "depth" / "0003.png")
    comparison = compare(view, scene.root, run, {})[1]
    assert decoded(comparison.difference.uri).min() > 80  # 5 m apart: the brightest colour of inferno everywhere


def test_exact_depth_is_drawn_in_the_scenes_unit(tmp_path: Path) -> None:
    """Cameras twice as far apart as the true ones: the scene's unit is half a metre."""
    scene = load_scene(write_tiny_scene(tmp_path / "scene", truth=True))
    run = write_fabricated_run(tmp_path / "run", scene)
    (view,) = scored_views(scene, [])
    before = compare(view, scene.root, run, {})[1]
    table = json.loads((scene.root / "transforms.json").read_text())
    for row in table["frames"]:
        for axis in range(3):
            row["transform_matrix"][axis][3] *= 2
    (scene.root / "transforms.json").write_text(json.dumps(table))
    after = compare(view, scene.root, run, {})[1]
    nearest, farthest = (float(word) for word in before.truth.note.removesuffix(" m").split(" to "))
    assert farthest == 3.0
    assert after.truth.note == f"{nearest:.2f} to 6.00 m"
