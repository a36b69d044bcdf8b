"""Rows become paragraphs: spaces, hyphens, footnote marks and exponents mended, page starts remembered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from paperlora.literature.pdf_blocks import Block, Row
from paperlora.literature.pdf_lines import Span

SPACE = 0.15
"""In units of the font size: a wider gap is a space."""
INDENT = 0.7
"""In units of the font size."""
SOFT_HYPHEN = "\u00ad"
_WORD = re.compile(r"[^\W\d_]+(?:[-‐][^\W\d_]+)*")
_HYPHENS = ("-", "‐", "\u00ad")
_TAIL = re.compile(r"\S+$")
_BROKEN = re.compile(r"([^\W_]+(?:[-‐][^\W_]+)*)[-‐\u00ad]$")
_START = re.compile(r"[^\W_]+")
_MARK = re.compile(r"[\d*∗†‡§¶,⋆]+")
_POWER = re.compile(r"(?:^|[^\d.])(?:10|2|e)$")
_VARIABLE = re.compile(r"(?:^|[^A-Za-z])[A-Za-z]$")
_EXPONENT = re.compile(r"[-−+]?\d{1,3}")
_ENDS_SENTENCE = re.compile(r"[.!?:][\"”’')\]]*$")
_BULLET = re.compile(r"(?:[•◦▪‣∙·●○■–—*]\s|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)]\s)")
_GROWN_TOGETHER = {
    "after",
    "any",
    "back",
    "down",
    "every",
    "fore",
    "how",
    "inter",
    "mid",
    "off",
    "out",
    "over",
    "some",
    "sub",
    "super",
    "there",
    "under",
    "up",
    "what",
    "when",
    "where",
    "with",
}
"""Words that make one word with what follows: ``under-|stand``."""
_COMPOUND_ENDS = {
    "adapted",
    "adaptive",
    "agnostic",
    "aligned",
    "art",
    "augmented",
    "aware",
    "based",
    "centric",
    "class",
    "dependent",
    "depth",
    "dimensional",
    "domain",
    "driven",
    "efficient",
    "end",
    "enhanced",
    "fine",
    "free",
    "generated",
    "grained",
    "guided",
    "independent",
    "intensive",
    "invariant",
    "labeled",
    "labelled",
    "layer",
    "length",
    "level",
    "like",
    "modal",
    "only",
    "order",
    "oriented",
    "purpose",
    "quality",
    "scale",
    "sensitive",
    "shot",
    "source",
    "specific",
    "step",
    "supervised",
    "term",
    "token",
    "trained",
    "truth",
    "tuned",
    "tuning",
    "turn",
    "wise",
    "world",
}
"""Ends of compounds in papers: ``retrieval-|augmented`` keeps its hyphen even if the paper has it only once."""
_SPACE_BEFORE = re.compile(r"\s+([,;!?)\]}](?!\s*=)|[.:](?=\s|$))")


class Piece(NamedTuple):
    """A paragraph's part on one page."""

    text: str
    page: int
    starts: bool
    """A new paragraph begins here."""


class Paragraphs(NamedTuple):
    """Text of a section and where its pages begin."""

    text: str
    page_starts: tuple[tuple[int, int], ...]
    """Page, offset."""


def row_text(row: Row) -> str:
    """Characters of a row with its spaces; footnote marks dropped, exponents as ``10^-4``."""
    if len(row.spans) == 1:
        return " ".join(row.spans[0].text.split())
    text, last = "", row.spans[0]
    line = max(row.spans, key=lambda span: len(span.text) * span.size).baseline
    for raised, group in groupby(row.spans, key=lambda span: _is_raised(span, line, row.size)):
        spans = list(group)
        if raised and text:
            text += _raised("".join(span.text for span in spans), text, last)
        else:
            for span in spans:
                text += (" " if text and _spaced(last, span, text) else "") + span.text
                last = span
        last = last._replace(x1=max(last.x1, spans[-1].x1))
    return " ".join(text.split())


