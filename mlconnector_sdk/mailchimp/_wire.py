"""Mailchimp's wire, without I/O: paths, problem documents, and the one judgement on what a refusal means.

The same classifier serves single calls, entries of a bulk answer and entries of a batch result, because the same texts
occur in all three. Messages name fields, never values or addresses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

import attrs

from .._http import HttpReply, looks_like_html, retry_after
from .._json import json_in
from ..errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    MappingError,
    MLConnectorError,
    PermissionDeniedError,
    RateLimitError,
    ReauthorizationRequiredError,
    RecordError,
    RecordNotFoundError,
    RecordRejectedError,
    ServerFaultError,
    TimeoutExceededError,
    UnavailableError,
)
from ..models import WriteResult

__all__ = ["Problem", "RefusedError", "address_key", "disconnected", "encode", "judge", "path", "refusal", "result_of"]

SYSTEM = "mailchimp"

# A request that ran into the gateway's time-out may still be running and holding one of the ten connections.
GATEWAY_PAUSE = 5.0

_REASONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (r"compliance state", "compliance"),
        (r"forgotten email|permanently deleted", "forgotten"),
        (r"signed up to a lot of lists", "too_many_signups"),
        (r"already a list member|member exists", "member_exists"),
        (r"looks fake or invalid|provide a valid email", "address_refused"),
        (r"already exists", "already_exists"),
        (r"multiple webhooks", "webhook_exists"),
        (r"not be changed", "address_fixed"),
        (r"email address is required", "address_missing"),
        (r"product.* with the provided id", "product_unknown"),
        (r"merge fields were invalid", "merge_fields_invalid"),
        (r"\bcleaned\b", "cleaned"),
        (r"could not be validated", "schema_refused"),
    )
)
"""What the texts of the vendor's glossary mean; the first that fits counts."""

_MESSAGES = {
    "address_fixed": "the e-mail address of a store customer cannot be changed",
    "address_missing": "a store customer needs an e-mail address",
    "address_refused": "Mailchimp takes the e-mail address for fake or invalid",
    "already_exists": "it exists already",
    "cleaned": "the address bounced for good",
    "compliance": "the contact opted out, bounced or is under review; only the contact can change that",
    "forgotten": "the contact was deleted for good; only the contact can come back",
    "member_exists": "another member has this address",
    "merge_fields_invalid": "merge fields were refused",
    "product_unknown": "the store lacks a product of the order",
    "schema_refused": "the shape of the data was refused",
    "status_refused": "the subscription status was refused",
    "too_many_signups": "the address signed up to many lists lately; Mailchimp asks to wait a day",
    "webhook_exists": "the audience has a webhook with this URL",
}

_KEY_REFUSED = "key_refused"

_SKIPPED = frozenset({"compliance", "forgotten", "cleaned"})
_WORTH_A_REPLAY = frozenset({"too_many_signups", "server_fault"})

_STATUS_WORD = re.compile(r"\bstatus(_if_new)?\b")
_DATA_CENTRE = re.compile(r"datacenter\W+([a-z]+\d+)", re.IGNORECASE)
_PERSONAL = re.compile(r"\S+@\S+|'[^']*'|\"[^\"]*\"")


def path(*segments: str) -> str:
    """A path with every segment percent-encoded, `/` included.

    Raises:
        MappingError: a segment that HTTP reads as another path: deleting line `..` would delete its order.
    """
    if not {"", ".", ".."}.isdisjoint(segments):
        raise MappingError("an id must not be empty, '.' or '..'", reason="bad_id")
    return "".join("/" + quote(segment, safe="") for segment in segments)


