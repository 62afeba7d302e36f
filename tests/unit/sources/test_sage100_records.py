"""From rows of Sage 100's tables to records."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from mlconnector_sdk.errors import MappingError
from mlconnector_sdk.models import Address
from mlconnector_sdk.sources.sage100._api import (
    CUSTOMER,
    CUSTOMER_CONTACT,
    INVOICE_HISTORY,
    ORDER_HISTORY,
    SALES_ORDER,
    VENDOR,
)
from mlconnector_sdk.sources.sage100._records import Reader

STAMPS = {"DateCreated": "20190101", "TimeCreated": "9.25056", "DateUpdated": "20250304", "TimeUpdated": "15.5"}


def reader(**changes):
    """A reader with the usual settings."""
    return Reader(**{"zone": ZoneInfo("America/Chicago"), "opt_outs": {}, **changes})


def customer(by=None, **values):
    """A customer from a row with these values."""
    return (by or reader()).customer({"ARDivisionNo": "01", "CustomerNo": "ABF", **values})


def contact(**values):
    """A contact from a row with these values."""
    return reader().contact({"ARDivisionNo": "01", "CustomerNo": "ABF", "ContactCode": "A/P DEPT", **values})


def supplier(**values):
    """A supplier from a row with these values."""
    return reader().supplier({"APDivisionNo": "01", "VendorNo": "AIRWAY", **values})


def line(key="000001", *, quantity=1, price=10, **values):
    """A line of an open order."""
    amount = Decimal(str(quantity)) * Decimal(str(price))
    return {
        "LineKey": key,
        "ItemCode": "1001-HON-H252",
        "ItemType": "1",
        "ItemCodeDesc": "HON 2 DRAWER LETTER FLE",
        "QuantityOrdered": Decimal(str(quantity)),
        "UnitPrice": Decimal(str(price)),
        "ExtensionAmt": amount,
        **values,
    }


def order(*lines, **values):
    """An open order."""
    row = {"SalesOrderNo": "0000304", "OrderType": "S", "OrderStatus": "O", "Lines": list(lines), **values}
    return reader().function_for(SALES_ORDER)(row)


def history(*lines, **values):
    """An order of history."""
    return reader().function_for(ORDER_HISTORY)({"SalesOrderNo": "0000304", "Lines": list(lines), **values})


def invoice(*lines, **values):
    """A posted invoice."""
    row = {"InvoiceNo": "0100063", "HeaderSeqNo": "000000", "InvoiceType": "IN", "Lines": list(lines), **values}
    return reader().function_for(INVOICE_HISTORY)(row)


# -- keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "text", "parts"),
    [
        (CUSTOMER, "01-ABF", ("01", "ABF")),
        (CUSTOMER, "00-0000042", ("00", "0000042")),
        (CUSTOMER, "00-12-34-56", ("00", "12-34-56")),
        (CUSTOMER_CONTACT, "01-A-B/A/P DEPT", ("01", "A-B", "A/P DEPT")),
        (VENDOR, "00-0000007", ("00", "0000007")),
        (SALES_ORDER, "0000304", ("0000304",)),
        (INVOICE_HISTORY, "0100063/000001", ("0100063", "000001")),
    ],
)
def test_a_key_is_one_text_and_can_be_taken_apart(table, text, parts):
    """Only the dash behind the division separates, only the first slash behind a customer, and no zero is lost."""
    assert parts == table.parts_of(text)
    assert text == table.text_of(parts)
    assert text == table.key_in(dict(zip(table.key, parts, strict=True)))


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (CUSTOMER, ""),
        (CUSTOMER, "ABF"),
        (CUSTOMER, "1-ABF"),
        (CUSTOMER, "01-"),
        (CUSTOMER, "001-ABF"),
        (CUSTOMER_CONTACT, "01-ABF"),
        (CUSTOMER_CONTACT, "01-ABF/"),
        (SALES_ORDER, ""),
        (INVOICE_HISTORY, "0100063"),
    ],
)
def test_what_is_no_key_of_a_table_is_told(table, text):
    """A key of another system or table has no parts."""
    assert table.parts_of(text) is None


def test_parts_of_keys_lose_what_pads_them():
    """Blanks and NULs come from fixed-width keys; zeros are part of a number."""
    assert customer(CustomerNo="0000042" + "\0" * 13).key == "01-0000042"
    assert contact(ContactCode="ARTIE J   ").key == "01-ABF/ARTIE J"


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: customer(CustomerNo=""), "CustomerNo"),
        (lambda: customer(ARDivisionNo="  "), "ARDivisionNo"),
        (lambda: contact(ContactCode="\0"), "ContactCode"),
        (lambda: supplier(VendorNo=None), "VendorNo"),
        (lambda: order(SalesOrderNo=""), "SalesOrderNo"),
        (lambda: invoice(HeaderSeqNo=""), "HeaderSeqNo"),
        (lambda: order(line(key="")), "LineKey"),
    ],
)
def test_a_row_without_its_whole_key_cannot_be_read(make, name):
    """The error names the part that is missing."""
    with pytest.raises(MappingError, match=f"{name}: missing"):
        make()


# -- parties --------------------------------------------------------------------------------------------------------


def test_a_customer_is_read():
    """Texts are trimmed, except the addresses for mail; the stamp is the later pair in UTC; a company has no names."""
    found = customer(
        CustomerName="American Business Futures ",
        AddressLine1="2131 N. 14th Street",
        AddressLine2="Suite 100",
        AddressLine3="Accounting Department",
        City="Milwaukee",
        State="WI",
        ZipCode="53205-1204",
        CountryCode="USA",
        TelephoneNo="(414) 555-4787",
        EmailAddress=" ap@abf.example;owner@abf.example",
        CustomerType="RTL",
        CustomerStatus="A",
        CreditHold="N",
        DateLastActivity="20250228",
        **STAMPS,
    )

    assert found.key == "01-ABF"
    assert found.name == "American Business Futures"
    assert found.email == " ap@abf.example;owner@abf.example"
    assert (found.first_name, found.last_name) == ("", "")
    assert found.phone == "(414) 555-4787"
    assert found.address == Address(
        line1="2131 N. 14th Street",
        line2="Suite 100, Accounting Department",
        city="Milwaukee",
        region="WI",
        postal_code="53205-1204",
        country="USA",
    )
    assert found.group == "RTL"
    assert found.status == "active"
    assert found.currency == ""
    assert found.modified_at == datetime(2025, 3, 4, 21, 30, tzinfo=UTC)
    assert found.last_activity == date(2025, 2, 28)
    assert not found.opted_out
    assert not found.erased


def test_blanks_are_missing_values():
    """There are no nulls in Sage 100, and an older release lacks whole columns."""
    assert customer(CustomerStatus="", DateLastActivity="", EmailAddress="") == customer()


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"CustomerStatus": "A"}, "active"),
        ({"CustomerStatus": "I"}, "inactive"),
        ({"CustomerStatus": "i"}, "inactive"),
        ({"CustomerStatus": "T"}, "active"),
        ({"CustomerStatus": "?"}, "active"),
        ({"CustomerStatus": "A", "CreditHold": "Y"}, "on_hold"),
        ({"CustomerStatus": "I", "CreditHold": "Y"}, "inactive"),
    ],
)
def test_a_customers_status(values, status):
    """Temporary and unknown ones count as active; a hold makes an active one on hold."""
    assert status == customer(**values).status


def test_a_site_may_judge_its_customers_by_a_column_of_its_own():
    """Another column, and other values."""
    own = reader(status_field="UDF_STATE", statuses={"A": "active", "CLOSED": "inactive"})

    assert customer(own, UDF_STATE="Closed", CustomerStatus="A").status == "inactive"
    assert customer(own, UDF_STATE="", CustomerStatus="I").status == "active"


def test_an_encrypted_customer_is_erased():
    """Nothing of what the row still holds of the person is handed on."""
    found = customer(
        PIIEncryptedDate="20250301", CustomerName="x9F", EmailAddress="9f1c@abf.example", City="Q", **STAMPS
    )

    assert found.erased
    assert (found.name, found.email, found.phone, found.address) == ("", "", "", Address())
    assert found.status == "inactive"
    assert found.modified_at == datetime(2025, 3, 4, 21, 30, tzinfo=UTC)


@pytest.mark.parametrize("blank", ["", "00000000", "17530101", None])
def test_a_blank_day_of_encryption_erases_nobody(blank):
    """Every kind of blank date is blank here too."""
    assert not customer(PIIEncryptedDate=blank).erased


def test_contacts_are_people():
    """One field has the whole name; where it is clearly a person's, it is taken apart."""
    found = contact(
        ContactName="Mr. Artie Johnson",
        ContactTitle="Buyer",
        EmailAddress="artie@abf.example",
        TelephoneNo1="(414) 555-0101",
        City="Milwaukee",
        **STAMPS,
    )

    assert found.key == "01-ABF/A/P DEPT"
    assert found.customer_key == "01-ABF"
    assert found.name == "Mr. Artie Johnson"
    assert (found.first_name, found.last_name) == ("Artie", "Johnson")
    assert found.job_title == "Buyer"
    assert found.phone == "(414) 555-0101"
    assert found.address.city == "Milwaukee"
    assert (contact(ContactName="Accounts Payable Dept 2").first_name) == ""


