"""The Sage 300 source against a fake site: windows, pages, releases, refusals, and checks with their cures."""

from __future__ import annotations

import base64
import logging
from datetime import UTC, date, datetime, timedelta

import attrs
import pytest

from mlconnector_sdk.cursors import Window
from mlconnector_sdk.errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    PermissionDeniedError,
    RateLimitError,
    TimeoutExceededError,
    UnavailableError,
)
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sage300 import Sage300
from mlconnector_sdk.testing import FakeClock
from tests.unit.sources._sage300 import asked, keys_of, records_of, site, source_of

NOON = datetime(2026, 3, 10, 20, tzinfo=UTC)
TODAY = date(2026, 3, 10)


@pytest.fixture
def clock():
    """The time at the site; the real one stands still."""
    return FakeClock(NOON)


@pytest.fixture
def erp(clock):
    """An empty company."""
    with site(clock=clock) as erp:
        yield erp


@pytest.fixture
def source(erp):
    """A source on it that asks for three rows at a time."""
    with source_of(erp, page_size=3) as source:
        yield source


def credentials_of(entry):
    """User and password as they were sent."""
    return base64.b64decode(entry.request.headers["authorization"].removeprefix("Basic ")).decode()


# -- signing in -----------------------------------------------------------------------------------------------------


def test_credentials_are_sent_in_upper_case(erp, source):
    """Every request carries them, with the content type without which the server fails."""
    source.present("customers")

    assert {"WEBAPI:SECRET1"} == {credentials_of(entry) for entry in erp.log}
    assert {"application/json"} == {entry.request.headers["content-type"] for entry in erp.log}


def test_sites_with_complex_passwords_keep_their_case(erp):
    """With the setting off the password goes as it is; a user ID has no lower case anyway."""
    erp.change_password("MixedCase1")
    with source_of(erp, password="MixedCase1", upper_case_credentials=False) as source:
        source.present("customers")

    assert {"WEBAPI:MixedCase1"} == {credentials_of(entry) for entry in erp.log}


def test_a_refused_password_is_tried_once(erp):
    """One request, whatever is asked afterwards, because a few failures lock the account."""
    with source_of(erp, password="wrong") as source:
        for _ in range(5):
            with pytest.raises(AuthenticationError, match="upper case") as refused:
                list(source.read("customers"))
        rows = list(source.check())

    assert 1 == len(erp.log)
    assert not erp.locked
    assert "sage300" == refused.value.system
    assert [False] == [row.ok for row in rows]
    assert "check user ID, password and company" in rows[0].cure


def test_secrets_stay_out_of_logs_and_reprs(erp, caplog):
    """Neither the password nor its encoded form is ever shown."""
    caplog.set_level(logging.DEBUG)
    with source_of(erp) as source:
        list(source.check())
        shown = [caplog.text, repr(source), repr(vars(source))]

    assert not [text for text in shown if "SECRET1" in text.upper() or "V0VCQVBJ" in text]


# -- windows --------------------------------------------------------------------------------------------------------


def test_the_present_is_the_sites_own_day(erp, clock):
    """The date at the server, in its zone; this machine's clock is not asked."""
    clock.advance(hours=7)
    with source_of(erp) as here, source_of(erp, timezone="Asia/Tokyo") as there:
        found = [source.present("customers") for source in (here, there)]

    assert [date(2026, 3, 10), date(2026, 3, 11)] == found


def test_the_present_of_orders_has_no_number(erp, source):
    """A document's number is bounded by nothing; where it is the only cursor there is no present at all."""
    assert (TODAY, None) == source.present("orders")
    with source_of(erp, orders="OEInvoices") as invoices:
        assert invoices.present("orders") is None
    with source_of(erp, cursor_fields={"customers": None}) as scanning:
        assert scanning.present("customers") is None


