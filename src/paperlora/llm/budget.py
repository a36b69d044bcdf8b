"""Money and tokens of one process: reserved before a request, settled after it."""

from __future__ import annotations

import threading
from typing import NamedTuple

from paperlora.errors import BudgetExhausted, SettingsError
from paperlora.settings import LlmSettings


class Usage(NamedTuple):
    """Tokens of one answer or of many."""

    input_tokens: int
    output_tokens: int

    def plus(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens)


class Budget:
    """What was spent, and whether the next request may be made. Safe between threads.

    Raises:
        SettingsError: a budget is set but no price to count with.
    """

    def __init__(self, settings: LlmSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._reserved = 0.0
        self.spent = Usage(0, 0)
        self.requests = 0
        if settings.budget_usd is not None and not (settings.usd_per_million_input or settings.usd_per_million_output):
            raise SettingsError(
                "llm.budget_usd is set, but no price.",
                "Set llm.usd_per_million_input and llm.usd_per_million_output too.",
            )

    @property
    def usd(self) -> float:
        """Money spent so far."""
        return self._cost(self.spent)

    def reserve(self, most: Usage) -> float:
        """Set money aside for a request that will use at most this.

        Raises:
            BudgetExhausted: it could cost more than is left.
        """
        cost = self._cost(most)
        with self._lock:
            limit = self._settings.budget_usd
            if limit is not None and self.usd + self._reserved + cost > limit:
                raise BudgetExhausted(
                    f"The LLM budget of {limit:g} USD is spent: {self.usd:.4f} USD for {self.requests} requests."
                )
            self._reserved += cost
        return cost

    def settle(self, reserved: float, used: Usage | None) -> None:
        """Give back what was set aside and book what was used; None where the request failed."""
        with self._lock:
            self._reserved -= reserved
            if used is not None:
                self.spent = self.spent.plus(used)
                self.requests += 1

    def _cost(self, usage: Usage) -> float:
        prices = self._settings
        return (
            usage.input_tokens * prices.usd_per_million_input + usage.output_tokens * prices.usd_per_million_output
        ) / 1e6
