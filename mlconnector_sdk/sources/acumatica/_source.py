"""Acumatica as a source of customers, contacts, suppliers and orders."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal

from ...cursors import Window
from ...errors import ConfigurationError, PermissionDeniedError
from ...models import STREAMS, CheckResult, Page, Record, StreamName, StreamSpec
from ...network import Network
from ...retry import RetryPolicy
from .._base import ErpSource, page_of
from .._settings import OptOutField, PartyStatus, own_fields, require
from .._values import Row, value_at
from ._api import moment_literal
from ._checks import check_instance
from ._fields import ENTITIES, Entity, OrdersEntity, Shape, entity_of, field_release, shape_of
from ._listing import Listing
from ._records import Reader, instant
from ._session import SYSTEM, AcumaticaAuth, Session
from ._settings import DEFAULT_STATUSES, opt_outs

__all__ = ["Acumatica"]

log = logging.getLogger("mlconnector_sdk.sources.acumatica")

_REMEMBERED_ACCOUNTS = 50_000


class Acumatica(ErpSource[Session]):
    """Reads an Acumatica ERP instance through its contract-based REST API (Default endpoint, 20.200.001 and later).

    Streams: `customers` (Customer), `contacts` (Contact: persons), `suppliers` (Vendor) and `orders` (posted invoices,
    or sales orders). Rows come unordered in time, so a mark moves only when a window was read to its end.

    Not every edit touches the account it concerns. Saving a *person* leaves the customer's change stamp alone: an
    incremental read therefore also asks which persons changed, and reads their accounts again. Saving the *company's*
    own e-mail, phone or address may leave no trace that can be asked for: that is what `full_scan_every` answers, with
    a scan of all accounts that writes only what differs.

    Args:
        base_url: the instance's address with its site folder: `https://erp.example.com/Acme`.
        auth: `OAuth2Password`, `OAuth2AuthorizationCode` or `CookieLogin`; `OAuth2Token` for a token made elsewhere.
        endpoint, version: of the API; without a version the newest one known here that the instance offers.
        orders: which documents feed `orders`: `"SalesInvoice"`, `"Invoice"` (every receivables document; says
            neither freight nor discount) or `"SalesOrder"`. Default: sales invoices where the version says when they
            were changed (23.200.001 and later), else `"Invoice"`.
        optout_field: the site's own do-not-mail field, besides DoNotEmail, NoMassMail and NoMarketing of the person:
            a contract field (`"PrimaryContact/DoNotMail"`), a screen field (`"CurrentCustomer.UsrNoMail"`), or a
            function over the raw row; or such a value for each stream. Anything but a clear no counts as an opt-out.
        custom_fields: further fields for each stream, named the same way; find them in `record.raw`.
        customer_email: whose address a customer has first: the company's (`"main"`) or its primary contact's.
        statuses: label to `active`, `inactive` or `on_hold`, added to the usual ones; for sites in another language.
        page_size: rows of a request.
        overlap: how far a window steps back behind the mark.
        commit_lag: a change is stamped before it can be seen; marks stay that far behind the server's clock.
        full_scan_every: how often all customers and suppliers are read; `None` for never.
        retry: the retry loop's limits.
        timeout: seconds to wait for an answer. The licence slows calls down rather than refusing them, so be patient.
        seat_wait: seconds to wait when all licensed API sessions are taken.
        network: whom to trust, and how much of an answer is read.

    Raises:
        ConfigurationError: an argument is wrong. Nothing is sent before the first read or `check`.

    Example:
        >>> from mlconnector_sdk.auth import OAuth2Password
        >>> auth = OAuth2Password(client_id="app@Acme", client_secret="secret", username="sync", password="secret")
        >>> source = Acumatica("https://erp.example.com/Acme", version="24.200.001", auth=auth)
        >>> source.streams["orders"].entity
        'SalesInvoice'
        >>> source.close()
    """

    system = SYSTEM

    def __init__(
        self,
        base_url: str,
        *,
        auth: AcumaticaAuth,
        version: str | None = None,
        endpoint: str = "Default",
        orders: OrdersEntity | None = None,
        optout_field: OptOutField | Mapping[StreamName, OptOutField] | None = None,
        custom_fields: Mapping[StreamName, Sequence[str]] | None = None,
        customer_email: Literal["main", "primary"] = "main",
        statuses: Mapping[str, PartyStatus] | None = None,
        page_size: int = 250,
        overlap: timedelta = timedelta(minutes=5),
        commit_lag: timedelta = timedelta(minutes=2),
        full_scan_every: timedelta | None = timedelta(days=1),
        retry: RetryPolicy = RetryPolicy(),
        timeout: float = 180.0,
        seat_wait: float = 15.0,
        network: Network = Network(),
    ) -> None:
        known = orders in {None, "SalesInvoice", "Invoice", "SalesOrder"}
        require(known, "orders must name one of the three documents", system=SYSTEM)
        require(customer_email in {"main", "primary"}, "customer_email must be 'main' or 'primary'", system=SYSTEM)
        require(page_size >= 2, "page_size must be 2 at least", system=SYSTEM)
        self._orders: OrdersEntity | None = orders
        self._page_size = page_size
        self._commit_lag = commit_lag
        tests, needed = opt_outs(optout_field)
        further = own_fields(custom_fields or {}, system=SYSTEM)
        self._own_fields = {name: (*needed.get(name, ()), *further.get(name, ())) for name in needed | further}
        self._reader = Reader(
            customer_email=customer_email, statuses={**DEFAULT_STATUSES, **(statuses or {})}, opt_outs=tests
        )
        # A version that cannot be is told by `check` and by the first request, with the versions that exist.
        release = None
        if version is not None:
            with suppress(ConfigurationError):
                release = field_release(endpoint, version)
        session = Session(
            base_url,
            auth=auth,
            endpoint=endpoint,
            version=version,
            retry=retry,
            timeout=timeout,
            seat_wait=seat_wait,
            network=network,
        )
        super().__init__(session, network=network)
        self._streams = {
            name: _spec(name, entity_of(name, orders, release), overlap, full_scan_every) for name in STREAMS
        }
        self._listings: dict[StreamName, Listing] = {}

    def _tried(self) -> Iterator[CheckResult]:
        return check_instance(self._connection, self._streams, self._listing, self._clock)

    def present(self, stream: StreamName) -> datetime:
        """The instance's clock, minus the time a change may take to become visible."""
        return self._connection.now() - self._commit_lag

    def read(self, stream: StreamName, window: Window = Window()) -> Iterator[Page]:
        """Every record changed since the window's lower bound, or every record without one.

        The upper bound is not asked for: a row that changes while we page would leave the list.

        Raises:
            PermissionDeniedError: no right to the entity's form, or its feature is off.
            AuthenticationError, ContractError, TransientError: see their descriptions.
        """
        listing = self._listing(stream)
        filter_text = _changed_since(listing.shape, window)
        accounts: dict[str, None] = {}
        for rows in listing.pages(filter_text):
            if filter_text:
                _remember(accounts, (listing.key_of(row) for row in rows))
            yield self._page(stream, listing, rows)
        if filter_text and stream in {"customers", "suppliers"}:
            yield from self._accounts_of_changed_people(stream, listing, window, accounts)

    def fetch(self, stream: StreamName, keys: Sequence[str]) -> Iterator[Page]:
        """The records with these keys as they are now; keys that are gone are absent."""
        listing = self._listing(stream)
        for rows in listing.with_keys(keys):
            yield self._page(stream, listing, rows)

    def parse(self, stream: StreamName, raw: Mapping[str, Any]) -> Record:
        """A record from a row kept in `raw`.

        Raises:
            MappingError: the row cannot be read.
        """
        entity = self._streams[stream].entity
        if stream == "orders":
            # Kept rows may come from another setting of `orders`, or another version.
            entity = "SalesOrder" if "OrderNbr" in raw else "Invoice" if "Customer" in raw else "SalesInvoice"
        return self._reader.function_for(entity)(dict(raw))

    def _listing(self, stream: StreamName, *, retry: RetryPolicy | None = None) -> Listing:
        self._spec(stream)
        if stream not in self._listings:
            release = self._connection.site(retry=retry).release
            own = self._own_fields.get(stream, ())
            shape = shape_of(entity_of(stream, self._orders, release), release, own)
            self._listings[stream] = Listing(
                session=self._connection, shape=shape, page_size=self._page_size, own_fields=own
            )
        return self._listings[stream]

    def _page(self, stream: StreamName, listing: Listing, rows: Sequence[Row]) -> Page:
        return page_of(
            stream,
            rows,
            read=self._reader.function_for(listing.shape.entity.name),
            key_of=listing.key_of,
            modified=lambda row: instant(value_at(row, listing.shape.stamp), ""),
        )

    def _accounts_of_changed_people(
        self, stream: StreamName, listing: Listing, window: Window, accounts: dict[str, None]
    ) -> Iterator[Page]:
        contact = ENTITIES["Contact"]
        shape = Shape(
            entity=contact,
            paths=("ContactID", "BusinessAccount", contact.cursor),
            cursor=contact.cursor,
            stamp=(contact.cursor,),
        )
        people = Listing(session=self._connection, shape=shape, page_size=self._page_size)
        try:
            for rows in people.pages(_changed_since(shape, window)):
                owners = dict.fromkeys(str(row.get("BusinessAccount") or "").strip() for row in rows)
                missing = [owner for owner in owners if owner and owner not in accounts]
                _remember(accounts, missing)
                for found in listing.with_keys(missing):
                    yield self._page(stream, listing, found)
        except PermissionDeniedError as error:
            if "Contact" not in error.operation:
                raise
            log.warning(
                "acumatica %s: changes of persons are not seen before the next full scan, for there is no right to "
                "Contact (form %s)",
                stream,
                contact.screen,
                extra={"mlc_system": SYSTEM, "mlc_stream": stream},
            )


def _spec(name: StreamName, entity: Entity, overlap: timedelta, full_scan_every: timedelta | None) -> StreamSpec:
    return StreamSpec(
        name=name,
        entity=entity.name,
        cursor_field=entity.cursor,
        overlap=overlap,
        full_scan_every=full_scan_every if name in {"customers", "suppliers"} else None,
    )


def _changed_since(shape: Shape, window: Window) -> str:
    """One field, inclusive: conditions on fields of several screen views were seen to match nothing."""
    if window.lower is None:
        return ""
    if not isinstance(window.lower, datetime):
        kind = type(window.lower).__name__
        raise ConfigurationError(
            f"the mark is a {kind}, and Acumatica's are times: this state belongs to another source", system=SYSTEM
        )
    return f"{shape.cursor} ge {moment_literal(window.lower)}"


def _remember(accounts: dict[str, None], keys: Any) -> None:
    """Bounded; a forgotten account is only read once more."""
    accounts.update(dict.fromkeys(keys))
    while len(accounts) > _REMEMBERED_ACCOUNTS:
        del accounts[next(iter(accounts))]
