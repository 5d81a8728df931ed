"""Labels as the benchmarks of others read them: COCO's panoptic task and ScanNet's text files."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from plyfile import PlyData, PlyElement

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.scannet_text import read_prediction
from s3d_splat.export.base import TrainedScene
from s3d_splat.export.options import ExportOptions
from s3d_splat.export.registry import exporter
from s3d_splat.metrics.panoptic import CocoPanopticQuality
from s3d_splat.panoptic.render import render_panoptic
from s3d_splat.types import ClassInfo, Gaussians
from tests.export.fabricated import BLUE, RED, WALL, silent, tiny_trained
from tests.scene_fixtures import CLASSES, tiny_camera, tiny_observation


def segments_of(folder: Path) -> list[dict[int, tuple[dict[str, Any], np.ndarray]]]:
    """Per image its segments: id, what the JSON says, where. An id is R + 256 G + 256^2 B, 0 is void."""
    document = json.loads((folder / "panoptic.json").read_text())
    found = []
    for annotation in document["annotations"]:
        rgb = np.asarray(Image.open(folder / "panoptic" / annotation["file_name"])).astype(np.int64)
        ids = rgb @ [1, 256, 256**2]
        rows = {row["id"]: row for row in annotation["segments_info"]}
        assert set(np.unique(ids).tolist()) - {0} == set(rows)  # as panopticapi demands
        found.append({id: (row, ids == id) for id, row in rows.items()})
    return found


def coco_quality(prediction: Path, truth: Path) -> float:
    """PQ by the rules of the COCO panoptic task (Kirillov et al., 2019), over the files alone."""
    counts: Counter[tuple[int, str]] = Counter()
    ious: Counter[int] = Counter()
    for pred, true in zip(segments_of(prediction), segments_of(truth), strict=True):
        shape = next(iter(true.values()))[1].shape
        void = ~np.any([mask for _, mask in true.values()] or [np.zeros(shape, bool)], axis=0)
        matched: set[int] = set()
        for row, mask in true.values():
            label, hit = row["category_id"], False
            if row["iscrowd"]:
                continue
            for id, (other, shown) in pred.items():
                union = (shown & ~void).sum() + mask.sum() - (shown & mask).sum()
                if other["category_id"] == label and (shown & mask).sum() > union / 2:
                    ious[label] += float((shown & mask).sum() / union)
                    counts[label, "tp"] += 1
                    matched.add(id)
                    hit = True
            counts[label, "fn"] += not hit
        for id, (row, shown) in pred.items():
            crowds = [
                mask for other, mask in true.values() if other["iscrowd"] and other["category_id"] == row["category_id"]
            ]
            excused = shown & np.any([void, *crowds], axis=0)
            counts[row["category_id"], "fp"] += id not in matched and excused.sum() <= shown.sum() / 2
    labels = {label for (label, _), count in counts.items() if count}
    each = [ious[k] / (counts[k, "tp"] + counts[k, "fp"] / 2 + counts[k, "fn"] / 2) for k in sorted(labels)]
    return sum(each) / len(each)


def exported(trained: TrainedScene, out: Path, **options: Any) -> dict[str, Any]:
    out.mkdir()
    return exporter("coco-panoptic")(trained, out, ExportOptions(**options), silent)


def own_quality(trained: TrainedScene) -> float | None:
    """Our PQ of what the run shows in the test view, frame 3."""
    observed = tiny_observation(tiny_camera(3))
    frame = trained.scene.frames[3]
    owner = trained.instances.child_instance.reshape(-1)
    shown = render_panoptic(trained.decode(frame.camera), owner, trained.instances, trained.rasterizer, frame.camera)
    assert observed.semantics is not None
    assert observed.instances is not None
    quality = CocoPanopticQuality(CLASSES)
    labels = (shown.semantics, shown.instances, observed.semantics, observed.instances)
    quality.update(*(image.numpy() for image in labels))
    return quality.compute()["pq"]


def shrunken(share: float) -> TrainedScene:
    """The scene with a part of the red chair's Gaussians gone, so that its mask is smaller than the truth."""
    owner = tiny_trained().instances.child_instance.reshape(-1)
    left = torch.rand(len(owner), generator=torch.Generator().manual_seed(0)) < share

    def change(gaussians: Gaussians) -> Gaussians:
        return replace(gaussians, opacities=torch.where((owner == RED) & left, 0.0, gaussians.opacities))

    return tiny_trained(change=change)


@pytest.mark.parametrize("gone", [0.0, 0.6, 1.0])
def test_panoptic_quality_from_the_files_is_our_own(gone: float, tmp_path: Path):
    trained = shrunken(gone)
    exported(trained, tmp_path / "pred")
    exported(trained, tmp_path / "true", truth=True)
    expected = own_quality(trained)
    assert coco_quality(tmp_path / "pred", tmp_path / "true") == pytest.approx(expected, abs=1e-12)


def test_a_missing_object_is_missed():
    whole, half = (own_quality(shrunken(gone)) for gone in (0.0, 1.0))
    assert whole is not None
    assert half is not None
    assert half < 0.9 * whole


def test_the_json_describes_the_images(tmp_path: Path):
    exported(tiny_trained(), tmp_path / "out")
    document = json.loads((tmp_path / "out" / "panoptic.json").read_text())
    assert [path.name for path in (tmp_path / "out").glob("*.json")] == ["panoptic.json"]
    assert document["images"] == [{"id": 1, "file_name": "0003.png", "width": 32, "height": 24}]
    assert [(c["id"], c["name"], c["isthing"]) for c in document["categories"]] == [(1, "wall", 0), (5, "chair", 1)]
    (segments,) = segments_of(tmp_path / "out")
    assert sorted((row["category_id"], row.get("instance_id")) for row, _ in segments.values()) == [
        (1, None),
        (5, 2),
        (5, 3),
    ]
    for row, mask in segments.values():
        rows, columns = np.nonzero(mask)
        assert row["area"] == mask.sum()
        assert row["bbox"] == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert row["iscrowd"] == 0


