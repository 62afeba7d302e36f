"""`FakeSageX3`: one Sage X3 folder behind api1 (Syracuse) and GraphQL (Xtrem), as a real HTTP server on loopback.

Both APIs read the same rows. api1 takes what its documentation names and refuses the rest; what is not established of
the real system is a setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any

from ._sagex3_access import Access
from ._sagex3_api1 import Api1Door, Api1Setup
from ._sagex3_graphql import GraphQLDoor
from ._sagex3_representations import CUSTOM, STANDARD, Dimensions, Representation, fields_of
from ._sagex3_samples import Samples, put_countries
from ._sagex3_site import Key, SageX3Site, Store
from ._sagex3_trade import NO, YES, Line, put_contact, put_invoice, put_order, put_partner
from ._server import FakeServer, Reply, Request

__all__ = ["FakeSageX3"]

_DIGITS = "{:06d}"


class FakeSageX3(FakeServer):
    """A site with one folder, one endpoint and one user for the connector.

    Args:
        customers, contacts, suppliers, orders, invoices: how many made-up records to start with (see `seed`). Each
            customer and supplier has a partner header, an address and mostly a contact; `contacts` are further ones.
        endpoint: the name of the Syracuse endpoint, which is not always the folder's.
        username, password: the user, set to Basic authentication.
        clock: gives the present as aware UTC; it drives stamps and the `Date` header.
        now: the instant before which all made-up dates lie; the clock's present if not given.
        zone: the server's time zone, of `UPDDAT` and of moments in a `where` without an offset.
        rich: whether the site's X3 team built representations for the purpose, such as `YMCBPC`; without them api1
            lists hardly more than keys and names, and no stamp.
        posted_status: the value of `INVSTA` that says posted, which differs between installations.
        slow_first: seconds that the first answer of api1 takes, as after an idle night.

    Rows are in `site` and in `table(name)`, by X3's field codes; fields that occur several times are tuples. `edit`
    stamps as X3's own programs do; a row changed in place is an import by raw SQL, which moves `UPDTICK` alone.

    How api1 behaves is in `api1` and `access`, what its facets show in `representations`, GraphQL in `graphql`.

    Example:
        >>> with FakeSageX3(customers=3) as erp:
        ...     key = erp.add_customer("0417", name="Harbor Pumps", email="office@harbor-pumps.com")
        ...     erp.edit("BPADDRESS", (1, key, "A01"), WEB="sales@harbor-pumps.com")
        ...     erp.site.row("BPADDRESS", 1, key, "A01")["WEB"][0], len(erp.customers)
        ('sales@harbor-pumps.com', 4)
    """

    def __init__(
        self,
        customers: int = 0,
        *,
        contacts: int = 0,
        suppliers: int = 0,
        orders: int = 0,
        invoices: int = 0,
        seed: int = 1,
        endpoint: str = "SEED",
        username: str = "MAILCHIMP",
        password: str = "secret",
        clock: Callable[[], datetime] | None = None,
        latency: float = 0.0,
        now: datetime | None = None,
        zone: str = "UTC",
        rich: bool = True,
        posted_status: int = 3,
        slow_first: float = 0.0,
    ) -> None:
        super().__init__(latency=latency)
        self.site = SageX3Site(clock, zone=zone, seed=seed)
        self.endpoint = endpoint
        self.username = username
        self.password = password
        self.posted_status = posted_status
        self.access = Access(username=username, password=password)
        self.api1 = Api1Setup()
        self.representations: dict[str, Representation] = {**STANDARD, **(CUSTOM if rich else {})}
        """What there is, by code; replace, add and remove as the site's X3 team would."""
        self._api1 = Api1Door(
            self.site, self.access, self.api1, self.representations, endpoint=endpoint, origin=lambda: self.url
        )
        self.graphql = GraphQLDoor(
            self.site,
            endpoint=endpoint,
            username=username,
            password=password,
            origin=lambda: self.url,
            posted_status=posted_status,
        )
        if slow_first:
            self.fail_next(delay=slow_first, path="/api1/")
        put_countries(self.site)
        Samples(self.site, seed, now or self.site.clock(), posted_status).fill(
            customers=customers, contacts=contacts, suppliers=suppliers, orders=orders, invoices=invoices
        )

    def present(self) -> datetime:
        return self.site.clock().astimezone(UTC)

    @property
    def base_url(self) -> str:
        """Scheme, host and port of the Syracuse server, below which `/api1` lies."""
        return self.url

    @property
    def graphql_url(self) -> str:
        """The one address of the GraphQL service, on premise."""
        return self.graphql.url

    def handle(self, request: Request) -> Reply:
        if request.path.startswith("/api1/"):
            return self._api1.handle(request)
        if self.graphql.serves(request.path):
            return self.graphql.handle(request)
        return Reply(404, "<!DOCTYPE html>\n<html><body><h1>Not Found</h1></body></html>")

    # -- records ------------------------------------------------------------------------------------------------

    def table(self, name: str) -> Store:
        """The rows of any table by key, such as `table("BPADDRESS")[1, "0001", "A01"]`."""
        return self.site.stores[name]

    @property
    def customers(self) -> Store:
        return self.table("BPCUSTOMER")

    @property
    def suppliers(self) -> Store:
        return self.table("BPSUPPLIER")

    @property
    def partners(self) -> Store:
        return self.table("BPARTNER")

    @property
    def addresses(self) -> Store:
        """By entity type (1 for partners), entity and address code."""
        return self.table("BPADDRESS")

    @property
    def contacts(self) -> Store:
        """Persons at partners, by entity type, entity and person."""
        return self.table("CONTACT")

    @property
    def persons(self) -> Store:
        return self.table("CONTACTCRM")

    @property
    def orders(self) -> Store:
        return self.table("SORDER")

    @property
    def invoices(self) -> Store:
        return self.table("SINVOICEV")

    def add_customer(
        self,
        key: str | None = None,
        *,
        name: str = "Harbor Pumps",
        email: str | Iterable[str] = (),
        first: str = "",
        last: str | None = "Hara",
        person_email: str = "",
        mailing_prohibited: bool = False,
        **fields: Any,
    ) -> str:
        """Save a customer with its partner header, default address and default contact, and return its code.

        Args:
            key: the code; the next free one if not given.
            email: the address's e-mails, up to five.
            first, last, person_email: the default contact; `last=None` saves none.
            mailing_prohibited: the flag of the partner header.
            fields: field codes of any of the tables, given to each that has them: `LAN`, `CRY`, `BPCSTA`.

        Raises:
            ValueError: a code that none of the tables has, or a value that does not fit.
        """
        person = _person(first, last, person_email)
        flags = {"BPRFBDMAG": YES if mailing_prohibited else NO}
        with self.lock:
            code = key or self.site.next_number("BPCUSTOMER", _DIGITS)
            given = {**flags, **fields}
            put_partner(self.site, "BPCUSTOMER", code, name=name, email=email, person=person, fields=given)
            return code

    def add_supplier(
        self,
        key: str | None = None,
        *,
        name: str = "Quill Paper",
        email: str | Iterable[str] = (),
        first: str = "",
        last: str | None = "Quill",
        person_email: str = "",
        mailing_prohibited: bool = False,
        **fields: Any,
    ) -> str:
        """Save a supplier as `add_customer` does a customer; a code that is a customer's makes one partner of both."""
        person = _person(first, last, person_email)
        flags = {"BPRFBDMAG": YES} if mailing_prohibited else {}
        with self.lock:
            code = key or self.site.next_number("BPSUPPLIER", "S{:05d}")
            given = {**flags, **fields}
            put_partner(self.site, "BPSUPPLIER", code, name=name, email=email, person=person, fields=given)
            return code

    def add_contact(
        self,
        partner: str,
        key: str | None = None,
        *,
        first: str = "",
        last: str = "Hara",
        email: str = "",
        mailing_prohibited: bool = False,
        default: bool = False,
        **fields: Any,
    ) -> str:
        """Save a person at a partner and return the person's code.

        Args:
            partner: whose contact; a person may be one of several partners: give the same `key` again.
            email: the person's own; the one at this partner is the field `WEB`.
            default: makes the contact the default one of the partner, which writes its rows as well.
            fields: further field codes of `CONTACTCRM` and `CONTACT`.
        """
        person = {"CNTFNA": first, "CNTLNA": last, "CNTWEB": email, "CNTFBDMAG": YES if mailing_prohibited else NO}
        own = {"CCNCRM": key} if key else {}
        with self.lock:
            code = put_contact(self.site, partner, fields={**person, **fields, **own}, default=default)
            for table in ("BPARTNER", "BPCUSTOMER", "BPSUPPLIER") if default else ():
                if partner in self.table(table):
                    self.site.edit(table, partner, CNTNAM=code)
            return code

    def add_order(
        self,
        customer: str,
        lines: Iterable[Line] = (),
        *,
        key: str | None = None,
        day: date | None = None,
        tax: Any = 0,
        **fields: Any,
    ) -> str:
        """Save a sales order and return its number; `fields` are further ones of `SORDER`.

        A line is `(item, description, quantity, net price)` or a mapping of fields of `SORDERP` and `SORDERQ`. Totals
        are worked out, `tax` on top.
        """
        with self.lock:
            number = key or self.site.next_number("SORDER", f"SON0001{_DIGITS}")
            put_order(self.site, customer, lines, key=number, day=day or self._today(), tax=tax, fields=fields)
            return number

    def add_invoice(
        self,
        customer: str,
        lines: Iterable[Line] = (),
        *,
        key: str | None = None,
        day: date | None = None,
        tax: Any = 0,
        order: str = "",
        posted: bool = True,
        **fields: Any,
    ) -> str:
        """Save a sales invoice and return its number; `fields` are further ones of `SINVOICE` and `SINVOICEV`.

        Lines are as in `add_order`, mappings with fields of `SINVOICED`; `order` is the one it was made from.
        """
        more = {"day": day, "tax": tax, "order": order, "posted": posted}
        return self._document("INV", customer, lines, key=key, fields=fields, **more)

    def add_credit_note(
        self,
        customer: str,
        lines: Iterable[Line] = (),
        *,
        key: str | None = None,
        day: date | None = None,
        tax: Any = 0,
        order: str = "",
        posted: bool = True,
        **fields: Any,
    ) -> str:
        """Save a credit note as `add_invoice` does an invoice: amounts are positive, `SNS` is -1, `INVTYP` 2."""
        more = {"day": day, "tax": tax, "order": order, "posted": posted}
        return self._document("CRN", customer, lines, key=key, fields=fields, **more)

    def _document(
        self,
        kind: str,
        customer: str,
        lines: Iterable[Line],
        *,
        key: str | None,
        day: date | None,
        tax: Any,
        order: str,
        posted: bool,
        fields: dict[str, Any],
    ) -> str:
        with self.lock:
            number = key or self.site.next_number("SINVOICEV", f"{kind}0001{_DIGITS}")
            put_invoice(
                self.site,
                customer,
                lines,
                key=number,
                day=day or self._today(),
                tax=tax,
                credit=kind == "CRN",
                status=self.posted_status if posted else 1,
                order=order,
                fields=fields,
            )
            return number

    def _today(self) -> date:
        return self.site.clock().astimezone(self.site.zone).date()

    def edit(self, table: str, key: Key, *, stamp: bool = True, **fields: Any) -> None:
        """Change fields of a row: `edit("BPCUSTOMER", "0417", BPCSTA=1)`.

        The row's own stamps move, and those of the document a line belongs to; nobody else's. Without `stamp` it is an
        import by raw SQL, which moves `UPDTICK` alone.

        Raises:
            KeyError: no such row.
            ValueError: a code that the table does not have, or a value that does not fit.
        """
        with self.lock:
            self.site.edit(table, key, stamp=stamp, **fields)

    def spoil(self, table: str, key: Key, **fields: Any) -> None:
        """Keep values that the fields could not hold: so a malformed row is made."""
        with self.lock:
            self.table(table)[key].spoil(**fields)

    def delete(self, table: str, key: Key) -> None:
        """Remove a row, and the lines of a document; nothing tells a reader that it is gone."""
        with self.lock:
            self.site.delete(table, key)

    # -- the site's X3 team ---------------------------------------------------------------------------------------

    def add_representation(
        self,
        name: str,
        of: str,
        query: str,
        *,
        table: str | None = None,
        dimensions: Dimensions | None = None,
        lines: bool = False,
    ) -> None:
        """Publish a representation, or another version of one: `add_representation("YCUS", "BPCUSTOMER", "BPCNUM")`.

        Args:
            name: its code.
            of: its class; one that is not there is made on `table`.
            query: the properties of the query facet. `BPCNAM` is the class's own, `address.POSCOD` one of a joined row
                (`partner`, `address`, `contact`, `person`, `customer`; `sales` and `accounting` of an invoice),
                `ADDLIG=address.BPAADDLIG` has another name, `WEB1=address.WEB#1` is one of several occurrences,
                `?UPDDATTIM` is not shown but sorted and filtered by.
            table: what a custom class reads.
            dimensions: how fields that occur several times are shown; the site's way if not given.
            lines: rows of the query facet have the document's lines.

        Raises:
            ValueError: a class, field or join that is not there.
        """
        if table is not None:
            self._api1.classes[of] = table
        if of not in self._api1.classes:
            raise ValueError(f"there is no class {of}: name the table it reads")
        fields_of(self.site, self._api1.classes[of], query)
        self.representations[name] = Representation(name=name, of=of, query=query, dimensions=dimensions, lines=lines)

    def forbid(self, of: str, *, allow: bool = False) -> None:
        """Take the user's right to a class of api1 away: 403 (or give it back)."""
        if allow:
            self.access.forbidden.discard(of)
        else:
            self.access.forbidden.add(of)


def _person(first: str, last: str | None, email: str) -> dict[str, Any] | None:
    return None if last is None else {"CNTFNA": first, "CNTLNA": last, "CNTWEB": email}
