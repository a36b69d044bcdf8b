"""What a training leaves to look at: a line a step, and the same for TensorBoard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paperlora.records import Checkpoint, Record
from paperlora.store import write_jsonl


class StepTelemetry(Record):
    """One optimiser step of one adapter."""

    step: int
    """Counted from 1."""
    epoch: float
    loss: float
    """Mean of the step's rows before its update, nats a token."""
    gradient_norm: float
    """Before clipping."""
    learning_rate: float
    tokens: int
    """Tokens of the step's rows, prompts included."""
    loss_tokens: int
    seconds: float
    """Since the bank began, pauses between a kill and its resumption left out."""
    time: float
    """Seconds since 1970."""


def write_telemetry(folder: Path, steps: Sequence[StepTelemetry], checkpoints: Sequence[Checkpoint]) -> None:
    """Write ``telemetry.jsonl`` and ``tensorboard/`` into the folder."""
    from torch.utils.tensorboard import SummaryWriter

    write_jsonl(folder / "telemetry.jsonl", steps)
    times = {line.step: line.time for line in steps}
    with SummaryWriter(str(folder / "tensorboard")) as writer:
        for line in steps:
            for name in ("loss", "gradient_norm", "learning_rate"):
                writer.add_scalar(f"train/{name}", getattr(line, name), line.step, walltime=line.time)
        for point in checkpoints:
            at = times.get(point.step, steps[0].time)
            writer.add_scalar("dose/delta_norm", point.delta_norm, point.step, walltime=at)
            for idea, margin in point.dev_margin.items():
                writer.add_scalar(f"dev_margin/{idea}", margin, point.step, walltime=at)
