"""What the web services return as rows of Sage 100's tables. Pure.

The contracts differ from the tables in four ways: date and time of a stamp come merged, further salespersons are spelt
with a capital P, columns of the site's own come as names and values, and lines come inside their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from .._values import Row
from ._api import LINES
from ._stamps import stamp_texts

__all__ = ["FIELD_NAME", "FIELD_VALUE", "OTHER_FIELDS", "bare", "one_or_many", "row_of"]

OTHER_FIELDS = "OtherFields"
FIELD_NAME = "MasFieldName"
FIELD_VALUE = "Value"

_STAMP = "DateTime"
_LAST_ZERO_YEAR = 1900
_LEFT_OUT = frozenset({"Payments", "CreditCardGUID"})
"""What concerns cards is nobody's business here."""


def row_of(value: Mapping[str, Any], null: datetime | None) -> Row:
    """A customer, contact or sales order as a row; an order with its lines.

    Args:
        null: what this server writes for no date.
    """
    row: Row = {}
    for member, content in value.items():
        if member == OTHER_FIELDS:
            row |= _own_columns(content)
        elif member == LINES:
            row[LINES] = [row_of(line, null) for line in one_or_many(content) if isinstance(line, Mapping)]
        elif member in {"DateTimeCreated", "DateTimeUpdated"}:
            what = member.removeprefix(_STAMP)
            row["Date" + what], row["Time" + what] = _stamp(content, null)
        elif member not in _LEFT_OUT:
            row[member.replace("SalesPerson", "Salesperson")] = _plain(content, null)
    return row


def one_or_many(value: Any) -> list[Any]:
    """What an array holds, whether it comes as a list, as one thing alone, or within its one member."""
    if isinstance(value, Mapping) and len(value) == 1 and FIELD_NAME not in value:
        value = next(iter(value.values()))
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def bare(name: object) -> str:
    """A column's name without the `$` that texts and dates may bear."""
    return str(name or "").strip(" \0").removesuffix("$")


def _own_columns(content: Any) -> Iterator[tuple[str, Any]]:
    for field in one_or_many(content):
        if isinstance(field, Mapping) and (name := bare(field.get(FIELD_NAME))):
            yield name, _plain(field.get(FIELD_VALUE), None)


def _stamp(value: Any, null: datetime | None) -> tuple[str, str]:
    if not isinstance(value, datetime) or _is_null(value, null):
        return "", ""
    return stamp_texts(value.replace(tzinfo=None))


def _is_null(value: date, null: datetime | None) -> bool:
    if value.year <= _LAST_ZERO_YEAR:
        return True
    return isinstance(value, datetime) and null is not None and value.replace(tzinfo=None) == null.replace(tzinfo=None)


def _plain(value: Any, null: datetime | None) -> str | Decimal:
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, date):
        return "" if _is_null(value, null) else f"{value:%Y%m%d}"
    if isinstance(value, (Decimal, int, float)):
        return value if isinstance(value, Decimal) else Decimal(str(value))
    return "" if value is None else str(value).strip(" \0")
