"""What the ERP and the people really did, kept beside both fakes, and what audience and store must be because of it.

Nothing here asks the library. Where the order of things decides what is right (somebody left before or after their
record moved), only what holds in every order is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import attrs

__all__ = ["Document", "Person", "Truth", "is_address"]


def is_address(text: str | None) -> bool:
    return text is not None and "@" in text


@attrs.define(kw_only=True)
class Person:
    """One customer or contact of the ERP.

    Attributes:
        trail: every address it had, the present one last.
        retired: it was out of business at some time.
        changed_at: when it was last saved.
    """

    stream: str
    key: str
    name: str
    trail: list[str | None]
    active: bool = True
    retired: bool = False
    opted_out: bool = False
    gone: bool = False
    changed_at: datetime

    @property
    def address(self) -> str | None:
        return self.trail[-1]

    @property
    def been(self) -> set[str]:
        """Every real address it had."""
        return {address for address in self.trail if address is not None and is_address(address)}

    @property
    def wants_mail(self) -> bool:
        return self.active and not self.opted_out and not self.gone


@attrs.define(kw_only=True)
class Document:
    """One order.

    Attributes:
        number: told apart by it in the store as well, for it is the quantity of the first line.
        buyer: the customer whose order it is.
        lines: (product, quantity, price); the first one stays.
    """

    number: int
    buyer: Person
    lines: list[tuple[str, int, int]]
    changed_at: datetime

    @property
    def is_certain(self) -> bool:
        """The buyer could always be written to, so there is no reason to keep the order out at any time."""
        return self.buyer.wants_mail and not self.buyer.retired and all(map(is_address, self.buyer.trail))


@attrs.define
class Truth:
    """All of it.

    Attributes:
        left: addresses whose owner left by their own hand and did not come back.
        bounced: addresses that do not exist any more.
        unsettled: addresses at which somebody left, came back or was called silent by the ERP at some time.
        moved_on: records that alone spoke for an address when its owner left, by that address.
    """

    people: dict[tuple[str, str], Person] = attrs.field(factory=dict)
    documents: dict[str, Document] = attrs.field(factory=dict)
    left: set[str] = attrs.field(factory=set)
    bounced: set[str] = attrs.field(factory=set)
    unsettled: set[str] = attrs.field(factory=set)
    spoke_for: dict[str, tuple[str, str]] = attrs.field(factory=dict)

    def of(self, stream: str) -> list[Person]:
        """Those that the ERP still has, in the order they came."""
        return [person for person in self.people.values() if person.stream == stream and not person.gone]

    def at(self, address: str) -> list[Person]:
        """Records of the ERP with this address."""
        return [person for person in self.people.values() if person.address == address and not person.gone]

    def ever_at(self, address: str) -> list[Person]:
        return [person for person in self.people.values() if address in person.been]

    def leave(self, address: str, owner: str) -> None:
        """Somebody leaves; `owner` is the record that spoke for them, as the member says."""
        self.left.add(address)
        self.unsettled.add(address)
        speakers = self.ever_at(address)
        if len(speakers) == 1 and speakers[0].key == owner:
            self.spoke_for[address] = (speakers[0].stream, owner)

    def come_back(self, address: str) -> None:
        self.left.discard(address)
        self.bounced.discard(address)
        self.unsettled.add(address)
        self.spoke_for.pop(address, None)

    # -- what must be --------------------------------------------------------------------------------------------

    def silent(self) -> Iterator[tuple[str, str]]:
        """Addresses that must not be subscribed, whatever was run or broke, and why."""
        for address in self.left:
            yield address, "left by their own hand"
        for address in self.bounced:
            yield address, "bounced"
        for before, key in self.spoke_for.items():
            person = self.people[key]
            now = person.address
            followed = len(person.trail) > 1 and person.trail[-2] == before and now is not None and is_address(now)
            if followed and now is not None and self.ever_at(now) == [person] and now not in self.unsettled:
                yield now, f"left at {before}, and their record moved on"

    def doubtful(self) -> set[str]:
        """Addresses whose status depends on the order of things: what is unsettled, and all that records tie to it."""
        found = set(self.unsettled)
        found |= {a for person in self.people.values() if person.opted_out for a in person.been}
        while more := {
            address for person in self.people.values() if person.been & found for address in person.been - found
        }:
            found |= more
        return found

    def speaks_alone(self, address: str) -> bool:
        """Nobody else was ever out of business there: whom one record took off, another one does not bring back."""
        known = self.ever_at(address)
        return len(known) == 1 or not any(person.retired or person.gone for person in known)

    def abandoned(self) -> set[str]:
        """Addresses that a record left for none, or for one that others had: nobody moved the member, and it stays.

        How far it moved before that depends on who looked when.
        """
        found: set[str] = set()
        for person in self.people.values():
            for number, after in enumerate(person.trail):
                if after is None or len(self.ever_at(after)) != 1:
                    found |= person.been.intersection(person.trail[:number])
        return found

    def audience_faults(self, members: Mapping[str, Any]) -> Iterator[str]:
        """What is wrong with the audience, once everything that was to be done is done."""
        doubtful, abandoned = self.doubtful(), self.abandoned()
        addresses = {address for person in self.people.values() for address in person.been}
        for address in sorted(addresses):
            member = members.get(address)
            speakers = [person for person in self.at(address) if person.wants_mail]
            status = member.status if member is not None else "no member"
            if any(person.opted_out for person in self.at(address)) and status == "subscribed":
                yield f"{address} is subscribed although the ERP says not to mail it"
            if address in doubtful or address in self.bounced:
                continue
            if speakers and status != "subscribed" and self.speaks_alone(address):
                yield f"{address} of {[person.key for person in speakers]} is {status}"
            if not speakers and status == "subscribed" and address not in abandoned:
                yield f"{address} is subscribed, but the ERP has nobody there to mail"
            if speakers and member is not None:
                yield from _mismatch(address, member, speakers)

    def store_faults(self, orders: Mapping[str, Any], customers: Mapping[str, Any]) -> Iterator[str]:
        """What is wrong with the store.

        Whether it has an order whose buyer could not be written to at some time depends on when that was.
        """
        found: dict[int, list[Any]] = {}
        for order in orders.values():
            found.setdefault(order["lines"][0]["quantity"], []).append(order)
        for document in self.documents.values():
            here = found.pop(document.number, [])
            if len(here) > 1 or (document.is_certain and not here):
                yield f"order {document.number} is {len(here)} times in the store"
            if document.is_certain and here:
                yield from _order_mismatch(document, here[0], customers[here[0]["customer"]["id"]])
        yield from (f"order {number} of the store is not in the ERP" for number in found)


def _order_mismatch(document: Document, order: Any, customer: Any) -> Iterator[str]:
    lines = sorted((line["product_id"], line["quantity"], int(line["price"])) for line in order["lines"])
    if lines != sorted(document.lines):
        yield f"order {document.number} has {lines}, not {document.lines}"
    if customer["email_address"] not in document.buyer.been:
        yield f"order {document.number} is somebody else's: {customer['email_address']}"


def _mismatch(address: str, member: Any, speakers: list[Person]) -> Iterator[str]:
    owner = next((person for person in speakers if person.key == member.merge_fields.get("ERPID")), None)
    if owner is None:
        yield f"{address} names {member.merge_fields.get('ERPID')}, not one of {[p.key for p in speakers]}"
    elif owner.stream == "customers" and member.merge_fields.get("COMPANY") != owner.name:
        yield f"{address} is called {member.merge_fields.get('COMPANY')}, not {owner.name}"
