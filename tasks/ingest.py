"""Topic → Paper → Document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from prefect import task
from prefect.cache_policies import DEFAULT

from paperlora.catalog import open_catalog
from paperlora.errors import SettingsError
from paperlora.literature.ingest import ingest_papers
from paperlora.literature.sources import merge, search_arxiv, search_semantic_scholar
from paperlora.records import Paper, Reject, Topic
from tasks.policy import RETRY, ProgressArtifact, open_stage
from tasks.stages import with_hash


class Search(NamedTuple):
    """What the queries of one topic found."""

    papers: tuple[Paper, ...]
    rejects: tuple[Reject, ...]


class Reading(NamedTuple):
    """What became of the papers."""

    documents: list[str]
    rejects: list[Reject]


@task(name="topics")
def list_topics(config: str | None) -> tuple[Topic, ...]:
    """The topics of the settings."""
    topics = open_stage(config)[0].topics
    if not topics:
        raise SettingsError("There is no topic to search for.", "Add [[topics]] to paperlora.toml; README.md shows one.")
    return topics


@task(name="search", task_run_name="search {topic.name}", cache_policy=DEFAULT, persist_result=True, **RETRY)
def search_topic(topic: Topic, config: str | None) -> Search:
    """Ask every source that the topic has a query for. A retry of the same run reuses the answer."""
    settings, _ = open_stage(config)
    searches = [search_arxiv] * bool(topic.arxiv) + [search_semantic_scholar] * bool(topic.semantic_scholar)
    found = [search(topic, settings) for search in searches]
    return Search(tuple(p for f in found for p in f.papers), tuple(r for f in found for r in f.rejects))


@task(name="merge")
def merge_papers(searches: Sequence[Search], config: str | None) -> tuple[Paper, ...]:
    """One record for each paper, and its place in the catalog before anything is fetched."""
    papers = merge([paper for search in searches for paper in search.papers])
    catalog = open_catalog(open_stage(config)[0])
    catalog.add_papers(papers)
    catalog.close()
    return papers


@task(name="read", **RETRY)
def read_papers(papers: Sequence[Paper], config: str | None) -> Reading:
    """Fetch and read the papers in batches; a bad one costs one reject."""
    settings, store = open_stage(config)
    read = ingest_papers(papers, settings, store, ProgressArtifact("ingest"))
    return Reading([with_hash(uri) for uri in read.documents], list(read.rejects))
