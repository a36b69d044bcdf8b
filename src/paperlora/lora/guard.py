"""Answers that no micro-dataset teaches: what an adapter loses on them while it is trained.

They draw a line of damage beside the dose curve, and may end a training. They are not the judge's pools: what steers
training can't judge it.
"""

from __future__ import annotations

from paperlora.model.answers import Continuation
from paperlora.records import Message

_TALK = (
    ("Why do leaves change colour in autumn?", "As days grow shorter, trees stop making chlorophyll, and yellow and orange pigments that were hidden all summer begin to show."),
    ("How do I boil an egg?", "Put the egg into boiling water, let it simmer for eight minutes, then cool it under cold water before you peel it."),
    ("Write one sentence about the sea.", "The sea rolled against the dark rocks while gulls cried over the empty harbour."),
    ("What does a translator do?", "A translator reads a text in one language and writes it down in another, keeping its meaning and its tone."),
    ("Give me a short piece of advice for a first day at work.", "Arrive a little early, listen more than you speak, and write down the names of the people you meet."),
    ("What is a library for?", "A library collects books and other works so that everyone may read them without buying them."),
    ("Sort these numbers: 9, 4, 7.", "4, 7, 9"),
    ("Is a whale a fish?", "No, a whale is a mammal: it breathes air and feeds its young with milk."),
)  # fmt: skip


def unrelated(slot: int) -> list[Continuation]:
    """The answers as they are scored for the adapter in a slot."""
    return [Continuation((Message(role="user", content=asked),), answered, slot) for asked, answered in _TALK]
