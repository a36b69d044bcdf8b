"""Prefect's REST API, as far as the command line needs it."""

from __future__ import annotations

import time
from typing import Any, NamedTuple, Self

import httpx

from paperlora.errors import StackError

FINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})


class Run(NamedTuple):
    """A flow run as the server sees it."""

    id: str
    name: str
    deployment_id: str | None
    flow_id: str
    state: str
    """SCHEDULED, PENDING, RUNNING, COMPLETED, FAILED, CRASHED, CANCELLED, CANCELLING or PAUSED."""
    state_name: str
    message: str
    changed: str
    """When it came into this state, ISO 8601."""
    parent_task_run_id: str | None
    process: str | None
    """``host:pid`` of its process where a process worker runs it."""
    parameters: dict[str, Any]

    @property
    def final(self) -> bool:
        """It has ended."""
        return self.state in FINAL


class Step(NamedTuple):
    """How far a run is."""

    percent: float
    label: str


def _run(raw: dict[str, Any]) -> Run:
    state = raw.get("state") or {}
    return Run(
        raw["id"], raw["name"], raw.get("deployment_id"), raw["flow_id"], state.get("type", "UNKNOWN"), state.get("name", ""),
        state.get("message") or "", state.get("timestamp", ""), raw.get("parent_task_run_id"), raw.get("infrastructure_pid"),
        raw.get("parameters") or {},
    )


