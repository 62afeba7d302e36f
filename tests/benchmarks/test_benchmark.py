"""The benchmark itself: that it still runs, and measures what it says."""

from __future__ import annotations

import functools
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlconnector_sdk import RetryPolicy

from ._backfill import load
from ._stages import SOURCES, places_for

SCRIPT = Path(__file__).parent / "run.py"
SMALL, LARGE = 240, 540


def run(figures: Path, *arguments: object) -> dict[str, Any]:
    """The figures of the benchmark with these arguments."""
    command = [sys.executable, str(SCRIPT), f"--json={figures}", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(figures.read_text())
    return found


def test_requests_are_counted_by_job_and_size(tmp_path: Path) -> None:
    """More customers are more pages in each job, and only a first load writes more calls for them."""
    sizes = ["--customers", SMALL, LARGE, "--repeat=1", "--latency=0"]

    jobs = run(tmp_path / "figures.json", "--speed", "--sources=acumatica", *sizes)["jobs"]

    def more(job: str, system: str) -> int:
        small, large = (
            jobs[f"{job} acumatica {size} 0ms"][f"{system}_requests_per_1000"][0] * size for size in (SMALL, LARGE)
        )
        return round((large - small) / 1000)

    assert {"load": 2, "echo": 2, "again": 2} == {job: more(job, "erp") for job in ("load", "echo", "again")}
    assert {"load": 2, "again": 0} == {job: more(job, "mailchimp") for job in ("load", "again")}


@pytest.mark.parametrize(("batched", "most"), [(False, 2.0), (True, 0.5)])
def test_orders_are_loaded_both_ways(batched: bool, most: float) -> None:
    """The comparison of single calls and batches loads every order, and batches cost few calls."""
    quick = RetryPolicy(attempts=1000, first_wait=0.01, longest_wait=0.01)

    figures = load(240, latency=0.0, batched=batched, step=0.0, polling=quick)

    assert figures["calls"] < most * 240


PLACES = sorted({place for source in SOURCES for _, place in places_for(source)})


@pytest.mark.parametrize("place", PLACES)
def test_stages_name_functions_that_exist(place: str) -> None:
    """The breakdown by stage watches functions that are still there."""
    module, _, path = place.partition(":")
    found = functools.reduce(getattr, path.split("."), importlib.import_module(f"mlconnector_sdk.{module}"))

    assert callable(found)
