"""Tokens of answers, and what they cost."""

from __future__ import annotations

from typing import NamedTuple

from paperlora.settings import LlmSettings


class Usage(NamedTuple):
    """Tokens of one answer or of many."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    """Of the input: found in the provider's prefix cache, where it says so."""
    reasoning_tokens: int = 0
    """Of the output: spent on thinking, where the endpoint says so."""

    @property
    def total(self) -> int:
        """Input and output."""
        return self.input_tokens + self.output_tokens

    def plus(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def usd(self, prices: LlmSettings, share: float = 1.0) -> float:
        """Money at the settings' prices; ``share`` of it for a request in a batch."""
        cached = prices.usd_per_million_cached_input
        cheap = prices.usd_per_million_input if cached is None else cached
        full = self.input_tokens - self.cached_tokens
        paid = full * prices.usd_per_million_input + self.cached_tokens * cheap
        return share * (paid + self.output_tokens * prices.usd_per_million_output) / 1e6


NOTHING = Usage(0, 0)


def tokens_of(text: str) -> int:
    """Tokens of a text where nobody counts them: one for three bytes, rather too many than too few."""
    return len(text.encode("utf-8", "replace")) // 3 + 1
