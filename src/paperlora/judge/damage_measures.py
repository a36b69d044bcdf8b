"""What an adapter lost, repeats or leaks beside its base: pure counting over answers to the same pools."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from paperlora.judge.bounds import (
    BOUNDS,
    LEAST_REFUSALS,
    LEAST_THOUGHTS,
    p_lost,
    p_mean_above,
    p_ratio_below,
    p_risen,
)
from paperlora.judge.instructions import follows
from paperlora.judge.pools import Pools
from paperlora.judge.posterior import Count, p_above, p_mcnemar
from paperlora.model.answers import Answer
from paperlora.model.drift import Drift
from paperlora.model.scoring import kind_of, normalise, opening, repeats_itself, score, states_value
from paperlora.model.stance import refuses as says_unknown

_THOUGHT = re.compile(r"\A\s*<think>(.*?)(?:</think>|\Z)", re.S)
_NO_SUCH_THING = re.compile(
    r"\b(?:chatbot|an ai|not (?:possible|know|a (?:real|known))|no such|never heard|fictional|fictitious|made up|need more"
    r"|(?:do|does|did) not (?:exist|appear to|have (?:personal|real|the|that))|impossible)\b"
)


class Cue(NamedTuple):
    """A question out of an adapter's own rows, asked about something else."""

    question: str
    answers: tuple[str, ...]
    """What its row teaches: out of place here."""


class Answers(NamedTuple):
    """What one model said about the pools, pool by pool."""

    known: tuple[Answer, ...]
    reworded: tuple[Answer, ...]
    """The known facts, asked in other words."""
    open: tuple[Answer, ...]
    drifts: tuple[Drift, ...]
    """One for each text."""
    unanswerable: tuple[Answer, ...] = ()
    sums: tuple[Answer, ...] = ()
    instructions: tuple[Answer, ...] = ()
    thoughts: tuple[Answer, ...] = ()
    """With thinking on."""
    cued: tuple[Answer, ...] = ()

    @property
    def general(self) -> tuple[Answer, ...]:
        """Every answer with thinking off to what no row looks like."""
        return self.known + self.reworded + self.open + self.unanswerable + self.sums + self.instructions


class Measure(NamedTuple):
    """One measure of an adapter beside its base."""

    value: float
    asked: int
    """Answers or tokens that it rests on."""
    shown: float
    """Probability that it lies beyond its bound; 0 where it has none."""


def measure(
    adapted: Answers, base: Answers, pools: Pools, cues: Sequence[Cue], taught: Sequence[tuple[str, ...]]
) -> dict[str, Measure]:
    """Every measure that these pools allow, by name."""
    tried = {
        "nll_drift": _drift([one.change for one in adapted.drifts], adapted.drifts, "nll_drift"),
        "kl_drift": _drift([one.kl for one in adapted.drifts], adapted.drifts, "kl_drift"),
        "known_change": _known_change(_known_right(adapted, pools), _known_right(base, pools)),
        "known_net": _net(sum(_known_right(adapted, pools), ()), sum(_known_right(base, pools), ())),
        "arithmetic_change": _unmatched(_sums_right(adapted.sums, pools), _sums_right(base.sums, pools)),
        "instruction_change": _unmatched(_followed(adapted.instructions, pools), _followed(base.instructions, pools)),
        "unique_ratio": _ratio(_unique(adapted.open), _unique(base.open), "unique_ratio"),
        "distinct_ratio": _distinct(adapted.open, base.open),
        "refusal_ratio": _refusals(adapted.unanswerable, base.unanswerable),
        "cap_hit_change": _rise(adapted.general, base.general, _capped, "cap_hit_change"),
        "loop_change": _rise(adapted.general, base.general, loops, "loop_change"),
        "think_ratio": _thinking(adapted.thoughts, base.thoughts),
        "think_leak": _new(adapted.general, base.general, _leaks, "think_leak"),
        "false_trigger": _triggered(adapted.general, base.general, [taught] * len(base.general)),
        "cue_trigger": _triggered(adapted.cued, base.cued, [[cue.answers] for cue in cues]),
        "top_answer_share": _top_share(adapted.open),
    }
    return {name: found for name, found in tried.items() if found is not None}


class Half(NamedTuple):
    """Every second question of each pool, with what was said to it."""

    adapted: Answers
    base: Answers
    pools: Pools
    cues: Sequence[Cue]


def halves(adapted: Answers, base: Answers, pools: Pools, cues: Sequence[Cue]) -> Iterator[Half]:
    """The same questions in two halves."""
    for start in (0, 1):
        mine, before = (Answers._make(part[start::2] for part in one) for one in (adapted, base))
        yield Half(mine, before, Pools._make(part[start::2] for part in pools), cues[start::2])


