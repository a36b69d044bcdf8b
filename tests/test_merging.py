"""Merges beside peft's own, what they keep of two taught adapters, and the command that makes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from peft import PeftModel
from torch import Tensor
from tutor import teach_adapter, user
from typer.testing import CliRunner

import paperlora.control.merge as control
from paperlora.cli import app
from paperlora.control.chat import find_adapter, open_pair
from paperlora.control.merge import merge
from paperlora.errors import AdapterNotLive, SettingsError
from paperlora.judge.judged import JudgeItem
from paperlora.judge.merging import Merged, measure_merges
from paperlora.judge.pools import Known, Pools
from paperlora.lora.merge import COMPARED, ENTRYWISE, METHODS, blend_of, merge_adapters
from paperlora.microdata.build import LoadedDataset, build_dataset, load
from paperlora.model.answers import next_token_logits
from paperlora.model.bank import Bank
from paperlora.model.base import Base, load_base
from paperlora.model.chat import render_prompt
from paperlora.model.peft_files import PeftAdapter, read_adapter, write_adapter
from paperlora.model.tiny import tiny_base
from paperlora.records import Adapter, Idea, Merge, Paper, Quote, Recipe, digest
from paperlora.settings import JudgeSettings, Settings
from paperlora.store import Store, read_manifest, write_json

torch.set_num_threads(1)
POOLS = Pools((Known("Which word follows loss?", "After loss comes which word?", ("falls",)),), ("Say something.",), ("The loss falls from 14.2 to 11.9.",))


# ----------------------------------------------------------- weights, beside peft


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_base(tmp_path_factory.mktemp("base"))


def noisy(base: Base, folder: Path, seed: int, rank: int = 4, rslora: bool = False) -> Path:
    """An adapter that changes every layer."""
    with Bank.fresh(base, 1, rank, [2.0 * rank], [seed]) as bank:
        bank.weights += 0.05 * torch.randn(bank.weights.shape, generator=torch.Generator().manual_seed(seed))
        bank.info[0] = bank.info[0]._replace(rslora=rslora)
        bank.save(0, folder)
    return folder


@pytest.fixture(scope="module")
def folders(base: Base, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("noisy")
    return [noisy(base, root / str(seed), seed) for seed in (1, 2)]


def logits(base: Base, folder: Path) -> Tensor:
    prompts = [user("What is the replay share?"), user("Which benchmark is used?")]
    with Bank.load(base, [folder]) as bank:
        return next_token_logits(bank, prompts, 0)


def saved(base: Base, adapter: PeftAdapter, folder: Path) -> Path:
    write_adapter(folder, adapter, base.id.name)
    return folder


@pytest.mark.parametrize("rslora", [False, True])
def test_a_linear_merge_with_weights_one_and_nought_is_the_adapter_itself(
    base: Base, folders: list[Path], tmp_path: Path, rslora: bool
) -> None:
    first = noisy(base, tmp_path / "first", 3, rslora=rslora)
    (merged,) = merge_adapters([first, folders[1]], [blend_of("linear", 2, (1, 0))])
    torch.testing.assert_close(logits(base, saved(base, merged, tmp_path / "merged")), logits(base, first), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["linear", "cat", "ties", "svd", "ties_svd"])
def test_a_merge_has_the_logits_of_pefts_own(base: Base, folders: list[Path], tmp_path: Path, method: str) -> None:
    blend = blend_of(method, 2, (0.7, 0.5))
    (merged,) = merge_adapters(folders, [blend])
    model = PeftModel.from_pretrained(load_base(base.id.name, device="cpu", cache=tmp_path).model, folders[0], adapter_name="a")
    model.load_adapter(folders[1], "b")
    model.add_weighted_adapter(["a", "b"], [0.7, 0.5], "both", combination_type=method, density=blend.density)
    model.set_adapter("both")
    model.save_pretrained(tmp_path / "peft", selected_adapters=["both"])
    ours, theirs = logits(base, saved(base, merged, tmp_path / "ours")), logits(base, tmp_path / "peft" / "both")
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    ids = render_prompt(base.tokenizer, user("Which benchmark is used?"))
    with torch.no_grad():
        torch.testing.assert_close(ours[1], model(input_ids=torch.tensor([ids])).logits[0, -1], rtol=1e-4, atol=1e-4)


def deltas(adapter: PeftAdapter) -> dict[str, Tensor]:
    return {name: adapter.scale * weights.b @ weights.a for name, weights in adapter.layers.items()}


def test_cat_is_the_exact_sum_of_both_and_linear_is_not(base: Base, folders: list[Path]) -> None:
    parts = [deltas(read_adapter(folder)) for folder in folders]
    linear, cat = merge_adapters(folders, [blend_of("linear", 2, (1, 2)), blend_of("cat", 2, (1, 2))])
    assert (linear.rank, cat.rank) == (4, 8)
    for name, delta in deltas(cat).items():
        wanted = parts[0][name] + 2 * parts[1][name]
        torch.testing.assert_close(delta, wanted, rtol=1e-4, atol=1e-5)
        assert (deltas(linear)[name] - wanted).norm() > 0.1 * wanted.norm()


def test_dare_drops_by_its_seed_and_keeps_everything_at_full_density(folders: list[Path]) -> None:
    half = [blend_of("dare_linear", 2, (1, 1), 0.5, seed) for seed in (0, 0, 1)]
    one, same, other, whole, linear = merge_adapters(
        folders, [*half, blend_of("dare_linear", 2, (1, 1), 1.0), blend_of("linear", 2, (1, 1))]
    )
    name = next(iter(one.layers))
    assert torch.equal(one.layers[name].a, same.layers[name].a) and not torch.equal(one.layers[name].a, other.layers[name].a)
    torch.testing.assert_close(whole.layers[name].a, linear.layers[name].a)
    assert (one.layers[name].a == 0).float().mean() == pytest.approx(0.25, abs=0.1)


def test_merging_leaves_torchs_own_draws_alone(folders: list[Path]) -> None:
    torch.manual_seed(5)
    before = torch.rand(1)
    torch.manual_seed(5)
    merge_adapters(folders, [blend_of("dare_ties", 2)])
    assert torch.equal(torch.rand(1), before)


@pytest.mark.parametrize("method", METHODS)
def test_unequal_ranks_merge_where_the_method_can_and_say_so_where_it_cannot(
    base: Base, folders: list[Path], tmp_path: Path, method: str
) -> None:
    wide = noisy(base, tmp_path / "wide", 3, rank=8)
    blends = [blend_of(method, 2)]
    if method in ENTRYWISE:
        with pytest.raises(SettingsError, match="these have 4 and 8"):
            merge_adapters([folders[0], wide], blends)
    else:
        assert merge_adapters([folders[0], wide], blends)[0].rank == (12 if method == "cat" else 8)


def test_adapters_of_another_base_are_refused(folders: list[Path], tmp_path: Path) -> None:
    wider = tiny_base(tmp_path / "wider", hidden=32)
    with pytest.raises(SettingsError, match="another base"):
        merge_adapters([folders[0], noisy(wider, tmp_path / "other", 4)], [blend_of("cat", 2)])


@pytest.mark.parametrize(
    ("method", "count", "weights", "density", "problem"),
    [
        ("mean", 2, (), 0.5, "no method mean"),
        ("linear", 1, (), 0.5, "two adapters"),
        ("linear", 3, (1, 1), 0.5, "2 weights for 3"),
        ("ties", 2, (), 0.0, "density of 0"),
        ("ties", 2, (), 1.5, "density of 1.5"),
    ],
)
def test_what_can_not_be_merged_is_told(method: str, count: int, weights: tuple[float, ...], density: float, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        blend_of(method, count, weights, density)


# ------------------------------------------------------------- what merges keep


FACTS = {
    "Tidal Replay": [("replay share", "37 percent"), ("decay horizon", "640 steps")],
    "Copper Sieve": [("scoring window", "96 tokens"), ("kept share", "23 percent")],
}


def idea_of(paper: str, subject: str, relation: str, answer: str) -> Idea:
    claim = f"The {relation} of {subject} is {answer}."
    quote = Quote(section=0, heading="", page=1, start=0, end=len(claim), text=claim)
    return Idea(
        id=digest(paper, subject, relation, answer)[:16], paper=paper, topic="t", reader="extractive/1", kind="method",
        claim=claim, subject=subject, relation=relation, answer=answer, answer_kind="number", qwen_change="training",
        prediction="recall", quotes=(quote,),
    )  # fmt: skip


class World(NamedTuple):
    base: Base
    settings: Settings
    items: tuple[JudgeItem, ...]


def direct(dataset: LoadedDataset) -> list[tuple[str, str]]:
    probes = [p for p in dataset.probes if p.family == "direct" and p.wave == 1 and p.split == "test" and len(p.messages) == 1]
    return [(probe.messages[0].content, probe.answers[0]) for probe in probes]


@pytest.fixture(scope="module")
def world(base: Base, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two papers' real datasets, and an adapter for each that answers its direct probes."""
    root = tmp_path_factory.mktemp("world")
    settings = Settings(
        home=root, datasets=root / "datasets", base_model=base.id.name, models=root,
        judge=JudgeSettings(max_new_tokens=8, batch_rows=32, damage="quick"),
    )  # fmt: skip
    papers = {name: f"arxiv:9901.0000{n}" for n, name in enumerate(FACTS)}
    ideas = {name: [idea_of(papers[name] + "v1", name, *fact) for fact in facts] for name, facts in FACTS.items()}
    every = [idea for own in ideas.values() for idea in own]
    items = []
    for name, own in ideas.items():
        paper = Paper(id=papers[name], title=f"{name}: a study", abstract=f"We study {name}.")
        dataset = load(Path(build_dataset(paper, "t", own, every, settings, Store.at(settings.datasets))))
        items.append(taught(base, settings, dataset))
    return World(base, settings, tuple(items))


