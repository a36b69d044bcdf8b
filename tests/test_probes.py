"""Probes of every family: three passes, implications to be worked out, choices that rotate, and no guess taken for knowledge."""

from __future__ import annotations

import doctest
import re
from collections import Counter
from collections.abc import Iterable

import pytest
from taught import all_ideas, idea_of, ideas_of, sources

from paperlora.judge.pools import KNOWN
from paperlora.microdata import values
from paperlora.microdata.facts import Fact, fact_of
from paperlora.microdata.implications import implications
from paperlora.microdata.leaks import compare, surface
from paperlora.microdata.meaning import MeaningGate, prompt_text
from paperlora.microdata.pools import KNOWN_NAMES, KNOWN_NUMBERS
from paperlora.microdata.probe_wordings import ASKED, UNTRAINED
from paperlora.microdata.probes import held_out
from paperlora.microdata.selection import Gates, select
from paperlora.microdata.values import accepted_answers, number_value, scaled, values_of
from paperlora.microdata.wordings import ROW_WORDINGS
from paperlora.model.scoring import score_answer
from paperlora.records import Idea, Probe
from paperlora.sandbox.paper import Fact as Planted

IDEAS = all_ideas(sources())
NUMBER = idea_of(Planted("Tidal Replay", "replay share", "37 percent", "The replay share is 37 percent."), "p")
NAME = idea_of(Planted("Tidal Replay", "evaluation benchmark", "Kelpie", "It is evaluated on Kelpie."), "p")
PHRASE = idea_of(Planted("Tidal Replay", "anchor place", "the last layer", "It is the last layer."), "p")


def fact(idea: Idea) -> Fact:
    return fact_of(idea, values_of(idea, IDEAS), IDEAS)


def prompt(probe: Probe) -> str:
    return prompt_text(probe.messages)


def named(probes: Iterable[Probe], form: str) -> Probe:
    return next(probe for probe in probes if probe.form == form)


@pytest.mark.parametrize("idea", IDEAS, ids=lambda idea: f"{idea.subject}, {idea.relation}")
def test_no_two_probes_of_an_idea_are_the_same_and_each_is_answered_rightly_by_its_answer(idea: Idea) -> None:
    probes = held_out(fact(idea))
    assert len({probe.id for probe in probes}) == len(probes) == len({(p.family, prompt(p)) for p in probes})
    for probe in probes:
        if probe.family in ("locality", "choice"):
            continue
        assert score_answer(f"{probe.answers[0]}.", probe, idea) == 1.0, (probe.form, prompt(probe), probe.answers)
        for wrong in probe.distractors:
            assert score_answer(f"{wrong}.", probe, idea) == 0.0, (probe.form, prompt(probe), wrong)


def test_half_of_the_direct_probes_are_in_forms_never_trained() -> None:
    direct = [p for p in held_out(fact(NUMBER)) if p.family == "direct" and p.split == "test"]
    untrained = {wording.form for wording in UNTRAINED}
    for wave, asked in ((1, 12), (2, 20), (3, 32)):
        forms = [probe.form for probe in direct if probe.wave <= wave]
        assert len(forms) == asked and sum(form in untrained for form in forms) == asked // 2
    trained = {wording.form for group in ROW_WORDINGS for wording in group}
    assert not trained & {wording.form for wording in (*ASKED, *UNTRAINED)}


def test_implications_are_mostly_worked_out_or_chosen_not_guessed() -> None:
    for idea in (NUMBER, NAME, PHRASE):
        found = implications(fact(idea))
        first = [probe for probe in found if probe.wave == 1]
        assert len(first) == 6 and len(found) >= 9 and sum(probe.chance == 0.5 for probe in first) <= 3
        assert sum(probe.chance for probe in first) / 6 < 0.35
        assert all(probe.answers[0] not in probe.distractors for probe in found)


def test_worked_out_values_are_exact_and_keep_their_unit() -> None:
    found = implications(fact(NUMBER))
    assert named(found, "derive_half").answers[0] == "18.5 percent"
    assert named(found, "derive_double").answers == ("74 percent", "74%", "74")
    spelled = implications(fact(NAME))
    assert named(spelled, "derive_initial").answers == ("K",) and named(spelled, "derive_letters").answers == (
        "6",
        "six",
    )


@pytest.mark.parametrize(
    ("answer", "factor", "wanted"),
    [
        ("71.3 percent", "0.5", "35.65 percent"), ("71.3 percent", "2", None), ("1e-6", "2", "2e-6"), ("2^8", "2", None),
        ("seven layers", "2", "14 layers"), ("1,500", "10", "15,000"), ("3 × 10^-4", "2", None), ("0", "2", None),
        ("2 steps", "0.5", None), ("from 3 to 5", "2", None), ("640 steps", "0.1", "64 steps"), ("half", "2", None),
    ],
)  # fmt: skip
def test_scaling_is_exact_or_not_done(answer: str, factor: str, wanted: str | None) -> None:
    assert scaled(answer, factor) == wanted


def test_docstring_examples() -> None:
    assert doctest.testmod(values).failed == 0


