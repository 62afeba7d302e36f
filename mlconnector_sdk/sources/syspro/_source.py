"""SYSPRO as a source of customers, contacts, suppliers and orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Literal, TypeAlias

from ...cursors import CursorValue, Window
from ...errors import ConfigurationError, MLConnectorError
from ...models import STREAMS, CheckResult, Page, Record, StreamName, StreamSpec
from ...retry import RetryPolicy
from .._base import ErpSource, page_of, placed, zone_named
from .._checks import ONCE, skew, tried
from .._settings import OptOutField, opt_outs, own_fields, require
from .._values import Row
from ._contact_feeds import ContactFeed, ViewFeed
from ._contacts import ContactManagement, ContactView
from ._document_feeds import InvoiceFeed, SalesOrderFeed
from ._documents import DocumentReader
from ._feeds import Feed, PartyFeed
from ._odata import SysproOData
from ._reading import TableReader
from ._records import ADDRESS_LINES, AddressLines, Reader, stored_code
from ._rest import SysproENet
from ._settings import DAYS, Statuses, Wanted, delta_columns, status_test, wanted_columns
from ._soap import SysproENetSoap
from ._tables import (
    AP_SUPPLIER,
    AP_SUPPLIER_ADDRESS,
    AR_CUSTOMER,
    AR_INVOICE,
    AR_MULT_ADDRESS,
    AR_TRN_DETAIL,
    SOR_CUSTOMER,
    SOR_DETAIL,
    SOR_MASTER,
    SYSTEM,
    Condition,
    Connection,
    Table,
)

__all__ = ["Syspro"]

Api: TypeAlias = SysproOData | SysproENet | SysproENetSoap

_COMMIT_LAG = timedelta(minutes=2)
"""A change is stamped before it can be seen."""


class Syspro(ErpSource[Connection]):
    """Reads a company of SYSPRO, and writes nothing to it.

    Streams: `customers` (ArCustomer), `contacts` (where `contacts` says how), `suppliers` (ApSupplier) and `orders`
    (invoices out of ArTrnDetail, or SorMaster). SYSPRO's tables do not say when a row was changed: so each read is a
    full scan, of which fingerprints let through only what differs, unless the API names a `delta_column`. Rows are
    paged by their keys, and come once each however they change meanwhile.

    Args:
        api: `SysproOData`, `SysproENet` or `SysproENetSoap`.
        timezone: of the server, an IANA name; for stamps without an offset, and for "today".
        orders: which documents feed `orders`: `"invoices"` or `"sales_orders"`.
        orders_since: documents of earlier days are not read at all. The register keeps every invoice there ever was.
        order_emails: look up the e-mail address of an invoice's sales order, for customers that have none, such as a
            web shop's.
        contacts: how contacts are found: `ContactManagement` (e.net) or `ContactView`; without it there are none.
        multiple_addresses: read further delivery addresses into `record.raw["ArMultAddress"]`. The name of a column
            with their e-mail address, such as `"ArMultAddress+.Email"`, makes each of those a record of its own.
        optout_field: the site's own do-not-mail column, such as `"UserField1"` or `"ArCustomer+.NoMail"`, or a
            function over the raw row; or such a value for each stream. Anything but a clear no counts as an opt-out.
        statuses: which customers are inactive or on hold: values by column, such as
            `{"CreditStatus": {"4": "inactive"}, "ArCustomer+.State": {"CLOSED": "inactive"}}`, added to the usual
            ones, or a function over the raw row. Usual: `CustomerOnHold` and a `CreditStatus` of 9 are on hold.
        custom_fields: further columns for each stream; find them in `record.raw`.
        address_lines: what the five lines of an address mean at this site.
        page_size: rows to ask for at once.
        overlap: how far a window steps back behind the mark, where there is a delta column; a whole number for
            counters.
        full_scan_every: how often everything is read all the same, where there is a delta column; `None` for never.
        retry: the retry loop's limits.

    Raises:
        ConfigurationError: an argument is wrong. Nothing is sent before the first read or `check`.

    Example:
        >>> from mlconnector_sdk.sources.syspro import SysproENet
        >>> api = SysproENet("http://erp.example.com:31002", operator="MAILSYNC", password="secret", company="EDU1")
        >>> source = Syspro(api=api, timezone="Europe/London")
        >>> source.streams["orders"].entity
        'ArTrnDetail'
        >>> source.close()
    """

    system = SYSTEM

    def __init__(
        self,
        *,
        api: Api,
        timezone: str = "UTC",
        orders: Literal["invoices", "sales_orders"] = "invoices",
        orders_since: date | None = None,
        order_emails: bool = True,
        contacts: ContactManagement | ContactView | None = None,
        multiple_addresses: bool | str = False,
        optout_field: OptOutField | Mapping[StreamName, OptOutField] | None = None,
        statuses: Statuses | None = None,
        custom_fields: Mapping[StreamName, Sequence[str]] | None = None,
        address_lines: AddressLines = ADDRESS_LINES,
        page_size: int = 1000,
        overlap: timedelta | int = timedelta(days=1),
        full_scan_every: timedelta | None = timedelta(days=1),
        retry: RetryPolicy = RetryPolicy(),
    ) -> None:
        require(orders in {"invoices", "sales_orders"}, "orders must be 'invoices' or 'sales_orders'", system=SYSTEM)
        require(page_size >= 1, "page_size must be 1 at least", system=SYSTEM)
        require(len(address_lines) == 5, "address_lines must say what each of five lines is", system=SYSTEM)
        email = multiple_addresses if isinstance(multiple_addresses, str) else ""
        require(
            not email or email.startswith("ArMultAddress+."),
            "multiple_addresses must be True, or a column such as 'ArMultAddress+.Email'",
            system=SYSTEM,
        )
        # The name of a column belongs to one table; only a function can judge rows of any.
        own_tests = {"customers": optout_field} if isinstance(optout_field, str) else optout_field
        tests, needed = opt_outs(own_tests, system=SYSTEM, reader=_cell)  # type: ignore[arg-type]
        status, status_columns = status_test(statuses)
        further = own_fields(custom_fields or {}, system=SYSTEM)
        names: dict[StreamName, tuple[str, ...]] = {
            stream: (*needed.get(stream, ()), *further.get(stream, ())) for stream in STREAMS
        }
        names["customers"] += (*status_columns, *([email] if email else []))
        self._overlap, self._full_scan_every = overlap, full_scan_every
        self._deltas = delta_columns(api.delta_column, [name for name in STREAMS if contacts or name != "contacts"])
        self._parties = Reader(
            status=status,
            opt_outs=tests,
            deltas=self._deltas,
            zone=zone_named(timezone, system=SYSTEM),
            address_lines=address_lines,
            address_email=email,
        )
        self._documents = DocumentReader(parties=self._parties)
        super().__init__(api.connect(retry), network=api.network)
        self._reader = TableReader(connection=self._connection, page_size=page_size)
        wanted = {stream: wanted_columns(stream, columns) for stream, columns in names.items()}
        self._feeds: dict[StreamName, Feed] = {
            "customers": self._customers(wanted["customers"], bool(multiple_addresses))
        }
        if contacts is not None:
            self._feeds["contacts"] = self._contacts(wanted["contacts"], contacts)
        self._feeds["suppliers"] = self._suppliers(wanted["suppliers"])
        self._feeds["orders"] = (
            self._invoices(wanted["orders"], orders_since, order_emails=order_emails)
            if orders == "invoices"
            else self._sales_orders(wanted["orders"], orders_since)
        )
        self._streams = {stream: self._described(stream, feed) for stream, feed in self._feeds.items()}

    def _tried(self) -> Iterator[CheckResult]:
        try:
            with self._connection.session():
                yield from self._checks()
        except MLConnectorError as error:
            yield tried(SYSTEM, "turn", _raising(error))

    def present(self, stream: StreamName) -> CursorValue | None:
        """The server's day or clock, minus the time a change may take to become visible; `None` for counters.

        Raises:
            ConfigurationError: `overlap` does not fit the delta column.
        """
        column = self._deltas.get(stream)
        if column is None or not self._tells_time(stream, column):
            return None
        now = self._connection.now()
        if now is None:
            return None
        days = self._counts_days(stream, column)
        return now.astimezone(self._parties.zone).date() if days else now - _COMMIT_LAG

    def read(self, stream: StreamName, window: Window = Window()) -> Iterator[Page]:
        """Every record; with a delta column and a lower bound, every record that it says was changed since.

        Raises:
            PermissionDeniedError: the operator may not see a table or column, or a business object is not licensed.
            AuthenticationError, ContractError, TransientError: see their descriptions.
        """
        feed = self._feed(stream)
        with placed(SYSTEM, feed.entity), self._connection.session():
            for rows in feed.pages(self._changed_since(stream, window)):
                yield self._page(stream, feed, rows)

    def fetch(self, stream: StreamName, keys: Sequence[str]) -> Iterator[Page]:
        """The records with these keys as they are now; keys that are gone are absent.

        Codes of digits are found with and without the zeros that pad them.
        """
        feed = self._feed(stream)
        wanted = {form for key in keys for form in _forms(key)}
        with placed(SYSTEM, feed.entity), self._connection.session():
            for rows in feed.of(keys):
                if found := [row for row in rows if feed.key_of(row) in wanted]:
                    yield self._page(stream, feed, found)

    def parse(self, stream: StreamName, raw: Mapping[str, Any]) -> Record:
        """A record from a row kept in `raw`.

        Raises:
            MappingError: the row cannot be read.
        """
        row = dict(raw)
        if stream == "orders":
            # Kept rows may come from another setting of `orders`.
            return self._documents.sales_order(row) if "OrderStatus" in row else self._documents.invoice(row)
        return self._parties.contact(row) if stream == "contacts" else self._feed(stream).record(row)

    # -- what is read -----------------------------------------------------------------------------------------------

    def _customers(self, wanted: Wanted, multiple_addresses: bool) -> Feed:  # noqa: FBT001
        forms = {table.name: table.with_columns(*columns) for table, columns in wanted.beside.items()}
        address_form = forms.pop("ArMultAddress+", None)
        require(
            multiple_addresses or address_form is None,
            "columns of ArMultAddress+ need multiple_addresses=True",
            system=SYSTEM,
        )
        addresses = (AR_MULT_ADDRESS, *([address_form] if address_form else [])) if multiple_addresses else ()
        return PartyFeed(
            table=self._table("customers", AR_CUSTOMER, wanted),
            reader=self._reader,
            read=self._parties.customer,
            forms=tuple(forms.values()),
            addresses=addresses,
            address_email=self._parties.address_email,
        )

    def _suppliers(self, wanted: Wanted) -> Feed:
        forms = {table.name: table.with_columns(*columns) for table, columns in wanted.beside.items()}
        welcome = () if AP_SUPPLIER_ADDRESS.name in forms else (AP_SUPPLIER_ADDRESS,)
        return PartyFeed(
            table=self._table("suppliers", AP_SUPPLIER, wanted),
            reader=self._reader,
            read=self._parties.supplier,
            forms=tuple(forms.values()),
            welcome=welcome,
        )

    def _contacts(self, wanted: Wanted, how: ContactManagement | ContactView) -> Feed:
        if isinstance(how, ContactView):
            table = Table(name=how.table, key=(how.key,)).with_columns(*how.names.values())
            table = self._table("contacts", table, wanted)
            return ViewFeed(view=how, table=table, reader=self._reader, parties=self._parties)
        require(
            self._connection.has_business_objects,
            "OData has no business objects: give contacts= a ContactView, or use e.net",
            system=SYSTEM,
        )
        require("contacts" not in self._deltas, "contacts through business objects have no delta column", system=SYSTEM)
        return ContactFeed(connection=self._connection, reader=self._reader, parties=self._parties, management=how)

    def _invoices(self, wanted: Wanted, since: date | None, *, order_emails: bool) -> Feed:
        beside = {table.name: columns for table, columns in wanted.beside.items()}
        require(
            beside.keys() <= {AR_INVOICE.name},
            "custom_fields of invoices are those of ArTrnDetail and ArInvoice",
            system=SYSTEM,
        )
        return InvoiceFeed(
            table=self._table("orders", AR_TRN_DETAIL, wanted),
            ledger=AR_INVOICE.with_columns(*beside.get(AR_INVOICE.name, ())),
            orders=SOR_CUSTOMER if order_emails else None,
            reader=self._reader,
            documents=self._documents,
            always=(Condition("InvoiceDate", "ge", since),) if since else (),
            by_line=self._deltas.get("orders", "InvoiceDate") != "InvoiceDate",
        )

    def _sales_orders(self, wanted: Wanted, since: date | None) -> Feed:
        forms = tuple(table.with_columns(*columns) for table, columns in wanted.beside.items())
        require(
            all(form.name != AR_INVOICE.name for form in forms), "sales orders do not go with ArInvoice", system=SYSTEM
        )
        return SalesOrderFeed(
            table=self._table("orders", SOR_MASTER, wanted),
            lines=SOR_DETAIL,
            reader=self._reader,
            documents=self._documents,
            forms=forms,
            always=(Condition("OrderDate", "ge", since),) if since else (),
        )

    def _table(self, stream: StreamName, table: Table, wanted: Wanted) -> Table:
        delta = self._deltas.get(stream)
        return table.with_columns(*wanted.own, *([delta] if delta else []))

    def _described(self, stream: StreamName, feed: Feed) -> StreamSpec:
        column = self._deltas.get(stream)
        return StreamSpec(
            name=stream,
            entity=feed.entity,
            cursor_field=column,
            overlap=self._overlap if column else timedelta(0),
            full_scan_every=self._full_scan_every if column else None,
        )

    # -- reading ----------------------------------------------------------------------------------------------------

    def _feed(self, stream: StreamName) -> Feed:
        self._spec(stream)
        return self._feeds[stream]

    def _page(self, stream: StreamName, feed: Feed, rows: Sequence[Row]) -> Page:
        return page_of(
            stream,
            rows,
            read=feed.record,
            key_of=feed.key_of,
            modified=lambda row: self._parties.mark(stream, row),
        )

    def _changed_since(self, stream: StreamName, window: Window) -> tuple[Condition, ...]:
        column = self._deltas.get(stream)
        if column is None or window.lower is None:
            return ()
        if isinstance(window.lower, (str, tuple)):
            raise ConfigurationError(
                "the mark is no date, time or counter: it belongs to another source", system=SYSTEM
            )
        return (Condition(column, "ge", window.lower),)

    def _kind(self, stream: StreamName, column: str) -> str:
        """The EDM type of a delta column where the API tells, without its prefix."""
        known = self._connection.known_columns(self._feeds[stream].entity)
        return "" if known is None else known.get(column, "").rpartition(".")[2]

    def _tells_time(self, stream: StreamName, column: str) -> bool:
        kind = self._kind(stream, column)
        is_time = kind in {"Date", "DateTimeOffset"} if kind else "date" in column.lower()
        require(
            not kind or is_time or not isinstance(self._overlap, timedelta) or not self._overlap,
            f"{column} is a counter: give overlap= as a whole number",
            system=SYSTEM,
        )
        return is_time

    def _counts_days(self, stream: StreamName, column: str) -> bool:
        return column in DAYS or self._kind(stream, column) in {"", "Date"}

    def _checks(self) -> Iterator[CheckResult]:
        for greeting in self._connection.greet():
            result = tried(SYSTEM, greeting.what, lambda: greeting.attempt(ONCE), cure=greeting.cure)  # noqa: B023 - used at once
            yield result
            if not result.ok:
                return
        if self._deltas:
            yield tried(SYSTEM, "clock", self._skew)
        for stream, feed in self._feeds.items():
            yield tried(SYSTEM, f"stream {stream}", lambda: feed.first(ONCE))  # noqa: B023 - used at once

    def _skew(self) -> str:
        now = self._connection.now(retry=ONCE)
        if now is None:
            return "the server does not tell the time"
        return skew(now, self._clock, far_side="the server", matters="marks follow the server")


def _cell(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda row: row.get(name)


def _raising(error: MLConnectorError) -> Callable[[], str]:
    def attempt() -> str:
        raise error

    return attempt


def _forms(key: str) -> set[str]:
    """A key as it is given, and with its codes as tables hold them."""
    first, *rest = key.split("/")
    return {key, "/".join([stored_code(first), *rest]), "/".join([first, *map(stored_code, rest)])}
