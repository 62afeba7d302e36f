"""Rows and single records of the fake Acumatica: shape, versions, order and paging."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import httpx
import pytest

from mlconnector_sdk.testing.fakes._acumatica import FakeAcumatica
from tests.unit.testing._acumatica_site import LOGIN, Clock, ask, ids


@pytest.fixture
def clock():
    """A clock that stands still until moved."""
    return Clock()


@pytest.fixture
def erp(clock):
    """A fake with no records, on that clock."""
    with FakeAcumatica(clock=clock) as fake:
        yield fake


@pytest.fixture
def http(erp):
    """A client that has not signed in."""
    with httpx.Client(base_url=erp.base_url, verify=False) as client:
        yield client


@pytest.fixture
def signed_in(http):
    """A client with a cookie session."""
    assert 204 == http.post("/entity/auth/login", json=LOGIN).status_code
    return http


# -- rows ------------------------------------------------------------------------------------------------


def test_values_are_wrapped_and_empty_ones_are_bare_objects(erp, signed_in):
    """A value is `{"value": …}`, nothing is `{}`, and system keys are bare."""
    erp.add_customer("C1", name="Quill", BAccountID=7)
    row = ask(signed_in, "Customer").json()[0]
    assert ({"value": "C1"}, {"value": 7}, {}) == (row["CustomerID"], row["BAccountID"], row["TaxZone"])
    assert (1, {"value": ""}, {}) == (row["rowNumber"], row["note"], row["custom"])


def test_what_is_not_expanded_is_absent(erp, signed_in):
    """Linked and detail entities have no key at all unless expanded."""
    erp.add_customer("C1")
    assert not ask(signed_in, "Customer").json()[0].keys() & {"MainContact", "PrimaryContact", "Contacts"}
    main = ask(signed_in, "Customer", expand="MainContact").json()[0]["MainContact"]
    assert "Address" not in main
    assert main["note"] is None


def test_select_cuts_fields_and_needs_the_expand_for_nested_ones(erp, signed_in):
    """Only selected fields come, nested ones only with their parents expanded."""
    erp.add_customer("C1", email="a@harbor.com")
    query = {"select": "CustomerID,MainContact/Email"}
    assert {"id", "rowNumber", "note", "CustomerID", "custom"} == ask(signed_in, "Customer", **query).json()[0].keys()
    row = ask(signed_in, "Customer", expand="MainContact", **query).json()[0]
    assert {"value": "a@harbor.com"} == row["MainContact"]["Email"]
    assert "Phone1" not in row["MainContact"]


def test_an_expanded_collection_that_is_not_selected_is_an_empty_list(erp, signed_in):
    """With `$select`, an expanded collection nobody selected comes as `[]`."""
    erp.add_invoice("C1", [("A", "a", 1, 1)])
    answer = ask(signed_in, "SalesInvoice", select="ReferenceNbr", expand="Details")
    assert [] == answer.json()[0]["Details"]


def test_stamps_drop_trailing_zeros(erp, signed_in):
    """Fractions have no trailing zeros, whole seconds no fraction, and the offset is +00:00."""
    for key, micro in (("C1", 837_000), ("C2", 120_000), ("C3", 0)):
        erp.add_customer(key, LastModifiedDateTime=datetime(2024, 5, 19, 22, 50, 36, micro, tzinfo=UTC))
    rows = ask(signed_in, "Customer", select="LastModifiedDateTime").json()
    texts = [row["LastModifiedDateTime"]["value"] for row in rows]
    start = "2024-05-19T22:50:36"
    assert [f"{start}.837+00:00", f"{start}.12+00:00", f"{start}+00:00"] == texts


def test_business_dates_are_midnight(erp, signed_in):
    """A document date is the calendar day at midnight UTC."""
    erp.add_invoice("C1", date=date(2024, 5, 20))
    assert "2024-05-20T00:00:00+00:00" == ask(signed_in, "SalesInvoice").json()[0]["Date"]["value"]


@pytest.mark.parametrize(
    ("version", "present"),
    [("20.200.001", set()), ("22.200.001", {"NoteID"}), ("23.200.001", {"NoteID", "Email"})],
)
def test_fields_follow_the_version(erp, signed_in, version, present):
    """Each version shows the fields it had."""
    erp.add_customer("C1")
    assert present == ask(signed_in, "Customer", version).json()[0].keys() & {"NoteID", "Email"}


def test_older_sales_invoices_have_no_stamp_but_the_screen_does(erp, signed_in):
    """On 20.200.001 the invoice's stamp is reachable only as a screen field."""
    erp.add_invoice("C1", LastModifiedDateTime=datetime(2024, 5, 1, tzinfo=UTC))
    old = "20.200.001"
    assert 500 == ask(signed_in, "SalesInvoice", old, select="LastModifiedDateTime").status_code
    screen = "Document.LastModifiedDateTime"
    test = f"cf.DateTime(f='{screen}') gt datetimeoffset'2024-04-30T00:00:00Z'"
    row = ask(signed_in, "SalesInvoice", old, filter=test, custom=screen).json()[0]
    expected = {"type": "CustomDateTimeField", "value": "2024-05-01T00:00:00+00:00"}
    assert expected == row["custom"]["Document"]["LastModifiedDateTime"]


