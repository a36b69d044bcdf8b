"""What an adapter broke: the same small frozen pools for every adapter, always beside the base's own answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from paperlora.judge.asking import Asker, Question
from paperlora.judge.bounds import broken
from paperlora.judge.pools import STANDARD, Known, Pools
from paperlora.judge.posterior import Count
from paperlora.model.answers import Answer, Continuation, log_likelihoods
from paperlora.model.scoring import kind_of, normalise, opening, repeats_itself, score, states_value
from paperlora.records import Message


class Answers(NamedTuple):
    """What one model said about the pools."""

    known: tuple[Answer, ...]
    open: tuple[Answer, ...]
    nll: float
    """Nats a token over the unrelated texts."""

    @property
    def all(self) -> tuple[Answer, ...]:
        """Every free answer."""
        return self.known + self.open


class Damage(NamedTuple):
    """What was measured of one adapter."""

    damaged: bool
    measures: dict[str, float]


def ask_pools(asker: Asker, slots: Sequence[int], batch_rows: int, pools: Pools = STANDARD) -> list[Answers]:
    """Let every slot answer the pools."""
    questions = [*(known.question for known in pools.known), *pools.open]
    asked = [Question(slot, (Message(role="user", content=text),)) for slot in slots for text in questions]
    said = asker.ask(asked, "answers on general questions")
    texts = [Continuation((), text, slot) for slot in slots for text in pools.texts]
    likelihoods = log_likelihoods(asker.bank, texts, batch_rows=batch_rows)
    found = []
    for index in range(len(slots)):
        own = said[index * len(questions) : (index + 1) * len(questions)]
        part = likelihoods[index * len(pools.texts) : (index + 1) * len(pools.texts)]
        nll = -sum(one.total for one in part) / sum(one.tokens for one in part)
        found.append(Answers(tuple(own[: len(pools.known)]), tuple(own[len(pools.known) :]), nll))
    return found


def compare(adapted: Answers, base: Answers, taught: Sequence[tuple[str, ...]], pools: Pools = STANDARD) -> Damage:
    """Measure an adapter against the base.

    Args:
        adapted: the adapter's answers.
        base: the base's.
        taught: accepted answers of each idea it was taught: none of them belongs into these pools' answers.
        pools: what both were asked.
    """
    kept = _kept(adapted.known, base.known, pools.known)
    measures = {
        "nll_drift": adapted.nll - base.nll,
        "known_asked": kept.asked,
        "unique_ratio": _unique(adapted.open) / _unique(base.open),
        "top_answer_share": _top_share(adapted.open),
        "cap_hit_change": _share(adapted.all, _capped) - _share(base.all, _capped),
        "loop_change": _share(adapted.all, loops) - _share(base.all, loops),
        "think_leak": _share(adapted.all, _thinks) - _share(base.all, _thinks),
        "false_trigger": _triggered(adapted.all, base.all, taught),
    }
    if kept.asked:
        measures["known_change"] = kept.share - 1.0
    return Damage(bool(broken(measures)), {name: round(value, 4) for name, value in measures.items()})


def loops(said: Answer) -> bool:
    """It says the same three words over and over."""
    return repeats_itself(said.text)


def _kept(adapted: Sequence[Answer], base: Sequence[Answer], facts: Sequence[Known]) -> Count:
    """Of the facts that the base knows, those that the adapter still knows."""
    held = [
        _right(after, known.answers)
        for known, after, before in zip(facts, adapted, base, strict=True)
        if _right(before, known.answers)
    ]
    return Count(sum(held), len(held))


def _right(said: Answer, answers: tuple[str, ...]) -> bool:
    return score(said.text, answers, kind_of(answers)) == 1.0


def _unique(answers: Sequence[Answer]) -> float:
    return len({normalise(opening(one.text)) for one in answers}) / len(answers)


def _top_share(answers: Sequence[Answer]) -> float:
    return Counter(normalise(opening(one.text)) for one in answers).most_common(1)[0][1] / len(answers)


def _capped(said: Answer) -> bool:
    return not said.ended


def _thinks(said: Answer) -> bool:
    return "<think" in said.text


def _share(answers: Sequence[Answer], test: Callable[[Answer], bool]) -> float:
    return sum(test(one) for one in answers) / len(answers)


def _triggered(adapted: Sequence[Answer], base: Sequence[Answer], taught: Sequence[tuple[str, ...]]) -> float:
    """Share of general questions on which a taught answer comes that the base didn't give."""
    new = [
        any(states_value(after.text, answers) and not states_value(before.text, answers) for answers in taught)
        for after, before in zip(adapted, base, strict=True)
    ]
    return sum(new) / len(new)
