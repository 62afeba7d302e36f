"""Business objects of a fake Business Object Interface that maintain records: keys taken, values set, writes."""

from __future__ import annotations

import weakref
from decimal import Decimal, InvalidOperation
from itertools import count
from typing import Any

from ._sage100_com_calls import Link, answered, is_day, outputs
from ._sage100_com_catalog import NUMBERS, BusinessObject
from ._sage100_com_reading import Lines, Reading
from ._sage100_data import Key, Row, Table
from ._sage100_rules import SageRefusal, check_value, label_of
from ._sage100_site import Company, User
from ._sage100_tables import Column

__all__ = ["Editing"]

_DEFAULTS = {"AR_Customer": {"CustomerStatus": "A"}, "SO_SalesOrderHeader": {"OrderType": "S", "OrderStatus": "N"}}
_serial = count(1)


class _Hold:
    """The one record an object has taken for editing; let go with the object."""

    def __init__(self, company: Company, table: str, by: str) -> None:
        self._company = company
        self._table = table
        self._by = by
        self.key: Key | None = None

    def take(self, key: Key) -> bool:
        self.release()
        if not self._company.lock(self._table, key, self._by):
            return False
        self.key = key
        return True

    def release(self) -> None:
        key, self.key = self.key, None
        if key is not None and self._company.holder(self._table, key) == self._by:
            self._company.unlock(self._table, key)


class Editing(Reading):
    """A `_bus` object: `nSetKey` takes a record for editing, until `nWrite`, `nClear`, or nobody holds the object.

    While it is taken, another `nSetKey` on it, from any session, answers 0. Reading is free.
    """

    def __init__(self, link: Link, entry: BusinessObject, company: Company, user: User) -> None:
        super().__init__(link, entry, company, user)
        self._hold = _Hold(company, entry.table, f"{user.logon} #{next(_serial)}")
        self._new = False
        self._changes: dict[str, Any] = {}
        self._new_lines: dict[Key, dict[str, Any]] = {}
        weakref.finalize(self, self._hold.release)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name == NUMBERS.get(self._entry.name):
            return self._next_number
        return super().__getattr__(name)

    # -- taking a record ----------------------------------------------------------------------------------------

    @answered()
    def nSetKey(self, key: str | None = None) -> int:
        """1: an existing record is loaded for editing; 2: a new one is begun; 0: neither."""
        wanted = self._wanted(key)
        self._drop()
        if wanted is None:
            return self._refuse(self._texts.not_found)
        exists = self._table.get(wanted) is not None
        if not exists and not self._user.may(self._entry.task, "Create"):
            return self._refuse(self._texts.no_access)
        if not self._hold.take(wanted):
            return self._refuse(self._texts.locked)
        self._begin(wanted, new=not exists)
        return 1 if exists else 2

    def _begin(self, key: Key, *, new: bool) -> None:
        self._new = new
        if new:
            values = {**_DEFAULTS.get(self._table.name, {}), **dict(zip(self._table.key, key, strict=True))}
            self._record = Row(self._table.columns, values)
            self._place = key
        else:
            self._stand_on(key)

    def _leave(self) -> None:
        self._hold.release()
        self._new, self._changes, self._new_lines = False, {}, {}

    def _drop(self) -> None:
        self._leave()
        self._record = None

    @answered()
    def nClear(self) -> int:
        """Forget the record and what was set, and let it go."""
        self._drop()
        self._key_values = {}
        return 1

    # -- changing it --------------------------------------------------------------------------------------------

    @answered()
    def nSetValue(self, column: str, value: Any) -> int:
        found = self._columns.get(column.upper())
        if self._hold.key is None or self._record is None:
            return self._refuse(self._texts.no_record)
        if found is None:
            return self._refuse(f"The column {column} is not in the table {self._table.name}.")
        wrong = objection(self._company, self._table, found, value)
        if wrong:
            return self._refuse(wrong)
        self._record[found.name] = self._changes[found.name] = found.stored(value)
        return 1

    @answered()
    def nWrite(self) -> int:
        """Store the record; a new one comes into being here."""
        key, record = self._hold.key, self._record
        if key is None or record is None:
            return self._refuse(self._texts.no_record)
        if not self._user.may(self._entry.task, "Create" if self._new else "Modify"):
            return self._refuse(self._texts.no_access)
        self._table.put(key, dict(record) if self._new else self._changes, self._user.key)
        for line, values in self._new_lines.items():
            self._company.tables[str(self._entry.lines)].put(line, values, self._user.key)
        self._drop()
        return 1

    @answered()
    def nDelete(self) -> int:
        key = self._hold.key
        if key is None or self._new:
            return self._refuse(self._texts.no_record)
        if not self._user.may(self._entry.task, "Remove"):
            return self._refuse(self._texts.no_access)
        self._table.remove(key)
        self._drop()
        return 1

    def _next_number(self, number: Any) -> Any:
        """Hand out the next number, which is used up by that."""
        self._link.enter(NUMBERS[self._entry.name])
        return outputs(1, [number], [self._company.next_number(self._table.name)])

    def _open_lines(self, entry: BusinessObject) -> Lines:
        return _OrderLines(self._link, entry, self._company, self._user, header=self)

    # -- for its lines ------------------------------------------------------------------------------------------

    @property
    def taken(self) -> Key | None:
        """The key of the record in hand for editing."""
        return self._hold.key

    @property
    def new_lines(self) -> dict[Key, dict[str, Any]]:
        """Lines that are stored when the record is."""
        return self._new_lines


