"""The records of a fake Sage 100: keys, stamps, order, what its verbs do to tables, and its doors."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import httpx
import pytest

from mlconnector_sdk.testing import FakeClock, FakeSage100, Reply, Request
from mlconnector_sdk.testing.fakes._sage100_data import decimal_hours
from mlconnector_sdk.testing.fakes._sage100_rules import SageRefusal, check_value, label_of
from mlconnector_sdk.testing.fakes._sage100_site import Sage100Site
from mlconnector_sdk.testing.fakes._sage100_wsgi import call_wsgi

LINES = [("A-1", "Apple", 2, "3.50"), (None, "Engraving", 1, 10), {"ItemType": "4", "CommentText": "Ring twice"}]
ORDER, ORDER_LINE = "SO_SalesOrderHeader", "SO_SalesOrderDetail"
HISTORY, HISTORY_LINE = "SO_SalesOrderHistoryHeader", "SO_SalesOrderHistoryDetail"


@pytest.fixture(name="clock")
def _clock():
    return FakeClock(datetime(2026, 3, 2, 15, 30, tzinfo=UTC))


@pytest.fixture(name="erp")
def _erp(clock):
    return FakeSage100(clock=clock, udfs={"AR_Customer": {"UDF_DO_NOT_EMAIL": "Y/N", "UDF_SCORE": "6.2"}})


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("42", "00-0000042"),
        ("01-42", "01-0000042"),
        ("01-abf", "01-ABF"),
        ("12345678", "00-12345678"),
        ("A-B", "00-A-B"),
    ],
)
def test_customers_are_numbered_as_sage_numbers_them(erp, given, key):
    """Numbers of digits get zeros up to seven, others capitals; the division is told by the dash behind it."""
    assert key == erp.add_customer(given)
    assert erp.key_of("AR_Customer", key) in erp.table("AR_Customer").rows


def test_numbers_are_handed_out_once(erp):
    """The next number is one that no customer of any division has, and none comes twice."""
    erp.add_customer("01-0000002")

    numbers = [erp.add_customer() for _ in range(3)]
    erp.delete("AR_Customer", numbers[-1])

    assert ["00-0000001", "00-0000003", "00-0000004"] == numbers
    assert "00-0000005" == erp.add_customer()


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ((15, 30, 0), "15.5"),
        ((8, 29, 33), "8.4925"),
        ((0, 0, 0), "0"),
        ((10, 0, 0), "10"),
        ((17, 0, 30), "17.00833"),
        ((23, 59, 59, 990_000), "23.99999"),
    ],
)
def test_times_are_decimal_hours_without_padding(moment, text):
    """A time of day is up to five decimals of an hour, and never the next day."""
    assert text == decimal_hours(datetime(2026, 3, 2, *moment))


def test_stamps_are_the_sites_wall_clock(erp, clock):
    """A new record has both stamps, an edit moves the second; both by the zone's clock, with the user's key."""
    key = erp.add_customer("42")
    clock.advance(hours=10, seconds=33)
    erp.edit("AR_Customer", key, EmailAddress="a@b.org")

    row = erp.table("AR_Customer").rows["00", "0000042"]
    assert ("20260302", "9.5", "0000000002") == (row["DateCreated"], row["TimeCreated"], row["UserCreatedKey"])
    assert ("20260302", "19.50917", "0000000002") == (row["DateUpdated"], row["TimeUpdated"], row["UserUpdatedKey"])


def test_a_fresh_record_may_have_the_first_stamps_alone(erp):
    """Where a site does so, nothing but the creation is stamped, until the first edit."""
    erp.site.stamps.created_only = True
    key = erp.add_customer("42")
    row = erp.table("AR_Customer").rows["00", "0000042"]
    fresh = row["DateUpdated"], row["TimeUpdated"], row["UserUpdatedKey"]
    erp.edit("AR_Customer", key, City="Leeds")

    assert ("", "", "") == fresh
    assert "9.5" == row["TimeUpdated"]


def test_some_changes_are_not_stamped(erp, clock):
    """A posting and a new number move no stamp."""
    key = erp.add_customer("42")
    erp.add_contact(key, "A. BUYER")
    clock.advance(minutes=30)
    erp.edit("AR_Customer", key, stamp=False, CurrentBalance=5)

    assert "01-NEW" == erp.renumber_customer(key, "01-new")

    row = erp.table("AR_Customer").rows["01", "NEW"]
    assert ("9.5", Decimal("5.00")) == (row["TimeUpdated"], row["CurrentBalance"])
    assert [("01", "NEW", "A. BUYER")] == list(erp.table("AR_CustomerContact").rows)


def test_tables_have_blanks_and_no_nulls(erp):
    """What nobody filled in reads as blank or zero, in the site's own columns too; unknown names are errors."""
    erp.add_customer("42", name="Łódź Köln Ltd", State="Wisconsin", CreditLimit="12.345", UDF_SCORE=None)
    row = erp.table("AR_Customer").rows["00", "0000042"]

    assert ("", Decimal(0), Decimal(0), "") == (
        row["City"],
        row["OpenOrderAmt"],
        row["UDF_SCORE"],
        row.get("UDF_DO_NOT_EMAIL"),
    )
    assert ("?ód? Köln Ltd", "Wi", Decimal("12.34")) == (row["CustomerName"], row["State"], row["CreditLimit"])
    assert row.get("Nothing") is None
    with pytest.raises(KeyError):
        row["Nothing"]
    with pytest.raises(KeyError):
        erp.edit("AR_Customer", "42", Nothing=1)
    with pytest.raises(KeyError, match="43"):
        erp.edit("AR_Customer", "43", City="Leeds")


