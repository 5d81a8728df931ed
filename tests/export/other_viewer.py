"""A splat viewer that shares nothing with this package: plyfile, gsplat's published torch reference, and a plain loop.

Projection and harmonics are gsplat's (`gsplat.cuda._torch_impl`, which runs without CUDA); compositing follows its rules:
alpha at most 0.999, pairs under 1/255 skipped, a pixel stops before transmittance would fall to 1e-4.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from plyfile import PlyData


@dataclass(frozen=True)
class SplatFile:
    """What a viewer takes from a PLY."""

    means: torch.Tensor
    scales: torch.Tensor
    quaternions: torch.Tensor
    opacities: torch.Tensor
    coefficients: torch.Tensor  # [n, b, 3]


def read_splats(path: Path) -> SplatFile:
    """The properties by their published names, activated as published: exp of scales, sigmoid of opacities."""
    vertices = PlyData.read(str(path))["vertex"].data

    def columns(*names: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([np.asarray(vertices[name], np.float32) for name in names], axis=-1))

    rest = sum(name.startswith("f_rest_") for name in vertices.dtype.names)
    coefficients = columns("f_dc_0", "f_dc_1", "f_dc_2")[:, None]
    if rest:
        others = columns(*(f"f_rest_{i}" for i in range(rest))).reshape(len(vertices), 3, rest // 3)
        coefficients = torch.cat((coefficients, others.transpose(1, 2)), dim=1)
    return SplatFile(
        columns("x", "y", "z"),
        columns("scale_0", "scale_1", "scale_2").exp(),
        torch.nn.functional.normalize(columns("rot_0", "rot_1", "rot_2", "rot_3"), dim=1),
        torch.sigmoid(columns("opacity")[:, 0]),
        coefficients,
    )


def draw(splats: SplatFile, T_world_camera: np.ndarray, K: np.ndarray, width: int, height: int) -> np.ndarray:
    """The picture [height, width, 3] in 0..1 of an OpenCV camera, on black."""
    from gsplat.cuda._torch_impl import _fully_fused_projection, _quat_scale_to_covar_preci, _spherical_harmonics

    pose = torch.from_numpy(np.asarray(T_world_camera, np.float32))
    covariances, _ = _quat_scale_to_covar_preci(splats.quaternions, splats.scales, compute_preci=False)
    intrinsics = torch.from_numpy(np.asarray(K, np.float32))[None]
    radii, means, depths, conics, _ = _fully_fused_projection(
        splats.means, covariances, torch.linalg.inv(pose)[None], intrinsics, width, height
    )
    degree = int(splats.coefficients.shape[1] ** 0.5) - 1
    colours = (_spherical_harmonics(degree, splats.means - pose[:3, 3], splats.coefficients) + 0.5).clamp(min=0)
    order = torch.argsort(depths[0], stable=True)
    order = order[radii[0][order] > 0]
    columns = (means[0], conics[0], radii[0], splats.opacities, colours)
    image, left = np.zeros((height, width, 3)), np.ones((height, width))
    running = np.ones((height, width), bool)
    for mean, conic, radius, opacity, colour in zip(*(column[order].double().numpy() for column in columns), strict=True):
        _composite(image, left, running, mean, conic, float(radius), float(opacity), colour)
    return image.clip(0, 1)


def _composite(
    image: np.ndarray,
    left: np.ndarray,
    running: np.ndarray,
    mean: np.ndarray,
    conic: np.ndarray,
    radius: float,
    opacity: float,
    colour: np.ndarray,
) -> None:
    """Put one Gaussian behind what is there already."""
    reach = 1.2 * radius + 1  # an opaque Gaussian reaches 1/255 beyond three sigma
    x0, y0 = (max(0, int(value - reach)) for value in mean)
    x1, y1 = int(mean[0] + reach) + 2, int(mean[1] + reach) + 2
    box = (slice(y0, max(y1, 0)), slice(x0, max(x1, 0)))
    rows, columns = np.mgrid[
        box[0].start : min(box[0].stop, image.shape[0]), box[1].start : min(box[1].stop, image.shape[1])
    ]
    dx, dy = columns + 0.5 - mean[0], rows + 0.5 - mean[1]
    alpha = opacity * np.exp(-0.5 * (conic[0] * dx * dx + conic[2] * dy * dy) - conic[1] * dx * dy)
    alpha = np.minimum(alpha, 0.999) * running[box]
    alpha[alpha < 1 / 255] = 0
    after = left[box] * (1 - alpha)
    stops = (alpha > 0) & (after <= 1e-4)
    running[box] &= ~stops
    weight = np.where(stops, 0, alpha * left[box])
    image[box] += weight[..., None] * colour
    left[box] = np.where(stops, left[box], after)
