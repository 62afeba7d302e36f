"""Speed, requests and memory of the main path: customers from Acumatica into an audience, over HTTP on loopback.

One table: a first load, and runs over unchanged records. Each job has a process of its own; the far sides have another.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Self

from _backfill import measure_backfill

HERE = Path(__file__).parent
# What is measured is this checkout, installed or not.
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])}
FLAT = 1.15
GROWTH = 10
ALLOCATORS: dict[str, dict[str, str]] = {
    "as the allocator keeps it": {},
    # glibc keeps freed blocks of megabytes in an arena for each thread, unless this size is fixed.
    "freed blocks given back": {"MALLOC_MMAP_THRESHOLD_": "131072"},
}
# Mailchimp tells every run what changed since the last one began, so the run after a load reads back what that wrote.
JOBS = {
    "load": "first load",
    "echo": "re-poll right after it",
    "again": "unchanged re-poll",
}


class FarSides:
    """The process of the fakes."""

    def __init__(self, customers: int, latency: float) -> None:
        command = [sys.executable, str(HERE / "_far_sides.py"), f"--customers={customers}", f"--latency={latency}"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
        self.where: dict[str, Any] = json.loads(self._line())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.wait()

    def tell(self, command: str) -> None:
        """Give a command and wait until it is done."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        if line := self._process.stdout.readline():
            return line
        raise SystemExit("the process of the fakes ended: see its message above")


class Bench:
    """One number of customers: far sides, and rounds of jobs over a new state each."""

    def __init__(self, customers: int, *, latency: float = 0.0) -> None:
        self.customers = customers
        self.far_sides = FarSides(customers, latency)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.far_sides.close()

    def round(
        self, jobs: Iterable[str], how: str = "measure", environment: Mapping[str, str] | None = None
    ) -> dict[str, dict[str, Any]]:
        """The jobs one after another, an hour apart, from an empty audience and an empty state."""
        self.far_sides.tell("empty")
        results = {}
        with tempfile.TemporaryDirectory() as folder:
            for name in jobs:
                results[name] = self._job(str(Path(folder) / "state.db"), how, environment or {})
                self._check(name, results[name])
                self.far_sides.tell("later 3600")
        return results

    def _job(self, state: str, how: str, environment: Mapping[str, str]) -> dict[str, Any]:
        job = json.dumps({"where": self.far_sides.where, "state": state, "how": how})
        done = subprocess.run(
            [sys.executable, str(HERE / "_job.py"), job],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**ENVIRONMENT, **environment},
        )
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def _check(self, name: str, result: dict[str, Any]) -> None:
        """A figure counts only for a run that did the whole work."""
        outcome = "created" if name == "load" else "unchanged"
        if result["counts"][outcome] != self.customers:
            raise SystemExit(f"{JOBS[name]}: not all {self.customers} were {outcome}: {result['counts']}")


def spin(rounds: int = 3_000_000) -> float:
    """Seconds of a fixed loop: their spread is the machine's noise."""
    began, number = time.perf_counter(), 0
    for index in range(rounds):
        number = (number * 31 + index) & 0xFFFFFFFF
    return time.perf_counter() - began


