"""From the records to what the template shows: short codes, groups, counts. No markup here, except the drawings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from paperlora.records import (
    Adapter,
    AdapterReport,
    Diagnosis,
    Idea,
    Measurement,
    Probe,
    Rate,
    Reject,
    Verdict,
)
from paperlora.report.data import DatasetPart, Limits, ReportData
from paperlora.report.kinds import KINDS, SUCCESSES, Kind

T = TypeVar("T")
BASE, PASSAGE = "base", "base+passage"


class Shown(NamedTuple, Generic[T]):
    """The listed ones and how many there are in all."""

    items: tuple[T, ...]
    total: int

    @property
    def left_out(self) -> int:
        """How many are not listed."""
        return self.total - len(self.items)


def first(items: Sequence[T], limit: int) -> Shown[T]:
    """At most ``limit`` of them, and the true count."""
    return Shown(tuple(items[:limit]), len(items))


class AnswerView(NamedTuple):
    """One probe: what was accepted and what each model said."""

    probe: Probe | None
    """None where the probe's dataset is not in the report."""
    probe_id: str
    family: str
    base: Measurement | None
    passage: Measurement | None
    adapted: Measurement | None
    change: str
    """``gained``, ``lost``, ``right`` (both), ``wrong`` (both), for locality ``kept`` or ``changed``, else ``one side``."""


class Evidence(NamedTuple):
    """A quote with the answer it must hold."""

    text: str
    answer: str
    place: str


class RateLine(NamedTuple):
    """One measured share of right answers."""

    symbol: str
    """As METHOD.md writes it; empty where it has none."""
    name: str
    value: Rate


class Pool(NamedTuple):
    """Right answers over all ideas of an adapter. Without an interval: probes of one idea are no independent draws."""

    name: str
    right: int
    asked: int


class VerdictView(NamedTuple):
    """One idea's verdict with all that a person needs to check it."""

    code: str
    verdict: Verdict
    kind: Kind
    idea: Idea | None
    adapter: str
    """Short code."""
    paper: str
    """Title, or the key where the paper isn't in the report."""
    damaged: bool
    """Its adapter is."""
    counts_as_learned: bool
    blocked: bool
    """It would count as learned, were its adapter not damaged."""
    confused_with: str
    rates: tuple[RateLine, ...]
    margins: str
    diagnoses: tuple[Diagnosis, ...]
    answers: Shown[AnswerView]


class AdapterView(NamedTuple):
    """One adapter with its whole-adapter findings."""

    code: str
    adapter: Adapter
    report: AdapterReport | None
    paper: str
    verdicts: tuple[VerdictView, ...]
    pooled: tuple[Pool, ...]


