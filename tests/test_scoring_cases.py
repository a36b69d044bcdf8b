"""Answers as models give them, right and wrong, beside what the scorer must make of each: a table for a hostile reader.

Units, bounds, ranges, lists, doubts, denials, echoes, references, formulas, mark-up, JSON, other spellings of numbers.
"""

from __future__ import annotations

import random
from typing import NamedTuple

import pytest

from paperlora.model.quantities import quantities
from paperlora.model.scoring import ScoreKind, score, score_answer, stated, undecided
from paperlora.records import AnswerKind, Idea, Message, Probe, Quote


class Table(NamedTuple):
    """Answers to one question."""

    kind: ScoreKind
    accepted: tuple[str, ...]
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    rivals: tuple[str, ...] = ()
    """Known wrong answers."""


TABLES = (
    Table(
        "number", ("37 percent", "37%", "37"),
        right=(
            "37 % ± 2", "37.0%", "37.00 percent", "~37%", "≈37%", "approximately 37 percent", "roughly 37%",
            "up to 37%", "over 37%", "1. 37 percent", "1) 37%", "- 37%", "* 37%", "Option A: 37%", "(A) 37 percent",
            "A) 37%", "\\(37\\%\\)", "$37\\%$", "\\boxed{37\\%}", "\\boxed{37}", "\\[37\\%\\]", "**37%**",
            "**Answer:** 37%", "### 37%", "`37%`", "```\n37%\n```", "```json\n{\"share\": 37}\n```",
            "{\"replay_share\": 0.37}", "\"37 percent\"}", "37 percent\"}", "37\"", "37 Prozent", "37 pour cent",
            "37 por ciento", "37 процентов", "37 ％", "３７％", "37,0 %", "0.37", "37/100", "0,37", "The answer is: 37.",
            "I'm not sure, but I think it's 37 percent.", "I think it is 37 percent.", "Perhaps 37 percent?",
            "Q: What is the replay share? A: 37 percent", "What is the replay share? 37 percent",
            "What is the replay share?\n37 percent", "User: What is the share?\nAssistant: 37%",
            "Answer: 37 percent\nQuestion: what else?", "thirty seven percent", "thirty-seven per cent",
            "Thirty‑seven percent", "37e0", "3.7e1", "3.7 × 10^1 percent", "37 out of 100", "37; 5 percent",
            "Section 3 says 37 percent", "In Section 4.2, the paper reports 37 percent.",
            "According to Table 3, it is 37 percent.", "According to Figure 2: 37%",
            "In 2023, the replay share was 37 percent.", "Equation (4) gives 37 percent",
            "The paper (arXiv:2405.05904) gives 37 percent.", "[1] reports 37 percent", "<think></think>37 percent",
            "<think>\n40\n</think>\n37%", "<thinking>It's 40</thinking> 37%", "<answer>37%</answer>",
            "Not 40 percent but 37 percent.", "Instead of 40 percent, 37 percent.", "from 40 to 37 percent",
            "It increases from 30% to 37%.", "It dropped to 37 percent", "increases by 37 percent",
            "The value is 37 percent, compared with 40 percent before.", "37% (not 40%)",
            "37 percent (previously 40 percent)",
        ),
        wrong=(
            "37 percentage points", "37 pp", "37-40 percent", "between 30 and 37 percent",
            "between 37 and 40 percent", "30% to 37%", "37% to 40%", "37–40%", "more than 37 percent",
            "less than 37 percent", "at least 37%", "at most 37 percent", "not 37 percent",
            "definitely not 37 percent", "It is not 37 percent, it is 40 percent.", "I doubt that it is 37 percent.",
            "I don't think it is 37 percent.", "It could be 37 percent or something else.",
            "either 37 or 40 percent", "37 or 40 percent", "37%, 40%, or 45%", "37 percent and 40 percent",
            "I cannot say, but 37 percent is a common value.", "I'm sorry, I don't know whether it is 37 percent.",
            "three hundred and seven percent", "one hundred thirty-seven percent", "37 thousand", "37k",
            "37 million", "-37%", "−37 %", "minus 37 percent", "370", "37 tokens", "37x", "37 of 40", "37 / 40",
            "37th", "37°", "$37", "37 euros", "in 2037", "37.2", "no", "N/A", "unknown", "37 percent is wrong.",
            "37 percent is incorrect.", "It used to be 37 percent, now it is 40 percent.",
            "It is 40 percent, not 37 percent.", "from 37 to 40 percent",
            "Compared with 40 percent before, it is 37 percent.",
        ),
    ),
    Table(
        "number", ("1,024 tokens", "1024 tokens", "1024"),
        right=(
            "1024", "1\u202f024 tokens", "a context of 1024 tokens", "1024-token windows", "2^10 tokens",
            "1024 tokens per sequence",
        ),
        wrong=(
            "1 024 tokens", "1.024 tokens", "1K tokens", "1k", "1024 words", "10,24", "1024 examples", "11024",
            "1,0240",
        ),
    ),
    Table(
        "number", ("3e-4",),
        right=(
            "0.0003", "3×10−4", "3 × 10^-4", "$3\\times10^{-4}$", "$3 \\times 10^{-4}$", "3e-04", "3E-4",
            "3 x 10^-4", "3*10^-4", "3·10⁻⁴", "a learning rate of 3e-4", "lr=3e-4", "LR = 3e−4", ".0003",
        ),
        wrong=(
            "3e-5", "0.003", "1e-4 to 3e-4", "3e4",
        ),
    ),
    Table(
        "number", ("500 ms",),
        right=(
            "0.5 s", "0.5 seconds", "500 milliseconds", "500", "500ms",
        ),
        wrong=(
            "500 seconds", "half a second", "5 s",
        ),
    ),
    Table(
        "number", ("2.5 times", "2.5x"),
        right=(
            "2.5x", "2.5×", "2.5-fold", "2.5 times faster", "2.5",
        ),
        wrong=(
            "250%", "two and a half times", "25x",
        ),
    ),
    Table(
        "number", ("7 billion parameters", "7B"),
        right=(
            "7B", "7 billion", "7,000,000,000", "7e9", "7 B parameters", "7.0B",
        ),
        wrong=(
            "7 million", "70B", "7",
        ),
    ),
    Table(
        "number", ("-0.5",),
        right=(
            "-0.5", "−0.5", "minus 0.5", "negative 0.5", "–0.5",
        ),
        wrong=(
            "0.5",
        ),
    ),
    Table(
        "number", ("19",),
        right=(
            "19", "nineteen anchors", "There are 19.", "19 anchors were used.", "It has 19 layers and 12 heads.",
            "layers: 19", "Nineteen", "19,", "19;", "{\"count\": 19}", "{\"count\": \"19\"}",
            "{\"name\": \"Lantern\", \"count\": 19}", "{\"layer 2\": 19}", "19!", "(19)", "exactly 19", "only 19",
            "as many as 19",
        ),
        wrong=(
            "1 9", "XIX", "19.5", "12 heads and 19 layers", "ninety", "Lantern-19", "GPT-19", "19+", "19 or more",
            "fewer than 19",
        ),
    ),
    Table(
        "phrase", ("Kelpie", "the Kelpie benchmark"),
        right=(
            "Kelpie", "kelpie.", "**Kelpie**", "`Kelpie`", "“Kelpie”", "'Kelpie'", "Kelpie-Hard", "Kelpies",
            "Kelpie, a benchmark for anchors", "The benchmark is Kelpie", "Der Benchmark ist Kelpie.", "Es Kelpie.",
            "No, Kelpie.", "Kelpie, not GLUE", "Kelpie rather than GLUE", "Kelpie instead of GLUE",
            "It might be Kelpie", "Kelpie?", "I think it's Kelpie.", "I believe the answer is Kelpie.",
            "<think>GLUE</think>Kelpie", "{\"benchmark\": \"Kelpie\"}", "Kelpie\", \"year\": 2024}", "Kelpie\"}",
            "```json\n{\"benchmark\": \"Kelpie\"}\n```", "The Kelpie Benchmark", "KELPIE", "\\textbf{Kelpie}",
            "\\text{Kelpie}", "$\\text{Kelpie}$", "_Kelpie_", "__Kelpie__", "[Kelpie](https://x.y)", "1. Kelpie",
            "1. Kelpie\n2. GLUE", "- Kelpie\n- GLUE", "Sure! Kelpie.", "Sure, here is the answer: Kelpie",
            "Certainly! The answer is Kelpie.", "Answer: Kelpie", "A: Kelpie", "Final answer: Kelpie", "Kelpie™",
            "Kelpie 2", "Super-Kelpie",
        ),
        wrong=(
            "Not Kelpie", "not on Kelpie", "It was not evaluated on Kelpie", "It was never evaluated on Kelpie",
            "anything but Kelpie", "Kelpie is not used", "Kelpie wasn't used", "Kelpie isn't the benchmark",
            "No evidence for Kelpie", "GLUE, not Kelpie", "GLUE rather than Kelpie", "Kelpie or GLUE", "Kelpie/GLUE",
            "Kelpie, GLUE", "Kelpie and GLUE", "I cannot answer whether it is Kelpie",
            "I don't know if it is Kelpie", "I do not have information about Kelpie.",
            "I'm sorry, but I have no information about Kelpie.", "As an AI, I can't verify Kelpie.",
            "Is it Kelpie?", "<think>Kelpie</think>GLUE", "<think>Kelpie", "K e l p i e", "Kelpy",
            "Kelpie is wrong.", "Kelpie is incorrect", "It is false that it was Kelpie.",
            "The claim that Kelpie was used is false.", "Kelpie was rejected; GLUE was used.", "", "...",
            "I'm not sure. Kelpie", "The model was tested on the Kelpie dataset, which is better than GLUE.",
            "Kelpie2", "unKelpie", "SuperKelpie",
        ),
        rivals=("GLUE", "Marrow"),
    ),
    Table(
        "phrase", ("two-stage training",),
        right=(
            "two-stage training", "two stage training", "Two‑stage training", "a two-stage training schedule",
        ),
        wrong=(
            "2-stage training", "one-stage training", "training in two stages",
        ),
    ),
    Table(
        "phrase", ("yes-token masking",),
        right=(
            "Yes-token masking",
        ),
        wrong=(
            "No yes-token masking is used",
        ),
    ),
    Table(
        "phrase", ("C++",),
        right=(
            "C++",
        ),
        wrong=(
            "C", "It is written in C.", "C#",
        ),
    ),
    Table(
        "phrase", ("T5",),
        right=(
            "T5", "T5-small",
        ),
        wrong=(
            "T53",
        ),
    ),
    Table(
        "phrase", ("Llama 2",),
        right=(
            "Llama 2", "Llama-2", "Llama 2 7B",
        ),
        wrong=(
            "Llama 2.5", "Llama2", "Llama 3",
        ),
    ),
    Table(
        "phrase", ("Müller",),
        right=(
            "Müller", "Müller", "MÜLLER",
        ),
        wrong=(
            "Muller",
        ),
    ),
    Table(
        "phrase", ("softmax",),
        right=(
            "softmax", "a softmax layer",
        ),
        wrong=(
            "soft-max", "sparsesoftmax", "without softmax", "no softmax",
        ),
    ),
    Table(
        "choice", ("yes",),
        right=(
            "Yes", "yes.", "Yes, it is.", "True", "Correct!", "**Yes**", "The statement is true.",
            "It is not wrong.", "<think>no</think>Yes", "{\"answer\": \"yes\"}", "{\"answer\": true}", "Indeed.",
            "Right.", "Absolutely.", "Certainly.", "Sure", "Definitely", "It does.", "There is no doubt: yes",
            "No doubt, it is.", "No problem! Yes.", "Answer: Yes", "The answer is yes.", "Yes, that's correct.",
            "Yeah", "Yep!", "That is right.", "That's true", "Yes and it is good", "Yes, but not always.",
            "It is correct that it uses 37.", "It isn't false.", "yes yes yes", "I would say yes.", "Probably yes",
            "TRUE", "Yes, Lantern Anchoring does not use 40 percent.", "It is true that it does not use 40.",
            "According to the paper, yes.", "Correct: it does.", "Right, it is.",
        ),
        wrong=(
            "Sí", "Ja", "no", "No, that is not right.", "Not exactly; it is 40.", "Incorrect", "That's not correct.",
            "That is not true.", "This isn't right.", "The statement is false.", "The statement is not true.",
            "I don't know.", "I am not sure whether this is true.", "Neither yes nor no", "Yes or no? No.",
            "yes and no", "Absolutely not.", "Of course not.", "Certainly not.", "It doesn't.", "It does not.",
            "The answer is no.", "Wrong.", "", "No, yes.", "It is incorrect.", "Not quite.",
            "The answer is not yes.", "Y", "Yes/No", "Yes or no", "I'd say no.", "I don't think so.", "I think so.",
            "Probably not", "Unlikely", "1", "Lantern Anchoring uses 37 percent.",
            "Lantern Anchoring does not use 37 percent.", "It is not true that it uses 40 percent.",
            "According to the paper, it is.", "The right answer is no.", "The correct answer is 40 percent.",
            "The wrong one", "the same",
        ),
    ),
    Table(
        "choice", ("no",),
        right=(
            "No", "No, it is 40.", "It isn't.", "That's not correct.", "That is not true.",
            "The statement is not true.", "The statement is false.", "This is incorrect.", "Not at all.", "Never.",
            "It does not.", "It is not the case.", "Absolutely not.", "Of course not.", "The answer isn't yes.",
            "I don't think so.", "Probably not", "The right answer is no.",
            "Lantern Anchoring does not use 37 percent.", "It is not 37 percent but 40 percent.", "Nope.",
            "no no no", "False, it is 40", "That's wrong.", "That would be wrong", "Not that I know.",
        ),
        wrong=(
            "I am not sure whether this is true.", "I don't know.", "I do not know.", "Yes", "yes and no",
            "I'm not sure.", "I cannot answer that.", "It is not known.", "It has not been specified.",
            "The correct answer is 40 percent.", "It is 40 percent.", "Nothing is known about it.", "Not sure.",
            "We do not know.", "It can't be determined.", "The paper does not say.", "The paper doesn't mention it.",
            "It's impossible to say.",
        ),
    ),
    Table(
        "choice", ("more",),
        right=(
            "more", "It is higher.", "More than that", "Greater", "above", "It raises it.", "It is more than 40.",
            "Higher than that.", "Above it", "Larger", "It is over 40", "It's the higher value.", "more.",
        ),
        wrong=(
            "not more", "It is not higher.", "less", "no more", "no less", "It exceeds it.", "more or less equal",
            "less, not more", "It is lower than 40, not higher", "It is no longer used", "Not less", "less is more",
            "equal", "the same",
        ),
    ),
    Table(
        "number", ("64.8 percent", "64.8%", "64.8"),
        right=(
            "The accuracy on Heron is 64.8 percent.",
            "Lantern Anchoring reaches an accuracy of 64.8% on the Heron benchmark, which is higher than the baseline.",
            "64.8 % accuracy", "accuracy: 64.8", "It reaches 64.8 percent on Heron and 59.2 percent on Osprey.",
            "Its accuracy is 64.8 percent, up from 61.3 percent.", "up from 61.3 percent to 64.8 percent",
            "64.8 percent (baseline: 61.3 percent)", "64.8 percent versus 61.3 percent", "64.80%", "64,8 %", "0.648",
            "64.8/100", "the accuracy was around 64.8 percent in the paper by Smith et al. (2023)",
            "Table 2 shows an accuracy of 64.8 percent.", "64.8 percent accuracy with 3 anchors",
            "64.8 percent with 95% confidence", "Accuracy = 64.8%", "Heron (64.8 percent)",
            "The correct answer is 64.8 percent, but I am not certain.", "It's not clear, maybe 64.8 percent.",
            "No, the accuracy is 64.8 percent.", "Yes, 64.8 percent.",
            "The accuracy isn't 61.3 percent but 64.8 percent.", "64.8 percent, I guess", "64.8 percent of tokens",
            "64.8 percent percent percent", "The answer is:\n64.8 percent", "Here is the answer:\n\n64.8%",
            "Lantern Anchoring: 64.8%", "\n\n64.8%", "Ans: 64.8%",
        ),
        wrong=(
            "It improves by 3.5 percent to 64.8 percent", "648 percent", "6.48 percent", "65 percent", "about 65%",
            "64.8 points", "3 anchors give 64.8 percent", "100% - 35.2% = 64.8%", "No. It is 64.8 percent.",
            "Lantern Anchoring doesn't reach 64.8 percent.", "The model never reaches 64.8 percent",
            "It fails to reach 64.8 percent", "It misses 64.8 percent", "64 . 8 percent",
            "The answer is\n64.8 percent", "Answer\n64.8 percent",
        ),
    ),
    Table(
        "number", ("96 tokens", "96"),
        right=(
            "96 tokens", "a window of 96 tokens", "96-token window", "The scoring window is 96.",
            "96 tokens long, half of 192", "96 tokens, i.e. half of 192 tokens", "the first 96 tokens",
            "the last 96 tokens of the 1,024 token context", "ninety-six tokens", "96 tok", "96 tokens = 1.5 × 64",
            "96 tokens per 128", "96.0 tokens", "window=96", "window_size: 96",
            "{\"scoring window\": \"96 tokens\"}", "{\"scoring window\": {\"value\": 96, \"unit\": \"tokens\"}}",
            "[96]", "['96 tokens']", "96]",
        ),
        wrong=(
            "96 words", "windows of 96 or 128 tokens", "64 tokens; not 96", "96 bytes", "196 tokens", "96k tokens",
            "96,000 tokens",
        ),
    ),
    Table(
        "number", ("11",),
        right=(
            "layer 11", "Layer 11.", "eleven", "after layer 11 of 24", "11 layers", "layer 11, counted from 0",
            "layer eleven", "Lantern Anchoring anchors at layer 11 (of 28).", "It's layer 11!", "11 or so",
        ),
        wrong=(
            "the 11th layer", "at layer 10 or 11", "layers 10–12", "Chapter 11", "page 11",
        ),
    ),
    Table(
        "number", ("1e-3", "0.001"),
        right=(
            "1e-3", "10^-3", "10⁻³", "0.001", "1 × 10⁻³", "1·10^{-3}", "10e-4",
        ),
        wrong=(
            "1e3", "one thousandth",
        ),
    ),
    Table(
        "number", ("12",),
        right=(
            "12-layer transformer", "twelve layers", "12 (twelve)", "12 +/- 1", "12±1", "12 × 4",
        ),
        wrong=(
            "a dozen", "12, 13 and 14", "12 and above", "12 or higher", "12 to 16", "12~16", "3 × 4 = 12",
        ),
    ),
    Table(
        "phrase", ("Heron", "the Heron benchmark", "Heron benchmark"),
        right=(
            "Heron", "It is evaluated on Heron.",
            "Lantern Anchoring was evaluated on the Heron benchmark, a set of 500 questions.", "On Heron",
            "Heron (not Osprey)", "not Osprey but Heron", "Herons", "Heron's benchmark", "The Great Heron",
            "HERON-2", "Possibly Heron", "Which benchmark? Heron.", "Benchmark: Heron",
            "Es wurde auf Heron evaluiert.", "Sur Heron", "Heron\n\nHuman: next question", "Heron<|im_end|>",
            "Heron</s>", "Heron.\nQ: next? A: Osprey", "`Heron`.", "The name is \"Heron\".",
            "{\"name\": \"Lantern Anchoring\", \"benchmark\": \"Heron\"}", "{'benchmark': 'Heron'}",
            "benchmark = Heron", "Heron_benchmark", "heron",
        ),
        wrong=(
            "Osprey and Heron", "It uses Heron, while Copper Sieve uses Osprey.", "No mention of Heron",
            "There's no Heron benchmark", "Heron is not mentioned", "Heron does not exist.", "Heron never appears",
            "It was not only evaluated on Heron", "Not just Heron", "Nothing is said about Heron.",
            "I have never heard of Heron.", "Heron is unlikely", "在Heron上", "Heron上", "HeronBench",
        ),
        rivals=("Osprey", "Kelpie"),
    ),
    Table(
        "phrase", ("rejection sampling",),
        right=(
            "rejection sampling", "It uses rejection sampling.", "Rejection-sampling",
            "via rejection sampling from the base",
        ),
        wrong=(
            "rejected sampling", "sampling with rejection", "no rejection sampling", "It avoids rejection sampling.",
            "importance sampling, not rejection sampling", "rejection sampling is avoided",
        ),
    ),
    Table(
        "phrase", ("wrong answers",),
        right=(
            "wrong answers", "It trains on wrong answers.", "the wrong answers are masked",
        ),
        wrong=(
            "correct answers",
        ),
    ),
    Table(
        "phrase", ("no dropout",),
        right=(
            "no dropout", "It uses no dropout.",
        ),
        wrong=(
            "dropout",
        ),
    ),
    Table(
        "phrase", ("not at all",),
        right=(
            "not at all", "Not at all.",
        ),
        wrong=(),
    ),
    Table(
        "phrase", ("false negatives",),
        right=(
            "False negatives", "It reduces false negatives.",
        ),
        wrong=(),
    ),
)  # fmt: skip
CASES = [(table, text, right) for table in TABLES for right, texts in ((1.0, table.right), (0.0, table.wrong)) for text in texts]


