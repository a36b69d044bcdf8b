"""Plain peft adapters on disk: what a bank reads and writes, and what peft, transformers and vLLM load."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from paperlora.errors import StoreError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."

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


def read_adapter(folder: Path) -> PeftAdapter:
    """Read a LoRA adapter.

    Raises:
        StoreError: missing, or of a kind a bank can't hold.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS)
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder} holds no readable peft adapter: {error}.") from error
    used = [name for name in UNSUPPORTED if config.get(name)]
    if config.get("peft_type") != "LORA" or config.get("bias", "none") != "none" or used:
        raise StoreError(f"{folder} is no plain LoRA adapter ({', '.join(used) or config.get('peft_type')}).")
    return PeftAdapter(
        int(config["r"]), float(config["lora_alpha"]), bool(config.get("use_rslora")), _layers(tensors, folder)
    )


def _layers(tensors: Mapping[str, Tensor], folder: Path) -> dict[str, LayerWeights]:
    endings = (".lora_A.weight", ".lora_B.weight")
    strange = [name for name in tensors if not name.startswith(PREFIX) or not name.endswith(endings)]
    if strange:
        raise StoreError(f"{folder} holds {strange[0]}, which is no part of a plain LoRA adapter.")
    names = sorted({name.removeprefix(PREFIX).rsplit(".lora_", 1)[0] for name in tensors})
    try:
        return {name: LayerWeights(*(tensors[PREFIX + name + ending] for ending in endings)) for name in names}
    except KeyError as error:
        raise StoreError(f"{folder} lacks {error.args[0]}.") from None


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
