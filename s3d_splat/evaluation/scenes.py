"""Which files of a prediction belong to which files of the truth: one scene, or several in two folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from s3d_splat.errors import S3DError


@dataclass(frozen=True)
class ScenePair:
    """The files or folders of one scene."""

    name: str
    prediction: Path
    truth: Path


def scene_files(prediction: Path, truth: Path, suffixes: Sequence[str]) -> list[ScenePair]:
    """Of one file each, or of two folders with one file a scene, matched by name without extension.

    Files of the prediction that the truth lacks, and files with other suffixes, are not looked at.

    Raises:
        S3DError: a path is missing or of another kind, no truth, a truth without its prediction, two files of one name.
    """
    check_paths(prediction, truth)
    if prediction.is_dir() != truth.is_dir():
        folder, file = (prediction, truth) if prediction.is_dir() else (truth, prediction)
        raise S3DError(
            f"{folder} is a folder, but {file} is a file",
            why="--pred and --truth are both a file (one scene) or both a folder (one file a scene)",
            fix="name two files or two folders",
        )
    if not truth.is_dir():
        return [ScenePair(truth.stem, prediction, truth)]
    kinds = ", ".join(suffixes[:-1]) + (" or " if len(suffixes) > 1 else "") + suffixes[-1]
    true, predicted = _by_name(truth, suffixes), _by_name(prediction, suffixes)
    if not true:
        raise S3DError(f"{truth} holds no {kinds} file", why="the truth has one file a scene", fix="name the right folder")
    _refuse_missing(prediction, [name for name in true if name not in predicted], len(true), kinds)
    return [
        ScenePair(name, predicted[name][0], paths[0]) for name, paths in sorted(true.items()) if _one(paths, predicted[name])
    ]


def scene_folders(prediction: Path, truth: Path, is_scene: Callable[[Path], bool]) -> list[ScenePair]:
    """Of two folders of one scene, or of two folders with one folder a scene, matched by name.

    Args:
        is_scene: whether a folder of the truth is one scene's.

    Raises:
        S3DError: a folder is missing, or a scene of the truth without its prediction.
    """
    check_paths(prediction, truth)
    for path in (prediction, truth):
        if not path.is_dir():
            raise S3DError(f"{path} is no folder", why="a scene is a folder here", fix="name the folder of the scene")
    scenes = sorted(path for path in truth.iterdir() if path.is_dir() and is_scene(path))
    if is_scene(truth) or not scenes:
        return [ScenePair(truth.resolve().name, prediction, truth)]
    _refuse_missing(
        prediction, [path.name for path in scenes if not (prediction / path.name).is_dir()], len(scenes), "folder"
    )
    return [ScenePair(path.name, prediction / path.name, path) for path in scenes]


def check_paths(*paths: Path) -> None:
    """Raises: S3DError: a path does not exist."""
    for path in paths:
        if not path.exists():
            raise S3DError(f"{path} does not exist", why="it is compared with the other", fix="check the path")


def _by_name(folder: Path, suffixes: Sequence[str]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in suffixes and path.is_file():
            found.setdefault(path.stem, []).append(path)
    return found


def _one(*candidates: Sequence[Path]) -> bool:
    for paths in candidates:
        if len(paths) > 1:
            raise S3DError(
                f"{paths[0]} and {paths[1].name} are one scene",
                why="scenes are matched by name without extension, and nobody says which of the two counts",
                fix="keep one of them in the folder",
            )
    return True


def _refuse_missing(folder: Path, missing: Sequence[str], scenes: int, kinds: str) -> None:
    if missing:
        name = f"{missing[0]}{kinds}" if kinds.startswith(".") else f"{kinds} {missing[0]}"
        raise S3DError(
            f"{folder} lacks {name} ({len(missing)} of {scenes} predictions are missing)",
            why="every scene of the truth counts, so a missing prediction must not go unseen",
            fix="add it (an empty prediction is valid), or take the scene out of the truth",
        )
