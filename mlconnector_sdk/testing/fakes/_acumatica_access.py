"""Signing in to a fake Acumatica: cookie log-in, OAuth 2 tokens, sessions and the seats they take."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import attrs

from ._acumatica_errors import Refusal, empty_body, failure, plain, seat_limit_reply
from ._server import Reply, Request

__all__ = ["Access", "Site"]

IDLE = timedelta(minutes=10)
TOKEN_LIFE = timedelta(seconds=3600)
REFRESH_LIFE = timedelta(days=30)
CODE_LIFE = timedelta(minutes=5)
TRIES_BEFORE_LOCK = 5
SCOPES = frozenset({"api", "offline_access", "api:concurrent_access", "openid", "profile", "email", "phone"})


@attrs.frozen(kw_only=True)
class Site:
    """Who may sign in: one tenant, one user, one registered application."""

    tenant: str
    username: str
    password: str = attrs.field(repr=False)
    client_id: str
    client_secret: str = attrs.field(repr=False)
    single_tenant: bool = False


@attrs.define
class Session:
    """One seat. A cookie session ends after idle time, a token's session at `ends`."""

    name: str
    ticket: str
    last_used: datetime
    ends: datetime | None = None

    def alive(self, now: datetime) -> bool:
        return now < self.ends if self.ends else now - self.last_used < IDLE


@attrs.define
class Grant:
    """One granted access; refreshing keeps the grant, and with `offline_access` its session."""

    scope: str
    began: datetime
    name: str = attrs.field(factory=lambda: secrets.token_hex(8))

    @property
    def scopes(self) -> set[str]:
        return set(self.scope.split())


@attrs.define
class Code:
    grant: Grant
    redirect_uri: str
    challenge: str | None
    expires: datetime


