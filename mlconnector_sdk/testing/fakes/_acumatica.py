"""`FakeAcumatica`: the contract-based REST API of Acumatica as a real HTTP server on loopback.

It takes what the real system takes and refuses the rest the way the real system does: nearly always with 500 and a
JSON body. Where the behaviour is not established, it refuses, so that no client comes to rely on a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from ._acumatica_access import Site
from ._acumatica_answers import AcumaticaSite, to_millisecond
from ._acumatica_data import Key, Store
from ._acumatica_documents import add_document
from ._acumatica_errors import html_page
from ._acumatica_reading import as_plain
from ._acumatica_samples import Samples
from ._acumatica_tables import ENTITIES
from ._server import Fault

__all__ = ["FakeAcumatica"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FakeAcumatica(AcumaticaSite):
    """A site with one tenant, one API user and one connected application.

    Args:
        customers, contacts, vendors, invoices: how many made-up records to start with (see `seed`).
        tenant, username, password, client_id, client_secret: who may sign in.
        site: folder of the instance in the URL; empty for an instance in the root.
        version: the endpoint version meant by `endpoint_url`; `versions` are all that the site offers.
        clock: gives the present as aware UTC; it drives stamps, the `Date` header and every expiry.
        single_tenant: any tenant name, or none, is accepted.
        seats: licensed API sessions.
        crm: whether the customer management feature is on; without it `Contact` answers 403.
        now: the instant before which all made-up stamps lie; the clock's present if not given.
        bare_listing: the endpoint listing of older builds, an array.

    Records are plain nested dictionaries in `customers`, `contacts`, `vendors`, `sales_invoices`, `sales_orders`,
    `stock_items` and `non_stock_items`, by key (invoices and orders by a pair of type and number). They may be changed
    in place; `edit` also moves the stamp, as saving a form does.

    Example:
        >>> with FakeAcumatica(customers=3) as erp:
        ...     key = erp.add_customer(name="Harbor Pumps", email="office@harbor-pumps.com")
        ...     erp.edit("Customer", key, Status="On Hold")
        ...     len(erp.customers)
        4
    """

    def __init__(
        self,
        customers: int = 0,
        *,
        contacts: int = 0,
        vendors: int = 0,
        invoices: int = 0,
        seed: int = 1,
        tenant: str = "Acme",
        site: str = "Acme",
        version: str = "24.200.001",
        versions: Sequence[str] = ("20.200.001", "22.200.001", "23.200.001", "24.200.001"),
        username: str = "sync",
        password: str = "correct horse",
        client_id: str = "88358B02-A48D-A50E-F710-39C1636C30F6@Acme",
        client_secret: str = "s3cret",
        clock: Callable[[], datetime] | None = None,
        latency: float = 0.0,
        single_tenant: bool = False,
        seats: int = 2,
        crm: bool = True,
        now: datetime | None = None,
        bare_listing: bool = False,
    ) -> None:
        account = Site(
            tenant=tenant,
            username=username,
            password=password,
            client_id=client_id,
            client_secret=client_secret,
            single_tenant=single_tenant,
        )
        super().__init__(account, folder=site, versions=versions, clock=clock or _utc_now, seats=seats, latency=latency)
        self.version = version
        self.crm = crm
        self.bare_listing = bare_listing
        Samples(self._records, seed, to_millisecond(now or self.clock())).fill(
            customers=customers, contacts=contacts, vendors=vendors, invoices=invoices
        )

    # -- where it is, and what a test may ask -------------------------------------------------------------------

    @property
    def endpoint_url(self) -> str:
        """The root of the Default endpoint in the version the fake was made for."""
        return f"{self.base_url}/entity/Default/{self.version}"

    @property
    def customers(self) -> Store:
        return self._records.stores["Customer"]

    @property
    def contacts(self) -> Store:
        return self._records.stores["Contact"]

    @property
    def vendors(self) -> Store:
        return self._records.stores["Vendor"]

    @property
    def sales_invoices(self) -> Store:
        return self._records.stores["SalesInvoice"]

    @property
    def sales_orders(self) -> Store:
        return self._records.stores["SalesOrder"]

    @property
    def stock_items(self) -> Store:
        return self._records.stores["StockItem"]

    @property
    def non_stock_items(self) -> Store:
        return self._records.stores["NonStockItem"]

    @property
    def invoices(self) -> dict[Any, dict[str, Any]]:
        """What the `Invoice` entity shows, as plain copies: posted sales invoices under the names of AR301000."""
        shape = ENTITIES["Invoice"].shape
        return {key: as_plain(self._records, shape, row) for key, row in self._records.rows("Invoice").items()}

    @property
    def custom_fields(self) -> dict[str, dict[str, str]]:
        """A site's own screen fields, entity to `View.Field` to kind letter; found by themselves in `custom` values."""
        return self._records.custom_fields

    @property
    def open_sessions(self) -> int:
        """Seats taken now."""
        return self._access.open_sessions

    @property
    def logins(self) -> int:
        """Sessions opened so far, by cookie log-in or by a token's first call."""
        return self._access.logins

    # -- records ------------------------------------------------------------------------------------------------

    def put(self, entity: str, values: Mapping[str, Any]) -> Key:
        """Store a whole record and return its key. An `Invoice` is a receivables document without a sales invoice."""
        with self.lock:
            return self._records.put(entity, values)

    def edit(self, entity: str, key: Any, *, stamp: bool = True, **values: Any) -> None:
        """Set values by dotted path: `edit("Customer", "C1", Status="On Hold", **{"MainContact.Email": "a@b.com"})`.

        With `stamp` the record that owns a value gets the present as its stamp. A company's e-mail, phone and address
        belong to other records, so editing them leaves `Customer.LastModifiedDateTime` alone.
        """
        with self.lock:
            self._records.edit(entity, key, values, stamp=stamp)

    def delete(self, entity: str, key: Any) -> None:
        """Remove a record; nothing tells a reader that it is gone."""
        with self.lock:
            del self._records.stores[entity][key]

    def add_customer(
        self,
        key: str | None = None,
        name: str = "Harbor Pumps",
        email: str | None = None,
        status: str = "Active",
        **more: Any,
    ) -> str:
        """Store a customer and return its `CustomerID`; `more` are further contract fields, `MainContact` included."""
        with self.lock:
            number = key or self._records.next_key("Customer")
            contact = {"CompanyName": name, "DisplayName": name, "Email": email, **more.pop("MainContact", {})}
            values = {"CustomerID": number, "CustomerName": name, "Status": status, "MainContact": contact, **more}
            values.setdefault("BAccountID", 7000 + len(self.customers))
            self._records.put("Customer", values)
            return str(number)

    def add_contact(
        self,
        key: int | None = None,
        *,
        first: str | None = None,
        last: str = "Hara",
        email: str | None = None,
        account: str | None = None,
        primary: bool = False,
        **more: Any,
    ) -> int:
        """Store a person and return the `ContactID`; `primary` makes it the primary contact of its account."""
        with self.lock:
            number = key or self._records.next_key("Contact")
            values = {"ContactID": number, "FirstName": first, "LastName": last, "Email": email, **more}
            self._records.put("Contact", {"BusinessAccount": account, **values})
            if primary and account is not None:
                owner = self.customers.get(account) or self.vendors[account]
                owner["PrimaryContact"] = self.contacts[number]
            return int(number)

    def add_vendor(
        self,
        key: str | None = None,
        name: str = "Quill Paper",
        email: str | None = None,
        status: str = "Active",
        **more: Any,
    ) -> str:
        """Store a vendor and return its `VendorID`."""
        with self.lock:
            number = key or self._records.next_key("Vendor")
            contact = {"CompanyName": name, "DisplayName": name, "Email": email, **more.pop("MainContact", {})}
            self._records.put(
                "Vendor", {"VendorID": number, "VendorName": name, "Status": status, "MainContact": contact, **more}
            )
            return str(number)

    def add_invoice(
        self,
        customer: str,
        lines: Iterable[tuple[str | None, str, Any, Any] | Mapping[str, Any]] = (),
        *,
        type: str = "Invoice",  # noqa: A002 - the field's own name
        status: str = "Open",
        number: str | None = None,
        date: date | datetime | None = None,
        email: str | None = None,
        discount: Any = 0,
        freight: Any = 0,
        tax: Any = 0,
        **more: Any,
    ) -> tuple[str, str]:
        """Store a sales invoice and return its key, a pair of type and number.

        A line is `(item, description, quantity, price)` or a mapping of `Details` fields; totals are worked out.
        `email` is the bill-to address, the customer's if not given.
        """
        with self.lock:
            rows = [line if isinstance(line, Mapping) else _line(*line) for line in lines]
            amounts = {
                name: Decimal(str(v)) for name, v in [("discount", discount), ("freight", freight), ("tax", tax)]
            }
            header = {"ReferenceNbr": number, "Date": date or self._present().date(), **more}
            key = add_document(self._records, customer, rows, kind=type, status=status, more=header, **amounts)
            if email is not None:
                self.sales_invoices[key]["BillingSettings"]["BillToContact"]["Email"] = email
            return type, str(self.sales_invoices[key]["ReferenceNbr"])

    # -- trouble ------------------------------------------------------------------------------------------------

    @property
    def rotate_refresh_tokens(self) -> bool:
        """Whether a refresh gives a new refresh token and kills the old one."""
        return self._access.rotate_refresh_tokens

    @rotate_refresh_tokens.setter
    def rotate_refresh_tokens(self, on: bool) -> None:
        self._access.rotate_refresh_tokens = on

    @property
    def read_only_role(self) -> bool:
        """Whether the user's role lacks write access: a `PUT` answers 200 with the old values."""
        return self._writer.read_only

    @read_only_role.setter
    def read_only_role(self, on: bool) -> None:
        self._writer.read_only = on

    @property
    def rejects(self) -> dict[tuple[str, str], str]:
        """Site rules for `PUT`: `(entity, field)` to the error text of the 422."""
        return self._writer.rejects

    def seat_limit(self, shape: str | None = "json") -> None:
        """Answer every new session with "API Login Limit" as `"json"`, `"html"` or `"iis"`; `None` switches it off.

        The shape stays for the limit that the licensed `seats` set.
        """
        if shape not in {"json", "html", "iis", None}:
            raise ValueError(f"seat_limit is 'json', 'html', 'iis' or None, not {shape!r}")
        self._access.limit_forced = shape is not None
        self._access.limit_shape = shape or self._access.limit_shape

    def lock_account(self, locked: bool = True) -> None:  # noqa: FBT001, FBT002 - reads as a sentence both ways
        """Lock the user: right credentials fail as well."""
        self._access.locked = locked
        self._access.wrong_tries = 0

    def expire_sessions(self) -> None:
        """End every session at once; the next call by cookie gets 401, a live token opens a new session."""
        self._access.sessions.clear()

    def expire_tokens(self) -> None:
        """End every access token at once; the next call with one gets 401. Refresh tokens stay good."""
        self._access.tokens.clear()

    def forbid(self, entity: str, *, allow: bool = False) -> None:
        """Take the user's right to the form of an entity away: 403 (or give it back)."""
        if allow:
            self.forbidden.discard(entity)
        else:
            self.forbidden.add(entity)

    def html_maintenance(self, status: int = 503, **rule: Any) -> Fault:
        """Answer with a page instead of JSON until the returned rule is removed from `faults`.

        With status 302 the page is a redirect to the log-in form, as a broken site gives it.
        """
        headers = {"Location": f"/{self.site}/Frames/Login.aspx".replace("//", "/")} if status == 302 else {}
        return self.fail(status=status, body=html_page(status, "Site under maintenance").body, headers=headers, **rule)

    def issue_code(
        self, redirect_uri: str, *, scope: str = "api offline_access", code_challenge: str | None = None
    ) -> str:
        """An authorization code as the sign-in page gives it out; the challenge is of method S256."""
        return self._access.issue_code(redirect_uri, scope, code_challenge)


def _line(item: str | None, description: str, quantity: Any, price: Any) -> dict[str, Any]:
    return {"InventoryID": item, "TransactionDescr": description, "Qty": quantity, "UnitPrice": price}