def _is_raised(span: Span, line: float, size: float) -> bool:
    return span.size < 0.85 * size and span.baseline < line - 0.2 * size and bool(span.text.strip())


def _raised(text: str, before: str, last: Span) -> str:
    mark, after = "".join(text.split()), " " if text.endswith(" ") else ""
    symbol = last.math or (last.italic and _VARIABLE.search(before)) or before.endswith(")")
    attached = _POWER.search(before) or (symbol and not before.endswith(" "))
    if attached and _EXPONENT.fullmatch(mark):
        return "^" + mark.replace("−", "-") + after
    return after if _MARK.fullmatch(mark) else text


def _spaced(last: Span, span: Span, before: str) -> bool:
    if before.endswith(" ") or span.text.startswith(" ") or _small_capitals(last, span, before):
        return False
    return span.x0 - last.x1 > SPACE * max(span.size, last.size)


def _small_capitals(last: Span, span: Span, before: str) -> bool:
    """``T`` large and ``ITLE`` small belong together."""
    first = before[-2:].strip()
    upper = span.text.strip().split(" ")[0]
    return (
        len(first) == 1
        and first.isupper()
        and upper.isupper()
        and 0.6 < span.size / last.size < 0.9
        and not span.superscript
        and span.x0 - last.x1 < 0.1 * last.size
        and not span.text.startswith(" ")
    )


def count_words(blocks: Iterable[Block]) -> Counter[str]:
    """Whole words, compounds and their parts in lower case; parts cut by a line's end are left out."""
    text = "\n".join(block.text for block in blocks).casefold()
    words = Counter(_WORD.findall("\n".join(_whole_words(text.split("\n")))))
    for compound, count in [item for item in words.items() if "-" in item[0]]:
        for part in compound.split("-"):
            words[part] += count
    return words


def _whole_words(rows: Sequence[str]) -> Iterator[str]:
    """Rows without the word that the end of a row cuts."""
    cut = False
    for row in rows:
        whole = _START.sub("", row, count=1) if cut and row[:1].isalpha() else row
        cut = row[-1:] in _HYPHENS
        yield _TAIL.sub("", whole) if cut else whole


def spell_rows(rows: Sequence[str], words: Mapping[str, int]) -> str:
    """Rows as running text, words cut at the line's end made whole."""
    text = ""
    for row in rows:
        text = join(text, row, words)
    return text


def join(text: str, row: str, words: Mapping[str, int]) -> str:
    """``text`` and the row that follows it."""
    if not text or not row:
        return text or row
    if text[-1] in "-‐\u00ad":
        broken, start = _BROKEN.search(text[-60:]), _START.match(row)
        if broken and start:
            return _mend(text, row, broken[1], start[0], words)
    if text.endswith((SOFT_HYPHEN, "\u2014", "/")) and len(text) > 1 and not text[-2].isspace():
        return text.rstrip(SOFT_HYPHEN) + row
    return f"{text} {row}"


def _mend(text: str, row: str, head: str, tail: str, words: Mapping[str, int]) -> str:
    if text.endswith(SOFT_HYPHEN):
        return text[:-1] + row
    left, right = head.casefold(), tail.casefold()
    last = re.split("[-‐]", left)[-1]
    compound, whole = words.get(f"{left}-{right}", 0), words.get(left + right, 0)
    if not tail[0].islower() or head[-1].isdigit():
        keep = whole <= compound
    elif compound or whole:
        keep = compound > whole
    else:
        # Unseen elsewhere: two words that the paper uses by themselves make a compound, a torn word has no such halves.
        known = len(last) > 2 and len(right) > 2 and _is_word(last, words) and _is_word(right, words)
        keep = last not in _GROWN_TOGETHER and (known or (len(last) > 3 and right in _COMPOUND_ENDS))
    return (text if keep else text[:-1]) + row


def _is_word(part: str, words: Mapping[str, int]) -> bool:
    return bool(words.get(part) or words.get(f"{part}s"))