def test_a_window_finds_edits_of_its_first_day(erp, clock, source):
    """The lower bound is inclusive: what was edited later on the day of the mark is read again."""
    early, late, old = (erp.add_customer(name=name) for name in ("Early", "Late", "Old"))
    erp.edit("ARCustomers", old, stamp=False, DateLastMaintained=date(2026, 3, 9))
    clock.advance(hours=2)
    erp.edit("ARCustomers", late, CustomerName="Later")

    found = keys_of(source.read("customers", Window(lower=TODAY)))

    assert sorted([early, late]) == sorted(found)


def test_orders_are_found_by_date_and_by_number(erp, source):
    """An order saved with an old session date is new all the same; an old one that was saved again is found too."""
    customer = erp.add_customer()
    orders = [erp.add_order(customer, [("A", "Anchor", 1, 10)]) for _ in range(4)]
    for order in orders:
        erp.edit("OEOrders", order, stamp=False, LastPostingDate=date(2026, 2, 1))
    erp.edit("OEOrders", orders[0], OrderComment="Call first")

    found = keys_of(source.read("orders", Window(lower=(TODAY, orders[3]))))

    assert [str(orders[0]), str(orders[3])] == found


def test_quotes_and_their_like_are_no_orders(erp, source):
    """Only active orders are read, in lists and by key."""
    customer = erp.add_customer()
    active = erp.add_order(customer, [("A", "Anchor", 1, 10)])
    others = [erp.add_order(customer, type=kind) for kind in ("Quote", "Future", "Standing")]

    assert [str(active)] == keys_of(source.read("orders"))
    assert [str(active)] == keys_of(source.fetch("orders", [str(key) for key in (active, *others)]))


def test_rows_without_a_date_come_with_full_scans(erp, source):
    """A row that was imported and never maintained has no date to be found by."""
    customer = erp.add_customer()
    erp.edit("ARCustomers", customer, stamp=False, DateLastMaintained=None)

    assert [customer] == keys_of(source.read("customers"))
    assert [] == keys_of(source.read("customers", Window(lower=date(2026, 1, 1))))


def test_specs_say_what_is_read_and_how(erp):
    """Streams, resources, cursors and overlaps follow from the settings, without asking the server."""
    with source_of(
        erp,
        modules=["AR", "OE"],
        orders="OEInvoices",
        overlap=timedelta(days=5),
        number_overlap=7,
        full_scan_every=None,
        cursor_fields={"customers": None, "orders": ["InvoiceDate", "InvoiceUniquifier"]},
    ) as source:
        specs = source.streams

    assert ["customers", "orders"] == list(specs)
    assert (None, None) == (specs["customers"].cursor_field, specs["customers"].full_scan_every)
    assert ("OEInvoices", "InvoiceDate, InvoiceUniquifier", (timedelta(days=5), 7)) == (
        specs["orders"].entity,
        specs["orders"].cursor_field,
        specs["orders"].overlap,
    )
    assert [] == list(erp.log)


def test_other_cursors_are_asked_by(erp):
    """A site that trusts another date names it."""
    customer = erp.add_customer()
    key = erp.add_invoice(customer, [("A", "Anchor", 1, 10)], date=date(2026, 3, 8))
    with source_of(erp, orders="OEInvoices", cursor_fields={"orders": "InvoiceDate"}) as source:
        [invoice] = records_of(source.read("orders", Window(lower=date(2026, 3, 8)))).values()
        later = keys_of(source.read("orders", Window(lower=date(2026, 3, 9))))

    assert (str(key), date(2026, 3, 8)) == (invoice.key, invoice.modified_at)
    assert [] == later


# -- pages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("paging", ["skip", "key"])
@pytest.mark.parametrize("cap", [2, 3, 7, 100])
def test_every_row_is_read_whatever_the_server_gives(erp, paging, cap):
    """A page limit that nobody told is learned; rows come once, and links are not followed."""
    keys = sorted(erp.add_customer(name=f"C{number}") for number in range(17))
    erp.page_cap = cap
    with source_of(erp, page_size=5, paging=paging) as source:
        found = keys_of(source.read("customers"))
        again = keys_of(source.read("customers"))

    assert keys == found == again
    assert all("$select" in query for query in asked(erp, "ARCustomers"))


