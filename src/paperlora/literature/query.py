"""arXiv's query language, evaluated on records that are here already.

``ti: au: abs: co: jr: cat: rn: id: all:`` before a word, a quoted phrase or a bracket; ``AND OR ANDNOT``; ``*`` and
``?`` as wildcards; ``submittedDate:[199901010000 TO 209901312359]`` and ``lastUpdatedDate:[…]``. AND and ANDNOT bind
tighter than OR, terms side by side are alternatives, and an empty query or ``*`` matches everything. As in arXiv's
index, words match by their English stem, without regard to case and accents; authors match by the whole word.

A query becomes a function from a record's text to a score; 0 means that it does not match.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

import snowballstemmer

from paperlora.errors import SourceRefused
from paperlora.records import Paper

FIELDS = ("ti", "au", "abs", "co", "jr", "cat", "rn", "id", "all")
DATE_FIELDS = ("submittedDate", "lastUpdatedDate")
OPERATORS = {"OR": "or", "AND": "and", "ANDNOT": "andnot"}

_TOKEN = re.compile(
    r'\s*(?:(?P<bracket>[()])|(?P<field>\w+):|(?P<range>\[[^\]]*\])|"(?P<phrase>[^"]*)"|(?P<word>[^\s()"]+))'
)
_stemmer = snowballstemmer.stemmer("english")
_stemming = threading.Lock()


class Text(NamedTuple):
    """A field as it is searched: one blank around each word."""

    words: str
    """Lower case, without accents."""
    stems: str
    """The same, each word cut to its stem."""


class Searched(NamedTuple):
    """A record as it is searched."""

    texts: Mapping[str, Text]
    """By field, ``cat`` left out."""
    categories: tuple[str, ...]
    dates: Mapping[str, str]
    """``YYYYMMDDHHMM`` by date field; a missing one lies in no range."""


Score = Callable[[Searched], float]


class QueryError(ValueError):
    """A malformed query.

    Args:
        at: position of the trouble, counted from 1.
    """

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message, at)
        self.message = message
        self.at = at

    def __str__(self) -> str:
        return self.message


class Token(NamedTuple):
    """A piece of a query."""

    kind: str
    """``(``, ``)``, field, range, phrase, word or operator."""
    text: str
    at: int
    """Position of its first character, from 1."""


def matches(query: str, paper: Paper) -> bool:
    """The paper fits an arXiv query.

    Raises:
        SourceRefused: the query is malformed; the message says where.
    """
    try:
        score = parse(query)
    except QueryError as error:
        raise SourceRefused(
            f"The arXiv query {query!r} is malformed at character {error.at}: {error.message}."
        ) from error
    return score(searched(paper)) > 0


@lru_cache(maxsize=512)
def parse(query: str) -> Score:
    """A score for an arXiv query.

    Raises:
        QueryError: brackets or quotes do not match, a field is unknown or an operator has nothing to join.
    """
    return Parser(tokens(query), len(query) + 1, juxtaposed="or").whole()


def searched(paper: Paper) -> Searched:
    """A record of ours, made ready for :func:`parse`'s scores. Report numbers are not kept, so ``rn:`` finds none."""
    return searchable(
        {"ti": paper.title, "abs": paper.abstract, "au": ", ".join(paper.authors), "co": paper.comment, "jr": paper.journal},
        identifier=paper.external_ids.get("arxiv", paper.id), categories=paper.categories,
        dates={"submittedDate": paper.published, "lastUpdatedDate": paper.updated or paper.published},
    )  # fmt: skip


def searchable(
    texts: Mapping[str, str], *, identifier: str, categories: Sequence[str], dates: Mapping[str, datetime | None],
    further: str = "",
) -> Searched:  # fmt: skip
    """A record of any origin, made ready for scores.

    Args:
        texts: by field; missing ones are empty.
        further: text that ``all:`` finds beside the fields.
    """
    fields = {name: indexed(texts.get(name, "")) for name in ("ti", "abs", "au", "co", "jr", "rn")}
    everything = " | ".join([*texts.values(), *categories, identifier, further])
    moments = {name: f"{moment:%Y%m%d%H%M}" for name, moment in dates.items() if moment}
    return Searched({**fields, "id": indexed(identifier), "all": indexed(everything)}, tuple(categories), moments)


@lru_cache(maxsize=20_000)
def indexed(text: str) -> Text:
    """A text as it is searched."""
    words = re.findall(r"[^\W_]+|\|", _plain(text))
    return Text(f" {' '.join(words)} ", f" {' '.join(map(_stem, words))} ")


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    with _stemming:  # the stemmer keeps its state in itself
        return str(_stemmer.stemWord(word))


# --------------------------------------------------------------------- parsing


def tokens(query: str) -> list[Token]:
    """The pieces of an arXiv query.

    Raises:
        QueryError: a quotation mark is missing.
    """
    found: list[Token] = []
    at = 0
    end = len(query.rstrip())
    while at < end:
        match = _TOKEN.match(query, at)
        if not match or not match.lastgroup:
            raise QueryError("a quotation mark is missing", query.index('"', at) + 1)
        kind, text = match.lastgroup, match[match.lastgroup]
        begin = match.start(kind) + 1 - (kind == "phrase")
        if kind == "word" and text in (*OPERATORS, "NOT"):
            kind = "operator"
        found.append(Token(text if kind == "bracket" else kind, text, begin))
        at = match.end()
    return found


