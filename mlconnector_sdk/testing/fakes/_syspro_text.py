"""How stored values are written: as XML by e.net, as JSON by the OData service.

Writers are worked out once per request and column, so that a page of thousands of rows costs milliseconds.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring as quoted
from typing import Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

from ._syspro_data import Row
from ._syspro_tables import Column, is_text

__all__ = ["JsonStyle", "NullDates", "element", "json_row", "midnight", "padded", "xml_row"]

NullDates: TypeAlias = Literal["empty", "zeros", "missing"]
"""The three ways in which e.net shows a date that is not there."""

_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


# -- XML ------------------------------------------------------------------------------------------------------------


def element(name: str, text: str) -> str:
    """`<name>text</name>`, or `<name/>` for nothing."""
    return f"<{name}>{text.translate(_ESCAPED)}</{name}>" if text else f"<{name}/>"


def padded(value: Any, size: int, scale: int = 0) -> str:
    """A number right-aligned in blanks, as COBOL edits it; what is no number comes as it is."""
    try:
        number = Decimal(str(0 if value is None else value))
    except InvalidOperation:
        return str(value)
    return f"{number:.{scale}f}".rjust(size + 1 if scale else size)


def xml_row(columns: Iterable[Column], null_dates: NullDates) -> Callable[[Row], str]:
    """A writer of elements, one per column and line."""
    writers = [(column.name, _xml_writer(column, null_dates)) for column in columns]

    def write(row: Row) -> str:
        return "".join([each(row.get(name), row) for name, each in writers])

    return write


def _xml_writer(column: Column, null_dates: NullDates) -> Callable[[Any, Row], str]:
    name = column.name
    empty, opening, closing = f"<{name}/>\n", f"<{name}>", f"</{name}>\n"
    if is_text(column):

        def text(value: Any, _row: Row) -> str:
            shown = "" if value is None else str(value).rstrip(" ")
            if not shown:
                return empty
            return f"{opening}{shown.translate(_ESCAPED) if not shown.isalnum() else shown}{closing}"

        return text
    if column.kind == "decimal":
        return lambda value, _row: f"{opening}{padded(value, column.size, column.scale)}{closing}"
    if column.kind == "bigint":
        return lambda _value, row: f"{opening}{padded(row.version, 19)}{closing}"
    if column.kind in {"instant", "day"}:
        # e.net shows the day of a moment.
        return lambda _value, row: f"{opening}{row.changed_at:%Y-%m-%d}{closing}"
    nothing = {"empty": empty, "zeros": f"{opening}0000-00-00{closing}", "missing": ""}[null_dates]

    def day(value: Any, _row: Row) -> str:
        return nothing if value is None else f"{opening}{value}{closing}"

    return day


# -- JSON -----------------------------------------------------------------------------------------------------------


class JsonStyle:
    """What a site's OData service does with the types whose form is not established.

    Args:
        zone: the server's zone, at whose midnight days begin.
        plain_dates: days as `Edm.Date`; otherwise as `Edm.DateTimeOffset` at midnight.
        decimals_as_text: numbers with a fraction in quotes.
    """

    def __init__(self, zone: str, *, plain_dates: bool = False, decimals_as_text: bool = False) -> None:
        self.zone = ZoneInfo(zone)
        self.plain_dates = plain_dates
        self.decimals_as_text = decimals_as_text

    def day(self, value: date) -> str:
        """A day as it stands in an answer."""
        return f"{value:%Y-%m-%d}" if self.plain_dates else instant_text(midnight(value, self.zone))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which a day begins on the server."""
    return datetime.combine(day, time(), zone)


def instant_text(moment: datetime) -> str:
    """As .NET writes an offset: `Z` at none, else hours and minutes."""
    text = moment.isoformat(timespec="seconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def json_row(columns: Iterable[Column], style: JsonStyle) -> Callable[[Row], str]:
    """A writer of one JSON object."""
    chosen = list(columns)
    template = "{" + ",".join(f"{quoted(column.name).replace('%', '%%')}:%s" for column in chosen) + "}"
    writers = [(column.name, _json_writer(column, style)) for column in chosen]

    def write(row: Row) -> str:
        return template % tuple([each(row.get(name), row) for name, each in writers])

    return write


def _json_writer(column: Column, style: JsonStyle) -> Callable[[Any, Row], str]:
    if is_text(column):
        return _text_writer(column)
    if column.kind == "datetime":
        return _day_writer(style)
    if column.kind == "decimal":
        return _number_writer(column, style)
    writers: dict[str, Callable[[Any, Row], str]] = {
        "timestamp": lambda _value, row: f'"{base64.urlsafe_b64encode(row.version.to_bytes(8, "big")).decode()}"',
        "bigint": lambda _value, row: str(row.version),
        "instant": lambda _value, row: f'"{instant_text(row.changed_at)}"',
        "day": lambda _value, row: f'"{style.day(row.changed_at.date())}"',
    }
    return writers[column.kind]


def _text_writer(column: Column) -> Callable[[Any, Row], str]:
    if column.kind == "char":
        blank = quoted(" " * column.size)
        return lambda value, _row: quoted(str(value).ljust(column.size)) if value else blank
    # The default of these columns is one blank, and none of them is null.
    return lambda value, _row: quoted(str(value)) if value else '" "'


def _number_writer(column: Column, style: JsonStyle) -> Callable[[Any, Row], str]:
    mark = '"' if style.decimals_as_text else ""

    def write(value: Any, _row: Row) -> str:
        try:
            return f"{mark}{Decimal(str(0 if value is None else value)):.{column.scale}f}{mark}"
        except InvalidOperation:
            return quoted(str(value))

    return write


def _day_writer(style: JsonStyle) -> Callable[[Any, Row], str]:
    # A site has few different days: each is worked out once per request.
    known: dict[Any, str] = {None: "null"}

    def write(value: Any, _row: Row) -> str:
        text = known.get(value)
        if text is None:
            shown = style.day(value) if isinstance(value, date) else str(value)
            text = known[value] = quoted(shown)
        return text

    return write