def encode(payload: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def address_key(address: str) -> str:
    """How addresses are told apart: stripped and in lower case."""
    return address.strip().lower()


@attrs.frozen(kw_only=True)
class Problem:
    """An error document, or an error entry of a bulk or batch answer. Every part may be missing.

    Attributes:
        status: the HTTP status; `None` inside a bulk answer.
        fields: (field, message) pairs; a field may be empty, a merge tag, or a path such as `members.item:3.language`.
    """

    status: int | None = None
    title: str = ""
    detail: str = attrs.field(default="", repr=False)
    request_id: str | None = None
    fields: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)

    @classmethod
    def of_reply(cls, reply: HttpReply) -> Problem | None:
        """The problem an answer's body tells, or `None` when it tells none: empty, HTML, or not a JSON object."""
        request_id = reply.headers.get("x-request-id")
        return cls.of_document(reply.status, reply.body, request_id)

    @classmethod
    def of_document(cls, status: int, body: bytes | str, request_id: str | None = None) -> Problem | None:
        """The same for a body on its own, as batch results hold it."""
        try:
            document = json_in(body)
        except ValueError:
            return None
        if not isinstance(document, dict):
            return None
        errors = document.get("errors")
        return cls(
            status=status,
            title=_text(document.get("title")),
            detail=_text(document.get("detail")),
            request_id=request_id or _text(document.get("instance")) or None,
            fields=tuple(_fields(errors if isinstance(errors, list) else [])),
        )

    @classmethod
    def of_bulk_entry(cls, entry: Mapping[str, Any], request_id: str | None = None) -> Problem:
        """The problem of one member in the answer of a bulk call."""
        exists = entry.get("error_code") == "ERROR_CONTACT_EXISTS"
        field = _text(entry.get("field"))
        return cls(
            title="Member Exists" if exists else "",
            detail=_text(entry.get("error")),
            request_id=request_id,
            fields=((field, _text(entry.get("field_message"))),) if field else (),
        )

    @property
    def reason(self) -> str:
        """A stable code for what the texts say."""
        said = f"{self.title} {self.detail}"
        reason = next((meaning for pattern, meaning in _REASONS if pattern.search(said)), "")
        if reason in {"", "schema_refused"} and self._names_status:
            return "status_refused"
        return reason or ("merge_fields_invalid" if self.status is None and self.fields else "refused")

    @property
    def message(self) -> str:
        """What happened in our words, with the names of the fields."""
        said = _MESSAGES.get(self.reason) or _redacted(f"{self.title}: {self.detail}".strip(": ")) or "refused"
        names = ", ".join(field for field, _ in self.fields if field)
        if self.reason == "schema_refused":
            # These messages speak of types, not of values.
            names = "; ".join(f"{field}: {_redacted(message)}".strip(": ") for field, message in self.fields[:5])
        return f"{said} ({names})" if names else said

    @property
    def wording(self) -> str:
        """What Mailchimp itself said of the fields, or else at all, without addresses and quoted values."""
        said = [message for _, message in self.fields if message] or [self.detail or self.title or "refused"]
        return _redacted("; ".join(said))

    @property
    def items(self) -> frozenset[int]:
        """Positions of the members that a refused bulk call blames, when it names any."""
        found = (re.match(r"members\.(?:item:)?(\d+)\b", field) for field, _ in self.fields)
        return frozenset(int(match[1]) for match in found if match)

    @property
    def _names_status(self) -> bool:
        said = [self.detail, *(text for field, message in self.fields for text in (field.rpartition(".")[2], message))]
        return any(_STATUS_WORD.search(text) for text in said)


class RefusedError(RecordRejectedError):
    """The API refused the request; `problem` is what it said."""

    def __init__(self, message: str, *, problem: Problem, **context: Any) -> None:
        super().__init__(message, **context)
        self.problem = problem


def refusal(problem: Problem) -> RefusedError:
    """The error behind a problem that concerns the record itself."""
    return RefusedError(
        problem.message,
        problem=problem,
        reason="not_allowed" if problem.status == 405 else problem.reason,
        status_code=problem.status,
        request_id=problem.request_id,
    )


def result_of(error: RecordError | ServerFaultError, note: str = "") -> WriteResult:
    """A write that did not succeed, as a result: skipped where nothing is wrong with the record, else dead."""
    return WriteResult(
        kind="skipped" if error.reason in _SKIPPED else "dead",
        reason=error.reason,
        message=error.message,
        status_code=error.status_code,
        request_id=error.request_id,
        note=note,
        retry=error.reason in _WORTH_A_REPLAY,
    )


