"""One glTF file with a node for each object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from s3d_splat.console import Advance
from s3d_splat.export.base import TrainedScene
from s3d_splat.export.meshes import meshes_of, srgb_to_linear, y_up
from s3d_splat.export.options import ExportOptions
from s3d_splat.export.surface import Surface
from s3d_splat.io.atomic import replacing

_UNLIT = "KHR_materials_unlit"  # the light of the room is in the colours already


def write(trained: TrainedScene, out: Path, options: ExportOptions, advance: Advance) -> dict[str, Any]:
    """The `Exporter` of `glb`: nodes `chair_12`, and `unowned` for what belongs to no object, below `world`.

    Coordinates are those of the scene, in metres, unless `--up y` turns them. Colours are linear, as glTF has them.
    """
    import trimesh

    meshes = meshes_of(trained, options, advance)
    scene = trimesh.Scene()
    turned = y_up(trained) if options.up == "y" else np.eye(4)
    parts = [(entry.name, surface) for entry, surface in meshes.objects]
    if not options.ids and len(meshes.rest.triangles):
        parts.append(("unowned", meshes.rest))
    for name, surface in parts:
        scene.add_geometry(_mesh(surface), node_name=name, geom_name=name, transform=turned)
    data = trimesh.exchange.gltf.export_glb(scene, include_normals=True, tree_postprocessor=_without_light)
    with replacing(out) as temporary:
        temporary.write_bytes(data)
    return meshes.figures | {"nodes": [name for name, _ in parts]}


def _mesh(surface: Surface) -> Any:
    import trimesh
    from trimesh.visual.material import PBRMaterial
    from trimesh.visual.texture import TextureVisuals

    colours = np.full((len(surface.vertices), 4), 255, np.uint8)
    colours[:, :3] = (srgb_to_linear(surface.colours) * 255).round()
    visual = TextureVisuals(material=PBRMaterial(metallicFactor=0.0, roughnessFactor=1.0, doubleSided=True))
    visual.vertex_attributes["color"] = colours
    return trimesh.Trimesh(surface.vertices, surface.triangles, visual=visual, process=False)


def _without_light(tree: dict[str, Any]) -> None:
    for material in tree.get("materials", ()):
        material.setdefault("extensions", {})[_UNLIT] = {}
    tree["extensionsUsed"] = sorted({*tree.get("extensionsUsed", ()), _UNLIT})
