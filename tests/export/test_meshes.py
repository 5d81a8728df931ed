"""Meshes with a part for each object, and a path for a camera, as other programs read them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from s3d_splat.errors import S3DError
from s3d_splat.export.meshes import srgb_to_linear, y_up
from s3d_splat.export.options import ExportOptions, FormatName
from s3d_splat.export.registry import FORMATS, exporter
from tests.export.fabricated import RED, silent, tiny_trained
from tests.scene_fixtures import SQUARES

VOXEL = 0.05


def exported(name: FormatName, out: Path, **options: Any) -> dict[str, Any]:
    if FORMATS[name].is_folder:
        out.mkdir()
    return exporter(name)(tiny_trained(), out, ExportOptions(**{"voxel": VOXEL, **options}), silent)


def loaded(path: Path) -> Any:
    import trimesh

    return trimesh.load_scene(path, file_type=path.suffix[1:])


def assert_square(vertices: np.ndarray, square: tuple[float, float, float, float]) -> None:
    """Upright squares lie where the scene was built; pixels of 0.1 m at their rims are left out or belong to the wall."""
    x, y, z, half = square
    assert np.abs(np.median(vertices[:, 2]) - z) < VOXEL
    low, high = np.percentile(vertices, 3, axis=0), np.percentile(vertices, 97, axis=0)
    assert np.abs(low[:2] - [x - half, y - half]).max() < 3 * VOXEL
    assert np.abs(high[:2] - [x + half, y + half]).max() < 3 * VOXEL


def test_glb_has_a_node_an_object_with_its_name_and_place(tmp_path: Path):
    found = exported("glb", tmp_path / "a.glb")
    scene = loaded(tmp_path / "a.glb")
    assert set(scene.graph.nodes_geometry) >= {"wall_1", "chair_2", "chair_3"}
    assert found["nodes"][:3] == ["wall_1", "chair_2", "chair_3"]
    for name, square in zip(("chair_2", "chair_3"), SQUARES, strict=True):
        transform, geometry = scene.graph[name]
        assert np.array_equal(transform, np.eye(4))
        assert_square(scene.geometry[geometry].vertices, square)
    wall = scene.geometry[scene.graph["wall_1"][1]]
    assert np.abs(wall.vertices[:, 2] - 3).mean() < VOXEL


def test_glb_colours_are_linear_and_need_no_light(tmp_path: Path):
    exported("glb", tmp_path / "a.glb")
    scene = loaded(tmp_path / "a.glb")
    colours = scene.geometry["chair_2"].visual.vertex_attributes["color"][:, :3] / 255
    rendered = np.array([[220, 30, 30]]) * 0.6 + 0.2 * 255  # and up to 0.15 for the view
    assert np.abs(np.median(colours, axis=0) - srgb_to_linear(rendered)).max() < 0.15
    data = (tmp_path / "a.glb").read_bytes()
    head = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    assert head["extensionsUsed"] == ["KHR_materials_unlit"]
    assert all("KHR_materials_unlit" in material["extensions"] for material in head["materials"])


def test_turned_so_that_y_points_up(tmp_path: Path):
    """The cameras' upward direction is -y of the scene: the nodes turn about it, shapes stay."""
    turned = y_up(tiny_trained())
    assert np.allclose(turned[:3, :3] @ [0, -1, 0], [0, 1, 0])
    assert np.linalg.det(turned) == pytest.approx(1)
    exported("glb", tmp_path / "a.glb", up="y")
    scene = loaded(tmp_path / "a.glb")
    transform, _ = scene.graph["chair_2"]
    assert np.allclose(transform, turned)


def test_only_the_chosen_object(tmp_path: Path):
    assert exported("glb", tmp_path / "a.glb", ids=(RED,))["nodes"] == ["chair_2"]
    exported("mesh", tmp_path / "mesh", ids=(RED,))
    files = sorted(str(path.relative_to(tmp_path / "mesh")) for path in (tmp_path / "mesh").rglob("*") if path.is_file())
    assert files == ["objects.json", "objects/chair_2.ply"]


