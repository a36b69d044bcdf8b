"""Probes: what is never trained on. Built before any row, from wordings that no row uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from paperlora.microdata.choices import choice, robustness
from paperlora.microdata.facts import Fact, free, probe, yes_no
from paperlora.microdata.implications import implications
from paperlora.microdata.pools import known_facts
from paperlora.microdata.probe_wordings import (
    ASKED,
    ASKED_DEV,
    DIRECT_WAVES,
    IMPLICATION_WAVES,
    NEAR,
    REVERSED,
    SMALL_WAVES,
    UNTRAINED,
)
from paperlora.microdata.wordings import QA, Wording
from paperlora.records import Message, Probe

LOCALITY = 8


def held_out(fact: Fact, sure: frozenset[str] | None = None) -> tuple[Probe, ...]:
    """All probes of one idea but those in trained forms, for all three passes.

    Args:
        fact: the idea.
        sure: questions of the locality pool that the base at hand answers rightly; None without a base.
    """
    reverse = _reverse(fact) if fact.reversible else ()
    mine = (*_direct(fact), *reverse, *implications(fact), *_near_miss(fact), *_locality(fact, sure))
    return (*mine, *choice(fact), *robustness(fact))


def trained_form(fact: Fact, chosen: Sequence[Wording], trained: Iterable[Wording]) -> tuple[Probe, ...]:
    """Questions in the words of rows: first this idea's own rows, word for word, then wordings trained on others.

    Args:
        chosen: wordings of this idea's rows that ask for the value.
        trained: wordings that ask for the value anywhere in the dataset.
    """
    others = [wording for wording in trained if wording not in chosen]
    numbered = IMPLICATION_WAVES.number([*chosen, *others][:LONGEST_TRAINED])
    return tuple(free(fact, "trained_form", wording, wave=wave) for wave, wording in numbered)


LONGEST_TRAINED = len(QA)
"""Most trained-form probes of one idea."""


def _direct(fact: Fact) -> Iterator[Probe]:
    for group in (ASKED, UNTRAINED):
        for wave, wording in DIRECT_WAVES.number(group):
            yield free(fact, "direct", wording, wave=wave)
    for wording in ASKED_DEV:
        yield free(fact, "direct", wording, split="dev")


def _reverse(fact: Fact) -> Iterator[Probe]:
    for wave, wording in SMALL_WAVES.number(REVERSED):
        yield probe(fact, "reverse", wording.form, wording.messages(fact.words), fact.names, fact.rivals, wave=wave)


def _near_miss(fact: Fact) -> Iterator[Probe]:
    """As many true as false values in each pass; which wording gets which is turned by the seed."""
    true_first = fact.seed % 2 == 0
    for number, (wave, wording) in enumerate(SMALL_WAVES.number(NEAR)):
        is_true = (number % 2 == 0) == true_first
        value = fact.idea.answer if is_true else fact.values.near[number // 2 % len(fact.values.near)]
        yield yes_no(fact, "near_miss", wording, {"v": value}, is_true, wave)


def _locality(fact: Fact, sure: frozenset[str] | None) -> Iterator[Probe]:
    facts = known_facts(fact.idea.answer_kind, LOCALITY, fact.seed, sure)
    for wave, (number, known) in SMALL_WAVES.number(list(enumerate(facts))):
        messages = (Message(role="user", content=known.question),)
        yield probe(fact, "locality", f"known_{number + 1}", messages, known.answers, known.wrong, wave=wave)
