"""What is done to a pipeline, where, and what has to come of it: the table behind `run.py` and the documentation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs

from tests.chaos import _database_gone as database_gone, _leases as leases, _machine as machine, _proofs as proofs
from tests.chaos._scenes import SCENES, broken_off, once_at_each_place

AT_COMMITS_AND_WRITES = "before, within and after each commit; after each write, before its answer is heard"


@attrs.frozen
class Proof:
    """One row.

    Attributes:
        what: what is done, and to whom.
        where: at which moments.
        then: what the caller sees, and what happens next; nothing is lost and nothing doubled in any of them.
        carry_out: takes a lab and the name of an ERP; some need more.
        kept_in: the states in which it is carried out: `any`, `sqlite`, or `server` for a PostgreSQL of one's own.
    """

    what: str
    where: str
    then: str
    carry_out: Callable[..., None] = attrs.field(repr=False)
    kept_in: str = "any"


def _broken_off(name: str, what: str, then: str) -> Proof:
    return Proof(what, AT_COMMITS_AND_WRITES, then, partial(broken_off, scene=name))


PROOFS: dict[str, Proof] = {
    "every commit": Proof(
        "a run is killed",
        "before, within and after each commit of a first load, of changes, and of a full run",
        "the next run goes on from what was committed",
        proofs.at_every_commit,
    ),
    "every write": Proof(
        "a run is killed",
        "after each write to Mailchimp was carried out, before its answer is heard",
        "the next run repeats the write unharmed",
        proofs.at_every_write,
    ),
    "once at each commit": Proof(
        "a run is killed once, each time in a world of its own",
        "before, within and after each commit",
        "the next run goes on from what was committed",
        proofs.once_at_each_commit,
    ),
    "random": Proof(
        "runs are killed, and answers fail, while both sides change",
        "at any moment",
        "two quiet runs later all is as if nothing had been",
        proofs.at_random,
    ),
    "sweep": _broken_off("sweep", "a sweep is killed", "another sweep takes up the rest"),
    "reconcile": _broken_off(
        "reconcile",
        "a repair is killed",
        "another one mends what is left; what is in order already is not told in the audit again",
    ),
    "handle": _broken_off("handle", "taking in webhook events is killed", "delivered again, each event counts once"),
    "erase": _broken_off("erase", "an erasure is killed", "another one ends it; the state names nobody any more"),
    "replay": _broken_off(
        "replay", "a replay is killed", "another one takes up the rest; what fails again counts each try"
    ),
    "batches": _broken_off(
        "batches",
        "a first load of orders by /batches is killed",
        "the next run finds the batches again, and no order is made twice",
    ),
    "two at once": Proof(
        "two processes run one pipeline",
        "the second begins while the first is under way",
        "LeaseHeldError names owner and expiry; the first ends well",
        leases.two_at_once,
    ),
    "race": Proof(
        "two processes run one pipeline",
        "both begin at the same moment, the first time ever included",
        "one runs; LeaseHeldError names it to the other",
        leases.race,
    ),
    "asleep too long": Proof(
        "a process is stopped (SIGSTOP) until its lease ran out and another has taken over",
        "before a commit; it wakes while the other is under way, or after its end",
        "LeaseLostError, and nothing of it is committed",
        leases.asleep_too_long,
    ),
    "asleep in a commit": Proof(
        "a process is stopped (SIGSTOP) until its lease ran out",
        "within a commit",
        "others wait for its lock, up to 30 seconds, then get a StateError that says so; once awake it ends well",
        leases.asleep_in_a_commit,
    ),
    "lease renewed": Proof(
        "a run takes longer than its lease",
        "while others ask for it",
        "LeaseHeldError for all of them; the run ends well",
        leases.renewed,
    ),
    "clock set back": Proof(
        "the clock jumps back an hour",
        "within a run, before one, and after one was killed",
        "at most LeaseHeldError until the old lease ran out",
        leases.clock_set_back,
    ),
    "disk full": Proof(
        "the disk of the state is full",
        "from the second commit on",
        "StateError that says so; with room again the next run goes on",
        machine.disk_full,
        kept_in="sqlite",
    ),
    "write cut short": Proof(
        "the disk takes only a part of what is written",
        "in the midst of a commit",
        "StateError; the part counts for nothing",
        machine.write_cut_short,
        kept_in="sqlite",
    ),
    "read-only": Proof(
        "file and directory of the state are read-only",
        "after a run was killed within a commit",
        "StateError that says so; the file stays as it is",
        machine.read_only,
        kept_in="sqlite",
    ),
    "locked": Proof(
        "another process has locked the file of the state",
        "at a commit",
        "the run waits, up to 30 seconds; then StateError that says so",
        machine.locked,
        kept_in="sqlite",
    ),
    "server stopped": Proof(
        "the PostgreSQL server stops, and starts again after the run",
        "before, within and after a commit, and before a run",
        "StateError that says so; the next run goes on",
        database_gone.server_stopped,
        kept_in="server",
    ),
    "backends killed": Proof(
        "the processes of PostgreSQL that serve the run are killed (SIGKILL), and the server recovers",
        "before, within and after a commit",
        "StateError within a transaction; else the run goes on with a new connection",
        database_gone.backends_killed,
        kept_in="server",
    ),
}
"""By name."""

SCENE_NAMES = tuple(SCENES)
LEASES = ("two at once", "race", "asleep too long", "asleep in a commit", "lease renewed", "clock set back")


def at_each_place(name: str) -> Callable[..., None]:
    """The long form of a scene: a world of its own for each place."""
    return partial(once_at_each_place, scene=name)
