"""Rows of several columns of one table, differentiable."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.native.library import runs_native
from s3d_splat.native.rows import gather_rows, scatter_rows


def take_rows(columns: tuple[Float[Tensor, "a ..."], ...], index: Int[Tensor, " v"]) -> tuple[Float[Tensor, "v ..."], ...]:
    """`column[index]` of every column; one kernel for all of them, forwards and backwards, where there is one.

    Raises:
        ValueError: an index is out of range.
    """
    if runs_native(columns[0]):
        rows: tuple[Tensor, ...] = _TakeRows.apply(index, *columns)
        return rows
    return tuple(column.index_select(0, index) for column in columns)


class _TakeRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, index: Tensor, *columns: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(index)
        ctx.rows = len(columns[0])
        return gather_rows([column.contiguous() for column in columns], index)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        (index,) = ctx.saved_tensors
        given = [g.contiguous() for g in gradients if g is not None]
        tables = iter(scatter_rows(given, index, ctx.rows) if given else ())
        return None, *(None if g is None else next(tables) for g in gradients)
