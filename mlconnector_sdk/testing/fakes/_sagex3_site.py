"""The data of a fake Sage X3 folder, below both of its APIs: rows with stamps, and indexes by key.

X3's own programs stamp what they write; a row changed in place is what raw SQL does: the database's trigger counts
`UPDTICK` up, and no stamp moves.
"""

from __future__ import annotations

import random
from bisect import insort
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from ._sagex3_tables import TABLES, Column, Table

__all__ = ["Key", "Row", "SageX3Site", "Store", "sort_key"]

_TWINS = {"SINVOICE": "SINVOICEV", "SINVOICEV": "SINVOICE"}

Key = str | int | tuple[str | int, ...]
"""A row's key: the value of the one key column, or a tuple of several in their order."""


def sort_key(key: Key) -> tuple[str | int, ...]:
    """A key as a sequence that sorts as the table's index does."""
    return key if isinstance(key, tuple) else (key,)


class Row(dict[str, Any]):
    """A row by field code. `row[code]` of a field never filled in is its blank: `""`, 0, or nothing for days.

    Fields that occur several times hold a tuple of all occurrences. Setting a field counts `UPDTICK` up and moves no
    stamp.
    """

    __slots__ = ("_columns", "_site", "table")

    def __init__(
        self, site: SageX3Site, table: Table, values: Mapping[str, Any], stamps: Mapping[str, Any] | None = None
    ) -> None:
        self._site = site
        self._columns = table.columns
        self.table = table.name
        super().__init__(stamps or {})
        super().update(table.stored(values))

    def __missing__(self, name: str) -> Any:
        return self._column(name).blank

    def _column(self, name: str) -> Column:
        if name not in self._columns:
            raise KeyError(f"{self.table} has no column {name}")
        return self._columns[name]

    @property
    def key(self) -> Key:
        """The key under which the site's table holds the row."""
        names = self._site.tables[self.table].keys
        return self[names[0]] if len(names) == 1 else tuple(self[name] for name in names)

    def spoil(self, **fields: Any) -> None:
        """Keep values that the fields could not hold: so a malformed row is made."""
        for name, value in fields.items():
            super().__setitem__(self._column(name).name, value)
        self._site.changes += 1

    def write(self, values: Mapping[str, Any]) -> None:
        """Set fields at once: one tick of the trigger."""
        for name, value in values.items():
            super().__setitem__(name, self._column(name).stored(value))
        if "UPDTICK" not in values:
            super().__setitem__("UPDTICK", self["UPDTICK"] + 1)
        self._site.changes += 1

    def __setitem__(self, name: str, value: Any) -> None:
        self.write({name: value})

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._site.changes += 1

    def update(self, *others: Any, **values: Any) -> None:
        self.write(dict(*others, **values))

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]
        self.write(dict(other))
        return self

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]

    def pop(self, name: str, *default: Any) -> Any:
        self._site.changes += 1
        return super().pop(name, *default)

    def clear(self) -> None:
        super().clear()
        self._site.changes += 1


class Store(dict[Key, Row]):
    """The rows of one table by key; `order` holds the keys in the order of the table's index."""

    def __init__(self, site: SageX3Site, table: str) -> None:
        self._site = site
        self._table = table
        self._order: list[tuple[str | int, ...]] | None = []
        super().__init__()

    @property
    def order(self) -> list[tuple[str | int, ...]]:
        """All keys, each as `sort_key` gives it, ascending; for reading only."""
        if self._order is None:
            self._order = sorted(sort_key(key) for key in self)
        return self._order

    def in_order(self) -> list[Row]:
        """All rows in the order of their keys."""
        rows: list[Row] = self._site.cached(("order", self._table), self._in_order)
        return rows

    def _in_order(self) -> list[Row]:
        single = len(self._site.tables[self._table].keys) == 1
        return [self[key[0] if single else key] for key in self.order]

    def __setitem__(self, key: Key, row: Mapping[str, Any]) -> None:
        whole = row if type(row) is Row else Row(self._site, self._site.tables[self._table], row)
        if key not in self and self._order is not None:
            at = sort_key(key)
            if not self._order or self._order[-1] < at:
                self._order.append(at)
            else:
                insort(self._order, at)
        super().__setitem__(key, whole)
        self._site.changes += 1

    def __delitem__(self, key: Key) -> None:
        super().__delitem__(key)
        self._order = None
        self._site.changes += 1

    def pop(self, key: Key, *default: Any) -> Any:
        self._order = None
        self._site.changes += 1
        return super().pop(key, *default)

    def clear(self) -> None:
        super().clear()
        self._order = None
        self._site.changes += 1


