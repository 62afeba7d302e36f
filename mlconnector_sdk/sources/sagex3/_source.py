"""Sage X3 as a source of customers, contacts, suppliers and orders."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

import attrs

from ..._trust import secrecy_of_tokens
from ...cursors import Window
from ...errors import ConfigurationError, ContractError
from ...models import STREAMS, CheckResult, Page, Record, StreamName, StreamSpec
from ...network import Network
from ...retry import RetryPolicy
from .._base import ErpSource, page_of, placed
from .._settings import OptOutField, PartyStatus, opt_outs, own_fields, require
from .._values import Row
from ._api import CONTACTS, CUSTOMERS, INVOICES, SALES_ORDERS, STAMPS, SUPPLIERS, SYSTEM, Condition, Connection, Entity
from ._checks import check_site
from ._documents import DocumentReader
from ._ladder import Ladder
from ._owners import Owners, sides
from ._records import Reader, contact_key, is_of_partner
from ._settings import LANGUAGES, POSTED, codes, flag_of, labels, status_test

__all__ = ["Api", "SageX3"]


class Api(Protocol):
    """Where and as whom to read a folder: `SageX3Rest` or `SageX3GraphQL`."""

    @property
    def network(self) -> Network:
        """Whom to trust on the way, and how much of an answer is read."""
        ...

    def connect(self, retry: RetryPolicy) -> Connection:
        """The live connection; nothing is sent yet."""
        ...


class SageX3(ErpSource[Connection]):
    """Reads a folder of Sage X3, and writes nothing to it.

    Streams: `customers` (BPCUSTOMER), `contacts` (CONTACT: a person at a partner), `suppliers` (BPSUPPLIER) and
    `orders` (posted sales invoices and credit notes, or sales orders). Rows come unordered in time, so a mark moves
    only when a window was read to its end.

    **How changes are found is tried out**: by a filter on a change stamp; where the site refuses that, by reading the
    latest first; else by reading everything, of which fingerprints let through only what differs. What worked is
    remembered, and `check` tells it. Saving an address, a contact or the header of a partner moves no stamp of the
    customer: an incremental read asks for those too, and reads their customers again. Deletions, imports by raw SQL
    and tables without a stamp are seen by the full scan (`full_scan_every`) only.

    Args:
        api: `SageX3Rest` or `SageX3GraphQL`.
        orders: which documents feed `orders`: `"invoices"` or `"sales_orders"`.
        suppliers: `"own"` for a stream of their own, `"none"` where customers and suppliers are one list.
        posted: values of INVSTA that mean posted, by number or label: they differ from site to site. `None` takes
            every invoice.
        credit_types: values of INVTYP or SIVTYP that mean a credit note, besides a negative sign (SNS) or total.
        corrects_field: the field in which a credit note names the invoice that it corrects.
        customer_email: whose address a customer or supplier has first: its default contact's (`"contact"`), or its
            default address's (`"address"`); the other one serves where the first is empty.
        mailing_flags: whether the flags "mailing prohibited" (BPRFBDMAG, CNTFBDMAG) must be readable. Without them
            nobody knows whom X3 forbids to mail: turn it off only if the site does not use them.
        optout_field: the site's own do-not-mail field by its code, such as `"YNOMAIL"`, or a function over the raw
            row; or such a value for each stream. Anything but a clear no counts as an opt-out; 1 is a no, as in X3's
            menus.
        statuses: values of fields that make a customer or supplier inactive or put it on hold, such as
            `{"BCGCOD": {"OLD": "inactive"}}`, added to the usual one (OSTCTL of 3 is on hold).
        custom_fields: further fields for each stream, by their codes; find them in `record.raw`.
        languages, countries: the site's codes to ISO ones, added to the usual ones.
        stamps: the fields that tell of changes, the best first; `$etag` may be one where it is a time. None at all
            makes every read a full scan.
        overlap: how far a window steps back behind the mark; where the stamp is a calendar day, at least a day more.
        commit_lag: a change is stamped before it can be seen; marks stay that far behind the server's clock.
        full_scan_every: how often all customers, contacts and suppliers are read; `None` for never.
        retry: the retry loop's limits.

    Raises:
        ConfigurationError: an argument is wrong. Nothing is sent before the first read or `check`.

    Example:
        >>> from mlconnector_sdk.sources.sagex3 import SageX3Rest
        >>> api = SageX3Rest("https://x3.example.com:8124", endpoint="SEED", username="MAILSYNC", password="secret")
        >>> source = SageX3(api=api)
        >>> source.streams["orders"].entity
        'SINVOICEV'
        >>> source.close()
    """

    system = SYSTEM

    def __init__(
        self,
        *,
        api: Api,
        orders: Literal["invoices", "sales_orders"] = "invoices",
        suppliers: Literal["own", "none"] = "own",
        posted: Collection[int | str] | None = POSTED,
        credit_types: Collection[int | str] = (),
        corrects_field: str = "SIHORINUM",
        customer_email: Literal["contact", "address"] = "contact",
        mailing_flags: bool = True,
        optout_field: OptOutField | Mapping[StreamName, OptOutField] | None = None,
        statuses: Mapping[str, Mapping[str, PartyStatus]] | None = None,
        custom_fields: Mapping[StreamName, Sequence[str]] | None = None,
        languages: Mapping[str, str] | None = None,
        countries: Mapping[str, str] | None = None,
        stamps: Sequence[str] = STAMPS,
        overlap: timedelta = timedelta(minutes=2),
        commit_lag: timedelta = timedelta(minutes=2),
        full_scan_every: timedelta | None = timedelta(days=1),
        retry: RetryPolicy = RetryPolicy(),
    ) -> None:
        require(orders in {"invoices", "sales_orders"}, "orders must be 'invoices' or 'sales_orders'", system=SYSTEM)
        require(suppliers in {"own", "none"}, "suppliers must be 'own' or 'none'", system=SYSTEM)
        known = customer_email in {"contact", "address"}
        require(known, "customer_email must be 'contact' or 'address'", system=SYSTEM)
        require(not isinstance(stamps, str), "stamps must be a list of field codes", system=SYSTEM)
        require(not isinstance(posted, str), "posted must be a list of values", system=SYSTEM)
        tests, needed = opt_outs(optout_field, system=SYSTEM, reader=flag_of)
        status, status_fields = status_test(statuses)
        further = own_fields(custom_fields or {}, system=SYSTEM)
        named = {name: (*needed.get(name, ()), *further.get(name, ())) for name in STREAMS}
        named["customers"] += status_fields
        self._commit_lag = commit_lag
        self._stamps = tuple(stamps)
        self._reader = Reader(
            customer_email=customer_email,
            status=status,
            opt_outs=tests,
            stamps=self._stamps,
            languages=codes(languages, LANGUAGES),
            countries=codes(countries),
        )
        self._documents = DocumentReader(
            parties=self._reader,
            posted=None if posted is None else labels(posted),
            credit_types=labels(credit_types),
            corrects_field=corrects_field,
        )
        entities = _entities(
            orders=orders, suppliers=suppliers == "own", mailing_flags=mailing_flags, posted=posted is not None
        )
        if entities["orders"].table == INVOICES.table and corrects_field:
            entities["orders"] = attrs.evolve(entities["orders"], fields=(*INVOICES.fields, corrects_field))
        self._entities: Mapping[StreamName, Entity] = {
            name: attrs.evolve(entity.with_fields(*named[name]), stamps=self._stamps)
            for name, entity in entities.items()
        }
        super().__init__(api.connect(retry), network=api.network)
        auth = getattr(api, "auth", None)
        # What the sign-in itself says comes first, as it does when tokens are asked for.
        self._token_url = str(getattr(auth, "token_url", "") or getattr(api, "token_url", ""))
        self._token_network: Network = getattr(auth, "network", None) or api.network
        self._streams = {
            name: self._described(name, entity, overlap, full_scan_every) for name, entity in self._entities.items()
        }
        self._ladder = Ladder(self._connection)
        self._owners = Owners(self._connection, self._ladder, sides(self._stamps))

    def _tried(self) -> Iterator[CheckResult]:
        address = self._connection.address
        yield from secrecy_of_tokens(self._token_network, SYSTEM, self._token_url, url=address)
        yield from check_site(self._connection, self._entities, self._needs, self._owners, self._clock)

    def present(self, stream: StreamName) -> datetime:
        """The server's clock, minus the time a change may take to become visible."""
        self._spec(stream)
        return self._connection.now() - self._commit_lag

    def read(self, stream: StreamName, window: Window = Window()) -> Iterator[Page]:
        """Every record changed since the window's lower bound, or every record without one.

        The upper bound is not asked for: a row that changes while we page would leave the list.

        Raises:
            PermissionDeniedError: no right to the class or node.
            ContractError: the site does not show what is needed; the message says what to ask its X3 team for.
            AuthenticationError, TransientError: see their descriptions.
        """
        entity = self._entity(stream)
        with placed(SYSTEM, entity.table):
            self._needs(entity)
            since = _since(window)
            if since is None or not self._ladder.has_stamp(entity):
                for rows in self._connection.pages(entity):
                    yield from self._pages(stream, entity, rows)
                return
            done: set[str] = set()
            for rows in self._ladder.changed(entity, since):
                if stream in {"customers", "suppliers"}:
                    done.update(_key(entity, row) for row in rows)
                yield from self._pages(stream, entity, rows)
            for rows in self._owners.of_changed(entity, since, done):
                yield from self._pages(stream, entity, rows)

    def fetch(self, stream: StreamName, keys: Sequence[str]) -> Iterator[Page]:
        """The records with these keys as they are now; keys that are gone are absent."""
        entity = self._entity(stream)
        with placed(SYSTEM, entity.table):
            self._needs(entity)
            # What holds control characters is no code of X3, and must not get into a question.
            conditions = [_condition(entity, key) for key in dict.fromkeys(keys) if key.isprintable() and key.strip()]
            wanted = set(keys)
            for rows in self._connection.matching(entity, [one for one in conditions if one is not None]):
                found = [row for row in rows if _key(entity, row) in wanted]
                yield from self._pages(stream, entity, found)

    def parse(self, stream: StreamName, raw: Mapping[str, Any]) -> Record:
        """A record from a row kept in `raw`.

        Raises:
            MappingError: the row cannot be read.
        """
        self._spec(stream)
        row = dict(raw)
        if stream == "orders":
            # Kept rows may come from another setting of `orders`.
            return self._documents.sales_order(row) if "SOHNUM" in row else self._documents.invoice(row)
        return self._function_for(stream)(row)

    def _entity(self, stream: StreamName) -> Entity:
        self._spec(stream, " (see suppliers=)")
        return self._entities[stream]

    def _pages(self, stream: StreamName, entity: Entity, rows: Sequence[Row]) -> Iterator[Page]:
        """The page of some rows of a list; contacts of sites and companies are none of ours."""
        ours = [row for row in rows if is_of_partner(row)] if stream == "contacts" else rows
        if whole := self._connection.completed(entity, ours) if ours else []:
            yield page_of(
                stream,
                whole,
                read=self._function_for(stream),
                key_of=lambda row: _key(entity, row) or "unknown",
                modified=self._reader.modified,
            )

    def _function_for(self, stream: StreamName) -> Callable[[Row], Record]:
        functions: dict[StreamName, Callable[[Row], Record]] = {
            "customers": self._reader.customer,
            "contacts": self._reader.contact,
            "suppliers": self._reader.supplier,
            "orders": self._documents.sales_order
            if self._entities["orders"].name == "sales_orders"
            else self._documents.invoice,
        }
        return functions[stream]

    def _needs(self, entity: Entity, *, retry: RetryPolicy | None = None) -> None:
        """Refuse to read rows that lack what decides whom we may mail and what was sold."""
        known = self._connection.known(entity, retry=retry)
        for names, cure in entity.needed.items():
            if known.fields is not None and known.fields.isdisjoint(names.split("|")):
                raise ContractError(
                    f"{known.note or entity.table} shows no {names.partition('|')[0]}: {cure}",
                    system=SYSTEM,
                    operation=entity.table,
                    reason="no_field",
                )

    def _described(
        self, stream: StreamName, entity: Entity, overlap: timedelta, full_scan_every: timedelta | None
    ) -> StreamSpec:
        return StreamSpec(
            name=stream,
            entity=entity.table,
            cursor_field=", ".join(self._stamps) or None,
            overlap=overlap if self._stamps else timedelta(0),
            # Posted documents are not deleted, and there are too many to read them all each day.
            full_scan_every=full_scan_every if self._stamps and stream != "orders" else None,
        )


