"""Many rows in one call of the driver.

The statement is built and compiled by SQLAlchemy, once; the rows then go to the driver as they are. Handing 500 links
to SQLAlchemy's own `execute` instead costs more than twice as much as storing them in SQLite does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Table, bindparam, delete
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ClauseElement

from ._rows import (
    AUDIT_COLUMNS,
    DEAD_LETTER_COLUMNS,
    MARK_COLUMNS,
    NOTE_COLUMNS,
    SUPPRESSION_COLUMNS,
    WRITTEN_LINK_COLUMNS,
    CheckpointRows,
    Row,
)
from ._schema import Tables, kept_text

__all__ = ["CheckpointWriter", "Replacer"]


class CheckpointWriter:
    """The writes of a checkpoint, compiled once for the dialect of an engine."""

    def __init__(self, tables: Tables, dialect: Dialect) -> None:
        self._marks = Replacer(tables.marks, MARK_COLUMNS, dialect)
        self._links = Replacer(tables.links, WRITTEN_LINK_COLUMNS, dialect)
        self._seen = _Setter(tables.links, ("pipeline", "stream", "key"), "seen", dialect)
        self._unseen = _Setter(tables.links, ("pipeline", "address"), "seen", dialect)
        self._dead_letters = Replacer(tables.dead_letters, DEAD_LETTER_COLUMNS, dialect)
        self._settled = _Eraser(tables.dead_letters, dialect)
        self._suppressions = Replacer(tables.suppressions, SUPPRESSION_COLUMNS, dialect)
        self._lifted = _Eraser(tables.suppressions, dialect)
        self._notes = Replacer(tables.notes, NOTE_COLUMNS, dialect)
        self._dropped = _Eraser(tables.notes, dialect)
        self._scrubbed = _Setter(tables.audit, ("pipeline", "stream", "key"), "message", dialect)
        self._audit = _Appender(tables.audit, AUDIT_COLUMNS, dialect)

    def __call__(self, connection: Connection, pipeline: str, rows: CheckpointRows) -> None:
        """Write all of it into the connection's transaction."""
        self._marks(connection, [] if rows.mark is None else [rows.mark])
        self._links(connection, list(rows.links.values()))
        seen = [(digest, pipeline, *place) for place, digest in rows.seen.items() if place not in rows.links]
        self._seen(connection, seen)
        self._unseen(connection, [("", pipeline, address) for address in (*rows.lifted, *rows.suppressions)])
        # What is set aside or suppressed anew outlasts what is settled or lifted in the same breath.
        self._settled(connection, [(pipeline, *place) for place in rows.settled])
        self._dead_letters(connection, list(rows.dead_letters.values()))
        self._lifted(connection, [(pipeline, address) for address in rows.lifted])
        self._suppressions(connection, list(rows.suppressions.values()))
        self._dropped(connection, [(pipeline, *place) for place in rows.dropped])
        self._notes(connection, list(rows.notes.values()))
        self._scrubbed(connection, [("", pipeline, *place) for place in rows.scrubbed])
        self._audit(connection, rows.audit)


class _Compiled:
    """One statement for many rows of the named columns.

    Args:
        prefix: what the names of the statement's parameters have before the column's; an update wants one, because it
            keeps the bare names for what it sets.
        looked_at: all texts can be kept, as those of rows that are added can. Others name rows that cannot be there.
    """

    def __init__(
        self,
        statement: ClauseElement,
        table: Table,
        names: Sequence[str],
        dialect: Dialect,
        *,
        prefix: str = "",
        looked_at: bool = False,
    ) -> None:
        columns = [] if prefix else list(names)
        compiled = cast(SQLCompiler, statement.compile(dialect=dialect, column_keys=columns))
        self._sql = str(compiled)
        self._names = tuple(prefix + name for name in names)
        self._positional = compiled.positional
        assert not self._positional or list(self._names) == compiled.positiontup
        self._encode: list[tuple[int, Callable[[Any], Any]]] = []
        for place, name in enumerate(names):
            processor = table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
            if processor is not None and not (looked_at and processor is kept_text):
                self._encode.append((place, processor))

    def __call__(self, connection: Connection, rows: Sequence[Row]) -> None:
        if rows:
            connection.exec_driver_sql(self._sql, self._parameters(rows))

    def _parameters(self, rows: Sequence[Row]) -> Any:
        if self._encode:
            rows = [self._encoded(row) for row in rows]
        return rows if self._positional else [dict(zip(self._names, row, strict=True)) for row in rows]

    def _encoded(self, row: Row) -> Row:
        values = list(row)
        for place, encode in self._encode:
            values[place] = encode(values[place])
        return tuple(values)


class _Appender:
    """Adds rows."""

    def __init__(self, table: Table, names: Sequence[str], dialect: Dialect) -> None:
        self._insert = _Compiled(table.insert(), table, names, dialect, looked_at=True)

    def __call__(self, connection: Connection, rows: Sequence[Row]) -> None:
        self._insert(connection, rows)


class _Setter:
    """Sets one column of every row that has these values; the column's own comes first."""

    def __init__(self, table: Table, names: Sequence[str], column: str, dialect: Dialect) -> None:
        statement = table.update().where(*(table.c[name] == bindparam(f"of_{name}") for name in names))
        setting = statement.values({column: bindparam(f"of_{column}")})
        self._update = _Compiled(setting, table, (column, *names), dialect, prefix="of_")

    def __call__(self, connection: Connection, rows: Sequence[Row]) -> None:
        self._update(connection, rows)


class _Eraser:
    """Removes rows by primary key, those that exist."""

    def __init__(self, table: Table, dialect: Dialect) -> None:
        names = [column.name for column in table.primary_key]
        statement = delete(table).where(*(table.c[name] == bindparam(name) for name in names))
        self._delete = _Compiled(statement, table, names, dialect)

    def __call__(self, connection: Connection, keys: Sequence[Row]) -> None:
        self._delete(connection, keys)


class Replacer:
    """Adds rows, or replaces those of the same primary key; no two of the rows share one.

    A dialect without an upsert of its own removes and adds: inside a transaction that looks the same.
    """

    def __init__(self, table: Table, names: Sequence[str], dialect: Dialect) -> None:
        self._keys = len(table.primary_key)
        upsert = _upsert(table, names, dialect)
        statement = table.insert() if upsert is None else upsert
        self._write = _Compiled(statement, table, names, dialect, looked_at=True)
        self._remove = _Eraser(table, dialect) if upsert is None else None

    def __call__(self, connection: Connection, rows: Sequence[Row]) -> None:
        if self._remove is not None:
            self._remove(connection, [row[: self._keys] for row in rows])
        self._write(connection, rows)


def _upsert(table: Table, names: Sequence[str], dialect: Dialect) -> ClauseElement | None:
    keys = [column.name for column in table.primary_key]
    rest = [name for name in names if name not in keys]
    # The dialects of servers take 40 ms to load, which a state in a file need not wait for.
    if dialect.name in ("mysql", "mariadb"):
        from sqlalchemy.dialects import mysql

        insert = mysql.insert(table)
        return insert.on_duplicate_key_update({name: insert.inserted[name] for name in rest})
    if dialect.name == "sqlite":
        adding = sqlite.insert(table)
        return adding.on_conflict_do_update(index_elements=keys, set_={n: adding.excluded[n] for n in rest})
    if dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        putting = postgresql.insert(table)
        return putting.on_conflict_do_update(index_elements=keys, set_={n: putting.excluded[n] for n in rest})
    return None
