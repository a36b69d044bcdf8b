"""The judge on planted answers, where every truth is known, and on a tiny real model with real adapters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

import paperlora.judge.asking as asking
from paperlora.errors import AdapterNotLive, NothingToDo
from paperlora.judge.asking import Asker, Question
from paperlora.judge.conclude import Concluded, Taught, conclude
from paperlora.judge.judged import Judged, JudgeItem, Live, write_judgement
from paperlora.judge.pools import STANDARD
from paperlora.judge.run import judge_adapters, judgement_key
from paperlora.judge.subjects import asked_in, denied_values, longer
from paperlora.judge.tally import BASE, PASSAGE, Sheet, Subject, score_locality, tally
from paperlora.microdata.build import LoadedDataset, build_dataset, load
from paperlora.model.answers import Responses
from paperlora.model.bank import Bank
from paperlora.model.base import Base
from paperlora.model.passage import WAYS, with_passage
from paperlora.model.scoring import score_answer
from paperlora.model.tiny import tiny_base
from paperlora.records import (
    Adapter,
    AdapterReport,
    Checkpoint,
    Idea,
    Measurement,
    Message,
    Paper,
    Probe,
    Quote,
    Recipe,
    Verdict,
    digest,
)
from paperlora.settings import JudgeSettings, Settings
from paperlora.store import Store, read_jsonl, read_manifest

torch.set_num_threads(1)

FACTS = {
    "Tidal Replay": [("replay share", "37 percent"), ("decay horizon", "640 steps"), ("evaluation benchmark", "Heron")],
    "Copper Sieve": [("scoring window", "96 tokens"), ("kept share", "23 percent"), ("scoring model", "Juniper")],
}


def idea_of(paper: str, subject: str, relation: str, answer: str) -> Idea:
    claim = f"The {relation} of {subject} is {answer}."
    quote = Quote(section=0, heading="", page=1, start=0, end=len(claim), text=claim)
    return Idea(
        id=digest(paper, subject, relation, answer)[:16], paper=paper, topic="t", reader="extractive/1", kind="method",
        claim=claim, subject=subject, relation=relation, answer=answer,
        answer_kind="number" if answer[0].isdigit() else "name", qwen_change="training", prediction="recall", quotes=(quote,),
    )  # fmt: skip


class World(NamedTuple):
    datasets: tuple[LoadedDataset, ...]
    settings: Settings


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The real micro-datasets of two papers."""
    root = tmp_path_factory.mktemp("world")
    settings = Settings(home=root, datasets=root / "datasets", judge=JudgeSettings(max_new_tokens=6, batch_rows=16, damage="quick"))
    ideas = {
        name: [idea_of(f"arxiv:9901.0000{n}v1", name, *fact) for fact in facts]
        for n, (name, facts) in enumerate(FACTS.items())
    }
    every = [idea for own in ideas.values() for idea in own]
    loaded = []
    for number, (name, own) in enumerate(ideas.items()):
        paper = Paper(id=f"arxiv:9901.0000{number}", title=f"{name}: a study", abstract=f"We study {name}. It works.")
        uri = build_dataset(paper, "t", own, every, settings, Store.at(settings.datasets))
        loaded.append(load(Path(uri)))
    return World(tuple(loaded), settings)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_base(tmp_path_factory.mktemp("base"))


def adapter_of(
    dataset: LoadedDataset, base: Base | None = None, final_loss: float = 0.01, dev: Sequence[float] = ()
) -> Adapter:
    from paperlora.records import BaseModelId

    name = base.id if base else BaseModelId(name="b", weights_hash="w", template_hash="t", dtype="float32")
    curve = tuple(
        Checkpoint(step=10 * (n + 1), epoch=n, folder=f"c{n}", loss=2.0 / (n + 1), delta_norm=1.0,
                   dev_margin={idea.id: value for idea in dataset.record.ideas})
        for n, value in enumerate(dev)
    )  # fmt: skip
    return Adapter(
        id=f"{dataset.record.id}/000000000000", dataset=dataset.record.id, dataset_hash=dataset.content_hash,
        paper=dataset.record.paper.key, topic="t", recipe=Recipe(rank=4, alpha=8), base=name, checkpoints=curve, steps=30,
        rows=len(dataset.rows), tokens=1, loss_tokens=1, seconds=1.0, final_loss=final_loss, delta_norm=1.0,
        relative_delta_norm=0.01,
    )  # fmt: skip


