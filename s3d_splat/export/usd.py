"""One USD file with a mesh for each object, through Pixar's usd-core."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from s3d_splat.console import Advance
from s3d_splat.errors import S3DError
from s3d_splat.export.base import TrainedScene
from s3d_splat.export.meshes import meshes_of, srgb_to_linear, y_up
from s3d_splat.export.options import ExportOptions
from s3d_splat.export.surface import Surface
from s3d_splat.io.atomic import replacing


def write(trained: TrainedScene, out: Path, options: ExportOptions, advance: Advance) -> dict[str, Any]:
    """The `Exporter` of `usd`: meshes `/world/chair_12`, and `/world/unowned`, in metres, as text where `out` ends in .usda.

    Raises:
        S3DError: usd-core is not installed.
    """
    try:
        from pxr import Usd, UsdGeom
    except ImportError as error:
        raise S3DError("usd needs the package usd-core", why=str(error), fix='pip install "s3d-splat[usd]"') from error
    meshes = meshes_of(trained, options, advance)
    turned = y_up(trained) if options.up == "y" else np.eye(4)
    parts = [(entry.name, surface) for entry, surface in meshes.objects]
    if not options.ids and len(meshes.rest.triangles):
        parts.append(("unowned", meshes.rest))
    with TemporaryDirectory() as folder:
        own = Path(folder) / ("scene.usda" if out.suffix == ".usda" else "scene.usdc")
        stage = Usd.Stage.CreateNew(str(own))
        UsdGeom.SetStageMetersPerUnit(stage, 1.0)
        UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y if options.up == "y" else UsdGeom.Tokens.z)
        stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/world").GetPrim())
        parts = [(f"_{name}" if name[0].isdigit() else name, surface) for name, surface in parts]  # as USD's names begin
        for name, surface in parts:
            _add(stage, f"/world/{name}", surface, turned)
        stage.GetRootLayer().Save()
        with replacing(out) as temporary:
            shutil.copyfile(own, temporary)
    return meshes.figures | {"prims": [name for name, _ in parts]}


def _add(stage: Any, path: str, surface: Surface, turned: np.ndarray) -> None:
    from pxr import UsdGeom, Vt

    mesh = UsdGeom.Mesh.Define(stage, path)
    points = (surface.vertices @ turned[:3, :3].T).astype(np.float32)
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(surface.triangles), 3, np.int32)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(surface.triangles.astype(np.int32).reshape(-1)))
    mesh.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack((points.min(axis=0), points.max(axis=0)))))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateDoubleSidedAttr(True)
    colour = mesh.CreateDisplayColorPrimvar(UsdGeom.Tokens.vertex)
    colour.Set(Vt.Vec3fArray.FromNumpy(srgb_to_linear(surface.colours).astype(np.float32)))
