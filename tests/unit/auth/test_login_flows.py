"""Basic and cookie sign-in against a server on loopback."""

from __future__ import annotations

import httpx
import pytest

from mlconnector_sdk.auth import BasicLogin, CookieLogin
from mlconnector_sdk.errors import AuthenticationError, UnavailableError
from mlconnector_sdk.testing.fakes import FakeServer, Reply


class SessionServer(FakeServer):
    """Opens numbered sessions at `/in`, ends them at `/out`, and guards `/data`."""

    def __init__(self):
        super().__init__()
        self.sessions = set()
        self.opened = 0

    def handle(self, request):
        session = dict(part.strip().split("=") for part in request.headers.get("cookie", "").split(";") if part).get(
            "session"
        )
        if request.path == "/in":
            self.opened += 1
            self.sessions.add(str(self.opened))
            return Reply(204, cookies=(f"session={self.opened}; path=/",))
        if request.path == "/out":
            self.sessions.discard(session)
            return Reply(204)
        return Reply(200 if session in self.sessions else 401, cookies=("seen=yes; path=/",))


@pytest.fixture
def server():
    """A server with no session."""
    with SessionServer() as running:
        yield running


class SignIn:
    """The two requests a system gives to a `CookieFlow`."""

    def __init__(self, server, error=None):
        self.server = server
        self.error = error
        self.tried = 0

    def sign_in(self, login, jar):
        self.tried += 1
        jar.extract_cookies(httpx.post(f"{self.server.url}/in"))
        if self.error:
            raise self.error

    def sign_out(self, jar):
        request = httpx.Request("POST", f"{self.server.url}/out")
        jar.set_cookie_header(request)
        with httpx.Client() as http:
            http.send(request)

    def flow(self):
        login = CookieLogin(username="sync", password="secret")
        return login.flow(sign_in=self.sign_in, sign_out=self.sign_out, system="erp")


def test_one_session_serves_until_closed(server):
    """One sign-in serves all requests, cookies of answers are sent back, and closing ends the session once."""
    flow = SignIn(server).flow()
    with httpx.Client(auth=flow, base_url=server.url) as http:
        assert [200, 200] == [http.get("/data").status_code for _ in range(2)]
    flow.close()
    flow.close()

    assert (1, set()) == (server.opened, server.sessions)
    assert "seen=yes" in server.requests(path="/data")[1].request.headers["cookie"]
    assert 1 == len(server.requests(path="/out"))


def test_ended_session_is_renewed_once(server):
    """A 401 leads to one new session and one repeat; the old session is signed out, should it still be there."""
    flow = SignIn(server).flow()
    with httpx.Client(auth=flow, base_url=server.url) as http:
        http.get("/data")
        server.sessions.clear()

        assert 200 == http.get("/data").status_code
    flow.close()

    assert (2, set()) == (server.opened, server.sessions)
    assert 2 == len(server.requests(path="/out"))


def test_new_session_refused_as_well_is_an_error(server):
    """A 401 with the new session is not tried a third time."""
    server.fail(status=401, path="/data")
    flow = SignIn(server).flow()
    with httpx.Client(auth=flow, base_url=server.url) as http, pytest.raises(AuthenticationError, match="new session"):
        http.get("/data")
    flow.close()

    assert (2, set()) == (server.opened, server.sessions)


def test_refused_sign_in_is_tried_once(server):
    """Refused credentials are not sent again."""
    requests = SignIn(server, AuthenticationError("wrong password", system="erp"))
    flow = requests.flow()
    with httpx.Client(auth=flow, base_url=server.url) as http:
        for _ in range(3):
            with pytest.raises(AuthenticationError, match="wrong password"):
                http.get("/data")
    flow.close()

    assert 1 == requests.tried


def test_half_failed_sign_in_is_signed_out(server):
    """A session that was opened although its sign-in failed is ended: before the next try, and on closing."""
    requests = SignIn(server, UnavailableError("connection lost"))
    flow = requests.flow()
    with httpx.Client(auth=flow, base_url=server.url) as http:
        for _ in range(2):
            with pytest.raises(UnavailableError):
                http.get("/data")
        assert {"2"} == server.sessions
    flow.close()

    assert set() == server.sessions


def test_basic_credentials_are_sent_until_refused(server):
    """Basic credentials go with each request; after a 401 nothing is sent any more."""
    server.fail_next(200, path="/data")
    flow = BasicLogin(username="sync", password="s:cret").flow(system="erp")
    with httpx.Client(auth=flow, base_url=server.url) as http:
        assert 200 == http.get("/data").status_code
        for _ in range(2):
            with pytest.raises(AuthenticationError, match="password is wrong"):
                http.get("/data")

    assert 2 == len(server.log)
    assert "Basic c3luYzpzOmNyZXQ=" == server.log[0].request.headers["authorization"]


def test_answer_that_arrives_after_closing_opens_nothing(server):
    """A session closed by one thread while another waits for its answer stays closed."""
    flow = SignIn(server).flow()
    exchange = flow.sync_auth_flow(httpx.Request("GET", f"{server.url}/data"))
    request = next(exchange)
    flow.close()

    with pytest.raises(StopIteration):
        exchange.send(httpx.Response(200, request=request))
    flow.close()

    assert set() == server.sessions
    assert 1 == len(server.requests(path="/out"))
