"""`FakeSage100`: a Sage 100 installation behind its own web service and an agent, as a real HTTP server on loopback.

It takes what the real system takes and refuses the rest the way the real system does. Where the behaviour is not
established, it refuses, so that no client comes to rely on a guess, or it is a setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from ._sage100_agent import reference_agent
from ._sage100_com import FakeProvideX
from ._sage100_data import Key, Table
from ._sage100_samples import Samples, bill_to
from ._sage100_services import ServiceSetup
from ._sage100_site import Company, Sage100Site, Udfs
from ._sage100_soap import SERVICE, SoapDoor, fault_reply
from ._sage100_trade import INVOICE, LINES_OF, ORDER, Line, Trade
from ._sage100_wsgi import WSGIApplication, call_wsgi
from ._server import FakeServer, Fault, Reply, Request
from ._syspro_pages import html_page

__all__ = ["AgentFactory", "FakeSage100"]

AgentFactory: TypeAlias = "Callable[[FakeSage100], WSGIApplication]"
"""Makes the agent's application for a fake; it finds `script`, `user`, `clock` and `agent_token` there."""

_AGENT = "/sage100/v1"
_PERSONAL = {
    "AR_Customer": """CustomerName AddressLine1 AddressLine2 AddressLine3 City State ZipCode CountryCode TelephoneNo
        TelephoneExt FaxNo EmailAddress URLAddress SortField Comment""",
    "AR_CustomerContact": """ContactName AddressLine1 AddressLine2 AddressLine3 City State ZipCode CountryCode
        Salutation ContactTitle TelephoneNo1 TelephoneExt1 TelephoneNo2 TelephoneExt2 FaxNo EmailAddress
        ContactNotes""",
}
_DIVIDED = ("AR_Customer", "AR_CustomerContact", "AP_Vendor")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FakeSage100(FakeServer):
    """An installation with one company or several, and one user for the connector.

    Args:
        customers, contacts, vendors, orders, invoices: how many made-up records to start with; of the orders some are
            complete, and so in history.
        company: code of the first company, in which made-up records are; `companies` are codes of further ones.
        username, password: the connector's user, who may do everything.
        timezone: IANA name of the server's zone, whose wall clock stamps records.
        udfs: columns of the site's own by table: `{"AR_Customer": {"UDF_DO_NOT_EMAIL": "Y/N"}}`; the web service
            shows them all, until `setup.exposed` says otherwise.
        seats: user licences.
        clock: gives the present as aware UTC; it drives stamps and the `Date` header.
        now: the instant before which all made-up stamps lie; the clock's present if not given.
        agent: makes the WSGI application that answers below `/sage100/v1`; if not given, the reference agent over a
            fake COM object, which sees the same records.
        agent_token: what callers of the agent must present.

    Records are rows of `table(name)` by key. The keys that verbs take and give are texts: `00-0000042` for customers
    and vendors, `00-0000042/A. BUYER` for contacts, `0100063/000000` for invoices, or the parts as a tuple. Verbs act
    on `company`, which may be set to another one of `site.companies`.

    How the web service is set up, and what is not established about it, is in `setup`; users, licences, locks and
    switches are in `site`.

    Example:
        >>> with FakeSage100(customers=3) as erp:
        ...     key = erp.add_customer("42", name="Harbor Pumps", email="office@harbor-pumps.com")
        ...     erp.edit("AR_Customer", key, CreditHold="Y")
        ...     key, len(erp.table("AR_Customer"))
        ('00-0000042', 4)
    """

    def __init__(
        self,
        customers: int = 0,
        *,
        contacts: int = 0,
        vendors: int = 0,
        orders: int = 0,
        invoices: int = 0,
        seed: int = 1,
        company: str = "ABC",
        companies: Iterable[str] = (),
        username: str = "mcsync",
        password: str = "secret",
        timezone: str = "America/Chicago",
        udfs: Udfs | None = None,
        seats: int = 5,
        clock: Callable[[], datetime] | None = None,
        latency: float = 0.0,
        now: datetime | None = None,
        agent: AgentFactory | None = None,
        agent_token: str = "agent-token-0123456789abcdef",
    ) -> None:
        super().__init__(latency=latency)
        self.clock = clock or _utc_now
        self.site = Sage100Site(
            clock=self.clock, timezone=timezone, companies=(company, *companies), udfs=udfs, seats=seats
        )
        self.company: Company = self.site.companies[company]
        self.clerk = self.site.add_user("mary", "clerk", code="MAR")
        self.user = self.site.add_user(username, password, code="MCS")
        self.setup = ServiceSetup()
        self.setup.exposed.columns.update({table: list(columns) for table, columns in (udfs or {}).items()})
        self.script = FakeProvideX(self.site)
        """The COM object that the agent works with; its `manner` and troubles may be set."""
        self.agent_token = agent_token
        self.agent_writable = list((udfs or {}).get("AR_Customer", {}))
        """Columns of customers that the reference agent lets its callers change; asked when it starts."""
        self._agent_factory = agent
        self._agent: WSGIApplication | None = None
        self._soap = SoapDoor(self.site, self.setup)
        moment = (now or self.clock()).astimezone(self.site.zone).replace(tzinfo=None)
        Samples(self.company, seed, moment).fill(
            customers=customers, contacts=contacts, vendors=vendors, orders=orders, invoices=invoices
        )

    def present(self) -> datetime:
        return self.clock().astimezone(UTC)

    # -- addresses ----------------------------------------------------------------------------------------------

    @property
    def soap_url(self) -> str:
        """The address of the web service."""
        return f"{self.url}{SERVICE}"

    @property
    def wsdl_url(self) -> str:
        """The address of the web service's description."""
        return f"{self.soap_url}?wsdl"

    @property
    def agent_url(self) -> str:
        """The root of the agent's interface."""
        return f"{self.url}{_AGENT}"

    def handle(self, request: Request) -> Reply:
        path = request.path
        if path == _AGENT or path.startswith(f"{_AGENT}/"):
            return call_wsgi(self.agent, request, mount=_AGENT, port=urlsplit(self.url).port or 0)
        if path.lower() == SERVICE.lower():
            return self._soap.handle(request, self.url)
        return html_page(404, "File or directory not found.")

    @property
    def agent(self) -> WSGIApplication:
        """The agent's application, made when it is first needed."""
        if self._agent is None and self._agent_factory is not None:
            self._agent = self._agent_factory(self)
        elif self._agent is None:
            self._agent = reference_agent(
                self.script,
                login=(self.user.logon, self.user.password),
                token=self.agent_token,
                writable=self.agent_writable,
                clock=self.clock,
            )
        return self._agent

    def restart_agent(self) -> None:
        """Start the agent anew: what it remembered, cursors above all, is gone."""
        with self.lock:
            if close := getattr(self._agent, "close", None):
                close()
            self._agent = None

    def stop(self) -> None:
        super().stop()
        self.restart_agent()

    # -- records ------------------------------------------------------------------------------------------------

    def table(self, name: str) -> Table:
        """The records of a table of the company, by key."""
        return self.company.tables[name]

    def key_of(self, table: str, key: str | Key) -> Key:
        """The parts of a key: divisions are told by the dash behind them, numbers of digits get their zeros."""
        if isinstance(key, tuple):
            return key
        if table not in _DIVIDED:
            parts = key.split("/", 1) if len(self.table(table).key) > 1 else [key]
            return tuple(parts)
        division, rest = (key[:2], key[3:]) if key[2:3] == "-" else ("00", key)
        number, slash, code = rest.partition("/") if table == "AR_CustomerContact" else (rest, "", "")
        number = number.zfill(7) if number.isascii() and number.isdigit() else number.upper()
        return (division, number, code) if slash else (division, number)

    @property
    def _trade(self) -> Trade:
        return Trade(self.company)

    def _today(self) -> date:
        return self.company.now().date()

    def add_customer(
        self, key: str | None = None, *, name: str = "Harbor Pumps", email: str | None = None, **columns: Any
    ) -> str:
        """Store a customer and return its key; `columns` are further columns of `AR_Customer`."""
        with self.lock:
            found = self.key_of("AR_Customer", key or self.company.next_number("AR_Customer"))
            values = {
                "CustomerName": name,
                "EmailAddress": email or "",
                "CustomerStatus": "A",
                "CreditHold": "N",
                "EBMEnabled": "N",
                "TemporaryCustomer": "N",
                "PriceLevel": "1",
                "TermsCode": "01",
                "SalespersonDivisionNo": "00",
                "SalespersonNo": "0100",
                "DateEstablished": self._today(),
            }
            self.table("AR_Customer").put(found, {**values, **columns}, self.clerk.key)
            return "-".join(found)

    def add_contact(
        self,
        customer: str,
        code: str | None = None,
        *,
        name: str = "Ann Buyer",
        email: str | None = None,
        primary: bool = False,
        **columns: Any,
    ) -> str:
        """Store a contact of a customer and return its key; `primary` makes it the customer's own contact."""
        with self.lock:
            owner = self.key_of("AR_Customer", customer)
            found = (*owner, (code or name.upper())[:10].rstrip())
            values = {"ContactName": name, "EmailAddress": email or "", **columns}
            self.table("AR_CustomerContact").put(found, values, self.clerk.key)
            if primary:
                self.table("AR_Customer").put(owner, {"ContactCode": found[2]}, self.clerk.key)
            return f"{'-'.join(owner)}/{found[2]}"

    def add_vendor(
        self, key: str | None = None, *, name: str = "Quill Paper", email: str | None = None, **columns: Any
    ) -> str:
        """Store a vendor and return its key; `columns` are further columns of `AP_Vendor`."""
        with self.lock:
            found = self.key_of("AP_Vendor", key or self.company.next_number("AP_Vendor"))
            values = {"VendorName": name, "EmailAddress": email or "", "VendorStatus": "A", "HoldPayment": "N"}
            self.table("AP_Vendor").put(found, {**values, **columns}, self.clerk.key)
            return "-".join(found)

    def _head(self, customer: str, freight: Any, tax: Any, discount: Any) -> dict[str, Any]:
        division, number = self.key_of("AR_Customer", customer)
        charges = {"FreightAmt": freight, "SalesTaxAmt": tax, "DiscountAmt": discount}
        known = self.table("AR_Customer").get((division, number))
        taken_over = bill_to(known) if known is not None else {}
        return {**taken_over, **charges, "ARDivisionNo": division, "CustomerNo": number}

    def add_order(
        self,
        customer: str,
        lines: Iterable[Line] = (),
        *,
        number: str | None = None,
        freight: Any = 0,
        tax: Any = 0,
        discount: Any = 0,
        **columns: Any,
    ) -> str:
        """Enter a sales order and return its number; `columns` are further columns of its header.

        A line is `(item code, description, quantity, price)` or a mapping of `SO_SalesOrderDetail` columns; items
        that are new are stored with their description.
        """
        with self.lock:
            found = number.zfill(7) if number else self.company.next_number(ORDER)
            values = {"OrderDate": self._today(), "OrderType": "S", "OrderStatus": "O"}
            head = self._head(customer, freight, tax, discount)
            self._trade.put_order(found, {**values, **head, **columns}, lines, user=self.clerk.key)
            return found

    def complete_order(self, number: str, *, date: date | None = None) -> str:
        """Ship and invoice an open order, which then is in history alone; gives the invoice's key."""
        with self.lock:
            day = date or self._today()
            invoice = self.company.next_number(INVOICE)
            return "/".join(self._trade.complete_order(number, invoice, day, self.clerk.key))

    def add_invoice(
        self,
        customer: str,
        lines: Iterable[Line] = (),
        *,
        number: str | None = None,
        type: str = "IN",  # noqa: A002 - the column's meaning
        date: date | None = None,
        freight: Any = 0,
        tax: Any = 0,
        discount: Any = 0,
        **columns: Any,
    ) -> str:
        """Post an invoice without an order and return its key; amounts of a credit memo are given as negative ones."""
        with self.lock:
            found = number.zfill(7) if number else self.company.next_number(INVOICE)
            head = {**self._head(customer, freight, tax, discount), "InvoiceType": type}
            key = self._trade.post_invoice(found, {**head, **columns}, lines, date or self._today(), self.clerk.key)
            return "/".join(key)

    def add_gl_account(self, account: str, description: str = "Sales", **columns: Any) -> str:
        """Store an account, named as it is formatted, and return the key by which tables refer to it."""
        with self.lock:
            key = self.company.next_number("GL_Account")
            raw = "".join(sign for sign in account if sign.isalnum())
            values = {"RawAccount": raw, "FormattedAccount": account, "AccountDesc": description, "Status": "A"}
            self.table("GL_Account").put((key,), {**values, **columns}, self.clerk.key)
            return key

    def edit(self, table: str, key: str | Key, *, stamp: bool = True, **columns: Any) -> None:
        """Set columns of a record as its maintenance program does.

        A value that does not fit its column is kept and shown as it is: so a malformed row is made. A change of an
        order's line is stamped on the order. Without `stamp` nothing is stamped, as after a posting or a merge.
        """
        with self.lock:
            found = self.key_of(table, key)
            target = self.table(table)
            if found not in target.rows:
                raise KeyError(f"{table} has no {key!r}")
            if table == LINES_OF[ORDER]:
                row = target.rows[found]
                if {"QuantityOrdered", "UnitPrice"} & set(columns):
                    line = {**row, "ItemType": row["ItemType"], **columns}
                    line.pop("ExtensionAmt", None)
                    columns = {"ExtensionAmt": self._trade.line_values(line)["ExtensionAmt"], **columns}
                target.put(found, columns)
                self._trade.save_order(found[0], self.clerk.key)
                return
            target.put(found, columns, self.clerk.key, stamp=stamp)
            if table == ORDER:
                self._trade.keep_history(found[0], user=self.clerk.key)

    def delete(self, table: str, key: str | Key) -> None:
        """Remove a record; nothing tells a reader that it is gone. A deleted order or line stays in history."""
        with self.lock:
            found = self.key_of(table, key)
            if table == ORDER:
                self._trade.end_order(found[0], "X", self.clerk.key)
            elif table == LINES_OF[ORDER]:
                self._trade.cancel_line(found[0], found[1], self.clerk.key)
            else:
                self.table(table).remove(found)
            if table == "AR_Customer":
                for contact in self.table("AR_CustomerContact").starting_with(*found):
                    self.table("AR_CustomerContact").remove((*found, contact["ContactCode"]))

    def renumber_customer(self, customer: str, number: str) -> str:
        """Give a customer another number, as "Delete and Change Customers" does: no stamp moves."""
        with self.lock:
            old, new = self.key_of("AR_Customer", customer), self.key_of("AR_Customer", number)
            for name in ("AR_Customer", "AR_CustomerContact"):
                rows = self.table(name)
                for row in rows.starting_with(*old):
                    kept = {column: row[column] for column in rows.columns}
                    rows.remove(rows.key_of(row))
                    rows.put((*new, *rows.key_of(row)[2:]), kept)
            return "-".join(new)

    def encrypt_pii(self, customer: str) -> None:
        """Make a customer inactive and encrypt names, addresses, telephones and e-mail, contacts included."""
        with self.lock:
            found = self.key_of("AR_Customer", customer)
            done = {"CustomerStatus": "I", "PIIEncryptedDate": self._today()}
            for name, more in (("AR_Customer", done), ("AR_CustomerContact", {})):
                blanks = dict.fromkeys(_PERSONAL[name].split(), "")
                for row in self.table(name).starting_with(*found):
                    values = {**blanks, **more, "EncryptedVals": "9F1C7E50A2"}
                    self.table(name).put(self.table(name).key_of(row), values, self.clerk.key)

    # -- troubles -----------------------------------------------------------------------------------------------

    def lock_record(self, key: str | Key, *, table: str = "AR_Customer", by: str = "MARY") -> None:
        """Somebody opens a record for editing, and goes to lunch."""
        self.company.lock(table, self.key_of(table, key), by)

    def unlock_record(self, key: str | Key, *, table: str = "AR_Customer") -> None:
        """Whoever has the record open closes it."""
        self.company.unlock(table, self.key_of(table, key))

    def soap_fault(
        self, text: str = "An exception occurred.", code: str = "Internal", *, detailed: bool = False, **rule: Any
    ) -> Fault:
        """Answer calls of the web service with a fault until the returned rule is removed from `faults`."""
        reply = fault_reply(text, code, detailed=detailed)
        return self.fail(
            **{"method": "POST", "path": SERVICE, **rule}, status=500, body=reply.body, headers=reply.headers
        )

    def html_error(self, status: int = 503, title: str = "Service Unavailable", **rule: Any) -> Fault:
        """Answer with a page of IIS until the returned rule is removed from `faults`."""
        reply = html_page(status, title)
        return self.fail(status=status, body=reply.body, headers=reply.headers, **rule)
