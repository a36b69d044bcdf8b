"""How answers grow, token by token: who picks the next one, what is remembered of the text so far, who has ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from paperlora.model.bank import Bank
from paperlora.model.packing import Packed, Segment
from paperlora.records import digest

COMPACT_BELOW = 0.8
"""Share of rows still running below which the others leave the caches; moving the caches costs a little, too."""


class Choose(Protocol):
    """Picks each row's next token."""

    def __call__(self, logits: Tensor, rows: Sequence[int]) -> Tensor:
        """Tokens (n) of logits (n × vocabulary); ``rows`` says which questions of the batch they belong to."""
        ...


def greedy(logits: Tensor, rows: Sequence[int]) -> Tensor:
    return logits.argmax(dim=-1)


class Sampling(NamedTuple):
    """How tokens are drawn: top-k first, then the nucleus, as Hugging Face does it."""

    temperature: float
    top_p: float
    top_k: int
    seed: int


class Sampler:
    """Draws tokens; what a question gets depends on the seed and its own text alone, not on its neighbours."""

    def __init__(self, sampling: Sampling, prompts: Sequence[tuple[int, ...]]) -> None:
        """A generator for each prompt (token ids)."""
        self._sampling = sampling
        self._generators = [
            torch.Generator().manual_seed(int(digest(sampling.seed, ids)[:15], 16)) for ids in prompts
        ]

    def __call__(self, logits: Tensor, rows: Sequence[int]) -> Tensor:
        best = logits.float().cpu().div(self._sampling.temperature).topk(self._sampling.top_k, dim=-1)
        shares = best.values.softmax(dim=-1)
        # A token stays while those before it have not reached top-p yet: the first one always does.
        shares = shares.where(shares.cumsum(dim=-1) - shares < self._sampling.top_p, 0.0)
        drawn = [torch.multinomial(share, 1, generator=self._generators[row]) for share, row in zip(shares, rows, strict=True)]
        return best.indices.gather(1, torch.stack(drawn)).squeeze(1).to(logits.device)


class Recorder:
    """Packed attention that keeps every layer's keys and values."""

    def __init__(self, packed: Packed) -> None:
        self._packed, self._kept = packed, dict[int, tuple[Tensor, Tensor]]()

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        self._kept[layer] = (key, value)
        return self._packed.attend(layer, query, key, value, scaling)

    def caches(self, places: Sequence[Sequence[int]], room: int) -> Caches:
        """Rows of keys and values, each with its whole text, and room for so many tokens in all."""
        lengths = [len(row) for row in places]
        device = self._packed.ids.device
        rows = torch.tensor([number for number, length in enumerate(lengths) for _ in range(length)], device=device)
        columns = torch.tensor([place for length in lengths for place in range(length)], device=device)
        sources = torch.tensor([place for row in places for place in row], device=device)
        kept: tuple[dict[int, Tensor], dict[int, Tensor]] = ({}, {})
        for layer, parts in self._kept.items():
            for own, part in zip(kept, parts, strict=True):
                # Zeros and not whatever lies in memory: what is hidden is multiplied by nought, which leaves a NaN a NaN.
                own[layer] = part.new_zeros(len(places), part.shape[1], room, part.shape[2])
                own[layer][rows, :, columns] = part[sources]
        return Caches(*kept, torch.tensor(lengths, device=device))


