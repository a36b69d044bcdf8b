"""Several adapters in one, by peft's own ``add_weighted_adapter`` (0.21).

Only A and B take part, so that no base model is loaded: peft is given bare linear layers of the right shapes, whose
memory is never touched. What each method does to the weights:

- ``linear``, ``ties`` (2306.01708), ``dare_linear``, ``dare_ties`` (2311.03099) work on the entries of A and of B, each
  scaled by √(weight · scale). The sum of products is then no product of sums: cross terms Bᵢ Aⱼ come in, and what a merge
  does depends on the basis in which each adapter happens to stand.
- ``cat`` lays A and B side by side: exactly Σ wᵢ ΔWᵢ, at the sum of the ranks.
- ``svd`` and ``…_svd`` work on the ΔW and cut the result to the largest rank: slower, and independent of the basis.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import torch
from torch import nn

from paperlora.errors import SettingsError
from paperlora.model.peft_files import LayerWeights, PeftAdapter, read_adapter
from paperlora.records import MergeMethod

METHODS: tuple[MergeMethod, ...] = get_args(MergeMethod)
ENTRYWISE: tuple[MergeMethod, ...] = ("linear", "ties", "dare_linear", "dare_ties")
"""Methods that need adapters of one rank."""
DENSE: tuple[MergeMethod, ...] = ("linear", "cat", "svd")
"""Methods that keep every entry."""
COMPARED: tuple[MergeMethod, ...] = ("linear", "cat", "ties", "dare_linear", "dare_ties")
"""What ``all`` stands for: every method that needs no decomposition of ΔW."""
MERGED = "merged"


class Blend(NamedTuple):
    """How to merge."""

    method: MergeMethod
    weights: tuple[float, ...]
    """One for each adapter; negative ones take away."""
    density: float | None = None
    """Share of the entries that are kept (TIES the largest, DARE random ones, scaled up); None where all are."""
    seed: int = 0
    """Of what DARE drops."""


def blend_of(method: str, count: int, weights: Sequence[float] = (), density: float = 0.5, seed: int = 0) -> Blend:
    """A blend with its gaps filled.

    Args:
        method: one of :data:`METHODS`.
        count: adapters.
        weights: one for each; 1 for each, as it was trained, where there are none.
        density: for the methods that drop entries.

    Raises:
        SettingsError: no such method, another number of weights, or a density that is no share.
    """
    if method not in METHODS:
        raise SettingsError(f"There is no method {method}.", f"Name one of {', '.join(METHODS)}.")
    if count < 2:
        raise SettingsError("A merge needs two adapters at least.", "Name another one.")
    chosen = tuple(weights) or (1.0,) * count
    if len(chosen) != count:
        raise SettingsError(f"There are {len(chosen)} weights for {count} adapters.", "Give one weight for each adapter.")
    if not 0 < density <= 1:
        raise SettingsError(f"A density of {density:g} is no share.", "Give one above 0 and up to 1.")
    thinned = method not in DENSE
    return Blend(method, chosen, density if thinned else None, seed if method.startswith("dare") else 0)


def merge_adapters(folders: Sequence[Path], blends: Sequence[Blend]) -> list[PeftAdapter]:
    """Merge saved adapters, once for each blend.

    Args:
        folders: peft adapters of one base.
        blends: with a weight for each adapter.

    Raises:
        SettingsError: ranks or shapes that a method can't merge.
        StoreError: a folder holds no plain LoRA adapter.
    """
    adapters = [read_adapter(folder) for folder in folders]
    for blend in blends:
        _check(blend, adapters)
    _check_shapes(adapters, folders)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        tuner = _tuner(adapters)
        return [_merge(tuner, adapters, blend) for blend in blends]


def _check(blend: Blend, adapters: Sequence[PeftAdapter]) -> None:
    ranks = sorted({adapter.rank for adapter in adapters})
    if blend.method in ENTRYWISE and len(ranks) > 1:
        others = ", ".join(method for method in METHODS if method not in ENTRYWISE)
        raise SettingsError(
            f"{blend.method} merges adapters of one rank alone; these have {' and '.join(map(str, ranks))}.",
            f"Use a method that merges the ΔW: {others}; or train with equal ranks.",
        )


def _check_shapes(adapters: Sequence[PeftAdapter], folders: Sequence[Path]) -> None:
    shapes: dict[str, tuple[int, int]] = {}
    for adapter, folder in zip(adapters, folders, strict=True):
        for name, weights in adapter.layers.items():
            shape = _shape(weights)
            if shapes.setdefault(name, shape) != shape:
                raise SettingsError(f"{folder} belongs to another base: {name} has another shape there.", "Merge adapters of one base.")


def _shape(weights: LayerWeights) -> tuple[int, int]:
    return weights.a.shape[1], weights.b.shape[0]


def _tuner(adapters: Sequence[PeftAdapter]) -> Any:
    """peft's LoraModel with every adapter in it, by its number."""
    from peft.tuners.lora import LoraConfig, LoraModel

    layers = {name: _shape(weights) for adapter in adapters for name, weights in adapter.layers.items()}
    skeleton, tuner = _skeleton(layers), None
    for number, adapter in enumerate(adapters):
        alpha: Any = adapter.alpha  # peft declares a whole number and takes any
        config = LoraConfig(
            r=adapter.rank, lora_alpha=alpha, use_rslora=adapter.rslora, target_modules=sorted(adapter.layers),
            init_lora_weights=False,
        )  # fmt: skip
        if tuner is None:
            tuner = LoraModel(skeleton, {str(number): config}, str(number))
        else:
            tuner.peft_config[str(number)] = config
            tuner.inject_adapter(tuner.model, str(number))
        for name, weights in adapter.layers.items():
            layer: Any = skeleton.get_submodule(name)
            layer.lora_A[str(number)].weight.data = weights.a.float()
            layer.lora_B[str(number)].weight.data = weights.b.float()
    return tuner


def _skeleton(layers: Mapping[str, tuple[int, int]]) -> nn.Module:
    """Linear layers at their places in the base, without its weights: ``to_empty`` takes addresses, not memory."""
    root = nn.Module()
    for name, (inner, outer) in layers.items():
        *path, last = name.split(".")
        place = root
        for part in path:
            if not hasattr(place, part):
                place.add_module(part, nn.Module())
            place = place.get_submodule(part)
        place.add_module(last, nn.Linear(inner, outer, bias=False, device="meta").to_empty(device="cpu"))
    return root.requires_grad_(False)


def _merge(tuner: Any, adapters: Sequence[PeftAdapter], blend: Blend) -> PeftAdapter:
    names = [str(number) for number in range(len(adapters))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a density of 1 is asked for by name here
        torch.manual_seed(blend.seed)
        tuner.add_weighted_adapter(
            names, list(blend.weights), MERGED, combination_type=blend.method, density=blend.density, svd_full_matrices=False
        )
    rank = tuner.peft_config[MERGED].r
    layers = {
        name: LayerWeights(module.lora_A[MERGED].weight.data.clone(), module.lora_B[MERGED].weight.data.clone())
        for name, module in tuner.model.named_modules()
        if MERGED in getattr(module, "lora_A", {})
    }
    tuner.delete_adapter(MERGED)
    # The scales of the parts are in A and B already: the merge is B A as it stands, whatever rsLoRA said of them.
    return PeftAdapter(rank, float(rank), False, layers)
