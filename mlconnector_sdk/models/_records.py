"""What a source reads: customers, contacts, suppliers and orders, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import attrs

from ..cursors import CursorValue

__all__ = [
    "STREAMS",
    "Address",
    "Contact",
    "Customer",
    "Order",
    "OrderLine",
    "Party",
    "Record",
    "StreamName",
    "Supplier",
]

StreamName: TypeAlias = Literal["customers", "contacts", "suppliers", "orders"]
"""The kinds of record a source reads."""

STREAMS: tuple[StreamName, ...] = ("customers", "contacts", "suppliers", "orders")
"""Every stream in the order a run reads them: people before the orders that name them."""

PartyStatus: TypeAlias = Literal["active", "inactive", "on_hold"]
_NOTHING: Mapping[str, Any] = {}


@attrs.frozen(kw_only=True)
class Address:
    """A postal address as the ERP holds it, trimmed; empty parts are `""`. `country` is what the ERP says."""

    line1: str = attrs.field(default="", repr=False)
    line2: str = attrs.field(default="", repr=False)
    city: str = attrs.field(default="", repr=False)
    region: str = attrs.field(default="", repr=False)
    postal_code: str = attrs.field(default="", repr=False)
    country: str = ""


@attrs.frozen(kw_only=True)
class Party:
    """What customers, contacts and suppliers share: somebody with an address to write to.

    Attributes:
        key: the ERP's own key, stable across edits; the link table is keyed by it.
        email: the ERP's e-mail field untouched: it may be empty, padded, or hold several addresses.
        status: whether the ERP still deals with this party.
        opted_out: the ERP says: do not mail.
        erased: the ERP has made the person's data unreadable for good, as a law wants it: whoever was a member leaves
            and does not come back.
        modified_at: the record's own change stamp (aware UTC, a date, or the vendor's counter), if it has one.
        last_activity: when the ERP last did business with this party.
        raw: the row as read, unwrapped to plain values, for the caller's own mapping.
    """

    key: str
    name: str = ""
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    address: Address = Address()
    language: str = ""
    group: str = ""
    status: PartyStatus = "active"
    opted_out: bool = False
    erased: bool = False
    modified_at: CursorValue | None = None
    last_activity: date | None = None
    raw: Mapping[str, Any] = attrs.field(default=_NOTHING, repr=False, eq=False)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key}>"


@attrs.frozen(kw_only=True, repr=False)
class Customer(Party):
    """A customer account."""

    currency: str = ""


@attrs.frozen(kw_only=True, repr=False)
class Contact(Party):
    """A person; `customer_key` names the account it belongs to, if any."""

    customer_key: str = ""
    job_title: str = ""


@attrs.frozen(kw_only=True, repr=False)
class Supplier(Party):
    """A vendor account."""


@attrs.frozen(kw_only=True)
class OrderLine:
    """One line of a document; `unit_price` and `amount` are in the document's currency, `amount` after discount.

    `quantity` keeps the ERP's sign and fraction; `product_key` is `""` for text, freight and charge lines.
    """

    key: str
    product_key: str = ""
    title: str = ""
    quantity: Decimal = Decimal(1)
    unit_price: Decimal = Decimal(0)
    discount: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)


@attrs.frozen(kw_only=True)
class Order:
    """An order or a posted invoice with its lines.

    Attributes:
        kind: `"credit"` for credit memos and returns; their amounts are positive.
        corrects: for a credit, the key of the document it corrects, when the ERP says so.
        final: posted (an invoice) or confirmed (an order); what is not final is skipped.
        cancelled_on: the business date of the cancellation, if it was cancelled.
        placed_on: the business date: a calendar date of the ERP, never shifted by a time zone.
        payment: what is known about the money.
    """

    key: str
    number: str = ""
    kind: Literal["order", "invoice", "credit"] = "invoice"
    corrects: str = ""
    final: bool = True
    status: str = ""
    customer_key: str = ""
    email: str = ""
    name: str = ""
    currency: str = ""
    total: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    shipping: Decimal = Decimal(0)
    discount: Decimal = Decimal(0)
    placed_on: date | None = None
    cancelled_on: date | None = None
    payment: Literal["", "open", "paid", "refunded", "cancelled"] = ""
    billing_address: Address = Address()
    lines: tuple[OrderLine, ...] = ()
    modified_at: CursorValue | None = None
    raw: Mapping[str, Any] = attrs.field(default=_NOTHING, repr=False, eq=False)

    def __repr__(self) -> str:
        return f"<Order {self.key}>"


Record: TypeAlias = Customer | Contact | Supplier | Order
"""One record of any stream."""
