"""From lines to rows and blocks.

A *row* is what a reader sees as one line of a column; a *block* is a run of rows of one kind without a gap.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from paperlora.literature.pdf_lines import Line, Span

CELL_GAP = 1.0
"""In units of the font size: a wider gap on one baseline separates columns or table cells."""
NUMBER_GAP = 3.0
"""The same between a section number and its heading."""
STRAY_GAP = 0.3
"""The same between lines that the file doesn't draw one after the other."""
ROW_OVERLAP = 0.5
BLOCK_LEADING = 1.75
"""In units of the font size: baselines farther apart end a block, unless the page is set wider."""
WIDER = 1.35
"""Baselines that are farther apart than the two before them by this factor end a block."""
PROSE_SPAN = 30
"""Characters in one style that are no formula, without a closer look."""
DISPLAY_SHARE = 0.3
LEAST_GUTTER = 6.0
_NUMBERED = re.compile(r"(?:\d{1,2}|[A-Z])(?:\.\d{1,2})*\.?(?:\s|$)")
_NUMBER = re.compile(r"(?:\d{1,2}|[A-Z])(?:\.\d{1,2})*\.?|[IVX]{1,5}\.?")
"""Of a section, alone."""
_OPERATOR = re.compile(r"[=+−×÷∑∏∫√≤≥≈∼∈∀∃∇∂∞→←∝⊤⊙{}()|^/<>\ufffd]")
_LONG_WORD = re.compile(r"[A-Za-z]{4,}")
_CAPTION = re.compile(r"(?:Figure|Fig\.|Table|Tab\.|Algorithm|FIGURE|TABLE) ?(?:\d+|[IVX]+)[.:]")
GUTTER_COVER = 0.12
"""Share of the rows beside a gutter that may run across it."""


@dataclass(slots=True, eq=False)
class Row:
    """Lines on one baseline without a wide gap between them."""

    x0: float
    y0: float
    x1: float
    y1: float
    baseline: float
    size: float
    spans: tuple[Span, ...]
    bold: bool
    """Every character is."""
    mono: bool
    """In a typewriter font."""
    display: bool
    """Mathematics with hardly a word."""
    first: int = 0
    """Place of its first line in the file's order of drawing."""
    last: int = 0
    _plain: str = ""

    @classmethod
    def of(cls, line: Line) -> Row:
        """A row of one line."""
        return cls(
            line.x0,
            line.y0,
            line.x1,
            line.y1,
            line.baseline,
            line.size,
            line.spans,
            _all_bold(line.spans),
            _all_mono(line.spans),
            _is_display(line.spans),
            line.order,
            line.order,
        )

    def join(self, other: Row) -> Row:
        """With what stands to its right."""
        main = self if self.x1 - self.x0 >= other.x1 - other.x0 else other
        spans = self.spans + other.spans
        return Row(
            min(self.x0, other.x0),
            min(self.y0, other.y0),
            max(self.x1, other.x1),
            max(self.y1, other.y1),
            main.baseline,
            main.size,
            spans,
            self.bold and other.bold,
            self.mono and other.mono,
            (self.display or other.display) and _is_display(spans),
            min(self.first, other.first),
            max(self.last, other.last),
        )

    @property
    def plain(self) -> str:
        """The characters, for looking at; the text proper is made in pdf_text."""
        if self._plain:
            return self._plain
        if len(self.spans) == 1:
            self._plain = self.spans[0].text.strip()
            return self._plain
        parts = [self.spans[0].text]
        for left, right in pairwise(self.spans):
            gap = right.x0 - left.x1 > 0.15 * right.size and not parts[-1].endswith(" ")
            parts.append(" " * gap + right.text)
        self._plain = "".join(parts).strip()
        return self._plain


@dataclass(slots=True, eq=False)
class Block:
    """Rows of one style under one another."""

    rows: list[Row]
    page: int
    x0: float = 0.0
    y0: float = 0.0
    x1: float = 0.0
    y1: float = 0.0
    size: float = 0.0
    role: str = "body"
    """What it is; see pdf_roles."""
    text: str = field(default="")
    """Rows joined by a line break, unmended."""

    def measure(self) -> Block:
        """Set extents, size and text from the rows."""
        self.x0 = min(row.x0 for row in self.rows)
        self.y0 = min(row.y0 for row in self.rows)
        self.x1 = max(row.x1 for row in self.rows)
        self.y1 = max(row.y1 for row in self.rows)
        self.size = max(self.rows, key=lambda row: row.x1 - row.x0).size
        self.text = "\n".join(row.plain for row in self.rows)
        return self

    @property
    def bold(self) -> bool:
        """Every row is."""
        return all(row.bold for row in self.rows)


def _all_bold(spans: Sequence[Span]) -> bool:
    if len(spans) == 1:
        return spans[0].bold
    inked = [span for span in spans if span.text.strip() and not span.superscript]
    return bool(inked) and all(span.bold for span in inked)


