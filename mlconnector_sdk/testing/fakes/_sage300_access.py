"""Signing in to a fake Sage 300: Basic on every request, an account that locks itself, passwords in either case."""

from __future__ import annotations

import base64
import binascii

from ._sage300_errors import Refusal, http_page
from ._sage300_schema import Release
from ._server import Request

__all__ = ["Account"]

_STATES = ("good", "password expired", "must change password", "disabled", "restricted hours")


class Account:
    """One user of the system database.

    Attributes:
        state: why right credentials fail as well: `"good"`, `"password expired"`, `"must change password"`,
            `"disabled"` or `"restricted hours"`.
        locked: set by itself after `tries_before_lock` wrong passwords; only an administrator clears it.
        complex_passwords: passwords keep their case, as "Increased complexity" has it.
    """

    def __init__(self, username: str, password: str, release: Release) -> None:
        if not 1 <= len(username) <= 8 or not username[0].isalpha():
            raise ValueError("username has 1 to 8 characters and begins with a letter")
        self.username = username.upper()
        self.password = password
        self.release = release
        self.complex_passwords = release >= (2023, 0)
        self.tries_before_lock = 3
        self.wrong_tries = 0
        self.locked = False
        self.state = "good"

    def admit(self, request: Request, *, iis_basic: bool) -> None:
        """Let the request pass or raise the 401; a request without credentials is challenged and not counted."""
        if iis_basic:
            # IIS takes the header for a Windows sign-on and answers itself.
            raise Refusal("Unauthorized", page=http_page(401))
        sent = _credentials(request)
        if sent is None:
            raise Refusal("Unauthorized")
        user, password = sent
        if user != self.username or self.locked:
            raise Refusal("Unauthorized")
        if not self._fits(password):
            self.wrong_tries += 1
            self.locked = self.wrong_tries >= self.tries_before_lock
            raise Refusal("Unauthorized")
        if self.state != "good":
            raise Refusal("Unauthorized", f"The user cannot sign on: {self.state}.")
        self.wrong_tries = 0

    def _fits(self, sent: str) -> bool:
        if self.complex_passwords:
            return sent == self.password
        # Screens before 2022.2 stored upper case and compared what came; 2022.2 folds what comes as well.
        return (sent.upper() if self.release >= (2022, 2) else sent) == self.password.upper()

    def put_in_state(self, state: str) -> None:
        if state not in _STATES:
            raise ValueError(f"state is one of {', '.join(_STATES)}, not {state!r}")
        self.state = state

    def clear(self) -> None:
        """What an administrator does: unlock the account and give it a good state."""
        self.locked = False
        self.wrong_tries = 0
        self.state = "good"


def _credentials(request: Request) -> tuple[str, str] | None:
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(text, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None
