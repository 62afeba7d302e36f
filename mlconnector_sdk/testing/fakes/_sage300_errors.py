"""What Sage 300 answers when it will not do something: a code for programs, a text for people, or a page of IIS."""

from __future__ import annotations

from typing import Any

from ._server import Reply

__all__ = ["CODES", "BadQuery", "Refusal", "error_body", "http_page", "library_body"]

CODES = {
    "Unauthorized": (401, "The credentials were not accepted."),
    "Forbidden": (403, "The user has no right to this resource."),
    "TooManyRequests": (429, "There are too many requests at the same time."),
    "InvalidParameters": (400, "The query in the URL is not well formed."),
    "ResourceNotFound": (404, "There is no such resource."),
    "InvalidEntityKey": (400, "The entity key is not well formed."),
    "RecordNotFound": (404, "A Record cannot be found for the specified entity key"),
    "MethodNotAllowed": (405, "The resource does not support this method."),
    "RecordDuplicate": (409, "The record exists already."),
    "RecordInvalid": (409, "The record breaks a rule."),
    "General": (500, "The record is locked by another process."),
    "DBLinkError": (500, "The database link could not be opened."),
    "SessionError": (500, "The session could not be opened."),
    "InternalServerError": (500, "An error has occurred."),
}
"""The vendor's codes with the status they come with; the texts are ours, except that of `RecordNotFound`."""

_TITLES = {
    400: ("Bad Request", "The request is badly formed."),
    401: ("Unauthorized", "Access is denied due to invalid credentials."),
    404: ("Not Found", "The resource you are looking for might have been removed."),
    500: ("Server Error", "There is a problem with the resource you are looking for."),
    502: ("Bad Gateway", "Web server received an invalid response while acting as a gateway or proxy server."),
    503: ("Service Unavailable", "The service is unavailable."),
}


class Refusal(Exception):
    """Raised anywhere while a request is handled; names the vendor's code, or carries a finished page."""

    def __init__(self, code: str, text: str | None = None, *, page: Reply | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.text = text
        self.page = page


class BadQuery(Exception):
    """A query option that the OData library refuses before Sage sees it."""


def error_body(code: str, text: str | None = None) -> dict[str, Any]:
    """The vendor's own form; the message is an object."""
    return {"error": {"code": code, "message": {"lang": "en-US", "value": text or CODES[code][1]}}}


def library_body(text: str) -> dict[str, Any]:
    """The form of the OData library; the code is empty and the message is plain text."""
    return {"error": {"code": "", "message": f"The query specified in the URI is not valid. {text}"}}


def http_page(status: int) -> Reply:
    """A page of IIS, or of the kernel driver in front of it."""
    title, text = _TITLES.get(status, ("Error", "The request could not be answered."))
    return Reply(
        status,
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">\r\n'
        f"<HTML><HEAD><TITLE>{title}</TITLE></HEAD>\r\n"
        f"<BODY><h2>{title}</h2><hr><p>HTTP Error {status}. {text}</p></BODY></HTML>\r\n",
        {"Content-Type": "text/html; charset=us-ascii"},
    )
