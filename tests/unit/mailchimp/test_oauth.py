from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import attrs
import httpx
import pytest

from mlconnector_sdk.auth import OAuth2Token
from mlconnector_sdk.credentials import EncryptedVault, KeyRing
from mlconnector_sdk.errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    RateLimitError,
    ReauthorizationRequiredError,
    UnavailableError,
)
from mlconnector_sdk.mailchimp import MailchimpAccount, MailchimpOAuth, MailchimpSink
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.testing import FakeClock
from mlconnector_sdk.testing.fakes._mailchimp import FakeMailchimp
from tests.unit.mailchimp._writes import member_write

BACK = "https://connect.acme.org/mailchimp"
STATE = "kept in the session"


class Box:
    """A vault of the plainest kind."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, name: str) -> str:
        return self.kept[name]

    def put(self, name: str, secret: str) -> None:
        self.kept[name] = secret


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="fake")
def _fake(clock: FakeClock) -> Iterator[FakeMailchimp]:
    with FakeMailchimp(clock=clock) as fake:
        yield fake


@pytest.fixture(name="oauth")
def _oauth(fake: FakeMailchimp) -> MailchimpOAuth:
    return MailchimpOAuth(
        client_id=fake.login.client_id,
        client_secret=fake.login.client_secret,
        redirect_uri=BACK,
        base_url=fake.url,
        retry=RetryPolicy.immediate(),
    )


@pytest.fixture(name="account")
def _account(oauth: MailchimpOAuth) -> MailchimpAccount:
    return oauth.exchange(consented(oauth))


def returned(oauth: MailchimpOAuth) -> str:
    """Where the browser is sent back to."""
    answer = httpx.get(oauth.authorize_url(state=STATE), trust_env=False)
    assert 302 == answer.status_code
    return answer.headers["location"]


def consented(oauth: MailchimpOAuth) -> str:
    """The code of a person who said yes."""
    return oauth.code_of(returned(oauth), state=STATE)


# The way there


def test_the_browser_is_sent_with_what_is_documented(oauth):
    """The address names the application, where to come back to, and the state; nothing else."""
    parts = urlsplit(oauth.authorize_url(state="f3+a9 &"))
    expected = {
        "response_type": ["code"],
        "client_id": [oauth.client_id],
        "redirect_uri": [BACK],
        "state": ["f3+a9 &"],
    }
    assert ("/oauth2/authorize", expected) == (parts.path, parse_qs(parts.query))


def test_a_browser_is_never_sent_without_state(oauth):
    """An empty state would let anybody connect their account to somebody else's user."""
    with pytest.raises(ConfigurationError, match="new_state"):
        oauth.authorize_url(state="")


def test_states_are_not_repeated(oauth):
    """Each state is new, and long enough not to be guessed."""
    states = {oauth.new_state() for _ in range(50)}
    assert (50, True) == (len(states), min(map(len, states)) >= 40)


@pytest.mark.parametrize("form", [lambda url: url, lambda url: urlsplit(url).query, lambda url: f"{url}#top"])
def test_the_code_is_read_from_what_came_back(oauth, form):
    """The whole address will do, its query too."""
    assert oauth.exchange(oauth.code_of(form(returned(oauth)), state=STATE)).account_id


@pytest.mark.parametrize(
    ("query", "state", "reason"),
    [
        ("code=c&state=other", STATE, "state_mismatch"),
        ("code=c", STATE, "state_mismatch"),
        ("code=c&state=", "", "state_mismatch"),
        ("code=c&state=%C3%A9", STATE, "state_mismatch"),
        ("error=access_denied&state=other", STATE, "state_mismatch"),
        (f"error=access_denied&state={STATE}", STATE, "access_denied"),
        (f"state={STATE}", STATE, "no_code"),
        (f"code=&state={STATE}", STATE, "no_code"),
        ("", STATE, "state_mismatch"),
    ],
)
def test_what_comes_back_is_looked_at_first(oauth, query, state, reason):
    """A state that is not ours, a refusal and a missing code are told apart, and the code is not repeated."""
    with pytest.raises(AuthenticationError) as caught:
        oauth.code_of(f"{BACK}?{query}", state=state)
    assert reason == caught.value.reason


