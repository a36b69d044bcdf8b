"""Prompts laid out and questions ordered so that providers' prefix caches hit.

A provider that has just read the same beginning reads it again for a part of the price, or in no time: so what many
questions share stands first (system, instructions, the paper's text), what differs last, and questions with the same
beginning follow each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from paperlora.llm.asking import Question

_LEAST_SHARED = 1024 * 3
"""Characters, about 1,024 tokens: OpenAI's cache takes no shorter beginning."""


def laid_out(*shared: str, ask: str) -> str:
    """A user message: what is shared, the most shared part first, then what only this question asks."""
    return "\n\n".join(part.strip() for part in (*shared, ask) if part.strip())


def in_prefix_order(questions: Sequence[Question]) -> list[int]:
    """Indices such that papers stay in their order and, within one, equal beginnings follow each other."""
    place: dict[str, int] = {}
    for question in questions:
        place.setdefault(question.tag, len(place))
    return sorted(range(len(questions)), key=lambda index: (place[questions[index].tag], questions[index][:2]))


def shared_share(questions: Sequence[Question]) -> float:
    """Share of the characters that stand at the beginning of the question before, too, in the order they are asked in:
    what a prefix cache can save at best. Beginnings under 1,024 tokens count for nothing."""
    texts = [questions[index].system + "\n" + questions[index].user for index in in_prefix_order(questions)]
    shared = [_common(before, text) for before, text in pairwise(texts)]
    return sum(length for length in shared if length >= _LEAST_SHARED) / max(1, sum(map(len, texts)))


def _common(before: str, text: str) -> int:
    pairs = enumerate(zip(before, text, strict=False))
    return next((place for place, (mine, yours) in pairs if mine != yours), min(len(before), len(text)))
