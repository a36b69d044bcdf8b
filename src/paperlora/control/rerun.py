"""Run a failed run again, from the stage that failed or from one that is named."""

from __future__ import annotations

from paperlora.control.api import PrefectApi, Run
from paperlora.control.follow import STAGES
from paperlora.errors import SettingsError, StackError


def revive(api: PrefectApi, name_or_id: str, from_stage: str | None) -> Run:
    """Schedule a run again, as the UI's Retry does.

    A nightly finds its finished children and reuses them; its failed one is scheduled again. A child that is named
    carries its nightly on.

    Returns:
        The run to follow: the nightly where there is one.

    Raises:
        SettingsError: no such stage.
        StackError: no such run, or nothing in it failed.
    """
    run = api.find(name_or_id)
    top = api.parent(run) or run
    if from_stage is not None:
        _reopen(api, top, from_stage)
    elif top.state == "COMPLETED":
        raise StackError(f"{top.name} is completed: there is nothing to run again.", "Name a stage with --from to repeat it.")
    elif run is not top:
        api.retry(run)
    if api.run(top.id).final:
        api.retry(top)
    return api.run(top.id)


def _reopen(api: PrefectApi, top: Run, from_stage: str) -> None:
    if from_stage not in STAGES:
        raise SettingsError(f"There is no stage {from_stage}.", f"The stages are {', '.join(STAGES)}.")
    again = STAGES[STAGES.index(from_stage) :]
    for child in api.children(top):
        if api.flow_name(child) in again and child.state == "COMPLETED":
            api.set_state(child, "FAILED", "RerunRequested", "Asked for by paperlora rerun --from.")
