"""A database server that goes away in the middle of a run, and comes back."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos._lab import Lab
from tests.chaos._leases import held_at
from tests.chaos._ordeal import AFTER_A_KILL, Ordeal
from tests.chaos._postgres import PostgresServer
from tests.chaos._proofs import PLACES


def server_stopped(lab: Lab, system: str, *, server: PostgresServer) -> None:
    """The server stops while a run stands at a commit, and starts once the run has ended."""
    for place, ours in _each_place(lab, system, "server stopped"):
        worker = held_at(ours, (1, place))
        server.stop()
        try:
            worker.go()
            ended = worker.finish()
            ours.close(worker)
            again = ours.run()
        finally:
            server.start()
        for how in (ended, again):
            told = how.get("ended") == "StateError" and "check the database" in how["said"]
            lab.require(told, f"{system}: with the server gone {place} a commit the run ended as {how}")


def backends_killed(lab: Lab, system: str, *, server: PostgresServer) -> None:
    """The processes that serve a run are killed, and the server is back before the run goes on.

    Outside of a transaction a run may go on with a new connection.
    """
    for place, ours in _each_place(lab, system, "backends killed"):
        worker = held_at(ours, (1, place))
        server.kill_backends()
        worker.go()
        ended = worker.finish()
        ours.close(worker)
        told = ended.get("ended") == "StateError" and "check the database" in ended["said"]
        survived = ended.get("ended") == "ok" and place != "inside"
        lab.require(told or survived, f"{system}: with its backends killed {place} a commit the run ended as {ended}")


def _each_place(lab: Lab, system: str, title: str) -> Iterator[tuple[str, Ordeal]]:
    """One chapter for each place of a commit; after it the next run must set right what happened."""
    with lab.opened_pair(system) as (ours, theirs):
        for number, place in enumerate(PLACES):
            lab.tally.faults += 1
            yield place, ours
            ours.world.clock.advance(seconds=AFTER_A_KILL.total_seconds())
            ours.undisturbed()
            theirs.undisturbed()
            for ordeal in (ours, theirs):
                ordeal.open_chapter()
                erp, who = ordeal.world.erp, ordeal.cast.customers
                erp.rename(who[number], f"Renamed {number}")
                erp.add_order(who[number], [("ITEM-1", "Pump", 3, 50)])
        for ordeal in (ours, theirs):
            ordeal.undisturbed()
        lab.judge(f"{system}, {title}", ours, theirs)
