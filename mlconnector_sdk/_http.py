"""One way to talk HTTP for every system: time-outs, one retry loop, error translation, redaction, counting.

An answer is judged by the system's own `judge` function (sans-IO: status, headers, body), because the systems disagree
on what a status means. Transport errors are the same everywhere and translated here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from math import isfinite
from typing import Any, Protocol, TypeAlias

import attrs
import httpx

from ._bounds import CODINGS, Bounds, bounds_of
from ._json import json_in
from ._quiet import our_call, silence
from ._trust import trust_of, warn_of
from ._version import __version__
from .errors import (
    ConfigurationError,
    ContractError,
    MappingError,
    MLConnectorError,
    RateLimitError,
    TimeoutExceededError,
    TransientError,
    UnavailableError,
)
from .network import Network
from .protocols import WaitListener
from .retry import RetryPolicy

__all__ = [
    "BodyReader",
    "HttpClient",
    "HttpReply",
    "Judge",
    "Limiter",
    "NoLimit",
    "WaitListener",
    "guarded",
    "looks_like_html",
    "retry_after",
]

log = logging.getLogger("mlconnector_sdk.http")

_CHATTY = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks")


@attrs.frozen(kw_only=True)
class HttpReply:
    """A whole answer. Header names are lower case; `parsed` is what a reader made of the body, if it got to see it."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    parsed: Any = attrs.field(default=None, repr=False)

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @property
    def date(self) -> datetime | None:
        """The server's clock as its `Date` header tells it, aware UTC."""
        try:
            return parsedate_to_datetime(self.headers["date"]).astimezone(UTC)
        except (KeyError, ValueError, OverflowError):
            return None

    def json(self, *, decimals: bool = False) -> Any:
        """The body as JSON; `decimals` keeps money exact.

        Raises:
            ValueError: the body is no JSON: cut off, HTML, not UTF-8, or nested deeper than anything real.
        """
        return json_in(self.body, decimals=decimals)


BodyReader: TypeAlias = Callable[[Iterator[bytes]], Any]
"""Makes something of a body while it arrives; raises one of our errors when it cannot."""

Judge: TypeAlias = Callable[[HttpReply, str], MLConnectorError | None]
"""Given an answer and the operation's name, the error it means, or `None` when it is good."""


class Limiter(Protocol):
    """Bounds how many calls are under way at once."""

    def __enter__(self) -> object: ...

    def __exit__(self, *exc: object) -> None: ...

    def pause(self, seconds: float) -> None:
        """Let nobody start for so long: the far side asked all of us to slow down."""


class NoLimit:
    """A limiter that lets everything through, for systems used by one thread."""

    def __enter__(self) -> None: ...

    def __exit__(self, *exc: object) -> None: ...

    def pause(self, seconds: float) -> None: ...


