"""The databases that tests of the state run on: SQLite always, and the servers whose URLs the environment gives."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest
from sqlalchemy import Engine, create_engine, inspect, text

from mlconnector_sdk.models import AuditEntry, Checkpoint, Link
from mlconnector_sdk.state import SQLStateStore

__all__ = ["DATABASES", "ENTRY", "HOUR", "NOW", "SERVERS", "Database", "opened", "use"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ENTRY = AuditEntry(at=NOW, job_id="job", stream="customers", key="C1", outcome="created")

_URLS = {
    "postgresql": os.environ.get("MLCONNECTOR_POSTGRES_URL", ""),
    "mariadb": os.environ.get("MLCONNECTOR_MARIADB_URL", ""),
}
SERVERS = [pytest.param(name, marks=pytest.mark.server) for name, url in _URLS.items() if url]
DATABASES = ["sqlite", *SERVERS]


@attrs.frozen
class Database:
    """A database, and names of tables in it that belong to one test.

    Attributes:
        engine: of the test's own, with SQLAlchemy's defaults.
        transactional: a change of tables is undone with its transaction.
    """

    name: str
    url: str
    prefix: str
    engine: Engine
    transactional: bool

    def store(self) -> SQLStateStore:
        """A store that opens the database by its URL."""
        return SQLStateStore(self.url, table_prefix=self.prefix)

    def run(self, *statements: str) -> None:
        """Do this in a transaction."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def versions(self) -> list[int]:
        """What is written down of the schema's version."""
        with self.engine.connect() as connection:
            return list(connection.scalars(text(f"SELECT version FROM {self.prefix}schema_version")))

    def shape(self) -> dict[str, tuple[list[str], list[str]]]:
        """Columns and indexes of each table."""
        inspector = inspect(self.engine)
        return {
            name: (
                [column["name"] for column in inspector.get_columns(name)],
                sorted(str(index["name"]) for index in inspector.get_indexes(name)),
            )
            for name in inspector.get_table_names()
            if name.startswith(self.prefix)
        }


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Database]:
    """The database of this name, empty as far as the test can see, and cleaned up afterwards."""
    url = _URLS.get(name) or f"sqlite:///{folder / 'state.db'}"
    engine = create_engine(url)
    prefix = f"t{zlib.crc32(str(folder).encode()):08x}_"
    database = Database(name, url, prefix, engine, transactional=name != "mariadb")
    try:
        yield database
    finally:
        if name != "sqlite":
            quote = engine.dialect.identifier_preparer.quote
            database.run(*(f"DROP TABLE {quote(table)}" for table in database.shape()))
        engine.dispose()


def use(store: SQLStateStore, key: str = "C1") -> list[str]:
    """Every kind of statement: read, replace, add, remove; returns the keys of all links."""
    lease = store.acquire("acme", "worker", now=NOW, duration=HOUR)
    checkpoint = Checkpoint(
        pipeline="acme",
        job_id="job",
        links=(Link(stream="customers", key=key),),
        audit=(ENTRY,),
        dropped=(("k", "n"),),
    )
    store.commit(checkpoint, lease)
    store.prune("acme", before=NOW, kinds=["k"])
    store.release(lease)
    return [link.key for link in store.all_links("acme", "customers")]
