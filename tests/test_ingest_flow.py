"""Ingestion under a real Prefect server: a silent source is no green run, and Retry takes only what failed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from paperlora.catalog import open_catalog
from paperlora.control import stack
from paperlora.control.api import PrefectApi, Run
from paperlora.sandbox.crowd import Shares, crowd, crowd_topics
from paperlora.sandbox.server import Sandbox
from paperlora.settings import Settings, load_settings
from paperlora.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PORT = 20_000 + os.getpid() % 10_000
"""First port that is tried: another one in every session that runs the tests on this machine."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        running.library = crowd(24, shares=Shares(0, 0, 5, 0, 0, 0))
        yield running


@pytest.fixture(scope="module")
def config(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ingest")
    topics = "\n".join(
        f"[[topics]]\nname = {json.dumps(topic.name)}\narxiv = {json.dumps(topic.arxiv)}\n" for topic in crowd_topics(2)
    )
    path = folder / "paperlora.toml"
    path.write_text(f"""
home = "{folder / "var"}"
datasets = "{folder / "datasets"}"
arxiv = {{ url = "{sandbox.arxiv_url}", delay_seconds = 0.0 }}
reading = {{ batch = 2, prefer = ["pdf"] }}
prefect = {{ port = {PORT} }}
{topics}
""")
    return path


@pytest.fixture(scope="module")
def api(config: Path) -> Iterator[PrefectApi]:
    settings = load_settings(config)
    running = stack.start(settings, config, owner=None)
    try:
        with PrefectApi(running.api_url) as api:
            yield api
    finally:
        stack.stop(settings)


def settle(api: PrefectApi, run: Run, seconds: float = 400.0) -> Run:
    deadline = time.monotonic() + seconds
    while not (run := api.run(run.id)).final:
        assert time.monotonic() < deadline, f"{run.name} is still {run.state_name}"
        time.sleep(0.5)
    return run


def queries(sandbox: Sandbox) -> dict[str, int]:
    asked = [request.url for request in sandbox.requests if request.route == "arxiv.query"]
    return {topic: sum(topic in url for url in asked) for topic in ("memory", "reasoning")}


def waiting(settings: Settings) -> int:
    catalog = open_catalog(settings)
    try:
        return catalog.status().waiting
    finally:
        catalog.close()


def test_retry_asks_and_reads_only_what_failed(api: PrefectApi, config: Path, sandbox: Sandbox) -> None:
    settings = load_settings(config)
    store = Store.at(settings.store_root)
    sandbox.fault("arxiv.query", "html", match="reasoning")
    run = settle(api, api.start("ingest/ingest", {"config": str(config)}))
    assert run.state == "FAILED"
    assert "sends a web page" in api.last_error(run)
    read = set(store.folders("documents"))
    assert len(read) == 3, "what the other query brought is read"

    sandbox.heal()
    sandbox.requests.clear()
    sandbox.counts.clear()
    api.retry(run)
    time.sleep(1)
    ended = settle(api, run)
    assert ended.state == "COMPLETED", api.last_error(ended)
    assert queries(sandbox) == {"memory": 0, "reasoning": 1}
    assert sandbox.counts["arxiv.pdf"] == 3
    assert len(store.folders("documents")) == 6
    assert waiting(settings) == 0


def test_night_without_news_is_green_and_starts_no_other_stage(api: PrefectApi, config: Path, sandbox: Sandbox) -> None:
    store = Store.at(load_settings(config).store_root)
    with store.writing("runs", "distill-by-hand-1") as draft:
        (draft.path / "taken.json").write_text(json.dumps(store.folders("documents")))
        for name in ("outputs.json", "handled.json"):
            (draft.path / name).write_text("[]")
        draft.settings = {"stage": "distill"}
    sandbox.requests.clear()
    night = settle(api, api.start("nightly/nightly", {"config": str(config)}))
    assert night.state == "COMPLETED", api.last_error(night)
    assert {api.flow_name(child): child.state for child in api.children(night)} == {"ingest": "COMPLETED"}
    assert queries(sandbox) == {"memory": 1, "reasoning": 1}
    assert [request.route for request in sandbox.requests] == ["arxiv.query"] * 2
