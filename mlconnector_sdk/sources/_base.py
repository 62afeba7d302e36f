"""What every source does in the same way: its small members, its pages, and where its errors happened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import ClassVar, Generic, Protocol, Self, TypeVar
from zoneinfo import ZoneInfo

from .._trust import secrecy
from ..cursors import CursorValue
from ..errors import ConfigurationError, MappingError, MLConnectorError
from ..models import CheckResult, Page, Record, StreamName, StreamSpec, UnreadableRow
from ..network import Network
from ..protocols import Clock, SystemClock, WaitListener
from ..retry import RetryPolicy
from ._values import Row

__all__ = ["Connection", "ErpSource", "page_of", "placed", "zone_named"]


class Connection(Protocol):
    """What a source needs of the way to its ERP, whatever the API."""

    @property
    def address(self) -> str:
        """Where it is, for people; without secrets."""
        ...

    @property
    def request_count(self) -> int:
        """HTTP requests sent so far."""
        ...

    def attach(self, *, retry: RetryPolicy | None, on_wait: WaitListener | None, clock: Clock | None) -> None:
        """Take over an engine's wishes; those that are `None` leave things as they are."""

    def close(self) -> None:
        """Sign out where there is something to sign out of, and close connections; harmless when repeated."""


C = TypeVar("C", bound=Connection)


class ErpSource(ABC, Generic[C]):
    """The small members of a source. A subclass names its `system` and fills `_streams`."""

    system: ClassVar[str]

    def __init__(self, connection: C, *, network: Network) -> None:
        self._connection = connection
        self._network = network
        self._clock: Clock = SystemClock()
        self._streams: Mapping[StreamName, StreamSpec] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._connection.address}>"

    @property
    def streams(self) -> Mapping[StreamName, StreamSpec]:
        """What can be read, without asking the ERP."""
        return self._streams

    @property
    def request_count(self) -> int:
        """HTTP requests sent so far."""
        return self._connection.request_count

    def attach(
        self,
        *,
        retry: RetryPolicy | None = None,
        on_wait: WaitListener | None = None,
        clock: Clock | None = None,
    ) -> None:
        """An engine's wishes: its retry policy if it has one, who is told of pauses, and what time it is here."""
        self._connection.attach(retry=retry, on_wait=on_wait, clock=clock)
        self._clock = clock or self._clock

    def check(self) -> Iterator[CheckResult]:
        """Try address, sign-in, clock and each stream, a line each; never raises, tries nothing twice.

        Before them comes a line on encryption, where credentials could be read on their way.
        """
        yield from secrecy(self._network, self.system, self._connection.address)
        yield from self._tried()

    @abstractmethod
    def _tried(self) -> Iterator[CheckResult]:
        """What `check` tries of this ERP."""

    def close(self) -> None:
        """Sign out, so that a licensed seat is free at once, and close connections; harmless when repeated."""
        self._connection.close()

    def _spec(self, stream: StreamName, hint: str = "") -> StreamSpec:
        """The stream's description.

        Raises:
            ConfigurationError: this source has no such stream; `hint` says which setting it depends on.
        """
        if stream not in self._streams:
            there = ", ".join(self._streams)
            raise ConfigurationError(f"no stream {stream!r}: there are {there}{hint}", system=self.system)
        return self._streams[stream]


def page_of(
    stream: StreamName,
    rows: Iterable[Row],
    *,
    read: Callable[[Row], Record],
    key_of: Callable[[Row], str],
    modified: Callable[[Row], CursorValue | None],
) -> Page:
    """Rows as records; what cannot be read is set aside with its reason, and stops no other row.

    Args:
        modified: where a row stands in the order of changes; a `MappingError` of it means that nobody knows.
    """
    records: list[Record] = []
    unreadable: list[UnreadableRow] = []
    for row in rows:
        try:
            records.append(read(row))
        except MappingError as error:
            unreadable.append(_set_aside(row, error, key_of(row), modified))
    return Page(stream=stream, records=tuple(records), unreadable=tuple(unreadable))


def _set_aside(row: Row, error: MappingError, key: str, modified: Callable[[Row], CursorValue | None]) -> UnreadableRow:
    try:
        modified_at = modified(row)
    except MappingError:
        modified_at = None
    return UnreadableRow(key=key, reason=error.reason, message=error.message, raw=row, modified_at=modified_at)


@contextmanager
def placed(system: str, operation: str) -> Iterator[None]:
    """Errors that do not say where they happened, happened here."""
    try:
        yield
    except MLConnectorError as error:
        error.system, error.operation = error.system or system, error.operation or operation
        raise


def zone_named(name: str, *, system: str) -> ZoneInfo:
    """The zone that stamps without an offset are in.

    Raises:
        ConfigurationError: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigurationError(f"timezone: {name!r} is no IANA name such as America/Toronto", system=system) from None
