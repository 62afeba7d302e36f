"""OAuth 2 flows against a token server on loopback."""

from __future__ import annotations

import base64
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from mlconnector_sdk.auth import (
    OAuth2AuthorizationCode,
    OAuth2ClientCredentials,
    OAuth2Password,
    OAuth2Token,
)
from mlconnector_sdk.errors import (
    AuthenticationError,
    ContractError,
    RateLimitError,
    TimeoutExceededError,
    UnavailableError,
)
from mlconnector_sdk.testing.fakes import FakeServer, Reply


class TokenServer(FakeServer):
    """Gives numbered tokens at `/token` and guards `/data` with them."""

    def __init__(self):
        super().__init__()
        self.given = 0
        self.good = set()
        self.refresh_tokens = set()
        self.password = "p@ss w+rd%&=é"
        self.expires_in = 3600
        self.refuses = None

    def handle(self, request):
        if request.path == "/token":
            return self.token(request)
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return Reply(200 if kind == "Bearer" and token in self.good else 401, {"token": token})

    def token(self, request):
        form = request.form()
        if self.refuses:
            return Reply(400, {"error": self.refuses, "error_description": "user sync@corp.example is unknown"})
        if form["grant_type"] == "password" and form["password"] != self.password:
            return Reply(400, {"error": "invalid_grant"})
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] not in self.refresh_tokens:
                return Reply(400, {"error": "invalid_grant"})
            self.refresh_tokens.remove(form["refresh_token"])
        self.given += 1
        self.good = {f"access-{self.given}"}
        self.refresh_tokens.add(f"refresh-{self.given}")
        answer = {"access_token": f"access-{self.given}", "refresh_token": f"refresh-{self.given}"}
        return Reply(200, {**answer, "expires_in": self.expires_in, "token_type": "Bearer"})

    @property
    def token_url(self):
        return f"{self.url}/token"

    def client(self, flow):
        return httpx.Client(auth=flow, base_url=self.url)


@pytest.fixture
def server():
    """A token server with nothing given out yet."""
    with TokenServer() as running:
        yield running


def password_flow(server, **changes):
    """A flow by user name and password."""
    settings = {"client_id": "app@Acme", "client_secret": "s&cret", "username": "sync", "password": server.password}
    return OAuth2Password(**{**settings, **changes}).flow(token_url=server.token_url, system="erp")


def stored(server, token, **more):
    """A flow that starts from a stored token."""
    auth = OAuth2AuthorizationCode(client_id="app", client_secret="s", token=token, **more)
    return auth.flow(token_url=server.token_url, system="erp")


def test_first_request_signs_in(server):
    """Nothing is sent before the first request, and one token serves many requests."""
    flow = password_flow(server)
    with server.client(flow) as http:
        assert server.log == []
        assert [200] * 3 == [http.get("/data").status_code for _ in range(3)]

    form = server.requests(path="/token")[0].request.form()
    assert 1 == server.given
    assert {"password", "app@Acme", "s&cret", "sync", server.password} == set(form.values())


def test_many_threads_renew_once(server):
    """However many threads find the token expired at the same time, one of them renews it."""
    flow = password_flow(server)
    with server.client(flow) as http:
        http.get("/data")
        server.good.clear()
        start = threading.Barrier(8)

        def get(_):
            start.wait()
            return http.get("/data").status_code

        with ThreadPoolExecutor(8) as pool:
            assert [200] * 8 == list(pool.map(get, range(8)))

    assert 2 == server.given


def test_token_is_renewed_before_it_expires(server):
    """A token that would expire within a minute is renewed by its refresh token before it is sent."""
    server.expires_in = 59
    with server.client(password_flow(server)) as http:
        http.get("/data")
        http.get("/data")

    grants = [entry.request.form()["grant_type"] for entry in server.requests(path="/token")]
    assert ["password", "refresh_token"] == grants
    assert [200, 200] == [entry.status for entry in server.requests(path="/data")]


def test_unauthorized_in_the_middle_is_repaired_once(server):
    """A 401 leads to one renewal and one repeat."""
    with server.client(password_flow(server)) as http:
        http.get("/data")
        server.good.clear()

        assert 200 == http.get("/data").status_code

    assert [200, 401, 200] == [entry.status for entry in server.requests(path="/data")]


