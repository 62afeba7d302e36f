"""Parsing and making of deliveries, held against vectors whose signatures were made elsewhere."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from mlconnector_sdk.errors import WebhookError
from mlconnector_sdk.mailchimp import parse_transactional_webhook, parse_webhook
from mlconnector_sdk.models import WebhookEvent
from mlconnector_sdk.testing import FakeClock, FakeMailchimp
from tests.contracts._mailchimp_oracle import specs_folder

pytestmark = pytest.mark.skipif(
    specs_folder() is None, reason="MLCONNECTOR_SPECS names no folder with Mailchimp's contract"
)

PERSON = "pat.doe+x@acme-test.org"
FIRED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

READ = {
    "subscribe": {"kind": "subscribe", "address": PERSON},
    "unsubscribe": {"action": "unsub", "reason": "manual", "address": PERSON, "campaign_id": "cb398d21d2"},
    "unsubscribe_deleted": {"kind": "unsubscribe", "action": "delete", "reason": "manual", "address": PERSON},
    "profile": {"kind": "profile", "address": PERSON, "reason": "", "action": ""},
    "upemail": {"address": "pat.new@acme-test.org", "previous_address": PERSON},
    "cleaned": {"reason": "hard", "address": PERSON, "campaign_id": "4fjk2ma9xd"},
    "campaign": {"address": "", "campaign_id": "5aa2102003", "reason": ""},
    "batch_operation_completed": {"address": "", "list_id": "", "kind": "batch_operation_completed"},
}
"""What is in each vector, by its name."""


@pytest.fixture(scope="module", name="vectors")
def _vectors() -> dict[str, Any]:
    folder = specs_folder()
    assert folder is not None
    return json.loads((folder / "fixtures-invented.json").read_text("utf-8"))


def read(vectors: dict[str, Any], name: str, **settings: Any) -> list[WebhookEvent]:
    """What a marketing vector is read as, at the moment it was signed unless said otherwise."""
    hooks = vectors["webhooks_marketing"]
    event = hooks["events"][name]
    defaults = {"secret": hooks["signing_secret"], "now": datetime.fromtimestamp(hooks["timestamp"], UTC)}
    return parse_webhook(event["headers"], event["raw_body"].encode(), **{**defaults, **settings})


def test_every_vector_is_expected(vectors):
    """No vector is left out below."""
    assert set(READ) == set(vectors["webhooks_marketing"]["events"])


@pytest.mark.parametrize("name", READ)
def test_signed_delivery_is_read(name, vectors):
    """Each kind of delivery passes with its own signature and tells who, what, why and when."""
    [event] = read(vectors, name)
    assert READ[name] == {field: getattr(event, field) for field in READ[name]}
    assert ("marketing", FIRED) == (event.origin, event.at)
    assert event.raw["data"]
    assert read(vectors, name)[0].receipt == event.receipt


def test_receipts_differ(vectors):
    """No two of the vectors are taken for the same event."""
    assert len(READ) == len({read(vectors, name)[0].receipt for name in READ})


@pytest.mark.parametrize("name", READ)
def test_changed_body_is_refused(name, vectors):
    """One more byte, one less, and the signature of another delivery do not pass."""
    hooks = vectors["webhooks_marketing"]
    event = hooks["events"][name]
    now, secret = datetime.fromtimestamp(hooks["timestamp"], UTC), hooks["signing_secret"]
    other = hooks["events"]["profile" if name != "profile" else "cleaned"]
    body = event["raw_body"].encode()
    for headers, changed in (
        (event["headers"], body + b"&"),
        (event["headers"], body[:-1]),
        (other["headers"], body),
    ):
        with pytest.raises(WebhookError) as caught:
            parse_webhook(headers, changed, secret=secret, now=now)
        assert "signature_wrong" == caught.value.reason


def test_old_delivery_is_refused(vectors):
    """A signature holds for 300 seconds, on either side."""
    signed = datetime.fromtimestamp(vectors["webhooks_marketing"]["timestamp"], UTC)
    for seconds in (-300, 300):
        assert read(vectors, "cleaned", now=signed + timedelta(seconds=seconds))
    for seconds in (-301, 301):
        with pytest.raises(WebhookError) as caught:
            read(vectors, "cleaned", now=signed + timedelta(seconds=seconds))
        assert "signature_stale" == caught.value.reason


def test_mandrill_delivery_is_read(vectors):
    """A bounce passes with its own signature, which covers the URL and the form."""
    hooks = vectors["webhooks_mandrill"]
    headers = {"X-Mandrill-Signature": hooks["X-Mandrill-Signature"]}
    body = urlencode(hooks["form"]).encode()
    [event] = parse_transactional_webhook(hooks["url"], headers, body, key=hooks["webhook_key"])
    assert ("transactional", "hard_bounce", PERSON) == (event.origin, event.kind, event.address)
    assert "bad_mailbox" == event.reason
    assert datetime.fromtimestamp(1772600767, UTC) == event.at
    for url, key in ((hooks["url"].partition("?")[0], hooks["webhook_key"]), (hooks["url"], "another")):
        with pytest.raises(WebhookError) as caught:
            parse_transactional_webhook(url, headers, body, key=key)
        assert "signature_wrong" == caught.value.reason


def test_mandrill_trial_is_answered(vectors):
    """The empty delivery before there is a webhook passes with the key that everybody knows."""
    hooks = vectors["webhooks_mandrill"]
    trial = hooks["url_check_post"]
    headers, body = {"X-Mandrill-Signature": trial["X-Mandrill-Signature"]}, urlencode(trial["form"]).encode()
    assert [] == parse_transactional_webhook(hooks["url"], headers, body, key=())
    assert [] == parse_transactional_webhook(hooks["url"], headers, body, key=hooks["webhook_key"])


@pytest.mark.parametrize(
    ("name", "address", "more"),
    [
        ("subscribe", PERSON, {}),
        ("unsubscribe", PERSON, {"campaign_id": "cb398d21d2"}),
        ("unsubscribe_deleted", PERSON, {"action": "delete"}),
        ("profile", PERSON, {}),
        ("upemail", "pat.new@acme-test.org", {"old_email": PERSON}),
        ("cleaned", PERSON, {}),
        ("campaign", "", {}),
    ],
)
def test_fake_delivers_what_the_vectors_have(name, address, more, vectors):
    """The simulated Mailchimp's deliveries have the vectors' fields, and no others but those the vendor documents."""
    theirs = read(vectors, name)[0]
    fake = FakeMailchimp(clock=FakeClock(FIRED), list_id="a6b5da1054")
    fake.add_member(PERSON, merge_fields={"FNAME": "Pat", "LNAME": "Doe"})
    delivery = fake.deliveries.make("", theirs.kind, address, secret="s", **more)
    [ours] = parse_webhook(delivery.headers, delivery.body, secret="s", now=FIRED)

    assert set(theirs.raw["data"]) <= set(ours.raw["data"])
    assert set(ours.raw["data"]) - set(theirs.raw["data"]) <= {"web_id"}
    assert (theirs.kind, theirs.address, theirs.at) == (ours.kind, ours.address, ours.at)
    assert (theirs.reason, theirs.action, theirs.list_id) == (ours.reason, ours.action, ours.list_id)


def test_fake_signs_as_the_vectors_do(vectors):
    """Over the same bytes, at the same moment, with the same secret, both signatures are the vectors' own."""
    hooks, mandrill = vectors["webhooks_marketing"], vectors["webhooks_mandrill"]
    fake = FakeMailchimp()
    signed_at = datetime.fromtimestamp(hooks["timestamp"], UTC)
    sign = fake.deliveries.make("", "profile", PERSON, secret=hooks["signing_secret"]).sign
    for event in hooks["events"].values():
        assert event["headers"] == sign(event["raw_body"].encode(), signed_at)
    batch = fake.deliveries.make_transactional(mandrill["url"], [], key=mandrill["webhook_key"])
    headers = batch.sign(urlencode(mandrill["form"]).encode(), signed_at)
    assert mandrill["X-Mandrill-Signature"] == headers["X-Mandrill-Signature"]