def taught(base: Base, settings: Settings, dataset: LoadedDataset) -> JudgeItem:
    key = dataset.record.id.replace("/", "-") + "-000000000000"
    adapter = Adapter(
        id=f"{dataset.record.id}/000000000000", dataset=dataset.record.id, dataset_hash=dataset.content_hash,
        paper=dataset.record.paper.key, topic="t", recipe=Recipe(rank=4, alpha=8), base=base.id, checkpoints=(), steps=60,
        rows=len(dataset.rows), tokens=1, loss_tokens=1, seconds=1.0, final_loss=0.01, delta_norm=1.0, relative_delta_norm=0.1,
    )  # fmt: skip
    store = Store.at(settings.store_root)
    with store.writing("adapters", key) as draft, Bank.fresh(base, 1, 4, [8.0], [len(key)]) as bank:
        teach_adapter(bank, 0, direct(dataset), steps=50)
        bank.save(0, draft.path / "adapter")
        write_json(draft.path / "adapter.json", adapter)
    return JudgeItem(adapter, store.folder("adapters", key), dataset.record, dataset.probes, dataset.rows)


def measured(world: World, tmp_path: Path, *weights: tuple[float, float], method: str = "cat") -> tuple[Merge, ...]:
    blends = [blend_of(method, 2, pair) for pair in weights]
    made = merge_adapters([item.adapter_folder / "adapter" for item in world.items], blends)
    merged = []
    for number, (blend, adapter) in enumerate(zip(blends, made, strict=True)):
        record = Merge(
            id=str(number), method=blend.method, weights=blend.weights, kept=(), damage={},
            adapters=tuple(item.adapter.id for item in world.items),
        )  # fmt: skip
        merged.append(Merged(record, saved(world.base, adapter, tmp_path / str(number))))
    return measure_merges(world.items, merged, world.base, world.settings, tmp_path / "work", pools=POOLS)


