"""SYSPRO as a source: moving and capped tables, settings of a site, what is left out, and what `check` says."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from mlconnector_sdk.cursors import Window
from mlconnector_sdk.errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    PermissionDeniedError,
    RateLimitError,
    ServerFaultError,
    UnavailableError,
)
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.syspro import ContactManagement, ContactView, SysproENet
from mlconnector_sdk.testing import FakeClock, FakeSyspro
from tests.unit.sources._syspro import APIS, api_of, close_all, contacts_of, read, source_of, unreadable_in

NOW = datetime(2026, 3, 10, 20, tzinfo=UTC)


@pytest.fixture(autouse=True)
def closing():
    """No test has to close its sources."""
    yield
    close_all()


@pytest.fixture
def erp(closing):
    """An empty company."""
    with FakeSyspro(clock=lambda: NOW) as erp:
        yield erp


@pytest.fixture(params=APIS)
def api(request):
    """Each API."""
    return request.param


def cap(erp, rows):
    """Let no answer have more rows than this, silently."""
    erp.odata.page_cap = erp.enet.row_cap = rows


# Tables that move, and servers that cut


def test_rows_that_come_and_go_between_pages(erp, api):
    """Customers changed, added and deleted between two pages, the last one of a page too: what stays is read once."""
    keys = [erp.add_customer(email=f"c{number}@harbor.example") for number in range(20)]
    pages = source_of(erp, api, page_size=6).read("customers")
    seen = [record.key for record in next(pages)]

    erp.delete("ArCustomer", keys[5])
    erp.delete("ArCustomer", keys[9])
    erp.edit("ArCustomer", keys[0], Name="Changed behind our back")
    late = erp.add_customer("ZZZ", email="late@harbor.example")
    seen += [record.key for page in pages for record in page]

    assert seen == [key for key in [*keys, late] if key != keys[9]]


@pytest.mark.parametrize("orders", ["invoices", "sales_orders"])
def test_answers_cut_by_the_server_lose_nothing(erp, api, orders):
    """Documents come whole although an answer has fewer rows than they have lines, and than we asked for."""
    customer = erp.add_customer()
    for number in range(7):
        lines = [(f"ITEM{line}", "Thing", 1, 10) for line in range(number + 1)]
        erp.add_invoice(customer, lines)
        erp.add_order(customer, lines)
    cap(erp, 3)

    source = source_of(erp, api, orders=orders)
    found = read(source, "orders")
    fetched = {record.key: record for page in source.fetch("orders", list(found)) for record in page}

    assert [1, 2, 3, 4, 5, 6, 7] == [len(order.lines) for order in found.values()]
    assert [Decimal(10 * count) for count in range(1, 8)] == [order.total for order in found.values()]
    assert fetched == found


def test_an_invoice_that_lasts_over_several_pages_is_one_invoice(erp, api):
    """Lines of one document in three registers and more pages than one make one order."""
    customer = erp.add_customer()
    _, number, kind = erp.add_invoice(customer, [("A", "Anchor", 1, 5)] * 11)
    lines = erp.invoices[customer, number, kind]["Lines"]
    for place, line in enumerate(lines):
        line["Register"] = 1 + place % 3
    erp.add_invoice(customer, [("B", "Buoy", 1, 7)])

    found = read(source_of(erp, api, page_size=2), "orders")

    assert [Decimal(55), Decimal(7)] == [order.total for order in found.values()]


def test_a_line_that_vanishes_while_its_invoice_is_read_does_not_hold_us_up(erp):
    """When the row a page ended with is gone, the reading goes on behind its key."""
    customer = erp.add_customer()
    _, number, kind = erp.add_invoice(customer, [("A", "Anchor", 1, 5)] * 4)
    erp.add_invoice(customer, [("B", "Buoy", 1, 7)])
    seen = []

    def meddle(request):
        if "ArTrnDetail" in request.query.get("XmlIn", ""):
            seen.append(request)
            if len(seen) == 2:
                row = erp.invoices[customer, number, kind]
                row["Lines"] = [line for line in row["Lines"] if line["DetailLine"] != 3]

    erp.before_each.append(meddle)
    found = read(source_of(erp, page_size=3), "orders")

    assert [Decimal(20), Decimal(7)] == [order.total for order in found.values()]


def test_a_server_that_ignores_the_condition_is_found_out(erp, api):
    """A table that always begins anew ends in an error, not in a circle."""
    erp.add_customer(email="a@harbor.example")
    erp.keep_bodies = True
    source = source_of(erp, api)
    read(source, "customers")
    [first, *_] = [entry for entry in erp.log if b"a@harbor.example" in entry.response_body]
    headers = {"Content-Type": "application/json" if api == "odata" else "text/xml"}
    path = {"odata": "/ArCustomer", "enet": "/Query", "soap": "/query.asmx"}[api]
    erp.fail(status=200, body=first.response_body, headers=headers, path=path)

    with pytest.raises(ContractError, match="circles"):
        read(source, "customers")


@pytest.mark.parametrize("links", ["right", "other host", "without filter"])
def test_links_of_odata_are_not_followed(erp, links):
    """Where a cut answer says that it goes on matters not: the next rows are asked for by key."""
    for number in range(9):
        erp.add_customer(email=f"c{number}@harbor.example")
    cap(erp, 4)
    erp.odata.next_links = links

    assert len(read(source_of(erp, "odata"), "customers")) == 9


# What servers do differently


@pytest.mark.parametrize("dates", ["empty", "zeros", "missing"])
def test_dates_that_are_not_there(erp, dates):
    """No date is no date, in whichever of three ways e.net shows it."""
    erp.add_customer(email="a@harbor.example")
    erp.enet.null_dates = dates

    [customer] = read(source_of(erp), "customers").values()

    assert customer.last_activity is None


@pytest.mark.parametrize(
    ("sent", "declared"), [("cp1252", "Windows-1252"), ("utf-8", "Windows-1252"), ("utf-8", "utf-8")]
)
def test_accented_names_whatever_the_encoding(erp, sent, declared):
    """Bytes are read as what they are, not as what the document says they are."""
    erp.add_customer(name="Café Zürich €", email="a@harbor.example")
    erp.encoding.sent, erp.encoding.declared = sent, declared

    [customer] = read(source_of(erp), "customers").values()

    assert customer.name == "Café Zürich €"


def test_control_characters_in_a_name_cost_nobody_anything(erp, api):
    """A character that XML forbids, in one customer's name, does not make the page unreadable."""
    erp.add_customer(name="Tab\x0bbed", email="a@harbor.example")
    erp.add_customer(name="Plain", email="b@harbor.example")

    names = [customer.name.replace("\x0b", "") for customer in read(source_of(erp, api), "customers").values()]

    assert names == ["Tabbed", "Plain"]


