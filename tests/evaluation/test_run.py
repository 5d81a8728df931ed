"""`evaluate_run` on a tiny scene, with a run that is perfect or spoilt in known ways."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.files import evaluate_instances_files
from s3d_splat.evaluation.image_files import evaluate_panoptic_files
from s3d_splat.evaluation.run import evaluate_run
from s3d_splat.io.images import write_image
from s3d_splat.io.observations import load_observation
from s3d_splat.io.results import write_colour_png, write_id_png, write_metrics
from s3d_splat.io.run_folder import RunFolder, create_run
from s3d_splat.io.scene import frames_of, load_scene
from s3d_splat.io.transforms import frame_name
from s3d_splat.types import Gaussians, InstanceSet, Scene
from tests.scene_fixtures import CLASS_OF_INSTANCE, write_tiny_scene

PERFECT = ("pq", "sq", "rq", "pq_th", "pq_st", "pq_filtered", "pq_strict", "semantic_miou", "semantic_macc")
PERFECT_3D = ("ap", "ap50", "ap25", "ar", "rc50", "rc25", "precision50", "miou", "m50", "m25")


def instance_set(anchor_instance: torch.Tensor) -> InstanceSet:
    """The tiny scene's three objects under other ids (10, 20, 30), one child an anchor."""
    ids = torch.tensor([0, 10, 20, 30], dtype=torch.int32)[anchor_instance.long()]
    return InstanceSet(
        anchor_instance=ids,
        child_instance=ids[:, None],
        instance_id=torch.tensor([10, 20, 30, 40], dtype=torch.int32),
        class_id=torch.tensor([1, 5, 5, 5], dtype=torch.int32),
        is_thing=torch.tensor([0, 1, 1, 1], dtype=torch.int32),
        score=torch.ones(4),
        size=torch.tensor([*((ids == i).sum() for i in (10, 20, 30)), 0], dtype=torch.int32),
        aabb=torch.zeros(4, 2, 3),
    )


def perfect_run(scene: Scene, folder: Path) -> tuple[RunFolder, InstanceSet, Gaussians, torch.Tensor]:
    """A run whose renders and splats are the truth."""
    run = create_run(folder, scene.root, {}, ["test"], rasterizer="cpu", device="cpu")
    for frame in frames_of(scene, "test"):
        name, observed = frame_name(frame.file_path), load_observation(frame)
        assert observed.instances is not None
        write_colour_png(run.renders("test", "colour") / f"{name}.png", observed.image)
        write_id_png(run.renders("test", "instances") / f"{name}.png", observed.instances * 10)
        write_id_png(run.renders("test", "semantics") / f"{name}.png", CLASS_OF_INSTANCE[observed.instances.long()])
    with np.load(scene.root / "truth" / "points.npz") as points:
        positions, labels = torch.from_numpy(points["xyz"]), torch.from_numpy(points["instance"])
    count = len(positions)
    gaussians = Gaussians(
        means=positions,
        log_scales=torch.full((count, 3), 1e-3).log(),
        quaternions=torch.tensor([1.0, 0, 0, 0]).repeat(count, 1),
        opacities=torch.full((count,), 0.9),
        colours=torch.zeros(count, 3),
    )
    return run, instance_set(labels), gaussians, positions


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return load_scene(write_tiny_scene(tmp_path / "scene", truth=True))


def test_a_perfect_run(scene: Scene, tmp_path: Path) -> None:
    run, *parts = perfect_run(scene, tmp_path / "run")
    result = evaluate_run(run, scene, *parts, train_seconds=12.5, peak_memory_mb=300.0, fps=40.0)
    assert {key: result[key] for key in PERFECT + PERFECT_3D} == dict.fromkeys(PERFECT + PERFECT_3D, 1.0)
    assert (result["psnr"], result["ssim"]) == (100.0, pytest.approx(1.0))
    assert (result["objects_predicted"], result["objects_true"]) == (3, 3)  # 40 owns no anchor
    assert (result["train_seconds"], result["peak_memory_mb"], result["fps"]) == (12.5, 300.0, 40.0)
    assert result["per_image"] == [{"name": "0003", "psnr": 100.0, "ssim": pytest.approx(1.0), "pq": 1.0}]
    assert [(row["truth_id"], row["class_name"], row["is_thing"], row["matched_id"]) for row in result["per_object"]] == [
        (1, "wall", False, 10),
        (2, "chair", True, 20),
        (3, "chair", True, 30),
    ]
    assert [row["name"] for row in result["per_class"]] == ["wall", "chair"]
    write_metrics(run.metrics, result)  # plain values, no NaN
    assert json.loads(run.metrics.read_text())["pq"] == 1.0


