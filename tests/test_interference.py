"""What adapters do to each other: who is asked about whose ideas, and whether the weights tell."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from typer.testing import CliRunner

from paperlora.catalog.catalog import open_catalog, stores
from paperlora.cli import app
from paperlora.control.inside import describe, look_at
from paperlora.judge.asking import Asker, Question
from paperlora.judge.conclude import Taught
from paperlora.judge.cross import choose_pairs, cross_probe, likeness
from paperlora.judge.interference import (
    FEWEST,
    Unit,
    add_inside,
    between_adapters,
    spearman,
    within_adapters,
    worst,
)
from paperlora.judge.judged import Judged, JudgeItem, write_judgement
from paperlora.judge.posterior import rate
from paperlora.judge.run import judgement_key
from paperlora.judge.tally import Subject
from paperlora.lora.inside import Trained, look_inside
from paperlora.model.bank import Bank
from paperlora.model.base import Base
from paperlora.model.tiny import tiny_base
from paperlora.progress import silent
from paperlora.records import (
    Adapter,
    AdapterGeometry,
    AdapterReport,
    BaseModelId,
    Checkpoint,
    CrossProbe,
    Idea,
    Interval,
    Message,
    MicroDataset,
    Overlap,
    Paper,
    Probe,
    Quote,
    Recipe,
    Verdict,
    digest,
)
from paperlora.settings import JudgeSettings, Settings
from paperlora.store import Store, write_json

torch.set_num_threads(1)


# --------------------------------------------------------------- correlations


def crossed(adapter: str, of: str, right: int, margin: float | None = None, relation: str = "random") -> CrossProbe:
    """20 of 40 right with the base."""
    return CrossProbe(
        adapter=adapter, of=of, relation=relation, base=rate(20, 40), adapted=rate(right, 40),  # type: ignore[arg-type]
        change=Interval(value=(right - 20) / 40, low=-1.0, high=1.0), margin_change=margin, weighed=4 if margin is not None else 0,
    )  # fmt: skip


class Planted(NamedTuple):
    cross: list[CrossProbe]
    overlaps: list[Overlap]
    units: dict[str, Unit]


Law = Callable[[float, random.Random], float]


def planted(papers: int, law: Law, recipes: int = 1, seed: int = 0) -> Planted:
    """Adapters that meet four others each; ``law`` tells the change of the margin from the overlap."""
    rng = random.Random(seed)
    units = {f"{paper}/{recipe}": Unit(f"paper{paper}", f"recipe{recipe}") for paper in range(papers) for recipe in range(recipes)}
    names = list(units)
    cosines = {
        (left, right): rng.uniform(-0.3, 0.3) for n, left in enumerate(names) for right in names[n + 1 :]
    }  # fmt: skip
    cross = []
    for name in names:
        others = [other for other in names if units[other].dataset != units[name].dataset and units[other].recipe == units[name].recipe]
        for other in rng.sample(others, min(4, len(others))):
            overlap = cosines.get((name, other), cosines.get((other, name), 0.0))
            moved = law(overlap, rng)
            cross.append(crossed(name, other, round(20 + 10 * moved), moved))
    return Planted(cross, [Overlap(left=a, right=b, cosine=value) for (a, b), value in cosines.items()], units)


def harmful(overlap: float, rng: random.Random) -> float:
    return -3 * overlap + rng.gauss(0, 0.1)


def unrelated(overlap: float, rng: random.Random) -> float:
    return rng.gauss(0, 0.5)


def test_spearman_is_scipys_and_undefined_where_nothing_varies() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=40), rng.integers(4, size=40).astype(float)
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic)
    assert np.isnan(spearman(x, np.zeros(40))) and np.isnan(spearman(x[:2], y[:2]))


def test_a_planted_interference_is_found_with_its_sign() -> None:
    found = between_adapters(*planted(14, harmful))
    assert not found.rejects and [one.pairs for one in found.found] == [56, 56, 56]
    answers, margin, size = found.found
    for one in (answers, margin):
        assert one.value < -0.8 and one.high < -0.6 and one.low <= one.value <= one.high and one.p_value <= 0.001
    assert size.name.startswith("size of overlap") and size.value > 0.6 and size.p_value <= 0.001


def test_nothing_is_found_where_nothing_was_planted_and_it_is_still_told() -> None:
    p_values = []
    for seed in range(12):
        told = between_adapters(*planted(10, unrelated, seed=seed))
        margin = next(one for one in told.found if one.name == "overlap / change of margin")
        p_values.append(margin.p_value)
        assert abs(margin.value) < 0.6
    assert sum(p < 0.05 for p in p_values) <= 3 and max(p_values) > 0.5


def test_permutations_leave_recipes_apart() -> None:
    """A recipe whose adapters all overlap more and all harm more is no evidence that overlap harms."""
    made = planted(10, unrelated, recipes=2, seed=3)
    strong = {name for name, unit in made.units.items() if unit.recipe == "recipe1"}
    overlaps = [
        one.model_copy(update={"cosine": one.cosine + 1 if {one.left, one.right} <= strong else one.cosine}) for one in made.overlaps
    ]
    cross = [one.model_copy(update={"margin_change": (one.margin_change or 0) - 5 * (one.adapter in strong)}) for one in made.cross]
    told = between_adapters(cross, overlaps, made.units)
    margin = next(one for one in told.found if one.name == "overlap / change of margin")
    assert margin.value < -0.5 and margin.p_value > 0.05


def test_too_few_papers_and_constant_sides_are_rejected_with_their_reason() -> None:
    few = between_adapters(*planted(FEWEST - 1, harmful))
    assert not few.found and {one.reason for one in few.rejects} == {"too_few"} and len(few.rejects) == 3
    flat = between_adapters(*planted(10, lambda overlap, rng: 0.0))
    assert not flat.found and {one.reason for one in flat.rejects} == {"no_variation"}
    made = planted(10, harmful)
    unweighed = [one.model_copy(update={"margin_change": None}) for one in made.cross]
    told = between_adapters(unweighed, made.overlaps, made.units)
    assert [one.name for one in told.found] == ["overlap / change of right answers"]
    assert {one.reason for one in told.rejects} == {"too_few"}


def test_own_ideas_count_as_no_interference() -> None:
    made = planted(8, harmful)
    own = [crossed(name, name, 40, 9.0, "own") for name in made.units]
    assert between_adapters([*own, *made.cross], made.overlaps, made.units) == between_adapters(*made)


def geometry(name: str, norm: float, rank: float, intruders: int | None = None) -> AdapterGeometry:
    return AdapterGeometry(adapter=name, relative_norm=norm, effective_rank=rank, intruders=intruders, layers=())


def report(name: str, drift: float) -> AdapterReport:
    return AdapterReport(adapter=name, live=True, liveness=1.0, noise_floor=0.0, damaged=False, damage={"nll_drift": drift})


def test_norm_against_damage_is_told_beside_what_is_not_related() -> None:
    rng = random.Random(2)
    shapes = [geometry(str(n), n / 100, rng.uniform(1, 8)) for n in range(20)]
    told = within_adapters(shapes, [report(str(n), n * n + rng.random()) for n in range(20)], [])
    found = {one.name: one for one in told.found}
    assert found["relative norm / nll drift"].value > 0.95 and found["relative norm / nll drift"].p_value <= 0.001
    assert found["effective rank / nll drift"].p_value > 0.05
    assert {one.item for one in told.rejects if one.item.startswith("intruders")} == {
        "intruders / nll drift", "intruders / known facts", "intruders / own right answers", "intruders / others' margins",
    }  # fmt: skip


def test_what_an_adapter_does_to_all_others_is_set_against_its_norm() -> None:
    rng = random.Random(5)
    cross = [crossed(str(n), str((n + step) % 12), 20, -n / 2 + rng.gauss(0, 0.1)) for n in range(12) for step in (1, 2, 3)]
    own = [crossed(str(n), str(n), 40, 50.0, "own") for n in range(12)]
    told = within_adapters([geometry(str(n), n / 100, 2.0) for n in range(12)], [], [*cross, *own])
    found = next(one for one in told.found if one.name == "relative norm / others' margins")
    assert found.value < -0.95 and found.pairs == 12
    assert ("effective rank / others' margins", "no_variation") in {(one.item, one.reason) for one in told.rejects}


def test_worst_pairs_come_first_and_harmless_ones_not_at_all() -> None:
    pairs = [
        crossed("a", "b", 18, 0.0), crossed("b", "a", 5, 0.2), crossed("a", "c", 20, -1.0), crossed("c", "a", 22, 0.5),
        crossed("c", "c", 0, -9.0, "own"),
    ]  # fmt: skip
    assert [(one.adapter, one.of) for one in worst(pairs, 9)] == [("b", "a"), ("a", "b"), ("a", "c")]
    assert len(worst(pairs, 1)) == 1


# --------------------------------------------------------------- cross-probes

SUBJECTS = ("Tidal Replay", "Copper Sieve", "Amber Gate", "Silent Merge", "Tidal Store", "Violet Cache")


def idea_of(number: int, relation: str, answer: str) -> Idea:
    subject = SUBJECTS[number]
    claim = f"The {relation} of {subject} is {answer}."
    quote = Quote(section=0, heading="", page=1, start=0, end=len(claim), text=claim)
    return Idea(
        id=digest(subject, relation)[:16], paper=f"arxiv:9901.0000{number}v1", topic="t", reader="extractive/1", kind="method",
        claim=claim, subject=subject, relation=relation, answer=answer, answer_kind="number", qwen_change="training",
        prediction="recall", quotes=(quote,),
    )  # fmt: skip


def probes_of(idea: Idea, waves: tuple[int, ...] = (1, 1, 1, 2)) -> tuple[Probe, ...]:
    return tuple(
        Probe(
            id=digest(idea.id, place)[:16], idea=idea.id, family="direct", form=f"form {place}", answers=(idea.answer,),
            messages=(Message(role="user", content=f"{place}: what is the {idea.relation} of {idea.subject}?"),),
            distractors=("12 percent", "640 steps"), wave=wave,
        )
        for place, wave in enumerate(waves)
    )  # fmt: skip


def taught_of(number: int, base_id: BaseModelId, recipe: Recipe | None = None, others: tuple[str, ...] = ()) -> Taught:
    ideas = (idea_of(number, "replay share", "37 percent"), idea_of(number, "decay horizon", "48 tokens"))
    recipe = recipe or Recipe(rank=4, alpha=8)
    paper = Paper(id=f"arxiv:9901.0000{number}", title=SUBJECTS[number], abstract="")
    dataset = MicroDataset(id=f"{paper.key}/r", paper=paper, topic="t", reader="r", revision="r", ideas=ideas, counts={}, probes_hash="h")
    name = f"{dataset.id}/{digest(recipe)[:12]}"
    subjects = tuple(Subject(idea, probes_of(idea), name, others) for idea in ideas)
    adapter = Adapter(
        id=name, dataset=dataset.id, dataset_hash="h", paper=paper.key, topic="t", recipe=recipe, base=base_id,
        checkpoints=(Checkpoint(step=1, epoch=1, folder="adapter", loss=1.0, delta_norm=1.0),), steps=1, rows=1, tokens=1,
        loss_tokens=1, seconds=1.0, final_loss=1.0, delta_norm=1.0, relative_delta_norm=1.0,
    )  # fmt: skip
    told = AdapterReport(adapter=name, live=True, liveness=1.0, noise_floor=0.0, damaged=False, damage={"nll_drift": number / 10})
    return Taught(adapter, dataset, subjects, told)


BASE_ID = BaseModelId(name="b", weights_hash="w", template_hash="t", dtype="float32")


def pairs_of(taught: list[Taught], nearest: int, random: int) -> set[tuple[str, str, str]]:
    return {(one.adapter.adapter.id, one.of.dataset.paper.title, one.relation) for one in choose_pairs(taught, nearest, random)}


def test_papers_that_say_alike_are_near() -> None:
    like = likeness([[idea_of(n, "replay share", "37 percent")] for n in range(6)])
    assert all(like[n][n] == pytest.approx(1.0) for n in range(6))
    assert max(range(1, 6), key=lambda n: like[0][n]) == 4 and like[0][4] == pytest.approx(like[4][0])
    assert likeness([[], [idea_of(0, "a", "b")]])[0] == [0.0, 0.0]


def test_everyone_is_asked_about_the_nearest_and_some_others_in_any_order() -> None:
    taught = [taught_of(n, BASE_ID) for n in range(6)]
    pairs = pairs_of(taught, 1, 2)
    assert pairs == pairs_of(list(reversed(taught)), 1, 2) and len(pairs) == 6 * 4
    assert (taught[0].adapter.id, "Tidal Store", "nearest") in pairs
    for one in taught:
        own = [(title, relation) for name, title, relation in pairs if name == one.adapter.id]
        assert len({title for title, _ in own}) == 4 and (one.dataset.paper.title, "own") in own


def test_a_paper_is_asked_about_once_and_never_by_its_other_adapters() -> None:
    strong = Recipe(rank=4, alpha=8, learning_rate=1e-3)
    taught = [taught_of(n, BASE_ID, recipe) for n in range(3) for recipe in (None, strong)]
    pairs = list(choose_pairs(taught, 2, 2))
    for one in pairs:
        if one.relation != "own":
            assert one.adapter.dataset.id != one.of.dataset.id and one.adapter.adapter.recipe == one.of.adapter.recipe
    assert len(pairs) == 6 * 3


def test_random_ones_are_those_that_were_asked_already() -> None:
    asker = taught_of(0, BASE_ID)
    taught = [asker, *(taught_of(n, BASE_ID, others=(asker.adapter.id,) if n == 5 else ()) for n in range(1, 6))]
    drawn = [one.of.dataset.paper.title for one in choose_pairs(taught, 0, 1) if one.adapter is asker and one.relation == "random"]
    assert drawn == ["Violet Cache"]


class Live(NamedTuple):
    taught: list[Taught]
    slots: dict[str, int]
    folders: list[Path]
    base: Base


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Live:
    """Seven adapters on a tiny real model, their weights drawn at random."""
    base, root = tiny_base(tmp_path_factory.mktemp("base")), tmp_path_factory.mktemp("adapters")
    taught = [taught_of(n, base.id) for n in range(6)]
    folders = [root / str(number) for number in range(6)]
    with Bank.fresh(base, 6, 4, [8.0] * 6, range(6)) as bank:
        bank.weights += 0.1 * torch.randn(bank.weights.shape, generator=torch.Generator().manual_seed(0))
        for slot, folder in enumerate(folders):
            bank.save(slot, folder / "adapter")
    return Live(taught, {one.adapter.id: slot for slot, one in enumerate(taught, start=1)}, folders, base)


def asker_of(live: Live, work: Path, batch_rows: int = 16) -> Asker:
    bank = Bank.load(live.base, [None, *(folder / "adapter" for folder in live.folders)])
    return Asker(bank, ["base", *live.slots], work, max_new_tokens=4, batch_rows=batch_rows, progress=silent)


def test_a_real_bank_is_asked_and_answers_alike_in_other_batches(live: Live, tmp_path: Path) -> None:
    judge = JudgeSettings(cross_nearest=1, cross_random=1, cross_probes=5, margins=2)
    asker = asker_of(live, tmp_path / "a")
    cross = cross_probe(live.taught, live.slots, asker, judge)
    assert [one.relation for one in cross] == ["own", "nearest", "random"] * 6
    assert {(one.base.asked, one.adapted.asked, one.weighed) for one in cross} == {(5, 5, 4)}
    assert all(one.change.low <= one.change.value <= one.change.high for one in cross)
    moved = [one.margin_change for one in cross]
    assert all(value is not None and value != 0.0 for value in moved) and len(set(moved)) == len(moved)
    again = cross_probe(live.taught, live.slots, asker_of(live, tmp_path / "b", batch_rows=7), judge)
    assert [one.adapted for one in again] == [one.adapted for one in cross]
    assert [one.margin_change for one in again] == pytest.approx(moved, abs=1e-4)


def test_what_was_asked_before_costs_nothing_and_later_probes_are_left(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker, judge = asker_of(live, tmp_path), JudgeSettings(cross_nearest=1, cross_random=2, margins=0)
    for slot in range(7):
        first = [probe for one in live.taught for s in one.subjects for probe in s.probes if probe.wave == 1]
        asker.ask([Question(slot, probe.messages) for probe in first])
    monkeypatch.setattr(asker, "ask_afresh", lambda *_, **__: pytest.fail("it was asked again"))
    cross = cross_probe(live.taught, live.slots, asker, judge)
    assert {(one.base.asked, one.margin_change, one.weighed) for one in cross} == {(6, None, 0)}


def test_a_judgement_gets_what_is_inside_and_keeps_what_it_had(live: Live, tmp_path: Path) -> None:
    cross = cross_probe(live.taught, live.slots, asker_of(live, tmp_path), JudgeSettings())
    judged = Judged((), (), (), tuple(one.report for one in live.taught), (), cross=cross)
    adapters = [one.adapter for one in live.taught]
    inside = look_inside([Trained(*pair) for pair in zip(adapters, live.folders, strict=True)], live.base, 1, tmp_path)
    whole = add_inside(judged, adapters, inside.geometries, inside.overlaps)
    assert whole.geometries == inside.geometries and len(whole.overlaps) == 15 and whole.cross == cross
    names = [one.name for one in whole.correlations] + [one.item for one in whole.rejects]
    assert len(names) == len(set(names)) == 15
    assert {"overlap / change of margin", "relative norm / nll drift"} <= {one.name for one in whole.correlations}
    twice = add_inside(whole, adapters, inside.geometries, inside.overlaps)
    assert twice.correlations[: len(whole.correlations)] == whole.correlations


# ------------------------------------------------------------- what is shown


def verdict_of(one: Taught) -> Verdict:
    none = rate(0, 8)
    return Verdict(
        id=f"verdict:{one.adapter.id}", idea=one.dataset.ideas[0].id, adapter=one.adapter.id, paper=one.adapter.paper, topic="t",
        claim="c", kind="INCONCLUSIVE", reason="r", base=none, adapted=none, gain=Interval(value=0.0, low=-1.0, high=1.0),
    )  # fmt: skip


@pytest.fixture
def house(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A store with two adapters, one of which was looked into, harms the other, and was judged anew since."""
    settings = Settings(home=tmp_path / "var", datasets=tmp_path / "datasets")
    monkeypatch.chdir(tmp_path)
    store, (first, second) = Store.at(settings.store_root), live.taught[:2]
    for key, one in (("a", first), ("b", second)):
        with store.writing("adapters", key) as draft:
            write_json(draft.path / "adapter.json", one.adapter)
    inside = look_inside([Trained(first.adapter, live.folders[0])], live.base, 1, tmp_path / "models")
    cross = (crossed(first.adapter.id, second.adapter.id, 9, -0.5), crossed(first.adapter.id, first.adapter.id, 40, 1.0, "own"))
    verdicts = (verdict_of(first), verdict_of(second))
    overlap = Overlap(left=second.adapter.id, right=first.adapter.id, cosine=-0.25)
    whole = Judged((), verdicts, (), (), (), cross=cross, geometries=inside.geometries, overlaps=(overlap,))
    write_judgement(whole, store, "one", {})
    open_catalog(settings).refresh(list(stores(settings)))
    return settings


