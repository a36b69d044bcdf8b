"""What every record is: frozen, closed, and with a digest that is the same everywhere."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict


def digest(*parts: Any) -> str:
    """SHA-256 (64 hex digits) of the parts as canonical JSON: the same values give the same digest everywhere."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class Record(BaseModel):
    """Frozen and closed: an unknown field is an error, not a silent loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Reject(Record):
    """Something that was dropped, and why. Nothing leaves the line without one."""

    stage: str
    """Where it was dropped: ingest, distill, train, judge or reflect."""
    item: str
    """The id of what was dropped: a paper key, an idea id, a row id."""
    reason: str
    """A short fixed word that can be counted, such as ``pdf_broken`` or ``quote_not_found``."""
    detail: str = ""
    """What a person needs to understand this one case."""