class HttpClient:
    """Sends requests to one system and returns whole answers or raises our errors.

    Args:
        system: the short name used in messages.
        base_url: scheme, host and path prefix; every path is appended to it.
        judge: see `Judge`.
        auth: an `httpx.Auth` flow; it signs in, renews, and repeats a request once after a 401.
        timeout: seconds to wait for an answer (`read`), for a connection (`connect`).
        retry: the one retry loop.
        limiter: entered for each exchange, not for the pauses between.
        network: whom to trust, and how large an answer may be and how long it may take.
        warns: warn where anybody is trusted; `False` for a second client of something that has warned already.
        follow_redirects: go where the answer points; only for addresses that need no credentials.
        bounds: instead of those of `network`.

    Raises:
        ConfigurationError: the address or the bundle cannot be used. Nothing is sent before the first request.
    """

    def __init__(
        self,
        system: str,
        base_url: str,
        *,
        judge: Judge,
        auth: httpx.Auth | None = None,
        timeout: float = 125.0,
        connect_timeout: float = 10.0,
        retry: RetryPolicy | None = None,
        limiter: Limiter | None = None,
        headers: Mapping[str, str] | None = None,
        max_connections: int = 10,
        network: Network = Network(),
        warns: bool = True,
        follow_redirects: bool = False,
        bounds: Bounds | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.system = system
        self.base_url = checked_url(base_url, system)
        self.retry = retry or RetryPolicy()
        self.on_wait: WaitListener | None = None
        self._judge = judge
        self._signs_in = auth is not None
        self._limiter = limiter or NoLimit()
        self._count = 0
        self._count_lock = threading.Lock()
        self._open_lock = threading.Lock()
        self._open: httpx.Client | None = None
        self._make = partial(
            httpx.Client,
            auth=auth,
            timeout=httpx.Timeout(timeout, connect=connect_timeout),
            limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections),
            headers={
                "User-Agent": f"mlconnector_sdk/{__version__}",
                "Accept": "application/json",
                "Accept-Encoding": CODINGS,
                **(headers or {}),
            },
            event_hooks={"response": [bounds or bounds_of(network)]},
            follow_redirects=follow_redirects,
            verify=trust_of(network, system),
            transport=transport,
        )
        if warns:
            warn_of(network, system)

    @property
    def _client(self) -> httpx.Client:
        """Opened on first use, and again when used after `close`."""
        with self._open_lock:
            if self._open is None:
                silence(*_CHATTY)
                self._open = self._make()
            return self._open

    @property
    def request_count(self) -> int:
        """Requests sent so far, repeats included, sign-in excluded."""
        return self._count

    @property
    def cookies(self) -> httpx.Cookies:
        return self._client.cookies

    def request(
        self,
        method: str,
        path: str,
        *,
        operation: str = "",
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = True,
        retry: RetryPolicy | None = None,
        reader: BodyReader | None = None,
        reads: str = "json",
    ) -> HttpReply:
        """One exchange with retries.

        Args:
            path: appended to `base_url`; already percent-encoded. An absolute URL is used as it is, though by a client
                with credentials on its own host only.
            operation: what this is, for messages; keep personal data out of it.
            repeatable: sending it twice is harmless.
            reader: given the body of a good JSON answer piece by piece, instead of keeping it whole; what it returns
                is `HttpReply.parsed`. It starts anew when the exchange is repeated.
            reads: how the media type ends that the reader takes; `""` for any.

        Raises:
            TransientError: still failing after the retry policy's limits.
            RecordError, FatalError: as the system's judge says.
            MappingError: a part of the path is `.` or `..`, so that another place would be asked.
            ContractError: the address is on another host, which must not see the credentials.
        """
        operation = operation or f"{method} {path.partition('?')[0]}"
        try:
            url = self._place(path, operation)
            request = self._client.build_request(method, url, params=params, content=content, headers=headers)
        except httpx.InvalidURL:
            # Its text quotes the address.
            raise ContractError(
                "the address holds signs that none can have",
                system=self.system,
                operation=operation,
                reason="bad_address",
            ) from None

        def attempt() -> HttpReply:
            return self._attempt(request, operation, reader, reads)

        def waiting(error: TransientError, seconds: float, tries: int) -> None:
            self._announce(error, operation, seconds, tries)

        return (retry or self.retry).call(attempt, on_wait=waiting, repeatable=repeatable)

    def close(self) -> None:
        """Close connections and forget cookies; the next request opens anew."""
        with self._open_lock:
            if self._open is not None:
                self._open.close()
                self._open = None

    def _place(self, path: str, operation: str) -> str:
        """The whole address of a path, which stays where it was meant to be."""
        absolute = path.startswith(("http://", "https://"))
        if not {".", ".."}.isdisjoint(path.partition("?")[0].split("/")):
            raise MappingError(
                "a key that is '.' or '..' cannot be asked for",
                system=self.system,
                operation=operation,
                reason="bad_id",
            )
        if (absolute and self._signs_in and _origin(path) != _origin(self.base_url)) or not (
            absolute or path.startswith(("/", "?")) or not path
        ):
            raise ContractError(
                "the address leads to another host, which must not see the credentials",
                system=self.system,
                operation=operation,
                reason="other_host",
            )
        return path if absolute else self.base_url + path

    def _attempt(self, request: httpx.Request, operation: str, reader: BodyReader | None, reads: str) -> HttpReply:
        started = time.monotonic()
        with self._limiter, guarded(self.system, operation):
            with self._count_lock:
                self._count += 1
            response = self._client.send(request, stream=True)
            try:
                reply = _read(response, reader, reads)
            finally:
                response.close()
                # The response and its stream hold each other; cut, a large answer is free at once.
                response.stream = httpx.ByteStream(b"")
        seconds = time.monotonic() - started
        log.debug(
            "%s %s -> %d in %.3f s",
            self.system,
            operation,
            reply.status,
            seconds,
            extra={"mlc_system": self.system, "mlc_operation": operation, "mlc_status": reply.status},
        )
        error = self._judge(reply, operation)
        if error is None:
            return reply
        error.system, error.operation = self.system, operation
        error.status_code = error.status_code or reply.status
        if isinstance(error, TransientError) and error.retry_after is None:
            # A proxy may say it where the vendor never does.
            error.retry_after = retry_after(reply)
        raise error

    def _announce(self, error: TransientError, operation: str, seconds: float, tries: int) -> None:
        if isinstance(error, RateLimitError):
            self._limiter.pause(seconds)
        log.info("%s %s: %s; next try in %.1f s", self.system, operation, error.reason, seconds)
        if self.on_wait is not None:
            self.on_wait(self.system, operation, error, seconds, tries)


