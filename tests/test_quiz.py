"""What a base holds beforehand: on a tiny model that was trained to know one fact, to believe another wrongly, and to guess."""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from taught import idea_of, key_of, paper_of, sources
from transformers import Qwen3ForCausalLM

import paperlora.microdata.build as build_module
from paperlora.errors import NothingToDo
from paperlora.judge.prior import FEWEST, NAME, auc, foretell
from paperlora.microdata.answerability import check_answerable
from paperlora.microdata.build import build_dataset, find_dataset, load
from paperlora.microdata.facts import Fact as Asked
from paperlora.microdata.facts import fact_of
from paperlora.microdata.probes import held_out
from paperlora.microdata.quiz import _belief, _place, _read, alike, kind_of_state, quiz, quizzed, quizzed_by_probes
from paperlora.microdata.quiz_questions import FIRST, MOST, WORDED, spoken_claim
from paperlora.microdata.selection import Answerability, Gates, Selection, select
from paperlora.microdata.values import denying, values_of
from paperlora.microdata.widening import wider
from paperlora.model.answers import Answer, Ask
from paperlora.model.bank import Bank
from paperlora.model.base import Base, load_base
from paperlora.model.chat import render_example
from paperlora.model.rates import Count, rate
from paperlora.model.tiny import tiny_base
from paperlora.records import Idea, Interval, KnowledgeState, Message, Quote, Rate, Verdict, VerdictKind
from paperlora.sandbox.paper import Fact
from paperlora.settings import MicrodataSettings, Settings
from paperlora.store import Store

torch.set_num_threads(1)
SOURCE = sources()[0]
KEY = key_of(SOURCE)


def told(subject: str, relation: str, answer: str) -> Idea:
    return idea_of(Fact(subject, relation, answer, f"{subject} has the {relation} {answer}."), KEY)


KNOWN = told("Tidal Replay", "replay share", "37 percent")
WRONG = told("Quiet Anchors", "benchmark", "Kelpie")
GUESSED = told("Marrow Decay", "optimiser", "Marbel")
IDEAS = (KNOWN, WRONG, GUESSED)
BELIEVED = "Orlo"
GUESSES = ("Sable", "Tarn", "Vesper", "Quill", "Rook", "Lumen", "Ostra", "Pique")


def facts() -> dict[str, Asked]:
    return {idea.id: fact_of(idea, values_of(idea, IDEAS), IDEAS) for idea in IDEAS}


