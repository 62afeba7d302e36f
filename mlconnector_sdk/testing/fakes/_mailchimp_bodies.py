"""The request bodies the fake accepts, in its own words; the contract tests compare them with the vendor's."""

from __future__ import annotations

from ._mailchimp_checks import (
    FLAG,
    IP_ADDRESS,
    MONEY,
    NUMBER,
    SHOP_TIME,
    TEXT,
    TIME,
    WHOLE,
    Anything,
    Choice,
    Items,
    Keys,
    Limited,
    Nullable,
    Object,
    Pattern,
    Shape,
)

__all__ = [
    "BATCH",
    "BULK_MEMBERS",
    "CUSTOMER",
    "CUSTOMER_PATCH",
    "LINE",
    "LINE_PATCH",
    "MEMBER_PATCH",
    "MEMBER_POST",
    "MEMBER_PUT",
    "MERGE_FIELD",
    "MERGE_FIELD_PATCH",
    "ORDER",
    "ORDER_PATCH",
    "PRODUCT",
    "PRODUCT_PATCH",
    "PRODUCT_PUT",
    "STORE",
    "STORE_PATCH",
    "TAGS",
    "VARIANT",
    "VARIANT_PATCH",
    "WEBHOOK",
]

_STATUS = Choice("subscribed unsubscribed cleaned pending transactional")
_CURRENCY = Pattern(r"[A-Z]{3}", "This value is not a valid currency code.")
_ID = Limited(shortest=1)


def _texts(names: str) -> dict[str, Shape]:
    return dict.fromkeys(names.split(), TEXT)


def _without(shape: Object, *names: str) -> Object:
    """The same object for a PATCH: nothing required, `names` unknown."""
    return Object({name: inner for name, inner in shape.fields.items() if name not in names})


_MEMBER: dict[str, Shape] = {
    "email_address": TEXT,
    "email_type": Nullable(Choice("html text")),
    # Values are judged against the audience's fields, see MergeFields.shape_errors.
    "merge_fields": Nullable(Keys(Anything())),
    "interests": Nullable(Keys(FLAG)),
    "language": Nullable(TEXT),
    "vip": Nullable(FLAG),
    "location": Nullable(Object({"latitude": NUMBER, "longitude": NUMBER})),
    "ip_signup": Nullable(IP_ADDRESS),
    "timestamp_signup": Nullable(TIME),
    "ip_opt": Nullable(IP_ADDRESS),
    "timestamp_opt": Nullable(TIME),
}
_PERMISSIONS: dict[str, Shape] = {
    "marketing_permissions": Nullable(Items(Object({"marketing_permission_id": TEXT, "enabled": FLAG})))
}
_TAGS: dict[str, Shape] = {"tags": Nullable(Items(TEXT))}

# Members carry `tags` on PUT and PATCH too: the real system takes the property and ignores it.
MEMBER_POST = Object(
    {**_MEMBER, **_PERMISSIONS, **_TAGS, "status": _STATUS},
    required=("email_address", "status"),
)
MEMBER_PUT = Object(
    {**_MEMBER, **_PERMISSIONS, **_TAGS, "status": Nullable(_STATUS), "status_if_new": Nullable(_STATUS)},
    required=("email_address",),
)
MEMBER_PATCH = Object(
    {**_MEMBER, **_PERMISSIONS, **_TAGS, "status": Nullable(Choice("subscribed unsubscribed cleaned pending"))}
)
BULK_MEMBERS = Object(
    {
        "members": Items(
            Object(
                {**_MEMBER, **_TAGS, "status": Nullable(_STATUS), "status_if_new": Nullable(_STATUS)},
                required=("email_address",),
            ),
            most=500,
        ),
        "sync_tags": FLAG,
        "update_existing": FLAG,
    },
    required=("members",),
)
TAGS = Object(
    {
        "tags": Items(
            Object({"name": _ID, "status": Choice("active inactive")}, required=("name", "status")),
        ),
        "is_syncing": FLAG,
    },
    required=("tags",),
)
_MERGE_OPTIONS = Object(
    {
        "default_country": WHOLE,
        "phone_format": TEXT,
        "date_format": TEXT,
        "choices": Items(TEXT),
        "size": WHOLE,
    }
)
MERGE_FIELD = Object(
    {
        **_texts("tag name default_value help_text"),
        "type": Choice("text number address phone date url imageurl radio dropdown birthday zip"),
        "required": FLAG,
        "public": FLAG,
        "display_order": WHOLE,
        "options": _MERGE_OPTIONS,
    },
    required=("name", "type"),
)
MERGE_FIELD_PATCH = Object(
    {**_without(MERGE_FIELD, "type").fields, "options": _without(_MERGE_OPTIONS, "size")}, required=("name",)
)
WEBHOOK = Object(
    {
        "url": TEXT,
        "events": Object(
            dict.fromkeys(
                "subscribe unsubscribe profile cleaned upemail campaign sms_subscribe sms_unsubscribe".split(), FLAG
            )
        ),
        "sources": Object(dict.fromkeys("user admin api".split(), FLAG)),
        "signing_enabled": FLAG,
    }
)

