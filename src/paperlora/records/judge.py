"""Adapter → Measurement → Verdict → Diagnosis."""

from __future__ import annotations

from typing import Literal

from paperlora.records.base import Record
from paperlora.records.microdata import ProbeFamily


class Measurement(Record):
    """One probe answered by one model."""

    probe: str
    idea: str
    family: ProbeFamily
    model: str
    """``base``, ``base+passage`` or an adapter id."""
    text: str
    """What it said, whole."""
    score: float
    """1 right, 0 wrong (locality: 1 where it answers as the base does)."""
    ended: bool
    """It stopped by itself; False where it ran into the token limit."""
    answer_loglik: float | None = None
    """Nats a token of the canonical answer after the prompt."""
    distractor_loglik: float | None = None
    """Nats a token of the best distractor."""
    said_loglik: float | None = None
    """Nats a token of what the base said itself: near 0 it is sure of it."""


class Rate(Record):
    """A share of right answers with its Jeffreys interval."""

    right: int
    asked: int
    low: float
    """2.5% quantile of Beta(right + ½, asked − right + ½)."""
    high: float
    """97.5% quantile."""

    @property
    def share(self) -> float:
        """right / asked; NaN when nothing was asked."""
        return self.right / self.asked if self.asked else float("nan")


class Interval(Record):
    """A number between two bounds that hold it with 95% posterior probability."""

    value: float
    low: float
    high: float


VerdictKind = Literal[
    "UNJUDGEABLE",
    "ALREADY_KNOWN",
    "ABSORBED_DEEP",
    "ABSORBED_SHALLOW",
    "RESISTED",
    "CONFUSED",
    "VERBATIM_ONLY",
    "PARTIAL",
    "NOT_LEARNED",
    "FALSE_BELIEF",
    "INCONCLUSIVE",
]


class Verdict(Record):
    """What became of one idea in one adapter."""

    id: str
    idea: str
    adapter: str
    paper: str
    topic: str
    claim: str
    kind: VerdictKind
    reason: str
    """The rule that decided, with its numbers."""
    flags: tuple[str, ...] = ()
    """ONE_WAY, LOCKED, DAMAGED …"""
    base: Rate
    """b: the base on direct probes."""
    adapted: Rate
    """a: the adapter on the same probes."""
    gain: Interval
    """a − b* with b* = the better of base and other adapters."""
    others: Rate | None = None
    """o: adapters of other papers on the same probes, pooled."""
    trained_form: Rate | None = None
    """t"""
    implication: Rate | None = None
    """h"""
    reverse: Rate | None = None
    ceiling: Rate | None = None
    """c: base with the passage in the prompt."""
    locality: Rate | None = None
    confused_with: str | None = None
    """Id of the idea whose answer it gives."""
    q_value: float | None = None
    """Benjamini–Hochberg over the ideas of the run, of the test a > b*."""


class Diagnosis(Record):
    """Symptom → cause → next action, with a prediction written before that action is run."""

    id: str
    verdict: str
    idea: str
    symptom: str
    cause: str
    action: str
    prediction: str
    """Which probes will move, and by how much, if the cause is right."""


class AdapterReport(Record):
    """What the judge found of one adapter as a whole."""

    adapter: str
    live: bool
    """Its logits differ from the base's on every liveness prompt."""
    liveness: float
    """Mean absolute difference of the next-token logits from the base's."""
    noise_floor: float
    """Share of probes on which the base, asked again in another batch order, scored otherwise."""
    damaged: bool
    damage: dict[str, float]
    """Each damage measure by name: nll_drift (nats a token), known_change, unique_ratio, cap_hit_change …"""
