"""Numbers and characters that none can be, in one record of an ERP: it is set aside, the others are loaded."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from mlconnector_sdk.state import SQLiteStateStore
from mlconnector_sdk.testing import Reply, Request
from tests.scenarios._worlds import ENDS, World

PRICE = 77123.25
WRITTEN = re.compile(rb"77123\.250*")

NUMBERS = {
    "exponent": b"1e999999999",
    "exponent beyond all": b"1e99999999999999999999",
    "tiny": b"1e-999999999",
    "digits": b"9" * 10_000,
    "digits with a fraction": b"9" * 10_000 + b".5",
}


def spoilt(world: World, change: Callable[[bytes], bytes]) -> None:
    """Let every answer of the ERP pass through `change`."""
    handle = world.erp.fake.handle

    def spoil(request: Request) -> Reply:
        reply = handle(request)
        body, kind = reply.encoded()
        return Reply(reply.status, change(body), {"Content-Type": kind, **reply.headers}, reply.cookies)

    world.erp.fake.handle = spoil


# SYSPRO's lists are paged by their keys: one that cannot be asked for ends the list, and says so.
KEYED = [system for system in ENDS if not system.startswith("syspro")]


@pytest.mark.parametrize("system", KEYED)
@pytest.mark.parametrize("key", [b"K" * 10_000, rb"K\u0000K", rb"K\ud83d"], ids=["long", "NUL", "half a character"])
def test_an_impossible_key_sets_its_record_aside(system, key, tmp_path):
    """A key that no state can keep stops no run: its record alone is set aside, or read with what can be kept."""
    if system == "sage100 soap" and key.startswith(b"K\\"):
        key = {rb"K\u0000K": b"K&#0;K", rb"K\ud83d": b"K&#xD83D;"}[key]
    lead = "00-" if system.startswith("sage100") else ""
    with World(system, state=SQLiteStateStore(tmp_path / "state.db")) as world:
        world.erp.add_customer("ada@harbor-pumps.com", key=f"{lead}QX0QZ")
        world.erp.add_customer("bob@harbor-pumps.com")
        spoilt(world, lambda body: body.replace(b"QX0QZ", key))
        customers = world.run(streams=["customers"]).streams["customers"]
        letters = world.state.dead_letters("acme")

        assert (customers.error, customers.read) == ("", 2)
        assert world.status("bob@harbor-pumps.com") == "subscribed"
        assert all(len(letter.key) <= 255 and letter.key.isprintable() for letter in letters)
        if len(key) > 255:
            assert (customers.created, customers.dead) == (1, 1)
    world.state.close()


@pytest.mark.parametrize("system", ["acumatica", "sagex3 graphql"])
@pytest.mark.parametrize("key", [b"K" * 300, rb"K\u0000K"], ids=["long", "NUL"])
def test_whatever_names_an_impossible_key_is_set_aside(system, key, tmp_path):
    """Contacts and orders of a customer with such a key stop no run, no replay, no sweep, and no repair either."""
    with World(system, state=SQLiteStateStore(tmp_path / "state.db")) as world:
        odd = world.erp.add_customer("ada@harbor-pumps.com", key="QX0QZ")
        bob = world.erp.add_customer("bob@harbor-pumps.com")
        world.erp.add_contact("mary@harbor-pumps.com", account=odd)
        for customer in (odd, bob):
            world.erp.add_order(customer)
        spoilt(world, lambda body: body.replace(b"QX0QZ", key))
        report = world.run()
        letters = {(letter.stream, letter.reason): letter for letter in world.state.dead_letters("acme")}

        assert {("customers", "bad_key"), ("contacts", "bad_key"), ("orders", "bad_key")} == {*letters}
        assert ["", "", ""] == [report.streams[name].error for name in ("customers", "contacts", "orders")]
        assert report.streams["orders"].created == 1
        stand_in = letters["customers", "bad_key"].key
        assert len(stand_in) <= 255
        assert stand_in.isprintable()

        with world.engine() as engine:
            assert [1, 1, 1] == [part.dead for part in engine.replay().streams.values()]
            # Asked for by their keys, the ERP may know them, or what was kept counts.
            again = list(world.state.dead_letters("acme"))
            assert [2, 2, 2] == [letter.attempts for letter in again]
            engine.reconcile(repair=True, allow_mass_leave=True)
            engine.sweep(dormant_after=86400 * 730)
        assert world.status("bob@harbor-pumps.com") == "subscribed"
        assert stand_in in {letter.key for letter in world.state.dead_letters("acme")}
    world.state.close()


@pytest.mark.parametrize("system", ENDS)
@pytest.mark.parametrize("number", NUMBERS)
def test_an_impossible_amount_sets_its_order_aside(system, number, tmp_path):
    """An amount that no ledger holds costs neither time nor the page: its order alone is a dead letter."""
    with World(system, state=SQLiteStateStore(tmp_path / "state.db")) as world:
        ada = world.erp.add_customer("ada@harbor-pumps.com")
        bob = world.erp.add_customer("bob@harbor-pumps.com")
        world.erp.add_order(ada, [("PUMP-9", "Pump", 1, PRICE)])
        good = world.erp.add_order(bob, [("PUMP-1", "Pump", 2, 50)])
        seen: list[int] = []

        def change(body: bytes) -> bytes:
            found, count = WRITTEN.subn(NUMBERS[number], body)
            seen.append(count)
            return found

        spoilt(world, change)
        report = world.run()
        orders = report.streams["orders"]
        letters = world.state.dead_letters("acme")

        assert sum(seen) > 0
        assert (orders.error, orders.created, orders.dead) == ("", 1, 1), str(report)
        assert [letter.stream for letter in letters] == ["orders"]
        assert [letter.key for letter in letters] != [good]
    world.state.close()
