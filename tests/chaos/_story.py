"""What happens in the ERP and the audience between runs, in words that every ERP shares."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import attrs

from tests.chaos._calls import FULL_RUN, RUN, Call
from tests.scenarios._worlds import World

CUSTOMERS = 14


@attrs.define
class Cast:
    """Who takes part, by the keys of the ERP."""

    customers: list[str] = attrs.field(factory=list)
    orders: list[str] = attrs.field(factory=list)
    contacts: list[str] = attrs.field(factory=list)


def address(number: int) -> str:
    return f"buyer{number}@harbor-pumps.com"


def opening(world: World, cast: Cast) -> None:
    """A first load: two customers share an address, one has none, one has what is no address."""
    erp = world.erp
    cast.customers = [erp.add_customer(address(number), name=f"Customer {number}") for number in range(CUSTOMERS)]
    cast.customers += [erp.add_customer("books@quillpaper.com", name=f"Client {number}") for number in (1, 2)]
    erp.add_customer(None, name="Quiet")
    erp.add_customer("no address", name="Broken")
    cast.contacts = [erp.add_contact(f"mary{n}@quillpaper.com", account=cast.customers[n]) for n in range(3)]
    erp.add_supplier("sales@quillpaper.com")
    cast.orders = [
        erp.add_order(cast.customers[n], [(f"ITEM-{n % 3}", "Pump", n + 1, 50), ("HOSE-1", "Hose", 1, 20)])
        for n in range(6)
    ]


def changes(world: World, cast: Cast) -> None:
    """Names, addresses and orders change; customers turn inactive; people unsubscribe."""
    erp, who = world.erp, cast.customers
    erp.rename(who[0], "Customer Zero")
    erp.set_email(who[1], "moved1@harbor-pumps.com")
    erp.deactivate(who[2])
    erp.deactivate(who[3])
    # The one who speaks for the shared address leaves: the other takes over.
    erp.deactivate(who[CUSTOMERS])
    world.mailchimp.unsubscribe(address(4))
    erp.opt_out(cast.contacts[0])
    who.append(erp.add_customer("late@harbor-pumps.com", name="Late"))
    erp.drop_line(cast.orders[0])
    cast.orders.append(erp.add_order(who[5], [("ITEM-9", "Hose", 1, 20)]))


def departures(world: World, cast: Cast) -> None:
    """Customers are deleted, one comes back, one who unsubscribed moves; found by a full scan."""
    erp, who = world.erp, cast.customers
    erp.remove(who[6])
    erp.remove(who[7])
    erp.activate(who[2])
    erp.set_email(who[4], "moved4@harbor-pumps.com")
    world.mailchimp.clean(address(8))
    erp.add_order(who[9], [("ITEM-1", "Pump", 3, 50)])


def nothing(_world: World, _cast: Cast) -> None:
    """Nothing happens."""


@attrs.frozen
class Chapter:
    """Something happens, then the pipeline runs."""

    happens: Callable[[World, Cast], None]
    call: Call = RUN


STORY = (Chapter(opening), Chapter(changes), Chapter(departures, FULL_RUN), Chapter(nothing, FULL_RUN))


def fates(world: World, cast: Cast, chance: Random) -> list[Callable[[], object]]:
    """Changes in any order, each of another record: where they lead does not depend on when a run looked.

    They follow a load of `opening` that was not disturbed.
    """
    erp, who = world.erp, cast.customers
    events: list[Callable[[], object]] = [
        lambda: erp.rename(who[0], "Customer Zero"),
        lambda: erp.set_email(who[1], "moved1@harbor-pumps.com"),
        lambda: erp.deactivate(who[2]),
        lambda: erp.deactivate(who[3]),
        lambda: world.mailchimp.unsubscribe(address(4)),
        lambda: erp.remove(who[6]),
        lambda: erp.remove(who[7]),
        lambda: world.mailchimp.clean(address(8)),
        lambda: erp.opt_out(cast.contacts[1]),
        lambda: erp.add_customer("late@harbor-pumps.com", name="Late", key="LATE1"),
        lambda: erp.add_customer("later@harbor-pumps.com", name="Later", key="LATE2"),
        lambda: erp.add_order(who[9], [("ITEM-1", "Pump", 3, 50)]),
        lambda: erp.rename(who[10], "Customer Ten"),
        lambda: erp.set_email(who[11], "moved11@harbor-pumps.com"),
    ]
    chance.shuffle(events)
    return events
