"""The token endpoint of an OAuth 2 server, through authlib."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx

from .._bounds import CODINGS, SMALL_ANSWERS
from .._http import HttpReply, guarded, looks_like_html, retry_after
from .._secret import Secret, revealed
from .._trust import trust_of, warn_of
from .._version import __version__
from ..errors import AuthenticationError, ContractError, MLConnectorError, RateLimitError, UnavailableError
from ..network import Network
from ._tokens import Now, OAuth2Token, utc_now

if TYPE_CHECKING:
    from ._authlib import SessionClient

__all__ = [
    "OPERATION",
    "JudgeToken",
    "TokenEndpoint",
    "authorization_url",
    "general_refusal",
    "network_of",
    "token_reply",
    "token_session",
]

JudgeToken: TypeAlias = Callable[[HttpReply], MLConnectorError | None]
"""A system's own reading of a token answer, asked before the general one."""

OPERATION = "POST token"

_STAY = {"follow_redirects": False}
"""Whatever a caller's own client does: where the answer points, nobody may see the credentials."""

_CURES = {
    "invalid_grant": "user name, password, code or refresh token is wrong, used up or expired",
    "invalid_client": "client id (with its tenant, where it names one) or client secret is wrong",
    "unauthorized_client": "this client may not use this way to sign in: check its registration",
    "unsupported_grant_type": "the server does not offer this way to sign in",
    "invalid_scope": "the client may not have the scope that was asked for",
    "invalid_request": "the server refuses the token request: check client id, redirect address and scope",
    "access_denied": "the user or an administrator refused access",
}


class TokenEndpoint:
    """Asks for tokens; every answer that is no token becomes one of our errors.

    Args:
        url: the token endpoint.
        client_auth: how the client names itself: `client_secret_post`, `client_secret_basic` or `none`.
        http: a client to use; otherwise each request, one an hour or so, opens one of its own.
        network: whom those trust.
    """

    def __init__(
        self,
        url: str,
        *,
        client_id: str,
        client_secret: str | Secret,
        client_auth: str,
        redirect_uri: str = "",
        judge: JudgeToken | None = None,
        http: httpx.Client | None = None,
        network: Network = Network(),
        now: Now = utc_now,
        system: str = "",
    ) -> None:
        self._url = url
        self._system = system
        self._judge = judge
        self._http = http
        self._network = network
        self._now = now
        self._client_secret = client_secret
        self._settings = {
            "client_id": client_id,
            "token_endpoint_auth_method": client_auth,
            "redirect_uri": redirect_uri or None,
        }

    def fetch(self, grant_type: str, **values: str) -> OAuth2Token:
        """A token by password, code or client credentials.

        Raises:
            AuthenticationError: refused.
            TransientError: the server is down or busy.
            ContractError: there is no token endpoint, or it speaks something else.
        """
        return self._ask(lambda client: client.fetch_token(self._url, grant_type=grant_type, **_STAY, **values))

    def refresh(self, refresh_token: str) -> OAuth2Token:
        """A token by refresh token; keeps the old refresh token where the server gives no new one."""
        return self._ask(lambda client: client.refresh_token(self._url, refresh_token=refresh_token, **_STAY))

    def _ask(self, call: Callable[[Any], Any]) -> OAuth2Token:
        from ._authlib import OAuth2Error

        try:
            with guarded(self._system, OPERATION), token_session(self._http, self._network, self._system) as session:
                return OAuth2Token.from_answer(call(self._client_over(session)), now=self._now())
        except OAuth2Error as error:
            raise self._placed(_refusal(str(error.error))) from None
        except (
            ValueError,
            TypeError,
            AttributeError,
            RecursionError,
            httpx.HTTPStatusError,
        ):  # authlib trips over a list
            raise self._placed(ContractError("the answer of the token endpoint is no token")) from None
        except MLConnectorError as error:
            raise self._placed(error)  # noqa: B904  # the same error, with its place

    def _client_over(self, session: httpx.Client) -> SessionClient:
        from ._authlib import SessionClient

        client = SessionClient(session, client_secret=revealed(self._client_secret), **self._settings)
        for hook in ("access_token_response", "refresh_token_response"):
            client.register_compliance_hook(hook, self._checked)
        return client

    def _checked(self, response: httpx.Response) -> httpx.Response:
        reply = token_reply(response)
        error = (self._judge(reply) if self._judge else None) or general_refusal(reply)
        if error is not None:
            error.status_code = error.status_code or reply.status
            raise error
        return response

    def _placed(self, error: MLConnectorError) -> MLConnectorError:
        error.system, error.operation = self._system, OPERATION
        return error


def network_of(own: Network | None, given: Network | None, *, system: str, warns: bool = False) -> Network:
    """A sign-in's own setting before that of the system it is for, which has warned already unless `warns` is true."""
    network = own or given or Network()
    if own is not None or warns:
        warn_of(network, system)
    return network


def token_session(http: httpx.Client | None, network: Network, system: str) -> AbstractContextManager[httpx.Client]:
    """The caller's client, which stays open, or one for a single exchange."""
    if http is not None:
        return nullcontext(http)
    headers = {"User-Agent": f"mlconnector_sdk/{__version__}", "Accept-Encoding": CODINGS}
    hooks: dict[str, list[Callable[..., Any]]] = {"response": [SMALL_ANSWERS]}
    return httpx.Client(
        timeout=httpx.Timeout(60.0, connect=10.0),
        headers=headers,
        event_hooks=hooks,
        verify=trust_of(network, system),
    )


def token_reply(response: httpx.Response) -> HttpReply:
    """A token answer as our judges read answers."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HttpReply(status=response.status_code, headers=headers, body=response.content)


def authorization_url(
    endpoint: str, *, client_id: str, redirect_uri: str, scope: str, state: str, verifier: str
) -> str:
    """Where to send the browser, with the PKCE challenge (S256) of `verifier` if there is one."""
    from ._authlib import SessionClient

    client = SessionClient(
        None, client_id=client_id, redirect_uri=redirect_uri, scope=scope, code_challenge_method="S256"
    )
    url, _ = client.create_authorization_url(endpoint, state=state, code_verifier=verifier)
    return str(url)


def general_refusal(reply: HttpReply) -> MLConnectorError | None:
    """What a status means at any token endpoint; OAuth's own 400 and 401 answers are read by authlib."""
    if reply.status == 429:
        return RateLimitError("too many sign-ins", retry_after=retry_after(reply))
    if reply.status >= 500:
        return UnavailableError("the token endpoint is down", retry_after=retry_after(reply))
    if reply.status == 404:
        return ContractError("there is no token endpoint at this address: check the address, site folder included")
    if looks_like_html(reply) or 300 <= reply.status < 400:
        return UnavailableError("the token endpoint answers with a web page: maintenance, or not this address")
    return None


def _refusal(code: str) -> MLConnectorError:
    if code in {"temporarily_unavailable", "server_error", "slow_down"}:
        return UnavailableError("the server cannot sign anybody in at the moment", reason=code)
    # The server's own description is left out: it may repeat the user name.
    known = code if code in _CURES else "refused"
    return AuthenticationError(
        f"sign-in refused ({known}): {_CURES.get(code, 'the server gives no known reason')}", reason=known
    )
