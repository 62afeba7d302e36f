"""Webhook deliveries: who is believed, and what they are read as."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from mlconnector_sdk import parse_transactional_webhook, parse_webhook
from mlconnector_sdk.errors import ConfigurationError, WebhookError
from mlconnector_sdk.mailchimp import verify_url_secret
from mlconnector_sdk.mailchimp._forms import tree_of
from mlconnector_sdk.models import WebhookEvent
from mlconnector_sdk.testing import FakeClock, FakeMailchimp

SECRET = "6e1f9a7c0b2d4e58"
KEY = "mandrill-key"
URL = "https://hooks.acme.org/mailchimp"


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="fake")
def _fake(clock: FakeClock) -> FakeMailchimp:
    fake = FakeMailchimp(clock=clock)
    fake.add_member("Pat@Acme.org", merge_fields={"FNAME": "Pat"})
    return fake


def read(delivery: Any, **settings: Any) -> list[WebhookEvent]:
    """What a delivery of the fake is read as, when it was made unless said otherwise."""
    return parse_webhook(delivery.headers, delivery.body, **{"secret": SECRET, "now": delivery.due, **settings})


def read_form(fields: dict[str, str]) -> list[WebhookEvent]:
    """What a form is read as that needs no signature."""
    return parse_webhook({}, urlencode(fields).encode(), secret=None, url_secret=("s3cret", "s3cret"))


def reason_of(delivery: Any, **settings: Any) -> str:
    """Why a delivery is refused; its error tells nothing of what is in it."""
    with pytest.raises(WebhookError) as caught:
        read(delivery, **settings)
    for told in (str(caught.value), repr(caught.value), repr(caught.value.__context__)):
        assert "acme.org" not in told
        assert SECRET not in told
    return caught.value.reason


# Whom to believe


def test_signed_delivery_is_believed(fake):
    """A delivery signed with the secret is read."""
    [event] = read(fake.deliveries.make(URL, "unsubscribe", "pat@acme.org", secret=SECRET))

    assert ("unsubscribe", "pat@acme.org", "unsub", "manual") == (event.kind, event.address, event.action, event.reason)
    assert ("marketing", fake.list_id, fake.present()) == (event.origin, event.list_id, event.at)
    assert "Pat" == event.raw["data"]["merges"]["FNAME"]


def test_unsigned_delivery_is_refused(fake):
    """Where there is a secret, a missing header is a failure."""
    delivery = fake.deliveries.make(URL, "profile", "pat@acme.org", secret="")

    assert "signature_missing" == reason_of(delivery)
    delivery.headers = {"X-Mailchimp-Signature": ""}
    assert "signature_missing" == reason_of(delivery)


def test_forged_delivery_is_refused(fake):
    """A signature by another secret, or over another body, is wrong."""
    delivery = fake.deliveries.make(URL, "profile", "pat@acme.org", secret="another")
    assert "signature_wrong" == reason_of(delivery)

    delivery = fake.deliveries.make(URL, "profile", "pat@acme.org", secret=SECRET)
    delivery.body = delivery.body.replace(b"profile", b"cleaned")
    assert "signature_wrong" == reason_of(delivery)


def test_reordered_fields_are_another_body(fake):
    """The signature covers the bytes: the same fields in another order are not what was signed."""
    delivery = fake.deliveries.make(URL, "cleaned", "pat@acme.org", secret=SECRET)
    delivery.body = b"&".join(reversed(delivery.body.split(b"&")))

    assert "signature_wrong" == reason_of(delivery)


@pytest.mark.parametrize(
    "header",
    [
        "t=1,v1",
        "t=,v1=ab",
        "v1=ab",
        "t=1772366400",
        "t=1,t=2,v1=ab",
        "t=-1,v1=ab",
        "t=1.5,v1=ab",
        "t=١٢,v1=ab",
        "t=99999999999999,v1=ab",
        "1772366400",
        ",,,=,",
    ],
)
def test_malformed_signature_is_refused(header, fake):
    """A header of another shape passes nowhere, and breaks nothing."""
    delivery = fake.deliveries.make(URL, "profile", "pat@acme.org", secret=SECRET)
    delivery.headers = {"X-Mailchimp-Signature": header}

    assert reason_of(delivery) in {"signature_malformed", "signature_wrong"}


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_signature_holds_for_five_minutes(seconds, fake):
    """Late deliveries pass, and so do those of a clock that is ahead, up to the tolerance."""
    delivery = fake.deliveries.make(URL, "profile", "pat@acme.org", secret=SECRET)

    assert read(delivery, now=delivery.due + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_stale_signature_is_refused(seconds, fake):
    """What is older cannot be told from a recording that somebody plays again."""
    delivery = fake.deliveries.make(URL, "profile", "pat@acme.org", secret=SECRET)
    later = delivery.due + timedelta(seconds=seconds)

    assert "signature_stale" == reason_of(delivery, now=later)
    assert read(delivery, now=later, tolerance=timedelta(days=2))
    assert read(delivery, now=later, tolerance=86_400.0)


def test_present_is_that_of_this_machine(fake):
    """Without `now` the machine's clock counts: a signature of another year is stale."""
    delivery = fake.deliveries.make(URL, "profile", "pat@acme.org", secret=SECRET)

    assert "signature_stale" == reason_of(delivery, now=None, tolerance=0.0)


