"""Taking in what Mailchimp tells by itself: who left, bounced, complained, came back or has another address now.

An event is trusted for what it says and doubted for when it says so. Who left stays silent unless they verifiably came
back later; who came is believed only with a date after that of the silence. Nothing is written to Mailchimp.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from ..errors import MLConnectorError
from ..models import AuditEntry, Checkpoint, Link, MemberStatus, Suppression, WebhookEvent, member_id
from ._consent import TRANSACTIONAL
from ._flags import Flagger
from ._intents import intents_about
from ._lease import lease_within
from ._receipts import LastWord, Receipts
from ._report import Report
from ._run import Parts
from ._suppressions import Statuses

__all__ = ["WEBHOOKS", "handle_events"]

WEBHOOKS = "webhooks"
"""The stream under which events are counted, and those audited that concern no known record."""

_ECHO = timedelta(minutes=5)
_FORGOTTEN_HOST = "@forgotten.mailchimp.com"
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_PLAIN_WORD = re.compile(r"[a-z][a-z_-]{0,39}")

_STRENGTH = {"unsubscribed": 1, "compliance": 1, "archived": 2, "forgotten": 4, "erased": 5}
"""How much it takes to cover a suppression by another one; 3 for bounces and complaints."""

_REJECTED_AS = {"hard_bounce": "hard_bounce", "spam": "spam", "unsub": "unsubscribed"}
_NOT_THE_RECIPIENT = {"invalid_sender", "rule", "soft_bounce", "test_mode_limit", "unsigned"}
"""Why Mandrill rejects a message that would reach its recipient another time."""

_BLOCKED = {"blacklist", "denylist"}


def handle_events(parts: Parts, events: Sequence[WebhookEvent], *, wait: float) -> Report:
    """Take events in, oldest first, each in a transaction of its own; see `SyncEngine.handle`."""
    began, started = parts.clock.now(), parts.clock.monotonic()
    job_id = f"{began:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"
    report = Report(operation="handle", pipeline=parts.name, job_id=job_id, started_at=began)
    if not events:
        return report
    try:
        with lease_within(wait, parts.state, parts.name, clock=parts.clock) as lease:
            desk = _Desk(parts, report, lease.commit)
            for event in sorted(events, key=lambda event: event.at or _EARLIEST):
                desk.take(event)
            desk.tidy()
    except MLConnectorError as error:
        error.report = report
        raise
    finally:
        report.seconds = parts.clock.monotonic() - started
    return report


class _Desk:
    """Takes events in under the pipeline's lease; one transaction each, so what a crash leaves is whole events."""

    def __init__(self, parts: Parts, report: Report, commit: Callable[[Checkpoint], None]) -> None:
        self._state, self._name, self._clock = parts.state, parts.name, parts.clock
        self._origin, self._list_id = parts.sink.system, parts.sink.list_id
        self._report, self._commit = report, commit
        self._receipts = Receipts(parts.state, parts.name)
        flagger = None
        if parts.flagging is not None:
            flagger = Flagger(parts.flagging, parts.state, pipeline=parts.name, clock=parts.clock, report=report)
        self._statuses = Statuses(
            state=parts.state,
            commit=commit,
            pipeline=parts.name,
            job_id=report.job_id,
            clock=parts.clock,
            origin=self._origin,
            keep_unsubscribes=parts.policy.on_unsubscribe != "log",
            flagger=flagger,
        )

    def take(self, event: WebhookEvent) -> None:
        """Take in one event and count what became of it."""
        counted = self._report.stream(WEBHOOKS)
        reason = self._reason_to_ignore(event)
        if reason:
            counted.count("skipped", reason)
        elif self._receipts.is_known(event):
            counted.count("unchanged")
        else:
            news = self._news(event)
            if isinstance(news, str):
                counted.count("skipped", news)
                news = self._checkpoint()
            else:
                counted.count("updated" if news.suppressions or news.lifted or news.links else "unchanged")
            self._report.suppressed += len(news.suppressions)
            news = self._statuses.by_policy(news, patiently=True)
            receipt = self._receipts.receipt_of(event, self._clock.now())
            self._commit(attrs.evolve(news, notes=(*news.notes, *receipt)))

    def tidy(self) -> None:
        """Forget receipts that no delivery will need any more."""
        self._receipts.tidy(self._commit, self._report.job_id, self._clock.now())

    def _reason_to_ignore(self, event: WebhookEvent) -> str:
        if event.list_id and event.list_id != self._list_id:
            return "other_audience"
        if event.kind not in _KINDS[event.origin]:
            return "other_kind"
        if not event.address or event.address.endswith(_FORGOTTEN_HOST):
            return "no_address"
        return ""

    def _news(self, event: WebhookEvent) -> Checkpoint | str:
        """What an event changes, or why it changes nothing."""
        if event.kind == "upemail":
            return self._moved(event)
        if event.kind == "subscribe":
            return self._came(event)
        if event.kind == "profile":
            return self._checkpoint(audit=self._audit(event, self._links(event.address), "noted", "profile"))
        if event.kind in _BLOCKED and event.action == "remove":
            return self._allowed_again(event)
        reason = _reason_to_silence(event)
        return self._left(event, reason) if reason else "not_the_recipient"

    # Who left

    def _left(self, event: WebhookEvent, reason: str) -> Checkpoint | str:
        marketing = event.origin == "marketing"
        origin, at = self._origin if marketing else TRANSACTIONAL, event.at or self._clock.now()
        word = self._receipts.last_word(event.address) if marketing else None
        if word is not None and word.kind == "came" and event.at is not None and word.at > event.at:
            return "outdated"
        addresses = [event.address, *self._receipts.trail(event.address, event.at)]
        held = self._state.suppressions(self._name, addresses)
        suppressions: list[Suppression] = []
        links: list[Link] = []
        audit: list[AuditEntry] = []
        for address in addresses:
            here = self._links(address)
            meant = [intent.link for intent in intents_about(here, self._state, self._name)]
            if marketing and any(_is_echo(link, event, reason) for link in (*here, *meant)):
                return "echo"
            if _covers(reason, held.get(address)):
                suppressions.append(Suppression(address=address, reason=reason, origin=origin, at=at))
                audit += self._audit(event, here, "suppressed", reason)
            if marketing:
                links += _standing(here, _STATUS.get(reason, "cleaned"))
        notes = (LastWord("left", event.at).note_of(event.address),) if marketing and event.at is not None else ()
        if word is not None and event.at is not None and word.at > event.at:
            notes = ()
        return self._checkpoint(suppressions=tuple(suppressions), links=tuple(links), notes=notes, audit=tuple(audit))

    # Who came back

    def _came(self, event: WebhookEvent) -> Checkpoint | str:
        if event.at is None:
            return "undated"
        word = self._receipts.last_word(event.address)
        if word is not None and word.at >= event.at:
            return "outdated"
        held = self._state.suppressions(self._name, [event.address]).get(event.address)
        if held is not None and held.origin == self._origin and held.at >= event.at:
            return "outdated"
        lifted = held is not None and held.origin == self._origin
        here = self._links(event.address)
        return self._checkpoint(
            lifted=(event.address,) if lifted else (),
            links=_standing(here, "subscribed"),
            notes=(LastWord("came", event.at).note_of(event.address),),
            audit=self._audit(event, here, "lifted", "subscribe") if lifted else (),
        )

    def _allowed_again(self, event: WebhookEvent) -> Checkpoint | str:
        held = self._state.suppressions(self._name, [event.address]).get(event.address)
        if held is None or held.origin != TRANSACTIONAL:
            return "not_suppressed"
        if event.at is None or held.at >= event.at:
            return "outdated"
        audit = self._audit(event, self._links(event.address), "lifted", event.kind)
        return self._checkpoint(lifted=(event.address,), audit=audit)

    # Who has another address now

    def _moved(self, event: WebhookEvent) -> Checkpoint | str:
        before, at = event.previous_address, event.at or self._clock.now()
        if not before or before == event.address:
            return "no_address"
        word = self._receipts.last_word(before)
        if word is not None and word.kind == "moved" and word.at > at:
            return "outdated"
        after = [event.address, *self._receipts.trail(event.address, event.at)][-1]
        here, there = self._links(before), self._links(after)
        held = self._state.suppressions(self._name, [before, after])
        suppressions: tuple[Suppression, ...] = ()
        if before in held and after not in held and held[before].reason != "erased":
            suppressions = (attrs.evolve(held[before], address=after),)
        taken = any(link.owner and link.target for link in there)
        erased = after in held and held[after].reason == "erased"
        links = () if after == before or erased else tuple(_moved_to(after, link, taken=taken) for link in here)
        return self._checkpoint(
            suppressions=suppressions,
            links=links,
            notes=(LastWord("moved", at, event.address).note_of(before),) if not erased else (),
            audit=self._audit(event, here, "moved", "upemail"),
        )

    # What is written down

    def _links(self, address: str) -> tuple[Link, ...]:
        return self._state.links_to(self._name, [address]).get(address, ())

    def _audit(self, event: WebhookEvent, links: Sequence[Link], outcome: str, reason: str) -> tuple[AuditEntry, ...]:
        """One entry per record; what concerns none that is known is noted under the event's receipt."""
        said = event.reason.lower()
        entry = AuditEntry(
            at=self._clock.now(),
            job_id=self._report.job_id,
            stream=WEBHOOKS,
            key=event.receipt,
            outcome=outcome,
            reason=reason,
            message=f"{event.kind} {said}" if _PLAIN_WORD.fullmatch(said) else event.kind,
        )
        known = tuple(attrs.evolve(entry, stream=link.stream, key=link.key) for link in links)
        return known or (attrs.evolve(entry, message=f"{entry.message}, unknown address"),)

    def _checkpoint(self, **changes: Any) -> Checkpoint:
        return attrs.evolve(Checkpoint(pipeline=self._name, job_id=self._report.job_id), **changes)


