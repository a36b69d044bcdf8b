"""The linear layers of a base, and where an adapter's matrices for them stand in a slot's row of weights."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from paperlora.errors import ModelUnavailable

SAME_INPUT = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Layers of one block that read the same input, as Llama, Qwen2 and Qwen3 name them."""


class SlotInfo(NamedTuple):
    """What stands in a slot."""

    rank: int
    """0: the bare base."""
    alpha: float
    rslora: bool = False

    @property
    def scale(self) -> float:
        """What x A B is multiplied with."""
        return self.alpha / (self.rank**0.5 if self.rslora else self.rank) if self.rank else 0.0


class Layer(NamedTuple):
    """A linear layer of the base and where its adapters stand in a slot's row."""

    name: str
    module: nn.Linear
    a_start: int
    b_start: int
    end: int

    def a(self, row: Tensor) -> Tensor:
        """A, in × rank, as a view."""
        return row[self.a_start : self.b_start].view(self.module.in_features, -1)

    def b(self, row: Tensor) -> Tensor:
        """B, rank × out, as a view."""
        return row[self.b_start : self.end].view(-1, self.module.out_features)

    def every_a(self, rows: Tensor) -> Tensor:
        """K × in × rank, as a view."""
        return rows[:, self.a_start : self.b_start].unflatten(1, (self.module.in_features, -1))

    def every_b(self, rows: Tensor) -> Tensor:
        """K × rank × out, as a view."""
        return rows[:, self.b_start : self.end].unflatten(1, (-1, self.module.out_features))


def linear_layers(model: Any, rank: int) -> tuple[Layer, ...]:
    """All linear layers but the output head, as peft's ``all-linear`` takes them.

    Raises:
        ModelUnavailable: there is none.
    """
    head, found, start = model.get_output_embeddings(), list[Layer](), 0
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and module is not head:
            b_start = start + module.in_features * rank
            end = b_start + module.out_features * rank
            found.append(Layer(name, module, start, b_start, end))
            start = end
    if not found:
        raise ModelUnavailable("The base model has no linear layers to put adapters beside.")
    return tuple(found)


def joints(layers: Sequence[Layer]) -> list[tuple[Layer, ...]]:
    """The same layers, those of one block that read the same input together."""
    return [tuple(same) for _, same in itertools.groupby(layers, key=_reads)]


def _reads(layer: Layer) -> tuple[str, str | int, int, bool]:
    """Equal for neighbours that read the same input and can be computed as one."""
    block, _, own = layer.name.rpartition(".")
    shared = next((number for number, names in enumerate(SAME_INPUT) if own in names), own)
    return block, shared, layer.module.in_features, layer.module.bias is None
