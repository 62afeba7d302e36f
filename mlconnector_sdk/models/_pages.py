"""How records travel: streams, pages, and rows that could not be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from html import escape
from typing import Any

import attrs

from ..cursors import CursorValue, Overlap
from ._records import Record, StreamName

__all__ = ["CheckResult", "Page", "StreamSpec", "UnreadableRow", "html_table"]


def html_table(headings: tuple[str, ...], rows: Sequence[tuple[object, ...]], caption: str = "") -> str:
    """A small HTML table for notebooks; every cell is escaped."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


@attrs.frozen(kw_only=True)
class StreamSpec:
    """What a source promises about one stream.

    Attributes:
        name: `customers`, `contacts`, `suppliers` or `orders`.
        entity: the vendor's word for what is read, for people and messages.
        cursor_field: the vendor's field (or fields) by which changes are found; `None` means every read is a full scan.
        overlap: how far a window's lower bound steps back behind the mark; a `timedelta` for stamps and dates,
            a whole number for counters; a tuple where the cursor is one.
        ordered: rows come in ascending cursor order, so the mark may move after each page.
        full_scan_every: a full scan is due when the last one is older than this, because changes exist that do not
            move the cursor; `None` for never.
    """

    name: StreamName
    entity: str
    cursor_field: str | None = None
    overlap: Overlap = timedelta(0)
    ordered: bool = False
    full_scan_every: timedelta | None = None


@attrs.frozen(kw_only=True)
class UnreadableRow:
    """A row that could not be turned into a record: it becomes a dead letter, never a gap."""

    key: str
    reason: str
    message: str
    raw: Mapping[str, Any] = attrs.field(repr=False)
    modified_at: CursorValue | None = None


@attrs.frozen(kw_only=True)
class Page:
    """A few hundred records of one stream, as they came."""

    stream: StreamName
    records: tuple[Record, ...] = ()
    unreadable: tuple[UnreadableRow, ...] = ()

    def __len__(self) -> int:
        return len(self.records) + len(self.unreadable)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __repr__(self) -> str:
        return f"<Page {self.stream}: {len(self.records)} records, {len(self.unreadable)} unreadable>"

    def to_rows(self) -> list[dict[str, Any]]:
        """One flat dict per record, without `raw`, for a data frame."""
        return [
            {f.name: getattr(record, f.name) for f in attrs.fields(type(record)) if f.name != "raw"}
            for record in self.records
        ]

    def _repr_html_(self) -> str:
        shown = [(r.key, r.name, r.email, r.modified_at or "") for r in self.records[:20]]
        return html_table(("key", "name", "email", "modified"), shown, caption=repr(self)[1:-1])


@attrs.frozen(kw_only=True)
class CheckResult:
    """One line of `engine.check()`: what was tried, whether it works, and the cure when it does not."""

    system: str
    what: str
    ok: bool
    detail: str = ""
    cure: str = ""

    def __str__(self) -> str:
        mark = "ok " if self.ok else "NOT OK"
        cure = f" -> {self.cure}" if self.cure and not self.ok else ""
        return f"{mark} {self.system}: {self.what}{': ' if self.detail else ''}{self.detail}{cure}"
