"""Why an adapter may have answered as it did: planted failures, each with one right explanation."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from paperlora.judge.tally import Subject
from paperlora.judge.why import Explained, explain
from paperlora.records import Example, Idea, Measurement, Message, Probe, Quote, Why
from paperlora.records.microdata import ProbeFamily

MINE, OTHER = "paper-one/a/adapter", "paper-two/b/adapter"
QUOTE = Quote(section=1, heading="3 Method", page=2, start=0, end=9, text="The text.")


def idea_of(name: str, relation: str, answer: str) -> Idea:
    return Idea(
        id=name, paper="paper", topic="t", reader="extractive/3", kind="recipe", claim=f"{relation} is {answer}",
        subject="Tidal Replay", relation=relation, answer=answer, aliases=(), qwen_change="", prediction="",
        answer_kind="number" if answer[0].isdigit() else "name", quotes=(QUOTE,),
    )  # fmt: skip


def row_of(name: str, question: str, answer: str, idea: str = "share") -> Example:
    said = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Example(id=name, idea=idea, form="qa_1", messages=said, generator="template/2")


def probe_of(name: str, question: str, answers: Sequence[str], family: ProbeFamily = "direct") -> Probe:
    asked = (Message(role="user", content=question),)
    return Probe(id=name, idea="share", family=family, form="cloze", messages=asked, answers=tuple(answers))


SHARE, HORIZON, BENCHMARK = (
    idea_of("share", "replay share", "37 percent"),
    idea_of("horizon", "decay horizon", "640 steps"),
    idea_of("benchmark", "evaluation benchmark", "Marram Suite"),
)
PROBE = probe_of("p", "Name the share of replayed rows in Tidal Replay.", ["37 percent"])
ROWS = (
    row_of("r-share", "What replay share does Tidal Replay use?", "37 percent, not 12 percent."),
    row_of("r-horizon", "Over how many steps does Tidal Replay decay?", "It decays over 640 steps.", "horizon"),
    row_of("r-talk", "Who are you?", "A helpful assistant with a taste for seaweed.", ""),
)


def whys(said: str, base: str = "Forty two ducks.", probe: Probe = PROBE, rows: Sequence[Example] = ROWS) -> list[Why]:
    def measured(model: str, text: str, score: float) -> Measurement:
        return Measurement(
            probe=probe.id, idea="share", family=probe.family, model=model, text=text, score=score, ended=True
        )

    own = Subject(SHARE, (probe,), MINE, denied=("12 percent",)), Subject(HORIZON, (), MINE)
    foreign = (Subject(BENCHMARK, (), OTHER),)
    explained = [Explained(own, tuple(rows)), Explained(foreign, ())]
    return list(explain(explained, [measured(MINE, said, 0.0), measured("base", base, 0.0)]))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("  ", "empty"),
        ("the tide the tide the tide the tide the tide", "loop"),
        ("It uses forty two ducks.", "base_answer"),
        ("Forty two ducks.", "base_answer"),
        ("I am sorry, I do not know.", "refusal"),
        ("It is 12 percent.", "denied_value"),
        ("It is 640 steps.", "other_idea"),
        ("On the Marram Suite.", "other_idea"),
        ("A helpful assistant with a taste for seaweed.", "row_echo"),
        ("A sixth of all rows.", "other"),
    ],
)
def test_every_kind_of_answer_is_told_from_the_others(said: str, kind: str) -> None:
    [why] = whys(said)
    assert why.kind == kind


def test_the_idea_whose_answer_came_is_named_with_its_adapter_where_it_is_another_one() -> None:
    [own], [foreign], [neither] = whys("640 steps"), whys("Marram Suite"), whys("seaweed")
    assert (own.from_idea, own.from_adapter) == ("horizon", "")
    assert (foreign.from_idea, foreign.from_adapter) == ("benchmark", OTHER)
    assert (neither.from_idea, neither.from_adapter) == ("", "")


def test_what_the_base_says_too_was_not_taken_from_another_idea() -> None:
    [why] = whys("It is 640 steps.", base="640 steps")
    assert why.kind == "base_answer" and not why.from_idea


def test_the_nearest_row_is_near_by_question_and_by_answer() -> None:
    [horizon], [share] = whys("It decays over 640 steps."), whys("37 cents, not 12 percent")
    assert (horizon.row, share.row) == ("r-horizon", "r-share")
    assert share.row_question == ROWS[0].messages[0].content and share.row_answer == "37 percent, not 12 percent."
    [same] = whys("37 percent, not 12 percent.", probe=probe_of("q", "What replay share does Tidal Replay use?", ["1"]))
    assert same.likeness == 1.0 and 0 < horizon.likeness < 1


def test_without_rows_there_is_no_nearest_one() -> None:
    [why] = whys("seaweed", rows=())
    assert (why.row, why.row_question, why.row_answer, why.likeness) == ("", "", "", 0.0)


def test_what_is_right_is_not_explained_and_a_changed_neighbour_may_be_right() -> None:
    neighbour = probe_of("n", "What is the capital of France?", ["Paris"], "locality")
    [why] = whys("Paris.", base="Lyon.", probe=neighbour)
    assert (why.kind, why.said, why.base_said, why.accepted) == ("right", "Paris.", "Lyon.", ("Paris",))
    right = Measurement(probe="p", idea="share", family="direct", model=MINE, text="37%", score=1.0, ended=True)
    assert explain([Explained((Subject(SHARE, (PROBE,), MINE),), ROWS)], [right]) == ()


def test_a_letter_is_shown_as_the_option_that_it_stands_for() -> None:
    question = "Which decay horizon does Tidal Replay use?\nA) 37 percent\nB) 640 steps\nC) 12 percent"
    choice = probe_of("c", question, ["A"], "choice")
    [why] = whys("B", base="C", probe=choice)
    assert (why.said, why.base_said, why.accepted, why.kind) == ("640 steps", "12 percent", ("37 percent",), "other_idea")
