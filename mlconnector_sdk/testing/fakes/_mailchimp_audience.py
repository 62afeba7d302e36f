"""The audience behind the fake: its members, and the moves between their statuses."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any

import attrs

from ._mailchimp_merge import MergeField, MergeFields, new_field
from ._mailchimp_problems import UNVALIDATED, Problem

__all__ = ["Audience", "Member", "Members", "digest", "subscriber_hash"]

Clock = Callable[[], datetime]

_EMAIL = re.compile(r"[^\s@,;:<>()\[\]\"\\]+@[^\s@.,;:<>()\[\]\"\\]+(\.[^\s@.,;:<>()\[\]\"\\]+)+")
# Addresses under the reserved names always hit this on a live account.
_NEVER_REAL = ("example.com", "example.net", "example.org", "example", "test", "invalid", "localhost")


def digest(*parts: object, length: int = 32) -> str:
    """A stable hex id out of what it identifies."""
    return hashlib.md5("\0".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()[:length]


def subscriber_hash(email: str) -> str:
    """The member id: md5 of the stripped lower-case address."""
    return hashlib.md5(email.strip().lower().encode(), usedforsecurity=False).hexdigest()


@attrs.define(kw_only=True)
class Member:
    """One contact; every attribute may be changed by a test.

    `opted_out` says that the contact left by their own hand: then `subscribed` is refused until `Audience.confirm`.
    """

    email_address: str
    status: str
    last_changed: datetime
    merge_fields: dict[str, Any] = attrs.field(factory=dict)
    tags: list[str] = attrs.field(factory=list)
    tag_dates: dict[str, datetime] = attrs.field(factory=dict, repr=False)
    interests: dict[str, bool] = attrs.field(factory=dict)
    marketing_permissions: dict[str, bool] = attrs.field(factory=dict)
    contact_id: str = attrs.field(default=attrs.Factory(lambda self: digest("contact", self.key), takes_self=True))
    email_type: str = "html"
    language: str = ""
    vip: bool = False
    location: dict[str, float] = attrs.field(factory=dict)
    ip_signup: str = ""
    timestamp_signup: datetime | None = None
    ip_opt: str = ""
    timestamp_opt: datetime | None = None
    unsubscribe_reason: str | None = None
    unsubscribed_at: datetime | None = None
    source: str = "API - Generic"
    opted_out: bool = False

    @property
    def key(self) -> str:
        """The address in lower case."""
        return self.email_address.lower()

    @property
    def id(self) -> str:
        return subscriber_hash(self.email_address)

    @property
    def unique_email_id(self) -> str:
        return digest("unique", self.key, length=10)

    @property
    def web_id(self) -> int:
        return int(self.contact_id[:7], 16)


class Members(MutableMapping[str, Member]):
    """Members by address, whatever its case; also found by hash and by contact id."""

    def __init__(self) -> None:
        self._by_email: dict[str, Member] = {}
        self._email_by_hash: dict[str, str] = {}
        self._email_by_contact: dict[str, str] = {}

    def __getitem__(self, email: str) -> Member:
        return self._by_email[email.strip().lower()]

    def __setitem__(self, email: str, member: Member) -> None:
        email = email.strip().lower()
        self._by_email[email] = member
        self._email_by_hash[subscriber_hash(email)] = email
        self._email_by_contact[member.contact_id] = email

    def __delitem__(self, email: str) -> None:
        member = self._by_email.pop(email.strip().lower())
        self._email_by_hash.pop(subscriber_hash(email), None)
        self._email_by_contact.pop(member.contact_id, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_email)

    def __len__(self) -> int:
        return len(self._by_email)

    def find(self, identity: str) -> Member | None:
        """The member behind a subscriber hash, a raw address or a contact id."""
        email = self._email_by_hash.get(identity) or self._email_by_contact.get(identity) or identity.strip().lower()
        return self._by_email.get(email)


class Audience:
    """One audience with its rules: who may move where, which addresses are refused."""

    def __init__(self, list_id: str, *, clock: Clock, double_optin: bool) -> None:
        self.list_id = list_id
        self.name = "Acme Wholesale"
        self.clock = clock
        self.double_optin = double_optin
        self.email_type_option = False
        self.members = Members()
        self.merge_fields = MergeFields()
        self.forgotten: set[str] = set()
        self.poisoned: dict[str, str] = {}
        self.refused_domains: tuple[str, ...] = _NEVER_REAL
        self.interest_categories: dict[str, dict[str, Any]] = {}
        self.permissions: dict[str, str] = {}
        self.webhooks: dict[str, dict[str, Any]] = {}
        self.created_at = self.now()
        for tag, name, kind in (
            ("FNAME", "First Name", "text"),
            ("LNAME", "Last Name", "text"),
            ("ADDRESS", "Address", "address"),
            ("PHONE", "Phone Number", "phone"),
        ):
            self.add_merge_field(tag, kind, name=name)

    def now(self) -> datetime:
        """The far system's time, to the second, as all its stamps are."""
        return self.clock().astimezone(UTC).replace(microsecond=0)

    def add_merge_field(
        self,
        tag: str,
        kind: str = "text",
        *,
        name: str | None = None,
        options: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> MergeField:
        merge_id = max((field.merge_id for field in self.merge_fields.values()), default=0) + 1
        rest = {"display_order": merge_id + 1, **rest}
        field = new_field(merge_id, tag, kind, options, name=name or tag, **rest)
        self.merge_fields[field.tag] = field
        return field

    def add_member(
        self,
        email: str,
        status: str = "subscribed",
        merge_fields: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
    ) -> Member:
        """Put a member there as it is, past all checks."""
        now = self.now()
        member = Member(
            email_address=email.strip(),
            status=status,
            last_changed=now,
            merge_fields=dict(merge_fields or {}),
            tags=list(tags),
            timestamp_opt=now,
        )
        self.members[member.key] = member
        return member

    def unsubscribe(self, email: str, reason: str) -> Member:
        """The contact leaves by their own hand."""
        member = self.members[email]
        self.set_status(member, "unsubscribed", reason)
        member.opted_out = True
        return self.touch(member)

    def confirm(self, email: str) -> Member:
        """The contact signs up (again) by their own hand."""
        member = self.members[email]
        member.opted_out = False
        self.set_status(member, "subscribed")
        return self.touch(member)

    def clean(self, email: str) -> Member:
        """Mail to the address bounced for good."""
        member = self.members[email]
        self.set_status(member, "cleaned")
        return self.touch(member)

    def archive(self, email: str) -> Member:
        """Archive a member; raises the 405 that the API gives where that cannot be."""
        member = self.members[email]
        if member.status in {"archived", "cleaned", "pending"}:
            raise Problem(
                405,
                "Method Not Allowed",
                "This list member cannot be removed. Can not archive a contact that is bounced, pending or archived",
                headers={"Allow": "GET, PUT"},
            )
        self.set_status(member, "archived")
        return self.touch(member)

    def forget(self, email: str) -> None:
        """Delete for good; the address can never be imported again."""
        self.forgotten.add(email.strip().lower())
        self.members.pop(email, None)

    def touch(self, member: Member) -> Member:
        member.last_changed = self.now()
        return member

    def change_address(self, member: Member, email: str) -> None:
        """Give a member another address; its contact id and history stay."""
        del self.members[member.key]
        member.email_address = email
        self.members[email] = member

    def check_address(self, email: str) -> str:
        """The stripped address; raises what the real system says of one that it will not have."""
        email = email.strip()
        if not _EMAIL.fullmatch(email) or len(email) > 254 or ".." in email or email.startswith("."):
            raise Problem.refused("Please provide a valid email address.")
        kind = self.poisoned.get(email.lower())
        domain = email.rpartition("@")[2].lower()
        if kind == "fake" or any(domain == name or domain.endswith("." + name) for name in self.refused_domains):
            raise Problem.refused(f"{email} looks fake or invalid, please enter a real email address.")
        if kind == "signups":
            raise Problem.refused(
                f"{email} has signed up to a lot of lists very recently; we're not allowing more signups for now"
            )
        if email.lower() in self.forgotten:
            raise Problem(
                400,
                "Forgotten Email Not Subscribed",
                f"{email} was permanently deleted and cannot be re-imported. "
                "The contact must re-subscribe to get back on the list.",
            )
        return email

    def check_poison(self, emails: Iterable[str]) -> None:
        """Spoil the whole request when one of its members is poisoned that way."""
        if not self.poisoned:
            return
        for email in emails:
            kind = self.poisoned.get(email.strip().lower())
            if kind == "server":
                raise Problem.server()
            if kind == "schema":
                raise Problem(
                    400,
                    "Invalid Resource",
                    UNVALIDATED,
                    # No path: which of the members it was, the answer does not tell.
                    [("", "Data did not match any of the schemas described in anyOf.")],
                )

    def move(self, member: Member, status: str) -> None:
        """Change the status as the API may, or raise what it answers."""
        if status == member.status:
            return
        barred = {"subscribed"} if member.opted_out else {"subscribed", "pending"} if member.status == "cleaned" else ()
        if status in barred:
            raise Problem(
                400,
                "Member In Compliance State",
                f"{member.email_address} is in a compliance state due to unsubscribe, bounce, or compliance review "
                "and cannot be subscribed.",
            )
        if status == "transactional" and member.status != "archived":
            raise Problem.refused(f"{member.email_address} is already a contact and cannot be made transactional.")
        self.set_status(member, status, "N/A (Unsubscribed by an admin)" if status == "unsubscribed" else None)

    def set_status(self, member: Member, status: str, reason: str | None = None) -> None:
        member.status = status
        if status == "unsubscribed":
            member.unsubscribe_reason, member.unsubscribed_at = reason, self.now()
        elif status != "archived":
            member.unsubscribe_reason = member.unsubscribed_at = None
        if status == "subscribed" and member.timestamp_opt is None:
            member.timestamp_opt = self.now()

    def set_tags(self, member: Member, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        """Tag names are kept as written and told apart without regard to case."""
        gone = {name.lower() for name in remove}
        held = {name.lower(): name for name in member.tags if name.lower() not in gone}
        for name in add:
            if held.setdefault(name.lower(), name) == name:
                member.tag_dates.setdefault(name, self.now())
        member.tags = list(held.values())
