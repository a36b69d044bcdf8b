"""Likeness by meaning, where a model is at hand: an embeddings endpoint, or the base model's own hidden states.

It only proposes pairs of ideas about one subject; :mod:`paperlora.ideas.conflicts` asks whether their answers agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import openai
from numpy.typing import NDArray

from paperlora.errors import LlmRefused, LlmUnavailable
from paperlora.ideas.likeness import names_of
from paperlora.records import Idea
from paperlora.settings import EmbeddingSettings, Settings

BATCH = 128
"""Texts a request."""
RETRIES = 4
"""Of the SDK, with growing pauses; nothing above it repeats a request."""
Vectors = NDArray[np.float32]
Embedder = Callable[[Sequence[str]], Vectors]
"""Texts → one row each; rows of one call can be compared with each other."""


class ByMeaning:
    """Proposes the pairs of ideas about one subject whose statements lie close to each other.

    Args:
        embed: turns statements into vectors.
        threshold: least cosine of a pair.
    """

    def __init__(self, embed: Embedder, threshold: float) -> None:
        self._embed = embed
        self._threshold = threshold

    def __call__(self, ideas: Sequence[Idea]) -> Iterator[tuple[int, int]]:
        """Pairs of indices, the smaller first. Ideas whose subject nobody shares are never embedded."""
        groups: dict[str, list[int]] = defaultdict(list)
        for number, idea in enumerate(ideas):
            for name in names_of(idea.subject):
                groups[name].append(number)
        shared = [group for group in groups.values() if len(group) > 1]
        wanted = sorted({number for group in shared for number in group})
        if not wanted:
            return
        vectors = self._embed([_statement(ideas[number]) for number in wanted])
        unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        row = {number: unit[place] for place, number in enumerate(wanted)}
        for group in shared:
            for place, one in enumerate(group):
                yield from (
                    (one, other) for other in group[place + 1 :] if float(row[one] @ row[other]) >= self._threshold
                )


def by_meaning(settings: Settings) -> ByMeaning | None:
    """What the settings ask for; None where likeness by meaning is off."""
    match settings.embeddings.provider:
        case "openai":
            return ByMeaning(_endpoint(settings.embeddings), settings.embeddings.threshold)
        case "local":
            return ByMeaning(_local(settings), settings.embeddings.threshold)
    return None


def _statement(idea: Idea) -> str:
    # Without the answer: two papers that contradict each other must lie as close as two that agree.
    return f"{idea.subject}: {idea.relation}"


def _endpoint(settings: EmbeddingSettings) -> Embedder:
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    client = openai.OpenAI(
        base_url=settings.base_url, api_key=key or "none", timeout=settings.timeout_seconds, max_retries=RETRIES
    )

    def embed(texts: Sequence[str]) -> Vectors:
        rows = [
            row for start in range(0, len(texts), BATCH) for row in _ask(client, settings, texts[start : start + BATCH])
        ]
        return np.array(rows, dtype=np.float32)

    return embed


def _ask(client: openai.OpenAI, settings: EmbeddingSettings, texts: Sequence[str]) -> list[list[float]]:
    try:
        answer = client.embeddings.create(model=settings.model, input=list(texts), encoding_format="float")
        rows = [list(map(float, one.embedding)) for one in sorted(answer.data, key=lambda one: one.index)]
    except (
        openai.APITimeoutError,
        openai.APIConnectionError,
        openai.RateLimitError,
        openai.InternalServerError,
    ) as error:
        raise LlmUnavailable(f"The embeddings endpoint does not answer: {error.__class__.__name__}.", _REMEDY) from None
    except openai.APIStatusError as error:
        raise LlmRefused(f"The embeddings endpoint refused the request ({error.status_code}).", _REMEDY) from None
    except (AttributeError, TypeError, ValueError):
        raise LlmUnavailable("The embeddings endpoint sent something that holds no vectors.", _REMEDY) from None
    if len(rows) != len(texts) or len({len(row) for row in rows}) != 1:
        raise LlmUnavailable(f"The embeddings endpoint sent {len(rows)} vectors for {len(texts)} texts.", _REMEDY)
    return rows


_REMEDY = "Check the settings embeddings.base_url and embeddings.model, or set embeddings.provider to off."


def _local(settings: Settings) -> Embedder:
    from paperlora.model.base import base_of
    from paperlora.model.embedding import embed

    base = base_of(settings)

    def centred(texts: Sequence[str]) -> Vectors:
        found: Vectors = embed(base, texts).numpy()
        return found - found.mean(axis=0) if len(texts) > 2 else found

    return centred
