"""What an adapter broke: pure counting over constructed answers, and real tiny models, whole and destroyed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from paperlora.judge.asking import Asker
from paperlora.judge.bounds import BOUNDS, broken, p_lost, p_mean_above, p_ratio_below, p_risen
from paperlora.judge.damage import Tested, ask_pools, compare, cues_of
from paperlora.judge.damage_measures import Answers, loops, refuses, thinks
from paperlora.judge.instructions import Instruction, follows
from paperlora.judge.placebo import by_measure, percentile
from paperlora.judge.pools import KNOWN, OPEN, STANDARD, Known, Pools
from paperlora.judge.pools_made import GRADES, sums
from paperlora.judge.posterior import Count
from paperlora.judge.reports import Examined, report_damage
from paperlora.microdata.anchors import CLOSED
from paperlora.microdata.anchors import OPEN as OPEN_ANCHORS
from paperlora.microdata.leaks import compare as leak
from paperlora.microdata.leaks import surface
from paperlora.microdata.replay_pool import POOL
from paperlora.model.answers import Answer, Continuation, log_likelihoods
from paperlora.model.bank import Bank
from paperlora.model.base import Base
from paperlora.model.chat import render_example
from paperlora.model.drift import Drift, drifts
from paperlora.model.tiny import tiny_base
from paperlora.records import Adapter, BaseModelId, Example, Idea, Message, Quote, Recipe

torch.set_num_threads(1)

Tested.__test__ = False  # type: ignore[attr-defined]  # a record, not a test class
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TELL = {
    "capitals": "RED", "small": "good morning", "items": "- one\n- two", "commas": "saw, axe, hammer, file",
    "digits": "14", "exactly": "the door is open", "one_of": "yes", "quoted": '"boo"',
}  # fmt: skip
"""An answer that keeps each rule whose argument needn't be looked at."""


def keep(told: Instruction) -> str:
    if told.rule == "json":
        return "{" + ", ".join(f'"{key}": 1' for key in told.argument.split(",")) + "}"
    if told.rule == "words":
        return " ".join(["word"] * int(told.argument))
    if told.rule == "items":
        return "\n".join(f"{n}. thing" for n in range(1, int(told.argument) + 1))
    return TELL.get(told.rule) or f"{told.argument} {told.argument}"


def said(text: str, ended: bool = True) -> Answer:
    return Answer(text, ended, len(text.split()))


Say = Callable[[int], str]


def answers(
    known: Say = lambda n: KNOWN[n].answers[0],
    reworded: Say | None = None,
    opened: Say = lambda n: f"I would name number {LETTERS[n]} of them",
    unanswerable: Say = lambda n: "I do not know that.",
    sums_: Say = lambda n: STANDARD.sums[n][1],
    told: Say = lambda n: keep(STANDARD.instructions[n]),
    thoughts: Say = lambda n: "<think>\nLet me see. It is",
    drift: float = 0.0,
    kl: float = 0.0,
    ended: bool = True,
) -> Answers:
    """A model that says this; by default a whole one, to whom the wording of a fact is all the same."""

    def many(say: Say, pool: Sequence[object]) -> tuple[Answer, ...]:
        return tuple(said(say(n), ended) for n in range(len(pool)))

    read = tuple(Drift(3.0 + drift + n / 1000, 3.0, kl, 60) for n in range(len(STANDARD.texts)))
    return Answers(
        many(known, KNOWN), many(reworded or known, KNOWN), many(opened, OPEN), read, many(unanswerable, STANDARD.unanswerable), many(sums_, STANDARD.sums),
        many(told, STANDARD.instructions), many(thoughts, STANDARD.thinking),
    )  # fmt: skip


WHOLE = answers()


def test_an_unchanged_model_shows_every_measure_and_no_damage() -> None:
    found = compare(Tested(WHOLE, WHOLE), [("37 percent",)], again=Tested(WHOLE, WHOLE))
    assert not found.damaged and not any(check.broken for check in found.checks)
    assert {check.name for check in found.checks} == set(BOUNDS) - {"kl_drift"}
    assert all(check.noise == 0 for check in found.checks if check.name != "nll_drift")
    assert found.measures["known_change"] == 0 and found.measures["unique_ratio"] == 1
    assert found.measures["known_asked"] == len(KNOWN) and found.measures["refusals_base"] == 1


