"""The version of a state database, and the way from an older version to this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, inspect, select, text

from ..errors import StateError
from ._schema import Tables

__all__ = ["STEPS", "Step", "migrate"]

Step: TypeAlias = Callable[[Connection, Tables], None]
"""Changes tables and rows of the version before. `Tables` gives it names and schema; its columns are those of today,
which the step must not take for those of its own time."""

STEPS: tuple[Step, ...] = ()
"""Step n leads from schema version n to n+1; a new state has the newest version at once. A released step never
changes. MySQL and MariaDB commit each change of a table by itself: a step must bear being repeated after it failed
half way, so it looks before it changes."""


def migrate(engine: Engine, tables: Tables, steps: Sequence[Step] = STEPS) -> None:
    """Bring the database to the version of this library; does nothing when it is there already.

    Several workers may call this at the same moment: one migrates, the others wait (on SQLite, PostgreSQL, MySQL and
    MariaDB; elsewhere start one worker first). What fails leaves the old version and can be tried again.

    Raises:
        StateError: the state was written by a newer version of the library, or another worker keeps migrating it.
    """
    newest = 1 + len(steps)
    with engine.connect() as connection:
        if _version(connection, tables) == newest:
            return
    with _alone(engine, tables) as connection:
        version = _version(connection, tables)
        if version > newest:
            raise StateError(
                f"the state has schema version {version}, this library knows versions up to {newest}: "
                "install the newer mlconnector_sdk that wrote it, or use another state"
            )
        if version == 0:
            _create(connection, tables)
            _write_version(connection, tables, newest)
            return
        for reached, step in enumerate(steps[version - 1 :], start=version + 1):
            step(connection, tables)
            _write_version(connection, tables, reached)


def _create(connection: Connection, tables: Tables) -> None:
    tables.metadata.create_all(connection)
    # `create_all` passes over a table that is there, and with it over the indexes that an earlier attempt, where tables
    # are not transactional, did not come to.
    for table in tables.metadata.sorted_tables:
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def _version(connection: Connection, tables: Tables) -> int:
    """The version written down; 0 of a state that is not there, or not whole."""
    table = tables.versions
    if not inspect(connection).has_table(table.name, schema=table.schema):
        return 0
    return connection.execute(select(table.c.version)).scalar_one_or_none() or 0


def _write_version(connection: Connection, tables: Tables, version: int) -> None:
    connection.execute(tables.versions.delete())
    connection.execute(tables.versions.insert().values(id=1, version=version))


_PATIENCE_SECONDS = 3600
_TAKE_LOCK = f"SELECT GET_LOCK(:name, {_PATIENCE_SECONDS})"
_RELEASE_LOCK = "SELECT RELEASE_LOCK(:name)"


@contextmanager
def _alone(engine: Engine, tables: Tables) -> Iterator[Connection]:
    """A connection in one transaction that no other worker's migration overlaps."""
    dialect, name = engine.dialect.name, {"name": tables.versions.name}
    # On PostgreSQL whoever waited must see what the other has done meanwhile, whatever the engine's own isolation.
    options: dict[str, Any] = {"isolation_level": "READ COMMITTED"} if dialect == "postgresql" else {}
    with engine.connect() as opened:
        connection = opened.execution_options(**options)
        if dialect == "sqlite":
            _begin_alone(connection)
        if dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), name)
        if dialect not in ("mysql", "mariadb"):
            yield connection
            connection.commit()
            return
        # Here a change of a table ends the transaction, so the lock must be the session's, and be given back.
        if connection.execute(text(_TAKE_LOCK), name).scalar_one() != 1:
            raise StateError("another worker keeps migrating the state: see what it waits for, then start again")
        try:
            yield connection
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text(_RELEASE_LOCK), name)


def _begin_alone(connection: Connection) -> None:
    """The driver begins a transaction before a write to a row, but not before a change of tables."""
    connection.begin()
    if getattr(connection.connection.dbapi_connection, "in_transaction", False):
        # A caller's engine may begin by itself, but without keeping other writers out.
        connection.exec_driver_sql("ROLLBACK")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
