"""The contract-based REST API without I/O: how to ask, and what an answer means.

Most failures are a 500 with a JSON body, so the status alone says little. `judge` sorts by the text first: what must
not be repeated (wrong credentials lock the account) is never a `TransientError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

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
from .._odata import any_of, query_text, text_literal
from ._fields import SCREENS, Entity, Shape

__all__ = [
    "CannotOptimizeError",
    "Offer",
    "Verdicts",
    "key_batches",
    "key_path",
    "list_path",
    "moment_literal",
    "offers_in",
    "rejections_in",
]

QUERY_LENGTH = 1800
"""Longest query string we send; IIS refuses one of more than 2,048 characters unless set up otherwise."""

_SEAT_MARKS = (
    b"api login limit",
    b"apiloginlimit",
    b"concurrent api login",
    b"concurrentapilogins",
    b"checkapiuserslimits",
    b"license_loginlimitexceeded",
    # What IIS puts in the place of a 429's own body.
    b"custom error module does not recognize this error",
)
_REFUSED_MARKS = ("invalid credentials", "locked out", "account is disabled", "been disabled", "change your password")


class CannotOptimizeError(ContractError):
    """A list cannot be read with these fields; asking again unchanged is in vain."""

    default_reason = "cannot_optimize"
    fields: tuple[str, ...] = ()


# -- asking ---------------------------------------------------------------------------------------------------------


def moment_literal(value: datetime) -> str:
    """An instant, cut (never rounded up) to the millisecond the server keeps; a plain quoted string is refused."""
    text = value.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    return f"datetimeoffset'{text}Z'"


def list_path(
    shape: Shape, *, filter_text: str = "", top: int | None = None, skip: int = 0, by_key: str | None = None
) -> str:
    """Path and query below the endpoint's root, encoded.

    `$select` always names every field, because an expanded collection that it does not name comes back empty.
    """
    query = {
        "$filter": filter_text,
        "$select": ",".join(shape.paths),
        "$expand": ",".join(shape.expands),
        "$custom": ",".join(shape.custom),
        "$top": "" if top is None else str(top),
        "$skip": str(skip) if skip else "",
    }
    return f"/{shape.entity.name}{by_key or ''}?{query_text(query)}"


def key_path(parts: Sequence[str]) -> str:
    """Key values as path segments, each encoded whole."""
    return "".join("/" + quote(part, safe="") for part in parts)


def key_batches(shape: Shape, keys: Iterable[str]) -> Iterator[tuple[list[str], str]]:
    """Keys in groups whose filter fits into one request, each with its filter.

    The filter names one field only, because conditions on several were seen to match nothing: documents are asked for
    by number, and the caller drops those of another type.
    """
    room = QUERY_LENGTH - len(list_path(shape, filter_text="x"))
    return any_of(keys, lambda key: _key_term(shape.entity, key), room=room)


def _key_term(entity: Entity, key: str) -> str:
    field = entity.keys[-1]
    value = key.partition("/")[2] if len(entity.keys) > 1 else key
    return f"{field} eq {value if entity.name == 'Contact' else text_literal(value)}"


# -- the listing of endpoints ---------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Offer:
    """What an instance says it has: its build, and (endpoint name, version) pairs."""

    build: str = ""
    endpoints: tuple[tuple[str, str], ...] = ()

    def versions(self, endpoint: str) -> list[str]:
        """The versions of an endpoint, oldest first."""
        return sorted(version for name, version in self.endpoints if name == endpoint)


def offers_in(reply: HttpReply) -> Offer:
    """The answer of `/entity`: an object since 2019 R2, on older builds said to be a bare list.

    Raises:
        ContractError: it is neither.
    """
    try:
        body = reply.json()
        rows = body["endpoints"] if isinstance(body, dict) else body
        build = (body.get("version") or {}).get("acumaticaBuildVersion", "") if isinstance(body, dict) else ""
        return Offer(build=str(build), endpoints=tuple((str(row["name"]), str(row["version"])) for row in rows))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ContractError(
            "this address answers, but not as Acumatica does: check host and site folder", reason="not_acumatica"
        ) from None


# -- judging --------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Verdicts:
    """Says what an answer means.

    Attributes:
        seat_wait: seconds to wait for a free API seat; nobody can free one from outside.
        secure: the configured address begins with https.
    """

    seat_wait: float = 15.0
    secure: bool = True

    def judge(self, reply: HttpReply, operation: str) -> MLConnectorError | None:
        """The error an answer of the entity API means, `None` when it is good."""
        if reply.status < 300 and not looks_like_html(reply):
            return _cut_off(reply)
        return self.seat_limit(reply) or self._by_status(reply, operation) or _by_body(reply)

    def judge_sign_in(self, reply: HttpReply, operation: str) -> MLConnectorError | None:
        """The same for sign-in, where no refusal may be repeated: a few of them lock the account."""
        error = self.judge(reply, operation)
        refused = isinstance(error, (ServerFaultError, RecordNotFoundError)) and _kind(_body(reply)).startswith("PX.")
        if refused or reply.status in {400, 401, 403}:
            return AuthenticationError(
                "sign-in refused: check user name, password, tenant and branch", reason="sign_in_refused"
            )
        return error

    def judge_token(self, reply: HttpReply) -> MLConnectorError | None:
        """What is Acumatica's own in an answer of the token endpoint; the rest is plain OAuth 2."""
        if reply.status in {400, 401} and (_body(reply) or {}).get("error") == "invalid_client":
            return AuthenticationError(
                "sign-in refused (invalid_client): the client id must end in @ and the tenant's login name (SM203520), "
                "and id and secret must be those of Connected Applications (SM303010)",
                reason="invalid_client",
            )
        return self.seat_limit(reply)

    def seat_limit(self, reply: HttpReply) -> RateLimitError | None:
        """The licence lets no more sessions in, or calls are too many: any status, JSON, HTML or plain text."""
        text = reply.body[:4000].lower()
        if any(mark in text for mark in _SEAT_MARKS):
            return RateLimitError(
                "API Login Limit, all licensed API sessions are taken: end forgotten sessions; the limits are on "
                "License Monitoring Console (SM604000) and Users (SM201010)",
                retry_after=max(self.seat_wait, retry_after(reply) or 0.0),
                reason="api_login_limit",
            )
        if reply.status == 429:
            return RateLimitError("too many requests for the licence (SM604000)", retry_after=retry_after(reply))
        return None

    def _by_status(self, reply: HttpReply, operation: str) -> MLConnectorError | None:
        if reply.status == 404:
            return _not_found(html=looks_like_html(reply))
        if 300 <= reply.status < 400:
            return self._redirect(reply)
        if reply.status in {401, 403}:
            return _denied(reply, operation)
        if looks_like_html(reply):
            return UnavailableError(
                "the instance answers with a web page: it is in maintenance, or this is not its address",
                retry_after=retry_after(reply),
                reason="maintenance",
            )
        if reply.status in {408, 502, 503, 504}:
            return UnavailableError("the instance is not available at the moment", retry_after=retry_after(reply))
        return None

    def _redirect(self, reply: HttpReply) -> MLConnectorError:
        if not self.secure and reply.headers.get("location", "").startswith("https://"):
            return ConfigurationError("the site redirects to https: begin the address with https://")
        return UnavailableError(
            "the instance redirects to a web page: it is starting or in maintenance, or this is not its address",
            reason="redirected",
        )