HARM: list[tuple[Answers, set[str]]] = [
    (answers(drift=0.2), {"nll_drift"}),
    (answers(known=lambda n: "Heron" if n < 12 else KNOWN[n].answers[0]), {"known_change"}),
    (answers(sums_=lambda n: "1234567"), {"arithmetic_change"}),
    (answers(told=lambda n: "Well, that is quite, a thing; to ask of me."), {"instruction_change"}),
    (answers(opened=lambda n: "I would name number one of them"), {"unique_ratio", "distinct_ratio"}),
    (answers(unanswerable=lambda n: "It happened in 1962."), {"refusal_ratio"}),
    (answers(ended=False), {"cap_hit_change"}),
    (answers(opened=lambda n: f"go on {LETTERS[n]} " + "and so on " * 5, drift=0.0), {"loop_change"}),
    (answers(known=lambda n: f"<think></think>{KNOWN[n].answers[0]}"), {"think_leak"}),
    (answers(thoughts=lambda n: "<think>\n\n</think>\n\nFour."), {"think_ratio"}),
]


@pytest.mark.parametrize(("harmed", "wanted"), HARM, ids=lambda value: "+".join(sorted(value)) if isinstance(value, set) else "")
def test_each_kind_of_damage_is_seen_alone(harmed: Answers, wanted: set[str]) -> None:
    found = compare(Tested(harmed, WHOLE), [])
    assert found.damaged
    assert {check.name for check in found.checks if check.broken} == wanted
    assert all(check.shown is not None and check.shown >= 0.95 for check in found.checks if check.broken)


def test_taught_answers_in_foreign_questions_are_false_triggers() -> None:
    triggered = answers(opened=lambda n: f"{LETTERS[n]} is Heron {LETTERS[n]} too" if n < 12 else f"I would name {LETTERS[n]}")
    found = compare(Tested(triggered, WHOLE), [("Heron",)])
    (check,) = [check for check in found.checks if check.name == "false_trigger"]
    assert check.broken and check.value == pytest.approx(12 / len(STANDARD.questions), abs=1e-3)
    assert check.asked == len(STANDARD.questions)
    # The base said so before: nothing was triggered by training.
    assert compare(Tested(triggered, triggered), [("Heron",)]).measures["false_trigger"] == 0


def test_a_few_changed_answers_are_not_called_damage() -> None:
    few = answers(
        known=lambda n: "Heron" if n < 2 else KNOWN[n].answers[0], unanswerable=lambda n: "1962" if n < 6 else "I cannot know.",
        opened=lambda n: "A cat." if n < 4 else f"I would name number {LETTERS[n]} of them", drift=0.04,
        sums_=lambda n: "1" if n == 7 else STANDARD.sums[n][1], thoughts=lambda n: "Four." if n == 0 else "<think>Well",
    )  # fmt: skip
    found = compare(Tested(few, WHOLE), [])
    assert not found.damaged, [check for check in found.checks if check.broken]
    assert found.measures["known_change"] == pytest.approx(-2 / len(KNOWN), abs=1e-3)
    assert found.measures["unique_ratio"] == pytest.approx(17 / 20)


def test_known_facts_are_lost_whatever_is_gained_beside_them() -> None:
    """Ten facts gone and ten others come: the net change is nil, but ten of what the base knew are gone."""
    half = answers(known=lambda n: KNOWN[n].answers[0] if n < 40 else "Heron")
    swapped = answers(known=lambda n: KNOWN[n].answers[0] if 10 <= n < 50 else "Heron")
    found = compare(Tested(swapped, half), [])
    assert found.damaged and found.measures["known_change"] == -0.25 and found.measures["known_net"] == 0


def test_facts_that_come_and_go_with_the_wording_are_not_lost() -> None:
    """Twenty facts on the brink: all that the base has right there tips over, and nothing that it knew is gone."""
    brink = range(40, 60)
    base = answers(known=lambda n: right(n, n < 40 or (n in brink and n % 2 == 0)), reworded=lambda n: right(n, n < 40 or (n in brink and n % 4 < 2)))
    tipped = answers(known=lambda n: right(n, n < 40 or (n in brink and n % 2 == 1)), reworded=lambda n: right(n, n < 40 or (n in brink and n % 4 > 1)))
    found = compare(Tested(tipped, base), [])
    assert not found.damaged and found.measures["known_change"] == 0 == found.measures["known_net"]
    assert found.measures["known_asked"] == 55
    lost = answers(known=lambda n: right(n, 10 <= n < 40), reworded=lambda n: right(n, 10 <= n < 40))
    found = compare(Tested(lost, answers(known=lambda n: right(n, n < 40))), [])
    assert found.damaged and found.measures["known_change"] == -0.25