def test_show_tells_what_an_adapter_looks_like_and_whom_it_harms(house: Settings, live: Live) -> None:
    first, second = (one.adapter.id for one in live.taught[:2])
    told = json.loads(CliRunner().invoke(app, ["show", first, "--json"], catch_exceptions=False).stdout)["inside"]
    assert told["geometry"]["relative_norm"] > 0 and len(told["geometry"]["layers"]) == 14 and told["asked"] == 1
    assert [one["of"] for one in told["harms"]] == [second] and told["harmed_by"] == []
    said = " ".join(CliRunner().invoke(app, ["show", first], catch_exceptions=False).stdout.split())
    assert f"{told['geometry']['effective_rank']:.1f} directions a layer on average" in said
    assert f"{told['geometry']['intruders']} in 7 matrices" in said
    assert f"{second} (-0.25)" in said and f"{second}: 9 of 40 right, the base 20, margin -0.50 nats a token" in said


def test_show_says_nothing_of_an_inside_that_was_not_looked_at(house: Settings, live: Live) -> None:
    second = live.taught[1].adapter.id
    assert "inside" not in json.loads(CliRunner().invoke(app, ["show", second, "--json"], catch_exceptions=False).stdout)


def test_the_newest_judgement_that_looked_inside_counts(house: Settings, live: Live, tmp_path: Path) -> None:
    store, first = Store.at(house.store_root), live.taught[0].adapter.id
    shapes = [geometry(first, 0.5, 2.0).model_copy(update={"adapter": first})]
    later = write_judgement(Judged((), (), (), (), (), geometries=tuple(shapes)), store, "two", {})
    last = write_judgement(Judged((), (), (), (), ()), store, "three", {})
    seen = look_at(first, store.folders("judgements"))
    assert seen is not None and (seen.judgement, seen.geometry.relative_norm) == (later, 0.5)
    assert dict(describe(seen))["harms most"] == "it was asked about nobody else's ideas"
    assert look_at(first, [last]) is None


