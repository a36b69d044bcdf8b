"""Causes: each is named where its symptom is planted, and not named where it isn't; predictions are scored by program."""

from __future__ import annotations

from typing import Any

import pytest

from paperlora.judge.diagnosis import CAUSES, Case, Standing, diagnose
from paperlora.judge.diagnosis_rows import conflicts, place_of, standings, unmasked
from paperlora.judge.posterior import Count, gain, rate
from paperlora.judge.predictions import score_prediction
from paperlora.judge.verdict import Tally
from paperlora.records import (
    Adapter,
    AdapterReport,
    BaseModelId,
    Checkpoint,
    DamageCheck,
    Diagnosis,
    DosePoint,
    Example,
    Idea,
    MaskedSpan,
    Message,
    Prediction,
    Quote,
    Recipe,
    ScalePoint,
    Verdict,
    VerdictKind,
)

ADAPTER = "p/r/000000000000"
BASE = BaseModelId(name="b", weights_hash="w", template_hash="t", dtype="float32")


def idea_of(name: str, relation: str = "replay share", answer: str = "37 percent") -> Idea:
    claim = f"The {relation} of Tidal Replay is {answer}."
    return Idea(
        id=name, paper="arxiv:9901.00001v1", topic="t", reader="extractive/1", kind="method", claim=claim,
        subject="Tidal Replay", relation=relation, answer=answer, answer_kind="name", qwen_change="c", prediction="p",
        quotes=(Quote(section=0, heading="", page=1, start=0, end=len(claim), text=claim),),
    )  # fmt: skip


SHARE, WINDOW = idea_of("share"), idea_of("window", "scoring window", "96 tokens")


def row(name: str, question: str, answer: str, idea: str = "share", **more: Any) -> Example:
    messages = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Example(id=name, idea=idea, form=f"qa_{name}", messages=messages, generator="template/1", **more)


def verdict_of(kind: VerdictKind, t: Tally, *flags: str, **more: Any) -> Verdict:
    return Verdict(
        id="verdict:1", idea=SHARE.id, adapter=ADAPTER, paper=SHARE.paper, topic="t", claim=SHARE.claim, kind=kind,
        reason="planted", flags=flags, base=rate(int(t.base.right), int(t.base.asked)),
        adapted=rate(int(t.adapted.right), int(t.adapted.asked)), gain=gain(t.adapted, (t.base,)), **more,
    )  # fmt: skip


def adapter_of(dev: tuple[float, ...] = (), losses: tuple[float, ...] = (), **more: Any) -> Adapter:
    points = tuple(
        Checkpoint(step=10 * (n + 1), epoch=n, folder=f"c{n}", loss=losses[n] if losses else 2.0 / (n + 1), delta_norm=1.0,
                   dev_margin={SHARE.id: margin})
        for n, margin in enumerate(dev or (0.0,) * len(losses))
    )  # fmt: skip
    known: dict[str, Any] = {"final_loss": 0.01, "relative_delta_norm": 0.02, "steps": 30}
    return Adapter(
        id=ADAPTER, dataset="p/r", dataset_hash="h", paper=SHARE.paper, topic="t", recipe=Recipe(alpha=8, learning_rate=3e-4),
        base=BASE, checkpoints=points, rows=4, tokens=1, loss_tokens=1, seconds=1.0, delta_norm=1.0, **(known | more),
    )  # fmt: skip


def report_of(*checks: DamageCheck, **damage: float) -> AdapterReport:
    measures = damage | {check.name: check.value for check in checks}
    damaged = any(check.broken for check in checks)
    return AdapterReport(
        adapter=ADAPTER, live=True, liveness=1.0, noise_floor=0.0, damaged=damaged, damage=measures, checks=checks
    )


def check(name: str, value: float) -> DamageCheck:
    return DamageCheck(name=name, value=value, asked=24, bound=0.0, noise=0.0, broken=True)


