"""Pairing with a cloud gateway whose tokens come in pairs, each refresh token good for one renewal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import attrs
import httpx

from .._http import HttpReply, guarded
from .._secret import Secret, not_empty, revealed
from ..errors import AuthenticationError, ConfigurationError, ContractError, ReauthorizationRequiredError
from ..network import Network
from ._endpoint import OPERATION, general_refusal, network_of, token_reply, token_session
from ._tokens import LoadToken, Now, OAuth2Token, SaveToken, TokenFlow, utc_now

__all__ = ["CloudPairing"]

_SOME_TEXT: Any = attrs.validators.min_len(1)
_AGAIN = "a person of the customer has to pair again, by way of authorize_url"
_BODY_NAMES = ("grant_type", "client_id", "client_secret", "redirect_uri", "code", "refresh_token")
_ANSWER_NAMES = ("access_token", "refresh_token", "expires_in", "scope")


def _known_names(_: Any, attribute: attrs.Attribute[Any], value: Mapping[str, str]) -> None:
    if strangers := sorted(set(value) - {*_BODY_NAMES, *_ANSWER_NAMES}):
        raise ValueError(f"{attribute.name}: there is no {', '.join(strangers)}")


@attrs.frozen(kw_only=True)
class CloudPairing:
    """A customer's consent at the regional gateway of Sage X3, given once in a browser.

    An access token lives five minutes, a refresh token thirty days, and each renewal gives a new pair and ends the old
    one. A new pair is handed to `save` before its first use. If the program dies between the gateway's answer and
    `save`, the pair is lost: the next renewal is refused, and `ReauthorizationRequiredError` says so. Nothing is lost
    silently, and nothing but the consent.

    Attributes:
        token: the pair that `exchange` or `save` gave last.
        save: stores a new pair durably, both tokens in one step. While it raises, the pair is not used, and saving is
            tried again with the next request.
        load: gives what was saved last. With it, several workers may share one pairing.
        names: the gateway's names where they differ from those of OAuth 2, of the request (`{"code":
            "authorizationCode"}`) and of the answer (`{"access_token": "accessToken"}`).
        network: how the token endpoint is reached; unless given, as the system that the sign-in is for.

    Example:
        >>> CloudPairing(client_id="app", client_secret="secret", redirect_uri="https://mine.example/done", scope="a b")
        CloudPairing(client_id='app', redirect_uri='https://mine.example/done', scope='a b')
    """

    client_id: str = attrs.field(validator=_SOME_TEXT)
    client_secret: str | Secret = attrs.field(repr=False, validator=not_empty)
    redirect_uri: str = attrs.field(validator=_SOME_TEXT)
    scope: str = "api.graphQL businessDomain.ALL"
    token: OAuth2Token | None = attrs.field(default=None, repr=False)
    save: SaveToken | None = attrs.field(default=None, repr=False, eq=False)
    load: LoadToken | None = attrs.field(default=None, repr=False, eq=False)
    names: Mapping[str, str] = attrs.field(factory=dict, repr=False, validator=_known_names)
    network: Network | None = attrs.field(default=None, repr=False)

    def authorize_url(self, root: str, *, customer: str, state: str) -> str:
        """Where to send the browser of the customer's user.

        Args:
            root: the gateway's address with its version: `https://api.eu-prod-sagex3.com/v1`.
            customer: the address of the customer's X3.
            state: comes back with the code; compare it before `exchange`.
        """
        query = {
            "client_id": self.client_id,
            "scope": self.scope,
            "customer": customer,
            "redirect_uri": self.redirect_uri,
            "state": state,
        }
        return f"{root.rstrip('/')}/token/authorise?{urlencode(query, quote_via=quote)}"

    def exchange(
        self,
        code: str,
        *,
        token_url: str,
        http: httpx.Client | None = None,
        network: Network | None = None,
        now: Now = utc_now,
        system: str = "",
    ) -> OAuth2Token:
        """The first pair for a code that came back (as `authorizationCode`, in a POST); handed to `save` as well.

        Args:
            token_url: `{root}/token`. A call-back that names another `endpoint` means that the customer lives in that
                region: use it as the root from then on.

        Raises:
            AuthenticationError: the code is wrong, used or expired, or the client is refused.
            TransientError: the gateway is down; a code may be used up all the same.
        """
        network = network_of(self.network, network, system=system, warns=True)
        answers = _Gateway(self, token_url, http=http, network=network, now=now, system=system)
        token = answers.ask("authorization_code", redirect_uri=self.redirect_uri, code=code)
        if self.save is not None:
            self.save(token)
        return token

    def flow(
        self,
        *,
        token_url: str,
        http: httpx.Client | None = None,
        network: Network | None = None,
        now: Now = utc_now,
        system: str = "",
    ) -> TokenFlow:
        """The live flow, starting with the stored pair.

        Raises:
            ConfigurationError: there is no pair yet.
        """
        token = self.token or (self.load() if self.load is not None else None)
        if token is None or not (token.access_token or token.refresh_token):
            raise ConfigurationError(
                "no pairing yet: send the customer's user to authorize_url, exchange the code, and construct this with "
                "token=",
                system=system,
            )
        network = network_of(self.network, network, system=system)
        grant = _Gateway(self, token_url, http=http, network=network, now=now, system=system)
        return TokenFlow(grant, token=token, save=self.save, load=self.load, now=now, system=system)


class _Gateway:
    """The token address of a gateway; it speaks JSON."""

    def __init__(
        self,
        pairing: CloudPairing,
        token_url: str,
        *,
        http: httpx.Client | None,
        network: Network,
        now: Now,
        system: str,
    ) -> None:
        self._pairing = pairing
        self._token_url = token_url
        self._http = http
        self._network = network
        self._now = now
        self._system = system

    def obtain(self, previous: OAuth2Token | None) -> OAuth2Token:
        """A new pair for the last one's refresh token."""
        if previous is None or not previous.refresh_token:
            raise ReauthorizationRequiredError(f"there is no refresh token: {_AGAIN}", system=self._system)
        try:
            return self.ask("refresh_token", refresh_token=previous.refresh_token)
        except AuthenticationError as error:
            raise ReauthorizationRequiredError(
                f"the pairing has ended (deleted, unused for thirty days, or its last pair was never saved): {_AGAIN}",
                system=self._system,
                operation=OPERATION,
                status_code=error.status_code,
            ) from None

    def ask(self, grant_type: str, **values: str) -> OAuth2Token:
        """One exchange. Raises our errors; `AuthenticationError` when client, code or refresh token are refused."""
        pairing = self._pairing
        values = {
            "grant_type": grant_type,
            "client_id": pairing.client_id,
            "client_secret": revealed(pairing.client_secret),
            **values,
        }
        body = json.dumps({pairing.names.get(name, name): value for name, value in values.items()})
        with guarded(self._system, OPERATION), token_session(self._http, self._network, self._system) as session:
            headers = {"Content-Type": "application/json"}
            response = session.post(self._token_url, content=body, headers=headers, follow_redirects=False)
        return self._token_in(token_reply(response))

    def _token_in(self, reply: HttpReply) -> OAuth2Token:
        where: dict[str, Any] = {"system": self._system, "operation": OPERATION, "status_code": reply.status}
        if 400 <= reply.status < 500 and reply.status not in {404, 429}:
            raise AuthenticationError(
                "the gateway refuses: check client id, client secret, redirect address, and that the pairing was "
                "accepted and is not older than its time",
                reason="refused",
                **where,
            )
        if (error := general_refusal(reply)) is not None:
            error.system, error.operation, error.status_code = self._system, OPERATION, reply.status
            raise error
        try:
            given = reply.json()
            names = self._pairing.names
            answer = {name: given.get(names.get(name, name)) for name in _ANSWER_NAMES}
            return OAuth2Token.from_answer(answer, now=self._now())
        except (ValueError, TypeError, AttributeError):
            raise ContractError(
                "the answer of the token address is no pair of tokens: set names= to what the gateway calls them",
                **where,
            ) from None
