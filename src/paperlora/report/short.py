"""What a person wants to know first: what was absorbed, what not, why, and what to do next."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from paperlora.judge.stability import REPEAT
from paperlora.report.kinds import KINDS, Kind
from paperlora.report.measures import measure_name
from paperlora.report.views import AdapterView, VerdictView

LISTED = 8
"""Causes that are listed; how many more there are is told."""
WANTING = frozenset(KINDS) - {"ABSORBED_DEEP", "ABSORBED_SHALLOW", "ALREADY_KNOWN"}
"""Verdicts after which something is left to do."""


class KindCount(NamedTuple):
    """How many verdicts of one kind."""

    kind: Kind
    verdicts: int


class CauseLine(NamedTuple):
    """One cause and the ideas that it explains."""

    cause: str
    ideas: int
    """Verdicts; one may have several causes: its own, and those of the damage of its adapter."""
    kinds: tuple[KindCount, ...]
    action: str
    """The next action that is proposed most often."""
    others: int
    """Other actions proposed for the same cause."""
    example: str
    """Code of the first verdict that has it."""


class Broken(NamedTuple):
    """A check that shows damage, and in how many adapters."""

    check: str
    adapters: int


class Short(NamedTuple):
    """The answer before the evidence."""

    causes: tuple[CauseLine, ...]
    """The commonest first."""
    more: int
    """Causes that are not listed."""
    unexplained: int
    """Verdicts that want something done and have no named cause."""
    judged: int
    """Adapters with a report, placebos left out."""
    damaged: int
    broken: tuple[Broken, ...]
    right: int
    """Of all adapters, on direct probes."""
    base_right: int
    asked: int


def in_short(verdicts: Sequence[VerdictView], adapters: Sequence[AdapterView]) -> Short:
    """Count causes, damage and right answers over the whole report; further seeds of an idea are left out."""
    verdicts = [view for view in verdicts if REPEAT not in view.verdict.flags]
    causes = _causes(verdicts)
    reports = [view.report for view in adapters if view.report and not view.report.placebo]
    broken = Counter(measure_name(check.name).split(",")[0] for report in reports for check in report.checks if check.broken)
    return Short(
        causes=tuple(causes[:LISTED]),
        more=max(0, len(causes) - LISTED),
        unexplained=sum(view.kind.name in WANTING and not view.diagnoses for view in verdicts),
        judged=len(reports),
        damaged=sum(report.damaged for report in reports),
        broken=tuple(Broken(name, count) for name, count in broken.most_common()),
        right=sum(view.verdict.adapted.right for view in verdicts),
        base_right=sum(view.verdict.base.right for view in verdicts),
        asked=sum(view.verdict.adapted.asked for view in verdicts),
    )


def _causes(verdicts: Sequence[VerdictView]) -> list[CauseLine]:
    found: dict[str, list[VerdictView]] = defaultdict(list)
    actions: dict[str, Counter[str]] = defaultdict(Counter)
    for view in verdicts:
        for diagnosis in view.diagnoses:
            found[diagnosis.cause].append(view)
            actions[diagnosis.cause][diagnosis.action] += 1
    lines = [_line(cause, views, actions[cause]) for cause, views in found.items()]
    return sorted(lines, key=lambda line: (-line.ideas, line.cause))


def _line(cause: str, views: Sequence[VerdictView], actions: Counter[str]) -> CauseLine:
    codes = {view.code for view in views}
    kinds = Counter(str(name) for name in {view.code: view.kind.name for view in views}.values())
    counts = tuple(KindCount(kind, kinds[name]) for name, kind in KINDS.items() if kinds[name])
    return CauseLine(cause, len(codes), counts, actions.most_common(1)[0][0], len(actions) - 1, views[0].code)
