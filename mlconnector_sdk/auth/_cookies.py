"""Sign in once, then send the session cookies back with every request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import TypeAlias

import attrs
import httpx

from .._secret import Secret
from ..errors import AuthenticationError
from ._refusals import Refusal

__all__ = ["CookieFlow", "CookieLogin", "SignIn"]

SignIn: TypeAlias = Callable[["CookieLogin", httpx.Cookies], None]
"""Signs in and puts the cookies of every answer, even of a refusal, into the jar; raises our errors."""


@attrs.frozen(kw_only=True)
class CookieLogin:
    """User name and password exchanged for a session.

    Attributes:
        tenant: the login name of the tenant (company); name it even where there is only one, because an omitted
            tenant may silently be another one than you think.
        branch: the branch to work in, where the system asks for one.
        locale: the language of labels, for example `"EN-US"`.
        tenant_key: what the system calls the tenant in the sign-in body: older ones say `"company"`.

    Example:
        >>> CookieLogin(username="sync", password="secret", tenant="Acme")
        CookieLogin(username='sync', tenant='Acme', branch='', locale='', tenant_key='tenant')
    """

    username: str = attrs.field(validator=attrs.validators.min_len(1))
    password: str | Secret = attrs.field(repr=False)
    tenant: str = ""
    branch: str = ""
    locale: str = ""
    tenant_key: str = attrs.field(default="tenant", validator=attrs.validators.in_(["tenant", "company"]))

    def flow(self, *, sign_in: SignIn, sign_out: Callable[[httpx.Cookies], None], system: str = "") -> CookieFlow:
        """The live flow, with the system's own sign-in and sign-out requests.

        Args:
            sign_out: ends the session of a jar; it must not raise.
        """
        return CookieFlow(self, sign_in=sign_in, sign_out=sign_out, system=system)


class CookieFlow(httpx.Auth):
    """One session for all threads: signed in on first use, renewed once when it has expired."""

    def __init__(
        self, login: CookieLogin, *, sign_in: SignIn, sign_out: Callable[[httpx.Cookies], None], system: str = ""
    ) -> None:
        self._login = login
        self._sign_in = sign_in
        self._sign_out = sign_out
        self._system = system
        self._lock = threading.Lock()
        self._jar: httpx.Cookies | None = None
        self._unfinished: httpx.Cookies | None = None
        self._refusal = Refusal()

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        jar = self._session(expired=None)
        response = yield _with_cookies(request, jar)
        if response.status_code == 401:
            response = yield _with_cookies(request, self._session(expired=jar))
            if response.status_code == 401:
                raise AuthenticationError(
                    "the server refuses the new session as well: check that the user may use the web services",
                    system=self._system,
                    status_code=401,
                    reason="session_refused",
                )
        self._keep(response)

    def close(self) -> None:
        """Sign out, whatever became of the sign-in; harmless when repeated."""
        with self._lock:
            self._end_session()

    def _session(self, *, expired: httpx.Cookies | None) -> httpx.Cookies:
        with self._lock:
            self._refusal.check()
            if self._jar is None or self._jar is expired:
                self._end_session()
                self._unfinished = httpx.Cookies()
                try:
                    self._sign_in(self._login, self._unfinished)
                except AuthenticationError as error:
                    self._refusal.remember(error)
                    raise
                self._jar, self._unfinished = self._unfinished, None
            return self._jar

    def _end_session(self) -> None:
        """A session may be there although its sign-in failed half-way: it holds a seat until it is ended."""
        for jar in (self._jar, self._unfinished):
            if jar is not None:
                self._sign_out(jar)
        self._jar = self._unfinished = None

    def _keep(self, response: httpx.Response) -> None:
        with self._lock:
            if self._jar is not None:
                self._jar.extract_cookies(response)


def _with_cookies(request: httpx.Request, jar: httpx.Cookies) -> httpx.Request:
    # A cookie jar leaves an existing header alone, and a repeated request still has the old session's.
    request.headers.pop("cookie", None)
    jar.set_cookie_header(request)
    return request
