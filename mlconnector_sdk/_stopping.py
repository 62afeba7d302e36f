"""Pauses that end as soon as a run is asked to stop, in whichever of its threads they are.

Who may ask is a matter of the work under way, not of a client or a source: two threads may use one connection, and only
one of them belongs to the run that is stopped. It is therefore kept in the context, which threads are handed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TypeVar

__all__ = ["StopRequest", "StopWaiting", "asked_to_stop", "carried", "pause", "stoppable"]

T = TypeVar("T")
R = TypeVar("R")

_LOOK_AGAIN_SECONDS = 0.05

_asked: ContextVar[Callable[[], bool]] = ContextVar("mlconnector_sdk_stopping")


class StopWaiting(Exception):  # noqa: N818 - no error: the run was asked to stop while it waited
    """Ends a wait; what was not done is done by the next run."""


class StopRequest:
    """Whether a run was asked to stop.

    It has no lock, unlike `threading.Event`: a signal handler runs inside its thread, and would wait for ever for a
    lock that this very thread holds.
    """

    def __init__(self) -> None:
        self._asked = False

    def set(self) -> None:
        """Ask."""
        self._asked = True

    def clear(self) -> None:
        """Take it back."""
        self._asked = False

    def is_set(self) -> bool:
        """Whether it was asked."""
        return self._asked


@contextmanager
def stoppable(asked: Callable[[], bool]) -> Iterator[None]:
    """Pauses inside end with `StopWaiting` as soon as `asked` says so, or whoever may ask around it."""
    outer = _asked.get(None)
    token = _asked.set(asked if outer is None else lambda: asked() or outer())
    try:
        yield
    finally:
        _asked.reset(token)


def asked_to_stop() -> bool:
    """Whether the work that this is part of was asked to stop."""
    asked = _asked.get(None)
    return asked is not None and asked()


def carried(function: Callable[[T], R]) -> Callable[[T], R]:
    """The same function, stopped by whoever stops this thread's work when other threads call it."""
    context = copy_context()
    return lambda item: context.copy().run(function, item)


def pause(seconds: float) -> None:
    """Wait for so long.

    Raises:
        StopWaiting: the work was asked to stop.
    """
    until = time.monotonic() + seconds
    while not asked_to_stop():
        left = until - time.monotonic()
        if left <= 0.0:
            return
        time.sleep(min(left, _LOOK_AGAIN_SECONDS))
    raise StopWaiting
