"""The receivers of webhooks, over real HTTP, with deliveries made and repeated by the simulated Mailchimp."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import attrs
import httpx
import pytest

from mlconnector_sdk import MailchimpSink
from mlconnector_sdk.credentials import EncryptedVault, KeyRing
from mlconnector_sdk.errors import ConfigurationError
from mlconnector_sdk.integrations import AudienceWebhooks, TransactionalWebhooks, asgi, wsgi
from mlconnector_sdk.models import WebhookEvent
from mlconnector_sdk.testing import FakeClock, FakeMailchimp
from tests.integrations._serving import serve_asgi, serve_wsgi, unfinished_post

SECRET = "6e1f9a7c0b2d4e58"
KEY = "mandrill-key"
PUBLIC_URL = "https://hooks.acme.org/mandrill?tenant=7"


@attrs.define
class Desk:
    """Where events are handed to; `failing` is how often it fails first."""

    events: list[WebhookEvent] = attrs.field(factory=list)
    failing: int = 0

    def take(self, events: list[WebhookEvent]) -> None:
        """Keep them, or fail."""
        if self.failing:
            self.failing -= 1
            raise OSError("the queue is full")
        self.events.extend(events)

    async def take_later(self, events: list[WebhookEvent]) -> None:
        """The same for callers that wait."""
        await asyncio.sleep(0)
        self.take(events)


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="fake")
def _fake(clock: FakeClock) -> FakeMailchimp:
    fake = FakeMailchimp(clock=clock)
    fake.add_member("pat@acme.org")
    return fake


@pytest.fixture(name="desk")
def _desk() -> Desk:
    return Desk()


def _wsgi(desk: Desk, deliveries: Any) -> AbstractContextManager[str]:
    return serve_wsgi(wsgi.WebhookReceiver(desk.take, deliveries))


def _asgi(desk: Desk, deliveries: Any) -> AbstractContextManager[str]:
    return serve_asgi(asgi.WebhookReceiver(desk.take, deliveries))


def _asgi_async(desk: Desk, deliveries: Any) -> AbstractContextManager[str]:
    return serve_asgi(asgi.WebhookReceiver(desk.take_later, deliveries))


@pytest.fixture(name="serve", params=[_wsgi, _asgi, _asgi_async], ids=["wsgi", "asgi", "asgi-async"])
def _serve(request: pytest.FixtureRequest) -> Callable[[Desk, Any], AbstractContextManager[str]]:
    return request.param


@pytest.fixture(name="url")
def _url(serve, desk: Desk, clock: FakeClock) -> Iterator[str]:
    """A receiver of an audience's webhooks."""
    with serve(desk, AudienceWebhooks(secret=SECRET, clock=clock)) as url:
        yield f"{url}/mailchimp"


@pytest.fixture(name="client")
def _client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


def test_events_are_handed_on_before_the_answer(url, fake, desk):
    """A genuine delivery is answered with 200 once its event was taken."""
    delivery = fake.deliver(url, "unsubscribe", "pat@acme.org", secret=SECRET)

    assert ([200], "delivered") == (delivery.statuses, delivery.state)
    assert [("unsubscribe", "pat@acme.org")] == [(event.kind, event.address) for event in desk.events]


def test_trials_are_answered(url, client, desk):
    """GET, HEAD and an empty POST, by which an address is tried, are answered with 200; other methods are not."""
    assert 200 == client.get(url).status_code
    assert 200 == client.head(url).status_code
    assert 200 == client.post(url).status_code
    refused = client.delete(url)
    assert (405, "GET, HEAD, POST") == (refused.status_code, refused.headers["allow"])
    assert [] == desk.events


@pytest.mark.parametrize("secret", ["", "another"])
def test_forged_delivery_is_refused(secret, url, fake, desk, caplog):
    """What is signed by others, or not at all, is refused; the log has the reason and nothing else."""
    with caplog.at_level(logging.DEBUG, logger="mlconnector_sdk"):
        delivery = fake.deliver(url, "unsubscribe", "pat@acme.org", secret=secret)

    assert [403] == delivery.statuses
    assert [] == desk.events
    [record] = [record for record in caplog.records if record.name == "mlconnector_sdk.integrations"]
    assert ("signature_wrong" if secret else "signature_missing") == record.mlc_reason
    assert "acme.org" not in str(record.__dict__)


