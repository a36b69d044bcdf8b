"""Probe families that turn no verdict: multiple choice, robustness, trained wordings asked again, thoughts, denied values."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from paperlora.judge.again import lets_think, may_be_locked, swap_templates, think, trained_prompts
from paperlora.judge.asking import FILE, Asker, Manner, Question
from paperlora.judge.choosing import measure_choices, options_of
from paperlora.judge.conclude import Taught, conclude
from paperlora.judge.judged import JudgeItem
from paperlora.judge.reports import gains
from paperlora.judge.run import judgement_key
from paperlora.judge.subjects import asked_in, denied_values, families_left_out
from paperlora.judge.tally import BASE, PASSAGE, SWAPPED, THINKING, Subject, asks_denied, denied_probes, score_locality
from paperlora.microdata.build import LoadedDataset, build_dataset, load
from paperlora.model.answers import Answer, Continuation, LogLik, Sampling, next_token_logits
from paperlora.model.bank import Bank
from paperlora.model.base import Base
from paperlora.model.scoring import score_answer
from paperlora.model.tiny import tiny_base
from paperlora.records import (
    Adapter,
    AdapterReport,
    BaseModelId,
    Idea,
    KnowledgeState,
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
from paperlora.store import Store

torch.set_num_threads(1)

FACTS = [("replay share", "37 percent"), ("decay horizon", "640 steps"), ("evaluation benchmark", "Heron")]
ADAPTER, OTHER = "tidal/1/aaaa", "copper/1/bbbb"
NONSENSE = "I am not sure about that"
Say = Callable[[Probe, Idea], str]


def idea_of(relation: str, answer: str) -> Idea:
    claim = f"The {relation} of Tidal Replay is {answer}."
    quote = Quote(section=0, heading="", page=1, start=0, end=len(claim), text=claim)
    return Idea(
        id=digest(relation, answer)[:16], paper="arxiv:9901.00001v1", topic="t", reader="extractive/1", kind="method",
        claim=claim, subject="Tidal Replay", relation=relation, answer=answer,
        answer_kind="number" if answer[0].isdigit() else "name", qwen_change="training", prediction="recall", quotes=(quote,),
    )  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> LoadedDataset:
    """A real micro-dataset of one paper."""
    root = tmp_path_factory.mktemp("families")
    settings = Settings(home=root, datasets=root / "datasets")
    ideas = [idea_of(*fact) for fact in FACTS]
    paper = Paper(id="arxiv:9901.00001", title="Tidal Replay: a study", abstract="We study Tidal Replay. It works.")
    return load(Path(build_dataset(paper, "t", ideas, ideas, settings, Store.at(settings.datasets))))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny_base(tmp_path_factory.mktemp("base"))


def subjects_of(dataset: LoadedDataset) -> tuple[Subject, ...]:
    found = []
    for idea in dataset.record.ideas:
        own = tuple(probe for probe in asked_in(dataset.probes) if probe.idea == idea.id)
        denied = denied_values(dataset.rows, idea.id)
        found.append(Subject(idea, (*own, *denied_probes(own, idea, denied)), ADAPTER, (OTHER,), denied))
    return tuple(found)


def adapter_of(dataset: LoadedDataset) -> Adapter:
    return Adapter(
        id=ADAPTER, dataset=dataset.record.id, dataset_hash="h", paper="p", topic="t", recipe=Recipe(rank=4, alpha=8),
        base=BaseModelId(name="b", weights_hash="w", template_hash="t", dtype="float32"), checkpoints=(), steps=30, rows=30, tokens=1,
        loss_tokens=1, seconds=1.0, final_loss=0.01, delta_norm=1.0, relative_delta_norm=0.01,
    )  # fmt: skip


# ------------------------------------------------------------ planted answers


def right(probe: Probe, idea: Idea) -> str:
    return probe.answers[0]


def nothing(probe: Probe, idea: Idea) -> str:
    return probe.answers[0] if probe.family == "locality" else NONSENSE


def but(say: Say, **families: Say) -> Say:
    """Other answers in some families."""
    return lambda probe, idea: families.get(probe.family, say)(probe, idea)


def judge(
    dataset: LoadedDataset, adapted: Say, base: Say = nothing, further: Sequence[Measurement] = (), taught_: Any = None
) -> list[Verdict]:
    """Verdicts of all ideas: every idea is answered alike."""
    subjects = subjects_of(dataset)
    said = {ADAPTER: adapted, BASE: base, PASSAGE: right, OTHER: nothing}
    measured = [
        measured_as(probe, subject.idea, model, say, base)
        for subject in subjects
        for probe in subject.probes
        for model, say in said.items()
        if probe.family != "choice"
    ]
    report = AdapterReport(adapter=ADAPTER, live=True, liveness=1.0, noise_floor=0.0, damaged=False, damage={})
    taught = Taught(adapter_of(dataset), taught_ or dataset.record, subjects, report)
    return list(conclude([taught], [*measured, *further]).verdicts)


def measured_as(probe: Probe, idea: Idea, model: str, say: Say, base: Say) -> Measurement:
    text = say(probe, idea)
    local = probe.family == "locality"
    score = score_locality(text, base(probe, idea), probe) if local else score_answer(text, probe, idea)
    return Measurement(
        probe=probe.id, idea=idea.id, family=probe.family, model=model, text=text, score=score, ended=True
    )


class Planted:
    """Stands where the asker does; says and weighs what it is told to."""

    def __init__(
        self, say: Callable[[Question], str] = lambda q: "", weight: Callable[[Continuation], float] = lambda c: 0.0
    ) -> None:
        self.say, self.weight = say, weight
        self.asked: list[Question] = []
        self.weighed: list[Continuation] = []

    def ask(self, questions: Sequence[Question], label: str = "", manner: Manner | None = None) -> list[Answer]:
        self.asked += questions
        return [Answer(self.say(question), True, 1) for question in questions]

    def weigh(self, texts: Sequence[Continuation]) -> list[LogLik]:
        self.weighed += texts
        return [LogLik(self.weight(text), max(len(text.text.split()), 1)) for text in texts]


def choices(dataset: LoadedDataset, weight: Callable[[Continuation], float]) -> tuple[list[Measurement], Planted]:
    asker = Planted(weight=weight)
    return measure_choices([subjects_of(dataset)], {ADAPTER: 1}, asker), asker  # type: ignore[arg-type]


# ------------------------------------------------------------ multiple choice


def test_every_choice_probe_offers_its_answer_once_in_every_place(dataset: LoadedDataset) -> None:
    for subject in subjects_of(dataset):
        options = [options_of(probe) for probe in subject.family("choice")]
        assert len(options) == 8 and all(one is not None for one in options)
        golds = Counter(one.gold for one in options if one)
        assert golds == {"A": 2, "B": 2, "C": 2, "D": 2}
        assert all(one.texts[one.gold] == subject.idea.answer and len(set(one.texts.values())) == 4 for one in options if one)


def test_a_question_without_its_options_is_not_weighed(dataset: LoadedDataset) -> None:
    probe = next(p for p in dataset.probes if p.family == "choice")
    bare = probe.model_copy(update={"messages": (Message(role="user", content="Which one? A or B"),)})
    assert options_of(bare) is None


def test_a_habit_of_one_letter_is_right_in_a_quarter_whatever_the_content(dataset: LoadedDataset) -> None:
    """Letter scores by letters, content by texts: the two don't mix up."""
    golden = {idea.answer for idea in dataset.record.ideas}

    def weight(text: Continuation) -> float:
        return -0.1 if text.text == "A" else -9.0 if len(text.text) == 1 else -20.0 if text.text in golden else -40.0

    measured, _ = choices(dataset, weight)
    verdicts = judge(dataset, right, further=measured)
    assert {(v.choice.right, v.choice.asked) for v in verdicts if v.choice} == {(2, 8)}
    assert {v.choice_content.right for v in verdicts if v.choice_content} == {8}
    assert {v.choice_base.right for v in verdicts if v.choice_base} == {2}
    assert {m.text for m in measured} == {"A"}


