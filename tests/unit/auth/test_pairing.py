"""Pairing with the cloud gateway: pairs of tokens that rotate, and what a crash may cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from mlconnector_sdk.auth import CloudPairing, OAuth2Token
from mlconnector_sdk.errors import AuthenticationError, ConfigurationError, ContractError, ReauthorizationRequiredError
from mlconnector_sdk.testing import FakeClock
from mlconnector_sdk.testing.fakes import FakeServer, Reply
from mlconnector_sdk.testing.fakes._sagex3_tokens import CloudGateway


class Gateway(FakeServer):
    """The gateway's token address, and an API behind its tokens."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock
        self.cloud = CloudGateway(clock, ("SEED",))

    def handle(self, request):
        if request.path == "/v1/token":
            return self.cloud.token(request)
        if request.path == "/v1/token/authorise":
            return self.cloud.authorise(request)
        return Reply(200, {}) if self.cloud.grant_of(request) else Reply(401, {"message": "Unauthorised"})

    def pairing(self, **settings):
        cloud = self.cloud
        values = {
            "client_id": cloud.client_id,
            "client_secret": cloud.client_secret,
            "redirect_uri": cloud.redirect_uri,
        }
        return CloudPairing(**{**values, **settings})

    def client(self, pairing):
        flow = pairing.flow(token_url=f"{self.url}/v1/token", now=self.clock.now, system="sagex3")
        return httpx.Client(auth=flow, base_url=self.url)

    def stored(self):
        """A pair as an earlier program saved it."""
        return OAuth2Token.from_answer(self.cloud.issue_pair(), now=self.clock())


@pytest.fixture
def clock():
    """The time at both ends."""
    return FakeClock()


@pytest.fixture
def gateway(clock):
    """A gateway that knows one application."""
    with Gateway(clock) as running:
        yield running


def test_consent_becomes_a_pair_that_is_saved(gateway):
    """The code of the call-back is exchanged once, and the pair reaches `save`."""
    saved = []
    pairing = gateway.pairing(save=saved.append)
    with httpx.Client() as browser:
        page = browser.get(pairing.authorize_url(f"{gateway.url}/v1", customer=gateway.cloud.customer, state="one two"))
    code = gateway.cloud.issue_code()

    token = pairing.exchange(code, token_url=f"{gateway.url}/v1/token", now=gateway.clock.now)

    assert page.status_code == 200
    assert 'value="one two"' in page.text
    assert saved == [token]
    assert token.expires_at == gateway.clock() + timedelta(minutes=5)
    with pytest.raises(AuthenticationError, match="redirect address"):
        pairing.exchange(code, token_url=f"{gateway.url}/v1/token")


def test_a_new_pair_is_saved_before_it_is_used(gateway, clock):
    """At the time of the first request with a new pair, that pair is in the store."""
    saved = []

    def save(token):
        saved.append((f"Bearer {token.access_token}", len(gateway.requests(path="/v1/service"))))

    with gateway.client(gateway.pairing(token=gateway.stored(), save=save)) as client:
        clock.advance(minutes=10)
        status = client.get("/v1/service").status_code

    assert status == 200
    assert saved == [(gateway.log[-1].request.headers["authorization"], 0)]


def test_while_saving_fails_the_pair_is_not_used_and_not_lost(gateway, clock):
    """A full disk costs requests, no consent: the same pair is saved as soon as that works."""
    saved, disk_is_full = [], [True]

    def save(token):
        if disk_is_full[0]:
            raise OSError("no space left")
        saved.append(token)

    with gateway.client(gateway.pairing(token=gateway.stored(), save=save)) as client:
        clock.advance(minutes=10)
        with pytest.raises(OSError, match="no space"):
            client.get("/v1/service")
        asked = len(gateway.log)
        disk_is_full[0] = False
        status = client.get("/v1/service").status_code

    assert asked == 1
    assert gateway.cloud.renewals == 1
    assert status == 200
    assert len(saved) == 1


