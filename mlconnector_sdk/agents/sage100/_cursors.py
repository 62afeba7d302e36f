"""Listings under way: the keys a listing has are settled at its first page, and remembered for the pages to come."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice

import attrs

from ._boi import Wanted
from ._contract import Key
from ._errors import AgentError

__all__ = ["BATCH", "Cursors", "Listing", "joined", "packed"]

BATCH = 250
"""How many keys are dealt with at a time."""

_BETWEEN_PARTS, _BETWEEN_KEYS = "\x1f", "\x1e"


def joined(key: Key) -> str:
    """A key as one text; such texts sort as their keys do, because what joins comes before all that is written."""
    return _BETWEEN_PARTS.join(key)


def packed(keys: Iterable[str]) -> tuple[str, ...]:
    """Joined keys in batches, a text each: a hundred thousand of them take little more than their letters."""
    source = iter(keys)
    batches = []
    while batch := list(islice(source, BATCH)):
        batches.append(_BETWEEN_KEYS.join(batch))
    return tuple(batches)


@attrs.frozen(kw_only=True, eq=False)
class Listing:
    """A listing as it was settled.

    Attributes:
        as_of: the clock before the keys were gathered, as it stands in answers.
        size: how many keys there are.
        batches: the keys in order; see `packed`.
        limit: how many records a page holds.
        only_keys: pages hold keys and no records.
    """

    company: str
    path: str
    as_of: Mapping[str, object]
    size: int
    batches: tuple[str, ...]
    limit: int
    wanted: Wanted
    only_keys: bool = False

    def keys(self, start: int, count: int) -> Iterator[Key]:
        """The keys from a position on."""
        place = start
        while place < min(start + count, self.size):
            batch = self.batches[place // BATCH].split(_BETWEEN_KEYS)
            for text in batch[place % BATCH : place % BATCH + start + count - place]:
                yield tuple(text.split(_BETWEEN_PARTS))
                place += 1


@attrs.define
class _Kept:
    listing: Listing
    used: datetime


class Cursors:
    """Remembers a bounded number of listings for a bounded time since they were last used."""

    def __init__(self, *, most: int, age: timedelta, clock: Callable[[], datetime]) -> None:
        self._most = most
        self._age = age
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, listing: Listing) -> str:
        """Remember a listing; returns the name to resume it by. The one unused for longest may be forgotten."""
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._forget_old()
            self._kept[name] = _Kept(listing, self._clock())
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return name

    def cursor(self, name: str, position: int) -> str:
        """What the caller sends to go on from a position; it may be sent again."""
        return f"{name}.{position}"

    def resume(self, cursor: str, *, company: str, path: str, only_keys: bool) -> tuple[str, Listing, int]:
        """The listing behind a cursor: its name, itself, and the position.

        Raises:
            AgentError: it is not remembered any more, or never was, for this company and list.
        """
        name, _, digits = cursor.rpartition(".")
        with self._lock:
            self._forget_old()
            kept = self._kept.get(name)
            position = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 12 else -1
            if kept is not None and 0 < position <= kept.listing.size:
                listing = kept.listing
                if (listing.company, listing.path, listing.only_keys) == (company, path, only_keys):
                    kept.used = self._clock()
                    self._kept.move_to_end(name)
                    return name, listing, position
        message = "this cursor is not known any more: begin the listing again, from the last mark that was committed"
        raise AgentError("CURSOR_EXPIRED", message)

    def _forget_old(self) -> None:
        oldest = self._clock() - self._age
        while self._kept and next(iter(self._kept.values())).used < oldest:
            self._kept.popitem(last=False)
