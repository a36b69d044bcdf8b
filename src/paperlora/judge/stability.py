"""Adapters that differ by their seed alone: what they agree on, and how they are counted. Pure.

An idea that is judged in three adapters of three seeds is one hypothesis with three trials, not three hypotheses. Counted
thrice it would take part thrice in the correction for many ideas, and one idea that is easily learned would lower the bar
for all others. So the family of the correction holds the first seed of each dataset and recipe; an adapter with another
seed gets the q-values that it would have got in its place.

Where the verdicts of more than a fifth of the repeated ideas of a recipe flip with the seed, every verdict of that recipe
is UNSTABLE (METHOD, section 4): the repeated ones stand for all. Verdicts that rest on the base alone are not, and ideas on
which no seed can decide anything are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from paperlora.judge.verdict import Tally, q_values
from paperlora.records import Adapter, Stability, Verdict, VerdictKind

UNSTABLE_ABOVE = 0.2
"""Share of a recipe's repeated ideas whose verdicts flip."""
FLAG = "UNSTABLE"
REPEAT = "REPEAT"
"""Flag of a verdict on an idea that another adapter of the run was judged on, with an earlier seed and nothing else apart."""
OF_THE_BASE: tuple[VerdictKind, ...] = ("UNJUDGEABLE", "ALREADY_KNOWN")
"""Verdicts that no adapter has a part in."""


class Steady(NamedTuple):
    """Verdicts with their flags, and what they rest on."""

    verdicts: tuple[Verdict, ...]
    stability: tuple[Stability, ...]


def firsts(adapters: Sequence[Adapter]) -> dict[str, str]:
    """Adapter id → id of the adapter of the lowest seed among those that differ from it by nothing else; often itself."""
    lowest: dict[tuple[str, ...], Adapter] = {}
    for one in adapters:
        known = lowest.setdefault(_course(one), one)
        if (one.recipe.seed, one.id) < (known.recipe.seed, known.id):
            lowest[_course(one)] = one
    return {one.id: lowest[_course(one)].id for one in adapters}


def q_values_by_seed(adapters: Sequence[Adapter], ideas: Sequence[tuple[str, str]], tallies: Sequence[Tally]) -> list[float | None]:
    """Benjamini–Hochberg over ideas and not over seeds, in the order given; None for what can't be judged.

    Args:
        adapters: of the run.
        ideas: of each tally, adapter id and idea id.
        tallies: as many.
    """
    first = firsts(adapters)
    places = {pair: place for place, pair in enumerate(ideas)}
    family = {(first[adapter], idea): place for (adapter, idea), place in places.items() if first[adapter] == adapter}
    found = _corrected(family, tallies)
    for repeat in (name for name, leader in first.items() if leader != name):
        own = {(first[repeat], idea): place for (adapter, idea), place in places.items() if adapter == repeat}
        instead = _corrected(family | own, tallies)
        found |= {place: instead[place] for place in own.values()}
    return [found[place] for place in range(len(tallies))]


def _corrected(family: Mapping[tuple[str, str], int], tallies: Sequence[Tally]) -> dict[int, float | None]:
    places = list(family.values())
    return dict(zip(places, q_values([tallies[place] for place in places]), strict=True))


def steady(adapters: Sequence[Adapter], verdicts: Sequence[Verdict]) -> Steady:
    """Hold repeated ideas against each other, and flag the verdicts of recipes on which the seed decides too often.

    Args:
        adapters: of the run.
        verdicts: on their ideas, in the order to be kept.
    """
    by_id, first = {one.id: one for one in adapters}, firsts(adapters)
    repeated = _repeated(by_id, first, verdicts)
    records = [_record(by_id, own) for own in repeated if any(one.kind not in OF_THE_BASE for one in own)]
    flips: dict[str, list[bool]] = defaultdict(list)
    for record in records:
        flips[_recipe(by_id[record.adapters[0]])].append(record.flipped)
    shaky = {recipe for recipe, flipped in flips.items() if sum(flipped) > UNSTABLE_ABOVE * len(flipped)}
    flagged = (_flagged(one, _recipe(by_id[one.adapter]) in shaky, first[one.adapter] != one.adapter) for one in verdicts)
    return Steady(tuple(flagged), tuple(records))


def _repeated(by_id: Mapping[str, Adapter], first: Mapping[str, str], verdicts: Sequence[Verdict]) -> list[list[Verdict]]:
    """Verdicts on the same idea in adapters that differ by their seed alone, by seed."""
    groups: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    asked = [one for one in verdicts if one.adapted.asked]
    for one in sorted(asked, key=lambda one: (by_id[one.adapter].recipe.seed, one.adapter)):
        groups[first[one.adapter], one.idea].append(one)
    return [own for own in groups.values() if len(own) > 1]


def _record(by_id: Mapping[str, Adapter], verdicts: Sequence[Verdict]) -> Stability:
    adapter = by_id[verdicts[0].adapter]
    kinds = tuple(one.kind for one in verdicts)
    return Stability(
        dataset=adapter.dataset, recipe=f"{adapter.recipe.name} {adapter.recipe.dose[:8]}", idea=verdicts[0].idea,
        adapters=tuple(one.adapter for one in verdicts), kinds=kinds,
        shares=tuple(one.adapted.right / one.adapted.asked for one in verdicts),
        flipped=len(set(kinds)) > 1,
    )  # fmt: skip


def _flagged(verdict: Verdict, shaky: bool, repeat: bool) -> Verdict:
    wanted = {FLAG: shaky and verdict.kind not in OF_THE_BASE, REPEAT: repeat}
    flags = (*verdict.flags, *(name for name, holds in wanted.items() if holds and name not in verdict.flags))
    return verdict if flags == verdict.flags else verdict.model_copy(update={"flags": flags})


def _recipe(adapter: Adapter) -> str:
    return f"{adapter.recipe.dose} {adapter.base.weights_hash}"


def _course(adapter: Adapter) -> tuple[str, ...]:
    """What two adapters share that differ by their seed alone."""
    base = adapter.base
    return adapter.dataset, adapter.dataset_hash, adapter.recipe.dose, base.weights_hash, base.template_hash, base.dtype
