"""Who may be mailed, as far as the ERP, the policy and the audience say so together. Pure: no I/O, no state.

In doubt nobody is mailed: a member is brought back only to where it stood before this library took it off, a person
who left one address is not written to at the next, and whoever came or went by themselves is left where they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import attrs

from ..models import Link, MemberStatus, MemberWrite, Suppression, WriteResult
from ..policy import SyncPolicy

__all__ = [
    "MAY_HEAR_NEWS",
    "TRANSACTIONAL",
    "Leaving",
    "born_again_as",
    "first_status",
    "following",
    "is_erased",
    "is_off",
    "is_tagged_as_leaving",
    "leaving_tag",
    "standing_after",
    "was_let_go",
    "way_back",
    "way_out",
]

Leaving: TypeAlias = Literal["unsubscribe", "archive", "tag", "ignore"]

MAY_HEAR_NEWS = {"unsubscribed"}
"""Suppressions under which a member's data is still kept right, without touching its status."""

TRANSACTIONAL = "transactional"
"""Origin of suppressions that the Transactional API told of; they say nothing about the audience."""

_OFF = {"unsubscribed", "cleaned", "archived"}
_LET_GO = {"dormant", "gone", "inactive", "on_hold"}

_OF_THE_MAILBOX = {"cleaned", "hard_bounce"}
"""Suppressions that speak of an address and not of the person behind it."""


def first_status(policy: SyncPolicy, stream: str, *, double_optin: bool) -> MemberStatus:
    """The status of a new member; where the audience asks for confirmation, nobody is subscribed without."""
    wish = policy.suppliers if stream == "suppliers" else policy.new_members
    if wish == "ignore":
        # Suppliers that are left out are never asked about.
        return "transactional"
    return "pending" if wish == "subscribed" and double_optin else wish


def way_out(policy: SyncPolicy, status: str) -> Leaving:
    """How the member of a record with this status leaves; `"ignore"`: it stays."""
    match status:
        case "inactive":
            return policy.inactive
        case "on_hold":
            return policy.on_hold
    return "ignore"


def leaving_tag(policy: SyncPolicy, status: str) -> tuple[str, ...]:
    """The tag of a member that stays although its record is out of business."""
    if status == "active" or way_out(policy, status) != "tag":
        return ()
    return (policy.inactive_tag if status == "inactive" else policy.on_hold_tag,)


def is_tagged_as_leaving(owner: Link, policy: SyncPolicy) -> bool:
    """The record that speaks for an address is out of business, so any other speaks better."""
    return any(tag in owner.details for status in ("inactive", "on_hold") for tag in leaving_tag(policy, status))


def is_erased(before: Link | None, suppression: Suppression | None) -> bool:
    """The record's person was erased, whatever address the ERP has now; or this is the address of one who was."""
    by_record = before is not None and before.reason == "erased"
    return by_record or (suppression is not None and suppression.reason == "erased")


def is_off(before: Link | None, suppression: Suppression | None) -> bool:
    """The audience mails nobody there anyway, so there is nothing to take off, and nothing that we took off."""
    if suppression is not None and suppression.origin != TRANSACTIONAL:
        return True
    return before is not None and (bool(before.taken_off) or before.standing in _OFF)


def was_let_go(before: Link) -> bool:
    """The member left for its record before; whoever is back since then came by themselves, and stays."""
    return before.state == "skipped" and before.reason in _LET_GO


def following(before: Link | None, address: str, suppressions: Mapping[str, Suppression]) -> Suppression | None:
    """The suppression of the record's last address, where the person takes it along to this one."""
    if before is None or before.address in {"", address}:
        return None
    held = suppressions.get(before.address)
    if held is None or held.reason in _OF_THE_MAILBOX or not (before.target or before.reason == held.reason):
        return None
    return attrs.evolve(held, address=address)


def way_back(before: Link | None, policy: SyncPolicy, first: MemberStatus, status: str) -> MemberStatus | None:
    """The status in which a member that this library took off comes back; `None`: it stays off.

    Mailchimp takes nobody back as `transactional`; who stood so gets no marketing mail either way.

    Args:
        first: what a new member would get, for links that do not tell where the member stood.
        status: the record's.
    """
    if before is None or not before.taken_off or policy.reactivated != "resubscribe":
        return None
    if status != "active" and way_out(policy, status) != "ignore":
        return None
    stood = before.standing or first
    return stood if stood in {"subscribed", "pending"} else None


def born_again_as(before: Link | None, first: MemberStatus) -> MemberStatus:
    """The status of a member that has to be made again: no more than it stood for, if it waited or got orders alone."""
    match before.standing if before else "":
        case "pending" | "transactional" as stood:
            return stood
    return first


def standing_after(link: Link, write: MemberWrite, result: WriteResult) -> dict[str, Any]:
    """What the answer to a write changes of a link: how its member stands."""
    status = result.member_status
    if status is None or not link.target or link.taken_off == status:
        return {}
    match status:
        case "unsubscribed" | "archived" if link.taken_off and write.status == link.taken_off:
            # Who waits for a confirmation cannot be archived, for example.
            return {"taken_off": status}
    return {"taken_off": "", "standing": status}
