"""Quaternions and matrices."""

import math

import pytest
import torch

from s3d_splat.geometry.rotations import quaternions_from_matrices, rotation_matrices


@pytest.mark.parametrize(
    ("quaternion", "image_of_x"),
    [
        ([1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
        ([math.cos(math.pi / 4), 0.0, 0.0, math.sin(math.pi / 4)], [0.0, 1.0, 0.0]),  # a quarter turn about z
        ([0.0, 0.0, 5.0, 0.0], [-1.0, 0.0, 0.0]),  # a half turn about y, not of length 1
    ],
)
def test_known_turns(quaternion: list[float], image_of_x: list[float]) -> None:
    matrix = rotation_matrices(torch.tensor(quaternion, dtype=torch.float64))
    assert matrix[:, 0].tolist() == pytest.approx(image_of_x, abs=1e-12)


def test_matrices_are_rotations_and_lead_back() -> None:
    generator = torch.Generator().manual_seed(0)
    quaternions = torch.randn(5, 40, 4, generator=generator, dtype=torch.float64)
    quaternions[0, :20, 0] = 0.0  # half turns, where w is no help
    matrices = rotation_matrices(quaternions)
    torch.testing.assert_close(matrices @ matrices.mT, torch.eye(3, dtype=torch.float64).expand(5, 40, 3, 3))
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(5, 40, dtype=torch.float64))
    back = quaternions_from_matrices(matrices)
    assert bool((back[..., 0] >= 0).all())
    torch.testing.assert_close(rotation_matrices(back), matrices)


def test_gradient() -> None:
    quaternions = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert torch.autograd.gradcheck(rotation_matrices, quaternions)
