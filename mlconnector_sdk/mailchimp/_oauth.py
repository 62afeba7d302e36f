"""`MailchimpOAuth`: how the owner of a Mailchimp account lets this program in, through a browser, once.

There are no scopes, no PKCE, and nothing is renewed: the token lives until the owner disconnects the program.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import attrs

from .._http import HttpClient, HttpReply, checked_url, looks_like_html, retry_after
from .._secret import Secret, not_empty, revealed
from .._trust import warn_of
from ..auth import OAuth2AuthorizationCode
from ..errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    MLConnectorError,
    RateLimitError,
    ReauthorizationRequiredError,
    UnavailableError,
)
from ..network import Network
from ..protocols import Vault
from ..retry import RetryPolicy
from ._account import MailchimpAccount
from ._client import MOST_CONNECTIONS, MailchimpClient
from ._wire import SYSTEM

__all__ = ["MailchimpOAuth", "SaveAccount"]

SaveAccount: TypeAlias = Callable[[MailchimpAccount], object]

LOGIN_URL = "https://login.mailchimp.com"

_SOME_TEXT: Any = attrs.validators.min_len(1)


def _address(value: str) -> str:
    return checked_url(value, SYSTEM)


@attrs.frozen(kw_only=True)
class MailchimpOAuth:
    """An application that is registered with Mailchimp (*Account > Extras > Registered apps*).

    First, keep a `new_state` in the user's session and send the browser to `authorize_url`. When it comes back, give
    its address to `code_of`, and the code to `exchange`.

    Attributes:
        client_id, client_secret: as Mailchimp shows them; a new secret makes the old one void at once. The secret may
            be a reference of a vault.
        redirect_uri: where the browser comes back to, exactly as registered; for tries at home Mailchimp takes
            `http://127.0.0.1:…`.
        base_url: Mailchimp's log-in service, for fakes.
        retry: how often it is asked again whose token this is; a code is never sent twice.
        network: whom to trust, and how much of an answer is read.

    Raises:
        ConfigurationError: `base_url` is no address.

    Example:
        >>> oauth = MailchimpOAuth(client_id="1597", client_secret="secret", redirect_uri="https://app.example/back")
        >>> oauth.authorize_url(state="f3a9").partition("?")[0]
        'https://login.mailchimp.com/oauth2/authorize'
    """

    client_id: str = attrs.field(validator=_SOME_TEXT)
    client_secret: str | Secret = attrs.field(repr=False, validator=not_empty)
    redirect_uri: str = attrs.field(validator=_SOME_TEXT)
    base_url: str = attrs.field(default=LOGIN_URL, converter=_address)
    retry: RetryPolicy = attrs.field(factory=RetryPolicy, repr=False)
    network: Network = attrs.field(factory=Network, repr=False)

    def __attrs_post_init__(self) -> None:
        warn_of(self.network, SYSTEM)

    @staticmethod
    def new_state() -> str:
        """A fresh text nobody can guess: keep it in the user's session until the browser comes back."""
        return secrets.token_urlsafe(32)

    def authorize_url(self, *, state: str) -> str:
        """Where to send the browser.

        Raises:
            ConfigurationError: `state` is empty; without one, anybody could connect their account to your user.
        """
        if not state:
            raise ConfigurationError("state must not be empty: take new_state()", system=SYSTEM)
        return self._grant("").authorize_url(f"{self.base_url}/oauth2/authorize", state=state)

    def code_of(self, returned: str, *, state: str) -> str:
        """The code in the address that the browser came back to, whole or its query alone.

        Raises:
            AuthenticationError: the state is not the one kept (reason `state_mismatch`), the user said no
                (`access_denied`), or there is no code (`no_code`).
        """
        # An address has its query behind a question mark; a query alone has none.
        query = parse_qs(urlsplit(returned).query or returned.rpartition("?")[2])
        given = {name: values[0] for name, values in query.items()}
        if not state or not secrets.compare_digest(given.get("state", "").encode(), state.encode()):
            raise _refused("the state that came back is not the one kept: begin again", "state_mismatch")
        if given.get("error"):
            raise _refused("the account's owner refused access, or Mailchimp did: begin again", "access_denied")
        if not given.get("code"):
            raise _refused("no code came back: begin again, and check redirect_uri", "no_code")
        return given["code"]

    def exchange(
        self, code: str, *, save: SaveAccount | None = None, vault: Vault | None = None, name: str = ""
    ) -> MailchimpAccount:
        """The account behind a code, which works once and for a short time.

        Args:
            save: told the account before it is returned.
            vault: keeps the account as one text, which `MailchimpAccount.from_secret` reads.
            name: its name in the vault; `MailchimpAccount.secret_name` unless given.

        Raises:
            AuthenticationError: the code is wrong, used or expired, or the application is refused.
            TransientError: Mailchimp is down. The code may be used up: begin again.
            ContractError: something else answers at `base_url`.
        """
        token = self._grant(revealed(self.client_secret)).exchange(
            code, token_url=f"{self.base_url}/oauth2/token", judge=_judge_token, network=self.network, system=SYSTEM
        )
        account = self.account(token.access_token)
        if save is not None:
            save(account)
        if vault is not None:
            vault.put(name or account.secret_name, account.to_secret())
        return account

    def account(self, access_token: str) -> MailchimpAccount:
        """Whose token this is, and at which address their account lives.

        Raises:
            ReauthorizationRequiredError: the token is wrong or was revoked.
            TransientError, ContractError: as in `exchange`.
        """
        facts = self._metadata(access_token)
        endpoint = facts.get("api_endpoint")
        if not isinstance(endpoint, str) or not self._is_home(endpoint):
            raise ContractError("the answer names no address of the account's API: check base_url", system=SYSTEM)
        account = MailchimpAccount(
            access_token=access_token, api_endpoint=endpoint.rstrip("/"), dc=str(facts.get("dc") or "")
        )
        client = MailchimpClient(
            account, base_url=None, concurrency=MOST_CONNECTIONS, retry=self.retry, network=self.network, warns=False
        )
        try:
            # The metadata's own id is that of a user, not of the account.
            root = client.get("/", operation="GET account", fields="account_id,account_name")
        finally:
            client.close()
        return attrs.evolve(
            account, account_id=str(root.get("account_id") or ""), account_name=str(root.get("account_name") or "")
        )

    def _is_home(self, endpoint: str) -> bool:
        """Whether the token may go there: to Mailchimp, or to where `base_url` leads."""
        try:
            theirs, ours = urlsplit(checked_url(endpoint, SYSTEM)), urlsplit(self.base_url)
        except (ConfigurationError, ValueError):
            return False
        at_mailchimp = theirs.scheme == "https" and (theirs.hostname or "").endswith(".mailchimp.com")
        return at_mailchimp or (theirs.scheme, theirs.netloc) == (ours.scheme, ours.netloc)

    def _metadata(self, access_token: str) -> dict[str, Any]:
        http = HttpClient(
            SYSTEM, self.base_url, judge=_judge_metadata, retry=self.retry, network=self.network, warns=False
        )
        try:
            reply = http.request(
                "GET",
                "/oauth2/metadata",
                operation="GET metadata",
                headers={"Authorization": f"OAuth {access_token}"},
            )
        finally:
            http.close()
        return _document(reply) or {}

    def _grant(self, client_secret: str) -> OAuth2AuthorizationCode:
        return OAuth2AuthorizationCode(
            client_id=self.client_id, client_secret=client_secret, redirect_uri=self.redirect_uri
        )


def _refused(message: str, reason: str) -> AuthenticationError:
    return AuthenticationError(message, system=SYSTEM, operation="authorize", reason=reason)


def _judge_token(reply: HttpReply) -> MLConnectorError | None:
    if reply.status == 401:
        return AuthenticationError(
            "client id or client secret is wrong, or the secret was replaced: copy both from the registered app",
            reason="invalid_client",
        )
    return None


def _judge_metadata(reply: HttpReply, _operation: str) -> MLConnectorError | None:
    """A refused token is told with the status of success: only the body counts."""
    document = _document(reply)
    if (document is not None and "error" in document and reply.status < 500) or reply.status == 401:
        return ReauthorizationRequiredError(
            "Mailchimp does not know the token: its owner disconnected the program, or it is a wrong one",
            reason="token_refused",
        )
    if reply.status == 429:
        return RateLimitError("too many requests", retry_after=retry_after(reply))
    if reply.status >= 500:
        return UnavailableError("Mailchimp's log-in service is down", retry_after=retry_after(reply))
    if reply.status >= 300 or document is None or looks_like_html(reply):
        return ContractError("the answer is no account's metadata: check base_url")
    return None


def _document(reply: HttpReply) -> dict[str, Any] | None:
    try:
        document = reply.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
