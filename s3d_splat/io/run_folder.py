"""The run folder: what a training leaves behind, whichever door it came through."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from s3d_splat import __version__
from s3d_splat.errors import S3DError
from s3d_splat.io.atomic import unwritable, write_json
from s3d_splat.io.labels import read_json
from s3d_splat.io.scene import files_of
from s3d_splat.io.transforms import read_transforms
from s3d_splat.types import Split

FORMAT_VERSION = 1
_KINDS = {"scene": str, "scene_hash": str, "versions": dict, "command": list, "rasterizer": str, "device": str}
RenderKind = Literal["colour", "depth", "instances", "semantics", "panoptic"]


@dataclass(frozen=True)
class RunInfo:
    """`run.json`: where a run came from and how it was made."""

    format_version: int
    scene: str  # absolute path of the scene folder
    scene_hash: str  # `scene_hash` of that folder when the run began
    configuration: Mapping[str, Any]  # the whole configuration as plain values
    versions: Mapping[str, str]
    command: Sequence[str]
    rasterizer: str  # which one the training used
    device: str  # where it ran


@dataclass(frozen=True)
class RunFolder:
    """A run folder and the paths inside it."""

    root: Path
    info: RunInfo

    @property
    def checkpoints(self) -> Path:
        """Folder of `step-N.pt`."""
        return self.root / "checkpoints"

    @property
    def instances(self) -> Path:
        """The instance set."""
        return self.root / "instances.npz"

    @property
    def metrics(self) -> Path:
        """What evaluation measured."""
        return self.root / "metrics.json"

    @property
    def eval_points(self) -> Path:
        """The truth points with their predicted instance and class."""
        return self.root / "eval" / "points.npz"

    @property
    def report(self) -> Path:
        """The report, one file."""
        return self.root / "report.html"

    @property
    def log(self) -> Path:
        """The training log, one JSON object a line."""
        return self.root / "log.jsonl"

    def renders(self, split: Split, kind: RenderKind) -> Path:
        """Folder of the rendered images of one kind, one `NAME.png` a frame."""
        return self.root / "renders" / split / kind


def create_run(
    root: Path, scene: Path, configuration: Mapping[str, Any], command: Sequence[str], *, rasterizer: str, device: str
) -> RunFolder:
    """Make a run folder and its `run.json`.

    Args:
        configuration: every option of the run as plain values (dicts, lists, strings, numbers), enough to repeat it.
        command: the words of the command line.
        rasterizer: name of the rasterizer that will be used, and `device` where it runs; for the record.

    Raises:
        S3DError: the folder holds a run already or cannot be written.
    """
    check_unused(root)
    info = RunInfo(
        format_version=FORMAT_VERSION,
        scene=str(scene.absolute()),
        scene_hash=scene_hash(scene),
        configuration=configuration,
        versions=versions(),
        command=list(command),
        rasterizer=rasterizer,
        device=device,
    )
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(root, error) from error
    write_json(root / "run.json", dict(vars(info)))
    return RunFolder(root, info)


def check_unused(root: Path) -> None:
    """Check that a folder holds no run.

    Raises:
        S3DError: it does.
    """
    if (root / "run.json").exists():
        raise S3DError(
            f"{root} holds a run already",
            why="a run is never overwritten by accident",
            fix="resume it, name another folder, or remove this one",
        )


def open_run(root: Path) -> RunFolder:
    """Open the run folder that `create_run` made.

    Raises:
        S3DError: no run folder, a damaged `run.json`, or a format that this version does not know.
    """
    path = root / "run.json"
    value = read_json(path, why="it marks a run folder", fix="name a folder that `s3d-splat train` or `ns-train` wrote")
    keys = tuple(field.name for field in fields(RunInfo))
    if not isinstance(value, dict) or any(key not in value for key in keys):
        raise S3DError(f"{path} is no description of a run", why=f"it needs {', '.join(keys)}", fix="train again")
    if value["format_version"] != FORMAT_VERSION:
        raise S3DError(
            f"{path} has format version {value['format_version']}",
            why=f"s3d-splat {__version__} reads version {FORMAT_VERSION}",
            fix="use the version of s3d-splat that wrote it (named in run.json), or train again",
        )
    if not isinstance(value["configuration"], dict):
        raise S3DError(f"{path} has no configuration", why="nothing else says how to rebuild the model", fix="train again")
    for key, kind in _KINDS.items():
        if not isinstance(value[key], kind):
            raise S3DError(
                f"{path}: {key} is {str(value[key])[:80]!r}",
                why=f"it is written as {'text' if kind is str else 'a table' if kind is dict else 'a list of words'}",
                fix="correct the file, or train again",
            )
    return RunFolder(root, RunInfo(**{key: value[key] for key in keys}))


def scene_of(run: RunFolder) -> Path:
    """The scene folder that a run was trained on.

    Raises:
        S3DError: it is gone, or it has changed since.
    """
    scene = Path(run.info.scene)
    try:
        is_there = (scene / "transforms.json").is_file()
    except (OSError, ValueError):  # no name that a file could have
        is_there = False
    if not is_there:
        raise S3DError(
            f"{scene}, the scene of {run.root}, is not there",
            why="cameras, classes and truth are read from it",
            fix='move the scene back, or write its new place into "scene" of run.json',
        )
    if scene_hash(scene) != run.info.scene_hash:
        raise S3DError(
            f"{scene} has changed since {run.root} was trained on it",
            why="its cameras or labels may no longer belong to the run",
            fix="restore the scene, or train again in another run folder",
        )
    return scene


def scene_hash(scene: Path) -> str:
    """A cheap fingerprint of a scene folder: SHA-256 of transforms.json, and of the names and sizes of the files that it
    names, of the point cloud and of the two tables.

    Pixels are not read. Other files in the folder, `truth/` among them, do not count: they have no part in training.

    Raises:
        S3DError: transforms.json is missing or malformed.
    """
    transforms = read_transforms(scene)
    files = [path for frame in transforms.frames for path in files_of(frame).values()]
    digest = hashlib.sha256((scene / "transforms.json").read_bytes())
    for path in [*files, transforms.proxy_path, scene / "instances.json", scene / "classes.json"]:
        size = path.stat().st_size if path.is_file() else None
        digest.update(json.dumps([path.relative_to(scene).as_posix(), size]).encode())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """The versions that a result may depend on."""
    import numpy
    import torch

    return {
        "s3d_splat": __version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
