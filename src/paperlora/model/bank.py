"""Many LoRA adapters on one frozen base, in one forward and backward pass.

A bank has K slots. Beside every linear layer of the decoder stand stacked matrices A (K × in × rank) and B (K × rank ×
out); the tokens of a batch lie together by slot, and each stretch gets its own slot's product. Nothing else of the model
knows of it: no slot sees another's tokens, and a slot without an adapter is the base itself.

All of a slot's weights are one row of one matrix (K × parameters), and so are their gradients: an optimiser step, a norm
or a saved state is one operation on one row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from paperlora.errors import StoreError
from paperlora.model.base import Base
from paperlora.model.forwards import Forwards, Slots
from paperlora.model.layers import LOSS_CHUNK, TokenLosses, dense_weight
from paperlora.model.packing import Attend, Packed, Segment
from paperlora.model.peft_files import LayerWeights, PeftAdapter, read_adapter, write_adapter
from paperlora.model.places import SlotInfo, linear_layers

__all__ = ["Bank", "SlotInfo"]


class Bank:
    """K adapters on one base. Several banks may stand on the same base; each is applied only while it computes."""

    def __init__(self, base: Base, slots: Sequence[SlotInfo], rank: int = 0) -> None:
        """A bank whose weights are all zero; use :meth:`fresh` or :meth:`load`.

        Args:
            rank: the largest that a slot may take later, where that is more than any has now.
        """
        self.base = base
        self.info = list(slots)
        self.rank = max((slot.rank for slot in slots), default=0)
        self.rank = max(self.rank, rank)
        self._layers = linear_layers(base.model, self.rank)
        size = self._layers[-1].end if self.rank else 0
        self.weights = torch.zeros(len(slots), size, device=base.device)
        """K × parameters, float32."""
        self.gradients: Tensor | None = None
        """Likewise, while training."""
        self.batched = base.device.type == "cuda"
        """Batched products over all slots in place of one product a slot."""
        self._forwards = Forwards(base, self._layers)
        self._held = False
        self.recompute = False
        """Keep only each layer's input while training and compute the rest again on the way back: a fraction of the
        memory, a third more work (1604.06174)."""

    @classmethod
    def fresh(cls, base: Base, slots: int, rank: int, alpha: Sequence[float], seeds: Sequence[int]) -> Self:
        """New adapters as peft begins them: A uniform in ±1/√in, B zero. A slot's weights depend on its seed alone."""
        bank = cls(base, [SlotInfo(0, 0.0)] * slots, rank)
        for slot, seed in zip(range(slots), seeds, strict=True):
            bank.begin(slot, SlotInfo(rank, alpha[slot]), seed)
        return bank

    def begin(self, slot: int, info: SlotInfo, seed: int) -> None:
        """Put a new adapter into a slot, whatever stood there. Its weights depend on rank and seed alone."""
        self.clear(slot)
        self.info[slot] = info
        generator = torch.Generator().manual_seed(seed)
        for layer in self._layers:
            bound = 1 / math.sqrt(layer.module.in_features)
            drawn = torch.rand(info.rank, layer.module.in_features, generator=generator)
            layer.a(self.weights[slot])[:, : info.rank].copy_(drawn.mul_(2 * bound).sub_(bound).t())

    def amplify(self, slot: int, gamma: float) -> None:
        """Multiply a slot's ΔW by γ; its weights stay as they are."""
        self.info[slot] = self.info[slot]._replace(alpha=self.info[slot].alpha * gamma)

    def clear(self, slot: int) -> None:
        """Make a slot the bare base again."""
        self.info[slot] = SlotInfo(0, 0.0)
        self.weights[slot].zero_()

    def narrow(self, row: Tensor, rank: int) -> Tensor:
        """A slot's row as a bank of exactly this rank would hold it: what is kept of a training fits any bank."""
        if rank == self.rank:
            return row
        return torch.cat([
            part.reshape(-1) for layer in self._layers for part in (layer.a(row)[:, :rank], layer.b(row)[:rank])
        ])  # fmt: skip

    def widen(self, row: Tensor, rank: int) -> Tensor:
        """The opposite of :meth:`narrow`."""
        if rank == self.rank:
            return row
        wide, start = row.new_zeros(self.weights.shape[1]), 0
        for layer in self._layers:
            for part in (layer.a(wide)[:, :rank], layer.b(wide)[:rank]):
                part.copy_(row[start : start + part.numel()].view_as(part))
                start += part.numel()
        return wide

    @classmethod
    def load(cls, base: Base, adapters: Sequence[Path | None]) -> Self:
        """Saved adapters, one a slot; None is the bare base. Ranks may differ.

        Raises:
            StoreError: a folder holds no plain LoRA adapter, or one of another base.
        """
        read = [None if folder is None else read_adapter(folder) for folder in adapters]
        bank = cls(
            base, [SlotInfo(0, 0.0) if one is None else SlotInfo(one.rank, one.alpha, one.rslora) for one in read]
        )
        for slot, adapter in enumerate(read):
            if adapter is not None:
                bank._fill(slot, adapter, str(adapters[slot]))
        return bank

    def _fill(self, slot: int, adapter: PeftAdapter, name: str) -> None:
        layers = {layer.name: layer for layer in self._layers}
        for layer_name, weights in adapter.layers.items():
            layer = layers.get(layer_name)
            if (
                layer is None
                or weights.a.shape[1] != layer.module.in_features
                or weights.b.shape[0] != layer.module.out_features
            ):
                raise StoreError(f"{name} belongs to another base model: {layer_name} doesn't fit {self.base.id.name}.")
            layer.a(self.weights[slot])[:, : adapter.rank] = weights.a.t().to(self.base.device)
            layer.b(self.weights[slot])[: adapter.rank] = weights.b.t().to(self.base.device)

    @property
    def slots(self) -> int:
        """K."""
        return len(self.info)

    def adapter(self, slot: int) -> PeftAdapter:
        """A slot's adapter in peft's terms."""
        info, row = self.info[slot], self.weights[slot]
        return PeftAdapter(
            info.rank, info.alpha, info.rslora,
            {
                layer.name: LayerWeights(layer.a(row)[:, : info.rank].t(), layer.b(row)[: info.rank].t())
                for layer in self._layers
            },
        )  # fmt: skip

    def save(self, slot: int, folder: Path) -> None:
        """Write a slot as a plain peft adapter."""
        if not self.info[slot].rank:
            raise StoreError(f"Slot {slot} is the bare base: there is nothing to save.")
        write_adapter(folder, self.adapter(slot), self.base.id.name)

    # ------------------------------------------------------------ computing

    def hidden(self, packed: Packed, plan: Attend | None = None) -> Tensor:
        """Last hidden states, T × width, in the order of the packed tokens.

        Args:
            packed: the tokens and how they lie.
            plan: how they see one another, where it is not as packed.
        """
        with nullcontext() if self._held else self._applied(packed.segments):
            out = self.base.model.get_decoder()(
                input_ids=packed.ids, position_ids=packed.positions, use_cache=False, plan=plan or packed
            )
        return out.last_hidden_state[0]

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits (float32, n × vocabulary) of hidden states (n × width)."""
        return self._forwards.frozen(hidden, (self.base.model.get_output_embeddings(),))[0].float()

    def token_losses(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy (nats) of n targets given n × width hidden states."""
        head = self.base.model.get_output_embeddings()
        if not torch.is_grad_enabled():
            chunks = zip(hidden.split(LOSS_CHUNK), targets.split(LOSS_CHUNK), strict=True)
            return torch.cat([functional.cross_entropy(self.logits(rows), part, reduction="none") for rows, part in chunks])
        losses: Tensor = TokenLosses.apply(hidden, head.weight, head.bias, targets)
        return losses

    @contextmanager
    def _applied(self, segments: Sequence[Segment]) -> Iterator[None]:
        """Every linear layer adds its adapters while this lasts; afterwards the model is untouched."""
        gradients = self.gradients if torch.is_grad_enabled() else None
        chosen = tuple(segment for segment in segments if self.info[segment.slot].rank)
        try:
            for module, forward in self._forwards.of(Slots(self.weights, gradients, tuple(self.info)), chosen, self.batched):
                module.__dict__["forward"] = forward
            yield
        finally:
            for layer in self._layers:
                layer.module.__dict__.pop("forward", None)

    @contextmanager
    def step(self, packed: Packed) -> Iterator[None]:
        """Around the forward and the backward pass of one training step over these tokens.

        With :attr:`recompute` layers run again on the way back, so that the adapters must still stand beside them.
        """
        if not self.recompute:
            yield
            return
        model = self.base.model
        # Transformers checkpoints the layers of a model in training mode alone; a frozen base has no dropout to start.
        model.activation_checkpointing_enable({"use_reentrant": False})
        model.train()
        try:
            with self._applied(packed.segments):
                self._held = True
                yield
        finally:
            self._held = False
            model.eval()
            model.activation_checkpointing_disable()

    def train(self) -> None:
        """Make room for gradients and set them to zero; from now on a backward pass adds to them."""
        if self.gradients is None:
            self.gradients = torch.zeros_like(self.weights)
        else:
            self.gradients.zero_()

    def remove(self) -> None:
        """Let go of the adapters' memory; the base stays."""
        self.weights, self.gradients, self._layers = self.weights[:0], None, ()
        self._forwards = Forwards(self.base, ())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    # -------------------------------------------------------------- measuring

    def delta_norms(self, slot: int) -> dict[str, float]:
        """‖ΔW‖_F of each layer: ‖A B‖² = Σ (AᵀA ∘ BBᵀ), so that no in × out matrix is formed."""
        row, scale = self.weights[slot], self.info[slot].scale
        return {
            layer.name: scale
            * float(((layer.a(row).t() @ layer.a(row)) * (layer.b(row) @ layer.b(row).t())).sum().clamp(0)) ** 0.5
            for layer in self._layers
        }

    @cached_property
    def base_norms(self) -> dict[str, float]:
        """‖W‖_F of each layer beside which adapters stand."""
        return {layer.name: float(dense_weight(layer.module).float().norm()) for layer in self._layers}
