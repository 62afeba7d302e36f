"""What an answer of the GraphQL service means. Pure.

A status says little: partial data comes with 200, and so may a refusal. Whatever comes with `errors` has failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..._http import HttpReply, retry_after
from ..._json import json_in
from ...errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    MLConnectorError,
    PermissionDeniedError,
    RateLimitError,
    ServerFaultError,
    TimeoutExceededError,
    UnavailableError,
)

__all__ = ["REFUSED", "TOO_MANY", "judge", "value_in"]

REFUSED = "refused_query"
TOO_MANY = "too_many_rows"

_ADDRESS_CURE = (
    "check the address (https://x3.example.com:8124/xtrem/api, or that of the cloud's gateway), and that the services "
    "of X3 are installed and run"
)
_NO_RIGHT = re.compile(
    r"not authori[sz]ed|not activated|not allowed to (?:access|read)|permission|access denied|forbidden", re.IGNORECASE
)
_NODE = re.compile(r"\b([A-Za-z]\w*)\.(?:read|query|lookup)\b")
_TRANSIENT = re.compile(r"time-?out|timed out|temporar|too many|try again|deadlock", re.IGNORECASE)
_TOO_MANY = re.compile(r"\bfirst\b")
_ENDPOINT = re.compile(r"\bend ?point\b", re.IGNORECASE)
_FIELD = re.compile(r'(?:field|property|argument) ["\']?(\w+)["\']? on (?:type |field )?["\']?([\w.]+)', re.IGNORECASE)
_MEMBER = re.compile(r"\b([A-Z]\w*\.\w+)\b")
_UNKNOWN = re.compile(r"\b([A-Z]\w*): unknown property (\w+)")


def value_in(pieces: Iterable[bytes]) -> Any:
    """The body as JSON with exact numbers; `None` where it is none."""
    try:
        return json_in(b"".join(pieces), decimals=True)
    except ValueError:
        return None


def judge(reply: HttpReply, operation: str) -> MLConnectorError | None:
    """The error an answer means, `None` when it is good."""
    body = reply.parsed if reply.parsed is not None else value_in([reply.body])
    if isinstance(body, dict) and body.get("errors"):
        return _by_errors(reply, operation, body)
    if reply.status >= 300:
        return _by_status(reply)
    if isinstance(body, dict) and isinstance(body.get("data"), dict):
        return None
    if body is None and reply.media_type.endswith("json"):
        return UnavailableError("the answer was cut off", reason="cut_off")
    return ConfigurationError(
        f"the server answers with a web page or text instead of GraphQL's JSON: {_ADDRESS_CURE}", reason="web_page"
    )


def _by_status(reply: HttpReply) -> MLConnectorError:
    status, wait = reply.status, retry_after(reply)
    if status < 400:
        return ConfigurationError(f"the server redirects to another page: {_ADDRESS_CURE}", reason="redirected")
    known: Mapping[int, MLConnectorError] = {
        401: AuthenticationError("sign-in refused: check the credentials (auth=)", reason="bad_credentials"),
        403: PermissionDeniedError(
            "no right to this folder: choose it when the application is paired, and grant its user the right to the "
            "service",
            reason="no_right",
        ),
        404: ConfigurationError(f"there is no GraphQL service at this address: {_ADDRESS_CURE}", reason="not_found"),
        429: RateLimitError("too many requests", retry_after=wait),
        500: ServerFaultError("the server failed (500) and does not say why", retry_after=wait),
        504: TimeoutExceededError("the gateway gave up waiting for the service", retry_after=wait),
    }
    if status in known:
        return known[status]
    if status in {408, 502, 503}:
        return UnavailableError("the service is not available at the moment", retry_after=wait)
    return ContractError(f"the server refuses the request ({status}) and does not say why", reason="refused_request")


def _by_errors(reply: HttpReply, operation: str, body: Mapping[str, Any]) -> MLConnectorError:
    """What GraphQL's errors say. Their texts are not repeated: they may hold values; names of the schema are."""
    texts = list(_texts(body))
    whole = " ".join(texts)
    if reply.status == 401:
        return AuthenticationError("sign-in refused: check the credentials (auth=)", reason="bad_credentials")
    if _NO_RIGHT.search(whole):
        nodes = ", ".join(dict.fromkeys(_NODE.findall(whole))) or operation
        return PermissionDeniedError(
            f"no right to read {nodes}: grant it to the user's role, and activate the node for it. What leads there "
            "can be left out (properties={…: {…: ''}})",
            reason="no_right",
        )
    if reply.status >= 500 or _TRANSIENT.search(whole):
        return ServerFaultError("the service fails on this query at the moment", retry_after=retry_after(reply))
    return _refusal(operation, whole, texts)


def _refusal(operation: str, whole: str, texts: Iterable[str]) -> MLConnectorError:
    """What would be refused again: a name, a size, a question."""
    if _ENDPOINT.search(whole):
        return ConfigurationError(
            "the server does not know the endpoint: check endpoint=, which is the name of the Syracuse endpoint, not "
            "always the folder's",
            reason="no_endpoint",
        )
    if "introspection" in whole.casefold():
        return ContractError(
            "the service does not show its schema, by which names are found: allow introspection", reason="no_schema"
        )
    about = ", ".join(_names(texts))
    if _TOO_MANY.search(whole) and not about:
        return ContractError("the service refuses pages of that size: set page_size=", reason=TOO_MANY)
    return ContractError(
        f"the service refuses {operation.removeprefix('query ')}{f' because of {about}' if about else ''}: if its "
        "schema is another one since an update, start anew; properties= names what is called otherwise",
        reason=REFUSED,
    )


def _texts(body: Mapping[str, Any]) -> Iterator[str]:
    """Messages of errors, and of the diagnoses that come with them or beside them."""
    found = body["errors"]
    for one in [*(found if isinstance(found, list) else [found]), body]:
        if isinstance(one, dict):
            yield str(one.get("message") or "")
            further = one.get("extensions")
            diagnoses = further.get("diagnoses") if isinstance(further, dict) else None
            for diagnosis in diagnoses if isinstance(diagnoses, list) else ():
                yield str(diagnosis.get("message") or "") if isinstance(diagnosis, dict) else ""


def _names(texts: Iterable[str]) -> list[str]:
    """Members of the schema that messages name."""
    found: list[str] = []
    for text in texts:
        found += [f"{kind}.{name}" for name, kind in _FIELD.findall(text)]
        found += [f"{kind}.{name}" for kind, name in _UNKNOWN.findall(text)]
        found += _MEMBER.findall(text)
    return list(dict.fromkeys(found))
