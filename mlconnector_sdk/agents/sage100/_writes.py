"""Answers to writes that may be asked for again: the same key and request get the same answer."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

import attrs

from ._errors import AgentError

__all__ = ["Answered"]

_AGE = timedelta(hours=24)


@attrs.frozen
class _Answer:
    request: bytes
    body: object
    at: datetime


class Answered:
    """Remembers the answers of writes that were carried out, a bounded number for a day."""

    def __init__(self, clock: Callable[[], datetime], *, most: int = 1000) -> None:
        self._clock = clock
        self._most = most
        self._answers: OrderedDict[tuple[str, ...], _Answer] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, key: tuple[str, ...], request: bytes) -> object | None:
        """The answer of this very request, if it was answered before.

        Raises:
            AgentError: the key was used for another request.
        """
        with self._lock:
            self._forget_old()
            known = self._answers.get(key)
        if known is None:
            return None
        if known.request != _digest(request):
            raise AgentError("VALIDATION", "this Idempotency-Key was used for another change: take a new one")
        return known.body

    def keep(self, key: tuple[str, ...], request: bytes, body: object) -> None:
        with self._lock:
            self._answers[key] = _Answer(_digest(request), body, self._clock())
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)

    def _forget_old(self) -> None:
        oldest = self._clock() - _AGE
        while self._answers and next(iter(self._answers.values())).at < oldest:
            self._answers.popitem(last=False)


def _digest(request: bytes) -> bytes:
    return hashlib.sha256(request).digest()
