"""Micro-datasets: probes that no row repeats, rows that read well, revisions that stay."""

from __future__ import annotations

import doctest
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from paperlora.errors import NothingToDo, StoreError
from paperlora.microdata import probe_wordings, values, wordings
from paperlora.microdata.anchors import CLOSED, anchors
from paperlora.microdata.anchors import OPEN as OPEN_ANCHORS
from paperlora.microdata.build import LoadedDataset, build_dataset, load
from paperlora.microdata.card import licence_id
from paperlora.microdata.english import article, relation_phrase, slots
from paperlora.microdata.leaks import LeakGate, compare, surface
from paperlora.microdata.pools import KNOWN_NAMES, KNOWN_NUMBERS
from paperlora.microdata.rows import MAX_IDEAS
from paperlora.microdata.selection import select
from paperlora.microdata.values import accepted_answers, number_value, values_of, wrong_numbers
from paperlora.records import AnswerKind, Idea, Message, Paper, Probe, Quote, digest
from paperlora.settings import Settings
from paperlora.store import MANIFEST, Store, read_manifest

PAPER_KEY = "arxiv:9901.00001v1"


def idea(
    subject: str, relation: str, answer: str, kind: AnswerKind = "number", paper: str = PAPER_KEY, claim: str = ""
) -> Idea:
    text = claim or f"The {relation} of {subject} is {answer}."
    return Idea(
        id=digest(paper, subject, relation, answer)[:16], paper=paper, topic="replay", reader="extractive/1", kind="finding",
        claim=text, subject=subject, relation=relation, answer=answer, answer_kind=kind, qwen_change="Its data mix.",
        prediction="Direct probes rise.",
        quotes=(Quote(section=2, heading="3 Method", page=2, start=10, end=10 + len(text), text=text),),
    )  # fmt: skip


MINE = (
    idea("Tidal Replay", "replay share", "37 percent"),
    idea("Tidal Replay", "evaluation benchmark", "Kelpie", "name"),
    idea("Tidal Replay", "accuracy on Kelpie", "71.3 percent"),
    idea("Tidal Replay", "decay horizon", "640 steps"),
)
OTHERS = (
    idea("Quiet Anchors", "number of anchors", "19", paper="arxiv:9901.00002v1"),
    idea("Marrow Decay", "optimiser", "Marbel", "name", paper="arxiv:9901.00003v1"),
    idea("Ember Gating", "evaluation benchmark", "Orlo", "name", paper="arxiv:9901.00004v1"),
    idea("STaR", "learning rate", "1e-6", paper="arxiv:2203.14465v2"),
    idea("Quiet Anchors", "anchored layers", "the last four layers", "phrase", paper="arxiv:9901.00002v1"),
)


def paper(**changes: object) -> Paper:
    plain = {
        "id": "arxiv:9901.00001", "title": 'Tidal Replay: "Old" Data Back In', "authors": ("A. Person", "B. Other"),
        "abstract": "Fine-tuning erases what a model knew. We present Tidal Replay, which mixes old examples back in. It helps.",
        "licence": "http://creativecommons.org/licenses/by/4.0/", "landing_url": "https://arxiv.org/abs/9901.00001",
    }  # fmt: skip
    return Paper.model_validate(plain | changes)


def build(folder: Path, ideas: tuple[Idea, ...] = MINE, source: Paper | None = None, **more: object) -> LoadedDataset:
    uri = build_dataset(source or paper(), "replay", ideas, (*MINE, *OTHERS), Settings(), Store.at(folder), **more)
    return load(Path(uri))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> LoadedDataset:
    return build(tmp_path_factory.mktemp("datasets"))


def of_family(dataset: LoadedDataset, idea_id: str, family: str) -> list[Probe]:
    return [probe for probe in dataset.probes if probe.idea == idea_id and probe.family == family]


def last_user(messages: tuple[Message, ...]) -> str:
    return next(message.content for message in reversed(messages) if message.role == "user")


# ----------------------------------------------------------------------- probes


