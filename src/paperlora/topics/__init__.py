"""A map of AI research to start from."""

from __future__ import annotations

from pathlib import Path

from paperlora.records import Topic
from paperlora.settings import read_topics

__all__ = ["STARTER", "starter", "starter_text"]

STARTER = Path(__file__).with_name("starter.toml")


def starter() -> tuple[Topic, ...]:
    """The topics of the starter map."""
    return read_topics(STARTER)


def starter_text() -> str:
    """The starter map as TOML, to paste or to write to a file."""
    return STARTER.read_text(encoding="utf-8")