@pytest.mark.parametrize(
    "change",
    [
        {"plural": True},
        {"form_suffix": "_"},
        {"form_suffix": "_Plus"},
        {"shows_timestamp": False},
        {"plain_dates": True},
        {"decimals_as_text": True},
        {"zone": "Pacific/Auckland"},
        {"zone": "America/New_York"},
    ],
)
def test_what_is_not_established_of_odata_does_not_matter(change):
    """Names of entity sets, forms of dates and numbers, and the server's zone change no record."""
    with FakeSyspro(clock=lambda: NOW, zone=change.pop("zone", "UTC")) as erp:
        for name, value in change.items():
            setattr(erp.odata.style if hasattr(erp.odata.style, name) else erp.odata, name, value)
        erp.add_form_field("ArCustomer+", "Region")
        key = erp.add_customer(email="a@harbor.example", DateLastSale=date(2026, 2, 28))
        erp.set_form("ArCustomer+", key, Region="NORTH")
        erp.add_invoice(key, [("A", "Anchor", 3, "1.05")], date=date(2026, 3, 1))
        delta = {"orders": "InvoiceDate"}
        source = source_of(
            erp,
            api=api_of(erp, "odata", delta_column=delta),
            custom_fields={"customers": ["ArCustomer+.Region"]},
            orders_since=date(2026, 3, 1),
        )

        [customer] = read(source, "customers").values()
        [order] = read(source, "orders", Window(lower=date(2026, 3, 1))).values()

    assert (date(2026, 2, 28), "NORTH") == (customer.last_activity, customer.raw["ArCustomer+.Region"])
    assert (date(2026, 3, 1), date(2026, 3, 1), Decimal("3.15")) == (order.placed_on, order.modified_at, order.total)


def test_entity_sets_may_have_any_name(erp):
    """A view instead of a table is read where the setting says so."""
    erp.odata.views["vwCustomers"] = "ArCustomer"
    erp.odata.hidden.add("ArCustomer")
    erp.add_customer(email="a@harbor.example")

    with pytest.raises(ContractError, match=r"no entity set for ArCustomer: .*entity_sets"):
        read(source_of(erp, "odata"), "customers")
    api = api_of(erp, "odata", entity_sets={"ArCustomer": "VWCUSTOMERS"})

    assert len(read(source_of(erp, api=api), "customers")) == 1


def test_a_selection_too_long_for_a_web_server_is_left_out(erp):
    """When the names of the columns fill the query, all columns are taken instead."""
    names = [f"AColumnWithAVeryLongNameIndeed{number:02d}" for number in range(60)]
    for name in names:
        erp.add_form_field("ArCustomer", name)
    erp.add_customer(email="a@harbor.example", **{names[-1]: "last"})

    [customer] = read(source_of(erp, "odata", custom_fields={"customers": names}), "customers").values()

    assert customer.raw[names[-1]] == "last"


def test_many_keys_are_asked_for_in_questions_that_fit(erp, api):
    """Long keys are fetched in as many requests as it takes; none of them is too long for the server."""
    keys = [f"{number:03d} ÄÖÜ & '{'X' * 3}" for number in range(60)]
    for key in keys:
        erp.add_customer(key, email="a@harbor.example")

    found = {record.key for page in source_of(erp, api).fetch("customers", keys) for record in page}

    assert found == set(keys)


# Keys


def test_numbers_are_found_with_and_without_their_zeros(erp, api):
    """Codes are kept as SYSPRO stores them, shown without zeros, and found in either form."""
    key = erp.add_customer("413", email="a@harbor.example")
    invoice = erp.add_invoice(key, [("A", "Anchor", 1, 1)], number="100123")
    order = erp.add_order(key, [("A", "Anchor", 1, 1)], number="15574")
    source, by_orders = source_of(erp, api), source_of(erp, api, orders="sales_orders")

    for form in ("413", "000000000000413"):
        assert [key] == [r.key for page in source.fetch("customers", [form]) for r in page]
    for form in ("I/100123", "I/000000000100123"):
        assert ["100123"] == [r.number for page in source.fetch("orders", [form]) for r in page]
    for form in ("15574", order):
        assert ["15574"] == [r.number for page in by_orders.fetch("orders", [form]) for r in page]
    assert [] == list(source.fetch("orders", ["C/100123", "", " "]))
    assert (key, invoice[1]) == ("000000000000413", "000000000100123")


def test_keys_that_are_gone_are_absent(erp, api):
    """Nothing is made of keys that nobody has, in any stream."""
    sources = [
        source_of(erp, api, contacts=contacts_of(erp, api), orders=orders) for orders in ("invoices", "sales_orders")
    ]

    for source in sources:
        for stream in source.streams:
            assert [] == list(source.fetch(stream, ["gone", "I/7", "7"]))


def test_a_credit_note_may_have_an_invoices_number(erp, api):
    """Type and number together are the key of a document."""
    customer = erp.add_customer()
    erp.add_invoice(customer, [("A", "Anchor", 1, 10)], number="7")
    credit = erp.add_invoice(customer, [("A", "Anchor", 1, 4)], number="7", type="C")
    erp.invoices[credit]["Lines"][0]["Register"] = 2

    found = read(source_of(erp, api), "orders")

    assert {"I/000000000000007": "invoice", "C/000000000000007": "credit"} == {k: o.kind for k, o in found.items()}
    assert [Decimal(10), Decimal(4)] == [order.total for order in sorted(found.values(), key=lambda o: -o.total)]