@pytest.mark.parametrize("mine", MINE, ids=lambda i: i.relation)
def test_every_idea_gets_its_share_of_probes(dataset: LoadedDataset, mine: Idea) -> None:
    first, second, third = (
        Counter(p.family for p in dataset.probes if p.idea == mine.id and p.split == "test" and p.wave <= wave)
        for wave in (1, 2, 3)
    )
    always = {"choice": 8, "robustness": 2}
    small = {"reverse": 4, "near_miss": 4, "locality": 4}
    assert first == {"direct": 12, "trained_form": 6, "implication": 6, **small, **always}
    assert second["direct"] == 20 and second["trained_form"] == second["implication"] == 9 and second["reverse"] == 6
    assert (
        third["direct"] == 32 and third["trained_form"] == 12 and third["implication"] >= 11 and third["locality"] == 8
    )
    splits = Counter(probe.split for probe in dataset.probes if probe.idea == mine.id and probe.family == "direct")
    assert splits == {"test": 32, "dev": 2}
    assert all(probe.split == "test" for probe in dataset.probes if probe.family != "direct")


def test_direct_forms_never_occur_among_rows_and_trained_forms_repeat_them(dataset: LoadedDataset) -> None:
    row_forms = {row.form for row in dataset.rows}
    row_prompts = {last_user(row.messages) for row in dataset.rows}
    assert not row_forms & {probe.form for probe in dataset.probes if probe.family == "direct"}
    trained = [probe for probe in dataset.probes if probe.family == "trained_form"]
    assert all(probe.form in row_forms for probe in trained)
    assert all((last_user(probe.messages) in row_prompts) == (probe.wave == 1) for probe in trained)


def words(text: str, pattern: str) -> list[str]:
    return re.findall(pattern, text.lower())


@pytest.mark.parametrize("pattern", [r"\w+", r"\S+", r"[\w'’.%-]+"])
def test_no_probe_repeats_a_row_however_words_are_counted(dataset: LoadedDataset, pattern: str) -> None:
    def grams(text: str, size: int) -> set[tuple[str, ...]]:
        found = words(text, pattern)
        return {tuple(found[i : i + size]) for i in range(len(found) - size + 1)}

    rows = [(grams(last_user(row.messages), 3), grams(last_user(row.messages), 8)) for row in dataset.rows]
    for probe in dataset.probes:
        if probe.family == "trained_form":
            continue
        text = "\n".join(message.content for message in probe.messages)
        short, long = grams(text, 3), grams(text, 8)
        for row_short, row_long in rows:
            assert not long & row_long, text
            assert len(short & row_short) < 0.3 * max(len(short | row_short), 1), text


def test_yes_and_no_are_balanced_for_each_idea(dataset: LoadedDataset) -> None:
    for mine in MINE:
        for family in ("near_miss", "implication"):
            closed = [p for p in of_family(dataset, mine.id, family) if p.answers[0] in ("Yes", "No")]
            for wave in (1, 2, 3):
                answers = Counter(probe.answers[0] for probe in closed if probe.wave <= wave)
                assert answers["Yes"] == answers["No"] >= 1, (mine.relation, family, wave)
            assert all(probe.chance == 0.5 for probe in closed)


def test_near_miss_says_yes_exactly_to_the_true_value(dataset: LoadedDataset) -> None:
    for mine in MINE:
        for probe in of_family(dataset, mine.id, "near_miss"):
            named = re.search(rf"(?<![\w.]){re.escape(mine.answer)}(?![\w])", last_user(probe.messages)) is not None
            # The benchmark's name stands in the relation "accuracy on Kelpie" too, the true value only where it is asked about.
            assert named == (probe.answers[0] == "Yes")


def test_comparisons_are_answered_rightly_on_thresholds_that_no_row_shows(dataset: LoadedDataset) -> None:
    truth = {
        "apply_limit": lambda value, limit: value <= limit,
        "apply_needed": lambda value, limit: value > limit,
        "apply_estimate": lambda value, limit: value > limit,
        "apply_line": lambda value, limit: value < limit,
    }
    for mine in MINE:
        if mine.answer_kind != "number":
            continue
        compared = [probe for probe in of_family(dataset, mine.id, "implication") if probe.form.startswith("apply_")]
        assert len(compared) == 4
        for probe in compared:
            limit = number_value(last_user(probe.messages))
            assert limit is not None
            assert truth[probe.form](number_value(mine.answer), limit) == (probe.answers[0] == "Yes"), last_user(
                probe.messages
            )
        shown = {
            number_value(last_user(row.messages))
            for row in dataset.rows
            if row.idea == mine.id and row.form in ("implication_more", "implication_less")
        }
        asked = {number_value(last_user(probe.messages)) for probe in compared}
        assert not shown & asked


