"""An idea made ready to be asked and told, and the making of one probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from paperlora.microdata.english import slots, subject_names
from paperlora.microdata.values import Values
from paperlora.microdata.wordings import Wording
from paperlora.records import Idea, Message, Probe, ProbeFamily, digest

YES = ("Yes", "Correct", "Right", "True")
NO = ("No", "Incorrect", "Wrong", "False")


class Fact(NamedTuple):
    """An idea with all that its probes and rows are filled with."""

    idea: Idea
    values: Values
    words: dict[str, str]
    """The slots of :mod:`~paperlora.microdata.english`."""
    rivals: tuple[str, ...]
    """Other subjects: wrong answers where the subject is asked for."""
    reversible: bool
    """No other subject in the run has the same value for the same relation."""

    @property
    def seed(self) -> int:
        """Decides every choice that is free."""
        return int(self.idea.id, 16)

    @property
    def names(self) -> tuple[str, ...]:
        """What the subject is called, whole and in parts."""
        return subject_names(self.idea.subject)


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


def free(
    fact: Fact, family: ProbeFamily, wording: Wording, *, wave: int = 1, split: Literal["dev", "test"] = "test"
) -> Probe:
    """A probe that asks for the value."""
    values = fact.values
    return probe(
        fact, family, wording.form, wording.messages(fact.words), values.accepted, values.distractors, wave, split
    )


def yes_no(
    fact: Fact, family: ProbeFamily, wording: Wording, extra: Mapping[str, str], is_yes: bool, wave: int
) -> Probe:
    """A probe that can be guessed in half of the cases."""
    messages = wording.messages(fact.words | dict(extra))
    right, wrong = (YES, ("No",)) if is_yes else (NO, ("Yes",))
    return probe(fact, family, wording.form, messages, right, wrong, wave, chance=0.5)


def probe(
    fact: Fact, family: ProbeFamily, form: str, messages: Sequence[Message], answers: Sequence[str],
    distractors: Sequence[str], wave: int = 1, split: Literal["dev", "test"] = "test", chance: float = 0.0,
) -> Probe:  # fmt: skip
    """One probe, its id the digest of what it asks."""
    return Probe(
        id=digest("probe", fact.idea.id, family, form, [[m.role, m.content] for m in messages])[:16],
        idea=fact.idea.id, family=family, form=form, messages=tuple(messages), answers=tuple(answers),
        distractors=tuple(distractors), split=split, wave=wave, chance=chance,
    )  # fmt: skip
