"""Verdict → Lesson → report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from prefect import task
from prefect.artifacts import create_link_artifact, create_table_artifact

from paperlora.knowledge.lessons import lessons_from
from paperlora.records import Diagnosis, Verdict, digest
from paperlora.report.collect import collect_report
from paperlora.report.html import write_report
from paperlora.store import Store, read_jsonl, write_jsonl
from tasks.policy import open_stage
from tasks.stages import open_uri, with_hash


@task(name="judgements")
def list_judgements(judgements: list[str] | None, config: str | None) -> list[str]:
    """The judgements asked for; by default every judgement in the store."""
    if judgements is not None:
        return judgements
    _, store = open_stage(config)
    return [with_hash(uri) for uri in store.folders("judgements")]


@task(name="learn")
def learn_lessons(judgements: Sequence[str], config: str | None) -> list[str]:
    """Each verdict becomes a lesson with its evidence."""
    _, store = open_stage(config)
    return [with_hash(_learn(reference, store)) for reference in judgements]


def _learn(reference: str, store: Store) -> str:
    folder, content_hash = open_uri(reference)
    key = digest("lessons", content_hash)[:16]
    if not store.has("lessons", key):
        verdicts, diagnoses = read_jsonl(folder / "verdicts.jsonl", Verdict), read_jsonl(folder / "diagnoses.jsonl", Diagnosis)
        with store.writing("lessons", key) as draft:
            lessons = lessons_from(verdicts, diagnoses, datetime.now(UTC))
            write_jsonl(draft.path / "lessons.jsonl", lessons)
            draft.inputs, draft.counts = {reference.split("#")[0]: content_hash}, {"lessons": len(lessons)}
    return store.uri("lessons", key)


@task(name="report")
def make_report(judgements: Sequence[str], config: str | None) -> str:
    """Write the report and show the verdicts in the UI."""
    settings, _ = open_stage(config)
    path = write_report(collect_report(settings), settings.home.expanduser().resolve() / "report.html")
    folders = [Path(open_uri(reference)[0]) for reference in judgements]
    verdicts = [v for folder in folders for v in read_jsonl(folder / "verdicts.jsonl", Verdict)]
    causes = {d.verdict: d for folder in folders for d in read_jsonl(folder / "diagnoses.jsonl", Diagnosis)}
    create_table_artifact([_line(v, causes.get(v.id)) for v in verdicts], key="verdicts", description="Verdicts with 95% intervals")
    create_link_artifact(path.as_uri(), link_text="report.html", key="report", description="Opens offline")
    return str(path)


def _line(verdict: Verdict, diagnosis: Diagnosis | None) -> dict[str, str]:
    return {
        "claim": verdict.claim,
        "verdict": verdict.kind,
        "base": f"{verdict.base.right}/{verdict.base.asked}",
        "adapter": f"{verdict.adapted.right}/{verdict.adapted.asked} [{verdict.adapted.low:.2f}, {verdict.adapted.high:.2f}]",
        "gain": f"{verdict.gain.value:+.2f} [{verdict.gain.low:+.2f}, {verdict.gain.high:+.2f}]",
        "why": verdict.reason,
        "next": diagnosis.action if diagnosis else "",
    }
