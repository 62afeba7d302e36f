from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from mlconnector_sdk.testing import FakeClock, FakeMailchimp

BACK = "https://connect.acme.org/mailchimp"


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="fake")
def _fake(clock: FakeClock) -> Iterator[FakeMailchimp]:
    with FakeMailchimp(clock=clock, role="manager") as fake:
        yield fake


@pytest.fixture(name="browser")
def _browser(fake: FakeMailchimp) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fake.url, trust_env=False) as client:
        yield client


def _asked(fake: FakeMailchimp, **changes: str) -> dict[str, str]:
    asked = {"response_type": "code", "client_id": fake.login.client_id, "redirect_uri": BACK, "state": "s 1"}
    return {**asked, **changes}


def _code(fake: FakeMailchimp, browser: httpx.Client) -> str:
    answer = browser.get("/oauth2/authorize", params=_asked(fake))
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


def _form(fake: FakeMailchimp, code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "client_id": fake.login.client_id,
        "client_secret": fake.login.client_secret,
        "redirect_uri": BACK,
        "code": code,
    }


def _token(fake: FakeMailchimp, browser: httpx.Client) -> str:
    answer: dict[str, Any] = browser.post("/oauth2/token", data=_form(fake, _code(fake, browser))).json()
    return str(answer["access_token"])


def test_consent_comes_back_with_code_and_state(fake, browser):
    """The browser is sent back with a code and with the state as it was."""
    fake.login.redirect_uris.add(f"{BACK}?tenant=1")
    for back in (BACK, f"{BACK}?tenant=1"):
        answer = browser.get("/oauth2/authorize", params=_asked(fake, redirect_uri=back))
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        assert (302, ["s 1"], True) == (answer.status_code, query["state"], bool(query["code"]))


def test_a_refusal_comes_back_too(fake, browser):
    """Who says no is sent back with an error and no code."""
    fake.login.denies = True
    answer = browser.get("/oauth2/authorize", params={k: v for k, v in _asked(fake).items() if k != "state"})
    assert {"error": ["access_denied"]} == parse_qs(urlsplit(answer.headers["location"]).query)


@pytest.mark.parametrize(
    "changes", [{"client_id": "other"}, {"redirect_uri": f"{BACK}/"}, {"response_type": "token"}, {"redirect_uri": ""}]
)
def test_nobody_is_sent_to_where_nothing_is_registered(fake, browser, changes):
    """An unknown application or address is a page of Mailchimp's own, not a redirect."""
    answer = browser.get("/oauth2/authorize", params=_asked(fake, **changes))
    assert (400, False) == (answer.status_code, "location" in answer.headers)


def test_a_token_opens_the_api(fake, browser):
    """A token is good as Bearer and by the older word OAuth, until it is revoked."""
    token = _token(fake, browser)
    other = _token(fake, browser)
    for scheme in ("Bearer", "OAuth"):
        assert 200 == browser.get("/3.0/ping", headers={"Authorization": f"{scheme} {token}"}).status_code
    fake.revoke(token)
    assert 401 == browser.get("/3.0/ping", headers={"Authorization": f"Bearer {token}"}).status_code
    assert 200 == browser.get("/3.0/ping", headers={"Authorization": f"Bearer {other}"}).status_code
    fake.revoke()
    assert 401 == browser.get("/3.0/ping", headers={"Authorization": f"Bearer {other}"}).status_code


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"client_secret": "old"}, (401, "invalid_client")),
        ({"client_id": "other"}, (401, "invalid_client")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
        ({"code": "made up"}, (400, "invalid_grant")),
        ({"redirect_uri": f"{BACK}/"}, (400, "invalid_grant")),
        ({}, (200, None)),
    ],
)
def test_a_code_is_held_against_its_request(fake, browser, changes, expected):
    """Application, grant, code and address must all be those of the consent."""
    answer = browser.post("/oauth2/token", data={**_form(fake, _code(fake, browser)), **changes})
    assert expected == (answer.status_code, answer.json().get("error"))


def test_a_code_works_once_and_for_minutes(fake, browser, clock):
    """A used or old code is refused."""
    used, old = _code(fake, browser), _code(fake, browser)
    browser.post("/oauth2/token", data=_form(fake, used))
    clock.advance(minutes=6)
    answers = [browser.post("/oauth2/token", data=_form(fake, code)) for code in (used, old)]
    assert ["invalid_grant"] * 2 == [answer.json()["error"] for answer in answers]


def test_the_form_alone_is_read(fake, browser):
    """Neither JSON nor HTTP Basic signs an application in."""
    form = _form(fake, _code(fake, browser))
    basic = (form.pop("client_id"), form.pop("client_secret"))
    assert 401 == browser.post("/oauth2/token", data=form, auth=basic).status_code
    assert 400 == browser.post("/oauth2/token", json=_form(fake, "x")).status_code


@pytest.mark.parametrize("way", ["OAuth", "Bearer", "query"])
def test_metadata_tell_whose_token_it_is(fake, browser, way):
    """Data centre and address, with the token in either header or in the query."""
    token = _token(fake, browser)
    headers = {} if way == "query" else {"Authorization": f"{way} {token}"}
    params = {"oauth_token": token} if way == "query" else None
    facts = browser.get("/oauth2/metadata", headers=headers, params=params).json()
    assert ("us6", fake.url, "manager") == (facts["dc"], facts["api_endpoint"], facts["role"])


@pytest.mark.parametrize("headers", [{}, {"Authorization": "OAuth wrong"}, {"Authorization": "Basic dDp0"}])
def test_a_bad_token_is_told_with_the_status_of_success(browser, headers):
    """Metadata of no token are 200 and an error."""
    answer = browser.get("/oauth2/metadata", headers=headers)
    assert (200, "invalid_token") == (answer.status_code, answer.json()["error"])


def test_there_is_nothing_else(browser):
    """Other addresses and methods of the log-in service are not found."""
    assert [404, 404] == [browser.get("/oauth2/token").status_code, browser.get("/oauth2/refresh").status_code]
