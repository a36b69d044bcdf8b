"""The query languages of arXiv and of Semantic Scholar's bulk search, as far as people use them.

A query becomes a function from a paper's text to a score; 0 means that it does not match. arXiv: ``ti: au: abs: co:
cat: all:`` and so on, ``AND OR ANDNOT``, brackets, quoted phrases, ``submittedDate:[199901010000 TO 209901312359]``;
terms side by side are alternatives. Semantic Scholar: ``+ | -``, brackets, quoted phrases; terms side by side must all
occur. In both, words match by stem and a trailing ``*`` by prefix, and an empty query or ``*`` matches everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

Fields = Mapping[str, str]
"""Field name → searchable text as :func:`searchable` makes it; dates as ``YYYYMMDDHHMM``."""
Score = Callable[[Fields], float]

ARXIV_FIELDS = ("ti", "au", "abs", "co", "jr", "cat", "rn", "id", "all")
DATE_FIELDS = ("submittedDate", "lastUpdatedDate")

_ARXIV_TOKEN = re.compile(r'\s*(\(|\)|\w+:(?=\()|(?:\w+:)?\[[^\]]*\]|(?:\w+:)?"[^"]*"|[^\s()]+)')
_SCHOLAR_TOKEN = re.compile(r'\s*(\(|\)|\||\+|-(?=["(\w])|"[^"]*"(?:~\d+)?|[^\s()|+"]+)')


def searchable(text: str) -> str:
    """Lower-case stems with one blank around each: what queries are matched against."""
    return " " + " ".join(_stem(word) for word in re.findall(r"\w+", text.lower())) + " "


def stamp(moment: datetime) -> str:
    """A moment as arXiv's date ranges write it."""
    return f"{moment:%Y%m%d%H%M}"


def parse_arxiv(query: str) -> Score:
    """A score for arXiv's ``search_query``.

    Raises:
        ValueError: brackets or quotes do not match, a field is unknown or an operator has nothing to join.
    """
    return _Parser(
        _tokens(_ARXIV_TOKEN, query), {"OR": "or", "AND": "and", "ANDNOT": "andnot"}, juxtaposed="or"
    ).whole()


def parse_scholar(query: str) -> Score:
    """A score for the ``query`` of Semantic Scholar's bulk search.

    Raises:
        ValueError: brackets or quotes do not match, or an operator has nothing to join.
    """
    return _Parser(_tokens(_SCHOLAR_TOKEN, query), {"|": "or", "+": "and", "-": "andnot"}, juxtaposed="and").whole()


def _tokens(pattern: re.Pattern[str], query: str) -> list[str]:
    if query.count('"') % 2:
        raise ValueError("a quotation mark is missing")
    return pattern.findall(query)


class _Parser:
    """Recursive descent: alternatives of conjunctions of terms."""

    def __init__(self, tokens: list[str], operators: Mapping[str, str], juxtaposed: str) -> None:
        self.tokens = tokens
        self.operators = operators
        self.juxtaposed = juxtaposed

    def whole(self) -> Score:
        if not self.tokens:
            return lambda fields: 1.0
        score = self.alternatives("all")
        if self.tokens:
            raise ValueError(f"unexpected {self.tokens[0]!r}")
        return score

    def alternatives(self, field: str) -> Score:
        score = self.conjunction(field)
        while self.next_operator() == "or":
            self.drop_operator()
            score = _either(score, self.conjunction(field))
        return score

    def conjunction(self, field: str) -> Score:
        score = self.term(field)
        while (operator := self.next_operator()) in ("and", "andnot"):
            self.drop_operator()
            score = _both(score, self.term(field)) if operator == "and" else _without(score, self.term(field))
        return score

    def next_operator(self) -> str | None:
        if not self.tokens or self.tokens[0] == ")":
            return None
        return self.operators.get(self.tokens[0], self.juxtaposed)

    def drop_operator(self) -> None:
        if self.tokens[0] in self.operators:
            self.tokens.pop(0)

    def term(self, field: str) -> Score:
        if not self.tokens or self.tokens[0] == ")":
            raise ValueError("a term is missing")
        token = self.tokens.pop(0)
        if token in self.operators and self.operators[token] == "andnot":
            return _without(lambda fields: 1.0, self.term(field))
        if token in self.operators:
            raise ValueError(f"{token} has nothing to join")
        if token == "(" or token.endswith(":"):
            return self.group(field if token == "(" else _known_field(token[:-1]), opened=token == "(")
        return _leaf(token, field)

    def group(self, field: str, *, opened: bool) -> Score:
        if not opened and (not self.tokens or self.tokens.pop(0) != "("):
            raise ValueError("a term is missing")
        score = self.alternatives(field)
        if not self.tokens or self.tokens.pop(0) != ")":
            raise ValueError("a bracket is not closed")
        return score


def _known_field(name: str) -> str:
    if name not in ARXIV_FIELDS:
        raise ValueError(f"unknown field {name}")
    return name


def _leaf(token: str, field: str) -> Score:
    name, colon, rest = token.partition(":")
    if colon and name in DATE_FIELDS:
        return _date_range(name, rest)
    if colon and re.fullmatch(r"\w+", name) and not token.startswith('"'):
        field, token = _known_field(name), rest
    if field == "cat":
        return lambda fields: float(any(_category(token, value) for value in fields["cat"].split()))
    return _words(field, token)


def _words(field: str, token: str) -> Score:
    phrase = re.sub(r"~\d+$", "", token).strip('"')
    if phrase.strip("*") == "":
        return lambda fields: 1.0
    wanted = searchable(phrase.rstrip("*")).rstrip() if phrase.endswith("*") else searchable(phrase)
    return lambda fields: float(fields[field].count(wanted)) + 2.0 * (field == "all" and wanted in fields["ti"])


def _category(wanted: str, value: str) -> bool:
    wanted = wanted.strip('"').lower()
    return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted


def _date_range(field: str, text: str) -> Score:
    match = re.fullmatch(r"\[\s*(\d{4,14}|\*)\s+TO\s+(\d{4,14}|\*)\s*\]", text)
    if not match:
        raise ValueError(f"{field} needs a range like [209901010000 TO 209901312359]")
    low, high = (("" if part == "*" else part) for part in match.groups())
    return lambda fields: float(low <= fields[field] and (not high or fields[field] <= high.ljust(12, "9")))


def _either(left: Score, right: Score) -> Score:
    return lambda fields: left(fields) + right(fields)


def _both(left: Score, right: Score) -> Score:
    def score(fields: Fields) -> float:
        one, other = left(fields), right(fields)
        return one + other if one and other else 0.0

    return score


def _without(left: Score, right: Score) -> Score:
    return lambda fields: 0.0 if right(fields) else left(fields)


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
