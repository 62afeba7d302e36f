"""Tokens that the client signs itself, against a connected application as X3 checks it."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import httpx
import pytest

from mlconnector_sdk.auth import SelfSignedJWT
from mlconnector_sdk.errors import AuthenticationError
from mlconnector_sdk.testing import FakeClock
from mlconnector_sdk.testing.fakes import FakeServer, Reply
from mlconnector_sdk.testing.fakes._sagex3_tokens import ConnectedApplication, bearer, text_401

SECRET = "a secret of the right length"


class Api(FakeServer):
    """Guards `/api` with a connected application."""

    def __init__(self, clock, **settings):
        super().__init__()
        self.clock = clock
        self.application = ConnectedApplication(client_id="app", secret=SECRET, user="SYNC", **settings)
        self.tokens = []

    def handle(self, request):
        self.tokens.append(bearer(request))
        fault = self.application.fault(self.tokens[-1] or "", self.clock(), self.address)
        return text_401(fault) if fault else Reply(200, {})

    @property
    def address(self):
        return f"{self.url}/api"

    def get(self, clock, **settings):
        values = {"client_id": "app", "secret": SECRET, "user": "SYNC", **settings}
        return SelfSignedJWT(**values).flow(address=self.address, now=clock.now, system="sagex3")


@pytest.fixture
def clock():
    """The time at both ends."""
    return FakeClock()


@pytest.fixture
def api(clock):
    """An API with one connected application."""
    with Api(clock) as running:
        yield running


def test_a_signed_token_is_accepted_and_used_until_it_ages(api, clock):
    """One signature serves all requests until a minute before it expires."""
    with httpx.Client(auth=api.get(clock)) as client:
        statuses = [client.get(api.address).status_code for _ in range(2)]
        clock.advance(minutes=4)
        statuses.append(client.get(api.address).status_code)

    assert statuses == [200, 200, 200]
    assert api.tokens[0] == api.tokens[1] != api.tokens[2]


def test_a_token_lives_as_long_as_the_application_allows(clock):
    """From `iat` to `exp` it is exactly `lifetime`, backdating included."""
    with Api(clock, validity=timedelta(seconds=60)) as api, httpx.Client() as client:
        answer = client.get(api.address, auth=api.get(clock, lifetime=timedelta(seconds=60)))
        payload = api.tokens[0].split(".")[1]

    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert answer.status_code == 200
    assert claims["exp"] - claims["iat"] == 60
    assert claims["iat"] == int(clock().timestamp()) - 30


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"client_id": "stranger"}, "error 41"),
        ({"user": "sync"}, "error 42"),
        ({"audience": "xtrem"}, "error 45"),
        ({"secret": "quite another long secret"}, "error 50"),
        ({"backdated": timedelta(seconds=-90)}, "error 21"),
    ],
)
def test_a_refusal_says_what_to_mend_and_is_not_repeated(api, clock, settings, told):
    """After one new signature it is final: the same credentials are not sent a third time."""
    with httpx.Client(auth=api.get(clock, **settings)) as client:
        errors = []
        for _ in range(2):
            with pytest.raises(AuthenticationError, match=told) as caught:
                client.get(api.address)
            errors.append(str(caught.value))

    assert len(api.tokens) == 2
    assert SECRET not in "".join(errors)


def test_a_site_may_register_no_audience_at_all(clock):
    """An empty audience is a claim of its own, and so is the lack of a user."""
    with Api(clock, audience="") as api, httpx.Client() as client:
        api.application.user = None
        status = client.get(api.address, auth=api.get(clock, audience="", user="")).status_code

    assert status == 200


def test_a_lifetime_must_leave_something_after_backdating():
    """A token that is born expired is a mistake of the settings."""
    with pytest.raises(ValueError, match="lifetime"):
        SelfSignedJWT(client_id="app", secret=SECRET, lifetime=timedelta(seconds=30))
