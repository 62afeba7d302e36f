"""Who may log on to e.net, and which sessions are open.

An ordinary operator has one session: a second logon ends the first, whoever made it. Wordings other than those of a
wrong password, a dead session and a damaged session id were never recorded; they are ours.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

import attrs

__all__ = ["UNKNOWN_OBJECT", "Account", "EnetError", "Session", "Sessions"]

WRONG_PASSWORD = "Invalid operator password"
DEAD_SESSION = "The supplied UserID is invalid."
DAMAGED_ID = "Unable to read the SYSPRO base directory registry string BaseDir8"
UNKNOWN_OBJECT = "e.net exception raised: 100000"
TRIES_BEFORE_LOCK = 3
_PLAIN_ID = 34


class EnetError(Exception):
    """What e.net answers instead of a document: a text after `ERROR: ` in REST, a fault in SOAP."""


@attrs.frozen(kw_only=True)
class Account:
    """The one operator and company of a site."""

    operator: str
    password: str = attrs.field(repr=False)
    company: str
    company_password: str = attrs.field(repr=False)


@attrs.define
class Session:
    """An open session; `calls` counts its use. `ours` is false for what people at their screens opened."""

    user_id: str
    operator: str
    last_used: datetime
    calls: int = 0
    ours: bool = True


class Sessions:
    """Logs operators on and off, and counts the seats of their class."""

    def __init__(self, account: Account, *, licences: int, timeout: timedelta, now: Callable[[], datetime]) -> None:
        self.account = account
        self.licences = licences
        self.timeout = timeout
        self.now = now
        self.logons = 0
        self.logoffs = 0
        self.refusals = 0
        self.wrong_tries = 0
        self.locked = False
        self.logon_error: str | None = None
        self.calls_per_session: int | None = None
        self.open: dict[str, Session] = {}
        self._others = 0

    def log_on(self, operator: str, password: str, company: str, company_password: str) -> str:
        """A new session's id as it goes over the wire: 34 characters and two blanks.

        Raises:
            EnetError: with the text that follows `ERROR: `.
        """
        try:
            self._check(operator, password, company, company_password)
            self._make_room(operator)
        except EnetError:
            self.refusals += 1
            raise
        session = Session(_new_id(), operator, self.now())
        self.open[operator] = session
        self.logons += 1
        return f"{session.user_id}  "

    def _check(self, operator: str, password: str, company: str, company_password: str) -> None:
        account = self.account
        if self.logon_error is not None:
            raise EnetError(self.logon_error)
        if operator != account.operator:
            raise EnetError("Operator not on file")
        if self.locked:
            raise EnetError("Operator is locked")
        if password != account.password:
            self.wrong_tries += 1
            self.locked = self.wrong_tries >= TRIES_BEFORE_LOCK
            raise EnetError(WRONG_PASSWORD)
        self.wrong_tries = 0
        # A blank company is the operator's default one.
        if company not in {"", account.company}:
            raise EnetError("Company not on file")
        if company_password != account.company_password:
            raise EnetError("Invalid company password")

    def _make_room(self, operator: str) -> None:
        """An operator's own session makes room; else a full class evicts a member idle beyond the timeout."""
        self.open.pop(operator, None)
        if len(self.open) < self.licences:
            return
        idle = min(self.open.values(), key=lambda session: session.last_used, default=None)
        if idle is None or self.now() - idle.last_used <= self.timeout:
            raise EnetError("The maximum number of concurrent e.net users has been reached")
        del self.open[idle.operator]

    def enter(self, user_id: str) -> Session:
        """The session of a call, its idle time begun anew.

        Raises:
            EnetError: it is not open, or not any more.
        """
        session = self._named(user_id)
        if self.calls_per_session is not None and session.calls >= self.calls_per_session:
            del self.open[session.operator]
            raise EnetError(DEAD_SESSION)
        session.calls += 1
        session.last_used = self.now()
        return session

    def log_off(self, user_id: str) -> str:
        """Free the seat at once; `0` says that it went well."""
        session = self._named(user_id)
        del self.open[session.operator]
        self.logoffs += 1
        return "0"

    def _named(self, user_id: str) -> Session:
        plain = user_id.rstrip(" ")
        if len(plain) == _PLAIN_ID and plain[-2:] != "00":
            raise EnetError(DAMAGED_ID)
        for session in self.open.values():
            if session.user_id == plain:
                return session
        raise EnetError(DEAD_SESSION)

    def occupy(self, seats: int) -> None:
        """Other operators log on and stay."""
        for _ in range(seats):
            self._others += 1
            name = f"USER{self._others:02d}"
            self.open[name] = Session(_new_id(), name, self.now(), ours=False)

    def take_over(self) -> None:
        """A person logs on with our operator: our session is dead, and theirs stays open."""
        name = self.account.operator
        self.open[name] = Session(_new_id(), name, self.now(), ours=False)


def _new_id() -> str:
    """32 hexadecimal digits, then the number of the server instance."""
    return f"{secrets.token_hex(16).upper()}00"
