"""Readers of ideas: what the rules read and refuse, where quotes stand, what the gates let through."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from paperlora.errors import SettingsError
from paperlora.ideas import extractive
from paperlora.ideas.answers import aliases, answer_kind, same_answer
from paperlora.ideas.drafts import Draft
from paperlora.ideas.gates import Passed, pass_gates
from paperlora.ideas.grounding import locate, mentions
from paperlora.ideas.names import own_names
from paperlora.ideas.read import IdeasFound, find_ideas, ideas_key, reader_id
from paperlora.ideas.sentences import sentences
from paperlora.literature.reader import read_pdf
from paperlora.llm.client import LlmClient
from paperlora.records import Document, Idea, Lesson, Paper, Section, Topic
from paperlora.sandbox.corpus import PAPERS, Fact, SandboxPaper
from paperlora.sandbox.pdf import render
from paperlora.sandbox.server import Sandbox
from paperlora.settings import Settings
from paperlora.store import Store

TITLE = "Drift Gating: Letting a Language Model Forget on Purpose"
INTRO = "In this paper we introduce Drift Gating, a method for continual learning. Unlike other methods, Drift Gating needs no second model."
TOPIC = Topic(name="continual learning")
PAPER = Paper(id="arxiv:9901.99999", title=TITLE)


def paper_of(*bodies: str, heading: str = "3 Method", title: str = TITLE, intro: str = INTRO) -> Document:
    sections = [Section(heading="1 Introduction", text=intro, page=1)] + [
        Section(heading=heading, text=body, page=2) for body in bodies
    ]
    return Document(
        paper=PAPER.key,
        sha256="0" * 64,
        title=title,
        sections=tuple(sections),
        pages=3,
        parser="test",
        parser_version="1",
    )


def triples(text: str, heading: str = "3 Method") -> list[tuple[str, str, str]]:
    found = find_ideas(paper_of(text, heading=heading), PAPER, TOPIC, (), Settings(), None)
    return [(idea.subject, idea.relation, idea.answer) for idea in found.ideas]


STATED = [
    ("Drift Gating uses a replay share of 37 percent.", "replay share", "37 percent"),
    ("Throughout all experiments, Drift Gating uses a gate width of 48 tokens.", "gate width", "48 tokens"),
    ("We set the anchor count of Drift Gating to 19.", "anchor count", "19"),
    ("For Drift Gating, we set the anchor count to 19.", "anchor count", "19"),
    ("The decay horizon of Drift Gating is 640 steps.", "decay horizon", "640 steps"),
    ("Drift Gating's decay horizon is set to 640 steps.", "decay horizon", "640 steps"),
    ("The gate threshold in Drift Gating is fixed at 0.0042, which is small.", "gate threshold", "0.0042"),
    ("Drift Gating reaches an accuracy of 71.3 percent on Kelpie.", "accuracy on Kelpie", "71.3 percent"),
    ("On the Kelpie benchmark, Drift Gating attains 71.3% accuracy.", "accuracy on the Kelpie benchmark", "71.3%"),
    ("Drift Gating is evaluated on the Kelpie benchmark.", "evaluation benchmark", "Kelpie"),
    ("Drift Gating lowers perplexity from 14.2 to 11.9.", "perplexity", "11.9"),
    ("With Drift Gating, perplexity falls from 14.2 to 11.9.", "perplexity", "11.9"),
    ("Drift Gating discards 12 percent of the gradients.", "share of the gradients discarded", "12 percent"),
    ("Drift Gating consists of three gates.", "number of gates", "three"),
    ("Drift Gating inserts 19 anchors per document.", "number of anchors inserted per document", "19"),
    ("Drift Gating is trained for 12 epochs on two cards.", "number of training epochs", "12 epochs"),
    ("Drift Gating masks each token with probability 0.15.", "probability for masking each token", "0.15"),
    ("Drift Gating refreshes its anchors every 48 steps.", "interval for refreshing the anchors", "48 steps"),
    ("Drift Gating uses the Heron optimizer.", "optimizer", "Heron"),
    ("We use Heron-1B as our base language model.", "base language model", "Heron-1B"),
    ("We use a weight decay of 0.01 [12, 14] in every run.", "weight decay", "0.01"),
    ("Although training is slow (see Section 4), Drift Gating keeps a momentum of 0.9.", "momentum", "0.9"),
    (
        "We conducted supervised fine-tuning with a learning rate of 1e-5.",
        "learning rate in supervised fine-tuning",
        "1e-5",
    ),
    (
        "Drift Gating employs an exponential moving average with a decay rate of 0.99.",
        "decay rate of the exponential moving average",
        "0.99",
    ),
    ("Drift Gating uses the adaptive optimizer with a learning rate of 0.003.", "learning rate", "0.003"),
    (
        "Drift Gating improves accuracy by 4.1 points over plain replay.",
        "gain in accuracy over plain replay",
        "4.1 points",
    ),
    ("Drift Gating uses dropout with a rate of 0.1.", "dropout rate", "0.1"),
    ("Drift Gating keeps a queue of 65,536 keys.", "queue size", "65,536 keys"),
    ("Drift Gating reduces memory from 780GB to 48GB.", "memory", "48GB"),
    ("Drift Gating retains 97% of its skills.", "share of skills retained", "97%"),
    ("Drift Gating outperforms Heron-1B by 4.1 points in recall.", "lead over Heron-1B in recall", "4.1 points"),
    ("Drift Gating uses a 37 percent replay share.", "replay share", "37 percent"),
    ("The buffer of Drift Gating holds 4800 sequences.", "number of sequences in the buffer", "4800"),
]


@pytest.mark.parametrize(("sentence", "relation", "answer"), STATED, ids=[s[0] for s in STATED])
def test_stated_values_are_read(sentence: str, relation: str, answer: str) -> None:
    assert ("Drift Gating", relation, answer) in triples(sentence)


NOT_STATED = [
    "If Drift Gating uses a replay share of 37 percent, training diverges.",
    "Without anchors, Drift Gating reaches an accuracy of 60.0 percent on Kelpie.",
    "With 10 anchors, Drift Gating reaches an accuracy of 60.0 percent on Kelpie.",
    "When the gate is removed, Drift Gating reaches an accuracy of 60.0 percent on Kelpie.",
    "Drift Gating reaches an accuracy of 60.0 percent on Kelpie without the gate.",
    "Drift Gating reaches an accuracy of 60.0 percent on Kelpie with only 10 anchors.",
    "Drift Gating uses a replay share of at most 37 percent.",
    "Drift Gating uses a replay share of 10 to 40 percent.",
    "Drift Gating uses a replay share of 10 or 40 percent.",
    "Drift Gating does not use a replay share of 37 percent.",
    "The replay share of Drift Gating is not 37 percent.",
    "The baseline uses a replay share of 50 percent.",
    "Plain replay reaches an accuracy of 60.0 percent on Kelpie.",
    "Early experiments with Drift Gating used a replay share of 50 percent.",
    "We also tried an anchor count of 40 for Drift Gating.",
    "We expect that Drift Gating reaches an accuracy of 80 percent on Kelpie.",
    "Drift Gating would need a buffer of 900 sequences.",
    "Drift Gating is 12 percent faster than plain replay.",
    "Drift Gating has an accuracy of 5 points more than plain replay.",
    "Unlike Drift Gating, the Heron method uses a replay share of 50 percent.",
    "The Heron method, which uses a replay share of 50 percent, is slower than Drift Gating.",
    "Drift Gating is evaluated on Kelpie, Otter and Heron.",
    "Drift Gating uses a set of 12 prompts.",
    "Drift Gating was applied to a benchmark of 20 real-world open-source services.",
    "Does Drift Gating use a replay share of 37 percent?",
    "The learning rates of Drift Gating and Heron are 0.1 and 0.01, respectively.",
    "Drift Gating uses a learning rate of 0.1 for the encoder and 0.01 for the decoder.",
    "We train Heron-1B with a learning rate of 0.1.",
    "Drift Gating reduces the number of parameters by 10,000 times and the memory by 3 times.",
    "Drift Gating achieves more than 90% accuracy on Kelpie.",
    "With a Heron-1B backbone, Drift Gating reaches 69.3% accuracy on Kelpie.",
    "The success of Drift Gating is 100 percent dependent on data.",
    "The loss of Drift Gating is 0.5 lower than before.",
    "Drift Gating has a rate of 0.1.",
    "Drift Gating obtains an average of 72.3.",
    "We perform downsampling by layers that have a stride of 2.",
]


@pytest.mark.parametrize("sentence", NOT_STATED)
def test_what_is_conditional_bounded_denied_or_of_others_is_not_read(sentence: str) -> None:
    assert triples(sentence) == []


def test_we_in_related_work_is_not_the_technique() -> None:
    assert triples("We use a weight decay of 0.01.", heading="5 Related Work") == []
    assert triples("We use a weight decay of 0.01.", heading="3 Method") != []


def test_it_stands_for_the_subject_of_the_sentence_before() -> None:
    assert ("Drift Gating", "anchor weight", "0.35") in triples(
        "Drift Gating pulls hidden states back. It uses an anchor weight of 0.35."
    )
    assert triples("The Heron optimizer is fast. It uses an anchor weight of 0.35.") == []


def test_resolved_subject_is_named_in_the_claim_and_the_quote_stays_verbatim() -> None:
    document = paper_of("We use a weight\ndecay of 0.01.")
    (idea,) = find_ideas(document, PAPER, TOPIC, (), Settings(), None).ideas
    assert idea.claim == "Drift Gating: We use a weight decay of 0.01."
    quote = idea.quotes[0]
    assert (
        document.sections[quote.section].text[quote.start : quote.end]
        == quote.text
        == "We use a weight\ndecay of 0.01."
    )
    assert quote.page == 2


def test_every_extracted_idea_says_that_no_analysis_was_made() -> None:
    (idea,) = find_ideas(
        paper_of("Drift Gating uses a replay share of 37 percent."), PAPER, TOPIC, (), Settings(), None
    ).ideas
    assert idea.reader == reader_id(Settings()) == f"extractive/{extractive.EXTRACTIVE_VERSION}"
    assert "fixed rule" in idea.qwen_change
    assert "fixed rule" in idea.prediction
    assert idea.prompt_hash is None
    assert idea.aliases == ("37%", "37")


def test_two_answers_for_one_question_are_both_rejected() -> None:
    found = find_ideas(
        paper_of("We use a mini-batch size of 256.", "We use a mini-batch size of 128."),
        PAPER,
        TOPIC,
        (),
        Settings(),
        None,
    )
    assert found.ideas == ()
    assert [reject.reason for reject in found.rejects] == ["ambiguous", "ambiguous"]


def test_repeated_statement_is_one_idea_with_two_quotes() -> None:
    text = "Drift Gating uses a replay share of 37 percent. The replay share of Drift Gating is 37%."
    (idea,) = find_ideas(paper_of(text), PAPER, TOPIC, (), Settings(), None).ideas
    assert len(idea.quotes) == 2
    assert all(idea.answer in quote.text or "37%" in quote.text for quote in idea.quotes)
    assert idea.answer in idea.quotes[0].text


def test_statement_that_says_less_than_another_is_a_duplicate() -> None:
    text = "Drift Gating reaches an accuracy of 71.3 percent on Kelpie. The accuracy of Drift Gating is 71.3 percent."
    found = find_ideas(paper_of(text), PAPER, TOPIC, (), Settings(), None)
    assert [idea.relation for idea in found.ideas] == ["accuracy on Kelpie"]
    assert [reject.reason for reject in found.rejects] == ["duplicate"]


def test_ideas_beyond_the_limit_are_counted_as_rejects() -> None:
    text = " ".join(
        f"Drift Gating uses a {word} rate of 0.{n}."
        for n, word in enumerate(("decay", "replay", "merge", "mask"), start=1)
    )
    found = find_ideas(paper_of(text), PAPER, TOPIC, (), Settings(ideas={"max_per_paper": 2}), None)
    assert len(found.ideas) == 2
    assert [reject.reason for reject in found.rejects] == ["over_limit", "over_limit"]
    assert found.counts["ideas"] == 2


def test_paper_without_a_named_thing_is_rejected_with_its_reason() -> None:
    document = paper_of(
        "We use a weight decay of 0.01.", title="On training networks", intro="Networks are hard to train."
    )
    found = find_ideas(document, Paper(id="arxiv:1", title="On training networks"), TOPIC, (), Settings(), None)
    assert found.ideas == ()
    assert [reject.reason for reject in found.rejects] == ["no_named_subject"]


@pytest.mark.parametrize(
    ("title", "text", "main"),
    [
        ("Drift Gating: a study", "Drift Gating is new. We like Drift Gating.", "Drift Gating"),
        (
            "Learning to Forget",
            "We propose a simple schedule called Drift Gating. With it, Drift Gating forgets.",
            "Drift Gating",
        ),
        ("Learning to Forget", "This paper introduces DGate, a gate. We show that DGate works.", "DGate"),
        ("Learning to Forget", "We build on Heron [12]. Here Heron is used, and Heron is fast.", None),
        ("Learning to Forget", "We compare with BERT (Devlin et al., 2019). We use BERT.", None),
    ],
)
def test_own_name_is_found_and_cited_names_are_not(title: str, text: str, main: str | None) -> None:
    assert own_names(paper_of(text, title=title, intro="Forgetting matters."), title).main == main


def test_sentences_keep_their_place_and_survive_abbreviations_and_formulas() -> None:
    document = paper_of(
        "As in Fig. 3, e.g. Heron et al. (2090) used 0.5 percent. It was enough for all of us!\n\n"
        "A new paragraph begins here. L = a + b (1) Drift Gating uses a replay share of 37 percent."
    )
    found = [sentence for sentence in sentences(document) if sentence.section == 1]
    assert [sentence.text for sentence in found] == [
        "As in Fig. 3, e.g. Heron et al. (2090) used 0.5 percent.",
        "It was enough for all of us!",
        "A new paragraph begins here.",
        "Drift Gating uses a replay share of 37 percent.",
    ]
    assert all(document.sections[s.section].text[s.start : s.end] == s.text for s in found)
    assert [sentence.paragraph for sentence in found] == [0, 0, 1, 1]


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("37 percent", {"37%", "37"}),
        ("48 tokens", {"48"}),
        ("12,989", {"12989"}),
        ("1e-5", {"0.00001"}),
        ("10−6", {"0.000001", "1e-6"}),
        ("two", {"2"}),
        ("19", {"nineteen"}),
        ("Kelpie", set()),
    ],
)
def test_aliases(answer: str, expected: set[str]) -> None:
    assert expected <= set(aliases(answer))
    assert answer not in aliases(answer)
    assert expected or aliases(answer) == ()


def test_answers_are_compared_by_value_and_named_by_kind() -> None:
    assert same_answer("37 percent", "37%")
    assert same_answer("two", "2")
    assert not same_answer("37 percent", "41 percent")
    assert [answer_kind(a) for a in ("37 percent", "two", "Kelpie", "cosine schedule")] == [
        "number",
        "number",
        "name",
        "phrase",
    ]


# -------------------------------------------------------------- grounding

BODY = (
    "The eﬃcient gate keeps “old” facts — mostly. Drift Gating uses a replay\nshare of 37 percent in each of its runs."
)


@pytest.mark.parametrize(
    "quote",
    [
        "Drift Gating uses a replay share of 37 percent in each of its runs.",
        '"drift gating uses  a replay share of 37 percent"',
        'The efficient gate keeps "old" facts - mostly.',
    ],
)
def test_quote_is_found_whatever_print_changed(quote: str) -> None:
    document = paper_of(BODY)
    located = locate(document, quote)
    assert located is not None
    assert located.exact
    assert document.sections[1].text[located.quote.start : located.quote.end] == located.quote.text
    assert located.quote.section == 1


def test_near_miss_snaps_to_the_real_sentence_and_says_so() -> None:
    document = paper_of(BODY)
    located = locate(document, "Drift Gating uses the replay share of 37 percent in each of its run.")
    assert located is not None
    assert not located.exact
    assert located.quote.text == "Drift Gating uses a replay\nshare of 37 percent in each of its runs."


@pytest.mark.parametrize("quote", ["Drift Gating uses a buffer of nine sequences at the end.", "37 percent", "", "…"])
def test_invented_or_tiny_quote_is_not_found(quote: str) -> None:
    assert locate(paper_of(BODY), quote) is None


def test_hint_decides_between_equal_sentences() -> None:
    same = "Drift Gating uses a replay share of 37 percent."
    located = locate(paper_of(same, same), same, section_hint=2)
    assert located is not None
    assert located.quote.section == 2


def test_subject_must_stand_as_a_word() -> None:
    document = paper_of("The adapters are small.")
    assert mentions(document, "drift  gating")
    assert not mentions(document, "dapter")


# ------------------------------------------------------------------ gates


def draft(**changes: object) -> Draft:
    fields: dict[str, object] = {
        "claim": "Drift Gating uses a replay share of 37 percent.", "kind": "recipe", "subject": "Drift Gating", "relation": "replay share",
        "answer": "37 percent", "aliases": (), "qwen_change": "Replay more.", "prediction": "It remembers.",
        "quote_text": "Drift Gating uses a replay share of 37 percent.", "section": 1, "strength": 1.0,
    }  # fmt: skip
    return Draft(**(fields | changes))  # type: ignore[arg-type]


def gates(drafts: Sequence[Draft], lessons: Sequence[Lesson] = ()) -> Passed:
    document = paper_of("Drift Gating uses a replay share of 37 percent. The gate of Drift Gating is closed at first.")
    return pass_gates(drafts, document, PAPER, TOPIC, "llm/test", lessons, 5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"quote_text": "Drift Gating forgets nothing that was ever learned."}, "quote_not_found"),
        ({"answer": "38 percent"}, "answer_not_in_quote"),
        ({"answer": "7 percent"}, "answer_not_in_quote"),
        ({"subject": "Heron Gating"}, "subject_not_in_paper"),
        ({"answer": "a replay share of 37 percent in every single run"}, "answer_too_long"),
        ({"relation": "37 percent replay share"}, "answer_in_question"),
        ({"relation": " "}, "not_a_claim"),
        ({"claim": "37 percent."}, "not_a_claim"),
    ],
)
def test_gate_rejects_with_its_reason(changes: dict[str, object], reason: str) -> None:
    passed = gates([draft(**changes)])
    assert passed.ideas == ()
    assert [reject.reason for reject in passed.rejects] == [reason]


def test_answer_takes_the_spelling_of_the_quote() -> None:
    (idea,) = gates([draft(answer="37%")]).ideas
    assert idea.answer == "37 percent"
    assert "37%" in idea.aliases


def lesson(idea: str, **changes: object) -> Lesson:
    fields: dict[str, object] = {
        "id": "l1", "topic": TOPIC.name, "paper": PAPER.key, "idea": idea, "verdict": "v1", "kind": "ALREADY_KNOWN",
        "text": "The base knew it.", "advice": "skip", "evidence": (), "created": datetime(2099, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    return Lesson.model_validate(fields | changes)


def test_lesson_keeps_the_same_idea_out_until_it_is_refuted() -> None:
    (idea,) = gates([draft()]).ideas
    assert [r.reason for r in gates([draft()], [lesson(idea.id)]).rejects] == ["lesson_avoid"]
    assert gates([draft()], [lesson(idea.id, refuted_by="l2")]).ideas == (idea,)
    assert gates([draft()], [lesson("another")]).ideas == (idea,)
    assert gates([draft()], [lesson(idea.id, kind="ABSORBED_DEEP", advice="do")]).ideas == (idea,)


def test_key_changes_with_what_decides_and_with_nothing_else() -> None:
    llm = Settings(llm={"provider": "openai", "model": "m"})
    base = ideas_key("hash", PAPER, TOPIC, (), Settings())
    assert base == ideas_key(
        "hash", PAPER.model_copy(update={"pdf_url": "http://127.0.0.1:1/x"}), TOPIC, (), Settings()
    )
    assert base.startswith("arxiv-9901.99999v1-")
    others = {
        ideas_key("other", PAPER, TOPIC, (), Settings()),
        ideas_key("hash", PAPER, TOPIC, (lesson("x"),), Settings()),
        ideas_key("hash", PAPER, TOPIC, (), Settings(ideas={"max_per_paper": 3})),
        ideas_key("hash", PAPER, TOPIC, (), llm),
        ideas_key("hash", PAPER, TOPIC.model_copy(update={"angle": "odd"}), (), llm),
    }
    assert len(others | {base}) == 6
    elsewhere = (lesson("x", paper="arxiv:2v1", kind="PARTIAL", advice="do"),)
    assert ideas_key("hash", PAPER, TOPIC, elsewhere, llm) == ideas_key("hash", PAPER, TOPIC, (), llm)
    assert base == ideas_key("hash", PAPER, TOPIC, (lesson("x", paper="arxiv:2v1"),), Settings())


def test_llm_without_client_is_an_error() -> None:
    with pytest.raises(SettingsError):
        find_ideas(paper_of(BODY), PAPER, TOPIC, (), Settings(llm={"provider": "openai"}), None)


# -------------------------------------------- whole papers: print, read, extract


class Reading(NamedTuple):
    """What the extractive reader made of one printed sandbox paper."""

    paper: SandboxPaper
    found: IdeasFound


def in_print(text: str) -> str:
    """Without what line breaks and hyphenation change."""
    return re.sub(r"[\s-]+", "", text).casefold().rstrip(".")


def read_sandbox(papers: Sequence[SandboxPaper], folder: Path) -> list[Reading]:
    readings = []
    for number, paper in enumerate(papers):
        path = folder / f"{number}.pdf"
        path.write_bytes(render(paper))
        document = read_pdf(path, Settings().reading)
        record = Paper(id=f"arxiv:{paper.arxiv_id or number}", title=paper.title)
        readings.append(Reading(paper, find_ideas(document, record, TOPIC, (), Settings(), None)))
    return readings


def planted_behind(idea: Idea, paper: SandboxPaper) -> list[Fact]:
    quote = in_print(idea.quotes[0].text)
    return [fact for fact in paper.facts if in_print(fact.sentence) in quote or quote in in_print(fact.sentence)]


def is_planted(idea: Idea, paper: SandboxPaper) -> bool:
    return any(
        in_print(fact.answer).startswith(in_print(idea.answer)) and fact.subject == idea.subject
        for fact in planted_behind(idea, paper)
    )


def share_right(readings: Sequence[Reading]) -> float:
    judged = [is_planted(idea, reading.paper) for reading in readings for idea in reading.found.ideas]
    return sum(judged) / len(judged)


def share_found(readings: Sequence[Reading]) -> float:
    ideas = [(reading, idea) for reading in readings for idea in reading.found.ideas if is_planted(idea, reading.paper)]
    return len(ideas) / sum(len(reading.paper.facts) for reading in readings)


def test_printed_papers_give_their_planted_facts_and_little_else(tmp_path: Path) -> None:
    readings = read_sandbox([paper for paper in PAPERS if not paper.broken][:3], tmp_path)
    assert share_right(readings) >= 0.9
    assert share_found(readings) >= 0.6


@pytest.mark.slow
def test_whole_corpus_has_high_precision_and_fair_recall(tmp_path: Path) -> None:
    readings = read_sandbox([paper for paper in PAPERS if not paper.broken], tmp_path)
    assert all(reading.found.ideas for reading in readings)
    assert share_right(readings) >= 0.9
    assert share_found(readings) >= 0.6


def test_hidden_instructions_give_no_idea(tmp_path: Path) -> None:
    (reading,) = read_sandbox([paper for paper in PAPERS if paper.hidden_text][:1], tmp_path)
    hidden = in_print(reading.paper.hidden_text)
    assert reading.found.ideas
    assert not any(in_print(quote.text) in hidden for idea in reading.found.ideas for quote in idea.quotes)


def test_sandbox_endpoint_as_reader_gives_grounded_facts(tmp_path: Path) -> None:
    paper = next(paper for paper in PAPERS if not paper.broken)
    path = tmp_path / "paper.pdf"
    path.write_bytes(render(paper))
    document = read_pdf(path, Settings().reading)
    with Sandbox() as sandbox:
        settings = Settings(llm={"provider": "openai", "base_url": sandbox.llm_url, "model": "oracle"})
        store = Store.at(tmp_path / "store")
        found = find_ideas(document, PAPER, TOPIC, (), settings, LlmClient(settings.llm, store))
        asked = sandbox.counts["llm.chat"]
        again = find_ideas(document, PAPER, TOPIC, (), settings, LlmClient(settings.llm, store))
        assert sandbox.counts["llm.chat"] == asked == found.counts["questions"] + found.counts["checks"]
    assert again.ideas == found.ideas
    assert len(found.ideas) >= 0.6 * len(paper.facts)
    assert {idea.answer for idea in found.ideas} <= {fact.answer for fact in paper.facts}
    for idea in found.ideas:
        quote = idea.quotes[0]
        assert document.sections[quote.section].text[quote.start : quote.end] == quote.text
        assert idea.answer in quote.text


READ_IN_REAL_PAPERS = {
    "2203.14465": {("STaR", "performance on CommonsenseQA", "72.3%"), ("STaR", "batch size", "8 sequences")},
    "distillation": {("JFT", "number of labeled images", "100 million")},
    "pasa": {
        ("PaSa", "number of LLM agents", "two"),
        ("RealScholarQuery", "number of real-world research queries", "50"),
    },
    "resnet": {
        ("152-layer ResNet", "single-model top-5 validation error", "4.49%"),
        ("ResNet", "weight decay", "0.0001"),
    },
}


@pytest.mark.real
@pytest.mark.parametrize("name", sorted(READ_IN_REAL_PAPERS))
def test_real_papers(name: str, real_folder: Path) -> None:
    document = read_pdf(real_folder / "pdf" / f"{name}.pdf", Settings().reading)
    found = find_ideas(document, Paper(id="guide:x", title=document.title), TOPIC, (), Settings(), None)
    read = {(idea.subject, idea.relation, idea.answer) for idea in found.ideas}
    assert read >= READ_IN_REAL_PAPERS[name]
    assert len(read) <= 12
    for idea in found.ideas:
        quote = idea.quotes[0]
        assert document.sections[quote.section].text[quote.start : quote.end] == quote.text
        assert idea.answer in quote.text
