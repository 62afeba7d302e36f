"""What is proved: each proof makes its worlds, does its worst, and says what was lost and what was doubled."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Timer
from typing import Any

import attrs
from sqlalchemy import create_engine, inspect, text

from tests.chaos._ordeal import AFTER_A_KILL, Books, Ordeal, Tally, compare
from tests.chaos._processes import Nursery, Worker
from tests.chaos._story import STORY, fates, nothing, opening

PLACES = ("before", "inside", "after")


@attrs.define
class Lab:
    """Where proofs are carried out, and what they found.

    Attributes:
        database: URL of a database server for the states; a SQLite file each without one.
    """

    nursery: Nursery
    folder: Path
    database: str = ""
    tally: Tally = attrs.field(factory=Tally)
    findings: list[str] = attrs.field(factory=list)
    _worlds: int = 0

    @contextmanager
    def ordeal(self, system: str, **options: Any) -> Iterator[Ordeal]:
        """A new world with an empty state."""
        self._worlds += 1
        if self.database:
            books = Books(self.database, f"chaos{self._worlds}_")
            _drop_tables(books)
        else:
            books = Books(f"sqlite:///{self.folder / f'state{self._worlds}.db'}")
        try:
            with Ordeal(system, self.nursery, books, **options) as ordeal:
                yield ordeal
                self.tally.add(ordeal.tally)
        finally:
            if self.database:
                _drop_tables(books)

    @contextmanager
    def pair(self, system: str, **options: Any) -> Iterator[tuple[Ordeal, Ordeal]]:
        """A world to be disturbed and one that never is."""
        with ExitStack() as stack:
            yield (
                stack.enter_context(self.ordeal(system, **options)),
                stack.enter_context(self.ordeal(system, **options)),
            )

    def judge(self, title: str, ours: Ordeal, theirs: Ordeal) -> None:
        """Note where the two differ."""
        lost, doubled = compare(ours, theirs)
        self.tally.lost += len(lost)
        self.tally.doubled += len(doubled)
        self.findings += [f"{title}: lost {what}" for what in lost]
        self.findings += [f"{title}: doubled {what}" for what in doubled]

    def require(self, fulfilled: bool, what: str) -> None:
        """Note what does not hold."""
        if not fulfilled:
            self.findings.append(what)


def _drop_tables(books: Books) -> None:
    engine = create_engine(books.url)
    with engine.begin() as connection:
        for name in inspect(connection).get_table_names():
            if name.startswith(books.prefix):
                connection.execute(text(f'DROP TABLE "{name}"'))
    engine.dispose()


# Kills at places that are counted through


def at_every_commit(lab: Lab, system: str) -> None:
    """Each run dies one place further: before a commit, within it, after it; until one has no such place left."""

    def deadly(ordeal: Ordeal, number: int, full: bool) -> bool:
        place = (number // len(PLACES) + 1, PLACES[number % len(PLACES)])
        return not ordeal.run(full=full, until=place)

    _through_the_story(lab, system, deadly, "commits")


def at_every_write(lab: Lab, system: str, *, step: int = 1) -> None:
    """Each run dies a write (or `step` writes) later, once it was carried out and before its answer was heard."""

    def deadly(ordeal: Ordeal, number: int, full: bool) -> bool:
        return not ordeal.run(full=full, answer=number * step + 1)

    _through_the_story(lab, system, deadly, "writes")


def _through_the_story(lab: Lab, system: str, deadly: Callable[[Ordeal, int, bool], bool], title: str) -> None:
    with lab.pair(system) as (ours, theirs):
        for chapter in STORY:
            for ordeal in (ours, theirs):
                ordeal.open_chapter()
                chapter.happens(ordeal.world, ordeal.cast)
            number = 0
            while deadly(ours, number, chapter.full):
                number += 1
            theirs.undisturbed(full=chapter.full)
            if chapter.happens is nothing:
                _stay_quiet(lab, f"{system}, {title}", ours)
        lab.judge(f"{system}, {title}", ours, theirs)


def _stay_quiet(lab: Lab, title: str, ordeal: Ordeal) -> None:
    before = len(ordeal.world.writes)
    ordeal.undisturbed(full=True)
    written = ordeal.world.writes[before:]
    lab.require(not written, f"{title}: a further run over everything wrote {written}")


def once_at_each_commit(lab: Lab, system: str) -> None:
    """For each place of a commit a world of its own, in which a single run dies there."""
    places, number = True, 0
    while places:
        place = (number // len(PLACES) + 1, PLACES[number % len(PLACES)])
        places = False
        with lab.pair(system) as (ours, theirs):
            for chapter in STORY:
                for ordeal in (ours, theirs):
                    ordeal.open_chapter()
                    chapter.happens(ordeal.world, ordeal.cast)
                if not ours.run(full=chapter.full, until=place):
                    places = True
                    ours.undisturbed(full=chapter.full)
                theirs.undisturbed(full=chapter.full)
            lab.judge(f"{system}, dying once at {place}", ours, theirs)
        number += 1


# Kills at random moments


def at_random(lab: Lab, system: str, seed: int) -> None:
    """Both sides change while runs die at any moment and answers fail; the end is that of one quiet run."""
    chance = Random(seed)
    inactive = chance.choice(["unsubscribe", "archive", "tag", "ignore"])
    with lab.pair(system, inactive=inactive) as (ours, theirs):
        for ordeal in (ours, theirs):
            ordeal.open_chapter()
            opening(ordeal.world, ordeal.cast)
            ordeal.undisturbed()
            ordeal.open_chapter()
        events = fates(ours.world, ours.cast, Random(seed))
        for event in fates(theirs.world, theirs.cast, Random(seed)):
            event()
        while events:
            for _ in range(min(len(events), chance.randint(1, 4))):
                events.pop(0)()
            _spoil_answers(ours, chance)
            _die_somewhere(ours, chance)
            ours.tally.faults += _mend(ours)
        for _ in range(2):
            for ordeal in (ours, theirs):
                ordeal.open_chapter()
                ordeal.undisturbed(full=True)
        title = f"{system}, seed {seed}, inactive={inactive}"
        _stay_quiet(lab, title, ours)
        lab.judge(title, ours, theirs)


def _die_somewhere(ordeal: Ordeal, chance: Random) -> None:
    full = chance.random() < 0.3
    match chance.choice(["commit", "write", "moment"]):
        case "commit":
            ordeal.run(full=full, until=(chance.randint(1, 8), chance.choice(PLACES)))
        case "write":
            ordeal.run(full=full, answer=chance.randint(1, 10))
        case _:
            timers: list[Timer] = []
            delay = chance.uniform(0, 0.3)

            def start(worker: Worker) -> None:
                timers.append(Timer(delay, worker.kill))
                timers[0].start()

            ordeal.run(full=full, timer=start)
            for timer in timers:
                timer.cancel()
                timer.join()


def _spoil_answers(ordeal: Ordeal, chance: Random) -> None:
    for fake in (ordeal.world.mailchimp, ordeal.world.erp.fake):
        for _ in range(chance.randint(0, 2)):
            rule: dict[str, Any] = chance.choice([{"status": 503}, {"drop": "before"}, {"drop": "after"}])
            fake.fail(nth=chance.randint(1, 15), **rule)


def _mend(ordeal: Ordeal) -> int:
    fakes = (ordeal.world.mailchimp, ordeal.world.erp.fake)
    fired = sum(fault.fired for fake in fakes for fault in fake.faults)
    for fake in fakes:
        fake.faults.clear()
    return fired


# Two at once


def two_at_once(lab: Lab, system: str) -> None:
    """While one runs, another is told who and until when; then the one ends well."""
    with lab.pair(system) as (ours, theirs):
        for ordeal in (ours, theirs):
            ordeal.open_chapter()
            opening(ordeal.world, ordeal.cast)
        first = _held_at(ours, 2)
        second = ours.begin()
        refused = second.finish()
        ours.close(second)
        until = (ours.world.clock() + timedelta(minutes=2)).isoformat()
        who = f"{socket.gethostname()}:{first.pid}:"
        told = refused.get("ended") == "LeaseHeldError" and who in refused["said"] and until in refused["said"]
        lab.require(told, f"{system}: a second run was not told who runs and until when: {refused}")
        first.go()
        ended = first.finish()
        ours.close(first)
        lab.require(ended.get("ended") == "ok", f"{system}: the first of two runs ended as {ended}")
        theirs.undisturbed()
        lab.judge(f"{system}, two at once", ours, theirs)


def asleep_too_long(lab: Lab, system: str) -> None:
    """A process that is stopped until its lease ran out, and another has taken over, cannot commit any more."""
    with lab.pair(system) as (ours, theirs):
        for ordeal in (ours, theirs):
            ordeal.open_chapter()
            opening(ordeal.world, ordeal.cast)
        sleeper = _held_at(ours, 3)
        sleeper.signal(signal.SIGSTOP)
        ours.world.clock.advance(seconds=AFTER_A_KILL.total_seconds())
        ours.undisturbed()
        sleeper.go()
        sleeper.signal(signal.SIGCONT)
        ended = sleeper.finish()
        ours.close(sleeper)
        lab.require(ended.get("ended") == "LeaseLostError", f"{system}: who slept through its lease ended as {ended}")
        theirs.undisturbed()
        lab.judge(f"{system}, asleep too long", ours, theirs)


def _held_at(ordeal: Ordeal, number: int) -> Worker:
    """A process that is about to make its nth commit."""
    worker = ordeal.begin()
    for news in worker.news():
        if news.get("at") == [number, "before"]:
            return worker
        worker.go()
    raise AssertionError(f"there is no commit {number}")


# The machine


def disk_full(lab: Lab, system: str) -> None:
    """A full disk ends the run with an error that says so; with room again the next run ends as if nothing had been."""
    with lab.pair(system) as (ours, theirs):
        for ordeal in (ours, theirs):
            ordeal.open_chapter()
            opening(ordeal.world, ordeal.cast)
        ours.store = "full"
        ended = ours.run()
        lab.tally.faults += 1
        told = ended.get("ended") == "StateError" and "disk is full" in ended["said"]
        lab.require(told, f"{system}: a full disk ended the run as {ended}")
        ours.store = "telling"
        ours.world.clock.advance(seconds=AFTER_A_KILL.total_seconds())
        ours.undisturbed()
        theirs.undisturbed()
        lab.judge(f"{system}, disk full", ours, theirs)


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
                worker = _held_at(ours, 3)
                worker.go(now=(ours.world.clock() - hour).isoformat())
                ended = worker.finish()
                ours.close(worker)
                lab.require(ended.get("ended") == "ok", f"{system}: a clock set back in a run ended it as {ended}")
            elif number == 1:
                _behind(lab, ours, hour, "ok")
            else:
                ours.run(full=chapter.full, until=(2, "inside"))
                # The lease of the run that was killed is in the future of a clock that is an hour behind.
                _behind(lab, ours, hour, "LeaseHeldError")
            ours.undisturbed(full=chapter.full)
            theirs.undisturbed(full=chapter.full)
        lab.judge(f"{system}, clock set back", ours, theirs)


def _behind(lab: Lab, ordeal: Ordeal, by: timedelta, expected: str) -> None:
    worker = ordeal.begin(behind=by)
    ended = worker.finish()
    ordeal.close(worker)
    lab.require(ended.get("ended") == expected, f"a run whose clock is behind by {by} ended as {ended}")
