"""The Web API without I/O: how to ask, and what an answer means.

An error's code is meant for programs and its text for people (it changes with the language), so the code decides, and
the status only where there is none. Which status comes with which code is mostly not documented.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date

import attrs

from ..._http import HttpReply, looks_like_html, retry_after
from ...cursors import CursorStep, Window
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
from .._odata import Fault, any_of, fault_in, midnight_literal, number_literal, query_text, text_literal
from ._fields import Shape, is_number

__all__ = ["SYSTEM", "Verdicts", "changed_since", "list_path", "refused", "with_keys"]

SYSTEM = "sage300"

QUERY_LENGTH = 1800
"""Longest query string we send; IIS refuses one of more than 2,048 characters unless set up otherwise."""

MOST_TERMS = 15
"""Comparisons in one filter. The server's OData library refuses more than 100 nodes unless set up otherwise, and one
comparison takes up to five."""

# -- asking ---------------------------------------------------------------------------------------------------------


def list_path(shape: Shape, *, condition: str = "", top: int, skip: int = 0) -> str:
    """Path and query below the company's root. There is no `$orderby` in this API: rows come in key order."""
    options = {
        "$filter": _both(shape.resource.condition, condition),
        "$select": ",".join(shape.select),
        "$top": str(top),
        "$skip": str(skip) if skip else "",
    }
    return f"/{shape.resource.path}?{query_text(options)}"


def _both(one: str, other: str) -> str:
    return f"({one}) and ({other})" if one and other else one or other


def changed_since(shape: Shape, window: Window) -> str:
    """The filter for a window, inclusive; the values of several cursors stand side by side.

    Raises:
        ConfigurationError: the window belongs to another kind of source.
    """
    if window.lower is None or not shape.cursors:
        return ""
    values = window.lower if isinstance(window.lower, tuple) else (window.lower,)
    fits = [_is_step(one, name) for one, name in zip(values, shape.resource.cursors, strict=False)]
    if len(values) != len(shape.cursors) or not all(fits):
        kinds = " and ".join(type(value).__name__ for value in values)
        raise ConfigurationError(
            f"the mark of {shape.resource.name} is {kinds}, which does not fit {', '.join(shape.cursors)}: this state "
            "belongs to other settings or another source; start a new one",
            system=SYSTEM,
        )
    if None in values:
        return ""  # a cursor that no row has had so far says nothing about changes
    return " or ".join(f"{name} ge {_literal(value)}" for name, value in zip(shape.cursors, values, strict=True))


def _is_step(value: CursorStep | None, cursor: str) -> bool:
    return value is None or type(value) is (int if is_number(cursor) else date)


def _literal(value: CursorStep | None) -> str:
    # Dates are filtered as midnights; a bare date is refused.
    return midnight_literal(value) if isinstance(value, date) else str(value)


_WHOLE = re.compile(r"[0-9]{1,30}")


def with_keys(shape: Shape, keys: Iterable[str], term: Callable[[str], str] | None = None) -> Iterator[str]:
    """Filters for these keys, each short enough for one request.

    Keys are asked for by filter and never as part of the path: IIS refuses a path with characters that occur in them.
    """
    room = QUERY_LENGTH - len(list_path(shape, condition="x", top=1000, skip=1000))
    key = shape.resource.keys[0]
    theirs = shape.spelled.get(key, key)
    if term is None and shape.resource.has_number_key:
        numbers = dict.fromkeys(str(int(one)) for one in keys if _WHOLE.fullmatch(one))
        keys, term = numbers, lambda one: f"{theirs} eq {number_literal(int(one))}"
    plain = term or (lambda one: f"{theirs} eq {text_literal(one)}")
    most = MOST_TERMS // len(shape.resource.keys)
    return (condition for _, condition in any_of(dict.fromkeys(keys), plain, room=room, most=most))


# -- judging --------------------------------------------------------------------------------------------------------

_WAIT_WORDS = ("day end processing", "day-end processing", "fin de journée", "fin de día", "cierre de día")
_PROPERTY = re.compile(r"property named '([A-Za-z_]\w*)'")

_ADDRESS_CURE = (
    "check the address (https://erp.example.com/Sage300WebApi), and that the Web API is installed; it comes with the "
    "Web Screens"
)


@attrs.frozen(kw_only=True)
class Verdicts:
    """Says what an answer means.

    Attributes:
        secure: the configured address begins with https.
    """

    secure: bool = True

    def judge(self, reply: HttpReply, operation: str) -> MLConnectorError | None:
        """The error an answer means, `None` when it is good. We only read, and it is judged as such."""
        if reply.status < 300:
            return _good(reply)
        if reply.status < 400:
            return self._redirect(reply)
        fault = fault_in(reply)
        return _by_code(fault, reply, operation) or _by_status(fault, reply, operation)

    def _redirect(self, reply: HttpReply) -> MLConnectorError:
        if not self.secure and reply.headers.get("location", "").startswith("https://"):
            return ConfigurationError("the site redirects to https: begin the address with https://")
        return UnavailableError(f"the server redirects to a web page: {_ADDRESS_CURE}", reason="redirected")


