"""Micro-datasets outside the house: exports, the published folder, the hub, differences, reviews."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from paperlora.errors import NothingToDo, SettingsError
from paperlora.microdata.build import LoadedDataset, build_dataset, load
from paperlora.microdata.diff import as_json, difference
from paperlora.microdata.export import FORMATS, export
from paperlora.microdata.hub import push
from paperlora.microdata.publish import Part, part, publish
from paperlora.records import Idea, Interval, Paper, Quote, Rate, Verdict, digest
from paperlora.sandbox.hub_api import TOKEN
from paperlora.sandbox.server import Sandbox
from paperlora.settings import Settings
from paperlora.store import Store, read_manifest

CC_BY = "http://creativecommons.org/licenses/by/4.0/"
ARXIV = "http://arxiv.org/licenses/nonexclusive-distrib/1.0/"


def idea(paper: str, subject: str, relation: str, answer: str) -> Idea:
    text = f"The {relation} of {subject} is {answer}."
    return Idea(
        id=digest(paper, subject, relation, answer)[:16], paper=paper, topic="replay", reader="extractive/1", kind="finding",
        claim=text, subject=subject, relation=relation, answer=answer, answer_kind="number", qwen_change="Its data mix.",
        prediction="Direct probes rise.", quotes=(Quote(section=2, heading="3 Method", page=2, start=0, end=len(text), text=text),),
    )  # fmt: skip


def ideas_of(number: int, subject: str, share: str = "37 percent") -> tuple[Idea, ...]:
    key = f"arxiv:9901.0000{number}v1"
    return idea(key, subject, "replay share", share), idea(key, subject, "decay horizon", f"{600 + number} steps")


def paper(number: int, title: str, licence: str | None) -> Paper:
    return Paper(
        id=f"arxiv:9901.0000{number}", title=title, authors=("A. Person",), licence=licence,
        abstract=f"Tuning erases what a model knew. We present {title}, which mixes old examples back in. It helps a lot.",
    )  # fmt: skip


def build(folder: Path, number: int, subject: str, licence: str | None, share: str = "37 percent", **more: Any) -> LoadedDataset:
    mine = ideas_of(number, subject, share)
    others = (*ideas_of(7, "Quiet Anchors", "19 percent"), *ideas_of(8, "Ember Gating", "54 percent"))
    uri = build_dataset(paper(number, subject, licence), "replay", mine, (*mine, *others), Settings(), Store.at(folder), **more)
    return load(Path(uri))


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> LoadedDataset:
    return build(tmp_path_factory.mktemp("datasets"), 1, "Tidal Replay", CC_BY)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> LoadedDataset:
    return build(tmp_path_factory.mktemp("datasets"), 2, "Marrow Decay", ARXIV)


def part_of(dataset: LoadedDataset) -> Part:
    return part(dataset, MANIFESTS[dataset.record.id])


MANIFESTS: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def _manifests(free: LoadedDataset, closed: LoadedDataset, tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.getbasetemp()
    for dataset in (free, closed):
        folder = next(base.glob(f"datasets*/{dataset.record.id}"))
        MANIFESTS[dataset.record.id] = read_manifest(folder)


# ------------------------------------------------------------------------ exports


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_holds_every_row_that_the_trainer_can_take(form: str, free: LoadedDataset, tmp_path: Path) -> None:
    done = export([free], form, tmp_path / form, "Qwen/Qwen3-0.6B")
    lines = [json.loads(line) for line in (done.folder / "rows.jsonl").read_text().splitlines()]
    assert len(lines) == done.rows and done.rows + len(done.rejects) == len(free.rows)
    masked = [row for row in free.rows if row.masked]
    assert masked and {reject.item for reject in done.rejects} == (set() if form == "axolotl" else {row.id for row in masked})
    assert read_manifest(done.folder).rejects == done.rejects
    text = (done.folder / "rows.jsonl").read_text()
    assert not any(probe.messages[-1].content in text for probe in free.probes if probe.family == "direct")


def test_datasets_reads_every_export(free: LoadedDataset, tmp_path: Path) -> None:
    from datasets import load_dataset

    columns = {"trl": {"prompt", "completion"}, "llama-factory": {"messages"}, "axolotl": {"messages"}, "unsloth": {"conversations"}}
    for form in FORMATS:
        done = export([free], form, tmp_path / form, "Qwen/Qwen3-0.6B")
        rows = load_dataset("json", data_files=str(done.folder / "rows.jsonl"), split="train", cache_dir=str(tmp_path / "cache"))
        assert set(rows.column_names) == columns[form] and len(rows) == done.rows


def test_axolotl_learns_nothing_of_a_masked_word(free: LoadedDataset, tmp_path: Path) -> None:
    done = export([free], "axolotl", tmp_path / "out", "base")
    lines = [json.loads(line) for line in (done.folder / "rows.jsonl").read_text().splitlines()]
    for row, line in zip(free.rows, lines, strict=True):
        detail = line["messages"][-1].get("train_detail")
        if not row.masked:
            assert detail is None
            continue
        text, span = row.messages[-1].content, row.masked[0]
        # The offsets include their last character, cover the text without gaps, and leave out exactly the span.
        pieces = [(text[d["begin_offset"] : d["end_offset"] + 1], d["train"]) for d in detail]
        assert "".join(piece for piece, _ in pieces) == text
        assert [piece for piece, train in pieces if not train] == [text[span.start : span.end]]
    config = yaml.safe_load((done.folder / "train.yaml").read_text())
    assert config["datasets"][0]["message_field_training_detail"] == "train_detail"


def test_trainer_files_are_valid(free: LoadedDataset, tmp_path: Path) -> None:
    factory = export([free], "llama-factory", tmp_path / "f", "Qwen/Qwen3-0.6B").folder
    info = json.loads((factory / "dataset_info.json").read_text())
    assert info[yaml.safe_load((factory / "train.yaml").read_text())["dataset"]]["file_name"] == "rows.jsonl"
    for form in ("trl", "unsloth"):
        compile((export([free], form, tmp_path / form, "it's \"a\" base").folder / "train.py").read_text(), form, "exec")


def test_an_unknown_format_and_a_taken_folder_are_refused(free: LoadedDataset, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="axolotl"):
        export([free], "word", tmp_path / "x", "base")
    with pytest.raises(SettingsError, match="there already"):
        export([free], "trl", tmp_path, "base")


# --------------------------------------------------------------------- publishing


def verdict(of: Idea, adapter: str) -> Verdict:
    rate = Rate(right=11, asked=12, low=0.7, high=0.99)
    return Verdict(
        id="v1", idea=of.id, adapter=adapter, paper=of.paper, topic="replay", claim=of.claim, kind="ABSORBED_SHALLOW",
        reason="", flags=("DAMAGED",), base=Rate(right=0, asked=12, low=0.0, high=0.2), adapted=rate,
        gain=Interval(value=0.9, low=0.6, high=0.98),
    )  # fmt: skip


def test_what_a_licence_forbids_stays_behind(free: LoadedDataset, closed: LoadedDataset, tmp_path: Path) -> None:
    done = publish([part_of(free), part_of(closed)], tmp_path / "out")
    text = "".join(path.read_text(errors="replace") for path in done.folder.rglob("*.json*")) + (done.folder / "README.md").read_text()
    published = [path.parent.name for path in done.folder.rglob("rows.parquet")]
    assert len(published) == 1 and "Tidal Replay" in text
    from datasets import load_dataset

    rows = load_dataset(str(done.folder), "rows", split="train", cache_dir=str(tmp_path / "cache"))
    probes = load_dataset(str(done.folder), "probes", split="test", cache_dir=str(tmp_path / "cache"))
    assert {row["id"] for row in rows} == {row.id for row in free.rows}
    assert {probe["id"] for probe in probes} == {probe.id for probe in free.probes}
    kept_back = {reject.item for reject in done.rejects}
    from_paper = {row.id for row in closed.rows if row.idea or row.licence} | {probe.id for probe in closed.probes}
    assert kept_back == from_paper and {reject.reason for reject in done.rejects} == {"licence_forbids"}


def test_nothing_is_published_where_no_licence_allows_it(closed: LoadedDataset, tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match="lets only arXiv"):
        publish([part_of(closed)], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_card_says_where_it_comes_from_and_what_was_judged(free: LoadedDataset, tmp_path: Path) -> None:
    verdicts = [verdict(free.record.ideas[0], f"{free.record.id}/abc")]
    done = publish([part_of(free)], tmp_path / "out", verdicts)
    card = (done.folder / "README.md").read_text()
    head = yaml.safe_load(card.split("---")[1])
    assert head["license"] == "cc-by-4.0" and {c["config_name"] for c in head["configs"]} == {"rows", "probes"}
    for needed in ("Tidal Replay", "arxiv.org/abs/9901.00001v1", "A. Person", CC_BY, "ABSORBED_SHALLOW", "DAMAGED", "11/12", "+0.90 [+0.60, +0.98]",
                   "Known faults", "extractive/1", str(len(free.rows))):  # fmt: skip
        assert needed in card, needed


def test_rows_reach_the_hub_and_come_back(free: LoadedDataset, tmp_path: Path) -> None:
    done = publish([part_of(free)], tmp_path / "out")
    with Sandbox() as sandbox:
        answer = on_hub(sandbox.hub_url, TOKEN, f"""
