"""The whole loop under a real Prefect server with real workers, against the sandbox, on a tiny model.

One stack serves the module. What is proved by counting: a stage that failed is run again alone.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from prefect.settings import PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS, temporary_settings
from waiting import until

from paperlora.catalog import open_catalog
from paperlora.control import stack
from paperlora.control.api import PrefectApi, Run
from paperlora.control.rerun import revive
from paperlora.records import Adapter, Paper
from paperlora.sandbox.corpus import PAPERS, TOPICS
from paperlora.sandbox.server import Sandbox
from paperlora.settings import Settings, load_settings
from paperlora.store import Store, read_json
from tasks.policy import retry_pauses

pytestmark = pytest.mark.timeout(1500)

PORT = 20_000 + os.getpid() % 10_000
"""First port that is tried: another one in every session that runs the tests on this machine."""
LONGEST = 400.0
"""Seconds that a run is waited for: some thirty where the machine has nothing else to do."""


class House(NamedTuple):
    """A running stack with its sandbox."""

    settings: Settings
    config: Path
    sandbox: Sandbox
    api: PrefectApi


def write_config(folder: Path, sandbox: Sandbox) -> Path:
    from paperlora.model.tiny import tiny_base

    tiny_base(folder / "tiny")
    topics = "\n".join(
        "[[topics]]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in topic.model_dump(exclude_defaults=True, mode="json").items())
        for topic in TOPICS
    )
    path = folder / "paperlora.toml"
    path.write_text(f"""
home = "{folder / 'var'}"
datasets = "{folder / 'datasets'}"
base_model = "{folder / 'tiny'}"
arxiv = {{ url = "{sandbox.arxiv_url}", delay_seconds = 0.0 }}
semantic_scholar = {{ url = "{sandbox.semantic_scholar_url}", delay_seconds = 0.0 }}
llm = {{ provider = "openai", base_url = "{sandbox.llm_url}", model = "sandbox" }}
recipe = {{ rank = 4, alpha = 8.0, learning_rate = 1e-3, epochs = 2.0, checkpoints = 2 }}
train = {{ max_adapters = 3, bank_size = 3 }}
ideas = {{ max_per_paper = 2 }}
judge = {{ max_new_tokens = 6 }}
prefect = {{ port = {PORT}, retry_seconds = [0.2, 0.4] }}
{topics}
""")
    return path


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with Sandbox() as sandbox:
        config = write_config(folder, sandbox)
        settings = load_settings(config)
        running = stack.start(settings, config, owner=None)
        try:
            with PrefectApi(running.api_url) as api:
                yield House(settings, config, sandbox, api)
        finally:
            stack.stop(settings)


def settle(api: PrefectApi, run: Run) -> Run:
    deadline = time.monotonic() + LONGEST
    while True:
        run = api.run(run.id)
        if run.final:
            return run
        assert time.monotonic() < deadline, f"{run.name} is still {run.state_name}"
        time.sleep(0.2)


def tries(api: PrefectApi, run: Run) -> dict[str, int]:
    """How often each task of a run was tried."""
    found = api._ask("POST", "/task_runs/filter", {"flow_runs": {"id": {"any_": [run.id]}}})
    return {task["name"].rsplit("-", 1)[0]: task["run_count"] for task in found}


def trained_steps(settings: Settings) -> dict[str, float]:
    """When each adapter's folder was made: a repeated training would make it anew."""
    store = Store.at(settings.store_root)
    return {uri: (Path(uri) / "adapter.json").stat().st_mtime for uri in store.folders("adapters")}


def stages(api: PrefectApi, run: Run) -> dict[str, str]:
    return {api.flow_name(child): child.state for child in api.children(run)}


def test_a_task_waits_as_long_as_prefects_setting_says_before_it_is_tried_again() -> None:
    assert retry_pauses(2) == list(Settings().prefect.retry_seconds)
    assert retry_pauses(3) == [5, 60, 60]
    with temporary_settings({PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS: 0.5}):
        assert retry_pauses(2) == [0.5, 0.5]
    with temporary_settings({PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS: [1, 2, 3]}):
        assert retry_pauses(2) == [1, 2]