def test_the_task_puts_the_inside_into_the_judgement(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tasks.judge

    monkeypatch.setattr(tasks.judge, "ProgressArtifact", lambda key: silent)
    settings = Settings(models=tmp_path / "models", judge=JudgeSettings(intruder_layers=1))
    items = [JudgeItem(one.adapter, folder, one.dataset, ()) for one, folder in zip(live.taught, live.folders, strict=True)]
    told = Judged((), (), (), tuple(one.report for one in live.taught), ())
    whole = tasks.judge._with_inside(told, items, live.base, settings)
    assert [one.adapter for one in whole.geometries] == list(live.slots) and len(whole.overlaps) == 15
    assert all(one.intruders is not None for one in whole.geometries) and whole.reports == told.reports
    assert "relative norm / nll drift" in {one.name for one in whole.correlations}


def test_other_cross_probes_are_another_judgement(live: Live, tmp_path: Path) -> None:
    items = [JudgeItem(one.adapter, folder, one.dataset, ()) for one, folder in zip(live.taught, live.folders, strict=True)]
    changes = ({}, {"cross_nearest": 1}, {"cross_random": 0}, {"cross_probes": 8}, {"intruder_layers": 0})
    keys = {judgement_key(items, Settings(judge=JudgeSettings(**change)), live.base.id) for change in changes}  # type: ignore[arg-type]
    assert len(keys) == len(changes)
