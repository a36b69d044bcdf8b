"""Verdict → Lesson."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from paperlora.records.base import Record
from paperlora.records.judge import VerdictKind


class Lesson(Record):
    """A conclusion in the knowledge core."""

    id: str
    topic: str
    paper: str
    idea: str
    verdict: str
    kind: VerdictKind
    text: str
    """What was tried, what came out, what to do or to avoid: one or two sentences that stand alone."""
    advice: Literal["do", "avoid", "repeat_with_more_probes", "skip"]
    evidence: tuple[str, ...]
    """Ids of dataset, adapter and verdict."""
    created: datetime
    half_life_days: float = 180.0
    """Its weight halves in this time."""
    refuted_by: str | None = None
    """Id of the later lesson that contradicts it."""