class Parser:
    """Recursive descent: alternatives of conjunctions of terms.

    Args:
        end: position after the query, for errors.
        juxtaposed: the operator between terms side by side: ``or`` or ``and``.
    """

    def __init__(self, tokens: list[Token], end: int, juxtaposed: str) -> None:
        self._tokens = tokens
        self._end = end
        self._juxtaposed = juxtaposed

    def whole(self) -> Score:
        """The score of the whole query."""
        if not self._tokens:
            return lambda record: 1.0
        score = self._alternatives("all")
        if self._tokens:
            raise QueryError(f"unexpected {self._tokens[0].text!r}", self._tokens[0].at)
        return score

    def _alternatives(self, field: str) -> Score:
        score = self._conjunction(field)
        while self._next_operator() == "or":
            self._drop_operator()
            score = _either(score, self._conjunction(field))
        return score

    def _conjunction(self, field: str) -> Score:
        score = self._term(field)
        while (operator := self._next_operator()) in ("and", "andnot"):
            self._drop_operator()
            score = _both(score, self._term(field)) if operator == "and" else _without(score, self._term(field))
        return score

    def _next_operator(self) -> str | None:
        if not self._tokens or self._tokens[0].kind == ")":
            return None
        first = self._tokens[0]
        return OPERATORS.get(first.text, self._juxtaposed) if first.kind == "operator" else self._juxtaposed

    def _drop_operator(self) -> None:
        if self._tokens[0].text in OPERATORS and self._tokens[0].kind == "operator":
            self._tokens.pop(0)

    def _term(self, field: str) -> Score:
        if not self._tokens or self._tokens[0].kind == ")":
            raise QueryError("a term is missing", self._tokens[0].at if self._tokens else self._end)
        token = self._tokens.pop(0)
        if token.kind == "operator":
            return self._misplaced(token, field)
        if token.kind == "field":
            return self._of_field(token)
        if token.kind == "(":
            return self._group(field, token)
        if token.kind == "range":
            raise QueryError("a range needs submittedDate: or lastUpdatedDate: before it", token.at)
        return _leaf(token, field)

    def _misplaced(self, token: Token, field: str) -> Score:
        if token.text == "ANDNOT":
            return _without(lambda record: 1.0, self._term(field))
        if token.text == "NOT":
            raise QueryError("NOT is no operator of arXiv: write ANDNOT", token.at)
        raise QueryError(f"{token.text} has nothing to join", token.at)

    def _of_field(self, token: Token) -> Score:
        if token.text in DATE_FIELDS:
            return self._range(token)
        if token.text not in FIELDS:
            raise QueryError(f"unknown field {token.text}", token.at)
        if not self._tokens or self._tokens[0].kind in (")", "operator", "field"):
            raise QueryError("a term is missing", self._tokens[0].at if self._tokens else self._end)
        return self._term(token.text)

    def _range(self, token: Token) -> Score:
        bounds = self._tokens.pop(0) if self._tokens else None
        match = re.fullmatch(r"\[\s*(\d{4,14}|\*)\s+TO\s+(\d{4,14}|\*)\s*\]", bounds.text) if bounds else None
        if not match:
            raise QueryError(f"{token.text} needs a range like [209901010000 TO 209901312359]", token.at)
        low, high = (("" if part == "*" else part) for part in match.groups())
        return _dated(token.text, low, high)

    def _group(self, field: str, opening: Token) -> Score:
        score = self._alternatives(field)
        if not self._tokens or self._tokens.pop(0).kind != ")":
            raise QueryError("a bracket is not closed", opening.at)
        return score


# ---------------------------------------------------------------------- scores


def _leaf(token: Token, field: str) -> Score:
    text = token.text.strip()
    if text.strip("*") == "":
        return lambda record: 1.0
    if field == "cat":
        return lambda record: float(sum(fnmatchcase(name.casefold(), text.casefold()) for name in record.categories))
    if field == "id":
        text = re.sub(r"(?<=\d)v\d+$", "", text)  # every version is found by its paper's id
    if re.search(r"[*?]", text):
        return _pattern(field, text)
    words, stems = indexed(text)
    if not words.strip():
        raise QueryError(f"{text!r} holds no letter and no digit", token.at)
    if field in ("au", "id"):
        return lambda record: float(record.texts[field].words.count(words))
    # A word in the title counts for more, as in arXiv's order by relevance.
    return lambda record: (
        record.texts[field].stems.count(stems) + 2.0 * (field == "all" and stems in record.texts["ti"].stems)
    )


def _pattern(field: str, text: str) -> Score:
    parts = re.findall(r"[^\W_*?]+|[*?]", _plain(text))
    wild = {"*": r"\S*", "?": r"\S"}
    pattern = re.compile(f"(?<= ){''.join(wild.get(part) or re.escape(part) for part in parts)}(?= )")
    return lambda record: float(len(pattern.findall(record.texts[field].words)))


def _dated(field: str, low: str, high: str) -> Score:
    def score(record: Searched) -> float:
        moment = record.dates.get(field)
        return float(moment is not None and low <= moment and (not high or moment <= high.ljust(12, "9")))

    return score


def _either(left: Score, right: Score) -> Score:
    return lambda record: left(record) + right(record)


def _both(left: Score, right: Score) -> Score:
    def score(record: Searched) -> float:
        one, other = left(record), right(record)
        return one + other if one and other else 0.0

    return score


def _without(left: Score, right: Score) -> Score:
    return lambda record: 0.0 if right(record) else left(record)
