"""Shapes of request bodies: each checks one JSON value and notes what is wrong as (path, message) pairs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import attrs

from ._mailchimp_problems import FieldError

__all__ = [
    "FLAG",
    "IP_ADDRESS",
    "MONEY",
    "NUMBER",
    "SHOP_TIME",
    "TEXT",
    "TIME",
    "WHOLE",
    "Anything",
    "Choice",
    "Items",
    "Keys",
    "Limited",
    "Nullable",
    "Object",
    "Pattern",
    "Primitive",
    "Shape",
    "parse_time",
]

_NO_SCHEMA_FITS = "Data did not match any of the schemas described in anyOf."


class Shape(Protocol):
    """What a JSON value must look like."""

    def check(self, value: Any, path: str, errors: list[FieldError]) -> None:
        """Append one (path, message) pair per fault."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def json_type(value: Any) -> str:
    """The JSON name of a value's type; a bool is never a number, a float never an integer."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    for kinds, name in ((str, "string"), (int, "integer"), (float, "number"), (list, "array")):
        if isinstance(value, kinds):
            return name
    return "object"


@attrs.frozen
class Primitive:
    """A JSON value of one of the named types."""

    name: str
    types: tuple[type, ...]

    def check(self, value: Any, path: str, errors: list[FieldError]) -> None:
        if not isinstance(value, self.types) or (isinstance(value, bool) and bool not in self.types):
            errors.append((path, f"Schema describes {self.name}, {json_type(value)} found instead"))


@attrs.frozen
class Anything:
    """Any JSON value."""

    def check(self, value: Any, path: str, errors: list[FieldError]) -> None:
        return


@attrs.frozen
class Limited:
    """Text of `shortest` to `longest` characters."""

    longest: int | None = None
    shortest: int = 0

    def check(self, value: Any, path: str, errors: list[FieldError]) -> None:
        if not isinstance(value, str):
            errors.append((path, f"Schema describes string, {json_type(value)} found instead"))
        elif self.longest is not None and len(value) > self.longest:
            errors.append((path, f"This value is too long. It should have {self.longest} characters or less."))
        elif len(value) < self.shortest:
            errors.append((path, "This value should not be blank."))


@attrs.frozen
class Choice:
    """One of a closed list of texts."""

    values: tuple[str, ...] = attrs.field(converter=_words)

    def check(self, value: Any, path: str, errors: list[FieldError]) -> None:
        if value not in self.values:
            errors.append((path, f"Value must be one of: {', '.join(self.values)}"))


@attrs.frozen
class Pattern:
    """Text that fits a regular expression, or (with `numbers`) a JSON number."""

    regex: re.Pattern[str] = attrs.field(converter=_compiled)
    message: str
    numbers: bool = False

    def check(self, value: Any, path: str, errors: list[FieldError]) -> None:
        if self.numbers and isinstance(value, int | float) and not isinstance(value, bool):
            return
        if not isinstance(value, str):
            errors.append((path, _NO_SCHEMA_FITS))
        elif not self.regex.fullmatch(value):
            errors.append((path, self.message))


@attrs.frozen
class Nullable:
    """`None`, or the inner shape."""

    inner: Shape

    def check(self, value: Any, path: str, errors: list[FieldError]) -> None:
        if value is not None:
            self.inner.check(value, path, errors)


@attrs.frozen
class Items:
    """An array; `least` entries at least, `most` at the most."""

    inner: Shape
    least: int = 0
    most: int | None = None

    def check(self, value: Any, path: str, errors: list[FieldError]) -> None:
        if not isinstance(value, list):
            errors.append((path, f"Schema describes array, {json_type(value)} found instead"))
            return
        if len(value) < self.least:
            errors.append((path, f"This collection should contain {self.least} element or more."))
        if self.most is not None and len(value) > self.most:
            errors.append((path, f"This collection should contain {self.most} elements or less."))
            return
        for index, entry in enumerate(value):
            self.inner.check(entry, f"{path}.item:{index}", errors)


@attrs.frozen
class Keys:
    """An object with free keys, every value of one shape."""

    inner: Shape

    def check(self, value: Any, path: str, errors: list[FieldError]) -> None:
        if not isinstance(value, dict):
            errors.append((path, f"Schema describes object, {json_type(value)} found instead"))
            return
        for key, entry in value.items():
            self.inner.check(entry, f"{path}.{key}", errors)


@attrs.frozen
class Object:
    """An object with known keys: unknown ones are refused, `required` ones must be there."""

    fields: Mapping[str, Shape]
    required: tuple[str, ...] = ()

    def check(self, value: Any, path: str, errors: list[FieldError]) -> None:
        if not isinstance(value, dict):
            errors.append((path, f"Schema describes object, {json_type(value)} found instead"))
            return
        if missing := [name for name in self.required if name not in value]:
            errors.append((path, f"Required fields were not provided: {', '.join(missing)}"))
        prefix = f"{path}." if path else ""
        for name, entry in value.items():
            shape = self.fields.get(name)
            if shape is None:
                errors.append((prefix + name, "Schema does not describe a property of this name"))
            else:
                shape.check(entry, prefix + name, errors)


@attrs.frozen
class _Time:
    """A time in one of the documented writings; an unquoted `+` that arrived as a blank does not fit."""

    shop: bool = False

    def check(self, value: Any, path: str, errors: list[FieldError]) -> None:
        if not isinstance(value, str):
            errors.append((path, f"Schema describes string, {json_type(value)} found instead"))
        elif value and parse_time(value, shop=self.shop) is None:
            errors.append((path, "This value is not a valid datetime."))


@attrs.frozen
class _IPAddress:
    """IPv4 or IPv6 text; anything else is 400 since 2022-09."""

    def check(self, value: Any, path: str, errors: list[FieldError]) -> None:
        if not isinstance(value, str) or not re.fullmatch(
            r"(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*|)", value
        ):
            errors.append((path, "This value is not a valid IP address."))


_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?| \d\d:\d\d:\d\d)")
_SHOP_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?| \d\d:\d\d(:\d\d)?( (UTC|GMT|Z))?)"
)


def parse_time(text: str, *, shop: bool = False) -> datetime | None:
    """An aware UTC time out of a documented writing (UTC when it names no zone), `None` when it is none.

    Args:
        text: the writing.
        shop: take the wider set that the e-commerce resources document.
    """
    if not (_SHOP_TIME if shop else _TIME).fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(re.sub(r" (UTC|GMT|Z)$", "+00:00", text))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


TEXT = Primitive("string", (str,))
FLAG = Primitive("boolean", (bool,))
WHOLE = Primitive("integer", (int,))
NUMBER = Primitive("number", (int, float))
MONEY = Pattern(r"-?[0-9]+\.?[0-9]*", "This value is not a valid number.", numbers=True)
TIME = _Time()
SHOP_TIME = _Time(shop=True)
IP_ADDRESS = _IPAddress()
