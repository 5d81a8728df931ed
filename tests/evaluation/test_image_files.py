"""Images in folders: several scenes, things of a video, what became of each segment, and colours inside masks."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.colour_files import evaluate_images_files
from s3d_splat.evaluation.image_files import evaluate_panoptic_files, evaluate_tracks_files
from s3d_splat.io.atomic import write_json
from tests.evaluation.test_files import write_labels

TABLE = [{"id": 1, "name": "wall", "is_thing": False}, {"id": 5, "name": "chair", "is_thing": True}]


def scene_labels(chair_until: int) -> tuple[np.ndarray, np.ndarray]:
    """An image of 20 x 20 with a wall on the left and a chair from column 10 up to a column, wall behind it."""
    columns = np.tile(np.arange(20), (20, 1))
    classes = np.where((columns >= 10) & (columns < chair_until), 5, 1)
    return classes, np.where(classes == 5, 3, 0)


def write_scene(root: Path, name: str, chair_until: int, frames: int = 1) -> None:
    for frame in range(frames):
        write_labels(root / "truth" / name, f"{frame:02}", *scene_labels(20))
        write_labels(root / "pred" / name, f"{frame:02}", *scene_labels(chair_until))


def test_scene_quality_is_the_mean_over_scenes_and_coco_adds_up(tmp_path: Path) -> None:
    write_scene(tmp_path, "a", 20)
    write_scene(tmp_path, "b", 18)  # chair 8 of 10 columns, wall 10 of 12
    write_json(tmp_path / "truth" / "classes.json", TABLE)
    in_b = (8 / 10 + 10 / 12) / 2
    result = evaluate_panoptic_files(tmp_path / "pred", tmp_path / "truth", "scene")
    assert [row["pq"] for row in result["per_scene"]] == pytest.approx([1.0, in_b])
    assert result["pq"] == pytest.approx((1 + in_b) / 2)
    assert {row["scene"] for row in result["per_class"]} == {"a", "b"}
    coco = evaluate_panoptic_files(tmp_path / "pred", tmp_path / "truth", "coco", with_objects=True)
    assert coco["pq"] == pytest.approx(((1 + 8 / 10) / 2 + (1 + 10 / 12) / 2) / 2)
    assert [row["outcome"] for row in coco["per_object"]] == ["matched"] * 4
    assert coco["images"] == 2


def test_what_became_of_each_segment(tmp_path: Path) -> None:
    write_scene(tmp_path, "a", 12)  # chair 2 of 10 columns: missed
    result = evaluate_panoptic_files(tmp_path / "pred", tmp_path / "truth", "scene", with_objects=True)
    wall, chair = result["per_object"]
    assert (wall["class_id"], wall["pixels"], wall["iou"], wall["outcome"]) == (1, 200, pytest.approx(10 / 18), "matched")
    assert (chair["id"], chair["best_id"], chair["iou"], chair["outcome"]) == (3, 3, pytest.approx(0.2), "missed")


def test_scenes_that_disagree_about_a_class_are_refused(tmp_path: Path) -> None:
    for name, is_thing in (("a", True), ("b", False)):
        write_scene(tmp_path, name, 20)
        write_json(tmp_path / "truth" / name / "classes.json", [TABLE[0], {**TABLE[1], "is_thing": is_thing}])
    with pytest.raises(S3DError, match="class 5 is a thing in one scene and stuff in another"):
        evaluate_panoptic_files(tmp_path / "pred", tmp_path / "truth", "coco")


def test_a_missing_scene_is_named(tmp_path: Path) -> None:
    write_scene(tmp_path, "a", 20)
    write_scene(tmp_path, "b", 20)
    (tmp_path / "pred" / "b").rename(tmp_path / "elsewhere")
    with pytest.raises(S3DError, match="lacks folder b"):
        evaluate_panoptic_files(tmp_path / "pred", tmp_path / "truth", "scene")
    (tmp_path / "file").write_text("")
    with pytest.raises(S3DError, match="is no folder"):
        evaluate_tracks_files(tmp_path / "file", tmp_path / "truth")


def write_video(root: Path, name: str, ids: list[int]) -> None:
    """A chair of 200 pixels with one predicted id a frame, and a wall with id 1 on both sides."""
    for frame, label in enumerate(ids):
        classes, _ = scene_labels(20)
        write_labels(root / "truth" / name, f"{frame:02}", classes, np.where(classes == 5, 3, 1))
        write_labels(root / "pred" / name, f"{frame:02}", classes, np.where(classes == 5, label, 1))


def test_tracks_over_videos(tmp_path: Path) -> None:
    write_video(tmp_path, "a", [7] * 10)
    write_video(tmp_path, "b", [7] * 5 + [8] * 5)
    result = evaluate_tracks_files(tmp_path / "pred", tmp_path / "truth", with_objects=True)
    assert [row["idf1"] for row in result["per_scene"]] == [1.0, 2 * 15 / 40]
    assert result["idf1"] == pytest.approx(2 * 35 / 80)
    assert result["id_kept"] == 3 / 4  # both walls and one chair: nothing says which ids are things
    lost = next(row for row in result["per_object"] if not row["is_kept"])
    assert (lost["scene"], lost["id"], lost["frames"], lost["best_id"], lost["share"]) == ("b", 3, 10, 7, 0.5)


def test_things_come_from_instances_or_from_classes(tmp_path: Path) -> None:
    write_video(tmp_path, "", [7] * 3 + [8] * 3)
    write_json(tmp_path / "truth" / "classes.json", TABLE)
    assert evaluate_tracks_files(tmp_path / "pred", tmp_path / "truth")["id_kept"] == 0.0  # the chair alone
    wall = {"id": 1, "class_id": 1, "class_name": "wall", "is_thing": True}
    write_json(tmp_path / "truth" / "instances.json", [wall])
    assert evaluate_tracks_files(tmp_path / "pred", tmp_path / "truth")["id_kept"] == 1.0


def _no_image(root: Path) -> None:
    (root / "pred" / "instances" / "01.png").unlink()


def _no_truth(root: Path) -> None:
    for path in (root / "truth" / "instances").glob("*.png"):
        path.unlink()


def _other_size(root: Path) -> None:
    Image.fromarray(np.zeros((5, 6), np.uint16)).save(root / "pred" / "instances" / "01.png")


def _no_folder(root: Path) -> None:
    (root / "pred" / "instances").rename(root / "pred" / "ids")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_no_image, "lacks 01.png"),
        (_no_truth, "holds no PNG"),
        (_other_size, "6x5, but its truth is 20x20"),
        (_no_folder, "no folder instances/"),
    ],
)
def test_misuse_of_tracks_is_explained(tmp_path: Path, spoil: Callable[[Path], None], message: str) -> None:
    write_video(tmp_path, "", [7] * 3)
    spoil(tmp_path)
    with pytest.raises(S3DError, match=message):
        evaluate_tracks_files(tmp_path / "pred", tmp_path / "truth")


def grey(path: Path, value: int, half: int | None = None) -> None:
    """An image of one grey, or of another one in its right half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((16, 24, 3), value, np.uint8)
    if half is not None:
        pixels[:, 12:] = half
    Image.fromarray(pixels).save(path)