def test_stale_delivery_is_refused_and_comes_again(url, fake, clock, desk):
    """A recording that is played again too late is refused; the real sender signs a later try anew."""
    recorded = fake.deliveries.make(url, "unsubscribe", "pat@acme.org", secret=SECRET)
    clock.advance(minutes=6)
    fake.deliveries.sign_anew = False
    assert 403 == fake.deliveries.again(recorded)
    assert [] == desk.events

    fake.deliveries.sign_anew = True
    assert 200 == fake.deliveries.again(recorded)
    assert 1 == len(desk.events)


def test_repeated_delivery_has_the_same_receipt(url, fake, clock, desk):
    """What is delivered twice, minutes apart and signed anew, can be told by its receipt."""
    delivery = fake.deliver(url, "unsubscribe", "pat@acme.org", secret=SECRET)
    clock.advance(minutes=3)
    fake.deliveries.again(delivery)

    assert 2 == len(desk.events)
    assert 1 == len({event.receipt for event in desk.events})


def test_what_cannot_be_taken_comes_again(url, fake, clock, desk):
    """When handing on fails the answer is 500, and the delivery is made again until it succeeds."""
    desk.failing = 2
    delivery = fake.deliver(url, "cleaned", "pat@acme.org", secret=SECRET)
    for _ in range(3):
        clock.advance(minutes=10)
        fake.deliveries.redeliver()

    assert ([500, 500, 200], "delivered") == (delivery.statuses, delivery.state)
    assert ["cleaned"] == [event.kind for event in desk.events]


def test_deliveries_out_of_order_are_all_taken(url, fake, clock, desk):
    """An older event that comes after a newer one is taken, and its time tells which was first."""
    older = fake.deliveries.make(url, "unsubscribe", "pat@acme.org", secret=SECRET)
    clock.advance(seconds=30)
    fake.deliver(url, "subscribe", "pat@acme.org", secret=SECRET)
    fake.deliveries.again(older)

    assert ["subscribe", "unsubscribe"] == [event.kind for event in desk.events]
    assert desk.events[1].at < desk.events[0].at


@pytest.mark.parametrize("body", [b"x" * 1_000_000, b"type=profile&" * 80_000])
def test_megabyte_is_refused(body, url, client, desk):
    """A body of a megabyte is refused with 413, whatever is in it."""
    assert 413 == client.post(url, content=body[:1_000_000]).status_code
    assert [] == desk.events


def test_body_in_chunks_is_whole_or_refused(url, client, fake, desk):
    """A body without a declared length is received whole, or refused where the server cannot tell its end."""
    delivery = fake.deliveries.make(url, "profile", "pat@acme.org", secret=SECRET)
    answer = client.post(url, content=iter([delivery.body[:9], delivery.body[9:]]), headers=dict(delivery.headers))

    assert (answer.status_code, len(desk.events)) in {(200, 1), (411, 0)}


