"""What the client writes down: answers, what each request cost, money set aside, open batches, what endpoints can do.

One database file beside the store (in WAL mode: a killed process loses nothing, several processes share it), or the
catalog's server where that is PostgreSQL, so that all machines share one budget and pay for no question twice.
No endpoint's key is ever written here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from paperlora.llm.usage import Usage
from paperlora.sqlite import switch_to_wal

_CHUNK = 500
_BUSY_SECONDS = 60
"""Keys a query; SQLite takes 32,766 variables at most."""
_meta = sa.MetaData()
_answers = sa.Table(
    "llm_answers", _meta,
    sa.Column("key", sa.String(64), primary_key=True), sa.Column("model", sa.Text), sa.Column("at", sa.Float),
    sa.Column("answer", sa.Text),
)  # fmt: skip
_calls = sa.Table(
    "llm_calls", _meta,
    sa.Column("id", sa.Integer, primary_key=True), sa.Column("at", sa.Float), sa.Column("run", sa.String(80), index=True),
    sa.Column("night", sa.String(10)), sa.Column("stage", sa.String(40)), sa.Column("paper", sa.Text),
    sa.Column("model", sa.Text), sa.Column("requests", sa.Integer), sa.Column("kept", sa.Integer),
    sa.Column("input_tokens", sa.Integer), sa.Column("output_tokens", sa.Integer),
    sa.Column("cached_tokens", sa.Integer), sa.Column("reasoning_tokens", sa.Integer), sa.Column("usd", sa.Float),
)  # fmt: skip
_runs = sa.Table(
    "llm_runs", _meta,
    sa.Column("run", sa.String(80), primary_key=True), sa.Column("usd", sa.Float), sa.Column("tokens", sa.BigInteger),
)  # fmt: skip
_holds = sa.Table(
    "llm_holds", _meta,
    sa.Column("id", sa.String(32), primary_key=True), sa.Column("run", sa.String(80), index=True),
    sa.Column("usd", sa.Float), sa.Column("tokens", sa.BigInteger), sa.Column("until", sa.Float),
)  # fmt: skip
_endpoints = sa.Table(
    "llm_endpoints", _meta,
    sa.Column("key", sa.String(64), primary_key=True), sa.Column("learnt", sa.Text), sa.Column("until", sa.Float),
)  # fmt: skip
_batches = sa.Table(
    "llm_batches", _meta,
    sa.Column("mark", sa.String(32), primary_key=True), sa.Column("endpoint", sa.String(64), index=True),
    sa.Column("remote", sa.Text), sa.Column("keys", sa.Text), sa.Column("made", sa.Float),
)  # fmt: skip


class Call(NamedTuple):
    """One line of the account."""

    run: str
    night: str
    stage: str
    paper: str
    model: str
    usage: Usage
    usd: float
    requests: int = 1
    kept: int = 0
    """Questions that were answered from the book and cost nothing."""


class Hold(NamedTuple):
    """Money and tokens set aside for a request that is under way."""

    id: str
    run: str
    usd: float
    tokens: int
    until: float
    """Unix time at which it is given back, should its process have died."""


class Limits(NamedTuple):
    """The most a run may spend; None for no limit."""

    usd: float | None
    tokens: int | None


class OpenBatch(NamedTuple):
    """A batch at the provider that was not fetched yet."""

    mark: str
    """Our own name of it; stands in its metadata."""
    remote: str
    """The provider's id; empty where the process died before it was known."""
    keys: tuple[str, ...]