_KINDS = {
    "marketing": {"unsubscribe", "cleaned", "subscribe", "upemail", "profile"},
    "transactional": {"hard_bounce", "spam", "unsub", "reject", *_BLOCKED},
}
_STATUS: dict[str, MemberStatus] = {"unsubscribed": "unsubscribed", "archived": "archived"}


def _reason_to_silence(event: WebhookEvent) -> str:
    """The suppression's reason in our words; `""` when the recipient has nothing to do with it."""
    if event.origin == "marketing":
        if event.reason == "abuse":
            return "abuse"
        by_hand = "archived" if event.action == "delete" else "unsubscribed"
        return "cleaned" if event.kind == "cleaned" else by_hand
    word = event.kind if event.kind in _REJECTED_AS else event.reason.lower().replace("-", "_")
    return "" if word in _NOT_THE_RECIPIENT else _REJECTED_AS.get(word, "rejected")


def _covers(reason: str, held: Suppression | None) -> bool:
    return held is None or _STRENGTH.get(reason, 3) > _STRENGTH.get(held.reason, 3)


def _is_echo(link: Link, event: WebhookEvent, reason: str) -> bool:
    """Mailchimp tells of our own write, because its webhook is set to; a campaign or a complaint is a person's."""
    if not link.taken_off or link.taken_off != reason or event.campaign_id:
        return False
    return event.at is not None and link.synced_at is not None and abs(event.at - link.synced_at) <= _ECHO


def _standing(links: Sequence[Link], status: MemberStatus) -> tuple[Link, ...]:
    """The links that change because their member stands there now, by no doing of ours."""
    seen = ((link, attrs.evolve(link, standing=status, taken_off="")) for link in links if link.target)
    return tuple(new for old, new in seen if new != old)


def _moved_to(address: str, link: Link, *, taken: bool) -> Link:
    """The link of a record whose person has another address now, until the ERP has another one as well."""
    moved = attrs.evolve(link, address=address, moved_from=link.moved_from or link.address)
    if taken:
        return attrs.evolve(moved, owner=False, target="", state="skipped", reason="shared_address", fingerprint="")
    return attrs.evolve(moved, target=member_id(address) if link.target else "")
