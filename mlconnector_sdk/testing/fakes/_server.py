"""The loopback HTTP server under every fake: request log, latency and fault rules.

A fake answers `Request` with `Reply` in `FakeServer.handle`; this module owns sockets, threads and faults, so that
each fake is only the far system's behaviour.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

__all__ = ["FakeServer", "Fault", "LoggedRequest", "Reply", "Request"]


@attrs.frozen(kw_only=True)
class Request:
    """What arrived: `path` is percent-decoded without the query; `raw_path` is as sent; header names are lower case.

    `in_flight` is how many requests the server had in hand when this one arrived, itself included.
    """

    method: str
    raw_path: str
    headers: Mapping[str, str]
    body: bytes = b""
    in_flight: int = 1

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.raw_path).path)

    @property
    def segments(self) -> list[str]:
        """Path segments, each percent-decoded on its own, so that an encoded `/` stays inside its segment."""
        return [unquote(part) for part in urlsplit(self.raw_path).path.split("/") if part]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.raw_path).query, keep_blank_values=True))

    def json(self) -> Any:
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@attrs.frozen
class Reply:
    """What to answer. `body` may be bytes, text, or anything `json.dumps` takes; `None` is an empty body."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    cookies: tuple[str, ...] = ()

    def encoded(self) -> tuple[bytes, str]:
        """The bytes to send and their content type."""
        if self.body is None:
            return b"", ""
        if isinstance(self.body, bytes):
            return self.body, "application/octet-stream"
        if isinstance(self.body, str):
            return self.body.encode(), "text/html; charset=utf-8"
        return json.dumps(self.body, ensure_ascii=False).encode(), "application/json; charset=utf-8"


@attrs.frozen(kw_only=True)
class LoggedRequest:
    """One line of the request log: what was asked, what was answered (`status` 0: the connection was dropped).

    `response_body` is filled only when the server's `keep_bodies` is set.
    """

    request: Request
    status: int
    started: float
    seconds: float
    response_body: bytes = b""

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def path(self) -> str:
        return self.request.path

    @property
    def is_write(self) -> bool:
        return self.request.method not in {"GET", "HEAD", "OPTIONS"}


@attrs.define(kw_only=True)
class Fault:
    """A rule that spoils matching requests.

    Args:
        status: answer this status instead of the true answer; `None` leaves the answer alone (delay only).
        body: body of that answer (see `Reply`).
        headers: headers of that answer.
        drop: `"before"` closes the connection before the request is handled, `"after"` handles it and closes the
            connection without an answer, so that a write was applied and the client cannot know.
        truncate: send only that many bytes of the true body under its full Content-Length.
        alter: given the true answer, what is sent instead: cut off, out of order, with a link that leads nowhere.
        instead: given the request, the one that is answered in its place, as by a cache that mixes answers up; a page
            that comes twice, for example.
        meanwhile: called before the request is handled: a session ends, a record changes.
        delay: seconds to wait before anything else.
        method, path: only requests with this method / whose decoded path contains this text.
        nth: only the nth matching request (1-based); `every`: only each k-th matching request.
        times: how often the rule may fire at the most; `None` is without end.
    """

    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    drop: str | None = attrs.field(default=None, validator=attrs.validators.in_([None, "before", "after"]))
    truncate: int | None = None
    alter: Callable[[Reply], Reply] | None = None
    instead: Callable[[Request], Request] | None = None
    meanwhile: Callable[[], object] | None = None
    delay: float = 0.0
    method: str | None = None
    path: str | None = None
    nth: int | None = None
    every: int | None = None
    times: int | None = None
    seen: int = attrs.field(default=0, init=False)
    fired: int = attrs.field(default=0, init=False)

    def applies(self, request: Request) -> bool:
        """Count a matching request and say whether the rule fires on it."""
        if self.method is not None and request.method != self.method:
            return False
        if self.path is not None and self.path not in request.path:
            return False
        self.seen += 1
        if self.nth is not None and self.seen != self.nth:
            return False
        if self.every is not None and self.seen % self.every:
            return False
        if self.times is not None and self.fired >= self.times:
            return False
        self.fired += 1
        return True


