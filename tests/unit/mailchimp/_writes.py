"""Builders of writes, shared by the tests of the Mailchimp sink."""

from __future__ import annotations

import json
from typing import Any

from mlconnector_sdk.mailchimp import Store
from mlconnector_sdk.models import MemberWrite, OrderWrite, Product, member_id

STORE = Store(id="acme", name="Acme", currency_code="USD")


def member_write(address: str, *, fields: dict[str, Any] | None = None, **rest: Any) -> MemberWrite:
    """A write whose body is encoded as the mapping does it; `more` are further properties of it."""
    body = {"email_address": address, "merge_fields": fields or {}, **rest.pop("more", {})}
    return MemberWrite(record_key=f"key of {address}", address=address, body=json.dumps(body).encode(), **rest)


def member_writes(count: int, **rest: Any) -> list[MemberWrite]:
    """Writes for member0@acme.org and so on."""
    return [member_write(f"member{number}@acme.org", **rest) for number in range(count)]


def order_write(key: str = "INV-1", address: str = "pat@acme.org", **rest: Any) -> OrderWrite:
    """An order with one line per item of `items`, a map of line id to product id."""
    items: dict[str, str] = rest.pop("items", {"1": "BOLT"})
    customer = {"id": member_id(address), "email_address": address, "opt_in_status": False, "company": "Acme"}
    products = tuple(Product(id=item, title=item.title(), sku=item) for item in dict.fromkeys(items.values()))
    lines = tuple(
        {"id": line, "product_id": product, "product_variant_id": product, "quantity": 2, "price": 2.5}
        for line, product in items.items()
    )
    body = {"currency_code": "USD", "order_total": 5.0, "processed_at_foreign": "2026-03-01T12:00:00+00:00"}
    return OrderWrite(
        record_key=key,
        id=key,
        address=address,
        body=rest.pop("body", body),
        customer=rest.pop("customer", customer),
        lines=rest.pop("lines", lines),
        products=rest.pop("products", products),
        **rest,
    )