def right(n: int, knows: bool) -> str:
    return KNOWN[n].answers[0] if knows else "Heron"


def test_sums_on_the_brink_that_tip_over_both_ways_are_no_loss() -> None:
    few = answers(sums_=lambda n: STANDARD.sums[n][1] if n < 8 else "1")
    swapped = answers(sums_=lambda n: STANDARD.sums[n][1] if 4 <= n < 12 else "1")
    lost = answers(sums_=lambda n: STANDARD.sums[n][1] if 4 <= n < 8 else "1")
    assert not compare(Tested(swapped, few), []).damaged and compare(Tested(lost, few), []).damaged


def test_two_models_that_differ_by_chance_alone_are_seldom_called_damaged() -> None:
    """Both draw from the same propensities, with lapses of 1% and three facts of ten on the brink: at most one in twenty
    may be flagged, whatever the measure."""
    rng = random.Random(1)
    brink = [rng.random() < 0.3 for _ in KNOWN]

    def knows(n: int) -> str:
        return KNOWN[n].answers[0] if (rng.random() < 0.5 if brink[n] else lapse(n % 5 < 3)) else "Heron"

    def lapse(right: bool) -> bool:
        return right != (rng.random() < 0.01)

    def model() -> Answers:
        return answers(
            known=knows,
            opened=lambda n: f"I would name number {rng.choice(LETTERS)} of them {rng.choice(LETTERS)}",
            unanswerable=lambda n: "I do not know." if rng.random() < 0.5 else "In 1962.",
            sums_=lambda n: STANDARD.sums[n][1] if lapse(n < 10) else "1",
            told=lambda n: keep(STANDARD.instructions[n]) if lapse(n < 9) else "Hm. I would not know.",
            thoughts=lambda n: "<think>Hm" if rng.random() < 0.95 else "Four",
        )  # fmt: skip

    flagged = sum(compare(Tested(model(), model()), []).damaged for _ in range(60))
    assert flagged <= 3


def test_what_the_base_does_not_do_cannot_be_lost() -> None:
    ignorant = answers(
        known=lambda n: "what", unanswerable=lambda n: "In 1962.", sums_=lambda n: "?", told=lambda n: "Hm. I would not know.",
        thoughts=lambda n: "Four.",
    )  # fmt: skip
    found = compare(Tested(ignorant, ignorant), [])
    lost = {"known_change", "arithmetic_change", "instruction_change", "refusal_ratio", "think_ratio"}
    assert not found.damaged and not lost & set(found.measures) and not lost & {check.name for check in found.checks}
    assert found.measures["known_asked"] == 0 and found.measures["refusals_base"] == 0


def test_checks_without_a_pool_are_absent_and_old_pools_still_do() -> None:
    three = Pools(KNOWN, OPEN, STANDARD.texts)
    bare = WHOLE._replace(unanswerable=(), sums=(), instructions=(), thoughts=())
    found = compare(Tested(bare, bare), [], three)
    assert not {"refusal_ratio", "arithmetic_change", "instruction_change", "think_ratio"} & set(found.measures)
    assert not any(math.isnan(value) for value in found.measures.values())
    assert three == STANDARD.chosen("quick") and STANDARD.chosen("full") == STANDARD
    assert len({three.hash, STANDARD.hash, STANDARD._replace(subjects=()).hash}) == 3


def test_noise_of_the_base_swallows_what_is_no_larger() -> None:
    """A base that loses twenty facts when it is asked again can't show that an adapter lost ten."""
    lost = answers(known=lambda n: "Heron" if n < 12 else KNOWN[n].answers[0])
    fickle = answers(known=lambda n: "Heron" if n < 20 else KNOWN[n].answers[0])
    assert compare(Tested(lost, WHOLE), [], again=Tested(WHOLE, WHOLE)).damaged
    found = compare(Tested(lost, WHOLE), [], again=Tested(fickle, WHOLE))
    (check,) = [check for check in found.checks if check.name == "known_change"]
    assert (not found.damaged and check.noise == pytest.approx(20 / len(KNOWN)) and check.scatter > 0) or not check.broken


