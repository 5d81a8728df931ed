"""Chosen rows of several tables in one call."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from s3d_splat.native.library import array, call, floating, threads


def gather_rows(tables: Sequence[Float[Tensor, "a ..."]], index: Int[Tensor, " v"]) -> tuple[Float[Tensor, "v ..."], ...]:
    """`table[index]` of every table; tables of one number type and length, index int64.

    Raises:
        ValueError, TypeError: shapes, number types or memory layout that do not fit, or an index out of range.
    """
    rows = len(tables[0])
    chosen = tuple(table.new_empty(len(index), *table.shape[1:]) for table in tables)
    _move("s3d_gather", index, rows, tables, chosen)
    return chosen


def scatter_rows(
    parts: Sequence[Float[Tensor, "v ..."]], index: Int[Tensor, " v"], rows: int
) -> tuple[Float[Tensor, "a ..."], ...]:
    """The transpose of `gather_rows`: tables of `rows` rows, zero but for the sums of the parts that belong to a row.

    Raises:
        ValueError, TypeError: as `gather_rows`.
    """
    tables = tuple(part.new_empty(rows, *part.shape[1:]) for part in parts)
    _move("s3d_scatter", index, rows, parts, tables)
    return tables


def _move(name: str, index: Tensor, rows: int, sources: Sequence[Tensor], targets: Sequence[Tensor]) -> None:
    dtype, count, first = floating(sources[0].dtype), len(sources), len(sources[0])
    pointers = ctypes.c_void_p * count
    given = [array(t, f"table {i}", (first, *t.shape[1:]), dtype) for i, t in enumerate(sources)]
    taken = [ctypes.c_void_p(t.data_ptr()) for t in targets]
    widths = (ctypes.c_int64 * count)(*(math.prod(t.shape[1:]) for t in sources))
    chosen = array(index, "index", (first if name == "s3d_scatter" else len(index),), torch.int64)
    sizes = (ctypes.c_int64(len(index)), ctypes.c_int64(rows), count)
    call(name, dtype, chosen, *sizes, pointers(*given), widths, pointers(*taken), threads())
