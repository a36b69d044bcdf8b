"""Reading order: columns one after the other, whatever the file draws first, floats where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from paperlora.literature.pdf_blocks import Block

ACROSS_COST = 0.2
"""A cut must win this share of the height of the blocks that it runs through."""


def in_reading_order(blocks: Sequence[Block]) -> Iterator[Block]:
    """Reading order: cut between columns where there is a cut; blocks over the cut separate what is above and below."""
    if len(blocks) < 2:
        yield from blocks
        return
    cut = _best_cut(blocks)
    if cut is None:
        yield from sorted(blocks, key=lambda b: (round(b.y0 / 3), b.x0))
        return
    across = sorted((b for b in blocks if b.x0 < cut < b.x1), key=lambda b: b.y0)
    rest = [b for b in blocks if not b.x0 < cut < b.x1]
    for separator in [*across, None]:
        above = [b for b in rest if separator is None or (b.y0 + b.y1) / 2 < (separator.y0 + separator.y1) / 2]
        yield from in_reading_order([b for b in above if b.x1 <= cut])
        yield from in_reading_order([b for b in above if b.x0 >= cut])
        rest = [b for b in rest if b not in above] if separator is not None else []
        if separator is not None:
            yield separator


def _best_cut(blocks: Sequence[Block]) -> float | None:
    """The x that least text runs across, among those with text side by side left and right of it."""
    best, best_gain = None, 1.0
    for x in _edges(blocks):
        left = [b for b in blocks if b.x1 <= x]
        right = [b for b in blocks if b.x0 >= x]
        if not left or not right:
            continue
        across = sum(b.y1 - b.y0 for b in blocks if b.x0 < x < b.x1)
        if min(_height(left), _height(right)) - ACROSS_COST * across <= best_gain:
            continue
        gain = _side_by_side(left, right) - ACROSS_COST * across
        if gain > best_gain:
            best, best_gain = x, gain + 1.0
    return best


def _edges(blocks: Sequence[Block]) -> list[float]:
    """Just left of every left edge, edges closer than a letter's width taken together."""
    edges: list[float] = []
    for x in sorted(b.x0 - 1.0 for b in blocks):
        if not edges or x - edges[-1] > 4.0:
            edges.append(x)
    return edges


def _height(blocks: Sequence[Block]) -> float:
    return max((b.y1 for b in blocks), default=0.0) - min((b.y0 for b in blocks), default=0.0)


def _side_by_side(left: Sequence[Block], right: Sequence[Block]) -> float:
    """Height over which text stands on both sides."""
    others = _union(sorted((b.y0, b.y1) for b in right))
    shared = 0.0
    for y0, y1 in _union(sorted((b.y0, b.y1) for b in left)):
        for start, end in others:
            if start < y1 and end > y0:
                shared += min(y1, end) - max(y0, start)
    return shared


def _union(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for y0, y1 in spans:
        if merged and y0 <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], y1))
        else:
            merged.append((y0, y1))
    return merged
