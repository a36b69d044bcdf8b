"""The two places where a bank does its own calculus: a linear layer with many adapters, and the loss at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

LOSS_CHUNK = 256
"""Tokens whose logits exist at once: 256 × 150,000 float32 logits are 150 MB."""


def dense_weight(module: nn.Linear) -> Tensor:
    """The weights of a frozen layer, out × in; those of a 4-bit layer are unpacked each time, and kept nowhere."""
    state = getattr(module.weight, "quant_state", None)
    if state is None:
        return module.weight
    from bitsandbytes.functional import dequantize_4bit

    unpacked: Tensor = dequantize_4bit(module.weight.data, state)
    return unpacked


class Low(NamedTuple):
    """One adapter beside one linear layer, on the tokens of one segment: x[start:end] A B · scale is added."""

    start: int
    end: int
    scale: float
    a: Tensor
    """in × rank."""
    b: Tensor
    """rank × out."""
    a_gradient: Tensor | None
    """Where the gradient is added up, float32, shaped as ``a``; None outside training."""
    b_gradient: Tensor | None


class LowRankLinear(torch.autograd.Function):
    """x W + bias + the low-rank part of every segment, as one node of the graph.

    W takes no gradient. A's and B's gradients go straight into the bank's buffers, so that autograd neither holds
    210 × K small leaves nor adds up their gradients one by one.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, anchor: Tensor, module: nn.Linear, lows: Sequence[Low]
    ) -> Tensor:
        """Compute tokens × out from tokens × in; ``anchor`` only ties the node to the graph."""
        out, downs = add_low_ranks(functional.linear(x, dense_weight(module), module.bias), x, lows)
        ctx.save_for_backward(x, *downs)
        ctx.module, ctx.lows = module, lows
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Pass the gradient on to x; add up those of A and B."""
        gradient, (x, *downs) = gradients[0].contiguous(), ctx.saved_tensors
        below = gradient @ dense_weight(ctx.module) if ctx.needs_input_grad[0] else None
        for low, down in zip(ctx.lows, downs, strict=True):
            mine = gradient[low.start : low.end]
            inner = mine @ low.b.t() * low.scale
            if below is not None:
                below[low.start : low.end].addmm_(inner, low.a.t())
            _add_product(low.a_gradient, x[low.start : low.end].t(), inner, 1.0)
            _add_product(low.b_gradient, down.t(), mine, low.scale)
        return below, None, None, None


def add_low_ranks(out: Tensor, x: Tensor, lows: Sequence[Low]) -> tuple[Tensor, list[Tensor]]:
    """Add each segment's low-rank part to ``out`` in place; returns it with the products x A."""
    downs = []
    for low in lows:
        mine = x[low.start : low.end]
        down = mine @ low.a
        out[low.start : low.end].addmm_(down, low.b, alpha=low.scale)
        downs.append(down)
    return out, downs


class Lanes(NamedTuple):
    """The tokens of a pass as one lane a slot, all lanes equally long: what batched matrix products need."""

    slots: Tensor
    """Slot of each lane, L."""
    gather: Tensor
    """L × width places in the packed sequence; a shorter lane is filled up with its own first place."""
    real: Tensor
    """Places among the L × width that are no filling, in the order of ``places``."""
    places: Tensor
    """Their places in the packed sequence."""
    filled: Tensor | None
    """L × width × 1, 0 where a lane is filled up; None where none is."""


class LaneWeights(NamedTuple):
    """Every slot's adapter beside one linear layer, as strided views of the bank."""

    a: Tensor
    """K × in × rank."""
    b: Tensor
    """K × rank × out."""
    scales: Tensor
    """K × 1 × 1."""
    a_gradient: Tensor | None
    b_gradient: Tensor | None
    """As ``a`` and ``b``, float32; None outside training."""


def lanes(segments: Sequence[tuple[int, int, int]], device: torch.device) -> Lanes:
    """Lay out segments given as slot, start, end; each slot at most once."""
    width = max(end - start for _, start, end in segments)
    steps = torch.arange(width)
    starts, ends = (torch.tensor([segment[place] for segment in segments])[:, None] for place in (1, 2))
    inside = steps < ends - starts
    gather = torch.where(inside, starts + steps, starts)
    return Lanes(
        torch.tensor([segment[0] for segment in segments], device=device), gather.to(device),
        inside.view(-1).nonzero().view(-1).to(device), gather[inside].to(device),
        None if bool(inside.all()) else inside[..., None].to(device),
    )  # fmt: skip


