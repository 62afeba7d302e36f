"""What an answer of the Sage 100 agent means. Pure.

What Sage 100 itself said (`lastErrorMsg`) may hold a customer's data, so it stays in the agent's log; the id of the
request finds it there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..._http import HttpReply, looks_like_html, retry_after
from ...errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    MLConnectorError,
    PermissionDeniedError,
    RateLimitError,
    RecordNotFoundError,
    RecordRejectedError,
    ServerFaultError,
    TimeoutExceededError,
    UnavailableError,
)

__all__ = ["ONE_CUSTOMER", "STALE", "CursorExpiredError", "judged", "logon_refused", "token_refused"]

ONE_CUSTOMER = "customer"
"""What the names of operations on a single customer end in."""

STALE = "stale_record"

_ADDRESS_CURE = "check the address (https://erp.example.com/sage100/v1), and that the agent is running behind it"


class CursorExpiredError(ContractError):
    """The agent has forgotten a listing that was not read to its end."""

    default_reason = "cursor_expired"


def judged(reply: HttpReply, operation: str) -> MLConnectorError | None:
    """The error an answer means, `None` when it is good."""
    if reply.status < 300:
        return _good(reply)
    if reply.status < 400:
        return ConfigurationError("the address leads somewhere else (a redirect): use the one it stands at")
    fault = _fault_in(reply)
    code = str(fault.get("code") or "")
    error = _MEANINGS[code](reply, operation, fault) if code in _MEANINGS else _by_status(reply)
    error.request_id = str(fault.get("requestId") or reply.headers.get("x-request-id") or "") or None
    return error


def token_refused(operation: str) -> AuthenticationError:
    """What a 401 means."""
    return AuthenticationError(
        "the agent refuses the token: it must be one of those in the agent's settings",
        operation=operation,
        status_code=401,
        reason="token_refused",
    )


def logon_refused() -> AuthenticationError:
    """Sage 100 refuses the agent's own user; another try or two may lock it, so there is none."""
    return AuthenticationError(
        "Sage 100 refuses the user that the agent logs on with: check user, password and company in the agent's "
        "settings, and whether Sage 100 has locked the user; it is not tried again, because that is what locks it",
        status_code=503,
        reason="sage_logon_failed",
    )


def _good(reply: HttpReply) -> MLConnectorError | None:
    if looks_like_html(reply):
        return UnavailableError(
            f"a web page came instead of data: the agent is starting, or this is not its address; {_ADDRESS_CURE}",
            retry_after=retry_after(reply),
            reason="web_page",
        )
    if not reply.body.rstrip().endswith((b"}", b"]")):
        return UnavailableError("the answer was cut off", reason="cut_off")
    return None


def _fault_in(reply: HttpReply) -> Mapping[str, Any]:
    try:
        body = reply.json()
    except ValueError:
        return {}
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def _by_status(reply: HttpReply) -> MLConnectorError:
    """Where a proxy or IIS speaks, and codes of newer agents."""
    status, wait = reply.status, retry_after(reply)
    if status == 403:
        return PermissionDeniedError("access is forbidden before the agent is asked: look at the proxy or IIS")
    if status == 404:
        return ContractError(f"nothing is at this address: {_ADDRESS_CURE}", reason="not_found")
    if status == 429:
        return RateLimitError("too many requests", retry_after=wait)
    if status in {408, 502, 503, 504}:
        return UnavailableError("the agent is not available at the moment", retry_after=wait)
    if status >= 500:
        return ServerFaultError(f"the agent failed ({status})", retry_after=wait)
    return ContractError(f"the agent refuses the request as wrong ({status})", reason="bad_request")


def _not_found(_: HttpReply, operation: str, __: Mapping[str, Any]) -> MLConnectorError:
    if operation.endswith(ONE_CUSTOMER):
        return RecordNotFoundError("no such customer any more")
    return ContractError(f"the agent has no list {operation.partition(' ')[2]}: install a newer one", reason="no_list")


def _no_company(*_: Any) -> MLConnectorError:
    return ConfigurationError(
        "the agent has no such company: check company=, and the companies in the agent's settings", reason="no_company"
    )


def _no_right(_: HttpReply, operation: str, fault: Mapping[str, Any]) -> MLConnectorError:
    place = _part(fault, "object") or operation
    wish = "modify" if operation.startswith("PATCH") else "view"
    return PermissionDeniedError(
        f"the role of the agent's user may not open {place}: let it {wish} these records in Role Maintenance, and let "
        "the company be accessed from outside (Company Maintenance)",
        reason="sage_security",
    )


def _invalid(_: HttpReply, operation: str, fault: Mapping[str, Any]) -> MLConnectorError:
    if operation.startswith("PATCH"):
        column = _part(fault, "column")
        return RecordRejectedError(
            f"Sage 100 refuses to write {column or 'this customer'}: see the agent's log for what it says",
            reason="refused_by_sage",
        )
    return ContractError(
        "the agent refuses the request as wrong: it may be of another version; see its log", reason="bad_request"
    )


def _column_barred(*_: Any) -> MLConnectorError:
    return ConfigurationError(
        "the agent does not let this column be written: add the column of flag_field to those that the agent's "
        "settings allow",
        reason="column_not_allowed",
    )


def _part(fault: Mapping[str, Any], name: str) -> str:
    boi = fault.get("boi")
    value = boi.get(name) if isinstance(boi, dict) else None
    return value.rstrip("$") if isinstance(value, str) else ""


_MEANINGS: dict[str, Callable[[HttpReply, str, Mapping[str, Any]], MLConnectorError]] = {
    "TOKEN_INVALID": lambda _, operation, __: token_refused(operation),
    "SAGE_LOGON_FAILED": lambda *_: logon_refused(),
    "SAGE_SECURITY": _no_right,
    "COMPANY_NOT_FOUND": _no_company,
    "NOT_FOUND": _not_found,
    "VALIDATION": _invalid,
    "COLUMN_NOT_ALLOWED": _column_barred,
    "STALE_RECORD": lambda *_: RecordRejectedError("somebody changed the customer meanwhile", reason=STALE),
    "RECORD_LOCKED": lambda reply, *_: UnavailableError(
        "somebody has the customer open in Sage 100: it is tried again later",
        retry_after=retry_after(reply),
        reason="locked",
    ),
    "CURSOR_EXPIRED": lambda *_: CursorExpiredError("the agent has given up the listing"),
    "AGENT_BUSY": lambda reply, *_: RateLimitError(
        "all sessions of the agent are at work", retry_after=retry_after(reply), reason="agent_busy"
    ),
    "NO_LICENSE": lambda reply, *_: RateLimitError(
        "no user licence of Sage 100 is free for the agent", retry_after=retry_after(reply), reason="no_licence"
    ),
    "MAINTENANCE": lambda reply, *_: UnavailableError(
        "Sage 100 is closed for maintenance", retry_after=retry_after(reply), reason="maintenance"
    ),
    "SESSION_LOST": lambda reply, *_: UnavailableError(
        "the agent lost its session with Sage 100", retry_after=retry_after(reply), reason="session_lost"
    ),
    "TIMEOUT": lambda *_: TimeoutExceededError(
        "Sage 100 took too long: read at a quieter hour, or let the agent wait longer"
    ),
    "INTERNAL": lambda reply, *_: ServerFaultError("the agent failed: see its log", retry_after=retry_after(reply)),
}
