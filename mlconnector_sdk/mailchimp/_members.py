"""Members one at a time: update, create, move to another address, tags, archive.

`PATCH` comes first and `PUT` only after its 404: so it is known whether a member was created, and a member that exists
is never given a status it did not ask for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, cast

import attrs

from ..errors import ConfigurationError, RecordError, RecordNotFoundError, RecordRejectedError, ServerFaultError
from ..models import MemberStatus, MemberWrite, WriteResult, member_id
from ._client import MailchimpClient, json_object
from ._wire import SYSTEM, RefusedError, address_key, path, result_of

__all__ = ["MemberWriter", "checked", "with_status"]

# Required merge fields that the ERP does not fill must not stop the others (vendor flag, also used by its own plugin).
LENIENT = {"skip_merge_validation": "true"}

_WRITABLE = frozenset({"subscribed", "unsubscribed", "cleaned", "pending", "transactional"})
_MAILABLE = {"unsubscribed": 0, "cleaned": 0, "archived": 0, "transactional": 1, "pending": 2, "subscribed": 3}


def checked(write: MemberWrite) -> WriteResult | None:
    """A result for a write that must not be sent: its body brings a status, or asks for one that cannot be set."""
    if write.status_if_new not in _WRITABLE or (write.status is not None and write.status not in _WRITABLE):
        return WriteResult(kind="dead", reason="status_refused", message="this status cannot be set by a write")
    # The text test is cheap and almost always settles it; only then is the body read.
    if b'"status' in write.body and {"status", "status_if_new"} & set(json.loads(write.body)):
        return WriteResult(kind="dead", reason="status_in_body", message="the member's fields must not hold a status")
    return None


def with_status(body: bytes, name: str, status: str) -> bytes:
    """The encoded member with a status joined to it; its other bytes stay as they are."""
    return b'%b,"%b":"%b"}' % (body.rstrip()[:-1], name.encode(), status.encode())


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
        if refused := checked(write):
            return refused
        try:
            return self._moved(write) or self._written(write)
        except (RecordError, ServerFaultError) as error:
            return result_of(error)

    def archive(self, address: str) -> None:
        """Archive a member; one that is gone, or that cannot be mailed anyway, is left as it is."""
        try:
            self._client.send("DELETE", self._url(address), operation="DELETE member")
        except RecordNotFoundError:
            return
        except RecordRejectedError as error:
            # 405: bounced, pending or archived already.
            if error.reason != "not_allowed":
                raise

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
        """
        asked = write.status or write.status_if_new
        if _MAILABLE.get(status, 0) <= _MAILABLE[asked]:
            return cast("MemberStatus", status)
        for wanted in (asked, "unsubscribed"):
            body = with_status(write.body, "status", wanted)
            try:
                answer = self._send("PUT", write.address, body)
            except RefusedError:
                continue
            if answer.get("status") == wanted:
                return wanted
            status = str(answer.get("status", status))
        return cast("MemberStatus", status)

    def _url(self, address: str) -> str:
        return f"{self._root}/{member_id(address)}"

    def _send(self, method: str, address: str, body: bytes) -> dict[str, Any]:
        reply = self._client.send(method, self._url(address), body, operation=f"{method} member", params=LENIENT)
        return json_object(reply)

    def _moved(self, write: MemberWrite) -> WriteResult | None:
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
            return attrs.evolve(self._written(write), note="address_taken")
        return self._tagged(write, "updated", answer) if answer is not None else None

    def _written(self, write: MemberWrite) -> WriteResult:
        # PATCH cannot set `transactional`.
        answer = None if write.status == "transactional" else self._patched(write, write.address)
        if answer is not None:
            return self._tagged(write, "updated", answer)
        body = with_status(write.body, "status_if_new", write.status or write.status_if_new)
        if write.status:
            body = with_status(body, "status", write.status)
        try:
            answer = self._send("PUT", write.address, body)
        except RecordNotFoundError:
            raise ConfigurationError(
                f"audience {self._list_id!r} is gone", system=SYSTEM, reason="unknown_audience"
            ) from None
        return self._tagged(write, "created", answer)

    def _patched(self, write: MemberWrite, address: str) -> dict[str, Any] | None:
        body = with_status(write.body, "status", write.status) if write.status else write.body
        try:
            return self._send("PATCH", address, body)
        except RecordNotFoundError:
            return None

    def _tagged(self, write: MemberWrite, kind: str, answer: dict[str, Any]) -> WriteResult:
        """The result, after the tags: `PUT` and `PATCH` ignore them."""
        tags = json.loads(write.body).get("tags") or () if b'"tags"' in write.body else ()
        self.switch_tags(write.address, on=tags, off=write.tags_off)
        return WriteResult(
            kind="created" if kind == "created" else "updated",
            member_status=cast("MemberStatus | None", answer.get("status")),
        )
