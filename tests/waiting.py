"""Waiting for what other threads and processes do, as long as a busy machine may take and no longer."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 120.0
"""Seconds after which what was waited for never comes; a machine with much other work is slow, not broken."""


def until(holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return as soon as it holds; fail when it doesn't within so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it didn't come to that within {seconds:g} s"
        time.sleep(0.005)


@contextmanager
def being_made(file: Path, seconds: float = 0.3) -> Iterator[None]:
    """A new SQLite file that another is writing to when the block begins, and for so many seconds.

    SQLite sends whoever wants to switch such a file to WAL away at once, whatever busy_timeout says.
    """
    first = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    first.execute("BEGIN IMMEDIATE")
    first.execute("CREATE TABLE another (id)")
    release = threading.Timer(seconds, first.commit)
    release.start()
    try:
        yield
    finally:
        release.join()
        first.close()
