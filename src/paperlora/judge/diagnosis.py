"""Symptom → cause → next action, each with a prediction that the next run can refute.

The table is that of the project's method, as far as its symptoms are measured: probes by family, the dose curve of the
dev margins, the loss over the checkpoints, the damage checks. First cause that fits is named; a verdict that needs
nothing done has none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from paperlora.judge.bounds import broken
from paperlora.judge.posterior import Count, p_above
from paperlora.judge.verdict import Tally, keeps_neighbours
from paperlora.records import Adapter, AdapterReport, Checkpoint, Diagnosis, Verdict, digest

LEARNED_LOSS = 0.5
"""Nats a token; rows above it at the end of training are not even memorised."""
SPIKE = 1.5
"""Loss of a checkpoint over the lowest before it, from which the learning rate is taken to be too high."""
PEAK = 0.5
"""Nats a token that the dev margin must lose after its peak to count as overtraining."""


class Case(NamedTuple):
    """All that is known of one verdict."""

    verdict: Verdict
    tally: Tally
    adapter: Adapter
    report: AdapterReport
    own_ideas: frozenset[str]
    """Ids of the ideas that the same adapter was taught."""
    rows: int | None = None
    """Rows that teach this idea; None where they weren't given."""


class Finding(NamedTuple):
    """What a diagnosis says."""

    symptom: str
    cause: str
    action: str
    prediction: str


def diagnose(case: Case) -> tuple[Diagnosis, ...]:
    """The cause of this verdict, if it has one; before it that of the damage which spoils a success, or what could be one."""
    finding = _FINDERS[case.verdict.kind](case) if case.verdict.kind in _FINDERS else None
    open_or_good = case.verdict.kind.startswith("ABSORBED") or case.verdict.kind == "INCONCLUSIVE"
    spoilt = case.report.damaged and (finding is None or open_or_good)
    found = [_damage(case) if spoilt else None, finding]
    return tuple(_record(case.verdict, one) for one in found if one is not None)


def _record(verdict: Verdict, finding: Finding) -> Diagnosis:
    identity = digest(verdict.id, finding.symptom, finding.cause)[:16]
    return Diagnosis(id=f"diagnosis:{identity}", verdict=verdict.id, idea=verdict.idea, **finding._asdict())


def _unjudgeable(case: Case) -> Finding:
    t = case.tally
    symptom = f"base with the passage answers {t.ceiling} direct probes, {t.adapted.asked:g} were asked"
    return Finding(
        symptom, "probes or extraction are broken, or this base can't read them",
        "read the quotes beside the probes and mend the dataset; if they are sound, judge with a larger base; "
        "conclude nothing about training",
        f"base with the passage answers at least {_least(t.ceiling, 0.9)} of the same probes",
    )  # fmt: skip


def _not_learned(case: Case) -> Finding:
    t, adapter = case.tally, case.adapter
    rising = _spike(adapter.checkpoints)
    moves = f"probes in trained wordings rise from {t.trained_form} to at least {_least(t.trained_form, 0.8)}"
    symptom = f"{t.trained_form} in trained wordings, {t.adapted} in others"
    if case.rows == 0:
        return Finding(
            f"{symptom}; none of the dataset's rows is about it", "no row teaches it",
            "look among the dataset's rejects for why its rows were dropped, and write others", moves,
        )  # fmt: skip
    if rising:
        return Finding(
            f"{symptom}; loss rose to {rising.loss:.2f} at step {rising.step}", "learning rate too high",
            f"learning rate {adapter.recipe.learning_rate:g} → {adapter.recipe.learning_rate / 3:.2g}",
            f"no checkpoint's loss exceeds {SPIKE} times the lowest before it, and {moves}",
        )  # fmt: skip
    if adapter.final_loss > LEARNED_LOSS or adapter.steps < 10:
        return Finding(
            f"{symptom}; loss {adapter.final_loss:.2f} nats a token after {adapter.steps} steps, "
            f"‖ΔW‖/‖W‖ = {adapter.relative_delta_norm:.2g}", "undertrained",
            f"learning rate {adapter.recipe.learning_rate:g} → {3 * adapter.recipe.learning_rate:.2g}, then more epochs, rank last",
            moves,
        )  # fmt: skip
    return Finding(
        f"{symptom}, although the rows' loss fell to {adapter.final_loss:.2f}", "rows contradict each other or don't ask for the value",
        "look for rows of one prompt with different answers, and make them say of what they speak", moves,
    )  # fmt: skip


