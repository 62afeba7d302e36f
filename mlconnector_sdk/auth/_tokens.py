"""OAuth 2 tokens as values, and the flow that keeps a valid one at hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeAlias

import attrs
import httpx

from ..errors import AuthenticationError
from ._refusals import Refusal

__all__ = ["LoadToken", "Now", "OAuth2Token", "SaveToken", "TokenFlow", "TokenGrant", "utc_now"]

SaveToken: TypeAlias = Callable[["OAuth2Token"], None]
LoadToken: TypeAlias = Callable[[], "OAuth2Token | None"]
Now: TypeAlias = Callable[[], datetime]

LEEWAY = timedelta(seconds=60)
"""A token is renewed that long before it expires, so that none expires on its way."""


def utc_now() -> datetime:
    """The machine's clock, aware."""
    return datetime.now(UTC)


def _aware(_: Any, attribute: attrs.Attribute[Any], value: datetime | None) -> None:
    if value is not None and value.tzinfo is None:
        raise ValueError(f"{attribute.name} needs a time zone")


@attrs.frozen(kw_only=True)
class OAuth2Token:
    """A token as the server gave it; also a way to sign in for as long as it lasts.

    Attributes:
        refresh_token: renews the access token; servers may replace it at every renewal.
        expires_at: aware time, `None` when the server does not say.
        scope: what was granted, separated by spaces.

    Example:
        >>> OAuth2Token(access_token="secret")
        OAuth2Token(expires_at=None, scope='')
    """

    access_token: str = attrs.field(repr=False)
    refresh_token: str = attrs.field(default="", repr=False)
    expires_at: datetime | None = attrs.field(default=None, validator=_aware)
    scope: str = ""

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any], *, now: datetime | None = None) -> OAuth2Token:
        """The token in an OAuth 2 answer (`access_token`, `refresh_token`, `expires_in`, `scope`).

        Raises:
            ValueError: the answer has no access token.
        """
        access = answer.get("access_token")
        if not isinstance(access, str) or not access:
            raise ValueError("the answer has no access_token")
        expires_in = answer.get("expires_in")
        try:
            expires_at = (now or utc_now()) + timedelta(seconds=float(expires_in)) if expires_in else None
        except OverflowError:
            raise ValueError("expires_in is no number of seconds") from None
        return cls(
            access_token=access,
            refresh_token=str(answer.get("refresh_token") or ""),
            expires_at=expires_at,
            scope=str(answer.get("scope") or ""),
        )

    def is_fresh(self, *, now: datetime | None = None) -> bool:
        """There is an access token, and it lasts another minute at least."""
        if not self.access_token:
            return False
        return self.expires_at is None or self.expires_at - LEEWAY > (now or utc_now())

    def flow(self, *, system: str = "") -> TokenFlow:
        """The live flow: this token with every request, until the server refuses it."""
        return TokenFlow(None, token=self, system=system)


class TokenGrant(Protocol):
    """Where a `TokenFlow` gets its tokens from."""

    def obtain(self, previous: OAuth2Token | None) -> OAuth2Token:
        """A new token. Raises our errors, `AuthenticationError` when the credentials are refused."""
        ...


class TokenFlow(httpx.Auth):
    """Adds the bearer token; renews it once for all threads, before it expires or after a 401.

    Args:
        grant: makes new tokens; `None` when there is only the one given.
        token: the one to start with.
        save: told every new token before its first use, because the old refresh token may be void by then.
        load: what was saved last, by whomever: asked before a token is renewed, so that workers who share one pair of
            tokens take over each other's.
        on_replaced: told the old token after a new one has taken its place.
        explain: what the body of a repeated 401 says, for the message.
        now: tells the time.
    """

    def __init__(
        self,
        grant: TokenGrant | None,
        *,
        token: OAuth2Token | None = None,
        save: SaveToken | None = None,
        load: LoadToken | None = None,
        on_replaced: Callable[[OAuth2Token], None] | None = None,
        explain: Callable[[str], str] | None = None,
        now: Now = utc_now,
        system: str = "",
    ) -> None:
        self._grant = grant
        self._token = token
        self._save = save
        self._load = load
        self._on_replaced = on_replaced
        self._explain = explain
        self._now = now
        self._system = system
        self._unsaved = False
        self._lock = threading.Lock()
        self._refusal = Refusal()

    @property
    def access_token(self) -> str:
        """The token in use, `""` before the first."""
        return self._token.access_token if self._token else ""

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._valid(refused=None)
        response = yield _bearing(request, token)
        if response.status_code == 401:
            response = yield _bearing(request, self._valid(refused=token))
            if response.status_code == 401:
                raise self._twice_refused(response)

    def _valid(self, *, refused: OAuth2Token | None) -> OAuth2Token:
        with self._lock:
            self._refusal.check()
            token = self._token
            if token is None or token is refused or not (token.is_fresh(now=self._now()) or self._grant is None):
                token = self._renew(token)
            if self._unsaved and self._save is not None:
                self._save(token)
            self._unsaved = False
            return token

    def _renew(self, old: OAuth2Token | None) -> OAuth2Token:
        stored = self._stored_by_others(old)
        if stored is not None and stored.is_fresh(now=self._now()):
            self._token = stored
            return stored
        try:
            if self._grant is None:
                raise self._refused("the access token is not, or no longer, valid: get a new one")
            new = self._grant.obtain(stored or old)
        except AuthenticationError as error:
            # Somebody else may have renewed the pair between our look and our request.
            late = self._stored_by_others(stored or old)
            if late is None:
                self._refusal.remember(error)
                raise
            self._token = late
            return late
        self._token, self._unsaved = new, True
        if old is not None and old.access_token and self._on_replaced is not None:
            self._on_replaced(old)
        return new

    def _stored_by_others(self, known: OAuth2Token | None) -> OAuth2Token | None:
        if self._load is None or self._unsaved:
            return None
        stored = self._load()
        return None if stored == known else stored

    def _twice_refused(self, response: httpx.Response) -> AuthenticationError:
        """A token made a moment ago is refused like the one before: further ones would be as well."""
        response.read()
        message = "the server refuses the new token as well: check scope and user rights"
        error = self._refused(self._explain(response.text) if self._explain else message)
        with self._lock:
            self._refusal.remember(error)
        return error

    def _refused(self, message: str) -> AuthenticationError:
        return AuthenticationError(message, system=self._system, status_code=401, reason="token_refused")


def _bearing(request: httpx.Request, token: OAuth2Token) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token.access_token}"
    return request
