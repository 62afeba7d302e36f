"""authlib's client over an httpx session; loaded when the first token is asked for, because it takes a while."""

from __future__ import annotations

from collections.abc import Generator

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.base import OAuth2Error
from authlib.oauth2.client import OAuth2Client

__all__ = ["OAuth2Error", "SessionClient"]


class _ClientAuth(httpx.Auth, ClientAuth):  # type: ignore[misc]  # authlib has no types
    """Adds client id and secret the way authlib prepares them, as an httpx flow."""

    requires_request_body = True

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        headers = dict(request.headers)
        # As bytes, authlib takes any letter beyond ASCII (of a password, say) for an error.
        form = request.content.decode()
        url, headers, body = self.prepare(request.method, str(request.url), headers, form)
        headers.pop("content-length", None)
        yield httpx.Request(request.method, url, headers=headers, content=body, extensions=request.extensions)


class SessionClient(OAuth2Client):  # type: ignore[misc]  # authlib has no types
    """Asks for tokens through the session it is given."""

    client_auth_class = _ClientAuth
    SESSION_REQUEST_PARAMS = ["follow_redirects"]  # noqa: RUF012 - declared so by authlib