def _verbatim(case: Case) -> Finding:
    t = case.tally
    symptom = f"{t.trained_form} in trained wordings, {t.adapted} in others"
    moves = f"direct probes rise from {t.adapted} to at least {_least(t.adapted, 0.6)}"
    peak = _peak(case)
    if peak is not None:
        return _overtrained(symptom, peak, moves)
    return Finding(
        symptom,
        "memorised the wording, not the fact",
        "more and more diverse forms a fact (at least six templates)",
        moves,
    )


def _overtrained(symptom: str, peak: Checkpoint, moves: str) -> Finding:
    return Finding(
        f"{symptom}; the dev margin peaked at step {peak.step} and fell since", "overtrained",
        f"judge the checkpoint of step {peak.step}, or stop there", moves,
    )  # fmt: skip


def _partial(case: Case) -> Finding:
    t = case.tally
    symptom = f"{t.adapted} direct probes, {t.trained_form} in trained wordings"
    moves = f"direct probes rise from {t.adapted} to at least {_least(t.adapted, 0.8)}"
    peak = _peak(case)
    if peak is not None:
        return _overtrained(symptom, peak, moves)
    if case.adapter.final_loss > LEARNED_LOSS:
        return Finding(
            f"{symptom}; loss still {case.adapter.final_loss:.2f}", "undertrained", "half as many epochs again", moves
        )
    return Finding(symptom, "too few wordings carry the fact", "more forms of question for this idea", moves)


def _shallow(case: Case) -> Finding | None:
    t = case.tally
    if "ONE_WAY" in case.verdict.flags:
        return Finding(
            f"{t.adapted} direct, {t.reverse} reverse probes", "known in one direction only", "add reversed rows",
            f"reverse probes rise from {t.reverse} to at least {_least(t.reverse, 0.6)}",
        )  # fmt: skip
    if not t.implication.asked:
        return None
    return Finding(
        f"{t.adapted} direct probes, {t.implication} implications", "recalled but not applied", "add implication rows",
        f"implications rise from {t.implication} to at least {_least(t.implication, 0.9)}",
    )  # fmt: skip


def _resisted(case: Case) -> Finding:
    t = case.tally
    return Finding(
        f"the base's old answer “{t.old_answer}” stands on {t.old} direct probes", "a strong earlier belief",
        "scale the adapter by 0.5, 1, 1.5 and 2; if nothing flips, teach contrasts with the old answer, else retire as contested",
        f"the old answer falls from {t.old} to at most {t.old.asked / 4:.0f} of {t.old.asked:g}",
    )  # fmt: skip


def _confused(case: Case) -> Finding:
    t = case.tally
    symptom = f"gives “{t.confused_answer}” of idea {t.confused_with} on {t.confused} direct probes"
    falls = f"that answer falls from {t.confused} to at most {t.confused.asked / 8:.0f} of {t.confused.asked:g}"
    if t.confused_with in case.own_ideas:
        return Finding(
            symptom, "two ideas of one dataset are not told apart", "add contrastive pairs of the two ideas", falls
        )
    return Finding(
        symptom, "the answer belongs to another paper: rows, subject names or folders are mixed up",
        "check which rows the adapter was trained on, and whether both papers call the same thing by one name", falls,
    )  # fmt: skip


def _false_belief(case: Case) -> Finding:
    t = case.tally
    return Finding(
        f"states the denied value “{t.false_value}” on {t.false_belief} direct probes", "the contrast rows taught what they deny",
        "negate inside the same sentence, mask the false value from the loss, or drop the contrast rows",
        f"the denied value falls to at most {t.false_belief.asked / 12:.0f} of {t.false_belief.asked:g}",
    )  # fmt: skip