def test_failed_stage_retried_in_the_ui_carries_the_night_on(house: House) -> None:
    """The LLM endpoint is down: distill fails. Retry of that child is all it takes."""
    house.sandbox.fault("llm.chat", "unavailable")
    night = house.api.start("nightly/nightly", {"config": str(house.config)})
    assert settle(house.api, night).state == "FAILED"
    assert stages(house.api, night) == {"ingest": "COMPLETED", "distill": "FAILED"}
    fetched = {name: count for name, count in house.sandbox.counts.items() if name.startswith(("arxiv", "s2"))}
    assert fetched["arxiv.pdf"] > 0

    failed = next(child for child in house.api.children(night) if child.state == "FAILED")
    until(lambda: tries(house.api, failed).get("ideas") == 3, LONGEST)  # the server books what tasks did a little later

    house.sandbox.heal()
    house.api.retry(failed)
    assert settle(house.api, failed).state == "COMPLETED"
    until(lambda: house.api.run(night.id).state != "FAILED", LONGEST)
    ended = settle(house.api, night)
    assert ended.state == "COMPLETED", house.api.last_error(ended)
    assert stages(house.api, night) == dict.fromkeys(("ingest", "distill", "train", "judge", "reflect"), "COMPLETED")
    assert {name: count for name, count in house.sandbox.counts.items() if name.startswith(("arxiv", "s2"))} == fetched


def test_every_paper_is_accounted_for(house: House) -> None:
    catalog = open_catalog(house.settings)
    papers = {paper.key for paper in catalog.records("paper") if isinstance(paper, Paper)}
    read = {key for key in papers if (entry := catalog.show(f"document:{key}")) is not None and entry.kind == "document"}
    rejects = catalog.rejects()
    status = catalog.status()
    catalog.close()
    dropped = {reject.item for reject in rejects if reject.stage == "ingest"}
    assert papers == read | (dropped & papers)
    assert not read & dropped
    assert status.papers == status.documents + sum(status.rejects["ingest"].values())
    assert {f"arxiv:{paper.arxiv_id}" for paper in PAPERS if paper.arxiv_id} <= {key.rsplit("v", 1)[0] for key in papers}
    for key in read:
        entry = catalog.show(key)
        assert entry is not None
        datasets = [item for item in entry.descendants if item.startswith(key.replace(":", "-"))]
        assert datasets or any(r.item == key and r.stage == "distill" for r in rejects), f"{key} vanished after it was read"


def test_the_loop_ends_in_verdicts_lessons_and_a_report(house: House) -> None:
    catalog = open_catalog(house.settings)
    status = catalog.status()
    adapters = [record for record in catalog.records("adapter") if isinstance(record, Adapter)]
    catalog.close()
    assert status.adapters == len(adapters) == 3
    assert sum(status.verdicts.values()) == status.lessons > 0
    assert status.rejects["train"]["deferred"] == status.datasets - 3
    assert all(adapter.steps > 0 and adapter.delta_norm > 0 for adapter in adapters)
    report = (house.settings.home / "report.html").read_text(encoding="utf-8")
    assert all(adapter.paper in report for adapter in adapters)


def test_rerun_from_judge_fetches_asks_and_trains_nothing(house: House) -> None:
    night = next(run for run in house.api.runs(deployment="nightly") if run.state == "COMPLETED")
    before, steps = dict(house.sandbox.counts), trained_steps(house.settings)
    top = revive(house.api, night.id[:8], "judge")
    assert top.id == night.id
    ended = settle(house.api, top)
    assert ended.state == "COMPLETED", house.api.last_error(ended)
    assert dict(house.sandbox.counts) == before
    assert trained_steps(house.settings) == steps


def test_second_night_asks_the_sources_but_repeats_no_work(house: House) -> None:
    before, steps = dict(house.sandbox.counts), trained_steps(house.settings)
    night = house.api.start("nightly/nightly", {"config": str(house.config)})
    assert settle(house.api, night).state == "COMPLETED"
    after = dict(house.sandbox.counts)
    assert after["arxiv.query"] > before["arxiv.query"]
    assert after["arxiv.pdf"] == before["arxiv.pdf"]
    assert after["llm.chat"] == before["llm.chat"]
    assert trained_steps(house.settings) == steps


def test_altered_adapter_fails_the_judge_loudly(house: House) -> None:
    store = Store.at(house.settings.store_root)
    weights = next(Path(store.folders("adapters")[0]).glob("adapter/*.safetensors"))
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        run = settle(house.api, house.api.start("judge/judge", {"config": str(house.config)}))
        assert run.state == "FAILED"
        assert "was altered" in house.api.last_error(run)
    finally:
        weights.write_bytes(whole)


def test_stack_is_found_and_knows_its_pools(house: House) -> None:
    running = stack.current(house.settings)
    assert running is not None
    assert set(house.api.pools()) == {"cpu", "gpu"}
    assert len(stack.members(running.id)) >= 3
    assert stack._environment(house.settings, house.config, running)["PREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS"] == "[0.2, 0.4]"
    paper = read_json(Path(Store.at(house.settings.store_root).folders("documents")[0]) / "paper.json", Paper)
    assert paper.topics
