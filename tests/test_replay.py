"""Replay: a base's own answers, checked, kept once for each base, and nothing of what the judge asks."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from taught import all_ideas, ideas_of, paper_of, sources, text_of

import paperlora.model.answers as answers_module
from paperlora.judge.pools import KNOWN, OPEN, TEXTS
from paperlora.microdata.anchors import CLOSED
from paperlora.microdata.anchors import OPEN as OPEN_ANCHORS
from paperlora.microdata.build import build_dataset, find_dataset, load
from paperlora.microdata.leaks import compare, surface
from paperlora.microdata.pools import KNOWN_NAMES, KNOWN_NUMBERS
from paperlora.microdata.replay import KIND, ask_base, draw, fault_of, known, replays_key, replays_of
from paperlora.microdata.replay_pool import POOL, Prompt
from paperlora.model.answers import Answer, Ask, Sampling, answer
from paperlora.model.bank import Bank, SlotInfo
from paperlora.model.base import Base, identify_base, load_base
from paperlora.model.chat import can_think, render_example
from paperlora.model.scoring import normalise
from paperlora.model.tiny import tiny_base
from paperlora.records import Message, Replay
from paperlora.settings import MicrodataSettings, Settings
from paperlora.store import Store, read_manifest

HELD_OUT = [
    *((known.question, known.answers) for known in KNOWN),
    *((known.question, known.answers) for known in (*KNOWN_NAMES, *KNOWN_NUMBERS)),
    *((question, ()) for question in OPEN),
]
"""What judge and locality ask."""
IDEAS = ideas_of(sources()[0])[:3]
COMMON = set(
    "what which who how many much is are the a an of in on does do did to for you your we and by with has have one".split()  # noqa: SIM905 - a list of thirty words is unreadable
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    torch.set_num_threads(1)
    return tiny_base(tmp_path_factory.mktemp("tiny"))


def content(text: str) -> set[str]:
    return set(normalise(text).split()) - COMMON


# ------------------------------------------------------------------------ the pool


def test_the_pool_is_big_and_varied() -> None:
    kinds = Counter(prompt.kind for prompt in POOL)
    assert len(POOL) >= 80 and len({prompt.text for prompt in POOL}) == len(POOL)
    assert all(kinds[kind] >= 8 for kind in ("fact", "arithmetic", "open", "instruction", "talk"))
    assert all(prompt.closed == (prompt.kind in ("fact", "arithmetic")) for prompt in POOL)
    assert sum(prompt.thinks for prompt in POOL) >= 10


def test_nothing_that_is_judged_is_in_the_pool_nor_among_the_anchors() -> None:
    trained = [(p.text, p.answers) for p in POOL] + [(a.question, (a.answer,)) for a in (*CLOSED, *OPEN_ANCHORS)]
    for text, right in trained:
        for question, accepted in HELD_OUT:
            assert compare(surface(text), surface(question)) is None, (text, question)
            same_name = {a.casefold() for a in right if a.isalpha()} & {a.casefold() for a in accepted if a.isalpha()}
            # Three of four words may be those of the question ("which country has … capital"), never the thing itself.
            alike = len(content(text) & content(question)) / max(len(content(question)), 1)
            assert alike <= 0.75 and not (same_name and alike > 0.3), (text, question)
        assert all(compare(surface(text), surface(page)) is None for page in TEXTS)


def test_names_that_the_judge_asks_for_are_answers_of_no_fact_in_the_pool() -> None:
    judged = {name.casefold() for _, accepted in HELD_OUT for name in accepted if not re.match(r"\d", name)}
    numbers = {"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "one hundred"}
    for prompt in POOL:
        assert not {name.casefold() for name in prompt.answers} & (judged - numbers), prompt.text


# ------------------------------------------------------------------------- checking


FACT = Prompt("fact", "How many grams are in a kilogram?", ("1000", "1,000"))
TALK = Prompt("talk", "I am bored.")


@pytest.mark.parametrize(
    ("prompt", "text", "ended", "thinking", "fault"),
    [
        (FACT, "A kilogram has 1000 grams.", True, False, ""),
        (FACT, "A kilogram has 100 grams.", True, False, "replay_wrong"),
        (FACT, "A kilogram has 1000 grams.", False, False, "replay_unfinished"),
        (TALK, "Let us go for a walk.", True, False, ""),
        (TALK, " ".join(f"word{number}" for number in range(17)), True, False, "replay_long"),
        (TALK, "  ", True, False, "replay_empty"),
        (TALK, "i am bored!", True, False, "replay_echo"),
        (TALK, "go to it go to it go to it go to it", True, False, "replay_loops"),
        (TALK, "\ufffd\ufffd hello", True, False, "replay_garbled"),
        (TALK, "#%&/()=?#%&/()=?", True, False, "replay_garbled"),
        (TALK, "<think>\nHm.\n</think>\n\nWalk.", True, False, "replay_thinks"),
        (TALK, "<think>\nHm.\n</think>\n\nWalk.", True, True, ""),
        (TALK, "<think>\nHm, what now", True, True, "replay_thinks"),
        (TALK, "<think>\nHm.\n</think>\n\n", True, True, "replay_empty"),
        (FACT, "<think>\nIt is 1000.\n</think>\n\nIt is 100.", True, True, "replay_wrong"),
    ],
)  # fmt: skip
def test_faults_of_answers(prompt: Prompt, text: str, ended: bool, thinking: bool, fault: str) -> None:
    assert fault_of(prompt, Answer(text, ended, 8), thinking=thinking) == fault


def test_a_sum_that_repeats_the_question_is_not_wrong() -> None:
    assert (
        fault_of(
            Prompt("arithmetic", "What is half of 50?", ("25",)), Answer("Half of 50 is 25.", True, 8), thinking=False
        )
        == ""
    )


# --------------------------------------------------------------------------- asking


def test_a_base_is_asked_everything_once_and_every_answer_is_kept_or_rejected(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.at(tmp_path)
    found = replays_of(base, store)
    thought = sum(prompt.thinks for prompt in POOL)
    asked = len(POOL) + thought + len(CLOSED) + len(KNOWN_NAMES) + len(KNOWN_NUMBERS)
    assert can_think(base.tokenizer)
    assert len(found.kept) + len(found.rejects) == asked
    assert {reject.reason for reject in found.rejects} <= {
        "replay_unfinished", "replay_empty", "replay_thinks", "replay_garbled", "replay_loops", "replay_echo", "replay_wrong",
        "replay_long",
        "anchor_unknown", "locality_unknown",
    }  # fmt: skip
    manifest = read_manifest(store.uri(KIND, found.key))
    assert manifest.counts["asked"] == asked and manifest.rejects == found.rejects
    monkeypatch.setattr(answers_module, "answer", lambda *a, **k: pytest.fail("asked again"))
    assert replays_of(base, store) == found


def test_another_base_has_other_answers_and_its_name_decides_nothing(base: Base) -> None:
    renamed = base.id.model_copy(update={"name": "other"})
    assert replays_key(renamed) == replays_key(base.id)
    assert replays_key(base.id.model_copy(update={"weights_hash": "0"})) != replays_key(base.id)
    assert replays_key(base.id.model_copy(update={"template_hash": "0"})) != replays_key(base.id)


def test_open_prompts_are_sampled_and_thinking_ones_are_asked_to_think(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[tuple[int, Sampling | None, set[bool]]] = []

    def scripted(
        bank: Bank, asks: list[Ask], *, max_new_tokens: int, sampling: Sampling | None, **rest: object
    ) -> list[Answer]:
        thinking = {ask.thinking for ask in asks}
        rounds.append((len(asks), sampling, thinking))
        said = "<think>\nLet me see.\n</think>\n\nBlue sky." if True in thinking else "Blue sky."
        return [Answer(said, True, 6) for _ in asks]

    monkeypatch.setattr(answers_module, "answer", scripted)
    found = ask_base(base)
    (_, tested, _), _, (_, closed, _), (_, sampled, _), (_, thought, thinking) = rounds
    assert tested is None
    assert closed is None and sampled is not None and thought is not None and thinking == {True}
    assert (sampled.temperature, sampled.top_p) == (0.7, 0.8) and (thought.temperature, thought.top_p) == (0.6, 0.95)
    assert all(one.answer.startswith("<think>") for one in found.kept if one.thinking)
    assert sum(one.thinking for one in found.kept) >= 5
    row = next(one for one in found.kept if one.thinking)
    messages = (Message(role="user", content=row.prompt), Message(role="assistant", content=row.answer))
    assert any(render_example(base.tokenizer, messages).loss)


@pytest.mark.parametrize("batch_rows", [1, 3, 8])
def test_sampled_answers_do_not_depend_on_the_batch(base: Base, batch_rows: int) -> None:
    asks = [Ask((Message(role="user", content=prompt.text),), 0) for prompt in POOL[:8]]
    with Bank(base, [SlotInfo(0, 0.0)]) as bank:
        one, other = (
            answer(bank, asks[::step], max_new_tokens=6, batch_rows=rows, sampling=Sampling(1.0, 0.95, 20, 3))[::step]
            for step, rows in ((1, 8), (-1, batch_rows))
        )
        greedy = answer(bank, asks, max_new_tokens=6, batch_rows=8)
        seeded = answer(bank, asks, max_new_tokens=6, batch_rows=8, sampling=Sampling(1.0, 0.95, 20, 4))
    assert [a.text for a in one] == [a.text for a in other]
    assert [a.text for a in one] != [a.text for a in greedy] and [a.text for a in one] != [a.text for a in seeded]


def test_a_narrow_nucleus_is_greedy(base: Base) -> None:
    asks = [Ask((Message(role="user", content=prompt.text),), 0) for prompt in POOL[:6]]
    with Bank(base, [SlotInfo(0, 0.0)]) as bank:
        narrow = answer(bank, asks, max_new_tokens=5, batch_rows=8, sampling=Sampling(0.7, 1e-6, 20, 3))
        assert narrow == answer(bank, asks, max_new_tokens=5, batch_rows=8)


# -------------------------------------------------------------------------- drawing


def pile(counts: dict[str, int]) -> list[Replay]:
    return [
        Replay.model_validate({"prompt": f"{kind} {number}", "kind": kind, "answer": "x"})
        for kind, count in counts.items()
        for number in range(count)
    ]


def test_drawing_mixes_kinds_as_the_pool_does_and_leaves_anchors_out() -> None:
    replays = pile({"fact": 20, "open": 10, "talk": 10, "anchor": 9})
    for count, wanted in ((8, {"fact": 4, "open": 2, "talk": 2}), (40, {"fact": 20, "open": 10, "talk": 10})):
        assert Counter(one.kind for one in draw(replays, count, 3)) == wanted
    assert len(draw(replays, 99, 3)) == 40
    assert draw(replays, 8, 3) == draw(replays, 8, 3) != draw(replays, 8, 4)
    assert known(replays, "anchor") == {f"anchor {number}" for number in range(9)}


# -------------------------------------------------------------------- whole datasets


def test_a_dataset_with_a_base_is_found_again_without_it_being_loaded(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = sources()[0]
    settings, store = Settings(home=tmp_path / "home"), Store.at(tmp_path / "datasets")
    neighbours = all_ideas(sources())
    made = build_dataset(paper_of(source), "t", IDEAS, neighbours, settings, store, base=base, text=text_of(source))
    found = load(Path(made))
    assert read_manifest(made).models["base"] == base.id.weights_hash
    assert [r.reason for r in found.record.rejects if r.item == "base"] == ["base_cannot_read"]
    assert len(found.record.ideas) == len(IDEAS)
    named = identify_base(base.id.name, device="cpu", cache=tmp_path)
    assert named == base.id
    asked = (paper_of(source), IDEAS, settings, store)
    assert find_dataset(*asked, base=named, text=text_of(source)) == made
    assert find_dataset(*asked, text=text_of(source)) is None
    more = settings.model_copy(update={"microdata": MicrodataSettings(replay_share=0.4)})
    assert find_dataset(paper_of(source), IDEAS, more, store, base=named, text=text_of(source)) is None
    monkeypatch.setattr(answers_module, "answer", lambda *a, **k: pytest.fail("asked again"))
    again = build_dataset(paper_of(source), "t", IDEAS, neighbours, settings, store, base=base, text=text_of(source))
    assert again == made


@pytest.mark.real
def test_a_real_base_gives_enough_right_answers_that_end() -> None:
    cache = Path(os.environ.get("PAPERLORA_TEST_MODELS", "~/.cache/paperlora/models")).expanduser()
    if not list(cache.glob("smollm2*")):
        pytest.skip("no converted SmolLM2: set PAPERLORA_TEST_MODELS")
    found = ask_base(load_base("smollm2", device="cpu", cache=cache))
    kinds = Counter(one.kind for one in found.kept)
    assert kinds["fact"] >= 10 and kinds["instruction"] >= 4 and kinds["open"] >= 4
    assert kinds["anchor"] >= 8 and kinds["locality"] >= 16
    assert not any(one.thinking for one in found.kept)
