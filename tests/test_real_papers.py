"""The PDF reader judged on real papers, against what a person reads in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from paperlora.literature.reader import PdfReader, ReadRequest
from paperlora.records import Document
from paperlora.settings import ReadingSettings

pytestmark = pytest.mark.real

SECTIONS = {
    "2203.14465": [
        "Abstract", "1 Introduction", "2 Background and Related Work", "3 Method", "3.1 Rationale Generation Bootstrapping",
        "3.2 Rationalization", "4 Experiments", "4.1 Experimental Protocol", "4.2 Datasets",
        "4.3 Symbolic Reasoning: Results on Arithmetic", "4.4 Natural Language Reasoning: Commonsense Question Answering",
        "5 Discussion and Challenges", "6 Conclusion and Future Work", "Acknowledgements", "Appendix", "A Error Patterns",
        "A.1 Question Implies Answer", "A.2 Begging the Question", "A.3 Exercise to the Reader", "A.4 World State Assertions",
        "A.5 Red Herrings", "A.6 Hint Short-cutting", "B Modified CQA Prompts", "C Human-evaluated Test Prompts",
        "D Example Rationalizations on CQA",
    ],
    "distillation": [
        "Abstract", "1 Introduction", "2 Distillation", "2.1 Matching logits is a special case of distillation",
        "3 Preliminary experiments on MNIST", "4 Experiments on speech recognition", "4.1 Results",
        "5 Training ensembles of specialists on very big datasets", "5.1 The JFT dataset", "5.2 Specialist Models",
        "5.3 Assigning classes to specialists", "5.4 Performing inference with ensembles of specialists", "5.5 Results",
        "6 Soft Targets as Regularizers", "6.1 Using soft targets to prevent specialists from overfitting",
        "7 Relationship to Mixtures of Experts", "8 Discussion", "Acknowledgments",
    ],
    "pasa": [
        "Abstract", "1 Introduction", "2 Related Work", "3 Datasets", "3.1 AutoScholarQuery", "3.2 RealScholarQuery", "4 Methodology",
        "4.1 Overview", "4.2 Crawler", "4.3 Selector", "5 Experiments", "5.1 Experimental Setting", "5.2 Baselines and Evaluation",
        "5.3 Main results", "5.4 Ablation study", "6 Conclusion", "A Implementation Details of the Crawler",
        "A.1 Imitation learning data generation", "A.2 Roll-Out in PPO training", "B Implementation Details of the Selector",
        "C Selector Test Dataset", "D Dataset Examples", "E Prompt Templates", "E.1 Prompts for Baselines",
        "E.2 Prompt for Paper Selection",
    ],
    "resnet": [
        "Abstract", "1. Introduction", "2. Related Work", "3. Deep Residual Learning", "3.1. Residual Learning",
        "3.2. Identity Mapping by Shortcuts", "3.3. Network Architectures", "3.4. Implementation", "4. Experiments",
        "4.1. ImageNet Classification", "4.2. CIFAR-10 and Analysis", "4.3. Object Detection on PASCAL and MS COCO",
        "A. Object Detection Baselines", "PASCAL VOC", "MS COCO", "B. Object Detection Improvements", "MS COCO", "PASCAL VOC",
        "ImageNet Detection", "C. ImageNet Localization",
    ],
}  # fmt: skip
"""Every heading of the body, in order, with its number."""

WHOLE = {
    "2203.14465": [
        # over a page, past a footnote and a figure
        "Then each crowdsourced question is generated to allow a reader to disambiguate one concept from the others",
        "We performed a hyperparameter search over learning rates from 10^-7 to 10^-4 using the Adam optimizer",
        "1. After training with STaR, we see the model was able to generate reasonable rationales that solve new problems, which explains part of the observed performance gain.",
    ],
    "distillation": [
        "It would clearly be better to train models to generalize well, but this requires information about the correct way",
        "distillation is equivalent to minimizing 1/2(zi − vi)^2, provided the logits are zero-meaned separately for each transfer case.",
        # a formula at the page's end parts two paragraphs
        "by comparing zi with the other logits.\n\nwhere T is a temperature that is normally set to 1.",
    ],
    "pasa": [
        "In RL terminology, the Crawler performs a token-level Markov Decision Process (MDP).",
        # a line that justification has torn wide open
        "• GPT-o1. Prompt GPT-o1 to process the scholar query.",
        # over columns, past a footnote
        "Due to the need for manual query submission, we evaluate only 100 randomly sampled instances from the AutoScholarQuery test set.",
        "• Google with GPT-4o. We first employ GPT-4o to paraphrase the scholar query. The paraphrased query is then searched on Google.",
    ],
    "resnet": [
        "our current solvers on hand are unable to find solutions that are comparably good or better than the constructed solution",
        "Residual Representations. In image recognition, VLAD [18] is a representation that encodes by the residual vectors",
        "We explicitly reformulate the layers as learning residual functions with reference to the layer inputs, instead of learning unreferenced functions.",
        "We have shown that parameter-free, identity shortcuts help with training.",
        "we explicitly let these layers approximate a residual function F(x) := H(x) − x.",
    ],
}  # fmt: skip
"""Sentences that must stand in the body without a break."""

NOT_BODY = {
    "2203.14465": [
        "Figure 4: A visualization", "Swimming pool", "These authors contributed equally", "(a) Problems where the model was able", "Train Data Used (%)",
        "Based on Min et al. [2022], we doubt", "Advances in Neural Information",
    ],
    "distillation": ["Table 1: Frame classification", "Equal contribution", "10xEnsemble", "Bridal shower", "Ensemble methods in machine learning", "exp(zi/T"],
    "pasa": [
        "Table 5: Results on AutoScholarQuery", "Answer Papers", "https://iclr.cc/Conferences", "arXiv:2501.10120", "0.7931", "Corresponding author",
        "The hyperparameters used in PPO training.",
    ],
    "resnet": [
        "Figure 2. Residual learning", "PReLU-net [13] 24.27", "learned H(x) - x", "arXiv:1512.03385", "This hypothesis, however, is still an open question",
        "max pool, stride 2", "iter. (1e4)", "kahe, v-xiangz",
    ],
}  # fmt: skip
"""Words of captions, tables, figures, notes, front matter and references."""

APART = {
    "2203.14465": [("caption", "(a) Problems where the model was able to solve questions which it had previously answered incorrectly.")],
    "distillation": [
        ("table", "Baseline | 58.9% | 10.9%\n10xEnsemble | 61.1% | 10.7%\nDistilled Single model | 60.8% | 10.7%"),
        ("footnote", "Equal contribution"), ("references", "Ensemble methods in machine learning"),
    ],
    "pasa": [
        ("table", "PaSa-7b | 0.7931 | 0.1448 | 0.4834 | 0.6947 | 0.6334 | 0.5301"), ("table", "ICLR 2023 | 888 | 5204 | 2.46 | 2.0 | 5.0"),
        ("footnote", "https://iclr.cc/Conferences/2023"), ("margin", "arXiv:2501.10120"),
    ],
    "resnet": [
        ("caption", "Figure 2. Residual learning: a building block."), ("footnote", "This hypothesis, however, is still an open question. See [28]."),
        ("margin", "arXiv:1512.03385"),
    ],
}  # fmt: skip
"""Where they went."""


@pytest.fixture(scope="module")
def documents(real_folder: Path) -> Iterator[dict[str, Document]]:
    with PdfReader(ReadingSettings()) as reader:
        read = reader.read_many([ReadRequest(real_folder / "pdf" / f"{name}.pdf") for name in SECTIONS])
        yield {name: document for name, document in zip(SECTIONS, read, strict=True) if isinstance(document, Document)}


def body(document: Document) -> str:
    return "\n\n".join(section.text for section in document.sections)


@pytest.mark.parametrize("name", SECTIONS)
def test_sections(name: str, documents: dict[str, Document]) -> None:
    assert [section.heading for section in documents[name].sections] == SECTIONS[name]


@pytest.mark.parametrize(("name", "sentence"), [(name, text) for name, own in WHOLE.items() for text in own])
def test_sentence_is_whole(name: str, sentence: str, documents: dict[str, Document]) -> None:
    assert sentence in body(documents[name])


@pytest.mark.parametrize(("name", "words"), [(name, text) for name, own in NOT_BODY.items() for text in own])
def test_what_is_no_body_text(name: str, words: str, documents: dict[str, Document]) -> None:
    assert words not in body(documents[name])


@pytest.mark.parametrize(("name", "kind", "text"), [(name, *item) for name, own in APART.items() for item in own])
def test_where_it_went(name: str, kind: str, text: str, documents: dict[str, Document]) -> None:
    assert any(text in part.text for part in documents[name].left_out if part.kind == kind)


@pytest.mark.parametrize("name", SECTIONS)
def test_no_ligature_and_no_torn_word(name: str, documents: dict[str, Document]) -> None:
    text = body(documents[name])
    assert not set(text) & set("\ufb00\ufb01\ufb02\ufb03\ufb04\u00ad\ufffd")
    torn = [word for word in text.split() if word.endswith("-") and word.strip("-").isalpha() and word != "-"]
    assert len(torn) <= 2, torn  # "short- and long-term" is no torn word


@pytest.mark.parametrize("name", SECTIONS)
def test_paragraphs_begin_and_end_as_sentences_do(name: str, documents: dict[str, Document]) -> None:
    """At least nineteen of twenty, formulas' neighbours apart."""
    paragraphs = [text for section in documents[name].sections for text in section.text.split("\n\n") if len(text) > 80]
    whole = [text for text in paragraphs if text[-1] in ".?!:;,)”\"" or text.endswith(("where", "as", "by", "that"))]
    assert len(whole) >= 0.95 * len(paragraphs), [text[-60:] for text in paragraphs if text not in whole]
