"""What texts share, found once: token sequences become a forest of blocks in which no common beginning stands twice.

>>> forest([(0, (1, 2, 3, 4, 5, 6)), (0, (1, 2, 3, 4, 5, 9, 9))])
Forest(blocks=(Block(ids=(1, 2, 3, 4, 5), slot=0, parent=None), Block(ids=(6,), slot=0, parent=0), Block(ids=(9, 9), slot=0, parent=0)), ends=(1, 2))
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from paperlora.model.packing import Block, Packed

LEAST_SAVED = 4
"""Tokens that a shared block must save: each level of the tree costs an attention call a layer."""

Text = tuple[int, tuple[int, ...]]
"""Slot and tokens."""


class Forest(NamedTuple):
    """Texts as trees of blocks, one or more trees a slot."""

    blocks: tuple[Block, ...]
    ends: tuple[int, ...]
    """For each text, in the order given, the block that it ends with."""

    def places(self, packed: Packed) -> list[tuple[int, ...]]:
        """For each text, where all its tokens stand in the packed sequence."""
        return [
            (*packed.contexts[end], *range(packed.starts[end], packed.starts[end] + len(self.blocks[end].ids)))
            for end in self.ends
        ]


def forest(texts: Sequence[Text]) -> Forest:
    """Lay texts into trees.

    Args:
        texts: none of them without tokens; equal ones share everything.
    """
    growing = _Growing(texts)
    order = sorted(range(len(texts)), key=lambda index: texts[index])
    for _, group in itertools.groupby(order, key=lambda index: texts[index][0]):
        growing.grow(list(group), _Start(0, 0, None))
    return Forest(tuple(growing.blocks), tuple(growing.ends[index] for index in range(len(texts))))


class _Start(NamedTuple):
    """Where some texts go on."""

    written: int
    """Tokens of each that stand in blocks already."""
    common: int
    """Tokens that all of them have in common; more than ``written`` where a block for these would save too little."""
    parent: int | None
    """The block that holds the last of the written ones."""


class _Growing:
    def __init__(self, texts: Sequence[Text]) -> None:
        self._texts = texts
        self.blocks: list[Block] = []
        self.ends: dict[int, int] = {}

    def grow(self, group: Sequence[int], start: _Start) -> None:
        """Blocks for texts in sorted order."""
        whole = [index for index in group if len(self._texts[index][1]) == start.common]
        if whole:
            self.ends |= dict.fromkeys(whole, self._end(whole[0], start))
        longer = group[len(whole) :]
        for _, same in itertools.groupby(longer, key=lambda index: self._texts[index][1][start.common]):
            self._branch(list(same), start)

    def _branch(self, group: Sequence[int], start: _Start) -> None:
        """Texts with the same next token."""
        first, last = self._texts[group[0]][1], self._texts[group[-1]][1]
        common = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
        if first == last:
            self.ends |= dict.fromkeys(group, self._add(group[0], start, len(first)))
        elif (len(group) - 1) * (common - start.written) >= LEAST_SAVED:
            self.grow(group, _Start(common, common, self._add(group[0], start, common)))
        else:
            self.grow(group, start._replace(common=common))

    def _end(self, index: int, start: _Start) -> int:
        """The block with the last token that is common so far."""
        if start.parent is not None and start.written == start.common:
            return start.parent
        return self._add(index, start, start.common)

    def _add(self, index: int, start: _Start, end: int) -> int:
        slot, ids = self._texts[index]
        self.blocks.append(Block(ids[start.written : end], slot, start.parent))
        return len(self.blocks) - 1


def shared_prefix(texts: Sequence[tuple[int, ...]]) -> int:
    """Tokens that all texts begin with; at least one token of each text is left over."""
    if not texts:
        return 0
    pairs = zip(min(texts), max(texts), strict=False)
    shared = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    return min(shared, min(map(len, texts)) - 1)