def test_what_does_not_fit_is_kept(erp):
    """A malformed value can be put into a record, and stays as it is."""
    key = erp.add_customer("42", CreditLimit="much", DateEstablished="2026-3-1")

    row = erp.table("AR_Customer").rows[erp.key_of("AR_Customer", key)]
    assert ("much", "2026-3-1") == (row["CreditLimit"], row["DateEstablished"])


def test_records_are_walked_in_the_order_of_their_keys(erp):
    """Order, neighbours and groups follow the key, whatever came first and whatever went."""
    for number in ("B", "42", "01-A", "A", "7"):
        erp.add_customer(number)
    table = erp.table("AR_Customer")
    before = [row["CustomerNo"] for row in table.in_order()]
    erp.delete("AR_Customer", "00-A")

    assert ["0000007", "0000042", "A", "B", "A"] == before
    assert ["0000007", "0000042", "B", "A"] == [row["CustomerNo"] for row in table.in_order()]
    assert ("00", "B") == table.after(("00", "0000042"))
    assert ("00", "B") == table.after(("00", "A"))
    assert table.after(("01", "A")) is None
    assert ["0000007", "0000042", "B"] == [row["CustomerNo"] for row in table.starting_with("00")]
    assert "01A" + "\0" * 19 == table.raw_key(("01", "A"))


def test_an_order_has_lines_totals_and_a_shadow_in_history(erp):
    """Amounts add up from the lines, comments count nothing, and history shows the order as active."""
    customer = erp.add_customer("42", name="Harbor", email="a@b.org")
    number = erp.add_order(customer, LINES, freight=5, tax="1.10", discount=2, CustomerPONo="PO-1")

    order = erp.table(ORDER).rows[number,]
    lines = erp.table(ORDER_LINE).starting_with(number)
    assert ("0000001", Decimal("17.00"), "Harbor", "a@b.org") == (
        number,
        order["TaxableAmt"],
        order["BillToName"],
        order["EmailAddress"],
    )
    assert [("000001", "1", Decimal("7.00")), ("000002", "5", Decimal("10.00")), ("000003", "4", Decimal(0))] == [
        (line["LineKey"], line["ItemType"], line["ExtensionAmt"]) for line in lines
    ]
    assert "Apple" == erp.table("CI_Item").rows["A-1",]["ItemCodeDesc"]
    assert ("A", "PO-1") == (
        erp.table(HISTORY).rows[number,]["OrderStatus"],
        erp.table(HISTORY).rows[number,]["CustomerPONo"],
    )
    assert Decimal(2) == erp.table(HISTORY_LINE).starting_with(number)[0]["QuantityOrderedOriginal"]


