"""The questions of the quiz: for an idea's value, and on its claim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from paperlora.microdata.facts import Fact, free
from paperlora.microdata.probe_wordings import ASKED_DEV
from paperlora.microdata.rows import LONGEST_CLAIM
from paperlora.microdata.wordings import COMPLETION, QA, Wording
from paperlora.model.scoring import normalise
from paperlora.records import Idea, Message, Probe

FIRST, MOST = 4, 8
"""Questions for the value: of every idea, and where these leave it open."""
WORDED: tuple[Wording, ...] = (QA[0], COMPLETION[0], ASKED_DEV[0], QA[3], QA[6], QA[5], QA[8], COMPLETION[1])
"""Those that a small base understands come first."""
TRUE = "Is it true that {claim}? Answer yes or no."
FALSE = "Is it false that {claim}? Answer yes or no."
_ORDINARY = {"the", "a", "an", "we", "our", "this", "these", "in", "on", "for", "with", "it", "its", "when", "after"}
"""First words of a claim that lose their capital inside a sentence; any other may be a name."""


class Statements(NamedTuple):
    """Yes-or-no questions on one idea. What can't be asked is None."""

    claim: tuple[Message, ...] | None
    negation: tuple[Message, ...] | None = None
    rival: tuple[Message, ...] | None = None
    """The claim with a false value."""
    yes: str = "Yes"
    no: str = "No"


class Quizzed(NamedTuple):
    """An idea with the questions that a base is asked of it."""

    idea: Idea
    questions: tuple[Probe, ...]
    """For its value; the first :data:`MOST` count, the first :data:`FIRST` of them are always asked."""
    statements: Statements = Statements(None)


def quizzed(fact: Fact) -> Quizzed:
    """The questions on an idea that is to be taught."""
    questions = tuple(free(fact, "trained_form", wording) for wording in WORDED)
    return Quizzed(fact.idea, questions, _statements(fact))


def quizzed_by_probes(idea: Idea, probes: Sequence[Probe], yes: str = "yes", no: str = "no") -> Quizzed:
    """The questions on an idea out of a dataset's own probes, for datasets that no wording of this project made.

    Its dev probes and those in trained wordings ask for the value, in turn; near-miss probes of the first pass are the
    statements (there is no negation among them).

    Args:
        probes: of any ideas; those of others are passed over.
        yes, no: the words for them in the probes' language.
    """
    own = sorted((probe for probe in probes if probe.idea == idea.id), key=lambda probe: probe.wave)
    dev = [probe for probe in own if probe.family == "direct" and probe.split == "dev"]
    trained = [probe for probe in own if probe.family == "trained_form"]
    closed = [probe for probe in own if probe.family == "near_miss"]
    true, false = (
        next((probe.messages for probe in closed if (normalise(probe.answers[0]) == normalise(yes)) == wanted), None)
        for wanted in (True, False)
    )
    return Quizzed(idea, (*dev[:2], *trained)[:MOST], Statements(true, None, false, yes, no))


def _statements(fact: Fact) -> Statements:
    answer, rival = fact.idea.answer, fact.values.contrast[0] if fact.values.contrast else ""
    claim = spoken_claim(fact)
    return Statements(
        _user(TRUE.format(claim=claim)), _user(FALSE.format(claim=claim)),
        _user(TRUE.format(claim=claim.replace(answer, rival))) if rival and answer in claim else None,
    )  # fmt: skip


def spoken_claim(fact: Fact) -> str:
    """The claim as part of a sentence; where it is long or says the value in other words, a plain one takes its place."""
    claim = " ".join(fact.idea.claim.split()).rstrip(".!?")
    if fact.idea.answer not in claim or len(claim.split()) > LONGEST_CLAIM:
        words = fact.words
        return f"the {words['r']} {words['of']} {words['s']} {words['be']} {words['a']}"
    first = claim.split(maxsplit=1)[0]
    return claim[0].lower() + claim[1:] if first.casefold() in _ORDINARY else claim


def _user(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)