def test_secret_can_be_replaced(fake):
    """While a secret is replaced either may sign: on our side by a list, on theirs by several signatures."""
    old, new = (fake.deliveries.make(URL, "profile", "pat@acme.org", secret=each) for each in ("old", "new"))
    assert read(old, secret=["new", "old"])
    assert read(new, secret=("new", "old"))

    signature = new.headers["X-Mailchimp-Signature"].partition(",")[2]
    old.headers = {"X-Mailchimp-Signature": f"{old.headers['X-Mailchimp-Signature']}, {signature},v0=x"}
    assert read(old, secret="new")
    assert read(old, secret="old")
    assert "signature_wrong" == reason_of(old, secret="older")


class Reference:
    """Says where a secret is to be found."""

    def __init__(self, secret: str | None) -> None:
        self.secret = secret

    def reveal(self) -> str:
        """The secret, where it is there."""
        if self.secret is None:
            raise ConfigurationError("the vault has no such secret", reason="vault_secret")
        return self.secret


def test_secret_may_lie_in_a_vault(fake):
    """A reference is looked up by each delivery, and not before: a receiver starts before there is a webhook."""
    delivery = fake.deliveries.make(URL, "profile", "pat@acme.org", secret=SECRET)
    reference = Reference(None)
    assert [] == parse_webhook({}, b"", secret=reference)
    assert [] == parse_transactional_webhook(URL, {}, b"", key=reference)
    with pytest.raises(ConfigurationError, match="vault"):
        read(delivery, secret=reference)

    reference.secret = SECRET
    assert read(delivery, secret=reference)
    assert read(delivery, secret=["new", reference])
    assert read(delivery, secret=None, url_secret=(SECRET, reference))
    headers, body = signed(fake, {"mandrill_events": "[{}]"}, key=SECRET)
    assert parse_transactional_webhook(URL, headers, body, key=reference)

    reference.secret = ""
    with pytest.raises(ConfigurationError, match="empty"):
        read(delivery, secret=reference)


@pytest.mark.parametrize("shape", ["mapping", "pairs", "bytes", "capitals"])
def test_headers_come_in_any_form(shape, fake):
    """Frameworks hold headers as mappings or pairs, as text or bytes, in any case."""
    delivery = fake.deliveries.make(URL, "profile", "pat@acme.org", secret=SECRET)
    shapes: dict[str, Any] = {
        "mapping": delivery.headers,
        "pairs": iter(delivery.headers.items()),
        "bytes": [(name.lower().encode(), value.encode()) for name, value in delivery.headers.items()],
        "capitals": {name.upper().encode(): value.encode() for name, value in delivery.headers.items()},
    }

    assert parse_webhook(shapes[shape], delivery.body, secret=SECRET, now=delivery.due)


def test_empty_body_is_a_question(fake):
    """Mailchimp tries an address by an empty POST, which nobody signs: it is no event."""
    assert [] == parse_webhook({}, b"", secret=SECRET)
    assert [] == parse_webhook({}, b"", secret=None, url_secret=("a", "a"))


