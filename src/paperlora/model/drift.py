"""How far adapters moved the next-token distributions of texts that they were never taught."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from paperlora.model.bank import Bank
from paperlora.model.packing import Block, pack

SLOTS_AT_ONCE = 8
"""Slots that read a text in one pass: bounds the logits in memory (tokens × vocabulary in float32 for each of them)."""


class Drift(NamedTuple):
    """One text, read by one slot and by the base alone."""

    nll: float
    """Nats a token that the slot gives the text."""
    base: float
    """Nats a token that the base gives it, computed in a pass of its own."""
    kl: float
    """Kullback–Leibler divergence of the slot from the base, nats a token: how different its guesses are, right or wrong."""
    tokens: int

    @property
    def change(self) -> float:
        """Nats a token that the slot gives beyond the base."""
        return self.nll - self.base


@torch.no_grad()
def drifts(bank: Bank, texts: Sequence[str], slots: Sequence[int]) -> list[list[Drift]]:
    """Drift of every slot on every text (slots × texts).

    Slot 0 is the base itself in other batches: what it drifts is rounding.
    """
    found: list[list[Drift]] = [[] for _ in slots]
    for text in texts:
        ids = _ids(bank, text)
        reference = _log_probabilities(bank, ids, [0])[0]
        for start in range(0, len(slots), SLOTS_AT_ONCE):
            part = slots[start : start + SLOTS_AT_ONCE]
            for offset, own in enumerate(_log_probabilities(bank, ids, part)):
                found[start + offset].append(_drift(own, reference, ids))
    return found


def _ids(bank: Bank, text: str) -> tuple[int, ...]:
    """The text after the token that begins one, as :func:`paperlora.model.answers.log_likelihoods` scores it."""
    tokenizer = bank.base.tokenizer
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    return (start, *tokenizer(text, add_special_tokens=False).input_ids)


def _log_probabilities(bank: Bank, ids: tuple[int, ...], slots: Sequence[int]) -> list[Tensor]:
    """Log-probabilities (tokens − 1 × vocabulary) of what follows each token, a tensor a slot."""
    packed = pack([Block(ids[:-1], slot) for slot in slots], bank.base.device)
    hidden = bank.hidden(packed)
    parts = (hidden[start : start + len(ids) - 1] for start in packed.starts)
    return [bank.logits(part).log_softmax(dim=-1) for part in parts]


def _drift(own: Tensor, reference: Tensor, ids: tuple[int, ...]) -> Drift:
    targets = torch.tensor(ids[1:], device=own.device)[:, None]
    nll, base = (-float(one.gather(1, targets).double().mean()) for one in (own, reference))
    kl = float((reference.exp() * (reference - own)).sum(dim=-1).double().mean())
    return Drift(nll, base, max(kl, 0.0), len(ids) - 1)
