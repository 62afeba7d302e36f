"""Every exception of the library, sorted by what the caller does next.

::

    MLConnectorError
    ├── ConfigurationError          nothing was sent: mend the settings
    │   ├── MissingDependencyError  install the named extra
    │   └── VaultError              a secret cannot be had: mend key, file or entry
    ├── TransientError              the same call may work later; `retry_after` in seconds when known
    │   ├── RateLimitError          too many calls, seats or connections
    │   ├── UnavailableError        the far side is down, in maintenance, or out of reach
    │   ├── ServerFaultError        the far side failed on this very request
    │   └── TimeoutExceededError    no answer in time; a write may have been applied
    ├── RecordError                 this record is set aside, the run goes on
    │   ├── MappingError            the record cannot be read or turned into a payload
    │   ├── RecordRejectedError     the far side refused the record
    │   └── RecordNotFoundError     the record is not (or no longer) there
    ├── FatalError                  the run stops
    │   ├── AuthenticationError     credentials, tenant or account are wrong: never retried
    │   │   └── ReauthorizationRequiredError  a person has to give consent again, in a browser
    │   ├── PermissionDeniedError   the user lacks a right, or the feature is off
    │   ├── ContractError           the far side does not speak the expected API or version
    │   ├── CursorOrderError        a source broke its own promise of order
    │   └── MassLeaveError          too many members would leave at once: confirm it, or mend what says so
    ├── StateError                  the state store refused
    │   ├── LeaseHeldError          another run of this pipeline is under way
    │   └── LeaseLostError          this run was overtaken: nothing more is committed
    └── WebhookError                a delivery that must not be trusted

All of them pickle, and carry where they come from as attributes. `InsecureTransportWarning` is no error: Python's
warnings filter decides what becomes of it.
"""

from __future__ import annotations

from typing import Any, Self

__all__ = [
    "AuthenticationError",
    "ConfigurationError",
    "ContractError",
    "CursorOrderError",
    "FatalError",
    "InsecureTransportWarning",
    "LeaseHeldError",
    "LeaseLostError",
    "MLConnectorError",
    "MappingError",
    "MassLeaveError",
    "MissingDependencyError",
    "PermissionDeniedError",
    "RateLimitError",
    "ReauthorizationRequiredError",
    "RecordError",
    "RecordNotFoundError",
    "RecordRejectedError",
    "ServerFaultError",
    "StateError",
    "TimeoutExceededError",
    "TransientError",
    "UnavailableError",
    "VaultError",
    "WebhookError",
]


class MLConnectorError(Exception):
    """The root of the tree.

    Attributes:
        message: what happened and what to check, safe to log.
        system: `"acumatica"`, `"mailchimp"`, … or `""`.
        operation: what was being done, for example `"GET Customer"`.
        status_code: the HTTP status, when there was an answer.
        request_id: the far side's id of the request; support asks for it.
        record_key: the ERP's key of the record concerned.
        reason: a short stable code for grouping, for example `"merge_field_type"`.
        report: of an error that ended a run, what the run had done by then.
    """

    default_reason = "error"

    def __init__(
        self,
        message: str,
        *,
        system: str = "",
        operation: str = "",
        status_code: int | None = None,
        request_id: str | None = None,
        record_key: str | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.system = system
        self.operation = operation
        self.status_code = status_code
        self.request_id = request_id
        self.record_key = record_key
        self.reason = reason or self.default_reason
        self.report: Any = None

    def __str__(self) -> str:
        where = " ".join(part for part in (self.system, self.operation) if part)
        facts = self._facts()
        tail = f" ({', '.join(facts)})" if facts else ""
        return f"{where}: {self.message}{tail}" if where else f"{self.message}{tail}"

    def _facts(self) -> list[str]:
        facts = [f"HTTP {self.status_code}"] if self.status_code else []
        facts += [f"request {self.request_id}"] if self.request_id else []
        facts += [f"record {self.record_key}"] if self.record_key else []
        return facts

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, dict(self.__dict__))

    def about(self, record_key: str) -> Self:
        """The same error, naming the record it concerns."""
        self.record_key = record_key
        return self


