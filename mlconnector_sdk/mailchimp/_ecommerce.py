"""The store: orders with the customers and products they bring along.

Orders have no upsert: a `POST` answered "already exists" becomes a `PATCH`, a `PATCH` answered 404 a `POST`. `PATCH`
leaves lines that are not sent, so lines that are gone are deleted one by one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import attrs

from ..errors import ConfigurationError, RecordError, RecordNotFoundError, ServerFaultError
from ..models import OrderWrite, Product, Store, WriteResult
from ._client import MailchimpClient
from ._traces import traced
from ._wire import SYSTEM, RefusedError, path, result_of

__all__ = ["OrderWriter", "StoreKeeper", "order_document", "product_document"]

_STORE_FIELDS = "id,list_id,name,currency_code,is_syncing"


class StoreKeeper:
    """The store itself: whether it is there, hangs on the right audience, and is not left syncing."""

    def __init__(self, client: MailchimpClient, store: Store, list_id: str) -> None:
        self._client = client
        self.store = store
        self._list_id = list_id
        self._root = path("ecommerce", "stores", store.id)

    def settings(self) -> dict[str, Any] | None:
        """The store as Mailchimp holds it, `None` when it does not exist yet.

        Raises:
            ConfigurationError: it belongs to another audience, for life.
        """
        try:
            settings = self._client.get(self._root, operation="GET store", fields=_STORE_FIELDS)
        except RecordNotFoundError:
            return None
        if settings.get("list_id") != self._list_id:
            raise ConfigurationError(
                f"store {self.store.id!r} belongs to audience {settings.get('list_id')!r} and cannot be moved: "
                "choose another store id for this audience",
                system=SYSTEM,
                reason="store_audience",
            )
        return settings

    def ensure(self, *, wake: bool = True) -> None:
        """Create the store if it is missing, and wake one that an interrupted run left syncing.

        Raises:
            ConfigurationError: it belongs to another audience, or cannot be created.
        """
        settings = self.settings()
        if settings is None:
            self._create()
            settings = self.settings() or {}
        if wake and settings.get("is_syncing"):
            self.set_syncing(False)

    def set_syncing(self, syncing: bool) -> None:  # noqa: FBT001 - the vendor's property of that name
        """While true, the store's automations (order notes, abandoned carts, …) stay quiet."""
        self._client.send("PATCH", self._root, {"is_syncing": syncing}, operation="PATCH store")

    def _create(self) -> None:
        wanted = attrs.asdict(self.store, filter=lambda _, value: value != "")
        try:
            self._client.send(
                "POST", path("ecommerce", "stores"), {**wanted, "list_id": self._list_id}, operation="POST store"
            )
        except RefusedError as error:
            if error.reason != "already_exists" or self.settings() is None:
                raise ConfigurationError(
                    f"store {self.store.id!r} cannot be created: {error.problem.message}",
                    system=SYSTEM,
                    status_code=error.status_code,
                    request_id=error.request_id,
                    reason="store",
                ) from error


