"""Tokens that the client signs itself: there is no token endpoint, and nothing to renew but the signature."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import attrs

from .._secret import Secret, not_empty, revealed
from ._tokens import Now, OAuth2Token, TokenFlow, utc_now

__all__ = ["SelfSignedJWT"]

_SOME_TEXT: Any = attrs.validators.min_len(1)
_REFUSALS = {
    21: "it was issued in the future for the server: set the clocks",
    41: "the client id is not known",
    42: "the user is not the one that the connected application allows, letter case included",
    45: "the audience is not the URL registered with the connected application, letter by letter: set audience=",
    50: "the secret is wrong, the token expired on its way (set the clocks), or it lives longer than the connected "
    "application allows (set lifetime=)",
}


@attrs.frozen(kw_only=True)
class SelfSignedJWT:
    """A connected application of Sage X3: client id and secret, with which each token is signed (HS256).

    Attributes:
        user: the application's allowed user; `""` leaves the claim out.
        audience: the URL registered with the application, compared letter by letter; `None` is the address of the API
            as it is called. Some sites registered `""` or another text.
        lifetime: of a token; the application's "tokens validity" must not be shorter. One that leaves less than a
            minute is signed anew for each request, which costs nothing.
        backdated: how far behind this machine's clock a token is dated, because one from the future is refused.

    Example:
        >>> SelfSignedJWT(client_id="0f3c9a", secret="secret", user="MAILCHIMP")  # doctest: +ELLIPSIS
        SelfSignedJWT(client_id='0f3c9a', user='MAILCHIMP', audience=None, lifetime=...)
    """

    client_id: str = attrs.field(validator=_SOME_TEXT)
    secret: str | Secret = attrs.field(repr=False, validator=not_empty)
    user: str = ""
    audience: str | None = None
    lifetime: timedelta = timedelta(minutes=5)
    backdated: timedelta = attrs.field(default=timedelta(seconds=30), repr=False)

    def __attrs_post_init__(self) -> None:
        if self.lifetime <= self.backdated:
            raise ValueError("lifetime must be longer than backdated")

    def flow(self, *, address: str, now: Now = utc_now, system: str = "") -> TokenFlow:
        """The live flow: signs anew before a token expires, and once after a 401.

        Args:
            address: of the API, the default audience.
        """
        return TokenFlow(_Signer(self, address, now), explain=_explained, now=now, system=system)


class _Signer:
    def __init__(self, application: SelfSignedJWT, address: str, now: Now) -> None:
        self._application = application
        self._audience = address if application.audience is None else application.audience
        self._now = now

    def obtain(self, previous: OAuth2Token | None) -> OAuth2Token:
        """A token signed now."""
        # Loaded by those alone who sign: it takes a while.
        from joserfc import jwt
        from joserfc.jwk import OctKey

        application = self._application
        issued = self._now() - application.backdated
        expires = issued + application.lifetime
        claims = {
            "iss": application.client_id,
            **({"sub": application.user} if application.user else {}),
            "aud": self._audience,
            "iat": int(issued.timestamp()),
            "exp": int(expires.timestamp()),
        }
        key = OctKey.import_key(revealed(application.secret).encode())
        return OAuth2Token(access_token=jwt.encode({"alg": "HS256", "typ": "JWT"}, claims, key), expires_at=expires)


def _explained(body: str) -> str:
    """What a repeated 401 says; the server tells its number only (`Error 45: Invalid token`)."""
    found = re.search(r"Error (\d+)", body[:200])
    number = int(found[1]) if found else 0
    if found is None:
        return "the server refuses the signed token: check client id, secret, user and audience"
    reason = _REFUSALS.get(number, "look it up in the connected application's documentation")
    return f"the server refuses the signed token (error {number}): {reason}"
