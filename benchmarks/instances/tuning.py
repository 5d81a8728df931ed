"""Which constants of a method serve best over all conditions of the masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def best_choices(method: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each choice of constants, best first: `method`, `choice`, `score` and the PQ and AP of each condition.

    The score is the mean over conditions and seeds of the mean of PQ and AP: PQ looks at images, AP at space.
    """
    choices: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        choices.setdefault(row["method"], []).append(row)
    result = []
    for choice, conditions in choices.items():
        found = {row["faults"]: {"pq": row["pq"]["mean"], "ap": row["ap"]["mean"]} for row in conditions}
        values = [value for figures in found.values() for value in figures.values() if value is not None]
        score = sum(values) / len(values) if values else 0.0
        result.append({"method": method, "choice": choice, "score": score, "conditions": found})
    return sorted(result, key=lambda row: -row["score"])


def tuning_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a table: the score, then PQ / AP of each condition."""
    conditions = list(rows[0]["conditions"]) if rows else []
    lines = ["| choice | score | " + " | ".join(conditions) + " |", "|---|---:|" + "---:|" * len(conditions)]
    for row in rows:
        shown = (f"{_digits(figures['pq'])} / {_digits(figures['ap'])}" for figures in row["conditions"].values())
        lines.append(f"| {row['choice']} | {row['score']:.3f} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
