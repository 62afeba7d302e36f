"""Webhook deliveries: any bytes, any truncation, any order, any form."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus, urlencode

from hypothesis import assume, given, settings, strategies as st

from mlconnector_sdk import parse_transactional_webhook, parse_webhook
from mlconnector_sdk.errors import WebhookError
from mlconnector_sdk.mailchimp import verify_url_secret
from mlconnector_sdk.mailchimp._forms import tree_of
from mlconnector_sdk.models import WebhookEvent
from mlconnector_sdk.testing import FakeClock, FakeMailchimp
from mlconnector_sdk.testing.fakes._mailchimp_deliveries import form_of

SECRET = "6e1f9a7c0b2d4e58"
KEY = "mandrill-key"
URL = "https://hooks.acme.org/mandrill?tenant=7"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAKE = FakeMailchimp(clock=FakeClock(NOW))

PIECES = st.sampled_from(
    [
        b"type",
        b"data",
        b"fired_at",
        b"=",
        b"&",
        b"[",
        b"]",
        b"[email]",
        b"%5B",
        b"%",
        b"%ff",
        b"+",
        b";",
        b"\x00",
        b"\xff",
    ]
)
FORMLIKE = st.lists(PIECES | st.binary(max_size=4), max_size=60).map(b"".join)
BODIES = st.binary(max_size=300) | FORMLIKE
SIGNATURELIKE = st.lists(
    st.sampled_from(["t=", "v1=", ",", "1772366400", "ab" * 32, " ", "=", "-1", "v0="]) | st.text(max_size=3),
    max_size=10,
).map("".join)
NAMES = st.sampled_from(["X-Mailchimp-Signature", "x-mailchimp-signature", "X-Mandrill-Signature"]) | st.text(
    max_size=5
)
HEADERS = st.lists(st.tuples(NAMES, SIGNATURELIKE), max_size=4)
KINDS = st.sampled_from(["subscribe", "unsubscribe", "profile", "upemail", "cleaned", "campaign", "something_new"])
ADDRESSES = st.emails()
LEAVES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]"), min_size=1, max_size=6)
TREES = st.recursive(
    st.dictionaries(KEYS, LEAVES, min_size=1, max_size=4),
    lambda inner: st.dictionaries(KEYS, LEAVES | inner, min_size=1, max_size=4),
    max_leaves=12,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from(["hard_bounce", "spam", "open"]) | JSON,
        "type": st.sampled_from(["blacklist", "whitelist"]) | JSON,
        "ts": st.integers() | JSON,
        "_id": JSON,
        "msg": st.dictionaries(st.sampled_from(["email", "reject", "bounce_description"]), JSON) | JSON,
        "reject": st.dictionaries(st.sampled_from(["email", "reason"]), JSON) | JSON,
        "url": JSON,
        "action": JSON,
    },
)


def signature_of(body: bytes) -> dict[str, str]:
    """The header that a delivery with this body has."""
    stamp = str(int(NOW.timestamp()))
    made = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Mailchimp-Signature": f"t={stamp},v1={made}"}


def outcome(headers: Any, body: bytes) -> list[WebhookEvent] | str:
    """The events, or why there are none; any other exception fails the test."""
    try:
        return parse_webhook(headers, body, secret=SECRET, now=NOW)
    except WebhookError as error:
        return error.reason


def transactional_outcome(headers: Any, body: bytes) -> list[WebhookEvent] | str:
    """The same for Mandrill."""
    try:
        return parse_transactional_webhook(URL, headers, body, key=KEY)
    except WebhookError as error:
        return error.reason


def is_sound(event: WebhookEvent) -> bool:
    """Whether the event can be stored, compared and ordered by anybody."""
    texts = (event.kind, event.address, event.previous_address, event.reason, event.action, event.list_id)
    return all(text == text.encode().decode() for text in (*texts, event.receipt, event.campaign_id)) and (
        event.at is None or event.at.tzinfo is UTC
    )


@settings(max_examples=300)
@given(headers=HEADERS, body=BODIES)
def test_garbage_is_refused(headers, body):
    """Whatever arrives unsigned is refused by a reason, or is empty; nothing else is ever raised."""
    assert outcome(headers, body) == [] if not body else isinstance(outcome(headers, body), str)
    assert (
        transactional_outcome(headers, body) == []
        if not body
        else isinstance(transactional_outcome(headers, body), str)
    )


@settings(max_examples=300)
@given(body=BODIES)
def test_signed_garbage_is_read_or_refused(body):
    """Whatever bytes are signed properly, they are an event, or no delivery."""
    found = outcome(signature_of(body), body)

    assert found == "unreadable" or not body or all(is_sound(event) for event in found)


@given(kind=KINDS, address=ADDRESSES, cut=st.integers(1, 10_000))
def test_truncated_delivery_is_refused(kind, address, cut):
    """Wherever a delivery breaks off, what is left of it is not believed."""
    delivery = FAKE.deliveries.make(URL, kind, address, secret=SECRET)
    left = delivery.body[: -min(cut, len(delivery.body) - 1)]

    assert "signature_wrong" == outcome(delivery.headers, left)


@given(kind=KINDS, address=ADDRESSES, position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_changed_delivery_is_refused(kind, address, position, bit):
    """One bit of the body changed on its way, and the delivery is not believed."""
    delivery = FAKE.deliveries.make(URL, kind, address, secret=SECRET)
    body = bytearray(delivery.body)
    body[position % len(body)] ^= 1 << bit

    assert "signature_wrong" == outcome(delivery.headers, bytes(body))


@given(kind=KINDS, address=ADDRESSES, order=st.randoms(use_true_random=False))
def test_order_of_fields_means_nothing(kind, address, order):
    """The same fields signed in another order are the same event, with the same receipt."""
    delivery = FAKE.deliveries.make(URL, kind, address, secret=SECRET)
    parts = delivery.body.split(b"&")
    order.shuffle(parts)
    shuffled = b"&".join(parts)

    assert outcome(delivery.headers, delivery.body) == outcome(signature_of(shuffled), shuffled)
    assert shuffled == delivery.body or "signature_wrong" == outcome(delivery.headers, shuffled)


@given(kind=KINDS, address=ADDRESSES)
def test_whom_it_concerns_comes_through(kind, address):
    """An address is read as it was sent, but for case and blanks around it."""
    assume(not address.lower().endswith("forgotten.mailchimp.com"))
    delivery = FAKE.deliveries.make(URL, kind, address, secret=SECRET)
    [event] = outcome(delivery.headers, delivery.body)

    assert (kind, "" if kind == "campaign" else address.lower()) == (event.kind, event.address)


@given(tree=TREES)
def test_tree_comes_through_a_form(tree):
    """What PHP writes with bracket keys is read as it was."""
    assert tree == tree_of(form_of(tree))


@given(body=BODIES)
def test_any_form_is_a_tree_of_texts(body):
    """Whatever a form holds, it is read as texts, and never nested without end."""

    def depth_of(node: Any) -> int:
        assert isinstance(node, dict | str)
        return 1 + max(map(depth_of, node.values()), default=0) if isinstance(node, dict) else 0

    assert depth_of(tree_of(body)) <= 16


@settings(max_examples=300)
@given(entries=st.lists(MESSAGE | JSON, max_size=4) | JSON)
def test_any_signed_events_are_read_or_refused(entries):
    """Whatever JSON Mandrill signs, each object in its list is an event, and nothing is raised but a refusal."""
    body = urlencode({"mandrill_events": json.dumps(entries)}).encode()
    delivery = FAKE.deliveries.make_transactional(URL, [], key=KEY)
    found = transactional_outcome(delivery.sign(body, NOW), body)

    if isinstance(entries, list):
        assert len(found) == sum(isinstance(entry, dict) for entry in entries)
        assert all(is_sound(event) for event in found)
    else:
        assert "unreadable" == found


@given(
    fields=st.lists(st.tuples(st.sampled_from(["b", "a", "mandrill_events"]), LEAVES), max_size=4),
    cut=st.integers(1, 200),
)
def test_mandrill_signature_covers_every_field(fields, cut):
    """Fields sign in any order, and none can be taken away or broken off unnoticed."""
    pairs = [*dict(fields).items(), ("z", "last")]
    body = "&".join(f"{name}={quote_plus(value)}" for name, value in pairs).encode()
    headers = FAKE.deliveries.make_transactional(URL, [], key=KEY).sign(body, NOW)
    turned = "&".join(f"{name}={quote_plus(value)}" for name, value in reversed(pairs)).encode()
    left = body[: -min(cut, len(body) - 1)]

    assert transactional_outcome(headers, body) == transactional_outcome(headers, turned)
    assert "signature_wrong" == transactional_outcome(headers, left)


@given(given_secret=st.none() | st.text(max_size=5), expected=st.lists(st.text(min_size=1, max_size=5), min_size=1))
def test_secret_in_an_address_is_one_of_those_expected(given_secret, expected):
    """A secret passes exactly when it is one of the expected ones."""
    try:
        verify_url_secret(given_secret, expected)
    except WebhookError:
        passed = False
    else:
        passed = True

    assert passed == (given_secret in expected)
