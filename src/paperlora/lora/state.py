"""The bank's state on disk: what a killed training goes on from, to the same final weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from paperlora.lora.telemetry import StepTelemetry
from paperlora.records import Checkpoint, Record

STATE = "state.pt"


class SlotState(Record):
    """How far one adapter is, apart from its tensors."""

    telemetry: tuple[StepTelemetry, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    diverged: str = ""
    """Why it was given up; empty while it wasn't."""


class BankState(Record):
    """How far the bank is, apart from its tensors."""

    step: int
    """Steps done."""
    seconds: float
    slots: tuple[SlotState, ...]


def save_state(folder: Path, state: BankState, tensors: dict[str, Tensor]) -> None:
    """Write the state; a kill at any moment leaves the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{STATE}.{os.getpid()}"
    with aside.open("wb") as handle:
        torch.save({"state": state.model_dump_json(), **tensors}, handle)
        handle.flush()
        os.fsync(handle.fileno())
    aside.replace(folder / STATE)


def load_state(folder: Path, device: torch.device) -> tuple[BankState, dict[str, Tensor]] | None:
    """The saved state and its tensors; None where there is none."""
    if not (folder / STATE).exists():
        return None
    saved: dict[str, Any] = torch.load(folder / STATE, map_location=device, weights_only=True)
    return BankState.model_validate_json(saved.pop("state")), saved
