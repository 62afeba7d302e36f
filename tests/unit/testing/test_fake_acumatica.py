"""What a client meets before it reads anything: addresses, log-in, seats and tokens."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from mlconnector_sdk.testing.fakes._acumatica import FakeAcumatica
from tests.unit.testing._acumatica_site import CLIENT, LOGIN, PASSWORD_GRANT, Clock, ask, bearer, token


@pytest.fixture
def clock():
    """A clock that stands still until moved."""
    return Clock()


@pytest.fixture
def erp(clock):
    """A fake with no records, on that clock."""
    with FakeAcumatica(clock=clock) as fake:
        yield fake


@pytest.fixture
def http(erp):
    """A client that has not signed in."""
    with httpx.Client(base_url=erp.base_url, verify=False) as client:
        yield client


@pytest.fixture
def signed_in(http):
    """A client with a cookie session."""
    assert 204 == http.post("/entity/auth/login", json=LOGIN).status_code
    return http


# -- addresses -------------------------------------------------------------------------------------------


def test_the_listing_needs_no_sign_in(http):
    """The endpoint listing answers anybody and names the versions of Default."""
    rows = http.get("/entity").json()["endpoints"]
    found = [row["version"] for row in rows if row["name"] == "Default"]
    assert ["20.200.001", "22.200.001", "23.200.001", "24.200.001"] == found


def test_a_wrong_site_folder_is_an_html_404(erp):
    """A missing site folder gives a page, not JSON."""
    answer = httpx.get(f"{erp.url}/Other/entity")
    assert (404, True) == (answer.status_code, answer.text.startswith("<!DOCTYPE html>"))


def test_a_site_may_live_in_the_root():
    """With an empty site the instance root is the host, and `href` has no folder."""
    with FakeAcumatica(site="") as fake:
        assert fake.url == fake.base_url
        assert "/entity/Default/20.200.001/" == httpx.get(f"{fake.base_url}/entity").json()["endpoints"][0]["href"]


@pytest.mark.parametrize("path", ["Default/25.200.001/Customer", "Nope/24.200.001/Customer", "Default/24.200.001/Nope"])
def test_wrong_endpoint_version_or_entity_is_404(signed_in, path):
    """An endpoint, version or entity that is not there is a 404."""
    assert 404 == signed_in.get(f"/entity/{path}").status_code


# -- cookie log-in ---------------------------------------------------------------------------------------


def test_log_in_sets_the_vendors_cookies(http):
    """Log-in answers 204 with all cookies, one line twice, none marked Secure."""
    answer = http.post("/entity/auth/login", json=LOGIN)
    lines = answer.headers.get_list("set-cookie")
    names = Counter(line.partition("=")[0] for line in lines)
    expected = {".ASPXAUTH", "ASP.NET_SessionId", "CompanyID", "Locale", "UserBranch", "requestid", "requeststat"}
    assert (204, b"", expected) == (answer.status_code, answer.content, set(names))
    assert 2 == names["ASP.NET_SessionId"]
    assert not [line for line in lines if "Secure" in line]


def test_log_in_takes_form_fields_and_the_older_tenant_name(http):
    """A form-encoded log-in and `company` for `tenant` work as well."""
    form = {"name": "sync", "password": "correct horse", "company": "Acme"}
    assert 204 == http.post("/entity/auth/login", data=form).status_code


def test_a_wrong_password_is_a_500(http):
    """Bad credentials are a 500 whose message says so."""
    answer = http.post("/entity/auth/login", json={**LOGIN, "password": "x"})
    assert (500, "Error: Invalid credentials. Please try again.") == (
        answer.status_code,
        answer.json()["exceptionMessage"],
    )


def test_the_fifth_wrong_password_locks_the_account(http):
    """After five wrong tries the right password fails too."""
    for _ in range(5):
        http.post("/entity/auth/login", json={**LOGIN, "password": "x"})
    assert "locked out" in http.post("/entity/auth/login", json=LOGIN).json()["exceptionMessage"]


def test_four_wrong_passwords_do_not_lock(http):
    """The right password after four wrong tries still works."""
    for _ in range(4):
        http.post("/entity/auth/login", json={**LOGIN, "password": "x"})
    assert 204 == http.post("/entity/auth/login", json=LOGIN).status_code


@pytest.mark.parametrize("body", [{**LOGIN, "tenant": "Other"}, {"name": "sync", "password": "correct horse"}])
def test_an_unknown_or_missing_tenant_is_undefined(http, body):
    """On a site with several tenants a wrong tenant or none is PXUndefinedCompanyException."""
    assert "PX.Data.PXUndefinedCompanyException" == http.post("/entity/auth/login", json=body).json()["exceptionType"]


def test_a_single_tenant_site_takes_any_tenant():
    """With one tenant only, the tenant in the log-in does not matter."""
    with FakeAcumatica(single_tenant=True) as fake:
        assert 204 == httpx.post(f"{fake.base_url}/entity/auth/login", json={**LOGIN, "tenant": "x"}).status_code


def test_data_without_a_session_is_401(http):
    """A data call without sign-in is a 401 with a message."""
    answer = ask(http, "Customer")
    assert (401, {"message"}) == (answer.status_code, answer.json().keys())


def test_every_cookie_must_come_back(erp, signed_in):
    """The session cookie alone is not enough."""
    only = {"ASP.NET_SessionId": signed_in.cookies["ASP.NET_SessionId"]}
    assert 401 == httpx.get(f"{erp.endpoint_url}/Customer", cookies=only).status_code


def test_log_out_frees_the_seat(erp, signed_in):
    """Log-out answers 204, closes the session and frees its seat."""
    assert 1 == erp.open_sessions
    assert 204 == signed_in.post("/entity/auth/logout").status_code
    assert (0, 401) == (erp.open_sessions, ask(signed_in, "Customer").status_code)


def test_a_session_ends_after_ten_idle_minutes(clock, signed_in):
    """A cookie session lives as long as no ten minutes pass without a call."""
    for _ in range(3):
        clock.forward(minutes=9)
        assert 200 == ask(signed_in, "Customer").status_code
    clock.forward(minutes=10)
    assert 401 == ask(signed_in, "Customer").status_code


def test_a_post_without_length_is_411(erp):
    """IIS refuses a POST without Content-Length."""
    with httpx.Client() as client:
        request = client.build_request("POST", f"{erp.base_url}/entity/auth/logout")
        del request.headers["Content-Length"]
        assert 411 == client.send(request).status_code


# -- seats -----------------------------------------------------------------------------------------------


def test_seats_are_limited(erp):
    """One session more than licensed is refused with API Login Limit."""
    answers = [httpx.post(f"{erp.base_url}/entity/auth/login", json=LOGIN) for _ in range(3)]
    assert [204, 204, 500] == [answer.status_code for answer in answers]
    assert "API Login Limit" in answers[2].json()["exceptionMessage"]
    assert (2, 2) == (erp.open_sessions, erp.logins)


def test_a_forced_seat_limit_can_be_switched_off(erp, http):
    """The preset stays until it is switched off."""
    erp.seat_limit("html")
    assert "API Login Limit" in http.post("/entity/auth/login", json=LOGIN).text
    erp.seat_limit(None)
    assert 204 == http.post("/entity/auth/login", json=LOGIN).status_code


def test_a_new_token_meets_the_seat_limit_on_its_first_call(erp, http):
    """With OAuth the seat is taken by the first data call, not by the token request."""
    answer = token(http)
    erp.seat_limit("iis")
    assert (200, 429) == (
        answer.status_code,
        http.get("/entity/Default/24.200.001/Customer", headers=bearer(answer)).status_code,
    )


# -- OAuth 2 ---------------------------------------------------------------------------------------------


def test_a_token_lives_an_hour(clock, http):
    """An access token is good for 3600 seconds."""
    headers = bearer(token(http))
    clock.forward(seconds=3599)
    assert 200 == http.get("/entity/Default/24.200.001/Customer", headers=headers).status_code
    clock.forward(seconds=1)
    assert 401 == http.get("/entity/Default/24.200.001/Customer", headers=headers).status_code


def test_only_offline_access_brings_a_refresh_token(http):
    """Without `offline_access` there is no refresh token."""
    assert "refresh_token" not in token(http, scope="api").json()
    assert "refresh_token" in token(http).json()


def test_rotating_refresh_tokens_are_single_use(http):
    """A used refresh token is refused with invalid_grant; the new one works."""
    old = token(http).json()["refresh_token"]
    new = token(http, grant_type="refresh_token", refresh_token=old).json()["refresh_token"]
    again = token(http, grant_type="refresh_token", refresh_token=old)
    assert (400, {"error": "invalid_grant"}) == (again.status_code, again.json())
    assert 200 == token(http, grant_type="refresh_token", refresh_token=new).status_code


def test_refresh_tokens_may_be_lasting(erp, http):
    """Without rotation a refresh brings no new refresh token and the old one stays good."""
    assert erp.rotate_refresh_tokens
    erp.rotate_refresh_tokens = False
    old = token(http).json()["refresh_token"]
    answers = [token(http, grant_type="refresh_token", refresh_token=old) for _ in range(2)]
    assert [(200, False)] * 2 == [(answer.status_code, "refresh_token" in answer.json()) for answer in answers]


def test_the_refresh_chain_ends_thirty_days_after_the_first_sign_in(clock, http):
    """Refreshing does not prolong the 30 days of the first sign-in."""
    refresh = token(http).json()["refresh_token"]
    clock.forward(days=29)
    refresh = token(http, grant_type="refresh_token", refresh_token=refresh).json()["refresh_token"]
    clock.forward(days=1)
    assert 400 == token(http, grant_type="refresh_token", refresh_token=refresh).status_code


def test_refreshing_keeps_the_session(erp, http):
    """With `offline_access` the refreshed token uses the session of the same grant."""
    first = token(http)
    http.get("/entity/Default/24.200.001/Customer", headers=bearer(first))
    second = token(http, grant_type="refresh_token", refresh_token=first.json()["refresh_token"])
    http.get("/entity/Default/24.200.001/Customer", headers=bearer(second))
    assert (1, 1) == (erp.open_sessions, erp.logins)


def test_plain_api_tokens_have_a_session_each(erp, http):
    """Without `offline_access` each token opens a session of its own."""
    for _ in range(2):
        http.get("/entity/Default/24.200.001/Customer", headers=bearer(token(http, scope="api")))
    assert 2 == erp.open_sessions


def test_concurrent_access_without_cookies_takes_a_seat_per_call(erp, http):
    """With `api:concurrent_access` a call that sends no cookies back opens another session."""
    headers = bearer(token(http, scope="api api:concurrent_access"))
    statuses = [httpx.get(f"{erp.endpoint_url}/Customer", headers=headers).status_code for _ in range(3)]
    assert [200, 200, 500] == statuses


def test_concurrent_access_with_cookies_keeps_its_seat(erp, http):
    """With the cookies sent back the session is the same."""
    headers = bearer(token(http, scope="api api:concurrent_access"))
    statuses = [http.get("/entity/Default/24.200.001/Customer", headers=headers).status_code for _ in range(3)]
    assert ([200, 200, 200], 1) == (statuses, erp.open_sessions)


def test_bearer_log_out_frees_the_seat_and_leaves_the_token(erp, http):
    """After a bearer log-out the seat is free, and using the token again opens a new session."""
    headers = bearer(token(http))
    http.get("/entity/Default/24.200.001/Customer", headers=headers)
    http.post("/entity/auth/logout", headers=headers)
    assert 0 == erp.open_sessions
    assert 200 == http.get("/entity/Default/24.200.001/Customer", headers=headers).status_code
    assert (1, 2) == (erp.open_sessions, erp.logins)


def test_revoking_does_not_free_the_seat(erp, http):
    """A revoked token is dead while its seat stays taken."""
    answer = token(http)
    http.get("/entity/Default/24.200.001/Customer", headers=bearer(answer))
    http.post("/identity/connect/revocation", data={**CLIENT, "token": answer.json()["access_token"]})
    assert 401 == http.get("/entity/Default/24.200.001/Customer", headers=bearer(answer)).status_code
    assert 1 == erp.open_sessions


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"client_secret": "x"}, "invalid_client"),
        ({"client_id": "88358B02-A48D-A50E-F710-39C1636C30F6@Other"}, "invalid_client"),
        ({"password": "x"}, "invalid_grant"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
    ],
)
def test_refused_token_requests_name_the_error(http, change, error):
    """The token endpoint refuses with 400 and the OAuth error code."""
    answer = token(http, **change)
    assert (400, {"error": error}) == (answer.status_code, answer.json())


def test_basic_client_authentication_is_refused(http):
    """The client secret counts in the form body only."""
    form = {**PASSWORD_GRANT, "scope": "api"}
    answer = http.post("/identity/connect/token", data=form, auth=(CLIENT["client_id"], CLIENT["client_secret"]))
    assert {"error": "invalid_client"} == answer.json()


def test_wrong_passwords_for_tokens_lock_the_account_too(http):
    """Password grants count as tries: five wrong ones lock the user."""
    for _ in range(5):
        token(http, password="x")
    assert 400 == token(http).status_code


def test_an_authorization_code_works_once_with_its_verifier(http):
    """A code from the sign-in page is exchanged once, with the PKCE verifier that fits its challenge."""
    verifier = "v" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    redirect = "http://localhost/back"
    query = {"client_id": CLIENT["client_id"], "response_type": "code", "scope": "api", "redirect_uri": redirect}
    page = http.get("/identity/connect/authorize", params={**query, "state": "s1", "code_challenge": challenge})
    sent = parse_qs(urlsplit(page.headers["location"]).query)
    form = {**CLIENT, "grant_type": "authorization_code", "redirect_uri": redirect, "code": sent["code"][0]}
    assert ["s1"] == sent["state"]
    answers = [http.post("/identity/connect/token", data={**form, "code_verifier": verifier}) for _ in range(2)]
    assert [200, 400] == [answer.status_code for answer in answers]


@pytest.mark.parametrize("change", [{"code_verifier": "wrong"}, {"redirect_uri": "http://localhost/other"}])
def test_a_code_needs_its_verifier_and_its_address(erp, http, change):
    """A wrong verifier or redirect address spoils the code."""
    code = erp.issue_code("http://localhost/back", code_challenge="challenge")
    form = {**CLIENT, "grant_type": "authorization_code", "redirect_uri": "http://localhost/back", "code": code}
    assert {"error": "invalid_grant"} == http.post("/identity/connect/token", data={**form, **change}).json()


def test_discovery_names_the_token_address(erp, http):
    """The discovery document lies under the site folder and names the addresses there."""
    document = http.get("/identity/.well-known/openid-configuration").json()
    assert f"{erp.base_url}/identity/connect/token" == document["token_endpoint"]


def test_expired_tokens_and_sessions_can_be_forced(erp, http, signed_in):
    """The dials end every session and every token at once."""
    erp.expire_sessions()
    assert 401 == ask(signed_in, "Customer").status_code
    answer = token(http)
    erp.expire_tokens()
    assert 401 == http.get("/entity/Default/24.200.001/Customer", headers=bearer(answer)).status_code
