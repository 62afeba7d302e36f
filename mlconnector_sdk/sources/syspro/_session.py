"""One session of e.net: logged on when first needed, logged off always, renewed once when somebody ended it.

An ordinary operator has one session at a time, and a second logon ends the first. Whoever reads with the same operator
in this process therefore takes turns.
"""

from __future__ import annotations

import copy
import hashlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar
from weakref import WeakValueDictionary

from ...errors import AuthenticationError, MLConnectorError, UnavailableError
from ...protocols import Clock, SystemClock
from ...retry import RetryPolicy
from .._checks import ONCE
from ._enet import DeadSessionError
from ._tables import SYSTEM

__all__ = ["Door", "Session"]

log = logging.getLogger("mlconnector_sdk.sources.syspro")

T = TypeVar("T")

_SHORTEST_LIFE = 300.0
"""Seconds. A session that dies sooner after its renewal was ended by somebody else, not by a time-out."""


class Door(Protocol):
    """One of the ways into e.net."""

    def log_on(self, retry: RetryPolicy | None) -> str:
        """A new session's id."""
        ...

    def log_off(self, session_id: str, retry: RetryPolicy) -> None:
        """End a session."""


class Turn:
    """Whose turn it is to use an operator."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


_turns: WeakValueDictionary[str, Turn] = WeakValueDictionary()
_turns_lock = threading.Lock()


def turn_for(address: str, operator: str) -> Turn:
    """The one turn of an operator at a server; it lives as long as somebody holds it."""
    key = hashlib.sha256(f"{address.lower()} {operator.lower()}".encode()).hexdigest()
    with _turns_lock:
        turn = _turns.get(key)
        if turn is None:
            turn = _turns[key] = Turn()
        return turn


class Session:
    """Keeps a session while there is something to ask; one call at a time.

    Args:
        turn_wait: seconds to wait for another reader of this process that uses the operator.
    """

    def __init__(self, door: Door, *, address: str, operator: str, turn_wait: float) -> None:
        self.clock: Clock = SystemClock()
        self._door = door
        self._turn = turn_for(address, operator)
        self._turn_wait = turn_wait
        self._lock = threading.RLock()
        self._users: set[object] = set()
        self._id: str | None = None
        self._renewed_at: float | None = None
        self._refusal: AuthenticationError | None = None

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Around all that is asked in one go; the last one out logs off. Such blocks may overlap.

        Raises:
            UnavailableError: another reader of this process uses the operator.
        """
        user = object()
        with self._lock:
            if not self._users:
                self._take_turn()
            self._users.add(user)
        try:
            yield
        finally:
            with self._lock:
                if user in self._users:
                    self._users.discard(user)
                    if not self._users:
                        self._end()

    def call(self, ask: Callable[[str], T], operation: str, retry: RetryPolicy | None = None) -> T:
        """What `ask` makes of a session's id; a dead session is renewed once, and asked again.

        Raises:
            UnavailableError: the new session was ended as well.
        """
        with self.opened(), self._lock:
            try:
                return ask(self._id or self._log_on(retry))
            except DeadSessionError:
                new = self._renewed(operation, retry)
            try:
                return ask(new)
            except DeadSessionError:
                self._id = None
                raise _ended_by_others(operation) from None

    def close(self) -> None:
        """Log off, whoever still meant to ask something; harmless when repeated."""
        with self._lock:
            if self._users:
                self._users.clear()
                self._end()

    def _take_turn(self) -> None:
        if not self._turn.lock.acquire(timeout=self._turn_wait):
            raise UnavailableError(
                "another reader of this process is logged on with the same operator: give each its own operator",
                system=SYSTEM,
                reason="operator_busy",
            )

    def _end(self) -> None:
        try:
            if self._id is not None:
                self._door.log_off(self._id, ONCE)
        except MLConnectorError as error:
            log.info(
                "syspro logoff failed (%s); the seat is free when the session times out",
                error.reason,
                extra={"mlc_system": SYSTEM, "mlc_reason": error.reason},
            )
        finally:
            self._id = None
            self._turn.lock.release()

    def _log_on(self, retry: RetryPolicy | None) -> str:
        if self._refusal is not None:
            # A fresh one each time: an exception that is raised twice collects the tracebacks of both.
            raise copy.copy(self._refusal)
        try:
            self._id = self._door.log_on(retry)
        except AuthenticationError as error:
            self._refusal = copy.copy(error)
            raise
        return self._id

    def _renewed(self, operation: str, retry: RetryPolicy | None) -> str:
        self._id = None
        now = self.clock.monotonic()
        if self._renewed_at is not None and now - self._renewed_at < _SHORTEST_LIFE:
            raise _ended_by_others(operation)
        self._renewed_at = now
        log.warning(
            "syspro ended the session, which is renewed once: is somebody else using the operator?",
            extra={"mlc_system": SYSTEM, "mlc_operation": operation},
        )
        return self._log_on(retry)


def _ended_by_others(operation: str) -> UnavailableError:
    return UnavailableError(
        "SYSPRO ended the session, and the new one as well: a second logon with the same operator, by a person or "
        "another program, ends the first session; give this connector an operator of its own",
        system=SYSTEM,
        operation=operation,
        reason="session_ended",
    )