def test_a_full_page_is_not_the_end(erp):
    """Some servers link to nothing behind a page that has all that was asked for."""
    erp.link_after_top = False
    keys = sorted(erp.add_customer(name=f"C{number}") for number in range(9))
    with source_of(erp, page_size=3) as source:
        assert keys == keys_of(source.read("customers"))


@pytest.mark.parametrize("paging", ["skip", "key"])
def test_rows_that_vanish_meanwhile_hide_no_others(erp, paging):
    """A deletion before our place shifts the list; every row that stays is read."""
    keys = sorted(erp.add_customer(name=f"C{number}") for number in range(30))
    with source_of(erp, page_size=5, paging=paging) as source:
        pages = source.read("customers")
        found = keys_of([next(pages)])
        for gone in keys[:4]:
            erp.delete("ARCustomers", gone)
        found += keys_of(pages)

    assert set(keys) == set(found)


def test_a_server_of_single_rows_is_told(erp):
    """With one row in an answer nothing can be paged safely."""
    for _ in range(3):
        erp.add_customer()
    erp.page_cap = 1
    with source_of(erp) as source, pytest.raises(ContractError, match="PageSize"):
        list(source.read("customers"))


@pytest.mark.parametrize("paging", ["skip", "key"])
def test_a_hanging_server_is_asked_for_less(erp, paging, caplog):
    """After a time-out pages are halved, down to a size below which it cannot be the size."""
    keys = sorted(erp.add_customer(name=f"C{number}") for number in range(12))
    hang = erp.fail(path="ARCustomers", delay=0.9, times=1)
    settings = {"page_size": 25, "timeout": 0.6, "retry": RetryPolicy.immediate(1), "paging": paging}
    with source_of(erp, **settings) as source:
        assert keys == keys_of(source.read("customers"))
        assert "asking for 12 rows" in caplog.text
        hang.times = 2
        with pytest.raises(TimeoutExceededError):
            list(source.read("customers"))


def test_long_lists_of_keys_are_fetched_in_small_filters(erp, source):
    """Keys of any kind are asked for by filter, within what IIS and the OData library take."""
    erp.filter_node_limit = 100
    erp.page_cap = 4
    keys = sorted([*(erp.add_customer() for _ in range(40)), erp.add_customer("O'HARA/1%")])

    found = keys_of(source.fetch("customers", [*keys, "GONE", keys[0]]))

    assert keys == sorted(found)
    assert [] == keys_of(source.fetch("customers", []))


# -- ship-to locations ----------------------------------------------------------------------------------------------


def test_ship_to_locations_are_customers_by_setting(erp):
    """They come with their customer, are fetched by both keys, and can be read again from what was kept."""
    customer = erp.add_customer(name="Mart", on_hold=True)
    erp.add_ship_to(customer, "DOCK", email="dock@b.org", Description="Dock 4")
    with source_of(erp, ship_to=True) as source:
        found = records_of(source.read("customers"))
        dock = found[f"{customer}::DOCK"]

        assert {customer, dock.key} == found.keys()
        assert ("Dock 4", "dock@b.org", "on_hold") == (dock.name, dock.email, dock.status)
        assert {dock.key: dock} == records_of(source.fetch("customers", [dock.key, f"{customer}::GONE"]))
        assert found == records_of(source.fetch("customers", list(found)))
        assert dock == source.parse("customers", dock.raw)
    with source_of(erp) as source:
        assert [customer] == keys_of(source.read("customers"))