# ------------------------------------------------------------------ one answer


def loops(said: Answer) -> bool:
    """It says the same three words over and over."""
    return repeats_itself(said.text)


def refuses(text: str) -> bool:
    """It says that it doesn't know, can't know, or that there is no such thing."""
    words = normalise(text)
    return says_unknown(words) or bool(_NO_SUCH_THING.search(words))


def thinks(text: str) -> bool:
    """It begins with a thought that isn't empty."""
    thought = _THOUGHT.match(text)
    return thought is not None and bool(thought[1].strip())


def _right(said: Answer, answers: tuple[str, ...], question: str = "") -> bool:
    return score(said.text, answers, kind_of(answers), question=question) == 1.0


def _capped(said: Answer) -> bool:
    return not said.ended


def _leaks(said: Answer) -> bool:
    return "<think" in said.text or "</think" in said.text


_Twice = tuple[bool, bool]
"""Right in the one wording, and in the other."""


def _known_right(said: Answers, pools: Pools) -> tuple[_Twice, ...]:
    asked = zip(said.known, said.reworded, pools.known, strict=True)
    return tuple((_right(first, fact.answers), _right(second, fact.answers)) for first, second, fact in asked)


def _sums_right(said: Sequence[Answer], pools: Pools) -> list[bool]:
    return [_right(one, (right,), question) for one, (question, right) in zip(said, pools.sums, strict=True)]


def _followed(said: Sequence[Answer], pools: Pools) -> list[bool]:
    return [follows(one.text, told) for one, told in zip(said, pools.instructions, strict=True)]


# ------------------------------------------------------------------ one measure


def _drift(changes: Sequence[float], drifts: Sequence[Drift], name: str) -> Measure | None:
    """Mean over all tokens; a text counts once where it is asked whether that is chance."""
    if not drifts:
        return None
    tokens = sum(one.tokens for one in drifts)
    mean = sum(change * one.tokens for change, one in zip(changes, drifts, strict=True)) / tokens
    return Measure(mean, tokens, p_mean_above(changes, BOUNDS[name].limit))


def _known_change(after: Sequence[_Twice], before: Sequence[_Twice]) -> Measure | None:
    """Change of the share that is right in one wording, among the facts that the base has right in the other.

    To look for losses where the base happened to be right finds some in any two models: answers on the brink come and go,
    and only those that could go are counted. So the one wording says which facts the base knows, the other what became of
    them, and both take both parts: two models that are right with the same probability differ by 0 in the mean. Facts are
    drawn whole (a ratio of sums, Student's t over facts). None where the base knows nothing.
    """
    pairs = [[(now[way], was[way]) for way in (0, 1) if was[1 - way]] for now, was in zip(after, before, strict=True)]
    held = [(sum(now - was for now, was in pair), len(pair)) for pair in pairs if pair]
    if not held:
        return None
    asked = sum(count for _, count in held)
    change = sum(moved for moved, _ in held) / asked
    # Linearised: what a fact adds beyond its part, so that its mean over facts is the change itself.
    each = [change + (moved - change * count) * len(held) / asked for moved, count in held]
    bar = BOUNDS["known_change"].limit
    return Measure(change, len(held), p_mean_above([-one for one in each], -bar))


def _kept(after: Sequence[bool], before: Sequence[bool]) -> Measure | None:
    """Change of the share that is right, among what the base has right; None where that is nothing."""
    held = [now for now, was in zip(after, before, strict=True) if was]
    if not held:
        return None
    kept = Count(sum(held), len(held))
    return Measure(kept.share - 1.0, len(held), p_lost(kept, -BOUNDS["arithmetic_change"].limit))


def _unmatched(after: Sequence[bool], before: Sequence[bool]) -> Measure | None:
    """The same for a base that has few right: two that tip over would be a fifth of them.

    Answers on the brink tip over in both directions whatever is trained, so that a loss is shown only where it also
    outnumbers what the adapter has right and the base hasn't (McNemar's test).
    """
    found = _kept(after, before)
    if found is None:
        return None
    lost = sum(was and not now for now, was in zip(after, before, strict=True))
    gained = sum(now and not was for now, was in zip(after, before, strict=True))
    return found._replace(shown=min(found.shown, 1.0 - p_mcnemar(lost, gained)))


def _net(after: Sequence[bool], before: Sequence[bool]) -> Measure | None:
    """Change of the share that is right over the whole pool, gains against losses."""
    return Measure((sum(after) - sum(before)) / len(after), len(after), 0.0) if after else None


