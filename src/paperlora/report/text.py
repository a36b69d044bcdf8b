"""Words and numbers on their way into the report. Papers and model answers are hostile: nothing here trusts them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from paperlora.records import Interval, Rate

_REPLACED = {
    # NUL and its kin are parse errors in HTML; lone surrogates can't be written as UTF-8
    **dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160), *range(0xD800, 0xE000)], "\ufffd"),
    # direction marks can make the text around them read backwards, so they are shown instead of obeyed
    **{code: f"⟨U+{code:04X}⟩" for code in [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C]},
}


class Piece(NamedTuple):
    """A stretch of text that is set in one way."""

    text: str
    kind: str
    """``plain``, ``answer`` (the accepted answer) or ``masked`` (carries no loss)."""


class Mark(NamedTuple):
    """Characters ``start`` to ``end`` of a text that are set apart."""

    start: int
    end: int
    kind: str


def clean(text: str, limit: int) -> str:
    """The text without control characters, cut after ``limit`` characters with the rest counted."""
    cut = text if len(text) <= limit else f"{text[:limit]}… [{len(text) - limit:,} characters more]"
    return cut.translate(_REPLACED)


def pieces(text: str, marks: Sequence[Mark]) -> tuple[Piece, ...]:
    """Split a text at its marks; overlapping marks and those out of range are cut to what is left of them."""
    found, place = [], 0
    for mark in sorted(marks):
        start, end = max(mark.start, place), min(mark.end, len(text))
        if end <= start:
            continue
        found += [Piece(text[place:start], "plain"), Piece(text[start:end], mark.kind)]
        place = end
    return tuple(piece for piece in [*found, Piece(text[place:], "plain")] if piece.text)


def find_answer(text: str, answer: str) -> tuple[Mark, ...]:
    """Where the answer stands in its evidence, first occurrence, upper and lower case alike."""
    start = text.lower().find(answer.lower()) if answer else -1
    return (Mark(start, start + len(answer), "answer"),) if start >= 0 else ()


def web_link(url: str | None) -> str:
    """The address if a browser may follow it (http or https), else empty: ``javascript:`` never becomes a link."""
    return url if url and url.lower().startswith(("https://", "http://")) else ""


def number(value: float, digits: int = 2) -> str:
    """A number with a real minus sign; a dash where there is none."""
    return f"{value:.{digits}f}".replace("-", "−") if math.isfinite(value) else "–"


def signed(value: float, digits: int = 2) -> str:
    """As :func:`number`, with a plus sign where it is due."""
    return f"{value:+.{digits}f}".replace("-", "−") if math.isfinite(value) else "–"


def small(value: float) -> str:
    """Two significant digits for numbers of any size."""
    return f"{value:.2g}".replace("-", "−") if math.isfinite(value) else "–"


def rate(value: Rate | None) -> str:
    """``11/12 = 0.92 [0.66, 0.99]``; says so where nothing was asked."""
    if value is None or not value.asked:
        return "not asked"
    return f"{value.right}/{value.asked} = {number(value.share)} [{number(value.low)}, {number(value.high)}]"


def fraction(value: Rate | None) -> str:
    """``11/12``, or a dash."""
    return f"{value.right}/{value.asked}" if value is not None and value.asked else "–"


def interval(value: Interval) -> str:
    """``+0.75 [+0.42, +0.93]``."""
    return f"{signed(value.value)} [{signed(value.low)}, {signed(value.high)}]"


def moment(value: datetime | None) -> str:
    """Day and minute with the time zone, or empty."""
    return value.strftime("%Y-%m-%d %H:%M %Z").strip() if value else ""


def short(identifier: str, length: int = 12) -> str:
    """The head of a hash."""
    return identifier if len(identifier) <= length else identifier[:length] + "…"
