"""Members who leave because of what was found out about their record, and the brake that stops too many of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal, TypeVar

import attrs

from ..models import Link, MemberStatus, MemberWrite, Party
from ..policy import SyncPolicy
from ._consent import is_off
from ._decision import Decision

__all__ = [
    "DORMANT",
    "Brake",
    "Finding",
    "fall_asleep",
    "in_chunks",
    "is_asleep",
    "lose_the_tag",
    "marks_on",
    "sleeps_on",
    "status_only",
    "tags_only",
]

DORMANT = "dormant"
"""Reason of a link whose member a sweep took off; the record still speaks for it."""

_A_HANDFUL = 10

T = TypeVar("T")


def in_chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The same items, `size` at a time."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


@attrs.frozen(kw_only=True)
class Finding:
    """What was found out about the ERP record behind a member, without its data at hand.

    Attributes:
        kind: `"gone"`: it is not in the ERP any more; `"dormant"`: nothing was done with it for long; `"awake"`: it is
            dormant no more.
    """

    key: str
    kind: Literal["gone", "dormant", "awake"]


@attrs.frozen
class Brake:
    """When many would leave at once, a filter, a right or a date is more likely wrong than so many customers gone.

    Attributes:
        share: of the members; a handful (ten) may always leave.
        allowed: the caller confirmed that so many shall leave.
    """

    share: float
    allowed: bool = False

    def is_a_handful(self, leaving: int) -> bool:
        """So few may always leave."""
        return leaving <= _A_HANDFUL

    def refusal(self, leaving: int, members: int, *, why: str, cure: str) -> str:
        """Why nobody may leave; `""` when they may."""
        if self.allowed or self.is_a_handful(leaving) or leaving <= members * self.share:
            return ""
        return f"{leaving} of {members} members {why}: nobody was taken off; {cure}"


def status_only(key: str, address: str, status: MemberStatus, *, exists: bool) -> MemberWrite:
    """A member's new status, and nothing else."""
    body = json.dumps({"email_address": address}, ensure_ascii=False).encode()
    return MemberWrite(record_key=key, address=address, body=body, status=status, exists=exists, only_if_member=True)


def tags_only(key: str, address: str, *, on: Sequence[str] = (), off: Sequence[str] = ()) -> MemberWrite:
    """A member's tags to switch on or off, and nothing else."""
    body = json.dumps({"email_address": address, "tags": list(on)}, ensure_ascii=False).encode() if on else b""
    return MemberWrite(
        record_key=key, address=address, body=body, exists=True, only_if_member=True, tags_off=tuple(off)
    )


# Dormant records. The link of a member that was taken off keeps its ownership, so that other records of the address
# do not write it back, and says when: business after that wakes it.


def is_asleep(link: Link, policy: SyncPolicy) -> bool:
    """Whether a sweep has dealt with this member already."""
    return link.reason == DORMANT or (policy.dormant == "tag" and policy.dormant_tag in link.details)


def sleeps_on(party: Party, link: Link | None) -> bool:
    """A sweep took the record's member off, and the ERP tells of no business since; its dates may lag a day."""
    if link is None or link.reason != DORMANT:
        return False
    day, taken_off = party.last_activity, link.synced_at
    if day is None or taken_off is None:
        return True
    return day.toordinal() < (taken_off - timedelta(days=1)).toordinal()


def marks_on(link: Link | None, policy: SyncPolicy) -> tuple[str, ...]:
    """The tags on this record's member that are a sweep's to take off, whatever the mapping says."""
    return (policy.dormant_tag,) if link is not None and policy.dormant_tag in link.details else ()


def fall_asleep(decision: Decision, policy: SyncPolicy, now: datetime) -> None:
    """The member of a dormant record leaves as the policy says; whoever is off already is only known to sleep."""
    before = decision.before
    assert before is not None
    decision.outcome, decision.reason = "skipped", DORMANT
    if policy.dormant == "tag":
        decision.write = tags_only(decision.key, before.address, on=[policy.dormant_tag])
        decision.link = attrs.evolve(before, details=(*before.details, policy.dormant_tag), synced_at=now)
        return
    decision.link = attrs.evolve(before, state="skipped", reason=DORMANT, synced_at=now)
    if not is_off(before, None):
        status: Literal["unsubscribed", "archived"] = "archived" if policy.dormant == "archive" else "unsubscribed"
        decision.write = status_only(decision.key, before.address, status, exists=True)
        decision.link = attrs.evolve(decision.link, taken_off=status)


def lose_the_tag(decision: Decision, policy: SyncPolicy) -> None:
    """The member of a record that is dormant no more loses the tag that said so."""
    before = decision.before
    assert before is not None
    decision.reason = "awake"
    decision.write = tags_only(decision.key, before.address, off=[policy.dormant_tag])
    kept = tuple(tag for tag in before.details if tag != policy.dormant_tag)
    decision.link = attrs.evolve(before, details=kept)
