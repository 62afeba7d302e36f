"""The GraphQL service of one folder over HTTP: documents with variables go out, judged answers come back."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

from ..._http import HttpClient, HttpReply
from ..._secret import Secret, revealed
from ...network import Network
from ...protocols import WaitListener
from ...retry import RetryPolicy
from ._api import SYSTEM
from ._graphql_answers import judge, value_in

__all__ = ["GraphQLSession"]

log = logging.getLogger("mlconnector_sdk.sources.sagex3")


class GraphQLSession:
    """Asks and judges. Nothing is kept between two calls.

    Args:
        url: the whole address of the service.
        headers: sent with every document, and to nobody else: the endpoint, a gateway's key, which is looked up each
            time.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str | Secret],
        flow: httpx.Auth,
        retry: RetryPolicy,
        timeout: float,
        connections: int,
        network: Network,
    ) -> None:
        self._http = HttpClient(
            SYSTEM,
            url,
            judge=judge,
            auth=flow,
            headers={"Content-Type": "application/json"},
            timeout=timeout,
            retry=retry,
            max_connections=connections,
            network=network,
        )
        self._headers = headers

    @property
    def address(self) -> str:
        return self._http.base_url

    @property
    def request_count(self) -> int:
        return self._http.request_count

    def attach(self, *, retry: RetryPolicy | None, on_wait: WaitListener | None) -> None:
        """Take over a retry policy, if there is one, and a listener for pauses."""
        self._http.retry = retry or self._http.retry
        self._http.on_wait = on_wait

    def ask(
        self, text: str, variables: Mapping[str, Any], operation: str, retry: RetryPolicy | None = None
    ) -> Mapping[str, Any]:
        """The `data` of an answer.

        Args:
            operation: `query x3MasterData.customer`, for messages.
        """
        reply = self._sent(text, variables, operation, retry)
        body = _body(reply)
        further = body.get("extensions")
        if isinstance(further, dict) and further.get("diagnoses"):
            # Their texts may name records.
            log.info("sagex3 %s: %d diagnoses with the answer", operation, len(further["diagnoses"]))
        found = body["data"]
        assert isinstance(found, dict)
        return found

    def clock(self, text: str, operation: str, retry: RetryPolicy | None) -> datetime | None:
        """The server's clock, as the head of an answer tells it."""
        return self._sent(text, {}, operation, retry).date

    def close(self) -> None:
        """Close connections; harmless when repeated."""
        self._http.close()

    def _sent(self, text: str, variables: Mapping[str, Any], operation: str, retry: RetryPolicy | None) -> HttpReply:
        content = json.dumps({"query": text, "variables": dict(variables)}).encode()
        headers = {name: revealed(value) for name, value in self._headers.items()}
        return self._http.request(
            "POST", "", operation=operation, content=content, headers=headers, retry=retry, reader=value_in
        )


def _body(reply: HttpReply) -> dict[str, Any]:
    body = reply.parsed if reply.parsed is not None else value_in([reply.body])
    assert isinstance(body, dict)
    return body
