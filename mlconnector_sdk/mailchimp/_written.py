"""What the answer to a member write tells at no extra cost, and what is left to do after it: tags and permissions."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

import attrs

from ..errors import ConfigurationError
from ..models import MemberStatus, MemberWrite, PermissionState, PermissionWish
from ._wire import SYSTEM

__all__ = [
    "BriefMember",
    "Wanted",
    "WrittenMember",
    "named",
    "permission_changes",
    "stale_tags",
    "tags_in",
    "unknown_name",
    "written",
]

_MAY_BE_GIVEN = frozenset({"subscribed", "pending", "transactional"})


@attrs.frozen(kw_only=True)
class Wanted:
    """What of a member's document is worth keeping until the member is done: hundreds of them wait at once.

    Attributes:
        prefixes: of tags, in lower case.
    """

    prefixes: tuple[str, ...] = ()
    permissions: bool = False

    @classmethod
    def by(cls, writes: Iterable[MemberWrite]) -> Wanted:
        """What these writes will ask for."""
        writes = list(writes)
        return cls(
            prefixes=tuple({write.owned_prefix.lower() for write in writes if write.owned_prefix}),
            permissions=any(write.permissions for write in writes),
        )


@attrs.frozen(kw_only=True)
class BriefMember:
    """What is needed of a member that comes back whole, some 4 kB of it, where nothing is left to do.

    The names are those of the API: a bulk answer is read straight into such members.
    """

    email_address: str = attrs.field(default="", repr=False)
    status: MemberStatus | None = None
    contact_id: str = ""


@attrs.frozen(kw_only=True)
class WrittenMember(BriefMember):
    """A member as the answer to a write shows it.

    Attributes:
        tags: those that begin with a wanted prefix, among the first fifty that an answer names.
        permissions: as (text, id, enabled); `None` where the answer is silent about them.
    """

    tags: tuple[str, ...] = ()
    permissions: tuple[tuple[str, str, bool], ...] | None = None

    @classmethod
    def of(cls, member: BriefMember) -> WrittenMember:
        """The same member, of which nothing more is known."""
        if isinstance(member, cls):
            return member
        return cls(email_address=member.email_address, status=member.status, contact_id=member.contact_id)


def written(document: Mapping[str, Any], wanted: Wanted) -> WrittenMember:
    """The member behind a document of the API."""
    tags = [str(tag.get("name") or "") for tag in document.get("tags") or ()] if wanted.prefixes else []
    permissions = document.get("marketing_permissions") if wanted.permissions else None
    return WrittenMember(
        email_address=str(document.get("email_address") or ""),
        status=cast("MemberStatus | None", document.get("status")),
        contact_id=str(document.get("contact_id") or ""),
        tags=tuple(tag for tag in tags if tag.lower().startswith(wanted.prefixes)),
        permissions=None if permissions is None else tuple(map(_permission, permissions)),
    )


def _permission(entry: Mapping[str, Any]) -> tuple[str, str, bool]:
    return str(entry.get("text") or ""), str(entry.get("marketing_permission_id") or ""), bool(entry.get("enabled"))


def named(name: str) -> str:
    """How names of interests and permissions are told apart: without regard to case and spacing."""
    return " ".join(name.split()).casefold()


def unknown_name(kind: str, name: str, known: Sequence[str]) -> ConfigurationError:
    """The error about a name that the audience lacks, or has twice."""
    same = [other for other in known if named(other) == named(name)]
    if same:
        said = f"the audience has {len(same)} {kind}s of the name {name!r}: rename one in Mailchimp"
    else:
        there = ", ".join(map(repr, known[:50])) or "none"
        said = f"the audience has no {kind} {name!r}; it has {there}: correct the mapping, or create it in Mailchimp"
    return ConfigurationError(said, system=SYSTEM, reason=f"unknown_{kind.rpartition(' ')[2]}")


# Tags


def tags_in(body: bytes) -> tuple[str, ...]:
    """The tags an encoded member brings."""
    return tuple(json.loads(body).get("tags") or ()) if b'"tags"' in body else ()


def stale_tags(write: MemberWrite, held: Collection[str], kept: Collection[str]) -> list[str]:
    """What is to be switched off: the tags the write names, and those held with its prefix that it does not give."""
    if not write.owned_prefix:
        return list(write.tags_off)
    stay, prefix = {tag.lower() for tag in kept}, write.owned_prefix.lower()
    ours = [tag for tag in held if tag.lower().startswith(prefix) and tag.lower() not in stay]
    named_already = {tag.lower() for tag in write.tags_off}
    return [*write.tags_off, *(tag for tag in ours if tag.lower() not in named_already)]


# Marketing permissions


def permission_changes(
    wishes: Iterable[PermissionWish], member: WrittenMember, *, created: bool
) -> tuple[list[dict[str, Any]], tuple[tuple[str, PermissionState], ...]]:
    """The permissions to set, as the API takes them, and how all of them are left then, as (name, state).

    What this library left on and now finds off was withdrawn by the person, and is never given again by a sync.

    Raises:
        ConfigurationError: the audience lacks a permission, or has it twice.
    """
    held = member.permissions or ()
    changes: list[dict[str, Any]] = []
    left: list[tuple[str, PermissionState]] = []
    for wish in wishes:
        same = [permission for permission in held if named(permission[0]) == named(wish.name)]
        if len(same) != 1:
            raise unknown_name("marketing permission", wish.name, [text for text, *_ in held])
        [(_, permission_id, is_on)] = same
        state = _left(wish, is_on=is_on, may_give=member.status in _MAY_BE_GIVEN, created=created)
        if state:
            left.append((wish.name, state))
            if (state == "given") != is_on:
                changes.append({"marketing_permission_id": permission_id, "enabled": not is_on})
    return changes, tuple(left)


def _left(wish: PermissionWish, *, is_on: bool, may_give: bool, created: bool) -> PermissionState | None:
    if is_on:
        return "taken" if wish.enabled is False else "given"
    if not created and wish.before in {"given", "withdrawn"}:
        return "withdrawn"
    if wish.enabled and may_give:
        return "given"
    return "taken" if wish.before == "taken" else None