# Changes


def test_a_full_scan_is_the_rule(erp, api):
    """Without a delta column every stream is scanned, and a window asks for nothing less."""
    erp.add_customer(email="a@harbor.example")
    source = source_of(erp, api)

    assert {None} == {spec.cursor_field for spec in source.streams.values()}
    assert {None} == {spec.full_scan_every for spec in source.streams.values()}
    assert len(read(source, "customers", Window(lower=NOW))) == 1
    assert source.present("customers") is None


@pytest.mark.parametrize(("kind", "lower"), [("moment", NOW), ("day", NOW.replace(hour=0)), ("counter", None)])
def test_a_column_of_the_sites_own_tells_what_changed(kind, lower):
    """A time, a day or a counter: only what changed since is asked for, the bound itself included."""
    clock = FakeClock(NOW - timedelta(days=3))
    with FakeSyspro(clock=clock, delta_column="ChangedOn", delta_type=kind) as erp:
        old = erp.add_customer(email="old@harbor.example")
        clock.advance(days=3)
        new = erp.add_customer(email="new@harbor.example")
        api = api_of(erp, "odata", delta_column="ChangedOn")
        source = source_of(erp, api=api, overlap=0 if kind == "counter" else timedelta(days=1))
        everything = read(source, "customers")
        lower = everything[new].modified_at if lower is None else lower

        found = read(source, "customers", Window(lower=lower))

    assert [new] == list(found)
    assert everything[old].modified_at < everything[new].modified_at == lower
    assert "ChangedOn" == source.streams["customers"].cursor_field


def test_a_counter_needs_an_overlap_in_numbers(erp):
    """A counter has no days to step back; what it has is told."""
    with FakeSyspro(delta_column="Version", delta_type="counter") as counted:
        api = api_of(counted, "odata", delta_column="Version")
        with pytest.raises(ConfigurationError, match="Version is a counter: give overlap= as a whole number"):
            source_of(counted, api=api).present("customers")
        assert source_of(counted, api=api, overlap=50).present("customers") is None


def test_invoices_by_date_come_whole(erp, api):
    """With InvoiceDate as delta column new documents are found, with all their lines and what is beside them."""
    customer = erp.add_customer()
    erp.add_invoice(customer, [("A", "Anchor", 1, 10)], date=date(2026, 1, 1))
    erp.add_invoice(customer, [("A", "Anchor", 1, 10), ("B", "Buoy", 2, 5)], date=date(2026, 3, 9), tax=2)
    source = source_of(erp, api=api_of(erp, api, delta_column={"orders": "InvoiceDate"}), page_size=1)

    # A mark that another API left behind may be a time.
    [order] = read(source, "orders", Window(lower=datetime(2026, 3, 9, tzinfo=UTC))).values()

    assert (2, Decimal(22), "open", "Buoy") == (len(order.lines), order.total, order.payment, order.lines[1].title)
    assert (date(2026, 3, 9), timedelta(days=1)) == (order.modified_at, source.streams["orders"].overlap)


def test_a_document_of_which_one_line_changed_comes_whole():
    """A delta column that differs from line to line brings the whole document."""
    clock = FakeClock(NOW - timedelta(days=3))
    with FakeSyspro(clock=clock, delta_column="ChangedOn") as erp:
        key = erp.add_invoice(erp.add_customer(), [("A", "Anchor", 1, 10), ("B", "Buoy", 2, 5)])
        clock.advance(days=3)
        erp.invoices[key]["Lines"][1]["CustomerPoNumber"] = "late"
        source = source_of(erp, api=api_of(erp, "odata", delta_column={"orders": "ChangedOn"}))

        [order] = read(source, "orders", Window(lower=NOW)).values()

    assert (Decimal(20), NOW) == (order.total, order.modified_at)


def test_a_mark_of_another_source_is_refused(erp):
    """A mark that is no date, time or counter is not sent to the server."""
    source = source_of(erp, api=api_of(erp, "odata", delta_column={"orders": "InvoiceDate"}))

    with pytest.raises(ConfigurationError, match="another source"):
        read(source, "orders", Window(lower="C00012"))


def test_a_server_without_a_clock_has_no_present(erp):
    """Where no header tells the time, marks are not bounded."""
    api = api_of(erp, "enet", delta_column={"orders": "InvoiceDate"})
    source = source_of(erp, api=api)
    erp.fail(status=200, body=b"8.0.0.6", headers={"Date": ""}, path="/GetVersion")

    assert source.present("orders") is None
    assert "the server does not tell the time" == next(row.detail for row in source.check() if row.what == "clock")


@pytest.mark.parametrize("orders", ["invoices", "sales_orders"])
def test_documents_of_earlier_days_are_left_alone(erp, api, orders):
    """`orders_since` bounds what a full scan reads."""
    customer = erp.add_customer()
    for day in (date(2024, 5, 1), date(2026, 2, 1)):
        erp.add_invoice(customer, [("A", "Anchor", 1, 10)], date=day)
        erp.add_order(customer, [("A", "Anchor", 1, 10)], OrderDate=day)

    found = read(source_of(erp, api, orders=orders, orders_since=date(2025, 1, 1)), "orders")

    assert [date(2026, 2, 1)] == [order.placed_on for order in found.values()]


# Malformed rows


