"""What adapters look like inside: how far each layer moved, in how many directions, and how much two adapters overlap.

Everything is computed from A and B; no ΔW is formed. Entries of A or B are never compared: (B R, R⁻¹ A) is the same adapter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from paperlora.errors import StoreError
from paperlora.lora.intruders import count_intruders, one_thread, spectrum_of
from paperlora.lora.telemetry import LayerNorms
from paperlora.model.base import Base
from paperlora.model.layers import dense_weight
from paperlora.model.peft_files import OpenAdapter, open_adapter
from paperlora.progress import Progress, silent
from paperlora.records import Adapter, AdapterGeometry, LayerGeometry, NormsAt, Overlap, Reject
from paperlora.store import read_jsonl

TOGETHER = 32
"""Adapters whose products with all others are held at once."""
DIGITS = 6
"""Significant digits that are kept."""


class Trained(NamedTuple):
    """An adapter and where it lies."""

    adapter: Adapter
    folder: Path
    """Its folder in the store."""


class Inside(NamedTuple):
    """What was found."""

    geometries: tuple[AdapterGeometry, ...]
    overlaps: tuple[Overlap, ...]
    """Of all pairs, in the adapters' order."""
    rejects: tuple[Reject, ...]
    """Adapters that can't be read."""


class Stacked(NamedTuple):
    """One layer of every adapter that has it; lower ranks are filled up with zeros."""

    a: Tensor
    """K × rank × in, float32."""
    b: Tensor
    """K × out × rank, float32, with the adapter's scale in it."""


def look_inside(
    adapters: Sequence[Trained], base: Base, intruder_layers: int, cache: Path, progress: Progress = silent
) -> Inside:
    """Geometry of every adapter of this base, and the overlap of every pair.

    Args:
        adapters: those of other bases are passed over.
        base: the frozen model.
        intruder_layers: decoder layers, spread over the depth, in which intruders are looked for.
        cache: where the base's spectra are kept.
        progress: told of the layers done.
    """
    own = [one for one in adapters if one.adapter.base.weights_hash == base.id.weights_hash]
    opened, rejects = _open(own)
    names = sorted({name for _, one in opened for name in one.names}, key=_place)
    searched = _spread([_place(name).layer for name in names], intruder_layers)
    dots = torch.zeros(len(opened), len(opened), dtype=torch.float64)
    found: list[dict[str, LayerGeometry]] = [{} for _ in opened]
    sizes: dict[str, float] = {}
    for done, name in enumerate(names, start=1):
        holders = [index for index, (_, one) in enumerate(opened) if name in one.names]
        stacked = stack([opened[index][1] for index in holders], name, base.device)
        sizes[name] = float(dense_weight(base.model.get_submodule(name)).float().norm())
        place = torch.tensor(holders)
        dots[place[:, None], place[None]] += products(stacked).double().cpu()
        spectrum = spectrum_of(base, name, cache) if _place(name).layer in searched else None
        counts = count_intruders(spectrum, *stacked) if spectrum else [None] * len(holders)
        for index, values, count in zip(holders, singular_values(stacked), counts, strict=True):
            kept = values[: opened[index][1].rank]
            found[index][name] = _layer(name, kept, sizes[name], count)
        progress("layers looked into", done, len(names))
    geometries = tuple(_adapter(one, layers, sizes) for (one, _), layers in zip(opened, found, strict=True))
    return Inside(geometries, tuple(_overlaps([one.adapter.id for one, _ in opened], dots)), tuple(rejects))


# ---------------------------------------------------------------- one layer


def stack(adapters: Sequence[OpenAdapter], name: str, device: torch.device) -> Stacked:
    """One layer of several adapters, scaled and side by side."""
    rank = max(one.rank for one in adapters)
    parts = [(one.layer(name), one.scale, rank - one.rank) for one in adapters]
    a = torch.stack([functional.pad(layer.a.float(), (0, 0, 0, more)) for layer, _, more in parts])
    b = torch.stack([functional.pad(layer.b.float() * scale, (0, more)) for layer, scale, more in parts])
    return Stacked(a.to(device), b.to(device))


def singular_values(layer: Stacked) -> list[Tensor]:
    """Of each ΔW, largest first: those of R_B R_Aᵀ, with R_B and R_A from the QR of B and Aᵀ."""
    with one_thread():
        left = torch.linalg.qr(layer.b, mode="r").R
        right = torch.linalg.qr(layer.a.transpose(1, 2), mode="r").R
        return list(torch.linalg.svdvals(left @ right.transpose(1, 2)).cpu())


