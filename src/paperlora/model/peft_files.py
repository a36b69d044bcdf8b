"""Plain peft adapters on disk: what a bank reads and writes, and what peft, transformers and vLLM load."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from paperlora.errors import StoreError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
ENDINGS = (".lora_A.weight", ".lora_B.weight")

UNSUPPORTED = (
    "use_dora", "lora_bias", "modules_to_save", "rank_pattern", "alpha_pattern", "layer_replication", "target_parameters",
    "trainable_token_indices", "alora_invocation_tokens", "use_qalora", "use_bdlora",
)  # fmt: skip
"""Options of peft under which an adapter is more than x A B · scale beside linear layers."""


class LayerWeights(NamedTuple):
    """One layer's share of an adapter, as peft stores it."""

    a: Tensor
    """rank × in."""
    b: Tensor
    """out × rank."""


class PeftAdapter(NamedTuple):
    """One adapter."""

    rank: int
    alpha: float
    rslora: bool
    """Scaled by alpha / √rank, not alpha / rank."""
    layers: Mapping[str, LayerWeights]
    """By the layer's name in the base model."""

    @property
    def scale(self) -> float:
        """What x A B is multiplied with."""
        return self.alpha / (self.rank**0.5 if self.rslora else self.rank)


class OpenAdapter(NamedTuple):
    """One adapter on disk whose layers are read when they are asked for: hundreds may be open at once."""

    rank: int
    scale: float
    """As :attr:`PeftAdapter.scale`."""
    names: tuple[str, ...]
    """Its layers, by their names in the base model."""
    file: Any
    """The mapped file of its weights."""

    def layer(self, name: str) -> LayerWeights:
        """One layer."""
        return LayerWeights(*(self.file.get_tensor(PREFIX + name + ending) for ending in ENDINGS))


def open_adapter(folder: Path) -> OpenAdapter:
    """Open a LoRA adapter without reading its weights.

    Raises:
        StoreError: as :func:`read_adapter`.
    """
    config = _config(folder)
    try:
        file = safe_open(folder / WEIGHTS, "pt")
    except (OSError, SafetensorError) as error:
        raise StoreError(f"{folder} holds no readable peft adapter: {error}.") from error
    scale = PeftAdapter(int(config["r"]), float(config["lora_alpha"]), bool(config.get("use_rslora")), {}).scale
    return OpenAdapter(int(config["r"]), scale, tuple(_names(file.keys(), folder)), file)


def read_adapter(folder: Path) -> PeftAdapter:
    """Read a LoRA adapter.

    Raises:
        StoreError: missing, or of a kind a bank can't hold.
    """
    config = _config(folder)
    try:
        tensors = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise StoreError(f"{folder} holds no readable peft adapter: {error}.") from error
    layers = {
        name: LayerWeights(*(tensors[PREFIX + name + ending] for ending in ENDINGS)) for name in _names(tensors, folder)
    }
    return PeftAdapter(int(config["r"]), float(config["lora_alpha"]), bool(config.get("use_rslora")), layers)


def _config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder} holds no readable peft adapter: {error}.") from error
    used = [name for name in UNSUPPORTED if config.get(name)]
    if config.get("peft_type") != "LORA" or config.get("bias", "none") != "none" or used:
        raise StoreError(f"{folder} is no plain LoRA adapter ({', '.join(used) or config.get('peft_type')}).")
    return config


def _names(tensors: Iterable[str], folder: Path) -> list[str]:
    held = set(tensors)
    strange = [name for name in sorted(held) if not name.startswith(PREFIX) or not name.endswith(ENDINGS)]
    if strange:
        raise StoreError(f"{folder} holds {strange[0]}, which is no part of a plain LoRA adapter.")
    names = sorted({name.removeprefix(PREFIX).rsplit(".lora_", 1)[0] for name in held})
    lacking = [PREFIX + name + ending for name in names for ending in ENDINGS if PREFIX + name + ending not in held]
    if lacking:
        raise StoreError(f"{folder} lacks {lacking[0]}.")
    return names


def write_adapter(folder: Path, adapter: PeftAdapter, base: str) -> None:
    """Write an adapter; equal adapters give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, weights in adapter.layers.items():
        tensors[f"{PREFIX}{name}.lora_A.weight"] = weights.a.to("cpu", torch.float32).contiguous()
        tensors[f"{PREFIX}{name}.lora_B.weight"] = weights.b.to("cpu", torch.float32).contiguous()
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    config: dict[str, Any] = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": adapter.rank,
        "lora_alpha": int(adapter.alpha) if adapter.alpha == int(adapter.alpha) else adapter.alpha,
        "use_rslora": adapter.rslora,
        "target_modules": sorted({name.rsplit(".", 1)[-1] for name in adapter.layers}),
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True), encoding="utf-8")
