from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from mlconnector_sdk.credentials import EncryptedVault, KeyRing
from mlconnector_sdk.errors import ConfigurationError, ContractError, MLConnectorError, UnavailableError, VaultError
from mlconnector_sdk.mailchimp import MailchimpSink, Webhooks, parse_webhook, webhook_secret_name
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.testing.fakes import FakeServer, Reply, Request
from mlconnector_sdk.testing.fakes._mailchimp import FakeMailchimp

URL = "https://hooks.acme.org/mailchimp/6f0c-secret"
NAME = "mailchimp webhook a1b2c3d4e5 "
EVENTS = {"subscribe", "unsubscribe", "profile", "cleaned", "upemail"}


class Box:
    """A vault of the plainest kind, which may be shut."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.shut = False

    def get(self, name: str) -> str:
        if name not in self.kept:
            raise ConfigurationError("there is none")
        return self.kept[name]

    def put(self, name: str, secret: str) -> None:
        if self.shut:
            raise OSError("the disk is full")
        self.kept[name] = secret


class Receiver(FakeServer):
    """A receiver of deliveries that answers every look with `status`."""

    status = 200

    def handle(self, request: Request) -> Reply:
        return Reply(self.status)


@pytest.fixture(name="hooks")
def _hooks(sink: MailchimpSink) -> Webhooks:
    return sink.webhooks


@pytest.fixture(name="box")
def _box() -> Box:
    return Box()


@pytest.fixture(name="receiver")
def _receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def only(fake: FakeMailchimp) -> dict[str, Any]:
    """The audience's only webhook, as Mailchimp has it."""
    (hook,) = fake.webhooks.values()
    return hook


# Creating


def test_a_webhook_is_created_with_its_secret_kept(fake, hooks, box):
    """One call registers the URL and stores the secret under a name that the receiver can tell from its URL."""
    hook = hooks.ensure(URL, vault=box)
    name = webhook_secret_name(fake.list_id, URL)
    assert {name: only(fake)["signing_secret"]} == box.kept
    assert ("created", True, name) == (hook.outcome, hook.signed, hook.secret_name)
    assert (name.startswith(NAME), "6f0c" in name) == (True, False)


def test_everything_is_sent(fake, hooks, box):
    """Every event and source is named, because the defaults of those left out are not documented."""
    hooks.ensure(URL, vault=box)
    body = json.loads(fake.requests("POST", "/webhooks")[0].request.body)
    assert {**dict.fromkeys(EVENTS, True), "campaign": False} == body["events"]
    assert {"user": True, "admin": True, "api": False} == body["sources"]


def test_events_are_the_callers_choice(fake, hooks, box):
    """Only the events asked for are told; newer ones are named only then."""
    hook = hooks.ensure(URL, vault=box, events={"unsubscribe", "sms_unsubscribe"})
    on = {"unsubscribe", "sms_unsubscribe"}
    assert (on, on) == (hook.events, {name for name, wanted in only(fake)["events"].items() if wanted})


@pytest.mark.parametrize("events", [[], ["unsubscribed"], "unsubscribe", ["cleaned", "sub"]])
def test_unknown_events_are_met_before_the_first_call(fake, hooks, box, events):
    """A misspelt event is a matter of settings, and the message lists those there are."""
    with pytest.raises(ConfigurationError, match="upemail"):
        hooks.ensure(URL, vault=box, events=events)
    assert [] == fake.log


@pytest.mark.parametrize("places", [{}, {"vault": Box(), "save_secret": str}])
def test_the_secret_needs_one_place(fake, hooks, places):
    """Without a place for the secret, or with two, nothing is sent."""
    with pytest.raises(ConfigurationError, match="save_secret="):
        hooks.ensure(URL, **places)
    assert [] == fake.log


@pytest.mark.parametrize("url", ["hooks.acme.org/x", "ftp://hooks.acme.org", "https://me:pw@hooks.acme.org"])
def test_a_url_that_is_none_is_refused_at_once(fake, hooks, box, url):
    """What is no address of a receiver is not sent."""
    with pytest.raises(ConfigurationError):
        hooks.ensure(url, vault=box)
    assert [] == fake.log


def test_a_callable_is_told_the_secret_once(fake, hooks):
    """Who has no vault gets the secret at creation, and is not asked again."""
    told: list[str] = []
    hooks.ensure(URL, save_secret=told.append)
    hooks.ensure(URL, save_secret=told.append)
    assert [only(fake)["signing_secret"]] == told


