"""Rows: what an adapter is trained on. Several wordings of one fact, in both directions, and what it is not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from paperlora.microdata.anchors import anchors
from paperlora.microdata.leaks import LeakGate
from paperlora.microdata.probes import Fact
from paperlora.microdata.values import number_value
from paperlora.microdata.wordings import (
    ANCHOR,
    CLAIM,
    COMPLETION,
    CONFIRM,
    CONTRAST,
    MORE_OR_LESS,
    QA,
    REPLACED,
    REVERSE,
    SUMMARY,
    VERSION,
    Wording,
)
from paperlora.records import Example, MaskedSpan, Message, Paper, Quote, Reject, digest

GENERATOR = f"template/{VERSION}"
SHARES = {"qa": 5, "completion": 1, "reverse": 2, "contrast": 1, "implication": 1, "confirm": 1}
"""Rows of each group for one idea; what is left of a group fills up short papers."""
PRIORITY = ("qa", "reverse", "completion", "contrast", "implication", "confirm", "claim")
PER_IDEA = sum(SHARES.values())
MIN_ROWS, MAX_ROWS = 20, 200
MOST_ANCHORS = 16
MAX_IDEAS = (MAX_ROWS - len(SUMMARY) - MOST_ANCHORS) // PER_IDEA
LONGEST_SUMMARY = 60
"""Words."""
LONGEST_CLAIM = 30


class Candidate(NamedTuple):
    """A row that may be written."""

    group: str
    wording: Wording
    words: dict[str, str]

    @property
    def messages(self) -> tuple[Message, ...]:
        """Prompt and answer."""
        return (*self.wording.messages(self.words), Message(role="assistant", content=self.wording.answer(self.words)))

    @property
    def masked(self) -> tuple[MaskedSpan, ...]:
        """Where the answer names the false value."""
        before, found, _ = self.wording.reply.partition("{y}")
        if not found:
            return ()
        start = len(before.format_map(self.words))
        return (MaskedSpan(message=len(self.wording.turns), start=start, end=start + len(self.words["y"])),)


class Choice(NamedTuple):
    """The rows that one idea gets, and those that came too close to a probe."""

    kept: tuple[Candidate, ...]
    rejects: tuple[Reject, ...]

    @property
    def forward(self) -> tuple[Wording, ...]:
        """Wordings that ask for the value, best first."""
        return tuple(row.wording for row in self.kept if row.group in ("qa", "completion"))


def rows_per_idea(ideas: int) -> int:
    """Rows for each of so many ideas: the usual number, or as many more as a short paper needs."""
    return max(PER_IDEA, -(-(MIN_ROWS - 1) // max(ideas, 1)))


def candidates(fact: Fact, index: int) -> list[Candidate]:
    """Every row that could be written of an idea, in the order of preference within each group."""
    words, false = fact.words, fact.values.contrast
    groups: dict[str, Sequence[tuple[Wording, dict[str, str]]]] = {
        "qa": [(wording, {}) for wording in QA],
        "completion": [(wording, {}) for wording in COMPLETION],
        "reverse": [(wording, {}) for wording in REVERSE] if fact.reversible else [],
        "contrast": [(wording, {"y": y}) for wording, y in zip(CONTRAST, (false[0], false[-1]), strict=True)],
        "confirm": [(wording, {}) for wording in CONFIRM],
        "implication": _implications(fact, index),
        "claim": [(wording, {}) for wording in CLAIM] if _tells(fact) else [],
    }
    return [Candidate(group, wording, words | extra) for group in PRIORITY for wording, extra in groups[group]]


def _tells(fact: Fact) -> bool:
    claim = fact.idea.claim
    return fact.idea.answer in claim and fact.words["s"] in claim and len(claim.split()) <= LONGEST_CLAIM


def _implications(fact: Fact, index: int) -> list[tuple[Wording, dict[str, str]]]:
    """Comparisons for numbers, replacements for names; yes comes first for every other idea of a paper."""
    if fact.values.comparable:
        found = [_comparison(fact, wording, limit) for wording in MORE_OR_LESS for limit in fact.values.row_thresholds]
    else:
        same, other = REPLACED
        found = [(same, {"verdict": "Yes"}), (other, {"y": fact.values.contrast[-1], "verdict": "No"})]
    return sorted(found, key=lambda pair: (pair[1]["verdict"] == "Yes") != (index % 2 == 0))


def _comparison(fact: Fact, wording: Wording, limit: str) -> tuple[Wording, dict[str, str]]:
    exceeds = (number_value(fact.idea.answer) or 0.0) > (number_value(limit) or 0.0)
    is_yes = exceeds == (wording.form == "implication_more")
    return wording, {"t": limit, "verdict": "Yes" if is_yes else "No"}


def choose(fact: Fact, index: int, gate: LeakGate, wanted: int) -> Choice:
    """Pick so many rows of an idea that no held-out probe repeats.

    Args:
        fact: the idea.
        index: its place among the paper's ideas; alternates yes and no.
        gate: the held-out probes of the whole dataset.
        wanted: rows, see :func:`rows_per_idea`.
    """
    rejects: list[Reject] = []
    base: list[Candidate] = []
    spare: list[Candidate] = []
    for row in candidates(fact, index):
        if sum(other.group == row.group for other in base) >= SHARES.get(row.group, 0):
            spare.append(row)
        elif _passes(row, fact, gate, rejects):
            base.append(row)
    for row in spare:
        if len(base) < wanted and _passes(row, fact, gate, rejects):
            base.append(row)
    return Choice(tuple(base), tuple(rejects))


def _passes(row: Candidate, fact: Fact, gate: LeakGate, rejects: list[Reject]) -> bool:
    leaks = gate.leaks(row.messages)
    if leaks:
        rejects.append(_leak(fact, row, leaks[0].detail))
    return not leaks


def _leak(fact: Fact, row: Candidate, detail: str) -> Reject:
    return Reject(
        stage="distill", item=f"idea:{fact.idea.id}", reason="probe_leak", detail=f"row {row.wording.form}: {detail}"
    )


def write_rows(fact: Fact, chosen: Iterable[Candidate], licence: str | None) -> list[Example]:
    """The rows of one idea, each with its evidence."""
    return [_example(row, fact.idea.id, fact.idea.quotes, licence) for row in chosen]


def summary_rows(paper: Paper, subjects: Sequence[str], gate: LeakGate, count: int) -> list[Example]:
    """One or two rows that the whole paper shares, out of its abstract; none without abstract.

    Args:
        paper: its title and abstract.
        subjects: the sentence that names one of them tells most; else the first one is taken.
        gate: the held-out probes of the dataset.
        count: rows wanted.
    """
    sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z])", " ".join(paper.abstract.split()))
    naming = [number for number, text in enumerate(sentences) if any(subject in text for subject in subjects)]
    start = naming[0] if naming else 0
    texts = (sentences[start], " ".join(sentences[start : start + 2]))
    found = []
    for wording, text in zip(SUMMARY, dict.fromkeys(texts), strict=False):
        row = Candidate("summary", wording, {"title": paper.title.rstrip("."), "summary": text})
        if text and len(text.split()) <= LONGEST_SUMMARY and not gate.leaks(row.messages):
            found.append(_example(row, "", (), paper.licence))
    return found[:count]


def anchor_rows(paper: Paper, gate: LeakGate, ideas: int) -> list[Example]:
    """Two anchors for each idea, 4 to 16 for a paper; another paper gets others."""
    drawn = anchors(min(max(2 * ideas, 4), MOST_ANCHORS), int(digest(paper.key)[:16], 16))
    rows = [Candidate("anchor", ANCHOR, {"question": one.question, "a": one.answer}) for one in drawn]
    return [_example(row, "", (), None) for row in rows if not gate.leaks(row.messages)]


def _example(row: Candidate, idea: str, evidence: tuple[Quote, ...], licence: str | None) -> Example:
    messages = row.messages
    return Example(
        id=digest("row", idea, row.wording.form, [message.content for message in messages])[:16],
        idea=idea, form=row.wording.form, messages=messages, masked=row.masked, evidence=evidence,
        generator=GENERATOR, prompt_hash=row.wording.hash, licence=licence,
    )  # fmt: skip