def test_a_location_is_read_when_it_or_its_customer_changed(erp):
    """A customer that becomes inactive takes its locations along; a location's own edit is found as well."""
    moved, quiet, edited, gone = (erp.add_customer(name=name) for name in ("Moved", "Quiet", "Edited", "Gone"))
    for customer in (moved, quiet, edited, gone):
        erp.add_ship_to(customer, "DOCK", email="dock@b.org")
        for entity, key in (("ARCustomers", customer), ("ARShipToLocations", (customer, "DOCK"))):
            erp.edit(entity, key, stamp=False, DateLastMaintained=date(2026, 1, 1))
    erp.edit("ARCustomers", moved, Status="Inactive")
    erp.edit("ARShipToLocations", (edited, "DOCK"), Email="new@b.org")
    erp.edit("ARShipToLocations", (gone, "DOCK"), Email="gone@b.org")
    erp.delete("ARCustomers", gone)
    with source_of(erp, ship_to=True) as source:
        found = records_of(source.read("customers", Window(lower=TODAY)))

    assert {moved: "inactive", f"{moved}::DOCK": "inactive", f"{edited}::DOCK": "active"} == {
        key: record.status for key, record in found.items()
    }


def test_remembered_customers_are_bounded(erp, monkeypatch):
    """A customer that was forgotten has its locations read twice, and nothing is lost."""
    monkeypatch.setattr("mlconnector_sdk.sources.sage300._source._REMEMBERED_CUSTOMERS", 1)
    customers = [erp.add_customer() for _ in range(3)]
    for customer in customers:
        erp.add_ship_to(customer, "DOCK")
    with source_of(erp, ship_to=True) as source:
        found = keys_of(source.read("customers", Window(lower=TODAY)))

    assert {*customers, *(f"{customer}::DOCK" for customer in customers)} == set(found)


# -- releases and sites ---------------------------------------------------------------------------------------------


def test_metadata_is_read_once_for_each_module(erp, source):
    """However often streams are read, a module's properties are asked for once."""
    for _ in range(3):
        for stream in source.streams:
            list(source.read(stream))

    assert ["AP", "AR", "MT", "OE"] == sorted(e.path.split("/")[-2] for e in erp.log if e.path.endswith("$metadata"))


def test_a_release_that_spells_otherwise_is_understood(erp, source):
    """Names are matched without regard to case, also in filters and for the consent flag."""
    erp.rename_property("MTContacts", "ConsentsToReceiveEmail", "ConsentstoReceiveEmail")
    erp.rename_property("MTContacts", "DateLastMaintained", "DatelastMaintained")
    erp.rename_property("MTContacts", "ContactCode", "Contactcode")
    contact = erp.add_contact(email="mary@b.org", consents=False)

    [found] = records_of(source.read("contacts", Window(lower=TODAY))).values()

    assert (contact, True, TODAY) == (found.key, found.opted_out, found.modified_at)
    assert [contact] == keys_of(source.fetch("contacts", [contact]))
    assert found == source.parse("contacts", found.raw)


def test_a_release_with_fewer_properties_is_read_all_the_same(erp, source):
    """What is merely pleasant to have is left out, and the check says so."""
    erp.hide_property("ARCustomers", "DateOfLastActivity")
    customer = erp.add_customer(email="a@b.org")

    assert [customer] == keys_of(source.read("customers"))
    [row] = [row for row in source.check() if row.what == "stream customers"]
    assert row.detail.endswith("without DateOfLastActivity")


@pytest.mark.parametrize(
    ("stream", "entity", "name", "advice"),
    [
        ("customers", "ARCustomers", "DateLastMaintained", "cursor_fields"),
        ("orders", "OEOrders", "LastPostingDate", "cursor_fields"),
        ("contacts", "MTContacts", "ConsentsToReceiveEmail", "consent_field"),
    ],
)
def test_a_release_without_what_is_needed_is_told(erp, source, stream, entity, name, advice):
    """A missing cursor or consent flag ends the reading at its start with the setting to use."""
    erp.hide_property(entity, name)

    with pytest.raises(ContractError, match=name) as refused:
        list(source.read(stream))

    assert advice in refused.value.message
    assert [] == asked(erp, entity)


