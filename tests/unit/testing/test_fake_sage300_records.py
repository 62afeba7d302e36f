"""Adding and editing records, documents and their totals, stamps, and the made-up company."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import httpx
import pytest

from mlconnector_sdk.testing.fakes._sage300 import FakeSage300

LATE_IN_LOS_ANGELES = datetime(2024, 6, 2, 5, tzinfo=UTC)
TODAY = date(2024, 6, 1)
LONG_AGO = date(2020, 1, 1)


@pytest.fixture(name="erp")
def _erp():
    """A fake at an hour when the site's day is not the day in UTC."""
    with FakeSage300(clock=lambda: LATE_IN_LOS_ANGELES) as fake:
        yield fake


def read(erp, place):
    """A list of rows, or one entry."""
    answer = httpx.get(
        f"{erp.company_url}/{place}", auth=("ADMIN", "ADMIN"), headers={"Content-Type": "application/json"}
    )
    assert 200 == answer.status_code, answer.text
    return answer.json().get("value", answer.json())


# -- stamps -------------------------------------------------------------------------------------------------------


def test_a_stamp_is_the_sites_calendar_day(erp):
    """Records are stamped with the day at the site, not with the day in UTC, and with nothing finer."""
    key = erp.add_customer(name="Harbor Pumps")
    assert TODAY == erp.customers[key]["DateLastMaintained"]
    assert "2024-06-01T00:00:00Z" == read(erp, f"AR/ARCustomers('{key}')")["DateLastMaintained"]


def test_a_session_date_is_stamped_instead(erp):
    """A user signed on with another session date stamps that date."""
    erp.session_date = LONG_AGO
    key = erp.add_customer()
    assert LONG_AGO == erp.customers[key]["DateLastMaintained"]


@pytest.mark.parametrize(
    ("entity", "stamp", "change"),
    [
        ("ARCustomers", "DateLastMaintained", {"City": "Leeds"}),
        ("ARShipToLocations", "DateLastMaintained", {"City": "Leeds"}),
        ("MTContacts", "DateLastMaintained", {"ConsentsToReceiveEmail": "No"}),
        ("APVendors", "DateLastMaintained", {"City": "Leeds"}),
        ("OEOrders", "LastPostingDate", {"OnHold": True}),
    ],
)
def test_an_edit_stamps_its_own_record(erp, entity, stamp, change):
    """Saving a record moves its stamp, quietly only where the test says so."""
    customer = erp.add_customer(DateLastMaintained=LONG_AGO)
    made = {
        "ARCustomers": lambda: customer,
        "ARShipToLocations": lambda: erp.add_ship_to(customer),
        "MTContacts": lambda: erp.add_contact(customer=customer),
        "APVendors": lambda: erp.add_vendor(),
        "OEOrders": lambda: erp.add_order(customer),
    }
    key = made[entity]()
    store = {
        "ARCustomers": erp.customers,
        "ARShipToLocations": erp.ship_to,
        "MTContacts": erp.contacts,
        "APVendors": erp.vendors,
        "OEOrders": erp.orders,
    }[entity]
    store[key][stamp] = LONG_AGO
    erp.edit(entity, key, stamp=False, **change)
    assert LONG_AGO == store[key][stamp]
    erp.edit(entity, key, **change)
    assert TODAY == store[key][stamp]
    if entity != "ARCustomers":
        assert LONG_AGO == erp.customers[customer]["DateLastMaintained"]


def test_a_given_stamp_is_kept(erp):
    """A test may give the stamp with an edit."""
    key = erp.add_customer()
    erp.edit("ARCustomers", key, DateLastMaintained=LONG_AGO)
    assert LONG_AGO == erp.customers[key]["DateLastMaintained"]


def test_an_edited_invoice_tells_nobody(erp):
    """No field of an invoice moves with an edit."""
    key = erp.add_invoice(erp.add_customer())
    before = dict(erp.invoices[key])
    erp.edit("OEInvoices", key, Reference="changed")
    assert {**before, "Reference": "changed"} == erp.invoices[key]


