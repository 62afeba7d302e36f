"""Writes on databases that have no upsert of ours, or that compare text loosely."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.dialects import mssql, mysql, postgresql
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.schema import CreateTable

from mlconnector_sdk.state._rows import SUPPRESSION_COLUMNS
from mlconnector_sdk.state._schema import Tables
from mlconnector_sdk.state._writes import Replacer


class PlainDialect(SQLiteDialect_pysqlite):
    """SQLite's words under a name that nothing is known about."""

    name = "plain"


class NamedDialect(SQLiteDialect_pysqlite):
    """The same with named parameters."""

    name = "plain"

    def __init__(self):
        super().__init__(paramstyle="named")


@pytest.mark.parametrize("dialect", [PlainDialect(), NamedDialect()], ids=["positional", "named"])
def test_replacing_without_an_upsert(dialect):
    """A database without an upsert of its own ends with the same rows."""
    table = Tables("t_").suppressions
    engine = create_engine("sqlite://")
    table.create(engine)
    replace = Replacer(table, SUPPRESSION_COLUMNS, dialect)

    with engine.begin() as connection:
        replace(connection, [("acme", "a@x", "old", "o", 1), ("acme", "b@x", "old", "o", 1)])
        replace(connection, [("acme", "b@x", "new", "o", 2), ("acme", "c@x", "new", "o", 2)])
        replace(connection, [])
        rows = connection.execute(select(table).order_by(table.c.address)).all()
    engine.dispose()

    assert [("a@x", "old", 1), ("b@x", "new", 2), ("c@x", "new", 2)] == [(row[1], row[2], row[4]) for row in rows]


@pytest.mark.parametrize("dialect", [mysql.dialect(), mssql.dialect()], ids=["mysql", "mssql"])
def test_keys_are_bytes_where_text_is_compared_loosely(dialect):
    """On databases that ignore case or trailing spaces, keys and addresses travel as bytes and come back as text."""
    tables = Tables("t_")
    ddl = str(CreateTable(tables.links).compile(dialect=dialect))
    column = tables.links.c.address.type.dialect_impl(dialect)

    assert "VARBINARY(1280)" in ddl
    assert "VARBINARY(1020)" in ddl
    assert "\u00e9 ".encode() == column.bind_processor(dialect)("\u00e9 ")
    assert "\u00e9 " == column.result_processor(dialect, None)("\u00e9 ".encode())
    assert column.bind_processor(dialect)(None) is None
    assert column.result_processor(dialect, None)(None) is None


def test_keys_sort_by_code_point_on_postgresql():
    """On PostgreSQL keys ignore the database's locale, so that order and paging agree with Python's."""
    ddl = str(CreateTable(Tables("t_").links).compile(dialect=postgresql.dialect()))

    assert 'key VARCHAR(255) COLLATE "C"' in ddl


def test_rows_are_encoded_for_mysql():
    """An upsert for MySQL hands keys to the driver as bytes and other text as text."""
    replace = Replacer(Tables("t_").suppressions, SUPPRESSION_COLUMNS, mysql.dialect())
    written = []

    class Driver:
        def exec_driver_sql(self, sql, rows):
            written.append((sql, rows))

    replace(Driver(), [("acme", "\u00e9@x", "r", "o", 1)])

    ((sql, rows),) = written
    assert "ON DUPLICATE KEY UPDATE" in sql
    assert [(b"acme", "\u00e9@x".encode(), "r", "o", 1)] == list(rows)
