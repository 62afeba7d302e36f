"""From rows of the Web API to records."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from mlconnector_sdk.errors import MappingError
from mlconnector_sdk.models import Address
from mlconnector_sdk.sources.sage300._fields import RESOURCES
from mlconnector_sdk.sources.sage300._records import PARENT, Reader, optional_field

CURSORS = {name: resource.cursors for name, resource in RESOURCES.items()}
STATUSES = {"active": "active", "1": "active", "inactive": "inactive", "0": "inactive"}


def reader(**changes):
    """A reader with the usual settings."""
    settings = {"statuses": STATUSES, "opt_outs": {}, "consent_field": "ConsentsToReceiveEmail", "cursors": CURSORS}
    return Reader(**{**settings, **changes})


def customer(**values):
    """A customer from a row with these values."""
    return reader().customer({"CustomerNumber": "1100", **values})


def contact(**values):
    """A contact from a row with these values."""
    return reader().contact({"ContactCode": "PAT", **values})


def item(number=32, quantity=1, price=10, **values):
    """A line of an order."""
    return {
        "LineNumber": number,
        "LineType": "Item",
        "Item": "A1-103/0",
        "Description": "Lamp",
        "QuantityOrdered": quantity,
        "OriginalQuantityOrdered": quantity,
        "OrderUnitPrice": price,
        "ExtendedOrderAmount": Decimal(str(quantity)) * price,
        **values,
    }


def order(*lines, **values):
    """An order from a row with these values."""
    settings = {"OrderUniquifier": 1793, "OrderType": "Active", "OrderDetails": list(lines), **values}
    return reader().order(settings)


def invoice(*lines, **values):
    """An invoice from a row with these values."""
    return reader().invoice({"InvoiceUniquifier": 5, "InvoiceDetails": list(lines), **values})


# -- customers and suppliers ----------------------------------------------------------------------------------------


def test_a_customer_is_read_with_its_padding_removed():
    """Texts are trimmed except the address, four lines become two, dates stay what they are."""
    found = customer(
        CustomerName="Invented Mart ",
        Email=" A@B.org ; c@d.org",
        GroupCode="WHL   ",
        CurrencyCode="USD",
        PhoneNumber="2135550100",
        AddressLine1="12 Road",
        AddressLine2="Suite 4",
        AddressLine3="",
        AddressLine4="Dock",
        City="Los Angeles",
        StateProvince="CA",
        ZipPostalCode="90001",
        Country="USA",
        DateLastMaintained="2024-05-06T00:00:00Z",
        DateOfLastActivity="2024-05-02T00:00:00Z",
    )

    assert ("1100", "Invented Mart", " A@B.org ; c@d.org", "WHL", "USD") == (
        found.key,
        found.name,
        found.email,
        found.group,
        found.currency,
    )
    assert (
        Address(
            line1="12 Road",
            line2="Suite 4, Dock",
            city="Los Angeles",
            region="CA",
            postal_code="90001",
            country="USA",
        )
        == found.address
    )
    assert (date(2024, 5, 6), date(2024, 5, 2)) == (found.modified_at, found.last_activity)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "active"),
        ({"Status": "Active", "OnHold": "No"}, "active"),
        ({"Status": "Active", "OnHold": "Yes"}, "on_hold"),
        ({"Status": "Active", "OnHold": True}, "on_hold"),
        ({"Status": "Active", "OnHold": "1"}, "on_hold"),
        ({"Status": "Inactive", "OnHold": "Yes"}, "inactive"),
        ({"Status": "INACTIVE  "}, "inactive"),
        ({"Status": "0"}, "inactive"),
        ({"Status": "1"}, "active"),
        ({"Status": "7"}, "active"),
        ({"Status": False}, "active"),
        ({"Status": True}, "inactive"),
    ],
)
def test_a_status_comes_in_many_forms(values, expected):
    """Names, numbers in text and booleans (of the field "inactive") are all understood; unknown ones are active."""
    assert expected == customer(**values).status


def test_labels_of_a_site_are_known_by_their_setting():
    """A label that was added counts, whatever its case."""
    found = reader(statuses={**STATUSES, "gesperrt": "on_hold"}).customer({"CustomerNumber": "1", "Status": "Gesperrt"})

    assert "on_hold" == found.status


def test_the_contact_person_stands_in_for_the_company():
    """The address that is asked for comes first, the other where that is blank."""
    both = {"CustomerNumber": "1", "Email": "office@b.org", "ContactsEmail": "pat@b.org"}
    person = reader(customer_email="contact")

    assert ["office@b.org", "pat@b.org"] == [r.customer(both).email for r in (reader(), person)]
    assert ["pat@b.org", "pat@b.org"] == [r.customer({**both, "Email": "  "}).email for r in (reader(), person)]


def test_a_customer_without_a_date_has_no_stamp():
    """Imported rows may never have been maintained."""
    assert [None, None] == [customer(**values).modified_at for values in ({}, {"DateLastMaintained": None})]


def test_a_supplier_is_read_like_a_customer():
    """Vendors have their own key and name."""
    found = reader().supplier(
        {"VendorNumber": "V1", "VendorName": "Quill", "Email": "a@b.org", "OnHold": "Yes", "GroupCode": "INV"}
    )

    assert ("V1", "Quill", "a@b.org", "on_hold", "INV") == (
        found.key,
        found.name,
        found.email,
        found.status,
        found.group,
    )


# -- ship-to locations ----------------------------------------------------------------------------------------------


def ship_to(parent=(), **values):
    """A ship-to location of a customer with these values."""
    row = {"CustomerNumber": "1100", "ShipToLocationKey": "DOCK", "Email": "dock@b.org", **values}
    return reader().ship_to({**row, PARENT: {"CustomerNumber": "1100", "CustomerName": "Mart", **dict(parent)}})


def test_a_ship_to_location_is_a_customer_of_its_own():
    """It has both keys, its own address, and the later of the two dates."""
    found = ship_to({"DateLastMaintained": "2024-05-06"}, DateLastMaintained="2024-05-01", Description="Dock 4")

    assert ("1100::DOCK", "Dock 4", "dock@b.org") == (found.key, found.name, found.email)
    assert date(2024, 5, 6) == found.modified_at
    assert ("Mart", None) == (ship_to().name, ship_to().modified_at)


@pytest.mark.parametrize(
    ("own", "parent", "expected"),
    [
        ("Active", {"Status": "Active"}, "active"),
        ("Inactive", {"Status": "Active"}, "inactive"),
        ("Active", {"Status": "Inactive"}, "inactive"),
        ("Active", {"Status": "Active", "OnHold": "Yes"}, "on_hold"),
    ],
)
def test_a_location_is_as_its_customer_is(own, parent, expected):
    """A customer that is inactive or on hold takes its locations along."""
    assert expected == ship_to(parent, Status=own).status


def test_a_location_follows_its_customers_opt_out():
    """Whom we may not mail at one address, we may not mail at another."""
    opted_out = reader(opt_outs={"customers": lambda row: row.get("NOMAIL") == "Y"})
    row = {"CustomerNumber": "1", "ShipToLocationKey": "A"}

    assert opted_out.ship_to({**row, PARENT: {"CustomerNumber": "1", "NOMAIL": "Y"}}).opted_out
    assert opted_out.ship_to({**row, "NOMAIL": "Y", PARENT: {"CustomerNumber": "1"}}).opted_out
    assert not opted_out.ship_to({**row, PARENT: {"CustomerNumber": "1"}}).opted_out


@pytest.mark.parametrize("missing", ["CustomerNumber", "ShipToLocationKey", PARENT])
def test_a_location_needs_its_keys_and_its_customer(missing):
    """Without one of them the row is unreadable."""
    row = {"CustomerNumber": "1", "ShipToLocationKey": "A", PARENT: {"CustomerNumber": "1"}}
    del row[missing]

    with pytest.raises(MappingError, match=missing):
        reader().ship_to(row)


# -- contacts -------------------------------------------------------------------------------------------------------


def test_a_contact_is_a_person():
    """First and last name come apart, and the title is what the person does."""
    found = contact(FirstName="Pat ", LastName="Invented", Title="Buyer", Email="pat@b.org", PhoneNumber1="5550101")

    assert ("PAT", "Pat Invented", "Pat", "Invented", "Buyer", "5550101") == (
        found.key,
        found.name,
        found.first_name,
        found.last_name,
        found.job_title,
        found.phone,
    )


@pytest.mark.parametrize(
    ("value", "opted_out"),
    [("Yes", False), (True, False), ("1", False), ("No", True), (False, True), ("0", True), ("", True), ("2", True)],
)
def test_only_a_clear_yes_is_a_consent(value, opted_out):
    """In doubt nobody is mailed."""
    assert opted_out is contact(ConsentsToReceiveEmail=value).opted_out


def test_a_site_without_the_flag_says_nothing():
    """No flag, in the row or by the setting, is no opt-out."""
    assert not contact().opted_out
    assert not reader(consent_field=None).contact({"ContactCode": "A", "ConsentsToReceiveEmail": "No"}).opted_out


# -- optional fields ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"Value": "RED"}, "RED"),
        ({"Value": "1", "CustomerOptionalFieldValueType": "YesNo", "YesNoValue": True}, True),
        ({"Value": "0", "CustomerOptionalFieldValueType": "YesNo", "YesNoValue": False}, False),
        ({"Value": "7", "CustomerOptionalFieldValueType": "Time", "TimeValue": None}, "7"),
    ],
)
def test_an_optional_field_is_found_by_its_name(entry, expected):
    """The value of its type counts, the text where there is none."""
    row = {"CustomerOptionalFieldValues": ["?", {"OptionalField": "OTHER"}, {"OptionalField": "NOMAIL ", **entry}]}

    assert expected == optional_field("NOMAIL")(row)


def test_a_property_goes_before_an_optional_field():
    """A property of that name is meant; a name that the row lacks has no value."""
    row = {"NOMAIL": "Yes", "OptionalFields": [{"OptionalField": "NOMAIL", "Value": "No"}]}

    assert "Yes" == optional_field("NOMAIL")(row)
    assert optional_field("UPSZONE")(row) is None


# -- orders ---------------------------------------------------------------------------------------------------------


def test_an_order_is_read_with_its_lines():
    """Items keep number, quantity and price; a charge is one piece without an item."""
    charge = {"LineNumber": 64, "LineType": "Miscellaneous", "Item": "", "Description": "Handling"}
    found = order(
        item(quantity=8, price=Decimal("12.5")),
        {**charge, "ExtendedAmount": Decimal("20.25")},
        OrderNumber="ORD000231",
        CustomerNumber="1100  ",
        OrderDate="2024-05-06T00:00:00Z",
        LastPostingDate="2024-05-07T00:00:00Z",
        OrderSourceCurrency="USD",
        OrderTotal=Decimal("128.25"),
        OrderExclTaxTotal=8,
        OrderInclTaxTotal=1,
        BillToName="Mart",
        BillToEmail="",
        BillToContactEmail="pat@b.org",
        BillToAddressLine1="12 Road",
        BillToStateProvince="CA",
    )

    assert ("1793", "ORD000231", "order", True, "1100") == (
        found.key,
        found.number,
        found.kind,
        found.final,
        found.customer_key,
    )
    assert (Decimal("128.25"), Decimal(9), "USD") == (found.total, found.tax, found.currency)
    assert ("pat@b.org", "Mart", date(2024, 5, 6)) == (found.email, found.name, found.placed_on)
    assert Address(line1="12 Road", region="CA") == found.billing_address
    assert (date(2024, 5, 7), 1793) == found.modified_at
    [lamp, handling] = found.lines
    assert ("32", "A1-103/0", 8, Decimal("12.5"), Decimal(100)) == (
        lamp.key,
        lamp.product_key,
        lamp.quantity,
        lamp.unit_price,
        lamp.amount,
    )
    assert ("64", "", 1, Decimal("20.25")) == (
        handling.key,
        handling.product_key,
        handling.quantity,
        handling.unit_price,
    )


@pytest.mark.parametrize("kind", ["Quote", "Future", "Standing", "4", ""])
def test_only_active_orders_are_final(kind):
    """Quotes, future and standing orders are no sale, should one of them ever come."""
    assert not order(OrderType=kind).final


@pytest.mark.parametrize(
    ("values", "final", "status"),
    [
        ({"OnHold": True}, False, "OnHold"),
        ({"OnHold": "Yes", "OrderCompleted": "IncompleteIncluded"}, False, "OnHold"),
        ({"OnHold": True, "OrderCompleted": "CompleteDayEnd"}, True, "CompleteDayEnd"),
        ({"OnHold": False, "OrderCompleted": "IncompleteNotIncluded"}, True, "IncompleteNotIncluded"),
        ({"OrderCompleted": "5"}, True, "5"),
    ],
)
def test_an_order_on_hold_waits(values, final, status):
    """It counts once it is released, or complete all the same."""
    found = order(**values)

    assert (final, status) == (found.final, found.status)


def test_shipping_takes_nothing_from_an_order():
    """As lines ship, what is left to ship falls with the total; what was sold is what was ordered."""
    shipped = item(quantity=8, price=10, QuantityOrdered=3, ExtendedOrderAmount=30)

    found = order(shipped, OrderTotal=32, OrderExclTaxTotal=2, OrderDiscountAmount=5)

    assert Decimal(77) == found.total
    assert (8, Decimal(80)) == (found.lines[0].quantity, found.lines[0].amount)


@pytest.mark.parametrize(
    ("values", "cancelled_on"),
    [
        ({}, date(2024, 5, 9)),
        ({"OrderCompletionDate": None}, date(2024, 5, 6)),
        ({"LastShipmentNumber": "SH1"}, None),
        ({"LastInvoiceNumber": "IN1"}, None),
        ({"OrderCompleted": "IncompleteNotIncluded"}, None),
        ({"LastInvoiceNumber": None}, None),
    ],
)
def test_complete_without_a_shipment_is_cancelled(values, cancelled_on):
    """Nothing else tells a cancelled order; where a release lacks the fields nothing is taken for cancelled."""
    settings = {
        "OrderCompleted": "CompleteDayEnd",
        "OrderDate": "2024-05-06",
        "OrderCompletionDate": "2024-05-09",
        "LastShipmentNumber": "",
        "LastInvoiceNumber": "  ",
    }

    found = order(**{**settings, **values})

    assert (cancelled_on, "cancelled" if cancelled_on else "") == (found.cancelled_on, found.payment)


def test_a_line_without_an_amount_has_what_it_costs():
    """Where a release does not tell the amount, quantity, price and discount do."""
    line = item(quantity=3, price=10, ExtendedOrderAmount=0, OrderDiscountAmount=5)

    assert Decimal(25) == order(line).lines[0].amount


def test_a_line_ordered_before_quantities_were_kept_has_the_current_one():
    """The original quantity may be missing."""
    line = item(quantity=3)
    del line["OriginalQuantityOrdered"]

    assert 3 == order(line).lines[0].quantity


def test_documents_need_their_number():
    """Without it nothing can be linked."""
    for read in (reader().order, reader().invoice):
        with pytest.raises(MappingError, match="Uniquifier: missing"):
            read({})
    with pytest.raises(MappingError, match="LineNumber: missing"):
        order(item(number=None))


# -- invoices -------------------------------------------------------------------------------------------------------


def test_an_invoice_has_captions_of_its_own():
    """Name, address and totals have other names than on orders; lines may have no number."""
    line = {
        "LineType": "Item",
        "Item": "A1-103/0",
        "Description": "Lamp",
        "QuantityShipped": 4,
        "InvoiceUnitOfMeasure": "Ea.",
        "PricingUnit": "Ea.",
        "PricingUnitPrice": 10,
        "DiscountedExtendedAmount": 36,
        "TaxAmount1": Decimal("2.5"),
        "TaxAmount5": Decimal("0.5"),
    }
    charge = {"LineType": "Miscellaneous", "Description": "Handling", "DiscountedExtendedAmount": 5}

    found = invoice(
        line,
        charge,
        InvoiceNumber="IN000063",
        InvoiceDate="2024-05-08T00:00:00Z",
        BillTo="Mart",
        BillToAddress1="12 Road",
        BillToAddress2="Dock",
        BillToState="CA",
        BillToZipCode="90001",
        BillToEmail="ap@b.org",
        InvoiceSourceCurrency="USD",
        InvoiceTotalWithTax=44,
        InvoiceDiscountAmount=0,
        InvoiceStatus="Documentcosted",
    )

    assert ("5", "IN000063", "invoice", True, "Documentcosted") == (
        found.key,
        found.number,
        found.kind,
        found.final,
        found.status,
    )
    assert (Decimal(44), Decimal("3.0"), date(2024, 5, 8), 5) == (
        found.total,
        found.tax,
        found.placed_on,
        found.modified_at,
    )
    assert Address(line1="12 Road", line2="Dock", region="CA", postal_code="90001") == found.billing_address
    [lamp, handling] = found.lines
    assert ("1", 4, Decimal(10), Decimal(4), Decimal(36)) == (
        lamp.key,
        lamp.quantity,
        lamp.unit_price,
        lamp.discount,
        lamp.amount,
    )
    assert ("2", "", 1, Decimal(5)) == (handling.key, handling.product_key, handling.quantity, handling.unit_price)


def test_a_price_per_another_unit_is_worked_out():
    """Sold by the piece and priced by the dozen: the amount decides."""
    line = {
        "LineNumber": 7,
        "Item": "A",
        "QuantityShipped": 24,
        "InvoiceUnitOfMeasure": "Ea.",
        "PricingUnit": "Dozen",
        "PricingUnitPrice": 30,
        "DiscountedExtendedAmount": 60,
    }

    [found] = invoice(line).lines

    assert ("7", 24, Decimal("2.5"), Decimal(0)) == (found.key, found.quantity, found.unit_price, found.discount)


# -- cursors --------------------------------------------------------------------------------------------------------


def test_stamps_follow_the_cursors_that_are_set():
    """A date, a number, both side by side, or none at all."""
    row = {"OrderUniquifier": 7, "OrderDate": "2024-05-06", "OrderType": "Active"}

    def stamp(*names):
        return reader(cursors={**CURSORS, "OEOrders": names}).order(row).modified_at

    assert (date(2024, 5, 6), 7, (date(2024, 5, 6), 7), (None, 7), None) == (
        stamp("OrderDate"),
        stamp("OrderUniquifier"),
        stamp("OrderDate", "OrderUniquifier"),
        stamp("LastPostingDate", "OrderUniquifier"),
        stamp(),
    )


def test_a_stamp_that_cannot_be_read_is_none():
    """An unreadable row is set aside even if its date is what is wrong."""
    assert reader().modified({"DateLastMaintained": "soon"}, "ARCustomers") is None
    assert date(2024, 5, 6) == reader().modified({"DateLastMaintained": "2024-05-06"}, "ARCustomers")
