"""What every SQLite file of the project needs that several processes open at once."""

from __future__ import annotations

import sqlite3

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random


def switch_to_wal(connection: sqlite3.Connection, seconds: float) -> None:
    """Let readers go on while one writes.

    Of two processes that find a new file and both want to switch it, SQLite sends one away at once, without the wait that
    ``busy_timeout`` asks for: each would wait for the other's read lock. The next try finds the switch made.

    Args:
        connection: a connection of :mod:`sqlite3`, outside of any transaction.
        seconds: how long a file that others keep locked is waited for.

    Raises:
        sqlite3.OperationalError: it stayed locked, or is no database.
    """
    patiently = Retrying(
        retry=retry_if_exception(is_busy), wait=wait_random(0.01, 0.1), stop=stop_after_delay(seconds), reraise=True
    )
    patiently(connection.execute, "PRAGMA journal_mode=WAL")


def is_busy(error: BaseException) -> bool:
    """Somebody else holds the file; it may be free the next moment."""
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