def test_a_site_without_the_flag_can_say_so(erp):
    """With the consent flag switched off, contacts are read without one."""
    erp.hide_property("MTContacts", "ConsentsToReceiveEmail")
    erp.add_contact(email="mary@b.org")
    with source_of(erp, consent_field=None) as source:
        assert [False] == [contact.opted_out for contact in records_of(source.read("contacts")).values()]


def test_a_module_that_is_not_there_is_told(clock):
    """Without Multiple Contacts the stream fails with the setting that leaves it out, and then all is well."""
    with site(clock=clock, mt_module=False) as erp:
        with source_of(erp) as source, pytest.raises(ContractError, match="modules="):
            list(source.read("contacts"))
        with source_of(erp, modules=["ar", "AP", "OE"]) as source:
            source.attach(clock=clock)
            assert [] == [str(row) for row in source.check() if not row.ok]
            assert ["customers", "suppliers", "orders"] == list(source.streams)
            with pytest.raises(ConfigurationError, match="no stream 'contacts'"):
                list(source.read("contacts"))


def test_a_release_without_the_resource_is_told(erp, source):
    """A module may be there without the resource."""
    erp.drop("OEOrders")

    with pytest.raises(ContractError, match="OEOrders"):
        list(source.read("orders"))


def test_padded_and_odd_values_are_read(erp, source):
    """Texts padded to their column and dates without a zone make the same records."""
    customer = erp.add_customer(name="Harbor", email="a@b.org")
    erp.add_order(customer, [("A", "Anchor", 1, 10)])
    plain = {stream: records_of(source.read(stream)) for stream in ("customers", "orders")}
    erp.manner = attrs.evolve(erp.manner, padded=True, date_suffix="", empty_date="0001-01-01T00:00:00Z")

    odd = {stream: records_of(source.read(stream)) for stream in ("customers", "orders")}

    assert plain["orders"].keys() == odd["orders"].keys()
    for stream, records in plain.items():
        for key, record in records.items():
            assert record == attrs.evolve(odd[stream][key], email=odd[stream][key].email.strip())


def test_unreadable_rows_are_set_aside(erp, source):
    """One bad row hides no other; it keeps its key and date."""
    good, bad = erp.add_customer(), erp.add_customer()
    erp.customers[bad]["Email"] = 7

    [page] = source.read("customers")

    assert [good] == [record.key for record in page]
    [row] = page.unreadable
    assert (bad, "bad_type", TODAY) == (row.key, row.reason, row.modified_at)


def test_unreadable_locations_and_rows_without_a_key_are_set_aside(erp):
    """A location keeps both its keys; a row without any is still told."""
    customer = erp.add_customer()
    erp.add_ship_to(customer, "DOCK")
    erp.ship_to[customer, "DOCK"]["Email"] = 7
    erp.contacts["X"] = {"ContactCode": "", "Email": "a@b.org"}
    with source_of(erp, ship_to=True) as source:
        found = [
            row.key for stream in ("customers", "contacts") for page in source.read(stream) for row in page.unreadable
        ]

    assert [f"{customer}::DOCK", "unknown"] == found


# -- optional fields ------------------------------------------------------------------------------------------------


def test_an_optional_field_says_who_must_not_be_mailed(erp):
    """The field is found by its name; a customer without it said nothing."""
    plain, quiet, loud = (erp.add_customer(name=name) for name in ("Plain", "Quiet", "Loud"))
    for customer, value in ((quiet, True), (loud, False)):
        entry = {"OptionalField": "NOMAIL", "Value": str(int(value)), "YesNoValue": value}
        erp.customers[customer]["CustomerOptionalFieldValues"] = [{**entry, "CustomerOptionalFieldValueType": "YesNo"}]
    with source_of(erp, optout_field={"customers": "NOMAIL"}) as source:
        found = records_of(source.read("customers"))

    assert {plain: False, quiet: True, loud: False} == {key: record.opted_out for key, record in found.items()}


