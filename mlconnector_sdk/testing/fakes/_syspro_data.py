"""The database of a fake SYSPRO company: plain dictionaries whose every change moves the rowversion.

Tests may change a record in place; each change gives the row a new `version` from one counter of the whole database,
as SQL Server does, and whatever was worked out from the rows is worked out again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Self

from ._syspro_tables import TABLES, Column, Table

__all__ = ["LINES", "Database", "Row", "Store", "stored_key"]

LINES = "Lines"
"""The field of an invoice or order that holds the rows of its detail table."""

_DETAILS = {"ArTrnDetail": "ArInvoice", "SorDetail": "SorMaster"}
_PADDED = frozenset({"Customer", "Supplier", "SalesOrder", "Invoice", "MasterAccount", "LastInvoice"})
_FIRST_VERSION = 0x1F400


class Row(dict[str, Any]):
    """A row: columns that were never set hold the database's default. `version` is its rowversion as a number."""

    __slots__ = ("_base", "_table", "changed_at", "version")

    def __init__(self, base: Database, table: str, values: Mapping[str, Any]) -> None:
        self._base = base
        self._table = table
        super().__init__((name, self._stored(name, value)) for name, value in values.items())
        self._touch()

    def _stored(self, name: str, value: Any) -> Any:
        if name == LINES:
            detail = next((detail for detail, header in _DETAILS.items() if header == self._table), self._table)
            return [line if type(line) is Row else Row(self._base, detail, line) for line in value]
        column = self._base.tables[self._table].columns.get(name)
        return value if column is None else column.stored(value)

    def _touch(self) -> None:
        self.version = self._base.next_version()
        self.changed_at: datetime = self._base.now()

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, self._stored(name, value))
        self._touch()

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._touch()

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]

    def update(self, *others: Any, **values: Any) -> None:
        for name, value in dict(*others, **values).items():
            self[name] = value

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]
        self.update(other)
        return self

    def pop(self, name: str, *default: Any) -> Any:
        value = super().pop(name, *default)
        self._touch()
        return value

    def clear(self) -> None:
        super().clear()
        self._touch()


class Store(dict[Any, Row]):
    """The rows of one table by key, in the order in which they were stored."""

    def __init__(self, base: Database, table: str) -> None:
        self._base = base
        self._table = table
        super().__init__()

    def __setitem__(self, key: Any, row: Mapping[str, Any]) -> None:
        super().__setitem__(key, row if type(row) is Row else Row(self._base, self._table, row))
        self._base.next_version()

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        self._base.next_version()

    def pop(self, key: Any, *default: Any) -> Any:
        self._base.next_version()
        return super().pop(key, *default)

    def clear(self) -> None:
        super().clear()
        self._base.next_version()


class Database:
    """All tables of the company. Nothing here knows HTTP."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.tables: dict[str, Table] = dict(TABLES)
        self.version = _FIRST_VERSION
        self.stores = {name: Store(self, name) for name in self.tables if name not in _DETAILS}
        self.purged: list[Row] = []
        self._derived: dict[Any, tuple[int, Any]] = {}
        self._numbers: dict[str, int] = {}

    def next_version(self) -> int:
        """The database's counter, moved on by one."""
        self.version += 1
        return self.version

    def add_columns(self, table: str, *columns: Column) -> None:
        """Add columns of the site's own to a table."""
        self.tables[table] = self.tables[table].with_columns(*columns)
        self.next_version()

    def cached(self, place: Any, build: Callable[[], Any]) -> Any:
        """The value `build` gave since the last change of any row."""
        known = self._derived.get(place)
        if known is None or known[0] != self.version:
            known = self._derived[place] = (self.version, build())
        return known[1]

    def rows(self, table: str) -> list[Row]:
        """The rows of a table as they lie in the database, in no useful order."""
        found: list[Row] = self.cached(("rows", table), lambda: self._rows(table))
        return found

    def _rows(self, table: str) -> list[Row]:
        header = _DETAILS.get(table)
        if header is None:
            return list(self.stores[table].values())
        kept = self.purged if table == "ArTrnDetail" else []
        return [*kept, *(line for row in self.stores[header].values() for line in row.get(LINES, ()))]

    def rows_by(self, table: str, column: str, read: Callable[[Row], Any]) -> Mapping[Any, list[Row]]:
        """Rows by what `read` finds in one column."""
        place = ("by", table, column)
        found: Mapping[Any, list[Row]] = self.cached(place, lambda: self._rows_by(table, read))
        return found

    def _rows_by(self, table: str, read: Callable[[Row], Any]) -> Mapping[Any, list[Row]]:
        found: dict[Any, list[Row]] = {}
        for row in self.rows(table):
            found.setdefault(read(row), []).append(row)
        return found

    def key_of(self, table: str, row: Mapping[str, Any]) -> Any:
        """The store key of a row: the one key value, or a tuple of them."""
        parts = tuple(stored_key(name, row.get(name, "")) for name in self.tables[table].keys)
        return parts[0] if len(parts) == 1 else parts

    def find_key(self, table: str, key: Any) -> Any:
        """The store key for what a caller names: numbers may come without their zeros."""
        names = self.tables[table].keys
        parts = key if isinstance(key, tuple) else (key,)
        found = tuple(stored_key(name, part) for name, part in zip(names, parts, strict=True))
        return found[0] if len(found) == 1 else found

    def put(self, table: str, values: Mapping[str, Any]) -> Row:
        """Store a whole row under its key, numeric codes padded as the site's numbering stores them."""
        if table not in self.stores:
            raise KeyError(f"this fake keeps no {table}; it has {', '.join(sorted(self.stores))}")
        padded = {name: stored_key(name, value) for name, value in values.items()}
        row = Row(self, table, padded)
        self.stores[table][self.key_of(table, row)] = row
        return row

    def next_number(self, table: str, *, first: int = 0) -> str:
        """A key part nobody has yet, in stored form."""
        taken = {key[1] if isinstance(key, tuple) and table == "ArInvoice" else key for key in self.stores[table]}
        number = self._numbers.get(table, first)
        while True:
            number += 1
            key = f"{number:015d}"
            if key not in taken:
                self._numbers[table] = number
                return key


def stored_key(name: str, value: Any) -> Any:
    """A code as tables hold it: of digits only, it is padded with zeros to 15."""
    if type(value) is str and name in _PADDED and value.isascii() and value.isdigit():
        return value.zfill(15)
    return value
