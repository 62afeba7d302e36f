"""From an order or invoice to a store order with its customer and products. Pure: no I/O, no state."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import attrs

from ..errors import MappingError
from ..models import Order, OrderLine, Product, Store, fingerprint_of, member_id
from ._fields import guarded
from ._normalize import safe_id, store_address

__all__ = ["OrderMapper", "OrderMapping", "OrderPayload", "order_id"]

_FINANCIAL_STATUS = {"open": "pending", "paid": "paid", "refunded": "refunded", "cancelled": "cancelled"}
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


@attrs.frozen(kw_only=True)
class OrderMapping:
    """How a document becomes a store order.

    Attributes:
        include: documents for which this returns false are skipped with reason `"excluded"`.
        placeholder_id, placeholder_title: the product that stands for lines without an item: freight, text, charges.
        line_title: the title of a line's product; the line's own text, else the item number.
    """

    include: Callable[[Order], bool] | None = None
    placeholder_id: str = "erp-other"
    placeholder_title: str = "Other charges"
    line_title: Callable[[OrderLine], str] | None = None


@attrs.frozen(kw_only=True)
class OrderPayload:
    """A mapped document; `body` lacks `customer` and `lines`, which travel beside it."""

    id: str
    address: str = attrs.field(repr=False)
    body: Mapping[str, Any] = attrs.field(repr=False)
    customer: Mapping[str, Any] = attrs.field(repr=False)
    lines: tuple[Mapping[str, Any], ...] = attrs.field(repr=False)
    products: tuple[Product, ...]
    fingerprint: str


class OrderMapper:
    """An `OrderMapping` made ready for one store."""

    def __init__(self, mapping: OrderMapping, store: Store) -> None:
        self._mapping = mapping
        self._store = store

    def includes(self, order: Order) -> bool:
        """Whether the caller's filter wants this document."""
        return self._mapping.include is None or bool(guarded(self._mapping.include, order, "include"))

    def payload(self, order: Order, address: str) -> OrderPayload:
        """The store order for `address`.

        Raises:
            MappingError: an amount or date that cannot be written.
        """
        lines, products = self._lines(order)
        body = self._body(order)
        customer = self._customer(order, address)
        try:
            content = _encode([body, lines, customer["id"]]).encode()
        except (UnicodeEncodeError, TypeError, ValueError):
            raise MappingError("a value cannot be written as JSON text", reason="bad_text") from None
        return OrderPayload(
            id=order_id(order.key),
            address=address,
            body=body,
            customer=customer,
            lines=lines,
            products=products,
            fingerprint=fingerprint_of(content),
        )

    def _body(self, order: Order) -> dict[str, Any]:
        body: dict[str, Any] = {
            "currency_code": order.currency or self._store.currency_code,
            "order_total": money(max(order.total, Decimal(0))),
            "tax_total": money(order.tax),
            "shipping_total": money(order.shipping),
            "discount_total": money(order.discount),
        }
        if order.placed_on is not None:
            body["processed_at_foreign"] = _noon(order.placed_on)
        if status := _FINANCIAL_STATUS.get(order.payment):
            body["financial_status"] = status
        if order.payment == "cancelled":
            # Any value cancels the order; the ERP rarely knows the day, so the document's own date stands in.
            cancelled_on = order.cancelled_on or order.placed_on
            body["cancelled_at_foreign"] = _noon(cancelled_on) if cancelled_on else "1970-01-01T12:00:00+00:00"
        if billing := store_address(order.billing_address):
            body["billing_address"] = {"name": order.name, **billing} if order.name else billing
        return body

    def _customer(self, order: Order, address: str) -> dict[str, Any]:
        """The store customer. Its id is the member's, because Mailchimp never lets a customer's address change.

        It never opts anybody in: consent is the member's own status.
        """
        customer: dict[str, Any] = {"id": member_id(address), "email_address": address, "opt_in_status": False}
        if order.name:
            customer["company"] = order.name
        return customer

    def _lines(self, order: Order) -> tuple[tuple[dict[str, Any], ...], tuple[Product, ...]]:
        lines: list[dict[str, Any]] = []
        products: dict[str, Product] = {}
        for line in order.lines:
            if line.quantity <= 0:
                continue  # a return inside an invoice: the order's total already counts it
            product = self._product(line)
            products.setdefault(product.id, product)
            lines.append(_line(line, product))
        if not lines:
            product = Product(id=self._mapping.placeholder_id, title=self._mapping.placeholder_title)
            products[product.id] = product
            total = OrderLine(key="total", amount=max(order.total, Decimal(0)), unit_price=max(order.total, Decimal(0)))
            lines.append(_line(total, product))
        return tuple(lines), tuple(products.values())

    def _product(self, line: OrderLine) -> Product:
        if not line.product_key:
            return Product(id=self._mapping.placeholder_id, title=self._mapping.placeholder_title)
        title = guarded(self._mapping.line_title, line, "line_title") if self._mapping.line_title else line.title
        return Product(id=safe_id(line.product_key), title=title or line.product_key, sku=line.product_key)


def order_id(key: str) -> str:
    """The store's id of an ERP document: its key, escaped so that it is safe inside a URL and can be read back."""
    return safe_id(key)


def money(amount: Decimal) -> float:
    """An amount as JSON number; the shortest text that reads back as the same decimal."""
    return float(amount)


def _noon(day: date) -> str:
    """A business date as a time that is the same calendar day from UTC-11 to UTC+11."""
    return f"{day.isoformat()[:10]}T12:00:00+00:00"


def _line(line: OrderLine, product: Product) -> dict[str, Any]:
    """Whole quantities as they are; fractional ones as one piece at the line's price, since Mailchimp counts pieces."""
    whole = line.quantity == line.quantity.to_integral_value()
    quantity = int(line.quantity) if whole else 1
    price = line.unit_price if whole else line.amount + line.discount
    body: dict[str, Any] = {
        "id": safe_id(line.key),
        "product_id": product.id,
        "product_variant_id": product.id,
        "quantity": quantity,
        "price": money(price),
    }
    if line.discount:
        body["discount"] = money(line.discount)
    return body
