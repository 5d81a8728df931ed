"""Chosen rows and their transpose against indexing by torch."""

import pytest
import torch

from s3d_splat.native import library
from s3d_splat.native.rows import gather_rows, scatter_rows
from s3d_splat.native.visibility import spheres_inside
from s3d_splat.scaffold import rows as module
from s3d_splat.scaffold.rows import take_rows

pytestmark = pytest.mark.skipif(library.kernels() is None, reason="the kernels are not compiled")
INDEX = torch.tensor([3, 0, 3, 1])


def tables(dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.rand(shape, generator=generator, dtype=dtype) for shape in ((5, 3), (5,), (5, 2, 4), (5, 0)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("index", [INDEX, INDEX[:0]])
def test_rows_are_those_of_indexing_and_their_sums_come_back(dtype: torch.dtype, index: torch.Tensor) -> None:
    columns = tables(dtype)
    for column, chosen, back in zip(
        columns, parts := gather_rows(columns, index), scatter_rows(parts, index, 5), strict=True
    ):
        assert torch.equal(chosen, column[index])
        assert torch.equal(back, torch.zeros_like(column).index_add(0, index, chosen))


def test_gradient_of_rows_with_repeats_and_unused_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = tuple(column.requires_grad_() for column in tables(torch.float64)[:3])
    assert torch.autograd.gradcheck(lambda *c: take_rows(c, INDEX), columns)
    first = torch.autograd.grad(take_rows(columns, INDEX)[2].square().sum(), columns, allow_unused=True)
    monkeypatch.setattr(module, "runs_native", lambda _: False)
    second = torch.autograd.grad(take_rows(columns, INDEX)[2].square().sum(), columns, allow_unused=True)
    assert first[0] is None
    assert torch.equal(first[2], second[2])


@pytest.mark.parametrize("index", [[5], [-1], [0, 2**40]])
def test_rows_that_do_not_exist_are_refused(index: list[int]) -> None:
    with pytest.raises(ValueError, match="out of range"):
        gather_rows(tables(torch.float32), torch.tensor(index))
    with pytest.raises(ValueError, match="out of range"):
        scatter_rows([torch.zeros(len(index), 2)], torch.tensor(index), 5)


def test_tables_of_another_length_or_type_are_refused() -> None:
    with pytest.raises(ValueError, match=r"table 1 has shape \(4,\), expected \(5,\)"):
        gather_rows([torch.zeros(5, 2), torch.zeros(4)], INDEX)
    with pytest.raises(TypeError, match=r"table 1 is torch\.float64"):
        gather_rows([torch.zeros(5, 2), torch.zeros(5).double()], INDEX)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_sphere_is_inside_a_plane_by_less_than_its_radius(dtype: torch.dtype) -> None:
    # Radius |(0.3 * 2, 0, 0.8)| + 2 * exp(0) = 1 + 2; the plane x = 0, seen from -x, and four that never bind.
    offsets = torch.tensor([[[0.3, 0, 0.1], [-0.1, 0, -0.8]]], dtype=dtype).repeat(2, 1, 1)
    log_extent = torch.tensor([[2.0, 1, 1]], dtype=dtype).log().repeat(2, 1)
    log_scales = torch.tensor([[[-1.0, -2, -3], [0, -1, -4]]], dtype=dtype).repeat(2, 1, 1)
    positions = torch.tensor([[2.99, 0, 0], [3.01, 0, 0]], dtype=dtype)
    planes = torch.tensor([[1.0, 0, 0, 0]] + [[0.0, 0, 0, -1]] * 4, dtype=torch.float64)
    assert spheres_inside(positions, log_extent, offsets, log_scales, 2.0, planes).tolist() == [True, False]