def test_inactivity_has_its_date(erp):
    """Switching a record off notes the day, switching it on clears it, and a given day is kept."""
    key = erp.add_customer()
    erp.edit("ARCustomers", key, Status="Inactive")
    assert TODAY == erp.customers[key]["InactiveDate"]
    erp.edit("ARCustomers", key, Status="Active")
    assert None is erp.customers[key]["InactiveDate"]
    erp.edit("ARCustomers", key, Status="Inactive", InactiveDate=LONG_AGO)
    assert LONG_AGO == erp.customers[key]["InactiveDate"]


# -- keys and columns ---------------------------------------------------------------------------------------------


def test_keys_are_upper_case_and_never_given_twice(erp):
    """Keys are stored in upper case; made-up ones differ from all there are."""
    assert "BARINV" == erp.add_customer("barinv")
    assert "1103" == erp.add_customer("1103")
    assert 4 == len({"BARINV", "1103", erp.add_customer(), erp.add_customer()})
    assert 2 == len({erp.add_contact(), erp.add_contact()})
    assert 2 == len({erp.add_vendor(), erp.add_vendor()})
    assert "PAT" == erp.add_contact("pat")
    assert "V1" == erp.add_vendor("v1", email="office@quill.com")


def test_uniquifiers_grow_and_never_come_back(erp):
    """Numbers of documents grow with each new one, also after a deletion."""
    customer = erp.add_customer()
    numbers = [erp.add_order(customer), erp.add_order(customer, key=1793), erp.add_order(customer)]
    erp.delete("OEOrders", numbers[-1])
    assert [1, 1793, 1794, 1795] == [*numbers, erp.add_order(customer)]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"Nmae": "x"}, "no property Nmae"),
        ({"CustomerName": "x" * 61}, "holds 60 characters"),
        ({"CustomerNumber": "x" * 13}, "holds 12 characters"),
    ],
)
def test_what_no_form_takes_is_told_at_once(erp, values, problem):
    """A misspelt property or a text that is too long is a mistake in the test."""
    with pytest.raises(ValueError, match=problem):
        erp.put("ARCustomers", {"CustomerNumber": "1200", **values})


def test_records_outlive_the_release_that_shows_them():
    """Contacts can be stored in a release that has no resource for them."""
    with FakeSage300(version="2019.0") as erp:
        assert "PAT" == erp.add_contact("PAT", customer=erp.add_customer())


def test_a_linked_contact_shows_on_its_customer(erp):
    """The customer names its contacts, and the link stamps neither."""
    customer = erp.add_customer(DateLastMaintained=LONG_AGO, on_hold=True, email="office@harbor-pumps.com")
    for first in ("Pat", None):
        erp.add_contact(first=first, last="Hara", customer=customer, email="pat@harbor-pumps.com", consents=False)
    row = read(erp, f"AR/ARCustomers('{customer}')")
    assert ["Pat Hara", "Hara"] == [one["ContactName"] for one in row["CustomerContactSelection"]]
    assert ("2020-01-01T00:00:00Z", "Yes") == (row["DateLastMaintained"], row["OnHold"])
    assert ["No", "No"] == [one["ConsentsToReceiveEmail"] for one in read(erp, "MT/MTContacts")]


# -- documents ----------------------------------------------------------------------------------------------------

LINES = [("A1-105/0", "Lamp", 8, "12.50"), (None, "Handling", 1, Decimal("20.25"))]


