"""Routes under `/ecommerce`, and how its documents are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ._mailchimp_bodies import (
    CUSTOMER,
    CUSTOMER_PATCH,
    LINE,
    LINE_PATCH,
    ORDER,
    ORDER_PATCH,
    PRODUCT,
    PRODUCT_PATCH,
    PRODUCT_PUT,
    STORE,
    STORE_PATCH,
    VARIANT,
    VARIANT_PATCH,
)
from ._mailchimp_commerce import Document, Shop, Store, find
from ._mailchimp_documents import (
    SAMPLE_ORDER,
    SAMPLE_STORE,
    many,
    show_customer,
    show_line,
    show_order,
    show_product,
    show_store,
    show_variant,
)
from ._mailchimp_problems import Problem
from ._mailchimp_routes import COLLECTION, ITEM, Call, Route, page

__all__ = ["StoreResources"]

Thing = TypeVar("Thing")

STORES = "/ecommerce/stores"
ONE_STORE = f"{STORES}/{{store_id}}"
CUSTOMERS = f"{ONE_STORE}/customers"
ONE_CUSTOMER = f"{CUSTOMERS}/{{customer_id}}"
PRODUCTS = f"{ONE_STORE}/products"
ONE_PRODUCT = f"{PRODUCTS}/{{product_id}}"
VARIANTS = f"{ONE_PRODUCT}/variants"
ONE_VARIANT = f"{VARIANTS}/{{variant_id}}"
ORDERS = f"{ONE_STORE}/orders"
ONE_ORDER = f"{ORDERS}/{{order_id}}"
LINES = f"{ONE_ORDER}/lines"
ONE_LINE = f"{LINES}/{{line_id}}"
_ORDERS_QUERY = f"{COLLECTION} campaign_id outreach_id customer_id has_outreach"


class StoreResources:
    """Store, customer, product, variant, order and order line.

    Args:
        shop: the stores and their rules.
        product_put: offer `PUT` on products, which only the 2026 contract has; it updates and does not create.
    """

    def __init__(self, shop: Shop, *, product_put: bool = False) -> None:
        self.shop = shop
        self.product_put = product_put

    def routes(self) -> list[Route]:
        return [
            *self._store_routes(),
            *self._customer_routes(),
            *self._product_routes(),
            *self._variant_routes(),
            *self._order_routes(),
            *self._line_routes(),
        ]

    # Stores

    def _store_routes(self) -> list[Route]:
        show = show_store

        def create(call: Call) -> Document:
            store = self.shop.add_store(call.body)
            return show(store, f"{call.href}/{store.settings['id']}")

        def change(call: Call) -> Document:
            self.shop.change_store(self._store(call), call.body)
            return show(self._store(call), call.href)

        def remove(call: Call) -> None:
            del self.shop.stores[self._store(call).settings["id"]]

        def browse(call: Call) -> Document:
            stores = list(self.shop.stores.values())
            return page(call, "stores", stores, lambda s: show(s, f"{call.href}/{s.settings['id']}"))

        def sample() -> Document:
            return show(SAMPLE_STORE, "/")

        return [
            Route(method="GET", template=STORES, run=browse, query=COLLECTION, sample=lambda: many("stores", sample())),
            Route(method="POST", template=STORES, run=create, body=STORE),
            Route(
                method="GET", template=ONE_STORE, run=lambda c: show(self._store(c), c.href), query=ITEM, sample=sample
            ),
            Route(method="PATCH", template=ONE_STORE, run=change, body=STORE_PATCH),
            Route(method="DELETE", template=ONE_STORE, run=remove),
        ]

    # Customers

    def _customer_routes(self) -> list[Route]:
        def create(call: Call) -> Document:
            store = self._store(call)
            if call.body["id"] in store.customers:
                raise Problem.already_exists("customer")
            customer = self.shop.write_customer(store, call.body)
            return show_customer(store, customer, f"{call.href}/{customer['id']}")

        def put(call: Call) -> Document:
            _check_same_id(call, "customer_id")
            store = self._store(call)
            return show_customer(store, self.shop.write_customer(store, call.body), call.href)

        def change(call: Call) -> Document:
            store, customer = self._store(call), self._customer(call)
            return show_customer(store, self.shop.write_customer(store, {**call.body, "id": customer["id"]}), call.href)

        def remove(call: Call) -> None:
            del self._store(call).customers[self._customer(call)["id"]]

        def get(call: Call) -> Document:
            return show_customer(self._store(call), self._customer(call), call.href)

        def browse(call: Call) -> Document:
            store, email = self._store(call), call.query.get("email_address", "").lower()
            chosen = [c for c in store.customers.values() if not email or c["email_address"].lower() == email]
            rest = {"store_id": store.settings["id"]}
            return page(call, "customers", chosen, lambda c: show_customer(store, c, f"{call.href}/{c['id']}"), **rest)

        def sample() -> Document:
            return show_customer(SAMPLE_STORE, SAMPLE_ORDER["customer"], "/")

        return [
            Route(
                method="GET",
                template=CUSTOMERS,
                run=browse,
                query=f"{COLLECTION} email_address",
                sample=lambda: many("customers", sample(), "store_id"),
            ),
            Route(method="POST", template=CUSTOMERS, run=create, body=CUSTOMER),
            Route(method="GET", template=ONE_CUSTOMER, run=get, query=ITEM, sample=sample),
            Route(method="PUT", template=ONE_CUSTOMER, run=put, body=CUSTOMER),
            Route(method="PATCH", template=ONE_CUSTOMER, run=change, body=CUSTOMER_PATCH),
            Route(method="DELETE", template=ONE_CUSTOMER, run=remove),
        ]

    # Products and variants

    def _product_routes(self) -> list[Route]:
        def create(call: Call) -> Document:
            store = self._store(call)
            product = self.shop.add_product(store, call.body)
            return show_product(store, product, f"{call.href}/{product['id']}")

        def change(call: Call) -> Document:
            # Its variants carry no id here, so they can change nothing; see PUT of a variant.
            body = {name: value for name, value in call.body.items() if name != "variants"}
            self.shop.update(self._product(call), body)
            return get(call)

        def put(call: Call) -> Document:
            _check_same_id(call, "product_id")
            product = self._product(call)
            for variant in call.body.get("variants", []):
                self.shop.write_variant(product, variant, variant["id"])
            return change(call)

        def remove(call: Call) -> None:
            del self._store(call).products[self._product(call)["id"]]

        def get(call: Call) -> Document:
            return show_product(self._store(call), self._product(call), call.href)

        def browse(call: Call) -> Document:
            store = self._store(call)
            return page(
                call,
                "products",
                list(store.products.values()),
                lambda p: show_product(store, p, f"{call.href}/{p['id']}"),
                store_id=store.settings["id"],
            )

        def sample() -> Document:
            return show_product(
                SAMPLE_STORE, {"variants": [{}], "images": [{"id": "", "url": "", "variant_ids": []}]}, "/"
            )

        upsert = [Route(method="PUT", template=ONE_PRODUCT, run=put, body=PRODUCT_PUT)] if self.product_put else []
        return [
            Route(
                method="GET",
                template=PRODUCTS,
                run=browse,
                query=COLLECTION,
                sample=lambda: many("products", sample(), "store_id"),
            ),
            Route(method="POST", template=PRODUCTS, run=create, body=PRODUCT),
            Route(method="GET", template=ONE_PRODUCT, run=get, query=ITEM, sample=sample),
            Route(method="PATCH", template=ONE_PRODUCT, run=change, body=PRODUCT_PATCH),
            Route(method="DELETE", template=ONE_PRODUCT, run=remove),
            *upsert,
        ]

    def _variant_routes(self) -> list[Route]:
        def create(call: Call) -> Document:
            product, variant_id = self._product(call), call.body["id"]
            if find(product["variants"], variant_id) is not None:
                raise Problem.already_exists("product variant")
            variant = self.shop.write_variant(product, call.body, variant_id)
            return show_variant(variant, f"{call.href}/{variant_id}")

        def put(call: Call) -> Document:
            _check_same_id(call, "variant_id")
            return show_variant(self.shop.write_variant(self._product(call), call.body, call.body["id"]), call.href)

        def change(call: Call) -> Document:
            variant_id = self._variant(call)["id"]
            return show_variant(self.shop.write_variant(self._product(call), call.body, variant_id), call.href)

        def remove(call: Call) -> None:
            variants = self._product(call)["variants"]
            if len(variants) == 1:
                raise Problem.bad_request("A product must have at least one variant.")
            variants.remove(self._variant(call))

        def browse(call: Call) -> Document:
            product = self._product(call)
            rest = {"store_id": call.ids["store_id"], "product_id": product["id"]}
            variants = product["variants"]
            return page(call, "variants", variants, lambda v: show_variant(v, f"{call.href}/{v['id']}"), **rest)

        def sample() -> Document:
            return show_variant({}, "/")

        return [
            Route(
                method="GET",
                template=VARIANTS,
                run=browse,
                query=COLLECTION,
                sample=lambda: many("variants", sample(), "store_id", "product_id"),
            ),
            Route(method="POST", template=VARIANTS, run=create, body=VARIANT),
            Route(
                method="GET",
                template=ONE_VARIANT,
                run=lambda c: show_variant(self._variant(c), c.href),
                query=ITEM,
                sample=sample,
            ),
            Route(method="PUT", template=ONE_VARIANT, run=put, body=VARIANT),
            Route(method="PATCH", template=ONE_VARIANT, run=change, body=VARIANT_PATCH),
            Route(method="DELETE", template=ONE_VARIANT, run=remove),
        ]

    # Orders and lines

    def _order_routes(self) -> list[Route]:
        def create(call: Call) -> Document:
            store = self._store(call)
            order = self.shop.add_order(store, call.body)
            return show_order(store, order, f"{call.href}/{order['id']}")

        def change(call: Call) -> Document:
            self.shop.change_order(self._store(call), self._order(call), call.body)
            return get(call)

        def remove(call: Call) -> None:
            self.shop.remove_order(self._store(call), self._order(call))

        def get(call: Call) -> Document:
            return show_order(self._store(call), self._order(call), call.href)

        def browse(call: Call) -> Document:
            store = self._store(call)
            chosen = [order for order in store.orders.values() if _is_asked(order, call)]
            rest = {"store_id": store.settings["id"]}
            return page(call, "orders", chosen, lambda o: show_order(store, o, f"{call.href}/{o['id']}"), **rest)

        def sample() -> Document:
            return show_order(SAMPLE_STORE, SAMPLE_ORDER, "/")

        return [
            Route(
                method="GET",
                template="/ecommerce/orders",
                run=self._browse_all_orders,
                query=_ORDERS_QUERY,
                sample=lambda: many("orders", sample()),
            ),
            Route(
                method="GET",
                template=ORDERS,
                run=browse,
                query=_ORDERS_QUERY,
                sample=lambda: many("orders", sample(), "store_id"),
            ),
            Route(method="POST", template=ORDERS, run=create, body=ORDER),
            Route(method="GET", template=ONE_ORDER, run=get, query=ITEM, sample=sample),
            Route(method="PATCH", template=ONE_ORDER, run=change, body=ORDER_PATCH),
            Route(method="DELETE", template=ONE_ORDER, run=remove),
        ]

    def _browse_all_orders(self, call: Call) -> Document:
        chosen = [
            (store, order)
            for store in self.shop.stores.values()
            for order in store.orders.values()
            if _is_asked(order, call)
        ]
        root = call.href.rsplit("/", 1)[0]
        return page(
            call,
            "orders",
            chosen,
            lambda pair: show_order(pair[0], pair[1], f"{root}/stores/{pair[0].settings['id']}/orders/{pair[1]['id']}"),
        )

    def _line_routes(self) -> list[Route]:
        def show(call: Call, line: Document, href: str) -> Document:
            return show_line(self._store(call), line, href)

        def create(call: Call) -> Document:
            line = self.shop.add_line(self._store(call), self._order(call), call.body)
            return show(call, line, f"{call.href}/{line['id']}")

        def change(call: Call) -> Document:
            line = {**call.body, "id": self._line(call)["id"]}
            return show(call, self.shop.change_line(self._store(call), self._order(call), line), call.href)

        def remove(call: Call) -> None:
            self._order(call)["lines"].remove(self._line(call))

        def browse(call: Call) -> Document:
            order = self._order(call)
            rest = {"store_id": call.ids["store_id"], "order_id": order["id"]}
            return page(call, "lines", order["lines"], lambda n: show(call, n, f"{call.href}/{n['id']}"), **rest)

        def sample() -> Document:
            return show_line(SAMPLE_STORE, SAMPLE_ORDER["lines"][0], "/")

        return [
            Route(
                method="GET",
                template=LINES,
                run=browse,
                query=COLLECTION,
                sample=lambda: many("lines", sample(), "store_id", "order_id"),
            ),
            Route(method="POST", template=LINES, run=create, body=LINE),
            Route(
                method="GET",
                template=ONE_LINE,
                run=lambda c: show(c, self._line(c), c.href),
                query=ITEM,
                sample=sample,
            ),
            Route(method="PATCH", template=ONE_LINE, run=change, body=LINE_PATCH),
            Route(method="DELETE", template=ONE_LINE, run=remove),
        ]

    # Finding

    def _store(self, call: Call) -> Store:
        return _known(self.shop.stores.get(call.ids["store_id"]))

    def _customer(self, call: Call) -> Document:
        return _known(self._store(call).customers.get(call.ids["customer_id"]))

    def _product(self, call: Call) -> Document:
        return _known(self._store(call).products.get(call.ids["product_id"]))

    def _variant(self, call: Call) -> Document:
        return _known(find(self._product(call)["variants"], call.ids["variant_id"]))

    def _order(self, call: Call) -> Document:
        return _known(self._store(call).orders.get(call.ids["order_id"]))

    def _line(self, call: Call) -> Document:
        return _known(find(self._order(call)["lines"], call.ids["line_id"]))


def _known(thing: Thing | None) -> Thing:
    if thing is None:
        raise Problem.not_found()
    return thing


def _check_same_id(call: Call, name: str) -> None:
    if call.body["id"] != call.ids[name]:
        raise Problem.invalid(("id", "The ID in the body is not the one in the path."))


def _is_asked(order: Mapping[str, Any], call: Call) -> bool:
    query = call.query
    if query.get("customer_id", order["customer"]["id"]) != order["customer"]["id"]:
        return False
    if "has_outreach" in query and call.flag("has_outreach") != ("outreach" in order):
        return False
    outreach = order.get("outreach", {}).get("id")
    return query.get("campaign_id", order.get("campaign_id")) == order.get("campaign_id") and (
        query.get("outreach_id", outreach) == outreach
    )
