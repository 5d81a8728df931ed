"""Objects of a trained run changed, into a new run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from s3d_splat.editing.operations import Operation
from s3d_splat.editing.store import EDITS, Edits, read_edits, write_edits
from s3d_splat.editing.values import EditableScene, Surroundings
from s3d_splat.errors import S3DError
from s3d_splat.io.checkpoints import checkpoint_path, latest_checkpoint, load_checkpoint, save_checkpoint
from s3d_splat.io.results import write_instances
from s3d_splat.io.run_folder import RunFolder, create_run
from s3d_splat.pipeline.runs import TrainedRun, instances_of, open_trained


def open_editable(run_folder: Path) -> tuple[TrainedRun, EditableScene, Surroundings]:
    """A trained run, its scene as a value, and from where it is looked at.

    Raises:
        S3DError: no run, no checkpoint, no objects, or files that do not fit together.
    """
    run = open_trained(run_folder)
    instances = instances_of(run_folder, run.field.anchor_count)
    cameras = tuple(frame.camera for frame in run.scene.frames if frame.split == "train")
    return run, EditableScene(run.field, instances), Surroundings(cameras, run.rasterizer)


def save_edited(run: TrainedRun, scene: EditableScene, steps: Sequence[Operation], out: Path, command: str) -> RunFolder:
    """Write an edited scene as a run of its own, with a list of all that was done since the training.

    Args:
        run: what the scene was opened from; its own edits come first in the list.
        steps: what was done to it now, in order.
        command: the words that go into run.json.

    Raises:
        S3DError: `out` is in use, or cannot be written.
    """
    check_free(out)
    before = edits_of(run.folder.root)
    path = latest_checkpoint(run.folder.checkpoints)
    assert path is not None  # the run was opened from it
    state = load_checkpoint(path)
    session = {"step": state["session"]["step"], "field": scene.field.state_dict()}
    folder = create_run(
        out,
        run.scene.root,
        run.folder.info.configuration,
        shlex.split(command),
        rasterizer=run.folder.info.rasterizer,
        device=run.folder.info.device,
    )
    save_checkpoint(checkpoint_path(folder.checkpoints, int(session["step"])), state | {"session": session})
    write_instances(folder.instances, scene.instances)
    write_edits(out / EDITS, replace(before, steps=(*before.steps, *steps)))
    return folder


def edits_of(run_folder: Path) -> Edits:
    """What was done to a run since it was trained; a run that was not edited is its own source."""
    path = run_folder / EDITS
    return read_edits(path) if path.exists() else Edits(str(run_folder.absolute()), ())


def check_free(out: Path) -> None:
    """Raise S3DError if there is something in a folder that an edited run is to be written to."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise S3DError(
            f"{out} is in use", why="an edit is written as a new run", fix="name a folder that does not exist yet"
        )
