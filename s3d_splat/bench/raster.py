"""The rasterizer part by part, and how near it comes to what the machine can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from s3d_splat.bench.clock import best_ms, matmul_gflops, peak_memory_mb
from s3d_splat.bench.options import RasterBench
from s3d_splat.bench.scenes import screen_scene
from s3d_splat.errors import S3DError
from s3d_splat.native.raster import Bins, Channels, project_backward
from s3d_splat.raster.base import Rasterizer
from s3d_splat.raster.cpu import project_gaussians, rasterize_2d, view_of
from s3d_splat.raster.options import RasterOptions
from s3d_splat.raster.registry import make_rasterizer
from s3d_splat.types import Camera, Gaussians

FORWARD_FLOPS = (24, 2)
"""Floating-point operations of a contributing pair: alpha and transmittance, and for every channel."""
BACKWARD_FLOPS = (50, 4)


@contextmanager
def using_threads(count: int) -> Iterator[int]:
    """Run with so many threads (0: leave it as it is); gives the number."""
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def measure_raster(options: RasterBench) -> dict[str, Any]:
    """Milliseconds, pairs and shares of the peak on the fixed scene.

    Raises:
        S3DError: a number that is not positive, or a rasterizer that cannot work here.
    """
    check(options)
    scene = screen_scene(options)
    with using_threads(options.threads) as threads:
        rasterizer = make_rasterizer(RasterOptions(options.backend))
        found: dict[str, Any] = {
            "width": options.width,
            "height": options.height,
            "gaussians": options.gaussians,
            "channels": options.channels,
            "backend": rasterizer.name,
            "device": str(rasterizer.device),
            "threads": threads,
            "matmul_gflops": matmul_gflops(options.repeats, rasterizer.device),
        }
        if rasterizer.name == "cpu":
            screen = (scene.means2d, scene.conics, scene.opacities, scene.values, scene.depths)
            found |= _screen_parts(*screen, scene.camera, options.repeats, found["matmul_gflops"])
            found |= _projection_parts(scene.gaussians, scene.camera, options.repeats)
        return found | measure_render(scene.gaussians, scene.camera, rasterizer, options.repeats)


def check(options: RasterBench) -> None:
    """Refuse what cannot be measured, before anything is made."""
    for name in ("width", "height", "gaussians", "channels", "repeats"):
        if getattr(options, name) < 1:
            raise S3DError(
                f"--{name} {getattr(options, name)} cannot be measured",
                why=f"{name} must be at least 1",
                fix=f"leave --{name} away, or give a larger number",
            )
    if options.threads < 0:
        raise S3DError(
            f"--threads {options.threads} cannot be used", why="0 means all cores", fix="give 0 or a positive number"
        )


def measure_gaussians(gaussians: Gaussians, camera: Camera, repeats: int, gflops: float) -> dict[str, Any]:
    """The CPU kernels' parts on Gaussians in space: colour, depth and features as in training."""
    means2d, conics, depths, _ = project_gaussians(gaussians, camera)
    columns = [gaussians.colours, depths[:, None]] + ([] if gaussians.features is None else [gaussians.features])
    values = torch.cat(columns, dim=1)
    parts = _screen_parts(means2d, conics, gaussians.opacities, values, depths, camera, repeats, gflops)
    return {"channels": values.shape[1]} | parts | _projection_parts(gaussians, camera, repeats)


def measure_render(gaussians: Gaussians, camera: Camera, rasterizer: Rasterizer, repeats: int) -> dict[str, float]:
    """A whole view (colour, depth, features) from Gaussians in space: forward alone, and with backward."""
    device = rasterizer.device
    placed = _columns(gaussians, lambda t: t.to(device))
    camera = replace(camera, T_world_camera=camera.T_world_camera.to(device))

    def forward_backward() -> None:
        leaves = _columns(placed, lambda t: t.detach().clone().requires_grad_())
        output = rasterizer.render(leaves, camera)
        terms = [output.colour.mean(), output.depth.mean(), output.alpha.mean()]
        torch.stack(terms + ([] if output.features is None else [output.features.mean()])).sum().backward()

    with torch.no_grad():
        forward = best_ms(lambda: rasterizer.render(placed, camera), repeats, device)
    both = best_ms(forward_backward, repeats, device)
    return {"render_ms": forward, "render_backward_ms": both, "peak_memory_mb": peak_memory_mb(device)}


