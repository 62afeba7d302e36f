"""The Sage 100 source against a fake site: windows and the repeated hour, streams, sites' own columns, checks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import attrs
import pytest

from mlconnector_sdk.cursors import HighWaterMark, MarkTracker, Window, next_window
from mlconnector_sdk.errors import ConfigurationError, ContractError, MappingError
from mlconnector_sdk.network import Network
from mlconnector_sdk.sources.sage100 import Sage100, Sage100Agent, _ledger
from mlconnector_sdk.testing import FakeClock
from tests.unit.sources._sage100 import LEDGER, NO_MAIL, agent_of, asked, keys_of, records_of, site, source_of

NOON = datetime(2026, 3, 10, 17, tzinfo=UTC)
AUTUMN = datetime(2025, 11, 2, 5, tzinfo=UTC)
"""Midnight in Chicago, two hours before one o'clock comes a second time."""


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
    with source_of(erp) as source:
        yield source


def unreadable_in(pages):
    """The rows that could not be read, by key."""
    return {row.key: row for page in pages for row in page.unreadable}


class Poller:
    """Reads a stream as the engine does: window by window, with the mark that each one leaves."""

    def __init__(self, source, stream="customers"):
        self.source, self.stream = source, stream
        self.mark = HighWaterMark(stream=stream)

    def poll(self):
        """The keys that came."""
        overlap = self.source.streams[self.stream].overlap
        window = next_window(self.mark, self.source.present(self.stream), overlap)
        tracker = MarkTracker(self.stream, window, self.mark)
        found = set()
        for page in self.source.read(self.stream, window):
            tracker.see(record.modified_at for record in (*page.records, *page.unreadable))
            found |= {record.key for record in (*page.records, *page.unreadable)}
        self.mark = tracker.mark()
        return found


# -- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("company", ["", "AB", "ABCD", "MAS_ABC", "A C", "ÄBC", "A-C"])
def test_a_company_code_has_three_characters(company):
    """The name of its database, or a longer one, is refused before anything is sent."""
    with pytest.raises(ConfigurationError, match="company"):
        Sage100(company=company, api=Sage100Agent("https://erp.example.com", token="secret"))


def test_a_company_code_is_in_capitals(erp):
    """However it was typed."""
    erp.add_customer(email="a@harbor.example")
    with source_of(erp, company=" abc ") as source:
        assert len(records_of(source.read("customers"))) == 1
        assert repr(source) == f"<Sage100 {erp.agent_url} ABC>"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("timezone", "Chicago"),
        ("orders", "SO_SalesOrderHeader"),
        ("overlap", timedelta(minutes=-1)),
        ("exclude_keys", ["ABF"]),
        ("exclude_keys", "01-ABF"),
        ("gl_accounts", "UDF_ACCT"),
        ("gl_accounts", ["UDF ACCT"]),
        ("flag_field", "UDF-NO"),
        ("flag_value", ""),
        ("status_field", ""),
        ("optout_field", "UDF NO"),
        ("optout_field", {"orders": "UDF_NO"}),
        ("custom_fields", {"customers": "UDF_NO"}),
        ("custom_fields", {"products": ["UDF_NO"]}),
        ("custom_fields", {"customers": ["A,B"]}),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_sent(erp, setting, value):
    """The message names it, or the name in it that is wrong."""
    with pytest.raises(ConfigurationError):
        source_of(erp, **{setting: value})

    assert erp.log == []


def test_streams_are_known_without_asking(erp, source):
    """With the tables that they are, and what tells of changes."""
    assert {name: spec.entity for name, spec in source.streams.items()} == {
        "customers": "AR_Customer",
        "contacts": "AR_CustomerContact",
        "suppliers": "AP_Vendor",
        "orders": "SO_SalesOrderHeader",
    }
    assert {spec.cursor_field for spec in source.streams.values()} == {"DateUpdated, TimeUpdated"}
    assert {spec.overlap for spec in source.streams.values()} == {timedelta(minutes=90)}
    assert erp.log == []


def test_a_stream_that_there_is_not_is_a_mistake(source):
    """The message names those that there are."""
    with pytest.raises(ConfigurationError, match="customers, contacts, suppliers, orders"):
        list(source.read("products"))


