"""What the web services' answers mean: faults, and whatever IIS says in their place. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

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
from .._soap import SoapFault, fault_of
from ._api import SYSTEM, Table

__all__ = ["BASIC_ENTRY_POINT", "DATA_REASONS", "LOCKED", "Verdicts", "not_exposed"]

LOCKED = "locked"
"""The reason of errors that mean: somebody has the record open."""

BASIC_ENTRY_POINT = "use the basic entry point, whose address ends like MasBasicWsdl.svc?wsdl"

_EVENT_LOG = 'the server\'s Windows event log "eBusiness Web Services" says more about that moment'
_DATA_ERRORS = {"CI_NOF": "not_on_file", "CI_CharLength": "too_long", "WS_AlreadyExists": "already_exists"}
DATA_REASONS = frozenset({*_DATA_ERRORS.values(), "validation"})
"""The reasons of errors that find fault with a value."""

_OTHER_CONTRACT = frozenset({"ActionNotSupported", "DeserializationFailed", "MustUnderstand", "VersionMismatch"})
_INTERNAL = ("an exception occurred", "unable to process the request due to an internal error")
_COLUMN = re.compile(r"column (\w+)")
_VALIDATION = re.compile(r"could not set |failed validation|is read.?only", re.IGNORECASE)
_COMPANY = re.compile(r"\bcompany\b", re.IGNORECASE)
_PERSONAL = re.compile(r"'[^']*'|\"[^\"]*\"|\S+@\S+")


@attrs.frozen(kw_only=True)
class Verdicts:
    """Judges answers.

    Attributes:
        company: for messages.
        lock_patterns: pieces of texts that mean that a record is held by somebody, in lower case. No code for that
            could be established.
    """

    company: str
    lock_patterns: tuple[str, ...]

    def judge(self, reply: HttpReply, operation: str) -> MLConnectorError | None:
        """The error that an answer means, `None` when it is good."""
        fault = fault_of(reply)
        if fault is not None:
            return self._fault(fault, reply)
        if reply.status == 200:
            return _web_page(operation) if looks_like_html(reply) else None
        return _status_error(reply, operation.removeprefix("GET ") if operation.startswith("GET ") else "this address")

    def _fault(self, fault: SoapFault, reply: HttpReply) -> MLConnectorError:
        code, text = _told(fault)
        return self._settled(code, text) or self._of_record(code, text, reply)

    def _settled(self, code: str, text: str) -> MLConnectorError | None:
        if code == "CI_NoKey":
            return RecordNotFoundError("there is no such record")
        if code in _OTHER_CONTRACT:
            return ContractError(f"the web service speaks another contract ({code}): {BASIC_ENTRY_POINT}")
        return self._about_the_user(text.lower())

    def _of_record(self, code: str, text: str, reply: HttpReply) -> MLConnectorError:
        if code in _DATA_ERRORS or _VALIDATION.search(text):
            return _data_error(code, text)
        if any(pattern in text.lower() for pattern in self.lock_patterns):
            return UnavailableError(f"Sage 100 says that the record is held ({_shown(text)})", reason=LOCKED)
        if any(internal in text.lower() for internal in _INTERNAL):
            at = f" at {reply.date:%Y-%m-%d %H:%M:%S} UTC" if reply.date else ""
            return ServerFaultError(
                f"the web service failed without a reason{at} in company {self.company}: {_EVENT_LOG}",
                reason="exception_occurred",
            )
        if _COMPANY.search(text):
            return AuthenticationError(
                f"Sage 100 refuses company {self.company} ({_shown(text)}): check the company's code, and that Company "
                "Maintenance enables it for web services",
                reason="bad_company",
            )
        return RecordRejectedError(f"Sage 100 refuses the call ({_shown(code)}, {_shown(text)})", reason="fault")

    def _about_the_user(self, text: str) -> MLConnectorError | None:
        if "logon failure" in text:
            return AuthenticationError(
                "Sage 100 refuses the logon: check user and password, and that Enable Web Services is ticked in User "
                "Maintenance, in Company Maintenance and in System Configuration",
                reason="bad_credentials",
            )
        if "no access" in text:
            return PermissionDeniedError(
                f"the user's role lacks a right in company {self.company}: allow View on Customer Maintenance and "
                "Sales Order Entry, and Modify on Customer Maintenance where customers are to be marked"
            )
        if "maintaining the system" in text:
            return UnavailableError("Sage 100 is in maintenance, and nobody can log on", reason="maintenance")
        return None


def not_exposed(column: str, table: Table) -> ConfigurationError:
    """What to do about a column that does not come: those of the site's own come only where somebody said so."""
    return ConfigurationError(
        f"{column} does not come with {table.name}: expose it with the configuration utility of the web services (UDFs "
        "and Development Partner Fields), or mend its name",
        system=SYSTEM,
        reason="not_exposed",
    )


def _told(fault: SoapFault) -> tuple[str, str]:
    """Code and text; where the fault itself is silent, those of the detail, which may be missing."""
    detail = next(_named(fault.detail, "MasFault"), {})
    code, message = detail.get("ErrorCode"), detail.get("ErrorMessage")
    inner = code if isinstance(code, str) else ""
    known = fault.code in _DATA_ERRORS or fault.code == "CI_NoKey"
    return (fault.code if known else inner or fault.code), fault.text or (message if isinstance(message, str) else "")


def _named(tree: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            if key == name:
                yield value
            yield from _named(value, name)


def _data_error(code: str, text: str) -> RecordRejectedError:
    column = _COLUMN.search(text)
    where = f"column {column[1]}" if column else "a column"
    return RecordRejectedError(
        f"Sage 100 refuses the value of {where} ({_shown(text)})", reason=_DATA_ERRORS.get(code, "validation")
    )


def _shown(text: str) -> str:
    """A vendor's text, fit for the middle of a line: quoted values, which may be personal, are cut out."""
    plain = _PERSONAL.sub("…", text).replace(": ", " - ")
    return "".join(sign for sign in plain if sign.isprintable())[:160]


def _web_page(operation: str) -> MLConnectorError:
    if operation.startswith("GET "):
        url = operation.removeprefix("GET ")
        return ConfigurationError(f"{url} gives a web page instead of a description: wsdl_url must end in ?wsdl")
    return UnavailableError("a web page came instead of an answer: look at it in a browser", reason="web_page")


def _status_error(reply: HttpReply, url: str) -> MLConnectorError:
    status = reply.status
    if status == 429:
        return RateLimitError("too many calls", retry_after=retry_after(reply))
    if status >= 500 or status == 408:
        return UnavailableError(
            f"the web server fails at {url}: IIS or Sage 100 may be starting", retry_after=retry_after(reply)
        )
    if status in {401, 403}:
        return AuthenticationError(
            f"IIS refuses {url} before Sage 100 is asked: allow anonymous access to the web services, and use https",
            reason="refused_by_iis",
        )
    if status == 415:
        return ContractError(f"this entry point does not speak SOAP 1.1: {BASIC_ENTRY_POINT}", reason="no_soap11")
    if status in {404, 405, 410}:
        return ConfigurationError(
            f"nothing is at {url}: check wsdl_url, and that the web services are installed", reason="not_found"
        )
    return ConfigurationError(f"the server redirects or refuses {url}: check wsdl_url")
