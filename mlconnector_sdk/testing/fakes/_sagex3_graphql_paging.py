"""Pages of Xtrem: filtered and ordered rows, and cursors that hold the values of the order.

A cursor says after which values a page begins, and not after which row: without `_id` at the end of the order, rows
that tie with the last one of a page are passed over, and a row whose stamp moves meanwhile comes again at the end.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable
from typing import Any
from zlib import crc32

import attrs

from ._sagex3_graphql_filter import Limits, OrderKey, QueryError, read_filter, read_order, typed_cursor
from ._sagex3_graphql_rows import Folder, RowLike
from ._sagex3_schema import Node, Property

__all__ = ["Page", "PageRules", "Pages"]

_CURSOR = re.compile(r"(\[.*\])#(\d+)", re.DOTALL)


@attrs.define(kw_only=True)
class PageRules:
    """Sizes of pages.

    Attributes:
        default: rows of a page if the request does not say.
        cap: the most rows of a page; the vendor names no limit.
        refuses_more: whether more is refused rather than cut.
    """

    default: int = 20
    cap: int | None = None
    refuses_more: bool = False


@attrs.frozen
class _Backwards:
    """A value that sorts the other way round."""

    value: Any

    def __lt__(self, other: _Backwards) -> bool:
        return bool(other.value < self.value)


@attrs.frozen
class _Listing:
    """Rows in their order, with what they were ordered by."""

    rows: list[RowLike]
    keys: list[tuple[Any, ...]]


@attrs.frozen(kw_only=True)
class Page:
    """Rows of a page, and where it lies."""

    rows: list[RowLike]
    total: int
    before: bool
    after: bool
    cursor: Callable[[RowLike], str]


class Pages:
    """Answers `query` of nodes and of collections."""

    def __init__(self, folder: Folder, limits: Limits, rules: PageRules) -> None:
        self.folder = folder
        self.limits = limits
        self.rules = rules

    def of_node(self, node: Node, arguments: dict[str, Any]) -> Page:
        """A page of all rows of a node.

        Raises:
            QueryError: the filter, the order, the cursor or the size is not taken.
        """
        order = self._order(node, arguments.get("orderBy"), OrderKey(self.folder.identifier(node), "Id"))
        asked = (arguments.get("filter"), arguments.get("orderBy"))
        test = self._test(node, asked[0])
        place = ("graphql list", self.folder.release.name, node.name, *asked)
        listing = self.folder.site.cached(place, lambda: _listed(self.folder.rows(node), test, order))
        return self._page(listing, order, f"{node.name} {asked[1]}", arguments)

    def of_collection(self, node: Node, prop: Property, arguments: dict[str, Any]) -> Callable[[RowLike], Page]:
        """Reads a page of one row's collection, whose own order is that of the last part of the key.

        Raises:
            QueryError: as for nodes.
        """
        goal = self.folder.node(prop.type)
        read = self.folder.members(node, prop)
        last = goal.keys[-1]
        own = OrderKey(lambda row: row[last], "Int" if last in {"INDEX", "SOPLIN", "SIDLIN"} else "String")
        order = self._order(goal, arguments.get("orderBy"), own)
        test = self._test(goal, arguments.get("filter"))
        signature = f"{goal.name} {arguments.get('orderBy')}"
        if order == [own] and test is None and arguments.get("after") is None:
            return lambda row: self._page(_Listing(read(row), []), order, signature, arguments)
        return lambda row: self._page(_listed(read(row), test, order), order, signature, arguments)

    def _order(self, node: Node, text: str | None, own: OrderKey) -> list[OrderKey]:
        given = read_order(self.folder, self.limits, node, text) if text is not None else []
        return given or [own]

    def _test(self, node: Node, text: str | None) -> Callable[[RowLike], bool] | None:
        return None if text is None else read_filter(self.folder, self.limits, node, text)

    def _page(self, listing: _Listing, order: list[OrderKey], signature: str, arguments: dict[str, Any]) -> Page:
        start = self._start(listing, order, signature, arguments.get("after"))
        end = start + self._size(arguments.get("first"))
        written = self.folder.forms.written

        def cursor(row: RowLike) -> str:
            values = [written(key.read(row)) for key in order]
            text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
            return f"{text}#{_check(text, signature)}"

        rows = listing.rows[start:end]
        return Page(rows=rows, total=len(listing.rows), before=start > 0, after=end < len(listing.rows), cursor=cursor)

    def _size(self, first: int | None) -> int:
        rules = self.rules
        size = rules.default if first is None else first
        if size < 0:
            raise QueryError("first must not be negative")
        if rules.cap is not None and size > rules.cap:
            if rules.refuses_more:
                raise QueryError(f"first must not exceed {rules.cap}")
            return rules.cap
        return size

    def _start(self, listing: _Listing, order: list[OrderKey], signature: str, after: str | None) -> int:
        if after is None:
            return 0
        match = _CURSOR.fullmatch(after)
        if match is None or int(match[2]) != _check(match[1], signature):
            raise QueryError(f"Invalid cursor: {after}")
        try:
            values = json.loads(match[1])
        except ValueError:
            raise QueryError(f"Invalid cursor: {after}") from None
        if len(values) != len(order):
            raise QueryError(f"Invalid cursor: {after}")
        typed = [typed_cursor(key.type, value) for key, value in zip(order, values, strict=True)]
        return bisect_right(listing.keys, _sorting(typed, order))


def _listed(rows: list[RowLike], test: Callable[[RowLike], bool] | None, order: list[OrderKey]) -> _Listing:
    kept = rows if test is None else [row for row in rows if test(row)]
    reads = [key.read for key in order]
    keyed = [(_sorting([read(row) for read in reads], order), row) for row in kept]
    keyed.sort(key=lambda pair: pair[0])
    return _Listing([row for _, row in keyed], [key for key, _ in keyed])


def _sorting(values: list[Any], order: list[OrderKey]) -> tuple[Any, ...]:
    """Comparable keys: what is empty comes first, or last in a descending order."""
    return tuple(
        [
            _Backwards((value is not None, value)) if key.descending else (value is not None, value)
            for value, key in zip(values, order, strict=True)
        ]
    )


def _check(values: str, signature: str) -> int:
    """The number behind a cursor, which ties it to its order."""
    return crc32(f"{signature} {values}".encode()) % 97