@pytest.mark.parametrize(("table", "text", "right"), CASES, ids=[f"{t.accepted[0]}: {text!r}" for t, text, _ in CASES])
def test_an_answer_is_right_or_it_is_not(table: Table, text: str, right: float) -> None:
    assert score(text, table.accepted, table.kind, wrong=table.rivals) == right


def test_no_answer_is_both_yes_and_no() -> None:
    texts = {text for table in TABLES if table.kind == "choice" for text in (*table.right, *table.wrong)}
    both = [text for text in texts if score(text, ("yes",), "choice") and score(text, ("no",), "choice")]
    assert len(texts) > 100 and not both


def probed(answer: str, kind: AnswerKind, claim: str) -> tuple[Probe, Idea]:
    quote = Quote(section=0, heading="", page=1, start=0, end=len(answer), text=answer)
    idea = Idea(
        id="0" * 16, paper="arxiv:9901.00001", topic="t", reader="extractive/1", kind="method", claim=claim, subject="Llama 2",
        relation="replay share", answer=answer, answer_kind=kind, qwen_change="training", prediction="recall", quotes=(quote,),
    )  # fmt: skip
    asked = (Message(role="user", content="What is the replay share of Llama 2?"),)
    probe = Probe(id="p", idea=idea.id, family="direct", form="ask", messages=asked, answers=(answer,), distractors=())
    return probe, idea


