"""What the judge finds of each adapter as a whole, placebo adapters included: they are the yardstick of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from paperlora.judge.asking import Asker
from paperlora.judge.damage import Tested, ask_pools, compare, cues_of
from paperlora.judge.placebo import by_measure
from paperlora.judge.pools import Pools
from paperlora.judge.posterior import gain_of
from paperlora.records import Adapter, AdapterReport, Example, Idea, Interval, Verdict


class Examined(NamedTuple):
    """A live adapter in its slot."""

    adapter: Adapter
    ideas: tuple[Idea, ...]
    rows: tuple[Example, ...]
    slot: int
    liveness: float
    placebo: str
    """Kind of placebo; empty for an adapter that was taught a paper."""


def report_damage(
    asker: Asker, adapters: Sequence[Examined], pools: Pools, batch_rows: int
) -> tuple[AdapterReport, ...]:
    """A report for each adapter, in their order.

    Placebo adapters are held against the bounds alone: one that is damaged shows what the recipe itself does. Those of a
    recipe that differs by name or seed alone are the yardstick of all others.
    """
    cues = {one.slot: cues_of(one.rows, one.ideas, pools) for one in adapters}
    asked = ask_pools(asker, [one.slot for one in adapters], batch_rows, pools, cues)
    tested = dict(zip((one.slot for one in adapters), asked.adapters, strict=True))
    reports = {one.slot: _report(one, tested[one.slot], asked.again, pools, {}) for one in adapters if one.placebo}
    for one in adapters:
        if not one.placebo:
            mates = [p for p in adapters if p.placebo and p.adapter.recipe.dose == one.adapter.recipe.dose]
            yardstick = by_measure([reports[mate.slot].damage for mate in mates])
            own = _report(one, tested[one.slot], asked.again, pools, yardstick)
            reports[one.slot] = own.model_copy(update={"placebos": tuple(mate.adapter.id for mate in mates)})
    return tuple(reports[one.slot] for one in adapters)


def _report(
    one: Examined, tested: Tested, again: Tested, pools: Pools, placebos: Mapping[str, Sequence[float]]
) -> AdapterReport:
    taught = [(idea.answer, *idea.aliases) for idea in one.ideas]
    damage = compare(tested, taught, pools, again=again, placebos=placebos)
    return AdapterReport(
        adapter=one.adapter.id, live=True, liveness=one.liveness, noise_floor=0.0, damaged=damage.damaged,
        damage=damage.measures, checks=damage.checks, placebo=one.placebo,
    )  # fmt: skip


def gains(verdicts: Sequence[Verdict]) -> dict[str, Interval | None]:
    """What each adapter answers beyond its base, over the ideas that can be judged, by adapter id; None for fewer than two."""
    mine: dict[str, list[Verdict]] = {}
    for one in verdicts:
        mine.setdefault(one.adapter, []).append(one)
    return {adapter: gain_of(own) for adapter, own in mine.items()}