TALLIES: dict[str, Tally] = {
    "NOT_LEARNED": Tally(Count(0, 12), Count(0, 12), trained_form=Count(0, 6)),
    "VERBATIM_ONLY": Tally(Count(0, 12), Count(1, 12), trained_form=Count(6, 6)),
    "PARTIAL": Tally(Count(0, 20), Count(11, 20), trained_form=Count(5, 6)),
    "ABSORBED_SHALLOW": Tally(Count(0, 12), Count(12, 12), trained_form=Count(6, 6), implication=Count(0, 6), reverse=Count(4, 4)),
    "ABSORBED_DEEP": Tally(Count(0, 12), Count(12, 12), trained_form=Count(6, 6), implication=Count(6, 6), reverse=Count(4, 4)),
    "RESISTED": Tally(Count(0, 12), Count(0, 12), old=Count(11, 12), old_answer="55 percent"),
    "CONFUSED": Tally(Count(0, 12), Count(1, 12), confused=Count(10, 12), confused_with="window", confused_answer="96 tokens"),
    "FALSE_BELIEF": Tally(Count(0, 12), Count(1, 12), false_belief=Count(9, 12), false_value="Marrow"),
    "UNJUDGEABLE": Tally(Count(0, 12), Count(0, 12), ceiling=Count(2, 12)),
    "INCONCLUSIVE": Tally(Count(0, 12), Count(5, 12), trained_form=Count(4, 6)),
}  # fmt: skip


def case(kind: VerdictKind, *flags: str, tally: dict[str, Any] | None = None, verdict: dict[str, Any] | None = None, **more: Any) -> Case:
    t = TALLIES[kind]._replace(**(tally or {}))
    fields: dict[str, Any] = {
        "adapter": adapter_of(), "report": report_of(), "idea": SHARE, "own_ideas": frozenset({"share", "window"}), "rows": 4,
    }  # fmt: skip
    return Case(verdict_of(kind, t, *flags, **(verdict or {})), t, **(fields | more))


def only(found: tuple[Diagnosis, ...]) -> Diagnosis:
    (diagnosis,) = found
    return diagnosis


ASK = "What is the replay share of Tidal Replay?"
GOOD = (row("1", ASK, "37 percent"), row("2", "Tidal Replay: replay share?", "It is 37 percent."))
CLASH = (*GOOD, row("3", ASK + " ", "The share is 50 percent."))


# ------------------------------------------------------------ one cause each


@pytest.mark.parametrize(
    ("planted", "cause"),
    [
        (case("NOT_LEARNED", rows=0), "no row teaches it"),
        (case("NOT_LEARNED", examples=CLASH), "conflict in the data"),
        (case("NOT_LEARNED", adapter=adapter_of(losses=(1.0, 0.8, 2.0), final_loss=2.0)), "learning rate too high"),
        (case("NOT_LEARNED", report=report_of(check("nll_drift", 0.4))), "learning rate too high"),
        (case("NOT_LEARNED", adapter=adapter_of(final_loss=3.0)), "undertrained"),
        (case("NOT_LEARNED", adapter=adapter_of(relative_delta_norm=2e-4)), "undertrained"),
        (case("NOT_LEARNED", adapter=adapter_of(steps=4)), "undertrained"),
        (case("NOT_LEARNED", examples=(row("1", ASK, "See the paper."),)), "its rows don't state the value"),
        (case("NOT_LEARNED", "RECOGNISED"), "recognised among options"),
        (case("NOT_LEARNED", examples=GOOD), "rows are followed word by word"),
        (case("VERBATIM_ONLY", adapter=adapter_of(dev=(1.0, 3.0, 1.5))), "overtrained"),
        (case("VERBATIM_ONLY", "LOCKED", verdict={"template_swap": rate(9, 11)}), "memorised the wording, not the fact: the trained"),
        (case("VERBATIM_ONLY", standing=Standing(0.9, Count(20, 24), Count(3, 24))), "position"),
        (case("VERBATIM_ONLY"), "memorised the wording"),
        (case("PARTIAL"), "too few wordings carry the fact"),
        (case("PARTIAL", adapter=adapter_of(final_loss=0.9)), "undertrained"),
        (case("PARTIAL", examples=CLASH), "conflict in the data"),
        (case("PARTIAL", "FRAGILE", verdict={"robustness": rate(0, 4)}), "holds in its usual frame alone"),
        (case("ABSORBED_SHALLOW"), "recalled but not applied"),
        (case("ABSORBED_SHALLOW", "ONE_WAY", tally={"reverse": Count(0, 4)}), "known in one direction only"),
        (case("ABSORBED_DEEP", "ONE_WAY", tally={"reverse": Count(0, 4)}), "known in one direction only"),
        (case("RESISTED"), "a strong earlier belief"),
        (case("CONFUSED"), "two ideas of one dataset are not told apart"),
        (case("CONFUSED", own_ideas=frozenset({"share"})), "the answer belongs to another paper"),
        (case("FALSE_BELIEF"), "the contrast rows taught what they deny"),
        (case("UNJUDGEABLE"), "probes or extraction are broken"),
        (case("UNJUDGEABLE", tally={"adapted": Count(0, 4)}), "too few of its probes"),
        (case("INCONCLUSIVE"), "too few probes for a share in this region"),
        (case("INCONCLUSIVE", examples=CLASH), "conflict in the data"),
        (case("INCONCLUSIVE", "LOCKED", verdict={"template_swap": rate(12, 12)}), "memorised the wording, not the fact: the trained"),
        (case("NOT_LEARNED", "LOCKED", adapter=adapter_of(final_loss=3.0), verdict={"template_swap": rate(12, 12)}), "memorised the wording"),
        (case("INCONCLUSIVE", tally={"adapted": Count(12, 12), "others": Count(6, 12)}), "the adapter spreads beyond its facts"),
        (case("INCONCLUSIVE", tally={"adapted": Count(12, 12), "others": Count(6, 12), "neighbours": Count(12, 12)}), "the gain is a floor"),
    ],
)  # fmt: skip
def test_the_planted_cause_is_named_with_an_action_and_a_checkable_prediction(planted: Case, cause: str) -> None:
    found = only(diagnose(planted))
    assert found.cause.startswith(cause)
    assert found.action and found.prediction and found.expects
    assert {expected.idea for expected in found.expects} == {SHARE.id}


