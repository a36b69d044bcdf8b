"""What a base holds of an idea before anything is trained: it knows it, believes something else, or has no idea.

No test probe is asked here: these are read once, for the verdict, and what is taught must not be chosen by them. A prior
that was measured on them would also foretell the verdict on them by construction. So the value is asked for in the words
of a dev probe and of the training rows, which no rule of the verdict counts on the base. Beside it stand yes-or-no
questions on the claim, its negation and a rival claim: weighed, not answered, and compared with each other, since small
models lean to yes (or no) whatever is asked.

An idea is **known** where P(b > .6) ≥ .95 over all questions, the bar of ALREADY_KNOWN; the base **believes other** where
P(r > .5) ≥ .9 for one wrong value that it states, and it gives that value a likelihood of at least ½ a token; else it is
**unknown**. Half of the questions are asked of every idea. The others are asked only where the answers so far leave room
for one of the first two: stopping there changes no result.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from paperlora.microdata.quiz_questions import FALSE, FIRST, MOST, TRUE, WORDED, Quizzed, Statements
from paperlora.microdata.quiz_questions import quizzed as quizzed
from paperlora.microdata.quiz_questions import quizzed_by_probes as quizzed_by_probes
from paperlora.model.quantities import UNIT_OF, quantities
from paperlora.model.rates import Count, p_above, rate
from paperlora.model.scoring import affirms, is_value, opening, score_answer, stated, value_kind
from paperlora.progress import Progress, silent
from paperlora.records import Idea, KnowledgeState, KnowledgeStateKind, Message, Probe, Rate, digest

if TYPE_CHECKING:
    from paperlora.model.answers import Answer, LogLik
    from paperlora.model.bank import Bank
    from paperlora.model.base import Base

VERSION = 3
"""Changes whenever the same base could be quizzed otherwise."""
KNOWN, KNOWN_SURE = 0.6, 0.95
HELD, HELD_SURE = 0.5, 0.9
SURE = 0.5
"""Likelihood a token below which a wrong answer that comes again and again is a guess; the judge's bar as well."""
MAX_NEW_TOKENS = 16
"""A value comes early or not at all; a third less time than with 24 (SmolLM2)."""
BATCH_ROWS = 32
DIGITS = 4
"""Kept of what was weighed: the last bits depend on the batch, and a state is part of a revision's name."""
_UNIT = re.compile(r"\s*(%|per cent\b|[A-Za-z]+)")


def quiz_key() -> str:
    """Digest of everything here that decides what is found."""
    return digest(VERSION, list(WORDED), TRUE, FALSE, FIRST, MOST, KNOWN, KNOWN_SURE, HELD, HELD_SURE, SURE)[:16]


def quiz(items: Sequence[Quizzed], base: Base, progress: Progress = silent) -> dict[str, KnowledgeState]:
    """What the base holds of each idea: idea id → state. Nothing is said of the passage yet.

    ``quiz([quizzed_by_probes(idea, probes) for idea in dataset.ideas], base)`` quizzes any dataset;
    ``dataset.model_copy(update={"states": tuple(found.values())})`` keeps what came.

    Args:
        items: ideas with their questions (:func:`quizzed`, :func:`quizzed_by_probes`).
        base: the bare base; no adapter is ever asked.
        progress: told of its answers.
    """
    from paperlora.model.bank import Bank, SlotInfo

    with Bank(base, [SlotInfo(0, 0.0)]) as bank:
        said = {idea: alike(answers) for idea, answers in _ask(items, bank, progress).items()}
        beliefs = {item.idea.id: _belief(said[item.idea.id]) for item in items}
        priors = _priors(items, said, beliefs, bank, progress)
        leanings = _leanings(items, bank, progress)
    return {
        item.idea.id: _state(item.idea, said[item.idea.id], beliefs[item.idea.id], priors, leanings, base.id.weights_hash)
        for item in items
    }


# ------------------------------------------------------------------ answers


class _Said(NamedTuple):
    """An answer to a question for the value."""

    probe: Probe
    text: str
    right: bool
    value: str
    """What it states, in a form that can be counted; empty where that is no value."""
    words: str
    """The same as it stands in the answer."""
    before: str
    """What stands before it there."""


class _Belief(NamedTuple):
    """The wrong value that comes most often."""

    value: str
    words: str
    times: int


NOTHING = _Belief("", "", 0)


