"""SYSPRO's OData service: read-only, Basic authentication, types from `$metadata`.

Only what OData 4 itself says is relied on: the service's paths, links and error bodies were never recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from urllib.parse import quote

import attrs

from ..._http import HttpClient, HttpReply, looks_like_html, retry_after
from ..._secret import Secret
from ...auth import BasicLogin
from ...errors import (
    ConfigurationError,
    ContractError,
    MLConnectorError,
    PermissionDeniedError,
    RateLimitError,
    ServerFaultError,
    UnavailableError,
)
from ...models import StreamName
from ...network import Network
from ...protocols import Clock, WaitListener
from ...retry import RetryPolicy
from .. import _odata as odata
from .._base import placed
from .._values import Row
from ._tables import AR_CUSTOMER, SYSTEM, Condition, Greeting, Query, Value

__all__ = ["ODataTables", "SysproOData"]

_LONGEST_QUERY = 2000
"""IIS refuses a query string of more than 2,048 characters unless set up otherwise."""

_MOST_ROWS = 5000
"""Third parties say that the service gives no more at once."""

_MOST_DIGITS = 100
_NUMBERS = frozenset({"Int16", "Int32", "Int64", "Byte", "SByte", "Decimal", "Double", "Single"})


@attrs.frozen
class SysproOData:
    """Where and as whom to read SYSPRO's OData service (SYSPRO 8, the module "Data Connector - OData").

    Args:
        odata_root: the full address below which `/$metadata` and `/ArCustomer` answer, company included, such as
            `https://erp.example.com/SYSPRO8Odata/SYSPROOData/EDU1`. It is used as it stands.
        username: the operator, set up for OData in Operator Maintenance.
        password: the OData password generated there; the operator's logon password is another one.
        delta_column: a column of the site's own that says when a row was changed (a date, a time or a counter), for
            `customers`, or by stream: `{"customers": "ChangedOn", "orders": "InvoiceDate"}`. Without one each read
            is a full scan, because SYSPRO's own tables have no such column.
        entity_sets: the entity set of a table, where it does not bear the table's name: a custom view instead of
            `ArCustomer`, or a table with a plus in its name, which OData cannot write.
        timeout: seconds to wait for an answer.
        network: whom to trust, and how much of an answer is read.

    Example:
        >>> SysproOData("https://erp.example.com/SYSPRO8Odata/SYSPROOData/EDU1", username="MAILSYNC", password="secret")
        SysproOData(odata_root='https://erp.example.com/SYSPRO8Odata/SYSPROOData/EDU1', username='MAILSYNC')
    """

    odata_root: str
    username: str = attrs.field(kw_only=True, validator=attrs.validators.min_len(1))
    password: str | Secret = attrs.field(kw_only=True, repr=False)
    delta_column: str | Mapping[StreamName, str] | None = attrs.field(default=None, kw_only=True, repr=False)
    entity_sets: Mapping[str, str] = attrs.field(factory=dict, kw_only=True, repr=False)
    timeout: float = attrs.field(default=120.0, kw_only=True, repr=False, validator=attrs.validators.gt(0))
    network: Network = attrs.field(factory=Network, kw_only=True, repr=False)

    def connect(self, retry: RetryPolicy) -> ODataTables:
        """The live connection; nothing is sent yet."""
        return ODataTables(self, retry)


@attrs.frozen(kw_only=True)
class EntitySet:
    """An entity set and the types of its properties, whose names are those of the columns."""

    name: str
    types: Mapping[str, str]


class ODataTables:
    """Tables of one company through OData."""

    has_business_objects = False

    def __init__(self, api: SysproOData, retry: RetryPolicy) -> None:
        self._given = {table.lower(): name for table, name in api.entity_sets.items()}
        login = BasicLogin(username=api.username, password=api.password)
        self._http = HttpClient(
            SYSTEM,
            api.odata_root,
            judge=_judged,
            auth=login.flow(system=SYSTEM),
            timeout=api.timeout,
            retry=retry,
            max_connections=1,
            network=api.network,
        )
        self._all: Mapping[str, EntitySet] | None = None
        self._sets: dict[str, EntitySet] = {}

    @property
    def address(self) -> str:
        return self._http.base_url

    @property
    def request_count(self) -> int:
        return self._http.request_count

    def attach(self, *, retry: RetryPolicy | None, on_wait: WaitListener | None, clock: Clock | None) -> None:
        """Take over an engine's wishes."""
        self._http.retry = retry or self._http.retry
        self._http.on_wait = on_wait

    def session(self) -> nullcontext[None]:
        """Each request stands for itself."""
        return nullcontext()

    def known_columns(self, table: str, *, retry: RetryPolicy | None = None) -> Mapping[str, str]:
        """Our columns of a table with their EDM types, without the prefix.

        Raises:
            ContractError: the service has no such table.
        """
        return self._set(table, retry).types

    def rows(self, query: Query, *, retry: RetryPolicy | None = None) -> list[Row]:
        """The rows, numbers exact."""
        place = self._set(query.table.name, retry)
        operation = f"GET {place.name}"
        reply = self._http.request("GET", self._target(query), operation=operation, retry=retry)
        with placed(SYSTEM, operation):
            return odata.collection_in(reply).rows

    def fits(self, query: Query) -> bool:
        """Whether the query string stays within what IIS takes."""
        return len(self._target(query).partition("?")[2]) <= _LONGEST_QUERY

    def ask(self, business_object: str, xml: str, *, retry: RetryPolicy | None = None) -> bytes:
        """There are no business objects.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError("OData has no business objects: use SysproENet", system=SYSTEM)

    def now(self, *, retry: RetryPolicy | None = None) -> datetime | None:
        """What the service's `Date` header says."""
        query = Query(table=attrs.evolve(AR_CUSTOMER, needed=(), welcome=()), rows=1)
        return self._http.request("GET", self._target(query), operation="GET ArCustomer", retry=retry).date

    def greet(self) -> Iterator[Greeting]:
        """`$metadata`, which takes address and password in one go."""
        yield Greeting(
            what="address and sign-in",
            attempt=lambda retry: f"{len(self._metadata(retry))} entity sets",
            cure="use the operator's OData password (Operator Maintenance), which is not the logon password; a newly "
            "enabled operator may need a restart of the service",
        )

    def close(self) -> None:
        """Close connections; harmless when repeated."""
        self._http.close()

    # -- asking -----------------------------------------------------------------------------------------------------

    def _target(self, query: Query) -> str:
        place = self._set(query.table.name, None)
        joiner = " or " if query.any_of else " and "
        options = {
            "$filter": joiner.join(_term(place, condition) for condition in query.conditions),
            "$orderby": ",".join(query.table.key),
            "$top": str(min(query.rows, _MOST_ROWS)),
        }
        select = {"$select": ",".join(query.table.columns)}
        path = f"/{quote(place.name, safe='')}?"
        text = odata.query_text({**select, **options})
        # Without a selection all columns come, which is better than being refused for length.
        return path + (text if len(text) <= _LONGEST_QUERY else odata.query_text(options))

    def _metadata(self, retry: RetryPolicy | None) -> Mapping[str, EntitySet]:
        if self._all is None:
            reply = self._http.request(
                "GET", "/$metadata", operation="GET $metadata", headers={"Accept": "application/xml"}, retry=retry
            )
            with placed(SYSTEM, "GET $metadata"):
                found = odata.properties_in(reply.body)
            self._all = {name.lower(): EntitySet(name=name, types=types) for name, types in found.items()}
        return self._all

    def _set(self, table: str, retry: RetryPolicy | None) -> EntitySet:
        if table not in self._sets:
            offered = self._metadata(retry)
            names = [self._given[table.lower()]] if table.lower() in self._given else _candidates(table)
            found = next((offered[name.lower()] for name in names if name.lower() in offered), None)
            if found is None:
                raise ContractError(
                    f"the service has no entity set for {table}: set the operator up for it, or name it in entity_sets",
                    reason="no_table",
                )
            self._sets[table] = found
        return self._sets[table]


