"""The records of a fake Acumatica: plain nested dictionaries that notice when they are changed.

Tests may change a record in place; every change moves one counter, and whatever was worked out from the records
(filter results, the list of posted invoices) is worked out again when the counter has moved.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Self

from ._acumatica_tables import ENTITIES, POSTED

__all__ = ["Key", "Records", "Row", "Store", "as_instant", "is_identity", "key_of"]

Key = str | int | tuple[str, str]

_DOCUMENT_TYPES = ("Invoice", "Credit Memo", "Debit Memo", "Cash Sale", "Cash Return")


class Changes:
    """Counts changes of the records."""

    def __init__(self) -> None:
        self.count = 0


class Row(dict[str, Any]):
    """A dictionary whose changes are counted; dictionaries put into it become rows of the same counter."""

    __slots__ = ("_changes",)

    def __init__(self, values: Mapping[str, Any], changes: Changes) -> None:
        self._changes = changes
        super().__init__((name, self._watched(value)) for name, value in values.items())

    def _watched(self, value: Any) -> Any:
        return Row(value, self._changes) if type(value) is dict else value

    def __setitem__(self, name: str, value: Any) -> None:
        self._changes.count += 1
        super().__setitem__(name, self._watched(value))

    def __delitem__(self, name: str) -> None:
        self._changes.count += 1
        super().__delitem__(name)

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
        self._changes.count += 1
        return super().pop(name, *default)

    def popitem(self) -> tuple[str, Any]:
        self._changes.count += 1
        return super().popitem()

    def clear(self) -> None:
        self._changes.count += 1
        super().clear()


class Store(dict[Any, Row]):
    """The records of one entity by key, in no particular order."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        super().__init__()

    def __setitem__(self, key: Any, row: Mapping[str, Any]) -> None:
        self._changes.count += 1
        super().__setitem__(key, row if type(row) is Row else Row(row, self._changes))

    def __delitem__(self, key: Any) -> None:
        self._changes.count += 1
        super().__delitem__(key)

    def pop(self, key: Any, *default: Any) -> Any:
        self._changes.count += 1
        return super().pop(key, *default)

    def clear(self) -> None:
        self._changes.count += 1
        super().clear()


