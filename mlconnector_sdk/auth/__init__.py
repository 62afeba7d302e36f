"""How a program signs in: values that hold credentials, and the flows they turn into.

A value (`OAuth2Password(…)`, `CookieLogin(…)`) is frozen, pickles, compares, and never shows its secrets. Its `flow`
method builds the live `httpx.Auth` for one system: it signs in when first needed, renews in time, repeats a request
once after a 401, and never tries refused credentials a second time, because several of these systems lock the account.
"""

from ._basic import BasicLogin
from ._cookies import CookieLogin
from ._grants import OAuth2AuthorizationCode, OAuth2ClientCredentials, OAuth2Password
from ._pairing import CloudPairing
from ._signed import SelfSignedJWT
from ._tokens import OAuth2Token, TokenFlow

__all__ = [
    "BasicLogin",
    "CloudPairing",
    "CookieLogin",
    "OAuth2AuthorizationCode",
    "OAuth2ClientCredentials",
    "OAuth2Password",
    "OAuth2Token",
    "SelfSignedJWT",
    "TokenFlow",
]