class FakeServer:
    """A real HTTP server on 127.0.0.1, started by `with` or `start()`.

    Subclasses implement `handle`; it runs under `lock`, so a fake's data needs no locking of its own. Faults, latency
    and the log act outside the lock, as the network does. Set `keep_bodies` to keep answers in the log, and `tls`,
    before the start, to a server's context to be reached by https.
    """

    def __init__(self, *, latency: float = 0.0) -> None:
        self.latency = latency
        self.lock = threading.RLock()
        self.log: list[LoggedRequest] = []
        self.keep_log = True
        self.keep_bodies = False
        self.tls: ssl.SSLContext | None = None
        self.faults: list[Fault] = []
        self.before_each: list[Callable[[Request], None]] = []
        self.in_flight = 0
        self.max_in_flight = 0
        self._httpd: ThreadingHTTPServer | None = None
        self._gauge = threading.Lock()

    def present(self) -> datetime:
        """The far system's time, aware UTC; it stands in the `Date` header."""
        return datetime.now(UTC)

    def handle(self, request: Request) -> Reply:
        """The far system's answer; subclasses say what it is."""
        return Reply(404)

    @property
    def url(self) -> str:
        """Scheme, host and port; no path, no trailing slash."""
        if self._httpd is None:
            raise RuntimeError(f"{type(self).__name__} is not started: use it in a with block or call start()")
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._httpd.server_address[1]}"

    def start(self) -> Self:
        if self._httpd is None:
            self._httpd = _Listener(self)
            if self.tls is not None:
                # Whoever shakes hands slowly, or not at all, holds up nobody else.
                self._httpd.socket = self.tls.wrap_socket(
                    self._httpd.socket, server_side=True, do_handshake_on_connect=False
                )
            threading.Thread(target=self._httpd.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._httpd is not None:
            self._httpd.shutdown()
            self._httpd.server_close()
            self._httpd = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def fail(self, **rule: Any) -> Fault:
        """Add a `Fault` (same keywords); it stays until removed with `faults.remove` or `faults.clear`."""
        fault = Fault(**rule)
        self.faults.append(fault)
        return fault

    def fail_next(self, status: int | None = None, *, times: int = 1, **rule: Any) -> Fault:
        """Spoil the next `times` matching requests, for example `fail_next(503, times=2)`."""
        return self.fail(status=status, times=times, **rule)

    def requests(self, method: str | None = None, path: str = "") -> list[LoggedRequest]:
        """The log, filtered by method and by a piece of the decoded path."""
        return [e for e in list(self.log) if (method is None or e.method == method) and path in e.path]

    @property
    def writes(self) -> list[LoggedRequest]:
        return [entry for entry in list(self.log) if entry.is_write]

    @contextmanager
    def recording(self) -> Iterator[list[LoggedRequest]]:
        """Collect the requests made inside the block: `with fake.recording() as calls: …`."""
        start = len(self.log)
        calls: list[LoggedRequest] = []
        try:
            yield calls
        finally:
            calls.extend(self.log[start:])

    def answer(self, request: Request) -> tuple[Reply | None, int | None]:
        """Apply latency, faults and `handle`; `None` means: drop the connection. Second value: truncate to."""
        fault = self._matching_fault(request)
        if wait := self.latency + (fault.delay if fault else 0.0):
            time.sleep(wait)
        if fault and fault.drop == "before":
            return None, None
        if fault and fault.status is not None and fault.drop is None:
            return Reply(fault.status, fault.body, fault.headers), fault.truncate
        with self.lock:
            for hook in list(self.before_each):
                hook(request)
            if fault and fault.meanwhile:
                fault.meanwhile()
            reply = self.handle(fault.instead(request) if fault and fault.instead else request)
        if fault and fault.drop == "after":
            return None, None
        if fault and fault.alter:
            reply = fault.alter(reply)
        return reply, fault.truncate if fault else None

    def _matching_fault(self, request: Request) -> Fault | None:
        with self._gauge:
            return next((fault for fault in self.faults if fault.applies(request)), None)

    def enter_request(self) -> int:
        with self._gauge:
            self.in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self.in_flight)
            return self.in_flight

    def leave_request(self, request: Request, status: int, started: float, response_body: bytes = b"") -> None:
        with self._gauge:
            self.in_flight -= 1
            if self.keep_log:
                self.log.append(
                    LoggedRequest(
                        request=request,
                        status=status,
                        started=started,
                        seconds=time.monotonic() - started,
                        response_body=response_body if self.keep_bodies else b"",
                    )
                )


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news; a bug in a fake is: it was answered with 500 and its traceback."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener  # pyright: ignore[reportIncompatibleVariableOverride] - this handler serves this listener only
    close_connection: bool

    def _serve(self) -> None:
        fake = self.server.fake
        started = time.monotonic()
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0) or 0))
        in_flight = fake.enter_request()
        request = Request(method=self.command, raw_path=self.path, headers=headers, body=body, in_flight=in_flight)
        status, payload, content_type = 0, b"", ""
        try:
            reply, truncate = fake.answer(request)
            if reply is not None:
                payload, content_type = reply.encoded()
                status = reply.status
        except Exception as error:  # a bug in the fake must fail the test, not hang it
            reply, truncate, status = Reply(599, f"the fake itself failed: {error!r}"), None, 599
            payload, content_type = reply.encoded()
        finally:
            # Logged before the answer leaves, so a client that has its answer finds the log complete.
            fake.leave_request(request, status, started, payload)
        if reply is None:
            self._hang_up()
        else:
            self._send(reply, payload, content_type, truncate)

    def _send(self, reply: Reply, body: bytes, content_type: str, truncate: int | None) -> None:
        head = [f"HTTP/1.1 {reply.status} {self.responses.get(reply.status, ('', ''))[0]}"]
        names = {name.lower() for name in reply.headers}
        if content_type and "content-type" not in names:
            head.append(f"Content-Type: {content_type}")
        head += [f"{name}: {value}" for name, value in reply.headers.items()]
        head += [f"Set-Cookie: {cookie}" for cookie in reply.cookies]
        if "date" not in names:
            head.append(f"Date: {format_datetime(self.server.fake.present(), usegmt=True)}")
        head.append(f"Content-Length: {len(body)}")
        sent = body if truncate is None else body[:truncate]
        payload = b"" if self.command == "HEAD" else sent
        self.wfile.write("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + payload)
        if truncate is not None:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Silent: the request log is `FakeServer.log`."""
