"""Who may use api1 of a fake Sage X3, and what the others see."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Literal, TypeAlias

import attrs

from ._server import Reply, Request

__all__ = ["Access", "Refused", "login_page"]

Refused: TypeAlias = Literal["status", "login page", "redirect"]

_LOGIN = (
    "<!DOCTYPE html>\n<html><head><title>Sage X3 - Sign in</title></head><body>"
    '<form action="/auth/login" method="post"><input name="login"/><input name="password" type="password"/></form>'
    "</body></html>"
)


def login_page() -> Reply:
    """What a browser gets instead of an answer: the form to sign in, with a status that says all is well."""
    return Reply(200, _LOGIN)


@attrs.define(kw_only=True)
class Access:
    """The user, and how the server is set up.

    Attributes:
        modes: what the server's configuration lets in: `"basic"`, `"bearer"`.
        tokens: tokens that are good as `Authorization: Bearer`.
        refused: what those see who are not let in: a 401, the login page with 200, or a way to it.
        forbidden: classes that the user may not read.
        refusals: requests turned away so far.
    """

    username: str
    password: str = attrs.field(repr=False)
    modes: set[str] = attrs.field(factory=lambda: {"basic"})
    tokens: set[str] = attrs.field(factory=set, repr=False)
    refused: Refused = "status"
    forbidden: set[str] = attrs.field(factory=set)
    refusals: int = 0

    def turned_away(self, request: Request) -> Reply | None:
        """The answer to a request without good credentials; a browser is always sent to the login page."""
        if "text/html" in request.headers.get("accept", ""):
            return login_page()
        if self._is_known(request.headers.get("authorization", "")):
            return None
        self.refusals += 1
        if self.refused == "login page":
            return login_page()
        if self.refused == "redirect":
            return Reply(302, None, {"Location": "/auth/login/page"})
        offer = {"WWW-Authenticate": 'Basic realm="Syracuse"'} if "basic" in self.modes else {}
        return Reply(401, "Unauthorized", {"Content-Type": "text/plain; charset=utf-8", **offer})

    def _is_known(self, header: str) -> bool:
        kind, _, token = header.partition(" ")
        if kind.lower() == "bearer":
            return "bearer" in self.modes and token.strip() in self.tokens
        user = (self.username, self.password)
        return kind.lower() == "basic" and "basic" in self.modes and _pair(token.strip()) == user


def _pair(token: str) -> tuple[str, str]:
    try:
        name, _, password = b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password
