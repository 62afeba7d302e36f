"""The simulated Mailchimp's webhooks: who gets what, signed by which secret, and how often it is tried."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from mlconnector_sdk import parse_transactional_webhook, parse_webhook
from mlconnector_sdk.testing import FakeClock, FakeMailchimp, FakeServer, Reply, Request


class Receiver(FakeServer):
    """A receiver that answers what it is told to."""

    def __init__(self, status: int = 200, head: int = 200) -> None:
        super().__init__()
        self.status = status
        self.head = head

    def handle(self, request: Request) -> Reply:
        return Reply(self.head if request.method == "HEAD" else self.status)


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="fake")
def _fake(clock: FakeClock) -> Iterator[FakeMailchimp]:
    with FakeMailchimp(clock=clock) as fake:
        fake.add_member("Pat@acme.org", merge_fields={"FNAME": "Pat", "ADDRESS": {"addr1": "1 Main St"}})
        yield fake


@pytest.fixture(name="receiver")
def _receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def register(fake: FakeMailchimp, url: str, **rest: Any) -> dict[str, Any]:
    """Make a webhook that wants to know who leaves, but not from the API."""
    body = {"url": url, "events": {"unsubscribe": True}, "sources": {"user": True, "admin": True}, **rest}
    path = f"{fake.base_url}/lists/{fake.list_id}/webhooks"
    return httpx.post(path, json=body, auth=("any", fake.api_key), trust_env=False).raise_for_status().json()


def test_registered_webhook_signs(fake, receiver):
    """Deliveries are signed with the secret that was told when the webhook was made."""
    secret = register(fake, receiver.url)["signing_secret"]
    fake.deliver(receiver.url, "unsubscribe", "pat@acme.org")

    [entry] = receiver.log
    [event] = parse_webhook(entry.request.headers, entry.request.body, secret=secret, now=fake.present())
    assert "Pat@acme.org" == event.raw["data"]["email"]
    assert {"addr1": "1 Main St"} == event.raw["data"]["merges"]["ADDRESS"]
    assert "application/x-www-form-urlencoded" == entry.request.headers["content-type"]


def test_webhook_without_signing_is_not_signed(fake, receiver):
    """A webhook from before there were signatures sends none."""
    fake.webhooks["old"] = {
        "url": receiver.url,
        "events": {"unsubscribe": True},
        "sources": {"user": True},
        "signing_enabled": False,
    }
    fake.deliver(receiver.url, "unsubscribe", "pat@acme.org")

    assert "x-mailchimp-signature" not in receiver.log[0].request.headers


@pytest.mark.parametrize(
    ("kind", "by", "state"),
    [
        ("unsubscribe", "user", "delivered"),
        ("unsubscribe", "admin", "delivered"),
        ("unsubscribe", "api", "unwanted"),
        ("cleaned", "user", "unwanted"),
    ],
)
def test_webhook_gets_what_it_wants(kind, by, state, fake, receiver):
    """Kinds and authors that a webhook did not ask for are not delivered to it."""
    register(fake, receiver.url)
    delivery = fake.deliver(receiver.url, kind, "pat@acme.org", by=by)

    assert state == delivery.state
    assert (state == "delivered") == bool(receiver.log)


def test_failed_delivery_is_tried_for_seventy_five_minutes(fake, receiver, clock):
    """A receiver that is away for a while gets the same event later; pauses grow, and then it is over."""
    receiver.status = 503
    delivery = fake.deliver(receiver.url, "cleaned", "pat@acme.org", secret="s")
    tried = [0]
    for minute in range(1, 100):
        clock.advance(minutes=1)
        tried += [minute] * len(fake.deliveries.redeliver())

    assert [0, 1, 5, 15, 35, 75] == tried
    assert ([503] * 6, "dropped") == (delivery.statuses, delivery.state)
    assert [] == fake.deliveries.waiting
    assert 1 == len({entry.request.body for entry in receiver.log})
    assert 6 == len({entry.request.headers["x-mailchimp-signature"] for entry in receiver.log})


def test_delivery_is_made_when_the_receiver_is_back(fake, receiver, clock):
    """What waits is delivered once, and no more."""
    receiver.fail_next(drop="before")
    delivery = fake.deliver(receiver.url, "cleaned", "pat@acme.org", secret="s")
    assert ([0], "waiting") == (delivery.statuses, delivery.state)
    assert [] == fake.deliveries.redeliver()
    clock.advance(minutes=1)

    assert [delivery] == fake.deliveries.redeliver()
    assert ([0, 200], "delivered") == (delivery.statuses, delivery.state)
    assert [] == fake.deliveries.waiting


def test_gone_disables_the_webhook(fake, receiver, clock):
    """410 is taken at its word: nothing comes any more, not even what was waiting."""
    receiver.status = 500
    waiting = fake.deliver(receiver.url, "cleaned", "ann@acme.org", secret="s")
    receiver.status = 410
    delivery = fake.deliver(receiver.url, "cleaned", "pat@acme.org", secret="s")
    receiver.status = 200
    clock.advance(minutes=5)
    fake.deliveries.redeliver()

    assert ("dropped", "dropped") == (delivery.state, waiting.state)
    assert "dropped" == fake.deliver(receiver.url, "cleaned", "eve@acme.org", secret="s").state
    assert 2 == len(receiver.log)


def test_mandrill_waits_in_line(fake, receiver, clock):
    """A batch that was refused holds the next ones up; they come in order, and only 200 will do."""
    receiver.status = 204
    events = [[fake.deliveries.message_event("spam", f"p{number}@acme.org")] for number in range(3)]
    batches = [fake.deliveries.send_transactional(receiver.url, each, key="k") for each in events]
    assert [[204], [], []] == [batch.statuses for batch in batches]
    receiver.status = 200
    clock.advance(minutes=20)

    assert batches == fake.deliveries.redeliver()
    assert [[204, 200], [200], [200]] == [batch.statuses for batch in batches]
    addresses = [
        parse_transactional_webhook(receiver.url, entry.request.headers, entry.request.body, key="k")[0].address
        for entry in receiver.log[1:]
    ]
    assert ["p0@acme.org", "p1@acme.org", "p2@acme.org"] == addresses


def test_mandrill_gives_up_after_twenty_repeats(fake, receiver, clock):
    """After the twentieth repeat the webhook is disabled."""
    receiver.status = 403
    batch = fake.deliveries.send_transactional(receiver.url, [fake.deliveries.sync_event("pat@acme.org")], key="k")
    for _ in range(25):
        clock.advance(minutes=20)
        fake.deliveries.redeliver()

    assert ([403] * 21, "dropped") == (batch.statuses, batch.state)
    assert {receiver.url} == fake.deliveries.disabled
    assert "dropped" == fake.deliveries.send_transactional(receiver.url, [], key="k").state


@pytest.mark.parametrize(("head", "post", "passes"), [(200, 500, True), (405, 200, True), (405, 403, False)])
def test_mandrill_tries_an_address_first(head, post, passes, fake, receiver):
    """HEAD is enough; where it fails, an empty delivery must be taken."""
    receiver.head, receiver.status = head, post

    assert passes == fake.deliveries.check_transactional(receiver.url)


def test_mandrill_sends_a_thousand_at_the_most(fake):
    """More events than one delivery can have are a mistake of the test."""
    with pytest.raises(ValueError, match="1,000"):
        fake.deliveries.make_transactional("http://hooks", [{}] * 1001, key="k")


def test_fields_can_be_told(fake):
    """A test says what a delivery has in place of the usual, or leaves it out."""
    group = fake.add_interest_category("Trade", ["Retail", "Wholesale"])
    fake.members["pat@acme.org"].interests[group["Retail"]] = True
    delivery = fake.deliveries.make("http://hooks", "unsubscribe", "pat@acme.org", secret="s", action="delete", id=None)
    [event] = parse_webhook(delivery.headers, delivery.body, secret="s", now=delivery.due)

    assert ("delete", "Retail") == (event.action, event.raw["data"]["merges"]["INTERESTS"])
    assert "id" not in event.raw["data"]


def test_lists_are_numbered(fake):
    """A list within a delivery has numbers for keys, as PHP writes it."""
    delivery = fake.deliveries.make("http://hooks", "other", "pat@acme.org", secret="s", group=[{"name": "a"}, "b"])
    [event] = parse_webhook(delivery.headers, delivery.body, secret="s", now=delivery.due + timedelta(seconds=1))

    assert {"0": {"name": "a"}, "1": "b"} == event.raw["data"]["group"]
