"""Marking a customer: read, change one column, look once more, write the whole.

The service knows no token against writing over another's change, so `DateTimeUpdated` is compared right before. What
was read is sent back as it came, because members that may only be read must hold what they held, and because it is not
established that a customer with some of its members is accepted.
"""

from __future__ import annotations

from typing import Any, Protocol

from ...errors import ConfigurationError, RecordRejectedError, UnavailableError
from ...retry import RetryPolicy
from ._api import CUSTOMER, SYSTEM, Key, Table
from ._soap_faults import not_exposed
from ._soap_rows import FIELD_NAME, FIELD_VALUE, OTHER_FIELDS, bare

__all__ = ["set_column"]

_TRIES = 3
_READ_ONLY = frozenset({*CUSTOMER.key, "DateTimeCreated", "DateTimeUpdated", "UserCreatedKey", "UserUpdatedKey"})


class Customers(Protocol):
    """What reads and writes customers whole."""

    def record(self, table: Table, key: Key, retry: RetryPolicy | None = None) -> Any:
        """A customer as it came."""
        ...

    def update(self, customer: Any) -> None:
        """Write it."""


def set_column(customers: Customers, key: Key, column: str, value: str) -> bool:
    """Write one column, unless it holds the value; says whether it was written.

    Raises:
        ConfigurationError: the service does not show the column, or it must not be written.
        RecordNotFoundError, RecordRejectedError: the customer is gone, or is refused.
        TransientError: somebody holds the customer, or it keeps changing.
    """
    before = customers.record(CUSTOMER, key)
    for _ in range(_TRIES):
        if _value(before, column) == value:
            return False
        now = customers.record(CUSTOMER, key)
        if _stamp(now) == _stamp(before):
            _write(customers, key, now, column, value)
            return True
        before = now
    raise UnavailableError("the customer is being changed all the time", system=SYSTEM, reason="changing").about(
        CUSTOMER.text_of(key)
    )


def _write(customers: Customers, key: Key, customer: Any, column: str, value: str) -> None:
    holder, name = _place(customer, column)
    holder[name] = value
    try:
        customers.update(customer)
    except RecordRejectedError:
        # A repeat after a lost answer is refused, because the stamps that it holds are old by then.
        if _value(customers.record(CUSTOMER, key), column) != value:
            raise


def _place(customer: Any, column: str) -> tuple[Any, str]:
    """What holds the column, and under which name."""
    wanted = bare(column)
    for field in _fields(customer):
        if bare(field[FIELD_NAME]).upper() == wanted.upper():
            return field, FIELD_VALUE
    if wanted in _READ_ONLY or wanted == OTHER_FIELDS:
        raise ConfigurationError(f"{wanted} may only be read: name another column", system=SYSTEM)
    if wanted in customer:
        return customer, wanted
    raise not_exposed(wanted, CUSTOMER)


def _fields(customer: Any) -> list[Any]:
    """The columns of the site's own, whether they come as a list or as one alone."""
    if OTHER_FIELDS not in customer:
        return []
    holder = customer[OTHER_FIELDS]
    if holder and not isinstance(holder, list) and FIELD_NAME not in holder:
        holder = next((holder[name] for name in holder), None)
    if not holder:
        return []
    return list(holder) if isinstance(holder, list) else [holder]


def _value(customer: Any, column: str) -> str:
    holder, name = _place(customer, column)
    return str(holder[name] or "").strip(" \0")


def _stamp(customer: Any) -> tuple[Any, Any]:
    return customer["DateTimeUpdated"], customer["UserUpdatedKey"]