def _all_mono(spans: Sequence[Span]) -> bool:
    if not spans[0].mono and spans[0].text.strip():
        return False
    return all(span.mono for span in spans if span.text.strip())


def _is_display(spans: Sequence[Span]) -> bool:
    if len(spans[0].text) > PROSE_SPAN and not spans[0].math:
        return False
    words = sum(len(_LONG_WORD.findall(span.text)) for span in spans if not span.math)
    return words <= 2 and symbolic_share(spans) > DISPLAY_SHARE


def symbolic_share(spans: Iterable[Span]) -> float:
    """Share of characters that mathematics is written with: its fonts, operators, brackets, single slanted letters."""
    total = symbols = 0
    for span in spans:
        dense = "".join(span.text.split())
        total += len(dense)
        variable = span.italic and len(dense) <= 2
        symbols += len(dense) if span.math or variable else len(_OPERATOR.findall(dense))
    return symbols / total if total else 0.0


def page_blocks(lines: Sequence[Line], page: int, width: float) -> list[Block]:
    """Blocks of a page, in no order.

    Args:
        lines: the page's visible horizontal lines without running heads.
        width: of the page.
    """
    gutters = find_gutters(lines, width)
    rows = _rows(lines, gutters)
    return _absorb([Block(group, page).measure() for group in _group(rows)])


def find_gutters(lines: Sequence[Line], width: float) -> list[float]:
    """Middle x of every empty vertical stripe between two columns of text."""
    cover = [0] * (int(width) + 2)
    wide = [line for line in lines if line.x1 - line.x0 > 0.15 * width]
    for line in wide:
        cover[max(int(line.x0), 0)] += 1
        cover[min(max(int(line.x1), 0), int(width)) + 1] -= 1
    total = 0
    for x, change in enumerate(cover):
        total += change
        cover[x] = total
    peak = max(cover, default=0)
    return [x for x in _stripes(cover, GUTTER_COVER * peak) if _between_columns(x, wide)] if peak >= 4 else []


def _stripes(cover: Sequence[int], limit: float) -> Iterator[float]:
    start = None
    for x, count in enumerate(cover):
        if count <= limit:
            start = x if start is None else start
        elif start is not None:
            if start > 0 and x - start >= LEAST_GUTTER:
                yield (start + x) / 2
            start = None


def _between_columns(x: float, lines: Sequence[Line]) -> bool:
    left = [line for line in lines if line.x1 <= x]
    right = [line for line in lines if line.x0 >= x]
    if len(left) < 4 or len(right) < 4:
        return False
    shared = min(max(line.y1 for line in left), max(line.y1 for line in right)) - max(
        min(line.y0 for line in left), min(line.y0 for line in right)
    )
    return shared > 40.0


def _rows(lines: Sequence[Line], gutters: Sequence[float]) -> list[Row]:
    """Lines on one baseline joined, except over a wide gap or a gutter."""
    open_rows: list[Row] = []
    done: list[Row] = []
    for line in sorted(lines, key=lambda line: (line.y0 + line.y1) / 2):
        limit = (line.y0 + line.y1) / 2 - 2
        still: list[Row] = []
        for other in open_rows:
            (still if other.y1 >= limit else done).append(other)
        row = Row.of(line)
        open_rows = still
        if still:
            row = _join_all(row, still, gutters)
        open_rows.append(row)
    rows = done + open_rows
    for row in rows:
        if len(row.spans) > 1:
            row.spans = tuple(sorted(row.spans, key=lambda span: span.x0))
            row._plain = ""
    return sorted(rows, key=lambda row: (row.y0 + row.y1) / 2)


def _join_all(row: Row, open_rows: list[Row], gutters: Sequence[float]) -> Row:
    joined = True
    while joined:
        joined = False
        for other in open_rows:
            if row.y0 < other.y1 and other.y0 < row.y1 and _on_one_baseline(row, other) and _close(row, other, gutters):
                open_rows.remove(other)
                row = other.join(row) if other.x0 <= row.x0 else row.join(other)
                joined = True
                break
    return row


def _on_one_baseline(first: Row, second: Row) -> bool:
    shared = min(first.y1, second.y1) - max(first.y0, second.y0)
    return shared > ROW_OVERLAP * min(first.y1 - first.y0, second.y1 - second.y0)


def _close(first: Row, second: Row, gutters: Sequence[float]) -> bool:
    left, right = (first, second) if first.x0 <= second.x0 else (second, first)
    gap = right.x0 - left.x1
    if gap < -2.0 and min(left.x1, right.x1) - right.x0 > 0.5 * min(left.x1 - left.x0, right.x1 - right.x0):
        # One over the other (numerator and denominator): two rows of a formula, unless a small index.
        return abs((first.y0 + first.y1) - (second.y0 + second.y1)) < 0.5 * max(first.size, second.size)
    size = max(left.size, right.size)
    if any(left.x1 <= gutter + 1 and right.x0 >= gutter - 1 for gutter in gutters):
        return False
    if first.first - second.last > 2 or second.first - first.last > 2:
        return gap < STRAY_GAP * size  # drawn at another time: text and the figure it flows around
    return gap < (NUMBER_GAP if _opens(left, right) else CELL_GAP) * size