def paragraphs_of(block: Block, run_in: bool = True) -> Iterator[tuple[bool, list[str]]]:
    """Rows of a block as paragraphs: whether the first may continue the previous block's, and the rows' text."""
    rows = [row_text(row) for row in block.rows]
    left = _usual_left(block.rows)
    current: list[str] = []
    opens = _indented(block.rows[0], left)
    for number, (row, text) in enumerate(zip(block.rows, rows, strict=True)):
        if current and _begins_paragraph(block, number, left, rows[number - 1], text):
            yield opens, current
            current, opens = [], True
        head = _run_in_head(row) if run_in and not current else 0
        if head:
            yield True, [row_text(_part(row, 0, head))]
            text, opens = row_text(_part(row, head, len(row.spans))), True
        if text:
            current.append(text)
    if current:
        yield opens, current


def _part(row: Row, start: int, end: int) -> Row:
    return replace(row, spans=row.spans[start:end], _plain="")


def _usual_left(rows: Sequence[Row]) -> float:
    return Counter(round(row.x0) for row in rows).most_common(1)[0][0] if len(rows) > 2 else min(row.x0 for row in rows)


def _indented(row: Row, left: float) -> bool:
    return row.x0 - left > INDENT * row.size


def _begins_paragraph(block: Block, number: int, left: float, before: str, text: str) -> bool:
    row, last = block.rows[number], block.rows[number - 1]
    if _BULLET.match(text) and (
        _ENDS_SENTENCE.search(before) or last.x1 < block.x1 - 2 * row.size or row.x0 < left - 2
    ):
        return True
    shift = row.x0 - left
    if INDENT * row.size < shift < 5 * row.size and not _indented(last, left) and not _BULLET.match(before):
        return True
    hanging = shift < -INDENT * row.size
    short = last.x1 < block.x1 - 3 * row.size
    gap = row.baseline - last.baseline > 1.5 * row.size and _ENDS_SENTENCE.search(before) is not None
    return hanging or gap or (short and _ENDS_SENTENCE.search(before) is not None and text[:1].isupper())


def _run_in_head(row: Row) -> int:
    """Spans of a bold head that runs into its paragraph without a full stop; 0 where there is none."""
    if row.bold or not row.spans[0].bold:
        return 0
    end = next((n for n, span in enumerate(row.spans) if not span.bold and span.text.strip()), 0)
    if not end:
        return 0
    head = "".join(span.text for span in row.spans[:end]).strip()
    gap = (
        row.spans[end].x0
        - row.spans[end - 1].x1
        + (len(row.spans[end - 1].text) - len(row.spans[end - 1].text.rstrip())) * 0.25 * row.size
    )
    return end if gap > 0.8 * row.size and not _ENDS_SENTENCE.search(head) and len(head) > 3 else 0


def assemble(pieces: Iterable[Piece], words: Mapping[str, int]) -> Paragraphs:
    """Pieces in reading order as one text, paragraphs parted by a blank line."""
    done = current = ""
    starts: list[tuple[int, int]] = []
    for piece in pieces:
        text = _SPACE_BEFORE.sub(r"\1", piece.text)
        if current and piece.starts and not _runs_on(current, text):
            done += current + "\n\n"
            current = ""
        joined = join(current, text, words)
        if not starts or starts[-1][0] != piece.page:
            starts.append((piece.page, len(done) + len(joined) - len(text)))
        current = joined
    return Paragraphs(done + current, tuple(starts))


def _runs_on(current: str, text: str) -> bool:
    """The previous paragraph's last word is cut, or its sentence goes on in lower case."""
    return current.endswith(("-", "‐", ",")) and text[:1].islower()


def continues(current_end: str, text: str, indented: bool) -> bool:
    """A block goes on with the paragraph of the block before it, in another column or on another page."""
    if not current_end:
        return False
    if text[:1].islower() or current_end.endswith(("-", "‐", ",")):
        return True
    return not indented and _ENDS_SENTENCE.search(current_end) is None and not _BULLET.match(text)