def _cut_off(reply: HttpReply) -> MLConnectorError | None:
    if reply.status == 200 and reply.body and not reply.body.rstrip().endswith((b"]", b"}")):
        return UnavailableError("the answer was cut off", reason="cut_off")
    return None


def _not_found(*, html: bool) -> MLConnectorError:
    message = (
        "nothing is at this address: check the site folder in the instance's URL"
        if html
        else "the instance knows no such endpoint, version or entity: check endpoint= and version="
    )
    return ContractError(message, reason="not_found")


def _denied(reply: HttpReply, operation: str) -> MLConnectorError:
    if reply.status == 401:
        return AuthenticationError("not signed in", reason="not_signed_in")
    entity = next((word for word in operation.split() if word in SCREENS), "")
    what = f"{entity} (form {SCREENS[entity]})" if entity else "this call"
    cure = (
        "give the user's role access to the form, or switch the Customer Management feature on"
        if entity == "Contact"
        else "give the user's role access to the form, or switch its feature on"
    )
    return PermissionDeniedError(f"no right to {what}: {cure}", reason="no_right")


def _by_body(reply: HttpReply) -> MLConnectorError:
    if reply.status == 422:
        return RecordRejectedError("; ".join(rejections_in(_body(reply))) or "refused without a reason")
    if reply.status >= 500:
        return _failed(_body(reply))
    return ContractError(f"the instance refuses the request as malformed ({reply.status})", reason="bad_request")


