"""The crash proof: processes that run a pipeline are killed, and the end is compared with that of a quiet life.

Short by default; `--long` takes the better part of an hour. States are kept in SQLite files, on the PostgreSQL of
`MLCONNECTOR_POSTGRES_URL` and the MariaDB of `MLCONNECTOR_MARIADB_URL` when these are given. Where a PostgreSQL server
is installed, one is started for the proofs that stop it; without a URL it serves the others as well.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Lock

import attrs

# Run as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.chaos._lab import Lab
from tests.chaos._ordeal import Tally
from tests.chaos._postgres import PostgresServer, find_programs
from tests.chaos._processes import Nursery
from tests.chaos._table import LEASES, PROOFS, SCENE_NAMES, at_each_place

SYSTEMS = ACUMATICA, SYSPRO = ("acumatica", "syspro odata")
BATCH = 5
"""Records to a commit, so that a short story has many."""

MANY = {"batches": 4}
"""How far kills are apart, in the short form, in calls that have very many places."""

_OUT = Lock()


@attrs.frozen
class Wanted:
    """One proof to be carried out, by its name in the table or another `title`."""

    title: str
    system: str
    carry_out: Callable[[Lab, str], None]


def say(line: str) -> None:
    """Tell whoever waits, at once."""
    with _OUT:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def of_table(name: str, system: str, **more: object) -> Wanted:
    """A proof as the table has it."""
    return Wanted(name, system, partial(PROOFS[name].carry_out, **more))


def of_seed(seed: int, system: str) -> Wanted:
    """Random kills that can be repeated."""
    return Wanted(f"random, seed {seed}", system, partial(PROOFS["random"].carry_out, seed=seed))


def on_sqlite(system: str) -> Iterator[Wanted]:
    """What a machine does to a file."""
    return (of_table(name, system) for name, proof in PROOFS.items() if proof.kept_in == "sqlite")


def on_server(system: str, server: PostgresServer) -> Iterator[Wanted]:
    """What befalls a server of one's own."""
    names = (name for name, proof in PROOFS.items() if proof.kept_in == "server")
    return (of_table(name, system, server=server) for name in names)


def short(seed: int) -> Iterator[Wanted]:
    """Every proof once on SQLite."""
    yield of_table("every commit", ACUMATICA)
    yield of_table("every write", SYSPRO, step=3)
    yield of_seed(seed, ACUMATICA)
    for name in SCENE_NAMES:
        yield of_table(name, ACUMATICA, step=MANY.get(name, 1))
    for name in LEASES:
        yield of_table(name, SYSPRO)
    yield from on_sqlite(SYSPRO)


def short_on_server(seed: int) -> Iterator[Wanted]:
    """What a server may do otherwise than a file: leases, locks, and what a killed process leaves."""
    for name in LEASES:
        yield of_table(name, SYSPRO)
    yield of_table("every commit", SYSPRO, step=4)
    yield of_seed(seed, SYSPRO)
    for name in ("handle", "erase", "replay"):
        yield of_table(name, ACUMATICA)


def few(seed: int) -> Iterator[Wanted]:
    """For a server whose locks are much like those of another."""
    for name in ("race", "asleep too long"):
        yield of_table(name, SYSPRO)
    yield of_seed(seed, ACUMATICA)


def long(seed: int, *, rounds: int) -> Iterator[Wanted]:
    """Every proof on every system, and many seeds."""
    for system in SYSTEMS:
        for name in ("every commit", "every write", "once at each commit", *SCENE_NAMES, *LEASES):
            yield of_table(name, system)
        for name in SCENE_NAMES:
            yield Wanted(f"{name}, once each", system, at_each_place(name))
        for number in range(rounds):
            yield of_seed(seed + number, system)


def carry_out(title: str, wanted: Iterator[Wanted], *, database: str = "") -> Tally:
    """Carry out proofs and print what each found."""
    with Nursery(BATCH) as nursery, tempfile.TemporaryDirectory() as folder:
        lab = Lab(nursery, Path(folder), database, prefix=title.lower().replace(" ", "_"))
        for proof in wanted:
            began, told, kills = time.monotonic(), len(lab.findings), lab.tally.kills
            try:
                proof.carry_out(lab, proof.system)
            except Exception as error:  # the other proofs are carried out all the same
                lab.findings.append(f"{proof.title} could not be carried out: {error!r}")
            verdict = "ok" if len(lab.findings) == told else "FAILED"
            seconds, killed = time.monotonic() - began, lab.tally.kills - kills
            lines = [f"{title:<12}{proof.system:<14}{proof.title:<22}{killed:>5} kills {seconds:>6.1f} s  {verdict}"]
            say("\n    ".join([*lines, *lab.findings[told:]]))
        lab.tally.failed = bool(lab.findings)
        return lab.tally


def lanes(asked: argparse.Namespace, seed: int, server: PostgresServer | None) -> Iterator[Callable[[], Tally]]:
    """What is carried out side by side, the longest first."""
    given = os.environ.get("MLCONNECTOR_POSTGRES_URL", "") or (server.url if server else "")
    mariadb = os.environ.get("MLCONNECTOR_MARIADB_URL", "")

    def everything() -> Iterator[Wanted]:
        return long(seed, rounds=asked.rounds)

    if asked.long:
        yield partial(carry_out, "SQLite", (w for part in (everything(), *map(on_sqlite, SYSTEMS)) for w in part))
    else:
        yield partial(carry_out, "SQLite", short(seed))
    if given and given != (server.url if server else ""):
        yield partial(
            carry_out, "PostgreSQL", everything() if asked.long else short_on_server(seed + 1), database=given
        )
    if server:
        # What stops the server comes after all others that it serves.
        own = [*(on_server(ACUMATICA, server))]
        if given == server.url:
            own = [*(everything() if asked.long else short_on_server(seed + 1)), *own]
        yield partial(carry_out, "PostgreSQL" if given == server.url else "own server", iter(own), database=server.url)
    if mariadb:
        yield partial(carry_out, "MariaDB", everything() if asked.long else few(seed + 2), database=mariadb)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out what was asked for; 1 when anything does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="every proof on every system, by way of many seeds")
    parser.add_argument("--seed", type=int, default=None, help="repeat the random kills of an earlier run")
    parser.add_argument("--rounds", type=int, default=20, help="seeds of each system with --long")
    parser.add_argument("--list", action="store_true", help="print what is done where, and what comes of it")
    asked = parser.parse_args(arguments)
    if asked.list:
        for name, proof in PROOFS.items():
            say(f"{name}: {proof.what}; {proof.where} -> {proof.then}")
        return 0
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    began, whole = time.monotonic(), Tally()
    say(f"seed {seed}")
    with ExitStack() as stack:
        programs = find_programs()
        server = stack.enter_context(PostgresServer(programs)) if programs else None
        if server is None:
            say("no PostgreSQL server is installed: what stops one is left out")
        threads = stack.enter_context(ThreadPoolExecutor(max_workers=2))
        for tally in threads.map(lambda lane: lane(), list(lanes(asked, seed, server))):
            whole.add(tally)
    say(
        f"{whole.runs} runs, {whole.kills} kills, {whole.faults} faults injected in {time.monotonic() - began:.0f} s: "
        f"lost {whole.lost}, doubled {whole.doubled}{', FAILED' if whole.failed else ''}"
    )
    return int(whole.failed)


if __name__ == "__main__":
    sys.exit(main())
