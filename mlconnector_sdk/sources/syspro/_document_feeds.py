"""Invoices and sales orders as streams: documents with their lines, and what lies beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from ...errors import MappingError
from ...models import Record
from ...retry import RetryPolicy
from .._values import Row, text_in
from ._documents import DocumentReader, invoice_key, invoices_in, whole_groups
from ._feeds import Beside, codes_of, flat
from ._reading import TableReader, key_of
from ._tables import INV_MASTER, Condition, Table

__all__ = ["InvoiceFeed", "SalesOrderFeed"]


@attrs.define(kw_only=True)
class InvoiceFeed:
    """Posted documents, put together of the lines of the transaction detail.

    The register keeps every document, while the ledger forgets what was paid long ago: so the lines say what documents
    there are, and the ledger only whether they are paid.

    Attributes:
        ledger: the table that knows what is paid.
        orders: the table that knows the e-mail address an order was placed with, `None` to leave it alone.
        always: conditions of every scan, such as how far back it goes.
        by_line: the delta column may differ from line to line, so that a document is read again whole.
    """

    table: Table
    ledger: Table
    orders: Table | None
    reader: TableReader
    documents: DocumentReader
    always: tuple[Condition, ...] = ()
    by_line: bool = False
    _beside: Beside = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._beside = Beside(self.reader)

    @property
    def entity(self) -> str:
        return self.table.name

    def pages(self, conditions: Sequence[Condition]) -> Iterator[list[Row]]:
        """Every document that has a line which meets the conditions."""
        wanted = (*self.always, *conditions)
        titles: dict[str, Any] = {}
        for groups in whole_groups(self.reader.pages(self.table, wanted), self.table.key[0]):
            whole = (
                list(self.reader.of(self.table, _numbers(groups)).values()) if conditions and self.by_line else groups
            )
            yield self._completed(whole, titles, gapless=not wanted)

    def of(self, keys: Sequence[str]) -> Iterator[list[Row]]:
        """The documents with these numbers, of whatever type."""
        groups = self.reader.of(self.table, codes_of(key.rpartition("/")[2] for key in keys))
        if groups:
            yield self._completed(list(groups.values()), {}, gapless=False)

    def key_of(self, row: Row) -> str:
        """Type and number."""
        try:
            return invoice_key(row)
        except MappingError:
            return "unknown"

    def record(self, row: Row) -> Record:
        """What the document means."""
        return self.documents.invoice(row)

    def first(self, retry: RetryPolicy) -> str:
        """Read a row of the register, and of the ledger where a site names its columns."""
        return self.reader.try_out((self.table, *([self.ledger] if self.ledger.needed else [])), retry)

    def _completed(self, groups: Sequence[Sequence[Row]], titles: dict[str, Any], *, gapless: bool) -> list[Row]:
        lines = [line for group in groups for line in group]
        self._name(lines, titles)
        documents = invoices_in(lines)
        # A site that names columns of the ledger must have it; otherwise it is done without.
        groups_of = self.reader.groups if self.ledger.needed else self._beside.groups
        ledger = groups_of(self.ledger, _numbers(groups), gapless=gapless)
        if ledger is not None:
            known = {_place(row): row for rows in ledger.values() for row in rows}
            for document in documents:
                document.update(flat(self.ledger, known.get(_place(document), {})))
        if self.orders is not None:
            self._add_orders(documents, self.orders)
        return documents

    def _add_orders(self, documents: Sequence[Row], orders: Table) -> None:
        numbers = [str(document.get("SalesOrder") or "").rstrip(" ") for document in documents]
        found = self._beside.groups(orders, [number for number in numbers if number])
        if found is None:
            return
        for number, document in zip(numbers, documents, strict=True):
            document.update(flat(orders, next(iter(found.get(number, ())), {})))

    def _name(self, lines: Sequence[Row], titles: dict[str, Any]) -> None:
        """Give lines the descriptions of their stock codes, which the register does not keep."""
        codes = {text_in(line, "StockCode") for line in lines} - {"", *titles}
        found = self._beside.groups(INV_MASTER, sorted(codes))
        if found is None:
            return
        titles.update({code: found[code][0].get("Description") if code in found else None for code in codes})
        for line in lines:
            line["InvMaster.Description"] = titles.get(text_in(line, "StockCode"))


def _numbers(groups: Sequence[Sequence[Row]]) -> list[Any]:
    return [str(group[0]["Invoice"]).rstrip(" ") for group in groups]


def _place(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row.get("Invoice") or "").strip(), str(row.get("DocumentType") or "").strip()


@attrs.define(kw_only=True)
class SalesOrderFeed:
    """Sales orders with their lines.

    Attributes:
        forms: tables of custom forms that the site named; the form of the order itself bears no invoice's number.
        always: conditions of every scan, such as how far back it goes.
    """

    table: Table
    lines: Table
    reader: TableReader
    documents: DocumentReader
    forms: tuple[Table, ...] = ()
    always: tuple[Condition, ...] = ()

    @property
    def entity(self) -> str:
        return self.table.name

    def pages(self, conditions: Sequence[Condition]) -> Iterator[list[Row]]:
        """Every order that meets the conditions."""
        wanted = (*self.always, *conditions)
        for rows in self.reader.pages(self.table, wanted):
            yield self._completed(rows, gapless=not wanted)

    def of(self, keys: Sequence[str]) -> Iterator[list[Row]]:
        """The orders with these numbers."""
        found = self.reader.of(self.table, codes_of(keys))
        if found:
            yield self._completed([row for rows in found.values() for row in rows], gapless=False)

    def key_of(self, row: Row) -> str:
        """The number."""
        return str(row.get("SalesOrder") or "unknown").strip()

    def record(self, row: Row) -> Record:
        """What the order means."""
        return self.documents.sales_order(row)

    def first(self, retry: RetryPolicy) -> str:
        """Read a row of each table."""
        return self.reader.try_out((self.table, self.lines, *self.forms), retry)

    def _completed(self, rows: list[Row], *, gapless: bool) -> list[Row]:
        numbers = [key_of(self.table, row)[0] for row in rows]
        lines = self.reader.groups(self.lines, numbers, gapless=gapless)
        for number, row in zip(numbers, rows, strict=True):
            row["Lines"] = lines.get(number, [])
        for form in self.forms:
            found = self.reader.groups(form, numbers, gapless=gapless)
            for number, row in zip(numbers, rows, strict=True):
                live = (one for one in found.get(number, ()) if not text_in(one, "InvoiceNumber"))
                row.update(flat(form, next(live, {})))
        return rows
