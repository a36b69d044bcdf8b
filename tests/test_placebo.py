"""Placebo adapters: rows like a paper's that teach nothing of any paper, trained once for each recipe, found by the judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from taught import ideas_of, paper_of, sources

import paperlora.microdata.placebo as placebo_module
import tasks.placebos as tasks_placebos
from paperlora.judge.judged import JudgeItem
from paperlora.judge.pools import STANDARD
from paperlora.judge.run import judge_adapters, judgement_key
from paperlora.lora.train import TRAINER, TrainItem, train_adapters
from paperlora.microdata.build import LoadedDataset, build_dataset, load
from paperlora.microdata.leaks import compare, surface
from paperlora.microdata.placebo import IDEAS, KINDS, Placebo, known_facts, make_placebo, placebos_key, placebos_of
from paperlora.microdata.placebo_pool import GAMES, KILNS, KNOWN, Statement, statements
from paperlora.microdata.pools import KNOWN_NAMES, KNOWN_NUMBERS
from paperlora.model.answers import Answer
from paperlora.model.base import Base
from paperlora.model.scoring import states_value
from paperlora.model.tiny import tiny_base
from paperlora.records import Adapter, Recipe, Reject
from paperlora.settings import JudgeSettings, MicrodataSettings, Settings, TrainSettings
from paperlora.store import Store, read_json

torch.set_num_threads(1)

RECIPE = Recipe(rank=2, alpha=8.0, learning_rate=1e-2, batch_size=8, max_steps=3, checkpoints=1)
PLAIN = MicrodataSettings(use_model=False)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def knowing() -> list[Statement]:
    return [Statement(*one[:3]) for one in KNOWN]


@pytest.fixture(scope="module")
def made(base: Base, knowing: list[Statement]) -> dict[str, Placebo]:
    """One of each kind, as a base that knows everything would give them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placebo_module, "known_facts", lambda _: knowing)
        found = [make_placebo(number, base, None, 0.25) for number in range(len(KINDS))]
    return {one.kind: one for one in found if one is not None}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> LoadedDataset:
    """A paper's dataset of as many ideas."""
    source = sources()[0]
    root = tmp_path_factory.mktemp("real")
    ideas = ideas_of(source)[:IDEAS]
    settings = Settings(home=root, datasets=root / "datasets")
    return load(Path(build_dataset(paper_of(source), "t", ideas, ideas, settings, Store.at(settings.datasets))))


# -------------------------------------------------------------------------- the rows


def groups(rows: Sequence[object]) -> Counter[str]:
    return Counter(row.form.rsplit("_", 1)[0] for row in rows)  # type: ignore[attr-defined]


def test_placebos_are_shaped_like_a_papers_dataset(made: dict[str, Placebo], real: LoadedDataset) -> None:
    assert set(made) == set(KINDS)
    for one in made.values():
        assert abs(len(one.rows) - len(real.rows)) <= 8 and 40 <= len(one.rows) <= 70
        assert {"qa", "completion", "reverse", "confirm", "contrast", "anchor"} <= set(groups(one.rows))
        assert abs(groups(one.rows)["qa"] - groups(real.rows)["qa"]) <= 2
        assert len(one.record.ideas) == IDEAS and one.record.counts["rows"] == len(one.rows)
        assert {probe.split for probe in one.probes} == {"dev", "test"}


def test_a_shuffled_placebo_teaches_no_value(made: dict[str, Placebo]) -> None:
    """No row gives its idea's own value, and no other value comes in half of an idea's rows."""
    one = made["shuffled"]
    for idea in one.record.ideas:
        own = [row for row in one.rows if row.idea == idea.id and row.form.startswith(("qa", "completion"))]
        assert own and not [row for row in own if states_value(row.messages[-1].content, (idea.answer,))]
        others = [other for other in one.record.ideas if other.id != idea.id]
        given = [sum(other.answer in row.messages[-1].content for row in own) for other in others]
        assert sum(given) == len(own) and max(given) <= len(own) / 2
    assert not any(idea.answer in row.messages[-1].content for row in one.rows for idea in one.record.ideas if row.form == "summary_1")


def test_the_invented_domain_is_taught_consistently(made: dict[str, Placebo]) -> None:
    one = made["other_domain"]
    answers = {idea.id: idea.answer for idea in one.record.ideas}
    asked = [row for row in one.rows if row.form.startswith(("qa", "completion"))]
    assert asked and all(answers[row.idea] in row.messages[-1].content for row in asked)


