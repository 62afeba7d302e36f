"""Order and time: marks, windows and the rules by which a mark may move. Pure arithmetic, no I/O.

A mark is a typed value, never text: `datetime` (aware, kept in UTC), `date`, `int`, `Decimal` or `str` (opaque keys).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

import attrs

__all__ = ["CursorValue", "HighWaterMark", "MarkTracker", "Window", "decode_mark", "encode_mark", "next_window"]

CursorValue: TypeAlias = datetime | date | Decimal | int | str
"""One comparable step of a cursor; times are aware UTC."""


def _aware_utc(value: CursorValue | None) -> CursorValue | None:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"a mark needs a time zone, got the naive time {value.isoformat()}")
        return value.astimezone(UTC)
    return value


def _is_aware(_: object, __: object, value: datetime | None) -> None:
    _aware_utc(value)


@attrs.frozen(kw_only=True)
class HighWaterMark:
    """The highest cursor value of a stream known committed.

    Attributes:
        value: `None` until a window was read to its end.
        full_scan_at: when the last completed full scan began, by the source's own clock where it has one.
    """

    stream: str
    value: CursorValue | None = attrs.field(default=None, converter=_aware_utc)
    full_scan_at: datetime | None = attrs.field(default=None, validator=_is_aware)

    def __repr__(self) -> str:
        value = self.value.isoformat() if isinstance(self.value, date) else self.value
        return f"<HighWaterMark {self.stream} {value}>"


@attrs.frozen(kw_only=True)
class Window:
    """What one run reads of a stream: changes from `lower` on, inclusive; `None` is from the beginning.

    `upper` is the source's present, fixed before the first page. It bounds the mark, not the reading: rows stamped
    after it are read, and met again by the next run.
    """

    lower: CursorValue | None = attrs.field(default=None, converter=_aware_utc)
    upper: CursorValue | None = attrs.field(default=None, converter=_aware_utc)

    @property
    def is_full(self) -> bool:
        """Everything is read, not only changes."""
        return self.lower is None


def next_window(
    mark: HighWaterMark | None,
    present: CursorValue | None,
    overlap: timedelta | int,
    *,
    full: bool = False,
) -> Window:
    """The window after `mark`, stepped back by `overlap`.

    A mark beyond the present (a far-side clock set back, or a state file of another system) counts as the present, so
    that "nothing to ask" is never taken for success.
    """
    if full or mark is None or mark.value is None:
        return Window(lower=None, upper=present)
    start = mark.value
    if present is not None and _beyond(start, present):
        start = present
    return Window(lower=_step_back(start, overlap), upper=present)


def _beyond(value: CursorValue, present: CursorValue) -> bool:
    _same_type(value, present)
    return bool(value > present)  # type: ignore[operator]


def _far_beyond(value: CursorValue, present: CursorValue) -> bool:
    fresh = isinstance(value, datetime) and isinstance(present, datetime) and value - present <= timedelta(days=1)
    return not fresh


def _step_back(value: CursorValue, overlap: timedelta | int) -> CursorValue:
    if isinstance(value, str) or not overlap:
        return value
    if isinstance(value, datetime) and isinstance(overlap, timedelta):
        return value - overlap
    if isinstance(value, date) and isinstance(overlap, timedelta):
        # A date has no hours: an overlap of any hours is a day.
        return value - timedelta(days=-(-overlap // timedelta(days=1)))
    if isinstance(value, (int, Decimal)) and isinstance(overlap, int):
        return value - overlap
    raise TypeError(f"an overlap of type {type(overlap).__name__} does not fit a mark of type {type(value).__name__}")


def _same_type(one: CursorValue, other: CursorValue) -> None:
    kinds = {"datetime" if isinstance(v, datetime) else type(v).__name__ for v in (one, other)}
    if len(kinds) > 1 and not kinds <= {"int", "Decimal"}:
        raise TypeError(f"cursor values of different types cannot be compared: {' and '.join(sorted(kinds))}")


@attrs.define
class MarkTracker:
    """Follows the cursor values of one window and says where the mark may stand afterwards.

    The mark is the highest value seen that is not beyond the window's upper bound; it never steps back. Values more
    than a day beyond the bound are counted in `future`, so that a typing error in an ERP date is reported and cannot
    stop later runs; what is just fresher than the bound is met again by the next run.
    """

    stream: str
    window: Window
    before: HighWaterMark | None = None
    highest: CursorValue | None = attrs.field(default=None, init=False)
    future: int = attrs.field(default=0, init=False)
    stepped_back: tuple[CursorValue, CursorValue] | None = attrs.field(default=None, init=False)
    _previous: CursorValue | None = attrs.field(default=None, init=False)

    def see(self, values: Iterable[CursorValue | None]) -> None:
        """Take note of the cursor values of one page, in the order they came; `None` moves nothing."""
        for value in map(_aware_utc, values):
            if value is None:
                continue
            if self.window.upper is not None and _beyond(value, self.window.upper):
                self.future += _far_beyond(value, self.window.upper)
                continue
            if self._previous is not None and self.stepped_back is None and _beyond(self._previous, value):
                self.stepped_back = (self._previous, value)
            self._previous = value
            if self.highest is None or _beyond(value, self.highest):
                self.highest = value

    def mark(self, *, full_scan_at: datetime | None = None) -> HighWaterMark:
        """The mark that is true once everything seen so far is committed."""
        old = self.before.value if self.before else None
        value = self.highest if self.highest is not None else old
        if old is not None and value is not None and _beyond(old, value):
            value = old
        if value is not None and self.window.upper is not None and _beyond(value, self.window.upper):
            value = self.window.upper
        scanned = full_scan_at or (self.before.full_scan_at if self.before else None)
        return HighWaterMark(stream=self.stream, value=value, full_scan_at=scanned)


def encode_mark(value: CursorValue | None) -> tuple[str, str]:
    """A mark as (type, text), for a store; `("", "")` is no mark.

    Raises:
        TypeError: the type is not one of ours, so it could not be read back.
    """
    if value is None:
        return "", ""
    if isinstance(value, datetime):
        return "datetime", value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return "date", value.isoformat()
    if type(value) not in {int, Decimal, str}:
        raise TypeError(f"a mark cannot be a {type(value).__name__}")
    return type(value).__name__, str(value)


def decode_mark(kind: str, text: str) -> CursorValue | None:
    """The reverse of `encode_mark`.

    Raises:
        ValueError: the type is not one of ours: the state was written by something else, or is damaged.
    """
    if kind == "":
        return None
    if kind == "datetime":
        return datetime.fromisoformat(text)
    if kind == "date":
        return date.fromisoformat(text)
    if kind == "int":
        return int(text)
    if kind == "Decimal":
        return Decimal(text)
    if kind == "str":
        return text
    raise ValueError(f"unknown type of mark {kind!r}")
