"""Who may use the GraphQL service of the fake Sage X3: four ways in, and how each turns strangers away."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from mlconnector_sdk.testing import FakeClock, FakeSageX3
from mlconnector_sdk.testing.fakes._sagex3_tokens import signed

HTTP = httpx.Client(trust_env=False)
COUNT = {"query": "{x3MasterData{customer{query{totalCount}}}}"}


@pytest.fixture(autouse=True, scope="module")
def _closing():
    """One client for all tests, as making one takes longer than most of them."""
    with HTTP:
        yield


@pytest.fixture(name="clock")
def _clock():
    return FakeClock(datetime(2026, 1, 18, 8, 0, tzinfo=UTC))


@pytest.fixture(name="erp")
def _erp(clock):
    with FakeSageX3(clock=clock) as fake:
        fake.add_customer("0001")
        yield fake


def on_premise(erp, **options):
    """The service's answer to a count of customers."""
    headers = {"x-xtrem-endpoint": erp.endpoint, **options.pop("headers", {})}
    return HTTP.post(erp.graphql_url, json=COUNT, headers=headers, **options)


def bearing(erp, token):
    """The service's answer to a token."""
    return on_premise(erp, headers={"Authorization": f"Bearer {token}"})


# -- connected applications -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({}, None),
        ({"lifetime": 600}, None),
        ({"iss": "somebody"}, 41),
        ({"iss": None}, 41),
        ({"sub": "mailchimp"}, 42),
        ({"sub": None}, 42),
        ({"aud": "https://x3.example/xtrem/api"}, 45),
        ({"aud": ""}, 45),
        ({"aud": None}, 45),
        ({"lifetime": 601}, 50),
        ({"exp": None}, 50),
        ({"iat": "now"}, 50),
        ({"iat": True}, 50),
    ],
)
def test_claims_are_checked_to_the_letter(erp, claims, code):
    """Issuer, user, audience and lifetime each have to fit, and each has its error."""
    reply = bearing(erp, erp.graphql.token(**claims))

    if code is None:
        assert 200 == reply.status_code
    else:
        assert (401, f"Error {code}: Invalid token") == (reply.status_code, reply.text)
        assert reply.headers["content-type"].startswith("text/plain")


def test_a_trailing_slash_makes_another_audience(erp):
    """The audience is compared letter by letter with the address that was registered."""
    assert "Error 45: Invalid token" == bearing(erp, erp.graphql.token(aud=f"{erp.graphql_url}/")).text


def test_a_site_may_register_anything_as_audience_and_no_user(erp):
    """An empty audience, and an application without an allowed user, are settings of the site."""
    application = erp.graphql.application
    application.audience, application.user = "", None

    replies = [bearing(erp, erp.graphql.token(**claims)) for claims in ({}, {"sub": "anybody"}, {"aud": "xtrem"})]

    assert [200, 200, 401] == [reply.status_code for reply in replies]


def test_a_token_lives_between_its_times(erp, clock):
    """A token issued in the future is refused as such; one that has run out like one that is badly signed."""
    token = erp.graphql.token(lifetime=60)
    early = erp.graphql.token(iat=int(clock().timestamp()) + 1)

    assert "Error 21: Invalid token" == bearing(erp, early).text
    assert 200 == bearing(erp, token).status_code
    clock.advance(seconds=30)
    assert "Error 50: Invalid token" == bearing(erp, token).text


@pytest.mark.parametrize("spoil", ["secret", "body", "algorithm", "garbage", "empty"])
def test_a_token_that_is_not_genuine_is_refused(erp, spoil):
    """Another secret, a changed body, another algorithm and plain nonsense are refused."""
    head, body, signature = erp.graphql.token().split(".")
    claims = {"iss": erp.graphql.application.client_id}
    tokens = {
        "secret": (signed(claims, "another secret"), 50),
        "body": (f"{head}.{signed(claims, 'x').split('.')[1]}.{signature}", 50),
        "algorithm": (f"eyJhbGciOiJub25lIn0.{body}.", 50),
        "garbage": ("not.a.token", 41),
        "empty": ("W10.W10.x", 41),
    }
    token, code = tokens[spoil]

    assert f"Error {code}: Invalid token" == bearing(erp, token).text


# -- login and password -----------------------------------------------------------------------------------------------


