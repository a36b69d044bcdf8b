"""Waiting for what other threads and processes do, as long as a busy machine may take and no longer."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 120.0
"""Seconds after which what was waited for never comes; a machine with much other work is slow, not broken."""


def until(holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return as soon as it holds; fail when it doesn't within so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it didn't come to that within {seconds:g} s"
        time.sleep(0.005)
