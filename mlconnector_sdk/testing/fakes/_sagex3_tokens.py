"""Who may use Sage X3's GraphQL: self-signed tokens of a connected application, cloud pairings, client credentials.

Claims, lifetimes, statuses and texts are the vendor's. Of the cloud's token answer only its two tokens are documented;
their member names are those of OAuth 2, and `names` changes them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from html import escape
from typing import Any

import attrs

from ._server import Reply, Request

__all__ = [
    "ClientCredentials",
    "CloudGateway",
    "ConnectedApplication",
    "Grant",
    "basic_pair",
    "bearer",
    "signed",
    "text_401",
]

_APIS = frozenset({"api.graphQL", "api.dataDelivery", "api.dataIngestion"})
_ACCESS_LIFE = timedelta(minutes=5)
_REFRESH_LIFE = timedelta(days=30)
_REQUEST_LIFE = timedelta(hours=1)
_NAMES = ("access_token", "refresh_token", "expires_in", "token_type")


def bearer(request: Request) -> str | None:
    """The token of an `Authorization: Bearer` header."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def text_401(code: int) -> Reply:
    """How the Xtrem service refuses a token of a connected application."""
    return Reply(401, f"Error {code}: Invalid token", {"Content-Type": "text/plain; charset=utf-8"})


# -- JSON web tokens --------------------------------------------------------------------------------------------------


def signed(claims: Mapping[str, Any], secret: str) -> str:
    """A compact token, signed with HS256."""
    parts = [_packed({"alg": "HS256", "typ": "JWT"}), _packed(claims)]
    return ".".join([*parts, _signature(".".join(parts), secret)])


