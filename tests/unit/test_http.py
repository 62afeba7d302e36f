"""The one HTTP layer: translation of errors, repeats, redaction, counting."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from mlconnector_sdk._http import HttpClient, HttpReply, checked_url, looks_like_html, retry_after
from mlconnector_sdk.errors import (
    ConfigurationError,
    MLConnectorError,
    RateLimitError,
    TimeoutExceededError,
    TransientError,
    UnavailableError,
)
from mlconnector_sdk.network import Network
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.testing import FakeServer, Reply, Request
from tests._tls import self_signed, serving


class Echo(FakeServer):
    """Answers what it was asked."""

    def handle(self, request: Request) -> Reply:
        return Reply(200, {"path": request.raw_path, "body": request.body.decode()}, cookies=("session=topsecret",))


def judge(reply: HttpReply, operation: str) -> MLConnectorError | None:
    """Errors by status."""
    if reply.status == 429:
        return RateLimitError("slow down", retry_after=retry_after(reply))
    return None if reply.status < 400 else UnavailableError(f"status {reply.status}")


@pytest.fixture
def echo() -> Iterator[Echo]:
    """A server that answers what it was asked."""
    with Echo() as echo:
        yield echo


@pytest.fixture
def client(echo) -> Iterator[HttpClient]:
    """A client of that server, impatient."""
    client = HttpClient("echo", f"{echo.url}/api/", judge=judge, retry=RetryPolicy.immediate(3), timeout=0.5)
    yield client
    client.close()


def test_paths_are_appended_to_the_base(client):
    """The base address keeps its path; parameters are encoded; absolute addresses are used as they are."""
    reply = client.request("GET", "/things", params={"$filter": "a eq 'b&c'"})

    assert reply.json()["path"] == "/api/things?%24filter=a+eq+%27b%26c%27" or "/api/things?" in reply.json()["path"]
    assert client.request("GET", reply.json() and f"{client.base_url}/x").json()["path"] == "/api/x"


def test_requests_are_counted_repeats_included(client, echo):
    """The count is what the far side saw."""
    echo.fail_next(503, times=2)
    client.request("GET", "/x")

    assert client.request_count == len(echo.log) == 3


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ({"drop": "before"}, UnavailableError),
        ({"drop": "after"}, UnavailableError),
        ({"truncate": 5}, UnavailableError),
        ({"delay": 1.0}, TimeoutExceededError),
    ],
)
def test_broken_exchanges_become_our_errors(client, echo, rule, error):
    """Dropped, cut and late answers are transient errors that name system and operation, and no address."""
    echo.fail(**rule)
    with pytest.raises(error) as caught:
        client.request("GET", "/secret-path", operation="GET thing", retry=RetryPolicy(attempts=1))

    assert (caught.value.system, caught.value.operation) == ("echo", "GET thing")
    assert "secret-path" not in str(caught.value)


def test_a_closed_port_says_what_to_check():
    """Nobody listening is told as such."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = HttpClient("echo", f"http://127.0.0.1:{port}", judge=judge, retry=RetryPolicy(attempts=1))

    with pytest.raises(UnavailableError, match="host name, port and network"):
        client.request("GET", "/")
    client.close()


@pytest.fixture
def own_certificate(tmp_path):
    """A certificate that its owner signed, with its key."""
    return self_signed(tmp_path)


def test_a_certificate_of_a_company_is_trusted_only_when_told(echo, own_certificate):
    """An unknown authority is a matter of settings and stops at once; with the bundle that has it, all is well."""
    echo.stop()
    echo.tls = serving(*own_certificate)
    url = echo.start().url
    strict = HttpClient("echo", url, judge=judge)
    trusting = HttpClient("echo", url, judge=judge, network=Network(ca_bundle=own_certificate[0]))

    with pytest.raises(ConfigurationError, match="ca_bundle"):
        strict.request("GET", "/x")
    assert trusting.request("GET", "/x").json()["path"] == "/x"
    for client in (strict, trusting):
        client.close()


def test_a_bundle_that_cannot_be_read_is_told_before_anything_is_sent(echo, tmp_path):
    """A wrong path is a wrong setting."""
    with pytest.raises(ConfigurationError, match="ca_bundle"):
        HttpClient("echo", echo.url, judge=judge, network=Network(ca_bundle=tmp_path / "missing.pem"))


def test_a_client_opens_again_after_close(client):
    """Closing is not for ever."""
    client.request("GET", "/x")
    client.close()
    client.close()

    assert client.request("GET", "/x").status == 200


def test_redirects_are_not_followed(client, echo):
    """A redirect is an answer to be judged: it may lead to a log-in page."""
    echo.fail_next(302, headers={"Location": "/elsewhere"})

    assert client.request("GET", "/x").status == 302


def test_foreign_loggers_stay_silent_about_our_calls_only(client, echo, caplog):
    """Httpx and httpcore log nothing of ours, and all of others'."""
    with caplog.at_level(logging.DEBUG):
        client.request("GET", "/x?password=topsecret", operation="GET x")
        ours = "\n".join(record.getMessage() for record in caplog.records)
        caplog.clear()
        httpx.get(f"{echo.url}/theirs").raise_for_status()
        theirs = "\n".join(record.getMessage() for record in caplog.records)

    assert "topsecret" not in ours
    assert "echo GET x -> 200" in ours
    assert "/theirs" in theirs


def test_retry_after_is_read_in_both_forms():
    """Seconds or a date, measured by the far side's own clock."""
    date = "Sun, 01 Mar 2026 12:00:00 GMT"

    def told(value: str) -> float | None:
        return retry_after(HttpReply(status=429, headers={"retry-after": value, "date": date}, body=b""))

    assert told("7") == 7
    assert told("Sun, 01 Mar 2026 12:00:30 GMT") == 30
    assert told("Sun, 01 Mar 2026 11:00:00 GMT") == 0
    assert told("soon") is None
    assert told("") is None


def test_addresses_are_checked_before_use():
    """An address without scheme or host, or with a password in it, is refused without being repeated."""
    for address in ("erp.acme.org", "ftp://erp.acme.org", "https://", "https://sync:hunter2@erp.acme.org"):
        with pytest.raises(ConfigurationError) as caught:
            checked_url(address, "echo")
        assert "hunter2" not in str(caught.value)
    assert checked_url("https://erp.acme.org/Site/", "echo") == "https://erp.acme.org/Site"


def test_pages_are_told_from_answers():
    """A web page is recognised by type or by its first bytes; the server's clock is read from its answer."""
    page = HttpReply(status=200, headers={"content-type": "application/json"}, body=b"\n <!DOCTYPE html><html>")
    answer = HttpReply(status=200, headers={"date": "Sun, 01 Mar 2026 12:00:00 GMT"}, body=b'{"a": 1.10}')

    assert looks_like_html(page)
    assert not looks_like_html(answer)
    assert answer.date == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert page.date is None
    assert str(answer.json(decimals=True)["a"]) == "1.10"


def test_a_wait_asked_for_is_kept_whatever_the_system_is_known_to_say(client, echo):
    """`Retry-After`, as seconds or as a date, is read from every answer that calls for another try."""
    for status, asked in ((503, "120"), (503, "Sun, 01 Mar 2026 12:02:00 GMT"), (429, "120")):
        echo.fail_next(status, headers={"Retry-After": asked, "Date": "Sun, 01 Mar 2026 12:00:00 GMT"})
        with pytest.raises(TransientError, match="wait 120 s") as caught:
            client.request("GET", "/x", retry=RetryPolicy(within=60))
        assert caught.value.retry_after == 120
    assert 3 == len(echo.log)