class SageX3Site:
    """All tables of one folder. Nothing here knows HTTP.

    Args:
        clock: gives the present as aware UTC.
        zone: the server's time zone: `CREDAT` and `UPDDAT` are its calendar days, `CREDATTIM` and `UPDDATTIM` are UTC.
        user: whom rows name as their author.
        seed: of the UUIDs.

    Example:
        >>> site = SageX3Site()
        >>> key = site.put("BPCUSTOMER", {"BPCNUM": "0001", "BPCNAM": "Alpine Cycles"}).key
        >>> site.edit("BPCUSTOMER", key, BPCNAM="Alpine Bikes")
        >>> site.row("BPCUSTOMER", "0001")["BPCNAM"], site.row("BPCUSTOMER", "0001")["UPDTICK"]
        ('Alpine Bikes', 2)
    """

    def __init__(
        self,
        clock: Callable[[], datetime] | None = None,
        *,
        zone: str = "UTC",
        user: str = "ADMIN",
        seed: int = 1,
    ) -> None:
        self.clock = clock or _utc_now
        self.zone = ZoneInfo(zone)
        self.user = user
        self.changes = 0
        self.tables: dict[str, Table] = dict(TABLES)
        self.stores: dict[str, Store] = {name: Store(self, name) for name in self.tables}
        self._dice = random.Random(seed)
        self._derived: dict[Any, tuple[int, Any]] = {}
        self._numbers: dict[str, int] = {}

    def now(self) -> datetime:
        """The present as stamps hold it: UTC, without parts of a second."""
        return self.clock().astimezone(UTC).replace(microsecond=0)

    # -- reading ------------------------------------------------------------------------------------------------

    def cached(self, place: Any, build: Callable[[], Any]) -> Any:
        """The value `build` gave since the last change of any row."""
        known = self._derived.get(place)
        if known is None or known[0] != self.changes:
            if len(self._derived) > 256:
                self._derived.clear()
            known = self._derived[place] = (self.changes, build())
        return known[1]

    def row(self, table: str, *key: str | int) -> Row | None:
        """The row with that key, the parts of a composite one as several arguments."""
        return self.stores[table].get(key[0] if len(key) == 1 else key)

    def rows(self, table: str) -> list[Row]:
        """The rows of a table in the order of their keys; for reading only."""
        return self.stores[table].in_order()

    def rows_with(self, table: str, column: str, value: Any) -> list[Row]:
        """Rows whose field has that value, in the order of their keys; worked out by an index."""
        index = self.cached(("index", table, column), lambda: self._index(table, column))
        found: list[Row] = index.get(value, [])
        return found

    def _index(self, table: str, column: str) -> dict[Any, list[Row]]:
        found: dict[Any, list[Row]] = {}
        for row in self.rows(table):
            found.setdefault(row[column], []).append(row)
        return found

    def lines(self, table: str, document: str) -> list[Row]:
        """The lines of a document in a line table, such as `lines("SORDERP", "SON0001")`."""
        return self.rows_with(table, self.tables[table].keys[0], document)

    # -- writing ------------------------------------------------------------------------------------------------

    def put(self, table: str, values: Mapping[str, Any], *, at: datetime | None = None) -> Row:
        """Store a whole new row, stamped as created now, or at the given moment; stamps in `values` win.

        Raises:
            ValueError: a code that the table does not have, or a value that does not fit its field.
        """
        row = Row(self, self.tables[table], values, self._created(at))
        self.stores[table][row.key] = row
        return row

    def edit(self, table: str, key: Key, *, stamp: bool = True, **fields: Any) -> None:
        """Change fields as X3's own programs do, which moves this row's stamps only.

        Writing a line of a document writes its header as well. Without `stamp` it is an import by raw SQL.

        Raises:
            KeyError: no such row.
            ValueError: as in `put`.
        """
        row = self.stores[table][key]
        definition = self.tables[table]
        values = definition.stored(fields)
        before = row.key
        row.write({**self._changed(), **values} if stamp else values)
        if row.key != before:
            del self.stores[table][before]
            self.stores[table][row.key] = row
        if not stamp:
            return
        if definition.header is not None:
            self.touch(definition.header, sort_key(key)[0])
        elif table in _TWINS:
            self._restamp(_TWINS[table], key)

    def touch(self, table: str, key: Key) -> None:
        """Write a row without changing anything but its stamps; an invoice has a row in two tables."""
        self._restamp(table, key)
        if table in _TWINS:
            self._restamp(_TWINS[table], key)

    def _restamp(self, table: str, key: Key) -> None:
        if key in self.stores[table]:
            self.stores[table][key].write(self._changed())

    def delete(self, table: str, key: Key) -> None:
        """Remove a row, and all rows of a document; nothing tells a reader that they are gone."""
        del self.stores[table][key]
        if table in _TWINS:
            self.stores[_TWINS[table]].pop(key, None)
        for name, definition in self.tables.items():
            if definition.header is not None and definition.header in {table, _TWINS.get(table)}:
                for line in self.lines(name, str(key)):
                    del self.stores[name][line.key]

    def _created(self, at: datetime | None) -> dict[str, Any]:
        moment = (at or self.now()).astimezone(UTC).replace(microsecond=0)
        day = moment.astimezone(self.zone).date()
        users: dict[str, Any] = {"CREUSR": self.user, "UPDUSR": self.user}
        number = UUID(int=self._dice.getrandbits(128), version=4)
        return users | {
            "CREDAT": day,
            "UPDDAT": day,
            "CREDATTIM": moment,
            "UPDDATTIM": moment,
            "UPDTICK": 1,
            "AUUID": number,
        }

    def _changed(self) -> dict[str, Any]:
        moment = self.now()
        return {"UPDUSR": self.user, "UPDDAT": moment.astimezone(self.zone).date(), "UPDDATTIM": moment}

    def next_number(self, table: str, form: str) -> str:
        """A key nobody has yet, such as the next of `"{:04d}"`; a business partner's is nobody else's either."""
        taken = (self.stores[table], self.stores["BPARTNER"] if table in {"BPCUSTOMER", "BPSUPPLIER"} else ())
        number = self._numbers.get(table, len(self.stores[table]))
        while True:
            number += 1
            key = form.format(number)
            if not any(key in keys for keys in taken):
                self._numbers[table] = number
                return key


def _utc_now() -> datetime:
    return datetime.now(UTC)
