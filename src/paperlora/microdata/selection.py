"""Probes and rows held apart: which ideas, probes and wordings a dataset takes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from paperlora.microdata.leaks import LeakGate
from paperlora.microdata.probes import Fact, fact_of, held_out, trained_form
from paperlora.microdata.rows import MAX_IDEAS, Candidate, Choice, candidates, choose, rows_per_idea
from paperlora.microdata.values import values_of
from paperlora.records import Idea, Probe, Reject

MIN_FORWARD = 4
"""Wordings that ask for the value; an idea with fewer is not taught."""
MIN_DIRECT = 8
"""Direct test probes; an idea with fewer could not be judged (METHOD: UNJUDGEABLE)."""
TRAINED_FORM = 6


class Selection(NamedTuple):
    """What a dataset will hold. The probes are complete before a row is written."""

    facts: tuple[Fact, ...]
    probes: tuple[Probe, ...]
    rows: dict[str, tuple[Candidate, ...]]
    """Idea id → the rows to write."""
    gate: LeakGate
    rejects: tuple[Reject, ...]


def select(ideas: Sequence[Idea], neighbours: Sequence[Idea]) -> Selection:
    """Probes of every idea that can be asked, and the row wordings that keep away from them.

    Args:
        ideas: of one paper, without contradictions among them.
        neighbours: of the same and other papers, for wrong values.
    """
    facts, rejects = _facts(ideas, neighbours)
    probes = {fact.idea.id: held_out(fact) for fact in facts}
    while True:
        gate = LeakGate(probe for fact in facts for probe in probes[fact.idea.id])
        wanted = rows_per_idea(max(len(facts), 1))
        choices = {fact.idea.id: choose(fact, index, gate, wanted) for index, fact in enumerate(facts)}
        short = next((fact for fact in facts if len(choices[fact.idea.id].forward) < MIN_FORWARD), None)
        if short is None:
            break
        rejects.append(_drop_nearest(short, gate, probes))
        for fact in [fact for fact in facts if not _judgeable(probes[fact.idea.id])]:
            facts.remove(fact)
            rejects.append(
                _reject(fact.idea, "probe_leak", "subject and relation are so long that every wording repeats them")
            )
    asked = [probe for fact in facts for probe in (*probes[fact.idea.id], *_trained(fact, choices[fact.idea.id]))]
    rejects += [reject for fact in facts for reject in choices[fact.idea.id].rejects]
    return Selection(
        tuple(facts), tuple(asked), {key: choice.kept for key, choice in choices.items()}, gate, tuple(rejects)
    )


def _trained(fact: Fact, choice: Choice) -> tuple[Probe, ...]:
    return trained_form(fact, choice.forward[:TRAINED_FORM])


def _facts(ideas: Sequence[Idea], neighbours: Sequence[Idea]) -> tuple[list[Fact], list[Reject]]:
    facts: list[Fact] = []
    rejects: list[Reject] = []
    seen: set[str] = set()
    for idea in ideas:
        reason = "duplicate" if idea.id in seen else "answer_in_question" if _given_away(idea) else ""
        if not reason and len(facts) >= MAX_IDEAS:
            reason = "over_limit"
        if reason:
            rejects.append(_reject(idea, reason, f"{idea.subject}, {idea.relation}: {idea.answer}"))
            continue
        seen.add(idea.id)
        facts.append(fact_of(idea, values_of(idea, (*ideas, *neighbours)), (*ideas, *neighbours)))
    return facts, rejects


def _given_away(idea: Idea) -> bool:
    """The question would already hold the answer, as a run of whole words."""
    return _spaced(idea.answer) in _spaced(f"{idea.subject} {idea.relation}")


def _spaced(text: str) -> str:
    words = re.findall(r"[\w.%]+", text.casefold())
    return f" {' '.join(words)} "


def _drop_nearest(fact: Fact, gate: LeakGate, probes: dict[str, tuple[Probe, ...]]) -> Reject:
    """Take out the probe that most wordings of this idea come too close to."""
    hits = Counter(
        leak.probe
        for row in candidates(fact, 0)
        if row.group in ("qa", "completion")
        for leak in gate.leaks(row.messages)
    )
    worst = hits.most_common(1)[0][0]
    owner = next(key for key, group in probes.items() if any(probe.id == worst for probe in group))
    gone = next(probe for probe in probes[owner] if probe.id == worst)
    probes[owner] = tuple(probe for probe in probes[owner] if probe.id != worst)
    return Reject(
        stage="distill",
        item=f"idea:{owner}",
        reason="probe_leak",
        detail=f"probe {gone.form}: repeats {hits[worst]} row wordings",
    )


def _judgeable(probes: Sequence[Probe]) -> bool:
    return sum(probe.family == "direct" and probe.split == "test" for probe in probes) >= MIN_DIRECT


def _reject(idea: Idea, reason: str, detail: str) -> Reject:
    return Reject(stage="distill", item=f"idea:{idea.id}", reason=reason, detail=detail)