def test_a_sites_own_field_is_found_by_custom_filter_and_schema(erp, signed_in):
    """A custom field put on a record can be selected, filtered and is listed by $adHocSchema."""
    erp.add_customer("C1", custom={"CurrentCustomer": {"UsrNoMail": True}})
    erp.add_customer("C2")
    path = "CurrentCustomer.UsrNoMail"
    rows = ask(signed_in, "Customer", custom=path, filter=f"cf.Boolean(f='{path}') eq true").json()
    assert [{"CurrentCustomer": {"UsrNoMail": {"type": "CustomBooleanField", "value": True}}}] == [
        row["custom"] for row in rows
    ]
    schema = ask(signed_in, "Customer/$adHocSchema").json()
    assert {"CurrentCustomer": {"UsrNoMail": {"type": "CustomBooleanField"}}} == schema["custom"]


def test_rows_come_in_key_order_whatever_is_asked(erp, signed_in):
    """`$orderby` and unknown parameters are ignored; keys ascend without regard to case."""
    for key in ("b2", "A1", "C3"):
        erp.add_customer(key)
    assert ["A1", "b2", "C3"] == ids(ask(signed_in, "Customer", orderby="CustomerID desc", count="true"))


def test_skip_comes_before_top_and_there_is_no_default_page(erp, signed_in):
    """Paging skips first; without `$top` every row comes."""
    for number in range(1200):
        erp.add_customer(f"C{number:04d}")
    assert 1200 == len(ids(ask(signed_in, "Customer", select="CustomerID")))
    assert ["C1198", "C1199"] == ids(ask(signed_in, "Customer", select="CustomerID", skip=1198, top=5))


def test_a_row_edited_between_pages_moves_the_others(erp, signed_in):
    """There is no snapshot: a row that leaves the window shifts the next page."""
    old = datetime(2024, 1, 1, tzinfo=UTC)
    for key in ("C1", "C2", "C3"):
        erp.add_customer(key, LastModifiedDateTime=old)
    test = "LastModifiedDateTime le datetimeoffset'2024-02-01T00:00:00Z'"
    first = ids(ask(signed_in, "Customer", filter=test, top=1))
    erp.edit("Customer", "C1", Status="On Hold")
    assert (["C1"], ["C3"]) == (first, ids(ask(signed_in, "Customer", filter=test, top=1, skip=1)))


def test_changes_in_place_are_seen(erp, signed_in):
    """A record changed by hand, nested values included, is answered and filtered as it is now."""
    key = erp.add_customer("C1", email="old@harbor.com")
    test = "MainContact/Email eq 'new@harbor.com'"
    assert [] == ids(ask(signed_in, "Customer", filter=test))
    erp.customers[key]["MainContact"]["Email"] = "new@harbor.com"
    assert ["C1"] == ids(ask(signed_in, "Customer", filter=test))


# -- single records --------------------------------------------------------------------------------------


def test_records_are_found_by_key_guid_and_bar(erp, signed_in):
    """A record answers at its key, at its GUID, and with `|` between keys."""
    kind, number = erp.add_invoice("C1", type="Credit Memo", number="AR9")
    identity = erp.sales_invoices[kind, number]["id"]
    paths = ["SalesInvoice/Credit%20Memo/AR9", "SalesInvoice/Credit%20Memo%7CAR9", f"SalesInvoice/{identity}"]
    assert [identity] * 3 == [ask(signed_in, path).json()["id"] for path in paths]


def test_a_key_with_a_slash_needs_the_guid(erp, signed_in):
    """An encoded slash still splits the key; the GUID finds the record."""
    erp.put("StockItem", {"InventoryID": "PUMP/3-4"})
    assert 500 == ask(signed_in, f"StockItem/{quote('PUMP/3-4', safe='')}").status_code
    assert 200 == ask(signed_in, f"StockItem/{erp.stock_items['PUMP/3-4']['id']}").status_code


def test_a_missing_record_is_a_500(erp, signed_in):
    """There is no 404 for a record: NoEntitySatisfiesTheCondition."""
    erp.add_customer("C1")
    erp.delete("Customer", "C1")
    assert "NoEntitySatisfies" in ask(signed_in, "Customer/C1").json()["exceptionType"]


def test_links_are_from_the_host_root(erp, signed_in):
    """`_links` of a single record already hold the site folder."""
    erp.add_customer("C1")
    assert ask(signed_in, "Customer/C1").json()["_links"]["self"].startswith("/Acme/entity/Default/")


