"""Document → Idea."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paperlora.records.base import Record


class Quote(Record):
    """A verbatim span of a document: ``document.sections[section].text[start:end] == text``."""

    section: int
    """Index into ``Document.sections``."""
    heading: str
    """Heading of that section, for people."""
    page: int
    start: int
    end: int
    text: str
    snapped: bool = False
    """The reader's words were a near miss; this is the real sentence that they nearly are."""


IdeaKind = Literal["method", "finding", "recipe", "failure", "anti-example"]
AnswerKind = Literal["number", "name", "phrase"]


Touches = Literal["data", "prompt", "training", "evaluation"]


class Source(Record):
    """Another paper that states the same idea."""

    paper: str
    """Paper key."""
    quotes: tuple[Quote, ...] = Field(min_length=1)


class Idea(Record):
    """One claim worth teaching, adapted to Qwen."""

    id: str
    """First 16 hex digits of the digest of paper key, subject, relation and answer."""
    paper: str
    """Paper key."""
    topic: str
    reader: str
    """``extractive/<version>`` (no LLM: spans of the paper and fixed rules) or ``llm/<model>``."""
    kind: IdeaKind
    claim: str
    """One sentence that stands alone."""
    subject: str
    """What the claim is about, by the paper's own name for it: "Tidal Replay"."""
    relation: str
    """A noun phrase that links subject and answer: "replay share", "number of anchors"."""
    answer: str
    """The value, short enough to score exactly: "37 percent"."""
    answer_kind: AnswerKind
    aliases: tuple[str, ...] = ()
    """Other spellings that count as the answer: "37%"."""
    qwen_change: str
    """What it changes for a Qwen model: data, prompt, training setting or evaluation."""
    prediction: str
    """What must be measurable if the idea is absorbed (or works)."""
    quotes: tuple[Quote, ...] = Field(min_length=1)
    """The evidence; ``answer`` stands verbatim in the first one."""
    prompt_hash: str | None = None
    """Of the prompt that asked for it; None for the extractive reader."""
    mechanism: str = ""
    """How it works, in the paper's terms; empty where the paper (or the extractive reader) says nothing of it."""
    limits: str = ""
    """What the authors admit it can't do, or where they didn't try it."""
    changes: tuple[Touches, ...] = ()
    """What of a Qwen model ``qwen_change`` touches."""
    support: Literal["entailed", "partly", "unchecked"] = "unchecked"
    """What the second reading found: does the evidence entail the claim? What it doesn't support is rejected."""
    sources: tuple[Source, ...] = ()
    """Other papers that state it too, each with its own evidence."""
    contested_by: tuple[str, ...] = ()
    """Ids of ideas that contradict it; such an idea is kept and never trained as fact."""
    guide: bool = False
    """It comes from a guide, not from a paper: a candidate for an anti-example, never trained as fact unreviewed."""
