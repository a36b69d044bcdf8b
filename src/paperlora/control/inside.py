"""What the newest judgement of an adapter says of its inside and of what it does to others, for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from paperlora.judge.interference import worst
from paperlora.records import AdapterGeometry, CrossProbe, Overlap, Record
from paperlora.store import fetch, read_manifest

R = TypeVar("R", bound=Record)
SHOWN = 3


class Seen(NamedTuple):
    """One adapter as a judgement saw it."""

    judgement: str
    geometry: AdapterGeometry
    overlaps: tuple[Overlap, ...]
    """With the adapters whose change is most like its own, or most opposed to it."""
    harms: tuple[CrossProbe, ...]
    """Whose ideas it harms most, worst first; empty where it harms none that it was asked about."""
    harmed_by: tuple[CrossProbe, ...]
    """Who harms its own ideas most."""
    asked: int
    """Other adapters about whose ideas it was asked."""


def look_at(adapter: str, judgements: Iterable[str]) -> Seen | None:
    """The newest of these judgements that looked into the adapter; None where none did.

    Args:
        adapter: its id.
        judgements: URIs of judgements' folders.
    """
    newest = sorted(judgements, key=lambda uri: read_manifest(uri).created, reverse=True)
    return next((seen for uri in newest if (seen := _look(adapter, uri)) is not None), None)


def _look(adapter: str, uri: str) -> Seen | None:
    folder = fetch(uri)
    geometry = next((one for one in _naming(adapter, folder / "geometries.jsonl", AdapterGeometry) if one.adapter == adapter), None)
    if geometry is None:
        return None
    overlaps = sorted(_naming(adapter, folder / "overlaps.jsonl", Overlap), key=lambda one: -abs(one.cosine))
    cross = [one for one in _naming(adapter, folder / "cross.jsonl", CrossProbe) if one.relation != "own"]
    mine = [one for one in cross if one.adapter == adapter]
    theirs = [one for one in cross if one.of == adapter]
    return Seen(uri, geometry, tuple(overlaps[:SHOWN]), tuple(worst(mine, SHOWN)), tuple(worst(theirs, SHOWN)), len(mine))


def _naming(adapter: str, path: Path, kind: type[R]) -> Iterator[R]:
    """Records that name the adapter; the others, of which there may be a hundred thousand, are not even parsed."""
    if path.exists():
        with path.open(encoding="utf-8") as lines:
            yield from (kind.model_validate_json(line) for line in lines if f'"{adapter}"' in line)


def describe(seen: Seen) -> Iterator[tuple[str, str]]:
    """A few lines for a person: what it is called, and what is said."""
    shape = seen.geometry
    yield "inside", f"moved by {shape.relative_norm:.2%} of the weights' norm, in {shape.effective_rank:.1f} directions a layer on average"
    if shape.layers:
        most = max(shape.layers, key=lambda one: one.relative_norm)
        yield "moved most", f"layer {most.layer}, {most.module}: {most.relative_norm:.2%}, {most.effective_rank:.1f} directions"
    looked = sum(one.intruders is not None for one in shape.layers)
    yield "intruders", f"{shape.intruders} in {looked} matrices" if shape.intruders is not None else "not looked for"
    if seen.overlaps:
        yield "weights most like", "; ".join(f"{_other(shape.adapter, one)} ({one.cosine:+.2f})" for one in seen.overlaps)
    yield from _harm("harms most", [(one.of, one) for one in seen.harms], seen.asked)
    if seen.harmed_by:
        yield from _harm("harmed most by", [(one.adapter, one) for one in seen.harmed_by], seen.asked)


def _other(adapter: str, overlap: Overlap) -> str:
    return overlap.right if overlap.left == adapter else overlap.left


def _harm(title: str, named: list[tuple[str, CrossProbe]], asked: int) -> Iterator[tuple[str, str]]:
    if not named:
        yield title, f"none of the {asked} others about whose ideas it was asked" if asked else "it was asked about nobody else's ideas"
    for name, one in named:
        margin = "" if one.margin_change is None else f", margin {one.margin_change:+.2f} nats a token"
        yield title, f"{name}: {one.adapted.right} of {one.adapted.asked} right, the base {one.base.right}{margin}"
        title = ""
