"""What a folder says of itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from paperlora.records.base import Record, Reject, digest


class Manifest(Record):
    """Written last into a folder; its presence means that the folder is complete."""

    kind: str
    """documents, ideas, datasets, adapters, judgements, lessons, collections."""
    key: str
    """What decides the content, digested: the folder's name."""
    created: datetime
    code_version: str
    inputs: dict[str, str] = Field(default_factory=dict)
    """Id or URI → content hash."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Only the settings that decide the result. Never a secret."""
    prompts: dict[str, str] = Field(default_factory=dict)
    """Prompt name → hash."""
    models: dict[str, str] = Field(default_factory=dict)
    """Role → model id."""
    counts: dict[str, int] = Field(default_factory=dict)
    rejects: tuple[Reject, ...] = ()
    files: dict[str, str] = Field(default_factory=dict)
    """Path inside the folder → SHA-256."""

    @property
    def content_hash(self) -> str:
        """Hash of every file: two folders with equal content have equal hashes."""
        return digest(self.files)
