"""The tables of a state database, their version, and the way from an older version to this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    UnicodeText,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.engine import Dialect
from sqlalchemy.types import VARBINARY, TypeDecorator, TypeEngine

from ..errors import StateError
from ._rows import ADDRESS_LENGTH, KEY_LENGTH, PIPELINE_LENGTH, STREAM_LENGTH

__all__ = ["STEPS", "Step", "Tables", "migrate"]


class _TextAsBytes(TypeDecorator[str]):
    """Text in a binary column, for databases whose text comparisons ignore case or trailing spaces."""

    impl = VARBINARY
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else value.encode()

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else bytes(value).decode()


def _exact(length: int) -> TypeEngine[str]:
    """A column type that compares and sorts by code point on every database."""
    return (
        String(length)
        # PostgreSQL compares exactly but sorts by the database's locale unless told otherwise.
        .with_variant(String(length, collation="C"), "postgresql")
        .with_variant(_TextAsBytes(4 * length), "mysql", "mariadb", "mssql")
    )


def _words() -> TypeEngine[str]:
    # MySQL's plain TEXT ends at 64 KB, less than the row of an order with many lines.
    return UnicodeText().with_variant(LONGTEXT(), "mysql", "mariadb")


class Tables:
    """The tables of one state, under a prefix and in a schema of the caller's choice."""

    def __init__(self, prefix: str, schema: str | None = None) -> None:
        self.metadata = MetaData(schema=schema)
        self._prefix = prefix
        self.versions = self._table(
            "schema_version", Column("id", Integer, primary_key=True, autoincrement=False), _number("version")
        )
        self.leases = self._table(
            "leases",
            _key("pipeline", PIPELINE_LENGTH),
            # No owner: the lease was given back.
            Column("owner", _exact(KEY_LENGTH)),
            _number("fencing"),
            _number("expires_at"),
        )
        self.marks = self._table(
            "marks",
            *(_key("pipeline", PIPELINE_LENGTH), _key("stream", STREAM_LENGTH)),
            *(_text("kind"), _text("value"), _number("full_scan_at", nullable=True)),
        )
        self.links = self._links()
        self.dead_letters = self._dead_letters()
        self.suppressions = self._table(
            "suppressions",
            *(_key("pipeline", PIPELINE_LENGTH), _key("address", ADDRESS_LENGTH)),
            *(_text("reason"), _text("origin"), _number("at")),
        )
        self.notes = self._table(
            "notes",
            *(_key("pipeline", PIPELINE_LENGTH), _key("kind", STREAM_LENGTH), _key("key", KEY_LENGTH)),
            *(_text("payload"), _number("at")),
        )
        self.vault = self._table(
            "vault",
            _key("name", KEY_LENGTH),
            # Of `sealed`, which is too long for some databases to compare, and compared loosely by others.
            Column("digest", _exact(64), nullable=False),
            _text("sealed"),
        )
        self.audit = self._audit()

    def _table(self, name: str, *columns: Column[Any]) -> Table:
        options: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}
        options |= {"mariadb_engine": "InnoDB", "mariadb_charset": "utf8mb4"}
        return Table(f"{self._prefix}{name}", self.metadata, *columns, **options)

    def _index(self, name: str, *columns: Column[Any]) -> None:
        Index(f"{self._prefix}{name}", *columns)

    def _links(self) -> Table:
        table = self._table(
            "links",
            *(_key("pipeline", PIPELINE_LENGTH), _key("stream", STREAM_LENGTH), _key("key", KEY_LENGTH)),
            _text("target"),
            Column("address", _exact(ADDRESS_LENGTH), nullable=False),
            _text("fingerprint"),
            Column("owner", SmallInteger, nullable=False),
            *(_text("state"), _text("reason"), _text("parent"), _text("taken_off")),
            *(_text("standing"), _text("moved_from")),
            *(_text("contact_id"), _text("details"), _text("permissions")),
            _number("synced_at", nullable=True),
        )
        self._index("links_by_address", table.c.pipeline, table.c.address, table.c.stream)
        return table

    def _dead_letters(self) -> Table:
        return self._table(
            "dead_letters",
            *(_key("pipeline", PIPELINE_LENGTH), _key("stream", STREAM_LENGTH), _key("key", KEY_LENGTH)),
            *(_text("reason"), _text("message"), _text("payload"), _text("fingerprint"), _number("attempts")),
            *(_number("first_at"), _number("last_at"), _text("job_id"), _text("first_job_id")),
            *(_number("status_code", nullable=True), _text("request_id", nullable=True)),
        )

    def _audit(self) -> Table:
        table = self._table(
            "audit",
            # SQLite counts by itself only in a column declared exactly INTEGER.
            Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
            Column("pipeline", _exact(PIPELINE_LENGTH), nullable=False),
            *(_number("at"), _text("job_id")),
            Column("stream", _exact(STREAM_LENGTH), nullable=False),
            Column("key", _exact(KEY_LENGTH), nullable=False),
            *(_text("outcome"), _text("reason"), _text("message"), _number("attempts")),
            *(_text("request_id", nullable=True), _text("replayed")),
        )
        self._index("audit_by_pipeline", table.c.pipeline, table.c.id)
        self._index("audit_by_record", table.c.pipeline, table.c.stream, table.c.key)
        return table


