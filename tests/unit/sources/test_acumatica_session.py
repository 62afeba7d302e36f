"""Signing in to and out of Acumatica, and what is said when something is wrong."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from mlconnector_sdk.auth import OAuth2AuthorizationCode, OAuth2ClientCredentials, OAuth2Token
from mlconnector_sdk.errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    RateLimitError,
    TransientError,
    UnavailableError,
)
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.testing import FakeAcumatica
from tests.unit.sources._acumatica import by_cookie, by_token, keys_of, source_of

BOTH = pytest.mark.parametrize("auth", [by_cookie(), by_token()], ids=["cookie", "token"])


@pytest.fixture
def erp():
    """A site with a few customers."""
    with FakeAcumatica(customers=7, contacts=3) as running:
        yield running


def lines(source):
    """What a check prints."""
    return [str(row) for row in source.check()]


@BOTH
def test_seat_is_free_after_closing(erp, auth):
    """One seat serves a whole reading, and closing frees it; a closed source can be used and closed again."""
    source = source_of(erp, auth=auth, page_size=2)
    for _ in range(2):
        assert 7 == len(keys_of(source.read("customers")))
        assert 1 == erp.open_sessions
        source.close()
        source.close()
        assert 0 == erp.open_sessions

    assert 2 == erp.logins
    assert 2 == len(erp.requests(path="auth/logout"))


@BOTH
def test_seat_is_freed_when_reading_fails(erp, auth):
    """An error in the middle leaves no session behind."""
    erp.fail(status=400, body={"message": "The request is invalid."}, path="/Customer")
    with pytest.raises(ContractError), source_of(erp, auth=auth) as source:
        list(source.read("customers"))

    assert 0 == erp.open_sessions


def test_seat_is_freed_when_sign_in_half_failed(erp):
    """A session whose sign-in answered with an error after all is signed out with the cookies it set."""
    erp.fail_next(
        500,
        body={"message": "An error has occurred.", "exceptionMessage": "deadlock"},
        headers={"Set-Cookie": "ASP.NET_SessionId=half; path=/"},
        path="auth/login",
    )
    with source_of(erp, auth=by_cookie()) as source:
        assert 7 == len(keys_of(source.read("customers")))

    cookies = [entry.request.headers.get("cookie", "") for entry in erp.requests(path="auth/logout")]
    assert "half" in cookies[0]
    assert 2 == len(cookies)
    assert 0 == erp.open_sessions


def test_failed_sign_out_is_no_error(erp, caplog):
    """When the sign-out itself fails, closing still succeeds and says why a seat stays taken."""
    source = source_of(erp, auth=by_cookie())
    list(source.read("customers"))
    erp.fail(drop="before", path="auth/logout")

    with caplog.at_level(logging.WARNING, "mlconnector_sdk"):
        source.close()

    assert "sign-out failed" in caplog.text


@pytest.mark.parametrize(
    ("scope", "sign_outs"), [("api", 2), ("api offline_access", 1), ("api:concurrent_access", 2), ("", 1)]
)
def test_every_scope_takes_one_seat_and_frees_it(erp, scope, sign_outs):
    """Several pages and a renewed token take one seat at a time; a token that was not refreshed is signed out."""
    with source_of(erp, auth=by_token(scope=scope), page_size=2) as source:
        pages = source.read("customers")
        next(pages)
        erp.expire_tokens()
        if "offline_access" not in scope:
            erp.expire_sessions()  # without it a session dies with its token
        assert 4 <= len(keys_of(pages))
        assert 1 == erp.open_sessions

    assert 0 == erp.open_sessions
    assert sign_outs == len(erp.requests(path="auth/logout"))


@BOTH
def test_expired_session_in_the_middle_is_renewed(erp, auth):
    """A 401 between two pages signs in again once, and no row is lost."""
    with source_of(erp, auth=auth, page_size=2) as source:
        pages = source.read("customers")
        first = keys_of([next(pages)])
        erp.expire_sessions()
        erp.expire_tokens()

        assert sorted(erp.customers) == sorted(first + keys_of(pages))


def test_refresh_token_is_rotated_and_saved(erp):
    """With consent given in a browser, the renewed token reaches the caller before it is used."""
    saved = []
    auth = OAuth2AuthorizationCode(
        client_id=by_token().client_id,
        client_secret="s3cret",
        redirect_uri="https://app.example/back",
        scope="api offline_access",
        save=saved.append,
    )
    code = erp.issue_code("https://app.example/back")
    token = auth.exchange(code, verifier=auth.new_verifier(), token_url=f"{erp.base_url}/identity/connect/token")
    stored = OAuth2AuthorizationCode(
        client_id=auth.client_id,
        client_secret="s3cret",
        token=OAuth2Token(access_token="", refresh_token=token.refresh_token),
        save=saved.append,
    )
    with source_of(erp, auth=stored) as source:
        assert 7 == len(keys_of(source.read("customers")))

    assert 2 == len(saved)
    assert saved[0] == token
    assert saved[1].refresh_token not in {"", token.refresh_token}
    assert 0 == erp.open_sessions


@BOTH
@pytest.mark.parametrize("shape", ["json", "html", "iis"])
def test_taken_seat_is_waited_for(erp, auth, shape):
    """The seat limit is recognised in each of its shapes, waited for, and said to whoever listens."""
    waits = []

    def on_wait(system, operation, error, seconds, tries):
        waits.append((type(error), error.reason, tries))
        if tries == 2:
            erp.seat_limit(None)

    erp.seat_limit(shape)
    with source_of(erp, auth=auth) as source:
        source.attach(on_wait=on_wait)
        assert 7 == len(keys_of(source.read("customers")))

    assert [(RateLimitError, "api_login_limit", 1), (RateLimitError, "api_login_limit", 2)] == waits


@BOTH
def test_seat_that_stays_taken_is_an_error_with_a_cure(erp, auth):
    """When no seat gets free the error names the forms where the limits are."""
    erp.seat_limit("html")
    with source_of(erp, auth=auth) as source, pytest.raises(RateLimitError, match="SM604000") as caught:
        list(source.read("customers"))

    assert 0.0 == caught.value.retry_after
    assert 6 == len(erp.requests(path="auth/login")) + len(erp.requests(path="/Customer"))


def test_wrong_password_is_sent_once(erp):
    """A refused password is not tried again, by no stream and no retry, and the account stays unlocked."""
    with source_of(erp, auth=by_cookie(password="wrong-one")) as source:
        for stream in ("customers", "contacts", "orders", "customers"):
            with pytest.raises(AuthenticationError, match="password is wrong") as caught:
                list(source.read(stream))
            assert "wrong-one" not in str(caught.value)

    assert 1 == len(erp.requests(path="auth/login"))


def test_locked_account_is_not_knocked_at(erp):
    """A locked account is named as such and tried once."""
    erp.lock_account()
    with source_of(erp, auth=by_cookie()) as source:
        for _ in range(3):
            with pytest.raises(AuthenticationError, match="locked"):
                list(source.read("customers"))

    assert 1 == len(erp.requests(path="auth/login"))


@pytest.mark.parametrize("status", [200, 302, 503])
def test_maintenance_is_waited_for(erp, status):
    """A page instead of data is maintenance: the call is repeated, and the page is never followed or parsed."""
    erp.html_maintenance(status, path="/Customer", times=2)
    with source_of(erp) as source:
        assert 7 == len(keys_of(source.read("customers")))

    assert 3 == len(erp.requests(path="/Customer"))


def test_maintenance_that_lasts_is_unavailable(erp):
    """A site that stays in maintenance is unavailable, not broken."""
    erp.html_maintenance(503)
    with source_of(erp) as source, pytest.raises(UnavailableError):
        list(source.read("customers"))


@pytest.mark.parametrize(
    "fault",
    [{"drop": "before"}, {"truncate": 300}, {"status": 502}, {"status": 500, "body": {"message": "deadlock"}}],
    ids=["dropped", "cut off", "gateway", "deadlock"],
)
def test_passing_trouble_between_pages_loses_nothing(erp, fault):
    """A connection that breaks, an answer cut off, a gateway error: the page is asked for again."""
    erp.fail(path="/Customer", every=2, **fault)
    with source_of(erp, page_size=2) as source:
        assert sorted(erp.customers) == sorted(keys_of(source.read("customers")))


def test_engine_policy_replaces_the_own_one(erp):
    """A retry policy that an engine attaches is obeyed."""
    erp.fail(status=503, path="/Customer")
    with source_of(erp) as source:
        source.attach(retry=RetryPolicy.immediate(2))
        with pytest.raises(TransientError):
            list(source.read("customers"))

    assert 2 == len(erp.requests(path="/Customer"))


# -- what check says --------------------------------------------------------------------------------------------------


@BOTH
def test_check_of_a_healthy_site(erp, auth):
    """Each thing is one line: address and version, clock, sign-in, and each stream with its form."""
    with source_of(erp, auth=auth, version=None) as source:
        found = lines(source)

    assert found[0].startswith("ok  acumatica: address and version: Default 24.200.001 on build 25")
    assert found[1].startswith("ok  acumatica: clock: the instance is ")
    assert [
        "ok  acumatica: sign-in: sync",
        "ok  acumatica: stream customers: Customer (form AR303000)",
        "ok  acumatica: stream contacts: Contact (form CR302000)",
        "ok  acumatica: stream suppliers: Vendor (form AP303000)",
        "ok  acumatica: stream orders: SalesInvoice (form SO303000)",
    ] == found[2:]


WRONG = {
    "host": lambda erp: {"base_url": "https://erp.invalid/Acme"},
    "site folder": lambda erp: {"base_url": f"{erp.url}/Wrong"},
    "version": lambda erp: {"version": "21.200.001"},
    "endpoint": lambda erp: {"endpoint": "Acme", "version": None, "auth": by_cookie()},
    "tenant, by cookie": lambda erp: {"auth": by_cookie(tenant="Other")},
    "tenant, by token": lambda erp: {"auth": by_token(client_id="88358B02-A48D-A50E-F710-39C1636C30F6@Other")},
    "password, by cookie": lambda erp: {"auth": by_cookie(password="wrong-one")},
    "password, by token": lambda erp: {"auth": by_token(password="wrong-one")},
    "token": lambda erp: {"auth": OAuth2Token(access_token="stale-token")},
}


@pytest.mark.parametrize(
    ("mistake", "place", "parts"),
    [
        ("host", 0, ["cannot connect", "check host name"]),
        ("site folder", 0, ["nothing is at this address", "site folder"]),
        ("version", 0, ["no version 21.200.001", "20.200.001, 22.200.001, 23.200.001, 24.200.001"]),
        ("endpoint", 0, ["no endpoint 'Acme'", "Default, eCommerce"]),
        ("tenant, by cookie", 2, ["no such tenant", "SM203520"]),
        ("tenant, by token", 2, ["invalid_client", "tenant's login name (SM203520)"]),
        ("password, by cookie", 2, ["sign-in refused", "password is wrong"]),
        ("password, by token", 2, ["invalid_grant", "password"]),
        ("token", 3, ["the access token is not, or no longer, valid", "get a new one"]),
    ],
)
def test_check_names_what_is_wrong_and_the_cure(erp, mistake, place, parts):
    """Each mistake is one line with its cure, tried once, without traceback or secret."""
    with source_of(erp, **WRONG[mistake](erp)) as source:
        found = lines(source)

    assert place == next(number for number, line in enumerate(found) if line.startswith("NOT OK"))
    wrong = found[place]
    happened, _, cure = wrong.partition(" -> ")
    assert parts[0] in happened
    assert parts[1] in cure
    assert "\n" not in wrong
    assert not any(secret in wrong for secret in ("wrong-one", "s3cret", "stale-token", "correct horse"))
    tried = erp.requests("POST", "auth/login") + erp.requests("POST", "connect/token")
    assert len(tried) <= 1


def test_check_goes_on_after_a_missing_right(erp):
    """A missing right concerns one stream, names its form, and the others are tried all the same."""
    erp.forbid("Vendor")
    erp.crm = False
    with source_of(erp) as source:
        found = {row.what: row for row in source.check()}

    assert not found["stream suppliers"].ok
    assert "AP303000" in found["stream suppliers"].detail
    assert "Customer Management" in found["stream contacts"].cure
    assert found["stream customers"].ok
    assert found["stream orders"].ok


def test_check_names_a_clock_that_is_off():
    """A clock difference that matters is said with its size."""
    late = datetime.now(UTC) - timedelta(minutes=10)
    with FakeAcumatica(customers=2, clock=lambda: late) as erp, source_of(erp) as source:
        clock = next(row for row in source.check() if row.what == "clock")

    assert not clock.ok
    assert "s behind this machine" in clock.detail
    assert "set the clocks" in clock.cure


def test_check_survives_a_caller_s_own_function(erp):
    """A `save` callback that raises is a line of the check, not a traceback."""

    def save(token):
        raise OSError("the disk of secret-place is full")

    code = erp.issue_code("https://app.example/back")
    client = OAuth2AuthorizationCode(
        client_id=by_token().client_id, client_secret="s3cret", redirect_uri="https://app.example/back"
    )
    token = client.exchange(code, verifier="v" * 50, token_url=f"{erp.base_url}/identity/connect/token")
    auth = OAuth2AuthorizationCode(
        client_id=client.client_id,
        client_secret="s3cret",
        token=OAuth2Token(access_token="", refresh_token=token.refresh_token),
        save=save,
    )
    with source_of(erp, auth=auth) as source:
        found = lines(source)

    assert any(line.startswith("NOT OK") and "OSError" in line for line in found)
    assert "secret-place" not in "".join(found)


def test_newest_known_version_is_chosen(erp):
    """Without a wish the newest version that is known here and offered there is used."""
    erp.versions = ("20.200.001", "22.200.001", "99.200.001")
    with source_of(erp, version=None) as source:
        list(source.read("customers"))

    assert "/entity/Default/22.200.001/" in erp.requests(path="/Customer")[0].path


def test_site_with_unknown_versions_only_needs_a_wish(erp):
    """Where nothing offered is known, a version has to be named."""
    erp.versions = ("99.200.001",)
    with source_of(erp, version=None) as source, pytest.raises(ConfigurationError, match=r"99\.200\.001 with version="):
        list(source.read("customers"))


def test_older_builds_list_endpoints_as_an_array(erp):
    """The bare listing of older builds is read as well."""
    erp.bare_listing = True
    with source_of(erp, version=None) as source:
        assert 7 == len(keys_of(source.read("customers")))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"auth": OAuth2ClientCredentials(client_id="a", client_secret="b")}, "client-credentials"),
        ({"auth": "token"}, "OAuth2Password"),
        ({"base_url": "erp.example.com/Acme"}, "https://"),
        ({"page_size": 1}, "page_size"),
        ({"orders": "Quote"}, "orders"),
        ({"customer_email": "both"}, "customer_email"),
        ({"optout_field": {"orders": "UsrX"}}, "optout_field"),
        ({"custom_fields": {"clients": ["UsrX"]}}, "custom_fields"),
        ({"custom_fields": {"customers": "UsrX"}}, "custom_fields"),
    ],
)
def test_wrong_setting_is_refused_at_once(erp, settings, named):
    """A setting that cannot work is refused when the source is made; nothing is sent."""
    with pytest.raises(ConfigurationError, match=named):
        source_of(erp, **settings)

    assert [] == erp.log


def test_a_version_too_old_is_told_with_those_that_exist(erp):
    """A version the instance lacks, or one older than any we know, is one line of the check."""
    with source_of(erp, version="18.200.001") as source:
        [row] = source.check()

    assert not row.ok
    assert "18.200.001" in row.detail
    assert "24.200.001" in row.cure


def test_missing_date_header_is_named(erp):
    """Without the server's clock there is no safe mark, and the error says what may be missing."""
    with source_of(erp) as source:
        erp.fail(status=200, body=[], headers={"Date": ""}, path="/entity")
        with pytest.raises(ContractError, match="Date"):
            source.present("customers")
