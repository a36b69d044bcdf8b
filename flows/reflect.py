"""Verdicts → lessons and the report."""

from __future__ import annotations

from prefect import flow

from tasks.reflect import learn_lessons, list_judgements, make_report
from tasks.stages import close_run, record_run, resume_parent


@flow(name="reflect", on_completion=[resume_parent])
def reflect(judgements: list[str] | None = None, config: str | None = None) -> list[str]:
    """Turn verdicts into lessons and write the report.

    Args:
        judgements: URIs of judgement folders; by default every one in the store.
        config: settings file; by default the worker's own.
    """
    chosen = list_judgements(judgements, config)
    lessons = learn_lessons(chosen, config)
    close_run("reflect", config, lessons, [], chosen, chosen)
    record_run(config)
    make_report(chosen, config)
    return lessons
