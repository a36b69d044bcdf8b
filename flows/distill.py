"""Documents → ideas → micro-datasets."""

from __future__ import annotations

from prefect import flow

from tasks.distill import build_datasets, list_documents, paper_keys, read_ideas
from tasks.stages import close_run, record_run, resume_parent


@flow(name="distill", on_completion=[resume_parent])
def distill(documents: list[str] | None = None, config: str | None = None) -> list[str]:
    """Read the ideas of each document and write its micro-dataset.

    Args:
        documents: URIs of document folders; by default every one in the store.
        config: settings file; by default the worker's own.
    """
    chosen = list_documents(documents, config)
    ideas = read_ideas(chosen, config)
    datasets = build_datasets(ideas.uris, ideas.documents, config)
    close_run("distill", config, datasets.uris, ideas.rejects + datasets.rejects, paper_keys(chosen), ideas.documents)
    record_run(config)
    return datasets.uris
