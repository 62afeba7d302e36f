"""One endpoint of api1 over HTTP: every call signs in, none is redirected, links stay on the configured host."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from ..._http import HttpClient, HttpReply
from ...errors import AuthenticationError, ContractError
from ...protocols import WaitListener
from ...retry import RetryPolicy
from .._base import placed
from ._api import SYSTEM
from ._api1 import judge, next_path, refused

__all__ = ["RestSession"]


class RestSession:
    """Asks and judges. api1 keeps nothing between two calls."""

    def __init__(
        self,
        base_url: str,
        *,
        path: str,
        flow: httpx.Auth,
        retry: RetryPolicy,
        timeout: float,
        connections: int,
        ca_bundle: str | Path | None,
    ) -> None:
        # Whoever copies an address from a browser has the path of the API in it.
        root = base_url.partition("/api1")[0].rstrip("/")
        self._http = HttpClient(
            SYSTEM,
            root,
            judge=judge,
            auth=flow,
            timeout=timeout,
            retry=retry,
            max_connections=connections,
            ca_bundle=ca_bundle,
        )
        self._path = path

    @property
    def address(self) -> str:
        return f"{self._http.base_url}{self._path}"

    @property
    def request_count(self) -> int:
        return self._http.request_count

    def attach(self, *, retry: RetryPolicy | None, on_wait: WaitListener | None) -> None:
        """Take over a retry policy, if there is one, and a listener for pauses."""
        self._http.retry = retry or self._http.retry
        self._http.on_wait = on_wait

    def get(
        self, path: str, operation: str, *, fields: Iterable[str] = (), retry: RetryPolicy | None = None
    ) -> tuple[Any, datetime | None]:
        """The body of an answer, with exact numbers, and the server's clock.

        Args:
            path: below the endpoint.
            operation: `GET BPCUSTOMER/YMCBPC.$query`.
            fields: those that the question names, besides the key, to be told where the server does not know one.
        """
        return self._get(f"{self._path}{path}", operation, fields, retry)

    def follow(self, link: str, operation: str) -> Any:
        """The body behind a link to the next page.

        Raises:
            ContractError: the link leads out of the API.
        """
        path = next_path(link, urlsplit(self._http.base_url).path)
        if path is None:
            raise ContractError(
                "the link to the next page is no address of the API", system=SYSTEM, operation=operation
            )
        parts = urlsplit(self._http.base_url)
        return self._get(f"{parts.scheme}://{parts.netloc}{path}", operation, (), None)[0]

    def close(self) -> None:
        """Close connections; harmless when repeated."""
        self._http.close()

    def _get(
        self, path: str, operation: str, fields: Iterable[str], retry: RetryPolicy | None
    ) -> tuple[Any, datetime | None]:
        try:
            reply = self._http.request("GET", path, operation=operation, retry=retry)
        except AuthenticationError as error:
            raise refused(operation) from error
        except ContractError as error:
            raise _explained(error, operation, list(fields)) from error
        with placed(SYSTEM, operation):
            return _body(reply), reply.date


def _body(reply: HttpReply) -> Any:
    try:
        return reply.json(decimals=True)
    except ValueError:
        raise ContractError("the answer is no JSON", reason="not_json") from None


def _explained(error: ContractError, operation: str, fields: list[str]) -> ContractError:
    """X3 answers a property it does not know with a bare 500: say which, where, and whom to ask."""
    if error.reason != "refused_query" or not fields:
        return error
    facet = operation.removeprefix("GET ")
    error.message = (
        f"{facet} does not filter or sort by {', '.join(fields)}: ask the site's X3 team to put it on the query facet "
        "of that representation, or name another one (representations=)"
    )
    return error
