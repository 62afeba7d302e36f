"""One endpoint of api1 over HTTP: every call signs in, none is redirected, links stay on the configured host."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import httpx

from ..._http import HttpClient
from ...errors import AuthenticationError, ContractError
from ...network import Network
from ...protocols import WaitListener
from ...retry import RetryPolicy
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
        network: Network,
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
            network=network,
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
        try:
            reply = self._http.request("GET", f"{self._path}{path}", operation=operation, retry=retry)
        except AuthenticationError as error:
            raise refused(operation) from error
        except ContractError as error:
            _explain(error, operation, list(fields))
            raise
        return reply.json(decimals=True), reply.date

    def follow(self, link: str, operation: str) -> Any:
        """The body behind a link to the next page.

        Raises:
            ContractError: the link leads out of the API.
        """
        path = next_path(link, self._path)
        if path is None:
            raise ContractError(
                "the link to the next page leads out of the API", system=SYSTEM, operation=operation, reason="bad_link"
            )
        return self.get(path, operation)[0]

    def close(self) -> None:
        """Close connections; harmless when repeated."""
        self._http.close()


def _explain(error: ContractError, operation: str, fields: list[str]) -> None:
    """X3 answers a property it does not know with a bare 500: say which, where, and whom to ask."""
    if error.reason == "refused_query" and fields:
        error.message = (
            f"{operation.removeprefix('GET ')} does not filter or sort by {', '.join(fields)}: ask the site's X3 team "
            "to put it on the query facet of that representation, or name another one (representations=)"
        )