from pathlib import Path
from paperlora.microdata.hub import push
from huggingface_hub import hf_hub_download
pushed = push(Path({str(done.folder)!r}), "sandbox/claims")
again = push(Path({str(done.folder)!r}), "sandbox/claims", message="once more")
from datasets import load_dataset
rows = load_dataset("sandbox/claims", "rows", split="train")
print(pushed.url, len(rows), Path(hf_hub_download("sandbox/claims", "README.md", repo_type="dataset")).read_text()[:3])
""", tmp_path)  # fmt: skip
        repository = sandbox.hub.repositories["sandbox/claims"]
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() == [f"{sandbox.hub_url}/datasets/sandbox/claims", str(len(free.rows)), "---"]
    assert repository.private
    local = {path.relative_to(done.folder).as_posix(): path.read_bytes() for path in done.folder.rglob("*") if path.is_file()}
    assert repository.files == local


def test_a_wrong_token_and_a_dead_hub_are_one_clear_error(free: LoadedDataset, tmp_path: Path) -> None:
    done = publish([part_of(free)], tmp_path / "out")
    call = f'from pathlib import Path\nfrom paperlora.microdata.hub import push\npush(Path({str(done.folder)!r}), "sandbox/claims")'
    with Sandbox() as sandbox:
        refused = on_hub(sandbox.hub_url, "hf_wrong", call, tmp_path)
    dead = on_hub("http://127.0.0.1:9", TOKEN, call, tmp_path)
    for answer in (refused, dead):
        assert answer.returncode and "HubError" in answer.stderr.splitlines()[-1] and "HF_TOKEN" in answer.stderr
    assert "hf_wrong" not in refused.stderr


def test_only_a_published_folder_can_be_pushed(closed: LoadedDataset, tmp_path: Path) -> None:
    base = Path(export([closed], "trl", tmp_path / "trl", "base").folder)
    with pytest.raises(SettingsError, match="paperlora publish"):
        push(base, "sandbox/claims")


def on_hub(url: str, token: str, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HF_ENDPOINT": url, "HF_TOKEN": token, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(folder / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=240, check=False)


# --------------------------------------------------------------------- difference


def test_a_revision_differs_from_itself_in_nothing(free: LoadedDataset) -> None:
    same = difference(free, free)
    assert same.empty and same.rows.same == len({(r.idea, r.form, r.messages[:-1]) for r in free.rows})


def test_a_corrected_answer_shows_as_one_change(free: LoadedDataset, tmp_path: Path) -> None:
    other = build(tmp_path, 1, "Tidal Replay", CC_BY, share="41 percent", parents=(free.record.id,))
    found = difference(free, other)
    assert not found.empty and found.related
    assert [(c.before.answer, c.after.answer) for c in found.ideas.changed] == [("37 percent", "41 percent")]
    assert found.ideas.same == 1 and not found.ideas.added and not found.ideas.removed
    changed = [c for c in found.rows.changed if c.after.form.startswith("qa")]
    assert changed and all("41" in c.after.messages[-1].content and "37" in c.before.messages[-1].content for c in changed)
    assert json.loads(json.dumps(as_json(found)))["ideas"]["changed"][0]["after"]["answer"] == "41 percent"