def _read(response: httpx.Response, reader: BodyReader | None, reads: str) -> HttpReply:
    reply = HttpReply(status=response.status_code, headers=_lower(response.headers))
    if reader is not None and reply.status == 200 and reply.media_type.endswith(reads):
        return attrs.evolve(reply, parsed=reader(response.iter_bytes()))
    return attrs.evolve(reply, body=response.read())


def _origin(url: str) -> tuple[str, str, int | None]:
    parsed = httpx.URL(url)
    return parsed.scheme, parsed.host, parsed.port


def checked_url(url: str, system: str) -> str:
    """`url` without trailing slash.

    Raises:
        ConfigurationError: it is no absolute http or https address.
    """
    try:
        parsed = httpx.URL(url) if "://" in url else None
    except httpx.InvalidURL:
        parsed = None
    if parsed is None or parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ConfigurationError("the address must start with https:// (or http://) and name a host", system=system)
    if parsed.userinfo:
        raise ConfigurationError("the address must not contain a user name or password", system=system)
    return url.rstrip("/")


def retry_after(reply: HttpReply) -> float | None:
    """Seconds the far side asks to wait: `Retry-After` as a number or as a date."""
    value = reply.headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
        return max(0.0, seconds) if isfinite(seconds) else None
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (until - (reply.date or datetime.now(UTC))).total_seconds())


def looks_like_html(reply: HttpReply) -> bool:
    """The body is a web page: a proxy, a maintenance notice or a sign-in form, not the API."""
    start = reply.body[:512].lstrip().lower()
    return reply.media_type == "text/html" or start.startswith((b"<!doctype", b"<html"))


def _lower(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@contextmanager
def guarded(system: str, operation: str) -> Iterator[None]:
    """Calls of httpx made inside raise our errors, and httpx's own loggers say nothing about them."""
    with _translated(system, operation), our_call():
        yield


@contextmanager
def _translated(system: str, operation: str) -> Iterator[None]:
    """Errors of httpx as ours. Their texts are left out: they may hold URLs with secrets."""
    try:
        yield
    except MLConnectorError as error:
        if not error.system:
            error.system, error.operation = system, error.operation or operation
        raise
    except httpx.ConnectTimeout:
        raise UnavailableError("no connection within the time-out", system=system, operation=operation) from None
    except httpx.TimeoutException:
        raise TimeoutExceededError("no answer within the time-out", system=system, operation=operation) from None
    except httpx.ConnectError as error:
        message = "cannot connect: check host name, port and network"
        if "CERTIFICATE" in str(error).upper():
            raise ConfigurationError(
                "the TLS certificate is not trusted: check the host name, and trust who signed it, by "
                "network=Network(ca_bundle=…) or the environment variable SSL_CERT_FILE",
                system=system,
                operation=operation,
            ) from None
        raise UnavailableError(message, system=system, operation=operation, reason="no_connection") from None
    except (httpx.NetworkError, httpx.RemoteProtocolError):
        raise UnavailableError(
            "the connection broke before the answer was complete",
            system=system,
            operation=operation,
            reason="connection_lost",
        ) from None
    except (httpx.DecodingError, httpx.LocalProtocolError, httpx.UnsupportedProtocol):
        raise ContractError("the exchange is not valid HTTP", system=system, operation=operation) from None