def test_contacts_of_an_encrypted_customer_are_erased():
    """They have no day of encryption, only what was encrypted."""
    found = contact(EncryptedVals="9F1C7E", EmailAddress="9f@abf.example", ContactName="x")

    assert found.erased
    assert (found.email, found.name, found.customer_key) == ("", "", "01-ABF")


def test_suppliers_are_vendors():
    """With a key of their own divisions; a vendor who is not paid at the moment is on hold."""
    found = supplier(VendorName="Airway Property", EmailAddress="a@airway.example", VendorStatus="A", VendorType="R")

    assert (found.key, found.name, found.email, found.group) == (
        "01-AIRWAY",
        "Airway Property",
        "a@airway.example",
        "R",
    )
    assert found.status == "active"
    assert supplier(VendorStatus="I").status == "inactive"
    assert supplier(HoldPayment="Y").status == "on_hold"


def test_the_sites_own_opt_outs_are_asked():
    """Each stream has its own test."""
    own = reader(opt_outs={"customers": lambda row: row.get("UDF_NO") == "Y"})

    assert own.customer({"ARDivisionNo": "01", "CustomerNo": "ABF", "UDF_NO": "Y"}).opted_out
    assert not own.contact({"ARDivisionNo": "01", "CustomerNo": "A", "ContactCode": "X", "UDF_NO": "Y"}).opted_out