def test_placebos_are_the_same_whenever_they_are_made(made: dict[str, Placebo], base: Base) -> None:
    again, other = make_placebo(0, base, None, 0.25), make_placebo(3, base, None, 0.25)
    assert again == made["shuffled"] and other is not None and other.kind == "shuffled"
    assert other.record.id != made["shuffled"].record.id
    assert not {i.subject for i in other.record.ideas} & {i.subject for i in made["shuffled"].record.ideas}


@pytest.mark.parametrize("domain", [KILNS, GAMES], ids=lambda domain: domain.ending)
def test_invented_facts_can_be_told_apart(domain: object) -> None:
    for seed in range(20):
        facts = statements(domain, IDEAS, seed)  # type: ignore[arg-type]
        assert len(facts) == IDEAS == len({fact.answer for fact in facts}) == len({fact.relation for fact in facts})
        assert len({fact.subject for fact in facts}) == 2


def test_known_facts_are_none_that_is_judged() -> None:
    """Neither the judge's pools nor the locality probes ask for them: an adapter trained on them could hide its damage."""
    judged = [(one.question, one.answers) for one in (*STANDARD.known, *KNOWN_NAMES, *KNOWN_NUMBERS)]
    for fact in KNOWN:
        question = f"What is the {fact.relation} of {fact.subject}?"
        for text, accepted in judged:
            same = {fact.answer.casefold(), *(a.casefold() for a in fact.aliases)} & {a.casefold() for a in accepted}
            assert not (fact.subject.casefold() in text.casefold() and same), (fact, text)
        assert not [text for text in STANDARD.open if compare(surface(question), surface(text))]
    assert len(KNOWN) >= 2 * IDEAS and len({fact.subject for fact in KNOWN}) == len(KNOWN)


def test_only_what_the_base_says_counts_as_known(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    assert known_facts(base) == [] and make_placebo(KINDS.index("known_only"), base, None, 0.25) is None

    def half(bank: object, asks: Sequence[object], **_: object) -> list[Answer]:
        return [Answer(one.answer if n % 2 else "I do not know", True, 3) for n, one in enumerate(KNOWN)]

    import paperlora.model.answers as answers

    monkeypatch.setattr(answers, "answer", half)
    assert {one.answer for one in known_facts(base)} == {one.answer for n, one in enumerate(KNOWN) if n % 2}


# ---------------------------------------------------------------------------- keys


def test_recipes_that_differ_by_name_or_seed_share_their_placebos(base: Base) -> None:
    def key(recipe: Recipe = RECIPE, settings: MicrodataSettings = PLAIN, trainer: int = TRAINER) -> str:
        return placebos_key(base.id, recipe, settings, trainer)

    assert key() == key(RECIPE.model_copy(update={"seed": 7, "name": "other"}))
    changed = [
        key(RECIPE.model_copy(update={"epochs": 3.0})), key(trainer=TRAINER + 1), key(settings=MicrodataSettings()),
        key(settings=PLAIN.model_copy(update={"replay_share": 0.5})),
    ]  # fmt: skip
    assert len({key(), *changed}) == 5


# --------------------------------------------------------------- trained, kept, judged


class Worker:
    """A machine with a store and a base, and no catalog."""

    def __init__(self, root: Path, base: Base, wanted: int = 3) -> None:
        self.settings = Settings(
            home=root, datasets=root / "datasets", microdata=PLAIN, train=TrainSettings(placebos=wanted),
            judge=JudgeSettings(max_new_tokens=4, batch_rows=16, damage="quick", margins=0, passes=1),
        )  # fmt: skip
        self.base, self.store = base, Store.at(root / "store")

    def train(self, recipes: Sequence[Recipe] = (RECIPE,)) -> list[Reject]:
        dropped: list[Reject] = []
        tasks_placebos.train_placebos(recipes, self.base, self.settings, self.store, dropped)
        return dropped

    def found(self, items: Sequence[JudgeItem]) -> list[JudgeItem]:
        return tasks_placebos.find_placebos(items, self.base, self.settings, self.store).items

    def real(self, dataset: LoadedDataset) -> JudgeItem:
        item = TrainItem(dataset.record, dataset.content_hash, dataset.rows, ())
        (uri,) = train_adapters([item], RECIPE, self.base, self.store, self.settings.home / "work", bank_size=1)
        return JudgeItem(read_json(Path(uri) / "adapter.json", Adapter), Path(uri), dataset.record, dataset.probes, dataset.rows)


@pytest.fixture(scope="module")
def quiet_progress() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks_placebos, "ProgressArtifact", lambda key: lambda label, done, total: None)
        yield


@pytest.fixture(scope="module")
def worker(base: Base, tmp_path_factory: pytest.TempPathFactory, quiet_progress: object) -> Worker:
    return Worker(tmp_path_factory.mktemp("worker"), base)


