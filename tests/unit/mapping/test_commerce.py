"""From an order to its store order."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from mlconnector_sdk.mapping import OrderMapper, OrderMapping, order_id, original_id
from mlconnector_sdk.models import Address, Order, OrderLine, Store, member_id

STORE = Store(id="acme", name="Acme", currency_code="USD")


def line(**fields) -> OrderLine:
    """A line of two pumps."""
    return OrderLine(**{"key": "1", "product_key": "PUMP", "title": "Pump", "quantity": Decimal(2), **fields})


def order(*lines: OrderLine, **fields) -> Order:
    """An invoice over 100."""
    return Order(**{"key": "Invoice/1", "lines": lines or (line(),), "total": Decimal(100), **fields})


def mapped(document: Order, mapping: OrderMapping | None = None):
    """The payload for one buyer."""
    return OrderMapper(mapping or OrderMapping(), STORE).payload(document, "buyer@harbor-pumps.com")


def test_an_order_knows_its_customer_by_the_member():
    """The store customer is the member's, and is never opted in by an order."""
    payload = mapped(order(name="Harbor Pumps"))

    assert payload.customer == {
        "id": member_id("buyer@harbor-pumps.com"),
        "email_address": "buyer@harbor-pumps.com",
        "opt_in_status": False,
        "company": "Harbor Pumps",
    }


def test_a_business_date_stays_its_day_everywhere():
    """The date is sent as noon UTC, which is the same calendar day in nearly every zone."""
    assert mapped(order(placed_on=date(2026, 3, 1))).body["processed_at_foreign"] == "2026-03-01T12:00:00+00:00"


@pytest.mark.parametrize(
    ("payment", "status"), [("open", "pending"), ("paid", "paid"), ("cancelled", "cancelled"), ("", None)]
)
def test_payment_becomes_the_financial_status(payment, status):
    """What the ERP knows about the money is told in Mailchimp's words; a cancellation carries a date."""
    body = mapped(order(payment=payment, placed_on=date(2026, 3, 1))).body

    assert body.get("financial_status") == status
    assert ("cancelled_at_foreign" in body) == (payment == "cancelled")


def test_an_order_without_sellable_lines_gets_one_placeholder():
    """Mailchimp wants a line; one for the whole total stands for returns and text."""
    payload = mapped(order(line(quantity=Decimal(-1))))

    [only] = payload.lines
    assert (only["product_id"], only["quantity"], only["price"]) == ("erp-other", 1, 100.0)


def test_lines_without_an_item_share_a_placeholder():
    """Freight and text lines point to one placeholder product; a title can be computed."""
    mapping = OrderMapping(placeholder_id="misc", placeholder_title="Misc", line_title=lambda item: item.title.upper())
    payload = mapped(order(line(), line(key="2", product_key=""), line(key="3", product_key="")), mapping)

    assert [(p.id, p.title) for p in payload.products] == [("PUMP", "PUMP"), ("misc", "Misc")]


def test_discounts_and_addresses_travel():
    """A line's discount and the billing address are sent when there are any."""
    document = order(line(discount=Decimal("1.50")), billing_address=Address(line1="1 Quay", city="Kiel"), name="Acme")
    payload = mapped(document)

    assert payload.lines[0]["discount"] == 1.5
    assert payload.body["billing_address"] == {"name": "Acme", "address1": "1 Quay", "city": "Kiel"}


def test_the_fingerprint_sees_what_is_sent_and_nothing_else():
    """A new stamp changes nothing; a new price does."""
    before = mapped(order(line(unit_price=Decimal(5))))

    assert before.fingerprint == mapped(order(line(unit_price=Decimal(5)), modified_at=5, raw={"a": 1})).fingerprint
    assert before.fingerprint != mapped(order(line(unit_price=Decimal(6)))).fingerprint


def test_documents_can_be_left_out():
    """`include` decides."""
    mapper = OrderMapper(OrderMapping(include=lambda document: document.total > 50), STORE)

    assert mapper.includes(order())
    assert not mapper.includes(order(total=Decimal(5)))


@given(
    st.decimals(Decimal(-1000), Decimal(1000), places=3),
    st.decimals(Decimal(0), Decimal(1000), places=2),
)
def test_quantities_are_whole_and_positive(quantity, price):
    """Whatever the ERP's quantity, Mailchimp gets whole positive pieces, and a whole quantity keeps its number."""
    item = line(quantity=quantity, unit_price=price, amount=quantity * price)
    [sent] = mapped(order(item)).lines

    assert isinstance(sent["quantity"], int)
    assert sent["quantity"] >= 1
    if quantity > 0 and quantity == quantity.to_integral_value():
        assert (sent["quantity"], sent["price"]) == (int(quantity), float(price))


def test_order_ids_can_be_read_back():
    """The store's id of a document is safe in a URL and reversible."""
    assert "/" not in order_id("Invoice/AR 008812")
    assert original_id(order_id("Invoice/AR 008812")) == "Invoice/AR 008812"
