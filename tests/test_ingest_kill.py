"""SIGKILL anywhere, then again: the same catalog, no paper twice, no half file."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from paperlora.catalog import Catalog, open_catalog, stores
from paperlora.control.ingest import run_ingest
from paperlora.literature.ingest import AHEAD
from paperlora.records import Paper
from paperlora.sandbox.crowd import Shares, crowd, crowd_topics
from paperlora.sandbox.server import Sandbox
from paperlora.settings import Settings
from paperlora.store import Store, fetch, read_json, read_manifest

PAPERS = 60
TOPICS = 8
RUN = (
    "import json, sys\nfrom paperlora.control.ingest import run_ingest\nfrom paperlora.settings import Settings\n"
    "run_ingest(Settings(**json.load(sys.stdin)), sys.argv[1])\n"
)
FAIL_POINTS = (
    "papers:before-manifest", "papers:after-rename", "fulltexts:before-rename", "documents:before-manifest",
    "runs:before-rename", "runs:after-rename",
)  # fmt: skip


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(scholar_page_size=4) as running:
        running.library = crowd(PAPERS, seed=7, shares=Shares(second_version=15, withdrawn=5, broken=5, in_both=40))
        yield running


def values(sandbox: Sandbox, home: Path) -> dict[str, Any]:
    return {
        "home": str(home), "datasets": str(home / "datasets"),
        "topics": [topic.model_dump(mode="json") for topic in crowd_topics(TOPICS)],
        "arxiv": {"url": sandbox.arxiv_url, "delay_seconds": 0, "page_size": 5},
        "semantic_scholar": {"url": sandbox.semantic_scholar_url, "delay_seconds": 0},
        "reading": {"prefer": ["pdf"]},
    }  # fmt: skip


def start(given: dict[str, Any], key: str, fail_point: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, **({"PAPERLORA_FAILPOINT": fail_point} if fail_point else {})}
    running = subprocess.Popen([sys.executable, "-c", RUN, key], stdin=subprocess.PIPE, text=True, env=environment)
    assert running.stdin is not None
    running.stdin.write(json.dumps(given))
    running.stdin.close()
    return running


def kill_after(running: subprocess.Popen[str], sandbox: Sandbox, requests: int, seconds: float) -> bool:
    """Kill it once it has made that many requests and the seconds have passed; False where it ended before."""
    until = len(sandbox.requests) + requests
    while len(sandbox.requests) < until and running.poll() is None:
        time.sleep(0.002)
    time.sleep(seconds)
    running.kill()
    return running.wait() == -9


class Traces(NamedTuple):
    """Everything that a run leaves and that must not depend on how often it was killed."""

    documents: dict[str, str]
    papers: set[str]
    rejects: set[tuple[str, str]]
    cursors: dict[str, str]
    status: Any
    waiting: tuple[Paper, ...]


def traces(settings: Settings) -> Traces:
    store, catalog = Store.at(settings.store_root), open_catalog(settings)
    try:
        return _traces(store, catalog, settings)
    finally:
        catalog.close()


def _traces(store: Store, catalog: Catalog, settings: Settings) -> Traces:
    return Traces(
        {uri.rsplit("/", 1)[-1]: read_manifest(uri).content_hash for uri in store.folders("documents")},
        {paper.key for paper in catalog.records("paper") if isinstance(paper, Paper)},
        {(reject.item, reject.reason) for reject in catalog.rejects()},
        catalog.cursors(), catalog.status(), catalog.queue(settings.topics).papers,
    )  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Traces:
    settings = Settings(**values(sandbox, tmp_path_factory.mktemp("undisturbed")))
    run_ingest(settings, "only")
    left = traces(settings)
    assert left.waiting == ()
    assert left.status.papers == left.status.documents + sum(left.status.rejects["ingest"].values())
    return left


def check(sandbox: Sandbox, settings: Settings, undisturbed: Traces, kills: int) -> None:
    assert traces(settings) == undisturbed
    store = Store.at(settings.store_root)
    for uri in store.folders():
        fetch(uri)  # every file of every folder is whole
    store.sweep(hours=0)
    assert not list(Path(store.root).glob("*/.*"))
    keys = Counter(read_json(store.fetch_file(uri, "paper.json"), Paper).key for uri in store.folders("documents"))
    assert set(keys.values()) == {1}
    run = store.fetch_file(store.uri("runs", "last"), "outputs.json")
    handed_on = {reference.partition("#")[0] for reference in json.loads(run.read_text())}
    assert handed_on == set(store.folders("documents"))
    fetched = sum(1 for request in sandbox.requests if request.route in ("arxiv.pdf", "s2.pdf"))
    assert fetched <= len(undisturbed.documents) + len(undisturbed.rejects) + kills * AHEAD
    catalog = open_catalog(settings)
    catalog.rebuild(stores(settings))
    catalog.close()
    assert traces(settings) == undisturbed


def disturb(sandbox: Sandbox, home: Path, kills: int, fail_points: tuple[str, ...], seed: int) -> tuple[Settings, int]:
    chance, given = random.Random(seed), values(sandbox, home)
    sandbox.requests.clear()
    killed = 0
    for number in range(kills):
        running = start(given, f"killed-{number}")
        killed += kill_after(running, sandbox, chance.randint(1, 7), chance.random() * 0.06)
    for number, point in enumerate(fail_points):
        killed += start(given, f"failed-{number}", point).wait() == -9
    assert start(given, "last").wait() == 0
    return Settings(**given), killed


def test_killed_a_few_times(sandbox: Sandbox, undisturbed: Traces, tmp_path: Path) -> None:
    settings, killed = disturb(sandbox, tmp_path, 2, ("runs:before-rename",), seed=3)
    assert killed == 3
    check(sandbox, settings, undisturbed, killed)


@pytest.mark.slow
def test_killed_at_twenty_random_moments(sandbox: Sandbox, undisturbed: Traces, tmp_path: Path) -> None:
    settings, killed = disturb(sandbox, tmp_path, 15, FAIL_POINTS, seed=int(os.environ.get("PAPERLORA_TEST_SEED", "1")))
    assert killed >= 17
    check(sandbox, settings, undisturbed, 21)