def test_broken_off_delivery_is_not_taken(serve, fake, desk):
    """What breaks off on its way is not taken, not even where a part of it would make sense."""
    delivery = fake.deliveries.make("", "unsubscribe", "pat@acme.org", secret="")
    with serve(desk, AudienceWebhooks(secret=None, url_secret="s3cret")) as url:
        size = len(delivery.body)
        answer = unfinished_post(url, "/hooks/s3cret", dict(delivery.headers), delivery.body[: size // 2], size)

    assert not answer.startswith(b"HTTP/1.1 200")
    assert [] == desk.events


@pytest.mark.parametrize("path", ["/hooks/s3cret", "/hooks/s3cret/", "/hooks?secret=s3cret", "/s3cret?x=1"])
def test_secret_in_the_address_lets_in(path, serve, fake, desk):
    """A webhook that is not signed is believed when its address has the secret."""
    with serve(desk, AudienceWebhooks(secret=None, url_secret=["new", "s3cret"])) as url:
        assert [200] == fake.deliver(f"{url}{path}", "profile", "pat@acme.org").statuses
        for wrong in ("/hooks", "/hooks/S3cret", "/s3cret/hooks", "/hooks?secret=s3cre", "/hooks/s3cret?secret=x"):
            assert [403] == fake.deliver(f"{url}{wrong}", "profile", "pat@acme.org").statuses

    assert 1 == len(desk.events)


def test_signed_nonsense_is_refused(serve, client, desk):
    """What has no shape of a delivery is refused with 400."""
    with serve(desk, AudienceWebhooks(secret=None, url_secret="s3cret")) as url:
        assert 400 == client.post(f"{url}/s3cret", content=b'{"type": "unsubscribe"}').status_code
    assert [] == desk.events


def test_mandrill_is_received(serve, fake, clock, desk):
    """A webhook of Mandrill passes its trial before there is a key, then brings many events at once."""
    with serve(desk, TransactionalWebhooks(url=PUBLIC_URL, key=())) as url:
        assert fake.deliveries.check_transactional(url)
    with serve(desk, TransactionalWebhooks(url=PUBLIC_URL, key=["new", KEY])) as url:
        events = [fake.deliveries.message_event("hard_bounce", f"p{number}@acme.org") for number in range(1000)]
        # The address that is signed is the public one; a proxy hands over another.
        delivery = fake.deliveries.send_transactional(url, events, key=KEY, signed_url=PUBLIC_URL)
        forged = fake.deliveries.send_transactional(url, events, key="another", signed_url=PUBLIC_URL)

    assert ([200], [403]) == (delivery.statuses, forged.statuses)
    assert ["p0@acme.org", "p999@acme.org"] == [desk.events[0].address, desk.events[999].address]
    assert 1000 == len(desk.events)


def test_receiver_starts_before_its_webhook(serve, clock, desk, tmp_path):
    """A receiver answers the trial, is registered, finds the new secret in the vault, and follows its replacement."""
    vault = EncryptedVault(tmp_path / "acme.vault", key=KeyRing.generate())
    deliveries = AudienceWebhooks(secret=vault.reference("webhook"), clock=clock)
    with (
        FakeMailchimp(clock=clock, check_webhook_urls=True) as fake,
        MailchimpSink(fake.api_key, list_id=fake.list_id, base_url=fake.base_url) as sink,
        serve(desk, deliveries) as url,
    ):
        for renew in (False, True):
            sink.webhooks.ensure(url, vault=vault, name="webhook", renew=renew)
            fake.add_member("pat@acme.org")
            assert [200] == fake.deliver(url, "unsubscribe", "pat@acme.org").statuses
            assert [403] == fake.deliver(url, "unsubscribe", "pat@acme.org", secret="another").statuses

    assert 2 == len(desk.events)


@pytest.mark.parametrize(
    "make",
    [
        lambda: AudienceWebhooks(secret=None),
        lambda: AudienceWebhooks(secret=""),
        lambda: AudienceWebhooks(secret=[]),
        lambda: AudienceWebhooks(secret=None, url_secret=""),
        lambda: AudienceWebhooks(secret="a", url_secret=[]),
        lambda: TransactionalWebhooks(url=PUBLIC_URL, key=""),
    ],
)
def test_missing_secret_is_found_at_once(make):
    """A secret that is not there stops the program when it starts, not the first delivery."""
    with pytest.raises(ConfigurationError):
        make()


def test_settings_do_not_show_secrets():
    """What is printed of the settings has no secret in it."""
    shown = repr([AudienceWebhooks(secret=SECRET, url_secret="s3cret"), TransactionalWebhooks(url=PUBLIC_URL, key=KEY)])

    assert not any(each in shown for each in (SECRET, "s3cret", KEY, PUBLIC_URL))


def test_asgi_takes_http_only(desk):
    """A server that offers start-up messages or web sockets is told that there is no use for them."""
    receiver = asgi.WebhookReceiver(desk.take, AudienceWebhooks(secret=SECRET))

    with pytest.raises(ValueError, match="lifespan"):
        asyncio.run(receiver({"type": "lifespan"}, None, None))


def _environ(**rest: Any) -> dict[str, Any]:
    from io import BytesIO

    return {"REQUEST_METHOD": "POST", "wsgi.input": BytesIO(rest.pop("body", b"")), **rest}


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"CONTENT_LENGTH": ""}, 200),
        ({"CONTENT_LENGTH": "0"}, 200),
        ({"CONTENT_LENGTH": "-5"}, 400),
        ({"CONTENT_LENGTH": "٣"}, 400),
        ({"CONTENT_LENGTH": "5", "body": b"abc"}, 400),
        ({"HTTP_TRANSFER_ENCODING": "chunked", "body": b"abc"}, 411),
        ({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "body": b"type=x"}, 403),
        ({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "body": b"x" * 2_000_000}, 413),
        ({"CONTENT_LENGTH": "9999999999999", "body": b"x" * 2_000_000}, 413),
    ],
)
def test_servers_tell_lengths_in_many_ways(environ, status, desk):
    """However a WSGI server tells where a body ends, nothing is taken for an empty one that is not."""
    answers: list[str] = []
    receiver = wsgi.WebhookReceiver(desk.take, AudienceWebhooks(secret=SECRET))
    receiver(_environ(**environ), lambda line, headers: answers.append(line))

    assert [status] == [int(line[:3]) for line in answers]
    assert [] == desk.events
