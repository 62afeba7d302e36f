"""How stores and what is in them are shown: every property of the contract, empty where nothing was written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._mailchimp_commerce import Document, Store, find
from ._mailchimp_routes import links

__all__ = [
    "SAMPLE_ORDER",
    "SAMPLE_STORE",
    "many",
    "show_customer",
    "show_line",
    "show_order",
    "show_product",
    "show_store",
    "show_variant",
]


def _texts(names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), "")


_POSTAL = _texts("address1 address2 city province province_code postal_code country country_code")
_PLACED = {**_POSTAL, "longitude": 0, "latitude": 0}
_ORDER_ADDRESS = {"name": "", **_PLACED, "phone": "", "company": ""}
_STORE_SHAPE = {
    **_texts("id list_id name platform domain"),
    "is_syncing": False,
    **_texts("email_address currency_code money_format primary_locale timezone phone"),
}
_CUSTOMER_SHAPE = {**_texts("id email_address company first_name last_name"), "opt_in_status": False}
_VARIANT_SHAPE = {
    **_texts("id title url sku"),
    "price": 0,
    "inventory_quantity": 0,
    **_texts("image_url backorders visibility created_at updated_at"),
}
_PRODUCT_SHAPE = {
    **_texts("id currency_code title handle url description type vendor image_url"),
    "variants": [],
    "images": [],
    "published_at_foreign": "",
}
_ORDER_SHAPE = {
    **_texts("id store_id campaign_id landing_site financial_status fulfillment_status currency_code order_url"),
    **dict.fromkeys(("order_total", "discount_total", "tax_total", "shipping_total"), 0),
    **_texts("processed_at_foreign cancelled_at_foreign updated_at_foreign"),
    "promos": [],
    **_texts("tracking_number tracking_carrier tracking_url"),
}
_LINE_SHAPE = {**_texts("id product_id product_variant_id"), "quantity": 0, "price": 0, "discount": 0}
SAMPLE_ORDER: Document = {
    "customer": {"id": "", "sms_phone_number": ""},
    "lines": [{"product_id": "", "product_variant_id": ""}],
    "outreach": {"id": "", "name": "", "type": "", "published_time": ""},
    "cart_id": "",
    "tracking_code": "prec",
    "promos": [{"code": "", "amount_discounted": 0, "type": ""}],
}


def show_store(store: Store, href: str) -> Document:
    return {
        **_STORE_SHAPE,
        **store.settings,
        "address": {**_PLACED, **store.settings.get("address", {})},
        "list_is_active": True,
        "_links": links(
            "Ecommerce/Stores",
            href,
            "self",
            "parent",
            "update",
            "delete",
            customers="GET customers",
            products="GET products",
            orders="GET orders",
        ),
    }


def show_customer(store: Store, customer: Mapping[str, Any], href: str) -> Document:
    orders, spent = store.totals.get(customer.get("id", ""), (0, 0.0))
    return {
        **_CUSTOMER_SHAPE,
        **customer,
        "orders_count": orders,
        "total_spent": spent,
        "address": {**_POSTAL, **customer.get("address", {})},
        "created_at": customer.get("created_at", ""),
        "updated_at": customer.get("updated_at", ""),
        "_links": links("Ecommerce/Stores/Customers", href, "self", "parent", "update", "upsert", "delete"),
    }


def show_product(store: Store, product: Mapping[str, Any], href: str) -> Document:
    hidden = ("created_at", "updated_at")
    return {
        **_PRODUCT_SHAPE,
        **{name: value for name, value in product.items() if name not in hidden},
        "currency_code": store.settings["currency_code"],
        "variants": [show_variant(v, f"{href}/variants/{v.get('id', '')}") for v in product.get("variants", [])],
        "_links": links("Ecommerce/Stores/Products", href, "self", "parent", "update", "delete"),
    }


def show_variant(variant: Mapping[str, Any], href: str) -> Document:
    rels = ("self", "parent", "update", "upsert", "delete")
    return {**_VARIANT_SHAPE, **variant, "_links": links("Ecommerce/Stores/Products/Variants", href, *rels)}


def show_order(store: Store, order: Mapping[str, Any], href: str) -> Document:
    root = href.rsplit("/", 2)[0]
    customer = {**order["customer"], **store.customers.get(order["customer"]["id"], {})}
    return {
        **_ORDER_SHAPE,
        **order,
        "customer": show_customer(store, customer, f"{root}/customers/{customer['id']}"),
        "store_id": store.settings["id"],
        "shipping_address": {**_ORDER_ADDRESS, **order.get("shipping_address", {})},
        "billing_address": {**_ORDER_ADDRESS, **order.get("billing_address", {})},
        "lines": [show_line(store, line, f"{href}/lines/{line.get('id', '')}") for line in order["lines"]],
        "_links": links("Ecommerce/Stores/Orders", href, "self", "parent", "update", "delete", lines="GET lines"),
    }


def show_line(store: Store, line: Mapping[str, Any], href: str) -> Document:
    product = store.products.get(line["product_id"], {})
    variant = find(product.get("variants", []), line["product_variant_id"]) or {}
    return {
        **_LINE_SHAPE,
        **line,
        "product_title": product.get("title", ""),
        "product_variant_title": variant.get("title", ""),
        "image_url": variant.get("image_url") or product.get("image_url", ""),
        "_links": links("Ecommerce/Stores/Orders/Lines", href, "self", "parent", "update", "delete"),
    }


_AUTOMATION = {"is_supported": False, "id": "", "status": ""}
# Names that may be asked for though the fake's stores never have them are in the samples too.
SAMPLE_STORE = Store(
    settings={
        "id": "",
        "currency_code": "",
        "created_at": "",
        "updated_at": "",
        "connected_site": {"site_foreign_id": "", "site_script": {"url": "", "fragment": ""}},
        "automations": {"abandoned_cart": _AUTOMATION, "abandoned_browse": _AUTOMATION},
    }
)


def many(name: str, entry: Document, *rest: str) -> Document:
    return {**dict.fromkeys(rest, ""), name: [entry], "total_items": 0, "_links": [{"rel": ""}]}