def _packed(value: Mapping[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _signature(text: str, secret: str) -> str:
    return _base64(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())


def _opened(part: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


@attrs.define(kw_only=True)
class ConnectedApplication:
    """A connected application of Syracuse; its clients sign their own tokens and there is no token end point.

    Attributes:
        client_id, secret: shown once when the application is made.
        user: the allowed user's login, which `sub` has to be; `None` takes tokens with any user or none.
        audience: the registered URL, compared letter by letter; `None` is the address of this fake's `/xtrem/api`.
        validity: the longest lifetime of a token.
        expired_code: error number of an expired token; one source gives it as that of a wrong signature, which is also
            what is answered to a token that is damaged or lives too long, of which nothing is known.
    """

    client_id: str = "0f3c9a6e-2b1d-4c55-9b7a-mailchimp"
    secret: str = attrs.field(default="x3 connected application secret", repr=False)
    user: str | None = "MAILCHIMP"
    audience: str | None = None
    validity: timedelta = timedelta(seconds=600)
    expired_code: int = 50

    def token(self, now: datetime, url: str, *, lifetime: float = 300, **claims: Any) -> str:
        """A token that is accepted, unless `claims` spoil it; a claim of `None` is left out."""
        issued = int(now.timestamp()) - 30
        own = {"iss": self.client_id, "sub": self.user, "aud": url if self.audience is None else self.audience}
        values = {**own, "iat": issued, "exp": issued + int(lifetime), **claims}
        return signed({name: value for name, value in values.items() if value is not None}, self.secret)

    def fault(self, token: str, now: datetime, url: str) -> int | None:
        """The number of the error, or `None` if the token is good for the API at `url`."""
        head, _, rest = token.partition(".")
        body, _, signature = rest.partition(".")
        header, claims = _opened(head), _opened(body)
        if claims.get("iss") != self.client_id:
            return 41
        genuine = header.get("alg") == "HS256" and hmac.compare_digest(
            signature.encode(), _signature(f"{head}.{body}", self.secret).encode()
        )
        if not genuine:
            return 50
        if self.user is not None and claims.get("sub") != self.user:
            return 42
        if claims.get("aud") != (url if self.audience is None else self.audience):
            return 45
        return self._fault_of_times(claims.get("iat"), claims.get("exp"), now.timestamp())

    def _fault_of_times(self, issued: Any, expires: Any, now: float) -> int | None:
        if not (_is_number(issued) and _is_number(expires)):
            return 50
        if issued > now:
            return 21
        if expires <= now:
            return self.expired_code
        return 50 if expires - issued > self.validity.total_seconds() else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# -- cloud pairing ----------------------------------------------------------------------------------------------------


@attrs.define(kw_only=True)
class Grant:
    """One pairing: what a customer's user accepted, and for which folders."""

    scope: str
    folders: tuple[str, ...]
    redirect_uri: str = ""
    subject: str = attrs.field(factory=lambda: secrets.token_hex(16))
    deleted: bool = False


@attrs.define
class _Refresher:
    grant: Grant
    ends: datetime
    replaced: datetime | None = None


@attrs.define
class _Pairing:
    grant: Grant
    ends: datetime
    accepted: bool


class CloudGateway:
    """The regional gateway's authorisation API: pairing, tokens that live five minutes, refresh tokens that rotate.

    Attributes:
        client_id, client_secret, redirect_uri, customer: what the registry and the customer's cluster know.
        region: named in tokens and, through `elsewhere`, in call-backs.
        enabled: whether the application may be used.
        grace: how long a replaced refresh token is still taken; the vendor only says that a new pair is returned, so
            that the old one ends at once is the strict reading.
        takes_forms: whether `POST /token` also reads a form. The vendor documents a JSON body.
        names: member names of the answer: access token, refresh token, lifetime in seconds, and type.
        elsewhere: the address of the region that the customer lives in, if it is another; call-backs name it.
        asks: whether the customer's user has to accept a pairing first (`accept`).
    """

    def __init__(self, now: Callable[[], datetime], folders: tuple[str, ...]) -> None:
        self._now = now
        self.client_id = "c0febabe-0000-44bc-afe1-4619719804c9"
        self.client_secret = "cloud application secret"
        self.redirect_uri = "https://connector.example/callback"
        self.customer = "https://x3.customer.example"
        self.region = "eu-prod"
        self.folders = folders
        self.enabled = True
        self.grace = timedelta(0)
        self.takes_forms = False
        self.names: tuple[str, str, str, str] = _NAMES
        self.elsewhere: str | None = None
        self.asks = False
        self.renewals = 0
        self._key = secrets.token_hex(32)
        self._pairings: dict[str, _Pairing] = {}
        self._refreshers: dict[str, _Refresher] = {}
        self._access: dict[str, tuple[Grant, datetime]] = {}

    # -- what a test may do -----------------------------------------------------------------------------------------

    def issue_code(self, scope: str = "api.graphQL businessDomain.ALL", *, accepted: bool = True) -> str:
        """An authorisation code, as the call-back brings it."""
        code = secrets.token_urlsafe(16)
        grant = Grant(scope=scope, folders=self.folders, redirect_uri=self.redirect_uri)
        self._pairings[code] = _Pairing(grant, self._now() + _REQUEST_LIFE, accepted)
        return code

    def issue_pair(self, scope: str = "api.graphQL businessDomain.ALL") -> dict[str, Any]:
        """A token answer without the pairing, such as an application has stored."""
        return self._pair(Grant(scope=scope, folders=self.folders))

    def accept(self) -> None:
        """The customer's user says yes to every pairing that waits."""
        for pairing in self._pairings.values():
            pairing.accepted = True

    def unpair(self) -> None:
        """The customer deletes all pairings: refresh tokens end, access tokens run out."""
        for refresher in self._refreshers.values():
            refresher.grant.deleted = True

    # -- requests ---------------------------------------------------------------------------------------------------

    def grant_of(self, request: Request) -> Grant | None:
        """The pairing behind a request's access token, while that lives."""
        grant, ends = self._access.get(bearer(request) or "", (None, self._now()))
        return grant if ends > self._now() else None

    def authorise(self, request: Request) -> Reply:
        """`GET /v1/token/authorise`: the consent page, which posts the code to the application's address."""
        query = request.query
        names = ("client_id", "scope", "customer", "redirect_uri")
        if not all(query.get(name) for name in names) or not _known_scope(query["scope"]):
            return _message(400, "Missing required request parameters")
        if refusal := self._refused_client(query.get("client_id"), query.get("redirect_uri")):
            return refusal
        if query["customer"].rstrip("/") != self.customer:
            return _message(
                404,
                "Could not associate the requested url with an customer application registered on Sage Business Cloud",
            )
        fields = {"authorizationCode": self.issue_code(query["scope"], accepted=not self.asks)}
        fields |= {"state": query["state"]} if "state" in query else {}
        fields |= {"endpoint": self.elsewhere} if self.elsewhere else {}
        inputs = "".join(
            f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in fields.items()
        )
        return Reply(
            200,
            f'<!DOCTYPE html>\n<html><body><form method="post" action="{escape(query["redirect_uri"])}">'
            f"{inputs}</form><script>document.forms[0].submit()</script></body></html>",
        )

    def token(self, request: Request) -> Reply:
        """`POST /v1/token`: a pair for a code, or a new pair for a refresh token."""
        body = self._body(request)
        if not all(body.get(name) for name in ("grant_type", "client_id", "client_secret")):
            return _message(400, "Missing required request parameters")
        kinds = {"authorization_code": self._by_code, "refresh_token": self._by_refresh}
        answer = kinds.get(body["grant_type"])
        if answer is None:
            return _message(400, "Invalid grant type")
        secret_fits = hmac.compare_digest(body["client_secret"].encode(), self.client_secret.encode())
        refusal = self._refused_client(body["client_id"] if secret_fits else None, self.redirect_uri)
        return refusal or answer(body)

    def _body(self, request: Request) -> dict[str, str]:
        if self.takes_forms and "form-urlencoded" in request.headers.get("content-type", ""):
            return request.form()
        try:
            body = request.json()
        except ValueError:
            return {}
        return {name: value for name, value in body.items() if isinstance(value, str)} if isinstance(body, dict) else {}

    def _refused_client(self, client_id: str | None, redirect_uri: str | None) -> Reply | None:
        if client_id != self.client_id:
            text = "Could not associate the values with an active application registered on Sage Business Cloud"
            return _message(404, text)
        if not self.enabled:
            return _message(403, "The application registered on Sage Business Cloud is disabled")
        if redirect_uri != self.redirect_uri:
            return _message(404, "Could not associate the values with an application registered on Sage Business Cloud")
        return None

    def _by_code(self, body: Mapping[str, str]) -> Reply:
        if not (body.get("code") and body.get("redirect_uri")):
            return _message(400, "Missing required request parameters")
        if refusal := self._refused_client(self.client_id, body["redirect_uri"]):
            return refusal
        pairing = self._pairings.get(body["code"])
        if pairing is None:
            return _message(403, "Pairing request not found")
        if pairing.ends <= self._now():
            return _message(403, "The request has expired.")
        if not pairing.accepted:
            return _message(403, "The pairing request has not been accepted.")
        del self._pairings[body["code"]]
        return Reply(200, self._pair(pairing.grant))

    def _by_refresh(self, body: Mapping[str, str]) -> Reply:
        if not body.get("refresh_token"):
            return _message(400, "Missing required request parameters")
        refresher = self._refreshers.get(body["refresh_token"])
        now = self._now()
        if refresher is None or refresher.grant.deleted:
            return _message(403, "Pairing request not found")
        if refresher.ends <= now or (refresher.replaced is not None and now - refresher.replaced >= self.grace):
            return _message(403, "The request has expired.")
        refresher.replaced = refresher.replaced or now
        self.renewals += 1
        return Reply(200, self._pair(refresher.grant))

    def _pair(self, grant: Grant) -> dict[str, Any]:
        now = self._now()
        host = f"api.{self.region}-sagex3.example"
        issued = int(now.timestamp())
        common = {"iss": host, "aud": host, "iat": issued, "region": self.region, "sub": grant.subject}
        ends = {"azp": self.client_id, "scopes": grant.scope}
        life, longer = int(_ACCESS_LIFE.total_seconds()), int(_REFRESH_LIFE.total_seconds())
        access = signed({**common, "exp": issued + life, **ends}, self._key)
        refresh = signed({**common, "exp": issued + longer, **ends, "jti": secrets.token_hex(8)}, self._key)
        self._access[access] = (grant, now + _ACCESS_LIFE)
        self._refreshers[refresh] = _Refresher(grant, now + _REFRESH_LIFE)
        return dict(zip(self.names, (access, refresh, life, "Bearer"), strict=True))


def _known_scope(text: str) -> bool:
    words = text.split()
    return bool(words) and all(word in _APIS or word.partition(".")[0] in {"businessDomain", "user"} for word in words)


def _message(status: int, text: str) -> Reply:
    return Reply(status, {"message": text})


# -- client credentials -----------------------------------------------------------------------------------------------


@attrs.define(kw_only=True)
class ClientCredentials:
    """The newer cloud API's grant, of which URL and payloads are not known: an audience, and a key in a header.

    Attributes:
        takes_forms, takes_json: how the body of `POST /oauth/token` may be written.
        lifetime: of the tokens.
    """

    client_id: str = "mailchimp-connector"
    client_secret: str = attrs.field(default="client credentials secret", repr=False)
    audience: str = "https://api.sagex3.example"
    api_key: str = attrs.field(default="x3 api key", repr=False)
    takes_forms: bool = True
    takes_json: bool = True
    lifetime: timedelta = timedelta(hours=1)
    _tokens: dict[str, datetime] = attrs.field(factory=dict, init=False, repr=False)

    def token(self, request: Request, now: datetime) -> Reply:
        """`POST /oauth/token`; refusals are those of OAuth 2."""
        body = self._body(request)
        if body.get("grant_type") != "client_credentials":
            return Reply(400, {"error": "unsupported_grant_type" if body.get("grant_type") else "invalid_request"})
        if (body.get("client_id"), body.get("client_secret")) != (self.client_id, self.client_secret):
            return Reply(401, {"error": "invalid_client"})
        if body.get("audience") != self.audience:
            return Reply(403, {"error": "access_denied", "error_description": "Unknown audience"})
        token = secrets.token_urlsafe(32)
        self._tokens[token] = now + self.lifetime
        seconds = int(self.lifetime.total_seconds())
        return Reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": seconds})

    def _body(self, request: Request) -> dict[str, str]:
        values: Any = {}
        if "json" in request.headers.get("content-type", ""):
            try:
                values = request.json() if self.takes_json else {}
            except ValueError:
                return {}
        elif self.takes_forms:
            values = request.form()
        body = values if isinstance(values, dict) else {}
        kind, _, pair = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            name, secret = basic_pair(pair)
            body = {"client_id": name, "client_secret": secret, **body}
        return body

    def knows(self, request: Request, now: datetime) -> bool:
        """Whether a request bears a living token and the key."""
        ends = self._tokens.get(bearer(request) or "")
        return ends is not None and ends > now and request.headers.get("x-api-key") == self.api_key


def basic_pair(token: str) -> tuple[str, str]:
    """Name and password of a Basic header's value; blanks if it is damaged."""
    try:
        name, _, password = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password