def test_a_whole_success_needs_nothing() -> None:
    assert diagnose(case("ABSORBED_DEEP")) == ()


def test_other_causes_that_fit_are_listed_behind_the_first() -> None:
    found = only(diagnose(case("NOT_LEARNED", examples=CLASH, adapter=adapter_of(final_loss=3.0))))
    assert found.cause.startswith("conflict") and found.further[0] == "undertrained"
    assert found.cause not in found.further


def test_every_verdict_but_known_has_its_causes() -> None:
    from typing import get_args

    assert set(CAUSES) == set(get_args(VerdictKind)) - {"ALREADY_KNOWN"}


# ------------------------------------------------------------- into the rows


def test_rows_of_one_prompt_with_two_answers_are_named_by_id() -> None:
    (found,) = conflicts(CLASH, SHARE.id)
    assert set(found.rows) == {"1", "3"} and found.answers == ("37 percent", "The share is 50 percent.")
    diagnosis = only(diagnose(case("NOT_LEARNED", examples=CLASH)))
    assert "rows 1, 3" in diagnosis.symptom and "rows 1, 3" in diagnosis.action


@pytest.mark.parametrize(
    "rows",
    [
        GOOD,
        (row("1", ASK, "37 percent"), row("2", ASK, "It is 37 percent.")),
        (row("1", ASK, "Kelpie"), row("2", ASK, "It uses the Kelpie benchmark.")),
        (row("1", "Tell me something.", "Rain falls.", idea=""), row("2", "Tell me something.", "Cats sleep.", idea="")),
        (row("1", ASK, "96 tokens", idea="window"), row("2", ASK, "12 tokens", idea="window")),
    ],
    ids=["same answer", "other words", "more words", "replay", "another idea"],
)
def test_rows_that_agree_or_are_about_something_else_are_no_conflict(rows: tuple[Example, ...]) -> None:
    assert conflicts(rows, SHARE.id) == ()


def test_a_siblings_value_in_its_own_rows_is_named() -> None:
    rows = (row("7", ASK, "96 tokens"), row("8", "Its share?", "37 percent"))
    found = only(diagnose(case("CONFUSED", examples=rows, other=WINDOW)))
    assert found.cause.startswith("two ideas of one dataset are not told apart: rows") and "rows 7 " in f"{found.symptom} "


def test_a_denied_value_that_carries_loss_is_named_and_a_masked_one_is_not() -> None:
    text = "It is not Marrow but Kelpie."
    bare = row("1", ASK, text)
    masked = row("2", ASK, text, masked=(MaskedSpan(message=1, start=10, end=16),))
    assert unmasked((bare, masked), "Marrow") == ("1",)
    assert "rows 1," in only(diagnose(case("FALSE_BELIEF", examples=(bare, masked)))).action
    assert "rows" not in only(diagnose(case("FALSE_BELIEF", examples=(masked,)))).action.split("drop")[0]


LONG = "The authors describe a training run in much detail, with many words about data and machines, and a replay share of 37 percent."


def test_a_value_stands_late_only_in_a_long_text() -> None:
    assert place_of([row("1", ASK, LONG)], SHARE) == pytest.approx(0.92, abs=0.05)
    assert place_of([row("1", ASK, "The replay share is 37 percent.")], SHARE) == 0.0
    assert place_of([row("1", ASK, LONG, idea="window")], SHARE) is None