def test_a_changed_line_stamps_its_order(erp, clock):
    """Lines have no stamps of their own: editing or dropping one moves the header's, totals and history with it."""
    number = erp.add_order(erp.add_customer("42"), LINES)
    clock.advance(minutes=30)
    erp.edit(ORDER_LINE, (number, "000001"), QuantityOrdered=4)
    edited = dict(erp.table(ORDER).rows[number,])
    clock.advance(minutes=30)
    erp.delete(ORDER_LINE, (number, "000002"))

    order = erp.table(ORDER).rows[number,]
    kept = erp.table(HISTORY_LINE).starting_with(number)
    assert ("10", Decimal("24.00")) == (edited["TimeUpdated"], edited["TaxableAmt"])
    assert ("10.5", Decimal("14.00")) == (order["TimeUpdated"], order["TaxableAmt"])
    assert (Decimal(2), Decimal(4)) == (kept[0]["QuantityOrderedOriginal"], kept[0]["QuantityOrderedRevised"])
    assert ["N", "Y", "N"] == [line["CancelledLine"] for line in kept]


def test_a_complete_order_moves_to_history_and_is_invoiced(erp, clock):
    """It leaves the open orders with its lines; history has its status, amount and invoice; the invoice its lines."""
    number = erp.add_order(erp.add_customer("42"), LINES, freight=5, tax=1, discount=3)
    clock.advance(hours=1)
    key = erp.complete_order(number, date=date(2026, 3, 2))

    history = erp.table(HISTORY).rows[number,]
    invoice = erp.table("AR_InvoiceHistoryHeader").rows[erp.key_of("AR_InvoiceHistoryHeader", key)]
    lines = erp.table("AR_InvoiceHistoryDetail").starting_with(*key.split("/"))
    assert "0000001/000000" == key
    assert ([], []) == (list(erp.table(ORDER).rows), list(erp.table(ORDER_LINE).rows))
    assert ("C", Decimal("20.00"), "0000001", "10.5") == (
        history["OrderStatus"],
        history["InvoicedAmt"],
        history["LastInvoiceNo"],
        history["TimeUpdated"],
    )
    assert ("S/O", "IN", number, Decimal("17.00"), Decimal("5.00")) == (
        invoice["ModuleCode"],
        invoice["InvoiceType"],
        invoice["SalesOrderNo"],
        invoice["TaxableSalesAmt"],
        invoice["FreightAmt"],
    )
    assert [Decimal(2), Decimal(1), Decimal(0)] == [line["QuantityShipped"] for line in lines]
    assert Decimal(2) == erp.table(HISTORY_LINE).starting_with(number)[0]["QuantityShipped"]


def test_a_deleted_order_stays_in_history_if_there_is_one(erp):
    """Deleted orders get a status of their own; a company that keeps no history has nothing left of them."""
    customer = erp.add_customer("42")
    kept, quote = erp.add_order(customer, LINES), erp.add_order(customer, LINES, OrderType="Q")
    erp.company.retains_history = False
    lost = erp.add_order(customer, LINES)
    erp.company.retains_history = True
    erp.delete(ORDER, kept)
    erp.edit(ORDER, quote, CustomerPONo="X")
    erp.company.retains_history = False
    erp.delete(ORDER, lost)
    erp.delete(ORDER_LINE, (quote, "000001"))

    assert {kept: "X", quote: "Q"} == {row["SalesOrderNo"]: row["OrderStatus"] for row in erp.table(HISTORY).in_order()}


def test_an_invoice_number_alone_is_not_unique(erp):
    """A second document under the number gets the next header sequence; credit memos are told by their type."""
    customer = erp.add_customer("42")
    keys = [
        erp.add_invoice(customer, LINES, number="100"),
        erp.add_invoice(customer, [("A-1", "Apple", -1, "3.50")], number="100", type="CM"),
    ]

    rows = list(erp.table("AR_InvoiceHistoryHeader").in_order())
    assert ["0000100/000000", "0000100/000001"] == keys
    assert [("IN", Decimal("17.00")), ("CM", Decimal("-3.50"))] == [
        (row["InvoiceType"], row["TaxableSalesAmt"]) for row in rows
    ]


def test_encrypting_leaves_nobody_to_write_to(erp):
    """The customer is inactive, says when it was encrypted, and neither it nor its contacts have names or addresses."""
    key = erp.add_customer("42", name="Harbor", email="a@b.org")
    erp.add_contact(key, name="Ann Buyer", email="ann@b.org", primary=True)
    erp.encrypt_pii(key)

    row = erp.table("AR_Customer").rows["00", "0000042"]
    contact = erp.table("AR_CustomerContact").rows["00", "0000042", "ANN BUYER"]
    assert ("I", "20260302", "", "", "ANN BUYER") == (
        row["CustomerStatus"],
        row["PIIEncryptedDate"],
        row["CustomerName"],
        row["EmailAddress"],
        row["ContactCode"],
    )
    assert ("", "") == (contact["ContactName"], contact["EmailAddress"])
    assert contact["EncryptedVals"]


