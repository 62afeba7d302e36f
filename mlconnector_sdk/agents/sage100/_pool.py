"""The sessions: few, one company at a time, never one that broke, never a logon tried over and over."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import attrs

from ._boi import BusinessObjects, Session
from ._errors import AgentError, Code
from ._worker import Worker

__all__ = ["Problem", "SessionPool", "Sessions"]

_T = TypeVar("_T")
_log = logging.getLogger("mlconnector_sdk.agents.sage100")

_PROBLEMS: frozenset[Code] = frozenset({"SAGE_LOGON_FAILED", "NO_LICENSE", "MAINTENANCE", "SESSION_LOST", "TIMEOUT"})
_FAREWELL_SECONDS = 5.0
_ALARMING = 2
"""How many refused logons in a row are no accident any more."""


class _HeldBackError(AgentError):
    """An answer that Sage 100 was not asked for."""


@attrs.frozen
class Problem:
    """Trouble with Sage 100 that is not over: when it was met last, and how often in a row."""

    code: Code
    at: datetime
    count: int


@attrs.frozen
class Sessions:
    """How many sessions there may be, are at work, are logged on, and were given up as hung."""

    max: int
    busy: int
    open: int
    hung: int


@attrs.define(eq=False)
class _Seat:
    """A place for one session, with the thread it lives on. All but `busy` is touched on that thread only."""

    worker: Worker | None = None
    session: Session | None = None
    opened: datetime | None = None
    busy: bool = False

    def close(self) -> None:
        if self.session is not None:
            session, self.session = self.session, None
            session.close()

    def rank(self, company: str | None) -> int:
        """How little it costs to work for a company here: no new logon, a logon, a logout and a logon."""
        session = self.session
        if session is None:
            return 1
        return 0 if company in {None, session.company} else 2


@attrs.define(kw_only=True)
class _Trouble:
    """Remembers the latest problem, and keeps refused credentials from being tried again and again."""

    clock: Callable[[], datetime]
    pause: timedelta
    latest: Problem | None = None

    def over(self) -> None:
        self.latest = None

    def met(self, error: AgentError) -> None:
        known = self.latest
        count = known.count + 1 if known is not None and known.code == error.code else 1
        self.latest = Problem(error.code, self.clock(), count)
        if error.code == "SAGE_LOGON_FAILED":
            if count == _ALARMING:
                _log.error(
                    "Sage 100 refused the agent's user twice in a row: mend user or password; further wrong "
                    "logons may lock the user",
                    extra={"mlc_pause_seconds": self.pause.total_seconds()},
                )
            else:
                _log.warning("Sage 100 refused the agent's user", extra={"mlc_count": count})

    def insist_on_logon(self) -> None:
        """Refuse before anything is sent while a logon must not be tried.

        Raises:
            AgentError: the user was refused twice in a row, a short time ago.
        """
        known = self.latest
        if known is None or known.code != "SAGE_LOGON_FAILED" or known.count < _ALARMING:
            return
        left = known.at + self.pause - self.clock()
        if left > timedelta():
            message = "Sage 100 refused the agent's user twice in a row: mend user or password, then wait"
            raise _HeldBackError("SAGE_LOGON_FAILED", message, retry_after=math.ceil(left.total_seconds()))


class SessionPool:
    """Lends sessions, one request at a time each.

    Args:
        begin: what a thread does before its first call to Sage 100.
        wait: how long to wait for a session.
        age, idle: after how long a session is replaced, and closed when there is nothing to do.
        call_timeout: after how long a session is given up.
        logon_pause: how long nothing is tried after a user was refused twice in a row.
    """

    def __init__(
        self,
        objects: BusinessObjects,
        *,
        size: int,
        clock: Callable[[], datetime],
        begin: Callable[[], None],
        wait: timedelta,
        age: timedelta,
        idle: timedelta,
        call_timeout: timedelta,
        logon_pause: timedelta,
    ) -> None:
        self._objects = objects
        self._clock = clock
        self._begin = begin
        self._wait = wait.total_seconds()
        self._age = age
        self._idle = idle.total_seconds()
        self._timeout = call_timeout.total_seconds()
        self._trouble = _Trouble(clock=clock, pause=logon_pause)
        self._seats = [_Seat() for _ in range(size)]
        self._hung = 0
        self._closed = False
        self._changed = threading.Condition()

    def run(self, company: str | None, work: Callable[[Session], _T]) -> _T:
        """What `work` makes of a session of this company; of any company, for `None`.

        Raises:
            AgentError: there is no session to be had, or what `work` raises.
        """
        seat, worker = self._taken(company)
        try:
            result = worker.run(lambda: self._served(seat, company, work), timeout=self._timeout)
        except TimeoutError:
            worker.stop(seat.close)  # should the call return after all
            raise self._given_up(seat) from None
        except AgentError as error:
            self._noted(error)
            self._released(seat)
            raise
        except BaseException:
            self._released(seat)
            raise
        self._noted(None)
        self._released(seat)
        return result

    def sessions(self) -> Sessions:
        with self._changed:
            return Sessions(
                max=len(self._seats),
                busy=sum(seat.busy for seat in self._seats),
                open=sum(seat.session is not None for seat in self._seats),
                hung=self._hung,
            )

    @property
    def problem(self) -> Problem | None:
        """The trouble that is not over yet."""
        return self._trouble.latest

    def close(self) -> None:
        """Log all sessions off and let their threads end; what is at work is waited for shortly."""
        with self._changed:
            self._closed = True
            workers = [(seat, seat.worker) for seat in self._seats if seat.worker is not None]
            self._changed.notify_all()
        for seat, worker in workers:
            worker.stop(seat.close)
        for _, worker in workers:
            worker.join(_FAREWELL_SECONDS)

    def _taken(self, company: str | None) -> tuple[_Seat, Worker]:
        with self._changed:
            self._changed.wait_for(self._one_is_free, timeout=self._wait)
            free = [seat for seat in self._seats if not seat.busy]
            if self._closed or not free:
                message = "no session of Sage 100 came free in time: send fewer requests at once, or try again later"
                raise AgentError("AGENT_BUSY", message)
            seat = min(free, key=lambda seat: seat.rank(company))
            seat.busy = True
            worker = seat.worker = seat.worker or Worker(begin=self._begin, at_rest=seat.close, rest=self._idle)
            return seat, worker

    def _one_is_free(self) -> bool:
        return self._closed or any(not seat.busy for seat in self._seats)

    def _released(self, seat: _Seat) -> None:
        with self._changed:
            seat.busy = False
            self._changed.notify()

    def _noted(self, error: AgentError | None) -> None:
        with self._changed:
            if error is None or error.code not in _PROBLEMS:
                self._trouble.over()
            elif not isinstance(error, _HeldBackError):
                self._trouble.met(error)

    def _given_up(self, seat: _Seat) -> AgentError:
        """Put a new seat in the place of one whose thread hangs."""
        message = (
            "Sage 100 did not answer in time and the session was given up: ask for a smaller window; if this goes on, "
            "restart the agent"
        )
        error = AgentError("TIMEOUT", message)
        with self._changed:
            self._seats[self._seats.index(seat)] = _Seat()
            self._hung += 1
            self._trouble.met(error)
            self._changed.notify()
        _log.error("a session of Sage 100 hangs and was given up")
        return error

    # -- on the session's own thread --------------------------------------------------------------------------------

    def _served(self, seat: _Seat, company: str | None, work: Callable[[Session], _T]) -> _T:
        session = self._session(seat, company)
        try:
            return work(session)
        except AgentError as error:
            if error.poisons:
                seat.close()
            raise
        except BaseException:
            # Whatever it was, nobody knows what the session is left in.
            seat.close()
            raise

    def _session(self, seat: _Seat, company: str | None) -> Session:
        now = self._clock()
        if seat.session is not None and (seat.rank(company) or seat.opened is None or now - seat.opened >= self._age):
            seat.close()
        if seat.session is None:
            with self._changed:
                self._trouble.insist_on_logon()
            seat.session = self._objects.open(company)
            seat.opened = now
        return seat.session