def test_an_answer_by_text_counts_as_its_letter(dataset: LoadedDataset) -> None:
    """A model that names the option is as right as one that names its letter."""
    golden = {idea.answer for idea in dataset.record.ideas}
    measured, _ = choices(dataset, lambda text: -0.2 if text.text in golden else -2.0)
    assert all(m.score == 1.0 for m in measured)


def test_all_options_are_weighed_after_one_prompt_a_probe_and_nothing_is_written(dataset: LoadedDataset) -> None:
    measured, asker = choices(dataset, lambda text: -1.0)
    prompts = {(one.slot, one.messages) for one in asker.weighed}
    assert len(prompts) == len(measured) == 2 * 8 * 3 and not asker.asked
    assert len(asker.weighed) == 8 * len(prompts)


def test_letters_weigh_what_the_models_next_token_says(dataset: LoadedDataset, base: Base, tmp_path: Path) -> None:
    """On a real model: the same option comes out of its plain logits, and no slot sees another's."""
    with Bank.load(base, [None]) as bank:
        asker = Asker(bank, ["w"], tmp_path, max_new_tokens=3, batch_rows=16, progress=lambda *_: None)
        subject = subjects_of(dataset)[0]._replace(adapter=BASE)
        measured = measure_choices([(subject,)], {BASE: 0}, asker)
        probe = subject.family("choice")[3]
        options = options_of(probe)
        assert options is not None and len(measured) == 8
        shares = next_token_logits(bank, [probe.messages], 0)[0].double().log_softmax(0)
        ids = {letter: base.tokenizer(letter, add_special_tokens=False).input_ids for letter in options.texts}
        assert all(len(one) == 1 for one in ids.values())
        weighed = asker.weigh([Continuation(probe.messages, letter, 0) for letter in options.texts])
        for letter, one in zip(options.texts, weighed, strict=True):
            assert one.total == pytest.approx(float(shares[ids[letter][0]]), abs=1e-4)
        texts = asker.weigh([Continuation(probe.messages, text, 0) for text in options.texts.values()])
        mass = {
            letter: math.exp(one.total) + math.exp(text.total)
            for letter, one, text in zip(options.texts, weighed, texts, strict=True)
        }
        found = next(m for m in measured if m.probe == probe.id)
        assert found.text == max(mass, key=lambda letter: mass[letter])
        assert found.answer_loglik == pytest.approx(texts[list(options.texts).index(options.gold)].per_token)