def test_further_fields_are_asked_for_and_kept(erp):
    """A partner's property and an optional field are found in the raw row; ship-to locations need not have them."""
    erp.add_property("ARCustomers", "LoyaltyTier")
    customer = erp.add_customer()
    erp.add_ship_to(customer, "DOCK")
    erp.customers[customer]["LoyaltyTier"] = "Gold"
    with source_of(erp, custom_fields={"customers": ["LoyaltyTier", "UPSZONE"]}, ship_to=True) as source:
        record = records_of(source.read("customers"))[customer]

    assert ("Gold", []) == (record.raw["LoyaltyTier"], record.raw["CustomerOptionalFieldValues"])


def test_a_misspelt_field_is_told(erp):
    """A name that is neither property nor optional field would opt nobody out."""
    with source_of(erp, optout_field="DoNotMail") as source, pytest.raises(ContractError, match="DoNotMail"):
        list(source.read("customers"))


# -- trouble --------------------------------------------------------------------------------------------------------


def test_day_end_is_waited_for(erp, source):
    """The module is asked again until it is free."""
    erp.add_order(erp.add_customer(), [("A", "Anchor", 1, 10)])
    waits = []
    source.attach(on_wait=lambda *arguments: waits.append(arguments[2].reason))
    erp.day_end(times=2)

    assert ["1"] == keys_of(source.read("orders"))
    assert ["day_end", "day_end"] == waits


def test_errors_in_plain_text_are_understood(erp, source):
    """The body is read as JSON whatever its media type says."""
    erp.error_content_type = "text/plain"
    erp.refuse("TooManyRequests", times=None)

    with pytest.raises(RateLimitError):
        list(source.read("customers"))


def test_pages_of_iis_are_waited_for(erp, source):
    """A stopped application pool answers 503 in HTML; a cut answer is asked for again."""
    erp.add_customer()
    erp.html_error(503, times=1)
    erp.fail(path="ARCustomers", truncate=20, times=1)

    assert 1 == len(keys_of(source.read("customers")))
    erp.html_error(503)
    with pytest.raises(UnavailableError):
        list(source.read("customers"))


def test_a_missing_right_is_told_with_its_module(erp, source):
    """Rights are given module by module, so the message names one."""
    erp.forbid("OE")

    with pytest.raises(PermissionDeniedError, match="no right to module OE"):
        list(source.read("orders"))
    assert [] == keys_of(source.read("customers"))


def test_what_is_no_list_is_told_with_its_place(erp, source):
    """Another API under the same address is named as such."""
    erp.fail(path="ARCustomers", status=200, body={"items": []})

    with pytest.raises(ContractError, match="sage300 GET AR/ARCustomers: expected a list"):
        list(source.read("customers"))
    erp.fail(path="MT/$metadata", status=200, body={"resources": []})
    with pytest.raises(ContractError, match=r"sage300 GET MT/\$metadata: the metadata is no XML"):
        list(source.read("contacts"))


def test_a_server_without_a_clock_is_told(erp, source):
    """A proxy that cuts the Date header leaves no present."""
    erp.fail(path="ARCustomers", status=200, body={"value": []}, headers={"Date": ""})

    with pytest.raises(ContractError, match="Date header"):
        source.present("customers")


# -- check ----------------------------------------------------------------------------------------------------------


def test_a_check_has_a_line_for_everything(erp, clock, source):
    """Address and sign-in, clock, and each stream with what tells its changes; nothing is asked twice."""
    source.attach(clock=clock)

    rows = list(source.check())

    assert [True] * 6 == [row.ok for row in rows]
    assert "OE/OEOrders, changes by LastPostingDate and OrderUniquifier" == rows[-1].detail
    assert "WEBAPI in company SAMLTD" == rows[0].detail