class Book:
    """The database; safe between threads and processes."""

    def __init__(self, url: str) -> None:
        sqlite = url.startswith("sqlite")
        if sqlite:
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        self._engine = sa.create_engine(url, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False} if sqlite else {})
        if sqlite:
            sa.event.listen(self._engine, "connect", _fast_and_safe)
        self._make_tables()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def _make_tables(self) -> None:
        # Several processes of one run begin at the same moment: "if not there" must be the database's own question.
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("llm tables"))))
            for table in _meta.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))
                for index in table.indexes:
                    connection.execute(CreateIndex(index, if_not_exists=True))

    # ------------------------------------------------------------------ answers

    def answers(self, keys: Sequence[str]) -> dict[str, str]:
        """The answers that are kept, as JSON by key."""
        found: dict[str, str] = {}
        with self._engine.connect() as connection:
            for chunk in _chunks(keys):
                rows = connection.execute(sa.select(_answers.c.key, _answers.c.answer).where(_answers.c.key.in_(chunk)))
                found |= {row.key: row.answer for row in rows}
        return found

    def keep(self, key: str, model: str, answer: str) -> None:
        """Keep an answer; the first one of a key stays."""
        row = {"key": key, "model": model, "at": time.time(), "answer": answer}
        self._put(_answers, row, {})

    # ------------------------------------------------------------------ account

    def note(self, call: Call, hold: Hold | None = None) -> None:
        """Book what was spent, and give back what was set aside for it, in one transaction."""
        values = call._asdict() | call.usage._asdict() | {"at": time.time()}
        del values["usage"]
        with self._engine.begin() as connection:
            connection.execute(_calls.insert().values(values))
            connection.execute(
                _runs.update()
                .where(_runs.c.run == call.run)
                .values(usd=_runs.c.usd + call.usd, tokens=_runs.c.tokens + call.usage.total)
            )
            if hold is not None:
                connection.execute(_holds.delete().where(_holds.c.id == hold.id))

    def calls(self, run: str | None = None) -> tuple[dict[str, Any], ...]:
        """Sums by run, night, stage, paper and model, in this order."""
        groups = [_calls.c[name] for name in ("run", "night", "stage", "paper", "model")]
        sums = [
            sa.func.sum(_calls.c[name]).label(name)
            for name in ("requests", "kept", *Usage._fields, "usd")
        ]  # fmt: skip
        query = sa.select(*groups, *sums).group_by(*groups).order_by(sa.func.min(_calls.c.at))
        if run is not None:
            query = query.where(_calls.c.run == run)
        with self._engine.connect() as connection:
            return tuple(dict(row) for row in connection.execute(query).mappings())

    def open_run(self, run: str) -> None:
        """Let a run be known, so that its sums can be kept."""
        self._put(_runs, {"run": run, "usd": 0.0, "tokens": 0}, {})

    def spent(self, run: str) -> tuple[float, int]:
        """Money and tokens of a run."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(_runs.c.usd, _runs.c.tokens).where(_runs.c.run == run)).first()
        return (row.usd, row.tokens) if row else (0.0, 0)

    def hold(self, wanted: Hold, limits: Limits) -> bool:
        """Set aside, unless it could exceed a limit together with what is spent and set aside in any process."""
        now = time.time()
        fits = [sa.true()]
        for name, limit in (("usd", limits.usd), ("tokens", limits.tokens)):
            if limit is None:
                continue
            spent = sa.select(_runs.c[name]).where(_runs.c.run == wanted.run).scalar_subquery()
            open_ = sa.select(sa.func.coalesce(sa.func.sum(_holds.c[name]), 0)).where(
                _holds.c.run == wanted.run, _holds.c.until > now
            )
            fits.append(sa.func.coalesce(spent, 0) + open_.scalar_subquery() + getattr(wanted, name) <= limit)
        # One statement: SQLite takes its write lock before it reads, so no other process can slip in between.
        row = sa.select(*(sa.literal(value).label(name) for name, value in wanted._asdict().items())).where(*fits)
        with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(wanted.run))))
            put = _holds.insert().from_select(list(Hold._fields), row).returning(_holds.c.id)
            return connection.execute(put).first() is not None

    def release(self, hold: Hold) -> None:
        """Give back what was set aside."""
        with self._engine.begin() as connection:
            connection.execute(_holds.delete().where(_holds.c.id == hold.id))

    # ---------------------------------------------------------------- endpoints

    def learnt(self, endpoint: str) -> tuple[dict[str, Any], float]:
        """What is known of an endpoint and until when (Unix time); nothing where that is over."""
        query = sa.select(_endpoints.c.learnt, _endpoints.c.until).where(_endpoints.c.key == endpoint)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return (json.loads(row.learnt), row.until) if row and row.until > time.time() else ({}, 0.0)

    def learn(self, endpoint: str, learnt: Mapping[str, Any], until: float) -> None:
        """Remember what an endpoint can do."""
        values = {"learnt": json.dumps(learnt), "until": until}
        self._put(_endpoints, {"key": endpoint, **values}, values)

    # ------------------------------------------------------------------ batches

    def open_batches(self, endpoint: str) -> tuple[OpenBatch, ...]:
        """The batches that wait to be fetched, oldest first."""
        query = sa.select(_batches).where(_batches.c.endpoint == endpoint).order_by(_batches.c.made)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return tuple(OpenBatch(row.mark, row.remote, tuple(json.loads(row.keys))) for row in rows)

    def write_batch(self, endpoint: str, batch: OpenBatch) -> None:
        """Write down a batch before it is made, and again with the provider's id."""
        row = {
            "mark": batch.mark, "endpoint": endpoint, "remote": batch.remote, "keys": json.dumps(batch.keys),
            "made": time.time(),
        }  # fmt: skip
        self._put(_batches, row, {"remote": batch.remote})

    def forget_batch(self, mark: str) -> None:
        """A batch is fetched, or never was."""
        with self._engine.begin() as connection:
            connection.execute(_batches.delete().where(_batches.c.mark == mark))

    def _put(self, table: sa.Table, row: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        """Insert; where the key is there already, make the changes (none: leave it as it is)."""
        postgres = self._engine.dialect.name == "postgresql"
        insert = (postgresql if postgres else sqlite).insert(table).values(dict(row))
        key = [column.name for column in table.primary_key]
        put = (
            insert.on_conflict_do_update(index_elements=key, set_=dict(changes))
            if changes
            else insert.on_conflict_do_nothing(index_elements=key)
        )
        with self._engine.begin() as connection:
            connection.execute(put)


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]


def _fast_and_safe(connection: Any, _: Any) -> None:
    # NORMAL: safe against a killed process; a power cut may cost the last answers, never the file.
    connection.execute(f"PRAGMA busy_timeout={1000 * _BUSY_SECONDS}")
    switch_to_wal(connection, _BUSY_SECONDS)
    connection.execute("PRAGMA synchronous=NORMAL")
