"""Stories that only Sage 100 can tell: the flag, erasure, accounts, the hour that comes twice, credit memos."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from mlconnector_sdk import GLAccountFormat, Mapping, MemberMapping, SyncPolicy
from mlconnector_sdk.mapping import order_id
from mlconnector_sdk.retry import RetryPolicy
from tests.scenarios._sage100_end import LEDGER, NO_MAIL
from tests.scenarios._worlds import World

FLAGGING = SyncPolicy(on_unsubscribe="flag_source")


@pytest.fixture
def world() -> Iterator[World]:
    """An empty company, an empty audience, and the state between them."""
    with World("sage100 agent") as world:
        yield world


def flagging(world, **settings):
    """A source that may set the do-not-mail column."""
    return world.erp.source(flag_field=NO_MAIL, **settings)


def flag_of(world, key):
    """What the customer's do-not-mail column holds."""
    fake = world.erp.fake
    return fake.table("AR_Customer").rows[fake.key_of("AR_Customer", key)][NO_MAIL]


# -- consent --------------------------------------------------------------------------------------------------------


def test_an_unsubscribe_is_written_to_the_customer(world):
    """Its do-not-mail column is set once, and the echo of our own change costs nothing."""
    key = world.erp.add_customer("left@harbor-pumps.com")
    other = world.erp.add_customer("stays@harbor-pumps.com")
    world.erp.add_contact("left@harbor-pumps.com", account=key)
    world.run()
    world.mailchimp.unsubscribe("left@harbor-pumps.com")
    world.run(source=flagging(world), policy=FLAGGING)
    before = len(world.writes)

    report = world.run(source=flagging(world), policy=FLAGGING)

    assert report.ok, str(report)
    assert (flag_of(world, key), flag_of(world, other)) == ("Y", "")
    assert [entry.method for entry in world.erp.fake.writes] == ["PATCH"]
    assert world.writes[before:] == []
    assert world.status("left@harbor-pumps.com") == "unsubscribed"


def test_a_customer_open_on_somebodys_screen_is_flagged_later(world):
    """The run goes on without it, and a later one sets the flag."""
    key = world.erp.add_customer("left@harbor-pumps.com")
    world.run(streams=["customers"])
    world.mailchimp.unsubscribe("left@harbor-pumps.com")
    world.erp.fake.lock_record(key)
    source = flagging(world, retry=RetryPolicy.immediate(1))
    held = world.run(source=source, policy=FLAGGING, streams=["customers"])
    world.erp.fake.unlock_record(key)

    freed = world.run(source=flagging(world), policy=FLAGGING, streams=["customers"])

    assert held.streams["flags"].reasons == {"locked": 1}
    assert held.streams["customers"].error == ""
    assert freed.ok, str(freed)
    assert flag_of(world, key) == "Y"


def test_an_opt_out_in_sage_unsubscribes(world):
    """The column is as good as the person's own word."""
    key = world.erp.add_customer("quiet@harbor-pumps.com")
    world.run(streams=["customers"])
    world.erp.fake.edit("AR_Customer", key, **{NO_MAIL: "Y"})

    world.run(streams=["customers"])

    assert world.status("quiet@harbor-pumps.com") == "unsubscribed"


def test_an_encrypted_customer_is_erased(world):
    """Customer and contacts leave for good, whatever the policy says, and nobody comes back under the address."""
    key = world.erp.add_customer("office@harbor-pumps.com", name="Harbor Pumps")
    world.erp.add_contact("mary@harbor-pumps.com", account=key)
    world.erp.add_customer("stays@harbor-pumps.com")
    world.run()
    world.erp.fake.encrypt_pii(key)
    lazy = SyncPolicy(inactive="ignore")
    world.run(policy=lazy)
    before = len(world.writes)
    world.erp.add_customer("office@harbor-pumps.com", name="Back Again")

    report = world.run(policy=lazy)

    assert report.ok, str(report)
    assert {"office@harbor-pumps.com", "mary@harbor-pumps.com"} == set(world.mailchimp.forgotten)
    assert world.status("stays@harbor-pumps.com") == "subscribed"
    assert world.writes[before:] == []


