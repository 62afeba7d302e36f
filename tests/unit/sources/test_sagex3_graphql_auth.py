"""Signing in to Sage X3's GraphQL in all its ways, while tokens end, rotate and get lost."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest

from mlconnector_sdk.auth import CloudPairing, OAuth2ClientCredentials, OAuth2Token
from mlconnector_sdk.errors import AuthenticationError, PermissionDeniedError, ReauthorizationRequiredError
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sagex3 import SageX3, SageX3GraphQL
from mlconnector_sdk.testing import FakeClock, FakeSageX3
from tests.unit.sources._sagex3_graphql import application, source_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(name="erp")
def _erp():
    """A site with thirty customers."""
    with FakeSageX3(customers=30, clock=FakeClock(NOW)) as fake:
        yield fake


def cloud_source(erp, auth, **settings):
    """A source behind the cloud's gateway, by the fake's clock."""
    door = SageX3GraphQL(erp.graphql.cloud_root, endpoint=erp.endpoint, auth=auth, page_size=10, **settings)
    source = SageX3(api=door, retry=RetryPolicy.immediate())
    source.attach(clock=erp.site.clock)
    return source


def pairing(erp, **settings):
    """The application's pairing with the gateway."""
    cloud = erp.graphql.gateway
    values = {"client_id": cloud.client_id, "client_secret": cloud.client_secret, "redirect_uri": cloud.redirect_uri}
    return CloudPairing(**{**values, **settings})


def pair(erp):
    """A pair of tokens as an earlier run saved it."""
    return OAuth2Token.from_answer(erp.graphql.gateway.issue_pair(), now=erp.site.clock())


def client(erp, **settings):
    """Client credentials of the newer cloud API."""
    own = erp.graphql.credentials
    values = {
        "client_id": own.client_id,
        "client_secret": own.client_secret,
        "audience": own.audience,
        "api_key": own.api_key,
        "token_url": erp.graphql.token_url,
    }
    return OAuth2ClientCredentials(**{**values, **settings})


def count(source):
    """How many customers it reads."""
    return sum(len(page) for page in source.read("customers"))


def tokens(erp):
    """The different tokens that were sent, in their order."""
    return list(dict.fromkeys(entry.request.headers.get("authorization", "") for entry in erp.log))


def statuses(erp):
    """The statuses of all answers."""
    return [entry.status for entry in erp.log]


# -- a connected application ------------------------------------------------------------------------------------------


def test_a_token_is_signed_anew_before_it_expires(erp):
    """Hours of reading with tokens of five minutes meet no refusal."""
    with source_of(erp, api={"page_size": 10}) as source:
        for _ in range(3):
            for _page in source.read("customers"):
                erp.site.clock.advance(minutes=4, seconds=50)

    assert {200} == set(statuses(erp))
    assert len(tokens(erp)) > 3


def test_the_audience_is_the_address_unless_the_site_registered_another(erp):
    """It is compared letter by letter; an empty one is one, too."""
    for audience in (None, "", "xtrem"):
        erp.graphql.application.audience = audience
        with source_of(erp, api={"auth": application(erp, audience=audience)}) as source:
            assert 30 == count(source)
        claims = json.loads(base64.urlsafe_b64decode(tokens(erp)[-1].split(".")[1] + "=="))
        assert (erp.graphql_url if audience is None else audience) == claims["aud"]


def test_a_token_refused_once_is_signed_again_once(erp):
    """A clock that jumped, or a server that restarted, is no wrong credential."""
    erp.fail_next(status=401, body="Error 50: Invalid token", path="/xtrem/api")
    with source_of(erp) as source:
        assert 30 == count(source)

    assert [401, 200] == statuses(erp)[:2]


@pytest.mark.parametrize(
    ("wrong", "number", "hint"),
    [
        ({"client_id": "somebody"}, 41, "client id"),
        ({"user": "mailchimp"}, 42, "letter case"),
        ({"audience": "https://x3.example.com"}, 45, "audience="),
        ({"secret": "a secret that is not the right one"}, 50, "the secret is wrong"),
    ],
)
def test_refused_tokens_tell_which_setting_is_wrong_and_are_not_tried_again(erp, wrong, number, hint):
    """Two refusals are the end: the error explains the server's number, and later reads send nothing."""
    with source_of(erp, api={"auth": application(erp, **wrong)}) as source:
        for _ in range(2):
            with pytest.raises(AuthenticationError, match=f"error {number}.*{hint}") as failure:
                count(source)
        rows = list(source.check())

    assert [401, 401] == statuses(erp)
    assert "secret that" not in str(failure.value)
    assert [False] == [row.ok for row in rows]


# -- a pairing --------------------------------------------------------------------------------------------------------


def test_a_pairing_goes_on_by_itself_and_saves_each_pair_before_its_first_use(erp):
    """Access tokens last five minutes; each renewal gives a new pair, and ends the old one."""
    saved = []

    def save(token):
        assert f"Bearer {token.access_token}" not in tokens(erp), "used before it was saved"
        saved.append(token)

    with cloud_source(erp, pairing(erp, token=pair(erp), save=save)) as source:
        for _page in source.read("customers"):
            erp.site.clock.advance(minutes=6)
        assert 30 == count(source)

    assert len(saved) == erp.graphql.gateway.renewals == 3
    assert 401 not in statuses(erp)
    assert f"/v1/service/{erp.endpoint}/api" in {entry.path for entry in erp.log}


