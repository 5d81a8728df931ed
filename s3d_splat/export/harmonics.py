"""Real spherical harmonics as splat viewers evaluate them: colour = 1/2 + sum of coefficients times these."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

DEGREE_MAX = 3
CONSTANT = 0.5 / math.sqrt(math.pi)
"""The harmonic of degree 0."""


def harmonics(directions: Float[Tensor, "n 3"], degree: int) -> Float[Tensor, "n b"]:
    """The (degree + 1)^2 harmonics of unit vectors, in the order and with the signs of 3D Gaussian Splatting.

    That is by degree, and within one by order from -l to l, with the Condon-Shortley phase (Sloan, "Efficient spherical
    harmonic evaluation", JCGT 2013). Directions run from the camera to the Gaussian. Raises ValueError beyond degree 3.
    """
    if not 0 <= degree <= DEGREE_MAX:
        raise ValueError(f"degree {degree}: viewers know 0 to {DEGREE_MAX}")
    x, y, z = directions.unbind(-1)
    xx, yy, zz = x * x, y * y, z * z
    one, two = math.sqrt(3 / math.pi) / 2, math.sqrt(15 / math.pi) / 2
    values = [torch.full_like(x, CONSTANT)]
    if degree > 0:
        values += [-one * y, one * z, -one * x]
    if degree > 1:
        values += [two * x * y, -two * y * z, math.sqrt(5 / math.pi) / 4 * (2 * zz - xx - yy)]
        values += [-two * x * z, two / 2 * (xx - yy)]
    if degree > 2:
        outer, inner = math.sqrt(35 / (2 * math.pi)) / 4, math.sqrt(21 / (2 * math.pi)) / 4
        cross = math.sqrt(105 / math.pi) / 2
        values += [-outer * y * (3 * xx - yy), cross * x * y * z, -inner * y * (4 * zz - xx - yy)]
        values += [math.sqrt(7 / math.pi) / 4 * z * (2 * zz - 3 * xx - 3 * yy), -inner * x * (4 * zz - xx - yy)]
        values += [cross / 2 * z * (xx - yy), -outer * x * (xx - 3 * yy)]
    return torch.stack(values, dim=-1)


def colours_seen(
    coefficients: Float[Tensor, "n b 3"], means: Float[Tensor, "n 3"], centre: Float[Tensor, "3"]
) -> Float[Tensor, "n 3"]:
    """The colours that a viewer shows from a camera at `centre`: never below 0, and not held below 1."""
    degree = math.isqrt(coefficients.shape[1]) - 1
    directions = torch.nn.functional.normalize(means - centre, dim=-1)
    return (0.5 + torch.einsum("nb,nbc->nc", harmonics(directions, degree), coefficients)).clamp(min=0)
