"""The records of a fake Sage 300: plain dictionaries by key, in the order of their keys, with coarse stamps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from ._acumatica_data import Changes, Row, Store, key_of
from ._sage300_filter import sortable
from ._sage300_schema import Model, Property
from ._sage300_tables import RESOURCES, TABLES

__all__ = ["Key", "Records", "folded_key"]

Key = str | int | tuple[str, str]

_FIRST_KEYS = {"ARCustomers": 1100, "APVendors": 1200}


class Records:
    """All records and the numbers handed out. Nothing here knows HTTP."""

    def __init__(self, model: Model, today: Callable[[], date]) -> None:
        self.model = model
        self.today = today
        self.changes = Changes()
        self.stores: dict[str, Store] = {name: Store(self.changes) for name in RESOURCES}
        self._numbers: dict[str, int] = {}
        self._derived: dict[Any, tuple[int, Any]] = {}

    def cached(self, name: Any, build: Callable[[], Any]) -> Any:
        """The value `build` gave since the last change of any record."""
        known = self._derived.get(name)
        if known is None or known[0] != self.changes.count:
            if len(self._derived) > 32:
                self._derived.clear()
            known = self._derived[name] = (self.changes.count, build())
        return known[1]

    def in_key_order(self, resource: str) -> list[Row]:
        """Rows in ascending order of their key, as the index of the table gives them."""
        store = self.stores[resource]
        ordered: list[Row] = self.cached(resource, lambda: [store[key] for key in sorted(store, key=folded_key)])
        return ordered

    def by_key(self, resource: str) -> Mapping[tuple[Any, ...], Row]:
        """Rows by key without regard to case and to blanks at the end."""
        store = self.stores[resource]
        found: dict[tuple[Any, ...], Row] = self.cached(
            ("keys", resource), lambda: {folded_key(key): row for key, row in store.items()}
        )
        return found

    def put(self, resource: str, values: Mapping[str, Any]) -> Any:
        """Store a whole record and return its key.

        Raises:
            ValueError: a name the resource does not have, or a text longer than its column.
        """
        self.check(resource, values)
        keys = RESOURCES[resource].keys
        row = Row(values, self.changes)
        for name in keys:
            if isinstance(row[name], str):
                row[name] = row[name].upper()
        key = key_of(keys, row)
        if RESOURCES[resource].stamp:
            row.setdefault(RESOURCES[resource].stamp, self.today())
        self.stores[resource][key] = row
        if isinstance(key, int):
            self._numbers[resource] = max(key, self._numbers.get(resource, 0))
        return key

    def edit(self, resource: str, key: Any, values: Mapping[str, Any], *, stamp: bool) -> None:
        """Change fields as saving the form does; the stamp is today's date and nothing finer."""
        self.check(resource, values)
        row = self.stores[resource][key]
        row.update(values)
        if "InactiveDate" in self._properties(resource) and "Status" in values and "InactiveDate" not in values:
            row["InactiveDate"] = self.today() if values["Status"] == "Inactive" else None
        name = RESOURCES[resource].stamp
        if stamp and name and name not in values:
            row[name] = self.today()

    def check(self, resource: str, values: Mapping[str, Any]) -> None:
        """Refuse what no form would take, so that a misspelt name in a test is not lost in silence."""
        known = self._properties(resource)
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"{resource} has no property {name}")
            width = known[name].width
            if width and isinstance(value, str) and len(value) > width:
                raise ValueError(f"{resource}.{name} holds {width} characters, not {len(value)}")

    def _properties(self, resource: str) -> Mapping[str, Property]:
        own = {one.name: one for one in TABLES[RESOURCES[resource].table].properties}
        if resource not in self.model.resources:
            return own
        return own | {column.stored: column.property for column in self.model.columns_of(resource).values()}

    def next_key(self, resource: str) -> str:
        """A text key nobody has yet."""
        number = self._numbers.get(resource, _FIRST_KEYS.get(resource, 0) + len(self.stores[resource]))
        while True:
            number += 1
            key = f"CONTACT{number:05d}" if resource == "MTContacts" else str(number)
            if key not in self.stores[resource]:
                self._numbers[resource] = number
                return key

    def next_number(self, resource: str) -> int:
        """The next uniquifier; numbers grow and are never used again."""
        return self._numbers.get(resource, 0) + 1


def folded_key(key: Any) -> tuple[Any, ...]:
    """A key as the database compares it."""
    parts = key if isinstance(key, tuple) else (key,)
    return tuple(sortable("text" if isinstance(part, str) else "int", part) for part in parts)
