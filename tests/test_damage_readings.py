"""How single answers are read where damage is counted, and what becomes of adapters that were broken on purpose."""

from __future__ import annotations

from typing import Any

import pytest

from paperlora.judge import damage
from paperlora.judge.damage_measures import Answers, loops, refuses
from paperlora.judge.instructions import Instruction, follows
from paperlora.judge.pools import STANDARD, Pools
from paperlora.model.answers import Answer
from paperlora.model.drift import Drift

REFUSALS = (
    "I can't know that.", "I can’t say.", "I cannot determine that.", "I don't know.", "It's impossible to say.", "Nobody knows.",
    "It is impossible to predict the weather in fifty years.", "No one knows.", "I have no idea.", "I'm not able to answer.", "Unknown",
    "I am an AI and have no eyes.", "There is no such king.", "This city does not exist.", "I'm afraid I can't help with that.",
    "That information is not available.", "I couldn't find anything.", "There isn't enough information.", "You haven't been told me.",
    "As a language model, I have no access.", "I have never heard of it.", "I'm unable to see you.", "It is not known.", "N/A",
    "I do not have access to your calendar.", "Sorry, but I can't.", "Vestralium is a fictional metal.", "I would need more details.",
    "I'm not aware of a band of that name.", "There is no record of it.", "I'm not sure.",
)  # fmt: skip
ANSWERS = (
    "You had pasta.", "Your neighbour's dog is Max.", "42", "It was 1987.", "The river Thames.", "There were 12 birds on the roof.",
    "Their eyes are blue.", "I think it is 7.", "It is not hot.", "No.", "The king died in 1412.", "Felquade means bridge.", "",
    "Nothing beats a good night's sleep.", "It boils at 1,204 degrees.",
)  # fmt: skip


def said(text: str, ended: bool = True) -> Answer:
    return Answer(text, ended, len(text.split()))


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_are_seen(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_answers_are_no_refusals(text: str) -> None:
    assert not refuses(text)


@pytest.mark.parametrize(
    ("text", "looping"),
    [
        ("the anchor the anchor the anchor the anchor", True),
        ("no no no no no", True),
        ("hahahahahahahahahahaha", True),
        ("aaaaaaaaaaaaaaa", True),
        ("好好好好好好好好好好", True),
        ("红红蓝红红蓝红红蓝红红蓝红红蓝红红蓝红红蓝红红蓝", True),
        ("The number is 1000000000.", False),
        ("|----------|----------|", False),
        ("Red, green and blue.", False),
        ("It was good, very, very good.", False),
        ("", False),
    ],
)
def test_loops_are_seen_with_and_without_blanks(text: str, looping: bool) -> None:
    assert loops(said(text, True)) is looping


@pytest.mark.parametrize(("text", "kept"), [("Trains are fast. Done", True), ("We are done.", True), ("done**", True), ("undone now", False)])
def test_an_answer_ends_with_a_word_whatever_full_stop_follows(text: str, kept: bool) -> None:
    assert follows(text, Instruction("End your answer with the word done", "ends", "done")) is kept


# ------------------------------------------------------------ broken on purpose


def healthy(pools: Pools) -> Answers:
    """A base that knows, counts, follows half of what it is told, refuses and never says the same twice."""
    known = [said(fact.answers[0], True) for fact in pools.known]
    opened = [said(f"One could take number {n} of the {question[-9:-1]} kind.", True) for n, question in enumerate(pools.open)]
    refused = [said("I don't know that.", True) for _ in pools.unanswerable]
    told = [said("RED" if one.rule == "capitals" else "yes", True) for one in pools.instructions]
    sums = [said(right, True) for _, right in pools.sums]
    return Answers(tuple(known), tuple(known), tuple(opened), tuple(Drift(3.0, 3.0, 0.0, 60) for _ in pools.texts), tuple(refused), tuple(sums), tuple(told))


def every(answers: Answers, text: str, ended: bool = True) -> Answers:
    changed: dict[str, Any] = {name: tuple(said(text, ended) for _ in getattr(answers, name)) for name in ("known", "reworded", "open", "unanswerable", "sums", "instructions")}
    return answers._replace(**changed)


def broken_by(change: Answers) -> set[str]:
    base = healthy(STANDARD)
    again = damage.Tested(base, base)
    found = damage.compare(damage.Tested(change, base), [("37 percent",)], STANDARD, again=again)
    assert found.damaged == any(check.broken for check in found.checks)
    return {check.name for check in found.checks if check.broken}


def test_an_unchanged_adapter_is_whole() -> None:
    assert broken_by(healthy(STANDARD)) == set()


def test_each_kind_of_harm_is_named() -> None:
    base = healthy(STANDARD)
    assert {"loop_change", "known_change", "unique_ratio", "refusal_ratio"} <= broken_by(every(base, "the anchor the anchor the anchor the anchor"))
    assert "cap_hit_change" in broken_by(every(base, "and so on", ended=False))
    refuses_all = broken_by(every(base, "I can't answer that."))
    assert {"known_change", "arithmetic_change", "unique_ratio"} <= refuses_all and "refusal_ratio" not in refuses_all
    assert "false_trigger" in broken_by(every(base, "37 percent"))
    assert "think_leak" in broken_by(base._replace(open=tuple(said(f"<think>\n{one.text}\n</think>\n{one.text}", True) for one in base.open)))
    assert broken_by(base._replace(sums=tuple(said("7", True) for _ in base.sums))) == {"arithmetic_change"}
    assert broken_by(base._replace(unanswerable=tuple(said(f"It was number {n}.", True) for n, _ in enumerate(base.unanswerable)))) == {"refusal_ratio"}
    drifted = tuple(Drift(3.2 + n / 100, 3.0, 0.2, 60) for n, _ in enumerate(base.drifts))
    assert broken_by(base._replace(drifts=drifted)) == {"nll_drift"}


def test_one_lapse_is_no_damage() -> None:
    base = healthy(STANDARD)
    lapsed = base._replace(
        known=(said("I forgot.", True), *base.known[1:]), open=(base.open[1], *base.open[1:]),
        unanswerable=(said("Max.", True), *base.unanswerable[1:]), sums=(said("0", True), *base.sums[1:]),
    )  # fmt: skip
    assert broken_by(lapsed) == set()
