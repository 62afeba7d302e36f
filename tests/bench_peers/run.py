"""The same work by this library and by others: customers from an ERP into an audience, over HTTP on loopback.

One table for each situation. Each tool has an environment of its own, each run a process of its own, and every tool
talks to the same far sides. A tool and ours run in turn, and each such pair makes one ratio: theirs divided by ours.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import attrs
from _harness import Harness
from _modes import MODES, Mode
from _peers import OURS, PEERS, Peer
from _results import Pair, Result, row_of

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".nox" / "peers"
QUICK_RECORDS = 5_000
COLUMNS = (
    f"{'tool':<23}{'CPU µs/rec':>11}{'records/s':>11}{'start s':>9}{'peak MiB':>10}{'requests':>10}{'runs':>6}"
    f"{'written':>9}{'repeated':>10}{'lost':>7}{'kept':>6}  "
    f"{'state':<25}{'unchanged':<18}{'refused':<9}CPU and wall, theirs ÷ ours"
)
NOTES = """\
CPU and records/s are per record of the ERP's whole list, also where only a part of it is asked for; starting, imports
included, stands on its own in seconds of CPU. `repeated` are members written without need or twice, `lost` are those
that never arrived, or were refused and kept nowhere. Ours also checks addresses and telephone numbers, reads what
changed in the audience, and writes audit, links and fingerprints; the others map the same fields and do none of that.
After a kill, cost is that of the runs after it, which begin minutes later: our lease is over then. drt's ledger exists
for PostgreSQL only and is here on SQLite with the same statements. airbyte-cdk only extracts, and is left out."""


def spin(rounds: int = 2_000_000) -> float:
    """Seconds of a fixed loop: their spread is the machine's noise."""
    began, number = time.perf_counter(), 0
    for index in range(rounds):
        number = (number * 31 + index) & 0xFFFFFFFF
    return time.perf_counter() - began


def installed(harness: Harness, peers: Sequence[Peer]) -> list[Peer]:
    """Those whose environments could be made; the others are named."""
    found = []
    for peer in peers:
        try:
            harness.install(peer)
        except subprocess.CalledProcessError:
            print(f"{peer.title} is left out: pip could not install {', '.join(peer.requirements)}", file=sys.stderr)
        else:
            found.append(peer)
    return found


def measured(harness: Harness, mode: Mode, peers: Sequence[Peer], repeat: int) -> dict[str, list[Pair]]:
    """Pairs of every peer with ours; ours alone is a pair with itself."""
    rounds = range(mode.rounds(repeat))
    if not peers:
        alone = [harness.run(OURS, mode) for _ in rounds]
        return {OURS.name: [Pair(one, one) for one in alone]}
    return {peer.name: [Pair(harness.run(OURS, mode), harness.run(peer, mode)) for _ in rounds] for peer in peers}


def figures(pairs: dict[str, list[Pair]], mode: Mode, records: int) -> dict[str, dict[str, Any]]:
    """The table of one situation, ours first."""

    def row(results: list[Result]) -> dict[str, Any]:
        return row_of(results, records=records, expected=mode.expected(records, results[0].refused))

    rows = {OURS.name: row([pair.ours for found in pairs.values() for pair in found])}
    for name, found in pairs.items():
        if name != OURS.name:
            rows[name] = row([pair.theirs for pair in found]) | {
                "cpu_ratios": [pair.cpu_ratio for pair in found],
                "wall_ratios": [pair.wall_ratio for pair in found],
            }
    return rows


def show(mode: Mode, rows: dict[str, dict[str, Any]]) -> None:
    """Print one table."""
    print(f"\n{mode.title}\n{COLUMNS}")
    known = {peer.name: peer for peer in (OURS, *PEERS)}
    for name, row in rows.items():
        peer = known[name]
        cpu, wall = ("  ".join(f"{ratio:.2f}" for ratio in row.get(f"{kind}_ratios", ())) for kind in ("cpu", "wall"))
        print(
            f"{peer.title:<23}{row['cpu_us_per_record']:>11.1f}{row['records_per_second']:>11,.0f}"
            f"{row['startup_cpu_seconds']:>9.2f}{row['peak_mib']:>10.1f}{row['requests']:>10,.0f}"
            f"{str(row['runs']) + ('!' if row['failed'] else ''):>6}{row['written']:>9,.0f}{row['repeated']:>10,}"
            f"{row['lost']:>7,}{row['kept']:>6,.0f}  {peer.state:<25}{peer.unchanged:<18}{peer.refused:<9}"
            f"{f'{cpu} | {wall}' if cpu else ''}",
            flush=True,
        )


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Measure and print every situation that is asked for."""
    modes = [Mode.named(name) for name in options.modes]
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "machine": platform.platform(),
        "records": options.records,
        "peers": {peer.name: list(peer.requirements) for peer in PEERS if peer.name in options.peers},
        "modes": {},
    }
    spins: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Harness(options.records, folder=Path(folder), environments=options.environments) as harness,
    ):
        found["bytes_per_record"] = harness.bytes_per_record
        print(f"{options.records:,} customers, {harness.bytes_per_record:,.0f} bytes each on the wire\n{NOTES}")
        harness.install(OURS)
        peers = installed(harness, [peer for peer in PEERS if peer.name in options.peers])
        if any(mode.after_load for mode in modes):
            echo = {peer.name: harness.prepare(peer) for peer in (OURS, *peers)}[OURS.name]
            found["run_after_load"] = attrs.asdict(echo)
            cost = echo.cpu / options.records * 1e6
            print(f"\nOur run right after a load reads back what that wrote: {cost:.1f} µs of CPU per record, once")
        for mode in modes:
            spins.append(spin())
            rows = figures(measured(harness, mode, peers, options.repeat), mode, options.records)
            found["modes"][mode.name] = rows
            show(mode, rows)
    found["spin_seconds"] = spins
    print(f"\nnoise: a fixed loop took {median(spins):.3f} s [{min(spins):.3f}-{max(spins):.3f}]")
    return found


def main() -> int:
    """Compare, print, write the figures; 1 when ours lost something or did not get through."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [peer.name for peer in PEERS]
    parser.add_argument("--records", type=int, help="customers (20,000; with --quick 5,000)")
    parser.add_argument("--repeat", type=int, help="pairs of a load; other situations have fewer (3; with --quick 1)")
    parser.add_argument("--quick", action="store_true", help="fewer customers, one pair each")
    parser.add_argument("--peers", nargs="*", choices=names, default=names, help="which tools; none for ours alone")
    parser.add_argument("--modes", nargs="+", choices=[mode.name for mode in MODES], help="which situations")
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS, help="folder of the tools")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "peers.json", help="where the figures go")
    options = parser.parse_args()
    options.records = options.records or (QUICK_RECORDS if options.quick else 20_000)
    options.repeat = options.repeat or (1 if options.quick else 3)
    options.modes = options.modes or [mode.name for mode in MODES]
    found = compare(options)
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    bad = [name for name, rows in found["modes"].items() if rows[OURS.name]["lost"] or rows[OURS.name]["failed"]]
    for name in bad:
        print(f"ours lost records or did not get through: {name}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