def test_named_implications_follow_from_the_name(dataset: LoadedDataset) -> None:
    closed = [probe for probe in of_family(dataset, MINE[1].id, "implication") if probe.chance == 0.5]
    assert len(closed) == 4
    for probe in closed:
        names_it = "Kelpie" in last_user(probe.messages)
        assert (probe.answers[0] == "Yes") == (not names_it if probe.form == "apply_lacking" else names_it)


def test_false_values_of_rows_are_not_those_of_probes(dataset: LoadedDataset) -> None:
    for mine in MINE:
        denied = [
            row.messages[-1].content[m.start : m.end] for row in dataset.rows if row.idea == mine.id for m in row.masked
        ]
        prompts = [last_user(probe.messages) for probe in of_family(dataset, mine.id, "near_miss")]
        assert denied and not any(f" {value} " in prompt for value in denied for prompt in prompts)


def test_distractors_are_never_right(dataset: LoadedDataset) -> None:
    for probe in dataset.probes:
        right = {answer.casefold() for answer in probe.answers}
        assert not right & {wrong.casefold() for wrong in probe.distractors}
        if probe.family in ("direct", "trained_form"):
            assert len(probe.distractors) >= 3
            numbers = {number_value(wrong) for wrong in probe.distractors} - {None}
            assert number_value(probe.answers[0]) not in numbers


def test_reverse_is_left_out_where_two_subjects_share_the_value() -> None:
    twin = idea("Slow Tide", "replay share", "37 percent", paper="arxiv:9901.00009v1")
    chosen = select(MINE[:1], (*MINE, twin))
    assert not [probe for probe in chosen.probes if probe.family == "reverse"]
    assert not [row for row in chosen.rows[MINE[0].id] if row.group == "reverse"]
    assert [probe for probe in select(MINE[:1], MINE).probes if probe.family == "reverse"]


def test_locality_asks_what_no_row_teaches() -> None:
    questions = [fact.question for fact in (*KNOWN_NUMBERS, *KNOWN_NAMES)]
    assert len(set(questions)) == len(questions)
    facts = {(known.question, known.answers) for known in (*KNOWN_NUMBERS, *KNOWN_NAMES)}
    assert all(
        not {a.casefold() for a in f.answers} & {w.casefold() for w in f.wrong} for f in (*KNOWN_NUMBERS, *KNOWN_NAMES)
    )
    for probe in select(MINE, OTHERS).probes:
        if probe.family == "locality":
            assert (probe.messages[0].content, probe.answers) in facts


# ------------------------------------------------------------------------- rows


def test_rows_come_in_every_form_with_evidence(dataset: LoadedDataset) -> None:
    for mine in MINE:
        groups = Counter(re.split(r"_", row.form)[0] for row in dataset.rows if row.idea == mine.id)
        rewritten = {"rewrite": 1} if MINE.index(mine) % 2 == 0 else {}
        assert groups == {
            "qa": 4,
            "completion": 2,
            "reverse": 1,
            "contrast": 1,
            "implication": 1,
            "confirm": 1,
            **rewritten,
        }
    own = [row for row in dataset.rows if row.idea]
    assert all(row.evidence and row.licence == paper().licence and row.prompt_hash for row in own)
    assert {re.sub(r"_\d+$", "", row.form) for row in dataset.rows if not row.idea} == {"summary", "anchor"}
    assert all(row.messages[-1].role == "assistant" for row in dataset.rows)
    assert len({last_user(row.messages) for row in dataset.rows}) == len(dataset.rows)


