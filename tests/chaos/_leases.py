"""Two processes at once, and leases that run out, are renewed, or belong to the future of a clock."""

from __future__ import annotations

import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

from tests.chaos._lab import Lab
from tests.chaos._ordeal import AFTER_A_KILL, Ordeal, Place
from tests.chaos._processes import News, Worker
from tests.chaos._story import STORY

PATIENCE = 0.5
"""Seconds for which a process waits for a lock of another one, in place of the library's 30."""

LEASE_SECONDS = 2.5
"""Of a lease that has to be renewed while somebody watches."""


def held_at(ordeal: Ordeal, place: Place) -> Worker:
    """A process that stands at a place of its nth commit."""
    worker = ordeal.begin()
    worker.reach(place)
    return worker


def _names(refused: News, ordeal: Ordeal, owner: Worker) -> bool:
    """Whoever was refused was told who runs, and until when."""
    until = (ordeal.world.clock() + timedelta(minutes=2)).isoformat()
    who = f"{socket.gethostname()}:{owner.pid}:"
    return refused.get("ended") == "LeaseHeldError" and who in refused["said"] and until in refused["said"]


def two_at_once(lab: Lab, system: str) -> None:
    """While one runs, another is told who and until when; then the one ends well."""
    with lab.opened_pair(system) as (ours, theirs):
        first = held_at(ours, (2, "before"))
        second = ours.begin()
        refused = second.finish()
        ours.close(second)
        lab.require(
            _names(refused, ours, first), f"{system}: a second run was not told who runs and until when: {refused}"
        )
        first.go()
        ended = first.finish()
        ours.close(first)
        lab.require(ended.get("ended") == "ok", f"{system}: the first of two runs ended as {ended}")
        theirs.undisturbed()
        lab.judge(f"{system}, two at once", ours, theirs)


def race(lab: Lab, system: str, *, rounds: int = 3) -> None:
    """Two processes ask for the lease at the same moment, the first one ever included: one of them runs."""
    with lab.opened_pair(system) as (ours, theirs):
        for _ in range(rounds):
            workers = [ours.begin(), ours.begin()]
            for worker in workers:
                worker.next()
            one_is_out = Event()
            with ThreadPoolExecutor(len(workers)) as threads:
                ends = list(threads.map(_run_against, workers, [one_is_out] * 2))
            for worker in workers:
                ours.close(worker)
            winners = [n for n, end in enumerate(ends) if end.get("ended") == "ok"]
            fair = len(winners) == 1 and _names(ends[1 - winners[0]], ours, workers[winners[0]])
            lab.require(fair, f"{system}: two that began at the same moment ended as {ends}")
            ours.world.clock.advance(minutes=1)
        theirs.undisturbed()
        lab.judge(f"{system}, race", ours, theirs)


def _run_against(worker: Worker, one_is_out: Event) -> News:
    """Let go from the door; whoever comes to a commit waits there until the other has ended."""
    worker.go()
    try:
        for news in worker.news():
            if "ended" in news:
                worker.ended = True
                return news
            one_is_out.wait(30)
            worker.go()
        return {}
    finally:
        one_is_out.set()


def asleep_too_long(lab: Lab, system: str) -> None:
    """A process that was stopped until its lease ran out cannot commit any more, once another took over.

    It wakes while the other is under way, and another time after the other has ended.
    """
    with lab.opened_pair(system) as (ours, theirs):
        for other_is_done in (False, True):
            sleeper = held_at(ours, (2, "before"))
            sleeper.signal(signal.SIGSTOP)
            ours.world.clock.advance(seconds=AFTER_A_KILL.total_seconds())
            other = held_at(ours, (1, "after"))
            other_ended = _let_go(ours, other) if other_is_done else {}
            sleeper.signal(signal.SIGCONT)
            ended = _let_go(ours, sleeper)
            lab.require(
                ended.get("ended") == "LeaseLostError", f"{system}: who slept through its lease ended as {ended}"
            )
            other_ended = other_ended or _let_go(ours, other)
            lab.require(other_ended.get("ended") == "ok", f"{system}: who took over ended as {other_ended}")
            theirs.undisturbed()
            for ordeal in (ours, theirs):
                ordeal.open_chapter()
                ordeal.world.erp.rename(ordeal.cast.customers[0], f"Renamed {other_is_done}")
        ours.undisturbed()
        theirs.undisturbed()
        lab.judge(f"{system}, asleep too long", ours, theirs)


