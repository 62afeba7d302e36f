"""Stamps as Sage 100 keeps them: a date of eight digits and a time of decimal hours, both text, without a zone.

The time is not padded (`"8.49238"`, `"15.5"`), so stamps are put in order as numbers and never as text.
"""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import TypeAlias
from zoneinfo import ZoneInfo

import attrs

__all__ = ["UNSTAMPED", "Order", "Stamp", "hours_of", "instant", "latest", "order_of"]

Order: TypeAlias = tuple[str, Decimal]
"""What stamps are sorted and compared by."""

_DATE = re.compile(r"[0-9]{8}")
_TIME = re.compile(r"[0-9]{1,2}\.?[0-9]*|\.[0-9]+")
_END_OF_DAY = Decimal(24)
_UNREADABLE_DATE = "99999999"
_PLACES = Decimal("0.00001")


@attrs.frozen
class Stamp:
    """A date and a time, as text."""

    date: str
    time: str

    def body(self) -> dict[str, object]:
        """As it stands in an answer."""
        return {"date": self.date, "time": self.time}


UNSTAMPED = Stamp("00000000", "0")
"""The stamp of a record without any."""


def hours_of(text: str) -> Decimal:
    """A time as a number; blank is midnight, and what is no time of a day counts as the end of the day.

    A record with a broken time must not drop out of every window: at the end of its day nothing passes it.

    Example:
        >>> hours_of("8.49238") < hours_of("15.5"), hours_of(""), hours_of("noon")
        (True, Decimal('0'), Decimal('24'))
    """
    text = text.strip(" \0")
    if not text:
        return Decimal(0)
    return min(Decimal(text), _END_OF_DAY) if _TIME.fullmatch(text) else _END_OF_DAY


def order_of(stamp: Stamp) -> Order:
    """What a stamp is sorted by."""
    return stamp.date, hours_of(stamp.time)


def latest(*pairs: tuple[str, str]) -> Stamp:
    """The latest of several pairs of date and time, of which those without a date do not count."""
    stamps = [Stamp(_date(date), time.strip(" \0") or "0") for date, time in pairs if date.strip(" \0")]
    return max(stamps, key=order_of, default=UNSTAMPED)


def _date(text: str) -> str:
    text = text.strip(" \0")
    return text if _DATE.fullmatch(text) else _UNREADABLE_DATE


def instant(moment: datetime, zone: ZoneInfo) -> dict[str, object]:
    """An aware time as a stamp of the wall clock, rounded down, with the offset that makes it unique.

    Example:
        >>> from datetime import UTC
        >>> instant(datetime(2026, 11, 1, 6, 30, tzinfo=UTC), ZoneInfo("America/Chicago"))
        {'date': '20261101', 'time': '1.5', 'utcOffsetMinutes': -300}
    """
    local = moment.astimezone(zone)
    offset = local.utcoffset() or timedelta()
    wall = local.replace(tzinfo=None)
    microseconds = (wall - datetime.combine(wall.date(), time())) // timedelta(microseconds=1)
    hours = (Decimal(microseconds) / 3_600_000_000).quantize(_PLACES, ROUND_FLOOR)
    text = f"{hours:f}".rstrip("0").rstrip(".")
    return {"date": f"{wall:%Y%m%d}", "time": text or "0", "utcOffsetMinutes": offset // timedelta(minutes=1)}