def test_an_erased_customer_leaves_a_shared_address_to_the_other(world):
    """The member stays, as somebody else's."""
    first = world.erp.add_customer("shared@harbor-pumps.com", name="First")
    world.erp.add_customer("shared@harbor-pumps.com", name="Second")
    world.run(streams=["customers"])
    world.erp.fake.encrypt_pii(first)

    world.run(streams=["customers"])

    member = world.mailchimp.members["shared@harbor-pumps.com"]
    assert (member.status, member.merge_fields["COMPANY"]) == ("subscribed", "Second")


# -- data -----------------------------------------------------------------------------------------------------------


def test_the_first_of_several_addresses_is_the_members(world):
    """People write all recipients of a document into one field."""
    world.erp.add_customer("n/a; Office@Harbor-Pumps.com, owner@harbor-pumps.com")

    report = world.run(streams=["customers"])

    assert report.ok, str(report)
    assert list(world.mailchimp.members) == ["office@harbor-pumps.com"]


def test_the_segments_of_an_account_fill_a_merge_field_and_a_tag(world):
    """The account behind a customer's key is looked up, cut into segments and mapped; a changed one is followed."""
    ledger = GLAccountFormat("NNNN-NN-NN", dimensions=["account", "branch", "department"])

    def branch_of(customer):
        text = customer.raw["GL_Account"][LEDGER]
        return ledger.parse(text).segments["branch"] if text else ""

    members = MemberMapping(
        merge_fields={"COMPANY": "name", "BRANCH": branch_of},
        tags=[lambda customer: f"branch {branch_of(customer)}" if branch_of(customer) else None],
    )
    settings = {"mapping": Mapping(members=members), "streams": ["customers"]}
    north, south = (world.erp.fake.add_gl_account(f"4000-{branch}-00") for branch in ("01", "02"))
    key = world.erp.add_customer("office@harbor-pumps.com")
    world.erp.fake.edit("AR_Customer", key, **{LEDGER: north})
    world.erp.add_customer("none@harbor-pumps.com")
    world.run(source=world.erp.source(gl_accounts=[LEDGER]), **settings)
    member = world.mailchimp.members["office@harbor-pumps.com"]
    first = (member.merge_fields["BRANCH"], set(member.tags))
    world.erp.fake.edit("AR_Customer", key, **{LEDGER: south})

    report = world.run(source=world.erp.source(gl_accounts=[LEDGER]), **settings)

    member = world.mailchimp.members["office@harbor-pumps.com"]
    assert report.ok, str(report)
    assert first == ("01", {"branch 01"})
    assert (member.merge_fields["BRANCH"], set(member.tags)) == ("02", {"branch 02"})
    assert world.mailchimp.members["none@harbor-pumps.com"].merge_fields["BRANCH"] == ""


def test_a_renumbered_customer_keeps_its_member(world):
    """No stamp tells: a full scan finds the new number, which takes the member over."""
    key = world.erp.add_customer("office@harbor-pumps.com", name="Harbor Pumps")
    for number in range(3):
        world.erp.add_customer(f"c{number}@harbor-pumps.com")
    world.run(streams=["customers"])
    new = world.erp.fake.renumber_customer(key, "7777")

    report = world.run(streams=["customers"], full=True)

    member = world.mailchimp.members["office@harbor-pumps.com"]
    assert report.ok, str(report)
    assert (member.status, member.merge_fields["ERPID"]) == ("subscribed", new)


def test_the_crowd_of_prospects_is_nobody(world):
    """The customer under which Sage CRM keeps its prospects becomes no member, and an earlier one leaves."""
    crowd = world.erp.add_customer("crm@harbor-pumps.com", key="CRMPROS")
    world.erp.add_customer("office@harbor-pumps.com")
    world.run(streams=["customers"])

    world.run(source=world.erp.source(exclude_keys=[crowd]), streams=["customers"], full=True)

    assert world.status("crm@harbor-pumps.com") == "unsubscribed"
    assert world.status("office@harbor-pumps.com") == "subscribed"


# -- orders ---------------------------------------------------------------------------------------------------------


