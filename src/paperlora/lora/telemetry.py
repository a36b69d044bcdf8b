"""What a training leaves to look at: a line a step, norms by layer, and the same for TensorBoard."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
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
    neighbours: int = 0
    """Adapters that were trained in the same pass."""
    seconds: float
    """Since its first step, pauses between a kill and its resumption left out."""
    time: float
    """Seconds since 1970."""


class LayerNorms(Record):
    """Size of the adapter in every layer at one checkpoint."""

    step: int
    delta: dict[str, float]
    """Layer → ‖ΔW‖_F."""
    relative: dict[str, float]
    """Layer → ‖ΔW‖_F / ‖W‖_F."""


def by_module(values: Mapping[str, float]) -> dict[str, float]:
    """Mean over the layers of each kind of module: ``q_proj``, ``down_proj`` …"""
    groups: dict[str, list[float]] = defaultdict(list)
    for name, value in values.items():
        groups[name.rsplit(".", 1)[-1]].append(value)
    return {name: sum(group) / len(group) for name, group in groups.items()}


def by_depth(values: Mapping[str, float]) -> dict[int, float]:
    """Mean over the modules of each decoder layer, counted from 0."""
    groups: dict[int, list[float]] = defaultdict(list)
    for name, value in values.items():
        found = re.search(r"\.(\d+)\.", name)
        if found:
            groups[int(found[1])].append(value)
    return {depth: sum(group) / len(group) for depth, group in sorted(groups.items())}


def write_telemetry(
    folder: Path, steps: Sequence[StepTelemetry], checkpoints: Sequence[Checkpoint], norms: Sequence[LayerNorms]
) -> None:
    """Write ``telemetry.jsonl``, ``norms.jsonl`` and ``tensorboard/`` into the folder."""
    from torch.utils.tensorboard import SummaryWriter

    write_jsonl(folder / "telemetry.jsonl", steps)
    write_jsonl(folder / "norms.jsonl", norms)
    times = {line.step: line.time for line in steps}
    with SummaryWriter(str(folder / "tensorboard")) as writer:
        for line in steps:
            for name in ("loss", "gradient_norm", "learning_rate"):
                writer.add_scalar(f"train/{name}", getattr(line, name), line.step, walltime=line.time)
        for point in checkpoints:
            at = times.get(point.step, steps[0].time)
            writer.add_scalar("dose/delta_norm", point.delta_norm, point.step, walltime=at)
            if point.drift is not None:
                writer.add_scalar("dose/drift", point.drift, point.step, walltime=at)
            for idea, margin in point.dev_margin.items():
                writer.add_scalar(f"dev_margin/{idea}", margin, point.step, walltime=at)
        for norm in norms:
            at = times.get(norm.step, steps[0].time)
            for module, value in by_module(norm.relative).items():
                writer.add_scalar(f"relative_norm/{module}", value, norm.step, walltime=at)
            for depth, value in by_depth(norm.relative).items():
                writer.add_scalar(f"relative_norm_by_layer/{depth:02d}", value, norm.step, walltime=at)
