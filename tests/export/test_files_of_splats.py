"""Files of splats as other programs read them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from plyfile import PlyData

from s3d_splat.export.bake import BakedGaussians, bake
from s3d_splat.export.harmonics import CONSTANT
from s3d_splat.export.options import ExportOptions
from s3d_splat.export.ply import write_baked_ply
from s3d_splat.export.registry import exporter
from s3d_splat.export.splat_file import splat_rows
from s3d_splat.io.scene import frames_of
from s3d_splat.metrics.image import psnr
from tests.export.fabricated import BLUE, RED, silent, tiny_trained
from tests.export.other_viewer import draw, read_splats


def some(count: int, degree: int) -> BakedGaussians:
    generator = torch.Generator().manual_seed(degree)
    return BakedGaussians(
        torch.randn(count, 3, generator=generator),
        torch.randn(count, 3, generator=generator) - 3,
        torch.nn.functional.normalize(torch.randn(count, 4, generator=generator), dim=1),
        torch.rand(count, generator=generator) * 0.9 + 0.05,
        0.3 * torch.randn(count, (degree + 1) ** 2, 3, generator=generator),
    )


@pytest.mark.parametrize(("degree", "rest"), [(0, 0), (1, 9), (2, 24), (3, 45)])
def test_harmonics_stand_by_colour_as_3dgs_writes_them(degree: int, rest: int, tmp_path: Path):
    baked = some(7, degree)
    write_baked_ply(tmp_path / "a.ply", baked)
    vertices = PlyData.read(str(tmp_path / "a.ply"))["vertex"].data
    assert sum(name.startswith("f_rest_") for name in vertices.dtype.names) == rest
    assert {vertices.dtype[name] for name in vertices.dtype.names} == {np.dtype("f4")}
    for colour in range(3):
        for number in range(rest // 3):
            expected = baked.coefficients[:, 1 + number, colour].numpy()
            assert np.array_equal(vertices[f"f_rest_{colour * rest // 3 + number}"], expected)


def test_instances_are_a_property_of_whole_numbers_at_the_end(tmp_path: Path):
    write_baked_ply(tmp_path / "a.ply", some(3, 1), torch.tensor([0, 70_000, 2]))
    vertices = PlyData.read(str(tmp_path / "a.ply"))["vertex"].data
    assert vertices.dtype.names[-1] == "instance"
    assert vertices["instance"].tolist() == [0, 70_000, 2]


@pytest.mark.parametrize("degree", [1, 2])
def test_another_viewer_shows_what_the_run_shows(degree: int, tmp_path: Path):
    """Drawn by plyfile, gsplat's torch reference and a plain loop; the colours turn with the view by up to 0.15."""
    pytest.importorskip("gsplat.cuda._torch_impl")
    trained = tiny_trained()
    exporter("ply")(trained, tmp_path / "a.ply", ExportOptions(sh_degree=degree), silent)
    splats = read_splats(tmp_path / "a.ply")
    for frame in frames_of(trained.scene, "test"):
        camera = frame.camera
        K = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
        shown = draw(splats, camera.T_world_camera.numpy(), K, camera.width, camera.height)
        own = trained.rasterizer.render(trained.decode(camera), camera).colour.clamp(0, 1)
        assert psnr(torch.from_numpy(shown).float(), own) > 45


def test_the_figures_say_what_baking_costs(tmp_path: Path):
    """The more degrees, the less is lost; and the loss is the difference of the two PSNRs."""
    losses = []
    for degree in (0, 1, 2):
        found = exporter("ply")(tiny_trained(), tmp_path / "a.ply", ExportOptions(sh_degree=degree), silent)
        assert found["psnr_loss"] == pytest.approx(found["psnr"] - found["psnr_baked"])
        assert found["psnr_views"] == "test"
        losses.append(abs(found["psnr_loss"]))
    assert losses[0] > losses[1] > losses[2] - 1e-3


def test_without_test_frames_the_loss_is_that_of_train_views(tmp_path: Path):
    trained = tiny_trained()
    frames = tuple(replace(frame, split="train") for frame in trained.scene.frames)
    trained = replace(trained, scene=replace(trained.scene, frames=frames))
    assert exporter("ply")(trained, tmp_path / "a.ply", ExportOptions(), silent)["psnr_views"] == "train"


def test_instances_as_colours(tmp_path: Path):
    exporter("ply")(tiny_trained(), tmp_path / "a.ply", ExportOptions(colours="instances", instance_property=True), silent)
    vertices = PlyData.read(str(tmp_path / "a.ply"))["vertex"].data
    assert "f_rest_0" not in vertices.dtype.names
    colours = np.stack([vertices[f"f_dc_{i}"] for i in range(3)], axis=1)
    assert len(np.unique(colours, axis=0)) == 3
    for id in (1, 2, 3):
        assert len(np.unique(colours[vertices["instance"] == id], axis=0)) == 1


