"""Receives webhooks as a WSGI application (PEP 3333), for any server or framework that takes one."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from ._receiving import Asked, Deliveries, Handler, admit, headers_of, read

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["WebhookReceiver"]


class WebhookReceiver:
    """A WSGI application that verifies deliveries and hands their events on.

    GET, HEAD and an empty POST are answered with 200, what is not to be trusted with 403, what is too large with 413.
    What `handle` raises goes on to the server, which answers 500: then the delivery comes again later.

    Args:
        handle: takes the events of a delivery and returns within ten seconds: `engine.handle`, or something that
            keeps them for later where no crash can lose them.
        deliveries: `AudienceWebhooks` or `TransactionalWebhooks`.

    Example:
        >>> from mlconnector_sdk.integrations import AudienceWebhooks
        >>> receiver = WebhookReceiver(print, AudienceWebhooks(secret="6e1f…"))
    """

    def __init__(self, handle: Handler, deliveries: Deliveries) -> None:
        self._handle = handle
        self._deliveries = deliveries

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        status = self._receive(environ)
        start_response(f"{status.value} {status.phrase}", headers_of(status))
        return []

    def _receive(self, environ: WSGIEnvironment) -> HTTPStatus:
        asked = _asked(environ)
        if (status := admit(asked.method)) is not None:
            return status
        body = _body(environ, self._deliveries.limit_bytes)
        if isinstance(body, HTTPStatus):
            return body
        status, events = read(self._deliveries, asked, body)
        if events:
            self._handle(events)
        return status


def _asked(environ: WSGIEnvironment) -> Asked:
    headers = [(name, str(value)) for name, value in environ.items() if name.startswith("HTTP_")]
    return Asked(
        method=str(environ.get("REQUEST_METHOD", "")),
        # An application that is mounted at the very address has all of the path in SCRIPT_NAME.
        path=f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}",
        query=str(environ.get("QUERY_STRING", "")),
        headers=[(name[5:].replace("_", "-").encode(), value.encode("latin-1", "replace")) for name, value in headers],
    )


def _body(environ: WSGIEnvironment, limit: int) -> bytes | HTTPStatus:
    """The body as far as it is wanted; where it cannot be had whole, the answer that brings it again."""
    declared = str(environ.get("CONTENT_LENGTH") or "")
    if not declared and environ.get("wsgi.input_terminated"):
        return bytes(environ["wsgi.input"].read(limit))
    if not declared and "HTTP_TRANSFER_ENCODING" in environ:
        return HTTPStatus.LENGTH_REQUIRED
    if not (size := declared or "0").isdecimal() or not size.isascii():
        return HTTPStatus.BAD_REQUEST
    wanted = min(int(size), limit)
    body = bytes(environ["wsgi.input"].read(wanted))
    return body if len(body) == wanted else HTTPStatus.BAD_REQUEST
