"""Products with the frozen weights of a base, outside training."""

from __future__ import annotations

from collections.abc import Sequence

import psutil
import torch
from torch import Tensor, nn
from torch.nn import functional

from paperlora.model.layers import dense_weight

LEAST_LAID_OUT = 1 << 17
"""Weights of a product from which oneDNN's layout pays: below it, calling it costs more than it saves."""
MEMORY_SHARE = 0.4
"""Of the free memory, what a second copy of the weights may take."""

Joint = tuple[nn.Linear, ...]
"""Layers that read the same input; one alone is a joint of one."""


class Frozen:
    """x W + bias for each joint of layers.

    On a CPU the weights of large layers are laid out anew for oneDNN, those of a joint side by side: the same products
    (other rounding) in two thirds of the time or less where few rows come at once (less than half where the processor
    has AVX-512), for a second copy of the weights in memory. It is made when it is first needed, unless memory is short.
    """

    def __init__(self, joints: Sequence[Joint]) -> None:
        """For these layers; nothing is computed yet."""
        self._joints = tuple(joints)
        self._laid_out = dict[Joint, tuple[Tensor, Tensor | None]]()
        self._pending = True

    def __call__(self, x: Tensor, joint: Joint) -> Sequence[Tensor]:
        """Of each layer rows × out, given rows × in; maybe as columns of one tensor."""
        laid_out = self._laid_out.get(joint) if self.speeds_up else None
        if laid_out is None:
            return [functional.linear(x, dense_weight(module), module.bias) for module in joint]
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, *laid_out, "none", [], "")
        return product.split([module.out_features for module in joint], dim=-1)

    @property
    def speeds_up(self) -> bool:
        """Some layer is laid out anew, and no gradient is wanted: oneDNN's product has none."""
        if torch.is_grad_enabled():
            return False
        if self._pending:
            self._lay_out()
        return bool(self._laid_out)

    def _lay_out(self) -> None:
        self._pending = False
        fit = [joint for joint in self._joints if _fits_onednn(joint)]
        size = sum(module.weight.numel() * module.weight.element_size() for joint in fit for module in joint)
        if fit and size <= MEMORY_SHARE * psutil.virtual_memory().available:
            for joint in fit:
                self._laid_out[joint] = _side_by_side(joint)


def _fits_onednn(joint: Joint) -> bool:
    plain = all(module.weight.device.type == "cpu" and module.weight.dtype == torch.float32 for module in joint)
    enough = sum(module.weight.numel() for module in joint) >= LEAST_LAID_OUT
    return plain and enough and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _side_by_side(joint: Joint) -> tuple[Tensor, Tensor | None]:
    weights = [module.weight.detach() for module in joint]
    biases = [module.bias.detach() for module in joint if module.bias is not None]
    whole = weights[0] if len(weights) == 1 else torch.cat(weights)
    return torch.ops.mkldnn._reorder_linear_weight(whole), torch.cat(biases) if biases else None
