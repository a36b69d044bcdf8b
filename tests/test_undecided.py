"""Units that mean the same, and the answers that rules can't read: a third outcome beside right and wrong."""

from __future__ import annotations

import pytest

from paperlora.model.scoring import answer_after_thought, score_answer, undecided
from paperlora.records import AnswerKind, Idea, Message, Probe, ProbeFamily, Quote


def idea_of(answer: str, kind: AnswerKind) -> Idea:
    quote = Quote(section=0, heading="", page=1, start=0, end=len(answer), text=answer)
    return Idea(
        id="0" * 16, paper="arxiv:9901.00001", topic="t", reader="extractive/1", kind="method", claim=f"It is {answer}.",
        subject="Slow Mirror", relation="setting", answer=answer, answer_kind=kind, qwen_change="training",
        prediction="recall", quotes=(quote,),
    )  # fmt: skip


def probe_of(*answers: str, wrong: tuple[str, ...] = (), family: ProbeFamily = "direct") -> Probe:
    asked = (Message(role="user", content="In Slow Mirror, which setting?"),)
    return Probe(id="p", idea="0" * 16, family=family, form="ask", messages=asked, answers=answers, distractors=wrong)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("50%", "0.5"),
        ("0.5", "50 percent"),
        ("1k", "1,000"),
        ("1,000 tokens", "1k tokens"),
        ("2 million", "2M"),
        ("500 ms", "0.5 seconds"),
        ("0.5 seconds", "500 ms"),
        ("500ms", "0.5s"),
        ("2 minutes", "120 s"),
        ("1.5 hours", "90 minutes"),
        ("2 days", "48 h"),
        ("2 GB", "2000 MB"),
        ("2 GB", "2,048 megabytes"),
    ],
)
def test_equal_quantities_count_whatever_their_unit(text: str, answer: str) -> None:
    assert score_answer(f"It takes {text}.", probe_of(answer), idea_of(answer, "number")) == 1.0


@pytest.mark.parametrize(
    ("text", "answer"),
    [("0.5 ms", "0.5 seconds"), ("2 seconds", "2 minutes"), ("2 hours", "2 GB"), ("5%", "0.5"), ("60 tokens", "60 seconds"), ("4 x 8", "32")],
)
def test_unequal_quantities_do_not(text: str, answer: str) -> None:
    assert score_answer(text, probe_of(answer), idea_of(answer, "number")) == 0.0


NUMBERS = [
    ("37 percent", False),  # right
    ("40 percent", False),
    ("It isn't 37 percent", False),
    ("I am not sure.", False),
    ("", False),
    ("<think>37 percent", False),
    ("40 percent, then 37 percent, " * 6, False),
    ("40 percent or 37 percent", True),
    ("At first 40 percent. In the end they took 37 percent.", True),
    ("More than a third of it", True),
]
NAMES = [
    ("They do two-stage training.", False),  # right
    ("curriculum learning", False),
    ("I can't say what kind.", False),
    ("It is not two-stage training.", False),
    ("Training is done with curriculum learning in stages.", False),  # names a known wrong answer
    ("They train in two stages.", True),
    ("curriculum learning or two-stage training", True),
    ("There are several ways. One is two-stage training.", True),
]


@pytest.mark.parametrize(("text", "open_"), NUMBERS)
def test_numbers_that_rules_cannot_settle(text: str, open_: bool) -> None:
    assert undecided(text, probe_of("37 percent", "37%"), idea_of("37 percent", "number")) is open_


@pytest.mark.parametrize(("text", "open_"), NAMES)
def test_phrases_that_rules_cannot_settle(text: str, open_: bool) -> None:
    probe = probe_of("two-stage training", wrong=("curriculum learning",))
    assert undecided(text, probe, idea_of("two-stage training", "phrase")) is open_


def test_what_is_undecided_counts_as_wrong_and_what_is_right_is_decided() -> None:
    for answer, kind, cases in (("37 percent", "number", NUMBERS), ("two-stage training", "phrase", NAMES)):
        probe = probe_of(answer, wrong=("curriculum learning",) if kind == "phrase" else ())
        idea = idea_of(answer, kind)  # type: ignore[arg-type]
        scores = {text: score_answer(text, probe, idea) for text, _ in cases}
        assert sum(scores.values()) == 1 and scores[cases[0][0]] == 1.0


@pytest.mark.parametrize("family", ["near_miss", "locality", "choice"])
def test_closed_probes_are_always_decided(family: ProbeFamily) -> None:
    probe, idea = probe_of("37 percent", family=family), idea_of("37 percent", "number")
    assert not undecided("40 percent or 37 percent", probe, idea)


def test_yes_or_no_is_always_decided() -> None:
    probe = probe_of("Yes", "Correct", family="implication")
    assert not undecided("Some would say yes, some no", probe, idea_of("37 percent", "number"))


@pytest.mark.parametrize(
    ("text", "ended", "left"),
    [
        ("<think>\n40? no\n</think>\n\n37 percent", True, "37 percent"),
        ("40? no</think>37 percent", True, "37 percent"),
        ("37 percent", True, "37 percent"),
        ("<think>\n37 percent", True, ""),
        ("37 percent, or rather", False, ""),
        ("<think>a</think>37", False, "37"),
    ],
)
def test_only_what_follows_a_finished_thought_is_an_answer(text: str, ended: bool, left: str) -> None:
    assert answer_after_thought(text, ended) == left
