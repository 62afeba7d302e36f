"""api1 (Syracuse REST) without I/O: how to ask, and what an answer means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal, TypeAlias
from urllib.parse import quote, urlsplit

import attrs

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
    UnavailableError,
)
from .._values import Row
from ._api import Condition
from ._fields import base_code

__all__ = [
    "Listed",
    "details_path",
    "judge",
    "list_path",
    "listed_in",
    "literal",
    "next_path",
    "prototype_path",
    "record_in",
    "refused",
    "types_in",
    "where_any",
]

Facet: TypeAlias = Literal["$query", "$details"]

_WHERE_LENGTH = 1400
"""Longest condition we send: addresses beyond 2 kB are known to be refused on the way."""

_MOST_TERMS = 25
_MISSING = re.compile(r"\b721\b|does not exist|n'existe pas|no existe|existiert nicht", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# -- asking ---------------------------------------------------------------------------------------------------------


def literal(value: str | int | date | datetime) -> str:
    """A value as conditions write it. Moments say `Z`, because without it they mean the server's own time.

    Raises:
        ConfigurationError: a text with control characters, which no code of X3 has.
    """
    if isinstance(value, datetime):
        return f"@{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}@"
    if isinstance(value, date):
        return f"@{value:%Y-%m-%d}@"
    if isinstance(value, int):
        return str(value)
    if _CONTROL.search(value):
        raise ConfigurationError("a text with control characters cannot be asked for")
    return "'" + value.replace("'", "''") + "'"


def list_path(class_name: str, representation: str, *, count: int, where: str = "", order_by: str = "") -> str:
    """Path and query of a list, below the endpoint."""
    options = {
        "representation": f"{representation}.$query",
        "count": str(count),
        "where": where,
        "orderBy": order_by,
    }
    query = "&".join(f"{name}={_encoded(value)}" for name, value in options.items() if value)
    return f"/{quote(class_name)}?{query}"


def details_path(class_name: str, representation: str, key: Sequence[str | int]) -> str:
    """Path and query of one record, below the endpoint."""
    joined = "~".join(str(part).replace("'", "''") for part in key)
    return f"/{quote(class_name)}('{quote(joined, safe='~')}')?representation={_encoded(f'{representation}.$details')}"


def prototype_path(representation: str, facet: Facet) -> str:
    """Path of a facet's description, below the endpoint."""
    return f"/$prototypes('{quote(representation)}.{facet}')"


def next_path(link: str, place: str) -> str | None:
    """A link as path and query below `place`, the endpoint's path, whatever host it names.

    Links of a server behind a proxy name its internal host, and credentials go to the configured one only. `None` where
    it is no address of the endpoint.
    """
    try:
        parts = urlsplit(link)
    except ValueError:
        return None
    _, found, path = parts.path.partition(f"{place}/")
    if not {".", ".."}.isdisjoint(path.split("/")):
        return None
    return f"/{path}{f'?{parts.query}' if parts.query else ''}" if found else None


def where_any(conditions: Iterable[Condition], names: Mapping[str, str]) -> Iterator[str]:
    """Conditions joined by `or` in texts short enough for one request; `names` are the representation's own."""
    batch: list[str] = []
    length = 0
    for condition in conditions:
        terms = [f"{names.get(field, field)} eq {literal(value)}" for field, value in condition.items()]
        text = terms[0] if len(terms) == 1 else f"({' and '.join(terms)})"
        cost = len(_encoded(f" or {text}"))
        if batch and (length + cost > _WHERE_LENGTH or len(batch) == _MOST_TERMS):
            yield " or ".join(batch)
            batch, length = [], 0
        batch.append(text)
        length += cost
    if batch:
        yield " or ".join(batch)


def _encoded(value: str) -> str:
    # Blanks as %20: a plus sign is not decoded everywhere.
    return quote(value, safe="$.-_~()")


# -- reading --------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Listed:
    """One answer of a list; `next_link` is `""` on the last page."""

    rows: list[Row] = attrs.field(repr=False)
    next_link: str = ""


def listed_in(body: Any) -> Listed:
    """The rows of a list.

    Raises:
        ContractError: it is none.
    """
    rows = body.get("$resources") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ContractError("expected a list of records ($resources)", reason="no_list")
    links = body.get("$links")
    following = links.get("$next") if isinstance(links, dict) else None
    link = following.get("$url") if isinstance(following, dict) else ""
    return Listed(rows=rows, next_link=str(link or ""))


def record_in(body: Any) -> Row:
    """One record.

    Raises:
        ContractError: it is none.
    """
    if not isinstance(body, dict):
        raise ContractError("expected a record", reason="no_record")
    return body


