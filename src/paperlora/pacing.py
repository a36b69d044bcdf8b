"""One clock for all processes and machines that share a catalog: who may ask which host, and when.

A host has one row in the catalog's database: when the next request may start, who holds the only connection, how often
it failed in a row, and until when it is left alone. Every look at a row is one short transaction, whose time is that of
the database (SQLite has no clock of its own, and all its users are on one machine).
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateTable

from paperlora.errors import SourceResting, StoreError
from paperlora.sqlite import switch_to_wal

LEASE_SECONDS = 20.0
"""A connection whose holder stops renewing it (killed, host lost) is free again after this long."""
BUSY_SECONDS = 15.0
"""Longest wait for a lock of the database."""
POLL_SECONDS = 0.25
"""Longest pause between two looks at a connection that somebody holds."""
OPENS_AFTER = 5
"""Failures in a row after which a host is left alone; then one request at a time tries whether it is back."""
REST_TURNS = 10.0
"""The first rest lasts this many times the pause between two requests (arXiv: 30 s); each further one twice as long."""
LONGEST_REST = 1800.0
"""Seconds."""
LONGEST_PAUSE = 300.0
"""Seconds; a time that lies further ahead was written before a clock was set back, and binds nobody."""
LONGEST_ASKED = 86_400.0
"""Seconds; a host that asks for more (or for years, by mistake) is asked again after a day."""

ADVISORY_LOCK = 0x5041_5045_524C_4F52
"""PostgreSQL's lock for changes of the tables; the catalog's migrations take the same."""

PACES = sa.Table(
    "paces",
    sa.MetaData(),
    sa.Column("host", sa.String, primary_key=True),
    sa.Column("next_at", sa.Double, nullable=False, server_default="0"),
    sa.Column("holder", sa.String, nullable=False, server_default=""),
    sa.Column("lease_until", sa.Double, nullable=False, server_default="0"),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("open_until", sa.Double, nullable=False, server_default="0"),
)
"""Times are seconds since 1970."""


class Pace(NamedTuple):
    """A host's row, and the time at which it was read."""

    now: float
    next_at: float
    holder: str
    lease_until: float
    failures: int
    open_until: float


class Turn:
    """A host's turn, while its request is made."""

    def __init__(self) -> None:
        self._answered: float | None = None

    def answered(self) -> None:
        """The host begins to answer: the request has reached it, so the pause may count from here."""
        self._answered = time.monotonic()

    @property
    def since_answer(self) -> float:
        """Seconds since the host began to answer; 0 while nobody said so."""
        return 0.0 if self._answered is None else time.monotonic() - self._answered


