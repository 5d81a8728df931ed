"""Coloured triangle meshes as files: the scene, and each object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from s3d_splat.console import Advance
from s3d_splat.export.base import TrainedScene
from s3d_splat.export.meshes import meshes_of
from s3d_splat.export.options import ExportOptions, MeshFile
from s3d_splat.export.surface import Surface
from s3d_splat.io.atomic import replacing, write_json


def write(trained: TrainedScene, out: Path, options: ExportOptions, advance: Advance) -> dict[str, Any]:
    """The `Exporter` of `mesh`: `scene.ply` (or .obj), `objects/NAME_ID.ply`, and `objects.json`, which lists them.

    With `--ids` there is no scene, only these objects. Colours are sRGB, at the vertices.
    """
    meshes = meshes_of(trained, options, advance)
    if not options.ids:
        _write(out / f"scene.{options.mesh_file}", meshes.scene, options.mesh_file)
    rows = []
    for entry, surface in meshes.objects:
        file = f"objects/{entry.name}.{options.mesh_file}"
        _write(out / file, surface, options.mesh_file)
        extent = [surface.vertices.min(axis=0).tolist(), surface.vertices.max(axis=0).tolist()]
        rows.append({"file": file, **entry.row(), "triangles": len(surface.triangles), "mesh_aabb": extent})
    write_json(out / "objects.json", rows)
    return meshes.figures


def _write(path: Path, surface: Surface, kind: MeshFile) -> None:
    import trimesh

    colours = np.concatenate((surface.colours, np.full((len(surface.colours), 1), 255, np.uint8)), axis=1)
    mesh = trimesh.Trimesh(surface.vertices, surface.triangles, vertex_colors=colours, process=False)
    with replacing(path) as temporary:
        mesh.export(temporary, file_type=kind)
