"""What the Acumatica source reads, over HTTP."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from mlconnector_sdk.cursors import Window
from mlconnector_sdk.errors import ConfigurationError, ContractError, MappingError, PermissionDeniedError
from mlconnector_sdk.testing import FakeAcumatica, FakeClock
from tests.unit.sources._acumatica import VERSIONS, keys_of, records_of, source_of

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def clock():
    """The site's clock."""
    return FakeClock(START)


@pytest.fixture
def erp(clock):
    """An empty site."""
    with FakeAcumatica(clock=clock.now) as running:
        yield running


@pytest.fixture
def source(erp):
    """A source on the site."""
    with source_of(erp) as made:
        yield made


def filters(erp, entity):
    """The filters sent for an entity."""
    return [entry.request.query.get("$filter") for entry in erp.requests(path=f"/{entity}")]


def test_streams_are_told_without_asking(erp):
    """Streams, entities and cursors are known before anything is sent."""
    old = source_of(erp, version="22.200.001").streams
    new = source_of(erp, version="24.200.001", overlap=timedelta(minutes=9)).streams
    orders = source_of(erp, orders="SalesOrder", version=None).streams["orders"]

    assert ["Invoice", "SalesInvoice", "SalesOrder"] == [old["orders"].entity, new["orders"].entity, orders.entity]
    assert ["Customer", "Contact", "Vendor"] == [new[name].entity for name in ("customers", "contacts", "suppliers")]
    assert ["LastModifiedDateTime", "LastModified"] == [new["customers"].cursor_field, orders.cursor_field]
    assert {timedelta(minutes=9)} == {spec.overlap for spec in new.values()}
    assert {"customers", "suppliers"} == {name for name, spec in new.items() if spec.full_scan_every}
    assert not any(spec.ordered for spec in new.values())
    assert [] == erp.log


def test_present_is_the_site_s_time_less_the_lag(erp, clock):
    """The present comes from the site's clock, stays behind it by the lag, and moves with it."""
    with source_of(erp, commit_lag=timedelta(seconds=90)) as source:
        assert START - timedelta(seconds=90) == source.present("customers")
        clock.advance(hours=1)
        assert START + timedelta(hours=1) - timedelta(seconds=90) == source.present("orders")


def test_window_asks_for_one_field_and_no_upper_bound(erp, source):
    """A window is a filter on the change stamp alone, inclusive and in UTC."""
    lower = datetime(2026, 3, 1, 13, 0, 0, 250_000, tzinfo=UTC)

    list(source.read("customers", Window(lower=lower, upper=START)))
    list(source.read("orders", Window(lower=lower, upper=START)))
    list(source.read("suppliers"))

    expected = "LastModifiedDateTime ge datetimeoffset'2026-03-01T13:00:00.250Z'"
    assert [expected] == filters(erp, "Customer") == filters(erp, "SalesInvoice")
    assert [None] == filters(erp, "Vendor")


def test_window_of_another_source_is_refused(source):
    """A mark that is no time belongs to another source, and is not taken for a full scan."""
    with pytest.raises(ConfigurationError, match="int"):
        list(source.read("customers", Window(lower=5)))


def test_unknown_stream_is_named(source):
    """A wrong stream name gets the right ones."""
    with pytest.raises(ConfigurationError, match="customers, contacts, suppliers, orders"):
        list(source.read("clients"))


def test_window_reads_changes_only(erp, clock, source):
    """Of three customers the one changed since the bound is read; the bound itself is included."""
    erp.add_customer("C1")
    clock.advance(minutes=1)
    erp.add_customer("C2")
    clock.advance(minutes=1)
    erp.add_customer("C3")

    assert ["C2", "C3"] == keys_of(source.read("customers", Window(lower=START + timedelta(minutes=1))))


# -- rows that change while we page -----------------------------------------------------------------------------------


