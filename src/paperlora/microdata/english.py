"""The English that fills a wording: how an idea's subject, relation and answer stand in a sentence."""

from __future__ import annotations

import re

from paperlora.records import Idea

_RESULT = re.compile(
    r"accuracy|score|perplexity|\bloss\b|\bf1\b|bleu|rouge|exact match|pass@|error|improvement|gain|speed-?up|throughput"
    r"|latency|reduction|increase|decrease|\bdrop\b|(?:win|success|hit|acceptance) rate|recall|precision|performance|result",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(
    r"\s(?:of|on|in|at|for|with|after|before|under|per|from|to|by|over|between|during|against|across|without|within"
    r"|through|above|below|among|until|than|as)\s",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"^\W*[\d.,]+(?:\s+(?P<unit>[a-z]+))?\W*$|^[a-z]+$", re.IGNORECASE)
_DATA = re.compile(r"benchmark|dataset|data set|corpus|\bbench\b|\w+bench\b", re.IGNORECASE)
_MODEL = re.compile(r"\bmodel\b|\w+lm\b|\bgpt\b|\bbert\b|\bllama\b", re.IGNORECASE)
_SINGULAR_S = re.compile(r"(?:ss|us|is|bias|loss|basis|analysis|series)$", re.IGNORECASE)
_AN = re.compile(r"(?:[aeio]|u(?!ni|s|ti)|hour|honest)")
_AN_SPELLED = re.compile(r"[AEFHILMNORSX][A-Z0-9]")


def slots(idea: Idea) -> dict[str, str]:
    """The words that fill a template.

    ``s`` subject · ``r`` relation · ``a`` answer · ``an_r`` relation with its article · ``of`` of, or for where the
    relation has a preposition of its own · ``be`` is/are · ``use``, ``uses`` use for names, have for numbers, reach for
    results · ``noun`` what the subject is · ``claim``.
    """
    relation = relation_phrase(idea)
    plural = is_plural(relation)
    use, uses = _verb(idea, relation)
    return {
        "s": spoken_subject(idea.subject),
        "r": relation,
        "a": idea.answer,
        "an_r": relation if plural else f"{article(relation)} {relation}",
        "of": "for" if _PREPOSITION.search(f" {relation} ") else "of",
        "be": "are" if plural else "is",
        "use": use,
        "uses": uses,
        "noun": "dataset" if _DATA.search(idea.subject) else "model" if _MODEL.search(idea.subject) else "method",
        "claim": idea.claim,
    }


def _verb(idea: Idea, relation: str) -> tuple[str, str]:
    if _RESULT.search(relation):
        return "reach", "reaches"
    return ("have", "has") if idea.answer_kind == "number" else ("use", "uses")


def subject_names(subject: str) -> tuple[str, ...]:
    """A subject and its parts: "Self-Taught Reasoner (STaR)" → that, STaR, Self-Taught Reasoner."""
    match = re.fullmatch(r"(.+?)\s*\(([^()]+)\)", subject)
    return (subject, match[2], match[1]) if match else (subject,)


def spoken_subject(subject: str) -> str:
    """The name that questions use: without its abbreviation in brackets, or the abbreviation of a name of four words."""
    names = subject_names(subject)
    return names[0] if len(names) == 1 else names[2] if len(names[2].split()) < 4 else names[1]


def relation_phrase(idea: Idea) -> str:
    """The relation without its article; a plural that the answer counts becomes "number of …" ("training steps": 3,000)."""
    phrase = re.sub(r"^(?:the|an?|its|their)\s+", "", idea.relation.strip(" .:?"), flags=re.IGNORECASE)
    match = _COUNTED.match(idea.answer)
    unit = (match["unit"] or "") if match else ""
    counted = match is not None and unit.casefold() in ("", *phrase.casefold().split())
    counts = idea.answer_kind == "number" and counted and is_plural(phrase) and not _RESULT.search(phrase)
    return f"number of {phrase}" if counts else phrase


def is_plural(phrase: str) -> bool:
    """The head noun of a noun phrase is a plural: "training steps", but not "loss" or "number of steps"."""
    head = _PREPOSITION.split(phrase, maxsplit=1)[0].split()[-1:]
    return bool(head) and head[0].endswith("s") and head[0].islower() and not _SINGULAR_S.search(head[0])


def article(phrase: str) -> str:
    """a or an, by the sound as far as spelling shows it: an F1 score, a unit, an hour."""
    first = phrase.split()[0]
    spelled_out = first[:2].isupper() or (first[:1].isupper() and first[1:2].isdigit())
    return "an" if (_AN_SPELLED.match(first) if spelled_out else _AN.match(first.lower())) else "a"


def sentence(text: str) -> str:
    """First letter as a sentence begins, where the first word is an ordinary lower-case word."""
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    ordinary = first.isalpha() and first.islower()
    return text[0].upper() + text[1:] if ordinary else text
