"""Every inconsistency of a scene folder is refused, and the message names where it is."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from s3d_splat.errors import S3DError
from s3d_splat.io.images import write_image
from s3d_splat.io.ply import read_proxy, write_proxy
from s3d_splat.io.scene import check_mask_ids, load_scene
from s3d_splat.types import ProxyGeometry

Damage = Callable[[Path], None]


def edit_json(path: Path, change: Callable[[Any], None]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))  # NaN is written as NaN, as many programs do


def in_transforms(change: Callable[[dict[str, Any]], None]) -> Damage:
    return lambda folder: edit_json(folder / "transforms.json", change)


def in_frame(index: int, **values: Any) -> Damage:
    return in_transforms(lambda meta: meta["frames"][index].update(values))


def in_pose(index: int, change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    def damage(meta: dict[str, Any]) -> None:
        frame = meta["frames"][index]
        frame["transform_matrix"] = change(np.array(frame["transform_matrix"])).tolist()

    return in_transforms(damage)


def in_rows(file: str, change: Callable[[list[dict[str, Any]]], None]) -> Damage:
    return lambda folder: edit_json(folder / file, change)


def pixel(file: str, value: int) -> Damage:
    def damage(folder: Path) -> None:
        pixels = np.array(Image.open(folder / file)).astype(np.uint16)
        pixels[3, 4] = value
        write_image(folder / file, pixels)

    return damage


def resized(file: str) -> Damage:
    return lambda folder: Image.open(folder / file).resize((16, 12), Image.Resampling.NEAREST).save(folder / file)


def cut(file: str, share: float = 0.6) -> Damage:
    def damage(folder: Path) -> None:
        data = (folder / file).read_bytes()
        (folder / file).write_bytes(data[: int(len(data) * share)])

    return damage


def removed(file: str) -> Damage:
    return lambda folder: (folder / file).unlink()


def written(file: str, text: str) -> Damage:
    return lambda folder: (folder / file).write_text(text) and None


def in_proxy(change: Callable[[Any], Any]) -> Damage:
    def damage(folder: Path) -> None:
        proxy = read_proxy(folder / "proxy.ply")
        write_proxy(folder / "proxy.ply", ProxyGeometry(change(proxy.points), change(proxy.colours)))

    return damage


def as_jpeg_cut_short(folder: Path) -> None:
    Image.open(folder / "images/0002.png").save(folder / "images/0002.jpg")
    cut("images/0002.jpg", 0.8)(folder)
    in_frame(2, file_path="images/0002.jpg")(folder)
    in_transforms(forget_lists)(folder)


def forget_lists(meta: dict[str, Any]) -> None:
    for split in ("train", "val", "test"):
        del meta[f"{split}_filenames"]


def forget_lists_and_splits(meta: dict[str, Any]) -> None:
    forget_lists(meta)
    for frame in meta["frames"]:
        del frame["split"]


def with_nan_point(values: Any) -> Any:
    return values.index_fill(0, values.new_tensor([7]).long(), math.nan)


def all_test(meta: dict[str, Any]) -> None:
    forget_lists(meta)
    for frame in meta["frames"]:
        frame["split"] = "test"


FRAME_2 = r"frame 2 \(images/0002.png\)"
ALL_REFUSALS: dict[str, tuple[Damage, str]] = {
    "no transforms": (removed("transforms.json"), "transforms.json does not exist"),
    "not JSON": (written("transforms.json", '{"frames": ['), "transforms.json is not valid JSON"),
    "no frames": (written("transforms.json", '{"frames": []}'), "transforms.json has no frames"),
    "frame without name": (in_transforms(lambda m: m["frames"][2].pop("file_path")), "frame 2 has no file_path"),
    "missing image": (removed("images/0002.png"), FRAME_2 + ".*images/0002.png does not exist"),
    "image is text": (written("images/0002.png", "no picture"), FRAME_2 + ".*images/0002.png cannot be read"),
    "truncated png": (cut("images/0002.png"), FRAME_2 + ".*images/0002.png cannot be read"),
    "truncated jpeg": (as_jpeg_cut_short, r"frame 2 \(images/0002.jpg\).*cannot be read"),
    "image size": (resized("images/0002.png"), FRAME_2 + ".*0002.png is 16x12, but the camera is 32x24"),
    "NaN pose": (in_pose(2, lambda pose: pose * math.nan), FRAME_2 + ".*is not finite"),
    "scaled pose": (in_pose(2, lambda pose: pose * [[2], [2], [2], [1]]), FRAME_2 + ".*not rigid"),
    "sheared pose": (in_pose(2, lambda pose: pose + 0.01 * np.eye(4, k=1)), FRAME_2 + ".*not rigid"),
    "mirrored pose": (in_pose(2, lambda pose: pose * [-1, 1, 1, 1]), FRAME_2 + ".*not rigid.*det R -1"),
    "last row": (in_pose(2, lambda pose: pose + np.eye(4)[3:].T), FRAME_2 + ".*not rigid"),
    "pose shape": (in_pose(2, lambda pose: pose[:2]), FRAME_2 + ".*is no 4x4 matrix"),
    "no pose": (in_transforms(lambda m: m["frames"][2].pop("transform_matrix")), FRAME_2 + ".*is no 4x4 matrix"),
    "mask size": (resized("instances/0002.png"), FRAME_2 + ".*instances/0002.png is 16x12"),
    "depth size": (resized("depth/0002.png"), FRAME_2 + ".*depth/0002.png is 16x12"),
    "semantics size": (resized("semantics/0002.png"), FRAME_2 + ".*semantics/0002.png is 16x12"),
    "missing mask": (removed("instances/0002.png"), FRAME_2 + ".*instances/0002.png does not exist"),
    "truncated mask": (cut("instances/0002.png"), FRAME_2 + ".*instances/0002.png cannot be read"),
    "truncated test mask": (cut("instances/0003.png"), "frame 3 .*instances/0003.png cannot be read"),
    "unknown instance": (pixel("instances/0002.png", 77), FRAME_2 + ".*holds id 77, which instances.json lacks"),
    "unknown class": (pixel("semantics/0002.png", 9), FRAME_2 + ".*holds id 9, which classes.json lacks"),
    "unknown class of instance": (
        in_rows("instances.json", lambda rows: rows[1].update(class_id=9)),
        "instance 2 has class 9, which classes.json lacks",
    ),
    "class name": (
        in_rows("instances.json", lambda rows: rows[1].update(class_name="table")),
        r"instance 2 calls class 5 'table' \(thing\), elsewhere it is 'chair' \(thing\)",
    ),
    "thing and stuff": (
        in_rows("instances.json", lambda rows: rows[1].update(is_thing=False)),
        r"instance 2 calls class 5 'chair' \(stuff\)",
    ),
    "instance twice": (in_rows("instances.json", lambda rows: rows[1].update(id=1)), "instances.json: id 1 occurs twice"),
    "class twice": (in_rows("classes.json", lambda rows: rows[1].update(id=1)), "classes.json: id 1 occurs twice"),
    "id is text": (in_rows("instances.json", lambda rows: rows[1].update(id="2")), "row 1 has id '2'"),
    "id too large": (in_rows("instances.json", lambda rows: rows[1].update(id=65536)), "row 1 has id 65536"),
    "id is zero": (in_rows("instances.json", lambda rows: rows[1].update(id=0)), "row 1 has id 0"),
    "row lacks key": (in_rows("instances.json", lambda rows: rows[1].pop("is_thing")), "row 1 lacks is_thing"),
    "is_thing": (in_rows("classes.json", lambda rows: rows[1].update(is_thing="yes")), "id 5 has is_thing 'yes'"),
    "score": (in_rows("instances.json", lambda rows: rows[1].update(score=1.5)), "instance 2 has score 1.5"),
    "class id": (in_rows("instances.json", lambda rows: rows[1].update(class_id=-1)), "instance 2 has class_id -1"),
    "no list": (written("instances.json", '{"1": "chair"}'), "instances.json: the file holds no list"),
    "no instances.json": (removed("instances.json"), "instances.json does not exist"),
    "8-bit depth": (
        lambda folder: Image.new("L", (32, 24)).save(folder / "depth/0002.png"),
        FRAME_2 + ".*depth/0002.png has pixels of type L",
    ),
    "coloured mask": (
        lambda folder: Image.new("RGB", (32, 24)).save(folder / "instances/0002.png"),
        FRAME_2 + ".*instances/0002.png has pixels of type RGB",
    ),
    "transparent image": (
        lambda folder: Image.new("RGBA", (32, 24)).save(folder / "images/0002.png"),
        FRAME_2 + ".*images/0002.png has pixels of type RGBA",
    ),
    "depth unit": (in_transforms(lambda m: m.update(depth_unit_scale_factor=0)), "depth_unit_scale_factor is 0"),
    "no proxy": (removed("proxy.ply"), "proxy.ply does not exist"),
    "empty proxy": (in_proxy(lambda values: values[:0]), "proxy.ply has no points"),
    "NaN point": (in_proxy(with_nan_point), "proxy.ply: point 7 has x y z that are not finite"),
    "truncated proxy": (cut("proxy.ply"), "proxy.ply cannot be read as a point cloud"),
    "proxy is text": (written("proxy.ply", "no points"), "proxy.ply cannot be read as a point cloud"),
    "split against list": (
        in_frame(2, split="test"),
        'images/0002.png contradicts itself: its frame says "test", the lists of file names say "train"',
    ),
    "two lists": (
        in_transforms(lambda m: m["test_filenames"].append("images/0002.png")),
        "images/0002.png contradicts itself: it is in train_filenames and",
    ),
    "list names a stranger": (
        in_transforms(lambda m: m["train_filenames"].append("images/9.png")),
        "train_filenames names images/9.png",
    ),
    "split of nobody": (in_frame(2, split="validate"), "images/0002.png has split 'validate'"),
    "one without split": (
        in_transforms(lambda m: (forget_lists(m), m["frames"][2].pop("split"))),
        "images/0002.png has no split",
    ),
    "no train frames": (in_transforms(all_test), "transforms.json has no train frames"),
    "focal length": (in_frame(2, fl_x=0.0), FRAME_2 + ": focal length 0.0"),
    "no focal length": (in_transforms(lambda m: m.pop("fl_x")), "fl_x is missing"),
    "infinite focal length": (in_frame(2, fl_x=math.inf), FRAME_2 + ": fl_x is inf"),
    "principal point": (in_frame(2, cx=-3.0), FRAME_2 + ": principal point -3.0"),
    "width": (in_frame(2, w=32.5), FRAME_2 + ": w is 32.5"),
    "fisheye": (in_transforms(lambda m: m.update(camera_model="OPENCV_FISHEYE")), "camera model OPENCV_FISHEYE"),
    "k3": (in_frame(2, k3=0.1), FRAME_2 + ": camera model OPENCV with k3"),
    "file twice": (
        in_frame(2, file_path="./images/0001.png"),
        r"frames 1 \(images/0001.png\) and 2 \(./images/0001.png\) have one name",
    ),
    "name twice": (in_frame(2, file_path="images/0001.jpg"), "frames 1 .* and 2 .* have one name"),
    "climbing path": (in_frame(2, depth_file_path="../depth.png"), FRAME_2 + ": depth_file_path is '../depth.png'"),
    "hidden climb": (in_frame(2, depth_file_path="depth/../../d.png"), FRAME_2 + ": depth_file_path is"),
    "absolute path": (in_frame(2, depth_file_path="/etc/depth.png"), FRAME_2 + ": depth_file_path is '/etc/depth.png'"),
    "climbing proxy": (in_transforms(lambda m: m.update(ply_file_path="../p.ply")), "ply_file_path is '../p.ply'"),
}


@pytest.mark.parametrize("name", ALL_REFUSALS)
def test_refused(name: str, scene_folder: Path) -> None:
    damage, message = ALL_REFUSALS[name]
    damage(scene_folder)
    with pytest.raises(S3DError, match=message) as caught:
        load_scene(scene_folder)
    assert caught.value.why
    assert caught.value.fix


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(S3DError, match="is no folder"):
        load_scene(tmp_path / "nowhere")


def test_all_missing_files_are_counted(scene_folder: Path) -> None:
    shutil.rmtree(scene_folder / "images")
    with pytest.raises(S3DError, match=r"frame 0 .*0000.png does not exist \(nor do 5 other files that it names\)"):
        load_scene(scene_folder)


def test_semantics_need_a_table(scene_folder: Path) -> None:
    def forget_instances(meta: dict[str, Any]) -> None:
        for frame in meta["frames"]:
            del frame["instance_file_path"]

    in_transforms(forget_instances)(scene_folder)
    removed("instances.json")(scene_folder)
    removed("classes.json")(scene_folder)
    with pytest.raises(S3DError, match=r"classes.json does not exist"):
        load_scene(scene_folder)


def test_what_test_masks_hold_is_judged_by_evaluation_alone(scene_folder: Path) -> None:
    pixel("instances/0003.png", 77)(scene_folder)
    scene = load_scene(scene_folder)
    check_mask_ids(scene, "train")
    with pytest.raises(S3DError, match=r"frame 3 \(images/0003.png\).*holds id 77"):
        check_mask_ids(scene, "test")