def _entities(*, orders: str, suppliers: bool, mailing_flags: bool, posted: bool) -> dict[StreamName, Entity]:
    """The entity behind each stream, with what must be readable of it."""
    documents = SALES_ORDERS if orders == "sales_orders" else INVOICES
    if posted and documents is INVOICES:
        cure = "it says which invoices are posted; posted=None takes every one"
        documents = attrs.evolve(documents, needed={**documents.needed, "INVSTA": cure})
    found: dict[StreamName, Entity] = {"customers": CUSTOMERS, "contacts": CONTACTS}
    if suppliers:
        found["suppliers"] = SUPPLIERS
    if not mailing_flags:
        found = {name: attrs.evolve(entity, needed={}) for name, entity in found.items()}
    return {**found, "orders": documents}


def _since(window: Window) -> datetime | None:
    """Marks are times, also where the stamp is a calendar day: so a site can exchange one stamp for the other."""
    if window.lower is None or isinstance(window.lower, datetime):
        return window.lower
    raise ConfigurationError(
        f"the mark is a {type(window.lower).__name__}, and those of Sage X3 are times: this state belongs to another "
        "source",
        system=SYSTEM,
    )


def _key(entity: Entity, row: Row) -> str:
    """The record's key as the rest of the library knows it; `""` where there is none."""
    parts = [str(row.get(name) or "").strip() for name in entity.keys]
    if entity.table == CONTACTS.table:
        return contact_key(row) if all(parts[1:]) else ""
    return parts[0]


def _condition(entity: Entity, key: str) -> Condition | None:
    if entity.table != CONTACTS.table:
        return {entity.keys[0]: key}
    partner, _, person = key.partition("~")
    return {"BPANUM": partner, "CCNCRM": person} if partner and person else None
