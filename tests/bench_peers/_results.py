"""What was measured, and how it is read: what got lost, what was sent in vain, and theirs against ours."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import attrs

__all__ = ["Pair", "Result", "row_of"]


@attrs.define(kw_only=True)
class Result:
    """One tool in one situation, all runs that it took to get through.

    Attributes:
        cpu, wall: seconds, without those of starting and of a run that was killed.
        startup_cpu: seconds spent before the work began: interpreter, imports, building the pipeline.
        peak_mib: of all its processes that ran side by side.
        runs: how often it was started until it ended without an error.
        failed: it did not get through.
        listed: rows that the ERP sent.
        written, members: how many members Mailchimp took, and how many different ones.
        refused: how many different ones it refused.
        kept: how many records the tool says it has set aside.
    """

    cpu: float = 0.0
    wall: float = 0.0
    startup_cpu: float = 0.0
    peak_mib: float = 0.0
    runs: int = 0
    failed: bool = False
    calls: dict[str, int] = attrs.field(factory=dict)
    listed: int = 0
    written: int = 0
    members: int = 0
    refused: int = 0
    kept: int = 0

    def lost(self, expected: int) -> int:
        """Records that should have arrived and did not, or were refused and are nowhere to be found."""
        return max(0, expected - self.members) + max(0, self.refused - self.kept)

    def repeated(self, expected: int) -> int:
        """Members written more often than there was something to write."""
        return self.written - min(expected, self.members)


@attrs.frozen
class Pair:
    """Ours and theirs, one right after the other."""

    ours: Result
    theirs: Result

    @property
    def cpu_ratio(self) -> float:
        """Their processor time for one second of ours."""
        return self.theirs.cpu / self.ours.cpu

    @property
    def wall_ratio(self) -> float:
        """Their wall time for one second of ours."""
        return self.theirs.wall / self.ours.wall


def row_of(results: Sequence[Result], *, records: int, expected: int) -> dict[str, Any]:
    """The figures of one tool in one situation: medians, and sums of what must not be averaged away."""
    return {
        "cpu_us_per_record": median(one.cpu for one in results) / records * 1e6,
        "cpu_us_per_record_each": [one.cpu / records * 1e6 for one in results],
        "records_per_second": records / median(one.wall for one in results),
        "startup_cpu_seconds": median(one.startup_cpu for one in results),
        "peak_mib": max(one.peak_mib for one in results),
        "requests": median(sum(one.calls.values()) for one in results),
        "runs": max(one.runs for one in results),
        "written": median(one.written for one in results),
        "repeated": max(one.repeated(expected) for one in results),
        "lost": max(one.lost(expected) for one in results),
        "kept": median(one.kept for one in results),
        "failed": any(one.failed for one in results),
    }