def test_a_check_goes_on_after_a_missing_right(erp, clock, source):
    """Each trouble has its line with its cure; clocks that differ are one."""
    source.attach(clock=FakeClock(NOON + timedelta(minutes=10)))
    erp.forbid("OE")
    erp.refuse("General", path="MT/MTContacts", times=None)

    rows = {row.what: row for row in source.check()}

    assert {"clock", "stream contacts", "stream orders"} == {what for what, row in rows.items() if not row.ok}
    assert rows["clock"].detail.startswith("the server is 600 s behind")
    assert "security group in OE" in rows["stream orders"].cure


def test_a_wrong_address_is_told(erp):
    """An application that is not there ends the check with what to look at."""
    with source_of(erp, base_url=f"{erp.url}/Elsewhere") as source:
        [row] = source.check()

    assert not row.ok
    assert "Web Screens" in row.cure


def test_an_unknown_company_is_told(erp):
    """The server says only that it cannot open a session."""
    with source_of(erp, company="OTHER") as source:
        [row] = source.check()

    assert "check the company's ID" in row.cure


def test_everything_each_time_is_said(erp, clock):
    """A stream without a cursor says so."""
    with source_of(erp, cursor_fields={"customers": None}, modules=["AR"]) as source:
        source.attach(clock=clock)
        *_, row = source.check()
        erp.add_customer()
        found = keys_of(source.read("customers", Window(lower=TODAY)))

    assert "AR/ARCustomers, everything each time" == row.detail
    assert 1 == len(found)


# -- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"orders": "Orders"}, "OEOrders"),
        ({"customer_email": "main"}, "customer_email"),
        ({"paging": "link"}, "paging"),
        ({"page_size": 1}, "page_size"),
        ({"timezone": "Atlantis"}, "IANA"),
        ({"timezone": "../etc"}, "IANA"),
        ({"modules": []}, "modules"),
        ({"modules": ["XX"]}, "modules"),
        ({"cursor_fields": {"clients": None}}, "clients"),
        ({"company": "TOOLONGID"}, "Org ID"),
        ({"company": "A/B"}, "Org ID"),
        ({"username": " "}, "username"),
        ({"base_url": "erp.example.com"}, "https"),
        ({"base_url": "https://user:pw@erp.example.com"}, "must not contain"),
        ({"optout_field": {"orders": "X"}}, "optout_field"),
        ({"custom_fields": {"customers": "X"}}, "custom_fields"),
    ],
)
def test_wrong_settings_are_refused_at_once(settings, message):
    """Nothing has to be sent to find a typing error."""
    given = {"base_url": "https://erp.example.com", "company": "SAMLTD", "username": "U", "password": "P", **settings}

    with pytest.raises(ConfigurationError, match=message):
        Sage300(given.pop("base_url"), **given)


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://erp.example.com", "https://erp.example.com/Sage300WebApi/v1.0/-/SAMLTD"),
        ("https://erp.example.com/", "https://erp.example.com/Sage300WebApi/v1.0/-/SAMLTD"),
        ("http://erp.example.com:8080/erp/api/", "http://erp.example.com:8080/erp/api/v1.0/-/SAMLTD"),
    ],
)
def test_a_bare_host_means_the_usual_application(base_url, expected):
    """A site may have published the Web API elsewhere; an Org ID is always upper case."""
    source = Sage300(base_url, " samltd ", username="U", password="P")

    assert f"<Sage300 {expected}>" == repr(source)


def test_the_tenant_is_a_setting(clock):
    """On-premise it is a dash; some sites have a name there."""
    with site(clock=clock, tenant="acme") as erp, source_of(erp, tenant="acme") as source:
        assert TODAY == source.present("customers")


def test_kept_invoices_are_read_by_a_source_of_orders(erp):
    """A dead letter may come from another setting of `orders`."""
    customer = erp.add_customer()
    erp.add_invoice(customer, [("A", "Anchor", 1, 10)])
    with source_of(erp, orders="OEInvoices") as source:
        [invoice] = records_of(source.read("orders")).values()
    with source_of(erp) as source:
        assert invoice == source.parse("orders", invoice.raw)
