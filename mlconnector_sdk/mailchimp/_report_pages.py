"""Paging through a report whose rows may move while we read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from ._client import LARGEST_PAGE, MailchimpClient, json_object
from ._reports_wire import PageRead, Row

__all__ = ["ReportPages", "activity_params", "is_active", "just_before"]

# Rows slide over the border of two pages when others come or go; those of so many pages are known again.
_PAGES_REMEMBERED = 5


class ReportPages:
    """Walks collections by offset until their total is reached or a page is empty.

    A row that is pushed on to the next page comes once. When rows went away, those behind them slid back past the
    offset: then the walk steps back by as many.
    """

    def __init__(self, client: MailchimpClient) -> None:
        self._client = client

    def of(
        self,
        url: str,
        key: str,
        *,
        operation: str,
        params: Mapping[str, str] | None = None,
        hidden: str = "_links",
        keep: Callable[[Row], bool] = lambda row: True,
        size: int = LARGEST_PAGE,
        paged: bool = True,
    ) -> Iterator[list[Row]]:
        """Pages of rows, without empty ones.

        Args:
            url: below the API root, percent-encoded.
            key: what the collection is called in the answer.
            hidden: blank-separated names of what is not to come in a row.
            keep: whether a row matters; others never stand in memory.
            size: rows per page. Smaller pages are read whole, with exact money.
            paged: the contract knows a count and an offset; if not, they are sent only to get what is missing.
        """
        left_out = ",".join(["_links", *(f"{key}.{name}" for name in hidden.split())])
        offset, total = 0, 0
        # In the order they came, for the oldest to be forgotten.
        seen: dict[str, None] = {}
        while True:
            asked = {**(params or {}), "exclude_fields": left_out}
            if paged or offset:
                asked |= {"count": str(size), "offset": str(offset)}
            page = self._read(url, key, operation, asked, keep, exact=size < LARGEST_PAGE)
            slid = total - (page.total or 0)
            total = page.total or 0
            if offset and page.total is not None and slid > 0:
                offset = max(0, offset - slid)
                continue
            fresh = [(name, row) for name, row in page.kept if name not in seen]
            seen |= dict.fromkeys(name for name, _ in fresh)
            for name in list(seen)[: max(0, len(seen) - _PAGES_REMEMBERED * size)]:
                del seen[name]
            if fresh:
                yield [row for _, row in fresh]
            offset += page.count
            # A member's history knows no total.
            if not page.count or (not fresh if page.total is None else offset >= page.total):
                return

    def _read(
        self, url: str, key: str, operation: str, params: Mapping[str, str], keep: Callable[[Row], bool], *, exact: bool
    ) -> PageRead:
        if exact:
            reply = self._client.send("GET", url, operation=operation, params=params)
            return PageRead.of_document(json_object(reply, decimals=True), key, keep)

        def read(chunks: Iterator[bytes]) -> PageRead:
            return PageRead.of_chunks(chunks, key, keep)

        reply = self._client.send("GET", url, operation=operation, params=params, reader=read)
        return reply.parsed if isinstance(reply.parsed, PageRead) else read(iter([reply.body]))


def is_active(row: Row) -> bool:
    """Whether a recipient did anything at all."""
    return bool(row.get("activity"))


def just_before(since: datetime) -> str:
    """A bound for parameters that mean "after", on stamps of whole seconds."""
    return (since.astimezone(UTC).replace(microsecond=0) - timedelta(seconds=1)).isoformat()


def activity_params(since: datetime | None) -> dict[str, str]:
    """How reports are asked for what happened lately."""
    return {} if since is None else {"since": just_before(since)}
