"""The leak gate: a probe may share the fact with a row, never the surface, nor, where a model is at hand, the meaning."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
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
    shared = len(left.short & right.short)
    union = len(left.short) + len(right.short) - shared
    return shared / union if union else 0.0


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
        self._ids = [probe.id for probe in held_out]
        self._surfaces = [surface(prompt_text(probe.messages)) for probe in held_out]
        self._having: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for number, one in enumerate(self._surfaces):
            for gram in one.short | one.long:
                self._having[gram].append(number)
        self._asked, self._meaning = frozenset(self._ids), meaning

    def leaks(self, messages: Sequence[Message]) -> list[Leak]:
        """Every probe that a row comes too close to in its words, by its prompt alone or by prompt and answer together."""
        found: dict[int, Leak] = {}
        for text in (prompt_text(messages), "\n".join(message.content for message in messages)):
            mine = surface(text)
            # Only probes that share a piece at all are compared: most of a big dataset's don't.
            shared = Counter(number for gram in mine.short | mine.long for number in self._having.get(gram, ()))
            for number in shared:
                detail = compare(self._surfaces[number], mine) if number not in found else None
                if detail:
                    found[number] = Leak(self._ids[number], detail)
        return [found[number] for number in sorted(found)]

    def leak(self, messages: Sequence[Message]) -> Leak | None:
        """The first probe that a row comes too close to, in its words or in its meaning."""
        by_words = self.leaks(messages)
        if by_words or self._meaning is None:
            return by_words[0] if by_words else None
        return self._meaning.leak(prompt_text(messages), self._asked)