@pytest.mark.parametrize("values", [{"TimeUpdated": "24.5"}, {"DateUpdated": "20251399"}])
def test_a_bad_stamp_spoils_its_own_record(values):
    """It is an error of the record, and names the column."""
    with pytest.raises(MappingError, match=next(iter(values))):
        customer(**{**STAMPS, **values})


# -- orders ---------------------------------------------------------------------------------------------------------


def test_an_order_is_read():
    """No column holds the total: it is added up, the discount is taken off, freight and tax are part of it."""
    found = order(
        line(quantity=2, price=100),
        line("000002", quantity=3, price="33.333333", ExtensionAmt=Decimal("100.00")),
        OrderDate="20250228",
        ARDivisionNo="01",
        CustomerNo="ABF",
        EmailAddress="buyer@abf.example",
        BillToName="American Business Futures",
        BillToAddress1="2131 N. 14th Street",
        BillToCity="Milwaukee",
        BillToState="WI",
        BillToZipCode="53205",
        BillToCountryCode="USA",
        TaxableAmt=Decimal("250.00"),
        NonTaxableAmt=Decimal("50.00"),
        FreightAmt=Decimal("12.50"),
        SalesTaxAmt=Decimal("20.10"),
        DiscountAmt=Decimal("10.00"),
        **STAMPS,
    )

    assert (found.key, found.number, found.kind, found.final) == ("0000304", "0000304", "order", True)
    assert found.status == "open"
    assert found.customer_key == "01-ABF"
    assert found.email == "buyer@abf.example"
    assert found.total == Decimal("322.60")
    assert (found.tax, found.shipping, found.discount) == (Decimal("20.10"), Decimal("12.50"), Decimal("10.00"))
    assert found.placed_on == date(2025, 2, 28)
    assert found.billing_address.city == "Milwaukee"
    assert found.currency == ""
    assert found.payment == ""
    assert [(one.key, one.quantity, one.amount, one.discount) for one in found.lines] == [
        ("000001", Decimal(2), Decimal(200), Decimal(0)),
        ("000002", Decimal(3), Decimal("100.00"), Decimal(0)),
    ]
    assert found.modified_at == datetime(2025, 3, 4, 21, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "status", "final"),
    [
        ("S", "N", True),
        ("S", "O", True),
        ("S", "C", True),
        ("S", "?", True),
        ("B", "O", True),
        ("S", "H", False),
        ("Q", "N", False),
        ("P", "N", False),
        ("M", "O", False),
        ("R", "O", False),
        ("", "O", False),
    ],
)
def test_only_orders_count(kind, status, final):
    """Standard and back orders do; quotes, templates, and what is on hold do not."""
    assert final == order(OrderType=kind, OrderStatus=status).final