def products(layer: Stacked) -> Tensor:
    """⟨ΔWᵢ, ΔWⱼ⟩ = tr((BⱼᵀBᵢ)(AᵢAⱼᵀ)) of all pairs, K × K."""
    count, rank = layer.a.shape[:2]
    a, b = layer.a.flatten(0, 1), layer.b.transpose(1, 2).flatten(0, 1)
    out = layer.a.new_zeros(count, count)
    for start in range(0, count, TOGETHER):
        rows, others = slice(start * rank, (start + TOGETHER) * rank), slice(start * rank, None)
        both = (a[rows] @ a[others].t()).mul_(b[rows] @ b[others].t())
        out[start : start + TOGETHER, start:] = both.view(-1, rank, count - start, rank).sum(dim=(1, 3))
    return out.triu() + out.triu(1).t()


def effective_rank(values: Tensor) -> float:
    """exp(H(σ² / Σσ²)) of singular values; 0 where ΔW is zero."""
    energy = values.double().square()
    if not energy.sum() > 0:
        return 0.0
    return float(torch.special.entr(energy / energy.sum()).sum().exp())


class _Place(NamedTuple):
    layer: int
    module: str


def _place(name: str) -> _Place:
    """``model.layers.12.self_attn.q_proj`` → (12, q_proj); −1 outside the decoder's layers."""
    number = re.search(r"\.(\d+)\.", name)
    return _Place(int(number[1]) if number else -1, name.rsplit(".", 1)[-1])


def _spread(layers: Sequence[int], wanted: int) -> set[int]:
    """Decoder layers at even distances, the middle one where only one is wanted."""
    known = sorted({layer for layer in layers if layer >= 0})
    wanted = min(wanted, len(known))
    return {known[int((step + 0.5) * len(known) / wanted)] for step in range(wanted)}


def _layer(name: str, values: Tensor, size: float, intruders: int | None) -> LayerGeometry:
    place, norm = _place(name), float(values.norm())
    return LayerGeometry(
        layer=place.layer, module=place.module, relative_norm=_round(norm / size), effective_rank=_round(effective_rank(values)),
        singular_values=tuple(map(_round, values.tolist())), intruders=intruders,
    )  # fmt: skip


def _round(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


# -------------------------------------------------------------- one adapter


def _open(adapters: Sequence[Trained]) -> tuple[list[tuple[Trained, OpenAdapter]], list[Reject]]:
    opened, rejects = [], []
    for one in adapters:
        try:
            opened.append((one, open_adapter(one.folder / one.adapter.folder)))
        except StoreError as error:
            rejects.append(Reject(stage="judge", item=one.adapter.id, reason="unreadable_adapter", detail=str(error)))
    return opened, rejects


def _adapter(one: Trained, layers: Mapping[str, LayerGeometry], sizes: Mapping[str, float]) -> AdapterGeometry:
    energy = {name: (layer.relative_norm * sizes[name]) ** 2 for name, layer in layers.items()}
    total, size = sum(energy.values()), sum(sizes[name] ** 2 for name in layers)
    counts = [layer.intruders for layer in layers.values() if layer.intruders is not None]
    mean = sum(energy[name] * layer.effective_rank for name, layer in layers.items()) / total if total else 0.0
    return AdapterGeometry(
        adapter=one.adapter.id,
        relative_norm=_round((total / size) ** 0.5) if size else 0.0,
        effective_rank=_round(mean),
        intruders=sum(counts) if counts else None,
        layers=tuple(layers.values()),
        course=tuple(_course(one.folder)),
    )


def _course(folder: Path) -> Iterator[NormsAt]:
    """What its training noted at each point of the dose curve."""
    for point in read_jsonl(folder / "norms.jsonl", LayerNorms) if (folder / "norms.jsonl").exists() else ():
        places = ((_place(name), value) for name, value in point.relative.items())
        yield NormsAt(step=point.step, relative={f"{place.layer}.{place.module}": _round(value) for place, value in places})


def _overlaps(names: Sequence[str], dots: Tensor) -> Iterator[Overlap]:
    """Cosines of all pairs; an adapter that changes nothing overlaps with none."""
    norms = dots.diagonal().clamp_min(0).sqrt()
    cosines = (dots / (norms[:, None] * norms[None]).clamp_min(1e-300)).clamp(-1, 1).tolist()
    for left in range(len(names)):
        for right in range(left + 1, len(names)):
            yield Overlap(left=names[left], right=names[right], cosine=_round(cosines[left][right]))