def striking_before(erp, entity, number, strike):
    """Let something happen on the site right before the nth request for an entity."""
    seen = Counter()

    def hook(request):
        if f"/{entity}" in request.path:
            seen[entity] += 1
            if seen[entity] == number:
                strike()

    erp.before_each.append(hook)


@pytest.mark.parametrize("page_size", [2, 3, 10])
def test_customers_deleted_between_pages_hide_no_other(erp, page_size):
    """Customers that vanish before the offset do not push others past it."""
    for number in range(30):
        erp.add_customer(f"C{number:03}")

    def delete():
        for number in range(7):
            erp.delete("Customer", f"C{number:03}")

    striking_before(erp, "Customer", 2, delete)
    with source_of(erp, page_size=page_size) as source:
        found = keys_of(source.read("customers"))

    assert {f"C{number:03}" for number in range(7, 30)} <= set(found)


def test_customers_added_and_changed_between_pages_come_as_they_are(erp, clock):
    """New rows double nothing, and a row met again after a change comes with its new values."""
    for number in range(12):
        erp.add_customer(f"C{number:03}", email="old@a.example")

    def change():
        clock.advance(minutes=1)
        for number in range(3):
            erp.add_customer(f"A{number:03}")
        erp.edit("Customer", "C003", CustomerName="New name")

    striking_before(erp, "Customer", 2, change)
    with source_of(erp, page_size=5) as source:
        pages = list(source.read("customers", Window(lower=START)))

    counts = Counter(keys_of(pages))
    assert {f"C{number:03}" for number in range(12)} <= set(counts)
    assert {"C003"} == {key for key, count in counts.items() if count > 1}
    assert "New name" == records_of(pages)["C003"].name


def test_rows_that_leave_a_window_s_list_hide_no_other(erp, clock):
    """A list that shrinks below the offset while it is read is read again from where it is known."""
    for number in range(20):
        erp.add_customer(f"C{number:03}")
    striking_before(erp, "Customer", 3, lambda: [erp.delete("Customer", f"C{n:03}") for n in range(16)])
    with source_of(erp, page_size=8) as source:
        found = keys_of(source.read("customers", Window(lower=START)))

    assert {f"C{number:03}" for number in range(16, 20)} <= set(found)


# -- changes of persons -----------------------------------------------------------------------------------------------


def test_change_of_a_person_brings_the_customer(erp, clock, source):
    """A person's new opt-out arrives although the account's own stamp did not move."""
    erp.add_customer("C1", email="office@a.example")
    erp.add_contact(100, email="mary@a.example", account="C1", primary=True)
    erp.add_customer("C2")
    clock.advance(hours=1)
    erp.edit("Contact", 100, DoNotEmail=True)

    found = records_of(source.read("customers", Window(lower=START + timedelta(minutes=30))))

    assert ["C1"] == list(found)
    assert found["C1"].opted_out
    assert START + timedelta(hours=1) == found["C1"].modified_at


def test_customer_already_read_is_not_fetched_for_its_person(erp, clock, source):
    """An account that the window gave already is not read again; a vendor's person brings no customer."""
    erp.add_customer("C1")
    erp.add_vendor("V1")
    erp.add_contact(100, account="C1", primary=True)
    erp.add_contact(101, account="V1")
    erp.add_contact(102)

    assert ["C1"] == keys_of(source.read("customers", Window(lower=START)))
    assert ["V1"] == keys_of(source.read("suppliers", Window(lower=START)))
    assert 2 == len(filters(erp, "Customer"))
    assert "CustomerID eq 'V1'" == filters(erp, "Customer")[1]


def test_full_scan_needs_no_persons(erp, source):
    """A scan of everything reads every account anyway."""
    erp.add_customer("C1")
    erp.add_contact(100, account="C1")

    list(source.read("customers"))

    assert [] == erp.requests(path="/Contact")


