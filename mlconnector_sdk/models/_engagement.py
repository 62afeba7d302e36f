"""What people did with the campaigns they were sent, and what campaigns came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import attrs

__all__ = [
    "CampaignReading",
    "CampaignReport",
    "ClickedLink",
    "Engagement",
    "EngagementPage",
    "EngagementRow",
    "MemberActivity",
    "Recipient",
    "Revenue",
]

_NOTHING: Mapping[str, Any] = {}


@attrs.frozen(kw_only=True)
class Revenue:
    """What Mailchimp counts towards a campaign from the orders of the stores.

    Attributes:
        orders: how many.
        total: what they sum up to, in `currency`.
        spent: the same with shipping and taxes, as Mailchimp calls it.
        currency: the ISO code; `""` where no store is connected.
    """

    orders: int = 0
    total: Decimal = Decimal(0)
    spent: Decimal = Decimal(0)
    currency: str = ""


@attrs.frozen(kw_only=True)
class CampaignReport:
    """A campaign that was sent, and its totals so far. Times are aware UTC.

    Attributes:
        opens, clicks: how often, repeats included; `unique_opens` and `unique_clicks` count people.
        raw: the answer as it came, with whatever else it holds.
    """

    id: str
    title: str = ""
    subject: str = ""
    type: str = ""
    list_id: str = ""
    sent_at: datetime | None = None
    emails_sent: int = 0
    opens: int = 0
    unique_opens: int = 0
    last_open_at: datetime | None = None
    clicks: int = 0
    unique_clicks: int = 0
    last_click_at: datetime | None = None
    hard_bounces: int = 0
    soft_bounces: int = 0
    syntax_errors: int = 0
    unsubscribes: int = 0
    abuse: int = 0
    revenue: Revenue = Revenue()
    raw: Mapping[str, Any] = attrs.field(default=_NOTHING, repr=False, eq=False)

    @property
    def totals(self) -> tuple[int, ...]:
        """The numbers that grow with every new engagement."""
        bounces = self.hard_bounces + self.soft_bounces + self.syntax_errors
        return (self.emails_sent, self.opens, self.clicks, bounces, self.unsubscribes, self.abuse)

    def __repr__(self) -> str:
        return f"<CampaignReport {self.id} {self.emails_sent} sent>"


@attrs.frozen(kw_only=True)
class Engagement:
    """One thing that one person did with one campaign.

    Attributes:
        action: `open`, `click`, `hard_bounce`, `soft_bounce`, `unsubscribe`, `abuse`; or a word that is new.
        at: when, aware UTC; `None` where Mailchimp does not say.
        address: in lower case.
        member_id: Mailchimp's hash of the address.
        url: what was clicked.
        detail: the reason a person gave for leaving.
        raw: the entry as it came.
    """

    action: str
    at: datetime | None
    address: str = attrs.field(repr=False)
    member_id: str
    campaign_id: str
    url: str = attrs.field(default="", repr=False)
    detail: str = attrs.field(default="", repr=False)
    raw: Mapping[str, Any] = attrs.field(default=_NOTHING, repr=False, eq=False)

    @property
    def id(self) -> str:
        """The same for the same thing each time it is read, by which repeats are known."""
        parts = (self.campaign_id, self.member_id, self.action, self.at.isoformat() if self.at else "", self.url)
        return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@attrs.frozen(kw_only=True)
class Recipient:
    """Somebody a campaign was sent to.

    Attributes:
        status: `sent`, or how it bounced: `hard` or `soft`.
        raw: the entry as it came.
    """

    address: str = attrs.field(repr=False)
    member_id: str
    campaign_id: str
    status: str
    opens: int = 0
    last_open_at: datetime | None = None
    raw: Mapping[str, Any] = attrs.field(default=_NOTHING, repr=False, eq=False)


@attrs.frozen(kw_only=True)
class ClickedLink:
    """One link of a campaign, and how often it was followed; `unique_clicks` counts people."""

    id: str
    url: str
    campaign_id: str
    clicks: int = 0
    unique_clicks: int = 0
    last_click_at: datetime | None = None
    raw: Mapping[str, Any] = attrs.field(default=_NOTHING, repr=False, eq=False)


@attrs.frozen(kw_only=True)
class MemberActivity:
    """One entry of a member's history: opens and clicks, and also orders, sign-ups, notes and whatever comes to be.

    Attributes:
        kind: Mailchimp's word for it: `open`, `click`, `bounce`, `unsub`, `sent`, `order`, …
        raw: the entry as it came; entries of some kinds have much more to tell.
    """

    kind: str
    at: datetime | None
    address: str = attrs.field(repr=False)
    campaign_id: str = ""
    campaign_title: str = ""
    url: str = attrs.field(default="", repr=False)
    raw: Mapping[str, Any] = attrs.field(default=_NOTHING, repr=False, eq=False)


@attrs.frozen(kw_only=True)
class CampaignReading:
    """A campaign whose engagement is to be read: what happened at or after `since`, all of it for `None`."""

    report: CampaignReport
    since: datetime | None = None


@attrs.frozen(kw_only=True)
class EngagementPage:
    """Some of a campaign's engagement; `last` says that this was all of that campaign."""

    campaign_id: str
    entries: Sequence[Engagement] = attrs.field(default=(), repr=False)
    last: bool = False


@attrs.frozen(kw_only=True)
class EngagementRow:
    """One thing that one person did, joined to the ERP records behind the address.

    Attributes:
        id: the same each time the row is given; rows may be given more than once.
        stream, key: the record that speaks for the address; `""` when no record of this pipeline stands behind it.
        records: every record behind the address, as (stream, key).
        action, at, url, detail: see `Engagement`.
    """

    id: str
    stream: str
    key: str
    records: tuple[tuple[str, str], ...] = ()
    address: str = attrs.field(repr=False)
    campaign_id: str
    campaign_title: str = ""
    action: str
    at: datetime | None
    url: str = attrs.field(default="", repr=False)
    detail: str = attrs.field(default="", repr=False)
