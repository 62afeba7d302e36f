"""The Sage 300 source: the promises of every source, each exchange held to the vendor's contract, and its samples."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import ClassVar

import pytest

from mlconnector_sdk._http import HttpReply
from mlconnector_sdk.cursors import Window
from mlconnector_sdk.errors import (
    AuthenticationError,
    ContractError,
    PermissionDeniedError,
    RateLimitError,
    RecordNotFoundError,
    UnavailableError,
)
from mlconnector_sdk.models import Address
from mlconnector_sdk.sources._odata import collection_in
from mlconnector_sdk.sources.sage300 import Sage300
from mlconnector_sdk.sources.sage300._api import Verdicts
from mlconnector_sdk.testing import SourceContract
from tests.contracts import _sage300_oracle as oracle
from tests.unit.sources._sage300 import records_of, site, source_of

NOW = datetime(2026, 3, 10, 20, tzinfo=UTC)

needs_specs = pytest.mark.skipif(
    oracle.spec_folder() is None, reason="the vendor contracts are not on this machine: set MLCONNECTOR_SPECS"
)


# -- the promises of every source -----------------------------------------------------------------------------------


class Sage300Contract(SourceContract):
    """One company for all promises; the clock of the machine, so that `check` finds it in order."""

    release: ClassVar[dict[str, object]] = {}
    settings: ClassVar[dict[str, object]] = {}

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _site(cls, request):
        with site(customers=30, contacts=20, vendors=6, orders=30, invoices=12, **cls.release) as erp:
            cls.erp = erp
            yield

    def make_source(self):
        return source_of(self.erp, page_size=7, **self.settings)


class TestOrders(Sage300Contract):
    pass


class TestInvoices(Sage300Contract):
    settings: ClassVar[dict[str, object]] = {"orders": "OEInvoices"}


class TestPagingByKey(Sage300Contract):
    settings: ClassVar[dict[str, object]] = {"paging": "key"}
    release: ClassVar[dict[str, object]] = {"page_cap": 3}


class TestShipTo(Sage300Contract):
    settings: ClassVar[dict[str, object]] = {"ship_to": True}


class TestOldRelease(Sage300Contract):
    """Passwords in upper case, and no Multiple Contacts yet."""

    streams = ("customers", "suppliers", "orders")
    settings: ClassVar[dict[str, object]] = {"modules": ("AR", "AP", "OE")}
    release: ClassVar[dict[str, object]] = {"version": "2018.0"}


# -- the vendor's contract ------------------------------------------------------------------------------------------


@needs_specs
@pytest.mark.parametrize("settings", [{}, {"orders": "OEInvoices"}, {"paging": "key"}, {"ship_to": True}])
def test_every_exchange_fits_the_contract(settings):
    """Full scans, windows, fetches and checks ask only what the vendor's documents say that one can ask."""
    with site(customers=12, contacts=8, vendors=4, orders=12, invoices=8, clock=lambda: NOW) as erp:
        erp.keep_bodies = True
        erp.filter_node_limit = 100
        customer = erp.add_customer("O'HARA&/1", email="o@hara.example")
        erp.add_ship_to(customer, "DOCK", email="dock@hara.example")
        erp.customers[customer]["CustomerOptionalFieldValues"] = [{"OptionalField": "NOMAIL", "Value": "1"}]
        with source_of(erp, page_size=5, optout_field={"customers": "NOMAIL"}, **settings) as source:
            everything(source)
        erp.forbid("OE")
        with source_of(erp, **settings) as source:
            list(source.check())

    assert len(erp.log) > 30
    for entry in erp.log:
        request = entry.request
        oracle.check_exchange(request.method, request.raw_path, request.body, entry.status, entry.response_body)


def everything(source):
    """Use every way to ask."""
    list(source.check())
    for stream in source.streams:
        present = source.present(stream)
        found = records_of(source.read(stream))
        assert found
        stamps = [record.modified_at for record in found.values() if record.modified_at is not None]
        list(source.read(stream, Window(lower=min(stamps), upper=present)))
        list(source.fetch(stream, [*found, "gone"]))


# -- the vendor's samples -------------------------------------------------------------------------------------------


def sample(name):
    """A recorded or documented answer."""
    return (oracle.spec_folder() / "fixtures" / name).read_bytes()


def rows_of(name):
    """The rows of a recorded list."""
    return collection_in(HttpReply(status=200, headers={}, body=sample(name))).rows


def reader(**settings):
    """A source that is only asked to read kept rows."""
    return Sage300("https://erp.example.com", "SAMLTD", username="U", password="P", **settings)


