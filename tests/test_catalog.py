"""The catalog answers both questions of lineage, and can be made anew from the manifests."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from paperlora.catalog import Catalog, item_id
from paperlora.judge.stability import REPEAT
from paperlora.records import (
    Document,
    Idea,
    Interval,
    Lesson,
    MicroDataset,
    Paper,
    Quote,
    Rate,
    Reject,
    Section,
    Verdict,
)
from paperlora.store import Store, write_json, write_jsonl

PAPER = Paper(id="arxiv:9901.00001", title="Tidal Replay", sources=("arxiv",))
QUOTE = Quote(section=0, heading="", page=1, start=0, end=5, text="share")
IDEA = Idea(
    id="1234567890abcdef", paper=PAPER.key, topic="memory", reader="extractive/1", kind="recipe", claim="c", subject="Tidal Replay",
    relation="replay share", answer="37 percent", answer_kind="number", qwen_change="x", prediction="y", quotes=(QUOTE,),
)
LESSON = Lesson(
    id="lesson-1", topic="memory", paper=PAPER.key, idea=IDEA.id, verdict="v1", kind="PARTIAL", text="t", advice="do",
    evidence=("v1",), created=datetime(2026, 1, 1, tzinfo=UTC),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.at(tmp_path / "store")
    with store.writing("documents", "d") as draft:
        write_json(draft.path / "paper.json", PAPER)
        document = Document(
            paper=PAPER.key, sha256="0", title="t", sections=(Section(heading="", text="share", page=1),), pages=1, parser="p", parser_version="1",
        )
        write_json(draft.path / "document.json", document)
    with store.writing("ideas", "i") as draft:
        write_jsonl(draft.path / "ideas.jsonl", [IDEA])
        draft.rejects.append(Reject(stage="distill", item="idea:bad", reason="quote_not_found"))
    return store


@pytest.fixture
def datasets(tmp_path: Path) -> Store:
    store = Store.at(tmp_path / "datasets")
    with store.writing("arxiv-9901.00001v1", "0123456789ab") as draft:
        dataset = MicroDataset(
            id="arxiv-9901.00001v1/0123456789ab", revision="0123456789ab", paper=PAPER, topic="memory", ideas=(IDEA,),
            reader="extractive/1", counts={"rows": 1}, probes_hash="0", lessons=(LESSON.id,),
        )
        write_json(draft.path / "dataset.json", dataset)
    return store


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}")


def run(store: Store, key: str, handled: list[str], rejects: list[Reject]) -> None:
    with store.writing("runs", key) as draft:
        write_json(draft.path / "handled.json", handled)
        draft.settings = {"stage": "ingest"}
        draft.rejects = rejects


def test_counts_lineage_and_rebuild(store: Store, datasets: Store, catalog: Catalog) -> None:
    assert catalog.refresh([store, datasets]) == 3
    assert catalog.refresh([store, datasets]) == 0
    status = catalog.status()
    assert (status.papers, status.documents, status.ideas, status.datasets, status.adapters) == (1, 1, 1, 1, 0)
    assert status.rejects == {"distill": {"quote_not_found": 1}}
    paper, dataset = catalog.show(PAPER.key), catalog.show("arxiv-9901.00001v1/0123456789ab")
    assert paper is not None
    assert dataset is not None
    assert paper.descendants == ("arxiv-9901.00001v1/0123456789ab", "document:arxiv:9901.00001v1", item_id(IDEA))
    assert dataset.ancestors == ("arxiv:9901.00001v1", "document:arxiv:9901.00001v1", item_id(IDEA), "lesson-1")
    assert catalog.rebuild([store, datasets]) == 3
    assert catalog.status() == status


def test_verdicts_of_other_seeds_count_no_topic_twice(store: Store, datasets: Store, catalog: Catalog) -> None:
    """Three seeds absorb one idea: one success. Each can be shown, and the lessons of all stay."""
    rate = Rate(right=12, asked=12, low=0.8, high=1.0)
    verdicts = [
        Verdict(
            id=f"v{seed}", idea=IDEA.id, adapter=f"a{seed}", paper=PAPER.key, topic="memory", claim="c", kind="ABSORBED_DEEP", reason="r",
            flags=(REPEAT,) if seed else (), base=rate, adapted=rate, gain=Interval(value=0.0, low=0.0, high=0.0),
        )
        for seed in range(3)
    ]  # fmt: skip
    with store.writing("papers", "p") as draft:
        write_jsonl(draft.path / "papers.jsonl", [PAPER.model_copy(update={"topics": ("memory",)})])
    with store.writing("judgements", "j") as draft:
        write_jsonl(draft.path / "verdicts.jsonl", verdicts)
    catalog.refresh([store, datasets])
    (topic,) = catalog.topics()
    assert (topic.absorbed, topic.verdicts) == (1, 1)
    assert catalog.status().verdicts == {"ABSORBED_DEEP": 1} and catalog.status().repeats == 2
    assert len(catalog.records("verdict")) == 3
    entries = [catalog.show(one.id) for one in verdicts]
    assert [entry.role for entry in entries if entry] == ["", "repeat", "repeat"]


def test_a_placebos_rows_are_no_papers_loss_and_its_facts_no_ideas(store: Store, catalog: Catalog) -> None:
    """It stands on its recipe's shelf: listed, shown, and counted with nothing that papers gave or lost."""
    fact = IDEA.model_copy(update={"id": "0" * 16, "paper": "placebo:shuffled-0v1"})
    dataset = MicroDataset(
        id="placebo-shuffled-0/1", revision="1", paper=Paper(id="placebo:shuffled-0", title="A note"), topic="shuffled", ideas=(fact,),
        reader="placebo/1", counts={"rows": 1}, probes_hash="0",
    )  # fmt: skip
    with Store.at(f"{store.root}/placebos/recipe").writing("datasets", "shuffled-0") as draft:
        write_json(draft.path / "dataset.json", dataset)
        draft.rejects = [Reject(stage="distill", item=f"idea:{fact.id}", reason="too_alike")]
    before = catalog.refresh([store]), catalog.status()
    assert before[0] == 3 and before[1].datasets == 0 and before[1].rejects == {"distill": {"quote_not_found": 1}}
    entry = catalog.show(dataset.id)
    assert entry is not None and (entry.role, entry.ancestors, entry.uri) == ("placebo", (), f"{store.root}/placebos/recipe/datasets/shuffled-0")
    assert catalog.records("dataset") == () and catalog.refresh([store]) == 0
    assert (catalog.rebuild([store]), catalog.status()) == before