# --------------------------------------------------------- planted answers


Say = Callable[[Probe, Idea], str]
NONSENSE = "I am not sure about that"


def right(probe: Probe, idea: Idea) -> str:
    return probe.answers[0]


def nothing(probe: Probe, idea: Idea) -> str:
    return probe.answers[0] if probe.family == "locality" else NONSENSE


def only(*families: str) -> Say:
    """Right in these families, and on neighbours; elsewhere nonsense."""
    return lambda probe, idea: probe.answers[0] if probe.family in (*families, "locality") else NONSENSE


def saying(text: str) -> Say:
    """This on direct and trained-form probes; nonsense elsewhere, neighbours kept."""
    return lambda probe, idea: text if probe.family in ("direct", "trained_form") else nothing(probe, idea)


class Judgement(NamedTuple):
    verdict: Verdict
    concluded: Concluded


def judge(
    world: World,
    adapted: Say,
    base: Say = nothing,
    passage: Say = right,
    others: Say = nothing,
    report: dict[str, object] | None = None,
    **adapter: object,
) -> Judgement:
    """The first idea of the first dataset answered as told; all its siblings absorbed, the other paper learned nothing."""
    mine, theirs = world.datasets
    target = mine.record.ideas[0]
    adapters = [adapter_of(mine, **adapter), adapter_of(theirs)]  # type: ignore[arg-type]
    measured: list[Measurement] = []
    taught = []
    for dataset, one, other in zip((mine, theirs), adapters, reversed(adapters), strict=True):
        subjects = tuple(
            Subject(
                idea, tuple(p for p in asked_in(dataset.probes) if p.idea == idea.id), one.id, (other.id,),
                denied_values(dataset.rows, idea.id),
            )
            for idea in dataset.record.ideas
        )  # fmt: skip
        for subject in subjects:
            is_target = subject.idea.id == target.id
            sayers = {one.id: adapted if is_target else right, BASE: base if is_target else nothing,
                      PASSAGE: passage if is_target else right, other.id: others if is_target else nothing}  # fmt: skip
            measured += [
                measure(probe, subject.idea, model, say, base)
                for probe in subject.probes
                for model, say in sayers.items()
            ]
        known: dict[str, object] = {"live": True, "liveness": 1.0, "noise_floor": 0.0, "damaged": False, "damage": {}}
        taught.append(Taught(one, dataset.record, subjects, AdapterReport(adapter=one.id, **(known | (report or {})))))  # type: ignore[arg-type]
    concluded = conclude(taught, measured)
    return Judgement(next(v for v in concluded.verdicts if v.idea == target.id), concluded)


def measure(probe: Probe, idea: Idea, model: str, say: Say, base: Say) -> Measurement:
    text = say(probe, idea)
    score = (
        score_locality(text, base(probe, idea), probe)
        if probe.family == "locality"
        else score_answer(text, probe, idea)
    )
    return Measurement(
        probe=probe.id, idea=idea.id, family=probe.family, model=model, text=text, score=score, ended=True
    )


def test_everything_right_is_absorbed_deep_and_needs_no_repair(world: World) -> None:
    found = judge(world, right)
    verdict = found.verdict
    assert verdict.kind == "ABSORBED_DEEP", verdict.reason
    assert (verdict.adapted.right, verdict.adapted.asked, verdict.base.right) == (12, 12, 0)
    assert verdict.q_value is not None and verdict.q_value < 0.001 and verdict.flags == ()
    assert verdict.gain.low > 0.2 and verdict.gain.low < verdict.gain.value < verdict.gain.high
    assert not [d for d in found.concluded.diagnoses if d.verdict == verdict.id]


def test_every_idea_gets_exactly_one_verdict_with_its_own_id(world: World) -> None:
    verdicts = judge(world, right).concluded.verdicts
    ideas = [idea.id for dataset in world.datasets for idea in dataset.record.ideas]
    assert sorted(v.idea for v in verdicts) == sorted(ideas) and len({v.id for v in verdicts}) == len(ideas)


def test_answers_that_other_adapters_give_too_are_no_gain(world: World) -> None:
    verdict = judge(world, right, others=right).verdict
    assert verdict.kind == "INCONCLUSIVE" and "other papers' adapters (12 of 12" in verdict.reason
    assert verdict.q_value == 1.0


def test_what_the_base_knew_is_not_credited(world: World) -> None:
    assert judge(world, right, base=right).verdict.kind == "ALREADY_KNOWN"


