"""Reading ahead: pages are fetched in a thread of their own while earlier ones are mapped and loaded."""

from __future__ import annotations

import hashlib
import queue
import re
import threading
from collections.abc import Generator, Iterator
from contextvars import copy_context

import attrs

from .._stopping import stoppable
from ..models import Page, Record, UnreadableRow

__all__ = ["in_batches", "keepable", "read_ahead", "rows_of"]

_END = object()

_LONGEST_KEY = 255
_NO_KEY = re.compile("[\0\ud800-\udfff]")


def read_ahead(pages: Iterator[Page], *, depth: int = 2) -> Generator[Page]:
    """The same pages in the same order, fetched up to `depth` ahead; an error surfaces in its page's place."""
    waiting: queue.Queue[object] = queue.Queue(maxsize=depth)
    abandoned = threading.Event()

    def put(item: object) -> bool:
        while not abandoned.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def fetch() -> None:
        try:
            # A reader whose pages nobody takes any more must not wait out a pause.
            with stoppable(abandoned.is_set):
                for page in pages:
                    if not put(page):
                        return
            put(_END)
        except BaseException as error:  # handed to the consumer, whatever it is
            put(error)

    reader = threading.Thread(target=copy_context().run, args=(fetch,), name="read ahead", daemon=True)
    reader.start()
    try:
        while (item := waiting.get()) is not _END:
            if isinstance(item, BaseException):
                raise item
            assert isinstance(item, Page)
            yield item
    finally:
        abandoned.set()
        reader.join()


def in_batches(pages: Iterator[Page], size: int) -> Iterator[list[Record | UnreadableRow]]:
    """Pages of any length regrouped, because a batch is one bulk call and one transaction."""
    batch: list[Record | UnreadableRow] = []
    for page in pages:
        batch.extend(rows_of(page))
        while len(batch) >= size:
            yield batch[:size]
            batch = batch[size:]
    if batch:
        yield batch


def rows_of(page: Page) -> Iterator[Record | UnreadableRow]:
    """What a page holds, each row under a key that every state can keep."""
    yield from map(keepable, page.records)
    yield from map(keepable, page.unreadable)


def keepable(row: Record | UnreadableRow) -> Record | UnreadableRow:
    """The row, or in place of one whose own key or whose customer's no state can keep, one to be set aside."""
    of_customer = "" if isinstance(row, UnreadableRow) else getattr(row, "customer_key", "")
    if _can_be_kept(row.key) and _can_be_kept(of_customer):
        return row
    stand_in = _stand_in(row.key)
    if isinstance(row, UnreadableRow):
        return attrs.evolve(row, key=stand_in)
    return UnreadableRow(
        key=stand_in,
        reason="bad_key",
        message="the record's key, or its customer's, is too long or holds what no key can: correct it in the ERP",
        raw=row.raw,
        modified_at=row.modified_at,
    )


def _can_be_kept(key: str) -> bool:
    # What can be printed has no characters to look for.
    return len(key) <= _LONGEST_KEY and (key.isprintable() or not _NO_KEY.search(key))


def _stand_in(key: str) -> str:
    """The key, or one that resembles it, can be kept, and is told from others."""
    if _can_be_kept(key):
        return key
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    plain = _NO_KEY.sub("\N{REPLACEMENT CHARACTER}", key)
    return f"{plain[: _LONGEST_KEY - len(digest) - 1]}~{digest}"