# -- stamps ----------------------------------------------------------------------------------------------


def test_an_edited_company_address_leaves_the_customers_stamp(erp, clock):
    """Editing the main contact does not move Customer.LastModifiedDateTime; editing the account does."""
    key = erp.add_customer(email="a@harbor.com")
    before = erp.customers[key]["LastModifiedDateTime"]
    clock.forward(days=1)
    erp.edit("Customer", key, **{"MainContact.Email": "b@harbor.com", "MainContact.Address.City": "Kirkland"})
    assert before == erp.customers[key]["LastModifiedDateTime"]
    assert "b@harbor.com" == erp.customers[key]["MainContact"]["Email"]
    erp.edit("Customer", key, Status="Inactive")
    assert before + timedelta(days=1) == erp.customers[key]["LastModifiedDateTime"]


def test_the_primary_contact_is_the_contact(erp, clock, signed_in):
    """Editing a customer's primary contact changes and stamps the contact, not the customer."""
    key = erp.add_customer()
    person = erp.add_contact(first="Mary", account=key, primary=True)
    clock.forward(minutes=9)
    erp.edit("Customer", key, **{"PrimaryContact.NoMassMail": True})
    test = "PrimaryContact/LastModifiedDateTime gt datetimeoffset'2024-06-01T12:05:00Z'"
    assert erp.contacts[person]["NoMassMail"]
    assert [key] == ids(ask(signed_in, "Customer", filter=test))
    assert [] == ids(ask(signed_in, "Customer", filter=test.removeprefix("PrimaryContact/")))


def test_an_edit_can_leave_the_stamp(erp, clock):
    """With `stamp=False` nothing but the value changes."""
    key = erp.add_customer()
    before = erp.customers[key]["LastModifiedDateTime"]
    clock.forward(days=1)
    erp.edit("Customer", key, stamp=False, Status="On Hold")
    assert (before, "On Hold") == (erp.customers[key]["LastModifiedDateTime"], erp.customers[key]["Status"])


def test_the_date_header_is_the_servers_clock(clock, http):
    """The `Date` header shows the fake's own clock, in whole seconds."""
    assert clock.now.replace(microsecond=0) == parsedate_to_datetime(http.get("/entity").headers["date"])


# -- invoices --------------------------------------------------------------------------------------------


def test_totals_follow_from_the_lines(erp):
    """The amount is lines less discount plus freight and tax, the balance zero once closed."""
    lines = [("A", "a", 2, "10.00"), (None, "Gift wrapping", "0.5", 4), ("A", "returned", -1, 10)]
    key = erp.add_invoice("C1", lines, discount="1.20", freight=5, tax="0.80", status="Closed")
    row = erp.sales_invoices[key]
    amounts = [row[name] for name in ("DetailTotal", "Amount", "Balance")]
    assert [Decimal("12.00"), Decimal("16.60"), 0] == amounts


def test_invoice_shows_posted_documents_under_its_own_names(erp, signed_in):
    """`Invoice` has the posted sales invoices with `Customer` and `TransactionDescription`, and no others."""
    key = erp.add_invoice("C1", [("A", "Pump", 2, 10)], email="ap@harbor.com")
    erp.add_invoice("C1", status="Balanced")
    erp.add_invoice("C1", type="Cash Sale")
    rows = ask(signed_in, "Invoice", expand="Details,BillToContact").json()
    line = rows[0]["Details"][0]
    assert [key[1]] == [row["ReferenceNbr"]["value"] for row in rows]
    assert ({"value": "C1"}, {"value": "Pump"}) == (rows[0]["Customer"], line["TransactionDescription"])
    assert {"value": "ap@harbor.com"} == rows[0]["BillToContact"]["Email"]
    assert "C1" == erp.invoices[key]["Customer"]


def test_a_line_carries_the_account_text_as_description(erp, signed_in):
    """`Details.Description` is the ledger account's text; the line's own text is `TransactionDescr`."""
    erp.add_invoice("C1", [("A", "Pump", 1, 1)])
    line = ask(signed_in, "SalesInvoice", expand="Details").json()[0]["Details"][0]
    assert ("Sales Revenue", "Pump") == (line["Description"]["value"], line["TransactionDescr"]["value"])


def test_the_top_level_bill_to_contact_is_always_empty(erp, signed_in):
    """On 24.200.001 the invoice's own BillToContact has no mapping; the address is under BillingSettings."""
    erp.add_invoice("C1", email="ap@harbor.com")
    expand = "BillToContact,BillingSettings,BillingSettings/BillToContact"
    row = ask(signed_in, "SalesInvoice", expand=expand).json()[0]
    assert "Email" not in row["BillToContact"]
    assert {"value": "ap@harbor.com"} == row["BillingSettings"]["BillToContact"]["Email"]
