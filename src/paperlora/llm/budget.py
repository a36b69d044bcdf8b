"""Money and tokens of one run: set aside before a request, booked after it, over all processes of the run."""

from __future__ import annotations

import os
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import NamedTuple

from paperlora.errors import BudgetExhausted, SettingsError
from paperlora.llm.book import Book, Call, Hold, Limits
from paperlora.llm.usage import NOTHING, Usage
from paperlora.settings import LlmSettings

__all__ = ["Account", "Budget", "Usage"]


class Account(NamedTuple):
    """Whose questions these are."""

    run: str = ""
    """Equal in all processes that share one budget, such as the id of the nightly run; empty: this process alone."""
    stage: str = ""
    """For the account: ``distill``, ``reflect`` …"""
    night: str = ""
    """ISO date; empty for today (UTC)."""


class Budget:
    """What a run spent, and whether the next request may be made. Safe between threads.

    Raises:
        SettingsError: a budget in money is set but no price to count with.
    """

    def __init__(self, settings: LlmSettings, book: Book | None = None, account: Account = Account()) -> None:  # noqa: B008
        self._settings, self._book = settings, book
        run = account.run or f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.account = account._replace(run=run, night=account.night or f"{datetime.now(UTC):%Y-%m-%d}")
        self._lock = threading.Lock()
        self._held: dict[str, Hold] = {}
        self.spent = NOTHING
        """Tokens of this process."""
        self.requests = 0
        """Answered requests of this process."""
        self._usd = 0.0
        if settings.budget_usd is not None and not (settings.usd_per_million_input or settings.usd_per_million_output):
            raise SettingsError(
                "llm.budget_usd is set, but no price.",
                "Set llm.usd_per_million_input and llm.usd_per_million_output too.",
            )
        if book is not None:
            book.open_run(run)

    @property
    def usd(self) -> float:
        """Money that this process spent so far."""
        return self._usd

    @property
    def limits(self) -> Limits:
        """The most a run may spend."""
        return Limits(self._settings.budget_usd, self._settings.budget_tokens)

    @property
    def bounded(self) -> bool:
        """There is a limit at all."""
        return self.limits != (None, None)

    @property
    def written(self) -> bool:
        """It is kept in a book, on disk."""
        return self._book is not None

    @property
    def under_way(self) -> int:
        """Requests of this process that money is set aside for."""
        return len(self._held)

    def reserve(self, most: Usage, seconds: float, share: float = 1.0, name: str = "") -> Hold:
        """Set money and tokens aside for a request that will use at most this.

        Args:
            seconds: until it is given back if this process dies.
            share: of the price, for a request in a batch.
            name: under which another process may give it back.

        Raises:
            BudgetExhausted: it could cost more than is left.
        """
        usd = most.usd(self._settings, share)
        hold = Hold(name or uuid.uuid4().hex, self.account.run, usd, most.total, time.time() + seconds)
        if self.bounded and not (self._book.hold(hold, self.limits) if self._book else self._fits(hold)):
            raise BudgetExhausted(self._said())
        with self._lock:
            self._held[hold.id] = hold
        return hold

    def settle(self, hold: Hold | None, used: Usage | None, paper: str = "", share: float = 1.0) -> None:
        """Give back what was set aside and book what was used; None where the request failed."""
        usd = used.usd(self._settings, share) if used else 0.0
        with self._lock:
            if hold is not None:
                self._held.pop(hold.id, None)
            if used is not None:
                self.spent, self._usd, self.requests = self.spent.plus(used), self._usd + usd, self.requests + 1
        if self._book is None:
            return
        if used is not None:
            self._book.note(self._call(paper, used, usd), hold if self.bounded else None)
        elif hold is not None and self.bounded:
            self._book.release(hold)

    def note_kept(self, paper: str, questions: int) -> None:
        """Write down how many questions of a paper cost nothing."""
        if self._book is not None:
            self._book.note(self._call(paper, NOTHING, 0.0)._replace(requests=0, kept=questions))

    def _call(self, paper: str, used: Usage, usd: float) -> Call:
        account = self.account
        return Call(account.run, account.night, account.stage, paper, self._settings.model, used, usd)

    def _fits(self, wanted: Hold) -> bool:
        with self._lock:
            usd = self._usd + sum(hold.usd for hold in self._held.values()) + wanted.usd
            tokens = self.spent.total + sum(hold.tokens for hold in self._held.values()) + wanted.tokens
        limits = self.limits
        return (limits.usd is None or usd <= limits.usd) and (limits.tokens is None or tokens <= limits.tokens)

    def _said(self) -> str:
        usd, tokens = self._book.spent(self.account.run) if self._book else (self._usd, self.spent.total)
        most = self.limits
        named = ([] if most.usd is None else [f"{most.usd:g} USD"]) + (
            [] if most.tokens is None else [f"{most.tokens:,} tokens"]
        )
        return f"The run's LLM budget of {' and '.join(named)} is spent: {usd:.4f} USD, {tokens:,} tokens."
