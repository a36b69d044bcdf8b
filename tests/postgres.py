"""A real PostgreSQL for the tests: ``pytest_plugins = ["postgres"]`` in a module, then the fixture ``postgres_url``."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

START_SECONDS = 60.0
ADMIN = "paperlora"


class PostgresServer(NamedTuple):
    """A server that listens on a socket in its own folder, and on no port."""

    folder: Path

    def url(self, database: str) -> str:
        """SQLAlchemy URL of one database."""
        return f"postgresql+psycopg://{ADMIN}@/{database}?host={self.folder}"

    def execute(self, statement: str) -> None:
        """Run one statement as administrator."""
        import psycopg

        with psycopg.connect(host=str(self.folder), user=ADMIN, dbname="postgres", autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the whole test session; the tests that want it are skipped where PostgreSQL isn't installed."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="paperlora-pg-", dir="/tmp"))
    user = _unprivileged()
    if user is not None:
        shutil.chown(folder, user)
    try:
        initdb = [programs / "initdb", "-D", folder / "data", "-U", ADMIN, "-A", "trust", "-E", "UTF8", "--no-locale", "-N"]
        subprocess.run(initdb, check=True, capture_output=True, user=user, cwd="/")
        with _running(programs, folder, user) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """URL of a new, empty database that is dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    postgres_server.execute(f"CREATE DATABASE {name}")
    yield postgres_server.url(name)
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _programs() -> Path:
    pytest.importorskip("psycopg", reason="psycopg isn't installed")
    found = shutil.which("postgres")
    places = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "postgres").exists() and (place / "initdb").exists():
            return place
    pytest.skip("PostgreSQL isn't installed")


def _unprivileged() -> str | None:
    # PostgreSQL refuses to run as root.
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def _running(programs: Path, folder: Path, user: str | None) -> Iterator[PostgresServer]:
    options = {"unix_socket_directories": folder, "listen_addresses": "", "fsync": "off", "max_connections": "60"}
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", *arguments], stdout=log, stderr=log, user=user, cwd="/"
        )
        try:
            server = PostgresServer(folder)
            _wait(server, process)
            yield server
        finally:
            # PostgreSQL's fast shutdown: it ends the connections that are still open.
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _wait(server: PostgresServer, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return server.execute("SELECT 1")
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database: the test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    url: str = request.getfixturevalue("postgres_url")
    return url