class OrderWriter:
    """Writes orders to one store; safe for use by several threads."""

    def __init__(self, client: MailchimpClient, store: Store) -> None:
        self._client = client
        self._store_id = store.id
        self._root = path("ecommerce", "stores", store.id)
        self._known_products: set[str] = set()
        # Locks by hash of the product id: enough that two threads never create one product at once, and few.
        self._product_locks = tuple(threading.Lock() for _ in range(64))

    @property
    def root(self) -> str:
        """The store's path."""
        return self._root

    def write(self, write: OrderWrite) -> WriteResult:
        """Create or update one order. Raises only what does not concern this order alone."""
        with traced() as trace:
            return trace.complete(self._written_alone(write), " order")

    def _written_alone(self, write: OrderWrite) -> WriteResult:
        try:
            self._ensure_products(product for product in write.products if product.id not in write.known_products)
            return self._repaired(write)
        except (RecordError, ServerFaultError) as error:
            return result_of(error)

    def _repaired(self, write: OrderWrite) -> WriteResult:
        """Write the order; what the store lacks is supplied, each kind of repair once."""
        repairs: dict[str, Callable[[OrderWrite], OrderWrite]] = {
            "product_unknown": self._with_products,
            "address_fixed": self._with_new_customer,
        }
        if write.customer_known:
            repairs["address_missing"] = _with_whole_customer
        notes: list[str] = []
        while True:
            try:
                kind = self._upserted(write)
            except RefusedError as error:
                repair = repairs.pop(error.reason, None)
                if repair is None:
                    raise
                notes.append(error.reason)
                write = repair(write)
            else:
                return WriteResult(kind="created" if kind == "created" else "updated", note=" ".join(notes))

    def _upserted(self, write: OrderWrite) -> str:
        if write.exists and self._patched(write, known=write.known_line_ids):
            return "updated"
        if not write.lines:
            # A change of a few properties, such as a refund, is not enough to create the order from.
            raise RecordNotFoundError("the order to be changed is not in the store", status_code=404)
        try:
            self._client.send("POST", self._url("orders"), order_document(write), operation="POST order")
        except RecordNotFoundError:
            raise ConfigurationError(
                f"store {self._store_id!r} is gone", system=SYSTEM, reason="unknown_store"
            ) from None
        except RefusedError as error:
            if error.reason == "already_exists" and self._patched(write, known=None):
                return "updated"
            raise
        return "created"

    def _patched(self, write: OrderWrite, *, known: Iterable[str] | None) -> bool:
        """Update the order and delete the lines it no longer has; `False` when the store lacks it."""
        url = self._url("orders", write.id)
        try:
            if known is None:
                lines = self._client.get_all(f"{url}/lines", "lines", operation="GET order lines", fields="id")
                known = [str(line["id"]) for line in lines]
            # The customer of an order cannot change: what is new about the customer goes by a call of its own.
            body = {**write.body, "lines": list(write.lines)} if write.lines else write.body
            self._client.send("PATCH", url, body, operation="PATCH order")
        except RecordNotFoundError:
            return False
        if not write.customer_known:
            self._put_customer(write)
        kept = set(write.line_ids)
        for line_id in known:
            if line_id not in kept:
                self._delete(self._url("orders", write.id, "lines", line_id), "DELETE order line")
        return True

    # What an order brings along

    def unknown_products(self, write: OrderWrite) -> list[Product]:
        """Products of the order that the store is not known to have."""
        return [p for p in write.products if p.id not in write.known_products and not self.has_product(p.id)]

    def has_product(self, product_id: str) -> bool:
        """Whether the store has this product, by what was written or learnt since this object was made."""
        return product_id in self._known_products

    def learn_products(self, ids: Iterable[str]) -> None:
        """The store has these products."""
        self._known_products.update(ids)

    def supply_product(self, product: Product, *, exists: bool = False) -> None:
        """Write a product that a batch could not; one that cannot be written is told by the orders that need it."""
        with suppress(RecordError, ServerFaultError):
            self._write_product(product, exists=exists)
            self._known_products.add(product.id)

    def _with_products(self, write: OrderWrite) -> OrderWrite:
        self._ensure_products(write.products, again=True)
        return write

    def _with_new_customer(self, write: OrderWrite) -> OrderWrite:
        """The customer's address changed: Mailchimp takes that only from a customer deleted and written anew."""
        self._delete(self._url("customers", str(write.customer["id"])), "DELETE customer")
        self._put_customer(write)
        return attrs.evolve(write, customer_known=True)

    def _put_customer(self, write: OrderWrite) -> None:
        url = self._url("customers", str(write.customer["id"]))
        self._client.send("PUT", url, write.customer, operation="PUT customer")

    def _ensure_products(self, products: Iterable[Product], *, again: bool = False) -> None:
        for product in products:
            if not again and product.id in self._known_products:
                continue
            with self._product_locks[hash(product.id) % len(self._product_locks)]:
                if again or product.id not in self._known_products:
                    self._write_product(product)
                    self._known_products.add(product.id)

    def _write_product(self, product: Product, *, exists: bool = False) -> None:
        if exists or not self._created(product):
            url = self._url("products", product.id)
            self._client.send("PATCH", url, {"title": product.title}, operation="PATCH product")
            # A PATCH of the product does not reach its variants.
            variant = _variant(product)
            self._client.send("PUT", f"{url}{path('variants', product.id)}", variant, operation="PUT variant")

    def _created(self, product: Product) -> bool:
        """Create the product; `False` when the store has it already."""
        try:
            self._client.send("POST", self._url("products"), product_document(product), operation="POST product")
        except RecordNotFoundError:
            raise ConfigurationError(
                f"store {self._store_id!r} is gone", system=SYSTEM, reason="unknown_store"
            ) from None
        except RefusedError as error:
            if error.reason != "already_exists":
                raise
            return False
        return True

    def _delete(self, url: str, operation: str) -> None:
        try:
            self._client.send("DELETE", url, operation=operation)
        except RecordNotFoundError:
            return

    def _url(self, *segments: str) -> str:
        return self._root + path(*segments)


def order_document(write: OrderWrite) -> dict[str, Any]:
    """The order as it is created."""
    customer = {"id": write.customer["id"]} if write.customer_known else dict(write.customer)
    return {**write.body, "id": write.id, "customer": customer, "lines": list(write.lines)}


def product_document(product: Product) -> dict[str, Any]:
    """The product as it is created."""
    return {"id": product.id, "title": product.title, "variants": [_variant(product)]}


def _variant(product: Product) -> dict[str, str]:
    variant = {"id": product.id, "title": product.title}
    return {**variant, "sku": product.sku} if product.sku else variant


def _with_whole_customer(write: OrderWrite) -> OrderWrite:
    return attrs.evolve(write, customer_known=False)
