"""Micro-datasets → adapters; runs on the gpu pool and needs no catalog."""

from __future__ import annotations

from typing import Any

from prefect import flow

from tasks.stages import close_run, resume_parent
from tasks.train import plan_training, train_bank


@flow(name="train", on_completion=[resume_parent])
def train(
    datasets: list[str] | None = None, recipes: list[dict[str, Any]] | None = None, pilots: int | None = None,
    config: str | None = None,
) -> list[str]:  # fmt: skip
    """Train one adapter for each micro-dataset and recipe, as many at once as the bank has seats.

    Args:
        datasets: URIs of dataset revisions; by default the newest of every paper.
        recipes: Recipes as dictionaries; by default the one of the settings.
        pilots: train only so many datasets, those with the most ideas.
        config: settings file; by default the worker's own.
    """
    plan = plan_training(datasets, pilots, config)
    banks = [train_bank(bank, recipes, config) for bank in plan.banks]
    adapters = [uri for bank in banks for uri in bank.uris]
    rejects = plan.deferred + [reject for bank in banks for reject in bank.rejects]
    taken = datasets or [uri for bank in plan.banks for uri in bank]
    return close_run("train", config, adapters, rejects, plan.handled, taken)
