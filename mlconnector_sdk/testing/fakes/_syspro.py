"""`FakeSyspro`: one SYSPRO company behind OData, e.net REST and e.net SOAP, as a real HTTP server on loopback.

It takes what the real system takes and refuses the rest the way the real system does. Where the behaviour is not
established, it refuses, so that no client comes to rely on a guess, or it is a setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from ._server import Fault, LoggedRequest
from ._syspro_data import Row, Store, stored_key
from ._syspro_pages import html_page
from ._syspro_samples import Samples
from ._syspro_sessions import Account
from ._syspro_site import SysproSite
from ._syspro_tables import CONTACT, Column, column_of
from ._syspro_trade import Line, post_invoice, put_order

__all__ = ["DeltaType", "FakeSyspro"]

DeltaType: TypeAlias = Literal["counter", "moment", "day"]
"""What a site's own change column holds."""

_DELTA_KINDS: Mapping[DeltaType, Literal["bigint", "instant", "day"]] = {
    "counter": "bigint",
    "moment": "instant",
    "day": "day",
}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FakeSyspro(SysproSite):
    """A site with one company and one operator for the connector.

    Args:
        customers, contacts, suppliers, invoices, orders: how many made-up records to start with (see `seed`).
        company, company_password: the company's id and its own password, mostly blank.
        operator, password: who may log on to e.net.
        odata_username, odata_password: who may read OData: the operator, with a password of its own.
        licences: seats of the operator's e.net class; `session_timeout` is the idle time in seconds after which a
            full class lets somebody else in.
        clock: gives the present as aware UTC; it drives change stamps, idle times and the `Date` header.
        now: the instant before which all made-up days lie; the clock's present if not given.
        contact_management: whether the Contact Management System is licensed.
        delta_column: a change column that the site added to its tables; `delta_type` says what it holds.
        page_cap: the most rows of one OData answer; a cut answer says nothing about the rest.
        zone: the server's time zone, at whose midnight days begin in OData.
        journal: changes of customers by `add_customer`, `edit` and `delete` are written to `ArAmendmentJnl`.

    Records are plain dictionaries of columns by stored key in `customers`, `contacts`, `suppliers`, `invoices`,
    `orders` and `table(name)`. Columns that are not there hold the database's default: a blank, zero or no date.
    Codes of digits are padded with zeros to 15; methods take them without. Invoices and orders keep the rows of their
    detail table under `Lines`. Any change of a record in place moves its rowversion.

    How the services are set up, and what is not established about them, is in `odata`, `enet`, `encoding` and `soap`.

    Example:
        >>> with FakeSyspro(customers=3) as erp:
        ...     key = erp.add_customer(name="Harbor Pumps", email="office@harbor-pumps.com")
        ...     erp.edit("ArCustomer", key, CustomerOnHold="Y")
        ...     key, len(erp.customers)
        ('000000000000004', 4)
    """

    def __init__(
        self,
        customers: int = 0,
        *,
        contacts: int = 0,
        suppliers: int = 0,
        invoices: int = 0,
        orders: int = 0,
        seed: int = 1,
        company: str = "EDU1",
        company_password: str = "",
        operator: str = "SYNC",
        password: str = "secret",
        odata_username: str | None = None,
        odata_password: str = "odata secret",
        licences: int = 2,
        session_timeout: float = 1200.0,
        clock: Callable[[], datetime] | None = None,
        latency: float = 0.0,
        now: datetime | None = None,
        contact_management: bool = True,
        delta_column: str | None = None,
        delta_type: DeltaType = "moment",
        page_cap: int = 5000,
        zone: str = "UTC",
        currency: str = "USD",
        journal: bool = False,
    ) -> None:
        super().__init__(
            Account(operator=operator, password=password, company=company, company_password=company_password),
            odata_login=(operator if odata_username is None else odata_username, odata_password),
            licences=licences,
            session_timeout=timedelta(seconds=session_timeout),
            clock=clock or _utc_now,
            latency=latency,
            zone=zone,
        )
        self.journal = journal
        self.enet.contact_management = contact_management
        self.enet.currency = currency
        self.odata.page_cap = page_cap
        if delta_column is not None:
            for table in self._base.tables:
                self._base.add_columns(table, Column(delta_column, _DELTA_KINDS[delta_type]))
        Samples(self._base, seed, now or self.clock(), currency).fill(
            customers=customers, contacts=contacts, suppliers=suppliers, invoices=invoices, orders=orders
        )

    # -- records ------------------------------------------------------------------------------------------------

    def table(self, name: str) -> Store:
        """The rows of any table by key, such as `table("ArMultAddress")`; detail rows are in their headers' `Lines`."""
        return self._base.stores[name]

    @property
    def customers(self) -> Store:
        return self.table("ArCustomer")

    @property
    def contacts(self) -> Store:
        """Contacts of the Contact Management System; the names of its tables are not known."""
        return self.table(CONTACT)

    @property
    def suppliers(self) -> Store:
        return self.table("ApSupplier")

    @property
    def invoices(self) -> Store:
        """By customer, number and document type (`I`, `C` or `D`)."""
        return self.table("ArInvoice")

    @property
    def orders(self) -> Store:
        return self.table("SorMaster")

    def add_customer(
        self, key: str | None = None, *, name: str = "Harbor Pumps", email: str | None = None, **more: Any
    ) -> str:
        """Store a customer and return its code; `more` are further columns of `ArCustomer`."""
        with self.lock:
            number = stored_key("Customer", key) if key else self._base.next_number("ArCustomer")
            today = self._base.now().date()
            values = {"Customer": number, "Name": name, "DateCustAdded": today, "CustomerOnHold": "N", **more}
            values.setdefault("CreditStatus", "0")
            values.setdefault("Currency", self.enet.currency)
            self._base.put("ArCustomer", values if email is None else {**values, "Email": email})
            self._note(str(number), "A", "Customer", "", number)
            return str(number)

    def add_contact(
        self,
        key: str | None = None,
        *,
        first: str = "",
        last: str = "Hara",
        email: str | None = None,
        customer: str | None = None,
        supplier: str | None = None,
        **more: Any,
    ) -> str:
        """Store a person of the Contact Management System, of a customer or supplier, and return the key.

        `more` may hold `DoNotEmail`, `DoNotBulkEmail`, and `MoreEmails` with further addresses.
        """
        with self.lock:
            number = key or f"{len(self.contacts) + 1:06d}"
            full = " ".join(filter(None, (first, last)))
            values = {"Contact": number, "FullName": full, "FirstName": first, "LastName": last, "Email": email or ""}
            owners = {"Customer": customer or "", "Supplier": supplier or ""}
            self._base.put(CONTACT, {**values, **owners, "LastChangedDate": self._base.now(), **more})
            return number

    def add_supplier(
        self, key: str | None = None, *, name: str = "Quill Paper", email: str | None = None, **more: Any
    ) -> str:
        """Store a supplier and return its code; `more` are further columns of `ApSupplier` or `ApSupplierAddr`."""
        with self.lock:
            number = stored_key("Supplier", key) if key else self._base.next_number("ApSupplier")
            own = self._base.tables["ApSupplier"].columns
            values = {"Supplier": number, "SupplierName": name, "Email": email or "", "OnHold": "N"}
            self._base.put("ApSupplier", values | {column: value for column, value in more.items() if column in own})
            place = {column: value for column, value in more.items() if column not in own}
            self._base.put("ApSupplierAddr", {"Supplier": number, **place})
            return str(number)

    def add_address(self, customer: str, code: str, **columns: Any) -> tuple[str, str]:
        """Store a further ship-to address of a customer and return its key."""
        with self.lock:
            key = stored_key("Customer", customer)
            self._base.put("ArMultAddress", {"Customer": key, "AddrCode": code, **columns})
            return key, code

    def add_invoice(
        self,
        customer: str,
        lines: Iterable[Line] = (),
        *,
        type: Literal["I", "C", "D"] = "I",  # noqa: A002 - the column's meaning
        number: str | None = None,
        date: date | datetime | None = None,
        currency: str | None = None,
        rate: Any = 1,
        tax: Any = 0,
        freight: Any = 0,
        **more: Any,
    ) -> tuple[str, str, str]:
        """Post an invoice, credit note or debit note and return its key: customer, number and type.

        A line is `(stock code, description, quantity, price)` or a mapping of `ArTrnDetail` columns; stock codes that
        are new are stored with their description. Prices are in `currency`, and `rate` of it makes the company's own.
        """
        with self.lock:
            row = post_invoice(
                self._base,
                stored_key("Customer", customer),
                lines,
                number=stored_key("Invoice", number) if number else self._base.next_number("ArInvoice", first=100_000),
                kind=type,
                day=date or self._base.now().date(),
                currency=currency or self.enet.currency,
                rate=Decimal(str(rate)),
                tax=tax,
                freight=freight,
                more=more,
            )
            return row["Customer"], row["Invoice"], row["DocumentType"]

    def add_order(
        self, customer: str, lines: Iterable[Line] = (), *, number: str | None = None, freight: Any = 0, **more: Any
    ) -> str:
        """Store a sales order, open unless `OrderStatus` says otherwise, and return its number."""
        with self.lock:
            today = self._base.now()
            values = {"OrderStatus": "1", "OrderDate": today, "EntrySystemDate": today, "Currency": self.enet.currency}
            row = put_order(
                self._base,
                stored_key("Customer", customer),
                lines,
                number=number or self._base.next_number("SorMaster"),
                freight=freight,
                more={**values, "CaptureHh": today.hour, "CaptureMm": today.minute, **more},
            )
            return str(row["SalesOrder"])

    def add_form_field(self, table: str, name: str, definition: str = "10") -> None:
        """Add a site's own column, mostly to a custom form's table such as `ArCustomer+`.

        The definition is `10` for varchar(10), `c1` for char(1), `14.2` for decimal(14,2) or `d` for a date.
        """
        with self.lock:
            self._base.add_columns(table, column_of(name, definition))

    def set_form(self, table: str, key: Any, **fields: Any) -> None:
        """Fill in the custom form of a record: `set_form("ArCustomer+", "413", OptIn="Y")`."""
        with self.lock:
            found = self._base.find_key(table, key)
            parts = found if isinstance(found, tuple) else (found,)
            names = self._base.tables[table].keys
            known: Mapping[str, Any] = self.table(table).get(found) or {}
            self._base.put(table, {**known, **dict(zip(names, parts, strict=True)), **fields})

    def edit(self, entity: str, key: Any, **fields: Any) -> None:
        """Set columns of a record in the table `entity`, as its maintenance program does.

        A value that does not fit its column is kept and shown as it is: so a malformed row is made.
        """
        with self.lock:
            found = self._base.find_key(entity, key)
            row = self.table(entity)[found]
            for name, value in fields.items():
                before = row.get(name)
                row[name] = value
                if entity == "ArCustomer" and before != value:
                    self._note(found, "C", name, before, value)
            if entity == CONTACT:
                row["LastChangedDate"] = self._base.now()

    def delete(self, entity: str, key: Any) -> None:
        """Remove a record; but for the journal nothing tells a reader that it is gone."""
        with self.lock:
            found = self._base.find_key(entity, key)
            del self.table(entity)[found]
            if entity == "ArCustomer":
                self._note(found, "X", "Customer", found, "")

    def purge_invoice(self, key: tuple[str, str, str]) -> None:
        """Take a paid invoice off the ledger; its lines stay in the register."""
        with self.lock:
            found = self._base.find_key("ArInvoice", key)
            self._base.purged += self.invoices.pop(found).get("Lines", [])

    def _note(self, customer: str, flag: str, column: str, before: Any, after: Any) -> None:
        if not self.journal:
            return
        moment = self._base.now()
        values = {
            "Customer": customer,
            "JnlDate": moment,
            "JnlTime": int(f"{moment:%H%M%S}00"),
            "OperatorCode": "ADMIN",
            "ChangeFlag": flag,
            "ColumnName": column,
            "Before": str(before or ""),
            "After": str(after or ""),
        }
        journal = self.table("ArAmendmentJnl")
        journal[len(journal)] = Row(self._base, "ArAmendmentJnl", values)

    # -- what a test may ask ------------------------------------------------------------------------------------

    @property
    def open_sessions(self) -> int:
        """Sessions that clients opened and that were not closed, killed or evicted."""
        return sum(session.ours for session in self._sessions.open.values())

    @property
    def logons(self) -> int:
        """Sessions opened through e.net so far."""
        return self._sessions.logons

    @property
    def logoffs(self) -> int:
        """Sessions closed by their own clients so far."""
        return self._sessions.logoffs

    @property
    def refused_logons(self) -> int:
        """Logons refused so far, for whatever reason."""
        return self._sessions.refusals

    @property
    def writes(self) -> list[LoggedRequest]:
        """Calls that would change the ERP; e.net's REST makes them by GET."""
        posts = ("/rest/setup/", "/rest/transaction/", "/setup.asmx", "/transaction.asmx")
        return [
            entry
            for entry in list(self.log)
            if any(part in entry.path.lower() for part in posts)
            or (entry.is_write and not entry.path.lower().endswith(".asmx"))
        ]

    # -- trouble ------------------------------------------------------------------------------------------------

    def kill_session(self) -> None:
        """End our session at once, as an administrator can; the next call hears that its id is invalid."""
        with self.lock:
            self._sessions.open.pop(self._sessions.account.operator, None)

    def someone_logs_on(self) -> None:
        """A person logs on with our operator, which kills our session; our next logon will kill theirs."""
        with self.lock:
            self._sessions.take_over()

    def sessions_last(self, calls: int | None) -> None:
        """Let every session die after so many calls, as when two programs fight for one operator; `None` ends it."""
        self._sessions.calls_per_session = calls

    def occupy_licences(self, seats: int | None = None) -> None:
        """Other operators log on and stay: all free seats, or so many."""
        with self.lock:
            self._sessions.occupy(self._sessions.licences - len(self._sessions.open) if seats is None else seats)

    def refuse_logons(self, text: str | None) -> None:
        """Refuse every logon with this text after `ERROR: `, for example during month-end; `None` ends it."""
        self._sessions.logon_error = text

    def blank_logons(self, on: bool = True) -> None:  # noqa: FBT001, FBT002 - reads as a sentence both ways
        """Answer a logon by REST with an empty body."""
        self._rest.answer_blank_logon = on

    def lock_operator(self, locked: bool = True) -> None:  # noqa: FBT001, FBT002 - reads as a sentence both ways
        """Lock the operator: right credentials fail as well, in e.net and in OData."""
        self._sessions.locked = locked
        self._sessions.wrong_tries = 0

    def unlicense(self, *names: str) -> None:
        """Take business objects (`COMFND`) or tables of the OData service (`ApSupplier`) away."""
        self.enet.unlicensed.update(names)
        self.odata.hidden.update(names)

    def hide_columns(self, table: str, *columns: str) -> None:
        """The operator may not see these columns: COMFND leaves them out, and OData does not know them."""
        self.enet.hidden_columns.setdefault(table, set()).update(columns)
        self.odata.hidden_columns.setdefault(table, set()).update(columns)

    def html_error(self, status: int = 503, title: str = "Service Unavailable", **rule: Any) -> Fault:
        """Answer with a page of IIS until the returned rule is removed from `faults`."""
        reply = html_page(status, title)
        return self.fail(status=status, body=reply.body, headers=reply.headers, **rule)
