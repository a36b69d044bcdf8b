"""Topics → papers → documents."""

from __future__ import annotations

from prefect import flow

from tasks.ingest import list_topics, merge_papers, read_papers, search_topic
from tasks.stages import close_run, record_run, resume_parent


@flow(name="ingest", on_completion=[resume_parent])
def ingest(config: str | None = None) -> list[str]:
    """Search every topic, fetch and read what is new.

    Args:
        config: settings file; by default the worker's own.
    """
    topics = list_topics(config)
    searches = [search_topic(topic, config) for topic in topics]
    papers = merge_papers(searches, config)
    reading = read_papers(papers, config)
    rejects = [reject for search in searches for reject in search.rejects] + reading.rejects
    documents = close_run("ingest", config, reading.documents, rejects, [paper.key for paper in papers])
    record_run(config)
    return documents
