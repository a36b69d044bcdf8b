"""What a diagnosis starts from, and what it says."""

from __future__ import annotations

from typing import NamedTuple

from paperlora.judge.bounds import broken
from paperlora.judge.posterior import Count
from paperlora.judge.predictions import Expected, Mover
from paperlora.judge.verdict import NOTHING, Tally
from paperlora.records import Adapter, AdapterReport, DosePoint, Example, Idea, Measure, ScalePoint, Verdict


class Standing(NamedTuple):
    """Where an idea's value stands in the texts of its rows, and how ideas that stand early and late fare."""

    place: float | None = None
    """0 at the beginning, 1 at the end: the median over its rows; None where no row holds it."""
    early: Count = NOTHING
    """Direct probes of the adapter's other ideas whose value stands in the first third."""
    late: Count = NOTHING
    """The same of the last third, this idea included."""


class Case(NamedTuple):
    """All that is known of one verdict."""

    verdict: Verdict
    tally: Tally
    adapter: Adapter
    report: AdapterReport
    idea: Idea
    own_ideas: frozenset[str]
    """Ids of the ideas that the same adapter was taught."""
    rows: int | None = None
    """Rows that teach this idea; None where they weren't given."""
    examples: tuple[Example, ...] = ()
    """All rows of the adapter; empty where they weren't given."""
    standing: Standing = Standing()
    sweep: tuple[ScalePoint, ...] = ()
    """The idea in its adapter at other strengths; empty where that was not tried."""
    dose: tuple[DosePoint, ...] = ()
    """The idea at its peak, where that was asked."""
    other: Idea | None = None
    """The idea that it is confused with."""

    @property
    def own(self) -> tuple[Example, ...]:
        """Rows about this idea."""
        return tuple(row for row in self.examples if row.idea == self.idea.id)

    @property
    def broken(self) -> tuple[str, ...]:
        """Damage measures that are out of bounds."""
        checked = tuple(check.name for check in self.report.checks if check.broken)
        return checked or (broken(self.report.damage) if not self.report.checks else ())

    def mover(self, measure: Measure, label: str, now: Count) -> Mover:
        """A family of probes of this idea."""
        return Mover(self.verdict.idea, measure, label, now)

    @property
    def direct(self) -> Mover:
        """Its direct probes."""
        return self.mover("direct", "direct probes", self.tally.adapted)

    @property
    def trained(self) -> Mover:
        """Its probes in trained wordings."""
        return self.mover("trained_form", "probes in trained wordings", self.tally.trained_form)


class Finding(NamedTuple):
    """What a diagnosis says."""

    symptom: str
    cause: str
    action: str
    expected: Expected

