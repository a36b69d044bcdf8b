"""What one file may cost, and how a file says that it can't be read. Imported by the worker: nothing heavy here."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """For one file."""

    pages: int
    seconds: float
    megabytes: int
    ocr_language: str = ""
    """With which scans are read; empty for not at all."""


class UnreadableError(Exception):
    """A file that can't be read; ``reason`` is the word that is counted."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
