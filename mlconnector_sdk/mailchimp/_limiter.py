"""How many requests of one Mailchimp account may be under way in this process: the library's only global state.

Mailchimp allows ten simultaneous requests per user, over all keys and programs of that user. The bound is therefore
shared by all sinks of one account, and a pause asked of one of them holds for all.
"""

from __future__ import annotations

import hashlib
import threading
import time
from weakref import WeakValueDictionary

from .._stopping import StopWaiting, asked_to_stop

__all__ = ["AccountLimiter", "limiter_for"]

_LOOK_AGAIN_SECONDS = 0.05


class AccountLimiter:
    """A gate that lets `size` requests through at once, and none during a pause.

    Waiting for the end of a pause, not for a free place, ends with `StopWaiting` when the run is asked to stop.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._under_way = 0
        self._resumes_at = 0.0
        self._changed = threading.Condition()

    @property
    def size(self) -> int:
        return self._size

    def __enter__(self) -> None:
        with self._changed:
            while (wait := self._seconds_to_wait()) != 0.0:
                if wait is not None and asked_to_stop():
                    raise StopWaiting
                self._changed.wait(None if wait is None else min(wait, _LOOK_AGAIN_SECONDS))
            self._under_way += 1

    def __exit__(self, *exc: object) -> None:
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Let nobody start for so long; a longer pause that is under way stands."""
        with self._changed:
            self._resumes_at = max(self._resumes_at, time.monotonic() + seconds)

    def lower(self, size: int) -> None:
        """Take the smaller of both sizes: the most careful user of an account counts."""
        with self._changed:
            self._size = min(self._size, size)

    def _seconds_to_wait(self) -> float | None:
        """0 to go on, `None` to wait for a free place."""
        if self._under_way >= self._size:
            return None
        return max(0.0, self._resumes_at - time.monotonic())


_limiters: WeakValueDictionary[tuple[str, str], AccountLimiter] = WeakValueDictionary()
_lock = threading.Lock()


def limiter_for(host: str, credential: str, size: int) -> AccountLimiter:
    """The one limiter of this account; it lives as long as somebody holds it."""
    key = (host, hashlib.sha256(credential.encode()).hexdigest())
    with _lock:
        limiter = _limiters.get(key)
        if limiter is None:
            limiter = _limiters[key] = AccountLimiter(size)
        limiter.lower(size)
        return limiter
