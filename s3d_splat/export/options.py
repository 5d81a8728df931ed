"""What can be chosen about an export; plain values, so that a command line can show them without loading torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FormatName = Literal[
    "ply",
    "instances-ply",
    "splat",
    "spz",
    "mesh",
    "glb",
    "usd",
    "coco-panoptic",
    "scannet",
    "camera-path",
]
Colours = Literal["photo", "instances"]
MeshFile = Literal["ply", "obj"]
PathName = Literal["orbit", "train"]


@dataclass(frozen=True)
class ExportOptions:
    """The choices of all formats; each format takes those that concern it."""

    sh_degree: int = 3  # of the spherical harmonics that colours are baked to, 0..3 (splats)
    colours: Colours = "photo"  # as rendered, or a colour for each instance (splats)
    instance_property: bool = False  # also the property `instance`, 0 = none; some viewers cannot read such a file (ply)
    ids: tuple[int, ...] = ()  # only these instances; without it all, and what belongs to none (splats, meshes)
    views: int = 200  # train views that colours and meshes are made from, evenly chosen, at most
    split: Literal["test", "train"] = "test"  # whose views are written (coco-panoptic)
    truth: bool = False  # what is true of these views, instead of what the run shows (coco-panoptic)
    points: Path | None = None  # a PLY whose points get labels; those of the truth or the point cloud unless given (scannet)
    voxel: float | None = None  # metres; edge of a mesh's grid; about one pixel of the views unless given (meshes)
    mesh_file: MeshFile = "ply"  # (mesh)
    up: Literal["world", "y"] = "world"  # axes as they are in the scene, or turned so that y points up (glb, usd)
    path: PathName = "orbit"  # cameras around what the capture looks at, or those of the train frames (camera-path)
    frames: int = 120  # of an orbit (camera-path)
    fps: float = 24.0  # (camera-path)
