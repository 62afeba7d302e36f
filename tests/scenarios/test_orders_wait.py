"""Orders come after their customers, whatever breaks."""

from __future__ import annotations

import pytest

from tests.scenarios._worlds import World


def test_orders_wait_for_customers_that_could_not_be_read(world: World):
    """A buyer whose customer record could not be loaded becomes no member through an order, and is one afterwards."""
    customer = world.erp.add_customer("buyer@harbor-pumps.com")
    world.erp.add_order(customer)
    world.erp.fake.fail_next(
        200, body='["of another product"]', headers={"Content-Type": "application/json"}, path="Customer"
    )

    report = world.run()

    assert "customers" in report.streams["orders"].error
    assert {} == dict(world.mailchimp.members)
    assert world.run().ok
    assert "subscribed" == world.status("buyer@harbor-pumps.com")
    assert 1 == len(world.mailchimp.orders)


@pytest.mark.parametrize("stream", ["contacts", "suppliers"])
def test_orders_do_not_wait_for_others(world: World, stream):
    """People who buy nothing by themselves hold no order up."""
    customer = world.erp.add_customer("buyer@harbor-pumps.com")
    world.erp.add_order(customer)
    world.erp.fake.forbid({"contacts": "Contact", "suppliers": "Vendor"}[stream])

    report = world.run()

    assert report.streams[stream].error
    assert 1 == report.streams["orders"].created