def _let_go(ordeal: Ordeal, worker: Worker) -> News:
    worker.go()
    ended = worker.finish()
    ordeal.close(worker)
    return ended


def asleep_in_a_commit(lab: Lab, system: str) -> None:
    """A process that was stopped within a commit keeps others out, who are told so; once awake it ends well."""
    with lab.opened_pair(system) as (ours, theirs):
        ours.conditions["patience"] = PATIENCE
        sleeper = held_at(ours, (2, "inside"))
        sleeper.signal(signal.SIGSTOP)
        ours.world.clock.advance(seconds=AFTER_A_KILL.total_seconds())
        refused = _let_go(ours, ours.begin())
        told = refused.get("ended") == "StateError" and "lock" in refused["said"]
        lab.require(told, f"{system}: with another asleep in a commit a run ended as {refused}")
        sleeper.signal(signal.SIGCONT)
        ended = _let_go(ours, sleeper)
        lab.require(ended.get("ended") == "ok", f"{system}: who had slept in a commit ended as {ended}")
        theirs.undisturbed()
        lab.judge(f"{system}, asleep in a commit", ours, theirs)


def renewed(lab: Lab, system: str) -> None:
    """A run that takes twice as long as a lease keeps it: whoever asks meanwhile is refused."""
    with lab.opened_pair(system) as (ours, theirs):
        ours.conditions["lease"] = LEASE_SECONDS
        began = time.monotonic()
        first = held_at(ours, (2, "before"))
        refusals: list[str] = []
        while (passed := time.monotonic() - began) < 2 * LEASE_SECONDS:
            second = ours.begin(behind=timedelta(seconds=-passed))
            refusals.append(second.finish().get("ended", "killed"))
            ours.close(second)
        lab.require({*refusals} == {"LeaseHeldError"}, f"{system}: during a long run others ended as {refusals}")
        ended = _let_go(ours, first)
        lab.require(ended.get("ended") == "ok", f"{system}: a run longer than its lease ended as {ended}")
        del ours.conditions["lease"]
        theirs.undisturbed()
        lab.judge(f"{system}, renewed", ours, theirs)


def clock_set_back(lab: Lab, system: str) -> None:
    """A clock that jumps back an hour, in a run, before one, or after a kill, loses nothing and says what it means."""
    hour = timedelta(hours=1)
    with lab.pair(system) as (ours, theirs):
        for number, chapter in enumerate(STORY):
            for ordeal in (ours, theirs):
                ordeal.open_chapter()
                chapter.happens(ordeal.world, ordeal.cast)
            lab.tally.faults += 1
            if number == 0:
                worker = held_at(ours, (3, "before"))
                worker.go(now=(ours.world.clock() - hour).isoformat())
                ended = worker.finish()
                ours.close(worker)
                lab.require(ended.get("ended") == "ok", f"{system}: a clock set back in a run ended it as {ended}")
            elif number == 1:
                _behind(lab, ours, hour, "ok")
            else:
                ours.run(chapter.call, until=(2, "inside"))
                # The lease of the run that was killed is in the future of a clock that is an hour behind.
                _behind(lab, ours, hour, "LeaseHeldError")
            ours.undisturbed(chapter.call)
            theirs.undisturbed(chapter.call)
        lab.judge(f"{system}, clock set back", ours, theirs)


def _behind(lab: Lab, ordeal: Ordeal, by: timedelta, expected: str) -> None:
    worker = ordeal.begin(behind=by)
    ended = worker.finish()
    ordeal.close(worker)
    lab.require(ended.get("ended") == expected, f"a run whose clock is behind by {by} ended as {ended}")
