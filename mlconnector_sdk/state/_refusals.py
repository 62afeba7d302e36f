"""What a database said of a failure, in words that can be shown: never a value of a statement or of a row."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError, StatementError

__all__ = ["explain", "is_deadlock", "without_values"]

_KEPT_BACK = "what the database said is kept back, because it may quote a row"

_POSTGRES_CLASSES = frozenset({"08", "25", "28", "3D", "3F", "40", "53", "55", "57", "58"})
"""Connections, transactions, log-in, names of databases and schemas, resources, locks, the operator, the system."""

_POSTGRES_CODES = frozenset({"42501", "42703", "42P01"})
"""No right, no such column, no such table. The rest of class 42 may quote the statement."""

_MYSQL_CODES = frozenset(
    {
        *(1021, 1040, 1041, 1114),  # disk, connections, memory, table full
        *(1044, 1045, 1049, 1142, 1143, 1227),  # log-in, no such database, rights
        *(1054, 1146),  # no such column, no such table
        *(1153, 1205, 1213, 1290, 1836, 1927),  # packet too long, locks, read-only, killed
    }
)

_NO_RIGHT = frozenset({"42501", 1044, 1142, 1143, 1227})
_NO_SCHEMA = frozenset({"3F000", 1049})
_TOO_LONG = frozenset({1153})
_LOCKED = frozenset({"55P03", 1205})
_DEADLOCK = frozenset({"40001", "40P01", 1213})

_RIGHTS = (
    "the database user lacks a right: grant SELECT, INSERT, UPDATE and DELETE on the tables of the state; the first "
    "use, and the first after an update of mlconnector_sdk, also need to make tables (PostgreSQL: GRANT USAGE, CREATE "
    "ON SCHEMA; MySQL and MariaDB: GRANT CREATE, ALTER, INDEX on the database), or a user who may must open it once"
)

_UNLOCK = (
    "somebody else holds a lock for too long, maybe a process that was stopped or hangs: find it and end it or let it "
    "go on, then run again"
)


def explain(store: object, error: SQLAlchemyError) -> str:
    """What happened to the store, and what to do."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return f"{store!r} failed ({type(error).__name__})"
    said = _said(error)
    if "file is not a database" in said or "malformed" in said:
        return f"{store!r} is no SQLite database, or a damaged one: name another file, or restore a backup"
    detail = f": {said}" if said else ""
    cure = _UNLOCK if "database is locked" in said else _cure(error.orig)
    return f"{store!r} failed ({type(error.orig).__name__}{detail}): {cure}"


def is_deadlock(error: BaseException | None) -> bool:
    """The database undid a whole transaction to let another one go on: it may be done again."""
    return isinstance(error, DBAPIError) and _code(error.orig) in _DEADLOCK


def _cure(error: BaseException) -> str:
    code = _code(error)
    if code in _NO_RIGHT:
        return _RIGHTS
    if code in _NO_SCHEMA:
        return "create the schema, or name another one"
    if code in _LOCKED:
        return _UNLOCK
    if code in _TOO_LONG:
        return "raise max_allowed_packet of the server, then run again"
    return "check the database, then run again"


def _said(error: DBAPIError) -> str:
    """The driver's first line, or nothing where it might quote a value."""
    words = str(error.orig.args[-1]) if error.orig is not None and error.orig.args else ""
    return words.splitlines()[0] if words and _tells_no_value(error) else ""


def _tells_no_value(error: DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        # SQLite names tables and columns only.
        return isinstance(error, OperationalError) or "file is not a database" in str(error.orig)
    code = _code(error.orig)
    if isinstance(code, str):
        return code in _POSTGRES_CODES or code[:2] in _POSTGRES_CLASSES
    if isinstance(code, int):
        # From 2000 on it is the client that speaks, of the connection.
        return code in _MYSQL_CODES or 2000 <= code < 3000
    # Without a code nothing was refused by a server that we know: a connection failed, or was lost.
    return isinstance(error, OperationalError) and (error.statement is None or hasattr(error.orig, "sqlstate"))


def _code(error: BaseException | None) -> str | int | None:
    """PostgreSQL's five characters, or the number of MySQL and MariaDB."""
    first = error.args[0] if error is not None and error.args else None
    # First the number: drivers of MySQL that also give five characters say less with them.
    return first if isinstance(first, int) else getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)


def without_values(error: SQLAlchemyError) -> SQLAlchemyError:
    """The error itself, which a traceback shows together with the driver's, cleared of what may be personal.

    It is changed and not replaced, because Python keeps it as the context of whatever is raised instead.
    """
    if isinstance(error, StatementError):
        error.hide_parameters = True
        error.params = None
    if isinstance(error, DBAPIError) and error.orig is not None and not isinstance(error.orig, sqlite3.Error):
        said, code = _said(error) or _KEPT_BACK, _code(error.orig)
        error.orig.args = (code, said) if isinstance(code, int) else (said,)
        error.args = (f"({type(error.orig).__name__}) {said}",)
    return error