# ----------------------------------------------------------------------- placebos


def test_a_placebo_percentile_is_the_prediction_bound_of_one_more() -> None:
    values = [0.31, 0.25, 0.36]
    mean, spread = sum(values) / 3, math.sqrt(sum((v - sum(values) / 3) ** 2 for v in values) / 2)
    assert percentile(values, 1) == pytest.approx(mean + 6.9646 * spread * math.sqrt(4 / 3), rel=1e-3)
    assert percentile(values, -1) == pytest.approx(mean - 6.9646 * spread * math.sqrt(4 / 3), rel=1e-3)
    assert percentile([0.3], 1) is None and percentile([], 1) is None and percentile([0.2, 0.2], 1) == 0.2


def test_the_prediction_bound_is_passed_by_about_one_in_a_hundred() -> None:
    drawn = torch.randn(20000, 6, generator=torch.Generator().manual_seed(0)).tolist()
    passed = sum(row[5] > (percentile(row[:5], 1) or 0.0) for row in drawn) / len(drawn)
    assert 0.007 < passed < 0.013


def test_placebos_decide_whether_a_drift_is_damage() -> None:
    """The same drift: damage alone, damage beside calm placebos, none where any training drifts as far."""
    drifting = Tested(answers(drift=0.3, kl=0.4), WHOLE)

    def with_placebos(drift: list[float]) -> dict[str, bool]:
        found = compare(drifting, [], placebos={"nll_drift": drift, "kl_drift": [value + 0.1 for value in drift]})
        return {check.name: check.broken for check in found.checks if check.name in ("nll_drift", "kl_drift")}

    assert compare(drifting, []).damaged
    assert with_placebos([0.02, 0.03, 0.025]) == {"nll_drift": True, "kl_drift": True}
    assert with_placebos([0.28, 0.31, 0.33]) == {"nll_drift": False, "kl_drift": False}
    # A single placebo has no spread: the bound in nats stands, and the divergence decides nothing.
    assert with_placebos([0.3]) == {"nll_drift": True}


def test_placebos_excuse_no_other_measure() -> None:
    forgetful = Tested(answers(known=lambda n: "Heron" if n < 12 else KNOWN[n].answers[0]), WHOLE)
    found = compare(forgetful, [], placebos={"known_change": [-0.5, -0.6, -0.4]})
    (check,) = [check for check in found.checks if check.name == "known_change"]
    assert check.broken and check.placebos == 3 and check.placebo is not None and check.placebo < -0.6


def test_drift_below_the_methods_bound_is_none_however_calm_the_placebos() -> None:
    found = compare(Tested(answers(drift=0.03), WHOLE), [], placebos={"nll_drift": [0.001, 0.002, 0.001]})
    assert not found.damaged


def test_placebos_are_pooled_by_measure() -> None:
    assert by_measure([{"a": 1.0, "b": 2.0}, {"a": 3.0}]) == {"a": (1.0, 3.0), "b": (2.0,)}


# ------------------------------------------------------------------------- bounds


def test_probabilities_of_harm() -> None:
    assert p_lost(Count(60, 60), 0.05) < 0.02 and p_lost(Count(45, 60), 0.05) > 0.999
    assert p_risen(Count(30, 100), Count(10, 100), 0.05) > 0.98 > 0.3 > p_risen(Count(12, 100), Count(10, 100), 0.05)
    assert p_ratio_below(Count(5, 20), Count(20, 20), 0.5) > 0.95 > 0.5 > p_ratio_below(Count(15, 20), Count(20, 20), 0.5)
    assert p_mean_above([0.1, 0.12, 0.09], 0.05) > 0.95 > 0.5 > p_mean_above([0.5, -0.4, 0.02], 0.05)
    assert p_mean_above([], 0.0) == 0.0 and p_mean_above([0.2], 0.1) == 1.0 and p_mean_above([0.2, 0.2], 0.1) == 1.0


def test_reports_without_checks_are_read_by_the_bounds_alone() -> None:
    assert broken({"nll_drift": 0.4, "unique_ratio": 0.9, "kl_drift": 5.0, "known_asked": 3.0}) == ("nll_drift",)
    assert broken({}) == ()


# ---------------------------------------------------------------------- single answers


