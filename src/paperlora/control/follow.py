"""Watch a flow run in the terminal: one bar for each stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from paperlora.control import stack
from paperlora.control.api import PrefectApi, Run
from paperlora.errors import StackError
from paperlora.settings import Settings

STAGES = ("ingest", "distill", "train", "judge", "reflect")
POLL_SECONDS = 1.0


def bars(console: Console) -> Progress:
    """The look of every progress bar of the command line."""
    return Progress(TextColumn("{task.fields[name]:<8}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
                    TimeElapsedColumn(), TextColumn("{task.description}"), console=console)


@contextmanager
def started(settings: Settings, config: Path | None, console: Console) -> Iterator[stack.Stack]:
    """The stack that is up, or one for as long as this block lasts, with a bar while it starts."""
    with ExitStack() as life:
        with bars(console) as progress:
            row = progress.add_task("", name="prefect", total=4)

            def show(label: str, done: int, total: int) -> None:
                progress.update(row, completed=done, total=total, description=label)

            running = life.enter_context(stack.running(settings, config, show))
            progress.update(row, completed=4, description="prefect is up")
        yield running


def follow(api: PrefectApi, run: Run, console: Console) -> Run:
    """Show how far a run and its children are until it ends.

    Returns:
        The run in its final state.

    Raises:
        StackError: it ended in any state but Completed; the message names the stage and the cause.
    """
    with bars(console) as progress:
        rows: dict[str, TaskID] = {}
        told: dict[str, str] = {}
        while True:
            run = api.run(run.id)
            children = api.children(run)
            if children and run.id in rows:
                progress.remove_task(rows.pop(run.id))  # its children tell more than it does
            for child in children or [run]:
                _show(api, child, progress, rows)
                if not console.is_terminal:
                    _tell(api, child, told, console)
            if run.final:
                break
            time.sleep(POLL_SECONDS)
    if run.state != "COMPLETED":
        failed = next((c for c in api.children(run) if c.state in ("FAILED", "CRASHED", "CANCELLED")), run)
        raise StackError(
            f"{api.flow_name(failed)} ended as {failed.state_name}: {api.last_error(failed)}",
            f"When the cause is mended: paperlora rerun {run.id[:8]}",
        )
    return run


def _tell(api: PrefectApi, run: Run, told: dict[str, str], console: Console) -> None:
    """A log or a pipe shows no moving bars: one line for every change of state instead."""
    if told.get(run.id) != run.state_name:
        told[run.id] = run.state_name
        console.print(f"{time.strftime('%H:%M:%S')} {api.flow_name(run)}: {run.state_name.lower()}", highlight=False)


def _show(api: PrefectApi, run: Run, progress: Progress, rows: dict[str, TaskID]) -> None:
    if run.id not in rows:
        rows[run.id] = progress.add_task("waiting", name=api.flow_name(run), total=100)
    row = rows[run.id]
    step = api.step(run)
    label = run.state_name if run.final or step is None else step.label
    # A stage counts several things one after another: at 100 of the first one its clock would stop.
    done = 100.0 if run.state == "COMPLETED" else min(step.percent, 99.0) if step else 0.0
    progress.update(row, completed=done, description=label.lower())
