"""When a row was changed: a day and a time as decimal hours, by the clock on the wall of the Sage 100 server. Pure.

`TimeUpdated` is text such as `15.5` or `8.49238`, without leading zeros: as text the first would come before the
second. So stamps are numbers here, and are only ever compared as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from ...errors import MappingError

__all__ = [
    "Stamp",
    "day_of",
    "earliest_stamp",
    "modified",
    "moment_of",
    "stamp_at",
    "stamp_of_wall",
    "stamp_texts",
    "wall_of",
]

_HOURS_IN_DAY = 24
_MICROSECONDS_IN_HOUR = 3_600_000_000
_MIDNIGHT = time()
_PLACES = Decimal("0.00001")
"""Five decimals of an hour are 0.036 s."""

_TIME = re.compile(r"[0-9]{0,2}(?:\.[0-9]*)?")
_DAY = re.compile(r"[0-9]{8}")
_LAST_ZERO_YEAR = 1900
"""On Premium a blank date is a day of 1753."""


@attrs.frozen(order=True)
class Stamp:
    """A moment of the server's wall clock; `hours` from 0 to less than 24."""

    day: date
    hours: Decimal

    @property
    def day_text(self) -> str:
        """`YYYYMMDD`, as Sage 100 writes it."""
        return self.day.strftime("%Y%m%d")

    @property
    def hours_text(self) -> str:
        """Decimal hours as Sage 100 writes them: without exponent and without needless zeros."""
        text = f"{self.hours:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text


def modified(row: Mapping[str, Any]) -> Stamp | None:
    """The later of the pairs of creation and of update; a new row may have the first one only.

    Raises:
        MappingError: a date or time that is none.
    """
    created, updated = stamp_at(row, "DateCreated", "TimeCreated"), stamp_at(row, "DateUpdated", "TimeUpdated")
    if created is None or updated is None:
        return created or updated
    return created if (created.day, created.hours) > (updated.day, updated.hours) else updated


def stamp_at(row: Mapping[str, Any], day_name: str, time_name: str) -> Stamp | None:
    """The stamp in two columns; `None` where the date is blank.

    Raises:
        MappingError: a date or time that is none.
    """
    day = day_of(row, day_name)
    return None if day is None else Stamp(day, _hours_of(row, time_name))


def day_of(row: Mapping[str, Any], name: str) -> date | None:
    """A date, `None` where it is blank.

    Raises:
        MappingError: it is no date.
    """
    text = str(row.get(name) or "").strip(" \0")
    if not text.strip("0"):
        return None
    try:
        day = _day_in(text)
    except ValueError:
        raise MappingError(f"{name}: not a date", reason="bad_date") from None
    return day if day.year > _LAST_ZERO_YEAR else None


@lru_cache(maxsize=8192)
def _day_in(text: str) -> date:
    """Remembered: the rows of a table share the days of some years."""
    if not _DAY.fullmatch(text):
        raise ValueError
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def _hours_of(row: Mapping[str, Any], name: str) -> Decimal:
    value = row.get(name)
    text = "" if value is None else str(value).strip(" \0")
    if not _TIME.fullmatch(text):
        raise MappingError(f"{name}: not a time in decimal hours", reason="bad_time")
    hours = Decimal(text) if text.strip(".") else Decimal(0)
    if hours >= _HOURS_IN_DAY:
        raise MappingError(f"{name}: no time of a day", reason="bad_time")
    return hours


def moment_of(stamp: Stamp, zone: ZoneInfo) -> datetime:
    """The stamp as aware UTC.

    An hour that comes twice, at the end of summer time, is taken for its first coming: a mark made of it is at most
    that hour too early, never too late. What the second coming stamps is found by way of the overlap.
    """
    return (datetime.combine(stamp.day, _MIDNIGHT, tzinfo=zone) + _since_midnight(stamp)).astimezone(UTC)


def wall_of(stamp: Stamp) -> datetime:
    """What the wall clock showed, to the microsecond; naive."""
    return datetime.combine(stamp.day, _MIDNIGHT) + _since_midnight(stamp)


def _since_midnight(stamp: Stamp) -> timedelta:
    return timedelta(microseconds=int((stamp.hours * _MICROSECONDS_IN_HOUR).to_integral_value()))


def earliest_stamp(moment: datetime, zone: ZoneInfo) -> Stamp:
    """The lowest stamp that a change at this moment or later may bear.

    In the first coming of a repeated hour that is what the second coming will show, which is lower.
    """
    local = moment.astimezone(zone)
    again = local.replace(fold=1).utcoffset()
    here = local.utcoffset()
    assert again is not None
    assert here is not None
    return stamp_of_wall(local.replace(tzinfo=None) - max(here - again, timedelta(0)))


def stamp_of_wall(local: datetime) -> Stamp:
    """The stamp of a naive time of the server's wall clock, rounded down to the five decimals Sage 100 keeps."""
    since_midnight = local - datetime.combine(local.date(), _MIDNIGHT)
    microseconds = since_midnight // timedelta(microseconds=1)
    hours = Decimal(microseconds) / _MICROSECONDS_IN_HOUR
    return Stamp(local.date(), hours.quantize(_PLACES, rounding="ROUND_FLOOR"))


def stamp_texts(local: datetime) -> tuple[str, str]:
    """A naive time of the server's wall clock as Sage 100 keeps it in its tables: date and time."""
    stamp = stamp_of_wall(local)
    return stamp.day_text, stamp.hours_text