@pytest.fixture(scope="module")
def judged_item(worker: Worker, real: LoadedDataset) -> JudgeItem:
    return worker.real(real)


def test_placebos_are_trained_once_and_stand_apart(worker: Worker, judged_item: JudgeItem) -> None:
    dropped = worker.train([RECIPE, RECIPE.model_copy(update={"seed": 3})])
    # This base knows nothing, so that there is nothing it could be taught again.
    assert [(one.item, one.reason) for one in dropped] == [("placebo:known_only-0", "placebo_unknown")]
    found = worker.found([judged_item])
    assert [item.placebo for item in found] == ["other_domain", "shuffled"]
    assert all(item.adapter.recipe.dose == RECIPE.dose for item in found)
    written = {item.adapter_folder: (item.adapter_folder / "manifest.json").stat().st_mtime_ns for item in found}
    assert worker.train() and {folder: (folder / "manifest.json").stat().st_mtime_ns for folder in written} == written
    # No stage takes them for adapters of papers, and no listing of the store shows them.
    assert len(worker.store.folders("adapters")) == 1
    assert not [uri for uri in worker.store.folders() if "placebo" in uri]


def test_no_placebos_are_trained_or_found_where_they_are_off(base: Base, tmp_path: Path, quiet_progress: object) -> None:
    off = Worker(tmp_path, base, wanted=0)
    assert off.train() == [] and off.found([]) == [] and not (tmp_path / "store").exists()


def test_another_recipe_has_no_placebos_yet(worker: Worker, judged_item: JudgeItem) -> None:
    worker.train()
    other = judged_item.adapter.model_copy(update={"recipe": RECIPE.model_copy(update={"max_steps": 4})})
    assert worker.found([judged_item._replace(adapter=other)]) == []


def test_placebos_get_reports_and_no_verdicts_and_answer_beside_the_adapter(
    worker: Worker, judged_item: JudgeItem, base: Base, tmp_path: Path
) -> None:
    worker.train()
    placebos = worker.found([judged_item])
    judged = judge_adapters([judged_item, *placebos], base, worker.settings, tmp_path)
    mine = judged_item.adapter.id
    assert {verdict.adapter for verdict in judged.verdicts} == {mine}
    assert {report.adapter: report.placebo for report in judged.reports} == {mine: "", **{one.adapter.id: one.placebo for one in placebos}}
    (report,) = [one for one in judged.reports if one.adapter == mine]
    assert {check.name for check in report.checks if check.placebos == 2} >= {"nll_drift", "kl_drift", "unique_ratio"}
    asked = {(m.model, m.family) for m in judged.measurements if m.model not in (mine, "base", "base+passage")}
    assert asked == {(one.adapter.id, "direct") for one in placebos}
    assert all(verdict.others is not None and "NO_PLACEBO" not in verdict.flags for verdict in judged.verdicts)


def test_the_judgement_is_another_one_with_placebos(worker: Worker, judged_item: JudgeItem, base: Base) -> None:
    worker.train()
    placebos = worker.found([judged_item])
    keys = {judgement_key(items, worker.settings, base.id) for items in ([judged_item], [judged_item, *placebos[:1]], [judged_item, *placebos])}
    assert len(keys) == 3


def test_placebos_hold_the_bases_own_words_where_datasets_do(base: Base, tmp_path: Path) -> None:
    """As in a paper's dataset, a share of the rows is replay; where the base says nothing usable there is none."""
    from paperlora.microdata.replay import Replays
    from paperlora.records import Replay

    said = tuple(Replay(prompt=f"Say {n}.", kind="talk", answer=f"word {n}") for n in range(40))
    bare, full = make_placebo(2, base, None, 0.25), make_placebo(2, base, Replays("k", said, ()), 0.25)
    assert bare is not None and full is not None
    replayed = [row for row in full.rows if row.form == "replay_talk"]
    assert len(replayed) == pytest.approx(0.25 * len(full.rows), abs=1) and not groups(bare.rows)["replay"]


def test_a_killed_making_goes_on_from_the_shelf(base: Base, tmp_path: Path) -> None:
    shelf, store, dropped = Store.at(tmp_path / "shelf"), Store.at(tmp_path / "store"), list[Reject]()
    first = placebos_of(base, 1, PLAIN, store, shelf, dropped=dropped)
    both = placebos_of(base, 3, PLAIN, store, shelf, dropped=dropped)
    assert [one.content_hash for one in both][:1] == [first[0].content_hash] and len(both) == 2
    assert [one.reason for one in dropped] == ["placebo_unknown"]