def test_unauthorized_twice_is_an_error(server):
    """When the renewed token is refused as well, the request is not tried a third time."""
    server.fail(status=401, path="/data")
    with server.client(password_flow(server)) as http, pytest.raises(AuthenticationError, match="new token"):
        http.get("/data")

    assert 2 == len(server.requests(path="/data"))


def test_wrong_password_is_tried_once(server):
    """A refused password is never sent a second time, and the message has no secret."""
    with server.client(password_flow(server, password="wrong-password")) as http:
        for _ in range(3):
            with pytest.raises(AuthenticationError) as caught:
                http.get("/data")
            assert "wrong-password" not in str(caught.value)
            assert "invalid_grant" == caught.value.reason

    assert 1 == len(server.requests(path="/token"))
    assert [] == server.requests(path="/data")


def test_new_refresh_token_is_saved_before_its_use(server):
    """The rotated token reaches `save` before the first request that uses it."""
    server.refresh_tokens.add("old")
    at_save = []

    def save(token):
        at_save.append((token.refresh_token, len(server.requests(path="/data"))))

    with server.client(stored(server, OAuth2Token(access_token="", refresh_token="old"), save=save)) as http:
        http.get("/data")
        http.get("/data")

    assert [("refresh-1", 0)] == at_save


def test_unsaved_token_is_not_used(server):
    """While `save` fails the new token is kept but not used, and saving is tried again."""
    server.refresh_tokens.add("old")
    saved = []

    def save(token):
        saved.append(token.refresh_token)
        if len(saved) == 1:
            raise OSError("disk full")

    with server.client(stored(server, OAuth2Token(access_token="", refresh_token="old"), save=save)) as http:
        with pytest.raises(OSError, match="disk full"):
            http.get("/data")
        assert 200 == http.get("/data").status_code

    assert ["refresh-1", "refresh-1"] == saved
    assert 1 == len(server.requests(path="/token"))


def test_ended_refresh_chain_falls_back_to_the_password(server):
    """A refused refresh token is no reason to give up while there is a password."""
    with server.client(password_flow(server)) as http:
        http.get("/data")
        server.good.clear()
        server.refresh_tokens.clear()

        assert 200 == http.get("/data").status_code

    grants = [entry.request.form()["grant_type"] for entry in server.requests(path="/token")]
    assert ["password", "refresh_token", "password"] == grants


def test_ended_refresh_chain_without_password_is_an_error(server):
    """With nothing but a refused refresh token the flow ends, and does not try it again."""
    with server.client(stored(server, OAuth2Token(access_token="", refresh_token="gone"))) as http:
        for _ in range(2):
            with pytest.raises(AuthenticationError, match="refresh token"):
                http.get("/data")

    assert 1 == len(server.requests(path="/token"))


def test_expired_token_without_refresh_token_asks_for_consent(server):
    """A stored access token that ended and has no refresh token needs a new authorisation."""
    old = OAuth2Token(access_token="a", expires_at=datetime.now(UTC) - timedelta(hours=1))

    with server.client(stored(server, old)) as http, pytest.raises(AuthenticationError, match="authorise again"):
        http.get("/data")

    assert [] == server.log


def test_ready_token_serves_until_it_is_refused(server):
    """A ready token is sent as it is, and once refused it is not sent again."""
    server.good.add("ready")
    with server.client(OAuth2Token(access_token="ready").flow(system="erp")) as http:
        assert 200 == http.get("/data").status_code
        server.good.clear()
        for _ in range(2):
            with pytest.raises(AuthenticationError, match="get a new one"):
                http.get("/data")

    assert 2 == len(server.log)


def test_client_credentials_go_in_the_header(server):
    """By default a client names itself by HTTP Basic, and its secret is not in the body."""
    auth = OAuth2ClientCredentials(client_id="app", client_secret="s:cret", scope="read")
    with server.client(auth.flow(token_url=server.token_url)) as http:
        assert 200 == http.get("/data").status_code

    request = server.requests(path="/token")[0].request
    assert {"grant_type": "client_credentials", "scope": "read"} == request.form()
    assert "app:s:cret" == base64.b64decode(request.headers["authorization"].split()[1]).decode()