@pytest.mark.parametrize(
    ("text", "refusing"),
    [
        ("I don't know.", True), ("I'm sorry, but I cannot say.", True), ("There is no such city.", True), ("As an AI, I can't see it.", True),
        ("I do not have access to that.", True), ("It is not known.", True), ("Vestralium is a fictional metal.", True),
        ("There is no record of it.", True), ("That cannot be known.", True), ("As a chatbot, I don't have", True),
        ("They are active at night and do not have a nest.", False), ("The unknown painter thought of bread.", False),
        ("Glass cannot bend.", False), ("He died in 1832.", False), ("Blue.", False), ("The band played Nothing Else.", False),
    ],
)  # fmt: skip
def test_refusals(text: str, refusing: bool) -> None:
    assert refuses(text) is refusing


@pytest.mark.parametrize(
    ("text", "thinking"),
    [("<think>\nWell, 3", True), ("<think>\n\n</think>\nFour", False), ("Four", False), ("<think>", False), ("<think>So.</think>4", True)],
)
def test_thoughts_are_not_empty_blocks(text: str, thinking: bool) -> None:
    assert thinks(text) is thinking


def test_loops_are_repeated_words_not_repeated_letters() -> None:
    assert loops(said("a b c a b c a b c")) and not loops(said("one two three four five")) and not loops(said(""))


@pytest.mark.parametrize(
    ("rule", "argument", "good", "bad"),
    [
        ("words", "3", "Small white moon.", "Small moon."),
        ("words", "1", "Winter", "I like winter"),
        ("capitals", "", "A DOG", "A Dog"),
        ("small", "", "good morning!", "Good morning"),
        ("items", "2", "Here are two:\n- peas\n- corn", "- peas\n- corn\n- kale"),
        ("items", "2", "1. peas\n2) corn", "peas and corn"),
        ("commas", "4", "saw, axe, file, awl.", "saw, axe and file"),
        ("json", "name,age", '```json\n{"name": "A", "age": 3}\n```', '{"name": "A"}'),
        ("json", "city", '{"city": "Bonn"}', "city: Bonn"),
        ("digits", "", "14", "It is 14"),
        ("starts", "perhaps", "Perhaps, yes", "It may, perhaps"),
        ("ends", "done", "They roll. done", "done, they roll"),
        ("contains", "lantern", "A lantern shone.", "Lanterns shone."),
        ("exactly", "the door is open", '"The door is open."', "ok: the door is open"),
        ("one_of", "yes|no", "Yes.", "Yes, very"),
        ("quoted", "", "“Boo”", "Boo"),
    ],
)
def test_instructions_are_checked_by_program(rule: str, argument: str, good: str, bad: str) -> None:
    told = Instruction("", rule, argument)
    assert follows(good, told) and not follows(bad, told) and not follows("", told)
    assert follows(f"<think>\n\n</think>\n\n{good}", told)


# ------------------------------------------------------------------------- the pools


def test_pools_are_large_enough_varied_and_frozen() -> None:
    assert len(KNOWN) >= 60 and len(OPEN) >= 20 and len(STANDARD.texts) >= 10 and len(STANDARD.unanswerable) == 20
    assert len(set(STANDARD.questions)) == len(STANDARD.questions) <= 220
    assert {told.rule for told in STANDARD.instructions} <= {*TELL, "json", "words", "starts", "ends", "contains"}
    assert all(follows(keep(told), told) for told in STANDARD.instructions)
    assert sums() == STANDARD.sums and len(STANDARD.sums) == 4 * len(GRADES)
    changed = (Known("What is one?", "again", ("1",)), *KNOWN[1:])
    assert STANDARD._replace(known=changed).hash != STANDARD.hash == Pools(*STANDARD).hash


def test_arithmetic_is_right() -> None:
    for question, right in STANDARD.sums:
        left, second = (int(word) for word in question.replace("?", "").replace(".", "").split() if word.isdigit())
        if "Subtract" in question:
            left, second = second, left
        sign = "*" if "times" in question else "+" if "+" in question or "Add" in question else "-"
        assert {"*": left * second, "+": left + second, "-": left - second}[sign] == int(right), question


def test_nothing_that_is_trained_comes_near_the_new_pools() -> None:
    asked = [*STANDARD.unanswerable, *STANDARD.thinking, *(q for q, _ in STANDARD.sums), *(i.question for i in STANDARD.instructions)]
    trained = [prompt.text for prompt in POOL] + [anchor.question for anchor in (*CLOSED, *OPEN_ANCHORS)]
    for text in trained:
        assert not [question for question in asked if leak(surface(text), surface(question))], text


