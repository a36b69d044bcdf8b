"""Lessons: what they advise, how they fade, what refutes them, when an idea is retired."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from paperlora.judge.posterior import Count, gain, rate
from paperlora.knowledge.lessons import ADVICE, OUTCOME, lessons_from, recall, refute, weight
from paperlora.records import Diagnosis, Lesson, Verdict, VerdictKind

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def verdict(
    kind: VerdictKind, idea: str = "i1", adapter: str = "arxiv-9901.00001v1/abc/def", flags: tuple[str, ...] = ()
) -> Verdict:
    return Verdict(
        id=f"verdict:{idea}:{adapter}", idea=idea, adapter=adapter, paper="arxiv:9901.00001v1", topic="forgetting",
        claim="Tidal Replay uses a replay share of 37 percent.", kind=kind, reason="Twelve of twelve.", flags=flags,
        base=rate(0, 12), adapted=rate(11, 12), gain=gain(Count(11, 12), [Count(0, 12)]),
    )  # fmt: skip


def diagnosis(of: Verdict) -> Diagnosis:
    return Diagnosis(
        id="d1", verdict=of.id, idea=of.idea, symptom="1 of 6 in trained wordings", cause="undertrained",
        action="learning rate × 3", prediction="trained wordings rise",
    )  # fmt: skip


def lesson(kind: VerdictKind, days_ago: float, idea: str = "i1", adapter: str = "p/d/a0") -> Lesson:
    return lessons_from([verdict(kind, idea, adapter)], [], NOW - timedelta(days=days_ago))[0]


def test_every_verdict_kind_has_an_outcome_and_an_advice() -> None:
    assert set(ADVICE) == set(OUTCOME) == set(get_args(VerdictKind))


def test_lesson_stands_alone_and_carries_its_evidence() -> None:
    failed = verdict("NOT_LEARNED")
    (made,) = lessons_from([failed], [diagnosis(failed)], NOW)
    assert made.text == (
        "“Tidal Replay uses a replay share of 37 percent” was not learned (11 of 12 held-out questions right after "
        "training, 0 of 12 before). Likely cause: undertrained. Next: learning rate × 3."
    )
    assert made.evidence == ("arxiv-9901.00001v1/abc", "arxiv-9901.00001v1/abc/def", failed.id)
    assert (made.advice, made.kind, made.topic, made.verdict) == ("do", "NOT_LEARNED", "forgetting", failed.id)


def test_another_verdicts_diagnosis_is_not_borrowed() -> None:
    mine, other = verdict("PARTIAL"), verdict("NOT_LEARNED", "i2")
    (made, _) = lessons_from([mine, other], [diagnosis(other)], NOW)
    assert "undertrained" not in made.text


def test_damage_is_told() -> None:
    assert "by a damaged adapter" in lessons_from([verdict("ABSORBED_DEEP", flags=("DAMAGED",))], [], NOW)[0].text


def test_an_idea_of_several_seeds_teaches_one_lesson() -> None:
    seeds = [verdict("ABSORBED_DEEP"), verdict("PARTIAL", adapter="p/d/a1", flags=("REPEAT",))]
    assert [one.kind for one in lessons_from(seeds, [], NOW)] == ["ABSORBED_DEEP"]


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("ALREADY_KNOWN", "skip"),
        ("FALSE_BELIEF", "avoid"),
        ("INCONCLUSIVE", "repeat_with_more_probes"),
        ("ABSORBED_SHALLOW", "do"),
    ],
)
def test_advice(kind: VerdictKind, advice: str) -> None:
    assert lesson(kind, 0).advice == advice


def test_weight_halves_with_the_half_life_and_is_zero_when_refuted() -> None:
    old = lesson("PARTIAL", 180)
    assert weight(old, NOW) == pytest.approx(0.5)
    assert weight(old.model_copy(update={"half_life_days": 90.0}), NOW) == pytest.approx(0.25)
    assert weight(old.model_copy(update={"refuted_by": "x"}), NOW) == 0.0
    assert weight(lesson("PARTIAL", -3), NOW) == 1.0
    naive = old.model_copy(update={"created": old.created.replace(tzinfo=None)})
    assert weight(naive, NOW) == pytest.approx(0.5)


def test_a_later_lesson_of_another_kind_refutes_the_earlier() -> None:
    failed, learned, elsewhere = lesson("NOT_LEARNED", 9), lesson("ABSORBED_DEEP", 1), lesson("PARTIAL", 1, idea="i2")
    marked = refute([learned, failed, elsewhere])
    assert {one.id: one.refuted_by for one in marked} == {failed.id: learned.id, learned.id: None, elsewhere.id: None}


@pytest.mark.parametrize("kind", ["INCONCLUSIVE", "UNJUDGEABLE"])
def test_what_concludes_nothing_refutes_nothing(kind: VerdictKind) -> None:
    learned, undecided = lesson("ABSORBED_DEEP", 9), lesson(kind, 1)
    assert not any(one.refuted_by for one in refute([learned, undecided]))
    assert [one.kind for one in recall([learned, undecided], "forgetting", NOW)] == ["ABSORBED_DEEP"]


def test_what_concludes_something_replaces_what_did_not() -> None:
    assert [one.kind for one in recall([lesson("INCONCLUSIVE", 9), lesson("PARTIAL", 1)], "forgetting", NOW)] == [
        "PARTIAL"
    ]


def test_recall_gives_the_last_word_on_each_idea_the_weightiest_first() -> None:
    lessons = [
        lesson("PARTIAL", 100, "i1"),
        lesson("PARTIAL", 10, "i1"),
        lesson("NOT_LEARNED", 50, "i2"),
        lesson("RESISTED", 5000, "i3"),
    ]
    told = recall(lessons, "forgetting", NOW)
    assert [one.idea for one in told] == ["i1", "i2"]
    assert told[0].created == NOW - timedelta(days=10)
    assert recall(lessons, "forgetting", NOW, limit=1) == told[:1]
    assert recall(lessons, "another topic", NOW) == ()


def test_an_idea_is_retired_after_three_adapters_failed() -> None:
    failures = [lesson("NOT_LEARNED", 30 - n, adapter=f"p/d/a{n}") for n in range(3)]
    (told,) = recall(failures, "forgetting", NOW)
    assert told.advice == "avoid" and told.text.endswith("Retired: 3 adapters one after another failed.")
    assert recall(failures[:2], "forgetting", NOW)[0].advice == "do"


def test_judging_one_adapter_three_times_is_one_attempt() -> None:
    again = [lesson("NOT_LEARNED", days, adapter="p/d/a0") for days in (3, 2, 1)]
    assert recall(again, "forgetting", NOW)[0].advice == "do"


def test_a_success_in_between_ends_the_row_of_failures() -> None:
    history = [lesson("NOT_LEARNED", 9, adapter="p/d/a0"), lesson("NOT_LEARNED", 8, adapter="p/d/a1"),
               lesson("ABSORBED_SHALLOW", 7, adapter="p/d/a2"), lesson("PARTIAL", 6, adapter="p/d/a3")]  # fmt: skip
    assert recall(history, "forgetting", NOW)[0].advice == "do"