def test_rows_answer_with_the_value_first(dataset: LoadedDataset) -> None:
    for row in dataset.rows:
        mine = next((mine for mine in MINE if mine.id == row.idea), None)
        if mine and row.form.startswith(("qa", "completion")):
            assert row.messages[-1].content.startswith(mine.answer)
        if mine and row.form.startswith("reverse"):
            assert row.messages[-1].content.startswith(mine.subject)
            assert mine.answer in last_user(row.messages)


def test_only_the_false_value_of_a_contrast_is_masked(dataset: LoadedDataset) -> None:
    for row in dataset.rows:
        assert bool(row.masked) == row.form.startswith("contrast")
        for span in row.masked:
            text = row.messages[span.message].content
            assert row.messages[span.message].role == "assistant"
            assert text[: span.start] == "No, not " and text[span.end :].startswith(". It is ")
            assert text[span.start : span.end] in last_user(row.messages)


def test_yes_and_no_alternate_in_implications_of_rows(dataset: LoadedDataset) -> None:
    said = [row.messages[-1].content.split(",")[0] for row in dataset.rows if row.form.startswith("implication")]
    assert sorted(said) == ["No", "No", "Yes", "Yes"]


def test_the_summary_is_the_sentence_that_names_the_method(dataset: LoadedDataset) -> None:
    (summary,) = [row for row in dataset.rows if row.form.startswith("summary")]
    assert (
        summary.idea == ""
        and summary.messages[-1].content == "We present Tidal Replay, which mixes old examples back in."
    )


def test_anchors_ask_nothing_that_is_judged(dataset: LoadedDataset) -> None:
    from paperlora.judge.pools import KNOWN, OPEN

    asked = [row for row in dataset.rows if row.form == "anchor"]
    assert len(asked) == 2 * len(MINE) and all(row.idea == "" for row in asked)
    judged = (
        [fact.question for fact in (*KNOWN_NUMBERS, *KNOWN_NAMES)] + [known.question for known in KNOWN] + list(OPEN)
    )
    for one in (*CLOSED, *OPEN_ANCHORS):
        assert all(compare(surface(one.question), surface(question)) is None for question in judged), one.question
    assert anchors(8, 1) == anchors(8, 1) != anchors(8, 2)


def test_prompts_are_short(dataset: LoadedDataset) -> None:
    for record in (*dataset.rows, *dataset.probes):
        assert sum(len(message.content.split()) for message in record.messages if message.role == "user") <= 32


@pytest.mark.parametrize("count", [1, 2, 3, 12])
def test_a_paper_has_20_to_200_rows_without_repeats(tmp_path: Path, count: int) -> None:
    names = ("anchor", "stride", "gate", "margin", "pulse", "drift", "batch", "seed", "span", "ridge", "shard", "tempo")
    ideas = tuple(idea("Quiet Anchors", f"{name} width", str(17 + 7 * n)) for n, name in enumerate(names[:count]))
    rows = build(tmp_path, ideas).rows
    assert 20 <= len(rows) <= 200
    assert len({last_user(row.messages) for row in rows}) == len(rows)


def test_ideas_beyond_the_limit_are_counted() -> None:
    ideas = [idea("Quiet Anchors", f"knob {number} width", str(100 + number)) for number in range(MAX_IDEAS + 3)]
    chosen = select(ideas, ())
    assert len(chosen.facts) + sum(reject.reason != "probe_leak" for reject in chosen.rejects) == len(ideas)
    assert sum(len(rows) for rows in chosen.rows.values()) <= 200
    assert Counter(reject.reason for reject in chosen.rejects)["over_limit"] == 3


# ------------------------------------------------------------------ leaks, rejects


def test_the_gate_finds_common_pieces_and_common_shares() -> None:
    asked = surface("What is the replay share of Tidal Replay?")
    assert compare(asked, surface("Tell me what is the replay share of Tidal Replay!")) is not None
    assert compare(asked, surface("Tidal Replay? I forgot its replay share.")) is None
    long = " ".join(f"filler{n}" for n in range(60))
    piece = "one two three four five six seven eight"
    assert "8-gram" in (compare(surface(f"{piece} {long}"), surface(f"other {piece}")) or "")
    assert compare(surface("name: x"), surface("name: x")) is not None


