"""What fixed rules can say about an idea beyond its value: how it works, what it touches, what its authors admit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from paperlora.ideas.grounding import contains
from paperlora.ideas.injection import addresses_reader
from paperlora.ideas.phrases import is_metric
from paperlora.ideas.sentences import Sentence, sentences
from paperlora.records import Document, Touches

_LONGEST = 320
"""Characters of a mechanism or of limits: one or two sentences."""
_WORKS_BY = re.compile(
    r"\b(?:works?|operates?|proceeds?|functions?|does (?:so|this)|achieves? this) by\b|\bby \w+ing\b|\blets?\b|\bbased on\b|"
    r"\bso that\b|\bconsists? of\b|\b(?:assigns?|keeps?|draws?|mixes|inserts?|scores?|ranks?|merges?|splits?|alternates?)\b"
)
_MECHANISM_SECTION = re.compile(r"related|background|limitation|experiment|result|evaluation|appendix", re.IGNORECASE)
_LIMIT_SECTION = re.compile(r"\blimit|shortcoming|caveat|failure|threats? to validity", re.IGNORECASE)
_OTHERS_SECTION = re.compile(r"introduction|related|background|prior", re.IGNORECASE)
_ADMITS = re.compile(
    r"\b(?:limitations?|we (?:did|do|have) not (?:try|tried|test|tested|evaluate|evaluated|study|studied|explore|explored)|"
    r"(?:would|do|can) not recommend|remains? (?:open|unclear|to be)|(?:is|are) left (?:for|to) future|"
    r"(?:our|the) (?:experiments?|study|results?|evaluation) (?:covers?|is|are|was|were) (?:limited|restricted|only|one)|"
    r"experiments? covers? (?:only |just )?(?:one|two|a single)|only (?:one|a single|two) (?:model|teacher|language|seed|dataset|"
    r"benchmark|task|architecture)|(?:fails?|breaks?(?: down)?|degrades?|shrinks|vanishes) (?:when|for|on|with|to|if)|"
    r"advantage (?:shrinks|vanishes|disappears))\b",
    re.IGNORECASE,
)
_TOUCHES: tuple[tuple[Touches, re.Pattern[str]], ...] = (
    (
        "evaluation",
        re.compile(
            r"\b(?:benchmark|test set|evaluation|metric|score|accuracy|perplexity|error|recall|precision)\b", re.I
        ),
    ),
    (
        "prompt",
        re.compile(r"\b(?:prompts?|templates?|few-shot|shots|instructions?|in-context|demonstrations?)\b", re.I),
    ),
    (
        "data",
        re.compile(
            r"\b(?:data ?sets?|data|corpus|corpora|tokens|sequences|examples|samples?|sampling|documents?|replay|mixture|"
            r"domains?|sieve|filter\w*|curriculum|buffer)\b",
            re.I,
        ),
    ),
    (
        "training",
        re.compile(
            r"\b(?:learning rate|weight decay|batch|epochs?|steps?|optimi[sz]er|warm-?up|schedule|rank|momentum|dropout|loss|"
            r"temperature|weight|layers?|horizon|interval|coefficient|threshold|anchors?|teacher|training)\b",
            re.I,
        ),
    ),
)


class Explained(NamedTuple):
    """What holds for a subject in the whole paper."""

    mechanism: str
    limits: str


def changes(relation: str, kind: str) -> tuple[Touches, ...]:
    """What of a Qwen model a value touches, by the words of its relation; a setting where no word tells."""
    if kind == "finding" or is_metric(relation):
        return ("evaluation",)
    found = tuple(name for name, words in _TOUCHES if words.search(relation))
    return found or ("training",)


def explain(document: Document, subject: str, read: Sequence[Sentence] | None = None) -> Explained:
    """The sentence in which the paper says how the subject works, and those in which its authors admit its limits."""
    known = list(sentences(document)) if read is None else read
    said = [one for one in known if not addresses_reader(one.text)]
    return Explained(_mechanism(document, subject, said), _limits(document, said))


def _mechanism(document: Document, subject: str, said: Sequence[Sentence]) -> str:
    for one in said:
        heading = document.sections[one.section].heading
        if not _MECHANISM_SECTION.search(heading) and _WORKS_BY.search(one.text) and contains(one.text, subject):
            return _short([one])
    return ""


def _limits(document: Document, said: Sequence[Sentence]) -> str:
    admitted = [one for one in said if _LIMIT_SECTION.search(document.sections[one.section].heading)][:2]
    own = [one for one in said if not _OTHERS_SECTION.search(document.sections[one.section].heading)]
    return _short(admitted or [one for one in own if _ADMITS.search(one.text)][:2])


def _short(chosen: Sequence[Sentence]) -> str:
    text = ""
    for one in chosen:
        longer = f"{text} {' '.join(one.text.split())}".strip()
        text = longer if len(longer) <= _LONGEST else text
    return text