def test_without_crm_customers_are_read_all_the_same(erp, source, caplog):
    """Where persons cannot be read, the customers' changes are, and a warning says what is missing."""
    erp.add_customer("C1")
    erp.crm = False
    with caplog.at_level(logging.WARNING, "mlconnector_sdk"):
        assert ["C1"] == keys_of(source.read("customers", Window(lower=START)))

    assert "CR302000" in caplog.text
    with pytest.raises(PermissionDeniedError, match="Customer Management"):
        list(source.read("contacts"))


def test_missing_right_to_customers_is_an_error(erp, source):
    """A missing right to the stream's own entity ends the reading and names the form."""
    erp.forbid("Customer")

    with pytest.raises(PermissionDeniedError, match="AR303000"):
        list(source.read("customers", Window(lower=START)))


def test_right_lost_in_the_middle_is_an_error(erp, clock, source):
    """Only the missing right to persons is forgiven, not one to the accounts themselves."""
    erp.add_customer("C1")
    clock.advance(hours=1)
    erp.add_contact(100, account="C1")
    striking_before(erp, "Contact", 1, lambda: erp.forbid("Customer"))

    with pytest.raises(PermissionDeniedError, match="AR303000"):
        list(source.read("customers", Window(lower=START + timedelta(minutes=1))))


def test_forgotten_accounts_are_only_read_once_more(erp, source, monkeypatch):
    """The memory of accounts read is bounded; beyond it an account may come twice, and none is missed."""
    monkeypatch.setattr("mlconnector_sdk.sources.acumatica._source._REMEMBERED_ACCOUNTS", 1)
    for number in range(3):
        erp.add_customer(f"C{number}")
        erp.add_contact(100 + number, account=f"C{number}")

    found = Counter(keys_of(source.read("customers", Window(lower=START))))

    assert {"C0": 2, "C1": 2, "C2": 1} == found


# -- fetching by key --------------------------------------------------------------------------------------------------


def test_records_are_fetched_in_batches(erp, source):
    """Many keys, with apostrophes and other traps, take few requests; keys that are gone are absent."""
    keys = [f"C{number:04}" for number in range(120)] + ["O'HARA", "A B", "K&S#1", "50%", "ÄRZTE"]
    for key in keys:
        erp.add_customer(key)

    pages = list(source.fetch("customers", [*keys, "GONE", "", keys[0]]))

    assert sorted(keys) == sorted(keys_of(pages))
    requests = erp.requests(path="/Customer")
    assert len(requests) <= 8
    assert all(len(entry.request.raw_path.partition("?")[2]) < 2048 for entry in requests)


def test_documents_are_fetched_by_type_and_number(erp, source):
    """Of two documents with one number the asked type comes."""
    erp.add_customer("C1")
    erp.add_invoice("C1", [("X", "Brick", 1, 2)], number="AR1")
    erp.add_invoice("C1", [("X", "Brick", 1, 2)], number="AR1", type="Credit Memo")
    erp.add_invoice("C1", [("X", "Brick", 1, 2)], number="AR2")

    assert ["Credit Memo/AR1"] == keys_of(source.fetch("orders", ["Credit Memo/AR1", "Credit Memo/AR2", "nonsense"]))


def test_contacts_are_fetched_by_number(erp, source):
    """A key that cannot be a contact's is not sent, because a wrong literal fails the whole request."""
    erp.add_contact(100)

    assert ["100"] == keys_of(source.fetch("contacts", ["100", "101", "C1", "1 or 1 eq 1"]))
    assert ["ContactID eq 100 or ContactID eq 101"] == filters(erp, "Contact")
    assert [] == list(source.fetch("contacts", ["x"]))


# -- what a server cannot do ------------------------------------------------------------------------------------------


