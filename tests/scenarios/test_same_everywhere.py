"""The same business in every ERP gives the same audience and store, the ERPs' own keys aside."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios._worlds import ENDS, World

SUPPLIER = "sales@quillpaper.com"


def do_business(world: World) -> None:
    """A few customers, contacts and suppliers with their orders, and what happens to them in a year."""
    erp = world.erp
    pumps = erp.add_customer(" Office@Harbor-Pumps.com", name="Harbor Pumps")
    quiet = erp.add_customer(None, name="Quiet Ltd")
    shared = [erp.add_customer("books@acme-accounts.com", name=f"Client {number}") for number in (1, 2)]
    idle = erp.add_customer("idle@quillpaper.com", name="Idle & Sons")
    mover = erp.add_customer("old@quillpaper.com", name="Mover O'Hara")
    erp.add_customer("no address", name="Broken Ltd")
    erp.add_customer("never@quillpaper.com", name="Never", inactive=True)
    erp.add_contact("mary@harbor-pumps.com", account=pumps, first="Mary", last="Hara")
    leaver = erp.add_contact("leaver@harbor-pumps.com", account=pumps, first="Lee", last="Vander")
    erp.add_contact("silent@harbor-pumps.com", account=pumps, first="Si", last="Lent", opted_out=True)
    erp.add_supplier(SUPPLIER)
    paid = erp.add_order(pumps, [("PUMP-1", "Pump", 2, 50), ("HOSE-1", "Hose", 1, 20)])
    erp.add_order(mover, [("PUMP-1", "Pump", 1, 50)])
    erp.add_order(quiet, [("PUMP-1", "Pump", 1, 50)])
    world.run()
    erp.rename(shared[1], "Client Two")
    erp.deactivate(idle)
    erp.set_email(mover, "new@quillpaper.com")
    erp.opt_out(leaver)
    erp.drop_line(paid)
    world.run(later=60 * 24 * 3)
    world.run(full=True, later=60 * 24 * 3)


def audience_of(world: World) -> dict[str, Any]:
    """Members without the ERP's key."""
    members = world.mailchimp.snapshot()["members"]
    return {
        address: {**facts, "merge_fields": {k: v for k, v in facts["merge_fields"].items() if k != "ERPID"}}
        for address, facts in members.items()
    }


def store_of(world: World) -> list[Any]:
    """Orders without the ERP's key: who bought what at which price."""
    return sorted(
        (
            world.mailchimp.customers[order["customer"]["id"]]["email_address"],
            sorted((line["product_id"], line["quantity"], line["price"]) for line in order["lines"]),
        )
        for order in world.mailchimp.orders.values()
    )


@pytest.fixture(scope="module")
def expected() -> tuple[Any, Any]:
    """What Acumatica's customers become."""
    with World("acumatica") as world:
        do_business(world)
        return audience_of(world), store_of(world)


def test_the_business_is_worth_comparing(expected):
    """The yardstick itself holds what the story tells."""
    audience, store = expected

    assert {address: facts["status"] for address, facts in audience.items()} == {
        "books@acme-accounts.com": "subscribed",
        "idle@quillpaper.com": "unsubscribed",
        "leaver@harbor-pumps.com": "unsubscribed",
        "mary@harbor-pumps.com": "subscribed",
        "new@quillpaper.com": "subscribed",
        "office@harbor-pumps.com": "subscribed",
        SUPPLIER: "transactional",
    }
    assert [buyer for buyer, _ in store] == ["office@harbor-pumps.com", "old@quillpaper.com"]


@pytest.mark.parametrize("system", [system for system in ENDS if system != "acumatica"])
def test_every_erp_gives_the_same_audience_and_store(system, expected):
    """Members with their status and data, and orders with their lines, are the same from every ERP."""
    audience, store = expected
    with World(system) as world:
        do_business(world)

        if "suppliers" not in world.people:
            audience = {address: facts for address, facts in audience.items() if address != SUPPLIER}
        assert (audience_of(world), store_of(world)) == (audience, store)