def _columns(gaussians: Gaussians, change: Callable[[Tensor], Tensor]) -> Gaussians:
    columns = ((field.name, getattr(gaussians, field.name)) for field in fields(gaussians))
    changed: dict[str, Any] = {name: change(column) for name, column in columns if column is not None}
    return replace(gaussians, **changed)


def _screen_parts(
    means2d: Float[Tensor, "n 2"],
    conics: Float[Tensor, "n 3"],
    opacities: Float[Tensor, " n"],
    values: Float[Tensor, "n c"],
    depths: Float[Tensor, " n"],
    camera: Camera,
    repeats: int,
    gflops: float,
) -> dict[str, Any]:
    """Lists of tiles, forward and backward, apart and together (`raster_ms`)."""
    cpu = torch.device("cpu")
    size = (camera.width, camera.height)
    geometry = (means2d, conics, opacities, depths)
    bins = Bins(*geometry, *size)
    inputs = Channels(values, None, None)
    sort = best_ms(lambda: Bins(*geometry, *size), repeats, cpu)
    forward = best_ms(lambda: bins.render(inputs, None), repeats, cpu)
    memory = peak_memory_mb(cpu)
    images, alpha = bins.render(inputs, None)
    incoming = Channels(torch.rand_like(images.colours), None, None)  # type: ignore[arg-type]
    backward = best_ms(lambda: bins.gradients(inputs, images, alpha, incoming, None, False), repeats, cpu)

    def whole() -> None:
        means, shapes, opaque, shown = (t.detach().requires_grad_() for t in (*geometry[:3], values))
        image, _ = rasterize_2d(means, shapes, opaque, shown, depths, *size)
        image.backward(incoming.colours)

    contributing, walked = bins.workload()
    return {
        "raster_ms": best_ms(whole, repeats, cpu),
        "sort_ms": sort,
        "forward_ms": forward,
        "backward_ms": backward,
        "tile_intersections": bins.pairs,
        "contributing_pairs": contributing,
        "contributing_pairs_per_pixel": contributing / (size[0] * size[1]),
        "walked_lanes": walked,
        "pairs_per_second": contributing / (forward + backward) * 1e3,
        **_shares(contributing, walked, values.shape[1], forward, backward, gflops),
        "peak_memory_forward_mb": memory,
    }


def _shares(
    contributing: int, walked: int, channels: int, forward_ms: float, backward_ms: float, gflops: float
) -> dict[str, float]:
    """Parts of the matrix-product peak; over the lanes that were walked it counts those without effect too."""
    forward = FORWARD_FLOPS[0] + FORWARD_FLOPS[1] * channels
    backward = BACKWARD_FLOPS[0] + BACKWARD_FLOPS[1] * channels
    peak = gflops * 1e6  # operations a millisecond
    both = (forward + backward) / (forward_ms + backward_ms) / peak
    return {
        "peak_share_forward": contributing * forward / forward_ms / peak,
        "peak_share_backward": contributing * backward / backward_ms / peak,
        "peak_share": contributing * both,
        "peak_share_lanes": walked * both,
    }


def _projection_parts(gaussians: Gaussians, camera: Camera, repeats: int) -> dict[str, Any]:
    cpu = torch.device("cpu")
    means2d, conics, depths, radii = project_gaussians(gaussians, camera)
    shapes = (gaussians.means, gaussians.log_scales, gaussians.quaternions)
    incoming = (torch.rand_like(means2d), torch.rand_like(conics), torch.rand_like(depths))
    view = view_of(camera)
    return {
        "visible_gaussians": int((radii > 0).sum()),
        "project_ms": best_ms(lambda: project_gaussians(gaussians, camera), repeats, cpu),
        "project_backward_ms": best_ms(lambda: project_backward(*shapes, radii, view, incoming), repeats, cpu),
    }
