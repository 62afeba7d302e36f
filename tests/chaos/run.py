"""The crash proof: processes that run a pipeline are killed, and the end is compared with that of a quiet life.

Short by default; `--long` takes many minutes. With `MLCONNECTOR_POSTGRES_URL` the states are kept there as well.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

# Run as a script, from anywhere.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.chaos import _proofs as proofs
from tests.chaos._ordeal import Tally
from tests.chaos._processes import Nursery

SYSTEMS = ("acumatica", "syspro odata")
Proof = Callable[[proofs.Lab], None]


def say(line: str) -> None:
    """Tell whoever waits, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def short(seed: int) -> Iterator[tuple[str, Proof]]:
    """What fits into a minute: each kind of proof once or twice."""
    acumatica, syspro = SYSTEMS
    yield "every commit", partial(proofs.at_every_commit, system=acumatica)
    yield "every third write", partial(proofs.at_every_write, system=syspro, step=3)
    for number, system in enumerate(SYSTEMS):
        yield f"random, seed {seed + number}", partial(proofs.at_random, system=system, seed=seed + number)
    yield from machine(syspro)


def machine(system: str, *, sqlite: bool = True) -> Iterator[tuple[str, Proof]]:
    """Two processes at once, and what a machine does to one."""
    yield "two at once", partial(proofs.two_at_once, system=system)
    yield "asleep too long", partial(proofs.asleep_too_long, system=system)
    if sqlite:
        yield "disk full", partial(proofs.disk_full, system=system)
    yield "clock set back", partial(proofs.clock_set_back, system=system)


def long(seed: int, *, rounds: int, sqlite: bool) -> Iterator[tuple[str, Proof]]:
    """Every proof on every system, and many seeds."""
    for system in SYSTEMS:
        yield "every commit", partial(proofs.at_every_commit, system=system)
        yield "every write", partial(proofs.at_every_write, system=system)
        yield "once at each commit", partial(proofs.once_at_each_commit, system=system)
        yield from machine(system, sqlite=sqlite)
        for number in range(rounds):
            yield f"random, seed {seed + number}", partial(proofs.at_random, system=system, seed=seed + number)


def carry_out(title: str, wanted: Iterator[tuple[str, Proof]], *, database: str = "", batch: int = 5) -> Tally:
    """Carry out proofs and print what each found."""
    with Nursery(batch) as nursery, tempfile.TemporaryDirectory() as folder:
        lab = proofs.Lab(nursery, Path(folder), database)
        for name, proof in wanted:
            began, told = time.monotonic(), len(lab.findings)
            kills = lab.tally.kills
            proof(lab)
            verdict = "ok" if len(lab.findings) == told else "FAILED"
            system = getattr(proof, "keywords", {}).get("system", "")
            seconds = time.monotonic() - began
            say(f"{title:<12}{system:<14}{name:<22}{lab.tally.kills - kills:>5} kills {seconds:>6.1f} s  {verdict}")
            for finding in lab.findings[told:]:
                say(f"    {finding}")
        if lab.findings:
            lab.tally.failed = True
        return lab.tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out what was asked for; 1 when anything does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="every proof on every system, by way of many seeds")
    parser.add_argument("--seed", type=int, default=None, help="repeat the random kills of an earlier run")
    parser.add_argument("--rounds", type=int, default=20, help="seeds of each system with --long")
    asked = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    say(f"seed {seed}")
    whole = Tally()
    server = os.environ.get("MLCONNECTOR_POSTGRES_URL", "")
    if asked.long:
        whole.add(carry_out("SQLite", long(seed, rounds=asked.rounds, sqlite=True)))
    else:
        whole.add(carry_out("SQLite", short(seed)))
    if server:
        wanted = long(seed, rounds=asked.rounds, sqlite=False) if asked.long else machine(SYSTEMS[0], sqlite=False)
        whole.add(carry_out("PostgreSQL", wanted, database=server))
    say(
        f"{whole.runs} runs, {whole.kills} kills, {whole.faults} faults injected: "
        f"lost {whole.lost}, doubled {whole.doubled}"
    )
    return int(whole.failed)


if __name__ == "__main__":
    sys.exit(main())
