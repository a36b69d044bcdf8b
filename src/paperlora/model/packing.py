"""Many short texts in one forward pass without a wasted token.

A batch is a tree of blocks. What several rows share (the system prompt that a template writes before every question,
a question with five answers to score) is one block and is computed once; its keys and values serve every row below it.
All blocks lie behind one another in one sequence, so linear layers, norms and the rest see no padding; attention alone
is computed on padded rows. The result is that of separate rows: the same sums, in float32 to rounding.

The model stays Hugging Face's: the tree reaches its attention layers as the keyword ``plan``, through an attention
function registered under :data:`ATTENTION`, which is plain SDPA where there is no plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

ATTENTION = "paperlora"
CALL = 2000
"""Pairs of query and key that may be computed in vain before another attention call a layer is cheaper: such a call costs
about as much as these on a CPU."""


class Attend(Protocol):
    """How the tokens of one forward pass see one another."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """Tokens × heads × width each, key and value with fewer heads where heads share them; result as the query."""
        ...


class Block(NamedTuple):
    """Consecutive tokens that are computed once."""

    ids: tuple[int, ...]
    slot: int
    """Slot of the bank."""
    parent: int | None = None
    """Index of the block that these tokens continue; it stands before this one and has the same slot."""


class Segment(NamedTuple):
    """A stretch of the packed sequence that belongs to one slot."""

    slot: int
    start: int
    end: int


class Level(NamedTuple):
    """Blocks of equal depth in the tree and like length, as padded rows."""

    query: Tensor
    """rows × longest block: places in the packed sequence; padding points at the row's own first token, so that not even
    a NaN of one slot can reach another."""
    key: Tensor
    """rows × (longest context + longest block): likewise."""
    mask: Tensor | None
    """rows × 1 × queries × keys, True where seen; None where plain causal order says it all."""


class Packed(NamedTuple):
    """A tree of blocks, ready for the model."""

    ids: Tensor
    """Tokens, 1 × T."""
    positions: Tensor
    """Place of each token in its own text, 1 × T."""
    starts: tuple[int, ...]
    """Where each block begins in the packed sequence, in the order the blocks were given."""
    segments: tuple[Segment, ...]
    levels: tuple[Level, ...]
    restore: Tensor
    """For each token, its place among the rows of all levels laid behind one another."""
    contexts: tuple[tuple[int, ...], ...]
    """Places of all tokens that each block continues."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """See :class:`Attend`."""
        rows = [_rows(level, query, key, value, scaling) for level in self.levels]
        return torch.cat(rows).index_select(0, self.restore)


def pack(blocks: Sequence[Block], device: torch.device) -> Packed:
    """Lay out a tree of blocks; blocks of one slot lie together."""
    order = sorted(range(len(blocks)), key=lambda index: blocks[index].slot)
    starts, place = [0] * len(blocks), 0
    for index in order:
        starts[index], place = place, place + len(blocks[index].ids)
    contexts: list[tuple[int, ...]] = []
    for block in blocks:
        above = () if block.parent is None else contexts[block.parent] + _places(blocks, starts, block.parent)
        contexts.append(above)
    levels, restore = _levels(blocks, starts, contexts, place, device)
    ids = [token for index in order for token in blocks[index].ids]
    positions = [len(contexts[index]) + offset for index in order for offset in range(len(blocks[index].ids))]
    return Packed(
        torch.tensor([ids], device=device),
        torch.tensor([positions], device=device),
        tuple(starts),
        _segments(blocks, order),
        levels,
        restore,
        tuple(contexts),
    )


def _places(blocks: Sequence[Block], starts: Sequence[int], index: int) -> tuple[int, ...]:
    return tuple(range(starts[index], starts[index] + len(blocks[index].ids)))


def _segments(blocks: Sequence[Block], order: Sequence[int]) -> tuple[Segment, ...]:
    found: list[Segment] = []
    for index in order:
        slot, length = blocks[index].slot, len(blocks[index].ids)
        if found and found[-1].slot == slot:
            found[-1] = found[-1]._replace(end=found[-1].end + length)
        else:
            start = found[-1].end if found else 0
            found.append(Segment(slot, start, start + length))
    return tuple(found)


def _levels(
    blocks: Sequence[Block],
    starts: Sequence[int],
    contexts: Sequence[tuple[int, ...]],
    tokens: int,
    device: torch.device,
) -> tuple[tuple[Level, ...], Tensor]:
    depth: list[int] = []
    for block in blocks:
        depth.append(0 if block.parent is None else depth[block.parent] + 1)
    levels, restore, offset = [], torch.zeros(tokens, dtype=torch.long), 0
    for wanted in range(max(depth) + 1):
        own = [index for index in range(len(blocks)) if depth[index] == wanted]
        for chosen in _alike(own, blocks, contexts):
            level = _level(
                [contexts[index] for index in chosen], [_places(blocks, starts, index) for index in chosen], device
            )
            width = level.query.shape[1]
            for row, index in enumerate(chosen):
                length = len(blocks[index].ids)
                restore[starts[index] : starts[index] + length] = torch.arange(length) + offset + row * width
            offset += len(chosen) * width
            levels.append(level)
    return tuple(levels), restore.to(device)


def _alike(
    chosen: Sequence[int], blocks: Sequence[Block], contexts: Sequence[tuple[int, ...]]
) -> list[list[int]]:
    """Blocks of like length together, so that few places are padding: a long question among short ones would make rows of
    its own length of them all."""
    groups: list[list[int]] = []
    width = before = 0
    for index in sorted(chosen, key=lambda index: (len(blocks[index].ids), len(contexts[index]))):
        own, above = len(blocks[index].ids), len(contexts[index])
        if groups:
            now, grown = len(groups[-1]) * width * (before + width), max(before, above)
            together, apart = (len(groups[-1]) + 1) * own * (grown + own), now + own * (above + own)
            if together <= apart + CALL:
                groups[-1].append(index)
                width, before = own, grown
                continue
        groups.append([index])
        width, before = own, above
    return groups


def _level(contexts: Sequence[tuple[int, ...]], own: Sequence[tuple[int, ...]], device: torch.device) -> Level:
    width, before = max(map(len, own)), max(map(len, contexts))
    query = torch.tensor([places + places[:1] * (width - len(places)) for places in own])
    context = torch.tensor(
        [above + places[:1] * (before - len(above)) for above, places in zip(contexts, own, strict=True)],
        dtype=torch.long,
    )
    key = torch.cat([context.view(len(own), before), query], dim=1)
    if before == 0:
        # Padding lies behind every real token, so plain causal order keeps it out of sight.
        return Level(query.to(device), key.to(device), None)
    seen_before = torch.arange(before) < torch.tensor([len(places) for places in contexts])[:, None]
    mask = torch.cat(
        [seen_before[:, None].expand(-1, width, -1), torch.ones(width, width).tril().bool().expand(len(own), -1, -1)],
        dim=2,
    )
    return Level(query.to(device), key.to(device), mask[:, None].contiguous().to(device))


def _rows(level: Level, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
    rows, width = level.query.shape
    seen = functional.scaled_dot_product_attention(
        _padded(query, level.query),
        _padded(key, level.key),
        _padded(value, level.key),
        attn_mask=level.mask,
        is_causal=level.mask is None,
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return seen.transpose(1, 2).reshape(rows * width, *query.shape[1:])


def _padded(part: Tensor, places: Tensor) -> Tensor:
    rows, width = places.shape
    return part.index_select(0, places.view(-1)).view(rows, width, *part.shape[1:]).transpose(1, 2)


def register() -> None:
    """Make :data:`ATTENTION` known to transformers."""
    AttentionInterface.register(ATTENTION, _attention)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)


@torch.no_grad()
def agrees(model: Any) -> bool:
    """Whether packed texts come out as the model's own forward pass has them; False for kinds of models that do more
    than a plain decoder (soft-capped scores or logits, sinks, windows shorter than a text)."""
    device, text = model.device, tuple(range(3, 11))
    packed = pack([Block(text[:3], 0), Block(text[5:], 0), Block(text[3:], 0, parent=0)], device)
    wanted = model(input_ids=torch.tensor([text], device=device), use_cache=False).logits[0, 3:].float()
    try:
        out = model.get_decoder()(input_ids=packed.ids, position_ids=packed.positions, use_cache=False, plan=packed)
    except (ValueError, TypeError, AttributeError):
        return False
    found = model.get_output_embeddings()(out.last_hidden_state[0, packed.starts[2] :]).float()
    tolerance = 1e-3 if model.dtype == torch.float32 else 5e-2
    return bool((found - wanted).norm() <= tolerance * wanted.norm())


def _attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    plan: Attend | None = None,
    sliding_window: int | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Hugging Face's attention interface: tensors of 1 × heads × tokens × width in, 1 × tokens × heads × width out."""
    if plan is None:
        done: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, sliding_window=sliding_window, **options
        )
        return done
    if sliding_window is not None and query.shape[2] > sliding_window:
        raise ValueError(f"This model sees only {sliding_window} tokens back; packed rows don't support that.")
    if any(options.get(name) is not None for name in ("softcap", "s_aux", "position_bias")):
        raise ValueError("This model bends its attention scores; packed rows don't support that.")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    query, key, value = (part[0].transpose(0, 1) for part in (query, key, value))
    return plan.attend(module.layer_idx, query, key, value, scale)[None], None
