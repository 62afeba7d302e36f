"""When a call is repeated, after which pause, and when to give up. The only importer of backoff.

There is one retry loop in the library, around one HTTP exchange; nothing is nested in it or around it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import attrs
import backoff

from ._stopping import pause
from .errors import RateLimitError, ServerFaultError, TransientError

__all__ = ["RetryPolicy"]

T = TypeVar("T")
OnWait = Callable[[TransientError, float, int], None]


def _seconds(value: timedelta | float) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often and how long a `TransientError` is tried again.

    The pause before try *n* is `first_wait * 2 ** (n - 1)`, at most `longest_wait`, plus up to a quarter of it at
    random. A pause the far side asked for (`Retry-After`) is kept in full: the random part is only ever added. When
    the pause would pass `within`, the error is raised at once instead of waiting in vain, and says what was asked for.

    Attributes:
        attempts: calls in all, the first included.
        within: seconds (or `timedelta`) from the first call to the last pause's end.
        fault_attempts: calls in all for `ServerFaultError`, which often means one bad record; `attempts` if fewer.
        first_wait, longest_wait: seconds or `timedelta`.
    """

    attempts: int = attrs.field(default=6, validator=attrs.validators.ge(1))
    within: float = attrs.field(default=300.0, converter=_seconds, validator=attrs.validators.gt(0))
    fault_attempts: int = attrs.field(default=3, validator=attrs.validators.ge(1))
    first_wait: float = attrs.field(default=1.0, converter=_seconds, validator=attrs.validators.ge(0))
    longest_wait: float = attrs.field(default=60.0, converter=_seconds, validator=attrs.validators.ge(0))

    @classmethod
    def immediate(cls, attempts: int = 6, *, fault_attempts: int = 3) -> RetryPolicy:
        """A policy without pauses of its own, for tests; `Retry-After` is still obeyed."""
        return cls(attempts=attempts, fault_attempts=fault_attempts, first_wait=0.0, longest_wait=0.0)

    def wait_before_retry(self, error: TransientError, tries: int) -> float:
        """Seconds to wait after `tries` failed calls, without the random part."""
        own = min(self.first_wait * 2.0 ** (tries - 1), self.longest_wait)
        return max(own, error.retry_after or 0.0)

    def call(self, function: Callable[[], T], *, on_wait: OnWait | None = None, repeatable: bool = True) -> T:
        """Call `function` until it succeeds, fails for good, or the limits are reached; the last error is raised.

        Args:
            on_wait: told the error, the pause in seconds and the number of failed calls before each pause.
            repeatable: a repeat is harmless. If not, only errors that prove nothing was done are repeated.

        A pause ends at once when the run it belongs to is stopped; then nothing is repeated.
        """
        started = time.monotonic()
        tries, wait = 0, 0.0

        def give_up(error: Exception) -> bool:
            assert isinstance(error, TransientError)
            nonlocal tries, wait
            tries += 1
            if not repeatable and not isinstance(error, RateLimitError):
                return True
            faulty = isinstance(error, ServerFaultError)
            allowed = min(self.attempts, self.fault_attempts) if faulty else self.attempts
            wanted = self.wait_before_retry(error, tries)
            left = self.within - (time.monotonic() - started)
            wait = min(wanted + random.uniform(0, wanted / 4), max(wanted, left))
            return tries >= allowed or wanted > left

        def wait_out(details: Any) -> None:
            if on_wait is not None:
                on_wait(details["exception"], wait, tries)
            pause(wait)

        # backoff's own jitter may shorten a pause the far side asked for, and its own sleep hears nothing: both are
        # off, ours only adds and can be ended.
        retrying = backoff.on_exception(
            backoff.constant,
            TransientError,
            interval=0,
            giveup=give_up,
            jitter=None,
            on_backoff=wait_out,
            logger=None,
        )
        return retrying(function)()
