"""Rows in bulk: one statement a table, in whatever order several writers bring them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import ReadOnlyColumnCollection

T = TypeVar("T")
Row = Mapping[str, Any]
Values = ReadOnlyColumnCollection[str, Any]
# SQLite takes 32,766 variables a statement, PostgreSQL 65,535.
IN_AT_MOST = 5000


def chunks(values: Sequence[T], size: int = IN_AT_MOST) -> Iterator[Sequence[T]]:
    """The values in parts that fit a statement."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def keep(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert what isn't there; what is there stays."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), rows)


def keep_highest(connection: Connection, table: Table, rows: Sequence[Row], by: Sequence[str]) -> None:
    """Insert, or replace the row that is there where the new one is as high or higher by these columns.

    The highest of all rows ever brought stands in the end, in whatever order they came.
    """
    if not rows:
        return
    insert = _insert(connection, table)
    new = insert.excluded
    higher = tuple_(*(new[name] for name in by)) >= tuple_(*(table.c[name] for name in by))
    values = {column.name: new[column.name] for column in table.c if not column.primary_key}
    connection.execute(insert.on_conflict_do_update(index_elements=_key(table), set_=values, where=higher), rows)


def replace(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert, or replace the row that is there."""
    new = excluded(connection, table)
    combine(connection, table, rows, {column.name: new[column.name] for column in table.c if not column.primary_key})


def combine(connection: Connection, table: Table, rows: Sequence[Row], values: Mapping[str, Any]) -> None:
    """Insert, or set columns of the row that is there to these expressions; :func:`excluded` names the new values."""
    if rows:
        insert = _insert(connection, table)
        connection.execute(insert.on_conflict_do_update(index_elements=_key(table), set_=values), rows)


def excluded(connection: Connection, table: Table) -> Values:
    """The values that an insert brings, for use in :func:`combine`."""
    return _insert(connection, table).excluded


def _key(table: Table) -> list[ColumnElement[Any]]:
    return list(table.primary_key.columns)


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
