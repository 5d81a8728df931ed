"""How fast does the CPU rasterizer draw? Milliseconds of every part; a table on standard error, JSON on standard output.

The first scene is the one on which other CPU rasterizers were measured: 640 x 480 pixels, 100,000 Gaussians with means
uniform over the image, axes of exp(N(ln 3, 0.5)) px, random rotation, 0.3 px^2 added, opacity U(.05, .95), random depth. The
second is a training step's: 320 x 240, 50,000 Gaussians in a room, colour, depth and six features, projection included.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import tyro
from torch import Tensor

from s3d_splat.geometry.rotations import rotation_matrices
from s3d_splat.native.library import threads
from s3d_splat.native.raster import Bins, Channels
from s3d_splat.raster.cpu import CpuRasterizer, project_gaussians, rasterize_2d
from s3d_splat.training.ssim import ssim
from s3d_splat.types import Camera, Gaussians


@dataclass(frozen=True)
class Options:
    """What to measure."""

    width: int = 640
    height: int = 480
    gaussians: int = 100_000
    channels: tuple[int, ...] = (3, 12)
    repeats: int = 7


def best_ms(run: Callable[[], Any], repeats: int) -> float:
    """The shortest of some runs, milliseconds: others on the machine can only make it longer."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def peak_gflops(repeats: int) -> float:
    """float32 matrix product, GFLOP/s: the yardstick of this machine."""
    a, b = torch.rand(2048, 2048), torch.rand(2048, 2048)
    return 2 * 2048**3 / best_ms(lambda: a @ b, repeats) / 1e6


def screen_scene(options: Options, channels: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Means, conics, opacities, values and depths on the screen."""
    generator = torch.Generator().manual_seed(0)
    n = options.gaussians
    means = torch.rand(n, 2, generator=generator) * torch.tensor([options.width, options.height])
    variances = torch.exp(2 * (math.log(3) + 0.5 * torch.randn(n, 2, generator=generator)))
    angle = math.pi * torch.rand(n, generator=generator)
    cos, sin = torch.cos(angle), torch.sin(angle)
    a = cos**2 * variances[:, 0] + sin**2 * variances[:, 1] + 0.3
    b = cos * sin * (variances[:, 0] - variances[:, 1])
    c = sin**2 * variances[:, 0] + cos**2 * variances[:, 1] + 0.3
    determinant = a * c - b * b
    conics = torch.stack([c / determinant, -b / determinant, a / determinant], dim=-1)
    opacities = 0.05 + 0.9 * torch.rand(n, generator=generator)
    return means, conics, opacities, torch.rand(n, channels, generator=generator), torch.rand(n, generator=generator)


def measure_screen(options: Options, channels: int) -> dict[str, float]:
    """Binning, forward and backward of `rasterize_2d`, apart and together."""
    means, conics, opacities, values, depths = screen_scene(options, channels)
    size = (options.width, options.height)
    bins = Bins(means, conics, opacities, depths, *size)
    inputs = Channels(values, None, None)
    images, alpha = bins.render(inputs, None)
    incoming = Channels(torch.rand_like(images.colours), None, None)

    def whole() -> None:
        leaves = [t.clone().requires_grad_() for t in (means, conics, opacities, values)]
        image, _ = rasterize_2d(*leaves, depths, *size)
        image.backward(incoming.colours)

    return {
        "pairs_gaussian_tile": bins.pairs,
        "sort_ms": best_ms(lambda: Bins(means, conics, opacities, depths, *size), options.repeats),
        "forward_ms": best_ms(lambda: bins.render(inputs, None), options.repeats),
        "backward_ms": best_ms(lambda: bins.gradients(inputs, images, alpha, incoming, None, False), options.repeats),
        "whole_ms": best_ms(whole, options.repeats),
    }


def room(count: int) -> tuple[Gaussians, Camera]:
    """Gaussians on the surfaces of a room of 6 x 3 x 6 m, seen from a corner."""
    generator = torch.Generator().manual_seed(1)
    half = torch.tensor([3.0, 1.5, 3.0])
    means = (2 * torch.rand(count, 3, generator=generator) - 1) * half
    wall = torch.randint(3, (count,), generator=generator)
    means[torch.arange(count), wall] = half[wall] * (2.0 * torch.randint(2, (count,), generator=generator) - 1)
    gaussians = Gaussians(
        means,
        math.log(0.025) + 0.4 * torch.randn(count, 3, generator=generator),
        torch.randn(count, 4, generator=generator),
        0.1 + 0.85 * torch.rand(count, generator=generator),
        torch.rand(count, 3, generator=generator),
        torch.rand(count, 6, generator=generator),
    )
    pose = torch.eye(4)
    pose[:3, :3] = rotation_matrices(torch.tensor([math.cos(math.pi / 8), 0.0, math.sin(math.pi / 8), 0.0]))
    pose[:3, 3] = torch.tensor([-2.5, 0.0, -2.5])
    return gaussians, Camera(pose, 210.0, 210.0, 160.0, 120.0, 320, 240)


def measure_step(repeats: int) -> dict[str, float]:
    """The rasterizer's part of a training step: 50,000 Gaussians, colour, depth and six features at 320 x 240."""
    gaussians, camera = room(50_000)
    rasterizer = CpuRasterizer()
    target = torch.rand(240, 320, 3)

    def leaves() -> Gaussians:
        return Gaussians(*(t.clone().requires_grad_() for t in vars(gaussians).values()))

    def step() -> None:
        view = rasterizer.render(leaves(), camera)
        (view.colour.mean() + view.depth.mean() + view.features.square().mean()).backward()

    image = torch.rand(240, 320, 3, requires_grad=True)
    means2d, conics, depths, radii = project_gaussians(gaussians, camera)
    return {
        "visible": int((radii > 0).sum()),
        "pairs_gaussian_tile": Bins(means2d, conics, gaussians.opacities, depths, 320, 240).pairs,
        "project_ms": best_ms(lambda: project_gaussians(gaussians, camera), repeats),
        "sort_ms": best_ms(lambda: Bins(means2d, conics, gaussians.opacities, depths, 320, 240), repeats),
        "forward_ms": best_ms(lambda: rasterizer.render(gaussians, camera), repeats),
        "forward_backward_ms": best_ms(step, repeats),
        "ssim_ms": best_ms(lambda: ssim(image, target).backward(), repeats),
    }


def main(options: Options) -> None:
    """Measures and prints."""
    result = {
        "threads": threads(),
        "matmul_gflops": peak_gflops(options.repeats),
        "screen": {str(channels): measure_screen(options, channels) for channels in options.channels},
        "step": measure_step(options.repeats),
    }
    for name, values in [(f"{c} channels", v) for c, v in result["screen"].items()] + [("training step", result["step"])]:
        print(f"{name}: " + "  ".join(f"{key} {value:.2f}" for key, value in values.items()), file=sys.stderr)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main(tyro.cli(Options))
