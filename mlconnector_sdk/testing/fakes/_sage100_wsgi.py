"""Runs a WSGI application inside a fake: a request of the fake becomes its environment, its answer a reply."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit

from ._server import Reply, Request

__all__ = ["WSGIApplication", "call_wsgi"]

WSGIApplication: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
"""An application as PEP 3333 has it."""


def call_wsgi(application: WSGIApplication, request: Request, *, mount: str, port: int) -> Reply:
    """The application's reply to a request below `mount`, which becomes its `SCRIPT_NAME`.

    Raises:
        RuntimeError: the application did not start its response.
    """
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        started.append((status, headers))
        return written.append

    written: list[bytes] = []
    chunks = application(_environment(request, mount, port), start_response)
    try:
        written.extend(chunks)
    finally:
        if close := getattr(chunks, "close", None):
            close()
    if not started:
        raise RuntimeError("the WSGI application did not call start_response")
    status, headers = started[-1]
    kept = {name: value for name, value in headers if name.lower() not in {"content-length", "date", "server"}}
    return Reply(int(status[:3]), b"".join(written), kept)


def _environment(request: Request, mount: str, port: int) -> dict[str, Any]:
    split = urlsplit(request.raw_path)
    # Paths are bytes in the guise of Latin-1 text, as PEP 3333 wants them.
    path = unquote_to_bytes(split.path).decode("latin-1")
    environment: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": mount,
        "PATH_INFO": path.removeprefix(mount),
        "QUERY_STRING": split.query,
        "RAW_URI": request.raw_path,
        "REQUEST_URI": request.raw_path,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        if name not in {"content-type", "content-length"}:
            environment[f"HTTP_{name.upper().replace('-', '_')}"] = value
    return environment
