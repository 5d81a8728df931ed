"""Text queries in files: features and scores, several scenes, and every way to get the files wrong."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.text_files import evaluate_text_files
from s3d_splat.io.atomic import write_json
from s3d_splat.metrics.scannet_classes import NAMES, TEXT_QUERY_CLASSES

WALL, FLOOR, CHAIR = 1, 2, 5
CLASSES = TEXT_QUERY_CLASSES[10]
TRUTH = np.array([WALL, WALL, FLOOR, FLOOR, CHAIR, 40, 0])
FOUND = np.array([WALL, CHAIR, FLOOR, FLOOR, CHAIR, WALL, WALL])
MIOU = (1 / 2 + 1 + 1 / 2) / 3
MACC = (1 / 2 + 1 + 1) / 3


def save(path: Path, **arrays: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def column(labels: np.ndarray) -> np.ndarray:
    return np.array([CLASSES.index(int(label)) for label in labels])


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Embeddings along the axes, with names spelt as they please."""
    names = [NAMES[label] for label in TEXT_QUERY_CLASSES[19]]
    write_json(
        tmp_path / "text.json", {name.replace(" ", ""): row for name, row in zip(names, np.eye(19).tolist(), strict=True)}
    )
    return tmp_path / "text.json"


def axis(label: int) -> int:
    return TEXT_QUERY_CLASSES[19].index(label)


def features() -> dict[str, np.ndarray]:
    """A feature for each class, long or short, and the row of each point."""
    scale = np.arange(1, 20)[:, None].astype(np.float32)
    return {
        "feature": np.eye(19, dtype=np.float32) * scale,
        "feature_index": np.array([axis(int(label)) for label in FOUND]),
    }


def test_features_are_compared_with_the_names(tmp_path: Path, text: Path) -> None:
    pred, truth = save(tmp_path / "p.npz", **features()), save(tmp_path / "t.npz", semantic=TRUTH)
    for classes in (19, 15, 10):
        result = evaluate_text_files(pred, truth, classes, text)
        assert (result["semantic_miou"], result["semantic_macc"]) == pytest.approx((MIOU, MACC))
        assert [row["name"] for row in result["per_class"]] == ["wall", "floor", "chair"]


def test_the_names_of_other_methods_are_understood(tmp_path: Path, text: Path) -> None:
    given = features()
    other = {"leaf_feat.npy": given["feature"], "leaf_ind.npy": given["feature_index"].astype(np.int16)}
    pred, truth = save(tmp_path / "p.npz", **other), save(tmp_path / "t.npz", instance=TRUTH, nyu40=TRUTH)
    assert evaluate_text_files(pred, truth, 10, text)["semantic_miou"] == pytest.approx(MIOU)