def types_in(body: Any) -> dict[str, str]:
    """The field codes that a facet's description or a row has, and their types, `""` where it tells none.

    Fields that occur several times are there by the code that their occurrences share as well.

    Raises:
        ContractError: it describes nothing.
    """
    properties = body.get("$properties", body) if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise ContractError("the description of the facet has no $properties", reason="no_prototype")
    types = {name: _type_of(one) for name, one in properties.items() if not name.startswith("$")}
    return {**{base_code(name): kind for name, kind in types.items()}, **types}


def _type_of(one: Any) -> str:
    return str(one.get("$type") or "") if isinstance(one, dict) else ""


# -- judging --------------------------------------------------------------------------------------------------------

_ADDRESS_CURE = (
    "check address, endpoint and path (https://x3.example.com:8124/api1/x3/erp/SEED), that the user is set to basic "
    "authentication, and that nodelocal.js allows it (session: auth: ['basic'])"
)


def judge(reply: HttpReply, operation: str) -> MLConnectorError | None:
    """The error an answer means, `None` when it is good. A good status alone proves nothing."""
    if 300 <= reply.status < 400:
        return ConfigurationError(f"the server redirects to another page: {_ADDRESS_CURE}", reason="redirected")
    body = _json(reply)
    faults = _faults(body)
    if "transient" in faults.severities:
        return UnavailableError("the server says: try again later", retry_after=retry_after(reply), reason="transient")
    if reply.status < 300:
        return _good(reply, body, faults)
    return _by_status(reply, operation, faults)


def refused(operation: str) -> AuthenticationError:
    """What a 401 means here, with everything that causes one."""
    return AuthenticationError(
        "sign-in refused: check user name and password. The user must be a Syracuse user set to basic authentication "
        "and mapped to an X3 user, and nodelocal.js must allow it (session: auth: ['basic']); Sage X3 Online takes "
        "OAuth 2 only (auth=)",
        system="sagex3",
        operation=operation,
        status_code=401,
        reason="bad_credentials",
    )


@attrs.frozen
class _Faults:
    severities: frozenset[str] = frozenset()
    text: str = attrs.field(default="", repr=False)


def _json(reply: HttpReply) -> Any:
    try:
        return reply.json()
    except ValueError:
        return None


def _faults(body: Any) -> _Faults:
    found = [one for name in ("$diagnoses", "$diagnosis") for one in _listed(body, name) if isinstance(one, dict)]
    grave = [one for one in found if _severity(one) not in {"info", "warning"}]
    return _Faults(frozenset(map(_severity, grave)), " ".join(str(one.get("$message", "")) for one in grave))


def _listed(body: Any, name: str) -> list[Any]:
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, list) else [value]


def _severity(one: Mapping[str, Any]) -> str:
    return str(one.get("$severity") or "error").strip().casefold()


def _good(reply: HttpReply, body: Any, faults: _Faults) -> MLConnectorError | None:
    if body is None and not looks_like_html(reply) and reply.media_type.endswith("json"):
        return UnavailableError("the answer was cut off", reason="cut_off")
    if not isinstance(body, dict):
        return ConfigurationError(
            f"the server answers with a web page or text instead of JSON: {_ADDRESS_CURE}", reason="web_page"
        )
    if not faults.severities:
        return None
    if _MISSING.search(faults.text):
        return RecordNotFoundError("no such record")
    if "$resources" in body:
        return ContractError("the server gives a list with an error inside: look at its log", reason="list_error")
    return RecordRejectedError("the server gives an error instead of the record", reason="no_record")


def _by_status(reply: HttpReply, operation: str, faults: _Faults) -> MLConnectorError:
    status, wait = reply.status, retry_after(reply)
    if status == 401:
        return refused(operation)
    if status == 429:
        return RateLimitError("too many requests, or the licence's volume is used up", retry_after=wait)
    if status in {408, 502, 503, 504}:
        return UnavailableError("the server is not available at the moment", retry_after=wait)
    if status == 500 and not faults.severities:
        return ServerFaultError("the server failed (500) and does not say why", retry_after=wait)
    return _refusal(status, operation.removeprefix("GET "), faults)


def _refusal(status: int, what: str, faults: _Faults) -> MLConnectorError:
    """What would be refused again: a right, a place, or a question."""
    if status == 403:
        return PermissionDeniedError(
            f"no right to {what}: give the user's role access to the class and its function", reason="no_right"
        )
    if status == 404 and _MISSING.search(faults.text):
        return RecordNotFoundError("no such record")
    if status == 404:
        return ContractError(
            f"nothing is known of {what} at this address: check the endpoint's name (it is not always the folder's), "
            "the class and its representation",
            reason="not_found",
        )
    return ContractError(
        f"the server refuses {what} ({status}): check that the representation belongs to the class and has what is "
        "asked of it",
        reason="refused_query",
    )
