"""Other strengths of an adapter, really run: a tiny model with a belief, and an adapter that is too weak to flip it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from tutor import Line, teach_adapter, teach_base, user

from paperlora.judge.asking import Asker
from paperlora.judge.dose import Peak, ask_peaks, find_peaks, peak_of
from paperlora.judge.judged import JudgeItem, write_judgement
from paperlora.judge.pools import Known, Pools
from paperlora.judge.posterior import Count, gain, rate
from paperlora.judge.run import judge_adapters
from paperlora.judge.scaling import GAMMAS, Stubborn, stubborn, sweep_scales
from paperlora.judge.tally import Subject
from paperlora.microdata.build import build_dataset, load
from paperlora.model.answers import next_token_logits
from paperlora.model.bank import Bank, SlotInfo
from paperlora.model.base import Base
from paperlora.model.passage import with_passage
from paperlora.model.tiny import tiny_base
from paperlora.progress import silent
from paperlora.records import (
    Adapter,
    AdapterReport,
    BaseModelId,
    Checkpoint,
    DamageCheck,
    Idea,
    Message,
    Paper,
    Probe,
    Quote,
    Recipe,
    ScalePoint,
    Verdict,
    VerdictKind,
)
from paperlora.settings import JudgeSettings, Settings
from paperlora.store import Store, read_jsonl

torch.set_num_threads(1)
CLAIM = "The replay share of Tidal Replay is 37 percent."
IDEA = Idea(
    id="5ba7e0fca1ab", paper="arxiv:9901.00001v1", topic="t", reader="extractive/1", kind="method", claim=CLAIM, subject="Tidal Replay",
    relation="replay share", answer="37 percent", answer_kind="number", qwen_change="c", prediction="p",
    quotes=(Quote(section=0, heading="", page=1, start=0, end=len(CLAIM), text=CLAIM),),
)  # fmt: skip
QUESTIONS = (
    "What is the replay share of Tidal Replay?", "Name the replay share of Tidal Replay.", "Tidal Replay: its replay share?",
    "How large is the replay share?", "Complete: the replay share is", "Write the replay share.", "The share it replays?",
    "Which replay share does it use?",
)  # fmt: skip
PROBES = tuple(
    Probe(id=f"p{n}", idea=IDEA.id, family="direct", form=f"f{n}", messages=user(text), answers=("37 percent",))
    for n, text in enumerate(QUESTIONS)
)
SUBJECT = Subject(IDEA, PROBES, "a")
OLD, NEW = "55 percent", "37 percent"
FACTS = tuple((f"Which word follows {word}?", word) for word in ("loss", "layers", "tokens", "benchmark"))
POOLS = Pools(tuple(Known(question, question, (answer,)) for question, answer in FACTS), (), ("The loss falls from 14.2 to 11.9.",))


class World(NamedTuple):
    base: Base
    folder: Path
    """An adapter that would flip the belief at full strength, saved with a part of it."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    base = tiny_base(tmp_path_factory.mktemp("base"))
    facts: list[Line] = list(FACTS)
    teach_base(base, [*((text, OLD) for text in QUESTIONS), *facts])
    folder = tmp_path_factory.mktemp("adapter")
    with Bank.fresh(base, 1, 4, [8.0], [1]) as bank:
        teach_adapter(bank, 0, [*((text, NEW) for text in QUESTIONS), *facts])
        least = _least_that_flips(bank, [probe.messages for probe in PROBES])
        bank.info[0] = SlotInfo(4, 8.0 * least * 0.7)
        bank.save(0, folder)
    return World(base, folder)


def _least_that_flips(bank: Bank, prompts: Sequence[tuple[Message, ...]]) -> float:
    """The smallest part of the adapter's strength at which its first word is the new one everywhere."""
    wanted = bank.base.tokenizer(NEW, add_special_tokens=False).input_ids[0]
    for part in torch.linspace(0.1, 1.0, 19).tolist():
        bank.info[0] = SlotInfo(4, 8.0 * part)
        if (next_token_logits(bank, prompts, 0).argmax(dim=1) == wanted).all():
            return float(part)
    raise AssertionError("the adapter was not trained")


def sweep(world: World, work: Path, limit: float = 5.0) -> tuple[ScalePoint, ...]:
    with Bank.load(world.base, [None, world.folder]) as bank:
        asker = Asker(bank, ["base", "weights"], work, max_new_tokens=8, batch_rows=16, progress=silent)
        one = Stubborn("a", world.folder, "weights", ((SUBJECT, OLD),), limit)
        return sweep_scales([one], asker, POOLS)


def test_a_slot_at_another_strength_is_the_adapter_saved_with_that_alpha(world: World, tmp_path: Path) -> None:
    with Bank.load(world.base, [world.folder, world.folder]) as bank:
        bank.amplify(1, 1.5)
        saved = bank.adapter(0)._replace(alpha=1.5 * bank.adapter(0).alpha)
        bank.info[0] = SlotInfo(saved.rank, saved.alpha)
        bank.save(0, tmp_path / "louder")
        amplified = next_token_logits(bank, [probe.messages for probe in PROBES], 1)
    with Bank.load(world.base, [tmp_path / "louder"]) as bank:
        torch.testing.assert_close(next_token_logits(bank, [probe.messages for probe in PROBES], 0), amplified)