class Access:
    """Keeps sessions, tokens and seats, and judges every request's right to be there."""

    def __init__(self, site: Site, seats: int, now: Callable[[], datetime]) -> None:
        self.site = site
        self.seats = seats
        self.now = now
        self.logins = 0
        self.locked = False
        self.wrong_tries = 0
        self.rotate_refresh_tokens = True
        self.limit_shape = "json"
        self.limit_forced = False
        self.sessions: dict[str, Session] = {}
        self.tokens: dict[str, tuple[Grant, datetime]] = {}
        self.refreshers: dict[str, Grant] = {}
        self.codes: dict[str, Code] = {}

    @property
    def open_sessions(self) -> int:
        now = self.now()
        self.sessions = {name: session for name, session in self.sessions.items() if session.alive(now)}
        return len(self.sessions)

    # -- cookies ------------------------------------------------------------------------------------------------

    def log_in(self, request: Request) -> Reply:
        """`POST /entity/auth/login`: tenant first, then the user, then a seat."""
        body = _login_body(request)
        self._check_tenant(body.get("tenant") or body.get("company"))
        self._check_user(body.get("name"), body.get("password"))
        session = self._seat(secrets.token_hex(12), None)
        self.logins += 1
        cookies = [
            f"ASP.NET_SessionId={session.name}; path=/; HttpOnly; SameSite=Lax",
            f"UserBranch={body.get('branch') or 16}; path=/",
            "Locale=Culture=en-US&TimeZone=GMTM0800A; path=/",
            f"CompanyID={self.site.tenant}; path=/",
            f".ASPXAUTH={session.ticket}; path=/; HttpOnly; SameSite=Lax",
            "requestid=1A2B3C; path=/",
            "requeststat=+st:7+sc:~/entity/auth/login; path=/",
            # The live system repeats lines; a client has to take the last one and not trip.
            f"ASP.NET_SessionId={session.name}; path=/; HttpOnly; SameSite=Lax",
        ]
        return Reply(204, cookies=tuple(cookies))

    def _check_tenant(self, tenant: Any) -> None:
        if not self.site.single_tenant and tenant != self.site.tenant:
            raise failure(
                "A proper company ID cannot be determined for the request.", "PX.Data.PXUndefinedCompanyException"
            )

    def _check_user(self, name: Any, password: Any) -> None:
        if self.locked:
            raise failure("Error: Your account is locked out. Contact the system administrator.")
        if (name, password) != (self.site.username, self.site.password):
            self.wrong_tries += 1
            self.locked = self.wrong_tries >= TRIES_BEFORE_LOCK
            raise failure("Error: Invalid credentials. Please try again.")
        self.wrong_tries = 0

    def _seat(self, name: str, ends: datetime | None) -> Session:
        if self.limit_forced or self.open_sessions >= self.seats:
            raise Refusal(seat_limit_reply(self.limit_shape))
        session = Session(name, secrets.token_hex(16).upper(), self.now(), ends)
        self.sessions[name] = session
        return session

    def log_out(self, request: Request) -> Reply:
        """`POST /entity/auth/logout`: frees the seat; a bearer token stays good and may open another session."""
        if session := self._cookie_session(request):
            del self.sessions[session.name]
        elif grant_and_end := self.tokens.get(_bearer(request) or ""):
            self.sessions.pop(_session_name(grant_and_end[0], _bearer(request)), None)
        return Reply(204)

    # -- every data call ----------------------------------------------------------------------------------------

    def admit(self, request: Request) -> tuple[str, ...]:
        """Let a data call in; returns cookies to set. Raises `Refusal` with 401, or the seat limit."""
        token = _bearer(request)
        if token is not None:
            return self._admit_token(request, token)
        session = self._cookie_session(request)
        if session is None:
            raise plain(401, "You are not logged in.")
        session.last_used = self.now()
        return ()

    def _cookie_session(self, request: Request) -> Session | None:
        pairs = (pair.strip().partition("=") for pair in request.headers.get("cookie", "").split(";"))
        sent = {name: value for name, _, value in pairs}
        session = self.sessions.get(sent.get("ASP.NET_SessionId", ""))
        if session is None or sent.get(".ASPXAUTH") != session.ticket or not session.alive(self.now()):
            return None
        return session

    def _admit_token(self, request: Request, token: str) -> tuple[str, ...]:
        grant, ends = self.tokens.get(token, (None, self.now()))
        if grant is None or ends <= self.now() or not grant.scopes & {"api", "api:concurrent_access"}:
            raise plain(401, "You are not logged in.")
        if "api:concurrent_access" in grant.scopes:
            return self._admit_concurrent(request, ends)
        name = _session_name(grant, token)
        session = self.sessions.get(name)
        if session is None or not session.alive(self.now()):
            self._seat(name, ends)
            self.logins += 1
        else:
            session.ends = ends
        return ()

    def _admit_concurrent(self, request: Request, ends: datetime) -> tuple[str, ...]:
        """Sessions of this scope are told apart by cookies: a call without them takes another seat."""
        if session := self._cookie_session(request):
            session.ends = ends
            return ()
        session = self._seat(secrets.token_hex(12), ends)
        self.logins += 1
        return (f"ASP.NET_SessionId={session.name}; path=/; HttpOnly", f".ASPXAUTH={session.ticket}; path=/; HttpOnly")

    # -- OAuth 2 ------------------------------------------------------------------------------------------------

    def token(self, request: Request) -> Reply:
        """`POST /identity/connect/token`; the client proves itself in the form body, never by Basic."""
        form = request.form()
        if "authorization" in request.headers or not self._is_our_client(form):
            return _oauth_error("invalid_client")
        grants = {"password": self._by_password, "authorization_code": self._by_code, "refresh_token": self._by_refresh}
        grant_type = form.get("grant_type", "")
        if grant_type not in grants:
            return _oauth_error("unsupported_grant_type")
        return grants[grant_type](form)

    def _is_our_client(self, form: Mapping[str, str]) -> bool:
        own_tenant = form.get("client_id", "").rpartition("@")[2] == self.site.tenant
        pair = (form.get("client_id"), form.get("client_secret"))
        return own_tenant and pair == (self.site.client_id, self.site.client_secret)

    def _by_password(self, form: Mapping[str, str]) -> Reply:
        if not (scope := _scope(form)):
            return _oauth_error("invalid_scope")
        try:
            self._check_user(form.get("username"), form.get("password"))
        except Refusal:
            return _oauth_error("invalid_grant")
        return self._tokens(Grant(scope, self.now()), renew=True)

    def _by_code(self, form: Mapping[str, str]) -> Reply:
        code = self.codes.pop(form.get("code", ""), None)
        if code is None or code.expires <= self.now() or code.redirect_uri != form.get("redirect_uri"):
            return _oauth_error("invalid_grant")
        if code.challenge is not None and _s256(form.get("code_verifier", "")) != code.challenge:
            return _oauth_error("invalid_grant")
        return self._tokens(code.grant, renew=True)

    def _by_refresh(self, form: Mapping[str, str]) -> Reply:
        token = form.get("refresh_token", "")
        grant = self.refreshers.get(token)
        if grant is None or self.now() - grant.began >= REFRESH_LIFE:
            return _oauth_error("invalid_grant")
        if self.rotate_refresh_tokens:
            del self.refreshers[token]
        return self._tokens(grant, renew=self.rotate_refresh_tokens)

    def _tokens(self, grant: Grant, *, renew: bool) -> Reply:
        access = secrets.token_urlsafe(24)
        self.tokens[access] = (grant, self.now() + TOKEN_LIFE)
        answer: dict[str, Any] = {
            "access_token": access,
            "expires_in": int(TOKEN_LIFE.total_seconds()),
            "token_type": "Bearer",
            "scope": grant.scope,
        }
        if renew and "offline_access" in grant.scopes:
            answer["refresh_token"] = secrets.token_urlsafe(24)
            self.refreshers[answer["refresh_token"]] = grant
        if "openid" in grant.scopes:
            answer["id_token"] = secrets.token_urlsafe(24)
        return Reply(200, answer, {"Cache-Control": "no-store, no-cache"})

    def issue_code(self, redirect_uri: str, scope: str, challenge: str | None) -> str:
        """What the sign-in page hands out after the user said yes."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = Code(Grant(scope, self.now()), redirect_uri, challenge, self.now() + CODE_LIFE)
        return code

    def authorize(self, request: Request) -> Reply:
        """`GET /identity/connect/authorize`, with the user's consent taken for granted."""
        query = request.query
        scope = _scope(query)
        known = query.get("client_id") == self.site.client_id and query.get("response_type") == "code"
        if not known or not scope or query.get("code_challenge_method", "S256") != "S256":
            return _oauth_error("invalid_request")
        code = self.issue_code(query.get("redirect_uri", ""), scope, query.get("code_challenge"))
        back = {"code": code} | ({"state": query["state"]} if "state" in query else {})
        return Reply(302, headers={"Location": f"{query.get('redirect_uri', '')}?{urlencode(back)}"})

    def revoke(self, request: Request) -> Reply:
        """`POST /identity/connect/revocation`: kills the token; its seat stays taken."""
        form = request.form()
        if not self._is_our_client(form):
            return _oauth_error("invalid_client")
        self.tokens.pop(form.get("token", ""), None)
        self.refreshers.pop(form.get("token", ""), None)
        return Reply(200)

    def discovery(self, root: str) -> Reply:
        """`GET /identity/.well-known/openid-configuration`."""
        base = f"{root}/identity"
        return Reply(
            200,
            {
                "issuer": base,
                "authorization_endpoint": f"{base}/connect/authorize",
                "token_endpoint": f"{base}/connect/token",
                "revocation_endpoint": f"{base}/connect/revocation",
                "scopes_supported": sorted(SCOPES),
                "grant_types_supported": ["authorization_code", "password", "refresh_token", "implicit"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
            },
        )


def _login_body(request: Request) -> Mapping[str, Any]:
    if not request.body:
        raise empty_body()
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return request.form()
    try:
        body = request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise plain(400, "The request is invalid.")
    return body


def _bearer(request: Request) -> str | None:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token if kind.lower() == "bearer" else None


def _session_name(grant: Grant, token: str | None) -> str:
    return f"grant {grant.name}" if "offline_access" in grant.scopes else f"token {token}"


def _scope(form: Mapping[str, str]) -> str | None:
    asked = form.get("scope", "").split()
    return " ".join(asked) if asked and set(asked) <= SCOPES else None


def _s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _oauth_error(code: str) -> Reply:
    return Reply(400, {"error": code})