def test_a_person_may_say_no(fake, oauth):
    """A refused consent is told as such."""
    fake.login.denies = True
    with pytest.raises(AuthenticationError) as caught:
        consented(oauth)
    assert "access_denied" == caught.value.reason


# The exchange


def test_a_code_becomes_an_account(fake, account):
    """Token, data centre, address and account are known after one exchange."""
    assert ("us6", fake.url, "Acme Wholesale") == (account.dc, account.api_endpoint, account.account_name)
    assert ("8d3a3db4d97663a9074efcc16", f"{fake.url}/3.0") == (account.account_id, account.base_url)
    assert {account.access_token} == fake.tokens


def test_the_secret_travels_in_the_form(fake, account):
    """Mailchimp reads id and secret from the form, not from a header."""
    sent = fake.requests("POST", "/oauth2/token")[0].request
    assert {"grant_type", "client_id", "client_secret", "redirect_uri", "code"} == set(sent.form())
    assert "authorization" not in sent.headers


def test_a_code_works_once(fake, oauth):
    """A second exchange of a code is refused, and not repeated."""
    code = consented(oauth)
    oauth.exchange(code)
    with fake.recording() as calls, pytest.raises(AuthenticationError) as caught:
        oauth.exchange(code)
    assert ("invalid_grant", 1) == (caught.value.reason, len(calls))


def test_a_code_lives_for_minutes(oauth, clock):
    """A code that was left lying is refused."""
    code = consented(oauth)
    clock.advance(minutes=10)
    with pytest.raises(AuthenticationError, match="expired"):
        oauth.exchange(code)


@pytest.mark.parametrize("body", [{"error": "invalid_client"}, {"detail": "no"}, None])
def test_a_replaced_client_secret_is_told(fake, oauth, body):
    """A 401 of the token's end point means the application's own secret, whatever its body."""
    code = consented(oauth)
    fake.fail(status=401, body=body, path="/oauth2/token")
    with pytest.raises(AuthenticationError, match="client secret is wrong") as caught:
        oauth.exchange(code)
    assert ("invalid_client", 401) == (caught.value.reason, caught.value.status_code)


def test_a_wrong_client_secret_is_refused(fake, oauth):
    """The application's new secret makes the old one void at once."""
    code = consented(oauth)
    fake.login.client_secret = "another"
    with pytest.raises(AuthenticationError) as caught:
        oauth.exchange(code)
    assert "invalid_client" == caught.value.reason


@pytest.mark.parametrize(
    ("fault", "error"),
    [({"status": 503}, UnavailableError), ({"status": 404}, ContractError), ({"drop": "before"}, UnavailableError)],
)
def test_a_code_is_never_sent_twice(fake, oauth, fault, error):
    """An outage of the token's end point is raised at once, because the code may be used up."""
    code = consented(oauth)
    fake.fail(path="/oauth2/token", **fault)
    with pytest.raises(error):
        oauth.exchange(code)
    assert 1 == len(fake.requests("POST", "/oauth2/token"))


def test_the_metadata_are_asked_again_after_an_outage(fake, oauth):
    """Whose token it is may be asked as often as the retry policy says."""
    code = consented(oauth)
    fake.fail_next(503, times=2, path="/oauth2/metadata")
    fake.fail_next(429, path="/oauth2/metadata")
    assert "us6" == oauth.exchange(code).dc


