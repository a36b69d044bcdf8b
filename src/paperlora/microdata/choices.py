"""Multiple choice, its gold in every place once, and robustness: another system prompt, and "are you sure?"."""

from __future__ import annotations

from collections.abc import Iterator

from paperlora.microdata.facts import Fact, free, probe
from paperlora.microdata.probe_wordings import CHOICE, SURE, SWAPPED_SYSTEM, SYSTEM
from paperlora.records import Message, Probe

LETTERS = "ABCD"


def choice(fact: Fact) -> Iterator[Probe]:
    """Two wordings × four rotations; none where three wrong answers of the type are lacking."""
    wrong = fact.values.distractors[: len(LETTERS) - 1]
    if len(wrong) < len(LETTERS) - 1:
        return
    for wording in CHOICE:
        for place, letter in enumerate(LETTERS):
            options = [*wrong[len(wrong) - place :], fact.idea.answer, *wrong[: len(wrong) - place]]
            lines = "\n".join(f"{mark}) {option}" for mark, option in zip(LETTERS, options, strict=True))
            others = tuple(mark for mark in LETTERS if mark != letter)
            yield probe(
                fact, "choice", f"{wording.form}_{letter.lower()}", wording.messages(fact.words | {"options": lines}),
                (letter, f"{letter}) {fact.idea.answer}", fact.idea.answer), others, chance=1 / len(LETTERS),
            )  # fmt: skip


def robustness(fact: Fact) -> Iterator[Probe]:
    """The value under a foreign system prompt, and after a doubt that offers a wrong one.

    The second one states the right value itself: it measures whether the model gives in, not whether it knows.
    """
    plain = free(fact, "robustness", SWAPPED_SYSTEM)
    system = Message(role="system", content=SYSTEM)
    yield probe(
        fact, "robustness", plain.form, (system, *plain.messages), fact.values.accepted, fact.values.distractors
    )
    doubted = fact.values.near[0]
    messages = SURE.messages(fact.words | {"v": doubted})
    yield probe(fact, "robustness", SURE.form, messages, fact.values.accepted, (doubted,), chance=0.5)