class Limited:
    """An API that reads two tables."""

    network = Network()

    def connect(self, *, company, zone, retry):
        api = Sage100Agent("https://erp.example.com", token="secret")
        connection = api.connect(company=company, zone=zone, retry=retry)
        connection.tables = frozenset({"AR_Customer", "SO_SalesOrderHeader"})
        return connection


def test_an_api_that_reads_less_has_fewer_streams():
    """What it cannot read is refused where it is asked for by name."""
    with Sage100(company="ABC", api=Limited()) as source:
        assert list(source.streams) == ["customers", "orders"]
        with pytest.raises(ConfigurationError, match="no stream 'suppliers'"):
            list(source.read("suppliers"))
    for setting in ({"orders": "invoices"}, {"gl_accounts": [LEDGER]}, {"custom_fields": {"suppliers": ["UDF_X"]}}):
        with pytest.raises(ConfigurationError):
            Sage100(company="ABC", api=Limited(), **setting)


# -- windows --------------------------------------------------------------------------------------------------------


def test_a_window_asks_for_local_decimal_hours(erp, source):
    """The lower bound in the server's zone, inclusive."""
    erp.add_customer(email="a@harbor.example")
    lower = datetime(2026, 3, 10, 13, 29, 32, 568_000, tzinfo=UTC)
    list(source.read("customers", Window(lower=lower)))
    list(source.read("customers"))

    first, second = asked(erp, "/customers")
    assert (first["sinceDate"], first["sinceTime"]) == ("20260310", "8.49238")
    assert "sinceDate" not in second


def test_what_was_changed_at_the_bound_is_in_the_window(erp, clock, source):
    """To the last of five decimals; what was changed before it is not."""
    early = erp.add_customer(email="early@harbor.example")
    clock.advance(seconds=1)
    at = erp.add_customer(email="at@harbor.example")
    clock.advance(minutes=1)
    late = erp.add_customer(email="late@harbor.example")
    (bound,) = (record.modified_at for record in records_of(source.fetch("customers", [at])).values())

    assert [at, late] == keys_of(source.read("customers", Window(lower=bound)))
    assert early not in keys_of(source.read("customers", Window(lower=bound)))


def test_times_of_the_morning_are_not_compared_as_text(erp, clock, source):
    """A change at half past eight comes before one at half past three in the afternoon."""
    clock.advance(hours=-4)
    morning = erp.add_customer(email="morning@harbor.example")
    clock.advance(hours=7)
    afternoon = erp.add_customer(email="afternoon@harbor.example")

    stamps = {
        erp.table("AR_Customer").rows[erp.key_of("AR_Customer", key)]["TimeUpdated"] for key in (morning, afternoon)
    }
    assert max(stamps) == "8"  # as text
    assert [morning, afternoon] == keys_of(source.read("customers"))
    assert [afternoon] == keys_of(source.read("customers", Window(lower=NOON)))


def test_a_mark_of_another_source_is_refused(source):
    """A counter or a day is no moment."""
    for lower in (42, date(2026, 3, 1), "x"):
        with pytest.raises(ConfigurationError, match="another source"):
            list(source.read("customers", Window(lower=lower)))


def test_a_new_record_may_have_the_stamp_of_its_creation_alone(erp, source):
    """It counts as changed then."""
    key = erp.add_customer(email="a@harbor.example")
    row = erp.table("AR_Customer").rows[erp.key_of("AR_Customer", key)]
    for name in ("DateUpdated", "TimeUpdated", "UserUpdatedKey"):
        row[name] = ""

    (found,) = records_of(source.read("customers", Window(lower=NOON - timedelta(minutes=1)))).values()
    assert found.modified_at == NOON


def test_the_present_is_the_servers_wall_clock(source):
    """Aware UTC."""
    assert source.present("customers") == NOON


def test_the_present_is_told_apart_in_the_hour_that_comes_twice():
    """The agent says how far its wall clock is from Greenwich."""
    clock = FakeClock(AUTUMN)
    with site(clock=clock) as erp, source_of(erp) as source:
        for minutes in range(0, 240, 15):
            assert source.present("orders") == AUTUMN + timedelta(minutes=minutes)
            clock.advance(minutes=15)