@pytest.mark.parametrize(
    ("stream", "entity", "fields", "message"),
    [
        ("customers", "ArCustomer", {"DateLastSale": "not a day"}, "DateLastSale: not a date"),
        ("customers", "ArCustomer", {"IbtCustomer": "?"}, "IbtCustomer: neither yes nor no"),
        ("orders", "ArInvoice", {"InvoiceBal1": "many"}, "ArInvoice.InvoiceBal1: not a number"),
    ],
)
def test_a_malformed_row_is_set_aside(erp, api, stream, entity, fields, message):
    """One bad row becomes a dead letter that names the field; the others go through."""
    first, other = erp.add_customer("1", email="a@harbor.example"), erp.add_customer("2", email="b@harbor.example")
    keys = [erp.add_invoice(key, [("A", "Anchor", 1, 10)]) for key in (first, other)]
    bad = first if entity == "ArCustomer" else keys[0]
    erp.edit(entity, bad, **fields)
    source = source_of(erp, api)

    pages = list(source.read(stream))

    assert 1 == sum(len(page.records) for page in pages)
    [(key, row)] = unreadable_in(pages).items()
    assert (message, first if stream == "customers" else f"I/{keys[0][1]}") == (row.message, key)


def test_a_bad_stamp_is_set_aside_without_one(erp):
    """A delta column that cannot be read makes one dead letter, and moves no mark."""
    erp.edit("ArCustomer", erp.add_customer(email="a@harbor.example"), DateCustAdded="soon")
    source = source_of(erp, api=api_of(erp, "enet", delta_column="DateCustAdded"))

    [row] = unreadable_in(source.read("customers")).values()

    assert ("DateCustAdded: neither a date nor a counter", None) == (row.message, row.modified_at)


def test_a_document_without_a_number_is_set_aside(erp, api):
    """Lines that say not what document they are of become a dead letter."""
    key = erp.add_invoice(erp.add_customer(), [("A", "Anchor", 1, 10)])
    erp.invoices[key]["Lines"][0]["Invoice"] = ""

    [row] = unreadable_in(source_of(erp, api).read("orders")).values()

    assert ("unknown", "Invoice: missing") == (row.key, row.message)


def test_a_row_that_lacks_its_key_is_told(erp):
    """Rows cannot be paged without keys: what the operator may not see is named."""
    whole = "<Row><Customer>1</Customer><Name/><Email/><CustomerOnHold/><CreditStatus/></Row>"
    erp.fail(status=200, body=f"<ArCustomer>{whole}<Row/></ArCustomer>".encode(), path="/Query")

    with pytest.raises(ContractError, match="comes without Customer: the operator must be allowed to see it"):
        read(source_of(erp), "customers")


# Status and opt-outs


def test_usual_statuses(erp, api):
    """On hold and manual credit hold are on hold; an old debt alone is not; a branch of the company is nobody."""
    expected = {}
    for number, (columns, status) in enumerate(
        [
            ({}, "active"),
            ({"CustomerOnHold": "Y"}, "on_hold"),
            ({"CustomerOnHold": ""}, "active"),
            ({"CreditStatus": "9"}, "on_hold"),
            ({"CreditStatus": "6"}, "active"),
            ({"IbtCustomer": "Y"}, "inactive"),
        ]
    ):
        expected[erp.add_customer(email=f"c{number}@harbor.example", **columns)] = status

    assert expected == {key: one.status for key, one in read(source_of(erp, api), "customers").items()}


def test_a_site_says_who_is_inactive(erp, api):
    """Values of any column, of custom forms too, decide; the gravest counts."""
    erp.add_form_field("ArCustomer+", "State")
    delinquent = erp.add_customer(CreditStatus="4", CustomerOnHold="Y")
    closed = erp.add_customer()
    fine = erp.add_customer(CreditStatus="3")
    erp.set_form("ArCustomer+", closed, State="closed")
    statuses = {"CreditStatus": {"4": "inactive"}, "ArCustomer+.State": {" CLOSED ": "inactive"}}

    found = read(source_of(erp, api, statuses=statuses), "customers")

    assert {delinquent: "inactive", closed: "inactive", fine: "active"} == {k: one.status for k, one in found.items()}


def test_a_function_says_who_is_inactive(erp):
    """A function over the raw row replaces the usual rules; what it breaks is its own record."""
    erp.add_customer("A", SalesAllowed="N")
    erp.add_customer("B", CustomerOnHold="Y")
    erp.add_customer("C", SalesAllowed="?")
    erp.add_customer("D", SalesAllowed="X")
    answers = {"N": "inactive", "": "active", "X": "gone"}
    source = source_of(
        erp, statuses=lambda row: answers[row["SalesAllowed"].strip()], custom_fields={"customers": ["SalesAllowed"]}
    )

    pages = list(source.read("customers"))

    assert {"A": "inactive", "B": "active"} == {one.key: one.status for page in pages for one in page}
    messages = {key: row.message for key, row in unreadable_in(pages).items()}
    assert {"C": "statuses: the function failed (KeyError)", "D": "statuses: the function gave no status"} == messages


def test_a_sites_own_opt_out(erp, api):
    """Anything but a clear no in the column speaks against mailing, in a custom form as well."""
    erp.add_form_field("ArCustomer+", "NoMail", "c1")
    expected = {}
    for value, opted_out in (("Y", True), ("N", False), ("", False), ("X", True), (None, False)):
        key = erp.add_customer(UserField1=value or "")
        if value is not None:
            erp.set_form("ArCustomer+", key, NoMail=value)
        expected[key] = opted_out

    for field in ("ArCustomer+.NoMail", "UserField1"):
        found = read(source_of(erp, api, optout_field=field), "customers")
        assert expected == {key: one.opted_out for key, one in found.items()}
    assert not any(one.opted_out for one in read(source_of(erp, api), "customers").values())


def test_an_opt_out_by_function_is_for_all_parties(erp):
    """A function judges customers, contacts and suppliers alike."""
    owner = erp.add_customer(email="no@harbor.example")
    erp.add_supplier(email="no@quill.example")
    erp.add_contact(first="Mary", email="no@person.example", customer=owner)
    source = source_of(
        erp, optout_field=lambda row: row["Email"].startswith("no@"), contacts=ContactManagement(key_type="C")
    )

    for stream in ("customers", "contacts", "suppliers"):
        assert [True] == [record.opted_out for record in read(source, stream).values()]


