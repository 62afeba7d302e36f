"""Rows that somebody changed by hand: what cannot be read is told by table and record, with what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Row, Table

from ..errors import StateError

__all__ = ["told_damage", "undamaged"]

T = TypeVar("T")

_CURES = {
    "dead_letters": "or delete the row and replay the record by its key",
    "links": "or delete the row and run with full=True",
    "marks": "or delete the row, and the next run reads the stream from its start",
    "audit": "or delete the row",
    "suppressions": "or suppress the address again",
}
_RAW = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_SHOWN = ("stream", "kind", "key", "id")


def undamaged(load: Callable[[Row[Any]], T], table: Table) -> Callable[[Row[Any]], T]:
    """`load` for rows of this table, after a look at their types: SQLite keeps any value in any column.

    What it returns raises `StateError` for a row that cannot be read, and leaves our own errors as they are.
    """
    known: list[type] = []

    def read(row: Row[Any]) -> T:
        nonlocal known
        types = [*map(type, row)]
        try:
            # Most rows are like the one before.
            if types != known:
                _require_types(row, table)
                known = types
            return load(row)
        except _RAW as error:
            # The cause may quote what is kept.
            raise _told(table, error, row) from None

    return read


@contextmanager
def told_damage(table: Table) -> Iterator[None]:
    """The same for rows that are loaded together, and whose keys are nothing to show."""
    try:
        yield
    except _RAW as error:
        raise _told(table, error) from None


def _require_types(row: Row[Any], table: Table) -> None:
    for name, value in row._asdict().items():
        column = table.c[name]
        if not (isinstance(value, column.type.python_type) or (value is None and column.nullable)):
            raise TypeError(name)


def _told(table: Table, error: Exception, row: Row[Any] | None = None) -> StateError:
    values = {} if row is None else row._asdict()
    record = " ".join(f"{name} {values[name]}" for name in _SHOWN if name in values)
    where = f"table {table.name}, {record}" if record else f"table {table.name}"
    what = f"column {error}" if isinstance(error, TypeError) and str(error) in table.c else type(error).__name__
    cure = next((cure for name, cure in _CURES.items() if table.name.endswith(name)), "or delete the row")
    return StateError(
        f"{where}: what is kept there cannot be read ({what}), somebody changed it: restore a backup, {cure}"
    )
