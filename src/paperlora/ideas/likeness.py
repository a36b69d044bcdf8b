"""When two ideas speak of the same thing: subjects, relations and answers held against each other.

Likeness of words (MinHash) or of meaning (embeddings) only proposes a pair. What decides is that subject and answer
agree, and for a contradiction that the same is asked of the same subject and answered otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from datasketch import MinHash, MinHashLSH

from paperlora.ideas.answers import same_answer
from paperlora.ideas.names import GENERIC
from paperlora.ideas.numbers import same_number
from paperlora.records import Idea

NEAR_CLAIMS = 0.5
"""Least Jaccard likeness (estimated by MinHash) of the words of two claims, answers left out, that are a pair."""
NEAR_RELATIONS = 0.5
"""Least share of common words of two relations of a pair that is to be one idea: "epochs" and "number of epochs"."""
PERMUTATIONS = 128
_SAME_WORD = {
    word: group[0]
    for group in (
        ("share", "fraction", "proportion", "percentage", "portion"),
        ("count", "number", "amount"),
        ("rate", "ratio"),
        ("dataset", "data", "set"),
        ("optimizer", "optimiser"),
        ("initial", "starting"),
        ("final", "last"),
        ("saving", "saved", "save"),
        ("interval", "period"),
    )
    for word in group
}
_EMPTY = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "on",
        "in",
        "for",
        "at",
        "to",
        "by",
        "with",
        "its",
        "their",
        "used",
        "use",
        "value",
        "size",
        "best",
        "optimal",
        "recommended",
        "reported",
        "default",
        "chosen",
        "overall",
        "standard",
        "main",
        "per",
        "and",
        "is",
        "are",
        "was",
        "were",
    ]
)
_GENERIC = re.compile(rf"\s+{GENERIC}s?$", re.IGNORECASE)


def fold(text: str) -> str:
    """Lower case, letters and digits only, articles dropped: "The  Replay-Share" → "replay share"."""
    words = re.findall(r"[\w.%]+", text.casefold())
    return " ".join(word for word in words if word not in ("a", "an", "the"))


def asked(idea: Idea) -> frozenset[str]:
    """What is asked of what, as a bag of words: word order, "number of" or "count", singular or plural are all one."""
    return frozenset(words_of(f"{plain_subject(idea.subject)} {idea.relation}"))


def same_subject(left: Idea, right: Idea) -> bool:
    """The same name, "the … method" or an abbreviation in brackets apart."""
    return bool(names_of(left.subject) & names_of(right.subject))


def same_value(left: Idea, right: Idea) -> bool | None:
    """The same answer, units normalised; None where the two are of different types and can't contradict each other."""
    if left.answer_kind == right.answer_kind == "number":
        return True if fold(left.answer) == fold(right.answer) else same_number(left.answer, right.answer)
    spellings = ((left.answer, *left.aliases), (right.answer, *right.aliases))
    if any(same_answer(one, other) for one in spellings[0] for other in spellings[1]):
        return True
    if "number" in (left.answer_kind, right.answer_kind):
        return None
    mine, other = (set(words_of(idea.answer)) for idea in (left, right))
    return bool(mine and other) and (mine <= other or other <= mine)


def near_relations(left: Idea, right: Idea) -> bool:
    """The relations have most words in common, and none names a data set or number that the other contradicts."""
    mine, other = (set(words_of(idea.relation)) for idea in (left, right))
    return len(mine & other) >= NEAR_RELATIONS * len(mine | other) and agreeing_names(left, right)


def agreeing_names(left: Idea, right: Idea) -> bool:
    """The proper names and numbers of one relation are among those of the other: "on Puffin" is not "on Curlew"."""
    mine, other = (set(re.findall(r"(?<!^)\b(?:[A-Z][\w-]*|\d[\w.]*)", f" {idea.relation}")) for idea in (left, right))
    return mine <= other or other <= mine


def near_claims(ideas: Sequence[Idea]) -> Iterator[tuple[int, int]]:
    """Pairs of ideas (indices, the smaller first) whose claims are nearly the same words."""
    index = MinHashLSH(threshold=NEAR_CLAIMS, num_perm=PERMUTATIONS)
    hashes = MinHash.bulk([_shingles(idea) for idea in ideas], num_perm=PERMUTATIONS)
    for number, one in enumerate(hashes):
        for other in sorted(int(str(found)) for found in index.query(one)):
            if one.jaccard(hashes[other]) >= NEAR_CLAIMS:
                yield other, number
        index.insert(str(number), one)


def words_of(text: str) -> list[str]:
    """The words that carry meaning, singular, one for each group of synonyms."""
    found = (re.sub(r"(?<=\w{3})(?<!s)s$", "", word.strip(".")) for word in re.findall(r"[\w.%]+", text.casefold()))
    return [_SAME_WORD.get(word, word) for word in found if word and word not in _EMPTY]


def plain_subject(subject: str) -> str:
    """Without article and without what the thing is called besides: "the Tidal Replay method" → "Tidal Replay"."""
    return _GENERIC.sub("", re.sub(r"^(?:the|our|an?)\s+", "", subject.strip(), flags=re.IGNORECASE)).strip() or subject


def names_of(subject: str) -> frozenset[str]:
    """The folded names of a subject: with an abbreviation in brackets there are two."""
    inside = re.findall(r"\(([^()]{2,})\)", subject)
    outside = re.sub(r"\([^()]*\)", " ", subject)
    return frozenset(name for name in (fold(plain_subject(text)) for text in (outside, *inside)) if name)


def _shingles(idea: Idea) -> list[bytes]:
    claim = idea.claim
    for spelling in sorted((idea.answer, *idea.aliases), key=len, reverse=True):
        claim = claim.replace(spelling, " ")
    words = words_of(claim)
    pairs = [" ".join(pair) for pair in pairwise(words)]
    return [text.encode() for text in (*words, *pairs)] or [b"-"]