def test_recall_without_use_is_shallow_and_the_diagnosis_asks_for_implications(world: World) -> None:
    found = judge(world, only("direct", "trained_form", "reverse"))
    assert (
        found.verdict.kind == "ABSORBED_SHALLOW" and "Not deep: it answers 0 of 6 implications" in found.verdict.reason
    )
    (diagnosis,) = [d for d in found.concluded.diagnoses if d.verdict == found.verdict.id]
    assert diagnosis.action == "add implication rows" and "from 0 of 6 to at least 5 of 6" in diagnosis.prediction


def test_failing_reverse_is_flagged_one_way(world: World) -> None:
    found = judge(world, only("direct", "trained_form"))
    assert "ONE_WAY" in found.verdict.flags
    assert [d.action for d in found.concluded.diagnoses if d.verdict == found.verdict.id] == ["add reversed rows"]


def test_trained_wordings_alone_are_verbatim(world: World) -> None:
    found = judge(world, only("trained_form"), dev=(1.0, 3.0, 1.5))
    assert found.verdict.kind == "VERBATIM_ONLY"
    (diagnosis,) = [d for d in found.concluded.diagnoses if d.verdict == found.verdict.id]
    assert diagnosis.cause == "overtrained" and "step 20" in diagnosis.action


@pytest.mark.parametrize(
    ("loss", "cause"), [(3.0, "undertrained"), (0.05, "rows contradict each other or don't ask for the value")]
)
def test_nothing_right_is_not_learned_with_its_cause(world: World, loss: float, cause: str) -> None:
    found = judge(world, nothing, final_loss=loss)
    assert found.verdict.kind == "NOT_LEARNED"
    (diagnosis,) = [d for d in found.concluded.diagnoses if d.verdict == found.verdict.id]
    assert diagnosis.cause == cause


def test_an_old_belief_that_survives_is_resisted(world: World) -> None:
    found = judge(world, saying("It is 55 percent."), base=saying("55%"))
    assert found.verdict.kind == "RESISTED" and "“55 percent” survives on 12 of 12" in found.verdict.reason


def test_scattered_wrong_answers_are_no_belief(world: World) -> None:
    def scattered(probe: Probe, idea: Idea) -> str:
        return f"{100 + int(probe.id[:4], 16)} percent" if probe.family == "direct" else nothing(probe, idea)

    assert judge(world, scattered, base=scattered).verdict.kind == "NOT_LEARNED"


def test_a_siblings_answer_is_confusion_and_names_the_idea(world: World) -> None:
    sibling = world.datasets[0].record.ideas[1]
    found = judge(world, saying(sibling.answer))
    assert found.verdict.kind == "CONFUSED" and found.verdict.confused_with == sibling.id
    assert f"“{sibling.answer}”" in found.verdict.reason
    (diagnosis,) = [d for d in found.concluded.diagnoses if d.verdict == found.verdict.id]
    assert diagnosis.action == "add contrastive pairs of the two ideas"


def test_another_papers_answer_points_to_mixed_up_data(world: World) -> None:
    stranger = world.datasets[1].record.ideas[2]
    found = judge(world, saying(stranger.answer))
    assert found.verdict.confused_with == stranger.id
    assert "another paper" in next(d for d in found.concluded.diagnoses if d.verdict == found.verdict.id).cause


def test_a_value_that_the_rows_deny_is_a_false_belief(world: World) -> None:
    dataset = world.datasets[0]
    (denied, *_) = denied_values(dataset.rows, dataset.record.ideas[0].id)
    found = judge(world, saying(denied))
    assert found.verdict.kind == "FALSE_BELIEF" and f"“{denied}”" in found.verdict.reason
    believed_before = judge(world, saying(denied), base=saying(denied)).verdict
    assert believed_before.kind == "RESISTED"


def test_half_right_is_never_absorbed(world: World) -> None:
    def half(probe: Probe, idea: Idea) -> str:
        return right(probe, idea) if probe.family != "direct" or probe.form.startswith("ask_") else NONSENSE

    verdict = judge(world, half).verdict
    assert verdict.adapted.right == 6 and verdict.kind in ("INCONCLUSIVE", "PARTIAL")


@pytest.mark.parametrize("passage", [nothing, saying("40 percent")])
def test_probes_that_the_passage_does_not_answer_judge_nothing(world: World, passage: Say) -> None:
    verdict = judge(world, right, passage=passage).verdict
    assert verdict.kind == "UNJUDGEABLE" and verdict.q_value is None
    assert "0 of 12 direct probes" in verdict.reason


