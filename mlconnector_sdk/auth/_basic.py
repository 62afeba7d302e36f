"""User name and password with every request."""

from __future__ import annotations

from collections.abc import Generator

import attrs
import httpx

from .._secret import Secret, revealed
from ..errors import AuthenticationError
from ._refusals import Refusal

__all__ = ["BasicFlow", "BasicLogin"]


@attrs.frozen(kw_only=True)
class BasicLogin:
    """HTTP Basic authentication.

    Example:
        >>> BasicLogin(username="sync", password="secret")
        BasicLogin(username='sync')
    """

    username: str = attrs.field(validator=attrs.validators.min_len(1))
    password: str | Secret = attrs.field(repr=False)

    def flow(self, *, system: str = "") -> BasicFlow:
        """The live flow.

        Raises (from requests made with it):
            AuthenticationError: the server answered 401; later requests are not even sent.
        """
        return BasicFlow(self, system=system)


class BasicFlow(httpx.Auth):
    """Sends the credentials until they are refused once."""

    def __init__(self, login: BasicLogin, *, system: str = "") -> None:
        self._login = login
        self._basic: httpx.BasicAuth | None = None
        self._system = system
        self._refusal = Refusal()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        self._refusal.check()
        if self._basic is None:
            self._basic = httpx.BasicAuth(self._login.username, revealed(self._login.password))
        signed = next(self._basic.auth_flow(request))
        response = yield signed
        if response.status_code == 401:
            error = AuthenticationError(
                "user name or password is wrong, or the user may not use this service",
                system=self._system,
                status_code=401,
                reason="bad_credentials",
            )
            self._refusal.remember(error)
            raise error
