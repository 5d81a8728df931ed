"""Harmonics against the laws that define them, and against another program's."""

import pytest
import torch

from s3d_splat.export.harmonics import CONSTANT, colours_seen, harmonics


def sphere(count: int = 20_000) -> torch.Tensor:
    """Directions spread evenly over the sphere (a Fibonacci lattice)."""
    number = torch.arange(count, dtype=torch.float64) + 0.5
    z, turn = 1 - 2 * number / count, torch.pi * (1 + 5**0.5) * number
    radius = (1 - z * z).sqrt()
    return torch.stack((radius * turn.cos(), radius * turn.sin(), z), dim=1)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_they_are_orthonormal_over_the_sphere(degree: int):
    basis = harmonics(sphere(), degree)
    products = 4 * torch.pi * basis.T @ basis / len(basis)
    assert torch.allclose(products, torch.eye((degree + 1) ** 2, dtype=torch.float64), atol=1e-4)


def test_lower_degrees_come_first():
    directions = sphere(50)
    assert torch.equal(harmonics(directions, 3)[:, :9], harmonics(directions, 2))


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_order_and_signs_are_those_of_gsplat(degree: int):
    reference = pytest.importorskip("gsplat.cuda._torch_impl")
    directions = sphere(200)
    expected = reference._eval_sh_bases_fast((degree + 1) ** 2, directions)
    assert torch.allclose(harmonics(directions, degree), expected, atol=1e-7)


def test_beyond_degree_3_there_are_none():
    with pytest.raises(ValueError, match="degree 4"):
        harmonics(sphere(3), 4)


def test_a_colour_is_the_half_and_the_harmonics_and_not_negative():
    """One Gaussian above the camera (direction +z): degree 1 adds sqrt(3 / 4 pi) z times the second coefficient."""
    coefficients = torch.zeros(1, 4, 3, dtype=torch.float64)
    coefficients[0, 0] = torch.tensor([0.2, 0.0, -9.0]) / CONSTANT
    coefficients[0, 2] = torch.tensor([0.1, 0.3, 0.0]) / (3 / (4 * torch.pi)) ** 0.5
    centre = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    above = colours_seen(coefficients, centre[None] + torch.tensor([0.0, 0.0, 5.0]), centre)
    below = colours_seen(coefficients, centre[None] - torch.tensor([0.0, 0.0, 5.0]), centre)
    assert above[0].tolist() == pytest.approx([0.8, 0.8, 0.0])
    assert below[0].tolist() == pytest.approx([0.6, 0.2, 0.0])
