"""Reads the rows of one resource, in pages of a size that the server can bear."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

import attrs

from ...errors import ContractError, MappingError, TimeoutExceededError
from ...retry import RetryPolicy
from .._odata import number_literal, text_literal
from .._paging import keyset_pages, offset_pages
from .._values import Row, key_in
from ._api import SYSTEM, list_path, with_keys
from ._fields import SHIP_TO, Shape
from ._session import Session

__all__ = ["Listing", "PageSize", "Paging", "is_ship_to", "ship_to_key"]

log = logging.getLogger("mlconnector_sdk.sources.sage300")

Paging: TypeAlias = Literal["skip", "key"]

_SMALLEST_PAGE = 10
_SEPARATOR = "::"
"""Between the two keys of a ship-to location; customer numbers may hold any single sign."""


@attrs.define
class PageSize:
    """Rows to ask for, shared by all lists of a site: its administrator sets the most it gives."""

    rows: int

    def learn(self, got: int) -> None:
        """The server gave so few rows, and said that there are more."""
        if got < 2:
            raise ContractError(
                "the server gives one row in an answer: raise PageSize in Online\\WebApi\\Web.config", system=SYSTEM
            )
        self.rows = got

    def halve(self) -> bool:
        """Ask for less after a hang; false when it cannot get much less."""
        if self.rows // 2 < _SMALLEST_PAGE:
            return False
        self.rows //= 2
        log.warning("sage300 gives no answer in time; asking for %d rows", self.rows, extra={"mlc_system": SYSTEM})
        return True


class _AnotherSizeError(Exception):
    """The page size has changed, and what was asked for with the old one is no page."""


@attrs.frozen(kw_only=True)
class Listing:
    """One resource as one stream reads it. Links to a next page are never followed.

    Attributes:
        paging: by `$skip`, or by asking for what is behind the last key.
    """

    session: Session
    shape: Shape
    page_size: PageSize
    paging: Paging = "skip"

    def pages(self, condition: str = "") -> Iterator[list[Row]]:
        """Every row that matches, each at least once; rows that appear or vanish meanwhile hide no others."""
        if self.paging == "key" and len(self.shape.resource.keys) == 1:
            yield from keyset_pages(lambda after: self._behind(condition, after), key=self._last_key)
            return
        while True:
            try:
                yield from offset_pages(
                    lambda skip, top: self._whole_page(condition, skip, top),
                    page_size=self.page_size.rows,
                    key=self._identity,
                    stamp=self._stamp,
                )
            except _AnotherSizeError:
                continue
            return

    def with_keys(self, keys: Sequence[str]) -> Iterator[list[Row]]:
        """The rows with these keys; keys that are gone are absent."""
        term = self._pair_term if self.shape.resource.name == SHIP_TO.name else None
        for condition in with_keys(self.shape, keys, term):
            yield from self.pages(condition)

    def of_customers(self, customers: Iterable[str]) -> Iterator[list[Row]]:
        """The rows that belong to these customers."""
        name = self.shape.spelled.get("CustomerNumber", "CustomerNumber")
        for condition in with_keys(self.shape, customers, lambda one: f"{name} eq {text_literal(one)}"):
            yield from self.pages(condition)

    def first(self, retry: RetryPolicy) -> None:
        """Ask for one row, to see whether the resource can be read."""
        self.session.rows(self.shape.resource, list_path(self.shape, top=1), retry=retry)

    def key_of(self, row: Row) -> str:
        """The record's key as the rest of the library knows it."""
        if self.shape.resource.name == SHIP_TO.name:
            return ship_to_key(row)
        try:
            return key_in(row, self.shape.resource.keys[0])
        except MappingError:
            return "unknown"

    def _whole_page(self, condition: str, skip: int, top: int) -> list[Row]:
        """Exactly the asked-for piece of the list."""
        try:
            rows, has_more = self._ask(condition, top=top, skip=skip)
        except TimeoutExceededError:
            if self.page_size.halve():
                raise _AnotherSizeError from None
            raise
        if has_more and 0 < len(rows) < top:
            self.page_size.learn(len(rows))
            raise _AnotherSizeError
        return rows

    def _behind(self, condition: str, after: Any) -> list[Row]:
        if after is not None:
            key = self.shape.resource.keys[0]
            literal = text_literal(after) if isinstance(after, str) else number_literal(after)
            behind = f"{self.shape.spelled.get(key, key)} gt {literal}"
            condition = f"({condition}) and {behind}" if condition else behind
        while True:
            try:
                return self._ask(condition, top=self.page_size.rows)[0]
            except TimeoutExceededError:
                if not self.page_size.halve():
                    raise

    def _ask(self, condition: str, *, top: int, skip: int = 0) -> tuple[list[Row], bool]:
        path = list_path(self.shape, condition=condition, top=top, skip=skip)
        answer = self.session.rows(self.shape.resource, path)
        rows = answer.rows if not self.shape.spelled else [self.shape.renamed(row) for row in answer.rows]
        return rows, answer.has_more

    def _identity(self, row: Row) -> tuple[Any, ...]:
        return tuple(row.get(name) for name in self.shape.resource.keys)

    def _last_key(self, row: Row) -> Any:
        return row.get(self.shape.resource.keys[0])

    def _stamp(self, row: Row) -> tuple[Any, ...]:
        return tuple(row.get(name) for name in self.shape.resource.cursors)

    def _pair_term(self, key: str) -> str:
        names = [self.shape.spelled.get(name, name) for name in self.shape.resource.keys]
        values = key.rpartition(_SEPARATOR)[::2]
        return "(" + " and ".join(f"{n} eq {text_literal(v)}" for n, v in zip(names, values, strict=True)) + ")"


def ship_to_key(row: Row) -> str:
    """The key of a ship-to location: the customer's, and its own."""
    return _SEPARATOR.join(str(row.get(name) or "").strip() for name in SHIP_TO.keys)


def is_ship_to(key: str) -> bool:
    """Whether a key is that of a ship-to location."""
    return _SEPARATOR in key