def test_only_the_chosen_objects(tmp_path: Path):
    options = ExportOptions(ids=(RED, BLUE), instance_property=True)
    found = exporter("ply")(tiny_trained(), tmp_path / "a.ply", options, silent)
    vertices = PlyData.read(str(tmp_path / "a.ply"))["vertex"].data
    assert set(vertices["instance"].tolist()) == {RED, BLUE}
    assert (found["objects"], found["gaussians"]) == (2, len(vertices))


def test_each_object_has_its_file_and_all_are_listed(tmp_path: Path):
    trained = tiny_trained()
    found = exporter("instances-ply")(trained, tmp_path / "out", ExportOptions(instance_property=True), silent)
    rows = json.loads((tmp_path / "out" / "instances.json").read_text())
    assert [row["file"] for row in rows] == ["wall_1.ply", "chair_2.ply", "chair_3.ply"]
    assert sorted(path.name for path in (tmp_path / "out").glob("*.ply")) == sorted(row["file"] for row in rows)
    assert rows[1]["class_name"] == "chair"
    for row in rows:
        vertices = PlyData.read(str(tmp_path / "out" / row["file"]))["vertex"].data
        assert len(vertices) == row["gaussians"]
        assert set(vertices["instance"].tolist()) == {row["id"]}
        means = np.stack([vertices[axis] for axis in "xyz"], axis=1)
        assert np.allclose([means.min(axis=0), means.max(axis=0)], row["aabb"])
    assert sum(row["gaussians"] for row in rows) + found["unowned"] == found["gaussians"]


def test_a_splat_file_has_32_bytes_a_gaussian():
    """As antimatter15/splat reads it: place and scales as floats, colour and opacity, quaternion (w first) as bytes."""
    baked = BakedGaussians(
        torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        torch.tensor([[0.1, 0.2, 0.3], [1.0, 1.0, 1.0]]).log(),
        torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0]]),
        torch.tensor([0.5, 1.0]),
        torch.tensor([[[0.0, 0.5, -0.5]], [[9.0, -9.0, 0.1]]]) / CONSTANT,
    )
    rows = splat_rows(baked)
    assert (rows.itemsize, len(rows.tobytes())) == (32, 64)
    assert rows["position"].tolist() == [[4, 5, 6], [1, 2, 3]]  # the larger one first
    assert rows["scale"][1].tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert rows["rgba"].tolist() == [[255, 0, 153, 255], [128, 255, 0, 128]]
    assert rows["rotation"].tolist() == [[128, 128, 0, 128], [255, 128, 128, 128]]


@pytest.mark.parametrize("degree", [0, 2])
def test_spz_is_read_again_by_its_library(degree: int, tmp_path: Path):
    spz = pytest.importorskip("gsply.spz")
    trained = tiny_trained()
    found = exporter("spz")(trained, tmp_path / "a.spz", ExportOptions(sh_degree=degree), silent)
    threads = torch.get_num_threads()
    read = spz.read_spz(tmp_path / "a.spz")
    torch.set_num_threads(threads)  # numba's parallel loops change the number for torch, too
    train = [frame.camera for frame in frames_of(trained.scene, "train")]
    baked = bake(trained, train, degree, silent)
    assert len(read.means) == found["gaussians"] == len(baked.means)
    assert np.abs(read.means - baked.means.numpy()).max() <= found["position_step"]
    assert np.abs(read.scales - baked.log_scales.numpy()).max() <= 1 / 16
    assert np.abs(read.sh0 - baked.coefficients[:, 0].numpy()).max() <= 1 / (0.15 * 255)
    others = read.shN if read.shN is not None else np.zeros((len(read.means), 0, 3))
    assert others.shape[1] == (degree + 1) ** 2 - 1
    if degree:
        assert np.abs(others - baked.coefficients[:, 1:].numpy()).max() <= 1 / 64


def test_the_files_open_in_viser_and_open3d(tmp_path: Path):
    """viser's example loader takes these properties from plyfile; its server then checks shapes and factors covariances."""
    viser = pytest.importorskip("viser")
    exporter("ply")(tiny_trained(), tmp_path / "a.ply", ExportOptions(), silent)
    splats = read_splats(tmp_path / "a.ply")
    axes = viser.transforms.SO3(splats.quaternions.numpy()).as_matrix() * splats.scales.numpy()[:, None]
    server = viser.ViserServer(host="127.0.0.1", port=0, verbose=False)
    add = getattr(server.scene, "add_gaussian_splats", None) or server.scene._add_gaussian_splats
    try:
        handle = add(
            "/splats",
            centers=splats.means.numpy(),
            covariances=axes @ axes.transpose(0, 2, 1),
            rgbs=(0.5 + CONSTANT * splats.coefficients[:, 0]).numpy(),
            opacities=splats.opacities.numpy()[:, None],
        )
        assert handle is not None
    finally:
        server.stop()
    open3d = pytest.importorskip("open3d")
    assert len(open3d.io.read_point_cloud(str(tmp_path / "a.ply")).points) == len(splats.means)