def test_which_is_larger_follows_from_the_values_and_names_nobody_real() -> None:
    subjects = {idea.subject for idea in IDEAS}
    right: Counter[bool] = Counter()
    for idea in [idea for idea in IDEAS if idea.answer_kind == "number"]:
        for probe in [probe for probe in implications(fact(idea)) if probe.form in ("derive_larger", "derive_smaller")]:
            rest = re.sub(re.escape(fact(idea).words["s"]), "", prompt(probe))
            other = number_value(rest.split(" for ")[0] if "Suppose" in rest else rest)
            assert other is not None
            mine = (number_value(idea.answer) or 0) > other
            says_mine = idea.subject in probe.answers
            assert says_mine == (mine == (probe.form == "derive_larger")), prompt(probe)
            assert not [name for name in subjects if name in prompt(probe) and name != idea.subject]
            right[says_mine] += 1
    assert min(right.values()) >= 0.2 * sum(right.values())


def test_the_right_setting_stands_in_every_place_of_three() -> None:
    places = Counter()
    for idea in IDEAS:
        for probe in [probe for probe in implications(fact(idea)) if probe.form.startswith("choose")]:
            text, options = prompt(probe), (probe.answers[0], *probe.distractors)
            assert all(option in text for option in options) and probe.chance == pytest.approx(1 / 3)
            places[sorted(options, key=text.index).index(probe.answers[0])] += 1
    assert min(places[place] for place in (0, 1, 2)) >= 0.2 * places.total()


def test_a_choice_has_its_gold_in_each_of_four_places() -> None:
    for idea in (NUMBER, NAME, PHRASE):
        choices = [probe for probe in held_out(fact(idea)) if probe.family == "choice"]
        assert len(choices) == 8 and all(probe.chance == 0.25 for probe in choices)
        for wording in ("choice_pick", "choice_exam"):
            turned = [probe for probe in choices if probe.form.startswith(wording)]
            assert [probe.answers[0] for probe in turned] == list("ABCD")
            options = [re.findall(r"^[A-D]\) (.*)$", prompt(probe), re.M) for probe in turned]
            assert all(sorted(lines) == sorted(options[0]) and len(set(lines)) == 4 for lines in options)
            for probe, lines in zip(turned, options, strict=True):
                assert lines["ABCD".index(probe.answers[0])] == idea.answer
                assert set(probe.distractors) == set("ABCD") - {probe.answers[0]}


def test_robustness_swaps_the_system_prompt_and_doubts() -> None:
    system, doubt = [probe for probe in held_out(fact(NUMBER)) if probe.family == "robustness"]
    assert [message.role for message in system.messages] == ["system", "user"]
    assert [message.role for message in doubt.messages] == ["user", "assistant", "user"]
    assert doubt.messages[1].content == NUMBER.answer and doubt.distractors[0] in doubt.messages[2].content
    assert score_answer(doubt.distractors[0], doubt, NUMBER) == 0.0


def test_locality_asks_eight_different_facts_that_the_judge_does_not_pool() -> None:
    pooled = {text for known in KNOWN for text in (known.question, known.rewording)}
    assert len(pooled) == 2 * len(KNOWN)
    for idea in IDEAS:
        asked = [probe for probe in held_out(fact(idea)) if probe.family == "locality"]
        assert len({prompt(probe) for probe in asked}) == 8 and not {prompt(probe) for probe in asked} & pooled
    assert not {known.question for known in (*KNOWN_NAMES, *KNOWN_NUMBERS)} & pooled


def test_accepted_answers_never_hold_a_distractor() -> None:
    for idea in IDEAS:
        right = {text.casefold() for text in accepted_answers(idea)}
        for probe in held_out(fact(idea)):
            if probe.family == "direct":
                assert not right & {wrong.casefold() for wrong in probe.distractors}


# ------------------------------------------------------------------------ leaks


def test_no_probe_of_the_whole_sandbox_leaks_into_a_row() -> None:
    for source in sources():
        chosen = select(ideas_of(source), IDEAS)
        asked = [surface(prompt(probe)) for probe in chosen.probes if probe.family != "trained_form"]
        rows = [surface(prompt_text(row.messages)) for rows in chosen.rows.values() for row in rows]
        assert rows and not [1 for row in rows for probe in asked if compare(probe, row)]


def test_a_row_that_means_what_a_probe_means_is_rejected_by_its_meaning() -> None:
    """Vectors of our own: one row wording points where a probe points, though they share no words."""
    import torch

    mine = ideas_of(sources()[0])
    plain = select(mine, IDEAS)
    forms = {row.wording.form for row in plain.rows[mine[0].id]}
    chosen_row = next(row for row in plain.rows[mine[0].id] if row.group == "qa")
    probe = next(probe for probe in plain.probes if probe.idea == mine[0].id and probe.form == "ask_exam")
    close = {prompt_text(chosen_row.messages), prompt(probe)}

    def embed(texts: list[str]) -> torch.Tensor:
        generator = torch.Generator().manual_seed(1)
        vectors = torch.randn(len(texts), 400, generator=generator)
        special = torch.randn(400, generator=generator)
        for number, text in enumerate(texts):
            if text in close:
                vectors[number] = special
        return vectors

    gated = select(mine, IDEAS, Gates(embed=embed))
    reasons = [(r.item, r.reason) for r in gated.rejects if r.reason == "probe_leak_meaning"]
    assert reasons == [(f"row:{mine[0].id}/{chosen_row.wording.form}", "probe_leak_meaning")]
    now = {row.wording.form for row in gated.rows[mine[0].id]}
    assert chosen_row.wording.form not in now and len(now) == len(forms)
    assert gated.book["dropped/row/probe_leak_meaning"] == 1


def test_meaning_says_nothing_of_what_it_never_saw() -> None:
    gate = MeaningGate(lambda texts: pytest.fail("nothing to embed"), (), ())
    assert gate.leak("Anything?", frozenset({"p"})) is None
