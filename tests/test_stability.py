"""Seeds: who is trained again, how repeated ideas are counted, and when a recipe's verdicts are unstable."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from paperlora.judge.judged import JudgeItem, Live
from paperlora.judge.posterior import Count, bh
from paperlora.judge.stability import firsts, q_values_by_seed, steady
from paperlora.judge.subjects import others_of
from paperlora.judge.verdict import Tally
from paperlora.lora.seeds import repeats
from paperlora.records import (
    Adapter,
    BaseModelId,
    Idea,
    Interval,
    MicroDataset,
    Paper,
    Quote,
    Rate,
    Recipe,
    Verdict,
    VerdictKind,
)

BASE = BaseModelId(name="b", weights_hash="w", template_hash="t", dtype="float32")
QUICK, LONG = Recipe(name="quick"), Recipe(name="long", epochs=20)


def adapter(dataset: str, recipe: Recipe = QUICK, seed: int = 0, base: BaseModelId = BASE) -> Adapter:
    return Adapter(
        id=f"{dataset}/{recipe.name}-{seed}-{base.weights_hash}", dataset=dataset, dataset_hash=f"hash of {dataset}", paper=dataset, topic="t",
        recipe=recipe.model_copy(update={"seed": seed}), base=base, checkpoints=(), steps=1, rows=1, tokens=1, loss_tokens=1,
        seconds=1.0, final_loss=1.0, delta_norm=1.0, relative_delta_norm=0.1,
    )  # fmt: skip


def verdict(one: Adapter, idea: str, kind: VerdictKind, right: int = 6, asked: int = 12) -> Verdict:
    rate = Rate(right=right, asked=asked, low=0.0, high=1.0)
    return Verdict(
        id=f"{one.id}:{idea}", idea=idea, adapter=one.id, paper=one.paper, topic="t", claim="c", kind=kind, reason="r", flags=("NO_PLACEBO",),
        base=rate, adapted=rate, gain=Interval(value=0.0, low=0.0, high=0.0),
    )  # fmt: skip


# ---------------------------------------------------------------- who is trained again


def test_fewer_than_ten_adapters_are_never_trained_again() -> None:
    assert repeats([f"d{n}" for n in range(9)], [QUICK], 0.1, 3) == []
    assert repeats([f"d{n}" for n in range(3)], [QUICK, LONG, Recipe(rank=4)], 0.1, 3) == []


@pytest.mark.parametrize(("datasets", "recipes", "pairs"), [(10, 1, 1), (10, 2, 2), (48, 1, 4), (5, 2, 1)])
def test_a_tenth_gets_two_seeds_more(datasets: int, recipes: int, pairs: int) -> None:
    hashes, chosen = [f"d{n}" for n in range(datasets)], [QUICK, LONG][:recipes]
    found = repeats(hashes, chosen, 0.1, 3)
    by_pair = Counter((one.dataset, one.recipe.dose) for one in found)
    assert len(by_pair) == pairs and set(by_pair.values()) == {2}
    assert {one.recipe.seed for one in found} == {1, 2} and all(hashes[one.place] == one.dataset for one in found)
    known = {recipe.dose for recipe in chosen}
    assert all(one.recipe.dose in known for one in found)


def test_the_choice_depends_on_datasets_and_recipes_alone() -> None:
    hashes = [f"d{n}" for n in range(30)]
    shuffled = random.Random(1).sample(hashes, len(hashes))
    one, other = (repeats(order, [QUICK, LONG], 0.1, 3) for order in (hashes, shuffled))
    assert {(c.dataset, c.recipe) for c in one} == {(c.dataset, c.recipe) for c in other}
    assert len({c.dataset for c in repeats(hashes, [QUICK], 0.5, 2)}) == 15


def test_seeds_that_the_run_asks_for_itself_count() -> None:
    asked = [QUICK, QUICK.model_copy(update={"seed": 1, "name": "quick again"})]
    found = repeats([f"d{n}" for n in range(10)], asked, 0.1, 3)
    assert [one.recipe.seed for one in found] == [2]
    assert repeats([f"d{n}" for n in range(10)], asked, 0.1, 2) == [] and repeats(["d"] * 10, [QUICK], 0.1, 1) == []


# ------------------------------------------------------------------ one hypothesis


def test_the_first_of_those_that_differ_by_seed_alone_has_the_lowest_seed() -> None:
    elsewhere = BASE.model_copy(update={"weights_hash": "other"})
    every = [adapter("a", seed=2), adapter("a", seed=0), adapter("a", LONG, 1), adapter("b", seed=2), adapter("a", seed=1, base=elsewhere)]
    first = firsts(every)
    assert first[every[0].id] == first[every[1].id] == every[1].id
    assert all(first[one.id] == one.id for one in every[1:])


def tally_of(p_value: float, ceiling: int = 12) -> Tally:
    return Tally(Count(0, 12), Count(12, 12), ceiling=Count(ceiling, 12), p_value=p_value)


def test_without_repeats_all_ideas_of_the_run_are_corrected_together() -> None:
    adapters = [adapter("a"), adapter("b"), adapter("a", LONG)]
    ideas = [(one.id, idea) for one in adapters for idea in ("i", "j")]
    p_values = [0.001, 0.2, 0.01, 0.04, 0.03, 0.5]
    found = q_values_by_seed(adapters, ideas, [tally_of(p) for p in p_values])
    assert found == pytest.approx(bh(p_values))


def test_repeats_do_not_lower_the_bar_for_others() -> None:
    """An idea that every seed learns takes part once; each repeat gets the q that it would have had in the first's place."""
    adapters = [adapter("a", seed=seed) for seed in range(3)] + [adapter("b")]
    ideas = [(one.id, "easy") for one in adapters[:3]] + [(adapters[3].id, idea) for idea in ("doubtful", "hopeless")]
    p_values = [0.001, 0.002, 0.003, 0.03, 0.9]
    found = q_values_by_seed(adapters, ideas, [tally_of(p) for p in p_values])
    assert found[3:] == pytest.approx(bh([0.001, 0.03, 0.9])[1:])
    assert found[3] > bh(p_values)[3]  # type: ignore[operator]
    assert found[:3] == pytest.approx([bh([p, 0.03, 0.9])[0] for p in p_values[:3]])


