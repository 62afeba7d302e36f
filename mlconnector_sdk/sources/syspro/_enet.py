"""e.net without I/O: the XML of COMFND, and what the texts that e.net answers mean.

Nearly every failure comes as a 200 whose body begins with `ERROR`; the same texts come as faults over SOAP.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from ..._http import HttpReply, looks_like_html, retry_after
from ...errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    FatalError,
    MLConnectorError,
    PermissionDeniedError,
    RateLimitError,
    ServerFaultError,
    UnavailableError,
)
from .._values import Row
from .._xml import escaped, table_in
from ._tables import Query, Value

__all__ = [
    "LOGON",
    "DeadSessionError",
    "error_text",
    "find_request",
    "found_rows",
    "judged_status",
    "logon_error",
    "query_error",
    "session_id",
]

LOGON = "Logon"

_NEVER_AGAIN = ("password", "operator", "company", "locked", "access")
_FULL = ("concurrent", "maximum", "licen", "too many", "in use")
_LONG_PAUSE = 600.0
"""Longer than a run's patience: what a logon error of unknown wording means must not be tried out on an account."""

_ERROR_FIELDS = frozenset({"errornumber", "errordescription"})
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_SESSION_ID = re.compile(r"[0-9A-Za-z]{32,34}")


class DeadSessionError(FatalError):
    """The session id is not valid any more."""

    default_reason = "session_dead"


# -- asking ---------------------------------------------------------------------------------------------------------


def find_request(query: Query) -> str:
    """A question to COMFND.

    The order of elements is the schema's. Several expressions go without brackets, `AndOr` first, as they were seen.
    """
    table = query.table
    columns = "".join(f"<Column>{escaped(name)}</Column>" for name in table.columns)
    order = "".join(f"<Column>{escaped(name)}</Column>" for name in table.key)
    where = "".join(
        f"<Expression>{_glue(query) if number else ''}<Column>{escaped(one.column)}</Column>"
        f"<Condition>{one.operator.upper()}</Condition><Value>{escaped(_text(one.value))}</Value></Expression>"
        for number, one in enumerate(query.conditions)
    )
    return (
        f"<Query><TableName>{escaped(table.name)}</TableName><ReturnRows>{query.rows}</ReturnRows>"
        f"<Columns>{columns}</Columns>{f'<Where>{where}</Where>' if where else ''}<OrderBy>{order}</OrderBy></Query>"
    )


def _glue(query: Query) -> str:
    return f"<AndOr>{'Or' if query.any_of else 'And'}</AndOr>"


def _text(value: Value) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    # Numbers come right-aligned in blanks; a code keeps what stands before it.
    text = str(value).strip()
    return text if _NUMBER.fullmatch(text) else str(value).rstrip(" ")


# -- reading --------------------------------------------------------------------------------------------------------


def found_rows(query: Query, body: bytes) -> list[Row]:
    """The rows of COMFND's answer.

    Raises:
        UnavailableError: the answer was cut off.
        ContractError: it is another document, or tells of an error.
    """
    table = table_in(body, errors=_ERROR_FIELDS)
    if table.errors:
        number = next((text for text in table.errors if text.isdigit()), "without a number")
        raise ContractError(f"COMFND refuses the question with error {number}", reason="refused")
    # In the names of elements a plus becomes an underscore; some answers come in lower case.
    if table.root.lower() != query.table.name.replace("+", "_").lower():
        raise ContractError(f"COMFND answers with {table.root[:40]} instead of {query.table.name}", reason="other_root")
    rows: list[Any] = table.rows
    return rows


def error_text(body: bytes) -> str | None:
    """What follows `ERROR:` where a body begins with it."""
    start = body[:400].lstrip()
    if start[:5].upper() != b"ERROR":
        return None
    return start[5:].decode("cp1252", "replace").lstrip(": ").split("\n")[0].strip()


def session_id(body: bytes) -> str | None:
    """The id in Logon's answer: 34 characters and two blanks, which are cut.

    Two clients are known to unwrap quotes or a `string` element as well, so that is done here too.
    """
    text = re.sub(r"<[^>]*>", "", body[:500].decode("ascii", "replace")).strip().strip('"').strip()
    return text if _SESSION_ID.fullmatch(text) else None


def logon_error(text: str, *, seat_wait: float) -> MLConnectorError:
    """What Logon's refusal means. Only the wrong password's text is known; what might be one is never tried again."""
    lower = text.lower()
    if any(word in lower for word in _FULL):
        return RateLimitError(
            f"no e.net licence is free ({_shown(text)}): log idle operators off, or raise their number",
            retry_after=seat_wait,
            reason="licence_full",
        )
    if any(word in lower for word in _NEVER_AGAIN):
        return AuthenticationError(
            f"Logon refused ({_shown(text)}): check operator, password, company and company password",
            reason="bad_credentials",
        )
    return UnavailableError(
        f"Logon failed ({_shown(text)}): month-end, a backup or an upgrade may be under way",
        retry_after=_LONG_PAUSE,
        reason="logon_failed",
    )


def query_error(text: str, operation: str) -> MLConnectorError:
    """What an error text in the place of an answer means."""
    lower = text.lower()
    if "userid" in lower and "invalid" in lower:
        return DeadSessionError("the session is not valid any more")
    if "exception raised: 100000" in lower:
        name = operation.partition(" ")[0]
        return PermissionDeniedError(
            f"the business object {name} is not there for this operator: it must be licensed and apportioned (e.net "
            "License Apportionment)",
            reason="not_licensed",
        )
    if "basedir" in lower:
        return DeadSessionError("the session id was damaged")
    return ContractError(f"e.net refuses the question ({_shown(text)})", reason="refused")


def _shown(text: str) -> str:
    """A vendor's text, fit for one line of a log: quoted values, which may be personal, are cut out."""
    plain = re.sub(r"'[^']*'|\"[^\"]*\"|\S+@\S+", "…", text)
    return "".join(sign for sign in plain if sign.isprintable())[:120]


def judged_status(reply: HttpReply) -> MLConnectorError | None:
    """The error that a status means, whatever the body; never a word of the address, which holds secrets."""
    status = reply.status
    if status < 300:
        page = looks_like_html(reply)
        return UnavailableError("a web page came: is this e.net's address?", reason="web_page") if page else None
    if status < 400:
        return ConfigurationError("the server redirects: use the address that e.net itself stands at")
    return _failed(reply, status)


def _failed(reply: HttpReply, status: int) -> MLConnectorError:
    if status == 404:
        return UnavailableError(
            "nothing is at this address: check host, port and path, and that the e.net service runs", reason="not_found"
        )
    if status in {401, 403}:
        return AuthenticationError("something before e.net refuses the request: check proxies and the web server")
    if status == 429:
        return RateLimitError("too many requests", retry_after=retry_after(reply))
    if status in {408, 502, 503, 504}:
        return UnavailableError("e.net is not available at the moment", retry_after=retry_after(reply))
    if status >= 500:
        return ServerFaultError("e.net failed on this request")
    return ContractError(f"the server refuses the request as malformed ({status})", reason="bad_request")