class Caches:
    """Keys and values of running answers; also how their newest tokens see what came before."""

    def __init__(self, keys: dict[int, Tensor], values: dict[int, Tensor], lengths: Tensor) -> None:
        """Rows × heads × room × width of each layer; ``lengths`` says how much of each row's room is taken."""
        self.keys, self.values, self.lengths = keys, values, lengths
        self._seen = self._view()

    @classmethod
    def joined(cls, parts: Sequence[Caches]) -> Caches:
        """All rows; the parts have the same room, and are emptied."""
        kept = [
            {layer: torch.cat([side.pop(layer) for side in sides]) for layer in list(sides[0])}
            for sides in ([part.keys for part in parts], [part.values for part in parts])
        ]
        return cls(kept[0], kept[1], torch.cat([part.lengths for part in parts]))

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """See :class:`paperlora.model.packing.Attend`; one token a row.

        The heads that share a key are laid together as if they were several tokens: with a single token a row, products
        of matrices take a third less time than a fused kernel on a CPU.
        """
        keys, values = self.keys[layer], self.values[layer]
        rows = torch.arange(len(query), device=query.device)
        keys[rows, :, self.lengths] = key
        values[rows, :, self.lengths] = value
        longest, heads = self._seen.shape[-1], key.shape[1]
        asking = (query * scaling).view(len(query), heads, -1, query.shape[-1])
        scores = asking @ keys[:, :, :longest].transpose(2, 3)
        shares = (scores.float() + self._seen).softmax(dim=-1).to(value.dtype)
        return (shares @ values[:, :, :longest]).view_as(query)

    def advance(self) -> None:
        """Every row has one more token."""
        self.lengths = self.lengths + 1
        self._seen = self._view()

    def keep(self, rows: Tensor) -> None:
        """Forget all other rows."""
        self.lengths = self.lengths[rows]
        self._seen = self._view()
        for layer in self.keys:
            self.keys[layer], self.values[layer] = self.keys[layer][rows], self.values[layer][rows]

    def _view(self) -> Tensor:
        """0 where a row's newest token sees, −∞ behind it: rows × 1 × 1 × longest."""
        places = torch.arange(int(self.lengths.max()) + 1, device=self.lengths.device)
        hidden = places > self.lengths[:, None]
        return torch.zeros(hidden.shape, device=hidden.device).masked_fill_(hidden, -torch.inf)[:, None, None]


class Generation:
    """Rows of one batch while they are being answered."""

    def __init__(self, slots: Sequence[int], caches: Caches, choose: Choose) -> None:
        self._slots, self._caches, self._choose = list(slots), caches, choose
        self._ids: list[list[int]] = [[] for _ in slots]
        self._rows = list(range(len(slots)))
        """Which answer each row of the caches belongs to."""

    def finish(self, bank: Bank, tokens: Tensor, max_new_tokens: int) -> list[list[int]]:
        """Token ids of every answer, the ending token included."""
        while self._take(bank, tokens, max_new_tokens):
            tokens = self._next(bank, tokens)
        return self._ids

    def _take(self, bank: Bank, tokens: Tensor, max_new_tokens: int) -> bool:
        """Add each row's new token; False when no row goes on."""
        for row, token in zip(self._rows, tokens.tolist(), strict=True):
            if self._goes_on(row, bank, max_new_tokens):
                self._ids[row].append(token)
        return any(self._goes_on(row, bank, max_new_tokens) for row in self._rows)

    def _goes_on(self, row: int, bank: Bank, max_new_tokens: int) -> bool:
        ids = self._ids[row]
        return len(ids) < max_new_tokens and not (ids and ids[-1] in bank.base.end_ids)

    def _next(self, bank: Bank, tokens: Tensor) -> Tensor:
        going = [
            index
            for index, row in enumerate(self._rows)
            if not self._ids[row] or self._ids[row][-1] not in bank.base.end_ids
        ]
        if len(going) < COMPACT_BELOW * len(self._rows):
            kept = torch.tensor(going, device=tokens.device)
            tokens, self._rows = tokens[kept], [self._rows[index] for index in going]
            self._caches.keep(kept)
        step = Packed(
            tokens[None], self._caches.lengths[None], (), _segments([self._slots[row] for row in self._rows]), (),
            tokens[:0], (),
        )  # fmt: skip
        hidden = bank.hidden(step, self._caches)
        self._caches.advance()
        return self._choose(bank.logits(hidden), self._rows)


def _segments(slots: Sequence[int]) -> tuple[Segment, ...]:
    starts = [index for index in range(len(slots)) if index == 0 or slots[index] != slots[index - 1]]
    return tuple(
        Segment(slots[start], start, end) for start, end in zip(starts, [*starts[1:], len(slots)], strict=True)
    )
