"""Probes: what is never trained on. Built before any row, from wordings that no row uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from paperlora.microdata.pools import known_facts
from paperlora.microdata.values import Values, number_value
from paperlora.microdata.wordings import (
    ASKED,
    ASKED_DEV,
    COMPARED,
    NAMED,
    NEAR,
    REVERSED,
    UNTRAINED,
    Wording,
    slots,
    subject_names,
)
from paperlora.records import Idea, Message, Probe, ProbeFamily, digest

YES = ("Yes", "Correct", "Right", "True")
NO = ("No", "Incorrect", "Wrong", "False")
LOCALITY = 4


class Fact(NamedTuple):
    """An idea with all that its probes and rows are filled with."""

    idea: Idea
    values: Values
    words: dict[str, str]
    """The slots of :mod:`~paperlora.microdata.wordings`."""
    rivals: tuple[str, ...]
    """Other subjects: wrong answers where the subject is asked for."""
    reversible: bool
    """No other subject in the run has the same value for the same relation."""

    @property
    def seed(self) -> int:
        """Decides every choice that is free."""
        return int(self.idea.id, 16)


def fact_of(idea: Idea, values: Values, neighbours: Sequence[Idea]) -> Fact:
    """Put together what the wordings need."""
    mine = {subject.casefold() for subject in subject_names(idea.subject)}
    others = [other for other in neighbours if not {s.casefold() for s in subject_names(other.subject)} & mine]
    same = [other for other in others if _same_value(other, idea)]
    subjects = tuple(
        dict.fromkeys(other.subject for other in sorted(others, key=lambda other: digest(idea.id, other.id)))
    )
    return Fact(idea, values, slots(idea), subjects[:3], not same)


def _same_value(other: Idea, idea: Idea) -> bool:
    meant = {text.casefold() for text in (idea.answer, *idea.aliases)}
    return other.relation.casefold() == idea.relation.casefold() and bool(
        meant & {text.casefold() for text in (other.answer, *other.aliases)}
    )


def held_out(fact: Fact) -> tuple[Probe, ...]:
    """All probes of one idea but those in trained forms: 12 + 2 direct, reverse, implication, near-miss, locality."""
    reverse = _reverse(fact) if fact.reversible else ()
    return (*_direct(fact), *reverse, *_implication(fact), *_near_miss(fact), *_locality(fact))


def trained_form(fact: Fact, chosen: Iterable[Wording]) -> tuple[Probe, ...]:
    """The questions of rows, word for word: what the training shows, and no more."""
    return tuple(_valued(fact, wording, "trained_form", "test") for wording in chosen)


def _direct(fact: Fact) -> Iterator[Probe]:
    for wording in (*ASKED, *UNTRAINED):
        yield _valued(fact, wording, "direct", "test")
    for wording in ASKED_DEV:
        yield _valued(fact, wording, "direct", "dev")


def _valued(fact: Fact, wording: Wording, family: ProbeFamily, split: str) -> Probe:
    return _probe(
        fact, family, wording.form, wording.messages(fact.words), fact.values.accepted, fact.values.distractors, split
    )


def _reverse(fact: Fact) -> Iterator[Probe]:
    names = subject_names(fact.idea.subject)
    for wording in REVERSED:
        yield _probe(fact, "reverse", wording.form, wording.messages(fact.words), names, fact.rivals)


def _near_miss(fact: Fact) -> Iterator[Probe]:
    """Two true and two false values; which wording gets which is turned by the seed."""
    true_first = fact.seed % 2 == 0
    false = iter(fact.values.near)
    for number, wording in enumerate(NEAR):
        is_true = (number % 2 == 0) == true_first
        value = fact.idea.answer if is_true else next(false)
        yield _yes_no(fact, "near_miss", wording, {"v": value}, is_true)


def _implication(fact: Fact) -> Iterator[Probe]:
    return _compared(fact) if fact.values.comparable else _named(fact)


def _compared(fact: Fact) -> Iterator[Probe]:
    """Two yes and two no, over thresholds on both sides where the value leaves room for both."""
    above, below = list(fact.values.above), list(fact.values.below)
    yes_first = fact.seed % 2 == 0
    for number, (wording, yes_above) in enumerate(COMPARED):
        wants_yes = (number % 2 == 0) == yes_first
        preferred, spare = (below, above) if wants_yes == yes_above else (above, below)
        threshold = (preferred or spare).pop(0)
        exceeds = (number_value(fact.idea.answer) or 0.0) > (number_value(threshold) or 0.0)
        yield _yes_no(fact, "implication", wording, {"t": threshold}, exceeds == yes_above)
        (below if exceeds else above).append(threshold)


def _named(fact: Fact) -> Iterator[Probe]:
    false = fact.values.others
    yes_first = fact.seed % 2 == 0
    for number, (wording, yes_if_true) in enumerate(NAMED):
        wants_yes = (number % 2 == 0) == yes_first
        is_true = wants_yes == yes_if_true
        value = fact.idea.answer if is_true else false[number % len(false)]
        others = [name for name in (*false, *fact.values.near) if name != value]
        names = {"v": others[0], "v2": value, "v3": others[1]} if wording.form == "apply_listed" else {"v": value}
        yield _yes_no(fact, "implication", wording, names, wants_yes)


def _locality(fact: Fact) -> Iterator[Probe]:
    for number, known in enumerate(known_facts(fact.idea.answer_kind, LOCALITY, fact.seed)):
        messages = (Message(role="user", content=known.question),)
        yield _probe(fact, "locality", f"known_{number + 1}", messages, known.answers, known.wrong)


def _yes_no(fact: Fact, family: ProbeFamily, wording: Wording, extra: dict[str, str], is_yes: bool) -> Probe:
    messages = wording.messages(fact.words | extra)
    return _probe(fact, family, wording.form, messages, YES if is_yes else NO, ("No",) if is_yes else ("Yes",))


def _probe(
    fact: Fact,
    family: ProbeFamily,
    form: str,
    messages: tuple[Message, ...],
    answers: Sequence[str],
    distractors: Sequence[str],
    split: str = "test",
) -> Probe:
    return Probe.model_validate(
        {
            "id": digest("probe", fact.idea.id, family, form, [message.content for message in messages])[:16],
            "idea": fact.idea.id,
            "family": family,
            "form": form,
            "messages": messages,
            "answers": tuple(answers),
            "distractors": tuple(distractors),
            "split": split,
        }
    )
