"""What commands show on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

Advance = Callable[[int, int], None]


@contextmanager
def progress(description: str) -> Iterator[Advance]:
    """A progress bar on standard error where that is a terminal; call the result with (done, total)."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def metrics_table(metrics: Mapping[str, Any]) -> None:
    """Print the numbers among `metrics`, one a line; None reads "not measured"."""
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in metrics.items():
        if value is None or isinstance(value, int | float | str):
            table.add_row(name, _shown(value))
    Console().print(table)


def rows_table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a table with a column for every name among them; None reads "-"."""
    from rich.console import Console
    from rich.table import Table

    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in names:
        is_text = any(isinstance(row.get(name), str) for row in rows)
        table.add_column(name, justify="left" if is_text else "right", overflow="fold")
    for row in rows:
        table.add_row(*("-" if row.get(name) is None else _shown(row[name]) for name in names))
    Console().print(table)


def _shown(value: float | int | str | None) -> str:
    if value is None:
        return "not measured"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