def _failed(body: Any) -> MLConnectorError:
    """Sorts a 500 by exception type and text. The text itself may hold personal data and stays out of messages."""
    kind, text = _kind(body), _text(body)
    lower = text.lower()
    if any(mark in lower for mark in _REFUSED_MARKS):
        reason = "locked_out" if "locked out" in lower or "disabled" in lower else "bad_credentials"
        cure = (
            "the account is locked or disabled: unlock it on Users (SM201010)"
            if reason == "locked_out"
            else "sign-in refused: user name or password is wrong, or the password must be changed first"
        )
        return AuthenticationError(cure, reason=reason)
    if "UndefinedCompany" in kind:
        return AuthenticationError(
            "there is no such tenant: use its login name from Tenants (SM203520)", reason="unknown_tenant"
        )
    if "NoEntitySatisfies" in kind:
        return RecordNotFoundError("no such record")
    if "CannotOptimize" in kind or text.startswith("Optimization cannot be performed"):
        return _cannot_optimize(text)
    return _unwelcome(kind, text, lower) or ServerFaultError(f"the instance failed ({kind or 'no exception type'})")


def _unwelcome(kind: str, text: str, lower: str) -> MLConnectorError | None:
    """A 500 that says the request itself can never succeed."""
    if "KeyNotFound" in kind or "not present in the dictionary" in lower:
        return ContractError("a field that was asked for does not exist in this version", reason="unknown_field")
    if "type conversions are not supported" in lower or "incompatible types" in lower:
        return ContractError("a value in a filter has the wrong type", reason="bad_literal")
    if "SetupNotEntered" in kind:
        form = re.search(r"on the (.{1,80}?) form", text)
        place = f" (form {form[1]})" if form else ""
        return PermissionDeniedError(f"a module is not set up{place}", reason="module_not_set_up")
    if "input parsing" in lower or "InputParsing" in kind:
        return ContractError("the instance cannot read the body of the request", reason="bad_body")
    return None


def _cannot_optimize(text: str) -> CannotOptimizeError:
    fields = tuple(re.findall(r"^\s*(\S+): View .+ has BQL delegate", text, re.MULTILINE))
    error = CannotOptimizeError(f"the list cannot be read with {', '.join(fields) or 'these fields'}")
    error.fields = fields
    return error


def rejections_in(body: Any, path: str = "") -> list[str]:
    """The `path: message` of every `error` in the tree of a 422; values are cut out of the messages."""
    found: list[str] = []
    if isinstance(body, Mapping):
        error = body.get("error")
        if isinstance(error, str) and error:
            value = str(body.get("value") or "")
            found.append(f"{path or 'record'}: {error.replace(value, '…') if value else error}")
        for name, inner in body.items():
            found += rejections_in(inner, f"{path}/{name}" if path else str(name))
    elif isinstance(body, list):
        for number, inner in enumerate(body, 1):
            found += rejections_in(inner, f"{path}[{number}]")
    return found


def _body(reply: HttpReply) -> Any:
    try:
        return reply.json()
    except ValueError:
        return None


def _kind(body: Any) -> str:
    kind = body.get("exceptionType") if isinstance(body, dict) else None
    return kind if isinstance(kind, str) and re.fullmatch(r"[\w.+`]{1,120}", kind) else ""


def _text(body: Any) -> str:
    """Every text of an error body and of what is inside it."""
    if not isinstance(body, dict):
        return ""
    own = [str(body.get(name) or "") for name in ("exceptionMessage", "message", "messageDetail")]
    return "\n".join([*filter(None, own), _text(body.get("innerException"))]).strip()