def test_an_unknown_status_is_called_so():
    """It stops nothing."""
    assert order(OrderStatus="?").status == "unknown"
    assert history(OrderStatus="").status == "unknown"


def test_lines_are_goods_charges_and_comments():
    """Comments carry no amount and are left out; charges have no product; a discount is what the amount lacks."""
    found = order(
        line("000001", quantity=4, price=25, ExtensionAmt=Decimal("90.00")),
        line("000002", ItemType="4", ItemCode="/C", CommentText="Deliver at noon", QuantityOrdered=0, ExtensionAmt=0),
        line("000003", ItemType="3", ItemCode="/FRT", ItemCodeDesc="Freight", quantity=0, ExtensionAmt=Decimal(15)),
        line("000004", ItemType="5", ItemCode="/MISC", ItemCodeDesc="", CommentText="Setup", quantity=2, price=5),
        line("000005", ItemType="2", ItemCode="*SPECIAL"),
    )

    assert [(one.key, one.product_key, one.title, one.quantity, one.amount) for one in found.lines] == [
        ("000001", "1001-HON-H252", "HON 2 DRAWER LETTER FLE", Decimal(4), Decimal("90.00")),
        ("000003", "", "Freight", Decimal(1), Decimal(15)),
        ("000004", "", "Setup", Decimal(1), Decimal(10)),
        ("000005", "*SPECIAL", "HON 2 DRAWER LETTER FLE", Decimal(1), Decimal(10)),
    ]
    assert found.lines[0].discount == Decimal("10.00")


def test_goods_without_a_quantity_count_once():
    """A price cannot be told from nothing."""
    found = order(line(quantity=0, price=7, ExtensionAmt=Decimal("21.00"))).lines[0]

    assert (found.quantity, found.unit_price, found.amount) == (Decimal(1), Decimal("21.00"), Decimal("21.00"))


def test_a_line_without_a_price_gets_that_of_its_amount():
    """Price lists may leave the column empty."""
    assert order(line(quantity=4, price=0, ExtensionAmt=Decimal(10))).lines[0].unit_price == Decimal("2.5")


@pytest.mark.parametrize(
    ("status", "name", "final"),
    [
        ("A", "active", True),
        ("C", "completed", True),
        ("X", "deleted", True),
        ("Q", "quote", False),
        ("Z", "deleted quote", False),
        ("H", "on hold", False),
    ],
)
def test_history_keeps_orders_and_quotes(status, name, final):
    """It has no type of order; the status tells quotes."""
    found = history(OrderStatus=status)

    assert (name, final) == (found.status, found.final)


def test_a_deleted_order_is_cancelled_unless_it_was_invoiced():
    """On the day of its last change."""
    found = history(OrderStatus="X", OrderDate="20250201", **STAMPS)
    billed = history(OrderStatus="X", InvoicedAmt=Decimal("10.00"), **STAMPS)

    assert (found.payment, found.cancelled_on) == ("cancelled", date(2025, 3, 4))
    assert (billed.payment, billed.cancelled_on) == ("", None)
    assert history(OrderStatus="C").cancelled_on is None