def _ask(items: Sequence[Quizzed], bank: Bank, progress: Progress) -> dict[str, list[_Said]]:
    from paperlora.model.answers import Ask, answer

    found: dict[str, list[_Said]] = {item.idea.id: [] for item in items}
    for start, end in ((0, FIRST), (FIRST, MOST)):
        going = [item for item in items if start == 0 or is_open(found[item.idea.id], len(item.questions[:MOST]))]
        asked = [(item.idea, probe) for item in going for probe in item.questions[start:end]]
        said = answer(
            bank, [Ask(probe.messages, 0) for _, probe in asked], max_new_tokens=MAX_NEW_TOKENS, batch_rows=BATCH_ROWS,
            progress=progress,
        )  # fmt: skip
        for (idea, probe), one in zip(asked, said, strict=True):
            found[idea.id].append(_read(one, probe, idea))
    return found


def is_open(said: Sequence[_Said], most: int) -> bool:
    """Whether so many questions in all could still show that the idea is known, or that something else is believed."""
    left = most - len(said)
    right = sum(one.right for one in said)
    held = _belief(alike(said)).times
    return left > 0 and (_is_known(Count(right + left, most)) or _is_held(Count(held + left, most)))


def _is_known(right: Count) -> bool:
    return p_above(right, KNOWN) >= KNOWN_SURE


def _is_held(count: Count) -> bool:
    return count.right > 0 and p_above(count, HELD) >= HELD_SURE


def _read(said: Answer, probe: Probe, idea: Idea) -> _Said:
    text = said.text
    question = "\n".join(message.content for message in probe.messages)
    kind = value_kind(idea)
    value = stated(text, kind, f"{idea.subject} {idea.relation}" if kind == "number" else question)
    # A name that never ends is talk; a thought doesn't survive the chat template, so that it can't be weighed.
    cut = (not said.ended and kind != "number") or "think>" in text
    right = score_answer(text, probe, idea) == 1.0
    if cut or not is_value(value):
        return _Said(probe, text, right, "", "", "")
    place = _number_place(text, value) if kind == "number" else _place(text, value)
    return _Said(probe, text, right, value, text[place.start : place.end], text[: place.start])


class _Place(NamedTuple):
    start: int
    end: int


def _place(text: str, value: str) -> _Place:
    """Where the stated value stands: from its first word to the last one that follows, or all of a short answer."""
    start = end = -1
    for word in value.split():
        # A word, not letters inside another one: the symbol "C" does not stand in "chemical".
        found = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.I).search(text, max(end, 0))
        if found is None:
            continue
        start, end = found.start() if start < 0 else start, found.end()
    return _Place(start, end) if start >= 0 else _Place(0, len(text.rstrip()))


def _number_place(text: str, value: str) -> _Place:
    """A number with its unit."""
    for one in quantities(text):
        if f"{one.value:g} {one.unit or ''}".strip() == value:
            after = _UNIT.match(text, one.end)
            return _Place(one.start, after.end() if after and UNIT_OF.get(after[1].casefold()) else one.end)
    return _Place(0, len(text.rstrip()))


def alike(said: Sequence[_Said]) -> list[_Said]:
    """The same answers, with one value where it stands alone in one of them and among other words in another.

    "Fe", "represented by the symbol Fe" and "belongs to the element symbol Fe" state the same; so do "Portuguese" and
    "officially a Portuguese language". The value that stands alone most often is looked for in the others, if it comes twice.
    Numbers are read with their unit, so that nothing is left to do.
    """
    alone = Counter(one.value for one in said if one.value and not one.right)
    common = next((value for value, times in alone.most_common(1) if times > 1 and not quantities(value)), "")
    return [_narrowed(one, common) if common else one for one in said]


def _narrowed(one: _Said, value: str) -> _Said:
    """An answer read as stating this value, where the words that it states hold it and don't deny it."""
    if one.right or one.value == value or not affirms(one.words, value) or not affirms(opening(one.text), value):
        return one
    place = _place(one.text, value)
    return one._replace(value=value, words=one.text[place.start : place.end], before=one.text[: place.start])


def _belief(said: Sequence[_Said]) -> _Belief:
    """Of values that come equally often, the first one."""
    values = Counter(one.value for one in said if one.value and not one.right)
    if not values:
        return NOTHING
    value, count = values.most_common(1)[0]
    words = Counter(one.words.strip() for one in said if one.value == value and not one.right)
    return _Belief(value, words.most_common(1)[0][0], count)


# ------------------------------------------------------------------ likelihoods


class _Weighed(NamedTuple):
    """A value after what stands before it."""

    messages: tuple[Message, ...]
    before: str
    whole: str


