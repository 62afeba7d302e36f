"""Reading ahead: pages are fetched in a thread of their own while earlier ones are mapped and loaded."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextvars import copy_context

from .._stopping import stoppable
from ..models import Page, Record, UnreadableRow

__all__ = ["in_batches", "read_ahead"]

_END = object()


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
        batch.extend(page.records)
        batch.extend(page.unreadable)
        while len(batch) >= size:
            yield batch[:size]
            batch = batch[size:]
    if batch:
        yield batch
