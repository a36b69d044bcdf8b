"""How long a source is tried, and what its statuses mean."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

from paperlora.errors import SourceAnswerInvalid, SourceError, SourceRefused, SourceResting, SourceUnavailable

T = TypeVar("T")
ATTEMPTS = 4
LONGEST_WAIT = 120.0
"""Seconds; a source that asks for more is given up for this run and tried again by the next one."""
JITTER = 0.25
"""A back-off is longer by up to this share, at random, so that several clients don't come back at the same moment."""
TRANSIENT_STATUS = frozenset({408, 425, 429})


class Patience(NamedTuple):
    """How long a source is tried."""

    base_seconds: float
    """Wait before the second attempt; it doubles with each further one."""
    attempts: int = ATTEMPTS
    jitter: float = 0.0
    """Share by which a wait is longer at random."""
    longest_rest: float = LONGEST_WAIT
    """Seconds; a broken host that is left alone for longer is given up for now."""


def patiently(call: Callable[[], T], patience: Patience) -> T:
    """The result of ``call``, which is made again after transient errors.

    Raises:
        SourceError: the last one, when the attempts are used up, the wait would be too long or it isn't transient.
    """
    waits = _Waits(patience)
    retrying = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, SourceError) and error.transient),
        stop=waits.enough,
        wait=waits.next,
        reraise=True,
    )
    return retrying(lambda: waits.counted(call))


class _Waits:
    """The waits between attempts: doubled, jittered, and never shorter than the source asks for. Finding a host at rest is
    no attempt, for nothing was asked."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._asked = self._rested = 0

    def counted(self, call: Callable[[], T]) -> T:
        try:
            self._asked += 1
            return call()
        except SourceResting:
            self._asked -= 1
            self._rested += 1
            raise

    def next(self, state: RetryCallState) -> float:
        error = _error_of(state)
        asked = getattr(error, "retry_after", None) or 0.0
        doubled = 0.0 if isinstance(error, SourceResting) else self._patience.base_seconds * 2.0 ** (self._asked - 1)
        return max(asked, min(doubled, LONGEST_WAIT) * (1 + random.uniform(0, self._patience.jitter)))

    def enough(self, state: RetryCallState) -> bool:
        error = _error_of(state)
        asked = getattr(error, "retry_after", None) or 0.0
        broken = isinstance(error, SourceResting) and error.broken
        longest = self._patience.longest_rest if broken else LONGEST_WAIT
        return max(self._asked, self._rested) >= self._patience.attempts or asked > longest


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def check_status(source: str, status: int, headers: Mapping[str, str], detail: str = "") -> None:
    """Nothing for a good status, else the error that fits.

    Raises:
        SourceUnavailable: 408, 425, 429 and 5xx.
        SourceRefused: any other 4xx.
        SourceAnswerInvalid: a status that is no answer to the request.
    """
    if status == 200:
        return
    if status in TRANSIENT_STATUS or status >= 500:
        raise SourceUnavailable(f"{source} answers {status}.", retry_after=retry_after(headers))
    if status >= 400:
        raise SourceRefused(
            f"{source} refuses the request with {status}{': ' if detail else ''}{detail}.", _remedy(status), status
        )
    raise SourceAnswerInvalid(f"{source} answers {status} where 200 is due.")


def _remedy(status: int) -> str | None:
    return "The key was not accepted: correct it in the environment, or unset it." if status in (401, 403) else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the header Retry-After asks to wait; None where there is none or it can't be read."""
    value = headers.get("retry-after") or headers.get("Retry-After")
    if not value:
        return None
    try:
        seconds = float(value)
        return max(seconds, 0.0) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