def test_contacts_vendors_and_accounts_have_their_keys(erp):
    """Contacts hang on their customer and go with it; accounts have a surrogate key and two spellings."""
    customer = erp.add_customer("42")
    contact = erp.add_contact(customer, "A/B BUYER", name="Ann")
    vendor = erp.add_vendor(email="v@b.org")
    account = erp.add_gl_account("4000-01-00")

    assert ("00-0000042/A/B BUYER", "00-0000001") == (contact, vendor)
    assert ("00", "0000042", "A/B BUYER") == erp.key_of("AR_CustomerContact", contact)
    row = erp.table("GL_Account").rows[account,]
    assert ("000000001", "40000100", "4000-01-00") == (account, row["RawAccount"], row["FormattedAccount"])
    erp.delete("AR_Customer", customer)
    assert {} == erp.table("AR_CustomerContact").rows


def test_companies_have_records_of_their_own(clock):
    """Each company is a database of its own; verbs act on the one chosen, and codes have three characters."""
    erp = FakeSage100(clock=clock, companies=("TST",))
    erp.add_customer("42")
    erp.company = erp.site.companies["TST"]
    erp.add_customer("43")

    assert [("00", "0000042")] == list(erp.site.companies["ABC"].tables["AR_Customer"].rows)
    assert [("00", "0000043")] == list(erp.table("AR_Customer").rows)
    assert ["ABC", "TST"] == [row["CompanyCode"] for row in erp.table("SY_Company").in_order()]
    with pytest.raises(ValueError, match="company code"):
        erp.site.add_company("MAS_ABC")


def test_users_are_locked_out_by_wrong_passwords():
    """A right password clears the count; too many wrong ones lock the user, whose row says so."""
    site = Sage100Site()
    user = site.add_user("sync", "secret")
    site.lock_after = 2
    first = [site.authenticate("sync", "x"), site.authenticate("sync", "secret"), site.authenticate("sync", "x")]
    locked_yet = user.locked
    last = [site.authenticate("sync", "x"), site.authenticate("sync", "secret"), site.authenticate("nobody", "x")]

    assert [None, user, None] == first
    assert not locked_yet
    assert [None, None, None] == last
    assert "Y" == site.tables["SY_User"].rows[user.key,]["Locked"]
    user.locked = False
    assert user is site.authenticate("sync", "secret")
    user.active = False
    assert site.authenticate("sync", "secret") is None


def test_rights_seats_and_locks():
    """Roles forbid single rights; seats run out and come back; a record has one holder."""
    site = Sage100Site(seats=1)
    user, company = site.add_user("sync", "secret"), site.companies["ABC"]
    user.deny("AR_Customer_ui", "Modify")
    partly = user.may("AR_Customer_ui"), user.may("AR_Customer_ui", "Modify"), user.may_open("AR_Customer_ui")
    user.deny("AR_Customer_ui")
    nothing = user.may_open("AR_Customer_ui")
    user.allow("AR_Customer_ui", "View")

    assert (True, False, True) == partly
    assert (False, True) == (nothing, user.may("AR_Customer_ui"))
    assert [True, True, False] == [site.take_seat(one) for one in ("a", "a", "b")]
    site.leave_seat("a")
    assert site.take_seat("b")
    key = ("00", "0000042")
    assert [True, True, False] == [company.lock("AR_Customer", key, by) for by in ("MARY", "MARY", "JIM")]
    assert "MARY" == company.holder("AR_Customer", key)
    company.unlock("AR_Customer", key)
    assert company.holder("AR_Customer", key) is None