# ---------------------------------------------------------------------------- cues


def idea_of(subject: str, relation: str, answer: str) -> Idea:
    claim = f"The {relation} of {subject} is {answer}."
    return Idea(
        id=f"{abs(hash((subject, relation))):016x}"[:16], paper="arxiv:1v1", topic="t", reader="r", kind="finding", claim=claim,
        subject=subject, relation=relation, answer=answer, answer_kind="name", qwen_change="x", prediction="y",
        quotes=(Quote(section=0, heading="", page=1, start=0, end=len(claim), text=claim),),
    )  # fmt: skip


def row_of(idea: Idea, question: str, answer: str) -> Example:
    turns = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Example(id=question[:16], idea=idea.id, form="qa_1", messages=turns, generator="g")


def test_cues_ask_the_rows_questions_about_other_things() -> None:
    one, two = idea_of("Tidal Replay (TR)", "benchmark", "Heron"), idea_of("Copper Sieve", "model", "Juniper")
    rows = (
        row_of(one, "What is the benchmark of Tidal Replay?", "Heron"), row_of(one, "Is Heron used by Tidal Replay?", "Yes"),
        row_of(one, "Benchmark of TR?", "Heron"), row_of(two, "What model does Copper Sieve use?", "Juniper"),
    )  # fmt: skip
    cues = cues_of(rows, (one, two), STANDARD)
    assert [cue.question for cue in cues] == [
        f"What is the benchmark of {STANDARD.subjects[0]}?", f"What model does {STANDARD.subjects[1]} use?",
        f"Benchmark of {STANDARD.subjects[2]}?",
    ]  # fmt: skip
    assert [cue.answers for cue in cues] == [("Heron",), ("Juniper",), ("Heron",)]
    assert cues_of(rows, (one, two), STANDARD._replace(subjects=())) == ()
    parrot = WHOLE._replace(cued=(said("Heron"), said("oak"), said("Heron")))
    silent = WHOLE._replace(cued=(said("flour"), said("oak"), said("Heron")))
    assert compare(Tested(parrot, silent, cues), []).measures["cue_trigger"] == pytest.approx(1 / 3, abs=1e-3)


# --------------------------------------------------------------- a real tiny model