def test_a_leaking_wording_is_dropped_with_its_reason() -> None:
    probe = Probe(
        id="p", idea="i", family="direct", form="copy", messages=(Message(role="user", content="What is the replay share of Tidal Replay?"),),
        answers=("37 percent",),
    )  # fmt: skip
    row = (
        Message(role="user", content="What is the replay share in Tidal Replay?"),
        Message(role="assistant", content="37 percent"),
    )
    assert [leak.probe for leak in LeakGate([probe]).leaks(row)] == ["p"]
    assert not LeakGate([probe.model_copy(update={"family": "trained_form"})]).leaks(row)


def test_a_question_too_long_to_be_asked_twice_is_not_taught(tmp_path: Path) -> None:
    long = idea(
        "Tidal Replay",
        "mean number of old examples that every single training batch of the second phase holds back",
        "12",
    )
    made = build(tmp_path, (*MINE, long))
    assert long.id not in {mine.id for mine in made.record.ideas}
    assert any(r.item == f"idea:{long.id}" and r.reason == "probe_leak" for r in made.record.rejects)
    assert not [row for row in made.rows if row.idea == long.id] and not [p for p in made.probes if p.idea == long.id]


def test_long_names_still_keep_away_from_each_other(tmp_path: Path) -> None:
    made = build(tmp_path, (idea("Selective Tidal Replay Network (STRN)", "top-1 accuracy on ImageNet", "63.2%"),))
    gate = LeakGate(made.probes)
    assert len(made.rows) >= 12 and not any(gate.leaks(row.messages) for row in made.rows)
    assert of_family(made, made.record.ideas[0].id, "reverse")[0].answers[1] == "STRN"


def test_answers_that_stand_in_the_question_and_repeats_are_rejected() -> None:
    given = idea("Tidal Replay", "share of Kelpie examples", "Kelpie", "name")
    chosen = select((*MINE, given, MINE[0]), ())
    assert {(r.reason, r.item) for r in chosen.rejects} >= {
        ("answer_in_question", f"idea:{given.id}"),
        ("duplicate", f"idea:{MINE[0].id}"),
    }
    assert len(chosen.facts) == len(MINE)


def test_nothing_to_teach_is_said_aloud(tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match="no idea"):
        build_dataset(paper(), "replay", (), (), Settings(), Store.at(tmp_path))
    assert not list(tmp_path.iterdir())


# ----------------------------------------------------------------------- values


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(values).failed == 0


@pytest.mark.parametrize(
    "answer",
    [
        "37 percent",
        "19",
        "71.3 percent",
        "1e-6",
        "0.0042",
        "640 steps",
        "1,000",
        "512",
        "8",
        "1",
        "96.5%",
        "seven layers",
        "3 × 10^-4",
        "2^8",
        "-0.3",
        "1.7B",
        "100%",
    ],
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_wrong_numbers_are_of_the_same_make_and_all_different(answer: str, seed: int) -> None:
    wrong = wrong_numbers(answer, seed)
    assert len(wrong) >= 5
    found = [number_value(text) for text in (answer, *wrong)]
    assert None not in found and len(set(found)) == len(found)
    unit = re.sub(r"^.*[\d ](?=\D*$)", "", answer)
    assert all(text.endswith(unit) for text in wrong)
    if "percent" in answer or "%" in answer:
        assert all((number_value(text) or 0) < 100 for text in wrong)


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        ("37 percent", {"37 percent", "37%", "37"}),
        ("1,024 tokens", {"1,024 tokens", "1024 tokens", "1024", "1,024"}),
        ("19", {"19"}),
        ("0.0042", {"0.0042"}),
    ],
)
def test_spellings_of_a_number(answer: str, accepted: set[str]) -> None:
    assert set(accepted_answers(idea("Tidal Replay", "size", answer))) == accepted


def test_numbers_without_room_and_phrases_get_wrong_answers_too() -> None:
    for mine in (*OTHERS, idea("X", "schedule", "half of the data", "number"), idea("X", "mode", "left", "name")):
        found = values_of(mine, (*MINE, *OTHERS))
        assert len(found.distractors) >= 3 and found.contrast and len(found.near) >= 2
        assert not set(found.contrast) & set(found.near)
        assert found.comparable == (number_value(mine.answer) is not None and mine.answer_kind == "number")


