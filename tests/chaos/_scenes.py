"""Calls other than a plain run that are broken off: what comes before each, the call, and what must hold after it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs

from tests.chaos._calls import FULL_RUN, RUN, Call
from tests.chaos._lab import Lab
from tests.chaos._ordeal import Ordeal, Place
from tests.chaos._proofs import PLACES
from tests.chaos._story import address

SECRET, HOOK = "6e1f9a7c", "https://hooks.acme.org/mailchimp"
YEARS = timedelta(days=1095)
MOST = 200
"""More places than any call has."""


@attrs.frozen
class Scene:
    """One call that is broken off.

    Attributes:
        prepare: what happens in a loaded world before the call, and the call.
        options: of both worlds.
        tried_again: a record that fails is tried by each repeat of the call, and counted each time.
        told_once: what the call mends is in order for its repeat, which has no reason to name it in the audit again.
        gone: addresses that must stand nowhere in the state afterwards.
    """

    prepare: Callable[[Ordeal], Call]
    options: dict[str, Any] = attrs.field(factory=dict)
    tried_again: bool = False
    told_once: bool = False
    gone: tuple[str, ...] = ()


def swept(ordeal: Ordeal) -> Call:
    """Customers that have not bought for years, and some that do again after an earlier sweep."""
    erp, who = ordeal.world.erp, ordeal.cast.customers
    sweep = Call("sweep", {"days": 730})
    for busy in ((1, 6, 7, 8, 9), (0, 2)):
        ordeal.open_chapter(YEARS)
        for number in busy:
            erp.add_order(who[number], [("ITEM-1", "Pump", 1, 50)])
        ordeal.undisturbed()
        if busy[0]:
            ordeal.undisturbed(sweep)
    return sweep


def drifted(ordeal: Ordeal) -> Call:
    """One drift of each kind, and two customers that the ERP has no more."""
    erp, who, mailchimp = ordeal.world.erp, ordeal.cast.customers, ordeal.world.mailchimp
    del mailchimp.members[address(1)]
    del mailchimp.members[address(7)]
    mailchimp.members[address(2)].merge_fields["ERPID"] = "C999999"
    silent = mailchimp.members[address(3)]
    # Without the stamp that would tell the next run of it.
    silent.status, silent.last_changed = "unsubscribed", silent.last_changed - timedelta(days=1)
    erp.remove(who[4])
    erp.remove(who[6])
    mailchimp.audience.change_address(mailchimp.members[address(5)], "elsewhere@harbor-pumps.com")
    mailchimp.add_member("foreign@harbor-pumps.com", tags=["VIP"])
    return Call("reconcile")


def told(ordeal: Ordeal) -> Call:
    """What webhooks tell: people unsubscribe, bounce and move; one of them nobody knows."""
    mailchimp, new = ordeal.world.mailchimp, "moved2@quillpaper.com"
    ordeal.addresses |= {address(0), address(1), address(2), new}
    mailchimp.unsubscribe(address(0))
    mailchimp.clean(address(1))
    make = mailchimp.deliveries.make
    deliveries = [
        make(HOOK, "unsubscribe", address(0), secret=SECRET),
        make(HOOK, "cleaned", address(1), secret=SECRET),
        _moved(ordeal, address(2), new),
        make(HOOK, "unsubscribe", "stranger@quillpaper.com", secret=SECRET),
    ]
    return _handling(ordeal, deliveries)


def _moved(ordeal: Ordeal, old: str, new: str) -> Any:
    mailchimp = ordeal.world.mailchimp
    mailchimp.audience.change_address(mailchimp.members[old], new)
    return mailchimp.deliveries.make(HOOK, "upemail", new, secret=SECRET, old_email=old)


def _handling(ordeal: Ordeal, deliveries: list[Any]) -> Call:
    texts = [[dict(delivery.headers), delivery.body.decode()] for delivery in deliveries]
    return Call("handle", {"deliveries": texts, "secret": SECRET, "now": ordeal.world.clock().isoformat()})


ERASED = (address(0), "zero@quillpaper.com")


def forgotten(ordeal: Ordeal) -> Call:
    """Somebody with orders, who has moved to another address, wants to be forgotten under that one."""
    old, new = ERASED
    ordeal.addresses |= {old, new}
    ordeal.undisturbed(_handling(ordeal, [_moved(ordeal, old, new)]))
    return Call("erase", {"email": new})


def set_aside(ordeal: Ordeal) -> Call:
    """Customers without a right address, most of which are mended in the ERP."""
    erp = ordeal.world.erp
    broken = [erp.add_customer(f"broken {number}", name=f"Broken {number}") for number in range(8)]
    ordeal.undisturbed()
    for number, key in enumerate(broken[1:]):
        erp.set_email(key, f"mended{number}@harbor-pumps.com")
    return Call("replay")


def history(ordeal: Ordeal) -> Call:
    """Orders by the dozen, loaded for the first time, which go in batches."""
    erp, who = ordeal.world.erp, ordeal.cast.customers
    for number in range(44):
        erp.add_order(who[number % 14], [(f"ITEM-{number % 5}", "Pump", 1, 50)])
    return RUN


SCENES: dict[str, Scene] = {
    "sweep": Scene(swept),
    "reconcile": Scene(drifted, told_once=True),
    "handle": Scene(told),
    "erase": Scene(forgotten, gone=ERASED),
    "replay": Scene(set_aside, tried_again=True),
    "batches": Scene(history, options={"sink": {"batch_from": 20, "batch_size": 10}}),
}
"""By what is called; `batches` is a run whose orders go by `/batches`."""


def broken_off(lab: Lab, system: str, *, scene: str, step: int = 1) -> None:
    """A call dies one place (or `step`) further with each try, at commits and after writes, until it gets through."""

    def deadly(ordeal: Ordeal, call: Call) -> None:
        for number in range(0, MOST, step):
            # Some calls write nothing outside: each second try dies after a write if it gets to one before the commit.
            write = number // 2 + 1 if number % 2 else None
            if ordeal.run(call, until=_place(number // 2), answer=write):
                return
        raise AssertionError(f"{scene} has no end")

    _in_two_worlds(lab, system, scene, deadly)


def once_at_each_place(lab: Lab, system: str, *, scene: str) -> None:
    """For each place, at a commit or after a write, a world of its own, in which the call dies there once."""
    for dies in (_dies_at_commit, _dies_after_write):
        for number in range(MOST):
            died = False

            def deadly(ordeal: Ordeal, call: Call, *, number: int = number, dies: Any = dies) -> None:
                nonlocal died
                died = dies(ordeal, call, number)
                if died:
                    ordeal.undisturbed(call)

            _in_two_worlds(lab, system, scene, deadly, more=f", place {number}")
            if not died:
                break


def _place(number: int) -> Place:
    return number // len(PLACES) + 1, PLACES[number % len(PLACES)]


def _dies_at_commit(ordeal: Ordeal, call: Call, number: int) -> bool:
    return not ordeal.run(call, until=_place(number))


def _dies_after_write(ordeal: Ordeal, call: Call, number: int) -> bool:
    return not ordeal.run(call, answer=number + 1)


def _in_two_worlds(lab: Lab, system: str, name: str, deadly: Callable[[Ordeal, Call], None], *, more: str = "") -> None:
    scene, title = SCENES[name], f"{system}, {name}{more}"
    loaded = name != "batches"
    with lab.opened_pair(system, loaded=loaded, **scene.options) as (ours, theirs):
        if not loaded:
            for ordeal in (ours, theirs):
                ordeal.undisturbed(Call("run", {"streams": ["customers", "contacts"]}))
        calls = [scene.prepare(ordeal) for ordeal in (ours, theirs)]
        deadly(ours, calls[0])
        theirs.undisturbed(calls[1])
        for ordeal in (ours, theirs):
            ordeal.open_chapter()
            ordeal.undisturbed(FULL_RUN)
        lab.stay_quiet(title, ours)
        text = ours.books.text()
        lab.require(not any(gone in text for gone in scene.gone), f"{title}: the state still names who was erased")
        lab.judge(title, ours, theirs, tried_again=scene.tried_again, told_once=scene.told_once)