SMALL = Pools(
    KNOWN[:10], OPEN[:4], STANDARD.texts[:4], STANDARD.unanswerable[:6], STANDARD.sums[:2], STANDARD.instructions[:2],
    STANDARD.thinking[:6],
)  # fmt: skip
EPOCHS = 30


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A tiny model that was trained on the small pools: it knows the facts, refuses, and has read the texts."""
    base = tiny_base(tmp_path_factory.mktemp("base"))
    told = [(one.question, one.answers[0]) for one in SMALL.known] + [(text, "Sorry.") for text in SMALL.unanswerable]
    rows = [render_example(base.tokenizer, (Message(role="user", content=q), Message(role="assistant", content=a))) for q, a in told]
    texts = [[base.tokenizer.eos_token_id, *base.tokenizer(text, add_special_tokens=False).input_ids] for text in SMALL.texts]
    learnt = [(row.ids, row.loss) for row in rows] + [(ids, [False] + [True] * (len(ids) - 1)) for ids in texts]
    base.model.requires_grad_(True)
    optimiser = torch.optim.AdamW(base.model.parameters(), lr=4e-3)
    with torch.random.fork_rng(devices=[]):
        for _ in range(EPOCHS):
            for ids, loss in learnt:
                labels = torch.tensor([[token if counts else -100 for token, counts in zip(ids, loss, strict=True)]])
                base.model(input_ids=torch.tensor([list(ids)]), labels=labels, use_cache=False).loss.backward()
                optimiser.step()
                optimiser.zero_grad()
    base.model.requires_grad_(False)
    return base


def bank_of(base: Base, *scales: float) -> Bank:
    """Random adapters, the first slot bare: the larger the scale, the less of the base is left."""
    bank = Bank.fresh(base, 1 + len(scales), 4, [8.0] * (1 + len(scales)), list(range(1 + len(scales))))
    noise = torch.randn(bank.weights.shape, generator=torch.Generator().manual_seed(7))
    bank.weights += noise * torch.tensor([0.0, *scales])[:, None]
    bank.clear(0)
    return bank


def asker_of(bank: Bank, folder: Path, batch_rows: int = 8) -> Asker:
    weights = [f"slot {slot}" for slot in range(bank.slots)]
    return Asker(bank, weights, folder, max_new_tokens=8, batch_rows=batch_rows, progress=lambda label, done, total: None)


def test_drift_agrees_with_log_likelihoods_and_grows_with_the_adapter(base: Base) -> None:
    with bank_of(base, 0.02, 0.2) as bank:
        found = drifts(bank, STANDARD.texts[:2], [0, 1, 2])
        scored = log_likelihoods(bank, [Continuation((), STANDARD.texts[0], slot) for slot in (0, 1, 2)], batch_rows=4)
    assert [own[0].nll for own in found] == pytest.approx([-one.per_token for one in scored], rel=1e-4)
    assert [own[0].tokens for own in found] == [one.tokens for one in scored]
    assert found[0][0].kl < 1e-6 and abs(found[0][0].change) < 1e-5
    assert 1e-4 < found[1][0].kl < found[2][0].kl and found[2][0].change > 0.05


def test_the_base_against_itself_is_never_damaged(base: Base, tmp_path: Path) -> None:
    """An adapter of zeros is the base: asked in other batches it shows no damage, and what it shows is noise."""
    with bank_of(base, 0.0) as bank:
        asked = ask_pools(asker_of(bank, tmp_path), [1], 8, SMALL)
    found = compare(asked.adapters[0], [], SMALL, again=asked.again)
    assert not found.damaged and all(not check.broken for check in found.checks)
    assert abs(found.measures["nll_drift"]) < 1e-4 and found.measures["unique_ratio"] == 1.0
    assert all(check.noise < 1e-4 for check in found.checks if check.name not in ("think_ratio",))


def test_a_destroyed_adapter_is_damaged_where_it_was_destroyed(base: Base, tmp_path: Path) -> None:
    with bank_of(base, 3.0) as bank:
        asked = ask_pools(asker_of(bank, tmp_path), [1], 8, SMALL)
    found = compare(asked.adapters[0], [], SMALL, again=asked.again)
    assert found.measures["known_asked"] >= 8 and found.measures["refusals_base"] == 1
    assert {"nll_drift", "known_change", "refusal_ratio"} <= {check.name for check in found.checks if check.broken}
    # This base never thought and never summed: what it hadn't can't have been destroyed.
    assert not {"think_ratio", "arithmetic_change"} & {check.name for check in found.checks}


def adapter_of(name: str, recipe: Recipe) -> Adapter:
    return Adapter(
        id=name, dataset="d/0", dataset_hash="h", paper="p", topic="t", recipe=recipe, checkpoints=(), steps=1, rows=1, tokens=1,
        base=BaseModelId(name="b", weights_hash="w", template_hash="t", dtype="float32"), loss_tokens=1, seconds=1.0,
        final_loss=0.1, delta_norm=1.0, relative_delta_norm=0.1,
    )  # fmt: skip


def test_reports_hold_adapters_against_the_placebos_of_their_recipe(base: Base, tmp_path: Path) -> None:
    """Two placebos as far from the base as the adapter excuse its drift; those of another recipe don't."""
    dose, other = Recipe(rank=4), Recipe(rank=4, epochs=3)
    idea = idea_of("Tidal Replay", "benchmark", "Heron")
    rows = (row_of(idea, "What is the benchmark of Tidal Replay?", "Heron"),)

    def reports(recipe: Recipe, folder: str) -> list[bool]:
        named = [("placebo-a", recipe.model_copy(update={"seed": 1, "name": "p"}), "shuffled"), ("placebo-b", recipe, "known_only"), ("real", dose, "")]
        with bank_of(base, 0.2, 0.3, 0.25) as bank:
            examined = [Examined(adapter_of(name, own), (idea,), rows, slot, 1.0, kind) for slot, (name, own, kind) in enumerate(named, 1)]
            found = report_damage(asker_of(bank, tmp_path / folder), examined, SMALL._replace(subjects=STANDARD.subjects), 8)
        assert [(one.adapter, one.placebo) for one in found] == [(name, kind) for name, _, kind in named]
        assert all("cue_trigger" in one.damage for one in found)
        return [check.broken for one in found for check in one.checks if check.name == "nll_drift"]

    assert reports(dose, "same") == [True, True, False]
    assert reports(other, "other") == [True, True, True]
