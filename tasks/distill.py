"""Document → Idea → MicroDataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from prefect import task

from paperlora.catalog import open_catalog
from paperlora.errors import NothingToDo
from paperlora.ideas.conflicts import split_conflicts
from paperlora.ideas.read import find_ideas, ideas_key
from paperlora.knowledge.lessons import recall
from paperlora.llm.client import client_for
from paperlora.microdata.build import build_dataset
from paperlora.records import Document, Idea, Lesson, Paper, Reject, Topic
from paperlora.settings import Settings
from paperlora.store import Store, read_json, read_jsonl, write_jsonl
from tasks.policy import RETRY, ProgressArtifact, open_stage
from tasks.stages import open_uri, with_hash


class IdeaFolders(NamedTuple):
    """Where the ideas of each document stand."""

    uris: list[str]
    rejects: list[Reject]


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
    """Read the ideas out of each document; what was read before under the same prompt and settings is reused."""
    settings, store = open_stage(config)
    lessons = _lessons(settings)
    progress = ProgressArtifact("distill")
    uris, rejects = [], []
    for number, reference in enumerate(documents):
        progress("documents read for ideas", number, len(documents))
        uri, found = _ideas_of(reference, settings, store, lessons)
        uris.append(uri)
        rejects += found
    progress("documents read for ideas", len(documents), len(documents))
    return IdeaFolders(uris, rejects)


def _lessons(settings: Settings) -> tuple[Lesson, ...]:
    catalog = open_catalog(settings)
    try:
        return catalog.lessons()
    finally:
        catalog.close()


def _ideas_of(reference: str, settings: Settings, store: Store, lessons: Sequence[Lesson]) -> tuple[str, list[Reject]]:
    folder, document_hash = open_uri(reference)
    document, paper = read_json(folder / "document.json", Document), read_json(folder / "paper.json", Paper)
    topic = _topic(paper, settings)
    relevant = recall(lessons, topic.name)
    key = ideas_key(document_hash, paper, topic, relevant, settings)
    if not store.has("ideas", key):
        found = find_ideas(document, paper, topic, relevant, settings, client_for(settings, store))
        with store.writing("ideas", key) as draft:
            write_jsonl(draft.path / "ideas.jsonl", found.ideas)
            write_jsonl(draft.path / "lessons.jsonl", relevant)
            draft.inputs, draft.prompts, draft.counts = {reference.split("#")[0]: document_hash}, found.prompts, found.counts
            draft.rejects = list(found.rejects)
    uri = store.uri("ideas", key)
    return uri, []


def _topic(paper: Paper, settings: Settings) -> Topic:
    known = {topic.name: topic for topic in settings.topics}
    names = paper.topics or ("",)
    return known.get(names[0], Topic(name=names[0] or "unsorted"))


@task(name="datasets")
def build_datasets(folders: Sequence[str], documents: Sequence[str], config: str | None) -> Datasets:
    """Write the micro-dataset of each paper, contested ideas left out; an unchanged one is reused."""
    settings, store = open_stage(config)
    target = Store.at(settings.datasets.expanduser().resolve())
    ideas = {uri: read_jsonl(store.fetch_file(uri, "ideas.jsonl"), Idea) for uri in folders}
    kept, conflicts = split_conflicts([idea for group in ideas.values() for idea in group])
    progress, built, rejects = ProgressArtifact("distill"), [], list(conflicts)
    for number, (uri, reference) in enumerate(zip(folders, documents, strict=True)):
        progress("micro-datasets", number, len(folders))
        paper = read_json(open_uri(reference)[0] / "paper.json", Paper)
        mine = [idea for idea in ideas[uri] if idea.id in {k.id for k in kept}]
        try:
            lessons = tuple(lesson.id for lesson in read_jsonl(store.fetch_file(uri, "lessons.jsonl"), Lesson))
            built.append(with_hash(build_dataset(paper, _topic(paper, settings).name, mine, kept, settings, target, lessons=lessons)))
        except NothingToDo as error:
            rejects.append(Reject(stage="distill", item=paper.key, reason="no_ideas", detail=error.message))
    progress("micro-datasets", len(folders), len(folders))
    return Datasets(built, rejects)


def paper_keys(documents: Sequence[str]) -> list[str]:
    """Paper keys of the documents, from their manifests alone."""
    return [read_json(Path(open_uri(reference)[0]) / "paper.json", Paper).key for reference in documents]
