"""What a benchmark measured, for people and for programs."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table


class Row(NamedTuple):
    """One line of the table: something that was measured, and its figures by column."""

    what: str
    figures: dict[str, float | int | str]


class Result(NamedTuple):
    """A benchmark's table with what is needed to read it."""

    name: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    """What was held equal, what a ratio compares, what could not be measured and why."""
    packages: tuple[str, ...] = ()
    """Libraries whose versions matter here."""


def as_json(result: Result) -> dict[str, Any]:
    """The result with the machine it was measured on."""
    return {
        "benchmark": result.name, "machine": machine(), "versions": {name: _version(name) for name in result.packages},
        "rows": [{"what": row.what, **row.figures} for row in result.rows], "notes": list(result.notes),
    }  # fmt: skip


def print_result(result: Result, console: Console) -> None:
    """The table, the notes below it, the machine in its title."""
    if not console.is_terminal:
        # A file or a pipe has no width that a wide table would have to fit.
        console = Console(file=console.file, width=max(console.width, 140))
    columns = list(dict.fromkeys(name for row in result.rows for name in row.figures))
    table = Table("", title=f"{result.name} ({machine()})")
    for name in columns:
        table.add_column(name, justify="right")
    for row in result.rows:
        table.add_row(row.what, *(_shown(row.figures.get(name)) for name in columns))
    console.print(table)
    for note in (*result.notes, *(f"{name} {_version(name)}" for name in result.packages)):
        console.print(f"· {note}", highlight=False, markup=False)


def machine() -> str:
    """The machine in words: cores and processor."""
    return f"{len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()} cores, {_processor()}"


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed here"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 1000 else f"{value:,.0f}" if isinstance(value, float) else str(value)
