"""Receives webhooks as an ASGI application, for any server or framework that takes one."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, TypeAlias

from ._receiving import Asked, Deliveries, Handler, admit, headers_of, read

__all__ = ["WebhookReceiver"]

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class WebhookReceiver:
    """An ASGI application that verifies deliveries and hands their events on.

    It answers as its namesake in `mlconnector_sdk.integrations.wsgi` does, and needs a server on asyncio.

    Args:
        handle: takes the events of a delivery and returns within ten seconds: `engine.handle`, or something that
            keeps them for later where no crash can lose them. A plain function runs in a thread; an `async` one is
            awaited.
        deliveries: `AudienceWebhooks` or `TransactionalWebhooks`.
    """

    def __init__(self, handle: Handler, deliveries: Deliveries) -> None:
        self._handle = handle
        self._deliveries = deliveries

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            # The specification's way to say that an application has no use for start-up messages.
            raise ValueError(f"a receiver of webhooks takes HTTP requests, not {scope['type']}")
        status = await self._receive(scope, receive)
        if status is not None:
            headers = [(name.encode(), value.encode()) for name, value in headers_of(status)]
            await send({"type": "http.response.start", "status": status.value, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

    async def _receive(self, scope: Message, receive: Receive) -> HTTPStatus | None:
        query = bytes(scope["query_string"]).decode("latin-1")
        asked = Asked(method=scope["method"], path=scope["path"], query=query, headers=list(scope["headers"]))
        if (status := admit(asked.method)) is not None:
            return status
        body = await _body(receive, self._deliveries.limit_bytes)
        if body is None:
            return None
        status, events = read(self._deliveries, asked, body)
        if events:
            handled = await asyncio.to_thread(self._handle, events)
            if inspect.isawaitable(handled):
                await handled
        return status


async def _body(receive: Receive, limit: int) -> bytes | None:
    """The body, as far as it is wanted; `None` when the caller has hung up."""
    body = bytearray()
    more = True
    while more and len(body) < limit:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)
