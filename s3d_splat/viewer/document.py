"""The scene that all browsers share: what was trained, what was edited since, and new versions of it as they come."""

from __future__ import annotations

import logging
import shlex
import threading
from collections.abc import Callable
from pathlib import Path

from s3d_splat.editing.history import History
from s3d_splat.editing.operations import Operation
from s3d_splat.editing.values import EditableScene, EditResult, Surroundings
from s3d_splat.errors import S3DError
from s3d_splat.instances.options import InstanceOptions
from s3d_splat.io.checkpoints import latest_checkpoint
from s3d_splat.pipeline.edit import refuse_edited, save_edited
from s3d_splat.pipeline.runs import instances_of, open_trained
from s3d_splat.types import Camera, InstanceSet
from s3d_splat.viewer.evidence import SceneEvidence
from s3d_splat.viewer.scene import ShownScene, no_instances, shown_scene

log = logging.getLogger("s3d_splat")

Listener = Callable[[], None]


class Document:
    """A run folder in the state that browsers show; safe to use from several threads."""

    scene: ShownScene
    evidence: SceneEvidence
    _history: History
    _thresholds: InstanceOptions | None  # what the objects were found with, if not with those of the run folder

    def __init__(self, run_folder: Path, pause: Callable[[], None] = lambda: None) -> None:
        """Open the run; `pause` is called again and again by what is not urgent, and returns when there is time for it.

        Raises:
            S3DError: there is no trained run.
        """
        self._lock = threading.RLock()
        self._listeners: list[Listener] = []
        self._pause = pause
        self.root = run_folder
        self._load()

    def on_change(self, listener: Listener) -> None:
        """Have a function called after every change, on the thread that made it."""
        with self._lock:
            self._listeners.append(listener)

    def forget(self, listener: Listener) -> None:
        """Call a function no longer."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    @property
    def training_cameras(self) -> tuple[Camera, ...]:
        """Where the scene was trained from."""
        return self._around.cameras

    @property
    def is_regrouped(self) -> bool:
        """Whether other thresholds than those of the run folder have made the objects."""
        return self._thresholds is not None

    @property
    def steps(self) -> list[Operation]:
        """What was done to the run since it was opened."""
        return self._history.steps

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is a step that was taken back."""
        return self._history.can_redo

    def do(self, operation: Operation) -> EditResult:
        """Edit the scene.

        Raises:
            S3DError: see `editing.apply`; or the objects are not those of the run folder, which the list of edits names.
        """
        with self._lock:
            if self.is_regrouped:
                raise S3DError(
                    "these objects are in no run yet",
                    why="edits are written down with the ids of a run",
                    fix="save them as a new run and open that, or go back to the run's own thresholds",
                )
            result = self._history.do(operation, self._around)
            self._show(result.scene)
        self._tell()
        return result

    def undo(self) -> None:
        """Take the last step back."""
        with self._lock:
            self._show(self._history.undo())
        self._tell()

    def redo(self) -> None:
        """Do again what was undone."""
        with self._lock:
            self._show(self._history.redo())
        self._tell()

    def regroup(self, options: InstanceOptions) -> InstanceSet:
        """Find the objects of the trained scene anew, with other thresholds.

        Raises:
            S3DError: the scene has been edited: edits name objects that would no longer exist, and the training images show
                the scene before.
        """
        refuse_edited(self.root, "aggregated")
        with self._lock:
            if self._history.steps:
                raise S3DError(
                    "the scene has been edited",
                    why="edits name objects, and other thresholds give other objects",
                    fix="undo the edits first, or save them as a new run and open the trained one again",
                )
            evidence, field = self.evidence, self.run.field
        instances = evidence.regrouped(options)
        with self._lock:
            if self.run.field is field and not self._history.steps:
                self._history = History(EditableScene(field, instances))
                self._thresholds = None if options == self.run.config.instances else options
                self._show(self._history.present)
        self._tell()
        return instances

    def save(self, name: str) -> Path:
        """Write the scene as it is now as a new run beside this one.

        Raises:
            S3DError: the name is no plain folder name, or is in use.
        """
        if not name or name in (".", "..") or any(sign in name for sign in "/\\\0:"):
            raise S3DError(f"{name!r} is no name for a run", why="it is written beside this one", fix="give a plain name")
        out = self.root.absolute().parent / name
        with self._lock:
            save_edited(
                self.run,
                self._history.present,
                self._history.steps,
                out,
                shlex.join(["s3d-splat", "view", str(self.root)]),
                self._thresholds,
            )
        return out

    def reload_if_new(self) -> bool:
        """Take over what a training has written since; True if there was something. Edits are never thrown away."""
        with self._lock:
            if self._history.steps or _marks(self.root) == self._seen:
                return False
            self._load()
        self._tell()
        return True

    def _load(self) -> None:
        marks = _marks(self.root)
        self.run = open_trained(self.root)
        field = self.run.field
        instances = self._instances() or no_instances(field)
        cameras = tuple(frame.camera for frame in self.run.scene.frames if frame.split == "train")
        self._around = Surroundings(cameras, self.run.rasterizer)
        self._history = History(EditableScene(field, instances))
        self.evidence = SceneEvidence(self.run, self._pause)
        self._thresholds = None
        self._show(self._history.present)
        self._seen = marks

    def _show(self, present: EditableScene) -> None:
        self.scene = shown_scene(self.run, present.field, present.instances)

    def _instances(self) -> InstanceSet | None:
        """The objects of the run; None where there are none yet, or only those of another step of the training."""
        try:
            return instances_of(self.root, self.run.field.anchor_count, self.run.field.options.children)
        except S3DError as error:
            log.info("no objects to show yet: %s", error.what)
            return None

    def _tell(self) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()


def _marks(root: Path) -> tuple[str, float]:
    """What changes when a training writes: the newest checkpoint and the time of the objects' file."""
    checkpoint = latest_checkpoint(root / "checkpoints")
    objects = root / "instances.npz"
    return checkpoint.name if checkpoint else "", objects.stat().st_mtime if objects.exists() else 0.0
