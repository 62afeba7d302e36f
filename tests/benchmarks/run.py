"""Speed, requests and memory of the main path: customers of each ERP into an audience, over HTTP on loopback.

One table: first loads and runs over unchanged records, each as a ratio to the figures that were committed last. Each
job has a process of its own; the far sides have another. Without arguments everything is measured but what takes a
million customers.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ._backfill import measure_backfill
from ._bench import JOBS, Bench, spin
from ._figures import (
    COMMITTED,
    LATEST,
    Row,
    Spin,
    committed_rows,
    machine,
    merged,
    name_of,
    pace,
    row_of,
    show,
    show_noise,
    written,
)
from ._growth import GROWTH, measure_growth
from ._imports import measure_imports
from ._stages import SOURCES

QUICK, MANY, MILLION = 20_000, 200_000, 1_000_000
ORDERS, FEW_ORDERS = 20_000, 2_000
SITES = (*SOURCES, "sagex3-api1", "syspro-odata")


def measure_speed(
    sites: Sequence[str],
    sizes: Sequence[int],
    *,
    repeat: int,
    latencies: Sequence[float],
    spins: list[Spin],
) -> dict[str, Row]:
    """Rounds for each source, number of customers and latency; the largest sizes once, and without latency."""
    rows: dict[str, Row] = {}
    for site in sites:
        for customers in sizes:
            with Bench(site, customers) as bench:
                sent = bench.far_sides.where["bytes_per_record"]
                print(f"{site}: {customers:,} customers, {sent:,.0f} bytes each on the wire", flush=True)
                for latency in latencies if customers <= QUICK and (repeat > 1 or site == sites[0]) else latencies[:1]:
                    jobs = [job for job in JOBS if job != "echo" or (site == "acumatica" and latency == latencies[0])]
                    rounds = []
                    for _ in range(repeat if customers <= QUICK and latency == latencies[0] else 1):
                        spins.append(spin())
                        rounds.append(bench.round(jobs, latency=latency))
                    for job in jobs:
                        name = name_of(job, site, customers, latency)
                        rows[name] = row_of(customers, [one[job] for one in rounds])
    return rows


def show_profile(site: str, customers: int, *, functions: int) -> dict[str, Any]:
    """Where the time goes, on one thread."""
    jobs = ["load", "again"]
    with Bench(site, customers) as bench:
        stages = bench.round(jobs, "stages")
        dearest = bench.round(jobs, "functions") if functions else {}
    print(f"\nCPU µs per record by stage, one thread, {site}, {customers:,} customers")
    spent = {job: {n: round(s / customers * 1e6, 2) for n, s in stages[job]["stages"].items()} for job in jobs}
    print(f"{'':<24}" + "".join(f"{JOBS[job]:>20}" for job in jobs))
    for stage in sorted({name for job in jobs for name in spent[job]}, key=lambda one: -spent["load"].get(one, 0.0)):
        print(f"{stage:<24}" + "".join(f"{spent[job].get(stage, 0.0):>20.2f}" for job in jobs))
    print(f"{'sum':<24}" + "".join(f"{sum(spent[job].values()):>20.2f}" for job in jobs))
    for job, result in dearest.items():
        print(f"\nDearest functions of the {JOBS[job]}, wall µs per record (the profiler's own cost included)")
        print(f"{'own':>8}{'with callees':>14}{'calls/rec':>11}  function")
        for place, calls, own, whole in result["functions"][:functions]:
            print(f"{own / customers * 1e6:>8.2f}{whole / customers * 1e6:>14.2f}{calls / customers:>11.2f}  {place}")
    return spent


def arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_argument_group("what to measure instead of everything")
    what.add_argument("--quick", action="store_true", help=f"one round of {QUICK:,} customers each")
    what.add_argument("--speed", action="store_true", help="only the first table")
    what.add_argument(
        "--orders", "--backfill", type=int, nargs="*", metavar="N", help="only orders, singly and in batches"
    )
    what.add_argument("--imports", action="store_true", help="only what imports cost")
    what.add_argument("--profile", nargs="?", const="", metavar="SOURCE", help="only where the time goes")
    what.add_argument("--million", action="store_true", help=f"memory, cost and state of {MILLION:,} customers")
    how = parser.add_argument_group("how")
    how.add_argument("--sources", nargs="+", choices=SITES, default=list(SOURCES), metavar="SOURCE", help=str(SITES))
    how.add_argument("--customers", type=int, nargs="+", help="how many; several sizes in turn")
    how.add_argument("--repeat", type=int, default=2, help="rounds of the smaller sizes; the table shows medians")
    how.add_argument("--latency", type=float, nargs="+", default=[0.0, 50.0], metavar="MS", help="of each answer")
    how.add_argument("--functions", type=int, default=30, help="how many of the dearest functions a profile shows")
    how.add_argument("--json", type=Path, default=LATEST, metavar="FILE", help="where the figures go")
    how.add_argument("--save", action="store_true", help="make them the figures that later ones are compared with")
    options = parser.parse_args()
    options.sizes = options.customers or ([QUICK] if options.quick else [QUICK, MANY])
    alone = options.speed or options.orders is not None or options.imports or options.million
    options.all = not (alone or options.profile is not None)
    return options


def main() -> None:
    """Measure what the arguments ask for and print it."""
    options = arguments()
    found: dict[str, Any] = {"on": machine()}
    before = committed_rows()
    spins: list[Spin] = [spin()]
    print(", ".join(f"{name} {value}" for name, value in found["on"].items()))
    if options.all or options.speed:
        repeat = 1 if options.quick else options.repeat
        rows = measure_speed(options.sources, options.sizes, repeat=repeat, latencies=options.latency, spins=spins)
        slower = pace({"spin_seconds": spins}) / pace(before) if before else 1.0
        show(rows, before.get("jobs", {}), slower=slower)
        found["jobs"] = rows
    if options.orders is not None or options.all:
        # By single calls and with latency an order takes so long that fewer have to do.
        latencies = options.latency[:1] if options.quick else options.latency
        counts = {
            latency: options.orders or [FEW_ORDERS if latency or options.quick else ORDERS] for latency in latencies
        }
        found["orders"] = measure_backfill(counts, before=before.get("orders"))
    if options.all or options.imports:
        found["imports_ms"] = measure_imports(repeat=5 if options.quick else 9)
    if options.million:
        size = options.customers[0] if options.customers else MILLION // GROWTH
        found["growth"] = measure_growth(options.sources[0], size, repeat=options.repeat)
    if options.profile is not None or (options.all and not options.quick):
        sites = [options.profile] if options.profile else options.sources[: None if options.profile == "" else 1]
        dearest = options.functions if options.profile is not None else 0
        found["stages"] = {site: show_profile(site, options.sizes[0], functions=dearest) for site in sites}
    found["spin_seconds"] = spins = [*spins, spin()]
    show_noise(spins, pace(found) / pace(before) if before else 1.0)
    written(found, options.json)
    if options.save:
        written(merged(found, before), COMMITTED)


if __name__ == "__main__":
    main()