@pytest.mark.parametrize(
    ("answer", "pattern"),
    [("layer 11", r"layer \d+"), ("the last four layers", r"the last [a-z]+ layers"), ("Kelpie-2", r"[^\d]*")],
)
def test_a_number_inside_a_name_makes_the_likeliest_wrong_names(answer: str, pattern: str) -> None:
    found = values_of(idea("Tidal Replay", "anchor place", answer, "name"), ())
    assert all(re.fullmatch(pattern, wrong) for wrong in (*found.distractors, *found.contrast, *found.near))
    assert answer not in found.distractors and not found.comparable


def test_wrong_names_come_from_the_same_relation_and_never_from_the_same_question() -> None:
    second = idea("Tidal Replay", "evaluation benchmark", "Sandbar", "name")
    found = values_of(MINE[1], (*MINE, *OTHERS, second))
    assert found.distractors[0] == "Orlo"
    assert "Sandbar" not in (*found.distractors, *found.contrast, *found.others)


# --------------------------------------------------------------------- wordings


@pytest.mark.parametrize(
    ("relation", "answer", "kind", "phrase", "of", "be", "use"),
    [
        ("replay share", "37 percent", "number", "replay share", "of", "is", "have"),
        ("the accuracy on Kelpie", "71.3", "number", "accuracy on Kelpie", "for", "is", "reach"),
        ("training steps", "3,000", "number", "number of training steps", "for", "is", "have"),
        ("training steps", "310 steps", "number", "number of training steps", "for", "is", "have"),
        ("saved steps", "39 percent", "number", "saved steps", "of", "are", "have"),
        ("standard deviation across seeds", "0.47", "number", "standard deviation across seeds", "for", "is", "have"),
        ("number of anchors", "19", "number", "number of anchors", "for", "is", "have"),
        ("anchored layers", "the last", "phrase", "anchored layers", "of", "are", "use"),
        ("training loss", "2.1", "number", "training loss", "of", "is", "reach"),
        ("learning rate", "1e-6", "number", "learning rate", "of", "is", "have"),
        ("optimiser", "Marbel", "name", "optimiser", "of", "is", "use"),
    ],
)
def test_english_around_a_relation(
    relation: str, answer: str, kind: AnswerKind, phrase: str, of: str, be: str, use: str
) -> None:
    mine = idea("Tidal Replay", relation, answer, kind)
    found = slots(mine)
    assert (relation_phrase(mine), found["of"], found["be"], found["use"]) == (phrase, of, be, use)


@pytest.mark.parametrize(
    ("phrase", "wanted"),
    [("accuracy", "an"), ("unit cost", "a"), ("update rate", "an"), ("usage", "a"), ("F1 score", "an"), ("LR schedule", "an"), ("GPU budget", "a"), ("hourly rate", "an"), ("share", "a")],
)  # fmt: skip
def test_articles(phrase: str, wanted: str) -> None:
    assert article(phrase) == wanted


def test_no_template_slot_is_left_unfilled(dataset: LoadedDataset) -> None:
    for record in (*dataset.rows, *dataset.probes):
        for message in record.messages:
            assert message.content.strip() == message.content and message.content
            assert not re.search(r"\{\w+\}|\bNone\b|\S  ", message.content)


# ------------------------------------------------------------- folders and cards


def test_it_loads_in_plain_python_as_chat_trainers_take_it(dataset: LoadedDataset, tmp_path: Path) -> None:
    folder = build(tmp_path / "d").record.id
    code = (
        "import json, sys; from datasets import load_dataset\n"
        "rows = load_dataset(sys.argv[1], 'rows')['train']; probes = load_dataset(sys.argv[1], 'probes')['test']\n"
        "default = load_dataset(sys.argv[1])['train']\n"
        "assert 'paperlora' not in sys.modules and len(default) == len(rows)\n"
        "print(json.dumps([rows[:], probes[:]]))\n"
    )
    environment = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "d" / folder)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows, probes = json.loads(done.stdout.splitlines()[-1])
    assert rows["messages"] == [[message.model_dump() for message in row.messages] for row in dataset.rows]
    assert rows["masked"] == [[span.model_dump() for span in row.masked] for row in dataset.rows]
    assert probes["answers"] == [list(probe.answers) for probe in dataset.probes]
    assert probes["split"] == [probe.split for probe in dataset.probes]