def test_an_opt_out_that_is_not_shown_is_no_consent(erp, api):
    """A column that the operator may not see stops the reading, instead of letting everybody in."""
    erp.add_customer(email="a@harbor.example", UserField1="Y")
    erp.hide_columns("ArCustomer", "UserField1")

    with pytest.raises((PermissionDeniedError, ContractError), match="UserField1"):
        read(source_of(erp, api, optout_field="UserField1"), "customers")


# Contacts


def test_contacts_of_the_contact_management(erp):
    """Persons come with their customer, addresses and flags; what e.net cannot find is left out."""
    owner = erp.add_customer("7", name="Harbor", email="office@harbor.example")
    erp.add_contact(
        first="Mary",
        last="Hara",
        email="mary@harbor.example",
        customer=owner,
        MoreEmails=["m.hara@home.example"],
        JobTitle="Owner",
        Telephone="123",
        PreferredLanguage="EN",
        ContactClass="VIP",
    )
    erp.add_contact(first="Bob", last="Hara", customer=owner, email="bob@harbor.example", DoNotEmail="Y")
    erp.add_contact(first="Nobody's", email="nobody@person.example")

    mary, bob = read(source_of(erp, contacts=ContactManagement(key_type="C")), "contacts").values()

    assert ("Mary Hara", "Mary", "Hara", "Owner", "123") == (
        mary.name,
        mary.first_name,
        mary.last_name,
        mary.job_title,
        mary.phone,
    )
    assert ("mary@harbor.example; m.hara@home.example", owner, "EN", "VIP") == (
        mary.email,
        mary.customer_key,
        mary.language,
        mary.group,
    )
    assert [(False, owner), (True, owner)] == [(one.opted_out, one.key.partition("/")[0]) for one in (mary, bob)]
    assert "Hara" not in mary.key


def test_contacts_by_the_addresses_of_customers(erp):
    """Without a key type, persons are found who have an address of a customer, of several in one column too."""
    first = erp.add_customer(email="Office@harbor.example; mary@harbor.example, broken address")
    erp.add_customer(email="")
    erp.add_contact(
        first="Mary",
        email="mary@harbor.example",
        MoreEmails=["office@harbor.example"],
        customer=first,
        DoNotBulkEmail="Y",
    )
    erp.add_contact(first="Tim", email="tim@elsewhere.example", customer=first)
    source = source_of(erp, contacts=ContactManagement())

    [mary] = read(source, "contacts").values()

    assert ("Mary Hara", True, first) == (mary.name, mary.opted_out, mary.customer_key)
    assert [mary] == [record for page in source.fetch("contacts", [mary.key, "x"]) for record in page]
    assert [] == list(source.fetch("contacts", ["x"]))


def test_namesakes_are_told_apart_and_an_opt_out_wins(erp):
    """Two persons of one name and customer are two; one that is there twice is opted out if either is."""
    owner = erp.add_customer(email="office@harbor.example")
    for email, flag in (("a@x.example", "N"), ("b@x.example", "N"), ("b@x.example", "Y"), ("b@x.example", "N")):
        erp.add_contact(first="Jan", last="Kim", email=email, customer=owner, DoNotEmail=flag)

    found = read(source_of(erp, contacts=ContactManagement(key_type="C")), "contacts")

    assert {("a@x.example", False), ("b@x.example", True)} == {(one.email, one.opted_out) for one in found.values()}


def test_contacts_out_of_a_view(erp):
    """A view has whatever names its maker gave, and may lack what it does not know."""
    erp.odata.views["People"] = "Contact"
    owner = erp.add_customer()
    key = erp.add_contact(first="Mary", email="mary@harbor.example", customer=owner, DoNotBulkEmail="Y")
    view = ContactView(table="People", full_name="", do_not_email="")
    source = source_of(erp, "odata", contacts=view, custom_fields={"contacts": ["ContactClass"]})

    [mary] = read(source, "contacts").values()

    assert (key, "Mary Hara", True, owner) == (mary.key, mary.name, mary.opted_out, mary.customer_key)
    assert "ContactClass" in mary.raw
    assert source.streams["contacts"].entity == "People"


def test_customers_without_contacts_may_be_an_error_to_syspro(erp):
    """A refusal for one customer means that it has none; a refusal for all of them is told."""
    owner = erp.add_customer(email="office@harbor.example")
    erp.add_contact(first="Mary", email="mary@harbor.example", customer=owner)
    erp.add_customer(email="other@harbor.example")
    source = source_of(erp, contacts=ContactManagement(key_type="C"))
    erp.fail_next(200, body=b"ERROR: No contacts for this key", path="/Query/Query", nth=2)

    assert [] == list(read(source, "contacts"))
    erp.faults.clear()
    assert len(read(source, "contacts")) == 1
    with pytest.raises(ContractError, match="KeyType Z is not valid"):
        read(source_of(erp, contacts=ContactManagement(key_type="Z")), "contacts")


def test_an_answer_that_is_no_contacts_is_told(erp):
    """Another document in the place of contacts is not taken for an empty list."""
    erp.add_customer(email="office@harbor.example")
    source = source_of(erp, contacts=ContactManagement())
    read(source, "customers")
    erp.fail_next(200, body=b"<Other/>", path="/Query/Query", nth=2)

    with pytest.raises(ContractError, match="no list of contacts"):
        read(source, "contacts")


# Addresses, custom forms, what is beside


def test_further_addresses_lie_beside_a_customer(erp, api):
    """With the setting, a customer's delivery addresses are in its row."""
    key = erp.add_customer(email="a@harbor.example")
    erp.add_address(key, "WH1", ShipToName="Warehouse", ShipToAddr1="1 Quay")
    erp.add_address(key, "WH2", ShipToName="Yard")
    erp.add_customer(email="b@harbor.example")
    source = source_of(erp, api, multiple_addresses=True)

    one, other = read(source, "customers").values()

    assert ["Warehouse", "Yard"] == [place["ArMultAddress.ShipToName"].strip() for place in one.raw["ArMultAddress"]]
    assert [] == other.raw["ArMultAddress"]
    assert one == source.parse("customers", one.raw)


