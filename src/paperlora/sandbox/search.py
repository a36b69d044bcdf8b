"""The query language of Semantic Scholar's bulk search, and OpenAlex's, as far as people use them.

Semantic Scholar: ``+ | -``, brackets, quoted phrases (``~2`` after one is ignored), a trailing ``*``; terms side by side
must all occur. OpenAlex: ``AND OR NOT``, brackets and quoted phrases. Words match by stem, an empty query matches
everything. arXiv's language is :mod:`paperlora.literature.query`.
"""

from __future__ import annotations

import re

from paperlora.literature.query import Parser, QueryError, Score, Token

_SCHOLAR = re.compile(
    r'\s*(?:(?P<bracket>[()])|(?P<operator>[|+]|-(?=["(\w]))|"(?P<phrase>[^"]*)"(?:~\d+)?|(?P<word>[^\s()|+"]+))'
)
_OPENALEX = re.compile(
    r'\s*(?:(?P<bracket>[()])|(?P<operator>(?:AND|OR|NOT)(?=[\s(]))|"(?P<phrase>[^"]*)"|(?P<word>[^\s()"]+))'
)
_SCHOLAR_OPERATORS = {"|": "OR", "+": "AND", "-": "ANDNOT"}
_OPENALEX_OPERATORS = {"AND": "AND", "OR": "OR", "NOT": "ANDNOT"}


def parse_scholar(query: str) -> Score:
    """A score for the ``query`` of Semantic Scholar's bulk search.

    Raises:
        QueryError: brackets or quotes do not match, or an operator has nothing to join.
    """
    return Parser(_tokens(_SCHOLAR, _SCHOLAR_OPERATORS, query), len(query) + 1, juxtaposed="and").whole()


def parse_openalex(query: str) -> Score:
    """A score for a search of OpenAlex.

    Raises:
        QueryError: brackets or quotes do not match, or an operator has nothing to join.
    """
    found = _tokens(_OPENALEX, _OPENALEX_OPERATORS, query)
    # AND NOT is one operator here, two in OpenAlex.
    joined = [t for i, t in enumerate(found) if [u.text for u in found[i : i + 2]] != ["AND", "ANDNOT"]]
    return Parser(joined, len(query) + 1, juxtaposed="and").whole()


def _tokens(pattern: re.Pattern[str], operators: dict[str, str], query: str) -> list[Token]:
    if query.count('"') % 2:
        raise QueryError("a quotation mark is missing", query.rindex('"') + 1)
    found = []
    for match in pattern.finditer(query):
        kind = str(match.lastgroup)
        text = match[kind]
        found.append(
            Token(
                text if kind == "bracket" else kind,
                operators.get(text, text) if kind == "operator" else text,
                match.start(kind) + 1,
            )
        )
    return found