def test_the_secret_verifies_what_is_signed_with_it(fake, hooks, box):
    """What the vault holds is what deliveries are checked with."""
    hook = hooks.ensure(URL, vault=box, name="hook")
    body = b"type=unsubscribe&fired_at=2026-03-01+12%3A00%3A00&data%5Bemail%5D=pat%40acme.org"
    headers = {"X-Mailchimp-Signature": _signature(only(fake)["signing_secret"], 1772366400, body)}
    events = parse_webhook(headers, body, secret=box.get(hook.secret_name), now=datetime.fromtimestamp(1772366400, UTC))
    assert ["unsubscribe"] == [event.kind for event in events]


def _signature(secret: str, seconds: int, body: bytes) -> str:

    return f"t={seconds},v1={hmac.new(secret.encode(), b'%d.%b' % (seconds, body), hashlib.sha256).hexdigest()}"


# Doing it again


def test_ensuring_twice_writes_nothing(fake, hooks, box):
    """What is right already is left alone."""
    hooks.ensure(URL, vault=box)
    with fake.recording() as calls:
        hook = hooks.ensure(URL, vault=box)
    assert ("unchanged", ["GET"]) == (hook.outcome, [call.method for call in calls])


@pytest.mark.parametrize(
    "drift",
    [
        {"events": {"unsubscribe": False}},
        {"events": {"campaign": True}},
        {"sources": {"api": True}},
        {"sources": {"user": False}},
    ],
)
def test_a_webhook_that_was_changed_is_mended(fake, hooks, box, drift):
    """Events and sources are set as asked for; the webhook and its secret stay."""
    before = hooks.ensure(URL, vault=box)
    kept = dict(box.kept)
    for part, flags in drift.items():
        only(fake)[part] |= flags
    after = hooks.ensure(URL, vault=box)
    assert ("updated", before.id, kept) == (after.outcome, after.id, box.kept)
    assert (EVENTS, {"user", "admin"}) == (after.events, after.sources)
    assert "unchanged" == hooks.ensure(URL, vault=box).outcome


def test_other_events_need_no_new_secret(fake, hooks, box):
    """A different choice of events changes the webhook in place."""
    hooks.ensure(URL, vault=box)
    assert "updated" == hooks.ensure(URL, vault=box, events=["cleaned"]).outcome
    assert {"cleaned"} == {name for name, on in only(fake)["events"].items() if on}


def test_others_webhooks_stay(fake, hooks, box):
    """Webhooks of other programs are listed and left as they are."""
    other = hooks.ensure("https://other.org/hook", save_secret=str)
    hooks.ensure(URL, vault=box)
    assert {other.url, URL} == {hook.url for hook in hooks.list()}
    assert (True, False) == (hooks.remove(URL), hooks.remove(URL))
    assert ["https://other.org/hook"] == [hook.url for hook in hooks.list()]


def test_two_urls_have_two_secrets(hooks, box):
    """Each URL of an audience has a secret of its own, under a name of its own."""
    first, second = hooks.ensure(URL, vault=box), hooks.ensure(f"{URL}/2", vault=box)
    assert (2, {first.secret_name, second.secret_name}) == (len(set(box.kept.values())), set(box.kept))


# Lost secrets


def test_a_lost_secret_replaces_the_webhook(fake, hooks, box):
    """Where the vault has no secret, the webhook is made anew, and deliveries can be verified again."""
    before = hooks.ensure(URL, vault=box)
    box.kept.clear()
    after = hooks.ensure(URL, vault=box)
    assert ("created", True) == (after.outcome, before.id != after.id)
    assert [only(fake)["signing_secret"]] == list(box.kept.values())


def test_a_vault_that_is_a_mapping_will_do(fake, hooks, box, monkeypatch):
    """A vault that tells a missing secret by a LookupError is understood too."""
    monkeypatch.setattr(box, "get", lambda name: box.kept[name])
    assert "created" == hooks.ensure(URL, vault=box).outcome
    assert "unchanged" == hooks.ensure(URL, vault=box).outcome


def test_a_secret_can_be_renewed(fake, hooks, box):
    """A secret that became known is replaced on demand."""
    hooks.ensure(URL, vault=box)
    old = dict(box.kept)
    assert "created" == hooks.ensure(URL, vault=box, renew=True).outcome
    assert (old.keys(), True) == (box.kept.keys(), old != box.kept)
    assert [only(fake)["signing_secret"]] == list(box.kept.values())


def test_an_unsigned_webhook_is_replaced(fake, hooks, box):
    """A webhook from before Mailchimp signed them is made anew, though the vault has a secret of that name."""
    hooks.ensure(URL, vault=box)
    only(fake)["signing_enabled"] = False
    assert "created" == hooks.ensure(URL, vault=box).outcome
    assert (True, [only(fake)["signing_secret"]]) == (only(fake)["signing_enabled"], list(box.kept.values()))