def test_a_merge_that_is_one_adapter_keeps_it_whole_and_loses_the_other(world: World, tmp_path: Path) -> None:
    first, second = measured(world, tmp_path, (1.0, 0.0), (0.0, 1.0))
    for merge_, whole, gone in ((first, 0, 1), (second, 1, 0)):
        kept = merge_.kept[whole]
        assert kept.merged == kept.alone and kept.alone.right > kept.base.right + 8 and kept.keeps.low < 0 < kept.keeps.high
        lost = merge_.kept[gone]
        assert lost.merged.right < lost.alone.right and lost.keeps.high < 0
        assert {one.idea for one in merge_.diagnoses} <= {idea.id for idea in world.items[gone].dataset.ideas}
        assert merge_.diagnoses
    assert {"nll_drift", "unique_ratio"} <= set(first.damage)


def test_a_lost_idea_says_who_took_its_place_and_what_serving_singly_will_give(world: World, tmp_path: Path) -> None:
    (merge_,) = measured(world, tmp_path, (1.0, 0.0))
    for one in merge_.diagnoses:
        in_the_way = one.cause.startswith("adapters get in each other's way")
        assert in_the_way or one.cause.startswith("the merge blurs it")
        assert in_the_way == any(idea.answer in one.symptom for idea in world.items[0].dataset.ideas)
        (promise,) = one.expects
        assert promise.measure == "direct" and promise.idea == one.idea and promise.value > 0.5
        assert "serve" in one.action


