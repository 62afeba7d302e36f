"""Members one at a time: update, create, move to another address, tags, archive.

`PATCH` comes first and `PUT` only after its 404: so it is known whether a member was created, and a member that exists
is never given a status it did not ask for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeAlias, cast

import attrs

from ..errors import ConfigurationError, RecordError, RecordNotFoundError, RecordRejectedError, ServerFaultError
from ..models import MemberStatus, MemberWrite, WriteResult, member_id
from ._client import MailchimpClient, json_object
from ._traces import traced
from ._wire import SYSTEM, RefusedError, address_key, encode, path, result_of
from ._written import Wanted, WrittenMember, permission_changes, stale_tags, written

__all__ = ["NOT_A_MEMBER", "MemberWriter", "checked", "with_status"]

# Required merge fields that the ERP does not fill must not stop the others (vendor flag, also used by its own plugin).
LENIENT = {"skip_merge_validation": "true"}

NOT_A_MEMBER = WriteResult(kind="skipped", reason="not_a_member", message="the address is not in the audience")

_FIRST_STATUSES = frozenset({"subscribed", "unsubscribed", "pending", "transactional"})
_MAILABLE = {"unsubscribed": 0, "cleaned": 0, "archived": 0, "transactional": 1, "pending": 2, "subscribed": 3}


def checked(write: MemberWrite) -> WriteResult | None:
    """A result for a write that must not be sent: its body brings a status, or asks for one that cannot be given."""
    if write.status_if_new not in _FIRST_STATUSES or write.status == "cleaned":
        return WriteResult(kind="dead", reason="status_refused", message="this status cannot be set by a write")
    # The text test is cheap and almost always settles it; only then is the body read.
    if b'"status' in write.body and {"status", "status_if_new"} & set(json.loads(write.body)):
        return WriteResult(kind="dead", reason="status_in_body", message="the member's fields must not hold a status")
    return None


def with_status(body: bytes, name: str, status: str) -> bytes:
    """The encoded member with a status joined to it; its other bytes stay as they are."""
    return b'%b,"%b":"%b"}' % (body.rstrip()[:-1], name.encode(), status.encode())


_Written: TypeAlias = tuple[WriteResult, WrittenMember | None]
"""What became of a write, and the member it left; none where nothing was written."""

_PERMISSIONS = "marketing_permissions"


class MemberWriter:
    """Writes members of one audience by calls of their own; safe for use by several threads.

    Attributes:
        syncing: history is being loaded, so tags must not start automations.
    """

    def __init__(self, client: MailchimpClient, list_id: str) -> None:
        self._client = client
        self._list_id = list_id
        self._root = path("lists", list_id, "members")
        self.syncing = False

    def write(self, write: MemberWrite) -> WriteResult:
        """Create or update one member. Raises only what does not concern this member alone."""
        with traced() as trace:
            return trace.complete(self._written_alone(write))

    def _written_alone(self, write: MemberWrite) -> WriteResult:
        if refused := checked(write):
            return refused
        try:
            if write.forget:
                return self._forgotten(write)
            if not write.body:
                return self._retagged(write)
            return self._archived(write) if write.status == "archived" else self._upserted(write)
        except (RecordError, ServerFaultError) as error:
            return result_of(error)

    def archive(self, address: str) -> MemberStatus | None:
        """Archive a member, and say how it stands then; `None`: there is no such member.

        One that cannot be mailed anyway is left as it is. Who has yet to confirm cannot be archived, and is
        unsubscribed instead.
        """
        url = self._url(address)
        try:
            self._client.send("DELETE", url, operation="DELETE member")
        except RecordNotFoundError:
            return None
        except RefusedError as error:
            # 405: bounced, pending or archived already.
            if error.reason != "not_allowed":
                raise
            status = self._client.get(url, operation="GET member", fields="status").get("status")
            if status == "pending":
                status = self._send("PATCH", address, _silenced(address)).get("status")
            return cast("MemberStatus", status)
        return "archived"

    def switch_tags(self, address: str, *, on: Iterable[str] = (), off: Iterable[str] = ()) -> None:
        """Switch tags on and off; others stay."""
        tags = [{"name": name, "status": "active"} for name in on]
        tags += [{"name": name, "status": "inactive"} for name in off]
        if tags:
            body = {"tags": tags, "is_syncing": True} if self.syncing else {"tags": tags}
            self._client.send("POST", f"{self._url(address)}/tags", body, operation="POST member tags")

    def lower(self, write: MemberWrite, status: str) -> MemberStatus:
        """Take a member that the server created more mailable than asked back to what was asked.

        Where that status cannot be set afterwards, the member is unsubscribed: too little mail does no harm. Returns
        the status it has then.

        Raises:
            RecordError: neither worked; the message says what is left to do by hand.
        """
        asked = write.status or write.status_if_new
        if _MAILABLE.get(status, 0) <= _MAILABLE[asked]:
            return cast("MemberStatus", status)
        body = _without_tags(write)[0].body
        for wanted in (asked, "unsubscribed"):
            with suppress(RecordError, ServerFaultError):
                if self._send("PUT", write.address, with_status(body, "status", wanted)).get("status") == wanted:
                    return wanted
        raise RecordRejectedError(
            f"Mailchimp created the member as {status}, not {asked}, and does not take it back: unsubscribe it there",
            system=SYSTEM,
            reason="status_differs",
        )

    def _url(self, address: str) -> str:
        return f"{self._root}/{member_id(address)}"

    def _send(self, method: str, address: str, body: bytes) -> dict[str, Any]:
        reply = self._client.send(method, self._url(address), body, operation=f"{method} member", params=LENIENT)
        return json_object(reply)

    def _archived(self, write: MemberWrite) -> WriteResult:
        status = self.archive(write.address)
        return WriteResult(kind="updated", member_status=status) if status else NOT_A_MEMBER

    def _retagged(self, write: MemberWrite) -> WriteResult:
        try:
            self.switch_tags(write.address, off=write.tags_off)
        except RecordNotFoundError:
            return NOT_A_MEMBER
        return WriteResult(kind="updated")

    def _forgotten(self, write: MemberWrite) -> WriteResult:
        try:
            url = f"{self._url(write.address)}/actions/delete-permanent"
            self._client.send("POST", url, operation="POST delete-permanent")
        except RecordNotFoundError:
            return NOT_A_MEMBER
        return WriteResult(kind="updated")

    def _upserted(self, write: MemberWrite) -> WriteResult:
        write, tags = _without_tags(write)
        result, member = self._moved(write) or self._written(_unmoved(write))
        if member is None:
            return result
        if result.note == "address_taken":
            # What this library put on hangs on the member that was left behind.
            write = attrs.evolve(write, tags_off=())
        self.switch_tags(write.address, on=tags, off=stale_tags(write, member.tags, tags))
        return self.permitted(write, result, member)

    def permitted(self, write: MemberWrite, result: WriteResult, member: WrittenMember) -> WriteResult:
        """Switch marketing permissions on and off, by a call only where one changes; the result tells how they are.

        Raises:
            ConfigurationError: the audience has no such permission.
        """
        if not write.permissions:
            return result
        if member.permissions is None:
            if all(wish.enabled is None for wish in write.permissions):
                return result
            # The documented answer to a bulk call is silent about permissions.
            fields = "email_address,status,contact_id,marketing_permissions"
            found = self._client.get(self._url(write.address), operation="GET member", fields=fields)
            member = written({"marketing_permissions": (), **found}, Wanted.by([write]))
        changes, left = permission_changes(write.permissions, member, created=result.kind == "created")
        if changes:
            self._send("PATCH", write.address, encode({"email_address": write.address, _PERMISSIONS: changes}))
        return attrs.evolve(result, permissions=left)

    def _moved(self, write: MemberWrite) -> _Written | None:
        """Give the member at the previous address its new one; `None` when there is nothing to move."""
        previous = write.previous_address
        if previous is None or address_key(previous) == address_key(write.address):
            return None
        try:
            answer = self._patched(write, previous)
        except RefusedError as error:
            if error.reason != "member_exists":
                raise
            # The new address has a member of its own, with its own history: that one is kept, nothing is archived.
            result, member = self._written(_unmoved(write))
            if write.status == "unsubscribed":
                self._send("PATCH", previous, _silenced(previous))
            return attrs.evolve(result, note="address_taken"), member
        return _result("updated", answer, write) if answer is not None else None

    def _written(self, write: MemberWrite) -> _Written:
        # PATCH cannot set `transactional`.
        only_put = write.status == "transactional"
        answer = None if only_put else self._patched(write, write.address)
        if answer is not None:
            return _result("updated", answer, write)
        if write.only_if_member:
            return NOT_A_MEMBER, None
        body = with_status(write.body, "status_if_new", write.status or write.status_if_new)
        if write.status:
            body = with_status(body, "status", write.status)
        try:
            answer = self._send("PUT", write.address, body)
        except RecordNotFoundError:
            raise ConfigurationError(
                f"audience {self._list_id!r} is gone", system=SYSTEM, reason="unknown_audience"
            ) from None
        return _result("updated" if only_put else "created", answer, write)

    def _patched(self, write: MemberWrite, address: str) -> dict[str, Any] | None:
        body = with_status(write.body, "status", write.status) if write.status else write.body
        try:
            return self._send("PATCH", address, body)
        except RecordNotFoundError:
            return None


def _silenced(address: str) -> bytes:
    return encode({"email_address": address, "status": "unsubscribed"})


def _unmoved(write: MemberWrite) -> MemberWrite:
    """The same for another member than the one that was to be moved: that one's way back is not for this one."""
    is_for_both = write.previous_address is None or write.status == "unsubscribed"
    return write if is_for_both else attrs.evolve(write, status=None)


def _result(kind: Literal["created", "updated"], answer: dict[str, Any], write: MemberWrite) -> _Written:
    member = written(answer, Wanted.by([write]))
    return WriteResult(kind=kind, member_status=member.status, contact_id=member.contact_id), member


def _without_tags(write: MemberWrite) -> tuple[MemberWrite, Sequence[str]]:
    """The write as `PUT` and `PATCH` take it, which ignore tags, and the tags for a call of their own."""
    if b'"tags"' not in write.body:
        return write, ()
    body = json.loads(write.body)
    tags = body.pop("tags", None) or ()
    return attrs.evolve(write, body=encode(body)), tags
