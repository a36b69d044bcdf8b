"""What the trial counts: verdicts, flags, causes and priors beside the truth, with what chance alone may do to them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from paperlora.judge.posterior import rate
from paperlora.planted.makes import Kind
from paperlora.planted.truth import HARMLESS
from paperlora.records import KnowledgeStateKind, Rate, Reject

ABSORBED = ("ABSORBED_DEEP", "ABSORBED_SHALLOW")
DRAWS = 500
"""Resamples of an interval."""


class Outcome(NamedTuple):
    """One planted idea and what the judge said of it."""

    world: int
    case: str
    kind: Kind
    expected: str
    """The verdict that the planting asks for; DAMAGED where success was spoilt on purpose."""
    verdict: str
    """What came; DAMAGED where a success, or what could be one, is blocked by that flag."""
    reason: str
    flags: tuple[str, ...]
    causes: tuple[str, ...]
    cause_right: bool | None
    """None where nothing failed."""
    names_sibling: bool | None
    """Whether a confusion was traced to the right idea; None where none was planted."""
    asked: int
    """Direct probes that it took."""
    why_not: str
    """Why the planting failed; such an outcome counts nowhere but in the list of what was left out."""
    false_success: bool
    """It was called absorbed, and the adapter truly answers less than .6 of the held-out forms, or the base knew it."""
    flag_truths: tuple[tuple[str, bool], ...] = ()
    """Flags of which it is known whether this idea deserves them."""
    state: KnowledgeStateKind | None = None
    """What the quiz before training says that the base holds of it."""
    state_truth: KnowledgeStateKind | None = None
    """What it does hold; None where that is neither clearly the one nor the other."""


class Graded(NamedTuple):
    """One belief of planted strength, against which another value was taught at a middling dose."""

    world: int
    purity: float
    """Share of the base's lessons that told the belief: its planted strength."""
    prior: float
    """Likelihood a token that the quiz before training found for the base's wrong answer; 0 where it found none."""
    resists: bool
    """The belief stands in the adapter, by held-out forms."""
    learned: bool
    """The taught value came, by held-out forms."""
    verdict: str


class Damaged(NamedTuple):
    """One adapter's damage."""

    case: str
    planted: bool
    kept: float
    """Share of held-out questions about known facts that it still answers."""
    found: bool
    """The judge's flag."""

    @property
    def true(self) -> bool:
        """It lost more than five points."""
        return self.kept < HARMLESS


class WorldTrial(NamedTuple):
    """All of one world."""

    world: int
    outcomes: tuple[Outcome, ...]
    damage: tuple[Damaged, ...]
    noise_floor: float
    rejects: tuple[Reject, ...]
    graded: tuple[Graded, ...] = ()


class State(NamedTuple):
    """How one planted verdict fared."""

    precision: Rate
    """Of those that were called so."""
    recall: Rate
    """Of those that were planted so."""
    f1: float
    low: float
    high: float
    """95% interval of F1, adapters drawn."""


class Flag(NamedTuple):
    """How one flag fared."""

    precision: Rate
    recall: Rate


class Figures(NamedTuple):
    """What some worlds show."""

    ideas: int
    left_out: Counter[str]
    """Plantings that failed, by kind and reason."""
    confusion: Counter[tuple[str, str]]
    """(planted, found) → ideas."""
    macro_f1: float
    """Mean F1 over the planted states; INCONCLUSIVE is a miss."""
    low: float
    high: float
    """Its 95% interval, by resampling adapters."""
    with_left_out: float
    """Macro-F1 where nothing is left out and every planting counts as it was meant."""
    states: dict[str, State]
    """By planted verdict."""
    false_absorbed: int
    """Planted as something else, called absorbed."""
    not_absorbed: int
    """Planted as something else."""
    causes: dict[Kind, Rate]
    """By planting that is to fail: how often its cause was named right."""
    flags: dict[str, Flag]
    """Of ideas; and DAMAGED, of adapters, by held-out facts."""
    siblings: Rate
    """Planted confusions that were found, and those traced to the right idea."""
    knowledge: Rate
    """Ideas whose standing in the base is clear, and those of which the quiz before training says the same."""
    noise_floor: float
    """Highest share of probes on which a base scored otherwise when it was asked again."""
    graded: tuple[Graded, ...]

    @property
    def causes_right(self) -> Rate:
        """Over all plantings that are to fail."""
        return rate(sum(one.right for one in self.causes.values()), sum(one.asked for one in self.causes.values()))