def test_fields_that_stop_the_optimiser_are_left_out(erp, caplog):
    """Fields we can do without are dropped from the list, said once, and not asked for again."""
    erp.add_customer("C1", MainContact={"Phone1": "555", "Address": {"City": "Hull"}})
    erp.cannot_optimize["Customer"] = ["MainContact/Address/City", "MainContact/Phone1"]
    with source_of(erp) as source, caplog.at_level(logging.WARNING, "mlconnector_sdk"):
        first = records_of(source.read("customers"))["C1"]
        list(source.read("customers"))
        list(source.fetch("customers", ["C1"]))
        check = next(row for row in source.check() if row.what == "stream customers")

    assert ("", "") == (first.phone, first.address.city)
    assert [500, 200, 200, 200, 200] == [entry.status for entry in erp.requests(path="/Customer")]
    assert "MainContact/Phone1" in caplog.text
    assert "without MainContact/Address/City, MainContact/Phone1" in check.detail


def test_needed_fields_that_stop_the_optimiser_are_read_by_key(erp):
    """When e-mail or consent cannot be listed, keys are listed and each record is read by its key, none lost."""
    for number in range(5):
        erp.add_customer(f"C{number}", email=f"c{number}@a.example")
    erp.add_customer("A/B C", email="slash@a.example")
    erp.add_contact(100, account="C1", primary=True, DoNotEmail=True)
    erp.cannot_optimize["Customer"] = ["PrimaryContact"]
    with source_of(erp, page_size=3) as source:
        found = records_of(source.read("customers"))
        fetched = records_of(source.fetch("customers", ["C1", "A/B C", "GONE"]))

    assert {f"C{number}" for number in range(5)} | {"A/B C"} == set(found)
    assert found["C1"].opted_out
    assert "slash@a.example" == fetched["A/B C"].email
    assert {"C1", "A/B C"} == set(fetched)
    failed = [entry.request.raw_path for entry in erp.requests(path="/Customer") if entry.status == 500]
    assert 1 == len(failed)


def test_record_that_vanishes_before_it_is_read_by_key_is_absent(erp):
    """A record deleted between the listing of keys and its own reading is no error."""
    erp.add_customer("C1")
    erp.add_customer("C2")
    erp.cannot_optimize["Customer"] = ["PrimaryContact"]
    striking_before(erp, "Customer", 3, lambda: erp.delete("Customer", "C1"))
    with source_of(erp) as source:
        assert ["C2"] == keys_of(source.read("customers"))


def test_list_that_cannot_have_its_keys_is_an_error(erp, source):
    """Where not even keys can be listed there is nothing left to try, and nothing is tried for ever."""
    erp.add_customer("C1")
    erp.cannot_optimize["Customer"] = ["CustomerID"]

    with pytest.raises(ContractError, match="CustomerID"):
        list(source.read("customers"))
    assert 2 == len(erp.requests(path="/Customer"))


def test_screen_field_the_site_lacks_is_given_up(erp, caplog):
    """The currency of an `Invoice` is a screen field of other sites' making; without it the rest is still read."""
    erp.add_customer("C1")
    erp.add_invoice("C1", [("X", "Brick", 1, 2)], number="AR1")
    failure = {
        "message": "An error has occurred.",
        "exceptionMessage": "The given key was not present in the dictionary.",
        "exceptionType": "System.Collections.Generic.KeyNotFoundException",
    }
    erp.fail_next(500, body=failure, path="/Invoice")
    with source_of(erp, orders="Invoice") as source, caplog.at_level(logging.WARNING, "mlconnector_sdk"):
        (order,) = records_of(source.read("orders")).values()

    assert ("", Decimal(2)) == (order.currency, order.total)
    assert "Document.CuryID" in caplog.text


def test_name_unknown_to_the_server_is_an_error(erp, source):
    """Where nothing can be given up, an unknown field ends the reading after one request."""
    failure = {
        "message": "An error has occurred.",
        "exceptionMessage": "The given key was not present in the dictionary.",
        "exceptionType": "System.Collections.Generic.KeyNotFoundException",
    }
    erp.fail(status=500, body=failure, path="/Customer")

    with pytest.raises(ContractError, match="does not exist in this version"):
        list(source.read("customers"))
    assert 1 == len(erp.requests(path="/Customer"))