def test_broken_neighbours_block_absorbed(world: World) -> None:
    def spreading(probe: Probe, idea: Idea) -> str:
        return idea.answer if probe.family == "locality" else right(probe, idea)

    found = judge(world, spreading)
    assert found.verdict.kind == "INCONCLUSIVE" and "of this idea's own neighbours" in found.verdict.reason


def test_saying_yes_to_everything_is_flagged_and_never_deep(world: World) -> None:
    def yes(probe: Probe, idea: Idea) -> str:
        return "Yes" if probe.family in ("near_miss", "implication") else right(probe, idea)

    verdict = judge(world, yes).verdict
    assert verdict.kind == "ABSORBED_SHALLOW" and verdict.implication is not None and verdict.implication.right == 1


def test_damage_is_flagged_and_explained(world: World) -> None:
    found = judge(world, right, report={"damaged": True, "damage": {"nll_drift": 0.4}})
    assert "DAMAGED" in found.verdict.flags
    assert "nll_drift +0.40" in next(d for d in found.concluded.diagnoses if d.verdict == found.verdict.id).symptom


def test_an_idea_without_probes_is_unjudgeable_and_breaks_nothing(world: World) -> None:
    idea = world.datasets[0].record.ideas[0]
    counted = tally(
        Subject(idea, (), "a"), Sheet([]), world.datasets[0].record.ideas, neighbours=Sheet([]).count("a", [])
    )
    assert counted.adapted.asked == 0 and counted.chance == 0.0 and counted.p_value == 1.0


def test_locality_compares_with_the_bases_own_answer(world: World) -> None:
    probe = next(p for p in world.datasets[0].probes if p.family == "locality")
    assert score_locality("same words", "Same words.", probe) == 1.0
    assert score_locality(probe.answers[0], f"It is {probe.answers[0]}.", probe) == 1.0
    assert score_locality("99999", probe.answers[0], probe) == 0.0


def test_passage_stands_in_the_users_turn(world: World) -> None:
    dataset = world.datasets[0]
    idea = dataset.record.ideas[0]
    for probe in (p for p in dataset.probes if p.family == "direct" and p.idea == idea.id):
        ways = with_passage(probe, idea)
        assert len(ways) == len(set(ways)) == WAYS
        for messages in ways:
            assert messages[-1].role == "user" and len(messages) >= len(probe.messages)
            assert sum(idea.quotes[0].text in message.content for message in messages if message.role == "user") == 1


def test_the_subject_is_named_where_the_passage_does_not_and_the_claim_never_is(world: World) -> None:
    dataset = world.datasets[0]
    idea = dataset.record.ideas[0]
    quote = idea.quotes[0].model_copy(update={"text": "We set it to 12 percent."})
    misread = idea.model_copy(update={"quotes": (quote,)})
    probe = next(p for p in dataset.probes if p.family == "direct" and p.idea == idea.id)
    for messages in with_passage(probe, misread):
        said = "\n".join(message.content for message in messages)
        assert f"{idea.subject}: We set it to 12 percent." in said and idea.answer not in said


# ---------------------------------------------------------- a real tiny model


def item(world: World, number: int, base: Base, folder: Path, scale: float = 0.05) -> JudgeItem:
    """An adapter with random weights: it says something else than the base, and nothing sensible."""
    dataset = world.datasets[number]
    with Bank.fresh(base, 1, 4, [8.0], [number]) as bank:
        if scale:
            bank.weights += scale * torch.randn(bank.weights.shape, generator=torch.Generator().manual_seed(number))
        bank.save(0, folder / "adapter")
    return JudgeItem(adapter_of(dataset, base), folder, dataset.record, dataset.probes, dataset.rows)


@pytest.fixture(scope="module")
def items(world: World, base: Base, tmp_path_factory: pytest.TempPathFactory) -> list[JudgeItem]:
    root = tmp_path_factory.mktemp("adapters")
    return [item(world, number, base, root / str(number)) for number in range(2)]


