"""The records of one table of a fake Sage 100, their stamps and their order. Nothing here knows HTTP or COM."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeAlias

import attrs

from ._sage100_tables import CREATED, UPDATED, Column, Layout

__all__ = ["Key", "Row", "Stamp", "Stamps", "Table", "decimal_hours"]

Key: TypeAlias = tuple[str, ...]
"""The parts of a record's key, without padding: `("00", "0000042")`."""

_SECOND = Decimal(3600)
_FIVE_PLACES = Decimal("0.00001")
_LAST_MOMENT = Decimal("23.99999")


def decimal_hours(moment: datetime) -> str:
    """The time of day as the files keep it: hours as a decimal number of up to five places, not padded.

    Example:
        >>> decimal_hours(datetime(2026, 3, 1, 8, 29, 33)), decimal_hours(datetime(2026, 3, 1, 15, 30))
        ('8.4925', '15.5')
    """
    seconds = Decimal(moment.hour * 3600 + moment.minute * 60 + moment.second) + Decimal(moment.microsecond) / 1_000_000
    hours = min((seconds / _SECOND).quantize(_FIVE_PLACES, ROUND_HALF_UP), _LAST_MOMENT)
    text = f"{hours:f}"
    return text.rstrip("0").rstrip(".") or "0"


@attrs.frozen
class Stamp:
    """A date and time as stored, and the key of the user who wrote."""

    date: str
    time: str
    user: str = ""


@attrs.define
class Stamps:
    """How changes are stamped: by the local wall clock of the machine that writes, without zone.

    Attributes:
        clock: that wall clock, naive.
        clerk: key of the user who is meant when nobody is named.
        created_only: a fresh record gets its creation stamps and blank ones for the last change.
    """

    clock: Callable[[], datetime]
    clerk: str = "0000000002"
    created_only: bool = False

    def now(self, user: str = "", at: datetime | None = None) -> Stamp:
        moment = self.clock() if at is None else at
        return Stamp(f"{moment:%Y%m%d}", decimal_hours(moment), user or self.clerk)


class Row(dict[str, Any]):
    """A record: what was never set reads as the column's blank, and a name the table lacks is a `KeyError`."""

    __slots__ = ("_columns",)

    def __init__(self, columns: Mapping[str, Column], values: Mapping[str, Any]) -> None:
        self._columns = columns
        super().__init__(values)

    def __missing__(self, name: str) -> Any:
        return self._columns[name].blank

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self or name in self._columns else default


class Table:
    """The records of one table of one company, by key.

    `rows` may be read by anyone; write through `put` and `remove`, which keep stamps and order.
    """

    def __init__(self, layout: Layout, stamps: Stamps) -> None:
        self.name = layout.name
        self.key = layout.key
        self.columns: dict[str, Column] = dict(layout.columns)
        self.stamped = layout.stamped
        self.rows: dict[Key, Row] = {}
        self.changes = 0
        """Moved on by every `put` and `remove`, so that a reader knows when to work something out anew."""
        self._stamps = stamps
        self._order: list[Key] | None = []

    def __len__(self) -> int:
        return len(self.rows)

    def add_column(self, column: Column) -> None:
        """Add a column of the site's own; records have its blank."""
        self.columns[column.name] = column

    def key_of(self, values: Mapping[str, Any]) -> Key:
        """The key of a record."""
        return tuple(str(values[name]) for name in self.key)

    def raw_key(self, key: Key) -> str:
        """The key as the file keeps it: each part filled with NUL bytes to its width."""
        return "".join(part.ljust(self.columns[name].width, "\0") for name, part in zip(self.key, key, strict=True))

    def keys_in_order(self) -> list[Key]:
        """All keys, ascending; not to be changed."""
        if self._order is None:
            self._order = sorted(self.rows)
        return self._order

    def in_order(self) -> Iterator[Row]:
        """All records in the order of their keys, as they are now; records may change meanwhile."""
        rows = self.rows
        return (row for key in list(self.keys_in_order()) if (row := rows.get(key)) is not None)

    def after(self, key: Key) -> Key | None:
        """The key that follows `key`, whether that one exists or not."""
        order = self.keys_in_order()
        place = bisect_right(order, key)
        return order[place] if place < len(order) else None

    def starting_with(self, *parts: str) -> list[Row]:
        """The records whose key begins with these parts, in order: the lines of an order."""
        order = self.keys_in_order()
        found = []
        for place in range(bisect_left(order, parts), len(order)):
            if order[place][: len(parts)] != parts:
                break
            found.append(self.rows[order[place]])
        return found

    def get(self, key: Key) -> Row | None:
        return self.rows.get(key)

    def put(
        self,
        key: Key,
        values: Mapping[str, Any],
        user: str = "",
        *,
        at: datetime | None = None,
        stamp: bool = True,
    ) -> Row:
        """Store a record or change columns of the one that is there, and return it.

        Args:
            key: the key's parts; what `values` says of them is ignored.
            values: columns to set. Stamps named here are kept as given.
            user: key of the user who writes, such as `0000000003`.
            at: the wall clock's time to stamp with, naive; else it is asked.
            stamp: without it the stamps stay as they are, as after a posting or a merge.

        Raises:
            KeyError: a column the table does not have.
        """
        columns = self.columns
        stored = {name: columns[name].stored(value) for name, value in values.items()}
        stored.update(zip(self.key, key, strict=True))
        row = self.rows.get(key)
        fresh = row is None
        if row is None:
            row = self.rows[key] = Row(columns, stored)
            self._place(key)
        else:
            row.update(stored)
        if self.stamped and (stamp or fresh):
            self._stamp(row, values, self._stamps.now(user, at), fresh=fresh)
        self.changes += 1
        return row

    def _stamp(self, row: Row, given: Mapping[str, Any], stamp: Stamp, *, fresh: bool) -> None:
        names: tuple[str, ...] = CREATED if fresh else ()
        if not (fresh and self._stamps.created_only):
            names += UPDATED
        for name, value in zip(names, attrs.astuple(stamp) * 2, strict=False):
            if name not in given:
                row[name] = value

    def _place(self, key: Key) -> None:
        if self._order is not None and (not self._order or key > self._order[-1]):
            self._order.append(key)
        else:
            self._order = None

    def remove(self, key: Key) -> None:
        """Remove a record for good: nothing tells a reader that it was there.

        Raises:
            KeyError: there is no such record.
        """
        del self.rows[key]
        if self._order is not None:
            del self._order[bisect_left(self._order, key)]
        self.changes += 1
