"""Sage 100 as a source of customers, contacts, suppliers and orders."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from ...cursors import CursorValue, Window
from ...errors import ConfigurationError, ContractError, RecordNotFoundError
from ...models import STREAMS, CheckResult, Page, Record, StreamName, StreamSpec, Suppression
from ...retry import RetryPolicy
from .._base import ErpSource, page_of, placed, zone_named
from .._checks import ONCE, skew, tried
from .._settings import OptOutField, PartyStatus, opt_outs, own_fields, require
from .._values import Row
from ._api import (
    CUSTOMER,
    CUSTOMER_CONTACT,
    GL_ACCOUNT,
    INVOICE_HISTORY,
    ORDER_HISTORY,
    SALES_ORDER,
    SYSTEM,
    UNREAD,
    VENDOR,
    Api,
    Connection,
    KnownKeys,
    Table,
)
from ._ledger import Ledger
from ._records import STATUSES, Reader
from ._stamps import Stamp, earliest_stamp

__all__ = ["Sage100"]

Documents = Literal["sales_orders", "order_history", "invoices"]

_DOCUMENTS: Mapping[Documents, Table] = {
    "sales_orders": SALES_ORDER,
    "order_history": ORDER_HISTORY,
    "invoices": INVOICE_HISTORY,
}
_CURSOR = "DateUpdated, TimeUpdated"
_COLUMN = re.compile(r"\w+\$?", re.ASCII)


class Sage100(ErpSource[Connection]):
    """Reads a company of Sage 100 (US; once MAS 90 and MAS 200). Writes nothing but one flag, where it is told to.

    Streams: `customers` (AR_Customer), `contacts` (AR_CustomerContact), `suppliers` (AP_Vendor) and `orders` (sales
    orders, their history, or invoices). What was changed is told by date and time of the last change, or of creation,
    by the server's wall clock. Each window steps back by `overlap`, which covers the hour that comes twice in autumn
    and clocks that differ; what was read before costs no writes.

    Args:
        company: the company code, three characters.
        api: `Sage100Agent`, which sees everything, or `Sage100Soap` (eBusiness Web Services), which can list nothing
            and is told or guesses the keys.
        timezone: IANA name of the zone of the server.
        orders: which documents feed `orders`: `"sales_orders"` (open ones: they leave the table when they are
            completed), `"order_history"`, or `"invoices"` (posted ones).
        optout_field: the site's own do-not-mail column of customers, such as `"UDF_DO_NOT_EMAIL"`, or a function over
            the raw row; or such a value for each stream. Anything but a clear no counts as an opt-out. Sage 100 has
            no column of its own for that.
        flag_field: the column of customers that `flag` sets; mostly that of `optout_field`.
        flag_value: what it is set to.
        status_field: the column of customers that says who is inactive.
        statuses: its values to `active`, `inactive` or `on_hold`, added to the usual `A`, `I` and `T`.
        exclude_keys: customers that are left out, with their contacts and documents: `["00-CRMPROS"]` for the one that
            Sage CRM keeps all its prospects under.
        gl_accounts: columns of customers that hold account keys of the general ledger; the accounts, as people write
            them, are in `record.raw["GL_Account"]`, by column.
        custom_fields: further columns (UDFs) for each stream; find them in `record.raw`.
        overlap: how far a window steps back behind the mark.
        full_scan_every: how often everything is read; `None` for never. It finds what was deleted or renumbered.
        retry: the retry loop's limits.

    Raises:
        ConfigurationError: an argument is wrong. Nothing is sent before the first read or `check`.

    Example:
        >>> from mlconnector_sdk.sources.sage100 import Sage100Agent
        >>> api = Sage100Agent("https://erp.example.com", token="secret")
        >>> source = Sage100(company="ABC", api=api, timezone="America/Chicago")
        >>> source
        <Sage100 https://erp.example.com/sage100/v1 ABC>
        >>> source.close()
    """

    system = SYSTEM

    def __init__(
        self,
        *,
        company: str,
        api: Api,
        timezone: str = "UTC",
        orders: Documents = "sales_orders",
        optout_field: OptOutField | Mapping[StreamName, OptOutField] | None = None,
        flag_field: str | None = None,
        flag_value: str = "Y",
        status_field: str = "CustomerStatus",
        statuses: Mapping[str, PartyStatus] | None = None,
        exclude_keys: Collection[str] = (),
        gl_accounts: Sequence[str] = (),
        custom_fields: Mapping[StreamName, Sequence[str]] | None = None,
        overlap: timedelta = timedelta(minutes=90),
        full_scan_every: timedelta | None = timedelta(days=7),
        retry: RetryPolicy = RetryPolicy(),
    ) -> None:
        code = company.strip().upper()
        valid = re.fullmatch(r"[A-Z0-9]{3}", code)
        require(valid is not None, "company must be the company code of three characters, as ABC", system=SYSTEM)
        require(orders in _DOCUMENTS, f"orders must be one of {', '.join(_DOCUMENTS)}", system=SYSTEM)
        require(overlap >= timedelta(0), "overlap must not be negative", system=SYSTEM)
        require(not isinstance(gl_accounts, str), "gl_accounts must be a list of columns", system=SYSTEM)
        require(bool(flag_value), "flag_value must not be empty", system=SYSTEM)
        self._zone = zone_named(timezone, system=SYSTEM)
        self._excluded = _customers_in(exclude_keys)
        self._flag_field, self._flag_value = _column(flag_field) if flag_field else None, flag_value
        # A column's name belongs to one table; only a function can judge rows of any.
        own_tests = {"customers": optout_field} if isinstance(optout_field, str) else optout_field
        tests, needed = opt_outs(own_tests, system=SYSTEM, reader=_cell)  # type: ignore[arg-type]
        self._reader = Reader(
            zone=self._zone,
            status_field=_column(status_field),
            statuses={**STATUSES, **{value.strip().upper(): status for value, status in (statuses or {}).items()}},
            opt_outs=tests,
        )
        further = own_fields(custom_fields or {}, system=SYSTEM)
        super().__init__(api.connect(company=code, zone=self._zone, retry=retry), network=api.network)
        self._tables = self._with_own_columns(
            self._readable(orders),
            {stream: (*needed.get(stream, ()), *further.get(stream, ())) for stream in STREAMS},
            gl_accounts,
        )
        self._ledger = self._open_ledger(gl_accounts)
        self._proven: set[str] = set()
        self._streams = {
            stream: StreamSpec(
                name=stream,
                entity=table.name,
                cursor_field=_CURSOR,
                overlap=overlap,
                full_scan_every=full_scan_every,
            )
            for stream, table in self._tables.items()
        }

    def attach_keys(self, known: KnownKeys) -> None:
        """Which keys the pipeline has met before: what an API that cannot list goes by."""
        self._connection.attach_keys(known)

    def _tried(self) -> Iterator[CheckResult]:
        for result in self._connection.greet():
            yield result
            if not result.ok:
                return
        yield tried(SYSTEM, "clock", self._skew)
        for stream, table in self._tables.items():
            yield tried(SYSTEM, f"stream {stream}", lambda table=table: self._connection.try_out(table, ONCE))  # type: ignore[misc]
        yield from self._connection.remarks()

    def present(self, stream: StreamName) -> CursorValue | None:
        """The clock of the server; `None` where the API does not tell it."""
        self._spec(stream)
        return self._connection.now()

    def read(self, stream: StreamName, window: Window = Window()) -> Iterator[Page]:
        """Every record changed since the window's lower bound, or every record without one.

        Raises:
            PermissionDeniedError: the role of the user in Sage 100 lacks a right.
            AuthenticationError, ContractError, TransientError: see their descriptions.
        """
        table = self._table(stream)
        since = self._since(window)
        if stream == "customers":
            self._ledger.forget()
        with placed(SYSTEM, table.name):
            for rows in self._connection.pages(table, since):
                if kept := self._kept(rows):
                    yield self._page(stream, table, kept)

    def fetch(self, stream: StreamName, keys: Sequence[str]) -> Iterator[Page]:
        """The records with these keys as they are now; keys that are gone are absent."""
        table = self._table(stream)
        parts = (table.parts_of(key) for key in keys)
        wanted = dict.fromkeys(key for key in parts if key is not None)
        with placed(SYSTEM, table.name):
            for rows in self._connection.of(table, list(wanted)):
                if kept := [row for row in self._kept(rows) if table.key_of(row) in wanted]:
                    yield self._page(stream, table, kept)

    def parse(self, stream: StreamName, raw: Mapping[str, Any]) -> Record:
        """A record from a row kept in `raw`.

        Raises:
            MappingError: the row cannot be read.
        """
        table = self._table(stream)
        if stream == "orders":
            # Kept rows may come from another setting of `orders`.
            table = INVOICE_HISTORY if "InvoiceNo" in raw else SALES_ORDER if "OrderType" in raw else ORDER_HISTORY
        return self._reader.function_for(table)(dict(raw))

    # -- the flag ---------------------------------------------------------------------------------------------------

    @property
    def flagged_streams(self) -> Collection[StreamName]:
        """The streams whose records `flag` can mark: customers, with `flag_field`."""
        customers: tuple[StreamName, ...] = ("customers",)
        return customers if self._flag_field else ()

    def flag(self, stream: str, key: str, suppression: Suppression) -> None:
        """Set `flag_field` of a customer; harmless when repeated.

        Raises:
            ConfigurationError: nothing of this stream can be flagged, or the column is unknown or barred.
            RecordNotFoundError: there is no such customer any more.
            RecordRejectedError: Sage 100 refuses to write this customer.
            TransientError: somebody has it open, or keeps changing it.
        """
        if stream != "customers":
            raise ConfigurationError(f"{stream} of Sage 100 cannot be flagged: only customers can", system=SYSTEM)
        if self._flag_field is None:
            raise ConfigurationError(
                'flag_field is not set: name the column of customers to set, such as "UDF_DO_NOT_EMAIL"', system=SYSTEM
            )
        parts = CUSTOMER.parts_of(key)
        if parts is None:
            raise RecordNotFoundError("no customer has such a key", system=SYSTEM, record_key=key)
        self._connection.set_column(parts, self._flag_field, self._flag_value)

    # -- what is read -----------------------------------------------------------------------------------------------

    def _readable(self, orders: Documents) -> dict[StreamName, Table]:
        """The tables that the API can read."""
        tables: dict[StreamName, Table] = {
            "customers": CUSTOMER,
            "contacts": CUSTOMER_CONTACT,
            "suppliers": VENDOR,
            "orders": _DOCUMENTS[orders],
        }
        there = self._connection.tables
        require(
            tables["orders"].name in there,
            f"orders={orders!r} needs Sage100Agent: the web services hold open sales orders only",
            system=SYSTEM,
        )
        return {stream: table for stream, table in tables.items() if table.name in there}

    def _with_own_columns(
        self,
        tables: Mapping[StreamName, Table],
        own: Mapping[StreamName, Sequence[str]],
        gl_accounts: Sequence[str],
    ) -> dict[StreamName, Table]:
        strangers = [stream for stream, names in own.items() if names and stream not in tables]
        require(
            not strangers,
            f"optout_field or custom_fields names {', '.join(strangers)}, which this API cannot read",
            system=SYSTEM,
        )
        of_customers = [name for name in (self._flag_field, self._reader.status_field) if name]
        wanted: dict[StreamName, tuple[str, ...]] = {
            stream: tuple(own[stream]) + ((*gl_accounts, *of_customers) if stream == "customers" else ())
            for stream in tables
        }
        return {
            stream: table.with_columns(
                *(name for text in wanted[stream] if (name := _column(text)) not in table.columns)
            )
            for stream, table in tables.items()
        }

    def _open_ledger(self, columns: Sequence[str]) -> Ledger:
        require(
            not columns or GL_ACCOUNT.name in self._connection.tables,
            "gl_accounts needs Sage100Agent: the web services have no accounts",
            system=SYSTEM,
        )
        return Ledger(self._connection, [_column(name) for name in columns])

    # -- reading ----------------------------------------------------------------------------------------------------

    def _table(self, stream: StreamName) -> Table:
        self._spec(stream, " (the web services can read no others)" if stream in STREAMS else "")
        return self._tables[stream]

    def _since(self, window: Window) -> Stamp | None:
        if window.lower is None:
            return None
        if not isinstance(window.lower, datetime):
            raise ConfigurationError("the mark is no time: this state belongs to another source", system=SYSTEM)
        return earliest_stamp(window.lower, self._zone)

    def _kept(self, rows: Iterable[Row]) -> list[Row]:
        if not self._excluded:
            return list(rows)
        return [row for row in rows if CUSTOMER.text_of(CUSTOMER.key_of(row)) not in self._excluded]

    def _page(self, stream: StreamName, table: Table, rows: list[Row]) -> Page:
        self._prove(table, rows)
        if stream == "customers":
            self._ledger.add_to(rows)
        return page_of(
            stream,
            rows,
            read=self._reader.function_for(table),
            key_of=lambda row: _shown_key(table, row),
            modified=self._reader.modified,
        )

    def _prove(self, table: Table, rows: Sequence[Row]) -> None:
        """Columns of the site's own must be there: an opt-out must not vanish unseen."""
        rows = [row for row in rows if UNREAD not in row]
        if table.name in self._proven or not rows:
            return
        missing = [name for name in table.needed if not any(name in row for row in rows)]
        if missing:
            raise ContractError(
                f"{table.name} comes without {', '.join(missing)}: check the names in optout_field, flag_field, "
                "status_field, gl_accounts and custom_fields, and let the API show these columns",
                reason="unknown_column",
            )
        self._proven.add(table.name)

    def _skew(self) -> str:
        now = self._connection.now(retry=ONCE)
        if now is None:
            return "the server does not tell the time"
        return skew(now, self._clock, far_side="the server", matters="marks follow the server's clock")


def _column(name: str) -> str:
    """A column's name as tables have it: business objects write a dollar sign behind some.

    Raises:
        ConfigurationError: it is none.
    """
    require(_COLUMN.fullmatch(name) is not None, f"{name!r} is no column's name", system=SYSTEM)
    return name.removesuffix("$")


def _cell(name: str) -> Callable[[Mapping[str, Any]], Any]:
    column = _column(name)
    return lambda row: row.get(column)


def _customers_in(keys: Collection[str]) -> frozenset[str]:
    require(not isinstance(keys, str), "exclude_keys must be a list of keys", system=SYSTEM)
    for key in keys:
        require(CUSTOMER.parts_of(key) is not None, f"exclude_keys: {key!r} is no key such as '00-ABF'", system=SYSTEM)
    return frozenset(keys)


def _shown_key(table: Table, row: Row) -> str:
    key = table.key_of(row)
    return table.text_of(key) if all(key) else "unknown"