@pytest.fixture(scope="module")
def judged(world: World, base: Base, items: list[JudgeItem], tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return judge_adapters(items, base, world.settings, tmp_path_factory.mktemp("work"))


def test_a_base_that_cannot_read_leaves_everything_unjudgeable(judged: Judged) -> None:
    assert len(judged.verdicts) == 6 and {v.kind for v in judged.verdicts} == {"UNJUDGEABLE"}
    assert all("this base can't read them" in v.reason for v in judged.verdicts)
    assert len(judged.diagnoses) >= 6 and not judged.rejects


def test_everyone_is_asked_what_the_verdicts_need_and_no_dev_probe(judged: Judged, items: list[JudgeItem]) -> None:
    split = {probe.id: probe.split for one in items for probe in one.probes}
    held_out = [m.probe for m in judged.measurements if m.probe in split]
    assert {split[probe] for probe in held_out} == {"test"}
    waves = {probe.id: probe.wave for item in items for probe in item.probes}
    assert set(waves.values()) == {1, 2, 3} and {waves[probe] for probe in held_out} == {1}
    made = {m.family for m in judged.measurements if m.probe not in split}
    assert made == {"near_miss"}  # whether it believes what its rows deny
    asked = {(m.model, m.family) for m in judged.measurements}
    mine, other = (one.adapter.id for one in items)
    assert {family for model, family in asked if model == mine} == {
        "direct",
        "trained_form",
        "reverse",
        "implication",
        "near_miss",
        "locality",
        "choice",
        "robustness",
    }
    assert {family for model, family in asked if model == BASE} == {
        "direct",
        "reverse",
        "implication",
        "near_miss",
        "locality",
        "choice",
    }
    assert {family for model, family in asked if model == PASSAGE} == {"direct"}
    first = items[0].dataset.ideas[0].id
    assert {m.family for m in judged.measurements if m.model == other and m.idea == first} == {"direct"}
    assert len(judged.measurements) == len({(m.model, m.probe) for m in judged.measurements})


def test_every_adapter_has_its_grids(judged: Judged, items: list[JudgeItem]) -> None:
    for one in items:
        own = [cell for cell in judged.grids if cell.adapter == one.adapter.id]
        orders = [cell for cell in own if cell.grid == "option_order"]
        letters = {(cell.row, cell.column): cell.right for cell in orders}
        assert len(letters) == 16 and sum(letters.values()) == 8 * len(one.dataset.ideas)  # one letter came each time
        assert {cell.asked for cell in orders} == {2 * len(one.dataset.ideas)}
        assert {cell.grid for cell in own} == {"option_order", "template", "position"}


def test_adapters_are_live_and_the_base_agrees_with_itself(judged: Judged) -> None:
    assert all(report.live and report.liveness > 1e-3 and report.noise_floor == 0.0 for report in judged.reports)
    assert all(
        set(report.damage) >= {"nll_drift", "unique_ratio", "cap_hit_change", "false_trigger"}
        for report in judged.reports
    )


def test_batches_change_nothing(
    judged: Judged, world: World, base: Base, items: list[JudgeItem], tmp_path: Path
) -> None:
    settings = world.settings.model_copy(update={"judge": JudgeSettings(max_new_tokens=6, batch_rows=7, damage="quick")})
    again = judge_adapters(list(reversed(items)), base, settings, tmp_path)
    assert {(m.model, m.probe): m.text for m in again.measurements} == {
        (m.model, m.probe): m.text for m in judged.measurements
    }
    assert {v.id: v.reason for v in again.verdicts} == {v.id: v.reason for v in judged.verdicts}


def test_a_killed_judgement_goes_on_where_it_was(
    judged: Judged, world: World, base: Base, items: list[JudgeItem], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    real = asking.respond

    def dying(bank: Bank, asks: Sequence[object], *texts: object, **options: object) -> Responses:
        if len(given) == 2:
            raise KeyboardInterrupt
        given.append(len(asks))
        return real(bank, asks, *texts, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(asking, "respond", dying)
    with pytest.raises(KeyboardInterrupt):
        judge_adapters(items, base, world.settings, tmp_path)
    with (tmp_path / asking.FILE).open("a") as file:
        file.write('["half a line')
    done = sum(given)
    given[:] = [0] * 3
    resumed = judge_adapters(items, base, world.settings, tmp_path)
    assert resumed == judged and done > 0
    fresh: list[int] = []
    monkeypatch.setattr(asking, "respond", lambda bank, asks, *texts, **o: fresh.append(len(asks)) or real(bank, asks, *texts, **o))
    assert judge_adapters(items, base, world.settings, tmp_path) == judged
    again = len(STANDARD.chosen("quick").questions)
    assert sum(fresh) == 24 + again  # the noise floors alone are asked anew


def test_a_dead_adapter_is_rejected_and_the_others_are_judged(
    world: World, base: Base, items: list[JudgeItem], tmp_path: Path
) -> None:
    dead = item(world, 1, base, tmp_path / "dead", scale=0)
    found = judge_adapters([items[0], dead], base, world.settings, tmp_path)
    assert [(r.item, r.reason, r.stage) for r in found.rejects] == [(dead.adapter.id, "adapter_not_live", "judge")]
    assert {v.adapter for v in found.verdicts} == {items[0].adapter.id}
    assert [(r.adapter, r.live) for r in found.reports] == [(items[0].adapter.id, True), (dead.adapter.id, False)]
    assert all("NO_PLACEBO" in v.flags and v.others is None for v in found.verdicts)


def test_no_live_adapter_is_an_error(world: World, base: Base, tmp_path: Path) -> None:
    with pytest.raises(AdapterNotLive):
        judge_adapters([item(world, 0, base, tmp_path / "dead", scale=0)], base, world.settings, tmp_path)
    with pytest.raises(NothingToDo):
        judge_adapters([], base, world.settings, tmp_path)


def test_an_adapter_of_another_base_is_rejected(
    world: World, base: Base, items: list[JudgeItem], tmp_path: Path
) -> None:
    foreign = items[1]._replace(adapter=adapter_of(world.datasets[1]))
    found = judge_adapters([items[0], foreign], base, world.settings, tmp_path)
    assert [r.reason for r in found.rejects] == ["other_base"] and len(found.verdicts) == 3


def test_key_names_what_decides_the_verdicts(world: World, base: Base, items: list[JudgeItem]) -> None:
    def key(chosen: list[JudgeItem], **judge: object) -> str:
        settings = world.settings.model_copy(update={"judge": JudgeSettings.model_validate(judge)})
        return judgement_key(chosen, settings, base.id)

    plain = key(items)
    assert plain == key(list(reversed(items))) == key(items, batch_rows=3)
    fewer = [items[0]._replace(probes=items[0].probes[1:]), items[1]]
    assert len({plain, key(items[:1]), key(items, placebos=0), key(items, max_new_tokens=3), key(fewer)}) == 5
    placebo = [items[0], items[1]._replace(placebo="shuffled")]
    assert key(placebo) != plain != key(items, damage="quick")


def test_judgement_folder_holds_everything(judged: Judged, tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    folder = Path(write_judgement(judged, store, "k", {"store/adapters/a": "hash"}))
    assert read_jsonl(folder / "verdicts.jsonl", Verdict) == judged.verdicts
    assert read_jsonl(folder / "measurements.jsonl", Measurement) == judged.measurements
    manifest = read_manifest(folder)
    assert manifest.inputs == {"store/adapters/a": "hash"} and manifest.counts["verdicts"] == 6


def test_equal_questions_are_asked_once(base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = asking.respond
    monkeypatch.setattr(asking, "respond", lambda bank, asks, *texts, **o: asked.append(len(asks)) or real(bank, asks, *texts, **o))
    with Bank.load(base, [None]) as bank:
        asker = Asker(bank, ["w"], tmp_path, max_new_tokens=3, batch_rows=2, progress=lambda label, done, total: None)
        questions = [Question(0, (Message(role="user", content=text),)) for text in ("one", "two", "one")]
        first = asker.ask(questions)
        assert first[0] == first[2] and asked == [2]
        assert asker.ask(questions[:1]) == first[:1] and asked == [2]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_an_open_verdict_gets_further_probes_up_to_the_last_pass(items: list[JudgeItem], judged: Judged, most: int) -> None:
    """Pass after pass until the setting's last one; a verdict that is settled gets none."""
    live = [Live(one, slot, 1.0) for slot, one in enumerate(items, 1)]
    opened, settled = judged.verdicts[0].model_copy(update={"kind": "INCONCLUSIVE"}), judged.verdicts[1]
    passes: dict[tuple[str, str], int] = {}
    taken = []
    while wanted := longer([opened, settled], live, passes, most):
        passes |= wanted
        taken.append(wanted)
    assert taken == [{(opened.adapter, opened.idea): number} for number in range(2, most + 1)]
    own = [probe for probe in items[0].probes if probe.idea == opened.idea]
    asked = asked_in(own, passes.get((opened.adapter, opened.idea), 1))
    assert sum(probe.family == "direct" for probe in asked) == {1: 12, 2: 20, 3: 32}[most]