class _OrderLines(Lines):
    """Lines that can be added to an order in hand; they are stored when the order is."""

    def __init__(self, link: Link, entry: BusinessObject, company: Company, user: User, *, header: Editing) -> None:
        super().__init__(link, entry, company, user, header=header)
        self._order = header
        self._line: dict[str, Any] | None = None

    @answered()
    def nAddLine(self) -> int:
        """Begin a line: 2, or 0 where no order is in hand."""
        if self._order.taken is None:
            return self._refuse(self._texts.no_record)
        self._line = {}
        return 2

    @answered()
    def nSetValue(self, column: str, value: Any) -> int:
        """Set a column of the line begun; the item comes first."""
        found = self._columns.get(column.upper())
        if self._line is None or found is None:
            return self._refuse(self._texts.no_record if self._line is None else self._texts.not_found)
        wrong = objection(self._company, self._table, found, value)
        if not wrong and "ItemCode" not in self._line and found.name != "ItemCode":
            wrong = "The Item Code is required first."
        if wrong:
            return self._refuse(wrong)
        self._line[found.name] = found.stored(value)
        return 1

    @answered()
    def nWrite(self) -> int:
        order, line = self._order.taken, self._line
        if order is None or not line:
            return self._refuse(self._texts.no_record)
        stored = [row["LineKey"] for row in self._table.starting_with(*order)]
        stored += [key[-1] for key in self._order.new_lines]
        number = f"{max(map(int, stored), default=0) + 1:06d}"
        self._order.new_lines[*order, number] = line
        self._line = None
        return 1


def objection(company: Company, table: Table, column: Column, value: Any) -> str:
    """What a program says against a value of a column, or nothing."""
    if column.name in table.key:
        return f"The {label_of(column.name)} is part of the key."
    try:
        check_value(company, table.name, column, value)
    except SageRefusal as refusal:
        return refusal.reason
    wrong = _number_objection(column, value) if column.kind == "number" else _text_objection(column, value)
    return f"The {label_of(column.name)} {wrong}." if wrong else ""


def _text_objection(column: Column, value: Any) -> str:
    if not isinstance(value, str):
        return "is not a text"
    return "is not a valid date" if column.kind == "date" and value and not is_day(value) else ""


def _number_objection(column: Column, value: Any) -> str:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return "is not a number"
    if not number.is_finite():
        return "is not a number"
    return "is too large" if abs(number) >= Decimal(10) ** (column.width - column.scale) else ""
