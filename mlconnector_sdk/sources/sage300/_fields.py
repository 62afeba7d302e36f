"""What we read of each resource, and how that is matched with what a release turns out to have.

Some of these names were never confirmed by the vendor: they follow from the captions of the fields. So they are looked
up in `$metadata`, without regard to case, and what a release lacks is left out, as long as it is not the key, the
cursor or the flag that decides whom we may mail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, TypeAlias

import attrs

from ...errors import ContractError
from .._values import Row

__all__ = [
    "CUSTOMERS",
    "RESOURCES",
    "SHIP_TO",
    "OrdersResource",
    "Resource",
    "Shape",
    "is_number",
    "resource_of",
    "shape_of",
]

OrdersResource: TypeAlias = Literal["OEOrders", "OEInvoices"]

_ADDRESS = "AddressLine1 AddressLine2 AddressLine3 AddressLine4 City StateProvince ZipPostalCode Country"
_PARTY = f"Status DateLastMaintained {_ADDRESS} ContactName PhoneNumber ContactsPhone Email ContactsEmail"
_BILL_TO = (
    "BillToCity BillToStateProvince|BillToState BillToZipPostalCode|BillToZipCode BillToCountry "
    "BillToEmail BillToContactEmail"
)


@attrs.frozen(kw_only=True)
class Resource:
    """A collection in the URL.

    Attributes:
        keys: the primary key, in whose order rows come.
        fields: what else we read; of names joined by `|` the first that the release has.
        cursors: what tells changed rows: dates, and numbers that grow with each new row.
        needed: what must be there besides key and cursors.
        condition: restricts every reading.
    """

    name: str
    keys: tuple[str, ...]
    fields: str
    cursors: tuple[str, ...] = ("DateLastMaintained",)
    needed: frozenset[str] = frozenset()
    condition: str = ""

    @property
    def module(self) -> str:
        """The two letters before the name, which also decide about rights."""
        return self.name[:2]

    @property
    def path(self) -> str:
        return f"{self.module}/{self.name}"

    @property
    def has_number_key(self) -> bool:
        return is_number(self.keys[0])


def is_number(cursor: str) -> bool:
    """Whether a cursor is a number rather than a date; the vendor calls those that grow "uniquifier"."""
    return cursor.endswith("Uniquifier")


RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        Resource(
            name="ARCustomers",
            keys=("CustomerNumber",),
            fields=f"CustomerName GroupCode OnHold CurrencyCode DateOfLastActivity {_PARTY}",
        ),
        Resource(
            name="ARShipToLocations",
            keys=("CustomerNumber", "ShipToLocationKey"),
            fields=f"Description {_PARTY}",
        ),
        Resource(
            name="MTContacts",
            keys=("ContactCode",),
            fields=f"Status DateLastMaintained FirstName LastName Title Email PhoneNumber1 {_ADDRESS}",
        ),
        Resource(
            name="APVendors",
            keys=("VendorNumber",),
            fields=f"VendorName GroupCode OnHold DateOfLastActivity {_PARTY}",
        ),
        Resource(
            name="OEOrders",
            keys=("OrderUniquifier",),
            fields="OrderNumber CustomerNumber OrderType OrderDate LastPostingDate OrderCompleted OrderCompletionDate "
            "OnHold LastInvoiceNumber LastShipmentNumber OrderSourceCurrency OrderTotal OrderDiscountAmount "
            "OrderInclTaxTotal OrderExclTaxTotal OrderDetails BillToName BillToAddressLine1 BillToAddressLine2 "
            f"BillToAddressLine3 BillToAddressLine4 {_BILL_TO}",
            cursors=("LastPostingDate", "OrderUniquifier"),
            needed=frozenset({"OrderType"}),
            # The same resource holds quotes, future and standing orders.
            condition="OrderType eq 'Active'",
        ),
        Resource(
            name="OEInvoices",
            keys=("InvoiceUniquifier",),
            fields="InvoiceNumber CustomerNumber InvoiceDate InvoiceStatus InvoiceSourceCurrency InvoiceTotalWithTax "
            "InvoiceSubtotalAmount InvoiceDiscountAmount InvoiceDetails BillTo BillToAddress1 BillToAddress2 "
            f"BillToAddress3 BillToAddress4 {_BILL_TO}",
            cursors=("InvoiceUniquifier",),
        ),
    )
}

CUSTOMERS, SHIP_TO = RESOURCES["ARCustomers"], RESOURCES["ARShipToLocations"]

_BY_STREAM = {"customers": "ARCustomers", "contacts": "MTContacts", "suppliers": "APVendors"}
_OPTIONAL_FIELD = re.compile(r"[A-Z0-9]{1,12}")


def resource_of(stream: str, orders: OrdersResource) -> Resource:
    """The resource behind a stream."""
    return RESOURCES[_BY_STREAM.get(stream, orders)]


@attrs.frozen(kw_only=True)
class Shape:
    """A resource as one release has it.

    Attributes:
        select: names for `$select`, as this release spells them.
        spelled: our name to the release's, where they differ; rows are given our names.
        lacking: what we would like to read and this release does not have.
        cursors: as this release spells them.
    """

    resource: Resource
    select: tuple[str, ...]
    spelled: Mapping[str, str]
    lacking: tuple[str, ...]
    cursors: tuple[str, ...]

    def renamed(self, row: Row) -> Row:
        """The row with our names."""
        for ours, theirs in self.spelled.items():
            if theirs in row:
                row[ours] = row.pop(theirs)
        return row


def shape_of(
    resource: Resource, properties: Mapping[str, str], *, needed: Mapping[str, str] = {}, own: tuple[str, ...] = ()
) -> Shape:
    """What can be asked of a resource in a release that has these properties (name to type).

    Args:
        needed: further properties that must be there, and what to do if they are not.
        own: the caller's own: properties, or optional fields.

    Raises:
        ContractError: a property we cannot do without is missing; the message says what to check.
    """
    known = {name.casefold(): name for name in properties}
    advice = {
        **dict.fromkeys(resource.cursors, _cursor_advice(properties)),
        **dict.fromkeys((*resource.keys, *resource.needed), "this release speaks another version of the Web API"),
        **needed,
    }
    for name, cure in advice.items():
        if name.casefold() not in known:
            raise ContractError(f"{resource.path} has no property {name} in this release: {cure}", reason="no_property")
    wanted = dict.fromkeys((*advice, *resource.fields.split()))
    spellings = {names: [name for name in names.split("|") if name.casefold() in known] for names in wanted}
    found = {names[0]: known[names[0].casefold()] for names in spellings.values() if names}
    return Shape(
        resource=resource,
        select=tuple(dict.fromkeys((*found.values(), *_own_properties(resource, properties, own)))),
        spelled={ours: theirs for ours, theirs in found.items() if ours != theirs},
        lacking=tuple(names.partition("|")[0] for names, there in spellings.items() if not there),
        cursors=tuple(found[name] for name in resource.cursors),
    )


def _cursor_advice(properties: Mapping[str, str]) -> str:
    dates = sorted(name for name, kind in properties.items() if "Date" in kind)
    return f"name the one that tells changes with cursor_fields=; its dates are {', '.join(dates) or 'none'}"


def _own_properties(resource: Resource, properties: Mapping[str, str], own: tuple[str, ...]) -> list[str]:
    """Properties as they are; for an optional field the collection that holds all of them."""
    found = [name for name in own if name in properties]
    others = [name for name in own if name not in properties]
    collections = [
        name for name, kind in properties.items() if "OptionalField" in name and kind.startswith("Collection(")
    ]
    wrong = [name for name in others if not collections or not _OPTIONAL_FIELD.fullmatch(name)]
    if wrong:
        raise ContractError(
            f"{resource.path} has neither a property nor an optional field {', '.join(wrong)}: check optout_field and "
            "custom_fields",
            reason="no_property",
        )
    return found + (collections if others else [])
