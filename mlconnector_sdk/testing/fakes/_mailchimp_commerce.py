"""Stores and their customers, products and orders: the state, and what a write of each means."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

import attrs

from ._mailchimp_audience import Audience
from ._mailchimp_checks import parse_time
from ._mailchimp_problems import Problem

__all__ = ["Document", "Shop", "Store"]

Document = dict[str, Any]
"""A stored resource in the vendor's own property names."""

MISSING_PRODUCT = "A product with the provided ID does not exist in the account for this list."


@attrs.define(kw_only=True)
class Store:
    """One store; `settings` and the three collections hold plain documents by id, free to change in a test."""

    settings: Document
    customers: dict[str, Document] = attrs.field(factory=dict)
    products: dict[str, Document] = attrs.field(factory=dict)
    orders: dict[str, Document] = attrs.field(factory=dict)
    # Orders and money by customer, kept as orders come and go so that showing a customer needs no scan.
    totals: dict[str, tuple[int, float]] = attrs.field(factory=dict, repr=False)

    @property
    def is_syncing(self) -> bool:
        return bool(self.settings.get("is_syncing", False))

    @is_syncing.setter
    def is_syncing(self, value: bool) -> None:
        self.settings["is_syncing"] = value


class Shop:
    """The e-commerce side of the account: rules that reach across documents."""

    def __init__(self, audience: Audience) -> None:
        self.audience = audience
        self.stores: dict[str, Store] = {}

    def add_store(self, body: Mapping[str, Any]) -> Store:
        if body["id"] in self.stores:
            raise Problem.already_exists("store")
        if body["list_id"] != self.audience.list_id:
            raise Problem.bad_request("A list with the provided ID does not exist in the account.")
        self._check_domain(body, None)
        store = Store(settings=self.stamped({"is_syncing": False, **body}))
        self.stores[body["id"]] = store
        return store

    def change_store(self, store: Store, body: Mapping[str, Any]) -> None:
        self._check_domain(body, store)
        self.update(store.settings, body)

    def _check_domain(self, body: Mapping[str, Any], store: Store | None) -> None:
        domain = body.get("domain")
        if domain and any(
            other.settings.get("domain") == domain for other in self.stores.values() if other is not store
        ):
            raise Problem.bad_request("A store with the provided domain already exists in the account.")

    # Documents

    def stamped(self, body: Mapping[str, Any]) -> Document:
        now = self.audience.now().isoformat()
        return {**body, "created_at": now, "updated_at": now}

    def update(self, document: MutableMapping[str, Any], body: Mapping[str, Any]) -> None:
        document |= body  # type: ignore[operator]
        document["updated_at"] = self.audience.now().isoformat()

    # Customers

    def write_customer(self, store: Store, body: Mapping[str, Any]) -> Document:
        """Create or change a customer, with its effect on the audience."""
        held = store.customers.get(body["id"])
        email = body.get("email_address")
        self.audience.check_poison([email or (held or {}).get("email_address", "")])
        if held is None:
            return self._new_customer(store, body)
        if email is not None and email.strip().lower() != held["email_address"].lower():
            raise Problem.bad_request("An email address may not be changed once a customer is created.")
        self.update(held, {name: value for name, value in body.items() if name != "email_address"})
        self._join_audience(held["email_address"], opted_in=bool(body.get("opt_in_status")))
        return held

    def _new_customer(self, store: Store, body: Mapping[str, Any]) -> Document:
        if not (body.get("email_address") or "").strip():
            raise Problem.bad_request("An email address is required to create a customer.")
        if "opt_in_status" not in body:
            raise Problem.invalid(("customer", "Required fields were not provided: opt_in_status"))
        email = self.audience.check_address(body["email_address"])
        customer = self.stamped({**body, "email_address": email})
        store.customers[body["id"]] = customer
        self._join_audience(email, opted_in=body["opt_in_status"])
        return customer

    def _join_audience(self, email: str, *, opted_in: bool) -> None:
        """A new address becomes a member; an opt-in lifts a transactional one; nothing else changes a status."""
        member = self.audience.members.get(email)
        if member is None:
            member = self.audience.add_member(email, "subscribed" if opted_in else "transactional")
            member.timestamp_opt = member.timestamp_opt if opted_in else None
            member.source = "E-Commerce"
        elif opted_in and member.status == "transactional" and not member.opted_out:
            self.audience.set_status(member, "subscribed")
            self.audience.touch(member)

    # Products

    def add_product(self, store: Store, body: Mapping[str, Any]) -> Document:
        if body["id"] in store.products:
            raise Problem.already_exists("product")
        product = self.stamped({**_normal(body), "variants": [self.stamped(_normal(v)) for v in body["variants"]]})
        store.products[body["id"]] = product
        return product

    def write_variant(self, product: Document, body: Mapping[str, Any], variant_id: str) -> Document:
        """Change a variant or add it."""
        held = find(product["variants"], variant_id)
        if held is None:
            held = self.stamped({"id": variant_id})
            product["variants"].append(held)
        self.update(held, {**_normal(body), "id": variant_id})
        return held

    # Orders

    def add_order(self, store: Store, body: Mapping[str, Any]) -> Document:
        if body["id"] in store.orders:
            raise Problem.already_exists("order")
        for line in body["lines"]:
            self._check_product(store, line)
        self.write_customer(store, body["customer"])
        order = {
            **_normal(body),
            "customer": {"id": body["customer"]["id"]},
            "lines": [_normal(line) for line in _last_by_id(body["lines"])],
        }
        store.orders[body["id"]] = order
        self._count(store, order, 1)
        return order

    def change_order(self, store: Store, order: Document, body: Mapping[str, Any]) -> None:
        """Partial: lines are added or changed by id, lines not sent stay, promos are replaced as a whole."""
        customer_id = order["customer"]["id"]
        customer = body.get("customer") or {}
        if customer.get("id", customer_id) != customer_id:
            raise Problem.bad_request("The customer of an order may not be changed.")
        merged = [self._merged_line(store, order, line) for line in body.get("lines", [])]
        if customer:
            self.write_customer(store, {**customer, "id": customer_id})
        self._count(store, order, -1)
        for line in merged:
            self.put_line(order, line)
        order |= {name: value for name, value in _normal(body).items() if name not in {"customer", "lines"}}
        self._count(store, order, 1)

    def remove_order(self, store: Store, order: Document) -> None:
        self._count(store, order, -1)
        del store.orders[order["id"]]

    def _merged_line(self, store: Store, order: Document, line: Mapping[str, Any]) -> Document:
        held = find(order["lines"], line["id"]) or {}
        merged = {**held, **_normal(line)}
        needed = ("product_id", "product_variant_id", "quantity", "price")
        if missing := [name for name in needed if name not in merged]:
            raise Problem.invalid(("lines", f"Required fields were not provided: {', '.join(missing)}"))
        self._check_product(store, merged)
        return merged

    def add_line(self, store: Store, order: Document, line: Mapping[str, Any]) -> Document:
        if find(order["lines"], line["id"]) is not None:
            raise Problem.already_exists("order line")
        return self.put_line(order, self._merged_line(store, order, line))

    def change_line(self, store: Store, order: Document, line: Mapping[str, Any]) -> Document:
        return self.put_line(order, self._merged_line(store, order, line))

    def put_line(self, order: Document, line: Document) -> Document:
        held = find(order["lines"], line["id"])
        if held is None:
            order["lines"].append(line)
            return line
        held |= line
        return held

    def _check_product(self, store: Store, line: Mapping[str, Any]) -> None:
        product = store.products.get(line["product_id"])
        if product is None or find(product["variants"], line["product_variant_id"]) is None:
            raise Problem.bad_request(MISSING_PRODUCT)

    def _count(self, store: Store, order: Document, step: int) -> None:
        if order.get("cancelled_at_foreign"):
            return
        customer = order["customer"]["id"]
        orders, spent = store.totals.get(customer, (0, 0.0))
        store.totals[customer] = (orders + step, round(spent + step * float(order["order_total"]), 4))


_MONEY = frozenset("price discount order_total discount_total tax_total shipping_total".split())


def _normal(body: Mapping[str, Any]) -> Document:
    """Money as numbers and times as ISO UTC, however they were written."""
    return {name: _normal_value(name, value) for name, value in body.items()}


def _normal_value(name: str, value: Any) -> Any:
    if name in _MONEY and isinstance(value, str):
        return float(value)
    if name.endswith("_foreign") and value:
        moment = parse_time(value, shop=True)
        return moment.isoformat() if moment else value
    return value


def _last_by_id(lines: list[Document]) -> list[Document]:
    return list({line["id"]: line for line in lines}.values())


def find(documents: list[Document], document_id: str) -> Document | None:
    return next((document for document in documents if document["id"] == document_id), None)
