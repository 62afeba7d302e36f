"""Stories that only Acumatica can tell: edits without a stamp, stamps that cannot be, statuses, credit memos."""

from __future__ import annotations

from datetime import timedelta

from mlconnector_sdk import SyncPolicy
from mlconnector_sdk.events import MarkHeldBack
from mlconnector_sdk.mapping import order_id


def test_an_edit_behind_the_companys_back_is_found(world):
    """A changed e-mail of the company, which does not stamp the customer, is found by the periodic full scan."""
    key = world.erp.add_customer("old@harbor-pumps.com")
    world.clock.advance(hours=1)
    world.erp.add_customer("later@harbor-pumps.com")
    world.run(streams=["customers"])
    world.clock.advance(hours=1)
    world.erp.fake.edit("Customer", key, **{"MainContact.Email": "new@harbor-pumps.com"})

    world.run(streams=["customers"])
    soon = world.status("new@harbor-pumps.com")
    report = world.run(streams=["customers"], later=60 * 25)

    assert soon is None
    assert report.streams["customers"].full
    assert world.status("new@harbor-pumps.com") == "subscribed"


def test_an_edit_of_the_primary_contact_reaches_its_customer(world):
    """A changed person is found in the contacts, and its customer is read again."""
    key = world.erp.add_customer("office@harbor-pumps.com")
    person = world.erp.fake.add_contact(first="Mary", last="Hara", account=key, primary=True)
    world.run(streams=["customers"])
    world.clock.advance(hours=1)
    world.erp.fake.edit("Contact", person, FirstName="Maria")

    world.run(streams=["customers"])

    assert world.mailchimp.members["office@harbor-pumps.com"].merge_fields["FNAME"] == "Maria"


def test_a_stamp_in_the_future_is_loaded_and_does_not_stop_later_changes(world):
    """A record dated ahead is loaded and reported, and what changes afterwards is still found."""
    keys = [world.erp.add_customer(f"c{number}@harbor-pumps.com") for number in range(3)]
    world.erp.fake.customers[keys[0]]["LastModifiedDateTime"] = world.clock() + timedelta(days=900)
    report = world.run(streams=["customers"])
    world.clock.advance(hours=2)
    world.erp.rename(keys[2], "Found")

    world.run(streams=["customers"])

    assert (3, 1) == (report.streams["customers"].created, report.streams["customers"].future)
    assert next(event.records for event in world.events if isinstance(event, MarkHeldBack)) == 1
    assert world.mailchimp.members["c2@harbor-pumps.com"].merge_fields["COMPANY"] == "Found"


def test_what_is_not_posted_is_left_out(world):
    """Balanced, held and pending invoices are skipped with a reason; credit memos by policy."""
    customer = world.erp.add_customer("buyer@harbor-pumps.com")
    for status in ("Balanced", "On Hold", "Pending Approval"):
        world.erp.add_order(customer, status=status)
    world.erp.add_order(customer, type="Credit Memo", status="Open")

    report = world.run()

    assert {"not_posted": 3, "credit_memo": 1} == dict(report.streams["orders"].reasons)
    assert world.mailchimp.orders == {}


def test_a_credit_memo_can_refund_the_order_it_corrects(world):
    """With `credit_memos="refund"` a full credit marks the corrected order as refunded, a smaller one as partly so."""
    policy = SyncPolicy(credit_memos="refund")
    customer = world.erp.add_customer("buyer@harbor-pumps.com")
    whole = world.erp.add_order(customer, [("A", "Anchor", 1, 100)])
    part = world.erp.add_order(customer, [("A", "Anchor", 1, 100)])
    world.run(policy=policy)
    for key, price in ((whole, 100), (part, 40)):
        line = {"InventoryID": "A", "TransactionDescr": "Anchor", "Qty": 1, "UnitPrice": price, "Amount": price}
        origin = {"OrigInvType": "Invoice", "OrigInvNbr": key.split("/")[1]}
        world.erp.add_order(customer, [{**line, **origin}], type="Credit Memo")

    world.run(policy=policy)

    assert "refunded" == world.mailchimp.orders[order_id(whole)]["financial_status"]
    assert "partially_refunded" == world.mailchimp.orders[order_id(part)]["financial_status"]
