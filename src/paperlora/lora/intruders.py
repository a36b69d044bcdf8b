"""Intruder dimensions: directions among the largest of W + ΔW that W doesn't have (2410.21228).

The base's weights are taken apart once, W = U S Vᵀ, and kept. In these coordinates W + s B A is a diagonal matrix plus one
of the adapter's rank, so that the largest directions of every adapter are found without forming ΔW, and the coordinates of
each are its cosines with all of the base's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from paperlora.model.base import Base
from paperlora.model.layers import dense_weight
from paperlora.records import digest
from paperlora.store import Store

LARGEST = 10
"""Directions of W + ΔW that are looked at, as in the paper."""
ALIKE = 0.5
"""Largest |cosine| below which a direction has no like, as in the paper."""
MORE = 10
"""Directions that are carried along beyond those looked at: they part close singular values."""
ROUNDS = 8
"""Of subspace iteration; more change no count on the weights that were tried."""
FILE = "spectrum.safetensors"


class Spectrum(NamedTuple):
    """W = U diag(S) Vᵀ of one layer."""

    u: Tensor
    """out × n."""
    s: Tensor
    """n, largest first."""
    vt: Tensor
    """n × in."""


def spectrum_of(base: Base, layer: str, cache: Path) -> Spectrum:
    """The spectrum of one of the base's layers, from the cache where it is there already.

    Args:
        cache: folder of the base models; what is kept takes up to three times the layer's size.
    """
    store, key = Store.at(cache.expanduser()), digest("spectrum/1", base.id.weights_hash, base.id.dtype, layer)[:24]
    if not store.has("spectra", key):
        weight = dense_weight(base.model.get_submodule(layer)).float()
        u, s, vt = torch.linalg.svd(weight, full_matrices=False)
        with store.writing("spectra", key) as draft:
            save_file({name: part.cpu().contiguous() for name, part in {"u": u, "s": s, "vt": vt}.items()}, draft.path / FILE)
            draft.models = {"base": base.id.name}
            draft.settings = {"layer": layer, "dtype": base.id.dtype}
    tensors = load_file(store.folder("spectra", key) / FILE, device=str(base.device))
    return Spectrum(tensors["u"], tensors["s"], tensors["vt"])


def count_intruders(base: Spectrum, a: Tensor, b: Tensor) -> list[int]:
    """Intruders of each adapter in one layer.

    Args:
        base: the layer's own spectrum.
        a: K × rank × in.
        b: K × out × rank, with the adapters' scale in it.
    """
    return [int((best < ALIKE).sum()) for best in likeness(base, a, b)]


def likeness(base: Spectrum, a: Tensor, b: Tensor) -> Tensor:
    """Largest |cosine| (K × 10) of the ten largest left singular vectors of W + ΔW with any of W's; arguments as
    :func:`count_intruders`."""
    with one_thread():
        left, right = _coordinates(base.u, b), _coordinates(base.vt.t(), a.transpose(1, 2))
        vectors = _largest_left(base.s, left, right, min(LARGEST, len(base.s)))
    return vectors[:, : len(base.s)].abs().amax(dim=1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Many small factorisations on a busy CPU wait at the threads' barriers far longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _coordinates(basis: Tensor, columns: Tensor) -> Tensor:
    """Columns (K × d × rank) by an orthonormal basis (d × n), what lies outside it in rank further rows: K × (n + rank) × rank."""
    inside = basis.t() @ columns
    outside = torch.linalg.qr(columns - basis @ inside, mode="r").R
    missing = columns.shape[2] - outside.shape[1]
    return torch.cat([inside, functional.pad(outside, (0, 0, 0, missing))], dim=1)


def _largest_left(s: Tensor, left: Tensor, right: Tensor, count: int) -> Tensor:
    """Left singular vectors (K × size × count) of diag(s) + left rightᵀ, by subspace iteration and Rayleigh–Ritz."""
    adapters, size, rank = left.shape
    diagonal = functional.pad(s, (0, size - len(s)))[:, None]
    own = torch.eye(size, min(count + MORE, size - rank), device=s.device).expand(adapters, -1, -1)
    found = torch.linalg.qr(torch.cat([own, left / left.norm(dim=(1, 2), keepdim=True).clamp_min(1e-30)], dim=2)).Q
    for _ in range(ROUNDS):
        across = diagonal * found + right @ (left.transpose(1, 2) @ found)
        found = torch.linalg.qr(diagonal * across + left @ (right.transpose(1, 2) @ across)).Q
    across = diagonal * found + right @ (left.transpose(1, 2) @ found)
    turn = torch.linalg.svd(across, full_matrices=False).Vh[:, :count]
    return found @ turn.transpose(1, 2)
