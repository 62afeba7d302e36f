"""One company's customers, contacts and open sales orders through the web services."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from typing import TypeAlias

from ..._stopping import carried
from ...errors import (
    ContractError,
    MLConnectorError,
    RecordError,
    RecordNotFoundError,
    RecordRejectedError,
    ServerFaultError,
    TransientError,
)
from ...models import CheckResult
from ...protocols import Clock, WaitListener
from ...retry import RetryPolicy
from .._checks import ONCE, tried
from .._values import Row
from ._api import CUSTOMER, CUSTOMER_CONTACT, SYSTEM, UNREAD, Key, KnownKeys, Table
from ._discovery import TABLES, Clues, Discovery
from ._soap_faults import DATA_REASONS, LOCKED, not_exposed
from ._soap_flag import set_column
from ._soap_rows import bare
from ._soap_service import Service
from ._stamps import Stamp

__all__ = ["SoapConnection"]

_Found: TypeAlias = Row | MLConnectorError | None

_PAGE = 100
_BATCHES = 8
"""Calls that each of those under way at once makes before the next keys are taken."""

_MOST_FAILURES = 5
"""Records in a row that may fail before it is the service that fails."""

_NOBODY = "ZZNOONE"


class SoapConnection:
    """See `Connection`.

    Args:
        probe: the customer to ask for where it does not matter which.
    """

    tables = frozenset(table.name for table in TABLES.values())

    def __init__(self, service: Service, *, clues: Clues, parallel: int, probe: Key) -> None:
        self._service = service
        self._clues = clues
        self._parallel = parallel
        self._probe = probe
        self._discovery = Discovery(self._read, clues)
        self._pool: ThreadPoolExecutor | None = None
        self._exposed: set[tuple[str, str]] = set()

    @property
    def address(self) -> str:
        return self._service.address

    @property
    def request_count(self) -> int:
        return self._service.http.request_count

    def attach(self, *, retry: RetryPolicy | None, on_wait: WaitListener | None, clock: Clock | None) -> None:
        """Take over an engine's wishes."""
        http = self._service.http
        http.retry, http.on_wait = retry or http.retry, on_wait or http.on_wait

    def attach_keys(self, known: KnownKeys) -> None:
        """Take note of what tells the keys known from earlier runs."""
        self._discovery.attach(known)

    def now(self, *, retry: RetryPolicy | None = None) -> datetime | None:
        """What the server's `Date` header says."""
        return self._service.information(retry).now

    def close(self) -> None:
        """End the workers and close connections; there is nothing to sign out of."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)
        self._service.close()

    # -- reading ----------------------------------------------------------------------------------------------------

    def pages(self, table: Table, since: Stamp | None) -> Iterator[list[Row]]:
        """Every row that can be found; what is known and was not changed since is left out.

        Raises:
            ConfigurationError: a column of the site's own does not come along.
        """
        return self._paged(table, self._discovery.rows(table, since))

    def of(self, table: Table, keys: Sequence[Key]) -> Iterator[list[Row]]:
        """The rows with these keys as they are now."""
        return self._paged(table, (row for _, row in self._read(table, keys) if row is not None))

    def _paged(self, table: Table, rows: Iterator[Row]) -> Iterator[list[Row]]:
        while page := list(islice(rows, _PAGE)):
            self._insist_on(table, page)
            yield page

    def _read(self, table: Table, keys: Iterable[Key]) -> Iterator[tuple[Key, Row | None]]:
        """Rows by key, in order, a few calls at a time. A record that cannot be read comes as a row that says why."""

        def attempt(key: Key) -> _Found:
            return self._attempt(table, key)

        waiting, failures = iter(keys), 0
        while batch := list(islice(waiting, self._parallel * _BATCHES)):
            for key, found in zip(batch, self._each(attempt, batch), strict=True):
                failures = failures + 1 if isinstance(found, MLConnectorError) else 0
                if isinstance(found, MLConnectorError):
                    yield key, self._set_aside(table, key, found, failures)
                else:
                    yield key, found

    def _each(self, function: Callable[[Key], _Found], keys: Sequence[Key]) -> Iterator[_Found]:
        if min(self._parallel, len(keys)) == 1:
            return map(function, keys)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._parallel, thread_name_prefix="sage100")
        return self._pool.map(carried(function), keys)

    def _attempt(self, table: Table, key: Key) -> _Found:
        """The row, or the error that concerns this record alone."""
        try:
            return self._service.row(table, key)
        except RecordNotFoundError:
            return None
        except (RecordError, ServerFaultError) as error:
            return error
        except (TransientError, ContractError) as error:
            # Held by somebody, or an answer with a value in it that is none.
            if error.reason not in {LOCKED, "soap"}:
                raise
            return error

    def _set_aside(self, table: Table, key: Key, error: MLConnectorError, failures: int) -> Row:
        if failures >= _MOST_FAILURES:
            if isinstance(error, (TransientError, ContractError)):
                raise error
            raise ContractError(
                f"one record after the other is refused, at last with: {error.message}",
                system=SYSTEM,
                operation=error.operation,
                status_code=error.status_code,
                reason=error.reason,
            )
        where = f"company {self._service.company}, {table.name} {table.text_of(key)}"
        return {**dict(zip(table.key, key, strict=True)), UNREAD: [error.reason, f"{where}: {error.message}"]}

    def _insist_on(self, table: Table, rows: Sequence[Row]) -> None:
        """Columns of the site's own come only when they are exposed: an opt-out must not vanish that way unseen."""
        readable = [row for row in rows if UNREAD not in row]
        for name in map(bare, table.needed):
            if (table.name, name) in self._exposed or not readable:
                continue
            if not any(name in row for row in readable):
                raise not_exposed(name, table)
            self._exposed.add((table.name, name))

    # -- writing ----------------------------------------------------------------------------------------------------

    def set_column(self, customer: Key, column: str, value: str) -> bool:
        """Write one column of a customer; see `Connection`."""
        return set_column(self._service, customer, column, value)

    # -- checking ---------------------------------------------------------------------------------------------------

    def greet(self) -> Iterator[CheckResult]:
        """The service without a logon, then the logon."""
        yield tried(SYSTEM, f"address {self.address}", self._greeting, cure="check wsdl_url")
        yield tried(SYSTEM, "sign-in", self._sign_in, cure="check the company's code, and user and password")

    def try_out(self, table: Table, retry: RetryPolicy) -> str:
        """Read one record that is known, or ask for one that is not there."""
        self._insist_on(table, self._asked(table, self._discovery.sample(table) or self._absent(table), retry))
        return f"{table.name}, by exact key only"

    def remarks(self) -> Iterator[CheckResult]:
        """What this API cannot see, each with what helps."""
        blind = self._discovery.blind()
        yield CheckResult(
            system=SYSTEM,
            what="where to begin",
            ok=not blind,
            detail="no record is known, and none can be listed" if blind else "there are keys to ask for",
            cure="give first_order, first_customers or keys",
        )
        gap = self._clues.gap
        for what, detail in {
            "new customers": f"found by their orders, or by numbers within {gap} of a known one; others only if "
            "keys= names them",
            "completed orders": "gone from the list of open orders, so what happens to an order at its end is not seen",
            "older orders": f"only the last {self._clues.recent_orders} known are read again",
            "deletions": "noticed by full scans only, key by key; under a new number a customer is a new one",
            "contacts": "only the primary one of each customer, those met before, and those in keys=",
            "suppliers, invoices, history": "not in this API; the agent has them",
            "encrypted personal data": "that a customer was made unreadable is not told by this API",
        }.items():
            yield CheckResult(system=SYSTEM, what=f"not seen: {what}", ok=True, detail=detail)

    def _greeting(self) -> str:
        information = self._service.information(ONCE)
        return f"contract version {information.version}, assembly {information.assembly}"

    def _sign_in(self) -> str:
        self._asked(CUSTOMER, self._probe, ONCE)
        return f"logged on to company {self._service.company}"

    def _asked(self, table: Table, key: Key, retry: RetryPolicy) -> list[Row]:
        """The row, or none: that there is no such record is an answer as well."""
        try:
            return [self._service.row(table, key, retry)]
        except RecordNotFoundError:
            return []
        except RecordRejectedError as error:
            # A key of a form that the site does not have was looked at only after the logon.
            if error.reason not in DATA_REASONS:
                raise
            return []

    def _absent(self, table: Table) -> Key:
        if table.name == CUSTOMER.name:
            return self._probe
        return (*self._probe, _NOBODY) if table.name == CUSTOMER_CONTACT.name else (_NOBODY,)
