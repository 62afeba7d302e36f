"""Records of which nothing is known yet, nor of their address: most of a first load.

There is nothing to weigh for them and nobody else to think of, so they take a straight way, and their link is made
once, when the answer is known.
"""

from __future__ import annotations

from datetime import datetime

import attrs

from ..mapping import MemberPayload
from ..models import Contact, Link, MemberStatus, MemberWrite, Party, WriteResult, member_id
from ._decision import Decision
from ._segments import permission_wishes

__all__ = ["Newcomer"]

_NOTHING_TOLD = WriteResult(kind="dead")


@attrs.define(kw_only=True)
class Newcomer(Decision):
    """What happens to a record without a link, at an address without one, that no other record of its batch has.

    Attributes:
        link: `None` while the answer to `write` is awaited.
        tags, parent, decided_at: what the link will say, besides what `write` does.
    """

    tags: tuple[str, ...] = ()
    parent: str = ""
    decided_at: datetime | None = None

    def join(self, party: Party, payload: MemberPayload, *, status: MemberStatus, owned_prefix: str) -> None:
        """The record is to become a member, with this status."""
        self.fingerprint = payload.fingerprint
        self.tags = payload.tags
        self.parent = party.customer_key if isinstance(party, Contact) else ""
        self.write = MemberWrite(
            record_key=self.key,
            address=payload.address,
            body=payload.body,
            status_if_new=status,
            owned_prefix=owned_prefix,
            permissions=permission_wishes(payload, (), silent=False),
        )

    def link_after(self, answer: WriteResult | None) -> Link:
        """The link as the answer makes it; `None`: as the write alone does, of a member that the answer denies."""
        assert isinstance(self.write, MemberWrite)
        told = answer or _NOTHING_TOLD
        return Link(
            stream=self.stream,
            key=self.key,
            address=self.write.address,
            target=member_id(self.write.address),
            fingerprint=self.fingerprint,
            parent=self.parent,
            contact_id=told.contact_id,
            details=self.tags,
            permissions=tuple(dict(told.permissions).items()) if told.permissions else (),
            standing=told.member_status or "",
            synced_at=self.decided_at,
        )