def _spread(x: Tensor, lanes: Lanes) -> Tensor:
    """L × width × features of tokens × features."""
    return x.index_select(0, lanes.gather.view(-1)).view(*lanes.gather.shape, -1)


def add_lanes(out: Tensor, x: Tensor, lanes: Lanes, weights: LaneWeights) -> tuple[Tensor, Tensor]:
    """Add every lane's low-rank part to ``out`` in place; returns it with the products x A."""
    down = torch.bmm(_spread(x, lanes), weights.a[lanes.slots])
    up = torch.bmm(down * weights.scales[lanes.slots], weights.b[lanes.slots])
    out.index_add_(0, lanes.places, up.view(-1, up.shape[-1]).index_select(0, lanes.real))
    return out, down


class LaneLinear(torch.autograd.Function):
    """:class:`LowRankLinear` with three batched products in place of three products a slot: for a GPU, on which the
    start of so many small kernels costs more than they do."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, anchor: Tensor, module: nn.Linear, lanes: Lanes, weights: LaneWeights
    ) -> Tensor:
        """Compute tokens × out from tokens × in."""
        out, down = add_lanes(functional.linear(x, dense_weight(module), module.bias), x, lanes, weights)
        ctx.save_for_backward(x, down)
        ctx.module, ctx.lanes, ctx.weights = module, lanes, weights
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Pass the gradient on to x; add up those of A and B."""
        gradient, (x, down) = gradients[0].contiguous(), ctx.saved_tensors
        lanes, weights = ctx.lanes, ctx.weights
        scales, mine = weights.scales[lanes.slots], _spread(gradient, lanes)
        if lanes.filled is not None:
            mine = mine * lanes.filled
        inner = torch.bmm(mine, weights.b[lanes.slots].transpose(1, 2)) * scales
        below = gradient @ dense_weight(ctx.module) if ctx.needs_input_grad[0] else None
        if below is not None:
            up = torch.bmm(inner, weights.a[lanes.slots].transpose(1, 2))
            below.index_add_(0, lanes.places, up.view(-1, up.shape[-1]).index_select(0, lanes.real))
        if weights.a_gradient is not None and weights.b_gradient is not None:
            weights.a_gradient.index_add_(0, lanes.slots, torch.bmm(_spread(x, lanes).transpose(1, 2), inner).float())
            weights.b_gradient.index_add_(0, lanes.slots, torch.bmm((down * scales).transpose(1, 2), mine).float())
        return below, None, None, None, None


def _add_product(total: Tensor | None, left: Tensor, right: Tensor, scale: float) -> None:
    if total is None:
        return
    if total.dtype == left.dtype:
        total.addmm_(left, right, alpha=scale)
    else:
        total.add_(left @ right, alpha=scale)


class TokenLosses(torch.autograd.Function):
    """Cross-entropy of each token (nats) from hidden states, a chunk of logits at a time.

    The gradient is worked out on the way forward, while the logits are there: they are never stored, and the head's
    weights, which are frozen, are read twice and not four times.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
        """Compute the losses of n tokens from n × width hidden states and n targets."""
        wanted = ctx.needs_input_grad[0]
        losses = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        gradient = torch.empty_like(hidden) if wanted else None
        for start in range(0, len(hidden), LOSS_CHUNK):
            part = slice(start, start + LOSS_CHUNK)
            logits = functional.linear(hidden[part], weight, bias).float()
            total = logits.logsumexp(dim=-1)
            losses[part] = total - logits.gather(1, targets[part, None])[:, 0]
            if gradient is not None:
                share = logits.sub_(total[:, None]).exp_()
                share.scatter_add_(1, targets[part, None], share.new_full((len(share), 1), -1.0))
                gradient[part] = share.to(hidden.dtype) @ weight
        ctx.save_for_backward(*([] if gradient is None else [gradient]))
        return losses

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the stored gradient of each token."""
        (gradient,) = ctx.saved_tensors
        return gradient * gradients[0][:, None].to(gradient.dtype), None, None, None
