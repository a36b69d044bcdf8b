"""The answerability gate: what a base can't answer with the passage before it is not taught."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from taught import idea_of, ideas_of, key_of, sources

import paperlora.model.answers as answers_module
from paperlora.microdata.answerability import NEEDED, SAMPLE, check_answerable, sample
from paperlora.microdata.selection import Answerability, Asked, Gates, select
from paperlora.model.answers import Answer, Ask
from paperlora.model.bank import Bank
from paperlora.model.base import Base, load_base
from paperlora.model.tiny import tiny_base
from paperlora.records import Idea, Probe
from paperlora.sandbox.paper import Fact

SOURCE = sources()[0]
IDEAS = ideas_of(SOURCE)


def misquoted(idea: Idea) -> Idea:
    """Its quote speaks of something else: no reader can answer from it."""
    quote = idea.quotes[0].model_copy(update={"text": "The sea was calm that day, and the boats came back early."})
    return idea.model_copy(update={"quotes": (quote,)})


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    torch.set_num_threads(1)
    return tiny_base(tmp_path_factory.mktemp("tiny"))


def reader(values: list[str], asked: list[int]) -> Callable[..., list[Answer]]:
    """A base that answers with the value that stands in what it is given, and knows nothing else."""

    def read(bank: Bank, asks: list[Ask], **rest: object) -> list[Answer]:
        asked.append(len(asks))
        found = []
        for ask in asks:
            given = ask.messages[-1].content + " ".join(m.content for m in ask.messages[:-1] if len(ask.messages) < 6)
            text = next((value for value in values if value in given), "I can't tell.")
            found.append(Answer(text, True, 4))
        return found

    return read


CONTROLS = ["1931", "barley", "48 rooms"]


def asked_of(ideas: tuple[Idea, ...]) -> list[Asked]:
    chosen = select(ideas, IDEAS)
    by_idea: dict[str, tuple[Probe, ...]] = {i.id: tuple(p for p in chosen.probes if p.idea == i.id) for i in ideas}
    return [Asked(idea, by_idea[idea.id]) for idea in ideas]


def test_the_sample_takes_new_words_and_untrained_forms_of_the_first_pass() -> None:
    probes = sample(asked_of(IDEAS[:1])[0].probes)
    assert len(probes) == SAMPLE and all(p.family == "direct" and p.wave == 1 and p.split == "test" for p in probes)
    asking = [probe.form.startswith("ask_") for probe in probes]
    assert asking.count(True) == asking.count(False) == SAMPLE // 2


def test_only_ideas_whose_passage_holds_no_answer_are_named(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    ideas = (misquoted(IDEAS[0]), *IDEAS[1:3])
    monkeypatch.setattr(answers_module, "answer", reader([*CONTROLS, *(idea.answer for idea in IDEAS)], counts))
    found = check_answerable(asked_of(ideas), base)
    assert list(found.faults) == [IDEAS[0].id] and found.notices == ()
    assert f"0 of {SAMPLE} sampled direct probes, {NEEDED} needed" in found.faults[IDEAS[0].id]
    # Asked in one way: everything. In the three others: only what was not answered.
    assert counts == [3 + SAMPLE * 3, SAMPLE, SAMPLE, SAMPLE]


def test_a_base_that_cannot_read_says_nothing_about_ideas(base: Base) -> None:
    found = check_answerable(asked_of(IDEAS[:2]), base)
    assert not found.faults and [notice.reason for notice in found.notices] == ["base_cannot_read"]
    assert "of 3 questions on plain passages" in found.notices[0].detail


def test_an_unanswerable_idea_goes_with_its_probes_and_rows_and_the_others_stay(base: Base) -> None:
    def answerable(asked: list[Asked]) -> Answerability:
        return Answerability({IDEAS[1].id: "0 of 4"})

    free, gated = select(IDEAS, IDEAS), select(IDEAS, IDEAS, Gates(answerable=answerable))
    assert {fact.idea.id for fact in free.facts} - {fact.idea.id for fact in gated.facts} == {IDEAS[1].id}
    assert not [probe for probe in gated.probes if probe.idea == IDEAS[1].id] and IDEAS[1].id not in gated.rows
    assert [r.item for r in gated.rejects if r.reason == "unanswerable_with_passage"] == [f"idea:{IDEAS[1].id}"]
    rows = sum(map(len, gated.rows.values()))
    gone = {name: count for name, count in gated.book.items() if name.startswith("dropped/")}
    assert gated.book["proposed/row"] == rows + sum(c for n, c in gone.items() if n.startswith("dropped/row/"))
    assert gated.book["proposed/probe"] == len(gated.probes) + sum(
        c for n, c in gone.items() if n.startswith("dropped/probe/")
    )


@pytest.mark.real
def test_a_real_base_keeps_sound_ideas_and_drops_misquoted_ones() -> None:
    cache = Path(os.environ.get("PAPERLORA_TEST_MODELS", "~/.cache/paperlora/models")).expanduser()
    if not list(cache.glob("smollm2*")):
        pytest.skip("no converted SmolLM2: set PAPERLORA_TEST_MODELS")
    base = load_base("smollm2", device="cpu", cache=cache)
    sound = idea_of(
        Fact("Tidal Replay", "replay share", "37 percent", "Tidal Replay uses a replay share of 37 percent."),
        key_of(SOURCE),
    )
    broken = misquoted(sound).model_copy(update={"id": "d" * 16})
    found = check_answerable(asked_of((sound, broken)), base)
    assert list(found.faults) == [broken.id] and not found.notices
