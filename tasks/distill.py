"""Document → Idea → MicroDataset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from prefect import get_run_logger, runtime, task
from prefect.artifacts import create_table_artifact

from paperlora.catalog import open_catalog
from paperlora.errors import BudgetExhausted, LlmError, NothingToDo
from paperlora.ideas.conflicts import paper_id, teachable
from paperlora.ideas.folders import READINGS, read_coverage, rewrite, settle_readings, write_reading
from paperlora.ideas.meaning import by_meaning
from paperlora.ideas.read import IdeasFound, Job, find_ideas_many, ideas_key, questions
from paperlora.knowledge.lessons import recall
from paperlora.llm.client import client_for, estimate_questions
from paperlora.llm.ledger import keep_ledger
from paperlora.microdata.build import build_dataset, find_dataset
from paperlora.microdata.review import NOTHING_DECIDED, all_reviews, paper_of
from paperlora.microdata.revise import obey
from paperlora.records import Document, Idea, Lesson, Paper, Reject, Topic
from paperlora.settings import Settings
from paperlora.store import Store, read_json, read_jsonl, read_manifest
from tasks.base import BaseAtHand
from tasks.policy import RETRY, ProgressArtifact, llm_account, open_stage, show_reasons, show_rejects
from tasks.stages import open_uri, with_hash

SLICE = 8
"""Papers in memory for each that is read at the same time; at a slice's end the endpoint idles for a moment."""
MOST_ROWS = 1000
"""Of a table in the UI; the folders hold every line."""


class IdeaFolders(NamedTuple):
    """Where the ideas of each document stand."""

    uris: list[str]
    rejects: list[Reject]
    documents: list[str]
    """Those that were read, one for each URI; what could not be read now is among the rejects and stays to be read."""


class _Wanted(NamedTuple):
    """A document and what decides its ideas."""

    document: str
    document_hash: str
    key: str
    file: Path
    paper: Paper
    topic: Topic
    lessons: tuple[Lesson, ...]


class Datasets(NamedTuple):
    """The revisions that were built or reused."""

    uris: list[str]
    rejects: list[Reject]


@task(name="documents")
def list_documents(documents: list[str] | None, config: str | None) -> list[str]:
    """The documents asked for; by default every document in the store, newest version of each paper."""
    if documents is not None:
        return documents
    _, store = open_stage(config)
    newest: dict[str, tuple[int, str]] = {}
    for uri in store.folders("documents"):
        paper = read_json(store.fetch_file(uri, "paper.json"), Paper)
        newest[paper.id] = max(newest.get(paper.id, (0, "")), (paper.version, uri))
    return [with_hash(uri) for _, uri in newest.values()]


@task(name="ideas", **RETRY)
def read_ideas(documents: Sequence[str], config: str | None) -> IdeaFolders:
    """Read the ideas out of the documents; what was read before under the same prompt and settings is reused.

    Then the papers are held against each other and against what the catalog knows: repetitions become sources, and
    contradictions are marked on both sides.
    """
    settings, store = open_stage(config)
    wanted = _to_read(documents, settings, store)
    rejects = _read_in_batches([one for one in wanted if not store.has(READINGS, one.key)], settings, store)
    read = [one for one in wanted if store.has(READINGS, one.key)]
    _show_coverage(store, read)
    show_rejects("ideas", tuple(reject for one in read for reject in read_manifest(store.uri(READINGS, one.key)).rejects))
    return IdeaFolders(_settle(read, settings, store), rejects, [one.document for one in read])


def _to_read(documents: Sequence[str], settings: Settings, store: Store) -> list[_Wanted]:
    lessons, wanted = _lessons(settings), []
    for reference in documents:
        folder, document_hash = open_uri(reference)
        paper = read_json(folder / "paper.json", Paper)
        topic = _topic(paper, settings)
        relevant = recall(lessons, topic.name)
        key = ideas_key(document_hash, paper, topic, relevant, settings)
        wanted.append(_Wanted(reference, document_hash, key, folder / "document.json", paper, topic, relevant))
    return wanted


def _read_in_batches(wanted: Sequence[_Wanted], settings: Settings, store: Store) -> list[Reject]:
    account = llm_account("distill")
    llm, rejects, done = client_for(settings, store, account), [], 0
    progress = ProgressArtifact("distill")
    size = SLICE * settings.ideas.batch
    for start in range(0, len(wanted), size):
        batch = wanted[start : start + size]
        jobs = [Job(read_json(one.file, Document), one.paper, one.topic, one.lessons) for one in batch]
        _log_estimate(jobs, settings, store)
        for number, found in find_ideas_many(jobs, settings, llm):
            one, done = batch[number], done + 1
            if isinstance(found, IdeasFound):
                write_reading(store, one.key, one.document.split("#")[0], one.document_hash, found, one.lessons)
            else:
                rejects.append(Reject(stage="distill", item=one.paper.key, reason=_reason(found), detail=found.message))
            progress("documents read for ideas", done, len(wanted))
    progress("documents read for ideas", len(wanted), len(wanted))
    if llm is not None:
        keep_ledger(settings, store, account, runtime.flow_run.run_count or 0)
    return rejects


def _reason(error: LlmError) -> str:
    return getattr(error, "reason", "") or ("llm_budget" if isinstance(error, BudgetExhausted) else "llm_unavailable")