def figures(trials: Sequence[WorldTrial]) -> Figures:
    """Count what holds."""
    every = [one for trial in trials for one in trial.outcomes]
    kept = [one for one in every if not one.why_not]
    traced = [one for one in kept if one.names_sibling is not None and one.verdict == "CONFUSED"]
    other = [one for one in kept if one.expected not in ABSORBED and one.expected != "DAMAGED"]
    clear = [one for one in every if one.state_truth is not None and one.state is not None]
    low, high = _interval(kept)
    return Figures(
        ideas=len(kept), left_out=Counter(f"{one.kind}: {one.why_not}" for one in every if one.why_not),
        confusion=Counter((one.expected, one.verdict) for one in kept),
        macro_f1=macro_f1(kept), low=low, high=high, with_left_out=macro_f1(every), states=_states(kept),
        false_absorbed=sum(one.verdict in ABSORBED for one in other), not_absorbed=len(other),
        causes=_causes(kept), flags=_flags(kept, [one for trial in trials for one in trial.damage]),
        siblings=rate(sum(bool(one.names_sibling) for one in traced), len(traced)),
        knowledge=rate(sum(one.state == one.state_truth for one in clear), len(clear)),
        noise_floor=max((trial.noise_floor for trial in trials), default=0.0),
        graded=tuple(one for trial in trials for one in trial.graded),
    )  # fmt: skip


def macro_f1(outcomes: Sequence[Outcome]) -> float:
    """Mean F1 over the planted verdicts; INCONCLUSIVE is a miss of the planted one."""
    each = _f1(outcomes)
    return sum(each.values()) / len(each) if each else float("nan")


def auc(scores: Sequence[float], holds: Sequence[bool]) -> float | None:
    """Probability that one that holds has the higher score than one that doesn't, ties counted half; None where all hold
    or none does."""
    yes = [score for score, one in zip(scores, holds, strict=True) if one]
    no = [score for score, one in zip(scores, holds, strict=True) if not one]
    if not yes or not no:
        return None
    return sum((a > b) + 0.5 * (a == b) for a in yes for b in no) / (len(yes) * len(no))


def _f1(outcomes: Sequence[Outcome]) -> dict[str, float]:
    planted, found = Counter(one.expected for one in outcomes), Counter(one.verdict for one in outcomes)
    hits = Counter(one.expected for one in outcomes if one.expected == one.verdict)
    return {kind: 2 * hits[kind] / (planted[kind] + found[kind]) for kind in sorted(planted)}


def _states(outcomes: Sequence[Outcome]) -> dict[str, State]:
    planted, found = Counter(one.expected for one in outcomes), Counter(one.verdict for one in outcomes)
    hits = Counter(one.expected for one in outcomes if one.expected == one.verdict)
    drawn = [_f1(sample) for sample in _samples(outcomes)]
    states = {}
    for kind, value in _f1(outcomes).items():
        low, high = _middle([one[kind] for one in drawn if kind in one])
        states[kind] = State(rate(hits[kind], found[kind]), rate(hits[kind], planted[kind]), value, low, high)
    return states


def _causes(outcomes: Sequence[Outcome]) -> dict[Kind, Rate]:
    explained: dict[Kind, list[bool]] = {}
    for one in outcomes:
        if one.cause_right is not None:
            explained.setdefault(one.kind, []).append(one.cause_right)
    return {kind: rate(sum(right), len(right)) for kind, right in explained.items()}


def _flags(outcomes: Sequence[Outcome], damage: Sequence[Damaged]) -> dict[str, Flag]:
    pairs: dict[str, list[tuple[bool, bool]]] = {"DAMAGED": [(one.true, one.found) for one in damage]}
    for one in outcomes:
        for name, true in one.flag_truths:
            pairs.setdefault(name, []).append((true, name in one.flags))
    return {name: _flag(seen) for name, seen in pairs.items()}


def _flag(seen: Sequence[tuple[bool, bool]]) -> Flag:
    both = sum(true and found for true, found in seen)
    return Flag(rate(both, sum(found for _, found in seen)), rate(both, sum(true for true, _ in seen)))


class _Bounds(NamedTuple):
    low: float
    high: float


def _interval(outcomes: Sequence[Outcome]) -> _Bounds:
    return _middle([macro_f1(sample) for sample in _samples(outcomes)])


def _samples(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    """Ideas of one adapter stand or fall together: adapters are drawn, not ideas."""
    groups: dict[tuple[int, str], list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault((one.world, one.case), []).append(one)
    rng, own = random.Random(0), list(groups.values())
    return [[one for group in rng.choices(own, k=len(own)) for one in group] for _ in range(DRAWS if own else 0)]


def _middle(values: Sequence[float]) -> _Bounds:
    """The middle 95%."""
    ordered = sorted(values)
    if not ordered:
        return _Bounds(float("nan"), float("nan"))
    return _Bounds(ordered[int(0.025 * len(ordered))], ordered[min(int(0.975 * len(ordered)), len(ordered) - 1)])
