"""`login.mailchimp.com` as the fake plays it: a person's consent, codes that work once, tokens, and whose they are.

The person consents at once, without a page in between. Of the token's answer only `access_token` is documented, of the
metadata only `dc`, `api_endpoint` and `error`; the rest is as older documentation shows it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import attrs

from ._mailchimp_audience import digest
from ._server import Reply, Request

__all__ = ["LOGIN_PATH", "LoginService"]

LOGIN_PATH = "/oauth2/"
_CODE_LIFE = timedelta(minutes=5)


@attrs.frozen
class _Code:
    client_id: str
    redirect_uri: str
    ends: datetime


class LoginService:
    """Registered applications of one account, and what they were given.

    Attributes:
        client_id, client_secret: of the registered application; a new secret refuses the old one at once.
        redirect_uris: where the browser may be sent back to, compared letter by letter.
        denies: the person says no.
        account_name: as the metadata tell it.

    Args:
        tokens: the account's good tokens; those given out are added.
        now: tells the time.
        endpoint: the API's address without version.
        dc: the account's data centre.
        role: the role of the person.
    """

    def __init__(
        self, tokens: set[str], *, now: Callable[[], datetime], endpoint: Callable[[], str], dc: str, role: str
    ) -> None:
        self.client_id = "159783467901"
        self.client_secret = "c1ient-secret-of-the-application"
        self.redirect_uris = {"https://connect.acme.org/mailchimp"}
        self.denies = False
        self.account_name = "Acme Wholesale"
        self._tokens = tokens
        self._now = now
        self._endpoint = endpoint
        self._dc = dc
        self._role = role
        self._codes: dict[str, _Code] = {}
        self._numbers = itertools.count(1)

    def revoke(self, token: str | None = None) -> None:
        """The person takes the application off the account: this token, or all of them, are void."""
        if token is None:
            self._tokens.clear()
        else:
            self._tokens.discard(token)

    def handle(self, request: Request) -> Reply:
        """The answer to a request below `/oauth2/`."""
        match request.method, request.path.removeprefix(LOGIN_PATH):
            case "GET", "authorize":
                return self._authorize(request.query)
            case "POST", "token":
                return self._token(request)
            case "GET", "metadata":
                return self._metadata(request)
        return Reply(404, "<html><title>Page not found</title></html>")

    def _authorize(self, query: dict[str, str]) -> Reply:
        redirect_uri = query.get("redirect_uri", "")
        known = query.get("client_id") == self.client_id and redirect_uri in self.redirect_uris
        if not known or query.get("response_type") != "code":
            return Reply(400, "<html><title>Invalid authorization request</title></html>")
        answer = {"error": "access_denied"} if self.denies else {"code": self._new_code(redirect_uri)}
        if "state" in query:
            answer["state"] = query["state"]
        joint = "&" if "?" in redirect_uri else "?"
        return Reply(302, None, {"Location": f"{redirect_uri}{joint}{urlencode(answer)}"})

    def _new_code(self, redirect_uri: str) -> str:
        code = digest("code", str(next(self._numbers)))
        self._codes[code] = _Code(self.client_id, redirect_uri, self._now() + _CODE_LIFE)
        return code

    def _token(self, request: Request) -> Reply:
        if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return _refused(400, "invalid_request", "The request must be a form.")
        form = request.form()
        # Id and secret travel in the form; HTTP Basic is not read.
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            return _refused(401, "invalid_client", "Client authentication failed.")
        if form.get("grant_type") != "authorization_code":
            return _refused(400, "unsupported_grant_type", "Unsupported grant type.")
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.ends < self._now() or code.redirect_uri != form.get("redirect_uri"):
            return _refused(400, "invalid_grant", "Invalid grant.")
        token = digest("token", str(next(self._numbers)))
        self._tokens.add(token)
        return Reply(200, {"access_token": token, "expires_in": 0, "scope": None})

    def _metadata(self, request: Request) -> Reply:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in {"oauth", "bearer"}:
            token = request.query.get("oauth_token", "")
        if token.strip() not in self._tokens:
            # A refusal with the status of success.
            return _refused(200, "invalid_token", "The access token provided is invalid.")
        return Reply(200, self._facts())

    def _facts(self) -> dict[str, Any]:
        address = "ops@acme-wholesale.org"
        login = {"email": address, "avatar": None, "login_id": 15443, "login_name": "acmeops", "login_email": address}
        return {
            "dc": self._dc,
            "role": self._role,
            "accountname": self.account_name,
            "user_id": 15443,
            "login": login,
            "login_url": "https://login.mailchimp.com",
            "api_endpoint": self._endpoint(),
        }


def _refused(status: int, error: str, description: str) -> Reply:
    return Reply(status, {"error": error, "error_description": description})