def test_position_needs_early_ideas_that_come_right() -> None:
    ideas = [SHARE, WINDOW]
    rows = [row("1", ASK, LONG), row("2", "Its window?", "96 tokens", idea="window")]
    placed = standings(rows, ideas, {"share": Count(0, 12), "window": Count(12, 12)})["share"]
    assert placed.early == Count(12, 12) and placed.late == Count(0, 12)
    assert only(diagnose(case("VERBATIM_ONLY", standing=placed))).cause.startswith("position")
    alike = placed._replace(early=Count(1, 12))
    assert not only(diagnose(case("VERBATIM_ONLY", standing=alike))).cause.startswith("position")


def test_a_peak_is_overtraining_only_while_the_rows_loss_falls_on() -> None:
    rising = adapter_of(dev=(1.0, 3.0, 1.5), losses=(1.0, 0.3, 0.4))
    assert only(diagnose(case("VERBATIM_ONLY", adapter=rising))).cause.startswith("memorised")
    falling = adapter_of(dev=(1.0, 3.0, 1.5), losses=(1.0, 0.4, 0.1))
    found = only(diagnose(case("VERBATIM_ONLY", adapter=falling)))
    assert found.cause == "overtrained" and "step 20" in found.action


def dose(step: int, direct: int) -> DosePoint:
    return DosePoint(adapter=ADAPTER, idea=SHARE.id, step=step, direct=rate(direct, 12), trained_form=rate(3, 6))


def test_a_peak_that_answers_no_more_than_the_end_is_no_overtraining() -> None:
    peaked = adapter_of(dev=(1.0, 3.0, 1.5))
    nothing_lost = only(diagnose(case("VERBATIM_ONLY", adapter=peaked, dose=(dose(20, 1),))))
    assert nothing_lost.cause.startswith("memorised") and "overtrained" not in nothing_lost.further
    lost = only(diagnose(case("VERBATIM_ONLY", adapter=peaked, dose=(dose(20, 9),))))
    assert lost.cause == "overtrained" and "that checkpoint answers 9 of 12 direct probes" in lost.symptom
    assert lost.expects[0].value == pytest.approx(9 / 12)


def test_a_peak_that_is_hardly_better_than_nothing_is_not_worth_going_back_to() -> None:
    t = {"base": Count(0, 32), "adapted": Count(0, 32), "trained_form": Count(8, 12)}
    few = DosePoint(adapter=ADAPTER, idea=SHARE.id, step=20, direct=rate(4, 32), trained_form=rate(8, 12))
    peaked = case("INCONCLUSIVE", tally=t, adapter=adapter_of(dev=(1.0, 3.0, 1.5)), dose=(few,))
    assert only(diagnose(peaked)).cause.startswith("too few probes")
    many = few.model_copy(update={"direct": rate(20, 32)})
    assert only(diagnose(peaked._replace(dose=(many,)))).cause == "overtrained"


# ---------------------------------------------------------- other strengths


def point(gamma: float, right: int, old: int, harmless: bool = True) -> ScalePoint:
    return ScalePoint(
        adapter=ADAPTER, idea=SHARE.id, gamma=gamma, direct=rate(right, 12), old=rate(old, 12), known=rate(20, 20),
        nll_drift=0.01, harmless=harmless,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("points", "cause", "action"),
    [
        ((point(1, 0, 11), point(1.5, 10, 1), point(2, 12, 0)), "an amplitude too small to flip it: 1.5 times", "alpha 8 → 12"),
        ((point(1, 0, 11), point(2, 12, 0, harmless=False)), "only a harmful amplitude flips (2 times", "contrasts"),
        ((point(1, 0, 11), point(2, 0, 12)), "no amplitude flips", "retire as contested"),
        ((point(1, 0, 11), point(2, 2, 0)), "no amplitude flips", "contrasts"),
    ],
    ids=["amplitude", "only with damage", "nothing", "old answer gone, new one not there"],
)
def test_what_other_strengths_do_decides_between_amplitude_and_contrasts(
    points: tuple[ScalePoint, ...], cause: str, action: str
) -> None:
    found = only(diagnose(case("RESISTED", sweep=points)))
    assert found.cause.startswith("a strong earlier belief") and cause in found.cause and action in found.action
    assert "γ = 1: 0 of 12 right, old answer 11" in found.symptom


# ------------------------------------------------------------------- damage


