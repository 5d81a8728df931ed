"""Reading a run folder into plain values. Nothing here is needed: what is missing or damaged becomes a remark.

The files belong to the user's run folder and may be old, cut short or written by hand, so every field is checked for its
type where it is read; a value of another type counts as absent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from s3d_splat.errors import S3DError
from s3d_splat.io.results import read_instances
from s3d_splat.io.run_folder import RunFolder, RunInfo
from s3d_splat.types import Scene

LogEntry = Mapping[str, Any]


@dataclass(frozen=True)
class ViewScore:
    """The scores of one test view; None = not measured."""

    name: str  # `frame_name` of its frame
    psnr: float | None
    ssim: float | None
    pq: float | None


@dataclass(frozen=True)
class TrueObject:
    """What became of one true object (`per_object` of metrics.json)."""

    id: int
    name: str | None
    class_name: str
    is_thing: bool | None
    points: int | None
    iou: float | None
    matched_id: int  # the prediction above IoU .5, 0 = missed
    best_id: int  # the prediction with the best IoU, 0 = none touches it


@dataclass(frozen=True)
class PredictedObject:
    """One object of `instances.npz` that owns Gaussians."""

    id: int
    class_name: str
    is_thing: bool
    score: float
    gaussians: int
    extent: tuple[float, float, float]  # metres


@dataclass(frozen=True)
class ClassScore:
    """One row of `per_class`."""

    name: str
    is_thing: bool | None
    values: Mapping[str, float | None]  # pq, sq, rq, matches, false_positives, misses


@dataclass(frozen=True)
class Findings:
    """Everything that a report says in words and numbers; empty where the run has nothing."""

    folder: RunFolder
    run: Mapping[str, Any]  # run.json
    metrics: Mapping[str, Any]
    views: tuple[ViewScore, ...]
    objects: tuple[TrueObject, ...]
    predictions: tuple[PredictedObject, ...]
    classes: tuple[ClassScore, ...]
    log: tuple[LogEntry, ...]
    remarks: tuple[str, ...]

    def metric(self, key: str) -> float | None:
        """A finite number of metrics.json, else None."""
        return number(self.metrics.get(key))

    @property
    def matches(self) -> dict[int, int]:
        """Predicted id of each true object, 0 where it was missed."""
        return {entry.id: entry.matched_id for entry in self.objects}

    @property
    def surplus(self) -> tuple[PredictedObject, ...]:
        """Predictions that match no true object; empty where the objects were not compared."""
        used = set(self.matches.values())
        return tuple(entry for entry in self.predictions if entry.id not in used) if self.objects else ()


def collect(run_folder: Path, scene: Scene) -> Findings:
    """Read what a run folder holds; see `Findings.remarks` for what it lacks."""
    remarks: list[str] = []
    run = _json_object(run_folder / "run.json", "how the run was made is not known", remarks)
    folder = RunFolder(run_folder, _run_info(run))
    metrics = _json_object(folder.metrics, "quality was not measured; `s3d-splat evaluate run` does that", remarks)
    return Findings(
        folder=folder,
        run=run,
        metrics=metrics,
        views=tuple(_view(row) for row in _rows(metrics.get("per_image")) if isinstance(row.get("name"), str)),
        objects=_objects(metrics, scene),
        predictions=_predictions(folder.instances, scene, remarks),
        classes=tuple(_class(row) for row in _rows(metrics.get("per_class"))),
        log=_log(folder.log, remarks),
        remarks=tuple(remarks),
    )


def number(value: object) -> float | None:
    """`value` as a float if it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _integer(value: object) -> int:
    found = number(value)
    return 0 if found is None else int(found)


def _run_info(run: Mapping[str, Any]) -> RunInfo:
    """What of run.json is usable; `open_run` would refuse the rest, but a report can do without it."""
    configuration, versions, command = run.get("configuration"), run.get("versions"), run.get("command")
    return RunInfo(
        format_version=_integer(run.get("format_version")),
        scene=str(run.get("scene", "")),
        scene_hash=str(run.get("scene_hash", "")),
        configuration=configuration if isinstance(configuration, dict) else {},
        versions=versions if isinstance(versions, dict) else {},
        command=[str(word) for word in command] if isinstance(command, list) else [str(command or "")],
        rasterizer=str(run.get("rasterizer", "")),
        device=str(run.get("device", "")),
    )


