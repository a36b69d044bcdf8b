"""An LLM that lies in known ways: true ideas among false ones, each with what must become of it.

It reads with the oracle's eyes and, beside every true idea, proposes others as weak models do: an answer that the quote
does not hold, a number that nobody wrote, a quote that stands nowhere, a claim that its quote does not support, the same
idea in other words, a text that gives orders. Asked to check claims, it answers as the oracle does.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from paperlora.records import digest
from paperlora.sandbox import oracle
from paperlora.sandbox.oracle import Completion
from paperlora.sandbox.paper import Fact, fold

Fate = str
"""``idea``, or the reason of the reject that an item must end in."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
INVENTED = "In a further study that is not shown, {subject} uses a {relation} of {answer} in every single case."
STRANGER = "Zephyr Grafting"
"""A technique that no sandbox paper names."""


class PlantedItem(NamedTuple):
    """One idea that the endpoint proposed."""

    fact: Fact
    """The truth it is, or was made from."""
    fate: Fate
    item: dict[str, Any]


class PlantedReader:
    """A script for :meth:`paperlora.sandbox.server.Sandbox.script_llm`.

    Args:
        facts: the truths of the papers that will be read.
        orders: sentences of the papers that give orders to a reader; one is offered as evidence beside each true idea
            of the section it stands in, as a model that obeys would.
        near_misses: one in so many true ideas comes with a quote that is not quite verbatim.
    """

    def __init__(self, facts: Sequence[Fact], orders: Sequence[str] = (), near_misses: int = 4) -> None:
        self._facts = tuple(facts)
        self._orders = tuple(orders)
        self._near_misses = near_misses
        self._said: dict[str, tuple[PlantedItem, ...]] = {}
        self._lock = threading.Lock()

    def __call__(self, request: Mapping[str, Any]) -> Completion:
        """Answer a question for ideas, or one about claims."""
        text = oracle.request_text(request)
        if oracle.wants_checks(request):
            return oracle.as_asked(request, {"checks": oracle.checks_in(text, self._facts)})
        items = tuple(self._plant(text))
        with self._lock:
            self._said[digest(text)] = items
        return oracle.as_asked(request, {"ideas": [one.item for one in items]})

    @property
    def said(self) -> tuple[PlantedItem, ...]:
        """Everything it proposed, once for each different question."""
        with self._lock:
            return tuple(one for items in self._said.values() for one in items)

    def _plant(self, text: str) -> Iterator[PlantedItem]:
        known = {item["quote"]: item for item in oracle.ideas_in(text, self._facts)}
        here = [fact for fact in self._facts if fact.sentence in known and fold(fact.sentence) in fold(text)]
        for fact, item in ((fact, _item_of(text, fact)) for fact in dict.fromkeys(here)):
            yield PlantedItem(fact, "idea", item | {"quote": self._quote(fact)})
            yield from _lies(fact, item)
        for fact in here[:1]:
            yield from self._obeyed(fact, _item_of(text, fact))

    def _quote(self, fact: Fact) -> str:
        """Mostly verbatim; sometimes with a word too many, as LLMs quote."""
        if int(digest(fact)[:8], 16) % self._near_misses:
            return fact.sentence
        return re.sub(r" (?=\w+[.]?$)", " very ", fact.sentence, count=1)

    def _obeyed(self, fact: Fact, item: dict[str, Any]) -> Iterator[PlantedItem]:
        for order in self._orders:
            number = _NUMBER.search(order)
            changed = {"quote": order, "claim": order, "answer": number[0] if number else fact.answer, "aliases": []}
            yield PlantedItem(fact, "injected", item | changed)


def _item_of(text: str, fact: Fact) -> dict[str, Any]:
    (item,) = oracle.ideas_in(text, (fact,))
    return item


def _lies(fact: Fact, item: dict[str, Any]) -> Iterator[PlantedItem]:
    """What weak models make of a truth, and where it must end."""
    wrong = _wrong(fact)
    subject, relation = fact.subject, fact.relation
    elsewhere = INVENTED.format(subject=subject, relation=relation, answer=fact.answer)
    stranger = item["claim"].replace(subject, STRANGER)
    for fate, changes in (
        ("duplicate", {"subject": subject.upper(), "relation": f"the {relation.upper()}"}),
        ("answer_not_in_quote", {"answer": wrong, "claim": f"{subject} has a {relation} of {wrong}.", "aliases": []}),
        ("number_not_in_quote", {"claim": f"{item['claim'].rstrip('.')}, as 77131 runs show."}),
        ("quote_not_found", {"quote": elsewhere, "claim": elsewhere}),
        ("not_entailed", {"relation": "energy use", "claim": f"{subject} has an energy use of {fact.answer}."}),
        ("subject_not_in_paper", {"subject": STRANGER, "claim": stranger}),
        ("answer_in_question", {"relation": f"{relation} of {fact.answer}"}),
    ):
        yield PlantedItem(fact, fate, item | changes)


def _wrong(fact: Fact) -> str:
    """Another value of the same form that the sentence does not hold: "37 percent" → "75 percent"."""
    number = _NUMBER.search(fact.answer)
    if number is None:
        return "Wyvern-7"
    tried = (f"{float(number[0]) * factor + 1:g}" for factor in (2, 3, 5))
    other = next(value for value in tried if value not in fact.sentence)
    return fact.answer.replace(number[0], other, 1)
