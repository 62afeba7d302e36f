"""What a big company costs the Sage 100 agent: a listing takes little more memory than its keys."""

from __future__ import annotations

import json
import tracemalloc
from urllib.parse import urlencode

import pytest

from tests.unit.agents._agent import TOKEN, World, call

CUSTOMERS = 25_000
PAGE = 1000
FIELDS = "CustomerName,EmailAddress,AddressLine1"


@pytest.fixture(name="world")
def _world(make_world) -> World:
    """A company with many customers, stamped over a year."""
    world = make_world()
    table = world.company.tables["AR_Customer"]
    for number in range(CUSTOMERS):
        text = f"{number:07d}"
        values = {
            "CustomerName": f"Customer {text} of Harbor Street",
            "EmailAddress": f"office@customer-{text}.com",
            "AddressLine1": f"{text} Harbor Street",
            "DateUpdated": f"2025{number % 12 + 1:02d}{number % 28 + 1:02d}",
            "TimeUpdated": f"{number % 24}.{number % 1000}",
            "DateCreated": "20200102",
            "TimeCreated": "9",
        }
        table.put(("00", text), values)
    return world


def page(world, query):
    """One page, without keeping what it was made of."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    return call(world.agent, "GET", "/companies/ABC/customers", urlencode(query), headers, b"").body


def test_listing_takes_bounded_memory(world: World) -> None:
    """25,000 customers come once each and in order, while the agent holds a page and the keys, never all records."""
    tracemalloc.start()
    try:
        body = page(world, {"limit": PAGE, "fields": FIELDS})
        before = tracemalloc.get_traced_memory()[0]
        records = json.loads(body)["records"]
        records_of_all = (tracemalloc.get_traced_memory()[0] - before) * CUSTOMERS // PAGE
        del records
    finally:
        tracemalloc.stop()
    world.restart()

    seen, pages, last = bytearray(CUSTOMERS), 0, ("", 0.0)
    query, held, peaks = {"limit": PAGE, "fields": FIELDS}, 0, []
    while query:
        # Watching every allocation is slow: the first page, which gathers the keys, and some of the others will do.
        watched = pages % 8 == 0
        if watched:
            tracemalloc.start()
        answer = json.loads(page(world, query))
        if watched:
            peaks.append(tracemalloc.get_traced_memory()[1])
        for record in answer["records"]:
            seen[int(record["CustomerNo"])] += 1
            stamp = record["_stamp"]["date"], float(record["_stamp"]["time"])
            assert last <= stamp
            last = stamp
        query = {"cursor": answer["nextCursor"]} if answer["nextCursor"] else None
        pages += 1
        del answer, record
        if watched:
            held = held or tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()

    assert (b"\1" * CUSTOMERS, CUSTOMERS // PAGE) == (seen, pages)
    assert held < records_of_all / 30
    assert peaks[0] < records_of_all / 2
    assert max(peaks[1:]) < records_of_all / 8
