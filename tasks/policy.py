"""What every task has in common: when it is tried again, and how it tells how far it is."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import Task, runtime
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.client.schemas.objects import State, TaskRun
from prefect.settings import get_current_settings

from paperlora.errors import PaperLoraError
from paperlora.llm.budget import Account
from paperlora.records import Reject
from paperlora.settings import PrefectSettings, Settings, load_settings
from paperlora.store import Store

LEAST_SECONDS_BETWEEN_UPDATES = 1.0


def is_transient(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Try again what may go better the next time; a wrong key or a broken file stays what it is."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, PaperLoraError) and error.transient


def retry_pauses(retries: int) -> list[float]:
    """Seconds before each retry, as Prefect's own setting has them: ``paperlora up`` fills it from ``prefect.retry_seconds``.

    Tasks are defined when their module is loaded, before any settings file is known, so they can't read that one.
    """
    given = get_current_settings().tasks.default_retry_delay_seconds or list(PrefectSettings().retry_seconds)
    pauses = [float(pause) for pause in given] if isinstance(given, list) else [float(given)]
    return [*pauses, *pauses[-1:] * retries][:retries]


RETRY: dict[str, Any] = {"retries": 2, "retry_delay_seconds": retry_pauses, "retry_condition_fn": is_transient}


class ProgressArtifact:
    """A :class:`paperlora.progress.Progress` that moves a bar in the UI, at most once a second."""

    def __init__(self, key: str) -> None:
        self._id: UUID | Any = create_progress_artifact(0.0, key=f"{key}-progress", description="starting")
        self._last = 0.0

    def __call__(self, label: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._last < LEAST_SECONDS_BETWEEN_UPDATES and done < total:
            return
        self._last = now
        update_progress_artifact(self._id, progress=100.0 * done / max(total, 1), description=f"{label}: {done} of {total}")


def open_stage(config: str | None) -> tuple[Settings, Store]:
    """Settings and store, read where the task runs: a worker has its own."""
    settings = load_settings(config)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    return settings, Store.at(settings.store_root)


def llm_account(stage: str) -> Account:
    """Who pays: all stages of one nightly run share a budget."""
    return Account(str(runtime.flow_run.root_flow_run_id or runtime.flow_run.id or ""), stage)


def work_folder(settings: Settings, stage: str) -> Path:
    """Where a stage keeps what lets it go on after a kill."""
    folder = settings.home.expanduser().resolve() / "work" / stage
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def show_reasons(stage: str, rejects: Sequence[Reject]) -> None:
    """A table in the UI: how many were dropped for each reason, with one case of each."""
    first = {reject.reason: reject for reject in reversed(rejects)}
    counts = Counter(reject.reason for reject in rejects)
    rows = [
        {"reason": reason, "count": count, "such as": f"{first[reason].item}: {first[reason].detail}"}
        for reason, count in counts.most_common()
    ]
    create_table_artifact(
        rows or [{"reason": "nothing", "count": 0, "such as": ""}], key=f"{stage}-reasons",
        description=f"{len(rejects)} rejects of {stage} by reason",
    )  # fmt: skip


def show_rejects(stage: str, rejects: tuple[Reject, ...]) -> None:
    """A table in the UI: what was dropped, and why."""
    rows = [{"item": r.item, "reason": r.reason, "detail": r.detail} for r in rejects]
    create_table_artifact(rows or [{"item": "nothing", "reason": "", "detail": ""}], key=f"{stage}-rejects",
                          description=f"{len(rejects)} rejects of {stage}")