class Pacer:
    """Turns at hosts, shared by everybody who opens the same database. Safe between threads.

    Args:
        url: SQLAlchemy address of the catalog: SQLite or PostgreSQL. It is opened at the first turn that needs it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: sa.Engine | None = None
        self._troubled: set[str] = set()
        self._opening = threading.Lock()

    def close(self) -> None:
        """Give the connections back."""
        if self._engine is not None:
            self._engine.dispose()

    @contextmanager
    def turn(self, host: str, seconds: float, exclusive: bool = False) -> Iterator[Turn]:
        """Wait until the host may be asked, and hold the turn while it is.

        Args:
            host: name of what is paced; hosts that share a limit share a name.
            seconds: pause between two requests. With 0 and not ``exclusive``, a host without trouble costs nothing.
            exclusive: one connection at a time. Its lease is renewed while the turn lasts, and the pause counts from
                :meth:`Turn.answered`, so that requests never reach the host closer together than ``seconds``.

        Raises:
            SourceResting: the host is left alone for now; ``retry_after`` says how long.
            StoreError: the database can't be used.
        """
        if seconds == 0 and not exclusive and host not in self._troubled:
            yield Turn()
            return
        holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}" if exclusive else ""
        while wait := self._ask(host, seconds, holder):
            time.sleep(wait)
        turn = Turn()
        if not exclusive:
            yield turn
            return
        with self._leased(host, seconds, holder, turn):
            yield turn

    def failed(self, host: str, seconds: float = 3.0, asked: float | None = None) -> None:
        """Count a failed request.

        Args:
            seconds: pause between two requests at this host, from which its rests are measured.
            asked: seconds for which the host asked to be left alone (Retry-After).
        """
        with self._row(host) as (connection, pace):
            failures = pace.failures + 1
            rest = rest_of(failures, seconds) if failures >= OPENS_AFTER else 0.0
            until = max(pace.open_until, pace.now + max(rest, min(asked or 0.0, LONGEST_ASKED)))
            _write(connection, host, failures=failures, open_until=until)
        self._troubled.add(host)

    def succeeded(self, host: str) -> None:
        """End a host's row of failures. Costs nothing where there was none."""
        if host not in self._troubled:
            return
        with self._row(host) as (connection, pace):
            # A pause that the host itself asked for outlasts the success of a request that was under way.
            until = 0.0 if pace.failures >= OPENS_AFTER else pace.open_until
            _write(connection, host, failures=0, open_until=until)
        self._troubled.discard(host)

    def _ask(self, host: str, seconds: float, holder: str) -> float:
        """Take the turn (0) or learn how many seconds to wait before the next look."""
        with self._row(host) as (connection, pace):
            if pace.failures:
                self._troubled.add(host)
            if 0 < pace.open_until - pace.now <= LONGEST_ASKED:
                raise _resting(host, pace)
            if 0 < pace.lease_until - pace.now <= LONGEST_PAUSE:
                return max(min(pace.lease_until - pace.now, POLL_SECONDS), 0.001)
            if 0 < pace.next_at - pace.now <= max(seconds, LONGEST_PAUSE):
                return pace.next_at - pace.now
            taken: dict[str, Any] = {"next_at": pace.now + seconds}
            if holder:
                taken |= {"holder": holder, "lease_until": pace.now + LEASE_SECONDS}
            if pace.failures >= OPENS_AFTER:  # half open: the others wait for what comes of this one request
                taken["open_until"] = pace.now + rest_of(pace.failures, seconds)
            _write(connection, host, **taken)
        return 0.0

    @contextmanager
    def _leased(self, host: str, seconds: float, holder: str, turn: Turn) -> Iterator[None]:
        done = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(host, holder, done), name=f"lease {host}", daemon=True)
        renewing.start()
        try:
            yield
        finally:
            done.set()
            renewing.join()
            with self._row(host) as (connection, pace):
                if pace.holder == holder:
                    next_at = max(pace.next_at, pace.now - turn.since_answer + seconds)
                    _write(connection, host, holder="", lease_until=0.0, next_at=next_at)

    def _renew(self, host: str, holder: str, done: threading.Event) -> None:
        while not done.wait(LEASE_SECONDS / 4):
            try:
                with self._row(host) as (connection, pace):
                    if pace.holder != holder:
                        return
                    _write(connection, host, lease_until=pace.now + LEASE_SECONDS)
            except StoreError:
                continue  # the lease outlasts three more tries; without it the turn is somebody else's

    @contextmanager
    def _row(self, host: str) -> Iterator[tuple[sa.Connection, Pace]]:
        """A host's row, locked until the end of the block."""
        try:
            with self._opened().begin() as connection:
                yield connection, _read(connection, host)
        except SQLAlchemyError as error:
            raise _unusable(error) from error

    def _opened(self) -> sa.Engine:
        with self._opening:
            if self._engine is None:
                try:
                    engine = _open(self._url)
                    with engine.begin() as connection:
                        _create(connection)
                except (SQLAlchemyError, OSError, ModuleNotFoundError) as error:
                    raise _unusable(error) from error
                self._engine = engine
            return self._engine


def rest_of(failures: int, seconds: float) -> float:
    """Seconds that a host is left alone after so many failures in a row; ``seconds`` is the pause between two requests."""
    return min(REST_TURNS * seconds * 2.0 ** min(failures - OPENS_AFTER, 30), LONGEST_REST)


def _resting(host: str, pace: Pace) -> SourceResting:
    seconds = pace.open_until - pace.now
    broken = pace.failures >= OPENS_AFTER
    why = f"after {pace.failures} failed requests in a row" if broken else "as it asked for"
    message = f"{host} is left alone for another {seconds:.0f} s, {why}."
    return SourceResting(message, retry_after=seconds, broken=broken)


def _create(connection: sa.Connection) -> None:
    if sa.inspect(connection).has_table(PACES.name):
        return
    if connection.dialect.name == "postgresql":
        # There IF NOT EXISTS alone fails where two create it at once.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK)))
    connection.execute(CreateTable(PACES, if_not_exists=True))


def _read(connection: sa.Connection, host: str) -> Pace:
    query = sa.select(PACES).where(PACES.c.host == host).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(PACES).values(host=host).on_conflict_do_nothing())
        row = connection.execute(query).one()
    now = time.time()
    if connection.dialect.name == "postgresql":
        now = float(connection.scalar(sa.text("SELECT extract(epoch FROM clock_timestamp())")) or 0.0)
    return Pace(now, row.next_at, row.holder, row.lease_until, row.failures, row.open_until)


def _write(connection: sa.Connection, host: str, **values: Any) -> None:
    connection.execute(sa.update(PACES).where(PACES.c.host == host).values(**values))


def _open(url: str) -> sa.Engine:
    if not url.startswith("sqlite"):
        engine = sa.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": int(BUSY_SECONDS)})
        sa.event.listen(
            engine, "begin", lambda c: c.exec_driver_sql(f"SET LOCAL lock_timeout = {int(BUSY_SECONDS * 1000)}")
        )
        return engine
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    sa.event.listen(engine, "connect", _prepare)
    # A transaction that only later wants to write can fail with "locked" at once; this one queues for its lock.
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _prepare(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # sqlite3 would begin transactions in its own way
    switch_to_wal(connection, BUSY_SECONDS)
    connection.execute("PRAGMA synchronous=NORMAL")


def _unusable(error: Exception) -> StoreError:
    cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    return StoreError(
        f"The catalog, which keeps the pace of all processes, can't be used: {cause}.",
        "Check PAPERLORA_CATALOG_URL, and that nothing holds the database locked; PostgreSQL needs paperlora[postgres].",
    )