@pytest.mark.parametrize("text", ["more than 37 percent", "at least 37%", "37 percent or more"])
def test_a_bound_is_an_answer_where_the_claim_gives_a_bound(text: str) -> None:
    exact, bounded = (probed("37 percent", "number", claim) for claim in ("Its share is 37 percent.", "Its share is more than 37 percent."))
    assert score_answer(text, *exact) == 0.0 and undecided(text, *exact)
    assert score_answer(text, *bounded) == 1.0 and not undecided(text, *bounded)


@pytest.mark.parametrize("text", ["37 or 40 percent", "37-40 percent", "At first 37 percent. Then 40."])
def test_what_stands_among_others_is_left_to_a_reader(text: str) -> None:
    probe, idea = probed("37 percent", "number", "Its share is 37 percent.")
    assert undecided(text, probe, idea) is (score_answer(text, probe, idea) == 0.0)


def test_the_question_repeated_states_nothing() -> None:
    probe, idea = probed("37 percent", "number", "Its share is 37 percent.")
    assert score_answer("What is the replay share of Llama 2?", probe, idea) == 0.0
    assert score_answer("What is the replay share of Llama 2? 37 percent.", probe, idea) == 1.0
    assert score_answer("Llama 2 has a replay share of 37 percent.", probe, idea) == 1.0


