"""Adapters → measurements → verdicts; runs on the gpu pool and needs no catalog."""

from __future__ import annotations

from prefect import flow

from tasks.judge import judge_bank, list_adapters
from tasks.stages import close_run, resume_parent


@flow(name="judge", on_completion=[resume_parent])
def judge(adapters: list[str] | None = None, config: str | None = None) -> list[str]:
    """Judge what each adapter learned.

    Args:
        adapters: URIs of adapter folders; by default every one in the store.
        config: settings file; by default the worker's own.
    """
    chosen = list_adapters(adapters, config)
    judgement = judge_bank(chosen, config)
    return close_run("judge", config, judgement.uris, judgement.rejects, chosen, chosen)
