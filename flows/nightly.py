"""The whole loop, one child run a stage."""

from __future__ import annotations

from prefect import flow

from tasks.stages import run_stage


@flow(name="nightly")
def nightly(config: str | None = None) -> list[str]:
    """Papers in, judged adapters out.

    Args:
        config: settings file; by default the worker's own.
    """
    documents = run_stage("ingest", config)
    datasets = run_stage("distill", config, documents=documents)
    adapters = run_stage("train", config, datasets=datasets)
    judgements = run_stage("judge", config, adapters=adapters)
    return run_stage("reflect", config, judgements=judgements)
