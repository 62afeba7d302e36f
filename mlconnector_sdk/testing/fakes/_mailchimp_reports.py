"""Campaigns that were sent, what people did with them, and the reports on that."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import attrs

from ._mailchimp_audience import Audience, digest, subscriber_hash
from ._mailchimp_checks import parse_time
from ._mailchimp_commerce import Shop
from ._mailchimp_members import MEMBER
from ._mailchimp_problems import Problem
from ._mailchimp_routes import COLLECTION, ITEM, Call, Route, links, page

__all__ = ["Campaign", "ReportResources", "Sent"]

_REPORT = "/reports/{campaign_id}"
_SPLIT = ("total_clicks", "click_percentage", "unique_clicks", "unique_click_percentage")


@attrs.define(kw_only=True)
class Sent:
    """One mail of a campaign and what became of it.

    Attributes:
        activity: opens, clicks and bounces in the vendor's own form.
        left: when and why the person unsubscribed by it.
        complained_at: when the person called it spam.
    """

    email: str
    activity: list[dict[str, Any]] = attrs.field(factory=list)
    left: tuple[datetime, str] | None = None
    complained_at: datetime | None = None

    def count(self, action: str, kind: str | None = None) -> int:
        return sum(item["action"] == action and kind in {None, item.get("type")} for item in self.activity)

    def last(self, action: str) -> str:
        return max((item["timestamp"] for item in self.activity if item["action"] == action), default="")

    @property
    def status(self) -> str:
        return next((item["type"] for item in self.activity if item["action"] == "bounce"), "sent")


@attrs.define(kw_only=True)
class Campaign:
    """One campaign; `sent` holds its mails by address in lower case."""

    id: str
    title: str
    subject: str
    list_id: str
    sent_at: datetime
    type: str = "regular"
    sent: dict[str, Sent] = attrs.field(factory=dict)

    def total(self, action: str, kind: str | None = None) -> int:
        return sum(mail.count(action, kind) for mail in self.sent.values())

    def people(self, action: str) -> int:
        return sum(mail.count(action) > 0 for mail in self.sent.values())

    def last(self, action: str) -> str:
        return max((mail.last(action) for mail in self.sent.values()), default="")


class ReportResources:
    """Routes under `/reports` and a member's history, and the verbs by which people act.

    Attributes:
        campaigns: by id, free to change in a test.
    """

    def __init__(self, audience: Audience, shop: Shop) -> None:
        self.audience = audience
        self.campaigns: dict[str, Campaign] = {}
        self._shop = shop
        self._numbers = itertools.count(1)

    # What happens

    def send(
        self, title: str, to: Iterable[str] | None = None, *, at: datetime | None = None, list_id: str | None = None
    ) -> str:
        """Send a campaign to these addresses, or to all who are subscribed; gives its id."""
        members = self.audience.members.values()
        addresses = [m.email_address for m in members if m.status == "subscribed"] if to is None else list(to)
        campaign = Campaign(
            id=digest("campaign", next(self._numbers), length=10),
            title=title,
            subject=f"News: {title}",
            list_id=list_id or self.audience.list_id,
            sent_at=at or self.audience.now(),
            sent={address.strip().lower(): Sent(email=address.strip()) for address in addresses},
        )
        self.campaigns[campaign.id] = campaign
        return campaign.id

    def act(self, email: str, campaign: str, action: str, **rest: str) -> None:
        """Somebody opens or clicks, or a mail bounces; one that bounces hard cleans the member."""
        stamp = {"action": action, "timestamp": self.audience.now().isoformat()}
        ip = "" if action == "bounce" else "203.0.113.9"
        self._mail(email, campaign).activity.append({**stamp, **rest, "ip": ip})
        if action == "bounce" and rest.get("type") == "hard" and email in self.audience.members:
            self.audience.clean(email)

    def unsubscribe(self, email: str, campaign: str, reason: str = "None given") -> None:
        """Somebody leaves by the link in a campaign."""
        self._mail(email, campaign).left = (self.audience.now(), reason)
        self.audience.unsubscribe(email, "N/A (Unsubscribed by the contact)")

    def complain(self, email: str, campaign: str) -> None:
        """Somebody calls a campaign spam."""
        self._mail(email, campaign).complained_at = self.audience.now()
        self.audience.unsubscribe(email, "N/A (Complaint)")

    def _mail(self, email: str, campaign: str) -> Sent:
        return self.campaigns[campaign].sent[email.strip().lower()]

    # HTTP

    def routes(self) -> list[Route]:
        sorted_by = f"{COLLECTION} sort_field sort_dir"
        parts: list[tuple[str, Callable[[Call], Any], str]] = [
            ("email-activity", self.email_activity, f"{COLLECTION} since"),
            ("open-details", self.opens, f"{sorted_by} since"),
            ("click-details", self.clicks, sorted_by),
            ("unsubscribed", self.left, COLLECTION),
            ("sent-to", self.sent_to, COLLECTION),
            ("abuse-reports", self.complaints, COLLECTION),
        ]
        return [
            Route(
                method="GET",
                template="/reports",
                run=self.browse,
                query=f"{COLLECTION} type before_send_time since_send_time",
                sample=lambda: {"reports": [self._sample()], "total_items": 0, "_links": []},
            ),
            Route(method="GET", template=_REPORT, run=self.get, query=ITEM, sample=self._sample),
            *(
                Route(
                    method="GET",
                    template=f"{_REPORT}/{name}",
                    run=run,
                    query=query,
                    sample=partial(self._rows_of, name),
                )
                for name, run, query in parts
            ),
            Route(
                method="GET",
                template=f"{MEMBER}/activity-feed",
                run=self.feed,
                query=f"{COLLECTION} activity_filters",
                sample=lambda: {"activity": [{}], "email_id": "", "list_id": "", "_links": []},
            ),
        ]

    def _rows_of(self, part: str) -> dict[str, Any]:
        """A full answer of one part of a report."""
        made_up = Campaign(id="", title="", subject="", list_id="", sent_at=self.audience.now())
        whole = self._person(made_up, Sent(email=""))
        person = {name: value for name, value in whole.items() if name != "contact_status"}
        active = {name: value for name, value in person.items() if name not in {"merge_fields", "vip"}}
        split = {side: {f"{name}_{side}": 0 for name in _SPLIT} for side in "ab"}
        key, row = {
            "email-activity": ("emails", {**active, "activity": [_zeros("action type timestamp url ip")]}),
            "open-details": ("members", {**whole, "opens_count": 0, "opens": [_zeros("timestamp")]}),
            "click-details": ("urls_clicked", {**_link_row("", made_up, []), "ab_split": split}),
            "unsubscribed": ("unsubscribes", {**person, **_zeros("timestamp reason")}),
            "sent-to": ("sent_to", {**person, **_zeros("status open_count last_open absplit_group gmt_offset")}),
            "abuse-reports": ("abuse_reports", {**person, **_zeros("id date")}),
        }[part]
        return {key: [{**row, "_links": []}], **_zeros("campaign_id total_items total_opens"), "_links": []}

    def browse(self, call: Call) -> dict[str, Any]:
        since, before = call.time("since_send_time"), call.time("before_send_time")
        found = [
            campaign
            for campaign in sorted(self.campaigns.values(), key=lambda campaign: campaign.sent_at, reverse=True)
            if (since is None or campaign.sent_at > since)
            and (before is None or campaign.sent_at < before)
            and call.query.get("type", campaign.type) == campaign.type
        ]
        return page(call, "reports", found, lambda campaign: self._show(campaign, f"{call.href}/{campaign.id}"))

    def get(self, call: Call) -> dict[str, Any]:
        return self._show(self._find(call), call.href)

    def email_activity(self, call: Call) -> dict[str, Any]:
        campaign, since = self._find(call), _since(call)

        def show(mail: Sent) -> dict[str, Any]:
            person = self._person(campaign, mail)
            for name in ("merge_fields", "vip", "contact_status"):
                del person[name]
            return {**person, "activity": _after(mail.activity, since)}

        return self._page(call, "emails", campaign, campaign.sent.values(), show)

    def opens(self, call: Call) -> dict[str, Any]:
        campaign, since = self._find(call), _since(call)
        opened = {
            mail.email: found
            for mail in campaign.sent.values()
            if (found := _after((item for item in mail.activity if item["action"] == "open"), since))
        }

        def show(mail: Sent) -> dict[str, Any]:
            stamps = [{"timestamp": item["timestamp"]} for item in opened[mail.email]]
            return {**self._person(campaign, mail), "opens_count": len(stamps), "opens": stamps}

        mails = [mail for mail in campaign.sent.values() if mail.email in opened]
        return self._page(call, "members", campaign, mails, show, total_opens=campaign.total("open"))

    def clicks(self, call: Call) -> dict[str, Any]:
        campaign = self._find(call)
        found: dict[str, list[tuple[str, str]]] = {}
        for mail in campaign.sent.values():
            for item in mail.activity:
                if item["action"] == "click":
                    found.setdefault(item["url"], []).append((mail.email, item["timestamp"]))
        return self._page(call, "urls_clicked", campaign, found, lambda url: _link_row(url, campaign, found[url]))

    def left(self, call: Call) -> dict[str, Any]:
        campaign = self._find(call)

        def show(mail: Sent) -> dict[str, Any]:
            assert mail.left is not None
            at, reason = mail.left
            return {**self._recipient(campaign, mail), "timestamp": at.isoformat(), "reason": reason}

        return self._page(call, "unsubscribes", campaign, [m for m in campaign.sent.values() if m.left], show)

    def sent_to(self, call: Call) -> dict[str, Any]:
        campaign = self._find(call)

        def show(mail: Sent) -> dict[str, Any]:
            more = {"status": mail.status, "open_count": mail.count("open"), "last_open": mail.last("open")}
            return {**self._recipient(campaign, mail), **more, "gmt_offset": 0}

        return self._page(call, "sent_to", campaign, campaign.sent.values(), show)

    def complaints(self, call: Call) -> dict[str, Any]:
        campaign = self._find(call)
        mails = [mail for mail in campaign.sent.values() if mail.complained_at is not None]

        def show(mail: Sent) -> dict[str, Any]:
            assert mail.complained_at is not None
            number = int(digest("abuse", campaign.id, mail.email, length=7), 16)
            return {**self._recipient(campaign, mail), "id": number, "date": mail.complained_at.isoformat()}

        return self._page(call, "abuse_reports", campaign, mails, show)

    def feed(self, call: Call) -> dict[str, Any]:
        member = self.audience.members.find(call.ids["subscriber_hash"])
        if member is None:
            raise Problem.not_found()
        wanted = call.query["activity_filters"].split(",") if "activity_filters" in call.query else None
        found = [
            item
            for campaign in self.campaigns.values()
            if (mail := campaign.sent.get(member.key)) is not None
            for item in _history(campaign, mail)
            if wanted is None or item["activity_type"] in wanted
        ]
        found.sort(key=lambda item: str(item["created_at_timestamp"]), reverse=True)
        rest = {"email_id": member.id, "list_id": self.audience.list_id}
        answer = page(call, "activity", found, lambda item: item, **rest)
        # The one collection without a total.
        del answer["total_items"]
        return answer

    def _find(self, call: Call) -> Campaign:
        campaign = self.campaigns.get(call.ids["campaign_id"])
        if campaign is None:
            raise Problem.not_found()
        return campaign

    def _page(
        self,
        call: Call,
        key: str,
        campaign: Campaign,
        entries: Iterable[Any],
        show: Callable[[Any], dict[str, Any]],
        **rest: Any,
    ) -> dict[str, Any]:
        def linked(entry: Any) -> dict[str, Any]:
            return {**show(entry), "_links": links("Reports", call.href, "parent")}

        return page(call, key, list(entries), linked, campaign_id=campaign.id, **rest)

    def _person(self, campaign: Campaign, mail: Sent) -> dict[str, Any]:
        """The person as all reports show them; of one deleted for good a made-up address is left."""
        member = self.audience.members.get(mail.email)
        email = mail.email
        if email.lower() in self.audience.forgotten:
            email = f"{digest('forgotten', email)}@forgotten.mailchimp.com"
        return {
            "campaign_id": campaign.id,
            "list_id": campaign.list_id,
            "list_is_active": True,
            "contact_status": member.status if member else "",
            "email_id": subscriber_hash(email),
            "email_address": email,
            "merge_fields": dict(member.merge_fields) if member else {},
            "vip": bool(member and member.vip),
        }

    def _recipient(self, campaign: Campaign, mail: Sent) -> dict[str, Any]:
        person = self._person(campaign, mail)
        del person["contact_status"]
        return person

    def _show(self, campaign: Campaign, href: str) -> dict[str, Any]:
        sent = len(campaign.sent)
        return {
            "id": campaign.id,
            "campaign_title": campaign.title,
            "type": campaign.type,
            "list_id": campaign.list_id,
            "list_is_active": True,
            "list_name": self.audience.name,
            "subject_line": campaign.subject,
            "preview_text": "",
            "emails_sent": sent,
            "abuse_reports": sum(mail.complained_at is not None for mail in campaign.sent.values()),
            "unsubscribed": sum(mail.left is not None for mail in campaign.sent.values()),
            "send_time": campaign.sent_at.isoformat(),
            "bounces": {
                "hard_bounces": campaign.total("bounce", "hard"),
                "soft_bounces": campaign.total("bounce", "soft"),
                "syntax_errors": 0,
            },
            "forwards": {"forwards_count": 0, "forwards_opens": 0},
            "opens": {
                "opens_total": campaign.total("open"),
                "unique_opens": campaign.people("open"),
                "open_rate": campaign.people("open") / max(sent, 1),
                "last_open": campaign.last("open"),
            },
            "clicks": {
                "clicks_total": campaign.total("click"),
                "unique_clicks": campaign.people("click"),
                "unique_subscriber_clicks": campaign.people("click"),
                "click_rate": campaign.people("click") / max(sent, 1),
                "last_click": campaign.last("click"),
            },
            "timeseries": [_hour(campaign.sent_at + timedelta(hours=hour)) for hour in range(24)],
            "ecommerce": self._earned(campaign),
            "delivery_status": {"enabled": False},
            "_links": links("Reports", href, "self", "parent"),
        }

    def _earned(self, campaign: Campaign) -> dict[str, Any]:
        orders = [
            order
            for store in self._shop.stores.values()
            for order in store.orders.values()
            if order.get("campaign_id") == campaign.id
        ]
        total = round(sum(float(order["order_total"]) for order in orders), 2)
        currency = next((str(order["currency_code"]) for order in orders), "USD")
        return {
            "total_orders": len(orders),
            "total_spent": total,
            "total_revenue": total,
            "currency_code": currency,
        }

    def _sample(self) -> dict[str, Any]:
        """A report with all that one may have."""
        shown = self._show(Campaign(id="", title="", subject="", list_id="", sent_at=self.audience.now()), "/")
        side = "bounces abuse_reports unsubs recipient_clicks forwards forwards_opens opens last_open unique_opens"
        rates = "open_rate click_rate bounce_rate unopen_rate unsub_rate abuse_rate"
        warp = "gmt_offset opens last_open unique_opens clicks last_click unique_clicks bounces"
        delivery = "enabled can_cancel status emails_sent emails_canceled"
        return {
            **shown,
            "rss_last_send": "",
            "facebook_likes": _zeros("recipient_likes unique_likes facebook_likes"),
            "industry_stats": {"type": "", **_zeros(rates)},
            "list_stats": _zeros("sub_rate unsub_rate open_rate click_rate"),
            "ab_split": {"a": _zeros(side), "b": _zeros(side)},
            "timewarp": [_zeros(warp)],
            "share_report": _zeros("share_url share_password"),
            "delivery_status": _zeros(delivery),
        }


def _zeros(names: str) -> dict[str, int]:
    return dict.fromkeys(names.split(), 0)


def _hour(moment: datetime) -> dict[str, Any]:
    return {"timestamp": moment.isoformat(), "emails_sent": 0, "unique_opens": 0, "recipients_clicks": 0}


def _since(call: Call) -> datetime | None:
    if "since" in call.query and parse_time(call.query["since"]) is None:
        raise Problem.invalid(("since", "This value is not a valid datetime."))
    return call.time("since")


def _after(items: Iterable[dict[str, Any]], since: datetime | None) -> list[dict[str, Any]]:
    return [item for item in items if since is None or datetime.fromisoformat(item["timestamp"]) > since]


def _link_row(url: str, campaign: Campaign, clicks: list[tuple[str, str]]) -> dict[str, Any]:
    people, every = len({email for email, _ in clicks}), campaign.total("click")
    return {
        "id": digest("link", campaign.id, url, length=10),
        "url": url,
        "total_clicks": len(clicks),
        "click_percentage": len(clicks) / max(every, 1),
        "unique_clicks": people,
        "unique_click_percentage": people / max(campaign.people("click"), 1),
        "last_click": max((stamp for _, stamp in clicks), default=""),
        "campaign_id": campaign.id,
    }


def _history(campaign: Campaign, mail: Sent) -> Iterator[dict[str, Any]]:
    """What the feed tells of one mail, each kind of entry with properties of its own."""

    def entry(kind: str, stamp: str, **rest: Any) -> dict[str, Any]:
        about = {"campaign_id": campaign.id, "campaign_title": campaign.title}
        return {"activity_type": kind, "created_at_timestamp": stamp, **about, **rest}

    yield entry("sent", campaign.sent_at.isoformat())
    for item in mail.activity:
        more = {"click": {"link_clicked": item.get("url")}, "bounce": {"bounce_type": item.get("type")}}
        yield entry(item["action"], item["timestamp"], **more.get(item["action"], {}))
    if mail.left is not None:
        yield entry("unsub", mail.left[0].isoformat(), unsubscribe_reason=mail.left[1])
