"""`s3d-splat evaluate ...`: figures of a run, or of files in the formats of others, against truth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import FlagCreatePairsOff, arg
from tyro.extras import SubcommandApp

from s3d_splat.errors import S3DError

Json = Annotated[bool, FlagCreatePairsOff, arg(name="json", help="one JSON object on standard output, nothing else there")]
Details = Annotated[
    Path | None, arg(metavar="FILE.csv", help="write a row for every scene, class, object or image into this file")
]


def evaluate_run(run: Annotated[Path, arg(metavar="RUN")], /, details: Details = None, json_output: Json = False) -> None:
    """Everything that the scene's truth allows, into RUN/metrics.json and RUN/report.html.

    Args:
        run: A trained run folder.
    """
    from s3d_splat.pipeline import measure

    report(measure.evaluate(run), json_output, details)
    if not json_output:
        print(f"report: {run / 'report.html'}")


def evaluate_instances(
    pred: Path,
    truth: Path,
    protocol: Literal["scannet", "class-agnostic", "best-overlap"] = "class-agnostic",
    classes: str = "",
    details: Details = None,
    json_output: Json = False,
) -> None:
    """Per-point instances against truth: one file each, or two folders with one file a scene.

    Args:
        pred: The prediction: .npz, labelled .ply, or the .txt of the ScanNet benchmark with its mask files.
        truth: The truth: .npz, labelled .ply, or .txt with class * 1000 + instance a point.
        protocol: Whose rules count.
        classes: Class ids for `scannet`, with commas; the benchmark's 18 if left away.
    """
    from s3d_splat.evaluation.files import evaluate_instances_files

    ids, with_objects = _class_ids(classes), details is not None
    report(evaluate_instances_files(pred, truth, protocol, ids, with_objects=with_objects), json_output, details)


def evaluate_panoptic(
    pred: Path,
    truth: Path,
    protocol: Literal["coco", "scene"] = "scene",
    details: Details = None,
    json_output: Json = False,
) -> None:
    """Panoptic images against truth: two folders with instances/ and semantics/, or with one such folder a scene.

    Args:
        pred: The prediction's folder.
        truth: The truth's folder, with classes.json where things and stuff must be told apart.
        protocol: Whose rules count.
    """
    from s3d_splat.evaluation.image_files import evaluate_panoptic_files

    report(evaluate_panoptic_files(pred, truth, protocol, with_objects=details is not None), json_output, details)


def evaluate_tracks(pred: Path, truth: Path, details: Details = None, json_output: Json = False) -> None:
    """Whether objects keep their ids over a video: two folders with instances/, or with one such folder a video.

    Args:
        pred: The prediction's folder.
        truth: The truth's folder; instances.json, or classes.json with semantics/, says which ids are things.
    """
    from s3d_splat.evaluation.image_files import evaluate_tracks_files

    report(evaluate_tracks_files(pred, truth, with_objects=details is not None), json_output, details)


def evaluate_poses(pred: Path, truth: Path, details: Details = None, json_output: Json = False) -> None:
    """Camera poses against truth: two transforms.json, or two folders with one such file a sequence.

    Args:
        pred: The predicted poses; cameras that it lacks count as wrong.
        truth: The true poses, in the same camera axes.
    """
    from s3d_splat.evaluation.geometry_files import evaluate_poses_files

    report(evaluate_poses_files(pred, truth, with_objects=details is not None), json_output, details)


def evaluate_points(pred: Path, truth: Path, details: Details = None, json_output: Json = False) -> None:
    """Point clouds against truth, without alignment: two .ply, or two folders with one .ply a scene.

    Args:
        pred: The predicted points; normals are used if both sides have them, else those of both are estimated.
        truth: The true points.
    """
    from s3d_splat.evaluation.geometry_files import evaluate_points_files

    report(evaluate_points_files(pred, truth), json_output, details)


def evaluate_temporal(pred: Path, truth: Path, details: Details = None, json_output: Json = False) -> None:
    """Instances over several visits of a place: two folders with one .npz a visit, or with one such folder a place.

    Args:
        pred: The prediction's folder; an id is the same object in every visit.
        truth: The truth's folder, with the same names.
    """
    from s3d_splat.evaluation.files import evaluate_temporal_files

    report(evaluate_temporal_files(pred, truth, with_objects=details is not None), json_output, details)


def evaluate_text_query(
    pred: Path,
    truth: Path,
    text: Path | None = None,
    classes: Literal[19, 15, 10] = 19,
    details: Details = None,
    json_output: Json = False,
) -> None:
    """Text queries on ScanNet: every point takes the class name that its feature is most like.

    Args:
        pred: .npz with features (`feature`, `feature_index`) or scores (`class_id`, `class_score`); or a folder of them.
        truth: .npz, .txt or labelled .ply with NYU40 classes; or a folder of them.
        text: JSON with the embedding of every class name; needed for features.
        classes: How many class names are asked for.
    """
    from s3d_splat.evaluation.text_files import evaluate_text_files

    report(evaluate_text_files(pred, truth, classes, text), json_output, details)


def evaluate_images(
    pred: Path,
    truth: Path,
    masks: Path | None = None,
    lpips: Literal["alex", "vgg", "squeeze"] = "alex",
    details: Details = None,
    json_output: Json = False,
) -> None:
    """Rendered images against photographs of the same names, whole or inside masks: PSNR, SSIM, LPIPS.

    Args:
        pred: The folder of the rendered images.
        truth: The folder of the photographs.
        masks: A folder of grey PNGs; pixels that are not 0 count.
        lpips: The network of LPIPS; measured where its weights are in torch's cache, never downloaded.
    """
    from s3d_splat.evaluation.colour_files import evaluate_images_files

    report(evaluate_images_files(pred, truth, masks, lpips), json_output, details)


def evaluate_app() -> SubcommandApp:
    """All commands of `s3d-splat evaluate`."""
    app = SubcommandApp()
    for name, command in (
        ("run", evaluate_run),
        ("instances", evaluate_instances),
        ("panoptic", evaluate_panoptic),
        ("tracks", evaluate_tracks),
        ("poses", evaluate_poses),
        ("points", evaluate_points),
        ("temporal", evaluate_temporal),
        ("text-query", evaluate_text_query),
        ("images", evaluate_images),
    ):
        app.command(name=name)(command)
    return app


def report(metrics: Mapping[str, Any], as_json: bool, details: Path | None = None) -> None:
    """Metrics as one JSON object, or as tables for people; what stands behind them goes into the file `details`."""
    if details is not None:
        from s3d_splat.evaluation.details import write_details

        write_details(details, metrics)
    if as_json:
        print(json.dumps(metrics, allow_nan=False))
        return
    from s3d_splat.console import metrics_table, rows_table

    metrics_table(metrics)
    for title in ("per_scene", "per_class"):
        if len(metrics.get(title, ())) > 1:
            rows_table(title.replace("_", " "), metrics[title])
    if details is not None:
        print(f"details: {details}")


def _class_ids(text: str) -> tuple[int, ...] | None:
    try:
        return tuple(int(part) for part in text.split(",")) if text else None
    except ValueError as error:
        raise S3DError(
            f"--classes {text!r} is no list of class ids", why="class ids are whole numbers", fix="write --classes 3,4,5"
        ) from error
