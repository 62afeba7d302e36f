"""Rows on their way into the engine: whatever their source, each under a key that every state can keep."""

from __future__ import annotations

import pytest

from mlconnector_sdk.models import Contact, Customer, Order, Page, UnreadableRow
from mlconnector_sdk.sync._extract import rows_of

ODD = ["K\0K", "K\0\0", "K\ud83dK", "\udc00", "K" * 256, "K" * 255 + "L", "\N{REPLACEMENT CHARACTER}" * 256]
GOOD = ["K", "K\N{REPLACEMENT CHARACTER}K", "\t K\n", "K" * 255, "\U0001f511", ""]


@pytest.mark.parametrize("key", ODD)
@pytest.mark.parametrize("kind", [Customer, Contact, Order])
def test_a_key_that_cannot_be_kept_sets_its_record_aside(kind, key):
    """The record, or one that names its customer so, comes as a row to be set aside, with all that was read."""
    records = (kind(key=key, raw={"n": 1}, modified_at=7), Contact(key="P1", customer_key=key, raw={"n": 2}))

    own, of_customer = rows_of(Page(stream="customers", records=records))

    assert isinstance(own, UnreadableRow)
    assert isinstance(of_customer, UnreadableRow)
    assert ("bad_key", {"n": 1}, 7) == (own.reason, own.raw, own.modified_at)
    assert ("P1", {"n": 2}) == (of_customer.key, of_customer.raw)
    assert len(own.key) <= 255
    assert own.key.isprintable()


def test_stand_ins_are_told_apart_and_stay():
    """Different keys have different stand-ins, none of them a key of another record, and the same ones each time."""
    rows = tuple(UnreadableRow(key=key, reason="r", message="m", raw={}) for key in (*ODD, *GOOD))

    keys = [row.key for row in rows_of(Page(stream="customers", unreadable=rows))]

    assert len({*keys}) == len(rows)
    assert keys[len(ODD) :] == GOOD
    assert keys == [row.key for row in rows_of(Page(stream="customers", unreadable=rows))]