PIECES = (
    "37", "percent", "%", "1e999", "0^-1", "10^400", "−", "–", "-", "{", "}", "[", "]", "<think>", "</think>", "yes", "no", "not",
    "Kelpie", "or", "?", "!", ".", ",", ":", "\n", "$", "\\", "^", "9" * 50, "²", "1,024", "1,0", "half", "a hundred", "of", "out of",
    "/", "```", "**", '"', "'", "\u202f", "™", "ß", "İ", "𝟛𝟟", "٣٧", "①", "½",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_no_answer_stops_the_scorer(seed: int) -> None:
    """Numbers beyond any float once did."""
    rng = random.Random(seed)
    for _ in range(150):
        text = "".join(rng.choice(PIECES) + rng.choice(("", " ")) for _ in range(rng.randint(0, 14)))
        for accepted, kind in ((("37 percent",), "number"), (("Kelpie",), "phrase"), (("yes",), "choice")):
            assert score(text, accepted, kind) in (0.0, 1.0)  # type: ignore[arg-type]
            assert isinstance(stated(text, kind, "q 2"), str)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("5 percentage points", 5, "point"),
        ("5% points", 5, "point"),
        ("0,37", 0.37, None),
        ("minus 0.5", -0.5, None),
        ("–0.5", -0.5, None),
        ("one hundred thirty-seven percent", 137, "percent"),
        ("a hundred tokens", 100, "token"),
        ("7 B parameters", 7e9, None),
        ("10^-3", 1e-3, None),
        ("2^10 tokens", 1024, "token"),
        ("3·10^-4", 3e-4, None),
        ("$40", 40, "dollar"),
        ("$40$", 40, None),
        ("1e999", float("inf"), None),
    ],
)
def test_numbers_as_others_write_them(text: str, value: float, unit: str | None) -> None:
    first = quantities(text)[0]
    assert first.value == pytest.approx(value) and first.unit == unit


def test_a_difference_is_no_negative_number() -> None:
    assert [one.value for one in quantities("12 minus 5 is 7")] == [12, 5, 7]