def as_instant(value: date | str) -> datetime:
    """A stamp or business date as an aware instant; a date is its midnight, as the wire shows it."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


class Records:
    """All records, who hangs on whom, and their identities. Nothing here knows HTTP."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.changes = Changes()
        names = [name for name in ENTITIES if name != "Invoice"]
        self.stores: dict[str, Store] = {name: Store(self.changes) for name in [*names, "ReceivablesDocument"]}
        self.custom_fields: dict[str, dict[str, str]] = {}
        self._identities = 0
        self._numbers: dict[str, int] = {}
        self._derived: dict[str, tuple[int, Any]] = {}

    def cached(self, name: str, build: Callable[[], Any]) -> Any:
        """The value `build` gave since the last change of any record."""
        known = self._derived.get(name)
        if known is None or known[0] != self.changes.count:
            if len(self._derived) > 64:
                self._derived.clear()
            known = self._derived[name] = (self.changes.count, build())
        return known[1]

    def rows(self, entity: str) -> Mapping[Any, Row]:
        """The records an entity shows. Invoices are the posted sales invoices and other receivables documents."""
        if entity != "Invoice":
            return self.stores[entity]
        posted: dict[Any, Row] = self.cached("posted", self._posted)
        return posted

    def _posted(self) -> dict[Any, Row]:
        # Cash sales and cash returns have their own form, AR304000.
        sales = self.stores["SalesInvoice"].items()
        on_form = {k: row for k, row in sales if row.get("Status", "Open") in POSTED and not k[0].startswith("Cash")}
        return on_form | self.stores["ReceivablesDocument"]

    def in_key_order(self, entity: str) -> list[Row]:
        """Rows in ascending key order, letters of either case together as the database sorts them."""
        rows = self.rows(entity)
        ordered: list[Row] = self.cached(f"order {entity}", lambda: [rows[key] for key in sorted(rows, key=_folded)])
        return ordered

    def by_identity(self, entity: str) -> Mapping[str, Row]:
        rows = self.rows(entity)
        found: dict[str, Row] = self.cached(f"ids {entity}", lambda: {row["id"]: row for row in rows.values()})
        return found

    def by_folded_key(self, entity: str) -> Mapping[tuple[str, ...], Row]:
        """Rows by key as text, without regard to case."""
        rows = self.rows(entity)
        found: dict[tuple[str, ...], Row] = self.cached(f"keys {entity}", lambda: {_as_text(k): rows[k] for k in rows})
        return found

    def contacts_of(self, account: str) -> list[Row]:
        """The persons whose business account this is."""
        found: dict[str, list[Row]] = self.cached("accounts", self._by_account)
        return found.get(account, [])

    def _by_account(self) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for row in self.in_key_order("Contact"):
            if account := row.get("BusinessAccount"):
                found.setdefault(account, []).append(row)
        return found

    def identity(self) -> str:
        """The next record GUID; they are handed out in sequence, as NoteIDs are."""
        self._identities += 1
        return f"{self._identities:08x}-2945-ea11-817f-eb1a00000000"

    def put(self, entity: str, values: Mapping[str, Any]) -> Key:
        """Store a whole record under its key; identity and stamps are added where missing."""
        if entity not in ENTITIES:
            raise KeyError(f"this fake keeps no {entity}; it has {', '.join(ENTITIES)}")
        kind = ENTITIES[entity]
        row = Row(values, self.changes)
        key: Key = key_of(kind.keys, row)
        row.setdefault("id", self.identity())
        for stamp in filter(None, (kind.created, kind.stamp)):
            row.setdefault(stamp, self.now())
        self.note_custom_fields(entity, row)
        self.stores["ReceivablesDocument" if entity == "Invoice" else entity][key] = row
        return key

    def edit(self, entity: str, key: Any, changes: Mapping[str, Any], *, stamp: bool = True) -> None:
        """Set values by dotted path; only the record that owns a value gets a new stamp."""
        kind = ENTITIES[entity]
        row = self.rows(entity)[_split_key(key) if len(kind.keys) > 1 else key]
        for path, value in changes.items():
            owner = self._set(row, path.replace("/", ".").split("."), value)
            if stamp and owner is row:
                row[kind.stamp] = self.now()
            elif stamp and owner is not None:
                owner["LastModifiedDateTime"] = self.now()
        self.note_custom_fields(entity, row)

    def _set(self, row: Row, path: list[str], value: Any) -> Row | None:
        """Set one value; returns the record whose stamp moves, `None` where nothing shows the change."""
        if path == ["Email"] and "CustomerName" in row:
            path = ["MainContact", "Email"]
        owner: Row | None = row
        target = row
        for name in path[:-1]:
            if name == "PrimaryContact" and not target.get(name):
                raise KeyError("this record has no PrimaryContact: add a contact with primary=True first")
            target = target.setdefault(name, {})
            if name == "PrimaryContact":
                owner = target
            elif name in {"MainContact", "BillingContact", "ShippingContact"}:
                owner = None
        target[path[-1]] = value
        return owner

    def next_key(self, entity: str) -> Any:
        """A key nobody has yet, in the site's numbering."""
        store = self.stores[entity]
        pattern = {"Customer": "C{:06d}", "Vendor": "V{:06d}", "SalesInvoice": "AR{:06d}", "SalesOrder": "{:06d}"}
        number = self._numbers.get(entity, len(store))
        first = {"SalesInvoice": _DOCUMENT_TYPES, "SalesOrder": ("SO",)}.get(entity)
        while True:
            number += 1
            key: Any = 100_000 + number if entity == "Contact" else pattern.get(entity, "ITEM{:04d}").format(number)
            if not any((kind, key) in store for kind in first) if first else key not in store:
                self._numbers[entity] = number
                return key

    def note_custom_fields(self, entity: str, row: Mapping[str, Any]) -> None:
        """Declare the screen fields found under `custom`, so that `$custom`, `cf.` and `$adHocSchema` know them."""
        for view, fields in (row.get("custom") or {}).items():
            for name, value in fields.items():
                known = self.custom_fields.setdefault(entity, {})
                # An empty value says nothing about the kind.
                known[f"{view}.{name}"] = known.get(f"{view}.{name}", "S") if value is None else custom_kind(value)


def custom_kind(value: Any) -> str:
    """The kind letter of a custom field's value."""
    if isinstance(value, bool):
        return "B"
    if isinstance(value, int):
        return "I"
    if isinstance(value, date):
        return "T"
    return "S" if isinstance(value, str) else "D"


def key_of(names: Iterable[str], row: Mapping[str, Any]) -> Any:
    """The store key: the one key value, or a tuple of them."""
    values = tuple(row[name] for name in names)
    return values[0] if len(values) == 1 else values


def _split_key(key: Any) -> Any:
    """`Invoice/AR000001` as the pair the stores use."""
    return tuple(key.split("/", 1)) if isinstance(key, str) else key


def _folded(key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple(part.casefold() for part in key)
    return key.casefold() if isinstance(key, str) else key


def _as_text(key: Any) -> tuple[str, ...]:
    return tuple(str(part).strip().casefold() for part in (key if isinstance(key, tuple) else (key,)))


def is_identity(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