def test_scores_may_be_given(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(len(CLASSES))
    scores = np.eye(len(CLASSES))[column(FOUND)][:, order]
    pred = save(tmp_path / "p.npz", class_score=scores, class_id=np.array(CLASSES)[order])
    truth = tmp_path / "t.txt"
    truth.write_text("\n".join(str(label * 1000) for label in TRUTH))
    assert evaluate_text_files(pred, truth, 10)["semantic_miou"] == pytest.approx(MIOU)


def test_points_without_a_feature(tmp_path: Path, text: Path) -> None:
    given = features()
    given["feature_index"][0] = -1  # a wall: the first class is right by luck
    pred, truth = save(tmp_path / "p.npz", **given), save(tmp_path / "t.npz", semantic=TRUTH)
    result = evaluate_text_files(pred, truth, 10, text)
    assert result["semantic_miou"] == pytest.approx(MIOU)
    assert result["semantic_miou_no_guess"] == pytest.approx((0 + 1 + 1 / 2) / 3)
    assert result["unscored"] == pytest.approx(1 / 5)


def test_scenes_have_equal_weight(tmp_path: Path, text: Path) -> None:
    for scene, truth in (("a", TRUTH), ("b", np.where(TRUTH == CHAIR, 0, TRUTH))):
        save(tmp_path / "p" / f"{scene}.npz", **features())
        save(tmp_path / "t" / f"{scene}.npz", semantic=truth)
    result = evaluate_text_files(tmp_path / "p", tmp_path / "t", 10, text)
    assert result["scenes"] == ["a", "b"]
    assert result["semantic_miou"] == pytest.approx((MIOU + (1 / 2 + 1) / 2) / 2)


BROKEN_SCORES = np.full((7, 10), np.nan)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feature": None}, "neither scores nor features"),
        ({"feature": np.zeros((19, 19), int)}, "the features are int64"),
        ({"feature": np.full((19, 19), np.inf)}, "the features are float64"),
        ({"feature": np.zeros((19, 7))}, "its features have 7 numbers, the embeddings 19"),
        ({"feature_index": np.full(7, 19)}, "whole numbers from -1 to 18"),
        ({"feature_index": np.zeros(7)}, "whole numbers from -1 to 18"),
        ({"feature_index": np.zeros(6, int)}, "has 6 points"),
        ({"class_id": np.array(CLASSES), "class_score": np.zeros((7, 9))}, "`class_score` is float64 of shape"),
        ({"class_id": np.array(CLASSES), "class_score": BROKEN_SCORES}, "`class_score` is float64 of shape"),
        ({"class_id": np.ones(10, int), "class_score": np.zeros((7, 10))}, "`class_id` is no list"),
        ({"class_id": np.arange(40, 50), "class_score": np.zeros((7, 10))}, "`class_id` lacks wall"),
    ],
)
def test_malformed_predictions_are_explained(tmp_path: Path, text: Path, change: dict[str, Any], message: str) -> None:
    arrays = {name: array for name, array in (features() | change).items() if array is not None}
    pred, truth = save(tmp_path / "p.npz", **arrays), save(tmp_path / "t.npz", semantic=TRUTH)
    with pytest.raises(S3DError, match=message):
        evaluate_text_files(pred, truth, 10, text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], "no embedding of wall, floor"),
        ({"wall": [1.0]}, "no embedding of floor"),
        ({NAMES[label]: [1.0] * (1 + label % 2) for label in CLASSES}, "no equally long lists"),
        ({NAMES[label]: [0.0, 0.0] for label in CLASSES}, "one is all 0"),
    ],
)
def test_malformed_embeddings_are_explained(tmp_path: Path, content: Any, message: str) -> None:
    write_json(tmp_path / "text.json", content)
    pred, truth = save(tmp_path / "p.npz", **features()), save(tmp_path / "t.npz", semantic=TRUTH)
    with pytest.raises(S3DError, match=message):
        evaluate_text_files(pred, truth, 10, tmp_path / "text.json")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    pred, truth = save(tmp_path / "p.npz", **features()), save(tmp_path / "t.npz", semantic=TRUTH)
    with pytest.raises(S3DError, match="there are no queries"):
        evaluate_text_files(pred, truth, 10)
    with pytest.raises(S3DError, match="use one of 19, 15, 10"):
        evaluate_text_files(pred, truth, 20)
    with pytest.raises(S3DError, match="no array `semantic`"):
        evaluate_text_files(pred, pred, 10)
    with pytest.raises(S3DError, match="does not exist"):
        evaluate_text_files(pred, truth, 10, tmp_path / "none.json")


REFERENCE = {19: (0.4160, 0.5787), 15: (0.4157, 0.6258), 10: (0.4499, 0.6216)}  # mIoU, mAcc over the four scenes


@pytest.mark.data
@pytest.mark.parametrize("classes", [19, 15, 10])
def test_published_features_on_scannet(tmp_path: Path, real_data: Path, classes: int) -> None:
    """Against plain loops over the classes, as the protocol's own code has them."""
    root = real_data / "scannet5"
    (tmp_path / "truth").mkdir()
    for path in (root / "truth").glob("*.npz"):
        if path.stem != "scene0000_00":  # its features belong to another run than its clusters
            (tmp_path / "truth" / path.name).symlink_to(path)
    result = evaluate_text_files(root / "instance_gaussian", tmp_path / "truth", classes, root / "text_features.json")
    assert (result["semantic_miou"], result["semantic_macc"]) == pytest.approx(REFERENCE[classes], abs=5e-5)
    table = json.loads((root / "text_features.json").read_text())
    ids = np.array(TEXT_QUERY_CLASSES[classes])
    queries = np.array([table[NAMES[int(label)].replace("shower curtain", "showercurtain")] for label in ids])
    means = []
    for scene in result["scenes"]:
        given, truth = (
            np.load(root / "instance_gaussian" / f"{scene}.npz"),
            np.load(root / "truth" / f"{scene}.npz")["nyu40"],
        )
        likeness = given["leaf_feat"] @ (queries / np.linalg.norm(queries, axis=1, keepdims=True)).T
        found = ids[likeness.argmax(axis=1)][given["leaf_ind"]]
        found[~np.isin(truth, ids)] = 0
        ious = [((found == c) & (truth == c)).sum() / ((found == c) | (truth == c)).sum() for c in ids if (truth == c).any()]
        means.append(np.mean(ious))
    assert len(means) == 4
    assert result["semantic_miou"] == pytest.approx(np.mean(means))
