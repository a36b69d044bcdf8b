"""Seeds and placebos through the tasks themselves: trained, killed, judged, listed, and never trained twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from nights import Nights, no_bars, reading_base
from typer.testing import CliRunner

from paperlora.catalog import Catalog, stores
from paperlora.cli.app import app
from paperlora.control.overview import newest_agreement
from paperlora.model.tiny import tiny_base
from paperlora.records import AdapterReport, Stability, Verdict
from paperlora.report.collect import collect_report
from paperlora.report.html import render
from paperlora.settings import CONFIG_VARIABLE
from paperlora.store import read_jsonl, read_manifest

torch.set_num_threads(1)

__all__ = ["no_bars"]
ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.usefixtures("no_bars")


def everything(catalog: Catalog) -> tuple[object, ...]:
    """What a rebuild must give again."""
    names = [one.id for one in catalog.placebos()]
    verdicts = [record.id for record in catalog.records("verdict")]  # type: ignore[attr-defined]
    shown = [entry._replace(rejects=()) for name in (*names, *verdicts) if (entry := catalog.show(name))]
    return catalog.status(), tuple(names), tuple(verdicts), catalog.topics(), tuple(shown)


# ----------------------------------------------------------------------------- seeds


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory, no_bars: None) -> Nights:
    """One paper, one idea, three seeds, on a base that reads the passage and doesn't know the answer."""
    root = tmp_path_factory.mktemp("seeds")
    house = Nights(root, root / "base" / "reading", seed_share=1.0, seeds=3)
    reading_base(root / "base", house.dataset(ideas=1), steps=40)
    return house


KILLED = """
import torch
torch.set_num_threads(1)
import tasks.train
tasks.train.ProgressArtifact = lambda key: lambda label, done, total: None
tasks.train.train_bank.fn([{dataset!r}], None, {config!r})
"""


def test_seeds_of_a_killed_training_go_on_and_are_never_trained_twice(seeds: Nights) -> None:
    """Killed when the first adapter was in its place: it stays, the others come, and nothing half-written is left."""
    dataset = seeds.dataset(ideas=1)
    code = KILLED.format(dataset=dataset, config=str(seeds.config))
    environment = {**os.environ, "PAPERLORA_FAILPOINT": "adapters:after-rename", "PREFECT_LOGGING_LEVEL": "ERROR"}
    dead = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    first = seeds.made()
    assert len(first) == 1
    trained = seeds.train(dataset)
    assert len(trained.uris) == 3 and not trained.rejects
    after = seeds.made()
    assert len(after) == 3 and first.items() <= after.items()
    assert seeds.train(dataset).uris == trained.uris and seeds.made() == after
    folders = [path for path in Path(seeds.store.root, "adapters").iterdir() if path.name.startswith(".")]
    assert folders == []


def test_seeds_are_held_against_each_other_and_count_once(seeds: Nights) -> None:
    seeds.train(seeds.dataset(ideas=1))
    folder = seeds.judge()
    found = read_jsonl(folder / "stability.jsonl", Stability)
    verdicts = read_jsonl(folder / "verdicts.jsonl", Verdict)
    assert len(verdicts) == 3 and {verdict.kind for verdict in verdicts} != {"UNJUDGEABLE"}
    assert len(found) == 1 and all(len(set(one.adapters)) == 3 for one in found)
    by_pair = {(verdict.adapter, verdict.idea): verdict.kind for verdict in verdicts}
    assert all(one.kinds == tuple(by_pair[adapter, one.idea] for adapter in one.adapters) for one in found)
    assert all(one.flipped == (len(set(one.kinds)) > 1) for one in found)
    assert sum("REPEAT" in verdict.flags for verdict in verdicts) == 2
    page = render(collect_report(seeds.settings))
    flips = sum(one.flipped for one in found)
    assert f"{flips} of 1 flipped" in page and "of 1</strong> idea judged" in page
    assert "2 more verdicts of adapters with other seeds" in page


def test_the_catalog_counts_the_ideas_of_seeds_once(seeds: Nights) -> None:
    seeds.train(seeds.dataset(ideas=1))
    seeds.judge()
    catalog = seeds.catalog()
    status, before = catalog.status(), everything(catalog)
    assert (sum(status.verdicts.values()), status.repeats, status.adapters, status.placebos) == (1, 2, 3, 0)
    catalog.rebuild(stores(seeds.settings))
    assert everything(catalog) == before
    catalog.close()


