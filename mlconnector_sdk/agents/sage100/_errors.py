"""What the agent answers when it cannot serve: one exception, whose code says what the caller should do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import attrs

__all__ = ["AgentError", "BoiAnswer", "Code", "Holder", "Kind", "kind_of"]

Code: TypeAlias = Literal[
    "TOKEN_INVALID",
    "SAGE_LOGON_FAILED",
    "SAGE_SECURITY",
    "COMPANY_NOT_FOUND",
    "NOT_FOUND",
    "VALIDATION",
    "COLUMN_NOT_ALLOWED",
    "STALE_RECORD",
    "RECORD_LOCKED",
    "CURSOR_EXPIRED",
    "AGENT_BUSY",
    "NO_LICENSE",
    "MAINTENANCE",
    "SESSION_LOST",
    "TIMEOUT",
    "INTERNAL",
]


@attrs.frozen
class Kind:
    """How a code is answered: HTTP status, whether the same request may succeed later, seconds to wait before it."""

    status: int
    retryable: bool = False
    retry_after: int | None = None


_KINDS: Mapping[Code, Kind] = {
    "TOKEN_INVALID": Kind(401),
    "SAGE_SECURITY": Kind(403),
    "COMPANY_NOT_FOUND": Kind(404),
    "NOT_FOUND": Kind(404),
    "STALE_RECORD": Kind(409),
    "CURSOR_EXPIRED": Kind(410),
    "VALIDATION": Kind(422),
    "COLUMN_NOT_ALLOWED": Kind(422),
    # People leave a customer open over lunch: locks last minutes to hours.
    "RECORD_LOCKED": Kind(423, retryable=True, retry_after=15),
    "AGENT_BUSY": Kind(429, retryable=True, retry_after=10),
    "NO_LICENSE": Kind(503, retryable=True, retry_after=60),
    "MAINTENANCE": Kind(503, retryable=True, retry_after=300),
    "SESSION_LOST": Kind(503, retryable=True, retry_after=5),
    # Not "retryable": a wrong password does not mend itself, and trying it again may lock the Sage 100 user.
    "SAGE_LOGON_FAILED": Kind(503, retry_after=60),
    "TIMEOUT": Kind(504, retryable=True),
    "INTERNAL": Kind(500),
}


def kind_of(code: Code) -> Kind:
    """How a code is answered."""
    return _KINDS[code]


@attrs.frozen(kw_only=True)
class BoiAnswer:
    """What a business object said when it refused; `text` is its message, word for word."""

    object: str
    method: str
    column: str | None = None
    result: int = 0
    text: str = ""


@attrs.frozen(kw_only=True)
class Holder:
    """Who has a record open, as far as the message tells."""

    user: str | None = None
    workstation: str | None = None


class AgentError(Exception):
    """A request that cannot be served.

    Attributes:
        code: what the caller goes by.
        message: what happened and what to do; never a secret.
        boi: what Sage 100 said, when it was Sage 100 that refused.
        key: the columns of the key of the record concerned.
        holder: with `RECORD_LOCKED`, who has it.
        retry_after: seconds to wait, when other than usual for the code.
        poisons: the session this happened in must not be used again.
        allowed: the methods that an address takes, where another was sent; the status is 405 then.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        boi: BoiAnswer | None = None,
        key: Mapping[str, str] | None = None,
        holder: Holder | None = None,
        retry_after: int | None = None,
        poisons: bool = False,
        allowed: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message
        self.boi = boi
        self.key = key
        self.holder = holder
        self.retry_after = retry_after or kind_of(code).retry_after
        self.poisons = poisons
        self.allowed = allowed
        self.status = 405 if allowed else kind_of(code).status

    def body(self, request_id: str) -> dict[str, object]:
        """The body of the answer."""
        boi = self.boi and {
            "object": self.boi.object,
            "method": self.boi.method,
            "column": self.boi.column,
            "result": self.boi.result,
            "lastErrorMsg": self.boi.text,
        }
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "retryable": kind_of(self.code).retryable,
                "requestId": request_id,
                "boi": boi,
                "key": None if self.key is None else dict(self.key),
                "lock": None if self.holder is None else attrs.asdict(self.holder),
            }
        }
