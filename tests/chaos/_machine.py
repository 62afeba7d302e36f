"""What a machine does to a state in a SQLite file: no room, a write cut short, no right to write, a lock of others."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Timer

from tests.chaos._lab import Lab
from tests.chaos._leases import PATIENCE, held_at
from tests.chaos._ordeal import AFTER_A_KILL, Ordeal
from tests.chaos._processes import News


def _told(lab: Lab, ended: News, *words: str) -> None:
    """A run has to end with an error of the state that says what is wrong and what to do."""
    lab.tally.faults += 1
    told = ended.get("ended") == "StateError" and all(word in ended["said"] for word in (*words, "then run again"))
    lab.require(told, f"{words[0]!r} was expected, but the run ended as {ended}")


def _sound_again(lab: Lab, title: str, ours: Ordeal, theirs: Ordeal) -> None:
    """The file is whole, and the next run ends as if nothing had been."""
    with closing(sqlite3.connect(ours.books.file)) as connection:
        checked = connection.execute("PRAGMA integrity_check").fetchall()
    lab.require(checked == [("ok",)], f"{title}: the file is damaged: {checked}")
    ours.world.clock.advance(seconds=AFTER_A_KILL.total_seconds())
    ours.undisturbed()
    theirs.undisturbed()
    lab.judge(title, ours, theirs)


def disk_full(lab: Lab, system: str) -> None:
    """A full disk ends the run with an error that says so; with room again the next run ends as if nothing had been."""
    _trouble_that_passes(lab, system, store="full", told="disk is full", title="disk full")


def write_cut_short(lab: Lab, system: str) -> None:
    """A disk that takes only a part of a commit: the part counts for nothing."""
    _trouble_that_passes(lab, system, store="cut short", told="disk I/O error", title="write cut short")


def _trouble_that_passes(lab: Lab, system: str, *, store: str, told: str, title: str) -> None:
    with lab.opened_pair(system) as (ours, theirs):
        ours.conditions["store"] = store
        _told(lab, ours.run(), told)
        ours.conditions["store"] = "telling"
        _sound_again(lab, f"{system}, {title}", ours, theirs)


def read_only(lab: Lab, system: str) -> None:
    """After a run was killed its file, or the directory, is read-only: told, and the file stays as it is."""
    with lab.opened_pair(system) as (ours, theirs):
        ours.run(until=(3, "inside"))
        ours.conditions["store"] = "plain"
        with _read_only(ours):
            _told(lab, ours.run(), "readonly database")
        _sound_again(lab, f"{system}, read-only", ours, theirs)


@contextmanager
def _read_only(ordeal: Ordeal) -> Iterator[None]:
    folder = ordeal.books.file.parent
    places = [*folder.iterdir(), folder]
    modes = [place.stat().st_mode for place in places]
    for place in places:
        place.chmod(0o555 if place is folder else 0o444)
    try:
        yield
    finally:
        for place, mode in zip(places, modes, strict=True):
            place.chmod(mode)


def locked(lab: Lab, system: str) -> None:
    """Another process writes to the file: a run waits for it a while, and is told when it takes too long."""
    with lab.opened_pair(system) as (ours, theirs):
        ours.conditions["patience"] = PATIENCE
        with closing(sqlite3.connect(ours.books.file, check_same_thread=False, isolation_level=None)) as other:
            worker = held_at(ours, (2, "before"))
            other.execute("BEGIN IMMEDIATE")
            soon = Timer(PATIENCE / 5, other.rollback)
            soon.start()
            worker.go()
            worker.reach((2, "inside"))
            soon.join()
            worker.go()
            worker.reach((3, "before"))
            other.execute("BEGIN IMMEDIATE")
            worker.go()
            ended = worker.finish()
            ours.close(worker)
            other.rollback()
        _told(lab, ended, "database is locked")
        _sound_again(lab, f"{system}, locked", ours, theirs)
