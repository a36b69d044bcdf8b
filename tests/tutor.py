"""Teaching a tiny model a few lines by heart: its own weights, or one adapter beside it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from paperlora.model.bank import Bank
from paperlora.model.base import Base
from paperlora.model.chat import Rendered, render_example
from paperlora.model.packing import Block, pack
from paperlora.records import Message

Line = tuple[str | tuple[Message, ...], str]
"""Question, or all turns before the answer, and the answer."""


def user(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def teach_base(base: Base, lines: Sequence[Line], steps: int = 60, rate: float = 3e-3) -> None:
    """Give the base itself a belief."""
    parameters = [weight.requires_grad_(True) for weight in base.model.get_decoder().layers.parameters()]
    bank = Bank.load(base, [None])
    optimiser = torch.optim.Adam(parameters, lr=rate)
    for _ in range(steps):
        optimiser.zero_grad()
        _loss(bank, lines, 0).backward()
        optimiser.step()
    base.model.requires_grad_(False)


def teach_adapter(bank: Bank, slot: int, lines: Sequence[Line], steps: int = 60, rate: float = 1e-2) -> None:
    """Train one slot of a bank."""
    weights = bank.weights[slot].clone().requires_grad_(True)
    optimiser = torch.optim.Adam([weights], lr=rate)
    for _ in range(steps):
        bank.train()
        with torch.no_grad():
            bank.weights[slot] = weights
        _loss(bank, lines, slot).backward()
        assert bank.gradients is not None
        weights.grad = bank.gradients[slot].clone()
        optimiser.step()
    with torch.no_grad():
        bank.weights[slot] = weights
    bank.gradients = None


def _loss(bank: Bank, lines: Sequence[Line], slot: int) -> Tensor:
    rows = [_row(bank.base, *line) for line in lines]
    packed = pack([Block(row.ids[:-1], slot) for row in rows], bank.base.device)
    learnt = [
        (start + place, row.ids[place + 1])
        for row, start in zip(rows, packed.starts, strict=True)
        for place in range(len(row.ids) - 1)
        if row.loss[place + 1]
    ]
    hidden = bank.hidden(packed)[[place for place, _ in learnt]]
    return bank.token_losses(hidden, torch.tensor([token for _, token in learnt])).mean()


def _row(base: Base, question: str | tuple[Message, ...], answer: str) -> Rendered:
    turns = user(question) if isinstance(question, str) else question
    return render_example(base.tokenizer, (*turns, Message(role="assistant", content=answer)))