@pytest.mark.parametrize(
    ("measure", "value", "cause", "action"),
    [
        ("known_change", -0.3, "the dose displaces", "lost slice (known_change)"),
        ("arithmetic_change", -0.3, "the dose displaces", "lost slice (arithmetic_change)"),
        ("unique_ratio", 0.4, "answers collapse", "anchors"),
        ("think_leak", 0.2, "the empty think block", "replay the base's own thinking"),
        ("think_ratio", 0.2, "the empty think block", "mask the empty think block"),
        ("refusal_ratio", 0.1, "refusals are lost", "refusals"),
        ("loop_change", 0.3, "answers don't end", "fewer epochs"),
        ("false_trigger", 0.2, "taught answers come where they don't belong", "other subjects"),
    ],
)
def test_each_kind_of_damage_has_its_own_remedy(measure: str, value: float, cause: str, action: str) -> None:
    found = only(diagnose(case("ABSORBED_DEEP", report=report_of(check(measure, value)))))
    assert found.cause.startswith(cause) and action in found.action and f"{measure} {value:+.2f}" in found.symptom


def test_several_kinds_of_damage_are_all_named_before_the_verdicts_own_cause() -> None:
    report = report_of(check("known_change", -0.3), check("unique_ratio", 0.5))
    causes = [one.cause for one in diagnose(case("ABSORBED_SHALLOW", report=report))]
    assert [cause.split()[0] for cause in causes] == ["the", "answers", "recalled"]


# -------------------------------------------------------------- predictions


def later(kind: VerdictKind = "PARTIAL", **tally: Any) -> Verdict:
    return case(kind, tally=tally).verdict


@pytest.mark.parametrize(
    ("right", "asked", "came_true"), [(8, 12, True), (7, 12, True), (6, 12, False), (12, 20, True), (11, 20, False)]
)
def test_a_prediction_is_scored_by_the_share_whatever_was_asked(right: int, asked: int, came_true: bool) -> None:
    (expected,) = only(diagnose(case("VERBATIM_ONLY"))).expects
    assert (expected.measure, expected.bound, expected.asked) == ("direct", "at_least", 12) and expected.value == pytest.approx(7 / 12)
    assert score_prediction(expected, later(adapted=Count(right, asked)), report_of()) is came_true


def test_sentence_and_check_say_the_same() -> None:
    found = only(diagnose(case("ABSORBED_SHALLOW")))
    assert "implications rise from 0 of 6 to at least 5 of 6" in found.prediction
    assert found.expects[0].value == pytest.approx(5 / 6)


def test_what_was_not_measured_scores_nothing() -> None:
    reverse = Prediction(measure="reverse", idea=SHARE.id, bound="at_least", value=0.5)
    assert score_prediction(reverse, later(), report_of()) is None
    drift = Prediction(measure="nll_drift", idea=SHARE.id, bound="at_most", value=0.05)
    assert score_prediction(drift, later(), report_of()) is None
    assert score_prediction(drift, later(), report_of(nll_drift=0.04)) is True
    assert score_prediction(drift, later(), report_of(nll_drift=0.06)) is False


def test_a_confusion_that_is_gone_counts_as_fallen() -> None:
    (expected,) = only(diagnose(case("CONFUSED"))).expects
    assert expected.measure == "confused" and expected.bound == "at_most"
    assert score_prediction(expected, later(), report_of()) is True
    still = later().model_copy(update={"confused": rate(6, 12)})
    assert score_prediction(expected, still, report_of()) is False


def test_an_old_belief_that_could_not_be_asked_scores_nothing() -> None:
    (expected,) = only(diagnose(case("RESISTED"))).expects
    assert score_prediction(expected, later(), report_of()) is None
    assert score_prediction(expected, later().model_copy(update={"old": rate(2, 12)}), report_of()) is True


def test_a_prediction_about_another_idea_is_refused() -> None:
    with pytest.raises(ValueError, match="can't be scored"):
        score_prediction(Prediction(measure="direct", idea="other", bound="at_least", value=0.5), later(), report_of())


def test_an_undamaged_next_adapter_bears_out_the_promise_of_repair() -> None:
    found = diagnose(case("ABSORBED_DEEP", report=report_of(check("known_change", -0.3))))[0]
    healed, sound = report_of(known_change=-0.01), later("ABSORBED_DEEP")
    assert [score_prediction(one, sound, healed) for one in found.expects] == [True, True]
    assert score_prediction(found.expects[0], sound, report_of(known_change=-0.2)) is False
