"""``/v1/embeddings``: vectors of words, where words of one meaning share a direction.

What an embedding model would give for the few words that the sandbox's papers use in several ways, without a model.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from paperlora.sandbox.chat_api import Reply

MODEL = "sandbox-embeddings"
WIDTH = 64
_MEANINGS = (
    ("replay", "rehearsal", "rehearsed", "repeated"),
    ("share", "portion", "fraction", "part"),
    ("accuracy", "correctness"),
    ("cost", "overhead", "expense"),
    ("interval", "spacing", "period"),
)
_MEANING = {word: group[0] for group in _MEANINGS for word in group}
_EMPTY = frozenset(("the", "a", "an", "of", "in", "on", "for", "to", "and"))


def answer(request: Any) -> Reply:
    """The vectors of the texts in a request."""
    texts = request.get("input") if isinstance(request, dict) else None
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        return Reply(400, {"error": {"message": "input must be texts", "type": "invalid_request_error"}})
    data = [{"object": "embedding", "index": place, "embedding": vector(text)} for place, text in enumerate(texts)]
    used = sum(len(text) // 4 + 1 for text in texts)
    return Reply(
        200,
        {"object": "list", "model": MODEL, "data": data, "usage": {"prompt_tokens": used, "total_tokens": used}},
    )


def vector(text: str) -> list[float]:
    """The sum of the directions of a text's words."""
    words = [_MEANING.get(word, word) for word in re.findall(r"\w+", text.casefold()) if word not in _EMPTY]
    rows: Sequence[Sequence[float]] = [_direction(word) for word in words] or [_direction("")]
    return [sum(column) for column in zip(*rows, strict=True)]


@lru_cache(maxsize=4096)
def _direction(word: str) -> tuple[float, ...]:
    chance = random.Random(word)
    return tuple(chance.gauss(0.0, 1.0) for _ in range(WIDTH))
