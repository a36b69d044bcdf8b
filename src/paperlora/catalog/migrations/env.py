"""Alembic's entry: migrations run on the connection, and in the transaction, of whoever opens the catalog."""

from alembic import context

from paperlora.catalog.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("Open the catalog instead: paperlora.catalog.database.upgrade gives Alembic its connection.")
context.configure(connection=connection, target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
