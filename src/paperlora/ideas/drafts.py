"""What a reader hands over before anything is checked: proposals, not yet ideas."""

from __future__ import annotations

from typing import NamedTuple

from paperlora.records import IdeaKind, Quote, Reject, Touches


class Draft(NamedTuple):
    """One proposed idea. Only the gates make an :class:`~paperlora.records.Idea` of it."""

    claim: str
    kind: IdeaKind
    subject: str
    relation: str
    answer: str
    aliases: tuple[str, ...]
    qwen_change: str
    prediction: str
    quote_text: str
    """The evidence as the reader gives it; an LLM's may be a near miss."""
    section: int | None
    """Index of the section it was read from."""
    strength: float
    """Higher is kept first."""
    prompt_hash: str | None = None
    quote: Quote | None = None
    """The evidence as it stands in the document, where the reader knows the place already."""
    mechanism: str = ""
    limits: str = ""
    changes: tuple[Touches, ...] = ()


class SectionRead(NamedTuple):
    """What became of one section before any idea was weighed."""

    passages: int
    """Questions that its text made; 0 for the extractive reader, which asks none."""
    failed: int
    """Passages without a usable answer."""
    hidden: int
    """Sentences that address the reader and were kept from it."""
    skipped: str = ""
    """Why it was not read: ``heading`` (references, thanks …), ``short``, ``over_max_sections``; empty where it was."""


class Drafts(NamedTuple):
    """Everything one reader proposes for one document."""

    drafts: tuple[Draft, ...]
    rejects: tuple[Reject, ...]
    counts: dict[str, int]
    """What was read and found, by short names: sentences, claims, sections …"""
    prompts: dict[str, str]
    """Prompt name → hash; empty without an LLM."""
    sections: tuple[SectionRead, ...] = ()
    """One for each section of the document, in order."""
