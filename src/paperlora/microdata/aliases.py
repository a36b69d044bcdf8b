"""Whether an idea can be asked at all, and whether its aliases mean what its answer means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from paperlora.microdata.values import WORD_NUMBERS, number_value
from paperlora.records import Idea, Reject

LONGEST_ANSWER = 8
"""Words; a longer answer can't be scored exactly."""
TOLERANCE = 1e-9


class Checked(NamedTuple):
    """An idea with the aliases that hold."""

    idea: Idea
    rejects: tuple[Reject, ...]


def unfit(idea: Idea) -> str:
    """Why an idea can't be taught, as a word that can be counted; empty where it can."""
    if idea.contested_by:
        return "contested"
    if len(idea.answer.split()) > LONGEST_ANSWER:
        return "answer_too_long"
    return "answer_in_question" if given_away(idea, idea.answer) else ""


def check_aliases(idea: Idea, neighbours: Sequence[Idea]) -> Checked:
    """Take out aliases of another value, those that the question names, and those that are another idea's answer."""
    rivals = {
        other.answer.casefold()
        for other in neighbours
        if other.id != idea.id and other.relation.casefold() == idea.relation.casefold()
    }
    rejects = {alias: reason for alias in idea.aliases if (reason := _fault(idea, alias, rivals))}
    kept = tuple(alias for alias in idea.aliases if alias not in rejects)
    found = tuple(
        Reject(stage="distill", item=f"idea:{idea.id}", reason=reason, detail=f"{alias}, for {idea.answer}")
        for alias, reason in rejects.items()
    )
    return Checked(idea.model_copy(update={"aliases": kept}) if rejects else idea, found)


def _fault(idea: Idea, alias: str, rivals: set[str]) -> str:
    if idea.answer_kind == "number" and not _same_value(idea.answer, alias):
        return "alias_differs"
    if given_away(idea, alias):
        return "alias_in_question"
    same_word = alias.casefold() == idea.answer.casefold()
    return "alias_ambiguous" if alias.casefold() in rivals and not same_word else ""


def _same_value(answer: str, alias: str) -> bool:
    """Numbers are equal, or one is the other as a share of a hundred; texts without a number can't be compared."""
    left, right = _value(answer), _value(alias)
    if left is None or right is None:
        return True
    is_share = bool(re.search(r"%|per\s?cent", f"{answer} {alias}", re.IGNORECASE))
    factors = (1.0, 100.0, 0.01) if is_share else (1.0,)
    return any(abs(left - right * factor) <= TOLERANCE * max(abs(left), 1.0) for factor in factors)


def _value(text: str) -> float | None:
    """Its number; a compound in words ("sixty-four") counts as none, its last part would say another one."""
    if any(char.isdigit() for char in text):
        return number_value(text)
    words = re.findall(r"[a-z]+(?:-[a-z]+)*", text.casefold())
    return next((float(WORD_NUMBERS.index(word)) for word in words if word in WORD_NUMBERS), None)


def given_away(idea: Idea, answer: str) -> bool:
    """The question would already hold the answer: as a run of whole words, or as a number of the same value."""
    question = f"{idea.subject} {idea.relation}"
    if _spaced(answer) in _spaced(question):
        return True
    value = number_value(answer) if idea.answer_kind == "number" else None
    return value is not None and any(number_value(word) == value for word in _words(question))


def _spaced(text: str) -> str:
    return f" {' '.join(_words(text))} "


def _words(text: str) -> list[str]:
    return re.findall(r"[\w.%]+", text.casefold())