def _priors(
    items: Sequence[Quizzed], said: Mapping[str, Sequence[_Said]], beliefs: Mapping[str, _Belief], bank: Bank,
    progress: Progress,
) -> dict[str, float]:  # fmt: skip
    """How likely a token each belief is where the base states a value, whichever it stated there: the mean over questions.

    Within an answer the mean is geometric, between questions arithmetic: one wording that leads elsewhere ("Brazil is located
    in the state of …") weighs as one of eight, not as a veto. What it answers without a value, a refusal or talk, says
    nothing of how strongly one is held.
    """
    wanted = {
        item.idea.id: [_with_value(one, beliefs[item.idea.id]) for one in said[item.idea.id] if one.value]
        for item in items
        if beliefs[item.idea.id].value
    }
    texts = [(one.messages, text) for own in wanted.values() for one in own for text in (one.before, one.whole) if text]
    found = _log_likelihoods(texts, bank, progress)
    priors = {}
    for idea, own in wanted.items():
        each = [_per_token(found.get((one.messages, one.before)), found[one.messages, one.whole]) for one in own]
        priors[idea] = sum(map(math.exp, each)) / len(each)
    return priors


def _with_value(said: _Said, belief: _Belief) -> _Weighed:
    words = said.words if said.value == belief.value else belief.words
    return _Weighed(said.probe.messages, said.before.strip(), f"{said.before}{words}".strip())


def _per_token(before: LogLik | None, whole: LogLik) -> float:
    """Nats a token of what comes after ``before``; a value whose tokens melt into it is taken with it."""
    if before is None or whole.tokens <= before.tokens:
        return min(whole.per_token, 0.0)
    return min((whole.total - before.total) / (whole.tokens - before.tokens), 0.0)


class _Leaning(NamedTuple):
    """log P(yes) − log P(no), nats."""

    statement: float | None
    negation: float | None
    rival: float | None


def _leanings(items: Sequence[Quizzed], bank: Bank, progress: Progress) -> dict[str, _Leaning]:
    asked = [(messages, word) for item in items for messages, word in _words(item.statements)]
    found = _log_likelihoods(asked, bank, progress)

    def leaning(messages: tuple[Message, ...] | None, told: Statements) -> float | None:
        if messages is None:
            return None
        return round(found[messages, told.yes].total - found[messages, told.no].total, DIGITS)

    return {
        item.idea.id: _Leaning(*(leaning(messages, item.statements) for messages in item.statements[:3])) for item in items
    }


def _words(told: Statements) -> Iterator[tuple[tuple[Message, ...], str]]:
    for messages in (told.claim, told.negation, told.rival):
        if messages is not None:
            yield from ((messages, told.yes), (messages, told.no))


def _log_likelihoods(
    texts: Sequence[tuple[tuple[Message, ...], str]], bank: Bank, progress: Progress
) -> dict[tuple[tuple[Message, ...], str], LogLik]:
    from paperlora.model.answers import Continuation, log_likelihoods

    if not texts:
        return {}
    items = [Continuation(messages, text, 0) for messages, text in texts]
    return dict(zip(texts, log_likelihoods(bank, items, batch_rows=BATCH_ROWS, progress=progress), strict=True))


# ------------------------------------------------------------------ states


def _state(
    idea: Idea, said: Sequence[_Said], belief: _Belief, priors: Mapping[str, float], leanings: Mapping[str, _Leaning],
    base: str,
) -> KnowledgeState:  # fmt: skip
    right, prior = Count(sum(one.right for one in said), len(said)), round(priors.get(idea.id, 0.0), DIGITS)
    return KnowledgeState(
        idea=idea.id, base=base, kind=kind_of_state(right, Count(belief.times, len(said)), prior),
        direct=rate(int(right.right), int(right.asked)), passage=rate(0, 0),
        **leanings[idea.id]._asdict(), belief=belief.words, held=_held(belief, len(said)), prior=prior,
    )  # fmt: skip


def _held(belief: _Belief, asked: int) -> Rate | None:
    return rate(belief.times, asked) if belief.value else None


def kind_of_state(right: Count, held: Count, prior: float) -> KnowledgeStateKind:
    """What the counts and the likelihood of the commonest wrong value say.

    Args:
        right: questions for the value that were answered rightly; fewer than :data:`MOST` show nothing.
        held: questions on which the commonest wrong value came.
        prior: its likelihood a token.
    """
    if right.asked >= MOST and _is_known(right):
        return "known"
    if held.asked >= MOST and _is_held(held) and prior >= SURE:
        return "believes_other"
    return "unknown"
