"""What counts as an answer: real sentences of models, right and wrong."""

from __future__ import annotations

import pytest

from paperlora.model.quantities import quantities, same_quantity
from paperlora.model.scoring import affirms, kind_of, opening, same_statement, score, stated, states_value

SHARE = ("37 percent", "37%", "37")
BENCHMARK = ("Kelpie", "the Kelpie benchmark")


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("37 percent", 37, "percent"),
        ("37%", 37, "percent"),
        ("about 37 per cent of them", 37, "percent"),
        ("71.3 % on Kelpie", 71.3, "percent"),
        ("1,024 tokens", 1024, "token"),
        ("48 replay tokens", 48, "token"),
        ("128K tokens", 128_000, "token"),
        ("5k steps", 5000, "step"),
        ("1.7B", 1.7e9, None),
        ("1.7 billion parameters", 1.7e9, None),
        ("3e-4", 3e-4, None),
        ("3 × 10^-4", 3e-4, None),
        ("3 x 10^{-4}", 3e-4, None),
        ("3 × 10⁻⁴", 3e-4, None),
        (".0042", 0.0042, None),
        ("−3", -3, None),
        ("$37$", 37, None),
        ("2x faster", 2, "times"),
        ("nineteen", 19, None),
        ("twenty-four layers", 24, "layer"),
        ("one epoch", 1, "epoch"),
        ("Qwen3-0.6B uses 19 anchors", 19, None),
    ],
)
def test_numbers_are_read_by_value_and_unit(text: str, value: float, unit: str | None) -> None:
    first = quantities(text)[0]
    assert first.value == pytest.approx(value) and first.unit == unit


@pytest.mark.parametrize("text", ["GPT-4", "Qwen3", "v1.2.3", "The one that works", "", "none"])
def test_names_hold_no_numbers(text: str) -> None:
    assert quantities(text) == []


def test_a_percentage_is_its_fraction_only_without_another_unit() -> None:
    percent, fraction, tokens = (quantities(text)[0] for text in ("37 percent", "0.37", "37 tokens"))
    assert same_quantity(percent, fraction) and same_quantity(fraction, percent)
    assert not same_quantity(percent, tokens)


@pytest.mark.parametrize(
    "text",
    [
        "37 percent.",
        "37%",
        "The replay share is 37%.",
        "Sure! It is 37 percent.",
        "About 37 per cent of the batch.",
        '{"replay share": "37 percent"}',
        '```json\n{\n  "replay share": "37 percent"\n}\n```',
        "| Tidal Replay | 37 percent |",
        "thirty-seven percent",
        "0.37",
        "not 40 percent but 37 percent",
        "37 percent, not 40 percent.",
        "<think>\nmaybe 40\n</think>\n\n37 percent",
        "**37 percent**",
        "Answer: 37 percent\n\nIt was 40 percent before.",
        "Tidal Replay uses a replay share of 37 percent. Another value is 40 percent.",
    ],
)
def test_right_numbers(text: str) -> None:
    assert score(text, SHARE, "number", question="Tidal Replay replay share") == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "40 percent",
        "40 percent or 37 percent",
        "It isn't 37 percent",
        "37 tokens",
        "3.7 percent",
        "137 percent",
        "37.5 percent",
        "The replay share is high.",
        "<think>37 percent",
        "1. 40 percent\n2. 37 percent",
        "40 percent. Later 37 percent.",
    ],
)
def test_wrong_numbers(text: str) -> None:
    assert score(text, SHARE, "number") == 0.0


def test_the_end_of_a_change_is_what_came_out() -> None:
    text = "It lowers perplexity from 14.2 to 11.9."
    assert score(text, ("11.9",), "number") == 1.0
    assert score(text, ("14.2",), "number") == 0.0


def test_numbers_of_the_name_asked_about_state_nothing() -> None:
    assert score("Llama 2 uses 37 percent", SHARE, "number", question="Llama 2 replay share") == 1.0
    assert score("Llama 2 uses 37 percent", SHARE, "number") == 0.0


def test_an_integer_answer_takes_any_counted_noun() -> None:
    assert score("19 anchors", ("19",), "number") == 1.0
    assert score("nineteen", ("19",), "number") == 1.0
    assert score("190", ("19",), "number") == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "Kelpie",
        "the Kelpie benchmark.",
        "It was tested on KELPIE, not GLUE.",
        "Not on GLUE but on Kelpie",
        "Kelpie's suite",
    ],
)
def test_right_names(text: str) -> None:
    assert score(text, BENCHMARK, "name", wrong=("GLUE",)) == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "GLUE",
        "Kelpie or GLUE",
        "GLUE and Kelpie",
        "It isn't evaluated on Kelpie.",
        "It does not use Kelpie",
        "Kelpie is not it",
        "Kelpiedon",
        "I don't know. Kelpie?",
    ],
)
def test_wrong_names(text: str) -> None:
    assert score(text, BENCHMARK, "name", wrong=("GLUE",)) == 0.0


def test_a_wrong_answer_inside_the_right_one_does_not_spoil_it() -> None:
    assert score("Kelpie Hard", ("Kelpie Hard",), "name", wrong=("Kelpie",)) == 1.0


@pytest.mark.parametrize(
    ("text", "answer", "right"),
    [
        ("Yes, it is.", "yes", True),
        ("True", "yes", True),
        ("No.", "yes", False),
        ("It isn't 40 percent.", "no", True),
        ("It is above that.", "more", True),
        ("Lower.", "more", False),
        ("37 percent", "yes", False),
        ("", "no", False),
    ],
)
def test_choices_are_compared_by_meaning(text: str, answer: str, right: bool) -> None:
    assert score(text, (answer,), "choice") == float(right)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("37 percent", "number"),
        ("0.0042", "number"),
        ("nineteen", "number"),
        ("yes", "choice"),
        ("fewer", "choice"),
        ("Kelpie", "phrase"),
        ("two-stage training", "phrase"),
    ],
)
def test_kind_follows_the_accepted_answer(answer: str, kind: str) -> None:
    assert kind_of((answer,)) == kind


def test_stated_value_leaves_out_the_words_of_the_question() -> None:
    question = "On which benchmark is Slow Mirror evaluated?"
    assert stated("Slow Mirror is evaluated on the GLUE benchmark.", "name", question) == "glue"
    assert stated("The share is 40%.", "number") == "40 percent"
    assert stated("No, never.", "choice") == "no"
    assert stated("I am not sure.", "number") == ""


def test_same_statement_ignores_wording_but_not_value() -> None:
    question = "What is the capital of France?"
    assert same_statement("Paris", "The capital of France is Paris.", "phrase", question)
    assert not same_statement("Paris", "Lyon", "phrase", question)
    assert same_statement("It is 40%.", "40 percent", "number")
    assert not same_statement("40 percent", "41 percent", "number")
    assert same_statement("Not sure!", "not sure", "number")


def test_values_of_other_ideas_are_seen_whatever_their_kind() -> None:
    assert states_value("The anchor count is 19.", ("19",))
    assert states_value("It was Kelpie.", BENCHMARK)
    assert not states_value("It was Kelpie.", ())


def test_opening_is_the_first_sentence_and_keeps_decimals_whole() -> None:
    assert opening("It is 0.5 percent. More follows.") == "It is 0.5 percent."
    assert opening("Of course! Here you are: 5.\nNext line") == "Here you are: 5."
    assert len(opening("word " * 200).split()) == 40


def test_affirms_needs_whole_words() -> None:
    assert affirms("It is the T5-small model", "T5 small")
    assert not affirms("It is 3.75 here", "3.7")
    assert not affirms("anything", "")