def test_what_cannot_be_judged_takes_no_part() -> None:
    adapters = [adapter("a", seed=seed) for seed in range(2)]
    ideas = [(one.id, idea) for one in adapters for idea in ("i", "j")]
    tallies = [tally_of(0.01), tally_of(0.5, ceiling=0), tally_of(0.02), tally_of(0.5, ceiling=0)]
    assert q_values_by_seed(adapters, ideas, tallies) == [pytest.approx(0.01), None, pytest.approx(0.02), None]


# ---------------------------------------------------------------------- flips


DEEP: VerdictKind = "ABSORBED_DEEP"


def seeded(kinds: Sequence[Sequence[VerdictKind]], recipe: Recipe = QUICK, dataset: str = "a") -> tuple[list[Adapter], list[Verdict]]:
    """Verdicts of three seeds on each idea."""
    adapters = [adapter(dataset, recipe, seed) for seed in range(3)]
    found = [verdict(one, f"{dataset}{n}", own[seed], right=seed) for seed, one in enumerate(adapters) for n, own in enumerate(kinds)]
    return adapters, found


@pytest.mark.parametrize(("flipped", "unstable"), [(0, False), (1, False), (2, True)])
def test_flips_on_more_than_a_fifth_make_every_verdict_of_the_recipe_unstable(flipped: int, unstable: bool) -> None:
    kinds: list[list[VerdictKind]] = [[DEEP, "PARTIAL", DEEP]] * flipped + [[DEEP] * 3] * (5 - flipped)
    adapters, verdicts = seeded(kinds)
    single, other = adapter("z"), adapter("y", LONG)
    verdicts += [verdict(single, "z0", DEEP), verdict(single, "z1", "ALREADY_KNOWN"), verdict(other, "y0", DEEP)]
    found = steady([*adapters, single, other], verdicts)
    assert [one.id for one in found.verdicts] == [one.id for one in verdicts]
    flagged = {one.id: "UNSTABLE" in one.flags for one in found.verdicts}
    assert all(flagged[one.id] == unstable for one in verdicts[:16])
    assert not flagged[verdicts[16].id] and not flagged[verdicts[17].id]
    assert [sum(one.flipped for one in found.stability), len(found.stability)] == [flipped, 5]
    assert all("NO_PLACEBO" in one.flags for one in found.verdicts)


def test_records_hold_kinds_and_shares_by_seed() -> None:
    adapters, verdicts = seeded([[DEEP, "NOT_LEARNED", DEEP]])
    (record,) = steady(adapters[::-1], verdicts[::-1]).stability
    assert record.adapters == tuple(one.id for one in adapters) and record.kinds == (DEEP, "NOT_LEARNED", DEEP)
    assert record.shares == (0.0, 1 / 12, 2 / 12) and record.flipped and record.idea == "a0" and record.dataset == "a"
    assert record.recipe.startswith("quick ")


def test_ideas_that_no_seed_can_decide_are_no_evidence_of_stability() -> None:
    known: list[VerdictKind] = ["ALREADY_KNOWN"] * 3
    adapters, verdicts = seeded([known, known, known, known, [DEEP, DEEP, "INCONCLUSIVE"]])
    found = steady(adapters, verdicts)
    assert len(found.stability) == 1
    flags = {one.kind: "UNSTABLE" in one.flags for one in found.verdicts}
    assert flags == {DEEP: True, "INCONCLUSIVE": True, "ALREADY_KNOWN": False}


def test_repeats_are_marked_and_a_lone_run_is_left_as_it_is() -> None:
    adapters, verdicts = seeded([[DEEP] * 3])
    found = steady(adapters, verdicts).verdicts
    assert ["REPEAT" in one.flags for one in found] == [False, True, True]
    lone = [verdict(adapter("a"), "a0", DEEP), verdict(adapter("a", LONG), "a0", "PARTIAL")]
    assert steady([adapter("a"), adapter("a", LONG)], lone) == (tuple(lone), ())


# -------------------------------------------------------------------- rivals


def item(paper: str, seed: int) -> Live:
    quote = Quote(section=0, heading="", page=1, start=0, end=1, text="x")
    idea = Idea(
        id=f"{ord(paper):016x}", paper=paper, topic="t", reader="r", kind="method", claim="c", subject=f"Method {paper}", relation="r",
        answer="7", answer_kind="number", qwen_change="", prediction="", quotes=(quote,),
    )  # fmt: skip
    dataset = MicroDataset(
        id=paper, revision="0", paper=Paper(id=paper, title=paper), topic="t", ideas=(idea,), reader="r", counts={}, probes_hash="",
    )  # fmt: skip
    return Live(JudgeItem(adapter(paper, seed=seed), Path(), dataset, ()), 1, 1.0)


def test_rivals_are_of_other_papers_and_never_twice_the_same_by_another_seed() -> None:
    live = [item(*one) for one in (("a", 0), ("b", 0), ("b", 1), ("b", 2), ("a", 1), ("c", 0))]
    others = [others_of(one, live, (), 2) for one in live]
    papers = {one.item.adapter.id: one.item.dataset.id for one in live}
    for one, names in zip(live, others, strict=True):
        assert len(names) == 2 and {papers[name] for name in names} == {"a", "b", "c"} - {one.item.dataset.id}
