"""Rows that a whole paper shares: summaries, what it doesn't say, general knowledge, and the base's own answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from paperlora.microdata.anchors import anchors
from paperlora.microdata.facts import Fact
from paperlora.microdata.leaks import LeakGate
from paperlora.microdata.refusals import unsaid
from paperlora.microdata.replay import Replays, draw, known
from paperlora.microdata.rows import MAX_ROWS, MIN_ROWS, Candidate, example, row_reject
from paperlora.microdata.wordings import ANCHOR, REFUSAL, SUMMARY
from paperlora.records import Example, Message, Paper, Reject, Replay, digest

LONGEST_SUMMARY = 60
"""Words."""
ANCHORS = (4, 16)
"""Fewest and most anchors of a paper."""
REFUSALS = (2, 6)


class Material(NamedTuple):
    """What rows of the whole paper are made of."""

    paper: Paper
    text: str
    """Of the whole document; empty where it isn't at hand: then nothing is known to be unsaid."""
    replays: Replays | None
    """Of the base at hand."""
    replay_share: float
    """Of all rows."""


class Shared(NamedTuple):
    """Rows of the paper as a whole; proposed are the rows and the rejects together."""

    rows: tuple[Example, ...]
    rejects: tuple[Reject, ...]


def shared_rows(material: Material, facts: Sequence[Fact], own: int, gate: LeakGate) -> Shared:
    """Everything beside the ideas' own rows.

    Args:
        material: paper, text and replays.
        facts: what the paper teaches.
        own: rows of the ideas.
        gate: the held-out probes of the dataset.
    """
    paper, seed = material.paper, int(digest(material.paper.key)[:16], 16)
    proposed = [
        *_summaries(paper, facts, 1 if own + 1 >= MIN_ROWS else 2),
        *_refusals(material, facts, seed),
        *_anchors(material, len(facts), seed),
    ]
    rows: list[Example] = []
    rejects: list[Reject] = []
    for row in proposed:
        leak = gate.leak(row.messages)
        if leak:
            rejects.append(row_reject(row.wording.form, "", leak.reason, leak.detail))
        else:
            rows.append(example(row, "", (), None if row.group == "anchor" else paper.licence))
    replays = _replays(material, own + len(rows), seed)
    rows += [row for row in replays if gate.leak(row.messages) is None]
    rejects += [
        row_reject(row.form, "", leak.reason, leak.detail) for row in replays if (leak := gate.leak(row.messages))
    ]
    return Shared(tuple(rows), tuple(rejects))


def _summaries(paper: Paper, facts: Sequence[Fact], count: int) -> list[Candidate]:
    """One or two, out of the abstract: the sentence that names a subject tells most; else the first one is taken."""
    subjects = list(dict.fromkeys(fact.words["s"] for fact in facts))
    sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z])", " ".join(paper.abstract.split()))
    naming = [number for number, text in enumerate(sentences) if any(subject in text for subject in subjects)]
    start = naming[0] if naming else 0
    texts = dict.fromkeys((sentences[start], " ".join(sentences[start : start + 2])))
    fitting = [text for text in texts if text and len(text.split()) <= LONGEST_SUMMARY]
    title = paper.title.rstrip(".")
    made = (
        Candidate("summary", wording, {"title": title, "summary": text})
        for wording, text in zip(SUMMARY, fitting, strict=False)
    )
    return list(made)[:count]


def _refusals(material: Material, facts: Sequence[Fact], seed: int) -> list[Candidate]:
    """One for two ideas; every subject of the paper in turn."""
    count = min(max(len(facts) // 2, REFUSALS[0]), REFUSALS[1])
    subjects = list(dict.fromkeys(fact.words["s"] for fact in facts))
    asked = unsaid(material.text, [fact.idea.relation for fact in facts], count, seed)
    return [
        Candidate("refusal", REFUSAL[number % len(REFUSAL)], {"x": phrase, "s": subjects[number % len(subjects)]})
        for number, phrase in enumerate(asked)
    ]


def _anchors(material: Material, ideas: int, seed: int) -> list[Candidate]:
    """One for each idea where the base's own answers stand beside them, two where they don't."""
    sure = None if material.replays is None else known(material.replays.kept, "anchor")
    count = min(max(2 * ideas if sure is None else ideas, ANCHORS[0]), ANCHORS[1])
    return [
        Candidate("anchor", ANCHOR, {"question": one.question, "a": one.answer}) for one in anchors(count, seed, sure)
    ]


def _replays(material: Material, others: int, seed: int) -> list[Example]:
    """So many that they make up their share of all rows."""
    if material.replays is None:
        return []
    wanted = round(others * material.replay_share / (1 - material.replay_share))
    drawn = draw(material.replays.kept, min(wanted, MAX_ROWS - others), seed)
    return [_replayed(one, material.replays.key) for one in drawn]


def _replayed(one: Replay, key: str) -> Example:
    messages = (Message(role="user", content=one.prompt), Message(role="assistant", content=one.answer))
    form = "replay_thinking" if one.thinking else f"replay_{one.kind}"
    return Example(
        id=digest("row", "", form, [message.content for message in messages])[:16], idea="", form=form,
        messages=messages, generator=f"base/{key}", prompt_hash=digest(one.prompt)[:16],
    )  # fmt: skip
