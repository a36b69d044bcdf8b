"""What stands in for the forward of each linear layer while a bank computes: the layer, and adapters beside it.

Three ways give the same sums. With gradients each layer is one node of the graph. On a GPU all slots go into batched
products. Else layers that read the same input (query, key and value; gate and up) are computed as one, and so are their
adapters' first products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from paperlora.model.base import Base
from paperlora.model.frozen import Frozen, Joint
from paperlora.model.layers import LaneLinear, Lanes, LaneWeights, Low, LowRankLinear, add_lanes, lanes
from paperlora.model.packing import Segment
from paperlora.model.places import Layer, SlotInfo, joints

Forward = Callable[[Tensor], Tensor]


class Slots(NamedTuple):
    """What a bank holds now."""

    weights: Tensor
    """K × parameters, float32."""
    gradients: Tensor | None
    """Likewise; None outside training."""
    info: tuple[SlotInfo, ...]


class Forwards:
    """Makes them; outside training keeps them while neither slots nor segments change, as from one token of an answer to
    the next."""

    def __init__(self, base: Base, layers: Sequence[Layer]) -> None:
        """For a base whose linear layers these are."""
        self._base, self._joints = base, joints(layers)
        head = base.model.get_output_embeddings()
        self.frozen = Frozen([*map(_modules, self._joints), (head,)])
        self._anchor = torch.zeros((), device=base.device, requires_grad=True)
        self._state: tuple[object, ...] = ()
        self._stacked = dict[int, list[Tensor]]()
        self._last: tuple[tuple[Segment, ...], list[tuple[nn.Linear, Forward]]] | None = None

    def of(self, slots: Slots, segments: tuple[Segment, ...], batched: bool) -> Sequence[tuple[nn.Linear, Forward]]:
        """For tokens that lie so; layers that stay as they are, are left out.

        Args:
            segments: of slots that hold an adapter.
            batched: products over all slots at once, where each slot has one segment at most.
        """
        if slots.gradients is not None:
            self._forget(())
            return list(self._made(slots, segments, batched))
        state = (slots.weights.data_ptr(), slots.weights._version, slots.info, torch.is_grad_enabled())
        if state != self._state:
            self._forget(state)
        if self._last is None or self._last[0] != segments:
            self._last = (segments, list(self._made(slots, segments, batched)))
        return self._last[1]

    def _forget(self, state: tuple[object, ...]) -> None:
        self._state, self._last = state, None
        self._stacked.clear()

    def _made(self, slots: Slots, segments: Sequence[Segment], batched: bool) -> Iterator[tuple[nn.Linear, Forward]]:
        if segments and batched and len(segments) == len({segment.slot for segment in segments}):
            return self._laned(slots, segments)
        if slots.gradients is not None:
            return self._trained(slots, segments)
        return self._joined(slots, segments) if segments or self.frozen.speeds_up else iter(())

    # ------------------------------------------------------------- one by one

    def _trained(self, slots: Slots, segments: Sequence[Segment]) -> Iterator[tuple[nn.Linear, Forward]]:
        assert slots.gradients is not None
        rows = {slot: slots.weights[slot].to(self._base.model.dtype) for slot in {segment.slot for segment in segments}}
        for layer in (layer for joint in self._joints for layer in joint) if segments else ():
            lows = [_low(layer, one, slots.info[one.slot], rows[one.slot], slots.gradients[one.slot]) for one in segments]
            yield layer.module, _Trained(layer.module, self._anchor, lows)

    # --------------------------------------------------------------- in lanes

    def _laned(self, slots: Slots, segments: Sequence[Segment]) -> Iterator[tuple[nn.Linear, Forward]]:
        device, dtype = self._base.device, self._base.model.dtype
        weights, gradients = slots.weights.to(dtype), slots.gradients
        laid = lanes([(segment.slot, segment.start, segment.end) for segment in segments], device)
        scales = torch.tensor([info.scale for info in slots.info], device=device, dtype=dtype)[:, None, None]
        for layer in (layer for joint in self._joints for layer in joint):
            a, b = layer.every_a(weights), layer.every_b(weights)
            grads = (None, None) if gradients is None else (layer.every_a(gradients), layer.every_b(gradients))
            anchor = None if gradients is None else self._anchor
            yield layer.module, _Laned(layer.module, anchor, self.frozen, laid, LaneWeights(a, b, scales, *grads))

    # --------------------------------------------------------------- together

    def _joined(self, slots: Slots, segments: Sequence[Segment]) -> Iterator[tuple[nn.Linear, Forward]]:
        rows = {slot: slots.weights[slot].to(self._base.model.dtype) for slot in {segment.slot for segment in segments}}
        stacked = {slot: self._stack(slot, slots.info[slot].rank, row) for slot, row in rows.items()}
        for number, joint in enumerate(self._joints):
            modules = _modules(joint)
            sides = [_side(joint, one, slots.info[one.slot], rows[one.slot], stacked[one.slot][number]) for one in segments]
            together = _Together(modules, self.frozen, sides)
            for place, module in enumerate(modules):
                yield module, _Share(together, place)

    def _stack(self, slot: int, rank: int, row: Tensor) -> list[Tensor]:
        """All A of each joint, (layers · rank) × in, each row in one piece: on a CPU products with few columns take half
        the time that way."""
        if slot not in self._stacked:
            self._stacked[slot] = [
                torch.cat([layer.a(row)[:, :rank].t() for layer in joint]).contiguous() for joint in self._joints
            ]
        return self._stacked[slot]


def _modules(joint: Sequence[Layer]) -> Joint:
    return tuple(layer.module for layer in joint)


def _low(layer: Layer, segment: Segment, info: SlotInfo, row: Tensor, gradient: Tensor) -> Low:
    rank = info.rank
    return Low(
        segment.start, segment.end, info.scale, layer.a(row)[:, :rank], layer.b(row)[:rank],
        layer.a(gradient)[:, :rank], layer.b(gradient)[:rank],
    )  # fmt: skip


class _Side(NamedTuple):
    """One adapter beside a joint, on the tokens of one segment."""

    start: int
    end: int
    scale: float
    a: Tensor
    """(layers · rank) × in."""
    bs: tuple[Tensor, ...]
    """Of each layer, rank × out."""


def _side(joint: Sequence[Layer], segment: Segment, info: SlotInfo, row: Tensor, a: Tensor) -> _Side:
    bs = tuple(layer.b(row)[: info.rank] for layer in joint)
    return _Side(segment.start, segment.end, info.scale, a, bs)


class _Together:
    """Layers that read the same input: what they give is computed when the first of them is called."""

    def __init__(self, modules: Joint, frozen: Frozen, sides: Sequence[_Side]) -> None:
        self._modules, self._frozen, self._sides = modules, frozen, sides
        self._held: tuple[Tensor, Sequence[Tensor]] | None = None

    def share(self, x: Tensor, place: int) -> Tensor:
        """What the layer at this place gives; kept until the last one has asked, lest another input lie in between."""
        if self._held is None or self._held[0] is not x:
            self._held = (x, self._computed(x))
        out = self._held[1][place]
        if place == len(self._modules) - 1:
            self._held = None
        return out

    def _computed(self, x: Tensor) -> Sequence[Tensor]:
        flat = x.reshape(-1, x.shape[-1])
        parts = self._frozen(flat, self._modules)
        for side in self._sides:
            down = (side.a @ flat[side.start : side.end].t()).t()
            rank = side.bs[0].shape[0]
            for place, (part, b) in enumerate(zip(parts, side.bs, strict=True)):
                part[side.start : side.end].addmm_(down[:, place * rank : (place + 1) * rank], b, alpha=side.scale)
        return [part.unflatten(0, x.shape[:-1]) for part in parts]


class _Share:
    def __init__(self, together: _Together, place: int) -> None:
        self._together, self._place = together, place

    def __call__(self, x: Tensor) -> Tensor:
        return self._together.share(x, self._place)


class _Trained:
    def __init__(self, module: nn.Linear, anchor: Tensor, lows: Sequence[Low]) -> None:
        self._module, self._anchor, self._lows = module, anchor, lows

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = LowRankLinear.apply(x.reshape(-1, x.shape[-1]), self._anchor, self._module, self._lows)
        return out.view(*x.shape[:-1], -1)


class _Laned:
    def __init__(self, module: nn.Linear, anchor: Tensor | None, frozen: Frozen, laid: Lanes, weights: LaneWeights) -> None:
        self._module, self._anchor, self._frozen, self._laid, self._weights = module, anchor, frozen, laid, weights

    def __call__(self, x: Tensor) -> Tensor:
        flat, module = x.reshape(-1, x.shape[-1]), self._module
        if self._anchor is None:
            out = add_lanes(self._frozen(flat, (module,))[0], flat, self._laid, self._weights)[0]
        else:
            out = LaneLinear.apply(flat, self._anchor, module, self._laid, self._weights)
        return out.view(*x.shape[:-1], -1)
