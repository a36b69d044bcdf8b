"""Measurement → Verdict → Diagnosis, over all ideas of a run. Pure: it asks no model anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from paperlora.judge.diagnosis import Case, Standing, diagnose
from paperlora.judge.diagnosis_rows import standings
from paperlora.judge.posterior import Count, gain, p_above, rate
from paperlora.judge.stability import q_values_by_seed
from paperlora.judge.tally import SURE, Sheet, Subject, affirms_falsehoods, count_neighbours, tally
from paperlora.judge.verdict import Decision, Tally, decide, is_fragile, is_recognised
from paperlora.records import (
    Adapter,
    AdapterReport,
    Diagnosis,
    DosePoint,
    Example,
    Idea,
    KnowledgeState,
    Measurement,
    MicroDataset,
    Rate,
    ScalePoint,
    Verdict,
    digest,
)

ABSORBED = ("ABSORBED_DEEP", "ABSORBED_SHALLOW")


class Taught(NamedTuple):
    """One adapter with the ideas it was taught."""

    adapter: Adapter
    dataset: MicroDataset
    subjects: tuple[Subject, ...]
    report: AdapterReport
    rows: tuple[Example, ...] = ()
    """All that it was trained on; empty where it isn't known."""


class Concluded(NamedTuple):
    """What the measurements amount to."""

    verdicts: tuple[Verdict, ...]
    diagnoses: tuple[Diagnosis, ...]


class _Tried(NamedTuple):
    """What was tried to explain a verdict."""

    sweeps: Sequence[ScalePoint]
    doses: Sequence[DosePoint]


class _Counted(NamedTuple):
    taught: Taught
    subject: Subject
    tally: Tally


def conclude(
    taught: Sequence[Taught], measurements: Sequence[Measurement], sure: float = SURE, sweeps: Sequence[ScalePoint] = (),
    doses: Sequence[DosePoint] = (),
) -> Concluded:  # fmt: skip
    """Count, correct for the number of ideas, decide and explain.

    Args:
        sure: see :func:`paperlora.judge.tally.tally`.
        sweeps: resisting ideas in their adapters at other strengths; they change no verdict, only its explanation.
        doses: ideas at their peaks; likewise.
    """
    sheet = Sheet(measurements)
    ideas = list({idea.id: idea for one in taught for idea in one.dataset.ideas}.values())
    biased = {one.adapter.id: _affirms_anything(one, sheet) for one in taught}
    counted = [row for one in taught for row in _count(one, sheet, ideas, sure, biased[one.adapter.id])]
    places = [(row.taught.adapter.id, row.subject.idea.id) for row in counted]
    corrected = q_values_by_seed([one.adapter for one in taught], places, [row.tally for row in counted])
    placed = {one.adapter.id: _standings(one, counted) for one in taught}
    verdicts: list[Verdict] = []
    diagnoses: list[Diagnosis] = []
    for row, q_value in zip(counted, corrected, strict=True):
        decision = decide(row.tally, q_value)
        verdict = _verdict(row, decision, q_value, sheet, biased[row.taught.adapter.id])
        verdicts.append(verdict)
        diagnoses += diagnose(_case(row, verdict, placed[verdict.adapter], _Tried(sweeps, doses), ideas))
    return Concluded(tuple(verdicts), tuple(diagnoses))


def _standings(taught: Taught, counted: Sequence[_Counted]) -> dict[str, Standing]:
    direct = {row.subject.idea.id: row.tally.adapted for row in counted if row.taught is taught}
    return standings(taught.rows, taught.dataset.ideas, direct)


