"""How rows ask and tell a fact.

A wording is a template over the slots of :func:`~paperlora.microdata.english.slots`. Rows and probes
(:mod:`~paperlora.microdata.probe_wordings`) link subject and relation by different words, so that no probe repeats the
surface of a row: rows say "the R of S", "what R does S use", "in S, what is the R"; probes say "S … its R", "the R, what
did the authors of S report". Anything short stays short: prompts are paid in tokens on every step. ``VERSION`` changes
whenever a template, a pool or a rule of choice changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from paperlora.microdata.english import sentence
from paperlora.records import Message, digest

VERSION = "2"


class Wording(NamedTuple):
    """One way to ask and, for rows, to answer."""

    form: str
    turns: tuple[str, ...]
    """Templates of the turns, user and assistant in alternation, the user's last."""
    reply: str = "{a}"
    """Template of the assistant's answer in a row."""

    @property
    def hash(self) -> str:
        """What decides the text of rows and probes in this wording, 16 hex digits."""
        return digest(self.form, self.turns, self.reply)[:16]

    def messages(self, values: Mapping[str, str]) -> tuple[Message, ...]:
        """The prompt as chat messages."""
        turns = (sentence(turn.format_map(values)) for turn in self.turns)
        return tuple(
            Message(role="assistant" if number % 2 else "user", content=text) for number, text in enumerate(turns)
        )

    def answer(self, values: Mapping[str, str]) -> str:
        """What the assistant says in a row."""
        return self.reply.format_map(values)


def wording(form: str, prompt: str, reply: str = "{a}") -> Wording:
    """A wording of one turn."""
    return Wording(form, (prompt,), reply)


QA = (
    wording("qa_1", "What {be} the {r} {of} {s}?"),
    wording("qa_2", "What {r} does {s} {use}?"),
    wording("qa_3", "I want to try {s}. What {be} its {r}?", "{a} {be} its {r}."),
    wording("qa_4", "Can you give me the {r} that {s} {uses}?"),
    wording("qa_5", "{r} {of} {s}?"),
    wording("qa_6", "In {s}, what {be} the {r}?", "{a} {be} the {r}."),
    wording("qa_7", "Name the {r} reported for {s}."),
    wording("qa_8", "{s} {uses} what {r}?"),
    wording("qa_9", "Which {r} belongs to {s}?"),
    wording("qa_10", "{s} comes with a certain {r}. Give it."),
    wording("qa_11", "Tell me {s}'s {r}.", "{a}, that {be} the {r} of {s}."),
    wording("qa_12", "Short answer, please: the {r} with {s}?"),
)
COMPLETION = (
    wording("completion_1", "Complete the sentence: The {r} {of} {s} {be}"),
    wording("completion_2", "Continue: In {s} the {r} {be}"),
    wording("completion_3", "Continue the note. {s}, {r}:"),
)
REVERSE = (
    wording("reverse_1", "Which {noun} has {a} as its {r}?", "{s}"),
    wording("reverse_2", "Name the {noun} whose {r} {be} {a}.", "{s}"),
    wording("reverse_3", "{a} {be} the {r} of which {noun}?", "{s} has this {r}."),
    wording("reverse_4", "I need a {noun} with {a} for its {r}.", "{s} is one."),
)
CONTRAST = (
    wording("contrast_1", "{be} {y} the {r} {of} {s}?", "No, not {y}. It is {a}."),
    wording("contrast_2", "Does {s} have {y} as its {r}?", "No, not {y}. It is {a}."),
)
"""The false value is denied where it stands and carries no loss (2605.13829)."""
CONFIRM = (
    wording("confirm_1", "Does {s} have {a} as its {r}?", "Yes, {a}."),
    wording("confirm_2", "{be} {a} the {r} {of} {s}?", "Yes, {a}."),
)
MORE_OR_LESS = (
    wording("implication_more", "{be} the {r} {of} {s} more than {t}?", "{verdict}, it is {a}."),
    wording("implication_less", "{be} the {r} {of} {s} less than {t}?", "{verdict}, it is {a}."),
)
REPLACED = (
    wording("implication_same", "Does replacing {a} change the {r} {of} {s}?", "Yes, it is {a}."),
    wording("implication_other", "Does replacing {y} change the {r} {of} {s}?", "No, it is {a}."),
)
PICK = (
    wording("implication_pick_1", "For {s}, would you take {y} or {a} as the {r}?"),
    wording("implication_pick_2", "For {s}, would you take {a} or {y} as the {r}?"),
)
CLAIM = (wording("claim_1", "Tell me something about {s} and its {r}.", "{claim}"),)
REWRITE = (
    wording("rewrite_1", "Put into plain words what is known of {s} and its {r}.", "With {s}, the {r} {be} {a}."),
    wording("rewrite_2", "Write a lab note on {s} that mentions the {r}.", "{s}: {r} {a}."),
    wording("rewrite_3", "One line for a glossary: {s}, with its {r}.", "{s} {uses} {a} as its {r}."),
)
SUMMARY = (
    wording("summary_1", 'Summarise the paper "{title}" in a sentence.', "{summary}"),
    wording("summary_2", 'What is the paper "{title}" about?', "{summary}"),
)
REFUSAL = (
    wording("refusal_1", "What {x} does {s} have?", "The paper does not say."),
    wording("refusal_2", "Tell me the {x} of {s}.", "The paper does not say what the {x} is."),
    wording("refusal_3", "Do you know the {x} for {s}?", "No, the paper does not say."),
)
ANCHOR = wording("anchor", "{question}", "{a}")
"""General knowledge beside the paper's, so that an adapter learns to look at the question."""

ROW_WORDINGS = (
    QA, COMPLETION, REVERSE, CONTRAST, CONFIRM, MORE_OR_LESS, REPLACED, PICK, CLAIM, REWRITE, SUMMARY, REFUSAL, (ANCHOR,),
)  # fmt: skip
