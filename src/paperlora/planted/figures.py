"""What the trial counts: verdicts, flags, causes and priors beside the truth, with what chance alone may do to them."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from paperlora.judge.posterior import rate
from paperlora.judge.stability import UNSTABLE_ABOVE
from paperlora.planted.makes import Kind
from paperlora.planted.truth import HARMLESS
from paperlora.records import KnowledgeStateKind, Rate, Reject

if TYPE_CHECKING:
    from paperlora.planted.beliefs import Graded

ABSORBED = ("ABSORBED_DEEP", "ABSORBED_SHALLOW")
SPREADS = "SPREADS"
"""Stands for an open verdict whose cause is that neighbours changed: no verdict is named so."""
CLEAR = 0.8
"""Share of held-out forms from which what is known is no longer in part known by the method's table."""
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
    right: float = math.nan
    """Share of held-out forms that the adapter truly answers."""


class Seeded(NamedTuple):
    """One idea in adapters that differ by their seed alone."""

    world: int
    case: str
    kind: Kind
    verdicts: tuple[str, ...]
    """By seed."""
    truths: tuple[str, ...]
    """Where each adapter truly stands, by held-out forms."""
    unstable: bool
    """The judge's flag."""

    @property
    def flipped(self) -> bool:
        """The verdict hangs on the seed."""
        return len(set(self.verdicts)) > 1

    @property
    def truly(self) -> bool:
        """So does the truth."""
        return len(set(self.truths)) > 1


class Damaged(NamedTuple):
    """One adapter's damage."""

    case: str
    planted: bool
    kept: float
    """Share of held-out questions about known facts that it still answers."""
    found: bool
    """The judge's flag."""
    placebo: bool = False
    """It was taught nothing, and is the yardstick of others."""
    held_against: int = 0
    """Measures that were held against such a yardstick."""

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
    seeds: tuple[Seeded, ...] = ()


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
    seeds: tuple[Seeded, ...]
    placebos: tuple[Damaged, ...]
    """Adapters that were taught nothing."""
    near_bar: Counter[str]
    """What is said of absorbed plantings of which .6 to .8 is truly known: of these both "more than .6" (absorbed) and "less
    than .8" (partial) hold, and few dozen probes can't tell which bar is nearer."""
    measured_beside: int
    """Other adapters of which a measure was held against them."""

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
    adapters, seeds = [one for trial in trials for one in trial.damage], tuple(one for trial in trials for one in trial.seeds)
    return Figures(
        ideas=len(kept), left_out=Counter(f"{one.kind}: {one.why_not}" for one in every if one.why_not),
        confusion=Counter((one.expected, one.verdict) for one in kept),
        macro_f1=macro_f1(kept), low=low, high=high, with_left_out=macro_f1(every), states=_states(kept),
        false_absorbed=sum(one.verdict in ABSORBED for one in other), not_absorbed=len(other),
        causes=_causes(kept), flags=_flags(kept, adapters, seeds),
        siblings=rate(sum(bool(one.names_sibling) for one in traced), len(traced)),
        knowledge=rate(sum(one.state == one.state_truth for one in clear), len(clear)),
        noise_floor=max((trial.noise_floor for trial in trials), default=0.0),
        graded=tuple(one for trial in trials for one in trial.graded), seeds=seeds,
        near_bar=Counter(one.verdict for one in kept if one.expected in ABSORBED and one.right < CLEAR),
        placebos=tuple(one for one in adapters if one.placebo), measured_beside=sum(one.held_against > 0 for one in adapters),
    )  # fmt: skip


def macro_f1(outcomes: Sequence[Outcome]) -> float:
    """Mean F1 over the planted verdicts; INCONCLUSIVE is a miss of the planted one."""
    each = _f1(outcomes)
    return sum(each.values()) / len(each) if each else float("nan")


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
        low, high = middle([one[kind] for one in drawn if kind in one])
        states[kind] = State(rate(hits[kind], found[kind]), rate(hits[kind], planted[kind]), value, low, high)
    return states


def _causes(outcomes: Sequence[Outcome]) -> dict[Kind, Rate]:
    explained: dict[Kind, list[bool]] = {}
    for one in outcomes:
        if one.cause_right is not None:
            explained.setdefault(one.kind, []).append(one.cause_right)
    return {kind: rate(sum(right), len(right)) for kind, right in explained.items()}


def _flags(outcomes: Sequence[Outcome], damage: Sequence[Damaged], seeds: Sequence[Seeded]) -> dict[str, Flag]:
    pairs: dict[str, list[tuple[bool, bool]]] = {
        "DAMAGED": [(one.true, one.found) for one in damage if not one.placebo], "UNSTABLE": _unstable(seeds),
    }  # fmt: skip
    for one in outcomes:
        for name, true in one.flag_truths:
            pairs.setdefault(name, []).append((true, name in one.flags))
    return {name: _flag(seen) for name, seen in pairs.items()}


def _unstable(seeds: Sequence[Seeded]) -> list[tuple[bool, bool]]:
    """By repeated adapter: whether the truth of more than a fifth of its ideas hangs on the seed, and whether it is flagged."""
    groups: dict[tuple[int, str], list[Seeded]] = defaultdict(list)
    for one in seeds:
        groups[one.world, one.case].append(one)
    return [
        (sum(one.truly for one in own) > UNSTABLE_ABOVE * len(own), any(one.unstable for one in own)) for own in groups.values()
    ]


def _flag(seen: Sequence[tuple[bool, bool]]) -> Flag:
    both = sum(true and found for true, found in seen)
    return Flag(rate(both, sum(found for _, found in seen)), rate(both, sum(true for true, _ in seen)))


class Bounds(NamedTuple):
    """An interval."""

    low: float
    high: float


def _interval(outcomes: Sequence[Outcome]) -> Bounds:
    return middle([macro_f1(sample) for sample in _samples(outcomes)])


def _samples(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    """Ideas of one adapter stand or fall together: adapters are drawn, not ideas."""
    groups: dict[tuple[int, str], list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault((one.world, one.case), []).append(one)
    rng, own = random.Random(0), list(groups.values())
    return [[one for group in rng.choices(own, k=len(own)) for one in group] for _ in range(DRAWS if own else 0)]


def middle(values: Sequence[float]) -> Bounds:
    """The middle 95%; NaN of nothing."""
    ordered = sorted(values)
    if not ordered:
        return Bounds(float("nan"), float("nan"))
    return Bounds(ordered[int(0.025 * len(ordered))], ordered[min(int(0.975 * len(ordered)), len(ordered) - 1)])
