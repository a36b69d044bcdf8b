"""Prefect's server and one worker for each pool, as processes of this machine.

Every process of a stack carries PAPERLORA_STACK=<id> in its environment, and its children inherit it. That is how
`paperlora down` ends exactly what `paperlora up` started, flow runs that outlived their worker included.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import psutil

import paperlora
from paperlora.control.api import PrefectApi
from paperlora.errors import StackError
from paperlora.progress import Progress, silent
from paperlora.settings import CONFIG_VARIABLE, DEFAULT_CONFIG, Settings

MARK = "PAPERLORA_STACK"
POOLS = ("cpu", "gpu")
PROJECT = Path(paperlora.__file__).parents[2]
START_SECONDS = 180.0


class Stack(NamedTuple):
    """A stack that runs."""

    id: str
    port: int
    owner: int | None
    """Pid of the command that ends it; None when `paperlora down` does."""

    @property
    def api_url(self) -> str:
        """For PREFECT_API_URL."""
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def ui_url(self) -> str:
        """For a browser."""
        return f"http://127.0.0.1:{self.port}"


def current(settings: Settings) -> Stack | None:
    """The stack of this home that answers, if there is one."""
    stack = _read(settings)
    if stack is None or (stack.owner is not None and not psutil.pid_exists(stack.owner)):
        return None
    with PrefectApi(stack.api_url) as api:
        return stack if members(stack.id) and api.healthy() else None


def members(stack_id: str) -> list[psutil.Process]:
    """Every living process of a stack."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == stack_id:
                found.append(process)
        except psutil.Error:
            continue  # gone meanwhile, or of another user: not ours either way
    return found


def start(settings: Settings, config: Path | None, *, owner: int | None, progress: Progress = silent) -> Stack:
    """Start server, pools, deployments and workers, after ending what a killed stack of this home left behind.

    Raises:
        StackError: the server doesn't come up or the deployments are refused; the log's path is in the message.
    """
    stop(settings)
    home = settings.home.expanduser().resolve()
    (home / "logs").mkdir(parents=True, exist_ok=True)
    stack = Stack(uuid.uuid4().hex[:12], _free_port(settings.prefect.port), owner)
    _state_file(settings).write_text(json.dumps(stack._asdict()), encoding="utf-8")
    environment = _environment(settings, config, stack)
    began = datetime.now().astimezone()
    try:
        progress("starting Prefect's server", 0, 4)
        server = _spawn(["server", "start", "--host", "127.0.0.1", "--port", str(stack.port)], "server", home, environment)
        with PrefectApi(stack.api_url) as api:
            _wait_for(api, server, home)
            progress("making pools", 1, 4)
            for pool in POOLS:
                api.make_pool(pool)
            _crash_lost_runs(api, began)
            api.watch_heartbeats()
            progress("deploying flows", 2, 4)
            _deploy(home, environment)
        progress("starting workers", 3, 4)
        for pool in POOLS:
            _spawn(["worker", "start", "--pool", pool, "--name", f"{pool}-{stack.id}", "--type", "process"], f"worker-{pool}",
                   home, environment)
        progress("Prefect is up", 4, 4)
    except BaseException:
        stop(settings)
        raise
    return stack


def stop(settings: Settings) -> int:
    """End every process of this home's stack, flow runs included.

    Returns:
        Number of processes ended.
    """
    stack = _read(settings)
    if stack is None:
        return 0
    processes = members(stack.id)
    for process in processes:
        _signal(process, signal.SIGTERM)
    psutil.wait_procs(processes, timeout=8)
    left = members(stack.id)
    for process in left:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(left, timeout=5)
    _state_file(settings).unlink(missing_ok=True)
    return len(processes)


@contextmanager
def running(settings: Settings, config: Path | None, progress: Progress = silent) -> Iterator[Stack]:
    """The stack that is up, or one that lives as long as this block."""
    stack = current(settings)
    if stack is not None:
        yield stack
        return
    stack = start(settings, config, owner=os.getpid(), progress=progress)
    try:
        yield stack
    finally:
        stop(settings)


def _state_file(settings: Settings) -> Path:
    folder = settings.home.expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "stack.json"


def _read(settings: Settings) -> Stack | None:
    try:
        return Stack(**json.loads(_state_file(settings).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _free_port(first: int) -> int:
    for port in range(first, min(first + 200, 65536)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise StackError(f"No port from {first} on is free.", "Set PAPERLORA_PREFECT__PORT.")


def _environment(settings: Settings, config: Path | None, stack: Stack) -> dict[str, str]:
    home = settings.home.expanduser().resolve()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {
        MARK: stack.id,
        # A flow process runs in a folder of its own: relative places must mean what they mean here.
        "PAPERLORA_HOME": str(home),
        "PAPERLORA_DATASETS": str(settings.datasets.expanduser().resolve()),
        "PAPERLORA_MODELS": str(settings.models.expanduser().resolve()),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": stack.api_url,
        "PREFECT_UI_API_URL": stack.api_url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "DO_NOT_TRACK": "1",
        # One transaction an event loses history under load; batches do not.
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        "PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS": json.dumps(settings.prefect.retry_seconds),
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_CLIENT_MAX_RETRIES": "10",
        # Two processes whose idle threads spin slow each other down many times over.
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONUNBUFFERED": "1",
    }
    chosen = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    if chosen is not None:
        environment[CONFIG_VARIABLE] = str(chosen.resolve())
    if settings.store_url == "":
        environment["PREFECT_LOCAL_STORAGE_PATH"] = str(home / "store" / "results")
    return environment


def _spawn(arguments: list[str], name: str, home: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with (home / "logs" / f"{name}.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "prefect", *arguments], cwd=PROJECT, env=environment, stdout=log,
                                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)


def _wait_for(api: PrefectApi, server: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not api.healthy():
        if server.poll() is not None or time.monotonic() > deadline:
            raise StackError("Prefect's server doesn't come up.", f"Its log is {home / 'logs' / 'server.log'}.")
        time.sleep(0.25)


def _deploy(home: Path, environment: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"], cwd=PROJECT, env=environment,
                          capture_output=True, text=True, check=False)
    (home / "logs" / "deploy.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode != 0:
        raise StackError("The deployments were refused.", f"See {home / 'logs' / 'deploy.log'}.")


def _crash_lost_runs(api: PrefectApi, began: datetime) -> None:
    """A run whose process died with its worker stays Running for ever; its stage could never be run again."""
    for run in api.runs(states=("RUNNING", "PENDING", "CANCELLING")):
        if datetime.fromisoformat(run.changed.replace("Z", "+00:00")) < began and not _alive(run.process):
            api.set_state(run, "CRASHED", "Crashed", "Its process ended without a word.")


def _alive(process: str | None) -> bool:
    host, _, pid = (process or "").rpartition(":")
    if not pid.isdigit():
        return False
    if host not in ("", socket.gethostname()):
        return True
    try:
        return "prefect" in " ".join(psutil.Process(int(pid)).cmdline())
    except psutil.Error:
        return False


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
