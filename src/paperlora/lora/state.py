"""What is kept of a training while it runs: one file an adapter, from which it goes on after a kill.

It depends on no neighbour and no slot: an adapter may begin in one bank and end in another.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from paperlora.lora.telemetry import LayerNorms, StepTelemetry
from paperlora.records import Checkpoint, Record

STATE = "state.pt"


class Progress(Record):
    """How far one adapter is, apart from its tensors."""

    step: int = 0
    """Steps done."""
    seconds: float = 0.0
    """Wall time in a seat."""
    device_seconds: float = 0.0
    """Its share of the steps it took part in, by tokens."""
    joules: float | None = None
    """Its share of what the device drew, by tokens; None where that can't be read."""
    peak_bytes: int = 0
    """Most memory of the bank while it took part."""
    telemetry: tuple[StepTelemetry, ...] = ()
    norms: tuple[LayerNorms, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    stopped: str = ""
    """Why it ends before its dose; empty while it doesn't."""


class Kept(NamedTuple):
    """A saved training."""

    progress: Progress
    weights: Tensor
    """One row of the bank, at the adapter's own rank."""
    mean: Tensor
    square: Tensor


def save_state(folder: Path, kept: Kept) -> None:
    """Write the state; a kill at any moment leaves the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{STATE}.{os.getpid()}"
    tensors = {"weights": kept.weights, "mean": kept.mean, "square": kept.square}
    with aside.open("wb") as handle:
        # A row is a view of the whole bank: cloned, or the file would hold every neighbour too.
        torch.save({"progress": kept.progress.model_dump_json(), **{k: t.detach().cpu().clone() for k, t in tensors.items()}}, handle)
        handle.flush()
        os.fsync(handle.fileno())
    aside.replace(folder / STATE)


def load_state(folder: Path) -> Kept | None:
    """The saved training; None where there is none."""
    if not (folder / STATE).exists():
        return None
    saved: dict[str, Any] = torch.load(folder / STATE, map_location="cpu", weights_only=True)
    return Kept(Progress.model_validate_json(saved["progress"]), saved["weights"], saved["mean"], saved["square"])
