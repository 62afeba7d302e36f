"""Figures of jobs as rows of one table, kept as JSON and compared with those that were committed last."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from ._bench import JOBS

__all__ = [
    "COMMITTED",
    "LATEST",
    "Row",
    "Spin",
    "committed_rows",
    "machine",
    "merged",
    "name_of",
    "pace",
    "row_of",
    "show",
    "show_noise",
    "written",
]

RESULTS = Path(__file__).parent / "results"
COMMITTED = RESULTS / "committed.json"
LATEST = RESULTS / "latest.json"
GROUPS = ("jobs", "orders", "imports_ms", "stages", "growth")
NOISE = 1.15
"""Differences below this factor mean nothing."""

Row = dict[str, list[float]]
Spin = tuple[float, float]


def name_of(job: str, site: str, records: int, latency: float) -> str:
    """A row's name: the same job in another run has the same one."""
    return f"{job} {site} {records} {latency:g}ms"


def row_of(records: int, results: Sequence[Mapping[str, Any]]) -> Row:
    """The columns of the table, a value for each repetition."""
    columns = {
        "cpu_us_per_record": [result["cpu"] / records * 1e6 for result in results],
        "wall_us_per_record": [result["wall"] / records * 1e6 for result in results],
        "records_per_second": [records / result["wall"] for result in results],
        "erp_requests_per_1000": [result["requests"]["erp"] / records * 1000 for result in results],
        "mailchimp_requests_per_1000": [result["requests"]["mailchimp"] / records * 1000 for result in results],
        "peak_mib": [result["peak_mib"] for result in results],
        "state_bytes_per_record": [result["state_bytes"] / records for result in results],
    }
    return {name: [round(value, 2) for value in values] for name, values in columns.items()}


def machine() -> dict[str, str]:
    """What the figures were made on, and with what."""
    found = {"machine": platform.platform(), "processor": _processor(), "python": platform.python_version()}
    return found | {name: version(name) for name in ("httpx", "attrs", "cattrs", "sqlalchemy")}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor()


def pace(found: Mapping[str, Any]) -> float:
    """Seconds of the processor that a fixed loop took while these figures were made."""
    return median(cpu for _, cpu in found["spin_seconds"]) if "spin_seconds" in found else 1.0


def show(rows: Mapping[str, Row], committed: Mapping[str, Row], *, slower: float) -> None:
    """The table; the last column is the processor time as a ratio to the committed one.

    `slower` is how much longer a fixed loop takes than it did then, which no ratio should show.
    """
    print(
        f"\n{'job':<24}{'of':<13}{'records':>10}{'latency':>9}{'CPU µs/record':>24}{'records/s':>11}"
        f"{'ERP req/1000':>14}{'MC req/1000':>13}{'peak MiB':>10}{'CPU ratio':>11}"
    )
    for name, row in rows.items():
        job, site, records, latency = name.split(" ")
        print(
            f"{JOBS.get(job, job):<24}{site:<13}{int(records):>10,}{latency:>9}{_spread(row['cpu_us_per_record']):>24}"
            f"{median(row['records_per_second']):>11,.0f}{median(row['erp_requests_per_1000']):>14.2f}"
            f"{median(row['mailchimp_requests_per_1000']):>13.2f}{median(row['peak_mib']):>10.1f}"
            f"{_ratio(row, committed.get(name), slower):>11}"
        )


def _spread(values: Sequence[float]) -> str:
    middle = f"{median(values):.1f}"
    return f"{middle} [{min(values):.1f}-{max(values):.1f}]" if len(values) > 1 else middle


def _ratio(row: Row, before: Row | None, slower: float) -> str:
    if before is None:
        return "-"
    ratio = median(row["cpu_us_per_record"]) / median(before["cpu_us_per_record"]) / slower
    sign = "" if 1 / NOISE <= ratio <= NOISE else "+" if ratio > 1 else "-"
    return f"{ratio:.2f}{sign or ' '}"


def show_noise(spins: Sequence[Spin], slower: float) -> None:
    """How far the figures can be trusted."""
    wall, cpu = ([spin[index] for spin in spins] for index in (0, 1))
    print(
        f"\nnoise: a fixed loop took {median(cpu):.3f} s [{min(cpu):.3f}-{max(cpu):.3f}] of the processor and "
        f"{median(wall):.3f} s [{min(wall):.3f}-{max(wall):.3f}] by the clock\n"
        f"CPU ratios are to the committed figures, for which that loop took {1 / slower:.2f} times as long; this is "
        "taken out of them.\n"
        f"Ratios between {1 / NOISE:.2f} and {NOISE:.2f} mean nothing, others are marked with + or -"
    )


def committed_rows(path: Path = COMMITTED) -> dict[str, Any]:
    """The figures of the last commit that has any; nothing without a file."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def merged(found: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Figures with those rows of earlier ones, of the same machine and versions, that were not made again."""
    if before.get("on") != found["on"]:
        return dict(found)
    groups = {name: {**before[name], **rows} for name, rows in found.items() if name in before and name in GROUPS}
    return {**before, **found, **groups}


def written(found: Mapping[str, Any], path: Path) -> None:
    """Keep figures as JSON, a line for each row."""
    parts = []
    for name, value in found.items():
        text = json.dumps(value, ensure_ascii=False)
        if name in GROUPS:
            rows = ",\n".join(f"  {json.dumps(key)}: {json.dumps(row)}" for key, row in value.items())
            text = f"{{\n{rows}\n }}"
        parts.append(f" {json.dumps(name)}: {text}")
    path.parent.mkdir(exist_ok=True)
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
