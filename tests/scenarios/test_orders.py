"""Orders and posted invoices on their way to the store."""

from __future__ import annotations

import pytest

from mlconnector_sdk.mapping import order_id
from tests.scenarios._worlds import World


@pytest.fixture
def world(each_world) -> World:
    """These stories hold for every ERP."""
    return each_world


def test_posted_invoices_become_orders_with_their_lines(world):
    """An invoice becomes one order of its customer's member, with products made from its lines."""
    customer = world.erp.add_customer("buyer@harbor-pumps.com")
    key = world.erp.add_order(customer, [("PUMP/1", "Pump, big", 2, 50), (None, "Freight charge", 1, 9)], tax=8)

    report = world.run()

    assert report.ok, str(report)
    order = world.mailchimp.orders[order_id(key)]
    assert [2, 1] == [line["quantity"] for line in order["lines"]]
    assert "buyer@harbor-pumps.com" == world.mailchimp.customers[order["customer"]["id"]]["email_address"]
    assert {"PUMP~2F1", "erp-other"} == set(world.mailchimp.products)
    assert world.status("buyer@harbor-pumps.com") == "subscribed"


def test_an_order_is_written_once(world):
    """Unchanged invoices cause no write; an invoice whose stamp moved without a visible change neither."""
    customer = world.erp.add_customer("buyer@harbor-pumps.com")
    key = world.erp.add_order(customer)
    world.run()
    before = len(world.writes)
    world.erp.touch_order(key)

    report = world.run()

    assert report.streams["orders"].unchanged >= 1
    assert world.writes[before:] == []


def test_a_changed_order_is_patched_and_loses_removed_lines(world):
    """A changed document with one line less ends without that line, and as paid where the ERP knows of payments."""
    customer = world.erp.add_customer("buyer@harbor-pumps.com")
    key = world.erp.add_order(customer, [("A", "Anchor", 1, 10), ("B", "Buoy", 1, 20)])
    world.run()
    world.erp.drop_line(key)
    world.erp.pay_order(key)

    report = world.run()

    order = world.mailchimp.orders[order_id(key)]
    assert report.streams["orders"].updated == 1
    assert ("paid" if world.erp.knows_payments else None) == order.get("financial_status")
    assert ["A"] == [line["product_id"] for line in order["lines"]]


def test_an_order_belongs_to_its_customers_member(world):
    """An invoice without an address of its own goes to the customer's member; without either it is skipped."""
    with_email = world.erp.add_customer("buyer@harbor-pumps.com")
    without = world.erp.add_customer(None)
    key = world.erp.add_order(with_email, email="")
    world.erp.add_order(without, email="")

    report = world.run()

    assert {"no_email": 1} == dict(report.streams["orders"].reasons)
    assert [order_id(key)] == list(world.mailchimp.orders)


def test_orders_never_subscribe_anybody(world):
    """An order of an unsubscribed member, or of somebody unknown, opts nobody in."""
    customer = world.erp.add_customer("leaver@harbor-pumps.com")
    world.run()
    world.mailchimp.unsubscribe("leaver@harbor-pumps.com")
    stranger = world.erp.add_customer(None)
    world.erp.add_order(customer)
    world.erp.add_order(stranger, email="stranger@quillpaper.com")

    world.run()

    assert world.status("leaver@harbor-pumps.com") == "unsubscribed"
    assert world.status("stranger@quillpaper.com") == "transactional"
    assert len(world.mailchimp.orders) == 2


def test_fractions_and_returns_become_something_mailchimp_can_count(world):
    """A fractional quantity is folded into one piece at the line's price; a return line is left out."""
    customer = world.erp.add_customer("buyer@harbor-pumps.com")
    key = world.erp.add_order(customer, [("ROPE", "Rope, metre", "2.5", 4), ("PUMP", "Returned pump", -1, 50)])

    world.run()

    [line] = world.mailchimp.orders[order_id(key)]["lines"]
    assert (1, 10.0) == (line["quantity"], line["price"])


def test_automations_stay_quiet_during_the_first_load_only(world):
    """The store says `is_syncing` while history is loaded, and never afterwards, not even after a failure."""
    customer = world.erp.add_customer("buyer@harbor-pumps.com")
    world.erp.add_order(customer)
    seen: list[bool] = []
    world.mailchimp.before_each.append(
        lambda request: (
            seen.append(world.mailchimp.stores["acme"].is_syncing)
            if request.method == "POST" and request.path.endswith("/orders")
            else None
        )
    )
    world.run()
    world.erp.add_order(customer)

    world.run()

    assert [True, False] == seen
    assert not world.mailchimp.stores["acme"].is_syncing


def test_orders_of_customers_kept_out_make_no_members(world):
    """An invoice of somebody who is inactive in the ERP is left out, because it would create a contact for them."""
    customer = world.erp.add_customer("idle@harbor-pumps.com", inactive=True)
    world.erp.add_order(customer)

    report = world.run()

    assert {"customer_inactive": 1} == dict(report.streams["orders"].reasons)
    assert world.status("idle@harbor-pumps.com") is None


def test_a_product_that_vanished_from_the_store_is_put_back(world):
    """An order for a product that somebody deleted in Mailchimp brings the product along again."""
    customer = world.erp.add_customer("buyer@harbor-pumps.com")
    world.erp.add_order(customer, [("A", "Anchor", 1, 10)])
    world.run()
    del world.mailchimp.products["A"]
    key = world.erp.add_order(customer, [("A", "Anchor", 3, 10)])

    report = world.run()

    assert report.ok, str(report)
    assert "A" in world.mailchimp.products
    assert order_id(key) in world.mailchimp.orders


def test_a_customer_that_vanished_from_the_store_is_put_back(world):
    """An order of a store customer that somebody deleted in Mailchimp brings the customer along again."""
    customer = world.erp.add_customer("buyer@harbor-pumps.com")
    world.erp.add_order(customer)
    world.run()
    world.mailchimp.customers.clear()
    key = world.erp.add_order(customer)

    report = world.run()

    assert report.ok, str(report)
    assert order_id(key) in world.mailchimp.orders
