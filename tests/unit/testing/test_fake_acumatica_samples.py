"""Made-up sites: the same for the same seed, and as messy as real ones."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given, strategies as st

from mlconnector_sdk.testing._people import companies
from mlconnector_sdk.testing.fakes._acumatica import FakeAcumatica


def test_the_same_seed_gives_the_same_site():
    """Two fakes with the same seed and `now` hold equal records; another seed gives others."""
    now = datetime(2024, 6, 1, tzinfo=UTC)
    sizes = {"customers": 40, "contacts": 50, "vendors": 5, "invoices": 30, "now": now}
    first, second, other = (FakeAcumatica(seed=seed, **sizes) for seed in (3, 3, 4))
    for name in ("customers", "contacts", "vendors", "sales_invoices", "stock_items"):
        assert getattr(first, name) == getattr(second, name)
    assert first.customers != other.customers


def test_made_up_sites_have_the_asked_sizes_and_past_stamps():
    """As many records as asked for, all stamped before `now`, creation never after the last change."""
    now = datetime(2024, 6, 1, tzinfo=UTC)
    fake = FakeAcumatica(customers=80, contacts=100, vendors=7, invoices=50, now=now)
    assert [80, 100, 7, 50] == [len(s) for s in (fake.customers, fake.contacts, fake.vendors, fake.sales_invoices)]
    rows = [*fake.customers.values(), *fake.contacts.values(), *fake.sales_invoices.values()]
    assert all(row["LastModifiedDateTime"] < now for row in rows)
    assert all(row["CreatedDateTime"] <= row["LastModifiedDateTime"] for row in fake.customers.values())


def test_made_up_sites_are_messy():
    """Some hundred records hold the troubles that real ones have."""
    fake = FakeAcumatica(customers=400, contacts=500, invoices=300)
    emails = [row["MainContact"].get("Email") for row in fake.customers.values()]
    lines = [line for row in fake.sales_invoices.values() for line in row["Details"]]
    statuses = {row["Status"] for row in fake.customers.values()}
    texts = [email for email in emails if email]
    names = "".join(row["CustomerName"] for row in fake.customers.values())
    shared = {row.get("Email") for row in fake.contacts.values()} & set(texts)
    assert {"Active", "On Hold", "Inactive", "One-Time"} <= statuses
    assert None in emails
    assert all(any(sign in email for email in texts) for sign in (";", ",", " "))
    assert any(email.isupper() for email in texts)
    assert any("@" not in email for email in texts)
    assert Counter(texts).most_common(1)[0][1] > 1
    assert shared
    assert all(letter in names for letter in ("'", "ü", "王", "会", "ة"))
    assert any(line["Qty"] < 0 for line in lines)
    assert any(line["Qty"] % 1 for line in lines)
    assert any(line["InventoryID"] is None for line in lines)
    assert any("/" in (line["InventoryID"] or "") for line in lines)
    assert {"Credit Memo", "Invoice"} <= {kind for kind, _ in fake.sales_invoices}
    assert {"Balanced", "Open", "Closed"} <= {row["Status"] for row in fake.sales_invoices.values()}
    assert any(row.get("NoMassMail") for row in fake.contacts.values())
    assert any("PostalCode" not in row["MainContact"]["Address"] for row in fake.customers.values())


@given(st.integers(0, 10_000))
def test_companies_are_numbered_and_repeatable(seed):
    """The sample makers give the same numbered companies for the same seed."""
    assert list(companies(5, seed=seed)) == list(companies(5, seed=seed))
    assert [1, 2, 3, 4, 5] == [company.number for company in companies(5, seed=seed)]