@pytest.mark.parametrize("settings", [{"secret": ""}, {"secret": ["a", ""]}, {"secret": ()}, {"secret": None}])
@pytest.mark.parametrize("body", [b"", b"type=profile"])
def test_secret_that_is_none_is_a_mistake(settings, body):
    """A secret that was read from an unset variable never means that everything is believed."""
    with pytest.raises(ConfigurationError) as caught:
        parse_webhook({}, body, **settings)
    assert "no_secret" == caught.value.reason


# Secrets in addresses


def test_unsigned_delivery_is_believed_by_its_address(fake):
    """A webhook from before there were signatures is believed when its address has the secret."""
    delivery = fake.deliveries.make(URL, "profile", "pat@acme.org", secret="")

    assert read(delivery, secret=None, url_secret=("new", ["new", "old"]))
    assert "url_secret_wrong" == reason_of(delivery, secret=None, url_secret=("newer", ["new", "old"]))
    assert "url_secret_wrong" == reason_of(delivery, secret=None, url_secret=(None, "new"))
    assert "url_secret_wrong" == reason_of(delivery, secret=None, url_secret=("ü\ud800", "new"))


def test_address_does_not_stand_in_for_a_signature(fake):
    """Where both are given, both must fit."""
    unsigned = fake.deliveries.make(URL, "profile", "pat@acme.org", secret="")
    signed = fake.deliveries.make(URL, "profile", "pat@acme.org", secret=SECRET)

    assert "signature_missing" == reason_of(unsigned, url_secret=("a", "a"))
    assert "url_secret_wrong" == reason_of(signed, url_secret=("b", "a"))
    assert read(signed, url_secret=("a", "a"))


@pytest.mark.parametrize("expected", ["", [], ["a", ""]])
def test_empty_address_secret_is_a_mistake(expected):
    """An expected secret that is empty would fit every address without one."""
    with pytest.raises(ConfigurationError):
        verify_url_secret("", expected)


# What cannot be a delivery


def test_large_body_is_refused(fake):
    """A body of a megabyte or more is refused before anything is made of it; the bound is a setting."""
    delivery = fake.deliveries.make(URL, "profile", "pat@acme.org", secret=SECRET)
    size = len(delivery.body)

    assert "too_large" == reason_of(delivery, limit_bytes=size)
    assert read(delivery, limit_bytes=size + 1)
    delivery.body = b"x" * 1_000_000
    assert "too_large" == reason_of(delivery)


@pytest.mark.parametrize("body", [b"{}", b"type=", b"data[id]=1", b"type[a]=1", b"\xff\xfe", b"&&&", b"%"])
def test_body_without_a_type_is_refused(body):
    """What has no type is no delivery of the Marketing API."""
    with pytest.raises(WebhookError) as caught:
        parse_webhook({}, body, secret=None, url_secret=("a", "a"))
    assert "unreadable" == caught.value.reason


@pytest.mark.parametrize("size", range(0, 120, 7))
def test_truncated_delivery_is_refused(size, fake):
    """A body that broke off on its way has no valid signature, wherever it broke."""
    delivery = fake.deliveries.make(URL, "unsubscribe", "pat@acme.org", secret=SECRET)
    delivery.body = delivery.body[: size + 1]

    assert "signature_wrong" == reason_of(delivery)


# What deliveries are read as


def test_changed_address_names_both(fake):
    """Of a change the address is the new one, and the one until now is told too."""
    [event] = read(fake.deliveries.make(URL, "upemail", "Patricia@acme.org ", old_email=" Pat@Acme.org", secret=SECRET))

    assert ("patricia@acme.org", "pat@acme.org") == (event.address, event.previous_address)


def test_unknown_kind_is_an_event(fake):
    """What the vendor thinks up next comes along under its own name and nothing more."""
    [event] = read(fake.deliveries.make(URL, "sms_unsubscribe", secret=SECRET, sms_phone_number="+15550100"))

    assert ("sms_unsubscribe", "", "", None) == (event.kind, event.address, event.reason, event.action or None)
    assert "+15550100" == event.raw["data"]["sms_phone_number"]