def test_a_token_that_ended_early_is_renewed_once(erp):
    """The gateway's 401 is no refusal of the pairing."""
    saved = []
    with cloud_source(erp, pairing(erp, token=pair(erp), save=saved.append)) as source:
        erp.fail_next(status=401, body={"message": "Unauthorised"}, path="/service/")
        assert 30 == count(source)

    assert 1 == len(saved)


def test_several_readers_share_a_pairing(erp):
    """One renews, the other takes over what was stored."""
    store = [pair(erp)]

    def shared():
        return pairing(erp, save=lambda token: store.append(token), load=lambda: store[-1])

    with cloud_source(erp, shared()) as one, cloud_source(erp, shared()) as other:
        erp.site.clock.advance(minutes=6)
        assert [30, 30] == [count(one), count(other)]

    assert 1 == erp.graphql.gateway.renewals


def test_a_crash_between_renewal_and_saving_costs_a_new_consent_and_nothing_else(erp):
    """The next run is told that a person has to pair again; it neither loops nor loses its place."""
    store = pair(erp)

    def dies(token):
        raise KeyboardInterrupt

    erp.site.clock.advance(minutes=6)
    with cloud_source(erp, pairing(erp, token=store, save=dies)) as source, pytest.raises(KeyboardInterrupt):
        count(source)
    assert [] == [entry for entry in erp.log if "/service/" in entry.path], "an unsaved token is not used"

    with cloud_source(erp, pairing(erp, token=store)) as source:
        for _ in range(2):
            with pytest.raises(ReauthorizationRequiredError, match="authorize_url"):
                count(source)
    assert 2 == len(erp.log), "one renewal each, and no second try"

    with cloud_source(erp, pairing(erp, token=pair(erp))) as source:
        assert 30 == count(source)


def test_a_pairing_that_the_customer_deleted_needs_a_person(erp):
    """While the access token lives, reading goes on; then the error says what to do."""
    with cloud_source(erp, pairing(erp, token=pair(erp))) as source:
        erp.graphql.gateway.unpair()
        assert 30 == count(source)
        erp.site.clock.advance(minutes=6)
        with pytest.raises(ReauthorizationRequiredError, match="pair again"):
            count(source)


def test_a_folder_that_was_not_chosen_is_told(erp):
    """The customer's user chooses the folders when pairing."""
    door = SageX3GraphQL(erp.graphql.cloud_root, endpoint="OTHER", auth=pairing(erp, token=pair(erp)))
    with SageX3(api=door, retry=RetryPolicy.immediate()) as other:
        other.attach(clock=erp.site.clock)
        with pytest.raises(PermissionDeniedError, match="choose it when the application is paired"):
            count(other)


# -- client credentials -----------------------------------------------------------------------------------------------


def test_client_credentials_come_with_a_key_that_only_the_api_sees(erp):
    """The key goes to the service's own address and nowhere else."""
    with cloud_source(erp, client(erp)) as source:
        assert 30 == count(source)
        erp.site.clock.advance(hours=2)
        assert 30 == count(source)

    keyed = {"x-api-key" in entry.request.headers: entry.path for entry in erp.log}
    assert {True: f"/v1/service/{erp.endpoint}/api", False: "/oauth/token"} == keyed
    assert 2 == len(erp.requests("POST", "/oauth/token"))


@pytest.mark.parametrize("wrong", [{"client_secret": "wrong"}, {"audience": "https://other.example"}])
def test_refused_client_credentials_are_sent_once(erp, wrong):
    """The token address said no; the service is never asked."""
    with cloud_source(erp, client(erp, **wrong)) as source:
        for _ in range(2):
            with pytest.raises(AuthenticationError):
                count(source)

    assert ["/oauth/token"] == [entry.path for entry in erp.log]


def test_a_missing_key_is_a_refusal(erp):
    """A new token does not help, and the error says so."""
    with cloud_source(erp, client(erp, api_key="")) as source, pytest.raises(AuthenticationError, match="scope"):
        count(source)

    assert [401, 401] == [entry.status for entry in erp.log if "/service/" in entry.path]


def test_no_secret_shows_anywhere(erp):
    """Neither the source nor its door nor an error names tokens, secrets or keys."""
    auth = client(erp, api_key="a key nobody may see")
    shown = [repr(auth), repr(SageX3GraphQL(erp.graphql.cloud_root, endpoint="SEED", auth=auth))]
    with cloud_source(erp, auth) as source:
        shown.append(repr(source))
        with pytest.raises(AuthenticationError) as failure:
            count(source)
    shown.append(f"{failure.value!r} {failure.value}")

    assert not [text for text in shown if "nobody" in text or "credentials secret" in text or "Bearer" in text]


def test_tokens_follow_the_clock_of_the_engine(erp):
    """A machine whose clock is not the engine's would sign tokens of another time."""
    erp.site.clock.advance(days=400)
    with source_of(erp) as source:
        assert 30 == count(source)

    assert {200} == set(statuses(erp))
