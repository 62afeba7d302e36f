"""The benchmark itself: that it still runs, and measures what it says."""

from __future__ import annotations

import functools
import importlib
import json
import subprocess
from pathlib import Path

import pytest

from mlconnector_sdk import RetryPolicy

from ._account import QuickMailchimp
from ._backfill import load
from ._bench import ENVIRONMENT, JOBS, ROOT, module
from ._erps import SITES
from ._job import run as job_done
from ._stages import SOURCES, places_for

SMALL, LARGE = 60, 540


def test_the_table_has_each_job_and_what_was_committed(tmp_path: Path) -> None:
    """One command measures, writes its figures and tells what they are as a ratio to the committed ones."""
    command = [*module("run"), "--speed", "--sources=acumatica", f"--customers={SMALL}", "--repeat=1", "--latency=0"]
    figures = tmp_path / "figures.json"

    done = subprocess.run(
        [*command, f"--json={figures}"], capture_output=True, text=True, check=False, env=ENVIRONMENT, cwd=ROOT
    )

    assert done.returncode == 0, done.stderr
    assert "CPU ratio" in done.stdout
    found = json.loads(figures.read_text())
    assert {f"{job} acumatica {SMALL} 0ms" for job in JOBS} == found["jobs"].keys()
    assert {"on", "spin_seconds"} <= found.keys()


@pytest.mark.parametrize("site", SITES)
def test_every_customer_of_every_erp_is_loaded_once(site: str, tmp_path: Path) -> None:
    """The far side of each API is read whole by its source, and the account takes every customer."""
    with SITES[site]() as erp, QuickMailchimp() as mailchimp:
        erp.hold(LARGE)
        account = {"base_url": mailchimp.base_url, "api_key": mailchimp.api_key, "list_id": mailchimp.list_id}
        where = {"site": site, "erp": erp.where, "mailchimp": account}

        load, again = (job_done({"where": where, "state": str(tmp_path / "state.db"), "how": "stages"}) for _ in "12")

    assert (LARGE, LARGE) == (load["counts"]["created"], again["counts"]["unchanged"])
    assert {"structure", "extract: HTTP", "map", "encode", "fingerprint", "send: HTTP", "commit"} <= load[
        "stages"
    ].keys()


@pytest.mark.parametrize(("batched", "most"), [(False, 2.0), (True, 0.5)])
def test_orders_are_loaded_both_ways(batched: bool, most: float) -> None:
    """The comparison of single calls and batches loads every order, and batches cost few calls."""
    quick = RetryPolicy(attempts=1000, first_wait=0.01, longest_wait=0.01)
    with QuickMailchimp(batch_pace=0.0) as account:
        where = {"key": account.api_key, "list_id": account.list_id, "base_url": account.base_url}

        figures = load(where, 240, batched=batched, polling=quick)

    assert 0 < figures["calls"] < most * 240


PLACES = sorted({place for source in SOURCES for _, place in places_for(source)})


@pytest.mark.parametrize("place", PLACES)
def test_stages_name_functions_that_exist(place: str) -> None:
    """The breakdown by stage watches functions that are still there."""
    module, _, path = place.partition(":")
    found = functools.reduce(getattr, path.split("."), importlib.import_module(f"mlconnector_sdk.{module}"))

    assert callable(found)
