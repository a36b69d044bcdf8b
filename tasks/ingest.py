"""Topic → Paper → Document."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from prefect import Task, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import DEFAULT
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture

from paperlora.control import ingest as steps
from paperlora.control.ingest import Answers, Batch, Reading, Silence, Work
from paperlora.errors import PaperLoraError, SettingsError, SourceError, SourceResting
from paperlora.literature.discover import Discovered, Search, find
from paperlora.literature.ingest import read_each
from paperlora.literature.sources import Window
from paperlora.records import Paper, Reject
from tasks.policy import RETRY, ProgressArtifact, is_transient, open_stage
from tasks.stages import tell_run, this_run


def may_wake(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Try a source again, unless it is being left alone: then waiting here would only hold up the others."""
    error = state.result(raise_on_failure=False)
    return not isinstance(error, SourceResting) and is_transient(task, run, state)


SEARCH: dict[str, Any] = {**RETRY, "retry_condition_fn": may_wake, "cache_policy": DEFAULT, "persist_result": True}
"""A search that was answered is not repeated where the same flow run is tried again."""


@task(name="plan", cache_policy=DEFAULT, persist_result=True)
def plan(config: str | None, since: str | None, until: str | None, topic: str | None) -> tuple[Search, ...]:
    """Every search of this run, from where the last good run left it; a retry of the run keeps to the same plan."""
    return steps.searches(open_stage(config)[0], Window(_day(since), _day(until)), topic)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise SettingsError(f"{text!r} is no day.", "Write it as 2025-03-31.") from None


@task(name="search", task_run_name="search {search.label}", **SEARCH)
def search_source(search: Search, config: str | None) -> Discovered:
    """Ask one source one query; each page is in the store before the next one is asked for."""
    settings, store = open_stage(config)
    found = find(search, settings, store)
    if found.failed:
        get_run_logger().warning("%s stood in for %s: %s", found.search.source, search.source, found.failed)
    return found


def answers_of(searches: Sequence[Search], futures: Sequence[PrefectFuture[Discovered]]) -> Answers:
    """What every search brought; a source that failed doesn't stop the others.

    Raises:
        PaperLoraError: anything else than a source failed, such as a full disk.
    """
    results: list[Any] = [future.result(raise_on_failure=False) for future in futures]
    broken = next((r for r in results if isinstance(r, Exception) and not isinstance(r, SourceError)), None)
    if broken is not None:
        raise broken
    found = tuple(result for result in results if isinstance(result, Discovered))
    silent = tuple(Silence(s, r) for s, r in zip(searches, results, strict=True) if isinstance(r, PaperLoraError))
    _show_searches(Answers(found, silent))
    return Answers(found, silent)


def _show_searches(answers: Answers) -> None:
    rows = [
        {"source": one.search.source, "query": one.search.query, **one.counts, "stood in because": one.failed}
        for one in answers.found
    ]
    rows += [{"source": s.search.source, "query": s.search.query, "failed": str(s.error)} for s in answers.silent]
    description = f"{len(answers.found)} searches answered, {len(answers.silent)} failed"
    create_table_artifact(rows or [{"source": "none"}], key="ingest-searches", description=description)


@task(name="record", **RETRY)
def record_pages(answers: Answers, config: str | None, topic: str | None) -> Work:
    """Take what was found into the catalog, and see what to read now and what waits for another day."""
    settings, store = open_stage(config)
    work = steps.record(answers, settings, store, topic)
    rows = [{"topic": name, "waiting": count} for name, count in sorted(work.deferred.items())]
    create_table_artifact(rows or [{"topic": "none", "waiting": 0}], key="ingest-deferred",
                          description=f"{sum(work.deferred.values())} papers wait for another day")
    return work


@task(name="read", task_run_name="read batch {number} of {count}", **RETRY)
def read_batch(batch: Batch, number: int, count: int, config: str | None) -> Reading:
    """Fetch and read a batch of papers; a bad one costs one reject. What was read before a kill is reused."""
    settings, store = open_stage(config)
    papers, progress, reading = steps.papers_of(batch, settings), ProgressArtifact("ingest"), Reading([], [], [])
    for outcome in read_each(papers, settings, store):
        reading.add(outcome)
        progress(f"batch {number} of {count}, papers read", len(reading.handled), len(papers))
    _show_failures(papers, reading.rejects, number, count)
    return reading


def _show_failures(papers: Sequence[Paper], rejects: Sequence[Reject], number: int, count: int) -> None:
    """Which papers of the batch failed and why, each with the page where a person can look."""
    link = {paper.key: paper.landing_url or paper.pdf_url or "" for paper in papers}
    rows = [{"paper": r.item, "why": r.reason, "detail": r.detail, "link": link.get(r.item, "")} for r in rejects]
    create_table_artifact(
        rows or [{"paper": "none failed"}], key=f"ingest-batch-{number}",
        description=f"Batch {number} of {count}: {len(papers)} papers, {len(rejects)} failed",
    )  # fmt: skip


def close_ingest(answers: Answers, work: Work, readings: Sequence[Reading], config: str | None) -> list[str]:
    """Leave what the run did in the store, which moves the cursors; then say whether it was a good run.

    Raises:
        SourceError: a source was silent; what the others brought is kept.
        NothingToDo: a new topic finds nothing at all, or every paper was rejected.
    """
    settings, store = open_stage(config)
    documents = [uri for reading in readings for uri in reading.documents]
    rejects = [reject for reading in readings for reject in reading.rejects]
    handled, key = [paper for reading in readings for paper in reading.handled], this_run("ingest")
    handed_on = steps.close(key, answers, work, documents, rejects, handled, store)
    tell_run("ingest", handed_on, rejects, len(handled))
    steps.record_run(key, documents, settings, store)
    steps.check(answers, work, len(documents), rejects, handed_on)
    return handed_on
