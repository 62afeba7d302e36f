"""The log-in service of FakeMailchimp, and what we make of its answers, held against the vendor's samples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mlconnector_sdk.errors import ReauthorizationRequiredError
from mlconnector_sdk.mailchimp import MailchimpOAuth
from mlconnector_sdk.testing import FakeMailchimp
from mlconnector_sdk.testing.fakes import FakeServer, Reply, Request
from tests.contracts._mailchimp_oracle import specs_folder

pytestmark = pytest.mark.skipif(
    specs_folder() is None, reason="MLCONNECTOR_SPECS names no folder with Mailchimp's contract"
)


def _sample(name: str) -> dict[str, Any]:
    folder = specs_folder()
    assert folder is not None
    samples: dict[str, Any] = json.loads((folder / "fixtures-invented.json").read_text(encoding="utf-8"))
    return dict(samples[name])


def _shape(value: Any) -> Any:
    """Names and types, without values."""
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in value.items()}
    return type(value).__name__


class Scripted(FakeServer):
    """Answers each path with what is laid down for it."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__()
        self.answers = answers

    def handle(self, request: Request) -> Reply:
        return Reply(200, self.answers[request.path])


@pytest.fixture(name="fake")
def _fake() -> Iterator[FakeMailchimp]:
    with FakeMailchimp() as fake:
        yield fake


def _oauth(login_url: str) -> MailchimpOAuth:
    return MailchimpOAuth(
        client_id="159783467901",
        client_secret="c1ient-secret-of-the-application",
        redirect_uri="https://connect.acme.org/mailchimp",
        base_url=login_url,
    )


def test_the_simulated_service_answers_as_the_samples_do(fake):
    """Token, metadata and the refusal with the status of success have the samples' names and types."""
    oauth = _oauth(fake.url)
    back = httpx.get(oauth.authorize_url(state="s"), trust_env=False).headers["location"]
    fake.keep_bodies = True
    oauth.exchange(oauth.code_of(back, state="s"))
    with pytest.raises(ReauthorizationRequiredError):
        oauth.account("wrong")
    token, good, bad = (
        json.loads(entry.response_body) for entry in fake.requests(path="/oauth2/") if entry.response_body
    )
    assert _shape(_sample("oauth_token_ok")) == _shape(token)
    assert _shape(_sample("oauth_metadata_ok")) == _shape(good)
    assert (_sample("oauth_metadata_bad_token_http_200")["error"], 2) == (bad["error"], len(bad))


def test_the_samples_are_read():
    """A sample token and sample metadata become an account."""
    token, metadata = _sample("oauth_token_ok"), _sample("oauth_metadata_ok")
    answers = {"/oauth2/token": token, "/oauth2/metadata": metadata, "/3.0/": _sample("root")}
    with Scripted(answers) as server:
        metadata["api_endpoint"] = server.url
        account = _oauth(server.url).exchange("code")
    assert (token["access_token"], metadata["dc"]) == (account.access_token, account.dc)
    assert _sample("root")["account_id"] == account.account_id


def test_the_sample_of_a_refusal_is_one():
    """The sample of a bad token's metadata is a refusal, whatever its status."""
    answers = {"/oauth2/metadata": _sample("oauth_metadata_bad_token_http_200")}
    with Scripted(answers) as server, pytest.raises(ReauthorizationRequiredError):
        _oauth(server.url).account("token")
