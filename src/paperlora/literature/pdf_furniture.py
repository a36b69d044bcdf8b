"""Running heads, page numbers and line numbers: what a typesetter puts around the text."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from paperlora.literature.pdf_lines import Line, Page

ZONE = 0.12
"""Share of the page's height, at its top and bottom, where running heads stand."""
CLEAR = 1.9
"""In units of the font size: distance of a running head's baseline from the text's."""
SAME_HEIGHT = 6.0
"""Points."""
_PAGE_NUMBER = re.compile(r"[-–—|· ]*(?:page|p\.)?\s*(?:\d{1,4}|[ivxlc]{1,6})(?:\s*(?:of|/)\s*\d{1,4})?[-–—|· ]*", re.I)
_DIGITS = re.compile(r"\d+")


class Furniture(NamedTuple):
    """Lines of one page by what they are."""

    text: tuple[Line, ...]
    heads: tuple[Line, ...]
    numbers: tuple[Line, ...]
    line_numbers: tuple[Line, ...]


class Key(NamedTuple):
    """What a running head is known by."""

    zone: str
    text: str
    """In lower case, digits as #."""
    size: int
    """A title that is repeated as running head is larger than that."""


def part_furniture(pages: Sequence[Page]) -> list[Furniture]:
    """The lines of every page, parted; needs all pages, since a running head is known by its repetition."""
    repeated = _repeated(pages)
    positions = _head_positions(pages)
    return [_part(page, repeated, positions) for page in pages]


def _zone(page: Page, line: Line) -> str | None:
    middle = (line.y0 + line.y1) / 2
    if middle < ZONE * page.height:
        return "top"
    return "bottom" if middle > (1 - ZONE) * page.height else None


def _key(zone: str, line: Line) -> Key:
    return Key(zone, _DIGITS.sub("#", line.text.strip().casefold()), round(line.size))


def _repeated(pages: Sequence[Page]) -> set[Key]:
    """Zone and text of what stands at one height on several pages."""
    heights: dict[Key, list[tuple[int, float]]] = defaultdict(list)
    for page in pages:
        top, bottom = ZONE * page.height, (1 - ZONE) * page.height
        for line in page.lines:
            zone = _zone(page, line) if line.y0 <= top or line.y1 >= bottom else None
            if zone:
                heights[_key(zone, line)].append((page.number, line.baseline))
    needed = 2 if len(pages) < 8 else 3
    return {key for key, seen in heights.items() if _pages_at_one_height(seen) >= needed and len(key.text) > 3}


def _pages_at_one_height(seen: Sequence[tuple[int, float]]) -> int:
    bins: Counter[int] = Counter()
    for _, places in _by_page(seen).items():
        for slot in {round(y / SAME_HEIGHT) for y in places}:
            bins[slot] += 1
    return max((bins[slot] + bins[slot + 1] for slot in bins), default=0)


def _by_page(seen: Sequence[tuple[int, float]]) -> dict[int, list[float]]:
    pages: dict[int, list[float]] = defaultdict(list)
    for number, y in seen:
        pages[number].append(y)
    return pages


def _head_positions(pages: Sequence[Page]) -> set[int]:
    """Baselines (in steps of 2 points) of a first line that stands clear of the text on most pages: changing heads."""
    slots: Counter[int] = Counter()
    for page in pages[1:]:
        ordered = sorted(page.lines, key=lambda line: line.baseline)
        if not ordered:
            continue
        first = ordered[0]
        below = next((line for line in ordered if line.baseline > first.baseline + 0.5 * first.size), None)
        if below and below.baseline - first.baseline > CLEAR * first.size and _zone(page, first) == "top":
            slots[round(first.baseline / 2)] += 1
    needed = max(3, 0.6 * (len(pages) - 1))
    return {slot for slot in slots if slots[slot] + slots[slot + 1] >= needed}


def _part(page: Page, repeated: set[Key], positions: set[int]) -> Furniture:
    heads: list[Line] = []
    others: list[Line] = []
    top, bottom = ZONE * page.height, (1 - ZONE) * page.height
    for line in page.lines:
        if line.y0 > top and line.y1 < bottom:
            others.append(line)
            continue
        zone = _zone(page, line)
        by_text = zone is not None and _key(zone, line) in repeated and _alone(page, line, zone, repeated)
        by_place = zone == "top" and page.number > 1 and _slot(line) & positions
        (heads if by_text or by_place else others).append(line)
    numbers = _page_numbers(page, others)
    rest = [line for line in others if line not in numbers]
    counted = _line_numbers(rest)
    text = tuple(line for line in rest if line not in counted) if counted else tuple(rest)
    return Furniture(text, tuple(heads), tuple(numbers), tuple(counted))


def _alone(page: Page, line: Line, zone: str, repeated: set[Key]) -> bool:
    """Only furniture on its baseline: the head of a table may recur too."""
    beside = [other for other in page.lines if abs(other.baseline - line.baseline) < 3]
    return all(_key(zone, other) in repeated or _PAGE_NUMBER.fullmatch(other.text.strip()) for other in beside)


def _slot(line: Line) -> set[int]:
    slot = round(line.baseline / 2)
    return {slot, slot - 1, slot + 1}


def _page_numbers(page: Page, lines: Sequence[Line]) -> list[Line]:
    """Lone numbers with nothing of the text beyond them."""
    if not lines:
        return []
    top, bottom = min(line.y1 for line in lines), max(line.y0 for line in lines)
    edge = [line for line in lines if line.y0 <= top or line.y1 >= bottom]
    numbers = [line for line in edge if _zone(page, line) and _PAGE_NUMBER.fullmatch(line.text.strip())]
    return [number for number in numbers if not any(_beside(number, line) for line in edge if line is not number)]


def _beside(number: Line, line: Line) -> bool:
    return min(number.y1, line.y1) - max(number.y0, line.y0) > 0.3 * number.size


def _line_numbers(lines: Sequence[Line]) -> list[Line]:
    """Numbers that count the lines beside the text, as in manuscripts under review."""
    digits = [line for line in lines if line.text.strip().isdecimal() and len(line.text.strip()) <= 4]
    columns: dict[int, list[Line]] = defaultdict(list)
    for line in digits:
        columns[round(line.x1 / 4)].append(line)
    found: list[Line] = []
    for column in columns.values():
        values = [int(line.text) for line in sorted(column, key=lambda line: line.baseline)]
        steps = Counter(b - a for a, b in pairwise(values))
        if len(values) >= 15 and (steps[1] + steps[5]) >= 0.8 * (len(values) - 1):
            found += column
    return found