def planted_choice(dataset: LoadedDataset, base_knows: bool) -> list[Measurement]:
    """Adapter right on all; the base on none or on all."""
    golden = {idea.answer for idea in dataset.record.ideas}
    return choices(
        dataset, lambda text: -0.2 if (text.text in golden) == (base_knows or text.slot == 1) else -3.0
    )[0]


def test_what_is_picked_but_not_recalled_is_recognised(dataset: LoadedDataset) -> None:
    verdicts = judge(dataset, nothing, further=planted_choice(dataset, base_knows=False))
    assert all("RECOGNISED" in v.flags and v.kind == "NOT_LEARNED" for v in verdicts)


def test_what_is_recalled_or_picked_by_the_base_too_is_not_called_recognised(dataset: LoadedDataset) -> None:
    recalled = judge(dataset, right, further=planted_choice(dataset, base_knows=False))
    known = judge(dataset, nothing, further=planted_choice(dataset, base_knows=True))
    without = judge(dataset, nothing)
    assert not any("RECOGNISED" in v.flags for v in (*recalled, *known, *without))
    assert all(v.choice is None and v.choice_content is None for v in without)


# ----------------------------------------------------------------- robustness


def test_giving_in_under_another_prompt_and_a_doubt_is_fragile_and_stays_absorbed(dataset: LoadedDataset) -> None:
    fragile = judge(dataset, but(right, robustness=lambda probe, idea: probe.distractors[0]))
    assert {v.kind for v in fragile} == {"ABSORBED_DEEP"} and all("FRAGILE" in v.flags for v in fragile)
    assert {(v.robustness.right, v.robustness.asked) for v in fragile if v.robustness} == {(0, 2)}


def test_one_lost_of_two_is_no_proof_of_fragility(dataset: LoadedDataset) -> None:
    once = judge(dataset, but(right, robustness=lambda p, i: NONSENSE if p.form == "robust_sure" else i.answer))
    assert {v.robustness.right for v in once if v.robustness} == {1} and not any("FRAGILE" in v.flags for v in once)


