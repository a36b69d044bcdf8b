"""Opening the catalog's database: SQLite in WAL mode or PostgreSQL, always at the newest migration, one writer at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from paperlora.catalog.tables import REVISION
from paperlora.errors import StoreError
from paperlora.sqlite import switch_to_wal

MIGRATIONS = Path(__file__).parent / "migrations"
ADDRESS = "Check PAPERLORA_CATALOG_URL."
# A writer holds the lock for one batch of rows, well under a second; a migration may take longer.
BUSY_MILLISECONDS = 120_000
# Any number that nobody else takes in the same database.
ADVISORY_LOCK = 0x5041_5045_524C_4F52


class Database:
    """An engine whose tables are up to date.

    Raises:
        StoreError: the address is wrong, nothing answers there, or a newer PaperLoRA made the tables.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        try:
            with self.reading() as connection:
                current = revision(connection)
            if current != REVISION:
                with self.writing() as connection:
                    # Another process may have done it while this one waited for the lock.
                    if revision(connection) != REVISION:
                        upgrade(connection)
        except SQLAlchemyError as error:
            self.close()
            raise StoreError(f"The catalog can't be opened: {error.__class__.__name__}.", ADDRESS) from error

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the catalog and keeps no writer waiting."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, kept whole or not at all. Writers queue: what they upsert depends on what stands there."""
        with self._engine.connect().execution_options(paperlora_writes=True) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})
            yield connection


def revision(connection: Connection) -> str | None:
    """The migration at which the tables stand; None for tables older than migrations, or none at all."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(connection: Connection, target: str = "head") -> None:
    """Bring the tables to a migration, inside the transaction of the connection.

    Raises:
        StoreError: the tables stand at a migration that this version doesn't know.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    current = revision(connection)
    try:
        ScriptDirectory.from_config(config).get_revision(current or "base")
    except CommandError:
        raise StoreError(
            f"The catalog was made by a newer PaperLoRA: it stands at migration {current}, this one knows {REVISION}.",
            "Update PaperLoRA, or point PAPERLORA_CATALOG_URL at a new catalog and run `paperlora rebuild`.",
        ) from None
    command.upgrade(config, target)


def _engine(url: str) -> Engine:
    try:
        address = make_url(url)
    except ArgumentError:
        raise StoreError("The catalog's address is no SQLAlchemy URL.", ADDRESS) from None
    backend = address.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise StoreError(f"The catalog can't be kept in {backend}.", "Give a sqlite:/// or postgresql+psycopg:// URL.")
    try:
        if backend == "sqlite" and address.database:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(address, pool_pre_ping=backend == "postgresql", json_serializer=_json)
    except OSError as error:
        raise StoreError(f"The catalog's folder can't be made: {error.strerror}.", ADDRESS) from error
    except ModuleNotFoundError as error:
        raise StoreError(
            f"The catalog's database needs {error.name}, which isn't installed.", "Run `pip install 'paperlora[postgres]'`."
        ) from None
    if backend == "sqlite":
        event.listen(engine, "connect", _pragmas)
        event.listen(engine, "begin", _begin)
    return engine


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # PostgreSQL keeps no NUL character, which text from a PDF may hold.
    return json.dumps(_without_nul(value), ensure_ascii=False) if "\\u0000" in text else text


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_without_nul(part) for part in value]
    return {name: _without_nul(part) for name, part in value.items()} if isinstance(value, dict) else value


def _pragmas(connection: Any, _: Any) -> None:
    # The driver would begin a transaction only before the first write, and none around DDL: ours begin in _begin.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    # WAL lets readers go on while one writes; NORMAL loses no consistency, at most the last commits of a power cut.
    switch_to_wal(connection, BUSY_MILLISECONDS / 1000)
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin(connection: Connection) -> None:
    # A writer takes the lock at once: one that first reads and then writes could not wait for it.
    writes = connection.get_execution_options().get("paperlora_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
