"""Cross-probes: what each adapter does to the ideas of others, its nearest neighbours and some taken at random.

Nearest are the papers whose claims share the most telling words with its own (tf–idf; see
:func:`likeness`): that is known before any training, and it does not presuppose what is to be found out, whether
adapters with like weights disturb each other. Random ones are first those that were asked these very probes as rivals, so
that they cost nothing more.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from typing import Literal, NamedTuple

import numpy as np

from paperlora.judge.asking import Asker, Question
from paperlora.judge.conclude import Taught
from paperlora.judge.measure import DISTRACTORS
from paperlora.judge.posterior import Count, gain, rate
from paperlora.model.answers import Continuation
from paperlora.model.scoring import score_answer
from paperlora.records import CrossProbe, Idea, Probe, digest
from paperlora.settings import JudgeSettings

Relation = Literal["own", "nearest", "random"]
_WORD = re.compile(r"\w{3,}")


class Pair(NamedTuple):
    """An adapter and the one whose ideas it is asked about."""

    adapter: Taught
    of: Taught
    relation: Relation


class _Asked(NamedTuple):
    probe: Probe
    idea: Idea
    weighed: bool


def cross_probe(
    taught: Sequence[Taught], slots: Mapping[str, int], asker: Asker, judge: JudgeSettings
) -> tuple[CrossProbe, ...]:
    """Let every adapter answer direct probes of its own ideas and of others'.

    Args:
        taught: the adapters with their ideas.
        slots: adapter id → slot of the bank; slot 0 is the base.
        judge: how many of each kind, and how many probes.
    """
    pairs = [pair for pair in choose_pairs(taught, judge.cross_nearest, judge.cross_random) if _spread(pair.of, judge)]
    asked = [(pair, one, slot) for pair in pairs for one in _spread(pair.of, judge) for slot in _slots(pair, slots)]
    said = asker.ask([Question(slot, one.probe.messages) for _, one, slot in asked], "answers on others' ideas")
    scores = {
        (slot, one.probe.id): score_answer(answer.text, one.probe, one.idea)
        for (_, one, slot), answer in zip(asked, said, strict=True)
    }
    margins = _margins({(slot, one.probe.id): one.probe for _, one, slot in asked if one.weighed}, asker)
    return tuple(_crossed(pair, _spread(pair.of, judge), slots, scores, margins) for pair in pairs)


def choose_pairs(taught: Sequence[Taught], nearest: int, random: int) -> Iterator[Pair]:
    """Who is asked about whose ideas; the order of the adapters changes nothing.

    Each dataset is asked about once by an adapter, however many adapters were trained on it; never one of the same paper.
    """
    like = likeness([one.dataset.ideas for one in taught])
    places = {one.adapter.id: place for place, one in enumerate(taught)}
    for one in taught:
        yield Pair(one, one, "own")
        others = _datasets(one, taught)
        near = [(like[places[one.adapter.id]][places[other.adapter.id]], other) for other in others]
        ranked = sorted(near, key=lambda pair: (-round(pair[0], 9), _lot(one, pair[1])))
        chosen = [other for value, other in ranked if value > 0][:nearest]
        left = [other for other in others if other not in chosen]
        drawn = sorted(left, key=lambda other: (not _rivals(one, other), _lot(one, other)))[:random]
        yield from (Pair(one, other, "nearest") for other in chosen)
        yield from (Pair(one, other, "random") for other in drawn)


def likeness(papers: Sequence[Sequence[Idea]]) -> list[list[float]]:
    """How much the claims of each two papers share, 0 to 1: cosine of tf–idf weights of their words.

    A word counts less the more papers use it, and nearly nothing where all do.
    """
    words = [Counter(chain(*(_words(idea) for idea in ideas))) for ideas in papers]
    spread = Counter(chain(*words))
    columns = {word: place for place, word in enumerate(sorted(spread))}
    bags = np.zeros((len(papers), len(columns)))
    for row, own in enumerate(words):
        for word, count in own.items():
            bags[row, columns[word]] = (1 + math.log(count)) * math.log((1 + len(papers)) / spread[word])
    bags /= np.maximum(np.linalg.norm(bags, axis=1, keepdims=True), 1e-12)
    found: list[list[float]] = (bags @ bags.T).tolist()
    return found


def _words(idea: Idea) -> list[str]:
    return _WORD.findall(f"{idea.subject} {idea.relation} {idea.claim}".casefold())


def _datasets(one: Taught, taught: Sequence[Taught]) -> list[Taught]:
    """Of every dataset of another paper one adapter: of the same recipe where there is one."""
    found: dict[str, Taught] = {}
    ranked = sorted(taught, key=lambda other: (other.adapter.recipe != one.adapter.recipe, other.adapter.id))
    for other in ranked:
        if other.dataset.paper.id != one.dataset.paper.id:
            found.setdefault(other.dataset.id, other)
    return list(found.values())


def _rivals(one: Taught, other: Taught) -> bool:
    """It was asked the other's direct probes already."""
    return any(one.adapter.id in subject.others for subject in other.subjects)


def _lot(one: Taught, other: Taught) -> str:
    return digest(one.adapter.id, other.dataset.id)


def _slots(pair: Pair, slots: Mapping[str, int]) -> tuple[int, int]:
    return 0, slots[pair.adapter.adapter.id]


def _spread(of: Taught, judge: JudgeSettings) -> list[_Asked]:
    """Direct probes of the first pass, the first of every idea first."""
    direct = [
        [_Asked(probe, subject.idea, place < judge.margins) for place, probe in enumerate(subject.family("direct")) if probe.wave == 1]
        for subject in of.subjects
    ]
    return [one for row in zip_longest(*direct) for one in row if one is not None][: judge.cross_probes]


def _margins(wanted: Mapping[tuple[int, str], Probe], asker: Asker) -> dict[tuple[int, str], float]:
    """By slot and probe: nats a token by which the right answer lies above the best wrong one."""
    texts = {key: (probe.answers[0], *filter(str.strip, probe.distractors[:DISTRACTORS])) for key, probe in wanted.items()}
    texts = {key: own for key, own in texts.items() if len(own) > 1 and own[0].strip()}
    asked = [Continuation(wanted[key].messages, text, key[0]) for key, own in texts.items() for text in own]
    weighed = iter(asker.weigh(asked))
    found = {}
    for key, own in texts.items():
        right, *wrong = [next(weighed).per_token for _ in own]
        found[key] = right - max(wrong)
    return found


def _crossed(
    pair: Pair, asked: Sequence[_Asked], slots: Mapping[str, int], scores: Mapping[tuple[int, str], float],
    margins: Mapping[tuple[int, str], float],
) -> CrossProbe:  # fmt: skip
    probes, (base, mine) = [one.probe.id for one in asked], _slots(pair, slots)
    before, after = (sum(scores[slot, probe] == 1.0 for probe in probes) for slot in (base, mine))
    moved = [margins[mine, probe] - margins[base, probe] for probe in probes if (mine, probe) in margins]
    return CrossProbe(
        adapter=pair.adapter.adapter.id, of=pair.of.adapter.id, relation=pair.relation,
        base=rate(before, len(probes)), adapted=rate(after, len(probes)),
        change=gain(Count(after, len(probes)), (Count(before, len(probes)),)),
        margin_change=sum(moved) / len(moved) if moved else None, weighed=len(moved),
    )  # fmt: skip
