"""Finding records of Sage 100 without any list: known keys, told keys, next numbers, and who placed an order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from mlconnector_sdk.cursors import Window
from mlconnector_sdk.errors import ConfigurationError
from mlconnector_sdk.sources.sage100._api import CUSTOMER, CUSTOMER_CONTACT, SALES_ORDER, UNREAD
from mlconnector_sdk.sources.sage100._discovery import Clues, Discovery
from mlconnector_sdk.sources.sage100._stamps import Stamp
from mlconnector_sdk.testing import FakeClock, FakeSage100
from tests.unit.sources._sage100_soap import calls, close_all, read, source_of

TABLES = {"customers": CUSTOMER, "contacts": CUSTOMER_CONTACT, "orders": SALES_ORDER}


class Site:
    """Rows by table and key, read by key alone; `asked` are the keys in the order in which they were asked for."""

    def __init__(self, **rows) -> None:
        self.rows = {stream: dict(of_stream) for stream, of_stream in rows.items()}
        self.known = {}
        self.asked = []

    def read(self, table, keys):
        stream = next(stream for stream, one in TABLES.items() if one is table)
        for key in keys:
            text = table.text_of(key)
            self.asked.append(text)
            row = self.rows.get(stream, {}).get(text)
            yield key, None if row is None else {**dict(zip(table.key, key, strict=True)), **row}

    def discovery(self, **clues) -> Discovery:
        settings = {"told": {}, "first_order": "", "first_customers": (), "gap": 3, "recent_orders": 10}
        found = Discovery(self.read, Clues(**{**settings, **clues}))
        found.attach(lambda stream: iter(sorted(self.known.get(stream, ()))))
        return found

    def found(self, stream, since=None, **clues):
        """The keys that are found, in order."""
        table = TABLES[stream]
        return [table.text_of(table.key_of(row)) for row in self.discovery(**clues).rows(table, since)]


def order(number):
    """The key of an order."""
    return f"{number:07d}"


def customer(number, division="00"):
    """The key of a customer."""
    return f"{division}-{number:07d}"


# -- numbers --------------------------------------------------------------------------------------------------------


def test_the_next_numbers_are_walked_until_the_gap():
    """From the greatest known number on, until so many in a row are unused."""
    site = Site(orders={order(number): {} for number in (5, 6, 8, 11, 15)})
    site.known["orders"] = [order(5)]

    assert [order(number) for number in (5, 6, 8, 11)] == site.found("orders")
    assert max(site.asked) == order(14)


def test_a_hole_near_the_end_is_looked_at_again():
    """A number may be handed out long before its order is saved: it is not passed over for good."""
    site = Site(orders={order(number): {} for number in (5, 6, 7)})
    site.known["orders"] = [order(5), order(7)]

    assert order(6) in site.found("orders")


def test_a_number_far_ahead_does_not_hide_where_the_others_go_on():
    """Somebody once typed 9999999; the orders that follow the real ones are found all the same."""
    site = Site(orders={order(number): {} for number in (5, 6, 9_999_999)})
    site.known["orders"] = [order(5), order(9_999_999)]

    assert order(6) in site.found("orders")
    assert max(site.asked) == order(9_999_999)


def test_a_walk_ends_where_the_next_known_numbers_begin():
    """Known numbers further on are not asked for twice."""
    numbers = [*range(1, 10), *range(20, 30)]
    site = Site(orders={order(number): {} for number in range(1, 30)})
    site.known["orders"] = [order(number) for number in numbers]

    assert len(site.found("orders", recent_orders=0)) == 10


def test_letters_are_no_numbers():
    """Orders with letters in their numbers are read again, and no walk begins at them."""
    site = Site(orders={"W000001": {}, "W000002": {}})
    site.known["orders"] = ["W000001"]

    assert ["W000001"] == site.found("orders")


@given(
    existing=st.sets(st.integers(1, 60)),
    known=st.sets(st.integers(1, 60)),
    gap=st.integers(1, 8),
    first=st.none() | st.integers(1, 60),
    whole=st.booleans(),
)
def test_whatever_is_within_the_gap_of_a_known_number_is_found(existing, known, gap, first, whole):
    """Each order that steps of the gap at most lead to from where one begins is found, and asked for once."""
    site = Site(orders={order(number): {} for number in existing})
    site.known["orders"] = [order(number) for number in known]
    since = None if whole else Stamp(date(2026, 3, 1), Decimal(0))
    found = site.found("orders", since, recent_orders=100, gap=gap, first_order=str(first or ""))

    beginnings = {max(known)} if known else set()
    if first is not None and (whole or first > max(known, default=0)):
        beginnings.add(first - 1)
    expected = existing & known
    for reach in beginnings:
        for number in sorted(existing | known):
            if reach < number <= reach + gap:
                reach = number  # noqa: PLW2901 - a step further
                expected |= existing & {number}
    assert {order(number) for number in expected} <= set(found)
    assert len(found) == len(set(found))
    assert len(site.asked) == len(set(site.asked))


def test_a_full_read_looks_at_every_hole_from_the_beginning_on():
    """Numbers met out of turn, by an order, hide nothing that comes before them."""
    numbers = [*range(1, 6), 30, *range(50, 60)]
    site = Site(
        customers={customer(number): {} for number in numbers},
        orders={order(1): {"ARDivisionNo": "00", "CustomerNo": "0000030"}},
    )
    clues = {"first_order": "1", "first_customers": (customer(1),)}

    assert [customer(30), *map(customer, range(1, 6))] == site.found("customers", **clues)
    site.known["customers"] = [customer(30), customer(3)]
    assert set(map(customer, [*range(1, 6), 30])) == set(site.found("customers", **clues))


# -- orders ---------------------------------------------------------------------------------------------------------


def test_only_the_latest_known_orders_are_read_again():
    """Old orders were completed long ago, and are not asked for for ever."""
    site = Site(orders={order(number): {} for number in range(1, 8)})
    site.known["orders"] = [order(number) for number in range(1, 8)]

    assert [order(6), order(7)] == site.found("orders", recent_orders=2)


def test_told_orders_are_read_until_they_are_known():
    """A caller's keys are asked for once more than the known ones."""
    site = Site(orders={"0000304": {}, "W000001": {}})
    site.known["orders"] = ["W000001"]

    assert ["0000304"] == site.found("orders", recent_orders=0, told={"orders": ["0000304", "W000001"]})