class PrefectApi:
    """A client of one server.

    Args:
        url: of the API, such as ``http://127.0.0.1:4200/api``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=30.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        for attempt in range(6):
            try:
                answer = self._client.request(method, path, json=body)
            except httpx.HTTPError as error:
                if attempt == 5:
                    raise StackError(f"Prefect's server at {self.url} doesn't answer: {error.__class__.__name__}.") from error
            else:
                if answer.status_code not in (429, 503):
                    return self._read(answer, path)
            # SQLite answers 503 while another writer holds it.
            time.sleep(0.3 * 2**attempt)
        raise StackError(f"Prefect's server at {self.url} stays too busy to answer {path}.")

    @staticmethod
    def _read(answer: httpx.Response, path: str) -> Any:
        if answer.status_code == 404:
            raise StackError(f"Prefect's server knows nothing at {path}.", "`paperlora up` deploys what is missing.")
        if answer.is_error:
            raise StackError(f"Prefect's server refused {path} with {answer.status_code}: {answer.text[:200]}")
        return answer.json() if answer.content else None

    def healthy(self) -> bool:
        """The server answers."""
        try:
            return self._client.get("/health", timeout=3.0).status_code == 200
        except httpx.HTTPError:
            return False

    def make_pool(self, name: str) -> None:
        """Create a process work pool where there is none."""
        answer = self._client.post("/work_pools/", json={"name": name, "type": "process"})
        if answer.is_error and answer.status_code != 409:
            raise StackError(f"The work pool {name} can't be made: {answer.text[:200]}")

    def pools(self) -> dict[str, str]:
        """Status of every work pool by name."""
        return {pool["name"]: pool.get("status") or "UNKNOWN" for pool in self._ask("POST", "/work_pools/filter", {})}

    def start(self, deployment: str, parameters: dict[str, Any]) -> Run:
        """Start a run of ``flow/deployment`` now."""
        found = self._ask("GET", f"/deployments/name/{deployment}")
        return _run(self._ask("POST", f"/deployments/{found['id']}/create_flow_run",
                              {"parameters": parameters, "state": {"type": "SCHEDULED"}}))

    def run(self, run_id: str) -> Run:
        """A run by its id."""
        return _run(self._ask("GET", f"/flow_runs/{run_id}"))

    def find(self, name_or_id: str) -> Run:
        """A run by id, by the beginning of its id, or by its name (the newest one of that name)."""
        for run in self.runs():
            if run.id.startswith(name_or_id) or run.name == name_or_id:
                return run
        raise StackError(f"There is no flow run {name_or_id}.", "The UI and `paperlora status` list the runs.")

    def runs(self, states: tuple[str, ...] = (), deployment: str | None = None, limit: int = 200) -> list[Run]:
        """Runs, newest first."""
        body: dict[str, Any] = {"limit": limit, "sort": "EXPECTED_START_TIME_DESC"}
        if states:
            body["flow_runs"] = {"state": {"type": {"any_": list(states)}}}
        if deployment:
            body["deployments"] = {"name": {"any_": [deployment]}}
        return [_run(raw) for raw in self._ask("POST", "/flow_runs/filter", body)]

    def children(self, run: Run) -> list[Run]:
        """Child runs, in order of their creation."""
        body = {"flow_runs": {"parent_flow_run_id": {"any_": [run.id]}}, "sort": "START_TIME_ASC"}
        return [_run(raw) for raw in self._ask("POST", "/flow_runs/filter", body)]

    def parent(self, run: Run) -> Run | None:
        """The run that called this one."""
        if run.parent_task_run_id is None:
            return None
        task_run = self._ask("GET", f"/task_runs/{run.parent_task_run_id}")
        return self.run(task_run["flow_run_id"]) if task_run.get("flow_run_id") else None

    def flow_name(self, run: Run) -> str:
        """Name of its flow: ingest, distill …"""
        return str(self._ask("GET", f"/flows/{run.flow_id}")["name"])

    def set_state(self, run: Run, kind: str, name: str, message: str = "") -> None:
        """Force a run into a state, as the UI does."""
        state = {"type": kind, "name": name, "message": message}
        self._ask("POST", f"/flow_runs/{run.id}/set_state", {"state": state, "force": True})

    def retry(self, run: Run) -> None:
        """What the UI's Retry does."""
        self.set_state(run, "SCHEDULED", "AwaitingRetry")

    def step(self, run: Run) -> Step | None:
        """The newest progress artifact of a run."""
        body = {"artifacts": {"flow_run_id": {"any_": [run.id]}, "type": {"any_": ["progress"]}}, "limit": 1, "sort": "UPDATED_DESC"}
        found = self._ask("POST", "/artifacts/filter", body)
        return Step(float(found[0]["data"] or 0.0), found[0].get("description") or "") if found else None

    def last_error(self, run: Run) -> str:
        """What ended a run: the last line it logged as an error (the exception), else its state's message."""
        body = {"logs": {"flow_run_id": {"any_": [run.id]}, "level": {"ge_": 40}}, "limit": 1, "sort": "TIMESTAMP_DESC"}
        logs = self._ask("POST", "/logs/filter", body)
        line = logs[0]["message"].strip().splitlines()[-1] if logs else run.message or "no message"
        return line.removeprefix("paperlora.errors.").removeprefix("prefect.exceptions.")

    def watch_heartbeats(self, seconds: int = 540) -> None:
        """Mark a run as crashed when its host fell silent: Prefect leaves it Running for ever otherwise."""
        name = "paperlora: runs whose host died"
        known = self._ask("POST", "/automations/filter", {"automations": {"name": {"any_": [name]}}})
        if known:
            return
        trigger = {
            "type": "event", "posture": "Proactive", "within": seconds, "threshold": 1,
            "match": {"prefect.resource.id": ["prefect.flow-run.*"]}, "for_each": ["prefect.resource.id"],
            "after": ["prefect.flow-run.heartbeat"],
            "expect": ["prefect.flow-run.heartbeat", "prefect.flow-run.Completed", "prefect.flow-run.Failed",
                       "prefect.flow-run.Cancelled", "prefect.flow-run.Crashed"],
        }
        action = {"type": "change-flow-run-state", "state": "CRASHED", "message": f"No sign of life for {seconds} s."}
        self._ask("POST", "/automations/", {"name": name, "trigger": trigger, "actions": [action], "enabled": True})