def test_list_in_the_place_of_a_record_is_an_error(erp, source):
    """A by-key call that answers a list is a broken contract."""
    erp.add_customer("C1")
    erp.cannot_optimize["Customer"] = ["PrimaryContact"]
    erp.fail(status=200, body=[], headers={"Content-Type": "application/json"}, path="/Customer/C1")

    with pytest.raises(ContractError, match="one record"):
        list(source.read("customers"))


# -- a site's own fields ----------------------------------------------------------------------------------------------


def test_own_fields_are_read(erp):
    """An own opt-out field and further fields are asked for by name and found in the raw row."""
    erp.add_customer("C1", custom={"CurrentCustomer": {"UsrNoMail": True, "UsrRegion": "North"}})
    erp.add_customer("C2", TaxZone="EU", custom={"CurrentCustomer": {"UsrNoMail": False, "UsrRegion": None}})
    settings = {
        "optout_field": {"customers": "CurrentCustomer.UsrNoMail"},
        "custom_fields": {"customers": ["CurrentCustomer.UsrRegion", "TaxZone"]},
    }
    with source_of(erp, **settings) as source:
        found = records_of(source.read("customers"))

    assert [True, False] == [found[key].opted_out for key in ("C1", "C2")]
    assert "North" == found["C1"].raw["custom"]["CurrentCustomer"]["UsrRegion"]
    assert "EU" == found["C2"].raw["TaxZone"]


def test_own_field_that_does_not_exist_is_named(erp):
    """A misspelt own field is an error that names it, not a field that silently never opts anybody out."""
    erp.add_customer("C1")
    with (
        source_of(erp, optout_field="CurrentCustomer.UsrNoMial") as source,
        pytest.raises(ContractError, match="UsrNoMial"),
    ):
        list(source.read("customers"))


def test_own_function_decides_over_the_raw_row(erp):
    """A function over the raw row opts out, and a row it fails on is set aside."""
    erp.add_customer("C1", CustomerClass="NOMAIL")
    erp.add_customer("C2", CustomerClass="RETAIL")
    erp.add_customer("C3", CustomerClass=None)
    with source_of(erp, optout_field=lambda raw: raw["CustomerClass"] == "NOMAIL") as source:
        (page,) = source.read("customers")

    assert [("C1", True), ("C2", False)] == [(record.key, record.opted_out) for record in page]
    assert [("C3", "optout_field")] == [(row.key, row.reason) for row in page.unreadable]


def test_unreadable_row_is_set_aside_with_its_key(erp, source):
    """A row that cannot be read comes with key, reason, stamp and raw row; the others come as usual."""
    erp.add_customer("C1")
    erp.add_customer("C2")
    erp.keep_bodies = True
    erp.fail_next(
        200,
        body=[
            {"id": "1", "CustomerID": {"value": "C1"}, "Email": {"value": "a@b.c"}},
            {
                "id": "2",
                "CustomerID": {"value": "C2"},
                "Email": {"value": 5},
                "LastModifiedDateTime": {"value": "2026-03-01T12:00:00+00:00"},
            },
            {"id": "3", "LastModifiedDateTime": {"value": "yesterday"}},
        ],
        path="/Customer",
    )

    (page,) = source.read("customers")

    assert ["C1"] == [record.key for record in page]
    assert [("C2", "bad_type", START), ("3", "no_key", None)] == [
        (row.key, row.reason, row.modified_at) for row in page.unreadable
    ]
    assert {"id": "2", "CustomerID": "C2", "Email": 5} == {
        name: value for name, value in page.unreadable[0].raw.items() if name != "LastModifiedDateTime"
    }


@pytest.mark.parametrize("body", [{"value": []}, b"[1, 2", b"[not json]"])
def test_answer_that_is_no_list_is_an_error(erp, source, body):
    """A list call that answers something else is a broken contract or a broken connection, never an empty list."""
    erp.fail(status=200, body=body, headers={"Content-Type": "application/json"}, path="/Customer")

    with pytest.raises(Exception, match=r"expected a list|cut off|no JSON"):
        list(source.read("customers"))


