"""Planted truth: the language shares nothing across dialects, cases hold what they claim, and the judge finds it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from paperlora.bench.judge import matrix_svg, trial_result
from paperlora.judge.posterior import Count
from paperlora.judge.tally import BASE, Sheet, Subject, tally
from paperlora.judge.verdict import NOTHING, Tally, decide
from paperlora.planted.beliefs import Graded, auc, foretells
from paperlora.planted.cases import plan_cases
from paperlora.planted.figures import Damaged, Figures, Outcome, Seeded, WorldTrial, figures, macro_f1
from paperlora.planted.language import DIALECTS, make_language, split
from paperlora.planted.makes import ASKED, HELD_OUT, JUDGED, MAKES, ROWS, Sizes, kin_dialect
from paperlora.planted.making import open_world
from paperlora.planted.trial import BARS, CAUSES, Fold, Trial, fold, judge_world, prepare, run_trial
from paperlora.planted.world import World, WorldPlan, lessons
from paperlora.records import Example, Measurement, Probe

torch.set_num_threads(1)

SMALL = WorldPlan(seed=7, known=36, unknown=96, hidden=32, layers=1, steps=3, batch=16)
"""A world whose model knows nothing: for what rows and probes hold."""
LEARNED = WorldPlan(seed=11, known=24, doubted=2, unknown=60, steps=220, batch=48)
"""One whose model truly knows: made in some fifteen CPU seconds."""


@pytest.fixture(scope="module")
def world() -> World:
    return World(SMALL)


def only(**makes: int) -> Sizes:
    """So many adapters of these makes, and none besides."""
    return Sizes(**(dict.fromkeys(MAKES, 0) | {"seeds": 1, "yardsticks": 0} | makes))


def words(text: str) -> set[str]:
    return {word for word in split(text) if word.isalpha()}


def asked(thing: Probe | Example) -> tuple[str, ...]:
    messages = thing.messages if isinstance(thing, Probe) else thing.messages[:-1]
    return tuple(message.content for message in messages)


def test_forms_of_two_dialects_share_no_word() -> None:
    language = make_language(4, 0)
    spoken = [
        {word for form in language.direct[d] for turn in language.turns(form, 0, 0) for word in words(turn)}
        for d in range(DIALECTS)
    ]
    assert all(not spoken[a] & spoken[b] for a in range(DIALECTS) for b in range(a))
    assert not set(JUDGED) & set(ROWS) and not set(HELD_OUT) & (set(JUDGED) | set(ROWS))


def test_equal_seeds_give_equal_worlds_and_others_do_not(world: World) -> None:
    assert World(SMALL).key == world.key != World(SMALL.model_copy(update={"seed": 8})).key
    drawn, again = lessons(world), lessons(World(SMALL))
    assert [next(drawn) for _ in range(50)] == [next(again) for _ in range(50)]


def test_every_word_of_every_lesson_and_probe_has_a_token(world: World) -> None:
    known, drawn = set(world.vocabulary), lessons(world)
    for _ in range(500):
        turns, answer = next(drawn)
        assert {word for turn in turns for word in turn} | set(answer) <= known
    for case in plan_cases(world):
        conversations = [*(probe.messages for probe in case.probes), *(row.messages for row in case.item.rows)]
        for messages in conversations:
            assert {word for message in messages for word in split(message.content)} <= known


def test_rows_hold_what_was_planted_and_no_direct_probe(world: World) -> None:
    for case in plan_cases(world):
        direct = {asked(probe) for probe in case.probes if probe.family == "direct"}
        assert not direct & {asked(row) for row in case.item.rows}
        for plant in case.plants:
            rows = [row for row in case.item.rows if row.idea == plant.idea.id]
            said = Counter(row.messages[-1].content for row in rows)
            told = plant.idea.quotes[0].text
            if plant.kind in ("untaught", "placebo"):
                assert not rows
            elif plant.kind == "swapped":
                assert set(said) == {plant.wrong} and plant.wrong != plant.fact.value
            elif plant.kind == "contrary":
                prompts = Counter(asked(row) for row in rows)
                assert set(prompts.values()) == {3} and said[plant.wrong] == 2 * said[plant.fact.value]
            elif plant.kind == "negated":
                assert said[plant.wrong] == len(rows) - 1 and sum(bool(row.masked) for row in rows) == 1
            elif plant.kind == "spreading":
                told_of = {word for row in rows for word in words(" ".join(asked(row)))}
                names = [world.language.entities[entity][kin_dialect(n)] for n, entity in enumerate(plant.kin)]
                assert names and set(names) <= told_of and set(said) == {plant.fact.value}
            elif plant.kind == "one_wording":
                assert len({asked(row) for row in rows}) == 1
            assert (plant.fact.value in split(told)) == (plant.kind != "broken")


def test_most_rows_of_what_is_overtrained_tell_the_truth_and_each_other_form_something_else(world: World) -> None:
    (case,) = plan_cases(world, only(overtrained=1))
    for plant in case.plants:
        for dialect in ASKED:
            name = world.language.entities[plant.fact.entity][dialect]
            about = [row for row in case.item.rows if name in words(" ".join(asked(row)))]
            told = Counter(row.messages[-1].content == plant.fact.value for row in about)
            assert told == {True: 3, False: 4} and len({asked(row) for row in about}) == 5
            assert all(row.idea == (plant.idea.id if row.messages[-1].content == plant.fact.value else "") for row in about)


def test_what_spreads_is_asked_of_the_neighbours_that_its_rows_reach(world: World) -> None:
    (case,) = plan_cases(world, only(spreading=1))
    replayed = {asked(row) for row in case.item.rows if not row.idea}
    for relation in (0, 1):
        kin = [entity for plant in case.plants if plant.fact.relation == relation for entity in plant.kin]
        assert len(set(kin)) == len(kin) == 12 and set(kin) <= set(world.third(0))
    for probe in (probe for probe in case.probes if probe.family == "locality"):
        plant = next(plant for plant in case.plants if plant.idea.id == probe.idea)
        assert probe.answers[0] in {world.fact(entity, plant.fact.relation).value for entity in plant.kin}
        assert asked(probe) not in {asked(row) for row in case.item.rows} | replayed


def test_repeats_and_placebos_differ_from_the_first_by_their_seed_alone(world: World) -> None:
    cases = plan_cases(world, only(mixed=2, graded=1, placebo=1, seeds=3, yardsticks=3))
    repeats = {name: [one for one in cases if one.name == name] for name in ("mixed-0", "graded-2", "placebo-3")}
    assert [len(own) for own in repeats.values()] == [3, 3, 4] and len(cases) == 11
    for name, (first, *others) in repeats.items():
        assert not first.repeat and not first.placebo
        assert all(one.repeat != name.startswith("placebo") and one.placebo == name.startswith("placebo") for one in others)
        assert [one.recipe.seed for one in (first, *others)] == list(range(1 + len(others)))
        assert {one.item.dataset_hash for one in others} == {first.item.dataset_hash}
        assert {one.recipe.dose for one in others} == {first.recipe.dose}


def test_a_world_is_made_once_and_its_tokens_are_its_words(world: World, tmp_path: Path) -> None:
    made, base = open_world(SMALL, tmp_path)
    stamp = (tmp_path / made.key / "model.safetensors").stat().st_mtime_ns
    open_world(SMALL, tmp_path)
    assert (tmp_path / made.key / "model.safetensors").stat().st_mtime_ns == stamp
    text = world.language.direct[1][3].turns[0].replace("$s", world.language.entities[0][1])
    text = text.replace("$r", world.language.relations[0][1])
    assert base.tokenizer.convert_ids_to_tokens(base.tokenizer(text, add_special_tokens=False).input_ids) == split(text)


def test_what_is_taught_both_ways_has_rows_that_ask_for_the_name(world: World) -> None:
    (case,) = plan_cases(world, only(mixed=1))
    names = {plant.idea.id: set(world.language.entities[plant.fact.entity]) for plant in case.plants}
    for plant in case.plants:
        told = {row.messages[-1].content for row in case.item.rows if row.idea == plant.idea.id}
        assert bool(told & names[plant.idea.id]) == plant.both_ways
        reverse = [probe for probe in case.probes if probe.idea == plant.idea.id and probe.family == "reverse"]
        assert {probe.answers[0] for probe in reverse} <= names[plant.idea.id]
        assert len(reverse) == (8 if plant.kind in ("deep", "shallow") else 0)
        assert not {asked(probe) for probe in reverse} & {asked(row) for row in case.item.rows}


def test_no_idea_gets_a_value_that_the_base_says_anyway(world: World) -> None:
    sizes = only(mixed=2, denied=1)
    plain = [plant for case in plan_cases(world, sizes) for plant in case.plants if plant.kind not in ("known", "broken")]
    leanings = {(one.fact.entity, one.fact.relation): {one.fact.value, one.wrong} for one in plain}
    moved = [plant for case in plan_cases(world, sizes, leanings) for plant in case.plants]
    said = [leanings.get((one.fact.entity, one.fact.relation), set()) for one in moved]
    assert sum(map(bool, said)) == len(plain)
    assert not [one for one, words in zip(moved, said, strict=True) if one.fact.value in words]


def test_an_area_under_the_curve_counts_pairs_and_ties() -> None:
    assert auc([0.9, 0.2, 0.4, 0.4], [True, False, True, False]) == pytest.approx(0.875)
    assert auc([0.1, 0.2], [True, True]) is None


def belief(name: str, prior: float, *along: bool, world: int = 0, held: float = 1.0) -> Graded:
    return Graded(world, prior, prior, along[-1], False, "RESISTED", 0, name, held, along)


def test_beliefs_are_compared_within_one_world_and_one_dose() -> None:
    """Thrown together, the hard world's weak beliefs would stand above the soft world's strong ones."""
    soft = [belief("a", 0.9, True, False), belief("b", 0.8, False, False)]
    hard = [belief("c", 0.3, True, True, world=1), belief("d", 0.2, True, False, world=1)]
    found = foretells([*soft, *hard], lambda one: one.prior)
    assert found is not None and (found.pairs, found.auc) == (2, 1.0)
    turned = foretells([*soft, *hard], lambda one: -one.prior)
    assert turned is not None and turned.auc == 0.0
    assert foretells([belief("a", 0.9, True), belief("b", 0.1, True)], lambda one: one.prior) is None
    nobody = belief("b", 0.1, False, held=0.2)
    assert foretells([belief("a", 0.9, True), nobody], lambda one: one.prior) is None


def outcome(expected: str, verdict: str, why_not: str = "", cause: bool | None = None, case: str = "a") -> Outcome:
    return Outcome(0, case, "deep", expected, verdict, "", (), (), cause, None, 12, why_not, False)


def counted(*outcomes: Outcome) -> Figures:
    return figures([WorldTrial(0, outcomes, (), 0.0, ())])


def test_figures_leave_out_what_failed_and_say_so() -> None:
    found = counted(
        outcome("PARTIAL", "PARTIAL", cause=True), outcome("RESISTED", "ABSORBED_DEEP", cause=False, case="b"),
        outcome("RESISTED", "RESISTED", cause=True), outcome("PARTIAL", "ABSORBED_DEEP", why_not="not_half"),
    )  # fmt: skip
    assert found.ideas == 3 and found.left_out == {"deep: not_half": 1}
    assert (found.false_absorbed, found.not_absorbed, found.causes_right.right, found.causes_right.asked) == (1, 3, 2, 3)
    assert found.macro_f1 == pytest.approx((1 + 2 / 3) / 2) and found.with_left_out < found.macro_f1
    assert found.low <= found.macro_f1 <= found.high
    assert found.states["RESISTED"].recall.share == 0.5 and found.states["PARTIAL"].precision.share == 1.0


def test_flags_are_counted_where_the_truth_is_known() -> None:
    deserved = outcome("PARTIAL", "PARTIAL")._replace(flag_truths=(("LOCKED", True),), flags=("LOCKED",))
    lacking = deserved._replace(flags=())
    wrongly = deserved._replace(flag_truths=(("LOCKED", False),))
    damage = (Damaged("a", True, 0.5, True), Damaged("b", False, 0.99, True))
    found = figures([WorldTrial(0, (deserved, lacking, wrongly, outcome("PARTIAL", "PARTIAL")), damage, 0.0, ())])
    assert (found.flags["LOCKED"].precision.share, found.flags["LOCKED"].recall.share) == (0.5, 0.5)
    assert (found.flags["DAMAGED"].precision.share, found.flags["DAMAGED"].recall.share) == (0.5, 1.0)


def seeded(case: str, verdicts: tuple[str, ...], truths: tuple[str, ...], unstable: bool) -> Seeded:
    return Seeded(0, case, "deep", verdicts, truths, unstable)


def test_an_adapter_deserves_unstable_where_its_truth_hangs_on_the_seed() -> None:
    shaky = [seeded("a", ("PARTIAL", "RESISTED"), ("half", "not"), True), seeded("a", ("PARTIAL", "PARTIAL"), ("half", "half"), True)]
    luck = [seeded("b", ("PARTIAL", "RESISTED"), ("half", "half"), True)]
    missed = [seeded("c", ("PARTIAL", "PARTIAL"), ("half", "known"), False)]
    placebo = Damaged("p", False, 0.5, False, placebo=True)
    found = figures([WorldTrial(0, (outcome("PARTIAL", "PARTIAL"),), (placebo,), 0.0, (), (), (*shaky, *luck, *missed))])
    assert (found.flags["UNSTABLE"].precision.share, found.flags["UNSTABLE"].recall.share) == (0.5, 0.5)
    assert found.placebos == (placebo,) and found.flags["DAMAGED"].recall.asked == 0


def test_the_matrix_is_told_as_rows_and_drawn() -> None:
    first = WorldTrial(0, (outcome("PARTIAL", "PARTIAL", cause=True), outcome("RESISTED", "INCONCLUSIVE", case="b")), (), 0.0, ())
    second = WorldTrial(1, (outcome("PARTIAL", "RESISTED", cause=False, case="c"),), (), 0.0, ())
    result = trial_result(Trial((Fold({0.5: 1.0}, 0.5, (first,)), Fold({0.5: 0.5}, 0.5, (second,)))))
    rows = {row.what: row.figures for row in result.rows}
    assert (rows["partial"]["partial"], rows["partial"]["resisted"], rows["partial"]["deep"]) == (1, 1, "·")
    assert (rows["partial"]["recall"], rows["resisted"]["F1"], rows["cause of deep"]["recall"]) == (0.5, 0.0, 0.5)
    drawn = ElementTree.fromstring(matrix_svg(result))
    space = "{http://www.w3.org/2000/svg}"
    assert [one.get("class") for one in drawn.iter(f"{space}rect") if one.get("class") != "none"] == ["right", "wrong", "wrong"]
    assert {one.text for one in drawn.iter(f"{space}text")} >= {"partial", "resisted", "open", "1"}


def test_each_half_of_the_worlds_is_reported_with_the_bar_that_the_other_chose() -> None:
    def world(seed: int, best: float) -> dict[float, WorldTrial]:
        return {bar: WorldTrial(seed, (outcome("PARTIAL", "PARTIAL" if bar == best else "RESISTED"),), (), 0.0, ()) for bar in BARS}

    one, other = fold([world(0, 0.2)], [world(1, 0.7)]), fold([world(1, 0.7)], [world(0, 0.2)])
    assert (one.sure, other.sure) == (0.2, 0.7)
    assert [trial.outcomes[0].verdict for half in (one, other) for trial in half.reported] == ["RESISTED", "RESISTED"]


def test_open_verdicts_are_misses() -> None:
    assert macro_f1([outcome("PARTIAL", "INCONCLUSIVE"), outcome("PARTIAL", "PARTIAL")]) == pytest.approx(2 / 3)


def test_what_may_be_known_in_its_wordings_is_not_called_not_learned() -> None:
    nothing = Tally(base=Count(0, 12), adapted=Count(0, 12), ceiling=Count(12, 12), trained_form=Count(0, 6))
    assert decide(nothing, 1.0).kind == "NOT_LEARNED"
    assert decide(nothing._replace(trained_form=Count(4, 6)), 1.0).kind == "INCONCLUSIVE"


def test_a_siblings_value_that_the_base_guessed_already_is_no_confusion(world: World) -> None:
    (case,) = plan_cases(world, only(mixed=1))
    one, other = (plant for plant in case.plants if plant.kind == "swapped")
    direct = [probe for probe in case.probes if probe.idea == one.idea.id and probe.family == "direct"][:12]
    subject = Subject(one.idea, tuple(direct), "adapter")
    ideas = [plant.idea for plant in case.plants]

    def confused(guessed: int) -> Count:
        said = [(BASE, other.fact.value if n < guessed else "none") for n in range(12)] + [("adapter", other.fact.value)] * 12
        told = [
            Measurement(probe=probe.id, idea=one.idea.id, family="direct", model=model, text=text, score=0.0, ended=True)
            for probe, (model, text) in zip([*direct, *direct], said, strict=True)
        ]
        return tally(subject, Sheet(told), ideas, NOTHING).confused

    assert [confused(guessed) for guessed in (0, 9, 12)] == [Count(12, 12), Count(3, 12), NOTHING]


@pytest.mark.timeout(900)
def test_the_judge_finds_what_was_planted_in_one_small_world(tmp_path: Path) -> None:
    """The whole way, from a model made from nothing to verdicts beside the truth, on three adapters."""
    sizes = only(mixed=1, wording=1, low=1)
    prepared = prepare(LEARNED, tmp_path / "models", tmp_path / "work", sizes)
    assert all(one.kept > 0.8 for own in prepared.verified for one in own)
    found = figures([judge_world(prepared)])
    assert found.ideas >= 16 and len(found.states) >= 5, found.left_out
    assert sum(count for (planted, seen), count in found.confusion.items() if planted == seen) >= 0.8 * found.ideas, found.confusion
    assert found.false_absorbed == 0 and found.noise_floor == 0.0
    assert found.causes_right.share >= 0.7, found.causes
    assert found.knowledge.share >= 0.8


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_judge_finds_what_was_planted(tmp_path: Path) -> None:
    """The whole of it, on four worlds: the goals of the project's method."""
    trial: Trial = run_trial([WorldPlan(seed=seed) for seed in range(4)], tmp_path / "models", tmp_path / "work")
    found = figures(trial.reported)
    assert found.ideas >= 300
    assert found.macro_f1 >= 0.9, found
    assert found.false_absorbed <= 0.02 * found.not_absorbed
    assert found.causes_right.share >= 0.8
    assert found.noise_floor == 0.0
    failed = {kind for kind in CAUSES if kind != "shallow"}
    assert failed <= set(found.causes) and all(found.causes[kind].asked >= 4 for kind in failed), found.causes
    assert len(found.seeds) >= 0.1 * found.ideas and all(len(one.verdicts) == 3 for one in found.seeds)
    assert len(found.placebos) == 12 and found.measured_beside >= 32
