"""The ScanNet benchmark's text files, labelled PLY, and scenes in folders: the same figures from each, and every mistake."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from plyfile import PlyData, PlyElement

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.files import evaluate_instances_files
from s3d_splat.evaluation.point_files import read_point_classes, read_point_labels
from s3d_splat.evaluation.scannet_text import read_mask, read_prediction

INSTANCE = np.repeat([1, 2, 3, 0], [200, 300, 150, 50])
CLASSES = np.repeat([5, 5, 7, 0], [200, 300, 150, 50])
PREDICTED = np.repeat([4, 9, 0, 6], [200, 200, 150, 150])
PREDICTED_CLASSES = np.repeat([5, 5, 0, 7], [200, 200, 150, 150])
SCORES = {4: 0.5, 9: 0.9, 6: 0.7}
PROTOCOLS = ("scannet", "class-agnostic", "best-overlap")


def write_lines(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{value}\n" for value in values))


def write_ply(path: Path, **properties: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.zeros(len(next(iter(properties.values()))), [(name, values.dtype) for name, values in properties.items()])
    for name, values in properties.items():
        rows[name] = values
    PlyData([PlyElement.describe(rows, "vertex")]).write(str(path))
    return path


def write_text_scene(root: Path, name: str = "scene") -> tuple[Path, Path]:
    write_lines(root / "truth" / f"{name}.txt", np.where(INSTANCE > 0, CLASSES * 1000 + INSTANCE, 0))
    lines = []
    for label, score in SCORES.items():
        write_lines(root / "pred" / "masks" / f"{name}_{label}.txt", (label == PREDICTED).astype(int))
        lines.append(f"masks/{name}_{label}.txt {PREDICTED_CLASSES[label == PREDICTED][0]} {score}")
    (root / "pred" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return root / "pred" / f"{name}.txt", root / "truth" / f"{name}.txt"


def write_npz_scene(root: Path, name: str = "scene") -> tuple[Path, Path]:
    for folder in ("pred", "truth"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    ids, scores = np.array(list(SCORES)), np.array(list(SCORES.values()))
    pred, truth = root / "pred" / f"{name}.npz", root / "truth" / f"{name}.npz"
    np.savez(pred, instance=PREDICTED, semantic=PREDICTED_CLASSES, instance_id=ids, score=scores)
    np.savez(truth, instance=INSTANCE, semantic=CLASSES)
    return pred, truth


def figures(pred: Path, truth: Path, protocol: str) -> dict[str, float]:
    result = evaluate_instances_files(pred, truth, protocol)
    return {name: value for name, value in result.items() if isinstance(value, float | int)}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_text_and_npz_give_the_same_figures(tmp_path: Path, protocol: str) -> None:
    expected = figures(*write_npz_scene(tmp_path / "npz"), protocol)
    assert figures(*write_text_scene(tmp_path / "text"), protocol) == expected
    assert expected["segments"] == 3
    assert expected["objects"] == 3


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ply_and_npz_give_the_same_figures(tmp_path: Path, protocol: str) -> None:
    pred, truth = write_npz_scene(tmp_path / "npz")
    np.savez(pred, instance=PREDICTED, semantic=PREDICTED_CLASSES)  # a PLY has no scores
    other = write_ply(tmp_path / "p.ply", instance=PREDICTED.astype("i4"), semantic=PREDICTED_CLASSES.astype("u1"))
    true = write_ply(tmp_path / "t.ply", instance=INSTANCE.astype("u2"), label=CLASSES.astype("u2"))
    assert figures(other, true, protocol) == figures(pred, truth, protocol)
    assert read_point_classes(true).tolist() == CLASSES.tolist()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_folders_of_mixed_kinds_have_a_row_a_scene(tmp_path: Path, protocol: str) -> None:
    alone = figures(*write_text_scene(tmp_path, "a"), protocol)
    write_npz_scene(tmp_path, "b")
    result = evaluate_instances_files(tmp_path / "pred", tmp_path / "truth", protocol, with_objects=True)
    assert [row["scene"] for row in result["per_scene"]] == result["scenes"] == ["a", "b"]
    for row in result["per_scene"]:
        assert {name: row[name] for name in alone} == alone
    assert result["segments"] == 6
    assert len(result["per_object"]) == 6
    assert {row["scene"] for row in result["per_object"]} == {"a", "b"}
    main = {"scannet": "ap", "class-agnostic": "ap", "best-overlap": "miou"}[protocol]
    assert result[main] == pytest.approx(alone[main])


def test_over_segmentation_is_seen_beside_best_overlap(tmp_path: Path) -> None:
    truth = tmp_path / "t.npz"
    np.savez(truth, instance=INSTANCE)
    pieces = np.where(np.arange(700) % 10 == 0, INSTANCE + 10, INSTANCE)  # a tenth of each object is a second segment
    np.savez(tmp_path / "p.npz", instance=np.where(INSTANCE > 0, pieces, 0))
    result = evaluate_instances_files(tmp_path / "p.npz", truth, "best-overlap")
    assert result["miou"] == pytest.approx(0.9)
    assert (result["segments"], result["objects"]) == (6, 3)
    assert result["ap"] is not None


def test_an_empty_prediction_file_is_valid(tmp_path: Path) -> None:
    pred, truth = write_text_scene(tmp_path)
    pred.write_text("\n")
    assert evaluate_instances_files(pred, truth, "scannet")["ap"] == 0.0


def test_instance_zero_of_a_class_is_none(tmp_path: Path) -> None:
    write_lines(tmp_path / "t.txt", np.array([0, 1000, 5001, 7001]))
    labels = read_point_labels(tmp_path / "t.txt")
    assert labels.instance.tolist() == [0, 0, 5001, 7001]
    assert labels.semantic is not None
    assert labels.semantic.tolist() == [0, 1, 5, 7]


def test_masks_in_other_spellings(tmp_path: Path) -> None:
    for text in ("0\n1\n1\n0\n", "0 1 1 0", "0\r\n1\r\n1\r\n0\r\n", "00\n01\n1\n0\n", "0\n7\n255\n0"):
        (tmp_path / "m.txt").write_bytes(text.encode())
        assert read_mask(tmp_path / "m.txt").tolist() == [False, True, True, False]
    (tmp_path / "m.txt").write_text("")
    assert len(read_mask(tmp_path / "m.txt")) == 0


def test_mask_files_may_have_spaces_and_folders(tmp_path: Path) -> None:
    write_lines(tmp_path / "deep" / "my masks" / "1.txt", np.array([1, 0]))
    (tmp_path / "deep" / "s.txt").write_text("./my masks/../my masks/1.txt 5 1e-1\n")
    found = read_prediction(tmp_path / "deep" / "s.txt", 2)
    assert (found.masks.tolist(), found.class_id.tolist(), found.score.tolist()) == ([[True, False]], [5], [0.1])


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../secret.txt", "masks/../../secret.txt", "C:\\secret.txt", "..\\secret.txt"]
)
def test_mask_files_outside_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    pred, truth = write_text_scene(tmp_path)
    write_lines(tmp_path / "secret.txt", np.zeros(700, int))
    pred.write_text(f"{name} 5 0.9\n")
    with pytest.raises(S3DError, match="lies outside"):
        evaluate_instances_files(pred, truth, "scannet")


def _line(text: str) -> Callable[[Path, Path], None]:
    return lambda pred, truth: (pred.write_text(text), None)[1]


def _mask(content: str) -> Callable[[Path, Path], None]:
    return lambda pred, truth: ((pred.parent / "masks" / "scene_4.txt").write_text(content), None)[1]


def _truth(content: str) -> Callable[[Path, Path], None]:
    return lambda pred, truth: (truth.write_text(content), None)[1]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_line("5001\n" * 700), "instance 1 is '5001'"),
        (_line("masks/scene_4.txt chair 0.9"), "instance 1 is"),
        (_line("masks/scene_4.txt 5 nan"), "instance 1 is"),
        (_line("masks/scene_4.txt -5 1"), "instance 1 is"),
        (_line("masks/none.txt 5 1"), "none.txt cannot be read"),
        (_mask("1\n0\n"), "scene_4.txt has 2 points, but the truth has 700"),
        (_mask("1.5\n" * 700), "scene_4.txt is no list of whole numbers"),
        (_truth("chair\n" * 700), "scene.txt is no list of whole numbers"),
        (_truth("-5\n" * 700), "holds -5..-5"),
        (_truth("9" * 30 + "\n"), "is no list of whole numbers"),
    ],
)
def test_malformed_text_is_explained(tmp_path: Path, spoil: Callable[[Path, Path], None], message: str) -> None:
    pred, truth = write_text_scene(tmp_path)
    spoil(pred, truth)
    with pytest.raises(S3DError, match=message):
        evaluate_instances_files(pred, truth, "scannet")


def test_malformed_ply_is_explained(tmp_path: Path) -> None:
    truth = write_ply(tmp_path / "t.ply", instance=INSTANCE.astype("i4"))
    for arrays, message in (
        ({"x": INSTANCE.astype("f4")}, "no vertex property `instance`"),
        ({"instance": INSTANCE.astype("f4")}, "is float32"),
        ({"instance": (INSTANCE - 1).astype("i4")}, "the lowest is -1"),
        ({"instance": INSTANCE[:9].astype("i4")}, "9 points"),
    ):
        with pytest.raises(S3DError, match=message):
            evaluate_instances_files(write_ply(tmp_path / "p.ply", **arrays), truth, "class-agnostic")
    with pytest.raises(S3DError, match="no vertex property `semantic`"):
        read_point_classes(truth)
    (tmp_path / "p.ply").write_bytes(b"ply\nformat ascii 1.0\nelement vertex 5\nproperty int instance\nend_header\n1\n")
    with pytest.raises(S3DError, match="cannot be read as a point cloud"):
        evaluate_instances_files(tmp_path / "p.ply", truth, "class-agnostic")


def test_two_files_of_one_scene_are_refused(tmp_path: Path) -> None:
    write_text_scene(tmp_path)
    write_npz_scene(tmp_path)
    with pytest.raises(S3DError, match="are one scene"):
        evaluate_instances_files(tmp_path / "pred", tmp_path / "truth", "scannet")


@pytest.mark.data
def test_the_evaluator_files_of_scannet_agree_with_the_arrays(real_data: Path) -> None:
    root = real_data / "scannet5"
    for path in sorted((root / "evaluator_truth").glob("*.txt")):
        labels, arrays = read_point_labels(path), np.load(root / "truth" / f"{path.stem}.npz")
        assert len(labels.instance) == len(arrays["instance"])
        known = labels.instance > 0
        assert labels.semantic is not None
        assert (labels.semantic[known] == arrays["nyu40"][known]).mean() > 0.99
