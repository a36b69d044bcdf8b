"""Manners of a client: a pause between requests, bounded retries, Retry-After obeyed, statuses as errors of the tree."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

from paperlora.errors import SourceAnswerInvalid, SourceError, SourceRefused, SourceUnavailable

T = TypeVar("T")
ATTEMPTS = 4
LONGEST_WAIT = 120.0
"""Seconds; a source that asks for more is given up for this run and tried again by the next one."""
TRANSIENT_STATUS = frozenset({408, 425, 429})


class Patience(NamedTuple):
    """How long a source is tried."""

    base_seconds: float
    """Wait before the second attempt; it doubles with each further one."""
    attempts: int = ATTEMPTS


def patiently(call: Callable[[], T], patience: Patience) -> T:
    """The result of ``call``, which is made again after transient errors.

    Raises:
        SourceError: the last one, when the attempts are used up, the wait would be too long or it isn't transient.
    """
    retrying = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, SourceError) and error.transient),
        stop=lambda state: state.attempt_number >= patience.attempts or _wait(state, patience) > LONGEST_WAIT,
        wait=lambda state: _wait(state, patience),
        reraise=True,
    )
    return retrying(call)


def _wait(state: RetryCallState, patience: Patience) -> float:
    asked = getattr(state.outcome.exception(), "retry_after", None) if state.outcome else None
    doubled = patience.base_seconds * 2.0 ** (state.attempt_number - 1)
    return max(asked or 0.0, min(doubled, LONGEST_WAIT))


class Pace:
    """At most one request in ``seconds``, over all threads that share it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Sleep until the next request may be made."""
        with self._lock:
            time.sleep(max(self._next - time.monotonic(), 0.0))
            self._next = time.monotonic() + self._seconds


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
            f"{source} refuses the request with {status}{': ' if detail else ''}{detail}.", remedy=_remedy(status)
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
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
