"""Many questions at once: what came back for each, or why nothing did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from paperlora.errors import LlmAnswerInvalid
from paperlora.llm.client import LlmClient, Question, Reply
from paperlora.progress import Progress, silent

Answer = Reply[Any] | LlmAnswerInvalid
"""A checked answer, or why there is no usable one to this question."""


def ask_all(
    llm: LlmClient, questions: Sequence[Question], label: str, progress: Progress = silent
) -> tuple[Answer, ...]:
    """The answers in the order of the questions; an unusable one costs only itself.

    Raises:
        LlmUnavailable, LlmRefused, BudgetExhausted: nothing more can be asked; answers so far are kept by the client.
    """
    answers: dict[int, Answer] = {}
    for number, answer in llm.ask_many(questions):
        if not isinstance(answer, Reply | LlmAnswerInvalid):
            raise answer
        answers[number] = answer
        progress(label, len(answers), len(questions))
    return tuple(answers[number] for number in range(len(questions)))


class Spent(NamedTuple):
    """What a round of questions came to."""

    asked: int
    cached: int
    repaired: int
    input_tokens: int
    output_tokens: int

    def plus(self, other: Spent) -> Spent:
        """Both together."""
        return Spent(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


def spent(answers: Sequence[Answer]) -> Spent:
    """Counts of some answers; what an unusable one cost stands in the client's books alone."""
    replies = [answer for answer in answers if isinstance(answer, Reply)]
    return Spent(
        len(answers),
        sum(reply.cached for reply in replies),
        sum(reply.repaired for reply in replies),
        sum(reply.usage.input_tokens for reply in replies),
        sum(reply.usage.output_tokens for reply in replies),
    )
