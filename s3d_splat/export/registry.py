"""The table of formats; a format's module loads when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path

from s3d_splat.errors import S3DError
from s3d_splat.export.base import Exporter
from s3d_splat.export.folder import written_by
from s3d_splat.export.options import ExportOptions, FormatName


@dataclass(frozen=True)
class Format:
    """Where a format is written and which choices it has."""

    module: str  # of this room; its function `write` is the `Exporter`
    takes: frozenset[str]  # fields of `ExportOptions`
    magic: tuple[bytes, ...] = ()  # what its file begins with, one of them; none: a folder
    only: tuple[str, ...] = ()  # patterns of the files of a folder that tell by themselves; none: a list of them is kept

    @property
    def is_folder(self) -> bool:
        """Whether it is written as a folder."""
        return not self.magic


_SPLATS = frozenset({"ids", "sh_degree", "colours", "views"})
_MESHES = frozenset({"ids", "voxel", "views"})
FORMATS: dict[FormatName, Format] = {
    "ply": Format("splat_ply", _SPLATS | {"instance_property"}, (b"ply",)),
    "instances-ply": Format("instance_plys", _SPLATS | {"instance_property"}),
    "splat": Format("splat_file", _SPLATS - {"sh_degree"}, (b"",)),
    "spz": Format("spz", _SPLATS, (b"\x1f\x8b",)),
    "mesh": Format("mesh_folder", _MESHES | {"mesh_file"}),
    "glb": Format("glb", _MESHES | {"up"}, (b"glTF",)),
    "usd": Format("usd", _MESHES | {"up"}, (b"PXR-USDC", b"#usda")),
    "coco-panoptic": Format("coco_panoptic", frozenset({"split", "truth"}), only=("panoptic.json", "panoptic/*.png")),
    "scannet": Format("scannet", frozenset({"points"})),
    "camera-path": Format("camera_path", frozenset({"path", "frames", "fps", "views"}), (b'{\n "camera_type"',)),
}


def exporter(name: FormatName) -> Exporter:
    """The function that writes a format."""
    writer: Exporter = import_module(f"s3d_splat.export.{FORMATS[name].module}").write
    return writer


def check_options(name: FormatName, options: ExportOptions) -> None:
    """Check the options before any long work.

    Raises:
        S3DError: one is out of range, or does not concern the format.
    """
    _check_ranges(options)
    changed = {field.name for field in fields(options) if getattr(options, field.name) != field.default}
    strange = sorted(changed - FORMATS[name].takes)
    if strange:
        takes = ", ".join(_flag(field) for field in sorted(FORMATS[name].takes)) or "none"
        raise S3DError(
            f"{_flag(strange[0])} says nothing to the format {name}",
            why=f"its options are: {takes}",
            fix="leave the option away, or choose another format",
        )


def check_target(name: FormatName, out: Path) -> None:
    """Check that `out` is free for a format, or holds an earlier export in the same format.

    Raises:
        S3DError: it is a folder where a file is written, a file where a folder is, or holds something else.
    """
    magic = FORMATS[name].magic
    if magic:
        if out.is_dir():
            raise S3DError(
                f"{out} is a folder", why=f"{name} is one file", fix=f"name a file, such as {out / 'scene'}.{name}"
            )
        if out.exists() and not _may_be_replaced(name, out):
            raise S3DError(
                f"{out} exists, and is no earlier export of the format {name}",
                why="it would be lost",
                fix="name another file, or remove this one",
            )
    elif out.exists() and not out.is_dir():
        raise S3DError(f"{out} is a file", why=f"{name} is a folder", fix="name a folder, new or empty")
    elif out.is_dir() and any(out.iterdir()) and not written_by(out, name, FORMATS[name].only):
        raise S3DError(
            f"{out} is not empty, and holds no export of the format {name} alone",
            why="an export takes the place of the folder as a whole, and would remove what is there",
            fix="name a new or empty folder",
        )


def _may_be_replaced(name: FormatName, out: Path) -> bool:
    """Whether a file begins like one of a format, and belongs to no scene."""
    if (out.parent / "transforms.json").exists() or (name == "splat" and out.suffix != ".splat"):
        return False
    with out.open("rb") as file:
        beginning = file.read(32)
    return any(beginning.startswith(magic) for magic in FORMATS[name].magic)


def _check_ranges(options: ExportOptions) -> None:
    wrong = {
        "--sh-degree": (not 0 <= options.sh_degree <= 3, "viewers know the degrees 0 to 3"),
        "--views": (options.views < 1, "colours and surfaces are those of some view"),
        "--voxel": (options.voxel is not None and not 0 < options.voxel < float("inf"), "it is a length"),
        "--frames": (options.frames < 1, "a path has a camera at least"),
        "--fps": (not 0 < options.fps < float("inf"), "a film shows images, one after another"),
    }
    for flag, (is_wrong, why) in wrong.items():
        if is_wrong:
            value = getattr(options, flag.removeprefix("--").replace("-", "_"))
            raise S3DError(f"{flag} {value} is out of range", why=why, fix=f"leave {flag} away, or give a sound value")


def _flag(field: str) -> str:
    return f"--{field.replace('_', '-')}"
