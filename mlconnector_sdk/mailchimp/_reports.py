"""What Mailchimp knows of campaigns: totals, and what each person did, as typed iterators.

Only campaigns that were sent to this sink's audience are told of. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from ..errors import RecordNotFoundError
from ..models import (
    CampaignReading,
    CampaignReport,
    ClickedLink,
    Engagement,
    EngagementPage,
    MemberActivity,
    Recipient,
    member_id,
)
from ._activity_batches import ActivityBatches, pages_of
from ._batches import Batches
from ._client import LARGEST_PAGE, MailchimpClient, json_object
from ._report_pages import ReportPages, activity_params, is_active, just_before
from ._reports_wire import (
    PackedRows,
    Row,
    abuse_of,
    activity_of,
    is_anybody,
    link_of,
    member_activity_of,
    opens_of,
    recipient_of,
    report_of,
    unsubscribe_of,
)
from ._wire import address_key, path

__all__ = ["ACTIVITY_BATCH_FROM", "CampaignReports"]

ACTIVITY_BATCH_FROM = 50
"""So many pages of activity (1,000 recipients each) at once are read by batches."""

# A report holds an hourly history, so a page of a thousand of them would be megabytes.
_REPORTS_PER_PAGE = 100


class CampaignReports:
    """Reads the reports of one audience's campaigns.

    A `since` counts what happened at or after it. Rows that move while we page come once and are not missed; people
    who were deleted for good are left out. A campaign is named by its report or its id.

    Args:
        client: the account.
        list_id: the audience.
        batches: where activity of many recipients is asked for.
        batch_from: so many pages of activity are worth a batch; `None`: never.
    """

    def __init__(
        self, client: MailchimpClient, list_id: str, batches: Batches, *, batch_from: int | None = ACTIVITY_BATCH_FROM
    ) -> None:
        self._client = client
        self._pages = ReportPages(client)
        self._list_id = list_id
        self._batch_from = batch_from
        self._batches = ActivityBatches(batches)

    # Campaigns

    def campaigns(self, since: datetime | None = None) -> Iterator[CampaignReport]:
        """Campaigns sent at or after `since`, each with its totals and revenue.

        Raises:
            TransientError, FatalError, ConfigurationError: as all reading does.
        """
        params = {} if since is None else {"since_send_time": just_before(since)}
        pages = self._pages.of("/reports", "reports", operation="GET reports", params=params, size=_REPORTS_PER_PAGE)
        for rows in pages:
            for row in rows:
                report = report_of(row)
                if report.list_id == self._list_id and (since is None or not report.sent_at or report.sent_at >= since):
                    yield report

    def report(self, campaign: str) -> CampaignReport:
        """One campaign's totals and revenue, whichever audience it went to.

        Raises:
            RecordNotFoundError: there is no such campaign, or it was not sent.
        """
        params = {"exclude_fields": "_links"}
        reply = self._client.send("GET", path("reports", campaign), operation="GET report", params=params)
        return report_of(json_object(reply, decimals=True))

    # What people did with one of them

    def activity(self, campaign: CampaignReport | str, since: datetime | None = None) -> Iterator[Engagement]:
        """Opens, clicks and bounces of every recipient. Mailchimp answers a row per recipient, so this is much to read.

        At most 1,000 opens and 1,000 clicks of one person are told of.
        """
        campaign_id = _id_of(campaign)
        params = activity_params(since)
        for row in self._rows(campaign_id, "email-activity", "emails", params=params, keep=is_active, hidden="_links"):
            yield from activity_of(campaign_id, row, since)

    def clicks(self, campaign: CampaignReport | str, since: datetime | None = None) -> Iterator[Engagement]:
        """Who followed which link when; read from `activity`, because the report on links knows no times."""
        return (entry for entry in self.activity(campaign, since) if entry.action == "click")

    def bounces(self, campaign: CampaignReport | str, since: datetime | None = None) -> Iterator[Engagement]:
        """Whose mail bounced, `hard_bounce` or `soft_bounce`; read from `activity`."""
        return (entry for entry in self.activity(campaign, since) if entry.action.endswith("bounce"))

    def opens(self, campaign: CampaignReport | str, since: datetime | None = None) -> Iterator[Engagement]:
        """Who opened the campaign when."""
        campaign_id = _id_of(campaign)
        for row in self._rows(campaign_id, "open-details", "members", params=activity_params(since)):
            yield from opens_of(campaign_id, row, since)

    def unsubscribes(self, campaign: CampaignReport | str, since: datetime | None = None) -> Iterator[Engagement]:
        """Who left by the campaign, and the reason they gave."""
        campaign_id = _id_of(campaign)
        for row in self._rows(campaign_id, "unsubscribed", "unsubscribes"):
            yield from unsubscribe_of(campaign_id, row, since)

    def abuse(self, campaign: CampaignReport | str, since: datetime | None = None) -> Iterator[Engagement]:
        """Who called the campaign spam."""
        campaign_id = _id_of(campaign)
        for row in self._rows(campaign_id, "abuse-reports", "abuse_reports", paged=False):
            yield from abuse_of(campaign_id, row, since)

    def recipients(self, campaign: CampaignReport | str) -> Iterator[Recipient]:
        """Everybody the campaign was sent to."""
        campaign_id = _id_of(campaign)
        for row in self._rows(campaign_id, "sent-to", "sent_to"):
            yield recipient_of(campaign_id, row)

    def links(self, campaign: CampaignReport | str) -> Iterator[ClickedLink]:
        """The campaign's links, and how often each was followed."""
        campaign_id = _id_of(campaign)
        for row in self._rows(campaign_id, "click-details", "urls_clicked", hidden="_links"):
            yield link_of(campaign_id, row)

    # What one person did

    def member_activity(self, address: str, kinds: Sequence[str] = ()) -> Iterator[MemberActivity]:
        """A member's history, the latest first: all kinds of entries, or those named in Mailchimp's words.

        An address that the audience does not know has none.
        """
        url = path("lists", self._list_id, "members", member_id(address), "activity-feed")
        params = {"activity_filters": ",".join(kinds)} if kinds else {}
        try:
            for rows in self._pages.of(url, "activity", operation="GET member activity", params=params, hidden=""):
                for row in rows:
                    yield member_activity_of(address_key(address), row)
        except RecordNotFoundError:
            return

    # What people did with many campaigns

    def engagements(self, readings: Sequence[CampaignReading]) -> Iterator[EngagementPage]:
        """Opens, clicks, bounces, unsubscribes and abuse of many campaigns, in pages, one campaign after another.

        A campaign that is gone by now has an empty last page. Activity of many recipients is asked for by batches,
        which Mailchimp works on by itself; this waits for them, and reads what they lack page by page.

        Raises:
            TransientError, FatalError, ConfigurationError: as all reading does; what was yielded stands.
        """
        if self._batch_from is None or sum(map(pages_of, readings)) < self._batch_from:
            for reading in readings:
                yield from self._engagement(reading, None)
            return
        for group in self._batches.groups(readings):
            found = self._batches.read(group)
            for reading in group:
                # Taken out, so that it is free once it was read.
                yield from self._engagement(reading, found.pop(reading.report.id, None))

    def _engagement(self, reading: CampaignReading, packed: PackedRows | None) -> Iterator[EngagementPage]:
        report, since = reading.report, reading.since
        parts: list[Iterator[Engagement]] = []
        if packed is not None:
            parts.append(entry for row in packed if is_anybody(row) for entry in activity_of(report.id, row, since))
        else:
            parts.append(self.activity(report, since))
        if report.unsubscribes:
            parts.append(self.unsubscribes(report, since))
        if report.abuse:
            parts.append(self.abuse(report, since))
        try:
            for part in parts:
                while entries := tuple(islice(part, LARGEST_PAGE)):
                    yield EngagementPage(campaign_id=report.id, entries=entries)
        except RecordNotFoundError:
            pass
        yield EngagementPage(campaign_id=report.id, last=True)

    def _rows(
        self, campaign_id: str, part: str, key: str, *, hidden: str = "_links merge_fields", **how: Any
    ) -> Iterator[Row]:
        url = path("reports", campaign_id, part)
        for rows in self._pages.of(url, key, operation=f"GET {part}", hidden=hidden, **how):
            yield from filter(is_anybody, rows)


def _id_of(campaign: CampaignReport | str) -> str:
    return campaign if isinstance(campaign, str) else campaign.id