def _candidates(table: str) -> list[str]:
    """What a table may be called; a plus cannot stand in an OData name."""
    if table.endswith("+"):
        stem = table.removesuffix("+")
        names = [table, f"{stem}_", f"{stem}Plus", f"{stem}_Plus"]
    else:
        names = [table]
    return [*names, *(f"{name}s" for name in names)]


def _term(place: EntitySet, condition: Condition) -> str:
    literal = _literal(place.types.get(condition.column, "").rpartition(".")[2], condition)
    return f"{condition.column} {condition.operator} {literal}"


def _literal(kind: str, condition: Condition) -> str:
    value: Value = condition.value
    if isinstance(value, datetime):
        return odata.moment_literal(value)
    if isinstance(value, date):
        if kind == "Date":
            return odata.day_literal(value)
        # Days come as midnights of the server's zone, which may lie before Greenwich's.
        return odata.midnight_literal(value - timedelta(days=1))
    if kind in _NUMBERS:
        return _number(value)
    return odata.text_literal(str(value))


def _number(value: str | int | Decimal) -> str:
    """A number bare; what is none equals none."""
    try:
        number = value if isinstance(value, int) else Decimal(value.strip() or 0 if isinstance(value, str) else value)
    except InvalidOperation:
        return "null"
    if isinstance(number, Decimal) and not (number.is_finite() and abs(number.adjusted()) <= _MOST_DIGITS):
        return "null"
    return odata.number_literal(number)


def _judged(reply: HttpReply, _: str) -> MLConnectorError | None:
    """The error an answer means. Error bodies may name values of records, so their texts stay out."""
    status = reply.status
    if status < 300 and not looks_like_html(reply):
        return None
    if 300 <= status < 400:
        return ConfigurationError("the service redirects: use the address it stands at, perhaps with https://")
    if status == 403:
        return PermissionDeniedError("the operator may not read this: set it up for OData in Operator Maintenance")
    if status == 429:
        return RateLimitError("too many requests", retry_after=retry_after(reply))
    if status in {408, 502, 503, 504}:
        return UnavailableError("the service is not available at the moment", retry_after=retry_after(reply))
    return _failed(reply)


def _failed(reply: HttpReply) -> MLConnectorError:
    if reply.status == 404:
        return ContractError(
            "nothing is at this address: odata_root must be the address below which /$metadata and /ArCustomer answer, "
            "company included",
            reason="not_found",
        )
    if reply.status < 300:
        return UnavailableError(
            "a web page came instead of data: the service is starting, or this is not its address",
            retry_after=retry_after(reply),
            reason="web_page",
        )
    code = odata.fault_in(reply).code
    shown = f" ({code})" if code.isascii() and 0 < len(code) <= 40 else ""
    if reply.status >= 500:
        return ServerFaultError(f"the service failed{shown}", retry_after=retry_after(reply))
    return ContractError(f"the service refuses the request{shown}", reason="refused")
