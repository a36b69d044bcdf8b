"""Adapter → Measurement → Verdict → Diagnosis."""

from __future__ import annotations

from typing import Literal

from paperlora.records.base import Record
from paperlora.records.microdata import KnowledgeStateKind, ProbeFamily
from paperlora.records.rates import Interval, Rate


class Measurement(Record):
    """One probe answered by one model."""

    probe: str
    idea: str
    family: ProbeFamily
    model: str
    """``base``, ``base+passage`` or an adapter id; the id with ``+template`` for missed probes asked again in a trained
    wording, with ``+thinking`` for answers after a thought."""
    text: str
    """What it said, whole; the letter of the option it means where the options were weighed."""
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
    thinking: bool = False
    """It was let think before it answered."""
    decided_by: Literal["rule", "llm"] = "rule"
    """``llm``: no rule could read the answer, and an LLM whose agreement with the rules was measured did."""


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
    choice: Rate | None = None
    """Multiple choice by the letter it answers: every gold in every place."""
    choice_content: Rate | None = None
    """Multiple choice by content: the option to which it gives the highest likelihood a token."""
    choice_base: Rate | None = None
    """The base on ``choice``."""
    robustness: Rate | None = None
    """Under a foreign system prompt, and after a doubt."""
    template_swap: Rate | None = None
    """Missed direct probes, asked once more in a wording that was trained: many right again means LOCKED."""
    thinking: Rate | None = None
    """Direct probes answered after thinking, where the model can think."""
    state: KnowledgeStateKind | None = None
    """What the base held before training; None where it was not quizzed."""
    prior: float | None = None
    """How likely a token the base gave what it said instead of the truth, before training (geometric mean, 0 to 1)."""
    confused_with: str | None = None
    """Id of the idea whose answer it gives."""
    old: Rate | None = None
    """r: direct probes on which the base's old answer survives; None where the base held none."""
    old_answer: str = ""
    """What the base held before; empty where it held nothing."""
    confused: Rate | None = None
    """s: direct probes on which it gives the answer of the one other idea that it gives most often."""
    false_belief: Rate | None = None
    """f: probes on which it affirms a value that its rows deny."""
    q_value: float | None = None
    """Benjamini–Hochberg over the ideas of the run, of the test a > b*."""


Measure = Literal[
    "direct", "trained_form", "implication", "reverse", "ceiling", "locality", "choice", "robustness", "template_swap",
    "thinking", "others", "old", "confused", "false_belief", "direct_width",
    "nll_drift", "kl_drift", "known_change", "arithmetic_change", "instruction_change", "unique_ratio", "distinct_ratio",
    "top_answer_share", "refusal_ratio", "cap_hit_change", "loop_change", "think_ratio", "think_leak", "false_trigger",
]  # fmt: skip
"""What a prediction speaks of: a share of an idea's probes, the width of its direct interval, or a damage measure."""


class Prediction(Record):
    """A measure of the next verdict and the bound it will keep, if the cause is right."""

    measure: Measure
    idea: str
    bound: Literal["at_least", "at_most"]
    value: float
    """A share of the probes (0 to 1), a width, or a damage measure in its own unit."""
    asked: int = 0
    """Probes that the share was stated for; 0 where it is none."""


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
    expects: tuple[Prediction, ...] = ()
    """The same for a program: all of them hold in the next verdict, or the cause is refuted."""
    further: tuple[str, ...] = ()
    """Other causes that fit as well, next best first."""


class DamageCheck(Record):
    """One check of what an adapter broke."""

    name: str
    """As in :attr:`AdapterReport.damage`."""
    value: float
    asked: int
    """Answers or tokens that it rests on."""
    bound: float
    """Where damage begins."""
    noise: float
    """The same measure of the base against itself, asked again in other batches."""
    scatter: float = 0.0
    """How far the two halves of the pool differ in it: what the choice of questions alone may do."""
    shown: float | None = None
    """Probability that the truth lies beyond the method's bound; it counts as damage from .95."""
    placebo: float | None = None
    """Bound that one more placebo adapter of the recipe stays within with 99% probability, on the harmful side: what stands
    for their 99th percentile, and the further out the fewer there are. None for fewer than two."""
    placebos: int = 0
    """How many placebo adapters that bound rests on."""
    placebo_mean: float | None = None
    """Their mean; None where there is no bound."""
    broken: bool


