"""AdamW over the rows of a bank: each row with its own step count, learning rate and clipping."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from paperlora.model.bank import Bank

BETAS, EPSILON = (0.9, 0.999), 1e-8
"""As in torch.optim.AdamW."""


class RowUpdate(NamedTuple):
    """What is to be done with one row's gradient."""

    slot: int
    step: int
    """Steps of this adapter, this one included."""
    rate: float
    decay: float
    scale: float
    """What its gradient is multiplied with: the clipping."""


class RowAdamW:
    """First and second moments of every row of a bank (K × parameters each, float32)."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self.mean, self.square = torch.zeros_like(bank.weights), torch.zeros_like(bank.weights)

    def norms(self, slots: Sequence[int]) -> Tensor:
        """‖gradient‖ of each of the rows."""
        assert self._bank.gradients is not None
        return torch.stack([self._bank.gradients[slot].norm() for slot in slots])

    def update(self, rows: Sequence[RowUpdate]) -> None:
        """One step for each of the rows: decoupled weight decay as in 1711.05101, in torch's order of operations."""
        assert self._bank.gradients is not None
        if not rows:
            return
        weights, gradients, means, squares = (
            [matrix[row.slot] for row in rows] for matrix in (self._bank.weights, self._bank.gradients, self.mean, self.square)
        )
        torch._foreach_mul_(gradients, [row.scale for row in rows])
        if any(row.decay for row in rows):
            torch._foreach_mul_(weights, [1 - row.rate * row.decay for row in rows])
        torch._foreach_lerp_(means, gradients, 1 - BETAS[0])
        torch._foreach_mul_(squares, BETAS[1])
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - BETAS[1])
        spreads = torch._foreach_sqrt(squares)
        torch._foreach_div_(spreads, [math.sqrt(1 - BETAS[1] ** row.step) for row in rows])
        torch._foreach_add_(spreads, EPSILON)
        torch._foreach_addcdiv_(weights, means, spreads, [-row.rate / (1 - BETAS[0] ** row.step) for row in rows])

    def clear(self, slot: int) -> None:
        """Forget a row's past: another adapter begins there."""
        self.mean[slot].zero_()
        self.square[slot].zero_()
