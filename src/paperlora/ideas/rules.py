"""All families of sentences in which a paper states a value of its own technique."""

from __future__ import annotations

from collections.abc import Iterator

from paperlora.ideas import rules_statements, rules_things, rules_values
from paperlora.ideas.clauses import Clause
from paperlora.ideas.matches import Found, holds
from paperlora.ideas.names import Names


def read_clause(clause: Clause) -> Iterator[Found]:
    """Every triple that the families find in one clause; nothing is checked against the paper yet."""
    for part in clause.parts:
        for family in (*rules_values.FAMILIES, *rules_things.FAMILIES):
            yield from (one for one in family(clause, part) if holds(clause.text, one))


def read_statement(text: str, names: Names, main: str | None) -> Iterator[Found]:
    """Every triple that the families find in one masked sentence as a whole.

    Args:
        main: the technique that a bare "the learning rate" belongs to; None where it may be another's.
    """
    for family in rules_statements.FAMILIES:
        yield from (one for one in family(text, names, main) if holds(text, one))