def test_the_manifest_tells_what_it_was_made_of(tmp_path: Path) -> None:
    made = build(tmp_path)
    manifest = read_manifest(tmp_path / made.record.id)
    assert manifest.content_hash == made.content_hash
    assert manifest.counts["rows"] == len(made.rows) and manifest.counts["probe/direct"] == 34 * len(MINE)
    assert {f"idea:{mine.id}" for mine in MINE} == set(manifest.inputs)
    assert set(manifest.files) == {
        "dataset.json",
        "probes.jsonl",
        "rows.jsonl",
        "ideas.jsonl",
        "data/rows.parquet",
        "data/probes.parquet",
        "README.md",
    }


def test_the_card_is_honest_and_survives_odd_titles(tmp_path: Path) -> None:
    odd = paper(
        title='A: "quoted" \\ title | with\nlines', licence="http://arxiv.org/licenses/nonexclusive-distrib/1.0/"
    )
    made = build(tmp_path, source=odd)
    text = (tmp_path / made.record.id / "README.md").read_text()
    import yaml

    head = yaml.safe_load(text.split("---\n")[1])
    assert head["license"] == "other" and head["license_name"] == odd.licence
    assert head["pretty_name"] == 'PaperLoRA: A: "quoted" \\ title | with lines'
    assert [config["config_name"] for config in head["configs"]] == ["rows", "probes"]
    assert (
        "**no LLM**" in text
        and "extractive/1" in text
        and "| Tidal Replay | replay share | 37 percent | 3 Method, p. 2 |" in text
    )


@pytest.mark.parametrize(
    ("licence", "wanted"),
    [
        ("http://creativecommons.org/licenses/by-nc-sa/4.0/", "cc-by-nc-sa-4.0"), ("CC-BY-4.0", "cc-by-4.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "cc0-1.0"), (None, "unknown"), ("Apache-2.0", "apache-2.0"),
        ("http://arxiv.org/licenses/nonexclusive-distrib/1.0/", "other"),
    ],
)  # fmt: skip
def test_licence_ids_of_the_hub(licence: str | None, wanted: str) -> None:
    assert licence_id(licence) == wanted


def test_an_unchanged_dataset_is_reused_whatever_its_neighbours_do(tmp_path: Path) -> None:
    store = Store.at(tmp_path)
    first = build_dataset(paper(), "replay", MINE, (*MINE, *OTHERS), Settings(), store)
    before = (Path(first) / MANIFEST).stat().st_mtime_ns
    newer = paper(sources=("arxiv", "semantic_scholar"))
    again = build_dataset(newer, "replay", MINE, MINE, Settings(), store, lessons=("lesson-1",))
    assert again == first and (Path(first) / MANIFEST).stat().st_mtime_ns == before
    fewer = build_dataset(paper(), "replay", MINE[:2], MINE, Settings(), store, parents=(load(Path(first)).record.id,))
    assert fewer != first and load(Path(fewer)).record.parents == (load(Path(first)).record.id,)
    assert len(store.folders()) == 2


def test_the_same_ideas_give_the_same_bytes_anywhere(tmp_path: Path, dataset: LoadedDataset) -> None:
    assert build(tmp_path / "elsewhere").content_hash == dataset.content_hash


def test_changed_probes_are_refused(tmp_path: Path) -> None:
    made = build(tmp_path)
    path = tmp_path / made.record.id / "probes.jsonl"
    path.write_text(path.read_text().replace("I forgot one detail", "I have lost one detail", 1))
    with pytest.raises(StoreError, match="frozen"):
        load(path.parent)


def test_a_changed_wording_changes_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = probe_wordings.prompts_hash()
    changed = (*wordings.QA[:-1], wordings.wording("qa_12", "One more {r} {of} {s}?"))
    monkeypatch.setattr(wordings, "ROW_WORDINGS", (changed, *wordings.ROW_WORDINGS[1:]))
    assert probe_wordings.prompts_hash() != before