@needs_specs
def test_sample_customers_become_customers():
    """Status, hold, several addresses and dates come out as the samples mean them."""
    rows = [*rows_of("arcustomers_page.json"), *rows_of("arcustomers_last_page.json")]

    found = [reader().parse("customers", row) for row in rows]

    assert [
        ("1100", "active", "office@inventedmart.example", "USD", date(2024, 5, 6)),
        ("1105", "on_hold", "", "USD", date(2024, 5, 7)),
        ("BARINV", "inactive", "sales@madeup.example; accounts@madeup.example", "CAD", date(2024, 5, 7)),
    ] == [(one.key, one.status, one.email, one.currency, one.modified_at) for one in found]
    assert (
        Address(line1="12 Invented Road", city="Los Angeles", region="CA", postal_code="90001", country="USA")
        == found[0].address
    )
    assert {date(2024, 5, 2)} == {one.last_activity for one in found}


@needs_specs
def test_a_sample_entry_is_read_like_a_row():
    """The optional field of the sample customer can be an opt-out, which needs a clear no to be none."""
    row = json.loads(sample("arcustomer_entry.json"), parse_float=Decimal)

    assert not reader().parse("customers", row).opted_out
    assert reader(optout_field="UPSZONE").parse("customers", row).opted_out


@needs_specs
def test_sample_pages_say_whether_there_are_more():
    """The link says that the list goes on; the last and the empty page have none."""
    pages = [
        collection_in(HttpReply(status=200, headers={}, body=sample(name)))
        for name in ("arcustomers_page.json", "arcustomers_last_page.json", "arcustomers_empty.json")
    ]

    assert [(2, 3, True), (1, 3, False), (0, 0, False)] == [(len(p.rows), p.count, p.has_more) for p in pages]


@needs_specs
def test_sample_orders_become_orders():
    """The order counts, the quote does not; the charge is a piece without an item."""
    order, quote = (reader().parse("orders", row) for row in rows_of("oeorders_page.json"))

    assert ("1793", "ORD000000000231", True, (date(2024, 5, 7), 1793)) == (
        order.key,
        order.number,
        order.final,
        order.modified_at,
    )
    assert (Decimal("120.25"), "USD", date(2024, 5, 6), "office@inventedmart.example") == (
        order.total,
        order.currency,
        order.placed_on,
        order.email,
    )
    assert [("A1-105/0", 8, Decimal("12.5"), Decimal(100)), ("", 1, Decimal("20.25"), Decimal("20.25"))] == [
        (line.product_key, line.quantity, line.unit_price, line.amount) for line in order.lines
    ]
    assert ("1794", False) == (quote.key, quote.final)


@needs_specs
def test_a_sample_contact_becomes_a_contact():
    """The consent of the sample person is a yes."""
    [pat] = (reader().parse("contacts", row) for row in rows_of("mtcontacts_page_names_inferred.json"))

    assert ("PATINV", "Pat", "Invented", "Buyer", False, date(2024, 5, 6)) == (
        pat.key,
        pat.first_name,
        pat.last_name,
        pat.job_title,
        pat.opted_out,
        pat.modified_at,
    )


@needs_specs
def test_recorded_invoices_are_read_as_far_as_they_go():
    """The one recorded list was asked for four fields without the key; with one each row is an invoice."""
    rows = rows_of("oeinvoices_select_page.json")

    found = [reader().parse("orders", {"InvoiceUniquifier": n, **row}) for n, row in enumerate(rows, 1)]

    assert [
        ("IN000063", "1100", date(2024, 5, 8)),
        ("IN000065", "1105", date(2024, 5, 8)),
        ("IN000064", "BARINV", date(2024, 5, 3)),
    ] == [(one.number, one.customer_key, one.placed_on) for one in found]


@needs_specs
@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("error_unauthorized_401.json", AuthenticationError, "bad_credentials"),
        ("error_forbidden_403.json", PermissionDeniedError, "no_right"),
        ("error_too_many_requests_429.json", RateLimitError, "rate_limited"),
        ("error_invalid_parameters_400.json", ContractError, "bad_request"),
        ("error_odata_library_shape_400.json", ContractError, "no_property"),
        ("error_record_not_found_404.json", RecordNotFoundError, "not_found"),
        ("error_day_end_409.json", UnavailableError, "day_end"),
        ("error_record_duplicate_409.json", UnavailableError, "busy"),
        ("error_iis_503.html", UnavailableError, "unavailable"),
    ],
)
@pytest.mark.parametrize("media", ["application/json", "text/plain", "text/html"])
def test_sample_errors_are_understood(name, kind, reason, media):
    """Each sample has its meaning, whatever media type it comes with."""
    status = int(name.rpartition("_")[2].partition(".")[0])
    reply = HttpReply(status=status, headers={"content-type": media}, body=sample(name))

    error = Verdicts().judge(reply, "GET OE/OEOrders")

    assert (kind, reason) == (type(error), error.reason)
