"""From rows of sales orders, order history and invoice history, with those of their lines, to our orders. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import attrs

from ...models import Address, Order, OrderLine
from .._values import ZERO, Row, amount_in, flag_in, key_in, parts_in, text_in, untouched_in
from ._api import CUSTOMER, INVOICE_HISTORY, LINES, ORDER_HISTORY, SALES_ORDER
from ._stamps import day_of

__all__ = ["historic_order", "invoice", "sales_order"]

_ORDERED = frozenset({"S", "B"})
"""Standard orders and back orders; the other types are quotes, and templates of orders to come."""

_ORDER_STATUSES = {"N": "new", "O": "open", "C": "closed", "H": "on hold"}
_HISTORY_STATUSES = _ORDER_STATUSES | {
    "A": "active",
    "C": "completed",
    "Q": "quote",
    "X": "deleted",
    "Z": "deleted quote",
}
_UNKNOWN = "unknown"

_BILLED = frozenset({"", "IN", "DM", "CM"})
"""Invoices, debit and credit memos; finance charges, prepayments and the like are no sales."""

_CHARGES = frozenset({"3", "5"})
_COMMENT = "4"
_CENT = Decimal("0.01")


def sales_order(row: Row, modified_at: datetime | None) -> Order:
    """A row of `SO_SalesOrderHeader`, which holds what is open: orders, quotes and templates."""
    status = _ORDER_STATUSES.get(text_in(row, "OrderStatus").upper(), _UNKNOWN)
    return Order(
        key=SALES_ORDER.key_in(row),
        number=text_in(row, "SalesOrderNo"),
        kind="order",
        final=text_in(row, "OrderType").upper() in _ORDERED and status != "on hold",
        status=status,
        total=_total(row, "TaxableAmt", "NonTaxableAmt"),
        lines=_lines(row, _order_line),
        modified_at=modified_at,
        **_common(row, "OrderDate"),
    )


def historic_order(row: Row, modified_at: datetime | None) -> Order:
    """A row of `SO_SalesOrderHistoryHeader`: orders from their entry on, also when they are completed or deleted."""
    status = _HISTORY_STATUSES.get(text_in(row, "OrderStatus").upper(), _UNKNOWN)
    # What was invoiced before an order was deleted stays sold.
    cancelled = status == "deleted" and not amount_in(row, "InvoicedAmt")
    return Order(
        key=ORDER_HISTORY.key_in(row),
        number=text_in(row, "SalesOrderNo"),
        kind="order",
        final=status not in {"quote", "deleted quote", "on hold"},
        status=status,
        total=_total(row, "TaxableAmt", "NonTaxableAmt"),
        cancelled_on=(day_of(row, "DateUpdated") or day_of(row, "OrderDate")) if cancelled else None,
        payment="cancelled" if cancelled else "",
        lines=_lines(row, _historic_line),
        modified_at=modified_at,
        **_common(row, "OrderDate"),
    )


def invoice(row: Row, modified_at: datetime | None) -> Order:
    """A row of `AR_InvoiceHistoryHeader`, which holds posted documents only; whether they are paid, it does not say."""
    kind = text_in(row, "InvoiceType").upper()
    found = Order(
        key=INVOICE_HISTORY.key_in(row),
        number=text_in(row, "InvoiceNo"),
        kind="credit" if kind == "CM" else "invoice",
        corrects=_corrected(row) if kind == "CM" else "",
        final=kind in _BILLED,
        status=kind or "IN",
        total=_total(row, "TaxableSalesAmt", "NonTaxableSalesAmt"),
        lines=_lines(row, _invoice_line),
        modified_at=modified_at,
        **_common(row, "InvoiceDate"),
    )
    return _turned(found) if found.kind == "credit" and found.total < 0 else found


def _common(row: Row, date_column: str) -> dict[str, Any]:
    encrypted = bool(text_in(row, "EncryptedVals"))
    customer = CUSTOMER.key_of(row)
    return {
        "customer_key": CUSTOMER.text_of(customer) if all(customer) else "",
        "email": "" if encrypted else untouched_in(row, "EmailAddress"),
        "name": "" if encrypted else text_in(row, "BillToName"),
        "tax": amount_in(row, "SalesTaxAmt"),
        "shipping": amount_in(row, "FreightAmt"),
        "discount": amount_in(row, "DiscountAmt"),
        "placed_on": day_of(row, date_column),
        "billing_address": Address() if encrypted else _bill_to(row),
        "raw": row,
    }


def _total(row: Row, *amounts: str) -> Decimal:
    """No column holds it."""
    added = sum((amount_in(row, name) for name in (*amounts, "FreightAmt", "SalesTaxAmt")), ZERO)
    return added - amount_in(row, "DiscountAmt")


def _bill_to(row: Row) -> Address:
    further = (text_in(row, f"BillToAddress{number}") for number in (2, 3))
    return Address(
        line1=text_in(row, "BillToAddress1"),
        line2=", ".join(text for text in further if text),
        city=text_in(row, "BillToCity"),
        region=text_in(row, "BillToState"),
        postal_code=text_in(row, "BillToZipCode"),
        country=text_in(row, "BillToCountryCode"),
    )


def _corrected(row: Row) -> str:
    """The key of the invoice a credit memo is applied to.

    Only its number is known. Numbers come again after years, and tell the first of them by a sequence that starts
    alike for all; a memo that bears the number of its own invoice came after it.
    """
    number, sequence = text_in(row, "ApplyToInvoiceNo"), text_in(row, "HeaderSeqNo")
    if not number:
        return ""
    if number == text_in(row, "InvoiceNo") and sequence.isascii() and sequence.isdigit():
        sequence = str(max(0, int(sequence) - 1)).zfill(len(sequence))
    return INVOICE_HISTORY.text_of((number, sequence))


def _turned(credit: Order) -> Order:
    """With positive amounts."""
    return attrs.evolve(
        credit,
        total=-credit.total,
        tax=-credit.tax,
        shipping=-credit.shipping,
        discount=-credit.discount,
        lines=tuple(
            attrs.evolve(line, quantity=-line.quantity, amount=-line.amount, discount=-line.discount)
            for line in credit.lines
        ),
    )


# -- lines ----------------------------------------------------------------------------------------------------------


def _lines(row: Row, read: Callable[[Row], OrderLine]) -> tuple[OrderLine, ...]:
    return tuple(read(line) for line in _with_amounts(parts_in(row, LINES)))


def _with_amounts(lines: Iterable[Row]) -> Iterable[Row]:
    """Comments carry no amount, and a cancelled line none any more."""
    return (line for line in lines if text_in(line, "ItemType") != _COMMENT and not flag_in(line, "CancelledLine"))


def _order_line(line: Row) -> OrderLine:
    return _line(
        line,
        key=key_in(line, "LineKey"),
        quantity=amount_in(line, "QuantityOrdered"),
        price=amount_in(line, "UnitPrice"),
        amount=amount_in(line, "ExtensionAmt"),
    )


def _historic_line(line: Row) -> OrderLine:
    return _line(
        line,
        key=key_in(line, "SequenceNo"),
        quantity=amount_in(line, "QuantityOrderedRevised") or amount_in(line, "QuantityOrderedOriginal"),
        price=amount_in(line, "LastUnitPrice") or amount_in(line, "OriginalUnitPrice"),
        amount=amount_in(line, "LastExtensionAmt"),
    )


def _invoice_line(line: Row) -> OrderLine:
    return _line(
        line,
        key=key_in(line, "DetailSeqNo"),
        quantity=amount_in(line, "QuantityShipped"),
        price=amount_in(line, "UnitPrice"),
        amount=amount_in(line, "ExtensionAmt"),
    )


def _line(line: Mapping[str, Any], *, key: str, quantity: Decimal, price: Decimal, amount: Decimal) -> OrderLine:
    """The amount decides: it is what is left after the line's own discount."""
    title = text_in(line, "ItemCodeDesc") or text_in(line, "CommentText")
    if text_in(line, "ItemType") in _CHARGES or not quantity:
        return OrderLine(key=key, title=title, quantity=Decimal(1), unit_price=amount, amount=amount)
    gross = (quantity * price).quantize(_CENT, ROUND_HALF_UP)
    return OrderLine(
        key=key,
        product_key=text_in(line, "ItemCode"),
        title=title,
        quantity=quantity,
        unit_price=price or amount / quantity,
        discount=gross - amount if abs(gross) > abs(amount) else ZERO,
        amount=amount,
    )
