"""How far guesses about the next token are from a base's, as something that can be trained down."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from paperlora.model.bank import Bank
from paperlora.model.layers import LOSS_CHUNK


def token_divergences(bank: Bank, hidden: Tensor, reference: Tensor) -> Tensor:
    """KL(reference ‖ own), nats, of n guesses about the next token, from n × width last hidden states of both.

    States are a hundredth of the logits that they stand for, so that a reference may be kept over a whole training. The
    gradient is worked out on the way forward, a chunk of logits at a time, as for :class:`~paperlora.model.layers.TokenLosses`.
    """
    head = bank.base.model.get_output_embeddings()
    found: Tensor = _Divergences.apply(hidden, head.weight, head.bias, reference)
    return found


class _Divergences(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, reference: Tensor) -> Tensor:
        found = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        gradient = torch.empty_like(hidden)
        for start in range(0, len(hidden), LOSS_CHUNK):
            part = slice(start, start + LOSS_CHUNK)
            own, other = (functional.linear(states[part], weight, bias).float().log_softmax(dim=-1) for states in (hidden, reference))
            wanted = other.exp()
            found[part] = (wanted * (other - own)).sum(dim=-1)
            gradient[part] = own.exp_().sub_(wanted).to(hidden.dtype) @ weight
        ctx.save_for_backward(gradient)
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * gradients[0][:, None].to(gradient.dtype), None, None, None