def test_an_order_is_worked_out_from_its_lines(erp):
    """Line numbers go in steps of 32, a charge has an amount and no item, and totals add up."""
    customer = erp.add_customer(email="office@harbor-pumps.com", City="Leeds", GroupCode="WHL")
    key = erp.add_order(customer, LINES, discount=Decimal("0.25"), tax=2, PurchaseOrderNumber="PO-1")
    order = read(erp, f"OE/OEOrders({key})")
    first, second = order["OrderDetails"]
    assert (32, "Item", "A1-105/0", 8, 8, 12.5, 100) == tuple(
        first[name]
        for name in (
            "LineNumber",
            "LineType",
            "Item",
            "QuantityOrdered",
            "OriginalQuantityOrdered",
            "OrderUnitPrice",
            "ExtendedOrderAmount",
        )
    )
    assert (64, "Miscellaneous", "", "HC", 0, 20.25) == tuple(
        second[name]
        for name in (
            "LineNumber",
            "LineType",
            "Item",
            "MiscellaneousChargesCode",
            "QuantityOrdered",
            "ExtendedAmount",
        )
    )
    assert (120.25, 0.25, 2, 122) == tuple(
        order[name] for name in ("OrderSubtotalAmount", "OrderDiscountAmount", "OrderExclTaxTotal", "OrderTotal")
    )
    assert ("ORD000000000001", "2024-06-01T00:00:00Z", "Num6", "2024") == tuple(
        order[name] for name in ("OrderNumber", "OrderDate", "OrderFiscalPeriod", "OrderFiscalYear")
    )
    assert ("office@harbor-pumps.com", "Leeds", "WHL", "PO-1", 2) == tuple(
        order[name]
        for name in ("BillToEmail", "BillToCity", "CustomerGroupCode", "PurchaseOrderNumber", "NumberOfLinesOnOrder")
    )


def test_quotes_live_among_orders(erp):
    """A quote is an order of another type with a number of its own kind."""
    key = erp.add_order(erp.add_customer(), type="Quote", date=LONG_AGO, email="buyer@harbor-pumps.com")
    order = erp.orders[key]
    assert ("Quote", "QT0000000001", LONG_AGO) == (order["OrderType"], order["OrderNumber"], order["OrderDate"])
    assert ("buyer@harbor-pumps.com", TODAY) == (order["BillToEmail"], order["LastPostingDate"])


def test_edited_lines_change_the_totals(erp):
    """Details are replaced whole, as tuples or as properties, and totals follow unless they are given."""
    key = erp.add_order(erp.add_customer(), LINES)
    erp.edit("OEOrders", key, OrderDetails=erp.orders[key]["OrderDetails"][:1])
    assert (1, Decimal(100)) == (erp.orders[key]["NumberOfLinesOnOrder"], erp.orders[key]["OrderTotal"])
    erp.edit("OEOrders", key, OrderDetails=[("X", "Thing", 1, 5)], OrderTotal=7)
    assert (Decimal(5), 7) == (erp.orders[key]["OrderSubtotalAmount"], erp.orders[key]["OrderTotal"])


def test_an_invoice_has_its_own_captions(erp):
    """An invoice names its bill-to otherwise than an order, and adds up from its details and their taxes."""
    customer = erp.add_customer(name="Harbor Pumps", AddressLine1="12 Mill Lane")
    order = erp.add_order(customer, LINES)
    key = erp.add_invoice(customer, LINES, order=order, date=LONG_AGO, discount=1, tax=Decimal("8.5"), email="a@b.com")
    invoice = read(erp, f"OE/OEInvoices({key})")
    assert ("IN000001", "ORD000000000001", "Harbor Pumps", "12 Mill Lane", "a@b.com") == tuple(
        invoice[name] for name in ("InvoiceNumber", "OrderNumber", "BillTo", "BillToAddress1", "BillToEmail")
    )
    assert ("2020-01-01T00:00:00Z", 120.25, 1, 127.75) == tuple(
        invoice[name]
        for name in ("InvoiceDate", "InvoiceSubtotalAmount", "InvoiceDiscountAmount", "InvoiceTotalWithTax")
    )
    assert [("Item", 8, 12.5, 100), ("Miscellaneous", 0, 20.25, 20.25)] == [
        tuple(line[name] for name in ("LineType", "QuantityShipped", "PricingUnitPrice", "DiscountedExtendedAmount"))
        for line in invoice["InvoiceDetails"]
    ]


