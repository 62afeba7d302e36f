"""What hangs on a member besides its data: tags of ours and marketing permissions, and who answers for them next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from ..mapping import MemberPayload
from ..models import Link, MemberWrite, PermissionState, PermissionWish, Suppression, WriteResult, member_id

__all__ = ["disowned", "hanging_on", "inherited", "permission_wishes", "permissions_of", "stale_tags", "untagging"]

_Permissions = tuple[tuple[str, PermissionState], ...]

_TAKES_ITS_TAGS_ALONG = frozenset({"excluded", "no_email", "suppliers_ignored"})
"""Reasons for which a record leaves the mapping while its member stays."""

_OUT_OF_REACH = frozenset({"archived", "cleaned", "erased", "forgotten"})


def stale_tags(payload: MemberPayload, *before: Link | None) -> tuple[str, ...]:
    """The tags that these links put on the member and the record does not give any more, case aside."""
    put_on = [tag for link in before if link is not None for tag in link.details]
    if not put_on:
        return ()
    stay = {tag.lower() for tag in payload.tags}
    return tuple(dict.fromkeys(tag for tag in put_on if tag.lower() not in stay))


def untagging(before: Link, reason: str, suppressions: Mapping[str, Suppression]) -> MemberWrite | None:
    """The write that takes our tags off a member for which no record of the mapping speaks any more."""
    held = suppressions.get(before.address)
    if reason not in _TAKES_ITS_TAGS_ALONG or not before.details or (held and held.reason in _OUT_OF_REACH):
        return None
    return MemberWrite(
        record_key=before.key,
        address=before.address,
        body=b"",
        exists=True,
        only_if_member=True,
        tags_off=before.details,
    )


def disowned(owner: Link) -> Link:
    """The link of a record that no longer speaks for its address, because another outranks it."""
    return attrs.evolve(
        owner,
        owner=False,
        target="",
        contact_id="",
        details=(),
        standing="",
        state="skipped",
        reason="shared_address",
        fingerprint="",
    )


def inherited(heir: Link, before: Link) -> Link:
    """The heir of a shared address, to be written next, with what hangs on its member."""
    return attrs.evolve(
        heir,
        owner=True,
        target=member_id(heir.address),
        state="synced",
        reason="",
        fingerprint="",
        standing=before.standing,
        contact_id=before.contact_id,
        details=before.details,
        permissions=permissions_of(heir, before),
    )


def permissions_of(*links: Link | None) -> _Permissions:
    """How the permissions of the member behind these links were left, as the last one that knows says."""
    known = [link.permissions for link in links if link is not None and link.permissions]
    return _joined(*known) if known else ()


def permission_wishes(payload: MemberPayload, known: _Permissions, *, silent: bool) -> tuple[PermissionWish, ...]:
    """What to ask of the sink; nobody who must not be mailed is given a permission, but what they withdraw is noted."""
    if not payload.permissions:
        return ()
    left = dict(known)
    return tuple(
        PermissionWish(name=name, enabled=None if enabled and silent else enabled, before=left.get(name, ""))
        for name, enabled in payload.permissions
    )


def hanging_on(link: Link, result: WriteResult, tried: Sequence[str]) -> dict[str, Any]:
    """What the sink's answer changes of a link: what hangs on its member.

    Args:
        tried: the tags of the write. One that failed half-way may have put them on, so they are ours to take off.
    """
    if result.kind == "dead":
        return {"details": tuple(dict.fromkeys((*link.details, *tried)))}
    changed: dict[str, Any] = {}
    if link.target and result.contact_id:
        changed["contact_id"] = result.contact_id
    if link.target and result.permissions:
        changed["permissions"] = _joined(link.permissions, result.permissions)
    return changed


def _joined(*permissions: _Permissions) -> _Permissions:
    return tuple(dict(entry for some in permissions for entry in some).items())
