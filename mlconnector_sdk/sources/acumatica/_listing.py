"""Reads the rows of one entity, and gives up what a server turns out not to be able to do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import attrs

from ..._http import HttpReply
from ..._json import json_rows
from ...errors import ContractError, RecordNotFoundError
from ...retry import RetryPolicy
from .._paging import offset_pages
from .._values import Row, value_at
from ._api import CannotOptimizeError, key_batches, key_path, list_path
from ._fields import Shape
from ._records import unwrapped
from ._session import SYSTEM, Session

__all__ = ["Listing"]

log = logging.getLogger("mlconnector_sdk.sources.acumatica")

T = TypeVar("T")


@attrs.define(kw_only=True)
class Listing:
    """One entity as one stream reads it.

    A list is run as one optimised query, and a customised site may have fields that cannot be part of one. Then fields
    we can do without are left out; where one of the others is concerned, only keys are listed and each record is read
    by its key, which does without the optimiser. What was learned is kept, so the same request never fails twice.

    Attributes:
        own_fields: names the caller asked for, to be named when the server does not know one.
    """

    session: Session
    shape: Shape
    page_size: int
    own_fields: tuple[str, ...] = ()
    by_key: bool = attrs.field(default=False, init=False)
    given_up: list[str] = attrs.field(factory=list, init=False)

    def pages(self, filter_text: str = "") -> Iterator[list[Row]]:
        """Every row that matches, unwrapped, in pages; rows that change meanwhile are not lost."""
        found = offset_pages(
            lambda skip, top: self._rows(filter_text, top=top, skip=skip),
            page_size=self.page_size,
            key=self._identity,
            stamp=lambda row: value_at(row, self.shape.stamp),
        )
        for page in found:
            yield self._completed(page)

    def with_keys(self, keys: Sequence[str]) -> Iterator[list[Row]]:
        """The rows with these keys; keys that are gone are absent."""
        wanted = dict.fromkeys(key for key in keys if self._may_exist(key))
        for batch, filter_text in key_batches(self.shape, wanted):
            rows = self._completed(self._rows(filter_text))
            if len(self.shape.entity.keys) > 1:
                # Documents were asked for by number; another type may have the same one.
                rows = [row for row in rows if self.key_of(row) in batch]
            if rows:
                yield rows

    def first(self, retry: RetryPolicy) -> list[Row]:
        """One row at most, to see whether the entity can be read."""
        return self._completed(self._rows("", top=1, retry=retry), retry=retry)

    def key_of(self, row: Row) -> str:
        """The record's key as the rest of the library knows it."""
        parts = [str(row.get(name, "")).strip() for name in self.shape.entity.keys]
        return "/".join(parts) if all(parts) else str(row.get("id", "unknown"))

    def _identity(self, row: Row) -> tuple[Any, ...]:
        return tuple(map(row.get, self.shape.entity.keys))

    def _may_exist(self, key: str) -> bool:
        entity = self.shape.entity
        if entity.name == "Contact":
            return key.isascii() and key.isdigit()
        return bool(key) and (len(entity.keys) == 1 or "/" in key)

    def _rows(
        self, filter_text: str, *, top: int | None = None, skip: int = 0, retry: RetryPolicy | None = None
    ) -> list[Row]:
        def ask() -> list[Row]:
            shape = self.shape.keys_only() if self.by_key else self.shape
            path = list_path(shape, filter_text=filter_text, top=top, skip=skip)
            return self._rows_in(self.session.get(path, self._operation, retry=retry))

        return self._giving_up(ask)

    def _completed(self, rows: Sequence[Row], *, retry: RetryPolicy | None = None) -> list[Row]:
        if not self.by_key:
            return list(rows)
        whole = (self._giving_up(lambda row=row: self._whole(row, retry)) for row in rows)  # type: ignore[misc]
        return [row for row in whole if row is not None]

    def _whole(self, row: Row, retry: RetryPolicy | None) -> Row | None:
        parts = [str(row.get(name, "")).strip() for name in self.shape.entity.keys]
        # A slash separates keys, even an encoded one, and dots lead elsewhere; such a record is asked for by its id.
        strange = any("/" in part or part in {"", ".", ".."} for part in parts)
        path = key_path([str(row.get("id", ""))] if strange else parts)
        try:
            reply = self.session.get(list_path(self.shape, by_key=path), self._operation, retry=retry)
        except RecordNotFoundError:
            return None
        return self._row_of(self._json_in(reply), "expected one record")

    def _rows_in(self, reply: HttpReply) -> list[Row]:
        try:
            # Each value is wrapped in an object of its own, so a page is tens of thousands of them.
            return json_rows(reply.body, self._row_of, decimals=True)
        except ValueError:
            self._json_in(reply)
        raise self._unexpected("expected a list of records")

    def _row_of(self, body: Any, expected: str = "expected a list of records") -> Row:
        if not isinstance(body, dict):
            raise self._unexpected(expected)
        return unwrapped(body)

    def _json_in(self, reply: HttpReply) -> Any:
        try:
            return reply.json(decimals=True)
        except ValueError:
            raise self._unexpected("the answer is no JSON") from None

    def _unexpected(self, message: str) -> ContractError:
        return ContractError(message, system=SYSTEM, operation=self._operation)

    @property
    def _operation(self) -> str:
        return f"GET {self.shape.entity.name}"

    def _giving_up(self, ask: Callable[[], T]) -> T:
        """Repeat `ask` with less each time the server says that it cannot have so much."""
        while True:
            try:
                return ask()
            except CannotOptimizeError as error:
                if not self._make_listable(error.fields):
                    raise
            except ContractError as error:
                if error.reason != "unknown_field" or not self._drop_unknown(error):
                    raise

    def _make_listable(self, blamed: Sequence[str]) -> bool:
        if self.by_key:
            return False
        named = frozenset(path for name in blamed for path in self._paths_of(name))
        if named and named <= self.shape.optional:
            self._drop(named, "the list cannot be optimised with them")
        else:
            self.by_key = True
            self._note("reads each record by its key, because the list cannot be optimised")
        return True

    def _paths_of(self, name: str) -> list[str]:
        """The paths a name in the server's message means: a whole one, all below it, or those that end so."""
        paths = (*self.shape.paths, *self.shape.custom)
        exact = [path for path in paths if path == name or path.startswith(f"{name}/")]
        return exact or [path for path in paths if path.endswith(f"/{name}")]

    def _drop_unknown(self, error: ContractError) -> bool:
        """Screen fields are taken from what other sites have; this one may lack them."""
        unsure = frozenset(self.shape.custom) & self.shape.optional
        if unsure:
            self._drop(unsure, "the instance does not know them")
            return True
        if self.own_fields:
            error.message = (
                f"{self.shape.entity.name} has no such field in this version: check {', '.join(self.own_fields)} "
                "(optout_field, custom_fields)"
            )
        elif self.shape.cursor.startswith("cf."):
            error.message = "SalesInvoice does not say when it was changed: use orders='Invoice'"
        return False

    def _drop(self, paths: frozenset[str], why: str) -> None:
        self.shape = self.shape.without(paths)
        self.given_up += sorted(paths)
        self._note(f"is read without {', '.join(sorted(paths))}: {why}")

    def _note(self, what: str) -> None:
        log.warning(
            "acumatica %s %s",
            self.shape.entity.name,
            what,
            extra={"mlc_system": SYSTEM, "mlc_entity": self.shape.entity.name},
        )
