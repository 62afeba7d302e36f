"""What we read of each entity, and since which endpoint version it can be read.

An unknown name anywhere in a request is answered with a 500, so every name here is one that the version has. A word
that ends in `:` sets the first version of the names after it (`23:` is 23.200.001); a linked field has the name of its
entity before it. Names in parentheses may be left out when the server cannot optimise a list that has them: they are
pleasant to have. What decides whom we mail, and what an order is worth, is not in parentheses.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

import attrs

from ...errors import ConfigurationError
from ...models import StreamName

__all__ = [
    "ENTITIES",
    "KNOWN_VERSIONS",
    "SCREENS",
    "Entity",
    "OrdersEntity",
    "Shape",
    "entity_of",
    "field_release",
    "shape_of",
]

OrdersEntity: TypeAlias = Literal["SalesInvoice", "Invoice", "SalesOrder"]

KNOWN_VERSIONS = ("20.200.001", "22.200.001", "23.200.001", "24.200.001", "25.200.001")
"""Versions of the Default endpoint whose fields we know, oldest first."""

_ADDRESS = "(AddressLine1 AddressLine2 City State PostalCode Country)"
_PERSON = "Email (FirstName LastName Phone1 LanguageOrLocale) DoNotEmail NoMassMail NoMarketing LastModifiedDateTime"
_PARTY = (
    f"Status LastModifiedDateTime MainContact/{{(Phone1) Address/{{{_ADDRESS}}}}} "
    f"PrimaryContact/{{ContactID {_PERSON}}}"
)
_LINE = "LineNbr InventoryID UnitPrice DiscountAmount Amount"


@attrs.frozen(kw_only=True)
class Entity:
    """A top-level entity of the Default endpoint.

    Attributes:
        keys: its key fields, in the order of a key URL.
        cursor: the field that says when a row was changed; `cursor_since` the first version that has it.
        table: the fields we read, in the notation above.
        custom: screen fields (`View.Field`) asked for with `$custom`; given up when the server does not know them.
    """

    name: str
    screen: str
    keys: tuple[str, ...]
    table: str
    cursor: str = "LastModifiedDateTime"
    cursor_since: int = 20
    custom: tuple[str, ...] = ()


ENTITIES: dict[str, Entity] = {
    entity.name: entity
    for entity in (
        Entity(
            name="Customer",
            screen="AR303000",
            keys=("CustomerID",),
            table=f"CustomerID (CustomerName CustomerClass CurrencyID) {_PARTY} 20-22: MainContact/Email 23: Email",
        ),
        Entity(
            name="Contact",
            screen="CR302000",
            keys=("ContactID",),
            table=f"ContactID BusinessAccount Active Status {_PERSON} (DisplayName JobTitle ContactClass) "
            f"Address/{{{_ADDRESS}}}",
        ),
        Entity(
            name="Vendor",
            screen="AP303000",
            keys=("VendorID",),
            table=f"VendorID (VendorName VendorClass) {_PARTY} MainContact/Email",
        ),
        Entity(
            name="SalesInvoice",
            screen="SO303000",
            keys=("Type", "ReferenceNbr"),
            table=f"Type ReferenceNbr Status Date CustomerID Currency Amount TaxTotal FreightPrice DiscountTotal "
            f"BillingSettings/{{BillToContact/{{Email (BusinessName)}} BillToAddress/{{{_ADDRESS}}}}} "
            f"FreightDetails/TotalFreightAmount Details/{{{_LINE} TransactionDescr Qty OrigInvType OrigInvNbr}} "
            f"23: LastModifiedDateTime",
            cursor_since=23,
        ),
        Entity(
            name="Invoice",
            screen="AR301000",
            keys=("Type", "ReferenceNbr"),
            table=f"Type ReferenceNbr Status Date Customer Amount TaxTotal LastModifiedDateTime "
            f"BillToContact/{{Email (BusinessName)}} Details/{{{_LINE} TransactionDescription Qty}}",
            custom=("Document.CuryID",),
        ),
        Entity(
            name="SalesOrder",
            screen="SO301000",
            keys=("OrderType", "OrderNbr"),
            table=f"OrderType OrderNbr Status Date CustomerID CurrencyID OrderTotal TaxTotal LastModified "
            f"Totals/DiscountTotal BillToContact/{{Email (BusinessName)}} BillToAddress/{{{_ADDRESS}}} "
            f"Details/{{{_LINE} LineDescription OrderQty Operation}} 22: Totals/Freight",
            cursor="LastModified",
        ),
    )
}

SCREENS = {entity.name: entity.screen for entity in ENTITIES.values()}
"""Entity to the id of its form, whose rights decide who may read it."""


@attrs.frozen(kw_only=True)
class Shape:
    """The part of an entity that one stream asks for.

    Attributes:
        paths: contract fields, linked ones with `/`.
        custom: screen fields for `$custom`.
        optional: those of `paths` and `custom` that may be given up.
        cursor: what a filter on the change stamp names; `stamp` is where a row then has it.
    """

    entity: Entity
    paths: tuple[str, ...]
    custom: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    cursor: str
    stamp: tuple[str, ...]

    @property
    def expands(self) -> tuple[str, ...]:
        """The linked entities that `paths` and `custom` reach into, each after the one that holds it."""
        found: dict[str, None] = {}
        for path in (*self.paths, *self.custom):
            parts = path.split("/")[:-1]
            found.update(dict.fromkeys("/".join(parts[:depth]) for depth in range(1, len(parts) + 1)))
        return tuple(found)

    def without(self, names: frozenset[str]) -> Shape:
        """The same without these paths."""
        return attrs.evolve(
            self,
            paths=tuple(path for path in self.paths if path not in names),
            custom=tuple(path for path in self.custom if path not in names),
        )

    def keys_only(self) -> Shape:
        """Only what is needed to know which rows there are."""
        custom = tuple(path for path in self.custom if path in self.cursor)
        stamp = self.stamp if len(self.stamp) == 1 else ()
        return attrs.evolve(self, paths=(*self.entity.keys, *stamp), custom=custom, optional=frozenset())


def entity_of(stream: StreamName, orders: OrdersEntity | None, release: int | None) -> Entity:
    """The entity behind a stream; orders come from sales invoices wherever these say when they were changed."""
    if stream == "orders":
        default = "SalesInvoice" if release is None or release >= 23 else "Invoice"
        return ENTITIES[orders or default]
    return ENTITIES[{"customers": "Customer", "contacts": "Contact", "suppliers": "Vendor"}[stream]]


def shape_of(entity: Entity, release: int, extra: tuple[str, ...] = ()) -> Shape:
    """What to ask of an entity in a version, and the caller's own fields.

    A caller's name with a `.` is a screen field (`Document.UsrChannel`), any other is a contract field.
    """
    table = _Table(release)
    table.read(entity.table)
    custom = [*entity.custom]
    optional = {*table.optional, *entity.custom}
    cursor: str = entity.cursor
    stamp: tuple[str, ...] = (entity.cursor,)
    if release < entity.cursor_since:
        # The endpoint hides the stamp, the screen behind it has it.
        view, name = "Document", entity.cursor
        cursor, stamp = f"cf.DateTime(f='{view}.{name}')", ("custom", view, name)
        custom.append(f"{view}.{name}")
    for name in extra:
        (custom if "." in name else table.paths).append(name)
    return Shape(
        entity=entity,
        paths=tuple(dict.fromkeys(table.paths)),
        custom=tuple(dict.fromkeys(custom)),
        optional=frozenset(optional - {*extra}),
        cursor=cursor,
        stamp=stamp,
    )


class _Table:
    """Reads the notation described at the top."""

    def __init__(self, release: int) -> None:
        self.release = release
        self.paths: list[str] = []
        self.optional: set[str] = set()

    def read(self, text: str) -> None:
        prefixes, optional, wanted = [""], False, True
        for word in re.findall(r"[\d-]+:|[A-Za-z0-9]+(?:/[A-Za-z0-9]+)*/?|[(){}]", text):
            if word.endswith(":"):
                first, _, last = word[:-1].partition("-")
                wanted = int(first) <= self.release <= int(last or 99)
            elif word in "()":
                optional = word == "("
            elif word == "}":
                prefixes.pop()
            elif word.endswith("/"):
                prefixes.append(prefixes[-1] + word)
            elif word != "{" and wanted:
                self.paths.append(prefixes[-1] + word)
                if optional:
                    self.optional.add(prefixes[-1] + word)


def field_release(endpoint: str, version: str) -> int:
    """Which version's fields to ask for.

    A custom endpoint extends some version of Default and does not say which, so it is asked for what all have.

    Raises:
        ConfigurationError: the version of the Default endpoint is older than any we know.
    """
    if endpoint != "Default":
        return 20
    first = version.partition(".")[0]
    if not first.isdigit() or int(first) < 20:
        raise ConfigurationError(
            f"version {version} of the Default endpoint is not supported: {KNOWN_VERSIONS[0]} is the oldest",
            system="acumatica",
        )
    return int(first)
