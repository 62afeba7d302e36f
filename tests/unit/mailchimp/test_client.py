from __future__ import annotations

import base64
import logging
import threading

import attrs
import pytest

from mlconnector_sdk.errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    MLConnectorError,
    PermissionDeniedError,
    RateLimitError,
    TimeoutExceededError,
    UnavailableError,
)
from mlconnector_sdk.mailchimp import MailchimpSink
from mlconnector_sdk.protocols import Sink
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.testing.fakes._mailchimp import FakeMailchimp
from tests.unit.mailchimp._writes import member_write

KEY = "0123456789abcdef0123456789abcdef-us6"


@attrs.frozen
class Token:
    access_token: str


def test_the_sink_keeps_the_protocol(sink):
    """A sink is what the engine asks for."""
    assert isinstance(sink, Sink)


@pytest.mark.parametrize("key", ["", "abcdef", "abcdef-", "abc def-us6", "abcdef-us6\n", "kéy-us6", "abcdef-none"])
def test_a_malformed_key_is_met_before_the_first_call(key):
    """A key that cannot be one is a matter of settings, and the message does not repeat it."""
    with pytest.raises(ConfigurationError) as caught:
        MailchimpSink(key, list_id="a1b2c3d4e5")
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize(
    "settings", [{"concurrency": 0}, {"concurrency": 11}, {"bulk_size": 0}, {"bulk_size": 501}, {"list_id": " "}]
)
def test_settings_out_of_range_are_refused(settings):
    """Numbers that Mailchimp would not take are met when the sink is made."""
    with pytest.raises(ConfigurationError):
        MailchimpSink(KEY, **{"list_id": "a1b2c3d4e5", **settings})


@pytest.mark.parametrize(
    ("auth", "root"), [(KEY, "https://us6.api.mailchimp.com/3.0"), (Token("t0ken"), "https://api.mailchimp.com/3.0")]
)
def test_the_host_follows_from_the_credential(auth, root):
    """A key names its data centre; a token without one goes to the host of all accounts."""
    with MailchimpSink(auth, list_id="a1b2c3d4e5") as sink:
        assert root == sink._client.http.base_url


def test_a_key_travels_as_basic_password(fake, sink):
    """The key is the password of basic authentication, whole."""
    sink.present()
    scheme, _, value = fake.log[0].request.headers["authorization"].partition(" ")
    assert ("Basic", fake.api_key) == (scheme, base64.b64decode(value).decode().partition(":")[2])


def test_a_token_travels_as_bearer_and_is_asked_each_time(fake, make_sink):
    """A token object's text of the moment is sent."""

    class Renewed:
        texts = iter(["first", "second", "third"])

        @property
        def access_token(self) -> str:
            return next(self.texts)

    fake.tokens |= {"second", "third"}
    sink = make_sink(auth=Renewed())
    sink.present()
    sink.present()
    assert ["Bearer second", "Bearer third"] == [entry.request.headers["authorization"] for entry in fake.log]


def test_nothing_tells_the_key(fake, make_sink, caplog):
    """Neither repr nor errors nor logs hold the key or an address."""
    caplog.set_level(logging.DEBUG)
    sink = make_sink(auth="f" * 32 + "-us9")
    with pytest.raises(AuthenticationError) as caught:
        sink.write_members([member_write("pat@acme.org")])
    said = f"{sink!r} {caught.value} {caught.value!r} {caplog.text}"
    assert "f" * 32 not in said
    assert "pat@acme.org" not in said


def test_wrong_credentials_are_tried_once(fake, make_sink):
    """A refused key is never sent again by itself."""
    sink = make_sink(auth="wrong-us6")
    with pytest.raises(AuthenticationError):
        sink.present()
    assert 1 == len(fake.log)


def test_a_role_without_the_right_stops_the_run():
    """A viewer's key is no matter of the record."""
    with (
        FakeMailchimp(role="viewer") as fake,
        MailchimpSink(fake.api_key, list_id=fake.list_id, base_url=fake.base_url) as sink,
        pytest.raises(PermissionDeniedError),
    ):
        sink.write_members([member_write("pat@acme.org")])


@pytest.mark.parametrize("body", [None, "<html><title>Access denied</title></html>"])
def test_throttling_without_json_is_waited_out(fake, sink, body):
    """An empty or HTML 403 is the content network's throttle: the call is repeated and goes through."""
    fake.fail_next(403, times=2, body=body)
    assert "created" == sink.write_members([member_write("pat@acme.org")])[0].kind


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 429}, RateLimitError),
        ({"status": 503}, UnavailableError),
        ({"drop": "before"}, UnavailableError),
        ({"status": 504, "body": "<html>"}, TimeoutExceededError),
        ({"truncate": 5}, UnavailableError),
    ],
)
def test_an_outage_is_raised_when_patience_ends(fake, make_sink, fault, error):
    """What outlasts the retry policy is raised as it is, not turned into dead records."""
    fake.fail(**fault)
    sink = make_sink(retry=RetryPolicy(attempts=1))
    with pytest.raises(error):
        sink.write_members([member_write("pat@acme.org")])


def test_an_answer_that_is_no_document_is_a_contract_error(fake, sink):
    """A proxy's 200 without JSON is no success."""
    fake.fail(status=200, body=b"OK")
    with pytest.raises(ContractError):
        sink.inspect([])


def test_all_sinks_of_an_account_share_its_connections(fake, make_sink):
    """Two sinks with eight threads each never have more than the account's limit under way."""
    fake.latency = 0.01
    sinks = [make_sink(concurrency=3), make_sink(concurrency=8)]
    failed: list[MLConnectorError] = []

    def ask(sink: MailchimpSink) -> None:
        try:
            for _ in range(4):
                sink.present()
        except MLConnectorError as error:
            failed.append(error)

    threads = [threading.Thread(target=ask, args=(sinks[number % 2],)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ([], True, 64) == (failed, fake.max_in_flight <= 3, sum(sink.request_count for sink in sinks))


def test_waits_are_announced(fake, sink):
    """The listener learns operation and reason of each pause."""
    heard: list[tuple[str, str]] = []
    sink.attach(on_wait=lambda system, operation, error, seconds, tries: heard.append((operation, error.reason)))
    fake.fail_next(429)
    sink.present()
    assert [("GET ping", "rate_limited")] == heard


def test_an_engine_brings_its_own_patience(fake, make_sink):
    """An attached retry policy replaces the sink's; attaching none leaves it."""
    sink = make_sink(retry=RetryPolicy(attempts=1))
    sink.attach(retry=RetryPolicy.immediate(attempts=3))
    sink.attach()
    fake.fail_next(503, times=2)
    sink.present()
    assert 3 == sink.request_count


def test_closing_is_no_end(sink):
    """A sink may be closed twice, and opens again when it is used again."""
    sink.close()
    sink.close()
    assert sink.present().tzinfo is not None
