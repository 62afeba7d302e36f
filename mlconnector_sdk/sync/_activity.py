"""When the ERP last did business with whom, kept for every record in eight bytes."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import date
from typing import Any, TypeAlias

from ..cursors import Window
from ..errors import ConfigurationError
from ..models import STREAMS, Contact, Customer, Link, Party, StreamName
from ..protocols import Source, StateStore
from ._extract import read_ahead, rows_of
from ._gone import hash_of
from ._orders import placed_on

__all__ = ["Activity", "ActivitySource", "people_streams"]

ActivitySource: TypeAlias = Callable[[Any], date | None]
"""Tells from a record when the ERP last did business with it; `None` where it does not know."""

_DAY_BITS = 22
_DAY = (1 << _DAY_BITS) - 1


def people_streams(source: Source) -> list[StreamName]:
    """The streams of this source whose records become members, customers first."""
    return [stream for stream in STREAMS if stream in source.streams and stream != "orders"]


class _LatestDays:
    """The latest day by key.

    Two keys of one hash share the later day: then a quiet record looks busy and its member stays. The other error, a
    busy record that looks quiet, cannot happen.
    """

    def __init__(self) -> None:
        self._entries = array("Q")
        self._sorted = True

    def add(self, key: str, day: date) -> None:
        self._entries.append(_place(key) | day.toordinal())
        self._sorted = False

    def of(self, key: str) -> date | None:
        if not self._sorted:
            self._entries = array("Q", sorted(self._entries))
            self._sorted = True
        place = _place(key)
        at = bisect_right(self._entries, place | _DAY) - 1
        entry = self._entries[at] if at >= 0 else 0
        return date.fromordinal(entry & _DAY) if entry and entry & ~_DAY == place else None


def _place(key: str) -> int:
    return hash_of(key) & ~_DAY


class Activity:
    """The last business with every person and company of an ERP, from one full reading.

    A customer's is the later of what its record says and its latest order that was loaded. A contact does business
    through its customer.

    Args:
        tells: asked instead of the record's own date.
    """

    def __init__(
        self, source: Source, state: StateStore, *, pipeline: str, tells: ActivitySource | None = None
    ) -> None:
        self._source = source
        self._state = state
        self._pipeline = pipeline
        self._tells = tells
        self._orders = _LatestDays()
        self._latest: dict[str, _LatestDays] = {}

    def last(self, link: Link) -> date | None:
        """When the ERP last did business with this record; `None` when nobody knows."""
        days = self._latest.get(link.stream)
        return days.of(link.key) if days else None

    def read(self, is_stopped: Callable[[], bool]) -> bool:
        """Read every record that stands behind a member, and those their business goes through.

        Returns:
            False when it was stopped before the end: then nothing must be concluded.

        Raises:
            ConfigurationError: there is no date at all, or the caller's function fails.
            TransientError, FatalError: the ERP cannot be read.
        """
        for link in self._state.all_links(self._pipeline, "orders"):
            day = placed_on(link)
            if day is not None and link.parent:
                self._orders.add(link.parent, day)
        streams = self._streams()
        known = sum(self._read_stream(stream, is_stopped) for stream in streams)
        if is_stopped():
            return False
        if streams and not known:
            raise ConfigurationError(
                f"sweep: {self._source.system} tells no date of last business, and no order was loaded that would: "
                "load orders with MailchimpSink(…, store=Store(…)), or name the date with "
                "engine.sweep(…, activity=lambda record: …)"
            )
        return True

    def _streams(self) -> list[StreamName]:
        """Streams that have links; customers also where contacts have."""
        people = people_streams(self._source)
        linked = {stream for stream in people if next(self._state.all_links(self._pipeline, stream), None)}
        return [stream for stream in people if stream in linked or (stream == "customers" and "contacts" in linked)]

    def _read_stream(self, stream: StreamName, is_stopped: Callable[[], bool]) -> int:
        days = self._latest[stream] = _LatestDays()
        found = 0
        with closing(read_ahead(self._source.read(stream, Window()))) as pages:
            for page in pages:
                if is_stopped():
                    break
                for party, day in self._dated(row for row in rows_of(page) if isinstance(row, Party)):
                    days.add(party.key, day)
                    found += 1
        return found

    def _dated(self, parties: Iterable[Party]) -> Iterator[tuple[Party, date]]:
        for party in parties:
            known = [day for day in (self._told(party), *self._business_of(party)) if day is not None]
            if known:
                yield party, max(known)

    def _business_of(self, party: Party) -> Iterator[date | None]:
        """What is known beside the record itself: suppliers buy nothing."""
        if isinstance(party, Contact):
            customers = self._latest.get("customers")
            if party.customer_key and customers is not None:
                yield customers.of(party.customer_key)
        elif isinstance(party, Customer):
            yield self._orders.of(party.key)

    def _told(self, party: Party) -> date | None:
        if self._tells is None:
            day: object = party.last_activity
        else:
            try:
                day = self._tells(party)
            except Exception as error:
                message = f"activity: the function raised {type(error).__name__} on a record"
                raise ConfigurationError(f"{message}: let it give a date or None", record_key=party.key) from error
        if day is None:
            return None
        if not isinstance(day, date):
            message = f"activity: the function gave a {type(day).__name__}, not a date or None"
            raise ConfigurationError(message, record_key=party.key)
        # A time of day counts for nothing, and would not compare with a plain date.
        return date(day.year, day.month, day.day)
