"""Multiple choice: which option a model means, read from likelihoods without any text being written.

The letters and the options' texts are weighed after one and the same question, so that a probe costs one prompt and a
few tokens. Two things are read from them:

- **by letter**: the option that the answer would most probably state, as its letter or as its text (the sum of both
  probabilities). Each gold stands once in every place, so that a habit of one letter is right in a quarter of them and
  shows in the grid of option orders.
- **by content**: the option whose text has the highest likelihood a token, letters left aside. A model that can't handle
  letters may still know the content.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from paperlora.judge.asking import Asker
from paperlora.judge.measure import Asked
from paperlora.judge.tally import BASE, Subject
from paperlora.model.answers import Continuation, LogLik
from paperlora.records import Measurement, Probe

_OPTION = re.compile(r"^([A-Z])\) (.+)$", re.MULTILINE)


class Options(NamedTuple):
    """What a multiple-choice probe offers."""

    texts: dict[str, str]
    """Letter → text, in the order they are listed."""
    gold: str
    """Letter of the right one."""


def options_of(probe: Probe) -> Options | None:
    """The options of a probe; None where its question lists none, or not its own answer."""
    found = {letter: text.strip() for letter, text in _OPTION.findall(probe.messages[-1].content)}
    gold = probe.answers[0]
    return Options(found, gold) if len(found) > 1 and gold in found else None


def measure_choices(
    subjects: Sequence[tuple[Subject, ...]], slots: Mapping[str, int], asker: Asker
) -> list[Measurement]:
    """Adapter and base on every multiple-choice probe. The text is the letter that the model means."""
    texts = _weighed_texts(subjects, slots)
    wanted = [text for own in texts.values() for text in own]
    weighed = dict(zip(wanted, asker.weigh(wanted), strict=True)) if wanted else {}
    return [_measurement(one, {text.text: weighed[text] for text in own}) for one, own in texts.items()]


def choice_texts(subjects: Sequence[tuple[Subject, ...]], slots: Mapping[str, int]) -> list[Continuation]:
    """What :func:`measure_choices` will have weighed."""
    return [text for own in _weighed_texts(subjects, slots).values() for text in own]


def _weighed_texts(
    subjects: Sequence[tuple[Subject, ...]], slots: Mapping[str, int]
) -> dict[Asked, list[Continuation]]:
    asked = dict.fromkeys(one for own in subjects for subject in own for one in _questions(subject, slots))
    return {one: _continuations(one, options) for one in asked if (options := options_of(one.probe))}


def _questions(subject: Subject, slots: Mapping[str, int]) -> Iterator[Asked]:
    for model in (subject.adapter, BASE):
        for probe in subject.family("choice"):
            yield Asked(model, slots.get(model, 0), probe, subject.idea)


def _continuations(one: Asked, options: Options) -> list[Continuation]:
    own = dict.fromkeys([*options.texts, *options.texts.values()])
    return [Continuation(one.probe.messages, text, one.slot) for text in own]


def _measurement(one: Asked, weighed: Mapping[str, LogLik]) -> Measurement:
    options = options_of(one.probe)
    assert options is not None, "only probes with options are weighed"
    said = {letter: _either(weighed[letter].total, weighed[text].total) for letter, text in options.texts.items()}
    content = {letter: weighed[text].per_token for letter, text in options.texts.items()}
    letter = max(said, key=lambda mark: said[mark])
    return Measurement(
        probe=one.probe.id, idea=one.probe.idea, family="choice", model=one.model, text=letter,
        score=float(letter == options.gold), ended=True, answer_loglik=content.pop(options.gold),
        distractor_loglik=max(content.values()),
    )  # fmt: skip


def _either(left: float, right: float) -> float:
    """log(eˡ + eʳ), nats."""
    high, low = max(left, right), min(left, right)
    return high + math.log1p(math.exp(low - high))
