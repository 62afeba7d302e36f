"""Engagement read back: what people did with campaigns, joined to the ERP records behind their addresses.

How far each campaign was read is a note. It is moved once the caller has taken the campaign's last row and asks for
the next: so each row is given at least once, and one that was given just before a crash comes again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ..errors import ConfigurationError, LeaseHeldError
from ..models import CampaignReading, CampaignReport, Checkpoint, Engagement, EngagementRow, Link, Note
from ..protocols import ReportingSink
from ._lease import HeldLease, this_owner
from ._run import Parts

__all__ = ["KEPT_UP_WITH", "READ_AGAIN", "EngagementReader", "engagement_rows"]

log = logging.getLogger("mlconnector_sdk.sync")

KEPT_UP_WITH = timedelta(days=90)
"""Campaigns that were sent longer ago are no longer asked for."""

READ_AGAIN = timedelta(minutes=10)
"""How far a reading steps back behind the one before, because it is not documented how late things show."""

_ENGAGEMENT = "engagement"


def engagement_rows(
    parts: Parts, since: datetime | None, *, kept_up_with: timedelta | float, read_again: timedelta | float
) -> Iterator[EngagementRow]:
    """See `SyncEngine.engagement`. What is wrong with the arguments is said at once, not with the first row."""
    if not isinstance(parts.sink, ReportingSink):
        raise ConfigurationError(f"engagement: {parts.sink.system} tells nothing of campaigns")
    if since is not None and since.tzinfo is None:
        raise ConfigurationError("since: give an aware datetime, such as datetime(2026, 3, 1, tzinfo=UTC)")
    kept, again = _span("kept_up_with", kept_up_with), _span("read_again", read_again)
    return EngagementReader(parts, parts.sink, kept_up_with=kept, read_again=again).rows(since)


def _span(name: str, value: timedelta | float) -> timedelta:
    span = value if isinstance(value, timedelta) else timedelta(seconds=value)
    if span < timedelta(0):
        raise ConfigurationError(f"{name}: must not be negative")
    return span


class EngagementReader:
    """Reads one pipeline's campaigns once.

    Args:
        parts: the pipeline.
        sink: its sink.
        kept_up_with, read_again: see `SyncEngine.engagement`.
    """

    def __init__(self, parts: Parts, sink: ReportingSink, *, kept_up_with: timedelta, read_again: timedelta) -> None:
        self._parts = parts
        self._reports = sink.reports
        self._kept_up_with = kept_up_with
        self._read_again = read_again
        self._read: list[Note] = []

    def rows(self, since: datetime | None) -> Iterator[EngagementRow]:
        """See `SyncEngine.engagement`."""
        # Before anything is asked for, so that what happens meanwhile is met again by the next reading.
        present = self._parts.sink.present().astimezone(UTC)
        wanted = self._wanted(since, present)
        titles = {reading.report.id: reading.report for reading in wanted}
        for page in self._reports.engagements(wanted):
            yield from self._joined(titles[page.campaign_id], page.entries)
            if page.last and since is None:
                self._read.append(self._note(titles[page.campaign_id], present))
                self._commit()
        if self._read:
            log.warning(
                "a run holds the lease, so where %d campaigns were read to is not written down: their rows come again",
                len(self._read),
            )

    def _wanted(self, since: datetime | None, present: datetime) -> list[CampaignReading]:
        """The campaigns with something new, oldest first."""
        oldest = min(since or present, present) - self._kept_up_with
        reports = sorted(self._reports.campaigns(oldest), key=lambda report: (report.sent_at or present, report.id))
        if since is not None:
            return [CampaignReading(report=report, since=since) for report in reports]
        state, name = self._parts.state, self._parts.name
        notes = {note.key: note.payload for note in state.notes(name, _ENGAGEMENT)}
        self._forget(notes.keys() - {report.id for report in reports})
        return [
            CampaignReading(report=report, since=self._bound(notes.get(report.id)))
            for report in reports
            if self._has_news(report, notes.get(report.id))
        ]

    def _has_news(self, report: CampaignReport, payload: Any) -> bool:
        """Whether totals grew, or grew so shortly before they were last read that something may show late.

        Of others nothing is asked; their bound stays, and the next reading begins there.
        """
        bound = self._bound(payload)
        if bound is None or payload["totals"] != list(report.totals):
            return True
        latest = (report.sent_at, report.last_open_at, report.last_click_at)
        return any(moment is not None and moment >= bound for moment in latest)

    def _bound(self, payload: Any) -> datetime | None:
        return datetime.fromisoformat(payload["until"]) - self._read_again if payload else None

    def _note(self, report: CampaignReport, present: datetime) -> Note:
        payload = {"until": present.isoformat(), "totals": list(report.totals)}
        return Note(kind=_ENGAGEMENT, key=report.id, payload=payload, at=self._parts.clock.now())

    def _forget(self, campaigns: set[str]) -> None:
        """Campaigns that are no longer asked for need no note."""
        if campaigns:
            self._apply(dropped=tuple((_ENGAGEMENT, key) for key in sorted(campaigns)))

    def _commit(self) -> None:
        if self._apply(notes=tuple(self._read)):
            self._read = []

    def _apply(self, **changes: Any) -> bool:
        """Commit under a lease held for that moment; not while a run has it, which must not be kept from its work."""
        parts = self._parts
        try:
            with HeldLease(parts.state, parts.name, owner=this_owner(), clock=parts.clock) as lease:
                lease.commit(Checkpoint(pipeline=parts.name, job_id=_ENGAGEMENT, **changes))
        except LeaseHeldError:
            return False
        return True

    def _joined(self, report: CampaignReport, entries: Sequence[Engagement]) -> Iterator[EngagementRow]:
        parts = self._parts
        links = parts.state.links_to(parts.name, sorted({entry.address for entry in entries if entry.address}))
        for entry in entries:
            yield _row(report, entry, links.get(entry.address, ()))


def _row(report: CampaignReport, entry: Engagement, links: Sequence[Link]) -> EngagementRow:
    speaker = next((link for link in links if link.owner), links[0] if links else None)
    return EngagementRow(
        id=entry.id,
        stream=speaker.stream if speaker else "",
        key=speaker.key if speaker else "",
        records=tuple((link.stream, link.key) for link in links),
        address=entry.address,
        campaign_id=report.id,
        campaign_title=report.title,
        action=entry.action,
        at=entry.at,
        url=entry.url,
        detail=entry.detail,
    )
