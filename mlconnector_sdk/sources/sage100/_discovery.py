"""Finding records through an API that cannot list any: by keys that are known, told, next in turn, or named by others.

The next numbers are only ever looked up. Asking Sage 100 for its next number would use that number up.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeAlias

import attrs

from ...errors import ConfigurationError
from ...models import StreamName
from .._values import Row
from ._api import CUSTOMER, CUSTOMER_CONTACT, SALES_ORDER, SYSTEM, Key, KnownKeys, Table
from ._stamps import Stamp, modified

__all__ = ["TABLES", "Clues", "Discovery", "ToldKeys", "told_keys"]

ToldKeys: TypeAlias = Sequence[str] | Callable[[], Iterable[str]]
"""Keys that a caller knows of: a list of them, or a function that is asked for it with every read."""

Read: TypeAlias = Callable[[Table, Iterable[Key]], Iterator[tuple[Key, Row | None]]]
"""Reads rows by key, in order; `None` for those that are not there."""

TABLES: Mapping[StreamName, Table] = {"customers": CUSTOMER, "contacts": CUSTOMER_CONTACT, "orders": SALES_ORDER}

_WIDTH = 7
"""Numbers made of digits only are filled with zeros up to this."""

_HIGHEST = 9_999_999
_ENDS = 3
"""Rows of numbers that are followed: an invented number such as 9999999 must not hide where the real ones go on."""


@attrs.frozen(kw_only=True)
class Clues:
    """Where to look.

    Attributes:
        told: keys by stream that a caller knows of.
        first_order: the number to begin with while none as high is known, and with each full read.
        first_customers: the same for customers, a key for each division.
        gap: numbers without record after which a walk ends.
        recent_orders: how many of the orders known last are read again each time.
    """

    told: Mapping[StreamName, ToldKeys]
    first_order: str
    first_customers: tuple[str, ...]
    gap: int
    recent_orders: int

    def keys(self, stream: StreamName) -> list[Key]:
        """The keys that a caller told, each once.

        Raises:
            ConfigurationError: one of them is no key.
        """
        given = self.told.get(stream, ())
        try:
            texts = list(given()) if callable(given) else given
        except Exception as error:  # the caller's function, which may raise anything
            raise ConfigurationError(  # noqa: B904 - its text may hold personal data
                f"keys[{stream!r}]: the function failed ({type(error).__name__})", system=SYSTEM
            )
        return list(dict.fromkeys(told_keys(stream, texts)))

    def check(self) -> None:
        """See whether the beginnings are numbers.

        Raises:
            ConfigurationError: one of them is none.
        """
        _ = self.first_number, self.first_numbers()

    @property
    def first_number(self) -> int | None:
        """`first_order` as a number.

        Raises:
            ConfigurationError: it is none.
        """
        return _first_number(self.first_order, "first_order") if self.first_order else None

    def first_numbers(self) -> dict[str, int]:
        """The number to begin with in each division.

        Raises:
            ConfigurationError: one of `first_customers` is no key, or has no number.
        """
        keys = told_keys("customers", self.first_customers, setting="first_customers")
        return {division: _first_number(number, "first_customers") for division, number in keys}


def told_keys(stream: StreamName, texts: Iterable[str], *, setting: str = "keys") -> Iterator[Key]:
    """Keys as tables have them.

    Raises:
        ConfigurationError: a text is no key.
    """
    example = {"customers": "01-ABF", "contacts": "01-ABF/A. BUYER", "orders": "0000304"}[stream]
    for text in texts:
        key = TABLES[stream].parts_of(text)
        if key is None:
            raise ConfigurationError(f"{setting}: {text!r} is no key of {stream} such as {example}", system=SYSTEM)
        yield key


@attrs.frozen(kw_only=True)
class _Walk:
    """Numbers to try: from `start` on, until none was there for a while behind `reach`."""

    start: int
    reach: int


class _Numbers:
    """Numbers that are known, in four bytes each: where rows of them end, and whether one is among them."""

    def __init__(self) -> None:
        self._all = array("I")
        self._sorted = True

    def note(self, text: str) -> None:
        """Take note of a number; what is no number is no news."""
        if _is_number(text):
            self._all.append(int(text))
            self._sorted = False

    def has(self, number: int) -> bool:
        """Whether the number is known."""
        known = self._in_order()
        place = bisect_left(known, number)
        return place < len(known) and known[place] == number

    def highest_below(self, number: int) -> int:
        """The highest known number below this one, 0 without any."""
        known = self._in_order()
        place = bisect_left(known, number)
        return known[place - 1] if place else 0

    def walks(self, gap: int, first: int | None, *, whole: bool) -> list[_Walk]:
        """Where to look for more: behind the last rows of known numbers, and from `first` on.

        A walk begins a little before the end of its row: a number may be handed out long before its record is saved.
        A `whole` one begins where the row does, and at `first` even if higher numbers are known, because those may
        have been met out of turn.
        """
        known = self._in_order()
        found: list[_Walk] = []
        place = len(known) - 1
        while place >= 0 and len(found) < _ENDS:
            reach = known[place]
            while place > 0 and known[place] - known[place - 1] <= gap:
                place -= 1
            start = known[place] if whole else max(reach - gap, known[place - 1] + 1 if place else 1)
            found.append(_Walk(start=start, reach=reach))
            place -= 1
        if first is not None and (whole or not known or known[-1] < first):
            found.append(_Walk(start=first, reach=first - 1))
        return sorted(found, key=lambda walk: walk.start)

    def _in_order(self) -> array[int]:
        if not self._sorted:
            self._all, self._sorted = array("I", sorted(self._all)), True
        return self._all


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _WIDTH


def _first_number(text: str, setting: str) -> int:
    if not _is_number(text) or int(text) == 0:
        raise ConfigurationError(f"{setting}: {text!r} is no number of up to {_WIDTH} digits", system=SYSTEM)
    return int(text)


class Discovery:
    """Finds the rows of a stream.

    What is read again is let through only if it was changed since the given stamp; what was never met before, always.
    """

    def __init__(self, read: Read, clues: Clues) -> None:
        self._read = read
        self._clues = clues
        self._known: KnownKeys = lambda _: iter(())
        self._primary: dict[Key, str] | None = None

    def attach(self, known: KnownKeys) -> None:
        """Take note of what tells the known keys."""
        self._known = known

    def rows(self, table: Table, since: Stamp | None) -> Iterator[Row]:
        """The rows of one of the three tables, each at least once."""
        if table.name == CUSTOMER.name:
            return self._customers(since)
        return self._contacts(since) if table.name == CUSTOMER_CONTACT.name else self._orders(since)

    def sample(self, table: Table) -> Key | None:
        """The key of a record that should be there."""
        stream: StreamName = next(stream for stream, one in TABLES.items() if one.name == table.name)
        return next(chain(self._known_keys(stream), self._clues.keys(stream)), None)

    def blind(self) -> bool:
        """Whether there is nothing to begin with."""
        clues = self._clues
        return not (clues.first_order or clues.first_customers or any(map(self.sample, TABLES.values())))

    # -- customers --------------------------------------------------------------------------------------------------

    def _customers(self, since: Stamp | None) -> Iterator[Row]:
        """Those known, those told, those of the latest orders, and those whose numbers come next."""
        self._primary = None
        met: set[Key] = set()
        numbers = defaultdict[str, _Numbers](_Numbers)
        primary: dict[Key, str] = {}

        def fresh(keys: Iterable[Key]) -> Iterator[Key]:
            for key in keys:
                if key not in met:
                    met.add(key)
                    numbers[key[0]].note(key[1])
                    yield key

        def read(keys: Iterable[Key]) -> Iterator[Row]:
            for key, row in self._read(CUSTOMER, keys):
                if row is not None:
                    primary[key] = str(row.get("ContactCode") or "")
                    yield row

        yield from (row for row in read(fresh(self._known_keys("customers"))) if _is_changed(row, since))
        yield from read(fresh(self._clues.keys("customers")))
        yield from read(fresh(self._customers_of_orders()))
        first = self._clues.first_numbers()
        for division in dict.fromkeys((*numbers, *first)):
            known = numbers[division]
            walks = known.walks(self._clues.gap, first.get(division), whole=since is None)
            for row in self._walk(CUSTOMER, (division,), walks, known):
                primary[CUSTOMER.key_of(row)] = str(row.get("ContactCode") or "")
                yield row
        self._primary = primary

    def _customers_of_orders(self) -> Iterator[Key]:
        """Who placed the latest orders, those among them that are known as orders already.

        An order that came between the reading of customers and that of orders is known by now; its customer is not.
        """
        numbers, _ = self._known_orders(())
        walks = numbers.walks(self._clues.gap, self._clues.first_number, whole=False)
        for order in self._walk(SALES_ORDER, (), walks):
            if all(key := CUSTOMER.key_of(order)):
                yield key

    # -- contacts ---------------------------------------------------------------------------------------------------

    def _contacts(self, since: Stamp | None) -> Iterator[Row]:
        """Those known, those told, and the primary one of each customer."""
        met: set[Key] = set()

        def fresh(keys: Iterable[Key]) -> Iterator[Key]:
            for key in keys:
                if key not in met:
                    met.add(key)
                    yield key

        def read(keys: Iterable[Key]) -> Iterator[Row]:
            return (row for _, row in self._read(CUSTOMER_CONTACT, keys) if row is not None)

        yield from (row for row in read(fresh(self._known_keys("contacts"))) if _is_changed(row, since))
        yield from read(fresh(chain(self._clues.keys("contacts"), self._primary_contacts())))

    def _primary_contacts(self) -> Iterator[Key]:
        if self._primary is None:
            # Customers were not read right before.
            deque(self._customers(None), maxlen=0)
        primary, self._primary = self._primary or {}, None
        return ((*key, code) for key, code in primary.items() if code)

    # -- orders -----------------------------------------------------------------------------------------------------

    def _orders(self, since: Stamp | None) -> Iterator[Row]:
        """The latest of those known, those told, and those whose numbers come next."""
        told = self._clues.keys("orders")
        numbers, known = self._known_orders(told)
        again = self._read(SALES_ORDER, known.latest)
        yield from (row for _, row in again if row is not None and _is_changed(row, since))
        yield from (row for _, row in self._read(SALES_ORDER, known.unknown) if row is not None)
        walks = numbers.walks(self._clues.gap, self._clues.first_number, whole=since is None)
        yield from self._walk(SALES_ORDER, (), walks, numbers)

    def _known_orders(self, told: Iterable[Key]) -> tuple[_Numbers, _KnownOrders]:
        numbers, latest, unknown = _Numbers(), deque[Key](maxlen=self._clues.recent_orders), dict.fromkeys(told)
        for key in self._known_keys("orders"):
            numbers.note(key[0])
            latest.append(key)
            unknown.pop(key, None)
        return numbers, _KnownOrders(latest=tuple(latest), unknown=tuple(unknown))

    # -- walking ----------------------------------------------------------------------------------------------------

    def _walk(self, table: Table, prefix: Key, walks: Iterable[_Walk], known: _Numbers | None = None) -> Iterator[Row]:
        """The rows with these numbers, each once, without those that are known, which are no gaps either."""
        gap, number = self._clues.gap, 1
        for walk in walks:
            number, end = max(number, walk.start), walk.reach + gap + 1
            while number < min(end, _HIGHEST + 1):
                begin, number = number, min(end, _HIGHEST + 1)
                tried = (one for one in range(begin, number) if known is None or not known.has(one))
                for key, row in self._read(table, ((*prefix, f"{one:0{_WIDTH}d}") for one in tried)):
                    if row is not None:
                        end = max(end, int(key[-1]) + gap + 1)
                        yield row
                if known is not None:
                    end = max(end, known.highest_below(number) + gap + 1)

    def _known_keys(self, stream: StreamName) -> Iterator[Key]:
        keys = map(TABLES[stream].parts_of, self._known(stream))
        return (key for key in keys if key is not None)


@attrs.frozen(kw_only=True)
class _KnownOrders:
    """The known orders to read again, and those told that are not known."""

    latest: tuple[Key, ...]
    unknown: tuple[Key, ...]


def _is_changed(row: Row, since: Stamp | None) -> bool:
    stamp = modified(row)
    return since is None or stamp is None or stamp >= since
