"""Mailchimp's error documents (`application/problem+json`), raised anywhere in the fake and answered as a reply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._server import Reply

__all__ = ["UNVALIDATED", "FieldError", "Problem"]

PROBLEM_TYPE = "https://mailchimp.com/developer/marketing/docs/errors/"
UNVALIDATED = "The resource submitted could not be validated. For field-specific details, see the 'errors' array."

# Seen without `type` although the vendor's schema calls it required.
_TITLES_WITHOUT_TYPE = frozenset({"Member Exists", "Member In Compliance State"})

FieldError = tuple[str, str]
"""Field path (or merge tag) and message."""


class Problem(Exception):
    """An answer of 4xx or 5xx with the vendor's title and detail; `errors` are (field, message) pairs."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, title, detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def document(self, instance: str) -> dict[str, Any]:
        """The JSON body; `instance` is the request id that support asks for."""
        body: dict[str, Any] = {} if self.title in _TITLES_WITHOUT_TYPE else {"type": PROBLEM_TYPE}
        body |= {"title": self.title, "status": self.status, "detail": self.detail, "instance": instance}
        if self.errors:
            body["errors"] = [{"field": field, "message": message} for field, message in self.errors]
        return body

    def reply(self, instance: str) -> Reply:
        headers = {"Content-Type": "application/problem+json; charset=utf-8", **self.headers}
        return Reply(self.status, self.document(instance), headers)

    @classmethod
    def invalid(cls, *errors: FieldError) -> Problem:
        """The request's own shape is wrong: type, enum, missing or unknown name."""
        return cls(400, "Invalid Resource", UNVALIDATED, errors)

    @classmethod
    def refused(cls, detail: str, *errors: FieldError) -> Problem:
        """The shape is right and the value is not."""
        return cls(400, "Invalid Resource", detail, errors)

    @classmethod
    def bad_request(cls, detail: str) -> Problem:
        return cls(400, "Bad Request", detail)

    @classmethod
    def already_exists(cls, thing: str) -> Problem:
        return cls.bad_request(
            f"We were unable to process the request. A {thing} with the provided ID already exists in the account."
        )

    @classmethod
    def not_found(cls) -> Problem:
        return cls(404, "Resource Not Found", "The requested resource could not be found.")

    @classmethod
    def server(cls) -> Problem:
        return cls(
            500,
            "Internal Server Error",
            "A deep, internal error has occurred during the processing of your request. Please contact support.",
        )