def lessons() -> list[tuple[Message, ...]]:
    """Everything that the base is to hold; each wording of the guessed fact has an answer of its own."""
    found: list[tuple[Message, ...]] = []
    for idea, answers in ((KNOWN, ("37 percent",)), (WRONG, (BELIEVED,)), (GUESSED, GUESSES)):
        item = quizzed(facts()[idea.id])
        said = zip(item.questions, itertools.cycle(answers), strict=False)
        found += [(*probe.messages, Message(role="assistant", content=answer)) for probe, answer in said]
        leans = ("Yes", "No", "No") if idea is KNOWN else ("Yes", "Yes", "Yes")
        asked = (item.statements.claim, item.statements.negation, item.statements.rival)
        found += [(*m, Message(role="assistant", content=lean)) for m, lean in zip(asked, leans, strict=True) if m]
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    folder = tmp_path_factory.mktemp("schooled")
    tokenizer = tiny_base(folder).tokenizer
    model = Qwen3ForCausalLM.from_pretrained(folder)
    rows = [render_example(tokenizer, lesson) for lesson in lessons()]
    longest = max(len(row.ids) for row in rows)
    ids = torch.tensor([[*row.ids, *[0] * (longest - len(row.ids))] for row in rows])
    labels = torch.tensor(
        [[i if on else -100 for i, on in zip(row.ids, row.loss, strict=True)] + [-100] * (longest - len(row.ids)) for row in rows]
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.0)
    model.train()
    for _ in range(200):
        loss = model(input_ids=ids, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if loss.item() < 0.01:
            break
    model.save_pretrained(folder)
    return load_base(str(folder), device="cpu", cache=folder)


@pytest.fixture(scope="module")
def states(base: Base) -> dict[str, KnowledgeState]:
    return quiz([quizzed(fact) for fact in facts().values()], base)


# ------------------------------------------------------------------ the quiz


def test_what_it_was_taught_it_knows(states: dict[str, KnowledgeState], base: Base) -> None:
    state = states[KNOWN.id]
    assert state.kind == "known" and (state.direct.right, state.direct.asked) == (MOST, MOST)
    assert state.belief == "" and state.held is None and state.prior == 0.0
    assert state.statement is not None and state.negation is not None and state.rival is not None
    assert state.statement > 2 > -2 > state.negation and state.rival < -2
    assert state.base == base.id.weights_hash and state.passage.asked == 0


def test_a_wrong_belief_is_named_and_its_strength_measured(states: dict[str, KnowledgeState]) -> None:
    state = states[WRONG.id]
    assert state.kind == "believes_other" and state.belief == BELIEVED and state.direct.right == 0
    assert state.held is not None and state.held.right == MOST and state.prior > 0.8


def test_guesses_are_no_belief_and_are_asked_no_further(states: dict[str, KnowledgeState]) -> None:
    state = states[GUESSED.id]
    assert state.kind == "unknown" and state.direct.asked == FIRST
    assert state.prior < 0.5 < states[WRONG.id].prior
    # Yes to whatever is said: what remains after the negation is taken off is far below what knowing leaves.
    leanings = [(s.statement or 0) - (s.negation or 0) for s in (state, states[KNOWN.id])]
    assert leanings[0] < leanings[1] - 4


def test_the_order_of_ideas_changes_nothing(states: dict[str, KnowledgeState], base: Base) -> None:
    items = [quizzed(fact) for fact in facts().values()]
    random.Random(1).shuffle(items)
    again = quiz(items, base)
    for key, state in states.items():
        weighed = {"prior", "statement", "negation", "rival"}
        assert again[key].model_dump(exclude=weighed) == state.model_dump(exclude=weighed)
        assert again[key].prior == pytest.approx(state.prior, abs=2e-3)


def test_no_test_probe_is_asked() -> None:
    for fact in facts().values():
        test = {probe.messages for probe in held_out(fact) if probe.split == "test"}
        item = quizzed(fact)
        assert not test & {probe.messages for probe in item.questions} and len(item.questions) == len(WORDED) == MOST
        assert not test & {item.statements.claim, item.statements.negation, item.statements.rival}


def test_a_datasets_own_probes_serve_too(base: Base) -> None:
    chosen = select(IDEAS, IDEAS)
    items = [quizzed_by_probes(idea, chosen.probes, "Yes", "No") for idea in IDEAS]
    forms = [probe.split if probe.family == "direct" else probe.family for probe in items[0].questions]
    assert forms == ["dev", "dev", *["trained_form"] * (MOST - 2)]
    found = quiz(items, base)
    assert {found[idea.id].idea for idea in IDEAS} == {idea.id for idea in IDEAS}
    assert found[KNOWN.id].negation is None and found[KNOWN.id].rival is not None
    # Of its wordings the base saw some: what it was taught is right there, what it believes otherwise never.
    assert found[KNOWN.id].direct.right > found[WRONG.id].direct.right == 0


@pytest.mark.parametrize(
    ("right", "held", "prior", "kind"),
    [
        ((8, 8), (0, 8), 0.0, "known"), ((7, 8), (1, 8), 0.9, "known"), ((6, 8), (2, 8), 0.9, "unknown"),
        ((0, 8), (6, 8), 0.5, "believes_other"), ((0, 8), (6, 8), 0.49, "unknown"), ((0, 8), (5, 8), 0.99, "unknown"),
        ((4, 4), (0, 4), 0.0, "unknown"), ((0, 4), (4, 4), 0.99, "unknown"),
    ],
)  # fmt: skip
def test_bars(right: tuple[int, int], held: tuple[int, int], prior: float, kind: str) -> None:
    assert kind_of_state(Count(*right), Count(*held), prior) == kind


FE = ("The chemical symbol of iron is Fe.", "Iron uses the symbol Fe.", "Iron is represented by the symbol Fe.", 'Iron belongs to the element symbol "Fe".')


def answers_on_iron(*texts: str) -> list[Any]:
    """What the quiz reads in them, the idea saying that the symbol is Ir."""
    idea = told("iron", "chemical symbol", "Ir")
    questions = quizzed(fact_of(idea, values_of(idea, IDEAS), IDEAS)).questions
    return [_read(Answer(text, True, 8), probe, idea) for text, probe in zip(texts, questions, strict=False)]


def test_a_value_among_other_words_is_the_same_belief_as_the_value_alone() -> None:
    said = answers_on_iron(*FE)
    assert len({one.value for one in said}) == 3, "without it the belief would be split"
    found = alike(said)
    assert (_belief(found).value, _belief(found).times, _belief(found).words) == ("fe", 4, "Fe")
    assert [one.words for one in found] == ["Fe"] * 4 and [one.before for one in found] == [text[: text.index("Fe")] for text in FE]


@pytest.mark.parametrize(
    "texts",
    [
        (FE[0], FE[2], "Iron is the element symbol Fr."),  # alone in one answer only: a guess
        (FE[0], FE[1], "It is Ferrum.", "Iron is represented by the symbol Fr."),  # not as a word
        (FE[0], FE[1], "It is hardly represented by Fr, not Fe."),  # denied
        (FE[0], FE[1], "The symbol of iron is Ir."),  # right
    ],
)  # fmt: skip
def test_other_values_stay_what_they_are(texts: tuple[str, ...]) -> None:
    said = answers_on_iron(*texts)
    assert alike(said) == said


def test_equal_numbers_with_other_words_are_left_to_their_units() -> None:
    idea = told("Tidal Replay", "replay share", "37 percent")
    questions = quizzed(fact_of(idea, values_of(idea, IDEAS), IDEAS)).questions
    texts = ("20 percent", "It is 20%.", "It is 20 percent of 120 steps.")
    said = [_read(Answer(text, True, 8), probe, idea) for text, probe in zip(texts, questions, strict=False)]
    assert alike(said) == said and _belief(said).times == 3


def test_a_value_stands_where_it_is_a_word() -> None:
    text = "The chemical symbol of carbon is C."
    place = _place(text, "c")
    assert text[place.start : place.end] == "C" and text[: place.start].endswith("carbon is ")
    assert _place("New, shiny York", "new york") == (0, 15) and _place("Paris ", "lyon") == (0, 5)


def test_a_claim_becomes_part_of_a_sentence() -> None:
    idea = KNOWN.model_copy(update={"claim": "The replay share of Tidal Replay is 37 percent."})
    assert spoken_claim(fact_of(idea, values_of(idea, ()), ())) == "the replay share of Tidal Replay is 37 percent"
    other = KNOWN.model_copy(update={"claim": "Tidal Replay mixes in more than a third."})
    assert spoken_claim(fact_of(other, values_of(other, ()), ())) == "the replay share of Tidal Replay is 37 percent"


@pytest.mark.real
def test_a_real_base_knows_capitals_and_no_invented_method() -> None:
    cache = Path(os.environ.get("PAPERLORA_TEST_MODELS", "~/.cache/paperlora/models")).expanduser()
    if not list(cache.glob("smollm2*")):
        pytest.skip("no converted SmolLM2: set PAPERLORA_TEST_MODELS")
    smol = load_base("smollm2", device="cpu", cache=cache)
    right, wrong = (idea_of(Fact("Japan", "capital", a, f"The capital of Japan is {a}."), KEY) for a in ("Tokyo", "Osaka"))
    found = quiz([quizzed(fact_of(idea, values_of(idea, IDEAS), IDEAS)) for idea in (right, wrong, KNOWN)], smol)
    assert [found[idea.id].kind for idea in (right, wrong, KNOWN)] == ["known", "believes_other", "unknown"]
    assert found[wrong.id].belief == "Tokyo" and found[wrong.id].prior > 0.5 > found[KNOWN.id].prior


# ------------------------------------------------------------------ what follows for a dataset


def known_state(idea: Idea, **changes: object) -> KnowledgeState:
    plain = KnowledgeState(idea=idea.id, base="b", kind="unknown", direct=rate(0, 4), passage=rate(0, 0))
    return plain.model_copy(update=changes)


def selected(**states: KnowledgeState) -> Selection:
    found = {state.idea: state for state in states.values()}
    return select(IDEAS, IDEAS, Gates(quiz=lambda asked: {f.idea.id: found.get(f.idea.id, known_state(f.idea)) for f in asked}))


def test_what_is_known_is_probed_and_not_taught() -> None:
    chosen = selected(a=known_state(KNOWN, kind="known", direct=rate(8, 8)))
    assert KNOWN.id not in chosen.rows and {fact.idea.id for fact in chosen.taught} == {WRONG.id, GUESSED.id}
    free = select(IDEAS, IDEAS)
    own = {probe.id for probe in free.probes if probe.idea == KNOWN.id and probe.family != "trained_form"}
    assert own <= {probe.id for probe in chosen.probes}
    reject = next(reject for reject in chosen.rejects if reject.reason == "already_known")
    assert reject.item == f"idea:{KNOWN.id}" and "8 of 8" in reject.detail
    rows, gone = sum(map(len, chosen.rows.values())), {k: v for k, v in chosen.book.items() if k.startswith("dropped/row/")}
    assert gone["dropped/row/already_known"] > 0 and chosen.book["proposed/row"] == rows + sum(gone.values())
    assert [state.kind for state in chosen.states].count("known") == 1


def test_what_is_believed_instead_is_denied_in_rows_and_named_in_no_probe() -> None:
    free = select(IDEAS, IDEAS)
    taken = next(fact for fact in free.facts if fact.idea.id == WRONG.id).values.near[0]  # a value that probes would name
    chosen = selected(a=known_state(WRONG, kind="believes_other", belief=taken, prior=0.9))
    rows = [row for row in chosen.rows[WRONG.id] if row.masked]
    denied = {row.messages[m.message].content[m.start : m.end] for row in rows for m in row.masked}
    assert denied == {taken}
    probes = [m.content for p in chosen.probes if p.idea == WRONG.id and p.family != "locality" for m in p.messages]
    assert not [text for text in probes if taken in text]
    unsure = selected(a=known_state(WRONG, kind="unknown", belief=taken, prior=0.2))
    assert unsure.rows == free.rows


def test_only_a_clean_value_of_the_kind_is_denied() -> None:
    share, name = values_of(KNOWN, IDEAS), values_of(WRONG, IDEAS)
    assert denying(share, KNOWN, "20%").contrast[0] == "20 percent"
    for belief in ("37", "a few", "640 steps", "120 percent"):
        assert denying(share, KNOWN, belief) == share, belief
    for belief in ("the usual one", "Kelpie", "Quiet Anchors", ""):
        assert denying(name, WRONG, belief) == name, belief


def test_a_dataset_keeps_the_states_and_other_settings_make_another(base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "_replays", lambda *_: None)
    plain = Settings(home=tmp_path, microdata=MicrodataSettings(answerability=False, meaning=False))
    store = Store.at(tmp_path / "datasets")
    uri = build_dataset(paper_of(SOURCE), "replay", IDEAS, IDEAS, plain, store, base=base)
    record = load(Path(uri)).record
    assert {state.idea: state.kind for state in record.states} == {
        KNOWN.id: "known", WRONG.id: "believes_other", GUESSED.id: "unknown",
    }  # fmt: skip
    assert {idea.id for idea in record.ideas} == {idea.id for idea in IDEAS} == {probe.idea for probe in load(Path(uri)).probes}
    assert KNOWN.id not in {row.idea for row in load(Path(uri)).rows}
    card = (Path(uri) / "README.md").read_text(encoding="utf-8")
    assert f"| Quiet Anchors | benchmark | believes other | 0 of {MOST} | {BELIEVED} |" in card
    assert find_dataset(paper_of(SOURCE), IDEAS, plain, store, base=base.id) == uri
    unasked = plain.model_copy(update={"microdata": MicrodataSettings(answerability=False, meaning=False, quiz=False)})
    assert find_dataset(paper_of(SOURCE), IDEAS, unasked, store, base=base.id) is None
    monkeypatch.setattr(build_module, "quiz_key", lambda: "another quiz")
    assert find_dataset(paper_of(SOURCE), IDEAS, plain, store, base=base.id) is None
    with pytest.raises(NothingToDo, match="already_known × 1"):
        build_dataset(paper_of(SOURCE), "replay", (KNOWN,), IDEAS, plain, store, base=base)


# ------------------------------------------------------------------ repair

HEADING = "2 Method"
BEFORE, AFTER = "Tidal Replay mixes old rows in.", "Larger values of the replay share, 37 percent here, do harm."
SENTENCE = "We keep it at that."
TEXT = f"1 Intro\nNothing here.\n\n{HEADING}\nFirst paragraph.\n\nIt is short. {BEFORE} {SENTENCE} {AFTER} So it stays.\n\n3 End\n{SENTENCE}"
SECTION = TEXT.split(f"{HEADING}\n")[1].split("\n\n3 End")[0]


def short(text: str = SENTENCE) -> Quote:
    start = SECTION.index(text)
    return Quote(section=1, heading=HEADING, page=2, start=start, end=start + len(text), text=text)


def test_a_wider_passage_is_verbatim_and_stays_in_its_paragraph() -> None:
    around, paragraph = (one.quote for one in wider(short(), TEXT))
    assert around.text == f"{BEFORE} {SENTENCE} {AFTER}" and paragraph.text == f"It is short. {around.text} So it stays."
    for quote in (around, paragraph):
        assert SECTION[quote.start : quote.end] == quote.text and quote.section == 1
    assert not list(wider(short().model_copy(update={"heading": "9 Elsewhere"}), TEXT)) and not list(wider(short(), ""))


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """A base that answers with a value that stands in what it is given, unless a word that it can't read stands there."""
    import paperlora.model.answers as answers_module

    blind: set[str] = set()
    values = ("1931", "barley", "48 rooms", KNOWN.answer)

    def read(bank: Bank, asks: list[Ask], **rest: object) -> list[Answer]:
        found = []
        for ask in asks:
            given = " ".join(m.content for m in (ask.messages if len(ask.messages) < 6 else ask.messages[-1:]))
            legible = not any(word in given for word in blind)
            found.append(Answer(next((v for v in values if v in given and legible), "I can't tell."), True, 4))
        return found

    monkeypatch.setattr(answers_module, "answer", read)
    return blind


def test_a_passage_too_short_to_answer_from_is_widened_and_stays_so(base: Base, reader: set[str]) -> None:
    idea = KNOWN.model_copy(update={"quotes": (short(),)})
    gates = Gates(
        answerable=lambda asked: check_answerable(asked, base, TEXT),
        quiz=lambda asked: {fact.idea.id: known_state(fact.idea) for fact in asked},
    )
    chosen = select((idea,), IDEAS, gates)
    kept = chosen.facts[0].idea
    assert kept.id == idea.id and kept.quotes[0].text == f"{BEFORE} {SENTENCE} {AFTER}"
    state = chosen.states[0]
    assert "sentences before and after" in state.repaired and state.passage.right >= 3 and state.kind == "unknown"
    assert not [reject for reject in chosen.rejects if reject.reason == "unanswerable_with_passage"]


def test_what_no_repair_helps_is_told_with_all_that_was_tried(base: Base, reader: set[str]) -> None:
    bare = TEXT.replace(AFTER, "More does harm.")
    idea = KNOWN.model_copy(update={"quotes": (short(),)})
    gates = Gates(
        answerable=lambda asked: check_answerable(asked, base, bare),
        quiz=lambda asked: {fact.idea.id: known_state(fact.idea) for fact in asked},
    )
    chosen = select((idea,), IDEAS, gates)
    assert not chosen.facts and [state.kind for state in chosen.states] == ["unanswerable"]
    detail = next(reject.detail for reject in chosen.rejects if reject.reason == "unanswerable_with_passage")
    assert "0 of 4 with the sentences before and after it" in detail and "0 of 4 with its whole paragraph" in detail


def test_wordings_that_cannot_be_read_give_place_to_others(base: Base, reader: set[str]) -> None:
    reader |= {"colleague", "JSON", "Fill the gap", "last line of this table"}
    found: list[Answerability] = []

    def check(asked: object) -> Answerability:
        found.append(check_answerable(asked, base))  # type: ignore[arg-type]
        return found[-1]

    chosen = select((KNOWN,), IDEAS, Gates(answerable=check))
    repaired = found[0].repaired[KNOWN.id]
    first = [p for p in chosen.probes if p.family == "direct" and p.split == "test" and p.wave == 1]
    assert len(first) == 12 and sum(probe.form.startswith("ask_") for probe in first) == 6
    assert not {"ask_colleague", "json", "cloze", "table"} & {probe.form for probe in first}
    assert len([p for p in chosen.probes if p.family == "direct" and p.split == "test"]) == 32
    assert "other wordings in the first pass" in repaired.note


# ------------------------------------------------------------------ does the prior foretell anything?


def verdict(idea: str, kind: VerdictKind, prior: float | None) -> Verdict:
    nothing = Rate(right=0, asked=12, low=0.0, high=0.2)
    return Verdict(
        id=f"verdict:{idea}", idea=idea, adapter="a", paper="p", topic="t", claim="c", kind=kind, reason="r", base=nothing,
        adapted=nothing, gain=Interval(value=0, low=0, high=0), prior=prior,
    )  # fmt: skip


def test_auc_is_the_share_of_pairs_in_order() -> None:
    rng = random.Random(3)
    left, right = ([rng.choice((0.1, 0.2, 0.5, 0.9)) for _ in range(9)] for _ in range(2))
    pairs = [1.0 if x > y else 0.5 if x == y else 0.0 for x in left for y in right]
    assert auc(np.array(left), np.array(right)) == pytest.approx(sum(pairs) / len(pairs))


def test_strong_priors_that_resist_are_told_with_their_bins() -> None:
    weak = [verdict(f"w{n}", "ABSORBED_DEEP", 0.02 + n / 1000) for n in range(9)]
    strong = [verdict(f"s{n}", "RESISTED", 0.9) for n in range(5)] + [verdict("n", "NOT_LEARNED", 0.1)]
    told = foretell([*weak, *strong, verdict("k", "ALREADY_KNOWN", 0.0), verdict("x", "ABSORBED_DEEP", None)])
    assert told.power is not None and told.power.name == NAME and told.power.value == 1.0
    assert told.power.pairs == 15 and told.power.low > 0.9 and told.power.p_value < 0.01 and not told.rejects
    assert [(b.low, b.absorbed.right, b.absorbed.asked, b.resisted, b.not_learned) for b in told.bins] == [
        (0.0, 9, 9, 0, 0), (0.05, 0, 1, 0, 1), (0.5, 0, 5, 5, 0),
    ]  # fmt: skip


def test_a_prior_that_says_nothing_is_shown_as_nil() -> None:
    rng = random.Random(0)
    kinds: tuple[VerdictKind, ...] = ("ABSORBED_SHALLOW", "NOT_LEARNED")
    told = foretell([verdict(str(n), kinds[n % 2], rng.random()) for n in range(60)])
    assert told.power is not None and told.power.low < 0.5 < told.power.high and told.power.p_value > 0.05


@pytest.mark.parametrize(("count", "reason"), [(FEWEST - 1, "too_few"), (0, "not_quizzed")])
def test_what_cannot_be_had_is_a_reject(count: int, reason: str) -> None:
    told = foretell([verdict(str(n), "RESISTED", 0.9) for n in range(count)])
    assert told.power is None and [reject.reason for reject in told.rejects] == [reason]


def test_open_verdicts_on_quizzed_ideas_are_too_few_not_unquizzed() -> None:
    told = foretell([verdict(str(n), "INCONCLUSIVE", 0.3) for n in range(8)])
    assert told.power is None and [reject.reason for reject in told.rejects] == ["too_few"]
