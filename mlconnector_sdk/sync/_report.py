"""What a run did, a plan would do, or a replay settled: counts that add up, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias

import attrs

from ..models import CheckResult, OutcomeKind, ReplayedFrom, html_table

__all__ = ["Checks", "Operation", "PlannedChange", "Report", "StreamReport"]

Operation: TypeAlias = Literal["run", "plan", "replay", "sweep", "reconcile", "handle"]

_MOST_CHANGES = 200
_KINDS: tuple[OutcomeKind, ...] = ("created", "updated", "unchanged", "skipped", "dead")


@attrs.define(kw_only=True)
class StreamReport:
    """One stream's share. `read` is always the sum of the five outcomes.

    Attributes:
        reasons: why records were skipped or set aside, with counts.
        fresh, kept: of a replay, records that were loaded with the ERP's present data, and with the payload kept.
        future: records stamped in the source's future; they were loaded, the mark did not follow them.
        full: everything was read, not only changes.
        error: why the stream was not read to its end; `""` when it was.
    """

    stream: str
    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    dead: int = 0
    reasons: Counter[str] = attrs.field(factory=Counter)
    fresh: int = 0
    kept: int = 0
    future: int = 0
    full: bool = False
    seconds: float = 0.0
    error: str = ""

    def count(self, outcome: OutcomeKind, reason: str = "", *, replayed: ReplayedFrom = "") -> None:
        """Add one record."""
        self.read += 1
        setattr(self, outcome, getattr(self, outcome) + 1)
        if outcome in {"skipped", "dead"}:
            self.reasons[reason] += 1
        if replayed:
            setattr(self, replayed, getattr(self, replayed) + 1)

    @property
    def counts(self) -> dict[str, int]:
        """`read` and the five outcomes."""
        return {"read": self.read, **{kind: getattr(self, kind) for kind in _KINDS}}


@attrs.frozen(kw_only=True)
class PlannedChange:
    """One record a run would write."""

    stream: str
    key: str
    outcome: str
    reason: str = ""


@attrs.define(kw_only=True)
class Report:
    """The whole of one run, plan or replay.

    Attributes:
        requests: HTTP requests per system.
        stopped: it was asked to stop and ended at a checkpoint; the next run goes on from there.
        suppressed: addresses newly found unsubscribed, cleaned or archived in the audience.
        changes: of a plan, the first records that would be written.
    """

    operation: Operation
    pipeline: str
    job_id: str
    started_at: datetime
    seconds: float = 0.0
    streams: dict[str, StreamReport] = attrs.field(factory=dict)
    requests: Mapping[str, int] = attrs.field(factory=dict)
    stopped: bool = False
    suppressed: int = 0
    changes: list[PlannedChange] = attrs.field(factory=list, repr=False)

    @property
    def ok(self) -> bool:
        """Every stream was read to its end and no record was set aside."""
        return not self.stopped and not any(stream.error or stream.dead for stream in self.streams.values())

    def stream(self, name: str) -> StreamReport:
        """The report of one stream, made on first use."""
        return self.streams.setdefault(name, StreamReport(stream=name))

    def note_change(self, stream: str, key: str, outcome: OutcomeKind | None, reason: str) -> None:
        """Of a plan, keep the first records that would be written."""
        wanted = self.operation == "plan" and outcome in {"created", "updated", "dead"}
        if wanted and len(self.changes) < _MOST_CHANGES:
            self.changes.append(PlannedChange(stream=stream, key=key, outcome=str(outcome), reason=reason))

    def __repr__(self) -> str:
        totals = " ".join(f"{kind}={sum(getattr(s, kind) for s in self.streams.values())}" for kind in _KINDS)
        return f"<Report {self.operation} {self.pipeline} {self.job_id} {'ok' if self.ok else 'NOT OK'}: {totals}>"

    def to_rows(self) -> list[dict[str, Any]]:
        """One flat dict per stream, for a data frame."""
        return [
            {
                "operation": self.operation,
                "job_id": self.job_id,
                "stream": report.stream,
                **report.counts,
                "fresh": report.fresh,
                "kept": report.kept,
                "seconds": round(report.seconds, 3),
                "error": report.error,
            }
            for report in self.streams.values()
        ]

    def __str__(self) -> str:
        return "\n".join(self._text_lines())

    def _text_lines(self) -> Iterator[str]:
        state = "ok" if self.ok else "stopped" if self.stopped else "NOT OK"
        yield f"{self.operation} {self.job_id} of {self.pipeline}: {state} in {self.seconds:.1f} s"
        heads = ("stream", "read", *_KINDS)
        yield "  " + "".join(f"{head:>10}" if i else f"{head:<10}" for i, head in enumerate(heads))
        for report in self.streams.values():
            counts = "".join(f"{number:>10}" for number in report.counts.values())
            yield f"  {report.stream:<10}{counts}"
            for reason, number in sorted(report.reasons.items()):
                yield f"    {number} x {reason}"
            if self.operation == "replay":
                yield f"    {report.fresh} with fresh data, {report.kept} with the kept payload"
            if report.future:
                yield f"    {report.future} stamped in the future: check the dates in the ERP"
            if report.error:
                yield f"    not finished: {report.error}"
        if self.suppressed:
            yield f"  newly unsubscribed, cleaned or archived in the audience: {self.suppressed}"
        if self.requests:
            yield "  requests: " + ", ".join(f"{system} {number}" for system, number in self.requests.items())

    def _repr_html_(self) -> str:
        rows = [(s.stream, *s.counts.values(), _reasons(s)) for s in self.streams.values()]
        table = html_table(("stream", "read", *_KINDS, "reasons"), rows, caption=repr(self)[1:-1])
        if not self.changes:
            return table
        changes = [(c.stream, c.key, c.outcome, c.reason) for c in self.changes]
        return table + html_table(("stream", "record", "would be", "reason"), changes, caption="first changes")


def _reasons(report: StreamReport) -> str:
    texts = [f"{number} x {reason}" for reason, number in sorted(report.reasons.items())]
    return ", ".join([*texts, report.error] if report.error else texts)


class Checks(tuple[CheckResult, ...]):
    """The rows of `engine.check()`, printable and shown as a table in a notebook."""

    __slots__ = ()

    @property
    def ok(self) -> bool:
        """Everything that was tried works."""
        return all(row.ok for row in self)

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    def __repr__(self) -> str:
        failed = [f"{row.system} {row.what}" for row in self if not row.ok]
        return f"<Checks: {len(self)} rows, {'all ok' if not failed else 'NOT OK: ' + ', '.join(failed)}>"

    def _repr_html_(self) -> str:
        rows = [(row.system, row.what, "ok" if row.ok else "NOT OK", row.detail, row.cure) for row in self]
        return html_table(("system", "what", "state", "detail", "cure"), rows, caption=repr(self)[1:-1])