@pytest.mark.parametrize("fault", [{"status": 200}, {"status": 401}])
def test_a_refused_token_may_look_like_success(fake, oauth, fault):
    """Metadata answered 200 with an error are a refusal, and so is a plain 401."""
    if fault["status"] != 200:
        fake.fail(path="/oauth2/metadata", **fault)
    with fake.recording() as calls, pytest.raises(ReauthorizationRequiredError) as caught:
        oauth.account("5c6ccc561059aa386da9d112215bae55")
    assert ("token_refused", 1) == (caught.value.reason, len(calls))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 200, "body": "<html>"}, ContractError),
        ({"status": 200, "body": ["us6"]}, ContractError),
        ({"status": 200, "body": {"dc": "us6"}}, ContractError),
        ({"status": 200, "body": {"dc": "us6", "api_endpoint": "http://elsewhere.org"}}, ContractError),
        ({"status": 200, "body": {"dc": "us6", "api_endpoint": "https://elsewhere.org"}}, ContractError),
        ({"status": 200, "body": {"dc": "us6", "api_endpoint": "https://mailchimp.com.elsewhere.org"}}, ContractError),
        ({"status": 200, "body": {"dc": "us6", "api_endpoint": "http://us6.api.mailchimp.com"}}, ContractError),
        (
            {"status": 200, "body": {"dc": "us6", "api_endpoint": "https://a.mailchimp.com@elsewhere.org"}},
            ContractError,
        ),
        ({"status": 200, "body": {"dc": "us6", "api_endpoint": "https://[elsewhere"}}, ContractError),
        ({"status": 302}, ContractError),
        ({"status": 404, "body": {"title": "no"}}, ContractError),
        ({"status": 500}, UnavailableError),
        ({"status": 502, "body": {"error": "busy"}}, UnavailableError),
        ({"status": 429}, RateLimitError),
    ],
)
def test_metadata_of_another_kind_are_no_account(fake, oauth, fault, error):
    """An account is only what an address of its API is told for; outages are raised as they are."""
    fake.tokens.add("good")
    fake.fail(path="/oauth2/metadata", **fault)
    with pytest.raises(error):
        oauth.account("good")


# Keeping


def test_an_account_is_kept_before_it_is_returned(oauth):
    """A callable gets the account, a vault its text, under its own name or one that is given."""
    box, told = Box(), []
    first = oauth.exchange(consented(oauth), save=told.append, vault=box)
    second = oauth.exchange(consented(oauth), vault=box, name="acme")
    assert [first] == told
    assert first == MailchimpAccount.from_secret(box.get("mailchimp account 8d3a3db4d97663a9074efcc16"))
    assert second == MailchimpAccount.from_secret(box.get("acme"))


def test_a_kept_account_opens_a_sink(fake, account):
    """The value and the text of it are both as good as an API key, and need no address."""
    for auth in (account, account.to_secret()):
        with MailchimpSink(auth, list_id=fake.list_id) as sink:
            assert "created" == sink.write_members([member_write(f"{len(fake.members)}@acme.org")])[0].kind
    assert {f"Bearer {account.access_token}"} == {
        entry.request.headers["authorization"] for entry in fake.requests("PUT", "/members")
    }


def test_an_address_that_is_given_goes_first(account):
    """A proxy's address is used instead of the account's own."""
    with MailchimpSink(account, list_id="a", base_url="https://proxy.acme.org/3.0") as sink:
        assert "https://proxy.acme.org/3.0" == sink._client.http.base_url


@pytest.mark.parametrize(
    "text", ["{}", "{", '{"access_token": ""}', '["secret"]', "null", '{"access_token": "s3cret"}']
)
def test_a_spoilt_text_is_no_account(text):
    """What cannot be read is told without its content."""
    with pytest.raises(ConfigurationError, match="connect it again") as caught:
        MailchimpAccount.from_secret(text)
    assert ("s3cret" in f"{caught.value!r}", None) == (False, caught.value.__cause__)


def test_accounts_pickle(account):
    """Workers on other machines get the same account."""
    assert account == pickle.loads(pickle.dumps(account))


def test_the_applications_secret_may_lie_in_a_vault(fake, oauth, tmp_path):
    """A vault's reference is looked up at the exchange; the account it gives is kept beside it."""
    vault = EncryptedVault(tmp_path / "acme.vault", key=KeyRing.generate())
    referring = attrs.evolve(oauth, client_secret=vault.reference("mailchimp app"))
    code = consented(referring)
    vault.put("mailchimp app", fake.login.client_secret)
    account = referring.exchange(code, vault=vault, name="mailchimp")
    assert account == MailchimpAccount.from_secret(vault.get("mailchimp"))