def test_login_and_password_are_taken_where_the_site_allows_it(erp):
    """Basic authentication works with the Syracuse user, and not where the site switched it off."""
    good = on_premise(erp, auth=(erp.username, erp.password))
    wrong = on_premise(erp, auth=(erp.username, "wrong"))
    none = on_premise(erp)
    broken = on_premise(erp, headers={"Authorization": "Basic ???"})
    erp.graphql.setup.sign_in = {"jwt"}
    off = on_premise(erp, auth=(erp.username, erp.password))

    assert [200, 401, 401, 401, 401] == [one.status_code for one in (good, wrong, none, broken, off)]
    assert 'Basic realm="Syracuse"' == wrong.headers["www-authenticate"]
    assert "www-authenticate" not in off.headers


def test_a_demonstration_site_lets_anybody_in(erp):
    """A site may ask for no credentials at all, as the vendor's public demonstration does."""
    erp.graphql.setup.sign_in = {"none"}

    assert {"totalCount": 1} == on_premise(erp).json()["data"]["x3MasterData"]["customer"]["query"]


# -- cloud pairing ----------------------------------------------------------------------------------------------------


def exchange(erp, *, form=False, **changes):
    """The gateway's answer to a request for tokens."""
    gateway = erp.graphql.gateway
    own = {"client_id": gateway.client_id, "client_secret": gateway.client_secret}
    body = {name: value for name, value in {**own, **changes}.items() if value is not None}
    if form:
        return HTTP.post(f"{erp.graphql.cloud_root}/token", data=body)
    return HTTP.post(f"{erp.graphql.cloud_root}/token", json=body)


def by_code(erp, code, **changes):
    """An exchange of a code."""
    own = {"grant_type": "authorization_code", "code": code, "redirect_uri": erp.graphql.gateway.redirect_uri}
    return exchange(erp, **{**own, **changes})


def by_refresh(erp, token, **changes):
    """A renewal."""
    return exchange(erp, **{"grant_type": "refresh_token", "refresh_token": token, **changes})


def in_cloud(erp, token):
    """The answer of the service behind the gateway."""
    return HTTP.post(erp.graphql.cloud_url, json=COUNT, headers={"Authorization": f"Bearer {token}"})


def test_a_pairing_ends_in_a_pair_of_tokens(erp):
    """The consent page posts a code to the application, which exchanges it once for tokens that the service takes."""
    gateway = erp.graphql.gateway
    gateway.elsewhere = "https://api.us-prod-sagex3.example/v1"
    asked = {
        "client_id": gateway.client_id,
        "scope": "api.graphQL user.?",
        "customer": gateway.customer,
        "redirect_uri": gateway.redirect_uri,
        "state": 'a"b',
    }
    consent = HTTP.get(f"{erp.graphql.cloud_root}/token/authorise", params=asked)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', consent.text))

    first, again = (by_code(erp, fields["authorizationCode"]) for _ in range(2))

    assert 'a"b' == html.unescape(fields["state"])
    assert gateway.elsewhere == fields["endpoint"]
    assert f'action="{gateway.redirect_uri}"' in consent.text
    assert (200, 300, "Bearer") == (first.status_code, first.json()["expires_in"], first.json()["token_type"])
    assert 200 == in_cloud(erp, first.json()["access_token"]).status_code
    assert (403, {"message": "Pairing request not found"}) == (again.status_code, again.json())


