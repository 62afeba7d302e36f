"""Sage 300 as a source of customers, contacts, suppliers and orders."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

import attrs

from ..._secret import Secret
from ...cursors import CursorStep, CursorValue, Overlap, Window
from ...models import STREAMS, CheckResult, Page, Record, StreamName, StreamSpec
from ...network import Network
from ...retry import RetryPolicy
from .._base import ErpSource, page_of, zone_named
from .._settings import OptOutField, PartyStatus, opt_outs, own_fields, require
from .._values import Row
from ._api import SYSTEM, changed_since
from ._checks import check_site
from ._fields import RESOURCES, SHIP_TO, OrdersResource, Resource, is_number, resource_of, shape_of
from ._listing import Listing, PageSize, Paging, is_ship_to
from ._records import PARENT, Reader, optional_field
from ._session import Session

__all__ = ["Sage300"]

CursorFields = Mapping[StreamName, str | Sequence[str] | None]

_MODULES = ("AR", "MT", "AP", "OE")
_STATUSES: Mapping[str, PartyStatus] = {"active": "active", "1": "active", "inactive": "inactive", "0": "inactive"}
_CONSENT_ADVICE = (
    "it says who may be mailed; name it with consent_field=, or None when contacts have no such flag on this site"
)
_REMEMBERED_CUSTOMERS = 50_000


class Sage300(ErpSource[Session]):
    """Reads a company of Sage 300 through its Web API (`v1.0`: Sage 300 2017.1 and later). Writes nothing.

    Streams: `customers` (ARCustomers), `contacts` (MTContacts), `suppliers` (APVendors) and `orders` (OEOrders, or
    OEInvoices). Rows come in the order of their keys, so a mark moves only when a window was read to its end.

    **Nothing in Sage 300 has a time of day.** A mark is a date (for orders a date and a number), each window steps back
    by `overlap`, and what was read before costs no writes. The date may be that of the user's session and not of the
    clock; deleted rows, rows without a date and edits of details are not seen at all: `full_scan_every` answers that.

    Args:
        base_url: the address of the Web API: `https://erp.example.com/Sage300WebApi`; a bare host means just that.
        company: the Org ID.
        username, password: of a user other than ADMIN with the right "Sage 300 Web API" in each module.
        upper_case_credentials: the password is sent in upper case, as older releases want it; `False` for sites with
            complex (case-sensitive) passwords. User IDs are always upper case.
        tenant: the part before the company in the path; on-premise it is `-`.
        timezone: IANA name of the zone of the server; its date today is what bounds a mark.
        modules: the modules that are activated; each stream needs its own (AR, MT, AP, OE).
        orders: which documents feed `orders`: `"OEOrders"` (without quotes, future and standing orders), or
            `"OEInvoices"`.
        ship_to: read ship-to locations with an address of their own as further customers.
        customer_email: whose address a customer or supplier has first: the company's, or its contact person's.
        consent_field: the flag of a contact that allows mail; only a clear yes is a consent. `None` for none.
        optout_field: the site's own do-not-mail field: a property, an optional field, or a function over the raw row;
            or such a value for each stream. Anything but a clear no counts as an opt-out.
        custom_fields: further properties or optional fields for each stream; find them in `record.raw`.
        cursor_fields: what tells changed rows, for each stream: a date property, for `orders` also the uniquifier, or
            both; `None` reads everything each time. Checked against the release's metadata.
        statuses: label to `active`, `inactive` or `on_hold`, added to the usual ones.
        page_size: rows of a request; the server may have a lower limit, which is learned.
        paging: `"skip"`, or `"key"` to ask for what is behind the last key, which is kinder to large companies.
        overlap: how far a window steps back behind a date.
        number_overlap: how far it steps back behind a document's number.
        full_scan_every: how often everything is read; `None` for never.
        retry: the retry loop's limits.
        timeout: seconds to wait for an answer; the first one after an idle time is slow.
        network: whom to trust, and how much of an answer is read.

    Raises:
        ConfigurationError: an argument is wrong. Nothing is sent before the first read or `check`.

    Example:
        >>> source = Sage300("https://erp.example.com", company="SAMLTD", username="webapi", password="secret")
        >>> source
        <Sage300 https://erp.example.com/Sage300WebApi/v1.0/-/SAMLTD>
        >>> source.streams["orders"].cursor_field
        'LastPostingDate, OrderUniquifier'
        >>> source.close()
    """

    system = SYSTEM

    def __init__(
        self,
        base_url: str,
        company: str,
        *,
        username: str,
        password: str | Secret,
        upper_case_credentials: bool = True,
        tenant: str = "-",
        timezone: str = "UTC",
        modules: Collection[str] = _MODULES,
        orders: OrdersResource = "OEOrders",
        ship_to: bool = False,
        customer_email: Literal["company", "contact"] = "company",
        consent_field: str | None = "ConsentsToReceiveEmail",
        optout_field: OptOutField | Mapping[StreamName, OptOutField] | None = None,
        custom_fields: Mapping[StreamName, Sequence[str]] | None = None,
        cursor_fields: CursorFields | None = None,
        statuses: Mapping[str, PartyStatus] | None = None,
        page_size: int = 100,
        paging: Paging = "skip",
        overlap: timedelta = timedelta(days=3),
        number_overlap: int = 50,
        full_scan_every: timedelta | None = timedelta(days=7),
        retry: RetryPolicy = RetryPolicy(),
        timeout: float = 120.0,
        network: Network = Network(),
    ) -> None:
        require(orders in {"OEOrders", "OEInvoices"}, "orders must be 'OEOrders' or 'OEInvoices'", system=SYSTEM)
        known = customer_email in {"company", "contact"}
        require(known, "customer_email must be 'company' or 'contact'", system=SYSTEM)
        require(paging in {"skip", "key"}, "paging must be 'skip' or 'key'", system=SYSTEM)
        require(page_size >= 2, "page_size must be 2 at least", system=SYSTEM)
        self._zone = zone_named(timezone, system=SYSTEM)
        self._ship_to, self._page_size = ship_to, PageSize(page_size)
        self._paging: Paging = paging
        self._consent_field = consent_field
        tests, needed = opt_outs(optout_field, system=SYSTEM, reader=optional_field)
        further = own_fields(custom_fields or {}, system=SYSTEM)
        self._own_fields = {name: (*needed.get(name, ()), *further.get(name, ())) for name in needed | further}
        self._resources = _resources(modules, orders, cursor_fields or {})
        shipping = attrs.evolve(SHIP_TO, cursors=self._resources.get("customers", SHIP_TO).cursors)
        self._shipping = shipping
        used = {resource.name: resource for resource in (*self._resources.values(), shipping)}
        self._reader = Reader(
            customer_email=customer_email,
            statuses={**_STATUSES, **{label.casefold(): status for label, status in (statuses or {}).items()}},
            opt_outs=tests,
            consent_field=consent_field,
            cursors={name: resource.cursors for name, resource in (RESOURCES | used).items()},
        )
        session = Session(
            base_url,
            company=company,
            tenant=tenant,
            username=username,
            password=password,
            upper_case=upper_case_credentials,
            retry=retry,
            timeout=timeout,
            network=network,
        )
        super().__init__(session, network=network)
        self._streams = {
            name: _spec(name, resource, overlap, number_overlap, full_scan_every)
            for name, resource in self._resources.items()
        }
        self._listings: dict[str, Listing] = {}

    def _tried(self) -> Iterator[CheckResult]:
        first = next(iter(self._resources.values()))
        return check_site(self._connection, first, self._streams, self._listing, self._clock)

    def present(self, stream: StreamName) -> CursorValue | None:
        """The date at the server, in its zone; numbers have no present.

        The server tells it in the head of an answer. This machine's own clock is not asked.
        """
        resource = self._resource(stream)
        if all(is_number(name) for name in resource.cursors):
            return None
        today = self._connection.now(resource).astimezone(self._zone).date()
        steps: tuple[CursorStep | None, ...] = tuple(None if is_number(name) else today for name in resource.cursors)
        return steps if len(steps) > 1 else today

    def read(self, stream: StreamName, window: Window = Window()) -> Iterator[Page]:
        """Every record changed since the window's lower bound, or every record without one.

        Raises:
            PermissionDeniedError: no right to the module.
            ContractError: the release lacks a resource or a property that is needed.
            AuthenticationError, TransientError: see their descriptions.
        """
        listing = self._listing(stream)
        condition = changed_since(listing.shape, window)
        if stream == "customers" and self._ship_to:
            yield from self._with_ship_to(listing, condition)
            return
        for rows in listing.pages(condition):
            yield self._page(stream, listing, rows)

    def fetch(self, stream: StreamName, keys: Sequence[str]) -> Iterator[Page]:
        """The records with these keys as they are now; keys that are gone are absent."""
        listing = self._listing(stream)
        pairs = [key for key in keys if is_ship_to(key)] if stream == "customers" and self._ship_to else []
        for rows in listing.with_keys([key for key in keys if key not in pairs]):
            yield self._page(stream, listing, rows)
        if pairs:
            shipping = self._shipping_listing()
            for rows in shipping.with_keys(pairs):
                yield self._page(stream, shipping, _joined(rows, self._customers_of(listing, rows)))

    def parse(self, stream: StreamName, raw: Mapping[str, Any]) -> Record:
        """A record from a row kept in `raw`.

        Raises:
            MappingError: the row cannot be read.
        """
        resource = self._resource(stream).name
        if stream == "customers" and "ShipToLocationKey" in raw:
            resource = SHIP_TO.name
        elif stream == "orders":
            # Kept rows may come from another setting of `orders`.
            resource = "OEInvoices" if "InvoiceUniquifier" in raw else "OEOrders"
        return self._reader.function_for(resource)(dict(raw))

    def _resource(self, stream: StreamName) -> Resource:
        self._spec(stream, " (see modules=)")
        return self._resources[stream]

    def _listing(self, stream: StreamName, *, retry: RetryPolicy | None = None) -> Listing:
        needed = {}
        if stream == "contacts" and self._consent_field is not None:
            needed[self._consent_field] = _CONSENT_ADVICE
        return self._listing_of(self._resource(stream), stream, needed, retry)

    def _shipping_listing(self) -> Listing:
        return self._listing_of(self._shipping, "customers", {}, None)

    def _listing_of(
        self, resource: Resource, stream: StreamName, needed: Mapping[str, str], retry: RetryPolicy | None
    ) -> Listing:
        if resource.name not in self._listings:
            properties = self._connection.properties(resource, retry=retry)
            own = self._own_fields.get(stream, ())
            if resource is self._shipping:
                # What is asked of customers need not exist here, and the customer's own row comes along.
                own = tuple(name for name in own if name in properties)
            shape = shape_of(resource, properties, needed=needed, own=own)
            self._listings[resource.name] = Listing(
                session=self._connection, shape=shape, page_size=self._page_size, paging=self._paging
            )
        return self._listings[resource.name]

    def _with_ship_to(self, listing: Listing, condition: str) -> Iterator[Page]:
        """Customers with their ship-to locations, then the locations that changed while their customer did not."""
        shipping = self._shipping_listing()
        done: dict[str, None] = {}
        for rows in listing.pages(condition):
            yield self._page("customers", listing, rows)
            customers = {listing.key_of(row): row for row in rows}
            _remember(done, customers)
            for found in shipping.of_customers(customers):
                yield self._page("customers", shipping, _joined(found, customers))
        if condition:
            for rows in shipping.pages(condition):
                fresh = [row for row in rows if listing.key_of(row) not in done]
                if fresh:
                    yield self._page("customers", shipping, _joined(fresh, self._customers_of(listing, fresh)))

    def _customers_of(self, listing: Listing, rows: Sequence[Row]) -> dict[str, Row]:
        keys = list(dict.fromkeys(listing.key_of(row) for row in rows))
        return {listing.key_of(row): row for found in listing.with_keys(keys) for row in found}

    def _page(self, stream: StreamName, listing: Listing, rows: Sequence[Row]) -> Page:
        name = listing.shape.resource.name
        return page_of(
            stream,
            rows,
            read=self._reader.function_for(name),
            key_of=listing.key_of,
            modified=lambda row: self._reader.modified(row, name),
        )


def _resources(
    modules: Collection[str], orders: OrdersResource, cursor_fields: CursorFields
) -> dict[StreamName, Resource]:
    """The resource of each stream whose module is there, with the caller's cursors."""
    there = {module.upper() for module in modules}
    wrong = sorted(there - {*_MODULES})
    require(not wrong and bool(there), f"modules must be some of {', '.join(_MODULES)}", system=SYSTEM)
    strangers = sorted(str(name) for name in cursor_fields if name not in STREAMS)
    require(not strangers, f"cursor_fields names {', '.join(strangers)}, which is no stream", system=SYSTEM)
    found: dict[StreamName, Resource] = {}
    for stream in STREAMS:
        resource = resource_of(stream, orders)
        if resource.module not in there:
            continue
        if stream in cursor_fields:
            named = cursor_fields[stream]
            cursors = (named,) if isinstance(named, str) else tuple(named or ())
            resource = attrs.evolve(resource, cursors=cursors)
        found[stream] = resource
    return found


def _spec(
    name: StreamName, resource: Resource, overlap: timedelta, number_overlap: int, full_scan_every: timedelta | None
) -> StreamSpec:
    steps = tuple(number_overlap if is_number(cursor) else overlap for cursor in resource.cursors)
    whole: Overlap = steps if len(steps) > 1 else steps[0] if steps else timedelta(0)
    return StreamSpec(
        name=name,
        entity=resource.name,
        cursor_field=", ".join(resource.cursors) or None,
        overlap=whole,
        full_scan_every=full_scan_every,
    )


def _joined(rows: Sequence[Row], customers: Mapping[str, Row]) -> list[Row]:
    """Ship-to locations with their customers' rows; one whose customer has gone is gone with it."""
    pairs = ((row, customers.get(str(row.get("CustomerNumber") or "").strip())) for row in rows)
    return [{**row, PARENT: customer} for row, customer in pairs if customer is not None]


def _remember(done: dict[str, None], keys: Mapping[str, Any]) -> None:
    """Bounded; a forgotten customer's locations are only read once more."""
    done.update(dict.fromkeys(keys))
    while len(done) > _REMEMBERED_CUSTOMERS:
        del done[next(iter(done))]