# Disconnected


def test_a_revoked_token_ends_the_connection(fake, account):
    """A token that worked and is refused now is told as disconnected, after one call."""
    with MailchimpSink(account, list_id=fake.list_id, retry=RetryPolicy.immediate()) as sink:
        sink.present()
        fake.revoke(account.access_token)
        with fake.recording() as calls, pytest.raises(ReauthorizationRequiredError) as caught:
            sink.write_members([member_write("pat@acme.org")])
    assert ("disconnected", 401, 1) == (caught.value.reason, caught.value.status_code, len(calls))
    assert caught.value.request_id


def test_an_account_worked_once(fake, account):
    """A kept account is known to have worked: its first refusal already means that it was disconnected."""
    fake.revoke()
    with MailchimpSink(account, list_id=fake.list_id) as sink, pytest.raises(ReauthorizationRequiredError):
        sink.inspect([])


def test_a_check_tells_what_to_do(fake, account):
    """The row on the connection says that the account's owner has to connect it again."""
    fake.revoke()
    with MailchimpSink(account, list_id=fake.list_id) as sink:
        rows = list(sink.check())
    assert ["connection"] == [row.what for row in rows]
    assert (False, True, True) == (rows[0].ok, "disconnected" in rows[0].detail, "authorize_url" in rows[0].cure)


def test_a_bare_token_is_disconnected_only_after_it_worked(fake, make_sink):
    """A token nobody vouches for may be a wrong one; once it has worked, a refusal is a revocation."""
    fake.tokens.add("t0ken")
    sink = make_sink(auth=OAuth2Token(access_token="t0ken"))
    fake.revoke("t0ken")
    with pytest.raises(AuthenticationError) as first:
        sink.present()
    fake.tokens.add("t0ken")
    sink.present()
    fake.revoke("t0ken")
    with pytest.raises(AuthenticationError) as second:
        sink.present()
    assert ("key_refused", "disconnected") == (first.value.reason, second.value.reason)


@pytest.mark.parametrize("body", [None, "<html>Sign in to the proxy</html>", {"title": "API Key Missing"}])
def test_a_proxy_disconnects_nobody(fake, account, body):
    """Only Mailchimp's own word that the token is invalid means that it was revoked."""
    fake.fail(status=401, body=body)
    with MailchimpSink(account, list_id=fake.list_id) as sink, pytest.raises(AuthenticationError) as caught:
        sink.present()
    assert AuthenticationError is type(caught.value)


def test_a_revoked_key_is_no_connection(fake, make_sink):
    """An API key is replaced by a key, not by a consent."""
    sink = make_sink()
    sink.present()
    fake.api_key = "f" * 32 + "-us6"
    with pytest.raises(AuthenticationError) as caught:
        sink.present()
    assert AuthenticationError is type(caught.value)


def test_nothing_tells_token_code_or_secret(fake, oauth, caplog):
    """Neither reprs nor errors nor logs hold what lets somebody in."""
    code = consented(oauth)
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    account = oauth.exchange(code)
    errors = []
    with pytest.raises(AuthenticationError) as caught:
        oauth.exchange(code)
    errors.append(caught.value)
    fake.revoke()
    for call in (lambda: oauth.account(account.access_token), lambda: _ask(account, fake.list_id)):
        with pytest.raises(AuthenticationError) as caught:
            call()
        errors.append(caught.value)
    said = f"{oauth!r} {account!r} {errors} {[str(error) for error in errors]} {caplog.text}"
    assert [] == [word for word in (code, account.access_token, fake.login.client_secret) if word in said]


def _ask(account: MailchimpAccount, list_id: str) -> None:
    with MailchimpSink(account, list_id=list_id) as sink:
        sink.present()
