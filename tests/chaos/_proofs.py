"""Runs that are killed: at every commit, after every write, and at random moments."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from threading import Timer
from typing import Any

from tests.chaos._calls import FULL_RUN, RUN, Call
from tests.chaos._lab import Lab
from tests.chaos._ordeal import Ordeal
from tests.chaos._processes import Worker
from tests.chaos._story import STORY, fates, nothing

PLACES = ("before", "inside", "after")


# Kills at places that are counted through


def at_every_commit(lab: Lab, system: str, *, step: int = 1) -> None:
    """Each run dies one place (or `step`) further: before a commit, within it, after it; until none is left."""

    def deadly(ordeal: Ordeal, number: int, call: Call) -> bool:
        number *= step
        place = (number // len(PLACES) + 1, PLACES[number % len(PLACES)])
        return not ordeal.run(call, until=place)

    _through_the_story(lab, system, deadly, "commits")


def at_every_write(lab: Lab, system: str, *, step: int = 1) -> None:
    """Each run dies a write (or `step` writes) later, once it was carried out and before its answer was heard."""

    def deadly(ordeal: Ordeal, number: int, call: Call) -> bool:
        return not ordeal.run(call, answer=number * step + 1)

    _through_the_story(lab, system, deadly, "writes")


def _through_the_story(lab: Lab, system: str, deadly: Callable[[Ordeal, int, Call], bool], title: str) -> None:
    with lab.pair(system) as (ours, theirs):
        for chapter in STORY:
            for ordeal in (ours, theirs):
                ordeal.open_chapter()
                chapter.happens(ordeal.world, ordeal.cast)
            number = 0
            while deadly(ours, number, chapter.call):
                number += 1
            theirs.undisturbed(chapter.call)
            if chapter.happens is nothing:
                lab.stay_quiet(f"{system}, {title}", ours)
        lab.judge(f"{system}, {title}", ours, theirs)


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
                if not ours.run(chapter.call, until=place):
                    places = True
                    ours.undisturbed(chapter.call)
                theirs.undisturbed(chapter.call)
            lab.judge(f"{system}, dying once at {place}", ours, theirs)
        number += 1


# Kills at random moments


def at_random(lab: Lab, system: str, seed: int) -> None:
    """Both sides change while runs die at any moment and answers fail; the end is that of one quiet run."""
    chance = Random(seed)
    inactive = chance.choice(["unsubscribe", "archive", "tag", "ignore"])
    with lab.opened_pair(system, loaded=True, policy={"inactive": inactive}) as (ours, theirs):
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
                ordeal.undisturbed(FULL_RUN)
        title = f"{system}, seed {seed}, inactive={inactive}"
        lab.stay_quiet(title, ours)
        lab.judge(title, ours, theirs)


def _die_somewhere(ordeal: Ordeal, chance: Random) -> None:
    call = FULL_RUN if chance.random() < 0.3 else RUN
    match chance.choice(["commit", "write", "moment"]):
        case "commit":
            ordeal.run(call, until=(chance.randint(1, 8), chance.choice(PLACES)))
        case "write":
            ordeal.run(call, answer=chance.randint(1, 10))
        case _:
            timers: list[Timer] = []
            delay = chance.uniform(0, 0.3)

            def start(worker: Worker) -> None:
                timers.append(Timer(delay, worker.kill))
                timers[0].start()

            ordeal.run(call, timer=start)
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