def test_show_takes_the_beginning_of_an_id_literally(store: Store, datasets: Store, catalog: Catalog) -> None:
    catalog.refresh([store, datasets])
    entry = catalog.show("idea:1234")
    assert entry is not None
    assert entry.kind == "idea"
    assert catalog.show("ide%") is None
    assert catalog.show("nothing") is None


def test_paper_that_failed_and_then_went_through_is_not_counted_twice(store: Store, catalog: Catalog) -> None:
    run(store, "ingest-a-1", ["arxiv:1v1", "arxiv:2v1"], [
        Reject(stage="ingest", item="arxiv:1v1", reason="source_unavailable"), Reject(stage="ingest", item="arxiv:2v1", reason="pdf_broken"),
    ])
    catalog.refresh([store])
    assert catalog.status().rejects["ingest"] == {"pdf_broken": 1, "source_unavailable": 1}
    run(store, "ingest-a-2", ["arxiv:1v1"], [])
    catalog.refresh([store])
    assert catalog.status().rejects["ingest"] == {"pdf_broken": 1}
    catalog.rebuild([store])
    assert catalog.status().rejects["ingest"] == {"pdf_broken": 1}


def test_lesson_is_read_back_whole(store: Store, catalog: Catalog) -> None:
    with store.writing("lessons", "l") as draft:
        write_jsonl(draft.path / "lessons.jsonl", [LESSON])
    catalog.refresh([store])
    assert catalog.lessons() == (LESSON,)


def test_several_writers_at_once_lose_nothing(store: Store, catalog: Catalog, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    url = f"sqlite:///{tmp_path / 'catalog.sqlite'}"

    def add(number: int) -> None:
        mine = Catalog(url)
        mine.add_papers([Paper(id=f"arxiv:{number}.{i}", title="t") for i in range(20)])
        mine.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))
    assert catalog.status().papers == 80


def test_claims_that_no_gate_let_pass_are_counted_until_the_paper_is_read_anew(store: Store, catalog: Catalog, tmp_path: Path) -> None:
    """The run that handles the paper ends none of them, and six of one reason are six."""
    def read(key: str, *reasons: str) -> None:
        with store.writing("readings", f"r-{key}") as draft:
            draft.rejects = [Reject(stage="distill", item=PAPER.key, reason=reason) for reason in reasons]
        with store.writing("ideas", key) as draft:
            write_jsonl(draft.path / "ideas.jsonl", [])
            draft.rejects = [Reject(stage="distill", item=PAPER.key, reason=reason, detail=f"claim {n}") for n, reason in enumerate(reasons)]

    datasets = Store.at(tmp_path / "none")
    read("one", *["answer_too_long"] * 6, "quote_not_found")
    run(store, "distill-1", [PAPER.key], [Reject(stage="distill", item=PAPER.key, reason="no_ideas")])
    catalog.refresh([store, datasets])
    counted = {"answer_too_long": 6, "quote_not_found": 2, "no_ideas": 1}
    assert catalog.status().rejects["distill"] == counted
    told = {reject.reason: reject.detail for reject in catalog.show(PAPER.key).rejects}
    assert set(told) == {"answer_too_long", "quote_not_found", "no_ideas"} and told["answer_too_long"] == "claim 0 (and 5 more)"
    catalog.rebuild([store, datasets])
    assert catalog.status().rejects["distill"] == counted
    read("two", "not_entailed")
    catalog.refresh([store, datasets])
    assert catalog.status().rejects["distill"] == {"not_entailed": 1, "quote_not_found": 1, "no_ideas": 1}
