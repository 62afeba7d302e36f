"""A clock that stands still until it is told to move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["FakeClock"]


class FakeClock:
    """Time for tests: give the same one to fakes and engine, and move it between runs.

    It is a `protocols.Clock` and, called, the present time, as the fakes want it.

    Example:
        >>> clock = FakeClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
        >>> clock.advance(minutes=5)
        >>> clock().isoformat()
        '2026-03-01T12:05:00+00:00'
    """

    def __init__(self, start: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)) -> None:
        self._now = start

    def __call__(self) -> datetime:
        return self._now

    def now(self) -> datetime:
        """Aware UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds; steps back when the clock is set back, unlike a real one."""
        return self._now.timestamp()

    def advance(self, **duration: float) -> None:
        """Move on, in the words of `timedelta`: `advance(hours=2)`."""
        self._now += timedelta(**duration)