def test_an_object_has_one_colour_in_all_views(tmp_path: Path):
    exported(tiny_trained(), tmp_path / "out", split="train")
    views = segments_of(tmp_path / "out")
    assert len(views) == 5
    assert len({frozenset((id, row.get("instance_id")) for id, (row, _) in view.items()) for view in views}) == 1


def test_segments_whose_palette_colour_is_the_same_have_ids_that_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    black = torch.zeros(1, 3, dtype=torch.uint8)  # which is void, too
    monkeypatch.setattr("s3d_splat.export.coco_panoptic.instance_colours", lambda ids: black)
    exported(tiny_trained(), tmp_path / "out")
    (view,) = segments_of(tmp_path / "out")
    assert len(view) == 3
    assert 0 not in view


def test_things_that_nobody_told_apart_are_a_crowd(tmp_path: Path):
    trained = tiny_trained()
    shutil.copytree(trained.scene.root, tmp_path / "scene")
    path = tmp_path / "scene" / "truth" / "instances" / "0003.png"
    labels = np.asarray(Image.open(path))
    Image.fromarray(np.where(labels == BLUE, 0, labels).astype(np.uint16)).save(path)
    trained = replace(trained, scene=replace(trained.scene, root=tmp_path / "scene"))
    exported(trained, tmp_path / "out", truth=True)
    (view,) = segments_of(tmp_path / "out")
    assert sorted((row["category_id"], row["iscrowd"]) for row, _ in view.values()) == [(1, 0), (5, 0), (5, 1)]


def test_objects_without_a_class_are_void_where_others_have_one(tmp_path: Path):
    found = exported(tiny_trained(class_id=(1, 5, 0)), tmp_path / "out")
    (view,) = segments_of(tmp_path / "out")
    assert {row.get("instance_id") for row, _ in view.values()} == {None, RED}
    assert "objects without a class are void" in found["notes"][0]


def test_where_nothing_has_a_class_all_are_objects(tmp_path: Path):
    exported(tiny_trained(classes=(), class_id=(0, 0, 0)), tmp_path / "out")
    (view,) = segments_of(tmp_path / "out")
    assert {row["instance_id"] for row, _ in view.values()} == {WALL, RED, BLUE}


def test_truth_is_that_of_test_views(tmp_path: Path):
    with pytest.raises(S3DError, match="--truth was given with --split train"):
        exported(tiny_trained(), tmp_path / "out", truth=True, split="train")
    trained = tiny_trained()
    train_only = tuple(replace(frame, split="train") for frame in trained.scene.frames)
    with pytest.raises(S3DError, match="has no test frame"):
        exported(replace(trained, scene=replace(trained.scene, frames=train_only)), tmp_path / "other")


def scannet(trained: TrainedScene, out: Path, **options: Any) -> dict[str, Any]:
    out.mkdir()
    return exporter("scannet")(trained, out, ExportOptions(**options), silent)


def test_scannet_text_has_a_mask_class_and_score_an_object(tmp_path: Path):
    found = scannet(tiny_trained(), tmp_path / "out")
    assert found["points_of"] == "truth/points.npz"
    lines = (tmp_path / "out" / "scene.txt").read_text().splitlines()
    assert [line.split()[1:] for line in lines] == [["1", "1.0"], ["5", "0.75"], ["5", "0.5"]]
    masks = read_prediction(tmp_path / "out" / "scene.txt", found["points"])
    points = np.load(tiny_trained().scene.root / "truth" / "points.npz")
    for mask, id in zip(masks.masks, (WALL, RED, BLUE), strict=True):
        assert (mask == (points["instance"] == id)).mean() > 0.97


def test_scannet_classes_are_found_by_name(tmp_path: Path):
    """Class 5 is a sofa here: 6 in NYU40. What the label set lacks is left out, and said."""
    classes = (ClassInfo(1, "unicorn", False), ClassInfo(5, "couch", True))
    found = scannet(tiny_trained(classes), tmp_path / "out")
    lines = (tmp_path / "out" / "scene.txt").read_text().splitlines()
    assert [line.split()[1] for line in lines] == ["6", "6"]
    assert found["notes"] == ["left out, because NYU40 has no such class: unicorn"]


def test_points_of_a_file_of_ones_own(tmp_path: Path):
    """The middles of the three surfaces, and a place where nothing is."""
    points = np.array([(-0.6, 0, 2.0), (0.6, 0.1, 2.4), (0, 0.9, 3.0), (0, 0, 1.0)], dtype=[(axis, "f4") for axis in "xyz"])
    PlyData([PlyElement.describe(points, "vertex")]).write(str(tmp_path / "mesh.ply"))
    found = scannet(tiny_trained(), tmp_path / "out", points=tmp_path / "mesh.ply")
    masks = read_prediction(tmp_path / "out" / "scene.txt", 4)
    assert masks.masks.astype(int).tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]
    assert found["points_of"] == str(tmp_path / "mesh.ply")
    with pytest.raises(S3DError, match=r"nowhere\.ply does not exist"):
        scannet(tiny_trained(), tmp_path / "other", points=tmp_path / "nowhere.ply")
