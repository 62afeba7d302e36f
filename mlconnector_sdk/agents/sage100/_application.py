"""The WSGI application: who may ask, which address means what, and how answers and errors are written."""

from __future__ import annotations

import hmac
import json
import logging
import re
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import attrs

from ._com import ComBusinessObjects
from ._com_calls import Com
from ._contract import CUSTOMERS, RESOURCES, Key
from ._errors import AgentError
from ._pool import SessionPool
from ._requests import question_of, read_edit, read_fields, read_query
from ._serving import Service
from ._settings import AgentSettings

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["Agent", "create_app"]

_log = logging.getLogger("mlconnector_sdk.agents.sage100")

_BASE = "/sage100/v1"
_COMPANY = re.compile(r"[A-Z0-9]{3}")
_DIVISION = re.compile(r"[0-9]{2}")
_LONGEST_NUMBER = 20
_LONGEST_IDEMPOTENCY_KEY = 64
_MOST_BYTES = 65_537
"""One more than a body may have, to tell that it has more."""


@attrs.frozen(kw_only=True)
class _Asked:
    """One request: `segments` are those of the path below the base."""

    method: str
    segments: tuple[str, ...]
    query: str
    idempotency_key: str | None
    read_body: Callable[[], bytes]


class Agent:
    """The agent as a WSGI application; make one with `create_app`.

    Serve it with any WSGI server that runs in one process and has a few threads. `close` logs its sessions off.
    """

    def __init__(self, service: Service, pool: SessionPool, settings: AgentSettings) -> None:
        self._service = service
        self._pool = pool
        self._settings = settings

    def __repr__(self) -> str:
        sessions = self._pool.sessions()
        return f"<Agent sage100 {sessions.open} of {sessions.max} sessions open>"

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; nothing is ever raised to the server."""
        request_id = secrets.token_hex(8)
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("X-Request-Id", request_id)]
        method = str(environ.get("REQUEST_METHOD", ""))
        failure: AgentError | None = None
        body: object = None
        try:
            self._authenticate(str(environ.get("HTTP_AUTHORIZATION", "")))
            body = self._answer(_asked(environ))
        except AgentError as error:
            failure = error
        except Exception:
            # The caller gets no details: they may hold anything. The log has them, under the same id.
            _log.exception("a request failed unexpectedly", extra={"mlc_request_id": request_id})
            failure = AgentError("INTERNAL", "the agent failed on this request: look for the request's id in its log")
        status, code = 200, ""
        if failure is not None:
            status, code, body = failure.status, failure.code, failure.body(request_id)
            headers += _headers_of(failure)
        content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        headers.append(("Content-Length", str(len(content))))
        extra = {"mlc_request_id": request_id, "mlc_method": method, "mlc_status": status, "mlc_code": code}
        _log.info("a request was answered", extra=extra)
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [] if method == "HEAD" else [content]

    def close(self) -> None:
        """Log off from Sage 100; harmless when repeated. Requests are refused from then on."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _authenticate(self, header: str) -> None:
        scheme, _, token = header.partition(" ")
        sent = token.strip().encode("utf-8", "surrogateescape")
        # Every token is compared, and each in a time that does not tell how much of it was right.
        matches = [hmac.compare_digest(sent, known.encode()) for known in self._settings.tokens]
        if scheme.lower() != "bearer" or not any(matches):
            raise AgentError("TOKEN_INVALID", "the token is missing or wrong: send Authorization: Bearer <token>")

    def _answer(self, asked: _Asked) -> Any:
        match asked.segments:
            case ("health",):
                _only("GET", asked)
                read_query(asked.query, ())
                return self._service.health()
            case ("companies",):
                _only("GET", asked)
                read_query(asked.query, ())
                return self._service.companies()
            case ("companies", company, path) if path in RESOURCES:
                _only("GET", asked)
                resource = RESOURCES[path]
                return self._service.page(
                    _company(company), resource, question_of(resource, asked.query, only_keys=False)
                )
            case ("companies", company, path, "keys") if path in RESOURCES:
                _only("GET", asked)
                resource = RESOURCES[path]
                return self._service.keys(
                    _company(company), resource, question_of(resource, asked.query, only_keys=True)
                )
            case ("companies", company, CUSTOMERS.path, division, *rest) if rest:
                # Servers decode %2F, so a slash in the number arrives as one between segments.
                return self._customer(_company(company), _customer_key(division, "/".join(rest)), asked)
            case _:
                raise AgentError("NOT_FOUND", "there is nothing at this address: see the contract for what there is")

    def _customer(self, company: str, key: Key, asked: _Asked) -> Any:
        if asked.method == "GET":
            found = read_query(asked.query, {"fields"})
            fields = read_fields({name: values[0] for name, values in found.items()}, "fields")
            return self._service.customer(company, key, fields)
        _only("PATCH", asked, "GET")
        read_query(asked.query, ())
        token = asked.idempotency_key or ""
        if not 1 <= len(token) <= _LONGEST_IDEMPOTENCY_KEY:
            message = f"Idempotency-Key must have 1 to {_LONGEST_IDEMPOTENCY_KEY} characters"
            raise AgentError("VALIDATION", message)
        body = asked.read_body()
        edit = read_edit(body, CUSTOMERS, key, self._settings.writable)
        return self._service.mark(company, edit, token, body)


