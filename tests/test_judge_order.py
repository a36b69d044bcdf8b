"""The same probes in another order, in batches and chunks of another size, give the same scores: nothing an adapter says
depends on what else is asked."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

import paperlora.judge.asking as asking
from paperlora.bench.judge_speed import Posed, questions_of
from paperlora.judge.asking import Asker, Question
from paperlora.model.answers import Answer, Continuation, LogLik
from paperlora.model.bank import Bank
from paperlora.model.base import Base
from paperlora.model.scoring import score_answer
from paperlora.model.tiny import tiny_base
from paperlora.progress import silent

torch.set_num_threads(1)

ADAPTERS, QUESTIONS, TOKENS = 4, 58, 10


class Said(NamedTuple):
    """What was said to each question of each model, by slot and place of the question."""

    answers: dict[tuple[int, int], Answer]
    weighed: dict[tuple[int, int, int], LogLik]


@pytest.fixture(scope="module")
def posed() -> list[Posed]:
    """All that the judge asks about one idea in its first pass."""
    return questions_of(QUESTIONS)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """A base and adapters of different rank, each of which says something of its own."""
    base = tiny_base(tmp_path_factory.mktemp("base"))
    folders: list[Path | None] = [None]
    for seed in range(1, ADAPTERS + 1):
        folders.append(_adapter(base, seed, tmp_path_factory.mktemp("adapters") / str(seed)))
    return Bank.load(base, folders)


def _adapter(base: Base, seed: int, folder: Path) -> Path:
    fresh = Bank.fresh(base, 1, 2 * seed, [4.0 * seed], [seed])
    fresh.weights += 0.06 * torch.randn(fresh.weights.shape, generator=torch.Generator().manual_seed(seed))
    fresh.save(0, folder)
    return folder


def ask(bank: Bank, posed: Sequence[Posed], work: Path, *, rows: int, seed: int | None = None, beside: bool = False) -> Said:
    """Ask everything of everybody; shuffled by the seed, in the given order without one; texts weighed beside the questions
    or after them."""
    asker = Asker(bank, [f"weights {slot}" for slot in range(bank.slots)], work, max_new_tokens=TOKENS, batch_rows=rows, progress=silent)
    free = [(slot, place) for slot in range(bank.slots) for place, one in enumerate(posed) if not one.choices]
    closed = [
        (slot, place, number) for slot in range(bank.slots) for place, one in enumerate(posed) for number in range(len(one.choices))
    ]
    if seed is not None:
        random.Random(seed).shuffle(free)
        random.Random(seed).shuffle(closed)
    texts = [Continuation(posed[p].probe.messages, posed[p].choices[n], slot) for slot, p, n in closed]
    answers = asker.ask([Question(slot, posed[place].probe.messages) for slot, place in free], beside=texts if beside else ())
    weighed = asker.weigh(texts)
    return Said(dict(zip(free, answers, strict=True)), dict(zip(closed, weighed, strict=True)))


def scores(said: Said, posed: Sequence[Posed]) -> dict[tuple[int, int], float | int]:
    """The score of each free answer, the likeliest option of each closed question, by total and by token."""
    found: dict[tuple[int, int], float | int] = {
        key: score_answer(answer.text, posed[key[1]].probe, posed[key[1]].idea) for key, answer in said.answers.items()
    }
    for slot, place in {(slot, place) for slot, place, _ in said.weighed}:
        own = [said.weighed[slot, place, number] for number in range(len(posed[place].choices))]
        found[slot, place] = max(range(len(own)), key=lambda number: own[number].total)
        found[slot + 100, place] = max(range(len(own)), key=lambda number: own[number].per_token)
    return found


@pytest.fixture(scope="module")
def first(bank: Bank, posed: list[Posed], tmp_path_factory: pytest.TempPathFactory) -> Said:
    return ask(bank, posed, tmp_path_factory.mktemp("first"), rows=32)


def test_models_differ_and_so_do_their_answers(first: Said, posed: list[Posed]) -> None:
    """Else equal scores below would show nothing."""
    texts = [{answer.text for (slot, _), answer in first.answers.items() if slot == wanted} for wanted in range(ADAPTERS + 1)]
    assert all(one != other for n, one in enumerate(texts) for other in texts[n + 1 :]) and len(set.union(*texts)) > 40
    free = [one for one in posed if not one.choices]
    assert len(free) * (ADAPTERS + 1) == len(first.answers) and len(posed) - len(free) >= 10
    chosen = {value for (slot, place), value in scores(first, posed).items() if posed[place].choices}
    assert len(chosen) == 4


@pytest.mark.parametrize(("rows", "seed"), [(32, 1), (5, 2), (1, None), (500, 3)])
def test_order_and_batch_size_change_no_answer_no_choice_and_no_likelihood(
    bank: Bank, posed: list[Posed], first: Said, tmp_path: Path, rows: int, seed: int | None
) -> None:
    some = posed[::4] if rows == 1 else posed
    again = ask(bank, some, tmp_path, rows=rows, seed=seed)
    places = {place: posed.index(one) for place, one in enumerate(some)}
    for (slot, place), answer in again.answers.items():
        assert answer == first.answers[slot, places[place]]
    for (slot, place, number), one in again.weighed.items():
        wanted = first.weighed[slot, places[place], number]
        assert one.tokens == wanted.tokens and one.total == pytest.approx(wanted.total, rel=1e-4, abs=1e-4)
    mine, theirs = scores(again, some), scores(first, posed)
    assert all(value == theirs[slot, places[place]] for (slot, place), value in mine.items())


def test_chunks_that_are_written_one_by_one_change_nothing(
    bank: Bank, posed: list[Posed], first: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill after any of them costs one chunk; the answers are those of one go."""
    monkeypatch.setattr(asking, "BATCHES_A_CHUNK", 1)
    again = ask(bank, posed, tmp_path, rows=7, seed=4)
    assert again.answers == first.answers
    assert scores(again, posed) == scores(first, posed)


def test_texts_weighed_beside_the_questions_are_weighed_once_and_alike(
    bank: Bank, posed: list[Posed], first: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[tuple[int, int]] = []
    real = asking.respond
    monkeypatch.setattr(asking, "respond", lambda bank, asks, texts, **o: passes.append((len(asks), len(texts))) or real(bank, asks, texts, **o))
    beside = ask(bank, posed, tmp_path, rows=64, seed=5, beside=True)
    assert [bool(asks) for asks, _ in passes] == [True] * len(passes) and sum(texts for _, texts in passes) == len(first.weighed)
    assert {key: answer.text for key, answer in beside.answers.items()} == {key: answer.text for key, answer in first.answers.items()}
    for key, one in beside.weighed.items():
        assert one.tokens == first.weighed[key].tokens
        assert one.total == pytest.approx(first.weighed[key].total, rel=1e-4, abs=1e-4)
    assert scores(beside, posed) == scores(first, posed)
    done = len(passes)
    assert ask(bank, posed, tmp_path, rows=64) == beside and len(passes) == done  # all of it is remembered


def test_a_model_is_not_swayed_by_who_else_is_asked(bank: Bank, posed: list[Posed], first: Said, tmp_path: Path) -> None:
    asker = Asker(bank, [f"weights {slot}" for slot in range(bank.slots)], tmp_path, max_new_tokens=TOKENS, batch_rows=16, progress=silent)
    for slot in (0, ADAPTERS):
        free = [place for place, one in enumerate(posed) if not one.choices]
        alone = asker.ask([Question(slot, posed[place].probe.messages) for place in free])
        assert alone == [first.answers[slot, place] for place in free]