def test_lines_of_history_count_as_revised():
    """The revised quantity and last price count, or the first ones where those are blank; cancelled lines do not."""
    found = history(
        {
            "SequenceNo": "00000000000001",
            "ItemType": "1",
            "ItemCode": "A",
            "QuantityOrderedOriginal": 5,
            "QuantityOrderedRevised": 3,
            "OriginalUnitPrice": 10,
            "LastUnitPrice": 9,
            "LastExtensionAmt": 27,
        },
        {
            "SequenceNo": "00000000000002",
            "ItemType": "1",
            "ItemCode": "B",
            "QuantityOrderedOriginal": 2,
            "OriginalUnitPrice": 4,
            "LastExtensionAmt": 8,
        },
        {"SequenceNo": "00000000000003", "ItemType": "1", "ItemCode": "C", "CancelledLine": "Y"},
    )

    assert [(one.key, one.quantity, one.unit_price, one.amount) for one in found.lines] == [
        ("00000000000001", 3, 9, 27),
        ("00000000000002", 2, 4, 8),
    ]


def test_an_encrypted_document_names_nobody():
    """What is left of names and addresses there is unreadable too."""
    found = history(EncryptedVals="9F", EmailAddress="9f@abf.example", BillToName="x", BillToCity="y")

    assert (found.email, found.name, found.billing_address) == ("", "", Address())


# -- invoices -------------------------------------------------------------------------------------------------------


def shipped(**values):
    """A line of an invoice."""
    return {
        "DetailSeqNo": "000001",
        "ItemType": "1",
        "ItemCode": "A",
        "QuantityShipped": Decimal(2),
        "UnitPrice": Decimal(50),
        "ExtensionAmt": Decimal(100),
        **values,
    }


def test_an_invoice_is_read():
    """A number may come again, so the key has the sequence too; what is in history is posted."""
    found = invoice(
        shipped(),
        InvoiceDate="20250303",
        TaxableSalesAmt=Decimal(100),
        NonTaxableSalesAmt=Decimal(5),
        FreightAmt=Decimal(10),
        SalesTaxAmt=Decimal(8),
        DiscountAmt=Decimal(3),
        ARDivisionNo="01",
        CustomerNo="ABF",
    )

    assert (found.key, found.number, found.kind, found.final) == ("0100063/000000", "0100063", "invoice", True)
    assert found.total == Decimal(120)
    assert found.placed_on == date(2025, 3, 3)
    assert [(one.key, one.quantity, one.amount) for one in found.lines] == [("000001", 2, 100)]


@pytest.mark.parametrize(("kind", "final"), [("IN", True), ("DM", True), ("", True), ("FC", False), ("PP", False)])
def test_only_sales_count_as_invoices(kind, final):
    """Finance charges and prepayments are posted there too."""
    assert final == invoice(InvoiceType=kind).final


def test_a_credit_memo_corrects_an_invoice():
    """Its amounts become positive, and it names the invoice it is applied to."""
    found = invoice(
        shipped(QuantityShipped=Decimal(-2), ExtensionAmt=Decimal(-100)),
        InvoiceNo="0100070",
        InvoiceType="CM",
        ApplyToInvoiceNo="0100063",
        TaxableSalesAmt=Decimal(-100),
        SalesTaxAmt=Decimal(-8),
        DiscountAmt=Decimal(-5),
        FreightAmt=Decimal(-1),
    )

    assert (found.kind, found.corrects) == ("credit", "0100063/000000")
    assert (found.total, found.tax, found.discount, found.shipping) == (104, 8, 5, 1)
    assert [(one.quantity, one.amount) for one in found.lines] == [(2, 100)]


@pytest.mark.parametrize(
    ("applied_to", "sequence", "corrected"),
    [("", "000000", ""), ("0100063", "000001", "0100063/000000"), ("0100063", "000000", "0100063/000000")],
)
def test_what_a_memo_with_a_known_number_corrects(applied_to, sequence, corrected):
    """A memo that bears the number of its invoice came after it; one without an invoice corrects none."""
    assert corrected == invoice(InvoiceType="CM", ApplyToInvoiceNo=applied_to, HeaderSeqNo=sequence).corrects


def test_positive_credit_memos_stay_as_they_are():
    """Which sign a site's memos have is not established."""
    assert invoice(InvoiceType="CM", TaxableSalesAmt=Decimal(50)).total == 50
