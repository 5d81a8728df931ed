"""Rows of a table from the figures of single runs: the mean over the seeds and how far they lie apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.instances.variants import Cell

COLUMNS = {
    "pq": "PQ",
    "pq_lost": "PQ lost",
    "pq_strict": "strict",
    "ap": "AP",
    "ap50": "AP50",
    "precision50": "prec. 50",
    "ratio": "predicted/true",
    "merged": "merged",
    "long_whole": "over 2 m whole",
    "small_found": "under 10 cm found",
    "psnr": "PSNR",
    "train_seconds": "train s",
    "aggregation_seconds": "objects s",
}
Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Summary:
    """One figure over the seeds that have it."""

    mean: float | None
    spread: float | None  # largest - smallest
    values: tuple[float | None, ...]  # in the order of the seeds


def summary(values: Sequence[float | None]) -> Summary:
    """Mean and spread of the values that are there."""
    known = [value for value in values if value is not None]
    if not known:
        return Summary(None, None, tuple(values))
    return Summary(sum(known) / len(known), max(known) - min(known), tuple(values))


def table_rows(cells: Sequence[Cell], figures: Mapping[str, Figures]) -> list[dict[str, Any]]:
    """One row for a method and its faults, in the order of the cells: `method`, `faults`, `seeds`, and a summary a column.

    `pq_lost` is the PQ of the same method without faults minus that with them, seed by seed; None where the table has no
    such row.
    """
    groups: dict[tuple[bool, str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.variant.kitchen, cell.variant.method, cell.variant.condition), []).append(cell)
    clean = {
        (cell.variant.kitchen, cell.variant.method, cell.seed): figures[cell.result]["pq"]
        for cell in cells
        if not cell.variant.faults
    }
    rows = []
    for (kitchen, method, condition), group in groups.items():
        runs = [_with_ratios(figures[cell.result]) for cell in group]
        for cell, run in zip(group, runs, strict=True):
            run["pq_lost"] = _lost(clean.get((kitchen, method, cell.seed)), run["pq"]) if cell.variant.faults else None
        row = {"method": method, "faults": condition, "seeds": [cell.seed for cell in group]}
        rows.append(row | {name: vars(summary([run[name] for run in runs])) for name in COLUMNS})
    return rows


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a table: means, and behind them in brackets the largest minus the smallest."""
    several = any(len(row["seeds"]) > 1 for row in rows)
    lines = ["| method | masks | " + " | ".join(COLUMNS.values()) + " |", "|---|---|" + "---:|" * len(COLUMNS)]
    for row in rows:
        shown = (_shown(name, row[name]["mean"], row[name]["spread"] if several else None) for name in COLUMNS)
        lines.append(f"| {row['method']} | {row['faults']} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def _with_ratios(run: Figures) -> dict[str, Any]:
    true = run["objects_true"]
    return dict(run) | {"ratio": run["objects_predicted"] / true if true else None}


def _lost(clean: float | None, value: float | None) -> float | None:
    return None if clean is None or value is None else clean - value


def _shown(name: str, mean: float | None, spread: float | None) -> str:
    if mean is None:
        return ""
    digits = 1 if name in ("psnr", "train_seconds", "aggregation_seconds") else 3
    text = f"{mean:.{digits}f}"
    return text if spread is None else f"{text} ({spread:.{digits}f})"