def test_files_give_the_same_figures(scene: Scene, tmp_path: Path) -> None:
    run, instances, gaussians, positions = perfect_run(scene, tmp_path / "run")
    spoilt = instances.child_instance.clone()
    spoilt[::3] = 10
    changed = InstanceSet(**{**vars(instances), "child_instance": spoilt})
    labels = torch.full((24, 32), 20)
    write_id_png(run.renders("test", "instances") / "0003.png", labels)
    result = evaluate_run(run, scene, changed, gaussians, positions)
    assert result["ap"] < 1
    assert result["pq"] < 1
    truth_points = scene.root / "truth" / "points.npz"
    for protocol in ("class-agnostic", "best-overlap"):
        figures = evaluate_instances_files(run.eval_points, truth_points, protocol)
        shared = figures.keys() & result.keys()
        assert len(shared) >= 3
        assert {key: figures[key] for key in shared} == {key: result[key] for key in shared}
    figures = evaluate_panoptic_files(run.root / "renders" / "test", run.root / "eval" / "truth", "scene")
    shared = figures.keys() & result.keys()
    assert {"pq", "pq_strict", "pq_filtered", "per_class"} <= shared
    assert {key: figures[key] for key in shared} == {key: result[key] for key in shared}
    with np.load(run.eval_points) as points:
        assert set(points.files) == {"xyz", "instance", "semantic", "instance_id", "score"}
        assert points["instance"].dtype == np.int32


def test_without_truth_the_masks_of_the_scene_are_the_truth(scene: Scene, tmp_path: Path) -> None:
    run, *parts = perfect_run(scene, tmp_path / "run")
    shutil.rmtree(scene.root / "truth")
    result = evaluate_run(run, scene, *parts)
    assert {key: result[key] for key in PERFECT} == dict.fromkeys(PERFECT, 1.0)
    assert {key: result[key] for key in PERFECT_3D} == dict.fromkeys(PERFECT_3D)
    assert (result["objects_true"], result["per_object"]) == (3, [])  # the wall and two chairs in the test image
    assert not run.eval_points.exists()


def test_without_masks_only_images_are_measured(tmp_path: Path) -> None:
    root = write_tiny_scene(tmp_path / "scene", truth=True)
    run, *parts = perfect_run(load_scene(root), tmp_path / "run")
    shutil.rmtree(root / "truth")
    table = json.loads((root / "transforms.json").read_text())
    for row in table["frames"]:
        if row["split"] == "test":
            del row["instance_file_path"], row["semantic_file_path"]
    (root / "transforms.json").write_text(json.dumps(table))
    result = evaluate_run(run, load_scene(root), *parts)
    assert result["psnr"] == 100.0
    missing = (*PERFECT, *PERFECT_3D, "objects_true")
    assert {key: result[key] for key in missing} == dict.fromkeys(missing)
    assert result["per_class"] == []


def test_truth_comes_before_the_masks_of_the_scene(scene: Scene, tmp_path: Path) -> None:
    run, *parts = perfect_run(scene, tmp_path / "run")
    write_id_png(scene.root / "truth" / "semantics" / "0003.png", torch.full((24, 32), 1))  # all wall, says the truth
    result = evaluate_run(run, scene, *parts)
    wall = int((load_observation(frames_of(scene, "test")[0]).instances == 1).sum())
    assert result["semantic_miou"] == pytest.approx(wall / (24 * 32))


def test_masks_whose_ids_change_in_every_frame_are_no_truth_of_instances(tmp_path: Path) -> None:
    root = write_tiny_scene(tmp_path / "scene", truth=True)
    table = json.loads((root / "transforms.json").read_text())
    table["frames"][2]["split"] = "test"  # two test frames
    for kind in ("val", "test"):
        table[f"{kind}_filenames"] = [row["file_path"] for row in table["frames"] if row["split"] == "test"]
    table["train_filenames"] = [row["file_path"] for row in table["frames"] if row["split"] == "train"]
    (root / "transforms.json").write_text(json.dumps(table))
    run, *parts = perfect_run(load_scene(root), tmp_path / "run")
    shutil.rmtree(root / "truth")
    objects = json.loads((root / "instances.json").read_text())
    objects += [{**row, "id": row["id"] + 100} for row in objects]
    (root / "instances.json").write_text(json.dumps(objects))
    mask = load_observation(frames_of(load_scene(root), "test")[0]).instances
    assert mask is not None
    write_id_png(root / "instances" / "0002.png", mask + 100)
    result = evaluate_run(run, load_scene(root), *parts)
    assert (result["pq"], result["objects_true"], result["semantic_miou"]) == (None, None, 1.0)


