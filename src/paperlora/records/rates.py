"""Shares and differences, each with the bounds that hold it."""

from __future__ import annotations

from paperlora.records.base import Record


class Rate(Record):
    """A share of right answers with its Jeffreys interval."""

    right: int
    asked: int
    low: float
    """2.5% quantile of Beta(right + ½, asked − right + ½)."""
    high: float
    """97.5% quantile."""

    @property
    def share(self) -> float:
        """right / asked; NaN when nothing was asked."""
        return self.right / self.asked if self.asked else float("nan")


class Interval(Record):
    """A number between two bounds that hold it with 95% posterior probability."""

    value: float
    low: float
    high: float