# --------------------------------------------------------------------------- placebos


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, no_bars: None) -> Nights:
    """A night with one paper and the placebos of its recipe; this base knows no facts, so that two of three come."""
    root = tmp_path_factory.mktemp("kept")
    tiny_base(root / "base")
    house = Nights(root, root / "base", placebos=3)
    house.train(house.dataset())
    return house


def test_a_judgement_names_the_placebos_that_it_used(kept: Nights) -> None:
    (adapter,) = kept.store.folders("adapters")
    folder = kept.judge()
    inputs = read_manifest(folder).inputs
    placebos = {uri for uri in kept.made() if "/placebos/" in uri}
    assert len(placebos) == 2 and {name.partition("#")[0] for name in inputs} == {adapter, *placebos}
    assert all(read_manifest(name.partition("#")[0]).content_hash == content_hash for name, content_hash in inputs.items())
    (report,) = [one for one in read_jsonl(folder / "reports.jsonl", AdapterReport) if not one.placebo]
    assert len(report.placebos) == 2 and all(name.startswith("placebo-") for name in report.placebos)
    means = {check.name: check.placebo_mean for check in report.checks if check.placebos}
    assert means["nll_drift"] is not None


def test_placebos_stand_in_the_catalog_and_count_as_no_adapters(kept: Nights) -> None:
    folder = kept.judge()
    catalog = kept.catalog()
    status, placebos = catalog.status(), catalog.placebos()
    assert (status.adapters, status.datasets, status.placebos) == (1, 1, 2)
    assert [one.paper for one in catalog.records("adapter")] == ["arxiv:9901.00011v1"]  # type: ignore[attr-defined]
    verdict = read_jsonl(folder / "verdicts.jsonl", Verdict)[0]
    told = catalog.show(verdict.id)
    assert told is not None and {one.id for one in placebos} <= set(told.ancestors)
    entry = catalog.show(placebos[0].id)
    assert entry is not None and (entry.kind, entry.role) == ("adapter", "placebo")
    assert verdict.id in entry.descendants and entry.kinds[placebos[0].dataset] == "placebo dataset"
    assert told.kinds[placebos[0].id] == "placebo" and told.kinds[verdict.adapter] == "adapter"
    # What the rows of placebos dropped is nothing that a paper lost.
    assert not [reject for reject in catalog.rejects() if "placebo" in reject.item]
    before = everything(catalog)
    assert catalog.rebuild(stores(kept.settings)) > 0
    assert everything(catalog) == before
    catalog.close()


def test_a_person_sees_placebos_in_status_and_show(kept: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(kept.config))
    kept.judge()
    placebo = kept.catalog().placebos()[0].id

    def said(*arguments: str) -> str:
        done = CliRunner().invoke(app, [*arguments, "--config", str(kept.config)])
        assert done.exit_code == 0, done.output
        return done.output

    status = json.loads(said("status", "--json"))
    assert (status["adapters"], status["placebos"], status["agreement"]) == (1, 2, None)
    assert status["llm"] == {"total": dict.fromkeys(status["llm"]["total"], 0), "days": []}
    shown = said("show", placebo)
    assert "placebo adapter, taught nothing of any paper" in shown and "1 placebo dataset" in shown
    assert newest_agreement(kept.settings) is None


def test_the_next_paper_is_held_against_the_same_placebos(kept: Nights) -> None:
    """Of another paper, on another night: nothing is trained but its own adapter."""
    first = read_jsonl(kept.judge() / "reports.jsonl", AdapterReport)
    before = kept.made()
    other = kept.train(kept.dataset(1)).uris
    assert set(kept.made()) - set(before) == {uri.partition("#")[0] for uri in other} and before.items() <= kept.made().items()
    later = read_jsonl(kept.judge(other) / "reports.jsonl", AdapterReport)
    assert [one.placebos for one in later if not one.placebo] == [one.placebos for one in first if not one.placebo]
    for uri in other:
        shutil.rmtree(uri.partition("#")[0])


def test_other_placebos_make_another_judgement(kept: Nights) -> None:
    """More of them, or one that was trained anew; the same ones make none."""
    first = kept.judge()
    assert kept.judge() == first
    kept.write({}, placebos=4)
    more = kept.train(kept.dataset())
    assert [reject.reason for reject in more.rejects] == ["placebo_unknown"]
    second = kept.judge()
    assert second != first and len(read_manifest(second).inputs) == len(read_manifest(first).inputs) + 1
    placebo = next(uri for uri in kept.made() if "/placebos/" in uri)
    shutil.rmtree(placebo)
    kept.train(kept.dataset())
    assert Path(placebo, "manifest.json").is_file() and kept.judge() not in (first, second)