def _inconclusive(case: Case) -> Finding:
    t = case.tally
    if p_above(t.adapted, 0.6) >= 0.95 and not keeps_neighbours(t):
        return Finding(
            f"{t.adapted} direct probes, but only {t.neighbours} neighbouring answers kept", "the adapter spreads beyond its facts",
            "fewer epochs or a lower alpha, and anchors: rows with facts of the same kind that the base knows",
            f"neighbouring answers kept rise from {t.neighbours} to at least {_least(t.neighbours, 0.85)}, "
            f"direct probes stay at {_least(t.adapted, 0.8)} or more",
        )  # fmt: skip
    if t.others is not None and t.others.right > t.base.right and p_above(t.adapted, 0.6) >= 0.95:
        return Finding(
            f"{t.adapted} direct probes, but other papers' adapters give {t.others}", "the gain is a floor of any training",
            "judge on probes that a trained habit can't answer", f"other adapters fall below {_least(t.others, 0.2)}",
        )  # fmt: skip
    more = 20 if t.adapted.asked < 20 else 32
    return Finding(
        f"{t.adapted} of the direct probes, {t.base} before", "too few probes for a share in this region",
        f"ask {more} direct probes", f"the interval of a narrows from {_width(t.adapted):.2f} to about {_width(t.adapted) * (t.adapted.asked / more) ** 0.5:.2f}",
    )  # fmt: skip


def _damage(case: Case) -> Finding:
    measures = case.report.damage
    worst = ", ".join(f"{name} {measures[name]:+.2f}" for name in broken(measures))
    return Finding(
        f"the adapter is damaged: {worst}", "the dose displaces what the base knew",
        "retrain on half of the lost slice: if the other half returns, replay the base's own answers; else lower alpha and epochs",
        "known facts return to within 5 points of the base, and the direct probes stay",
    )  # fmt: skip


def _spike(checkpoints: tuple[Checkpoint, ...]) -> Checkpoint | None:
    lowest = float("inf")
    # The loss of the untrained point is that of a single batch: no level that a mean could rise from.
    for checkpoint in (one for one in checkpoints if one.step):
        if checkpoint.loss > SPIKE * lowest and checkpoint.loss > LEARNED_LOSS:
            return checkpoint
        lowest = min(lowest, checkpoint.loss)
    return None


def _peak(case: Case) -> Checkpoint | None:
    """The checkpoint at which this idea's dev margin was highest, where it fell clearly afterwards.

    A margin that was never above 0, or not above the untrained one, has no peak worth going back to: training had not
    brought the right answer forward there.
    """
    curve = [one for one in case.adapter.checkpoints if case.verdict.idea in one.dev_margin]
    if len(curve) < 2:
        return None
    margins = [one.dev_margin[case.verdict.idea] for one in curve]
    best = max(range(len(curve)), key=lambda index: margins[index])
    rose = bool(curve[0].step) or margins[best] - margins[0] > PEAK
    return curve[best] if rose and margins[best] > 0 and margins[best] - margins[-1] > PEAK else None


def _least(count: Count, share: float) -> str:
    return f"{share * count.asked:.0f} of {count.asked:g}"


def _width(count: Count) -> float:
    from paperlora.judge.posterior import rate

    found = rate(int(count.right), int(count.asked))
    return found.high - found.low


_FINDERS: dict[str, Callable[[Case], Finding | None]] = {
    "UNJUDGEABLE": _unjudgeable,
    "NOT_LEARNED": _not_learned,
    "VERBATIM_ONLY": _verbatim,
    "PARTIAL": _partial,
    "ABSORBED_SHALLOW": _shallow,
    "RESISTED": _resisted,
    "CONFUSED": _confused,
    "FALSE_BELIEF": _false_belief,
    "INCONCLUSIVE": _inconclusive,
}
