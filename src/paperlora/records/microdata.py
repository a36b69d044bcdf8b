"""Idea → rows and probes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paperlora.records.base import Record, Reject
from paperlora.records.ideas import Idea, Quote
from paperlora.records.literature import Paper
from paperlora.records.rates import Rate


class Message(Record):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


class MaskedSpan(Record):
    """Characters of an assistant turn that carry no loss (a false value inside a contrast)."""

    message: int
    """Index into the messages."""
    start: int
    end: int


class Example(Record):
    """One training row. The last message is the assistant's."""

    id: str
    idea: str
    """Idea id; empty for rows that the whole paper shares."""
    form: str
    """Name of the wording: ``qa_1``, ``reverse_1``, ``completion_1``, ``contrast``, ``summary`` …"""
    messages: tuple[Message, ...]
    masked: tuple[MaskedSpan, ...] = ()
    evidence: tuple[Quote, ...] = ()
    generator: str
    """What wrote the row: ``template/<version>`` or ``llm/<model>``."""
    prompt_hash: str | None = None
    """Of the template or prompt that made the row."""
    licence: str | None = None
    """Licence of the paper it came from."""


ProbeFamily = Literal[
    "direct", "trained_form", "reverse", "implication", "near_miss", "locality", "choice", "robustness"
]


class Probe(Record):
    """One question that is never trained on. The last message is the user's."""

    id: str
    idea: str
    family: ProbeFamily
    form: str
    """Name of the wording. A direct probe's form never occurs among the rows."""
    messages: tuple[Message, ...]
    answers: tuple[str, ...] = Field(min_length=1)
    """Accepted answers, the canonical one first. For locality: the base model's own answer decides, and this holds
    the true one for people."""
    distractors: tuple[str, ...] = ()
    """Wrong answers of the same type, for log-likelihood margins."""
    split: Literal["dev", "test"] = "test"
    """Dev probes may steer training; test probes are read once, for the verdict."""
    wave: int = Field(default=1, ge=1, le=3)
    """Asked in this pass: 1 always, 2 and 3 only while the verdict is inconclusive."""
    chance: float = Field(default=0.0, ge=0, lt=1)
    """Share that a guess among the answers which the question itself offers gets right: ½ for yes or no, ⅓ for one of
    three, 0 for a free answer."""


class Replay(Record):
    """What a base itself answers to a general prompt: trained on, it keeps the base as it was."""

    prompt: str
    kind: Literal["fact", "arithmetic", "open", "instruction", "talk", "anchor", "locality"]
    """``anchor`` and ``locality``: questions of those pools that the base answers rightly. That it knows them is used,
    its words are not."""
    answer: str
    """Whole, with its thought where it was asked to think."""
    thinking: bool = False


KnowledgeStateKind = Literal["known", "believes_other", "unknown", "unanswerable"]


class KnowledgeState(Record):
    """What a base holds of one idea before anything is trained."""

    idea: str
    base: str
    """Hash of the base's weights."""
    kind: KnowledgeStateKind
    direct: Rate
    """Questions for its value that it answers rightly: dev probes and the wordings of rows, never a test probe."""
    passage: Rate
    """Sampled direct probes that it answers rightly with the passage in the prompt; none asked where that wasn't tested."""
    statement: float | None = None
    """log P(yes) − log P(no) when asked whether the claim is true; nats. None where it was not asked."""
    negation: float | None = None
    """The same of its negation: ``statement − negation`` is free of a leaning to yes."""
    rival: float | None = None
    """The same of the claim with a plausible false value."""
    belief: str = ""
    """The wrong answer it gives most often; empty where it has none."""
    held: Rate | None = None
    """Questions for its value on which it gives that answer; None where it has none."""
    prior: float = 0.0
    """How likely a token it gives that answer where it states a value (mean over the questions, 0 to 1): the
    strength that training has to overcome."""
    repaired: str = ""
    """What was done so that its probes can be answered from the passage; empty where nothing was needed."""


class MicroDataset(Record):
    """One immutable revision of the rows and probes of one paper."""

    id: str
    """``<paper slug>/<revision>``: also its folder below the datasets folder."""
    revision: str
    """First 12 hex digits of the digest of rows and probes, and of the states where the base was quizzed."""
    paper: Paper
    topic: str
    ideas: tuple[Idea, ...]
    reader: str
    """Reader of the ideas, repeated here so that no one takes extracted spans for an LLM's analysis."""
    parents: tuple[str, ...] = ()
    """Ids of the revisions it corrects."""
    lessons: tuple[str, ...] = ()
    """Ids of the lessons that were considered when it was made."""
    counts: dict[str, int]
    """Rows by ``row/<form>`` and probes by ``probe/<family>``, with ``rows`` and ``probes`` in all; then the book of what
    became of every proposal: ``proposed/row``, ``dropped/row/<reason>``, likewise for probes."""
    rejects: tuple[Reject, ...] = ()
    probes_hash: str
    """Frozen before the first row was written."""
    states: tuple[KnowledgeState, ...] = ()
    """What the base held of each idea beforehand; empty where it was not quizzed."""
    licence: str | None = None


class Decision(Record):
    """What a person decided about one row or one idea."""

    target: Literal["row", "idea"]
    id: str
    """Row id or idea id."""
    action: Literal["accept", "reject", "correct"]
    question: str = ""
    """A corrected row's last user turn; empty where it stays."""
    answer: str = ""
    """A corrected row's assistant turn, or a corrected idea's answer; empty where it stays."""
    claim: str = ""
    """A corrected idea's claim; empty where it stays."""
    note: str = ""
    """Why, in the person's words."""


class Review(Record):
    """What a person decided about one revision. Later revisions of the same paper obey it."""

    dataset: str
    """MicroDataset id."""
    reviewer: str = ""
    decisions: tuple[Decision, ...]