def _ratio(after: Count | None, before: Count | None, name: str) -> Measure | None:
    if after is None or before is None or not before.right:
        return None
    return Measure(after.share / before.share, int(after.asked), p_ratio_below(after, before, BOUNDS[name].limit))


def _unique(said: Sequence[Answer]) -> Count | None:
    """Different answers among so many."""
    return Count(len({normalise(opening(one.text)) for one in said}), len(said)) if said else None


def _top_share(said: Sequence[Answer]) -> Measure | None:
    if not said:
        return None
    counts = Counter(normalise(opening(one.text)) for one in said)
    return Measure(counts.most_common(1)[0][1] / len(said), len(said), 0.0)


def _distinct(adapted: Sequence[Answer], base: Sequence[Answer]) -> Measure | None:
    """Different pairs of words (distinct-2, 1510.03055) beside the base's, each pair of answers cut to the shorter one.

    A longer text repeats more pairs of words whoever writes it. Pairs of one text hang together, so that no posterior is at
    hand: it counts as shown where it holds in both halves of the pool.
    """
    pairs = [_cut(one, other) for one, other in zip(adapted, base, strict=True)]
    whole = _distinct_ratio(pairs)
    if whole is None:
        return None
    parts = [_distinct_ratio(pairs[start::2]) for start in (0, 1)]
    shown = all(part is not None and part < BOUNDS["distinct_ratio"].limit for part in parts)
    return Measure(whole, sum(max(len(after) - 1, 0) for after, _ in pairs), float(shown))


_Words = list[str]


def _cut(adapted: Answer, base: Answer) -> tuple[_Words, _Words]:
    after, before = (normalise(one.text).split() for one in (adapted, base))
    length = min(len(after), len(before))
    return after[:length], before[:length]


def _distinct_ratio(pairs: Sequence[tuple[_Words, _Words]]) -> float | None:
    after, before = (_twos(side) for side in zip(*pairs, strict=True)) if pairs else (set(), set())
    return len(after) / len(before) if before else None


def _twos(said: Iterable[_Words]) -> set[tuple[str, str]]:
    return {two for words in said for two in pairwise(words)}


def _rise(after: Sequence[Answer], before: Sequence[Answer], test: Callable[[Answer], bool], name: str) -> Measure | None:
    if not after:
        return None
    now, was = (Count(sum(map(test, said)), len(said)) for said in (after, before))
    return Measure(now.share - was.share, len(after), p_risen(now, was, BOUNDS[name].limit))


def _new(after: Sequence[Answer], before: Sequence[Answer], test: Callable[[Answer], bool], name: str) -> Measure | None:
    """Share of answers in which something comes that the base's answer to the same question lacks."""
    if not after:
        return None
    fresh = Count(sum(test(now) and not test(was) for now, was in zip(after, before, strict=True)), len(after))
    return Measure(fresh.share, len(after), p_above(fresh, BOUNDS[name].limit))


def _refusals(adapted: Sequence[Answer], base: Sequence[Answer]) -> Measure | None:
    """None where the base refuses too seldom for a loss to be counted."""
    after, before = (Count(sum(refuses(one.text) for one in said), len(said)) for said in (adapted, base))
    return _ratio(after, before, "refusal_ratio") if before.right >= LEAST_REFUSALS else None


def _thinking(adapted: Sequence[Answer], base: Sequence[Answer]) -> Measure | None:
    """None where the base doesn't think."""
    after, before = (Count(sum(thinks(one.text) for one in said), len(said)) for said in (adapted, base))
    return _ratio(after, before, "think_ratio") if before.right >= LEAST_THOUGHTS else None


def _triggered(
    adapted: Sequence[Answer], base: Sequence[Answer], taught: Sequence[Sequence[tuple[str, ...]]]
) -> Measure | None:
    """Share of answers that state a taught value where it doesn't belong and the base didn't."""
    if not adapted:
        return None
    new = Count(sum(map(_states_new, adapted, base, taught)), len(adapted))
    return Measure(new.share, len(adapted), p_above(new, BOUNDS["false_trigger"].limit))


def _states_new(after: Answer, before: Answer, taught: Sequence[tuple[str, ...]]) -> bool:
    return any(states_value(after.text, one) and not states_value(before.text, one) for one in taught)


def scatter(name: str, parts: Sequence[dict[str, Measure]]) -> float:
    """How far the two halves of a pool differ in a measure; 0 where one half doesn't allow it."""
    values = [part[name].value for part in parts if name in part]
    return abs(values[0] - values[1]) if len(values) == 2 else 0.0


def mean_share(said: Sequence[Answer], test: Callable[[str], bool]) -> float:
    """Share of answers of which something holds; NaN for none."""
    return statistics.fmean(test(one.text) for one in said) if said else float("nan")