_POSTAL = _texts("address1 address2 city province province_code postal_code country country_code")
_PLACED: dict[str, Shape] = {**_POSTAL, "longitude": NUMBER, "latitude": NUMBER}
_ORDER_ADDRESS = Object({**_PLACED, **_texts("name phone company")})

STORE = Object(
    {
        **_texts("list_id name platform domain email_address money_format primary_locale timezone phone"),
        "id": _ID,
        "is_syncing": FLAG,
        "currency_code": _CURRENCY,
        "address": Object(_PLACED),
    },
    required=("id", "list_id", "name", "currency_code"),
)
STORE_PATCH = _without(STORE, "id", "list_id")

CUSTOMER = Object(
    {
        **_texts("email_address company first_name last_name sms_phone_number"),
        "id": Limited(50, 1),
        "opt_in_status": FLAG,
        "address": Object(_POSTAL),
    },
    required=("id", "email_address", "opt_in_status"),
)
CUSTOMER_PATCH = _without(CUSTOMER, "id", "email_address")

VARIANT = Object(
    {
        **_texts("title url sku image_url backorders visibility"),
        "id": _ID,
        "price": MONEY,
        "inventory_quantity": WHOLE,
    },
    required=("id", "title"),
)
VARIANT_PATCH = _without(VARIANT, "id")
_IMAGE = Object({"id": TEXT, "url": TEXT, "variant_ids": Items(TEXT)}, required=("id", "url"))
PRODUCT = Object(
    {
        **_texts("title handle url description type vendor image_url"),
        "id": _ID,
        "variants": Items(VARIANT, least=1),
        "images": Items(_IMAGE),
        "published_at_foreign": SHOP_TIME,
    },
    required=("id", "title", "variants"),
)
PRODUCT_PATCH = Object(
    {**_without(PRODUCT, "id").fields, "variants": Items(VARIANT_PATCH), "images": Items(_without(_IMAGE))}
)
PRODUCT_PUT = Object({**PRODUCT.fields, "variants": Items(VARIANT)}, required=("id",))

LINE = Object(
    {
        "id": _ID,
        "product_id": _ID,
        "product_variant_id": _ID,
        "quantity": WHOLE,
        "price": MONEY,
        "discount": MONEY,
    },
    required=("id", "product_id", "product_variant_id", "quantity", "price"),
)
LINE_PATCH = _without(LINE, "id")
_PROMO = Object(
    {"code": TEXT, "amount_discounted": MONEY, "type": Choice("fixed percentage")},
    required=("code", "amount_discounted", "type"),
)
ORDER = Object(
    {
        **_texts("campaign_id landing_site financial_status fulfillment_status order_url"),
        **_texts("tracking_number tracking_carrier tracking_url"),
        "id": _ID,
        "customer": Object(CUSTOMER.fields, required=("id",)),
        "currency_code": _CURRENCY,
        **dict.fromkeys("order_total discount_total tax_total shipping_total".split(), MONEY),
        "tracking_code": Choice("prec"),
        **dict.fromkeys("processed_at_foreign cancelled_at_foreign updated_at_foreign".split(), SHOP_TIME),
        "shipping_address": _ORDER_ADDRESS,
        "billing_address": _ORDER_ADDRESS,
        "promos": Items(_PROMO),
        "lines": Items(LINE, least=1),
        "outreach": Object({"id": TEXT}),
        "cart_id": Limited(50),
    },
    required=("id", "customer", "currency_code", "order_total", "lines"),
)
# Lines are found by their id, and the vendor's own plugin repeats the customer's id, though the contract names neither.
ORDER_PATCH = Object(
    {
        **_without(ORDER, "id").fields,
        "customer": Object({"id": CUSTOMER.fields["id"], **CUSTOMER_PATCH.fields}),
        "lines": Items(Object(LINE.fields, required=("id",))),
    }
)
BATCH = Object(
    {
        "operations": Items(
            Object(
                {
                    "method": Choice("GET POST PUT PATCH DELETE"),
                    "path": TEXT,
                    "params": Keys(Anything()),
                    # A body that is not text is taken here and fails when the operation is run.
                    "body": Anything(),
                    "operation_id": TEXT,
                },
                required=("method", "path"),
            ),
            least=1,
        )
    },
    required=("operations",),
)