def test_replaced_token_is_told(server):
    """Whoever must end the old token's session learns of the old token after the new one is there."""
    replaced = []
    auth = OAuth2Password(client_id="app", username="sync", password=server.password)
    flow = auth.flow(token_url=server.token_url, on_replaced=replaced.append)
    with server.client(flow) as http:
        http.get("/data")
        server.good.clear()
        http.get("/data")

    assert ["access-1"] == [token.access_token for token in replaced]
    assert "access-2" == flow.access_token


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 503, "headers": {"Retry-After": "7"}}, UnavailableError),
        ({"status": 429, "headers": {"Retry-After": "7"}}, RateLimitError),
        ({"status": 500, "body": {"error": "invalid_grant"}}, UnavailableError),
        ({"status": 200, "body": "<html>under maintenance</html>"}, UnavailableError),
        ({"status": 302, "headers": {"Location": "/login"}}, UnavailableError),
        ({"status": 404, "body": "<html>not found</html>"}, ContractError),
        ({"status": 200, "body": b"access granted"}, ContractError),
        ({"status": 200, "body": ["access"]}, ContractError),
        ({"status": 200, "body": {"token": "x"}}, ContractError),
        ({"drop": "before"}, UnavailableError),
    ],
)
def test_trouble_at_the_token_endpoint_is_sorted(server, fault, error):
    """Every answer that is no token becomes the error that says what to do next."""
    server.fail(path="/token", **fault)
    with server.client(password_flow(server)) as http, pytest.raises(error) as caught:
        http.get("/data")

    assert ("erp", "POST token") == (caught.value.system, caught.value.operation)
    if "Retry-After" in fault.get("headers", {}):
        assert 7.0 == caught.value.retry_after


def test_passing_trouble_is_not_remembered(server):
    """After the token endpoint recovered the same flow signs in."""
    server.fail_next(503, path="/token")
    with server.client(password_flow(server)) as http:
        with pytest.raises(UnavailableError):
            http.get("/data")

        assert 200 == http.get("/data").status_code


def test_slow_token_endpoint_is_a_time_out(server):
    """No answer in time is a time-out, not a refusal."""
    server.fail(path="/token", delay=0.3)
    auth = OAuth2Password(client_id="app", username="sync", password=server.password)
    with httpx.Client(timeout=0.05) as impatient:
        flow = auth.flow(token_url=server.token_url, http=impatient)
        with server.client(flow) as http, pytest.raises(TimeoutExceededError):
            http.get("/data")


@pytest.mark.parametrize(
    ("code", "error", "reason"),
    [
        ("invalid_client", AuthenticationError, "invalid_client"),
        ("invalid_scope", AuthenticationError, "invalid_scope"),
        ("a made-up code with s3cret", AuthenticationError, "refused"),
        ("temporarily_unavailable", UnavailableError, "temporarily_unavailable"),
    ],
)
def test_refusals_are_named(server, code, error, reason):
    """OAuth's own codes are named with their cure; what else the server says is not repeated."""
    server.refuses = code
    with server.client(password_flow(server)) as http, pytest.raises(error) as caught:
        http.get("/data")

    assert reason == caught.value.reason
    assert "corp.example" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_consent_in_the_browser_uses_pkce(server):
    """The address for the browser carries state and the S256 challenge, and the exchange proves the verifier."""
    saved = []
    auth = OAuth2AuthorizationCode(
        client_id="app", client_secret="s", redirect_uri="https://app.example/back", scope="api", save=saved.append
    )
    verifier = auth.new_verifier()

    url = auth.authorize_url("https://erp.example/authorize", state="xyz", verifier=verifier)
    token = auth.exchange("the-code", verifier=verifier, token_url=server.token_url)

    query = dict(parse_qsl(urlsplit(url).query))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert url.startswith("https://erp.example/authorize?")
    assert {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": "https://app.example/back",
        "scope": "api",
        "state": "xyz",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    } == query
    form = server.requests(path="/token")[0].request.form()
    assert ("the-code", verifier, "https://app.example/back") == (
        form["code"],
        form["code_verifier"],
        form["redirect_uri"],
    )
    assert [token] == saved


def test_verifiers_differ():
    """No two PKCE secrets are the same, and each is long enough for the standard."""
    made = {OAuth2AuthorizationCode.new_verifier() for _ in range(50)}

    assert 50 == len(made)
    assert all(43 <= len(verifier) <= 128 for verifier in made)
