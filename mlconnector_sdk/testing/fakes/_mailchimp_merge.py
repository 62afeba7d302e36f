"""Merge fields of an audience: definitions, and what each type does with a value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import attrs

from ._mailchimp_problems import FieldError

__all__ = ["MergeField", "MergeFields", "new_field"]

ADDRESS_KEYS = ("addr1", "addr2", "city", "state", "zip", "country")
_ADDRESS_NEEDS = ("addr1", "city", "state", "zip")
TEXT_BYTES = 255
_UNITED_STATES = 164

_TYPE_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "text": {"size": 25},
    "number": {"size": 25},
    "zip": {"size": 25},
    "url": {"size": 25},
    "imageurl": {"size": 25},
    "address": {"default_country": _UNITED_STATES},
    "phone": {"phone_format": "none"},
    "date": {"date_format": "MM/DD/YYYY"},
    "birthday": {"date_format": "MM/DD"},
    "radio": {"choices": []},
    "dropdown": {"choices": []},
}


@attrs.define(kw_only=True)
class MergeField:
    """One field; values in members stand under its `tag`."""

    merge_id: int
    tag: str
    name: str
    type: str = "text"
    required: bool = False
    default_value: str = ""
    public: bool = True
    display_order: int = 0
    options: dict[str, Any] = attrs.field(factory=dict)
    help_text: str = ""

    def accept(self, value: Any) -> Any:
        """The value as stored; raises `ValueError` with the vendor's message when it does not fit."""
        if value == "":
            return ""
        return _ACCEPT[self.type](value, self.options)


def new_field(merge_id: int, tag: str, kind: str, options: Mapping[str, Any] | None = None, **rest: Any) -> MergeField:
    """A field with its type's default options under the given ones."""
    merged = {**_TYPE_OPTIONS[kind], **(options or {})}
    return MergeField(merge_id=merge_id, tag=tag.upper(), type=kind, options=merged, **rest)


class MergeFields(dict[str, MergeField]):
    """The audience's fields by tag."""

    def schema_errors(self, values: Mapping[str, Any], path: str) -> list[FieldError]:
        """Values whose JSON type no field of that tag could take: these spoil the whole request."""
        return [
            (f"{path}.{tag}", "Data did not match any of the schemas described in anyOf.")
            for tag, value in values.items()
            if not self._has_schema(tag, value)
        ]

    def _has_schema(self, tag: str, value: Any) -> bool:
        field = self.get(tag)
        if field is not None and field.type == "address":
            return value == "" or (
                isinstance(value, dict) and all(isinstance(v, str) and k in ADDRESS_KEYS for k, v in value.items())
            )
        if field is None and isinstance(value, dict):
            return True
        return isinstance(value, str | int | float) and not isinstance(value, bool)

    def accept(
        self, values: Mapping[str, Any], held: Mapping[str, Any], *, skip_required: bool
    ) -> tuple[dict[str, Any], list[FieldError]]:
        """What a member holds after the write, and what was wrong; tags the audience lacks vanish without a word."""
        result, errors = dict(held), []
        for tag, value in values.items():
            if (field := self.get(tag)) is not None:
                try:
                    result[tag] = field.accept(value)
                except ValueError as error:
                    errors.append((tag, str(error)))
        for tag, field in self.items():
            value = result.get(tag, "")
            if field.required and value == "" and not skip_required:
                errors.append((tag, "Please enter a value"))
            # An incomplete address held from elsewhere fails writes that do not mention it.
            if field.type == "address" and tag not in values and value != "" and not _is_complete(value):
                errors.append((tag, _INCOMPLETE))
        return result, errors

    def shown(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Every tag of the audience, empty ones as empty text."""
        return {tag: values.get(tag, "") for tag in self}


_INCOMPLETE = "Please enter a complete address"


def _is_complete(value: Any) -> bool:
    return isinstance(value, dict) and all(str(value.get(key) or "").strip() for key in _ADDRESS_NEEDS)


def _text(value: Any, options: Mapping[str, Any]) -> str:
    return str(value).encode()[:TEXT_BYTES].decode(errors="ignore")


def _number(value: Any, options: Mapping[str, Any]) -> int | float:
    try:
        number = float(value)
    except ValueError:
        raise ValueError("Please enter a number") from None
    if not math.isfinite(number):
        raise ValueError("Please enter a number")
    return int(number) if number.is_integer() else number


def _date(value: Any, options: Mapping[str, Any]) -> str:
    for layout in ("%Y-%m-%d", "%Y/%m/%d", "%d-%m-%Y", "%m/%d/%Y"):
        try:
            return datetime.strptime(str(value), layout).date().isoformat()
        except ValueError:
            continue
    raise ValueError("Please enter the date")


def _birthday(value: Any, options: Mapping[str, Any]) -> str:
    try:
        datetime.strptime(f"2000/{value}", "%Y/%m/%d")
    except ValueError:
        raise ValueError("Please enter a month (01-12) and a day (01-31)") from None
    return str(value)


def _address(value: Any, options: Mapping[str, Any]) -> dict[str, str]:
    country = str(value.get("country") or "US")
    if not _is_complete(value) or not re.fullmatch(r"[A-Za-z]{2}", country):
        raise ValueError(_INCOMPLETE)
    return {key: country.upper() if key == "country" else value.get(key, "") for key in ADDRESS_KEYS}


def _matching(pattern: str, message: str) -> Callable[[Any, Mapping[str, Any]], str]:
    def accept(value: Any, options: Mapping[str, Any]) -> str:
        if not re.fullmatch(pattern, str(value)):
            raise ValueError(message)
        return str(value)

    return accept


_us_phone = _matching(r"\(?\d{3}\)?[ -]?\d{3}-\d{4}", "Please enter a phone number, such as (404) 555-0100")


def _phone(value: Any, options: Mapping[str, Any]) -> str:
    return _us_phone(value, options) if options.get("phone_format") == "US" else _text(value, options)


def _url(value: Any, options: Mapping[str, Any]) -> str:
    parts = urlsplit(str(value))
    if parts.scheme not in {"http", "https"} or not parts.hostname or " " in str(value):
        raise ValueError("Please enter a URL")
    return str(value)


def _choice(value: Any, options: Mapping[str, Any]) -> str:
    choices = options.get("choices", [])
    if value not in choices:
        raise ValueError(f"Value must be one of: {', '.join(choices)}")
    return str(value)


_ACCEPT: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "text": _text,
    "number": _number,
    "date": _date,
    "birthday": _birthday,
    "address": _address,
    "zip": _matching(r"\d{5}", "Please enter a zip code (12345)"),
    "phone": _phone,
    "url": _url,
    "imageurl": _url,
    "radio": _choice,
    "dropdown": _choice,
}
