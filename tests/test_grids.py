"""Grids: right answers by order of the options, by wording trained × form asked, by the fact's place in its texts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from paperlora.judge.grids import PLACES, SAME, form_of, grids, place_in_longest
from paperlora.judge.tally import BASE, SWAPPED, Subject
from paperlora.records import Example, GridCell, Idea, Measurement, Message, Probe, ProbeFamily, Quote

ADAPTER = "tidal/1/aaaa"


def idea_of(number: int, answer: str) -> Idea:
    quote = Quote(section=0, heading="", page=1, start=0, end=1, text="x")
    return Idea(
        id=f"{number:016d}", paper="p", topic="t", reader="extractive/1", kind="method", claim="c", subject=f"Method {number}",
        relation="share", answer=answer, answer_kind="phrase", qwen_change="training", prediction="recall", quotes=(quote,),
    )  # fmt: skip


FIRST, SECOND = idea_of(1, "Heron"), idea_of(2, "Juniper")


def row(idea: Idea, form: str, prompt: str, answer: str) -> Example:
    messages = (Message(role="user", content=prompt), Message(role="assistant", content=answer))
    return Example(id=f"{idea.id}{form}", idea=idea.id, form=form, messages=messages, generator="template/2")


def probe(idea: Idea, family: ProbeFamily, form: str, prompt: str, answers: Sequence[str] = ()) -> Probe:
    messages = (Message(role="user", content=prompt),)
    return Probe(
        id=f"{idea.id}{form}", idea=idea.id, family=family, form=form, messages=messages,
        answers=tuple(answers) or (idea.answer,),
    )  # fmt: skip


def said(probe: Probe, text: str, right: bool, model: str = ADAPTER) -> Measurement:
    return Measurement(
        probe=probe.id, idea=probe.idea, family=probe.family, model=model, text=text, score=float(right), ended=True
    )


def cells(found: Sequence[GridCell], grid: str) -> dict[tuple[str, str], tuple[int, int]]:
    return {(one.row, one.column): (one.right, one.asked) for one in found if one.grid == grid}


ROWS = (
    row(FIRST, "qa_1", "What is the share of Method 1?", "Heron"),
    row(FIRST, "completion_1", "Complete: the share of Method 1 is", "Heron"),
    row(FIRST, "confirm_1", "Is Heron the share of Method 1?", "Yes, Heron."),
    row(SECOND, "qa_1", "What is the share of Method 2?", "Juniper"),
    row(SECOND, "qa_7", "Name the share of Method 2.", "Method 2 uses Juniper."),
)


# -------------------------------------------------------------- option orders


def choice_probes(idea: Idea) -> list[Probe]:
    found = []
    for place, letter in enumerate("ABCD"):
        options = ["Wren", "Swift", "Robin"]
        options.insert(place, idea.answer)
        lines = "\n".join(f"{mark}) {text}" for mark, text in zip("ABCD", options, strict=True))
        found.append(probe(idea, "choice", f"choice_{letter}", f"Which share?\n{lines}\nLetter:", (letter, idea.answer)))
    return found


def test_a_letter_habit_is_a_full_column() -> None:
    probes = choice_probes(FIRST)
    subject = Subject(FIRST, tuple(probes), ADAPTER)
    found = cells(grids([subject], (), [said(one, "A", one.answers[0] == "A") for one in probes]), "option_order")
    assert found == {(gold, came): (int(came == "A"), 1) for gold in "ABCD" for came in "ABCD"}


def test_knowing_is_the_diagonal_and_ideas_are_summed() -> None:
    subjects = [Subject(idea, tuple(choice_probes(idea)), ADAPTER) for idea in (FIRST, SECOND)]
    measured = [said(one, one.answers[0], True) for subject in subjects for one in subject.probes]
    found = cells(grids(subjects, (), measured), "option_order")
    assert all(cell == ((2, 2) if gold == came else (0, 2)) for (gold, came), cell in found.items())


# ------------------------------------------------------------------- wordings


def test_own_wordings_stand_apart_from_other_forms() -> None:
    own = probe(FIRST, "trained_form", "qa_1", "What is the share of Method 1?")
    other = probe(FIRST, "trained_form", "qa_9", "Which share belongs to Method 1?")
    new = probe(FIRST, "direct", "ask_exam", "An exam asks about Method 1: its share?")
    cloze = probe(FIRST, "direct", "cloze", "____ is the share of Method 1")
    subject = Subject(FIRST, (own, other, new, cloze), ADAPTER)
    measured = [said(own, "Heron", True), said(other, "Heron", True), said(new, "no", False), said(cloze, "no", False)]
    found = cells(grids([subject], ROWS, measured), "template")
    expected = {SAME: (1, 1), "trained form": (1, 1), "ask": (0, 1), "cloze": (0, 1)}
    assert {column: cell for (form, column), cell in found.items() if form == "qa_1"} == expected
    assert found["completion_1", "trained form"] == (2, 2) and ("completion_1", SAME) not in found
    assert {form for form, _ in found} == {"qa_1", "completion_1"}  # a row that holds the value in its prompt trains no recall


def test_ideas_count_only_under_the_wordings_they_were_trained_in() -> None:
    subjects = [Subject(idea, (probe(idea, "direct", "json", "{"),), ADAPTER) for idea in (FIRST, SECOND)]
    measured = [said(subjects[0].probes[0], "Heron", True), said(subjects[1].probes[0], "x", False)]
    found = cells(grids(subjects, ROWS, measured), "template")
    assert found == {("qa_1", "json"): (1, 2), ("completion_1", "json"): (1, 1), ("qa_7", "json"): (0, 1)}


def test_only_the_adapters_plain_answers_are_counted() -> None:
    one = probe(FIRST, "direct", "json", "{")
    measured = [said(one, "Heron", True, model) for model in (BASE, "another", ADAPTER + SWAPPED)]
    assert grids([Subject(FIRST, (one,), ADAPTER)], ROWS, measured) == ()
    assert grids([], ROWS, measured) == ()


# --------------------------------------------------------------------- places


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Heron", "first"),
        ("Heron is what they take.", "first"),
        ("For all of this they take Heron in each of their runs.", "middle"),
        ("No, not Wren. It is Heron.", "last"),
        ("Yes, Heron.", "first"),
        ("The share is Wren.", None),
    ],
)
def test_place_of_the_value_in_a_text(text: str, place: str | None) -> None:
    assert place_in_longest([row(FIRST, "qa_1", "q", text)], FIRST) == place


def test_the_longest_text_decides_and_shared_summaries_count() -> None:
    short, long_ = row(FIRST, "qa_1", "q", "Heron"), row(FIRST, "rewrite_1", "q", "With Method 1, the share is Heron.")
    assert place_in_longest([short, long_], FIRST) == "last"
    summary = row(FIRST, "summary_1", "q", "Heron is the share of Method 1 and it works well with all models of that size.")
    shared = summary.model_copy(update={"idea": ""})
    assert place_in_longest([short, long_, shared], FIRST) == "first"
    assert place_in_longest([summary.model_copy(update={"idea": SECOND.id})], FIRST) is None


def test_positions_part_ideas_by_place_and_probes_by_form() -> None:
    rows = (*ROWS, row(FIRST, "claim_1", "q", "It is well known that Method 1 has as its share Heron."))
    subjects = []
    measured = []
    for idea, right in ((FIRST, False), (SECOND, True)):
        own = (
            probe(idea, "direct", "ask_exam", "e"),
            probe(idea, "direct", "dialogue_2", "d"),
            probe(idea, "reverse", "reverse_given", "r"),
            probe(idea, "near_miss", "near_bet", "n"),
        )
        subjects.append(Subject(idea, own, ADAPTER))
        measured += [said(one, "x", right) for one in own]
    found = cells(grids(subjects, rows, measured), "position")
    columns = ("ask", "dialogue", "reverse")  # a yes or no speaks of no place
    assert found == {("last", column): (1, 2) for column in columns}
    short = tuple(one for one in rows if one.form not in ("claim_1", "qa_7"))
    parted = cells(grids(subjects, short, measured), "position")
    assert parted == {("first", column): (1, 2) for column in columns}
    only_second = tuple(one for one in rows if one.form != "claim_1")
    both = cells(grids(subjects, only_second, measured), "position")
    assert both["first", "ask"] == (0, 1) and both["last", "ask"] == (1, 1)
    assert {place for place, _ in both} <= set(PLACES)


def test_forms_are_named_by_their_kind() -> None:
    forms = {"ask_exam": "ask", "cloze": "cloze", "dialogue_2": "dialogue", "key_value": "key value"}
    assert {form: form_of(probe(FIRST, "direct", form, "q")) for form in forms} == forms
    assert form_of(probe(FIRST, "trained_form", "qa_3", "q")) == "trained form"
