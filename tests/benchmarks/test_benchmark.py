"""The benchmark itself: that it still runs, and measures what it says."""

from __future__ import annotations

import functools
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlconnector_sdk import RetryPolicy

from ._backfill import load
from ._stages import STAGES

SCRIPT = Path(__file__).parent / "run.py"
SMALL, LARGE = 240, 480


def test_requests_are_counted_by_job_and_size(tmp_path: Path) -> None:
    """Twice the customers are one page more in each job, and only a first load writes more calls for them."""
    figures = tmp_path / "figures.json"
    command = [sys.executable, str(SCRIPT), "--speed", "--repeat=1", "--customers", str(SMALL), str(LARGE)]

    done = subprocess.run([*command, f"--json={figures}"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    jobs = json.loads(figures.read_text())["speed"]["jobs"]

    def more(job: str, system: str) -> int:
        small, large = (jobs[f"{job} {size}"][f"{system}_requests_per_1000"][0] * size for size in (SMALL, LARGE))
        return round((large - small) / 1000)

    assert {"load": 1, "echo": 1, "again": 1} == {job: more(job, "erp") for job in ("load", "echo", "again")}
    assert {"load": 1, "again": 0} == {job: more(job, "mailchimp") for job in ("load", "again")}


@pytest.mark.parametrize(("batched", "most"), [(False, 2.0), (True, 0.5)])
def test_orders_are_loaded_both_ways(batched: bool, most: float) -> None:
    """The comparison of single calls and batches loads every order, and batches cost few calls."""
    quick = RetryPolicy(attempts=1000, first_wait=0.01, longest_wait=0.01)

    figures = load(240, latency=0.0, batched=batched, step=0.0, polling=quick)

    assert figures["calls"] < most * 240


@pytest.mark.parametrize("place", [place for places in STAGES.values() for place in places])
def test_stages_name_functions_that_exist(place: str) -> None:
    """The breakdown by stage watches functions that are still there."""
    module, _, path = place.partition(":")
    found = functools.reduce(getattr, path.split("."), importlib.import_module(f"mlconnector_sdk.{module}"))

    assert callable(found)