@pytest.mark.parametrize("start", [20, 50, 80, 110])
@pytest.mark.parametrize("step", [7, 30, 55])
def test_nothing_is_lost_in_the_hour_that_comes_twice(start, step):
    """Whenever and however often one polls through the night, each change is met by a poll after it."""
    clock = FakeClock(AUTUMN)
    with site(clock=clock) as erp, source_of(erp) as source:
        poller = Poller(source)
        poller.poll()
        clock.advance(minutes=start)
        for number in range(24):
            key = erp.add_customer(f"{number}", email=f"c{number}@harbor.example")
            twin = erp.add_customer(f"9{number:03d}", email=f"t{number}@harbor.example")
            clock.advance(minutes=step / 2)
            erp.edit("AR_Customer", key, CustomerName="again")

            assert {key, twin} <= poller.poll()
            clock.advance(minutes=step / 2)
            assert poller.mark.value <= source.present("customers")


def test_a_mark_never_passes_the_present(erp, clock, source):
    """A stamp of a clock that is ahead is read, and asked for again until its time has come."""
    erp.add_customer(email="a@harbor.example")
    clock.advance(days=3)
    ahead = erp.add_customer(email="ahead@harbor.example")
    clock.advance(days=-3)
    poller = Poller(source)
    poller.poll()

    assert poller.mark.value == NOON
    assert ahead in poller.poll()


def test_ties_are_all_read(erp, source):
    """An import stamps many rows alike; pages part them by their keys."""
    keys = [erp.add_customer(email=f"c{number}@harbor.example") for number in range(11)]
    poller = Poller(source)

    assert set(keys) == poller.poll()
    assert set(keys) == poller.poll()


def test_a_bad_stamp_concerns_its_own_record(erp, source):
    """It is set aside with its reason, and the others move the mark."""
    bad = erp.add_customer("66", email="bad@harbor.example")
    good = erp.add_customer("77", email="good@harbor.example")
    erp.edit("AR_Customer", bad, stamp=False, TimeUpdated="24.5")
    pages = list(source.read("customers"))

    assert [good] == keys_of(pages)
    row = unreadable_in(pages)[bad]
    assert (row.reason, row.modified_at) == ("bad_time", None)
    assert "TimeUpdated" in row.message


# -- rows -----------------------------------------------------------------------------------------------------------


def test_rows_without_a_whole_key_are_set_aside(erp, source):
    """Nothing stops the rest of the page."""
    page = {
        "companyCode": "ABC",
        "records": [{"ARDivisionNo": "00"}, {"ARDivisionNo": "00", "CustomerNo": "A"}],
        "nextCursor": None,
    }
    erp.fail(path="/customers", status=200, body=page)
    pages = list(source.read("customers"))

    assert ["00-A"] == keys_of(pages)
    assert list(unreadable_in(pages)) == ["unknown"]


def test_fetch_gives_what_is_there_now(erp, source):
    """Keys that are gone, or none of this table, are absent."""
    key = erp.add_customer("01-A-B", name="Harbor Pumps", email="a@harbor.example")
    contact = erp.add_contact(key, "A/P DEPT", email="ap@harbor.example")
    invoice = erp.add_invoice(key, [("PUMP", "Pump", 1, 10)])
    gone = erp.add_customer(email="gone@harbor.example")
    erp.delete("AR_Customer", gone)

    assert [key] == keys_of(source.fetch("customers", [key, gone, "nonsense", contact]))
    assert [contact] == keys_of(source.fetch("contacts", [contact, key]))
    with source_of(erp, orders="invoices") as other:
        assert [invoice] == keys_of(other.fetch("orders", [invoice, "0100063", "0999999/000000"]))
    assert keys_of(source.fetch("customers", [])) == []


