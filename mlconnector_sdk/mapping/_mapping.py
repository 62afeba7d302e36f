"""The whole mapping of a pipeline: members by kind of record, and orders."""

from __future__ import annotations

import attrs

from ..models import MergeField
from ._commerce import OrderMapping
from ._members import MemberMapping

__all__ = ["Mapping"]


@attrs.frozen(kw_only=True)
class Mapping:
    """How records become members and store orders; the defaults work with no mapping at all.

    Attributes:
        members: for customers, and for contacts and suppliers unless they have their own.
        contacts, suppliers: where these differ.
        orders: for orders and invoices.
    """

    members: MemberMapping = attrs.field(factory=MemberMapping)
    contacts: MemberMapping | None = None
    suppliers: MemberMapping | None = None
    orders: OrderMapping = attrs.field(factory=OrderMapping)

    def for_stream(self, stream: str) -> MemberMapping:
        """The member mapping of a stream."""
        return {"contacts": self.contacts, "suppliers": self.suppliers}.get(stream) or self.members

    def wanted_fields(self) -> tuple[MergeField, ...]:
        """All merge fields that any of the member mappings fills."""
        wanted = {field.tag: field for mapping in self._of_members() for field in mapping.wanted_fields()}
        return tuple(wanted.values())

    def wanted_interests(self) -> tuple[str, ...]:
        """The names of all interests that any of the member mappings sets."""
        return tuple(dict.fromkeys(name for mapping in self._of_members() for name in mapping.interests))

    def wanted_permissions(self) -> tuple[str, ...]:
        """The names of all marketing permissions that any of the member mappings sets."""
        return tuple(dict.fromkeys(name for mapping in self._of_members() for name in mapping.permissions))

    def _of_members(self) -> tuple[MemberMapping, ...]:
        return self.members, self.contacts or self.members, self.suppliers or self.members
