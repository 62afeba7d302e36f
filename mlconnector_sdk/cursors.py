"""Order and time: marks, windows and the rules by which a mark may move. Pure arithmetic, no I/O.

A mark is a typed value, never text: `datetime` (aware, kept in UTC), `date`, `int`, `Decimal` or `str` (opaque keys).
Where one field alone does not find every change, a mark is a tuple: several cursors side by side, each of which moves
on its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import zip_longest
from typing import Any, TypeAlias

import attrs

__all__ = [
    "CursorStep",
    "CursorValue",
    "HighWaterMark",
    "MarkTracker",
    "Overlap",
    "Window",
    "decode_mark",
    "encode_mark",
    "next_window",
]

CursorStep: TypeAlias = datetime | date | Decimal | int | str
"""One comparable value of one field; times are aware UTC."""

CursorValue: TypeAlias = CursorStep | tuple[CursorStep | None, ...]
"""A cursor of one field, or several side by side; a part that is `None` has seen nothing yet."""

Overlap: TypeAlias = timedelta | int | tuple[timedelta | int, ...]
"""How far a window steps back: a duration for times and dates, a number for counters; a tuple for a tuple."""


def _aware_utc(value: CursorValue | None) -> CursorValue | None:
    if isinstance(value, tuple):
        return tuple(map(_aware_step, value))
    return _aware_step(value)


def _aware_step(value: CursorStep | None) -> CursorStep | None:
    if isinstance(value, datetime):
        if value.tzinfo is UTC:
            return value
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
        parts = [part.isoformat() if isinstance(part, date) else str(part) for part in _parts(self.value)]
        return f"<HighWaterMark {self.stream} {' / '.join(parts) or None}>"


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
    overlap: Overlap,
    *,
    full: bool = False,
) -> Window:
    """The window after `mark`, stepped back by `overlap`.

    A mark beyond the present (a far-side clock set back, or a state file of another system) counts as the present, so
    that "nothing to ask" is never taken for success.
    """
    if full or mark is None or mark.value is None:
        return Window(lower=None, upper=present)
    steps = [
        None if start is None else _step_back(start if bound is None else _lesser(start, bound), back)
        for start, bound, back in zip_longest(_parts(mark.value), _parts(present), _parts(overlap))
    ]
    return Window(lower=_whole(steps, like=mark.value), upper=present)


def _parts(value: CursorValue | Overlap | None) -> tuple[Any, ...]:
    """The fields of a cursor, a single one as the only one."""
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def _whole(parts: Iterable[CursorStep | None], *, like: CursorValue) -> CursorValue | None:
    """The reverse of `_parts`; nothing seen at all is no mark."""
    found = tuple(parts)
    if not any(part is not None for part in found):
        return None
    return found if isinstance(like, tuple) else found[0]


def _beyond(value: CursorStep, bound: CursorStep) -> bool:
    _same_type(value, bound)
    return bool(value > bound)  # type: ignore[operator]


def _lesser(one: CursorStep, other: CursorStep) -> CursorStep:
    return other if _beyond(one, other) else one


def _far_beyond(value: CursorStep, present: CursorStep) -> bool:
    fresh = isinstance(value, datetime) and isinstance(present, datetime) and value - present <= timedelta(days=1)
    return not fresh


def _step_back(value: CursorStep, overlap: timedelta | int | None) -> CursorStep:
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


def _same_type(one: CursorStep, other: CursorStep) -> None:
    if type(one) is type(other):
        return
    kinds = {"datetime" if isinstance(v, datetime) else type(v).__name__ for v in (one, other)}
    if len(kinds) > 1 and not kinds <= {"int", "Decimal"}:
        raise TypeError(f"cursor values of different types cannot be compared: {' and '.join(sorted(kinds))}")


@attrs.define
class MarkTracker:
    """Follows the cursor values of one window and says where the mark may stand afterwards.

    The mark is the highest value seen that is not beyond the window's upper bound; it never steps back. Values more
    than a day beyond the bound are counted in `future`, so that a typing error in an ERP date is reported and cannot
    stop later runs; what is just fresher than the bound is met again by the next run. The parts of a tuple are
    followed one by one.

    Attributes:
        stepped_back: of a cursor of one field, the first two values that came in descending order.
    """

    stream: str
    window: Window
    before: HighWaterMark | None = None
    future: int = attrs.field(default=0, init=False)
    stepped_back: tuple[CursorStep, CursorStep] | None = attrs.field(default=None, init=False)
    _highest: list[CursorStep | None] = attrs.field(factory=list, init=False)
    _shape: CursorValue | None = attrs.field(default=None, init=False)
    _previous: CursorStep | None = attrs.field(default=None, init=False)

    def see(self, values: Iterable[CursorValue | None]) -> None:
        """Take note of the cursor values of one page, in the order they came; `None` moves nothing."""
        bounds = _parts(self.window.upper)
        for value in map(_aware_utc, values):
            if value is None:
                continue
            self._shape = value
            steps = _parts(value)
            self._highest += [None] * (len(steps) - len(self._highest))
            ahead = [self._follow(number, step, bounds) for number, step in enumerate(steps) if step is not None]
            self.future += any(ahead)

    def _follow(self, number: int, step: CursorStep, bounds: tuple[CursorStep | None, ...]) -> bool:
        """Move one part on; true when its value lies far in the future."""
        bound = bounds[number] if number < len(bounds) else None
        if bound is not None and _beyond(step, bound):
            return _far_beyond(step, bound)
        if not isinstance(self._shape, tuple):
            if self._previous is not None and self.stepped_back is None and _beyond(self._previous, step):
                self.stepped_back = (self._previous, step)
            self._previous = step
        highest = self._highest[number]
        if highest is None or _beyond(step, highest):
            self._highest[number] = step
        return False

    def mark(self, *, full_scan_at: datetime | None = None) -> HighWaterMark:
        """The mark that is true once everything seen so far is committed."""
        old = self.before.value if self.before else None
        shape = self._shape if self._shape is not None else old
        moved = zip_longest(self._highest, _parts(old), _parts(self.window.upper))
        steps = [_moved(highest, before, bound) for highest, before, bound in moved]
        scanned = full_scan_at or (self.before.full_scan_at if self.before else None)
        value = None if shape is None else _whole(steps, like=shape)
        return HighWaterMark(stream=self.stream, value=value, full_scan_at=scanned)


def _moved(highest: CursorStep | None, before: CursorStep | None, bound: CursorStep | None) -> CursorStep | None:
    """The higher of what was seen and what was known, but never beyond the bound."""
    value = highest if highest is not None else before
    if value is not None and before is not None and _beyond(before, value):
        value = before
    return value if value is None or bound is None else _lesser(value, bound)


def encode_mark(value: CursorValue | None) -> tuple[str, str]:
    """A mark as (type, text), for a store; `("", "")` is no mark.

    Raises:
        TypeError: the type is not one of ours, so it could not be read back.
    """
    if value is None:
        return "", ""
    if isinstance(value, tuple):
        return "tuple", json.dumps([encode_mark(part) for part in value])
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
    if kind == "tuple":
        return tuple(_decode_step(*part) for part in json.loads(text))
    return _decode_step(kind, text)


def _decode_step(kind: str, text: str) -> CursorStep | None:
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
