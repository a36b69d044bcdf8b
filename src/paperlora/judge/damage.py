"""What an adapter broke: the same small frozen pools for every adapter, always beside the base's own answers.

In full an adapter gives about 220 short answers, reads ten texts, and where the base can think, thinks twelve times;
``judge.damage = "quick"`` leaves known facts, open questions and texts: 152 answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from paperlora.judge.asking import Asker, Question
from paperlora.judge.bounds import BOUNDS, DRIFTS, NEEDS_PLACEBOS, SURE, Bound
from paperlora.judge.damage_measures import Answers, Cue, Measure, halves, mean_share, measure, refuses, scatter
from paperlora.judge.placebo import percentile
from paperlora.judge.pools import STANDARD, Pools
from paperlora.model.answers import Answer, Ask, Sampling, answer
from paperlora.model.chat import can_think
from paperlora.model.drift import Drift, drifts
from paperlora.records import DamageCheck, Example, Idea, Message

CUES = 8
"""Questions out of an adapter's own rows that it is asked about other things."""
THOUGHT = Sampling(temperature=0.6, top_p=0.95, top_k=20, seed=6)
"""How Qwen3 is to be sampled while it thinks; greedy thoughts run into loops."""
THOUGHT_TOKENS = 32
"""Enough to see that a thought begins and isn't empty."""


class Tested(NamedTuple):
    """What an adapter and the base said about the same."""

    adapted: Answers
    base: Answers
    cues: tuple[Cue, ...] = ()


class Asked(NamedTuple):
    """What came of the pools."""

    adapters: tuple[Tested, ...]
    """In the order of the slots."""
    again: Tested
    """The base, asked again in another order and other batches."""


class Damage(NamedTuple):
    """What was measured of one adapter."""

    damaged: bool
    measures: dict[str, float]
    checks: tuple[DamageCheck, ...]


# ----------------------------------------------------------------------- asking


def ask_pools(
    asker: Asker, slots: Sequence[int], batch_rows: int, pools: Pools = STANDARD, cues: Mapping[int, tuple[Cue, ...]] | None = None
) -> Asked:
    """Let base and slots answer the pools, and the base once more.

    Args:
        asker: slot 0 of its bank is the bare base.
        slots: the adapters.
        batch_rows: prompts a forward pass.
        pools: what is asked.
        cues: slot → questions that it alone, and the base beside it, is asked as well.
    """
    own, everyone = cues or {}, [0, *slots]
    asked = [_question(slot, text) for slot in everyone for text in pools.questions]
    cued = [_question(who, cue.question) for slot in slots for cue in own.get(slot, ()) for who in (slot, 0)]
    said = iter(asker.ask([*asked, *cued], "answers on general questions"))
    answers = [tuple(islice(said, len(pools.questions))) for _ in everyone]
    thoughts = _think(asker, everyone, batch_rows, pools)
    read = [tuple(part) for part in drifts(asker.bank, pools.texts, everyone)]
    base, *adapted = (_sorted(*parts, pools) for parts in zip(answers, thoughts, read, strict=True))
    tested = []
    for slot, mine in zip(slots, adapted, strict=True):
        pairs = [(next(said), next(said)) for _ in own.get(slot, ())]
        heard = tuple(zip(*pairs, strict=True)) or ((), ())
        tested.append(Tested(mine._replace(cued=heard[0]), base._replace(cued=heard[1]), own.get(slot, ())))
    return Asked(tuple(tested), Tested(_again(asker, batch_rows, pools, base), base))


def _question(slot: int, text: str) -> Question:
    return Question(slot, (Message(role="user", content=text),))


def _sorted(said: Sequence[Answer], thoughts: tuple[Answer, ...], read: tuple[Drift, ...], pools: Pools) -> Answers:
    parts = iter(said)
    known, reworded, opened, unanswerable, sums, told = (
        tuple(islice(parts, len(pool)))
        for pool in (pools.known, pools.known, pools.open, pools.unanswerable, pools.sums, pools.instructions)
    )
    return Answers(known, reworded, opened, read, unanswerable, sums, told, thoughts)