def _log_estimate(jobs: Sequence[Job], settings: Settings, store: Store) -> None:
    if settings.llm.provider == "extractive":
        return
    what = estimate_questions(questions(jobs, settings), settings, store)
    get_run_logger().info(
        "%d papers: %d questions to ask (%d answered already), about %d tokens in, at most %d out and %.4f USD; "
        "the second reading comes on top",
        len(jobs), what.requests, what.cached, what.input_tokens, what.output_tokens, what.usd,
    )  # fmt: skip


def _settle(read: Sequence[_Wanted], settings: Settings, store: Store) -> list[str]:
    catalog = open_catalog(settings)
    try:
        withdrawn = {paper.id for paper in catalog.records("paper") if isinstance(paper, Paper) and paper.withdrawn}
        known = [
            idea for idea in catalog.records("idea")
            if isinstance(idea, Idea) and paper_id(idea.paper) not in withdrawn
        ]  # fmt: skip
        settled = settle_readings(store, [store.uri(READINGS, one.key) for one in read], known, by_meaning(settings))
        entries = {idea.id: catalog.show(f"idea:{idea.id}") for idea in settled.elsewhere}
    finally:
        catalog.close()
    by_folder: dict[str, list[Idea]] = defaultdict(list)
    for idea in settled.elsewhere:
        entry = entries[idea.id]
        if entry is not None:
            by_folder[entry.uri].append(idea)
    for uri, changed in by_folder.items():
        rewrite(store, uri, changed)
    return list(settled.uris)


def _show_coverage(store: Store, read: Sequence[_Wanted]) -> None:
    rows = [
        {"paper": one.paper.key, **line.model_dump(exclude={"section"})}
        for one in read
        for line in read_coverage(store.folder(READINGS, one.key))
    ]
    told = f"Ideas by section; the first {MOST_ROWS} of {len(rows)} sections" if len(rows) > MOST_ROWS else "Ideas by section"
    create_table_artifact(rows[:MOST_ROWS] or [{"paper": "nothing"}], key="ideas-coverage", description=told)


def _lessons(settings: Settings) -> tuple[Lesson, ...]:
    catalog = open_catalog(settings)
    try:
        return catalog.lessons()
    finally:
        catalog.close()


def _topic(paper: Paper, settings: Settings) -> Topic:
    known = {topic.name: topic for topic in settings.topics}
    names = paper.topics or ("",)
    return known.get(names[0], Topic(name=names[0] or "unsorted"))


@task(name="datasets", **RETRY)
def build_datasets(folders: Sequence[str], documents: Sequence[str], config: str | None) -> Datasets:
    """Write the micro-dataset of each paper, contested ideas left out; an unchanged one is reused and costs nothing."""
    settings, store = open_stage(config)
    target = Store.at(settings.datasets.expanduser().resolve())
    reviews = all_reviews(store)
    ideas = {uri: read_jsonl(store.fetch_file(uri, "ideas.jsonl"), Idea) for uri in folders}
    accepted = frozenset(name for review in reviews.values() for name in review.accepted_ideas)
    kept, conflicts = teachable([idea for group in ideas.values() for idea in group], accepted)
    taught = {idea.id for idea in kept}
    base, progress, built, rejects = BaseAtHand(settings), ProgressArtifact("distill"), [], list(conflicts)
    for number, (uri, reference) in enumerate(zip(folders, documents, strict=True)):
        progress("micro-datasets", number, len(folders))
        mine = [idea for idea in ideas[uri] if idea.id in taught]
        lessons = tuple(lesson.id for lesson in read_jsonl(store.fetch_file(uri, "lessons.jsonl"), Lesson))
        source = _Source(open_uri(reference)[0], mine, kept, lessons)
        try:
            revision = _dataset_of(source, base, settings, target, rejects)
            built.append(with_hash(obey(revision, reviews.get(paper_of(source.paper.key), NOTHING_DECIDED), target)))
        except NothingToDo as error:
            rejects.append(Reject(stage="distill", item=source.paper.key, reason="no_ideas", detail=error.message))
    progress("micro-datasets", len(folders), len(folders))
    inside = [reject for uri in built for reject in read_manifest(uri.split("#")[0]).rejects]
    show_reasons("datasets", [*rejects, *inside])
    return Datasets(built, rejects)


class _Source(NamedTuple):
    """A document and what was read out of it."""

    folder: Path
    ideas: Sequence[Idea]
    neighbours: Sequence[Idea]
    lessons: tuple[str, ...]

    @property
    def paper(self) -> Paper:
        return read_json(self.folder / "paper.json", Paper)

    @property
    def text(self) -> str:
        sections = read_json(self.folder / "document.json", Document).sections
        return "\n\n".join(f"{section.heading}\n{section.text}" for section in sections)


def _dataset_of(source: _Source, base: BaseAtHand, settings: Settings, target: Store, rejects: list[Reject]) -> str:
    """The revision that is there, or a new one: only then the base is loaded."""
    paper, text = source.paper, source.text
    known = find_dataset(paper, source.ideas, settings, target, base=base.id, text=text)
    return known or build_dataset(
        paper, _topic(paper, settings).name, source.ideas, source.neighbours, settings, target, lessons=source.lessons,
        base=base.load(), text=text, dropped=rejects,
    )  # fmt: skip


def paper_keys(documents: Sequence[str]) -> list[str]:
    """Paper keys of the documents, from their manifests alone."""
    return [read_json(Path(open_uri(reference)[0]) / "paper.json", Paper).key for reference in documents]
