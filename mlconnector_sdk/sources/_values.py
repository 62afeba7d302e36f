"""Values of a plain vendor row, read the same way for every ERP. Pure.

Each function takes a row and the name of a field. What is missing is empty, never an error; what cannot be read raises
a `MappingError` that names the field and never its value, because that may be personal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from ..errors import MappingError
from ..models import Address

__all__ = [
    "NOWHERE",
    "ZERO",
    "AddressFields",
    "Row",
    "address_in",
    "amount_in",
    "day_in",
    "flag_in",
    "key_in",
    "number_in",
    "part_in",
    "parts_in",
    "person_in",
    "speaks_against",
    "text_in",
    "untouched_in",
    "value_at",
]

Row: TypeAlias = dict[str, Any]
"""One row with plain values, as `raw` keeps it."""

AddressFields: TypeAlias = tuple[str, str, str, str, str, str]
"""The vendor's names of first line, second line, city, region, postal code and country; `""` for none."""

NOWHERE = Address()
ZERO = Decimal(0)

_YES = frozenset({"true", "yes", "y", "1", "on"})
_NO = frozenset({"", "false", "no", "n", "0", "off"})
_DIGITS = 30
_MOST_WHOLE = 10**_DIGITS
_LONGEST = 100
"""Digits; databases have 38 at the most."""
_PERSON = re.compile(r"[^\W\d_][^\d_/&@(),;]*(?: [^\W\d_][^\d_/&@(),;]*){1,2}")
_TITLES = re.compile(r"^(?:mrs?|ms|miss|dr|prof)\.? ", re.IGNORECASE)
_LAST_ZERO_YEAR = 1900
"""Columns that cannot be null hold 1753, 1899 or 1900 for "no date"."""


def value_at(row: Mapping[str, Any], path: Iterable[str]) -> Any:
    """The value below nested names, `None` where there is none."""
    value: Any = row
    for name in path:
        if not isinstance(value, (dict, Mapping)):
            return None
        value = value.get(name)
    return value


def key_in(row: Mapping[str, Any], name: str) -> str:
    """The record's own key: text without padding, or a whole number as text."""
    value = row.get(name)
    if type(value) is Decimal and value.is_finite() and value.adjusted() < _DIGITS and value == int(value):
        value = int(value)
    text = value.strip() if isinstance(value, str) else str(value) if type(value) is int else ""
    if not text:
        raise MappingError(f"{name}: missing", reason="no_key")
    return text


def text_in(row: Mapping[str, Any], name: str) -> str:
    """Text without padding; a number as its text."""
    value = row.get(name)
    if type(value) is str:
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        raise MappingError(f"{name}: expected text", reason="bad_type")
    return str(value)


def untouched_in(row: Mapping[str, Any], name: str) -> str:
    """Text as it is, padding and all: `Party.email` promises that."""
    value = row.get(name)
    if type(value) is str:
        return value
    if value is not None:
        raise MappingError(f"{name}: expected text", reason="bad_type")
    return ""


def amount_in(row: Mapping[str, Any], name: str) -> Decimal:
    """An exact number, also when it comes as text; nothing, or blanks, is zero.

    One that begins hundreds of places before or behind the point is none: reckoning with it could take for ever.
    """
    value = row.get(name)
    if value is None:
        return ZERO
    try:
        if type(value) is Decimal:
            number = value
        elif isinstance(value, bool):
            raise InvalidOperation
        else:
            text = str(value).strip()
            number = Decimal(text) if text else ZERO
    except InvalidOperation:
        raise MappingError(f"{name}: not a number", reason="bad_type") from None
    if not (number.is_finite() and -_LONGEST < number.adjusted() < _LONGEST):
        raise MappingError(f"{name}: not a number", reason="bad_type")
    return number


def number_in(row: Mapping[str, Any], name: str) -> int | None:
    """A whole number, also as text or with zeros behind the point; `None` when it is missing."""
    value = row.get(name)
    if type(value) is int and -_MOST_WHOLE < value < _MOST_WHOLE:
        return value
    if value is None or value == "":
        return None
    number = amount_in(row, name)
    # Before it is made an integer, which may have as many digits as the exponent says.
    if number.adjusted() > _DIGITS or number != number.to_integral_value():
        raise MappingError(f"{name}: not a whole number", reason="bad_type")
    return int(number)


def day_in(row: Mapping[str, Any], name: str) -> date | None:
    """A calendar date: the first ten characters of what is mostly written as a midnight.

    It is no instant, so no zone may shift it. Zeros, and years up to 1900, stand for no date.
    """
    value = row.get(name)
    if not value:
        return None
    try:
        day = date.fromisoformat(value[:10])
    except (TypeError, ValueError):
        if isinstance(value, str) and not value.strip(" 0-/:T.Z"):
            return None
        raise MappingError(f"{name}: not a date", reason="bad_type") from None
    return day if day.year > _LAST_ZERO_YEAR else None


def flag_in(row: Mapping[str, Any], name: str) -> bool | None:
    """Yes or no, as a boolean, a word, a letter or a digit; blanks are a no, `None` when the field is missing."""
    value = row.get(name)
    if value is None or value is True or value is False:
        return value
    word = str(value).strip().casefold()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise MappingError(f"{name}: neither yes nor no", reason="bad_type")


def speaks_against(value: Any) -> bool:
    """An opt-out field holds anything but a clear no."""
    return value is not None and str(value).strip().casefold() not in _NO


def part_in(row: Mapping[str, Any], name: str) -> Row:
    """A nested record; an empty one where there is none."""
    part = row.get(name)
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise MappingError(f"{name}: expected an entity", reason="bad_type")
    return part


def parts_in(row: Mapping[str, Any], name: str) -> list[Row]:
    """Nested records."""
    parts = row.get(name)
    if parts is None:
        return []
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise MappingError(f"{name}: expected rows", reason="bad_type")
    return parts


def address_in(row: Mapping[str, Any] | None, fields: AddressFields) -> Address:
    """A postal address out of six fields."""
    if not row:
        return NOWHERE
    line1, line2, city, region, postal_code, country = [text_in(row, name) if name else "" for name in fields]
    return Address(line1=line1, line2=line2, city=city, region=region, postal_code=postal_code, country=country)


def person_in(text: str) -> tuple[str, str]:
    """First and last name where a free text is clearly a person's: two or three words, a title in front at most."""
    plain = _TITLES.sub("", " ".join(text.split()))
    if not _PERSON.fullmatch(plain):
        return "", ""
    first, _, last = plain.partition(" ")
    return first, last
