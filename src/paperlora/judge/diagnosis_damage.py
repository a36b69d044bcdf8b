"""What an adapter broke, by what was lost: each kind of loss has a remedy of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, get_args

from paperlora.judge.bounds import BOUNDS
from paperlora.judge.diagnosis_case import Case, Finding
from paperlora.judge.predictions import Expected
from paperlora.records import Measure, Prediction


class Loss(NamedTuple):
    """One kind of damage."""

    beginnings: tuple[str, ...]
    """How the names of its measures begin."""
    cause: str
    action: str
    promise: str
    measure: Measure
    """By which the promise is checked where a broken measure has no name that a prediction knows."""


LOSSES = (
    Loss(
        ("unique", "top_answer", "distinct"), "answers collapse onto few: taught answers crowd out the others",
        "1 to 10 anchors a fact (facts of the same kind that the base knows), and open questions with diverse answers",
        "different answers to open questions return to at least 85% of the base's", "unique_ratio",
    ),
    Loss(
        ("think",), "the empty think block was learnt, or thinking was never replayed",
        "mask the empty think block from the loss, and replay the base's own thinking",
        "no more than 2% of the answers leak a thought, and it thinks at least .9 times as often as the base", "think_leak",
    ),
    Loss(
        ("refus", "unanswer"), "refusals are lost: every row answers",
        "rows that say what the paper doesn't tell, and replay of the base's own refusals",
        "refusals return to at least half of the base's", "refusal_ratio",
    ),
    Loss(
        ("false_trigger",), "taught answers come where they don't belong",
        "anchors and replayed questions about other subjects in the rows' own wordings, fewer epochs",
        "at most 2% of foreign questions bring a taught answer", "false_trigger",
    ),
    Loss(
        ("loop", "cap_hit", "repeat"), "answers don't end any more, or go round in circles",
        "rows whose answers end, fewer epochs, and replay of whole answers of the base",
        "answers that run into the limit come at most 5 points more often than the base's", "cap_hit_change",
    ),
)  # fmt: skip


def damage(case: Case) -> list[Finding]:
    """One finding for each kind of loss, what displaced knowledge first."""
    names = case.broken
    special = [name for name in names if any(name.startswith(loss.beginnings) for loss in LOSSES)]
    displaced = [name for name in names if name not in special]
    found = [_displaced(case, displaced or list(names))] if displaced or not special else []
    for loss in LOSSES:
        own = [name for name in special if name.startswith(loss.beginnings)]
        found += [_special(case, loss, own)] if own else []
    return found


def _displaced(case: Case, names: Sequence[str]) -> Finding:
    recipe, slices = case.adapter.recipe, ", ".join(names) or "what was lost"
    promise = Expected("known facts return to within 5 points of the base", (_returns("known_change", case.verdict.idea),))
    return Finding(
        f"the adapter is damaged: {_values(case, names)}", "the dose displaces what the base knew",
        f"retrain on half of the lost slice ({slices}): if the other half returns, replay the base's own answers; else "
        f"self-distilled targets, alpha {recipe.alpha:g} → {recipe.alpha / 2:g}, or peft's reduce_intruder_dimension",
        promise.also(case.direct.stays(0.8)),
    )  # fmt: skip


def _special(case: Case, loss: Loss, names: Sequence[str]) -> Finding:
    known = [name for name in names if name in BOUNDS and name in get_args(Measure)] or [loss.measure]
    checks = tuple(_returns(name, case.verdict.idea) for name in known)
    return Finding(
        f"the adapter is damaged: {_values(case, names)}", loss.cause, loss.action, Expected(loss.promise, checks)
    )


def _returns(measure: str, idea: str) -> Prediction:
    """A damage measure within its bound again."""
    bound = BOUNDS[measure]
    side = "at_most" if bound.harm > 0 else "at_least"
    return Prediction.model_validate({"measure": measure, "idea": idea, "bound": side, "value": bound.limit})


def _values(case: Case, names: Sequence[str]) -> str:
    known = {check.name: check.value for check in case.report.checks} | dict(case.report.damage)
    if any(name.startswith("unique") for name in names):
        names = [*names, "top_answer_share"]  # how much of the answers the commonest one makes up
    return ", ".join(f"{name} {known[name]:+.2f}" for name in names if name in known)
