"""Micro-datasets → adapters; runs on the gpu pool and needs no catalog."""

from __future__ import annotations

from typing import Any

from prefect import flow

from tasks.stages import close_run, resume_parent
from tasks.train import plan_training, train_bank


@flow(name="train", on_completion=[resume_parent])
def train(datasets: list[str] | None = None, recipe: dict[str, Any] | None = None, config: str | None = None) -> list[str]:
    """Train one adapter for each micro-dataset, a bank at a time.

    Args:
        datasets: URIs of dataset revisions; by default the newest of every paper.
        recipe: a Recipe as a dictionary; by default that of the settings.
        config: settings file; by default the worker's own.
    """
    plan = plan_training(datasets, config)
    banks = [train_bank(bank, recipe, config) for bank in plan.banks]
    adapters = [uri for bank in banks for uri in bank.uris]
    rejects = plan.deferred + [reject for bank in banks for reject in bank.rejects]
    return close_run("train", config, adapters, rejects, plan.handled, datasets or [uri for bank in plan.banks for uri in bank])