def test_an_address_with_an_email_is_somebody_to_write_to(erp, api):
    """Where a custom form holds their e-mail address, delivery addresses are records, of their customer's status."""
    erp.add_form_field("ArMultAddress+", "Email", "255")
    key = erp.add_customer("5", name="Harbor", email="a@harbor.example", CustomerOnHold="Y", CustomerClass="TRADE")
    erp.add_address(key, "001", ShipToName="Warehouse", ShipToAddr1="1 Quay", ShipToAddr3="Leeds", ShipPostalCode="LS1")
    erp.add_address(key, "WH2")
    erp.add_address(key, "WH3")
    erp.set_form("ArMultAddress+", (key, "001"), Email=" dock@harbor.example ")
    erp.set_form("ArMultAddress+", (key, "WH3"), Email="yard@harbor.example")
    source = source_of(erp, api, multiple_addresses="ArMultAddress+.Email")

    found = read(source, "customers")

    assert [key, f"{key}/001", f"{key}/WH3"] == list(found)
    dock, yard = found[f"{key}/001"], found[f"{key}/WH3"]
    assert ("Warehouse", "dock@harbor.example", "on_hold", "TRADE") == (dock.name, dock.email, dock.status, dock.group)
    assert ("1 Quay", "Leeds", "LS1") == (dock.address.line1, dock.address.city, dock.address.postal_code)
    assert ("Harbor", "yard@harbor.example") == (yard.name, yard.email)
    fetched = [record for page in source.fetch("customers", ["5/001", "x"]) for record in page]
    assert [dock] == fetched
    assert dock == source.parse("customers", dock.raw)


def test_columns_of_a_site(erp, api):
    """Further columns of any table of a stream are in its rows, of custom forms under the form's name."""
    for table in ("ArCustomer+", "ApSupplier+", "CusSorMaster+"):
        erp.add_form_field(table, "Region")
    customer = erp.add_customer(Branch="10")
    supplier = erp.add_supplier(FaxRemitContact="Fay")
    order = erp.add_order(customer, [("A", "Anchor", 1, 1)])
    erp.add_invoice(customer, [("A", "Anchor", 1, 1)], LastDelNote="D1", Branch="10")
    erp.set_form("ArCustomer+", customer, Region="NORTH")
    erp.set_form("ApSupplier+", supplier, Region="SOUTH")
    erp.set_form("CusSorMaster+", (order, ""), Region="EAST")
    erp.set_form("CusSorMaster+", (order, "100001"), Region="AS INVOICED")
    fields = {
        "customers": ["PriceCode", "ArCustomer+.Region"],
        "suppliers": ["Area", "ApSupplier+.Region", "ApSupplierAddr.FaxRemitContact"],
    }
    invoices = source_of(erp, api, custom_fields={**fields, "orders": ["ArInvoice.LastDelNote", "ProductClass"]})
    orders = source_of(erp, api, orders="sales_orders", custom_fields={"orders": ["CusSorMaster+.Region", "Area"]})

    [one] = read(invoices, "customers").values()
    [two] = read(invoices, "suppliers").values()
    [three] = read(invoices, "orders").values()
    [four] = read(orders, "orders").values()

    assert "NORTH" == one.raw["ArCustomer+.Region"]
    assert "PriceCode" in one.raw
    assert ("SOUTH", "Fay") == (two.raw["ApSupplier+.Region"], two.raw["ApSupplierAddr.FaxRemitContact"])
    assert ("D1", "SALE") == (three.raw["ArInvoice.LastDelNote"], three.raw["Lines"][0]["ProductClass"])
    assert "EAST" == four.raw["CusSorMaster+.Region"]


def test_a_site_without_the_ledger_or_stock_table_is_read_all_the_same(erp, api, caplog):
    """Titles, payments and order addresses are done without where their tables are not shown; it is said once."""
    customer = erp.add_customer(email="a@harbor.example")
    for _ in range(3):
        order = erp.add_order(customer, [("A", "Anchor", 1, 10)], Email="shop@harbor.example")
        erp.add_invoice(customer, [("A", "Anchor", 1, 10)], SalesOrder=order)
    before = read(source_of(erp, api), "orders")
    erp.add_supplier(email="s@quill.example")
    hide(erp, "ArInvoice", "InvMaster", "SorMaster", "ApSupplierAddr")

    with caplog.at_level(logging.WARNING, logger="mlconnector_sdk.sources.syspro"):
        source = source_of(erp, api, page_size=1)
        after = read(source, "orders")
        [supplier] = read(source, "suppliers").values()

    assert [("open", "Anchor", "shop@harbor.example")] * 3 == [seen_of(order) for order in before.values()]
    assert [("", "", "")] * 3 == [seen_of(order) for order in after.values()]
    assert supplier.address.line1 == ""
    assert ["ApSupplierAddr", "ArInvoice", "InvMaster", "SorMaster"] == sorted(r.mlc_table for r in caplog.records)


def hide(erp, *tables):
    """Take tables away from the operator, in every API."""
    for table in tables:
        del erp._base.tables[table]


def seen_of(order):
    """What comes from beside."""
    return order.payment, order.lines[0].title, order.email


def test_a_column_of_the_ledger_that_there_is_not_is_told(erp, api):
    """What a site names, it is told when it is missing, by the check too."""
    erp.add_invoice(erp.add_customer(), [("A", "Anchor", 1, 10)])
    source = source_of(erp, api, custom_fields={"orders": ["ArInvoice.Nowhere"]})

    with pytest.raises(ContractError):
        read(source, "orders")
    assert ["stream orders"] == [row.what for row in source.check() if not row.ok]


def test_trouble_beside_a_stream_is_no_absence(erp):
    """A table that fails for another reason than that it is not there ends the reading."""
    erp.add_invoice(erp.add_customer(), [("A", "Anchor", 1, 10)])
    erp.before_each.append(lambda request: spoil(erp) if "InvMaster" in request.query.get("XmlIn", "") else None)

    with pytest.raises(ContractError, match="no XML"):
        read(source_of(erp), "orders")