def test_documents_come_with_their_lines(erp):
    """Whichever table feeds the stream; what they add up to is the same."""
    customer = erp.add_customer("01-ABF", name="Harbor Pumps", email="a@harbor.example")
    number = erp.add_order(
        customer,
        [("PUMP", "Pump", 2, 50), (None, "Setup", 1, 25), {"ItemType": "4", "ItemCode": "/C", "CommentText": "Hello"}],
        freight=10,
        tax=8,
        discount=5,
        EmailAddress="buyer@harbor.example",
    )
    found = {}
    for orders in ("sales_orders", "order_history"):
        with source_of(erp, orders=orders) as source:
            (found[orders],) = records_of(source.read("orders")).values()
    invoice = erp.complete_order(number)
    with source_of(erp, orders="invoices") as source:
        (found["invoices"],) = records_of(source.read("orders")).values()
    with source_of(erp) as source:
        assert records_of(source.read("orders")) == {}
    with source_of(erp, orders="order_history") as source:
        (completed,) = records_of(source.read("orders")).values()

    for order in (*found.values(), completed):
        assert order.total == Decimal(138)
        assert (order.customer_key, order.email, order.final) == ("01-ABF", "buyer@harbor.example", True)
        assert [(line.product_key, line.quantity, line.amount) for line in order.lines] == [
            ("PUMP", 2, 100),
            ("", 1, 25),
        ]
    assert {name: order.key for name, order in found.items()} == {
        "sales_orders": number,
        "order_history": number,
        "invoices": invoice,
    }
    assert completed.status == "completed"


def test_kept_rows_are_read_whatever_feeds_orders_now(erp):
    """The columns tell which table a row comes from."""
    customer = erp.add_customer(email="a@harbor.example")
    erp.complete_order(erp.add_order(customer, [("PUMP", "Pump", 2, 50)]))
    erp.add_order(customer, [("PUMP", "Pump", 1, 50)])
    kept = []
    for orders in ("sales_orders", "order_history", "invoices"):
        with source_of(erp, orders=orders) as source:
            kept += records_of(source.read("orders")).values()
    with source_of(erp) as source:
        assert [record.kind for record in kept].count("invoice") == 1
        for record in kept:
            assert source.parse("orders", record.raw) == record


def test_a_kept_row_that_cannot_be_read_is_an_error_of_the_record(source):
    """As when it was read first."""
    with pytest.raises(MappingError, match="CustomerNo"):
        source.parse("customers", {"ARDivisionNo": "00"})


# -- sites' own columns ---------------------------------------------------------------------------------------------


def test_an_opt_out_is_a_column_of_customers(erp):
    """Its name belongs to one table; anything but a clear no is an opt-out."""
    yes = erp.add_customer(email="a@harbor.example", **{NO_MAIL: "Y"})
    no = erp.add_customer(email="b@harbor.example", **{NO_MAIL: "N"})
    erp.add_contact(yes, email="c@harbor.example")
    with source_of(erp, optout_field=NO_MAIL) as source:
        found = records_of(source.read("customers"))
        contacts = records_of(source.read("contacts"))

    assert (found[yes].opted_out, found[no].opted_out) == (True, False)
    assert not any(contact.opted_out for contact in contacts.values())


def test_an_opt_out_may_be_a_function(erp):
    """It judges rows of every table."""
    customer = erp.add_customer(email="a@harbor.example")
    erp.add_contact(customer, "X", email="nobody@harbor.example")
    with source_of(erp, optout_field=lambda row: row["EmailAddress"].startswith("nobody")) as source:
        (found,) = records_of(source.read("contacts")).values()

    assert found.opted_out


def test_an_opt_out_that_no_row_shows_ends_the_stream(erp):
    """An API that leaves the column out must not look like a site where nobody opted out."""
    page = {"companyCode": "ABC", "records": [{"ARDivisionNo": "00", "CustomerNo": "A"}], "nextCursor": None}
    erp.fail(path="/customers", status=200, body=page)
    with source_of(erp, optout_field=NO_MAIL) as source, pytest.raises(ContractError, match=f"without {NO_MAIL}"):
        list(source.read("customers"))


def test_the_placeholder_for_prospects_is_left_out(erp):
    """With its contacts and documents, also when they are asked for by key."""
    crowd = erp.add_customer("00-CRMPROS", name="Sage CRM Prospects", email="crm@harbor.example")
    other = erp.add_customer(email="a@harbor.example")
    people = [
        erp.add_contact(crowd, "X", email="x@harbor.example"),
        erp.add_contact(other, "Y", email="y@harbor.example"),
    ]
    orders = [erp.add_order(crowd, [("PUMP", "Pump", 1, 5)]), erp.add_order(other, [("PUMP", "Pump", 1, 5)])]
    with source_of(erp, api=agent_of(erp, page_size=1), exclude_keys=[crowd]) as source:
        assert [other] == keys_of(source.read("customers"))
        assert people[1:] == keys_of(source.read("contacts"))
        assert orders[1:] == keys_of(source.read("orders"))
        assert keys_of(source.fetch("customers", [crowd])) == []