def _case(
    row: _Counted, verdict: Verdict, placed: Mapping[str, Standing], tried: _Tried, ideas: Sequence[Idea]
) -> Case:
    taught, idea = row.taught, row.subject.idea
    return Case(
        verdict, row.tally, taught.adapter, taught.report, idea, frozenset(one.id for one in taught.dataset.ideas),
        row.subject.rows, taught.rows, placed.get(idea.id, Standing()),
        tuple(point for point in tried.sweeps if (point.adapter, point.idea) == (verdict.adapter, verdict.idea)),
        tuple(point for point in tried.doses if (point.adapter, point.idea) == (verdict.adapter, verdict.idea)),
        next((one for one in ideas if one.id == row.tally.confused_with), None),
    )  # fmt: skip


def _count(taught: Taught, sheet: Sheet, ideas: Sequence[Idea], sure: float, yes_bias: bool) -> list[_Counted]:
    neighbours = count_neighbours(taught.subjects, sheet)
    return [
        _Counted(taught, subject, tally(subject, sheet, ideas, neighbours, sure, yes_bias))
        for subject in taught.subjects
    ]


def _affirms_anything(taught: Taught, sheet: Sheet) -> bool:
    """It says yes to most statements that are to be denied: its yes-or-no answers speak of nothing."""
    return p_above(affirms_falsehoods(taught.subjects, sheet), 0.5) >= 0.95


def _verdict(row: _Counted, decision: Decision, q_value: float | None, sheet: Sheet, yes_bias: bool) -> Verdict:
    idea, adapter, t = row.subject.idea, row.taught.adapter, row.tally
    others = [sheet.count(name, row.subject.family("direct")) for name in row.subject.others]
    state = _state(row.taught, idea)
    return Verdict(
        id=f"verdict:{digest(adapter.id, idea.id)[:16]}",
        idea=idea.id,
        adapter=adapter.id,
        paper=idea.paper,
        topic=row.taught.dataset.topic,
        claim=idea.claim,
        kind=decision.kind,
        reason=decision.reason,
        flags=_flags(row, decision, yes_bias),
        base=_rate(t.base),
        adapted=_rate(t.adapted),
        gain=gain(t.adapted, t.rivals),
        others=rate(sum(int(c.right) for c in others), sum(int(c.asked) for c in others)) if others else None,
        trained_form=_asked(t.trained_form),
        implication=_asked(t.implication),
        reverse=_asked(t.reverse),
        ceiling=_asked(t.ceiling),
        locality=_asked(t.locality),
        choice=_asked(t.choice),
        choice_content=_asked(t.content),
        choice_base=_asked(t.choice_base),
        robustness=_asked(t.robustness),
        template_swap=_asked(t.swapped),
        thinking=_asked(t.thinking),
        state=state.kind if state else None,
        prior=state.prior if state else None,
        confused_with=t.confused_with if decision.kind == "CONFUSED" else None,
        old=_asked(t.old),
        old_answer=t.old_answer,
        confused=_asked(t.confused),
        false_belief=_asked(t.false_belief),
        q_value=q_value,
    )


def _state(taught: Taught, idea: Idea) -> KnowledgeState | None:
    """What the adapter's own base held of the idea before training."""
    base = taught.adapter.base.weights_hash
    return next((one for one in taught.dataset.states if (one.idea, one.base) == (idea.id, base)), None)


def _flags(row: _Counted, decision: Decision, yes_bias: bool) -> tuple[str, ...]:
    t = row.tally
    flags = {
        "DAMAGED": row.taught.report.damaged,
        "ONE_WAY": decision.kind in ABSORBED and bool(t.reverse.asked) and 1.0 - p_above(t.reverse, 0.4) >= 0.9,
        "FRAGILE": is_fragile(t),
        "LOCKED": bool(t.swapped.asked) and p_above(t.swapped, 0.6) >= 0.95,
        "RECOGNISED": decision.kind != "UNJUDGEABLE" and is_recognised(t),
        "NO_PLACEBO": t.others is None,
        "YES_BIAS": yes_bias,
    }
    return tuple(name for name, holds in flags.items() if holds)


def _rate(count: Count) -> Rate:
    return rate(int(count.right), int(count.asked))


def _asked(count: Count) -> Rate | None:
    return _rate(count) if count.asked else None
