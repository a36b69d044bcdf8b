"""Topics → papers → documents."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from tasks.ingest import answers_of, close_ingest, plan, read_batch, record_pages, search_source
from tasks.stages import resume_parent

FEW_AT_ONCE: Any = ThreadPoolTaskRunner(max_workers=4)


@flow(name="ingest", on_completion=[resume_parent], task_runner=FEW_AT_ONCE)
def ingest(
    config: str | None = None, since: str | None = None, until: str | None = None, topic: str | None = None
) -> list[str]:
    """Search every topic, fetch and read what is new.

    Args:
        config: settings file; by default the worker's own.
        since: only papers published on or after this day (2025-01-31): a backfill, which can be stopped and resumed.
        until: only papers published on or before this day.
        topic: name of one topic; by default all.
    """
    searches = plan(config, since, until, topic)
    answers = answers_of(searches, [search_source.submit(search, config) for search in searches])
    work = record_pages(answers, config, topic)
    readings = [read_batch(batch, n, len(work.batches), config) for n, batch in enumerate(work.batches, 1)]
    return close_ingest(answers, work, readings, config)
