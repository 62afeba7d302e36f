"""The values that hold credentials."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta

import pytest

from mlconnector_sdk.auth import (
    BasicLogin,
    CookieLogin,
    OAuth2AuthorizationCode,
    OAuth2ClientCredentials,
    OAuth2Password,
    OAuth2Token,
)
from mlconnector_sdk.errors import ConfigurationError

SECRET = "top-secret-value"
VALUES = [
    BasicLogin(username="sync", password=SECRET),
    CookieLogin(username="sync", password=SECRET, tenant="Acme", branch="MAIN"),
    OAuth2Password(client_id="app", client_secret=SECRET, username="sync", password=SECRET),
    OAuth2ClientCredentials(client_id="app", client_secret=SECRET),
    OAuth2Token(access_token=SECRET, refresh_token=SECRET, expires_at=datetime(2026, 1, 1, tzinfo=UTC)),
    OAuth2AuthorizationCode(client_id="app", client_secret=SECRET, token=OAuth2Token(access_token=SECRET), save=print),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_show_no_secret(value):
    """Neither repr nor str of a value has its secrets."""
    assert SECRET not in repr(value) + str(value)
    assert type(value).__name__ in repr(value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_travel_to_other_processes(value):
    """A pickled value comes back equal."""
    assert value == pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize(
    ("kind", "settings", "named"),
    [
        (BasicLogin, {"username": "", "password": "x"}, "username"),
        (CookieLogin, {"username": "", "password": "x"}, "username"),
        (CookieLogin, {"username": "a", "password": "x", "tenant_key": "firm"}, "tenant_key"),
        (OAuth2Password, {"client_id": "", "username": "a", "password": "x"}, "client_id"),
        (OAuth2Password, {"client_id": "a", "username": "a", "password": "x", "client_auth": "jwt"}, "client_auth"),
        (OAuth2ClientCredentials, {"client_id": "a", "client_secret": ""}, "client_secret"),
        (OAuth2Token, {"access_token": "a", "expires_at": datetime(2026, 1, 1)}, "expires_at"),
    ],
)
def test_wrong_setting_is_named(kind, settings, named):
    """A value that cannot work is refused when it is made, and the message names the setting."""
    with pytest.raises(ValueError, match=named):
        kind(**settings)


def test_token_is_read_from_an_answer():
    """Expiry is counted from the moment of the answer; what the server leaves out is empty."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    answer = {"access_token": "a", "expires_in": 3600, "refresh_token": "r", "scope": "api", "token_type": "Bearer"}

    token = OAuth2Token.from_answer(answer, now=now)

    assert now + timedelta(hours=1) == token.expires_at
    assert ("a", "r", "api") == (token.access_token, token.refresh_token, token.scope)
    assert OAuth2Token(access_token="a") == OAuth2Token.from_answer({"access_token": "a"})


@pytest.mark.parametrize("answer", [{}, {"access_token": ""}, {"access_token": 5}])
def test_answer_without_token_is_refused(answer):
    """An answer that holds no access token is no token."""
    with pytest.raises(ValueError, match="access_token"):
        OAuth2Token.from_answer(answer)


def test_token_is_stale_a_minute_early():
    """A token that lasts less than a minute is not fresh; one without expiry is, an empty one never."""
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def lasting(seconds):
        return OAuth2Token(access_token="a", expires_at=now + timedelta(seconds=seconds)).is_fresh(now=now)

    assert [False, True] == [lasting(60), lasting(61)]
    assert OAuth2Token(access_token="a").is_fresh()
    assert not OAuth2Token(access_token="", refresh_token="r").is_fresh()


def test_authorization_code_needs_a_token_first():
    """Without a stored token the flow cannot begin, and the message says how to get one."""
    with pytest.raises(ConfigurationError, match="authorize_url"):
        OAuth2AuthorizationCode(client_id="app").flow(token_url="http://localhost/token")
