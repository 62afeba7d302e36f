"""What callers ask: queries and bodies read strictly, so that a misspelt filter never means "everything"."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import attrs

from ._boi import Edit, Value, Wanted
from ._contract import Key, Resource
from ._errors import AgentError
from ._stamps import Order, Stamp, hours_of

__all__ = ["MOST_KEYS", "Question", "question_of", "read_edit", "read_fields", "read_query"]

MOST_KEYS = 100
_MOST_RECORDS = 1000
_USUAL_RECORDS = 250
_LONGEST_BODY = 65_536
_LONGEST_NAME = 40

_LIST = frozenset({"sinceDate", "sinceTime", "limit", "cursor", "key", "fields"})
_LINES = frozenset({"expand", "lineFields"})
_DATE = re.compile(r"[0-9]{8}")
_TIME = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,5})?")
_NAMES = re.compile(r"[A-Za-z0-9_]+(?:,[A-Za-z0-9_]+)*")


@attrs.frozen(kw_only=True)
class Question:
    """What a list is asked for: the rest of a listing, records by key, or all records since a stamp."""

    wanted: Wanted
    limit: int = _USUAL_RECORDS
    cursor: str | None = None
    keys: tuple[Key, ...] | None = None
    since: Order | None = None


def _invalid(message: str) -> AgentError:
    return AgentError("VALIDATION", message)


def read_query(text: str, known: Collection[str]) -> Mapping[str, Sequence[str]]:
    """The parameters of a query.

    Raises:
        AgentError: one is unknown, or given twice though it has one value.
    """
    try:
        found = parse_qs(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=200)
    except ValueError:
        raise _invalid("the query cannot be read: send name=value pairs, percent-encoded UTF-8") from None
    for name, values in found.items():
        if name not in known:
            raise _invalid(f"the query has an unknown parameter: this one takes {', '.join(sorted(known)) or 'none'}")
        if len(values) > 1 and name != "key":
            raise _invalid(f"{name} is given more than once: send it once")
    return found


def question_of(resource: Resource, text: str, *, only_keys: bool) -> Question:
    """What a list, or the list of its keys, is asked for.

    Raises:
        AgentError: the query is not as the contract has it.
    """
    names = frozenset({"limit", "cursor"}) if only_keys else _LIST | (_LINES if resource.lines else frozenset())
    found = read_query(text, names)
    one = {name: values[0] for name, values in found.items()}
    if "cursor" in one:
        return Question(wanted=Wanted(), cursor=one["cursor"])
    wanted = Wanted(fields=read_fields(one, "fields"), lines=_expanded(one), line_fields=read_fields(one, "lineFields"))
    if wanted.line_fields is not None and not wanted.lines:
        raise _invalid("lineFields is of no use without expand=lines")
    if "key" in found:
        if others := sorted(set(found) & {"sinceDate", "sinceTime", "limit"}):
            raise _invalid(f"key cannot be combined with {', '.join(others)}")
        return Question(wanted=wanted, keys=_keys(resource, found["key"]))
    return Question(wanted=wanted, limit=_limit(one), since=_since(one))


def read_fields(one: Mapping[str, str], name: str) -> tuple[str, ...] | None:
    """A list of columns; `None` where none is given.

    Raises:
        AgentError: it is no such list.
    """
    if name not in one:
        return None
    if not _NAMES.fullmatch(one[name]):
        raise _invalid(f"{name} must be column names without $, separated by commas")
    return tuple(dict.fromkeys(one[name].split(",")))


def _expanded(one: Mapping[str, str]) -> bool:
    if one.get("expand", "lines") != "lines":
        raise _invalid("expand can only be lines")
    return "expand" in one


def _limit(one: Mapping[str, str]) -> int:
    text = one.get("limit", str(_USUAL_RECORDS))
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= _MOST_RECORDS):
        raise _invalid(f"limit must be a whole number from 1 to {_MOST_RECORDS}")
    return int(text)


def _since(one: Mapping[str, str]) -> Order | None:
    date, time = one.get("sinceDate"), one.get("sinceTime")
    if date is None:
        if time is not None:
            raise _invalid("sinceTime is of no use without sinceDate")
        return None
    if not _DATE.fullmatch(date):
        raise _invalid("sinceDate must be eight digits, year first")
    if time is not None and not (_TIME.fullmatch(time) and hours_of(time) < 24):
        raise _invalid("sinceTime must be decimal hours below 24 with up to five decimals, such as 8.49238")
    return date, hours_of(time or "")


def _keys(resource: Resource, texts: Sequence[str]) -> tuple[Key, ...]:
    if len(texts) > MOST_KEYS:
        raise _invalid(f"key may be given {MOST_KEYS} times at the most: ask again for the rest")
    keys = []
    for text in texts:
        try:
            parts = json.loads(text)
        except ValueError:
            parts = None
        if not isinstance(parts, list) or [type(part) for part in parts] != [str] * len(resource.key):
            raise _invalid(f"key must be a JSON array of texts: {', '.join(resource.key)}")
        keys.append(tuple(parts))
    return tuple(dict.fromkeys(keys))


def read_edit(body: bytes, resource: Resource, key: Key, writable: Collection[str]) -> Edit:
    """What a customer's columns shall be.

    Raises:
        AgentError: the body is not as the contract has it, or a column must not be written.
    """
    if len(body) > _LONGEST_BODY:
        raise _invalid(f"the body is longer than {_LONGEST_BODY} bytes")
    try:
        content = json.loads(body)
    except ValueError:
        raise _invalid("the body must be JSON") from None
    if not isinstance(content, dict) or not set(content) <= {"expected", "set"}:
        raise _invalid("the body must be an object of set and, if wanted, expected")
    values = content.get("set")
    if not isinstance(values, dict) or not values:
        raise _invalid("set must be an object of at least one column")
    for name, value in values.items():
        if name not in writable or name in resource.key:
            allowed = ", ".join(sorted(writable)) or "none"
            message = f"{name[:_LONGEST_NAME]!r} may not be written: the agent's settings allow {allowed}"
            raise AgentError("COLUMN_NOT_ALLOWED", message, key=resource.named(key))
        if not _is_value(value):
            raise _invalid(f"{name} must be a string or a number")
    return Edit(key=key, values=values, expected=_expected(content))


def _is_value(value: Any) -> bool:
    # JSON's true is a number to Python, and NaN is one to its parser.
    return isinstance(value, Value) and not isinstance(value, bool) and value == value  # noqa: PLR0124


def _expected(content: Mapping[str, Any]) -> Stamp | None:
    expected = content.get("expected")
    if expected is None:
        return None
    names = {"DateUpdated", "TimeUpdated"}
    if (
        not isinstance(expected, dict)
        or set(expected) != names
        or not all(isinstance(v, str) for v in expected.values())
    ):
        raise _invalid("expected must be an object of DateUpdated and TimeUpdated, both as they were read")
    date = expected["DateUpdated"]
    if date and not _DATE.fullmatch(date):
        raise _invalid("expected.DateUpdated must be eight digits, or empty")
    return Stamp(date, expected["TimeUpdated"])
