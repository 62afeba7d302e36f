"""Values of X3 rows in all the forms in which its APIs give them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from ...errors import MappingError
from .._values import Row, text_in

__all__ = ["base_code", "first_text", "forbids", "is_no", "is_null_date", "menu_word", "moment_in", "occurrences"]

_MOST_OCCURRENCES = 10
_NUMBERED = re.compile(r"(?P<code>[A-Z][A-Z0-9]*?)(?:_\d|[1-9])")
_CLEAR_NO = frozenset({"", "0", "1", "no", "false"})
_LAST_ZERO_YEAR = 1900
"""Columns that cannot be null hold a day of 1599 (Oracle) or 1753 (SQL Server)."""


def base_code(name: str) -> str:
    """The field code behind one occurrence: `WEB` for `WEB1` and for `WEB_0`."""
    found = _NUMBERED.fullmatch(name)
    return found["code"] if found else name


def occurrences(row: Mapping[str, Any], *names: str) -> list[str]:
    """Texts of a field that occurs several times, without blank ones: those of the first name that has any.

    It may come as a list of texts or of objects, as `WEB_0`, `WEB_1`, …, as `WEB1`, `WEB2`, …, or once.
    """
    for name in names:
        texts = [text for text in _texts(row, name) if text.strip()]
        if texts:
            return texts
    return []


def _texts(row: Mapping[str, Any], name: str) -> list[str]:
    value = row.get(name)
    texts = [_text(one, name) for one in (value if isinstance(value, list) else [value])]
    forms, any_form = _forms(name)
    if not any_form.isdisjoint(row):
        texts += [_text(row[form], form) for form in forms if form in row]
    return texts


@cache
def _forms(name: str) -> tuple[tuple[str, ...], frozenset[str]]:
    forms = tuple(form for number in range(_MOST_OCCURRENCES) for form in (f"{name}_{number}", f"{name}{number}"))
    return forms, frozenset(forms)


def _text(value: Any, name: str) -> str:
    if type(value) is str:
        return value
    if isinstance(value, dict):
        code = name.rpartition(".")[2]
        own = [one for key, one in value.items() if base_code(key) == code]
        return _text(own[0], name) if own else ""
    if isinstance(value, list):
        raise MappingError(f"{name}: expected text", reason="bad_type")
    return "" if value is None else str(value)


def first_text(row: Row, *names: str) -> str:
    """The first text that is not blank, without padding."""
    for name in names:
        if text := text_in(row, name):
            return text
    return ""


def menu_word(value: Any) -> Any:
    """A value of X3's local menu 1 (1 = No, 2 = Yes, 0 = not set) as a boolean; others as they are."""
    words = {"0": None, "1": False, "2": True}
    return words.get(str(value).strip(), value) if type(value) in {int, str} else value


def forbids(row: Mapping[str, Any], *names: str) -> bool:
    """Whether one of these flags is anything but a clear no."""
    for name in names:
        value = row.get(name)
        if value is not None and value is not False and str(value).strip().casefold() not in _CLEAR_NO:
            return True
    return False


def is_no(row: Mapping[str, Any], name: str) -> bool:
    """Whether a flag is a clear no: something that was never set is none."""
    return menu_word(row.get(name)) is False


def is_null_date(text: str) -> bool:
    """Whether it stands for no date."""
    return not text.strip(" 0-/:T.Z") or (text[:4].isdigit() and int(text[:4]) <= _LAST_ZERO_YEAR)


def moment_in(row: Mapping[str, Any], name: str) -> datetime | None:
    """A change stamp as aware UTC; a calendar day is its midnight, a moment without zone is UTC, as X3 keeps it.

    Raises:
        MappingError: it is neither.
    """
    value = row.get(name)
    if value is None or (isinstance(value, str) and is_null_date(value)):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise MappingError(f"{name}: neither a moment nor a day", reason="bad_stamp") from None