def test_accounts_are_looked_up_by_the_keys_in_columns(erp):
    """As people write them; what is written out there already stays, and each account is asked for once."""
    account = erp.add_gl_account("4000-01-00")
    by_key = [erp.add_customer(email=f"c{number}@harbor.example", **{LEDGER: account}) for number in range(4)]
    blank = erp.add_customer(email="b@harbor.example")
    gone = erp.add_customer(email="g@harbor.example", **{LEDGER: "000009999"})
    with source_of(erp, gl_accounts=[f"{LEDGER}$"]) as source:
        found = records_of(source.read("customers"))
        again = records_of(source.fetch("customers", by_key))
        assert source.parse("customers", found[by_key[0]].raw).raw["GL_Account"] == {LEDGER: "4000-01-00"}

    assert {found[key].raw["GL_Account"][LEDGER] for key in by_key} == {"4000-01-00"}
    assert {record.raw["GL_Account"][LEDGER] for record in again.values()} == {"4000-01-00"}
    assert (found[blank].raw["GL_Account"], found[gone].raw["GL_Account"]) == ({LEDGER: ""}, {LEDGER: ""})
    assert len(asked(erp, "/gl-accounts")) == 2


def test_an_account_that_is_written_out_stays_as_it_is(erp):
    """Only nine digits are a key."""
    erp.add_customer(email="a@harbor.example", **{LEDGER: "4000-01"})
    with source_of(erp, gl_accounts=[LEDGER]) as source:
        (found,) = records_of(source.read("customers")).values()

    assert found.raw["GL_Account"] == {LEDGER: "4000-01"}
    assert asked(erp, "/gl-accounts") == []


def test_a_changed_chart_of_accounts_is_seen_by_the_next_reading(erp):
    """Accounts are remembered for one reading."""
    account = erp.add_gl_account("4000-01-00")
    erp.add_customer(email="a@harbor.example", **{LEDGER: account})
    with source_of(erp, gl_accounts=[LEDGER]) as source:
        list(source.read("customers"))
        erp.edit("GL_Account", account, FormattedAccount="4000-02-00")
        (found,) = records_of(source.read("customers")).values()

    assert found.raw["GL_Account"] == {LEDGER: "4000-02-00"}


def test_few_accounts_are_remembered(erp, monkeypatch):
    """However large the chart of accounts is; what was forgotten is asked for again."""
    monkeypatch.setattr(_ledger, "_MOST_REMEMBERED", 2)
    accounts = [erp.add_gl_account(f"4000-{number:02d}-00") for number in range(5)]
    keys = [erp.add_customer(email=f"{account}@harbor.example", **{LEDGER: account}) for account in accounts]
    with source_of(erp, api=agent_of(erp, page_size=1), gl_accounts=[LEDGER]) as source:
        found = records_of(source.read("customers"))

    written = [found[key].raw["GL_Account"][LEDGER] for key in keys]
    assert written == [f"4000-{number:02d}-00" for number in range(5)]


def test_a_renumbered_customer_is_another_one(erp, source):
    """The old key is gone, and no stamp tells: a full scan and a look by key do."""
    old = erp.add_customer("42", email="a@harbor.example")
    new = erp.renumber_customer(old, "77")

    assert [new] == keys_of(source.read("customers"))
    assert keys_of(source.fetch("customers", [old])) == []


def test_encrypted_customers_are_erased(erp, source):
    """And so are their contacts."""
    key = erp.add_customer(name="Harbor Pumps", email="a@harbor.example")
    erp.add_contact(key, "X", name="Ann Buyer", email="ann@harbor.example")
    erp.encrypt_pii(key)
    (customer,) = records_of(source.read("customers")).values()
    (contact,) = records_of(source.read("contacts")).values()

    assert (customer.erased, customer.email, customer.name) == (True, "", "")
    assert (contact.erased, contact.email, contact.name) == (True, "", "")