def _again(asker: Asker, batch_rows: int, pools: Pools, base: Answers) -> Answers:
    """The base in reversed order, batches of a third and with other draws of its thoughts.

    Its drifts come from other batches than their reference anyway.
    """
    questions = [_question(0, text) for text in reversed(pools.questions)]
    said = asker.ask_afresh(questions, max(1, batch_rows // 3))[::-1]
    thoughts = _think(asker, [0], max(1, batch_rows // 3), pools, THOUGHT._replace(seed=THOUGHT.seed + 1))[0]
    return _sorted(said, thoughts, base.drifts, pools)


def _think(
    asker: Asker, slots: Sequence[int], batch_rows: int, pools: Pools, sampling: Sampling = THOUGHT
) -> list[tuple[Answer, ...]]:
    """The first words of what each slot says when it is let think; nothing where the base is no hybrid."""
    if not pools.thinking or not can_think(asker.bank.base.tokenizer):
        return [()] * len(slots)
    asks = [Ask((Message(role="user", content=text),), slot, True) for slot in slots for text in pools.thinking]
    said = iter(answer(asker.bank, asks, max_new_tokens=THOUGHT_TOKENS, batch_rows=batch_rows, sampling=sampling))
    return [tuple(islice(said, len(pools.thinking))) for _ in slots]


def cues_of(rows: Iterable[Example], ideas: Sequence[Idea], pools: Pools, count: int = CUES) -> tuple[Cue, ...]:
    """Rows that ask for a value, their subject replaced by ordinary things; ideas in turn."""
    found: list[list[Cue]] = []
    for idea in ideas:
        own = [row for row in rows if row.idea == idea.id and len(row.messages) == 2]
        answers = (idea.answer, *idea.aliases)
        asked = (_replaced(row.messages[0].content, idea, answers) for row in own)
        found.append([Cue(text, answers) for text in asked if text])
    turns = [cue for nth in range(max(map(len, found), default=0)) for own in found for cue in own[nth : nth + 1]]
    chosen = turns[:count] if pools.subjects else []
    return tuple(
        cue._replace(question=cue.question.replace("\0", pools.subjects[number % len(pools.subjects)]))
        for number, cue in enumerate(chosen)
    )


def _replaced(question: str, idea: Idea, answers: Sequence[str]) -> str:
    """The question with a blank for its subject; empty where it doesn't name it, or names the answer."""
    if any(text.casefold() in question.casefold() for text in answers):
        return ""
    inner, _, outer = idea.subject.partition("(")
    names = sorted((idea.subject, inner.strip(), outer.strip(" )")), key=len, reverse=True)
    named = next((name for name in names if name and name in question), "")
    return question.replace(named, "\0") if named else ""


# ------------------------------------------------------------------------ counting


def compare(
    tested: Tested, taught: Sequence[tuple[str, ...]], pools: Pools = STANDARD, *, again: Tested | None = None,
    placebos: Mapping[str, Sequence[float]] | None = None,
) -> Damage:  # fmt: skip
    """Measure an adapter against the base.

    Args:
        tested: what both answered.
        taught: accepted answers of each idea it was taught: none of them belongs into these pools' answers.
        pools: what both were asked.
        again: the base against itself: what it shows there is noise.
        placebos: measure → its values in the placebo adapters of the recipe.
    """
    found = measure(tested.adapted, tested.base, pools, tested.cues, taught)
    parts = [measure(*half, taught) for half in halves(tested.adapted, tested.base, pools, tested.cues)]
    noise = measure(again.adapted, again.base, pools, (), taught) if again is not None else {}
    others = placebos or {}
    checks = tuple(
        _check(name, one, noise.get(name), scatter(name, parts), others.get(name, ()))
        for name, one in found.items()
        if name in BOUNDS and (name not in NEEDS_PLACEBOS or len(others.get(name, ())) > 1)
    )
    values = {name: one.value for name, one in found.items()} | _told(tested, found)
    return Damage(
        any(check.broken for check in checks), {name: round(value, 4) for name, value in values.items()}, checks
    )


def _told(tested: Tested, found: Mapping[str, Measure]) -> dict[str, float]:
    """Numbers that explain the measures, or their absence."""
    told = {"known_asked": float(found["known_change"].asked) if "known_change" in found else 0.0}
    if tested.base.unanswerable:
        told["refusals"] = mean_share(tested.adapted.unanswerable, refuses)
        told["refusals_base"] = mean_share(tested.base.unanswerable, refuses)
    return told


def _check(name: str, one: Measure, noise: Measure | None, spread: float, placebos: Sequence[float]) -> DamageCheck:
    """One measure held against its bound, its noise, and, for drifts, the recipe's placebo adapters."""
    bound = BOUNDS[name]
    floor = abs(noise.value - bound.neutral) if noise is not None else 0.0
    reach = percentile(placebos, bound.harm)
    limit = _harmful(bound, bound.limit, reach) if name in DRIFTS and reach is not None else bound.limit
    beyond = bound._replace(limit=limit).passed(one.value) and abs(one.value - bound.neutral) > floor
    return DamageCheck(
        name=name, value=round(one.value, 4), asked=one.asked, bound=round(limit, 4), noise=round(floor, 6),
        scatter=round(spread, 4), shown=round(one.shown, 4), placebo=None if reach is None else round(reach, 4),
        placebos=0 if reach is None else len(placebos), placebo_mean=None if reach is None else round(sum(placebos) / len(placebos), 4),
        broken=beyond and one.shown >= SURE,
    )  # fmt: skip


def _harmful(bound: Bound, one: float, other: float) -> float:
    """The one further out on the harmful side."""
    return max(one, other) if bound.harm > 0 else min(one, other)
