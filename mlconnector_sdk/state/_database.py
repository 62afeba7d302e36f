"""Reaching a database: engines, SQLite files, and what went wrong in our own words."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ..errors import ConfigurationError, MissingDependencyError, StateError
from ._refusals import explain, without_values

__all__ = ["create_private_file", "limit_waiting", "open_engine", "require_transactions", "translated_errors"]

_BUSY_SECONDS = 30.0
_CACHE_KIB = 16 * 1024
_LOG_PAGES = 4000
_LOGGING_NAME = "mlconnector"
_CURES = {
    "psycopg": 'pip install "mlconnector_sdk[postgres]"',
    "psycopg2": 'pip install "mlconnector_sdk[postgres]" and write postgresql+psycopg://',
    "pymysql": 'pip install "mlconnector_sdk[mysql]"',
    "MySQLdb": 'pip install "mlconnector_sdk[mysql]" and write mysql+pymysql://',
}


def open_engine(url: str | URL) -> Engine:
    """An engine with the settings a state needs; nothing is connected yet.

    Raises:
        ConfigurationError: the URL cannot be read.
        MissingDependencyError: the database driver is not installed.
    """
    options: dict[str, Any] = {"hide_parameters": True, "logging_name": _LOGGING_NAME}
    # addFilter ignores a filter that is there already.
    logging.getLogger(f"sqlalchemy.engine.Engine.{_LOGGING_NAME}").addFilter(_without_rows)
    try:
        parsed = make_url(url)
        on_sqlite = parsed.get_backend_name() == "sqlite"
        options |= _sqlite_options(parsed) if on_sqlite else {"pool_pre_ping": True}
        engine = create_engine(parsed, **options)
    except ImportError as error:
        raise _missing_driver(error.name or "") from error
    except (ArgumentError, ValueError):
        # The cause may quote the URL, and with it the password.
        raise ConfigurationError(
            "the database URL cannot be read: expected dialect+driver://user:password@host/database"
        ) from None
    if on_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def require_transactions(engine: Engine) -> Engine:
    """A caller's engine, unless it commits each statement by itself: a checkpoint would no longer be all or nothing.

    Raises:
        ConfigurationError: it does.
    """
    by_default = getattr(engine.dialect, "_on_connect_isolation_level", None)
    if (engine.get_execution_options().get("isolation_level") or by_default) == "AUTOCOMMIT":
        raise ConfigurationError(
            "the engine commits each statement by itself (AUTOCOMMIT), and a state needs transactions: give it "
            'engine.execution_options(isolation_level="…"), which shares the pool'
        )
    return engine


def _without_rows(record: logging.LogRecord) -> bool:
    """At DEBUG SQLAlchemy logs every row it reads, addresses and all; statements are logged above that."""
    return record.levelno > logging.DEBUG


def _missing_driver(module: str) -> MissingDependencyError:
    return MissingDependencyError(f"the database driver {module} is missing: {_CURES.get(module, f'install {module}')}")


def _sqlite_options(url: URL) -> dict[str, Any]:
    if url.database in (None, "", ":memory:") or url.query.get("mode") == "memory":
        # Every connection to memory is a database of its own: all threads take turns on a single one.
        arguments = {"timeout": _BUSY_SECONDS, "check_same_thread": False}
        return {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "connect_args": arguments}
    return {"connect_args": {"timeout": _BUSY_SECONDS}}


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Busy when another connection is switching the mode this very moment, and the mode lasts: either one will do.
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    # A checkpoint of 500 links changes about as many pages: addresses come in no order. By default half of them do not
    # fit into the cache, and every second commit copies the log into the file: both cost more than the rows.
    connection.execute(f"PRAGMA cache_size={-_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")


def limit_waiting(connection: Connection) -> None:
    """Wait for a lock of others only so long in this transaction, unless somebody set a limit already.

    By itself PostgreSQL waits without end, and so for a process that sleeps in the midst of a commit. MySQL and MariaDB
    wait for 50 seconds by themselves, SQLite as long as its connections were opened with. The limit ends with the
    transaction: behind a pooler the session may be another client's the next moment.
    """
    if connection.dialect.name == "postgresql":
        limit = f"'{int(_BUSY_SECONDS * 1000)}ms'"
        connection.exec_driver_sql(
            f"SELECT set_config('lock_timeout', {limit}, true) WHERE current_setting('lock_timeout') = '0'"
        )


def create_private_file(path: Path) -> None:
    """Create a database file that only its owner may read, unless it exists; SQLite gives its side files that mode.

    Raises:
        StateError: the directory is missing or cannot be written, or `path` is a directory.
    """
    if path.is_dir():
        raise StateError(f"{path} is a directory: name a file for the state")
    try:
        # Never opened when it exists: closing a second handle would drop SQLite's own locks on the file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    except FileNotFoundError as error:
        raise StateError(
            f"the directory {path.parent} does not exist: create it, or keep the state elsewhere"
        ) from error
    except OSError as error:
        raise StateError(
            f"the state file {path} cannot be created ({error.strerror}): check the directory and its rights"
        ) from error


@contextmanager
def translated_errors(store: object, *, passing: type[Exception] | tuple[()] = ()) -> Iterator[None]:
    """What the database raises becomes a `StateError`; neither it nor its cause shows the values of a statement."""
    try:
        yield
    except passing:
        raise
    except SQLAlchemyError as error:
        raise StateError(explain(store, error)) from without_values(error)
    except (TypeError, ValueError, OverflowError) as error:
        raise StateError(f"{store!r} met a value it cannot keep or read ({type(error).__name__})") from error
