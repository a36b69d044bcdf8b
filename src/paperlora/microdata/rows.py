"""Rows of one idea: what an adapter is trained on. Several wordings of one fact, in both directions, and what it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from paperlora.microdata.facts import Fact
from paperlora.microdata.leaks import LeakGate
from paperlora.microdata.values import number_value
from paperlora.microdata.wordings import (
    CLAIM,
    COMPLETION,
    CONFIRM,
    CONTRAST,
    MORE_OR_LESS,
    PICK,
    QA,
    REPLACED,
    REVERSE,
    REWRITE,
    VERSION,
    Wording,
)
from paperlora.records import Example, MaskedSpan, Message, Quote, Reject, digest

T = TypeVar("T")
GENERATOR = f"template/{VERSION}"
SHARES = {"qa": 4, "completion": 2, "reverse": 1, "contrast": 1, "implication": 1, "confirm": 1}
"""Rows of each group for one idea; what is left of a group fills up short papers. Every second idea is also rewritten."""
PRIORITY = ("qa", "reverse", "completion", "contrast", "implication", "confirm", "rewrite", "claim")
PER_IDEA = sum(SHARES.values())
MIN_ROWS, MAX_ROWS = 20, 200
MAX_IDEAS = 12
"""Twelve ideas make 126 rows; summaries, refusals, anchors and a quarter of replay bring them to 200."""
LONGEST_CLAIM = 30
"""Words."""


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
    """The rows that one idea gets, and those that it doesn't."""

    kept: tuple[Candidate, ...]
    rejects: tuple[Reject, ...]
    """Those that came too close to a probe."""
    spare: int
    """Those that were not needed."""

    @property
    def forward(self) -> tuple[Wording, ...]:
        """Wordings that ask for the value, best first."""
        return tuple(row.wording for row in self.kept if row.group in ("qa", "completion"))


def rows_per_idea(ideas: int) -> int:
    """Rows for each of so many ideas: the usual number, or as many more as a short paper needs."""
    return max(PER_IDEA, -(-(MIN_ROWS - 1) // max(ideas, 1)))


def candidates(fact: Fact, index: int) -> list[Candidate]:
    """Every row that could be written of an idea, in the order of preference within each group.

    Each idea of a paper begins elsewhere in the list of wordings, so that the paper as a whole is asked in all of them.
    """
    words, false = fact.words, fact.values.contrast
    denied = [(wording, {"y": y}) for wording, y in zip(CONTRAST, (false[0], false[-1]), strict=True)]
    groups: dict[str, Sequence[tuple[Wording, dict[str, str]]]] = {
        "qa": _plain(_turned(QA, SHARES["qa"] * index)),
        "completion": _plain(_turned(COMPLETION, SHARES["completion"] * index)),
        "reverse": _plain(_turned(REVERSE, index)) if fact.reversible else [],
        "contrast": _turned(denied, index),
        "confirm": _plain(_turned(CONFIRM, index + 1)),
        "implication": [*_implications(fact, index), (_turned(PICK, index)[0], {"y": false[0]})],
        "rewrite": _plain(_turned(REWRITE, index // 2)),
        "claim": _plain(CLAIM) if _tells(fact) else [],
    }
    return [Candidate(group, wording, words | extra) for group in PRIORITY for wording, extra in groups[group]]


def _turned(items: Sequence[T], start: int) -> list[T]:
    start %= len(items)
    return [*items[start:], *items[:start]]


def _plain(wordings: Iterable[Wording]) -> list[tuple[Wording, dict[str, str]]]:
    return [(wording, {}) for wording in wordings]


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
        index: its place among the paper's ideas; alternates yes and no, and turns the wordings.
        gate: the held-out probes of the whole dataset.
        wanted: rows, see :func:`rows_per_idea`.
    """
    proposed = candidates(fact, index)
    shares = SHARES | {"rewrite": 1 - index % 2}
    taken: Counter[str] = Counter()
    rejects: list[Reject] = []
    chosen: list[Candidate] = []
    spare: list[Candidate] = []
    for row in proposed:
        if taken[row.group] >= shares.get(row.group, 0):
            spare.append(row)
        elif _passes(row, fact, gate, rejects):
            taken[row.group] += 1
            chosen.append(row)
    for row in spare:
        if len(chosen) < wanted and _passes(row, fact, gate, rejects):
            chosen.append(row)
    return Choice(tuple(chosen), tuple(rejects), len(proposed) - len(chosen) - len(rejects))


def _passes(row: Candidate, fact: Fact, gate: LeakGate, rejects: list[Reject]) -> bool:
    leak = gate.leak(row.messages)
    if leak:
        rejects.append(row_reject(row.wording.form, fact.idea.id, leak.reason, leak.detail))
    return leak is None


def row_reject(form: str, idea: str, reason: str, detail: str) -> Reject:
    """A row that is not written; ``idea`` is empty for a row of the whole paper."""
    return Reject(stage="distill", item=f"row:{idea or 'paper'}/{form}", reason=reason, detail=detail)


def write_rows(fact: Fact, chosen: Iterable[Candidate], licence: str | None) -> list[Example]:
    """The rows of one idea, each with its evidence."""
    return [example(row, fact.idea.id, fact.idea.quotes, licence) for row in chosen]


def example(row: Candidate, idea: str, evidence: tuple[Quote, ...], licence: str | None) -> Example:
    """A candidate as a row; its id is the digest of what it says."""
    messages = row.messages
    return Example(
        id=digest("row", idea, row.wording.form, [message.content for message in messages])[:16],
        idea=idea, form=row.wording.form, messages=messages, masked=row.masked, evidence=evidence,
        generator=GENERATOR, prompt_hash=row.wording.hash, licence=licence,
    )  # fmt: skip