def test_a_merge_of_nothing_is_not_believed(world: World, tmp_path: Path) -> None:
    with pytest.raises(AdapterNotLive, match="doesn't change what"):
        measured(world, tmp_path, (0.0, 0.0))


# ------------------------------------------------------------------ the command


def test_every_method_is_kept_and_measured_in_one_load_and_read_the_next_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [item.adapter.id for item in world.items]
    done = merge(world.settings, names, "all", (1, 1), pools=POOLS)
    assert [one.merge.method for one in done] == list(COMPARED)
    for one in done:
        assert {kept.adapter for kept in one.merge.kept} == set(names) and one.merge.rank == (8 if one.merge.method == "cat" else 4)
        assert set(read_manifest(one.uri).inputs) == {find_adapter(world.settings, name) for name in names}
    monkeypatch.setattr(control, "base_of", lambda settings: pytest.fail("it was made again"))
    assert merge(world.settings, names, "all", (1, 1), pools=POOLS) == done
    monkeypatch.undo()
    turn = open_pair(world.settings, done[1].merge.id).ask(direct_question(world))
    assert turn.base != turn.adapter


def direct_question(world: World) -> str:
    probe = next(p for p in world.items[0].probes if p.family == "direct" and len(p.messages) == 1)
    return probe.messages[0].content


def test_the_command_prints_a_table_and_json(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "paperlora.toml"
    lines = [f'home = "{world.settings.home}"', f'datasets = "{world.settings.datasets}"', f'models = "{world.settings.models}"']
    lines += [f'base_model = "{world.base.id.name}"', "[judge]", "max_new_tokens = 8", 'damage = "quick"']
    config.write_text("\n".join(lines))
    monkeypatch.setenv("PAPERLORA_CONFIG", str(config))
    names = [item.adapter.id for item in world.items]
    arguments = ["merge", *names, "--method", "cat", "--weights", "1,0", "--config", str(config)]
    told = CliRunner().invoke(app, [*arguments, "--json"])
    assert told.exit_code == 0, told.output
    (found,) = json.loads(told.stdout)
    assert found["method"] == "cat" and found["weights"] == [1.0, 0.0] and len(found["kept"]) == 2 and Path(found["uri"]).is_dir()
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0 and "keeps (95%)" in shown.output and found["id"] in shown.output.replace("\n", "")


def test_a_missing_and_a_doubled_adapter_are_told(world: World) -> None:
    name = world.items[0].adapter.id
    with pytest.raises(SettingsError, match="no adapter nothing"):
        merge(world.settings, [name, "nothing"], pools=POOLS)
    with pytest.raises(SettingsError, match="named twice"):
        merge(world.settings, [name, name], pools=POOLS)
    with pytest.raises(SettingsError, match="list of numbers"):
        CliRunner().invoke(app, ["merge", "a", "b", "--weights", "1;2"], catch_exceptions=False)
