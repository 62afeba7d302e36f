"""Sweeping: members of customers that have been quiet for long leave, and those who buy again are let back in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import attrs

from ..errors import ConfigurationError
from ..models import Link, OutcomeKind, StreamName, Suppression, html_table
from ._activity import Activity, ActivitySource
from ._consent import is_off
from ._leaving import DORMANT, Brake, Finding, in_chunks, is_asleep, marks_on
from ._neighbourhood import SPEAKS_FOR_NOBODY
from ._report import Report, StreamReport
from ._run import BATCH_SIZE, Run

__all__ = ["Sweep", "SweepReport", "SweptRecord", "dormancy"]

_MOST_ROWS = 200
_SHOWN_ROWS = 20
_NO_DATE = "no_date"
_WOULD_LEAVE = {"unsubscribe", "archive"}


def dormancy(dormant_after: timedelta | float) -> timedelta:
    """The span after which a customer is dormant.

    Raises:
        ConfigurationError: it is shorter than a day, which no date of business could tell.
    """
    span = dormant_after if isinstance(dormant_after, timedelta) else timedelta(seconds=dormant_after)
    if span < timedelta(days=1):
        raise ConfigurationError("dormant_after: at least a day, as a timedelta or in seconds")
    return span


@attrs.frozen(kw_only=True)
class SweptRecord:
    """One record whose member a sweep dealt with, or would.

    Attributes:
        outcome: what became of its member: `updated`, `created`, `skipped` or `dead`.
        reason: `dormant`, or `awake` for business again; where nothing was written, why not: `held_back` by the brake,
            `ignored` by the policy.
        last_activity: the last business with this record that is known.
    """

    stream: str
    key: str
    outcome: str
    reason: str
    last_activity: date | None = None


@attrs.define(kw_only=True, repr=False)
class SweepReport(Report):
    """What a sweep did, or as a plan would do; its streams count members, by the record that speaks for them.

    Of a stream, `updated` are members that left, were tagged or came back, `unchanged` those whose customer is in
    business, and `skipped` have a reason: `dormant` (dealt with by an earlier sweep), `no_date` (nobody knows when the
    last business was), `held_back`, `ignored`, or why the address is suppressed.

    Attributes:
        planned: nothing was written.
        before: who last did business before this day is dormant.
        left: members that left, or got the tag.
        awake: members of records that are dormant no more. Whether they are mailed again is `policy.reactivated`'s.
        held_back: why nobody was taken off, when so many would leave that it needs a confirmation.
        records: the first 200 of those records; `engine.audit(job_id=…)` has all of a sweep that was carried out.
    """

    planned: bool = False
    before: date = date.min
    left: int = 0
    awake: int = 0
    held_back: str = ""
    records: list[SweptRecord] = attrs.field(factory=list, repr=False)
    _last: dict[tuple[str, str], date | None] = attrs.field(factory=dict, init=False, repr=False)

    @property
    def ok(self) -> bool:
        """It was carried out to its end, and no record was set aside."""
        return not self.held_back and super().ok

    def expect(self, stream: str, key: str, last: date | None) -> None:
        """Remember when the last business was with a record that is about to be dealt with."""
        self._last[stream, key] = last

    def note_change(self, stream: str, key: str, outcome: OutcomeKind | None, reason: str) -> None:
        """Count one member that was dealt with, and keep the first of them."""
        last = self._last.pop((stream, key), None)
        if outcome in {"created", "updated"}:
            self.left += reason == DORMANT
            self.awake += reason != DORMANT
            reason = reason if reason == DORMANT else "awake"
        self.show(stream, key, str(outcome), reason, last)

    def show(self, stream: str, key: str, outcome: str, reason: str, last: date | None) -> None:
        """Keep a record for people to read, if it is among the first."""
        if len(self.records) < _MOST_ROWS:
            record = SweptRecord(stream=stream, key=key, outcome=outcome, reason=reason, last_activity=last)
            self.records.append(record)

    def to_rows(self) -> list[dict[str, Any]]:
        """One flat dict per record, for a data frame."""
        return [{"job_id": self.job_id, **attrs.asdict(record)} for record in self.records]

    def _text_lines(self) -> Iterator[str]:
        yield from super()._text_lines()
        would = "would leave" if self.planned else "left"
        yield f"  dormant is who last did business before {self.before}: {self.left} {would}, {self.awake} awake again"
        if self.held_back:
            yield f"  held back: {self.held_back}"
        for record in self.records[:_SHOWN_ROWS]:
            last = record.last_activity or "unknown"
            yield f"    {record.stream} {record.key}: {record.reason}, last business {last}"
        if len(self.records) > _SHOWN_ROWS:
            yield "    … more of them in .records"

    def _repr_html_(self) -> str:
        rows = [(r.stream, r.key, r.outcome, r.reason, r.last_activity or "") for r in self.records]
        caption = self.held_back or f"dormant: last business before {self.before}"
        return super()._repr_html_() + html_table(
            ("stream", "record", "outcome", "reason", "last business"), rows, caption=caption
        )


@attrs.frozen
class _Judged:
    """A member with what is known of its records: `busy`, `dormant`, or the reason why nothing is concluded."""

    link: Link
    verdict: str
    last: date | None


class Sweep:
    """Carries out one sweep within a run that holds the lease, or that only foretells.

    A member is dormant when every record at its address is: the last business with each of them is known, and older
    than the report's `before`. Records that have no say (inactive, opted out, gone) do not count.
    """

    def __init__(self, run: Run, report: SweepReport, *, tells: ActivitySource | None, allow_mass_leave: bool) -> None:
        parts = run.parts
        self._run = run
        self._report = report
        self._state = parts.state
        self._pipeline = parts.name
        self._policy = parts.policy
        self._brake = Brake(parts.policy.most_leaving, allow_mass_leave)
        self._activity = Activity(parts.source, parts.state, pipeline=parts.name, tells=tells)

    def carry_out(self, streams: Sequence[StreamName]) -> None:
        """Look at every member of these streams, then deal with those who are dormant, and with those who were.

        Raises:
            ConfigurationError: nothing tells of the last business.
            TransientError, FatalError: a system cannot be read or written; what was committed stays.
        """
        report = self._report
        if not self._activity.read(self._run.is_stopped):
            report.stopped = True
            return
        self._apply_brake(streams)
        for stream in streams:
            if self._run.is_stopped():
                report.stopped = True
                break
            awake: list[str] = []
            self._run.settle(stream, self._findings(stream, report.stream(stream), awake))
            self._run.rewrite(stream, awake, purpose="wake")
        self._run.take_over_addresses()

    def _apply_brake(self, streams: Sequence[StreamName]) -> None:
        if self._policy.dormant not in _WOULD_LEAVE:
            return
        members = leaving = 0
        for stream in streams:
            for judged in self._judged(stream):
                members += 1
                leaving += judged.verdict == DORMANT and judged.link.reason != DORMANT and not is_off(judged.link, None)
        cure = "look at engine.sweep(…, plan=True), then confirm it with allow_mass_leave=True"
        self._report.held_back = self._brake.refusal(leaving, members, why="are dormant", cure=cure)

    def _findings(self, stream: str, report: StreamReport, awake: list[str]) -> Iterator[Finding]:
        """What follows for each member; records that are to be loaded again go to `awake`."""
        # A plan shows whom the brake would spare.
        held_back = bool(self._report.held_back) and not self._report.planned
        for judged in self._judged(stream):
            link = judged.link
            if judged.verdict == DORMANT and not is_asleep(link, self._policy):
                spared = "ignored" if self._policy.dormant == "ignore" else "held_back" if held_back else ""
                if spared:
                    report.count("skipped", spared)
                    self._report.show(stream, link.key, "skipped", spared, judged.last)
                else:
                    self._report.expect(stream, link.key, judged.last)
                    yield Finding(key=link.key, kind="dormant")
            elif judged.verdict == "busy" and link.reason == DORMANT:
                self._report.expect(stream, link.key, judged.last)
                awake.append(link.key)
            elif judged.verdict == "busy" and marks_on(link, self._policy):
                self._report.expect(stream, link.key, judged.last)
                yield Finding(key=link.key, kind="awake")
            elif judged.verdict == "busy":
                report.count("unchanged")
            else:
                report.count("skipped", judged.verdict)

    def _judged(self, stream: str) -> Iterator[_Judged]:
        """Every member that a record of this stream speaks for, some hundreds at a time."""
        links = (link for link in self._state.all_links(self._pipeline, stream) if _speaks_for_a_member(link))
        for some in in_chunks(links, BATCH_SIZE):
            addresses = [link.address for link in some]
            around = self._state.links_to(self._pipeline, addresses)
            held = self._state.suppressions(self._pipeline, addresses)
            for link in some:
                yield self._judge(link, around.get(link.address, ()), held.get(link.address))

    def _judge(self, link: Link, around: Sequence[Link], suppression: Suppression | None) -> _Judged:
        days = [self._activity.last(other) for other in around if other.reason not in SPEAKS_FOR_NOBODY]
        known = [day for day in days if day is not None]
        last = max(known, default=None)
        if last is not None and last >= self._report.before:
            return _Judged(link, "busy", last)
        if last is None or len(known) < len(days):
            return _Judged(link, _NO_DATE, last)
        if suppression is not None and link.reason != DORMANT:
            # Whoever is silent already does not leave.
            return _Judged(link, suppression.reason, last)
        return _Judged(link, DORMANT, last)


def _speaks_for_a_member(link: Link) -> bool:
    return link.reason == DORMANT or bool(link.target and link.owner and link.state == "synced")
