"""The ways to get an OAuth 2 token."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import attrs
import httpx

from .._secret import Secret, not_empty, revealed
from ..errors import AuthenticationError, ConfigurationError, ReauthorizationRequiredError
from ..network import Network
from ._endpoint import JudgeToken, TokenEndpoint, authorization_url, network_of
from ._tokens import LoadToken, Now, OAuth2Token, SaveToken, TokenFlow, utc_now

__all__ = ["OAuth2AuthorizationCode", "OAuth2ClientCredentials", "OAuth2Password"]

ClientAuth: TypeAlias = Literal["client_secret_post", "client_secret_basic", "none"]
Replaced: TypeAlias = Callable[[OAuth2Token], None]

_SOME_TEXT: Any = attrs.validators.min_len(1)
_CLIENT_AUTH: Any = attrs.validators.in_(["client_secret_post", "client_secret_basic", "none"])


class _Grant:
    """Renews by refresh token where there is one, else (or when that is refused) by the credentials themselves."""

    def __init__(self, endpoint: TokenEndpoint, sign_in: Callable[[], OAuth2Token] | None) -> None:
        self._endpoint = endpoint
        self._sign_in = sign_in

    def obtain(self, previous: OAuth2Token | None) -> OAuth2Token:
        if previous is not None and previous.refresh_token:
            try:
                return self._endpoint.refresh(previous.refresh_token)
            except AuthenticationError as error:
                # A refresh chain ends by itself after some weeks; the credentials are not to blame.
                if self._sign_in is None:
                    raise _consent_ended(error) from None
        if self._sign_in is None:
            raise ReauthorizationRequiredError("there is no refresh token: authorise again", reason="no_refresh_token")
        return self._sign_in()


def _consent_ended(error: AuthenticationError) -> AuthenticationError:
    """A refused refresh token means that consent has ended; a refused client is a wrong setting."""
    if error.reason != "invalid_grant":
        return error
    return ReauthorizationRequiredError(
        f"{error.message}: a person has to authorise again, by way of authorize_url",
        system=error.system,
        operation=error.operation,
        status_code=error.status_code,
    )


@attrs.frozen(kw_only=True)
class OAuth2Password:
    """A user's name and password exchanged for tokens (resource-owner password), for runs nobody watches.

    Attributes:
        scope: what to ask for; `""` leaves it to the system: Acumatica gets `"api offline_access"`, so that renewed
            tokens stay in one session.
        network: how the token endpoint is reached; unless given, as the system that the sign-in is for.

    Example:
        >>> OAuth2Password(client_id="app@Acme", client_secret="secret", username="sync", password="secret")
        OAuth2Password(client_id='app@Acme', username='sync', scope='', client_auth='client_secret_post')
    """

    client_id: str = attrs.field(validator=_SOME_TEXT)
    client_secret: str | Secret = attrs.field(default="", repr=False)
    username: str = attrs.field(validator=_SOME_TEXT)
    password: str | Secret = attrs.field(repr=False)
    scope: str = ""
    client_auth: ClientAuth = attrs.field(default="client_secret_post", validator=_CLIENT_AUTH)
    network: Network | None = attrs.field(default=None, repr=False)

    def flow(
        self,
        *,
        token_url: str,
        default_scope: str = "",
        judge: JudgeToken | None = None,
        on_replaced: Replaced | None = None,
        http: httpx.Client | None = None,
        network: Network | None = None,
        system: str = "",
    ) -> TokenFlow:
        """The live flow: signs in on first use, renews by refresh token, signs in again when that chain has ended."""
        network = network_of(self.network, network, system=system)
        endpoint = _endpoint(self, token_url, judge=judge, http=http, network=network, system=system)
        values = _given(username=self.username, scope=self.scope or default_scope)

        def sign_in() -> OAuth2Token:
            return endpoint.fetch("password", **values, **_given(password=revealed(self.password)))

        return TokenFlow(_Grant(endpoint, sign_in), on_replaced=on_replaced, system=system)


@attrs.frozen(kw_only=True)
class OAuth2ClientCredentials:
    """A client's own id and secret exchanged for tokens; no user is involved.

    Attributes:
        token_url: where to ask, for systems that have no address of their own for it.
        audience: whom the tokens are for, where the server wants to be told.
        api_key: sent with every request of the API as `X-API-Key`, where a gateway wants one.
        network: how the token endpoint is reached; unless given, as the system that the sign-in is for.

    Example:
        >>> OAuth2ClientCredentials(client_id="app", client_secret="secret")
        OAuth2ClientCredentials(client_id='app', scope='', audience='', token_url='', client_auth='client_secret_basic')
    """

    client_id: str = attrs.field(validator=_SOME_TEXT)
    client_secret: str | Secret = attrs.field(repr=False, validator=not_empty)
    scope: str = ""
    audience: str = ""
    token_url: str = ""
    api_key: str | Secret = attrs.field(default="", repr=False)
    client_auth: ClientAuth = attrs.field(default="client_secret_basic", validator=_CLIENT_AUTH)
    network: Network | None = attrs.field(default=None, repr=False)

    def flow(
        self,
        *,
        token_url: str = "",
        default_scope: str = "",
        judge: JudgeToken | None = None,
        http: httpx.Client | None = None,
        network: Network | None = None,
        now: Now = utc_now,
        system: str = "",
    ) -> TokenFlow:
        """The live flow: a new token whenever the old one is about to expire.

        Raises:
            ConfigurationError: nobody says where to ask for tokens.
        """
        if not (self.token_url or token_url):
            raise ConfigurationError("token_url: where are tokens to be had?", system=system)
        network = network_of(self.network, network, system=system)
        url = self.token_url or token_url
        endpoint = _endpoint(self, url, judge=judge, http=http, network=network, now=now, system=system)
        values = _given(scope=self.scope or default_scope, audience=self.audience)
        grant = _Grant(endpoint, lambda: endpoint.fetch("client_credentials", **values))
        return TokenFlow(grant, now=now, system=system)


@attrs.frozen(kw_only=True)
class OAuth2AuthorizationCode:
    """A user's consent in a browser, once; from then on renewed by refresh token.

    First time: send the browser to `authorize_url`, receive the code at `redirect_uri`, and `exchange` it. Later, and
    on other machines: construct it with the stored `token`, or with `load`.

    Attributes:
        token: what `exchange` or `save` gave last; a bare refresh token is `OAuth2Token(access_token="", …)`.
        save: told every new token before its first use. Store it durably: the server may have voided the old refresh
            token already. While it raises, the new token is not used and saving is tried again with the next request.
        load: gives what was saved last. With it, several workers may share one consent.
        network: how the token endpoint is reached; unless given, as the system that the sign-in is for.
    """

    client_id: str = attrs.field(validator=_SOME_TEXT)
    client_secret: str | Secret = attrs.field(default="", repr=False)
    redirect_uri: str = ""
    scope: str = ""
    token: OAuth2Token | None = None
    save: SaveToken | None = attrs.field(default=None, repr=False, eq=False)
    load: LoadToken | None = attrs.field(default=None, repr=False, eq=False)
    client_auth: ClientAuth = attrs.field(default="client_secret_post", validator=_CLIENT_AUTH)
    network: Network | None = attrs.field(default=None, repr=False)

    @staticmethod
    def new_verifier() -> str:
        """A fresh PKCE secret (and as good a `state`): keep it until `exchange`."""
        return secrets.token_urlsafe(48)

    def authorize_url(self, endpoint: str, *, state: str, verifier: str = "") -> str:
        """Where to send the browser.

        Args:
            endpoint: the server's authorisation address; Acumatica's is `{root}/identity/connect/authorize`.
            state: comes back with the code; compare it before `exchange`.
            verifier: a PKCE secret from `new_verifier`; `""` for servers that do not know PKCE.
        """
        return authorization_url(
            endpoint,
            client_id=self.client_id,
            redirect_uri=self.redirect_uri,
            scope=self.scope,
            state=state,
            verifier=verifier,
        )

    def exchange(
        self,
        code: str,
        *,
        verifier: str = "",
        token_url: str,
        judge: JudgeToken | None = None,
        http: httpx.Client | None = None,
        network: Network | None = None,
        system: str = "",
    ) -> OAuth2Token:
        """The first token for a code that came back; handed to `save` as well.

        Raises:
            AuthenticationError: the code is wrong, used or expired, or the client is refused.
            TransientError: the server is down; a code may be used up all the same.
        """
        network = network_of(self.network, network, system=system, warns=True)
        endpoint = _endpoint(
            self, token_url, judge=judge, http=http, network=network, system=system, redirect_uri=self.redirect_uri
        )
        token = endpoint.fetch("authorization_code", **_given(code=code, code_verifier=verifier))
        if self.save is not None:
            self.save(token)
        return token

    def flow(
        self,
        *,
        token_url: str,
        judge: JudgeToken | None = None,
        on_replaced: Replaced | None = None,
        http: httpx.Client | None = None,
        network: Network | None = None,
        system: str = "",
    ) -> TokenFlow:
        """The live flow, starting with the stored token.

        Raises:
            ConfigurationError: there is no token yet.
        """
        token = self.token or (self.load() if self.load is not None else None)
        if token is None or not (token.access_token or token.refresh_token):
            raise ConfigurationError(
                "no token yet: send the user to authorize_url, exchange the code, and construct this with token=",
                system=system,
            )
        network = network_of(self.network, network, system=system)
        endpoint = _endpoint(self, token_url, judge=judge, http=http, network=network, system=system)
        grant = _Grant(endpoint, None)
        return TokenFlow(grant, token=token, save=self.save, load=self.load, on_replaced=on_replaced, system=system)


def _endpoint(
    client: OAuth2Password | OAuth2ClientCredentials | OAuth2AuthorizationCode, token_url: str, **more: Any
) -> TokenEndpoint:
    return TokenEndpoint(
        token_url,
        client_id=client.client_id,
        client_secret=client.client_secret,
        client_auth=client.client_auth if client.client_secret else "none",
        **more,
    )


def _given(**values: str) -> dict[str, str]:
    """The values that are not empty: an empty scope is not the same as none."""
    return {name: value for name, value in values.items() if value}
