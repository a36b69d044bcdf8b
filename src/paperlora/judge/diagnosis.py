"""Symptom → cause → next action, each with a prediction that the next run can refute.

The table is that of the project's method. Its symptoms are read from the probes by family, from the training rows
themselves, from the dose curve of the dev margins and the loss over the checkpoints, from the adapter at other strengths,
and from the damage checks. For each verdict the causes stand in the order in which they are looked for: the first that
fits is named, the others that fit as well are listed. A verdict that needs nothing done has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from paperlora.judge.diagnosis_case import Case, Finding, Standing
from paperlora.judge.diagnosis_damage import damage
from paperlora.judge.diagnosis_data import (
    conflict,
    confused,
    false_belief,
    few_wordings,
    fragile,
    locked,
    not_applied,
    not_asked,
    one_way,
    position,
    recognised,
    value_missing,
    wording,
)
from paperlora.judge.diagnosis_training import (
    belief,
    half_trained,
    no_rows,
    overtrained,
    rate_too_high,
    undertrained,
)
from paperlora.judge.posterior import Count, p_above, rate
from paperlora.judge.predictions import Expected
from paperlora.judge.verdict import LEAST_PROBES, keeps_neighbours
from paperlora.records import Diagnosis, Prediction, Verdict, digest

__all__ = ["Case", "Finding", "Standing", "diagnose"]
MORE_PROBES = (20, 32)
"""Direct probes of the second and the third pass."""
Cause = Callable[[Case], Finding | None]


def diagnose(case: Case) -> tuple[Diagnosis, ...]:
    """The cause of this verdict, if it has one; before it that of the damage which spoils a success, or what could be one."""
    found = [finding for cause in CAUSES.get(case.verdict.kind, ()) if (finding := cause(case)) is not None]
    open_or_good = case.verdict.kind.startswith("ABSORBED") or case.verdict.kind == "INCONCLUSIVE"
    spoilt = damage(case) if case.report.damaged and (not found or open_or_good) else []
    named = [_record(case.verdict, found[0], found[1:])] if found else []
    return (*(_record(case.verdict, one, ()) for one in spoilt), *named)


def _record(verdict: Verdict, finding: Finding, further: Sequence[Finding]) -> Diagnosis:
    identity = digest(verdict.id, finding.symptom, finding.cause)[:16]
    return Diagnosis(
        id=f"diagnosis:{identity}", verdict=verdict.id, idea=verdict.idea, symptom=finding.symptom, cause=finding.cause,
        action=finding.action, prediction=finding.expected.sentence, expects=finding.expected.checks,
        further=tuple(one.cause for one in further),
    )  # fmt: skip


def _too_few_probes(case: Case) -> Finding | None:
    asked = case.tally.adapted.asked
    if asked >= LEAST_PROBES:
        return None
    enough = Prediction(measure="direct_width", idea=case.verdict.idea, bound="at_most", value=_width(Count(4, 8)))
    return Finding(
        f"{asked:g} direct probes could be asked, {LEAST_PROBES} are needed", "too few of its probes were left to ask",
        "look among the dataset's rejects for why probes were dropped, and write others; conclude nothing about training",
        Expected(f"at least {LEAST_PROBES} direct probes are asked", (enough,)),
    )  # fmt: skip


def _unreadable(case: Case) -> Finding:
    t = case.tally
    ceiling = case.mover("ceiling", "answers of the base with the passage", t.ceiling)
    return Finding(
        f"base with the passage answers {t.ceiling} direct probes, {t.adapted.asked:g} were asked",
        "probes or extraction are broken, or this base can't read them",
        "read the quotes beside the probes and mend the dataset; if they are sound, judge with a larger base; "
        "conclude nothing about training",
        ceiling.rises(0.9),
    )  # fmt: skip


def _spreading(case: Case) -> Finding | None:
    t = case.tally
    if p_above(t.adapted, 0.6) < 0.95 or keeps_neighbours(t):
        return None
    kept = case.mover("locality", "neighbouring answers kept", t.locality)
    return Finding(
        f"{t.adapted} direct probes, but only {t.neighbours} neighbouring answers kept", "the adapter spreads beyond its facts",
        "fewer epochs or a lower alpha, and anchors: rows with facts of the same kind that the base knows",
        kept.rises(0.85).also(case.direct.stays(0.8)),
    )  # fmt: skip


def _floor(case: Case) -> Finding | None:
    t = case.tally
    if t.others is None or t.others.right <= t.base.right or p_above(t.adapted, 0.6) < 0.95:
        return None
    others = case.mover("others", "what other adapters answer", t.others)
    return Finding(
        f"{t.adapted} direct probes, but other papers' adapters give {t.others}", "the gain is a floor of any training",
        "judge on probes that a trained habit can't answer", others.falls(0.2),
    )  # fmt: skip


def _open(case: Case) -> Finding:
    t = case.tally
    more = next((number for number in MORE_PROBES if number > t.adapted.asked), 2 * int(t.adapted.asked))
    last = t.adapted.asked >= MORE_PROBES[-1]
    now, then = _width(t.adapted), _width(t.adapted) * (t.adapted.asked / more) ** 0.5
    narrower = Prediction(measure="direct_width", idea=case.verdict.idea, bound="at_most", value=round(then, 2) + 0.01, asked=more)
    return Finding(
        f"{t.adapted} of the direct probes, {t.base} before", "too few probes for a share in this region",
        "no probes are left: train another seed of the same rows, and judge both" if last else f"ask {more} direct probes",
        Expected(f"the interval of a narrows from {now:.2f} to about {then:.2f}, over {more} probes", (narrower,)),
    )  # fmt: skip


def _width(count: Count) -> float:
    found = rate(int(count.right), int(count.asked))
    return found.high - found.low


CAUSES: dict[str, tuple[Cause, ...]] = {
    "UNJUDGEABLE": (_too_few_probes, _unreadable),
    "NOT_LEARNED": (no_rows, conflict, locked, rate_too_high, undertrained, value_missing, recognised, not_asked),
    "VERBATIM_ONLY": (overtrained, locked, position, wording),
    "PARTIAL": (conflict, overtrained, half_trained, position, locked, fragile, few_wordings),
    "ABSORBED_DEEP": (one_way, fragile),
    "ABSORBED_SHALLOW": (one_way, not_applied, fragile),
    "RESISTED": (belief,),
    "CONFUSED": (confused, conflict),
    "FALSE_BELIEF": (false_belief,),
    "INCONCLUSIVE": (_spreading, _floor, conflict, overtrained, locked, _open),
}
"""The causes of each verdict, in the order in which they are looked for."""