def test_address_among_the_merge_fields_counts(fake):
    """Events about text messages may have the address there only."""
    [event] = read(fake.deliveries.make(URL, "sms_subscribe", secret=SECRET, merges={"EMAIL": "Pat@acme.org"}))

    assert "pat@acme.org" == event.address


@pytest.mark.parametrize("domain", ["forgotten.mailchimp.com", "us6.Forgotten.mailchimp.com"])
def test_forgotten_address_is_no_event(domain, fake):
    """What the addresses of people become who were deleted for good means nothing to anybody."""
    assert [] == read(fake.deliveries.make(URL, "unsubscribe", f"x1@{domain}", secret=SECRET))
    assert [] == read(fake.deliveries.make(URL, "upemail", f"x1@{domain}", old_email="pat@acme.org", secret=SECRET))
    assert read(fake.deliveries.make(URL, "profile", "x1@notforgotten.mailchimp.com", secret=SECRET))


def test_campaign_has_no_address(fake):
    """A campaign's own id is told as such; it concerns nobody in particular."""
    [event] = read(fake.deliveries.make(URL, "campaign", secret=SECRET, id="c4mp"))

    assert ("c4mp", "") == (event.campaign_id, event.address)


def test_time_that_cannot_be_read_is_left_out():
    """A stamp of another form does not cost the event."""
    [event] = read_form({"type": "profile", "fired_at": "yesterday", "data[email]": "pat@acme.org"})

    assert event.at is None
    assert event.receipt


def test_receipt_is_of_the_event(fake, clock):
    """The same event has the same receipt whenever it comes; any other has another."""
    clock.advance(seconds=0.4)
    first = fake.deliveries.make(URL, "unsubscribe", "pat@acme.org", secret=SECRET)
    clock.advance(minutes=4)
    first_again = read(first, now=fake.present())[0].receipt
    others = [
        fake.deliveries.make(URL, "unsubscribe", "pat@acme.org", secret=SECRET),
        fake.deliveries.make(URL, "profile", "pat@acme.org", secret=SECRET),
        fake.deliveries.make(URL, "profile", "pat@acme.org", secret=SECRET, list_id="another"),
        fake.deliveries.make(URL, "unsubscribe", "pat@acme.org", secret=SECRET, action="delete"),
        fake.deliveries.make(URL, "cleaned", "pat@acme.org", secret=SECRET),
        fake.deliveries.make(URL, "cleaned", "ann@acme.org", secret=SECRET),
        fake.deliveries.make(URL, "sms_unsubscribe", secret=SECRET, sms_phone_number="+15550100"),
        fake.deliveries.make(URL, "sms_unsubscribe", secret=SECRET, sms_phone_number="+15550101"),
    ]

    assert first_again == read(first)[0].receipt
    assert 1 + len(others) == len({first_again, *(read(each, now=fake.present())[0].receipt for each in others)})


def test_order_of_fields_does_not_matter_to_the_receipt():
    """A receipt is made of what the fields say."""
    fields = {"type": "sms_x", "fired_at": "2026-03-01 12:00:00", "data[a]": "1", "data[b]": "2"}

    assert read_form(fields)[0].receipt == read_form(dict(reversed(fields.items())))[0].receipt


def test_event_does_not_show_whom_it_concerns(fake):
    """An event that is printed or logged shows neither address nor data."""
    [event] = read(fake.deliveries.make(URL, "upemail", "pat@acme.org", old_email="p@acme.org", secret=SECRET))

    assert "acme.org" not in repr(event)


# Forms


def test_bracket_keys_become_a_tree():
    """Nested merge fields and groups come out as PHP would have them."""
    body = (
        b"data[merges][ADDRESS][addr1]=1+Main+St&data%5Bmerges%5D%5BFNAME%5D=J%C3%BCrg&data[g][0][name]=a&x[]=1&x[]=2"
    )

    assert {
        "data": {"merges": {"ADDRESS": {"addr1": "1 Main St"}, "FNAME": "Jürg"}, "g": {"0": {"name": "a"}}},
        "x": {"0": "1", "1": "2"},
    } == tree_of(body)