def _json_object(path: Path, missing: str, remarks: list[str]) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        remarks.append(f"{path.name} is not there: {missing}.")
        return {}
    except (OSError, ValueError, RecursionError) as error:
        remarks.append(f"{path.name} cannot be read ({error}): {missing}.")
        return {}
    return value if isinstance(value, dict) else {}


def _rows(value: object) -> list[dict[str, Any]]:
    """A table written as a list of rows, or as a dict of rows whose keys are names."""
    if isinstance(value, dict):
        value = [{"name": key, **row} for key, row in value.items() if isinstance(row, dict)]
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _view(row: Mapping[str, Any]) -> ViewScore:
    return ViewScore(row["name"], *(number(row.get(key)) for key in ("psnr", "ssim", "pq")))


def _class(row: Mapping[str, Any]) -> ClassScore:
    keys = ("pq", "sq", "rq", "matches", "false_positives", "misses")
    name = row.get("name", row.get("class_name", row.get("id", "?")))
    return ClassScore(str(name), _truth_value(row.get("is_thing")), {key: number(row.get(key)) for key in keys})


def _objects(metrics: Mapping[str, Any], scene: Scene) -> tuple[TrueObject, ...]:
    found = []
    for row in _rows(metrics.get("per_object")):
        points = number(row.get("points"))
        found.append(
            TrueObject(
                id=_integer(row.get("truth_id")),
                name=None,
                class_name=str(row.get("class_name", "unknown")),
                is_thing=_truth_value(row.get("is_thing")),
                points=None if points is None else int(points),
                iou=number(row.get("iou")),
                matched_id=_integer(row.get("matched_id")),
                best_id=_integer(row.get("best_id")),
            )
        )
    return tuple(sorted(_named(found, scene), key=lambda entry: (entry.iou is not None, entry.iou or 0.0, entry.id)))


def _named(objects: Sequence[TrueObject], scene: Scene) -> list[TrueObject]:
    """The objects with the names of the scene's table, if its ids are those of the truth.

    The masks may be numbered otherwise than the truth, which shows as an object of another class under some true id.
    """
    table = {entry.id: entry for entry in scene.instances}
    if any(entry.id not in table or table[entry.id].class_name != entry.class_name for entry in objects):
        return list(objects)
    return [replace(entry, name=table[entry.id].name) for entry in objects]


def _truth_value(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _predictions(path: Path, scene: Scene, remarks: list[str]) -> tuple[PredictedObject, ...]:
    names = {entry.id: entry.name for entry in scene.classes}
    try:
        found = read_instances(path)
    except S3DError as error:
        remarks.append(f"The predicted objects are not listed: {error.what}.")
        return ()
    extents = (found.aabb[:, 1] - found.aabb[:, 0]).tolist()
    return tuple(
        PredictedObject(
            id=int(found.instance_id[row]),
            class_name=names.get(int(found.class_id[row]), "unknown"),
            is_thing=bool(found.is_thing[row]),
            score=float(found.score[row]),
            gaussians=int(found.size[row]),
            extent=(extent[0], extent[1], extent[2]),
        )
        for row, extent in enumerate(extents)
        if found.size[row] > 0
    )


def _log(path: Path, remarks: list[str]) -> tuple[LogEntry, ...]:
    """The logged steps in order; a step that was repeated after a resume counts once, with its last values."""
    try:
        lines: Sequence[str] = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        remarks.append(f"{path.name} is not there: the training curves are not shown.")
        return ()
    entries: dict[int, LogEntry] = {}
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:  # the last line of a run that was killed
            continue
        if isinstance(entry, dict) and number(entry.get("step")) is not None:
            entries[_integer(entry["step"])] = entry
    return tuple(entries[step] for step in sorted(entries))