def test_lines_may_be_given_as_properties(erp):
    """A line of the vendor's properties is taken as it is, and worked out where it says nothing."""
    customer = erp.add_customer()
    order = erp.add_order(
        customer, [{"Item": "A", "QuantityOrdered": 2, "OriginalQuantityOrdered": 5, "OrderUnitPrice": 3}]
    )
    assert (2, 5, Decimal(6)) == tuple(
        erp.orders[order]["OrderDetails"][0][name]
        for name in ("QuantityOrdered", "OriginalQuantityOrdered", "ExtendedOrderAmount")
    )
    invoice = erp.add_invoice(customer, [{"Item": "A", "QuantityShipped": 2, "PricingUnitPrice": 3}])
    assert Decimal(6) == erp.invoices[invoice]["InvoiceTotalWithTax"]
    erp.edit("OEInvoices", invoice, InvoiceDetails=[])
    assert Decimal(0) == erp.invoices[invoice]["InvoiceTotalWithTax"]


# -- the made-up company ------------------------------------------------------------------------------------------


def _company(**options):
    return FakeSage300(
        customers=400, contacts=300, vendors=30, orders=200, invoices=120, now=LATE_IN_LOS_ANGELES, **options
    )


def test_the_same_seed_gives_the_same_company():
    """Seed and present decide about every record; another seed gives others."""
    first, second, other = _company(), _company(), _company(seed=2)
    for store in ("customers", "contacts", "vendors", "orders", "invoices", "items", "ship_to"):
        assert getattr(first, store) == getattr(second, store)
    assert first.customers != other.customers


def test_the_made_up_company_has_what_was_asked_for():
    """As many records of each kind as asked for, and neither orders nor invoices without customers."""
    erp = _company()
    assert (400, 300, 30, 200, 120) == (
        len(erp.customers),
        len(erp.contacts),
        len(erp.vendors),
        len(erp.orders),
        len(erp.invoices),
    )
    assert erp.ship_to
    empty = FakeSage300(orders=5, invoices=5, contacts=3)
    assert (0, 0, 3) == (len(empty.orders), len(empty.invoices), len(empty.contacts))


def test_the_made_up_company_is_messy():
    """Every kind of mess that clients trip over occurs."""
    erp = _company()
    customers = list(erp.customers.values())
    assert {"Active", "Inactive"} == {row["Status"] for row in customers}
    assert {"Yes", "No"} == {row["OnHold"] for row in customers}
    assert any(row["DateLastMaintained"] is None for row in customers)
    assert any("/" in key for key in erp.customers)
    assert any(";" in row["Email"] for row in customers)
    assert any(row["CustomerName"].endswith(" ") for row in customers)
    assert all(row["PhoneNumber"].isdigit() or not row["PhoneNumber"] for row in customers)
    assert any(f["OptionalField"] == "NOMAIL" for row in customers for f in row["CustomerOptionalFieldValues"])
    assert {"Yes", "No"} == {row["ConsentsToReceiveEmail"] for row in erp.contacts.values()}
    assert {"Active", "Quote", "Future", "Standing"} == {row["OrderType"] for row in erp.orders.values()}
    assert any(row["OrderDate"] > row["LastPostingDate"] for row in erp.orders.values())
    dates = [row["InvoiceDate"] for row in erp.invoices.values()]
    assert dates != sorted(dates)


def test_no_made_up_date_lies_after_the_present():
    """Stamps of made-up records are not in the future of the site."""
    erp = _company()
    stamps = [
        row["DateLastMaintained"] for store in (erp.customers, erp.contacts, erp.vendors) for row in store.values()
    ]
    assert TODAY >= max(stamp for stamp in [*stamps, *(r["LastPostingDate"] for r in erp.orders.values())] if stamp)
