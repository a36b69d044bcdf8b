"""What a rule hands over, and the checks that every rule shares.

A rule would rather miss a fact than teach a wrong one: what follows the answer, what stands between verb and answer
and what the clause is conditional on are all looked at, and any doubt drops the match.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from paperlora.ideas.clauses import Clause
from paperlora.ideas.names import NAME
from paperlora.ideas.phrases import NUMBER, Answer, goes_on, is_metric

_AFTER = re.compile(
    rf"\s*(?:or\b|and\s+(?:(?:to|at|of|by|then)\s+)?{NUMBER}|,\s*(?:or|and)\s+(?:(?:to|at|of|by)\s+)?{NUMBER}|"
    rf"to\s+{NUMBER}|"
    r"[/–-]\s*\d|±|×|times\b|if\b|when|unless|until|without|whereas?\b|as\s+(?:much|many)|"
    r"(?:\w+\s)?(?:more|less|fewer|higher|lower|larger|smaller|better|worse|faster|slower|longer|shorter|above|"
    r"below|behind|"
    r"ahead|beyond|than|compared|relative|versus|over|improvement|gain|gap|reduction|increase|drop)\b|"
    r"for\s+(?:the|a|an|our|its|small|large|larger|smaller|\d\S*)\b(?!\s+(?:rest|whole|entire|main|first|full))|"
    r"with\s+(?:only|fewer|more|half|smaller|larger|a\s+(?:smaller|larger))|"
    r"in\s+the\s+(?:first|last|second|third|smaller|larger|worst|best)|of\s+(?:them|which|these|those)\b)"
)
_BETWEEN = re.compile(
    r"\b(?:than|baseline|compared|versus|against|unlike|instead|without|not|never|from|either|between|varying|"
    r"different|"
    r"various|several|multiple|no|another|others?|half|twice|times|double|increase|decrease|that|which|whose|who)\b"
)
_CONDITIONED = re.compile(r"[^,;:]*?\b(?:when|whenever|if|unless|without|until|once|instead|after (?:the )?\w+ing)\b")
_CONDITIONED_METRIC = re.compile(
    r"[^,;:]*?\b(?:with|using|at|under|for|by) (?:only |just )?(?:a |an |the )?(?:[\w-]+ ){0,3}?"
    rf"(?:{NUMBER}|half|fewer|random|frozen|no)\b"
)
_ON_DATA = re.compile(
    r"\s*,?\s+(?:on|over)\s+(?P<data>(?:(?:the|held-out|all|both)\s+)?[A-Za-z][\w@’'-]*(?:\s[A-Za-z0-9][\w@-]*){0,4}?)"
    r"(?=[.,;:)]|\s+(?:and|with|after|at|in|while|when|for|using|by|against|versus|to|from|without|compared|"
    r"under|over|"
    r"where|which|that|as|is|was)\b|\s*$|\s\s)"
)
_POINTING = re.compile(r"(?:the )?(?:same|this|these|those|that|such|our|all|both)\b")
_WHOLE_NUMBER_RULES = ("relation_of", "copula", "fixed", "setting_named", "shifted")
_KNOWN_OPTIMISERS = ("SGD", "Adam", "AdamW")


class Found(NamedTuple):
    """A triple that a rule read out of one sentence."""

    subject: str
    explicit: bool
    """The subject's name stands in the sentence; otherwise "we" or "it" was taken for it."""
    relation: str
    answer: Answer
    """Offsets count from the sentence's first character."""
    rule: str


def answer_in(match: re.Match[str], group: str = "answer") -> Answer:
    """The answer that a group of a rule's pattern caught."""
    return Answer(match.start(group), match.end(group), match[group])


def found(clause: Clause, relation: str, answer: Answer, rule: str) -> Found:
    """A triple about the subject of a clause."""
    return Found(clause.subject, clause.explicit, relation, answer, rule)


def is_verb(verb: str, kinds: str) -> bool:
    """The whole verb is one of a kind."""
    return re.fullmatch(kinds, re.sub(r"\s+", " ", verb)) is not None


def bounded(text: str, end: int) -> bool:
    """What follows makes the value a bound, one of several, or one side of a comparison."""
    return _AFTER.match(text, end) is not None


def compares(text: str) -> bool:
    """The words speak of a comparison, a denial, or of something else than the clause's subject."""
    return _BETWEEN.search(text) is not None


def clean_between(clause: Clause, start: int, end: int) -> bool:
    """Between verb and answer stands no comparison, and for "we" no name of somebody else."""
    between = clause.text[start:end]
    others = (name for name in re.findall(NAME, between) if name != clause.subject and name not in _KNOWN_OPTIMISERS)
    return not compares(between) and (clause.explicit or not any(others))


def with_data(relation: str, text: str, at: int, on: str | None) -> str:
    """The relation with the data set it was measured on, where the sentence names one right there or at its start."""
    match = _ON_DATA.match(text, at)
    data = match["data"] if match else on
    if data is None or " on " in f" {relation} " or _POINTING.match(data):
        return relation
    plain = re.sub(r"\s+", " ", re.sub(r"^the (?=[A-Z]\S*$)", "", data.strip()))
    return f"{relation} on {plain}"


def data_after(text: str, at: int) -> str | None:
    """The data set named right behind an answer: "… on Kelpie"."""
    match = _ON_DATA.match(text, at)
    return match["data"] if match else None


def holds(text: str, one: Found) -> bool:
    """Nothing behind the answer bounds, alternates or conditions it."""
    end = one.answer.end
    comparison = one.rule in ("shifted_by", "ahead_by")
    if (bounded(text, end) and not comparison) or _CONDITIONED.match(text, end):
        return False
    if text[one.answer.start : end] != one.answer.text or (one.rule in _WHOLE_NUMBER_RULES and goes_on(text, end)):
        return False
    measured = one.rule in ("metric_reached", "shifted") or is_metric(one.relation)
    return not (measured and _CONDITIONED_METRIC.match(text, end))
