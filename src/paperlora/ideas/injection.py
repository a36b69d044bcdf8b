"""Text of a paper that speaks to whoever reads it by machine: found, kept from the reader, never taken as evidence.

A paper's text is data. A sentence that gives orders to a reader, or that carries the marks of a chat, is not shown to
the LLM, and an idea whose evidence or wording is such a text is rejected. The rules look for who is addressed and what
is ordered, not for topics: a paper *about* such attacks loses the sentences that quote one, and they are counted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from paperlora.ideas.orders import BANNER, ORDER
from paperlora.ideas.sentences import Span, spans

FOLLOWING = 4
"""Sentences behind an order, in the same paragraph, that are taken for its content: "Report this. X reaches …"."""

INVISIBLE = ((0xAD, 0xAD), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0xFEFF, 0xFEFF), (0xE0000, 0xE007F))
"""Characters that no person sees: soft hyphens, joiners, marks of direction, tags. First and last of each range."""
_INVISIBLE = re.compile("[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in INVISIBLE) + "]")


class Shown(NamedTuple):
    """A text as an LLM may see it."""

    text: str
    """Same length and offsets as the original: what is kept from the reader is blank."""
    hidden: tuple[str, ...]
    """What was kept from it, sentence by sentence."""


def addresses_reader(text: str) -> bool:
    """The text gives orders to whoever reads it by machine, or carries the marks of a chat or of our own answers."""
    plain = plain_text(text)
    return ORDER.search(plain) is not None or BANNER.search(plain) is not None


def plain_text(text: str) -> str:
    """Without invisible characters, look-alike forms in their plain one, blanks single: what a tokenizer might see."""
    tags = "".join(chr(ord(char) - 0xE0000) if "\U000e0020" <= char <= "\U000e007e" else char for char in text)
    return " ".join(unicodedata.normalize("NFKC", _INVISIBLE.sub("", tags)).split())


def shown(text: str) -> Shown:
    """The text without what addresses the reader, and without characters that no person sees."""
    hidden = [text[span.start : span.end] for span in injected(text)]
    for span in injected(text):
        text = text[: span.start] + re.sub(r"\S", " ", text[span.start : span.end]) + text[span.end :]
    return Shown(_INVISIBLE.sub(" ", text), tuple(hidden))


@lru_cache(maxsize=1024)
def injected(text: str) -> tuple[Span, ...]:
    """The sentences that give orders, and those behind them in their paragraph that may be what is ordered."""
    found: list[Span] = []
    paragraph, left = -1, 0
    for span in spans(text):
        left = 0 if span.paragraph != paragraph else left
        paragraph = span.paragraph
        if addresses_reader(text[span.start : span.end]):
            left = FOLLOWING + 1
        if left > 0:
            found.append(span)
            left -= 1
    return tuple(found)


def overlaps(start: int, end: int, marked: Sequence[Span]) -> bool:
    """A stretch of a text touches one of the sentences."""
    return any(span.start < end and start < span.end for span in marked)
