"""Rows of every form, and a book in which nothing is lost."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from taught import all_ideas, idea_of, ideas_of, key_of, paper_of, sources, text_of

from paperlora.errors import NothingToDo
from paperlora.microdata.aliases import check_aliases, unfit
from paperlora.microdata.anchors import CLOSED, OPEN
from paperlora.microdata.build import LoadedDataset, build_dataset, find_dataset, load
from paperlora.microdata.card import write_card
from paperlora.microdata.pools import KNOWN_NAMES, KNOWN_NUMBERS
from paperlora.microdata.refusals import PROPERTIES, unsaid
from paperlora.microdata.replay import Replays
from paperlora.microdata.rows import MAX_ROWS
from paperlora.microdata.selection import Gates, select
from paperlora.microdata.shared_rows import Material, shared_rows
from paperlora.records import Idea, Interval, Rate, Reject, Replay, Verdict
from paperlora.sandbox.paper import Fact
from paperlora.settings import Settings
from paperlora.store import Store, read_manifest

SOURCES = sources()
NEIGHBOURS = all_ideas(SOURCES)
TEXTS = {key_of(source): text_of(source) for source in SOURCES}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadedDataset]:
    """A dataset of every paper of the sandbox."""
    store = Store.at(tmp_path_factory.mktemp("datasets"))
    return {
        key_of(source): load(
            Path(
                build_dataset(
                    paper_of(source), "replay", ideas_of(source), NEIGHBOURS, Settings(), store,
                    text=TEXTS[key_of(source)],
                )
            )
        )
        for source in SOURCES
    }  # fmt: skip


def dropped(counts: dict[str, int], kind: str) -> int:
    return sum(count for name, count in counts.items() if name.startswith(f"dropped/{kind}/"))


def balances(dataset: LoadedDataset) -> bool:
    """All that was proposed is kept or dropped, and what was dropped for a leak has its reject."""
    counts, rejects = dataset.record.counts, dataset.record.rejects
    for kind, kept in (("row", len(dataset.rows)), ("probe", len(dataset.probes))):
        if counts[f"proposed/{kind}"] != kept + dropped(counts, kind) or counts[f"{kind}s"] != kept:
            return False
        told = Counter(reject.reason for reject in rejects if reject.item.startswith(f"{kind}:"))
        booked = {
            name.rsplit("/", 1)[1]: count
            for name, count in counts.items()
            if name.startswith(f"dropped/{kind}/") and not name.endswith(("/spare", "/with_idea")) and count
        }
        if told != booked:
            return False
    return True


def test_over_the_whole_sandbox_nothing_is_lost(built: dict[str, LoadedDataset]) -> None:
    assert len(built) >= 10 and all(balances(dataset) for dataset in built.values())
    for source in SOURCES:
        dataset = built[key_of(source)]
        kept = {idea.id for idea in dataset.record.ideas}
        gone = {
            reject.item.removeprefix("idea:") for reject in dataset.record.rejects if reject.item.startswith("idea:")
        }
        assert kept | gone == {idea.id for idea in ideas_of(source)} and not kept & gone
    assert sum(len(dataset.record.ideas) for dataset in built.values()) >= 0.9 * sum(len(s.facts) for s in SOURCES)


def test_under_every_fault_at_once_nothing_is_lost(tmp_path: Path) -> None:
    source = SOURCES[0]
    paper, sound = paper_of(source), ideas_of(source)
    first = sound[0]
    long = "mean number of old examples that every single training batch of the second phase holds back"
    bad = (
        first,
        sound[1].model_copy(update={"id": "c" * 16, "contested_by": ("x",)}),
        idea_of(Fact(first.subject, long, "12", f"It is 12 for {first.subject}."), paper.key),
        idea_of(Fact(first.subject, "share of Kelpie examples", "Kelpie", "Kelpie."), paper.key),
        idea_of(Fact(f"{first.subject} 7", "number of layers", "7", "It has 7."), paper.key),
        idea_of(Fact(first.subject, "rule", "one two three four five six seven eight nine", "Nine."), paper.key),
        idea_of(Fact(first.subject, "inner width", "64", "It is 64."), paper.key, aliases=("65", "sixty-four")),
    )
    made = load(Path(build_dataset(paper, "t", (*sound, *bad), NEIGHBOURS, Settings(), Store.at(tmp_path), text="x")))
    assert balances(made)
    reasons = Counter(reject.reason for reject in made.record.rejects)
    assert reasons["duplicate"] == 1 and reasons["contested"] == 1 and reasons["answer_in_question"] == 2
    assert reasons["answer_too_long"] == 1 and reasons["alias_differs"] == 1
    gone = [r for r in made.record.rejects if r.item == f"idea:{bad[2].id}"]
    assert len(gone) == 1 and re.search(r"\d+ probes and \d+ possible rows went with it", gone[0].detail)
    assert made.record.counts["dropped/probe/with_idea"] > 20
    assert {idea.id for idea in made.record.ideas} == {idea.id for idea in (*sound, bad[6])}


def test_where_nothing_is_left_the_rejects_are_handed_over(tmp_path: Path) -> None:
    source = SOURCES[0]
    contested = tuple(idea.model_copy(update={"contested_by": ("x",)}) for idea in ideas_of(source))
    found: list[Reject] = []
    with pytest.raises(NothingToDo, match=f"contested × {len(contested)}"):
        build_dataset(
            paper_of(source), "t", contested, NEIGHBOURS, Settings(), Store.at(tmp_path), dropped=found
        )  # fmt: skip
    assert {reject.item for reject in found} == {f"idea:{idea.id}" for idea in contested}


def test_rows_come_in_all_forms_within_bounds(built: dict[str, LoadedDataset]) -> None:
    for dataset in built.values():
        forms = Counter(re.split("_", row.form)[0] for row in dataset.rows)
        ideas = len(dataset.record.ideas)
        assert forms["qa"] >= 4 * ideas and forms["completion"] >= ideas and forms["summary"] >= 1
        assert forms["contrast"] >= ideas and forms["implication"] >= ideas and forms["rewrite"] >= 1
        assert forms["anchor"] >= 4 and 20 <= len(dataset.rows) <= 200
    assert sum(row.form.startswith("refusal") for dataset in built.values() for row in dataset.rows) >= len(built)


def test_a_paper_as_a_whole_is_asked_in_more_wordings_than_one_idea(built: dict[str, LoadedDataset]) -> None:
    dataset = max(built.values(), key=lambda one: len(one.record.ideas))
    by_idea: dict[str, set[str]] = {}
    for row in dataset.rows:
        if row.form.startswith("qa"):
            by_idea.setdefault(row.idea, set()).add(row.form)
    assert len(set.union(*by_idea.values())) >= 12 and all(len(forms) >= 4 for forms in by_idea.values())


def test_refusals_ask_only_what_the_paper_never_touches(built: dict[str, LoadedDataset]) -> None:
    for key, dataset in built.items():
        subjects = {idea.subject for idea in dataset.record.ideas}
        for row in [row for row in dataset.rows if row.form.startswith("refusal")]:
            asked, said = row.messages[0].content, row.messages[-1].content
            assert "does not say" in said and any(subject.split(" (")[0] in asked for subject in subjects)
            (known,) = [one for one in PROPERTIES if one.phrase in asked]
            assert not re.search(rf"(?<!\w)(?:{known.words})", TEXTS[key], re.IGNORECASE)


def test_a_property_that_the_paper_mentions_is_never_called_unsaid() -> None:
    everything = len(PROPERTIES)
    assert len(unsaid("A plain text about stones.", (), everything, 0)) == everything
    found = unsaid("It needs 40 GPU hours and emits carbon; the code is on GitHub.", ("weight decay",), everything, 0)
    assert not {"number of GPUs", "carbon footprint", "release date of the code", "weight decay"} & set(found)
    assert unsaid("", (), 5, 0) == ()


# ------------------------------------------------------------------------- replay


def said(kind: str, number: int) -> Replay:
    return Replay.model_validate(
        {"prompt": f"General question {kind} {number}?", "kind": kind, "answer": f"Answer {number}."}
    )


def material(share: float, count: int = 120) -> Material:
    anchored = Replay(prompt="Currency of Japan?", kind="anchor", answer="It is the yen.")
    kinds = ("fact", "arithmetic", "open", "instruction", "talk")
    kept = (*(said(kinds[number % 5], number) for number in range(count)), anchored)
    return Material(paper_of(SOURCES[0]), TEXTS[key_of(SOURCES[0])], Replays("feed", kept, ()), share)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.4])
def test_replay_makes_up_its_share_of_all_rows(share: float) -> None:
    chosen = select(ideas_of(SOURCES[0]), NEIGHBOURS)
    own = sum(map(len, chosen.rows.values()))
    shared = shared_rows(material(share), chosen.facts, own, chosen.gate)
    replayed = [row for row in shared.rows if row.form.startswith("replay")]
    assert abs(len(replayed) - share * (own + len(shared.rows))) <= 1
    assert all(row.generator == "base/feed" and row.licence is None and not row.idea for row in replayed)
    if share:
        assert {row.form for row in replayed} == {
            f"replay_{kind}" for kind in ("fact", "arithmetic", "open", "instruction", "talk")
        }


def test_with_a_base_anchors_are_those_that_it_knows() -> None:
    chosen = select(ideas_of(SOURCES[0]), NEIGHBOURS)
    shared = shared_rows(material(0.25), chosen.facts, 40, chosen.gate)
    asked = {row.messages[0].content for row in shared.rows if row.form == "anchor"}
    assert asked & {one.question for one in CLOSED} == {"Currency of Japan?"}
    assert not asked & {one.question for one in OPEN}


def test_with_a_base_locality_asks_only_what_it_knows() -> None:
    sure = frozenset(known.question for known in (*KNOWN_NAMES[:5], *KNOWN_NUMBERS[:4]))
    for known in (sure, frozenset(list(sure)[:3]), frozenset()):
        chosen = select(ideas_of(SOURCES[0]), NEIGHBOURS, Gates(sure=known))
        for fact in chosen.facts:
            asked = [p.messages[0].content for p in chosen.probes if p.idea == fact.idea.id and p.family == "locality"]
            assert set(asked) <= known and len(asked) == len(set(asked)) == min(8, len(known))


def test_no_paper_exceeds_the_most_rows() -> None:
    chosen = select(ideas_of(SOURCES[0]), NEIGHBOURS)
    shared = shared_rows(material(0.8, 400), chosen.facts, 150, chosen.gate)
    assert 150 + len(shared.rows) == MAX_ROWS


def test_a_replayed_prompt_that_repeats_a_probe_is_rejected() -> None:
    chosen = select(ideas_of(SOURCES[0]), NEIGHBOURS)
    probe = next(probe for probe in chosen.probes if probe.family == "locality")
    leaking = Replay(prompt=probe.messages[0].content, kind="fact", answer=probe.answers[0])
    plain = material(0.25)
    assert plain.replays is not None
    mixed = plain._replace(replays=plain.replays._replace(kept=(leaking,)))
    shared = shared_rows(mixed, chosen.facts, 40, chosen.gate)
    assert [r.reason for r in shared.rejects if "replay" in r.item] == ["probe_leak"]
    assert not [row for row in shared.rows if row.form.startswith("replay")]


# ----------------------------------------------------------------- aliases, gates


@pytest.mark.parametrize(
    ("answer", "alias", "reason"),
    [
        ("37 percent", "37%", ""), ("37 percent", "0.37", ""), ("37 percent", "38%", "alias_differs"), ("two", "2", ""),
        ("1e-5", "0.00001", ""), ("640 steps", "640", ""), ("640 steps", "64", "alias_differs"), ("19", "nineteen", ""),
    ],
)  # fmt: skip
def test_an_alias_must_mean_the_answer(answer: str, alias: str, reason: str) -> None:
    mine = idea_of(Fact("Tidal Replay", "size", answer, "x"), "p", answer_kind="number", aliases=(alias,))
    checked = check_aliases(mine, ())
    assert [reject.reason for reject in checked.rejects] == ([reason] if reason else [])
    assert checked.idea.aliases == (() if reason else (alias,))


def test_an_alias_that_is_another_answer_or_stands_in_the_question_goes() -> None:
    mine = idea_of(Fact("Tidal Replay", "optimiser", "Marbel", "x"), "p", aliases=("Orlo", "Tidal Replay", "Marbel-1"))
    other = idea_of(Fact("Ember", "optimiser", "Orlo", "x"), "q")
    checked = check_aliases(mine, (mine, other))
    assert [reject.reason for reject in checked.rejects] == ["alias_ambiguous", "alias_in_question"]
    assert checked.idea.aliases == ("Marbel-1",)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""), ({"contested_by": ("x",)}, "contested"), ({"relation": "size of 640 steps"}, "answer_in_question"),
        ({"relation": "horizon at 640"}, "answer_in_question"), ({"answer": "a b c d e f g h i"}, "answer_too_long"),
    ],
)  # fmt: skip
def test_what_cannot_be_taught(changes: dict[str, object], reason: str) -> None:
    mine: Idea = idea_of(Fact("Tidal Replay", "decay horizon", "640 steps", "x"), "p", **changes)
    assert unfit(mine) == reason


# ------------------------------------------------------------------ card, revision


def test_the_card_balances_the_book_and_names_generators_and_licences(built: dict[str, LoadedDataset]) -> None:
    dataset = next(iter(built.values()))
    text = write_card(dataset.record, dataset.rows, dataset.probes)
    counts = dataset.record.counts
    assert f"- Rows: {counts['proposed/row']} proposed = {counts['rows']} kept" in text
    assert f"- Probes: {counts['proposed/probe']} proposed = {counts['probes']} kept" in text
    assert "| template/2 |" in text and "No base took part" in text and str(dataset.record.licence) in text
    assert "What a model learned" not in text


def test_the_card_tells_verdicts_where_they_are_known(built: dict[str, LoadedDataset]) -> None:
    dataset = next(iter(built.values()))
    idea = dataset.record.ideas[0]
    verdict = Verdict(
        id="verdict:1", idea=idea.id, adapter="a", paper=idea.paper, topic="t", claim=idea.claim, kind="PARTIAL", reason="r",
        base=Rate(right=0, asked=12, low=0.0, high=0.2), adapted=Rate(right=7, asked=12, low=0.3, high=0.8),
        gain=Interval(value=0.58, low=0.3, high=0.8),
    )  # fmt: skip
    text = write_card(dataset.record, dataset.rows, dataset.probes, [verdict])
    assert "## What a model learned from it" in text and "| PARTIAL | 7 of 12 | 0 of 12 |" in text


def test_other_text_makes_another_revision_and_the_same_is_found(tmp_path: Path) -> None:
    source, store = SOURCES[0], Store.at(tmp_path)
    made = build_dataset(paper_of(source), "t", ideas_of(source), NEIGHBOURS, Settings(), store, text="A plain text.")
    assert find_dataset(paper_of(source), ideas_of(source), Settings(), store, text="A plain text.") == made
    assert find_dataset(paper_of(source), ideas_of(source), Settings(), store, text="GPU hours.") is None
    assert read_manifest(made).models.keys() == {"reader", "generator"}