def figures(customers: int, results: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """The columns of the table, a value for each repetition."""
    return {
        "records_per_second": [customers / result["wall"] for result in results],
        "cpu_us_per_record": [result["cpu"] / customers * 1e6 for result in results],
        "wall_us_per_record": [result["wall"] / customers * 1e6 for result in results],
        "seconds": [result["wall"] for result in results],
        "erp_requests_per_1000": [result["requests"]["acumatica"] / customers * 1000 for result in results],
        "mailchimp_requests_per_1000": [result["requests"]["mailchimp"] / customers * 1000 for result in results],
        "peak_mib": [result["peak_mib"] for result in results],
    }


def show_speed(rows: dict[str, dict[str, list[float]]]) -> None:
    """The table of speed and requests."""
    print(
        f"\n{'job':<24}{'customers':>10}{'records/s':>11}{'CPU µs/rec':>22}{'wall s':>9}"
        f"{'ERP req/1000':>14}{'MC req/1000':>13}{'peak MiB':>10}"
    )
    for name, columns in rows.items():
        job, _, customers = name.rpartition(" ")
        cpu = columns["cpu_us_per_record"]
        spread = f"{median(cpu):.1f} [{min(cpu):.1f}-{max(cpu):.1f}]"
        print(
            f"{JOBS[job]:<24}{int(customers):>10,}{median(columns['records_per_second']):>11,.0f}{spread:>22}"
            f"{median(columns['seconds']):>9.2f}{median(columns['erp_requests_per_1000']):>14.2f}"
            f"{median(columns['mailchimp_requests_per_1000']):>13.2f}{median(columns['peak_mib']):>10.1f}"
        )


def measure_speed(sizes: Sequence[int], *, repeat: int, latency: float) -> dict[str, Any]:
    """Rounds of all jobs for each number of customers."""
    rows: dict[str, dict[str, list[float]]] = {}
    spins: list[float] = []
    for customers in sizes:
        with Bench(customers, latency=latency) as bench:
            sent = bench.far_sides.where["bytes_per_record"]
            print(f"{customers:,} customers, {sent:,.0f} bytes each on the wire", flush=True)
            rounds = []
            for _ in range(repeat):
                spins.append(spin())
                rounds.append(bench.round(JOBS))
        rows |= {f"{job} {customers}": figures(customers, [one[job] for one in rounds]) for job in JOBS}
    show_speed(rows)
    print(f"noise: a fixed loop took {median(spins):.3f} s [{min(spins):.3f}-{max(spins):.3f}]")
    return {"spin_seconds": spins, "jobs": rows}


def measure_memory(customers: int, *, repeat: int, latency: float) -> dict[str, Any]:
    """The peak of a first load, and of one ten times as large."""
    sizes = (customers, customers * GROWTH)
    peaks: dict[str, dict[int, list[float]]] = {name: {} for name in ALLOCATORS}
    start = 0.0
    for size in sizes:
        with Bench(size, latency=latency) as bench:
            for name, environment in ALLOCATORS.items():
                times = repeat if size == customers else 1
                results = [bench.round(["load"], environment=environment)["load"] for _ in range(times)]
                peaks[name][size] = [result["peak_mib"] for result in results]
                start = median(result["start_mib"] for result in results)
    print(f"\nPeak memory of a first load, MiB; {start:.0f} of it before the run")
    print(f"{'':<28}" + "".join(f"{size:>14,}" for size in sizes) + f"{'ratio':>9}")
    ratios = {}
    for name, found in peaks.items():
        small, large = (median(found[size]) for size in sizes)
        ratios[name] = large / small
        verdict = "ok" if ratios[name] <= FLAT else f"NOT OK, {FLAT:.2f} at the most"
        print(f"{name:<28}{small:>14.1f}{large:>14.1f}{ratios[name]:>9.3f}  {verdict}")
    return {"peak_mib": peaks, "ratio": ratios}


def show_profile(customers: int) -> dict[str, Any]:
    """Where the time goes, on one thread."""
    with Bench(customers) as bench:
        stages = bench.round(JOBS, "stages")
        functions = bench.round(JOBS, "functions")
    print(f"\nCPU µs per record by stage, one thread, {customers:,} customers")
    names = dict.fromkeys(stage for job in ("load", "again") for stage in stages[job]["stages"])
    print(f"{'':<24}{JOBS['load']:>20}{JOBS['again']:>20}")
    spent = {job: {n: s / customers * 1e6 for n, s in stages[job]["stages"].items()} for job in ("load", "again")}
    for stage in sorted(names, key=lambda one: -spent["load"].get(one, 0.0)):
        print(f"{stage:<24}{spent['load'].get(stage, 0.0):>20.2f}{spent['again'].get(stage, 0.0):>20.2f}")
    print(f"{'sum':<24}{sum(spent['load'].values()):>20.2f}{sum(spent['again'].values()):>20.2f}")
    for job in ("load", "again"):
        print(f"\nDearest functions of the {JOBS[job]}, wall µs per record (the profiler's own cost included)")
        print(f"{'own':>8}{'with callees':>14}{'calls/rec':>11}  function")
        for place, calls, own, whole in functions[job]["functions"][:30]:
            print(f"{own / customers * 1e6:>8.2f}{whole / customers * 1e6:>14.2f}{calls / customers:>11.2f}  {place}")
    return {"stages_us_per_record": spent}


def main() -> None:
    """Measure what the arguments ask for and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, nargs="+", default=[20_000], help="how many; several sizes in turn")
    parser.add_argument("--repeat", type=int, default=3, help="rounds; the table shows medians")
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS", help="milliseconds each answer takes")
    parser.add_argument("--speed", action="store_true", help="only speed and requests")
    parser.add_argument("--memory", action="store_true", help=f"only memory, of the first size and {GROWTH} times it")
    parser.add_argument("--profile", action="store_true", help="only where the time goes")
    parser.add_argument("--backfill", type=int, nargs="+", metavar="ORDERS", help="only orders, singly and in batches")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there too")
    options = parser.parse_args()
    whole = not (options.speed or options.memory or options.profile or options.backfill)
    found: dict[str, Any] = {"python": platform.python_version(), "machine": platform.platform()}
    print(f"Python {found['python']} on {found['machine']}, latency {options.latency:g} ms")
    if whole or options.speed:
        found["speed"] = measure_speed(options.customers, repeat=options.repeat, latency=options.latency)
    if whole or options.memory:
        found["memory"] = measure_memory(options.customers[0], repeat=options.repeat, latency=options.latency)
    if options.backfill:
        found["backfill"] = measure_backfill(options.backfill)
    if options.profile:
        found["profile"] = show_profile(options.customers[0])
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