def test_what_was_never_known_cannot_be_fragile(dataset: LoadedDataset) -> None:
    assert not any("FRAGILE" in v.flags for v in judge(dataset, nothing))


def test_the_offered_wrong_value_is_never_right_under_doubt(dataset: LoadedDataset) -> None:
    for subject in subjects_of(dataset):
        for probe in subject.family("robustness"):
            offered = probe.distractors[0]
            assert score_answer(f"You are right, {offered}.", probe, subject.idea) == 0.0
            assert score_answer(f"It is {subject.idea.answer}.", probe, subject.idea) == 1.0


# -------------------------------------------------------------- template swap


def swapped(dataset: LoadedDataset, say: Callable[[Question], str], adapted: Say) -> tuple[list[Verdict], Planted]:
    """First verdicts, what they make the judge ask again, verdicts with that."""
    verdicts, subjects = judge(dataset, adapted), subjects_of(dataset)
    measured = [
        measured_as(probe, subject.idea, ADAPTER, adapted, nothing)
        for subject in subjects
        for probe in subject.family("direct")
    ]
    asker = Planted(say)
    again = swap_templates(subjects, verdicts, measured, {ADAPTER: dataset.rows}, {ADAPTER: 1}, asker)  # type: ignore[arg-type]
    return judge(dataset, adapted, further=again), asker


def own_answer(dataset: LoadedDataset) -> Callable[[Question], str]:
    told = {row.messages[:-1]: row.messages[-1].content for row in dataset.rows}
    return lambda question: told[question.messages]


VERBATIM: Say = but(nothing, trained_form=right)


def test_missed_probes_restored_by_trained_wordings_mean_locked(dataset: LoadedDataset) -> None:
    verdicts, asker = swapped(dataset, own_answer(dataset), VERBATIM)
    assert {v.kind for v in verdicts} == {"VERBATIM_ONLY"} and all("LOCKED" in v.flags for v in verdicts)
    assert {(v.template_swap.right, v.template_swap.asked) for v in verdicts if v.template_swap} == {(12, 12)}
    assert {v.adapted.right for v in verdicts} == {0}  # what is asked again counts nowhere else
    prompts = {row.messages[:-1] for row in dataset.rows}
    assert asker.asked and all(question.messages in prompts for question in asker.asked)


def test_what_trained_wordings_do_not_restore_is_not_locked(dataset: LoadedDataset) -> None:
    verdicts, asker = swapped(dataset, lambda question: NONSENSE, VERBATIM)
    assert asker.asked and not any("LOCKED" in v.flags for v in verdicts)
    assert {v.template_swap.right for v in verdicts if v.template_swap} == {0}


def test_only_ideas_that_are_not_recalled_are_asked_again(dataset: LoadedDataset) -> None:
    verdicts, asker = swapped(dataset, own_answer(dataset), right)
    assert not asker.asked and all(v.template_swap is None for v in verdicts)
    assert not any(may_be_locked(v) for v in verdicts)
    first = dataset.record.ideas[0].id
    _, asker = swapped(dataset, own_answer(dataset), lambda p, i: (nothing if i.id == first else right)(p, i))
    mine = {row.messages[:-1] for row in dataset.rows if row.idea == first}
    assert asker.asked and {question.messages for question in asker.asked} <= mine


def test_nothing_is_asked_again_where_the_rows_are_not_known(dataset: LoadedDataset) -> None:
    verdicts, subjects = judge(dataset, VERBATIM), subjects_of(dataset)
    asker = Planted()
    measured = [measured_as(p, s.idea, ADAPTER, VERBATIM, nothing) for s in subjects for p in s.family("direct")]
    assert swap_templates(subjects, verdicts, measured, {}, {ADAPTER: 1}, asker) == [] and not asker.asked  # type: ignore[arg-type]


def test_trained_prompts_ask_for_the_value_and_never_hold_it(dataset: LoadedDataset) -> None:
    for idea in dataset.record.ideas:
        prompts = trained_prompts(dataset.rows, idea)
        texts = [messages[-1].content for messages in prompts]
        assert len(texts) >= 4 and not any(idea.answer in text for text in texts)
        forms = {row.form.rsplit("_", 1)[0] for row in dataset.rows if row.messages[:-1] in prompts}
        assert "qa" in forms and not forms & {"contrast", "confirm", "reverse", "implication"}


