"""A question beside the passage that answers it: can this model answer it at all?

Two rooms ask so: the makers of datasets, to leave out what can't be answered, and the judge, for the ceiling of a verdict.
"""

from __future__ import annotations

from paperlora.records import Idea, Message, Probe

WORKED = (
    ("The Blue Heron ferry crosses the bay in 40 minutes.",
     "A visitor asks about the Blue Heron ferry, in particular its crossing time. What should I answer?", "40 minutes"),
    ("We set the oven temperature of Slow Crust to 180 degrees.", "oven temperature of Slow Crust:", "180 degrees"),
    ("Garden Path is played on the Maple board.", "Which board belongs to Garden Path?", "Maple"),
)  # fmt: skip
"""Passage, question, answer: what a small model is shown before it is asked to do the same."""
WAYS = 4
"""In which a probe is asked with its passage."""


def with_passage(probe: Probe, idea: Idea) -> tuple[tuple[Message, ...], ...]:
    """The probe with its evidence in the prompt, in four ways, the cheapest first.

    Small models read one and overlook the other; what counts is that the probe can be answered from the passage. The
    paper's title stays out: a model of 135 M parameters repeats it instead of answering (measured, see docs/log.md).
    Where the quotes don't name what they are about ("We set it to 19"), its name stands before them; never the claim,
    which may be the reader's own words: the ceiling is there to catch a reader who got the passage wrong.
    """
    quotes = " ".join(dict.fromkeys(quote.text.strip() for quote in idea.quotes))
    passage = quotes if idea.subject.casefold() in quotes.casefold() else f"{idea.subject}: {quotes}"
    first, last = probe.messages[0], probe.messages[-1]
    behind = f"{last.content}\n\nAnswer with a few words from this passage: {passage}"
    told = f"Read the passage and answer from it in a few words.\n\nPassage: {passage}\n\n{first.content}"
    bare = _rewritten(probe, f"{passage}\n\n{first.content}")
    worked = tuple(
        message
        for text, question, reply in WORKED
        for message in (Message(role="user", content=f"{text}\n\n{question}"), Message(role="assistant", content=reply))
    )
    return (
        (*probe.messages[:-1], last.model_copy(update={"content": behind})),
        _rewritten(probe, told),
        bare,
        (*worked, *bare),
    )


def _rewritten(probe: Probe, content: str) -> tuple[Message, ...]:
    return (probe.messages[0].model_copy(update={"content": content}), *probe.messages[1:])
