"""The company's tables through e.net, whichever door leads to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from ..._http import HttpClient, HttpReply
from ...protocols import Clock, WaitListener
from ...retry import RetryPolicy
from .._base import placed
from .._values import Row
from .._xml import tree_in
from . import _enet as enet
from ._session import Door, Session
from ._tables import SYSTEM, Greeting, Query

__all__ = ["ENetTables"]

_FINDER = "COMFND"


class EnetDoor(Door, Protocol):
    """What the tables need of a door besides sessions."""

    http: HttpClient
    longest: int

    def query(
        self, session_id: str, business_object: str, xml: str, operation: str, retry: RetryPolicy | None
    ) -> bytes:
        """A business object's answer. Raises `DeadSessionError` when the session is not valid any more."""
        ...

    def profile(self, session_id: str, retry: RetryPolicy | None) -> bytes:
        """Who is logged on to what."""
        ...

    def version(self, retry: RetryPolicy | None) -> HttpReply:
        """An answer that needs no session: a version in the body, or none, and a `Date`."""
        ...

    def length(self, business_object: str, xml: str) -> int:
        """How long a question is on the wire."""
        ...


class ENetTables:
    """Tables of one company through the business object COMFND; COMFND knows one table at a time, and no offset."""

    has_business_objects = True

    def __init__(self, door: EnetDoor, *, operator: str, turn_wait: float) -> None:
        self._door = door
        self._session = Session(door, address=door.http.base_url, operator=operator, turn_wait=turn_wait)

    @property
    def address(self) -> str:
        return self._door.http.base_url

    @property
    def request_count(self) -> int:
        return self._door.http.request_count

    def attach(self, *, retry: RetryPolicy | None, on_wait: WaitListener | None, clock: Clock | None) -> None:
        """Take over an engine's wishes."""
        self._door.http.retry = retry or self._door.http.retry
        self._door.http.on_wait = on_wait
        self._session.clock = clock or self._session.clock

    def session(self) -> AbstractContextManager[None]:
        """One logon for all that is asked inside, and the logoff at its end."""
        return self._session.opened()

    def known_columns(self, table: str, *, retry: RetryPolicy | None = None) -> Mapping[str, str] | None:
        """Nobody tells."""
        return None

    def rows(self, query: Query, *, retry: RetryPolicy | None = None) -> list[Row]:
        """The rows, every value a text."""
        operation = f"{_FINDER} {query.table.name}"
        body = self._asked(_FINDER, enet.find_request(query), operation, retry)
        with placed(SYSTEM, operation):
            return enet.found_rows(query, body)

    def fits(self, query: Query) -> bool:
        """Whether the question stays within what the door lets through."""
        return self._door.length(_FINDER, enet.find_request(query)) <= self._door.longest

    def ask(self, business_object: str, xml: str, *, retry: RetryPolicy | None = None) -> bytes:
        """A business object's answer to a query."""
        return self._asked(business_object, xml, business_object, retry)

    def now(self, *, retry: RetryPolicy | None = None) -> datetime | None:
        """What the server's `Date` header says."""
        return self._door.version(retry).date

    def greet(self) -> Iterator[Greeting]:
        """The service without a session, then the logon."""
        yield Greeting(
            what="address",
            attempt=self._version,
            cure="use host and port of the e.net service, which the administrator chose",
        )
        yield Greeting(what="sign-in", attempt=self._company)

    def close(self) -> None:
        """Log off and close connections; harmless when repeated."""
        try:
            self._session.close()
        finally:
            self._door.http.close()

    def _version(self, retry: RetryPolicy) -> str:
        text = self._door.version(retry).body[:40].decode("ascii", "replace").strip()
        return f"e.net {text}" if text[:1].isdigit() else "it answers"

    def _company(self, retry: RetryPolicy) -> str:
        operation = "GetLogonProfile"
        body = self._session.call(lambda session_id: self._door.profile(session_id, retry), operation, retry)
        profile = next(iter(tree_in(body).values()), None)
        name = profile.get("CompanyName", "") if isinstance(profile, dict) else ""
        return f"logged on to {name}" if name else "logged on"

    def _asked(self, business_object: str, xml: str, operation: str, retry: RetryPolicy | None) -> bytes:
        def ask(session_id: str) -> bytes:
            return self._door.query(session_id, business_object, xml, operation, retry)

        return self._session.call(ask, operation, retry)
