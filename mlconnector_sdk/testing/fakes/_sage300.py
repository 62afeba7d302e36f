"""`FakeSage300`: the Web API of Sage 300 as a real HTTP server on loopback.

It takes what the real system is known to take and refuses the rest, so that no client comes to rely on a guess. What
releases and sites do differently is an attribute to set; `Sage300Site` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ._acumatica_data import Store
from ._sage300_access import Account
from ._sage300_documents import Line, add_invoice, add_order, order_lines, retotal
from ._sage300_errors import CODES, error_body, http_page
from ._sage300_samples import Samples
from ._sage300_schema import release_of
from ._sage300_site import Sage300Site
from ._server import Fault

__all__ = ["FakeSage300"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FakeSage300(Sage300Site):
    """A site with one company and one API user, who may view everything and write nothing.

    Args:
        customers, contacts, vendors, orders, invoices: how many made-up records to start with (see `seed`).
        company: the Org ID in the path, in capital letters as the real system has it.
        username, password: who may sign in. The user is always upper case; a password keeps its case from release
            2023 on, is upper case before 2022.2, and is taken in either case between.
        clock: gives the present as aware UTC; it drives stamps and the `Date` header.
        now: the instant before which all made-up dates lie; the clock's present if not given.
        version: the release, such as `"2022.2"`: properties, resources and passwords depend on it.
        page_cap: rows in a page at the most.
        mt_module: whether Multiple Contacts is activated; without it the `MT` module answers 404.
        timezone: the site's zone; dates are its calendar days.
        tenant: the path segment before the company.

    Records are plain dictionaries of the vendor's properties in `customers`, `contacts`, `vendors`, `orders`,
    `invoices`, `items` and `ship_to`, by key: a text, for orders and invoices the uniquifier, for `ship_to` a pair of
    customer and location. What is missing shows as empty. They may be changed in place, also to values the real system
    would not have; `edit` also moves the stamp, a day, as saving a form does.

    Example:
        >>> with FakeSage300(customers=3) as erp:
        ...     key = erp.add_customer(name="Harbor Pumps", email="office@harbor-pumps.com")
        ...     erp.edit("ARCustomers", key, OnHold="Yes")
        ...     len(erp.customers)
        4
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
        company: str = "SAMLTD",
        username: str = "ADMIN",
        password: str = "ADMIN",
        clock: Callable[[], datetime] | None = None,
        latency: float = 0.0,
        now: datetime | None = None,
        version: str = "2024.0",
        page_cap: int = 100,
        mt_module: bool = True,
        timezone: str = "America/Los_Angeles",
        tenant: str = "-",
    ) -> None:
        super().__init__(
            Account(username, password, release_of(version)),
            company=company,
            tenant=tenant,
            version=version,
            zone=ZoneInfo(timezone),
            clock=clock or _utc_now,
            latency=latency,
        )
        self.page_cap = page_cap
        if not mt_module:
            self.drop("MT")
            if "CustomerContactSelection" in self._model.columns_of("ARCustomers"):
                self.hide_property("ARCustomers", "CustomerContactSelection")
        day = now.astimezone(self.zone).date() if now else self._today()
        Samples(self._records, seed, day).fill(
            customers=customers, contacts=contacts, vendors=vendors, orders=orders, invoices=invoices
        )

    # -- where things are ---------------------------------------------------------------------------------------

    @property
    def customers(self) -> Store:
        return self._records.stores["ARCustomers"]

    @property
    def ship_to(self) -> Store:
        return self._records.stores["ARShipToLocations"]

    @property
    def contacts(self) -> Store:
        return self._records.stores["MTContacts"]

    @property
    def vendors(self) -> Store:
        return self._records.stores["APVendors"]

    @property
    def orders(self) -> Store:
        return self._records.stores["OEOrders"]

    @property
    def invoices(self) -> Store:
        return self._records.stores["OEInvoices"]

    @property
    def items(self) -> Store:
        return self._records.stores["ICItems"]

    @property
    def username(self) -> str:
        """The user as it must be sent."""
        return self._account.username

    @property
    def locked(self) -> bool:
        """Whether wrong passwords have locked the account."""
        return self._account.locked

    @property
    def tries_before_lock(self) -> int:
        """How many wrong passwords in a row lock the account."""
        return self._account.tries_before_lock

    @tries_before_lock.setter
    def tries_before_lock(self, tries: int) -> None:
        self._account.tries_before_lock = tries

    @property
    def complex_passwords(self) -> bool:
        """Whether passwords keep their case, as "Increased complexity" has it."""
        return self._account.complex_passwords

    @complex_passwords.setter
    def complex_passwords(self, on: bool) -> None:
        self._account.complex_passwords = on

    # -- records ------------------------------------------------------------------------------------------------

    def put(self, entity: str, values: Mapping[str, Any]) -> Any:
        """Store a whole record of a resource such as `"ARCustomers"` and return its key.

        Raises:
            ValueError: a name the resource does not have, or a text longer than its column.
        """
        with self.lock:
            return self._records.put(entity, values)

    def edit(self, entity: str, key: Any, *, stamp: bool = True, **fields: Any) -> None:
        """Change properties: `edit("ARCustomers", "1200", Status="Inactive")`.

        With `stamp` the record's stamp becomes today: `DateLastMaintained`, or `LastPostingDate` of an order; an
        invoice has none. Details are replaced whole, and totals follow them.
        """
        with self.lock:
            if "OrderDetails" in fields and entity == "OEOrders":
                fields["OrderDetails"] = order_lines(key, fields["OrderDetails"])
            self._records.edit(entity, key, fields, stamp=stamp)
            if {"OrderDetails", "InvoiceDetails"} & fields.keys():
                retotal(entity, self._records.stores[entity][key], given=fields)

    def delete(self, entity: str, key: Any) -> None:
        """Remove a record; nothing tells a reader that it is gone."""
        with self.lock:
            del self._records.stores[entity][key]

    def add_customer(
        self,
        key: str | None = None,
        *,
        name: str = "Harbor Pumps",
        email: str | None = None,
        status: str = "Active",
        on_hold: bool = False,
        **more: Any,
    ) -> str:
        """Store a customer and return its `CustomerNumber`; `more` are further properties."""
        values = {"CustomerName": name, "Email": email or "", "Status": status, "OnHold": _yes(on_hold), **more}
        with self.lock:
            number = key or self._records.next_key("ARCustomers")
            short = {"ShortName": name.upper()[:10], "CurrencyCode": "USD", "Terms": "N30"}
            return str(self._records.put("ARCustomers", {"CustomerNumber": number, **short, **values}))

    def add_ship_to(
        self, customer: str, key: str = "OFFICE", *, email: str | None = None, **more: Any
    ) -> tuple[str, str]:
        """Store a ship-to location and return its key, a pair of customer and location."""
        values = {"CustomerNumber": customer, "ShipToLocationKey": key, "Email": email or "", **more}
        with self.lock:
            self._records.put("ARShipToLocations", values)
            return customer.upper(), key.upper()

    def add_contact(
        self,
        key: str | None = None,
        *,
        first: str | None = None,
        last: str = "Hara",
        email: str | None = None,
        customer: str | None = None,
        consents: bool = True,
        **more: Any,
    ) -> str:
        """Store a contact and return its `ContactCode`; with `customer` it is linked there, which stamps nothing."""
        values = {"FirstName": first or "", "LastName": last, "Email": email or "", **more}
        with self.lock:
            code = key or self._records.next_key("MTContacts")
            values = {"ContactCode": code, "ConsentsToReceiveEmail": _yes(consents), **values}
            code = str(self._records.put("MTContacts", values))
            if customer is not None:
                owner = self.customers[customer]
                link = {
                    "CustomerNumber": customer,
                    "ContactCode": code,
                    "ContactName": f"{first or ''} {last}".strip(),
                    "Email": email or "",
                }
                owner["CustomerContactSelection"] = [*owner.get("CustomerContactSelection", []), link]
            return code

    def add_vendor(
        self,
        key: str | None = None,
        *,
        name: str = "Quill Paper",
        email: str | None = None,
        status: str = "Active",
        **more: Any,
    ) -> str:
        """Store a vendor and return its `VendorNumber`."""
        with self.lock:
            number = key or self._records.next_key("APVendors")
            values = {"VendorNumber": number, "VendorName": name, "Email": email or "", "Status": status, **more}
            return str(self._records.put("APVendors", values))

    def add_order(
        self,
        customer: str,
        lines: Iterable[Line] = (),
        *,
        key: int | None = None,
        type: str = "Active",  # noqa: A002 - the field's own name
        date: date | None = None,
        email: str | None = None,
        discount: Any = 0,
        tax: Any = 0,
        **more: Any,
    ) -> int:
        """Store an order, quote, future or standing order and return its `OrderUniquifier`.

        A line is `(item, description, quantity, price)`, a charge if it has no item, or a mapping of `OrderDetails`
        properties; totals are worked out. `date` is the one typed on the order; `email` the bill-to address, the
        customer's if not given.
        """
        given = {"OrderUniquifier": key, "OrderDate": date, "BillToEmail": email}
        more = {"OrderType": type, **{name: value for name, value in given.items() if value is not None}, **more}
        with self.lock:
            return add_order(self._records, customer, lines, discount=discount, tax=tax, more=more)

    def add_invoice(
        self,
        customer: str,
        lines: Iterable[Line] = (),
        *,
        key: int | None = None,
        order: int | None = None,
        date: date | None = None,
        email: str | None = None,
        discount: Any = 0,
        tax: Any = 0,
        **more: Any,
    ) -> int:
        """Store a posted invoice and return its `InvoiceUniquifier`; `order` is the one it was made from.

        Lines are as in `add_order`, mappings with `InvoiceDetails` properties.
        """
        number = self.orders[order]["OrderNumber"] if order is not None else None
        given = {"InvoiceUniquifier": key, "OrderNumber": number, "InvoiceDate": date, "BillToEmail": email}
        more = {**{name: value for name, value in given.items() if value is not None}, **more}
        with self.lock:
            return add_invoice(self._records, customer, lines, discount=discount, tax=tax, more=more)

    # -- releases and sites -------------------------------------------------------------------------------------

    def hide_property(self, entity: str, name: str) -> None:
        """Take a property out of answers, queries and `$metadata`, as a release without it."""
        with self.lock:
            self._model.hide(entity, name)

    def rename_property(self, entity: str, name: str, spelling: str) -> None:
        """Spell a property otherwise in answers, queries and `$metadata`; records keep the name they have here."""
        with self.lock:
            self._model.rename(entity, name, spelling)

    def add_property(self, entity: str, name: str, kind: str = "60") -> None:
        """Add a partner's property: `kind` is a text width, `date`, `amount`, `int`, `flag` or `One|Other`."""
        with self.lock:
            self._model.add(entity, f"{name}:{kind}")

    def drop(self, place: str, code: str = "ResourceNotFound") -> None:
        """Take a module (`"MT"`) or a resource (`"OEInvoices"`) away; it then answers with that error code."""
        self.dropped[place] = _known(code)

    def forbid(self, place: str, *, allow: bool = False) -> None:
        """Take the user's right to a module or a resource away: 403 (or give it back)."""
        if allow:
            self.forbidden.discard(place)
        else:
            self.forbidden.add(place)

    # -- trouble ------------------------------------------------------------------------------------------------

    def lock_account(self) -> None:
        """Lock the user: right credentials fail as well."""
        self._account.locked = True

    def unlock_account(self) -> None:
        """What an administrator does: unlock the account and give it a good state."""
        self._account.clear()

    def expire_password(self, state: str = "password expired") -> None:
        """Refuse right credentials as well.

        Args:
            state: `"password expired"`, `"must change password"`, `"disabled"` or `"restricted hours"`.
        """
        self._account.put_in_state(state)

    def change_password(self, password: str) -> None:
        """Give the user another password."""
        self._account.password = password

    def refuse(self, code: str, text: str | None = None, *, times: int | None = 1, **rule: Any) -> Fault:
        """Answer the next matching requests with one of the vendor's errors, for example `refuse("General")`."""
        headers = {"Content-Type": self.error_content_type, **rule.pop("headers", {})}
        status = CODES[_known(code)][0]
        return self.fail(status=status, body=error_body(code, text), headers=headers, times=times, **rule)

    def day_end(self, *, module: str = "OE", times: int | None = None) -> Fault:
        """Run Day End: the module answers 409 until the returned rule is removed from `faults` or used up."""
        text = "Day End Processing is running. Try again later."
        return self.refuse("RecordDuplicate", text, times=times, path=f"/{self.company}/{module}/")

    def html_error(self, status: int = 503, *, times: int | None = None, **rule: Any) -> Fault:
        """Answer with a page of IIS until the returned rule is removed from `faults` or used up."""
        page = http_page(status)
        return self.fail(status=status, body=page.body, headers=page.headers, times=times, **rule)


def _yes(value: bool) -> str:  # noqa: FBT001 - the one value it turns into text
    return "Yes" if value else "No"


def _known(code: str) -> str:
    if code not in CODES:
        raise ValueError(f"{code} is none of the vendor's codes: {', '.join(CODES)}")
    return code