# -- customers ------------------------------------------------------------------------------------------------------


def test_customers_are_found_in_four_ways():
    """Known, told, by a new order, and by the next number of each division."""
    names = [customer(1), customer(2), customer(7, "01"), customer(8, "01"), "00-ABF", "00-WALKIN", "00-LOST"]
    site = Site(
        customers={key: {} for key in names},
        orders={order(1): {"ARDivisionNo": "00", "CustomerNo": "WALKIN"}},
    )
    site.known["customers"] = [customer(1), customer(7, "01")]

    found = site.found("customers", told={"customers": lambda: ["00-ABF"]}, first_order="1")
    assert set(names) - {"00-LOST"} == set(found)
    assert len(found) == len(set(found))


def test_the_customer_of_an_order_that_is_known_meanwhile_is_found():
    """An order that came after customers were read, and before orders were, is known by the next time."""
    site = Site(customers={"00-WALKIN": {}}, orders={order(9): {"ARDivisionNo": "00", "CustomerNo": "WALKIN"}})
    site.known["orders"] = [order(9)]

    assert ["00-WALKIN"] == site.found("customers")


def test_an_order_without_a_customer_names_nobody():
    """What is no key is not asked for."""
    site = Site(orders={order(1): {"ARDivisionNo": "00", "CustomerNo": ""}})

    assert [] == site.found("customers", first_order="1")
    assert not [key for key in site.asked if key.startswith("00-")]


