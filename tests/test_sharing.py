"""Texts laid into trees: nothing is lost, nothing that is worth sharing stands twice."""

from __future__ import annotations

import random

import pytest

from paperlora.model.sharing import LEAST_SAVED, Forest, Text, forest


def read_back(found: Forest, texts: list[Text]) -> list[Text]:
    """Every text again, block by block."""
    again = []
    for end in found.ends:
        ids: tuple[int, ...] = ()
        at: int | None = end
        while at is not None:
            ids, at = found.blocks[at].ids + ids, found.blocks[at].parent
        again.append((found.blocks[end].slot, ids))
    return again


def tokens(found: Forest) -> int:
    return sum(len(block.ids) for block in found.blocks)


def drawn(seed: int) -> list[Text]:
    """Texts that begin alike, end alike, hold one another, or stand there twice, in two slots."""
    draw = random.Random(seed)
    stems = [tuple(draw.choices(range(4), k=draw.randrange(1, 12))) for _ in range(4)]
    found = [(draw.randrange(2), draw.choice(stems) + tuple(draw.choices(range(3), k=draw.randrange(5)))) for _ in range(24)]
    return [*found, (0, stems[0]), (1, stems[0]), found[0]]


@pytest.mark.parametrize("seed", range(40))
def test_every_text_is_read_back_from_its_blocks(seed: int) -> None:
    texts = drawn(seed)
    found = forest(texts)
    assert read_back(found, texts) == texts
    assert all(block.ids for block in found.blocks)
    assert all(block.parent is None or (block.parent < n and found.blocks[block.parent].slot == block.slot) for n, block in enumerate(found.blocks))
    assert tokens(found) <= sum(len(ids) for _, ids in set(texts))


@pytest.mark.parametrize("seed", range(20))
def test_order_of_the_texts_changes_no_tree(seed: int) -> None:
    texts = drawn(seed)
    order = list(range(len(texts)))
    random.Random(seed).shuffle(order)
    one, other = forest(texts), forest([texts[index] for index in order])
    assert one.blocks == other.blocks and [one.ends[index] for index in order] == list(other.ends)


def test_groups_share_what_they_have_in_common_beside_a_stranger() -> None:
    """One prompt with another beginning must not take the shared one from all others."""
    system, other = tuple(range(100, 130)), tuple(range(200, 210))
    texts = [(0, (*system, *passage, question)) for passage in ((1,) * 20, (2,) * 20) for question in range(3)] + [(0, other)]
    found = forest(texts)
    assert tokens(found) == 30 + 2 * 20 + 2 * 3 + 10


def test_what_saves_too_little_is_no_block_of_its_own_but_hides_nothing_below() -> None:
    deep = tuple(range(50, 70))
    texts = [(0, (7, 1)), (0, (7, *deep, 2)), (0, (7, *deep, 3))]
    found = forest(texts)
    assert (len(texts) - 1) * 1 < LEAST_SAVED
    assert [len(block.ids) for block in found.blocks] == [2, 21, 1, 1] and read_back(found, texts) == texts


def test_slots_share_nothing() -> None:
    found = forest([(slot, tuple(range(20))) for slot in (1, 0, 1)])
    assert len(found.blocks) == 2 and [found.blocks[end].slot for end in found.ends] == [1, 0, 1]
