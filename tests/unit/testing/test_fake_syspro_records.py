"""The records of a fake SYSPRO: stores, keys, posting, journals, and made-up companies."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import httpx
import pytest

from mlconnector_sdk.testing import FakeClock
from mlconnector_sdk.testing.fakes._syspro import FakeSyspro

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STORES = ("customers", "contacts", "suppliers", "invoices", "orders")


@pytest.fixture(name="erp")
def _erp():
    return FakeSyspro(clock=FakeClock(NOW))


def test_codes_of_digits_are_padded(erp):
    """Numeric codes are stored with zeros to 15 and may be named without; others stay as they are."""
    assert "000000000000413" == erp.add_customer("413")
    assert "CASH1" == erp.add_customer("CASH1")
    assert "000000000000001" == erp.add_customer()
    erp.edit("ArCustomer", "413", Name="Harbour")
    erp.add_address("413", "WH1", ShipToName="Depot")
    erp.delete("ArMultAddress", ("413", "WH1"))

    assert "Harbour" == erp.customers["000000000000413"]["Name"]
    assert {} == erp.table("ArMultAddress")
    with pytest.raises(KeyError):
        erp.edit("ArCustomer", "999", Name="x")


def test_new_numbers_pass_over_taken_ones(erp):
    """A number that somebody chose is not given out again."""
    erp.add_customer("2")

    assert ["000000000000001", "000000000000003"] == [erp.add_customer(), erp.add_customer()]


def test_texts_are_kept_as_the_database_can(erp):
    """Columns hold code page 1252 and are cut to their length."""
    key = erp.add_customer(name="株式会社 Łódź" + "x" * 60, email="a@b.org")

    assert f"???? ?ód?{'x' * 41}" == erp.customers[key]["Name"]


def test_days_and_numbers_are_kept_by_their_type(erp):
    """Dates may be given as text, date or instant, numbers as anything; what does not fit stays."""
    key = erp.add_customer(DateLastSale=NOW, DateLastPay="2024-01-31T00:00:00", CreditLimit=12.5)
    row = erp.customers[key]

    assert (date(2026, 3, 1), date(2024, 1, 31)) == (row["DateLastSale"], row["DateLastPay"])
    assert Decimal("12.5") == row["CreditLimit"]
    erp.edit("ArCustomer", key, DateLastSale="soon")
    assert "soon" == row["DateLastSale"]


def test_every_change_in_place_moves_the_version(erp):
    """Rows and stores may be changed like any dictionary; each change of a row is a new rowversion."""
    row = erp.customers[erp.add_customer("1")]
    versions = [row.version]
    for change in (
        lambda: row.update(Name="B"),
        lambda: row.__setitem__("Name", "C"),
        lambda: row.setdefault("Fax", "1"),
        lambda: row.pop("Fax"),
        lambda: row.__delitem__("Currency"),
        lambda: row.__ior__({"Email": "a@b.org"}),
        row.clear,
    ):
        change()
        versions.append(row.version)
    assert sorted(set(versions)) == versions
    assert "" == row.setdefault("Email", "") == row.setdefault("Email", "x")
    erp.customers["X"] = {"Customer": "X", "DateLastSale": "2024-01-31"}
    assert date(2024, 1, 31) == erp.customers["X"]["DateLastSale"]
    assert "X" == erp.customers.pop("X")["Customer"]
    del erp.customers["000000000000001"]
    erp.suppliers.clear()
    assert {} == erp.customers


def test_there_is_no_table_that_is_not_known(erp):
    """A table nobody knows cannot be filled."""
    with pytest.raises(KeyError):
        erp.table("ArContact")
    with pytest.raises(KeyError, match="keeps no ArTrnDetail"):
        erp._base.put("ArTrnDetail", {})


def test_an_invoice_is_posted_in_two_currencies(erp):
    """Header and lines hold the document's currency and the company's own, freight and tax included."""
    key = erp.add_invoice(
        "413",
        [("B100", "Bike", 2, "100.00"), (None, "Wrapping", 1, "4.50"), {"StockCode": "X", "PostValue": Decimal(1)}],
        currency="EUR",
        rate="1.10",
        tax="10",
        freight="5",
        date=date(2024, 5, 30),
        SalesOrder="77",
    )
    head = erp.invoices[key]
    lines = head["Lines"]

    assert ("000000000000413", "000000000100001", "I") == key
    assert Decimal("220.50") == head["CurrencyValue"]
    assert ["B100", None, "X", None] == [line.get("StockCode") for line in lines]
    assert ["1", "5", None, "4"] == [line.get("LineType") for line in lines]
    assert [Decimal("220.00"), Decimal("4.95"), None, Decimal("5.50")] == [line.get("NetSalesValue") for line in lines]
    assert [Decimal("11.00"), None, None, None] == [line.get("TaxValue") for line in lines]
    assert {("000000000000077", 2024, 5)} == {(n["SalesOrder"], n["TrnYear"], n["TrnMonth"]) for n in lines}
    assert "Bike" == erp.table("InvMaster")["B100"]["Description"]


def test_a_credit_note_is_negative(erp):
    """Quantities and values of a credit note have the other sign."""
    key = erp.add_invoice("413", [("B100", "Bike", 2, 100)], type="C", number="9", tax=3)
    head = erp.invoices[key]

    assert ("000000000000009", "C") == key[1:]
    assert Decimal(-203) == head["CurrencyValue"]
    assert (Decimal(-2), Decimal(-200)) == (head["Lines"][0]["QtyInvoiced"], head["Lines"][0]["NetSalesValue"])
    assert [] == erp.invoices[erp.add_invoice("413")]["Lines"]


def test_a_purged_invoice_leaves_its_lines(erp):
    """What is off the ledger stands in the register still."""
    key = erp.add_invoice("413", [("B100", "Bike", 1, 100)])
    erp.purge_invoice(key)
    with erp, httpx.Client(auth=("SYNC", "odata secret"), base_url=erp.odata_root) as http:
        headers, lines = (http.get(f"/{name}").json()["value"] for name in ("ArInvoice", "ArTrnDetail"))

    assert [] == headers
    assert ["B100"] == [line["StockCode"] for line in lines]


def test_lines_can_be_changed_with_their_document(erp):
    """New lines given to an edit are the rows of the detail table."""
    number = erp.add_order("413", [("B100", "Bike", 1, 100), ("B100", "Bike", 2, 100)])
    erp.edit("SorMaster", number, Lines=erp.orders[number]["Lines"][:1], OrderStatus="9")
    with erp, httpx.Client(auth=("SYNC", "odata secret"), base_url=erp.odata_root) as http:
        lines = http.get("/SorDetail").json()["value"]

    assert [("000000000000001", 1)] == [(line["SalesOrder"], line["SalesOrderLine"]) for line in lines]


def test_a_contact_is_stamped(erp):
    """An edit of a contact sets the day of its last change."""
    key = erp.add_contact(email="jo@anvil.com", LastChangedDate="2020-01-01")
    erp.edit("Contact", key, DoNotEmail="Y")

    assert date(2026, 3, 1) == erp.contacts[key]["LastChangedDate"]


def test_a_supplier_has_its_address_beside_it(erp):
    """Columns of the address table go there."""
    key = erp.add_supplier("7", name="Quill", email="a@b.org", OnHold="Y", SupAddr1="1 High Street")

    assert ("Y", "1 High Street") == (erp.suppliers[key]["OnHold"], erp.table("ApSupplierAddr")[key]["SupAddr1"])


def test_the_journal_tells_what_was_done_to_customers():
    """Additions, changes and deletions of customers are noted with day, time and value; others are not."""
    with FakeSyspro(journal=True, clock=FakeClock(NOW)) as fake:
        key = fake.add_customer("1", name="A")
        fake.edit("ArCustomer", key, Name="B")
        fake.edit("ArCustomer", key, Name="B")
        fake.customers[key]["Name"] = "C"
        fake.edit("ApSupplier", fake.add_supplier(), SupplierName="B")
        fake.delete("ArCustomer", key)
        rows = list(fake.table("ArAmendmentJnl").values())

    assert ["A", "C", "X"] == [row["ChangeFlag"] for row in rows]
    assert ("Name", "A", "B") == tuple(rows[1][name] for name in ("ColumnName", "Before", "After"))
    assert (date(2026, 3, 1), 12_000_000) == (rows[1]["JnlDate"], rows[1]["JnlTime"])


# -- made-up companies ------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_company():
    """Two fakes with the same seed and `now` hold equal records; another seed gives others."""
    sizes = {"customers": 40, "contacts": 30, "suppliers": 5, "invoices": 30, "orders": 20, "now": NOW}
    first, second, other = (FakeSyspro(seed=seed, **sizes) for seed in (3, 3, 4))

    assert all(getattr(first, name) == getattr(second, name) for name in STORES)
    assert all(getattr(first, name) != getattr(other, name) for name in STORES)


def test_made_up_companies_have_the_asked_sizes_and_past_days():
    """As many records as asked for, all days before `now`, no sale before a customer was added."""
    fake = FakeSyspro(customers=80, contacts=60, suppliers=7, invoices=50, orders=40, now=NOW)

    assert [80, 60, 7, 50, 40] == [len(getattr(fake, name)) for name in STORES]
    assert all(row["DateCustAdded"] < NOW.date() for row in fake.customers.values())
    assert all(row["InvoiceDate"] < NOW.date() for row in fake.invoices.values())
    assert all(
        row["DateCustAdded"] <= row["DateLastSale"] for row in fake.customers.values() if row.get("DateLastSale")
    )
    assert all(row.changed_at < NOW for row in fake.customers.values())


def test_made_up_companies_can_be_of_one_kind():
    """Without customers there are no documents, and contacts belong to nobody."""
    fake = FakeSyspro(contacts=5, suppliers=2, invoices=5, orders=5)

    assert [0, 5, 2, 0, 0] == [len(getattr(fake, name)) for name in STORES]
    assert {""} == {row["Customer"] for row in fake.contacts.values()}


def test_made_up_companies_are_messy():
    """Some hundred records hold the troubles that real ones have."""
    fake = FakeSyspro(customers=400, contacts=300, suppliers=40, invoices=300, orders=200)
    customers, contacts = fake.customers.values(), fake.contacts.values()
    texts = [row["Email"] for row in customers if row.get("Email")]
    lines = [line for row in fake.invoices.values() for line in row["Lines"]]
    names = "".join(row["Name"] for row in customers)

    assert {"N", "Y", None} == {row.get("CustomerOnHold") for row in customers}
    assert {"0", "1", "3", "9"} <= {row["CreditStatus"] for row in customers}
    assert len(texts) < len(customers)
    assert all(any(sign in text for text in texts) for sign in (";", ",", " "))
    assert any("@" not in text for text in texts)
    assert Counter(texts).most_common(1)[0][1] > 1
    assert all(letter in names for letter in ("'", "ü", "?"))
    assert any(key.startswith("CASH") for key in fake.customers)
    assert {"I", "C", "D"} == {kind for _, _, kind in fake.invoices}
    assert {"USD", "EUR"} == {row["PostCurrency"] for row in fake.invoices.values()}
    assert {"1", "4", "5"} == {line["LineType"] for line in lines}
    assert any(line["QtyInvoiced"] % 1 for line in lines)
    assert {"1", "9", "\\", "*", "S"} <= {row["OrderStatus"] for row in fake.orders.values()}
    assert {"Y", "N"} == {row["InterWhSale"] for row in fake.orders.values()}
    assert {"Y", "N"} == {row["DoNotBulkEmail"] for row in contacts}
    assert any(row["MoreEmails"] for row in contacts)
    assert fake.table("ArMultAddress")
    assert {"Y", "N", None} == {row.get("OnHold") for row in fake.suppliers.values()}