def test_the_first_customers_are_where_a_walk_begins():
    """Each division begins where it is told to, while nothing in it is known."""
    site = Site(customers={key: {} for key in [customer(3), customer(5, "01"), customer(6, "01")]})

    found = site.found("customers", first_customers=(customer(1), customer(5, "01")))
    assert [customer(3), customer(5, "01"), customer(6, "01")] == found


def test_a_function_that_fails_is_told_without_its_text():
    """The caller's function may raise anything, and its text may hold anything."""

    def fail():
        raise RuntimeError("ann@example.com")

    with pytest.raises(ConfigurationError, match="RuntimeError") as caught:
        Site().found("customers", told={"customers": fail})
    assert "ann@" not in str(caught.value)


# -- contacts -------------------------------------------------------------------------------------------------------


def test_contacts_are_those_known_those_told_and_the_primary_ones():
    """Each customer names one contact; the others must be known or told."""
    site = Site(
        customers={"00-ABF": {"ContactCode": "A. BUYER"}, "00-CASH": {"ContactCode": ""}},
        contacts={"00-ABF/A. BUYER": {}, "00-ABF/OLD": {}, "00-ABF/NEW": {}, "00-ABF/UNKNOWN": {}},
    )
    site.known = {"customers": ["00-ABF", "00-CASH"], "contacts": ["00-ABF/OLD"]}

    found = site.found("contacts", told={"contacts": ["00-ABF/NEW"]})
    assert ["00-ABF/OLD", "00-ABF/NEW", "00-ABF/A. BUYER"] == found


def test_customers_read_right_before_are_not_read_again_for_their_contacts():
    """A run reads customers, then contacts: the codes are kept between the two, and not for longer."""
    site = Site(customers={"00-ABF": {"ContactCode": "A. BUYER"}}, contacts={"00-ABF/A. BUYER": {}})
    site.known["customers"] = ["00-ABF"]
    discovery = site.discovery()
    for table in (CUSTOMER, CUSTOMER_CONTACT):
        list(discovery.rows(table, None))

    assert 1 == site.asked.count("00-ABF")
    list(discovery.rows(CUSTOMER_CONTACT, None))
    assert 2 == site.asked.count("00-ABF")


def test_a_row_that_could_not_be_read_stands_for_a_record():
    """A number behind which a record could not be read is no gap."""
    site = Site(orders={order(3): {UNREAD: ["locked", "…"]}, order(6): {}})

    assert [order(3), order(6)] == site.found("orders", first_order="1")


# -- through the web service ----------------------------------------------------------------------------------------


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock(datetime(2026, 3, 1, 18, tzinfo=UTC))


@pytest.fixture(name="erp")
def _erp(clock) -> Iterator[FakeSage100]:
    with FakeSage100(clock=clock) as erp:
        yield erp
        close_all()


def test_known_records_come_when_they_were_changed(erp, clock):
    """With a lower bound, a known record comes if its stamp says so; one that is new comes whatever its stamp says."""
    keys = [erp.add_customer(f"{number:07d}", email=f"c{number}@example.com") for number in range(1, 5)]
    clock.advance(days=2)
    erp.edit("AR_Customer", keys[1], CustomerName="Renamed")
    source = source_of(erp, known={"customers": keys[:3]})
    window = Window(lower=clock() - timedelta(hours=1), upper=source.present("customers"))

    assert {keys[1], keys[3]} == set(read(source, "customers", window))
    assert set(keys) == set(read(source, "customers"))


def test_no_order_is_created_or_numbered_on_the_way(erp):
    """Numbers are looked up, never drawn."""
    erp.add_order(erp.add_customer("1"), [("PUMP-1", "Pump", 2, 50)])
    source = source_of(erp)
    for stream in source.streams:
        read(source, stream)

    assert {"GetContractInformation", "GetCustomer", "GetSalesOrder"} >= set(calls(erp.log))
    assert [] == erp.setup.numbers_used