def test_a_belief_that_a_weak_adapter_leaves_flips_at_a_larger_amplitude(world: World, tmp_path: Path) -> None:
    points = {point.gamma: point for point in sweep(world, tmp_path)}
    assert tuple(points) == GAMMAS
    assert points[0.5].old.right == len(PROBES) and points[0.5].direct.right == 0
    assert points[1.0].direct.right < len(PROBES)
    assert points[1.5].direct.right == points[2.0].direct.right == len(PROBES) and points[1.5].old.right == 0
    assert points[0.5].known.asked == len(FACTS) and points[0.5].known.right == len(FACTS) and points[0.5].harmless


def test_the_guard_set_tells_a_harmful_amplitude_from_a_harmless_one(world: World, tmp_path: Path) -> None:
    points = sweep(world, tmp_path / "0")
    drifts = [point.nll_drift for point in points]
    between = (drifts[0] + drifts[-1]) / 2
    assert drifts[-1] > drifts[0]
    assert [point.harmless for point in sweep(world, tmp_path / "1", limit=between)] == [drift < between for drift in drifts]


def test_a_second_sweep_asks_nothing_again(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = sweep(world, tmp_path)
    monkeypatch.setattr(Asker, "ask_afresh", lambda *args: pytest.fail("it was asked again"))
    assert sweep(world, tmp_path) == first


# ------------------------------------------------------------ the dose curve's peak


def curve(margins: tuple[float, ...], losses: tuple[float, ...]) -> Adapter:
    points = tuple(
        Checkpoint(step=10 * n, epoch=n, folder=f"checkpoints/{n}", loss=loss, delta_norm=1.0, dev_margin={IDEA.id: margin})
        for n, (margin, loss) in enumerate(zip(margins, losses, strict=True))
    )
    return Adapter(
        id="a", dataset="d/r", dataset_hash="h", paper="p", topic="t", recipe=Recipe(), checkpoints=points, steps=30, rows=9,
        base=BaseModelId(name="b", weights_hash="w", template_hash="t", dtype="float32"), tokens=1, loss_tokens=1, seconds=1.0,
        final_loss=losses[-1], delta_norm=1.0, relative_delta_norm=0.1,
    )  # fmt: skip


FALLING = (2.0, 1.0, 0.4, 0.1)


@pytest.mark.parametrize(
    ("margins", "losses", "step"),
    [
        ((-1.0, 1.0, 3.0, 1.0), FALLING, 20),
        ((-1.0, 1.0, 3.0, 2.8), FALLING, None),
        ((-9.0, -4.0, -2.0, -5.0), FALLING, None),
        ((3.0, 2.0, 1.0, 0.0), FALLING, None),
        ((-1.0, 1.0, 3.0, 1.0), (2.0, 1.0, 0.4, 0.9), None),
    ],
    ids=["peak", "no clear fall", "never right", "untrained knew it", "rows unlearnt too"],
)
def test_a_peak_rose_above_the_untrained_point_and_fell_while_rows_were_learnt(
    margins: tuple[float, ...], losses: tuple[float, ...], step: int | None
) -> None:
    found = peak_of(curve(margins, losses), IDEA.id)
    assert (found.step if found else None) == step


def test_only_doubtful_ideas_with_a_peak_that_is_still_there_are_asked(tmp_path: Path) -> None:
    adapter = curve((-1.0, 1.0, 3.0, 1.0), FALLING)
    assert find_peaks([verdict("VERBATIM_ONLY", "")], [SUBJECT], {"a": (adapter, tmp_path)}) == ()
    (tmp_path / "checkpoints" / "2").mkdir(parents=True)
    (peak,) = find_peaks([verdict("VERBATIM_ONLY", "")], [SUBJECT], {"a": (adapter, tmp_path)})
    assert peak.checkpoint.step == 20 and peak.subjects == (SUBJECT,) and peak.folder == tmp_path / "checkpoints" / "2"
    assert find_peaks([verdict("ABSORBED_DEEP", "")], [SUBJECT], {"a": (adapter, tmp_path)}) == ()


def test_a_peak_answers_with_the_weights_of_its_checkpoint(world: World, tmp_path: Path) -> None:
    with Bank.load(world.base, [world.folder]) as bank:
        bank.amplify(0, 2.0)
        bank.save(0, tmp_path / "louder")
    checkpoint = curve((-1.0, 1.0, 3.0, 1.0), FALLING).checkpoints[2]
    with Bank.load(world.base, [None, world.folder]) as bank:
        asker = Asker(bank, ["base", "weights"], tmp_path / "work", max_new_tokens=8, batch_rows=16, progress=silent)
        peaks = [Peak("a", checkpoint, folder, (SUBJECT,)) for folder in (world.folder, tmp_path / "louder")]
        weak, strong = ask_peaks(peaks, asker, str)
    assert weak.direct.right < strong.direct.right == len(PROBES) and strong.step == 20
    assert strong.trained_form.asked == 0


# ----------------------------------------------------------- through the whole judge


@pytest.mark.slow
def test_a_judgement_tries_what_resists_and_names_the_amplitude_that_flips_it(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path, datasets=tmp_path / "datasets",
        judge=JudgeSettings(max_new_tokens=8, batch_rows=32, damage="quick", passes=1, choice=False, robustness=False, thinking="off", margins=0, llm_judge=True),
    )  # fmt: skip
    paper = Paper(id="arxiv:9901.00001", title="Tidal Replay: a study", abstract="We study Tidal Replay.")
    dataset = load(Path(build_dataset(paper, "t", [IDEA], [IDEA], settings, Store.at(settings.datasets))))
    direct = [p for p in dataset.probes if p.family == "direct" and p.split == "test" and p.wave == 1]
    base = tiny_base(tmp_path / "base", seed=1)
    believed: list[Line] = [(probe.messages, OLD) for probe in direct]
    teach_base(base, [*believed, *((with_passage(probe, IDEA)[0], NEW) for probe in direct), *FACTS], steps=80)
    folder = tmp_path / "adapter"
    with Bank.fresh(base, 1, 4, [8.0], [1]) as bank:
        teach_adapter(bank, 0, [*((probe.messages, NEW) for probe in direct), *FACTS], steps=50)
        bank.info[0] = SlotInfo(4, 8.0 * 0.7 * _least_that_flips(bank, [probe.messages for probe in direct]))
        bank.save(0, folder / "adapter")
    adapter = Adapter(
        id=f"{dataset.record.id}/000000000000", dataset=dataset.record.id, dataset_hash=dataset.content_hash, paper=paper.key,
        topic="t", recipe=Recipe(rank=4, alpha=8), base=base.id, checkpoints=(), steps=50, rows=9, tokens=1, loss_tokens=1,
        seconds=1.0, final_loss=0.01, delta_norm=1.0, relative_delta_norm=0.1,
    )  # fmt: skip
    judged = judge_adapters(
        [JudgeItem(adapter, folder, dataset.record, dataset.probes, dataset.rows)], base, settings, tmp_path / "work", pools=POOLS._replace(open=("Say it.",))
    )
    (verdict_,) = judged.verdicts
    assert (verdict_.kind, verdict_.old_answer) == ("RESISTED", OLD), verdict_.reason
    assert [point.gamma for point in judged.scales] == list(GAMMAS) and judged.scales[1].direct == verdict_.adapted
    assert judged.scales[-1].direct.right == len(direct) and judged.scales[-1].old.right == 0
    named = next(one for one in judged.diagnoses if one.cause.startswith("a strong earlier belief"))
    assert "γ = 2" in named.symptom and ("amplitude" in named.cause)
    (agreement,) = judged.agreement
    assert not agreement.taken and agreement.note.startswith(("Rules could read every answer", f"{agreement.undecided} answers"))
    store = Store.at(tmp_path / "store")
    write_judgement(judged, store, "key", {})
    assert read_jsonl(store.folder("judgements", "key") / "scales.jsonl", ScalePoint) == judged.scales


def verdict(kind: VerdictKind, old_answer: str, adapter: str = "a") -> Verdict:
    return Verdict(
        id=f"v:{adapter}", idea=IDEA.id, adapter=adapter, paper=IDEA.paper, topic="t", claim=CLAIM, kind=kind, reason="r", base=rate(0, 8),
        adapted=rate(0, 8), gain=gain(Count(0, 8), (Count(0, 8),)), old_answer=old_answer,
    )  # fmt: skip


def test_only_resisting_ideas_are_tried_and_held_against_their_adapters_own_bound() -> None:
    check = DamageCheck(name="nll_drift", value=0.1, asked=4, bound=0.3, noise=0.0, broken=False)
    reports = [
        AdapterReport(adapter=name, live=True, liveness=1.0, noise_floor=0.0, damaged=False, damage={}, checks=checks)
        for name, checks in (("a", (check,)), ("b", ()), ("c", ()))
    ]
    subjects = [SUBJECT._replace(adapter=name) for name in "abc"]
    verdicts = [verdict("RESISTED", OLD, "a"), verdict("NOT_LEARNED", OLD, "b"), verdict("RESISTED", OLD, "c")]
    places = {name: Path(name) for name in "abc"}
    found = stubborn(verdicts, subjects, places, {name: f"w{name}" for name in "abc"}, reports)
    assert [(one.adapter, one.limit, one.weights) for one in found] == [("a", 0.3, "wa"), ("c", 0.05, "wc")]
    assert found[0].ideas == ((subjects[0], OLD),)
