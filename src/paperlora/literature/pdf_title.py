"""The title: the largest words at the top of the first page, checked against the file's metadata."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from itertools import pairwise

from paperlora.literature.pdf_blocks import Row
from paperlora.literature.pdf_lines import Box, Line, Page
from paperlora.literature.pdf_style import letters_share
from paperlora.literature.pdf_text import row_text, spell_rows

SAME_SIZE = 0.04
SUBTITLE_SIZE = 0.75
"""A subtitle is at least this share of the title's size."""
TOP = 0.6
"""Share of the first page in which a title may stand."""
_MARK = re.compile(r"[*∗†‡§¶⋆]+$")
_BANNER = re.compile(
    r"(?:published (?:as|in)|under review|preprint|proceedings of|accepted (?:at|to|as)|workshop|journal of|transactions on"
    r"|arxiv|technical report|draft|to appear|research article|original article|article|review)\b",
    re.I,
)


def find_title(page: Page, lines: Sequence[Line], metadata: str, body_size: float) -> tuple[str, list[Line]]:
    """Title and the lines it stands on; the file's metadata where the page shows none.

    Args:
        page: the first.
        lines: its visible lines without running heads.
        metadata: title of the file's metadata, often empty or a file name.
        body_size: points, of the body text.
    """
    groups = _groups([line for line in lines if line.y1 < TOP * page.height])
    groups = [group for group in groups if _may_be_title(group, body_size)]
    if not groups:
        return metadata.strip(), []
    largest = max(_size(group) for group in groups)
    best = max(groups, key=lambda group: _score(group, groups.index(group), largest, metadata))
    found = best + _framed_rest(page, best, lines) or best
    if found == best:
        found = best + _subtitle(best, lines, body_size)
    text = _spell(found)
    if metadata and metadata.strip().casefold() == text.casefold():
        text = metadata.strip() if not metadata.isupper() else text
    return text, found


def _rows(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines by baseline, each from left to right."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.baseline):
        if rows and abs(line.baseline - rows[-1][-1].baseline) < 0.3 * line.size:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.x0) for row in rows]


def _groups(lines: Sequence[Line]) -> list[list[Line]]:
    """Rows of one size under one another."""
    groups: list[list[Line]] = []
    for row in _rows(lines):
        last = groups[-1] if groups else None
        if (
            last
            and abs(_size(last) - _size(row)) < SAME_SIZE * _size(row)
            and row[0].y0 - last[-1].y1 < 0.9 * _size(row)
        ):
            last.extend(row)
        else:
            groups.append(list(row))
    return groups


def _size(lines: Sequence[Line]) -> float:
    # Small capitals: the capital letter's size counts, not the smaller rest.
    return max(span.size for line in lines for span in line.spans if span.text.strip())


def _may_be_title(lines: Sequence[Line], body_size: float) -> bool:
    text = " ".join(line.text for line in lines)
    if len(text) < 3 or letters_share(text) < 0.5 or len(text) > 350 or "@" in text:
        return False
    return _size(lines) > 1.08 * body_size or all(
        span.bold for line in lines for span in line.spans if span.text.strip()
    )


def _score(lines: Sequence[Line], place: int, largest: float, metadata: str) -> float:
    text = " ".join(" ".join(line.text for line in lines).split())
    words = len(text.split())
    score = _size(lines) / largest + 0.3 * min(words, 4) / 4 + 0.2 / (1 + place)
    if _BANNER.match(text):
        score -= 0.5
    if len(metadata) > 8 and difflib.SequenceMatcher(None, metadata.casefold(), text.casefold()).ratio() > 0.7:
        score += 0.5
    return score


def _framed_rest(page: Page, title: Sequence[Line], lines: Sequence[Line]) -> list[Line]:
    """What stands with the title between two rules over the text's width, as conferences set it."""
    top, bottom = min(line.y0 for line in title), max(line.y1 for line in title)
    wide = [rule for rule in page.rules if rule.x1 - rule.x0 > 0.5 * page.width]
    above = [rule for rule in wide if 0 < top - rule.y0 < 60]
    below: list[Box] = sorted((rule for rule in wide if 0 < rule.y0 - bottom < 80), key=lambda rule: rule.y0)
    if not above or not below or abs(above[-1].x0 - below[0].x0) > 12:
        return []
    return [line for line in lines if line not in title and top - 2 < line.y0 and line.y1 < below[0].y0 + 2]


def _subtitle(title: Sequence[Line], lines: Sequence[Line], body_size: float) -> list[Line]:
    """A line right below in the same weight, a little smaller, that is no list of authors."""
    bottom, size = max(line.y1 for line in title), _size(title)
    bold = all(span.bold for line in title for span in line.spans if span.text.strip())
    rows = [row for row in _rows(lines) if row[0].y0 >= bottom - 2]
    if not rows or len(rows[0]) > 1:
        return []
    line = rows[0][0]
    words = line.text.split()
    fits = SUBTITLE_SIZE * size <= line.size and line.size > 1.15 * body_size and line.y0 - bottom < 0.6 * line.size
    same = bold == all(span.bold for span in line.spans if span.text.strip())
    plain = not any(span.superscript for span in line.spans) and "," not in line.text and "@" not in line.text
    return [line] if fits and same and plain and len(words) >= 3 else []


def _spell(lines: Sequence[Line]) -> str:
    rows = []
    for row in _rows(lines):
        joined = Row.of(row[0])
        for line in row[1:]:
            joined = joined.join(Row.of(line))
        rows.append(joined)
    return _MARK.sub("", _without_echo(" ".join(spell_rows([row_text(row) for row in rows], {}).split()))).strip()


def _without_echo(text: str) -> str:
    # Some producers draw every title twice for a bolder look.
    words = text.split()
    half = len(words) // 2
    doubled = len(words) % 2 == 0 and half > 1 and all(a == b for a, b in zip(words[:half], words[half:], strict=True))
    twice = len(words) % 2 == 0 and half > 1 and all(a == b for a, b in list(pairwise(words))[::2])
    return " ".join(words[:half] if doubled else words[::2] if twice else words)
