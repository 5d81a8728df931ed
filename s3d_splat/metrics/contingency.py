"""How many points two labellings of the same points share, for every pair of labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Contingency:
    """Points per pair of a row label and a column label. Labels ascend; label 0 ("none") is a label like any other."""

    row_labels: Int[np.ndarray, " r"]
    column_labels: Int[np.ndarray, " c"]
    counts: Int[np.ndarray, "r c"]  # int64


def contingency(rows: Int[np.ndarray, " n"], columns: Int[np.ndarray, " n"]) -> Contingency:
    """Cross-count two labellings of the same n points; negative labels count as 0."""
    row_labels, row_index = np.unique(np.maximum(rows, 0), return_inverse=True)
    column_labels, column_index = np.unique(np.maximum(columns, 0), return_inverse=True)
    flat = row_index.astype(np.int64) * len(column_labels) + column_index
    counts = np.bincount(flat, minlength=len(row_labels) * len(column_labels)).astype(np.int64)
    return Contingency(row_labels, column_labels, counts.reshape(len(row_labels), len(column_labels)))


def intersection_over_union(
    intersection: Int[np.ndarray, "r c"], row_size: Int[np.ndarray, " r"], column_size: Int[np.ndarray, " c"]
) -> Float[np.ndarray, "r c"]:
    """Intersection over union of every pair, 0 where both are empty."""
    union = row_size[:, None] + column_size[None, :] - intersection
    return intersection / np.maximum(union, 1)
