"""Rows of the transaction detail as invoices, and of the sales order tables as orders. Pure.

Neither holds totals: they are worked out from the lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import Any, Literal

import attrs

from ...errors import MappingError
from ...models import Order, OrderLine
from .._values import ZERO, Row, amount_in, day_in, flag_in, key_in, number_in, parts_in, text_in
from ._records import Reader, shown_number

__all__ = ["DocumentReader", "invoice_key", "invoices_in", "whole_groups"]

_CENT = Decimal("0.01")
_PRICE = Decimal("0.00001")
_FREIGHT, _CHARGE, _COMMENT = "4", "5", "6"
_FREIGHT_CLASS = "_FRT"
_CONFIRMED = frozenset({"1", "2", "3", "4", "8", "9"})
_CANCELLED = "\\"
_HEAD = ("Invoice", "DocumentType", "Customer", "InvoiceDate", "SalesOrder", "CustomerPoNumber", "PostCurrency")


def whole_groups(pages: Iterable[list[Row]], column: str) -> Iterator[list[list[Row]]]:
    """Rows in the order of a column as groups of its value; a group that goes on in the next page waits for it."""
    waiting: list[Row] = []
    for page in pages:
        groups = [list(rows) for _, rows in groupby([*waiting, *page], key=lambda row: row.get(column))]
        waiting = groups.pop()
        if groups:
            yield groups
    if waiting:
        yield [waiting]


def invoice_key(row: Mapping[str, Any]) -> str:
    """Type and number: a credit note may have an invoice's number. A blank type is an invoice."""
    return f"{text_in(row, 'DocumentType') or 'I'}/{key_in(row, 'Invoice')}"


def invoices_in(lines: Iterable[Row]) -> list[Row]:
    """Lines as documents, in the order of their first lines: a head, and `Lines`."""
    documents: dict[Any, Row] = {}
    for line in lines:
        place = (line.get("Invoice"), str(line.get("DocumentType") or "").strip())
        if place not in documents:
            documents[place] = {name: line[name] for name in _HEAD if name in line} | {"Lines": []}
        documents[place]["Lines"].append(line)
    return list(documents.values())


@attrs.frozen(kw_only=True)
class DocumentReader:
    """Turns rows of one site into orders."""

    parties: Reader

    def invoice(self, row: Row) -> Order:
        """An invoice, debit note or credit note with its register lines, in the currency it was posted in."""
        rows = parts_in(row, "Lines")
        lines = [self._register_line(line) for line in rows]
        rates = [_to_posted(line) for line in rows]
        net = sum((line.amount for line in lines), ZERO)
        tax = sum((_cents(amount_in(one, "TaxValue") * rate) for one, rate in zip(rows, rates, strict=True)), ZERO)
        is_freight = [text_in(one, "LineType") == _FREIGHT for one in rows]
        shipping = sum((line.amount for line, freight in zip(lines, is_freight, strict=True) if freight), ZERO)
        sold = [line for line, freight in zip(lines, is_freight, strict=True) if not freight]
        total = net + tax
        credit = text_in(row, "DocumentType") == "C"
        # A credit note's values are negative in the register; ours are not.
        sign = -1 if credit and total < 0 else 1
        marks = [mark for mark in (self.parties.mark("orders", line) for line in rows) if mark is not None]
        return Order(
            key=invoice_key(row),
            number=shown_number(key_in(row, "Invoice")),
            kind="credit" if credit else "invoice",
            # Transfers between branches are no sale.
            final=not any(flag_in(line, "InterBranchTrf") for line in rows),
            status=text_in(row, "DocumentType") or "I",
            customer_key=text_in(row, "Customer"),
            # Of the sales order, where it is still there: all orders of a web shop may be of one customer without any.
            email=text_in(row, "SorMaster.Email"),
            name=text_in(row, "SorMaster.CustomerName"),
            currency=text_in(row, "PostCurrency"),
            total=sign * total,
            tax=sign * tax,
            shipping=sign * shipping,
            placed_on=day_in(row, "InvoiceDate"),
            payment="" if credit else _payment(row),
            lines=tuple(line if sign > 0 else _turned(line) for line in sold),
            modified_at=max(marks, default=None),
            raw=row,
        )

    def sales_order(self, row: Row) -> Order:
        """A sales order with its lines; the tax is not known before it is invoiced."""
        rows = [line for line in parts_in(row, "Lines") if text_in(line, "LineType") != _COMMENT]
        goods = [_order_line(line) for line in rows if not _is_charge(line)]
        charges = [line for line in rows if _is_charge(line)]
        shipping = sum((_charge(line) for line in charges if _is_freight(line)), ZERO)
        others = [_charge_line(line) for line in charges if not _is_freight(line)]
        worth = sum((line.amount for line in goods), ZERO)
        discount = worth - _cents(_discounted(worth, row, "DiscPct"))
        status = text_in(row, "OrderStatus")
        cancelled = status == _CANCELLED or flag_in(row, "CancelledFlag") is True
        kind: Literal["credit", "order"] = "credit" if text_in(row, "DocumentType") == "C" else "order"
        return Order(
            key=key_in(row, "SalesOrder"),
            number=shown_number(key_in(row, "SalesOrder")),
            kind=kind,
            final=(status in _CONFIRMED or cancelled) and status != "*" and not flag_in(row, "InterWhSale"),
            status=status,
            customer_key=text_in(row, "Customer"),
            email=text_in(row, "Email"),
            name=text_in(row, "CustomerName"),
            currency=text_in(row, "Currency"),
            total=worth - discount + shipping + sum((line.amount for line in others), ZERO),
            shipping=shipping,
            discount=discount,
            placed_on=day_in(row, "OrderDate"),
            payment="cancelled" if cancelled else "",
            billing_address=self.parties.address(row, "ShipAddress", "ShipPostalCode"),
            lines=(*goods, *others),
            modified_at=self.parties.mark("orders", row),
            raw=row,
        )

    def _register_line(self, line: Row) -> OrderLine:
        rate = _to_posted(line)
        amount = _cents(amount_in(line, "NetSalesValue") * rate)
        discount = _cents(amount_in(line, "DiscValue") * rate)
        quantity = amount_in(line, "QtyInvoiced")
        return OrderLine(
            key="-".join(str(number_in(line, name)) for name in _LINE_KEY),
            product_key=text_in(line, "StockCode"),
            title=text_in(line, "InvMaster.Description"),
            quantity=quantity,
            unit_price=((amount + discount) / quantity).quantize(_PRICE).normalize() if quantity else amount + discount,
            discount=discount,
            amount=amount,
        )


