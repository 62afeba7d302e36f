"""Paging, by offset, by key and by cursor, over lists that change while they are read."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, TypeVar

import attrs

from ..errors import ContractError

__all__ = ["cursor_pages", "keyset_pages", "offset_pages"]

Row = TypeVar("Row")
Key = TypeVar("Key", bound=Hashable)

_MEMORY_PAGES = 8
_PATIENCE = 25


def offset_pages(
    fetch: Callable[[int, int], Sequence[Row]],
    *,
    page_size: int,
    key: Callable[[Row], Hashable],
    stamp: Callable[[Row], object] | None = None,
) -> Iterator[list[Row]]:
    """Every row that is in the list throughout the reading, at least once, in pages of at most `page_size`.

    Rows may appear, change and vanish between two pages. The one assumption is that rows which stay keep their order
    among themselves, as they do in a list sorted by key.

    How it works: each page after the first is asked for a few rows early, so that its first row should be one that was
    seen already. If it is not, rows before it have vanished and others may have slipped past; then the offset steps
    back by 1, 2, 4, … pages until the first row of the page is a seen one, or the offset is 0.

    Why nothing is lost: call the reading *tight* when every lasting row that comes before some seen row has been seen
    too. After the first page, which starts at offset 0, the reading is tight. A page that starts with a seen row keeps
    it so: a lasting row before that first row has been seen, because the reading was tight; a lasting row between the
    first row and any other row of the page is in the page, because a page is a gapless piece of the list. A page at
    offset 0 has nothing before it. The reading ends with such a page that is shorter than asked for, so that no row
    comes after it: then every lasting row has been seen.

    What it costs: the keys of the last eight pages are remembered. Should so many rows vanish at once that none of
    these is met again, the reading starts over, and rows may come twice.

    Args:
        fetch: given offset and row count, the rows.
        page_size: rows to ask for, 2 at least.
        key: what identifies a row and its place in the order.
        stamp: a row that comes again with another stamp is yielded again; without it, a row comes once.

    Raises:
        ContractError: the server turns round in circles: it ignores the offset, or has no lasting order.
    """
    if page_size < 2:
        raise ValueError("page_size must be 2 at least")
    overlap = max(1, min(8, page_size // 10))
    memory = _Memory(page_size * _MEMORY_PAGES)
    offset, step, idle = 0, 0, 0
    while True:
        page = fetch(offset, page_size)
        met = bool(page) and memory.knows(key(page[0]))
        if offset and not met:
            step = step * 2 or 1
            offset = max(0, offset - step * page_size)
            continue
        fresh, new_keys = memory.sift(page, key, stamp)
        idle = 0 if new_keys and met else idle + 1
        if idle > _PATIENCE:
            raise ContractError("the list goes round in circles: the server ignores $skip or changes the order of rows")
        if fresh:
            yield fresh
        if len(page) < page_size:
            return
        offset, step = offset + len(page) - overlap, 0


def keyset_pages(fetch: Callable[[Key | None], Sequence[Row]], *, key: Callable[[Row], Key]) -> Iterator[list[Row]]:
    """Every row that is in the table throughout the reading, exactly once, in pages as long as the server makes them.

    Rows may appear, change and vanish between two pages, the last row of a page included. The assumptions are that a
    key belongs to one row and does not change, and that `fetch` gives the first rows *behind* a key in the server's own
    order: as many as it likes, yet at least one if there is any.

    How it works: ask for the rows behind the last key received, until none come. A short page ends nothing, because a
    server may cut pages at a limit it does not tell.

    Why nothing is lost: call a key *passed* when it is not behind the last key received. At any time each lasting row
    with a passed key has been yielded: at first no key is passed; a page is a gapless piece of the order right behind
    the last key, so every lasting row between that key and the page's last row is in the page. The reading ends with
    an empty page: no row is behind the last key then, so every lasting row is passed. Nothing comes twice, since each
    page lies wholly behind the one before. And it ends: keys only ever move on.

    Keys are never compared in size here: which of two texts comes first is the database's collation to say.

    Args:
        fetch: given the last key received, or `None` at the start, the rows behind it in key order.
        key: a row's key.

    Raises:
        ContractError: a key came twice, so the key does not grow: the server ignores the condition or the order, or
            the column is no key.
    """
    after: Key | None = None
    met: set[Key] = set()
    milestone: Key | None = None
    count = 0
    while page := list(fetch(after)):
        keys = [key(row) for row in page]
        found = set(keys)
        if len(found) < len(keys) or milestone in found or not met.isdisjoint(found):
            raise ContractError(
                "the list goes round in circles: the server ignores the condition or the order, or the key is not one",
                reason="key_does_not_grow",
            )
        yield page
        after, met, count = keys[-1], found, count + 1
        if count.bit_count() == 1:
            # Remembered ever longer, so that a circle of any length meets it (R. P. Brent, 1980).
            milestone = after


def cursor_pages(fetch: Callable[[str | None], tuple[Sequence[Row], str | None]]) -> Iterator[list[Row]]:
    """Every row of a list that the server settled with its first page, as it hands it out: by a cursor for the next.

    A page may be empty and still name a next one. What changes, appears or vanishes meanwhile is the server's to say.

    Args:
        fetch: given the cursor of a page, `None` for the first, its rows and the next page's cursor, `None` at the end.

    Raises:
        ContractError: a cursor came again, so the list would never end.
    """
    met: set[str] = set()
    cursor: str | None = None
    while True:
        page, cursor = fetch(cursor)
        if page:
            yield list(page)
        if cursor is None:
            return
        if cursor in met:
            raise ContractError("the list goes round in circles: the server gave a cursor a second time")
        met.add(cursor)


@attrs.define
class _Memory:
    """The keys met last, with their stamps."""

    size: int
    _stamps: dict[Hashable, object] = attrs.field(factory=dict, init=False)

    def knows(self, key: Hashable) -> bool:
        return key in self._stamps

    def sift(
        self, page: Sequence[Any], key: Callable[[Any], Hashable], stamp: Callable[[Any], object] | None
    ) -> tuple[list[Any], int]:
        """The rows of a page not yet met with this stamp, and how many keys are new."""
        known, fresh, new_keys = self._stamps, [], 0
        for row in page:
            name, mark = key(row), stamp(row) if stamp else None
            if name not in known:
                new_keys += 1
                fresh.append(row)
            elif known.pop(name) != mark:
                fresh.append(row)
            known[name] = mark
        while len(known) > self.size:
            del known[next(iter(known))]
        return fresh, new_keys
