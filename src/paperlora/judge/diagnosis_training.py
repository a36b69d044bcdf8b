"""Causes that lie in how an adapter was trained: dose, learning rate, amplitude, and where the dose curve peaked."""

from __future__ import annotations

from collections.abc import Sequence

from paperlora.judge.diagnosis_case import Case, Finding
from paperlora.judge.dose import peak_of
from paperlora.judge.posterior import Count, p_above, p_gain
from paperlora.records import Checkpoint, DosePoint, ScalePoint

LEARNED_LOSS = 0.5
"""Nats a token; rows above it at the end of training are not even memorised."""
SPIKE = 1.5
"""Loss of a checkpoint over the lowest before it, from which the learning rate is taken to be too high."""
LEAST_STEPS = 10
SMALL_NORM = 1e-3
"""‖ΔW‖/‖W‖ below which an adapter hardly changes its base. Our own bound: the method names none."""
MOST_OLD = 0.25
"""Share of the old answer from which a belief counts as flipped."""
LEAST_NEW = 0.5
"""Share of right direct probes that a flip needs beside that."""
WORTH = 0.3
"""Share of direct probes that a peak must surely answer: below it, going back would not even make the idea PARTIAL."""


def state(case: Case) -> str:
    """How trained wordings and others stand."""
    t = case.tally
    return f"{t.trained_form} in trained wordings, {t.adapted} in others"


def no_rows(case: Case) -> Finding | None:
    """Nothing teaches it."""
    if case.rows != 0:
        return None
    return Finding(
        f"{state(case)}; none of the dataset's rows is about it", "no row teaches it",
        "look among the dataset's rejects for why its rows were dropped, and write others", case.trained.rises(0.8),
    )  # fmt: skip


def rate_too_high(case: Case) -> Finding | None:
    """The loss spiked, or unrelated text drifted while not even the rows were learnt."""
    rate, rising = case.adapter.recipe.learning_rate, _spike(case.adapter.checkpoints)
    if rising is None and "nll_drift" not in case.broken:
        return None
    seen = (
        f"loss rose to {rising.loss:.2f} at step {rising.step}" if rising
        else f"unrelated text drifted by {case.report.damage['nll_drift']:+.2f} nats a token"
    )  # fmt: skip
    return Finding(
        f"{state(case)}; {seen}", "learning rate too high", f"learning rate {rate:g} → {rate / 3:.2g}",
        case.trained.rises(0.8),
    )  # fmt: skip


def undertrained(case: Case) -> Finding | None:
    """The rows were not even memorised, or the weights hardly moved."""
    adapter, rate = case.adapter, case.adapter.recipe.learning_rate
    small = adapter.relative_delta_norm < SMALL_NORM
    if adapter.final_loss <= LEARNED_LOSS and adapter.steps >= LEAST_STEPS and not small:
        return None
    return Finding(
        f"{state(case)}; loss {adapter.final_loss:.2f} nats a token after {adapter.steps} steps, "
        f"‖ΔW‖/‖W‖ = {adapter.relative_delta_norm:.2g}{', which is small' if small else ''}", "undertrained",
        f"learning rate {rate:g} → {3 * rate:.2g}, then more epochs, rank last", case.trained.rises(0.8),
    )  # fmt: skip


def half_trained(case: Case) -> Finding | None:
    """Some of it came, and the loss could still fall."""
    if case.adapter.final_loss <= LEARNED_LOSS:
        return None
    symptom = f"{case.tally.adapted} direct probes, {case.tally.trained_form} in trained wordings"
    return Finding(
        f"{symptom}; loss still {case.adapter.final_loss:.2f}", "undertrained", "half as many epochs again",
        case.direct.rises(0.8),
    )  # fmt: skip


def overtrained(case: Case) -> Finding | None:
    """New wordings were answered at an earlier checkpoint, and lost while the rows were still being learnt."""
    peak = peak_of(case.adapter, case.verdict.idea)
    asked = next((point for point in case.dose if peak and point.step == peak.step), None)
    if peak is None or (asked is not None and not _knew_more(asked, case)):
        return None
    seen = f"; that checkpoint answers {asked.direct.right} of {asked.direct.asked} direct probes" if asked else ""
    share = asked.direct.right / asked.direct.asked if asked else 0.6
    return Finding(
        f"{state(case)}; the dev margin peaked at step {peak.step} and fell since, while the rows' loss fell on{seen}",
        "overtrained", f"judge the checkpoint of step {peak.step}, or stop there", case.direct.rises(share),
    )  # fmt: skip


def _knew_more(peak: DosePoint, case: Case) -> bool:
    """The checkpoint really answers more than the adapter does in the end, and enough to be worth going back to."""
    then = Count(peak.direct.right, peak.direct.asked)
    return p_gain(then, (case.tally.adapted,), 0.0) >= 0.95 and p_above(then, WORTH) >= 0.9


def belief(case: Case) -> Finding:
    """The base's old answer survives: what other strengths of the same adapter did decides what comes next."""
    t, old = case.tally, case.mover("old", "the old answer", case.tally.old)
    prior = "" if case.verdict.prior is None else f", to which it gave {case.verdict.prior:.0%} a token"
    symptom = f"the base's old answer “{t.old_answer}”{prior} stands on {t.old} direct probes"
    flips = [point for point in case.sweep if flipped(point)]
    whole = next((point for point in flips if point.harmless), None)
    if not case.sweep:
        return Finding(
            symptom, "a strong earlier belief",
            "scale the adapter by 0.5, 1, 1.5 and 2; if nothing flips, teach contrasts with the old answer, else retire as contested",
            old.falls(0.25),
        )  # fmt: skip
    symptom = f"{symptom}; {_told(case.sweep)}"
    if whole is not None:
        share = whole.direct.right / whole.direct.asked
        return Finding(
            symptom, f"a strong earlier belief, and an amplitude too small to flip it: {whole.gamma:g} times ΔW does",
            f"alpha {case.adapter.recipe.alpha:g} → {case.adapter.recipe.alpha * whole.gamma:g}, in serving or training",
            old.falls(0.25).also(case.direct.rises(share)),
        )  # fmt: skip
    if flips:
        return Finding(
            symptom, f"a strong earlier belief that only a harmful amplitude flips ({flips[0].gamma:g} times ΔW)",
            "teach contrasts with the old answer at the dose as it is, with more replay; else retire as contested",
            old.falls(0.25),
        )  # fmt: skip
    return Finding(
        symptom, "a strong earlier belief that no amplitude flips",
        "teach contrasts with the old answer; if that fails, retire as contested", old.falls(0.25),
    )  # fmt: skip


def flipped(point: ScalePoint) -> bool:
    """The old answer is gone there, and the taught one has come."""
    asked = point.direct.asked
    return bool(asked) and point.old.right <= MOST_OLD * asked and point.direct.right >= LEAST_NEW * asked


def _told(sweep: Sequence[ScalePoint]) -> str:
    parts = [
        f"γ = {point.gamma:g}: {point.direct.right} of {point.direct.asked} right, old answer {point.old.right}"
        + ("" if point.harmless else ", guard broken")
        for point in sweep
    ]
    return "; ".join(parts)


def _spike(checkpoints: tuple[Checkpoint, ...]) -> Checkpoint | None:
    lowest = float("inf")
    # The loss of the untrained point is that of a single batch: no level that a mean could rise from.
    for checkpoint in (one for one in checkpoints if one.step):
        if checkpoint.loss > SPIKE * lowest and checkpoint.loss > LEARNED_LOSS:
            return checkpoint
        lowest = min(lowest, checkpoint.loss)
    return None