# -- checks ---------------------------------------------------------------------------------------------------------


def checked(source):
    """The rows of a check, by what was tried."""
    return {row.what: row for row in source.check()}


def test_a_site_in_order_passes_each_check(erp, clock):
    """A line each, in the order in which they are tried; no table is scanned."""
    erp.add_customer(email="a@harbor.example")
    with source_of(erp, optout_field=NO_MAIL) as source:
        source.attach(clock=clock)
        rows = checked(source)

    assert list(rows) == [
        "agent and token",
        "company ABC",
        "time zone",
        "clock",
        "stream customers",
        "stream contacts",
        "stream suppliers",
        "stream orders",
    ]
    assert [row for row in rows.values() if not row.ok] == []
    assert rows["company ABC"].detail == "Company ABC"
    assert len(erp.log) == 7
    assert all("limit" not in query for query in asked(erp, "/customers"))


def test_a_refused_token_ends_the_check(erp):
    """Nothing is tried after it."""
    with source_of(erp, api=agent_of(erp, token="not-the-token-at-all")) as source:
        (row,) = source.check()

    assert (row.ok, row.what) == (False, "agent and token")
    assert "settings" in row.cure
    assert len(erp.log) == 1


def test_a_wrong_company_ends_the_check(erp):
    """The companies that there are, are named."""
    with source_of(erp, company="XYZ") as source:
        last = list(source.check())[-1]

    assert (last.ok, last.what) == (False, "company XYZ")
    assert "ABC" in last.cure


def test_a_wrong_zone_is_told(erp, clock):
    """With the one that the server has; one that shows the same time is taken as right."""
    with source_of(erp, timezone="UTC") as source:
        last = list(source.check())[-1]
    with source_of(erp, timezone="US/Central") as source:
        source.attach(clock=clock)
        assert checked(source)["time zone"].ok

    assert (last.ok, last.what) == (False, "time zone")
    assert "timezone='America/Chicago'" in last.cure


def test_trouble_of_the_agent_with_sage_is_told(erp, source):
    """Before anything is tried that would repeat a refused logon."""
    assert erp.agent
    erp.user.password = "changed"
    list(source.check())
    failures = erp.user.failures
    source.close()
    (row,) = source.check()

    assert not row.ok
    assert "SAGE_LOGON_FAILED" in row.detail
    assert (failures, erp.user.failures) == (1, 1)


def test_clocks_that_differ_are_told(erp, clock, source):
    """Marks follow the server's."""
    source.attach(clock=FakeClock(NOON + timedelta(minutes=10)))
    row = checked(source)["clock"]

    assert not row.ok
    assert "600 s behind" in row.detail


def test_a_missing_right_is_told_for_its_stream(erp, clock, source):
    """The others are tried all the same."""
    source.attach(clock=clock)
    erp.user.deny("AP_Vendor_ui")
    rows = checked(source)

    assert not rows["stream suppliers"].ok
    assert rows["stream orders"].ok


def test_an_agent_that_does_not_tell_the_time_is_told(erp, source):
    """Marks need it."""
    erp.fail(path="/health", status=200, body={"status": "ok", "agentVersion": "0"})
    with pytest.raises(ContractError, match="time"):
        source.present("customers")


def test_an_older_agent_may_leave_the_offset_out(erp, source):
    """Then the configured zone tells it."""
    erp.fail(path="/health", status=200, body={"now": {"date": "20260310", "time": "12.5"}, "timeZone": "x"})

    assert source.present("customers") == datetime(2026, 3, 10, 17, 30, tzinfo=UTC)


def test_an_api_without_a_clock_is_no_trouble(erp):
    """Then nothing bounds a mark, and the check says so."""
    with source_of(erp) as source:
        source._connection.now = lambda *, retry=None: None
        assert source.present("customers") is None
        row = checked(source)["clock"]

    assert (row.ok, row.detail) == (True, "the server does not tell the time")


def test_records_compare_by_what_they_say(erp, source):
    """Reading twice gives the same."""
    erp.add_customer(email="a@harbor.example", name="Harbor Pumps")
    one, two = (records_of(source.read("customers")) for _ in range(2))

    assert one == two
    assert [attrs.asdict(record) for record in one.values()] == [attrs.asdict(record) for record in two.values()]