@pytest.mark.parametrize(
    ("column", "value", "code", "text"),
    [
        ("State", "WIS", "CI_CharLength", "The State is greater than 2 character(s)."),
        ("CreditHold", "", "", "The Credit Hold failed validation on Y,N."),
        ("ZipCode", "00000", "CI_NOF", "The ZIP Code is not on file."),
        ("CurrentBalance", Decimal(1), "", "The Current Balance is read only."),
        ("DateUpdated", "20260101", "", "The Date Updated is read only."),
    ],
)
def test_values_are_refused_in_sages_words(erp, column, value, code, text):
    """Length, choices, validation tables and read-only columns each have their code and text."""
    table = erp.table("AR_Customer")
    with pytest.raises(SageRefusal) as refused:
        check_value(erp.company, "AR_Customer", table.columns[column], value)

    assert (code, text) == (refused.value.code, refused.value.reason)
    erp.company.codes["ZipCode"].add("00001")
    check_value(erp.company, "AR_Customer", table.columns["ZipCode"], "00001")
    check_value(erp.company, "AR_Customer", table.columns["CreditLimit"], Decimal(5))
    assert "Default Payment Type" == label_of("DefaultPaymentType")


def test_made_up_companies_are_the_same_for_the_same_seed(clock):
    """The same seed and present make the same records, of every kind, with oddities in them."""
    first, second = (FakeSage100(120, contacts=150, vendors=20, orders=60, invoices=20, clock=clock) for _ in range(2))

    for name, table in first.company.tables.items():
        assert table.rows == second.table(name).rows
    rows = list(first.table("AR_Customer").rows.values())
    assert 120 == len(rows)
    assert {"A", "I", "T"} == {row["CustomerStatus"] for row in rows}
    assert any(";" in row["EmailAddress"] for row in rows)
    assert any(row["DateUpdated"] == "" for row in rows)
    assert {"00", "01"} == {row["ARDivisionNo"] for row in rows}
    assert 150 == len(first.table("AR_CustomerContact"))
    assert 60 == len(first.table(HISTORY)) > len(first.table(ORDER)) > 20
    assert max(row["DateUpdated"] for row in rows) <= "20260302"


def test_an_agent_of_ones_own_answers_below_its_mount(clock):
    """The application gets path, query, headers and body as WSGI has them; faults and log apply to it."""

    def agent(fake):
        def application(environ, start_response):
            asked = environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["QUERY_STRING"], environ["HTTP_X_ONE"]
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            start_response("201 Created", [("Content-Type", "text/plain"), ("X-Who", fake.user.logon)])
            return [" ".join(asked).encode(), b" ", body]

        return application

    with FakeSage100(clock=clock, agent=agent) as erp:
        erp.fail_next(503, path="/sage100/v1")
        first = httpx.post(f"{erp.agent_url}/x")
        answer = httpx.post(f"{erp.agent_url}/a%20b?c=d", content=b"body", headers={"X-One": "1"})
        elsewhere = httpx.get(f"{erp.url}/sage100/v2")

    assert (503, 201, 404) == (first.status_code, answer.status_code, elsewhere.status_code)
    assert ("/sage100/v1 /a b c=d 1 body", "mcsync") == (answer.text, answer.headers["X-Who"])
    assert 3 == len(erp.log)


def test_a_wsgi_application_may_write_and_must_answer():
    """The older way of writing works, what it opened is closed, and silence is an error of the application."""
    closed = []

    class Chunks(list):
        def close(self):
            closed.append(True)

    def writing(environ, start_response):
        start_response("200 OK", [("Content-Length", "3")])(b"a")
        return Chunks([b"b", b"c"])

    request = Request(method="GET", raw_path="/m/x", headers={})
    reply = call_wsgi(writing, request, mount="/m", port=80)

    assert (Reply(200, b"abc"), [True]) == (reply, closed)
    with pytest.raises(RuntimeError, match="start_response"):
        call_wsgi(lambda environ, start_response: [], request, mount="/m", port=80)


def test_the_reference_agent_answers_if_no_other_is_given(clock):
    """It shows the site's records under the fake's token, and its seat is free again when the fake stops."""
    with FakeSage100(3, clock=clock) as erp:
        headers = {"Authorization": f"Bearer {erp.agent_token}"}
        answer = httpx.get(f"{erp.agent_url}/companies/ABC/customers", headers=headers)
        refused = httpx.get(f"{erp.agent_url}/health")
        seated = len(erp.site.seated)
        erp.restart_agent()
        again = httpx.get(f"{erp.agent_url}/companies", headers=headers)

    assert (200, 401, 200) == (answer.status_code, refused.status_code, again.status_code)
    assert 3 == len(answer.json()["records"])
    assert (1, 0) == (seated, len(erp.site.seated))
