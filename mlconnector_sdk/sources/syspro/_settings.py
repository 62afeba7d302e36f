"""What a site may have of its own: who counts as inactive, columns and custom forms, marks of change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import attrs

from ...cursors import CursorValue
from ...errors import ConfigurationError, MappingError
from ...models import StreamName
from .._settings import PartyStatus, require
from .._values import number_in, text_in
from ._tables import SYSTEM, Table, form_of

__all__ = ["DAYS", "STATUSES", "Statuses", "Wanted", "delta_columns", "mark_in", "status_test", "wanted_columns"]

Statuses: TypeAlias = Callable[[Mapping[str, Any]], PartyStatus] | Mapping[str, Mapping[str, PartyStatus]]
"""Column to value to status, or a function over the raw row."""

STATUSES: Mapping[str, Mapping[str, PartyStatus]] = {
    "CustomerOnHold": {"Y": "on_hold"},
    # 0 to 6 is the age of the oldest invoice in steps of 30 days, which a site may want to judge; 9 is a hold by hand.
    "CreditStatus": {"9": "on_hold"},
}

DAYS = frozenset({"DateCustAdded", "DateLastSale", "DateLastPay", "InvoiceDate", "OrderDate", "EntrySystemDate"})
"""Columns of SYSPRO's own tables that hold calendar dates, however an API writes them."""

_KNOWN = frozenset({"active", "on_hold", "inactive"})


def status_test(given: Statuses | None) -> tuple[Callable[[Mapping[str, Any]], PartyStatus], tuple[str, ...]]:
    """What a customer's status is, and the columns this needs. Of several columns the gravest counts.

    A mapping adds to the usual ones, column by column; a function replaces them.

    Raises:
        ConfigurationError: a status that there is not.
    """
    if callable(given):
        return _guarded(given), tuple(STATUSES)
    tables = {
        name: {k.strip().upper(): v for k, v in values.items()}
        for name, values in {**STATUSES, **(given or {})}.items()
    }
    wrong = {status for values in tables.values() for status in values.values()} - _KNOWN
    require(not wrong, f"statuses: {', '.join(sorted(wrong))}: there are active, on_hold and inactive", system=SYSTEM)

    def status(row: Mapping[str, Any]) -> PartyStatus:
        found = {values.get(text_in(row, name).upper(), "active") for name, values in tables.items()}
        return "inactive" if "inactive" in found else "on_hold" if "on_hold" in found else "active"

    return status, tuple(tables)


def _guarded(function: Callable[[Mapping[str, Any]], PartyStatus]) -> Callable[[Mapping[str, Any]], PartyStatus]:
    def status(row: Mapping[str, Any]) -> PartyStatus:
        try:
            found = function(row)
        except Exception as error:  # the caller's function, which must not stop the others' records
            raise MappingError(f"statuses: the function failed ({type(error).__name__})", reason="statuses")  # noqa: B904
        if found not in _KNOWN:
            raise MappingError("statuses: the function gave no status", reason="statuses")
        return found

    return status


@attrs.frozen(kw_only=True)
class Wanted:
    """The columns a site wants of a stream: of its own table, and of tables beside it."""

    own: tuple[str, ...] = ()
    beside: Mapping[Table, tuple[str, ...]] = attrs.field(factory=dict)


def wanted_columns(stream: StreamName, names: tuple[str, ...]) -> Wanted:
    """Names such as `UserField1` and `ArCustomer+.OptIn` sorted by table.

    Raises:
        ConfigurationError: a table that the stream does not go with.
    """
    own: dict[str, None] = {}
    beside: dict[Table, dict[str, None]] = {}
    for name in names:
        table_name, point, column = name.rpartition(".")
        if not point:
            own[column] = None
            continue
        table = form_of(stream, table_name)
        if table is None:
            raise ConfigurationError(f"{name}: {stream} do not go with a table {table_name}", system=SYSTEM)
        beside.setdefault(table, {})[column] = None
    return Wanted(own=tuple(own), beside={table: tuple(columns) for table, columns in beside.items()})


def delta_columns(
    given: str | Mapping[StreamName, str] | None, streams: Collection[StreamName]
) -> dict[StreamName, str]:
    """The column of each stream that tells of changes.

    Raises:
        ConfigurationError: a stream that is not read, or a column beside the stream's own table.
    """
    columns: dict[StreamName, str] = {"customers": given} if isinstance(given, str) else dict(given or {})
    for stream, name in columns.items():
        require(stream in streams, f"delta_column names {stream}, which is not read", system=SYSTEM)
        require("." not in name, f"delta_column: {name} must be a column of the table itself", system=SYSTEM)
    return columns


def mark_in(row: Mapping[str, Any], name: str, zone: ZoneInfo) -> CursorValue | None:
    """The value of a delta column: a calendar date, an instant, or a counter.

    Raises:
        MappingError: it is none of them.
    """
    value = row.get(name)
    text = str(value).strip() if value is not None else ""
    if not text.strip("0-"):
        return None
    if isinstance(value, (int, Decimal)) or text.isdigit():
        return number_in(row, name)
    try:
        if len(text) == len("2024-05-30") or name in DAYS:
            return date.fromisoformat(text[:10])
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise MappingError(f"{name}: neither a date nor a counter", reason="bad_stamp") from None
    # A stamp without an offset is in the site's zone.
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
