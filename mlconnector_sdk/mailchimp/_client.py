"""One account's HTTP: address, credentials, the shared limiter, and JSON in and out."""

from __future__ import annotations

import copy
import re
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from .._http import BodyReader, HttpClient, HttpReply, checked_url
from .._secret import Secret, revealed
from ..errors import ConfigurationError, ContractError, MLConnectorError
from ..network import Network
from ..protocols import WaitListener
from ..retry import RetryPolicy
from ._account import MailchimpAccount, opened_account
from ._limiter import limiter_for
from ._traces import counting, note_answer
from ._wire import SYSTEM, disconnected, encode, judge

__all__ = ["LARGEST_PAGE", "MOST_CONNECTIONS", "READ_TIMEOUT", "MailchimpClient", "Token", "json_object"]

# The server gives up after 120 s; a shorter limit of ours would take a slow success for a failure.
READ_TIMEOUT = 125.0

LARGEST_PAGE = 1000

MOST_CONNECTIONS = 10
"""What Mailchimp allows one user at once, over all keys and programs."""


class Token(Protocol):
    """An OAuth 2 token, asked anew for each request."""

    @property
    def access_token(self) -> str: ...


class MailchimpClient:
    """Sends requests to one Mailchimp account.

    Args:
        auth: an API key, an account as a value or as the text kept of it, or an object with an `access_token`. A
            reference is looked up at once, because key and account tell the address.
        base_url: the whole root with its version; without it the account or the key's data centre tells it.
        concurrency: simultaneous requests of all clients of the account in this process.
        network, warns: see `HttpClient`.
    """

    def __init__(
        self,
        auth: str | Secret | Token,
        *,
        base_url: str | None,
        concurrency: int,
        retry: RetryPolicy,
        network: Network = Network(),
        warns: bool = True,
    ) -> None:
        if isinstance(auth, (str, Secret)):
            text = revealed(auth)
            auth = opened_account(text) or text
        root = checked_url(base_url, SYSTEM) if base_url is not None else _root_of(auth)
        credential = _credential(auth, needs_data_centre=base_url is None)
        self._http = HttpClient(
            SYSTEM,
            root,
            judge=judge if isinstance(auth, str) else _TokenJudge(worked=isinstance(auth, MailchimpAccount)),
            auth=httpx.BasicAuth("mlconnector_sdk", auth) if isinstance(auth, str) else _Bearer(auth),
            timeout=READ_TIMEOUT,
            retry=retry,
            limiter=limiter_for(urlsplit(root).netloc, credential, concurrency),
            max_connections=concurrency,
            network=network,
            warns=warns,
        )
        self._http.on_wait = counting(None)
        self.retry = retry
        self.network = network

    @property
    def http(self) -> HttpClient:
        return self._http

    def without_retries(self) -> MailchimpClient:
        """The same connections, each call tried once: for checks, which tell what they meet."""
        other = copy.copy(self)
        other.retry = RetryPolicy(attempts=1, fault_attempts=1)
        return other

    def send(
        self,
        method: str,
        path: str,
        payload: Mapping[str, Any] | bytes | None = None,
        *,
        operation: str,
        params: Mapping[str, str] | None = None,
        retry: RetryPolicy | None = None,
        reader: BodyReader | None = None,
    ) -> HttpReply:
        """One exchange; every write this package makes may be repeated without harm.

        Raises:
            RefusedError: with the problem the API told.
            RecordNotFoundError: 404.
            TransientError, FatalError, ConfigurationError: see `_wire.judge`.
        """
        content = payload if isinstance(payload, bytes) or payload is None else encode(payload)
        try:
            reply = self._http.request(
                method,
                path,
                operation=operation,
                params=params,
                content=content,
                headers={"Content-Type": "application/json"} if content is not None else None,
                retry=retry or self.retry,
                reader=reader,
            )
        except MLConnectorError as error:
            note_answer(operation, error.request_id, good=False)
            raise
        note_answer(operation, reply.headers.get("x-request-id"), good=True)
        return reply

    def get(self, path: str, *, operation: str, **params: str | int) -> dict[str, Any]:
        """A resource as a dict."""
        texts = {name: str(value) for name, value in params.items()}
        return json_object(self.send("GET", path, operation=operation, params=texts))

    def get_all(self, path: str, key: str, *, operation: str, fields: str, **chosen: str) -> list[dict[str, Any]]:
        """Every entry of a small collection, or of the `chosen` part; `fields` are names inside an entry."""
        found: list[dict[str, Any]] = []
        names = ",".join(f"{key}.{name}" for name in fields.split()) + ",total_items"
        while True:
            page = self.get(path, operation=operation, fields=names, count=LARGEST_PAGE, offset=len(found), **chosen)
            entries = page.get(key) or []
            found += entries
            if not entries or len(found) >= int(page.get("total_items") or 0):
                return found

    def present(self) -> datetime:
        """The server's own time."""
        return self.send("GET", "/ping", operation="GET ping").date or datetime.now(UTC)

    def attach(self, *, retry: RetryPolicy | None, on_wait: WaitListener | None) -> None:
        """Take over a retry policy, if there is one, and a listener for pauses."""
        self.retry = retry or self.retry
        self._http.on_wait = counting(on_wait)

    def close(self) -> None:
        """Close connections; the next request opens anew."""
        self._http.close()


def json_object(reply: HttpReply, *, decimals: bool = False) -> dict[str, Any]:
    """The answer's body, which must be a JSON object; `decimals` keeps money exact.

    Raises:
        ContractError: it is something else.
    """
    try:
        document = reply.json(decimals=decimals)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ContractError("the answer is no JSON object: check base_url", system=SYSTEM, status_code=reply.status)
    return document


class _TokenJudge:
    """Tells a token that was revoked, which only its owner can mend, from one that was never right."""

    def __init__(self, *, worked: bool) -> None:
        self._worked = worked

    def __call__(self, reply: HttpReply, operation: str) -> MLConnectorError | None:
        error = judge(reply, operation)
        if error is None:
            self._worked = True
        return disconnected(error) if error is not None and self._worked else error


class _Bearer(httpx.Auth):
    def __init__(self, token: Token) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token.access_token}"
        yield request


def _credential(auth: str | Token, *, needs_data_centre: bool) -> str:
    # A token whose text is missing is met here too, not in the middle of a run.
    secret = str((auth if isinstance(auth, str) else auth.access_token) or "")
    if not re.fullmatch(r"[!-~]+", secret):
        raise ConfigurationError("the API key or token is empty or holds blanks or odd characters", system=SYSTEM)
    if isinstance(auth, str) and needs_data_centre:
        _data_centre(auth)
    return secret


def _root_of(auth: str | Token) -> str:
    """The data centre's host of a key or an account; the one host of all accounts for a token that names none."""
    if isinstance(auth, str):
        return f"https://{_data_centre(auth)}.api.mailchimp.com/3.0"
    if isinstance(auth, MailchimpAccount):
        return checked_url(auth.base_url, SYSTEM)
    return "https://api.mailchimp.com/3.0"


def _data_centre(key: str) -> str:
    match = re.search(r"-([a-z]+[0-9]+)\Z", key)
    if match is None:
        raise ConfigurationError(
            "the API key must end in its data centre, such as -us6: copy it whole from Mailchimp", system=SYSTEM
        )
    return match[1]
