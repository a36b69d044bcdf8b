"""The leak gate: a probe may share the fact with a row, never the surface, nor, where a model is at hand, the meaning."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from paperlora.microdata.meaning import Leak, MeaningGate, prompt_text
from paperlora.records import Message, Probe

LONG = 8
"""Words that a probe and a row may not have in common in one piece."""
SHORT = 3
MAX_JACCARD = 0.3
"""Shared 3-grams as a share of all 3-grams of both; at this or above, a probe repeats a row."""


class Surface(NamedTuple):
    """The word n-grams of a text, case and punctuation folded."""

    short: frozenset[tuple[str, ...]]
    long: frozenset[tuple[str, ...]]


def surface(text: str) -> Surface:
    """N-grams of a text; a text of fewer than three words is one gram of its own."""
    words = re.findall(r"\w+", text.casefold())
    short = _grams(words, SHORT) or ([tuple(words)] if words else [])
    return Surface(frozenset(short), frozenset(_grams(words, LONG)))


def _grams(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + size]) for start in range(len(words) - size + 1)]


def jaccard(left: Surface, right: Surface) -> float:
    """Shared 3-grams over all 3-grams of both texts; 0 for two empty texts."""
    union = len(left.short | right.short)
    return len(left.short & right.short) / union if union else 0.0


def compare(left: Surface, right: Surface) -> str | None:
    """What two texts have in common beyond the fact; None where that is little enough."""
    shared = left.long & right.long
    if shared:
        return f"common {LONG}-gram: {' '.join(min(shared))}"
    share = jaccard(left, right)
    return f"{SHORT}-gram Jaccard {share:.2f}" if share >= MAX_JACCARD else None


class LeakGate:
    """The surfaces of all held-out probes of a dataset. Trained-form probes repeat rows by design and are exempt."""

    def __init__(self, probes: Iterable[Probe], meaning: MeaningGate | None = None) -> None:
        held_out = [probe for probe in probes if probe.family != "trained_form"]
        self._surfaces = [(probe.id, surface(prompt_text(probe.messages))) for probe in held_out]
        self._ids = frozenset(probe.id for probe in held_out)
        self._meaning = meaning

    def leaks(self, messages: Sequence[Message]) -> list[Leak]:
        """Every probe that a row comes too close to in its words, by its prompt alone or by prompt and answer together."""
        texts = [surface(prompt_text(messages)), surface("\n".join(message.content for message in messages))]
        found = []
        for probe, held_out in self._surfaces:
            detail = next((why for text in texts if (why := compare(held_out, text))), None)
            if detail:
                found.append(Leak(probe, detail))
        return found

    def leak(self, messages: Sequence[Message]) -> Leak | None:
        """The first probe that a row comes too close to, in its words or in its meaning."""
        by_words = self.leaks(messages)
        if by_words or self._meaning is None:
            return by_words[0] if by_words else None
        return self._meaning.leak(prompt_text(messages), self._ids)
