"""Serves applications over real HTTP on loopback, as their own servers would."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import uvicorn

__all__ = ["serve_asgi", "serve_wsgi", "unfinished_post"]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Requests are no news."""

    def get_stderr(self) -> Any:
        return self

    def write(self, text: str) -> None:
        """What an application raised is looked at by its caller's tests."""

    def flush(self) -> None:
        """Nothing is kept."""


@contextmanager
def serve_wsgi(application: Callable[..., Any]) -> Iterator[str]:
    """The URL at which a WSGI application answers."""
    with make_server("127.0.0.1", 0, application, server_class=_Server, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serve_asgi(application: Callable[..., Any]) -> Iterator[str]:
    """The URL at which an ASGI application answers."""
    config = uvicorn.Config(application, log_config=None, lifespan="off", ws="none", http="h11", loop="asyncio")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # Connections wait in the socket until the server is up.
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def unfinished_post(url: str, path: str, headers: dict[str, str], body: bytes, declared: int) -> bytes:
    """What is answered to a caller that hangs up before it has sent as much as it declared."""
    host, port = url.removeprefix("http://").split(":")
    lines = [f"POST {path} HTTP/1.1", "Host: hooks", f"Content-Length: {declared}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while received := connection.recv(65_536):
            answer += received
        return answer