class Index:
    """Look-ups over the records of one report."""

    def __init__(self, data: ReportData) -> None:
        self.data = data
        parts = [DatasetPart(*part) for part in data.datasets]
        self.parts = {part.record.id: part for part in parts}
        self.ideas = {idea.id: idea for part in parts for idea in part.record.ideas}
        self.papers = {part.record.paper.key: part.record.paper for part in parts}
        self.adapters = {adapter.id: adapter for adapter in data.adapters}
        self.codes = {adapter.id: f"A{i}" for i, adapter in enumerate(data.adapters, 1)}
        self.paper_codes = {key: f"P{i}" for i, key in enumerate(self._paper_keys(), 1)}
        rank = {name: place for place, name in enumerate(KINDS)}
        self.ordered = sorted(data.verdicts, key=lambda v: (rank[v.kind], -v.gain.value, v.adapter, v.idea))
        self.verdict_of = {(v.idea, v.adapter): v for v in self.ordered}
        self.verdict_codes = {(v.idea, v.adapter): f"V{i}" for i, v in enumerate(self.ordered, 1)}
        self._idea_codes = {v.idea: f"V{i}" for i, v in reversed([*enumerate(self.ordered, 1)])}
        self._claims = {v.idea: v.claim for v in data.verdicts}
        self.reports = {report.adapter: report for report in data.adapter_reports}
        self.geometries = {geometry.adapter: geometry for geometry in data.geometries}
        self.diagnoses: dict[str, list[Diagnosis]] = defaultdict(list)
        for diagnosis in data.diagnoses:
            self.diagnoses[diagnosis.verdict].append(diagnosis)
        self.said: dict[tuple[str, str], dict[str, Measurement]] = defaultdict(dict)
        for measurement in data.measurements:
            self.said[measurement.idea, measurement.model][measurement.probe] = measurement

    def _paper_keys(self) -> list[str]:
        keys = [*self.papers, *(a.paper for a in self.data.adapters), *(v.paper for v in self.data.verdicts)]
        return list(dict.fromkeys(keys))

    def title(self, paper: str) -> str:
        """Title of a paper by its key, the key itself where it is unknown."""
        return self.papers[paper].title if paper in self.papers else paper

    def idea_code(self, idea: str, adapter: str = "") -> str:
        """Code of a verdict on an idea, its first one where no adapter is named; the id where there is no verdict."""
        return self.verdict_codes.get((idea, adapter)) or self._idea_codes.get(idea, idea)

    def claim(self, idea: str) -> str:
        """What an idea says, its id where it is unknown."""
        known = self.ideas.get(idea)
        return known.claim if known else self._claims.get(idea, idea)

    def code(self, adapter: str) -> str:
        """Short code of an adapter, its id where it is not in the report."""
        return self.codes.get(adapter, adapter)

    def damaged(self, verdict: Verdict) -> bool:
        """By the verdict's own flag or by the judge's report on its adapter."""
        report = self.reports.get(verdict.adapter)
        return "DAMAGED" in verdict.flags or (report is not None and report.damaged)


def verdict_views(index: Index, limits: Limits) -> tuple[VerdictView, ...]:
    """All verdicts in the order of the legend, the largest gain first within one kind."""
    return tuple(_verdict_view(f"V{i}", verdict, index, limits) for i, verdict in enumerate(index.ordered, 1))


def _verdict_view(code: str, verdict: Verdict, index: Index, limits: Limits) -> VerdictView:
    absorbed, damaged = verdict.kind in SUCCESSES, index.damaged(verdict)
    other = index.ideas.get(verdict.confused_with or "")
    return VerdictView(
        code=code,
        verdict=verdict,
        kind=KINDS[verdict.kind],
        idea=index.ideas.get(verdict.idea),
        adapter=index.code(verdict.adapter),
        paper=index.title(verdict.paper),
        damaged=damaged,
        counts_as_learned=absorbed and not damaged,
        blocked=absorbed and damaged,
        confused_with=other.claim if other else verdict.confused_with or "",
        rates=_rates(verdict),
        margins=_margins(verdict, index),
        diagnoses=tuple(index.diagnoses[verdict.id]),
        answers=first(_answers(verdict, index), limits.answers),
    )


def _rates(verdict: Verdict) -> tuple[RateLine, ...]:
    lines = (
        ("b", "base, direct", verdict.base),
        ("a", "adapter, direct", verdict.adapted),
        ("o", "other papers' adapters, direct", verdict.others),
        ("t", "adapter, trained wordings", verdict.trained_form),
        ("h", "adapter, implications", verdict.implication),
        ("", "adapter, reverse", verdict.reverse),
        ("c", "base with the passage (ceiling)", verdict.ceiling),
        ("", "adapter answers as the base does (locality)", verdict.locality),
    )
    return tuple(RateLine(symbol, name, value) for symbol, name, value in lines if value is not None)


def _margins(verdict: Verdict, index: Index) -> str:
    """Mean log-likelihood margins on the direct probes, where they were measured."""
    found = []
    for name, model in ((BASE, BASE), ("adapter", verdict.adapter)):
        said = index.said.get((verdict.idea, model), {}).values()
        values = [
            m.answer_loglik - m.distractor_loglik
            for m in said
            if m.family == "direct" and m.answer_loglik is not None and m.distractor_loglik is not None
        ]
        if values:
            found.append(f"{name} {sum(values) / len(values):+.2f}".replace("-", "−"))
    return ", ".join(found)


