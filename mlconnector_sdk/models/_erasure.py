"""What was removed of one person."""

from __future__ import annotations

import attrs

__all__ = ["Erasure", "Forgotten"]


@attrs.frozen(kw_only=True)
class Forgotten:
    """What a sink deleted of one address; nothing where it knew none of it.

    Attributes:
        member: the audience had a member of this address.
        store_customers, orders: how many the store had.
    """

    member: bool = False
    store_customers: int = 0
    orders: int = 0


@attrs.frozen(kw_only=True)
class Erasure:
    """What `engine.erase` removed; it names nobody, and a repeat finds nothing left.

    Attributes:
        reason: why, as the caller said.
        members: members deleted for good, under this address and those it replaced.
        store_customers, orders: deleted from the store.
        records: ERP records, and documents of theirs, that no longer name the person in our state.
        dead_letters: records set aside whose payload was removed.
        notes: small things kept between runs that named the person.
    """

    job_id: str
    reason: str
    members: int = 0
    store_customers: int = 0
    orders: int = 0
    records: int = 0
    dead_letters: int = 0
    notes: int = 0

    @property
    def found(self) -> bool:
        """There was something to remove."""
        counts = (self.members, self.store_customers, self.orders, self.records, self.dead_letters, self.notes)
        return any(counts)

    def __str__(self) -> str:
        return (
            f"erase {self.job_id}: {self.members} members, {self.store_customers} store customers and {self.orders} "
            f"orders deleted; {self.records} records without address, {self.dead_letters} dead letters and "
            f"{self.notes} notes emptied"
        )
