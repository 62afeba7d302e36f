"""How memory, cost and state grow with the number of customers."""

from __future__ import annotations

from statistics import median
from typing import Any

from ._bench import JOBS, Bench
from ._figures import row_of

__all__ = ["GROWTH", "measure_growth"]

FLAT = 1.15
GROWTH = 10
BUDGET_MIB = 150
USUAL = "as the allocator keeps it"
ALLOCATORS: dict[str, dict[str, str]] = {
    USUAL: {},
    # glibc keeps freed blocks of megabytes in an arena for each thread, unless this size is fixed.
    "freed blocks given back": {"MALLOC_MMAP_THRESHOLD_": "131072"},
}
COLUMNS = {
    "peak_mib": "peak MiB",
    "cpu_us_per_record": "CPU µs/record",
    "state_bytes_per_record": "bytes of state/record",
}


def measure_growth(site: str, customers: int, *, repeat: int) -> dict[str, Any]:
    """A first load and an unchanged re-poll, and both ten times as large."""
    found: dict[str, Any] = {}
    for size in (customers, customers * GROWTH):
        with Bench(site, size) as bench:
            for allocator, environment in ALLOCATORS.items():
                jobs = ["load", "again"] if allocator == USUAL else ["load"]
                times = repeat if size == customers else 1
                rounds = [bench.round(jobs, environment=environment) for _ in range(times)]
                for job in jobs:
                    results = [one[job] for one in rounds]
                    start = {"start_mib": [result["start_mib"] for result in results]}
                    found[f"{job} {site} {size} {allocator}"] = row_of(size, results) | start
                print(f"{site}: {size:,} customers, {allocator}", flush=True)
    _show(site, customers, found)
    return found


def _show(site: str, customers: int, found: dict[str, Any]) -> None:
    sizes = (customers, customers * GROWTH)
    start = median(found[f"load {site} {sizes[1]} {USUAL}"]["start_mib"])
    print(f"\nGrowth with {site}; {start:.0f} MiB are taken before the run")
    print(f"{'':<62}" + "".join(f"{size:>12,}" for size in sizes) + f"{'ratio':>9}")
    for column, title in COLUMNS.items():
        for job in ("load", "again"):
            for allocator in ALLOCATORS if (column, job) == ("peak_mib", "load") else [USUAL]:
                small, large = (median(found[f"{job} {site} {size} {allocator}"][column]) for size in sizes)
                good = large / small <= FLAT and (column != "peak_mib" or large <= BUDGET_MIB)
                limit = f"{FLAT:.2f} times at the most" + (f", {BUDGET_MIB} MiB" if column == "peak_mib" else "")
                label = f"{title}, {JOBS[job]}" + (f", {allocator}" if column == "peak_mib" else "")
                verdict = "ok" if good else f"NOT OK: {limit}"
                print(f"{label:<62}{small:>12.1f}{large:>12.1f}{large / small:>9.3f}  {verdict}")
