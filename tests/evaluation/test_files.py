"""Evaluation of files: the figures of the metrics, several scenes, and every way to get the files wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.files import evaluate_instances_files
from s3d_splat.evaluation.image_files import evaluate_panoptic_files
from s3d_splat.io.atomic import write_json

TRUTH = np.repeat([1, 2, 0], [200, 300, 50])
CLASSES = np.repeat([5, 7, 0], [200, 300, 50])


def save(path: Path, **arrays: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def write_labels(folder: Path, name: str, classes: np.ndarray, instances: np.ndarray) -> None:
    for kind, labels in (("semantics", classes), ("instances", instances)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(labels.astype(np.uint16)).save(folder / kind / f"{name}.png")


@pytest.fixture
def panoptic(tmp_path: Path) -> tuple[Path, Path]:
    """Two frames: a wall and a chair, the chair half found in the second one."""
    classes, instances = np.full((4, 10), 1), np.zeros((4, 10), int)
    classes[:, 5:], instances[:, 5:] = 5, 3
    half = np.where(np.arange(10) >= 9, 1, classes)
    for name, predicted in (("a", classes), ("b", half)):
        write_labels(tmp_path / "truth", name, classes, instances)
        write_labels(tmp_path / "pred", name, predicted, np.where(predicted == 5, 8, 0))
    table = [{"id": 1, "name": "wall", "is_thing": False}, {"id": 5, "name": "chair", "is_thing": True}]
    write_json(tmp_path / "truth" / "classes.json", table)
    return tmp_path / "pred", tmp_path / "truth"


def test_one_scene_in_each_protocol(tmp_path: Path) -> None:
    truth = save(tmp_path / "truth.npz", instance=TRUTH, semantic=CLASSES)
    # object 1 found whole, object 2 by 200 of 300 points: IoU 2/3
    predicted = np.repeat([4, 9, 0], [200, 200, 150])
    pred = save(tmp_path / "pred.npz", instance=predicted.astype(np.int32), semantic=CLASSES.astype(np.uint8))
    result = evaluate_instances_files(pred, truth, "class-agnostic")
    assert (result["protocol"], result["scenes"]) == ("class-agnostic", ["truth"])
    # .5 ... .65 (4 thresholds): AP 1; .7 ... .9 (5): r = p = 1/2, AP = 1/2 (1/2 + 1) / 2
    assert result["ap"] == pytest.approx((4 * 1 + 5 * 0.375) / 9)
    assert evaluate_instances_files(pred, truth, "best-overlap")["miou"] == pytest.approx((1 + 2 / 3) / 2)
    scannet = evaluate_instances_files(pred, truth, "scannet")
    assert scannet["ap"] == pytest.approx((1 + 4 / 9) / 2)
    assert {row["id"]: row["ap50"] for row in scannet["per_class"]}[7] == 1.0
    assert evaluate_instances_files(pred, truth, "scannet", (5,))["ap"] == 1.0


def test_scores_of_the_file_are_used(tmp_path: Path) -> None:
    truth = save(tmp_path / "truth.npz", instance=TRUTH, semantic=np.full(550, 5))
    predicted = np.repeat([1, 2, 3, 0], [200, 150, 150, 50])  # 2 and 3 have half of object 2 each: false
    ids, score = np.array([1, 2, 3]), np.array([0.9, 0.2, 0.1])
    ranked = save(tmp_path / "ranked.npz", instance=predicted, semantic=np.full(550, 5), instance_id=ids, score=score)
    flat = save(tmp_path / "flat.npz", instance=predicted, semantic=np.full(550, 5))
    # ranked: k=0 p 1/3 r 1/2; k=1 p 1/2 r 1/2; k=2 p 1 r 1/2; appended p 1 r 0
    assert evaluate_instances_files(ranked, truth, "scannet")["ap50"] == pytest.approx(1 * 1 / 4 + 1 * 1 / 4)
    assert evaluate_instances_files(flat, truth, "scannet")["ap50"] == pytest.approx(1 / 2 * (1 / 3 + 1) / 2)


def test_folders_hold_one_file_a_scene(tmp_path: Path) -> None:
    for scene in ("s1", "s2"):
        save(tmp_path / "truth" / f"{scene}.npz", instance=TRUTH)
    save(tmp_path / "pred" / "s1.npz", instance=TRUTH)
    save(tmp_path / "pred" / "s2.npz", instance=np.zeros_like(TRUTH))
    save(tmp_path / "pred" / "s3.npz", instance=np.zeros(3))  # not in the truth: not read, though it is malformed
    result = evaluate_instances_files(tmp_path / "pred", tmp_path / "truth", "best-overlap")
    assert (result["scenes"], result["miou"]) == (["s1", "s2"], 0.5)


def test_a_prediction_without_any_instance_is_valid(tmp_path: Path) -> None:
    truth = save(tmp_path / "truth.npz", instance=TRUTH, semantic=CLASSES)
    pred = save(tmp_path / "pred.npz", instance=np.zeros_like(TRUTH))
    for protocol in ("class-agnostic", "scannet"):
        assert evaluate_instances_files(pred, truth, protocol)["ap"] == 0.0


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": TRUTH}, "no array `instance`"),
        ({"instance": TRUTH[:-1]}, "549 points"),
        ({"instance": TRUTH.astype(float)}, "float64"),
        ({"instance": TRUTH[:, None]}, "shape"),
        ({"instance": TRUTH - 1}, "-1"),
        ({"instance": TRUTH, "semantic": CLASSES[:3]}, "`semantic` has 3 points"),
        ({"instance": TRUTH, "score": np.ones(2)}, "only one of"),
        ({"instance": TRUTH, "instance_id": np.array([1, 2]), "score": np.ones(3)}, "`score`"),
        ({"instance": TRUTH, "instance_id": np.array([1, 2]), "score": np.array([1, np.nan])}, "finite"),
        ({"instance": TRUTH, "instance_id": np.array([1, 1]), "score": np.ones(2)}, "twice"),
        ({"instance": np.array([{}] * 550)}, "cannot be read"),
    ],
)
def test_malformed_points_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    truth, pred = save(tmp_path / "truth.npz", instance=TRUTH), save(tmp_path / "pred.npz", **arrays)
    with pytest.raises(S3DError, match=message):
        evaluate_instances_files(pred, truth, "class-agnostic")


def _folder_and_file(root: Path) -> tuple[Path, Path, str]:
    return root, root / "truth.npz", "class-agnostic"


def _nothing_there(root: Path) -> tuple[Path, Path, str]:
    return root / "none.npz", root / "truth.npz", "class-agnostic"


def _empty_truth(root: Path) -> tuple[Path, Path, str]:
    (root / "empty").mkdir()
    return root, root / "empty", "class-agnostic"


def _missing_prediction(root: Path) -> tuple[Path, Path, str]:
    (root / "empty").mkdir()
    return root / "empty", root, "class-agnostic"


def _no_classes(root: Path) -> tuple[Path, Path, str]:
    return root / "truth.npz", root / "truth.npz", "scannet"


def _unknown_protocol(root: Path) -> tuple[Path, Path, str]:
    return root / "truth.npz", root / "truth.npz", "coco"


def _text_file(root: Path) -> tuple[Path, Path, str]:
    (root / "labels.csv").write_text("5001\n")
    return root / "labels.csv", root / "truth.npz", "class-agnostic"


def _no_archive(root: Path) -> tuple[Path, Path, str]:
    (root / "bad.npz").write_bytes(b"not an archive")
    return root / "bad.npz", root / "truth.npz", "class-agnostic"


@pytest.mark.parametrize(
    ("arrange", "message"),
    [
        (_folder_and_file, "is a folder, but"),
        (_nothing_there, "does not exist"),
        (_empty_truth, "holds no .npz"),
        (_missing_prediction, "lacks truth.npz"),
        (_no_classes, "no array `semantic`"),
        (_unknown_protocol, "--protocol coco is not known"),
        (_text_file, "is no .npz, .txt or .ply file"),
        (_no_archive, "cannot be read"),
    ],
)
def test_misuse_of_instances_is_explained(
    tmp_path: Path, arrange: Callable[[Path], tuple[Path, Path, str]], message: str
) -> None:
    save(tmp_path / "truth.npz", instance=TRUTH)
    with pytest.raises(S3DError, match=message):
        evaluate_instances_files(*arrange(tmp_path))


@pytest.mark.parametrize(("protocol", "classes"), [("class-agnostic", (3,)), ("scannet", ()), ("scannet", (0,))])
def test_classes_that_make_no_sense_are_refused(tmp_path: Path, protocol: str, classes: tuple[int, ...]) -> None:
    truth = save(tmp_path / "truth.npz", instance=TRUTH, semantic=CLASSES)
    with pytest.raises(S3DError, match="--classes"):
        evaluate_instances_files(truth, truth, protocol, classes)


def test_panoptic_by_hand(panoptic: tuple[Path, Path]) -> None:
    result = evaluate_panoptic_files(*panoptic, "scene")
    assert (result["protocol"], result["images"]) == ("scene", 2)
    # over both frames: chair 36 of 40 pixels, wall 40 of 44
    assert result["pq"] == pytest.approx((40 / 44 + 36 / 40) / 2)
    assert [row["name"] for row in result["per_class"]] == ["wall", "chair"]
    coco = evaluate_panoptic_files(*panoptic, "coco")
    assert coco["pq"] == pytest.approx(((1 + 20 / 24) / 2 + (1 + 16 / 20) / 2) / 2)


def test_without_a_class_table_things_are_what_has_instances(panoptic: tuple[Path, Path]) -> None:
    expected = evaluate_panoptic_files(*panoptic, "scene")
    (panoptic[1] / "classes.json").unlink()
    result = evaluate_panoptic_files(*panoptic, "scene")
    assert {key: result[key] for key in ("pq", "pq_th", "pq_st")} == {key: expected[key] for key in ("pq", "pq_th", "pq_st")}


def test_further_predictions_are_not_read(panoptic: tuple[Path, Path]) -> None:
    expected = evaluate_panoptic_files(*panoptic, "scene")
    write_labels(panoptic[0], "z", np.ones((1, 1)), np.ones((1, 1)))
    assert evaluate_panoptic_files(*panoptic, "scene") == expected


def _drop_prediction(pred: Path, truth: Path) -> None:
    (pred / "instances" / "a.png").unlink()


def _drop_truth(pred: Path, truth: Path) -> None:
    (truth / "semantics" / "a.png").unlink()


def _drop_folder(pred: Path, truth: Path) -> None:
    (pred / "instances").rename(pred / "ids")


def _drop_images(pred: Path, truth: Path) -> None:
    for path in truth.rglob("*.png"):
        path.unlink()


def _resize(pred: Path, truth: Path) -> None:
    write_labels(pred, "a", np.ones((4, 9)), np.ones((4, 9)))


def _colour(pred: Path, truth: Path) -> None:
    Image.new("RGB", (10, 4)).save(pred / "semantics" / "a.png")


def _damage(pred: Path, truth: Path) -> None:
    (truth / "semantics" / "a.png").write_bytes(b"no image")


def _damage_table(pred: Path, truth: Path) -> None:
    (truth / "classes.json").write_text("{}")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_drop_prediction, r"pred.instances lacks a.png"),
        (_drop_truth, r"truth.semantics lacks a.png"),
        (_drop_folder, "no folder instances/"),
        (_drop_images, "holds no PNG"),
        (_resize, "9x4, but its truth is 10x4"),
        (_colour, "RGB"),
        (_damage, "cannot be read"),
        (_damage_table, "classes.json"),
    ],
)
def test_misuse_of_panoptic_is_explained(
    panoptic: tuple[Path, Path], spoil: Callable[[Path, Path], None], message: str
) -> None:
    spoil(*panoptic)
    with pytest.raises(S3DError, match=message):
        evaluate_panoptic_files(*panoptic, "scene")


def test_unknown_panoptic_protocol(panoptic: tuple[Path, Path]) -> None:
    with pytest.raises(S3DError, match="use one of coco, scene"):
        evaluate_panoptic_files(*panoptic, "scannet")


def test_an_archive_with_damaged_content(tmp_path: Path) -> None:
    path = tmp_path / "damaged.npz"
    np.savez_compressed(path, instance=np.arange(20_000) % 7)
    content = bytearray(path.read_bytes())
    content[80:120] = b"\xff" * 40  # within the packed numbers: the table of the archive stays sound
    path.write_bytes(content)
    with pytest.raises(S3DError, match=r"damaged.npz: it cannot be read"):
        evaluate_instances_files(path, save(tmp_path / "truth.npz", instance=TRUTH), "class-agnostic")
