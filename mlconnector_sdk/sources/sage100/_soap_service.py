"""Calls of the web services: user and password with each, and what their answers are as rows."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import attrs

from ..._http import HttpClient, HttpReply
from ..._secret import Secret, revealed
from ...errors import AuthenticationError, ContractError, MLConnectorError
from ...network import Network
from ...retry import RetryPolicy
from .._soap import SoapService, plain
from .._values import Row
from ._api import CUSTOMER, CUSTOMER_CONTACT, SALES_ORDER, SYSTEM, Key, Table
from ._soap_faults import BASIC_ENTRY_POINT, Verdicts
from ._soap_rows import row_of

__all__ = ["ContractInformation", "Service"]

_OPERATIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    CUSTOMER.name: ("GetCustomer", ("arDivisionNo", "customerNo")),
    CUSTOMER_CONTACT.name: ("GetCustomerContact", ("arDivisionNo", "customerNo", "contactCode")),
    SALES_ORDER.name: ("GetSalesOrder", ("salesOrderNo",)),
}
_INFORMATION = "GetContractInformation"
_UPDATE = "UpdateCustomer"


@attrs.frozen(kw_only=True)
class ContractInformation:
    """What the service says of itself.

    Attributes:
        null: what it writes for no date.
        now: the clock of the server, aware UTC, if it tells.
    """

    version: str
    assembly: str
    null: datetime | None
    now: datetime | None


class Service:
    """One company through one entry point. Reads, and writes customers; calls nothing that uses up numbers."""

    def __init__(
        self,
        wsdl_url: str,
        *,
        base_url: str | None,
        username: str,
        password: str | Secret,
        company: str,
        timeout: float,
        network: Network,
        lock_patterns: tuple[str, ...],
        connections: int,
        retry: RetryPolicy,
    ) -> None:
        wsdl, base = urlsplit(wsdl_url), urlsplit(base_url or wsdl_url)
        self.company = company
        self._username, self._password = username, password
        self._revealed: str | None = None
        self._verdicts = Verdicts(company=company, lock_patterns=lock_patterns)
        self.http = HttpClient(
            SYSTEM,
            f"{base.scheme}://{base.netloc}",
            judge=self._judged,
            timeout=timeout,
            retry=retry,
            headers={"Accept": "text/xml"},
            max_connections=connections,
            network=network,
        )
        self.address = self.http.base_url + wsdl.path
        self._service = SoapService(
            self.http,
            wsdl=f"{wsdl.path}?{wsdl.query}" if wsdl.query else wsdl.path,
            path=wsdl.path,
            documents=wsdl.path.rpartition("/")[0] + "/",
        )
        self._first_logon = threading.Lock()
        self._accepted = False
        self._refusal: AuthenticationError | None = None
        self._server_time: datetime | None = None
        self._information: ContractInformation | None = None

    def information(self, retry: RetryPolicy | None = None) -> ContractInformation:
        """What the service says of itself; it needs no logon."""
        with self._known_description():
            told = plain(self._service.call(_INFORMATION, operation=_INFORMATION, retry=retry)) or {}
        null = told.get("NullDateTime")
        self._information = ContractInformation(
            version=str(told.get("ContractVersion") or "unknown"),
            assembly=str(told.get("AssemblyVersion") or "unknown"),
            null=null if isinstance(null, datetime) else None,
            now=self._server_time,
        )
        return self._information

    def row(self, table: Table, key: Key, retry: RetryPolicy | None = None) -> Row:
        """A row by its key.

        Raises:
            RecordNotFoundError: there is none.
            RecordError: Sage 100 does not give it.
        """
        value = self.record(table, key, retry)
        information = self._information or self.information(retry)
        return row_of(plain(value), information.null)

    def record(self, table: Table, key: Key, retry: RetryPolicy | None = None) -> Any:
        """The same as it came, which can be changed and sent back."""
        operation, names = _OPERATIONS[table.name]
        value = self._called(operation, retry, **dict(zip(names, key, strict=True)))
        if value is None or _key_of(table, value) != tuple(part.upper() for part in key):
            raise ContractError(
                "another record came than was asked for", system=SYSTEM, operation=operation, reason="soap"
            )
        return value

    def update(self, customer: Any) -> None:
        """Write a customer as `record` gave it, with changes. Sent twice it does no harm."""
        self._called(_UPDATE, None, customer=customer)

    def close(self) -> None:
        """Close connections, and forget that a logon was refused: it may have been mended meanwhile."""
        self._refusal = self._revealed = None
        self.http.close()

    def _called(self, operation: str, retry: RetryPolicy | None, **parameters: Any) -> Any:
        """A call with user and password; the first one goes alone, because wrong ones may lock the user."""
        if not self._accepted:
            with self._first_logon:
                if self._refusal is not None:
                    raise self._refusal
                if not self._accepted:
                    return self._sent(operation, retry, parameters)
        return self._sent(operation, retry, parameters)

    def _sent(self, operation: str, retry: RetryPolicy | None, parameters: Mapping[str, Any]) -> Any:
        try:
            with self._known_description():
                value = self._service.call(
                    operation,
                    operation=operation,
                    retry=retry,
                    logon=self._logon(),
                    companyCode=self.company,
                    **parameters,
                )
        except AuthenticationError as error:
            self._refusal, self._accepted = error, False
            raise
        self._accepted = True
        return value

    def _logon(self) -> dict[str, str]:
        if self._revealed is None:
            self._revealed = revealed(self._password)
        return {"Username": self._username, "Password": self._revealed}

    @contextmanager
    def _known_description(self) -> Iterator[None]:
        try:
            yield
        except ContractError as error:
            if error.reason == "no_soap11" and BASIC_ENTRY_POINT not in error.message:
                raise ContractError(
                    f"{self.address} is an entry point of SOAP 1.2 (WS-*): {BASIC_ENTRY_POINT}",
                    system=SYSTEM,
                    operation=error.operation,
                    reason=error.reason,
                ) from None
            raise

    def _judged(self, reply: HttpReply, operation: str) -> MLConnectorError | None:
        self._server_time = reply.date or self._server_time
        return self._verdicts.judge(reply, operation)


def _key_of(table: Table, value: Any) -> Key:
    parts = (getattr(value, name, None) for name in table.key)
    return tuple(str(part or "").strip(" \0").upper() for part in parts)