def _key(name: str, length: int) -> Column[str]:
    return Column(name, _exact(length), primary_key=True)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, _words(), nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


Step: TypeAlias = Callable[[Connection, Tables], None]


def _create(connection: Connection, tables: Tables) -> None:
    tables.metadata.create_all(connection)


STEPS: tuple[Step, ...] = (_create,)
"""Step n leads from schema version n-1 to n. A released step never changes: what comes later is a step of its own,
and must find `Tables` as that step left them. On MySQL a step is not transactional, so it must bear being repeated."""


def migrate(engine: Engine, tables: Tables, steps: Sequence[Step] = STEPS) -> None:
    """Bring the database to the version of this library; does nothing when it is there already.

    Several workers may call this at the same moment: one migrates, the others wait (on SQLite, PostgreSQL, MySQL and
    MariaDB; elsewhere start one worker first).

    Raises:
        StateError: the state was written by a newer version of the library.
    """
    with engine.connect() as connection:
        if _version(connection, tables) == len(steps):
            return
    with engine.connect() as connection, _alone(connection, tables):
        version = _version(connection, tables)
        if version > len(steps):
            raise StateError(
                f"the state has schema version {version}, this library knows versions up to {len(steps)}: "
                "install the newer mlconnector_sdk that wrote it, or use another state"
            )
        for step in steps[version:]:
            step(connection, tables)
        if version < len(steps):
            connection.execute(tables.versions.delete())
            connection.execute(tables.versions.insert().values(id=1, version=len(steps)))


def _version(connection: Connection, tables: Tables) -> int:
    table = tables.versions
    if not inspect(connection).has_table(table.name, schema=table.schema):
        return 0
    return connection.execute(select(table.c.version)).scalar_one_or_none() or 0


_LOCKS = {
    "postgresql": "SELECT pg_advisory_xact_lock(hashtext(:name))",
    # Here a change of tables ends the transaction, so the lock must be the session's, and be given back.
    "mysql": "SELECT GET_LOCK(:name, 3600)",
    "mariadb": "SELECT GET_LOCK(:name, 3600)",
}
_UNLOCKS = {"mysql": "SELECT RELEASE_LOCK(:name)", "mariadb": "SELECT RELEASE_LOCK(:name)"}


@contextmanager
def _alone(connection: Connection, tables: Tables) -> Iterator[None]:
    """One transaction that no other worker's migration overlaps."""
    dialect, name = connection.dialect.name, tables.versions.name
    if dialect == "sqlite":
        _begin_alone(connection)
    if dialect in _LOCKS:
        connection.execute(text(_LOCKS[dialect]), {"name": name})
    try:
        yield
        connection.commit()
    finally:
        if dialect in _UNLOCKS:
            connection.execute(text(_UNLOCKS[dialect]), {"name": name})


def _begin_alone(connection: Connection) -> None:
    """The driver begins a transaction before a write to a row, but not before a change of tables."""
    connection.begin()
    if getattr(connection.connection.dbapi_connection, "in_transaction", False):
        # A caller's engine may begin by itself, but without keeping other writers out.
        connection.exec_driver_sql("ROLLBACK")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
