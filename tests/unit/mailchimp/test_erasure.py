"""One person deleted for good, with what the store has of them."""

from __future__ import annotations

import attrs
import pytest

from mlconnector_sdk.errors import RecordRejectedError
from mlconnector_sdk.models import Forgotten
from tests.unit.mailchimp._writes import STORE, member_write, order_write


@pytest.fixture(name="ready")
def _ready(sink):
    """A sink whose store exists."""
    sink.prepare()
    return sink


def test_member_customer_and_orders_go_and_nothing_of_others(fake, ready):
    """Whatever there is of one address goes, and what others bought stays."""
    other = order_write("INV-9", customer={"id": "c9", "email_address": "bob@acme.org", "opt_in_status": False})
    ready.write_orders([order_write("INV-1"), order_write("INV-2"), other])
    address = order_write().customer["email_address"]
    ready.write_members([member_write(address)])

    found = ready.forget(address.upper())

    assert Forgotten(member=True, store_customers=1, orders=2) == found
    assert {"INV-9"} == set(fake.orders)
    assert {"c9"} == set(fake.customers)
    assert fake.products
    assert {address} == fake.forgotten


def test_a_customer_that_somebody_else_created_goes_too(fake, ready):
    """The store's customers are found by their address, whatever id they have."""
    foreign = {"id": "shop-7", "email_address": "Pat@Acme.org", "opt_in_status": False}
    ready.write_orders([order_write("INV-1", customer=foreign)])

    assert (1, 1) == attrs.astuple(ready.forget("pat@acme.org"))[1:]
    assert ({}, {}) == (fake.customers, fake.orders)


def test_a_repeat_finds_nothing(fake, ready):
    """Forgetting somebody twice, or a stranger, is no error."""
    fake.add_member("pat@acme.org")
    ready.forget("pat@acme.org")

    assert Forgotten() == ready.forget("pat@acme.org")
    assert Forgotten() == ready.forget("stranger@acme.org")


@pytest.mark.parametrize("store", [None, STORE])
def test_without_a_store_the_member_goes(fake, make_sink, store):
    """No store is configured, or it was never created: then there is only the member."""
    fake.add_member("pat@acme.org")

    assert Forgotten(member=True) == make_sink(store=store).forget("pat@acme.org")


def test_a_refusal_is_raised(fake, ready):
    """What cannot be deleted is no success."""
    fake.add_member("pat@acme.org")
    fake.fail(status=400, body={"title": "Bad Request", "status": 400}, path="/delete-permanent")

    with pytest.raises(RecordRejectedError):
        ready.forget("pat@acme.org")
