"""`evaluate run`: every figure of a run that the truth of its scene allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from s3d_splat.errors import S3DError
from s3d_splat.evaluation.label_images import labelled_images
from s3d_splat.evaluation.truth import WrittenTruth, true_classes, true_points, write_test_truth
from s3d_splat.evaluation.world import TruthPlacement, camera_metrics, true_cameras, truth_placement
from s3d_splat.io.atomic import write_npz
from s3d_splat.io.images import check_image_file, read_colours, read_counts
from s3d_splat.io.observations import load_observation
from s3d_splat.io.run_folder import RunFolder
from s3d_splat.io.scene import frames_of
from s3d_splat.io.transforms import frame_name
from s3d_splat.metrics.image import ImageQuality
from s3d_splat.metrics.instances3d import BestOverlap, ClassAgnosticPrecision
from s3d_splat.metrics.object_table import object_table
from s3d_splat.metrics.overlaps import PointLabels
from s3d_splat.metrics.panoptic import ScenePanopticQuality
from s3d_splat.metrics.semantic import SemanticIoU
from s3d_splat.panoptic.point_labels import ANCHOR_REACH, label_points
from s3d_splat.types import Gaussians, InstanceSet, Scene

PerImage = dict[str, dict[str, float | None]]  # by frame name


def evaluate_run(
    run: RunFolder,
    scene: Scene,
    instances: InstanceSet,
    gaussians: Gaussians,
    anchor_positions: Float[Tensor, "a 3"],
    *,
    train_seconds: float | None = None,
    peak_memory_mb: float | None = None,
    fps: float | None = None,
) -> dict[str, Any]:
    """Measure a run whose test views are in `RUN/renders/test/{colour,instances,semantics}`.

    Writes `RUN/eval/points.npz` (labels of the points of the truth) and `RUN/eval/truth/` (the true labels of the test
    frames); the file-based evaluations give the same figures from them. Nothing is fitted to the test frames.

    Args:
        gaussians: all splats, `k` an anchor in the order of `instances.child_instance`.
        anchor_positions: metres.
        train_seconds, peak_memory_mb, fps: figures that the caller has measured, passed through.

    Returns:
        All metrics (None where the scene has no truth for them) and `per_class`, `per_object`, `per_image` (lists of rows);
        `points_remark` where there are true points that cannot be placed in the scene's world.

    Raises:
        S3DError: a rendered image is missing or of another size, or the truth of the scene is not as it should be.
    """
    colours, per_image = _image_metrics(run, scene)
    truth = write_test_truth(scene, run.root / "eval" / "truth")
    panoptic, per_frame = _panoptic_metrics(run, truth)
    cameras = true_cameras(scene.root)
    points = _point_metrics(run, scene, truth_placement(cameras), instances, gaussians, anchor_positions)
    rows = [{"name": name, **values, "pq": per_frame.get(name)} for name, values in per_image.items()]
    if points["objects_true"] is None:
        points["objects_true"] = panoptic["objects_in_images"]
    owners = instances.anchor_instance.unique()
    return {
        **colours,
        **{key: value for key, value in panoptic.items() if key not in ("per_class", "objects_in_images")},
        **{key: value for key, value in points.items() if key != "per_object"},
        **camera_metrics(cameras),
        "objects_predicted": int((owners > 0).sum()),
        "train_seconds": train_seconds,
        "peak_memory_mb": peak_memory_mb,
        "fps": fps,
        "per_class": panoptic["per_class"],
        "per_object": points["per_object"],
        "per_image": rows,
    }


def _image_metrics(run: RunFolder, scene: Scene) -> tuple[dict[str, float | None], PerImage]:
    """`psnr` and `ssim` over the pixels of the test frames that count, `masked_share` of the others, and both of each."""
    quality, per_image = ImageQuality(), PerImage()
    pixels = masked = 0
    for frame in frames_of(scene, "test"):
        name = frame_name(frame.file_path)
        path = run.renders("test", "colour") / f"{name}.png"
        if not path.is_file():
            raise S3DError(
                f"{path} does not exist",
                why="test frames are compared with what the run renders for them",
                fix=f"s3d-splat render {run.root} --split test",
            )
        check_image_file(path, "image", frame.camera.width, frame.camera.height, where=frame.file_path)
        rendered = _unit(torch.from_numpy(read_colours(path, where=frame.file_path)))
        observed = load_observation(frame)
        left_out = 0 if observed.mask is None else int((~observed.mask).sum())
        pixels, masked = pixels + observed.image[..., 0].numel(), masked + left_out
        per_image[name] = {**quality.update(rendered, _unit(observed.image), observed.mask)}
    return {**quality.compute(), "masked_share": masked / max(pixels, 1)}, per_image


def _panoptic_metrics(run: RunFolder, truth: WrittenTruth) -> tuple[dict[str, Any], dict[str, float | None]]:
    """Scene PQ, semantic IoU, `per_class` and the number of true objects in the images; PQ of each frame alone."""
    scene_quality, semantic = ScenePanopticQuality(truth.classes), SemanticIoU()
    per_frame: dict[str, float | None] = {}
    if truth.has_instances:
        for image in labelled_images(run.root / "renders" / "test", run.root / "eval" / "truth"):
            alone = ScenePanopticQuality(truth.classes)
            alone.update(*image.labels)
            per_frame[image.name] = alone.compute()["pq"]
            scene_quality.merge(alone)
            semantic.update(image.pred_classes, image.true_classes)
    else:
        for name in truth.names:
            semantic.update(
                *(_classes(folder, name) for folder in (run.root / "renders" / "test", run.root / "eval" / "truth"))
            )
    figures: dict[str, Any] = {**scene_quality.compute(), **semantic.compute(), "per_class": scene_quality.per_class()}
    return figures | {"objects_in_images": scene_quality.true_segments() if truth.has_instances else None}, per_frame


def _point_metrics(
    run: RunFolder,
    scene: Scene,
    placement: TruthPlacement,
    instances: InstanceSet,
    gaussians: Gaussians,
    anchor_positions: Float[Tensor, "a 3"],
) -> dict[str, Any]:
    """Instance metrics over the points of the truth, `objects_true` and `per_object`; writes `eval/points.npz`.

    The points are looked up, and written, where they lie in the scene's world.
    """
    precision, overlap = ClassAgnosticPrecision(), BestOverlap()
    found = true_points(scene)
    if found is None or placement.T_scene_truth is None:
        run.eval_points.unlink(missing_ok=True)  # of an earlier evaluation, when the points could be labelled
        remark = {} if found is None else {"points_remark": placement.reason}
        return {**precision.compute(), **overlap.compute(), "objects_true": None, "per_object": [], **remark}
    true_positions, truth = found
    positions = torch.from_numpy(placement.place(true_positions.numpy()))
    children = instances.child_instance.reshape(-1).to(gaussians.means.device)
    anchors = instances.anchor_instance.to(children.device)
    placed, reach = positions.to(gaussians.means), ANCHOR_REACH * placement.scale
    labels = label_points(placed, gaussians, children, anchor_positions, anchors, reach=reach).cpu().numpy()
    semantic = _classes_of(labels, instances)
    prediction = PointLabels(labels, semantic)
    write_npz(
        run.eval_points,
        xyz=positions.numpy().astype(np.float32),
        instance=labels.astype(np.int32),
        semantic=semantic,
        instance_id=instances.instance_id.cpu().numpy().astype(np.int32),
        score=instances.score.detach().cpu().numpy().astype(np.float32),
    )
    precision.update(prediction, truth)
    overlap.update(prediction, truth)
    return {
        **precision.compute(),
        **overlap.compute(),
        "objects_true": len(np.unique(truth.instance[truth.instance > 0])),
        "per_object": _object_rows(prediction, truth, scene),
    }


def _object_rows(prediction: PointLabels, truth: PointLabels, scene: Scene) -> list[dict[str, Any]]:
    classes = {entry.id: entry for entry in true_classes(scene)}
    rows = []
    for row in object_table(prediction, truth):
        entry = classes.get(row.class_id)
        known = {"class_name": entry.name if entry else "unknown", "is_thing": entry.is_thing if entry else None}
        rows.append({**vars(row), **known})
    return rows


def _classes_of(labels: np.ndarray, instances: InstanceSet) -> np.ndarray:
    """The class of each point, int32, from the class of its instance."""
    ids = instances.instance_id.cpu().numpy()
    class_of = np.zeros(1 + max(ids.max(initial=0), labels.max(initial=0)), dtype=np.int32)
    class_of[ids] = instances.class_id.cpu().numpy()
    class_of[0] = 0
    return class_of[labels]


def _classes(folder: Path, name: str) -> np.ndarray:
    return read_counts(folder / "semantics" / f"{name}.png", "semantics", where=name).astype(np.int32)


def _unit(image: UInt8[Tensor, "h w 3"]) -> Float[Tensor, "h w 3"]:
    return image.float() / 255