def test_a_pair_that_died_with_its_program_needs_a_person_and_says_so(gateway, clock):
    """A crash between renewal and saving is told at the next start, each time, without asking again and again."""
    before = gateway.stored()
    with gateway.client(gateway.pairing(token=before)) as dying:
        clock.advance(minutes=10)
        dying.get("/v1/service")

    with gateway.client(gateway.pairing(token=before)) as restarted:
        clock.advance(minutes=1)
        for _ in range(2):
            with pytest.raises(ReauthorizationRequiredError, match="authorize_url"):
                restarted.get("/v1/service")

    assert len(gateway.requests(path="/v1/token")) == 2


def test_workers_share_one_pairing(gateway, clock):
    """A worker takes over the pair that another one saved, instead of renewing with a dead refresh token."""
    store = [gateway.stored()]
    shared = {"save": lambda token: store.append(token), "load": lambda: store[-1]}
    with gateway.client(gateway.pairing(**shared)) as one, gateway.client(gateway.pairing(**shared)) as other:
        statuses = [one.get("/v1/service").status_code, other.get("/v1/service").status_code]
        for _ in range(3):
            clock.advance(minutes=10)
            statuses += [one.get("/v1/service").status_code, other.get("/v1/service").status_code]

    assert set(statuses) == {200}
    assert gateway.cloud.renewals == 3


def test_a_race_for_the_last_refresh_token_is_no_loss(gateway, clock):
    """When another worker was quicker between our look and our request, its pair is used."""
    store = [gateway.stored()]
    clock.advance(minutes=10)
    late = iter([store[0], OAuth2Token.from_answer(gateway.cloud.issue_pair(), now=clock())])
    pairing = gateway.pairing(token=store[0], load=lambda: next(late))
    with gateway.client(gateway.pairing(token=store[0])) as other:
        other.get("/v1/service")

    with gateway.client(pairing) as client:
        status = client.get("/v1/service").status_code

    assert status == 200


def test_consent_that_was_withdrawn_is_told(gateway, clock):
    """When the customer deletes the pairing, the message asks for a person."""
    with gateway.client(gateway.pairing(token=gateway.stored())) as client:
        gateway.cloud.unpair()
        clock.advance(minutes=10)

        with pytest.raises(ReauthorizationRequiredError) as caught:
            client.get("/v1/service")

    assert gateway.cloud.client_secret not in str(caught.value)


def test_a_gateway_with_other_names_is_a_setting(gateway, clock):
    """Member names of request and answer are configuration; without it the error says so."""
    stored = gateway.stored()
    gateway.cloud.names = ("accessToken", "refreshToken", "expiresIn", "tokenType")
    names = {"access_token": "accessToken", "refresh_token": "refreshToken", "expires_in": "expiresIn"}
    clock.advance(minutes=10)
    with gateway.client(gateway.pairing(token=stored)) as client, pytest.raises(ContractError, match="names="):
        client.get("/v1/service")

    gateway.cloud.names = ("accessToken", "refresh_token", "expiresIn", "tokenType")
    renamed = gateway.pairing(names={name: names[name] for name in ("access_token", "expires_in")})
    token = renamed.exchange(gateway.cloud.issue_code(), token_url=f"{gateway.url}/v1/token", now=clock.now)

    assert token.expires_at == clock() + timedelta(minutes=5)
    with pytest.raises(ValueError, match="no access_tokens"):
        gateway.pairing(names={"access_tokens": "x"})


def test_without_a_pair_nothing_is_sent(gateway):
    """The first step is a person's, and the error says which."""
    with pytest.raises(ConfigurationError, match="authorize_url"):
        gateway.client(gateway.pairing())

    assert gateway.log == []
    assert "secret" not in repr(gateway.pairing(token=OAuth2Token(access_token="secret", expires_at=datetime.now(UTC))))