def test_a_webhook_whose_secret_cannot_be_stored_is_taken_away(fake, hooks, box):
    """No webhook stays whose deliveries nobody can verify; the next call makes one."""
    box.shut = True
    with pytest.raises(OSError, match="disk is full"):
        hooks.ensure(URL, vault=box)
    assert {} == fake.webhooks
    box.shut = False
    assert "created" == hooks.ensure(URL, vault=box).outcome


def test_a_webhook_that_cannot_even_be_taken_away_is_told(fake, make_sink, box, caplog):
    """The first error is the one that is raised, with a note on what stayed; the next call mends it."""
    box.shut = True
    fake.fail_next(status=500, method="DELETE")
    hooks = make_sink(retry=RetryPolicy(attempts=1)).webhooks
    with pytest.raises(OSError, match="disk is full") as caught:
        hooks.ensure(URL, vault=box)
    assert (1, True) == (len(fake.webhooks), "renew=True" in caught.value.__notes__[0])
    assert "server_fault" in caplog.text
    box.shut = False
    assert "created" == hooks.ensure(URL, vault=box).outcome
    assert [only(fake)["signing_secret"]] == list(box.kept.values())


def test_a_crash_between_creation_and_storing_is_mended(fake, hooks, box):
    """A webhook that was made and whose secret never arrived is replaced by the next call."""
    fake.fail_next(drop="after", method="POST", path="/webhooks")
    hooks.ensure(URL, vault=box)
    assert [only(fake)["signing_secret"]] == list(box.kept.values())
    assert 3 == len(fake.requests("POST", "/webhooks"))


def test_another_spelling_of_the_url_is_told(fake, hooks, box):
    """A webhook that is refused as a double of one we cannot see is no webhook of ours to delete."""
    refused = {"title": "Bad Request", "status": 400, "detail": "Sorry, you can't set up multiple WebHooks for one URL"}
    fake.fail(status=400, body=refused, method="POST", path="/webhooks")
    with pytest.raises(ConfigurationError, match="another spelling") as caught:
        hooks.ensure(URL, vault=box)
    assert ("webhook_exists", []) == (caught.value.reason, fake.requests("DELETE"))


def test_a_webhook_that_is_gone_can_be_removed(fake, hooks, box):
    """Somebody else's deletion in between is no error."""
    hooks.ensure(URL, vault=box)
    fake.before_each.append(lambda request: fake.webhooks.clear() if request.method == "DELETE" else None)
    assert hooks.remove(URL)


# Signing


@pytest.mark.parametrize(("signing", "posts"), [("always", 1), ("asked", 2)])
def test_signing_is_asked_for_where_it_must_be(signing, posts, box):
    """Where new webhooks are signed only on demand, one is demanded."""
    with FakeMailchimp(webhook_signing=signing) as fake, _sink(fake) as sink:
        assert sink.webhooks.ensure(URL, vault=box).signed
        assert (posts, [only(fake)["signing_secret"]]) == (
            len(fake.requests("POST", "/webhooks")),
            list(box.kept.values()),
        )


def test_an_account_without_signing_is_told(box):
    """Where no webhook is signed none is left, and the message says how to do without."""
    with FakeMailchimp(webhook_signing="never") as fake, _sink(fake) as sink:
        with pytest.raises(ContractError, match="signed=False"):
            sink.webhooks.ensure(URL, vault=box)
        assert ({}, {}) == (fake.webhooks, box.kept)
        assert not sink.webhooks.ensure(URL, signed=False).signed
        assert "unchanged" == sink.webhooks.ensure(URL, signed=False).outcome


def test_an_answer_that_is_silent_about_signing_is_trusted_with_a_secret(fake, hooks, box):
    """Where an older answer says nothing of signing, the vault's secret decides."""
    hooks.ensure(URL, vault=box)
    del only(fake)["signing_enabled"]
    assert "unchanged" == hooks.ensure(URL, vault=box).outcome


def test_a_vault_that_cannot_be_read_costs_no_webhook(fake, hooks, tmp_path):
    """A wrong key of the vault is no lost secret: the webhook stays, and the vault's own error is raised."""
    path = tmp_path / "acme.vault"
    hooks.ensure(URL, vault=EncryptedVault(path, key=KeyRing.generate()))
    with fake.recording() as calls, pytest.raises(VaultError) as caught:
        hooks.ensure(URL, vault=EncryptedVault(path, key=KeyRing.generate()))
    assert ("wrong_key", ["GET"]) == (caught.value.reason, [call.method for call in calls])


