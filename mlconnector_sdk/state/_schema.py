"""The tables of a state database, as this version of the library wants them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    UnicodeText,
)
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.engine import Dialect
from sqlalchemy.types import VARBINARY, TypeDecorator, TypeEngine

from ._rows import ADDRESS_LENGTH, KEY_LENGTH, PIPELINE_LENGTH, STREAM_LENGTH, is_keepable

__all__ = ["Tables", "kept_text"]

_LOOSE = ("mysql", "mariadb", "mssql")
"""Databases whose text comparisons ignore case or trailing spaces."""


class _Exact(TypeDecorator[str]):
    """Text that compares and sorts by code point on every database.

    Text that not every database can keep is asked for as NULL, which equals nothing: it is not found, instead of being
    an error on some. Rows with such text are refused before they get here.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in _LOOSE:
            return dialect.type_descriptor(VARBINARY(4 * self.length))
        # PostgreSQL compares exactly but sorts by the database's locale unless told otherwise.
        collation = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(String(self.length, collation=collation))

    @property
    def python_type(self) -> type[str]:
        return str

    # SQLAlchemy's own names for what these return are private.
    def bind_processor(self, dialect: Dialect) -> Any:
        return _as_bytes if dialect.name in _LOOSE else kept_text

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        # None: what is read is text already.
        return _from_bytes if dialect.name in _LOOSE else None


def kept_text(value: str | None) -> str | None:
    return value if value is not None and is_keepable(value) else None


def _as_bytes(value: str | None) -> bytes | None:
    return value.encode() if value is not None and is_keepable(value) else None


def _from_bytes(value: bytes | None) -> str | None:
    return None if value is None else bytes(value).decode()


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
            Column("owner", _Exact(KEY_LENGTH)),
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
            Column("digest", _Exact(64), nullable=False),
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
            Column("address", _Exact(ADDRESS_LENGTH), nullable=False),
            _text("fingerprint"),
            Column("owner", SmallInteger, nullable=False),
            *(_text("state"), _text("reason"), _text("parent"), _text("taken_off")),
            *(_text("standing"), _text("moved_from")),
            *(_text("contact_id"), _text("details"), _text("permissions")),
            _number("synced_at", nullable=True),
            _text("seen"),
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
            # An identity rather than a sequence on PostgreSQL: its users need no right to it.
            Column("id", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
            Column("pipeline", _Exact(PIPELINE_LENGTH), nullable=False),
            _number("at"),
            Column("job_id", _Exact(KEY_LENGTH), nullable=False),
            Column("stream", _Exact(STREAM_LENGTH), nullable=False),
            Column("key", _Exact(KEY_LENGTH), nullable=False),
            *(_text("outcome"), _text("reason"), _text("message"), _number("attempts")),
            *(_text("request_id", nullable=True), _text("replayed")),
        )
        self._index("audit_by_pipeline", table.c.pipeline, table.c.id)
        # Without the stream: few records share a key, and a look-up by key alone still comes in the order of ids.
        self._index("audit_by_record", table.c.pipeline, table.c.key, table.c.id)
        self._index("audit_by_job", table.c.pipeline, table.c.job_id, table.c.id)
        return table


def _key(name: str, length: int) -> Column[str]:
    return Column(name, _Exact(length), primary_key=True)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, _words(), nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)
