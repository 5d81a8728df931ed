"""One object as a PLY that splat viewers open."""

from pathlib import Path

import numpy as np
import pytest
import torch
from plyfile import PlyData

from s3d_splat.export.ply import write_gaussian_ply
from s3d_splat.types import Gaussians


def test_columns_are_those_that_viewers_expect(tmp_path: Path) -> None:
    """Colour 1/2 + C0 f_dc, opacity through a sigmoid, scales as logarithms, quaternions of unit length, w first."""
    write_gaussian_ply(
        tmp_path / "one.ply",
        Gaussians(
            means=torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]),
            log_scales=torch.tensor([[-1.0, -2.0, -3.0], [0.0, 0.0, 0.0]]),
            quaternions=torch.tensor([[2.0, 0.0, 0.0, 0.0], [3.0, 0.0, 4.0, 0.0]]),
            opacities=torch.tensor([0.75, 1.0]),
            colours=torch.tensor([[0.5, 1.0, 0.0], [0.5, 0.5, 0.5]]),
        ),
    )
    vertices = PlyData.read(str(tmp_path / "one.ply"))["vertex"].data
    names = "x y z nx ny nz f_dc_0 f_dc_1 f_dc_2 opacity scale_0 scale_1 scale_2 rot_0 rot_1 rot_2 rot_3"
    assert vertices.dtype.names == tuple(names.split())
    first = [vertices[name][0] for name in names.split()]
    harmonic = 0.5 / 0.28209479177387814
    assert first[:6] == [1, 2, 3, 0, 0, 0]
    assert first[6:9] == pytest.approx([0, harmonic, -harmonic])
    assert first[9] == pytest.approx(np.log(3))
    assert first[10:] == pytest.approx([-1, -2, -3, 1, 0, 0, 0])
    assert [vertices[f"rot_{i}"][1] for i in range(4)] == pytest.approx([0.6, 0, 0.8, 0])
    assert np.isfinite(vertices["opacity"][1])


def test_nothing_is_an_empty_file_that_opens(tmp_path: Path) -> None:
    empty = torch.zeros(0, 3)
    write_gaussian_ply(tmp_path / "none.ply", Gaussians(empty, empty, torch.zeros(0, 4), torch.zeros(0), empty))
    assert len(PlyData.read(str(tmp_path / "none.ply"))["vertex"].data) == 0