@pytest.mark.parametrize("kind", ["ply", "obj"])
def test_meshes_as_files(kind: str, tmp_path: Path):
    import trimesh

    exported("mesh", tmp_path / "mesh", mesh_file=kind)
    rows = json.loads((tmp_path / "mesh" / "objects.json").read_text())
    assert [row["file"] for row in rows] == [f"objects/{name}.{kind}" for name in ("wall_1", "chair_2", "chair_3")]
    whole = trimesh.load_mesh(tmp_path / "mesh" / f"scene.{kind}", process=False)
    parts = [trimesh.load_mesh(tmp_path / "mesh" / row["file"], process=False) for row in rows]
    assert sum(len(part.faces) for part in parts) <= len(whole.faces)
    for row, part in zip(rows, parts, strict=True):
        assert np.allclose(part.bounds, row["mesh_aabb"], atol=1e-5)
        assert len(part.faces) == row["triangles"]
    assert_square(parts[1].vertices, SQUARES[0])
    red = np.median(parts[1].visual.vertex_colors[:, :3], axis=0) / 255
    assert red == pytest.approx([0.2 + 0.6 * 220 / 255, 0.2 + 0.6 * 30 / 255, 0.2 + 0.6 * 30 / 255], abs=0.15)


def test_a_grid_too_fine_is_refused_and_one_that_is_chosen_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("s3d_splat.export.meshes._MAX_BLOCKS", 100)
    with pytest.raises(S3DError, match=r"--voxel 0\.01 is too fine"):
        exported("glb", tmp_path / "a.glb", voxel=0.01)
    assert not (tmp_path / "a.glb").exists()
    assert exported("glb", tmp_path / "a.glb", voxel=None)["voxel"] > 0.01


def test_linear_light_of_8_bit_colours():
    assert srgb_to_linear(np.array([[0, 10, 255]])) == pytest.approx(np.array([[0, 10 / 255 / 12.92, 1]]))
    assert srgb_to_linear(np.array([[188, 188, 188]])) == pytest.approx(0.5, abs=0.005)


def test_usd_has_a_mesh_an_object(tmp_path: Path):
    usd = pytest.importorskip("pxr.Usd")
    exported("usd", tmp_path / "a.usda")
    stage = usd.Stage.Open(str(tmp_path / "a.usda"))
    chair = stage.GetPrimAtPath("/world/chair_2")
    assert chair.GetTypeName() == "Mesh"
    assert_square(np.array(chair.GetAttribute("points").Get()), SQUARES[0])


@pytest.mark.parametrize(("path", "cameras"), [("orbit", 7), ("train", 5)])
def test_a_camera_path_is_what_nerfstudio_renders(path: str, cameras: int, tmp_path: Path):
    nerfstudio = pytest.importorskip("nerfstudio.cameras.camera_paths")
    options = ExportOptions(path=path, frames=7) if path == "orbit" else ExportOptions(path=path)  # type: ignore[arg-type]
    found = exporter("camera-path")(tiny_trained(), tmp_path / "path.json", options, silent)
    read = nerfstudio.get_path_from_json(json.loads((tmp_path / "path.json").read_text()))
    assert len(read) == found["cameras"] == cameras
    assert found["seconds"] == pytest.approx(cameras / 24)
    train = [frame.camera for frame in tiny_trained().scene.frames if frame.split == "train"]
    assert read.fx[0].item() == pytest.approx(train[0].fx, rel=1e-5)
    assert (int(read.cx[0]), int(read.cy[0])) == (16, 12)
    if path == "train":  # OpenGL axes: y up, z backwards
        expected = torch.stack([camera.T_world_camera for camera in train]) * torch.tensor([1.0, -1.0, -1.0, 1.0])
        assert torch.allclose(read.camera_to_worlds, expected[:, :3], atol=1e-6)