# -- documents --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("entity", ["SalesInvoice", "Invoice", "SalesOrder"])
def test_orders_come_from_each_entity_in_each_version(erp, clock, version, entity):
    """A changed document is read from every entity that may feed orders, in every version, and its row reads again."""
    erp.add_customer("C1")
    erp.add_invoice("C1", [("X", "Old", 1, 2)], number="AR0")
    erp.put("SalesOrder", {"OrderType": "SO", "OrderNbr": "0", "CustomerID": "C1"})
    clock.advance(hours=1)
    lines = [{"LineNbr": 1, "InventoryID": "X", "LineDescription": "Brick", "OrderQty": 2, "UnitPrice": 3}]
    erp.add_invoice(
        "C1", [("X", "Brick", 2, 3)], number="AR1", email="b@a.example", date=date(2026, 2, 28), Currency="EUR"
    )
    erp.put(
        "SalesOrder",
        {
            "OrderType": "SO",
            "OrderNbr": "1",
            "CustomerID": "C1",
            "Date": date(2026, 2, 28),
            "CurrencyID": "EUR",
            "Details": lines,
            "BillToContact": {"Email": "b@a.example"},
        },
    )

    with source_of(erp, version=version, orders=entity) as source:
        (order,) = records_of(source.read("orders", Window(lower=START + timedelta(minutes=1)))).values()
        assert order == source.parse("orders", order.raw)

    assert ("SO/1" if entity == "SalesOrder" else "Invoice/AR1") == order.key
    assert ("C1", "b@a.example", date(2026, 2, 28), "EUR") == (
        order.customer_key,
        order.email,
        order.placed_on,
        order.currency,
    )
    assert ["Brick"] == [line.title for line in order.lines]
    assert START + timedelta(hours=1) == order.modified_at


def test_hidden_stamp_that_the_site_lacks_names_the_way_out(erp):
    """Where an old version's sales invoices cannot be filtered by change, the error names the other entity."""
    failure = {
        "message": "An error has occurred.",
        "exceptionMessage": "The given key was not present in the dictionary.",
        "exceptionType": "System.Collections.Generic.KeyNotFoundException",
    }
    erp.fail(status=500, body=failure, path="/SalesInvoice")
    with (
        source_of(erp, version="22.200.001", orders="SalesInvoice") as source,
        pytest.raises(ContractError, match="orders='Invoice'"),
    ):
        list(source.read("orders", Window(lower=START)))


def test_unparsable_kept_row_is_a_mapping_error(source):
    """A kept row that is no row says which field is missing."""
    with pytest.raises(MappingError, match="CustomerID"):
        source.parse("customers", {"something": "else"})


def test_requests_are_one_at_a_time(erp):
    """The server runs one call of a session after the other, so the source sends no two at once."""
    for number in range(20):
        erp.add_customer(f"C{number:03}")
    with source_of(erp, page_size=2) as source:
        list(source.read("customers"))

    assert 1 == erp.max_in_flight
    assert "<Acumatica http://127.0.0.1" in repr(source)


def test_logs_hold_no_personal_data(erp, caplog):
    """Whatever is logged at any level has neither names and addresses nor tokens and passwords."""
    erp.add_customer("C1", "Secretive Pumps", email="hidden@person.example")
    erp.cannot_optimize["Customer"] = ["PrimaryContact"]
    with caplog.at_level(logging.DEBUG), source_of(erp) as source:
        list(source.read("customers", Window(lower=START)))

    tokens = [entry.request.headers.get("authorization", "-")[7:] for entry in erp.requests(path="/Customer")]
    for private in ("Secretive", "hidden@", "correct horse", "s3cret", *tokens):
        assert private not in caplog.text
    assert caplog.records