def judge(reply: HttpReply, _operation: str) -> MLConnectorError | None:
    """What an answer means; `None` when it is good."""
    problem = Problem.of_reply(reply) if reply.status >= 400 else None
    error = _judged(reply, problem)
    if error is not None:
        error.request_id = (problem and problem.request_id) or reply.headers.get("x-request-id")
    return error


def disconnected(error: MLConnectorError) -> MLConnectorError:
    """The error for a token that worked before: the API's own word that it is invalid means that it was revoked."""
    if error.reason != _KEY_REFUSED:
        return error
    return ReauthorizationRequiredError(
        "Mailchimp was disconnected: the token was revoked; the account's owner has to connect it again",
        request_id=error.request_id,
        reason="disconnected",
    )


def _judged(reply: HttpReply, problem: Problem | None) -> MLConnectorError | None:
    if reply.status < 300:
        return _not_the_api() if looks_like_html(reply) else None
    if reply.status < 400:
        return ContractError("the address answers with a redirect: check base_url")
    if judgement := _JUDGEMENTS.get(reply.status):
        return judgement(reply, problem)
    if reply.status >= 500:
        return _server_error(reply, problem)
    return refusal(problem or Problem(status=reply.status))


def _throttled(reply: HttpReply, _: Problem | None) -> MLConnectorError:
    return RateLimitError("too many requests at once for this Mailchimp user", retry_after=retry_after(reply))


def _not_found(reply: HttpReply, _: Problem | None) -> MLConnectorError:
    return _not_the_api() if looks_like_html(reply) else RecordNotFoundError("there is no such thing")


def _server_error(reply: HttpReply, problem: Problem | None) -> MLConnectorError:
    wait = retry_after(reply)
    if reply.status in {502, 504}:
        wait = max(wait or 0.0, GATEWAY_PAUSE)
    if reply.status == 504:
        return TimeoutExceededError("Mailchimp's gateway gave up waiting", retry_after=wait)
    if reply.status in {502, 503}:
        if problem is not None and "compliance" in problem.title.lower():
            return PermissionDeniedError("Mailchimp disabled this method for the account: ask its support")
        return UnavailableError("Mailchimp is unavailable for the moment", retry_after=wait)
    return ServerFaultError("Mailchimp failed on this request", retry_after=wait)


def _bad_key(_: HttpReply, problem: Problem | None) -> MLConnectorError:
    if problem is not None and "missing" in problem.title.lower():
        return AuthenticationError("no API key arrived: does a proxy strip the Authorization header?")
    return AuthenticationError(
        "the API key or token is wrong or was revoked, or belongs to another data centre",
        # A proxy's 401 has no problem document and says nothing about the key.
        reason=None if problem is None else _KEY_REFUSED,
    )


def _forbidden(reply: HttpReply, problem: Problem | None) -> MLConnectorError:
    if problem is None:
        # The content network throttles with an empty or HTML 403.
        return _throttled(reply, problem)
    if centre := _DATA_CENTRE.search(problem.detail):
        return AuthenticationError(
            f"the key belongs to data centre {centre[1]}: write it with -{centre[1]} at its end", reason="data_centre"
        )
    if "disabled" in problem.title.lower():
        return AuthenticationError("the user behind the key is disabled", reason="user_disabled")
    return PermissionDeniedError("the user behind the key may not do this: it needs the role of manager or higher")


def _not_the_api() -> ContractError:
    return ContractError("a web page came instead of the API's answer: check base_url and any proxy")


_JUDGEMENTS: Mapping[int, Callable[[HttpReply, Problem | None], MLConnectorError]] = {
    401: _bad_key,
    403: _forbidden,
    404: _not_found,
    408: lambda reply, _: TimeoutExceededError("Mailchimp gave up waiting for the request"),
    426: lambda reply, _: ConfigurationError("Mailchimp takes https:// only: check base_url"),
    429: _throttled,
}


def _fields(errors: Iterable[Any]) -> Iterable[tuple[str, str]]:
    for error in errors:
        if isinstance(error, dict):
            yield _text(error.get("field")), _text(error.get("message"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _redacted(text: str) -> str:
    """Text without addresses and quoted values."""
    return _PERSONAL.sub("…", " ".join(text.split()))
