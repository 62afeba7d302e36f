"""The life of a process that runs a pipeline, and the calls and commits at which it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import attrs
import httpx
import pytest
from sqlalchemy import event

from mlconnector_sdk.models import Checkpoint, Lease
from mlconnector_sdk.state import SQLiteStateStore

__all__ = ["Break", "Death", "Life", "MortalStore"]

Place: TypeAlias = Literal["before", "within", "after"]

_ERRORS: dict[str, Callable[[httpx.Request], httpx.TransportError]] = {
    "timeout": lambda request: httpx.ReadTimeout("timed out", request=request),
    "no connection": lambda request: httpx.ConnectError("refused", request=request),
    "no connection in time": lambda request: httpx.ConnectTimeout("timed out", request=request),
}


class Death(BaseException):
    """The process ends here: whatever it still tries meets this again."""


@attrs.frozen(kw_only=True)
class Break:
    """A call or a commit that does not end well.

    Attributes:
        at: `"erp"`, `"mailchimp"` or `"commit"`.
        number: of the call there, from 1.
        place: before it was made or once it was; a commit also between its last statement and the database's own.
        how: `"death"`, or of a call what the client meets instead of an answer.
        times: how many calls in a row.
    """

    at: str
    number: int
    place: Place = "before"
    how: str = "death"
    times: int = 1

    def meets(self, at: str, number: int, place: Place) -> bool:
        return (at, place) == (self.at, self.place) and self.number <= number < self.number + self.times


@attrs.define(eq=False)
class Life:
    """One process: what it has done so far, and what is to befall it.

    Attributes:
        met: how many breaks there were.
    """

    breaks: tuple[Break, ...] = ()
    dead: bool = False
    met: int = 0
    _done: dict[str, int] = attrs.field(factory=dict, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def begin(self, at: str) -> int:
        """The number of the call or commit that begins now."""
        with self._lock:
            if self.dead:
                raise Death
            self._done[at] = self._done.get(at, 0) + 1
            return self._done[at]

    def pass_by(self, at: str, number: int, place: Place, request: httpx.Request | None = None) -> None:
        """Go on, or meet what was planned for this place."""
        with self._lock:
            found = next((one for one in self.breaks if one.meets(at, number, place)), None)
            if found is not None:
                self.met += 1
            if found is not None and found.how == "death":
                self.dead = True
            if self.dead:
                raise Death
        if found is not None and request is not None:
            raise _ERRORS[found.how](request)

    @contextmanager
    def lived(self, ports: dict[int, str]) -> Iterator[None]:
        """Every call to these ports made inside is one of this life's."""
        ask = httpx.HTTPTransport.handle_request

        def ask_and_live(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
            at = ports.get(request.url.port or 0)
            if at is None:
                return ask(transport, request)
            number = self.begin(at)
            self.pass_by(at, number, "before", request)
            response = ask(transport, request)
            try:
                self.pass_by(at, number, "after", request)
            except BaseException:
                response.close()
                raise
            return response

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(httpx.HTTPTransport, "handle_request", ask_and_live)
            yield


class MortalStore(SQLiteStateStore):
    """State in a file, opened for one life; its commits are places to die."""

    def __init__(self, path: Path, life: Life) -> None:
        super().__init__(path)
        self._life = life
        self._commit = 0
        event.listen(self._engine, "commit", self._between)

    def commit(self, checkpoint: Checkpoint, lease: Lease) -> None:
        number = self._life.begin("commit")
        self._life.pass_by("commit", number, "before")
        self._commit = number
        try:
            super().commit(checkpoint, lease)
        finally:
            self._commit = 0
        self._life.pass_by("commit", number, "after")

    def release(self, lease: Lease) -> None:
        if self._life.dead:
            raise Death
        super().release(lease)

    def _between(self, _connection: Any) -> None:
        if self._commit:
            self._life.pass_by("commit", self._commit, "within")