def test_images_whole_and_inside_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    grey(tmp_path / "truth" / "a.png", 100)
    grey(tmp_path / "pred" / "a.png", 100, half=151)
    whole = evaluate_images_files(tmp_path / "pred", tmp_path / "truth")
    assert whole["psnr"] == pytest.approx(-10 * math.log10((51 / 255) ** 2 / 2), abs=1e-3)
    assert (whole["lpips"], whole["images"]) == (None, 1)
    assert "alexnet" in whole["lpips_reason"]
    mask = np.zeros((16, 24), np.uint8)
    for columns, expected in ((slice(0, 12), 100.0), (slice(12, 24), -10 * math.log10((51 / 255) ** 2))):
        (tmp_path / "masks").mkdir(exist_ok=True)
        mask[:] = 0
        mask[:, columns] = 255
        Image.fromarray(mask).save(tmp_path / "masks" / "a.png")
        inside = evaluate_images_files(tmp_path / "pred", tmp_path / "truth", tmp_path / "masks")
        assert inside["psnr"] == pytest.approx(expected, abs=1e-3)


def test_misuse_of_images_is_explained(tmp_path: Path) -> None:
    pred, truth = tmp_path / "pred", tmp_path / "truth"
    grey(truth / "a.png", 100)
    grey(pred / "b.png", 100)
    with pytest.raises(S3DError, match=r"lacks a.png"):
        evaluate_images_files(pred, truth)
    grey(pred / "a.png", 100)
    with pytest.raises(S3DError, match="with --masks every image has one"):
        evaluate_images_files(pred, truth, tmp_path)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(S3DError, match=r"a.png is 4x4, its image 24x16"):
        evaluate_images_files(pred, truth, tmp_path)
    grey(tmp_path / "a.png", 1)
    with pytest.raises(S3DError, match="has colours"):
        evaluate_images_files(pred, truth, tmp_path)
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(truth / "a.png")
    with pytest.raises(S3DError, match="window of 11 x 11"):
        evaluate_images_files(pred, truth)
    (truth / "a.png").unlink()
    with pytest.raises(S3DError, match="holds no image"):
        evaluate_images_files(pred, truth)
