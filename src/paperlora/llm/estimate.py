"""What a run will ask and cost, before it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from paperlora.llm.asking import Question
from paperlora.llm.usage import Usage, tokens_of
from paperlora.settings import LlmSettings


class Estimate(NamedTuple):
    """Requests, tokens and money of some questions, without repairs."""

    requests: int
    input_tokens: int
    """One for three bytes: rather too many than too few."""
    output_tokens: int
    """At most: every answer as long as allowed."""
    usd: float
    """At most, without prefix caches."""
    cached: int
    """Questions that are answered already and cost nothing."""


def estimated(questions: Sequence[Question], cached: int, settings: LlmSettings) -> Estimate:
    """The estimate for questions that have no answer yet, beside ``cached`` ones that have one."""
    tokens = sum(tokens_of(question.system) + tokens_of(question.user) for question in questions)
    most = Usage(tokens, settings.max_tokens * len(questions))
    share = settings.batch_price_share if settings.batch else 1.0
    return Estimate(len(questions), most.input_tokens, most.output_tokens, most.usd(settings, share), cached)
