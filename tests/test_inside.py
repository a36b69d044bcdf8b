"""What adapters look like inside, against what the plain way through ΔW and its SVD gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from paperlora.lora.inside import Inside, Stacked, Trained, effective_rank, look_inside, products, singular_values
from paperlora.lora.intruders import LARGEST, Spectrum, count_intruders, likeness, spectrum_of
from paperlora.lora.telemetry import LayerNorms
from paperlora.model.base import Base
from paperlora.model.peft_files import LayerWeights, PeftAdapter, read_adapter, write_adapter
from paperlora.model.tiny import tiny_base
from paperlora.records import Adapter, BaseModelId, Checkpoint, Recipe
from paperlora.store import write_jsonl

torch.set_num_threads(1)

LAYERS = ("model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj", "model.layers.1.mlp.gate_proj")
GAP = 1e-4


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_base(tmp_path_factory.mktemp("base"))


def weight(base: Base, layer: str) -> Tensor:
    found: Tensor = base.model.get_submodule(layer).weight
    return found


def drawn(base: Base, seed: int, rank: int = 4, alpha: float = 8.0, *, rslora: bool = False, size: float = 0.05) -> PeftAdapter:
    generator = torch.Generator().manual_seed(seed)
    return PeftAdapter(rank, alpha, rslora, {
        name: LayerWeights(
            torch.randn(rank, weight(base, name).shape[1], generator=generator) * size,
            torch.randn(weight(base, name).shape[0], rank, generator=generator) * size,
        )
        for name in LAYERS
    })  # fmt: skip


def kept(folder: Path, adapter: PeftAdapter, base: Base, weights_hash: str = "") -> Trained:
    write_adapter(folder / "adapter", adapter, base.id.name)
    known = base.id if not weights_hash else BaseModelId(**base.id.model_dump() | {"weights_hash": weights_hash})
    record = Adapter(
        id=folder.name, dataset="d", dataset_hash="h", paper="p", topic="t", recipe=Recipe(rank=adapter.rank), base=known,
        checkpoints=(Checkpoint(step=1, epoch=1, folder="adapter", loss=1.0, delta_norm=1.0),), steps=1, rows=1, tokens=1,
        loss_tokens=1, seconds=1.0, final_loss=1.0, delta_norm=1.0, relative_delta_norm=1.0,
    )  # fmt: skip
    return Trained(record, folder)


def deltas(adapter: PeftAdapter) -> dict[str, Tensor]:
    return {name: (layer.b @ layer.a * adapter.scale).double() for name, layer in adapter.layers.items()}


def turned(adapter: PeftAdapter) -> PeftAdapter:
    """The same adapter in other entries: B R and R⁻¹ A."""
    torch.manual_seed(11)
    turn = torch.randn(adapter.rank, adapter.rank) + 3 * torch.eye(adapter.rank)
    layers = {name: LayerWeights(torch.linalg.solve(turn, one.a), one.b @ turn) for name, one in adapter.layers.items()}
    return adapter._replace(layers=layers)


@pytest.fixture(scope="module")
def adapters(base: Base) -> dict[str, PeftAdapter]:
    """Three of different rank and scaling, one of which comes twice in other entries."""
    first, second = drawn(base, 1), drawn(base, 2, rank=6, alpha=3.0, rslora=True, size=0.2)
    mixed = first._replace(layers={name: LayerWeights(-one.a, one.b) for name, one in first.layers.items()})
    return {"first": first, "second": second, "opposite": mixed, "turned": turned(first)}


@pytest.fixture(scope="module")
def inside(base: Base, adapters: dict[str, PeftAdapter], tmp_path_factory: pytest.TempPathFactory) -> Inside:
    root = tmp_path_factory.mktemp("adapters")
    trained = [kept(root / name, adapter, base) for name, adapter in adapters.items()]
    return look_inside(trained, base, 2, root / "models")


def test_every_number_is_that_of_the_materialised_change(base: Base, adapters: dict[str, PeftAdapter], inside: Inside) -> None:
    for geometry in inside.geometries:
        change, squares = deltas(adapters[geometry.adapter]), 0.0
        assert len(geometry.layers) == len(LAYERS)
        by_place = {(layer.layer, layer.module): layer for layer in geometry.layers}
        for name, delta in change.items():
            layer = by_place[int(name.split(".")[2]), name.rsplit(".", 1)[-1]]
            values = torch.linalg.svdvals(delta)[: adapters[geometry.adapter].rank]
            assert layer.singular_values == pytest.approx(values.tolist(), rel=GAP)
            assert layer.relative_norm == pytest.approx(float(delta.norm() / weight(base, name).norm()), rel=GAP)
            shares = values.square() / values.square().sum()
            assert layer.effective_rank == pytest.approx(float(torch.exp(-(shares * shares.log()).sum())), rel=GAP)
            squares += float(delta.square().sum())
        whole = sum(float(weight(base, name).square().sum()) for name in LAYERS)
        assert geometry.relative_norm == pytest.approx((squares / whole) ** 0.5, rel=GAP)


def test_overlaps_are_cosines_of_the_whole_change(adapters: dict[str, PeftAdapter], inside: Inside) -> None:
    flat = {name: torch.cat([delta.flatten() for delta in deltas(one).values()]) for name, one in adapters.items()}
    assert [(one.left, one.right) for one in inside.overlaps] == [
        ("first", "second"), ("first", "opposite"), ("first", "turned"), ("second", "opposite"), ("second", "turned"),
        ("opposite", "turned"),
    ]  # fmt: skip
    for one in inside.overlaps:
        wanted = torch.nn.functional.cosine_similarity(flat[one.left], flat[one.right], dim=0)
        assert one.cosine == pytest.approx(float(wanted), abs=GAP)
    assert {one.cosine for one in inside.overlaps if "second" not in (one.left, one.right)} == {1.0, -1.0}


def test_other_entries_of_the_same_adapter_give_the_same_numbers(inside: Inside) -> None:
    first, other = (next(one for one in inside.geometries if one.adapter == name) for name in ("first", "turned"))
    assert other.relative_norm == pytest.approx(first.relative_norm, rel=GAP)
    assert other.effective_rank == pytest.approx(first.effective_rank, rel=GAP) and other.intruders == first.intruders
    for mine, theirs in zip(first.layers, other.layers, strict=True):
        assert theirs.singular_values == pytest.approx(mine.singular_values, rel=1e-3)


def test_products_are_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer = Stacked(torch.randn(5, 3, 7), torch.randn(5, 9, 3))
    flat = (layer.b @ layer.a).flatten(1)
    monkeypatch.setattr("paperlora.lora.inside.TOGETHER", 2)
    assert torch.allclose(products(layer), flat @ flat.t(), rtol=1e-4, atol=1e-4)


def test_one_direction_has_effective_rank_one_and_equal_ones_count_whole() -> None:
    alone = Stacked(torch.randn(1, 1, 20), torch.randn(1, 30, 1))
    assert effective_rank(singular_values(alone)[0]) == pytest.approx(1.0)
    assert effective_rank(torch.tensor([2.0, 2.0, 2.0, 0.0])) == pytest.approx(3.0)
    assert effective_rank(torch.zeros(4)) == 0.0


def test_ranks_above_a_layers_width_are_no_trouble() -> None:
    torch.manual_seed(0)
    layer = Stacked(torch.randn(2, 8, 5), torch.randn(2, 30, 8))
    plain = torch.linalg.svdvals(layer.b[0] @ layer.a[0])
    assert singular_values(layer)[0].tolist() == pytest.approx(plain.tolist(), rel=1e-4)


# ---------------------------------------------------------------- intruders


def spectrum(matrix: Tensor) -> Spectrum:
    return Spectrum(*torch.linalg.svd(matrix, full_matrices=False))


@pytest.mark.parametrize("shape", [(48, 48), (64, 32), (32, 64)])
def test_likeness_is_that_of_the_whole_svd(shape: tuple[int, int]) -> None:
    torch.manual_seed(3)
    base, a, b = torch.randn(shape), torch.randn(6, 4, shape[1]), torch.randn(6, shape[0], 4)
    b = b * torch.tensor([0.0, 0.05, 0.2, 0.5, 1.0, 3.0])[:, None, None]
    got = likeness(spectrum(base), a, b)
    mine = spectrum(base).u
    for row, delta in zip(got, b @ a, strict=True):
        whole = torch.linalg.svd(base + delta, full_matrices=False).U[:, :LARGEST]
        assert row.tolist() == pytest.approx((mine.t() @ whole).abs().amax(dim=0).tolist(), abs=0.02)


def test_a_large_change_in_a_direction_between_the_bases_own_is_an_intruder() -> None:
    torch.manual_seed(4)
    base = torch.diag(torch.linspace(40, 1, 40))
    even = torch.ones(40, 1) / 40**0.5  # cosine .16 with every direction of the base
    along = torch.eye(40)[:, :1]
    a = torch.stack([even.t(), along.t(), even.t(), torch.zeros(1, 40)])
    b = torch.stack([even * 400, along * 400, even * 0.1, torch.zeros(40, 1)])
    assert count_intruders(spectrum(base), a, b) == [1, 0, 0, 0]


def test_intruders_are_looked_for_in_as_many_layers_as_wanted_and_spectra_are_kept(
    base: Base, adapters: dict[str, PeftAdapter], tmp_path: Path
) -> None:
    trained = [kept(tmp_path / "big", drawn(base, 5, size=1.0), base)]
    models = tmp_path / "models"
    none = look_inside(trained, base, 0, models).geometries[0]
    assert none.intruders is None and all(layer.intruders is None for layer in none.layers) and not models.exists()
    one = look_inside(trained, base, 1, models).geometries[0]
    assert {layer.layer for layer in one.layers if layer.intruders is not None} == {1}
    assert one.intruders == sum(layer.intruders or 0 for layer in one.layers) > 0
    before = {path: path.stat().st_mtime_ns for path in models.rglob("*.safetensors")}
    assert len(before) == 2 and look_inside(trained, base, 1, models).geometries[0] == one
    assert {path: path.stat().st_mtime_ns for path in models.rglob("*.safetensors")} == before
    again = spectrum_of(base, LAYERS[0], models)
    assert torch.allclose(again.u @ torch.diag(again.s) @ again.vt, weight(base, LAYERS[0]), atol=1e-5)


# ------------------------------------------------------------------ folders


def test_the_course_is_told_by_layer_and_module(base: Base, tmp_path: Path) -> None:
    one = kept(tmp_path / "one", drawn(base, 1), base)
    norms = [LayerNorms(step=step, delta={LAYERS[0]: 1.0}, relative={LAYERS[0]: 0.01 * step}) for step in (1, 8)]
    write_jsonl(one.folder / "norms.jsonl", norms)
    course = look_inside([one], base, 0, tmp_path).geometries[0].course
    assert [(point.step, point.relative) for point in course] == [(1, {"0.q_proj": 0.01}), (8, {"0.q_proj": 0.08})]


def test_other_bases_are_passed_over_and_unreadable_adapters_named(base: Base, tmp_path: Path) -> None:
    good, other, broken = (
        kept(tmp_path / "good", drawn(base, 1), base), kept(tmp_path / "other", drawn(base, 1), base, "w"),
        kept(tmp_path / "broken", drawn(base, 1), base),
    )  # fmt: skip
    (broken.folder / "adapter" / "adapter_model.safetensors").write_bytes(b"no weights")
    found = look_inside([good, other, broken], base, 0, tmp_path)
    assert [one.adapter for one in found.geometries] == ["good"] and found.overlaps == ()
    assert [(one.item, one.reason) for one in found.rejects] == [("broken", "unreadable_adapter")]
    assert read_adapter(good.folder / "adapter").scale == 2.0


def test_an_adapter_that_changes_nothing_overlaps_with_none(base: Base, tmp_path: Path) -> None:
    zero = drawn(base, 1)
    zero = zero._replace(layers={name: one._replace(b=torch.zeros_like(one.b)) for name, one in zero.layers.items()})
    found = look_inside([kept(tmp_path / "zero", zero, base), kept(tmp_path / "one", drawn(base, 2), base)], base, 0, tmp_path)
    assert [one.cosine for one in found.overlaps] == [0.0]
    assert (found.geometries[0].relative_norm, found.geometries[0].effective_rank) == (0.0, 0.0)