def _rebuild(kind: type[MLConnectorError], message: str, state: dict[str, Any]) -> MLConnectorError:
    error = kind.__new__(kind, message)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class ConfigurationError(MLConnectorError):
    """Nothing was sent: a setting is missing or wrong, and the message names it."""

    default_reason = "configuration"


class MissingDependencyError(ConfigurationError):
    """An optional library is not installed; the message names the extra."""

    default_reason = "missing_dependency"


class VaultError(ConfigurationError):
    """A secret cannot be read or kept; the message names the entry and the cure, and never the secret.

    `reason` tells apart: `no_secret` (none of that name), `wrong_key`, `changed` (an entry is not what was sealed under
    its name), `no_key`, `vault_file`, and `secret` (a value or a name that cannot be kept).
    """

    default_reason = "vault"


class TransientError(MLConnectorError):
    """The same call may work later.

    Attributes:
        retry_after: seconds the far side asked us to wait, or `None`.
    """

    default_reason = "transient"

    def __init__(self, message: str, *, retry_after: float | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.retry_after = retry_after

    def _facts(self) -> list[str]:
        return [*super()._facts(), *([f"wait {self.retry_after:.0f} s"] if self.retry_after else [])]


class RateLimitError(TransientError):
    """Too many calls, sessions or connections: slow down."""

    default_reason = "rate_limited"


class UnavailableError(TransientError):
    """The far side is down, in maintenance or out of reach."""

    default_reason = "unavailable"


class ServerFaultError(TransientError):
    """The far side failed on this very request; after a few tries the record is suspected, not the network."""

    default_reason = "server_fault"


class TimeoutExceededError(TransientError):
    """No answer in time; a write may have been applied, so only repeatable writes are sent again."""

    default_reason = "timeout"


class RecordError(MLConnectorError):
    """One record cannot be loaded: it is set aside as a dead letter and the run goes on."""

    default_reason = "record"


class MappingError(RecordError):
    """The record cannot be read, or cannot be turned into what the sink needs."""

    default_reason = "mapping"


class RecordRejectedError(RecordError):
    """The far side refused the record for good."""

    default_reason = "rejected"


class RecordNotFoundError(RecordError):
    """The record is not, or no longer, on the far side."""

    default_reason = "not_found"


class FatalError(MLConnectorError):
    """The run stops; repeating it unchanged would fail again."""

    default_reason = "fatal"


class AuthenticationError(FatalError):
    """Credentials, tenant or account are wrong. Never retried: several of these systems lock the account."""

    default_reason = "authentication"


class ReauthorizationRequiredError(AuthenticationError):
    """The consent has ended or its last token was lost: a person has to authorise again. No program can mend it."""

    default_reason = "reauthorization_required"


class PermissionDeniedError(FatalError):
    """The user lacks a right, or the feature is switched off; the message names the screen or entity."""

    default_reason = "permission"


class ContractError(FatalError):
    """The far side does not speak the API, version or shape that was expected."""

    default_reason = "contract"


class CursorOrderError(FatalError):
    """A source that promised ordered rows stepped back; the message names both values."""

    default_reason = "cursor_order"


class MassLeaveError(FatalError):
    """More members would leave in one run than `policy.most_leaving` allows: somebody has to confirm it."""

    default_reason = "mass_leave"


class StateError(MLConnectorError):
    """The state store refused or cannot be used."""

    default_reason = "state"


class LeaseHeldError(StateError):
    """Another run of this pipeline is under way; the message names its owner and when its lease expires."""

    default_reason = "lease_held"


class LeaseLostError(StateError):
    """This run's lease expired and was taken over: nothing more of it is committed."""

    default_reason = "lease_lost"


class WebhookError(MLConnectorError):
    """A webhook delivery that must not be trusted: signature missing, wrong or too old."""

    default_reason = "webhook"


class InsecureTransportWarning(UserWarning):
    """TLS certificates are not verified, because `Network(trust_any_certificate=True)` says so."""
