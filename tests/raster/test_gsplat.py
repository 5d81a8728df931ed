"""Our side of the gsplat rasterizer, on a stand-in for gsplat that packs like it and composites like the reference."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from s3d_splat.raster.gsplat import GsplatRasterizer
from s3d_splat.raster.reference import ReferenceRasterizer, project, rendering_weights
from s3d_splat.types import Camera, Gaussians
from tests.raster.scenes import leaves, looking_camera, random_gaussians, random_loss, tensors

CAMERA = looking_camera(32, 24, seed=3)
KNOWN = [
    "means",
    "quats",
    "scales",
    "opacities",
    "colors",
    "viewmats",
    "Ks",
    "width",
    "height",
    "near_plane",
    "far_plane",
    "radius_clip",
    "eps2d",
    "sh_degree",
    "packed",
    "tile_size",
    "backgrounds",
    "render_mode",
    "sparse_grad",
    "absgrad",
    "rasterize_mode",
    "channel_chunk",
    "distributed",
    "camera_model",
    "covars",
]


def stand_in(**given: Any) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    assert set(given) <= set(KNOWN)
    assert given["packed"]
    assert (given["eps2d"], given["near_plane"]) == (0.3, 0.01)
    intrinsics, width, height = given["Ks"][0], given["width"], given["height"]
    fx, fy, cx, cy = (float(intrinsics[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
    camera = Camera(torch.linalg.inv(given["viewmats"][0]), fx, fy, cx, cy, width, height)
    geometry = (given["means"], given["scales"].log(), given["quats"], given["opacities"])
    gaussians = Gaussians(*geometry, torch.zeros_like(given["means"]))
    means2d, conics, depths, radii = project(gaussians, camera)
    index = torch.nonzero(radii > 0)[:, 0]
    packed = means2d[index]
    order = torch.argsort(depths[index])
    values = given["colors"] if given["render_mode"] == "RGB" else torch.cat([given["colors"], depths[:, None]], dim=1)
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    pixels = torch.stack([x, y], dim=-1).reshape(-1, 2)
    weights = rendering_weights(packed[order], conics[index][order], gaussians.opacities[index][order], pixels)
    image, alpha = weights @ values[index][order], weights.sum(dim=1, keepdim=True)
    if given["render_mode"] == "RGB+ED":
        image = torch.cat([image[:, :-1], image[:, -1:] / alpha.clamp(min=1e-10)], dim=1)
    meta = {"gaussian_ids": index, "means2d": packed, "radii": radii[index].int()}
    return image.reshape(1, height, width, -1), alpha.reshape(1, height, width, 1), meta


@pytest.fixture
def rasterizer(monkeypatch: pytest.MonkeyPatch) -> GsplatRasterizer:
    monkeypatch.setitem(sys.modules, "gsplat", SimpleNamespace(rasterization=stand_in))
    return GsplatRasterizer(torch.device("cpu"))


@pytest.mark.parametrize(("features", "detached"), [(None, False), (4, False), (4, True)])
def test_view_and_gradients(rasterizer: GsplatRasterizer, features: int | None, detached: bool) -> None:
    gaussians = random_gaussians(80, CAMERA, features=features, seed=1)
    background = torch.tensor([0.3, 0.6, 0.1])
    results = []
    for renderer in (ReferenceRasterizer(), rasterizer):
        inputs = leaves(gaussians)
        view = renderer.render(inputs, CAMERA, background=background, detach_feature_geometry=detached)
        view.screen.means2d.retain_grad()
        random_loss(view).backward()
        results.append((view, inputs))
    (expected, expected_inputs), (view, inputs) = results
    torch.testing.assert_close(view.colour, expected.colour, atol=1e-5, rtol=0)
    torch.testing.assert_close(view.depth, expected.depth, atol=1e-4, rtol=0)
    torch.testing.assert_close(view.screen.radii, expected.screen.radii)
    for name, leaf in tensors(inputs).items():
        torch.testing.assert_close(leaf.grad, tensors(expected_inputs)[name].grad, atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(view.screen.means2d.grad, expected.screen.means2d.grad, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("count", [3, 70])
def test_votes_and_lifted_labels(rasterizer: GsplatRasterizer, count: int) -> None:
    gaussians = random_gaussians(200, CAMERA, seed=2)
    ids = torch.arange(200) % (count + 1) - 1
    winner, weight = rasterizer.vote(gaussians, CAMERA, ids)
    expected, expected_weight = ReferenceRasterizer().vote(gaussians, CAMERA, ids)
    torch.testing.assert_close(weight, expected_weight, atol=1e-5, rtol=0)
    assert (winner != expected).float().mean() < 0.01
    labels = torch.arange(24 * 32).reshape(24, 32) % (count + 1) - 1
    found, goal = rasterizer.lift(gaussians, CAMERA, labels), ReferenceRasterizer().lift(gaussians, CAMERA, labels)
    assert torch.equal(found.gaussian, goal.gaussian)
    assert torch.equal(found.label, goal.label)
    torch.testing.assert_close(found.weight, goal.weight, atol=1e-4, rtol=1e-4)