def test_the_gateway_tells_its_addresses(erp):
    """The root document needs no token and leads to tokens, folders and the service."""
    root = HTTP.get(erp.graphql.cloud_root).json()

    assert f"{erp.graphql.cloud_root}/token" == root["customerAccess"]["token"]
    assert f"{erp.graphql.cloud_root}/folders" == root["customerUsage"]["folder"]
    assert erp.graphql.cloud_url == root["customerUsage"]["graphQL"].replace("{endPoint}", "SEED")


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"scope": ""}, 400, "Missing required request parameters"),
        ({"scope": "api.everything"}, 400, "Missing required request parameters"),
        ({"customer": ""}, 400, "Missing required request parameters"),
        ({"client_id": "other"}, 404, "active application"),
        ({"redirect_uri": "https://elsewhere.example"}, 404, "associate the values with an application"),
        ({"customer": "https://other.example"}, 404, "customer application"),
    ],
)
def test_a_pairing_that_does_not_fit_is_refused(erp, changes, status, message):
    """Parameters, client, address and customer have to be known."""
    gateway = erp.graphql.gateway
    asked = {
        "client_id": gateway.client_id,
        "scope": "api.graphQL businessDomain.ALL",
        "customer": gateway.customer,
        "redirect_uri": gateway.redirect_uri,
    }

    reply = HTTP.get(f"{erp.graphql.cloud_root}/token/authorise", params={**asked, **changes})

    assert status == reply.status_code
    assert message in reply.json()["message"]


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"grant_type": None}, 400, "Missing required request parameters"),
        ({"client_secret": None}, 400, "Missing required request parameters"),
        ({"code": None}, 400, "Missing required request parameters"),
        ({"redirect_uri": None}, 400, "Missing required request parameters"),
        ({"grant_type": "password"}, 400, "Invalid grant type"),
        ({"client_id": "other"}, 404, "active application"),
        ({"client_secret": "wrong"}, 404, "active application"),
        ({"redirect_uri": "https://elsewhere.example"}, 404, "associate the values with an application"),
        ({"code": "other"}, 403, "Pairing request not found"),
    ],
)
def test_a_code_is_exchanged_only_as_documented(erp, changes, status, message):
    """Each parameter has to be there and to fit, and a refused exchange does not use the code up."""
    code = erp.graphql.gateway.issue_code()

    reply = by_code(erp, **{"code": code, **changes})

    assert status == reply.status_code
    assert message in reply.json()["message"]
    assert 200 == by_code(erp, code).status_code


def test_a_code_waits_for_the_customers_consent(erp, clock):
    """Until the customer's user accepted, and after the request ran out, there is no pair; nor for a disabled app."""
    gateway = erp.graphql.gateway
    code = gateway.issue_code(accepted=False)

    waiting = by_code(erp, code)
    gateway.enabled = False
    disabled = by_code(erp, code)
    gateway.enabled = True
    gateway.accept()
    clock.advance(hours=1)
    late = by_code(erp, code)

    assert [403, 403, 403] == [one.status_code for one in (waiting, disabled, late)]
    assert "The pairing request has not been accepted." == waiting.json()["message"]
    assert "disabled" in disabled.json()["message"]
    assert "The request has expired." == late.json()["message"]


def test_an_access_token_lives_five_minutes(erp, clock):
    """After five minutes, and without a token, the service answers as the gateway does."""
    token = erp.graphql.gateway.issue_pair()["access_token"]

    clock.advance(seconds=299)
    assert 200 == in_cloud(erp, token).status_code
    clock.advance(seconds=1)
    late, none = in_cloud(erp, token), in_cloud(erp, "none")

    assert {(401, "Unauthorised")} == {(one.status_code, one.json()["message"]) for one in (late, none)}


def test_each_renewal_gives_a_new_pair_and_ends_the_old(erp):
    """A refresh token is good once; its successor works, and so does the old access token until its time."""
    old = erp.graphql.gateway.issue_pair()

    new = by_refresh(erp, old["refresh_token"]).json()
    again = by_refresh(erp, old["refresh_token"])

    assert 403 == again.status_code
    assert {old["refresh_token"], old["access_token"]}.isdisjoint({new["refresh_token"]})
    assert 200 == by_refresh(erp, new["refresh_token"]).status_code
    assert 200 == in_cloud(erp, old["access_token"]).status_code
    assert 2 == erp.graphql.gateway.renewals


def test_a_site_may_take_replaced_refresh_tokens_for_a_while(erp, clock):
    """With a grace, a replaced refresh token is taken until that has passed."""
    erp.graphql.gateway.grace = timedelta(seconds=30)
    old = erp.graphql.gateway.issue_pair()["refresh_token"]

    statuses = [by_refresh(erp, old).status_code]
    for _ in range(2):
        clock.advance(seconds=20)
        statuses.append(by_refresh(erp, old).status_code)

    assert [200, 200, 403] == statuses


def test_refresh_tokens_end_after_thirty_days_or_when_the_customer_says_so(erp, clock):
    """Then only a new pairing helps."""
    gateway = erp.graphql.gateway
    one, other = (gateway.issue_pair()["refresh_token"] for _ in range(2))
    assert "Missing required request parameters" == by_refresh(erp, None).json()["message"]

    clock.advance(days=30)
    late = by_refresh(erp, one)
    gateway.unpair()
    deleted = by_refresh(erp, other)

    assert (403, "The request has expired.") == (late.status_code, late.json()["message"])
    assert (403, "Pairing request not found") == (deleted.status_code, deleted.json()["message"])


