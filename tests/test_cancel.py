"""A stage that a person cancels in Prefect's UI: nothing half-written stays, and the next run goes on where it was."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from nights import Nights
from waiting import until

from paperlora.control import stack
from paperlora.control.api import PrefectApi, Run
from paperlora.judge.asking import FILE
from paperlora.lora.state import load_state
from paperlora.model.tiny import tiny_base
from paperlora.records import Adapter
from paperlora.store import Store, read_json, read_manifest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LONGEST = 400.0
"""Seconds that a run is waited for; a few where the machine has nothing else to do."""
PREFECT: dict[str, object] = {"port": 20_000 + (os.getpid() + 500) % 10_000}
STEPS = 400
SLOW: dict[str, dict[str, object]] = {
    "prefect": PREFECT, "recipe": {"max_steps": STEPS, "epochs": 500.0, "batch_size": 2},
    "judge": {"max_new_tokens": 100, "batch_rows": 2},
}  # fmt: skip
"""Long enough to be cancelled in the middle."""


class House(NamedTuple):
    """A running stack on the tiny model, with one paper's dataset."""

    nights: Nights
    dataset: str
    api: PrefectApi

    @property
    def work(self) -> Path:
        """Where stages keep what lets them go on."""
        return self.nights.settings.home.expanduser().resolve() / "work"

    def start(self, stage: str, **parameters: object) -> Run:
        """A run of a stage's deployment."""
        return self.api.start(f"{stage}/{stage}", {"config": str(self.nights.config), **parameters})

    def cancel(self, run: Run, underway: Callable[[], object]) -> None:
        """Cancel as the UI does, as soon as there is something to lose, and wait until the run and its process are gone."""
        until(lambda: underway() or self.api.run(run.id).final, LONGEST)
        assert not self.api.run(run.id).final, self.api.last_error(self.api.run(run.id))
        process = self.api.run(run.id).process
        self.api.set_state(run, "CANCELLING", "Cancelling")
        assert self.settle(run).state == "CANCELLED"
        assert process is not None
        until(lambda: not Path("/proc", process.rpartition(":")[2]).exists(), LONGEST)

    def settle(self, run: Run) -> Run:
        """The run when it ended."""
        until(lambda: self.api.run(run.id).final, LONGEST)
        return self.api.run(run.id)

    def left(self, kind: str) -> list[str]:
        """Everything of a kind in the store, complete or not, hidden or not."""
        folder = Path(self.nights.store.root, kind)
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    root = tmp_path_factory.mktemp("cancelled")
    tiny_base(root / "base")
    nights = Nights(root, root / "base")
    nights.write(SLOW)
    dataset = nights.dataset()
    running = stack.start(nights.settings, nights.config, owner=None)
    try:
        with PrefectApi(running.api_url) as api:
            yield House(nights, dataset, api)
    finally:
        stack.stop(nights.settings)


def steps_kept(house: House) -> int:
    """Steps of the training that is kept in the work folder; 0 without one."""
    kept = [state for path in (house.work / "train").glob("*") if (state := load_state(path)) is not None]
    return max((state.progress.step for state in kept), default=0)


def test_a_cancelled_training_leaves_nothing_half_written_and_goes_on(house: House) -> None:
    run = house.start("train", datasets=[house.dataset])
    house.cancel(run, lambda: (step := house.api.step(house.api.run(run.id))) is not None and step.percent > 0)
    assert house.left("adapters") == [] == house.left("runs")
    done = steps_kept(house)
    assert 0 < done < STEPS
    began = time.time()
    ended = house.settle(house.start("train", datasets=[house.dataset]))
    assert ended.state == "COMPLETED", house.api.last_error(ended)
    (name,) = house.left("adapters")
    folder = Path(house.nights.store.root, "adapters", name)
    adapter = read_json(folder / "adapter.json", Adapter)
    assert adapter.steps == STEPS
    # The start of its dose curve was saved before the cancellation: it went on and did not begin anew.
    first = [path.stat().st_mtime for path in (folder / adapter.checkpoints[0].folder).rglob("*") if path.is_file()]
    assert first and max(first) < began and steps_kept(house) == 0


def test_a_cancelled_judgement_leaves_nothing_half_written_and_goes_on(house: House) -> None:
    (name,) = house.left("adapters")
    run, answers = house.start("judge"), house.work / "judge" / FILE
    house.cancel(run, lambda: answers.is_file() and b"\n" in answers.read_bytes())
    assert house.left("judgements") == []
    kept = answers.read_text(encoding="utf-8").rpartition("\n")[0]
    # The same judgement with larger batches: what was answered is answered.
    house.nights.write({**SLOW, "judge": {**SLOW["judge"], "batch_rows": 64}})
    ended = house.settle(house.start("judge"))
    assert ended.state == "COMPLETED", house.api.last_error(ended)
    (judgement,) = house.left("judgements")
    manifest = read_manifest(Store.at(house.nights.store.root).uri("judgements", judgement))
    assert [uri.partition("#")[0].rsplit("/", 1)[1] for uri in manifest.inputs] == [name] and manifest.counts["verdicts"] == 2
    later = answers.read_text(encoding="utf-8")
    asked = [json.loads(line)[0] for line in later.splitlines()]
    assert kept and later.startswith(kept) and len(asked) == len(set(asked)), "a question that was answered was asked again"