def spoil(erp):
    """Let what is asked next have no readable answer."""
    erp._rest.enet.query = lambda *asked: "nonsense"


def test_order_addresses_are_not_looked_up_when_nobody_wants_them(erp):
    """With `order_emails=False` sales orders are not asked for."""
    customer = erp.add_customer(email="a@harbor.example")
    erp.add_invoice(customer, [("A", "Anchor", 1, 10)], SalesOrder=erp.add_order(customer, Email="x@y.example"))

    [order] = read(source_of(erp, order_emails=False), "orders").values()

    assert order.email == ""
    assert not [entry for entry in erp.log if "SorMaster" in entry.request.query.get("XmlIn", "")]


def test_paid_purged_and_foreign_invoices(erp, api):
    """The ledger says what is paid, and has forgotten what was paid long ago; values are those of the document."""
    customer = erp.add_customer()
    lines = [("A", "Anchor", 2, "12.50"), (None, "Gift wrapping", 1, "4.50")]
    keys = [
        erp.add_invoice(customer, lines, currency="EUR", rate="1.25", tax="2.36", freight="7.50", number=str(number))
        for number in (1, 2, 3)
    ]
    erp.edit("ArInvoice", keys[1], InvoiceBal1=0)
    erp.purge_invoice(keys[2])

    found = list(read(source_of(erp, api), "orders").values())

    assert ["open", "paid", "paid"] == [order.payment for order in found]
    for order in found:
        assert ("EUR", Decimal("39.36"), Decimal("2.36"), Decimal("7.50")) == (
            order.currency,
            order.total,
            order.tax,
            order.shipping,
        )
        assert [("A", Decimal(2), Decimal("12.5")), ("", Decimal(1), Decimal("4.5"))] == [
            (line.product_key, line.quantity, line.unit_price) for line in order.lines
        ]


# Columns that are not there


def test_welcome_columns_are_learned_away(erp, caplog):
    """A release that lacks columns is read without them: they are found by halving, once, and told."""
    for _ in range(3):
        erp.add_customer(email="a@harbor.example")
    table = erp._base.tables["ArCustomer"]
    gone = {"SoldToAddr3Loc", "IbtCustomer"}
    erp._base.tables["ArCustomer"] = type(table)(
        table.name, {name: column for name, column in table.columns.items() if name not in gone}
    )
    source = source_of(erp)

    with caplog.at_level(logging.WARNING, logger="mlconnector_sdk.sources.syspro"):
        assert len(read(source, "customers")) == 3
        before = len(erp.log)
        assert len(read(source, "customers")) == 3

    assert len(erp.log) - before == 4
    [record] = caplog.records
    assert "syspro ArCustomer is read without IbtCustomer, SoldToAddr3Loc" == record.getMessage()
    assert "without ArCustomer.IbtCustomer" in next(
        str(row) for row in source.check() if row.what == "stream customers"
    )


@pytest.mark.parametrize("name", ["LastModifiedDate", "CreatedDate"])
def test_columns_that_syspro_does_not_have_are_named(erp, api, name):
    """A column that a site's settings name and nobody has is told by its name."""
    erp.add_customer(email="a@harbor.example")
    source = source_of(erp, api, custom_fields={"customers": [name]})

    with pytest.raises(ContractError, match=name if api == "odata" else "refuses the question"):
        read(source, "customers")


def test_odata_tells_missing_welcome_columns_beforehand(erp, caplog):
    """What `$metadata` does not list is not asked for."""
    erp.add_customer(email="a@harbor.example")
    erp.hide_columns("ArCustomer", "SoldToAddr3Loc")

    with caplog.at_level(logging.WARNING, logger="mlconnector_sdk.sources.syspro"):
        assert len(read(source_of(erp, "odata"), "customers")) == 1

    assert ["syspro ArCustomer is read without SoldToAddr3Loc"] == [r.getMessage() for r in caplog.records]


def test_trouble_while_learning_is_no_lesson(erp):
    """Only a refusal tells of a column that is not there; an answer that cannot be read does not."""
    erp.add_customer(email="a@harbor.example")
    columns = erp._base.tables["ArCustomer"].columns
    erp._base.tables["ArCustomer"] = type(erp._base.tables["ArCustomer"])(
        "ArCustomer", {name: column for name, column in columns.items() if name != "Area"}
    )
    erp.fail(status=200, body=b"nonsense", path="/Query", nth=3)

    with pytest.raises(ContractError, match="no XML"):
        read(source_of(erp), "customers")


def test_a_key_that_is_not_shown_is_told(erp):
    """Rows without their key cannot be read."""
    erp.add_customer(email="a@harbor.example")
    erp.hide_columns("ArCustomer", "Customer")

    with pytest.raises((PermissionDeniedError, ContractError), match="ArCustomer comes without Customer"):
        read(source_of(erp), "customers")


# Odds and ends of OData


def test_odata_credentials_are_tried_once(erp):
    """A refused OData password is not sent again, and `check` says which password is meant."""
    source = source_of(erp, api=api_of(erp, "odata", password="secret"))

    for _ in range(2):
        with pytest.raises(AuthenticationError):
            read(source, "customers")
    [row] = source.check()

    assert (False, True) == (row.ok, "OData password" in row.cure)
    assert len(erp.log) == 1


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (302, None, ConfigurationError),
        (403, "<html/>", PermissionDeniedError),
        (404, "<html/>", ContractError),
        (429, None, RateLimitError),
        (503, "<html/>", UnavailableError),
        (500, {"error": {"code": "X1", "message": "secret value"}}, ServerFaultError),
        (400, {"error": {"code": "", "message": "secret value"}}, ContractError),
        (200, "<html>Sign in</html>", UnavailableError),
        (200, b"not json", ContractError),
        (200, {"rows": []}, ContractError),
    ],
)
def test_answers_of_a_web_server_before_odata(erp, status, body, error):
    """Each answer leads to the error that fits what to do next, without the text that may hold values."""
    source = source_of(erp, "odata", retry=RetryPolicy.immediate(attempts=2))
    read(source, "customers")
    erp.fail(status=status, body=body, headers={"Content-Type": "text/html"} if isinstance(body, str) else {})

    with pytest.raises(error) as caught:
        read(source, "customers")

    assert "secret value" not in str(caught.value)
    assert "syspro" == caught.value.system