def _only(method: str, asked: _Asked, *others: str) -> None:
    if asked.method != method:
        allowed = (*others, method)
        raise AgentError("VALIDATION", f"this address takes {' and '.join(allowed)} only", allowed=allowed)


def _headers_of(error: AgentError) -> list[tuple[str, str]]:
    headers = []
    if error.retry_after is not None:
        headers.append(("Retry-After", str(error.retry_after)))
    if error.code == "TOKEN_INVALID":
        headers.append(("WWW-Authenticate", "Bearer"))
    if error.allowed:
        headers.append(("Allow", ", ".join(error.allowed)))
    return headers


def _company(code: str) -> str:
    if not _COMPANY.fullmatch(code):
        raise AgentError("COMPANY_NOT_FOUND", "a company code has three capital letters or digits: check the address")
    return code


def _customer_key(division: str, number: str) -> Key:
    if not _DIVISION.fullmatch(division) or not 1 <= len(number) <= _LONGEST_NUMBER:
        message = f"a customer is addressed by two digits of division and up to {_LONGEST_NUMBER} characters of number"
        raise AgentError("VALIDATION", message)
    return division, number


def _asked(environ: WSGIEnvironment) -> _Asked:
    # WSGI hands paths over as Latin-1, whatever they are.
    path = str(environ.get("PATH_INFO", "")).encode("latin-1", "replace").decode("utf-8", "replace")
    mounted = str(environ.get("SCRIPT_NAME", "")).endswith(_BASE)
    below = path if mounted else path.removeprefix(_BASE) if path.startswith(f"{_BASE}/") else "/"

    def body() -> bytes:
        length = str(environ.get("CONTENT_LENGTH") or "0")
        size = int(length) if length.isascii() and length.isdigit() else 0
        return bytes(environ["wsgi.input"].read(min(size, _MOST_BYTES)))

    return _Asked(
        method=str(environ.get("REQUEST_METHOD", "")),
        segments=tuple(below.split("/")[1:]),
        query=str(environ.get("QUERY_STRING", "")),
        idempotency_key=environ.get("HTTP_IDEMPOTENCY_KEY"),
        read_body=body,
    )


def create_app(
    settings: AgentSettings,
    *,
    dispatch: Callable[[], Any] | None = None,
    clock: Callable[[], datetime] | None = None,
) -> Agent:
    """The agent of one Sage 100 installation, as a WSGI application. Nothing is asked of Sage 100 yet.

    Args:
        settings: where Sage 100 is, who asks, and who may ask.
        dispatch: makes the COM object `ProvideX.Script`; its calls must hand outputs by reference back as further
            members of their results. By default pywin32's, on Windows; tests give a fake one.
        clock: the present, aware; the clock of this machine by default.

    Raises:
        MissingDependencyError: no `dispatch` is given, and there is no pywin32.
    """
    now = clock or _present
    if dispatch is None:
        from ._win32 import windows_com

        com, begin = windows_com()
    else:
        com, begin = Com(dispatch), _nothing
    zone, lock_file = settings.zone, Path(settings.home) / "instlock.txt"
    objects = ComBusinessObjects(
        com=com,
        home=settings.home,
        username=settings.username,
        password=settings.password,
        today=lambda: f"{now().astimezone(zone):%Y%m%d}",
        maintenance=lambda: _lies_there(lock_file),
        texts=settings.texts(),
    )
    pool = SessionPool(
        objects,
        size=settings.sessions,
        clock=now,
        begin=begin,
        wait=settings.session_wait,
        age=settings.session_age,
        idle=settings.session_idle,
        call_timeout=settings.call_timeout,
        logon_pause=settings.logon_pause,
    )
    return Agent(Service(settings, pool, now), pool, settings)


def _present() -> datetime:
    return datetime.now(UTC)


def _lies_there(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:
        return False  # a share that cannot be read: the logon will tell what is wrong


def _nothing() -> None:
    """What a thread must do before its first call to a COM object that is none."""