@pytest.mark.parametrize(
    ("body", "tree"),
    [
        (b"a=1&a=2", {"a": "2"}),
        (b"a=1&a[b]=2", {"a": {"b": "2"}}),
        (b"a[b]=1&a=2", {"a": "2"}),
        (b"a[b=1&a]b=2&[c]=3", {"a[b": "1", "a]b": "2", "[c]": "3"}),
        (b"a&=1&&b=", {"a": "", "b": ""}),
        (b"a=%zz%e4", {"a": "%zz\ufffd"}),
        (b"a" + b"[b]" * 15 + b"=1&c=2", {"a": json.loads('{"b":' * 15 + '"1"' + "}" * 15), "c": "2"}),
        (b"a" + b"[b]" * 16 + b"=1&c=2", {"c": "2"}),
    ],
)
def test_odd_forms_are_read_without_complaint(body, tree):
    """Later values replace earlier ones, keys without sense stay as they are, endless nesting is left out."""
    assert tree == tree_of(body)


# Mandrill


def signed(fake: FakeMailchimp, form: dict[str, str], key: str = KEY, url: str = URL) -> tuple[dict[str, str], bytes]:
    """Headers and body of a delivery of Mandrill with any form."""
    delivery = fake.deliveries.make_transactional(url, [], key=key)
    body = urlencode(form).encode()
    return dict(delivery.sign(body, fake.present())), body


def read_transactional(fake: FakeMailchimp, *events: Any) -> list[WebhookEvent]:
    """What events are read as that come properly signed."""
    headers, body = signed(fake, {"mandrill_events": json.dumps(events)})
    return parse_transactional_webhook(URL, headers, body, key=KEY)


def test_message_events_are_read(fake):
    """A bounce tells who, why and when; a rejection has its reason from the message."""
    bounce, reject = read_transactional(
        fake,
        fake.deliveries.message_event("hard_bounce", "Pat@acme.org", bounce_description="bad_mailbox"),
        fake.deliveries.message_event("reject", "pat@acme.org", reject={"reason": "unsub"}),
    )

    assert ("transactional", "hard_bounce", "pat@acme.org") == (bounce.origin, bounce.kind, bounce.address)
    assert ("bad_mailbox", fake.present()) == (bounce.reason, bounce.at)
    assert ("reject", "unsub") == (reject.kind, reject.reason)


def test_list_events_are_read(fake):
    """Changes to the lists of blocked and allowed addresses have no `event`; their type is the kind."""
    [event] = read_transactional(fake, fake.deliveries.sync_event("Pat@acme.org", action="remove", reason="spam"))

    assert ("blacklist", "remove", "spam", "pat@acme.org") == (event.kind, event.action, event.reason, event.address)


def test_thousand_events_come_at_once(fake):
    """One delivery can have a thousand events, each with its own receipt."""
    events = [fake.deliveries.message_event("open", "pat@acme.org", _id=f"m{number}") for number in range(1000)]

    assert 1000 == len({event.receipt for event in read_transactional(fake, *events)})


def test_message_is_not_its_events(fake, clock):
    """The id is the message's: what happened to it twice, or in two ways, are different events."""
    events = [fake.deliveries.message_event("click", "pat@acme.org", _id="m1") for _ in range(2)]
    events[1]["url"] = "https://acme.org/offer"
    events.append(fake.deliveries.message_event("open", "pat@acme.org", _id="m1"))
    clock.advance(seconds=1)
    events.append(fake.deliveries.message_event("open", "pat@acme.org", _id="m1"))

    assert 4 == len({event.receipt for event in read_transactional(fake, *events)})
    assert 1 == len({event.receipt for event in read_transactional(fake, events[0], events[0])})


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"event": 7, "msg": [], "ts": "soon"},
        {"event": "spam", "ts": True, "msg": {"email": None}},
        {"event": "spam", "ts": 1e300},
        {"event": "spam", "ts": float("inf")},
        {"event": "spam", "ts": float("nan")},
        {"event": "spam", "ts": -(10**40)},
        {"type": "blacklist", "reject": "no"},
        {"event": "\ud800", "_id": "\udfff", "msg": {"email": "\ud800@acme.org"}},
    ],
)
def test_odd_events_do_not_cost_the_others(entry, fake):
    """An event that lacks what events have is an event all the same, and its neighbours are read."""
    odd, good = read_transactional(fake, entry, fake.deliveries.message_event("spam", "pat@acme.org"))

    assert odd.at is None
    assert odd.receipt
    assert f"{odd.kind}{odd.address}{odd.receipt}".encode()
    assert "pat@acme.org" == good.address