def test_nothing_predicted(scene: Scene, tmp_path: Path) -> None:
    run, _, gaussians, positions = perfect_run(scene, tmp_path / "run")
    nothing = instance_set(torch.zeros(len(positions), dtype=torch.int32))
    for kind in ("instances", "semantics"):
        write_id_png(run.renders("test", kind) / "0003.png", torch.zeros(24, 32, dtype=torch.int32))
    result = evaluate_run(run, scene, nothing, gaussians, positions)
    assert (result["ap"], result["miou"], result["precision50"], result["objects_predicted"]) == (0.0, 0.0, None, 0)
    assert (result["pq_strict"], result["semantic_miou"]) == (0.0, 0.0)


def test_a_second_evaluation_replaces_the_first(scene: Scene, tmp_path: Path) -> None:
    run, *parts = perfect_run(scene, tmp_path / "run")
    first = evaluate_run(run, scene, *parts)
    write_id_png(run.root / "eval" / "truth" / "instances" / "stale.png", torch.ones(2, 2, dtype=torch.int32))
    assert evaluate_run(run, scene, *parts) == first
    assert not (run.root / "eval" / "truth" / "instances" / "stale.png").exists()


def test_missing_renders_are_named(scene: Scene, tmp_path: Path) -> None:
    run, *parts = perfect_run(scene, tmp_path / "run")
    (run.renders("test", "instances") / "0003.png").unlink()
    with pytest.raises(S3DError, match=r"instances lacks 0003\.png"):
        evaluate_run(run, scene, *parts)
    (run.renders("test", "colour") / "0003.png").unlink()
    with pytest.raises(S3DError, match=r"0003\.png does not exist"):
        evaluate_run(run, scene, *parts)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"instance": np.ones(3, int)}, "xyz"),
        ({"xyz": np.zeros((2, 3)), "instance": np.ones(3, int)}, "shape"),
        ({"xyz": np.full((3, 3), np.nan), "instance": np.ones(3, int)}, "finite"),
        ({"xyz": np.zeros((3, 3))}, "no array `instance`"),
    ],
)
def test_malformed_truth_points_are_refused(
    scene: Scene, tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    run, *parts = perfect_run(scene, tmp_path / "run")
    np.savez(scene.root / "truth" / "points.npz", **arrays)
    with pytest.raises(S3DError, match=message):
        evaluate_run(run, scene, *parts)


def test_masked_pixels_are_measured_nowhere(scene: Scene, tmp_path: Path) -> None:
    """The left half of the test image is masked; whatever is rendered there, the run stays perfect."""
    path = scene.root / "transforms.json"
    meta = json.loads(path.read_text())
    meta["frames"][3]["mask_path"] = "masks/rig.png"
    path.write_text(json.dumps(meta))
    keep = np.broadcast_to(np.arange(32) >= 16, (24, 32))
    write_image(scene.root / "masks" / "rig.png", np.where(keep, 255, 0).astype(np.uint8))
    masked = load_scene(scene.root)
    run, *parts = perfect_run(scene, tmp_path / "run")
    renders = {kind: run.renders("test", kind) / "0003.png" for kind in ("colour", "instances", "semantics")}
    for kind, file in renders.items():
        pixels = np.array(Image.open(file))
        pixels[~keep] = {"colour": 7, "instances": 30, "semantics": 5}[kind]
        write_image(file, pixels)
    result = evaluate_run(run, masked, *parts)
    assert (result["psnr"], result["ssim"], result["masked_share"]) == (100.0, pytest.approx(1.0), 0.5)
    assert {key: result[key] for key in PERFECT} == dict.fromkeys(PERFECT, 1.0)
    assert evaluate_run(run, scene, *parts)["masked_share"] == 0.0
    assert evaluate_run(run, scene, *parts)["psnr"] < 20