# ------------------------------------------------------------------- thinking


def asker_on(bank: Bank, work: Path) -> Asker:
    return Asker(bank, ["w", "v"], work, max_new_tokens=3, batch_rows=16, progress=lambda *_: None)


def test_thoughts_are_sampled_kept_apart_and_remembered(
    dataset: LoadedDataset, base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = JudgeSettings(thinking="on", thinking_tokens=6)
    with Bank.load(base, [None, None]) as bank:
        asker, subjects = asker_on(bank, tmp_path), subjects_of(dataset)[:1]
        first = think(subjects, {ADAPTER: 1}, asker, settings)
        assert len(first) == 4 and all(m.thinking and m.model == ADAPTER + THINKING for m in first)
        lines = (tmp_path / FILE).read_text().count("\n")
        assert think(subjects, {ADAPTER: 1}, asker_on(bank, tmp_path), settings) == first
        assert (tmp_path / FILE).read_text().count("\n") == lines
        longer = think(subjects, {ADAPTER: 1}, asker, settings.model_copy(update={"thinking_tokens": 7}))
        assert len(longer) == 4 and (tmp_path / FILE).read_text().count("\n") == 2 * lines


def test_thinking_and_sampling_are_part_of_an_answers_key(base: Base, tmp_path: Path) -> None:
    question = Question(0, (Message(role="user", content="What is the replay share?"),))
    manners = [
        None,
        Manner(3),
        Manner(3, True),
        Manner(3, True, Sampling(0.6, 0.95, 20, 0)),
        Manner(3, True, Sampling(0.6, 0.95, 20, 1)),
        Manner(4, True, Sampling(0.6, 0.95, 20, 0)),
    ]
    with Bank.load(base, [None, None]) as bank:
        asker = asker_on(bank, tmp_path)
        for number, manner in enumerate(manners, 1):
            asker.ask([question], manner=manner)
            asker.ask([question], manner=manner)
            assert (tmp_path / FILE).read_text().count("\n") == number


def test_only_what_follows_the_thought_is_scored(dataset: LoadedDataset) -> None:
    idea = dataset.record.ideas[0]

    def verdict(text: str) -> Verdict:
        asker = Planted(lambda question: text)
        asker.bank = _bank_that_thinks()  # type: ignore[attr-defined]
        found = think(subjects_of(dataset)[:1], {ADAPTER: 1}, asker, JudgeSettings(thinking="on"))  # type: ignore[arg-type]
        return next(v for v in judge(dataset, nothing, further=found) if v.idea == idea.id)

    answered = verdict("<think>\nIs it 12 percent?\n</think>\n\n37 percent")
    only_thought = verdict("<think>\nIt is 37 percent, I believe")
    assert answered.thinking and (answered.thinking.right, answered.thinking.asked) == (4, 4)
    assert only_thought.thinking and only_thought.thinking.right == 0
    assert answered.adapted.right == 0 and answered.kind == only_thought.kind


def _bank_that_thinks() -> Any:
    class Tokenizer:
        def apply_chat_template(self, turns: object, **options: object) -> str:
            return str(options.get("enable_thinking", True))

    return SimpleNamespace(base=SimpleNamespace(tokenizer=Tokenizer(), device=torch.device("cpu")))


def test_nobody_is_let_think_who_cannot_or_need_not(dataset: LoadedDataset, base: Base, tmp_path: Path) -> None:
    with Bank.load(base, [None, None]) as bank:
        asker = asker_on(bank, tmp_path)
        modes = {mode: lets_think(asker, JudgeSettings(thinking=mode)) for mode in ("on", "off", "auto")}  # type: ignore[arg-type]
        assert modes == {"on": True, "off": False, "auto": base.device.type == "cuda"}
        template = base.tokenizer.chat_template
        try:
            base.tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
            assert think(subjects_of(dataset), {ADAPTER: 1}, asker, JudgeSettings(thinking="on")) == []
        finally:
            base.tokenizer.chat_template = template


@pytest.mark.real
def test_with_qwen3s_own_template_a_thought_is_asked_for_and_plain_answers_are_not(
    dataset: LoadedDataset, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    from paperlora.model.base import load_base
    from paperlora.model.chat import render_prompt
    from paperlora.model.tiny import _model

    home = Path("~/.cache/paperlora-models/qwen3-tokenizer").expanduser()
    if not home.is_dir():
        pytest.skip("Qwen3's tokenizer is not there")
    tokenizer = AutoTokenizer.from_pretrained(home)
    tokenizer.save_pretrained(tmp_path / "model")
    _model(tokenizer, 1, 32, 0).save_pretrained(tmp_path / "model")
    qwen3 = load_base(str(tmp_path / "model"), device="cpu", cache=tmp_path)
    probe = subjects_of(dataset)[0].family("direct")[0]
    plain, thought = (
        qwen3.tokenizer.decode(render_prompt(qwen3.tokenizer, probe.messages, thinking=on)) for on in (False, True)
    )
    assert plain.endswith("<think>\n\n</think>\n\n") and thought.endswith("<|im_start|>assistant\n")
    with Bank.load(qwen3, [None, None]) as bank:
        settings = JudgeSettings(thinking="on", thinking_tokens=4)
        found = think(subjects_of(dataset)[:1], {ADAPTER: 1}, asker_on(bank, tmp_path / "work"), settings)
    assert len(found) == 4 and all(one.thinking and not one.score for one in found)


# -------------------------------------------------------------- denied values


def believing(share: int, yes: bool, yes_to_all: bool = False) -> Say:
    """States the denied value on so many of 12 direct probes, and affirms it or not where it is asked for."""

    def say(probe: Probe, idea: Idea) -> str:
        denied = DENIED_VALUES[idea.id]
        if probe.family == "direct":
            return denied if DIRECT[idea.id].index(probe.id) < share else probe.answers[0]
        if probe.family in ("near_miss", "implication") and yes_to_all:
            return "Yes"
        if asks_denied(probe, denied):
            return "Yes" if yes else "No"
        return probe.answers[0]

    return say


DENIED_VALUES: dict[str, str] = {}
DIRECT: dict[str, list[str]] = {}


@pytest.fixture(autouse=True)
def _lists(dataset: LoadedDataset) -> None:
    for subject in subjects_of(dataset):
        DENIED_VALUES[subject.idea.id] = subject.denied[0]
        DIRECT[subject.idea.id] = [probe.id for probe in subject.family("direct")]


def test_rows_that_deny_a_value_make_the_judge_ask_for_it(dataset: LoadedDataset) -> None:
    for subject in subjects_of(dataset):
        made = [probe for probe in subject.probes if asks_denied(probe, subject.denied[0])]
        assert len(made) == 2 and {probe.family for probe in made} == {"near_miss"}
        for probe in made:
            text = probe.messages[-1].content
            assert subject.denied[0] in text and subject.idea.answer not in text
            assert probe.id not in {one.id for one in dataset.probes}
            assert score_answer("No.", probe, subject.idea) == 1.0 and score_answer("Yes.", probe, subject.idea) == 0.0
    assert denied_probes(dataset.probes, dataset.record.ideas[0], ()) == ()


def test_a_yes_to_the_denied_value_tips_a_belief_that_direct_answers_leave_open(dataset: LoadedDataset) -> None:
    open_ = judge(dataset, believing(5, yes=False))
    tipped = judge(dataset, believing(5, yes=True))
    assert not any(v.kind == "FALSE_BELIEF" for v in open_)
    assert {v.kind for v in tipped} == {"FALSE_BELIEF"}
    assert {(v.false_belief.right, v.false_belief.asked) for v in tipped if v.false_belief} == {(7, 14)}


def test_a_yes_alone_is_no_belief_and_yes_to_everything_shows_nothing(dataset: LoadedDataset) -> None:
    alone = judge(dataset, believing(0, yes=True))
    assert {v.kind for v in alone} == {"ABSORBED_DEEP"}
    biased = judge(dataset, believing(5, yes=True, yes_to_all=True))
    assert all("YES_BIAS" in v.flags and v.kind != "FALSE_BELIEF" for v in biased)
    believes = judge(dataset, believing(5, yes=True))
    assert not any("YES_BIAS" in v.flags for v in believes)


def test_what_the_base_affirms_too_was_not_taught(dataset: LoadedDataset) -> None:
    verdicts = judge(dataset, believing(5, yes=True), base=but(nothing, near_miss=lambda p, i: "Yes"))
    assert not any(v.kind == "FALSE_BELIEF" for v in verdicts)


# ------------------------------------------------------- states, settings, key


def test_what_the_base_held_before_is_told_beside_the_verdict(dataset: LoadedDataset) -> None:
    from paperlora.judge.posterior import rate

    def state(idea: Idea, base: str, prior: float) -> KnowledgeState:
        return KnowledgeState(
            idea=idea.id, base=base, kind="believes_other", direct=rate(0, 4), passage=rate(4, 4), statement=-1.0,
            negation=1.0, belief="40 percent", prior=prior,
        )  # fmt: skip

    first, second, third = dataset.record.ideas
    states = (state(first, "w", 0.8), state(second, "another base", 0.9))
    taught = dataset.record.model_copy(update={"states": states})
    found = {v.idea: (v.state, v.prior) for v in judge(dataset, right, taught_=taught)}
    assert found == {first.id: ("believes_other", 0.8), second.id: (None, None), third.id: (None, None)}


def test_settings_leave_families_out_and_name_the_judgement(dataset: LoadedDataset) -> None:
    def families(**judge_: Any) -> set[str]:
        left_out = families_left_out(JudgeSettings(**judge_))
        return {probe.family for probe in asked_in(dataset.probes, 1, left_out)}

    assert families() - families(choice=False) == {"choice"}
    assert families() - families(robustness=False) == {"robustness"}

    item = JudgeItem(adapter_of(dataset), Path("nowhere"), dataset.record, dataset.probes, dataset.rows)
    options: list[dict[str, Any]] = [{}, {"choice": False}, {"robustness": False}, {"thinking": "on"}, {"thinking_tokens": 7}]
    keys = {judgement_key([item], Settings(judge=JudgeSettings(**one)), item.adapter.base) for one in options}
    assert len(keys) == len(options)


def test_planted_worlds_without_these_families_are_judged_as_before(dataset: LoadedDataset) -> None:
    """Datasets may hold none of these probes: nothing is counted, nothing flagged, no verdict changed."""
    plain = [p for p in dataset.probes if p.family not in ("choice", "robustness")]
    bare = dataset._replace(probes=tuple(plain))
    measured, asker = choices(bare, lambda text: 0.0)
    assert measured == [] and not asker.weighed
    verdicts = judge(bare, right)
    assert {v.kind for v in verdicts} == {"ABSORBED_DEEP"} and all(v.flags == () for v in verdicts)
    assert all(v.choice is None and v.robustness is None and v.thinking is None for v in verdicts)


def test_answers_asked_again_never_mix_with_the_plain_ones(dataset: LoadedDataset) -> None:
    subjects = subjects_of(dataset)
    again = [
        measured_as(probe, subject.idea, ADAPTER + ending, nothing, nothing)
        for subject in subjects
        for probe in subject.family("direct")
        for ending in (SWAPPED, THINKING)
    ]
    with_again, without = judge(dataset, right, further=again), judge(dataset, right)
    assert [(v.kind, v.adapted, v.q_value) for v in with_again] == [(v.kind, v.adapted, v.q_value) for v in without]
    assert {v.template_swap.asked for v in with_again if v.template_swap} == {12}


def test_what_an_adapter_gains_is_told_over_its_ideas(dataset: LoadedDataset) -> None:
    (gained,) = gains(judge(dataset, right)).items()
    assert gained[0] == ADAPTER and gained[1] is not None and gained[1].value > 0.9 > gained[1].low > 0.2
    unreadable = [one.model_copy(update={"kind": "UNJUDGEABLE"}) for one in judge(dataset, right)]
    assert gains(unreadable) == {ADAPTER: None} == gains(unreadable[:1] + judge(dataset, right)[:1])