def test_quotes_are_no_orders(world):
    """They stand among the orders until somebody makes one of them."""
    customer = world.erp.add_customer("office@harbor-pumps.com")
    quote = world.erp.add_order(customer, OrderType="Q")
    settings = {"source": world.erp.source(orders="sales_orders")}
    report = world.run(**settings)
    before = dict(world.mailchimp.orders)
    world.erp.fake.edit("SO_SalesOrderHeader", quote, OrderType="S")

    world.run(source=world.erp.source(orders="sales_orders"))

    assert report.streams["orders"].reasons == {"not_posted": 1}
    assert before == {}
    assert order_id(quote) in world.mailchimp.orders


def test_an_order_is_followed_into_history(world):
    """Entered, changed, shipped and invoiced: one order in the store, with what it came to."""
    customer = world.erp.add_customer("office@harbor-pumps.com")
    key = world.erp.add_order(customer, [("PUMP-1", "Pump", 2, 50), ("HOSE-1", "Hose", 1, 20)], freight=5, tax=8)
    world.run()
    world.erp.fake.edit("SO_SalesOrderDetail", (key, "000001"), QuantityOrdered=3)
    world.run()
    world.erp.fake.complete_order(key)

    report = world.run()

    (order,) = world.mailchimp.orders.values()
    assert report.ok, str(report)
    assert {line["product_id"]: line["quantity"] for line in order["lines"]} == {"PUMP-1": 3, "HOSE-1": 1}
    assert order["order_total"] == 183.0


def test_a_deleted_order_is_cancelled(world):
    """History keeps it, and says so."""
    customer = world.erp.add_customer("office@harbor-pumps.com")
    key = world.erp.add_order(customer)
    world.run()
    world.erp.fake.delete("SO_SalesOrderHeader", key)

    world.run()

    assert world.mailchimp.orders[order_id(key)].get("cancelled_at_foreign")


def test_a_credit_memo_refunds_its_invoice(world):
    """With the policy for it, the invoice it is applied to is marked."""
    customer = world.erp.add_customer("office@harbor-pumps.com")
    lines = [("PUMP-1", "Pump", 2, 50)]
    invoice = world.erp.fake.add_invoice(customer, lines)
    settings = {"policy": SyncPolicy(credit_memos="refund")}
    world.run(source=world.erp.source(orders="invoices"), **settings)
    number = invoice.partition("/")[0]
    world.erp.fake.add_invoice(customer, [("PUMP-1", "Pump", -2, 50)], type="CM", ApplyToInvoiceNo=number)

    report = world.run(source=world.erp.source(orders="invoices"), **settings)

    assert report.ok, str(report)
    assert world.mailchimp.orders[order_id(invoice)]["financial_status"] == "refunded"


# -- time -----------------------------------------------------------------------------------------------------------


def test_no_change_is_lost_in_the_hour_that_comes_twice(world):
    """A run every half hour through the night on which clocks are set back brings each change with the next run."""
    world.clock.advance(seconds=(datetime(2026, 11, 1, 5, tzinfo=UTC) - world.clock()).total_seconds())
    key = world.erp.add_customer("busy@harbor-pumps.com", name="At First")
    for number in range(9):
        world.erp.add_customer(f"c{number}@harbor-pumps.com")
        world.erp.rename(key, f"Change {number}")

        report = world.run(streams=["customers"], later=30)

        assert report.ok, str(report)
        assert world.status(f"c{number}@harbor-pumps.com") == "subscribed"
        assert world.mailchimp.members["busy@harbor-pumps.com"].merge_fields["COMPANY"] == f"Change {number}"


def test_an_agent_that_is_restarted_meanwhile_loses_nothing(world):
    """Its listings are gone with it, and are begun again."""
    keys = [world.erp.add_customer(f"c{number}@harbor-pumps.com") for number in range(200)]
    pages = []

    def restart(request) -> None:
        if world.erp.lists_customers(request):
            pages.append(request.raw_path)
            if len(pages) == 3:
                world.erp.fake.restart_agent()

    world.erp.fake.before_each.append(restart)
    report = world.run(streams=["customers"])

    assert report.ok, str(report)
    assert len(world.mailchimp.members) == len(keys)
    assert len(pages) > 4
