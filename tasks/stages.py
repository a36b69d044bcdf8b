"""One stage calls another: children of a nightly run, what they hand over, and how a failed one goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, cast

from prefect import Flow, get_run_logger, runtime, task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.states import AwaitingRetry

from paperlora import __version__
from paperlora.catalog import open_catalog, stores
from paperlora.errors import NothingToDo, StackError
from paperlora.records import Reject, digest
from paperlora.runs import SUSPICIOUS, Done, left_over, outputs, run_key, with_hash, write_run
from paperlora.settings import load_settings
from paperlora.store import Store, fetch, read_manifest
from tasks.policy import open_stage, show_rejects

POLL_SECONDS = 1.0

__all__ = ["close_run", "open_uri", "record_run", "resume_parent", "run_stage", "tell_run", "this_run", "with_hash"]


def run_stage(stage: str, config: str | None, **parameters: Any) -> list[str]:
    """Run a stage's deployment as a child of this flow run and wait for it.

    The idempotency key names this nightly run, the stage, its input and the code: a retry of the nightly finds the
    children it has. A finished child is reused, a failed one is scheduled again, a running one is waited for.

    A stage that is given an empty list has nothing to do and is not started: only what it handed on before and nobody
    has taken up yet goes on.

    Returns:
        The URIs that the stage hands on.

    Raises:
        StackError: the child ended in any other state than Completed.
    """
    store = Store.at(load_settings(config).store_root)
    if any(value == [] for value in parameters.values()):
        get_run_logger().info("%s: nothing new", stage)
        return left_over(store, stage)
    key = digest(runtime.flow_run.id, stage, parameters, __version__)[:32]
    run = cast(FlowRun, run_deployment(
        f"{stage}/{stage}", parameters={**parameters, "config": config}, timeout=0, idempotency_key=f"{stage}:{key}"
    ))
    with get_client(sync_client=True) as client:
        run = _wait(client, _revive(client, run))
    if run.state is None or not run.state.is_completed():
        raise StackError(
            f"Stage {stage} ended as {run.state.name if run.state else 'unknown'}: {_message(run.state)}",
            f"Mend the cause, then Retry the run {run.name!r} in the UI or `paperlora rerun {run.id}`.",
        )
    record_run(config)
    return outputs(store, stage, run.id, run.run_count)


def _message(state: State[Any] | None) -> str:
    return (state.message if state and state.message else "no message").strip()


def _revive(client: SyncPrefectClient, run: FlowRun) -> FlowRun:
    if run.state is not None and run.state.is_final() and not run.state.is_completed():
        client.set_flow_run_state(run.id, AwaitingRetry(), force=True)
        return client.read_flow_run(run.id)
    return run


def _wait(client: SyncPrefectClient, run: FlowRun) -> FlowRun:
    while run.state is None or not run.state.is_final():
        time.sleep(POLL_SECONDS)
        run = client.read_flow_run(run.id)
    return run


def resume_parent(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """A stage that went through on a retry carries the failed nightly on: Retry of the child is enough."""
    if flow_run.run_count < 2 or flow_run.parent_task_run_id is None:
        return
    with get_client(sync_client=True) as client:
        parent_id = client.read_task_run(flow_run.parent_task_run_id).flow_run_id
        parent = client.read_flow_run(parent_id) if parent_id else None
        if parent and parent.state and (parent.state.is_failed() or parent.state.is_crashed()):
            client.set_flow_run_state(parent.id, AwaitingRetry(), force=True)


def close_run(
    stage: str, config: str | None, uris: Sequence[str], rejects: Sequence[Reject], handled: Sequence[str],
    taken: Sequence[str] = (),
) -> list[str]:
    """Leave what a stage run did in the store: what it hands on, what it dropped, which items it handled.

    Args:
        taken: URIs of the stage before that need not be handed on again.

    Raises:
        NothingToDo: it hands nothing on, and that is more than a few papers without an idea; what it dropped is kept all
            the same.
    """
    _, store = open_stage(config)
    handed_on = write_run(store, this_run(stage), Done(stage, uris, rejects, handled, taken))
    tell_run(stage, handed_on, rejects, len(handled))
    if not handed_on and not is_poor_night(rejects, handled):
        raise NothingToDo(f"{stage} hands nothing on: {_reasons(rejects) or 'there was nothing to work on'}.")
    return handed_on


def is_poor_night(rejects: Sequence[Reject], handled: Sequence[str]) -> bool:
    """A few new papers, none of which says anything that can be taught: nobody has to look after that."""
    fruitless = {reject.item for reject in rejects if reject.reason == "no_ideas"}
    return 0 < len(handled) < SUSPICIOUS and fruitless >= set(handled)


def this_run(stage: str) -> str:
    """Folder name of what this attempt of this run leaves."""
    return run_key(stage, runtime.flow_run.id or "local", runtime.flow_run.run_count or 0)


def tell_run(stage: str, handed_on: Sequence[str], rejects: Sequence[Reject], handled: int) -> None:
    """A table of rejects in the UI, the numbers in the log."""
    show_rejects(stage, tuple(rejects))
    get_run_logger().info("%s: %d handled, %d handed on, %d rejected", stage, handled, len(handed_on), len(rejects))


def _reasons(rejects: Sequence[Reject]) -> str:
    counts: dict[str, int] = {}
    for reject in rejects:
        counts[reject.reason] = counts.get(reject.reason, 0) + 1
    return ", ".join(f"{count} × {reason}" for reason, count in sorted(counts.items()))


@task(name="record")
def record_run(config: str | None) -> int:
    """Take every new complete folder into the catalog."""
    settings = load_settings(config)
    catalog = open_catalog(settings)
    try:
        return catalog.refresh(stores(settings))
    finally:
        catalog.close()


def open_uri(reference: str) -> tuple[Any, str]:
    """Local path and content hash of ``uri`` or ``uri#hash``; a hash that differs is an error."""
    uri, _, expected = reference.partition("#")
    path = fetch(uri, expected or None)
    return path, read_manifest(uri).content_hash
