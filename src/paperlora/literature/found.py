"""What a search found."""

from __future__ import annotations

from typing import NamedTuple

from paperlora.records import Paper, Reject


class Found(NamedTuple):
    """The answer of one source to one topic."""

    papers: tuple[Paper, ...]
    rejects: tuple[Reject, ...]
    """Records that make no paper, each with its reason."""
    asked: int
    """Records that were received."""
    beyond: int
    """Matches past the topic's ``max_papers``, not taken."""