def test_what_is_no_event_is_passed_over(fake):
    """Entries that are no objects mean nothing."""
    assert [] == read_transactional(fake, 1, None, "x", [])


def test_mandrill_signature_covers_url_and_form(fake):
    """Another URL, key or field is refused; the names of headers may be in any case."""
    headers, body = signed(fake, {"mandrill_events": json.dumps([{"event": "spam"}]), "b": "2", "a": "ü 1"})
    lower = {name.lower(): value for name, value in headers.items()}

    assert parse_transactional_webhook(URL, lower, body, key=["new", KEY])
    for url, changed, key in (
        (f"{URL}/", body, KEY),
        (URL, body + b"&c=3", KEY),
        (URL, body, "another"),
        (URL, body, ()),
    ):
        with pytest.raises(WebhookError) as caught:
            parse_transactional_webhook(url, headers, changed, key=key)
        assert "signature_wrong" == caught.value.reason
    with pytest.raises(WebhookError) as caught:
        parse_transactional_webhook(URL, {}, body, key=KEY)
    assert "signature_missing" == caught.value.reason


def test_trial_key_signs_nothing_but_the_trial(fake):
    """The key that everybody knows opens the door to an empty delivery only."""
    headers, body = signed(fake, {"mandrill_events": "[]"}, key="test-webhook")
    assert [] == parse_transactional_webhook(URL, headers, body, key=KEY)

    headers, body = signed(fake, {"mandrill_events": '[{"event":"spam"}]'}, key="test-webhook")
    with pytest.raises(WebhookError) as caught:
        parse_transactional_webhook(URL, headers, body, key=KEY)
    assert "signature_wrong" == caught.value.reason


@pytest.mark.parametrize("text", ["", "{}", "7", "[", '[{"a":', "[" * 100_000, "NaN", "9" * 5000, "[[]]x"])
def test_form_without_events_is_refused(text, fake):
    """What is no list of events is no delivery, however well it is signed."""
    headers, body = signed(fake, {"mandrill_events": text})

    with pytest.raises(WebhookError) as caught:
        parse_transactional_webhook(URL, headers, body, key=KEY)
    assert "unreadable" == caught.value.reason


def test_empty_mandrill_body_and_key():
    """An empty body is no event; an empty key is a mistake; a huge body is refused at once."""
    assert [] == parse_transactional_webhook(URL, {}, b"", key=KEY)
    with pytest.raises(ConfigurationError):
        parse_transactional_webhook(URL, {}, b"", key="")
    with pytest.raises(WebhookError) as caught:
        parse_transactional_webhook(URL, {}, b"x" * 100, key=KEY, limit_bytes=100)
    assert "too_large" == caught.value.reason


def fate(fake: FakeMailchimp, text: str) -> str:
    """`read`, or the reason of the refusal."""
    headers, body = signed(fake, {"mandrill_events": text})
    try:
        parse_transactional_webhook(URL, headers, body, key=KEY)
    except WebhookError as error:
        return error.reason
    return "read"


def test_nested_events_never_overflow(fake):
    """However deep an event is nested, it is read or refused."""
    fates = [fate(fake, '[{"a":' + "[" * levels + "]" * levels + "}]") for levels in (10, *range(850, 1050), 50_000)]

    assert ("read", "unreadable") == (fates[0], fates[-1])
    assert {"read", "unreadable"} == set(fates)


def test_times_are_aware(fake):
    """Whatever is read has a time zone."""
    [event] = read_form({"type": "profile", "fired_at": "2026-03-01 12:00:00"})

    assert datetime(2026, 3, 1, 12, tzinfo=UTC) == event.at