def test_an_encrypted_vault_keeps_the_secret(fake, hooks, tmp_path):
    """The library's own vault is asked, filled, and asked again."""
    vault = EncryptedVault(tmp_path / "acme.vault", key=KeyRing.generate())
    name = hooks.ensure(URL, vault=vault).secret_name
    assert ("unchanged", only(fake)["signing_secret"]) == (hooks.ensure(URL, vault=vault).outcome, vault.get(name))
    vault.delete(name)
    assert "created" == hooks.ensure(URL, vault=vault).outcome


# The URL


def _sink(fake: FakeMailchimp) -> MailchimpSink:
    return MailchimpSink(
        fake.api_key, list_id=fake.list_id, base_url=fake.base_url, retry=RetryPolicy.immediate(attempts=2)
    )


def test_a_receiver_that_answers_is_taken(receiver, box):
    """Mailchimp's look at the URL is a GET, and any 2xx will do."""
    receiver.status = 204
    with FakeMailchimp(check_webhook_urls=True) as fake, _sink(fake) as sink:
        assert "created" == sink.webhooks.ensure(receiver.url, vault=box).outcome
    assert ["GET"] == [entry.method for entry in receiver.log]


@pytest.mark.parametrize("status", [302, 401, 404, 405, 500])
def test_a_receiver_that_refuses_the_look_is_told(receiver, box, status):
    """The message says what Mailchimp does and wants, in its words and ours, without the secret of the URL."""
    receiver.status = status
    url = f"{receiver.url}/6f0c-secret"
    with FakeMailchimp(check_webhook_urls=True) as fake, _sink(fake) as sink:
        with pytest.raises(ConfigurationError, match=rf"HTTP {status}.*by GET and wants 2xx") as caught:
            sink.webhooks.ensure(url, vault=box)
        assert ({}, {}) == (fake.webhooks, box.kept)
    error = caught.value
    assert ("webhook_refused", 400, False) == (error.reason, error.status_code, "6f0c" in f"{error}{error!r}")
    assert error.request_id


def test_a_receiver_that_is_not_there_is_told(receiver, box):
    """A URL where nobody answers is refused in the same way."""
    url = receiver.url
    receiver.stop()
    with FakeMailchimp(check_webhook_urls=True) as fake, _sink(fake) as sink, pytest.raises(ConfigurationError):
        sink.webhooks.ensure(url, vault=box)


def test_a_url_that_is_refused_on_a_change_is_told(fake, hooks, box):
    """Mailchimp may look again when a webhook is changed."""
    hooks.ensure(URL, vault=box)
    body = {"title": "Invalid Resource", "status": 400, "detail": f"The URL {URL} could not be reached."}
    fake.fail(status=400, body=body, method="PATCH")
    with pytest.raises(ConfigurationError, match=r"The URL … could not be reached") as caught:
        hooks.ensure(URL, vault=box, events=["cleaned"])
    assert "PATCH webhook" == caught.value.operation


def test_an_unknown_audience_is_answered_with_those_that_exist(make_sink, box):
    """A wrong list id is a matter of settings here too."""
    hooks = make_sink(list_id="nope").webhooks
    calls: list[Callable[[], object]] = [
        lambda: hooks.ensure(URL, vault=box),
        hooks.list,
        lambda: hooks.remove(URL),
    ]
    for call in calls:
        with pytest.raises(ConfigurationError, match="a1b2c3d4e5"):
            call()


def test_an_outage_is_raised_as_it_is(fake, make_sink, box):
    """What outlasts the retry policy says nothing about the webhook."""
    fake.fail(status=503)
    with pytest.raises(UnavailableError):
        make_sink(retry=RetryPolicy(attempts=1)).webhooks.ensure(URL, vault=box)


def test_nothing_tells_secrets(fake, hooks, box, caplog):
    """Neither reprs nor errors nor logs hold the signing secret or the URL's own."""
    caplog.set_level(logging.DEBUG)
    hook = hooks.ensure(URL, vault=box)
    fake.fail(status=400, body={"detail": URL}, method="PATCH")
    with pytest.raises(MLConnectorError) as caught:
        hooks.ensure(URL, vault=box, events=["cleaned"])
    said = f"{hook!r} {hooks.list()!r} {caught.value!r} {caught.value} {caplog.text}"
    assert [] == [secret for secret in ("6f0c", *box.kept.values()) if secret in said]
    assert "https://hooks.acme.org/…" in repr(hook)