class AdapterReport(Record):
    """What the judge found of one adapter as a whole."""

    adapter: str
    live: bool
    """Its logits differ from the base's on every liveness prompt."""
    liveness: float
    """Mean absolute difference of the next-token logits from the base's."""
    noise_floor: float
    """Share of probes on which the base, asked again in another batch order, scored otherwise."""
    gain: Interval | None = None
    """Right answers to unseen wordings beyond the base's, as the mean share over its ideas; its bounds hold for other ideas
    of the kind, too, since ideas and not probes are drawn. None for fewer than two that can be judged."""
    damaged: bool
    damage: dict[str, float]
    """Each damage measure by name: nll_drift (nats a token), known_change, unique_ratio, cap_hit_change …"""
    checks: tuple[DamageCheck, ...] = ()
    """The same with bounds, noise floor and placebos."""
    placebo: str = ""
    """Kind of the placebo that this adapter is; empty for one that was taught a paper."""
    placebos: tuple[str, ...] = ()
    """Ids of the live placebo adapters of its recipe, which it is held against."""


class Agreement(Record):
    """How far an LLM that reads answers agrees with the rules, on answers that these decide."""

    model: str
    """As the endpoint names it."""
    prompt: str
    """Hash of its prompt."""
    asked: int
    """Decided answers it was asked about."""
    agreed: int
    said_right: int
    """Those of them that it called right."""
    rules_right: int
    """Those of them that the rules call right."""
    kappa: Interval | None = None
    """Cohen's κ; None where there was nothing to compare."""
    planted: int = 0
    """Answers made to be hard, their truth known, that it was asked about as well."""
    planted_agreed: int = 0
    planted_kappa: Interval | None = None
    """Cohen's κ on these alone; None where none could be made."""
    unreadable: int = 0
    """Replies that held no verdict; the answers they were about stay wrong."""
    bar: float
    """Least lower bound from which its word is taken; both κ must reach it."""
    taken: bool
    undecided: int
    """Answers that no rule could read."""
    turned: int
    """Those of them that count as right by its word; 0 unless it is taken."""
    note: str
    """The same as a sentence, with the reason where its word is not taken."""


class Why(Record):
    """Why an adapter may have answered a probe as it did: what stands nearest to its answer."""

    probe: str
    idea: str
    adapter: str
    family: ProbeFamily
    question: str
    accepted: tuple[str, ...]
    said: str
    base_said: str
    """Empty where the base wasn't asked."""
    row: str = ""
    """Id of the training row that is nearest to question and answer; empty without rows."""
    row_question: str = ""
    row_answer: str = ""
    likeness: float = 0.0
    """0 to 1, of that row."""
    from_idea: str = ""
    """Id of another idea whose answer it gave."""
    from_adapter: str = ""
    """Id of the adapter that was taught that idea, where it is another one."""
    kind: Literal["right", "base_answer", "other_idea", "denied_value", "row_echo", "refusal", "empty", "loop", "other"]
    """What its answer is. ``base_answer``: what the base says too; ``row_echo``: an answer out of its rows."""


class Stability(Record):
    """One idea judged in adapters that differ by their seed alone."""

    dataset: str
    recipe: str
    idea: str
    adapters: tuple[str, ...]
    kinds: tuple[VerdictKind, ...]
    """Verdict of each adapter."""
    shares: tuple[float, ...]
    """Right direct answers of each adapter, as a share."""
    flipped: bool
    """The verdicts are not all equal."""