def test_an_address_that_is_not_the_services_root_is_told(erp):
    """The whole root is a setting; a wrong one is named with what it should be."""
    source = source_of(erp, api=api_of(erp, "odata", odata_root=f"{erp.url}/SYSPRO8Odata"))

    [row] = source.check()

    assert (
        False,
        "odata_root must be the address below which /$metadata and /ArCustomer answer, company included",
    ) == (
        row.ok,
        row.cure,
    )


def test_there_are_no_business_objects_behind_odata(erp):
    """What needs one is refused when the source is made."""
    with pytest.raises(ConfigurationError, match="ContactView"):
        source_of(erp, "odata", contacts=ContactManagement())
    with pytest.raises(ConfigurationError, match="SysproENet"):
        source_of(erp, "odata")._connection.ask("COMQCO", "<Query/>")


# Checks and settings


def test_a_check_names_what_is_missing(erp, api):
    """Each stream has a line; one that cannot be read does not hide the others."""
    erp.add_customer(email="a@harbor.example")
    hide(erp, "SorMaster", "ArTrnDetail")

    rows = {row.what: row for row in source_of(erp, api, contacts=contacts_of(erp, api)).check()}

    assert ["stream orders"] == [what for what, row in rows.items() if not row.ok]
    assert "ArCustomer" == rows["stream customers"].detail


def test_a_check_tries_nothing_twice_and_never_raises(erp, api):
    """A server that is down gives one line, after one request."""
    erp.fail(status=503)

    [row] = source_of(erp, api).check()

    assert (False, 1) == (row.ok, len(erp.log))


def test_a_check_compares_clocks_where_they_matter(erp):
    """With a delta column the server's clock is compared with ours."""
    source = source_of(erp, api=api_of(erp, "odata", delta_column={"orders": "InvoiceDate"}))
    source.attach(clock=FakeClock(NOW + timedelta(hours=1)))

    clock = next(row for row in source.check() if row.what == "clock")

    assert (False, "the server is 3600 s behind this machine") == (clock.ok, clock.detail)


def test_a_check_of_an_older_service(erp):
    """A profile or version that says little is enough."""
    source = source_of(erp)
    erp.fail(status=200, body=b"<Profile/>", path="/GetLogonProfile")
    erp.fail(status=200, body=b"hello", path="/GetVersion")

    address, sign_in, *_ = source.check()

    assert ["it answers", "logged on"] == [address.detail, sign_in.detail]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"orders": "quotes"}, "orders must be"),
        ({"page_size": 0}, "page_size"),
        ({"timezone": "Mars/Olympus"}, "timezone: 'Mars/Olympus'"),
        ({"address_lines": ("line1",)}, "address_lines"),
        ({"multiple_addresses": "Email"}, "ArMultAddress"),
        ({"statuses": {"UserField1": {"X": "dead"}}}, "statuses: dead"),
        ({"custom_fields": {"customers": ["Other.Column"]}}, "do not go with a table Other"),
        ({"custom_fields": {"customers": ["ArMultAddress+.Email"]}}, "multiple_addresses=True"),
        ({"custom_fields": {"orders": ["CusSorMaster+.X"]}}, "ArTrnDetail and ArInvoice"),
        ({"custom_fields": {"orders": ["ArInvoice.X"]}, "orders": "sales_orders"}, "do not go with ArInvoice"),
        ({"custom_fields": {"customers": "Name"}}, "list of names"),
        ({"optout_field": {"orders": "X"}}, "optout_field names orders"),
    ],
)
def test_wrong_settings_are_told_before_anything_is_sent(settings, message):
    """A mistake in a setting is a configuration error that names it."""
    api = SysproENet("http://erp.example:31002", operator="SYNC", password="x", company="EDU1")

    with pytest.raises(ConfigurationError, match=message):
        source_of(None, api=api, **settings)


@pytest.mark.parametrize(
    ("delta", "contacts", "message"),
    [
        ({"contacts": "X"}, None, "names contacts"),
        ("ArCustomer+.X", None, "the table itself"),
        ({"contacts": "X"}, ContactManagement(), "no delta column"),
    ],
)
def test_delta_columns_must_make_sense(delta, contacts, message):
    """A delta column is one of the stream's own table, of a stream that is read."""
    api = SysproENet("http://erp.example:31002", operator="SYNC", password="x", company="EDU1", delta_column=delta)

    with pytest.raises(ConfigurationError, match=message):
        source_of(None, api=api, contacts=contacts)


def test_a_stream_that_there_is_not(erp):
    """Reading a stream that is not offered names those that are."""
    with pytest.raises(ConfigurationError, match="no stream 'contacts': there are customers, suppliers, orders"):
        read(source_of(erp), "contacts")


def test_kept_rows_are_read_whatever_is_set_now(erp):
    """A row kept from another setting of `orders`, or of contacts, still becomes a record."""
    customer = erp.add_customer()
    erp.add_order(customer, [("A", "Anchor", 1, 10)])
    erp.add_invoice(customer, [("A", "Anchor", 1, 10)])
    orders, invoices = source_of(erp, orders="sales_orders"), source_of(erp)
    [one] = read(orders, "orders").values()
    [other] = read(invoices, "orders").values()

    assert (one, other) == (invoices.parse("orders", one.raw), orders.parse("orders", other.raw))


def test_a_source_shows_where_it_reads_and_nothing_else(erp, api):
    """The repr is one line with the address."""
    with source_of(erp, api) as source:
        assert repr(source).startswith(f"<Syspro {erp.url}")
        assert "secret" not in repr(source)
