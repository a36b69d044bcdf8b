"""Where a quote stands in a document: exact, or the real sentence that it nearly is.

LLMs often give "verbatim" quotes with a ligature, a blank or a word changed. The search ignores what print and
extraction change (Unicode NFKC, white space, hyphens and quotation marks); what still differs snaps to the nearest real
sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

from paperlora.ideas.injection import INVISIBLE, shown
from paperlora.ideas.sentences import Sentence, sentences, spans
from paperlora.records import Document, Quote

NEAR = 0.9
"""Least similarity (difflib's ratio over folded characters) of a sentence that a near miss snaps to."""
_SHORTEST = 12
_ALIKE = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-", "\u00ad": ""}
    | {chr(code): "" for first, last in INVISIBLE for code in range(first, last + 1)}
)


class Located(NamedTuple):
    """A quote with its place."""

    quote: Quote
    exact: bool
    """False where the nearest real sentence was taken in its stead."""


class _Folded(NamedTuple):
    text: str
    places: tuple[int, ...]
    """For each folded character the offset it came from."""


def locate(document: Document, quote_text: str, section_hint: int | None = None) -> Located | None:
    """Find a quote; the section of the hint is searched first.

    Returns:
        The span of the document that says it, or None where nothing in the document does. Quotes shorter than twelve
        characters are never found: they would stand anywhere.
    """
    wanted = _fold(quote_text.strip().strip("\"'“”").strip()).text.strip(" .…")
    if len(wanted) < _SHORTEST:
        return None
    order = _order(len(document.sections), section_hint)
    for index in order:
        folded = _fold(document.sections[index].text)
        at = folded.text.find(wanted)
        if at >= 0:
            start, end = folded.places[at], folded.places[at + len(wanted) - 1] + 1
            return Located(quote_at(document, index, start, _with_full_stop(document.sections[index].text, end)), True)
    return _nearest(document, wanted, order)


def quote_at(document: Document, section: int, start: int, end: int, *, snapped: bool = False) -> Quote:
    """The quote of a span of a section's text."""
    found = document.sections[section]
    return Quote(
        section=section,
        heading=found.heading,
        page=found.page_at(start),
        start=start,
        end=end,
        text=found.text[start:end],
        snapped=snapped,
    )


def around(document: Document, quote: Quote, sentences_each_side: int = 2) -> str:
    """The quote with the sentences before and behind it in its section, without those that address the reader."""
    text = shown(document.sections[quote.section].text).text
    places = list(spans(text))
    inside = [n for n, span in enumerate(places) if span.start < quote.end and quote.start < span.end]
    if not inside:
        return " ".join(quote.text.split())
    near = places[max(0, inside[0] - sentences_each_side) : inside[-1] + 1 + sentences_each_side]
    return " ".join(text[min(near[0].start, quote.start) : max(near[-1].end, quote.end)].split())


def mentions(document: Document, words: str) -> bool:
    """The words stand in the title or the body, case, print and white space ignored."""
    wanted = _fold(words).text.strip()
    pattern = re.compile(rf"(?<!\w){re.escape(wanted)}(?:s|'s)?(?!\w)")
    return bool(wanted) and any(
        pattern.search(_fold(text).text) for text in (document.title, *(s.text for s in document.sections))
    )


def contains(text: str, words: str) -> bool:
    """The words stand in the text, print and white space ignored, not inside a longer word or number."""
    wanted = _fold(words).text.strip()
    return bool(wanted) and re.search(rf"(?<![\w.]){re.escape(wanted)}(?!\w|[.,]\d)", _fold(text).text) is not None


class Stretch(NamedTuple):
    """Where words stand in a text."""

    start: int
    end: int


def stretches(text: str, words: str) -> Iterator[Stretch]:
    """Every place where the words stand, print and white space ignored, not inside a longer word or number."""
    folded, wanted = _fold(text), _fold(words).text.strip()
    for match in re.finditer(rf"(?<![\w.]){re.escape(wanted)}(?!\w|[.,]\d)", folded.text) if wanted else ():
        yield Stretch(folded.places[match.start()], folded.places[match.end() - 1] + 1)


@lru_cache(maxsize=1024)
def _fold(text: str) -> _Folded:
    chars: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        for plain in unicodedata.normalize("NFKC", char).translate(_ALIKE).casefold():
            blank = plain.isspace()
            if blank and (not chars or chars[-1] == " "):
                continue
            chars.append(" " if blank else plain)
            places.append(place)
    return _Folded("".join(chars), tuple(places))


def _order(count: int, hint: int | None) -> list[int]:
    rest = [index for index in range(count) if index != hint]
    return [hint, *rest] if hint is not None and 0 <= hint < count else rest


def _with_full_stop(text: str, end: int) -> int:
    return end + 1 if text[end : end + 1] in (".", "!", "?") and text[end : end + 1] else end


def _nearest(document: Document, wanted: str, order: Iterable[int]) -> Located | None:
    rank = {index: place for place, index in enumerate(order)}
    best: tuple[float, int, Sentence] | None = None
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    for sentence in sentences(document):
        folded = _fold(sentence.text).text.strip(" .")
        matcher.set_seq1(folded)
        if abs(len(folded) - len(wanted)) > 0.25 * len(wanted) or matcher.quick_ratio() < NEAR:
            continue
        ratio = matcher.ratio()
        if ratio >= NEAR and (best is None or (ratio, -rank[sentence.section]) > best[:2]):
            best = (ratio, -rank[sentence.section], sentence)
    if best is None:
        return None
    found = best[2]
    return Located(quote_at(document, found.section, found.start, found.end, snapped=True), False)
