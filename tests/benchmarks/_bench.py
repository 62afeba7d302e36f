"""Rounds of jobs against one far side: each job in a process of its own, the far sides in another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

__all__ = ["ENVIRONMENT", "JOBS", "ROOT", "Bench", "module", "spin"]

ROOT = Path(__file__).parents[2]
# What is measured is this checkout, installed or not.
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
# Mailchimp tells every run what changed since the last one began, so the run after a load reads back what that wrote.
JOBS = {"load": "first load", "echo": "re-poll right after it", "again": "unchanged re-poll"}


def module(name: str) -> list[str]:
    """The command that runs one of these modules."""
    return [sys.executable, "-m", f"tests.benchmarks.{name}"]


class FarSides:
    """The process of the fakes."""

    def __init__(self, site: str, customers: int) -> None:
        command = [*module("_far_sides"), f"--site={site}", f"--customers={customers}"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=ROOT
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
    """So many customers of one ERP: far sides, and rounds of jobs over a new state each."""

    def __init__(self, site: str, customers: int) -> None:
        self.customers = customers
        self.far_sides = FarSides(site, customers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.far_sides.close()

    def round(
        self,
        jobs: Iterable[str],
        how: str = "measure",
        *,
        latency: float = 0.0,
        environment: Mapping[str, str] | None = None,
    ) -> dict[str, dict[str, Any]]:
        """The jobs one after another, an hour apart, from an empty audience and an empty state."""
        self.far_sides.tell("empty")
        self.far_sides.tell(f"latency {latency}")
        results = {}
        with tempfile.TemporaryDirectory() as folder:
            for name in jobs:
                if name == "again":
                    self.far_sides.tell("settle")
                state = Path(folder) / "state.db"
                results[name] = self._job(str(state), how, environment or {})
                results[name]["state_bytes"] = sum(file.stat().st_size for file in Path(folder).iterdir())
                self._check(name, results[name])
                self.far_sides.tell("later 3600")
        return results

    def _job(self, state: str, how: str, environment: Mapping[str, str]) -> dict[str, Any]:
        job = json.dumps({"where": self.far_sides.where, "state": state, "how": how})
        done = subprocess.run(
            [*module("_job"), job],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**ENVIRONMENT, **environment},
            cwd=ROOT,
        )
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def _check(self, name: str, result: dict[str, Any]) -> None:
        """A figure counts only for a run that did the whole work."""
        outcome = "created" if name == "load" else "unchanged"
        if result["counts"][outcome] != self.customers:
            raise SystemExit(f"{JOBS[name]}: not all {self.customers} were {outcome}: {result['counts']}")


def spin(rounds: int = 3_000_000) -> tuple[float, float]:
    """Seconds of a fixed loop by the clock and of the processor: their spread is the machine's noise."""
    began, before, number = time.perf_counter(), time.process_time(), 0
    for index in range(rounds):
        number = (number * 31 + index) & 0xFFFFFFFF
    return time.perf_counter() - began, time.process_time() - before
