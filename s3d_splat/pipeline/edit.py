"""Objects of a trained run changed, into a new run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from s3d_splat.config import config_to_dict
from s3d_splat.console import progress
from s3d_splat.editing.apply import check_all
from s3d_splat.editing.history import History
from s3d_splat.editing.operations import Operation
from s3d_splat.editing.rows import without_empty_anchors
from s3d_splat.editing.store import EDITS, Edits, plain, read_edits, write_edits
from s3d_splat.editing.values import EditableScene, Surroundings
from s3d_splat.errors import S3DError
from s3d_splat.instances.options import InstanceOptions
from s3d_splat.io.checkpoints import checkpoint_path, latest_checkpoint, load_checkpoint, save_checkpoint
from s3d_splat.io.results import write_instances
from s3d_splat.io.run_folder import RunFolder, create_run
from s3d_splat.pipeline.runs import TrainedRun, instances_of, open_trained
from s3d_splat.scaffold.state import check_state


def open_editable(run_folder: Path) -> tuple[TrainedRun, EditableScene, Surroundings]:
    """A trained run, its scene as a value, and from where it is looked at.

    Raises:
        S3DError: no run, no checkpoint, no objects, or files that do not fit together.
    """
    run = open_trained(run_folder)
    instances = instances_of(run_folder, run.field.anchor_count, run.field.options.children)
    cameras = tuple(frame.camera for frame in run.scene.frames if frame.split == "train")
    return run, EditableScene(run.field, instances), Surroundings(cameras, run.rasterizer)


def edit(run_folder: Path, steps: Sequence[Operation], out: Path, command: str) -> list[dict[str, Any]]:
    """Do the steps one after the other and write the result as a new run; returns what each of them did, as plain values.

    Raises:
        S3DError: a step cannot be done or `out` is in use, before any work; see also `open_editable`.
    """
    check_free(out)
    run, scene, around = open_editable(run_folder)
    check_all(steps, scene.instances.instance_id.tolist())
    history, done = History(scene), []
    with progress("editing") as advance:
        for number, step in enumerate(steps, start=1):
            result = history.do(step, around)
            changed = {"changed": len(result.changed), "new_ids": list(result.moved_to)}
            done.append({**plain(step), "summary": result.summary, **changed})
            advance(number, len(steps))
    save_edited(run, history.present, history.steps, out, command)
    return done


def listed_objects(run_folder: Path) -> list[dict[str, Any]]:
    """Id, class, number of Gaussians, middle and extent (metres) of every object of a run."""
    run, scene, _ = open_editable(run_folder)
    names, table = {entry.id: entry.name for entry in run.scene.classes}, scene.instances
    columns = (table.instance_id, table.class_id, table.size, table.aabb.mean(1), table.aabb[:, 1] - table.aabb[:, 0])
    return [
        {"id": id, "class": names.get(kind, "-"), "gaussians": size, "position": middle, "extent": extent}
        for id, kind, size, middle, extent in zip(*(column.tolist() for column in columns), strict=True)
    ]


def save_edited(
    run: TrainedRun,
    scene: EditableScene,
    steps: Sequence[Operation],
    out: Path,
    command: str,
    thresholds: InstanceOptions | None = None,
) -> RunFolder:
    """Write an edited scene as a run of its own, with a list of all that was done since the training.

    Args:
        run: what the scene was opened from; its own edits come first in the list.
        steps: what was done to it now, in order.
        command: the words that go into run.json.
        thresholds: what the objects were found with, if not with those of the run.

    Raises:
        S3DError: `out` is in use, or cannot be written, or a number of the scene is out of all measure.
    """
    check_free(out)
    before = edits_of(run.folder.root)
    path = latest_checkpoint(run.folder.checkpoints)
    if path is None:
        raise S3DError(
            f"{run.folder.root} has lost its checkpoints",
            why="an edited run takes over what they say of the training",
            fix="put them back, then save again",
        )
    state = load_checkpoint(path)
    written = without_empty_anchors(scene)
    session = {"step": state["session"]["step"], "field": written.field.state_dict()}
    try:
        check_state(session["field"], run.config.scaffold)
    except ValueError as error:
        raise S3DError(
            f"the edited scene cannot be kept: {error}",
            why="no program could open it",
            fix="leave away what moves or scales objects out of all measure",
        ) from error
    configuration = run.folder.info.configuration
    if thresholds is not None:
        configuration = config_to_dict(replace(run.config, instances=thresholds))
    folder = create_run(
        out,
        run.scene.root,
        configuration,
        shlex.split(command),
        rasterizer=run.folder.info.rasterizer,
        device=run.folder.info.device,
    )
    if before.steps or steps:  # first of all: a run without it passes for one that was only trained
        write_edits(out / EDITS, replace(before, steps=(*before.steps, *steps)))
    save_checkpoint(checkpoint_path(folder.checkpoints, int(session["step"])), state | {"session": session})
    write_instances(folder.instances, written.instances)
    return folder


def edits_of(run_folder: Path) -> Edits:
    """What was done to a run since it was trained; a run that was not edited is its own source."""
    path = run_folder / EDITS
    return read_edits(path) if path.exists() else Edits(str(run_folder.absolute()), ())


def refuse_edited(run_folder: Path, what: str) -> None:
    """Raise S3DError for a run that was edited, of which its training images do not tell the truth.

    Args:
        what: what cannot be done to it, such as "train".
    """
    if (run_folder / EDITS).exists():
        source = edits_of(run_folder).source
        raise S3DError(
            f"{run_folder} was edited: it cannot be {what}",
            why="its training images show the scene before the edits",
            fix=f"do that to {source}, then: s3d-splat edit {source} --steps {run_folder / EDITS} --out NEW_RUN",
        )


def check_free(out: Path) -> None:
    """Raise S3DError if there is something in a folder that an edited run is to be written to."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise S3DError(
            f"{out} is in use", why="an edit is written as a new run", fix="name a folder that does not exist yet"
        )
