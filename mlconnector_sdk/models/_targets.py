"""What the sink is asked to write, and what it answers: our words for members and store orders."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import attrs

__all__ = [
    "Audience",
    "AudienceMember",
    "BatchEntry",
    "MemberStatus",
    "MemberWrite",
    "MergeField",
    "OrderWrite",
    "PermissionState",
    "PermissionWish",
    "Product",
    "Store",
    "WriteResult",
    "fingerprint_of",
    "member_id",
]

MemberStatus: TypeAlias = Literal["subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived"]
"""Where a member stands; `archived` is reached by archiving only."""

PermissionState: TypeAlias = Literal["given", "taken", "withdrawn"]
"""How a marketing permission was left: on; off because the ERP said no; off because the person said so."""


def member_id(address: str) -> str:
    """Mailchimp's key of a member: MD5 of the stripped, lower-cased address."""
    return hashlib.md5(address.strip().lower().encode(), usedforsecurity=False).hexdigest()


def fingerprint_of(payload: bytes) -> str:
    """The hash by which an unchanged payload is recognised."""
    return hashlib.blake2b(payload, digest_size=16).hexdigest()


@attrs.frozen(kw_only=True)
class Store:
    """The e-commerce store that orders go to; one store has one audience for life and one default currency."""

    id: str = attrs.field(validator=attrs.validators.min_len(1))
    name: str = attrs.field(validator=attrs.validators.min_len(1))
    currency_code: str = attrs.field(validator=attrs.validators.matches_re(r"[A-Z]{3}"))
    domain: str = ""
    platform: str = "ERP"
    email_address: str = ""


@attrs.frozen(kw_only=True)
class MergeField:
    """One merge field of an audience; `options` as Mailchimp names them (`choices`, `phone_format`, …)."""

    tag: str = attrs.field(validator=attrs.validators.matches_re(r"[A-Z0-9_]{1,10}"))
    type: str = "text"
    name: str = ""
    required: bool = False
    options: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Audience:
    """What the sink knows about its audience before the first write.

    Attributes:
        missing: wanted merge fields that the audience lacks (and `prepare` creates).
        double_optin: new members must confirm, so a wish for `subscribed` means `pending`.
        interests: the ids of the interests that were asked for, by the name they were asked by.
    """

    list_id: str
    name: str = ""
    double_optin: bool = False
    member_count: int = 0
    merge_fields: Mapping[str, MergeField] = attrs.field(factory=dict)
    missing: tuple[MergeField, ...] = ()
    interests: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class PermissionWish:
    """What the ERP says of one marketing permission of a member.

    Attributes:
        name: the permission's text, as people see it.
        enabled: an explicit yes or no; `None` when it says neither: then it is only noted how the permission stands.
        before: how it was left when this library last looked; `""` if it never did.
    """

    name: str
    enabled: bool | None
    before: PermissionState | Literal[""] = ""


@attrs.frozen(kw_only=True)
class MemberWrite:
    """One member to create or update.

    Attributes:
        record_key: whose record this is, for messages and the audit.
        address: the normalised e-mail address.
        body: the encoded member, everything but the subscription status; its fingerprint decides whether to send.
            Empty: nothing but `tags_off` is done.
        status_if_new: the status a new member gets.
        status: set outright, only to take a member off (`unsubscribed`, `archived`) or to bring back one we took off
            ourselves.
        exists: the links say that this member is in the audience.
        only_if_member: leave people alone who are not in the audience; the result is then `skipped("not_a_member")`.
        forget: erase the member's personal data for good; the address can never be imported again. Nothing else of the
            write counts then.
        previous_address: where the member is now, when the ERP changed the address.
        tags_off: tags to switch off, of those this library put on.
        owned_prefix: every tag that begins so is this library's, whoever put it on: those that `body` does not give
            are switched off as well. `""` for none.
        permissions: marketing permissions to switch on or off.
    """

    record_key: str
    address: str = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    status_if_new: MemberStatus = "subscribed"
    status: MemberStatus | None = None
    exists: bool = False
    only_if_member: bool = False
    forget: bool = False
    previous_address: str | None = attrs.field(default=None, repr=False)
    tags_off: tuple[str, ...] = ()
    owned_prefix: str = ""
    permissions: tuple[PermissionWish, ...] = ()


@attrs.frozen(kw_only=True)
class Product:
    """A product with its one variant, as far as an order line tells."""

    id: str
    title: str
    sku: str = ""


@attrs.frozen(kw_only=True)
class OrderWrite:
    """One store order to create or update.

    Attributes:
        body: the order's fields except `customer` and `lines`.
        customer: the store customer as it is created with its first order.
        lines: encoded lines; `line_ids` in the same order.
        products: the products of the lines; those in `known_products` are in the store, as far as the links say.
        known_line_ids: the lines the store holds from an earlier write, `None` when that is not known.
        exists: the store holds the order already, as far as the links say.
        customer_known: the store holds the customer already.
        fingerprint: of what the order would become, by which an earlier write of just this is recognised.
    """

    record_key: str
    id: str
    address: str = attrs.field(repr=False)
    body: Mapping[str, Any] = attrs.field(repr=False)
    customer: Mapping[str, Any] = attrs.field(repr=False)
    lines: tuple[Mapping[str, Any], ...] = attrs.field(repr=False)
    products: tuple[Product, ...] = ()
    known_products: frozenset[str] = frozenset()
    known_line_ids: tuple[str, ...] | None = None
    exists: bool = False
    customer_known: bool = False
    fingerprint: str = ""

    @property
    def line_ids(self) -> tuple[str, ...]:
        return tuple(line["id"] for line in self.lines)


@attrs.frozen(kw_only=True)
class BatchEntry:
    """Writes that the far side was given as one batch and works on by itself.

    Attributes:
        id: the far side's id of the batch.
        stage: what is created; orders need their products first.
        writes: what is in the batch: the fingerprint of each order by its record's key, `""` for each product by its
            id.
    """

    id: str
    stage: Literal["products", "orders"]
    writes: Mapping[str, str] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class WriteResult:
    """What became of one write.

    Attributes:
        reason, message: set for `skipped` and `dead`.
        note: tells of a repair made on the way.
        request_id: the far side's id of the request that decided it, where it tells one.
        attempts: how often that was sent, repeats after faults included.
        contact_id: the member's id that outlives changes of address; `""` where the answer does not tell it.
        permissions: how the marketing permissions in question were left, as (name, state).
    """

    kind: Literal["created", "updated", "skipped", "dead"]
    reason: str = ""
    message: str = ""
    status_code: int | None = None
    request_id: str | None = None
    attempts: int = 1
    note: str = ""
    retry: bool = False
    member_status: MemberStatus | None = None
    contact_id: str = ""
    permissions: tuple[tuple[str, PermissionState], ...] = ()


@attrs.frozen(kw_only=True)
class AudienceMember:
    """A member as read back from the audience.

    Attributes:
        contact_id: the member's id that outlives changes of address; `""` where it was not asked for.
    """

    address: str = attrs.field(repr=False)
    status: MemberStatus
    last_changed: str = ""
    reason: str = ""
    contact_id: str = ""
    merge_fields: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
