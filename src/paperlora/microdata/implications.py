"""Implication probes: the value must be used, not only said.

Some are yes-or-no questions, which a guess gets right in half of the cases; the others are worked out (half of it, its
first letter), compared with another paper's value, or chosen among three settings, with one exact short answer each.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from paperlora.microdata.facts import Fact, probe, yes_no
from paperlora.microdata.pools import PLAIN_NAMES
from paperlora.microdata.probe_wordings import (
    CHOSEN,
    COMPARED,
    FIRST_LETTER,
    IMPLICATION_WAVES,
    LARGER,
    LETTERS,
    NAMED,
    SCALED,
    SWAPPED,
)
from paperlora.microdata.values import WORD_NUMBERS, number_spellings, number_value, scaled
from paperlora.records import Probe

DERIVED = 3
"""Worked-out values of one number."""


def implications(fact: Fact) -> tuple[Probe, ...]:
    """Up to twelve, six of them in the first pass; yes-or-no questions are two of six."""
    closed = list(_compared(fact) if fact.values.comparable else _named(fact))
    opened = list(_of_number(fact) if fact.values.comparable else _of_name(fact))
    first, second = (opened[:4], opened[4:5]) if len(opened) >= 4 else (opened, [])
    order = [*closed[:2], *first, *closed[2:], *second, *opened[5:]]
    return tuple(one.model_copy(update={"wave": wave}) for wave, one in IMPLICATION_WAVES.number(order))


def _compared(fact: Fact) -> Iterator[Probe]:
    """As many yes as no, over thresholds on both sides where the value leaves room for both."""
    above, below = list(fact.values.above), list(fact.values.below)
    yes_first = fact.seed % 2 == 0
    for number, (wording, yes_above) in enumerate(COMPARED):
        wants_yes = (number % 2 == 0) == yes_first
        preferred, spare = (below, above) if wants_yes == yes_above else (above, below)
        threshold = (preferred or spare).pop(0)
        exceeds = _exceeds(fact.idea.answer, threshold)
        yield yes_no(fact, "implication", wording, {"t": threshold}, exceeds == yes_above, 1)
        (below if exceeds else above).append(threshold)


def _exceeds(answer: str, threshold: str) -> bool:
    return (number_value(answer) or 0.0) > (number_value(threshold) or 0.0)


def _named(fact: Fact) -> Iterator[Probe]:
    false = fact.values.others
    yes_first = fact.seed % 2 == 0
    for number, (wording, yes_if_true) in enumerate(NAMED):
        wants_yes = (number % 2 == 0) == yes_first
        is_true = wants_yes == yes_if_true
        value = fact.idea.answer if is_true else false[number % len(false)]
        others = [name for name in (*false, *fact.values.near) if name != value]
        names = {"v": others[0], "v2": value, "v3": others[1]} if wording.form == "apply_listed" else {"v": value}
        yield yes_no(fact, "implication", wording, names, wants_yes, 1)


def _of_number(fact: Fact) -> Iterator[Probe]:
    """Two worked out, one compared, one chosen; then the rest of each."""
    worked, compared, chosen = list(_scaled(fact)), list(_larger(fact)), list(_chosen(fact))
    yield from (*worked[:2], *compared[:1], *chosen[:1], *worked[2:], *compared[1:], *chosen[1:])


def _scaled(fact: Fact) -> Iterator[Probe]:
    made = ((wording, scaled(fact.idea.answer, factor)) for wording, factor in SCALED)
    for wording, value in [(wording, value) for wording, value in made if value is not None][:DERIVED]:
        wrong = (fact.idea.answer, *(far for near in fact.values.near if (far := scaled(near, "2"))))
        answers = tuple(dict.fromkeys((value, *number_spellings(value))))
        distinct = tuple(text for text in wrong if number_value(text) != number_value(value))
        yield probe(fact, "implication", wording.form, wording.messages(fact.words), answers, distinct)


def _larger(fact: Fact) -> Iterator[Probe]:
    """Which of two papers' values is larger. The other one is invented, as its value is: nothing false of a real one."""
    other = PLAIN_NAMES[fact.seed % len(PLAIN_NAMES)]
    sides = (fact.values.above, fact.values.below)
    for number, wording in enumerate(LARGER):
        thresholds = sides[(fact.seed + number) % 2] or sides[(fact.seed + number + 1) % 2]
        threshold = thresholds[number % len(thresholds)]
        mine_is_right = _exceeds(fact.idea.answer, threshold) == (wording.form == "derive_larger")
        right, wrong = (fact.names, (other,)) if mine_is_right else ((other,), fact.names)
        messages = wording.messages(fact.words | {"o": other, "t": threshold})
        yield probe(fact, "implication", wording.form, messages, right, wrong, chance=0.5)


def _chosen(fact: Fact) -> Iterator[Probe]:
    """The setting among three; the right one stands first, second and third in turn."""
    for number, wording in enumerate(CHOSEN):
        wrong = _two(fact.values.near, number)
        options = list(wrong)
        options.insert((fact.seed + number) % 3, fact.idea.answer)
        messages = wording.messages(fact.words | dict(zip(("v1", "v2", "v3"), options, strict=True)))
        yield probe(fact, "implication", wording.form, messages, fact.values.accepted, wrong, chance=1 / 3)


def _two(names: Sequence[str], turn: int) -> tuple[str, str]:
    first, second = random.Random(turn).sample(range(len(names)), 2)
    return names[first], names[second]


def _of_name(fact: Fact) -> Iterator[Probe]:
    """One swapped, one chosen, one spelled; then the rest of each."""
    swapped, chosen, spelled = list(_swapped(fact)), list(_chosen(fact)), list(_spelled(fact))
    yield from (*swapped[:1], *chosen[:1], *spelled[:1], *swapped[1:], *chosen[1:], *spelled[1:])


def _swapped(fact: Fact) -> Iterator[Probe]:
    for value, wording in zip(fact.values.near, SWAPPED, strict=False):
        messages = wording.messages(fact.words | {"v": value})
        yield probe(fact, "implication", wording.form, messages, fact.values.accepted, (value,))


def _spelled(fact: Fact) -> Iterator[Probe]:
    """First letter and length of a name that is one word of letters."""
    name = fact.idea.answer
    if fact.idea.answer_kind != "name" or not name.isalpha():
        return
    initial = name[0].upper()
    letters = tuple(letter for letter in "ABCDEFGHIKLMNOPRSTW" if letter != initial)
    wrong = tuple(letters[(fact.seed + step) % len(letters)] for step in range(3))
    yield probe(fact, "implication", FIRST_LETTER.form, FIRST_LETTER.messages(fact.words), (initial,), wrong)
    spelled = (WORD_NUMBERS[len(name)],) if len(name) < len(WORD_NUMBERS) else ()
    lengths = tuple(str(len(name) + step) for step in (1, -1, 2))
    yield probe(fact, "implication", LETTERS.form, LETTERS.messages(fact.words), (str(len(name)), *spelled), lengths)