def _opens(left: Row, right: Row) -> bool:
    """A section number before its heading, or a bold head before its paragraph."""
    if _is_number(left):
        return (left.bold and right.bold) or right.plain.isupper()
    return left.spans[-1].bold and not right.bold and left.plain.endswith((".", ":"))


def _is_number(row: Row) -> bool:
    return _NUMBER.fullmatch(row.plain) is not None


def _group(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows under one another without a gap or a change of style; rows come sorted by height."""
    leading = max(BLOCK_LEADING, 1.25 * _usual_leading(rows))
    groups: list[list[Row]] = []
    open_groups: list[list[Row]] = []
    for row in rows:
        baseline, least, most = row.baseline, 0.5 * row.size, leading * row.size
        open_groups = [group for group in open_groups if baseline - group[-1].baseline < 2 * most]
        near = [g for g in open_groups if least < baseline - g[-1].baseline < most and _follows(g, row)]
        if near:
            best = near[0] if len(near) == 1 else max(near, key=lambda g: (_shared_width(g[-1], row), g[-1].y1))
            best.append(row)
        else:
            groups.append([row])
            open_groups.append(groups[-1])
    return groups


def _usual_leading(rows: Sequence[Row]) -> float:
    """Most frequent distance of two baselines in long rows, in units of the font size."""
    long = [row for row in rows if len(row.spans[0].text) + len(row.spans[-1].text) > 30]
    steps = Counter(
        round((b.baseline - a.baseline) / b.size, 1) for a, b in pairwise(long) if b.baseline - a.baseline > 2
    )
    return steps.most_common(1)[0][0] if steps and steps.most_common(1)[0][0] < 2.6 else 1.2


def _follows(group: Sequence[Row], row: Row) -> bool:
    last = group[-1]
    step = row.baseline - last.baseline
    if row.bold != last.bold or row.mono != last.mono:
        return False
    if len(group) > 1 and step > WIDER * (last.baseline - group[-2].baseline) and step > 1.45 * row.size:
        return False
    if abs(row.size - last.size) > 0.12 * last.size or _shared_width(last, row) < 0.3 * min(
        last.x1 - last.x0, row.x1 - row.x0
    ):
        return False
    if row.bold and _NUMBERED.match(row.spans[0].text):
        return False
    left, right = min([r.x0 for r in group]), max([r.x1 for r in group])
    if _CAPTION.match(row.spans[0].text) and last.x1 < max(right, row.x1) - 2 * row.size:
        return False
    if len(group) > 1 and _CAPTION.match(group[0].spans[0].text) and step > 1.2 * (last.baseline - group[-2].baseline):
        return False  # a table right below its caption
    if row.display != last.display:
        inset = row if row.display else last
        wider = right - left if row.display else row.x1 - row.x0
        if inset.x0 - min(left, row.x0) > 1.5 * row.size and inset.x1 - inset.x0 < 0.9 * wider:
            return False
    if len(group) >= 3 and row.x1 - right > 0.15 * (right - left):
        return False  # the text widens again below a figure that it flowed around
    return not (len(group) >= 3 and left - row.x0 > 0.15 * (right - left))


def _shared_width(first: Row, second: Row) -> float:
    return min(first.x1, second.x1) - max(first.x0, second.x0)


def _absorb(blocks: list[Block]) -> list[Block]:
    """A block inside another one is a piece of it that a wide gap had cut off."""
    kept: list[Block] = []
    for block in sorted(blocks, key=lambda b: (b.x0 - b.x1) * (b.y1 - b.y0)):
        home = next((big for big in kept if len(big.rows) > 1 and _inside(block, big)), None)
        if home is None:
            kept.append(block)
        else:
            home.rows = _merge_rows(home.rows, block.rows)
            home.measure()
    return kept


def _inside(small: Block, big: Block) -> bool:
    return big.x0 - 1 <= small.x0 and small.x1 <= big.x1 + 1 and big.y0 - 1 <= small.y0 and small.y1 <= big.y1 + 1


def _merge_rows(rows: list[Row], extra: list[Row]) -> list[Row]:
    for row in extra:
        twin = next((n for n, other in enumerate(rows) if _on_one_baseline(other, row)), None)
        if twin is None:
            rows.append(row)
            continue
        joined = rows[twin].join(row)
        joined.spans = tuple(sorted(joined.spans, key=lambda span: span.x0))
        joined._plain = ""
        rows[twin] = joined
    return sorted(rows, key=lambda row: (row.y0 + row.y1) / 2)