_FAMILIES = ("direct", "trained_form", "reverse", "implication", "near_miss", "locality", "choice", "robustness")


def _answers(verdict: Verdict, index: Index) -> list[AnswerView]:
    adapter = index.adapters.get(verdict.adapter)
    part = index.parts.get(adapter.dataset) if adapter else None
    probes = {probe.id: probe for probe in part.probes if probe.idea == verdict.idea} if part else {}
    base, passage, adapted = (index.said.get((verdict.idea, model), {}) for model in (BASE, PASSAGE, verdict.adapter))
    found = []
    for probe_id in dict.fromkeys([*adapted, *base, *passage]):
        if probes and probe_id not in probes:
            continue  # of another revision that holds the same idea
        sides = base.get(probe_id), passage.get(probe_id), adapted.get(probe_id)
        family = next(side.family for side in sides if side)
        found.append(
            AnswerView(probes.get(probe_id), probe_id, family, *sides, change=_change(family, sides[0], sides[2]))
        )
    return sorted(found, key=lambda answer: _FAMILIES.index(answer.family))


def _change(family: str, base: Measurement | None, adapted: Measurement | None) -> str:
    if adapted is None or (base is None and family != "locality"):
        return "one side"
    after = adapted.score >= 0.5
    if family == "locality" or base is None:
        return "kept" if after else "changed"
    before = base.score >= 0.5
    return ("right" if after else "lost") if before else ("gained" if after else "wrong")


def adapter_views(index: Index, verdicts: Sequence[VerdictView]) -> tuple[AdapterView, ...]:
    """Adapters in the order given, each with its verdicts."""
    mine: dict[str, list[VerdictView]] = defaultdict(list)
    for view in verdicts:
        mine[view.verdict.adapter].append(view)
    return tuple(
        AdapterView(
            code=index.codes[adapter.id],
            adapter=adapter,
            report=index.reports.get(adapter.id),
            paper=index.title(adapter.paper),
            verdicts=tuple(mine[adapter.id]),
            pooled=_pooled([view.verdict for view in mine[adapter.id]]),
        )
        for adapter in index.data.adapters
    )


def _pooled(verdicts: Sequence[Verdict]) -> tuple[Pool, ...]:
    sides: tuple[tuple[str, list[Rate]], ...] = (
        ("base, direct", [v.base for v in verdicts]),
        ("adapter, direct", [v.adapted for v in verdicts]),
        ("adapter, trained wordings", [v.trained_form for v in verdicts if v.trained_form]),
    )
    pools = [Pool(name, sum(rate.right for rate in rates), sum(rate.asked for rate in rates)) for name, rates in sides]
    return tuple(pool for pool in pools if pool.asked)


def kind_counts(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Verdicts by kind in the order of the legend; kinds that did not occur are left out."""
    counted = Counter(verdict.kind for verdict in verdicts)
    return {name: counted[kind.name] for name, kind in KINDS.items() if counted[kind.name]}


class ReasonCount(NamedTuple):
    """How often one stage dropped something for one reason."""

    stage: str
    reason: str
    times: int


def reject_counts(rejects: Iterable[Reject]) -> tuple[ReasonCount, ...]:
    """By stage in the order of the line, the most frequent reason first."""
    order = ("ingest", "distill", "train", "judge", "reflect")
    counted = Counter((reject.stage, reject.reason) for reject in rejects)
    rank = {name: place for place, name in enumerate(order)}
    lines = [ReasonCount(stage, reason, count) for (stage, reason), count in counted.items()]
    return tuple(
        sorted(lines, key=lambda line: (rank.get(line.stage, len(order)), line.stage, -line.times, line.reason))
    )


def all_rejects(data: ReportData) -> tuple[Reject, ...]:
    """Those of the run, of the datasets and of the adapters, each once."""
    inside = [reject for part in data.datasets for reject in DatasetPart(*part).record.rejects]
    inside += [reject for adapter in data.adapters for reject in adapter.rejects]
    found = {(reject.stage, reject.item, reject.reason, reject.detail): reject for reject in [*data.rejects, *inside]}
    return tuple(found.values())