def refused(operation: str) -> AuthenticationError:
    """What a 401 means here, with everything that causes one."""
    return AuthenticationError(
        "sign-in refused: check user ID, password and company. Sites older than 2022.2, or without complex passwords, "
        "want the password in upper case, others as it was typed (upper_case_credentials=). The user must not be "
        "ADMIN, locked out, disabled, restricted to certain hours, or due to change the password. Basic "
        "authentication must be off in IIS itself",
        system=SYSTEM,
        operation=operation,
        status_code=401,
        reason="bad_credentials",
    )


def _good(reply: HttpReply) -> MLConnectorError | None:
    if looks_like_html(reply):
        return UnavailableError(
            f"the server answers with a web page: it is starting, or this is not its address; {_ADDRESS_CURE}",
            retry_after=retry_after(reply),
            reason="web_page",
        )
    if not reply.body.rstrip().endswith((b"}", b">")):
        return UnavailableError("the answer was cut off", reason="cut_off")
    return None


def _by_code(fault: Fault, reply: HttpReply, operation: str) -> MLConnectorError | None:
    """By the vendor's own code."""
    code = fault.code
    if code in _REFUSED:
        return ContractError(f"the server refuses the request as wrong ({code})", reason="bad_request")
    if code in _BUSY:
        return _busy(fault, reply)
    if code in _FAILED:
        return ServerFaultError(f"the server failed ({code})", retry_after=retry_after(reply))
    meaning = _MEANINGS.get(code)
    return meaning(reply, operation) if meaning else None


def _busy(fault: Fault, reply: HttpReply) -> UnavailableError:
    """A reader can violate no key: "duplicate" is how a module says that Day End Processing keeps it busy."""
    if fault.code == "RecordDuplicate":
        day_end = any(words in fault.message.casefold() for words in _WAIT_WORDS)
        return UnavailableError(
            "the module is busy" + (" with Day End Processing" if day_end else ""),
            retry_after=retry_after(reply),
            reason="day_end" if day_end else "busy",
        )
    return UnavailableError(
        f"the server cannot open the company ({fault.code}): check the company's ID, that its database is up and that "
        "the module is activated",
        retry_after=retry_after(reply),
        reason="no_company",
    )


def _by_status(fault: Fault, reply: HttpReply, operation: str) -> MLConnectorError:
    """By the status, where IIS, a proxy or the OData library speaks."""
    status, wait = reply.status, retry_after(reply)
    if status in _CODES:
        return _MEANINGS[_CODES[status]](reply, operation)
    if status in {409, 423}:
        return UnavailableError("the module is busy", retry_after=wait, reason="busy")
    if status in {408, 502, 503, 504}:
        return UnavailableError(
            "the server is not available at the moment: if that lasts, look at its application pool in IIS",
            retry_after=wait,
        )
    if status >= 500:
        return ServerFaultError(f"the server failed ({status})", retry_after=wait)
    return _refused_query(fault, status)


def _refused_query(fault: Fault, status: int) -> ContractError:
    unknown = _PROPERTY.search(fault.message)
    if unknown:
        return ContractError(
            f"there is no property {unknown[1]} in this release: check cursor_fields, optout_field and custom_fields",
            reason="no_property",
        )
    return ContractError(f"the server refuses the request as wrong ({status})", reason="bad_request")


def _denied(operation: str) -> PermissionDeniedError:
    module = _module(operation)
    return PermissionDeniedError(
        f"no right to module {module}: give the user's security group in {module} the right 'Sage 300 Web API' and the "
        "right to view these records; ADMIN is barred unless the site allows it",
        reason="no_right",
    )


def _nothing_there(reply: HttpReply, operation: str) -> ContractError:
    if looks_like_html(reply):
        return ContractError(f"nothing is at this address: {_ADDRESS_CURE}", reason="not_found")
    return ContractError(
        f"the server knows no {operation.partition(' ')[2] or 'such resource'}: check the company's ID, that module "
        f"{_module(operation)} is activated and the release has the resource, or leave the module out (modules=)",
        reason="no_resource",
    )


def _module(operation: str) -> str:
    return operation.partition(" ")[2].partition("/")[0] or "?"


_REFUSED = frozenset({"InvalidParameters", "InvalidEntityKey", "MethodNotAllowed", "InvalidPayload", "InvalidAction"})
_BUSY = frozenset({"RecordDuplicate", "DBLinkError", "SessionError"})
_FAILED = frozenset({"General", "InternalServerError"})
_MEANINGS: dict[str, Callable[[HttpReply, str], MLConnectorError]] = {
    "Unauthorized": lambda _, operation: refused(operation),
    "Forbidden": lambda _, operation: _denied(operation),
    "TooManyRequests": lambda reply, _: RateLimitError(
        "too many requests at the same time", retry_after=retry_after(reply)
    ),
    "ResourceNotFound": _nothing_there,
    "RecordNotFound": lambda *_: RecordNotFoundError("no such record"),
    "RecordInvalid": lambda *_: RecordRejectedError("the record breaks a rule of the business layer"),
}
_CODES = {401: "Unauthorized", 403: "Forbidden", 404: "ResourceNotFound", 429: "TooManyRequests"}