def test_bodies_are_json_as_documented(erp):
    """The token end point reads JSON; a form is taken only where a site says so, and nonsense never."""
    gateway = erp.graphql.gateway
    values = {"grant_type": "refresh_token", "refresh_token": gateway.issue_pair()["refresh_token"]}

    refused = exchange(erp, form=True, **values)
    gateway.takes_forms = True
    gateway.names = ("accessToken", "refreshToken", "expiresIn", "tokenType")
    taken = exchange(erp, form=True, **values)
    nonsense = [HTTP.post(f"{erp.graphql.cloud_root}/token", content=body) for body in (b"{", b"[]")]

    assert [400, 200, 400, 400] == [one.status_code for one in (refused, taken, *nonsense)]
    assert {"accessToken", "refreshToken", "expiresIn", "tokenType"} == taken.json().keys()


def test_folders_are_those_of_the_pairing(erp):
    """The list of folders needs a token, and the service serves no other folder, nor other scopes."""
    gateway = erp.graphql.gateway
    token = gateway.issue_pair()["access_token"]
    other = gateway.issue_pair("api.dataDelivery")["access_token"]
    headers = {"Authorization": f"Bearer {token}"}

    folders = HTTP.get(f"{erp.graphql.cloud_root}/folders", headers=headers).json()["folders"]
    strange = HTTP.post(f"{erp.graphql.cloud_root}/service/PROD/api", json=COUNT, headers=headers)

    assert ["SEED"] == [folder["name"] for folder in folders]
    assert erp.graphql.cloud_url == folders[0]["$urls"]["dataService"]
    assert 401 == HTTP.get(f"{erp.graphql.cloud_root}/folders").status_code
    assert [403, 401] == [strange.status_code, in_cloud(erp, other).status_code]


# -- client credentials -----------------------------------------------------------------------------------------------


def fetch(erp, *, as_json=False, auth=None, **changes):
    """The token end point's answer to client credentials."""
    known = erp.graphql.credentials
    own = {"grant_type": "client_credentials", "audience": known.audience}
    own |= {} if auth else {"client_id": known.client_id, "client_secret": known.client_secret}
    body = {name: value for name, value in {**own, **changes}.items() if value is not None}
    return HTTP.post(erp.graphql.token_url, **({"json": body} if as_json else {"data": body}), auth=auth)


def test_client_credentials_need_audience_and_key(erp, clock):
    """A token is given for id, secret and audience, in either form of body; it works with the key, for its hour."""
    known = erp.graphql.credentials
    pair = (known.client_id, known.client_secret)
    tokens = [fetch(erp, **how).json()["access_token"] for how in ({}, {"as_json": True}, {"auth": pair})]

    def call(token, key=known.api_key):
        headers = {"Authorization": f"Bearer {token}", "X-API-Key": key}
        return HTTP.post(erp.graphql.cloud_url, json=COUNT, headers=headers).status_code

    assert [200, 200, 200] == [call(token) for token in tokens]
    assert 401 == call(tokens[0], key="wrong")
    clock.advance(hours=1)
    assert 401 == call(tokens[0])


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": None}, 400, "invalid_request"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"audience": None}, 403, "access_denied"),
        ({"audience": "other"}, 403, "access_denied"),
    ],
)
def test_client_credentials_that_do_not_fit_are_refused(erp, changes, status, error):
    """Refusals are those of OAuth 2."""
    reply = fetch(erp, **changes)

    assert (status, error) == (reply.status_code, reply.json()["error"])


def test_a_site_may_take_one_form_of_body_alone(erp):
    """Which body the token end point reads is not established: either can be switched off, and nonsense is none."""
    known = erp.graphql.credentials
    known.takes_json = False
    refused = [fetch(erp, as_json=True)]
    known.takes_json, known.takes_forms = True, False
    refused.append(fetch(erp))
    kind = {"Content-Type": "application/json"}
    refused += [HTTP.post(erp.graphql.token_url, content=body, headers=kind) for body in (b"{", b"[]")]

    assert {(400, "invalid_request")} == {(one.status_code, one.json()["error"]) for one in refused}