_LINE_KEY = ("TrnYear", "TrnMonth", "Register", "SummaryLine", "DetailLine")


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, rounding=ROUND_HALF_UP)


def _to_posted(line: Row) -> Decimal:
    """What turns local currency into the one of posting: local was made of it by multiplying, or by dividing."""
    rate = amount_in(line, "PostConvRate")
    if rate in {ZERO, Decimal(1)}:
        return Decimal(1)
    return rate if text_in(line, "PostMulDiv") == "D" else 1 / rate


def _turned(line: OrderLine) -> OrderLine:
    return attrs.evolve(line, quantity=-line.quantity, discount=-line.discount, amount=-line.amount)


def _payment(row: Row) -> Literal["", "open", "paid"]:
    """What the ledger says; a document that is not there any more was paid and purged."""
    name = "ArInvoice.InvoiceBal1"
    if name not in row:
        return ""
    return "open" if amount_in(row, name) else "paid"


def _is_charge(line: Row) -> bool:
    return text_in(line, "LineType") in {_FREIGHT, _CHARGE}


def _is_freight(line: Row) -> bool:
    return text_in(line, "LineType") == _FREIGHT or text_in(line, "NMscProductCls") == _FREIGHT_CLASS


def _charge(line: Row) -> Decimal:
    return _cents(amount_in(line, "NMscChargeValue"))


def _charge_line(line: Row) -> OrderLine:
    worth = _charge(line)
    return OrderLine(key=_line_number(line), title=text_in(line, "NComment"), unit_price=worth, amount=worth)


def _order_line(line: Row) -> OrderLine:
    quantity, price = amount_in(line, "MOrderQty"), amount_in(line, "MPrice")
    gross = quantity * price
    flag, value = text_in(line, "MDiscValFlag"), amount_in(line, "MDiscValue")
    if flag == "U":
        net = gross - quantity * value
    elif flag == "V":
        net = gross - value
    else:
        net = _discounted(gross, line, "MDiscPct")
    amount = _cents(net)
    return OrderLine(
        key=_line_number(line),
        product_key=text_in(line, "MStockCode"),
        title=text_in(line, "MStockDes"),
        quantity=quantity,
        unit_price=price,
        discount=_cents(gross) - amount,
        amount=amount,
    )


def _discounted(worth: Decimal, row: Row, prefix: str) -> Decimal:
    """Three percentages, one after the other."""
    for number in (1, 2, 3):
        worth -= worth * amount_in(row, f"{prefix}{number}") / 100
    return worth


def _line_number(line: Row) -> str:
    number = number_in(line, "SalesOrderLine")
    if number is None:
        raise MappingError("SalesOrderLine: missing", reason="no_key")
    return str(number)
