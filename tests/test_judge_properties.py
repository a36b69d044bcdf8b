"""The verdict's rules against a second, plain writing of them, and what must hold for any counts.

The reference below is the method's table over scipy's own distributions; nothing of the judge's arithmetic is used in it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats as _stats

from paperlora.judge.posterior import Count, bh, gain, gain_over_ideas, p_above, p_gain, p_mcnemar, rate
from paperlora.judge.tally import BASE, PASSAGE, Sheet, Subject, tally
from paperlora.judge.verdict import Tally, decide, q_values
from paperlora.records import Idea, Measurement, Message, Probe, ProbeFamily, Quote

stats: Any = _stats  # its distributions are made at import, unseen by a type checker
SHARES = np.sin(np.linspace(0.0, np.pi / 2, 2001)) ** 2
"""Closest near 0 and 1, where the posteriors are steep."""
NEAR_BAR = 3e-4
"""So close to a bar two ways of integrating may fall on different sides."""


def shape(count: Count) -> tuple[float, float]:
    return count.right + 0.5, count.asked - count.right + 0.5


def above(count: Count, bar: float) -> float:
    return float(stats.beta.sf(bar, *shape(count)))


def gains(after: Count, rivals: Sequence[Count], least: float) -> float:
    """P(after − max(rivals) > least), over the distribution of the rivals' maximum instead of the adapter's."""
    best = np.prod([stats.beta.cdf(SHARES, *shape(rival)) for rival in rivals], axis=0)
    middle, mass = (SHARES[1:] + SHARES[:-1]) / 2, np.diff(best)
    return float((stats.beta.sf(middle + least, *shape(after)) * mass).sum())


def reference(t: Tally, q: float | None) -> tuple[str, float]:
    """The verdict, and how close any certainty came to its bar."""
    margins: list[float] = []

    def sure(value: float, bar: float, at_most: bool = False) -> bool:
        margins.append(abs(value - bar))
        return value <= bar if at_most else value >= bar

    rivals = [t.base] if t.others is None else [t.base, t.others]
    gained = gains(t.adapted, rivals, 0.2)
    kept = bool(t.neighbours.asked) and sure(above(t.neighbours, 0.6), 0.9) and sure(1 - above(t.locality, 0.6), 0.9, True)
    absorbed = sure(above(t.adapted, 0.6), 0.95) and sure(gained, 0.95) and kept and q is not None and q <= 0.05
    applied = bool(t.implication.asked) and sure(above(t.implication, 0.4 + 0.6 * t.chance), 0.9)
    table: list[tuple[str, bool]] = [
        ("UNJUDGEABLE", min(t.adapted.asked, t.base.asked) < 8 or not t.ceiling.asked or not sure(above(t.ceiling, 0.7), 0.9)),
        ("ALREADY_KNOWN", sure(above(t.base, 0.6), 0.95)),
        ("FALSE_BELIEF", bool(t.false_belief.asked) and sure(above(t.false_belief, 0.25), 0.95)),
        ("ABSORBED_DEEP", absorbed and applied),
        ("ABSORBED_SHALLOW", absorbed),
        ("RESISTED", bool(t.old.asked) and sure(above(t.old, 0.5), 0.95)),
        ("CONFUSED", bool(t.confused.asked) and sure(above(t.confused, 0.25), 0.95)),
        (
            "VERBATIM_ONLY",
            bool(t.trained_form.asked) and sure(above(t.trained_form, 0.6), 0.95) and sure(gains(t.trained_form, [t.adapted], 0.3), 0.95),
        ),
        ("PARTIAL", sure(gained, 0.95) and sure(1 - above(t.adapted, 0.8), 0.9) and sure(above(t.adapted, 0.3), 0.9)),
        (
            "NOT_LEARNED",
            sure(1 - above(t.adapted, 0.4), 0.95) and sure(gained, 0.05, True)
            and (not t.trained_form.asked or sure(above(t.trained_form, 0.6), 0.05, True)),
        ),
    ]  # fmt: skip
    return next((kind for kind, holds in table if holds), "INCONCLUSIVE"), min(margins)


def drawn(rng: random.Random) -> Tally:
    """Counts as a judgement has them, over all states: shares are often near 0 and 1."""

    def count(asked: int, lean: float = 0.5) -> Count:
        share = rng.betavariate(0.5, 0.5) if rng.random() < 0.7 else lean
        return Count(sum(rng.random() < share for _ in range(asked)), asked)

    asked = rng.choice((7, 12, 12, 20, 32))
    others = rng.choice((None, Count(rng.randint(0, 2 * asked) / 2, asked)))
    return Tally(
        base=count(asked, 0.02), adapted=count(asked, 0.9), others=others, trained_form=count(rng.choice((0, 6, 12))),
        implication=count(rng.choice((0, 6, 12))), chance=rng.choice((0.0, 0.25, 0.5)), reverse=count(4), ceiling=count(asked, 1.0),
        locality=count(4, 1.0), neighbours=count(rng.choice((0, 16, 48)), 0.95), old=count(rng.choice((0, asked))), old_answer="40",
        confused=count(rng.choice((0, 0, asked)), 0.1), confused_with="i2", confused_answer="19",
        false_belief=count(rng.choice((0, 0, asked)), 0.1), false_value="41", p_value=rng.choice((1.0, 0.2, 0.01, 0.0001)),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_verdicts_are_those_of_the_method_written_a_second_time(seed: int) -> None:
    rng, seen = random.Random(seed), set()
    for _ in range(100):
        case = drawn(rng)
        (q,) = q_values([case])
        wanted, nearest = reference(case, q)
        found = decide(case, q)
        seen.add(found.kind)
        assert found.kind == wanted or nearest < NEAR_BAR, (case, found)
        assert decide(case, q) == found
    assert len(seen) >= 7, seen


ABSORBED = ("ABSORBED_DEEP", "ABSORBED_SHALLOW")


@pytest.mark.parametrize("seed", range(3))
def test_more_right_answers_to_unseen_wordings_never_make_it_less_absorbed(seed: int) -> None:
    rng = random.Random(seed)
    reached = 0
    for _ in range(30):
        case = drawn(rng)._replace(ceiling=Count(32, 32), false_belief=Count(0, 0), neighbours=Count(46, 48), locality=Count(4, 4))
        absorbed = False
        for right in range(int(case.adapted.asked) + 1):
            # Who wins more probes against the same rival has the smaller p.
            p_value = p_mcnemar(right, int(case.base.right))
            kind = decide(case._replace(adapted=Count(right, case.adapted.asked)), p_value).kind
            assert kind in ABSORBED or not absorbed, (case, right, kind)
            absorbed = kind in ABSORBED
        reached += absorbed
    assert reached >= 5


@pytest.mark.parametrize("bar", [0.25, 0.4, 0.6, 0.7, 0.8])
def test_tails_are_those_of_scipy(bar: float) -> None:
    for asked in (1, 4, 12, 32, 500):
        for right in {0, 1, asked // 2, asked}:
            assert p_above(Count(right, asked), bar) == pytest.approx(above(Count(right, asked), bar), abs=1e-12)
            low, high = stats.beta.ppf([0.025, 0.975], *shape(Count(right, asked)))
            assert (rate(right, asked).low, rate(right, asked).high) == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_differences_are_integrated_within_a_ten_thousandth(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(12):
        asked = rng.choice((4, 12, 32))
        a, b, o = (Count(rng.randint(0, asked), asked) for _ in range(3))
        for rivals in ([b], [b, o]):
            for least in (-0.3, 0.0, 0.2, 0.3):
                assert p_gain(a, rivals, least) == pytest.approx(gains(a, rivals, least), abs=1e-4)
            assert p_gain(a, rivals, gain(a, rivals).low) == pytest.approx(0.975, abs=2e-3)


def test_mcnemar_is_the_mid_p_of_the_binomial() -> None:
    for wins in range(0, 33, 4):
        for losses in range(0, 33, 4):
            if wins + losses:
                half = stats.binom(wins + losses, 0.5)
                assert p_mcnemar(wins, losses) == pytest.approx(half.sf(wins) + half.pmf(wins) / 2, abs=1e-12)


def test_q_values_are_what_a_plain_search_over_thresholds_finds() -> None:
    rng = np.random.default_rng(5)
    for count in (1, 2, 7, 40):
        p = np.round(rng.beta(0.4, 3, count), 2)  # rounded, so that some are equal
        plain = [min(1.0, min(count * t / (p <= t).sum() for t in p if t >= own)) for own in p]
        assert bh(list(p)) == pytest.approx(plain)
        turned = rng.permutation(count)
        assert bh(list(p[turned])) == pytest.approx(list(np.array(plain)[turned]))


@pytest.mark.parametrize(("ideas", "concentration"), [(4, 3.0), (8, 1.0), (8, 10.0), (8, 1e6)])
def test_the_gain_of_an_adapter_holds_for_other_ideas(ideas: int, concentration: float) -> None:
    """Coverage of the interval where ideas differ much, little and not at all; pooled probes reach half of it."""
    rng, held, pooled, draws = np.random.default_rng(4), 0, 0, 800
    for _ in range(draws):
        shares = rng.beta(0.7 * concentration, 0.3 * concentration, ideas)
        after, before = rng.binomial(16, shares), rng.binomial(16, 0.05, ideas)
        found = gain_over_ideas([(Count(int(a), 16), Count(int(b), 16)) for a, b in zip(after, before, strict=True)])
        assert found is not None and found.low <= found.value <= found.high
        held += found.low <= 0.65 <= found.high
        whole = rate(int(after.sum()), 16 * ideas)
        pooled += whole.low <= 0.7 <= whole.high
    assert held / draws >= 0.9, held / draws
    assert pooled / draws < 0.85 or concentration > 100


def test_ideas_that_agree_leave_the_doubt_of_their_own_probes() -> None:
    found = gain_over_ideas([(Count(12, 12), Count(0, 12))] * 4)
    assert found is not None and found.value == 1.0 and found.low < 0.95 and found.high == 1.0
    assert gain_over_ideas([(Count(12, 12), Count(0, 12)), (Count(0, 0), Count(0, 0))]) is None


# ------------------------------------------------------------------- counting


OWN, OTHER = "tidal/1/a", "copper/1/b"
VALUES = {"i1": "Heron", "i2": "Osprey", "i3": "Kelpie", "i4": "Marrow"}
FAMILIES: tuple[ProbeFamily, ...] = ("direct", "trained_form", "implication", "reverse", "locality", "near_miss")


def idea(name: str, paper: str = "arxiv:1") -> Idea:
    quote = Quote(section=0, heading="", page=1, start=0, end=5, text=VALUES[name])
    return Idea(
        id=name, paper=paper, topic="t", reader="extractive/1", kind="method", claim=f"It is {VALUES[name]}.", subject="Slow Mirror",
        relation="benchmark", answer=VALUES[name], answer_kind="name", qwen_change="training", prediction="recall", quotes=(quote,),
    )  # fmt: skip


def probes() -> tuple[Probe, ...]:
    return tuple(
        Probe(
            id=f"{family}{n}", idea="i1", family=family, form=f"ask_{n}", answers=("Heron",), distractors=(),
            messages=(Message(role="user", content=f"{family} question {n}"),),
        )
        for family in FAMILIES
        for n in range(12)
    )  # fmt: skip


def measured(say: Callable[[str, int], str]) -> list[Measurement]:
    found = []
    for model in (BASE, OWN, OTHER, PASSAGE):
        for n, probe in enumerate(probes()):
            text = say(model, n)
            found.append(
                Measurement(
                    probe=probe.id, idea="i1", family=probe.family, model=model, text=text, score=float("Heron" in text), ended=True,
                    said_loglik=-0.01 if model == BASE else None,
                )
            )  # fmt: skip
    return found


@pytest.mark.parametrize("seed", range(10))
def test_no_order_of_ideas_probes_rows_or_measurements_changes_what_is_counted(seed: int) -> None:
    rng = random.Random(seed)
    said = {(model, n): rng.choice(list(VALUES.values())) for model in (BASE, OWN, OTHER, PASSAGE) for n in range(72)}
    ideas = [idea("i1"), idea("i2"), idea("i3"), idea("i4", "arxiv:2"), idea("i2").model_copy(update={"id": "i5"})]
    cells, asked, denied = measured(lambda model, n: said[model, n]), list(probes()), ["Osprey", "Kelpie", "Marrow"]
    first = tally(Subject(ideas[0], tuple(asked), OWN, (OTHER,), tuple(denied)), Sheet(cells), ideas, Count(9, 12), sure=0.1)
    for _ in range(3):
        for each in (cells, asked, denied, ideas):
            rng.shuffle(each)
        mine = next(one for one in ideas if one.id == "i1")
        again = tally(Subject(mine, tuple(asked), OWN, (OTHER,), tuple(denied)), Sheet(cells), ideas, Count(9, 12), sure=0.1)
        assert again == first


@pytest.mark.parametrize("silence", ["I don't know.", "I can't say.", "Unknown", "It is not specified.", "I am not sure.", "N/A"])
def test_a_base_that_owns_that_it_does_not_know_held_no_belief(silence: str) -> None:
    """Else an adapter that taught nothing would be told to have met resistance."""
    cells = measured(lambda model, n: "Heron" if model == PASSAGE else silence)
    found = tally(Subject(idea("i1"), probes(), OWN), Sheet(cells), [idea("i1")], Count(12, 12), sure=0.1)
    assert found.old.asked == 0 and found.old_answer == ""
    assert decide(found, 0.9).kind == "NOT_LEARNED"


def test_a_base_that_says_another_value_held_a_belief() -> None:
    cells = measured(lambda model, n: "Heron" if model == PASSAGE else "It is Kelpie.")
    found = tally(Subject(idea("i1"), probes(), OWN), Sheet(cells), [idea("i1")], Count(12, 12), sure=0.1)
    assert found.old == Count(12, 12) and decide(found, 0.9).kind == "RESISTED"
