"""One signed-in connection to an instance: probe, sign-in, sign-out, and calls in between."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeAlias

import attrs
import httpx

from ..._http import HttpClient, HttpReply
from ..._secret import revealed
from ...auth import (
    CookieLogin,
    OAuth2AuthorizationCode,
    OAuth2ClientCredentials,
    OAuth2Password,
    OAuth2Token,
    TokenFlow,
)
from ...errors import ConfigurationError, ContractError, MLConnectorError
from ...network import Network
from ...protocols import Clock, WaitListener
from ...retry import RetryPolicy
from .._checks import ONCE
from ._api import Offer, Verdicts, offers_in
from ._fields import KNOWN_VERSIONS, field_release

__all__ = ["SYSTEM", "AcumaticaAuth", "Session", "Site"]

log = logging.getLogger("mlconnector_sdk.sources.acumatica")

AcumaticaAuth: TypeAlias = OAuth2Password | OAuth2AuthorizationCode | OAuth2Token | CookieLogin

SYSTEM = "acumatica"

_SIGN_IN, _SIGN_OUT, _PROBE = "sign in", "sign out", "GET entity"
_DEFAULT_SCOPE = "api offline_access"


@attrs.frozen(kw_only=True)
class Site:
    """What the probe found: the endpoint's version that is used, and the product's build."""

    version: str
    release: int
    build: str = ""


class Session:
    """Talks to one instance with one seat; signs in when first needed and always signs out.

    The server runs one call at a time per session, so there is one connection.
    """

    def __init__(
        self,
        base_url: str,
        *,
        auth: AcumaticaAuth,
        endpoint: str,
        version: str | None,
        retry: RetryPolicy,
        timeout: float,
        seat_wait: float,
        network: Network,
    ) -> None:
        self.endpoint = endpoint
        self.user = getattr(auth, "username", "") or "by token"
        self._wanted_version = version
        self._network = network
        self._site: Site | None = None
        self._ended_at = 0
        self._verdicts = Verdicts(seat_wait=seat_wait, secure=base_url.startswith("https://"))
        self._plain = HttpClient(
            SYSTEM,
            base_url,
            judge=self._judge_plain,
            timeout=timeout,
            retry=retry,
            max_connections=1,
            network=network,
        )
        flow, self._end = self._flow_for(auth)
        self._data = HttpClient(
            SYSTEM,
            base_url,
            judge=self._verdicts.judge,
            auth=flow,
            timeout=timeout,
            retry=retry,
            max_connections=1,
            network=network,
            warns=False,
        )

    @property
    def request_count(self) -> int:
        """Requests so far, those of sign-in and sign-out by cookie included."""
        return self._plain.request_count + self._data.request_count

    def attach(self, *, retry: RetryPolicy | None, on_wait: WaitListener | None, clock: Clock | None) -> None:
        """Take over a retry policy, if there is one, and a listener for pauses; nothing here needs a clock."""
        for client in (self._plain, self._data):
            client.retry = retry or client.retry
            client.on_wait = on_wait

    def get(self, path: str, operation: str, *, retry: RetryPolicy | None = None) -> HttpReply:
        """Read below the endpoint's root."""
        site = self.site(retry=retry)
        root = f"/entity/{self.endpoint}/{site.version}"
        return self._data.request("GET", root + path, operation=operation, retry=retry)

    def now(self, *, retry: RetryPolicy | None = None) -> datetime:
        """The instance's clock.

        Raises:
            ContractError: it does not tell the time.
        """
        moment = self._plain.request("GET", "/entity", operation=_PROBE, retry=retry).date
        if moment is None:
            raise ContractError("the answer has no Date header, perhaps cut by a proxy; the server's clock is needed")
        return moment

    def sign_in(self, *, retry: RetryPolicy | None = None) -> None:
        """Sign in now rather than with the first call."""
        self._data.request("GET", "/entity", operation=_SIGN_IN, retry=retry)

    def site(self, *, retry: RetryPolicy | None = None) -> Site:
        """The version to use; asked of the instance once.

        Raises:
            ConfigurationError: the instance has no such endpoint or version; the message lists what it has.
        """
        if self._site is None:
            offer = offers_in(self._plain.request("GET", "/entity", operation=_PROBE, retry=retry))
            if not offer.versions(self.endpoint):
                # Without a sign-in only the built-in endpoints are listed.
                offer = offers_in(self._data.request("GET", "/entity", operation=_PROBE, retry=retry))
            version = _chosen(offer, self.endpoint, self._wanted_version)
            self._site = Site(version=version, release=field_release(self.endpoint, version), build=offer.build)
        return self._site

    def close(self) -> None:
        """Sign out and close connections; harmless when repeated."""
        try:
            self._end()
        finally:
            self._data.close()
            self._plain.close()

    # -- signing in and out -----------------------------------------------------------------------------------------

    def _flow_for(self, auth: object) -> tuple[httpx.Auth, Callable[[], None]]:
        """The live flow, and what ends its session."""
        if isinstance(auth, CookieLogin):
            cookies = auth.flow(sign_in=self._log_in, sign_out=self._log_out_cookies, system=SYSTEM)
            return cookies, cookies.close
        if isinstance(auth, OAuth2Password):
            tokens = auth.flow(
                token_url=self.token_url,
                default_scope=_DEFAULT_SCOPE,
                judge=self._verdicts.judge_token,
                on_replaced=self._forget_token,
                network=self._network,
                system=SYSTEM,
            )
        elif isinstance(auth, OAuth2AuthorizationCode):
            tokens = auth.flow(
                token_url=self.token_url, judge=self._verdicts.judge_token, network=self._network, system=SYSTEM
            )
        elif isinstance(auth, OAuth2Token):
            tokens = auth.flow(system=SYSTEM)
        else:
            what = type(auth).__name__
            hint = " (Acumatica has no client-credentials grant)" if isinstance(auth, OAuth2ClientCredentials) else ""
            raise ConfigurationError(
                f"auth must be OAuth2Password, OAuth2AuthorizationCode, OAuth2Token or CookieLogin, not {what}{hint}",
                system=SYSTEM,
            )

        return tokens, lambda: self._end_token(tokens)

    @property
    def address(self) -> str:
        return self._plain.base_url

    @property
    def token_url(self) -> str:
        return f"{self._plain.base_url}/identity/connect/token"

    def _log_in(self, login: CookieLogin, jar: httpx.Cookies) -> None:
        body = {
            "name": login.username,
            "password": revealed(login.password),
            login.tenant_key: login.tenant,
            "branch": login.branch,
            "locale": login.locale,
        }
        content = json.dumps({name: value for name, value in body.items() if value}).encode()
        self._plain.cookies.clear()
        try:
            self._plain.request(
                "POST",
                "/entity/auth/login",
                operation=_SIGN_IN,
                content=content,
                headers={"Content-Type": "application/json"},
                # The retry loop is around the call that needs the session; there is no second one inside it.
                retry=ONCE,
            )
        finally:
            jar.update(self._plain.cookies)
            self._plain.cookies.clear()

    def _log_out_cookies(self, jar: httpx.Cookies) -> None:
        self._log_out(_cookie_header(jar, self._plain.base_url))

    def _log_out_token(self, access_token: str) -> None:
        """Frees the seat at once; otherwise it is taken until the token dies.

        The cookies go with it, because the scope for concurrent access tells sessions apart by them.
        """
        cookies = _cookie_header(self._data.cookies, self._plain.base_url)
        self._log_out({"Authorization": f"Bearer {access_token}", **cookies})

    def _end_token(self, tokens: TokenFlow) -> None:
        # A token that was not used since the last sign-out holds no seat.
        if tokens.access_token and self._data.request_count > self._ended_at:
            self._log_out_token(tokens.access_token)
        self._ended_at = self._data.request_count

    def _forget_token(self, old: OAuth2Token) -> None:
        # A refresh goes on in the same session; a new sign-in opens another and leaves the old one behind.
        if not old.refresh_token:
            self._log_out_token(old.access_token)

    def _log_out(self, headers: dict[str, str]) -> None:
        try:
            self._plain.request("POST", "/entity/auth/logout", operation=_SIGN_OUT, headers=headers, retry=ONCE)
        except MLConnectorError as error:
            log.warning(
                "acumatica sign-out failed (%s); the seat is free when the session expires",
                error.reason,
                extra={"mlc_system": SYSTEM, "mlc_reason": error.reason},
            )
        self._plain.cookies.clear()

    def _judge_plain(self, reply: HttpReply, operation: str) -> MLConnectorError | None:
        if operation == _SIGN_OUT:
            return None
        if operation == _SIGN_IN:
            return self._verdicts.judge_sign_in(reply, operation)
        return self._verdicts.judge(reply, operation)


def _cookie_header(jar: httpx.Cookies, url: str) -> dict[str, str]:
    request = httpx.Request("POST", url + "/")
    jar.set_cookie_header(request)
    return {"Cookie": request.headers["cookie"]} if "cookie" in request.headers else {}


def _chosen(offer: Offer, endpoint: str, wanted: str | None) -> str:
    """The version asked for, or the newest one we know.

    Raises:
        ConfigurationError: the instance does not offer it.
    """
    versions = offer.versions(endpoint)
    if not versions:
        names = sorted({name for name, _ in offer.endpoints})
        raise _unusable(f"there is no endpoint {endpoint!r}: use one of {_listed(names)}")
    if wanted is not None:
        if wanted not in versions:
            raise _unusable(f"endpoint {endpoint} has no version {wanted}: use one of {_listed(versions)}")
        return wanted
    known = [version for version in versions if endpoint != "Default" or version in KNOWN_VERSIONS]
    if not known:
        raise _unusable(f"no version of {endpoint} is known here: name one of {_listed(versions)} with version=")
    return known[-1]


def _unusable(message: str) -> ConfigurationError:
    return ConfigurationError(message, system=SYSTEM, operation=_PROBE, reason="endpoint_version")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
